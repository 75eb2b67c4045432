//! What belonging to groups gives people, and what they lose when groups change.

use crate::actions::{Deed, departures};
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Denied, may_grant};
use louver_domain::groups::Nesting;
use louver_domain::id::{GroupId, OrganizationId, RoleId, UserId, WorkspaceId};
use louver_domain::roles::Roles;
use louver_store::groups::GroupWorkspace;
use louver_store::{Tx, custom_roles, groups as store, users};
use std::collections::{BTreeMap, BTreeSet};

/// Roles by where they hold; `None` is the organization.
pub(super) type Given = BTreeMap<Option<WorkspaceId>, BTreeSet<RoleId>>;

/// Where people belong through groups, and what they are in the organization.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Standing {
    workspaces: BTreeSet<WorkspaceId>,
    organization: BTreeSet<RoleId>,
}

/// All groups of an organization at one moment: how they lie in each other, who is in them, what they give.
pub(super) struct Reach {
    pairs: Vec<(GroupId, GroupId)>,
    nesting: Nesting,
    members: Vec<(GroupId, UserId)>,
    places: Vec<GroupWorkspace>,
    organization_roles: BTreeMap<GroupId, RoleId>,
    roles: Roles,
}

impl Reach {
    /// As it is now in a transaction.
    pub(super) async fn load(tx: &mut Tx, organization: OrganizationId) -> Result<Self, ControlError> {
        let pairs = store::load_parents(tx, organization).await?;
        let all = store::load_all(tx, organization).await?;
        Ok(Self {
            nesting: Nesting::new(pairs.iter().copied()),
            pairs,
            members: store::all_members(tx, organization).await?,
            places: store::all_workspaces(tx, organization).await?,
            organization_roles: all.into_iter().filter_map(|g| Some((g.id, g.organization_role?))).collect(),
            roles: custom_roles::load(tx, organization).await?,
        })
    }

    /// The roles of the organization.
    pub(super) const fn roles(&self) -> &Roles {
        &self.roles
    }

    /// The groups that a group itself lies in.
    pub(super) fn parents_of(&self, child: GroupId) -> BTreeSet<GroupId> {
        self.pairs.iter().filter(|(c, _)| *c == child).map(|(_, parent)| *parent).collect()
    }

    /// The groups that lie in a group itself.
    pub(super) fn children_of(&self, parent: GroupId) -> BTreeSet<GroupId> {
        self.pairs.iter().filter(|(_, p)| *p == parent).map(|(child, _)| *child).collect()
    }

    /// Who is in a group themselves.
    pub(super) fn members_of(&self, group: GroupId) -> BTreeSet<UserId> {
        self.members.iter().filter(|(g, _)| *g == group).map(|(_, user)| *user).collect()
    }

    /// Who is in a group, themselves or through groups within.
    pub(super) fn people_in(&self, group: GroupId) -> BTreeSet<UserId> {
        let holding: BTreeSet<GroupId> = self.members.iter().map(|(group, _)| *group).collect();
        let within: BTreeSet<GroupId> =
            holding.into_iter().filter(|held| self.nesting.reached_from([*held]).contains(&group)).collect();
        self.members.iter().filter(|(group, _)| within.contains(group)).map(|(_, user)| *user).collect()
    }

    /// What a member of those groups has through them.
    pub(super) fn given_by(&self, groups: impl IntoIterator<Item = GroupId>) -> Given {
        let reached = self.nesting.reached_from(groups);
        let mut given = Given::new();
        for place in self.places.iter().filter(|place| reached.contains(&place.group_id)) {
            given.entry(Some(place.workspace_id)).or_default().extend(&place.roles);
        }
        for role in reached.iter().filter_map(|group| self.organization_roles.get(group)) {
            given.entry(None).or_default().insert(*role);
        }
        given
    }

    /// Refuses to give or take what the actor does not hold themselves, and to do that to oneself.
    pub(super) fn must_be_movable(
        &self,
        context: &Context,
        given: &Given,
        people: &BTreeSet<UserId>,
    ) -> Result<(), ControlError> {
        let own = context.actor.user_id().filter(|user| people.contains(user));
        // Also of groups that give nothing: they may give something tomorrow.
        if own.is_some() {
            return Err(Denied::OwnRights.into());
        }
        for (place, roles) in given {
            may_grant(&context.actor, None, self.roles.actions(roles), *place)?;
        }
        Ok(())
    }

    fn standings(&self) -> BTreeMap<UserId, Standing> {
        let mut by_group: BTreeMap<GroupId, Given> = BTreeMap::new();
        let mut standings: BTreeMap<UserId, Standing> = BTreeMap::new();
        for (group, user) in &self.members {
            let given = by_group.entry(*group).or_insert_with(|| self.given_by([*group]));
            let standing = standings.entry(*user).or_default();
            standing.workspaces.extend(given.keys().flatten());
            standing.organization.extend(given.get(&None).into_iter().flatten());
        }
        standings
    }
}

/// Switches off the keys of everybody who belonged to a workspace through groups before a change and does not any more.
/// Comes after the change, in the same transaction.
pub(super) async fn end_what_was_lost(
    tx: &mut Tx,
    context: &Context,
    before: &Reach,
) -> Result<Vec<Deed>, ControlError> {
    let after = Reach::load(tx, context.organization_id()).await?.standings();
    let mut deeds = vec![];
    for (id, was) in before.standings() {
        let is = after.get(&id).cloned().unwrap_or_default();
        let left: Vec<WorkspaceId> = was.workspaces.difference(&is.workspaces).copied().collect();
        let other = was.organization != is.organization;
        if left.is_empty() && !other {
            continue;
        }
        let Some(user) = users::load(tx, context.organization_id(), id).await? else { continue };
        deeds.extend(match other {
            true => departures::disable_keys_outside(tx, context, &user).await?,
            false => departures::disable_keys_in(tx, context, &user, &left).await?,
        });
    }
    Ok(deeds)
}
