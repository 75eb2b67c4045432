//! Admin keys: for programs that administer Louver. Made with a secret that is shown once, rotated, revoked.

use crate::answer::{Answer, go};
use crate::confirm::Question;
use crate::fields::Fields;
use crate::figures::{date, moment};
use crate::frame::{Here, Visit};
use crate::kit::deed;
use crate::kit::form::{Faults, Field};
use crate::kit::icons::Icon;
use crate::kit::shown_once::shown_once;
use crate::kit::table::{Column, table};
use crate::kit::{Head, Tone, badge, empty, main_link};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use louver_control::Control;
use louver_control::actions::admin_keys as actions;
use louver_control::actions::old_secrets::{self, HowToRotate};
use louver_control::error::ControlError;
use louver_domain::access::Action;
use louver_domain::id::AdminKeyId;
use louver_domain::keys::{AdminHolder, AdminKey, KeyStatus};
use louver_domain::secret::Secret;
use louver_domain::time::Timestamp;
use maud::{Markup, html};
use std::sync::Arc;

const ALL: (&str, &str) = ("Admin keys", "/console/admin-keys");

pub(crate) fn pages() -> Router<Arc<Control>> {
    Router::new()
        .route("/console/admin-keys", get(list))
        .route("/console/admin-keys/new", get(ask).post(create))
        .route("/console/admin-keys/{id}/rotate", get(ask_rotate).post(rotate))
        .route("/console/admin-keys/{id}/revoke", post(revoke))
}

async fn list(State(control): State<Arc<Control>>, visit: Visit) -> Answer {
    let all = actions::read(&control, &visit.context).await?;
    let add = visit
        .may(Action::CreateAdminKey)
        .then(|| main_link("/console/admin-keys/new", Some(Icon::Plus), "Create an admin key"));
    let columns = [
        Column::text("Name"),
        Column::text("Key"),
        Column::text("Rights of"),
        Column::text("Created"),
        Column::text("Expires"),
        Column::text("Status"),
        Column::text("Actions"),
    ];
    let rows: Vec<Vec<Markup>> = all.iter().rev().map(|key| row(&visit, key)).collect();
    let meta = vec![html! { "For programs that administer Louver, by the API or the command line" }];
    let body = html! {
        (Head { title: "Admin keys", meta, acts: add.iter().cloned().collect(), ..Head::default() }.draw())
        section.card {
            @if rows.is_empty() { (empty("No admin keys", "An admin key lets a program change keys, limits and people by the API.", add.as_ref())) }
            @else { (table("Admin keys", &columns, &rows)) }
        }
    };
    Ok(visit.page(Here::AdminKeys, &[ALL], &body))
}

fn row(visit: &Visit, key: &AdminKey) -> Vec<Markup> {
    let now = visit.context.now;
    let way = format!("/console/admin-keys/{}", key.id);
    vec![
        html! { span.clip title=(key.name) { (key.name) } },
        html! { span.mono { "lva_…" (key.last_four) } },
        match key.holder {
            AdminHolder::Organization => html! { "the organization" },
            AdminHolder::User(id) => html! { a href={ "/console/members/" (id) } { "a person" } },
            AdminHolder::ServiceAccount(_) => html! { "a service account" },
        },
        date(key.created_at),
        html! { @match key.expires_at { Some(end) => (date(end)), None => "never" } },
        standing(key, now),
        html! {
            @if key.status != KeyStatus::Revoked {
                div.acts {
                    @if visit.may(Action::RotateAdminKey) && key.is_accepted(now) {
                        a.btn.tiny href={ (way) "/rotate" } { "Rotate" span.sr { " " (key.name) } }
                    }
                    @if visit.may(Action::RevokeAdminKey) {
                        (deed::asking(&revocation(&format!("{way}/revoke"), &format!("Revoke {}?", key.name)), "Revoke", &key.name))
                    }
                }
            }
        },
    ]
}

fn standing(key: &AdminKey, now: Timestamp) -> Markup {
    match key.status {
        KeyStatus::Revoked => badge(Tone::Off, "Revoked"),
        KeyStatus::Disabled => badge(Tone::Off, "Disabled"),
        KeyStatus::Active if key.is_accepted(now) => badge(Tone::Good, "Active"),
        KeyStatus::Active => badge(Tone::Warn, "Expired"),
    }
}

fn revocation<'a>(action: &'a str, title: &'a str) -> Question<'a> {
    let text = "Programs that use it are refused from now on. This cannot be undone.";
    Question { action, title, text, yes: "Revoke it", back: ALL.1 }
}

async fn ask(visit: Visit) -> Answer {
    visit.context.admit(Action::CreateAdminKey)?;
    Ok(new_page(&visit, &Fields::default(), &Faults::none()))
}

fn new_page(visit: &Visit, fields: &Fields, faults: &Faults) -> Response {
    let body = html! {
        (Head { title: "Create an admin key", ..Head::default() }.draw())
        (faults.summary())
        section.card {
            form.form.body method="post" action="/console/admin-keys/new" {
                p { "It carries all rights in the organization. Its secret is shown once." }
                (Field::new("name", "Name").hint("What it is for, such as terraform").required().filled(fields, faults).draw())
                (Field::new("expires_at", "Expires").kind("date").hint("From the beginning of that day in UTC it is refused; empty is never").filled(fields, faults).draw())
                div.acts { button.btn.main { "Create it" } a.btn.plain href=(ALL.1) { "Cancel" } }
            }
        }
    };
    let status = if faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    visit.page_with(status, Here::AdminKeys, &[ALL, ("Create", "")], &body)
}

async fn create(State(control): State<Arc<Control>>, visit: Visit, fields: Fields) -> Answer {
    let wrong = || ControlError::field("expires_at", "is a day such as 2027-01-31");
    let end = fields.given("expires_at").map(|text| Timestamp::parse(&text).ok_or_else(wrong)).transpose();
    let made = match end {
        Ok(end) => actions::create(&control, &visit.context, fields.text("name"), end).await,
        Err(error) => Err(error),
    };
    match made {
        Ok((key, minted)) => {
            Ok(secret_page(&visit, &key.name, "Your new admin key", &minted.secret, &html! {}))
        }
        Err(error) => Ok(new_page(&visit, &fields, &Faults::of(error)?)),
    }
}

fn secret_page(visit: &Visit, name: &str, title: &str, secret: &Secret<String>, more: &Markup) -> Response {
    let text = "This is the only time it is shown. Louver keeps a fingerprint of it, never the key.";
    let body = html! {
        (Head { title: name, ..Head::default() }.draw())
        (shown_once(title, secret.expose(), text))
        (more)
        p { a.btn.main href=(ALL.1) { "I have kept it" } }
    };
    visit.secret_page(Here::AdminKeys, &[ALL, (name, "")], &body)
}

/// The key that the address names, for whoever may see it.
async fn find(control: &Control, visit: &Visit, id: &str) -> Result<AdminKey, ControlError> {
    let id = AdminKeyId::parse(id).ok_or(ControlError::NotFound)?;
    let all = actions::read(control, &visit.context).await?;
    all.into_iter().find(|key| key.id == id).ok_or(ControlError::NotFound)
}

async fn ask_rotate(State(control): State<Arc<Control>>, visit: Visit, Path(id): Path<String>) -> Answer {
    let key = find(&control, &visit, &id).await?;
    visit.context.admit(Action::RotateAdminKey)?;
    Ok(rotate_page(&visit, &key, "24h", &Faults::none()))
}

fn rotate_page(visit: &Visit, key: &AdminKey, overlap: &str, faults: &Faults) -> Response {
    let hint =
        "How long the old secret works beside the new one, such as 24h; 0s ends it at once; at most 30d";
    let body = html! {
        (Head { title: &format!("Rotate {}", key.name), ..Head::default() }.draw())
        (faults.summary())
        section.card {
            form.form.body method="post" action={ "/console/admin-keys/" (key.id) "/rotate" } {
                p { "The key keeps its name and rights and gets a new secret, which is shown once." }
                (Field { value: overlap, fault: faults.at("overlap"), ..Field::new("overlap", "Overlap").required().hint(hint) }.draw())
                div.acts { button.btn.main { "Rotate it" } a.btn.plain href=(ALL.1) { "Cancel" } }
            }
        }
    };
    let status = if faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    visit.page_with(status, Here::AdminKeys, &[ALL, (&key.name, "")], &body)
}

async fn rotate(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let key = find(&control, &visit, &id).await?;
    let how = HowToRotate { overlap: fields.given("overlap") };
    match old_secrets::rotate_admin(&control, &visit.context, key.id, &how).await {
        Ok(rotated) => {
            let until =
                html! { p { "The old secret is refused from " (moment(rotated.old_key_expires_at)) " on." } };
            Ok(secret_page(&visit, &rotated.key.name, "The new secret", &rotated.secret, &until))
        }
        Err(error) => Ok(rotate_page(&visit, &key, fields.text("overlap"), &Faults::of(error)?)),
    }
}

async fn revoke(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let key = find(&control, &visit, &id).await?;
    let (action, title) = (format!("/console/admin-keys/{}/revoke", key.id), format!("Revoke {}?", key.name));
    if let Some(asked) = revocation(&action, &title).unless_answered(&fields) {
        return Ok(asked);
    }
    actions::revoke(&control, &visit.context, key.id).await?;
    Ok(go("/console/admin-keys?done=revoked"))
}
