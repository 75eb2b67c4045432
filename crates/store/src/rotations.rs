//! Managed rotations in the database: one that lives for each subject, out of which each node claims what is due.

use crate::db::{Row, Store, Tx, Value};
use crate::dialect::Made;
use crate::error::StoreError;
use crate::old_secrets::LATEST_CLOCK_SECONDS;
use crate::organizations::{read_json, write_json};
use louver_domain::access::Permit;
use louver_domain::id::{OrganizationId, RotationId, WorkspaceId};
use louver_domain::keys::PublicId;
use louver_domain::rotations::{OnOldUse, Plan, Rotation, State, Step, Subject};
use louver_domain::time::Timestamp;

/// How long a claimed rotation is left alone by others. A step must end well before that.
pub const LEASE_SECONDS: i64 = 180;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization_id, workspace_id, subject, subject_id, name, step, since, next_at, attempts, written, ",
            "verified_at, ends_at, looked, overlap_seconds, propagation_seconds, on_old_use, destinations, emergency, ",
            "started_by, created_at, old_public_id, new_public_id, last_error, sealed_old, sealed_new, workspace, observed_at ",
            "FROM rotations ",
            $rest
        )
    };
}

/// What has ended keeps no secret. What was written once stays written, and what was observed stays so, whatever was known
/// when the step began.
macro_rules! save {
    ($rest:literal) => {
        concat!(
            "UPDATE rotations SET step = $1, since = $2, next_at = $3, attempts = $4, ",
            "written = CASE WHEN written = 1 THEN 1 ELSE $5 END, verified_at = $6, ends_at = $7, looked = $8, ",
            "last_error = $9, live = $10, sealed_old = CASE WHEN $11 = 1 THEN sealed_old ELSE NULL END, ",
            "sealed_new = CASE WHEN $11 = 1 THEN sealed_new ELSE NULL END, observed_at = COALESCE(observed_at, $12) ",
            $rest
        )
    };
}

/// A rotation that this node, and no other, carries on now.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The rotation as it was.
    pub rotation: Rotation,
    /// The old secret, sealed.
    pub sealed_old: Option<Vec<u8>>,
    /// The new secret, sealed.
    pub sealed_new: Option<Vec<u8>>,
    /// Until when it is left alone by others: what tells this claim from a later one.
    until: Timestamp,
}

/// Which rotations a list shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    /// Of this subject, by the 16 bytes of its id.
    pub subject: Option<[u8; 16]>,
    /// Of keys in this workspace.
    pub workspace: Option<WorkspaceId>,
    /// At this step.
    pub step: Option<Step>,
    /// Only those that go on.
    pub live: bool,
    /// Begun before this one.
    pub after: Option<RotationId>,
}

/// The rotations of an organization, newest first; at most `limit`.
pub async fn list(
    store: &Store,
    organization: OrganizationId,
    filter: Filter,
    limit: u32,
) -> Result<Vec<Rotation>, StoreError> {
    let mut made = Made::new(store.dialect(), select!("WHERE "));
    made.is("organization_id = ", organization.bytes());
    if let Some(subject) = filter.subject {
        made.is(" AND subject_id = ", subject);
    }
    if let Some(workspace) = filter.workspace {
        made.is(" AND workspace_id = ", workspace.bytes());
    }
    if let Some(step) = filter.step {
        made.is(" AND step = ", step.as_str());
    }
    if filter.live {
        made.put(" AND live = 1");
    }
    if let Some(after) = filter.after {
        made.is(" AND id < ", after.bytes());
    }
    made.is(" ORDER BY id DESC LIMIT ", i64::from(limit));
    store.fetch_made(made.sql, made.values).await?.iter().map(read).collect()
}

/// One rotation of an organization.
pub async fn get(
    store: &Store,
    organization: OrganizationId,
    id: RotationId,
) -> Result<Option<Rotation>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND id = $2");
    let values = vec![organization.bytes().into(), id.bytes().into()];
    store.fetch(sql, values).await?.first().map(read).transpose()
}

/// One rotation of an organization inside a transaction, with whether the old secret is known.
pub async fn load(
    tx: &mut Tx,
    organization: OrganizationId,
    id: RotationId,
) -> Result<Option<(Rotation, bool)>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND id = $2");
    let rows = tx.fetch(sql, vec![organization.bytes().into(), id.bytes().into()]).await?;
    rows.first().map(|row| Ok((read(row)?, row.opt_bytes(24)?.is_some()))).transpose()
}

/// The rotation of a subject that goes on.
pub async fn live(tx: &mut Tx, subject: Subject) -> Result<Option<Rotation>, StoreError> {
    let sql = select!("WHERE subject_id = $1 AND live = 1");
    tx.fetch(sql, vec![subject.bytes().into()]).await?.first().map(read).transpose()
}

/// The rotations of an organization that go on, inside a transaction.
pub async fn load_live(tx: &mut Tx, organization: OrganizationId) -> Result<Vec<Rotation>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND live = 1");
    tx.fetch(sql, vec![organization.bytes().into()]).await?.iter().map(read).collect()
}

/// When the newest rotation of a subject that was called off ended.
pub async fn called_off_at(tx: &mut Tx, subject: Subject) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT MAX(since) FROM rotations WHERE subject_id = $1 AND step = 'cancelled'";
    let rows = tx.fetch(sql, vec![subject.bytes().into()]).await?;
    rows.first().map_or(Ok(None), |row| Ok(row.opt_int(0)?.map(Timestamp::from_micros)))
}

/// Begins a rotation; [`StoreError::Conflict`] when one of the same subject goes on.
pub async fn insert(tx: &mut Tx, permit: &Permit, rotation: &Rotation) -> Result<(), StoreError> {
    let Rotation { plan, state, .. } = rotation;
    let values: Vec<Value> = vec![
        rotation.id.bytes().into(),
        permit.organization_id().bytes().into(),
        rotation.workspace_id.map(|id| id.bytes()).into(),
        rotation.subject.kind().into(),
        rotation.subject.bytes().into(),
        rotation.name.clone().into(),
        state.step.as_str().into(),
        state.since.micros().into(),
        state.next_at.micros().into(),
        plan.overlap_seconds.into(),
        plan.propagation_seconds.into(),
        plan.on_old_use.as_str().into(),
        write_json(&plan.destinations)?.into(),
        rotation.emergency.into(),
        rotation.started_by.clone().into(),
        rotation.created_at.micros().into(),
        rotation.workspace.clone().into(),
    ];
    tx.execute(
        "INSERT INTO rotations (id, organization_id, workspace_id, subject, subject_id, name, live, step, since, next_at, \
         attempts, written, looked, overlap_seconds, propagation_seconds, on_old_use, destinations, emergency, \
         started_by, created_at, workspace) \
         VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, $9, 0, 0, 0, $10, $11, $12, $13, $14, $15, $16, $17)",
        values,
    )
    .await?;
    Ok(())
}

/// Claims the rotation that has been due for longest by the store's clock; its time is moved, so that no other node takes it
/// meanwhile, and that it is taken again if this one dies. `about` is the node's own time, of which nothing depends.
pub async fn claim(store: &Store, about: Timestamp) -> Result<Option<Claimed>, StoreError> {
    const DUE: &str = select!("WHERE live = 1 AND next_at <= $1 ORDER BY next_at, id LIMIT 1");
    // Most looks find nothing, not even by a clock that is quite late; they need no transaction.
    if store.fetch(DUE, vec![about.plus_seconds(LATEST_CLOCK_SECONDS).micros().into()]).await?.is_empty() {
        return Ok(None);
    }
    let now = store.now().await?;
    if store.fetch(DUE, vec![now.micros().into()]).await?.is_empty() {
        return Ok(None);
    }
    let mut tx = store.begin().await?;
    let rows = tx.fetch(DUE, vec![now.micros().into()]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let rotation = read(row)?;
    let until = now.plus_seconds(LEASE_SECONDS);
    // Another node may have claimed it since the look: then its time is another.
    let taken = tx
        .execute(
            "UPDATE rotations SET next_at = $1 WHERE id = $2 AND live = 1 AND next_at = $3",
            vec![until.micros().into(), rotation.id.bytes().into(), rotation.state.next_at.micros().into()],
        )
        .await?;
    tx.commit_plain().await?;
    let (sealed_old, sealed_new) = (row.opt_bytes(24)?, row.opt_bytes(25)?);
    Ok((taken == 1).then_some(Claimed { rotation, sealed_old, sealed_new, until }))
}

/// Notes of the rotations that go on when their new secret was first seen to be used. Answers of how many.
pub async fn observe(store: &Store) -> Result<u64, StoreError> {
    let seen = store
        .fetch(
            "SELECT r.id, k.secret_last_used_at FROM rotations AS r JOIN api_keys AS k ON k.public_id = r.new_public_id \
             WHERE r.live = 1 AND r.observed_at IS NULL AND k.secret_last_used_at IS NOT NULL \
             UNION ALL \
             SELECT r.id, k.secret_last_used_at FROM rotations AS r JOIN admin_keys AS k ON k.public_id = r.new_public_id \
             WHERE r.live = 1 AND r.observed_at IS NULL AND k.secret_last_used_at IS NOT NULL",
            vec![],
        )
        .await?;
    let mut noted = 0_u64;
    for row in &seen {
        let mut tx = store.begin().await?;
        let sql = "UPDATE rotations SET observed_at = $1 WHERE id = $2 AND observed_at IS NULL";
        noted = noted.saturating_add(tx.execute(sql, vec![row.int(1)?.into(), row.id(0)?.into()]).await?);
        tx.commit_plain().await?;
    }
    Ok(noted)
}

impl Claimed {
    /// Writes how it goes on, if nobody else has taken it or called it off meanwhile; false when somebody has.
    pub async fn save(&self, tx: &mut Tx, next: &State, error: Option<&str>) -> Result<bool, StoreError> {
        let written = tx
            .execute(
                save!("WHERE id = $13 AND live = 1 AND next_at = $14"),
                saved(next, error)
                    .into_iter()
                    .chain([self.rotation.id.bytes().into(), self.until.micros().into()])
                    .collect(),
            )
            .await?;
        Ok(written == 1)
    }

    /// The same in a transaction of its own, where nothing else changes.
    pub async fn note(&self, store: &Store, next: &State, error: Option<&str>) -> Result<bool, StoreError> {
        let mut tx = store.begin().await?;
        let saved = self.save(&mut tx, next, error).await?;
        tx.commit_plain().await?;
        Ok(saved)
    }

    /// Writes down the public ids of both secrets, and the new secret, sealed.
    pub async fn keep_new(
        &self,
        tx: &mut Tx,
        (old, new): (PublicId, PublicId),
        sealed: Vec<u8>,
    ) -> Result<(), StoreError> {
        tx.execute(
            "UPDATE rotations SET old_public_id = $1, new_public_id = $2, sealed_new = $3 WHERE id = $4",
            vec![
                old.as_str().into(),
                new.as_str().into(),
                Value::Bytes(Some(sealed)),
                self.rotation.id.bytes().into(),
            ],
        )
        .await?;
        Ok(())
    }

    /// Writes down the old secret, sealed, before anything is written over it.
    pub async fn keep_old(&self, store: &Store, sealed: Vec<u8>) -> Result<(), StoreError> {
        let mut tx = store.begin().await?;
        tx.execute(
            "UPDATE rotations SET sealed_old = $1 WHERE id = $2 AND next_at = $3",
            vec![Value::Bytes(Some(sealed)), self.rotation.id.bytes().into(), self.until.micros().into()],
        )
        .await?;
        tx.commit_plain().await
    }

    /// Notes that something may have been written to a destination from now on.
    pub async fn will_write(&self, store: &Store) -> Result<bool, StoreError> {
        let mut tx = store.begin().await?;
        let noted = tx
            .execute(
                "UPDATE rotations SET written = 1 WHERE id = $1 AND next_at = $2 AND live = 1",
                vec![self.rotation.id.bytes().into(), self.until.micros().into()],
            )
            .await?;
        tx.commit_plain().await?;
        Ok(noted == 1)
    }

    /// Erases the new secret: from here on nobody needs it.
    pub async fn forget_new(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "UPDATE rotations SET sealed_new = NULL WHERE id = $1";
        tx.execute(sql, vec![self.rotation.id.bytes().into()]).await?;
        Ok(())
    }
}

fn saved(next: &State, error: Option<&str>) -> Vec<Value> {
    let live = next.step.is_live();
    vec![
        next.step.as_str().into(),
        next.since.micros().into(),
        next.next_at.micros().into(),
        i64::from(next.attempts).into(),
        next.written.into(),
        next.verified_at.map(Timestamp::micros).into(),
        next.ends_at.map(Timestamp::micros).into(),
        next.looked.into(),
        error.map(str::to_owned).into(),
        live.then_some(1_i64).into(),
        i64::from(live).into(),
        next.observed_at.map(Timestamp::micros).into(),
    ]
}

/// Writes how a rotation goes on that a person changed, whoever carries it on: whoever does finds it changed.
pub async fn save(tx: &mut Tx, rotation: &Rotation, next: &State) -> Result<(), StoreError> {
    tx.execute(
        save!("WHERE id = $13"),
        saved(next, rotation.last_error.as_deref()).into_iter().chain([rotation.id.bytes().into()]).collect(),
    )
    .await?;
    Ok(())
}

fn read(row: &Row) -> Result<Rotation, StoreError> {
    let corrupt = || StoreError::Corrupt("a rotation".into());
    let time = |column| -> Result<Option<Timestamp>, StoreError> {
        Ok(row.opt_int(column)?.map(Timestamp::from_micros))
    };
    let public_id = |column| -> Result<Option<PublicId>, StoreError> {
        row.opt_text(column)?.map(|text| PublicId::parse(&text).ok_or_else(corrupt)).transpose()
    };
    Ok(Rotation {
        id: RotationId::from_bytes(row.id(0)?),
        organization_id: OrganizationId::from_bytes(row.id(1)?),
        workspace_id: row.opt_id(2)?.map(WorkspaceId::from_bytes),
        subject: Subject::read(&row.text(3)?, row.id(4)?).ok_or_else(corrupt)?,
        name: row.text(5)?,
        workspace: row.text(26)?,
        state: State {
            step: Step::parse(&row.text(6)?).ok_or_else(corrupt)?,
            since: Timestamp::from_micros(row.int(7)?),
            next_at: Timestamp::from_micros(row.int(8)?),
            attempts: u32::try_from(row.int(9)?).map_err(|_| corrupt())?,
            written: row.int(10)? != 0,
            verified_at: time(11)?,
            observed_at: time(27)?,
            ends_at: time(12)?,
            looked: row.int(13)? != 0,
        },
        plan: Plan {
            overlap_seconds: row.int(14)?,
            propagation_seconds: row.int(15)?,
            on_old_use: OnOldUse::parse(&row.text(16)?).ok_or_else(corrupt)?,
            destinations: read_json(&row.text(17)?)?,
        },
        emergency: row.int(18)? != 0,
        started_by: row.text(19)?,
        created_at: Timestamp::from_micros(row.int(20)?),
        old_public_id: public_id(21)?,
        new_public_id: public_id(22)?,
        last_error: row.opt_text(23)?,
    })
}
