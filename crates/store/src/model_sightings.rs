//! What upstreams' lists of models said, in the database: written by every node, looked at by people.

use crate::db::{Row, Store, Tx};
use crate::error::StoreError;
use crate::revision;
use louver_domain::access::Permit;
use louver_domain::model_sightings::{Compared, Finding, Sighting, SightingState};
use louver_domain::time::Timestamp;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT server, name, finding, billing_name, same_as, first_seen, last_seen, state FROM model_sightings ",
            $rest
        )
    };
}

/// All that is worth looking at: everything but what is as the catalogue says.
pub async fn list(store: &Store) -> Result<Vec<Sighting>, StoreError> {
    let rows = store.fetch(select!("WHERE finding <> 'known' ORDER BY name, server"), vec![]).await?;
    rows.iter().map(read).collect()
}

/// The sightings of one name, inside a transaction; those that are as the catalogue says are left out.
pub async fn of_name(tx: &mut Tx, name: &str) -> Result<Vec<Sighting>, StoreError> {
    let sql = select!("WHERE name = $1 AND finding <> 'known' ORDER BY server");
    tx.fetch(sql, vec![name.into()]).await?.iter().map(read).collect()
}

/// The names that moved and that nobody has looked at.
pub(crate) async fn quarantined(tx: &mut Tx) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT DISTINCT name FROM model_sightings WHERE finding = 'moved' AND state = 'quarantined' ORDER BY name";
    tx.fetch(sql, vec![]).await?.iter().map(|row| row.text(0)).collect()
}

/// Takes in what a look at one server came to. `compare` gets what was known of it; other nodes wait meanwhile, so that
/// one of them alone sees that something moved. Gateways follow at once.
pub async fn take_in(
    store: &Store,
    server: &str,
    compare: impl FnOnce(&[Sighting]) -> Compared,
) -> Result<Vec<Sighting>, StoreError> {
    let mut tx = revision::begin_deed(store).await?;
    let rows = tx.fetch(select!("WHERE server = $1 ORDER BY name"), vec![server.into()]).await?;
    let before: Vec<Sighting> = rows.iter().map(read).collect::<Result<_, _>>()?;
    let Compared { now, alarms } = compare(&before);
    for sighting in &now {
        write(&mut tx, sighting).await?;
    }
    if alarms.is_empty() {
        tx.commit_plain().await?;
    } else {
        let revision = revision::bump(&mut tx).await?;
        tx.commit_revision(revision).await?;
    }
    Ok(alarms)
}

/// Notes that a person has looked at a name, on every server.
pub async fn dismiss(tx: &mut Tx, _permit: &Permit, name: &str) -> Result<(), StoreError> {
    let sql = "UPDATE model_sightings SET state = 'dismissed' WHERE name = $1";
    tx.execute(sql, vec![name.into()]).await?;
    Ok(())
}

async fn write(tx: &mut Tx, sighting: &Sighting) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO model_sightings (server, name, finding, billing_name, same_as, first_seen, last_seen, state) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (server, name) DO UPDATE SET \
         finding = excluded.finding, billing_name = excluded.billing_name, same_as = excluded.same_as, \
         last_seen = excluded.last_seen, state = excluded.state",
        vec![
            sighting.server.clone().into(),
            sighting.name.clone().into(),
            sighting.finding.as_str().into(),
            sighting.billing_name.clone().into(),
            sighting.same_as.clone().into(),
            sighting.first_seen.micros().into(),
            sighting.last_seen.micros().into(),
            sighting.state.as_str().into(),
        ],
    )
    .await?;
    Ok(())
}

fn read(row: &Row) -> Result<Sighting, StoreError> {
    let corrupt =
        |what: &str, text: &str| StoreError::Corrupt(format!("{what} of a model sighting: {text:?}"));
    let (finding, state) = (row.text(2)?, row.text(7)?);
    Ok(Sighting {
        server: row.text(0)?,
        name: row.text(1)?,
        finding: Finding::parse(&finding).ok_or_else(|| corrupt("the finding", &finding))?,
        billing_name: row.opt_text(3)?,
        same_as: row.opt_text(4)?,
        first_seen: Timestamp::from_micros(row.int(5)?),
        last_seen: Timestamp::from_micros(row.int(6)?),
        state: SightingState::parse(&state).ok_or_else(|| corrupt("the state", &state))?,
    })
}
