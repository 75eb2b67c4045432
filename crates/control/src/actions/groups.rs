//! Groups of people: made, named, nested, deleted; what belonging to one gives is never more than the actor holds.

mod people;
mod places;
mod reach;

pub use people::{Member, add_members, members, remove_members};
pub use places::{
    assign, in_workspace, set_model_role, set_organization_role, update_workspace, withdraw, workspaces,
};

use super::{Deed, admins, commit_all, names};
use crate::Control;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, decide};
use louver_domain::groups::{Group, GroupTarget};
use louver_domain::id::{GroupId, RoleId, UserId};
use louver_domain::roles::Roles;
use louver_store::{StoreError, Tx, custom_roles, groups as store};
use reach::Reach;
use serde::Serialize;
use std::collections::BTreeSet;

const TAKEN: &str = "a group of that name exists already";

/// A group with the groups that it lies in itself.
pub type Placed = (Group, Vec<GroupId>);

/// A group to be made.
#[derive(Clone, Debug, Default)]
pub struct NewGroup {
    /// Its name, new in the organization.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// What it is meant for.
    pub target: Option<GroupTarget>,
    /// The groups that it shall lie in.
    pub parents: Vec<GroupId>,
}

/// A partial change: what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct GroupPatch {
    /// A new name.
    pub name: Option<String>,
    /// Another description; an empty one takes the old one away.
    pub description: Option<String>,
    /// What it is meant for from now on.
    pub target: Option<GroupTarget>,
    /// All groups that it shall lie in.
    pub parents: Option<Vec<GroupId>>,
}

/// A group as it stands in the audit log.
#[derive(Serialize)]
struct Shown<'a> {
    id: GroupId,
    name: &'a str,
    description: Option<&'a str>,
    target_type: Option<GroupTarget>,
    organization_role: Option<RoleId>,
    parent_group_ids: Vec<GroupId>,
}

impl<'a> Shown<'a> {
    fn of(group: &'a Group, parents: &BTreeSet<GroupId>) -> Self {
        Self {
            id: group.id,
            name: &group.name,
            description: group.description.as_deref(),
            target_type: group.target,
            organization_role: group.organization_role,
            parent_group_ids: parents.iter().copied().collect(),
        }
    }
}

/// One page of the groups of the caller's organization by name, and how many there are on all pages; `search` is part
/// of a name.
pub async fn page(
    control: &Control,
    context: &Context,
    search: &str,
    offset: u64,
    limit: u64,
) -> Result<(Vec<Placed>, u64), ControlError> {
    let organization = context.organization_id();
    decide(&context.actor, Action::ReadGroups, organization)?;
    let (groups, total) = store::page(&control.store, organization, search, offset, limit).await?;
    let pairs = store::parents(&control.store, organization).await?;
    Ok((groups.into_iter().map(|group| placed(group, &pairs)).collect(), total))
}

fn placed(group: Group, pairs: &[(GroupId, GroupId)]) -> Placed {
    let parents = pairs.iter().filter(|(child, _)| *child == group.id).map(|(_, parent)| *parent).collect();
    (group, parents)
}

/// One group.
pub async fn get(control: &Control, context: &Context, id: GroupId) -> Result<Placed, ControlError> {
    let organization = context.organization_id();
    decide(&context.actor, Action::ReadGroups, organization)?;
    let group = store::get(&control.store, organization, id).await?.ok_or(ControlError::NotFound)?;
    Ok(placed(group, &store::parents(&control.store, organization).await?))
}

/// The roles of the organization, by which those of groups are named.
pub async fn roles(control: &Control, context: &Context) -> Result<Roles, ControlError> {
    Ok(custom_roles::list(&control.store, context.organization_id()).await?)
}

/// Makes a group.
pub async fn create(control: &Control, context: &Context, new: NewGroup) -> Result<Placed, ControlError> {
    let permit = decide(&context.actor, Action::CreateGroup, context.organization_id())?;
    let new = NewGroup { name: names::read("name", &new.name)?, ..new };
    names::check_description(new.description.as_deref())?;
    let mut tx = control.begin(context).await?;
    let before = Reach::load(&mut tx, context.organization_id()).await?;
    let parents = load_others(&mut tx, context, new.parents).await?;
    let group = Group {
        id: GroupId::new(context.now, &*control.entropy),
        organization_id: context.organization_id(),
        name: new.name,
        description: new.description.filter(|text| !text.is_empty()),
        target: new.target,
        organization_role: None,
        externally_managed: false,
        created_at: context.now,
    };
    before.must_be_movable(context, &before.given_by(parents.clone()), &BTreeSet::new())?;
    must_be_new(&mut tx, &group).await?;
    store::insert(&mut tx, &permit, &group).await.map_err(taken)?;
    for parent in &parents {
        store::nest(&mut tx, &permit, group.id, *parent).await?;
    }
    let deed = Deed::on(permit, group.id, &group.name).to(&Shown::of(&group, &parents))?;
    commit_all(control, context, tx, vec![deed]).await?;
    Ok((group, parents.into_iter().collect()))
}

/// Changes a group.
pub async fn update(
    control: &Control,
    context: &Context,
    id: GroupId,
    patch: GroupPatch,
) -> Result<Placed, ControlError> {
    let mut tx = control.begin(context).await?;
    let group = load_own(&mut tx, context, id).await?;
    let permit = decide(&context.actor, Action::UpdateGroup, group.organization_id)?;
    let (reach, admins) = state(&mut tx, context).await?;
    let parents_before = reach.parents_of(id);
    let parents = match patch.parents {
        Some(parents) => load_others(&mut tx, context, parents).await?,
        None => parents_before.clone(),
    };
    let changed = with(&group, patch.name, patch.description, patch.target)?;
    if changed.name != group.name {
        must_be_new(&mut tx, &changed).await?;
    }
    store::save(&mut tx, &permit, &changed).await.map_err(taken)?;
    if parents != parents_before {
        let moved = parents.symmetric_difference(&parents_before).copied();
        reach.must_be_movable(context, &reach.given_by(moved), &reach.people_in(id))?;
        store::take_out(&mut tx, &permit, id).await?;
        for parent in &parents {
            store::nest(&mut tx, &permit, id, *parent).await?;
        }
        must_not_go_round(&mut tx, context).await?;
    }
    let deed = Deed::on(permit, id, &changed.name).from(&Shown::of(&group, &parents_before))?;
    let deed = deed.to(&Shown::of(&changed, &parents))?;
    finish(control, context, tx, vec![deed], (reach, admins)).await?;
    Ok((changed, parents.into_iter().collect()))
}

fn with(
    group: &Group,
    name: Option<String>,
    description: Option<String>,
    target: Option<GroupTarget>,
) -> Result<Group, ControlError> {
    let mut group = group.clone();
    if let Some(name) = name {
        group.name = names::read("name", &name)?;
    }
    if let Some(text) = description {
        names::check_description(Some(&text))?;
        group.description = Some(text).filter(|text| !text.is_empty());
    }
    group.target = target.or(group.target);
    Ok(group)
}

/// Deletes a group: its members lose what it gave them.
pub async fn delete(control: &Control, context: &Context, id: GroupId) -> Result<(), ControlError> {
    let mut tx = control.begin(context).await?;
    let group = load_own(&mut tx, context, id).await?;
    let permit = decide(&context.actor, Action::DeleteGroup, group.organization_id)?;
    let before = state(&mut tx, context).await?;
    before.0.must_be_movable(context, &before.0.given_by([id]), &before.0.people_in(id))?;
    store::delete(&mut tx, &permit, id).await?;
    let deed = Deed::on(permit, id, &group.name).from(&Shown::of(&group, &before.0.parents_of(id)))?;
    finish(control, context, tx, vec![deed], before).await
}

/// The groups that lie in a group itself, with their names.
pub async fn nested(
    control: &Control,
    context: &Context,
    id: GroupId,
) -> Result<Vec<(GroupId, String)>, ControlError> {
    let (group, _) = get(control, context, id).await?;
    Ok(store::children(&control.store, group.id).await?)
}

/// Puts those groups into a group, and takes all others out.
pub async fn set_nested(
    control: &Control,
    context: &Context,
    id: GroupId,
    children: Vec<GroupId>,
) -> Result<(), ControlError> {
    let mut tx = control.begin(context).await?;
    let group = load_own(&mut tx, context, id).await?;
    let permit = decide(&context.actor, Action::UpdateGroup, group.organization_id)?;
    let children = load_others(&mut tx, context, children).await?;
    let before = state(&mut tx, context).await?;
    let was = before.0.children_of(id);
    if was == children {
        return Ok(());
    }
    let moved = children.symmetric_difference(&was);
    let people: BTreeSet<UserId> = moved.flat_map(|child| before.0.people_in(*child)).collect();
    before.0.must_be_movable(context, &before.0.given_by([id]), &people)?;
    store::empty(&mut tx, &permit, id).await?;
    for child in &children {
        store::nest(&mut tx, &permit, *child, id).await?;
    }
    must_not_go_round(&mut tx, context).await?;
    let shown = |children: &BTreeSet<GroupId>| serde_json::json!({"child_group_ids": children});
    let deed = Deed::on(permit, id, &group.name).from(&shown(&was))?.to(&shown(&children))?;
    finish(control, context, tx, vec![deed], before).await
}

/// What was before a change: where people belong, and how many organization admins there are.
type Before = (Reach, admins::Before);

async fn state(tx: &mut Tx, context: &Context) -> Result<Before, ControlError> {
    Ok((Reach::load(tx, context.organization_id()).await?, admins::count(tx, context).await?))
}

/// Commits a change by which people may have lost something: not the last organization admin, and their keys go with
/// them.
async fn finish(
    control: &Control,
    context: &Context,
    mut tx: Tx,
    mut deeds: Vec<Deed>,
    (reach, admins): Before,
) -> Result<(), ControlError> {
    admins.must_stay(&mut tx, context).await?;
    deeds.extend(reach::end_what_was_lost(&mut tx, context, &reach).await?);
    commit_all(control, context, tx, deeds).await
}

async fn load(tx: &mut Tx, context: &Context, id: GroupId) -> Result<Group, ControlError> {
    store::load(tx, context.organization_id(), id).await?.ok_or(ControlError::NotFound)
}

/// A group whose name, members and nesting are kept here. Where a directory keeps them, only its roles are given here.
async fn load_own(tx: &mut Tx, context: &Context, id: GroupId) -> Result<Group, ControlError> {
    let group = load(tx, context, id).await?;
    match group.externally_managed {
        true => Err(ControlError::Forbidden("a directory keeps this group: change it there".into())),
        false => Ok(group),
    }
}

/// Groups that a body names, each once.
async fn load_others(
    tx: &mut Tx,
    context: &Context,
    ids: Vec<GroupId>,
) -> Result<BTreeSet<GroupId>, ControlError> {
    let ids: BTreeSet<GroupId> = ids.into_iter().collect();
    let all = match ids.is_empty() {
        true => vec![],
        false => store::load_all(tx, context.organization_id()).await?,
    };
    let known: BTreeSet<GroupId> = all.into_iter().map(|group| group.id).collect();
    match ids.difference(&known).next() {
        Some(id) => Err(ControlError::NotHere(format!("there is no group {id} in this organization"))),
        None => Ok(ids),
    }
}

async fn must_not_go_round(tx: &mut Tx, context: &Context) -> Result<(), ControlError> {
    let circle = store::nesting(tx, context.organization_id()).await?.circle();
    circle.map_or(Ok(()), |group| {
        Err(ControlError::Conflict(format!("the group {group} would lie in itself, through this or others")))
    })
}

fn taken(error: StoreError) -> ControlError {
    ControlError::or_taken(error, TAKEN)
}

async fn must_be_new(tx: &mut Tx, group: &Group) -> Result<(), ControlError> {
    let all = store::load_all(tx, group.organization_id).await?;
    let others = all.iter().filter(|other| other.id != group.id).map(|other| other.name.as_str());
    names::must_be_new(&group.name, others, TAKEN)
}
