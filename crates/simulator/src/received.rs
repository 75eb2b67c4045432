//! A request that was received, and what is understood of it before any endpoint looks at it.

use bytes::Bytes;
use http::{HeaderMap, header, request::Parts};
use serde_json::{Map, Value};

use crate::{
    books::Account,
    fault,
    form::Form,
    lenient, ocr, request,
    route::{self, Endpoint},
    simulator::Inner,
    speech, stored,
};

/// A request that was received.
pub(crate) struct Received {
    pub(crate) parts: Parts,
    pub(crate) endpoint: Endpoint,
    /// The body, or the fields of a form.
    pub(crate) value: Option<Value>,
    /// Whether the body was a form.
    pub(crate) form: bool,
    /// The file of a form.
    pub(crate) file: Option<Bytes>,
    pub(crate) model: Option<String>,
    pub(crate) account: Option<String>,
    pub(crate) stream: bool,
    /// The models of its guardrails.
    pub(crate) guardrails: Vec<String>,
    /// What else is to be known of a request for something stored.
    pub(crate) stored: Option<Box<stored::Request>>,
    /// Whether it is a line of a batch.
    pub(crate) batch: bool,
    priority: bool,
}

impl Received {
    pub(crate) fn new(parts: Parts, endpoint: Endpoint, body: &Bytes) -> Self {
        let form = if endpoint == Endpoint::Transcriptions { Form::read(&parts.headers, body) } else { None };
        let is_form = form.is_some();
        // Where no form is looked for the body is JSON, whatever it is said to be.
        let (value, file) = match form {
            Some(form) => (Some(Value::Object(form.fields)), form.file),
            None if endpoint.infers() || matches!(endpoint, Endpoint::Stored(_)) => {
                (lenient::parse(body), None)
            }
            None => (None, None),
        };
        let empty = Map::new();
        let fields = value.as_ref().and_then(Value::as_object).unwrap_or(&empty);
        let model = match endpoint {
            Endpoint::Model => route::model_id(&parts.uri),
            Endpoint::Realtime => parts.uri.query().and_then(|query| route::parameter(query, "model")),
            _ => model(endpoint, fields, value.is_some()),
        };
        Self {
            model,
            account: fault::account(fields),
            stream: streams(endpoint) && fields.get("stream").and_then(lenient::boolean).unwrap_or(false),
            guardrails: request::guardrails(fields),
            priority: tiers(endpoint) && request::priority(fields),
            stored: None,
            batch: false,
            form: is_form,
            parts,
            endpoint,
            value,
            file,
        }
    }

    /// Finds the model of a request that leaves it to something stored.
    pub(crate) fn resolve(&mut self, inner: &Inner) {
        if let (Endpoint::Stored(noun), None) = (self.endpoint, &self.model) {
            self.model = inner.stored_model(noun, self);
        }
    }

    /// The bearer's token.
    pub(crate) fn bearer(&self) -> Option<String> {
        bearer(&self.parts.headers)
    }

    /// Whom the call is billed to.
    pub(crate) fn account(&self) -> Account {
        let (name, model, endpoint) = (self.account.clone(), self.model.clone(), self.endpoint);
        let (priority, batch) = (self.priority, self.batch);
        Account { bearer: self.bearer(), name, model, endpoint, priority, batch }
    }
}

/// The model that a body names, or has by default.
fn model(endpoint: Endpoint, fields: &Map<String, Value>, readable: bool) -> Option<String> {
    let given = fields.get("model");
    let default = match endpoint {
        Endpoint::Fim if given.is_none() => request::FIM_DEFAULT,
        Endpoint::Ocr if given.is_none_or(Value::is_null) => ocr::DEFAULT,
        Endpoint::Speech if given.is_none_or(Value::is_null) => speech::DEFAULT,
        _ => return given.and_then(Value::as_str).map(str::to_owned),
    };
    readable.then(|| default.to_owned())
}

/// Whether an endpoint answers as a stream when it is told to.
fn streams(endpoint: Endpoint) -> bool {
    use Endpoint::{Chat, Fim, Responses, Speech, Transcriptions};
    match endpoint {
        Endpoint::Stored(noun) => noun.streams(),
        _ => matches!(endpoint, Chat | Fim | Responses | Speech | Transcriptions),
    }
}

/// Whether an endpoint knows tiers.
fn tiers(endpoint: Endpoint) -> bool {
    use Endpoint::{Chat, Embeddings, Fim, Responses};
    matches!(endpoint, Chat | Fim | Embeddings | Responses)
}

/// The token of an `authorization` header, if it is a bearer's and not empty; or of a WebSocket's protocols, where
/// browsers put it.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<String> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let (scheme, token) = value.to_str().ok()?.trim().split_once(' ')?;
        let token = token.trim();
        return (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| token.to_owned());
    }
    let protocols = headers.get(header::SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
    let (first, token) = protocols.split_once(',')?;
    (first.trim() == "realtime" && !token.trim().is_empty()).then(|| token.trim().to_owned())
}
