//! Files: listed from the registry, shown, downloaded, signed and deleted upstream.

use super::{Deed, lists, whole};
use crate::redact::redact;
use crate::reply::{self, Body, Failure};
use http::{Method, Response, StatusCode};
use louver_domain::admission::Refusal;
use louver_domain::objects::ObjectKind;
use louver_store::objects::Object;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What lists may be asked by.
pub(super) const PARAMETERS: &[&str] =
    &["page", "page_size", "include_total", "sample_type", "source", "search", "purpose", "mimetypes"];

/// Of these, what may be asked by several at once.
pub(super) const LISTS: &[&str] = &["sample_type", "source", "mimetypes"];

/// What is known of a file.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Known {
    /// The file as upstream showed it when it was made.
    pub(crate) shown: Value,
    /// The SHA-256 of what was sent, in hexadecimal digits.
    #[serde(default)]
    pub(crate) sha256: String,
    /// How long that is.
    #[serde(default)]
    pub(crate) bytes: u64,
    /// What was found in it when it was uploaded.
    #[serde(default)]
    pub(crate) content: Option<Value>,
}

impl Known {
    /// Of a file in the registry.
    pub(crate) fn of(object: &Object) -> Self {
        serde_json::from_str(&object.attributes).unwrap_or_default()
    }

    /// As it is stored, with what upstream shows of the file.
    pub(crate) fn showing(self, shown: &Value) -> String {
        let known = Self { shown: shown.clone(), ..self };
        serde_json::to_string(&known).unwrap_or_default()
    }
}

/// The files of the workspace, newest first.
pub(super) async fn list(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let (skip, size) = lists::page(deed, 100)?;
    let fitting = |object: &Object| Some(Known::of(object).shown).filter(|file| fits(deed, file));
    let all = lists::gather(deed, ObjectKind::File, "", usize::MAX, fitting).await?;
    let total = all.len();
    let shown: Vec<Value> = all.into_iter().skip(skip).take(size).collect();
    let answer = match deed.query.get("include_total") {
        Some("false") => json!({"object": "list", "data": shown}),
        _ => json!({"object": "list", "data": shown, "total": total}),
    };
    Ok(deed.reply(StatusCode::OK, &answer))
}

/// Whether a file is one of those that were asked for.
fn fits(deed: &Deed<'_>, file: &Value) -> bool {
    let is = |name: &str| deed.query.wants(name, file.get(name).and_then(Value::as_str));
    let named =
        |part: &str| file.get("filename").and_then(Value::as_str).is_some_and(|name| name.contains(part));
    ["purpose", "sample_type", "source"].into_iter().all(is)
        && deed.query.wants("mimetypes", file.get("mimetype").and_then(Value::as_str))
        && deed.query.get("search").is_none_or(named)
}

/// One file, as upstream shows it now.
pub(super) async fn get(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let file = deed.object(ObjectKind::File).await?;
    let credential = deed.credential_of(&file)?;
    let said = deed.ask(Method::GET, deed.asked.path(), &credential, None).await?;
    deed.pass_on(&said)
}

/// Deletes a file. One that upstream has forgotten already is deleted here too.
pub(super) async fn delete(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    deed.delete(ObjectKind::File).await
}

/// The content of a file, as it comes.
pub(super) async fn download(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let file = deed.object(ObjectKind::File).await?;
    let credential = deed.credential_of(&file)?;
    let response = deed.send(Method::GET, deed.asked.path(), &credential, None).await?;
    match response.status() {
        StatusCode::NOT_FOUND => Err(Failure::NoSuchObject),
        status if status.is_success() => Ok(reply::download(response, deed.allowance)),
        status => {
            let body = redact(whole(response.into_body()).await?, credential.credential());
            let value: Value = serde_json::from_slice(&body).map_err(|_| Failure::UpstreamBroken)?;
            Ok(deed.reply(status, &value))
        }
    }
}

/// A URL that gives a file without a key, for no longer than the rules allow.
pub(super) async fn sign(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let most = deed.caller.key.rules.signed_url_hours;
    if most == 0 {
        return Err(Failure::Refused(Refusal::SignedUrlNotAllowed));
    }
    let asked: u32 = match deed.query.get("expiry") {
        None => 24,
        Some(text) => text.parse().map_err(|_| Failure::BadParameter { name: "expiry" })?,
    };
    let file = deed.object(ObjectKind::File).await?;
    let credential = deed.credential_of(&file)?;
    let target = format!("{}?expiry={}", deed.asked.path(), asked.clamp(1, most));
    let said = deed.ask(Method::GET, target, &credential, None).await?;
    tracing::info!(file = %file.id, hours = asked.min(most), "a signed URL was made");
    deed.pass_on(&said)
}
