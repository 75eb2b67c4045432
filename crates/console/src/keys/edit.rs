//! A key is changed: what differs from how it is, and nothing else.

use super::form::{self, Form};
use super::{KEYS, find, place};
use crate::answer::{Answer, go};
use crate::fields::Fields;
use crate::frame::{Here, Visit};
use crate::kit::Head;
use crate::kit::form::{Faults, section};
use axum::extract::{Path, State};
use http::StatusCode;
use louver_control::Control;
use louver_control::actions::keys::{self, Change, KeyPatch};
use louver_control::actions::model_roles;
use louver_control::error::ControlError;
use louver_domain::keys::ApiKey;
use maud::html;
use std::sync::Arc;

pub(super) async fn ask(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(key): Path<String>,
) -> Answer {
    let key = find(&control, &visit, &key).await?;
    let fields = form::of_key(&key);
    page(&control, &visit, StatusCode::OK, &key, Form { fields: &fields, faults: &Faults::none() }).await
}

pub(super) async fn change(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(key): Path<String>,
    fields: Fields,
) -> Answer {
    let key = find(&control, &visit, &key).await?;
    let patch = match keys::change_of(&visit.context, &key) {
        Change::Name => Ok(named(&key, &fields)),
        Change::Whole | Change::Nothing => patch(&key, &fields),
    };
    let done = match patch {
        Ok(patch) => keys::update(&control, &visit.context, key.id, patch).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(key) => Ok(go(&format!("{}?done=saved", place(&key)))),
        Err(error) => {
            let faults = Faults::of(error)?;
            let form = Form { fields: &fields, faults: &faults };
            page(&control, &visit, StatusCode::UNPROCESSABLE_ENTITY, &key, form).await
        }
    }
}

fn named(key: &ApiKey, fields: &Fields) -> KeyPatch {
    KeyPatch {
        name: Some(fields.text("name").to_owned()).filter(|name| *name != key.name),
        description: changed(&key.description, fields.given("description")),
        ..KeyPatch::default()
    }
}

fn patch(key: &ApiKey, fields: &Fields) -> Result<KeyPatch, ControlError> {
    let limits = &key.limits;
    // A day says less than a moment: one that still stands there is no change.
    let same_day = fields.text("expires_at") == key.expires_at.map(form::day).unwrap_or_default();
    let end = form::end_of_day(fields, "expires_at")?;
    Ok(KeyPatch {
        allowed_models: changed_list(&limits.allowed_models, form::chosen_models(fields)),
        rate_limit_rpm: changed(&limits.requests_per_minute, fields.number("rate_limit_rpm")?),
        tokens_per_minute: changed(&limits.tokens_per_minute, fields.number("tokens_per_minute")?),
        monthly_budget_usd: changed(&limits.monthly_budget_usd, fields.dollars("monthly_budget_usd")?),
        role: changed(&key.role, fields.given("role")),
        expires_at: if same_day { None } else { Some(end) },
        allowed_endpoints: changed_list(&limits.allowed_endpoints, form::chosen_endpoints(fields)?),
        allowed_cidrs: changed_list(&key.allowed_cidrs, form::blocks(fields)?),
        ..named(key, fields)
    })
}

/// What a field of a change holds: nothing where it says what is there already.
fn changed<T: PartialEq + Clone>(before: &Option<T>, after: Option<T>) -> Option<Option<T>> {
    if *before == after { None } else { Some(after) }
}

/// The same of a list. One that allows nothing looks in the form like none at all, and is never widened by that.
fn changed_list<T: PartialEq + Clone>(
    before: &Option<Vec<T>>,
    after: Option<Vec<T>>,
) -> Option<Option<Vec<T>>> {
    if before.as_ref().is_some_and(Vec::is_empty) && after.is_none() {
        return None;
    }
    changed(before, after)
}

async fn page(control: &Control, visit: &Visit, status: StatusCode, key: &ApiKey, form: Form<'_>) -> Answer {
    let change = keys::change_of(&visit.context, key);
    if change == Change::Nothing {
        return Err(ControlError::NotFound.into());
    }
    let whole = change == Change::Whole;
    let present = form.fields.list("allowed_models");
    let models = if whole { form::models(control, visit, &present).await? } else { Vec::new() };
    let roles = if whole { model_roles::list(control, &visit.context).await? } else { Vec::new() };
    let roles: Vec<String> = roles.into_iter().map(|role| role.name).collect();
    let here = place(key);
    let body = html! {
        (Head { title: "Change the key", ..Head::default() }.draw())
        form.form method="post" action={ (here) "/edit" } {
            (form.faults.summary())
            div.sections {
                (section("What it is", "Programs notice nothing of a new name.", &html! {
                    (form.words())
                    @if !whole { p.hint { "Of a key of your own you may change these; an admin of its workspace sets the rest." } }
                }))
                @if whole {
                    (form.reach(&models))
                    (form.limits("At the end of that day in UTC; policy may make it earlier. Empty is never, or the longest that policy allows."))
                    (section("More", "A role of its own is not needed where its owner has one.", &form.role(&roles)))
                }
            }
            div.submit {
                button.btn.main { "Save" }
                a.btn.plain href=(here) { "Cancel" }
            }
        }
    };
    Ok(visit.page_with(status, Here::Keys, &[KEYS, (&key.name, &here), ("Change", "")], &body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_is_no_change() {
        assert_eq!(changed(&Some(5), Some(5)), None);
        assert_eq!(changed(&Some(5), None), Some(None));
        assert_eq!(changed(&None, Some(5)), Some(Some(5)));
        assert_eq!(changed_list::<u8>(&Some(vec![]), None), None, "what allows nothing is not opened");
        assert_eq!(changed_list(&Some(vec![1]), None), Some(None));
    }
}
