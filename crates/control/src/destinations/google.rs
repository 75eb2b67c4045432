//! Google Secret Manager, over its REST API, with a service account's key or a token.

mod assertion;

use super::desk::{Desk, Reply, base, bearer};
use super::oauth;
use super::trouble::DestinationError;
use super::{Delivered, Parcel};
pub(super) use assertion::ServiceAccount;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use louver_domain::secret::Secret;
use louver_domain::secret_destinations::settings::Google;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

const ENDPOINT: &str = "https://secretmanager.googleapis.com";
const TOKENS: &str = "https://oauth2.googleapis.com/token";
const GRANT: &str = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";

#[derive(Deserialize)]
struct Version {
    name: String,
    payload: Option<Payload>,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(default)]
    data: String,
}

struct Session<'a> {
    desk: &'a Desk<'a>,
    tls: Arc<rustls::ClientConfig>,
    token: Secret<String>,
    /// The address of the project's secrets.
    secrets: String,
}

impl<'a> Session<'a> {
    async fn open(desk: &'a Desk<'a>, google: &Google) -> Result<Self, DestinationError> {
        let tls = desk.tls(None)?;
        let token = token(desk, google, &tls).await?;
        let endpoint = base(google.endpoint.as_deref().unwrap_or(ENDPOINT));
        Ok(Self { desk, tls, token, secrets: format!("{endpoint}/v1/projects/{}/secrets", google.project) })
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Reply, DestinationError> {
        let url = format!("{}{path}", self.secrets);
        self.desk.ask(&self.tls, method, &url, vec![bearer(self.token.expose())?], body).await
    }

    /// The newest version; none when there is no such secret, no version of it, or the newest is disabled (a 400).
    async fn current(&self, name: &str) -> Result<Option<Version>, DestinationError> {
        let reply = self.ask(Method::GET, &format!("/{name}/versions/latest:access"), None).await?;
        match reply.status {
            StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST => Ok(None),
            _ => reply.yes()?.json().map(Some),
        }
    }

    async fn add(&self, name: &str, secret: &Secret<String>) -> Result<Reply, DestinationError> {
        let body = json!({"payload": {"data": STANDARD.encode(secret.expose())}});
        self.ask(Method::POST, &format!("/{name}:addVersion"), Some(&body)).await
    }
}

async fn token(
    desk: &Desk<'_>,
    google: &Google,
    tls: &Arc<rustls::ClientConfig>,
) -> Result<Secret<String>, DestinationError> {
    if let Some(token) = desk.find("token") {
        return Ok(Secret::new(token.to_owned()));
    }
    let account = desk.credential("service_account")?;
    let account = ServiceAccount::read(account).ok_or(DestinationError::Unreadable)?;
    let url = google.token_endpoint.as_deref().unwrap_or(TOKENS);
    let assertion = account.assert(url, desk.control.clock.now()).ok_or(DestinationError::Unreadable)?;
    // Base64 for URLs and dots need no escapes in a form.
    let form = format!("grant_type={GRANT}&assertion={}", assertion.expose());
    oauth::token(desk, tls, url, Secret::new(form.into_bytes())).await
}

impl Version {
    fn number(&self) -> Option<String> {
        self.name.rsplit('/').next().map(str::to_owned)
    }

    fn secret(&self) -> Option<Secret<String>> {
        let bytes = STANDARD.decode(&self.payload.as_ref()?.data).ok()?;
        String::from_utf8(bytes).ok().map(Secret::new)
    }
}

pub(super) async fn write(
    desk: &Desk<'_>,
    google: &Google,
    name: &str,
    parcel: &Parcel<'_>,
) -> Result<Delivered, DestinationError> {
    let session = Session::open(desk, google).await?;
    if let Some(version) = session.current(name).await?
        && version.secret().is_some_and(|there| there.expose() == parcel.secret.expose())
    {
        return Ok(Delivered { version: version.number() });
    }
    let mut reply = session.add(name, parcel.secret).await?;
    if reply.status == StatusCode::NOT_FOUND {
        let new = json!({"replication": {"automatic": {}}, "labels": {"managed-by": "louver"}});
        let made = session.ask(Method::POST, &format!("?secretId={name}"), Some(&new)).await?;
        // Somebody else may have made it in between.
        if made.status != StatusCode::CONFLICT {
            made.yes()?;
        }
        reply = session.add(name, parcel.secret).await?;
    }
    let version: Version = reply.yes()?.json()?;
    Ok(Delivered { version: version.number() })
}

pub(super) async fn read(
    desk: &Desk<'_>,
    google: &Google,
    name: &str,
) -> Result<Option<Secret<String>>, DestinationError> {
    let version = Session::open(desk, google).await?.current(name).await?;
    Ok(version.and_then(|version| version.secret()))
}

pub(super) async fn remove(desk: &Desk<'_>, google: &Google, name: &str) -> Result<(), DestinationError> {
    let session = Session::open(desk, google).await?;
    session.ask(Method::DELETE, &format!("/{name}"), None).await?.yes().map(drop)
}
