//! Checkpoints in the database: how far each chain had come, signed.

use super::found;
use crate::audit::columns;
use crate::db::{Row, Store, Tx};
use crate::error::StoreError;
use louver_domain::audit::chain::{Finding, Hash, Walk};
use louver_domain::audit::checkpoint::{Checkpoint, Signature, Signed};
use louver_domain::id::OrganizationId;
use louver_domain::time::Timestamp;

/// Records of one query.
const PAGE: u32 = 1000;

/// The end of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Whose chain.
    pub organization_id: OrganizationId,
    /// The place of its last record; 0 when there is none.
    pub place: u64,
    /// The hash of that record.
    pub hash: Hash,
}

/// The ends of all chains.
pub async fn heads(store: &Store) -> Result<Vec<Head>, StoreError> {
    let sql = "SELECT organization_id, place, hash FROM audit_heads ORDER BY organization_id";
    store.fetch(sql, vec![]).await?.iter().map(head).collect()
}

pub(super) fn head(row: &Row) -> Result<Head, StoreError> {
    Ok(Head {
        organization_id: OrganizationId::from_bytes(row.id(0)?),
        place: row.count(1)?,
        hash: Hash::from_bytes(row.array(2)?),
    })
}

/// The newest checkpoint of an organization.
pub async fn newest(store: &Store, organization: OrganizationId) -> Result<Option<Signed>, StoreError> {
    let sql = "SELECT organization_id, place, hash, at, signature FROM audit_checkpoints \
               WHERE organization_id = $1 ORDER BY place DESC LIMIT 1";
    store.fetch(sql, vec![organization.bytes().into()]).await?.first().map(read).transpose()
}

/// Writes a checkpoint down; one that is there for the place stays.
pub async fn save(store: &Store, signed: &Signed) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    insert(
        &mut tx,
        "INSERT INTO audit_checkpoints (organization_id, place, hash, at, signature) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (organization_id, place) DO NOTHING",
        signed,
    )
    .await?;
    tx.commit_plain().await
}

pub(super) async fn insert(tx: &mut Tx, sql: &'static str, signed: &Signed) -> Result<(), StoreError> {
    let said = &signed.checkpoint;
    let values = vec![
        said.organization_id.bytes().into(),
        said.place.into(),
        said.hash.bytes().into(),
        said.at.micros().into(),
        signed.signature.bytes().to_vec().into(),
    ];
    tx.execute(sql, values).await.map(drop)
}

pub(super) fn read(row: &Row) -> Result<Signed, StoreError> {
    Ok(Signed {
        checkpoint: Checkpoint {
            organization_id: OrganizationId::from_bytes(row.id(0)?),
            place: row.count(1)?,
            hash: Hash::from_bytes(row.array(2)?),
            at: Timestamp::from_micros(row.int(3)?),
        },
        signature: Signature::from_bytes(row.array(4)?),
    })
}

/// What is wrong with the part of a chain that follows on `after` and ends at `end`.
pub async fn examine(
    store: &Store,
    organization: OrganizationId,
    after: (u64, Hash),
    end: (u64, Hash),
) -> Result<Vec<Finding>, StoreError> {
    let mut walk = Walk::from(after.0, after.1, vec![]);
    let mut place = after.0;
    while place < end.0 {
        let last = place.saturating_add(u64::from(PAGE)).min(end.0);
        let values = vec![organization.bytes().into(), place.into(), last.into()];
        for row in &store.fetch(BETWEEN, values).await? {
            walk.step(&found(row)?);
        }
        place = last;
    }
    Ok(walk.finish(Some(end)).findings)
}

const BETWEEN: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM audit_events WHERE organization_id = $1 AND place > $2 AND place <= $3 ORDER BY place"
);
