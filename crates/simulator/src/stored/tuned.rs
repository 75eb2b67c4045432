//! Fine-tuned models: listed, renamed, archived and deleted.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{Ask, found, nowhere, world::World};
use crate::{
    config::{Config, Tuned},
    received::Received,
    refusal,
    reply::Reply,
    route::Endpoint,
    simulator::Inner,
};

/// A stored fine-tuned model.
pub(crate) struct TunedModel {
    pub(crate) id: String,
    pub(crate) object: Map<String, Value>,
}

impl TunedModel {
    pub(crate) fn new(tuned: &Tuned, job: String, now: i64, config: &Config) -> Self {
        let serves = |endpoint| config.model(&tuned.root, endpoint).is_some();
        let context = config.models.iter().find(|model| model.names().any(|name| name == tuned.root));
        let card = json!({"id": tuned.id, "object": "model", "created": now, "owned_by": "organization",
            "capabilities": {"completion_chat": serves(Endpoint::Chat),
                "function_calling": serves(Endpoint::Chat),
                "completion_fim": serves(Endpoint::Fim), "fine_tuning": false, "vision": false},
            "name": tuned.id, "description": null,
            "max_context_length": context.map_or(0, |model| model.context),
            "aliases": [], "deprecation": null, "default_model_temperature": null, "type": "fine-tuned",
            "billing_model_name": tuned.root, "job": job, "root": tuned.root, "archived": false});
        let object = match card {
            Value::Object(object) => object,
            _ => Map::new(),
        };
        Self { id: tuned.id.clone(), object }
    }

    fn archived(&self) -> bool {
        self.object.get("archived") == Some(&Value::Bool(true))
    }
}

pub(crate) fn answer(world: &mut World, ask: &Ask<'_>) -> Result<Reply, Reply> {
    let Some((id, rest)) = ask.path.split_first() else { return nowhere() };
    match (ask.method, rest) {
        ("PATCH", []) => {
            let object = &mut model(world, id)?.object;
            for name in ["name", "description"] {
                if let Some(value) = ask.object()?.get(name) {
                    object.insert(name.to_owned(), value.clone());
                }
            }
            let shown =
                ["object", "created", "owned_by", "root", "archived", "name", "description", "capabilities"];
            let shown = shown.into_iter().chain(["job", "max_context_length", "aliases"]);
            let field = |name: &str| (name.to_owned(), object.get(name).cloned().unwrap_or_default());
            let mut shown: Map<String, Value> = shown.map(field).collect();
            shown.insert("id".to_owned(), json!(id));
            shown.insert("root_version".to_owned(), json!(""));
            shown.insert("model_type".to_owned(), json!("completion"));
            shown.insert("workspace_id".to_owned(), json!(world.workspace()));
            found(&Value::Object(shown))
        }
        ("POST" | "DELETE", ["archive"]) => {
            let archived = ask.method == "POST";
            model(world, id)?.object.insert("archived".to_owned(), json!(archived));
            found(&json!({"id": id, "object": "model", "archived": archived}))
        }
        _ => nowhere(),
    }
}

fn model<'a>(world: &'a mut World, id: &str) -> Result<&'a mut TunedModel, Reply> {
    world.tuned.get_mut(id).ok_or_else(|| refusal::no_model(id))
}

/// `DELETE /v1/models/{id}`
pub(crate) fn delete(world: &mut World, ask: &Ask<'_>) -> Result<Reply, Reply> {
    let [id] = ask.path.as_slice() else { return nowhere() };
    world.tuned.remove(id).ok_or_else(|| refusal::no_model(id))?;
    found(&json!({"id": id, "object": "model", "deleted": true}))
}

impl Inner {
    /// The refusal of a fine-tuned model that the caller's organization does not have, or has archived.
    pub(crate) fn untuned(&self, received: &Received) -> Option<Reply> {
        let name = received.model.as_deref()?;
        if !self.config.tuned.iter().any(|tuned| tuned.id == name) {
            return None;
        }
        let bearer = &received.bearer().unwrap_or_default();
        let usable = self.world(bearer, |world| world.tuned.get(name).is_some_and(|model| !model.archived()));
        (!usable).then(|| refusal::invalid_model(name))
    }

    /// The cards of the fine-tuned models of the caller's organization.
    pub(crate) fn tuned_cards(&self, received: &Received) -> Vec<Map<String, Value>> {
        let bearer = &received.bearer().unwrap_or_default();
        self.world(bearer, |world| world.tuned.iter().map(|model| model.object.clone()).collect())
    }

    /// The card of the fine-tuned model that the path names, if it is one.
    pub(crate) fn tuned_card(&self, received: &Received) -> Option<Reply> {
        let cards = self.tuned_cards(received);
        let id = received.model.as_deref();
        let card = cards.iter().find(|card| card.get("id").and_then(Value::as_str) == id)?;
        Some(Reply::json(StatusCode::OK, card))
    }
}
