//! Sends an admitted call upstream; without a ticket there is no way here.

use crate::admit::Admitted;
use crate::credentials::Credential;
use crate::ledger::Allowance;
use crate::objects::whole;
use crate::pipeline::Gateway;
use crate::redact::redact;
use crate::relay;
use crate::reply::Failure;
use crate::settle::{Outcome, Ticket};
use crate::turns;
use crate::upstream::{AnswerBody, Call, Payload, Pool, SendError};
use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode};
use louver_domain::id::OrganizationId;
use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::TaskTracker;

/// Upstream's answer, with the ticket that must be settled at its end.
pub(crate) struct Answered {
    pub(crate) ticket: Ticket,
    pub(crate) response: Response<AnswerBody>,
    pub(crate) stream: bool,
    pub(crate) allowance: Allowance,
    /// Where calls go on whose client has left.
    pub(crate) left: TaskTracker,
    /// The model that answers in place of the one that was asked for.
    pub(crate) stand_in: Option<Arc<str>>,
}

/// Upstream's refusal, read and settled, without our key in it.
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) allowance: Allowance,
}

/// What upstream said to a call.
#[expect(
    clippy::large_enum_variant,
    reason = "an answer is the rule, and a box of it an allocation per call"
)]
pub(crate) enum Heard {
    Answered(Answered),
    Refused(Refused),
}

/// Sends the call and waits for the head of the answer. When the client leaves meanwhile, the call goes on without it:
/// upstream works on, and what it used must be known.
pub(crate) fn forward(
    gateway: &Arc<Gateway>,
    pool: &Pool,
    admitted: Admitted,
) -> impl Future<Output = Result<Heard, Failure>> + Send + use<> {
    let patience = gateway.settings().timeouts.client_left;
    let exchange = Box::pin(exchange(Arc::clone(gateway), pool.clone(), admitted));
    Exchange { inner: Some(exchange), begun: false, patience, left: pool.left().clone() }
}

type BoxedExchange = Pin<Box<dyn Future<Output = Result<Heard, Failure>> + Send>>;

/// An exchange that outlives its client.
struct Exchange {
    inner: Option<BoxedExchange>,
    begun: bool,
    patience: Duration,
    left: TaskTracker,
}

impl Future for Exchange {
    type Output = Result<Heard, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.begun = true;
        let Some(inner) = &mut self.inner else { return Poll::Ready(Err(Failure::UpstreamBroken)) };
        let answered = ready!(inner.as_mut().poll(cx));
        self.inner = None;
        Poll::Ready(answered)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let Some(inner) = self.inner.take().filter(|_| self.begun) else { return };
        // Outside of a runtime nothing can go on; the ticket settles by its guard.
        let Ok(runtime) = Handle::try_current() else { return };
        let now = Instant::now();
        let end = now.checked_add(self.patience).unwrap_or(now);
        let alone = async move {
            // At the end of patience the ticket is dropped with its call, and charged at the bound.
            if let Ok(Ok(Heard::Answered(answered))) = timeout_at(end, inner).await {
                relay::read_alone(answered, end).await;
            }
        };
        self.left.spawn_on(alone, &runtime);
    }
}

async fn exchange(gateway: Arc<Gateway>, pool: Pool, admitted: Admitted) -> Result<Heard, Failure> {
    let gateway = &gateway;
    let Admitted { mut ticket, body, path, stream, allowance, stand_in } = admitted;
    let call = upstream_call(&ticket, path, body, stream);
    ticket.sent = true;
    let response = match pool.send(call).await {
        Ok(response) => response,
        Err(SendError::NotSent(error)) => {
            ticket.status = StatusCode::BAD_GATEWAY.as_u16();
            ticket.settle(&Outcome::Unsent);
            tracing::warn!(error, "upstream cannot be reached");
            return Err(Failure::UpstreamUnreachable);
        }
        Err(SendError::TimedOut) => {
            ticket.status = StatusCode::GATEWAY_TIMEOUT.as_u16();
            ticket.settle(&Outcome::Unanswered);
            return Err(Failure::UpstreamTimeout);
        }
        Err(SendError::Broken(error)) => {
            ticket.status = StatusCode::BAD_GATEWAY.as_u16();
            ticket.settle(&Outcome::Unanswered);
            tracing::warn!(error, "upstream broke off before it answered");
            return Err(Failure::UpstreamBroken);
        }
    };
    let (ticket, response) = judge(gateway, ticket, response)?;
    if response.status().is_client_error() || response.status().is_server_error() {
        return refused(gateway, ticket, response, allowance).await.map(Heard::Refused);
    }
    let left = pool.left().clone();
    let answered = Answered { ticket, response, stream, allowance, left, stand_in };
    match answered.ticket.turn {
        None => Ok(Heard::Answered(answered)),
        Some(_) => Box::pin(turns::hold(gateway, answered)).await.map(Heard::Answered),
    }
}

/// Reads a refusal whole: it is settled before anything else happens, and must not pass on our key.
async fn refused(
    gateway: &Gateway,
    mut ticket: Ticket,
    response: Response<AnswerBody>,
    allowance: Allowance,
) -> Result<Refused, Failure> {
    let (head, body) = response.into_parts();
    let mut finder = relay::finder(false, &ticket);
    let read =
        timeout(gateway.settings().timeouts.idle, whole(body)).await.unwrap_or(Err(Failure::UpstreamBroken));
    match read {
        Ok(body) => {
            let body = redact(body, ticket.credential.credential());
            finder.feed(&body);
            ticket.settle(&Outcome::Whole(&finder.finish()));
            Ok(Refused { status: head.status, headers: head.headers, body, allowance })
        }
        Err(failure) => {
            // It bills nothing, as its head said; only what the client is told is another thing.
            ticket.status = head.status.as_u16();
            ticket.settle(&Outcome::Broken(&finder.finish()));
            Err(failure)
        }
    }
}

/// Whether the answer may pass; one that may not is settled.
fn judge(
    gateway: &Gateway,
    mut ticket: Ticket,
    response: Response<AnswerBody>,
) -> Result<(Ticket, Response<AnswerBody>), Failure> {
    let status = response.status();
    ticket.first_byte(status.as_u16());
    let organization = ticket.key.organization_id;
    match judge_status(gateway, organization, ticket.credential.credential(), status) {
        Ok(()) => Ok((ticket, response)),
        Err(failure) => {
            ticket.status = StatusCode::BAD_GATEWAY.as_u16();
            ticket.settle(&Outcome::Unsent);
            Err(failure)
        }
    }
}

/// Whether a status says that our credential is rejected, and whether the answer may pass at all.
pub(crate) fn judge_status(
    gateway: &Gateway,
    organization: OrganizationId,
    credential: &Credential,
    status: StatusCode,
) -> Result<(), Failure> {
    if status == StatusCode::UNAUTHORIZED {
        let upstream = credential.id.map_or_else(|| "settings".into(), |id| id.to_string());
        tracing::error!(upstream, "ALARM: upstream rejected Louver's credential");
        gateway.note_rejection(organization, credential.id);
        return Err(Failure::UpstreamCredentialRejected);
    }
    if status.is_redirection() || status.is_informational() {
        tracing::warn!(
            status = status.as_u16(),
            "upstream answered with a redirect, which is never followed"
        );
        return Err(Failure::UpstreamBroken);
    }
    Ok(())
}

/// The call as upstream sees it: our address, our credential, nothing of the client's but the body.
fn upstream_call(ticket: &Ticket, target: Cow<'static, str>, body: Payload, stream: bool) -> Call {
    Call {
        method: Method::POST,
        target,
        to: Arc::clone(ticket.credential.credential()),
        accept: if stream { "text/event-stream" } else { "application/json" },
        body,
    }
}
