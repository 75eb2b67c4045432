//! What a workspace is called, and its end.

use super::{ALL, framed, id_of};
use crate::answer::{Answer, go};
use crate::confirm::Question;
use crate::fields::Fields;
use crate::frame::Visit;
use crate::kit::Card;
use crate::kit::form::{Faults, Field};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use louver_control::Control;
use louver_control::actions::workspaces::{self as actions, WorkspacePatch};
use louver_control::error::ControlError;
use louver_domain::access::Action;
use louver_domain::workspaces::Workspace;
use maud::html;
use std::sync::Arc;

const LOSS: &str = "Its keys are refused from then on, and it cannot be brought back.";

pub(super) fn pages() -> Router<Arc<Control>> {
    Router::new()
        .route("/console/workspaces/{workspace}/settings", get(ask).post(change))
        .route("/console/workspaces/{workspace}/archive", post(archive))
}

async fn ask(State(control): State<Arc<Control>>, visit: Visit, Path(id): Path<String>) -> Answer {
    let workspace = actions::get(&control, &visit.context, id_of(&id)?).await?;
    if !visit.may_in(workspace.id, Action::UpdateWorkspace) {
        return Err(ControlError::Lacking(Action::UpdateWorkspace).into());
    }
    let fields = Fields::of(vec![
        ("name".into(), workspace.name.clone()),
        ("icon".into(), workspace.icon.clone().unwrap_or_default()),
        ("description".into(), workspace.description.clone().unwrap_or_default()),
    ]);
    Ok(form(&visit, StatusCode::OK, &workspace, &fields, &Faults::none()))
}

fn form(
    visit: &Visit,
    status: StatusCode,
    workspace: &Workspace,
    fields: &Fields,
    faults: &Faults,
) -> Response {
    let field = |name, label| Field::new(name, label).filled(fields, faults);
    let at = format!("/console/workspaces/{}", workspace.id);
    let names = html! {
        form.form method="post" action={ (at) "/settings" } {
            (field("name", "Name").required().draw())
            (field("icon", "Icon").hint("One emoji, or one or two characters").draw())
            (field("description", "Description").lines(3))
            div.acts { button.btn.main { "Save" } a.btn.plain href=(at) { "Cancel" } }
        }
    };
    let title = format!("Archive {}?", workspace.name);
    let end = html! {
        p { (LOSS) }
        form method="post" action={ (at) "/archive" } data-confirm=(LOSS) data-confirm-title=(title) data-confirm-yes="Archive" {
            button.btn.danger { "Archive workspace" }
        }
    };
    let may_end =
        visit.may(Action::ArchiveWorkspace) && !workspace.is_default && workspace.archived_at.is_none();
    let body = html! {
        div.stack {
            (faults.summary())
            @if workspace.archived_at.is_none() { (Card { id: "names", title: "Name and icon", body: Some(names), ..Card::default() }.draw()) }
            @if may_end { (Card { id: "end", title: "Archive", body: Some(html! { div.stack.tight { (end) } }), ..Card::default() }.draw()) }
        }
    };
    framed(visit, status, workspace, "Settings", &body)
}

async fn change(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let workspace = actions::get(&control, &visit.context, id_of(&id)?).await?;
    let text = |name: &str| Some(fields.text(name).to_owned());
    let patch = WorkspacePatch { name: text("name"), icon: text("icon"), description: text("description") };
    match actions::update(&control, &visit.context, workspace.id, patch).await {
        Ok(_) => Ok(go(&format!("/console/workspaces/{}/settings?done=saved", workspace.id))),
        Err(error) => {
            let faults = Faults::of(error)?;
            Ok(form(&visit, StatusCode::UNPROCESSABLE_ENTITY, &workspace, &fields, &faults))
        }
    }
}

async fn archive(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let workspace = actions::get(&control, &visit.context, id_of(&id)?).await?;
    let at = format!("/console/workspaces/{}", workspace.id);
    let question = Question {
        action: &format!("{at}/archive"),
        title: &format!("Archive {}?", workspace.name),
        text: LOSS,
        yes: "Archive",
        back: &format!("{at}/settings"),
    };
    if let Some(page) = question.unless_answered(&fields) {
        return Ok(page);
    }
    actions::archive(&control, &visit.context, workspace.id).await?;
    Ok(go(&format!("{}?done=archived", ALL.1)))
}
