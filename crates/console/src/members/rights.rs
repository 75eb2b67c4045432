//! A person's roles in the organization, and the limits over all their keys.

use super::{ALL, name_of, person::find};
use crate::answer::{Answer, go};
use crate::fields::Fields;
use crate::frame::{Here, Visit};
use crate::kit::Head;
use crate::kit::form::Faults;
use crate::limits_form::{Form, Whose, filled, model_names, patch};
use crate::workspaces::{read_roles, role_ticks};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use louver_control::Control;
use louver_control::actions::users::{self as actions, roles};
use louver_control::actions::{custom_roles, organizations};
use louver_control::error::ControlError;
use louver_domain::roles::RoleLevel;
use louver_domain::users::User;
use maud::html;
use std::sync::Arc;

pub(super) fn pages() -> Router<Arc<Control>> {
    Router::new()
        .route("/console/members/{user}/roles", get(ask_roles).post(change_roles))
        .route("/console/members/{user}/limits", get(ask_limits).post(change_limits))
}

async fn ask_roles(State(control): State<Arc<Control>>, visit: Visit, Path(id): Path<String>) -> Answer {
    let user = find(&control, &visit, &id).await?;
    let fields = Fields::of(user.roles.iter().map(|role| ("roles".into(), role.to_string())).collect());
    Ok(roles_form(&control, &visit, StatusCode::OK, &user, &fields, &Faults::none()).await?)
}

async fn roles_form(
    control: &Control,
    visit: &Visit,
    status: StatusCode,
    user: &User,
    fields: &Fields,
    faults: &Faults,
) -> Result<Response, ControlError> {
    let all = custom_roles::list(control, &visit.context).await?;
    let at = format!("/console/members/{}", user.id);
    let body = html! {
        (Head { title: "Roles in the organization", meta: vec![html! { (user.email) }], ..Head::default() }.draw())
        (faults.summary())
        section.card {
            form.form.body method="post" action={ (at) "/roles" } {
                (role_ticks(&all, RoleLevel::Organization, &fields.list("roles")))
                div.acts { button.btn.main { "Save roles" } a.btn.plain href=(at) { "Cancel" } }
            }
        }
    };
    Ok(visit.page_with(status, Here::Members, &[ALL, (name_of(user), &at), ("Roles", "")], &body))
}

async fn change_roles(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let user = find(&control, &visit, &id).await?;
    let changed = match read_roles(&fields) {
        Ok(chosen) if chosen.is_empty() => Err(ControlError::field("roles", "tick at least one")),
        Ok(chosen) => {
            let all = custom_roles::list(&control, &visit.context).await?;
            match chosen.iter().all(|role| all.level(*role) == Some(RoleLevel::Organization)) {
                true => roles::replace(&control, &visit.context, user.id, chosen).await,
                false => Err(ControlError::field("roles", "names a role that is not there")),
            }
        }
        Err(error) => Err(error),
    };
    match changed {
        Ok(_) => Ok(go(&format!("/console/members/{}?done=saved", user.id))),
        Err(error) => {
            let faults = Faults::of(error)?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            Ok(roles_form(&control, &visit, status, &user, &fields, &faults).await?)
        }
    }
}

async fn ask_limits(State(control): State<Arc<Control>>, visit: Visit, Path(id): Path<String>) -> Answer {
    let user = find(&control, &visit, &id).await?;
    let fields = filled(&user.limits, &model_names(&control).await?);
    Ok(limits_form(&control, &visit, StatusCode::OK, &user, &fields, &Faults::none()).await?)
}

async fn limits_form(
    control: &Control,
    visit: &Visit,
    status: StatusCode,
    user: &User,
    fields: &Fields,
    faults: &Faults,
) -> Result<Response, ControlError> {
    let organization = organizations::get(control, &visit.context).await?;
    let at = format!("/console/members/{}", user.id);
    let form = Form {
        whose: Whose::Person,
        action: &format!("{at}/limits"),
        back: &at,
        parent: Some(&organization.limits),
        models: &model_names(control).await?,
        fields,
        faults,
    };
    let body = html! {
        (Head { title: "Limits over all their keys", meta: vec![html! { (user.email) }], ..Head::default() }.draw())
        (form.draw())
    };
    Ok(visit.page_with(status, Here::Members, &[ALL, (name_of(user), &at), ("Limits", "")], &body))
}

async fn change_limits(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let user = find(&control, &visit, &id).await?;
    let changed = match patch(&fields, &user.limits) {
        Ok(patch) => actions::update_limits(&control, &visit.context, user.id, patch).await,
        Err(error) => Err(error),
    };
    match changed {
        Ok(_) => Ok(go(&format!("/console/members/{}?done=saved", user.id))),
        Err(error) => {
            let faults = Faults::of(error)?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            Ok(limits_form(&control, &visit, status, &user, &fields, &faults).await?)
        }
    }
}
