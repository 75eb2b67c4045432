//! The attempts at a call: the model asked for, again where the operator allows it, then the models that stand in for it.
//!
//! Only what provably was not worked on is tried again: nothing was sent, or upstream answered 429 or 503. Each attempt
//! is admitted anew, with its own reservation, line in the journal and usage record; the one before has given back what
//! it took. A timeout or a reset is the end: upstream may have worked.

use crate::admit::{Try, admit};
use crate::authn::Caller;
use crate::forward::{Heard, forward};
use crate::intake::Ask;
use crate::pipeline::{Gateway, Visitor};
use crate::references::Resolved;
use crate::reply::Failure;
use crate::upstream::Pool;
use http::StatusCode;
use std::sync::Arc;

/// Sends a call until somebody serves it.
pub(crate) async fn run(
    gateway: &Arc<Gateway>,
    pool: &Pool,
    visitor: &Visitor,
    caller: &Caller,
    mut ask: Ask,
    resolved: &Resolved,
) -> Result<Heard, Failure> {
    ask.request.rename_cache_key(|key| gateway.pepper().name_of(caller.key.workspace_id, key));
    ask.request.pin_guards(|model| caller.snapshot.pinned(model));
    let ask = &ask;
    let mut attempts =
        Attempts { gateway, pool, visitor, caller, ask, resolved, attempt: Try::default(), sent: 0 };
    let mut last = attempts.at_model().await;
    if resolved.is_pinned() {
        return last;
    }
    for model in &caller.key.rules.fallback_models {
        if !cannot_be_had(&last) {
            break;
        }
        attempts.attempt =
            Try { stand_in: Some(model.clone()), number: attempts.attempt.number, ..Try::default() };
        match attempts.at_model().await {
            // This one may not be called, or not now: what was said of the model asked for still holds.
            Err(failure) if !is_from_upstream(&failure) => {}
            next => last = next,
        }
    }
    last
}

struct Attempts<'a> {
    gateway: &'a Arc<Gateway>,
    pool: &'a Pool,
    visitor: &'a Visitor,
    caller: &'a Caller,
    ask: &'a Ask,
    resolved: &'a Resolved,
    attempt: Try,
    /// Attempts at this model that were admitted.
    sent: u32,
}

impl Attempts<'_> {
    /// Tries one model as often as the settings allow.
    async fn at_model(&mut self) -> Result<Heard, Failure> {
        self.sent = 0;
        let mut last = None;
        loop {
            let admitted =
                admit(self.gateway, self.visitor, self.caller, self.ask, self.resolved, &self.attempt).await;
            let admitted = match admitted {
                Ok(admitted) => admitted,
                // Once something was heard of upstream, that is the answer.
                Err(failure) => return last.unwrap_or(Err(failure)),
            };
            self.sent = self.sent.saturating_add(1);
            self.attempt.number = self.attempt.number.saturating_add(1);
            self.attempt.tried.push(Arc::clone(admitted.ticket.credential.credential()));
            let heard = forward(self.gateway, self.pool, admitted).await;
            // In a conversation a refusal may come after it was written on.
            let once = self.resolved.turn.is_some() || self.sent > self.gateway.settings().retries;
            if once || !may_be_retried(&heard) {
                return heard;
            }
            tracing::info!(
                request_id = %self.visitor.request_id,
                attempt = self.attempt.number,
                "a call that was not worked on is tried again"
            );
            // Upstream that asked for a pause is not asked again with the same credential.
            self.attempt.again = heard.is_err();
            last = Some(heard);
        }
    }
}

/// Provably not worked on, and so not billed.
fn may_be_retried(heard: &Result<Heard, Failure>) -> bool {
    match heard {
        Ok(Heard::Refused(refused)) => {
            matches!(refused.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
        }
        Ok(Heard::Answered(_)) => false,
        Err(failure) => matches!(failure, Failure::UpstreamUnreachable),
    }
}

fn cannot_be_had(heard: &Result<Heard, Failure>) -> bool {
    may_be_retried(heard) || matches!(heard, Err(Failure::UpstreamResting { .. }))
}

const fn is_from_upstream(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::UpstreamUnreachable
            | Failure::UpstreamBroken
            | Failure::UpstreamTimeout
            | Failure::UpstreamCredentialRejected
    )
}
