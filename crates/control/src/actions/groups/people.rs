//! Members of groups: put in, taken out, listed.

use super::{finish, get, load_own, state};
use crate::Control;
use crate::actions::Deed;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, decide};
use louver_domain::id::{GroupId, UserId};
use louver_domain::users::User;
use louver_store::{Tx, groups as store, users};
use serde_json::json;
use std::collections::BTreeSet;

/// A member of a group: id, name, mail address.
pub type Member = (UserId, Option<String>, String);

/// One page of who is in a group themselves, by mail address, and how many they are.
pub async fn members(
    control: &Control,
    context: &Context,
    id: GroupId,
    offset: u64,
    limit: u64,
) -> Result<(Vec<Member>, u64), ControlError> {
    let (group, _) = get(control, context, id).await?;
    Ok(store::members(&control.store, group.id, offset, limit).await?)
}

/// Puts people into a group; those who are in it stay.
pub async fn add_members(
    control: &Control,
    context: &Context,
    id: GroupId,
    people: Vec<UserId>,
) -> Result<(), ControlError> {
    change(control, context, id, people, Action::AddGroupMember).await
}

/// Takes people out of a group; those who are not in it are passed over. They lose what it gave them.
pub async fn remove_members(
    control: &Control,
    context: &Context,
    id: GroupId,
    people: Vec<UserId>,
) -> Result<(), ControlError> {
    change(control, context, id, people, Action::RemoveGroupMember).await
}

async fn change(
    control: &Control,
    context: &Context,
    id: GroupId,
    people: Vec<UserId>,
    action: Action,
) -> Result<(), ControlError> {
    let mut tx = control.begin(context).await?;
    let group = load_own(&mut tx, context, id).await?;
    let permit = decide(&context.actor, action, group.organization_id)?;
    let before = state(&mut tx, context).await?;
    let adds = action == Action::AddGroupMember;
    let within = before.0.members_of(id);
    let asked: BTreeSet<UserId> = people.into_iter().collect();
    let mut moved = vec![];
    for user in asked {
        let user = load_user(&mut tx, context, user).await?;
        if within.contains(&user.id) != adds {
            moved.push(user);
        }
    }
    let ids = moved.iter().map(|user| user.id).collect();
    before.0.must_be_movable(context, &before.0.given_by([id]), &ids)?;
    let mut deeds = vec![];
    for user in moved {
        let shown = json!({"user_id": user.id, "email": user.email});
        let deed = Deed::on(permit, id, &group.name);
        if adds {
            store::add_member(&mut tx, &permit, id, user.id).await?;
            deeds.push(deed.to(&shown)?);
        } else {
            store::remove_member(&mut tx, &permit, id, user.id).await?;
            deeds.push(deed.from(&shown)?);
        }
    }
    finish(control, context, tx, deeds, before).await
}

async fn load_user(tx: &mut Tx, context: &Context, id: UserId) -> Result<User, ControlError> {
    let found = users::load(tx, context.organization_id(), id).await?;
    found.ok_or_else(|| ControlError::NotHere(format!("there is no user {id} in this organization")))
}
