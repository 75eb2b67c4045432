//! Managed rotations: begun, seen, tried again now, and called off while the old secret lives.

use super::old_secrets::{HowToRotate, must_hold_what_it_gives, must_live, overlap};
use super::{Deed, commit, keys, rotation_policies as policies};
use crate::Control;
use crate::api::rotations::Shown;
use crate::context::Context;
use crate::error::ControlError;
use crate::openapi::shapes;
use crate::visible::visible;
use louver_domain::access::{Action, Permit, Resource, decide};
use louver_domain::id::{AdminKeyId, KeyId, RotationId, SecretDestinationId, WorkspaceId};
use louver_domain::rotation_policies::Policy;
use louver_domain::rotations::{Plan, Rotation, State, Step, Subject};
use louver_store::rotations as store;
pub use louver_store::rotations::Filter;
use louver_store::{Tx, admin_keys, keys as api_keys, old_secrets, secret_destinations, workspaces};
use schemars::JsonSchema;
use serde::Deserialize;

/// A rotation to be begun: of one key.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "NewRotation")]
#[schemars(extend("examples" = [{"key_id": "018f0000-0000-7000-8000-000000000001", "overlap": "24h"}]))]
#[serde(deny_unknown_fields, default)]
pub struct NewRotation {
    /// The API key.
    #[schemars(with = "Option<shapes::Id>")]
    pub key_id: Option<KeyId>,
    /// The admin key, in place of an API key.
    #[schemars(with = "Option<shapes::Id>")]
    pub admin_key_id: Option<AdminKeyId>,
    /// No overlap: the old secret ends as soon as the new one was seen to work.
    pub emergency: bool,
    /// Where the new secret goes; absent is what the policies say.
    #[schemars(with = "Option<Vec<shapes::Id>>")]
    pub destinations: Option<Vec<SecretDestinationId>>,
    /// How long both secrets work, as in `24h`; absent is what the policies say.
    pub overlap: Option<String>,
}

/// A rotation at its beginning.
pub(crate) fn fresh(
    control: &Control,
    context: &Context,
    (subject, name): (Subject, &str),
    (workspace_id, workspace): (Option<WorkspaceId>, &str),
    plan: Plan,
    started_by: &str,
) -> Rotation {
    Rotation {
        id: RotationId::new(context.now, &*control.entropy),
        organization_id: context.organization_id(),
        workspace_id,
        subject,
        name: name.to_owned(),
        workspace: workspace.to_owned(),
        emergency: plan.overlap_seconds == 0,
        plan,
        state: State::begin(context.now),
        started_by: started_by.to_owned(),
        created_at: context.now,
        old_public_id: None,
        new_public_id: None,
        last_error: None,
    }
}

/// What stands for the workspace in the places of admin keys.
const NO_WORKSPACE: &str = "admin";

/// What is to be rotated, as the caller may rotate it.
struct Chosen {
    subject: Subject,
    name: String,
    workspace_id: Option<WorkspaceId>,
    /// Its name.
    workspace: String,
    permit: Permit,
    policy: Policy,
}

/// Begins a managed rotation; its secret goes to the destinations and is shown to nobody.
pub async fn start(control: &Control, context: &Context, new: NewRotation) -> Result<Rotation, ControlError> {
    let asked = overlap(&HowToRotate { overlap: new.overlap.clone() })?;
    if new.emergency && asked.is_some_and(|seconds| seconds > 0) {
        return Err(ControlError::field("overlap", "an emergency has no overlap"));
    }
    let mut tx = control.begin(context).await?;
    let chosen = choose(&mut tx, context, &new).await?;
    let mut plan = chosen.policy.plan();
    plan.overlap_seconds = if new.emergency { 0 } else { asked.unwrap_or(plan.overlap_seconds) };
    // What a policy names was looked at when it was set, by whoever may do that.
    let chosen_here = new.destinations.is_some();
    plan.destinations = new.destinations.unwrap_or(plan.destinations);
    if plan.destinations.is_empty() {
        let sentence = "names where the new secret goes: neither the request nor a policy says it";
        return Err(ControlError::field("destinations", sentence));
    }
    let reach = chosen.workspace_id;
    if chosen_here {
        must_take(&mut tx, context, "destinations", &plan.destinations, reach).await?;
    }
    if let Some(live) = store::live(&mut tx, chosen.subject).await? {
        let sentence = format!("it is being rotated already: {} is at {}", live.id, live.state.step.as_str());
        return Err(ControlError::Conflict(sentence));
    }
    let whose = (chosen.subject, chosen.name.as_str());
    let place = (chosen.workspace_id, chosen.workspace.as_str());
    let rotation = fresh(control, context, whose, place, plan, context.actor.name());
    store::insert(&mut tx, &chosen.permit, &rotation).await?;
    commit(control, context, tx, deed(chosen.permit, &rotation).to(&Shown::of(&rotation))?).await?;
    control.rotating.wake();
    Ok(rotation)
}

fn deed(permit: Permit, rotation: &Rotation) -> Deed {
    let deed = Deed::on(permit, rotation.id, &rotation.name);
    match rotation.workspace_id {
        Some(workspace) => deed.inside(workspace),
        None => deed,
    }
}

async fn choose(tx: &mut Tx, context: &Context, new: &NewRotation) -> Result<Chosen, ControlError> {
    let organization = context.organization_id();
    match (new.key_id, new.admin_key_id) {
        (Some(id), None) => {
            let key = api_keys::load(tx, organization, id).await?.ok_or(ControlError::NotFound)?;
            let permit = decide(&context.actor, Action::StartRotation, keys::resource(&key))?;
            must_live(key.status, key.expires_at, context.now)?;
            if key.canary {
                return Err(ControlError::Conflict("a bait is refused: nobody reads a secret of it".into()));
            }
            let workspace = workspaces::load(tx, organization, key.workspace_id).await?;
            Ok(Chosen {
                workspace: workspace.ok_or(ControlError::NotFound)?.name,
                subject: Subject::ApiKey(id),
                policy: policies::of_key(tx, &key).await?,
                name: key.name,
                workspace_id: Some(key.workspace_id),
                permit,
            })
        }
        (None, Some(id)) => {
            let found = admin_keys::load(tx, organization, id).await?;
            let key = found.ok_or(ControlError::NotFound)?;
            decide(&context.actor, Action::RotateAdminKey, organization)?;
            let permit = decide(&context.actor, Action::StartRotation, organization)?;
            must_hold_what_it_gives(tx, &context.actor, &key).await?;
            must_live(key.status, key.expires_at, context.now)?;
            let subject = Subject::AdminKey(id);
            Ok(Chosen {
                subject,
                policy: Policy::default(),
                name: key.name,
                workspace_id: None,
                workspace: NO_WORKSPACE.to_owned(),
                permit,
            })
        }
        (Some(_), Some(_)) | (None, None) => Err(ControlError::field(
            "key_id",
            "names what is rotated: a key_id or an admin_key_id, and one of them",
        )),
    }
}

/// Refuses destinations that are not there, or that take keys of another workspace only. `within` is where the keys live;
/// none is in all of them.
pub(crate) async fn must_take(
    tx: &mut Tx,
    context: &Context,
    field: &'static str,
    ids: &[SecretDestinationId],
    within: Option<WorkspaceId>,
) -> Result<(), ControlError> {
    const MOST: usize = 8;
    if ids.len() > MOST {
        return Err(ControlError::field(field, "names more than 8 destinations"));
    }
    for (place, id) in ids.iter().enumerate() {
        let found = secret_destinations::load(tx, context.organization_id(), *id).await?;
        // What is the organization's takes keys from everywhere, for those who may see it.
        let everywhere =
            decide(&context.actor, Action::ReadSecretDestinations, context.organization_id()).is_ok();
        let takes = found.is_some_and(|one| match one.workspace_id {
            Some(only) => Some(only) == within,
            None => everywhere,
        });
        if !takes || ids.iter().take(place).any(|other| other == id) {
            let sentence = "names a destination twice, or one that is not there or takes no keys from here";
            return Err(ControlError::field(field, sentence));
        }
    }
    Ok(())
}

/// The rotations that the caller may see, newest first, at most `limit`.
pub async fn list(
    control: &Control,
    context: &Context,
    filter: Filter,
    limit: u32,
) -> Result<Vec<Rotation>, ControlError> {
    let seen = visible(&context.actor, Action::ReadRotations, filter.workspace)?;
    let filter = Filter { workspace: seen.workspace, ..filter };
    Ok(store::list(&control.store, context.organization_id(), filter, limit).await?)
}

fn resource(context: &Context, rotation: &Rotation) -> Resource {
    match rotation.workspace_id {
        Some(workspace) => Resource::workspace(context.organization_id(), workspace),
        None => Resource::organization(context.organization_id()),
    }
}

/// One of them.
pub async fn get(control: &Control, context: &Context, id: RotationId) -> Result<Rotation, ControlError> {
    let found = store::get(&control.store, context.organization_id(), id).await?;
    let rotation = found.ok_or(ControlError::NotFound)?;
    decide(&context.actor, Action::ReadRotations, resource(context, &rotation))?;
    Ok(rotation)
}

/// Tries the step that a rotation is at now, and not when its wait is over.
pub async fn retry(control: &Control, context: &Context, id: RotationId) -> Result<Rotation, ControlError> {
    let mut tx = control.begin(context).await?;
    let (before, _, permit) = load(&mut tx, context, id, Action::RetryRotation).await?;
    if !before.state.step.is_live() || before.state.attempts == 0 {
        return Err(ControlError::Conflict("nothing of this rotation waits for another try".into()));
    }
    let state = State { next_at: context.now, attempts: 0, ..before.state };
    change(control, context, tx, permit, (before, state)).await
}

/// Calls a rotation off: the old secret goes back to the destinations and is the key's own again.
pub async fn cancel(control: &Control, context: &Context, id: RotationId) -> Result<Rotation, ControlError> {
    let mut tx = control.begin(context).await?;
    let (before, old_is_known, permit) = load(&mut tx, context, id, Action::CancelRotation).await?;
    let now = tx.now().await?;
    let called_off = before.state.called_off(now, old_is_known);
    let mut state = called_off.ok_or_else(|| too_late(&before, old_is_known))?;
    if before.state.step == Step::Writing {
        // Somebody may be writing the new secret right now: the old one goes back when their time is over.
        state.next_at = now.plus_seconds(store::LEASE_SECONDS);
    }
    if let (Some(_), Some(old)) = (before.state.ends_at, before.old_public_id) {
        old_secrets::set_deadline(&mut tx, &permit, old, None).await?;
    }
    change(control, context, tx, permit, (before, state)).await
}

fn too_late(rotation: &Rotation, old_is_known: bool) -> ControlError {
    let sentence = match rotation.state.step {
        Step::Done | Step::Cancelled => "the rotation is over",
        Step::Undoing | Step::Settling => "the rotation is being called off already",
        Step::Retiring | Step::Checking => {
            "the old secret has ended: rotate the key again if the new one is wrong"
        }
        Step::Creating | Step::Writing | Step::Propagating | Step::Verifying | Step::Overlapping
            if old_is_known =>
        {
            "the old secret has ended: rotate the key again if the new one is wrong"
        }
        Step::Creating | Step::Writing | Step::Propagating | Step::Verifying | Step::Overlapping => {
            "the old secret could not be read from the destinations, so that nobody could write it back"
        }
    };
    ControlError::Conflict(sentence.into())
}

async fn load(
    tx: &mut Tx,
    context: &Context,
    id: RotationId,
    action: Action,
) -> Result<(Rotation, bool, Permit), ControlError> {
    let found = store::load(tx, context.organization_id(), id).await?;
    let (rotation, old_is_known) = found.ok_or(ControlError::NotFound)?;
    let permit = decide(&context.actor, action, resource(context, &rotation))?;
    Ok((rotation, old_is_known, permit))
}

async fn change(
    control: &Control,
    context: &Context,
    mut tx: Tx,
    permit: Permit,
    (before, state): (Rotation, State),
) -> Result<Rotation, ControlError> {
    store::save(&mut tx, &before, &state).await?;
    let after = Rotation { state, ..before.clone() };
    let deed = deed(permit, &before).from(&Shown::of(&before))?.to(&Shown::of(&after))?;
    commit(control, context, tx, deed).await?;
    control.rotating.wake();
    Ok(after)
}

/// Ends the managed rotation of a key that gets another secret at once; with an overlap the two would be at odds.
pub(crate) async fn give_way(
    tx: &mut Tx,
    context: &Context,
    subject: Subject,
    at_once: bool,
) -> Result<(), ControlError> {
    let Some(live) = store::live(tx, subject).await? else { return Ok(()) };
    if !at_once {
        let sentence = format!(
            "the rotation {} of this key goes on: cancel it, wait until it is over, or rotate with the overlap 0s",
            live.id
        );
        return Err(ControlError::Conflict(sentence));
    }
    let state = live.state.given_up(context.now);
    let sentence = "the key was rotated without an overlap".to_owned();
    Ok(store::save(tx, &Rotation { last_error: Some(sentence), ..live }, &state).await?)
}
