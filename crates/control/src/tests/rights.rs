//! Every route asked by every built-in role: what the matrix promises is kept, and what is another's is not there.
//!
//! Nothing changes: the randomness stands still, so that every audit event has the id of one that is there, and what is
//! permitted ends in a 503 since its event cannot be written.

pub(super) mod estate;
pub(super) mod requests;

use super::Answer;
use super::people::Person;
use crate::operations;
use crate::routes::{Access, Operation};
use estate::{At, Estate, NO_NAME, NOTHING, Names};
use louver_domain::access::{Action, ActionSet};
use louver_domain::roles::{BUILTIN, Builtin, MEMBER, RoleLevel};
use louver_store::revision;
use std::sync::atomic::Ordering;

/// Where something permitted ends neither in a 2xx nor in the failure of its audit event, and why.
const OTHERWISE: [(&str, &str, u16); 7] = [
    // No directory is connected.
    ("POST", "/v1/admin/scim/sync", 404),
    ("GET", "/v1/admin/scim/sync/{run_id}", 404),
    // Its books agree; only built-in roles can be restored; no rotation waits for another try; there is no checkpoint yet.
    ("POST", "/v1/gateway/budgets/{id}/unblock", 404),
    ("POST", "/v1/gateway/roles/{name}/restore", 409),
    ("POST", "/v1/gateway/rotations/{id}/retry", 409),
    ("GET", "/v1/gateway/audit/checkpoint", 404),
    // Who may read policies in a workspace does not see the organization's.
    ("GET", "/v1/gateway/rotation-policies/organization", 403),
];

/// What the rights of somebody make of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    May,
    /// Knows of it, and may not.
    MayNot,
    /// May not know of it.
    Unseen,
}

/// Somebody with one role; people with a role in a workspace are plain members of the organization besides.
struct Somebody {
    name: &'static str,
    secret: String,
    /// What is their own, where they can have anything.
    own: Names,
    everywhere: ActionSet,
    here: ActionSet,
    is_here: bool,
}

impl Somebody {
    async fn with(estate: &Estate, role: &'static Builtin) -> Self {
        let email = format!("{}@example.com", role.name);
        let is_here = role.level == RoleLevel::Workspace;
        let member = BUILTIN.iter().find(|role| role.id() == MEMBER).unwrap();
        let (person, everywhere, here) = if is_here {
            let places = [(estate.here, role.id())];
            let person = estate.house.somebody(&email, &[MEMBER], &places).await;
            (person, member.actions(), role.actions())
        } else {
            let person = estate.house.somebody(&email, &[role.id()], &[]).await;
            (person, role.actions(), ActionSet::default())
        };
        let Person { id, secret } = person;
        let own = match is_here {
            true => [("key", estate.key_of(id).await), ("owner", id.to_string())].into(),
            false => Names::new(),
        };
        Self { name: role.name, secret, own, everywhere, here, is_here }
    }

    /// What the matrix says: the role's cell, its reach, and `own`.
    fn verdict(&self, action: Action, of_somebody: bool, at: Option<At>) -> Verdict {
        let any = |set: ActionSet| action.wider().is_some_and(|wider| set.contains(wider));
        let wider = |set: ActionSet| set.contains(action) || any(set);
        let own = action.holders().own();
        let somewhere = wider(self.everywhere) || wider(self.here) || own;
        let may = match at {
            None => somewhere,
            Some(At::Here) if of_somebody && action.wider().is_some() => {
                any(self.everywhere) || any(self.here)
            }
            Some(At::Here) => wider(self.everywhere) || wider(self.here),
            // Nobody changes the limits of what is their own, whatever they may do to others'.
            Some(At::Own) if action == Action::UpdateApiKey => false,
            Some(At::Own) => wider(self.everywhere) || wider(self.here) || own,
            Some(At::There | At::Nowhere) => wider(self.everywhere),
        };
        let sees = self.everywhere.contains(Action::ReadWorkspace)
            || (self.is_here && matches!(at, Some(At::Here | At::Own)));
        match (may, somewhere, sees) {
            (true, _, _) => Verdict::May,
            (false, false, _) | (false, true, true) => Verdict::MayNot,
            (false, true, false) => Verdict::Unseen,
        }
    }
}

/// Whether a request differs by workspace.
fn is_placed(operation: &Operation) -> bool {
    let action = match operation.access {
        Access::Admin(action) => action,
        Access::AnyAdmin | Access::ApiKey | Access::Link | Access::Open => return false,
    };
    let text = format!("{}{}", operation.path, requests::body(operation));
    let names = ["{workspace", "{account}", "{key", "api-keys/{id}", "keys/{id}"];
    action.level() == RoleLevel::Workspace && names.iter().any(|name| text.contains(name))
}

/// Whether a request is about what may be a person's own.
fn is_of_somebody(operation: &Operation) -> bool {
    let text = format!("{}{}", operation.path, requests::body(operation));
    ["{key", "{owner}", "api-keys/{id}", "keys/{id}"].iter().any(|name| text.contains(name))
}

async fn ask(estate: &Estate, secret: &str, operation: &Operation, at: At, own: &Names) -> Answer {
    let path = estate.fill(operation.path, operation.path, at, own) + &requests::query(operation);
    let body = estate.fill(operation.path, requests::body(operation), at, own);
    estate.house.call_as(secret, operation.method.as_str(), &path, &body).await
}

fn guarded() -> impl Iterator<Item = (Operation, Action)> {
    operations().into_iter().filter_map(|operation| match operation.access {
        Access::Admin(action) => Some((operation, action)),
        Access::AnyAdmin | Access::ApiKey | Access::Link | Access::Open => None,
    })
}

/// From here on no audit event can be written: each would have the id of this one.
async fn stand_still(estate: &Estate) {
    estate.house.entropy.1.store(0, Ordering::Relaxed);
    estate.house.make("/v1/gateway/roles", r#"{"name": "last", "allowed_models": ["*"]}"#).await;
}

/// The statuses of what is permitted.
fn is_let_through(operation: &Operation, answer: &Answer) -> bool {
    let status = answer.status.as_u16();
    let here = (operation.method.as_str(), operation.path, status);
    let jammed = status == 503 && answer.text.contains("the audit log cannot be written");
    answer.status.is_success() || jammed || OTHERWISE.contains(&here)
}

/// What belongs to one workspace; groups and people belong to the organization.
fn is_placed_object(kind: &str) -> bool {
    matches!(kind, "workspace" | "account" | "key" | "budget")
}

/// An answer without what differs from one request to the next.
fn alike(estate: &Estate, answer: &Answer) -> (u16, String) {
    let mut text = answer.text.clone();
    for id in estate.objects_here.values().chain(estate.objects_there.values()) {
        text = text.replace(id.as_str(), "…");
    }
    let text = text.replace(NOTHING, "…").replace(NO_NAME, "…");
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    if let Some(members) = json.as_object_mut() {
        members.remove("request_id");
    }
    (answer.status.as_u16(), json.to_string())
}

async fn try_one(
    estate: &Estate,
    somebody: &Somebody,
    operation: &Operation,
    action: Action,
    at: Option<At>,
) -> Option<String> {
    let own = &somebody.own;
    let answer = ask(estate, &somebody.secret, operation, at.unwrap_or(At::Here), own).await;
    let verdict = somebody.verdict(action, is_of_somebody(operation), at);
    let is_right = match verdict {
        // Who may do it in their workspace only learns nothing of the other one by it.
        Verdict::May => {
            let tells = estate
                .objects_there
                .iter()
                .any(|(kind, id)| is_placed_object(kind) && answer.text.contains(id));
            is_let_through(operation, &answer) && (somebody.everywhere.contains(action) || !tells)
        }
        Verdict::MayNot => answer.status == 403,
        Verdict::Unseen => {
            let nothing = ask(estate, &somebody.secret, operation, At::Nowhere, own).await;
            // Names in a body are refused as fields, the same for what is there and what is not.
            let said = matches!(answer.status.as_u16(), 404 | 422);
            said && alike(estate, &answer) == alike(estate, &nothing)
        }
    };
    let (name, method, path) = (somebody.name, &operation.method, operation.path);
    (!is_right)
        .then(|| format!("{name} {method} {path} {at:?}: {verdict:?}, but {} {}", answer.status, answer.text))
}

#[tokio::test]
async fn every_role_may_do_at_every_route_what_the_matrix_says() {
    requests::check(&operations());
    let estate = Estate::found().await;
    let mut people = Vec::new();
    for role in &BUILTIN {
        people.push(Somebody::with(&estate, role).await);
    }
    stand_still(&estate).await;
    let before = revision::current(&estate.house.control.store).await.unwrap();
    let (mut wrong, mut tried) = (Vec::new(), 0);
    for (operation, action) in guarded() {
        for somebody in &people {
            let mut places = match is_placed(&operation) {
                true => vec![Some(At::Here), Some(At::There)],
                false => vec![None],
            };
            if somebody.is_here && is_placed(&operation) && is_of_somebody(&operation) {
                places.push(Some(At::Own));
            }
            for at in places {
                wrong.extend(try_one(&estate, somebody, &operation, action, at).await);
                tried += 1;
            }
        }
        let answer = ask(&estate, &estate.house.admin, &operation, At::There, &Names::new()).await;
        if !is_let_through(&operation, &answer) {
            let (method, path) = (&operation.method, operation.path);
            wrong.push(format!("an admin key {method} {path}: {} {}", answer.status, answer.text));
        }
    }
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(tried > 1500, "{tried}");
    let after = revision::current(&estate.house.control.store).await.unwrap();
    assert_eq!(before, after, "nothing was changed by any of them");
}

#[tokio::test]
async fn what_belongs_to_another_organization_answers_as_what_is_not_there() {
    let estate = Estate::found().await;
    let stranger = estate.house.neighbour().await;
    stand_still(&estate).await;
    let mut wrong = Vec::new();
    // The catalogue of models is the program's: all organizations see the same one.
    let named = guarded().filter(|(operation, _)| {
        operation.path.contains('{') && !operation.path.starts_with("/v1/gateway/models")
    });
    for (operation, _) in named {
        let theirs = ask(&estate, &stranger, &operation, At::Here, &Names::new()).await;
        let nothing = ask(&estate, &stranger, &operation, At::Nowhere, &Names::new()).await;
        let alike = alike(&estate, &theirs) == alike(&estate, &nothing);
        if theirs.status != 404 || !alike || theirs.headers.keys().ne(nothing.headers.keys()) {
            let (method, path) = (&operation.method, operation.path);
            wrong.push(format!("{method} {path}: {} {} | {}", theirs.status, theirs.text, nothing.text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
