//! Azure Key Vault, over its REST API, with an application's secret.

use super::desk::{Desk, Reply, base, bearer};
use super::oauth;
use super::trouble::DestinationError;
use super::{Delivered, Parcel};
use http::{Method, StatusCode};
use louver_domain::secret::Secret;
use louver_domain::secret_destinations::settings::Azure;
use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::sync::Arc;

const VERSION: &str = "api-version=7.4";
const TOKENS: &str = "https://login.microsoftonline.com";
const SCOPE: &str = "https%3A%2F%2Fvault.azure.net%2F.default";

#[derive(Deserialize)]
struct Found {
    value: String,
    id: String,
}

struct Session<'a> {
    desk: &'a Desk<'a>,
    tls: Arc<rustls::ClientConfig>,
    token: Secret<String>,
    vault: &'a str,
}

impl<'a> Session<'a> {
    async fn open(desk: &'a Desk<'a>, azure: &'a Azure) -> Result<Self, DestinationError> {
        let tls = desk.tls(None)?;
        let token = token(desk, azure, &tls).await?;
        Ok(Self { desk, tls, token, vault: base(&azure.address) })
    }

    async fn ask(&self, method: Method, name: &str, body: Option<&Value>) -> Result<Reply, DestinationError> {
        let url = format!("{}/secrets/{name}?{VERSION}", self.vault);
        self.desk.ask(&self.tls, method, &url, vec![bearer(self.token.expose())?], body).await
    }

    async fn current(&self, name: &str) -> Result<Option<Found>, DestinationError> {
        let reply = self.ask(Method::GET, name, None).await?;
        if reply.status == StatusCode::NOT_FOUND { Ok(None) } else { reply.yes()?.json().map(Some) }
    }
}

impl Found {
    fn version(&self) -> Option<String> {
        self.id.rsplit('/').next().map(str::to_owned)
    }
}

async fn token(
    desk: &Desk<'_>,
    azure: &Azure,
    tls: &Arc<rustls::ClientConfig>,
) -> Result<Secret<String>, DestinationError> {
    let host = base(azure.token_endpoint.as_deref().unwrap_or(TOKENS));
    let url = format!("{host}/{}/oauth2/v2.0/token", azure.tenant_id);
    let secret = Secret::new(escaped(desk.credential("client_secret")?));
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope={SCOPE}",
        escaped(&azure.client_id),
        secret.expose()
    );
    oauth::token(desk, tls, &url, Secret::new(form.into_bytes())).await
}

/// As a form has it.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing into a string does not fail.
            let _written = write!(escaped, "%{byte:02X}");
        }
        escaped
    })
}

pub(super) async fn write(
    desk: &Desk<'_>,
    azure: &Azure,
    name: &str,
    parcel: &Parcel<'_>,
) -> Result<Delivered, DestinationError> {
    let session = Session::open(desk, azure).await?;
    if let Some(found) = session.current(name).await? {
        let value = Secret::new(found.value.clone());
        if value.expose() == parcel.secret.expose() {
            return Ok(Delivered { version: found.version() });
        }
    }
    let tags = json!({"louver_key_id": parcel.key, "louver_rotation_id": parcel.rotation});
    let body = json!({"value": parcel.secret.expose(), "tags": tags});
    let reply = session.ask(Method::PUT, name, Some(&body)).await?;
    if reply.status == StatusCode::CONFLICT {
        return Err(DestinationError::Refused(
            "a secret of that name was deleted there, and must be purged or restored",
        ));
    }
    let found: Found = reply.yes()?.json()?;
    Ok(Delivered { version: found.version() })
}

pub(super) async fn read(
    desk: &Desk<'_>,
    azure: &Azure,
    name: &str,
) -> Result<Option<Secret<String>>, DestinationError> {
    let found = Session::open(desk, azure).await?.current(name).await?;
    Ok(found.map(|found| Secret::new(found.value)))
}
