//! What rotations of upstream keys need beside what all rotations do: the keys' ids upstream, and when each key was used.

use crate::db::{Row, Store, Tx, Value};
use crate::error::StoreError;
use crate::rotations::Claimed;
use louver_domain::id::{OrganizationId, RotationId, UpstreamId};
use louver_domain::keys::Fingerprint;
use louver_domain::time::Timestamp;

/// The keys of a rotation as upstream calls them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyIds {
    /// Of the old one.
    pub old: String,
    /// Of the new one.
    pub new: String,
}

/// The ids of the keys of a rotation, once the new one is made.
pub async fn key_ids(tx: &mut Tx, id: RotationId) -> Result<Option<KeyIds>, StoreError> {
    let sql = "SELECT old_key_id, new_key_id FROM upstream_rotations WHERE rotation_id = $1";
    let rows = tx.fetch(sql, vec![id.bytes().into()]).await?;
    rows.first().map(|row| Ok(KeyIds { old: row.text(0)?, new: row.text(1)? })).transpose()
}

impl Claimed {
    /// Writes down both keys, sealed, and their ids upstream.
    pub async fn keep_upstream_keys(
        &self,
        tx: &mut Tx,
        ids: &KeyIds,
        (old, new): (Vec<u8>, Vec<u8>),
    ) -> Result<(), StoreError> {
        let id = self.rotation.id.bytes();
        tx.execute(
            "INSERT INTO upstream_rotations (rotation_id, old_key_id, new_key_id) VALUES ($1, $2, $3)",
            vec![id.into(), ids.old.as_str().into(), ids.new.as_str().into()],
        )
        .await?;
        tx.execute(
            "UPDATE rotations SET sealed_old = $1, sealed_new = $2 WHERE id = $3",
            vec![Value::Bytes(Some(old)), Value::Bytes(Some(new)), id.into()],
        )
        .await?;
        Ok(())
    }
}

/// A use of a key of an upstream credential: some node had a call under way with it at some time before `at`, and after
/// the last time that it said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamUse {
    /// The credential.
    pub upstream: UpstreamId,
    /// Which of its keys.
    pub fingerprint: Fingerprint,
    /// When.
    pub at: Timestamp,
}

/// Writes down which keys of upstream credentials were used; a time never goes back. All nodes write in one order.
pub async fn save_uses(store: &Store, used: &[UpstreamUse]) -> Result<(), StoreError> {
    if used.is_empty() {
        return Ok(());
    }
    let mut used = used.to_vec();
    used.sort_by_key(|one| (one.upstream.bytes(), one.fingerprint));
    let mut tx = store.begin().await?;
    for one in &used {
        // A credential that is gone keeps nothing.
        tx.execute(
            "INSERT INTO upstream_uses (upstream_id, fingerprint, last_used_at) \
             SELECT id, $2, $3 FROM upstreams WHERE id = $1 \
             ON CONFLICT (upstream_id, fingerprint) DO UPDATE SET last_used_at = excluded.last_used_at \
             WHERE upstream_uses.last_used_at < excluded.last_used_at",
            vec![
                one.upstream.bytes().into(),
                Value::Bytes(Some(one.fingerprint.to_vec())),
                one.at.micros().into(),
            ],
        )
        .await?;
    }
    tx.commit_plain().await
}

/// When a key of an upstream credential was used last, as far as the nodes have said.
pub async fn last_used(
    tx: &mut Tx,
    upstream: UpstreamId,
    fingerprint: &Fingerprint,
) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT last_used_at FROM upstream_uses WHERE upstream_id = $1 AND fingerprint = $2";
    let values = vec![upstream.bytes().into(), Value::Bytes(Some(fingerprint.to_vec()))];
    let rows = tx.fetch(sql, values).await?;
    rows.first().map(|row| Ok(Timestamp::from_micros(row.int(0)?))).transpose()
}

/// All uses of an organization's upstream keys, as far as the nodes have said.
pub async fn uses(store: &Store, organization: OrganizationId) -> Result<Vec<UpstreamUse>, StoreError> {
    let sql = "SELECT upstream_uses.upstream_id, upstream_uses.fingerprint, upstream_uses.last_used_at FROM upstream_uses \
               JOIN upstreams ON upstreams.id = upstream_uses.upstream_id WHERE upstreams.organization_id = $1";
    let rows = store.fetch(sql, vec![organization.bytes().into()]).await?;
    let read = |row: &Row| {
        Ok(UpstreamUse {
            upstream: UpstreamId::from_bytes(row.id(0)?),
            fingerprint: row.array(1)?,
            at: Timestamp::from_micros(row.int(2)?),
        })
    };
    rows.iter().map(read).collect()
}

/// Forgets a key that is no more.
pub async fn forget_uses(
    tx: &mut Tx,
    upstream: UpstreamId,
    fingerprint: &Fingerprint,
) -> Result<(), StoreError> {
    let sql = "DELETE FROM upstream_uses WHERE upstream_id = $1 AND fingerprint = $2";
    tx.execute(sql, vec![upstream.bytes().into(), Value::Bytes(Some(fingerprint.to_vec()))]).await?;
    Ok(())
}
