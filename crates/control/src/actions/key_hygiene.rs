//! The health of keys: what an audit finds about each, which stay although nobody uses them, and secrets that leaked.

use super::{Deed, commit, keys, names};
use crate::Control;
use crate::alerting;
use crate::api::admin_keys::Shown as ShownAdminKey;
use crate::api::key_hygiene::ShownExemption;
use crate::api::keys::Shown;
use crate::context::Context;
use crate::error::ControlError;
use crate::openapi::shapes;
use crate::visible::visible;
use louver_domain::access::{Action, decide};
use louver_domain::alerts::AlertKind;
use louver_domain::id::{AdminKeyId, KeyId, OrganizationId, WorkspaceId};
use louver_domain::key_hygiene::{Exemption, Facts, Finding, ROTATION_DAYS, UNUSED_DAYS, findings};
use louver_domain::keys::{
    AdminKey, ApiKey, Fingerprint, KeyKind, KeyStatus, Owner, PublicId, read_public_id, same_fingerprint,
};
use louver_domain::secret::Secret;
use louver_domain::time::Timestamp;
use louver_store::key_hygiene::{self as store, Current};
use louver_store::keys::{self as api_keys, Filter};
use louver_store::rotation_policies::{self, SetPolicy};
use louver_store::{Tx, admin_keys, old_secrets};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::HashMap;

const API_KEY: &str = "api_key";
const ADMIN_KEY: &str = "admin_key";
/// Keys that are looked at together.
const AT_ONCE: u32 = 500;
/// Keys that one request looks at, found something about or not: with rare findings a page could else be all keys.
const MOST_LOOKED_AT: usize = 5_000;

/// What an audit is asked.
pub struct Question {
    /// Of one workspace.
    pub workspace: Option<WorkspaceId>,
    /// Days without use after which a key counts as unused.
    pub unused_days: u32,
    /// Only keys of which one of these is found; none is all keys.
    pub findings: Vec<Finding>,
    /// Those after this key, in the order of ids.
    pub after: Option<KeyId>,
    /// Only keys of this status, as lists of keys have it.
    pub status: Option<String>,
    /// Only keys whose name holds this or whose secret ends in it, as lists of keys have it.
    pub search: Option<String>,
}

/// A key as an audit sees it.
pub struct Audited {
    /// The key.
    pub key: ApiKey,
    /// Its current secret.
    pub secret: Option<Current>,
    /// What was found.
    pub findings: Vec<Finding>,
    /// Why it stays although nobody uses it.
    pub exemption: Option<Exemption>,
}

/// A page of an audit.
pub struct AuditPage {
    /// The keys on it.
    pub audited: Vec<Audited>,
    /// Where the next page goes on, unless all keys were looked at.
    pub next: Option<KeyId>,
}

/// The keys that the caller may see, with what is found about each, in the order they were made; at most `limit`, which
/// is one or more.
pub async fn audit(
    control: &Control,
    context: &Context,
    question: &Question,
    limit: u32,
) -> Result<AuditPage, ControlError> {
    let seen = visible(&context.actor, Action::ReadApiKeys, question.workspace)?;
    let organization = context.organization_id();
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut examiner = Examiner::new(control, organization, question.unused_days).await?;
    let (mut audited, mut after, mut looked_at) = (Vec::new(), question.after, 0_usize);
    while looked_at < MOST_LOOKED_AT {
        let filter = Filter {
            workspace: seen.workspace,
            owner: seen.owner,
            after,
            status: question.status.clone(),
            search: question.search.clone(),
            ..Filter::default()
        };
        let page = api_keys::list(&control.store, organization, filter, AT_ONCE, context.now).await?;
        let count = page.len();
        for one in examiner.examine(page, context.now).await? {
            if audited.len() >= most {
                return Ok(AuditPage { audited, next: after });
            }
            after = Some(one.key.id);
            if question.findings.is_empty()
                || question.findings.iter().any(|asked| one.findings.contains(asked))
            {
                audited.push(one);
            }
        }
        if count < usize::try_from(AT_ONCE).unwrap_or(usize::MAX) {
            return Ok(AuditPage { audited, next: None });
        }
        looked_at = looked_at.saturating_add(count);
    }
    Ok(AuditPage { audited, next: after })
}

/// What is found about keys at hand, in their order.
pub async fn examine(
    control: &Control,
    context: &Context,
    keys: Vec<ApiKey>,
    unused_days: u32,
) -> Result<Vec<Audited>, ControlError> {
    for key in &keys {
        decide(&context.actor, Action::ReadApiKeys, keys::resource(key))?;
    }
    let mut examiner = Examiner::new(control, context.organization_id(), unused_days).await?;
    examiner.examine(keys, context.now).await
}

/// What an audit has to know beside the keys.
struct Examiner<'a> {
    control: &'a Control,
    organization: OrganizationId,
    unused_days: u32,
    exemptions: HashMap<KeyId, Exemption>,
    policies: Vec<SetPolicy>,
    owners: HashMap<([u8; 16], WorkspaceId), bool>,
}

impl<'a> Examiner<'a> {
    async fn new(
        control: &'a Control,
        organization: OrganizationId,
        unused_days: u32,
    ) -> Result<Self, ControlError> {
        let exemptions = store::exemptions(&control.store, organization).await?;
        let policies = rotation_policies::list(&control.store, organization).await?;
        Ok(Self { control, organization, unused_days, exemptions, policies, owners: HashMap::new() })
    }

    async fn examine(&mut self, keys: Vec<ApiKey>, now: Timestamp) -> Result<Vec<Audited>, ControlError> {
        let ids: Vec<KeyId> = keys.iter().map(|key| key.id).collect();
        let mut secrets = store::currents(&self.control.store, self.organization, &ids).await?;
        let mut audited = Vec::with_capacity(keys.len());
        for key in keys {
            let secret = secrets.remove(&key.id);
            let facts = Facts {
                secret_created_at: secret.as_ref().map_or(key.created_at, |secret| secret.created_at),
                owner_left: has_left(self.control, &mut self.owners, &key).await?,
                rotation_days: rotation_days(&self.policies, &key),
                unused_days: self.unused_days,
            };
            let found = findings(&key, facts, now);
            let exemption = self.exemptions.get(&key.id).filter(|one| now < one.until).cloned();
            audited.push(Audited { key, secret, findings: found, exemption });
        }
        Ok(audited)
    }
}

/// Up to `limit` keys that somebody should look at, of those that nobody used for [`UNUSED_DAYS`] days; a look that ends
/// soon however many keys there are. Of whoever sees several workspaces, those of the first with such a key.
pub async fn unused(control: &Control, context: &Context, limit: u32) -> Result<Vec<ApiKey>, ControlError> {
    let held = context.actor.workspaces_with(Action::ReadApiKeys).unwrap_or_default();
    let asked: Vec<Option<WorkspaceId>> =
        if held.len() > 1 { held.into_iter().map(Some).collect() } else { vec![None] };
    let since = context.now.plus_seconds(i64::from(UNUSED_DAYS).saturating_mul(-86_400));
    for workspace in asked {
        let seen = visible(&context.actor, Action::ReadApiKeys, workspace)?;
        let filter = Filter {
            workspace: seen.workspace,
            owner: seen.owner,
            unused_since: Some(since),
            status: Some("active".into()),
            ..Filter::default()
        };
        let found =
            api_keys::list(&control.store, context.organization_id(), filter, limit, context.now).await?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// Days after which the secret of a key is to be replaced, as the nearest policy says that says something.
fn rotation_days(policies: &[SetPolicy], key: &ApiKey) -> u32 {
    let scopes = [key.id.bytes(), key.workspace_id.bytes(), key.organization_id.bytes()];
    let of = |scope: &[u8; 16]| {
        policies.iter().find(|set| set.scope.bytes() == *scope).and_then(|set| set.policy.period_days)
    };
    scopes.iter().find_map(of).unwrap_or(ROTATION_DAYS)
}

/// Whether the owner of a key does not belong to its workspace any more. `known` saves asking twice.
async fn has_left(
    control: &Control,
    known: &mut HashMap<([u8; 16], WorkspaceId), bool>,
    key: &ApiKey,
) -> Result<bool, ControlError> {
    let owner = match key.owner {
        Owner::Workspace => return Ok(false),
        Owner::User(id) => id.bytes(),
        Owner::ServiceAccount(id) => id.bytes(),
    };
    if let Some(left) = known.get(&(owner, key.workspace_id)) {
        return Ok(*left);
    }
    let mut tx = control.store.begin_read().await?;
    let left = match keys::must_belong(&mut tx, key).await {
        Ok(()) => false,
        Err(ControlError::Conflict(_)) => true,
        Err(error) => return Err(error),
    };
    known.insert((owner, key.workspace_id), left);
    Ok(left)
}

/// Why a key is to stay although nobody uses it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(rename = "NewUnusedExemption")]
#[schemars(extend("examples" = [{"reason": "the yearly report", "until": "2027-01-31T00:00:00Z"}]))]
#[serde(deny_unknown_fields)]
pub struct NewExemption {
    /// Why, for people.
    pub reason: String,
    /// Until when.
    #[schemars(with = "shapes::Time")]
    pub until: Timestamp,
}

/// Lets a key stay for a while although nobody uses it.
pub async fn exempt(
    control: &Control,
    context: &Context,
    id: KeyId,
    new: NewExemption,
) -> Result<Exemption, ControlError> {
    if new.until <= context.now {
        return Err(ControlError::field("until", "must be in the future"));
    }
    names::check_description(Some(&new.reason)).map_err(|_| too_long())?;
    let reason = new.reason.trim().to_owned();
    if reason.is_empty() {
        return Err(ControlError::field("reason", "must say why"));
    }
    let mut tx = control.begin(context).await?;
    let key = load(&mut tx, context, id).await?;
    let permit = decide(&context.actor, Action::ExemptApiKey, keys::resource(&key))?;
    let before = store::exemption(&mut tx, id).await?;
    let exemption = Exemption { reason, until: new.until, by: context.actor.name().to_owned() };
    store::exempt(&mut tx, &permit, id, &exemption).await?;
    let mut deed = Deed::on(permit, id, &key.name).inside(key.workspace_id);
    if let Some(before) = before {
        deed = deed.from(&ShownExemption::of(id, &before))?;
    }
    commit(control, context, tx, deed.to(&ShownExemption::of(id, &exemption))?).await?;
    Ok(exemption)
}

fn too_long() -> ControlError {
    ControlError::field("reason", "is too long, or holds characters that are no text")
}

/// Takes the exemption of a key away. One that has none stays as it is.
pub async fn lift(control: &Control, context: &Context, id: KeyId) -> Result<(), ControlError> {
    let mut tx = control.begin(context).await?;
    let key = load(&mut tx, context, id).await?;
    let permit = decide(&context.actor, Action::ExemptApiKey, keys::resource(&key))?;
    let Some(before) = store::exemption(&mut tx, id).await? else { return Ok(()) };
    store::lift(&mut tx, &permit, id).await?;
    let deed = Deed::on(permit, id, &key.name).inside(key.workspace_id);
    commit(control, context, tx, deed.from(&ShownExemption::of(id, &before))?).await
}

async fn load(tx: &mut Tx, context: &Context, id: KeyId) -> Result<ApiKey, ControlError> {
    api_keys::load(tx, context.organization_id(), id).await?.ok_or(ControlError::NotFound)
}

/// A key whose secret was reported: an API key is disabled, an admin key revoked.
pub struct Leaked {
    /// Its id, as it is shown.
    pub id: String,
    /// `api_key` or `admin_key`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What it is now.
    pub status: &'static str,
}

/// Refuses a key from now on whose secret was found where it should not be: an old secret of it does as well.
pub async fn report_leak(
    control: &Control,
    context: &Context,
    secret: &Secret<String>,
) -> Result<Leaked, ControlError> {
    let text = secret.expose().trim();
    let fingerprint = control.pepper.fingerprint(text);
    if let Some(public_id) = read_public_id(KeyKind::Api, text) {
        let id = of_secret(control, public_id, &fingerprint).await?.ok_or(ControlError::NotFound)?;
        let key = disable(control, context, id, public_id).await?;
        told(control, context, API_KEY, key.id.bytes(), &key.name).await?;
        let (id, status) = (key.id.prefixed(), key.shown_status(context.now));
        return Ok(Leaked { id, kind: API_KEY, name: key.name, status });
    }
    let sentence = "is no key of Louver: those begin with lvr_ or lva_ and end in a checksum";
    let public_id =
        read_public_id(KeyKind::Admin, text).ok_or_else(|| ControlError::field("key", sentence))?;
    let id = of_admin_secret(control, public_id, &fingerprint).await?.ok_or(ControlError::NotFound)?;
    let key = revoke(control, context, id).await?;
    told(control, context, ADMIN_KEY, key.id.bytes(), &key.name).await?;
    Ok(Leaked { id: key.id.to_string(), kind: ADMIN_KEY, name: key.name, status: key.status.as_str() })
}

async fn of_secret(
    control: &Control,
    public_id: PublicId,
    fingerprint: &Fingerprint,
) -> Result<Option<KeyId>, ControlError> {
    if let Some(key) = api_keys::find(&control.store, public_id).await? {
        return Ok(same_fingerprint(fingerprint, &key.fingerprint).then_some(key.id));
    }
    let old = old_secrets::find(&control.store, public_id).await?;
    Ok(old.and_then(|(key, old)| same_fingerprint(fingerprint, &old.fingerprint).then_some(key)))
}

async fn of_admin_secret(
    control: &Control,
    public_id: PublicId,
    fingerprint: &Fingerprint,
) -> Result<Option<AdminKeyId>, ControlError> {
    if let Some(key) = admin_keys::find(&control.store, public_id).await? {
        return Ok(same_fingerprint(fingerprint, &key.fingerprint).then_some(key.id));
    }
    let old = old_secrets::find_admin(&control.store, public_id).await?;
    Ok(old.and_then(|(key, old)| same_fingerprint(fingerprint, &old.fingerprint).then_some(key)))
}

/// Disables a key. If what was found is an old secret, that one is gone for good: nobody who enables the key revives it.
/// With the current one the key stays disabled until it has a new secret.
async fn disable(
    control: &Control,
    context: &Context,
    id: KeyId,
    found: PublicId,
) -> Result<ApiKey, ControlError> {
    let mut tx = control.begin(context).await?;
    let before = load(&mut tx, context, id).await?;
    let permit = decide(&context.actor, Action::ReportLeakedKey, before.organization_id)?;
    let status = if before.status == KeyStatus::Active { KeyStatus::Disabled } else { before.status };
    let key = ApiKey { status, ..before.clone() };
    api_keys::save(&mut tx, &permit, &key).await?;
    old_secrets::retire(&mut tx, &permit, found).await?;
    if found == before.public_id {
        store::note_leak(&mut tx, &permit, id, found).await?;
    }
    let deed = Deed::on(permit, id, &key.name).inside(key.workspace_id);
    let deed = deed.from(&Shown::of(&before, context.now))?.to(&Shown::of(&key, context.now))?;
    commit(control, context, tx, deed).await?;
    Ok(key)
}

async fn revoke(control: &Control, context: &Context, id: AdminKeyId) -> Result<AdminKey, ControlError> {
    let mut tx = control.begin(context).await?;
    let found = admin_keys::load(&mut tx, context.organization_id(), id).await?;
    let before = found.ok_or(ControlError::NotFound)?;
    let permit = decide(&context.actor, Action::ReportLeakedKey, before.organization_id)?;
    let key = AdminKey { status: KeyStatus::Revoked, ..before.clone() };
    admin_keys::save_status(&mut tx, &permit, &key).await?;
    let deed = Deed::on(permit, id, &key.name).from(&ShownAdminKey::of(&before))?;
    commit(control, context, tx, deed.to(&ShownAdminKey::of(&key))?).await?;
    Ok(key)
}

async fn told(
    control: &Control,
    context: &Context,
    scope: &'static str,
    id: [u8; 16],
    name: &str,
) -> Result<(), ControlError> {
    let organization: OrganizationId = context.organization_id();
    alerting::of_key(
        control,
        AlertKind::KeyLeaked,
        (organization, scope, id, name),
        None,
        (context.now, context.now),
    )
    .await
}
