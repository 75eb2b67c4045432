//! POSTs that came with an idempotency key: who asked what, how far it is, and the sealed answer.
//!
//! A row stands before the work begins, and the primary key decides who works. The deed's own transaction writes that it
//! changed something, so that it is known even when the answer, or the node, is lost.

use crate::db::{Row, Store, Tx, Value};
use crate::error::StoreError;
use louver_domain::id::{OrganizationId, RequestId};
use louver_domain::time::Timestamp;

/// An answer is given again for that long after it was made.
pub const KEPT_SECONDS: i64 = 600;

/// What came of a request that was not answered to its end stays in doubt for that long.
pub const DOUBTED_SECONDS: i64 = 86_400;

/// The most rows that one sweep takes away.
const MOST_SWEPT: i64 = 500;

/// The most rows of one holder. A further request takes the place of the oldest ones that were answered.
pub const MOST_OF_HOLDER: i64 = 1_000;

/// How many answers make room together, so that not every request has to look for one.
const MAKE_ROOM: i64 = 100;

/// One request with an idempotency key, in the hands of one node.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// The organization of whoever asks.
    pub organization_id: OrganizationId,
    /// Whom the admin key stands for: a person, a service account, or the key itself.
    pub holder: [u8; 16],
    /// The idempotency key, hashed.
    pub key_hash: [u8; 32],
    /// This run of it and no other.
    pub id: RequestId,
}

impl Run {
    fn place(&self) -> Vec<Value> {
        vec![self.organization_id.bytes().into(), self.holder.into(), self.key_hash.into()]
    }

    /// The place, then the run itself.
    fn own(&self) -> Vec<Value> {
        let mut values = self.place();
        values.push(self.id.bytes().into());
        values
    }
}

/// How far a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Begun; nothing was changed so far.
    Running,
    /// Something was changed; there is no answer yet.
    Changed,
    /// Answered, and the answer is kept.
    Answered,
    /// Answered, and the answer was too large to be kept.
    Unkept,
    /// Something was changed, and then it failed.
    Lost,
}

impl State {
    const ALL: [Self; 5] = [Self::Running, Self::Changed, Self::Answered, Self::Unkept, Self::Lost];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Changed => "changed",
            Self::Answered => "answered",
            Self::Unkept => "unkept",
            Self::Lost => "lost",
        }
    }
}

/// A request of the same key that came before.
#[derive(Clone, Debug)]
pub struct Earlier {
    /// The run that it was.
    pub run_id: RequestId,
    /// What was asked, hashed.
    pub request_hash: [u8; 32],
    /// How far it is.
    pub state: State,
    /// What the holder could do when it was answered, hashed.
    pub rights_hash: Option<[u8; 32]>,
    /// The answer, sealed for the run.
    pub sealed_answer: Option<Vec<u8>>,
    /// Seconds since it began, by the store's clock.
    pub age_seconds: i64,
}

/// What a request with an idempotency key meets.
#[derive(Clone, Debug)]
pub enum Claim {
    /// Nobody was there before: the work is the caller's.
    Ours,
    /// Somebody was.
    Earlier(Earlier),
    /// The holder has as many requests as one may have, and none of them was answered.
    Full,
}

/// Takes the key for this run, unless it is taken.
pub async fn claim(store: &Store, run: &Run, request_hash: [u8; 32]) -> Result<Claim, StoreError> {
    loop {
        let mut tx = store.begin().await?;
        let now = tx.now().await?;
        // Looked at first, since an insert would wait for a deed that holds the row.
        if let Some(earlier) = find(&mut tx, run, now).await? {
            return Ok(Claim::Earlier(earlier));
        }
        let mut due = run.place();
        due.push(now.micros().into());
        tx.execute(
            "DELETE FROM idempotency_keys \
             WHERE organization_id = $1 AND holder = $2 AND key_hash = $3 AND expires_at <= $4",
            due,
        )
        .await?;
        if !has_room(&mut tx, run).await? {
            return Ok(Claim::Full);
        }
        let mut values = run.own();
        values.extend([
            request_hash.into(),
            State::Running.as_str().into(),
            now.micros().into(),
            now.plus_seconds(DOUBTED_SECONDS).micros().into(),
        ]);
        let taken = tx
            .execute(
                "INSERT INTO idempotency_keys (organization_id, holder, key_hash, run_id, request_hash, state, \
                 created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
                values,
            )
            .await?;
        tx.commit_plain().await?;
        if taken == 1 {
            return Ok(Claim::Ours);
        }
        // Another was faster by a moment: the next look finds it, or that it has let go already.
    }
}

/// Whether the holder may have one more. Answers that were kept make room, the oldest first; what still runs, or is in
/// doubt, stays.
async fn has_room(tx: &mut Tx, run: &Run) -> Result<bool, StoreError> {
    let holder = || vec![run.organization_id.bytes().into(), run.holder.into()];
    let count = "SELECT COUNT(*) FROM idempotency_keys WHERE organization_id = $1 AND holder = $2";
    let rows = tx.fetch(count, holder()).await?;
    if rows.first().map_or(Ok(0), |row| row.int(0))? < MOST_OF_HOLDER {
        return Ok(true);
    }
    let mut values = holder();
    values.push(MAKE_ROOM.into());
    let gone = tx
        .execute(
            "DELETE FROM idempotency_keys WHERE organization_id = $1 AND holder = $2 AND key_hash IN \
             (SELECT key_hash FROM idempotency_keys WHERE organization_id = $1 AND holder = $2 \
             AND state IN ('answered', 'unkept') ORDER BY created_at LIMIT $3)",
            values,
        )
        .await?;
    Ok(gone > 0)
}

async fn find(tx: &mut Tx, run: &Run, now: Timestamp) -> Result<Option<Earlier>, StoreError> {
    let mut values = run.place();
    values.push(now.micros().into());
    let rows = tx
        .fetch(
            "SELECT run_id, request_hash, state, rights_hash, sealed_answer, created_at FROM idempotency_keys \
             WHERE organization_id = $1 AND holder = $2 AND key_hash = $3 AND expires_at > $4",
            values,
        )
        .await?;
    rows.first().map(|row| read(row, now)).transpose()
}

/// Inside a deed's transaction: once it commits, it is known that this run has changed something. Answers whether the key
/// is this run's still.
pub async fn mark_changed(tx: &mut Tx, run: &Run) -> Result<bool, StoreError> {
    let marked = tx
        .execute(
            "UPDATE idempotency_keys SET state = 'changed' WHERE organization_id = $1 AND holder = $2 \
             AND key_hash = $3 AND run_id = $4 AND state IN ('running', 'changed')",
            run.own(),
        )
        .await?;
    Ok(marked == 1)
}

/// An answer that is to be given again.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What the holder could do when it was answered, hashed.
    pub rights_hash: [u8; 32],
    /// The answer, sealed for the run.
    pub sealed_answer: Vec<u8>,
}

/// Ends a run that went well. Without an answer, that it was too large is what is kept.
pub async fn answered(store: &Store, run: &Run, kept: Option<Kept>) -> Result<(), StoreError> {
    let state = if kept.is_some() { State::Answered } else { State::Unkept };
    let (rights, sealed) = match kept {
        Some(kept) => (Some(kept.rights_hash.to_vec()), Some(kept.sealed_answer)),
        None => (None, None),
    };
    let mut tx = store.begin().await?;
    let end = tx.now().await?.plus_seconds(KEPT_SECONDS);
    let mut values = run.own();
    values.extend([
        state.as_str().into(),
        Value::Bytes(rights),
        Value::Bytes(sealed),
        Value::from(end.micros()),
    ]);
    tx.execute(
        "UPDATE idempotency_keys SET state = $5, rights_hash = $6, sealed_answer = $7, expires_at = $8 \
         WHERE organization_id = $1 AND holder = $2 AND key_hash = $3 AND run_id = $4",
        values,
    )
    .await?;
    tx.commit_plain().await
}

/// Ends a run that was refused: the key is free again, unless something was changed.
pub async fn let_go(store: &Store, run: &Run) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    let gone = tx
        .execute(
            "DELETE FROM idempotency_keys WHERE organization_id = $1 AND holder = $2 AND key_hash = $3 \
             AND run_id = $4 AND state = 'running'",
            run.own(),
        )
        .await?;
    if gone == 0 {
        tx.execute(
            "UPDATE idempotency_keys SET state = 'lost' WHERE organization_id = $1 AND holder = $2 \
             AND key_hash = $3 AND run_id = $4 AND state = 'changed'",
            run.own(),
        )
        .await?;
    }
    tx.commit_plain().await
}

/// Takes away what is over by the store's clock. `about` is the node's own time. Answers how many rows.
pub async fn sweep(store: &Store, about: Timestamp) -> Result<u64, StoreError> {
    // Most looks find nothing; they need no transaction.
    let any = "SELECT run_id FROM idempotency_keys WHERE expires_at <= $1 LIMIT 1";
    if store.fetch(any, vec![about.micros().into()]).await?.is_empty() {
        return Ok(0);
    }
    let mut tx = store.begin().await?;
    let now = tx.now().await?.micros();
    let sql = tx.dialect().pick(
        "DELETE FROM idempotency_keys WHERE (organization_id, holder, key_hash) IN \
         (SELECT organization_id, holder, key_hash FROM idempotency_keys WHERE expires_at <= $1 \
         ORDER BY expires_at LIMIT $2)",
        "DELETE FROM idempotency_keys WHERE (organization_id, holder, key_hash) IN \
         (SELECT organization_id, holder, key_hash FROM idempotency_keys WHERE expires_at <= $1 \
         ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
    );
    let swept = tx.execute(sql, vec![now.into(), MOST_SWEPT.into()]).await?;
    if swept > 0 {
        tx.commit_plain().await?;
    }
    Ok(swept)
}

fn read(row: &Row, now: Timestamp) -> Result<Earlier, StoreError> {
    let word = row.text(2)?;
    let state = State::ALL.into_iter().find(|state| state.as_str() == word);
    let rights = row.opt_bytes(3)?.map(<[u8; 32]>::try_from).transpose();
    Ok(Earlier {
        run_id: RequestId::from_bytes(row.id(0)?),
        request_hash: row.array(1)?,
        state: state.ok_or_else(|| StoreError::Corrupt("the state of an idempotency key".into()))?,
        rights_hash: rights.map_err(|_| StoreError::Corrupt("the rights of an idempotency key".into()))?,
        sealed_answer: row.opt_bytes(4)?,
        age_seconds: now.seconds().saturating_sub(row.int(5)?.div_euclid(1_000_000)),
    })
}
