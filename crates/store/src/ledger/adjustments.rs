//! Adjustments: new entries that correct what was charged, up or down, in the period in which it was charged.
//!
//! What was charged ahead of a batch comes back when the batch is done; a bill that differs from the ledger is made good
//! when a person says so; what a kept model costs each month is charged. The entries of calls are never changed.

use crate::db::{Store, Tx, Value};
use crate::error::StoreError;
use crate::ledger::accounts;
use crate::usage;
use louver_domain::budgets::{BudgetKind, Unit};
use louver_domain::endpoints::EndpointKind;
use louver_domain::id::{AdjustmentId, BudgetId, KeyId, OrganizationId, RequestId, UserId, WorkspaceId};
use louver_domain::time::Timestamp;

/// Why something is adjusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A batch is done: what it really used is known.
    Batch,
    /// The provider's own report says otherwise, and a person posted the difference.
    Reconciliation,
    /// A fine-tuned model was kept for a month.
    Storage,
}

impl Reason {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Reconciliation => "reconciliation",
            Self::Storage => "storage",
        }
    }
}

/// What is added to, or with negative numbers taken from, what was charged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Tokens of input.
    pub input: i64,
    /// Of those, cached.
    pub cached: i64,
    /// Tokens of output.
    pub output: i64,
    /// Pages.
    pub pages: i64,
    /// Annotated pages.
    pub annotated_pages: i64,
    /// Seconds of audio.
    pub audio_seconds: i64,
    /// Characters.
    pub characters: i64,
    /// Calls of tools.
    pub tool_calls: i64,
    /// Nano-dollars.
    pub nanos: i64,
}

impl Difference {
    fn of(&self, unit: Unit) -> i64 {
        match unit {
            Unit::Usd => self.nanos,
            Unit::Tokens => self.input.saturating_add(self.output),
        }
    }
}

/// An adjustment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adjustment {
    /// Its id: posted again with the same one, it changes nothing.
    pub id: AdjustmentId,
    /// The call it corrects, if it is one.
    pub of_request: Option<RequestId>,
    /// When what it corrects was charged: the period that it counts in.
    pub at: Timestamp,
    /// When it was posted.
    pub posted_at: Timestamp,
    /// The organization.
    pub organization_id: OrganizationId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The key.
    pub key_id: KeyId,
    /// The person who owned the key, if one did.
    pub user_id: Option<UserId>,
    /// The model role that the call was judged by, if any.
    pub role: Option<String>,
    /// The endpoint.
    pub endpoint: EndpointKind,
    /// The model.
    pub model: String,
    /// How much.
    pub difference: Difference,
    /// Why.
    pub reason: Reason,
    /// A sentence for people.
    pub note: String,
}

/// Posts an adjustment: entry, hourly sums and budgets, in one transaction. False: it was posted before.
pub async fn post(store: &Store, adjustment: &Adjustment) -> Result<bool, StoreError> {
    post_together(store, std::slice::from_ref(adjustment)).await
}

/// Posts adjustments of one call together: what it was charged for may have been of several models. They differ in
/// endpoint, model and amount only. Budgets change by their sum, so that nothing is given out in between.
pub async fn post_together(store: &Store, adjustments: &[Adjustment]) -> Result<bool, StoreError> {
    let Some(first) = adjustments.first() else { return Ok(false) };
    let mut tx = store.begin().await?;
    for adjustment in adjustments {
        if !insert(&mut tx, adjustment).await? {
            return Ok(false);
        }
        usage::adjust_hour(&mut tx, adjustment).await?;
    }
    for (budget, starts, kind) in budgets(&mut tx, first).await? {
        let mut account = accounts::load(&mut tx, budget, starts).await?;
        let by = adjustments.iter().map(|one| one.difference.of(kind.unit())).fold(0, i64::saturating_add);
        account.account.allocated = account.account.allocated.saturating_add(by).max(0);
        accounts::save(&mut tx, &account).await?;
        let sql = "UPDATE budget_periods SET carried = carried + $1, overrun = overrun + $2 \
                   WHERE budget_id = $3 AND starts = $4";
        tx.execute(sql, vec![by.into(), by.max(0).into(), budget.bytes().into(), starts.into()]).await?;
    }
    tx.commit_plain().await?;
    Ok(true)
}

async fn insert(tx: &mut Tx, adjustment: &Adjustment) -> Result<bool, StoreError> {
    let difference = &adjustment.difference;
    let values: Vec<Value> = vec![
        adjustment.id.bytes().into(),
        adjustment.of_request.map(|id| id.bytes()).into(),
        adjustment.at.micros().into(),
        adjustment.posted_at.micros().into(),
        adjustment.organization_id.bytes().into(),
        adjustment.workspace_id.bytes().into(),
        adjustment.key_id.bytes().into(),
        adjustment.user_id.map(|id| id.bytes()).into(),
        adjustment.role.clone().into(),
        adjustment.endpoint.as_str().into(),
        adjustment.model.clone().into(),
        difference.input.into(),
        difference.cached.into(),
        difference.output.into(),
        difference.pages.into(),
        difference.annotated_pages.into(),
        difference.audio_seconds.into(),
        difference.characters.into(),
        difference.tool_calls.into(),
        difference.nanos.into(),
        adjustment.reason.as_str().into(),
        adjustment.note.clone().into(),
    ];
    let sql = "INSERT INTO adjustments (id, of_request, at, posted_at, organization_id, workspace_id, key_id, user_id, \
               role, endpoint, model, input_tokens, cached_tokens, output_tokens, pages, annotated_pages, \
               audio_seconds, characters, tool_calls, cost_nanos, reason, note) VALUES ($1, $2, $3, $4, $5, $6, $7, \
               $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22) ON CONFLICT (id) DO NOTHING";
    Ok(tx.execute(sql, values).await? > 0)
}

/// The budgets that the call counted in: those of its scopes, in the period of its time.
async fn budgets(
    tx: &mut Tx,
    adjustment: &Adjustment,
) -> Result<Vec<(BudgetId, i64, BudgetKind)>, StoreError> {
    let sql = "SELECT budget_id, starts, kind FROM budget_periods WHERE organization_id = $1 AND ends > $2 \
               AND starts <= $2 AND (level = 'organization' OR (level = 'workspace' AND scope_id = $3) \
               OR (level = 'user' AND scope_id = $4) OR (level = 'key' AND scope_id = $5) \
               OR (level = 'model_role' AND role = $6 AND (scope_id = $4 OR scope_id = $5))) ORDER BY budget_id, starts";
    let values: Vec<Value> = vec![
        adjustment.organization_id.bytes().into(),
        adjustment.at.micros().into(),
        adjustment.workspace_id.bytes().into(),
        adjustment.user_id.map(|id| id.bytes()).unwrap_or_default().into(),
        adjustment.key_id.bytes().into(),
        adjustment.role.clone().unwrap_or_default().into(),
    ];
    let rows = tx.fetch(sql, values).await?;
    rows.iter()
        .map(|row| {
            let kind = BudgetKind::parse(&row.text(2)?);
            let kind = kind.ok_or_else(|| StoreError::Corrupt("the kind of a budget".into()))?;
            Ok((BudgetId::from_bytes(row.id(0)?), row.int(1)?, kind))
        })
        .collect()
}
