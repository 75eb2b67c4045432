//! From what the file wants and what is there to the list of steps: pure, so that it can be tried on anything.

pub(in crate::cli) mod checks;
mod order;
mod step;

pub(in crate::cli) use step::{Action, Change, Plan, Step};

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a step is about, in the order in which things are made: each may need those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) enum Noun {
    /// The organization: changed, never made or deleted.
    Organization,
    /// A custom role.
    Role,
    /// A model role.
    ModelRole,
    /// A person of the organization.
    Member,
    /// A workspace.
    Workspace,
    /// A group of people.
    Group,
    /// A person in a group.
    GroupMember,
    /// A person in a workspace.
    WorkspaceMember,
    /// A group in a workspace.
    WorkspaceGroup,
    /// A machine's account.
    ServiceAccount,
    /// A place that new secrets of keys are written to.
    SecretDestination,
    /// An API key.
    Key,
    /// A place that alerts are sent to.
    AlertChannel,
}

impl Noun {
    /// Every noun, in order.
    pub(in crate::cli) const ALL: [Self; 13] = [
        Self::Organization,
        Self::Role,
        Self::ModelRole,
        Self::Member,
        Self::Workspace,
        Self::Group,
        Self::GroupMember,
        Self::WorkspaceMember,
        Self::WorkspaceGroup,
        Self::ServiceAccount,
        Self::SecretDestination,
        Self::Key,
        Self::AlertChannel,
    ];

    /// For people.
    pub(in crate::cli) const fn text(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Role => "role",
            Self::ModelRole => "model role",
            Self::Member => "member",
            Self::Workspace => "workspace",
            Self::Group => "group",
            Self::GroupMember => "group member",
            Self::WorkspaceMember => "workspace member",
            Self::WorkspaceGroup => "workspace group",
            Self::ServiceAccount => "service account",
            Self::SecretDestination => "secret destination",
            Self::Key => "key",
            Self::AlertChannel => "alert channel",
        }
    }
}

/// What a thing is known by: its noun, the workspace or group it belongs to, and its name there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) struct Id {
    pub(in crate::cli) noun: Noun,
    pub(in crate::cli) within: Option<String>,
    pub(in crate::cli) name: String,
}

impl Id {
    /// Something of the organization.
    pub(in crate::cli) fn of(noun: Noun, name: &str) -> Self {
        Self { noun, within: None, name: name.to_owned() }
    }

    /// Something of a workspace or a group.
    pub(in crate::cli) fn within(noun: Noun, within: &str, name: &str) -> Self {
        Self { noun, within: Some(within.to_owned()), name: name.to_owned() }
    }

    /// The organization; there is one.
    pub(in crate::cli) fn organization() -> Self {
        Self::of(Noun::Organization, "")
    }

    /// A workspace.
    pub(in crate::cli) fn workspace(name: &str) -> Self {
        Self::of(Noun::Workspace, name)
    }

    /// A person of the organization.
    pub(in crate::cli) fn member(email: &str) -> Self {
        Self::of(Noun::Member, email)
    }
}

/// Fields by name; of what is wanted only those that the file gives.
pub(in crate::cli) type Fields = BTreeMap<String, Value>;

/// What the file wants.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Wanted {
    /// The things and what is said of them.
    pub(in crate::cli) items: BTreeMap<Id, Fields>,
    /// Which lists the file has: only what would stand in one of them may be pruned.
    pub(in crate::cli) lists: BTreeSet<(Noun, Option<String>)>,
    /// New things that bring what they need to be made: a file for their secret, an address.
    pub(in crate::cli) equipped: BTreeSet<Id>,
}

impl Wanted {
    pub(in crate::cli) fn covers(&self, id: &Id) -> bool {
        // Accounts and keys stand in one list for all workspaces.
        let flat = matches!(id.noun, Noun::ServiceAccount | Noun::Key);
        self.lists.contains(&(id.noun, if flat { None } else { id.within.clone() }))
    }
}

/// Something that is there.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Found {
    /// Its fields, all that Louver shows and the file may name.
    pub(in crate::cli) fields: Fields,
    /// Louver's id for it.
    pub(in crate::cli) uuid: String,
    /// The ids of others of the same name.
    pub(in crate::cli) namesakes: Vec<String>,
    /// Whether it can never be pruned.
    pub(in crate::cli) pinned: bool,
    /// When it was made, where that matters (keys), in whole seconds.
    pub(in crate::cli) created: Option<i64>,
}

/// What is there, as far as it was read.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Present {
    pub(in crate::cli) items: BTreeMap<Id, Found>,
}

impl Present {
    /// A field of something that is there; null when either is not.
    pub(in crate::cli) fn field(&self, id: &Id, name: &str) -> Value {
        self.items.get(id).and_then(|found| found.fields.get(name)).cloned().unwrap_or(Value::Null)
    }
}

/// A field that people may read but that never changes anything: it is used when the thing is made.
const AT_BIRTH: [(Noun, &str); 1] = [(Noun::Member, "name")];

/// The steps from what is there to what is wanted, or everything that forbids them.
pub(in crate::cli) fn plan(wanted: &Wanted, present: &Present, prune: bool) -> Result<Plan, Vec<String>> {
    let mut wanted = wanted.clone();
    order::clamp_expiries(&mut wanted, present);
    let mut present = present.clone();
    let mut errors = checks::references(&wanted, Some(&present));
    errors.extend(checks::namesakes(&wanted, &present));
    let mut first = Vec::new();
    let mut last = Vec::new();
    for id in order::wanted(&wanted) {
        let Some(fields) = wanted.items.get(&id) else { continue };
        match present.items.get(&id) {
            None => match create(&wanted, &present, &id, fields) {
                Ok(mut step) => {
                    last.extend(order::put_off(&mut step));
                    order::foresee(&mut present, &step);
                    first.push(step);
                }
                Err(error) => errors.push(error),
            },
            Some(found) => {
                let changes = changes(id.noun, fields, &found.fields);
                errors.extend(checks::fixed(&id, &changes));
                let (now, later) = order::split(id.noun, changes);
                first.extend(Step::update(&id, now));
                last.extend(Step::update(&id, later));
            }
        }
    }
    // What lies below is lowered before what lies above.
    first.extend(last.into_iter().rev());
    let (deletions, extra) = surplus(&wanted, &present, prune);
    first.extend(deletions);
    if errors.is_empty() { Ok(Plan { steps: first, extra }) } else { Err(errors) }
}

fn changes(noun: Noun, wanted: &Fields, there: &Fields) -> Vec<Change> {
    let differs = |(field, after): (&String, &Value)| {
        let before = there.get(field).cloned().unwrap_or(Value::Null);
        let fixed = AT_BIRTH.contains(&(noun, field.as_str()));
        (before != *after && !fixed).then(|| Change { field: field.clone(), before, after: after.clone() })
    };
    wanted.iter().filter_map(differs).collect()
}

fn create(wanted: &Wanted, present: &Present, id: &Id, fields: &Fields) -> Result<Step, String> {
    checks::equipped(wanted, id)?;
    let given = fields.iter().filter(|(_, value)| !value.is_null());
    let mut changes: Vec<Change> = given
        .map(|(field, value)| Change { field: field.clone(), before: Value::Null, after: value.clone() })
        .collect();
    if id.noun == Noun::Workspace {
        let admin = order::administrator(wanted, present, &id.name)
            .ok_or_else(|| format!("workspace {:?}: {NO_ADMINISTRATOR}", id.name))?;
        changes.push(Change { field: ADMIN.into(), before: Value::Null, after: admin.into() });
    }
    Ok(Step { action: Action::Create, id: id.clone(), changes })
}

/// The field with what the organization, a workspace or a key says about rotation.
pub(in crate::cli) const ROTATION: &str = "rotation";
/// The field of a new workspace that names the person who administers it from the start.
pub(in crate::cli) const ADMIN: &str = "admin";
/// The role that this person has then.
pub(in crate::cli) const WORKSPACE_ADMIN: &str = "workspace_admin";
const NO_ADMINISTRATOR: &str = "a new workspace needs a person who administers it, and there is nobody yet: \
     name one under `members`";

/// What is there beyond the file: steps that remove it, or its names when nothing is to be pruned.
fn surplus(wanted: &Wanted, present: &Present, prune: bool) -> (Vec<Step>, Vec<Id>) {
    let beyond =
        |(id, found): &(&Id, &Found)| wanted.covers(id) && !found.pinned && !wanted.items.contains_key(*id);
    let extra: Vec<Id> = present.items.iter().filter(beyond).map(|(id, _)| id.clone()).collect();
    if !prune {
        return (vec![], extra);
    }
    let delete = |id: Id| Step { action: Action::Delete, id, changes: vec![] };
    (extra.into_iter().rev().map(delete).collect(), vec![])
}

#[cfg(test)]
mod tests;
