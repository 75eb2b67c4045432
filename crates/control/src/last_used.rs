//! When each secret of an admin key was last used, from where and by whom: noted by every request, written down soon.

use crate::Control;
use http::HeaderMap;
use http::header::USER_AGENT;
use louver_domain::id::AdminKeyId;
use louver_domain::keys::PublicId;
use louver_domain::old_secrets::{LastUse, client_text};
use louver_domain::time::Timestamp;
use louver_domain::trials;
use louver_store::old_secrets::{self, Of, Use};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// What was noted on this node and is not written down yet.
#[derive(Default)]
pub struct LastUsed {
    seen: Mutex<HashMap<PublicId, (AdminKeyId, LastUse)>>,
    tried: Mutex<HashMap<PublicId, Timestamp>>,
}

impl LastUsed {
    /// Notes a use of a secret.
    pub(crate) fn note(
        &self,
        (key, secret): (AdminKeyId, PublicId),
        at: Timestamp,
        address: Option<IpAddr>,
        headers: &HeaderMap,
    ) {
        let client = headers.get(USER_AGENT).map(|name| client_text(name.as_bytes()));
        let last = LastUse { at, address: address.map(|address| address.to_string()), client };
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(secret, (key, last));
    }

    /// Whether a try of a secret that was marked at that time is a new one here: a mark is good once.
    pub(crate) fn is_first_try(&self, secret: PublicId, marked_at: Timestamp, now: Timestamp) -> bool {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        // Older marks are good no more, whoever brings them; and clocks differ.
        let oldest = now.plus_seconds(trials::LONGEST_SECONDS.saturating_mul(-2));
        tried.retain(|_, at| *at >= oldest);
        let is_first = tried.get(&secret).is_none_or(|known| *known < marked_at);
        if is_first {
            tried.insert(secret, marked_at);
        }
        is_first
    }

    fn take(&self) -> Vec<Use> {
        let seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        let each = |(public_id, (key, last))| Use { key: Of::Admin(key), public_id, last };
        seen.into_iter().map(each).collect()
    }
}

/// Writes down what was noted. What cannot be written is lost: the next use tells the same.
pub(crate) async fn write(control: &Control) {
    let used = control.last_used.take();
    if let Err(error) = old_secrets::save_last_used(&control.store, &used).await {
        tracing::error!(%error, secrets = used.len(), "the last uses of admin keys could not be written");
    }
}
