//! What a look over keys needs beside the keys: who used each last, and which stay although nobody uses them.

use crate::db::{Row, Store, Tx, Value};
use crate::dialect::Made;
use crate::error::StoreError;
use louver_domain::access::Permit;
use louver_domain::id::{KeyId, OrganizationId};
use louver_domain::key_hygiene::Exemption;
use louver_domain::keys::PublicId;
use louver_domain::time::Timestamp;
use std::collections::HashMap;

/// The current secret of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Current {
    /// When it was made.
    pub created_at: Timestamp,
    /// From which address it was used last.
    pub last_used_address: Option<String>,
    /// By which client, as it calls itself.
    pub last_used_client: Option<String>,
}

/// The current secrets of these keys of an organization.
pub async fn currents(
    store: &Store,
    organization: OrganizationId,
    keys: &[KeyId],
) -> Result<HashMap<KeyId, Current>, StoreError> {
    let Some((first, rest)) = keys.split_first() else { return Ok(HashMap::new()) };
    let mut made = Made::new(
        store.dialect(),
        "SELECT id, COALESCE(secret_created_at, created_at), last_used_address, last_used_client FROM api_keys \
         WHERE organization_id = ",
    );
    made.is("", organization.bytes());
    made.is(" AND id IN (", first.bytes());
    for key in rest {
        made.is(", ", key.bytes());
    }
    made.put(")");
    let rows = store.fetch_made(made.sql, made.values).await?;
    let current = |row: &Row| {
        let current = Current {
            created_at: Timestamp::from_micros(row.int(1)?),
            last_used_address: row.opt_text(2)?,
            last_used_client: row.opt_text(3)?,
        };
        Ok((KeyId::from_bytes(row.id(0)?), current))
    };
    rows.iter().map(current).collect()
}

const EXEMPTIONS: &str =
    "SELECT key_id, reason, until, granted_by FROM key_exemptions WHERE organization_id = $1";

/// The exemptions of an organization, also those that have ended.
pub async fn exemptions(
    store: &Store,
    organization: OrganizationId,
) -> Result<HashMap<KeyId, Exemption>, StoreError> {
    let rows = store.fetch(EXEMPTIONS, vec![organization.bytes().into()]).await?;
    rows.iter().map(read).collect()
}

/// The exemption of one key, inside a transaction.
pub async fn exemption(tx: &mut Tx, key: KeyId) -> Result<Option<Exemption>, StoreError> {
    let sql = "SELECT key_id, reason, until, granted_by FROM key_exemptions WHERE key_id = $1";
    let rows = tx.fetch(sql, vec![key.bytes().into()]).await?;
    rows.first().map(|row| read(row).map(|(_, exemption)| exemption)).transpose()
}

/// Gives a key an exemption, in place of one that it has.
pub async fn exempt(
    tx: &mut Tx,
    permit: &Permit,
    key: KeyId,
    exemption: &Exemption,
) -> Result<(), StoreError> {
    let values: Vec<Value> = vec![
        key.bytes().into(),
        permit.organization_id().bytes().into(),
        exemption.reason.clone().into(),
        exemption.until.micros().into(),
        exemption.by.clone().into(),
    ];
    let sql = "INSERT INTO key_exemptions (key_id, organization_id, reason, until, granted_by) \
               VALUES ($1, $2, $3, $4, $5) ON CONFLICT (key_id) DO UPDATE SET \
               reason = excluded.reason, until = excluded.until, granted_by = excluded.granted_by";
    tx.execute(sql, values).await.map(|_| ())
}

/// Takes the exemption of a key away.
pub async fn lift(tx: &mut Tx, permit: &Permit, key: KeyId) -> Result<(), StoreError> {
    let values: Vec<Value> = vec![key.bytes().into(), permit.organization_id().bytes().into()];
    let sql = "DELETE FROM key_exemptions WHERE key_id = $1 AND organization_id = $2";
    tx.execute(sql, values).await.map(|_| ())
}

/// Notes that this secret of a key was reported.
pub async fn note_leak(tx: &mut Tx, permit: &Permit, key: KeyId, secret: PublicId) -> Result<(), StoreError> {
    let values = vec![secret.as_str().into(), permit.organization_id().bytes().into(), key.bytes().into()];
    let sql = "UPDATE api_keys SET leaked_public_id = $1 WHERE organization_id = $2 AND id = $3";
    tx.execute(sql, values).await.map(|_| ())
}

/// Whether a secret of the key that was reported would work if the key were enabled: it is the current one, or an old one
/// that was not retired.
pub async fn has_leaked(tx: &mut Tx, organization: OrganizationId, key: KeyId) -> Result<bool, StoreError> {
    let sql = "SELECT id FROM api_keys WHERE organization_id = $1 AND id = $2 AND leaked_public_id IS NOT NULL \
               AND (leaked_public_id = public_id OR EXISTS (SELECT 1 FROM old_secrets \
               WHERE old_secrets.public_id = api_keys.leaked_public_id))";
    let rows = tx.fetch(sql, vec![organization.bytes().into(), key.bytes().into()]).await?;
    Ok(!rows.is_empty())
}

fn read(row: &Row) -> Result<(KeyId, Exemption), StoreError> {
    let exemption =
        Exemption { reason: row.text(1)?, until: Timestamp::from_micros(row.int(2)?), by: row.text(3)? };
    Ok((KeyId::from_bytes(row.id(0)?), exemption))
}
