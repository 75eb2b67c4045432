//! The revision of the rules: a counter that every admin commit bumps, and every gateway watches.

use crate::db::{Row, Store, Tx};
use crate::error::StoreError;

/// The revision now.
pub async fn current(store: &Store) -> Result<i64, StoreError> {
    first(&store.fetch("SELECT value FROM revision", vec![]).await?)
}

/// Begins a transaction for an admin deed: it holds the revision's row from the start, so that what it reads stays
/// true until it commits (two deeds on one key cannot undo each other). SQLite has that from `BEGIN IMMEDIATE` already.
pub async fn begin_deed(store: &Store) -> Result<Tx, StoreError> {
    let mut tx = store.begin().await?;
    tx.execute("UPDATE revision SET value = value", vec![]).await?;
    Ok(tx)
}

/// Bumps the revision inside a transaction and answers the new one. The row's lock puts admin commits in an order.
pub(crate) async fn bump(tx: &mut Tx) -> Result<i64, StoreError> {
    first(&tx.fetch("UPDATE revision SET value = value + 1 RETURNING value", vec![]).await?)
}

/// The revision as a transaction sees it.
pub(crate) async fn seen(tx: &mut Tx) -> Result<i64, StoreError> {
    first(&tx.fetch("SELECT value FROM revision", vec![]).await?)
}

fn first(rows: &[Row]) -> Result<i64, StoreError> {
    rows.first().ok_or_else(|| StoreError::Corrupt("the revision is missing".into()))?.int(0)
}
