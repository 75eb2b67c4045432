//! Deliveries in the database: the outbox, out of which each node claims what is due.

use crate::alerts;
use crate::db::{Row, Store, Tx, Value};
use crate::error::StoreError;
use louver_domain::alert_channels::ChannelKind;
use louver_domain::alerts::Alert;
use louver_domain::deliveries::{DeliveryState, Next, Receiver};
use louver_domain::id::{AlertChannelId, AlertId, OrganizationId, UserId};
use louver_domain::time::Timestamp;
use std::collections::BTreeMap;

/// How long a claimed delivery is left alone by others. An attempt must end well before that.
pub const LEASE_SECONDS: i64 = 60;

pub(crate) async fn insert_all(tx: &mut Tx, alert: &Alert, now: Timestamp) -> Result<(), StoreError> {
    let channels = tx
        .fetch(
            "SELECT id FROM alert_channels WHERE organization_id = $1 AND enabled = 1",
            vec![alert.organization_id.bytes().into()],
        )
        .await?;
    for row in &channels {
        insert_one(tx, alert, Receiver::Channel(AlertChannelId::from_bytes(row.id(0)?)), now).await?;
    }
    Ok(())
}

pub(crate) async fn insert_one(
    tx: &mut Tx,
    alert: &Alert,
    receiver: Receiver,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO deliveries (alert_id, receiver_id, channel_id, user_id, state, attempts, next_at) \
         VALUES ($1, $2, $3, $4, 'pending', 0, $5)",
        vec![
            alert.id.bytes().into(),
            receiver.bytes().into(),
            receiver.channel().map(|id| id.bytes()).into(),
            receiver.owner().map(|id| id.bytes()).into(),
            now.micros().into(),
        ],
    )
    .await?;
    Ok(())
}

/// A delivery that this node, and no other, tries now.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// What is sent.
    pub alert: Alert,
    /// Where to.
    pub receiver: Receiver,
    /// The number of this attempt, from 1.
    pub attempt: u32,
}

/// Claims up to `most` deliveries that are due: their time is moved by [`LEASE_SECONDS`], so that no other node takes
/// them meanwhile, and that they are taken again if this one dies.
pub async fn claim(store: &Store, now: Timestamp, most: usize) -> Result<Vec<Claimed>, StoreError> {
    let due = "SELECT alert_id, receiver_id, attempts, next_at, user_id FROM deliveries \
               WHERE state = 'pending' AND next_at <= $1 ORDER BY next_at, alert_id, receiver_id LIMIT $2";
    let values =
        || -> Vec<Value> { vec![now.micros().into(), i64::try_from(most).unwrap_or(i64::MAX).into()] };
    // Most looks find nothing; they need no transaction.
    if store.fetch(due, values()).await?.is_empty() {
        return Ok(vec![]);
    }
    let mut tx = store.begin().await?;
    let mut claimed = vec![];
    for row in &tx.fetch(due, values()).await? {
        claimed.extend(claim_one(&mut tx, row, now).await?);
    }
    tx.commit_plain().await?;
    Ok(claimed)
}

async fn claim_one(tx: &mut Tx, row: &Row, now: Timestamp) -> Result<Option<Claimed>, StoreError> {
    let (alert, id, attempts, seen) = (row.id(0)?, row.id(1)?, row.int(2)?, row.int(3)?);
    // Another node may have claimed it since the look: then its time is another.
    let taken = tx
        .execute(
            "UPDATE deliveries SET next_at = $1, attempts = attempts + 1 \
             WHERE alert_id = $2 AND receiver_id = $3 AND state = 'pending' AND next_at = $4",
            vec![now.plus_seconds(LEASE_SECONDS).micros().into(), alert.into(), id.into(), seen.into()],
        )
        .await?;
    if taken == 0 {
        return Ok(None);
    }
    let receiver = read_receiver(id, row.opt_id(4)?);
    let alert = alerts::load(tx, alert).await?;
    Ok(alert.map(|alert| Claimed {
        alert,
        receiver,
        attempt: u32::try_from(attempts.saturating_add(1)).unwrap_or(u32::MAX),
    }))
}

fn read_receiver(id: [u8; 16], user: Option<[u8; 16]>) -> Receiver {
    match user {
        Some(user) => Receiver::Owner(UserId::from_bytes(user)),
        None => Receiver::Channel(AlertChannelId::from_bytes(id)),
    }
}

/// Writes what became of an attempt. `error` is a sentence for the admin, without anything that the receiver said.
/// The word of an attempt that outlived its lease counts only when it was taken.
pub async fn finish(
    store: &Store,
    claimed: &Claimed,
    next: Next,
    error: Option<&str>,
) -> Result<(), StoreError> {
    let delivered_at = (next.state == DeliveryState::Delivered).then(|| next.at.micros());
    let mut tx = store.begin().await?;
    tx.execute(
        "UPDATE deliveries SET state = $1, next_at = $2, last_error = $3, delivered_at = $4 \
         WHERE alert_id = $5 AND receiver_id = $6 AND state = 'pending' AND (attempts = $7 OR $8 = 1)",
        vec![
            next.state.as_str().into(),
            next.at.micros().into(),
            error.map(str::to_owned).into(),
            delivered_at.into(),
            claimed.alert.id.bytes().into(),
            claimed.receiver.bytes().into(),
            i64::from(claimed.attempt).into(),
            delivered_at.is_some().into(),
        ],
    )
    .await?;
    tx.commit_plain().await
}

/// A delivery as the admin sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The channel, or the owner of the key.
    pub receiver: Receiver,
    /// The channel's name, or the owner's mail address.
    pub name: String,
    /// How it goes there.
    pub kind: ChannelKind,
    /// How it stands.
    pub state: DeliveryState,
    /// Attempts so far.
    pub attempts: u64,
    /// When it is tried next, while it is pending.
    pub next_at: Option<Timestamp>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it was delivered.
    pub delivered_at: Option<Timestamp>,
}

/// The deliveries of an organization's alerts between two ids (both included), by alert, then by the receiver's name.
pub async fn list(
    store: &Store,
    organization: OrganizationId,
    first: AlertId,
    last: AlertId,
) -> Result<BTreeMap<AlertId, Vec<Delivery>>, StoreError> {
    let rows = store
        .fetch(
            "SELECT d.alert_id, d.receiver_id, COALESCE(c.name, u.email), COALESCE(c.kind, 'email'), d.state, d.attempts, \
             d.next_at, d.last_error, d.delivered_at, d.user_id FROM deliveries AS d \
             LEFT JOIN alert_channels AS c ON c.id = d.channel_id LEFT JOIN users AS u ON u.id = d.user_id \
             WHERE COALESCE(c.organization_id, u.organization_id) = $1 AND d.alert_id >= $2 AND d.alert_id <= $3 \
             ORDER BY c.name, u.email",
            vec![organization.bytes().into(), first.bytes().into(), last.bytes().into()],
        )
        .await?;
    let mut found: BTreeMap<AlertId, Vec<Delivery>> = BTreeMap::new();
    for row in &rows {
        found.entry(AlertId::from_bytes(row.id(0)?)).or_default().push(read(row)?);
    }
    Ok(found)
}

fn read(row: &Row) -> Result<Delivery, StoreError> {
    let (kind, state) = (row.text(3)?, row.text(4)?);
    let corrupt = |what: &str| StoreError::Corrupt(format!("a delivery's {what}"));
    let state = DeliveryState::parse(&state).ok_or_else(|| corrupt("state"))?;
    let next_at = Timestamp::from_micros(row.int(6)?);
    Ok(Delivery {
        receiver: read_receiver(row.id(1)?, row.opt_id(9)?),
        name: row.text(2)?,
        kind: ChannelKind::parse(&kind).ok_or_else(|| corrupt("kind"))?,
        state,
        attempts: row.count(5)?,
        next_at: (state == DeliveryState::Pending).then_some(next_at),
        last_error: row.opt_text(7)?,
        delivered_at: row.opt_int(8)?.map(Timestamp::from_micros),
    })
}
