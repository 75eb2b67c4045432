//! Roles on the wire: their letters, names and ids, how a request asks for them, and `/v1/admin/roles`.

use super::words::{Word, words};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use uuid::{Uuid, uuid};

words! {
    /// A role in the organization as one letter.
    UserRole {
        /// Administrator of the organization.
        Admin = "A",
        /// Member.
        Member = "M",
        /// Manager of billing.
        Billing = "B",
    }
}

words! {
    /// A role in a workspace as one letter.
    WorkspaceRole {
        /// Administrator of the workspace.
        Admin = "A",
        /// Member.
        Member = "M",
    }
}

words! {
    /// The name of a role that every organization has.
    OrgRoleName {
        /// Uses what its workspaces allow.
        Member = "member",
        /// Sees usage and sets budgets.
        BillingManager = "billing_manager",
        /// May do everything.
        OrganizationAdmin = "organization_admin",
    }
}

words! {
    /// The name of a role that every workspace has.
    WorkspaceRoleName {
        /// Usage and cost reports.
        Billing = "billing",
        /// Use without the studio.
        User = "user",
        /// Mistral does not say what it allows.
        Contributor = "contributor",
        /// The studio and the API.
        Dev = "dev",
        /// Mistral does not say what it allows.
        DevContributor = "dev_contributor",
        /// A seat for code.
        MistralCodeUser = "mistral_code_user",
        /// Mistral does not say what it allows.
        CloudUser = "cloud_user",
        /// `user`, `dev` and `mistral_code_user` together; what new members get.
        WorkspaceContributor = "workspace_contributor",
        /// A contributor that also administers the workspace.
        WorkspaceAdmin = "workspace_admin",
        /// Looks at what happens.
        ObservabilityViewer = "observability_viewer",
        /// Mistral does not say what it allows.
        WorkflowExecutor = "workflow_executor",
    }
}

impl OrgRoleName {
    /// The id the role has in every organization. Mistral prints ids and names in parallel lists only, so which
    /// belongs to which is read from their order.
    pub const fn uuid(self) -> Uuid {
        match self {
            Self::Member => uuid!("0d48f530-095c-43fe-8aea-6673bcacabe6"),
            Self::BillingManager => uuid!("c955f4e1-9477-43f0-8349-6fbc629fccc9"),
            Self::OrganizationAdmin => uuid!("7bde5959-d676-47d2-b779-35b64323d278"),
        }
    }
}

impl WorkspaceRoleName {
    /// The id the role has in every workspace; as with [`OrgRoleName::uuid`].
    pub const fn uuid(self) -> Uuid {
        match self {
            Self::Billing => uuid!("d7ea77c5-9260-41d0-ab26-52b5add3ee56"),
            Self::User => uuid!("48436751-ee56-44bd-8a2d-712233977821"),
            Self::Contributor => uuid!("375cd0db-3bbe-4b79-80f3-954ccf04f3d1"),
            Self::Dev => uuid!("578584f1-4319-4c88-9948-38a5184483b6"),
            Self::DevContributor => uuid!("d79b3027-4eb2-4521-8722-825acfee7d8b"),
            Self::MistralCodeUser => uuid!("252a0825-40b9-4b98-be80-7658956f13e9"),
            Self::CloudUser => uuid!("17aa61c5-1c61-477e-a40a-e52c8ccd74b9"),
            Self::WorkspaceContributor => uuid!("b23cd6e0-91cd-4a8a-9869-b30366bf3966"),
            Self::WorkspaceAdmin => uuid!("731eb2be-a74f-4070-b797-35bf7009e553"),
            Self::ObservabilityViewer => uuid!("ff86d432-7f27-47f8-b02f-b5c102ef6a55"),
            Self::WorkflowExecutor => uuid!("0f9acbf6-93b5-42c7-a227-fc7652755f65"),
        }
    }
}

/// A role as a request names it. Whether there is such a role is for the caller to find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleRef {
    /// By its letter; a workspace's role has no `B`.
    Letter(UserRole),
    /// By its id: one of the static ones, or a custom role's.
    Id(Uuid),
    /// By its name.
    Name(String),
}

/// Reads an id, else a letter of the organization, else a name. Only ids with their hyphens are ids.
impl<'de> Deserialize<'de> for RoleRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        fn of(text: &str) -> Option<RoleRef> {
            let id = hyphenated(text).map(RoleRef::Id);
            let letter = || UserRole::of(text).map(RoleRef::Letter);
            id.or_else(letter).or_else(|| Some(RoleRef::Name(text.to_owned())))
        }
        deserializer.deserialize_str(Word { of, words: &[] })
    }
}

impl JsonSchema for RoleRef {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "RoleRef".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

fn hyphenated(text: &str) -> Option<Uuid> {
    (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten()
}

/// The letters of one kind of role.
pub trait Letters: Copy + JsonSchema {
    /// The letter that is written so, as one of the organization's.
    fn letter(text: &str) -> Option<UserRole>;
}

impl Letters for UserRole {
    fn letter(text: &str) -> Option<UserRole> {
        Self::of(text)
    }
}

impl Letters for WorkspaceRole {
    fn letter(text: &str) -> Option<UserRole> {
        Self::of(text).map(|role| match role {
            Self::Admin => UserRole::Admin,
            Self::Member => UserRole::Member,
        })
    }
}

/// A letter of `L` or an id, never a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleValue<L> {
    asked: RoleRef,
    letters: PhantomData<L>,
}

impl<'de, L: Letters> Deserialize<'de> for RoleValue<L> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(LetterOrId(PhantomData))
    }
}

struct LetterOrId<L>(PhantomData<L>);

impl<L: Letters> Visitor<'_> for LetterOrId<L> {
    type Value = RoleValue<L>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a role's letter or its UUID")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<RoleValue<L>, E> {
        let asked = L::letter(text).map(RoleRef::Letter).or_else(|| hyphenated(text).map(RoleRef::Id));
        let asked = asked.ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))?;
        Ok(RoleValue { asked, letters: PhantomData })
    }
}

impl<L: Letters> JsonSchema for RoleValue<L> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("{}Value", L::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let letters = generator.subschema_for::<L>();
        json_schema!({ "anyOf": [letters, { "type": "string", "format": "uuid" }] })
    }
}

/// Fields of roles that contradict each other or ask for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RolesFault {
    /// Two of the fields were given; they exclude each other.
    #[error("`{field}` cannot be given together with `{other}`")]
    Both {
        /// The field to blame.
        field: &'static str,
        /// The one it stands beside.
        other: &'static str,
    },
    /// A list without any role.
    #[error("`{field}` must have at least one role")]
    Empty {
        /// The field of the list.
        field: &'static str,
    },
}

impl RolesFault {
    /// The field to blame.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Both { field, .. } | Self::Empty { field } => field,
        }
    }
}

/// What one field asks for.
pub(super) trait AsksRoles {
    fn refs(&self) -> Vec<RoleRef>;
}

impl AsksRoles for String {
    fn refs(&self) -> Vec<RoleRef> {
        vec![RoleRef::Name(self.clone())]
    }
}

impl<L> AsksRoles for RoleValue<L> {
    fn refs(&self) -> Vec<RoleRef> {
        vec![self.asked.clone()]
    }
}

impl<T: AsksRoles> AsksRoles for Vec<T> {
    fn refs(&self) -> Vec<RoleRef> {
        self.iter().flat_map(AsksRoles::refs).collect()
    }
}

/// The roles that a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedRoles {
    /// Those to give.
    pub chosen: Vec<RoleRef>,
    /// A single value beside a list, which wins over it. It is still to be a role that there is.
    pub passed_over: Vec<RoleRef>,
}

impl From<Vec<RoleRef>> for AskedRoles {
    fn from(chosen: Vec<RoleRef>) -> Self {
        Self { chosen, passed_over: vec![] }
    }
}

/// What all fields together ask for: `None` if none of them is given. Lists exclude each other, and so do single values;
/// a list wins over a single value, which is the older form.
pub(super) fn asked<const N: usize>(
    fields: [(&'static str, Option<Vec<RoleRef>>); N],
) -> Result<Option<AskedRoles>, RolesFault> {
    let given = fields.into_iter().filter_map(|(field, roles)| Some((field, roles?)));
    let (lists, singles): (Vec<_>, Vec<_>) = given.partition(|(field, _)| field.ends_with('s'));
    let mut chosen: Option<AskedRoles> = None;
    for form in [singles, lists] {
        let mut form = form.into_iter();
        let Some((field, roles)) = form.next() else { continue };
        if let Some((second, _)) = form.next() {
            return Err(RolesFault::Both { field: second, other: field });
        }
        if roles.is_empty() {
            return Err(RolesFault::Empty { field });
        }
        let passed_over = chosen.map(|single| single.chosen).unwrap_or_default();
        chosen = Some(AskedRoles { chosen: roles, passed_over });
    }
    Ok(chosen)
}

/// Gives a request the method that reads its fields of roles.
macro_rules! asks_roles {
    ($name:ident { $($field:ident),+ }) => {
        impl $name {
            /// The roles asked for, by whichever field; `None` if none is given. A `null` is not given.
            ///
            /// # Errors
            ///
            /// Two of the fields are given, or a list is empty.
            pub fn asked_roles(
                &self,
            ) -> Result<Option<$crate::admin::roles::AskedRoles>, $crate::admin::roles::RolesFault> {
                use $crate::admin::roles::AsksRoles as _;
                $crate::admin::roles::asked([
                    $((stringify!($field), self.$field.as_ref().map(|field| field.refs())),)+
                ])
            }
        }
    };
}
pub(super) use asks_roles;

/// Answers `GET /v1/admin/roles`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RolesOut {
    /// The roles one can have in a workspace.
    pub workspace_roles: Vec<RoleOut>,
    /// The roles one can have in the organization.
    pub organization_roles: Vec<RoleOut>,
}

/// One role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RoleOut {
    /// Its name.
    pub name: String,
    /// Its id.
    pub uuid: Uuid,
    /// What it is for.
    pub description: String,
    /// Made by the organization, not one that every organization has.
    pub is_custom_role: bool,
}
