//! `/v1/gateway/budgets`: how every budget stands.

use super::{Answer, Shared};
use crate::actions::budgets::{self as actions, Fence, Standing};
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::intake::{Body, Named, Object};
use crate::openapi::about::{Kind, PAGE, Parameter};
use crate::openapi::shapes;
use crate::page::{Asked, Page};
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::budgets::Unit;
use louver_domain::id::BudgetId;
use louver_domain::money::Money;
use louver_domain::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const FILTERS: &[Parameter] = &[
    Parameter::new("scope", Kind::Text, "Only budgets of this level, such as `workspace`."),
    Parameter::new("scope_id", Kind::Text, "Only budgets of this object, by the id that budgets show."),
];

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/gateway/budgets", Action::ReadBudgets, list)
        .named("list_budgets", "How every budget stands")
        .query(PAGE)
        .query(FILTERS)
        .answers::<Page<Shown>>()
        .post("/v1/gateway/budgets/release", Action::ReleaseStranded, release)
        .named("release_stranded", "Release what nodes took with them")
        .saying("Of one budget or of all. The fence says why nothing can be billed on it any more.")
        .takes::<ReleaseIn>()
        .answers::<actions::Released>()
        .refuses(&[404])
        .get("/v1/gateway/budgets/{id}", Action::ReadBudgets, one)
        .named("get_budget", "How one budget stands")
        .answers::<Shown>()
        .post("/v1/gateway/budgets/{id}/unblock", Action::UnblockBudget, unblock)
        .named("unblock_budget", "Unblock a budget that was blocked since its books did not agree")
        .answers::<Shown>()
        .tagged("gateway.budgets")
}

/// An amount as shown: dollars, or tokens.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BudgetAmount")]
#[serde(untagged)]
pub(crate) enum Amount {
    Usd(#[schemars(with = "shapes::Dollars")] Money),
    Tokens(i64),
}

impl Amount {
    pub(crate) const fn of(unit: Unit, amount: i64) -> Self {
        match unit {
            Unit::Usd => Self::Usd(Money::from_nanos(amount)),
            Unit::Tokens => Self::Tokens(amount),
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BudgetThreshold")]
struct Threshold {
    percent: u8,
    crossed: bool,
}

/// A budget as shown.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Budget")]
struct Shown {
    #[schemars(with = "shapes::Id")]
    id: BudgetId,
    #[schemars(extend("const" = "budget"))]
    object: &'static str,
    name: String,
    #[schemars(extend("enum" = ["organization", "workspace", "user", "model_role", "key"]))]
    scope: &'static str,
    scope_id: String,
    role: Option<String>,
    window: &'static str,
    #[schemars(extend("enum" = ["usd", "tokens"]))]
    unit: &'static str,
    limit: Amount,
    spent: Amount,
    reserved: Amount,
    leased: Amount,
    stranded: Amount,
    remaining: Amount,
    #[schemars(with = "shapes::Time")]
    starts_at: Timestamp,
    #[schemars(with = "shapes::Time")]
    resets_at: Timestamp,
    #[schemars(extend("enum" = ["active", "exhausted", "blocked"]))]
    state: &'static str,
    #[schemars(extend("enum" = ["enforce", "shadow"]))]
    mode: &'static str,
    thresholds: Vec<Threshold>,
}

impl Shown {
    fn of(standing: &Standing) -> Self {
        let budget = &standing.budget;
        let amount = |amount| Amount::of(budget.kind.unit(), amount);
        let crossed = |percent: &u8| {
            let (spent, limit) = (i128::from(standing.spent), i128::from(budget.limit));
            spent.saturating_mul(100) >= limit.saturating_mul(i128::from(*percent))
        };
        let state = match () {
            () if standing.blocked => "blocked",
            () if standing.spent >= budget.limit || (standing.refused && standing.reserved == 0) => {
                "exhausted"
            }
            () => "active",
        };
        Self {
            id: budget.id,
            object: "budget",
            name: standing.name.clone(),
            scope: budget.scope.level.as_str(),
            scope_id: budget.scope.shown_id(),
            role: budget.scope.role.as_deref().map(str::to_owned),
            window: budget.kind.window().as_str(),
            unit: budget.kind.unit().as_str(),
            limit: amount(budget.limit),
            spent: amount(standing.spent),
            reserved: amount(standing.reserved),
            leased: amount(standing.leased),
            stranded: amount(standing.stranded),
            remaining: amount(standing.remaining()),
            starts_at: standing.period.starts,
            resets_at: standing.period.ends,
            state,
            mode: if budget.enforced { "enforce" } else { "shadow" },
            thresholds: standing
                .thresholds
                .iter()
                .map(|percent| Threshold { percent: *percent, crossed: crossed(percent) })
                .collect(),
        }
    }
}

fn read_id(text: &str) -> Result<BudgetId, ControlError> {
    BudgetId::parse(text).ok_or(ControlError::NotFound)
}

async fn list(State(control): Shared, context: Context, mut params: Params) -> Answer {
    let asked = Asked::read(&mut params)?;
    let scope = params.take("scope")?;
    let scope_id = params.take("scope_id")?;
    params.done()?;
    let mut all = actions::list(&control, &context).await?;
    all.retain(|standing| {
        let of = &standing.budget.scope;
        scope.as_deref().is_none_or(|scope| of.level.as_str() == scope)
            && scope_id.as_deref().is_none_or(|id| of.shown_id() == id)
    });
    let page = Page::cut(all, &asked, |standing, after| BudgetId::parse(after) == Some(standing.budget.id))?;
    Ok(reply::ok(&page.map(|standing| Shown::of(&standing))))
}

async fn one(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    let id = read_id(&id)?;
    let all = actions::list(&control, &context).await?;
    let found = all.iter().find(|standing| standing.budget.id == id).ok_or(ControlError::NotFound)?;
    Ok(reply::ok(&Shown::of(found)))
}

async fn unblock(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    actions::unblock(&control, &context, read_id(&id)?).await?;
    one(State(control), context, Named(id)).await
}

/// What to release, and by what fence nothing can still be billed on it.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "BudgetRelease")]
#[serde(deny_unknown_fields)]
struct ReleaseIn {
    #[serde(default)]
    #[schemars(with = "Option<shapes::Id>")]
    budget_id: Option<BudgetId>,
    fence: Fence,
}

async fn release(
    State(control): Shared,
    context: Context,
    Body(Object(asked)): Body<Object<ReleaseIn>>,
) -> Answer {
    let released = actions::release(&control, &context, asked.budget_id, asked.fence).await?;
    Ok(reply::ok(&released))
}
