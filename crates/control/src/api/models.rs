//! `/v1/gateway/models`: the model catalogue with its prices.

use super::{Answer, Shared};
use crate::actions::models as actions;
use crate::context::Context;
use crate::intake::params::Params;
use crate::intake::values::{Dollars, dollars, present};
use crate::intake::{Body, Named, Object};
use crate::openapi::about::{Kind, Parameter};
use crate::openapi::shapes;
use crate::page::Page;
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::endpoints::EndpointKind;
use louver_domain::id::WorkspaceId;
use louver_domain::models::{Model, ModelStatus};
use louver_domain::money::Money;
use louver_domain::prices::{Price, Prices, ToolPrice};
use louver_domain::time::Timestamp;
use louver_store::models::{PriceList, PricedModel, PricedTool};
use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

const FORCE: &[Parameter] = &[Parameter::new(
    "force",
    Kind::OneOf(&["true", "false"]),
    "Write the list even if prices change that are in effect.",
)];

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/gateway/models", Action::ReadModels, list)
        .named("list_catalogue", "The model catalogue with its prices")
        .answers::<CatalogueShown>()
        .put("/v1/gateway/models", Action::UpdateModel, replace)
        .named("replace_catalogue", "Replace the model catalogue, whole")
        .saying(
            "A list with an error changes nothing. Prices that are in effect stay as they are and where they are, since \
             what calls cost names them by their place; a new price comes after them. Without `tools` their prices stay.",
        )
        .query(FORCE)
        .takes::<CatalogueIn>()
        .answers::<CatalogueShown>()
        .get("/v1/gateway/models/{id}", Action::ReadModels, one)
        .named("get_catalogued_model", "One model of the catalogue")
        .text("id", "Its pinned id.")
        .answers::<ModelShown>()
        .tagged("gateway.models")
}

/// The catalogue as shown.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PriceList")]
struct CatalogueShown {
    #[serde(flatten)]
    models: Page<ModelShown>,
    /// The tools that the provider runs, with the prices of one call.
    #[schemars(with = "Vec<shapes::PricedTool>")]
    tools: Vec<PricedTool>,
}

/// A model as shown.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CataloguedModel")]
struct ModelShown {
    #[serde(flatten)]
    #[schemars(with = "shapes::PricedModel")]
    entry: PricedModel,
    /// The prices that are missing now for what its endpoints are billed by; such calls are refused under a budget in
    /// dollars.
    unpriced: Vec<&'static str>,
}

impl ModelShown {
    fn of(entry: PricedModel, now: Timestamp) -> Self {
        let prices = Prices::new(entry.prices.clone());
        let unpriced = Price::missing(prices.at(now).map(|(_, price)| price), &entry.model.endpoints);
        Self { entry, unpriced }
    }
}

impl CatalogueShown {
    fn of(list: PriceList, now: Timestamp) -> Self {
        let models = list.models.into_iter().map(|entry| ModelShown::of(entry, now)).collect();
        Self { models: Page::whole(models), tools: list.tools }
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "Catalogue")]
#[serde(deny_unknown_fields)]
struct CatalogueIn {
    #[schemars(with = "Vec<ModelIn>")]
    models: Vec<Object<ModelIn>>,
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Vec<ToolIn>")]
    tools: Option<Vec<Object<ToolIn>>>,
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
    #[serde(default)]
    #[schemars(with = "Vec<PriceIn>")]
    prices: Vec<Object<PriceIn>>,
    /// The named upstream of the settings that serves it; absent is the first one.
    upstream: Option<String>,
    /// The one workspace that may use it; absent is any.
    #[schemars(with = "Option<shapes::Id>")]
    workspace_id: Option<WorkspaceId>,
    /// As shown; it follows from the prices, and is not read.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    #[expect(dead_code, reason = "it may come in and says nothing")]
    unpriced: IgnoredAny,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "NewPrice")]
#[serde(deny_unknown_fields)]
struct PriceIn {
    #[schemars(with = "shapes::Time")]
    effective_from: Timestamp,
    #[serde(default, deserialize_with = "dollars")]
    #[schemars(with = "Option<shapes::Dollars>")]
    input_usd_per_mtok: Option<Money>,
    #[serde(default, deserialize_with = "dollars")]
    #[schemars(with = "Option<shapes::Dollars>")]
    cached_input_usd_per_mtok: Option<Money>,
    #[serde(default, deserialize_with = "dollars")]
    #[schemars(with = "Option<shapes::Dollars>")]
    output_usd_per_mtok: Option<Money>,
    #[serde(default, deserialize_with = "dollars")]
    #[schemars(with = "Option<shapes::Dollars>")]
    usd_per_1000_pages: Option<Money>,
    #[serde(default, deserialize_with = "dollars")]
    #[schemars(with = "Option<shapes::Dollars>")]
    usd_per_1000_annotated_pages: Option<Money>,
    #[serde(default, deserialize_with = "dollars")]
    #[schemars(with = "Option<shapes::Dollars>")]
    usd_per_audio_minute: Option<Money>,
    #[serde(default, deserialize_with = "dollars")]
    #[schemars(with = "Option<shapes::Dollars>")]
    usd_per_mchar: Option<Money>,
    #[serde(default, deserialize_with = "dollars")]
    #[schemars(with = "Option<shapes::Dollars>")]
    usd_per_month_kept: Option<Money>,
    #[schemars(with = "Option<u32>")]
    priority_percent: Option<u32>,
    #[schemars(with = "Option<u32>")]
    batch_percent: Option<u32>,
    #[schemars(with = "Option<u32>")]
    regional_percent: Option<u32>,
}

impl From<PriceIn> for Price {
    fn from(read: PriceIn) -> Self {
        let usual = Self::none(read.effective_from);
        Self {
            effective_from: read.effective_from,
            input_usd_per_mtok: read.input_usd_per_mtok,
            cached_input_usd_per_mtok: read.cached_input_usd_per_mtok,
            output_usd_per_mtok: read.output_usd_per_mtok,
            usd_per_1000_pages: read.usd_per_1000_pages,
            usd_per_1000_annotated_pages: read.usd_per_1000_annotated_pages,
            usd_per_audio_minute: read.usd_per_audio_minute,
            usd_per_mchar: read.usd_per_mchar,
            usd_per_month_kept: read.usd_per_month_kept,
            priority_percent: read.priority_percent.unwrap_or(usual.priority_percent),
            batch_percent: read.batch_percent.unwrap_or(usual.batch_percent),
            regional_percent: read.regional_percent.unwrap_or(usual.regional_percent),
        }
    }
}

/// A tool as in the answers.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "NewPricedTool")]
#[serde(deny_unknown_fields)]
struct ToolIn {
    #[schemars(with = "shapes::Tool")]
    r#type: String,
    #[schemars(with = "Vec<ToolPriceIn>")]
    prices: Vec<Object<ToolPriceIn>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "NewToolPrice")]
#[serde(deny_unknown_fields)]
struct ToolPriceIn {
    #[schemars(with = "shapes::Time")]
    effective_from: Timestamp,
    #[schemars(with = "shapes::Dollars")]
    usd_per_call: Dollars,
}

impl From<ToolIn> for PricedTool {
    fn from(read: ToolIn) -> Self {
        let price = |Object(price): Object<ToolPriceIn>| ToolPrice {
            effective_from: price.effective_from,
            usd_per_call: price.usd_per_call.0,
        };
        let mut prices: Vec<ToolPrice> = read.prices.into_iter().map(price).collect();
        prices.sort_by_key(|price| price.effective_from);
        Self { tool: read.r#type, prices }
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
            workspace_id: read.workspace_id,
        };
        Self { model, prices: Prices::new(prices).all().to_vec() }
    }
}

async fn list(State(control): Shared, context: Context, params: Params) -> Answer {
    params.done()?;
    Ok(reply::ok(&CatalogueShown::of(actions::list(&control).await?, context.now)))
}

async fn one(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    Ok(reply::ok(&ModelShown::of(actions::get(&control, &id).await?, context.now)))
}

async fn replace(
    State(control): Shared,
    context: Context,
    mut params: Params,
    Body(Object(read)): Body<Object<CatalogueIn>>,
) -> Answer {
    let force = params.parsed("force", "true or false", |text| match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    })?;
    params.done()?;
    let models = read.models.into_iter().map(|Object(model)| model.into()).collect();
    let tools = read.tools.map(|tools| tools.into_iter().map(|Object(tool)| tool.into()).collect());
    let list = actions::replace(&control, &context, models, tools, force.unwrap_or(false)).await?;
    Ok(reply::ok(&CatalogueShown::of(list, context.now)))
}
