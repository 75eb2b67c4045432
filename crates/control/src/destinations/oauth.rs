//! Tokens of OAuth, asked for with a form: what Google and Azure give for who Louver is.

use super::desk::{Desk, Headers};
use super::trouble::DestinationError;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, StatusCode};
use louver_domain::secret::Secret;
use serde::Deserialize;
use std::sync::Arc;

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

/// Asks `url` for a token. A form that is refused holds credentials that are not good (a 400 there, a 403 elsewhere).
pub(super) async fn token(
    desk: &Desk<'_>,
    tls: &Arc<rustls::ClientConfig>,
    url: &str,
    form: Secret<Vec<u8>>,
) -> Result<Secret<String>, DestinationError> {
    let kind: Headers = vec![(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))];
    let reply = desk.send(tls, Method::POST, url, kind, form).await?;
    if reply.status == StatusCode::BAD_REQUEST {
        return Err(DestinationError::Answered(403));
    }
    let token: Token = reply.yes()?.json()?;
    Ok(Secret::new(token.access_token))
}
