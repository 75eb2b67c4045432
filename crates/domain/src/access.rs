//! Who may do what on the admin side: `decide` hands out a permit, and no admin write happens without one.
//!
//! Rights are sets of actions, held in the whole organization or in single workspaces, and add up. What nothing gives is
//! refused. Only [`decide`] makes a [`Permit`].

pub use crate::actions::Action;
use crate::id::{AdminKeyId, OrganizationId, RoleId, ServiceAccountId, UserId, WorkspaceId};
use crate::roles::Roles;
use std::collections::BTreeMap;

/// A set of actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActionSet(u128);

impl ActionSet {
    /// Whether it holds the action.
    pub const fn contains(self, action: Action) -> bool {
        self.0 & action.bit() != 0
    }

    /// What either of them holds.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What it holds and `other` does not.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether it holds nothing.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its actions in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = Action> {
        Action::ALL.iter().copied().filter(move |action| self.contains(*action))
    }
}

impl FromIterator<Action> for ActionSet {
    fn from_iter<I: IntoIterator<Item = Action>>(actions: I) -> Self {
        Self(actions.into_iter().fold(0, |set, action| set | action.bit()))
    }
}

/// The roles that somebody has, their own and those that come through groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// In the organization.
    pub organization: Vec<RoleId>,
    /// In workspaces; one may stand here more than once.
    pub workspaces: Vec<(WorkspaceId, Vec<RoleId>)>,
}

/// What somebody may do, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Everything, everywhere in the organization.
    all: bool,
    /// The person whose own things count as own.
    user: Option<UserId>,
    organization: ActionSet,
    workspaces: BTreeMap<WorkspaceId, ActionSet>,
}

impl Rights {
    /// Everything in the organization.
    pub fn all() -> Self {
        Self { all: true, ..Self::default() }
    }

    /// What roles give; `user` is the person they are given to, if it is one.
    pub fn of(user: Option<UserId>, grants: &Grants, roles: &Roles) -> Self {
        let mut workspaces: BTreeMap<WorkspaceId, ActionSet> = BTreeMap::new();
        for (workspace, ids) in &grants.workspaces {
            let set = workspaces.entry(*workspace).or_default();
            *set = set.union(roles.actions(ids));
        }
        Self { all: false, user, organization: roles.actions(&grants.organization), workspaces }
    }

    /// What is held in a workspace, or in the organization alone where none is named.
    pub fn held(&self, workspace: Option<WorkspaceId>) -> ActionSet {
        if self.all {
            return Action::ALL.iter().copied().filter(|action| action.can_be_held()).collect();
        }
        let within = workspace.and_then(|id| self.workspaces.get(&id)).copied().unwrap_or_default();
        self.organization.union(within)
    }

    /// The workspaces in which roles are held.
    pub fn workspaces(&self) -> impl Iterator<Item = WorkspaceId> + '_ {
        self.workspaces.keys().copied()
    }

    fn holds(&self, action: Action, workspace: Option<WorkspaceId>) -> bool {
        self.all || self.held(workspace).contains(action)
    }

    fn sees(&self, workspace: WorkspaceId) -> bool {
        self.holds(Action::ReadWorkspace, None) || self.workspaces.contains_key(&workspace)
    }
}

/// Who is behind an [`Actor`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The holder of an admin key that is nobody's own.
    AdminKey {
        /// The key.
        id: AdminKeyId,
        /// Its name.
        name: String,
    },
    /// A person, by whatever they signed in with.
    Person {
        /// The person.
        id: UserId,
        /// Their mail address.
        email: String,
    },
    /// A service account, by an admin key of its own.
    ServiceAccount {
        /// The account.
        id: ServiceAccountId,
        /// Its name.
        name: String,
    },
    /// The program itself, on the machine that holds the data, or by a rule of its own.
    System,
}

/// Who acts on the admin side.
#[derive(Clone, Debug)]
pub struct Actor {
    /// Who that is.
    pub identity: Identity,
    organization_id: OrganizationId,
    rights: Rights,
}

impl Actor {
    /// Somebody of an organization, with what they may do in it.
    pub const fn new(identity: Identity, organization_id: OrganizationId, rights: Rights) -> Self {
        Self { identity, organization_id, rights }
    }

    /// The program itself.
    pub fn system(organization_id: OrganizationId) -> Self {
        Self::new(Identity::System, organization_id, Rights::all())
    }

    /// The organization that bounds everything the actor sees.
    pub const fn organization_id(&self) -> OrganizationId {
        self.organization_id
    }

    /// The person behind it, if it is one.
    pub const fn user_id(&self) -> Option<UserId> {
        match &self.identity {
            Identity::Person { id, .. } => Some(*id),
            Identity::AdminKey { .. } | Identity::ServiceAccount { .. } | Identity::System => None,
        }
    }

    /// A name for people: of the key, the person by mail address, the account, or the program.
    pub fn name(&self) -> &str {
        match &self.identity {
            Identity::AdminKey { name, .. } | Identity::ServiceAccount { name, .. } => name,
            Identity::Person { email, .. } => email,
            Identity::System => "louver",
        }
    }

    /// What the actor may do.
    pub const fn rights(&self) -> &Rights {
        &self.rights
    }

    /// Whether there is anything that the actor may do this to: asked before anything is read.
    pub fn may_somewhere(&self, action: Action) -> bool {
        let rights = &self.rights;
        let in_some = |action| rights.workspaces.values().any(|set| set.contains(action));
        let anywhere = |action| rights.holds(action, None) || in_some(action);
        let own = rights.user.is_some() && action.holders().own();
        anywhere(action) || action.wider().is_some_and(anywhere) || own
    }

    /// The workspaces in which the actor may do this without holding it in the organization; `None` is everywhere.
    pub fn workspaces_with(&self, action: Action) -> Option<Vec<WorkspaceId>> {
        if self.rights.holds(action, None) {
            return None;
        }
        let within = self.rights.workspaces.iter().filter(|(_, set)| set.contains(action));
        Some(within.map(|(id, _)| *id).collect())
    }
}

/// What is acted on.
#[derive(Clone, Copy, Debug)]
pub struct Resource {
    organization_id: OrganizationId,
    workspace_id: Option<WorkspaceId>,
    owner: Option<UserId>,
}

impl Resource {
    /// Something of the organization as a whole.
    pub const fn organization(organization_id: OrganizationId) -> Self {
        Self { organization_id, workspace_id: None, owner: None }
    }

    /// Something of a workspace.
    pub const fn workspace(organization_id: OrganizationId, workspace_id: WorkspaceId) -> Self {
        Self { organization_id, workspace_id: Some(workspace_id), owner: None }
    }

    /// The same, being a person's own.
    #[must_use]
    pub const fn owned_by(self, owner: Option<UserId>) -> Self {
        Self { owner, ..self }
    }
}

impl From<OrganizationId> for Resource {
    fn from(id: OrganizationId) -> Self {
        Self::organization(id)
    }
}

/// Proof that `decide` said yes to this action in this organization. Only [`decide`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct Permit {
    action: Action,
    organization_id: OrganizationId,
}

impl Permit {
    /// What was permitted.
    pub const fn action(&self) -> Action {
        self.action
    }

    /// The organization it was permitted in.
    pub const fn organization_id(&self) -> OrganizationId {
        self.organization_id
    }
}

/// Why the actor may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The actor may not even know of it: to the outside it looks as if it did not exist.
    Unseen,
    /// The actor knows of it, and lacks this permission.
    Lacks(Action),
    /// Nobody changes what they themselves may do.
    OwnRights,
    /// Nobody gives away what they do not hold: this, for one.
    NotHeld(Action),
}

/// Decides whether `actor` may do `action` on `resource`: in their own organization, by what they hold there as a whole,
/// in the resource's workspace, or on what is their own.
pub fn decide(actor: &Actor, action: Action, resource: impl Into<Resource>) -> Result<Permit, Denied> {
    let resource = resource.into();
    if actor.organization_id != resource.organization_id {
        return Err(Denied::Unseen);
    }
    let rights = &actor.rights;
    if rights.holds(action, resource.workspace_id) || is_own(rights, action, &resource) {
        return Ok(Permit { action, organization_id: resource.organization_id });
    }
    let unseen = resource.workspace_id.is_some_and(|id| !rights.sees(id));
    Err(if unseen { Denied::Unseen } else { Denied::Lacks(action) })
}

/// What is a person's own counts as such as long as they belong to its workspace.
fn is_own(rights: &Rights, action: Action, resource: &Resource) -> bool {
    let belongs = resource.workspace_id.is_none_or(|id| rights.workspaces.contains_key(&id));
    action.holders().own() && rights.user.is_some() && rights.user == resource.owner && belongs
}

/// Decides whether `actor` may give or take roles: only what the actor holds in the same place, and never to or from
/// themselves. `subject` is the person whose rights change.
pub fn may_grant(
    actor: &Actor,
    subject: Option<UserId>,
    given: ActionSet,
    workspace: Option<WorkspaceId>,
) -> Result<(), Denied> {
    if subject.is_some() && subject == actor.user_id() {
        return Err(Denied::OwnRights);
    }
    let lacking = given.without(actor.rights.held(workspace));
    lacking.iter().next().map_or(Ok(()), |action| Err(Denied::NotHeld(action)))
}

#[cfg(test)]
mod tests;
