//! `/v1/gateway/alert-channels`: where alerts are sent; addresses and secrets go in and never come out.

use super::{Answer, Shared};
use crate::actions::alert_channels as actions;
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::intake::values::{SecretIn, present};
use crate::intake::{Body, Named, Object};
use crate::openapi::about::PAGE;
use crate::openapi::shapes::{self, Deleted};
use crate::page::{Asked, Page};
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::alert_channels::ChannelKind;
use louver_domain::id::AlertChannelId;
use louver_domain::time::Timestamp;
use louver_store::alert_channels::AlertChannel;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/gateway/alert-channels", Action::ReadAlertChannels, list)
        .named("list_alert_channels", "Alert channels")
        .query(PAGE)
        .answers::<Page<Shown>>()
        .post("/v1/gateway/alert-channels", Action::CreateAlertChannel, create)
        .named("create_alert_channel", "Make an alert channel")
        .saying("A webhook without a `secret` gets one; it stands in this answer and in no other.")
        .takes::<ChannelIn>()
        .answers::<ShownOnce<'_>>()
        .refuses(&[409])
        .get("/v1/gateway/alert-channels/{id}", Action::ReadAlertChannels, one)
        .named("get_alert_channel", "One alert channel")
        .answers::<Shown>()
        .edited()
        .patch("/v1/gateway/alert-channels/{id}", Action::UpdateAlertChannel, update)
        .named("update_alert_channel", "Change an alert channel")
        .takes::<PatchIn>()
        .answers::<Shown>()
        .edited()
        .refuses(&[409])
        .delete("/v1/gateway/alert-channels/{id}", Action::DeleteAlertChannel, delete)
        .named("delete_alert_channel", "Delete an alert channel")
        .answers::<Deleted>()
        .post("/v1/gateway/alert-channels/{id}/test", Action::TestAlertChannel, test)
        .named("test_alert_channel", "Send a test alert through a channel")
        .saying("Answers the alert that the test is; the list of alerts shows what becomes of its delivery.")
        .answers::<super::alerts::Shown>()
        .refuses(&[409])
        .tagged("gateway.alert-channels")
}

/// An alert channel without its secrets. The path and query of an address may be one, so that only its host is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AlertChannel")]
pub(crate) struct Shown {
    #[schemars(with = "shapes::Id")]
    id: AlertChannelId,
    #[schemars(extend("const" = "alert_channel"))]
    object: &'static str,
    name: String,
    #[schemars(extend("enum" = ["webhook", "slack", "email"]))]
    kind: &'static str,
    host: Option<String>,
    to: Option<Vec<String>>,
    enabled: bool,
    #[schemars(with = "shapes::Time")]
    created_at: Timestamp,
}

impl Shown {
    pub(crate) fn of(channel: &AlertChannel) -> Self {
        let mails = channel.kind == ChannelKind::Email;
        Self {
            id: channel.id,
            object: "alert_channel",
            name: channel.name.clone(),
            kind: channel.kind.as_str(),
            host: (!mails).then(|| channel.destination.clone()),
            to: mails.then(|| channel.destination.split(',').map(str::to_owned).collect()),
            enabled: channel.enabled,
            created_at: channel.created_at,
        }
    }
}

/// A channel just made: the one answer that holds the signing secret, when Louver made it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AlertChannelMade")]
struct ShownOnce<'a> {
    #[serde(flatten)]
    shown: Shown,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewAlertChannel")]
#[schemars(extend("examples" = [{"name": "on-call", "kind": "webhook", "url": "https://alerts.example.com/louver"}]))]
#[serde(deny_unknown_fields)]
struct ChannelIn {
    name: String,
    #[schemars(with = "shapes::KindOfChannel")]
    kind: ChannelKind,
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "shapes::Hidden")]
    url: Option<SecretIn>,
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "shapes::Hidden")]
    secret: Option<SecretIn>,
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Vec<String>")]
    to: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "bool")]
    enabled: Option<bool>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "AlertChannelPatch")]
#[serde(deny_unknown_fields, default)]
struct PatchIn {
    #[serde(deserialize_with = "present")]
    #[schemars(with = "String")]
    name: Option<String>,
    #[serde(deserialize_with = "present")]
    #[schemars(with = "shapes::Hidden")]
    url: Option<SecretIn>,
    #[serde(deserialize_with = "present")]
    #[schemars(with = "shapes::Hidden")]
    secret: Option<SecretIn>,
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Vec<String>")]
    to: Option<Vec<String>>,
    #[serde(deserialize_with = "present")]
    #[schemars(with = "bool")]
    enabled: Option<bool>,
}

fn read_id(text: &str) -> Result<AlertChannelId, ControlError> {
    AlertChannelId::parse(text).ok_or(ControlError::NotFound)
}

async fn list(State(control): Shared, context: Context, mut params: Params) -> Answer {
    let asked = Asked::read(&mut params)?;
    params.done()?;
    let all = actions::list(&control, &context).await?;
    let page = Page::cut(all, &asked, |channel, after| AlertChannelId::parse(after) == Some(channel.id))?;
    Ok(reply::ok(&page.map(|channel| Shown::of(&channel))))
}

async fn one(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    let channel = actions::get(&control, &context, read_id(&id)?).await?;
    reply::tagged(&control, &Shown::of(&channel))
}

async fn create(
    State(control): Shared,
    context: Context,
    Body(Object(read)): Body<Object<ChannelIn>>,
) -> Answer {
    let new = actions::NewChannel {
        name: read.name,
        kind: read.kind,
        url: read.url.map(|url| url.0),
        secret: read.secret.map(|secret| secret.0),
        to: read.to,
        enabled: read.enabled.unwrap_or(true),
    };
    let made = actions::create(&control, &context, new).await?;
    let secret = made.secret.as_ref().map(|secret| secret.expose().as_str());
    Ok(reply::ok(&ShownOnce { shown: Shown::of(&made.channel), secret }))
}

async fn update(
    State(control): Shared,
    context: Context,
    Named(id): Named<String>,
    Body(Object(read)): Body<Object<PatchIn>>,
) -> Answer {
    let patch = actions::ChannelPatch {
        name: read.name,
        url: read.url.map(|url| url.0),
        secret: read.secret.map(|secret| secret.0),
        to: read.to,
        enabled: read.enabled,
    };
    let channel = actions::update(&control, &context, read_id(&id)?, patch).await?;
    reply::tagged(&control, &Shown::of(&channel))
}

async fn delete(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    let id = read_id(&id)?;
    actions::delete(&control, &context, id).await?;
    Ok(reply::ok(&json!({"id": id, "object": "alert_channel.deleted", "deleted": true})))
}

/// Answers the alert that the test is; `/v1/gateway/alerts` shows what becomes of its delivery.
async fn test(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    let alert = actions::test(&control, &context, read_id(&id)?).await?;
    Ok(reply::ok(&super::alerts::Shown::of(&alert)))
}
