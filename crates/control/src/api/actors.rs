//! `/v1/gateway/me`: who holds the admin key that asks, and what they may do.

use super::{Answer, Shared};
use crate::actions::actors as actions;
use crate::context::Context;
use crate::intake::params::Params;
use crate::openapi::shapes;
use crate::reply;
use crate::routes::{Access, Routes};
use axum::extract::State;
use http::Method;
use louver_domain::access::{Action, ActionSet, Actor, Identity};
use louver_domain::id::{OrganizationId, WorkspaceId};
use schemars::JsonSchema;
use serde::Serialize;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route(Method::GET, "/v1/gateway/me", Access::AnyAdmin, me)
        .named("get_me", "Who holds this admin key, and what they may do")
        .saying("What is a person's own they may see and change besides.")
        .answers::<Shown>()
        .tagged("gateway.organization")
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Actor")]
struct Shown {
    #[schemars(extend("const" = "actor"))]
    object: &'static str,
    #[schemars(extend("enum" = ["admin_key", "user", "service_account"]))]
    kind: &'static str,
    /// Of the person or the service account; of the admin key where it is nobody's own.
    id: String,
    /// A person's mail address, an account's or a key's name.
    name: String,
    #[schemars(with = "shapes::Id")]
    organization_id: OrganizationId,
    organization_name: String,
    permissions: Permissions,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ActorPermissions")]
struct Permissions {
    /// Held in the whole organization.
    organization: Vec<&'static str>,
    /// Held in the workspaces in which there are roles.
    workspaces: Vec<Place>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ActorInWorkspace")]
struct Place {
    #[schemars(with = "shapes::Id")]
    id: WorkspaceId,
    permissions: Vec<&'static str>,
}

fn names(actions: ActionSet) -> Vec<&'static str> {
    actions.iter().map(Action::as_str).collect()
}

impl Permissions {
    fn of(actor: &Actor) -> Self {
        let rights = actor.rights();
        let place = |id| Place { id, permissions: names(rights.held(Some(id))) };
        Self { organization: names(rights.held(None)), workspaces: rights.workspaces().map(place).collect() }
    }
}

fn identity(actor: &Actor) -> (&'static str, String) {
    match &actor.identity {
        Identity::AdminKey { id, .. } => ("admin_key", id.to_string()),
        Identity::Person { id, .. } => ("user", id.to_string()),
        Identity::ServiceAccount { id, .. } => ("service_account", id.to_string()),
        // Never over HTTP.
        Identity::System => ("system", String::new()),
    }
}

async fn me(State(control): Shared, context: Context, params: Params) -> Answer {
    params.done()?;
    let organization = actions::organization(&control, &context).await?;
    let (kind, id) = identity(&context.actor);
    Ok(reply::ok(&Shown {
        object: "actor",
        kind,
        id,
        name: context.actor.name().to_owned(),
        organization_id: organization.id,
        organization_name: organization.name,
        permissions: Permissions::of(&context.actor),
    }))
}
