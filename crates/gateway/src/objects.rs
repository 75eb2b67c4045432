//! What is kept upstream for a workspace: made, shown, changed and deleted by its own keys, and by nobody else's.
//!
//! Lists are answered from the registry. Everything else is looked up there first, and goes upstream only for an object
//! of the key's workspace, with the credential that the object was made with. What upstream answers loses the ids of
//! upstream's own organization (`scrub.rs`).

pub(crate) mod agents;
mod batch_jobs;
pub(crate) mod conversations;
mod documents;
mod files;
pub(crate) mod fine_tuned;
mod libraries;
mod lists;
mod making;
pub(crate) mod scrub;

pub(crate) use files::Known as FileKnown;
pub(crate) use scrub::scrub_for;

use crate::admit::{admit_free, kind};
use crate::authn::{Caller, authenticate};
use crate::credentials::{self, InUse};
use crate::forward;
use crate::ledger::Allowance;
use crate::pipeline::{Gateway, Visitor};
use crate::redact::redact;
use crate::references;
use crate::reply::{self, Body, Failure};
use crate::snapshot::KeyEntry;
use crate::upstream::{AnswerBody, Call, Payload, Pool, SendError};
use crate::{edge, intake, servers};
use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use louver_domain::admission;
use louver_domain::id::UpstreamId;
use louver_domain::objects::ObjectKind;
use louver_mistral::endpoints::{Asked, Endpoint};
use louver_mistral::query::{self, Query};
use louver_store::objects::{self, Object};
use serde_json::Value;
use std::borrow::Cow;
use std::future::poll_fn;
use std::sync::Arc;

pub(crate) use files::Known;
pub(crate) use making::Making;

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
    /// Its address and its headers.
    pub(crate) head: Parts,
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
    let caller = authenticate(gateway, &head.headers, &visitor)?;
    let allowance = match asked.endpoint {
        // It meets the rates together with the budgets, once.
        Endpoint::CreateBatchJob => {
            let (rules, endpoint) = (&caller.key.rules, kind(asked.endpoint));
            admission::may_call(rules, visitor.address, endpoint).map_err(Failure::Refused)?;
            servers::may_ask(rules, endpoint)?;
            Allowance::default()
        }
        other => admit_free(gateway, &visitor, &caller, kind(other))?,
    };
    let query = query::read_lists(head.uri.query(), parameters(asked.endpoint), repeatable(asked.endpoint));
    let query = query.map_err(Failure::Query)?;
    let body = if matches!(*head.method.as_str().as_bytes(), [b'G' | b'D', ..]) || is_bodiless(asked.endpoint)
    {
        edge::no_body(&head.headers)?;
        Bytes::new()
    } else {
        intake::json(gateway.settings(), &head.headers, body).await?
    };
    let deed = Deed { gateway, pool, visitor, caller, allowance, asked, head, query, body };
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
        Endpoint::CreateAgent => agents::create(&deed).await,
        Endpoint::ListAgents => agents::listed::list(&deed).await,
        Endpoint::ListAgentPages => agents::listed::follow(&deed).await,
        Endpoint::GetAgent => agents::get(&deed).await,
        Endpoint::UpdateAgent => agents::update(&deed).await,
        Endpoint::DeleteAgent => agents::delete(&deed).await,
        Endpoint::SwitchAgentVersion => agents::switch(&deed).await,
        Endpoint::ListAgentVersions => agents::versions(&deed).await,
        Endpoint::GetAgentVersion => agents::version(&deed).await,
        Endpoint::SetAgentAlias => agents::set_alias(&deed).await,
        Endpoint::ListAgentAliases => agents::aliases(&deed).await,
        Endpoint::DeleteAgentAlias => agents::delete_alias(&deed).await,
        Endpoint::ListConversations => conversations::list(&deed).await,
        Endpoint::GetConversation | Endpoint::ConversationHistory | Endpoint::ConversationMessages => {
            conversations::get(&deed).await
        }
        Endpoint::DeleteConversation => conversations::delete(&deed).await,
        Endpoint::CreateLibrary => libraries::create(&deed).await,
        Endpoint::ListLibraries => libraries::list(&deed).await,
        Endpoint::GetLibrary => libraries::get(&deed).await,
        Endpoint::UpdateLibrary | Endpoint::PatchLibrary => libraries::update(&deed).await,
        Endpoint::DeleteLibrary => libraries::delete(&deed).await,
        Endpoint::ListDocuments => documents::list(&deed).await,
        Endpoint::GetDocument | Endpoint::DocumentText | Endpoint::DocumentStatus => {
            documents::get(&deed).await
        }
        Endpoint::UpdateDocument | Endpoint::PatchDocument => documents::update(&deed).await,
        Endpoint::DeleteDocument => documents::delete(&deed).await,
        Endpoint::SignDocumentUrl | Endpoint::SignDocumentTextUrl => documents::sign(&deed).await,
        Endpoint::ReprocessDocument => documents::reprocess(&deed).await,
        Endpoint::UpdateFineTunedModel => fine_tuned::update(&deed).await,
        Endpoint::ArchiveFineTunedModel | Endpoint::UnarchiveFineTunedModel => {
            fine_tuned::archive(&deed).await
        }
        Endpoint::DeleteModel => fine_tuned::delete(&deed).await,
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
        Endpoint::ListAgents => agents::listed::PARAMETERS,
        Endpoint::ListAgentPages => agents::listed::FOLLOWING,
        Endpoint::ListAgentVersions => agents::PAGES,
        Endpoint::ListConversations => conversations::PARAMETERS,
        Endpoint::GetAgent => &["agent_version"],
        Endpoint::SwitchAgentVersion => &["version"],
        Endpoint::SetAgentAlias => agents::ALIAS,
        Endpoint::DeleteAgentAlias => &["alias"],
        Endpoint::ListLibraries => libraries::PARAMETERS,
        Endpoint::ListDocuments => documents::PARAMETERS,
        _ => &[],
    }
}

/// Of these, the parameters that may stand there several times.
const fn repeatable(endpoint: Endpoint) -> &'static [&'static str] {
    match endpoint {
        Endpoint::ListFiles => files::LISTS,
        Endpoint::ListBatchJobs => batch_jobs::LISTS,
        Endpoint::ListAgents | Endpoint::ListAgentPages => agents::listed::LISTS,
        _ => &[],
    }
}

/// Requests that change something and say all of it in their address.
const fn is_bodiless(endpoint: Endpoint) -> bool {
    matches!(
        endpoint,
        Endpoint::SwitchAgentVersion
            | Endpoint::SetAgentAlias
            | Endpoint::ReprocessDocument
            | Endpoint::ArchiveFineTunedModel
            | Endpoint::CancelBatchJob
    )
}

impl Deed<'_> {
    /// The object of the key's workspace that the first id in the path names.
    pub(crate) async fn object(&self, kind: ObjectKind) -> Result<Object, Failure> {
        references::find(self.gateway, &self.caller.key, kind, "", self.asked.id()).await
    }

    /// A credential for something new.
    pub(crate) fn any_credential(&self) -> Result<InUse, Failure> {
        any_credential(self.gateway, &self.caller.key)
    }

    /// The credential of that id.
    pub(crate) fn exact_credential(&self, id: Option<UpstreamId>) -> Result<InUse, Failure> {
        credentials::exactly(&self.caller.key.credentials, id).ok_or(Failure::NoCredential)
    }

    /// An object that is to be made for the key's workspace with that credential.
    pub(crate) fn intended(&self, kind: ObjectKind, credential_id: Option<UpstreamId>) -> Object {
        references::intended(&self.caller.key, &self.visitor, kind, credential_id)
    }

    /// Deletes the object that the path names. One that upstream has forgotten already is deleted here too.
    pub(crate) async fn delete(&self, kind: ObjectKind) -> Result<Response<Body>, Failure> {
        let object = self.object(kind).await?;
        let credential = self.credential_of(&object)?;
        let said = self.ask(Method::DELETE, self.asked.path(), &credential, None).await?;
        if said.status.is_success() || said.status == StatusCode::NOT_FOUND {
            let deleted = objects::delete(self.gateway.store(), object.id, self.visitor.now).await;
            deleted.map_err(Failure::store)?;
        }
        self.pass_on(&said)
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
        let body = body.map(Payload::json).unwrap_or_default();
        send(self.gateway, self.pool, &self.caller.key, credential, (method, target, body)).await
    }

    /// Sends a request about an object, and reads the answer whole.
    pub(crate) async fn ask(
        &self,
        method: Method,
        target: String,
        credential: &InUse,
        body: Option<Bytes>,
    ) -> Result<Said, Failure> {
        read(self.send(method, target, credential, body).await?, &self.caller.key, credential).await
    }

    /// An answer in JSON.
    pub(crate) fn reply(&self, status: StatusCode, value: &Value) -> Response<Body> {
        reply(status, value, self.allowance)
    }

    /// What upstream said, as it is; what it does not know is not there.
    pub(crate) fn pass_on(&self, said: &Said) -> Result<Response<Body>, Failure> {
        match said.status {
            StatusCode::NOT_FOUND => Err(Failure::NoSuchObject),
            status => Ok(self.reply(status, &said.value)),
        }
    }
}

/// A credential for something new.
pub(crate) fn any_credential(gateway: &Gateway, key: &KeyEntry) -> Result<InUse, Failure> {
    let now = gateway.clock().monotonic_micros();
    credentials::choose(&key.credentials, now).map_err(|missing| Failure::missing(missing, now))
}

/// An answer in JSON.
pub(crate) fn reply(status: StatusCode, value: &Value, allowance: Allowance) -> Response<Body> {
    let bytes = if value.is_null() { Vec::new() } else { value.to_string().into_bytes() };
    let mut response = reply::json(bytes, allowance);
    *response.status_mut() = status;
    response
}

/// A request about an object, as it goes upstream with a credential.
pub(crate) fn call(credential: &InUse, (method, target, body): (Method, String, Payload)) -> Call {
    Call { method, target: Cow::Owned(target), to: Arc::clone(credential.credential()), accept: "*/*", body }
}

/// Sends a request, and answers as soon as the head of the answer is there.
async fn send(
    gateway: &Gateway,
    pool: &Pool,
    key: &KeyEntry,
    credential: &InUse,
    asked: (Method, String, Payload),
) -> Result<Response<AnswerBody>, Failure> {
    let response = pool.send(call(credential, asked)).await.map_err(unanswered)?;
    forward::judge_status(gateway, key.organization_id, credential.credential(), response.status())?;
    Ok(response)
}

/// Reads what upstream said, without its own ids.
async fn read(response: Response<AnswerBody>, key: &KeyEntry, credential: &InUse) -> Result<Said, Failure> {
    let status = response.status();
    let bytes = redact(whole(response.into_body()).await?, credential.credential());
    if bytes.is_empty() {
        return Ok(Said { status, value: Value::Null });
    }
    let mut value = serde_json::from_slice(&bytes).map_err(|_| Failure::UpstreamBroken)?;
    scrub::scrub(&mut value, key);
    Ok(Said { status, value })
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
