//! How often somebody tried to sign in: counted before the attempt is judged, so that none slips by beside another.

use crate::db::Store;
use crate::error::StoreError;
use louver_domain::sign_in::{Attempts, WINDOW_SECONDS};
use louver_domain::time::Timestamp;

/// Counts one attempt of that subject, and answers how many there are in its while.
pub async fn count(store: &Store, subject: [u8; 32], now: Timestamp) -> Result<Attempts, StoreError> {
    let mut tx = store.begin().await?;
    let over = now.plus_seconds(WINDOW_SECONDS.saturating_neg()).micros();
    tx.execute("DELETE FROM sign_in_attempts WHERE since <= $1", vec![over.into()]).await?;
    let sql = "INSERT INTO sign_in_attempts (subject, attempts, since) VALUES ($1, 1, $2) \
               ON CONFLICT (subject) DO UPDATE SET attempts = sign_in_attempts.attempts + 1 RETURNING attempts, since";
    let rows = tx.fetch(sql, vec![subject.into(), now.micros().into()]).await?;
    let counted = rows.first().map(|row| {
        let count = u32::try_from(row.count(0)?).unwrap_or(u32::MAX);
        Ok::<_, StoreError>(Attempts { count, since: Timestamp::from_micros(row.int(1)?) })
    });
    let attempts = counted.transpose()?.unwrap_or(Attempts { count: 1, since: now });
    tx.commit_plain().await?;
    Ok(attempts)
}

/// Forgets what was counted: the person has shown who they are.
pub async fn forget(store: &Store, subject: [u8; 32]) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    tx.execute("DELETE FROM sign_in_attempts WHERE subject = $1", vec![subject.into()]).await?;
    tx.commit_plain().await
}
