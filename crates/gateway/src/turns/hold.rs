//! Holds an answer back until the conversation that it begins is in the registry: no client has the id of a conversation
//! that nobody owns.

use crate::forward::Answered;
use crate::objects::whole;
use crate::pipeline::Gateway;
use crate::relay::{self, is_events};
use crate::reply::Failure;
use crate::upstream::AnswerBody;
use bytes::{Bytes, BytesMut};
use http::Response;
use louver_mistral::conversations;
use louver_store::objects;
use std::future::poll_fn;
use std::sync::Arc;
use tokio::time::{Instant, timeout, timeout_at};

/// The first event of a stream is no longer than this.
const LONGEST_EVENT: usize = 64 << 10;

/// Reads what is needed of an answer, and writes down what it tells.
pub(crate) async fn hold(gateway: &Arc<Gateway>, mut answered: Answered) -> Result<Answered, Failure> {
    let status = answered.response.status();
    let Some(played) = answered.ticket.turn.as_ref().filter(|_| status.is_success()) else {
        return Ok(answered);
    };
    let stream = answered.stream && is_events(answered.response.headers());
    let begins = played.growth.as_ref().is_some_and(|growth| growth.begins.is_some());
    if stream && !begins {
        return Ok(answered);
    }
    let (head, body) = answered.response.into_parts();
    let timeouts = gateway.settings().timeouts;
    let read = timeout(timeouts.total, async {
        if stream { beginning(body).await } else { whole(body).await.map(|bytes| (bytes, None)) }
    });
    // The ticket is dropped with an answer that cannot be read, and charged at its bound.
    let (bytes, rest) = read.await.map_err(|_| Failure::UpstreamTimeout)??;
    let told = match stream {
        true => conversations::first_event(&bytes).map(conversations::event).unwrap_or_default(),
        false => conversations::answer(&bytes),
    };
    let rest = rest.map(Box::new);
    answered.response = Response::from_parts(head, AnswerBody::Ahead { first: Some(bytes), rest });
    if let Some(played) = &mut answered.ticket.turn {
        played.spoken = told.models;
    }
    match told.conversation_id {
        Some(id) if begins && !confirm(gateway, &answered, &id).await => {
            let now = Instant::now();
            let end = now.checked_add(timeouts.client_left).unwrap_or(now);
            relay::read_alone(answered, end).await;
            Err(Failure::AccountingUnavailable)
        }
        _ => Ok(answered),
    }
}

/// The first event of a stream, with what came along with it, and the rest.
async fn beginning(mut body: AnswerBody) -> Result<(Bytes, Option<AnswerBody>), Failure> {
    let mut bytes = BytesMut::new();
    while conversations::first_event(&bytes).is_none() && bytes.len() <= LONGEST_EVENT {
        match poll_fn(|cx| body.poll_piece(cx)).await {
            Some(piece) => bytes.extend_from_slice(&piece.map_err(|_| Failure::UpstreamBroken)?),
            None => return Ok((bytes.freeze(), None)),
        }
    }
    Ok((bytes.freeze(), Some(body)))
}

async fn confirm(gateway: &Gateway, answered: &Answered, id: &str) -> bool {
    let growth = answered.ticket.turn.as_ref().and_then(|played| played.growth.as_ref());
    let Some((object, known)) = growth.and_then(|growth| Some((growth.object(), growth.begins.as_ref()?)))
    else {
        return true;
    };
    let now = Instant::now();
    let patience = now.checked_add(gateway.settings().timeouts.first_byte).unwrap_or(now);
    let confirmed = objects::confirm(gateway.store(), object, id, known, gateway.clock().now());
    match timeout_at(patience, confirmed).await {
        Ok(Ok(true)) => true,
        Ok(Ok(false)) => {
            tracing::error!(%object, "ALARM: upstream names a conversation that somebody else owns");
            false
        }
        Ok(Err(error)) => {
            tracing::error!(%error, %object, "a conversation could not be written down");
            false
        }
        Err(_) => {
            tracing::error!(%object, "a conversation could not be written down in time");
            false
        }
    }
}
