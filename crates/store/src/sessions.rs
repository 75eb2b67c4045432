//! Sessions of people in the console: found by the fingerprint of a token, for as long as they live.

use crate::db::{Row, Store, Tx, Value};
use crate::error::StoreError;
use louver_domain::access::Permit;
use louver_domain::id::{OrganizationId, SessionId, UserId};
use louver_domain::keys::Fingerprint;
use louver_domain::sessions::{LONGEST_SECONDS, Session};
use louver_domain::time::Timestamp;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization_id, user_id, fingerprint, created_at, seen_at, confirmed_at, needs_code, address, ",
            "client FROM sessions ",
            $rest
        )
    };
}

/// The session of that token, of whatever organization; the caller looks whether it still lives.
pub async fn find_by_token(store: &Store, fingerprint: &Fingerprint) -> Result<Option<Session>, StoreError> {
    let sql = select!("WHERE fingerprint = $1");
    store.fetch(sql, vec![(*fingerprint).into()]).await?.first().map(read).transpose()
}

/// A person's sessions, the newest first, the ended ones among them.
pub async fn list(
    store: &Store,
    organization: OrganizationId,
    user: UserId,
) -> Result<Vec<Session>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND user_id = $2 ORDER BY created_at DESC, id");
    let values = vec![organization.bytes().into(), user.bytes().into()];
    store.fetch(sql, values).await?.iter().map(read).collect()
}

/// One session of an organization, inside a transaction.
pub async fn load(
    tx: &mut Tx,
    organization: OrganizationId,
    id: SessionId,
) -> Result<Option<Session>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND id = $2");
    tx.fetch(sql, vec![organization.bytes().into(), id.bytes().into()]).await?.first().map(read).transpose()
}

/// Adds a session.
pub async fn insert(tx: &mut Tx, permit: &Permit, session: &Session) -> Result<(), StoreError> {
    let values = vec![
        session.id.bytes().into(),
        permit.organization_id().bytes().into(),
        session.user_id.bytes().into(),
        session.fingerprint.into(),
        session.created_at.micros().into(),
        session.seen_at.micros().into(),
        session.confirmed_at.micros().into(),
        i64::from(session.needs_code).into(),
        session.address.clone().into(),
        session.client.clone().into(),
    ];
    let sql = "INSERT INTO sessions (id, organization_id, user_id, fingerprint, created_at, seen_at, confirmed_at, \
               needs_code, address, client) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    tx.execute(sql, values).await.map(drop)
}

/// Writes that the person proved anew, at that time, that it is them.
pub async fn confirm(tx: &mut Tx, permit: &Permit, id: SessionId, now: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE sessions SET confirmed_at = $1 WHERE organization_id = $2 AND id = $3";
    let values = vec![now.micros().into(), permit.organization_id().bytes().into(), id.bytes().into()];
    tx.execute(sql, values).await.map(drop)
}

/// Notes that something was asked in a session. It never moves back.
pub async fn seen(store: &Store, id: SessionId, now: Timestamp) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    let sql = "UPDATE sessions SET seen_at = $1 WHERE id = $2 AND seen_at < $1";
    tx.execute(sql, vec![now.micros().into(), id.bytes().into()]).await?;
    tx.commit_plain().await
}

/// Ends one session.
pub async fn delete(tx: &mut Tx, permit: &Permit, id: SessionId) -> Result<(), StoreError> {
    let sql = "DELETE FROM sessions WHERE organization_id = $1 AND id = $2";
    tx.execute(sql, vec![permit.organization_id().bytes().into(), id.bytes().into()]).await.map(drop)
}

/// Ends a person's sessions, but not the one in which it is asked; answers how many.
pub async fn delete_of(
    tx: &mut Tx,
    permit: &Permit,
    user: UserId,
    but: Option<SessionId>,
) -> Result<u64, StoreError> {
    let but: Value = but.map_or([0; 16], |id| id.bytes()).into();
    let sql = "DELETE FROM sessions WHERE organization_id = $1 AND user_id = $2 AND id <> $3";
    tx.execute(sql, vec![permit.organization_id().bytes().into(), user.bytes().into(), but]).await
}

/// Takes away what has ended by its age.
pub async fn prune(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    let oldest = now.plus_seconds(LONGEST_SECONDS.saturating_neg());
    tx.execute("DELETE FROM sessions WHERE created_at < $1", vec![oldest.micros().into()]).await?;
    tx.commit_plain().await
}

fn read(row: &Row) -> Result<Session, StoreError> {
    Ok(Session {
        id: SessionId::from_bytes(row.id(0)?),
        organization_id: OrganizationId::from_bytes(row.id(1)?),
        user_id: UserId::from_bytes(row.id(2)?),
        fingerprint: row.array(3)?,
        created_at: Timestamp::from_micros(row.int(4)?),
        seen_at: Timestamp::from_micros(row.int(5)?),
        confirmed_at: Timestamp::from_micros(row.int(6)?),
        needs_code: row.int(7)? != 0,
        address: row.opt_text(8)?,
        client: row.opt_text(9)?,
    })
}
