//! Custom roles: named sets of permissions, made, changed, and deleted when nobody has them.

use super::{Deed, commit, names};
use crate::Control;
use crate::api::custom_roles::Shown;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, ActionSet, Denied, Identity, decide, may_grant};
use louver_domain::folding::caseless;
use louver_domain::id::RoleId;
use louver_domain::roles::{Builtin, CustomRole, RoleLevel, Roles};
use louver_store::{Tx, custom_roles as store, grants, service_accounts, users};
use uuid::Uuid;

/// How Mistral's older requests name built-in roles.
const LETTERS: [&str; 3] = ["A", "M", "B"];

const TAKEN: &str = "a role of that name exists already";

/// A role to be made.
#[derive(Clone, Debug)]
pub struct NewRole {
    /// Its name, new in the organization, also among the built-in roles.
    pub name: String,
    /// For people.
    pub description: String,
    /// Where it can be given.
    pub level: RoleLevel,
    /// The names of the permissions.
    pub permissions: Vec<String>,
}

/// What changes of a role; its level does not.
#[derive(Clone, Debug, Default)]
pub struct RolePatch {
    /// The name.
    pub name: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// The names of all its permissions.
    pub permissions: Option<Vec<String>>,
}

/// The roles of the caller's organization.
pub async fn list(control: &Control, context: &Context) -> Result<Roles, ControlError> {
    Ok(store::list(&control.store, context.organization_id()).await?)
}

/// One custom role.
pub async fn get(control: &Control, context: &Context, id: RoleId) -> Result<CustomRole, ControlError> {
    let all = list(control, context).await?;
    all.custom().iter().find(|role| role.id == id).cloned().ok_or(ControlError::NotFound)
}

/// Makes a role.
pub async fn create(control: &Control, context: &Context, new: NewRole) -> Result<CustomRole, ControlError> {
    let permit = decide(&context.actor, Action::CreateRole, context.organization_id())?;
    let new = NewRole { name: read_name(&new.name)?, ..new };
    names::check_description(Some(&new.description))?;
    let actions = read_permissions(new.level, &new.permissions)?;
    may_grant(&context.actor, None, actions, None)?;
    let mut tx = control.begin(context).await?;
    let role = CustomRole {
        id: RoleId::new(context.now, &*control.entropy),
        name: new.name,
        description: new.description,
        level: new.level,
        actions,
        created_at: context.now,
    };
    must_be_new(&mut tx, context, &role).await?;
    store::insert(&mut tx, &permit, &role).await.map_err(taken)?;
    let deed = Deed::on(permit, role.id, &role.name).to(&Shown::of(&role))?;
    commit(control, context, tx, deed).await?;
    Ok(role)
}

/// Changes a role, and with it what everybody may who has it.
pub async fn update(
    control: &Control,
    context: &Context,
    id: RoleId,
    patch: RolePatch,
) -> Result<CustomRole, ControlError> {
    let mut tx = control.begin(context).await?;
    let before = load(&mut tx, context, id).await?;
    let permit = decide(&context.actor, Action::UpdateRole, context.organization_id())?;
    must_be_of_others(&mut tx, context, id).await?;
    let mut role = before.clone();
    if let Some(name) = patch.name {
        role.name = read_name(&name)?;
        must_be_new(&mut tx, context, &role).await?;
    }
    names::check_description(patch.description.as_deref())?;
    role.description = patch.description.unwrap_or(role.description);
    if let Some(permissions) = patch.permissions {
        role.actions = read_permissions(role.level, &permissions)?;
    }
    let changed = role.actions.without(before.actions).union(before.actions.without(role.actions));
    may_grant(&context.actor, None, changed, None)?;
    store::save(&mut tx, &permit, &role).await.map_err(taken)?;
    let deed = Deed::on(permit, role.id, &role.name).from(&Shown::of(&before))?.to(&Shown::of(&role))?;
    commit(control, context, tx, deed).await?;
    Ok(role)
}

/// Deletes a role that nobody has.
pub async fn delete(control: &Control, context: &Context, id: RoleId) -> Result<(), ControlError> {
    let mut tx = control.begin(context).await?;
    let role = load(&mut tx, context, id).await?;
    let permit = decide(&context.actor, Action::DeleteRole, context.organization_id())?;
    if store::is_given(&mut tx, context.organization_id(), id).await? {
        let sentence = "the role is given to somebody: take it from everybody first";
        return Err(ControlError::Conflict(sentence.into()));
    }
    store::delete(&mut tx, &permit, id).await?;
    commit(control, context, tx, Deed::on(permit, id, &role.name).from(&Shown::of(&role))?).await
}

async fn load(tx: &mut Tx, context: &Context, id: RoleId) -> Result<CustomRole, ControlError> {
    let all = store::load(tx, context.organization_id()).await?;
    all.custom().iter().find(|role| role.id == id).cloned().ok_or(ControlError::NotFound)
}

fn read_name(name: &str) -> Result<String, ControlError> {
    let name = names::read("name", name)?;
    if RoleId::parse(&name).is_some() || Uuid::try_parse(&name).is_ok() || LETTERS.contains(&name.as_str()) {
        return Err(ControlError::field("name", "must not read as the id or the letter of a role"));
    }
    let levels = [RoleLevel::Organization, RoleLevel::Workspace];
    if levels.into_iter().any(|level| Builtin::named(level, &caseless(&name)).is_some()) {
        return Err(ControlError::Conflict("that is the name of a built-in role".into()));
    }
    Ok(name)
}

async fn must_be_new(tx: &mut Tx, context: &Context, role: &CustomRole) -> Result<(), ControlError> {
    let all = store::load(tx, context.organization_id()).await?;
    let others = all.custom().iter().filter(|other| other.id != role.id).map(|other| other.name.as_str());
    names::must_be_new(&role.name, others, TAKEN)
}

fn taken(error: louver_store::StoreError) -> ControlError {
    ControlError::or_taken(error, TAKEN)
}

/// The permissions of those names, which a role of that level may hold.
fn read_permissions(level: RoleLevel, permissions: &[String]) -> Result<ActionSet, ControlError> {
    let read = |(place, name): (usize, &String)| {
        let fault = |what: &str| {
            let name: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
            ControlError::field(&format!("permissions.{place}"), format!("{name}: {what}"))
        };
        let action = Action::parse(name).ok_or_else(|| fault("there is no such permission"))?;
        if !action.can_be_held() {
            return Err(fault("no role can hold this permission"));
        }
        if level == RoleLevel::Workspace && action.level() == RoleLevel::Organization {
            return Err(fault("only a role of the organization can hold this permission"));
        }
        Ok(action)
    };
    permissions.iter().enumerate().map(read).collect()
}

/// Nobody changes a role that they have themselves, in whatever way it came to them.
async fn must_be_of_others(tx: &mut Tx, context: &Context, id: RoleId) -> Result<(), ControlError> {
    let organization = context.organization_id();
    let own = match &context.actor.identity {
        Identity::AdminKey { .. } | Identity::System => false,
        Identity::Person { id: user, .. } => match users::load(tx, organization, *user).await? {
            Some(user) => {
                let held = grants::of(tx, &user).await?;
                let within = held.workspaces.iter().any(|(_, roles)| roles.contains(&id));
                held.organization.contains(&id) || within
            }
            None => true,
        },
        Identity::ServiceAccount { id: account, .. } => {
            let account = service_accounts::load(tx, organization, *account).await?;
            account.is_none_or(|account| account.roles.contains(&id))
        }
    };
    if own {
        return Err(Denied::OwnRights.into());
    }
    Ok(())
}
