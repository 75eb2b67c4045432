//! AWS Secrets Manager, over its JSON API, with requests signed here.
//!
//! A new secret is put under `AWSPENDING` first, and becomes `AWSCURRENT` in a step of its own; the one before it stays as
//! `AWSPREVIOUS`, which AWS does by itself.

mod signature;

use super::desk::{Desk, Reply, hidden};
use super::trouble::DestinationError;
use super::{Delivered, Parcel, merge};
use crate::delivery::targets::Address;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Method};
use louver_domain::secret::Secret;
use louver_domain::secret_destinations::settings::Aws;
use serde::Deserialize;
use serde_json::{Value, json};
use signature::{Scope, Signed, authorization};

const JSON: &str = "application/x-amz-json-1.1";
const TRIES: usize = 3;

#[derive(Deserialize)]
struct Current {
    #[serde(rename = "SecretString")]
    content: Option<String>,
    #[serde(rename = "VersionId")]
    version: String,
}

#[derive(Deserialize)]
struct Complaint {
    #[serde(rename = "__type")]
    kind: String,
}

/// Why it said no, as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    NotFound,
    Exists,
    /// A version stage is not where it was said to be.
    Moved,
    Other(DestinationError),
}

impl From<DestinationError> for Refusal {
    fn from(error: DestinationError) -> Self {
        Self::Other(error)
    }
}

impl From<Refusal> for DestinationError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound => Self::Answered(404),
            Refusal::Exists => Self::Contended,
            Refusal::Moved => Self::Answered(400),
            Refusal::Other(error) => error,
        }
    }
}

fn refusal(reply: &Reply) -> Refusal {
    let complaint = reply.json::<Complaint>().map(|complaint| complaint.kind).unwrap_or_default();
    let name = complaint.rsplit('#').next().unwrap_or_default();
    Refusal::Other(match name {
        "ResourceNotFoundException" => return Refusal::NotFound,
        "ResourceExistsException" => return Refusal::Exists,
        "InvalidParameterException" => return Refusal::Moved,
        "InvalidRequestException" => DestinationError::Refused(
            "the secret is about to be deleted there, or is managed by another service",
        ),
        "DecryptionFailure" | "EncryptionFailure" => {
            DestinationError::Refused("the key in AWS KMS that protects the secret cannot be used")
        }
        "AccessDeniedException"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "ExpiredTokenException" => DestinationError::Answered(403),
        "ThrottlingException" | "LimitExceededException" => DestinationError::Answered(429),
        _ => reply.no(),
    })
}

fn endpoint(aws: &Aws) -> String {
    let region = &aws.region;
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let usual = || format!("https://secretsmanager.{region}.{domain}");
    format!("{}/", super::desk::base(&aws.endpoint.clone().unwrap_or_else(usual)))
}

async fn call(desk: &Desk<'_>, aws: &Aws, deed: &str, body: &Value) -> Result<Reply, Refusal> {
    let url = endpoint(aws);
    let address = Address::parse(&url, &desk.control.destinations.allowed);
    let host = address.map_err(|_| DestinationError::Unanswered(crate::exchange::Unanswered::NotAdmitted))?;
    let host = host.destination();
    let time = compact(&desk.control.clock.now().rfc3339());
    let target = format!("secretsmanager.{deed}");
    let bytes = Secret::new(serde_json::to_vec(body).map_err(|_| DestinationError::Garbled)?);
    let mut headers = vec![("content-type", JSON), ("host", host.as_str()), ("x-amz-date", time.as_str())];
    if let Some(token) = desk.find("session_token") {
        headers.push(("x-amz-security-token", token));
    }
    headers.push(("x-amz-target", target.as_str()));
    let scope = Scope {
        access_key_id: desk.credential("access_key_id")?,
        secret_access_key: desk.credential("secret_access_key")?,
        region: &aws.region,
        service: "secretsmanager",
        time: &time,
    };
    let signed = Signed { method: "POST", path: "/", headers: &headers, body: bytes.expose() };
    let mut sent = vec![
        (CONTENT_TYPE, HeaderValue::from_static(JSON)),
        hidden(AUTHORIZATION, &authorization(&scope, &signed))?,
    ];
    for (name, value) in headers.iter().filter(|(name, _)| name.starts_with("x-amz-")) {
        let name = HeaderName::try_from(*name).map_err(|_| DestinationError::Garbled)?;
        sent.push(hidden(name, value)?);
    }
    let tls = desk.tls(None)?;
    let reply = desk.send(&tls, Method::POST, &url, sent, bytes).await?;
    if reply.status.is_success() { Ok(reply) } else { Err(refusal(&reply)) }
}

/// `2015-08-30T12:36:00.5Z` as `20150830T123600Z`.
fn compact(time: &str) -> String {
    let seconds = time.split(['.', 'Z']).next().unwrap_or(time);
    let digits: String = seconds.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    format!("{digits}Z")
}

/// What is current: none when there is no such secret, or no current version of it.
async fn current(desk: &Desk<'_>, aws: &Aws, location: &str) -> Result<Option<Current>, DestinationError> {
    match call(desk, aws, "GetSecretValue", &json!({"SecretId": location, "VersionStage": "AWSCURRENT"}))
        .await
    {
        Ok(reply) => reply.json().map(Some),
        Err(Refusal::NotFound) => Ok(None),
        Err(refusal) => Err(refusal.into()),
    }
}

pub(super) async fn write(
    desk: &Desk<'_>,
    aws: &Aws,
    location: &str,
    parcel: &Parcel<'_>,
) -> Result<Delivered, DestinationError> {
    let field = aws.field.as_deref();
    for _ in 0..TRIES {
        let (before, version) = match current(desk, aws, location).await? {
            Some(current) => (current.content.map(Secret::new), Some(current.version)),
            None => (None, None),
        };
        let content = merge::put(field, before.as_ref(), parcel.secret)?;
        if before.as_ref().is_some_and(|before| before.expose() == content.expose()) {
            return Ok(Delivered { version });
        }
        let token = parcel.mark(content.expose().as_bytes());
        let done = match &version {
            Some(before) => replace(desk, aws, location, &content, &token, before).await,
            None => create(desk, aws, location, &content, &token).await,
        };
        match done {
            Ok(()) => return Ok(Delivered { version: Some(token) }),
            // It was made, or its stage moved, since it was looked at.
            Err(Refusal::Exists | Refusal::Moved) => {}
            Err(other) => return Err(other.into()),
        }
    }
    Err(DestinationError::Contended)
}

async fn create(
    desk: &Desk<'_>,
    aws: &Aws,
    location: &str,
    content: &Secret<String>,
    token: &str,
) -> Result<(), Refusal> {
    let body = json!({
        "Name": location,
        "SecretString": content.expose(),
        "ClientRequestToken": token,
        "Description": "Written by Louver.",
    });
    match call(desk, aws, "CreateSecret", &body).await {
        // There is such a secret, without a current version: its first one becomes that by itself.
        Err(Refusal::Exists) => put(desk, aws, location, content, token, None).await,
        // It has no stages yet: this is about something else.
        Err(Refusal::Moved) => Err(Refusal::Other(DestinationError::Answered(400))),
        answer => answer.map(drop),
    }
}

async fn replace(
    desk: &Desk<'_>,
    aws: &Aws,
    location: &str,
    content: &Secret<String>,
    token: &str,
    before: &str,
) -> Result<(), Refusal> {
    put(desk, aws, location, content, token, Some("AWSPENDING")).await?;
    let body = json!({
        "SecretId": location,
        "VersionStage": "AWSCURRENT",
        "MoveToVersionId": token,
        "RemoveFromVersionId": before,
    });
    call(desk, aws, "UpdateSecretVersionStage", &body).await.map(drop)
}

async fn put(
    desk: &Desk<'_>,
    aws: &Aws,
    location: &str,
    content: &Secret<String>,
    token: &str,
    stage: Option<&str>,
) -> Result<(), Refusal> {
    let mut body = json!({
        "SecretId": location,
        "SecretString": content.expose(),
        "ClientRequestToken": token,
    });
    if let (Some(stage), Some(members)) = (stage, body.as_object_mut()) {
        members.insert("VersionStages".into(), json!([stage]));
    }
    call(desk, aws, "PutSecretValue", &body).await.map(drop)
}

pub(super) async fn read(
    desk: &Desk<'_>,
    aws: &Aws,
    location: &str,
) -> Result<Option<Secret<String>>, DestinationError> {
    let content = current(desk, aws, location).await?.and_then(|current| current.content);
    content.map_or(Ok(None), |content| merge::get(aws.field.as_deref(), Secret::new(content)))
}

pub(super) async fn remove(desk: &Desk<'_>, aws: &Aws, location: &str) -> Result<(), DestinationError> {
    let body = json!({"SecretId": location, "ForceDeleteWithoutRecovery": true});
    Ok(call(desk, aws, "DeleteSecret", &body).await.map(drop)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_aws_does() {
        for time in ["2015-08-30T12:36:00Z", "2015-08-30T12:36:00.5Z", "2015-08-30T12:36:00.000001Z"] {
            assert_eq!(compact(time), "20150830T123600Z");
        }
    }
}
