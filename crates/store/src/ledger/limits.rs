//! The limit of a budget as it stands in the rules at the moment of a grant.

use crate::db::Tx;
use crate::dialect::Dialect;
use crate::error::StoreError;
use crate::organizations::read_json;
use louver_domain::budgets::{Budget, BudgetKind, Scope};
use louver_domain::id::OrganizationId;
use louver_domain::limits::{Level, Limits};

/// Holds the rules still until the transaction ends: an admin deed changes the revision's row, and waits for it. SQLite
/// has one writer anyway.
pub(super) async fn freeze(tx: &mut Tx) -> Result<(), StoreError> {
    match tx.dialect() {
        Dialect::Sqlite => {}
        Dialect::Postgres => drop(tx.fetch("SELECT value FROM revision FOR SHARE", vec![]).await?),
    }
    Ok(())
}

/// The limit in the budget's unit, and whether it refuses; `None` when there is none any more.
pub(super) async fn current(
    tx: &mut Tx,
    organization: OrganizationId,
    budget: &Budget,
) -> Result<Option<(i64, bool)>, StoreError> {
    let Some(role) = &budget.scope.role else {
        let limits = of_scope(tx, &budget.scope).await?;
        return Ok(limits.and_then(|limits| Some((limits.budget(budget.kind)?, limits.enforced()))));
    };
    let sql = "SELECT daily_token_budget FROM model_roles WHERE organization_id = $1 AND name = $2";
    let rows = tx.fetch(sql, vec![organization.bytes().into(), (&**role).into()]).await?;
    Ok(rows.first().map(|row| row.opt_int(0)).transpose()?.flatten().map(|limit| (limit, true)))
}

async fn of_scope(tx: &mut Tx, scope: &Scope) -> Result<Option<Limits>, StoreError> {
    let sql = match scope.level {
        Level::Organization => "SELECT limits FROM organizations WHERE id = $1",
        Level::Workspace => "SELECT limits FROM workspaces WHERE id = $1",
        Level::User => "SELECT limits FROM users WHERE id = $1",
        Level::Key => "SELECT limits FROM api_keys WHERE id = $1",
        Level::ModelRole => return Ok(None),
    };
    let rows = tx.fetch(sql, vec![scope.id.into()]).await?;
    rows.first().map(|row| read_json(&row.text(0)?)).transpose()
}

/// An admin deed gave a scope limits that it did not have: what was used without them counts when they are next asked
/// for. Call it in the transaction of the deed.
pub async fn reopen(tx: &mut Tx, scope: &Scope, before: &Limits, after: &Limits) -> Result<(), StoreError> {
    for kind in BudgetKind::ALL {
        if before.budget(kind).is_none() && after.budget(kind).is_some() {
            let id = scope.budget_id(kind);
            tx.execute("UPDATE budget_periods SET stale = 1 WHERE budget_id = $1", vec![id.bytes().into()])
                .await?;
        }
    }
    Ok(())
}

/// The same for the daily tokens of a model role, for each who has it.
pub async fn reopen_role(tx: &mut Tx, organization: OrganizationId, role: &str) -> Result<(), StoreError> {
    let sql = "UPDATE budget_periods SET stale = 1 WHERE organization_id = $1 AND level = 'model_role' AND role = $2";
    tx.execute(sql, vec![organization.bytes().into(), role.into()]).await?;
    Ok(())
}
