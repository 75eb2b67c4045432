//! Reads what is there, as far as a file or an export needs it, into the form that plans compare.

mod rotation;

use super::api::{Api, List};
use super::plan::checks::{named, texts};
use super::plan::{Fields, Found, Id, Noun, Present, ROTATION, Wanted};
use super::wanted::normal;
use crate::client::ClientError;
use louver_domain::limits::Limits;
use louver_domain::time::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What is to be read.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Needs {
    nouns: BTreeSet<Noun>,
    /// Of which workspaces and groups the members are read; none is of all.
    within: Option<BTreeSet<(Noun, String)>>,
    /// Whether the model roles of groups are read; an older Louver does not list them.
    group_model_roles: bool,
    /// Whether rotation policies are read.
    rotation: bool,
}

impl Needs {
    /// All of those nouns, everywhere.
    pub(in crate::cli) fn all(nouns: BTreeSet<Noun>) -> Self {
        let rotation = nouns.iter().any(|noun| HAVE_POLICIES.contains(noun));
        let named = rotation.then_some(Noun::SecretDestination);
        Self {
            nouns: nouns
                .into_iter()
                .chain(named)
                .flat_map(|noun| [needed_by(noun), &[noun]].concat())
                .collect(),
            within: None,
            group_model_roles: true,
            rotation,
        }
    }

    /// What a plan compares with, and what it needs to name.
    pub(in crate::cli) fn of(wanted: &Wanted) -> Self {
        let listed = wanted.lists.iter().map(|(noun, _)| *noun);
        let things = wanted.items.keys().map(|id| id.noun);
        let named = wanted.items.iter().flat_map(|(id, fields)| named(id, fields)).map(|named| named.id.noun);
        let mut nouns: BTreeSet<Noun> = listed.chain(things).chain(named).collect();
        nouns = nouns.iter().flat_map(|noun| [needed_by(*noun), &[*noun]].concat()).collect();
        let has = |noun, field| {
            wanted.items.iter().any(|(id, fields)| id.noun == noun && fields.contains_key(field))
        };
        if has(Noun::Key, "expires_at") {
            // How long a key may live is said there too.
            nouns.insert(Noun::Organization);
        }
        if has(Noun::Key, "owner") || names_a_workspace(wanted) {
            nouns.insert(Noun::Member);
        }
        if has(Noun::Key, "service_account") {
            nouns.insert(Noun::ServiceAccount);
        }
        let rotation = HAVE_POLICIES.iter().any(|noun| has(*noun, ROTATION));
        if rotation {
            // Policies of now may name destinations that the file does not.
            nouns.extend([Noun::SecretDestination, Noun::Workspace]);
        }
        let nested = wanted.lists.iter().filter_map(|(noun, within)| Some((*noun, within.clone()?)));
        let group_model_roles = has(Noun::WorkspaceGroup, "model_role");
        Self { nouns, within: Some(nested.collect()), group_model_roles, rotation }
    }

    fn wants(&self, noun: Noun, within: &str) -> bool {
        let inside = self.within.as_ref().is_none_or(|some| some.contains(&(noun, within.to_owned())));
        self.nouns.contains(&noun) && inside
    }
}

/// What may have a rotation policy of its own.
const HAVE_POLICIES: [Noun; 3] = [Noun::Organization, Noun::Workspace, Noun::Key];

/// A workspace of the file may have to be made, and somebody must administer it.
fn names_a_workspace(wanted: &Wanted) -> bool {
    wanted.items.keys().any(|id| id.noun == Noun::Workspace)
}

/// What must be known to name what stands in others.
fn needed_by(noun: Noun) -> &'static [Noun] {
    match noun {
        Noun::Organization
        | Noun::Role
        | Noun::ModelRole
        | Noun::Member
        | Noun::Workspace
        | Noun::Group
        | Noun::AlertChannel => &[],
        Noun::GroupMember => &[Noun::Group, Noun::Member],
        Noun::WorkspaceMember => &[Noun::Workspace, Noun::Member],
        Noun::WorkspaceGroup => &[Noun::Workspace, Noun::Group],
        Noun::ServiceAccount | Noun::SecretDestination | Noun::Key => &[Noun::Workspace],
    }
}

/// What was read, and what this Louver does not know of.
#[derive(Default)]
pub(in crate::cli) struct State {
    pub(in crate::cli) present: Present,
    /// Nouns whose paths this Louver does not have, when that was tolerated.
    pub(in crate::cli) unknown: BTreeSet<Noun>,
    /// Whether the model roles of groups are among that.
    pub(in crate::cli) unknown_model_roles: bool,
    names: BTreeMap<(Noun, String), Id>,
    tolerant: bool,
}

/// Reads it all. A tolerant reader leaves out what this Louver has no path for; the others fail then.
pub(in crate::cli) async fn read(api: &Api, needs: &Needs, tolerant: bool) -> Result<State, ClientError> {
    let mut state = State { tolerant, ..State::default() };
    if needs.nouns.contains(&Noun::Organization) {
        let value = api.organization().await?;
        let fields = fields(&value, &["name", "billing_active"]).chain(limits(&value)?).collect();
        state.add(Id::organization(), Found { fields, uuid: text(&value, "id")?, ..Found::default() });
    }
    for noun in Noun::ALL.into_iter().filter(|noun| needs.nouns.contains(noun)) {
        let Some(list) = flat(noun) else { continue };
        for value in state.list(api, noun, list).await? {
            state.add_flat(noun, &value)?;
        }
    }
    state.name_parents();
    state.name_roles(api).await?;
    state.read_groups(api, needs).await?;
    state.read_workspaces(api, needs).await?;
    if needs.rotation {
        state.read_policies(api).await?;
    }
    state.pin_asker(api).await?;
    Ok(state)
}

/// The list of a noun that has one for the whole organization.
fn flat(noun: Noun) -> Option<List<'static>> {
    match noun {
        Noun::Role => Some(List::CustomRoles),
        Noun::ModelRole => Some(List::ModelRoles),
        Noun::Member => Some(List::Users),
        Noun::Workspace => Some(List::Workspaces),
        Noun::Group => Some(List::Groups),
        Noun::ServiceAccount => Some(List::ServiceAccounts),
        Noun::SecretDestination => Some(List::SecretDestinations),
        Noun::Key => Some(List::Keys),
        Noun::AlertChannel => Some(List::AlertChannels),
        Noun::Organization | Noun::GroupMember | Noun::WorkspaceMember | Noun::WorkspaceGroup => None,
    }
}

impl State {
    async fn list(&mut self, api: &Api, noun: Noun, list: List<'_>) -> Result<Vec<Value>, ClientError> {
        match api.list(list).await {
            Err(error) if self.tolerant && error.unknown_path() => {
                self.unknown.insert(noun);
                if noun == Noun::Group {
                    self.unknown.extend([Noun::GroupMember, Noun::WorkspaceGroup]);
                }
                Ok(vec![])
            }
            other => other,
        }
    }

    fn add(&mut self, id: Id, found: Found) {
        self.names.insert((id.noun, found.uuid.clone()), id.clone());
        match self.present.items.get_mut(&id) {
            Some(first) => first.namesakes.push(found.uuid),
            None => drop(self.present.items.insert(id, found)),
        }
    }

    /// The name of something by Louver's id for it.
    fn name(&self, noun: Noun, uuid: &str) -> Option<String> {
        self.names.get(&(noun, uuid.to_owned())).map(|id| id.name.clone())
    }

    fn add_flat(&mut self, noun: Noun, value: &Value) -> Result<(), ClientError> {
        match noun {
            Noun::Role => {
                let fields = fields(value, &["level", "permissions", "description"]).collect();
                self.add(Id::of(noun, &text(value, "name")?), found(fields, text(value, "id")?));
            }
            Noun::ModelRole => {
                let name = text(value, "name")?;
                let own = super::api::MODEL_ROLE_FIELDS;
                let pinned = value.get("builtin").and_then(Value::as_bool).unwrap_or(true);
                let found = Found { pinned, ..found(fields(value, &own).collect(), name.clone()) };
                self.add(Id::of(noun, &name), found);
            }
            Noun::Member => {
                let roles = ("roles".to_owned(), names_of(value.get("role_names")));
                let fields = fields(value, &["name"]).chain(limits(value)?).chain([roles]).collect();
                self.add(
                    Id::member(&text(value, "email")?.to_lowercase()),
                    found(fields, text(value, "id")?),
                );
            }
            Noun::Workspace if value.get("archived_at").is_some_and(Value::is_string) => {}
            Noun::Workspace => {
                let pinned = value.get("is_default").and_then(Value::as_bool).unwrap_or(true);
                let fields = fields(value, &["description", "icon"]).chain(limits(value)?).collect();
                let found = Found { pinned, ..found(fields, text(value, "id")?) };
                self.add(Id::workspace(&text(value, "name")?), found);
            }
            Noun::Group => {
                let pinned = value.get("externally_managed").and_then(Value::as_bool).unwrap_or(false);
                let own = fields(value, &["description", "organization_role", "target_type"]);
                let parents = value.get("parent_group_ids").cloned().unwrap_or_else(|| json!([]));
                let fields = own.chain([("parents".to_owned(), parents)]).collect();
                let found = Found { pinned, ..found(fields, text(value, "uuid")?) };
                self.add(Id::of(noun, &text(value, "name")?), found);
            }
            Noun::ServiceAccount => self.add_account(value)?,
            Noun::SecretDestination => self.add_destination(value)?,
            Noun::Key => self.add_key(value)?,
            Noun::AlertChannel => {
                let fields = fields(value, &["kind", "host", "to", "enabled"]).collect();
                self.add(Id::of(noun, &text(value, "name")?), found(fields, text(value, "id")?));
            }
            Noun::Organization | Noun::GroupMember | Noun::WorkspaceMember | Noun::WorkspaceGroup => {}
        }
        Ok(())
    }

    fn add_account(&mut self, value: &Value) -> Result<(), ClientError> {
        let Some(workspace) = self.name(Noun::Workspace, &text(value, "workspace_id")?) else {
            return Ok(());
        };
        let roles = ("roles".to_owned(), names_of(value.get("role_names").or_else(|| value.get("roles"))));
        let fields = fields(value, &["role"]).chain([roles]).collect();
        let id = Id::within(Noun::ServiceAccount, &workspace, &text(value, "name")?);
        self.add(id, found(fields, text(value, "id")?));
        Ok(())
    }

    fn add_key(&mut self, value: &Value) -> Result<(), ClientError> {
        let status = text(value, "status")?;
        let workspace = self.name(Noun::Workspace, &uuid_of(&text(value, "workspace_id")?));
        let (Some(workspace), false) = (workspace, status == "revoked") else { return Ok(()) };
        let limits: BTreeMap<String, Value> = limits(value)?.collect();
        let limit = |name: &str| limits.get(name).cloned().unwrap_or(Value::Null);
        let plain = ["description", "role", "expires_at", "allowed_cidrs"];
        let mut fields: Fields = fields(value, &plain).collect();
        for (short, name) in KEY_LIMITS {
            fields.insert(short.to_owned(), limit(name));
        }
        let owner = value.get("owner_user_id").and_then(Value::as_str);
        let owner = owner.map(|id| self.name(Noun::Member, id).unwrap_or_else(|| id.to_owned()));
        let account = value.get("service_account_id").and_then(Value::as_str);
        let account = account.map(|id| self.name(Noun::ServiceAccount, id).unwrap_or_else(|| id.to_owned()));
        fields.insert("owner".into(), owner.into());
        fields.insert("service_account".into(), account.into());
        fields.insert("enabled".into(), (status != "disabled").into());
        let created = Timestamp::parse(&text(value, "created_at")?).map(Timestamp::seconds);
        let found = Found { created, ..found(fields, text(value, "id")?) };
        self.add(Id::within(Noun::Key, &workspace, &text(value, "name")?), found);
        Ok(())
    }

    /// Who asks is never pruned: Louver would refuse that, after all the steps before.
    async fn pin_asker(&mut self, api: &Api) -> Result<(), ClientError> {
        let kept = |id: &Id| matches!(id.noun, Noun::Member | Noun::ServiceAccount);
        if !self.present.items.keys().any(kept) {
            return Ok(());
        }
        let asker = match api.me().await {
            Err(error) if error.unknown_path() => return Ok(()),
            other => other?,
        };
        let own = asker.get("id").and_then(Value::as_str);
        let found = self.present.items.iter_mut().filter(|(id, _)| kept(id));
        for (_, found) in found.filter(|(_, found)| Some(found.uuid.as_str()) == own) {
            found.pinned = true;
        }
        Ok(())
    }

    /// Groups are listed with the ids of those they are nested in.
    fn name_parents(&mut self) {
        let names = self.names.clone();
        for found in self.present.items.values_mut() {
            let Some(Value::Array(parents)) = found.fields.get_mut("parents") else { continue };
            let name =
                |id: &Value| names.get(&(Noun::Group, id.as_str()?.to_owned())).map(|id| id.name.clone());
            let named: BTreeSet<String> = parents.iter().filter_map(name).collect();
            *parents = named.into_iter().map(Value::from).collect();
        }
    }

    fn uuids(&self, noun: Noun) -> Vec<(String, String)> {
        let those = self.present.items.iter().filter(|(id, _)| id.noun == noun);
        those.map(|(id, found)| (id.name.clone(), found.uuid.clone())).collect()
    }

    /// Roles may be shown by their ids or letters; plans compare names.
    async fn name_roles(&mut self, api: &Api) -> Result<(), ClientError> {
        let unnamed = |(id, found): (&Id, &Found)| {
            let shown = role_field(id.noun).and_then(|field| found.fields.get(field));
            texts(shown).any(|text| !is_role_name(text))
        };
        if !self.present.items.iter().any(unnamed) {
            return Ok(());
        }
        let (organization, workspace) = api.roles().await?;
        for (id, found) in &mut self.present.items {
            let Some(field) = role_field(id.noun) else { continue };
            let roles = if id.noun == Noun::Group { &organization } else { &workspace };
            if let Some(value) = found.fields.get_mut(field) {
                *value = normal(field, &named_roles(value, roles));
            }
        }
        Ok(())
    }

    async fn read_groups(&mut self, api: &Api, needs: &Needs) -> Result<(), ClientError> {
        for (group, uuid) in self.uuids(Noun::Group) {
            if needs.wants(Noun::GroupMember, &group) {
                for value in self.list(api, Noun::GroupMember, List::GroupMembers(&uuid)).await? {
                    let id = text(&value, "user_uuid")?;
                    let email = self.name(Noun::Member, &id).unwrap_or_else(|| id.clone());
                    self.add(Id::within(Noun::GroupMember, &group, &email), found(Fields::new(), id));
                }
            }
            if needs.nouns.contains(&Noun::WorkspaceGroup) {
                for value in self.list(api, Noun::WorkspaceGroup, List::GroupWorkspaces(&uuid)).await? {
                    self.add_workspace_group(needs, (&group, &uuid), &value)?;
                }
            }
        }
        Ok(())
    }

    async fn read_workspaces(&mut self, api: &Api, needs: &Needs) -> Result<(), ClientError> {
        for (workspace, uuid) in self.uuids(Noun::Workspace) {
            if needs.wants(Noun::WorkspaceMember, &workspace) {
                let list = List::WorkspaceMembers(&uuid);
                for value in self.list(api, Noun::WorkspaceMember, list).await? {
                    self.add_workspace_member(&workspace, &value)?;
                }
            }
            if needs.group_model_roles && needs.wants(Noun::WorkspaceGroup, &workspace) {
                self.read_group_model_roles(api, &workspace, &uuid).await?;
            }
        }
        Ok(())
    }

    async fn read_group_model_roles(
        &mut self,
        api: &Api,
        workspace: &str,
        uuid: &str,
    ) -> Result<(), ClientError> {
        let listed = match api.list(List::GroupModelRoles(uuid)).await {
            Err(error) if self.tolerant && error.unknown_path() => {
                self.unknown_model_roles = true;
                return Ok(());
            }
            other => other?,
        };
        for value in listed {
            let Some(group) = self.name(Noun::Group, &text(&value, "group_id")?) else { continue };
            let place = self.present.items.get_mut(&Id::within(Noun::WorkspaceGroup, workspace, &group));
            if let Some(place) = place {
                let role = value.get("role").unwrap_or(&Value::Null);
                place.fields.insert("model_role".to_owned(), normal("model_role", role));
            }
        }
        Ok(())
    }

    fn add_workspace_member(&mut self, workspace: &str, value: &Value) -> Result<(), ClientError> {
        let roles = names_of(value.get("role_names"));
        let has_some =
            |list: Option<&Value>| list.and_then(Value::as_array).is_some_and(|list| !list.is_empty());
        let own = has_some(Some(&roles)) || value.get("model_role").is_some_and(Value::is_string);
        if has_some(value.get("via_groups")) && !own {
            // In it through a group alone.
            return Ok(());
        }
        let fields = fields(value, &["model_role"]).chain([("roles".to_owned(), roles)]).collect();
        let email = text(value, "email")?.to_lowercase();
        self.add(
            Id::within(Noun::WorkspaceMember, workspace, &email),
            found(fields, text(value, "user_id")?),
        );
        Ok(())
    }

    fn add_workspace_group(
        &mut self,
        needs: &Needs,
        (group, uuid): (&str, &str),
        value: &Value,
    ) -> Result<(), ClientError> {
        let workspace = self.name(Noun::Workspace, &text(value, "workspace_uuid")?);
        let Some(workspace) = workspace.filter(|name| needs.wants(Noun::WorkspaceGroup, name)) else {
            return Ok(());
        };
        let roles = value.get("roles").and_then(Value::as_array).into_iter().flatten();
        let roles: Value = roles.filter_map(|role| role.get("name").cloned()).collect();
        let fields = [("roles".to_owned(), normal("roles", &roles))].into();
        self.add(Id::within(Noun::WorkspaceGroup, &workspace, group), found(fields, uuid.to_owned()));
        Ok(())
    }
}

/// The field with roles of those whose roles are listed by id.
fn role_field(noun: Noun) -> Option<&'static str> {
    if noun == Noun::Group {
        return Some("organization_role");
    }
    (noun == Noun::ServiceAccount).then_some("roles")
}

/// A role's value, or each of a list of them, by name.
fn named_roles(value: &Value, roles: &[Value]) -> Value {
    match value {
        Value::Array(values) => values.iter().map(|value| named_roles(value, roles)).collect(),
        Value::String(shown) => {
            let letter =
                LETTERS.iter().find(|(letter, _)| letter == shown).map(|(_, name)| Value::from(*name));
            let by_id = roles.iter().find(|role| role.get("uuid").and_then(Value::as_str) == Some(shown));
            letter.or_else(|| by_id?.get("name").cloned()).unwrap_or_else(|| value.clone())
        }
        other => other.clone(),
    }
}

/// Neither an id nor a letter.
fn is_role_name(text: &str) -> bool {
    uuid::Uuid::try_parse(text).is_err() && LETTERS.iter().all(|(letter, _)| *letter != text)
}

/// The letters of the roles of an organization.
const LETTERS: [(&str, &str); 3] = [("A", "organization_admin"), ("B", "billing_manager"), ("M", "member")];

/// The limits of a key as the file names them, and as Louver does.
const KEY_LIMITS: [(&str, &str); 17] = [
    ("allowed_models", "allowed_models"),
    ("rate_limit_rpm", "requests_per_minute"),
    ("tokens_per_minute", "tokens_per_minute"),
    ("monthly_budget_usd", "monthly_budget_usd"),
    ("requests_per_second", "requests_per_second"),
    ("tokens_per_month", "tokens_per_month"),
    ("max_concurrent_requests", "max_concurrent_requests"),
    ("hourly_budget_usd", "hourly_budget_usd"),
    ("daily_budget_usd", "daily_budget_usd"),
    ("allowed_endpoints", "allowed_endpoints"),
    ("allowed_tools", "allowed_tools"),
    ("allowed_service_tiers", "allowed_service_tiers"),
    ("max_signed_url_hours", "max_signed_url_hours"),
    ("region", "region"),
    ("fallback_models", "fallback_models"),
    ("alert_thresholds", "alert_thresholds"),
    ("mode", "mode"),
];

fn found(fields: Fields, uuid: String) -> Found {
    Found { fields, uuid, ..Found::default() }
}

fn fields<'a>(value: &'a Value, names: &'a [&str]) -> impl Iterator<Item = (String, Value)> + 'a {
    let field = |name: &&str| ((*name).to_owned(), normal(name, value.get(*name).unwrap_or(&Value::Null)));
    names.iter().map(field)
}

/// Limits in the one spelling that the file's are compared in.
fn limits(value: &Value) -> Result<impl Iterator<Item = (String, Value)>, ClientError> {
    let given = value.get("limits").cloned().unwrap_or_else(|| json!({}));
    let read = serde_json::from_value::<Limits>(given).and_then(serde_json::to_value);
    let limits = read.map_err(|_| ClientError::Unreadable("limits of an unknown shape".into()))?;
    Ok(limits.as_object().cloned().unwrap_or_default().into_iter())
}

fn names_of(value: Option<&Value>) -> Value {
    normal("roles", value.filter(|value| value.is_array()).unwrap_or(&json!([])))
}

fn text(value: &Value, name: &str) -> Result<String, ClientError> {
    let text = value.get(name).and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| ClientError::Unreadable(format!("an item of a list has no {name}")))
}

/// `/v1/api-keys` names workspaces by their prefixed ids.
fn uuid_of(id: &str) -> String {
    louver_domain::id::WorkspaceId::parse(id).map_or_else(|| id.to_owned(), |id| id.to_string())
}
