//! Alerts in the database: each raised once over all nodes, together with its deliveries.

use crate::db::{Row, Store, Tx, Value};
use crate::deliveries;
use crate::error::StoreError;
use louver_domain::access::Permit;
use louver_domain::alerts::{Alert, AlertKind, BudgetState, Once, Standing};
use louver_domain::deliveries::Receiver;
use louver_domain::entropy::Entropy;
use louver_domain::id::{AlertChannelId, AlertId, OrganizationId, UserId};
use louver_domain::time::Timestamp;
use std::collections::BTreeMap;

/// Raises what is new in how budgets stand and answers how many alerts that were. While nothing is new it costs one
/// read, and none while no budget has crossed anything; it may be called by every node as often as they like.
pub async fn evaluate(
    store: &Store,
    standings: Vec<Standing>,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<usize, StoreError> {
    let due: Vec<Alert> = standings.iter().flat_map(|standing| standing.alerts(now, entropy)).collect();
    raise(store, &due, now).await
}

/// The highest limit that each alert was raised under, in all periods that began at `first` or later.
async fn raised_since(store: &Store, first: Timestamp) -> Result<BTreeMap<Once, i64>, StoreError> {
    let rows = store
        .fetch(
            "SELECT subject_id, budget_window, unit, period_starts, kind, threshold, MAX(limit_amount) FROM alerts \
             WHERE period_starts >= $1 GROUP BY subject_id, budget_window, unit, period_starts, kind, threshold",
            vec![first.micros().into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let once = Once {
                subject_id: row.id(0)?,
                window: row.text(1)?,
                unit: row.text(2)?,
                starts: Timestamp::from_micros(row.int(3)?),
                kind: read_kind(row, 4)?,
                threshold: read_threshold(row, 5)?,
            };
            Ok((once, row.int(6)?))
        })
        .collect()
}

/// Writes each alert that was not raised before (under its limit or a higher one), with a delivery to every enabled
/// channel of its organization unless it is superseded, all in one transaction. Answers how many were new. While none
/// is, it costs one read.
pub async fn raise(store: &Store, alerts: &[Alert], now: Timestamp) -> Result<usize, StoreError> {
    raise_with(store, alerts, None, now).await
}

/// Raises an alert about a key, if it is new, and tells its owner besides the channels. Answers whether it is.
pub async fn raise_to_owner(
    store: &Store,
    alert: &Alert,
    owner: Option<UserId>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    Ok(raise_with(store, std::slice::from_ref(alert), owner, now).await? > 0)
}

async fn raise_with(
    store: &Store,
    alerts: &[Alert],
    owner: Option<UserId>,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let Some(first) = alerts.iter().map(|alert| alert.starts).min() else { return Ok(0) };
    let raised = raised_since(store, first).await?;
    let is_new = |alert: &&Alert| raised.get(&alert.once()).is_none_or(|limit| *limit < alert.limit());
    let mut due: Vec<&Alert> = alerts.iter().filter(is_new).collect();
    if due.is_empty() {
        return Ok(0);
    }
    // In one order on every node, so that none waits for another that waits for it.
    due.sort_by_key(|alert| alert.once());
    let mut tx = store.begin().await?;
    let mut new = 0usize;
    for alert in due {
        if insert(&mut tx, alert).await? {
            new = new.saturating_add(1);
            if !alert.superseded {
                deliveries::insert_all(&mut tx, alert, now).await?;
                if let Some(owner) = owner {
                    deliveries::insert_one(&mut tx, alert, Receiver::Owner(owner), now).await?;
                }
            }
        }
    }
    tx.commit_plain().await?;
    Ok(new)
}

/// When people were told first of something that is raised once; `None` when they were not.
pub async fn told_at(
    tx: &mut Tx,
    kind: AlertKind,
    subject: [u8; 16],
    starts: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT MIN(raised_at) FROM alerts WHERE subject_id = $1 AND kind = $2 AND period_starts = $3";
    let rows = tx.fetch(sql, vec![subject.into(), kind.as_str().into(), starts.micros().into()]).await?;
    rows.first().map_or(Ok(None), |row| Ok(row.opt_int(0)?.map(Timestamp::from_micros)))
}

/// Writes an alert that goes to one channel alone, enabled or not: a test.
pub async fn raise_to(
    tx: &mut Tx,
    permit: &Permit,
    alert: &Alert,
    channel: AlertChannelId,
) -> Result<(), StoreError> {
    let alert = Alert { organization_id: permit.organization_id(), ..alert.clone() };
    if insert(tx, &alert).await? {
        deliveries::insert_one(tx, &alert, Receiver::Channel(channel), alert.raised_at).await?;
    }
    Ok(())
}

async fn insert(tx: &mut Tx, alert: &Alert) -> Result<bool, StoreError> {
    let once = alert.once();
    let budget = alert.budget.as_ref();
    let forecast: Option<i64> = budget.and_then(|budget| budget.forecast_at).map(Timestamp::micros);
    let values: Vec<Value> = vec![
        alert.id.bytes().into(),
        alert.organization_id.bytes().into(),
        alert.raised_at.micros().into(),
        once.kind.as_str().into(),
        i64::from(once.threshold).into(),
        alert.superseded.into(),
        once.subject_id.into(),
        alert.scope.clone().into(),
        alert.scope_id.clone().into(),
        alert.name.clone().into(),
        once.window.into(),
        once.unit.into(),
        once.starts.micros().into(),
        alert.ends.micros().into(),
        alert.limit().into(),
        budget.map_or(0, |budget| budget.spent).into(),
        forecast.into(),
    ];
    // Another node may have written it since the look. (One that still sees an older, lower limit may add its alert to
    // that of the new limit, once.)
    let written = tx
        .execute(
            "INSERT INTO alerts (id, organization_id, raised_at, kind, threshold, superseded, subject_id, scope, \
             scope_id, name, budget_window, unit, period_starts, period_ends, limit_amount, spent, forecast_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) \
             ON CONFLICT (subject_id, budget_window, unit, period_starts, kind, threshold, limit_amount) DO NOTHING",
            values,
        )
        .await?;
    Ok(written == 1)
}

/// The columns of an alert, in the order that [`read`] wants them in.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization_id, raised_at, kind, threshold, superseded, subject_id, scope, scope_id, name, \
             budget_window, unit, period_starts, period_ends, limit_amount, spent, forecast_at FROM alerts ",
            $rest
        )
    };
}

/// The alerts of an organization, newest first, at most `limit`; those older than `after` when that is given.
pub async fn list(
    store: &Store,
    organization: OrganizationId,
    after: Option<AlertId>,
    limit: u32,
) -> Result<Vec<Alert>, StoreError> {
    let before = after.map_or([0xff; 16], |id| id.bytes());
    let sql = select!("WHERE organization_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3");
    let values = vec![organization.bytes().into(), before.into(), i64::from(limit).into()];
    store.fetch(sql, values).await?.iter().map(read).collect()
}

/// One alert, whatever its organization.
pub(crate) async fn load(tx: &mut Tx, id: [u8; 16]) -> Result<Option<Alert>, StoreError> {
    tx.fetch(select!("WHERE id = $1"), vec![id.into()]).await?.first().map(read).transpose()
}

fn read(row: &Row) -> Result<Alert, StoreError> {
    let (kind, window) = (read_kind(row, 3)?, row.text(10)?);
    let budget = BudgetState {
        window,
        unit: row.text(11)?,
        limit: row.int(14)?,
        spent: row.int(15)?,
        forecast_at: row.opt_int(16)?.map(Timestamp::from_micros),
    };
    let threshold = read_threshold(row, 4)?;
    Ok(Alert {
        id: AlertId::from_bytes(row.id(0)?),
        organization_id: OrganizationId::from_bytes(row.id(1)?),
        raised_at: Timestamp::from_micros(row.int(2)?),
        kind,
        threshold: kind.has_threshold().then_some(threshold),
        superseded: row.int(5)? != 0,
        subject_id: row.id(6)?,
        scope: row.text(7)?,
        scope_id: row.text(8)?,
        name: row.text(9)?,
        starts: Timestamp::from_micros(row.int(12)?),
        ends: Timestamp::from_micros(row.int(13)?),
        // Only budgets have windows.
        budget: (!budget.window.is_empty()).then_some(budget),
    })
}

fn read_kind(row: &Row, column: usize) -> Result<AlertKind, StoreError> {
    let text = row.text(column)?;
    AlertKind::parse(&text).ok_or_else(|| StoreError::Corrupt(format!("an alert's kind {text:?}")))
}

fn read_threshold(row: &Row, column: usize) -> Result<u8, StoreError> {
    u8::try_from(row.int(column)?).map_err(|_| StoreError::Corrupt(format!("per cent in column {column}")))
}
