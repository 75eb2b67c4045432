//! A key is made: the form, and the page that shows its secret.

use super::form::{self, Form, day};
use super::{KEYS, secret};
use crate::answer::Answer;
use crate::fields::{Asked, Fields, ONCE};
use crate::frame::{Here, Visit};
use crate::kit::form::{Faults, section, tick};
use crate::kit::{Head, empty};
use axum::extract::State;
use http::StatusCode;
use louver_control::Control;
use louver_control::actions::keys::{self, Makeable, NewKey};
use louver_control::actions::{model_roles, service_accounts};
use louver_control::error::ControlError;
use louver_domain::access::Action;
use louver_domain::id::{RequestId, ServiceAccountId, UserId, WorkspaceId};
use maud::{Markup, html};
use std::sync::Arc;

const USUAL_LIFE_DAYS: i64 = 90;
const DAY: i64 = 86_400;

pub(super) async fn ask(State(control): State<Arc<Control>>, visit: Visit, asked: Asked) -> Answer {
    let expires = day(visit.context.now.plus_seconds(USUAL_LIFE_DAYS.saturating_mul(DAY)));
    let one = |name: &str, value: String| (name.to_owned(), value);
    let begun = Fields::of(vec![
        one("workspace_id", asked.text("workspace").to_owned()),
        one("expires_at", expires),
        one("owner", "none".to_owned()),
        one(ONCE, fresh_name(&control, &visit)),
    ]);
    page(&control, &visit, StatusCode::OK, Form { fields: &begun, faults: &Faults::none() }).await
}

/// What a form is known by, however often it is sent.
pub(super) fn fresh_name(control: &Control, visit: &Visit) -> String {
    RequestId::new(visit.context.now, &*control.entropy).to_string()
}

pub(super) async fn make(State(control): State<Arc<Control>>, visit: Visit, fields: Fields) -> Answer {
    let made = match read(&control, &visit, &fields).await {
        Ok(new) => keys::create(&control, &visit.context, new).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(made) => Ok(secret::page(&control, &visit, &made.key, &made.secret, None)),
        Err(error) => {
            let faults = Faults::of(error)?;
            let form = Form { fields: &fields, faults: &faults };
            page(&control, &visit, StatusCode::UNPROCESSABLE_ENTITY, form).await
        }
    }
}

async fn read(control: &Control, visit: &Visit, fields: &Fields) -> Result<NewKey, ControlError> {
    let workspace_id = fields.id("workspace_id", WorkspaceId::parse)?;
    let (owner_user_id, service_account_id) = read_owner(control, visit, fields, workspace_id).await?;
    Ok(NewKey {
        name: fields.text("name").to_owned(),
        description: fields.given("description"),
        workspace_id,
        allowed_models: form::chosen_models(fields),
        rate_limit_rpm: fields.number("rate_limit_rpm")?,
        tokens_per_minute: fields.number("tokens_per_minute")?,
        monthly_budget_usd: fields.dollars("monthly_budget_usd")?,
        role: fields.given("role"),
        expires_at: form::end_of_day(fields, "expires_at")?,
        allowed_endpoints: form::chosen_endpoints(fields)?,
        allowed_tools: None,
        allowed_cidrs: form::blocks(fields)?,
        canary: false,
        owner_user_id,
        service_account_id,
    })
}

async fn read_owner(
    control: &Control,
    visit: &Visit,
    fields: &Fields,
    workspace: Option<WorkspaceId>,
) -> Result<(Option<UserId>, Option<ServiceAccountId>), ControlError> {
    match fields.text("owner") {
        "person" => {
            let sentence = "name the workspace that the person belongs to";
            let workspace = workspace.ok_or_else(|| ControlError::field("workspace_id", sentence))?;
            let email = fields.text("owner_user_id");
            let user = keys::owner_by_email(control, &visit.context, workspace, email).await?;
            Ok((Some(user), None))
        }
        "account" => {
            let account = fields.id("service_account_id", ServiceAccountId::parse)?;
            let none = || ControlError::field("service_account_id", "choose a service account");
            Ok((None, Some(account.ok_or_else(none)?)))
        }
        _ => Ok((None, None)),
    }
}

async fn page(control: &Control, visit: &Visit, status: StatusCode, form: Form<'_>) -> Answer {
    let places = keys::makeable(control, &visit.context).await?;
    let way = [KEYS, ("Create key", "")];
    if places.is_empty() {
        let text = "In your workspaces only admins make keys. Ask one of them for a key, or to let members make their own.";
        let body = html! {
            (Head { title: "Create key", ..Head::default() }.draw())
            section.card { (empty("You cannot make keys yet", text, None)) }
        };
        return Ok(visit.page_with(status, Here::Keys, &way, &body));
    }
    let models = form::models(control, visit, &form.fields.list("allowed_models")).await?;
    let for_others = places.iter().any(|place| place.for_others);
    let owner = if for_others { Some(owner_section(control, visit, form).await?) } else { None };
    let body = html! {
        (Head { title: "Create key", ..Head::default() }.draw())
        form.form method="post" action="/console/keys/new" {
            (form.faults.summary())
            input type="hidden" name=(ONCE) value=(form.fields.text(ONCE));
            div.sections {
                (section("What it is", "One key for each program, so that each can be ended by itself.", &html! {
                    (form.words())
                    (form.field("workspace_id", "Workspace").required().choice(&choices(&places)))
                    @if !for_others { p.hint { "The key is yours: what is spent with it counts for you." } }
                }))
                (form.reach(&models))
                (form.limits(&life_in_words(&places)))
                @if let Some(owner) = owner { (owner) }
            }
            div.submit {
                button.btn.main { "Create key" }
                a.btn.plain href=(KEYS.1) { "Cancel" }
            }
        }
    };
    Ok(visit.page_with(status, Here::Keys, &way, &body))
}

fn choices(places: &[Makeable]) -> Vec<(String, String)> {
    places.iter().map(|place| (place.workspace.id.to_string(), place.workspace.name.clone())).collect()
}

/// What policy makes of the end that somebody chooses, in words.
fn life_in_words(places: &[Makeable]) -> String {
    let bounds: Vec<(&str, u32)> = places
        .iter()
        .filter_map(|place| Some((place.workspace.name.as_str(), place.longest_days?)))
        .collect();
    let end = "At the end of that day in UTC; empty is never.";
    match bounds.as_slice() {
        [] => end.to_owned(),
        [(_, days), rest @ ..]
            if bounds.len() == places.len() && rest.iter().all(|(_, other)| other == days) =>
        {
            format!(
                "At the end of that day in UTC. Keys live at most {days} days: a later day, or none, becomes that."
            )
        }
        several => {
            let each: Vec<String> =
                several.iter().map(|(name, days)| format!("{days} days in {name}")).collect();
            format!("{end} Keys live at most {}: a later day, or none, becomes that.", each.join(", "))
        }
    }
}

async fn owner_section(control: &Control, visit: &Visit, form: Form<'_>) -> Result<Markup, ControlError> {
    let accounts = match visit.may(Action::ReadServiceAccounts) {
        true => service_accounts::list(control, &visit.context).await?,
        false => Vec::new(),
    };
    let roles = model_roles::list(control, &visit.context).await?;
    let roles: Vec<String> = roles.into_iter().map(|role| role.name).collect();
    let workspace =
        |id| visit.around.workspaces.iter().find(|one| one.id == id).map_or("", |one| one.name.as_str());
    let none = (String::new(), "Choose a service account".to_owned());
    let named = accounts
        .iter()
        .map(|one| (one.id.to_string(), format!("{} ({})", one.name, workspace(one.workspace_id))));
    let accounts: Vec<(String, String)> = std::iter::once(none).chain(named).collect();
    let owner = form.fields.text("owner");
    let fields = html! {
        fieldset {
            legend { "Owner" }
            div.choice {
                (tick("radio", "owner", "none", !matches!(owner, "person" | "account"), "The workspace", Some("Nobody in particular")))
                (tick("radio", "owner", "person", owner == "person", "A person", Some("Their limits count too")))
                (tick("radio", "owner", "account", owner == "account", "A service account", Some("A program")))
            }
        }
        div.pair {
            (form.field("owner_user_id", "Mail address of the person").kind("email").autocomplete("off").draw())
            (form.field("service_account_id", "Service account").choice(&accounts))
        }
        (form.role(&roles))
    };
    Ok(section(
        "Whose it is",
        "What is spent counts for the owner, and the key ends when they leave.",
        &fields,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_without_an_owner_is_the_workspaces() {
        let fields = Fields::of(vec![("owner".to_owned(), "none".to_owned())]);
        assert_eq!(fields.text("owner"), "none");
        assert!(life_in_words(&[]).ends_with("empty is never."));
    }
}
