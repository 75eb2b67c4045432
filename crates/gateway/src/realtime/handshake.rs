//! What a client's request must be so that its connection becomes a WebSocket.

use crate::reply::{Body, Failure};
use http::header::{
    CONNECTION, HOST, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The one subprotocol there is.
const PROTOCOL: &str = "realtime";
/// Of sixteen bytes in base64.
const KEY_LENGTH: usize = 24;

/// A sound handshake.
#[derive(Debug)]
pub(super) struct Handshake {
    accept: HeaderValue,
    protocol: bool,
}

impl Handshake {
    /// Reads the head of a request. Extensions that it offers are passed over: none is ever agreed on, compression
    /// neither.
    pub(super) fn read(version: Version, headers: &HeaderMap) -> Result<Self, Failure> {
        let protocol = protocol(headers)?;
        own_origin(headers)?;
        let upgrade = only(headers, &UPGRADE).is_some_and(|to| to.eq_ignore_ascii_case("websocket"));
        let connection = only(headers, &CONNECTION)
            .is_some_and(|named| named.split(',').any(|named| named.trim().eq_ignore_ascii_case("upgrade")));
        if version != Version::HTTP_11 || !upgrade || !connection {
            return Err(Failure::BadRequest { message: "this endpoint is a WebSocket over HTTP/1.1" });
        }
        if only(headers, &SEC_WEBSOCKET_VERSION) != Some("13") {
            return Err(Failure::BadRequest { message: "the version of the WebSocket must be 13" });
        }
        let key = only(headers, &SEC_WEBSOCKET_KEY).filter(|key| key.len() == KEY_LENGTH);
        let accept = key.and_then(|key| HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok());
        let accept = accept.ok_or(Failure::BadRequest { message: "the key of the WebSocket is missing" })?;
        Ok(Self { accept, protocol })
    }

    /// The answer that switches the connection.
    pub(super) fn answer(self) -> Response<Body> {
        let mut response = Response::new(Body::Full(None));
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, self.accept);
        if self.protocol {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
        }
        response
    }
}

/// The value of a header that is there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let (value, second) = (values.next()?, values.next());
    value.to_str().ok().filter(|_| second.is_none())
}

/// Whether the subprotocol is asked for. Mistral's browser clients bring a credential there, which is none here: a
/// request has one credential, in its header.
fn protocol(headers: &HeaderMap) -> Result<bool, Failure> {
    if !headers.contains_key(SEC_WEBSOCKET_PROTOCOL) {
        return Ok(false);
    }
    match only(headers, &SEC_WEBSOCKET_PROTOCOL) {
        Some(PROTOCOL) => Ok(true),
        _ => Err(Failure::Unauthorized),
    }
}

/// A browser says which page opens a socket. A page of somebody else's may not, whatever key it has got hold of.
fn own_origin(headers: &HeaderMap) -> Result<(), Failure> {
    if !headers.contains_key(ORIGIN) {
        return Ok(());
    }
    let host = only(headers, &HOST);
    let origin = only(headers, &ORIGIN).and_then(|origin| origin.split_once("://"));
    match (origin, host) {
        (Some(("http" | "https", origin)), Some(host)) if origin.eq_ignore_ascii_case(host) => Ok(()),
        _ => Err(Failure::ForeignOrigin),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 5] = [
        ("host", "louver.test"),
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    fn read(change: &[(&'static str, &'static str)]) -> Result<Handshake, Failure> {
        let mut headers = HeaderMap::new();
        let kept = GOOD.iter().filter(|(name, _)| !change.iter().any(|(changed, _)| changed == name));
        for (name, value) in kept.chain(change).filter(|(_, value)| !value.is_empty()) {
            headers.append(*name, HeaderValue::from_static(value));
        }
        Handshake::read(Version::HTTP_11, &headers)
    }

    #[test]
    fn a_sound_handshake_is_answered_without_extensions() {
        let extensions = ("sec-websocket-extensions", "permessage-deflate; client_max_window_bits");
        let protocol = ("sec-websocket-protocol", "realtime");
        let answer = read(&[extensions, protocol, ("origin", "https://louver.test")]).unwrap().answer();
        assert_eq!(answer.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(answer.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(answer.headers()["sec-websocket-protocol"], "realtime");
        assert_eq!(answer.headers().len(), 4, "{:?}", answer.headers());
        assert_eq!(read(&[]).unwrap().answer().headers().len(), 3);
    }

    #[test]
    fn anything_odd_is_refused() {
        for odd in [
            ("connection", "close"),
            ("upgrade", "h2c"),
            ("upgrade", ""),
            ("sec-websocket-version", "8"),
            ("sec-websocket-key", "short"),
            ("sec-websocket-key", ""),
        ] {
            assert!(matches!(read(&[odd]), Err(Failure::BadRequest { .. })), "{odd:?}");
        }
        for protocol in ["realtime, rt_x", "rt_x", "realtime,realtime", "REALTIME"] {
            let refused = read(&[("sec-websocket-protocol", protocol)]);
            assert!(matches!(refused, Err(Failure::Unauthorized)), "{protocol}");
        }
        for origin in ["https://evil.test", "null", "file://", "https://louver.test.evil.test", "louver.test"]
        {
            assert!(matches!(read(&[("origin", origin)]), Err(Failure::ForeignOrigin)), "{origin}");
        }
        let two = [("sec-websocket-key", GOOD[4].1), ("sec-websocket-key", GOOD[4].1)];
        assert!(matches!(read(&two), Err(Failure::BadRequest { .. })));
    }
}
