//! The secrets of keys in the database: the current one in the key's own row, old ones that still work beside it.

use crate::db::{Row, Store, Tx, Value};
use crate::error::StoreError;
use crate::revision;
use louver_domain::access::Permit;
use louver_domain::id::{AdminKeyId, KeyId, OrganizationId, WorkspaceId};
use louver_domain::keys::{Fingerprint, PublicId};
use louver_domain::old_secrets::{Fate, LastUse, OldSecret};
use louver_domain::time::Timestamp;

/// Whose secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Of {
    /// An API key's.
    Api(KeyId),
    /// An admin key's.
    Admin(AdminKeyId),
}

impl Of {
    const fn bytes(self) -> [u8; 16] {
        match self {
            Self::Api(id) => id.bytes(),
            Self::Admin(id) => id.bytes(),
        }
    }
}

/// One statement over the table of the key.
macro_rules! over {
    ($of:expr, $before:literal, $after:literal) => {
        match $of {
            Of::Api(_) => concat!($before, "api_keys", $after),
            Of::Admin(_) => concat!($before, "admin_keys", $after),
        }
    };
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT public_id, fingerprint, last_four, created_at, retires_at, last_used_at, last_used_address, ",
            "last_used_client, key_id FROM old_secrets ",
            $rest
        )
    };
}

/// How late a node's clock may be against the store's.
pub(crate) const LATEST_CLOCK_SECONDS: i64 = 3_600;

/// A secret that a key gets.
#[derive(Clone, Debug)]
pub struct Fresh {
    /// What it is found by.
    pub public_id: PublicId,
    /// What it is compared with.
    pub fingerprint: Fingerprint,
    /// Its last four characters.
    pub last_four: String,
}

/// All old secrets of API keys, whose deadlines the reader looks at.
pub(crate) async fn all(tx: &mut Tx) -> Result<Vec<(KeyId, OldSecret)>, StoreError> {
    let rows = tx.fetch(select!("WHERE kind = 'api'"), vec![]).await?;
    rows.iter().map(|row| Ok((KeyId::from_bytes(row.id(8)?), read(row)?))).collect()
}

/// The old secret of that public id, with the API key it belongs to.
pub async fn find(store: &Store, public_id: PublicId) -> Result<Option<(KeyId, OldSecret)>, StoreError> {
    let rows = store
        .fetch(select!("WHERE public_id = $1 AND kind = 'api'"), vec![public_id.as_str().into()])
        .await?;
    rows.first().map(|row| Ok((KeyId::from_bytes(row.id(8)?), read(row)?))).transpose()
}

/// The old secret of that public id, with the admin key it belongs to.
pub async fn find_admin(
    store: &Store,
    public_id: PublicId,
) -> Result<Option<(AdminKeyId, OldSecret)>, StoreError> {
    let sql = select!("WHERE public_id = $1 AND kind = 'admin'");
    let rows = store.fetch(sql, vec![public_id.as_str().into()]).await?;
    rows.first().map(|row| Ok((AdminKeyId::from_bytes(row.id(8)?), read(row)?))).transpose()
}

const CURRENT: [&str; 2] = [
    "SELECT public_id, fingerprint, last_four, COALESCE(secret_created_at, created_at), expires_at, \
     secret_last_used_at, last_used_address, last_used_client FROM api_keys \
     WHERE organization_id = $1 AND id = $2",
    "SELECT public_id, fingerprint, last_four, COALESCE(secret_created_at, created_at), expires_at, \
     secret_last_used_at, last_used_address, last_used_client FROM admin_keys \
     WHERE organization_id = $1 AND id = $2",
];
const OLD: &str = select!("WHERE organization_id = $1 AND key_id = $2 ORDER BY created_at DESC, public_id");

const fn current(of: Of) -> &'static str {
    let [api, admin] = CURRENT;
    match of {
        Of::Api(_) => api,
        Of::Admin(_) => admin,
    }
}

/// The secrets of a key: the current one, with the key's own end as its deadline, and the old ones, newest first.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// The current one.
    pub current: OldSecret,
    /// Those before it.
    pub old: Vec<OldSecret>,
}

/// The secrets of a key of an organization.
pub async fn list(
    store: &Store,
    organization: OrganizationId,
    of: Of,
) -> Result<Option<Secrets>, StoreError> {
    let values = || -> Vec<Value> { vec![organization.bytes().into(), of.bytes().into()] };
    let current = store.fetch(current(of), values()).await?;
    let Some(current) = current.first().map(read).transpose()? else { return Ok(None) };
    let old = store.fetch(OLD, values()).await?.iter().map(read).collect::<Result<_, _>>()?;
    Ok(Some(Secrets { current, old }))
}

/// The same inside a transaction.
pub async fn load(tx: &mut Tx, organization: OrganizationId, of: Of) -> Result<Option<Secrets>, StoreError> {
    let values = || -> Vec<Value> { vec![organization.bytes().into(), of.bytes().into()] };
    let current = tx.fetch(current(of), values()).await?;
    let Some(current) = current.first().map(read).transpose()? else { return Ok(None) };
    let old = tx.fetch(OLD, values()).await?.iter().map(read).collect::<Result<_, _>>()?;
    Ok(Some(Secrets { current, old }))
}

/// Gives a key a new secret, made at `at`, and the ones before it their fate. A deadline never moves to later.
pub async fn replace(
    tx: &mut Tx,
    permit: &Permit,
    of: Of,
    fresh: &Fresh,
    fate: Fate,
    at: Timestamp,
) -> Result<(), StoreError> {
    match fate {
        Fate::Retired => retire_all(tx, permit, of).await?,
        Fate::Until(end) => {
            hasten(tx, permit, of, end).await?;
            keep(tx, permit, of, Some(end)).await?;
        }
        Fate::UntilTold => keep(tx, permit, of, None).await?,
    }
    let changed = tx
        .execute(
            over!(
                of,
                "UPDATE ",
                " SET public_id = $1, fingerprint = $2, last_four = $3, secret_created_at = $4, \
                 secret_last_used_at = NULL, last_used_address = NULL, last_used_client = NULL \
                 WHERE organization_id = $5 AND id = $6"
            ),
            vec![
                fresh.public_id.as_str().into(),
                fresh.fingerprint.into(),
                fresh.last_four.clone().into(),
                at.micros().into(),
                permit.organization_id().bytes().into(),
                of.bytes().into(),
            ],
        )
        .await?;
    if changed == 1 { Ok(()) } else { Err(StoreError::Conflict) }
}

/// Puts the current secret among the old ones.
async fn keep(tx: &mut Tx, permit: &Permit, of: Of, end: Option<Timestamp>) -> Result<(), StoreError> {
    let kind = match of {
        Of::Api(_) => "api",
        Of::Admin(_) => "admin",
    };
    tx.execute(
        over!(
            of,
            "INSERT INTO old_secrets (public_id, kind, organization_id, key_id, fingerprint, last_four, created_at, \
             retires_at, last_used_at, last_used_address, last_used_client) \
             SELECT public_id, $1, organization_id, id, fingerprint, last_four, \
             COALESCE(secret_created_at, created_at), $2, secret_last_used_at, last_used_address, last_used_client \
             FROM ",
            " WHERE organization_id = $3 AND id = $4"
        ),
        vec![
            kind.into(),
            end.map(Timestamp::micros).into(),
            permit.organization_id().bytes().into(),
            of.bytes().into(),
        ],
    )
    .await?;
    Ok(())
}

async fn hasten(tx: &mut Tx, permit: &Permit, of: Of, end: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE old_secrets SET retires_at = $1 WHERE organization_id = $2 AND key_id = $3 \
         AND (retires_at IS NULL OR retires_at > $1)",
        vec![end.micros().into(), permit.organization_id().bytes().into(), of.bytes().into()],
    )
    .await?;
    Ok(())
}

/// Says until when an old secret works, whatever was said before; a secret that is retired stays so.
pub async fn set_deadline(
    tx: &mut Tx,
    permit: &Permit,
    public_id: PublicId,
    end: Option<Timestamp>,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE old_secrets SET retires_at = $1 WHERE organization_id = $2 AND public_id = $3",
        vec![
            end.map(Timestamp::micros).into(),
            permit.organization_id().bytes().into(),
            public_id.as_str().into(),
        ],
    )
    .await?;
    Ok(())
}

/// Makes an old secret the current one again; the one that was current is refused from now on. Answers whether the old one
/// was still there.
pub async fn restore(tx: &mut Tx, permit: &Permit, of: Of, public_id: PublicId) -> Result<bool, StoreError> {
    let rows = tx
        .fetch(
            select!("WHERE organization_id = $1 AND key_id = $2 AND public_id = $3"),
            vec![permit.organization_id().bytes().into(), of.bytes().into(), public_id.as_str().into()],
        )
        .await?;
    let Some(old) = rows.first().map(read).transpose()? else { return Ok(false) };
    retire(tx, permit, public_id).await?;
    tx.execute(
        over!(
            of,
            "UPDATE ",
            " SET public_id = $1, fingerprint = $2, last_four = $3, secret_created_at = $4, \
             secret_last_used_at = $5, last_used_address = $6, last_used_client = $7 \
             WHERE organization_id = $8 AND id = $9"
        ),
        vec![
            old.public_id.as_str().into(),
            old.fingerprint.into(),
            old.last_four.into(),
            old.created_at.micros().into(),
            old.used.as_ref().map(|used| used.at.micros()).into(),
            old.used.as_ref().and_then(|used| used.address.clone()).into(),
            old.used.as_ref().and_then(|used| used.client.clone()).into(),
            permit.organization_id().bytes().into(),
            of.bytes().into(),
        ],
    )
    .await?;
    Ok(true)
}

/// Ends one old secret.
pub async fn retire(tx: &mut Tx, permit: &Permit, public_id: PublicId) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM old_secrets WHERE organization_id = $1 AND public_id = $2",
        vec![permit.organization_id().bytes().into(), public_id.as_str().into()],
    )
    .await?;
    Ok(())
}

/// Ends all old secrets of a key.
pub async fn retire_all(tx: &mut Tx, permit: &Permit, of: Of) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM old_secrets WHERE organization_id = $1 AND key_id = $2",
        vec![permit.organization_id().bytes().into(), of.bytes().into()],
    )
    .await?;
    Ok(())
}

/// Ends the old secrets whose time has come by the store's clock, so that a node whose own clock is late learns of it with
/// the next rules. `about` is the node's own time. Answers how many.
pub async fn sweep(store: &Store, about: Timestamp) -> Result<u64, StoreError> {
    const DUE: &str = "SELECT COUNT(*) FROM old_secrets WHERE retires_at <= $1";
    // Most looks find nothing, not even by a clock that is quite late; they need no transaction.
    let none = store.fetch(DUE, vec![about.plus_seconds(LATEST_CLOCK_SECONDS).micros().into()]).await?;
    if none.first().map_or(Ok(0), |row| row.int(0))? == 0 {
        return Ok(0);
    }
    let mut tx = store.begin_read().await?;
    let now = tx.now().await?.micros();
    let due = tx.fetch(DUE, vec![now.into()]).await?;
    drop(tx);
    if due.first().map_or(Ok(0), |row| row.int(0))? == 0 {
        return Ok(0);
    }
    let mut tx = store.begin().await?;
    // The lock of all deeds first, as they take it.
    let revision = revision::bump(&mut tx).await?;
    let gone = tx.execute("DELETE FROM old_secrets WHERE retires_at <= $1", vec![now.into()]).await?;
    tx.commit_revision(revision).await?;
    Ok(gone)
}

/// A use of one secret that is to be written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The key.
    pub key: Of,
    /// The secret.
    pub public_id: PublicId,
    /// When, from where and by whom.
    pub last: LastUse,
}

/// Uses that are written down in one transaction: others wait for it.
const WRITTEN_AT_ONCE: usize = 500;

/// Writes when secrets were last used; a time never goes back. All nodes write in one order, so that none waits for another
/// that waits for it.
pub async fn save_last_used(store: &Store, used: &[Use]) -> Result<(), StoreError> {
    let mut used: Vec<&Use> = used.iter().collect();
    used.sort_by_key(|one| (one.key.bytes(), one.public_id.as_str()));
    for some in used.chunks(WRITTEN_AT_ONCE) {
        let mut tx = store.begin().await?;
        for one in some {
            save_one(&mut tx, one).await?;
        }
        tx.commit_plain().await?;
    }
    Ok(())
}

async fn save_one(tx: &mut Tx, one: &Use) -> Result<(), StoreError> {
    let at = one.last.at.micros();
    if let Of::Api(key) = one.key {
        tx.execute(
            "UPDATE api_keys SET last_used_at = $1 WHERE id = $2 AND COALESCE(last_used_at, 0) < $1",
            vec![at.into(), key.bytes().into()],
        )
        .await?;
    }
    let values = || -> Vec<Value> {
        vec![
            at.into(),
            one.last.address.clone().into(),
            one.last.client.clone().into(),
            one.public_id.as_str().into(),
        ]
    };
    let written = tx
        .execute(
            over!(
                one.key,
                "UPDATE ",
                " SET secret_last_used_at = $1, last_used_address = $2, last_used_client = $3 \
                 WHERE public_id = $4 AND COALESCE(secret_last_used_at, 0) < $1"
            ),
            values(),
        )
        .await?;
    if written == 0 {
        let sql = "UPDATE old_secrets SET last_used_at = $1, last_used_address = $2, last_used_client = $3 \
                   WHERE public_id = $4 AND COALESCE(last_used_at, 0) < $1";
        tx.execute(sql, values()).await?;
    }
    Ok(())
}

fn read(row: &Row) -> Result<OldSecret, StoreError> {
    let corrupt = || StoreError::Corrupt("the public id of a secret".into());
    let (address, client) = (row.opt_text(6)?, row.opt_text(7)?);
    let last = |at| LastUse { at: Timestamp::from_micros(at), address, client };
    Ok(OldSecret {
        public_id: PublicId::parse(&row.text(0)?).ok_or_else(corrupt)?,
        fingerprint: row.array(1)?,
        last_four: row.text(2)?,
        created_at: Timestamp::from_micros(row.int(3)?),
        retires_at: row.opt_int(4)?.map(Timestamp::from_micros),
        used: row.opt_int(5)?.map(last),
    })
}

/// An API key that is active, with how old its secret is.
#[derive(Clone, Debug)]
pub struct Aged {
    /// The key.
    pub key: KeyId,
    /// Its organization.
    pub organization_id: OrganizationId,
    /// Its workspace.
    pub workspace_id: WorkspaceId,
    /// Its name.
    pub name: String,
    /// When its secret was made.
    pub made: Timestamp,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
}

/// The active keys of all organizations, but for baits, whose secrets were made at `at` or before, in the order of ids, after that one.
pub async fn aged(
    store: &Store,
    at: Timestamp,
    after: Option<KeyId>,
    limit: u32,
) -> Result<Vec<Aged>, StoreError> {
    let rows = store
        .fetch(
            "SELECT id, organization_id, workspace_id, name, COALESCE(secret_created_at, created_at), expires_at \
             FROM api_keys WHERE status = 'active' AND canary = 0 AND COALESCE(secret_created_at, created_at) <= $1 AND id > $2 \
             ORDER BY id LIMIT $3",
            vec![
                at.micros().into(),
                after.map(|id| id.bytes()).unwrap_or_default().into(),
                i64::from(limit).into(),
            ],
        )
        .await?;
    let each = |row: &Row| {
        Ok(Aged {
            key: KeyId::from_bytes(row.id(0)?),
            organization_id: OrganizationId::from_bytes(row.id(1)?),
            workspace_id: WorkspaceId::from_bytes(row.id(2)?),
            name: row.text(3)?,
            made: Timestamp::from_micros(row.int(4)?),
            expires_at: row.opt_int(5)?.map(Timestamp::from_micros),
        })
    };
    rows.iter().map(each).collect()
}
