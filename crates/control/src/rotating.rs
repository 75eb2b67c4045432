//! Watches over secrets: begins rotations that are due, carries each on a step at a time, and retires what has ended.
//!
//! Every node does so. A rotation is claimed for a while, so that one node at a time carries it on, and another one when it
//! dies. Whatever a step does, it may be done again.

pub(crate) mod due;
mod steps;
mod subject;
mod told;
mod trial;
mod upstream;
mod upstream_keys;

use crate::{Control, last_used};
use louver_domain::rotations::{Outcome, STUCK_ATTEMPTS};
use louver_domain::secret::Secret;
use louver_store::rotations::{self as store, Claimed};
use louver_store::{StoreError, idempotency, old_secrets};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use steps::Halt;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// How often is looked.
const LOOK: Duration = Duration::from_millis(500);
/// For a step as a whole, well within the claim.
const STEP: Duration = Duration::from_secs(150);
/// How often it is looked which keys are due.
const DUE_SECONDS: i64 = 60;
/// Rotations that one node carries on at the same time.
const MOST_AT_ONCE: usize = 8;

/// Where new secrets are tried, where upstream keys are made, and what wakes the watch.
#[derive(Default)]
pub struct Rotating {
    reached: OnceLock<Reached>,
    upstreams: OnceLock<Vec<UpstreamServer>>,
    wake: Notify,
    look_now: AtomicBool,
}

/// Where this Louver is reached, for the calls that try secrets: scheme, host and port each.
#[derive(Clone, Debug)]
pub struct Reached {
    /// The data plane.
    pub calls: String,
    /// The admin side.
    pub admin: String,
}

/// An upstream server as the settings name it.
pub struct UpstreamServer {
    /// Its name; the first one has none.
    pub name: Option<String>,
    /// Scheme, host and port.
    pub url: String,
    /// The key of the settings for it, which no rotation may delete there.
    pub key: Option<Secret<String>>,
}

impl Rotating {
    /// Says which upstream servers there are; what was said first stays.
    pub fn upstreams_are(&self, servers: Vec<UpstreamServer>) {
        self.upstreams.get_or_init(|| servers);
    }

    /// The server of that name; none is the first one.
    pub(crate) fn upstream(&self, name: Option<&str>) -> Option<&UpstreamServer> {
        self.upstreams.get()?.iter().find(|server| server.name.as_deref() == name)
    }

    /// Says where this Louver is reached; what was said first stays.
    pub fn reached_at(&self, reached: Reached) {
        self.reached.get_or_init(|| reached);
    }

    pub(crate) fn reached(&self) -> Option<&Reached> {
        self.reached.get()
    }

    /// Says that policies are others now, so that it is looked at once what is due.
    pub(crate) fn look_again(&self) {
        self.look_now.store(true, Ordering::Relaxed);
        self.wake();
    }

    /// Says that something is to be done now.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }
}

/// Watches until `stop`; then the steps that run come to their end.
pub async fn run(control: Arc<Control>, mut stop: watch::Receiver<bool>) {
    let mut running = JoinSet::new();
    let mut looked = None;
    let mut told_of = due::Told::default();
    loop {
        let stopping = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => true,
            Some(_) = running.join_next() => false,
            () = control.rotating.wake.notified() => false,
            () = tokio::time::sleep(LOOK) => false,
        };
        last_used::write(&control).await;
        if stopping {
            break;
        }
        if let Err(error) = look(&control, (&mut looked, &mut told_of), &mut running).await {
            tracing::error!(%error, "rotations could not be looked at");
        }
        if let Err(error) = idempotency::sweep(&control.store, control.clock.now()).await {
            tracing::error!(%error, "answers of repeated requests could not be swept");
        }
    }
    while running.join_next().await.is_some() {}
}

async fn look(
    control: &Arc<Control>,
    (looked, told_of): (&mut Option<i64>, &mut due::Told),
    running: &mut JoinSet<()>,
) -> Result<(), StoreError> {
    let now = control.clock.now();
    let retired = old_secrets::sweep(&control.store, now).await?;
    if retired > 0 {
        tracing::info!(secrets = retired, "old secrets of keys were retired");
    }
    let seconds = now.seconds();
    let asked = control.rotating.look_now.swap(false, Ordering::Relaxed);
    if asked || looked.is_none_or(|at| !(0..DUE_SECONDS).contains(&seconds.saturating_sub(at))) {
        *looked = Some(seconds);
        if let Err(error) = due::begin(control, told_of).await {
            tracing::error!(%error, "rotations that are due could not be begun");
        }
    }
    store::observe(&control.store).await?;
    while running.len() < MOST_AT_ONCE {
        let Some(claimed) = store::claim(&control.store, control.clock.now()).await? else { break };
        let control = Arc::clone(control);
        running.spawn(async move { step(&control, &claimed).await });
    }
    Ok(())
}

/// Carries on the one rotation that has been due for longest, and answers whether there was one.
pub async fn carry_on(control: &Control) -> Result<bool, StoreError> {
    let Some(claimed) = store::claim(&control.store, control.clock.now()).await? else { return Ok(false) };
    step(control, &claimed).await;
    Ok(true)
}

async fn step(control: &Control, claimed: &Claimed) {
    let taken = tokio::time::timeout(STEP, steps::take(control, claimed)).await;
    let halt = match taken.unwrap_or_else(|_| Err(Halt::later("the step took too long"))) {
        Ok(()) => {
            control.rotating.wake();
            return;
        }
        Err(halt) => halt,
    };
    if let Err(error) = note(control, claimed, halt).await {
        tracing::error!(rotation = %claimed.rotation.id, %error, "a rotation is looked at again when its claim ends");
    }
}

async fn note(control: &Control, claimed: &Claimed, halt: Halt) -> Result<(), StoreError> {
    let (state, now) = (&claimed.rotation.state, control.store.now().await?);
    let (next, sentence) = match halt {
        Halt::Overtaken => return Ok(()),
        Halt::Later(sentence) => (state.after(&claimed.rotation.plan, Outcome::Failed, now), sentence),
        Halt::Never(sentence) => (state.given_up(now), sentence),
    };
    tracing::warn!(rotation = %claimed.rotation.id, step = state.step.as_str(), attempts = next.attempts, "a step of a rotation failed");
    claimed.note(&control.store, &next, Some(&sentence)).await?;
    if next.attempts == STUCK_ATTEMPTS || !next.step.is_live() {
        told::stuck(control, &claimed.rotation).await?;
    }
    Ok(())
}
