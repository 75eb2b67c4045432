//! Takes our own upstream key out of what upstream says when it refuses, wherever it repeats it.

use crate::credentials::Credential;
use bytes::Bytes;
use memchr::memmem;

/// What stands in a key's place.
const MASK: &[u8] = b"[redacted]";

/// The same bytes without the credential's key, as it is and as JSON may write it.
pub(crate) fn redact(bytes: Bytes, credential: &Credential) -> Bytes {
    let Some(key) = credential.secret().filter(|key| !key.is_empty()) else { return bytes };
    let plain = replace(bytes, key);
    let escaped = escape(key);
    if escaped == key { plain } else { replace(plain, &escaped) }
}

/// As JSON strings escape it: visible ASCII has three characters that may be.
fn escape(key: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(key.len());
    for byte in key {
        if b"\"\\/".contains(byte) {
            escaped.push(b'\\');
        }
        escaped.push(*byte);
    }
    escaped
}

fn replace(bytes: Bytes, key: &[u8]) -> Bytes {
    let mut found = memmem::find_iter(&bytes, key).peekable();
    if found.peek().is_none() {
        return bytes;
    }
    let mut clean = Vec::with_capacity(bytes.len());
    let mut from = 0;
    for at in found {
        clean.extend_from_slice(bytes.get(from..at).unwrap_or_default());
        clean.extend_from_slice(MASK);
        from = at.saturating_add(key.len());
    }
    clean.extend_from_slice(bytes.get(from..).unwrap_or_default());
    tracing::error!("ALARM: upstream repeated Louver's credential in an answer; it was taken out");
    clean.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use louver_domain::health::Policy;

    fn redacted(key: Option<&'static str>, text: &'static str) -> String {
        let policy =
            Policy { rest_micros: 0, longest_rest_micros: 0, failures: 0, window_micros: 0, trial_micros: 0 };
        let credential = Credential::new(None, 0, key.map(HeaderValue::from_static), policy);
        String::from_utf8(redact(Bytes::from_static(text.as_bytes()), &credential).to_vec()).unwrap()
    }

    #[test]
    fn a_key_is_taken_out_wherever_it_stands() {
        let key = Some("Bearer sk/one\"two");
        for (text, clean) in [
            ("nothing here", "nothing here"),
            ("sk/one\"two", "[redacted]"),
            ("a sk/one\"two b sk/one\"twosk/one\"two", "a [redacted] b [redacted][redacted]"),
            (r#"{"message": "Bearer sk\/one\"two"}"#, r#"{"message": "Bearer [redacted]"}"#),
            ("sk/one", "sk/one"),
        ] {
            assert_eq!(redacted(key, text), clean);
        }
        assert_eq!(redacted(None, "Bearer x"), "Bearer x");
    }
}
