//! Upstream credentials in use: which one a call takes, which one rests, and which is not used at all for now.

use http::HeaderValue;
use louver_domain::health::{Health, Leave, Policy, Sign, Standing};
use louver_domain::id::UpstreamId;
use louver_domain::keys::Fingerprint;
use louver_domain::time::Timestamp;
use louver_store::upstream_rotations::UpstreamUse;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The place of the first server in the settings: where all goes for which nothing else is said.
pub(crate) const FIRST_SERVER: usize = 0;

/// One credential for one server, shared by all calls of this node. It outlives the snapshots of the rules.
pub(crate) struct Credential {
    /// The stored credential; `None` is the one from the settings.
    pub(crate) id: Option<UpstreamId>,
    /// The place of its server in the settings.
    pub(crate) server: usize,
    /// The whole `Authorization` value, marked sensitive; a server may want none.
    pub(crate) authorization: Option<HeaderValue>,
    /// Which key it is, where it is stored.
    fingerprint: Option<Fingerprint>,
    in_flight: AtomicUsize,
    /// Whether a call has begun or ended with it since the last time that was asked.
    used: AtomicBool,
    policy: Policy,
    health: Mutex<Health>,
    /// Whether `health` must be looked at: on most calls it need not be.
    troubled: AtomicBool,
}

impl Credential {
    pub(crate) fn new(
        id: Option<UpstreamId>,
        server: usize,
        mut authorization: Option<HeaderValue>,
        policy: Policy,
    ) -> Self {
        if let Some(value) = &mut authorization {
            value.set_sensitive(true);
        }
        Self {
            id,
            server,
            authorization,
            fingerprint: None,
            in_flight: AtomicUsize::new(0),
            used: AtomicBool::new(false),
            policy,
            health: Mutex::default(),
            troubled: AtomicBool::new(false),
        }
    }

    /// The same, known by the fingerprint of its key.
    pub(crate) fn known_by(self, fingerprint: Fingerprint) -> Self {
        Self { fingerprint: Some(fingerprint), ..self }
    }

    /// Whether a call is under way with it, or was since the last time that this was asked.
    fn take_use(&self, now: Timestamp) -> Option<UpstreamUse> {
        let used = self.used.swap(false, Ordering::Relaxed) || self.in_flight.load(Ordering::Relaxed) > 0;
        let (upstream, fingerprint) = self.id.zip(self.fingerprint)?;
        used.then_some(UpstreamUse { upstream, fingerprint, at: now })
    }

    fn begin(self: &Arc<Self>) -> InUse {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.used.store(true, Ordering::Relaxed);
        InUse(Arc::clone(self))
    }

    /// The key itself, as it must appear nowhere.
    pub(crate) fn secret(&self) -> Option<&[u8]> {
        self.authorization.as_ref()?.as_bytes().strip_prefix(b"Bearer ")
    }

    /// Upstream answered a call with it, or did not. `lot` draws a random number.
    pub(crate) fn note(&self, sign: Sign, now_micros: i64, lot: impl FnOnce() -> u64) {
        if sign == Sign::Well && !self.troubled.load(Ordering::Relaxed) {
            return;
        }
        let mut health = self.health();
        health.note(&self.policy, sign, now_micros, lot());
        self.troubled.store(!health.is_clean(now_micros), Ordering::Relaxed);
    }

    /// How it stands at `now` and `now_micros`, the same moment on two clocks.
    pub(crate) fn standing(&self, now: Timestamp, now_micros: i64) -> Standing {
        let (state, resting_until, last_error) = self.health().shown(now_micros);
        let at = |micros: i64| {
            Timestamp::from_micros(now.micros().saturating_add(micros.saturating_sub(now_micros)))
        };
        Standing {
            state,
            resting_until: resting_until.map(at),
            last_error_at: last_error.map(at),
            in_flight: u64::try_from(self.in_flight.load(Ordering::Relaxed)).unwrap_or(u64::MAX),
        }
    }

    fn leave(&self, now_micros: i64) -> Leave {
        if !self.troubled.load(Ordering::Relaxed) {
            return Leave::Free;
        }
        self.health().leave(&self.policy, now_micros)
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes it, unless its circuit lets nothing through any more.
    fn take(self: &Arc<Self>, now_micros: i64) -> Option<InUse> {
        if self.troubled.load(Ordering::Relaxed) {
            let mut health = self.health();
            if matches!(health.leave(&self.policy, now_micros), Leave::Never { .. }) {
                return None;
            }
            health.take(now_micros);
        }
        Some(self.begin())
    }
}

/// A credential while a call uses it.
pub(crate) struct InUse(Arc<Credential>);

impl InUse {
    pub(crate) const fn credential(&self) -> &Arc<Credential> {
        &self.0
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let Self(credential) = self;
        credential.used.store(true, Ordering::Relaxed);
        // A trial that was never sent, or whose end nobody saw, leaves its place to the next call.
        if credential.in_flight.fetch_sub(1, Ordering::Relaxed) == 1
            && credential.troubled.load(Ordering::Relaxed)
        {
            credential.health().untake();
        }
    }
}

/// Why there is no credential for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// None is set up.
    None,
    /// Nothing is sent with any of them before then (monotonic microseconds).
    Closed { until_micros: i64 },
}

/// What a call can take.
pub(crate) struct Choice<'a> {
    /// The key's credentials.
    pub(crate) credentials: &'a [Arc<Credential>],
    /// The servers that may serve it.
    pub(crate) servers: &'a [usize],
    /// What was tried before; it is taken again only when `again` says so and nothing else is left.
    pub(crate) tried: &'a [Arc<Credential>],
    pub(crate) again: bool,
}

impl Choice<'_> {
    /// Takes the credential with the least calls in flight among those that do not rest; when all rest, among all: it is
    /// upstream's to refuse then. One whose circuit is open is not taken.
    pub(crate) fn take(&self, now_micros: i64) -> Result<InUse, Missing> {
        let mut until = None;
        let mut best = None;
        for credential in self.credentials.iter().filter(|c| self.servers.contains(&c.server)) {
            let was_tried = self.tried.iter().any(|other| Arc::ptr_eq(other, credential));
            if was_tried && !self.again {
                continue;
            }
            let rests = match credential.leave(now_micros) {
                Leave::Free => false,
                Leave::Rests => true,
                Leave::Never { until_micros } => {
                    until = Some(until.map_or(until_micros, |until: i64| until.min(until_micros)));
                    continue;
                }
            };
            let rank = (was_tried, rests, credential.in_flight.load(Ordering::Relaxed));
            if best.is_none_or(|(least, _)| rank < least) {
                best = Some((rank, credential));
            }
        }
        let closed = Missing::Closed { until_micros: until.unwrap_or(now_micros) };
        match best {
            Some((_, chosen)) => chosen.take(now_micros).ok_or(closed),
            None => Err(if until.is_some() { closed } else { Missing::None }),
        }
    }
}

/// Takes a credential of the first server.
pub(crate) fn choose(credentials: &[Arc<Credential>], now_micros: i64) -> Result<InUse, Missing> {
    Choice { credentials, servers: &[FIRST_SERVER], tried: &[], again: false }.take(now_micros)
}

/// Takes the credential of that id, whether it rests or not: what was made with it is found with no other. Without an id
/// it is the first server's from the settings.
pub(crate) fn exactly(credentials: &[Arc<Credential>], id: Option<UpstreamId>) -> Option<InUse> {
    again(credentials, (id, FIRST_SERVER))
}

/// Takes the one that was used before, with that id for that server, whether it rests or not.
pub(crate) fn again(
    credentials: &[Arc<Credential>],
    (id, server): (Option<UpstreamId>, usize),
) -> Option<InUse> {
    let is = |c: &&Arc<Credential>| c.id == id && (id.is_some() || c.server == server);
    let chosen = credentials.iter().find(is)?;
    Some(chosen.begin())
}

/// The credentials known so far, so that a new snapshot finds the same ones again.
#[derive(Default)]
pub(crate) struct Known(Mutex<Held>);

#[derive(Default)]
struct Held {
    now: HashMap<UpstreamId, Opened>,
    /// Those whose keys were replaced, while calls may still have them, and until their last use was told.
    before: Vec<Arc<Credential>>,
}

/// A sealed key, and the credential that it opened to.
type Opened = (Vec<u8>, Arc<Credential>);

impl Known {
    /// The credential of that id and sealed key; `open` makes it when it is new or its key has changed.
    pub(crate) fn get<E>(
        &self,
        id: UpstreamId,
        sealed: &[u8],
        open: impl FnOnce() -> Result<Credential, E>,
    ) -> Result<Arc<Credential>, E> {
        let mut known = self.lock();
        if let Some((_, credential)) = known.now.get(&id).filter(|(seen, _)| seen == sealed) {
            return Ok(Arc::clone(credential));
        }
        let credential = Arc::new(open()?);
        let replaced = known.now.insert(id, (sealed.to_vec(), Arc::clone(&credential)));
        known.before.extend(replaced.map(|(_, before)| before));
        Ok(credential)
    }

    /// The keys that were used since the last time this was asked.
    pub(crate) fn take_uses(&self, now: Timestamp) -> Vec<UpstreamUse> {
        let mut known = self.lock();
        // Whoever lets go of one while we look has noted its use before, or is counted still.
        let left: Vec<Arc<Credential>> = std::mem::take(&mut known.before);
        known.before = left.iter().filter(|one| Arc::strong_count(one) > 1).cloned().collect();
        let now_in_use = known.now.values().map(|(_, credential)| credential);
        left.iter().chain(now_in_use).filter_map(|credential| credential.take_use(now)).collect()
    }

    /// Puts back what could not be written: what is used still is told with the next.
    pub(crate) fn put_back_uses(&self, uses: &[UpstreamUse]) {
        let known = self.lock();
        let all = known.now.values().map(|(_, credential)| credential).chain(&known.before);
        for credential in all {
            let is = |one: &&UpstreamUse| credential.fingerprint == Some(one.fingerprint);
            if uses.iter().any(|one| is(&one) && credential.id == Some(one.upstream)) {
                credential.used.store(true, Ordering::Relaxed);
            }
        }
    }

    /// The credential of that id.
    pub(crate) fn of(&self, id: UpstreamId) -> Option<Arc<Credential>> {
        self.lock().now.get(&id).map(|(_, credential)| Arc::clone(credential))
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;
    const FAILED: Sign = Sign::Failed { retry_after_micros: None };

    const POLICY: Policy = Policy {
        rest_micros: 4 * SECOND,
        longest_rest_micros: 60 * SECOND,
        failures: 3,
        window_micros: 30 * SECOND,
        trial_micros: 60 * SECOND,
    };

    fn credential(server: usize) -> Arc<Credential> {
        let value = HeaderValue::from_static("Bearer secret-key");
        Arc::new(Credential::new(None, server, Some(value), POLICY))
    }

    fn take(pool: &[Arc<Credential>], now: i64) -> Result<Arc<Credential>, Missing> {
        choose(pool, now).map(|in_use| Arc::clone(in_use.credential()))
    }

    #[test]
    fn the_least_busy_that_does_not_rest_is_taken() {
        let pool = vec![credential(0), credential(0)];
        let first = choose(&pool, 0).unwrap();
        let second = choose(&pool, 0).unwrap();
        assert!(!Arc::ptr_eq(first.credential(), second.credential()), "calls spread");
        first.credential().note(FAILED, 0, || 0);
        let resting = Arc::clone(first.credential());
        drop(first);
        assert!(Arc::ptr_eq(&take(&pool, 1).unwrap(), second.credential()), "the resting one is passed over");
        second.credential().note(FAILED, 0, || 0);
        assert!(take(&pool, 1).is_ok(), "all rest: upstream decides");
        assert!(take(&pool, 10 * SECOND).is_ok());
        assert_eq!(take(&[], 0).err(), Some(Missing::None));
        assert_eq!(resting.secret(), Some(b"secret-key".as_slice()));
    }

    #[test]
    fn a_replaced_key_is_told_of_while_a_call_has_it_and_once_more() {
        let known = Known::default();
        let id = UpstreamId::from_bytes([1; 16]);
        let key = |byte: u8| {
            let open = || Ok::<_, ()>(Credential::new(Some(id), 0, None, POLICY).known_by([byte; 32]));
            known.get(id, &[byte], open).unwrap()
        };
        let told = |at: i64| -> Vec<(u8, i64)> {
            let uses = known.take_uses(Timestamp::from_micros(at));
            uses.iter().map(|one| (one.fingerprint[0], one.at.micros())).collect()
        };
        let old = key(1);
        assert!(told(1).is_empty(), "nobody called");
        let call = old.take(0).unwrap();
        drop(old);
        assert_eq!(told(2), [(1, 2)]);
        let new = key(2);
        drop(new.take(0).unwrap());
        assert_eq!(told(3), [(1, 3), (2, 3)]);
        drop(call);
        let uses = known.take_uses(Timestamp::from_micros(4));
        assert_eq!(uses.len(), 1, "the call has ended since");
        known.put_back_uses(&uses);
        assert!(told(5).is_empty(), "what nobody has any more is forgotten");
        drop(new.take(0).unwrap());
        let uses = known.take_uses(Timestamp::from_micros(6));
        known.put_back_uses(&uses);
        assert_eq!(told(7), [(2, 7)]);
    }

    #[test]
    fn an_open_circuit_is_not_taken_and_one_trial_is() {
        let pool = vec![credential(0)];
        (0..3).for_each(|_| pool[0].note(FAILED, 0, || 0));
        let Err(Missing::Closed { until_micros }) = take(&pool, 0) else { panic!("open") };
        let trial = choose(&pool, until_micros).unwrap();
        assert!(matches!(take(&pool, until_micros), Err(Missing::Closed { .. })), "one at a time");
        drop(trial);
        let trial = choose(&pool, until_micros).expect("the one before was never sent");
        trial.credential().note(Sign::Well, until_micros, || 0);
        assert!(take(&pool, until_micros).is_ok());
    }

    #[test]
    fn a_call_takes_a_credential_of_its_servers_and_not_one_that_failed_it() {
        let pool = vec![credential(0), credential(1), credential(1)];
        let choice = |tried, again| Choice { credentials: &pool, servers: &[1], tried, again };
        let first = choice(&[], false).take(0).unwrap();
        assert_eq!(first.credential().server, 1);
        let tried = vec![Arc::clone(first.credential())];
        drop(first);
        let second = choice(&tried, false).take(0).unwrap();
        assert!(!Arc::ptr_eq(second.credential(), &tried[0]));
        let tried = vec![Arc::clone(&tried[0]), Arc::clone(second.credential())];
        drop(second);
        assert_eq!(choice(&tried, false).take(0).err(), Some(Missing::None));
        assert!(choice(&tried, true).take(0).is_ok());
    }
}
