//! The rules of every admin deed; the API and the program itself go through the same ones.
//!
//! Each: begin, load within the organization, decide, change, write with the permit, commit with the audit event.

pub mod actors;
pub mod adjustments;
pub mod admin_keys;
mod admins;
pub mod alert_channels;
pub mod alerts;
pub mod audit;
pub mod budgets;
pub mod custom_roles;
mod departures;
pub mod explain;
pub mod groups;
pub(crate) mod identity;
pub mod invitations;
pub mod key_hygiene;
pub mod keys;
pub mod limits;
pub mod members;
pub mod model_roles;
pub mod model_sightings;
pub mod models;
mod names;
pub mod objects;
pub mod old_secrets;
pub mod organizations;
pub mod own;
pub mod passwords;
pub mod rotation_policies;
pub mod rotations;
pub mod second_factors;
pub mod secret_destinations;
pub mod service_accounts;
pub mod sessions;
pub mod setup;
pub mod sign_in;
pub mod sign_in_links;
pub mod simulation;
pub mod spending;
pub mod surroundings;
pub mod upstreams;
pub mod usage;
pub mod users;
pub mod workspaces;

use crate::Control;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::Permit;
use louver_domain::audit::{AuditEvent, Outcome};
use louver_domain::id::{EventId, WorkspaceId};
use louver_store::Tx;
use serde::Serialize;
use std::fmt::Display;

/// A deed as it will stand in the audit log: what, on what, and how that looked before and after.
pub(crate) struct Deed {
    permit: Permit,
    target_id: String,
    target_name: String,
    workspace_id: Option<WorkspaceId>,
    before: Option<String>,
    after: Option<String>,
}

impl Deed {
    /// On the object of that id and name.
    pub(crate) fn on(permit: Permit, id: impl Display, name: &str) -> Self {
        Self {
            permit,
            target_id: id.to_string(),
            target_name: name.to_owned(),
            workspace_id: None,
            before: None,
            after: None,
        }
    }

    /// In that workspace.
    pub(crate) fn inside(mut self, workspace: WorkspaceId) -> Self {
        self.workspace_id = Some(workspace);
        self
    }

    /// How the object was shown before.
    pub(crate) fn from<T: Serialize>(mut self, shown: &T) -> Result<Self, ControlError> {
        self.before = Some(serde_json::to_string(shown)?);
        Ok(self)
    }

    /// How the object is shown after.
    pub(crate) fn to<T: Serialize>(mut self, shown: &T) -> Result<Self, ControlError> {
        self.after = Some(serde_json::to_string(shown)?);
        Ok(self)
    }

    /// The same, with the names of the secrets that are others now: neither the old nor the new one is shown.
    pub(crate) fn after_replacing<T: Serialize>(
        mut self,
        shown: &T,
        secrets: &[&str],
    ) -> Result<Self, ControlError> {
        let mut shown = serde_json::to_value(shown)?;
        if let (false, Some(members)) = (secrets.is_empty(), shown.as_object_mut()) {
            members.insert("replaced".into(), secrets.into());
        }
        self.after = Some(shown.to_string());
        Ok(self)
    }

    /// Its audit event.
    pub(crate) fn event(self, control: &Control, context: &Context) -> AuditEvent {
        // The time of the deed, under the lock that orders deeds: a body may have taken its time.
        let at = control.clock.now();
        AuditEvent {
            id: EventId::new(at, &*control.entropy),
            at,
            actor: context.actor.clone(),
            permit: self.permit,
            outcome: Outcome::Done,
            workspace_id: self.workspace_id,
            target_id: self.target_id,
            target_name: self.target_name,
            before: self.before,
            after: self.after,
            request_id: context.origin.map(|origin| origin.request_id.to_string()),
            address: context.origin.map(|origin| origin.address.to_string()),
        }
    }
}

/// Commits one deed, and waits until the gateway beside us decides by it.
pub(crate) async fn commit(
    control: &Control,
    context: &Context,
    tx: Tx,
    deed: Deed,
) -> Result<(), ControlError> {
    context.must_be_confirmed([deed.permit.action()].into_iter())?;
    let revision = tx.commit(&deed.event(control, context)).await?;
    control.settle(revision).await;
    Ok(())
}

/// Commits several deeds that belong together.
pub(crate) async fn commit_all(
    control: &Control,
    context: &Context,
    tx: Tx,
    deeds: Vec<Deed>,
) -> Result<(), ControlError> {
    // No deed, no change: there is nothing to commit.
    if deeds.is_empty() {
        return Ok(());
    }
    context.must_be_confirmed(deeds.iter().map(|deed| deed.permit.action()))?;
    let events: Vec<AuditEvent> = deeds.into_iter().map(|deed| deed.event(control, context)).collect();
    let revision = tx.commit_all(&events).await?;
    control.settle(revision).await;
    Ok(())
}

/// Writes what was given, `null` included, and leaves the rest.
pub(crate) fn set<T>(slot: &mut Option<T>, given: Option<Option<T>>) {
    if let Some(value) = given {
        *slot = value;
    }
}
