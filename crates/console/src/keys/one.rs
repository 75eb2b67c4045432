//! One key: what it is, what it may use and has used, its secrets, and what was done with it.

mod parts;

use super::{KEYS, find, place, words};
use crate::answer::Answer;
use crate::figures::{date, distance, moment};
use crate::frame::{Here, Visit};
use crate::kit::{Card, Head, Tone, chip, facts, link, note};
use axum::extract::{Path, State};
use louver_control::Control;
use louver_control::actions::key_hygiene::{self, Audited};
use louver_control::actions::keys::{self, Change};
use louver_control::actions::{audit, budgets, old_secrets, rotations, usage};
use louver_domain::access::Action;
use louver_domain::calendar::Window;
use louver_domain::key_hygiene::UNUSED_DAYS;
use louver_domain::keys::{ApiKey, KeyStatus};
use maud::{Markup, html};
use std::sync::Arc;

const EVENTS: u32 = 10;

pub(super) async fn show(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(key): Path<String>,
) -> Answer {
    let key = find(&control, &visit, &key).await?;
    let context = &visit.context;
    let owners = keys::owner_names(&control, context, &[&key]).await?;
    let found = key_hygiene::examine(&control, context, vec![key.clone()], UNUSED_DAYS).await?;
    let standings = budgets::of_key(&control, context, &key).await?;
    let secrets = old_secrets::of_key(&control, context, key.id).await?;
    let body = html! {
        (head(&visit, &key))
        div.cols {
            div.stack {
                @if let Some(audited) = found.first() { (notices(&visit, audited)) }
                (parts::limits(&key, &standings))
                (parts::secrets(secrets, context.now))
                (used(&control, &visit, &key).await?)
                (events(&control, &visit, &key).await?)
            }
            div.stack {
                (about(&visit, &key, owners.get(&key.id)))
                (rotation(&control, &visit, &key).await?)
            }
        }
    };
    Ok(visit.page(Here::Keys, &[KEYS, (&key.name, "")], &body))
}

fn head(visit: &Visit, key: &ApiKey) -> Markup {
    let (context, here) = (&visit.context, place(key));
    let may = |action| keys::may(context, action, key);
    let post = |way: &str, text: &str| html! { form method="post" action={ (here) "/" (way) } { button.btn { (text) } } };
    let mut acts = Vec::new();
    let alive = key.status != KeyStatus::Revoked;
    if alive && may(Action::RevokeApiKey) {
        acts.push(revoke_button(key, &here));
    }
    match key.status {
        KeyStatus::Active if may(Action::DisableApiKey) => acts.push(post("disable", "Disable")),
        KeyStatus::Disabled if may(Action::EnableApiKey) => acts.push(post("enable", "Enable")),
        KeyStatus::Active | KeyStatus::Disabled | KeyStatus::Revoked => {}
    }
    if alive && may(Action::RotateApiKey) {
        acts.push(link(&format!("{here}/rotate"), None, "Rotate"));
    }
    if alive && keys::change_of(context, key) != Change::Nothing {
        acts.push(link(&format!("{here}/edit"), None, "Change"));
    }
    let meta = vec![words::home(visit, key, None), html! { code { (key.hidden()) } }];
    Head { title: &key.name, badge: Some(words::status(key, context.now)), meta, acts, ..Head::default() }
        .draw()
}

fn revoke_button(key: &ApiKey, here: &str) -> Markup {
    html! {
        form method="post" action={ (here) "/revoke" } data-confirm="Calls with it are refused from now on. This cannot be undone."
            data-confirm-title={ "Revoke " (key.name) "?" } data-confirm-yes="Revoke" {
            button.btn.danger { "Revoke" }
        }
    }
}

/// What was found about the key, each with what mends it.
fn notices(visit: &Visit, audited: &Audited) -> Markup {
    let key = &audited.key;
    if key.status != KeyStatus::Active {
        return html! {};
    }
    let may = keys::may(&visit.context, Action::ExemptApiKey, key);
    let way = format!("{}/exemption", place(key));
    html! {
        @if !audited.findings.is_empty() {
            (note(Tone::Warn, &html! { ul { @for finding in &audited.findings {
                li { b { (words::finding_word(*finding)) ". " } (words::finding_sentence(*finding)) }
            } } }, None))
        }
        @if let Some(exemption) = &audited.exemption {
            (note(Tone::Info, &html! { p {
                "It stays although nobody uses it until " (date(exemption.until)) ": " (exemption.reason) " (" (exemption.by) ")"
            } }, may.then(|| html! { form method="post" action={ (way) "/lift" } { button.btn.tiny { "Take the exemption away" } } }).as_ref()))
        } @else if may {
            p { a href=(way) { "Let it stay although nobody uses it" } }
        }
    }
}

fn about(visit: &Visit, key: &ApiKey, owner: Option<&String>) -> Markup {
    let now = visit.context.now;
    let none = || html! { span.quiet { "–" } };
    let mut pairs = vec![
        ("Id", html! { code.chip { (key.id) } }),
        ("Description", html! { (key.description.as_deref().unwrap_or("–")) }),
        ("Owner", html! { @match owner { Some(owner) => (owner), None => (parts::owner_kind(key)) } }),
        ("Made", html! { (moment(key.created_at)) @if let Some(by) = &key.created_by { " by " (by) } }),
        ("Last used", html! { @match key.last_used_at { Some(at) => (distance(at, now)), None => "never" } }),
        ("Expires", html! { @match key.expires_at { Some(at) => (moment(at)), None => "never" } }),
    ];
    pairs.push(("Model role", key.role.as_deref().map_or_else(none, chip)));
    let blocks: Vec<String> = key.allowed_cidrs.iter().flatten().map(ToString::to_string).collect();
    let from = if key.allowed_cidrs.is_none() {
        html! { "everywhere" }
    } else {
        crate::kit::chips(&blocks)
    };
    pairs.push(("Used from", from));
    Card { id: "about", title: "About", body: Some(facts(&pairs)), ..Card::default() }.draw()
}

/// What the key used in the month that runs, for those who may see usage.
async fn used(control: &Control, visit: &Visit, key: &ApiKey) -> Result<Markup, crate::failure::Failure> {
    let context = &visit.context;
    if !keys::may(context, Action::ReadUsage, key) {
        return Ok(html! {});
    }
    let zone = words::workspace_of(visit, key.workspace_id).and_then(|workspace| workspace.limits.zone());
    let month = Window::Month.period(&zone.unwrap_or_default(), context.now);
    let used = usage::of_key(control, context, key, (month.starts, context.now)).await?;
    Ok(parts::usage(&used))
}

/// The managed rotation of the key that runs, or ran last.
async fn rotation(control: &Control, visit: &Visit, key: &ApiKey) -> Result<Markup, crate::failure::Failure> {
    if !keys::may(&visit.context, Action::ReadRotations, key) {
        return Ok(html! {});
    }
    let workspace = Some(key.workspace_id);
    let filter =
        rotations::Filter { subject: Some(key.id.bytes()), workspace, ..rotations::Filter::default() };
    let found = rotations::list(control, &visit.context, filter, 1).await?;
    Ok(found.first().map(|rotation| parts::rotation(rotation, &place(key))).unwrap_or_default())
}

/// What was done with the key last, for those who may read the audit log.
async fn events(control: &Control, visit: &Visit, key: &ApiKey) -> Result<Markup, crate::failure::Failure> {
    if !visit.may(Action::ReadAuditLog) {
        return Ok(html! {});
    }
    let filter = audit::Filter { target_id: Some(key.id.to_string()), ..audit::Filter::default() };
    let page = audit::Page { beyond: None, ascending: false, limit: EVENTS };
    let found = audit::list(control, &visit.context, &filter, page).await?;
    Ok(parts::events(&found))
}
