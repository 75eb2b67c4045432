//! Roles on the admin side: the built-in ones with Mistral's ids, names and letters, and custom sets of permissions.

use crate::access::ActionSet;
use crate::actions::Action;
use crate::id::RoleId;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::{Uuid, uuid};

/// Where a role holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleLevel {
    /// In the whole organization, and so in each of its workspaces.
    Organization,
    /// In one workspace.
    Workspace,
}

impl RoleLevel {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Workspace => "workspace",
        }
    }

    /// From its stored form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Organization, Self::Workspace].into_iter().find(|level| level.as_str() == text)
    }
}

/// The built-in roles that hold an action, as letters in the table of actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holders(&'static str);

impl Holders {
    pub(crate) const fn read(letters: &'static str) -> Self {
        Self(letters)
    }

    /// Whether people hold the action on what is their own.
    pub fn own(self) -> bool {
        self.0.contains('s')
    }

    fn any(self, letters: &str) -> bool {
        self.0.chars().any(|letter| letters.contains(letter))
    }
}

/// A role that is always there.
#[derive(Clone, Copy, Debug)]
pub struct Builtin {
    /// The id under which Mistral knows it.
    id: Uuid,
    /// Mistral's name.
    pub name: &'static str,
    /// The letter of Mistral's older form, where it has one.
    pub letter: Option<char>,
    /// Where it holds.
    pub level: RoleLevel,
    /// For people.
    pub description: &'static str,
    /// Its letters in the table of actions.
    held: &'static str,
}

const fn builtin(
    level: RoleLevel,
    name: &'static str,
    id: Uuid,
    letter: Option<char>,
    held: &'static str,
    description: &'static str,
) -> Builtin {
    Builtin { id, name, letter, level, description, held }
}

const ORG: RoleLevel = RoleLevel::Organization;
const WS: RoleLevel = RoleLevel::Workspace;

/// The built-in roles. Ids and names are those of Mistral's `GET /v1/admin/roles`, which existing scripts hold on to.
pub const BUILTIN: [Builtin; 14] = [
    builtin(
        ORG,
        "member",
        uuid!("0d48f530-095c-43fe-8aea-6673bcacabe6"),
        Some('M'),
        "m",
        "Belongs to the organization; sees what is their own",
    ),
    builtin(
        ORG,
        "billing_manager",
        uuid!("c955f4e1-9477-43f0-8349-6fbc629fccc9"),
        Some('B'),
        "mb",
        "Sees usage, budgets and alerts; sets the organization's monthly limit",
    ),
    builtin(
        ORG,
        "organization_admin",
        uuid!("7bde5959-d676-47d2-b779-35b64323d278"),
        Some('A'),
        "*",
        "May do everything, in every workspace",
    ),
    builtin(
        WS,
        "billing",
        uuid!("d7ea77c5-9260-41d0-ab26-52b5add3ee56"),
        None,
        "PW",
        "Sees the workspace's usage and cost",
    ),
    builtin(
        WS,
        "user",
        uuid!("48436751-ee56-44bd-8a2d-712233977821"),
        None,
        "W",
        "Belongs to the workspace, without API access of their own",
    ),
    builtin(
        WS,
        "contributor",
        uuid!("375cd0db-3bbe-4b79-80f3-954ccf04f3d1"),
        None,
        "DW",
        "Builds with the API, as dev does",
    ),
    builtin(
        WS,
        "dev",
        uuid!("578584f1-4319-4c88-9948-38a5184483b6"),
        None,
        "DW",
        "Builds with the API: makes keys of their own where members may",
    ),
    builtin(
        WS,
        "dev_contributor",
        uuid!("d79b3027-4eb2-4521-8722-825acfee7d8b"),
        None,
        "DW",
        "Builds with the API, as dev does",
    ),
    builtin(
        WS,
        "mistral_code_user",
        uuid!("252a0825-40b9-4b98-be80-7658956f13e9"),
        None,
        "W",
        "Belongs to the workspace, without API access of their own",
    ),
    builtin(
        WS,
        "cloud_user",
        uuid!("17aa61c5-1c61-477e-a40a-e52c8ccd74b9"),
        None,
        "W",
        "Belongs to the workspace, without API access of their own",
    ),
    builtin(
        WS,
        "workspace_contributor",
        uuid!("b23cd6e0-91cd-4a8a-9869-b30366bf3966"),
        Some('M'),
        "DW",
        "The usual member: user, dev and mistral_code_user in one",
    ),
    builtin(
        WS,
        "workspace_admin",
        uuid!("731eb2be-a74f-4070-b797-35bf7009e553"),
        Some('A'),
        "ADPVW",
        "Manages the workspace: members, keys, service accounts",
    ),
    builtin(
        WS,
        "observability_viewer",
        uuid!("ff86d432-7f27-47f8-b02f-b5c102ef6a55"),
        None,
        "VW",
        "Sees the workspace's usage",
    ),
    builtin(
        WS,
        "workflow_executor",
        uuid!("0f9acbf6-93b5-42c7-a227-fc7652755f65"),
        None,
        "W",
        "Belongs to the workspace, without API access of their own",
    ),
];

impl Builtin {
    /// The id under which Mistral knows it.
    pub const fn id(&self) -> RoleId {
        RoleId::from_bytes(self.id.into_bytes())
    }

    /// What it allows.
    pub fn actions(&self) -> ActionSet {
        let holds =
            |action: &&Action| action.can_be_held() && (self.held == "*" || action.holders().any(self.held));
        Action::ALL.iter().filter(holds).copied().collect()
    }

    /// The role of that id.
    pub fn find(id: RoleId) -> Option<&'static Self> {
        BUILTIN.iter().find(|role| role.id() == id)
    }

    /// The role of that name on that level.
    pub fn named(level: RoleLevel, name: &str) -> Option<&'static Self> {
        BUILTIN.iter().find(|role| role.level == level && role.name == name)
    }

    /// The role of that letter on that level.
    pub fn lettered(level: RoleLevel, letter: char) -> Option<&'static Self> {
        BUILTIN.iter().find(|role| role.level == level && role.letter == Some(letter))
    }
}

/// `member`: what everybody in the organization has.
pub const MEMBER: RoleId = BUILTIN[0].id();
/// `organization_admin`: the one role that must never be without a holder.
pub const ORGANIZATION_ADMIN: RoleId = BUILTIN[2].id();
/// `workspace_contributor`: what new members of a workspace have.
pub const WORKSPACE_CONTRIBUTOR: RoleId = BUILTIN[10].id();
/// `workspace_admin`.
pub const WORKSPACE_ADMIN: RoleId = BUILTIN[11].id();
/// Sees the usage of a workspace.
pub const OBSERVABILITY_VIEWER: RoleId = BUILTIN[12].id();

/// A role made by an organization: a named set of permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomRole {
    /// Its id.
    pub id: RoleId,
    /// Its name, unique in the organization, also among the built-in roles.
    pub name: String,
    /// For people.
    pub description: String,
    /// Where it can be given.
    pub level: RoleLevel,
    /// What it allows.
    pub actions: ActionSet,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The roles of an organization, built in and custom.
#[derive(Clone, Debug, Default)]
pub struct Roles {
    custom: Vec<CustomRole>,
}

impl Roles {
    /// With the custom roles of an organization.
    pub const fn new(custom: Vec<CustomRole>) -> Self {
        Self { custom }
    }

    /// The custom ones.
    pub fn custom(&self) -> &[CustomRole] {
        &self.custom
    }

    /// What roles allow together. A role that is not there allows nothing.
    pub fn actions<'a>(&self, ids: impl IntoIterator<Item = &'a RoleId>) -> ActionSet {
        ids.into_iter().fold(ActionSet::default(), |set, id| set.union(self.actions_of(*id)))
    }

    fn actions_of(&self, id: RoleId) -> ActionSet {
        let custom = || self.custom.iter().find(|role| role.id == id).map(|role| role.actions);
        Builtin::find(id).map(Builtin::actions).or_else(custom).unwrap_or_default()
    }

    /// The name of a role.
    pub fn name(&self, id: RoleId) -> Option<&str> {
        let custom = || self.custom.iter().find(|role| role.id == id).map(|role| role.name.as_str());
        Builtin::find(id).map(|role| role.name).or_else(custom)
    }

    /// Where a role holds.
    pub fn level(&self, id: RoleId) -> Option<RoleLevel> {
        let custom = || self.custom.iter().find(|role| role.id == id).map(|role| role.level);
        Builtin::find(id).map(|role| role.level).or_else(custom)
    }

    /// The role of that level that is named so.
    pub fn named(&self, level: RoleLevel, name: &str) -> Option<RoleId> {
        let custom = || self.custom.iter().find(|role| role.level == level && role.name == name);
        Builtin::named(level, name).map(Builtin::id).or_else(|| custom().map(|role| role.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roles_have_the_ids_names_and_letters_of_mistral() {
        assert_eq!(WORKSPACE_CONTRIBUTOR.to_string(), "b23cd6e0-91cd-4a8a-9869-b30366bf3966");
        assert_eq!(Builtin::lettered(ORG, 'B').map(|role| role.name), Some("billing_manager"));
        assert_eq!(Builtin::lettered(WS, 'M').map(Builtin::id), Some(WORKSPACE_CONTRIBUTOR));
        assert_eq!(Builtin::named(ORG, "organization_admin").map(Builtin::id), Some(ORGANIZATION_ADMIN));
        assert_eq!(Builtin::named(WS, "organization_admin").map(|role| role.name), None);
        assert_eq!(
            [MEMBER, WORKSPACE_ADMIN].map(|id| Builtin::find(id).unwrap().name),
            ["member", "workspace_admin"]
        );
    }

    #[test]
    fn roles_add_up_and_an_unknown_one_adds_nothing() {
        let custom = CustomRole {
            id: RoleId::from_bytes([7; 16]),
            name: "alerts".into(),
            description: String::new(),
            level: ORG,
            actions: [Action::ReadAlerts].into_iter().collect(),
            created_at: Timestamp::from_micros(0),
        };
        let roles = Roles::new(vec![custom]);
        let both =
            roles.actions(&[RoleId::from_bytes([7; 16]), WORKSPACE_ADMIN, RoleId::from_bytes([8; 16])]);
        assert!(both.contains(Action::ReadAlerts) && both.contains(Action::CreateApiKey));
        assert!(!both.contains(Action::CreateUser));
        assert_eq!(roles.named(ORG, "alerts"), Some(RoleId::from_bytes([7; 16])));
        assert_eq!(roles.named(WS, "alerts"), None);
    }

    #[test]
    fn only_organization_admins_hold_everything_and_no_workspace_role_reaches_above_its_workspace() {
        for role in &BUILTIN {
            for action in role.actions().iter() {
                assert!(role.level == ORG || action.level() == WS, "{} holds {}", role.name, action.as_str());
            }
            let all = Action::ALL.iter().filter(|action| action.can_be_held());
            assert_eq!(
                all.copied().collect::<ActionSet>() == role.actions(),
                role.id() == ORGANIZATION_ADMIN
            );
        }
    }
}
