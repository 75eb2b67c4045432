//! The audit log, and the one way to commit an admin deed: together with its event.
//!
//! Every event is the next link of its organization's chain. The row of the chain's head is held from the reading of the
//! last hash to the commit, so that the chain grows in one order however many nodes write.

pub mod checkpoints;
pub mod cuts;
pub mod query;
pub mod verify;

use crate::db::{Row, Store, Tx};
use crate::error::StoreError;
use crate::revision;
use louver_domain::audit::chain::{Found, Hash, link};
use louver_domain::audit::{AuditEvent, AuditRecord};
use louver_domain::id::{EventId, OrganizationId, WorkspaceId};
use louver_domain::time::Timestamp;

impl Tx {
    /// Commits an admin deed: writes its audit event and bumps the revision in the same transaction. Answers the
    /// new revision.
    pub async fn commit(self, event: &AuditEvent) -> Result<i64, StoreError> {
        self.commit_all(std::slice::from_ref(event)).await
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

/// Writes events that change nothing else: refusals, sign-ins, what the program noticed by itself.
pub async fn write(store: &Store, events: &[AuditEvent]) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let mut tx = store.begin().await.map_err(unwritable)?;
    for event in events {
        append(&mut tx, event).await?;
    }
    tx.commit_plain().await.map_err(unwritable)
}

/// Whatever keeps an event from being written keeps the deed from being done.
fn unwritable(error: StoreError) -> StoreError {
    StoreError::Audit(error.to_string())
}

async fn append(tx: &mut Tx, event: &AuditEvent) -> Result<(), StoreError> {
    let (place, previous) = hold_head(tx, event.organization_id()).await.map_err(unwritable)?;
    let record = event.record(place.saturating_add(1));
    insert(tx, &record, link(previous, &record)).await.map_err(unwritable)
}

/// The end of a chain, held until the transaction ends; of a chain that is not there yet, its beginning.
async fn hold_head(tx: &mut Tx, organization: OrganizationId) -> Result<(u64, Hash), StoreError> {
    let sql = "INSERT INTO audit_heads (organization_id, place, hash) VALUES ($1, 0, $2) \
               ON CONFLICT (organization_id) DO UPDATE SET place = audit_heads.place RETURNING place, hash";
    let rows = tx.fetch(sql, vec![organization.bytes().into(), Hash::START.bytes().into()]).await?;
    let row = rows.first().ok_or_else(|| StoreError::Corrupt("the head of an audit log".into()))?;
    Ok((row.count(0)?, Hash::from_bytes(row.array(1)?)))
}

async fn insert(tx: &mut Tx, record: &AuditRecord, hash: Hash) -> Result<(), StoreError> {
    let r = record.clone();
    let organization = r.organization_id.bytes();
    tx.execute(
        "INSERT INTO audit_events (organization_id, place, id, at, actor_kind, identity, actor_id, actor_name, event, \
         permission, target_type, target_id, target_name, workspace_id, outcome, before_state, after_state, \
         request_id, address, hash) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
        vec![
            organization.into(),
            r.place.into(),
            r.id.bytes().into(),
            r.at.micros().into(),
            r.actor_kind.into(),
            r.identity.into(),
            r.actor_id.into(),
            r.actor_name.into(),
            r.event.into(),
            r.permission.into(),
            r.target_type.into(),
            r.target_id.into(),
            r.target_name.into(),
            r.workspace_id.map(|id| id.bytes()).into(),
            r.outcome.into(),
            r.before.into(),
            r.after.into(),
            r.request_id.into(),
            r.address.into(),
            hash.bytes().into(),
        ],
    )
    .await?;
    let sql = "UPDATE audit_heads SET place = $2, hash = $3 WHERE organization_id = $1";
    tx.execute(sql, vec![organization.into(), r.place.into(), hash.bytes().into()]).await?;
    Ok(())
}

/// The columns that [`read`] reads, in its order.
macro_rules! columns {
    () => {
        "organization_id, place, id, at, actor_kind, identity, actor_id, actor_name, event, permission, target_type, \
         target_id, target_name, workspace_id, outcome, before_state, after_state, request_id, address, hash"
    };
}
pub(crate) use columns;

fn read(row: &Row) -> Result<(AuditRecord, Hash), StoreError> {
    let record = AuditRecord {
        organization_id: OrganizationId::from_bytes(row.id(0)?),
        place: row.count(1)?,
        id: EventId::from_bytes(row.id(2)?),
        at: Timestamp::from_micros(row.int(3)?),
        actor_kind: row.text(4)?,
        identity: row.text(5)?,
        actor_id: row.text(6)?,
        actor_name: row.text(7)?,
        event: row.text(8)?,
        permission: row.text(9)?,
        target_type: row.text(10)?,
        target_id: row.text(11)?,
        target_name: row.text(12)?,
        workspace_id: row.opt_id(13)?.map(WorkspaceId::from_bytes),
        outcome: row.text(14)?,
        before: row.opt_text(15)?,
        after: row.opt_text(16)?,
        request_id: row.opt_text(17)?,
        address: row.opt_text(18)?,
    };
    Ok((record, Hash::from_bytes(row.array(19)?)))
}

/// The same of a row that somebody may have changed into what no record is.
fn found(row: &Row) -> Result<Found, StoreError> {
    let place = u64::try_from(row.int(1)?).unwrap_or(0);
    let hash = <[u8; 32]>::try_from(row.bytes(19)?).ok().map(Hash::from_bytes);
    Ok(Found { place, hash, record: read(row).ok().map(|(record, _)| record) })
}

/// An audit event as stored, in short.
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
    let sql = "SELECT place, event, actor_name, target_id, before_state, after_state FROM audit_events \
               WHERE organization_id = $1 ORDER BY place DESC LIMIT $2";
    let rows = store.fetch(sql, vec![organization.bytes().into(), i64::from(limit).into()]).await?;
    let event = |row: &Row| {
        Ok(StoredEvent {
            sequence: row.int(0)?,
            action: row.text(1)?,
            actor_name: row.text(2)?,
            target_id: row.text(3)?,
            before: row.opt_text(4)?,
            after: row.opt_text(5)?,
        })
    };
    rows.iter().map(event).collect()
}
