//! Alerts of the caller's organization, with the state of their deliveries.

use crate::Control;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::alerts::Alert;
use louver_domain::id::AlertId;
use louver_store::alerts as store;
use louver_store::deliveries::{self, Delivery};

/// An alert and where it was sent.
pub struct Delivered {
    /// The alert.
    pub alert: Alert,
    /// Its deliveries, by the receiver's name.
    pub deliveries: Vec<Delivery>,
}

/// The alerts of the caller's organization, newest first, at most `limit`; those older than `after`.
pub async fn list(
    control: &Control,
    context: &Context,
    after: Option<AlertId>,
    limit: u32,
) -> Result<Vec<Delivered>, ControlError> {
    let organization = context.organization_id();
    let alerts = store::list(&control.store, organization, after, limit).await?;
    let (Some(newest), Some(oldest)) = (alerts.first(), alerts.last()) else { return Ok(vec![]) };
    let mut found = deliveries::list(&control.store, organization, oldest.id, newest.id).await?;
    let with = |alert: Alert| {
        let deliveries = found.remove(&alert.id).unwrap_or_default();
        Delivered { alert, deliveries }
    };
    Ok(alerts.into_iter().map(with).collect())
}
