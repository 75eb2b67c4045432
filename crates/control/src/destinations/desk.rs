//! From where a destination is spoken to: its credentials opened, and HTTP with JSON to admitted addresses.

use super::credentials::Credentials;
use super::trouble::DestinationError;
use crate::Control;
use crate::exchange::{self, Question, Reach};
use aws_lc_rs::digest::{Context, SHA256};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Method, StatusCode};
use louver_domain::secret::Secret;
use louver_store::secret_destinations::SecretDestination;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// For one exchange.
const EXCHANGE: Duration = Duration::from_secs(10);
/// What is read of an answer at most: Secrets of Kubernetes have up to 1 MiB, and are written in base64.
const LARGEST: usize = 2 * 1024 * 1024;

/// What a kind works with.
pub(super) struct Desk<'a> {
    pub(super) control: &'a Control,
    credentials: Credentials,
}

/// Headers beside those that every exchange has.
pub(super) type Headers = Vec<(HeaderName, HeaderValue)>;

/// An answer.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    body: Secret<Vec<u8>>,
}

impl Reply {
    /// The answer, where it means yes.
    pub(super) fn yes(self) -> Result<Self, DestinationError> {
        if self.status.is_success() { Ok(self) } else { Err(self.no()) }
    }

    /// That it means no.
    pub(super) fn no(&self) -> DestinationError {
        DestinationError::Answered(self.status.as_u16())
    }

    /// Its body.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, DestinationError> {
        serde_json::from_slice(self.body.expose()).map_err(|_| DestinationError::Garbled)
    }
}

impl<'a> Desk<'a> {
    /// For a destination.
    pub(super) fn of(
        control: &'a Control,
        destination: &SecretDestination,
    ) -> Result<Self, DestinationError> {
        let credentials =
            Credentials::open(&control.master, destination).ok_or(DestinationError::Unreadable)?;
        Ok(Self { control, credentials })
    }

    /// A credential that may be there.
    pub(super) fn find(&self, name: &str) -> Option<&str> {
        self.credentials.get(name)
    }

    /// A credential that must be there.
    pub(super) fn credential(&self, name: &str) -> Result<&str, DestinationError> {
        self.find(name).ok_or(DestinationError::Unreadable)
    }

    /// Whom is believed: whoever these certificates vouch for, or else the system's.
    pub(super) fn tls(&self, pem: Option<&str>) -> Result<Arc<rustls::ClientConfig>, DestinationError> {
        let own =
            pem.map(|pem| trusting(pem).ok_or(DestinationError::Refused("ca_certificate cannot be read")));
        Ok(own.transpose()?.unwrap_or_else(|| Arc::clone(&self.control.outbound.tls)))
    }

    /// Asks once, with a body of JSON where there is one.
    pub(super) async fn ask(
        &self,
        tls: &Arc<rustls::ClientConfig>,
        method: Method,
        url: &str,
        headers: Headers,
        body: Option<&Value>,
    ) -> Result<Reply, DestinationError> {
        let bytes = body.map(serde_json::to_vec).transpose().map_err(|_| DestinationError::Garbled)?;
        let mut headers = headers;
        if bytes.is_some() && !headers.iter().any(|(name, _)| name == CONTENT_TYPE) {
            headers.push((CONTENT_TYPE, HeaderValue::from_static("application/json")));
        }
        self.send(tls, method, url, headers, Secret::new(bytes.unwrap_or_default())).await
    }

    /// Asks once, with a body of whatever kind.
    pub(super) async fn send(
        &self,
        tls: &Arc<rustls::ClientConfig>,
        method: Method,
        url: &str,
        headers: Headers,
        body: Secret<Vec<u8>>,
    ) -> Result<Reply, DestinationError> {
        let reach = Reach { allowed: &self.control.destinations.allowed, tls, time: EXCHANGE };
        let question = Question { method, url, headers, body, largest: Some(LARGEST) };
        let answer = exchange::ask(&reach, question).await?;
        Ok(Reply { status: answer.status, body: answer.body })
    }
}

/// A header that is a secret.
pub(super) fn hidden(name: HeaderName, value: &str) -> Result<(HeaderName, HeaderValue), DestinationError> {
    let mut value = HeaderValue::try_from(value).map_err(|_| DestinationError::Unreadable)?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// `Authorization: Bearer …`.
pub(super) fn bearer(token: &str) -> Result<(HeaderName, HeaderValue), DestinationError> {
    hidden(AUTHORIZATION, Secret::new(format!("Bearer {token}")).expose())
}

/// Believes whoever the certificates of a PEM text vouch for, and nobody else.
pub(crate) fn trusting(pem: &str) -> Option<Arc<rustls::ClientConfig>> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate.ok()?).ok()?;
    }
    let config = (!roots.is_empty())
        .then(|| rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth());
    config.map(Arc::new)
}

/// The base of an address: without the slash at its end.
pub(super) fn base(address: &str) -> &str {
    address.trim_end_matches('/')
}

/// SHA-256 over the parts, each with its length before it, in hexadecimal digits.
pub(super) fn digest(parts: &[&[u8]]) -> String {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(part);
    }
    hexadecimal(context.finish().as_ref())
}

/// Bytes as small hexadecimal digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a string does not fail.
        let _written = write!(text, "{byte:02x}");
        text
    })
}
