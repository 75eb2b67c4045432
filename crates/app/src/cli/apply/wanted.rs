//! From the file to what is wanted: checked as far as the file alone tells, in the form that Louver shows things in.

mod secret_destinations;

pub(in crate::cli) use secret_destinations::shown;

use super::file::{self, File};
use super::plan::{Fields, Id, Noun, ROTATION, Wanted, checks};
use super::secrets;
use crate::config::Environment;
use louver_domain::alert_channels::ChannelKind;
use louver_domain::secret::Secret;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What the file says, and what of it nobody may see.
#[derive(Default)]
pub(in crate::cli) struct Reading {
    pub(in crate::cli) wanted: Wanted,
    pub(in crate::cli) hidden: BTreeMap<Id, Hidden>,
}

/// What of a key, an alert channel or a destination of secrets is in no plan.
#[derive(Default)]
pub(in crate::cli) struct Hidden {
    /// Where a secret that Louver makes is written.
    pub(in crate::cli) secret_file: Option<PathBuf>,
    pub(in crate::cli) url: Option<Secret<String>>,
    pub(in crate::cli) secret: Option<Secret<String>>,
    /// Of a destination of secrets, by name.
    pub(in crate::cli) credentials: BTreeMap<String, Secret<String>>,
}

/// Fields that are said by where a thing stands, or that are read apart.
const APART: [&str; 9] =
    ["limits", "members", "groups", "workspace", "secret_file", "url", "secret", "settings", "credentials"];

/// Reads the whole file or says everything that is wrong with it. `folder` is where its relative paths begin.
pub(in crate::cli) fn read(
    file: &File,
    folder: &Path,
    environment: &Environment,
) -> Result<Reading, Vec<String>> {
    let mut reader = Reader { folder, environment, reading: Reading::default(), errors: vec![] };
    reader.organization(file);
    reader.lists(file);
    reader.workspaces(file);
    reader.secret_destinations(file);
    reader.keys(file);
    reader.alert_channels(file);
    let Reader { reading, mut errors, .. } = reader;
    errors.extend(checks::references(&reading.wanted, None));
    errors.extend(checks::nesting(&reading.wanted));
    errors.extend(checks::above(&reading.wanted));
    errors.extend(checks::windows(&reading.wanted));
    errors.extend(unfit_files(&reading));
    if errors.is_empty() { Ok(reading) } else { Err(errors) }
}

struct Reader<'a> {
    folder: &'a Path,
    environment: &'a Environment,
    reading: Reading,
    errors: Vec<String>,
}

impl Reader<'_> {
    /// Notes that the file has a list.
    fn covers(&mut self, noun: Noun, within: Option<&str>) {
        self.reading.wanted.lists.insert((noun, within.map(str::to_owned)));
    }

    /// Adds a thing; `name` is the field that it is known by.
    fn add(&mut self, id: Id, thing: &impl Serialize, name: &str) {
        if id.noun != Noun::Organization && !is_name(&id.name) {
            self.errors
                .push(format!("{}: {name} must be 1 to 255 characters that can be seen", id.noun.text()));
        }
        let person = matches!(id.noun, Noun::Member | Noun::GroupMember | Noun::WorkspaceMember);
        if person && !id.name.is_empty() && !is_email(&id.name) {
            self.errors.push(format!("{id}: is not a mail address"));
        }
        let mut fields = fields(thing);
        fields.remove(name);
        // Accounts may have no role; people and groups are in something by having one.
        let roles = fields.get("roles").and_then(Value::as_array);
        if id.noun != Noun::ServiceAccount && roles.is_some_and(Vec::is_empty) {
            self.errors.push(format!("{id}: roles must name one, or be left out"));
        }
        if self.reading.wanted.items.insert(id.clone(), fields).is_some() {
            self.errors.push(format!("{id}: stands in the file twice"));
        }
    }

    fn organization(&mut self, file: &File) {
        if let Some(organization) = &file.organization {
            self.add(Id::organization(), organization, "");
        }
    }

    /// The lists whose things stand by themselves.
    fn lists(&mut self, file: &File) {
        if let Some(roles) = &file.roles {
            self.covers(Noun::Role, None);
            roles.iter().for_each(|role| self.add(Id::of(Noun::Role, &role.name), role, "name"));
        }
        if let Some(roles) = &file.model_roles {
            self.covers(Noun::ModelRole, None);
            for role in roles {
                let id = Id::of(Noun::ModelRole, &role.name);
                if role.allowed_models.is_some() {
                    self.reading.wanted.equipped.insert(id.clone());
                }
                self.add(id, role, "name");
            }
        }
        if let Some(members) = &file.members {
            self.covers(Noun::Member, None);
            members.iter().for_each(|member| self.add(Id::member(&email(&member.email)), member, "email"));
        }
        if let Some(groups) = &file.groups {
            self.covers(Noun::Group, None);
            groups.iter().for_each(|group| self.group(group));
        }
        if let Some(accounts) = &file.service_accounts {
            self.covers(Noun::ServiceAccount, None);
            for account in accounts {
                self.add(
                    Id::within(Noun::ServiceAccount, &account.workspace, &account.name),
                    account,
                    "name",
                );
            }
        }
    }

    fn group(&mut self, group: &file::Group) {
        self.add(Id::of(Noun::Group, &group.name), group, "name");
        if let Some(members) = &group.members {
            self.covers(Noun::GroupMember, Some(&group.name));
            for member in members {
                let none: [(); 0] = [];
                self.add(Id::within(Noun::GroupMember, &group.name, &email(member)), &none, "members");
            }
        }
    }

    fn workspaces(&mut self, file: &File) {
        let Some(workspaces) = &file.workspaces else { return };
        self.covers(Noun::Workspace, None);
        for workspace in workspaces {
            self.add(Id::workspace(&workspace.name), workspace, "name");
            if let Some(members) = &workspace.members {
                self.covers(Noun::WorkspaceMember, Some(&workspace.name));
                for member in members {
                    let id = Id::within(Noun::WorkspaceMember, &workspace.name, &email(&member.email));
                    self.add(id, member, "email");
                }
            }
            if let Some(groups) = &workspace.groups {
                self.covers(Noun::WorkspaceGroup, Some(&workspace.name));
                for group in groups {
                    self.add(Id::within(Noun::WorkspaceGroup, &workspace.name, &group.group), group, "group");
                }
            }
        }
    }

    fn keys(&mut self, file: &File) {
        let Some(keys) = &file.keys else { return };
        self.covers(Noun::Key, None);
        for key in keys {
            let id = Id::within(Noun::Key, &key.workspace, &key.name);
            if key.owner.is_some() && key.service_account.is_some() {
                self.errors.push(format!("{id}: has one owner: a person or a service account"));
            }
            if let Some(file) = &key.secret_file {
                self.reading.wanted.equipped.insert(id.clone());
                let hidden = Hidden { secret_file: Some(self.folder.join(file)), ..Hidden::default() };
                self.reading.hidden.insert(id.clone(), hidden);
            }
            self.add(id, key, "name");
        }
    }

    fn alert_channels(&mut self, file: &File) {
        let Some(channels) = &file.alert_channels else { return };
        self.covers(Noun::AlertChannel, None);
        for channel in channels {
            let id = Id::of(Noun::AlertChannel, &channel.name);
            if let Err(error) = self.alert_channel(&id, channel) {
                self.errors.push(format!("{id}: {error}"));
            }
        }
    }

    fn alert_channel(&mut self, id: &Id, channel: &file::AlertChannel) -> Result<(), String> {
        let (mails, webhook) = (channel.kind == ChannelKind::Email, channel.kind == ChannelKind::Webhook);
        let misplaced = [
            (mails && channel.url.is_some(), "url belongs to webhooks and Slack"),
            (!webhook && channel.secret.is_some(), "secret belongs to webhooks"),
            (!webhook && channel.secret_file.is_some(), "secret_file belongs to webhooks"),
            (!mails && channel.to.is_some(), "to belongs to mail"),
            (
                channel.secret.is_some() && channel.secret_file.is_some(),
                "secret_file is for a secret that Louver makes; with a secret of your own leave it out",
            ),
        ];
        if let Some((_, sentence)) = misplaced.iter().find(|(wrong, _)| *wrong) {
            return Err((*sentence).to_owned());
        }
        let expand = |text: &String| secrets::expand(text, self.environment);
        let url = channel.url.as_ref().map(expand).transpose()?;
        let secret = channel.secret.as_ref().map(expand).transpose()?;
        let host = url.as_ref().map(secrets::host).transpose()?;
        let to =
            channel.to.as_ref().map(|to| to.iter().map(expand).collect::<Result<Vec<_>, _>>()).transpose()?;
        let signed = secret.is_some() || channel.secret_file.is_some();
        let equipped = match channel.kind {
            ChannelKind::Webhook => url.is_some() && signed,
            ChannelKind::Slack => url.is_some(),
            ChannelKind::Email => to.is_some(),
        };
        if equipped {
            self.reading.wanted.equipped.insert(id.clone());
        }
        let secret_file = channel.secret_file.as_ref().map(|file| self.folder.join(file));
        self.reading.hidden.insert(id.clone(), Hidden { secret_file, url, secret, ..Hidden::default() });
        self.add(id.clone(), channel, "name");
        if let Some(fields) = self.reading.wanted.items.get_mut(id) {
            fields.extend(host.map(|host| ("host".to_owned(), host.into())));
            fields.extend(
                to.map(|to| ("to".to_owned(), to.iter().map(|to| Value::from(email(to.expose()))).collect())),
            );
        }
        Ok(())
    }
}

/// The fields of a thing, limits beside the others, in the form that Louver shows them in.
fn fields(thing: &impl Serialize) -> Fields {
    let Ok(Value::Object(mut members)) = serde_json::to_value(thing) else { return Fields::new() };
    let limits = members.remove("limits");
    let limits = limits.iter().filter_map(Value::as_object).flatten();
    let all = members.iter().chain(limits).filter(|(name, _)| !APART.contains(&name.as_str()));
    all.map(|(name, value)| (name.clone(), normal(name, value))).collect()
}

/// Sets are compared as sets, an empty description is none, addresses are in small letters.
pub(in crate::cli) fn normal(name: &str, value: &Value) -> Value {
    match (name, value) {
        ("roles" | "parents" | "permissions", Value::Array(entries)) => {
            let texts: BTreeSet<&str> = entries.iter().filter_map(Value::as_str).collect();
            texts.into_iter().map(Value::from).collect()
        }
        ("description" | "icon", Value::String(text)) if text.is_empty() => Value::Null,
        (ROTATION, Value::Object(policy)) => rotation(policy),
        ("owner", Value::String(text)) => email(text).into(),
        (_, other) => other.clone(),
    }
}

/// What a place says, without what it does not say; the order of destinations means nothing.
fn rotation(policy: &Map<String, Value>) -> Value {
    let said = policy.iter().filter(|(_, value)| !value.is_null());
    let said = said.map(|(name, value)| match value.as_array() {
        Some(names) => {
            let sorted: BTreeSet<&str> = names.iter().filter_map(Value::as_str).collect();
            (name.clone(), sorted.into_iter().map(Value::from).collect())
        }
        None => (name.clone(), value.clone()),
    });
    let said: Map<String, Value> = said.collect();
    if said.is_empty() { Value::Null } else { Value::Object(said) }
}

fn email(text: &str) -> String {
    text.to_lowercase()
}

fn is_name(text: &str) -> bool {
    (1..=255).contains(&text.chars().count()) && text.trim() == text && !text.chars().any(char::is_control)
}

/// As far as that makes sense without sending to it.
fn is_email(text: &str) -> bool {
    let parts = text.split_once('@').filter(|(local, domain)| !local.is_empty() && !domain.is_empty());
    parts.is_some_and(|(_, domain)| !domain.contains('@')) && !text.contains(char::is_whitespace)
}

/// Files that two secrets would be written to, and paths that name none.
fn unfit_files(reading: &Reading) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let files = reading.hidden.iter().filter_map(|(id, hidden)| Some((id, hidden.secret_file.as_ref()?)));
    let fault = |(id, file): (&Id, &PathBuf)| {
        if file.file_name().is_none() || file.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Some(format!("{id}: secret_file must name a file"));
        }
        let first = seen.insert(file.clone());
        (!first).then(|| format!("{id}: another secret goes to {} already", file.display()))
    };
    files.filter_map(fault).collect()
}

#[cfg(test)]
mod tests;
