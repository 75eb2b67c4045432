//! Roles: who may do what on the admin side, and the organization's own roles.

mod custom;
mod model_roles;

use crate::answer::Answer;
use crate::frame::{Here, Visit};
use crate::kit::icons::{Icon, icon};
use crate::kit::table::{Column, table};
use crate::kit::{Card, Head, Tone, badge, main_link};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use louver_control::Control;
use louver_control::actions::custom_roles as actions;
use louver_control::error::ControlError;
use louver_domain::access::{Action, ActionSet};
use louver_domain::roles::{BUILTIN, RoleLevel, Roles};
use maud::{Markup, html};
use std::sync::Arc;

/// The way to here.
const ALL: (&str, &str) = ("Roles", "/console/roles");
const NEW: &str = "/console/roles/new";
const MODEL_ROLES: &str = "/console/roles/models";
/// The built-in roles that the matrix shows; the others hold the same as one of these, or less.
const SHOWN: [&str; 7] = [
    "member",
    "billing_manager",
    "organization_admin",
    "workspace_contributor",
    "workspace_admin",
    "billing",
    "observability_viewer",
];

pub(crate) fn pages() -> Router<Arc<Control>> {
    Router::new().route("/console/roles", get(show)).merge(custom::pages()).merge(model_roles::pages())
}

/// The head and the tabs of the pages about roles.
fn head(visit: &Visit, tab: &str, act: Option<Markup>) -> Markup {
    let mut tabs = vec![("Roles", ALL.1.to_owned())];
    if visit.may(Action::ReadModelRoles) {
        tabs.push(("Model roles", MODEL_ROLES.to_owned()));
    }
    html! {
        (Head { title: tab, acts: act.into_iter().collect(), ..Head::default() }.draw())
        (crate::kit::tabs("Kinds of roles", &tabs, tab))
    }
}

async fn show(State(control): State<Arc<Control>>, visit: Visit) -> Answer {
    if !visit.may(Action::ReadRoles) {
        return Err(ControlError::Lacking(Action::ReadRoles).into());
    }
    let roles = actions::list(&control, &visit.context).await?;
    let new = visit.may(Action::CreateRole).then(|| main_link(NEW, Some(Icon::Plus), "Create role"));
    let matrix = matrix(&roles);
    let body = html! {
        (head(&visit, "Roles", new))
        div.stack {
            (Card { id: "all", title: "All roles", flush: Some(list(&roles)), ..Card::default() }.draw())
            (Card { id: "matrix", title: "Who may do what", sub: Some(html! { "Roles add up" }), flush: Some(matrix), ..Card::default() }.draw())
        }
    };
    Ok(visit.page(Here::Roles, &[ALL], &body))
}

const fn place(level: RoleLevel) -> &'static str {
    match level {
        RoleLevel::Organization => "Organization",
        RoleLevel::Workspace => "Workspace",
    }
}

fn list(roles: &Roles) -> Markup {
    let builtin = BUILTIN.iter().map(|role| {
        vec![
            html! { span.title { (role.name) } },
            html! { (place(role.level)) },
            html! { (role.description) },
            html! { (role.actions().iter().count()) },
            badge(Tone::Plain, "Built in"),
        ]
    });
    let custom = roles.custom().iter().map(|role| {
        vec![
            html! { a.title href={ "/console/roles/" (role.id) } title=(role.name) { (role.name) } },
            html! { (place(role.level)) },
            html! { (role.description) },
            html! { (role.actions.iter().count()) },
            badge(Tone::Info, "Your own"),
        ]
    });
    let rows: Vec<Vec<Markup>> = custom.chain(builtin).collect();
    let columns = [
        Column::text("Role"),
        Column::text("Holds in"),
        Column::text("What for"),
        Column::number("Permissions"),
        Column::text("Kind"),
    ];
    table("All roles", &columns, &rows)
}

fn matrix(roles: &Roles) -> Markup {
    let builtin = BUILTIN.iter().filter(|role| SHOWN.contains(&role.name));
    let builtin = builtin.map(|role| (role.name.to_owned(), role.actions()));
    let custom = roles.custom().iter().map(|role| (role.name.clone(), role.actions));
    let columns: Vec<(String, ActionSet)> = builtin.chain(custom).collect();
    let held = Action::ALL.iter().filter(|action| action.can_be_held());
    html! {
        div.scroll tabindex="0" role="region" aria-label="Permissions by role" {
            table.matrix {
                caption.sr { "Permissions by role" }
                thead { tr {
                    th scope="col" { "Permission" }
                    @for (name, _) in &columns { th scope="col" { (name) } }
                } }
                tbody {
                    @for action in held {
                        tr {
                            th scope="row" { code { (action.as_str()) } }
                            @for (_, actions) in &columns { td { (answer(actions.contains(*action), *action)) } }
                        }
                    }
                }
            }
        }
    }
}

fn answer(yes: bool, action: Action) -> Markup {
    html! {
        @if yes { span.yes { (icon(Icon::Check)) span.sr { "yes" } } }
        @else if action.holders().own() { span.no title="On what is their own" { "own" } }
        @else { span.no role="img" aria-label="no" { "–" } }
    }
}
