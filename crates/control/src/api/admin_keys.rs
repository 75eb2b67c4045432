//! Admin keys as they stand in the audit log.

use louver_domain::id::{AdminKeyId, ServiceAccountId, UserId};
use louver_domain::keys::{AdminHolder, AdminKey};
use louver_domain::time::Timestamp;
use serde::Serialize;

/// An admin key without its secret.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    id: AdminKeyId,
    object: &'static str,
    name: String,
    hidden_key: String,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    status: &'static str,
    user_id: Option<UserId>,
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
