//! `louver export`: writes what is there as a file that `louver apply` takes.

mod yaml;

use super::apply::api::Api;
use super::apply::plan::{Fields, Id, Noun, Present, ROTATION};
use super::apply::state::{self, Needs};
use super::failure::Failure;
use super::remote::Remote;
use crate::config::Environment;
use clap::{Args, ValueEnum};
use std::collections::BTreeSet;
use yaml::Node;

/// Write what is there as a file for `louver apply`.
#[derive(Args)]
pub(super) struct Export {
    /// Only these sections, separated by commas
    #[arg(long, value_delimiter = ',')]
    only: Vec<Section>,
    /// One JSON object in place of YAML; `louver apply` takes that too
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

/// A section of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Section {
    Organization,
    Roles,
    ModelRoles,
    Members,
    Groups,
    Workspaces,
    ServiceAccounts,
    SecretDestinations,
    Keys,
    AlertChannels,
}

impl Section {
    const ALL: [Self; 10] = [
        Self::Organization,
        Self::Roles,
        Self::ModelRoles,
        Self::Members,
        Self::Groups,
        Self::Workspaces,
        Self::ServiceAccounts,
        Self::SecretDestinations,
        Self::Keys,
        Self::AlertChannels,
    ];

    /// Its name, the noun that stands in it, and the nouns within those.
    const fn content(self) -> (&'static str, Noun, &'static [Noun]) {
        match self {
            Self::Organization => ("organization", Noun::Organization, &[]),
            Self::Roles => ("roles", Noun::Role, &[]),
            Self::ModelRoles => ("model_roles", Noun::ModelRole, &[]),
            Self::Members => ("members", Noun::Member, &[]),
            Self::Groups => ("groups", Noun::Group, &[Noun::GroupMember]),
            Self::Workspaces => {
                ("workspaces", Noun::Workspace, &[Noun::WorkspaceMember, Noun::WorkspaceGroup])
            }
            Self::ServiceAccounts => ("service_accounts", Noun::ServiceAccount, &[]),
            Self::SecretDestinations => ("secret_destinations", Noun::SecretDestination, &[]),
            Self::Keys => ("keys", Noun::Key, &[]),
            Self::AlertChannels => ("alert_channels", Noun::AlertChannel, &[]),
        }
    }
}

/// Reads everything and prints it; what this Louver does not know of is named on stderr.
pub(super) async fn run(command: &Export, environment: &Environment) -> Result<(), Failure> {
    let chosen = |section: &Section| command.only.is_empty() || command.only.contains(section);
    let sections: Vec<Section> = Section::ALL.into_iter().filter(chosen).collect();
    let contents = sections.iter().map(|section| section.content());
    let mut nouns: BTreeSet<Noun> =
        contents.flat_map(|(_, noun, within)| [&[noun], within].concat()).collect();
    if nouns.contains(&Noun::Key) {
        // Keys name their owners.
        nouns.extend([Noun::Member, Noun::ServiceAccount]);
    }
    let api = Api::new(command.remote.reach(environment)?);
    let state = state::read(&api, &Needs::all(nouns), true).await?;
    for noun in &state.unknown {
        eprintln!("louver: this Louver has no list of {}s; they are left out", noun.text());
    }
    if state.unknown_model_roles {
        eprintln!("louver: this Louver does not list the model roles of groups; they are left out");
    }
    for (id, _) in state.present.items.iter().filter(|(_, found)| !found.namesakes.is_empty()) {
        eprintln!("louver: there are several of the name {id}; one of them is written");
    }
    let file = write(&state.present, &state.unknown, &sections);
    print!("{}", if command.json { file.json() } else { file.yaml() });
    Ok(())
}

/// The file of what is there.
fn write(present: &Present, unknown: &BTreeSet<Noun>, sections: &[Section]) -> Node {
    let mut file = Vec::new();
    for section in sections {
        let (name, noun, within) = section.content();
        if unknown.contains(&noun) {
            continue;
        }
        let things = present.items.iter().filter(|(id, _)| id.noun == noun);
        let mut nodes: Vec<Node> =
            things.map(|(id, found)| thing(present, unknown, within, id, &found.fields)).collect();
        let node = if noun == Noun::Organization { nodes.pop() } else { Some(Node::List(nodes)) };
        file.extend(node.map(|node| (name.to_owned(), node)));
    }
    Node::Map(file)
}

/// The limits that stand on a thing under `limits`; on a key some have short names of their own.
fn is_limit(noun: Noun, field: &str) -> bool {
    let own: &[&str] = match noun {
        Noun::Organization => &["name", "billing_active", ROTATION],
        Noun::Member => &["name", "roles"],
        Noun::Workspace => &["description", "icon", ROTATION],
        Noun::Key => &[
            "description",
            "allowed_models",
            "rate_limit_rpm",
            "tokens_per_minute",
            "monthly_budget_usd",
            "role",
            "expires_at",
            "allowed_endpoints",
            "allowed_tools",
            "allowed_cidrs",
            "owner",
            "service_account",
            "enabled",
            ROTATION,
        ],
        Noun::Role
        | Noun::ModelRole
        | Noun::Group
        | Noun::GroupMember
        | Noun::WorkspaceMember
        | Noun::WorkspaceGroup
        | Noun::ServiceAccount
        | Noun::SecretDestination
        | Noun::AlertChannel => return false,
    };
    !own.contains(&field)
}

/// One thing: what it is known by, its fields, its limits, what stands in it. What is null or empty is not written.
fn thing(present: &Present, unknown: &BTreeSet<Noun>, within: &[Noun], id: &Id, fields: &Fields) -> Node {
    let text = |text: &str| Node::Value(text.into());
    let mut members = Vec::new();
    match id.noun {
        Noun::Organization => {}
        Noun::Member | Noun::WorkspaceMember => members.push(("email".into(), text(&id.name))),
        Noun::WorkspaceGroup => members.push(("group".into(), text(&id.name))),
        Noun::GroupMember => return text(&id.name),
        Noun::Role
        | Noun::ModelRole
        | Noun::Workspace
        | Noun::Group
        | Noun::ServiceAccount
        | Noun::SecretDestination
        | Noun::Key
        | Noun::AlertChannel => members.push(("name".into(), text(&id.name))),
    }
    if let (Noun::ServiceAccount | Noun::Key, Some(workspace)) = (id.noun, &id.within) {
        members.push(("workspace".into(), text(workspace)));
    }
    let kept = fields.iter().filter(|(field, value)| !left_out(id.noun, field, value));
    let (limits, own): (Vec<_>, Vec<_>) = kept.partition(|(field, _)| is_limit(id.noun, field));
    let node = |(field, value): (&String, &serde_json::Value)| (field.clone(), tree(value));
    members.extend(own.into_iter().map(node));
    if !limits.is_empty() {
        members.push(("limits".into(), Node::Map(limits.into_iter().map(node).collect())));
    }
    for noun in within.iter().filter(|noun| !unknown.contains(noun)) {
        let inside = present
            .items
            .iter()
            .filter(|(inner, _)| inner.noun == *noun && inner.within.as_ref() == Some(&id.name));
        let nodes = inside.map(|(inner, found)| thing(present, unknown, &[], inner, &found.fields)).collect();
        let name = if *noun == Noun::WorkspaceGroup { "groups" } else { "members" };
        members.push((name.into(), Node::List(nodes)));
    }
    Node::Map(members)
}

/// A value with its members in lines of their own.
fn tree(value: &serde_json::Value) -> Node {
    match value.as_object() {
        Some(members) => Node::Map(members.iter().map(|(name, value)| (name.clone(), tree(value))).collect()),
        None => Node::Value(value.clone()),
    }
}

/// What a file does not say: nothings, what goes without saying, and what cannot be set.
fn left_out(noun: Noun, field: &str, value: &serde_json::Value) -> bool {
    let none = value.is_null()
        || (matches!(field, "parents" | "roles") && value.as_array().is_some_and(Vec::is_empty));
    // The host is shown, but it is not the address; and of credentials only the names are.
    none || (noun == Noun::AlertChannel && field == "host")
        || (noun == Noun::SecretDestination && field == "credentials")
        || (noun == Noun::Key && field == "enabled" && *value == true)
}

#[cfg(test)]
mod tests;
