//! The limits of one workspace, and those of the organization: seen, and changed.

use super::{framed, id_of, show};
use crate::answer::{Answer, go};
use crate::fields::Fields;
use crate::frame::{Here, Visit};
use crate::kit::form::Faults;
use crate::kit::{Card, Head};
use crate::limits_form::{Form, Whose, filled, model_names, patch};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use louver_control::Control;
use louver_control::actions::organizations::{self, OrganizationPatch};
use louver_control::actions::workspaces as actions;
use louver_control::error::ControlError;
use louver_domain::access::Action;
use louver_domain::workspaces::Workspace;
use std::sync::Arc;

const OF_ORGANIZATION: &str = "/console/limits/edit";
const BUDGETS: (&str, &str) = ("Budgets & limits", "/console/limits");

pub(super) fn pages() -> Router<Arc<Control>> {
    Router::new()
        .route("/console/workspaces/{workspace}/limits", get(show).post(change))
        .route(OF_ORGANIZATION, get(ask_organization).post(change_organization))
}

async fn show(State(control): State<Arc<Control>>, visit: Visit, Path(id): Path<String>) -> Answer {
    let workspace = actions::get(&control, &visit.context, id_of(&id)?).await?;
    if !visit.may(Action::UpdateWorkspaceLimits) || workspace.archived_at.is_some() {
        let card = Card {
            id: "limits",
            title: "Limits",
            body: Some(show::summary(&workspace.limits)),
            ..Card::default()
        };
        return Ok(framed(&visit, StatusCode::OK, &workspace, "Limits", &card.draw()));
    }
    let fields = filled(&workspace.limits, &model_names(&control).await?);
    Ok(form(&control, &visit, StatusCode::OK, &workspace, &fields, &Faults::none()).await?)
}

async fn form(
    control: &Control,
    visit: &Visit,
    status: StatusCode,
    workspace: &Workspace,
    fields: &Fields,
    faults: &Faults,
) -> Result<Response, ControlError> {
    let organization = organizations::get(control, &visit.context).await?;
    let back = format!("/console/workspaces/{}", workspace.id);
    let form = Form {
        whose: Whose::Workspace,
        action: &format!("{back}/limits"),
        back: &back,
        parent: Some(&organization.limits),
        models: &model_names(control).await?,
        fields,
        faults,
    };
    Ok(framed(visit, status, workspace, "Limits", &form.draw()))
}

async fn change(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let workspace = actions::get(&control, &visit.context, id_of(&id)?).await?;
    if !visit.may(Action::UpdateWorkspaceLimits) {
        return Err(ControlError::Lacking(Action::UpdateWorkspaceLimits).into());
    }
    let changed = match patch(&fields, &workspace.limits) {
        Ok(patch) => actions::update_limits(&control, &visit.context, workspace.id, patch).await,
        Err(error) => Err(error),
    };
    match changed {
        Ok(_) => Ok(go(&format!("/console/workspaces/{}/limits?done=saved", workspace.id))),
        Err(error) => {
            let faults = Faults::of(error)?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            Ok(form(&control, &visit, status, &workspace, &fields, &faults).await?)
        }
    }
}

async fn ask_organization(State(control): State<Arc<Control>>, visit: Visit) -> Answer {
    if !visit.may(Action::UpdateOrganization) {
        return Err(ControlError::Lacking(Action::UpdateOrganization).into());
    }
    let organization = organizations::get(&control, &visit.context).await?;
    let fields = filled(&organization.limits, &model_names(&control).await?);
    Ok(form_of_organization(&control, &visit, StatusCode::OK, &fields, &Faults::none()).await?)
}

async fn form_of_organization(
    control: &Control,
    visit: &Visit,
    status: StatusCode,
    fields: &Fields,
    faults: &Faults,
) -> Result<Response, ControlError> {
    let form = Form {
        whose: Whose::Organization,
        action: OF_ORGANIZATION,
        back: BUDGETS.1,
        parent: None,
        models: &model_names(control).await?,
        fields,
        faults,
    };
    let head = Head { title: "Limits of the organization", ..Head::default() };
    let body = maud::html! { (head.draw()) (form.draw()) };
    Ok(visit.page_with(status, Here::Limits, &[BUDGETS, ("Limits of the organization", "")], &body))
}

async fn change_organization(State(control): State<Arc<Control>>, visit: Visit, fields: Fields) -> Answer {
    let organization = organizations::get(&control, &visit.context).await?;
    let changed = match patch(&fields, &organization.limits) {
        Ok(limits) => {
            let patch = OrganizationPatch { limits: Some(limits), ..OrganizationPatch::default() };
            organizations::update(&control, &visit.context, patch).await
        }
        Err(error) => Err(error),
    };
    match changed {
        Ok(_) => Ok(go("/console/limits?done=saved")),
        Err(error) => {
            let faults = Faults::of(error)?.inside("limits");
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            Ok(form_of_organization(&control, &visit, status, &fields, &faults).await?)
        }
    }
}
