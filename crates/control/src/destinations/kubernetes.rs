//! A Secret of Kubernetes: one field of its data, changed only if nobody changed the Secret in between.

use super::desk::{Desk, Headers, Reply, base, bearer};
use super::trouble::DestinationError;
use super::{Delivered, Parcel};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, StatusCode};
use louver_domain::secret::Secret;
use louver_domain::secret_destinations::settings::Kubernetes;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const TRIES: usize = 4;

#[derive(Deserialize)]
struct Found {
    metadata: Metadata,
    #[serde(default)]
    data: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(rename = "resourceVersion")]
    version: String,
}

struct Session<'a> {
    desk: &'a Desk<'a>,
    tls: Arc<rustls::ClientConfig>,
    /// The address of the namespace's Secrets.
    secrets: String,
}

impl<'a> Session<'a> {
    fn open(desk: &'a Desk<'a>, kubernetes: &Kubernetes) -> Result<Self, DestinationError> {
        let tls = desk.tls(kubernetes.ca_certificate.as_deref())?;
        let namespace = &kubernetes.namespace;
        let secrets = format!("{}/api/v1/namespaces/{namespace}/secrets", base(&kubernetes.address));
        Ok(Self { desk, tls, secrets })
    }

    async fn ask(
        &self,
        method: Method,
        name: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Reply, DestinationError> {
        let mut headers: Headers = vec![bearer(self.desk.credential("token")?)?];
        if method == Method::PATCH {
            headers.push((CONTENT_TYPE, HeaderValue::from_static("application/merge-patch+json")));
        }
        let url = name.map_or_else(|| self.secrets.clone(), |name| format!("{}/{name}", self.secrets));
        self.desk.ask(&self.tls, method, &url, headers, body).await
    }

    async fn current(&self, name: &str) -> Result<Option<Found>, DestinationError> {
        let reply = self.ask(Method::GET, Some(name), None).await?;
        if reply.status == StatusCode::NOT_FOUND { Ok(None) } else { reply.yes()?.json().map(Some) }
    }
}

impl Found {
    fn field(&self, field: &str) -> Option<Secret<String>> {
        let bytes = STANDARD.decode(self.data.get(field)?).ok()?;
        String::from_utf8(bytes).ok().map(Secret::new)
    }
}

pub(super) async fn write(
    desk: &Desk<'_>,
    kubernetes: &Kubernetes,
    name: &str,
    parcel: &Parcel<'_>,
) -> Result<Delivered, DestinationError> {
    let session = Session::open(desk, kubernetes)?;
    let field = &kubernetes.field;
    let data = json!({field: STANDARD.encode(parcel.secret.expose())});
    let notes = json!({"louver/key-id": parcel.key, "louver/rotation-id": parcel.rotation});
    for _ in 0..TRIES {
        let reply = match session.current(name).await? {
            Some(found) => {
                if found.field(field).is_some_and(|there| there.expose() == parcel.secret.expose()) {
                    return Ok(Delivered { version: Some(found.metadata.version) });
                }
                let metadata = json!({"resourceVersion": found.metadata.version, "annotations": notes});
                let patch = json!({"metadata": metadata, "data": data});
                session.ask(Method::PATCH, Some(name), Some(&patch)).await?
            }
            None => {
                let labels = json!({"app.kubernetes.io/managed-by": "louver"});
                let metadata = json!({"name": name, "labels": labels, "annotations": notes});
                let new = json!({
                    "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "data": data,
                });
                session.ask(Method::POST, None, Some(&new)).await?
            }
        };
        // Somebody changed or made it since it was looked at.
        if reply.status == StatusCode::CONFLICT {
            continue;
        }
        let written: Found = reply.yes()?.json()?;
        return Ok(Delivered { version: Some(written.metadata.version) });
    }
    Err(DestinationError::Contended)
}

pub(super) async fn read(
    desk: &Desk<'_>,
    kubernetes: &Kubernetes,
    name: &str,
) -> Result<Option<Secret<String>>, DestinationError> {
    let found = Session::open(desk, kubernetes)?.current(name).await?;
    Ok(found.and_then(|found| found.field(&kubernetes.field)))
}

pub(super) async fn remove(
    desk: &Desk<'_>,
    kubernetes: &Kubernetes,
    name: &str,
) -> Result<(), DestinationError> {
    Session::open(desk, kubernetes)?.ask(Method::DELETE, Some(name), None).await?.yes().map(drop)
}
