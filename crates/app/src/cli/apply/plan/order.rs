//! In which order things are done, and what follows from one step for the next.

use super::{ADMIN, Action, Change, Found, Id, Noun, Present, ROTATION, Step, WORKSPACE_ADMIN, Wanted};
use louver_domain::time::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SECONDS_PER_DAY: i64 = 86_400;

/// The numbers that a child may not have above its parent's: raised before what lies below, lowered after it.
pub(super) const NUMBERS: [&str; 8] = [
    "requests_per_second",
    "requests_per_minute",
    "tokens_per_minute",
    "tokens_per_month",
    "max_concurrent_requests",
    "hourly_budget_usd",
    "daily_budget_usd",
    "monthly_budget_usd",
];

/// What is wanted, in the order in which it is made: by noun, and groups after those they are nested in.
pub(super) fn wanted(wanted: &Wanted) -> Vec<Id> {
    let mut ordered = Vec::with_capacity(wanted.items.len());
    let mut seen = BTreeSet::new();
    for id in wanted.items.keys() {
        add(wanted, id, &mut seen, &mut ordered);
    }
    ordered
}

fn add(wanted: &Wanted, id: &Id, seen: &mut BTreeSet<Id>, ordered: &mut Vec<Id>) {
    if !seen.insert(id.clone()) {
        return;
    }
    if id.noun == Noun::Group {
        for parent in parents(wanted, id) {
            add(wanted, &parent, seen, ordered);
        }
    }
    ordered.push(id.clone());
}

/// The groups of the file that a group of the file is nested in.
pub(super) fn parents(wanted: &Wanted, id: &Id) -> Vec<Id> {
    let named = wanted.items.get(id).and_then(|fields| fields.get("parents")?.as_array());
    let named = named.into_iter().flatten().filter_map(Value::as_str);
    named.map(|name| Id::of(Noun::Group, name)).filter(|parent| wanted.items.contains_key(parent)).collect()
}

/// Splits changes into those to be made at once and those to be made after what lies below: lowered limits, and policies
/// that name destinations.
pub(super) fn split(noun: Noun, changes: Vec<Change>) -> (Vec<Change>, Vec<Change>) {
    let limited = matches!(noun, Noun::Organization | Noun::Workspace | Noun::Member);
    changes.into_iter().partition(|change| !(limited && (lowers(change) || change.field == ROTATION)))
}

/// Takes out of a step that makes something what can only be set after what lies below: a policy names destinations, which
/// may belong to the new workspace. Keys are made last.
pub(super) fn put_off(step: &mut Step) -> Option<Step> {
    if step.id.noun != Noun::Workspace {
        return None;
    }
    let (later, now) =
        std::mem::take(&mut step.changes).into_iter().partition(|change| change.field == ROTATION);
    step.changes = now;
    Step::update(&step.id, later)
}

fn lowers(change: &Change) -> bool {
    let number = |value: &Value| value.as_f64();
    NUMBERS.contains(&change.field.as_str())
        && match (number(&change.before), number(&change.after)) {
            (None, Some(_)) => true,
            (Some(before), Some(after)) => after < before,
            (_, None) => false,
        }
}

/// What else is there after a step: a new workspace has the person who administers it.
pub(super) fn foresee(present: &mut Present, step: &Step) {
    if let (Action::Create, Noun::Workspace, Some(Value::String(admin))) =
        (step.action, step.id.noun, step.after(ADMIN))
    {
        let fields = [("roles".to_owned(), json!([WORKSPACE_ADMIN])), ("model_role".to_owned(), Value::Null)];
        let found = Found { fields: fields.into(), ..Found::default() };
        present.items.insert(Id::within(Noun::WorkspaceMember, &step.id.name, admin), found);
    }
}

/// Who administers a new workspace: whom the file makes its administrator; else whom the file gives other roles there
/// (right after); else an administrator of the organization; else somebody who is in it; else anybody.
pub(super) fn administrator(wanted: &Wanted, present: &Present, workspace: &str) -> Option<String> {
    let listed = || {
        let of_workspace =
            |id: &Id| id.noun == Noun::WorkspaceMember && id.within.as_deref() == Some(workspace);
        wanted.items.iter().filter(move |(id, _)| of_workspace(id))
    };
    let has = |roles: Option<&Value>, role: &str| {
        roles.and_then(Value::as_array).is_some_and(|roles| roles.iter().any(|name| name == role))
    };
    let chosen = listed().find(|(_, fields)| has(fields.get("roles"), WORKSPACE_ADMIN));
    let chosen = chosen.or_else(|| listed().find(|(_, fields)| fields.contains_key("roles")));
    let member = |id: &&Id| id.noun == Noun::Member;
    let people = || wanted.items.keys().filter(member).chain(present.items.keys().filter(member));
    let roles = |id: &Id| {
        let given = wanted.items.get(id).and_then(|fields| fields.get("roles"));
        given.or_else(|| present.items.get(id)?.fields.get("roles"))
    };
    let chosen =
        chosen.map(|(id, _)| id).or_else(|| people().find(|id| has(roles(id), "organization_admin")));
    let chosen = chosen.or_else(|| listed().next().map(|(id, _)| id)).or_else(|| people().next());
    chosen.map(|id| id.name.clone())
}

/// Louver ends a key no later than the longest life that its workspace and organization allow. What the file asks for
/// beyond that is the same as that.
pub(super) fn clamp_expiries(wanted: &mut Wanted, present: &Present) {
    let days = |wanted: &Wanted, id: &Id| {
        let given = wanted.items.get(id).and_then(|fields| fields.get("max_key_lifetime_days").cloned());
        given.unwrap_or_else(|| present.field(id, "max_key_lifetime_days")).as_i64()
    };
    let keys: Vec<Id> = wanted.items.keys().filter(|id| id.noun == Noun::Key).cloned().collect();
    for id in keys {
        let created = present.items.get(&id).and_then(|found| found.created);
        let workspace = Id::workspace(id.within.as_deref().unwrap_or_default());
        let longest =
            [days(wanted, &Id::organization()), days(wanted, &workspace)].into_iter().flatten().min();
        let (Some(created), Some(longest)) = (created, longest) else { continue };
        let last = created.saturating_add(longest.saturating_mul(SECONDS_PER_DAY));
        if let Some(asked) = wanted.items.get_mut(&id).and_then(|fields| fields.get_mut("expires_at")) {
            let end = asked.as_str().and_then(Timestamp::parse).map_or(last, |end| end.seconds().min(last));
            *asked = Timestamp::from_micros(0).plus_seconds(end).rfc3339().into();
        }
    }
}
