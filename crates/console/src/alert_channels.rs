//! Alert channels: where alerts are sent. Addresses and secrets go in; a secret that Louver made is shown once.

use crate::alerts::parts;
use crate::answer::{Answer, go};
use crate::budgets::must;
use crate::confirm::Question;
use crate::fields::Fields;
use crate::figures::date;
use crate::frame::{Here, Visit};
use crate::kit::form::{Faults, Field, tick};
use crate::kit::icons::Icon;
use crate::kit::table::{Column, table};
use crate::kit::{Card, Head, Tone, badge, chips, empty, lines, main_link, note};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use louver_control::Control;
use louver_control::actions::alert_channels::{self as channels, AlertChannel, ChannelPatch, NewChannel};
use louver_control::error::ControlError;
use louver_domain::access::Action;
use louver_domain::alert_channels::ChannelKind;
use louver_domain::id::AlertChannelId;
use louver_domain::secret::Secret;
use maud::{Markup, html};
use std::sync::Arc;

const HOME: &str = "/console/alerts/channels";
const WAY: [(&str, &str); 2] = [("Alerts", "/console/alerts"), ("Channels", HOME)];

pub(crate) fn pages() -> Router<Arc<Control>> {
    Router::new()
        .route(HOME, get(show))
        .route("/console/alerts/channels/new", get(ask).post(create))
        .route("/console/alerts/channels/{id}", get(edit).post(update))
        .route("/console/alerts/channels/{id}/enable", post(enable))
        .route("/console/alerts/channels/{id}/disable", post(disable))
        .route("/console/alerts/channels/{id}/test", post(test))
        .route("/console/alerts/channels/{id}/delete", post(delete))
}

const fn kind_name(kind: ChannelKind) -> &'static str {
    match kind {
        ChannelKind::Webhook => "Webhook",
        ChannelKind::Slack => "Slack",
        ChannelKind::Email => "Mail",
    }
}

async fn show(State(control): State<Arc<Control>>, visit: Visit) -> Answer {
    must(&visit, Action::ReadAlertChannels)?;
    let all = channels::list(&control, &visit.context).await?;
    let new = main_link("/console/alerts/channels/new", Some(Icon::Plus), "Create channel");
    let acts = if visit.may(Action::CreateAlertChannel) { vec![new.clone()] } else { Vec::new() };
    let meta = vec![html! { "Every alert goes to every channel that is enabled" }];
    let flush = html! {
        @if all.is_empty() {
            (empty("No channels", "Without one, alerts stand in the list only. Send them to a webhook, Slack or by mail.",
                visit.may(Action::CreateAlertChannel).then_some(&new)))
        } @else { (rows(&visit, &all)) }
    };
    let body = html! {
        (Head { title: "Alert channels", meta, acts, ..Head::default() }.draw())
        (parts(&visit, "Channels"))
        (Card { id: "channels", title: "Channels", flush: Some(flush), ..Card::default() }.draw())
    };
    Ok(visit.page(Here::Alerts, &WAY, &body))
}

fn rows(visit: &Visit, all: &[AlertChannel]) -> Markup {
    let columns = [
        Column::text("Name"),
        Column::text("Kind"),
        Column::text("Leads to"),
        Column::text("Since"),
        Column::text("State"),
        Column::text("Actions"),
    ];
    let row = |one: &AlertChannel| {
        let to: Vec<String> = one.destination.split(',').map(str::to_owned).collect();
        let shown = to.get(..2).unwrap_or(&to);
        vec![
            html! {
                @if visit.may(Action::UpdateAlertChannel) { a.title href={ (HOME) "/" (one.id) } title=(one.name) { (one.name) } }
                @else { b { (one.name) } }
            },
            html! { (kind_name(one.kind)) },
            html! { (chips(shown)) @if to.len() > shown.len() { " +" (to.len().saturating_sub(shown.len())) } },
            date(one.created_at),
            html! { @if one.enabled { (badge(Tone::Good, "Enabled")) } @else { (badge(Tone::Off, "Disabled")) } },
            deeds(visit, one),
        ]
    };
    table("Alert channels", &columns, &all.iter().map(row).collect::<Vec<_>>())
}

fn deeds(visit: &Visit, one: &AlertChannel) -> Markup {
    let deed = |word: &str, text: &str| {
        html! {
            form method="post" action={ (HOME) "/" (one.id) "/" (word) } {
                button.btn.tiny { (text) span.sr { " " (one.name) } }
            }
        }
    };
    html! {
        div.acts {
            @if visit.may(Action::TestAlertChannel) { (deed("test", "Test")) }
            @if visit.may(Action::UpdateAlertChannel) {
                @if one.enabled { (deed("disable", "Disable")) } @else { (deed("enable", "Enable")) }
            }
        }
    }
}

async fn ask(visit: Visit) -> Answer {
    must(&visit, Action::CreateAlertChannel)?;
    Ok(new_page(&visit, StatusCode::OK, &Fields::default(), &Faults::none()))
}

fn new_page(visit: &Visit, status: StatusCode, fields: &Fields, faults: &Faults) -> Response {
    let kind = fields.given("kind").unwrap_or_else(|| "webhook".to_owned());
    let kinds = [
        ("webhook", "Webhook", "A signed POST to an address of yours"),
        ("slack", "Slack", "A message by an incoming webhook of Slack"),
        ("email", "Mail", "By the mail server of the settings"),
    ];
    let body = html! {
        (Head { title: "Create an alert channel", ..Head::default() }.draw())
        section.card {
            form.form.body method="post" action="/console/alerts/channels/new" {
                (faults.summary())
                (Field::new("name", "Name").hint("New in the organization.").required().filled(fields, faults).draw())
                fieldset #kind {
                    legend { "Kind" }
                    div.choice { @for (value, text, hint) in kinds { (tick("radio", "kind", value, kind == value, text, Some(hint))) } }
                    @if let Some(fault) = faults.at("kind") { p.error { (crate::failure::capital(fault)) } }
                }
                (address_field(faults, "Of a webhook or Slack. It may hold a secret, and is not shown again."))
                (secret_field(faults, "Of a webhook: whsec_ and base64. Leave it empty and Louver makes one."))
                (to_field(fields.raw("to"), faults))
                (tick("checkbox", "enabled", "yes", fields.text("name").is_empty() || fields.ticked("enabled"), "Send alerts there", None))
                div.acts { button.btn.main { "Create channel" } a.btn.plain href=(HOME) { "Cancel" } }
            }
        }
    };
    visit.page_with(status, Here::Alerts, &[WAY[0], WAY[1], ("Create", "")], &body)
}

fn address_field(faults: &Faults, hint: &str) -> Markup {
    let field = Field::new("url", "Address").kind("url").hint(hint).autocomplete("off");
    Field { fault: faults.at("url"), ..field }.draw()
}

fn secret_field(faults: &Faults, hint: &str) -> Markup {
    let field = Field::new("secret", "Signing secret").kind("password").hint(hint).autocomplete("off");
    Field { fault: faults.at("secret"), ..field }.draw()
}

fn to_field(value: &str, faults: &Faults) -> Markup {
    let field = Field::new("to", "Mail addresses").hint("Of mail: one a line, at most 50.");
    Field { value, fault: faults.at("to"), ..field }.lines(4)
}

/// A secret that may be left out.
fn secret(fields: &Fields, name: &str) -> Option<Secret<String>> {
    fields.given(name).map(Secret::new)
}

fn addresses(fields: &Fields) -> Option<Vec<String>> {
    let all: Vec<String> = fields
        .raw("to")
        .split(['\n', '\r', ',', ';'])
        .map(str::trim)
        .filter(|one| !one.is_empty())
        .map(str::to_owned)
        .collect();
    (!all.is_empty()).then_some(all)
}

async fn create(State(control): State<Arc<Control>>, visit: Visit, fields: Fields) -> Answer {
    must(&visit, Action::CreateAlertChannel)?;
    let made = match read_new(&fields) {
        Ok(new) => channels::create(&control, &visit.context, new).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(made) => match made.secret {
            Some(secret) => Ok(made_page(&visit, &made.channel, &secret)),
            None => Ok(go("/console/alerts/channels?done=created")),
        },
        Err(error) => Ok(new_page(&visit, StatusCode::UNPROCESSABLE_ENTITY, &fields, &Faults::of(error)?)),
    }
}

fn read_new(fields: &Fields) -> Result<NewChannel, ControlError> {
    let kind = ChannelKind::parse(fields.text("kind"))
        .ok_or_else(|| ControlError::field("kind", "must be webhook, slack or email"))?;
    Ok(NewChannel {
        name: fields.text("name").to_owned(),
        kind,
        url: secret(fields, "url"),
        secret: secret(fields, "secret"),
        to: addresses(fields),
        enabled: fields.ticked("enabled"),
    })
}

fn made_page(visit: &Visit, channel: &AlertChannel, secret: &Secret<String>) -> Response {
    let body = html! {
        (Head { title: &channel.name, badge: Some(badge(Tone::Good, "Created")), ..Head::default() }.draw())
        (note(Tone::Warn, &html! { p { b { "Copy the signing secret now." } " It is shown only this once. With it the receiver knows that an alert is Louver’s." } }, None))
        (lines("secret", secret.expose()))
        p { a.btn.main href=(HOME) { "I have copied it" } }
    };
    visit.secret_page(Here::Alerts, &[WAY[0], WAY[1], ("Created", "")], &body)
}

async fn edit(State(control): State<Arc<Control>>, visit: Visit, Path(id): Path<String>) -> Answer {
    must(&visit, Action::UpdateAlertChannel)?;
    let channel = channels::get(&control, &visit.context, parsed(&id)?).await?;
    let to = channel.destination.replace(',', "\n");
    Ok(edit_page(&visit, StatusCode::OK, &channel, (&channel.name, &to, channel.enabled), &Faults::none()))
}

fn parsed(id: &str) -> Result<AlertChannelId, ControlError> {
    AlertChannelId::parse(id).ok_or(ControlError::NotFound)
}

const DELETE: &str = "What was still to be sent there is not sent. The alerts stay in the list.";

fn edit_page(
    visit: &Visit,
    status: StatusCode,
    channel: &AlertChannel,
    (name, to, enabled): (&str, &str, bool),
    faults: &Faults,
) -> Response {
    let mails = channel.kind == ChannelKind::Email;
    let path = format!("{HOME}/{}", channel.id);
    let body = html! {
        (Head { title: &channel.name, meta: vec![html! { (kind_name(channel.kind)) }], ..Head::default() }.draw())
        div.stack {
            section.card {
                form.form.body method="post" action=(path) {
                    (faults.summary())
                    (Field { value: name, fault: faults.at("name"), ..Field::new("name", "Name").required() }.draw())
                    @if mails { (to_field(to, faults)) }
                    @else { (address_field(faults, &format!("Leads to {}. Leave it empty to keep it.", channel.destination))) }
                    @if channel.kind == ChannelKind::Webhook { (secret_field(faults, "Leave it empty to keep the one that is set.")) }
                    (tick("checkbox", "enabled", "yes", enabled, "Send alerts there", None))
                    div.acts { button.btn.main { "Save" } a.btn.plain href=(HOME) { "Cancel" } }
                }
            }
            @if visit.may(Action::DeleteAlertChannel) {
                (Card {
                    id: "delete", title: "Delete",
                    body: Some(html! {
                        p { (DELETE) }
                        form method="post" action={ (path) "/delete" } data-confirm=(DELETE)
                            data-confirm-title="Delete this channel?" data-confirm-yes="Delete" {
                            button.btn.danger { "Delete channel" }
                        }
                    }),
                    ..Card::default()
                }.draw())
            }
        }
    };
    visit.page_with(status, Here::Alerts, &[WAY[0], WAY[1], (&channel.name, "")], &body)
}

async fn update(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    must(&visit, Action::UpdateAlertChannel)?;
    let channel = channels::get(&control, &visit.context, parsed(&id)?).await?;
    let mails = channel.kind == ChannelKind::Email;
    let patch = ChannelPatch {
        name: Some(fields.text("name").to_owned()),
        url: secret(&fields, "url"),
        secret: secret(&fields, "secret"),
        to: mails.then(|| addresses(&fields).unwrap_or_default()),
        enabled: Some(fields.ticked("enabled")),
    };
    match channels::update(&control, &visit.context, channel.id, patch).await {
        Ok(_) => Ok(go("/console/alerts/channels?done=saved")),
        Err(error) => {
            let filled = (fields.text("name"), fields.raw("to"), fields.ticked("enabled"));
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            Ok(edit_page(&visit, status, &channel, filled, &Faults::of(error)?))
        }
    }
}

async fn enable(State(control): State<Arc<Control>>, visit: Visit, Path(id): Path<String>) -> Answer {
    switch(&control, &visit, &id, true).await?;
    Ok(go("/console/alerts/channels?done=enabled"))
}

async fn disable(State(control): State<Arc<Control>>, visit: Visit, Path(id): Path<String>) -> Answer {
    switch(&control, &visit, &id, false).await?;
    Ok(go("/console/alerts/channels?done=disabled"))
}

async fn switch(control: &Control, visit: &Visit, id: &str, on: bool) -> Result<(), ControlError> {
    must(visit, Action::UpdateAlertChannel)?;
    let patch = ChannelPatch { enabled: Some(on), ..ChannelPatch::default() };
    channels::update(control, &visit.context, parsed(id)?, patch).await.map(drop)
}

async fn test(State(control): State<Arc<Control>>, visit: Visit, Path(id): Path<String>) -> Answer {
    must(&visit, Action::TestAlertChannel)?;
    channels::test(&control, &visit.context, parsed(&id)?).await?;
    // The list of alerts shows what became of it.
    let to = if visit.may(Action::ReadAlerts) { "/console/alerts?done=tested" } else { HOME };
    Ok(go(to))
}

async fn delete(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    must(&visit, Action::DeleteAlertChannel)?;
    let id = parsed(&id)?;
    let (action, back) = (format!("{HOME}/{id}/delete"), format!("{HOME}/{id}"));
    let question =
        Question { action: &action, title: "Delete this channel?", text: DELETE, yes: "Delete", back: &back };
    if let Some(asks) = question.unless_answered(&fields) {
        return Ok(asks);
    }
    channels::delete(&control, &visit.context, id).await?;
    Ok(go("/console/alerts/channels?done=removed"))
}
