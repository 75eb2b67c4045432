//! The steps of the schema, each run once, in order, under a lock.

use crate::db::{Store, Tx, Value};
use crate::dialect::Dialect;
use crate::error::StoreError;

const STEPS: [&str; 14] = [
    include_str!("../migrations/0001_foundation.sql"),
    include_str!("../migrations/0002_ledger.sql"),
    include_str!("../migrations/0003_alerts.sql"),
    include_str!("../migrations/0004_people.sql"),
    include_str!("../migrations/0005_audit.sql"),
    include_str!("../migrations/0006_endpoints.sql"),
    include_str!("../migrations/0007_rotations.sql"),
    include_str!("../migrations/0008_secret_destinations.sql"),
    include_str!("../migrations/0009_key_hygiene.sql"),
    include_str!("../migrations/0010_idempotency.sql"),
    include_str!("../migrations/0011_upstream_rotations.sql"),
    include_str!("../migrations/0012_observed.sql"),
    include_str!("../migrations/0013_hygiene.sql"),
    include_str!("../migrations/0014_sessions.sql"),
];

/// Runs the steps that this database has not seen yet and answers how many.
pub(crate) async fn run(tx: &mut Tx, dialect: Dialect) -> Result<usize, StoreError> {
    if let Some(lock) = dialect.migration_lock() {
        tx.fetch(lock, vec![]).await?;
    }
    tx.execute_made(
        words("CREATE TABLE IF NOT EXISTS schema_steps (step {int} NOT NULL PRIMARY KEY) {strict}", dialect),
        vec![],
    )
    .await?;
    let rows = tx.fetch("SELECT COUNT(*) FROM schema_steps", vec![]).await?;
    let done = rows.first().map(|row| row.count(0)).transpose()?.unwrap_or(0);
    let done = usize::try_from(done).unwrap_or(usize::MAX);
    if done > STEPS.len() {
        return Err(StoreError::Configuration("the database is newer than this program".into()));
    }
    for (index, step) in STEPS.iter().enumerate().skip(done) {
        for statement in words(step, dialect).split(";\n").map(str::trim).filter(|s| !s.is_empty()) {
            tx.execute_made(statement.to_owned(), vec![]).await?;
        }
        let number = i64::try_from(index).unwrap_or(i64::MAX);
        tx.execute("INSERT INTO schema_steps (step) VALUES ($1)", vec![Value::from(number)]).await?;
    }
    Ok(STEPS.len().saturating_sub(done))
}

/// How far the schema of a database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schema {
    /// Steps that were run.
    pub done: u64,
    /// Steps that this program knows.
    pub known: u64,
}

/// Looks how far the schema is, and changes nothing.
pub async fn schema(store: &Store) -> Result<Schema, StoreError> {
    let known = u64::try_from(STEPS.len()).unwrap_or(u64::MAX);
    if store.fetch(store.dialect().find_steps(), vec![]).await?.is_empty() {
        return Ok(Schema { done: 0, known });
    }
    let rows = store.fetch("SELECT COUNT(*) FROM schema_steps", vec![]).await?;
    Ok(Schema { done: rows.first().map_or(Ok(0), |row| row.count(0))?, known })
}

fn words(text: &str, dialect: Dialect) -> String {
    let without_comments: Vec<&str> = text.lines().filter(|line| !line.starts_with("--")).collect();
    let text = without_comments.join("\n");
    dialect.words().iter().fold(text, |text, (word, meaning)| text.replace(word, meaning))
}
