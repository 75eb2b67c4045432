//! Keys of one's own: who may make and rename them, and whether their owner still belongs where they live.

use super::rules::{self, Place};
use super::{KeyPatch, NewKey, resource};
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, Denied, Grants, Identity, Permit, Resource, decide};
use louver_domain::id::WorkspaceId;
use louver_domain::keys::{ApiKey, Owner};
use louver_domain::limits::KeyCreation;
use louver_domain::roles::ORGANIZATION_ADMIN;
use louver_domain::users::User;
use louver_store::{Tx, grants, service_accounts, users};

/// Whether the caller may make that key, and the key as it will be: one's own names oneself as its owner.
pub(super) fn may_create(
    context: &Context,
    place: &Place,
    new: NewKey,
) -> Result<(Permit, NewKey), ControlError> {
    let resource = Resource::workspace(place.organization.id, place.workspace.id);
    match decide(&context.actor, Action::CreateApiKey, resource) {
        Ok(permit) => Ok((permit, new)),
        Err(Denied::Unseen) => Err(rules::no_workspace().concealing()),
        Err(denied) => may_create_own(context, place, new, denied),
    }
}

fn may_create_own(
    context: &Context,
    place: &Place,
    new: NewKey,
    denied: Denied,
) -> Result<(Permit, NewKey), ControlError> {
    let Some(user) = context.actor.user_id() else { return Err(denied.into()) };
    let resource = Resource::workspace(place.organization.id, place.workspace.id);
    let permit = decide(&context.actor, Action::CreateOwnApiKey, resource)?;
    if key_creation(place) != Some(KeyCreation::Members) {
        return forbidden(
            "in this workspace only admins make keys (key_creation is admins): ask one of them",
        );
    }
    if new.service_account_id.is_some() || new.owner_user_id.is_some_and(|id| id != user) {
        return forbidden("you may make keys of your own here, and none for others");
    }
    if new.role.is_some() {
        return forbidden("the model role of a key is set by an admin of its workspace");
    }
    Ok((permit, NewKey { owner_user_id: Some(user), ..new }))
}

/// How much of a key somebody may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// All of it.
    Whole,
    /// Its name and description.
    Name,
    /// Nothing.
    Nothing,
}

/// How much of that key the caller may change.
pub(super) fn change_of(context: &Context, key: &ApiKey) -> Change {
    let whole = decide(&context.actor, Action::UpdateApiKey, resource(key)).is_ok();
    if whole && !is_own(context, key) {
        return Change::Whole;
    }
    match whole || decide(&context.actor, Action::RenameOwnApiKey, resource(key)).is_ok() {
        true => Change::Name,
        false => Change::Nothing,
    }
}

/// Whether the caller may make keys of that place for everybody, for themselves only, or none.
pub(super) fn makes(context: &Context, place: &Place) -> Option<bool> {
    let resource = Resource::workspace(place.organization.id, place.workspace.id);
    if decide(&context.actor, Action::CreateApiKey, resource).is_ok() {
        return Some(true);
    }
    let own = decide(&context.actor, Action::CreateOwnApiKey, resource).is_ok();
    let members = key_creation(place) == Some(KeyCreation::Members);
    (own && members && context.actor.user_id().is_some()).then_some(false)
}

/// The workspace decides; where it says nothing, the organization does, and where neither does, admins only.
fn key_creation(place: &Place) -> Option<KeyCreation> {
    place.workspace.limits.key_creation.or(place.organization.limits.key_creation)
}

fn forbidden<T>(sentence: &str) -> Result<T, ControlError> {
    Err(ControlError::Forbidden(sentence.to_owned()))
}

/// Whether the caller may make that change: any, or on one's own key only to its name and description.
pub(super) fn may_update(context: &Context, key: &ApiKey, patch: &KeyPatch) -> Result<Permit, ControlError> {
    let denied = match decide(&context.actor, Action::UpdateApiKey, resource(key)) {
        Ok(permit) if !is_own(context, key) || patch.beyond_name().is_none() => return Ok(permit),
        Ok(_) => return Err(Denied::OwnRights.into()),
        Err(denied) => denied,
    };
    let permit = decide(&context.actor, Action::RenameOwnApiKey, resource(key)).map_err(|_| denied)?;
    match patch.beyond_name() {
        None => Ok(permit),
        Some(field) => Err(ControlError::Forbidden(format!(
            "of a key of your own you may change name and description; {field} is set by an admin of its workspace"
        ))),
    }
}

/// Refuses whoever the key belongs to, whatever else they may.
pub(super) fn must_be_anothers(context: &Context, key: &ApiKey) -> Result<(), ControlError> {
    if is_own(context, key) { Err(Denied::OwnRights.into()) } else { Ok(()) }
}

fn is_own(context: &Context, key: &ApiKey) -> bool {
    match (&context.actor.identity, key.owner) {
        (Identity::Person { id, .. }, Owner::User(owner)) => *id == owner,
        (Identity::ServiceAccount { id, .. }, Owner::ServiceAccount(owner)) => *id == owner,
        (
            Identity::Person { .. }
            | Identity::ServiceAccount { .. }
            | Identity::AdminKey { .. }
            | Identity::System,
            Owner::Workspace | Owner::User(_) | Owner::ServiceAccount(_),
        ) => false,
    }
}

impl KeyPatch {
    /// The first field that is neither name nor description.
    fn beyond_name(&self) -> Option<&'static str> {
        let Self {
            name: _,
            description: _,
            allowed_models,
            rate_limit_rpm,
            tokens_per_minute,
            monthly_budget_usd,
            role,
            expires_at,
            allowed_endpoints,
            allowed_tools,
            allowed_cidrs,
        } = self;
        let given = [
            ("allowed_models", allowed_models.is_some()),
            ("rate_limit_rpm", rate_limit_rpm.is_some()),
            ("tokens_per_minute", tokens_per_minute.is_some()),
            ("monthly_budget_usd", monthly_budget_usd.is_some()),
            ("role", role.is_some()),
            ("expires_at", expires_at.is_some()),
            ("allowed_endpoints", allowed_endpoints.is_some()),
            ("allowed_tools", allowed_tools.is_some()),
            ("allowed_cidrs", allowed_cidrs.is_some()),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(name, _)| name)
    }
}

/// Refuses when the key's owner is gone, or no longer belongs to its workspace by themselves, through a group or as an
/// organization admin.
pub(crate) async fn must_belong(tx: &mut Tx, key: &ApiKey) -> Result<(), ControlError> {
    let sentence = match key.owner {
        Owner::Workspace => return Ok(()),
        Owner::ServiceAccount(id) => {
            if service_accounts::load(tx, key.organization_id, id).await?.is_some() {
                return Ok(());
            }
            "the service account that owns this key is gone: make a new key"
        }
        Owner::User(id) => {
            let Some(user) = users::load(tx, key.organization_id, id).await? else {
                return conflict(
                    "the owner of this key has left the organization: make a new key for somebody else",
                );
            };
            if belongs(tx, &user, key.workspace_id).await? {
                return Ok(());
            }
            "the owner of this key does not belong to its workspace: add them to it first, or make a new key"
        }
    };
    conflict(sentence)
}

/// Whether a person belongs to a workspace by themselves, through a group or as an organization admin.
pub(super) async fn belongs(tx: &mut Tx, user: &User, workspace: WorkspaceId) -> Result<bool, ControlError> {
    Ok(reaches(&grants::of(tx, user).await?, workspace))
}

/// The same of roles at hand.
pub(crate) fn reaches(grants: &Grants, workspace: WorkspaceId) -> bool {
    let within = grants.workspaces.iter().any(|(id, _)| *id == workspace);
    within || grants.organization.contains(&ORGANIZATION_ADMIN)
}

fn conflict(sentence: &str) -> Result<(), ControlError> {
    Err(ControlError::Conflict(sentence.to_owned()))
}
