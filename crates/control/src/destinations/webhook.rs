//! A receiver of the operator's own: a POST with the secret in it, signed as Standard Webhooks 1.0 says.

use super::desk::{Desk, Headers};
use super::trouble::DestinationError;
use super::{Delivered, Parcel};
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Method};
use louver_domain::alert_channels::SigningSecret;
use louver_domain::secret::Secret;
use louver_domain::secret_destinations::settings::Webhook;
use serde_json::json;

/// Posts the secret that holds from now on. A rollback is the same message with the secret from before: `created_at` says
/// how old it is.
pub(super) async fn write(
    desk: &Desk<'_>,
    webhook: &Webhook,
    parcel: &Parcel<'_>,
) -> Result<Delivered, DestinationError> {
    let signer = SigningSecret::parse(desk.credential("secret")?).ok_or(DestinationError::Unreadable)?;
    let now = desk.control.clock.now();
    let content = json!({
        "type": "api_key.secret",
        "timestamp": now,
        "data": {
            "key_id": parcel.key,
            "name": parcel.name,
            "workspace": parcel.workspace,
            "rotation_id": parcel.rotation,
            "secret": parcel.secret.expose(),
            "created_at": parcel.created_at,
        },
    });
    let body = Secret::new(serde_json::to_vec(&content).map_err(|_| DestinationError::Garbled)?);
    // The id stays the same over retries, so that a receiver can tell them; the time and so the signature do not.
    let id = format!("msg_{}", parcel.mark(parcel.secret.expose().as_bytes()));
    let signature = signer.sign(&id, now.seconds(), body.expose());
    let headers: Headers = vec![
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (HeaderName::from_static("webhook-id"), text(&id)?),
        (HeaderName::from_static("webhook-timestamp"), HeaderValue::from(now.seconds())),
        (HeaderName::from_static("webhook-signature"), text(&signature)?),
    ];
    let tls = desk.tls(None)?;
    desk.send(&tls, Method::POST, &webhook.url, headers, body).await?.yes()?;
    Ok(Delivered { version: None })
}

fn text(value: &str) -> Result<HeaderValue, DestinationError> {
    HeaderValue::try_from(value).map_err(|_| DestinationError::Garbled)
}
