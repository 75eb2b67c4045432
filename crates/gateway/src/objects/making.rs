//! Something is made upstream: written down before it is asked for, and confirmed before whoever asked learns its id.

use super::{Said, read, send};
use crate::credentials::InUse;
use crate::pipeline::Gateway;
use crate::reply::Failure;
use crate::snapshot::KeyEntry;
use crate::upstream::{Payload, Pool};
use http::Method;
use louver_domain::id::ObjectId;
use louver_domain::objects::{ObjectKind, ObjectState};
use louver_mistral::endpoints::is_path_id;
use louver_store::objects::{self, Object, Owner};
use serde_json::Value;
use std::sync::Arc;

/// An object that is to be made. Whether the client waits or not, it is seen through.
pub(crate) struct Making {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) pool: Pool,
    pub(crate) key: Arc<KeyEntry>,
    pub(crate) credential: InUse,
    pub(crate) kind: ObjectKind,
    /// The provider's id of what it is to stand in; else empty.
    pub(crate) parent: String,
    /// The path upstream.
    pub(crate) target: String,
    pub(crate) payload: Payload,
}

impl Making {
    /// Makes it. `describe` says, of upstream's answer, what is to be known of it.
    pub(crate) async fn run(
        self,
        describe: impl FnOnce(&Value) -> String + Send + 'static,
    ) -> Result<Said, Failure> {
        let task = self.pool.left().clone().spawn(self.make(describe));
        task.await.unwrap_or(Err(Failure::UpstreamBroken))
    }

    async fn make(self, describe: impl FnOnce(&Value) -> String) -> Result<Said, Failure> {
        let object = self.intended();
        objects::intend(self.gateway.store(), &object).await.map_err(Failure::store)?;
        let asked = (Method::POST, self.target.clone(), self.payload.clone());
        let said = match send(&self.gateway, &self.pool, &self.key, &self.credential, asked).await {
            Ok(response) => read(response, &self.key, &self.credential).await,
            Err(failure) => Err(failure),
        };
        match said {
            Ok(said) if said.status.is_success() => self.confirm(object.id, said, describe).await,
            Ok(said) => {
                // An error of upstream's own may have come after it was made.
                if said.status.is_client_error() {
                    self.withdraw(object.id).await;
                }
                Ok(said)
            }
            Err(failure) => {
                if matches!(failure, Failure::UpstreamUnreachable | Failure::UpstreamCredentialRejected) {
                    self.withdraw(object.id).await;
                }
                Err(failure)
            }
        }
    }

    /// The object as it is written down first: nobody sees it yet.
    fn intended(&self) -> Object {
        let now = self.gateway.clock().now();
        Object {
            id: ObjectId::new(now, self.gateway.entropy()),
            owner: Owner {
                organization_id: self.key.organization_id,
                workspace_id: self.key.workspace_id,
                key_id: self.key.id,
                user_id: self.key.user_id,
            },
            kind: self.kind,
            upstream_id: None,
            parent: self.parent.clone(),
            credential_id: self.credential.credential().id,
            server: None,
            state: ObjectState::Intended,
            attributes: "{}".to_owned(),
            tokens: 0,
            created_at: now,
            changed_at: now,
        }
    }

    async fn confirm(
        &self,
        id: ObjectId,
        said: Said,
        describe: impl FnOnce(&Value) -> String,
    ) -> Result<Said, Failure> {
        let named = said.value.get("id").and_then(Value::as_str).filter(|id| is_path_id(id));
        let Some(upstream_id) = named else {
            tracing::error!(object = %id, "upstream made something, and did not say its id");
            return Err(Failure::UpstreamBroken);
        };
        let (store, now) = (self.gateway.store(), self.gateway.clock().now());
        match objects::confirm(store, id, upstream_id, &describe(&said.value), now).await {
            Ok(true) => Ok(said),
            Ok(false) => {
                tracing::error!(object = %id, "ALARM: upstream gave something new the id of another object");
                Err(Failure::UpstreamBroken)
            }
            Err(error) => Err(Failure::store(error)),
        }
    }

    async fn withdraw(&self, id: ObjectId) {
        if let Err(error) = objects::withdraw(self.gateway.store(), id).await {
            tracing::warn!(%error, object = %id, "an object that never was stays intended");
        }
    }
}
