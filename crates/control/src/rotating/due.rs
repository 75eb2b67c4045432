//! Which keys are due by their policies: their rotations begin by themselves, and people are told before.

use super::told;
use crate::Control;
use crate::actions::{Deed, commit, rotations};
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, decide};
use louver_domain::calendar::Zone;
use louver_domain::id::{KeyId, OrganizationId, WorkspaceId};
use louver_domain::rotation_policies::{Policy, PolicyScope, REST_SECONDS};
use louver_domain::rotations::{State, Subject};
use louver_domain::time::Timestamp;
use louver_store::old_secrets::{self, Aged};
use louver_store::rotation_policies::{self, SetPolicy};
use louver_store::{organizations, rotations as store, workspaces};
use std::collections::{HashMap, HashSet};

const SECONDS_PER_DAY: i64 = 86_400;
/// Keys that are read at a time.
const PAGE: u32 = 500;

/// The keys that this node has told of, with when their secrets were made: a key that is due is told of once.
pub(crate) type Told = HashSet<(KeyId, Timestamp)>;

/// Begins what is due now, and tells of what will be.
pub(crate) async fn begin(control: &Control, told: &mut Told) -> Result<(), ControlError> {
    let set = rotation_policies::all(&control.store).await?;
    let Some(youngest) = youngest_told_of(&set, control.clock.now()) else { return Ok(()) };
    let policies = Policies::read(control, &set).await?;
    let mut after = None;
    loop {
        let aged = old_secrets::aged(&control.store, youngest, after, PAGE).await?;
        after = aged.last().map(|last| last.key);
        for key in &aged {
            if let Err(error) = look_at(control, &policies, key, told).await {
                tracing::error!(key = %key.key, %error, "a rotation that is due could not be begun");
            }
        }
        if aged.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
            return Ok(());
        }
    }
}

/// Secrets that were made later than that are nobody's business yet, whatever the policies say.
fn youngest_told_of(set: &[SetPolicy], now: Timestamp) -> Option<Timestamp> {
    let days = |field: fn(&Policy) -> Option<u32>| set.iter().filter_map(move |one| field(&one.policy));
    let period = i64::from(days(|policy| policy.period_days).min()?);
    let remind = days(|policy| policy.remind_days).max().unwrap_or(0);
    let remind = i64::from(remind.max(louver_domain::rotation_policies::DEFAULT_REMIND_DAYS));
    let early =
        i64::from(days(|policy| policy.jitter_hours).max().unwrap_or(0)).checked_div(24)?.saturating_add(1);
    let least = period.saturating_sub(remind).saturating_sub(early).max(0);
    Some(now.plus_seconds(least.saturating_mul(SECONDS_PER_DAY).saturating_neg()))
}

/// What holds for keys, by where they live.
struct Policies {
    set: HashMap<[u8; 16], Policy>,
    zones: HashMap<WorkspaceId, Zone>,
}

impl Policies {
    async fn read(control: &Control, set: &[SetPolicy]) -> Result<Self, ControlError> {
        let mut zones = HashMap::new();
        for organization in organizations::list(&control.store).await? {
            for workspace in workspaces::list(&control.store, organization.id).await? {
                let name = workspace.limits.timezone.as_ref().or(organization.limits.timezone.as_ref());
                let zone = name.and_then(|name| Zone::parse(name)).unwrap_or_default();
                zones.insert(workspace.id, zone);
            }
        }
        let set = set.iter().map(|one| (one.scope.bytes(), one.policy.clone())).collect();
        Ok(Self { set, zones })
    }

    fn of(&self, key: &Aged) -> Policy {
        let scopes = [
            PolicyScope::Key(key.key),
            PolicyScope::Workspace(key.workspace_id),
            PolicyScope::Organization(key.organization_id),
        ];
        let found: Vec<&Policy> = scopes.iter().filter_map(|scope| self.set.get(&scope.bytes())).collect();
        Policy::nearest(found)
    }
}

async fn look_at(
    control: &Control,
    policies: &Policies,
    key: &Aged,
    told: &mut Told,
) -> Result<(), ControlError> {
    let policy = policies.of(key);
    let zone = policies.zones.get(&key.workspace_id).cloned().unwrap_or_default();
    let now = control.clock.now();
    let Some(due) = policy.due(key.key, key.made, &zone) else { return Ok(()) };
    if now < policy.reminds_from(due) || key.expires_at.is_some_and(|end| end <= now) {
        return Ok(());
    }
    let whose = (key.organization_id, Subject::ApiKey(key.key), key.name.as_str());
    if !told.contains(&(key.key, key.made)) {
        told::due(control, whose, key.made, due).await?;
        told.insert((key.key, key.made));
    }
    // Without a destination nobody would get the new secret: then it stays with the word.
    if due <= now && !policy.plan().destinations.is_empty() {
        begin_one(control, (key.organization_id, key.key), key.made, &policy).await?;
    }
    Ok(())
}

async fn begin_one(
    control: &Control,
    (organization, id): (OrganizationId, KeyId),
    made: Timestamp,
    policy: &Policy,
) -> Result<(), ControlError> {
    let context = Context::system(organization, control.clock.now());
    let mut tx = control.begin(&context).await?;
    let subject = Subject::ApiKey(id);
    if store::live(&mut tx, subject).await?.is_some() {
        return Ok(());
    }
    // Whoever called one off has a reason, which is not gone a minute later.
    let rests = |at: Timestamp| context.now < at.plus_seconds(REST_SECONDS);
    if store::called_off_at(&mut tx, subject).await?.is_some_and(rests) {
        return Ok(());
    }
    // It may have been rotated since the look.
    let secrets = old_secrets::load(&mut tx, organization, old_secrets::Of::Api(id)).await?;
    if secrets.is_none_or(|secrets| secrets.current.created_at != made) {
        return Ok(());
    }
    let Some(key) = louver_store::keys::load(&mut tx, organization, id).await? else { return Ok(()) };
    let permit = decide(&context.actor, Action::StartRotation, organization)?;
    let Some(workspace) = workspaces::load(&mut tx, organization, key.workspace_id).await? else {
        return Ok(());
    };
    let (whose, place) = ((subject, key.name.as_str()), (Some(key.workspace_id), workspace.name.as_str()));
    let mut rotation = rotations::fresh(control, &context, whose, place, policy.plan(), "policy");
    rotation.state = State::begin(tx.now().await?);
    store::insert(&mut tx, &permit, &rotation).await?;
    let deed = Deed::on(permit, rotation.id, &rotation.name).inside(key.workspace_id);
    commit(control, &context, tx, deed.to(&crate::api::rotations::Shown::of(&rotation))?).await
}
