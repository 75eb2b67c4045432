//! What is the reader's own: keys, usage of this month, budgets with what is left, and which models may be called where.

use crate::access::PATH as ACCESS;
use crate::answer::Answer;
use crate::fields::{Asked, address};
use crate::figures::{date, distance, dollars, moment, number};
use crate::frame::{Here, Visit};
use crate::kit::meter::Meter;
use crate::kit::table::{Column, pager, table};
use crate::kit::{Card, Head, Stat, Tone, badge, chip, empty, facts, link, stats, tiny_link};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use louver_control::Control;
use louver_control::actions::budgets::Standing;
use louver_control::actions::own::{self as actions, Callable, Group, Sums};
use louver_control::error::ControlError;
use louver_domain::access::Action;
use louver_domain::budgets::{BudgetKind, Unit};
use louver_domain::id::KeyId;
use louver_domain::keys::ApiKey;
use louver_domain::limits::Limits;
use louver_domain::time::Timestamp;
use maud::{Markup, html};
use std::collections::BTreeMap;
use std::sync::Arc;

const PATH: &str = "/console/me";
const PAGE: u32 = 50;

pub(crate) fn pages() -> Router<Arc<Control>> {
    Router::new().route(PATH, get(show)).route("/console/me/models", get(models))
}

async fn show(State(control): State<Arc<Control>>, visit: Visit, asked: Asked) -> Answer {
    let context = &visit.context;
    let person = actions::person(&control, context).await?;
    let after = asked.id("after", KeyId::parse).map_err(|_| ControlError::NotFound)?;
    let keys = actions::keys(&control, context, after, PAGE.saturating_add(1)).await?;
    let usage = actions::usage(&control, context).await?;
    let budgets = actions::budgets(&control, context, &person).await?;
    let acts = vec![link("/console/me/models", None, "Which models may I call?")];
    let body = html! {
        (Head { title: "Yours", meta: vec![html! { (person.email) }], acts, ..Head::default() }.draw())
        div.stack {
            (sums(&usage))
            (key_card(&visit, keys, after.is_some()))
            div.cols.even {
                (by_model(&usage))
                (limits(&person.limits, &budgets))
            }
        }
    };
    Ok(visit.page(Here::Account, &[("Yours", PATH)], &body))
}

fn sums(usage: &BTreeMap<Group, Sums>) -> Markup {
    let cost = usage.values().fold(0_i64, |sum, one| sum.saturating_add(one.cost.nanos()));
    let calls = usage.values().fold(0_u64, |sum, one| sum.saturating_add(one.requests));
    let tokens = usage
        .values()
        .fold(0_u64, |sum, one| sum.saturating_add(one.tokens.input).saturating_add(one.tokens.output));
    let stat = |label, figure: String, word: &str| Stat {
        label,
        figure: html! { (figure) },
        word: html! { (word) },
        course: None,
    };
    stats(&[
        stat("Spend this month", dollars(cost), "all your keys together"),
        stat("Calls this month", number(calls), "that reached a model"),
        stat("Tokens this month", number(tokens), "in and out"),
    ])
}

fn key_card(visit: &Visit, mut keys: Vec<ApiKey>, later: bool) -> Markup {
    let most = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let more = keys.len() > most;
    keys.truncate(most);
    let create = (visit.may(Action::CreateApiKey) || visit.may(Action::CreateOwnApiKey))
        .then(|| tiny_link("/console/keys/new", "Create a key"));
    let columns = [
        Column::text("Name"),
        Column::text("Key"),
        Column::text("Workspace"),
        Column::text("Last used"),
        Column::text("Expires"),
        Column::text("Status"),
    ];
    let rows: Vec<Vec<Markup>> = keys.iter().map(|key| key_row(visit, key)).collect();
    let next = keys.last().filter(|_| more).map(|last| address(PATH, &[("after", &last.id.to_string())]));
    let flush = if rows.is_empty() {
        empty(
            "You have no keys",
            "A key lets your programs call models within your limits. Where you may not make one, ask an admin of your workspace.",
            create.as_ref(),
        )
    } else {
        table("Your keys", &columns, &rows)
    };
    let foot = (more || later).then(|| pager("Oldest first", later.then_some(PATH), next.as_deref()));
    Card {
        id: "keys",
        title: "Your keys",
        side: create.filter(|_| !rows.is_empty()),
        flush: Some(flush),
        foot,
        ..Card::default()
    }
    .draw()
}

fn key_row(visit: &Visit, key: &ApiKey) -> Vec<Markup> {
    let now = visit.context.now;
    let workspace = visit.around.workspaces.iter().find(|one| one.id == key.workspace_id);
    vec![
        html! { a.title title=(key.name) href={ "/console/keys/" (key.id) } { (key.name) } },
        html! { span.mono { (key.hidden()) } },
        html! { (workspace.map_or("–", |one| one.name.as_str())) },
        html! { @match key.last_used_at { Some(at) => (distance(at, now)), None => "never" } },
        html! { @match key.expires_at { Some(end) => (date(end)), None => "never" } },
        key_standing(key, now),
    ]
}

fn key_standing(key: &ApiKey, now: Timestamp) -> Markup {
    match key.shown_status(now) {
        "active" => badge(Tone::Good, "Active"),
        "expired" => badge(Tone::Warn, "Expired"),
        "disabled" => badge(Tone::Off, "Disabled"),
        _ => badge(Tone::Off, "Revoked"),
    }
}

fn by_model(usage: &BTreeMap<Group, Sums>) -> Markup {
    let mut all: Vec<(&str, &Sums)> =
        usage.iter().map(|(group, sums)| (group.model.as_deref().unwrap_or("none"), sums)).collect();
    all.sort_by_key(|(_, sums)| std::cmp::Reverse(sums.cost));
    let columns = [
        Column::text("Model"),
        Column::number("Calls"),
        Column::number("Tokens in"),
        Column::number("Tokens out"),
        Column::number("Spend"),
    ];
    let row = |(model, sums): &(&str, &Sums)| {
        vec![
            chip(model),
            html! { (number(sums.requests)) },
            html! { (number(sums.tokens.input)) },
            html! { (number(sums.tokens.output)) },
            html! { (dollars(sums.cost.nanos())) },
        ]
    };
    let rows: Vec<Vec<Markup>> = all.iter().map(row).collect();
    let flush = if rows.is_empty() {
        empty("Nothing this month", "Calls with your keys appear here within a minute.", None)
    } else {
        table("Your usage this month by model", &columns, &rows)
    };
    Card { id: "usage", title: "This month by model", flush: Some(flush), ..Card::default() }.draw()
}

const fn window(kind: BudgetKind) -> &'static str {
    match kind {
        BudgetKind::HourlyUsd => "this hour",
        BudgetKind::DailyUsd | BudgetKind::DailyTokens => "today",
        BudgetKind::MonthlyUsd | BudgetKind::MonthlyTokens => "this month",
    }
}

/// Limits over all keys of the person together, with what is left.
fn limits(limits: &Limits, budgets: &[Standing]) -> Markup {
    let rates = [
        (limits.requests_per_second, "Calls a second"),
        (limits.requests_per_minute, "Calls a minute"),
        (limits.tokens_per_minute, "Tokens a minute"),
        (limits.max_concurrent_requests, "Calls at a time"),
    ];
    let rates: Vec<(&str, Markup)> = rates
        .into_iter()
        .filter_map(|(limit, name)| Some((name, html! { "at most " (number(limit?)) })))
        .collect();
    let none = rates.is_empty() && budgets.is_empty();
    let body = html! {
        @if none { p { "None of your own: those of the workspace, the organization and each key hold." } }
        @if !budgets.is_empty() { ul.budgets { @for one in budgets { li { (budget(one)) } } } }
        @if !rates.is_empty() { (facts(&rates)) }
    };
    Card { id: "limits", title: "Limits over all your keys", body: Some(body), ..Card::default() }.draw()
}

fn budget(one: &Standing) -> Markup {
    let unit = one.budget.kind.unit();
    let amount = |value: i64| match unit {
        Unit::Usd => dollars(value),
        Unit::Tokens => format!("{} tokens", number(u64::try_from(value).unwrap_or(0))),
    };
    let meter = Meter {
        label: window(one.budget.kind),
        used: one.spent,
        held: one.reserved,
        limit: one.budget.limit,
        thresholds: &one.thresholds,
        ..Meter::default()
    };
    html! {
        div.budget {
            p.line {
                span.with { b { (window(one.budget.kind)) } @if !one.budget.enforced { " " (badge(Tone::Shadow, "Shadow")) } }
                span.sum { b { (amount(one.spent)) } " " span.quiet { "of " (amount(one.budget.limit)) } }
            }
            @if unit == Unit::Usd { (meter.draw()) }
            p.line.small.quiet { span { (amount(one.remaining())) " left" } span { "again " (moment(one.period.ends)) } }
        }
    }
}

async fn models(State(control): State<Arc<Control>>, visit: Visit) -> Answer {
    let all = actions::models(&control, &visit.context).await?;
    let body = html! {
        (Head { title: "Models that you may call", meta: vec![html! { "With a key of your own that narrows nothing further" }], ..Head::default() }.draw())
        div.stack {
            @if all.is_empty() { section.card { (empty("You are in no workspace", "Ask an admin to add you to one.", None)) } }
            @for (place, one) in all.iter().enumerate() { (callable(&visit, one, place)) }
        }
    };
    Ok(visit.page(Here::Account, &[("Yours", PATH), ("Models", "")], &body))
}

fn callable(visit: &Visit, one: &Callable, place: usize) -> Markup {
    let check =
        |model: &str| address(ACCESS, &[("workspace_id", &one.workspace_id.to_string()), ("model", model)]);
    let may = visit.may(Action::Explain);
    let body = html! {
        @if one.models.is_empty() { p { "None: the lists of organization, workspace and role leave nothing over." } }
        @else {
            span.chips { @for model in &one.models { @if may { a href=(check(model)) { (chip(model)) } } @else { (chip(model)) } } }
            @if may { p.hint { "Each leads to what would become of a call of it." } }
        }
    };
    Card { id: &format!("workspace-{place}"), title: &one.workspace, body: Some(body), ..Card::default() }
        .draw()
}
