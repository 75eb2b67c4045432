//! What is kept upstream for a workspace: made, shown, changed and deleted by its own keys, and by nobody else's.
//!
//! Lists are answered from the registry. Everything else is looked up there first, and goes upstream only for an object
//! of the key's workspace, with the credential that the object was made with. What upstream answers loses the ids of
//! upstream's own organization (`scrub.rs`).

mod batch_jobs;
mod files;
mod scrub;

pub(crate) use files::Known as FileKnown;
pub(crate) use scrub::scrub_for;

use crate::admit::{admit_free, kind};
use crate::authn::{Caller, authenticate};
use crate::credentials::{self, InUse};
use crate::forward;
use crate::ledger::Allowance;
use crate::pipeline::{Gateway, Visitor};
use crate::references;
use crate::reply::{self, Body, Failure};
use crate::upstream::{AnswerBody, Call, JSON, Pool, SendError};
use crate::{edge, intake};
use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use louver_domain::admission;
use louver_domain::objects::ObjectKind;
use louver_mistral::endpoints::{Asked, Endpoint};
use louver_mistral::query::{self, Query};
use louver_store::objects::Object;
use serde_json::Value;
use std::borrow::Cow;
use std::future::poll_fn;
use std::sync::Arc;

/// An answer of upstream about an object is no longer than this.
const LONGEST_ANSWER: usize = 16 << 20;

/// A request about objects, once its key may make it.
pub(crate) struct Deed<'a> {
    pub(crate) gateway: &'a Arc<Gateway>,
    pub(crate) pool: &'a Pool,
    pub(crate) visitor: Visitor,
    pub(crate) caller: Caller,
    pub(crate) allowance: Allowance,
    pub(crate) asked: &'a Asked<'a>,
    pub(crate) query: Query,
    /// Strictly read JSON; empty where the request has no body.
    pub(crate) body: Bytes,
}

/// What upstream said about an object.
pub(crate) struct Said {
    pub(crate) status: StatusCode,
    /// Without upstream's own ids; `null` where there was no body.
    pub(crate) value: Value,
}

/// Answers a request about objects.
pub(crate) async fn answer(
    gateway: &Arc<Gateway>,
    pool: &Pool,
    visitor: Visitor,
    asked: &Asked<'_>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Failure> {
    let (head, body) = request.into_parts();
    let caller = authenticate(gateway, &head.headers, visitor.now)?;
    let allowance = match asked.endpoint {
        // It meets the rates together with the budgets, once.
        Endpoint::CreateBatchJob => {
            admission::may_call(&caller.key.rules, visitor.address, kind(asked.endpoint))
                .map_err(Failure::Refused)?;
            Allowance::default()
        }
        other => admit_free(gateway, &visitor, &caller, kind(other))?,
    };
    let query = query::read(head.uri.query(), parameters(asked.endpoint)).map_err(Failure::Query)?;
    let bodiless = matches!(*head.method.as_str().as_bytes(), [b'G' | b'D', ..])
        || asked.endpoint == Endpoint::CancelBatchJob;
    let body = if bodiless {
        edge::no_body(&head.headers)?;
        Bytes::new()
    } else {
        intake::json(gateway.settings(), &head.headers, body).await?
    };
    let deed = Deed { gateway, pool, visitor, caller, allowance, asked, query, body };
    match asked.endpoint {
        Endpoint::ListFiles => files::list(&deed).await,
        Endpoint::GetFile => files::get(&deed).await,
        Endpoint::DeleteFile => files::delete(&deed).await,
        Endpoint::DownloadFile => files::download(&deed).await,
        Endpoint::SignFileUrl => files::sign(&deed).await,
        Endpoint::CreateBatchJob => batch_jobs::create(&deed).await,
        Endpoint::ListBatchJobs => batch_jobs::list(&deed).await,
        Endpoint::GetBatchJob => batch_jobs::get(&deed).await,
        Endpoint::CancelBatchJob => batch_jobs::cancel(&deed).await,
        _ => Err(Failure::NoSuchObject),
    }
}

/// The query parameters that an endpoint takes.
const fn parameters(endpoint: Endpoint) -> &'static [&'static str] {
    match endpoint {
        Endpoint::ListFiles => files::PARAMETERS,
        Endpoint::SignFileUrl => &["expiry"],
        Endpoint::ListBatchJobs => batch_jobs::PARAMETERS,
        Endpoint::GetBatchJob => &["inline"],
        _ => &[],
    }
}

impl Deed<'_> {
    /// The object of the key's workspace that the first id in the path names.
    pub(crate) async fn object(&self, kind: ObjectKind) -> Result<Object, Failure> {
        references::find(self.gateway, &self.caller.key, kind, "", self.asked.id()).await
    }

    /// A credential for something new.
    pub(crate) fn any_credential(&self) -> Result<InUse, Failure> {
        let now = self.gateway.clock().monotonic_micros();
        credentials::choose(&self.caller.key.credentials, now).ok_or(Failure::NoCredential)
    }

    /// The credential that an object was made with.
    pub(crate) fn credential_of(&self, object: &Object) -> Result<InUse, Failure> {
        credentials::exactly(&self.caller.key.credentials, object.credential_id).ok_or(Failure::NoCredential)
    }

    /// Sends a request, and answers as soon as the head of the answer is there.
    pub(crate) async fn send(
        &self,
        method: Method,
        target: String,
        credential: &InUse,
        body: Option<Bytes>,
    ) -> Result<Response<AnswerBody>, Failure> {
        let call = Call {
            method,
            target: Cow::Owned(target),
            authority: self.gateway.settings().upstream.authority.clone(),
            authorization: credential.credential().authorization.clone(),
            accept: "*/*",
            content_type: body.is_some().then_some(JSON),
            body: body.unwrap_or_default(),
        };
        let response = self.pool.send(call).await.map_err(unanswered)?;
        let organization = self.caller.key.organization_id;
        forward::judge_status(self.gateway, organization, credential.credential(), response.status())?;
        Ok(response)
    }

    /// Sends a request about an object, and reads the answer whole.
    pub(crate) async fn ask(
        &self,
        method: Method,
        target: String,
        credential: &InUse,
        body: Option<Bytes>,
    ) -> Result<Said, Failure> {
        let response = self.send(method, target, credential, body).await?;
        let status = response.status();
        let bytes = whole(response.into_body()).await?;
        if bytes.is_empty() {
            return Ok(Said { status, value: Value::Null });
        }
        let mut value = serde_json::from_slice(&bytes).map_err(|_| Failure::UpstreamBroken)?;
        scrub::scrub(&mut value, &self.caller.key);
        Ok(Said { status, value })
    }

    /// An answer in JSON.
    pub(crate) fn reply(&self, status: StatusCode, value: &Value) -> Response<Body> {
        let bytes = if value.is_null() { Vec::new() } else { value.to_string().into_bytes() };
        let mut response = reply::json(bytes, self.allowance);
        *response.status_mut() = status;
        response
    }

    /// What upstream said, as it is; what it does not know is not there.
    pub(crate) fn pass_on(&self, said: &Said) -> Result<Response<Body>, Failure> {
        match said.status {
            StatusCode::NOT_FOUND => Err(Failure::NoSuchObject),
            status => Ok(self.reply(status, &said.value)),
        }
    }
}

pub(crate) fn unanswered(error: SendError) -> Failure {
    match error {
        SendError::NotSent(error) => {
            tracing::warn!(error, "upstream cannot be reached");
            Failure::UpstreamUnreachable
        }
        SendError::TimedOut => Failure::UpstreamTimeout,
        SendError::Broken(error) => {
            tracing::warn!(error, "upstream broke off before it answered");
            Failure::UpstreamBroken
        }
    }
}

/// Reads an answer whole, if it is not too long.
pub(crate) async fn whole(mut body: AnswerBody) -> Result<Bytes, Failure> {
    let mut bytes = BytesMut::new();
    while let Some(piece) = poll_fn(|cx| body.poll_piece(cx)).await {
        bytes.extend_from_slice(&piece.map_err(|_| Failure::UpstreamBroken)?);
        if bytes.len() > LONGEST_ANSWER {
            return Err(Failure::UpstreamBroken);
        }
    }
    Ok(bytes.freeze())
}
