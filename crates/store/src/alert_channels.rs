//! Alert channels in the database: where they lead is sealed, but for what people may see of it.

use crate::db::{Row, Store, Tx, Value};
use crate::error::StoreError;
use louver_domain::access::Permit;
use louver_domain::alert_channels::ChannelKind;
use louver_domain::id::{AlertChannelId, OrganizationId};
use louver_domain::time::Timestamp;

/// An alert channel as stored.
#[derive(Clone, Debug)]
pub struct AlertChannel {
    /// Its id.
    pub id: AlertChannelId,
    /// The organization whose alerts it takes.
    pub organization_id: OrganizationId,
    /// A name for people, unique in the organization.
    pub name: String,
    /// What it is.
    pub kind: ChannelKind,
    /// What people may see of where it leads: host and port of an address, or mail addresses with commas between.
    pub destination: String,
    /// The address and signing secret, sealed for this row; none for mail.
    pub sealed_target: Option<Vec<u8>>,
    /// Whether alerts are sent there.
    pub enabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization_id, name, kind, destination, sealed_target, enabled, created_at \
             FROM alert_channels ",
            $rest
        )
    };
}

/// The alert channels of an organization, by name.
pub async fn list(store: &Store, organization: OrganizationId) -> Result<Vec<AlertChannel>, StoreError> {
    let sql = select!("WHERE organization_id = $1 ORDER BY name");
    store.fetch(sql, vec![organization.bytes().into()]).await?.iter().map(read).collect()
}

/// One alert channel of an organization.
pub async fn get(
    store: &Store,
    organization: OrganizationId,
    id: AlertChannelId,
) -> Result<Option<AlertChannel>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND id = $2");
    let values = vec![organization.bytes().into(), id.bytes().into()];
    store.fetch(sql, values).await?.first().map(read).transpose()
}

/// One alert channel of an organization, inside a transaction.
pub async fn load(
    tx: &mut Tx,
    organization: OrganizationId,
    id: AlertChannelId,
) -> Result<Option<AlertChannel>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND id = $2");
    tx.fetch(sql, vec![organization.bytes().into(), id.bytes().into()]).await?.first().map(read).transpose()
}

/// Adds an alert channel; its name must be new in the organization.
pub async fn insert(tx: &mut Tx, permit: &Permit, channel: &AlertChannel) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO alert_channels (id, organization_id, name, kind, destination, sealed_target, enabled, \
         created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        vec![
            channel.id.bytes().into(),
            permit.organization_id().bytes().into(),
            channel.name.clone().into(),
            channel.kind.as_str().into(),
            channel.destination.clone().into(),
            Value::Bytes(channel.sealed_target.clone()),
            channel.enabled.into(),
            channel.created_at.micros().into(),
        ],
    )
    .await?;
    Ok(())
}

/// Writes what can change of an alert channel.
pub async fn save(tx: &mut Tx, permit: &Permit, channel: &AlertChannel) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE alert_channels SET name = $1, destination = $2, sealed_target = $3, enabled = $4 \
         WHERE organization_id = $5 AND id = $6",
        vec![
            channel.name.clone().into(),
            channel.destination.clone().into(),
            Value::Bytes(channel.sealed_target.clone()),
            channel.enabled.into(),
            permit.organization_id().bytes().into(),
            channel.id.bytes().into(),
        ],
    )
    .await?;
    Ok(())
}

/// Removes an alert channel with all its deliveries, those still to come included; the alerts stay.
pub async fn delete(tx: &mut Tx, permit: &Permit, id: AlertChannelId) -> Result<(), StoreError> {
    let owned = "DELETE FROM deliveries WHERE channel_id IN \
                 (SELECT id FROM alert_channels WHERE organization_id = $1 AND id = $2)";
    let values = || vec![permit.organization_id().bytes().into(), id.bytes().into()];
    tx.execute(owned, values()).await?;
    tx.execute("DELETE FROM alert_channels WHERE organization_id = $1 AND id = $2", values()).await?;
    Ok(())
}

fn read(row: &Row) -> Result<AlertChannel, StoreError> {
    let kind = row.text(3)?;
    Ok(AlertChannel {
        id: AlertChannelId::from_bytes(row.id(0)?),
        organization_id: OrganizationId::from_bytes(row.id(1)?),
        name: row.text(2)?,
        kind: ChannelKind::parse(&kind)
            .ok_or_else(|| StoreError::Corrupt(format!("a channel's kind {kind:?}")))?,
        destination: row.text(4)?,
        sealed_target: row.opt_bytes(5)?,
        enabled: row.int(6)? != 0,
        created_at: Timestamp::from_micros(row.int(7)?),
    })
}
