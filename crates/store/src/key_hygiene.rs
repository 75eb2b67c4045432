//! What a look over keys needs beside the keys: who used each last, and which stay although nobody uses them.

use crate::db::{Row, Store, Tx, Value};
use crate::dialect::Made;
use crate::error::StoreError;
use louver_domain::access::Permit;
use louver_domain::id::{KeyId, OrganizationId};
use louver_domain::key_hygiene::Exemption;
use louver_domain::keys::PublicId;
use louver_domain::old_secrets::LastUse;
use louver_domain::time::Timestamp;
use std::collections::HashMap;

/// The current secret of a key, and who used the key last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Current {
    /// When it was made.
    pub created_at: Timestamp,
    /// The newest use of any of the key's secrets that work.
    pub used: Option<LastUse>,
}

/// The current secrets of these keys of an organization, and who used each key last.
pub async fn currents(
    store: &Store,
    organization: OrganizationId,
    keys: &[KeyId],
) -> Result<HashMap<KeyId, Current>, StoreError> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let mut made = Made::new(
        store.dialect(),
        "SELECT id, secret_last_used_at, last_used_address, last_used_client, \
         COALESCE(secret_created_at, created_at) FROM api_keys WHERE organization_id = ",
    );
    only(&mut made, organization, " AND id IN (", keys);
    let rows = store.fetch_made(made.sql, made.values).await?;
    let current = |row: &Row| {
        let current = Current { created_at: Timestamp::from_micros(row.int(4)?), used: read_use(row)? };
        Ok((KeyId::from_bytes(row.id(0)?), current))
    };
    let mut found: HashMap<KeyId, Current> = rows.iter().map(current).collect::<Result<_, StoreError>>()?;
    let mut made = Made::new(
        store.dialect(),
        "SELECT key_id, last_used_at, last_used_address, last_used_client FROM old_secrets WHERE organization_id = ",
    );
    only(&mut made, organization, " AND key_id IN (", keys);
    for row in &store.fetch_made(made.sql, made.values).await? {
        let (key, used) = (KeyId::from_bytes(row.id(0)?), read_use(row)?);
        let at = |used: &Option<LastUse>| used.as_ref().map(|used| used.at);
        if let Some(current) = found.get_mut(&key).filter(|current| at(&current.used) < at(&used)) {
            current.used = used;
        }
    }
    Ok(found)
}

fn only(made: &mut Made, organization: OrganizationId, within: &'static str, keys: &[KeyId]) {
    made.is("", organization.bytes());
    for (place, key) in keys.iter().enumerate() {
        made.is(if place == 0 { within } else { ", " }, key.bytes());
    }
    made.put(")");
}

fn read_use(row: &Row) -> Result<Option<LastUse>, StoreError> {
    let (address, client) = (row.opt_text(2)?, row.opt_text(3)?);
    Ok(row.opt_int(1)?.map(|at| LastUse { at: Timestamp::from_micros(at), address, client }))
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
