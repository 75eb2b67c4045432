//! Second factors of people: the sealed secret that their device shares, and the codes for the day it is lost.

use crate::db::{Row, Store, Tx};
use crate::error::StoreError;
use crate::organizations::{read_json, write_json};
use louver_domain::access::Permit;
use louver_domain::id::{OrganizationId, UserId};
use louver_domain::time::Timestamp;

/// A second factor.
#[derive(Clone, Debug)]
pub struct SecondFactor {
    /// Whose it is.
    pub user_id: UserId,
    /// What the device shares, sealed.
    pub sealed_secret: Vec<u8>,
    /// When it was proved that the device has it; until then it does not count.
    pub confirmed_at: Option<Timestamp>,
    /// The half minute of the last code that was taken: each works once.
    pub last_step: i64,
    /// Fingerprints of the codes for the day the device is lost, in hexadecimal; one that was used is gone.
    pub recovery: Vec<String>,
}

const SELECT: &str = "SELECT user_id, sealed_secret, confirmed_at, last_step, recovery FROM second_factors \
                      WHERE organization_id = $1 AND user_id = $2";

/// A person's second factor.
pub async fn get(
    store: &Store,
    organization: OrganizationId,
    user: UserId,
) -> Result<Option<SecondFactor>, StoreError> {
    let values = vec![organization.bytes().into(), user.bytes().into()];
    store.fetch(SELECT, values).await?.first().map(read).transpose()
}

/// The same inside a transaction.
pub async fn load(
    tx: &mut Tx,
    organization: OrganizationId,
    user: UserId,
) -> Result<Option<SecondFactor>, StoreError> {
    let values = vec![organization.bytes().into(), user.bytes().into()];
    tx.fetch(SELECT, values).await?.first().map(read).transpose()
}

/// Writes a person's second factor in place of the one before.
pub async fn save(tx: &mut Tx, permit: &Permit, factor: &SecondFactor) -> Result<(), StoreError> {
    delete(tx, permit, factor.user_id).await?;
    let values = vec![
        factor.user_id.bytes().into(),
        permit.organization_id().bytes().into(),
        factor.sealed_secret.clone().into(),
        factor.confirmed_at.map(Timestamp::micros).into(),
        factor.last_step.into(),
        write_json(&factor.recovery)?.into(),
    ];
    let sql = "INSERT INTO second_factors (user_id, organization_id, sealed_secret, confirmed_at, last_step, recovery) \
               VALUES ($1, $2, $3, $4, $5, $6)";
    tx.execute(sql, values).await.map(drop)
}

/// Takes a person's second factor away.
pub async fn delete(tx: &mut Tx, permit: &Permit, user: UserId) -> Result<(), StoreError> {
    let sql = "DELETE FROM second_factors WHERE organization_id = $1 AND user_id = $2";
    tx.execute(sql, vec![permit.organization_id().bytes().into(), user.bytes().into()]).await.map(drop)
}

fn read(row: &Row) -> Result<SecondFactor, StoreError> {
    Ok(SecondFactor {
        user_id: UserId::from_bytes(row.id(0)?),
        sealed_secret: row.bytes(1)?,
        confirmed_at: row.opt_int(2)?.map(Timestamp::from_micros),
        last_step: row.int(3)?,
        recovery: read_json(&row.text(4)?)?,
    })
}
