//! Asks each server for the models that it lists, with the credential that is at hand.

use crate::objects::whole;
use crate::pipeline::Gateway;
use crate::settings::ServerKind;
use crate::snapshot::Source;
use crate::upstream::{Call, Payload, Pool};
use http::{Method, StatusCode};
use louver_domain::model_sightings::Listed;
use louver_mistral::models::read_list;
use std::sync::Arc;
use tokio::time::timeout;

/// What one server listed.
pub struct Shelf {
    /// Its name; empty for the first one.
    pub server: String,
    /// Whether it serves the models that name no server.
    pub is_mistrals: bool,
    /// Its entries.
    pub listed: Vec<Listed>,
}

/// Looks at the lists, over connections of its own.
pub struct Lookout {
    gateway: Arc<Gateway>,
    source: Arc<Source>,
    pool: Pool,
}

impl Lookout {
    /// Of the servers of the settings.
    pub fn new(gateway: &Arc<Gateway>, source: &Arc<Source>) -> Self {
        Self { gateway: Arc::clone(gateway), source: Arc::clone(source), pool: Pool::new(gateway) }
    }

    /// Asks all of them. A server that does not answer, or not with a list, is passed over.
    pub async fn look(&self) -> Vec<Shelf> {
        let mut shelves = Vec::new();
        for (place, server) in self.gateway.settings().servers.iter().enumerate() {
            let name = server.name.as_deref().unwrap_or_default();
            match self.ask(place).await {
                Ok(Some(listed)) => shelves.push(Shelf {
                    server: name.to_owned(),
                    is_mistrals: server.kind == ServerKind::Mistral,
                    listed,
                }),
                // Nobody has stored a credential for it yet.
                Ok(None) => {}
                Err(why) => {
                    tracing::warn!(server = name, why, "the models of an upstream could not be listed")
                }
            }
        }
        shelves
    }

    async fn ask(&self, place: usize) -> Result<Option<Vec<Listed>>, &'static str> {
        let Some(credential) = self.source.asker(place) else { return Ok(None) };
        let call = Call {
            method: Method::GET,
            target: "/v1/models".into(),
            to: credential,
            accept: "application/json",
            body: Payload::default(),
        };
        let response = self.pool.send(call).await.map_err(|_| "no answer")?;
        if response.status() != StatusCode::OK {
            return Err("an answer that is no list");
        }
        let patience = self.gateway.settings().timeouts.idle;
        let read = timeout(patience, whole(response.into_body())).await;
        let bytes =
            read.map_err(|_| "the answer did not end in time")?.map_err(|_| "the answer broke off")?;
        let listed = read_list(&bytes).ok_or("an answer that is no list")?;
        let entries = listed.into_iter().map(|model| Listed {
            name: model.id,
            aliases: model.aliases.unwrap_or_default(),
            billing_name: model.billing_model_name,
        });
        Ok(Some(entries.collect()))
    }
}
