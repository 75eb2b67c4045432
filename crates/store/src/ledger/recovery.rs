//! What a process left behind when it died: its calls are charged from the journal, its leases closed or stranded.
//!
//! The page cache outlives a process, not a machine. A journal of this start of the machine is therefore whole: what it
//! holds is charged, open calls at their bound, and the rest of each lease comes back. After a power failure calls may
//! have been sent whose records are lost: their leases stay given out, stranded, until a person says why nothing can
//! still be billed on them.

use crate::db::{Row, Store, Tx};
use crate::error::StoreError;
use crate::journal::{Found, FoundCall, Settled};
use crate::ledger::entries::{self, Entry};
use crate::ledger::{both, close_one};
use louver_domain::access::Permit;
use louver_domain::id::{BudgetId, KeyId, LeaseId, NodeId, OrganizationId, UserId, WorkspaceId};
use louver_domain::settlement::{self, Outcome};
use louver_domain::usage::UsageRecord;
use std::collections::HashMap;

/// Entries of one transaction.
const BATCH: usize = 2048;

/// What a recovery did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Calls that the journal named.
    pub calls: usize,
    /// Of those, the ones charged at their bound, since nobody knows how they ended.
    pub unknown: usize,
    /// Leases that were closed.
    pub closed: usize,
    /// Leases that were stranded.
    pub stranded: usize,
}

/// Settles what earlier processes of a node left. Again, it changes nothing.
pub async fn recover(
    store: &Store,
    node: NodeId,
    epoch: i64,
    found: &Found,
) -> Result<Recovered, StoreError> {
    let keys = keys_of(store, &found.calls).await?;
    let entries: Vec<Entry> = found.calls.iter().filter_map(|call| entry(call, &keys)).collect();
    for batch in entries.chunks(BATCH) {
        entries::insert(store, batch).await?;
    }
    let mut recovered = Recovered {
        calls: entries.len(),
        unknown: found.calls.iter().filter(|call| call.settled.is_none()).count(),
        ..Recovered::default()
    };
    for (lease, of) in open_leases(store, node).await? {
        if of == epoch {
            continue;
        }
        let mut tx = store.begin().await?;
        if found.processes.get(&of).copied().unwrap_or(false) {
            close_one(&mut tx, lease).await?;
            recovered.closed = recovered.closed.saturating_add(1);
        } else {
            strand(&mut tx, lease).await?;
            recovered.stranded = recovered.stranded.saturating_add(1);
        }
        tx.commit_plain().await?;
    }
    Ok(recovered)
}

type KeyOwner = (OrganizationId, WorkspaceId, Option<UserId>);

async fn keys_of(store: &Store, calls: &[FoundCall]) -> Result<HashMap<KeyId, KeyOwner>, StoreError> {
    let mut keys = HashMap::new();
    for call in calls {
        let id = call.reserved.key_id;
        if keys.contains_key(&id) {
            continue;
        }
        let sql = "SELECT organization_id, workspace_id, user_id FROM api_keys WHERE id = $1";
        if let Some(row) = store.fetch(sql, vec![id.bytes().into()]).await?.first() {
            let owner = (
                OrganizationId::from_bytes(row.id(0)?),
                WorkspaceId::from_bytes(row.id(1)?),
                row.opt_id(2)?.map(UserId::from_bytes),
            );
            keys.insert(id, owner);
        }
    }
    Ok(keys)
}

/// The entry of a call as the journal tells it. A key that is not in the database can have no lease either.
fn entry(call: &FoundCall, keys: &HashMap<KeyId, KeyOwner>) -> Option<Entry> {
    let reserved = &call.reserved;
    let (organization_id, workspace_id, user_id) = *keys.get(&reserved.key_id)?;
    let settled = call.settled.unwrap_or_else(|| {
        let charge = settlement::settle(&reserved.bound, None, Outcome::Unknown);
        Settled { charge, status: 0, first_byte_micros: 0, total_micros: 0, client_left: false }
    });
    let record = UsageRecord {
        request_id: reserved.request_id,
        at: reserved.at,
        organization_id,
        workspace_id,
        key_id: reserved.key_id,
        user_id,
        role: (!reserved.role.is_empty()).then(|| reserved.role.as_str().into()),
        endpoint: reserved.endpoint,
        model_asked: reserved.model.clone(),
        model: reserved.model.as_str().into(),
        charge: settled.charge,
        price_version: reserved.price_version,
        status: settled.status,
        first_byte_micros: settled.first_byte_micros,
        total_micros: settled.total_micros,
        bound: reserved.bound,
        client_left: settled.client_left,
        would_refuse: reserved.would_refuse,
        recovered: true,
    };
    Some(Entry { record, epoch: call.epoch, holds: reserved.holds.iter().copied().collect() })
}

async fn open_leases(store: &Store, node: NodeId) -> Result<Vec<(LeaseId, i64)>, StoreError> {
    let sql = "SELECT id, epoch FROM leases WHERE node_id = $1 AND state = 'open' ORDER BY budget_id, id";
    let rows = store.fetch(sql, vec![node.bytes().into()]).await?;
    rows.iter().map(|row| Ok((LeaseId::from_bytes(row.id(0)?), row.int(1)?))).collect()
}

async fn strand(tx: &mut Tx, lease: LeaseId) -> Result<(), StoreError> {
    let sql = "UPDATE leases SET state = 'stranded' WHERE id = $1 AND state = 'open'";
    tx.execute(sql, vec![lease.bytes().into()]).await?;
    Ok(())
}

/// A lease that is given out and that nobody lives from any more.
#[derive(Clone, Copy, Debug)]
pub struct Stranded {
    /// The lease.
    pub lease: LeaseId,
    /// The budget.
    pub budget: BudgetId,
    /// The node that held it.
    pub node: NodeId,
    /// What would come back, in the budget's unit.
    pub amount: i64,
}

/// Releases the stranded leases of an organization, or of one of its budgets: what was not used of them can be spent
/// again. The caller has asked by what fence nothing can still be billed on them, and writes it into the audit log.
pub async fn release(
    tx: &mut Tx,
    permit: &Permit,
    budget: Option<BudgetId>,
) -> Result<Vec<Stranded>, StoreError> {
    let sql = "SELECT l.id, l.budget_id, l.node_id, l.amount - l.used FROM leases l \
               JOIN budget_periods p ON p.budget_id = l.budget_id AND p.starts = l.starts \
               WHERE l.state = 'stranded' AND p.organization_id = $1 ORDER BY l.budget_id, l.id";
    let rows = tx.fetch(sql, vec![permit.organization_id().bytes().into()]).await?;
    let all: Vec<Stranded> = rows.iter().map(stranded).collect::<Result<_, _>>()?;
    let chosen: Vec<Stranded> =
        all.into_iter().filter(|lease| budget.is_none_or(|budget| budget == lease.budget)).collect();
    for lease in &chosen {
        let (mut account, mut held) = both(tx, lease.lease).await?;
        held.lease.open = true;
        if account.account.close(&mut held.lease) {
            super::accounts::save_lease(tx, &held).await?;
            super::accounts::save(tx, &account).await?;
        }
    }
    Ok(chosen)
}

fn stranded(row: &Row) -> Result<Stranded, StoreError> {
    Ok(Stranded {
        lease: LeaseId::from_bytes(row.id(0)?),
        budget: BudgetId::from_bytes(row.id(1)?),
        node: NodeId::from_bytes(row.id(2)?),
        amount: row.int(3)?,
    })
}
