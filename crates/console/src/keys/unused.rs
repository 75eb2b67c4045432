//! Keys that nobody uses: found by days, and ended several at a time.

use super::{KEYS, find, place, words};
use crate::answer::{Answer, go};
use crate::confirm::Question;
use crate::fields::{Asked, Fields, address};
use crate::figures::{distance, moment};
use crate::frame::{Here, Visit};
use crate::kit::table::{Column, pager, table};
use crate::kit::{Head, empty, link, tiny_link};
use axum::extract::State;
use louver_control::Control;
use louver_control::actions::key_hygiene::{self, Audited};
use louver_control::actions::keys::{self, Filter};
use louver_control::error::ControlError;
use louver_domain::access::Action;
use louver_domain::id::{KeyId, WorkspaceId};
use louver_domain::key_hygiene::UNUSED_DAYS;
use louver_domain::keys::ApiKey;
use maud::{Markup, html};
use std::sync::Arc;

const PLACE: &str = "/console/keys/unused";
const PAGE: u32 = 50;
const DAY: i64 = 86_400;
const SPANS: [u32; 5] = [7, 14, 30, 90, 180];

/// What the reader asked for.
struct Wanted {
    days: u32,
    workspace: Option<WorkspaceId>,
    after: Option<KeyId>,
}

impl Wanted {
    fn read(visit: &Visit, asked: &Fields) -> Self {
        let held = visit.context.actor.workspaces_with(Action::ReadApiKeys);
        let one = held.filter(|held| held.len() > 1).and_then(|held| held.first().copied());
        Self {
            days: asked.text("days").parse().ok().filter(|days| SPANS.contains(days)).unwrap_or(UNUSED_DAYS),
            workspace: WorkspaceId::parse(asked.text("workspace")).or(one),
            after: KeyId::parse(asked.text("after")),
        }
    }

    fn address(&self, after: &str, done: &str) -> String {
        let (days, workspace) =
            (self.days.to_string(), self.workspace.map(|id| id.to_string()).unwrap_or_default());
        address(PLACE, &[("days", &days), ("workspace", &workspace), ("after", after), ("done", done)])
    }
}

pub(super) async fn show(State(control): State<Arc<Control>>, visit: Visit, asked: Asked) -> Answer {
    let wanted = Wanted::read(&visit, &asked);
    let back = i64::from(wanted.days).saturating_mul(DAY).saturating_neg();
    let filter = Filter {
        workspace: wanted.workspace,
        status: Some("active".to_owned()),
        unused_since: Some(visit.context.now.plus_seconds(back)),
        after: wanted.after,
        ..Filter::default()
    };
    let mut keys = keys::list(&control, &visit.context, filter, PAGE.saturating_add(1)).await?;
    let most = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let more = keys.len() > most;
    keys.truncate(most);
    let found = key_hygiene::examine(&control, &visit.context, keys, wanted.days).await?;
    let keys: Vec<&ApiKey> = found.iter().map(|one| &one.key).collect();
    let owners = keys::owner_names(&control, &visit.context, &keys).await?;
    let rows: Vec<Vec<Markup>> = found.iter().map(|one| row(&visit, one, owners.get(&one.key.id))).collect();
    let last = found.last().map(|one| one.key.id.to_string()).unwrap_or_default();
    let next = more.then(|| wanted.address(&last, ""));
    let first = wanted.after.map(|_| wanted.address("", ""));
    let body = html! {
        (Head { title: "Unused keys", ..Head::default() }.draw())
        (filters(&visit, &wanted, rows.len()))
        section.card {
            h2.sr { "Unused keys" }
            @if rows.is_empty() {
                (empty("No key is unused for that long", "Active keys that no call came with stand here.", Some(&link(KEYS.1, None, "All keys"))))
            } @else {
                form method="post" action=(PLACE) {
                    input type="hidden" name="days" value=(wanted.days);
                    @if let Some(id) = wanted.workspace { input type="hidden" name="workspace" value=(id); }
                    (table("Unused keys", &columns(), &rows))
                    footer { (buttons(&visit)) (pager("In the order they were made", first.as_deref(), next.as_deref())) }
                }
            }
        }
    };
    Ok(visit.page(Here::Keys, &[KEYS, ("Unused", "")], &body))
}

fn buttons(visit: &Visit) -> Markup {
    html! {
        div.acts {
            @if visit.may(Action::DisableApiKey) {
                button.btn name="deed" value="disable" data-confirm="Calls with the keys that you chose are refused until they are enabled."
                    data-confirm-title="Disable the chosen keys?" data-confirm-yes="Disable" { "Disable chosen" }
            }
            @if visit.may(Action::RevokeApiKey) {
                button.btn.danger name="deed" value="revoke" data-confirm="Calls with the keys that you chose are refused. This cannot be undone."
                    data-confirm-title="Revoke the chosen keys?" data-confirm-yes="Revoke" { "Revoke chosen" }
            }
        }
    }
}

fn filters(visit: &Visit, wanted: &Wanted, count: usize) -> Markup {
    html! {
        form.filters method="get" action=(PLACE) data-auto role="search" aria-label="Filter unused keys" {
            select name="days" aria-label="Days without use" {
                @for days in SPANS { option value=(days) selected[days == wanted.days] { "Unused for " (days) " days" } }
            }
            @if visit.around.workspaces.len() > 1 {
                select name="workspace" aria-label="Workspace" {
                    option value="" { "All workspaces" }
                    @for workspace in &visit.around.workspaces {
                        option value=(workspace.id) selected[wanted.workspace == Some(workspace.id)] { (workspace.name) }
                    }
                }
            }
            button.btn { "Apply" }
            span."count-of" { "Showing " (count) }
        }
    }
}

fn columns() -> [Column; 6] {
    ["Name", "Workspace, owner", "Last used", "Made", "Stays until", "Exemption"].map(Column::text)
}

fn row(visit: &Visit, one: &Audited, owner: Option<&String>) -> Vec<Markup> {
    let (key, now) = (&one.key, visit.context.now);
    let may = keys::may(&visit.context, Action::ExemptApiKey, key);
    vec![
        html! {
            label.check {
                input type="checkbox" name="key" value=(key.id) aria-label={ "Choose " (key.name) };
                span { a.title href=(place(key)) title=(key.name) { (key.name) } span.sub.mono { (key.hidden()) } }
            }
        },
        words::home(visit, key, owner.map(String::as_str)),
        html! { @match key.last_used_at { Some(at) => (distance(at, now)), None => span.quiet { "Never" } } },
        moment(key.created_at),
        html! {
            @match &one.exemption {
                Some(exemption) => { (moment(exemption.until)) span.sub.clip title=(exemption.reason) { (exemption.reason) } },
                None => span.quiet { "–" },
            }
        },
        html! { @if may { (tiny_link(&format!("{}/exemption", place(key)), "Let it stay")) } },
    ]
}

pub(super) async fn act(State(control): State<Arc<Control>>, visit: Visit, fields: Fields) -> Answer {
    let wanted = Wanted::read(&visit, &fields);
    let chosen = fields.list("key");
    if chosen.is_empty() {
        return Ok(go(&wanted.address("", "none-chosen")));
    }
    let revoke = fields.text("deed") == "revoke";
    let mut names = Vec::new();
    for text in &chosen {
        names.push(find(&control, &visit, text).await?);
    }
    let (verb, end) =
        if revoke { ("Revoke", "This cannot be undone.") } else { ("Disable", "They can be enabled again.") };
    let listed: Vec<&str> = names.iter().map(|key| key.name.as_str()).collect();
    let question = Question {
        action: PLACE,
        title: &format!("{verb} {} keys?", names.len()),
        text: &format!("Calls with them are refused from now on. {end} They are: {}.", listed.join(", ")),
        yes: verb,
        back: &wanted.address("", ""),
    };
    if let Some(asked) = question.unless_answered(&fields) {
        return Ok(asked);
    }
    for key in &names {
        end_one(&control, &visit, key, revoke).await?;
    }
    Ok(go(&wanted.address("", if revoke { "keys-revoked" } else { "keys-disabled" })))
}

async fn end_one(control: &Control, visit: &Visit, key: &ApiKey, revoke: bool) -> Result<(), ControlError> {
    let done = match revoke {
        true => keys::revoke(control, &visit.context, key.id).await,
        false => keys::disable(control, &visit.context, key.id).await,
    };
    match done {
        // Somebody else has ended it meanwhile: what was asked for is so.
        Ok(_) | Err(ControlError::Conflict(_)) => Ok(()),
        Err(error) => Err(error),
    }
}
