//! Every path of the admin API that `apply` and `export` use, and the shape of each body: all they know of the wire.

use crate::client::{Client, ClientError, segment};
use louver_domain::secret::Secret;
use serde::Deserialize;
use serde_json::{Map, Value, json};

type Answer<T> = Result<T, ClientError>;
/// Members of a body.
pub(in crate::cli) type Body = Map<String, Value>;

/// The fields of a model role beside its name.
pub(in crate::cli) const MODEL_ROLE_FIELDS: [&str; 7] = [
    "allowed_models",
    "allowed_endpoints",
    "allowed_tools",
    "allowed_service_tiers",
    "max_signed_url_hours",
    "max_tokens_per_request",
    "daily_token_budget",
];

/// The admin API, one method for each deed; ids are Louver's.
pub(in crate::cli) struct Api {
    client: Client,
}

/// What is shown once.
#[derive(Deserialize)]
struct MadeKey {
    id: String,
    key: String,
}

/// An alert channel or a destination of secrets.
#[derive(Deserialize)]
struct MadeReceiver {
    id: String,
    secret: Option<String>,
}

/// A list of the admin API.
#[derive(Clone, Copy)]
pub(in crate::cli) enum List<'a> {
    CustomRoles,
    ModelRoles,
    Users,
    Workspaces,
    Groups,
    /// Of a group.
    GroupMembers(&'a str),
    /// Of a group: the workspaces it is in, and its roles there.
    GroupWorkspaces(&'a str),
    /// Of a workspace: the groups that have roles in it, with their model roles there as `role`.
    GroupModelRoles(&'a str),
    /// Of a workspace.
    WorkspaceMembers(&'a str),
    ServiceAccounts,
    SecretDestinations,
    /// One for each place that says something.
    RotationPolicies,
    Keys,
    AlertChannels,
}

impl Api {
    pub(in crate::cli) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Who holds the admin key.
    pub(in crate::cli) async fn me(&self) -> Answer<Value> {
        self.client.get("/v1/gateway/me").await
    }

    pub(in crate::cli) async fn organization(&self) -> Answer<Value> {
        self.client.get("/v1/gateway/organization").await
    }

    /// Every item of a list.
    pub(in crate::cli) async fn list(&self, list: List<'_>) -> Answer<Vec<Value>> {
        let client = &self.client;
        match list {
            List::CustomRoles => client.whole("/v1/gateway/custom-roles").await,
            List::ModelRoles => client.list("/v1/gateway/roles", "name").await,
            List::Users => client.list("/v1/gateway/users", "id").await,
            List::Workspaces => client.list("/v1/gateway/workspaces", "id").await,
            List::Groups => client.numbered("/v1/admin/user-groups", "items").await,
            List::GroupMembers(group) => client.numbered(&group_path(group, "/members"), "members").await,
            List::GroupWorkspaces(group) => client.numbered(&group_path(group, "/workspaces"), "items").await,
            List::GroupModelRoles(workspace) => {
                client.list(&gateway_workspace(workspace, "/groups"), "group_id").await
            }
            List::WorkspaceMembers(workspace) => {
                client.list(&gateway_workspace(workspace, "/members"), "user_id").await
            }
            List::ServiceAccounts => client.list("/v1/gateway/service-accounts", "id").await,
            List::SecretDestinations => client.list("/v1/gateway/secret-destinations", "id").await,
            List::RotationPolicies => client.list("/v1/gateway/rotation-policies", "scope_id").await,
            List::Keys => client.list("/v1/api-keys", "id").await,
            List::AlertChannels => client.list("/v1/gateway/alert-channels", "id").await,
        }
    }

    /// Every role that can be given, with its id: those of the organization, then those of workspaces.
    pub(in crate::cli) async fn roles(&self) -> Answer<(Vec<Value>, Vec<Value>)> {
        #[derive(Deserialize)]
        struct Roles {
            organization_roles: Vec<Value>,
            workspace_roles: Vec<Value>,
        }
        let roles: Roles = self.client.get("/v1/admin/roles").await?;
        Ok((roles.organization_roles, roles.workspace_roles))
    }

    /// `name`, `billing_active`, `limits`.
    pub(in crate::cli) async fn change_organization(&self, body: Body) -> Answer<()> {
        self.client.patch("/v1/gateway/organization", &body.into()).await
    }

    pub(in crate::cli) async fn make_custom_role(&self, body: Body) -> Answer<String> {
        self.made("/v1/gateway/custom-roles", body, "id").await
    }

    pub(in crate::cli) async fn change_custom_role(&self, id: &str, body: Body) -> Answer<()> {
        self.client.patch(&format!("/v1/gateway/custom-roles/{}", segment(id)), &body.into()).await
    }

    pub(in crate::cli) async fn delete_custom_role(&self, id: &str) -> Answer<()> {
        self.client.delete(&format!("/v1/gateway/custom-roles/{}", segment(id)), None).await
    }

    pub(in crate::cli) async fn make_model_role(&self, body: Body) -> Answer<String> {
        self.made("/v1/gateway/roles", body, "name").await
    }

    pub(in crate::cli) async fn change_model_role(&self, name: &str, body: Body) -> Answer<()> {
        self.client.patch(&format!("/v1/gateway/roles/{}", segment(name)), &body.into()).await
    }

    pub(in crate::cli) async fn delete_model_role(&self, name: &str) -> Answer<()> {
        self.client.delete(&format!("/v1/gateway/roles/{}", segment(name)), None).await
    }

    /// Makes a person of the organization; `roles` are ids, none for the usual one.
    pub(in crate::cli) async fn make_user(
        &self,
        email: &str,
        name: &str,
        roles: Option<Vec<String>>,
    ) -> Answer<String> {
        let (first, last) = name.split_once(' ').unwrap_or((name, ""));
        let mut person = json!({"email": email, "first_name": first, "last_name": last.trim_start()});
        if let (Some(roles), Some(members)) = (roles, person.as_object_mut()) {
            members.insert("roles".into(), roles.into());
        }
        let made: Value = self.client.post("/v1/admin/users", &json!([person])).await?;
        let id = made.get("email_to_user_id").and_then(|ids| ids.get(email)).and_then(Value::as_str);
        id.map(str::to_owned).ok_or_else(|| {
            ClientError::Unreadable(format!(
                "POST /v1/admin/users: Louver does not take {email} for a mail address"
            ))
        })
    }

    pub(in crate::cli) async fn set_user_roles(&self, id: &str, roles: Vec<String>) -> Answer<()> {
        self.client.patch(&format!("/v1/admin/users/{}", segment(id)), &json!({"roles": roles})).await
    }

    pub(in crate::cli) async fn change_user_limits(&self, id: &str, limits: Body) -> Answer<()> {
        self.client.patch(&format!("/v1/gateway/users/{}/limits", segment(id)), &limits.into()).await
    }

    pub(in crate::cli) async fn delete_user(&self, id: &str) -> Answer<()> {
        self.client.delete(&format!("/v1/admin/users/{}", segment(id)), None).await
    }

    /// `admin` is the id of the person who administers it.
    pub(in crate::cli) async fn make_workspace(
        &self,
        name: &str,
        (description, icon): (&str, &str),
        admin: &str,
    ) -> Answer<String> {
        let body = json!({"name": name, "description": description, "icon": icon, "admin_user_id": admin});
        let Value::Object(body) = body else { return Err(unexpected("/v1/admin/workspaces")) };
        self.made("/v1/admin/workspaces", body, "uuid").await
    }

    /// `description`, `icon`.
    pub(in crate::cli) async fn describe_workspace(&self, id: &str, body: Body) -> Answer<()> {
        self.client.patch(&admin_workspace(id, ""), &body.into()).await
    }

    pub(in crate::cli) async fn change_workspace_limits(&self, id: &str, limits: Body) -> Answer<()> {
        self.client.patch(&gateway_workspace(id, "/limits"), &limits.into()).await
    }

    pub(in crate::cli) async fn archive_workspace(&self, id: &str) -> Answer<()> {
        self.client.delete(&admin_workspace(id, ""), None).await
    }

    /// Adds a person to a workspace; `roles` are ids, none for the usual one.
    pub(in crate::cli) async fn add_to_workspace(
        &self,
        workspace: &str,
        user: &str,
        roles: Option<Vec<String>>,
    ) -> Answer<()> {
        let path = admin_workspace(workspace, "/add-users");
        self.client.post::<Value>(&path, &members(user, roles)).await.map(drop)
    }

    pub(in crate::cli) async fn set_workspace_roles(
        &self,
        workspace: &str,
        user: &str,
        roles: Vec<String>,
    ) -> Answer<()> {
        self.client.patch(&admin_workspace(workspace, "/users"), &members(user, Some(roles))).await
    }

    pub(in crate::cli) async fn remove_from_workspace(&self, workspace: &str, user: &str) -> Answer<()> {
        self.client.delete(&admin_workspace(workspace, "/remove-users"), Some(&members(user, None))).await
    }

    /// `holder` is `members`, `groups` or `service-accounts`; `role` a name or null.
    pub(in crate::cli) async fn set_model_role(
        &self,
        workspace: &str,
        holder: &str,
        id: &str,
        role: &Value,
    ) -> Answer<()> {
        let path = gateway_workspace(workspace, &format!("/{holder}/{}/model-role", segment(id)));
        self.client.put(&path, &json!({"role": role})).await
    }

    /// `name`, `description`, `target_type`, `parent_group_ids`.
    pub(in crate::cli) async fn make_group(&self, body: Body) -> Answer<String> {
        self.made("/v1/admin/user-groups", body, "uuid").await
    }

    /// `description`, `target_type`, `parent_group_ids`.
    pub(in crate::cli) async fn change_group(&self, id: &str, body: Body) -> Answer<()> {
        self.client.patch(&group_path(id, ""), &body.into()).await
    }

    /// The id of a role; there is no way to take it away again.
    pub(in crate::cli) async fn set_group_role(&self, id: &str, role: &str) -> Answer<()> {
        self.client.patch(&group_path(id, "/organization-role"), &json!({"organization_role": role})).await
    }

    pub(in crate::cli) async fn delete_group(&self, id: &str) -> Answer<()> {
        self.client.delete(&group_path(id, ""), None).await
    }

    pub(in crate::cli) async fn add_to_group(&self, group: &str, user: &str) -> Answer<()> {
        let body = json!({"user_uuids": [user]});
        self.client.post::<Value>(&group_path(group, "/members"), &body).await.map(drop)
    }

    pub(in crate::cli) async fn remove_from_group(&self, group: &str, user: &str) -> Answer<()> {
        self.client.delete(&group_path(group, "/members"), Some(&json!({"user_uuids": [user]}))).await
    }

    /// Gives a group a place in a workspace; `roles` are ids, none for the usual one.
    pub(in crate::cli) async fn add_group_to_workspace(
        &self,
        group: &str,
        workspace: &str,
        roles: Option<Vec<String>>,
    ) -> Answer<()> {
        let mut body = json!({"workspace_uuid": workspace});
        if let (Some(roles), Some(members)) = (roles, body.as_object_mut()) {
            members.insert("roles".into(), roles.into());
        }
        self.client.post::<Value>(&group_path(group, "/workspaces"), &body).await.map(drop)
    }

    pub(in crate::cli) async fn set_group_workspace_roles(
        &self,
        group: &str,
        workspace: &str,
        roles: Vec<String>,
    ) -> Answer<()> {
        let path = group_path(group, &format!("/workspaces/{}", segment(workspace)));
        self.client.patch(&path, &json!({"roles": roles})).await
    }

    pub(in crate::cli) async fn remove_group_from_workspace(
        &self,
        group: &str,
        workspace: &str,
    ) -> Answer<()> {
        self.client.delete(&group_path(group, &format!("/workspaces/{}", segment(workspace))), None).await
    }

    /// `name`, `workspace_id`, `role`, `roles`.
    pub(in crate::cli) async fn make_service_account(&self, body: Body) -> Answer<String> {
        self.made("/v1/gateway/service-accounts", body, "id").await
    }

    pub(in crate::cli) async fn set_service_account_roles(&self, id: &str, roles: Vec<String>) -> Answer<()> {
        let path = format!("/v1/gateway/service-accounts/{}", segment(id));
        self.client.patch(&path, &json!({"roles": roles})).await
    }

    pub(in crate::cli) async fn delete_service_account(&self, id: &str) -> Answer<()> {
        self.client.delete(&format!("/v1/gateway/service-accounts/{}", segment(id)), None).await
    }

    /// Makes a key; answers its id and its secret.
    pub(in crate::cli) async fn make_key(&self, body: Body) -> Answer<(String, Secret<String>)> {
        let made: MadeKey = self.client.post("/v1/api-keys", &body.into()).await?;
        Ok((made.id, Secret::new(made.key)))
    }

    pub(in crate::cli) async fn change_key(&self, id: &str, body: Body) -> Answer<()> {
        self.client.patch(&key_path(id, ""), &body.into()).await
    }

    pub(in crate::cli) async fn change_key_limits(&self, id: &str, limits: Body) -> Answer<()> {
        self.client.patch(&format!("/v1/gateway/keys/{}/limits", segment(id)), &limits.into()).await
    }

    pub(in crate::cli) async fn enable_key(&self, id: &str, enabled: bool) -> Answer<()> {
        let path = key_path(id, if enabled { "/enable" } else { "/disable" });
        self.client.post::<Value>(&path, &json!({})).await.map(drop)
    }

    pub(in crate::cli) async fn revoke_key(&self, id: &str) -> Answer<()> {
        self.client.delete(&key_path(id, ""), None).await
    }

    /// Makes a destination of secrets; answers its id, and its secret when Louver made that.
    pub(in crate::cli) async fn make_secret_destination(
        &self,
        body: Body,
    ) -> Answer<(String, Option<Secret<String>>)> {
        let made: MadeReceiver = self.client.post("/v1/gateway/secret-destinations", &body.into()).await?;
        Ok((made.id, made.secret.map(Secret::new)))
    }

    /// `settings`, `credentials`, `enabled`.
    pub(in crate::cli) async fn change_secret_destination(&self, id: &str, body: Body) -> Answer<()> {
        self.client.patch(&format!("/v1/gateway/secret-destinations/{}", segment(id)), &body.into()).await
    }

    pub(in crate::cli) async fn delete_secret_destination(&self, id: &str) -> Answer<()> {
        self.client.delete(&format!("/v1/gateway/secret-destinations/{}", segment(id)), None).await
    }

    /// The whole of what one place says about rotation.
    pub(in crate::cli) async fn set_rotation_policy(&self, body: Body) -> Answer<()> {
        self.client.put("/v1/gateway/rotation-policies", &body.into()).await
    }

    /// Makes an alert channel; answers its id, and its secret when Louver made that.
    pub(in crate::cli) async fn make_alert_channel(
        &self,
        body: Body,
    ) -> Answer<(String, Option<Secret<String>>)> {
        let made: MadeReceiver = self.client.post("/v1/gateway/alert-channels", &body.into()).await?;
        Ok((made.id, made.secret.map(Secret::new)))
    }

    pub(in crate::cli) async fn change_alert_channel(&self, id: &str, body: Body) -> Answer<()> {
        self.client.patch(&format!("/v1/gateway/alert-channels/{}", segment(id)), &body.into()).await
    }

    pub(in crate::cli) async fn delete_alert_channel(&self, id: &str) -> Answer<()> {
        self.client.delete(&format!("/v1/gateway/alert-channels/{}", segment(id)), None).await
    }

    /// Makes something, and answers the member that is its id.
    async fn made(&self, path: &str, body: Body, id: &str) -> Answer<String> {
        let made: Value = self.client.post(path, &body.into()).await?;
        made.get(id).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| unexpected(path))
    }
}

fn unexpected(path: &str) -> ClientError {
    ClientError::Unreadable(format!("POST {path}: the answer is not of the expected shape"))
}

fn admin_workspace(id: &str, rest: &str) -> String {
    format!("/v1/admin/workspaces/{}{rest}", segment(id))
}

fn gateway_workspace(id: &str, rest: &str) -> String {
    format!("/v1/gateway/workspaces/{}{rest}", segment(id))
}

fn group_path(id: &str, rest: &str) -> String {
    format!("/v1/admin/user-groups/{}{rest}", segment(id))
}

fn key_path(id: &str, rest: &str) -> String {
    format!("/v1/api-keys/{}{rest}", segment(id))
}

fn members(user: &str, roles: Option<Vec<String>>) -> Value {
    match roles {
        Some(roles) => json!({"members": [{"user_uuid": user, "roles": roles}]}),
        None => json!({"members": [{"user_uuid": user}]}),
    }
}
