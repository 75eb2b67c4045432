//! The KV engine, version 2, of HashiCorp Vault and OpenBao, with a token or by AppRole.
//!
//! A write says which version it was made from (check-and-set), so that two writers do not undo each other's fields.

use super::desk::{Desk, Headers, Reply, base, hidden};
use super::trouble::DestinationError;
use super::{Delivered, Parcel, merge};
use http::header::HeaderName;
use http::{HeaderValue, Method, StatusCode};
use louver_domain::secret::Secret;
use louver_domain::secret_destinations::settings::Vault;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

const TRIES: usize = 4;

/// A conversation with the server.
struct Session<'a> {
    desk: &'a Desk<'a>,
    vault: &'a Vault,
    tls: Arc<rustls::ClientConfig>,
    token: Secret<String>,
}

#[derive(Deserialize)]
struct LoggedIn {
    auth: Auth,
}

#[derive(Deserialize)]
struct Auth {
    client_token: String,
}

#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

#[derive(Deserialize)]
struct Found {
    data: Option<Map<String, Value>>,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    version: u64,
}

/// What is there now: nothing yet is version 0, as check-and-set has it.
#[derive(Default)]
struct Current {
    members: Map<String, Value>,
    version: u64,
}

impl<'a> Session<'a> {
    async fn open(desk: &'a Desk<'a>, vault: &'a Vault) -> Result<Self, DestinationError> {
        let tls = desk.tls(vault.ca_certificate.as_deref())?;
        let mut session = Self { desk, vault, tls, token: Secret::new(String::new()) };
        session.token = session.log_in().await?;
        Ok(session)
    }

    async fn log_in(&self) -> Result<Secret<String>, DestinationError> {
        if let Some(token) = self.desk.find("token") {
            return Ok(Secret::new(token.to_owned()));
        }
        let body = json!({
            "role_id": self.desk.credential("role_id")?,
            "secret_id": self.desk.credential("secret_id")?,
        });
        let path = format!("auth/{}/login", self.vault.approle_mount);
        let reply = self.call(Method::POST, &path, self.headers()?, Some(&body)).await?;
        // It says 400 to a role or a secret that it does not know.
        if reply.status == StatusCode::BAD_REQUEST {
            return Err(DestinationError::Answered(403));
        }
        let said: LoggedIn = reply.yes()?.json()?;
        Ok(Secret::new(said.auth.client_token))
    }

    /// Asks, and asks again after another login where a role's token is good no more.
    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Reply, DestinationError> {
        let reply = self.call(method.clone(), path, self.signed()?, body).await?;
        if reply.status != StatusCode::FORBIDDEN || self.desk.find("token").is_some() {
            return Ok(reply);
        }
        self.token = self.log_in().await?;
        self.call(method, path, self.signed()?, body).await
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        headers: Headers,
        body: Option<&Value>,
    ) -> Result<Reply, DestinationError> {
        let url = format!("{}/v1/{path}", base(&self.vault.address));
        self.desk.ask(&self.tls, method, &url, headers, body).await
    }

    fn headers(&self) -> Result<Headers, DestinationError> {
        let mut headers =
            vec![(HeaderName::from_static("x-vault-request"), HeaderValue::from_static("true"))];
        if let Some(namespace) = &self.vault.namespace {
            headers.push(hidden(HeaderName::from_static("x-vault-namespace"), namespace)?);
        }
        Ok(headers)
    }

    fn signed(&self) -> Result<Headers, DestinationError> {
        let mut headers = self.headers()?;
        headers.push(hidden(HeaderName::from_static("x-vault-token"), self.token.expose())?);
        Ok(headers)
    }

    async fn current(&mut self, location: &str) -> Result<Current, DestinationError> {
        let path = format!("{}/data/{location}", self.vault.mount);
        let reply = self.ask(Method::GET, &path, None).await?;
        if reply.status == StatusCode::NOT_FOUND {
            // A version that was deleted still counts; what never was has no such body.
            let found: Option<Envelope<Found>> = reply.json().ok();
            let version = found.map_or(0, |found| found.data.metadata.version);
            return Ok(Current { version, ..Current::default() });
        }
        let found: Envelope<Found> = reply.yes()?.json()?;
        let members = found.data.data.unwrap_or_default();
        Ok(Current { members, version: found.data.metadata.version })
    }
}

pub(super) async fn write(
    desk: &Desk<'_>,
    vault: &Vault,
    location: &str,
    parcel: &Parcel<'_>,
) -> Result<Delivered, DestinationError> {
    let mut session = Session::open(desk, vault).await?;
    let path = format!("{}/data/{location}", vault.mount);
    let mut refused_at = None;
    for _ in 0..TRIES {
        let Current { mut members, version } = session.current(location).await?;
        let there = merge::member(&members, &vault.field);
        if there.is_some_and(|there| there.expose() == parcel.secret.expose()) {
            return Ok(Delivered { version: Some(version.to_string()) });
        }
        if refused_at == Some(version) {
            // Nobody else changed it: the refusal was about something else.
            return Err(DestinationError::Answered(400));
        }
        members.insert(vault.field.clone(), parcel.secret.expose().as_str().into());
        members.insert("louver_key_id".into(), parcel.key.into());
        members.insert("louver_rotation_id".into(), parcel.rotation.into());
        let body = json!({"options": {"cas": version}, "data": members});
        let reply = session.ask(Method::POST, &path, Some(&body)).await?;
        if reply.status == StatusCode::BAD_REQUEST {
            refused_at = Some(version);
            continue;
        }
        let written: Envelope<Metadata> = reply.yes()?.json()?;
        return Ok(Delivered { version: Some(written.data.version.to_string()) });
    }
    Err(DestinationError::Contended)
}

pub(super) async fn read(
    desk: &Desk<'_>,
    vault: &Vault,
    location: &str,
) -> Result<Option<Secret<String>>, DestinationError> {
    let mut session = Session::open(desk, vault).await?;
    Ok(merge::member(&session.current(location).await?.members, &vault.field))
}

pub(super) async fn remove(desk: &Desk<'_>, vault: &Vault, location: &str) -> Result<(), DestinationError> {
    let mut session = Session::open(desk, vault).await?;
    let path = format!("{}/metadata/{location}", vault.mount);
    session.ask(Method::DELETE, &path, None).await?.yes().map(drop)
}
