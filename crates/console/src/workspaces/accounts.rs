//! Service accounts of a workspace: machines that own keys, made, seen and deleted.

use super::{framed, id_of};
use crate::answer::{Answer, go};
use crate::confirm::Question;
use crate::fields::Fields;
use crate::figures::date;
use crate::frame::Visit;
use crate::kit::form::{Faults, Field};
use crate::kit::table::{Column, table};
use crate::kit::{Card, chips, empty};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use louver_control::Control;
use louver_control::actions::service_accounts::{self as actions, NewServiceAccount};
use louver_control::actions::{custom_roles, workspaces};
use louver_control::error::ControlError;
use louver_domain::access::Action;
use louver_domain::id::ServiceAccountId;
use louver_domain::users::ServiceAccount;
use louver_domain::workspaces::Workspace;
use maud::{Markup, html};
use std::sync::Arc;

const LOSS: &str = "All keys that it owns are revoked at once.";

pub(super) fn pages() -> Router<Arc<Control>> {
    Router::new()
        .route("/console/workspaces/{workspace}/service-accounts", get(list).post(create))
        .route("/console/workspaces/{workspace}/service-accounts/{account}/delete", post(delete))
}

async fn list(State(control): State<Arc<Control>>, visit: Visit, Path(id): Path<String>) -> Answer {
    let workspace = workspaces::get(&control, &visit.context, id_of(&id)?).await?;
    Ok(page(&control, &visit, StatusCode::OK, &workspace, &Fields::default(), &Faults::none()).await?)
}

async fn page(
    control: &Control,
    visit: &Visit,
    status: StatusCode,
    workspace: &Workspace,
    fields: &Fields,
    faults: &Faults,
) -> Result<Response, ControlError> {
    if !visit.may_in(workspace.id, Action::ReadServiceAccounts) {
        return Err(ControlError::Lacking(Action::ReadServiceAccounts));
    }
    let mut all = actions::list(control, &visit.context).await?;
    all.retain(|account| account.workspace_id == workspace.id);
    let roles = custom_roles::list(control, &visit.context).await?;
    let choices = super::members::model_role_choices(control, visit).await?;
    let at = format!("/console/workspaces/{}/service-accounts", workspace.id);
    let row = |account: &ServiceAccount| -> Vec<Markup> {
        vec![
            html! { span.title title=(account.id) { (account.name) } },
            chips(&super::members::names(&roles, &account.roles)),
            html! { (account.role.as_deref().unwrap_or("–")) },
            date(account.created_at),
            html! {
                @if visit.may_in(workspace.id, Action::DeleteServiceAccount) {
                    form method="post" action={ (at) "/" (account.id) "/delete" } data-confirm=(LOSS) data-confirm-title={ "Delete " (account.name) "?" } data-confirm-yes="Delete" {
                        button.btn.tiny.danger { "Delete" span.sr { " " (account.name) } }
                    }
                }
            },
        ]
    };
    let rows: Vec<Vec<Markup>> = all.iter().map(row).collect();
    let columns = [
        Column::text("Name"),
        Column::text("Roles"),
        Column::text("Model role"),
        Column::text("Created"),
        Column::text("Action"),
    ];
    let flush = match rows.is_empty() {
        true => empty("No service accounts", "Give a program one: its keys stay when people leave.", None),
        false => table("Service accounts", &columns, &rows),
    };
    let form = html! {
        form.form method="post" action=(at) {
            div.pair {
                (Field::new("name", "Name").required().hint("New in the workspace").filled(fields, faults).draw())
                (Field::new("role", "Model role").hint("Which models its keys may call").filled(fields, faults).choice(&choices))
            }
            div.acts { button.btn.main { "Create service account" } }
        }
    };
    let may_create =
        visit.may_in(workspace.id, Action::CreateServiceAccount) && workspace.archived_at.is_none();
    let body = html! {
        div.stack {
            (faults.summary())
            (Card { id: "accounts", title: "Service accounts", flush: Some(flush), ..Card::default() }.draw())
            @if may_create { (Card { id: "new", title: "Create service account", body: Some(form), ..Card::default() }.draw()) }
        }
    };
    Ok(framed(visit, status, workspace, "Service accounts", &body))
}

async fn create(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let workspace = workspaces::get(&control, &visit.context, id_of(&id)?).await?;
    let new = NewServiceAccount {
        name: fields.text("name").to_owned(),
        workspace_id: workspace.id,
        role: fields.given("role"),
        roles: vec![],
    };
    match actions::create(&control, &visit.context, new).await {
        Ok(_) => Ok(go(&format!("/console/workspaces/{}/service-accounts?done=created", workspace.id))),
        Err(error) => {
            let faults = Faults::of(error)?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            Ok(page(&control, &visit, status, &workspace, &fields, &faults).await?)
        }
    }
}

async fn delete(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path((id, account)): Path<(String, String)>,
    fields: Fields,
) -> Answer {
    let workspace = workspaces::get(&control, &visit.context, id_of(&id)?).await?;
    let account = ServiceAccountId::parse(&account).ok_or(ControlError::NotFound)?;
    let account = actions::get(&control, &visit.context, account).await?;
    let all = format!("/console/workspaces/{}/service-accounts", workspace.id);
    let question = Question {
        action: &format!("{all}/{}/delete", account.id),
        title: &format!("Delete {}?", account.name),
        text: LOSS,
        yes: "Delete",
        back: &all,
    };
    if let Some(page) = question.unless_answered(&fields) {
        return Ok(page);
    }
    actions::delete(&control, &visit.context, account.id).await?;
    Ok(go(&format!("{all}?done=removed")))
}
