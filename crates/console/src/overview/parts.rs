//! The parts of the overview, each a card or a row of figures.

use super::{DAY, Picture, Span};
use crate::budgets::{gauge, is_used_up, share, whose};
use crate::courses::{called, dearest};
use crate::failure::capital;
use crate::fields::address;
use crate::figures::{date, distance, dollars, number};
use crate::frame::Visit;
use crate::kit::chart::{Bars, spark};
use crate::kit::meter::amount_of;
use crate::kit::{Card, Stat, Tone, badge, empty, note, stats, tiny_link};
use louver_control::actions::alerts::Delivered;
use louver_control::actions::budgets::Standing;
use louver_domain::access::Action;
use louver_domain::alerts::{AlertKind, Message};
use louver_domain::budgets::{BudgetKind, Unit};
use louver_domain::calendar::Window;
use louver_domain::keys::ApiKey;
use louver_domain::limits::Level;
use louver_domain::time::Timestamp;
use maud::{Markup, html};
use std::collections::HashMap;

/// As many budgets stand on the page: those that are nearest to their limits.
const MOST_BUDGETS: usize = 6;

pub(super) fn live(picture: &Picture, visit: &Visit) -> Markup {
    html! {
        @if let Some(warning) = warning(picture, visit) { (warning) }
        @if picture.seen.is_some() {
            (figures(picture))
            div class=(if picture.is_own() { "stack" } else { "cols" }) {
                div.stack {
                    (by_model(picture))
                    @if let Some(alerts) = &picture.alerts { (alert_card(alerts, picture.now)) }
                }
                div.stack {
                    @if !picture.is_own() { (budget_card(picture, visit)) (refusals(picture)) }
                }
            }
        } @else {
            (empty("Nothing to see here yet", "You have no role in a workspace. Ask an administrator to add you to one.", None))
        }
    }
}

/// The budget that most needs a look, if one does.
fn warning(picture: &Picture, visit: &Visit) -> Option<Markup> {
    let worst = picture.standings.iter().max_by(|one, other| urgency(one).total_cmp(&urgency(other)))?;
    let used = share(worst);
    if used < 80.0 && !worst.blocked {
        return None;
    }
    let (_, window) = whose(worst);
    let what = match (worst.blocked, is_used_up(worst)) {
        (true, _) => format!("The {window} budget of {} is blocked.", worst.name),
        (false, true) => format!("The {window} budget of {} is used up.", worst.name),
        (false, false) => format!("{} has used {used:.0} % of its {window} budget.", worst.name),
    };
    let then = match (worst.blocked, worst.budget.enforced, is_used_up(worst)) {
        (true, _, _) => "A bill came out above its bound; calls are refused until somebody has looked.",
        (false, true, true) => "Calls are refused until it resets or is raised.",
        (false, true, false) => "Calls will be refused when it is reached.",
        (false, false, _) => "It is in the shadow: calls pass.",
    };
    let tone = if worst.blocked || is_used_up(worst) { Tone::Bad } else { Tone::Warn };
    let act = visit.may(Action::ReadBudgets).then(|| tiny_link("/console/limits", "Review budget"));
    Some(note(tone, &html! { p { b { (what) } " " (then) } }, act.as_ref()))
}

/// What stands still comes before what will, and what only counts comes last.
fn urgency(standing: &Standing) -> f64 {
    let base = if standing.blocked { 1_000.0 } else { share(standing) };
    if standing.budget.enforced { base } else { base / 1_000.0 }
}

fn figures(picture: &Picture) -> Markup {
    let today = picture.since(picture.day.starts);
    let month = picture.since(picture.month.starts);
    let before = picture.between(
        Window::Day.period(&picture.zone, picture.day.starts.plus_seconds(-1)).starts,
        picture.now.plus_seconds(DAY.saturating_mul(-1)),
    );
    let hour = picture.since(Window::Hour.period(&picture.zone, picture.now).starts);
    let cost = |sums: &louver_control::actions::usage::parts::Sums| sums.cost.nanos();
    let calls = |sums: &louver_control::actions::usage::parts::Sums| count(sums.requests);
    let hours = |of: &dyn Fn(&_) -> i64| picture.line(Window::Hour, picture.day.starts, of);
    let tokens = today.tokens.input.saturating_add(today.tokens.output);
    stats(&[
        Stat {
            label: "Spend today",
            figure: html! { (dollars(today.cost.nanos())) },
            word: html! { (dollars(before.cost.nanos())) " yesterday by now" },
            course: Some(spark("Spend by hour today", &hours(&cost), "")),
        },
        Stat {
            label: "Spend this hour",
            figure: html! { (dollars(hour.cost.nanos())) },
            word: html! { (number(hour.requests)) " calls" },
            course: None,
        },
        month_stat(picture, month.cost.nanos()),
        Stat {
            label: "Calls today",
            figure: html! { (number(today.requests)) },
            word: html! { (number(tokens)) " tokens" },
            course: Some(spark("Calls by hour today", &hours(&calls), "calm")),
        },
    ])
}

fn month_stat(picture: &Picture, used: i64) -> Stat {
    let organization = |one: &&Standing| {
        one.budget.scope.level == Level::Organization && one.budget.kind == BudgetKind::MonthlyUsd
    };
    let budget = picture.standings.iter().find(organization);
    let spent = budget.map_or(used, |one| one.spent);
    let forecast = crate::budgets::forecast(spent, picture.month, picture.now);
    let line = picture.line(Window::Day, picture.month.starts, |sums| sums.cost.nanos());
    Stat {
        label: "Spend this month",
        figure: html! {
            (dollars(spent))
            @if let Some(budget) = budget { " " small { "of " (dollars(budget.budget.limit)) } }
        },
        word: html! {
            @if let Some(forecast) = forecast { "Forecast " (dollars(forecast)) " by the end of it" } @else { "No forecast yet" }
        },
        course: Some(spark("Spend by day this month", &line, "")),
    }
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn by_model(picture: &Picture) -> Markup {
    let (step, from, word) = match picture.span {
        Span::Hours => {
            let from = Window::Hour.period(&picture.zone, picture.now.plus_seconds(-82_800)).starts;
            (Window::Hour, from, "The last 24 hours, UTC".to_owned())
        }
        Span::Week => {
            let from = picture.now.plus_seconds(DAY.saturating_mul(-6));
            let from = Window::Day.period(&picture.zone, from).starts;
            (Window::Day, from, format!("The last 7 days, {}", picture.zone_name))
        }
        Span::Month => {
            (Window::Day, picture.month.starts, format!("This month by day, {}", picture.zone_name))
        }
    };
    let rows: Vec<_> = picture.rows.iter().filter(|(hour, _, _)| *hour >= from).cloned().collect();
    let (parts, more) = dearest(&rows);
    let whole = more.then(|| picture.line(step, from, |sums| sums.cost.nanos()));
    let columns = picture.course(step, from).columns(&parts, &rows, whole.as_deref());
    let mut series: Vec<String> = parts.iter().map(|part| called(part, &HashMap::new())).collect();
    if more {
        series.push("Others".to_owned());
    }
    let chart = html! {
        @if rows.is_empty() {
            (empty("No calls in this time", "Make a key and send a call to /v1/chat/completions: what it costs stands here a moment later.", None))
        } @else {
            (Bars { id: "spend", title: "Spend by model", series: &series, columns: &columns }.draw())
        }
    };
    let sub = Some(html! { (word) });
    Card {
        id: "by-model",
        title: "Spend by model",
        sub,
        side: Some(spans(picture.span)),
        body: Some(chart),
        ..Card::default()
    }
    .draw()
}

fn spans(here: Span) -> Markup {
    html! {
        nav.seg aria-label="Period" {
            @for (span, text) in [(Span::Hours, "24 h"), (Span::Week, "7 days"), (Span::Month, "Month")] {
                a href=(address("/console", &[("span", span.word())])) aria-current=[(span == here).then_some("true")] { (text) }
            }
        }
    }
}

fn budget_card(picture: &Picture, visit: &Visit) -> Markup {
    let mut all: Vec<&Standing> = picture.standings.iter().collect();
    let count = all.len();
    all.sort_by(|one, other| urgency(other).total_cmp(&urgency(one)));
    all.truncate(MOST_BUDGETS);
    let flush = html! {
        @if all.is_empty() {
            (empty("No budgets", "Without a budget nothing bounds what calls may cost.", None))
        } @else {
            ul.budgets { @for standing in &all { li { (gauge(standing, picture.now)) } } }
        }
    };
    let side = visit.may(Action::ReadBudgets).then(|| html! { a href="/console/limits" { "Manage" } });
    let sub = (count > MOST_BUDGETS).then(|| html! { (MOST_BUDGETS) " of " (count) ", the fullest first" });
    Card { id: "budgets", title: "Budgets", sub, side, flush: Some(flush), ..Card::default() }.draw()
}

/// Calls that were refused are not recorded one by one: what is known is which budgets refused some, and what limits in
/// the shadow would have refused.
fn refusals(picture: &Picture) -> Markup {
    let refusing: Vec<&Standing> =
        picture.standings.iter().filter(|one| one.refused).take(MOST_BUDGETS).collect();
    let shadow = picture.since(picture.day.starts).would_refuse;
    let flush = html! {
        ul.rows {
            li { span.grow { "Budgets that refused calls in their period" } b { (refusing.len()) } }
            @for standing in refusing {
                @let tokens = standing.budget.kind.unit() == Unit::Tokens;
                li {
                    span.grow { (standing.name) br; span.quiet.small { (whose(standing).1) } }
                    span { (amount_of(standing.spent, tokens)) " " span.quiet { "of " (amount_of(standing.budget.limit, tokens)) } }
                }
            }
            li { span.grow { "Calls today that limits in the shadow would refuse" } b { (number(shadow)) } }
        }
    };
    Card { id: "refusals", title: "Refusals", flush: Some(flush), ..Card::default() }.draw()
}

fn alert_card(alerts: &[Delivered], now: Timestamp) -> Markup {
    let flush = html! {
        @if alerts.is_empty() {
            (empty("No alerts", "When a budget crosses a threshold or a key needs a look, it stands here.", None))
        } @else {
            ul.rows {
                @for Delivered { alert, .. } in alerts {
                    @let (tone, word) = tone_of(alert.kind);
                    li {
                        span.grow {
                            (capital(&Message::of(alert).subject)) br;
                            span.quiet.small { (distance(alert.raised_at, now)) }
                        }
                        (badge(tone, word))
                    }
                }
            }
        }
    };
    let side = Some(html! { a href="/console/alerts" { "All alerts" } });
    Card { id: "alerts", title: "Alerts", side, flush: Some(flush), ..Card::default() }.draw()
}

/// How much an alert matters, and what kind it is.
pub(crate) fn tone_of(kind: AlertKind) -> (Tone, &'static str) {
    match kind {
        AlertKind::Threshold => (Tone::Warn, "Budget"),
        AlertKind::LimitReached => (Tone::Bad, "Budget reached"),
        AlertKind::Overrun => (Tone::Bad, "Overrun"),
        AlertKind::UpstreamCredentialRejected => (Tone::Bad, "Upstream"),
        AlertKind::ModelMoved => (Tone::Warn, "Model"),
        AlertKind::KeyExpiring | AlertKind::KeyUnused => (Tone::Warn, "Key"),
        AlertKind::KeyLeaked | AlertKind::CanaryUsed => (Tone::Bad, "Key"),
        AlertKind::RotationDue | AlertKind::OldSecretUsed => (Tone::Warn, "Rotation"),
        AlertKind::RotationDone => (Tone::Good, "Rotation"),
        AlertKind::RotationStuck => (Tone::Bad, "Rotation"),
        AlertKind::Test => (Tone::Info, "Test"),
    }
}

pub(super) fn attention(keys: &[ApiKey], now: Timestamp) -> Markup {
    let flush = html! {
        @if keys.is_empty() {
            (empty("No unused keys", "Every active key was made or used within 30 days.", None))
        } @else {
            ul.rows {
                @for key in keys {
                    li {
                        span.grow {
                            a.title href={ "/console/keys/" (key.id) } title=(key.name) { (key.name) } br;
                            span.quiet.small {
                                @match key.last_used_at {
                                    Some(at) => { "last used " (distance(at, now)) },
                                    None => { "made " (date(key.created_at)) ", never used" },
                                }
                            }
                        }
                        (badge(Tone::Bad, "Unused"))
                    }
                }
            }
        }
    };
    Card {
        id: "attention",
        title: "Keys that need attention",
        side: Some(html! { a href="/console/keys" { "All keys" } }),
        flush: Some(flush),
        ..Card::default()
    }
    .draw()
}
