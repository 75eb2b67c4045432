//! Workspaces: all of them, and making one.

mod accounts;
mod limits;
mod members;
mod settings;
mod show;

pub(crate) use members::{model_role_choices, names, read_people, read_roles, role_ticks, roles_of_level};
pub(crate) use show::summary;

use crate::answer::{Answer, go};
use crate::fields::{Asked, Fields, address};
use crate::figures::{date, dollars, number};
use crate::frame::{Here, Visit};
use crate::kit::form::{Faults, Field, section, tick};
use crate::kit::icons::Icon;
use crate::kit::meter::Meter;
use crate::kit::table::{Column, pager, table};
use crate::kit::{Card, Head, Tone, badge, empty, main_link, workspace_tile};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use louver_control::Control;
use louver_control::actions::workspaces::figures::{self, Figures};
use louver_control::actions::workspaces::{self as actions, Filter, NewWorkspace};
use louver_control::error::ControlError;
use louver_domain::access::Action;
use louver_domain::id::WorkspaceId;
use louver_domain::limits::Limits;
use louver_domain::workspaces::Workspace;
use maud::{Markup, html};
use std::sync::Arc;

/// The way to here.
const ALL: (&str, &str) = ("Workspaces", "/console/workspaces");
const NEW: &str = "/console/workspaces/new";
const PAGE: u64 = 50;

pub(crate) fn pages() -> Router<Arc<Control>> {
    Router::new()
        .route("/console/workspaces", get(list))
        .route(NEW, get(ask).post(create))
        .merge(show::pages())
        .merge(members::pages())
        .merge(accounts::pages())
        .merge(limits::pages())
        .merge(settings::pages())
}

/// The id in a path; what reads as none is not there.
fn id_of(text: &str) -> Result<WorkspaceId, ControlError> {
    WorkspaceId::parse(text).ok_or(ControlError::NotFound)
}

async fn list(State(control): State<Arc<Control>>, visit: Visit, asked: Asked) -> Answer {
    let archived = asked.ticked("archived");
    let offset = asked.number("offset").unwrap_or_default().unwrap_or_default();
    let filter = Filter {
        archived,
        search: asked.text("q").to_owned(),
        among: None,
        offset: offset.min(1_000_000),
        limit: PAGE,
    };
    let (all, total) = actions::page(&control, &visit.context, filter).await?;
    let ids: Vec<WorkspaceId> = all.iter().map(|(workspace, _)| workspace.id).collect();
    let known = figures::of(&control, &visit.context, &ids).await?;
    let rows: Vec<Vec<Markup>> = all
        .iter()
        .map(|(workspace, members)| {
            row(workspace, *members, known.get(&workspace.id).copied().unwrap_or_default())
        })
        .collect();
    let new = main_link(NEW, Some(Icon::Plus), "Create workspace");
    let may_create = visit.may(Action::CreateWorkspace);
    let columns = [
        Column::text("Name"),
        Column::number("Members"),
        Column::number("Keys"),
        Column::number("Spend this month"),
        Column::text("Of budget"),
        Column::text("Status"),
    ];
    let searched = archived || !asked.text("q").is_empty();
    let flush = if rows.is_empty() {
        let (title, text) = match searched {
            true => ("No workspace fits", "Search for less, or leave the search out."),
            false => ("No workspaces yet", "A workspace holds keys and people, and has limits of its own."),
        };
        empty(title, text, (may_create && !searched).then_some(&new))
    } else {
        table("Workspaces", &columns, &rows)
    };
    let next = (offset.saturating_add(PAGE) < total).then(|| at(&asked, offset.saturating_add(PAGE)));
    let first = (offset > 0).then(|| at(&asked, 0));
    let body = html! {
        (Head { title: "Workspaces", acts: may_create.then_some(new).into_iter().collect(), ..Head::default() }.draw())
        form.filters method="get" action="/console/workspaces" data-auto role="search" aria-label="Filter workspaces" {
            span.search { input type="search" name="q" value=(asked.text("q")) aria-label="Search workspaces by name" placeholder="Search name" autocomplete="off"; }
            (tick("checkbox", "archived", "1", archived, "Archived too", None))
            button.btn type="submit" { "Apply" }
            span."count-of" { (number(total)) " in all" }
        }
        section.card {
            (flush)
            @if first.is_some() || next.is_some() { footer { (pager("50 a page", first.as_deref(), next.as_deref())) } }
        }
    };
    Ok(visit.page(Here::Workspaces, &[ALL], &body))
}

fn at(asked: &Asked, offset: u64) -> String {
    let (offset, archived) = (offset.to_string(), if asked.ticked("archived") { "1" } else { "" });
    address(ALL.1, &[("q", asked.text("q")), ("archived", archived), ("offset", &offset)])
}

fn row(workspace: &Workspace, members: u64, figures: Figures) -> Vec<Markup> {
    let budget = workspace.limits.monthly_budget_usd;
    vec![
        html! {
            span.with {
                (workspace_tile(&workspace.name, workspace.icon.as_deref()))
                a.title href={ "/console/workspaces/" (workspace.id) } title=(workspace.name) { (workspace.name) }
            }
        },
        html! { (number(members)) },
        html! { @match figures.keys { Some(keys) => (number(keys)), None => "–" } },
        html! { @match figures.spent { Some(spent) => (dollars(spent.nanos())), None => "–" } },
        html! {
            @if let (Some(budget), Some(spent)) = (budget, figures.spent) {
                (Meter { label: &workspace.name, used: spent.nanos(), limit: budget.nanos(), slim: true, ..Meter::default() }.draw())
            } @else if let Some(budget) = budget { (dollars(budget.nanos())) } @else { span.quiet { "no budget" } }
        },
        standing(workspace),
    ]
}

/// How a workspace stands in a word.
fn standing(workspace: &Workspace) -> Markup {
    match workspace.archived_at {
        Some(at) => html! { (badge(Tone::Off, "Archived")) " " span.quiet.small { (date(at)) } },
        None if workspace.limits.enforced() => badge(Tone::Good, "Enforcing"),
        None => badge(Tone::Shadow, "Shadow"),
    }
}

async fn ask(State(_control): State<Arc<Control>>, visit: Visit) -> Answer {
    if !visit.may(Action::CreateWorkspace) {
        return Err(ControlError::Lacking(Action::CreateWorkspace).into());
    }
    Ok(form(&visit, StatusCode::OK, &Fields::default(), &Faults::none()))
}

fn form(visit: &Visit, status: StatusCode, fields: &Fields, faults: &Faults) -> Response {
    let field = |name, label| Field::new(name, label).filled(fields, faults);
    let about = html! {
        (field("name", "Name").required().hint("New in the organization").draw())
        (field("icon", "Icon").hint("One emoji, or one or two characters").draw())
        (field("description", "Description").lines(2))
    };
    let first = html! {
        div.pair {
            (Field { unit: Some("a month"), ..field("monthly_budget_usd", "Dollars a month").dollars() }.draw())
            (field("requests_per_minute", "Calls a minute").unit("calls").draw())
        }
    };
    let people = tick(
        "checkbox",
        "everybody",
        "yes",
        fields.ticked("everybody"),
        "Everybody in the organization is a member from the start",
        Some("As workspace_contributor; you can also add people one by one later"),
    );
    let body = html! {
        (Head { title: "Create workspace", ..Head::default() }.draw())
        (faults.summary())
        form.form method="post" action=(NEW) {
            div.sections {
                (section("What it is", "People see it in lists and in the usage.", &about))
                (section("First limits", "For all its keys together. More can be set later, none above the organization’s.", &first))
                (section("People", "Who belongs to it.", &people))
            }
            div.acts { button.btn.main { "Create workspace" } a.btn.plain href=(ALL.1) { "Cancel" } }
        }
    };
    visit.page_with(status, Here::Workspaces, &[ALL, ("Create workspace", "")], &body)
}

async fn create(State(control): State<Arc<Control>>, visit: Visit, fields: Fields) -> Answer {
    let made = match read(&fields) {
        Ok(new) => actions::create(&control, &visit.context, new).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(workspace) => Ok(go(&format!("/console/workspaces/{}?done=created", workspace.id))),
        Err(error) => {
            let faults = Faults::of(error)?.inside("limits");
            Ok(form(&visit, StatusCode::UNPROCESSABLE_ENTITY, &fields, &faults))
        }
    }
}

fn read(fields: &Fields) -> Result<NewWorkspace, ControlError> {
    Ok(NewWorkspace {
        name: fields.text("name").to_owned(),
        description: fields.given("description"),
        icon: fields.given("icon"),
        limits: Limits {
            monthly_budget_usd: fields.dollars("monthly_budget_usd")?,
            requests_per_minute: fields.number("requests_per_minute")?,
            ..Limits::default()
        },
        admin: None,
        everybody: fields.ticked("everybody"),
    })
}

/// The head and the tabs of one workspace, above what a tab shows.
fn framed(visit: &Visit, status: StatusCode, workspace: &Workspace, tab: &str, body: &Markup) -> Response {
    let at = |part: &str| format!("/console/workspaces/{}{part}", workspace.id);
    let id = workspace.id.to_string();
    let here = |href: &str| address(href, &[("workspace", &id)]);
    let mut tabs = vec![("Overview", at(""))];
    if visit.may_in(workspace.id, Action::ReadMembers) {
        tabs.push(("Members", at("/members")));
    }
    if visit.may(Action::ReadApiKeys) {
        tabs.push(("Keys", here("/console/keys")));
    }
    if visit.may_in(workspace.id, Action::ReadServiceAccounts) {
        tabs.push(("Service accounts", at("/service-accounts")));
    }
    tabs.push(("Limits", at("/limits")));
    if visit.may(Action::ReadUsage) {
        tabs.push(("Usage", here("/console/usage")));
    }
    if visit.may_in(workspace.id, Action::UpdateWorkspace) && workspace.archived_at.is_none() {
        tabs.push(("Settings", at("/settings")));
    }
    let badge = standing(workspace);
    let mut meta =
        vec![html! { span.mono title=(id) { (id) } }, html! { "Created " (date(workspace.created_at)) }];
    if let Some(text) = &workspace.description {
        meta.insert(0, html! { span.clip title=(text) { (text) } });
    }
    if workspace.is_default {
        meta.push(html! { "Keys without a workspace go here" });
    }
    let picture = html! { span.tile.big aria-hidden="true" {
        @match workspace.icon.as_deref().filter(|icon| !icon.is_empty()) {
            Some(icon) => (icon), None => (crate::kit::initials(&workspace.name)),
        }
    } };
    let whole = html! {
        (Head { tile: Some(picture), title: &workspace.name, badge: Some(badge), meta, ..Head::default() }.draw())
        (crate::kit::tabs(&workspace.name, &tabs, tab))
        (body)
    };
    let home = at("");
    let way: Vec<(&str, &str)> = match tab {
        "Overview" => vec![ALL, (&workspace.name, "")],
        tab => vec![ALL, (&workspace.name, &home), (tab, "")],
    };
    visit.page_with(status, Here::Workspaces, &way, &whole)
}

/// A card of one table.
fn listed(id: &str, title: &str, sub: Option<Markup>, flush: Markup) -> Markup {
    Card { id, title, sub, flush: Some(flush), ..Card::default() }.draw()
}
