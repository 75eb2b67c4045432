//! What is over goes by its age: alerts with their deliveries, and rotations that have ended.

use crate::db::{Row, Store, Tx, Value};
use crate::dialect::Made;
use crate::error::StoreError;
use louver_domain::time::Timestamp;

/// The most rows of a table that one transaction takes away.
pub const AT_ONCE: i64 = 500;

/// Takes alerts away that were raised, and whose periods ended, longer than `kept_seconds` ago by the store's clock, with
/// their deliveries; at most [`AT_ONCE`]. One that is still to be delivered stays. `about` is the node's own time. Answers
/// how many alerts went.
pub async fn prune_alerts(store: &Store, about: Timestamp, kept_seconds: i64) -> Result<u64, StoreError> {
    // While a period runs, its alert is how every node knows that people were told.
    const DUE: &str = "SELECT id FROM alerts WHERE period_starts < $1 AND period_ends < $1 AND raised_at < $1 \
                       AND NOT EXISTS (SELECT 1 FROM deliveries WHERE deliveries.alert_id = alerts.id \
                       AND deliveries.state = 'pending') ORDER BY period_starts, id LIMIT $2";
    let values = |now: Timestamp| -> Vec<Value> {
        vec![now.plus_seconds(kept_seconds.saturating_neg()).micros().into(), AT_ONCE.into()]
    };
    // Most looks find nothing; they need no transaction.
    if store.fetch(DUE, values(about)).await?.is_empty() {
        return Ok(0);
    }
    let mut tx = store.begin().await?;
    let now = tx.now().await?;
    let rows = tx.fetch(DUE, values(now)).await?;
    delete(&mut tx, "DELETE FROM deliveries WHERE alert_id IN (", &rows).await?;
    let gone = delete(&mut tx, "DELETE FROM alerts WHERE id IN (", &rows).await?;
    tx.commit_plain().await?;
    Ok(gone)
}

/// Takes rotations away that ended longer than `kept_seconds` ago by the store's clock; at most [`AT_ONCE`]. `about` is the
/// node's own time. Answers how many.
pub async fn prune_rotations(store: &Store, about: Timestamp, kept_seconds: i64) -> Result<u64, StoreError> {
    const DUE: &str =
        "SELECT id FROM rotations WHERE live IS NULL AND since < $1 ORDER BY since, id LIMIT $2";
    let values = |now: Timestamp| -> Vec<Value> {
        vec![now.plus_seconds(kept_seconds.saturating_neg()).micros().into(), AT_ONCE.into()]
    };
    if store.fetch(DUE, values(about)).await?.is_empty() {
        return Ok(0);
    }
    let mut tx = store.begin().await?;
    let now = tx.now().await?;
    let rows = tx.fetch(DUE, values(now)).await?;
    let gone = delete(&mut tx, "DELETE FROM rotations WHERE live IS NULL AND id IN (", &rows).await?;
    tx.commit_plain().await?;
    Ok(gone)
}

/// Runs `text` with the ids of those rows in its brackets.
async fn delete(tx: &mut Tx, text: &'static str, rows: &[Row]) -> Result<u64, StoreError> {
    let mut made = Made::new(tx.dialect(), text);
    for (place, row) in rows.iter().enumerate() {
        made.is(if place == 0 { "" } else { ", " }, Value::from(row.id(0)?));
    }
    if rows.is_empty() {
        return Ok(0);
    }
    made.put(")");
    tx.execute_made(made.sql, made.values).await
}
