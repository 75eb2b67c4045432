//! What a key may be given: an owner, limits and a life within those of its workspace and organization.

use super::own;
use crate::actions::limits;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::id::{ServiceAccountId, UserId, WorkspaceId};
use louver_domain::keys::{ApiKey, Owner};
use louver_domain::limits::Limits;
use louver_domain::network::Cidr;
use louver_domain::organizations::Organization;
use louver_domain::time::Timestamp;
use louver_domain::workspaces::Workspace;
use louver_store::{Tx, organizations, service_accounts, users, workspaces};

const SECONDS_PER_DAY: i64 = 86_400;
const LARGEST_RATE: u64 = 1_000_000_000;
const MOST_BLOCKS: usize = 256;

/// Where a key lives.
pub(super) struct Place {
    pub(super) organization: Organization,
    pub(super) workspace: Workspace,
}

/// The workspace that a new key names, or the default one.
pub(super) async fn place_of(
    tx: &mut Tx,
    context: &Context,
    named: Option<WorkspaceId>,
) -> Result<Place, ControlError> {
    let organization = organization(tx, context).await?;
    let found = match named {
        Some(id) => workspaces::load(tx, organization.id, id).await?,
        None => workspaces::load_default(tx, organization.id).await?,
    };
    Ok(Place { organization, workspace: found.ok_or_else(no_workspace)? })
}

/// The same for a workspace that is not there and for one that the caller may not know of.
pub(super) fn no_workspace() -> ControlError {
    ControlError::field("workspace_id", "names no workspace of this organization")
}

/// Refuses new keys in an archived workspace.
pub(super) fn must_be_active(place: &Place) -> Result<(), ControlError> {
    match place.workspace.archived_at {
        Some(_) => Err(ControlError::field("workspace_id", "names an archived workspace")),
        None => Ok(()),
    }
}

/// Where a key that exists lives.
pub(super) async fn place_of_key(
    tx: &mut Tx,
    context: &Context,
    key: &ApiKey,
) -> Result<Place, ControlError> {
    let organization = organization(tx, context).await?;
    let workspace =
        workspaces::load(tx, organization.id, key.workspace_id).await?.ok_or(ControlError::NotFound)?;
    Ok(Place { organization, workspace })
}

async fn organization(tx: &mut Tx, context: &Context) -> Result<Organization, ControlError> {
    organizations::load(tx, context.organization_id()).await?.ok_or(ControlError::NotFound)
}

/// The owner that a new key names, with the owner's limits when it is a person.
pub(super) async fn owner(
    tx: &mut Tx,
    place: &Place,
    user: Option<UserId>,
    account: Option<ServiceAccountId>,
) -> Result<(Owner, Option<Limits>), ControlError> {
    match (user, account) {
        (None, None) => Ok((Owner::Workspace, None)),
        (Some(_), Some(_)) => {
            Err(ControlError::field("service_account_id", "a key has one owner: a user or a service account"))
        }
        (Some(id), None) => {
            let user = users::load(tx, place.organization.id, id).await?.ok_or_else(no_owner)?;
            // Whoever makes the key holds its secret: in the name of somebody from elsewhere it would be borrowed.
            match own::belongs(tx, &user, place.workspace.id).await? {
                true => Ok((Owner::User(id), Some(user.limits))),
                false => Err(no_owner().concealing()),
            }
        }
        (None, Some(id)) => {
            let found = service_accounts::load(tx, place.organization.id, id).await?;
            let account = found.filter(|account| account.workspace_id == place.workspace.id);
            let account = account.ok_or_else(|| {
                ControlError::field("service_account_id", "names no service account of the workspace")
            })?;
            Ok((Owner::ServiceAccount(account.id), None))
        }
    }
}

/// The same for somebody who is not there and for one who does not belong to the workspace.
pub(super) fn no_owner() -> ControlError {
    ControlError::field("owner_user_id", "names no user of this workspace")
}

/// The limits of the person who owns a key.
pub(super) async fn owner_limits(
    tx: &mut Tx,
    place: &Place,
    owner: Owner,
) -> Result<Option<Limits>, ControlError> {
    match owner {
        Owner::Workspace | Owner::ServiceAccount(_) => Ok(None),
        Owner::User(id) => Ok(users::load(tx, place.organization.id, id).await?.map(|user| user.limits)),
    }
}

fn naming(name: &str) -> String {
    if name == "requests_per_minute" { "rate_limit_rpm".to_owned() } else { name.to_owned() }
}

/// Checks limits that are being set on a key.
pub(super) async fn check_limits(
    tx: &mut Tx,
    touched: &Limits,
    place: &Place,
    owner: Option<&Limits>,
) -> Result<(), ControlError> {
    if touched.requests_per_minute.is_some_and(|rate| rate > LARGEST_RATE) {
        return Err(ControlError::field("rate_limit_rpm", "must be at most 1,000,000,000"));
    }
    limits::check(tx, touched, &parents(place, owner), naming).await
}

/// The same for limits that come as the one object that all levels have.
pub(super) async fn check_bare_limits(
    tx: &mut Tx,
    touched: &Limits,
    place: &Place,
    owner: Option<&Limits>,
) -> Result<(), ControlError> {
    limits::check(tx, touched, &parents(place, owner), limits::bare).await
}

fn parents<'a>(place: &'a Place, owner: Option<&'a Limits>) -> Vec<(&'static str, &'a Limits)> {
    let above = [("workspace", &place.workspace.limits), ("organization", &place.organization.limits)];
    above.into_iter().chain(owner.map(|limits| ("owner", limits))).collect()
}

/// The expiry a key gets: the one asked for, in the future, and never after the longest life that its workspace and
/// organization allow, counted from its creation.
pub(super) fn expiry(
    asked: Option<Timestamp>,
    created: Timestamp,
    now: Timestamp,
    place: &Place,
) -> Result<Option<Timestamp>, ControlError> {
    if asked.is_some_and(|end| end <= now) {
        return Err(ControlError::field("expires_at", "must be in the future"));
    }
    let Some(days) = longest_days(place) else { return Ok(asked) };
    let last = created.plus_seconds(i64::from(days).saturating_mul(SECONDS_PER_DAY));
    if last <= now {
        return Err(ControlError::field(
            "expires_at",
            "the key is older than a key may become here; make a new one",
        ));
    }
    Ok(Some(asked.map_or(last, |end| end.min(last))))
}

/// The longest life in days that keys may have there.
pub(super) fn longest_days(place: &Place) -> Option<u32> {
    let levels = [&place.workspace.limits, &place.organization.limits];
    levels.into_iter().filter_map(|limits| limits.max_key_lifetime_days).min()
}

/// Address blocks, not too many of them.
pub(super) fn blocks(asked: Option<Vec<Cidr>>) -> Result<Option<Vec<Cidr>>, ControlError> {
    if asked.as_ref().is_some_and(|blocks| blocks.len() > MOST_BLOCKS) {
        return Err(ControlError::field("allowed_cidrs", "must have at most 256 entries"));
    }
    Ok(asked)
}
