//! The access check: what would become of a call, by which rules, with which numbers. It spends nothing.

mod verdict;

use crate::answer::Answer;
use crate::fields::{Asked, address};
use crate::frame::{Here, Visit};
use crate::kit::Head;
use crate::kit::form::{Faults, Field};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::StatusCode;
use louver_control::Control;
use louver_control::actions::explain::{self as actions, Call};
use louver_control::actions::{keys, models, users};
use louver_control::error::ControlError;
use louver_domain::access::Action;
use louver_domain::endpoints::{Billing, EndpointKind};
use louver_domain::explanation::Explanation;
use louver_domain::id::{KeyId, UserId};
use louver_domain::keys::ApiKey;
use louver_domain::limits::ServiceTier;
use maud::{Markup, html};
use std::sync::Arc;

pub(crate) const PATH: &str = "/console/access";
/// As many keys are offered where several fit.
const MOST_KEYS: u32 = 10;

pub(crate) fn pages() -> Router<Arc<Control>> {
    Router::new().route(PATH, get(show))
}

/// What came of the question.
enum Answered {
    /// Nothing was asked yet.
    Nothing,
    /// Several keys fit.
    Several(Vec<ApiKey>),
    /// The explanation, with who would call as people read it.
    Explained(Box<Explanation>, String),
}

async fn show(State(control): State<Arc<Control>>, visit: Visit, asked: Asked) -> Answer {
    visit.context.admit(Action::Explain)?;
    let (answered, faults) = match answer(&control, &visit, &asked).await {
        Ok(answered) => (answered, Faults::none()),
        Err(
            ControlError::NotFound
            | ControlError::Unseen
            | ControlError::Forbidden(_)
            | ControlError::Lacking(_),
        ) => (Answered::Nothing, not_there(&asked)?),
        Err(error) => (Answered::Nothing, Faults::of(error)?),
    };
    let names = if visit.may(Action::ReadModels) { model_names(&control, &visit).await? } else { vec![] };
    let status = if faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let body = html! {
        (Head { title: "Access check", meta: vec![html! { "What would become of a call, and by which rules. Nothing is spent" }], ..Head::default() }.draw())
        (faults.summary())
        div.stack {
            @match &answered {
                Answered::Nothing => {}
                Answered::Several(keys) => (several(keys, &asked)),
                Answered::Explained(explanation, caller) => (verdict::draw(&visit, explanation, caller, asked.text("model"))),
            }
            (question(&visit, &asked, &faults, &names))
        }
    };
    Ok(visit.page_with(status, Here::Access, &[("Access check", PATH)], &body))
}

/// Of what was asked for something is not there, or not for the reader to see.
fn not_there(asked: &Asked) -> Result<Faults, ControlError> {
    let (field, sentence) = match (asked.text("key"), asked.text("user")) {
        ("", "") => ("workspace_id", "is none of yours: choose one that you belong to"),
        ("", _) => ("user", "names nobody whom you may ask about, or nobody of that workspace"),
        (_, _) => ("key", "names no key that is there and that you may see"),
    };
    Faults::of(ControlError::field(field, sentence))
}

async fn model_names(control: &Control, visit: &Visit) -> Result<Vec<String>, ControlError> {
    let list = models::read(control, &visit.context).await?;
    let served = list.models.into_iter().filter(|entry| entry.model.is_called());
    Ok(served.flat_map(|entry| std::iter::once(entry.model.id).chain(entry.model.aliases)).collect())
}

async fn answer(control: &Control, visit: &Visit, asked: &Asked) -> Result<Answered, ControlError> {
    if asked.text("model").is_empty() {
        let began = ["key", "user", "go"].iter().any(|name| !asked.text(name).is_empty());
        let missing = || ControlError::field("model", "is needed: name a model");
        return if began { Err(missing()) } else { Ok(Answered::Nothing) };
    }
    let mut call = call(asked)?;
    let caller = if asked.text("key").is_empty() {
        let (id, name) = person(control, visit, asked.text("user")).await?;
        call.user = Some(id.to_string());
        call.workspace_id = asked.given("workspace_id");
        name
    } else {
        let mut found = find_keys(control, visit, asked.text("key")).await?;
        if found.len() > 1 {
            return Ok(Answered::Several(found));
        }
        let key = found.pop().ok_or(ControlError::NotFound)?;
        call.key_id = Some(key.id.to_string());
        key.name
    };
    let explanation = actions::of_call(control, &visit.context, &call).await?;
    Ok(Answered::Explained(Box::new(explanation), caller))
}

fn call(asked: &Asked) -> Result<Call, ControlError> {
    let endpoint = match asked.text("endpoint") {
        "" => None,
        text => Some(
            EndpointKind::parse(text).ok_or_else(|| ControlError::field("endpoint", "names no endpoint"))?,
        ),
    };
    let from = || ControlError::field("address", "is an address such as 203.0.113.7");
    Ok(Call {
        model: asked.text("model").to_owned(),
        endpoint,
        max_tokens: asked.number("max_tokens")?,
        input_tokens: asked.number("input_tokens")?,
        pages: asked.number("pages")?,
        audio_seconds: asked.number("audio_seconds")?,
        characters: asked.number("characters")?,
        tools: asked.list("tools"),
        service_tier: asked.ticked("priority").then_some(ServiceTier::Priority),
        address: asked.given("address").map(|text| text.parse().map_err(|_| from())).transpose()?,
        ..Call::default()
    })
}

/// Keys by id, by name, or by the end of the secret.
async fn find_keys(control: &Control, visit: &Visit, text: &str) -> Result<Vec<ApiKey>, ControlError> {
    if let Some(id) = KeyId::parse(text) {
        return Ok(vec![keys::get(control, &visit.context, id).await?]);
    }
    let filter = keys::Filter { search: Some(text.to_owned()), ..keys::Filter::default() };
    keys::list(control, &visit.context, filter, MOST_KEYS).await
}

/// A person by mail address or id; nobody named is the reader.
async fn person(control: &Control, visit: &Visit, text: &str) -> Result<(UserId, String), ControlError> {
    let own = visit.context.actor.user_id();
    if let Some(id) = own.filter(|_| text.is_empty() || text == visit.context.actor.name()) {
        return Ok((id, visit.context.actor.name().to_owned()));
    }
    if let Some(id) = UserId::parse(text) {
        let named = users::get(control, &visit.context, id).await.map(|user| user.email);
        return Ok((id, named.unwrap_or_else(|_| text.to_owned())));
    }
    let found = users::by_email(control, &visit.context, text).await.map_err(|error| match error {
        ControlError::Invalid(fault) => ControlError::field("user", fault.message),
        other => other,
    })?;
    found.map(|user| (user.id, user.email)).ok_or(ControlError::NotFound)
}

fn several(keys: &[ApiKey], asked: &Asked) -> Markup {
    let names = [
        "model",
        "endpoint",
        "input_tokens",
        "max_tokens",
        "pages",
        "audio_seconds",
        "characters",
        "address",
        "priority",
    ];
    let href = |key: &ApiKey| {
        let id = key.id.to_string();
        let mut pairs: Vec<(&str, &str)> = names.iter().map(|name| (*name, asked.text(name))).collect();
        pairs.push(("key", &id));
        address(PATH, &pairs)
    };
    html! {
        section.card {
            header { h2 #several { "Several keys fit" } }
            div.body {
                p { "Which one is meant?" }
                ul { @for key in keys { li { a href=(href(key)) { (key.name) } " " span.mono.quiet { (key.hidden()) } } } }
            }
        }
    }
}

fn question(visit: &Visit, asked: &Asked, faults: &Faults, names: &[String]) -> Markup {
    let number = |name, label, unit| Field::new(name, label).unit(unit).filled(asked, faults).draw();
    let model =
        Field { proposals: names, ..Field::new("model", "Model").required().hint("An id or an alias") };
    html! {
        section.card {
            header { h2 #question { "The call" } }
            form.form.body method="get" action=(PATH) {
                input type="hidden" name="go" value="1";
                div.pair {
                    (Field::new("key", "Key").hint("Its id, its name, or the end of its secret").filled(asked, faults).draw())
                    (Field::new("user", "Or a person with a fresh key").hint("Mail address or id; empty is you").filled(asked, faults).draw())
                    (Field::new("workspace_id", "In the workspace").filled(asked, faults).choice(&workspaces(visit)))
                }
                div.pair {
                    (model.filled(asked, faults).draw())
                    (Field::new("endpoint", "Endpoint").filled(asked, faults).choice(&endpoints()))
                }
                div.pair {
                    (number("input_tokens", "Input", "tokens"))
                    (number("max_tokens", "Output at most", "tokens"))
                    (Field::new("address", "Called from").hint("An IP address").filled(asked, faults).draw())
                }
                details.fold #more {
                    summary { "Documents, audio, tools and tier" }
                    div.pair {
                        (number("pages", "Pages", "pages"))
                        (number("audio_seconds", "Audio", "seconds"))
                        (number("characters", "Text to be spoken", "characters"))
                        (Field::new("tools", "Tool of the provider").hint("Such as web_search").filled(asked, faults).draw())
                    }
                    (crate::kit::form::tick("checkbox", "priority", "1", asked.ticked("priority"), "In the priority tier", None))
                }
                div.acts { button.btn.main { "Check" } }
            }
        }
    }
}

fn workspaces(visit: &Visit) -> Vec<(String, String)> {
    let open = visit.around.workspaces.iter().filter(|one| one.archived_at.is_none());
    let all = open.map(|one| (one.id.to_string(), one.name.clone()));
    std::iter::once((String::new(), "The default one, or the key's own".to_owned())).chain(all).collect()
}

fn endpoints() -> Vec<(String, String)> {
    let calls = EndpointKind::ALL
        .into_iter()
        .filter(|kind| !matches!(kind.billing(), Billing::Free | Billing::Documents));
    let all = calls.map(|kind| (kind.as_str().to_owned(), kind.as_str().to_owned()));
    std::iter::once((String::new(), "chat.completions, the usual one".to_owned()))
        .chain(all.filter(|(name, _)| name != "chat.completions"))
        .collect()
}
