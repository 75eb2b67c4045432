//! What a form about keys has to know: where the caller may make keys, what may be done with one, and who owners are.

use super::own::{self, Change};
use super::resource;
use super::rules::{self, Place};
use crate::Control;
use crate::actions::names;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, Resource, decide};
use louver_domain::id::{KeyId, UserId, WorkspaceId};
use louver_domain::keys::{ApiKey, Owner};
use louver_domain::workspaces::Workspace;
use louver_store::{organizations, service_accounts, users, workspaces};
use std::collections::HashMap;

/// A workspace where the caller may make keys.
#[derive(Clone, Debug)]
pub struct Makeable {
    /// The workspace.
    pub workspace: Workspace,
    /// Whether for everybody, or for themselves only.
    pub for_others: bool,
    /// The longest life that a key may have there.
    pub longest_days: Option<u32>,
}

/// The workspaces where the caller may make keys.
pub async fn makeable(control: &Control, context: &Context) -> Result<Vec<Makeable>, ControlError> {
    let id = context.organization_id();
    let organization = organizations::get(&control.store, id).await?.ok_or(ControlError::NotFound)?;
    let all = workspaces::list(&control.store, id).await?;
    let active = all.into_iter().filter(|workspace| workspace.archived_at.is_none());
    let found = active.filter_map(|workspace| {
        let place = Place { organization: organization.clone(), workspace };
        let for_others = own::makes(context, &place)?;
        let longest_days = rules::longest_days(&place);
        Some(Makeable { workspace: place.workspace, for_others, longest_days })
    });
    Ok(found.collect())
}

/// Whether the caller may do that with a key, as far as it is known before it is tried.
pub fn may(context: &Context, action: Action, key: &ApiKey) -> bool {
    decide(&context.actor, action, resource(key)).is_ok()
}

/// How much of a key the caller may change.
pub fn change_of(context: &Context, key: &ApiKey) -> Change {
    own::change_of(context, key)
}

/// The person of that mail address as the owner of a key to be made in a workspace.
pub async fn owner_by_email(
    control: &Control,
    context: &Context,
    workspace: WorkspaceId,
    email: &str,
) -> Result<UserId, ControlError> {
    let organization = context.organization_id();
    decide(&context.actor, Action::CreateApiKey, Resource::workspace(organization, workspace))?;
    let email = names::read_email("owner_user_id", email)?;
    let mut tx = control.store.begin_read().await?;
    let found = users::load_by_email(&mut tx, organization, &email).await?;
    let user = found.filter(|user| user.removed_at.is_none()).ok_or_else(rules::no_owner)?;
    match own::belongs(&mut tx, &user, workspace).await? {
        true => Ok(user.id),
        false => Err(rules::no_owner().concealing()),
    }
}

/// What people call the owners of keys that the caller sees, as far as the caller may know of them.
pub async fn owner_names(
    control: &Control,
    context: &Context,
    keys: &[&ApiKey],
) -> Result<HashMap<KeyId, String>, ControlError> {
    let organization = context.organization_id();
    let sees_people = decide(&context.actor, Action::ReadUsers, organization).is_ok();
    let owned_by_account = keys.iter().any(|key| matches!(key.owner, Owner::ServiceAccount(_)));
    let accounts = match owned_by_account {
        true => service_accounts::list(&control.store, organization).await?,
        false => Vec::new(),
    };
    let mut people: HashMap<UserId, Option<String>> = HashMap::new();
    let mut names = HashMap::new();
    for key in keys {
        let place = Resource::workspace(organization, key.workspace_id);
        let name = match key.owner {
            Owner::Workspace => None,
            Owner::ServiceAccount(id) => {
                let seen = decide(&context.actor, Action::ReadServiceAccounts, place).is_ok();
                accounts.iter().find(|one| one.id == id && seen).map(|one| one.name.clone())
            }
            Owner::User(id) if sees_people || context.actor.user_id() == Some(id) => {
                if let Some(known) = people.get(&id) {
                    known.clone()
                } else {
                    let user = users::get(&control.store, organization, id).await?;
                    let email = user.map(|user| user.email);
                    people.insert(id, email.clone());
                    email
                }
            }
            Owner::User(_) => None,
        };
        names.extend(name.map(|name| (key.id, name)));
    }
    Ok(names)
}
