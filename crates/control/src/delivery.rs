//! Sends alerts and invitations: claims what is due from the outbox, tries it, and writes down what became of it.

mod invitations;
pub mod mail;
pub mod targets;
mod webhook;

pub(crate) use webhook::Target;

use crate::Control;
use crate::actions::alert_channels;
use crate::context::Context;
use louver_domain::alert_channels::ChannelKind;
use louver_domain::alerts::{Alert, AlertKind};
use louver_domain::deliveries::{DeliveryState, Outcome, Receiver, after};
use louver_domain::id::{AlertChannelId, UserId};
use louver_store::deliveries::{self as store, Claimed};
use louver_store::{StoreError, alert_channels as channels, users};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// Attempts at the same time on one node.
const MOST_AT_ONCE: usize = 16;
/// What an attempt may take, well within the lease.
const ATTEMPT: Duration = Duration::from_secs(10);
/// How often the outbox is looked at when nobody says that there is something new.
const POLL: Duration = Duration::from_secs(1);

/// What messages leave by.
pub struct Outbound {
    /// The mail server; none when there is none.
    pub mailer: Option<mail::Mailer>,
    /// Receivers that the operator lets in although they are not public.
    pub allowed: targets::AllowedTargets,
    /// Whom receivers' certificates are believed from. Its ALPN must not offer HTTP/2.
    pub tls: Arc<rustls::ClientConfig>,
    /// Where people reach this installation: scheme, host and port. Links in mails begin with it.
    public_url: OnceLock<String>,
    /// For one attempt as a whole.
    attempt: Duration,
    wake: Notify,
}

impl Outbound {
    /// From its parts.
    pub fn new(
        mailer: Option<mail::Mailer>,
        allowed: targets::AllowedTargets,
        tls: Arc<rustls::ClientConfig>,
    ) -> Self {
        let public_url = OnceLock::new();
        Self { mailer, allowed, tls, public_url, attempt: ATTEMPT, wake: Notify::new() }
    }

    /// Says where people reach this installation; what was said first stays.
    pub fn reached_at(&self, public_url: String) {
        self.public_url.get_or_init(|| public_url);
    }

    /// Where that is; the usual listener when nobody said it.
    pub fn public_url(&self) -> &str {
        self.public_url.get().map_or("http://127.0.0.1:8080", String::as_str)
    }

    /// The same with less patience, for tests of receivers that hang.
    #[cfg(test)]
    pub(crate) fn with_attempt(self, attempt: Duration) -> Self {
        Self { attempt, ..self }
    }

    /// Says that something new was raised, so that it leaves now and not at the next look.
    pub fn wake(&self) {
        self.wake.notify_one();
    }
}

impl Default for Outbound {
    /// No mail server, public receivers only, and no certificate believed.
    fn default() -> Self {
        let roots = rustls::RootCertStore::empty();
        let tls = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Self::new(None, targets::AllowedTargets::default(), Arc::new(tls))
    }
}

/// Why an attempt did not work. What tells one closed door from another is kept in here: an admin who could tell them
/// apart could scan the network that Louver stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Not allowed, not found, not there, not trusted, not in time.
    Unreachable,
    /// It answered with another status than 2xx.
    Answered(u16),
    /// It answered 410: it wants no more.
    Gone,
    /// The mail server did not take it.
    Mail,
    /// There is no mail server in the settings.
    NoMailServer,
    /// The channel is disabled.
    Disabled,
    /// The owner of the key has left.
    OwnerLeft,
    /// What is stored of the channel cannot be read.
    Unreadable,
}

impl Failure {
    const fn outcome(self) -> Outcome {
        match self {
            Self::Gone | Self::Disabled | Self::OwnerLeft => Outcome::Never,
            Self::Unreachable | Self::Answered(_) | Self::Mail | Self::NoMailServer | Self::Unreadable => {
                Outcome::NotNow
            }
        }
    }

    fn sentence(self) -> String {
        match self {
            Self::Unreachable => "the receiver could not be reached".into(),
            Self::Answered(status) => format!("the receiver answered with status {status}"),
            Self::Gone => "the receiver answered with status 410; the channel was disabled".into(),
            Self::Mail => "the mail server did not take it".into(),
            Self::NoMailServer => "no mail server is set".into(),
            Self::Disabled => "the channel is disabled".into(),
            Self::OwnerLeft => "the owner of the key has left".into(),
            Self::Unreadable => "the address cannot be read: set it again".into(),
        }
    }
}

/// Delivers until `stop`; then the attempts that run come to their end.
pub async fn run(control: Arc<Control>, mut stop: watch::Receiver<bool>) {
    let mut running = JoinSet::new();
    loop {
        if let Err(error) = start_due(&control, &mut running).await {
            tracing::error!(%error, "the outbox could not be read");
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = running.join_next() => {}
            () = control.outbound.wake.notified() => {}
            () = tokio::time::sleep(POLL) => {}
        }
        while running.try_join_next().is_some() {}
    }
    while running.join_next().await.is_some() {}
}

/// Tries everything that is due now, waits for it, and answers how many deliveries that were.
pub async fn deliver_due(control: &Arc<Control>) -> Result<usize, StoreError> {
    let mut running = JoinSet::new();
    let mut tried = 0usize;
    loop {
        let started = start_due(control, &mut running).await?;
        while running.join_next().await.is_some() {}
        if started == 0 {
            return Ok(tried);
        }
        tried = tried.saturating_add(started);
    }
}

async fn start_due(control: &Arc<Control>, running: &mut JoinSet<()>) -> Result<usize, StoreError> {
    let free = MOST_AT_ONCE.saturating_sub(running.len());
    if free == 0 {
        return Ok(0);
    }
    let claimed = store::claim(&control.store, control.clock.now(), free).await?;
    let started = claimed.len();
    for claimed in claimed {
        let control = Arc::clone(control);
        running.spawn(async move { attempt(&control, &claimed).await });
    }
    let free = free.saturating_sub(started);
    Ok(started.saturating_add(invitations::start_due(control, running, free).await?))
}

async fn attempt(control: &Control, claimed: &Claimed) {
    let sent = tokio::time::timeout(control.outbound.attempt, send(control, claimed)).await;
    let failure = sent.unwrap_or(Err(Failure::Unreachable)).err();
    let outcome = failure.map_or(Outcome::Taken, Failure::outcome);
    let mut jitter = [0];
    control.entropy.fill(&mut jitter);
    let [jitter] = jitter;
    let next = after(claimed.attempt, claimed.alert.raised_at, outcome, control.clock.now(), jitter);
    let (alert, receiver) = (claimed.alert.id, claimed.receiver);
    if next.state == DeliveryState::Failed {
        tracing::warn!(%alert, ?receiver, attempts = claimed.attempt, ?failure, "an alert was given up");
    }
    let sentence = failure.map(Failure::sentence);
    if let Err(error) = store::finish(&control.store, claimed, next, sentence.as_deref()).await {
        tracing::error!(%alert, ?receiver, %error, "an alert may be sent again: its delivery was not written down");
    }
    if let (Some(Failure::Gone), Some(channel)) = (failure, receiver.channel()) {
        let context = Context::system(claimed.alert.organization_id, control.clock.now());
        if let Err(error) = alert_channels::disable(control, &context, channel).await {
            tracing::error!(%channel, %error, "a channel that wants no more could not be disabled");
        }
    }
}

async fn send(control: &Control, claimed: &Claimed) -> Result<(), Failure> {
    match claimed.receiver {
        Receiver::Channel(id) => send_to_channel(control, &claimed.alert, id).await,
        Receiver::Owner(id) => send_to_owner(control, &claimed.alert, id).await,
    }
}

async fn send_to_owner(control: &Control, alert: &Alert, id: UserId) -> Result<(), Failure> {
    let mailer = control.outbound.mailer.as_ref().ok_or(Failure::NoMailServer)?;
    let user = users::get(&control.store, alert.organization_id, id).await;
    let Ok(user) = user else { return Err(Failure::Unreadable) };
    let user = user.filter(|user| user.removed_at.is_none()).ok_or(Failure::OwnerLeft)?;
    mailer.send_to_owner(alert, &user, control.clock.now()).await
}

async fn send_to_channel(control: &Control, alert: &Alert, id: AlertChannelId) -> Result<(), Failure> {
    let channel = channels::get(&control.store, alert.organization_id, id).await;
    let Ok(channel) = channel else { return Err(Failure::Unreadable) };
    // A channel may be tried out before it is enabled.
    let channel = channel.filter(|channel| channel.enabled || alert.kind == AlertKind::Test);
    let channel = channel.ok_or(Failure::Disabled)?;
    match channel.kind {
        ChannelKind::Webhook | ChannelKind::Slack => {
            let target = Target::open(&control.master, &channel).ok_or(Failure::Unreadable)?;
            let message = webhook::Outgoing::of(alert, &channel, &target, control.clock.now());
            let message = message.ok_or(Failure::Unreadable)?;
            webhook::post(&control.outbound, &target, message).await
        }
        ChannelKind::Email => {
            let mailer = control.outbound.mailer.as_ref().ok_or(Failure::NoMailServer)?;
            mailer.send(alert, &channel, control.clock.now()).await
        }
    }
}
