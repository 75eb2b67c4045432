//! `/v1/gateway/models/sightings`: names of models that upstream lists otherwise than the catalogue has them.

use super::{Answer, Shared};
use crate::actions::model_sightings as actions;
use crate::context::Context;
use crate::intake::Named;
use crate::intake::params::Params;
use crate::openapi::shapes;
use crate::page::Page;
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::model_sightings::Sighting;
use louver_domain::time::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/gateway/models/sightings", Action::ReadModels, list)
        .named("list_model_sightings", "Names that upstream lists otherwise than the catalogue")
        .saying("Nothing of it is ever allowed or added by itself.")
        .answers::<Page<Shown>>()
        .post("/v1/gateway/models/sightings/{name}/dismiss", Action::DismissModelSighting, dismiss)
        .named("dismiss_model_sighting", "Note that a sighting was looked at")
        .saying("An alias that moved can be named in calls again, and stands for the model that the catalogue says.")
        .text("name", "The name that was seen.")
        .answers::<Page<Shown>>()
        .tagged("gateway.models")
}

/// What is known of one name on one upstream.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ModelSighting")]
pub(crate) struct Shown {
    #[schemars(extend("const" = "model_sighting"))]
    object: &'static str,
    name: String,
    /// The named upstream; the first one without it.
    server: Option<String>,
    /// `new`, `moved` or `gone`.
    finding: &'static str,
    /// The name on the bill, as last told.
    billing_name: Option<String>,
    /// What it stands for upstream.
    same_as: Option<String>,
    /// `quarantined` until somebody has looked, then `dismissed`.
    state: &'static str,
    #[schemars(with = "shapes::Time")]
    first_seen_at: Timestamp,
    #[schemars(with = "shapes::Time")]
    last_seen_at: Timestamp,
}

impl Shown {
    pub(crate) fn of(sighting: &Sighting) -> Self {
        Self {
            object: "model_sighting",
            name: sighting.name.clone(),
            server: Some(sighting.server.clone()).filter(|name| !name.is_empty()),
            finding: sighting.finding.as_str(),
            billing_name: sighting.billing_name.clone(),
            same_as: sighting.same_as.clone(),
            state: sighting.state.as_str(),
            first_seen_at: sighting.first_seen,
            last_seen_at: sighting.last_seen,
        }
    }
}

async fn list(State(control): Shared, _: Context, params: Params) -> Answer {
    params.done()?;
    let all = actions::list(&control).await?;
    Ok(reply::ok(&Page::whole(all.iter().map(Shown::of).collect())))
}

async fn dismiss(State(control): Shared, context: Context, Named(name): Named<String>) -> Answer {
    let after = actions::dismiss(&control, &context, &name).await?;
    Ok(reply::ok(&Page::whole(after.iter().map(Shown::of).collect())))
}
