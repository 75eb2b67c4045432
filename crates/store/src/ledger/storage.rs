//! The monthly fee of fine-tuned models that are kept: one adjustment for each model and month.

use crate::db::{Store, Value};
use crate::error::StoreError;
use crate::ledger::adjustments::{self, Adjustment, Difference, Reason};
use crate::models::{self, PricedModel};
use louver_domain::endpoints::EndpointKind;
use louver_domain::id::{KeyId, OrganizationId, WorkspaceId};
use louver_domain::prices::Prices;
use louver_domain::storage::{self, Fee};
use louver_domain::time::Timestamp;

/// Charges what is due in the month of `now` and was not charged yet. Answers how many models were.
pub async fn charge(store: &Store, now: Timestamp) -> Result<u64, StoreError> {
    let mut charged = 0_u64;
    for entry in models::list(store).await?.models {
        let Some(fee) = storage::fee(&entry.model, &Prices::new(entry.prices.clone()), now) else { continue };
        let Some(organization) = organization(store, fee.workspace_id).await? else { continue };
        if adjustments::post(store, &adjustment(&entry, &fee, organization, now)).await? {
            charged = charged.saturating_add(1);
        }
    }
    Ok(charged)
}

/// No call made it due, and no key: it counts for the workspace and its organization.
fn adjustment(entry: &PricedModel, fee: &Fee, organization_id: OrganizationId, now: Timestamp) -> Adjustment {
    Adjustment {
        id: fee.id,
        of_request: None,
        at: now,
        posted_at: now,
        organization_id,
        workspace_id: fee.workspace_id,
        key_id: KeyId::from_bytes([0; 16]),
        user_id: None,
        role: None,
        endpoint: EndpointKind::FineTunedModels,
        model: entry.model.id.clone(),
        difference: Difference { nanos: fee.cost.nanos(), ..Difference::default() },
        reason: Reason::Storage,
        note: format!("{} was kept this month", entry.model.id),
    }
}

async fn organization(store: &Store, workspace: WorkspaceId) -> Result<Option<OrganizationId>, StoreError> {
    let values: Vec<Value> = vec![workspace.bytes().into()];
    let rows = store.fetch("SELECT organization_id FROM workspaces WHERE id = $1", values).await?;
    rows.first().map(|row| row.id(0).map(OrganizationId::from_bytes)).transpose()
}
