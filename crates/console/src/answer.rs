//! The answers of the console: a page, the way to another page, a file.

use crate::failure::Failure;
use crate::headers::HoldsSecret;
use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue, LOCATION};
use maud::Markup;

/// What a page's handler answers.
pub(crate) type Answer = Result<Response, Failure>;

/// A page.
pub(crate) fn page(status: StatusCode, markup: Markup) -> Response {
    let mut response = Response::new(Body::from(markup.into_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

/// A page that shows a secret, once.
pub(crate) fn secret_page(markup: Markup) -> Response {
    let mut response = page(StatusCode::OK, markup);
    response.extensions_mut().insert(HoldsSecret);
    response
}

/// The way to another page of the console, asked for by GET: what a form does ends so, and loading the page again does it
/// no second time.
pub(crate) fn go(to: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static(crate::HOME));
    response.headers_mut().insert(LOCATION, to);
    response
}

/// A file to be kept.
pub(crate) fn file(name: &'static str, kind: &'static str, content: String) -> Response {
    let mut response = Response::new(Body::from(content));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CONTENT_DISPOSITION, HeaderValue::from_static(name));
    response
}
