//! How keys are told of in lists: their state, what was found about them, the models they may use, and where they live.

use crate::figures::dollars;
use crate::frame::Visit;
use crate::kit::{Tone, badge, chip, workspace_tile};
use louver_domain::id::WorkspaceId;
use louver_domain::key_hygiene::Finding;
use louver_domain::keys::ApiKey;
use louver_domain::money::Money;
use louver_domain::time::Timestamp;
use louver_domain::workspaces::Workspace;
use maud::{Markup, html};

/// Models that a cell of a table shows.
const SHOWN_MODELS: usize = 2;

/// How a key stands.
pub(super) fn status(key: &ApiKey, now: Timestamp) -> Markup {
    let standing = match key.shown_status(now) {
        "active" => badge(Tone::Good, "Active"),
        "disabled" => badge(Tone::Off, "Disabled"),
        "expired" => badge(Tone::Off, "Expired"),
        _ => badge(Tone::Off, "Revoked"),
    };
    html! { (standing) @if key.canary { " " (badge(Tone::Info, "Bait")) } }
}

/// What was found about a key.
pub(super) fn findings(found: &[Finding]) -> Markup {
    html! { @for finding in found { " " (badge(tone(*finding), finding_word(*finding))) } }
}

const fn tone(finding: Finding) -> Tone {
    match finding {
        Finding::OwnerLeft | Finding::Unused => Tone::Bad,
        Finding::NeverUsed | Finding::NoExpiry | Finding::RotationDue | Finding::TooBroad => Tone::Warn,
    }
}

/// A finding in two words.
pub(super) const fn finding_word(finding: Finding) -> &'static str {
    match finding {
        Finding::Unused => "Unused 30 days",
        Finding::NeverUsed => "Never used",
        Finding::NoExpiry => "No expiry",
        Finding::OwnerLeft => "Owner left",
        Finding::RotationDue => "Rotation due",
        Finding::TooBroad => "Too broad",
    }
}

/// What a finding means, and what mends it.
pub(super) const fn finding_sentence(finding: Finding) -> &'static str {
    match finding {
        Finding::Unused => "It was not used for 30 days. Disable it, or say why it stays.",
        Finding::NeverUsed => "No call came with it yet.",
        Finding::NoExpiry => "It works until somebody ends it. Give it an end.",
        Finding::OwnerLeft => {
            "Its owner does not belong to its workspace any more. Make a new key for somebody else."
        }
        Finding::RotationDue => "Its secret is older than the rotation policy wants. Rotate it.",
        Finding::TooBroad => {
            "It may use every model and endpoint from everywhere, without a limit. Narrow it."
        }
    }
}

/// The models that a key may use: two, and how many more.
pub(super) fn models(allowed: Option<&[String]>) -> Markup {
    let Some(allowed) = allowed else { return html! { span.quiet { "as the workspace" } } };
    let more = allowed.len().saturating_sub(SHOWN_MODELS);
    html! {
        span.chips {
            @for model in allowed.iter().take(SHOWN_MODELS) { (chip(model)) }
            @if more > 0 { span.quiet { "+" (more) } }
            @if allowed.is_empty() { span.quiet { "none" } }
        }
    }
}

/// A workspace that the reader sees.
pub(super) fn workspace_of(visit: &Visit, id: WorkspaceId) -> Option<&Workspace> {
    visit.around.workspaces.iter().find(|workspace| workspace.id == id)
}

/// Where a key lives, and whose it is.
pub(super) fn home(visit: &Visit, key: &ApiKey, owner: Option<&str>) -> Markup {
    let workspace = workspace_of(visit, key.workspace_id);
    let name = workspace.map_or("another workspace", |workspace| workspace.name.as_str());
    html! {
        span.with {
            (workspace_tile(name, workspace.and_then(|workspace| workspace.icon.as_deref())))
            span.nowrap { (name) @if let Some(owner) = owner { span.sub { (owner) } } }
        }
    }
}

/// A monthly budget in words.
pub(super) fn budget(limit: Option<Money>) -> Markup {
    html! {
        @match limit {
            Some(limit) => { (dollars(limit.nanos())) " a month" },
            None => span.quiet { "none of its own" },
        }
    }
}
