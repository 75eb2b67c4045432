//! Transcriptions: calls to a model whose body is a form, billed by the second.

use super::{Filled, read};
use crate::admit::{admit, may_begin};
use crate::authn::Caller;
use crate::edge;
use crate::forward::forward;
use crate::intake::{Ask, Given};
use crate::pipeline::{Gateway, Visitor};
use crate::references;
use crate::reply::{self, Body, Failure};
use crate::upstream::Pool;
use http::Response;
use http::header::HOST;
use http::request::Parts;
use hyper::body::Incoming;
use louver_domain::endpoints::EndpointKind;
use louver_mistral::address::is_foreign;
use louver_mistral::audio;
use louver_mistral::endpoints::Asked;
use louver_mistral::forms::{NO_FORM, TRANSCRIPTION, Transcription};
use louver_mistral::request::{Detail, RequestError};
use std::sync::Arc;

/// Writes down what is said in a file, or at an address.
pub(super) async fn answer(
    gateway: &Arc<Gateway>,
    pool: &Pool,
    visitor: Visitor,
    caller: Caller,
    asked: &Asked<'_>,
    head: Parts,
    body: Incoming,
) -> Result<Response<Body>, Failure> {
    may_begin(gateway, &visitor, &caller, EndpointKind::Transcriptions)?;
    if edge::json_body(&head.headers).is_ok() {
        return Err(wrong("body", "value_error", NO_FORM));
    }
    let Filled { fields, file } = read(gateway, &TRANSCRIPTION, &head.headers, body).await?;
    let understood = Transcription::read(fields, file.is_some()).map_err(Failure::Request)?;
    if understood.file_url().is_some_and(|url| !is_foreign(url, own_name(&head))) {
        return Err(wrong("file_url", "url_parsing", "Input should be an https URL of another host"));
    }
    let Transcription { mut request, fields } = understood;
    let filled = Filled { fields, file };
    request.quantities.audio_seconds = seconds(gateway, &filled).await?;
    let ask = Ask { request, body: Given::Form(filled) };
    let resolved = references::resolve(gateway, &caller, asked, &ask.request).await?;
    let admitted = admit(gateway, &visitor, &caller, ask, resolved).await?;
    let answered = forward(gateway, pool, admitted).await?;
    Ok(reply::relay(answered, &gateway.settings().timeouts))
}

/// How long the audio is at most: as a file of plain samples says, else as long as any may be.
async fn seconds(gateway: &Gateway, filled: &Filled) -> Result<u64, Failure> {
    let most = gateway.settings().bounds.audio_seconds;
    let Some(file) = &filled.file else { return Ok(most) };
    let start = file.spool.start(audio::HEAD_BYTES).await.map_err(|error| {
        tracing::error!(%error, "a file that was set aside cannot be read");
        Failure::NoRoom
    })?;
    Ok(audio::wav_seconds(&start, file.spool.length()).unwrap_or(most))
}

/// How the client names this gateway.
fn own_name(head: &Parts) -> &str {
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    head.uri.authority().map(|authority| authority.as_str()).or(host).unwrap_or_default()
}

fn wrong(name: &str, kind: &'static str, msg: &'static str) -> Failure {
    let mut loc = vec!["body".to_owned()];
    loc.extend((name != "body").then(|| name.to_owned()));
    Failure::Request(RequestError::Shape(vec![Detail { loc, msg: msg.into(), kind }]))
}
