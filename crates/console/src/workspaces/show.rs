//! One workspace at a glance: what it spends, who belongs to it, what its limits are.

use super::{framed, id_of};
use crate::answer::Answer;
use crate::figures::{distance, dollars, number};
use crate::frame::Visit;
use crate::kit::meter::Meter;
use crate::kit::{Card, Stat, chip, chips, empty, facts, stats};
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use http::StatusCode;
use louver_control::Control;
use louver_control::actions::workspaces::figures::{self, Figures, Used};
use louver_control::actions::workspaces::{self as actions};
use louver_domain::access::Action;
use louver_domain::budgets::{BudgetKind, Unit};
use louver_domain::limits::Limits;
use louver_domain::money::Money;
use louver_domain::time::Timestamp;
use louver_domain::workspaces::Workspace;
use maud::{Markup, html};
use std::sync::Arc;

pub(super) fn pages() -> Router<Arc<Control>> {
    Router::new().route("/console/workspaces/{workspace}", get(show))
}

async fn show(State(control): State<Arc<Control>>, visit: Visit, Path(id): Path<String>) -> Answer {
    let context = &visit.context;
    let workspace = actions::get(&control, context, id_of(&id)?).await?;
    let known = figures::of(&control, context, &[workspace.id]).await?;
    let figures = known.get(&workspace.id).copied().unwrap_or_default();
    let members = actions::count_members(&control, workspace.id).await?;
    let used = match figures.spent {
        Some(_) => figures::budgets(&control, context, &workspace).await?,
        None => vec![],
    };
    let body = html! {
        (glance(&workspace, figures, members))
        div.cols.even {
            (budgets(&workspace, &used, context.now))
            (limits(&visit, &workspace))
        }
    };
    Ok(framed(&visit, StatusCode::OK, &workspace, "Overview", &body))
}

fn glance(workspace: &Workspace, figures: Figures, members: u64) -> Markup {
    let budget = workspace.limits.monthly_budget_usd;
    let mut all = vec![];
    if let Some(spent) = figures.spent {
        all.push(Stat {
            label: "Spend this month",
            figure: html! { (dollars(spent.nanos())) @if let Some(budget) = budget { " " small { "of " (dollars(budget.nanos())) } } },
            word: html! { @if budget.is_none() { "no monthly budget of its own" } @else { "of its monthly budget" } },
            course: None,
        });
    }
    if let Some(keys) = figures.keys {
        all.push(Stat {
            label: "Keys",
            figure: html! { (number(keys)) },
            word: html! { "not revoked" },
            course: None,
        });
    }
    all.push(Stat {
        label: "Members",
        figure: html! { (number(members)) },
        word: html! { "by themselves or through groups" },
        course: None,
    });
    stats(&all)
}

fn budgets(workspace: &Workspace, used: &[Used], now: Timestamp) -> Markup {
    let thresholds = workspace.limits.thresholds();
    let text = "All its keys together may spend what the organization allows. Limits sets a budget.";
    let line = |(budget, period, used): &Used| {
        let shown = |amount: i64| match budget.kind.unit() {
            Unit::Usd => dollars(amount),
            Unit::Tokens => number(u64::try_from(amount).unwrap_or(0)),
        };
        let title = title(budget.kind);
        html! {
            li {
                div.budget {
                    p.line {
                        span.with { b { (title) } span.quiet.small { "resets " (distance(period.ends, now)) } }
                        span.sum { b { (shown(*used)) } " " span.quiet { "of " (shown(budget.limit)) } }
                    }
                    @if budget.kind.unit() == Unit::Usd {
                        (Meter { label: title, used: *used, limit: budget.limit, thresholds: &thresholds, ..Meter::default() }.draw())
                    }
                    p.line.small.quiet { span { (shown(budget.limit.saturating_sub(*used).max(0))) " left" } }
                }
            }
        }
    };
    Card {
        id: "budgets",
        title: "Budgets",
        flush: Some(html! {
            @if used.is_empty() { (empty("No budgets of its own", text, None)) }
            @else { ul.budgets { @for one in used { (line(one)) } } }
        }),
        ..Card::default()
    }
    .draw()
}

const fn title(kind: BudgetKind) -> &'static str {
    match kind {
        BudgetKind::HourlyUsd => "Hour",
        BudgetKind::DailyUsd => "Day",
        BudgetKind::MonthlyUsd => "Month",
        BudgetKind::MonthlyTokens => "Tokens this month",
        BudgetKind::DailyTokens => "Tokens today",
    }
}

fn limits(visit: &Visit, workspace: &Workspace) -> Markup {
    let href = format!("/console/workspaces/{}/limits", workspace.id);
    let may = visit.may(Action::UpdateWorkspaceLimits) && workspace.archived_at.is_none();
    Card {
        id: "limits",
        title: "Limits",
        side: may.then(|| html! { a href=(href) { "Change" } }),
        body: Some(summary(&workspace.limits)),
        ..Card::default()
    }
    .draw()
}

/// Limits in short.
pub(crate) fn summary(limits: &Limits) -> Markup {
    let rate = |count: Option<u64>, unit: &str| match count {
        Some(count) => html! { (number(count)) " " (unit) },
        None => html! { span.quiet { "no limit here" } },
    };
    let per_cents = limits.thresholds().iter().map(|n| format!("{n} %")).collect::<Vec<_>>().join(", ");
    let sum = |sum: Option<Money>| match sum {
        Some(sum) => html! { (dollars(sum.nanos())) },
        None => html! { span.quiet { "no limit here" } },
    };
    facts(&[
        ("Dollars a month", sum(limits.monthly_budget_usd)),
        ("Dollars a day", sum(limits.daily_budget_usd)),
        ("Dollars an hour", sum(limits.hourly_budget_usd)),
        ("Tokens a month", rate(limits.tokens_per_month, "tokens")),
        ("Calls a second", rate(limits.requests_per_second, "calls")),
        ("Calls a minute", rate(limits.requests_per_minute, "calls")),
        ("Tokens a minute", rate(limits.tokens_per_minute, "tokens")),
        ("At the same time", rate(limits.max_concurrent_requests, "calls")),
        (
            "Models",
            html! { @match &limits.allowed_models { Some(list) => (chips(list)), None => "all that the organization allows" } },
        ),
        (
            "Endpoints",
            html! {
                @match &limits.allowed_endpoints {
                    Some(list) => span.chips { @for kind in list { (chip(kind.as_str())) } },
                    None => "all that the organization allows",
                }
            },
        ),
        (
            "Mode",
            html! { @if limits.enforced() { "Enforce: calls beyond a limit are refused" } @else { "Shadow: calls pass and are marked" } },
        ),
        ("Alerts", html! { "at " (per_cents) }),
    ])
}
