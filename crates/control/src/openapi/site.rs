//! Serves the description and the page to read it in, each with a tag for caches.

use super::page;
use crate::Control;
use crate::error::ControlError;
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::Value;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// Who may read the description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open,
    /// Whoever holds an admin key.
    Admin,
}

/// The page brings nothing but its own stylesheet, and nobody frames it.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
/// Asked again each time, and mostly answered with a 304.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");
/// Never asked again: other content has another address.
const KEEP: HeaderValue = HeaderValue::from_static("max-age=31536000, immutable");

/// Three answers that are made once.
pub struct Site {
    access: Access,
    document: Page,
    page: Page,
    style: Page,
    style_path: String,
}

#[derive(Clone)]
struct Page {
    bytes: Bytes,
    kind: HeaderValue,
    tag: HeaderValue,
    cache: HeaderValue,
}

impl Page {
    fn new(text: String, kind: &'static str, cache: HeaderValue) -> Result<Self, ControlError> {
        let tag = HeaderValue::from_str(&format!("\"{}\"", digest(&text)));
        let tag = tag.map_err(|error| ControlError::Internal(error.to_string()))?;
        Ok(Self { bytes: text.into(), kind: HeaderValue::from_static(kind), tag, cache })
    }

    fn answer(self, asked: &HeaderMap) -> Response {
        let known = asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let known = known.flat_map(|tags| tags.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
        let same = known.into_iter().any(|tag| tag == "*" || tag.as_bytes() == self.tag.as_bytes());
        let mut response = Response::new(if same { Body::empty() } else { Body::from(self.bytes) });
        if same {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, self.kind);
        headers.insert(ETAG, self.tag);
        headers.insert(CACHE_CONTROL, self.cache);
        headers.insert(CONTENT_SECURITY_POLICY, POLICY);
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }
}

/// The same for the same text in every process of this build.
fn digest(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

impl Site {
    /// Of a whole document.
    pub fn new(document: &Value, access: Access) -> Result<Self, ControlError> {
        let style_path = format!("/docs/style.{}.css", digest(page::STYLE));
        let html = page::render(document, &style_path);
        Ok(Self {
            access,
            document: Page::new(serde_json::to_string(document)?, "application/json", ASK_AGAIN)?,
            page: Page::new(html, "text/html; charset=utf-8", ASK_AGAIN)?,
            style: Page::new(page::STYLE.to_owned(), "text/css; charset=utf-8", KEEP)?,
            style_path,
        })
    }

    /// Who may read it.
    pub(crate) const fn access(&self) -> Access {
        self.access
    }

    /// Its routes.
    pub(crate) fn router(self) -> Router<Arc<Control>> {
        let serve = |page: Page| get(move |asked: HeaderMap| async move { page.answer(&asked) });
        Router::new()
            .route("/openapi.json", serve(self.document))
            .route("/docs", serve(self.page))
            .route(&self.style_path, serve(self.style))
    }
}
