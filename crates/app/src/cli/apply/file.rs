//! The file of `louver apply`: its sections, read strictly, with line and column in every error.

use louver_domain::alert_channels::ChannelKind;
use louver_domain::endpoints::EndpointKind;
use louver_domain::groups::GroupTarget;
use louver_domain::limits::{KeyCreation, Mode, Region, ServiceTier};
use louver_domain::money::Money;
use louver_domain::network::Cidr;
use louver_domain::secret_destinations::DestinationKind;
use louver_domain::time::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Defines a section: fields that must be there; fields that may be absent but not null; fields that may be absent
/// (left alone) or null (taken away).
macro_rules! section {
    ($(#[$doc:meta])* $name:ident
        must { $($must:ident: $must_type:ty,)* }
        may { $($may:ident: $may_type:ty,)* }
        null { $($null:ident: $null_type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, Serialize)]
        #[serde(deny_unknown_fields)]
        pub(in crate::cli) struct $name {
            $(pub(in crate::cli) $must: $must_type,)*
            $(#[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
            pub(in crate::cli) $may: Option<$may_type>,)*
            $(#[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
            pub(in crate::cli) $null: Option<Option<$null_type>>,)*
        }
    };
}

section! {
    /// The whole file. A section that is absent is left alone; an empty one names nothing.
    File
    must {}
    may {
        organization: Organization,
        roles: Vec<Role>,
        model_roles: Vec<ModelRole>,
        members: Vec<Member>,
        groups: Vec<Group>,
        workspaces: Vec<Workspace>,
        service_accounts: Vec<ServiceAccount>,
        secret_destinations: Vec<SecretDestination>,
        keys: Vec<Key>,
        alert_channels: Vec<AlertChannel>,
    }
    null {}
}

section! {
    /// The organization itself.
    Organization
    must {}
    may { name: String, billing_active: bool, limits: Limits, }
    null { rotation: Rotation, }
}

section! {
    /// What may be limited on the organization, a workspace and a person.
    Limits
    must {}
    may {}
    null {
        allowed_models: Vec<String>,
        requests_per_second: u64,
        requests_per_minute: u64,
        tokens_per_minute: u64,
        tokens_per_month: u64,
        max_concurrent_requests: u64,
        hourly_budget_usd: Money,
        daily_budget_usd: Money,
        monthly_budget_usd: Money,
        allowed_endpoints: Vec<EndpointKind>,
        allowed_tools: Vec<String>,
        allowed_service_tiers: Vec<ServiceTier>,
        max_signed_url_hours: u32,
        region: Region,
        fallback_models: Vec<String>,
        alert_thresholds: Vec<u8>,
        max_key_lifetime_days: u32,
        max_key_idle_days: u32,
        key_creation: KeyCreation,
        mode: Mode,
        timezone: String,
    }
}

section! {
    /// A custom role: a named set of permissions.
    Role
    must { name: String, level: Level, permissions: Vec<String>, }
    may {}
    null { description: String, }
}

/// Where a custom role is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum Level {
    /// To members of the organization.
    Organization,
    /// To members of a workspace.
    Workspace,
}

section! {
    /// A model role.
    ModelRole
    must { name: String, }
    may { allowed_models: Vec<String>, }
    null {
        allowed_endpoints: Vec<EndpointKind>,
        allowed_tools: Vec<String>,
        allowed_service_tiers: Vec<ServiceTier>,
        max_signed_url_hours: u32,
        max_tokens_per_request: u64,
        daily_token_budget: u64,
    }
}

section! {
    /// A person of the organization.
    Member
    must { email: String, }
    may { name: String, roles: Vec<String>, limits: Limits, }
    null {}
}

section! {
    /// A group of people.
    Group
    must { name: String, }
    may { organization_role: String, parents: Vec<String>, members: Vec<String>, target_type: GroupTarget, }
    null { description: String, }
}

section! {
    /// A workspace, and who is in it.
    Workspace
    must { name: String, }
    may { limits: Limits, members: Vec<WorkspaceMember>, groups: Vec<WorkspaceGroup>, }
    null { description: String, icon: String, rotation: Rotation, }
}

section! {
    /// A person in a workspace.
    WorkspaceMember
    must { email: String, }
    may { roles: Vec<String>, }
    null { model_role: String, }
}

section! {
    /// A group in a workspace.
    WorkspaceGroup
    must { group: String, }
    may { roles: Vec<String>, }
    null { model_role: String, }
}

section! {
    /// A machine's account; `role` is its model role, `roles` are its roles in its workspace.
    ServiceAccount
    must { name: String, workspace: String, }
    may { roles: Vec<String>, }
    null { role: String, }
}

section! {
    /// An API key. Its secret goes to `secret_file` when it is made, and nowhere else.
    Key
    must { name: String, workspace: String, }
    may { owner: String, service_account: String, enabled: bool, limits: KeyLimits, secret_file: PathBuf, }
    null {
        description: String,
        allowed_models: Vec<String>,
        rate_limit_rpm: u64,
        tokens_per_minute: u64,
        monthly_budget_usd: Money,
        role: String,
        expires_at: Timestamp,
        allowed_endpoints: Vec<EndpointKind>,
        allowed_tools: Vec<String>,
        allowed_cidrs: Vec<Cidr>,
        rotation: Rotation,
    }
}

section! {
    /// When keys are rotated by themselves, and how: the whole of what one place says.
    Rotation
    must {}
    may {
        period_days: u32,
        overlap_hours: u32,
        destinations: Vec<String>,
        propagation_seconds: u32,
        on_old_use: OnOldUse,
        window_start: String,
        window_end: String,
        jitter_hours: u32,
        remind_days: u32,
    }
    null {}
}

/// What is done when the old secret is used shortly before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum OnOldUse {
    /// It goes on working.
    Hold,
    /// It ends.
    Cut,
}

section! {
    /// Where new secrets of keys are written. `${NAME}` in `credentials` stands for a variable of the environment.
    SecretDestination
    must { name: String, kind: DestinationKind, }
    may {
        workspace: String,
        settings: Map<String, Value>,
        credentials: BTreeMap<String, String>,
        secret_file: PathBuf,
        enabled: bool,
    }
    null {}
}

section! {
    /// Limits of a key that have no short name on the key itself.
    KeyLimits
    must {}
    may {}
    null {
        requests_per_second: u64,
        tokens_per_month: u64,
        max_concurrent_requests: u64,
        hourly_budget_usd: Money,
        daily_budget_usd: Money,
        allowed_service_tiers: Vec<ServiceTier>,
        max_signed_url_hours: u32,
        region: Region,
        fallback_models: Vec<String>,
        alert_thresholds: Vec<u8>,
        mode: Mode,
    }
}

section! {
    /// Where alerts go. `${NAME}` in `url`, `secret` and `to` stands for a variable of the environment.
    AlertChannel
    must { name: String, kind: ChannelKind, }
    may { url: String, secret: String, secret_file: PathBuf, to: Vec<String>, enabled: bool, }
    null {}
}

/// A field that may be absent, but not null.
fn present<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// Tells an absent field from a null.
fn given<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

/// Reads the text of a file.
pub(in crate::cli) fn read(text: &str) -> Result<File, String> {
    serde_saphyr::from_str(text).map_err(|error| {
        let error = error.without_snippet();
        let place = error.location().map(|place| (place.line(), place.column()));
        let said = error.to_string();
        let Some((line, column)) = place else { return said };
        let sentence = said.strip_suffix(&format!(" at line {line}, column {column}")).unwrap_or(&said);
        // The crate speaks to programmers here.
        let sentence = sentence.split(", set DuplicateKeyPolicy").next().unwrap_or(sentence);
        let sentence = sentence.split("; use Option<").next().unwrap_or(sentence);
        let sentence = match sentence {
            "invalid u64" | "invalid u32" | "invalid u8" => "expected a whole number, not below zero",
            other => other,
        };
        format!("line {line}, column {column}: {sentence}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_names_its_place() {
        for (text, said) in [
            ("organisation: {}\n", "line 1, column 1: unknown field `organisation`"),
            (
                "workspaces:\n  - name: dev\n    limits:\n      request_per_minute: 60\n",
                "line 4, column 7: unknown field `request_per_minute`",
            ),
            ("organization:\n  name: a\n  name: b\n", "line 3, column 3: duplicate mapping key: name"),
            ("keys: []\nroles: []\nkeys: []\n", "line 3, column 1: duplicate mapping key: keys"),
            ("keys:\n", "line 1, column 5: expected sequence start"),
            ("workspaces:\n  - description: x\n", "line 2, column 5: missing field `name`"),
            (
                "workspaces:\n  - name: dev\n    limits: {monthly_budget_usd: -5}\n",
                "line 3, column 34: an amount of US dollars, zero or more, with at most nine decimal places",
            ),
            (
                "workspaces:\n  - name: dev\n    limits: {requests_per_minute: 1.5}\n",
                "line 3, column 35: expected a whole number, not below zero",
            ),
            (
                "keys:\n  - {name: k, workspace: w, allowed_endpoints: [chat]}\n",
                "line 2, column 49: unknown variant `chat`",
            ),
            (
                "keys:\n  - {name: k, workspace: w, allowed_cidrs: [10.0.0.1/8]}\n",
                "line 2, column 45: an address block such as 10.0.0.0/8, host bits zero",
            ),
            (
                "keys:\n  - {name: k, workspace: w, rotation: {period: 90d}}\n",
                "line 2, column 40: unknown field `period`",
            ),
            (
                "secret_destinations:\n  - {name: d, kind: safe}\n",
                "line 2, column 21: unknown variant `safe`",
            ),
            ("rotation_policies: []\n", "line 1, column 1: unknown field `rotation_policies`"),
            ("organization: {name: ~}\n", "line 1, column 22: cannot deserialize null into string"),
            ("keys: [{name: k]\n", "line 1, column 8: mismatched bracket"),
            ("- a\n", "line 1, column 1: expected mapping start"),
            ("organization: {}\n---\nkeys: []\n", "line 3, column 1: multiple YAML documents"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.starts_with(said), "{text:?}: {error}");
        }
    }

    #[test]
    fn absent_null_and_given_are_three_things() {
        let file = read(
            "workspaces:\n  - name: 12\n    limits: {requests_per_minute: null, tokens_per_minute: 5}\n",
        );
        let workspace = file.unwrap().workspaces.unwrap().remove(0);
        assert_eq!(workspace.name, "12");
        let limits = workspace.limits.unwrap();
        assert_eq!(limits.requests_per_minute, Some(None));
        assert_eq!(limits.tokens_per_minute, Some(Some(5)));
        assert_eq!(limits.requests_per_second, None);
        assert!(read("").unwrap().keys.is_none());
        assert!(read("keys: []").unwrap().keys.unwrap().is_empty());
    }
}
