//! The list of keys: searched, filtered, fifty a page.

use super::words;
use super::{KEYS, place};
use crate::answer::Answer;
use crate::fields::{Asked, address};
use crate::figures::{date, distance, dollars};
use crate::frame::{Here, Visit};
use crate::kit::icons::Icon;
use crate::kit::meter::Meter;
use crate::kit::table::{Column, pager, table};
use crate::kit::{Head, empty, link, main_link};
use axum::extract::State;
use louver_control::Control;
use louver_control::actions::budgets::{self, Standing};
use louver_control::actions::key_hygiene::{self, Audited, Question};
use louver_control::actions::keys::{self, Filter};
use louver_control::error::ControlError;
use louver_domain::access::Action;
use louver_domain::id::{KeyId, WorkspaceId};
use louver_domain::key_hygiene::{Finding, UNUSED_DAYS};
use louver_domain::keys::ApiKey;
use louver_domain::workspaces::Workspace;
use maud::{Markup, html};
use std::collections::HashMap;
use std::sync::Arc;

const PAGE: u32 = 50;
const STATUSES: [(&str, &str); 5] = [
    ("", "Any status but revoked"),
    ("active", "Active"),
    ("disabled", "Disabled"),
    ("expired", "Expired"),
    ("revoked", "Revoked"),
];

/// What the reader asked for.
struct Wanted {
    workspace: Option<WorkspaceId>,
    status: Option<String>,
    finding: Option<Finding>,
    search: Option<String>,
    after: Option<KeyId>,
}

impl Wanted {
    /// What cannot be read of an address does not narrow.
    fn read(visit: &Visit, asked: &Asked) -> Self {
        let chosen = WorkspaceId::parse(asked.text("workspace"));
        let status = |status: &String| STATUSES.iter().any(|(known, _)| known == status);
        Self {
            workspace: chosen.or_else(|| first_of_several(visit)),
            status: asked.given("status").filter(status),
            finding: Finding::parse(asked.text("finding")),
            search: asked.given("q"),
            after: KeyId::parse(asked.text("after")),
        }
    }

    /// A page of keys, and where the next one goes on.
    async fn find(
        &self,
        control: &Control,
        visit: &Visit,
    ) -> Result<(Vec<Audited>, Option<KeyId>), ControlError> {
        let context = &visit.context;
        if let Some(id) = self.search.as_deref().and_then(KeyId::parse) {
            return match keys::get(control, context, id).await {
                Ok(key) => Ok((key_hygiene::examine(control, context, vec![key], UNUSED_DAYS).await?, None)),
                Err(error) if error.status() == http::StatusCode::NOT_FOUND => Ok((Vec::new(), None)),
                Err(error) => Err(error),
            };
        }
        let (status, search) = (self.status.clone(), self.search.clone());
        if let Some(finding) = self.finding {
            let (workspace, after, findings) = (self.workspace, self.after, vec![finding]);
            let question = Question { workspace, unused_days: UNUSED_DAYS, findings, after, status, search };
            let page = key_hygiene::audit(control, context, &question, PAGE).await?;
            return Ok((page.audited, page.next));
        }
        let filter =
            Filter { workspace: self.workspace, status, search, after: self.after, ..Filter::default() };
        let mut keys = keys::list(control, context, filter, PAGE.saturating_add(1)).await?;
        let most = usize::try_from(PAGE).unwrap_or(usize::MAX);
        let more = keys.len() > most;
        keys.truncate(most);
        let next = keys.last().map(|key| key.id).filter(|_| more);
        Ok((key_hygiene::examine(control, context, keys, UNUSED_DAYS).await?, next))
    }

    fn address(&self, after: &str) -> String {
        let workspace = self.workspace.map(|id| id.to_string()).unwrap_or_default();
        let pairs = [
            ("q", self.search.as_deref().unwrap_or_default()),
            ("workspace", workspace.as_str()),
            ("status", self.status.as_deref().unwrap_or_default()),
            ("finding", self.finding.map_or("", Finding::as_str)),
            ("after", after),
        ];
        address(KEYS.1, &pairs)
    }

    const fn narrows(&self) -> bool {
        self.workspace.is_some() || self.status.is_some() || self.finding.is_some() || self.search.is_some()
    }
}

/// Who sees the keys of several workspaces, and not of all, sees one of them at a time.
fn first_of_several(visit: &Visit) -> Option<WorkspaceId> {
    let held = visit.context.actor.workspaces_with(Action::ReadApiKeys)?;
    if held.len() > 1 { held.first().copied() } else { None }
}

/// The workspaces that the reader may choose from.
fn choosable(visit: &Visit) -> Vec<&Workspace> {
    let held = visit.context.actor.workspaces_with(Action::ReadApiKeys);
    let within = |workspace: &&Workspace| {
        held.as_ref().is_none_or(|held| held.is_empty() || held.contains(&workspace.id))
    };
    visit.around.workspaces.iter().filter(within).collect()
}

pub(super) async fn show(State(control): State<Arc<Control>>, visit: Visit, asked: Asked) -> Answer {
    let wanted = Wanted::read(&visit, &asked);
    let (found, next) = wanted.find(&control, &visit).await?;
    let keys: Vec<&ApiKey> = found.iter().map(|one| &one.key).collect();
    let owners = keys::owner_names(&control, &visit.context, &keys).await?;
    let spend = budgets::of_keys(&control, &visit.context, &keys).await?;
    let rows: Vec<Vec<Markup>> =
        found.iter().map(|one| row(&visit, one, owners.get(&one.key.id), &spend)).collect();
    let next = next.map(|last| wanted.address(&last.to_string()));
    let first = wanted.after.map(|_| wanted.address(""));
    let body = html! {
        (head(&visit))
        (filters(&visit, &wanted, rows.len()))
        section.card {
            h2.sr { "API keys" }
            @if rows.is_empty() { (nothing(&visit, &wanted)) } @else {
                (table("API keys", &columns(), &rows))
                footer { (pager("In the order they were made", first.as_deref(), next.as_deref())) }
            }
        }
    };
    Ok(visit.page(Here::Keys, &[KEYS], &body))
}

fn head(visit: &Visit) -> Markup {
    let mut acts = Vec::new();
    if visit.may(Action::ReportLeakedKey) {
        acts.push(link("/console/keys/leaked", None, "Report a leaked key"));
    }
    acts.push(link("/console/keys/unused", None, "Unused keys"));
    if visit.may(Action::CreateOwnApiKey) {
        acts.push(main_link("/console/keys/new", Some(Icon::Plus), "Create key"));
    }
    Head { title: "Keys", acts, ..Head::default() }.draw()
}

fn filters(visit: &Visit, wanted: &Wanted, count: usize) -> Markup {
    let workspaces = choosable(visit);
    let one_at_a_time = first_of_several(visit).is_some();
    html! {
        form.filters method="get" action=(KEYS.1) data-auto role="search" aria-label="Filter keys" {
            span.search {
                input type="search" name="q" value=(wanted.search.as_deref().unwrap_or_default()) autocomplete="off"
                    aria-label="Search keys by name, last four characters or id" placeholder="Search name, last four or id";
            }
            @if workspaces.len() > 1 {
                select name="workspace" aria-label="Workspace" {
                    @if !one_at_a_time { option value="" { "All workspaces" } }
                    @for workspace in workspaces {
                        option value=(workspace.id) selected[wanted.workspace == Some(workspace.id)] { (workspace.name) }
                    }
                }
            }
            select name="status" aria-label="Status" {
                @for (value, text) in STATUSES {
                    option value=(value) selected[wanted.status.as_deref().unwrap_or_default() == value] { (text) }
                }
            }
            select name="finding" aria-label="Finding" {
                option value="" { "Any finding" }
                @for finding in Finding::ALL {
                    option value=(finding.as_str()) selected[wanted.finding == Some(finding)] { (words::finding_word(finding)) }
                }
            }
            button.btn { "Apply" }
            span."count-of" { "Showing " (count) }
        }
    }
}

fn nothing(visit: &Visit, wanted: &Wanted) -> Markup {
    if wanted.narrows() || wanted.after.is_some() {
        let act = link(KEYS.1, None, "Show all keys");
        return empty("No key is like that", "Search for something else, or take a filter away.", Some(&act));
    }
    let act = main_link("/console/keys/new", Some(Icon::Plus), "Create key");
    let may = visit.may(Action::CreateOwnApiKey);
    let text =
        "Programs call models with a key. Make one for each, so that you can limit and end each by itself.";
    empty("No keys yet", text, may.then_some(&act))
}

fn columns() -> [Column; 7] {
    ["Name", "Workspace, owner", "Models", "Spend this month", "Last used", "Expires", "Status"]
        .map(Column::text)
}

fn row(
    visit: &Visit,
    one: &Audited,
    owner: Option<&String>,
    spend: &HashMap<KeyId, Standing>,
) -> Vec<Markup> {
    let key = &one.key;
    let now = visit.context.now;
    vec![
        html! {
            a.title href=(place(key)) title=(key.name) { (key.name) }
            span.sub.mono title=(key.id) { (key.hidden()) }
        },
        words::home(visit, key, owner.map(String::as_str)),
        words::models(key.limits.allowed_models.as_deref()),
        money(key, spend.get(&key.id)),
        html! { @match key.last_used_at { Some(at) => (distance(at, now)), None => span.quiet { "Never" } } },
        html! { @match key.expires_at { Some(at) => (date(at)), None => span.quiet { "Never" } } },
        html! { span.chips { (words::status(key, now)) (words::findings(&one.findings)) } },
    ]
}

/// What is spent of a key's own budget; without one it takes from those above.
fn money(key: &ApiKey, standing: Option<&Standing>) -> Markup {
    let Some(limit) = key.limits.monthly_budget_usd else {
        return html! { span.quiet { "no budget of its own" } };
    };
    let Some(standing) = standing else {
        return html! { span.nowrap { "– " span.quiet { "of " (dollars(limit.nanos())) } } };
    };
    let (used, limit) = (standing.spent, standing.budget.limit);
    let meter =
        Meter { label: &key.name, used, held: standing.reserved, limit, slim: true, ..Meter::default() };
    html! { span.nowrap { (dollars(used)) " " span.quiet { "of " (dollars(limit)) } } (meter.draw()) }
}
