//! Admin keys as they are shown, in lists and in the audit log.

use crate::openapi::shapes;
use louver_domain::id::{AdminKeyId, ServiceAccountId, UserId};
use louver_domain::keys::{AdminHolder, AdminKey};
use louver_domain::time::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// An admin key without its secret.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AdminKey")]
pub(crate) struct Shown {
    #[schemars(with = "shapes::Id")]
    id: AdminKeyId,
    #[schemars(extend("const" = "admin_key"))]
    object: &'static str,
    name: String,
    hidden_key: String,
    #[schemars(with = "shapes::Time")]
    created_at: Timestamp,
    #[schemars(with = "Option<shapes::Time>")]
    expires_at: Option<Timestamp>,
    #[schemars(extend("enum" = ["active", "disabled", "revoked"]))]
    status: &'static str,
    #[schemars(with = "Option<shapes::Id>")]
    user_id: Option<UserId>,
    #[schemars(with = "Option<shapes::Id>")]
    service_account_id: Option<ServiceAccountId>,
}

impl Shown {
    pub(crate) fn of(key: &AdminKey) -> Self {
        let (user_id, service_account_id) = match key.holder {
            AdminHolder::Organization => (None, None),
            AdminHolder::User(id) => (Some(id), None),
            AdminHolder::ServiceAccount(id) => (None, Some(id)),
        };
        Self {
            id: key.id,
            object: "admin_key",
            name: key.name.clone(),
            hidden_key: format!("lva_…{}", key.last_four),
            created_at: key.created_at,
            expires_at: key.expires_at,
            status: key.status.as_str(),
            user_id,
            service_account_id,
        }
    }
}
