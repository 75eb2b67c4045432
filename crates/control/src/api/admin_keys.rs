//! Admin keys as they stand in the audit log.

use louver_domain::id::AdminKeyId;
use louver_domain::keys::AdminKey;
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
}

impl Shown {
    pub(crate) fn of(key: &AdminKey) -> Self {
        Self {
            id: key.id,
            object: "admin_key",
            name: key.name.clone(),
            hidden_key: format!("lva_…{}", key.last_four),
            created_at: key.created_at,
            expires_at: key.expires_at,
            status: key.status.as_str(),
        }
    }
}
