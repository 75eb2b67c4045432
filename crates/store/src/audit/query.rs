//! Reads the audit log: filtered, in the order of time, a page at a time.
//!
//! A page is put together out of branches, one for each event (and kind of actor) that is asked for: each is a walk along
//! an index that stops when it has enough for a page. So a page costs the same in a log of any length, whatever is
//! rare in it.

use super::{columns, read};
use crate::db::{Row, Store, Value};
use crate::dialect::Dialect;
use crate::error::StoreError;
use louver_domain::audit::AuditRecord;
use louver_domain::audit::chain::Hash;
use louver_domain::id::{EventId, OrganizationId, WorkspaceId};
use louver_domain::time::Timestamp;

/// Which records are asked for. What is not named is not asked about.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// One of these events; none stand for all.
    pub events: Vec<String>,
    /// One of these kinds of actors; none stand for all.
    pub actor_kinds: Vec<String>,
    /// One of these kinds of targets; none stand for all.
    pub target_types: Vec<String>,
    /// By this actor.
    pub actor_id: Option<String>,
    /// On this object.
    pub target_id: Option<String>,
    /// In this workspace.
    pub workspace_id: Option<WorkspaceId>,
    /// With this outcome.
    pub outcome: Option<String>,
    /// Not before this.
    pub from: Option<Timestamp>,
    /// Before this.
    pub to: Option<Timestamp>,
}

/// Where a page begins, in which direction it goes, and how long it is.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Beyond the record of that time and place.
    pub beyond: Option<(Timestamp, u64)>,
    /// The oldest first.
    pub ascending: bool,
    /// At most so many.
    pub limit: u32,
}

/// One page of an organization's log, with the hash of each record.
pub async fn page(
    store: &Store,
    organization: OrganizationId,
    filter: &Filter,
    page: Page,
) -> Result<Vec<(AuditRecord, Hash)>, StoreError> {
    let mut statement = Statement::new(store.dialect(), organization, page);
    statement.write(filter);
    store.fetch_made(statement.sql, statement.values).await?.iter().map(read).collect()
}

/// Where the record of that id stands in the order of time.
pub async fn find(
    store: &Store,
    organization: OrganizationId,
    id: EventId,
) -> Result<Option<(Timestamp, u64)>, StoreError> {
    let sql = "SELECT at, place FROM audit_events WHERE id = $1 AND organization_id = $2";
    let rows = store.fetch(sql, vec![id.bytes().into(), organization.bytes().into()]).await?;
    rows.first().map(|row| Ok((Timestamp::from_micros(row.int(0)?), row.count(1)?))).transpose()
}

/// A record on its way out of the chain: with the hash before it, as far as that is there.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The record.
    pub record: AuditRecord,
    /// The hash before it; of the first record after a cut, the cut's.
    pub previous: Option<Hash>,
    /// Its own hash.
    pub hash: Hash,
}

/// Records in the order of the chain, from beyond `place` up to `until`, at most `limit` of which only those that the
/// filter lets through are answered; and the place up to which was looked.
pub async fn along(
    store: &Store,
    organization: OrganizationId,
    filter: &Filter,
    (place, until): (u64, u64),
    limit: u32,
) -> Result<(Vec<Exported>, u64), StoreError> {
    let last = place.saturating_add(u64::from(limit)).min(until);
    let sql = concat!(
        "SELECT ",
        columns!(),
        ", (SELECT p.hash FROM audit_events p WHERE p.organization_id = e.organization_id AND p.place = e.place - 1), ",
        "(SELECT c.hash FROM audit_cuts c WHERE c.organization_id = e.organization_id AND c.place = e.place - 1) ",
        "FROM audit_events e WHERE organization_id = $1 AND place > $2 AND place <= $3 ORDER BY place"
    );
    let values = vec![organization.bytes().into(), place.into(), last.into()];
    let mut exported = Vec::new();
    for row in &store.fetch(sql, values).await? {
        let record = exported_of(row)?;
        if filter.admits(&record.record) {
            exported.push(record);
        }
    }
    Ok((exported, last))
}

fn exported_of(row: &Row) -> Result<Exported, StoreError> {
    let (record, hash) = read(row)?;
    let before = row.opt_bytes(20)?.or(row.opt_bytes(21)?);
    let before = before.and_then(|bytes| bytes.try_into().ok()).map(Hash::from_bytes);
    let previous = before.or((record.place == 1).then_some(Hash::START));
    Ok(Exported { record, previous, hash })
}

impl Filter {
    /// Whether nothing is filtered out.
    pub fn is_open(&self) -> bool {
        self.events.is_empty()
            && self.actor_kinds.is_empty()
            && self.target_types.is_empty()
            && self.actor_id.is_none()
            && self.target_id.is_none()
            && self.workspace_id.is_none()
            && self.outcome.is_none()
            && self.from.is_none()
            && self.to.is_none()
    }

    /// Whether the record is asked for.
    pub fn admits(&self, record: &AuditRecord) -> bool {
        let one_of = |list: &[String], word: &String| list.is_empty() || list.contains(word);
        let same =
            |wanted: &Option<String>, word: &String| wanted.as_ref().is_none_or(|wanted| wanted == word);
        one_of(&self.events, &record.event)
            && one_of(&self.actor_kinds, &record.actor_kind)
            && one_of(&self.target_types, &record.target_type)
            && same(&self.actor_id, &record.actor_id)
            && same(&self.target_id, &record.target_id)
            && same(&self.outcome, &record.outcome)
            && self.workspace_id.is_none_or(|id| record.workspace_id == Some(id))
            && self.from.is_none_or(|from| record.at >= from)
            && self.to.is_none_or(|to| record.at < to)
    }
}

/// A statement as it is put together.
struct Statement {
    dialect: Dialect,
    organization: OrganizationId,
    page: Page,
    sql: String,
    values: Vec<Value>,
}

impl Statement {
    fn new(dialect: Dialect, organization: OrganizationId, page: Page) -> Self {
        Self { dialect, organization, page, sql: String::new(), values: Vec::new() }
    }

    fn put(&mut self, text: &str) {
        self.sql.push_str(text);
    }

    /// A condition with one value.
    fn is(&mut self, condition: &str, value: impl Into<Value>) {
        self.values.push(value.into());
        let parameter = self.dialect.parameter(self.values.len());
        self.sql.push_str(condition);
        self.sql.push_str(&parameter);
    }

    fn order(&mut self) {
        self.put(if self.page.ascending { " ORDER BY at, place" } else { " ORDER BY at DESC, place DESC" });
    }

    fn write(&mut self, filter: &Filter) {
        let branches = branches(filter);
        let [only] = branches.as_slice() else { return self.write_union(filter, &branches) };
        self.put(concat!("SELECT ", columns!(), " FROM audit_events WHERE "));
        self.branch(filter, *only);
    }

    /// The keys of the page first, out of all branches, then their rows. The join names the order in which the tables are
    /// read: a planner that avoids the sort of a page would walk along the whole log.
    fn write_union(&mut self, filter: &Filter, branches: &[Branch<'_>]) {
        self.put(concat!("SELECT ", columns!(), " FROM (SELECT key_place, key_at FROM ("));
        for (number, branch) in branches.iter().enumerate() {
            if number > 0 {
                self.put(" UNION ALL ");
            }
            self.put("SELECT key_place, key_at FROM (SELECT place AS key_place, at AS key_at FROM audit_events WHERE ");
            self.branch(filter, *branch);
            // Older servers want a name for each table of a FROM.
            self.put(&format!(") b{number}"));
        }
        self.put(") u");
        self.order_keys();
        self.is(" LIMIT ", i64::from(self.page.limit));
        self.put(") k CROSS JOIN audit_events WHERE place = key_place AND ");
        self.is("organization_id = ", self.organization.bytes());
        self.order_keys();
    }

    fn order_keys(&mut self) {
        let order = if self.page.ascending {
            " ORDER BY key_at, key_place"
        } else {
            " ORDER BY key_at DESC, key_place DESC"
        };
        self.put(order);
    }

    fn branch(&mut self, filter: &Filter, branch: Branch<'_>) {
        self.is("organization_id = ", self.organization.bytes());
        if let Some(event) = branch.event {
            self.is(" AND event = ", event);
        }
        if let Some(kind) = branch.actor_kind {
            self.is(" AND actor_kind = ", kind);
        }
        if !filter.target_types.is_empty() {
            for (number, target) in filter.target_types.iter().enumerate() {
                self.is(if number == 0 { " AND target_type IN (" } else { ", " }, target.as_str());
            }
            self.put(")");
        }
        if let Some(id) = &filter.actor_id {
            self.is(" AND actor_id = ", id.as_str());
        }
        if let Some(id) = &filter.target_id {
            self.is(" AND target_id = ", id.as_str());
        }
        if let Some(id) = filter.workspace_id {
            self.is(" AND workspace_id = ", id.bytes());
        }
        if let Some(outcome) = &filter.outcome {
            self.is(" AND outcome = ", outcome.as_str());
        }
        if let Some(from) = filter.from {
            self.is(" AND at >= ", from.micros());
        }
        if let Some(to) = filter.to {
            self.is(" AND at < ", to.micros());
        }
        if let Some((at, place)) = self.page.beyond {
            self.is(
                if self.page.ascending { " AND (at, place) > (" } else { " AND (at, place) < (" },
                at.micros(),
            );
            self.is(", ", place);
            self.put(")");
        }
        self.order();
        self.is(" LIMIT ", i64::from(self.page.limit));
    }
}

/// One walk along an index.
#[derive(Clone, Copy)]
struct Branch<'a> {
    event: Option<&'a str>,
    actor_kind: Option<&'a str>,
}

fn branches(filter: &Filter) -> Vec<Branch<'_>> {
    let any = |list: &'_ [String]| -> Vec<Option<usize>> {
        if list.is_empty() { vec![None] } else { (0..list.len()).map(Some).collect() }
    };
    let mut branches = Vec::new();
    for event in any(&filter.events) {
        for kind in any(&filter.actor_kinds) {
            let event = event.and_then(|at| filter.events.get(at)).map(String::as_str);
            let actor_kind = kind.and_then(|at| filter.actor_kinds.get(at)).map(String::as_str);
            branches.push(Branch { event, actor_kind });
        }
    }
    branches
}
