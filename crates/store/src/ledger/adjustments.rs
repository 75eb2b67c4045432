//! Adjustments: new entries that correct what was charged, up or down, in the period in which it was charged.
//!
//! What was charged ahead of a batch comes back when the batch is done; a bill that differs from the ledger is made good
//! when a person says so; what a kept model costs each month is charged. The entries of calls are never changed.

use crate::db::{Row, Store, Tx, Value};
use crate::error::StoreError;
use crate::ledger::accounts;
use crate::usage;
use louver_domain::access::Permit;
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
    /// A document of a library is read: what that took is known.
    Library,
}

impl Reason {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Reconciliation => "reconciliation",
            Self::Storage => "storage",
            Self::Library => "library",
        }
    }

    /// From its stored form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Batch, Self::Reconciliation, Self::Storage, Self::Library]
            .into_iter()
            .find(|one| one.as_str() == text)
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
    let mut tx = store.begin().await?;
    if !enter(&mut tx, adjustments).await? {
        return Ok(false);
    }
    tx.commit_plain().await?;
    Ok(true)
}

/// Posts an adjustment that a person asked for, inside the transaction of that deed. False: it was posted before.
pub async fn post_in(tx: &mut Tx, _permit: &Permit, adjustment: &Adjustment) -> Result<bool, StoreError> {
    enter(tx, std::slice::from_ref(adjustment)).await
}

async fn enter(tx: &mut Tx, adjustments: &[Adjustment]) -> Result<bool, StoreError> {
    let Some(first) = adjustments.first() else { return Ok(false) };
    for adjustment in adjustments {
        if !insert(tx, adjustment).await? {
            return Ok(false);
        }
        usage::adjust_hour(tx, adjustment).await?;
    }
    for (budget, starts, kind) in budgets(tx, first).await? {
        let mut account = accounts::load(tx, budget, starts).await?;
        let by = adjustments.iter().map(|one| one.difference.of(kind.unit())).fold(0, i64::saturating_add);
        account.account.allocated = account.account.allocated.saturating_add(by).max(0);
        accounts::save(tx, &account).await?;
        let sql = "UPDATE budget_periods SET carried = carried + $1, overrun = overrun + $2 \
                   WHERE budget_id = $3 AND starts = $4";
        tx.execute(sql, vec![by.into(), by.max(0).into(), budget.bytes().into(), starts.into()]).await?;
    }
    Ok(true)
}

/// Which adjustments are listed; `None` does not narrow.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    /// Of one workspace.
    pub workspace: Option<WorkspaceId>,
    /// Of one person.
    pub user: Option<UserId>,
    /// Of what was charged from then on.
    pub from: Option<Timestamp>,
    /// Of what was charged before then.
    pub to: Option<Timestamp>,
    /// What stands after that one.
    pub after: Option<AdjustmentId>,
}

/// The adjustments of an organization, those posted last first, at most `limit`.
pub async fn list(
    store: &Store,
    organization: OrganizationId,
    filter: Filter,
    limit: u32,
) -> Result<Vec<Adjustment>, StoreError> {
    let sql = "SELECT id, of_request, at, posted_at, organization_id, workspace_id, key_id, user_id, role, endpoint, model, \
               input_tokens, cached_tokens, output_tokens, pages, annotated_pages, audio_seconds, characters, tool_calls, \
               cost_nanos, reason, note FROM adjustments WHERE organization_id = $1 AND at >= $2 AND at < $3 \
               AND (workspace_id = $4 OR $5 = 0) AND (user_id = $6 OR $7 = 0) AND ($8 = 0 OR EXISTS (SELECT 1 \
               FROM adjustments AS last WHERE last.id = $9 AND last.organization_id = $1 \
               AND (adjustments.posted_at < last.posted_at OR (adjustments.posted_at = last.posted_at \
               AND adjustments.id < last.id)))) ORDER BY posted_at DESC, id DESC LIMIT $10";
    let values: Vec<Value> = vec![
        organization.bytes().into(),
        filter.from.map_or(i64::MIN, Timestamp::micros).into(),
        filter.to.map_or(i64::MAX, Timestamp::micros).into(),
        filter.workspace.map(|id| id.bytes()).unwrap_or_default().into(),
        filter.workspace.is_some().into(),
        filter.user.map(|id| id.bytes()).unwrap_or_default().into(),
        filter.user.is_some().into(),
        filter.after.is_some().into(),
        filter.after.map(|id| id.bytes()).unwrap_or_default().into(),
        i64::from(limit).into(),
    ];
    store.fetch(sql, values).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Adjustment, StoreError> {
    let corrupt = |what: &str| StoreError::Corrupt(format!("the {what} of an adjustment"));
    Ok(Adjustment {
        id: AdjustmentId::from_bytes(row.id(0)?),
        of_request: row.opt_id(1)?.map(RequestId::from_bytes),
        at: Timestamp::from_micros(row.int(2)?),
        posted_at: Timestamp::from_micros(row.int(3)?),
        organization_id: OrganizationId::from_bytes(row.id(4)?),
        workspace_id: WorkspaceId::from_bytes(row.id(5)?),
        key_id: KeyId::from_bytes(row.id(6)?),
        user_id: row.opt_id(7)?.map(UserId::from_bytes),
        role: row.opt_text(8)?,
        endpoint: EndpointKind::parse(&row.text(9)?).ok_or_else(|| corrupt("endpoint"))?,
        model: row.text(10)?,
        difference: Difference {
            input: row.int(11)?,
            cached: row.int(12)?,
            output: row.int(13)?,
            pages: row.int(14)?,
            annotated_pages: row.int(15)?,
            audio_seconds: row.int(16)?,
            characters: row.int(17)?,
            tool_calls: row.int(18)?,
            nanos: row.int(19)?,
        },
        reason: Reason::parse(&row.text(20)?).ok_or_else(|| corrupt("reason"))?,
        note: row.text(21)?,
    })
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
