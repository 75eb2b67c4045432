//! Groups of people: who belongs to which, through nesting too, and which nesting would go round in a circle.

use crate::id::{GroupId, OrganizationId, RoleId};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What a group is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupTarget {
    /// Roles in workspaces.
    #[serde(rename = "W")]
    Workspace,
    /// A role in the organization.
    #[serde(rename = "O")]
    Organization,
}

impl GroupTarget {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Workspace => "W",
            Self::Organization => "O",
        }
    }

    /// From its stored form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Workspace, Self::Organization].into_iter().find(|target| target.as_str() == text)
    }
}

/// A group of people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// The organization it belongs to.
    pub organization_id: OrganizationId,
    /// Its name, unique in the organization.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// What it is meant for.
    pub target: Option<GroupTarget>,
    /// The role that its members have in the organization, besides their own.
    pub organization_role: Option<RoleId>,
    /// Whether a directory keeps it; then nobody else changes it.
    pub externally_managed: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Which groups lie in which: the members of a child are members of its parents, too.
#[derive(Clone, Debug, Default)]
pub struct Nesting {
    parents: BTreeMap<GroupId, BTreeSet<GroupId>>,
}

impl Nesting {
    /// From pairs of child and parent.
    pub fn new(pairs: impl IntoIterator<Item = (GroupId, GroupId)>) -> Self {
        let mut nesting = Self::default();
        for (child, parent) in pairs {
            nesting.nest(child, parent);
        }
        nesting
    }

    /// Puts `child` into `parent`.
    pub fn nest(&mut self, child: GroupId, parent: GroupId) {
        self.parents.entry(child).or_default().insert(parent);
    }

    /// Takes `child` out of all groups.
    pub fn take_out(&mut self, child: GroupId) {
        self.parents.remove(&child);
    }

    /// Takes all groups out of `parent`.
    pub fn empty(&mut self, parent: GroupId) {
        for parents in self.parents.values_mut() {
            parents.remove(&parent);
        }
    }

    /// The groups that a member of `groups` belongs to, with those themselves.
    pub fn reached_from(&self, groups: impl IntoIterator<Item = GroupId>) -> BTreeSet<GroupId> {
        let mut reached: BTreeSet<GroupId> = BTreeSet::new();
        let mut next: Vec<GroupId> = groups.into_iter().collect();
        while let Some(group) = next.pop() {
            if reached.insert(group) {
                next.extend(self.parents.get(&group).into_iter().flatten());
            }
        }
        reached
    }

    /// A group that lies in itself, through however many others.
    pub fn circle(&self) -> Option<GroupId> {
        let lies_in_itself = |group: &&GroupId| {
            let above = self.parents.get(group).into_iter().flatten().copied();
            self.reached_from(above).contains(group)
        };
        self.parents.keys().find(lies_in_itself).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(n: u8) -> GroupId {
        GroupId::from_bytes([n; 16])
    }

    #[test]
    fn members_of_a_child_belong_to_everything_above() {
        let nesting = Nesting::new([(id(1), id(2)), (id(2), id(3)), (id(4), id(3))]);
        assert_eq!(nesting.reached_from([id(1)]), [id(1), id(2), id(3)].into());
        assert_eq!(nesting.reached_from([id(3)]), [id(3)].into());
        assert_eq!(nesting.circle(), None);
    }

    #[test]
    fn a_circle_is_found_however_long() {
        assert_eq!(Nesting::new([(id(1), id(1))]).circle(), Some(id(1)));
        let mut nesting = Nesting::new([(id(1), id(2)), (id(2), id(3)), (id(3), id(1))]);
        assert!(nesting.circle().is_some());
        nesting.take_out(id(3));
        assert_eq!(nesting.circle(), None);
        nesting.nest(id(3), id(1));
        nesting.empty(id(2));
        assert_eq!(nesting.circle(), None);
    }

    proptest! {
        /// A nesting without a circle can be written down with every child before its parents, and only such a one.
        #[test]
        fn no_circle_is_an_order(pairs in proptest::collection::vec((0u8..6, 0u8..6), 0..10)) {
            let nesting = Nesting::new(pairs.iter().map(|(child, parent)| (id(*child), id(*parent))));
            let mut left: Vec<u8> = (0..6).collect();
            while let Some(place) = left.iter().position(|group| {
                !pairs.iter().any(|(child, parent)| parent == group && left.contains(child))
            }) {
                left.remove(place);
            }
            prop_assert_eq!(nesting.circle().is_none(), left.is_empty());
        }
    }
}
