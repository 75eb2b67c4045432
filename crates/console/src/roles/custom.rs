//! The organization's own roles: made, changed, deleted.

use super::{ALL, NEW};
use crate::answer::{Answer, go};
use crate::confirm::Question;
use crate::fields::Fields;
use crate::frame::{Here, Visit};
use crate::kit::form::{Faults, Field, section};
use crate::kit::{Card, Head};
use crate::limits_form::picker;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use louver_control::Control;
use louver_control::actions::custom_roles::{self as actions, NewRole, RolePatch};
use louver_control::error::ControlError;
use louver_domain::access::Action;
use louver_domain::id::RoleId;
use louver_domain::roles::{CustomRole, RoleLevel};
use maud::html;
use std::sync::Arc;

const LOSS: &str = "It cannot be brought back. A role that somebody has is not deleted.";

pub(super) fn pages() -> Router<Arc<Control>> {
    Router::new()
        .route(NEW, get(ask_new).post(create))
        .route("/console/roles/{role}", get(ask).post(change))
        .route("/console/roles/{role}/delete", post(delete))
}

fn must_read(visit: &Visit) -> Result<(), ControlError> {
    visit.may(Action::ReadRoles).then_some(()).ok_or(ControlError::Lacking(Action::ReadRoles))
}

async fn find(control: &Control, visit: &Visit, id: &str) -> Result<CustomRole, ControlError> {
    must_read(visit)?;
    let id = RoleId::parse(id).ok_or(ControlError::NotFound)?;
    actions::get(control, &visit.context, id).await
}

async fn ask_new(State(_control): State<Arc<Control>>, visit: Visit) -> Answer {
    if !visit.may(Action::CreateRole) {
        return Err(ControlError::Lacking(Action::CreateRole).into());
    }
    let fields = Fields::of(vec![("level".into(), "workspace".into())]);
    Ok(form(&visit, StatusCode::OK, None, &fields, &Faults::none()))
}

async fn ask(State(control): State<Arc<Control>>, visit: Visit, Path(id): Path<String>) -> Answer {
    let role = find(&control, &visit, &id).await?;
    let mut pairs = vec![
        ("name".to_owned(), role.name.clone()),
        ("description".to_owned(), role.description.clone()),
        ("level".to_owned(), role.level.as_str().to_owned()),
    ];
    pairs.extend(role.actions.iter().map(|action| ("permissions".to_owned(), action.as_str().to_owned())));
    Ok(form(&visit, StatusCode::OK, Some(&role), &Fields::of(pairs), &Faults::none()))
}

fn form(
    visit: &Visit,
    status: StatusCode,
    role: Option<&CustomRole>,
    fields: &Fields,
    faults: &Faults,
) -> Response {
    let action = role.map_or_else(|| NEW.to_owned(), |role| format!("/console/roles/{}", role.id));
    let title = role.map_or("Create role", |role| role.name.as_str());
    let fits = |action: &&Action| {
        let level = role.map_or(RoleLevel::Organization, |role| role.level);
        action.can_be_held() && (level == RoleLevel::Organization || action.level() == RoleLevel::Workspace)
    };
    let all: Vec<String> = Action::ALL.iter().filter(fits).map(|action| action.as_str().to_owned()).collect();
    let levels = [
        ("workspace".to_owned(), "In a workspace".to_owned()),
        ("organization".to_owned(), "In the whole organization".to_owned()),
    ];
    let field = |name, label| Field::new(name, label).filled(fields, faults);
    let about = html! {
        (field("name", "Name").required().hint("New among all roles").draw())
        (field("description", "Description").lines(2))
        @if role.is_none() { (field("level", "Holds").required().hint("This stays").choice(&levels)) }
    };
    let held = html! {
        fieldset id="permissions" {
            legend { "Permissions" }
            (picker("Permissions", "permissions", &all, &fields.list("permissions")))
            @if let Some(fault) = faults.at("permissions") { p.error { (crate::failure::capital(fault)) } }
        }
    };
    let may_delete = role.is_some() && visit.may(Action::DeleteRole);
    let body = html! {
        (Head { title, ..Head::default() }.draw())
        (faults.summary())
        form.form method="post" action=(action) {
            div.sections {
                (section("What it is", "People see it where roles are given.", &about))
                (section("What it allows", "Nobody gives more than they hold themselves.", &held))
            }
            div.acts { button.btn.main { "Save role" } a.btn.plain href=(ALL.1) { "Cancel" } }
        }
        @if may_delete {
            (Card { id: "end", title: "Delete", body: Some(html! {
                div.stack.tight {
                p { (LOSS) }
                form method="post" action={ (action) "/delete" } data-confirm=(LOSS) data-confirm-title={ "Delete " (title) "?" } data-confirm-yes="Delete" {
                    button.btn.danger { "Delete role" }
                }
            } }), ..Card::default() }.draw())
        }
    };
    visit.page_with(status, Here::Roles, &[ALL, (title, "")], &body)
}

async fn create(State(control): State<Arc<Control>>, visit: Visit, fields: Fields) -> Answer {
    let level = RoleLevel::parse(fields.text("level"));
    let made = match level {
        Some(level) => {
            let new = NewRole {
                name: fields.text("name").to_owned(),
                description: fields.text("description").to_owned(),
                level,
                permissions: fields.list("permissions"),
            };
            actions::create(&control, &visit.context, new).await
        }
        None => Err(ControlError::field("level", "must be workspace or organization")),
    };
    match made {
        Ok(_) => Ok(go("/console/roles?done=created")),
        Err(error) => Ok(form(&visit, StatusCode::UNPROCESSABLE_ENTITY, None, &fields, &Faults::of(error)?)),
    }
}

async fn change(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let role = find(&control, &visit, &id).await?;
    let name = fields.text("name");
    let patch = RolePatch {
        name: (name != role.name).then(|| name.to_owned()),
        description: Some(fields.text("description").to_owned()),
        permissions: Some(fields.list("permissions")),
    };
    match actions::update(&control, &visit.context, role.id, patch).await {
        Ok(_) => Ok(go("/console/roles?done=saved")),
        Err(error) => {
            let faults = Faults::of(error)?;
            Ok(form(&visit, StatusCode::UNPROCESSABLE_ENTITY, Some(&role), &fields, &faults))
        }
    }
}

async fn delete(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let role = find(&control, &visit, &id).await?;
    let question = Question {
        action: &format!("/console/roles/{}/delete", role.id),
        title: &format!("Delete {}?", role.name),
        text: LOSS,
        yes: "Delete",
        back: ALL.1,
    };
    if let Some(page) = question.unless_answered(&fields) {
        return Ok(page);
    }
    actions::delete(&control, &visit.context, role.id).await?;
    Ok(go("/console/roles?done=removed"))
}
