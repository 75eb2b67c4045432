//! When each secret was last used, from where and by whom: noted by every call, written down now and then.

use http::HeaderMap;
use http::header::USER_AGENT;
use louver_domain::keys::PublicId;
use louver_domain::old_secrets::{LastUse, client_characters, client_text};
use louver_domain::time::Timestamp;
use louver_store::old_secrets::{Of, Use};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Who used a secret is looked at once in so many microseconds; when, at each call.
const SAMPLE_MICROS: i64 = 1_000_000;

/// The last use of one secret on this node.
#[derive(Default)]
pub(crate) struct Cell {
    at: AtomicI64,
    sampled: AtomicI64,
    tried: AtomicI64,
    from: Mutex<Option<From>>,
}

#[derive(Clone)]
struct From {
    address: IpAddr,
    client: Option<String>,
}

impl From {
    fn of(address: IpAddr, client: Option<&[u8]>) -> Self {
        Self { address, client: client.map(client_text) }
    }

    fn is(&self, address: IpAddr, client: Option<&[u8]>) -> bool {
        let same_client = match (&self.client, client) {
            (Some(known), Some(raw)) => known.chars().eq(client_characters(raw)),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        same_client && self.address == address
    }
}

impl Cell {
    /// Notes a use: mostly one store and one load; once in a second the client is compared, and only another one is kept
    /// anew. Whoever meets the lock goes on without.
    pub(crate) fn note(&self, now: Timestamp, address: IpAddr, headers: &HeaderMap) {
        let micros = now.micros();
        self.at.store(micros, Ordering::Relaxed);
        let since = micros.saturating_sub(self.sampled.load(Ordering::Relaxed));
        if (0..SAMPLE_MICROS).contains(&since) {
            return;
        }
        let Ok(mut from) = self.from.try_lock() else { return };
        self.sampled.store(micros, Ordering::Relaxed);
        let client = headers.get(USER_AGENT).map(http::HeaderValue::as_bytes);
        if !from.as_ref().is_some_and(|known| known.is(address, client)) {
            *from = Some(From::of(address, client));
        }
    }

    /// Whether a try of the secret that was marked at that time is a new one here: a mark is good once.
    pub(crate) fn is_first_try(&self, marked_at: Timestamp) -> bool {
        self.tried.fetch_max(marked_at.micros(), Ordering::Relaxed) < marked_at.micros()
    }

    fn take(&self, key: Of, public_id: PublicId) -> Option<Use> {
        let micros = self.at.swap(0, Ordering::Relaxed);
        let at = (micros > 0).then(|| Timestamp::from_micros(micros))?;
        let from = self.from.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let address = from.as_ref().map(|from| from.address.to_string());
        let client = from.and_then(|from| from.client);
        Some(Use { key, public_id, last: LastUse { at, address, client } })
    }
}

/// The cells of all secrets that the rules know, which live on from one snapshot to the next.
#[derive(Default)]
pub(crate) struct LastUsed {
    cells: Mutex<HashMap<PublicId, (Of, Arc<Cell>)>>,
}

impl LastUsed {
    pub(crate) fn cell(&self, key: Of, public_id: PublicId) -> Arc<Cell> {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&cells.entry(public_id).or_insert_with(|| (key, Arc::default())).1)
    }

    /// The secrets that were used since the last time this was asked. Cells that no snapshot has any more are let go.
    pub(crate) fn take(&self) -> Vec<Use> {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        let used = cells.iter().filter_map(|(id, (key, cell))| cell.take(*key, *id)).collect();
        cells.retain(|_, (_, cell)| Arc::strong_count(cell) > 1);
        used
    }

    /// Puts times back that could not be written; from where and by whom is still there, unless somebody came since.
    pub(crate) fn put_back(&self, used: &[Use]) {
        for one in used {
            let cell = self.cell(one.key, one.public_id);
            cell.at.fetch_max(one.last.at.micros(), Ordering::Relaxed);
            let mut from = cell.from.lock().unwrap_or_else(PoisonError::into_inner);
            let address = one.last.address.as_deref().and_then(|text| text.parse().ok());
            if let (None, Some(address)) = (&*from, address) {
                *from = Some(From { address, client: one.last.client.clone() });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use louver_domain::id::KeyId;

    fn headers(client: Option<&'static str>) -> HeaderMap {
        let mut map = HeaderMap::new();
        if let Some(client) = client {
            map.insert(USER_AGENT, http::HeaderValue::from_static(client));
        }
        map
    }

    fn shown(used: &[Use]) -> Vec<(i64, Option<&str>, Option<&str>)> {
        used.iter()
            .map(|one| (one.last.at.micros(), one.last.address.as_deref(), one.last.client.as_deref()))
            .collect()
    }

    #[test]
    fn uses_are_noted_with_the_client_of_about_then_and_taken_once() {
        let all = LastUsed::default();
        let (of, id) = (Of::Api(KeyId::from_bytes([1; 16])), PublicId::parse("abcdefABCDEF").unwrap());
        let cell = all.cell(of, id);
        let (one, two) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let at = |micros: i64| Timestamp::from_micros(10_000_000 + micros);
        cell.note(at(0), one, &headers(Some("curl/8")));
        // Within a second nobody looks who it was.
        cell.note(at(999_999), two, &headers(None));
        assert_eq!(shown(&all.take()), [(10_999_999, Some("192.0.2.1"), Some("curl/8"))]);
        assert!(all.take().is_empty(), "nothing new");
        cell.note(at(1_000_000), two, &headers(None));
        let used = all.take();
        assert_eq!(shown(&used), [(11_000_000, Some("192.0.2.2"), None)]);
        // A clock that goes back is no reason not to look.
        cell.note(at(-5), one, &headers(Some("x")));
        all.put_back(&used);
        assert_eq!(shown(&all.take()), [(11_000_000, Some("192.0.2.1"), Some("x"))]);
        // What no snapshot knows is forgotten, once it is written.
        drop(cell);
        assert!(all.take().is_empty() && all.cells.lock().unwrap().is_empty());
        all.put_back(&used);
        assert_eq!(shown(&all.take()), [(11_000_000, Some("192.0.2.2"), None)]);
    }

    #[test]
    fn the_mark_of_a_try_is_good_once() {
        let (cell, at) = (Cell::default(), Timestamp::from_micros);
        assert!(cell.is_first_try(at(5)) && !cell.is_first_try(at(5)) && !cell.is_first_try(at(4)));
        assert!(cell.is_first_try(at(6)));
    }

    #[test]
    fn the_same_client_is_recognised_whatever_it_calls_itself() {
        let address = "192.0.2.1".parse().unwrap();
        let long = "a".repeat(900);
        for name in [&b"curl/8.5"[..], b"", b"\xff\x01 odd", long.as_bytes()] {
            assert!(From::of(address, Some(name)).is(address, Some(name)));
            assert!(!From::of(address, Some(name)).is(address, None));
        }
    }
}
