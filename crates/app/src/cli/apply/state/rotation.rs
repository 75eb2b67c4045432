//! Reads destinations of secrets, and what organization, workspaces and keys say about rotation.

use super::{State, fields, found, text, uuid_of};
use crate::cli::apply::api::{Api, List};
use crate::cli::apply::plan::{Id, Noun, ROTATION};
use crate::cli::apply::wanted::{normal, shown};
use crate::client::ClientError;
use louver_domain::id::KeyId;
use louver_domain::secret_destinations::DestinationKind;
use serde_json::{Map, Value};

/// The members of a policy that say where it stands.
const PLACE: [&str; 3] = ["object", "scope", "scope_id"];

impl State {
    pub(super) fn add_destination(&mut self, value: &Value) -> Result<(), ClientError> {
        let noun = Noun::SecretDestination;
        let workspace = match value.get("workspace_id").and_then(Value::as_str) {
            None => None,
            Some(id) => match self.name(Noun::Workspace, &uuid_of(id)) {
                // Of a workspace that is archived: nothing writes there.
                None => return Ok(()),
                name => name,
            },
        };
        let mut own: crate::cli::apply::plan::Fields =
            fields(value, &["kind", "enabled", "credentials"]).collect();
        own.insert("settings".into(), settings(value));
        own.insert("workspace".into(), workspace.into());
        self.add(Id::of(noun, &text(value, "name")?), found(own, text(value, "id")?));
        Ok(())
    }

    /// Each policy becomes a field of what it stands on.
    pub(super) async fn read_policies(&mut self, api: &Api) -> Result<(), ClientError> {
        let policies = match api.list(List::RotationPolicies).await {
            Err(error) if self.tolerant && error.unknown_path() => return Ok(()),
            other => other?,
        };
        for policy in policies {
            let id = text(&policy, "scope_id")?;
            let place = match text(&policy, "scope")?.as_str() {
                "organization" => Some(Id::organization()),
                "workspace" => self.names.get(&(Noun::Workspace, uuid_of(&id))).cloned(),
                "key" => {
                    let id = KeyId::parse(&id).map_or(id, |id| id.prefixed());
                    self.names.get(&(Noun::Key, id)).cloned()
                }
                _ => None,
            };
            let said = normal(ROTATION, &self.with_names(&policy));
            if let Some(found) = place.and_then(|place| self.present.items.get_mut(&place)) {
                found.fields.insert(ROTATION.to_owned(), said);
            }
        }
        Ok(())
    }

    /// What a policy says, destinations by their names.
    fn with_names(&self, policy: &Value) -> Value {
        let members = policy.as_object().into_iter().flatten();
        let said = members.filter(|(name, _)| !PLACE.contains(&name.as_str()));
        let named = said.map(|(name, value)| match value.as_array().filter(|_| name == "destinations") {
            Some(ids) => {
                let ids = ids.iter().filter_map(Value::as_str);
                let names =
                    ids.map(|id| self.name(Noun::SecretDestination, id).unwrap_or_else(|| id.to_owned()));
                (name.clone(), names.map(Value::from).collect())
            }
            None => (name.clone(), value.clone()),
        });
        Value::Object(named.collect::<Map<_, _>>())
    }
}

/// Settings in the one form that the file's are compared in; of a kind that is not known here, as they are.
fn settings(value: &Value) -> Value {
    let given = value.get("settings").and_then(Value::as_object).cloned().unwrap_or_default();
    let kind = value.get("kind").and_then(Value::as_str).and_then(DestinationKind::parse);
    let read = kind.and_then(|kind| shown(kind, given.clone()).ok());
    read.unwrap_or(Value::Object(given))
}
