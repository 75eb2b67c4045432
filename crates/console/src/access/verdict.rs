//! An explanation as people read it: the verdict, and below it each rule with its level and its numbers.

use crate::figures::{dollars, moment, number};
use crate::frame::Visit;
use crate::kit::icons::{Icon, icon};
use crate::kit::{Tone, badge};
use louver_domain::access::Action;
use louver_domain::budgets::Unit;
use louver_domain::explanation::{Entry, Explanation};
use louver_domain::limits::Level;
use maud::{Markup, html};

pub(super) fn draw(visit: &Visit, explanation: &Explanation, caller: &str, model: &str) -> Markup {
    let refusal = explanation.refusal();
    let told = what_it_would_use(explanation, caller, model);
    html! {
        section.card aria-label="Verdict" {
            div.verdict.yes[refusal.is_none()].no[refusal.is_some()] {
                (icon(if refusal.is_none() { Icon::Check } else { Icon::Cross }))
                div {
                    h2 { @match refusal { None => "Allowed", Some(refused) => { "Refused: " (refused.message) } } }
                    p.quiet { (told) }
                }
            }
            ol.rules { @for entry in &explanation.rules { (rule(entry)) } }
            @if let Some(refused) = refusal {
                footer {
                    span { "The same call would get " code { (refused.status) " " (refused.kind) } }
                    @if let Some((href, text)) = explanation.rules.iter().find(|entry| entry.refused.is_some()).and_then(|entry| way(visit, entry)) {
                        span.acts { a.btn.tiny href=(href) { (text) } }
                    }
                }
            }
        }
    }
}

fn what_it_would_use(explanation: &Explanation, caller: &str, model: &str) -> String {
    let Some(bound) = &explanation.bound else {
        return format!("{caller} would call {model}, which is not known here");
    };
    let mut parts = vec![];
    for (count, unit) in [
        (bound.input, "tokens in"),
        (bound.output, "tokens out at most"),
        (bound.units.pages, "pages"),
        (bound.units.annotated_pages, "annotated pages"),
        (bound.units.audio_seconds, "seconds of audio"),
        (bound.units.characters, "characters"),
        (bound.units.tool_calls, "calls of tools at most"),
    ] {
        if count > 0 {
            parts.push(format!("{} {unit}", number(count)));
        }
    }
    let size = if parts.is_empty() { String::new() } else { format!(" with {}", parts.join(", ")) };
    format!("{caller} would call {model}{size}; it would hold {}", dollars(bound.cost.nanos()))
}

fn rule(entry: &Entry) -> Markup {
    let (class, picture, word) = match entry.allowed {
        Some(true) => ("yes", Icon::Check, "allowed: "),
        Some(false) => ("no", Icon::Cross, "refused: "),
        None => ("skipped", Icon::Minus, "not asked: "),
    };
    html! {
        li class=(class) {
            (icon(picture))
            span.level { (level(entry)) }
            span.what {
                span.sr { (word) }
                (told(entry))
                @if entry.would_refuse { " " (badge(Tone::Shadow, "Shadow: would refuse")) }
                @else if entry.enforced == Some(false) { " " (badge(Tone::Shadow, "Shadow")) }
                @if let (Some(at), true) = (entry.resets_at, entry.limit.is_some()) { span.quiet { ", there again " (moment(at)) } }
            }
            span.figure { (figure(entry)) }
        }
    }
}

/// Whose rule it is, by level and name.
fn level(entry: &Entry) -> Markup {
    let Some(scope) = &entry.scope else { return html! { "Louver" } };
    let level = match scope.level {
        Level::Organization => "Organization",
        Level::Workspace => "Workspace",
        Level::User => "Person",
        Level::ModelRole => "Model role",
        Level::Key => "Key",
    };
    let name = entry.name.as_deref().filter(|name| !name.is_empty());
    html! { (level) @if let Some(name) = name { " " (name) } }
}

/// A rule with what there is to say of it, and what stands in its list.
fn told(entry: &Entry) -> String {
    let detail = entry.detail.as_deref().unwrap_or_default();
    let text = match (entry.rule, detail) {
        // These say all of it themselves.
        ("credential" | "price" | "model", detail) if !detail.is_empty() => detail.to_owned(),
        (rule, "") => name_of(rule),
        (rule, detail) => format!("{}: {detail}", name_of(rule)),
    };
    match (&entry.list, entry.rule) {
        (Some(list), _) => format!("{text}; allowed: {}", listed(list)),
        (None, "allowed_models" | "address" | "endpoint") => format!("{text}; allowed: any"),
        (None, _) => text,
    }
}

/// A rule in words.
fn name_of(rule: &str) -> String {
    let known = match rule {
        "credential" => "the key",
        "billing" => "billing is active",
        "workspace" => "the workspace is active",
        "address" => "addresses",
        "endpoint" => "endpoints",
        "model" => "the model is known",
        "allowed_models" => "models",
        "allowed_tools" => "tools",
        "allowed_service_tiers" => "service tiers",
        "max_tokens_per_request" => "tokens of one call",
        "price" => "the price is known",
        "requests_per_second" => "calls a second",
        "requests_per_minute" => "calls a minute",
        "tokens_per_minute" => "tokens a minute",
        "max_concurrent_requests" => "calls at a time",
        "hourly_budget_usd" => "dollars an hour",
        "daily_budget_usd" => "dollars a day",
        "monthly_budget_usd" => "dollars a month",
        "tokens_per_month" => "tokens a month",
        "daily_token_budget" => "tokens a day",
        other => return other.replace('_', " "),
    };
    known.to_owned()
}

fn listed(list: &[String]) -> String {
    const MOST: usize = 8;
    let shown: Vec<&str> = list.iter().take(MOST).map(String::as_str).collect();
    match list.len().saturating_sub(MOST) {
        0 if list.is_empty() => "none".to_owned(),
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The numbers of a rule: what is used and held, what the call adds, and the limit.
fn figure(entry: &Entry) -> String {
    let amount = |value: i64| match entry.unit {
        Unit::Usd => dollars(value),
        Unit::Tokens => number(u64::try_from(value).unwrap_or(0)),
    };
    let Some(limit) = entry.limit else { return String::new() };
    let used = entry.used.map(|used| used.saturating_add(entry.reserved.unwrap_or(0)));
    let parts: Vec<String> = used.into_iter().chain(entry.asked).map(amount).collect();
    let sign = if entry.allowed == Some(false) || entry.would_refuse { ">" } else { "≤" };
    match parts.is_empty() {
        true => format!("limit {}", amount(limit)),
        false => format!("{} {sign} {}", parts.join(" + "), amount(limit)),
    }
}

/// Where the reader could change the rule.
fn way(visit: &Visit, entry: &Entry) -> Option<(String, &'static str)> {
    let scope = entry.scope.as_ref()?;
    let id = scope.shown_id();
    let unmade = scope.id == [0; 16];
    let (action, href, text) = match scope.level {
        Level::Organization => (
            Action::UpdateOrganization,
            "/console/limits/edit".to_owned(),
            "Change the organization’s limits",
        ),
        Level::Workspace => (
            Action::UpdateWorkspaceLimits,
            format!("/console/workspaces/{id}/limits"),
            "Change the workspace’s limits",
        ),
        Level::User => (Action::UpdateUserLimits, format!("/console/members/{id}"), "See the person"),
        Level::ModelRole => (Action::UpdateModelRole, "/console/roles".to_owned(), "See the model roles"),
        Level::Key if unmade => return None,
        Level::Key => (Action::ReadApiKeys, format!("/console/keys/{id}"), "See the key"),
    };
    visit.may(action).then_some((href, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_cut_and_rules_are_words() {
        let many: Vec<String> = (0..10).map(|n| n.to_string()).collect();
        assert_eq!(listed(&many), "0, 1, 2, 3, 4, 5, 6, 7 and 2 more");
        assert_eq!(listed(&[]), "none");
        assert_eq!(name_of("monthly_budget_usd"), "dollars a month");
        assert_eq!(name_of("something_new"), "something new");
    }
}
