//! Fine-tuned models: shown, renamed, archived and deleted by the one workspace whose own they are; nobody deletes others.

use super::{Deed, Said, libraries, read, reply, send};
use crate::authn::Caller;
use crate::credentials::{Choice, InUse};
use crate::ledger::Allowance;
use crate::pipeline::{Gateway, Visitor};
use crate::reply::{Body, Failure};
use crate::servers;
use crate::upstream::{Payload, Pool};
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use louver_domain::access::{Action, Actor, decide};
use louver_domain::audit::{AuditEvent, Outcome};
use louver_domain::endpoints::EndpointKind;
use louver_domain::id::EventId;
use louver_domain::models::Model;
use louver_mistral::endpoints::Endpoint;
use louver_store::models;
use serde_json::json;
use std::time::Duration;

/// How often it is looked whether new rules hold, and how long between two looks: two seconds in all.
const LOOKS: usize = 200;
const PAUSE: Duration = Duration::from_millis(10);

/// A model by any of its names, if it is the workspace's own and the key may use it.
pub(crate) fn own<'a>(caller: &'a Caller, name: &str) -> Option<&'a Model> {
    let (index, model) = caller.snapshot.catalogue.find(name)?;
    let owned = model.workspace_id == Some(caller.key.workspace_id);
    (owned && caller.key.rules.models.contains(index)).then_some(model)
}

/// A credential of the server that has the model.
fn credential(gateway: &Gateway, caller: &Caller, model: &Model) -> Result<InUse, Failure> {
    let (known, rules) = (&gateway.settings().servers, &caller.key.rules);
    let servers = servers::of_call(known, rules, model, EndpointKind::Models, false)?;
    let now = gateway.clock().monotonic_micros();
    let choice = Choice { credentials: &caller.key.credentials, servers: &servers, tried: &[], again: false };
    choice.take(now).map_err(|missing| Failure::missing(missing, now))
}

/// The model as upstream shows it.
pub(crate) async fn card(
    gateway: &Gateway,
    pool: &Pool,
    caller: &Caller,
    model: &Model,
    allowance: Allowance,
) -> Result<Response<Body>, Failure> {
    let credential = credential(gateway, caller, model)?;
    let target = format!("/v1/models/{}", model.id);
    let asked = (Method::GET, target, Payload::default());
    let said =
        read(send(gateway, pool, &caller.key, &credential, asked).await?, &caller.key, &credential).await?;
    match said.status {
        StatusCode::NOT_FOUND => Err(Failure::NoSuchModel),
        status => Ok(reply(status, &said.value, allowance)),
    }
}

/// Asks upstream for something that is done to a model of the workspace.
async fn ask(deed: &Deed<'_>, body: Option<Bytes>) -> Result<Said, Failure> {
    let model = own(&deed.caller, deed.asked.id()).ok_or(Failure::NoSuchModel)?;
    // Whatever name the client knows it by: upstream knows the id.
    let target = deed.asked.endpoint.path().replace("{model_id}", &model.id);
    let method = match deed.asked.endpoint {
        Endpoint::UpdateFineTunedModel => Method::PATCH,
        Endpoint::ArchiveFineTunedModel => Method::POST,
        _ => Method::DELETE,
    };
    let credential = credential(deed.gateway, &deed.caller, model)?;
    deed.ask(method, target, &credential, body).await
}

fn pass_on(deed: &Deed<'_>, said: &Said) -> Result<Response<Body>, Failure> {
    match said.status {
        StatusCode::NOT_FOUND => Err(Failure::NoSuchModel),
        status => Ok(deed.reply(status, &said.value)),
    }
}

/// Changes the name of a model.
pub(super) async fn update(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let body = libraries::body(deed)?;
    pass_on(deed, &ask(deed, Some(body)).await?)
}

/// Archives a model, or brings it back.
pub(super) async fn archive(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    pass_on(deed, &ask(deed, None).await?)
}

/// Deletes a model, upstream first, and takes it out of the catalogue. One that upstream has forgotten goes out of it too.
pub(super) async fn delete(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let said = ask(deed, None).await?;
    if said.status.is_success() || said.status == StatusCode::NOT_FOUND {
        let model = own(&deed.caller, deed.asked.id()).ok_or(Failure::NoSuchModel)?;
        retire(deed.gateway, &deed.visitor, &deed.caller, model).await?;
    }
    pass_on(deed, &said)
}

/// Nobody may call the model any more. It is the program that does it, since upstream has it no more; the event names the
/// key and the request that asked for it.
async fn retire(gateway: &Gateway, visitor: &Visitor, caller: &Caller, model: &Model) -> Result<(), Failure> {
    let key = &caller.key;
    let actor = Actor::system(key.organization_id);
    let permit = decide(&actor, Action::UpdateModel, key.organization_id);
    let permit = permit.map_err(|_| Failure::AccountingUnavailable)?;
    let mut tx = gateway.store().begin().await.map_err(Failure::store)?;
    if !models::retire(&mut tx, &permit, &model.id).await.map_err(Failure::store)? {
        return Ok(());
    }
    let event = AuditEvent {
        id: EventId::new(visitor.now, gateway.entropy()),
        at: visitor.now,
        actor,
        permit,
        outcome: Outcome::Done,
        workspace_id: Some(key.workspace_id),
        target_id: model.id.clone(),
        target_name: model.name.clone(),
        before: Some(json!({"status": model.status}).to_string()),
        after: Some(json!({"status": "retired", "deleted_by_key": key.id.to_string()}).to_string()),
        request_id: Some(visitor.request_id.to_string()),
        address: Some(visitor.address.to_string()),
    };
    let revision = tx.commit(&event).await.map_err(Failure::store)?;
    taken_over(gateway, revision).await;
    Ok(())
}

/// Waits until the rules of that revision hold on this node, so that whoever deleted a model cannot call it any more when
/// the answer comes. A node that takes longer than this has other troubles, which it tells.
async fn taken_over(gateway: &Gateway, revision: i64) {
    for _ in 0..LOOKS {
        if gateway.snapshot().revision() >= revision {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
