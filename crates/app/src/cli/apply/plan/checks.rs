//! What forbids a plan: names that nothing has, fields that cannot change, things that lack what they need to be made.

use super::{Change, Id, Noun, Present, ROTATION, Wanted, order};
use louver_domain::model_roles;
use serde_json::Value;
use std::collections::BTreeSet;

/// The roles that every organization has.
const ORGANIZATION_ROLES: [&str; 3] = ["member", "billing_manager", "organization_admin"];
/// The roles that every workspace has.
const WORKSPACE_ROLES: [&str; 11] = [
    "billing",
    "user",
    "contributor",
    "dev",
    "dev_contributor",
    "mistral_code_user",
    "cloud_user",
    "workspace_contributor",
    "workspace_admin",
    "observability_viewer",
    "workflow_executor",
];

/// What something in the file names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) struct Reference {
    /// What is named.
    pub(in crate::cli) id: Id,
    /// For a custom role, where it must be given.
    level: Option<&'static str>,
}

/// Everything that something in the file names and that does not come with Louver.
pub(in crate::cli) fn named(id: &Id, fields: &super::Fields) -> Vec<Reference> {
    let plain = |id: Id| Reference { id, level: None };
    let within = id.within.as_deref().unwrap_or_default();
    let mut found = match id.noun {
        Noun::Organization | Noun::Role | Noun::ModelRole | Noun::AlertChannel | Noun::Workspace => vec![],
        Noun::Member => roles(fields, "roles", &ORGANIZATION_ROLES, "organization"),
        Noun::Group => {
            let nested = texts(fields.get("parents")).map(|name| plain(Id::of(Noun::Group, name)));
            let given = roles(fields, "organization_role", &ORGANIZATION_ROLES, "organization");
            nested.chain(given).collect()
        }
        Noun::GroupMember => vec![plain(Id::of(Noun::Group, within)), plain(Id::member(&id.name))],
        Noun::WorkspaceMember => vec![plain(Id::member(&id.name))],
        Noun::WorkspaceGroup => vec![plain(Id::of(Noun::Group, &id.name))],
        Noun::ServiceAccount => vec![plain(Id::workspace(within))],
        Noun::SecretDestination => {
            texts(fields.get("workspace")).map(|name| plain(Id::workspace(name))).collect()
        }
        Noun::Key => {
            let owner = texts(fields.get("owner")).map(|email| plain(Id::member(email)));
            let account = texts(fields.get("service_account"))
                .map(|name| plain(Id::within(Noun::ServiceAccount, within, name)));
            std::iter::once(plain(Id::workspace(within))).chain(owner).chain(account).collect()
        }
    };
    let placed = matches!(id.noun, Noun::WorkspaceMember | Noun::WorkspaceGroup | Noun::ServiceAccount);
    let destinations = fields.get(ROTATION).and_then(|policy| policy.get("destinations"));
    found.extend(texts(destinations).map(|name| plain(Id::of(Noun::SecretDestination, name))));
    if placed {
        found.extend(roles(fields, "roles", &WORKSPACE_ROLES, "workspace"));
    }
    if placed || id.noun == Noun::Key {
        let field = if matches!(id.noun, Noun::ServiceAccount | Noun::Key) { "role" } else { "model_role" };
        let builtin = model_roles::builtin();
        let own = texts(fields.get(field)).filter(|name| builtin.iter().all(|role| role.name != *name));
        found.extend(own.map(|name| plain(Id::of(Noun::ModelRole, name))));
    }
    found
}

fn roles(fields: &super::Fields, field: &str, known: &[&str], level: &'static str) -> Vec<Reference> {
    let custom = texts(fields.get(field)).filter(|name| !known.contains(name));
    custom.map(|name| Reference { id: Id::of(Noun::Role, name), level: Some(level) }).collect()
}

/// A text, or the texts of a list.
pub(in crate::cli) fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let list = value.and_then(Value::as_array).map(Vec::as_slice);
    value.and_then(Value::as_str).into_iter().chain(list.into_iter().flatten().filter_map(Value::as_str))
}

/// Names that nothing has. What the file lists, it lists wholly: a name is looked for there and nowhere else. Where it
/// has no such list, the name must be there already; without `present` that is not judged.
pub(in crate::cli) fn references(wanted: &Wanted, present: Option<&Present>) -> Vec<String> {
    let found = |reference: &Reference| {
        let fields = match (wanted.items.get(&reference.id), present) {
            (Some(fields), _) => Some(fields),
            (None, _) if wanted.covers(&reference.id) => None,
            (None, Some(present)) => present.items.get(&reference.id).map(|found| &found.fields),
            (None, None) => return true,
        };
        let level = fields.and_then(|fields| fields.get("level")).and_then(Value::as_str);
        fields.is_some() && (reference.level.is_none() || reference.level == level)
    };
    missing(wanted, found)
}

/// Things of the file of which there are several.
pub(super) fn namesakes(wanted: &Wanted, present: &Present) -> Vec<String> {
    let several = present
        .items
        .iter()
        .filter(|(id, found)| !found.namesakes.is_empty() && wanted.items.contains_key(*id));
    several
        .map(|(id, _)| format!("{id}: there are several of that name; rename or remove the others"))
        .collect()
}

fn missing(wanted: &Wanted, found: impl Fn(&Reference) -> bool) -> Vec<String> {
    let mut errors = Vec::new();
    for (id, fields) in &wanted.items {
        for reference in named(id, fields).into_iter().filter(|reference| !found(reference)) {
            let level = reference.level.map_or_else(String::new, |level| format!("{level} "));
            let place = if wanted.covers(&reference.id) { "in the file" } else { "in this organization" };
            errors.push(format!("{id}: there is no {level}{} {place}", reference.id));
        }
    }
    errors
}

/// Groups that are nested in themselves.
pub(in crate::cli) fn nesting(wanted: &Wanted) -> Vec<String> {
    let groups = wanted.items.keys().filter(|id| id.noun == Noun::Group);
    let circular = groups.filter(|id| {
        let (mut seen, mut open) = (BTreeSet::new(), order::parents(wanted, id));
        while let Some(next) = open.pop() {
            if seen.insert(next.clone()) {
                open.extend(order::parents(wanted, &next));
            }
        }
        seen.contains(id)
    });
    circular.map(|id| format!("{id}: is nested in itself")).collect()
}

/// Limits of the file that stand above the same limit of what they lie below. Louver judges a limit when it is set, by
/// its parents' of that moment; a file must fit together as a whole.
pub(in crate::cli) fn above(wanted: &Wanted) -> Vec<String> {
    let mut errors = Vec::new();
    for (id, fields) in &wanted.items {
        let workspace = Id::workspace(id.within.as_deref().unwrap_or_default());
        let owner = fields.get("owner").and_then(Value::as_str).map(Id::member);
        let parents = match id.noun {
            Noun::Workspace => vec![Id::organization()],
            Noun::Key => [workspace, Id::organization()].into_iter().chain(owner).collect(),
            Noun::Organization
            | Noun::Role
            | Noun::ModelRole
            | Noun::Member
            | Noun::Group
            | Noun::GroupMember
            | Noun::WorkspaceMember
            | Noun::WorkspaceGroup
            | Noun::ServiceAccount
            | Noun::SecretDestination
            | Noun::AlertChannel => vec![],
        };
        for name in order::NUMBERS {
            let short = id.noun == Noun::Key && name == "requests_per_minute";
            let field = if short { "rate_limit_rpm" } else { name };
            let number = |fields: &super::Fields, field: &str| fields.get(field).and_then(Value::as_f64);
            let higher = parents.iter().find(|parent| {
                let most = wanted.items.get(*parent).and_then(|fields| number(fields, name));
                number(fields, field).zip(most).is_some_and(|(own, most)| own > most)
            });
            errors.extend(
                higher.map(|parent| format!("{id}: {field} stands above the same limit of {parent}")),
            );
        }
    }
    errors
}

/// A window of the day has a begin and an end.
pub(in crate::cli) fn windows(wanted: &Wanted) -> Vec<String> {
    let half = |fields: &super::Fields| {
        let policy = fields.get(ROTATION).and_then(Value::as_object)?;
        Some(policy.contains_key("window_start") != policy.contains_key("window_end"))
    };
    let halves = wanted.items.iter().filter(|(_, fields)| half(fields) == Some(true));
    halves.map(|(id, _)| format!("{id}: window_start and window_end of rotation go together")).collect()
}

/// Fields that cannot change once the thing is made.
pub(super) fn fixed(id: &Id, changes: &[Change]) -> Option<String> {
    let (fields, instead): (&[&str], &str) = match id.noun {
        Noun::Key => (&["owner", "service_account"], "make a key of another name"),
        Noun::AlertChannel => (&["kind"], "give the channel another name"),
        Noun::SecretDestination => (&["kind", "workspace"], "give the destination another name"),
        Noun::Role => (&["level"], "give the role another name"),
        Noun::Organization
        | Noun::ModelRole
        | Noun::Member
        | Noun::Workspace
        | Noun::Group
        | Noun::GroupMember
        | Noun::WorkspaceMember
        | Noun::WorkspaceGroup
        | Noun::ServiceAccount => (&[], ""),
    };
    let change = changes.iter().find(|change| fields.contains(&change.field.as_str()))?;
    Some(format!("{id}: {} cannot be changed: {instead}", change.field))
}

/// Refuses to make what lacks something that only making it needs.
pub(super) fn equipped(wanted: &Wanted, id: &Id) -> Result<(), String> {
    let needs = match id.noun {
        Noun::Key => "a new key needs secret_file: a file, not there yet, that its secret is written to",
        Noun::AlertChannel => {
            "a new alert channel needs url (webhook, slack) or to (email), and a webhook secret or secret_file"
        }
        Noun::ModelRole => "a new model role needs allowed_models",
        Noun::SecretDestination => {
            "a new destination needs settings and the credentials of its kind (a webhook credentials or secret_file)"
        }
        Noun::Organization
        | Noun::Role
        | Noun::Member
        | Noun::Workspace
        | Noun::Group
        | Noun::GroupMember
        | Noun::WorkspaceMember
        | Noun::WorkspaceGroup
        | Noun::ServiceAccount => return Ok(()),
    };
    if wanted.equipped.contains(id) { Ok(()) } else { Err(format!("{id}: {needs}")) }
}
