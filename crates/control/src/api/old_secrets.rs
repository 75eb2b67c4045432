//! `/v1/api-keys/{id}/rotate` and its kin: a key gets a new secret, and which of its secrets work now.

use super::admin_keys::Shown as ShownAdminKey;
use super::keys::Shown;
use super::{Answer, Shared};
use crate::actions::admin_keys;
use crate::actions::old_secrets::{self as actions, HowToRotate};
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::intake::{BodyIfAny, Named, Object};
use crate::openapi::about::PAGE;
use crate::openapi::shapes;
use crate::page::{Asked, Page};
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::id::{AdminKeyId, KeyId};
use louver_domain::old_secrets::OldSecret;
use louver_domain::time::Timestamp;
use louver_store::old_secrets::Secrets;
use schemars::JsonSchema;
use serde::Serialize;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .post("/v1/api-keys/{id}/rotate", Action::RotateApiKey, rotate)
        .named("rotate_api_key", "Give an API key a new secret")
        .saying(
            "The key keeps its id, its limits and its history. The new secret stands in this answer and in no other; the old \
             one works until `old_key_expires_at`, and so do older ones at most. With the overlap `0s` all of them end now.",
        )
        .takes::<HowToRotate>()
        .answers::<Rotated<'_>>()
        .refuses(&[409])
        .tagged("api-keys")
        .get("/v1/gateway/keys/{id}/secrets", Action::ReadApiKeys, secrets)
        .named("list_key_secrets", "The secrets of an API key that work now, and who used each last")
        .answers::<Page<ShownSecret>>()
        .get("/v1/gateway/admin-keys", Action::ReadAdminKeys, list_admin_keys)
        .named("list_admin_keys", "Admin keys, each with its secrets that work now")
        .query(PAGE)
        .answers::<Page<Listed>>()
        .post("/v1/gateway/admin-keys/{id}/rotate", Action::RotateAdminKey, rotate_admin)
        .named("rotate_admin_key", "Give an admin key a new secret")
        .saying("It needs every permission that the key's holder has, since the answer is a key with those.")
        .takes::<HowToRotate>()
        .answers::<AdminRotated<'_>>()
        .refuses(&[409])
        .tagged("gateway.rotations")
}

/// A key just rotated: the one answer that holds the new secret.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ApiKeyRotated")]
struct Rotated<'a> {
    #[serde(flatten)]
    shown: Shown,
    key: &'a str,
    api_key: &'a str,
    /// From when on the old secret is refused.
    #[schemars(with = "shapes::Time")]
    old_key_expires_at: Timestamp,
}

/// An admin key just rotated: the one answer that holds the new secret.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AdminKeyRotated")]
struct AdminRotated<'a> {
    #[serde(flatten)]
    shown: ShownAdminKey,
    key: &'a str,
    /// From when on the old secret is refused.
    #[schemars(with = "shapes::Time")]
    old_key_expires_at: Timestamp,
}

/// A secret of a key, by what tells it from others.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "KeySecret")]
pub(crate) struct ShownSecret {
    #[schemars(extend("const" = "key_secret"))]
    object: &'static str,
    hidden_key: String,
    #[schemars(with = "shapes::Time")]
    created_at: Timestamp,
    /// Whether it is the newest; the others were replaced by it.
    current: bool,
    /// From when on it is refused; `null` is until somebody says so.
    #[schemars(with = "Option<shapes::Time>")]
    retires_at: Option<Timestamp>,
    #[schemars(with = "Option<shapes::Time>")]
    last_used_at: Option<Timestamp>,
    /// The address of its last use.
    last_used_from: Option<String>,
    /// The client of its last use, as it calls itself.
    last_used_client: Option<String>,
}

impl ShownSecret {
    fn of(secret: OldSecret, prefix: &str, current: bool) -> Self {
        let used_at = secret.used.as_ref().map(|used| used.at);
        let (address, client) = secret.used.map_or((None, None), |used| (used.address, used.client));
        Self {
            object: "key_secret",
            hidden_key: format!("{prefix}…{}", secret.last_four),
            created_at: secret.created_at,
            current,
            retires_at: secret.retires_at,
            last_used_at: used_at,
            last_used_from: address,
            last_used_client: client,
        }
    }

    fn all(secrets: Option<Secrets>, prefix: &str) -> Vec<Self> {
        let Some(Secrets { current, old }) = secrets else { return Vec::new() };
        let current = Self::of(current, prefix, true);
        std::iter::once(current).chain(old.into_iter().map(|old| Self::of(old, prefix, false))).collect()
    }
}

/// An admin key with its secrets.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ListedAdminKey")]
struct Listed {
    #[serde(flatten)]
    shown: ShownAdminKey,
    /// Those that work now.
    secrets: Vec<ShownSecret>,
}

async fn rotate(
    State(control): Shared,
    context: Context,
    Named(id): Named<String>,
    BodyIfAny(Object(how)): BodyIfAny<Object<HowToRotate>>,
) -> Answer {
    let id = KeyId::parse(&id).ok_or(ControlError::NotFound)?;
    let made = actions::rotate(&control, &context, id, &how).await?;
    let secret = made.secret.expose();
    Ok(reply::ok(&Rotated {
        shown: Shown::of(&made.key, context.now),
        key: secret,
        api_key: secret,
        old_key_expires_at: made.old_key_expires_at,
    }))
}

async fn secrets(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    let id = KeyId::parse(&id).ok_or(ControlError::NotFound)?;
    let secrets = actions::of_key(&control, &context, id).await?;
    Ok(reply::ok(&Page::whole(ShownSecret::all(secrets, "lvr_"))))
}

async fn list_admin_keys(State(control): Shared, context: Context, mut params: Params) -> Answer {
    let asked = Asked::read(&mut params)?;
    params.done()?;
    let all = admin_keys::list(&control, &context).await?;
    let page = Page::cut(all, &asked, |key, after| AdminKeyId::parse(after) == Some(key.id))?;
    let mut secrets = Vec::new();
    for key in page.items() {
        secrets.push(actions::of_admin_key(&control, &context, key).await?);
    }
    let mut secrets = secrets.into_iter();
    Ok(reply::ok(&page.map(|key| Listed {
        shown: ShownAdminKey::of(&key),
        secrets: ShownSecret::all(secrets.next().flatten(), "lva_"),
    })))
}

async fn rotate_admin(
    State(control): Shared,
    context: Context,
    Named(id): Named<String>,
    BodyIfAny(Object(how)): BodyIfAny<Object<HowToRotate>>,
) -> Answer {
    let id = AdminKeyId::parse(&id).ok_or(ControlError::NotFound)?;
    let made = actions::rotate_admin(&control, &context, id, &how).await?;
    let shown = ShownAdminKey::of(&made.key);
    let end = made.old_key_expires_at;
    Ok(reply::ok(&AdminRotated { shown, key: made.secret.expose(), old_key_expires_at: end }))
}
