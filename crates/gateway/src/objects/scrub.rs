//! Takes upstream's own ids out of what it answers: who its organization, workspaces and people are is nobody's business.

use crate::snapshot::KeyEntry;
use louver_domain::id::{OrganizationId, WorkspaceId};
use serde_json::{Map, Value};

/// Replaces the ids of upstream's organization and workspace by ours, and takes those of its people away. What clients
/// wrote themselves, under `metadata` or `attributes`, stays as it is.
pub(crate) fn scrub(value: &mut Value, key: &KeyEntry) {
    scrub_for(value, (key.organization_id, key.workspace_id));
}

/// The same, for whoever has no key at hand.
pub(crate) fn scrub_for(value: &mut Value, key: (OrganizationId, WorkspaceId)) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| scrub_for(item, key)),
        Value::Object(members) => scrub_object(members, key),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn scrub_object(members: &mut Map<String, Value>, key: (OrganizationId, WorkspaceId)) {
    for (name, value) in members {
        match name.as_str() {
            "org_id" | "organization_id" => replace(value, || key.0.to_string()),
            "workspace_id" => replace(value, || key.1.to_string()),
            // The registry knows who made it; upstream knows whose credential it was.
            "owner_id" | "user_id" | "created_by" | "created_by_id" | "uploaded_by_id" | "added_by_id" => {
                *value = Value::Null;
            }
            "owner_type" => replace(value, || "Workspace".to_owned()),
            "metadata" | "attributes" => {}
            _ => scrub_for(value, key),
        }
    }
}

fn replace(value: &mut Value, with: impl FnOnce() -> String) {
    if !value.is_null() {
        *value = Value::String(with());
    }
}
