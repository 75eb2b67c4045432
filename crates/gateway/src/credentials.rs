//! Upstream credentials in use: which one a call takes, and which one rests.

use http::HeaderValue;
use louver_domain::id::UpstreamId;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// One credential, shared by all calls of this node. It outlives the snapshots of the rules.
pub(crate) struct Credential {
    /// The stored credential; `None` is the one from the settings.
    pub(crate) id: Option<UpstreamId>,
    /// The whole `Authorization` value, marked sensitive.
    pub(crate) authorization: HeaderValue,
    in_flight: AtomicUsize,
    resting_until_micros: AtomicI64,
}

impl Credential {
    pub(crate) fn new(id: Option<UpstreamId>, mut authorization: HeaderValue) -> Self {
        authorization.set_sensitive(true);
        Self {
            id,
            authorization,
            in_flight: AtomicUsize::new(0),
            resting_until_micros: AtomicI64::new(i64::MIN),
        }
    }

    /// Sets the credential aside until then (monotonic microseconds).
    pub(crate) fn rest_until(&self, micros: i64) {
        self.resting_until_micros.fetch_max(micros, Ordering::Relaxed);
    }
}

/// A credential while a call uses it.
pub(crate) struct InUse(Arc<Credential>);

impl InUse {
    pub(crate) fn credential(&self) -> &Credential {
        &self.0
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Takes the credential with the least calls in flight among those that do not rest; when all rest, among all: it is
/// upstream's to refuse then.
pub(crate) fn choose(credentials: &[Arc<Credential>], now_micros: i64) -> Option<InUse> {
    let key = |credential: &&Arc<Credential>| {
        let rests = credential.resting_until_micros.load(Ordering::Relaxed) > now_micros;
        (rests, credential.in_flight.load(Ordering::Relaxed))
    };
    let chosen = match credentials {
        [only] => only,
        many => many.iter().min_by_key(key)?,
    };
    chosen.in_flight.fetch_add(1, Ordering::Relaxed);
    Some(InUse(Arc::clone(chosen)))
}

/// Takes the credential of that id, whether it rests or not: what was made with it is found with no other.
pub(crate) fn exactly(credentials: &[Arc<Credential>], id: Option<UpstreamId>) -> Option<InUse> {
    let chosen = credentials.iter().find(|credential| credential.id == id)?;
    chosen.in_flight.fetch_add(1, Ordering::Relaxed);
    Some(InUse(Arc::clone(chosen)))
}

/// The credentials known so far, so that a new snapshot finds the same ones again.
#[derive(Default)]
pub(crate) struct Known(Mutex<HashMap<UpstreamId, Opened>>);

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
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, credential)) = known.get(&id).filter(|(seen, _)| seen == sealed) {
            return Ok(Arc::clone(credential));
        }
        let credential = Arc::new(open()?);
        known.insert(id, (sealed.to_vec(), Arc::clone(&credential)));
        Ok(credential)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_busy_that_does_not_rest_is_taken() {
        let credential = || Arc::new(Credential::new(None, HeaderValue::from_static("Bearer x")));
        let pool = vec![credential(), credential()];
        let first = choose(&pool, 0).unwrap();
        let second = choose(&pool, 0).unwrap();
        assert!(!Arc::ptr_eq(&first.0, &second.0), "calls spread");
        first.credential().rest_until(100);
        drop(first);
        assert!(Arc::ptr_eq(&choose(&pool, 50).unwrap().0, &second.0), "the resting one is passed over");
        second.credential().rest_until(100);
        assert!(choose(&pool, 50).is_some(), "all rest: upstream decides");
        assert!(choose(&pool, 100).is_some());
        assert!(choose(&[], 0).is_none());
    }
}
