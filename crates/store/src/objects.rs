//! The registry: which workspace owns each object that the provider keeps.
//!
//! One credential may serve many workspaces, so that the provider shows all of them each other's objects. An object is
//! written down before the provider is asked to make it, and exists for clients once its id is known here.

use crate::db::{Row, Store, Tx, Value};
use crate::error::StoreError;
use louver_domain::access::Permit;
use louver_domain::id::{KeyId, ObjectId, OrganizationId, UpstreamId, UserId, WorkspaceId};
use louver_domain::objects::{ObjectKind, ObjectState};
use louver_domain::time::Timestamp;

/// Whose an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The workspace: all of its keys may use the object.
    pub workspace_id: WorkspaceId,
    /// The key that made it, and that pays for it.
    pub key_id: KeyId,
    /// The person who owned that key, if one did.
    pub user_id: Option<UserId>,
}

/// An object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its id here; made in the order of time.
    pub id: ObjectId,
    /// Whose it is.
    pub owner: Owner,
    /// What it is.
    pub kind: ObjectKind,
    /// The provider's id; `None` while it is only intended.
    pub upstream_id: Option<String>,
    /// The provider's id of what it stands in: the library of a document; else empty.
    pub parent: String,
    /// The credential it was made with, and is asked for with; `None` is the one from the settings.
    pub credential_id: Option<UpstreamId>,
    /// The named upstream that keeps it; `None` is the first one.
    pub server: Option<String>,
    /// Where it is in its life.
    pub state: ObjectState,
    /// What must be known of it, as JSON; its shape is its kind's.
    pub attributes: String,
    /// Tokens that a model reads of it at most: what a conversation has grown to. Of a batch job, its lines.
    pub tokens: u64,
    /// When it was written down.
    pub created_at: Timestamp,
    /// When it last changed here.
    pub changed_at: Timestamp,
}

/// Where an object is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Shelf<'a> {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// What kind of objects.
    pub kind: ObjectKind,
    /// The provider's id of what they stand in; else empty.
    pub parent: &'a str,
}

/// A page of a shelf, newest first.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The objects.
    pub objects: Vec<Object>,
    /// How many there are on the shelf.
    pub total: u64,
}

/// Objects that no job has claimed are free; those whose job is done stay claimed for ever.
const DONE: i64 = i64::MAX;

/// When a row was changed: at that time, and in any case later than before. Whoever read it finds every change, also two
/// in one microsecond, and those of a clock that was set back.
macro_rules! later {
    ($at:literal) => {
        concat!("CASE WHEN changed_at < ", $at, " THEN ", $at, " ELSE changed_at + 1 END")
    };
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization_id, workspace_id, key_id, user_id, kind, upstream_id, parent, credential_id, ",
            "server, state, attributes, tokens, created_at, changed_at FROM objects ",
            $rest
        )
    };
}

/// Writes down an object that is to be made.
pub async fn intend(store: &Store, object: &Object) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    insert(&mut tx, object).await?;
    tx.commit_plain().await
}

/// Writes down a batch job that is to be made, if the jobs of its workspace that are not done have no more than `most`
/// lines with it; the lines of a job stand where other objects have tokens. False: they would have more.
pub async fn intend_within(store: &Store, job: &Object, most: u64) -> Result<bool, StoreError> {
    let workspace = job.owner.workspace_id.bytes();
    let mut tx = store.begin().await?;
    // Jobs that are made at the same time wait for each other here; SQLite has one writer anyway.
    let lock = tx.dialect().pick(
        "SELECT id FROM workspaces WHERE id = $1",
        "SELECT id FROM workspaces WHERE id = $1 FOR UPDATE",
    );
    tx.fetch(lock, vec![workspace.into()]).await?;
    insert(&mut tx, job).await?;
    let sql = "SELECT CAST(COALESCE(SUM(tokens), 0) AS BIGINT) FROM objects WHERE workspace_id = $1 AND kind = $2 \
               AND claimed_until < $3";
    let values: Vec<Value> = vec![workspace.into(), job.kind.as_str().into(), DONE.into()];
    let pending = tx.fetch(sql, values).await?.first().map_or(Ok(0), |row| row.count(0))?;
    if pending > most {
        return Ok(false);
    }
    tx.commit_plain().await?;
    Ok(true)
}

async fn insert(tx: &mut Tx, object: &Object) -> Result<(), StoreError> {
    let values: Vec<Value> = vec![
        object.id.bytes().into(),
        object.owner.organization_id.bytes().into(),
        object.owner.workspace_id.bytes().into(),
        object.owner.key_id.bytes().into(),
        object.owner.user_id.map(|id| id.bytes()).into(),
        object.kind.as_str().into(),
        object.upstream_id.clone().into(),
        object.parent.clone().into(),
        object.credential_id.map(|id| id.bytes()).into(),
        object.server.clone().into(),
        object.state.as_str().into(),
        object.attributes.clone().into(),
        object.tokens.into(),
        object.created_at.micros().into(),
    ];
    tx.execute(
        "INSERT INTO objects (id, organization_id, workspace_id, key_id, user_id, kind, upstream_id, parent, \
         credential_id, server, state, attributes, tokens, claimed_until, created_at, changed_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0, $14, $14)",
        values,
    )
    .await
    .map(|_| ())
}

/// The provider made it, and this is its id. False: it was not intended, or another object has that id.
pub async fn confirm(
    store: &Store,
    id: ObjectId,
    upstream_id: &str,
    attributes: &str,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let values: Vec<Value> =
        vec![upstream_id.into(), attributes.into(), at.micros().into(), id.bytes().into()];
    let sql = concat!(
        "UPDATE objects SET upstream_id = $1, attributes = $2, state = 'live', changed_at = ",
        later!("$3"),
        " WHERE id = $4 AND state = 'intended'"
    );
    change(store, sql, values).await
}

/// Whoever was to make it refused: it never was.
pub async fn withdraw(store: &Store, id: ObjectId) -> Result<(), StoreError> {
    let sql = "DELETE FROM objects WHERE id = $1 AND state = 'intended'";
    change(store, sql, vec![id.bytes().into()]).await.map(|_| ())
}

/// Writes what is known of an object, if nobody has changed it since it was read. False: somebody has.
pub async fn describe(
    store: &Store,
    object: &Object,
    attributes: &str,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let values: Vec<Value> = vec![
        attributes.into(),
        at.micros().into(),
        object.id.bytes().into(),
        object.changed_at.micros().into(),
    ];
    let sql = concat!(
        "UPDATE objects SET attributes = $1, changed_at = ",
        later!("$2"),
        " WHERE id = $3 AND changed_at = $4"
    );
    change(store, sql, values).await
}

/// It is deleted. The row stays, for what is still to be billed.
pub async fn delete(store: &Store, id: ObjectId, at: Timestamp) -> Result<bool, StoreError> {
    let sql = concat!(
        "UPDATE objects SET state = 'deleted', changed_at = ",
        later!("$1"),
        " WHERE id = $2 AND state <> 'deleted'"
    );
    change(store, sql, vec![at.micros().into(), id.bytes().into()]).await
}

/// Everything that stands in an object is deleted with it.
pub async fn delete_within(
    store: &Store,
    organization: OrganizationId,
    kind: ObjectKind,
    parent: &str,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let sql = concat!(
        "UPDATE objects SET state = 'deleted', changed_at = ",
        later!("$1"),
        " WHERE organization_id = $2 AND kind = $3 AND parent = $4 AND state <> 'deleted'"
    );
    let values: Vec<Value> =
        vec![at.micros().into(), organization.bytes().into(), kind.as_str().into(), parent.into()];
    change(store, sql, values).await
}

async fn change(store: &Store, sql: &'static str, values: Vec<Value>) -> Result<bool, StoreError> {
    let mut tx = store.begin().await?;
    let changed = tx.execute(sql, values).await? > 0;
    tx.commit_plain().await?;
    Ok(changed)
}

/// A live object on a shelf; one that is unknown, deleted, or another workspace's is not there.
pub async fn find(store: &Store, shelf: Shelf<'_>, upstream_id: &str) -> Result<Option<Object>, StoreError> {
    let sql = select!(
        "WHERE organization_id = $1 AND kind = $2 AND parent = $3 AND upstream_id = $4 AND workspace_id = $5 \
         AND state = 'live'"
    );
    let values: Vec<Value> = vec![
        shelf.organization_id.bytes().into(),
        shelf.kind.as_str().into(),
        shelf.parent.into(),
        upstream_id.into(),
        shelf.workspace_id.bytes().into(),
    ];
    store.fetch(sql, values).await?.first().map(read).transpose()
}

/// The live objects of a shelf, newest first.
pub async fn list(store: &Store, shelf: Shelf<'_>, skip: u64, most: u64) -> Result<Page, StoreError> {
    let place = || -> Vec<Value> {
        vec![
            shelf.workspace_id.bytes().into(),
            shelf.kind.as_str().into(),
            shelf.parent.into(),
            shelf.organization_id.bytes().into(),
        ]
    };
    let sql = "SELECT COUNT(*) FROM objects WHERE workspace_id = $1 AND kind = $2 AND parent = $3 \
               AND organization_id = $4 AND state = 'live'";
    let total = store.fetch(sql, place()).await?.first().map_or(Ok(0), |row| row.count(0))?;
    let sql = select!(
        "WHERE workspace_id = $1 AND kind = $2 AND parent = $3 AND organization_id = $4 AND state = 'live' \
         ORDER BY id DESC LIMIT $5 OFFSET $6"
    );
    let values = place().into_iter().chain([most.into(), skip.into()]).collect();
    let objects = store.fetch(sql, values).await?.iter().map(read).collect::<Result<_, _>>()?;
    Ok(Page { objects, total })
}

/// Adds to what an object has grown to, and answers the sum; never below nothing.
pub async fn add_tokens(store: &Store, id: ObjectId, more: i64) -> Result<u64, StoreError> {
    let mut tx = store.begin().await?;
    let sql =
        "UPDATE objects SET tokens = CASE WHEN tokens + $1 < 0 THEN 0 ELSE tokens + $1 END WHERE id = $2";
    tx.execute(sql, vec![more.into(), id.bytes().into()]).await?;
    let rows = tx.fetch("SELECT tokens FROM objects WHERE id = $1", vec![id.bytes().into()]).await?;
    let tokens = rows.first().map_or(Ok(0), |row| row.count(0))?;
    tx.commit_plain().await?;
    Ok(tokens)
}

/// Claims objects of a kind, in any state, whose job is not done and that no other node works on until `until`.
pub async fn claim(
    store: &Store,
    kind: ObjectKind,
    now: Timestamp,
    until: Timestamp,
    most: u64,
) -> Result<Vec<Object>, StoreError> {
    let sql = select!("WHERE kind = $1 AND claimed_until <= $2 ORDER BY claimed_until, id LIMIT $3");
    let values: Vec<Value> = vec![kind.as_str().into(), now.micros().into(), most.into()];
    let mut claimed = Vec::new();
    for row in &store.fetch(sql, values).await? {
        let object = read(row)?;
        let sql = "UPDATE objects SET claimed_until = $1 WHERE id = $2 AND claimed_until <= $3";
        let values: Vec<Value> = vec![until.micros().into(), object.id.bytes().into(), now.micros().into()];
        if change(store, sql, values).await? {
            claimed.push(object);
        }
    }
    Ok(claimed)
}

/// The objects of a kind, in any state, whose job is not done.
pub async fn unsettled(store: &Store, kind: ObjectKind) -> Result<Vec<Object>, StoreError> {
    let sql = select!("WHERE kind = $1 AND claimed_until < $2 ORDER BY id");
    store.fetch(sql, vec![kind.as_str().into(), DONE.into()]).await?.iter().map(read).collect()
}

/// Says when a claimed object is to be looked at again; `None` is never: its job is done.
pub async fn put_back(store: &Store, id: ObjectId, next: Option<Timestamp>) -> Result<(), StoreError> {
    let next = next.map_or(DONE, Timestamp::micros);
    let sql = "UPDATE objects SET claimed_until = $1 WHERE id = $2";
    change(store, sql, vec![next.into(), id.bytes().into()]).await.map(|_| ())
}

/// The job of a claimed object is done, if nothing has changed it since it was claimed. Answers whether that is so.
pub async fn finish(store: &Store, object: &Object) -> Result<bool, StoreError> {
    let sql = "UPDATE objects SET claimed_until = $1 WHERE id = $2 AND changed_at = $3";
    let values: Vec<Value> = vec![DONE.into(), object.id.bytes().into(), object.changed_at.micros().into()];
    change(store, sql, values).await
}

/// Which objects of an organization are listed; `None` does not narrow.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    /// Of one workspace.
    pub workspace: Option<WorkspaceId>,
    /// Of one kind.
    pub kind: Option<ObjectKind>,
    /// In one state.
    pub state: Option<ObjectState>,
    /// Older than that one.
    pub after: Option<ObjectId>,
}

/// Objects of an organization in whatever state, newest first, at most `limit`.
pub async fn list_all(
    store: &Store,
    organization: OrganizationId,
    filter: Filter,
    limit: u32,
) -> Result<Vec<Object>, StoreError> {
    let sql = select!(
        "WHERE organization_id = $1 AND (workspace_id = $2 OR $3 = 0) AND (kind = $4 OR $4 = '') \
         AND (state = $5 OR $5 = '') AND (id < $6 OR $7 = 0) ORDER BY id DESC LIMIT $8"
    );
    let values: Vec<Value> = vec![
        organization.bytes().into(),
        filter.workspace.map(|id| id.bytes()).unwrap_or_default().into(),
        filter.workspace.is_some().into(),
        filter.kind.map_or("", ObjectKind::as_str).into(),
        filter.state.map_or("", ObjectState::as_str).into(),
        filter.after.map(|id| id.bytes()).unwrap_or_default().into(),
        filter.after.is_some().into(),
        i64::from(limit).into(),
    ];
    store.fetch(sql, values).await?.iter().map(read).collect()
}

/// One object of an organization, inside a transaction.
pub async fn load(
    tx: &mut Tx,
    organization: OrganizationId,
    id: ObjectId,
) -> Result<Option<Object>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND id = $2");
    tx.fetch(sql, vec![organization.bytes().into(), id.bytes().into()]).await?.first().map(read).transpose()
}

/// The object of that kind and provider's id, whosever it is and in whatever state, inside a transaction.
pub async fn load_by_upstream_id(
    tx: &mut Tx,
    organization: OrganizationId,
    kind: ObjectKind,
    upstream_id: &str,
) -> Result<Option<Object>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND kind = $2 AND parent = '' AND upstream_id = $3");
    let values = vec![organization.bytes().into(), kind.as_str().into(), upstream_id.into()];
    tx.fetch(sql, values).await?.first().map(read).transpose()
}

/// Writes down an object that the provider keeps already, inside the transaction of that deed.
pub async fn adopt(tx: &mut Tx, _permit: &Permit, object: &Object) -> Result<(), StoreError> {
    insert(tx, object).await
}

/// Gives an object that belonged to nobody any more to an owner.
pub async fn adopt_again(tx: &mut Tx, _permit: &Permit, object: &Object) -> Result<(), StoreError> {
    let values: Vec<Value> = vec![
        object.owner.workspace_id.bytes().into(),
        object.owner.key_id.bytes().into(),
        object.owner.user_id.map(|id| id.bytes()).into(),
        object.credential_id.map(|id| id.bytes()).into(),
        object.changed_at.micros().into(),
        object.id.bytes().into(),
    ];
    let sql = concat!(
        "UPDATE objects SET workspace_id = $1, key_id = $2, user_id = $3, credential_id = $4, state = 'live', \
         changed_at = ",
        later!("$5"),
        " WHERE id = $6 AND state = 'deleted'"
    );
    tx.execute(sql, values).await.map(|_| ())
}

/// An object belongs to nobody any more, inside the transaction of that deed. The row stays, for what is to be billed.
pub async fn release(tx: &mut Tx, _permit: &Permit, id: ObjectId, at: Timestamp) -> Result<(), StoreError> {
    let sql = concat!("UPDATE objects SET state = 'deleted', changed_at = ", later!("$1"), " WHERE id = $2");
    tx.execute(sql, vec![at.micros().into(), id.bytes().into()]).await.map(|_| ())
}

fn read(row: &Row) -> Result<Object, StoreError> {
    let corrupt = |what: &str| StoreError::Corrupt(format!("the {what} of an object"));
    Ok(Object {
        id: ObjectId::from_bytes(row.id(0)?),
        owner: Owner {
            organization_id: OrganizationId::from_bytes(row.id(1)?),
            workspace_id: WorkspaceId::from_bytes(row.id(2)?),
            key_id: KeyId::from_bytes(row.id(3)?),
            user_id: row.opt_id(4)?.map(UserId::from_bytes),
        },
        kind: ObjectKind::parse(&row.text(5)?).ok_or_else(|| corrupt("kind"))?,
        upstream_id: row.opt_text(6)?,
        parent: row.text(7)?,
        credential_id: row.opt_id(8)?.map(UpstreamId::from_bytes),
        server: row.opt_text(9)?,
        state: ObjectState::parse(&row.text(10)?).ok_or_else(|| corrupt("state"))?,
        attributes: row.text(11)?,
        tokens: row.count(12)?,
        created_at: Timestamp::from_micros(row.int(13)?),
        changed_at: Timestamp::from_micros(row.int(14)?),
    })
}
