//! The one funnel: every error of the control plane, and the answer that each becomes.

use crate::context::RequestContext;
use crate::idempotency::Repeated;
use crate::reply;
use axum::body::Body;
use axum::extract::{Query, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CACHE_CONTROL, RETRY_AFTER};
use http::{HeaderValue, StatusCode, Uri};
use louver_domain::access::{Action, Denied};
use louver_domain::keys::looks_like_key;
use louver_mistral::json::JsonError;
use louver_store::StoreError;
use louver_store::seal::WrongMasterKey;
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// What can go wrong, grouped by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No credential that is accepted; which part failed is not told.
    #[error("Unauthorized")]
    Unauthorized,
    /// The address holds a key, where it would be logged.
    #[error("the query holds what looks like a key; keys go into a header, and this one should be replaced")]
    KeyInQuery,
    /// The body is not one unambiguous JSON value.
    #[error("{} at line {}, column {}", .0.message, .0.line, .0.column)]
    Json(JsonError),
    /// The body is too large.
    #[error("the body is larger than 1 MiB")]
    TooLarge,
    /// The body ended before its end.
    #[error("the body broke off")]
    BrokenBody,
    /// A field or parameter is of the wrong shape, or names what is not there.
    #[error("{}: {}", .0.param(), .0.message)]
    Invalid(Fault),
    /// The same to the outside, where a field names what is there and the caller may not know of it or not use it.
    #[error("{}: {}", .0.param(), .0.message)]
    Concealed(Fault),
    /// The caller knows of it, and may not.
    #[error("{0}")]
    Forbidden(String),
    /// The caller knows of it, and lacks this permission.
    #[error("this needs the permission {}, which you do not hold here", .0.as_str())]
    Lacking(Action),
    /// There, and the caller may not know of it: to the outside as if it were not there.
    #[error("not found")]
    Unseen,
    /// Not there, or not in the caller's organization.
    #[error("not found")]
    NotFound,
    /// A name or id in the body names what is not there, or not in the caller's organization.
    #[error("{0}")]
    NotHere(String),
    /// No such path.
    #[error("no Route matched with those values")]
    NoRoute,
    /// The path does not know that method.
    #[error("that method is not allowed here")]
    MethodNotAllowed,
    /// It does not fit what is there.
    #[error("{0}")]
    Conflict(String),
    /// A session in which the person has not shown lately that it is them.
    #[error("give your password again: this needs a fresh word that it is you")]
    Unconfirmed,
    /// A request with a session that another site sent.
    #[error("this request was sent by another site, or does not say by which: it is not carried out")]
    ForeignOrigin,
    /// Too many attempts to sign in: so many seconds until the next.
    #[error("too many attempts to sign in: try again in {0} s")]
    TooManyAttempts(u64),
    /// To the outside a conflict: the organization would be left without an admin.
    #[error("the organization would be left without an organization_admin: make another one first")]
    LastAdmin,
    /// The request of this idempotency key came before, and its answer cannot be given.
    #[error("{0}")]
    Repeated(Repeated),
    /// The caller has as much under way as one may have.
    #[error("{0}")]
    TooMany(String),
    /// `If-Match` names an older state.
    #[error("it has changed since it was read: read it again")]
    PreconditionFailed,
    /// The database does not answer.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// The audit log cannot be written, so that nothing is changed.
    #[error("{0}")]
    AuditUnavailable(String),
    /// Our own fault; a person must look.
    #[error("{0}")]
    Internal(String),
}

/// One step towards a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Step {
    /// Into an object.
    Name(String),
    /// Into a list.
    Index(usize),
}

/// A refused field or parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `body`, `query` or `header`, then the way to the field.
    pub loc: Vec<Step>,
    /// What is wrong, without the value.
    pub message: String,
    /// `missing`, `extra_forbidden`, `type_error` or `value_error`.
    pub kind: &'static str,
}

impl Fault {
    /// The names on the way to the field, joined by dots.
    pub fn param(&self) -> String {
        let name = |step: &Step| match step {
            Step::Name(name) => Some(name.clone()),
            Step::Index(_) => None,
        };
        self.loc.iter().skip(1).filter_map(name).collect::<Vec<_>>().join(".")
    }
}

impl ControlError {
    /// A field of the body, named by its path with dots.
    pub fn field(path: &str, message: impl Into<String>) -> Self {
        let steps = path.split('.').map(|name| match name.parse() {
            Ok(index) => Step::Index(index),
            Err(_) => Step::Name(name.to_owned()),
        });
        let loc = std::iter::once(Step::Name("body".into())).chain(steps).collect();
        Self::Invalid(Fault { loc, message: message.into(), kind: "value_error" })
    }

    /// The same fault, in a body that is a list: of the one that stands there.
    pub(crate) fn within(self, place: usize) -> Self {
        match self {
            Self::Invalid(mut fault) => {
                fault.loc.insert(1.min(fault.loc.len()), Step::Index(place));
                Self::Invalid(fault)
            }
            Self::Concealed(fault) => Self::Invalid(fault).within(place).concealing(),
            other => other,
        }
    }

    /// The same answer, given since the caller may not: it counts as a refusal.
    pub(crate) fn concealing(self) -> Self {
        match self {
            Self::Invalid(fault) => Self::Concealed(fault),
            other => other,
        }
    }

    /// A parameter of the query.
    pub fn parameter(name: &str, message: impl Into<String>) -> Self {
        let loc = vec![Step::Name("query".into()), Step::Name(name.to_owned())];
        Self::Invalid(Fault { loc, message: message.into(), kind: "value_error" })
    }

    /// A header.
    pub(crate) fn header(name: &str, message: impl Into<String>) -> Self {
        let loc = vec![Step::Name("header".into()), Step::Name(name.to_owned())];
        Self::Invalid(Fault { loc, message: message.into(), kind: "value_error" })
    }

    /// The same error, with a better sentence when it is a conflict of names.
    pub(crate) fn or_taken(error: StoreError, sentence: &str) -> Self {
        match Self::from(error) {
            Self::Conflict(_) => Self::Conflict(sentence.to_owned()),
            other => other,
        }
    }

    /// The caller lacks a permission.
    pub(crate) const fn lacking(action: Action) -> Self {
        Self::Lacking(action)
    }

    /// The permission that was missing, where that is the reason.
    pub(crate) const fn lacks(&self) -> Option<Action> {
        if let Self::Lacking(action) = self { Some(*action) } else { None }
    }

    /// Whether it says that the caller may not, or may not know; `named` when the path names an object.
    pub(crate) fn is_refusal(&self, named: bool) -> bool {
        let may_not = matches!(self, Self::Forbidden(_) | Self::Lacking(_) | Self::Unseen | Self::NotHere(_));
        let hidden = matches!(self, Self::Concealed(_) | Self::LastAdmin);
        may_not || hidden || (named && matches!(self, Self::NotFound))
    }

    /// The status of its answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::KeyInQuery | Self::Json(_) | Self::BrokenBody => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Invalid(_) | Self::Concealed(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Forbidden(_) | Self::Lacking(_) | Self::Unconfirmed | Self::ForeignOrigin => {
                StatusCode::FORBIDDEN
            }
            Self::TooManyAttempts(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::NotFound | Self::Unseen | Self::NotHere(_) | Self::NoRoute => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict(_) | Self::LastAdmin | Self::Repeated(_) => StatusCode::CONFLICT,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::Unavailable(_) | Self::AuditUnavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Unauthorized => "authentication_error",
            Self::KeyInQuery => "key_in_query",
            Self::Json(error) => error.kind.as_str(),
            Self::BrokenBody => "broken_body",
            Self::TooLarge => "request_too_large",
            Self::Invalid(_) | Self::Concealed(_) => "invalid_request",
            Self::Forbidden(_) | Self::Lacking(_) => "permission_denied",
            Self::Unconfirmed => "confirmation_needed",
            Self::ForeignOrigin => "foreign_origin",
            Self::TooManyAttempts(_) => "too_many_attempts",
            Self::NotFound | Self::Unseen | Self::NotHere(_) | Self::NoRoute => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Conflict(_) | Self::LastAdmin => "conflict",
            Self::Repeated(repeated) => repeated.kind(),
            Self::TooMany(_) => "too_many_requests",
            Self::PreconditionFailed => "precondition_failed",
            Self::Unavailable(_) => "unavailable",
            Self::AuditUnavailable(_) => "audit_unavailable",
            Self::Internal(_) => "internal_error",
        }
    }

    /// What the caller may read of it: nothing of our insides.
    pub fn public_message(&self) -> String {
        match self {
            Self::Unavailable(_) => String::from("the database is not available, try again"),
            Self::AuditUnavailable(_) => String::from(
                "nothing was changed, since the audit log cannot be written now; calls to models go on",
            ),
            Self::Internal(_) => {
                String::from("something went wrong inside; the log of this request says more")
            }
            Self::Unauthorized
            | Self::KeyInQuery
            | Self::Json(_)
            | Self::TooLarge
            | Self::BrokenBody
            | Self::Invalid(_)
            | Self::Concealed(_)
            | Self::Forbidden(_)
            | Self::Lacking(_)
            | Self::Unseen
            | Self::NotFound
            | Self::NotHere(_)
            | Self::NoRoute
            | Self::MethodNotAllowed
            | Self::Conflict(_)
            | Self::LastAdmin
            | Self::Unconfirmed
            | Self::ForeignOrigin
            | Self::TooManyAttempts(_)
            | Self::Repeated(_)
            | Self::TooMany(_)
            | Self::PreconditionFailed => self.to_string(),
        }
    }

    /// The members that only some errors have.
    fn detail(&self) -> Value {
        match self {
            Self::Invalid(fault) | Self::Concealed(fault) => {
                json!([{"loc": fault.loc, "msg": fault.message, "type": fault.kind}])
            }
            Self::Unauthorized
            | Self::KeyInQuery
            | Self::Json(_)
            | Self::TooLarge
            | Self::BrokenBody
            | Self::Forbidden(_)
            | Self::Lacking(_)
            | Self::Unseen
            | Self::NotFound
            | Self::NotHere(_)
            | Self::NoRoute
            | Self::MethodNotAllowed
            | Self::Conflict(_)
            | Self::LastAdmin
            | Self::Unconfirmed
            | Self::ForeignOrigin
            | Self::TooManyAttempts(_)
            | Self::Repeated(_)
            | Self::TooMany(_)
            | Self::PreconditionFailed
            | Self::Unavailable(_)
            | Self::AuditUnavailable(_)
            | Self::Internal(_) => Value::String(self.public_message()),
        }
    }

    fn body(&self, surface: Surface, context: RequestContext) -> Value {
        match (self, surface) {
            (Self::Unauthorized, _) => json!({"detail": "Unauthorized"}),
            (Self::NoRoute, _) => json!({"message": "no Route matched with those values"}),
            (error, Surface::Mistral) => json!({"detail": error.detail()}),
            (error, Surface::Louver) => error.louver_body(context),
        }
    }

    fn louver_body(&self, context: RequestContext) -> Value {
        let param =
            if let Self::Invalid(fault) | Self::Concealed(fault) = self { Some(fault.param()) } else { None };
        let mut body = json!({
            "object": "error",
            "message": self.public_message(),
            "type": self.kind(),
            "param": param,
            "code": self.kind(),
            "raw_status_code": self.status().as_u16(),
            "request_id": context.request_id.to_string(),
            "detail": self.detail(),
        });
        if let (Self::Json(error), Some(members)) = (self, body.as_object_mut()) {
            members.insert("code".into(), "invalid_json".into());
            members.insert("line".into(), error.line.into());
            members.insert("column".into(), error.column.into());
        }
        body
    }

    fn log(&self, context: RequestContext) {
        if let Self::Unavailable(reason) | Self::AuditUnavailable(reason) | Self::Internal(reason) = self {
            tracing::error!(request_id = %context.request_id, kind = self.kind(), reason, "an admin request failed");
        }
    }
}

impl From<StoreError> for ControlError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(reason) => Self::Unavailable(reason),
            StoreError::Audit(reason) => Self::AuditUnavailable(reason),
            StoreError::Conflict => Self::Conflict("something of that name exists already".into()),
            StoreError::Corrupt(reason) | StoreError::Configuration(reason) => Self::Internal(reason),
        }
    }
}

impl From<Denied> for ControlError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Unseen => Self::Unseen,
            Denied::Lacks(action) => Self::lacking(action),
            Denied::OwnRights => {
                Self::Forbidden("nobody changes what they themselves may do: ask another admin".into())
            }
            Denied::NotHeld(action) => Self::Forbidden(format!(
                "this would give the permission {}, which you do not hold here yourself",
                action.as_str()
            )),
        }
    }
}

impl From<WrongMasterKey> for ControlError {
    fn from(error: WrongMasterKey) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<serde_json::Error> for ControlError {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(error.to_string())
    }
}

/// Whose shapes an answer has.
#[derive(Clone, Copy)]
enum Surface {
    /// Our own.
    Louver,
    /// Mistral's Admin API.
    Mistral,
}

/// Carries the error to [`funnel`], which alone knows the request.
impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// The layer around everything: refuses keys in the query, turns errors into answers, keeps answers out of caches
/// that say nothing of them.
pub(crate) async fn funnel(request: Request, next: Next) -> Response {
    let of_mistral = ["/v1/admin/", "/v1/users/"].iter().any(|start| request.uri().path().starts_with(start));
    let surface = if of_mistral { Surface::Mistral } else { Surface::Louver };
    let Some(context) = request.extensions().get::<RequestContext>().copied() else {
        tracing::error!("a request came without its context");
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = match holds_key(request.uri()) {
        true => ControlError::KeyInQuery.into_response(),
        false => next.run(request).await,
    };
    if let Some(error) = response.extensions_mut().remove::<Arc<ControlError>>() {
        error.log(context);
        let allow = response.headers_mut().remove(ALLOW);
        response = reply::json(error.status(), &error.body(surface, context));
        if let Some(allow) = allow {
            response.headers_mut().insert(ALLOW, allow);
        }
        let running = matches!(*error, ControlError::Repeated(Repeated::Running));
        if running || error.status() == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if error.status() == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("60"));
        }
    }
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn holds_key(uri: &Uri) -> bool {
    let Some(raw) = uri.query() else { return false };
    let decoded = Query::<Vec<(String, String)>>::try_from_uri(uri);
    let pairs = decoded.map_or_else(|_| vec![], |Query(pairs)| pairs);
    looks_like_key(raw) || pairs.iter().any(|(name, value)| looks_like_key(name) || looks_like_key(value))
}

/// For paths that are not there.
pub(crate) async fn no_route() -> ControlError {
    ControlError::NoRoute
}

/// For methods that a path does not have.
pub(crate) async fn method_not_allowed() -> ControlError {
    ControlError::MethodNotAllowed
}
