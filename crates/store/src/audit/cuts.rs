//! Cuts in the database: the oldest part of a chain goes, and a signed word stays of where it ended.

use super::checkpoints::{insert, read};
use super::{append, hold_head};
use crate::db::Store;
use crate::error::StoreError;
use louver_domain::audit::AuditEvent;
use louver_domain::audit::chain::Hash;
use louver_domain::audit::checkpoint::Signed;
use louver_domain::id::OrganizationId;
use louver_domain::time::Timestamp;

/// The newest cut of an organization.
pub async fn newest(store: &Store, organization: OrganizationId) -> Result<Option<Signed>, StoreError> {
    let sql = "SELECT organization_id, place, hash, at, signature FROM audit_cuts \
               WHERE organization_id = $1 ORDER BY place DESC LIMIT 1";
    store.fetch(sql, vec![organization.bytes().into()]).await?.first().map(read).transpose()
}

/// The newest checkpoint before `older_than` that lies at most `most` places beyond `start`; where there is none so near,
/// the nearest one.
pub async fn due(
    store: &Store,
    organization: OrganizationId,
    start: u64,
    older_than: Timestamp,
    most: u64,
) -> Result<Option<Signed>, StoreError> {
    let near = "SELECT organization_id, place, hash, at, signature FROM audit_checkpoints WHERE organization_id = $1 \
                AND place > $2 AND place <= $3 AND at <= $4 ORDER BY place DESC LIMIT 1";
    let far = "SELECT organization_id, place, hash, at, signature FROM audit_checkpoints WHERE organization_id = $1 \
               AND place > $2 AND at <= $3 ORDER BY place LIMIT 1";
    let (id, older_than) = (organization.bytes(), older_than.micros());
    let values = vec![id.into(), start.into(), start.saturating_add(most).into(), older_than.into()];
    if let Some(row) = store.fetch(near, values).await?.first() {
        return read(row).map(Some);
    }
    store.fetch(far, vec![id.into(), start.into(), older_than.into()]).await?.first().map(read).transpose()
}

/// Cuts off everything up to the signed place, together with the event that tells of it. Answers whether this was done:
/// another node may have been faster.
pub async fn cut(
    store: &Store,
    (start, begins): (u64, Hash),
    signed: &Signed,
    event: &AuditEvent,
) -> Result<bool, StoreError> {
    let said = &signed.checkpoint;
    let organization = said.organization_id;
    let mut tx = store.begin().await?;
    hold_head(&mut tx, organization).await?;
    let sql = "SELECT place, hash FROM audit_cuts WHERE organization_id = $1 ORDER BY place DESC LIMIT 1";
    let rows = tx.fetch(sql, vec![organization.bytes().into()]).await?;
    let (place, hash) = match rows.first() {
        None => (0, Hash::START),
        Some(row) => (row.count(0)?, Hash::from_bytes(row.array(1)?)),
    };
    if (place, hash) != (start, begins) {
        return Ok(false);
    }
    let up_to = || vec![organization.bytes().into(), said.place.into()];
    tx.execute("DELETE FROM audit_events WHERE organization_id = $1 AND place <= $2", up_to()).await?;
    tx.execute("DELETE FROM audit_checkpoints WHERE organization_id = $1 AND place < $2", up_to()).await?;
    let sql =
        "INSERT INTO audit_cuts (organization_id, place, hash, at, signature) VALUES ($1, $2, $3, $4, $5)";
    insert(&mut tx, sql, signed).await?;
    append(&mut tx, event).await?;
    tx.commit_plain().await?;
    Ok(true)
}
