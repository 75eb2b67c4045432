//! Takes upstream's own ids out of what it answers: who its organization, workspaces and people are is nobody's business.

use crate::snapshot::KeyEntry;
use serde_json::{Map, Value};

/// Replaces the ids of upstream's organization and workspace by ours, and takes those of its people away. What clients
/// wrote themselves, under `metadata` or `attributes`, stays as it is.
pub(crate) fn scrub(value: &mut Value, key: &KeyEntry) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| scrub(item, key)),
        Value::Object(members) => scrub_object(members, key),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn scrub_object(members: &mut Map<String, Value>, key: &KeyEntry) {
    for (name, value) in members {
        match name.as_str() {
            "org_id" | "organization_id" => replace(value, || key.organization_id.to_string()),
            "workspace_id" => replace(value, || key.workspace_id.to_string()),
            // The registry knows who made it; upstream knows whose credential it was.
            "owner_id" | "user_id" | "created_by" | "created_by_id" | "uploaded_by_id" | "added_by_id" => {
                *value = Value::Null;
            }
            "owner_type" => replace(value, || "Workspace".to_owned()),
            "metadata" | "attributes" => {}
            _ => scrub(value, key),
        }
    }
}

fn replace(value: &mut Value, with: impl FnOnce() -> String) {
    if !value.is_null() {
        *value = Value::String(with());
    }
}
