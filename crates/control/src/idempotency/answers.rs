//! Answers that are kept: how one becomes a sealed value, and an answer again.

use super::REPLAYED;
use crate::error::ControlError;
use axum::body::{Body, HttpBody as _};
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode};
use http_body_util::BodyExt;
use louver_domain::secret::Secret;
use serde::{Deserialize, Serialize};

/// Larger answers are not kept.
const LARGEST: u64 = 1024 * 1024;

/// What stands before the body: one line of JSON.
#[derive(Serialize, Deserialize)]
struct Head {
    status: u16,
    headers: Vec<(String, String)>,
}

/// Writes an answer down, and gives it back; nothing is written when it is too large, of unknown size, or no text.
pub(super) async fn write(response: Response) -> Result<(Option<Secret<String>>, Response), ControlError> {
    if response.body().size_hint().upper().is_none_or(|size| size > LARGEST) {
        return Ok((None, response));
    }
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| ControlError::Internal(error.to_string()))?.to_bytes();
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    let head =
        Head { status: parts.status.as_u16(), headers: parts.headers.iter().filter_map(header).collect() };
    let head = serde_json::to_string(&head)?;
    let written = str::from_utf8(&body).ok().map(|text| Secret::new(format!("{head}\n{text}")));
    Ok((written, Response::from_parts(parts, Body::from(body))))
}

/// The same answer, marked as given before.
pub(super) fn read(written: &Secret<String>) -> Result<Response, ControlError> {
    let unreadable = || ControlError::Internal("a kept answer cannot be read".into());
    let (head, body) = written.expose().split_once('\n').ok_or_else(unreadable)?;
    let head: Head = serde_json::from_str(head)?;
    let mut response = Response::new(Body::from(body.to_owned()));
    *response.status_mut() = StatusCode::from_u16(head.status).map_err(|_| unreadable())?;
    for (name, value) in head.headers {
        let name = HeaderName::try_from(name).map_err(|_| unreadable())?;
        let value = HeaderValue::try_from(value).map_err(|_| unreadable())?;
        response.headers_mut().append(name, value);
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn written(body: Body) -> Option<Secret<String>> {
        write(Response::new(body)).await.unwrap().0
    }

    #[tokio::test]
    async fn an_answer_comes_back_as_it_was() {
        let mut response = Response::new(Body::from("{\n\"key\":\"\u{fc}\"}\n"));
        *response.status_mut() = StatusCode::CREATED;
        response.headers_mut().insert("etag", HeaderValue::from_static("\"a\""));
        let (written, _) = write(response).await.unwrap();
        let read = read(&written.unwrap()).unwrap();
        assert_eq!(read.status(), StatusCode::CREATED);
        assert_eq!(read.headers()["etag"], "\"a\"");
        assert_eq!(read.headers()[REPLAYED], "true");
        let body = read.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "{\n\"key\":\"\u{fc}\"}\n".as_bytes());
    }

    #[tokio::test]
    async fn what_is_too_large_or_no_text_is_not_kept() {
        let largest = usize::try_from(LARGEST).unwrap();
        assert!(written(Body::from("x".repeat(largest))).await.is_some());
        assert!(written(Body::from("x".repeat(largest + 1))).await.is_none());
        assert!(written(Body::from(vec![0xff])).await.is_none());
        assert!(written(Body::empty()).await.is_some());
        let (none, whole) = write(Response::new(Body::from("x".repeat(largest + 1)))).await.unwrap();
        assert!(none.is_none());
        assert_eq!(whole.into_body().collect().await.unwrap().to_bytes().len(), largest + 1);
    }
}
