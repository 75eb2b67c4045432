//! What a group gives its members: roles and a model role in workspaces, a role in the organization.

use super::{ALL, id_of};
use crate::answer::{Answer, go};
use crate::confirm::Question;
use crate::fields::Fields;
use crate::frame::{Here, Visit};
use crate::kit::Head;
use crate::kit::form::{Faults, Field};
use crate::workspaces::{model_role_choices, read_roles, role_ticks, roles_of_level};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use louver_control::Control;
use louver_control::actions::groups as actions;
use louver_control::error::ControlError;
use louver_domain::groups::Group;
use louver_domain::id::{GroupId, RoleId, WorkspaceId};
use louver_domain::roles::{RoleLevel, WORKSPACE_CONTRIBUTOR};
use maud::html;
use std::sync::Arc;

const LOSS: &str = "Its members lose their roles there that came by it; keys of theirs are disabled where they no longer belong.";
const MOST_PLACES: u64 = 500;

pub(super) fn pages() -> Router<Arc<Control>> {
    Router::new()
        .route("/console/groups/{group}/workspaces", get(ask_new).post(give_new))
        .route("/console/groups/{group}/workspaces/{workspace}", get(ask).post(give))
        .route("/console/groups/{group}/workspaces/{workspace}/withdraw", post(withdraw))
        .route("/console/groups/{group}/role", get(ask_role).post(set_role))
}

async fn ask_new(State(control): State<Arc<Control>>, visit: Visit, Path(id): Path<String>) -> Answer {
    let (group, _) = actions::get(&control, &visit.context, id_of(&id)?).await?;
    let fields = Fields::of(vec![("roles".into(), WORKSPACE_CONTRIBUTOR.to_string())]);
    Ok(form(&control, &visit, StatusCode::OK, (&group, None), &fields, &Faults::none()).await?)
}

async fn ask(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path((id, workspace)): Path<(String, String)>,
) -> Answer {
    let (group, _) = actions::get(&control, &visit.context, id_of(&id)?).await?;
    let workspace = WorkspaceId::parse(&workspace).ok_or(ControlError::NotFound)?;
    let (places, _) = actions::workspaces(&control, &visit.context, group.id, 0, MOST_PLACES).await?;
    let found = places.into_iter().find(|(place, _)| place.workspace_id == workspace);
    let (place, name) = found.ok_or(ControlError::NotFound)?;
    let mut pairs: Vec<(String, String)> =
        place.roles.iter().map(|role| ("roles".to_owned(), role.to_string())).collect();
    pairs.push(("model_role".into(), place.model_role.unwrap_or_default()));
    let here = Some((workspace, name.as_str()));
    Ok(form(&control, &visit, StatusCode::OK, (&group, here), &Fields::of(pairs), &Faults::none()).await?)
}

async fn form(
    control: &Control,
    visit: &Visit,
    status: StatusCode,
    (group, place): (&Group, Option<(WorkspaceId, &str)>),
    fields: &Fields,
    faults: &Faults,
) -> Result<Response, ControlError> {
    let roles = actions::roles(control, &visit.context).await?;
    let choices = model_role_choices(control, visit).await?;
    let spaces: Vec<(String, String)> = visit
        .around
        .workspaces
        .iter()
        .filter(|workspace| workspace.archived_at.is_none())
        .map(|workspace| (workspace.id.to_string(), workspace.name.clone()))
        .collect();
    let at = format!("/console/groups/{}", group.id);
    let action = place.map_or_else(|| format!("{at}/workspaces"), |(id, _)| format!("{at}/workspaces/{id}"));
    let title =
        place.map_or_else(|| "Give roles in a workspace".to_owned(), |(_, name)| format!("Roles in {name}"));
    let body = html! {
        (Head { title: &title, meta: vec![html! { "Group " (group.name) }], ..Head::default() }.draw())
        (faults.summary())
        section.card {
            form.form.body method="post" action=(action) {
                @if place.is_none() { (Field::new("workspace", "Workspace").required().filled(fields, faults).choice(&spaces)) }
                (role_ticks(&roles, RoleLevel::Workspace, &fields.list("roles")))
                (Field::new("model_role", "Model role").hint("Of members who have none of their own there").filled(fields, faults).choice(&choices))
                div.acts { button.btn.main { "Save roles" } a.btn.plain href=(at) { "Cancel" } }
            }
            @if place.is_some() {
                footer {
                    form method="post" action={ (action) "/withdraw" } data-confirm=(LOSS) data-confirm-title="Take the roles?" data-confirm-yes="Take them" {
                        button.btn.danger { "Take all roles there" }
                    }
                }
            }
        }
    };
    Ok(visit.page_with(status, Here::Groups, &[ALL, (&group.name, &at), (&title, "")], &body))
}

async fn give_new(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let (group, _) = actions::get(&control, &visit.context, id_of(&id)?).await?;
    let given = match fields.id("workspace", WorkspaceId::parse) {
        Ok(Some(workspace)) => save(&control, &visit, group.id, workspace, &fields).await,
        Ok(None) => Err(ControlError::field("workspace", "name one")),
        Err(error) => Err(error),
    };
    finish(&control, &visit, (&group, None), &fields, given).await
}

async fn give(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path((id, workspace)): Path<(String, String)>,
    fields: Fields,
) -> Answer {
    let (group, _) = actions::get(&control, &visit.context, id_of(&id)?).await?;
    let workspace = WorkspaceId::parse(&workspace).ok_or(ControlError::NotFound)?;
    let known = visit.around.workspaces.iter().find(|known| known.id == workspace);
    let name = known.ok_or(ControlError::NotFound)?.name.clone();
    let given = save(&control, &visit, group.id, workspace, &fields).await;
    finish(&control, &visit, (&group, Some((workspace, &name))), &fields, given).await
}

async fn finish(
    control: &Control,
    visit: &Visit,
    at: (&Group, Option<(WorkspaceId, &str)>),
    fields: &Fields,
    given: Result<(), ControlError>,
) -> Answer {
    match given {
        Ok(()) => Ok(go(&format!("/console/groups/{}?done=saved", at.0.id))),
        Err(error) => {
            let faults = Faults::of(error)?;
            Ok(form(control, visit, StatusCode::UNPROCESSABLE_ENTITY, at, fields, &faults).await?)
        }
    }
}

async fn save(
    control: &Control,
    visit: &Visit,
    group: GroupId,
    workspace: WorkspaceId,
    fields: &Fields,
) -> Result<(), ControlError> {
    let roles = read_roles(fields)?;
    if roles.is_empty() {
        return Err(ControlError::field("roles", "tick at least one"));
    }
    let (places, _) = actions::workspaces(control, &visit.context, group, 0, MOST_PLACES).await?;
    let was = places.into_iter().find(|(place, _)| place.workspace_id == workspace).map(|(place, _)| place);
    let same = was.as_ref().is_some_and(|was| {
        was.roles.len() == roles.len() && roles.iter().all(|role| was.roles.contains(role))
    });
    if !same {
        actions::assign(control, &visit.context, group, workspace, Some(roles)).await?;
    }
    let role = fields.given("model_role");
    if role != was.and_then(|was| was.model_role) {
        actions::set_model_role(control, &visit.context, workspace, group, role).await?;
    }
    Ok(())
}

async fn withdraw(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path((id, workspace)): Path<(String, String)>,
    fields: Fields,
) -> Answer {
    let (group, _) = actions::get(&control, &visit.context, id_of(&id)?).await?;
    let workspace = WorkspaceId::parse(&workspace).ok_or(ControlError::NotFound)?;
    let at = format!("/console/groups/{}", group.id);
    let question = Question {
        action: &format!("{at}/workspaces/{workspace}/withdraw"),
        title: "Take the roles?",
        text: LOSS,
        yes: "Take them",
        back: &at,
    };
    if let Some(page) = question.unless_answered(&fields) {
        return Ok(page);
    }
    actions::withdraw(&control, &visit.context, group.id, workspace).await?;
    Ok(go(&format!("{at}?done=removed")))
}

async fn ask_role(State(control): State<Arc<Control>>, visit: Visit, Path(id): Path<String>) -> Answer {
    let (group, _) = actions::get(&control, &visit.context, id_of(&id)?).await?;
    let now = group.organization_role.map_or_else(String::new, |role| role.to_string());
    let fields = Fields::of(vec![("role".into(), now)]);
    Ok(role_form(&control, &visit, StatusCode::OK, &group, &fields, &Faults::none()).await?)
}

async fn role_form(
    control: &Control,
    visit: &Visit,
    status: StatusCode,
    group: &Group,
    fields: &Fields,
    faults: &Faults,
) -> Result<Response, ControlError> {
    let roles = actions::roles(control, &visit.context).await?;
    let all = roles_of_level(&roles, RoleLevel::Organization);
    let choices: Vec<(String, String)> =
        all.into_iter().map(|(id, name, _)| (id.to_string(), name)).collect();
    let at = format!("/console/groups/{}", group.id);
    let body = html! {
        (Head { title: "Role in the organization", meta: vec![html! { "Group " (group.name) }], ..Head::default() }.draw())
        (faults.summary())
        section.card {
            form.form.body method="post" action={ (at) "/role" } {
                (Field::new("role", "Role").required().hint("Its members have it besides their own").filled(fields, faults).choice(&choices))
                div.acts { button.btn.main { "Save role" } a.btn.plain href=(at) { "Cancel" } }
            }
        }
    };
    Ok(visit.page_with(status, Here::Groups, &[ALL, (&group.name, &at), ("Role", "")], &body))
}

async fn set_role(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let (group, _) = actions::get(&control, &visit.context, id_of(&id)?).await?;
    let set = match fields.id("role", RoleId::parse) {
        Ok(Some(role)) => actions::set_organization_role(&control, &visit.context, group.id, role).await,
        Ok(None) => Err(ControlError::field("role", "name one")),
        Err(error) => Err(error),
    };
    match set {
        Ok(()) => Ok(go(&format!("/console/groups/{}?done=saved", group.id))),
        Err(error) => {
            let faults = Faults::of(error)?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            Ok(role_form(&control, &visit, status, &group, &fields, &faults).await?)
        }
    }
}
