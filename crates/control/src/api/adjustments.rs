//! `/v1/gateway/adjustments`: corrections of what was charged, each an entry of its own.

use super::{Answer, Shared};
use crate::actions::adjustments::{self as actions, NewAdjustment, Reported};
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::intake::values::dollars;
use crate::intake::{Body, Object};
use crate::openapi::about::{Kind, PAGE, Parameter};
use crate::openapi::shapes;
use crate::page::{Asked, Page};
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::endpoints::EndpointKind;
use louver_domain::id::{AdjustmentId, KeyId, RequestId, UserId, WorkspaceId};
use louver_domain::money::Money;
use louver_domain::time::Timestamp;
use louver_store::ledger::adjustments::{Adjustment, Filter};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const FILTERS: &[Parameter] = &[
    Parameter::new("workspace_id", Kind::Id, "Only of this workspace."),
    Parameter::new("from", Kind::Moment, "Only of what was charged from then on."),
    Parameter::new("to", Kind::Moment, "Only of what was charged before then."),
];

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/gateway/adjustments", Action::ReadUsage, list)
        .named("list_adjustments", "Corrections of what was charged, those posted last first")
        .query(PAGE)
        .query(FILTERS)
        .answers::<Page<Shown>>()
        .post("/v1/gateway/adjustments", Action::AdjustUsage, post)
        .named("post_adjustments", "Bring a day of a workspace and a model to what the provider's report says")
        .saying(
            "What lies between the ledger and `reported` is posted as new entries, and counts in the budgets of that day. \
             What is not reported stays. Posted again, nothing changes. No more is taken back than was charged.",
        )
        .takes::<AdjustmentIn>()
        .answers::<Posted>()
        .refuses(&[409])
        .tagged("gateway.usage")
}

/// What the report says.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "ReportedUsage")]
#[serde(deny_unknown_fields)]
struct ReportedIn {
    /// With those that were cached.
    input_tokens: Option<u64>,
    cached_input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    pages: Option<u64>,
    annotated_pages: Option<u64>,
    audio_seconds: Option<u64>,
    characters: Option<u64>,
    tool_calls: Option<u64>,
    /// Absent is what the difference costs at the price of that day.
    #[serde(default, deserialize_with = "dollars")]
    #[schemars(with = "Option<shapes::Dollars>")]
    cost_usd: Option<Money>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "NewAdjustment")]
#[serde(deny_unknown_fields)]
struct AdjustmentIn {
    #[schemars(with = "shapes::Id")]
    workspace_id: WorkspaceId,
    /// A day in UTC that is over.
    #[schemars(with = "shapes::Time")]
    day: Timestamp,
    /// The pinned id of the model.
    model: String,
    #[schemars(with = "ReportedIn")]
    reported: Object<ReportedIn>,
    /// The key to charge, where nobody used the model that day.
    #[schemars(with = "Option<shapes::Id>")]
    key_id: Option<KeyId>,
    /// The endpoint to charge, where nobody used the model that day.
    #[schemars(with = "Option<shapes::Endpoint>")]
    endpoint: Option<EndpointKind>,
    /// A sentence for people.
    reason: String,
}

/// An adjustment as shown. Numbers below zero were taken back.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Adjustment")]
pub(crate) struct Shown {
    #[schemars(with = "shapes::Id")]
    id: AdjustmentId,
    #[schemars(extend("const" = "adjustment"))]
    object: &'static str,
    #[schemars(extend("enum" = ["batch", "reconciliation", "storage"]))]
    reason: &'static str,
    note: String,
    /// The call that it corrects, if it is one.
    #[schemars(with = "Option<shapes::Id>")]
    request_id: Option<RequestId>,
    /// When what it corrects was charged.
    #[schemars(with = "shapes::Time")]
    at: Timestamp,
    #[schemars(with = "shapes::Time")]
    posted_at: Timestamp,
    #[schemars(with = "shapes::Id")]
    workspace_id: WorkspaceId,
    key_id: String,
    #[schemars(with = "Option<shapes::Id>")]
    user_id: Option<UserId>,
    role: Option<String>,
    #[schemars(with = "shapes::Endpoint")]
    endpoint: EndpointKind,
    model: String,
    input_tokens: i64,
    cached_input_tokens: i64,
    output_tokens: i64,
    pages: i64,
    annotated_pages: i64,
    audio_seconds: i64,
    characters: i64,
    tool_calls: i64,
    #[schemars(with = "shapes::Dollars")]
    cost_usd: Money,
}

impl From<&Adjustment> for Shown {
    fn from(of: &Adjustment) -> Self {
        Self {
            id: of.id,
            object: "adjustment",
            reason: of.reason.as_str(),
            note: of.note.clone(),
            request_id: of.of_request,
            at: of.at,
            posted_at: of.posted_at,
            workspace_id: of.workspace_id,
            key_id: of.key_id.prefixed(),
            user_id: of.user_id,
            role: of.role.clone(),
            endpoint: of.endpoint,
            model: of.model.clone(),
            input_tokens: of.difference.input,
            cached_input_tokens: of.difference.cached,
            output_tokens: of.difference.output,
            pages: of.difference.pages,
            annotated_pages: of.difference.annotated_pages,
            audio_seconds: of.difference.audio_seconds,
            characters: of.difference.characters,
            tool_calls: of.difference.tool_calls,
            cost_usd: Money::from_nanos(of.difference.nanos),
        }
    }
}

/// What was posted; nothing, where the ledger says what the report says.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PostedAdjustments")]
pub(crate) struct Posted {
    #[schemars(extend("const" = "list"))]
    object: &'static str,
    data: Vec<Shown>,
}

impl Posted {
    pub(crate) fn of(posted: &[Adjustment]) -> Self {
        Self { object: "list", data: posted.iter().map(Into::into).collect() }
    }
}

async fn list(State(control): Shared, context: Context, mut params: Params) -> Answer {
    let asked = Asked::read(&mut params)?;
    let wanted = "an RFC 3339 time or a date";
    let not_an_id = || ControlError::parameter("after", "expected the id of an adjustment");
    let filter = Filter {
        workspace: params.parsed(
            "workspace_id",
            "a UUID or ws_ and 32 hexadecimal digits",
            WorkspaceId::parse,
        )?,
        user: None,
        from: params.parsed("from", wanted, Timestamp::parse)?,
        to: params.parsed("to", wanted, Timestamp::parse)?,
        after: asked.after.map(|text| AdjustmentId::parse(&text).ok_or_else(not_an_id)).transpose()?,
    };
    params.done()?;
    let found = actions::list(&control, &context, filter, asked.limit.saturating_add(1)).await?;
    let page = Page::of_one_more(found, asked.limit);
    Ok(reply::ok(&page.map(|adjustment| Shown::from(&adjustment))))
}

async fn post(
    State(control): Shared,
    context: Context,
    Body(Object(read)): Body<Object<AdjustmentIn>>,
) -> Answer {
    let Object(reported) = read.reported;
    let new = NewAdjustment {
        workspace_id: read.workspace_id,
        day: read.day,
        model: read.model,
        reported: Reported {
            input: reported.input_tokens,
            cached: reported.cached_input_tokens,
            output: reported.output_tokens,
            pages: reported.pages,
            annotated_pages: reported.annotated_pages,
            audio_seconds: reported.audio_seconds,
            characters: reported.characters,
            tool_calls: reported.tool_calls,
            cost: reported.cost_usd,
        },
        key_id: read.key_id,
        endpoint: read.endpoint,
        reason: read.reason,
    };
    Ok(reply::ok(&Posted::of(&actions::post(&control, &context, new).await?)))
}
