//! Walks the steps of a plan: turns each into the requests it takes.

mod rotation;

use super::api::{Api, Body, MODEL_ROLE_FIELDS};
use super::plan::{ADMIN, Action, Id, Noun, Plan, Present, Step};
use super::secrets::{self, Reserved};
use super::wanted::Hidden;
use crate::client::ClientError;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// The limits that stand in an object of their own.
const LIMITS: [&str; 21] = [
    "allowed_models",
    "requests_per_second",
    "requests_per_minute",
    "tokens_per_minute",
    "tokens_per_month",
    "max_concurrent_requests",
    "hourly_budget_usd",
    "daily_budget_usd",
    "monthly_budget_usd",
    "allowed_endpoints",
    "allowed_tools",
    "allowed_service_tiers",
    "max_signed_url_hours",
    "region",
    "fallback_models",
    "alert_thresholds",
    "max_key_lifetime_days",
    "max_key_idle_days",
    "key_creation",
    "mode",
    "timezone",
];
/// The fields of a key that its own body has.
const KEY_FIELDS: [&str; 10] = [
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
];
/// The limits of a key that its own body has not.
const KEY_LIMITS: [&str; 11] = [
    "requests_per_second",
    "tokens_per_month",
    "max_concurrent_requests",
    "hourly_budget_usd",
    "daily_budget_usd",
    "allowed_service_tiers",
    "max_signed_url_hours",
    "region",
    "fallback_models",
    "alert_thresholds",
    "mode",
];

/// Why a step was not done.
pub(in crate::cli) type Failed = String;

/// Does steps one after the other, and knows the ids of what they made.
pub(in crate::cli) struct Executor<'a> {
    api: &'a Api,
    uuids: BTreeMap<Id, Vec<String>>,
    hidden: &'a BTreeMap<Id, Hidden>,
    roles: Option<Roles>,
}

/// The ids of roles by name.
struct Roles {
    organization: BTreeMap<String, String>,
    workspace: BTreeMap<String, String>,
}

/// Refuses a plan whose secrets would have nowhere to go.
pub(in crate::cli) fn check_files(plan: &Plan, hidden: &BTreeMap<Id, Hidden>) -> Vec<String> {
    let made = plan.steps.iter().filter(|step| step.action == Action::Create);
    let files = made.filter_map(|step| Some((&step.id, hidden.get(&step.id)?.secret_file.as_deref()?)));
    files.filter_map(|(id, file)| secrets::check(file).err().map(|error| format!("{id}: {error}"))).collect()
}

impl<'a> Executor<'a> {
    pub(in crate::cli) fn new(api: &'a Api, present: &Present, hidden: &'a BTreeMap<Id, Hidden>) -> Self {
        let uuids = present.items.iter().map(|(id, found)| {
            (id.clone(), std::iter::once(&found.uuid).chain(&found.namesakes).cloned().collect())
        });
        Self { api, uuids: uuids.collect(), hidden, roles: None }
    }

    /// Does one step.
    pub(in crate::cli) async fn execute(&mut self, step: &Step) -> Result<(), Failed> {
        match step.action {
            Action::Create => {
                let uuid = self.create(step).await?;
                // What was made is there, whatever becomes of the rest of its fields.
                self.uuids.insert(step.id.clone(), vec![uuid]);
                self.place_administrator(step);
                self.complete(step).await
            }
            Action::Update => self.update(step).await,
            Action::Delete => {
                for uuid in self.uuids.get(&step.id).cloned().unwrap_or_default() {
                    self.delete(&step.id, &uuid).await.map_err(said)?;
                }
                Ok(())
            }
        }
    }

    /// A new workspace has the person who administers it in it: later steps may be about that.
    fn place_administrator(&mut self, step: &Step) {
        let Some(email) = step.after(ADMIN).and_then(Value::as_str) else { return };
        let place = Id::within(Noun::WorkspaceMember, &step.id.name, email);
        if let Some(person) = self.uuids.get(&Id::member(email)).cloned() {
            self.uuids.insert(place, person);
        }
    }

    fn uuid(&self, id: &Id) -> Result<String, Failed> {
        let first = self.uuids.get(id).and_then(|uuids| uuids.first());
        first.cloned().ok_or_else(|| format!("{id}: its id is not known"))
    }

    fn workspace(&self, id: &Id) -> Result<String, Failed> {
        self.uuid(&Id::workspace(id.within.as_deref().unwrap_or_default()))
    }

    fn group(&self, name: &str) -> Result<String, Failed> {
        self.uuid(&Id::of(Noun::Group, name))
    }

    /// Makes the thing and answers its id.
    async fn create(&mut self, step: &Step) -> Result<String, Failed> {
        let id = &step.id;
        let mut body = Body::new();
        body.insert("name".into(), id.name.clone().into());
        match id.noun {
            Noun::Organization => Err("an organization is made by `louver init`".into()),
            Noun::Role => {
                self.roles = None;
                body.extend(pick(step, &["level", "permissions", "description"]));
                self.api.make_custom_role(body).await.map_err(said)
            }
            Noun::ModelRole => {
                body.extend(pick(step, &MODEL_ROLE_FIELDS));
                self.api.make_model_role(body).await.map_err(said)
            }
            Noun::Member => {
                let roles = self.organization_roles(step).await?;
                let name = step.after("name").and_then(Value::as_str).unwrap_or_default();
                self.api.make_user(&id.name, name, roles).await.map_err(said)
            }
            Noun::Workspace => {
                let admin = step.after(ADMIN).and_then(Value::as_str).unwrap_or_default();
                let admin = self.uuid(&Id::member(admin))?;
                let text = |field| step.after(field).and_then(Value::as_str).unwrap_or_default();
                self.api
                    .make_workspace(&id.name, (text("description"), text("icon")), &admin)
                    .await
                    .map_err(said)
            }
            Noun::Group => {
                body.extend(pick(step, &["description", "target_type"]));
                body.extend(self.parents(step)?);
                self.api.make_group(body).await.map_err(said)
            }
            Noun::GroupMember => {
                let user = self.uuid(&Id::member(&id.name))?;
                let group = self.group(id.within.as_deref().unwrap_or_default())?;
                self.api.add_to_group(&group, &user).await.map_err(said).map(|()| user)
            }
            Noun::WorkspaceMember => {
                let (user, roles) = (self.uuid(&Id::member(&id.name))?, self.workspace_roles(step).await?);
                let added = self.api.add_to_workspace(&self.workspace(id)?, &user, roles).await;
                added.map_err(said).map(|()| user)
            }
            Noun::WorkspaceGroup => {
                let (group, roles) = (self.group(&id.name)?, self.workspace_roles(step).await?);
                let added = self.api.add_group_to_workspace(&group, &self.workspace(id)?, roles).await;
                added.map_err(said).map(|()| group)
            }
            Noun::ServiceAccount => {
                body.insert("workspace_id".into(), self.workspace(id)?.into());
                body.extend(pick(step, &["role"]));
                body.extend(self.workspace_roles(step).await?.map(|roles| ("roles".into(), roles.into())));
                self.api.make_service_account(body).await.map_err(said)
            }
            Noun::SecretDestination => self.create_destination(step, body).await,
            Noun::Key => self.create_key(step, body).await,
            Noun::AlertChannel => self.create_alert_channel(step, body).await,
        }
    }

    /// The file comes before the key, so that a secret that was made has a place to go.
    async fn create_key(&self, step: &Step, mut body: Body) -> Result<String, Failed> {
        let id = &step.id;
        body.insert("workspace_id".into(), self.workspace(id)?.into());
        body.extend(pick(step, &KEY_FIELDS));
        if let Some(owner) = step.after("owner").and_then(Value::as_str) {
            body.insert("owner_user_id".into(), self.uuid(&Id::member(owner))?.into());
        }
        if let Some(account) = step.after("service_account").and_then(Value::as_str) {
            let account = Id::within(Noun::ServiceAccount, id.within.as_deref().unwrap_or_default(), account);
            body.insert("service_account_id".into(), self.uuid(&account)?.into());
        }
        let file = self.hidden.get(id).and_then(|hidden| hidden.secret_file.as_deref());
        let reserved = Reserved::make(file.ok_or("it has no secret_file")?)?;
        let (uuid, secret) = self.api.make_key(body).await.map_err(doubtful)?;
        reserved.fill(&secret).map_err(|error| lost(&error))?;
        Ok(uuid)
    }

    async fn create_alert_channel(&self, step: &Step, mut body: Body) -> Result<String, Failed> {
        body.extend(pick(step, &["kind", "to", "enabled"]));
        let hidden = self.hidden.get(&step.id);
        body.extend(hidden.map(addresses).unwrap_or_default());
        let file: Option<&Path> = hidden.and_then(|hidden| hidden.secret_file.as_deref());
        let reserved = file.map(Reserved::make).transpose()?;
        let (uuid, secret) = self.api.make_alert_channel(body).await.map_err(doubtful)?;
        if let (Some(reserved), Some(secret)) = (reserved, secret) {
            reserved.fill(&secret).map_err(|error| lost(&error))?;
        }
        Ok(uuid)
    }

    /// Sets what making a thing does not set.
    async fn complete(&mut self, step: &Step) -> Result<(), Failed> {
        match step.id.noun {
            Noun::Member | Noun::Workspace => self.set_limits(step).await,
            Noun::Group => self.set_group_role(step).await,
            Noun::WorkspaceMember | Noun::WorkspaceGroup => self.set_model_role(step).await,
            Noun::Key => self.complete_key(step).await,
            Noun::Organization
            | Noun::Role
            | Noun::ModelRole
            | Noun::GroupMember
            | Noun::ServiceAccount
            | Noun::SecretDestination
            | Noun::AlertChannel => Ok(()),
        }
    }

    async fn update(&mut self, step: &Step) -> Result<(), Failed> {
        let id = &step.id;
        let uuid = self.uuid(id)?;
        match id.noun {
            Noun::Organization => {
                let mut body = pick(step, &["name", "billing_active"]);
                let limits = pick(step, &LIMITS);
                if !limits.is_empty() {
                    body.insert("limits".into(), limits.into());
                }
                if !body.is_empty() {
                    self.api.change_organization(body).await.map_err(said)?;
                }
                self.set_rotation(step, "organization").await
            }
            Noun::Role => {
                let body = described(step, &["permissions"]);
                self.api.change_custom_role(&uuid, body).await.map_err(said)
            }
            Noun::ModelRole => {
                let body = pick(step, &MODEL_ROLE_FIELDS);
                self.api.change_model_role(&uuid, body).await.map_err(said)
            }
            Noun::Member => self.update_member(step, &uuid).await,
            Noun::Workspace => self.update_workspace(step, &uuid).await,
            Noun::Group => self.update_group(step, &uuid).await,
            Noun::GroupMember => Ok(()),
            Noun::WorkspaceMember => {
                if let Some(roles) = self.workspace_roles(step).await? {
                    let (workspace, user) = (self.workspace(id)?, self.uuid(&Id::member(&id.name))?);
                    self.api.set_workspace_roles(&workspace, &user, roles).await.map_err(said)?;
                }
                self.set_model_role(step).await
            }
            Noun::WorkspaceGroup => {
                if let Some(roles) = self.workspace_roles(step).await? {
                    let (workspace, group) = (self.workspace(id)?, self.group(&id.name)?);
                    self.api.set_group_workspace_roles(&group, &workspace, roles).await.map_err(said)?;
                }
                self.set_model_role(step).await
            }
            Noun::ServiceAccount => {
                self.set_account_roles(step).await?;
                self.set_model_role(step).await
            }
            Noun::Key => {
                let body = pick(step, &KEY_FIELDS);
                if !body.is_empty() {
                    self.api.change_key(&uuid, body).await.map_err(said)?;
                }
                self.complete_key(step).await
            }
            Noun::SecretDestination => self.update_destination(step, &uuid).await,
            Noun::AlertChannel => {
                let mut body = pick(step, &["to", "enabled"]);
                if step.after("host").is_some() {
                    body.extend(self.hidden.get(id).map(addresses).unwrap_or_default());
                }
                self.api.change_alert_channel(&uuid, body).await.map_err(said)
            }
        }
    }

    async fn update_member(&mut self, step: &Step, uuid: &str) -> Result<(), Failed> {
        if let Some(roles) = self.organization_roles(step).await? {
            self.api.set_user_roles(uuid, roles).await.map_err(said)?;
        }
        self.set_limits(step).await
    }

    async fn update_workspace(&mut self, step: &Step, uuid: &str) -> Result<(), Failed> {
        let body = described(step, &[]);
        if !body.is_empty() {
            self.api.describe_workspace(uuid, body).await.map_err(said)?;
        }
        self.set_limits(step).await?;
        self.set_rotation(step, "workspace").await
    }

    async fn update_group(&mut self, step: &Step, uuid: &str) -> Result<(), Failed> {
        let mut body = described(step, &["target_type"]);
        body.extend(self.parents(step)?);
        if !body.is_empty() {
            self.api.change_group(uuid, body).await.map_err(said)?;
        }
        self.set_group_role(step).await
    }

    async fn delete(&self, id: &Id, uuid: &str) -> Result<(), ClientError> {
        // The place is there: the thing was found in it.
        let within = |noun| {
            let place = Id::of(noun, id.within.as_deref().unwrap_or_default());
            self.uuid(&place).unwrap_or_default()
        };
        match id.noun {
            Noun::Organization => Ok(()),
            Noun::Role => self.api.delete_custom_role(uuid).await,
            Noun::ModelRole => self.api.delete_model_role(uuid).await,
            Noun::Member => self.api.delete_user(uuid).await,
            Noun::Workspace => self.api.archive_workspace(uuid).await,
            Noun::Group => self.api.delete_group(uuid).await,
            Noun::GroupMember => self.api.remove_from_group(&within(Noun::Group), uuid).await,
            Noun::WorkspaceMember => self.api.remove_from_workspace(&within(Noun::Workspace), uuid).await,
            Noun::WorkspaceGroup => {
                self.api.remove_group_from_workspace(uuid, &within(Noun::Workspace)).await
            }
            Noun::ServiceAccount => self.api.delete_service_account(uuid).await,
            Noun::SecretDestination => self.api.delete_secret_destination(uuid).await,
            Noun::Key => self.api.revoke_key(uuid).await,
            Noun::AlertChannel => self.api.delete_alert_channel(uuid).await,
        }
    }

    async fn set_limits(&self, step: &Step) -> Result<(), Failed> {
        let (limits, uuid) = (pick(step, &LIMITS), self.uuid(&step.id)?);
        if limits.is_empty() {
            return Ok(());
        }
        let set = if step.id.noun == Noun::Member {
            self.api.change_user_limits(&uuid, limits).await
        } else {
            self.api.change_workspace_limits(&uuid, limits).await
        };
        set.map_err(said)
    }

    async fn complete_key(&self, step: &Step) -> Result<(), Failed> {
        let (limits, uuid) = (pick(step, &KEY_LIMITS), self.uuid(&step.id)?);
        if !limits.is_empty() {
            self.api.change_key_limits(&uuid, limits).await.map_err(said)?;
        }
        // A key is made enabled.
        let enabled = step.after("enabled").and_then(Value::as_bool);
        if let Some(enabled) = enabled.filter(|enabled| !enabled || step.action == Action::Update) {
            self.api.enable_key(&uuid, enabled).await.map_err(said)?;
        }
        self.set_rotation(step, "key").await
    }

    async fn set_group_role(&mut self, step: &Step) -> Result<(), Failed> {
        let Some(role) = step.after("organization_role") else { return Ok(()) };
        let role = known(&self.known_roles().await?.organization, role.as_str().unwrap_or_default())?;
        self.api.set_group_role(&self.uuid(&step.id)?, &role).await.map_err(said)
    }

    async fn set_account_roles(&mut self, step: &Step) -> Result<(), Failed> {
        let Some(roles) = self.workspace_roles(step).await? else { return Ok(()) };
        self.api.set_service_account_roles(&self.uuid(&step.id)?, roles).await.map_err(said)
    }

    async fn set_model_role(&self, step: &Step) -> Result<(), Failed> {
        let (holder, field) = if step.id.noun == Noun::ServiceAccount {
            ("service-accounts", "role")
        } else if step.id.noun == Noun::WorkspaceGroup {
            ("groups", "model_role")
        } else {
            ("members", "model_role")
        };
        let Some(role) = step.after(field) else { return Ok(()) };
        let (workspace, uuid) = (self.workspace(&step.id)?, self.uuid(&step.id)?);
        self.api.set_model_role(&workspace, holder, &uuid, role).await.map_err(said)
    }

    fn parents(&self, step: &Step) -> Result<Body, Failed> {
        let mut body = Body::new();
        if let Some(parents) = step.after("parents").and_then(Value::as_array) {
            let ids = parents.iter().filter_map(Value::as_str).map(|name| self.group(name));
            body.insert("parent_group_ids".into(), ids.collect::<Result<Vec<_>, _>>()?.into());
        }
        Ok(body)
    }

    async fn organization_roles(&mut self, step: &Step) -> Result<Option<Vec<String>>, Failed> {
        let Some(names) = step.after("roles").and_then(Value::as_array) else { return Ok(None) };
        let roles = self.known_roles().await?;
        let ids = names.iter().filter_map(Value::as_str).map(|name| known(&roles.organization, name));
        ids.collect::<Result<_, _>>().map(Some)
    }

    async fn workspace_roles(&mut self, step: &Step) -> Result<Option<Vec<String>>, Failed> {
        let Some(names) = step.after("roles").and_then(Value::as_array) else { return Ok(None) };
        let roles = self.known_roles().await?;
        let ids = names.iter().filter_map(Value::as_str).map(|name| known(&roles.workspace, name));
        ids.collect::<Result<_, _>>().map(Some)
    }

    /// Read when first needed, and again after a role was made.
    async fn known_roles(&mut self) -> Result<&Roles, Failed> {
        if self.roles.is_none() {
            let (organization, workspace) = self.api.roles().await.map_err(said)?;
            self.roles = Some(Roles { organization: by_name(&organization), workspace: by_name(&workspace) });
        }
        self.roles.as_ref().ok_or_else(|| "the roles are not known".into())
    }
}

fn by_name(roles: &[Value]) -> BTreeMap<String, String> {
    let text = |role: &Value, name: &str| role.get(name).and_then(Value::as_str).map(str::to_owned);
    roles.iter().filter_map(|role| Some((text(role, "name")?, text(role, "uuid")?))).collect()
}

fn known(roles: &BTreeMap<String, String>, name: &str) -> Result<String, Failed> {
    roles.get(name).cloned().ok_or_else(|| format!("this Louver has no role {name:?} there"))
}

/// What a step sets of those fields.
fn pick(step: &Step, fields: &[&str]) -> Body {
    let chosen = step.changes.iter().filter(|change| fields.contains(&change.field.as_str()));
    chosen.map(|change| (change.field.clone(), change.after.clone())).collect()
}

/// The same with description and icon, which some paths take away only by an empty one.
fn described(step: &Step, fields: &[&str]) -> Body {
    let mut body = pick(step, fields);
    for field in ["description", "icon"] {
        if let Some(text) = step.after(field) {
            body.insert(field.into(), text.as_str().unwrap_or_default().into());
        }
    }
    body
}

fn addresses(hidden: &Hidden) -> Body {
    let given = [("url", &hidden.url), ("secret", &hidden.secret)];
    let given = given.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    given.map(|(name, value)| (name.to_owned(), value.expose().as_str().into())).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn said(error: ClientError) -> Failed {
    error.to_string()
}

/// After a lost answer there may be a thing whose secret nobody has.
fn doubtful(error: ClientError) -> Failed {
    let doubt = if error.in_doubt() {
        ". It may have been made all the same, and its secret is lost then"
    } else {
        ""
    };
    format!("{error}{doubt}")
}

fn lost(error: &str) -> Failed {
    format!("it was made, but its secret is lost: {error}. Remove it and apply again")
}

#[cfg(test)]
mod tests;
