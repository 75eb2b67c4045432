//! Whether the audit log is what was written: each chain is walked from its start or its cut to its end.

use super::{columns, found};
use crate::db::{Row, Store, Tx};
use crate::error::StoreError;
use louver_domain::audit::chain::{Fault, Hash, Walk, Walked};
use louver_domain::audit::checkpoint::{Checkpoint, PublicKey, Signature, Signed, Word};
use louver_domain::id::OrganizationId;
use louver_domain::time::Timestamp;
use std::collections::BTreeSet;

/// Records of one query.
const PAGE: i64 = 1000;

/// What was found of one organization's chain.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Whose chain.
    pub organization_id: OrganizationId,
    /// The place after which it begins: 0, or that of the cut.
    pub begins_after: u64,
    /// The newest checkpoint that the database holds, if its signature is good.
    pub checkpoint: Option<Checkpoint>,
    /// The walk.
    pub walked: Walked,
}

/// Walks every chain. `outside` are checkpoints that were kept where nobody who can write to the database could change them.
pub async fn verify(store: &Store, key: &PublicKey, outside: &[Signed]) -> Result<Vec<Verdict>, StoreError> {
    let mut organizations: BTreeSet<OrganizationId> =
        outside.iter().map(|signed| signed.checkpoint.organization_id).collect();
    let sql = "SELECT organization_id FROM audit_heads UNION SELECT organization_id FROM audit_checkpoints \
               UNION SELECT organization_id FROM audit_cuts UNION SELECT organization_id FROM audit_events";
    for row in store.fetch(sql, vec![]).await? {
        organizations.insert(OrganizationId::from_bytes(row.id(0)?));
    }
    let mut verdicts = Vec::new();
    for organization in organizations {
        let own = outside.iter().filter(|signed| signed.checkpoint.organization_id == organization);
        verdicts.push(of_one(store, organization, key, own.copied().collect()).await?);
    }
    Ok(verdicts)
}

async fn of_one(
    store: &Store,
    organization: OrganizationId,
    key: &PublicKey,
    outside: Vec<Signed>,
) -> Result<Verdict, StoreError> {
    // Everything is read in one state, so that a log that grows meanwhile is no fault.
    let mut tx = store.begin_read().await?;
    let mut bad = Vec::new();
    let cuts = signed(&mut tx, CUTS, organization, key, Word::Cut, &mut bad).await?;
    let mut checkpoints = signed(&mut tx, CHECKPOINTS, organization, key, Word::Checkpoint, &mut bad).await?;
    let newest = checkpoints.last().copied();
    for one in outside {
        match key.accepts(Word::Checkpoint, &one) {
            true => checkpoints.push(one.checkpoint),
            false => bad.push((one.checkpoint.place, "a checkpoint that was kept outside")),
        }
    }
    let (begins_after, hash) = cuts.last().map_or((0, Hash::START), |cut| (cut.place, cut.hash));
    let mut walk = Walk::from(begins_after, hash, checkpoints);
    for (place, what) in bad {
        walk.tell(Fault::BadSignature, place, None, format!("{what} is not signed with the key"));
    }
    before(&mut tx, organization, begins_after, &mut walk).await?;
    along(&mut tx, organization, begins_after, &mut walk).await?;
    let end = end(&mut tx, organization).await?;
    Ok(Verdict { organization_id: organization, begins_after, checkpoint: newest, walked: walk.finish(end) })
}

const CUTS: &str =
    "SELECT place, hash, at, signature FROM audit_cuts WHERE organization_id = $1 ORDER BY place";
const CHECKPOINTS: &str =
    "SELECT place, hash, at, signature FROM audit_checkpoints WHERE organization_id = $1 ORDER BY place";

/// The checkpoints or cuts whose signatures are good, by place; the others are told.
async fn signed(
    tx: &mut Tx,
    sql: &'static str,
    organization_id: OrganizationId,
    key: &PublicKey,
    word: Word,
    bad: &mut Vec<(u64, &'static str)>,
) -> Result<Vec<Checkpoint>, StoreError> {
    let what = match word {
        Word::Checkpoint => "a checkpoint",
        Word::Cut => "a cut",
    };
    let mut good = Vec::new();
    for row in tx.fetch(sql, vec![organization_id.bytes().into()]).await? {
        let place = u64::try_from(row.int(0)?).unwrap_or(0);
        match read(organization_id, &row).filter(|signed| key.accepts(word, signed)) {
            Some(signed) => good.push(signed.checkpoint),
            None => bad.push((place, what)),
        }
    }
    Ok(good)
}

/// A row that somebody may have changed into what no checkpoint is.
fn read(organization_id: OrganizationId, row: &Row) -> Option<Signed> {
    let checkpoint = Checkpoint {
        organization_id,
        place: row.count(0).ok()?,
        hash: Hash::from_bytes(row.array(1).ok()?),
        at: Timestamp::from_micros(row.int(2).ok()?),
    };
    Some(Signed { checkpoint, signature: Signature::from_bytes(row.array(3).ok()?) })
}

/// Nothing may stand before the beginning.
async fn before(
    tx: &mut Tx,
    organization: OrganizationId,
    begins_after: u64,
    walk: &mut Walk,
) -> Result<(), StoreError> {
    let sql = "SELECT COUNT(*), COALESCE(MIN(place), 0) FROM audit_events WHERE organization_id = $1 AND place <= $2";
    let rows = tx.fetch(sql, vec![organization.bytes().into(), begins_after.into()]).await?;
    let Some(row) = rows.first() else { return Ok(()) };
    let (number, first) = (row.int(0)?, u64::try_from(row.int(1)?).unwrap_or(0));
    if number > 0 {
        let message = format!(
            "{number} records stand before the beginning of the chain, which is after place {begins_after}"
        );
        walk.tell(Fault::Added, first, None, message);
    }
    Ok(())
}

async fn along(
    tx: &mut Tx,
    organization: OrganizationId,
    begins_after: u64,
    walk: &mut Walk,
) -> Result<(), StoreError> {
    let sql = concat!(
        "SELECT ",
        columns!(),
        " FROM audit_events WHERE organization_id = $1 AND place > $2 ORDER BY place LIMIT $3"
    );
    let mut place = i64::try_from(begins_after).unwrap_or(i64::MAX);
    loop {
        let rows = tx.fetch(sql, vec![organization.bytes().into(), place.into(), PAGE.into()]).await?;
        for row in &rows {
            walk.step(&found(row)?);
            place = row.int(1)?;
        }
        if i64::try_from(rows.len()).unwrap_or(i64::MAX) < PAGE {
            return Ok(());
        }
    }
}

async fn end(tx: &mut Tx, organization: OrganizationId) -> Result<Option<(u64, Hash)>, StoreError> {
    let sql = "SELECT place, hash FROM audit_heads WHERE organization_id = $1";
    let rows = tx.fetch(sql, vec![organization.bytes().into()]).await?;
    // A head that cannot be read is as good as none, and told as such.
    Ok(rows.first().and_then(|row| Some((row.count(0).ok()?, Hash::from_bytes(row.array(1).ok()?)))))
}
