//! `/v1/gateway/organization`: the caller's organization.

use super::{Answer, Shared};
use crate::actions::organizations as actions;
use crate::context::Context;
use crate::intake::{Body, Object};
use crate::openapi::shapes;
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::id::OrganizationId;
use louver_domain::limits::Limits;
use louver_domain::organizations::Organization;
use louver_domain::time::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/gateway/organization", Action::ReadOrganization, one)
        .named("get_organization", "The caller's organization")
        .answers::<Shown>()
        .edited()
        .patch("/v1/gateway/organization", Action::UpdateOrganization, update)
        .named("update_organization", "Change the organization's name, billing state or limits")
        .takes::<actions::OrganizationPatch>()
        .answers::<Shown>()
        .edited()
        .tagged("gateway.organization")
}

/// An organization as shown.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Organization")]
pub(crate) struct Shown {
    #[schemars(with = "shapes::Id")]
    id: OrganizationId,
    #[schemars(extend("const" = "organization"))]
    object: &'static str,
    name: String,
    billing_active: bool,
    #[schemars(with = "shapes::Limits")]
    limits: Limits,
    #[schemars(with = "shapes::Time")]
    created_at: Timestamp,
}

impl Shown {
    pub(crate) fn of(organization: &Organization) -> Self {
        Self {
            id: organization.id,
            object: "organization",
            name: organization.name.clone(),
            billing_active: organization.billing_active,
            limits: organization.limits.clone(),
            created_at: organization.created_at,
        }
    }
}

async fn one(State(control): Shared, context: Context) -> Answer {
    let organization = actions::get(&control, &context).await?;
    reply::tagged(&control, &Shown::of(&organization))
}

async fn update(
    State(control): Shared,
    context: Context,
    Body(Object(patch)): Body<Object<actions::OrganizationPatch>>,
) -> Answer {
    let organization = actions::update(&control, &context, patch).await?;
    reply::tagged(&control, &Shown::of(&organization))
}
