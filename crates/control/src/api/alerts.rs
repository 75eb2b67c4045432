//! `/v1/gateway/alerts`: what was raised, newest first, and how its deliveries stand.

use super::{Answer, Shared};
use crate::actions::alerts::{self as actions, Delivered};
use crate::context::Context;
use crate::intake::params::Params;
use crate::openapi::about::PAGE;
use crate::openapi::shapes;
use crate::page::{Asked, Page};
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::alerts::{Alert, AlertKind, BudgetState};
use louver_domain::id::{AlertChannelId, AlertId, UserId};
use louver_domain::money::Money;
use louver_domain::time::Timestamp;
use louver_store::deliveries::Delivery;
use schemars::JsonSchema;
use serde::Serialize;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/gateway/alerts", Action::ReadAlerts, list)
        .named("list_alerts", "What was raised, newest first, and how its deliveries stand")
        .query(PAGE)
        .answers::<Page<ShownWithDeliveries>>()
        .tagged("gateway.alerts")
}

/// An alert as shown, and as webhooks carry it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Alert")]
pub(crate) struct Shown {
    #[schemars(with = "shapes::Id")]
    id: AlertId,
    #[schemars(extend("const" = "alert"))]
    object: &'static str,
    kind: &'static str,
    threshold: Option<u8>,
    budget_id: Option<String>,
    scope: String,
    scope_id: String,
    name: String,
    window: Option<String>,
    unit: Option<String>,
    limit: Option<Amount>,
    spent: Option<Amount>,
    #[schemars(with = "Option<shapes::Time>")]
    period_starts: Option<Timestamp>,
    #[schemars(with = "Option<shapes::Time>")]
    period_ends: Option<Timestamp>,
    #[schemars(with = "Option<shapes::Time>")]
    forecast_at: Option<Timestamp>,
    superseded: bool,
    #[schemars(with = "shapes::Time")]
    raised_at: Timestamp,
}

/// Dollars, or tokens.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AlertAmount")]
#[serde(untagged)]
enum Amount {
    Dollars(#[schemars(with = "shapes::Dollars")] Money),
    Tokens(i64),
}

fn amount(budget: &BudgetState, value: i64) -> Amount {
    if budget.unit == "usd" { Amount::Dollars(Money::from_nanos(value)) } else { Amount::Tokens(value) }
}

impl Shown {
    pub(crate) fn of(alert: &Alert) -> Self {
        let budget = alert.budget.as_ref();
        Self {
            id: alert.id,
            object: "alert",
            kind: alert.kind.as_str(),
            threshold: alert.threshold,
            // A budget's id has no type of its own here; all ids are printed alike.
            budget_id: budget.map(|_| AlertId::from_bytes(alert.subject_id).to_string()),
            scope: alert.scope.clone(),
            scope_id: alert.scope_id.clone(),
            name: alert.name.clone(),
            window: budget.map(|budget| budget.window.clone()),
            unit: budget.map(|budget| budget.unit.clone()),
            limit: budget.map(|budget| amount(budget, budget.limit)),
            spent: budget.map(|budget| amount(budget, budget.spent)),
            period_starts: (alert.kind != AlertKind::Test).then_some(alert.starts),
            period_ends: (alert.kind != AlertKind::Test).then_some(alert.ends),
            forecast_at: budget.and_then(|budget| budget.forecast_at),
            superseded: alert.superseded,
            raised_at: alert.raised_at,
        }
    }
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AlertWithDeliveries")]
struct ShownWithDeliveries {
    #[serde(flatten)]
    shown: Shown,
    deliveries: Vec<ShownDelivery>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AlertDelivery")]
struct ShownDelivery {
    /// The channel; `null` where it goes to the owner of the key.
    #[schemars(with = "Option<shapes::Id>")]
    channel_id: Option<AlertChannelId>,
    channel_name: Option<String>,
    /// The owner of the key, who is told by mail besides the channels.
    #[schemars(with = "Option<shapes::Id>")]
    user_id: Option<UserId>,
    user_email: Option<String>,
    #[schemars(extend("enum" = ["webhook", "slack", "email"]))]
    kind: &'static str,
    state: &'static str,
    attempts: u64,
    #[schemars(with = "Option<shapes::Time>")]
    next_attempt_at: Option<Timestamp>,
    last_error: Option<String>,
    #[schemars(with = "Option<shapes::Time>")]
    delivered_at: Option<Timestamp>,
}

impl From<Delivery> for ShownDelivery {
    fn from(delivery: Delivery) -> Self {
        let (channel_id, user_id) = (delivery.receiver.channel(), delivery.receiver.owner());
        Self {
            channel_id,
            channel_name: channel_id.map(|_| delivery.name.clone()),
            user_id,
            user_email: user_id.map(|_| delivery.name),
            kind: delivery.kind.as_str(),
            state: delivery.state.as_str(),
            attempts: delivery.attempts,
            next_attempt_at: delivery.next_at,
            last_error: delivery.last_error,
            delivered_at: delivery.delivered_at,
        }
    }
}

async fn list(State(control): Shared, context: Context, mut params: Params) -> Answer {
    let asked = Asked::read(&mut params)?;
    params.done()?;
    let not_an_id = || crate::error::ControlError::parameter("after", "expected the id of an alert");
    let after = asked.after.map(|text| AlertId::parse(&text).ok_or_else(not_an_id)).transpose()?;
    let alerts = actions::list(&control, &context, after, asked.limit.saturating_add(1)).await?;
    let page = Page::of_one_more(alerts, asked.limit);
    Ok(reply::ok(&page.map(|Delivered { alert, deliveries }| ShownWithDeliveries {
        shown: Shown::of(&alert),
        deliveries: deliveries.into_iter().map(Into::into).collect(),
    })))
}
