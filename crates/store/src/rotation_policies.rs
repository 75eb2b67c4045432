//! Rotation policies in the database: one row for each scope that says something.

use crate::db::{Row, Store, Tx};
use crate::error::StoreError;
use crate::organizations::{read_json, write_json};
use louver_domain::access::Permit;
use louver_domain::id::{OrganizationId, SecretDestinationId};
use louver_domain::rotation_policies::{DayWindow, Policy, PolicyScope};
use louver_domain::rotations::OnOldUse;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT scope, scope_id, organization_id, period_days, overlap_hours, destinations, propagation_seconds, ",
            "on_old_use, window_start, window_end, jitter_hours, remind_days FROM rotation_policies ",
            $rest
        )
    };
}

/// A policy with where it is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetPolicy {
    /// Whose it is.
    pub organization_id: OrganizationId,
    /// Where it is set.
    pub scope: PolicyScope,
    /// What it says.
    pub policy: Policy,
}

/// All policies of all organizations.
pub async fn all(store: &Store) -> Result<Vec<SetPolicy>, StoreError> {
    store.fetch(select!("ORDER BY scope_id"), vec![]).await?.iter().map(read).collect()
}

/// The policies of an organization.
pub async fn list(store: &Store, organization: OrganizationId) -> Result<Vec<SetPolicy>, StoreError> {
    let sql = select!("WHERE organization_id = $1 ORDER BY scope, scope_id");
    store.fetch(sql, vec![organization.bytes().into()]).await?.iter().map(read).collect()
}

/// The same, inside a transaction.
pub async fn load_all(tx: &mut Tx, organization: OrganizationId) -> Result<Vec<SetPolicy>, StoreError> {
    let sql = select!("WHERE organization_id = $1");
    tx.fetch(sql, vec![organization.bytes().into()]).await?.iter().map(read).collect()
}

/// The policy of one scope, inside a transaction.
pub async fn load(
    tx: &mut Tx,
    organization: OrganizationId,
    scope: PolicyScope,
) -> Result<Option<Policy>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND scope_id = $2 AND scope = $3");
    let values = vec![organization.bytes().into(), scope.bytes().into(), scope.kind().into()];
    let found = tx.fetch(sql, values).await?.first().map(read).transpose()?;
    Ok(found.map(|found| found.policy))
}

/// Sets the policy of a scope; one that says nothing is removed.
pub async fn save(
    tx: &mut Tx,
    permit: &Permit,
    scope: PolicyScope,
    policy: &Policy,
) -> Result<(), StoreError> {
    let organization = permit.organization_id();
    tx.execute(
        "DELETE FROM rotation_policies WHERE organization_id = $1 AND scope_id = $2",
        vec![organization.bytes().into(), scope.bytes().into()],
    )
    .await?;
    if policy.is_empty() {
        return Ok(());
    }
    let number = |value: Option<u32>| value.map(i64::from).into();
    let destinations = policy.destinations.as_ref().map(write_json).transpose()?;
    tx.execute(
        "INSERT INTO rotation_policies (scope, scope_id, organization_id, period_days, overlap_hours, destinations, \
         propagation_seconds, on_old_use, window_start, window_end, jitter_hours, remind_days) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        vec![
            scope.kind().into(),
            scope.bytes().into(),
            organization.bytes().into(),
            number(policy.period_days),
            number(policy.overlap_hours),
            destinations.into(),
            number(policy.propagation_seconds),
            policy.on_old_use.map(|one| one.as_str().to_owned()).into(),
            number(policy.window.map(|window| window.start)),
            number(policy.window.map(|window| window.end)),
            number(policy.jitter_hours),
            number(policy.remind_days),
        ],
    )
    .await?;
    Ok(())
}

fn read(row: &Row) -> Result<SetPolicy, StoreError> {
    let corrupt = || StoreError::Corrupt("a rotation policy".into());
    let number = |column| -> Result<Option<u32>, StoreError> {
        row.opt_int(column)?.map(|value| u32::try_from(value).map_err(|_| corrupt())).transpose()
    };
    let window = match (number(8)?, number(9)?) {
        (Some(start), Some(end)) => Some(DayWindow { start, end }),
        (None, _) | (_, None) => None,
    };
    let on_old_use = row.opt_text(7)?.map(|text| OnOldUse::parse(&text).ok_or_else(corrupt)).transpose()?;
    let destinations = row.opt_text(5)?.map(|text| read_json::<Vec<SecretDestinationId>>(&text));
    Ok(SetPolicy {
        scope: PolicyScope::read(&row.text(0)?, row.id(1)?).ok_or_else(corrupt)?,
        organization_id: OrganizationId::from_bytes(row.id(2)?),
        policy: Policy {
            period_days: number(3)?,
            overlap_hours: number(4)?,
            destinations: destinations.transpose()?,
            propagation_seconds: number(6)?,
            on_old_use,
            window,
            jitter_hours: number(10)?,
            remind_days: number(11)?,
        },
    })
}
