//! Realtime transcriptions: a WebSocket whose audio is metered while it goes by, and cut where it is not paid for.
//!
//! The connection switches only after the key, the model and the first slice of audio were accepted and upstream has
//! switched, too. Until then every refusal is an answer in HTTP, as a call's is.

mod events;
mod handshake;
mod meter;
mod session;
mod slices;

use crate::authn::authenticate;
use crate::edge;
use crate::forward::judge_status;
use crate::pipeline::{Gateway, Visitor};
use crate::reply::{Body, Failure};
use crate::settle::{Outcome, Ticket};
use crate::upstream::{Pool, SendError, Socket};
use handshake::Handshake;
use http::{Request, Response};
use hyper::body::Incoming;
use louver_domain::admission;
use louver_domain::endpoints::EndpointKind;
use louver_mistral::endpoints::Endpoint;
use louver_mistral::query::{self, Query};
use meter::{Meter, SWITCHED};
use session::Session;
use slices::Want;
use std::sync::Arc;

/// Begins a session.
pub(crate) async fn answer(
    gateway: &Arc<Gateway>,
    pool: &Pool,
    visitor: Visitor,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Failure> {
    let upgrade = hyper::upgrade::on(&mut request);
    let (head, _) = request.into_parts();
    let caller = authenticate(gateway, &head.headers, &visitor)?;
    let endpoint = EndpointKind::RealtimeTranscriptions;
    admission::may_call(&caller.key.rules, visitor.address, endpoint).map_err(Failure::Refused)?;
    edge::no_body(&head.headers)?;
    let query = query::read(head.uri.query(), &["model"]).map_err(Failure::Query)?;
    let model = query.get("model").ok_or(Failure::BadParameter { name: "model" })?.to_owned();
    let handshake = Handshake::read(head.version, &head.headers)?;
    let want = Want { gateway, visitor: &visitor, caller: &caller, model: &model, least: 1, continues: None };
    let pinned = want.grant()?.model.id.clone();
    let mut first = want.reserve().await?;
    let upstream = match open(gateway, pool, &first.ticket, &pinned).await {
        Ok(upstream) => upstream,
        Err(failure) => {
            first.ticket.status = 502;
            first.ticket.settle(&Outcome::Unsent);
            return Err(failure);
        }
    };
    first.ticket.first_byte(SWITCHED);
    let (gateway, left, meter) = (Arc::clone(gateway), pool.left().clone(), Meter::new(first));
    let session = Session { gateway, visitor, caller, model, pinned, meter, upstream, left };
    pool.left().spawn(session.run(upgrade));
    Ok(handshake.answer())
}

/// Opens upstream's side: the path is ours, and of the client's query only the model, by its pinned id.
async fn open(gateway: &Gateway, pool: &Pool, ticket: &Ticket, pinned: &str) -> Result<Socket, Failure> {
    let target =
        format!("{}{}", Endpoint::RealtimeTranscriptions.path(), Query::of("model", pinned).written());
    let credential = ticket.credential.credential();
    let opened = pool.open_socket(&target, credential, session::upstream_limits()).await;
    match opened {
        Ok(Ok(socket)) => Ok(socket),
        Ok(Err(status)) => {
            judge_status(gateway, ticket.key.organization_id, credential, status)?;
            tracing::warn!(status = status.as_u16(), "upstream does not open a session");
            Err(Failure::UpstreamBroken)
        }
        Err(SendError::NotSent(error)) => {
            tracing::warn!(error, "upstream cannot be reached");
            Err(Failure::UpstreamUnreachable)
        }
        Err(SendError::TimedOut) => Err(Failure::UpstreamTimeout),
        Err(SendError::Broken(error)) => {
            tracing::warn!(error, "upstream broke off before the session began");
            Err(Failure::UpstreamBroken)
        }
    }
}
