//! The audit log, and the one way to commit an admin deed: together with its event.

use crate::db::{Row, Store, Tx, Value};
use crate::error::StoreError;
use crate::revision;
use louver_domain::access::Identity;
use louver_domain::audit::AuditEvent;
use louver_domain::id::OrganizationId;

impl Tx {
    /// Commits an admin deed: writes its audit event and bumps the revision in the same transaction. Answers the
    /// new revision.
    pub async fn commit(mut self, event: &AuditEvent) -> Result<i64, StoreError> {
        append(&mut self, event).await?;
        let revision = revision::bump(&mut self).await?;
        self.commit_revision(revision).await?;
        Ok(revision)
    }

    /// Commits several admin deeds that belong together, such as the making of an organization with its parts.
    pub async fn commit_all(mut self, events: &[AuditEvent]) -> Result<i64, StoreError> {
        for event in events {
            append(&mut self, event).await?;
        }
        let revision = revision::bump(&mut self).await?;
        self.commit_revision(revision).await?;
        Ok(revision)
    }
}

async fn append(tx: &mut Tx, event: &AuditEvent) -> Result<(), StoreError> {
    let (kind, id, name) = match &event.actor.identity {
        Identity::AdminKey { id, name } => ("admin_key", id.to_string(), name.clone()),
        Identity::Person { id, email } => ("user", id.to_string(), email.clone()),
        Identity::ServiceAccount { id, name } => ("service_account", id.to_string(), name.clone()),
        Identity::System => ("system", String::new(), String::from("louver")),
    };
    let values: Vec<Value> = vec![
        event.id.bytes().into(),
        event.permit.organization_id().bytes().into(),
        event.at.micros().into(),
        kind.into(),
        id.into(),
        name.into(),
        event.permit.action().event().into(),
        event.target_id.clone().into(),
        event.target_name.clone().into(),
        event.before.clone().into(),
        event.after.clone().into(),
        event.request_id.clone().into(),
        event.address.clone().into(),
    ];
    tx.execute(
        "INSERT INTO audit_events (id, organization_id, at, actor_kind, actor_id, actor_name, action, target_id, \
         target_name, before_state, after_state, request_id, address) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        values,
    )
    .await?;
    Ok(())
}

/// An audit event as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its place in the log.
    pub sequence: i64,
    /// What was done, such as `api_key.created`.
    pub action: String,
    /// Who did it.
    pub actor_name: String,
    /// The id of the object.
    pub target_id: String,
    /// The object before, as JSON.
    pub before: Option<String>,
    /// The object after, as JSON.
    pub after: Option<String>,
}

/// The newest events of an organization, newest first, at most `limit`.
pub async fn newest(
    store: &Store,
    organization: OrganizationId,
    limit: u32,
) -> Result<Vec<StoredEvent>, StoreError> {
    let rows = store
        .fetch(
            "SELECT sequence, action, actor_name, target_id, before_state, after_state FROM audit_events \
             WHERE organization_id = $1 ORDER BY sequence DESC LIMIT $2",
            vec![organization.bytes().into(), i64::from(limit).into()],
        )
        .await?;
    rows.iter().map(event).collect()
}

fn event(row: &Row) -> Result<StoredEvent, StoreError> {
    Ok(StoredEvent {
        sequence: row.int(0)?,
        action: row.text(1)?,
        actor_name: row.text(2)?,
        target_id: row.text(3)?,
        before: row.opt_text(4)?,
        after: row.opt_text(5)?,
    })
}
