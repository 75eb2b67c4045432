//! The keys of the upstream's admin API: listed, made and deleted; and which keys calls are answered with.

use std::sync::{MutexGuard, PoisonError};

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    Ask, Noun, Stored, found,
    moment::{DAY, rfc3339},
    nowhere, refused, world, wrong,
};
use crate::{
    config::Config,
    prose::{Random, hash},
    refusal,
    reply::Reply,
    simulator::{Inner, Simulator},
};

/// A key as the simulator has it; one that was deleted is kept, and refused for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: String,
    /// The key itself.
    pub secret: String,
    /// Its name.
    pub name: Option<String>,
    /// Whether it is no more.
    pub deleted: bool,
    workspace: String,
    user: String,
    created: i64,
    expiration: Option<String>,
    /// The day of its last use, from 1970.
    last_used: Option<i64>,
    /// The world that it sees.
    world: String,
}

impl ApiKey {
    fn shown(&self, secret: Option<&str>) -> Value {
        let part = |part: Option<&str>| part.unwrap_or_default().to_owned();
        let end = self.secret.len().saturating_sub(4);
        let hidden = format!("{}...{}", part(self.secret.get(..4)), part(self.secret.get(end..)));
        json!({
            "key_id": self.id, "key": secret, "name": self.name, "hidden_key": hidden,
            "created_at": rfc3339(self.created), "expiration_date": self.expiration,
            "actions": {"rotate": {"status": "unavailable", "reason": "unsupported_scope"},
                "delete": {"status": "available"}},
        })
    }

    fn listed(&self) -> Value {
        let mut shown = self.shown(None);
        let day =
            self.last_used.map(|day| rfc3339(day.saturating_mul(DAY)).chars().take(10).collect::<String>());
        let more = json!({"workspace_id": self.workspace, "workspace_name": "Default", "created_by": self.user,
            "product": "API", "last_used": day, "can_delete": true});
        if let (Some(shown), Value::Object(more)) = (shown.as_object_mut(), more) {
            shown.extend(more);
        }
        shown
    }

    /// As the filter of the list finds it: by a part of its name, or its last four characters.
    fn is_meant(&self, filter: &str) -> bool {
        let named = self.name.as_deref().unwrap_or_default().to_lowercase().contains(&filter.to_lowercase());
        named || (filter.len() == 4 && self.secret.ends_with(filter))
    }
}

impl Stored {
    fn api_keys(&self) -> MutexGuard<'_, Vec<ApiKey>> {
        self.api_keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the keys there that are there from the beginning.
    pub(crate) fn with_keys(self, config: &Config) -> Self {
        for secret in &config.api_keys {
            self.add(config, secret, None);
        }
        self
    }

    fn add(&self, config: &Config, secret: &str, name: Option<&str>) {
        let key = if config.separate { secret } else { "" };
        let mut worlds = self.worlds();
        let world = worlds.entry(key.to_owned()).or_insert_with(|| world::World::new(config, key));
        let mut random = Random::of(&[config.seed, hash(8, secret.as_bytes())]);
        let made = ApiKey {
            id: world::uuid(&mut random),
            secret: secret.to_owned(),
            name: name.map(str::to_owned),
            deleted: false,
            workspace: world.workspace().to_owned(),
            user: world.owners().1.to_owned(),
            created: (config.now)(),
            expiration: None,
            last_used: None,
            world: key.to_owned(),
        };
        drop(worlds);
        self.api_keys().push(made);
    }

    /// The world that a key which was made here sees.
    pub(super) fn world_of(&self, bearer: &str) -> Option<String> {
        self.api_keys().iter().find(|key| key.secret == bearer).map(|key| key.world.clone())
    }
}

impl Inner {
    /// Whether calls with this credential are answered. One that was deleted is refused in any case, and one that is not known
    /// where there are keys from the beginning.
    pub(crate) fn admits(&self, bearer: &str) -> bool {
        let mut keys = self.stored.api_keys();
        match keys.iter_mut().find(|key| key.secret == bearer) {
            Some(key) if key.deleted => false,
            Some(key) => {
                key.last_used = Some((self.config.now)().div_euclid(DAY));
                true
            }
            None => self.config.api_keys.is_empty(),
        }
    }

    /// Whether who asks may use the admin API: by either header, or by both if they are the same.
    pub(super) fn must_be_admin(&self, bearer: &str, given: Option<&str>) -> Result<(), Reply> {
        let key = self.config.admin_key.as_deref().ok_or_else(refusal::no_route)?;
        let agree = given.is_none() || bearer.is_empty() || given == Some(bearer);
        if agree && given.unwrap_or(bearer) == key { Ok(()) } else { Err(refusal::unauthorized()) }
    }
}

impl Simulator {
    /// All keys that the simulator knows, oldest first, also those that were deleted.
    pub fn api_keys(&self) -> Vec<ApiKey> {
        self.inner.stored.api_keys().clone()
    }

    /// Puts a key there as somebody else would.
    pub fn add_api_key(&self, secret: &str, name: &str) {
        self.inner.stored.add(&self.inner.config, secret, Some(name));
    }
}

/// `/v1/admin/api-keys`.
pub(crate) fn answer(inner: &Inner, noun: Noun, ask: &Ask<'_>, given: Option<&str>) -> Result<Reply, Reply> {
    inner.must_be_admin(ask.bearer, given)?;
    match (noun, ask.path.as_slice()) {
        (Noun::ApiKeys, []) if ask.method == "GET" => list(inner, ask),
        (Noun::ApiKeyCreation, []) => create(inner, ask),
        (Noun::ApiKeyDeletion, [id]) => delete(inner, id),
        (Noun::ApiKeys, _) => Err(refused(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")),
        _ => nowhere(),
    }
}

fn list(inner: &Inner, ask: &Ask<'_>) -> Result<Reply, Reply> {
    let number = |name: &str, default: i64, most: i64| {
        usize::try_from(ask.query.number(name).unwrap_or(default).clamp(0, most)).unwrap_or(0)
    };
    let (limit, offset) = (number("limit", 100, 100), number("offset", 0, i64::MAX));
    let filter = ask.query.get("name");
    let keys = inner.stored.api_keys();
    let live = keys.iter().filter(|key| !key.deleted && filter.is_none_or(|filter| key.is_meant(filter)));
    let shown: Vec<Value> = live.skip(offset).take(limit).map(ApiKey::listed).collect();
    found(&json!({ "keys": shown }))
}

/// Whether a text has the form of a UUID.
fn is_uuid(text: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    let fits =
        |(at, byte): (usize, u8)| if dashes.contains(&at) { byte == b'-' } else { byte.is_ascii_hexdigit() };
    text.len() == 36 && text.bytes().enumerate().all(fits)
}

fn create(inner: &Inner, ask: &Ask<'_>) -> Result<Reply, Reply> {
    let body = ask.object()?;
    let uuid = |name: &str| {
        let given = body.get(name).cloned().unwrap_or(Value::Null);
        let found = given.as_str().filter(|text| is_uuid(text)).map(str::to_owned);
        found.ok_or_else(|| wrong(name, "uuid_parsing", "Input should be a valid UUID", given))
    };
    let (workspace, user) = (uuid("workspace_uuid")?, uuid("user_id")?);
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let name = text("name");
    if name.as_ref().is_some_and(|name| name.chars().count() > 255) {
        return Err(wrong(
            "name",
            "string_too_long",
            "String should have at most 255 characters",
            json!(name),
        ));
    }
    let world = {
        let worlds = inner.stored.worlds();
        let home = worlds.values().find(|world| world.workspace() == workspace);
        home.map(|world| world.key.clone())
    };
    let world = world.ok_or_else(|| refused(StatusCode::NOT_FOUND, "Workspace not found"))?;
    let mut keys = inner.stored.api_keys();
    let number = u64::try_from(keys.len()).unwrap_or(u64::MAX);
    let mut random = Random::of(&[inner.config.seed, number, 9]);
    let made = ApiKey {
        id: world::uuid(&mut random),
        secret: secret(&mut random),
        name,
        deleted: false,
        workspace,
        user,
        created: ask.now,
        expiration: text("expiration"),
        last_used: None,
        world,
    };
    let shown = made.shown(Some(&made.secret));
    keys.push(made);
    found(&shown)
}

/// 32 letters and digits.
fn secret(random: &mut Random) -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let letter = |number: u64| {
        let place = usize::try_from(number % 62).unwrap_or(0);
        char::from(ALPHABET.get(place).copied().unwrap_or(b'A'))
    };
    (0..32).map(|_| letter(random.next())).collect()
}

fn delete(inner: &Inner, id: &str) -> Result<Reply, Reply> {
    if !is_uuid(id) {
        return Err(wrong("key_id", "uuid_parsing", "Input should be a valid UUID", json!(id)));
    }
    let mut keys = inner.stored.api_keys();
    let key = keys.iter_mut().find(|key| !key.deleted && key.id == id);
    let key = key.ok_or_else(|| refused(StatusCode::NOT_FOUND, "API key not found"))?;
    key.deleted = true;
    found(&json!({"detail": "API key deleted"}))
}
