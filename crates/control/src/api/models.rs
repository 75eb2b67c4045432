//! `/v1/gateway/models`: the model catalogue with its prices.

use super::{Answer, Shared};
use crate::actions::models as actions;
use crate::context::Context;
use crate::intake::params::Params;
use crate::intake::values::Dollars;
use crate::intake::{Body, Named, Object};
use crate::openapi::shapes;
use crate::page::Page;
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::endpoints::EndpointKind;
use louver_domain::models::{Model, ModelStatus};
use louver_domain::prices::{Price, Prices};
use louver_domain::time::Timestamp;
use louver_store::models::PricedModel;
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/gateway/models", Action::ReadModels, list)
        .named("list_catalogue", "The model catalogue with its prices")
        .answers::<Page<shapes::PricedModel>>()
        .put("/v1/gateway/models", Action::UpdateModel, replace)
        .named("replace_catalogue", "Replace the model catalogue, whole")
        .takes::<CatalogueIn>()
        .answers::<Page<shapes::PricedModel>>()
        .get("/v1/gateway/models/{id}", Action::ReadModels, one)
        .named("get_catalogued_model", "One model of the catalogue")
        .text("id", "Its pinned id.")
        .answers::<shapes::PricedModel>()
        .tagged("gateway.models")
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "Catalogue")]
#[serde(deny_unknown_fields)]
struct CatalogueIn {
    #[schemars(with = "Vec<ModelIn>")]
    models: Vec<Object<ModelIn>>,
}

/// A model as in the answers; read strictly, which a flattened struct cannot be.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "NewModel")]
#[serde(deny_unknown_fields)]
struct ModelIn {
    id: String,
    #[serde(default)]
    aliases: Vec<String>,
    family: String,
    name: String,
    context: u64,
    #[serde(default)]
    #[schemars(with = "Vec<shapes::Endpoint>")]
    endpoints: Vec<EndpointKind>,
    #[serde(default)]
    capabilities: Vec<String>,
    #[schemars(with = "shapes::StatusOfModel")]
    status: ModelStatus,
    #[schemars(with = "Option<shapes::Time>")]
    deprecation: Option<Timestamp>,
    replacement: Option<String>,
    /// One of the upstreams that the settings name; the first one without it.
    upstream: Option<String>,
    #[serde(default)]
    #[schemars(with = "Vec<PriceIn>")]
    prices: Vec<Object<PriceIn>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "NewPrice")]
#[serde(deny_unknown_fields)]
struct PriceIn {
    #[schemars(with = "shapes::Time")]
    effective_from: Timestamp,
    #[schemars(with = "shapes::Dollars")]
    input_usd_per_mtok: Dollars,
    #[schemars(with = "shapes::Dollars")]
    cached_input_usd_per_mtok: Dollars,
    #[schemars(with = "shapes::Dollars")]
    output_usd_per_mtok: Dollars,
}

impl From<PriceIn> for Price {
    fn from(price: PriceIn) -> Self {
        Self {
            input_usd_per_mtok: Some(price.input_usd_per_mtok.0),
            cached_input_usd_per_mtok: Some(price.cached_input_usd_per_mtok.0),
            output_usd_per_mtok: Some(price.output_usd_per_mtok.0),
            ..Self::none(price.effective_from)
        }
    }
}

impl From<ModelIn> for PricedModel {
    fn from(read: ModelIn) -> Self {
        let prices = read.prices.into_iter().map(|Object(price)| price.into()).collect();
        let model = Model {
            id: read.id,
            aliases: read.aliases,
            family: read.family,
            name: read.name,
            context: read.context,
            endpoints: read.endpoints,
            capabilities: read.capabilities,
            status: read.status,
            deprecation: read.deprecation,
            replacement: read.replacement,
            upstream: read.upstream,
            workspace_id: None,
        };
        Self { model, prices: Prices::new(prices).all().to_vec() }
    }
}

async fn list(State(control): Shared, _: Context, params: Params) -> Answer {
    params.done()?;
    Ok(reply::ok(&Page::whole(actions::list(&control).await?.models)))
}

async fn one(State(control): Shared, _: Context, Named(id): Named<String>) -> Answer {
    Ok(reply::ok(&actions::get(&control, &id).await?))
}

async fn replace(
    State(control): Shared,
    context: Context,
    Body(Object(read)): Body<Object<CatalogueIn>>,
) -> Answer {
    let models: Vec<PricedModel> = read.models.into_iter().map(|Object(model)| model.into()).collect();
    Ok(reply::ok(&Page::whole(actions::replace(&control, &context, models).await?.models)))
}
