//! The hourly sums: calls are added in the transaction that writes their records, adjustments in the one that posts them.

use super::Sums;
use crate::db::{Tx, Value};
use crate::error::StoreError;
use crate::ledger::adjustments::Adjustment;
use louver_domain::calendar::Window;
use louver_domain::id::{KeyId, OrganizationId, UserId, WorkspaceId};
use louver_domain::usage::UsageRecord;
use std::collections::BTreeMap;

/// Adds records to the hourly sums, inside the transaction that wrote them.
pub(crate) async fn add_to_hours(tx: &mut Tx, records: &[&UsageRecord]) -> Result<(), StoreError> {
    for (scope, sums) in sum_by_hour(records) {
        add_to_hour(tx, &scope, &sums).await?;
    }
    Ok(())
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct HourScope {
    hour: i64,
    organization: OrganizationId,
    workspace: WorkspaceId,
    key: KeyId,
    user: Option<UserId>,
    role: String,
    endpoint: &'static str,
    model: String,
}

fn sum_by_hour(records: &[&UsageRecord]) -> BTreeMap<HourScope, Sums> {
    let mut hours: BTreeMap<HourScope, Sums> = BTreeMap::new();
    for record in records {
        let scope = HourScope {
            hour: record.at.floor(Window::Hour).micros(),
            organization: record.organization_id,
            workspace: record.workspace_id,
            key: record.key_id,
            user: record.user_id,
            role: record.role.as_deref().unwrap_or_default().to_owned(),
            endpoint: record.endpoint.as_str(),
            model: record.model.to_string(),
        };
        let one = Sums {
            requests: 1,
            tokens: record.charge.tokens,
            units: record.charge.units,
            cost: record.charge.cost,
            estimated: u64::from(record.charge.why.estimated()),
            would_refuse: u64::from(record.would_refuse),
        };
        let sums = hours.entry(scope).or_default();
        *sums = sums.plus(&one);
    }
    hours
}

async fn add_to_hour(tx: &mut Tx, scope: &HourScope, sums: &Sums) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO usage_hourly AS h (hour, organization_id, workspace_id, key_id, user_id, role, endpoint, model, \
         requests, input_tokens, cached_tokens, output_tokens, cost_nanos, estimated, would_refuse, pages, \
         annotated_pages, audio_seconds, characters, tool_calls) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) \
         ON CONFLICT (hour, organization_id, workspace_id, key_id, user_id, role, endpoint, model) DO UPDATE SET \
         requests = h.requests + excluded.requests, input_tokens = h.input_tokens + excluded.input_tokens, \
         cached_tokens = h.cached_tokens + excluded.cached_tokens, \
         output_tokens = h.output_tokens + excluded.output_tokens, \
         cost_nanos = h.cost_nanos + excluded.cost_nanos, estimated = h.estimated + excluded.estimated, \
         would_refuse = h.would_refuse + excluded.would_refuse, pages = h.pages + excluded.pages, \
         annotated_pages = h.annotated_pages + excluded.annotated_pages, \
         audio_seconds = h.audio_seconds + excluded.audio_seconds, characters = h.characters + excluded.characters, \
         tool_calls = h.tool_calls + excluded.tool_calls",
        vec![
            scope.hour.into(),
            scope.organization.bytes().into(),
            scope.workspace.bytes().into(),
            scope.key.bytes().into(),
            // No user is the id of zeros here: a key column cannot be null.
            scope.user.map(|id| id.bytes()).unwrap_or_default().into(),
            scope.role.clone().into(),
            scope.endpoint.into(),
            scope.model.clone().into(),
            sums.requests.into(),
            sums.tokens.input.into(),
            sums.tokens.cached.into(),
            sums.tokens.output.into(),
            sums.cost.nanos().into(),
            sums.estimated.into(),
            sums.would_refuse.into(),
            sums.units.pages.into(),
            sums.units.annotated_pages.into(),
            sums.units.audio_seconds.into(),
            sums.units.characters.into(),
            sums.units.tool_calls.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Changes the sums of the hour that an adjustment is of, inside the transaction that posts it. What would go below
/// nothing is a conflict.
pub(crate) async fn adjust_hour(tx: &mut Tx, adjustment: &Adjustment) -> Result<(), StoreError> {
    let difference = &adjustment.difference;
    let values: Vec<Value> = vec![
        adjustment.at.floor(Window::Hour).micros().into(),
        adjustment.organization_id.bytes().into(),
        adjustment.workspace_id.bytes().into(),
        adjustment.key_id.bytes().into(),
        adjustment.user_id.map(|id| id.bytes()).unwrap_or_default().into(),
        adjustment.role.clone().unwrap_or_default().into(),
        adjustment.endpoint.as_str().into(),
        adjustment.model.clone().into(),
        difference.input.into(),
        difference.cached.into(),
        difference.output.into(),
        difference.nanos.into(),
        difference.pages.into(),
        difference.annotated_pages.into(),
        difference.audio_seconds.into(),
        difference.characters.into(),
        difference.tool_calls.into(),
    ];
    let sql = "INSERT INTO usage_hourly AS h (hour, organization_id, workspace_id, key_id, user_id, role, endpoint, \
               model, requests, estimated, would_refuse, input_tokens, cached_tokens, output_tokens, cost_nanos, pages, \
               annotated_pages, audio_seconds, characters, tool_calls) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, 0, \
               $9, $10, $11, $12, $13, $14, $15, $16, $17) \
               ON CONFLICT (hour, organization_id, workspace_id, key_id, user_id, role, endpoint, model) DO UPDATE SET \
               input_tokens = h.input_tokens + excluded.input_tokens, \
               cached_tokens = h.cached_tokens + excluded.cached_tokens, \
               output_tokens = h.output_tokens + excluded.output_tokens, \
               cost_nanos = h.cost_nanos + excluded.cost_nanos, pages = h.pages + excluded.pages, \
               annotated_pages = h.annotated_pages + excluded.annotated_pages, \
               audio_seconds = h.audio_seconds + excluded.audio_seconds, \
               characters = h.characters + excluded.characters, tool_calls = h.tool_calls + excluded.tool_calls";
    let scope = values.get(..8).map(<[Value]>::to_vec).unwrap_or_default();
    tx.execute(sql, values).await?;
    let sql = "SELECT 1 FROM usage_hourly WHERE hour = $1 AND organization_id = $2 AND workspace_id = $3 AND key_id = $4 \
               AND user_id = $5 AND role = $6 AND endpoint = $7 AND model = $8 AND (input_tokens < 0 OR cached_tokens < 0 \
               OR output_tokens < 0 OR cost_nanos < 0 OR pages < 0 OR annotated_pages < 0 OR audio_seconds < 0 \
               OR characters < 0 OR tool_calls < 0)";
    match tx.fetch(sql, scope).await?.is_empty() {
        true => Ok(()),
        false => Err(StoreError::Conflict),
    }
}
