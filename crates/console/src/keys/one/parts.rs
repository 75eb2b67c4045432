//! The parts of a key's page, drawn from what was read for it.

use crate::figures::{distance, dollars, moment, number};
use crate::keys::words;
use crate::kit::meter::Meter;
use crate::kit::table::{Column, table};
use crate::kit::{Card, Tone, badge, chip, empty, facts};
use louver_control::actions::budgets::Standing;
use louver_control::actions::old_secrets::Secrets;
use louver_control::actions::usage::Sums;
use louver_domain::audit::AuditRecord;
use louver_domain::audit::chain::Hash;
use louver_domain::budgets::{BudgetKind, Unit};
use louver_domain::keys::{ApiKey, Owner};
use louver_domain::old_secrets::OldSecret;
use louver_domain::rotations::{Rotation, Step};
use louver_domain::time::Timestamp;
use maud::{Markup, html};
use std::collections::BTreeMap;

/// The owner of a key, where the reader may not know the name.
pub(super) const fn owner_kind(key: &ApiKey) -> &'static str {
    match key.owner {
        Owner::Workspace => "the workspace",
        Owner::User(_) => "a person",
        Owner::ServiceAccount(_) => "a service account",
    }
}

/// What the key may use of what, and how its budgets stand.
pub(super) fn limits(key: &ApiKey, standings: &[Standing]) -> Markup {
    let limits = &key.limits;
    let rate = |value: Option<u64>| html! { @match value { Some(count) => (number(count)), None => span.quiet { "as the workspace" } } };
    let endpoints: Option<Vec<String>> = limits
        .allowed_endpoints
        .as_ref()
        .map(|kinds| kinds.iter().map(|kind| kind.as_str().to_owned()).collect());
    let pairs = [
        ("Models", all(limits.allowed_models.as_deref())),
        ("Endpoints", all(endpoints.as_deref())),
        ("Requests a minute", rate(limits.requests_per_minute)),
        ("Tokens a minute", rate(limits.tokens_per_minute)),
        ("Monthly budget", words::budget(limits.monthly_budget_usd)),
    ];
    let body = html! {
        div.stack.tight {
            @for standing in standings { (meter(standing)) }
            (facts(&pairs))
        }
    };
    Card { id: "limits", title: "Limits", body: Some(body), ..Card::default() }.draw()
}

fn all(entries: Option<&[String]>) -> Markup {
    match entries {
        None => html! { span.quiet { "as the workspace" } },
        Some([]) => html! { "none" },
        Some(entries) => crate::kit::chips(entries),
    }
}

const fn kind_in_words(kind: BudgetKind) -> &'static str {
    match kind {
        BudgetKind::HourlyUsd => "This hour",
        BudgetKind::DailyUsd => "Today",
        BudgetKind::MonthlyUsd => "This month",
        BudgetKind::MonthlyTokens => "Tokens this month",
        BudgetKind::DailyTokens => "Tokens today",
    }
}

fn meter(standing: &Standing) -> Markup {
    let (label, limit) = (kind_in_words(standing.budget.kind), standing.budget.limit);
    let plain = |amount: i64| number(u64::try_from(amount).unwrap_or(0));
    html! {
        div {
            p { b { (label) } " "
                @match standing.budget.kind.unit() {
                    Unit::Usd => { (dollars(standing.spent)) " " span.quiet { "of " (dollars(limit)) } },
                    Unit::Tokens => { (plain(standing.spent)) " " span.quiet { "of " (plain(limit)) " tokens" } },
                }
                @if !standing.budget.enforced { " " (badge(Tone::Shadow, "Shadow")) }
                @if standing.blocked { " " (badge(Tone::Bad, "Blocked")) }
            }
            @if standing.budget.kind.unit() == Unit::Usd {
                (Meter { label, used: standing.spent, held: standing.reserved, limit, thresholds: &standing.thresholds, ..Meter::default() }.draw())
            }
        }
    }
}

/// The secrets that work now.
pub(super) fn secrets(secrets: Option<Secrets>, now: Timestamp) -> Markup {
    let columns = ["Secret", "Made", "Works until", "Last used", "From"].map(Column::text);
    let row = |secret: &OldSecret, current: bool| {
        let used = secret.used.as_ref();
        let nowhere = || html! { span.quiet { "–" } };
        vec![
            html! { code { "lvr_…" (secret.last_four) } " " @if current { (badge(Tone::Good, "Current")) } },
            moment(secret.created_at),
            secret.retires_at.map_or_else(nowhere, moment),
            used.map_or_else(|| html! { span.quiet { "Never" } }, |used| distance(used.at, now)),
            html! {
                @match used.and_then(|used| used.address.as_deref()) { Some(address) => (address), None => (nowhere()) }
                @if let Some(client) = used.and_then(|used| used.client.as_deref()) { span.sub.clip title=(client) { (client) } }
            },
        ]
    };
    let flush = match secrets {
        None => empty("No secret works", "The key is disabled, expired or revoked.", None),
        Some(secrets) => {
            let old = secrets.old.iter().map(|secret| row(secret, false));
            let rows: Vec<_> = std::iter::once(row(&secrets.current, true)).chain(old).collect();
            table("Secrets that work now", &columns, &rows)
        }
    };
    Card { id: "secrets", title: "Secrets that work now", flush: Some(flush), ..Card::default() }.draw()
}

/// What was used this month, by model.
pub(super) fn usage(used: &[(Timestamp, String, Sums)]) -> Markup {
    let mut models: BTreeMap<&str, (u64, u64, i64)> = BTreeMap::new();
    for (_, model, sums) in used {
        let one = models.entry(model).or_default();
        one.0 = one.0.saturating_add(sums.requests);
        one.1 = one.1.saturating_add(sums.tokens.input).saturating_add(sums.tokens.output);
        one.2 = one.2.saturating_add(sums.cost.nanos());
    }
    let columns =
        [Column::text("Model"), Column::number("Calls"), Column::number("Tokens"), Column::number("Cost")];
    let rows: Vec<Vec<Markup>> = models
        .iter()
        .map(|(model, (calls, tokens, cost))| {
            vec![
                chip(model),
                html! { (number(*calls)) },
                html! { (number(*tokens)) },
                html! { (dollars(*cost)) },
            ]
        })
        .collect();
    let total = models.values().fold(0_i64, |sum, (_, _, cost)| sum.saturating_add(*cost));
    let flush = match rows.is_empty() {
        true => empty("Nothing used this month", "Calls stand here a moment after they end.", None),
        false => table("Usage this month", &columns, &rows),
    };
    let sub = Some(html! { (dollars(total)) });
    Card { id: "usage", title: "Usage this month", sub, flush: Some(flush), ..Card::default() }.draw()
}

/// The way of a managed rotation, and where on it this one is.
pub(super) fn rotation(rotation: &Rotation, key: &str) -> Markup {
    let live = rotation.state.step.is_live();
    let body = html! { div id="rotation-steps" data-refresh=[live.then_some(key)] data-every="5" { (steps(rotation)) } };
    let sub = Some(html! { "begun by " (rotation.started_by) });
    Card { id: "rotation", title: "Managed rotation", sub, body: Some(body), ..Card::default() }.draw()
}

const WAY: [(Step, &str); 7] = [
    (Step::Creating, "New secret made"),
    (Step::Writing, "Written to the destinations"),
    (Step::Propagating, "Time for programs to read it"),
    (Step::Verifying, "The new secret was tried"),
    (Step::Overlapping, "Both secrets work"),
    (Step::Retiring, "The old secret ends"),
    (Step::Checking, "Looked whether the old one is refused"),
];

fn steps(rotation: &Rotation) -> Markup {
    let state = &rotation.state;
    let here = WAY.iter().position(|(step, _)| *step == state.step);
    let undone = matches!(state.step, Step::Undoing | Step::Settling | Step::Cancelled);
    let failing = state.attempts > 0;
    html! {
        ol.steps {
            @for (place, (_, text)) in WAY.iter().enumerate().filter(|_| !undone) {
                @let class = match here {
                    Some(now) if place == now && failing => "failed",
                    Some(now) if place == now => "now",
                    Some(now) if place > now => "todo",
                    Some(_) | None => "done",
                };
                li class=(class) {
                    @if class == "now" || class == "failed" {
                        span.when { (moment(state.since)) }
                        b { (text) }
                        p."quiet".small { @if failing { "Tried " (state.attempts) " times. " } "Next at " (moment(state.next_at)) }
                    } @else { (text) }
                }
            }
            @if undone {
                li class=(if state.step == Step::Cancelled { "done" } else { "now" }) {
                    span.when { (moment(state.since)) }
                    b { @if state.step == Step::Cancelled { "Called off: the old secret is the key's own again" } @else { "Being called off" } }
                }
            } @else {
                li class=(if state.step == Step::Done { "done" } else { "todo" }) { "Done" }
            }
        }
        @if let Some(error) = &rotation.last_error { p.small.soft { "Last trouble: " (error) } }
    }
}

/// What was done with the key.
pub(super) fn events(found: &[(AuditRecord, Hash)]) -> Markup {
    let columns = ["Event", "When", "Who", "Outcome"].map(Column::text);
    let rows: Vec<Vec<Markup>> = found
        .iter()
        .map(|(event, _)| {
            vec![
                chip(&event.event),
                moment(event.at),
                html! { (event.actor_name) },
                html! { (event.outcome) },
            ]
        })
        .collect();
    let flush = match rows.is_empty() {
        true => empty("No events", "What is done with the key stands here.", None),
        false => table("Events of this key", &columns, &rows),
    };
    Card { id: "events", title: "Audit log of this key", flush: Some(flush), ..Card::default() }.draw()
}
