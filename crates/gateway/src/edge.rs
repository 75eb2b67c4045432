//! What every request must respect before anything of it is believed: one host, no credentials in the address.

use crate::reply::Failure;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Request, Version};
use hyper::body::Incoming;
use louver_domain::keys::looks_like_key;

/// Checks a request's line and headers.
pub(crate) fn check(request: &Request<Incoming>) -> Result<(), Failure> {
    one_host(request)?;
    if request.uri().query().is_some_and(looks_like_key) {
        return Err(Failure::KeyInAddress);
    }
    if matches!(*request.method(), Method::TRACE | Method::CONNECT) {
        return Err(Failure::MethodNotAllowed { allow: "GET, POST".into() });
    }
    Ok(())
}

/// Exactly one `Host` in HTTP/1.1; an authority in the request line must agree with it.
fn one_host(request: &Request<Incoming>) -> Result<(), Failure> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    if second.is_some() || (host.is_none() && request.version() == Version::HTTP_11) {
        return Err(Failure::BadRequest { message: "a request names its host exactly once" });
    }
    let authority = request.uri().authority().map(|a| a.as_str().as_bytes());
    match (authority, host) {
        (Some(authority), Some(host)) if !authority.eq_ignore_ascii_case(host.as_bytes()) => {
            Err(Failure::BadRequest { message: "the address and the Host header name different hosts" })
        }
        _ => Ok(()),
    }
}

/// Inference takes nothing from the query: what it said could be read differently upstream.
pub(crate) fn no_query(uri: &http::Uri) -> Result<(), Failure> {
    match uri.query() {
        None => Ok(()),
        Some(_) => Err(Failure::BadRequest { message: "this endpoint takes no query parameters" }),
    }
}

/// What upstream is told to fetch must not be this gateway: it would fetch with the gateway's own trust.
pub(crate) fn not_ourselves(
    named: &[String],
    uri: &http::Uri,
    headers: &HeaderMap,
    public: Option<&str>,
) -> Result<(), Failure> {
    if named.is_empty() {
        return Ok(());
    }
    let asked = headers.get(HOST).and_then(|host| host.to_str().ok()).and_then(|host| host.parse().ok());
    let authorities: [Option<http::uri::Authority>; 2] = [uri.authority().cloned(), asked];
    let asked = authorities.iter().flatten().map(http::uri::Authority::host);
    let own: Vec<String> = asked.chain(public).map(plain_host).collect();
    if named.iter().any(|host| own.contains(host)) { Err(Failure::OwnAddress) } else { Ok(()) }
}

/// A host as addresses in requests are told: in small letters, without brackets or a last dot.
fn plain_host(host: &str) -> String {
    host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase()
}

/// A body must be plain JSON in UTF-8.
pub(crate) fn json_body(headers: &HeaderMap) -> Result<(), Failure> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (content_type, second) = (types.next(), types.next());
    let is_json = content_type.and_then(|value| value.to_str().ok()).is_some_and(is_json);
    if !is_json || second.is_some() {
        return Err(Failure::UnsupportedMediaType { message: "the body must be application/json" });
    }
    not_compressed(headers)
}

/// A body must come as it is.
pub(crate) fn not_compressed(headers: &HeaderMap) -> Result<(), Failure> {
    let plain = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(CONTENT_ENCODING).iter().all(plain) {
        return Err(Failure::UnsupportedMediaType { message: "the body must not be compressed" });
    }
    Ok(())
}

fn is_json(value: &str) -> bool {
    if value == "application/json" {
        return true;
    }
    let (media, parameters) = value.split_once(';').unwrap_or((value, ""));
    let charset = |p: &str| {
        p.split_once('=').is_some_and(|(name, set)| {
            name.trim().eq_ignore_ascii_case("charset")
                && set.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
    };
    media.trim().eq_ignore_ascii_case("application/json")
        && parameters.split(';').map(str::trim).all(|p| p.is_empty() || charset(p))
}

/// A request that only reads must not carry a body.
pub(crate) fn no_body(headers: &HeaderMap) -> Result<(), Failure> {
    let empty = headers.get(CONTENT_LENGTH).is_none_or(|length| length.as_bytes() == b"0");
    if empty && !headers.contains_key(TRANSFER_ENCODING) {
        return Ok(());
    }
    Err(Failure::BadRequest { message: "this request takes no body" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_is_known_by_all_its_names() {
        let uri = http::Uri::from_static("/v1/ocr");
        let headers =
            |host: &'static str| HeaderMap::from_iter([(HOST, http::HeaderValue::from_static(host))]);
        let ask = |named: &str, host| {
            not_ourselves(&[named.to_owned()], &uri, &headers(host), Some("Louver.example.com")).is_ok()
        };
        for (named, host, passes) in [
            ("a.test", "gw.test:8080", true),
            ("gw.test", "gw.test:8080", false),
            ("gw.test", "GW.test.", false),
            ("::1", "[::1]:8080", false),
            ("louver.example.com", "other", false),
        ] {
            assert_eq!(ask(named, host), passes, "{named} {host}");
        }
    }

    #[test]
    fn only_plain_json_in_utf8_is_json() {
        for good in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
        ] {
            assert!(is_json(good), "{good}");
        }
        for bad in [
            "text/plain",
            "application/vnd.api+json",
            "application/json; charset=utf-16",
            "application/jsonx",
            "",
            "application/json; boundary=x",
        ] {
            assert!(!is_json(bad), "{bad}");
        }
    }
}
