//! Model roles: which models people may call, and how much of them.

use super::{ALL, MODEL_ROLES, head};
use crate::answer::{Answer, go};
use crate::confirm::Question;
use crate::fields::Fields;
use crate::figures::number;
use crate::frame::{Here, Visit};
use crate::kit::form::{Faults, Field, section};
use crate::kit::icons::Icon;
use crate::kit::table::{Column, table};
use crate::kit::{Card, Head, Tone, badge, chips, main_link};
use crate::limits_form::{endpoints_of, model_names, only, picker, scope, words};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use louver_control::Control;
use louver_control::actions::model_roles::{self as actions, ModelRolePatch, NewModelRole};
use louver_control::error::ControlError;
use louver_domain::access::Action;
use louver_domain::endpoints::EndpointKind;
use louver_domain::limits::TOOLS;
use louver_domain::model_roles::ModelRole;
use maud::{Markup, html};
use std::sync::Arc;

const NEW: &str = "/console/roles/models/new";
const HERE: (&str, &str) = ("Model roles", MODEL_ROLES);
const LOSS: &str = "It cannot be brought back. A model role that somebody has is not deleted.";

pub(super) fn pages() -> Router<Arc<Control>> {
    Router::new()
        .route(MODEL_ROLES, get(list))
        .route(NEW, get(ask_new).post(create))
        .route("/console/roles/models/of/{name}", get(ask).post(change))
        .route("/console/roles/models/of/{name}/restore", post(restore))
        .route("/console/roles/models/of/{name}/delete", post(delete))
}

fn must(visit: &Visit, action: Action) -> Result<(), ControlError> {
    visit.may(action).then_some(()).ok_or(ControlError::Lacking(action))
}

async fn list(State(control): State<Arc<Control>>, visit: Visit) -> Answer {
    must(&visit, Action::ReadModelRoles)?;
    let all = actions::list(&control, &visit.context).await?;
    let may = visit.may(Action::UpdateModelRole);
    let tokens = |count: Option<u64>| match count {
        Some(count) => html! { (number(count)) },
        None => html! { span.quiet { "no limit" } },
    };
    let row = |role: &ModelRole| -> Vec<Markup> {
        vec![
            html! {
                @if may { a.title href={ "/console/roles/models/of/" (role.name) } title=(role.name) { (role.name) } }
                @else { span.title { (role.name) } }
            },
            chips(&role.allowed_models),
            tokens(role.max_tokens_per_request),
            tokens(role.daily_token_budget),
            html! { @if role.builtin { (badge(Tone::Plain, "Built in")) } @else { (badge(Tone::Info, "Your own")) } },
        ]
    };
    let rows: Vec<Vec<Markup>> = all.iter().map(row).collect();
    let columns = [
        Column::text("Model role"),
        Column::text("Allowed models"),
        Column::number("Tokens a call"),
        Column::number("Tokens a day"),
        Column::text("Kind"),
    ];
    let new =
        visit.may(Action::CreateModelRole).then(|| main_link(NEW, Some(Icon::Plus), "Create model role"));
    let sub = html! { "Given to members of workspaces, service accounts and keys" };
    let body = html! {
        (head(&visit, "Model roles", new))
        (Card { id: "model-roles", title: "All model roles", sub: Some(sub), flush: Some(table("Model roles", &columns, &rows)), ..Card::default() }.draw())
    };
    Ok(visit.page(Here::Roles, &[ALL, ("Model roles", "")], &body))
}

async fn ask_new(State(control): State<Arc<Control>>, visit: Visit) -> Answer {
    must(&visit, Action::CreateModelRole)?;
    let fields = Fields::default();
    Ok(form(&control, &visit, StatusCode::OK, None, &fields, &Faults::none()).await?)
}

async fn find(control: &Control, visit: &Visit, name: &str) -> Result<ModelRole, ControlError> {
    must(visit, Action::ReadModelRoles)?;
    actions::get(control, &visit.context, name).await
}

async fn ask(State(control): State<Arc<Control>>, visit: Visit, Path(name): Path<String>) -> Answer {
    let role = find(&control, &visit, &name).await?;
    let fields = filled(&role, &model_names(&control).await?);
    Ok(form(&control, &visit, StatusCode::OK, Some(&role), &fields, &Faults::none()).await?)
}

fn filled(role: &ModelRole, models: &[String]) -> Fields {
    let mut pairs: Vec<(String, String)> = vec![("name".into(), role.name.clone())];
    let mut put = |name: &str, value: String| pairs.push((name.to_owned(), value));
    let (known, more): (Vec<&String>, Vec<&String>) =
        role.allowed_models.iter().partition(|entry| models.contains(entry));
    known.into_iter().for_each(|entry| put("allowed_models", entry.clone()));
    put("more_models", more.into_iter().cloned().collect::<Vec<_>>().join(", "));
    let scope = |some: bool| String::from(if some { "only" } else { "all" });
    put("allowed_endpoints_scope", scope(role.allowed_endpoints.is_some()));
    role.allowed_endpoints.iter().flatten().for_each(|kind| put("allowed_endpoints", kind.as_str().into()));
    put("allowed_tools_scope", scope(role.allowed_tools.is_some()));
    role.allowed_tools.iter().flatten().for_each(|tool| put("allowed_tools", tool.clone()));
    let text = |count: Option<u64>| count.map_or_else(String::new, |n| n.to_string());
    put("max_tokens_per_request", text(role.max_tokens_per_request));
    put("daily_token_budget", text(role.daily_token_budget));
    Fields::of(pairs)
}

async fn form(
    control: &Control,
    visit: &Visit,
    status: StatusCode,
    role: Option<&ModelRole>,
    fields: &Fields,
    faults: &Faults,
) -> Result<Response, ControlError> {
    let models = model_names(control).await?;
    let kinds: Vec<String> = EndpointKind::ALL.iter().map(|kind| kind.as_str().to_owned()).collect();
    let tools: Vec<String> = TOOLS.iter().map(|tool| (*tool).to_owned()).collect();
    let title = role.map_or("Create model role", |role| role.name.as_str());
    let action =
        role.map_or_else(|| NEW.to_owned(), |role| format!("/console/roles/models/of/{}", role.name));
    let field = |name, label| Field::new(name, label).filled(fields, faults);
    let allowed = html! {
        @if role.is_none() { (field("name", "Name").required().hint("Small letters, digits, - and _").draw()) }
        fieldset id="allowed_models" { legend { "Allowed models" } (picker("Models", "allowed_models", &models, &fields.list("allowed_models"))) }
        (field("more_models", "Families and patterns").hint("Such as codestral-*, parted by commas; * is every model").draw())
    };
    let tokens = html! {
        div.pair {
            (field("max_tokens_per_request", "Tokens a call").hint("Input and allowed output together").unit("tokens").draw())
            (field("daily_token_budget", "Tokens a day").hint("For each person who has it").unit("tokens").draw())
        }
    };
    let more = html! {
        (scope(fields, faults, "allowed_endpoints", "Endpoints", "All"))
        (picker("Endpoints", "allowed_endpoints", &kinds, &fields.list("allowed_endpoints")))
        (scope(fields, faults, "allowed_tools", "Tools that the provider runs", "What stands above"))
        (picker("Tools", "allowed_tools", &tools, &fields.list("allowed_tools")))
    };
    let body = html! {
        (Head { title, ..Head::default() }.draw())
        (faults.summary())
        form.form method="post" action=(action) {
            div.sections {
                (section("Models", "Which models whoever has it may call.", &allowed))
                (section("Tokens", "Empty means no limit of the model role.", &tokens))
                (section("Permissions", "What calls may use besides models.", &more))
            }
            div.acts { button.btn.main { "Save model role" } a.btn.plain href=(MODEL_ROLES) { "Cancel" } }
        }
        @if let Some(role) = role { (end(visit, role, &action)) }
    };
    Ok(visit.page_with(status, Here::Roles, &[ALL, HERE, (title, "")], &body))
}

fn end(visit: &Visit, role: &ModelRole, action: &str) -> Markup {
    let body = html! {
        @if role.builtin {
            p { "Sets it back to what Louver brought along." }
            form method="post" action={ (action) "/restore" } { button.btn { "Restore" } }
        } @else {
            p { (LOSS) }
            form method="post" action={ (action) "/delete" } data-confirm=(LOSS) data-confirm-title={ "Delete " (role.name) "?" } data-confirm-yes="Delete" {
                button.btn.danger { "Delete model role" }
            }
        }
    };
    let may = visit.may(if role.builtin { Action::UpdateModelRole } else { Action::DeleteModelRole });
    let title = if role.builtin { "Restore" } else { "Delete" };
    html! { @if may { (Card { id: "end", title, body: Some(html! { div.stack.tight { (body) } }), ..Card::default() }.draw()) } }
}

fn models_of(fields: &Fields) -> Vec<String> {
    let mut entries = fields.list("allowed_models");
    entries.extend(words(fields.text("more_models")));
    entries
}

async fn create(State(control): State<Arc<Control>>, visit: Visit, fields: Fields) -> Answer {
    let made = match read(&fields) {
        Ok(new) => actions::create(&control, &visit.context, new).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(_) => Ok(go("/console/roles/models?done=created")),
        Err(error) => {
            let faults = Faults::of(error)?;
            Ok(form(&control, &visit, StatusCode::UNPROCESSABLE_ENTITY, None, &fields, &faults).await?)
        }
    }
}

fn read(fields: &Fields) -> Result<NewModelRole, ControlError> {
    Ok(NewModelRole {
        name: fields.text("name").to_owned(),
        allowed_models: models_of(fields),
        allowed_endpoints: endpoints_of(fields)?,
        allowed_tools: only(fields, "allowed_tools"),
        allowed_service_tiers: None,
        max_signed_url_hours: None,
        max_tokens_per_request: fields.number("max_tokens_per_request")?,
        daily_token_budget: fields.number("daily_token_budget")?,
    })
}

fn patch(fields: &Fields) -> Result<ModelRolePatch, ControlError> {
    Ok(ModelRolePatch {
        allowed_models: Some(models_of(fields)),
        allowed_endpoints: Some(endpoints_of(fields)?),
        allowed_tools: Some(only(fields, "allowed_tools")),
        max_tokens_per_request: Some(fields.number("max_tokens_per_request")?),
        daily_token_budget: Some(fields.number("daily_token_budget")?),
        ..ModelRolePatch::default()
    })
}

async fn change(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(name): Path<String>,
    fields: Fields,
) -> Answer {
    let role = find(&control, &visit, &name).await?;
    let changed = match patch(&fields) {
        Ok(patch) => actions::update(&control, &visit.context, &role.name, patch).await,
        Err(error) => Err(error),
    };
    match changed {
        Ok(_) => Ok(go("/console/roles/models?done=saved")),
        Err(error) => {
            let faults = Faults::of(error)?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            Ok(form(&control, &visit, status, Some(&role), &fields, &faults).await?)
        }
    }
}

async fn restore(State(control): State<Arc<Control>>, visit: Visit, Path(name): Path<String>) -> Answer {
    actions::restore(&control, &visit.context, &name).await?;
    Ok(go("/console/roles/models?done=saved"))
}

async fn delete(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(name): Path<String>,
    fields: Fields,
) -> Answer {
    let role = find(&control, &visit, &name).await?;
    let question = Question {
        action: &format!("/console/roles/models/of/{}/delete", role.name),
        title: &format!("Delete {}?", role.name),
        text: LOSS,
        yes: "Delete",
        back: MODEL_ROLES,
    };
    if let Some(page) = question.unless_answered(&fields) {
        return Ok(page);
    }
    actions::delete(&control, &visit.context, &role.name).await?;
    Ok(go("/console/roles/models?done=removed"))
}
