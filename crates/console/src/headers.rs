//! What every answer of the console tells the browser: load and run nothing but what is ours, keep nothing, tell nobody.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
    HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http_body_util::BodyExt;
use louver_control::Control;
use std::io::Write;
use std::sync::Arc;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Pages that are smaller go out as they are.
const WORTH_PACKING: usize = 1_024;

/// An answer that holds a secret: it goes out as it is, since the length of what is packed tells of its content.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HoldsSecret;

/// Adds the headers, and packs what the browser takes packed.
pub(crate) async fn add(State(control): State<Arc<Control>>, request: Request, next: Next) -> Response {
    let packed = request.headers().get(ACCEPT_ENCODING).is_some_and(takes_gzip);
    let mut response = next.run(request).await;
    let fixed: [(HeaderName, &'static str); 7] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), ""),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
    ];
    for (name, value) in fixed {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    if control.cookie.secure {
        response
            .headers_mut()
            .insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let is_page =
        response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/"));
    let open = response.extensions().get::<HoldsSecret>().is_none();
    if packed && is_page && open && !response.headers().contains_key(CONTENT_ENCODING) {
        return pack(response).await;
    }
    response
}

fn takes_gzip(value: &HeaderValue) -> bool {
    let text = value.to_str().unwrap_or_default();
    text.split(',')
        .any(|one| one.split(';').next().is_some_and(|name| name.trim() == "gzip") && !one.contains("q=0"))
}

async fn pack(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(body) = body.collect().await else { return Response::from_parts(parts, Body::empty()) };
    let bytes = body.to_bytes();
    let packed = if bytes.len() < WORTH_PACKING { None } else { gzip(&bytes) };
    parts.headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    let Some(packed) = packed else { return Response::from_parts(parts, Body::from(bytes)) };
    parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    Response::from_parts(parts, Body::from(packed))
}

/// The bytes packed.
pub(crate) fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(5));
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}
