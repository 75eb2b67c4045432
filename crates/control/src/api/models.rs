//! `/v1/gateway/models`: the model catalogue with its prices.

use super::{Answer, Shared};
use crate::actions::models as actions;
use crate::context::Context;
use crate::intake::params::Params;
use crate::intake::values::Dollars;
use crate::intake::{Body, Named, Object};
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
use serde::Deserialize;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/gateway/models", Action::ReadModels, list)
        .put("/v1/gateway/models", Action::UpdateModel, replace)
        .get("/v1/gateway/models/{id}", Action::ReadModels, one)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CatalogueIn {
    models: Vec<Object<ModelIn>>,
}

/// A model as in the answers; read strictly, which a flattened struct cannot be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelIn {
    id: String,
    #[serde(default)]
    aliases: Vec<String>,
    family: String,
    name: String,
    context: u64,
    #[serde(default)]
    endpoints: Vec<EndpointKind>,
    #[serde(default)]
    capabilities: Vec<String>,
    status: ModelStatus,
    deprecation: Option<Timestamp>,
    replacement: Option<String>,
    #[serde(default)]
    prices: Vec<Object<PriceIn>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceIn {
    effective_from: Timestamp,
    input_usd_per_mtok: Dollars,
    cached_input_usd_per_mtok: Dollars,
    output_usd_per_mtok: Dollars,
}

impl From<PriceIn> for Price {
    fn from(price: PriceIn) -> Self {
        Self {
            effective_from: price.effective_from,
            input_usd_per_mtok: price.input_usd_per_mtok.0,
            cached_input_usd_per_mtok: price.cached_input_usd_per_mtok.0,
            output_usd_per_mtok: price.output_usd_per_mtok.0,
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
        };
        Self { model, prices: Prices::new(prices).all().to_vec() }
    }
}

async fn list(State(control): Shared, _: Context, params: Params) -> Answer {
    params.done()?;
    Ok(reply::ok(&Page::whole(actions::list(&control).await?)))
}

async fn one(State(control): Shared, _: Context, Named(id): Named<String>) -> Answer {
    Ok(reply::ok(&actions::get(&control, &id).await?))
}

async fn replace(
    State(control): Shared,
    context: Context,
    Body(Object(read)): Body<Object<CatalogueIn>>,
) -> Answer {
    let catalogue = read.models.into_iter().map(|Object(model)| model.into()).collect();
    Ok(reply::ok(&Page::whole(actions::replace(&control, &context, catalogue).await?)))
}
