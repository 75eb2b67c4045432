//! Synchronization with a directory: `/v1/admin/scim/sync*`.

use super::values::{Time, object_or_null};
use super::words::words;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

words! {
    /// How a run stands.
    ScimSyncRunStatus {
        /// It has not begun.
        Pending = "PENDING",
        /// It is under way.
        Running = "RUNNING",
        /// It came to its end.
        Success = "SUCCESS",
        /// There was nothing to do.
        Skipped = "SKIPPED",
        /// It could not come to its end.
        Failed = "FAILED",
    }
}

/// The body of `POST /v1/admin/scim/sync`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdminScimSyncTriggerIN {
    /// Only show what would change.
    #[serde(default = "yes")]
    pub dry_run: bool,
    /// What to synchronize; needed unless `dry_run` is true, which does not look at it.
    #[serde(default, deserialize_with = "object_or_null")]
    pub sync_config: Option<AdminScimSyncConfig>,
}

const fn yes() -> bool {
    true
}

/// What to synchronize.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdminScimSyncConfig {
    /// Delete groups the directory does not have.
    #[serde(default)]
    #[schemars(skip_serializing_if = "sent")]
    pub delete_missing_groups: bool,
    /// Remove users the directory does not have, or calls inactive.
    #[serde(default)]
    #[schemars(skip_serializing_if = "sent")]
    pub deprovision_users: bool,
    /// Add users the directory has.
    pub sync_users: bool,
    /// Make groups as the directory has them.
    pub sync_groups: bool,
    /// Make groups have the members the directory gives them.
    pub sync_memberships: bool,
}

/// For the schema only: the document calls the field optional, and it is always sent.
fn sent(_: &bool) -> bool {
    false
}

/// Answers `POST /v1/admin/scim/sync` with 202.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AdminScimSyncTriggerOUT {
    /// The id of the new run.
    pub run_id: Uuid,
}

/// Answers `POST /v1/admin/scim/sync` with 409.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AdminScimSyncActiveRunOUT {
    /// The id of the run that is under way.
    pub run_id: Uuid,
    /// How it stands.
    pub status: ScimSyncRunStatus,
}

/// Answers `GET /v1/admin/scim/sync/{run_id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AdminScimSyncRunOUT {
    /// The run's id.
    pub run_id: Uuid,
    /// How it stands.
    pub status: ScimSyncRunStatus,
    /// It only shows what would change.
    pub dry_run: bool,
    /// What it synchronizes.
    pub sync_config: Option<AdminScimSyncConfig>,
    /// When it was asked for.
    pub created_at: Time,
    /// When it began.
    pub started_at: Option<Time>,
    /// When it ended.
    pub finished_at: Option<Time>,
    /// What it changes or has changed.
    pub summary: Option<ScimSyncSummaryOut>,
    /// Why it failed.
    pub error_message: Option<String>,
}

/// What a run changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ScimSyncSummaryOut {
    /// Users.
    pub users: ScimSyncUsersSummaryOut,
    /// Groups.
    pub groups: ScimSyncGroupsSummaryOut,
    /// Who is in which group.
    pub memberships: Vec<ScimSyncMembershipActionOut>,
}

/// What a run changes among users.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ScimSyncUsersSummaryOut {
    /// Those it adds.
    pub provision: Vec<ScimSyncUserActionOut>,
    /// Those it removes.
    pub deprovision: Vec<ScimSyncUserActionOut>,
}

/// A user that is added or removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ScimSyncUserActionOut {
    /// The user.
    pub user: ScimSyncUserRefOut,
}

/// A user of the directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ScimSyncUserRefOut {
    /// The user's id.
    pub uuid: String,
    /// The user's name in the directory.
    #[serde(rename = "userName")]
    pub user_name: String,
}

/// What a run changes among groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ScimSyncGroupsSummaryOut {
    /// Those it makes.
    pub create: Vec<ScimSyncGroupActionOut>,
    /// Those it renames.
    pub update: Vec<ScimSyncGroupUpdateActionOut>,
    /// Those it deletes.
    pub delete: Vec<ScimSyncGroupActionOut>,
}

/// A group that is made or deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ScimSyncGroupActionOut {
    /// The group.
    pub group: ScimSyncGroupRefOut,
}

/// A group of the directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ScimSyncGroupRefOut {
    /// The group's id.
    pub uuid: String,
    /// The group's name in the directory.
    #[serde(rename = "groupName")]
    pub group_name: String,
}

/// A group that is renamed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ScimSyncGroupUpdateActionOut {
    /// The group with its new name.
    pub group: ScimSyncGroupRefOut,
    /// Its old name.
    #[serde(rename = "previous_groupName")]
    pub previous_group_name: String,
}

/// A group whose members change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ScimSyncMembershipActionOut {
    /// The group.
    pub group: ScimSyncGroupRefOut,
    /// Who comes in.
    pub users_added: Vec<ScimSyncUserRefOut>,
    /// Who goes out.
    pub users_removed: Vec<ScimSyncUserRefOut>,
}
