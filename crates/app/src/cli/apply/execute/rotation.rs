//! What it takes to make destinations of secrets, to change them, and to set policies that name them.

use super::{Body, Executor, Failed, Reserved, doubtful, lost, pick, said};
use crate::cli::apply::plan::{Id, Noun, ROTATION, Step};
use serde_json::{Map, Value};

impl Executor<'_> {
    pub(super) async fn create_destination(&self, step: &Step, mut body: Body) -> Result<String, Failed> {
        body.extend(pick(step, &["kind", "settings", "enabled"]));
        if let Some(workspace) = step.after("workspace").and_then(Value::as_str) {
            body.insert("workspace_id".into(), self.uuid(&Id::workspace(workspace))?.into());
        }
        body.extend(self.credentials(&step.id));
        let file = self.hidden.get(&step.id).and_then(|hidden| hidden.secret_file.as_deref());
        let reserved = file.map(Reserved::make).transpose()?;
        let (uuid, secret) = self.api.make_secret_destination(body).await.map_err(doubtful)?;
        if let (Some(reserved), Some(secret)) = (reserved, secret) {
            reserved.fill(&secret).map_err(|error| lost(&error))?;
        }
        Ok(uuid)
    }

    /// Credentials go along with settings, which may lead elsewhere: Louver sends none there that were not given anew.
    pub(super) async fn update_destination(&self, step: &Step, uuid: &str) -> Result<(), Failed> {
        let mut body = pick(step, &["settings", "enabled"]);
        if step.after("settings").is_some() || step.after("credentials").is_some() {
            body.extend(self.credentials(&step.id));
        }
        self.api.change_secret_destination(uuid, body).await.map_err(said)
    }

    /// The member of a body with the credentials that the file gives.
    fn credentials(&self, id: &Id) -> Option<(String, Value)> {
        let given = &self.hidden.get(id)?.credentials;
        let members = given.iter().map(|(name, value)| (name.clone(), Value::from(value.expose().as_str())));
        (!given.is_empty()).then(|| ("credentials".to_owned(), members.collect::<Map<_, _>>().into()))
    }

    /// Sets the whole of what something says about rotation; a null says nothing any more.
    pub(super) async fn set_rotation(&self, step: &Step, scope: &str) -> Result<(), Failed> {
        let Some(policy) = step.after(ROTATION) else { return Ok(()) };
        let mut body = policy.as_object().cloned().unwrap_or_default();
        if let Some(names) = body.get("destinations").and_then(Value::as_array) {
            let names = names.iter().filter_map(Value::as_str);
            let ids = names.map(|name| self.uuid(&Id::of(Noun::SecretDestination, name)));
            let ids = ids.collect::<Result<Vec<_>, _>>()?;
            body.insert("destinations".into(), ids.into());
        }
        body.insert("scope".into(), scope.into());
        body.insert("scope_id".into(), self.uuid(&step.id)?.into());
        self.api.set_rotation_policy(body).await.map_err(said)
    }
}
