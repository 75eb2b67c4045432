//! The one place that turns a refusal or a failure into HTTP, and dresses every answer.

mod batches;
mod limits;

pub(crate) use batches::BatchRefusal;

use crate::authn::Unauthorized;
use crate::credentials::Missing;
use crate::forward::{Answered, Heard, Refused};
use crate::ledger::{Allowance, Left};
use crate::pipeline::Visitor;
use crate::relay::{Relay, is_events};
use crate::settings::{Settings, Timeouts};
use crate::upstream::{AnswerBody, DEPRECATION, JSON};
use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_DISPOSITION, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use louver_domain::admission::Refusal;
use louver_domain::limits::Region;
use louver_mistral::error::{self, ErrorBody};
use louver_mistral::multipart::MultipartError;
use louver_mistral::query::QueryError;
use louver_mistral::request::{Detail, RequestError};
use louver_store::StoreError;
use std::borrow::Cow;
use std::pin::Pin;
use std::task::{Context, Poll};

/// An error of a body that is none of the data plane's own.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of any answer.
pub enum Body {
    /// Bytes that are there.
    Full(Option<Bytes>),
    /// An answer of upstream, as it comes.
    Relay(Box<RelayBody>),
    /// The bytes of an object that is kept upstream.
    Download(Box<DownloadBody>),
    /// An answer of the other plane.
    Boxed(UnsyncBoxBody<Bytes, BoxError>),
}

/// Upstream's answer on its way to the client.
pub struct RelayBody(Relay);

/// The bytes of an object on their way to the client.
pub struct DownloadBody(AnswerBody);

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Relay(relay) => Pin::new(&mut relay.0).poll_frame(cx).map_err(Into::into),
            Self::Download(body) => {
                body.0.poll_piece(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
            }
            Self::Boxed(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(bytes) => bytes.is_none(),
            Self::Relay(relay) => relay.0.is_end_stream(),
            Self::Download(body) => body.0.is_ended(),
            Self::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |b| u64::try_from(b.len()).unwrap_or(u64::MAX)))
            }
            Self::Relay(relay) => relay.0.size_hint(),
            Self::Download(body) => body.0.size_hint(),
            Self::Boxed(body) => body.size_hint(),
        }
    }
}

/// Why a request gets no answer of upstream's.
#[derive(Debug)]
pub(crate) enum Failure {
    BadRequest { message: &'static str },
    KeyInAddress,
    Unauthorized,
    MethodNotAllowed { allow: Cow<'static, str> },
    UnsupportedMediaType { message: &'static str },
    BodyTooLarge { limit: usize },
    RequestTimeout,
    Request(RequestError),
    Form(MultipartError),
    NoRoom,
    Query(QueryError),
    BadParameter { name: &'static str },
    NoSuchModel,
    NoSuchObject,
    ObjectsApart,
    Batch(BatchRefusal),
    OwnAddress,
    Refused(Refusal),
    NoCredential,
    NotInRegion { region: Region },
    NoServer { region: Option<Region> },
    UpstreamResting { seconds: i64 },
    ForeignOrigin,
    AccountingUnavailable,
    Overloaded,
    UpstreamUnreachable,
    UpstreamBroken,
    UpstreamTimeout,
    UpstreamCredentialRejected,
}

impl Failure {
    /// What is owned by whom cannot be looked up now.
    pub(crate) fn store(error: StoreError) -> Self {
        tracing::error!(%error, "the registry of objects cannot be asked");
        Self::AccountingUnavailable
    }
}

impl Failure {
    /// No credential can be taken.
    pub(crate) fn missing(missing: Missing, now_micros: i64) -> Self {
        match missing {
            Missing::None => Self::NoCredential,
            Missing::Closed { until_micros } => {
                let micros = until_micros.saturating_sub(now_micros).max(1);
                Self::UpstreamResting { seconds: micros.saturating_add(999_999).div_euclid(1_000_000) }
            }
        }
    }
}

impl From<Unauthorized> for Failure {
    fn from(_: Unauthorized) -> Self {
        Self::Unauthorized
    }
}

const LIMIT_REQUESTS: HeaderName = HeaderName::from_static("x-ratelimit-limit-req-minute");
const REMAINING_REQUESTS: HeaderName = HeaderName::from_static("x-ratelimit-remaining-req-minute");
const LIMIT_TOKENS: HeaderName = HeaderName::from_static("x-ratelimit-limit-tokens-minute");
const REMAINING_TOKENS: HeaderName = HeaderName::from_static("x-ratelimit-remaining-tokens-minute");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The model that answered, where it is not the one that was asked for.
const MODEL: HeaderName = HeaderName::from_static("x-louver-model");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

/// An answer that Louver makes itself.
pub(crate) fn json(body: Vec<u8>, allowance: Allowance) -> Response<Body> {
    let mut response = Response::new(Body::Full(Some(body.into())));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    show_allowance(response.headers_mut(), allowance);
    response
}

/// The bytes of an object, as they come. A browser must not take them for a page.
pub(crate) fn download(response: Response<AnswerBody>, allowance: Allowance) -> Response<Body> {
    let mut answer = Response::new(Body::Download(Box::new(DownloadBody(response.into_body()))));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    show_allowance(headers, allowance);
    answer
}

/// An answer of upstream: its status and body, and of its headers only the ones named here.
fn relay(answered: Answered, timeouts: &Timeouts) -> Response<Body> {
    let Answered { ticket, response, stream, allowance, left, stand_in } = answered;
    let (head, body) = response.into_parts();
    let is_events = is_events(&head.headers);
    let stream = stream && is_events;
    let relay = Relay::new(body, ticket, stream, timeouts, left);
    let mut answer = Response::new(Body::Relay(Box::new(RelayBody(relay))));
    *answer.status_mut() = head.status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, if is_events { EVENT_STREAM } else { JSON });
    let mut pass =
        |name: HeaderName| head.headers.get(&name).map(|value| headers.insert(name, value.clone()));
    if !is_events {
        pass(DEPRECATION);
    }
    if let Some(value) = stand_in.and_then(|model| HeaderValue::from_str(&model).ok()) {
        headers.insert(MODEL, value);
    }
    show_allowance(headers, allowance);
    answer
}

/// What upstream said to a call.
pub(crate) fn heard(heard: Heard, timeouts: &Timeouts) -> Response<Body> {
    match heard {
        Heard::Answered(answered) => relay(answered, timeouts),
        Heard::Refused(refused) => pass_refusal(refused),
    }
}

/// A refusal of upstream: its status and body, and of its headers only the ones named here.
fn pass_refusal(refused: Refused) -> Response<Body> {
    let Refused { status, headers, body, allowance } = refused;
    let mut answer = json(body.into(), allowance);
    *answer.status_mut() = status;
    let mut pass =
        |name: HeaderName| headers.get(&name).map(|value| answer.headers_mut().insert(name, value.clone()));
    if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE {
        pass(RETRY_AFTER);
    }
    pass(DEPRECATION);
    answer
}

fn show_allowance(headers: &mut HeaderMap, allowance: Allowance) {
    let mut show = |left: Option<Left>, limit: HeaderName, remaining: HeaderName| {
        if let Some(left) = left {
            headers.insert(limit, left.limit.into());
            headers.insert(remaining, left.remaining.into());
        }
    };
    show(allowance.requests, LIMIT_REQUESTS, REMAINING_REQUESTS);
    show(allowance.tokens, LIMIT_TOKENS, REMAINING_TOKENS);
}

/// What every answer carries.
pub(crate) fn finish(mut response: Response<Body>, visitor: &Visitor, close: bool) -> Response<Body> {
    let mut buffer = [0; 36];
    let id = visitor.request_id.encode(&mut buffer);
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, value);
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if close {
        // After a chunked request the connection is not used again: what followed it was not checked.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Turns a failure into its answer.
pub(crate) fn refuse(visitor: &Visitor, settings: &Settings, failure: Failure) -> Response<Body> {
    let id = visitor.request_id.to_string();
    let plain = |status: u16, kind: &'static str, message: String| {
        answer(&ErrorBody::new(status, kind, message, &id))
    };
    match failure {
        Failure::Unauthorized => raw(401, error::UNAUTHORIZED),
        Failure::BadRequest { message } => plain(400, "invalid_request", message.into()),
        Failure::KeyInAddress => plain(
            400,
            "invalid_request",
            "Send the key in the Authorization header. A key in an address ends up in logs: revoke this one.".into(),
        ),
        Failure::MethodNotAllowed { allow } => {
            let mut response = plain(405, "method_not_allowed", format!("This path answers to {allow}."));
            if let Ok(allow) = HeaderValue::from_str(&allow) {
                response.headers_mut().insert(ALLOW, allow);
            }
            response
        }
        Failure::UnsupportedMediaType { message } => plain(415, "unsupported_media_type", message.into()),
        Failure::BodyTooLarge { limit } => plain(413, "request_too_large", format!("The body is larger than {limit} bytes.")),
        Failure::RequestTimeout => plain(408, "request_timeout", "The body came too slowly.".into()),
        Failure::Request(error) => request_error(&id, error),
        Failure::Form(error) => form_error(&id, error),
        Failure::NoRoom => later(plain(503, "overloaded", "The file cannot be taken in now; nothing was sent.".into())),
        Failure::NoSuchModel => plain(404, "not_found", "There is no such model, or this key may not use it.".into()),
        Failure::Query(error) => plain(400, "invalid_request", format!("{error}.")),
        Failure::BadParameter { name } => {
            plain(422, "invalid_request", format!("The query parameter {name} has a value that it cannot have."))
        }
        Failure::NoSuchObject => plain(404, "not_found", "There is no such object in the workspace of this key.".into()),
        Failure::ObjectsApart => plain(
            422,
            "invalid_request",
            "The objects that the request names were made with different upstream credentials; one call has one.".into(),
        ),
        Failure::Batch(refusal) => batches::batch(&id, refusal),
        Failure::OwnAddress => plain(422, "invalid_request", "An address in the request is this gateway's own.".into()),
        Failure::Refused(refusal) => refused(visitor, settings, &id, refusal),
        Failure::NoCredential => plain(502, "upstream_error", "No upstream credential is set up for this workspace.".into()),
        Failure::NotInRegion { region } => plain(
            403,
            "region_not_available",
            format!("Calls of this key are answered in the region {} only, which does not have this.", region.as_str()),
        ),
        Failure::NoServer { region } => plain(502, "upstream_error", no_server(region)),
        Failure::UpstreamResting { seconds } => {
            let message = "Upstream failed too often; for a moment nothing is sent to it.";
            let mut response = plain(503, "upstream_error", message.into());
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
            response
        }
        Failure::ForeignOrigin => plain(403, "origin_not_allowed", "A page of another origin may not open this socket.".into()),
        Failure::AccountingUnavailable => {
            let message = "What the call uses cannot be accounted for now; nothing was sent.";
            later(plain(503, "accounting_unavailable", message.into()))
        }
        Failure::Overloaded => later(plain(503, "overloaded", "Too many calls wait for the same budget.".into())),
        Failure::UpstreamUnreachable => plain(502, "upstream_error", "Upstream cannot be reached; nothing was sent.".into()),
        Failure::UpstreamBroken => plain(502, "upstream_error", "Upstream gave no usable answer.".into()),
        Failure::UpstreamTimeout => plain(504, "upstream_timeout", "Upstream did not answer in time.".into()),
        Failure::UpstreamCredentialRejected => plain(
            502,
            "upstream_credential_rejected",
            "Upstream rejected the credential that Louver holds; its administrators were told.".into(),
        ),
    }
}

fn no_server(region: Option<Region>) -> String {
    match region {
        Some(region) => {
            format!(
                "No upstream in the region {} is set up for this model; nothing was sent.",
                region.as_str()
            )
        }
        None => "The upstream that serves this model is not set up; nothing was sent.".to_owned(),
    }
}

/// An answer that waiting for a second may cure.
fn later(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn request_error(id: &str, error: RequestError) -> Response<Body> {
    match error {
        RequestError::Json(error) => {
            let message = format!("The body is not valid: {error}");
            let mut body = ErrorBody::new(400, error.kind.as_str(), message, id);
            (body.line, body.column) = (Some(error.line), Some(error.column));
            answer(&body)
        }
        RequestError::Shape(details) => shape(id, details),
    }
}

fn form_error(id: &str, error: MultipartError) -> Response<Body> {
    let (status, message) = (error.status(), format!("The form is not valid: {error}."));
    let kind = match error {
        MultipartError::Shape(detail) => return shape(id, vec![*detail]),
        MultipartError::MediaType(_) => "unsupported_media_type",
        MultipartError::Malformed(_) => "invalid_request",
        MultipartError::TooLarge { .. } => "request_too_large",
    };
    answer(&ErrorBody::new(status, kind, message, id))
}

fn shape(id: &str, details: Vec<Detail>) -> Response<Body> {
    let first = details.first();
    let message = first.map_or_else(String::new, |d| format!("{}: {}", d.loc.join("."), d.msg));
    let field = first.and_then(|d| d.loc.get(1)).cloned();
    let mut body = ErrorBody::new(422, "invalid_request", message, id);
    body.param = field.as_deref();
    body.detail = Some(details);
    answer(&body)
}

fn refused(visitor: &Visitor, settings: &Settings, id: &str, refusal: Refusal) -> Response<Body> {
    let mut body = ErrorBody::new(refusal.status(), refusal.kind(), refusal.message(), id);
    body.param = refusal.param();
    match &refusal {
        Refusal::RateLimited(limited) => limits::rate_limited(visitor, body, limited),
        Refusal::Budget(budget) => limits::budget(body, settings.budget_refusal_status, budget),
        Refusal::BillingInactive
        | Refusal::WorkspaceArchived
        | Refusal::AddressNotAllowed
        | Refusal::EndpointNotAllowed { .. }
        | Refusal::ModelNotAllowed
        | Refusal::TokensPerRequestExceeded { .. }
        | Refusal::ToolNotAllowed { .. }
        | Refusal::TierNotAllowed
        | Refusal::SignedUrlNotAllowed
        | Refusal::UnboundedCost => answer(&body),
    }
}

fn answer(body: &ErrorBody<'_>) -> Response<Body> {
    raw(body.raw_status_code, body.to_bytes())
}

fn raw(status: u16, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::Full(Some(body.into())));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}
