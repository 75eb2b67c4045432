//! Transcriptions: calls to a model whose body is a form, billed by the second.

use super::{Filled, read, still};
use crate::admit::may_begin;
use crate::attempts;
use crate::authn::Caller;
use crate::edge;
use crate::intake::{Ask, Flow, Given};
use crate::pipeline::{Gateway, Visitor};
use crate::references;
use crate::reply::{self, Body, Failure};
use crate::upstream::Pool;
use http::header::{CONTENT_TYPE, HOST};
use http::request::Parts;
use http::{HeaderMap, Response};
use hyper::body::Incoming;
use louver_domain::endpoints::EndpointKind;
use louver_mistral::address::is_foreign;
use louver_mistral::audio;
use louver_mistral::endpoints::Asked;
use louver_mistral::forms::{NO_FORM, TRANSCRIPTION, Transcription, URLENCODED, urlencoded};
use louver_mistral::request::{Detail, RequestError};
use std::sync::Arc;

/// The longest form without a file, in bytes.
const LONGEST_PLAIN: usize = 256 << 10;

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
    let Filled { fields, file } = match is_urlencoded(&head.headers) {
        true => plain(gateway, &head.headers, body).await?,
        false => read(gateway, &TRANSCRIPTION, &head.headers, body).await?,
    };
    let understood = Transcription::read(fields, file.is_some()).map_err(Failure::Request)?;
    let public = gateway.settings().public_host.as_deref();
    let mut own = std::iter::once(own_name(&head)).chain(public);
    if understood.file_url().is_some_and(|url| own.any(|own| !is_foreign(url, own))) {
        return Err(wrong("file_url", "url_parsing", "Input should be an https URL of another host"));
    }
    let caller = still(gateway, &visitor, &caller, EndpointKind::Transcriptions)?;
    let Transcription { mut request, fields } = understood;
    let filled = Filled { fields, file };
    request.quantities.audio_seconds = seconds(gateway, &filled).await?;
    let ask = Ask { request, body: Given::Form(filled) };
    let resolved = references::resolve(gateway, &caller, asked, &ask).await?;
    let heard = attempts::run(gateway, pool, &visitor, &caller, ask, &resolved).await?;
    Ok(reply::heard(heard, &gateway.settings().timeouts))
}

/// Whether the form is of the kind that can have no file.
fn is_urlencoded(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    matches!((types.next(), types.next()), (Some(only), None) if only.as_bytes() == URLENCODED.as_bytes())
}

/// Reads a form without a file.
async fn plain(gateway: &Gateway, headers: &HeaderMap, body: Incoming) -> Result<Filled, Failure> {
    edge::not_compressed(headers)?;
    let mut flow = Flow::new(gateway.settings(), headers, body, LONGEST_PLAIN)?;
    let mut bytes = Vec::new();
    while let Some(piece) = flow.next().await? {
        bytes.extend_from_slice(&piece);
    }
    let fields = urlencoded(&TRANSCRIPTION, &bytes).map_err(Failure::Form)?;
    Ok(Filled { fields, file: None })
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
