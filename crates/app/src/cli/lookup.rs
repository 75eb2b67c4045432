//! Names to ids: what a person calls something, found in the lists of the API.

use super::cells::text;
use super::failure::{End, Failure};
use super::session::Session;
use serde_json::Value;

/// A kind of thing that can be named.
pub(super) struct Kind {
    /// What people call it.
    pub(super) noun: &'static str,
    path: &'static str,
    id: &'static str,
    name: &'static str,
    paging: Paging,
    /// The command that lists all of them.
    command: &'static str,
    /// The command that makes one of a name, where that takes nothing else.
    make: Option<&'static str>,
}

#[derive(Clone, Copy)]
enum Paging {
    After,
    Whole,
    /// By number; the items stand in `items`.
    Numbered,
}

const fn kind(noun: &'static str, path: &'static str, name: &'static str, command: &'static str) -> Kind {
    Kind { noun, path, id: "id", name, paging: Paging::After, command, make: None }
}

/// Workspaces, by name.
pub(super) const WORKSPACE: Kind = Kind {
    make: Some("louver workspaces create"),
    ..kind("workspace", "/v1/gateway/workspaces", "name", "louver workspaces list")
};
/// API keys, by name.
pub(super) const KEY: Kind = kind("key", "/v1/api-keys", "name", "louver keys list");
/// People of the organization, by mail address.
pub(super) const MEMBER: Kind = Kind {
    make: Some("louver members create"),
    ..kind("member", "/v1/gateway/users", "email", "louver members list")
};
/// Service accounts, by name.
pub(super) const ACCOUNT: Kind =
    kind("service account", "/v1/gateway/service-accounts", "name", "louver service-accounts list");
/// Upstream credentials, by name.
pub(super) const UPSTREAM: Kind = kind("upstream", "/v1/gateway/upstreams", "name", "louver upstreams list");
/// Alert channels, by name.
pub(super) const CHANNEL: Kind =
    kind("alert channel", "/v1/gateway/alert-channels", "name", "louver alerts channels list");
/// Secret destinations, by name.
pub(super) const DESTINATION: Kind = kind(
    "secret destination",
    "/v1/gateway/secret-destinations",
    "name",
    "louver rotation destinations list",
);
/// Invitations, by mail address.
pub(super) const INVITATION: Kind =
    kind("invitation", "/v1/gateway/invitations", "email", "louver members invitations");
/// Admin keys, by name.
pub(super) const ADMIN_KEY: Kind =
    kind("admin key", "/v1/gateway/admin-keys", "name", "louver rotation admin-keys list");
/// Budgets, by the name of what they are of.
pub(super) const BUDGET: Kind = kind("budget", "/v1/gateway/budgets", "name", "louver budgets list");
/// Custom roles, by name.
pub(super) const ROLE: Kind = Kind {
    paging: Paging::Whole,
    ..kind("custom role", "/v1/gateway/custom-roles", "name", "louver roles custom list")
};
/// Groups, by name.
pub(super) const GROUP: Kind = Kind {
    paging: Paging::Numbered,
    id: "uuid",
    ..kind("group", "/v1/admin/user-groups", "name", "louver groups list")
};

/// Something that was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its id.
    pub(super) id: String,
    /// What to call it.
    pub(super) name: String,
}

impl Kind {
    /// All of them.
    pub(super) async fn all(&self, session: &Session) -> Result<Vec<Value>, Failure> {
        match self.paging {
            Paging::After => session.list(self.path, self.id).await,
            Paging::Whole => session.whole(self.path).await,
            Paging::Numbered => Ok(session.client.numbered(self.path, "items").await?),
        }
    }

    /// The one that is meant by a name or an id.
    pub(super) async fn find(&self, session: &Session, wanted: &str) -> Result<Found, Failure> {
        self.refuse_secret(wanted)?;
        if is_id(wanted) {
            return Ok(Found { id: wanted.to_owned(), name: wanted.to_owned() });
        }
        self.choose(&self.all(session).await?, wanted)
    }

    /// The same where it may be left out.
    pub(super) async fn find_some(
        &self,
        session: &Session,
        wanted: Option<&str>,
    ) -> Result<Option<Found>, Failure> {
        match wanted {
            Some(wanted) => self.find(session, wanted).await.map(Some),
            None => Ok(None),
        }
    }

    /// A key that was given in the place of its name is known to others by now.
    fn refuse_secret(&self, wanted: &str) -> Result<(), Failure> {
        match wanted.get(..4) {
            Some("lvr_" | "lva_") => {
                Err(Failure::usage(format!("that is a secret, and not the name of a {}", self.noun))
                    .hint("Other programs can see arguments: take it for known, and rotate it.")
                    .hint("`louver keys report-leak -` reads one from stdin and disables its key at once."))
            }
            _ => Ok(()),
        }
    }

    /// The one of that name among those; what is over counts only where nothing else has the name.
    pub(super) fn choose(&self, all: &[Value], wanted: &str) -> Result<Found, Failure> {
        let same = |item: &&Value| text(item, self.name).to_lowercase() == wanted.to_lowercase();
        let exact = |item: &&Value| text(item, self.name) == wanted;
        let mut found: Vec<&Value> = all.iter().filter(exact).collect();
        if found.is_empty() && self.name == "email" {
            found = all.iter().filter(same).collect();
        }
        if found.iter().any(|item| !over(item)) {
            found.retain(|item| !over(item));
        }
        match found.as_slice() {
            [one] => Ok(Found { id: text(one, self.id).to_owned(), name: wanted.to_owned() }),
            [] => Err(self.missing(all, wanted)),
            several => Err(self.ambiguous(several, wanted)),
        }
    }

    /// Says that there is none of that name.
    pub(super) fn missing(&self, all: &[Value], wanted: &str) -> Failure {
        let failure = Failure::new(End::NotThere, format!("there is no {} {wanted:?}", self.noun));
        let names = all.iter().filter(|item| !over(item)).map(|item| text(item, self.name));
        let failure = match nearest(names, wanted) {
            Some(name) => failure.hint(format!("Did you mean {name:?}?")),
            None => failure,
        };
        let failure = failure.hint(format!("`{}` shows all of them.", self.command));
        match self.make {
            Some(make) if !wanted.contains(|c: char| c.is_whitespace() || "`'\"\\$".contains(c)) => {
                failure.hint(format!("`{make} {wanted}` makes it."))
            }
            Some(_) | None => failure,
        }
    }

    fn ambiguous(&self, several: &[&Value], wanted: &str) -> Failure {
        let failure = Failure::new(
            End::NotThere,
            format!("{} {}s are called {wanted:?}: give the id of one", several.len(), self.noun),
        );
        several.iter().fold(failure, |failure, item| {
            let place = text(item, "workspace_id");
            let place =
                if place.is_empty() { String::new() } else { format!("  (workspace {})", bare(place)) };
            failure.hint(format!("{}{place}", text(item, self.id)))
        })
    }
}

/// Whether it is kept only for the record.
fn over(item: &Value) -> bool {
    item.get("archived_at").is_some_and(Value::is_string) || text(item, "status") == "revoked"
}

/// Whether a text has the form of an id.
pub(super) fn is_id(text: &str) -> bool {
    let hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let prefixed = text.split_once('_').is_some_and(|(prefix, rest)| {
        (2..=6).contains(&prefix.len()) && rest.len() == 32 && hexadecimal(rest)
    });
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    prefixed || (lengths == [8, 4, 4, 4, 12] && parts.iter().all(|part| hexadecimal(part)))
}

/// An id without its prefix, as a UUID; the same id has several forms.
pub(super) fn bare(id: &str) -> String {
    let digits = id.rsplit('_').next().unwrap_or(id).replace('-', "");
    let part = |range| digits.get(range).unwrap_or_default();
    match digits.len() {
        32 => format!("{}-{}-{}-{}-{}", part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)),
        _ => id.to_owned(),
    }
}

/// The name that was probably meant.
fn nearest<'a>(names: impl Iterator<Item = &'a str>, wanted: &str) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    let far = |name: &str| {
        let name = name.to_lowercase();
        let within = wanted.len() > 2 && (name.contains(&wanted) || wanted.contains(&name));
        if within { 1 } else { distance(&name, &wanted) }
    };
    let allowed = 1 + wanted.chars().count() / 4;
    names
        .filter(|name| !name.is_empty())
        .map(|name| (far(name), name))
        .filter(|(far, _)| *far <= allowed)
        .min()
        .map(|(_, name)| name)
}

/// How many letters must change.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, letter) in a.chars().enumerate() {
        let mut next = vec![at + 1];
        for (other, (diagonal, above)) in b.iter().zip(row.iter().zip(row.iter().skip(1))) {
            let left = next.last().copied().unwrap_or(0);
            let changed = diagonal + usize::from(*other != letter);
            next.push(changed.min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_found_and_what_is_not_there_is_told_with_what_is() {
        let all = [
            json!({"id": "1", "name": "dev-workspace", "archived_at": null}),
            json!({"id": "2", "name": "old", "archived_at": "2026-01-01T00:00:00Z"}),
            json!({"id": "3", "name": "old", "archived_at": null}),
            json!({"id": "4", "name": "twice", "workspace_id": "ws_01a1ffe661e2771680273a0424343211"}),
            json!({"id": "5", "name": "twice"}),
        ];
        assert_eq!(WORKSPACE.choose(&all, "old").unwrap().id, "3");
        for (wanted, said) in [
            ("dev-workspce", "Did you mean \"dev-workspace\"?"),
            ("dev", "Did you mean \"dev-workspace\"?"),
            ("zzzzz", "`louver workspaces list` shows all of them."),
            ("twice", "4  (workspace 01a1ffe6-61e2-7716-8027-3a0424343211)"),
        ] {
            let failure = WORKSPACE.choose(&all, wanted).unwrap_err();
            assert_eq!(failure.end(), End::NotThere);
            assert!(failure.lines().join("\n").contains(said), "{:?}", failure.lines());
        }
        let people = [json!({"id": "1", "email": "ada@example.com"})];
        assert_eq!(MEMBER.choose(&people, "Ada@Example.com").unwrap().id, "1");
    }

    #[test]
    fn ids_have_their_forms() {
        for id in ["01a1ffe6-61e2-7716-8027-3a0424343211", "key_01a1ffe661e2771680273a0424343211"] {
            assert!(is_id(id), "{id}");
            assert_eq!(bare(id), "01a1ffe6-61e2-7716-8027-3a0424343211");
        }
        for name in ["dev-workspace", "key_1", "a-b-c-d-e", "", "_", "lvr_x"] {
            assert!(!is_id(name), "{name}");
        }
    }

    #[test]
    fn a_secret_is_no_name() {
        assert!(KEY.refuse_secret("lvr_abc").is_err() && KEY.refuse_secret("prod").is_ok());
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
