//! Who calls: the bearer key is looked up in the snapshot, before anything else of the request is read.

use crate::pipeline::{Gateway, Visitor};
use crate::snapshot::{KeyEntry, SecretEntry, Snapshot};
use http::{HeaderMap, header};
use louver_domain::keys::{KeyKind, read_public_id, same_fingerprint};
use louver_domain::time::Timestamp;
use louver_domain::trials;
use std::sync::Arc;

/// A caller whose key was accepted, with the rules that hold for it.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) key: Arc<KeyEntry>,
    /// The one of the key's secrets that the call came with.
    pub(crate) secret: Arc<SecretEntry>,
}

/// The credential is missing, doubled, malformed, unknown, wrong, expired, revoked or disabled: one answer for all.
#[derive(Debug)]
pub(crate) struct Unauthorized;

/// Authenticates a request by its headers.
pub(crate) fn authenticate(
    gateway: &Gateway,
    headers: &HeaderMap,
    visitor: &Visitor,
) -> Result<Caller, Unauthorized> {
    let secret = bearer(headers).ok_or(Unauthorized)?;
    let public_id = read_public_id(KeyKind::Api, secret).ok_or(Unauthorized)?;
    let snapshot = gateway.snapshot();
    let fingerprint = gateway.pepper().fingerprint(secret);
    let Some((key, known)) = snapshot.find_key(public_id) else {
        // The same work for an unknown id as for a wrong secret.
        std::hint::black_box(same_fingerprint(&fingerprint, &[0; 32]));
        return Err(Unauthorized);
    };
    let (key, known) = (Arc::clone(key), Arc::clone(known));
    let same = same_fingerprint(&fingerprint, &known.fingerprint);
    if !same || !key.is_accepted(visitor.now) || !known.is_accepted(visitor.now) {
        return Err(Unauthorized);
    }
    let tried = headers.get(trials::HEADER).and_then(|mark| mark.to_str().ok());
    let tried = tried.and_then(|mark| trials::read(gateway.pepper(), secret, mark, visitor.now));
    // Whoever repeats the mark of a try uses the key.
    if !tried.is_some_and(|at| known.last_used.is_first_try(at)) {
        known.last_used.note(visitor.now, visitor.address, headers);
    }
    if key.canary {
        gateway.note_bait(key.organization_id, key.id, visitor.address);
        return Err(Unauthorized);
    }
    Ok(Caller { snapshot, key, secret: known })
}

/// The caller as the rules have it now, if its key is still accepted with the secret that it came with: for what goes on
/// for long.
pub(crate) fn again(gateway: &Gateway, caller: &Caller, now: Timestamp) -> Result<Caller, Unauthorized> {
    let snapshot = gateway.snapshot();
    let (key, secret) = snapshot.find_key(caller.secret.public_id).ok_or(Unauthorized)?;
    let (key, secret) = (Arc::clone(key), Arc::clone(secret));
    let same = key.id == caller.key.id && secret.fingerprint == caller.secret.fingerprint;
    let accepted = same && key.is_accepted(now) && secret.is_accepted(now);
    if accepted { Ok(Caller { snapshot, key, secret }) } else { Err(Unauthorized) }
}

/// The token of the one and only credential: `Authorization: Bearer <token>`, one space, nothing beside it.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (only, second) = (values.next()?, values.next());
    if second.is_some()
        || headers.contains_key("x-api-key")
        || headers.contains_key(header::PROXY_AUTHORIZATION)
    {
        return None;
    }
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn exactly_one_bearer_credential_is_read() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in pairs {
                map.append(*name, HeaderValue::from_static(value));
            }
            map
        };
        let read = |pairs: &[(&'static str, &'static str)]| bearer(&headers(pairs)).map(str::to_owned);
        assert_eq!(read(&[("authorization", "Bearer k")]).as_deref(), Some("k"));
        assert_eq!(read(&[("authorization", "bEARER k")]).as_deref(), Some("k"));
        assert_eq!(read(&[("authorization", "Bearer  k")]).as_deref(), Some(" k"), "which is no key");
        for bad in [
            vec![],
            vec![("authorization", "Bearer")],
            vec![("authorization", "Basic k")],
            vec![("x-api-key", "k")],
            vec![("authorization", "Bearer k"), ("authorization", "Bearer k")],
            vec![("authorization", "Bearer k"), ("x-api-key", "k")],
        ] {
            assert_eq!(read(&bad), None, "{bad:?}");
        }
    }
}
