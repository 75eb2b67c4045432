//! Sends an admitted call upstream; without a ticket there is no way here.

use crate::admit::Admitted;
use crate::pipeline::Gateway;
use crate::reply::{Allowance, Failure};
use crate::settle::{Outcome, Ticket};
use crate::upstream::{AnswerBody, Call, Pool, SendError};
use bytes::Bytes;
use http::{Response, StatusCode};

/// Upstream's answer, with the ticket that must be settled at its end.
pub(crate) struct Answered {
    pub(crate) ticket: Ticket,
    pub(crate) response: Response<AnswerBody>,
    pub(crate) stream: bool,
    pub(crate) allowance: Option<Allowance>,
}

const MICROS_PER_SECOND: i64 = 1_000_000;

/// Sends the call and waits for the head of the answer.
pub(crate) async fn forward(gateway: &Gateway, pool: &Pool, admitted: Admitted) -> Result<Answered, Failure> {
    let Admitted { mut ticket, body, path, stream, allowance } = admitted;
    let call = upstream_call(gateway, &ticket, path, body, stream);
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
    judge(gateway, ticket, response).map(|(ticket, response)| Answered {
        ticket,
        response,
        stream,
        allowance,
    })
}

/// What upstream's status means for the credential, and whether the answer may pass at all.
fn judge(
    gateway: &Gateway,
    mut ticket: Ticket,
    response: Response<AnswerBody>,
) -> Result<(Ticket, Response<AnswerBody>), Failure> {
    let status = response.status();
    ticket.first_byte(status.as_u16());
    if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        let rest = i64::from(gateway.settings().credential_rest_seconds).saturating_mul(MICROS_PER_SECOND);
        let until = gateway.clock().monotonic_micros().saturating_add(rest);
        ticket.credential.credential().rest_until(until);
    }
    let failure = match status {
        StatusCode::UNAUTHORIZED => {
            let upstream =
                ticket.credential.credential().id.map_or_else(|| "settings".into(), |id| id.to_string());
            tracing::error!(upstream, "ALARM: upstream rejected Louver's credential");
            Failure::UpstreamCredentialRejected
        }
        s if s.is_redirection() || s.is_informational() => {
            tracing::warn!(status = s.as_u16(), "upstream answered with a redirect, which is never followed");
            Failure::UpstreamBroken
        }
        _ => return Ok((ticket, response)),
    };
    ticket.status = StatusCode::BAD_GATEWAY.as_u16();
    ticket.settle(&Outcome::Unsent);
    Err(failure)
}

/// The call as upstream sees it: our address, our credential, nothing of the client's but the body.
fn upstream_call(gateway: &Gateway, ticket: &Ticket, path: &'static str, body: Bytes, stream: bool) -> Call {
    Call {
        path,
        authority: gateway.settings().upstream.authority.clone(),
        authorization: ticket.credential.credential().authorization.clone(),
        accept: if stream { "text/event-stream" } else { "application/json" },
        body,
    }
}
