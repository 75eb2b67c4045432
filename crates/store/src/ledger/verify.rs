//! Whether the books agree: the invariants of the ledger, checked on a live database.

use crate::db::Store;
use crate::error::StoreError;

/// A place where a rule does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// The rule.
    pub rule: &'static str,
    /// The id of the budget, lease or organization, in hexadecimal.
    pub place: String,
    /// The two sides.
    pub sides: (i64, i64),
}

/// Each query answers where its rule does not hold: an id, and the two sides.
const RULES: [(&str, &str); 5] = [
    (
        "what is given out of a budget is what was carried, used, and is still held on leases",
        "SELECT p.budget_id, p.allocated, p.carried + CAST(COALESCE(SUM(CASE WHEN l.state = 'closed' THEN l.used \
         ELSE l.amount END), 0) AS BIGINT) FROM budget_periods p \
         LEFT JOIN leases l ON l.budget_id = p.budget_id AND l.starts = p.starts \
         GROUP BY p.budget_id, p.starts, p.allocated, p.carried \
         HAVING p.allocated <> p.carried + CAST(COALESCE(SUM(CASE WHEN l.state = 'closed' THEN l.used ELSE l.amount \
         END), 0) AS BIGINT)",
    ),
    ("a lease is not used beyond its amount", "SELECT id, used, amount FROM leases WHERE used > amount"),
    (
        "no more is given out than the limit of the last grant, but for overruns and what was carried",
        "SELECT budget_id, allocated, granted_under + overrun FROM budget_periods \
         WHERE granted_under > 0 AND carried <= granted_under AND allocated > granted_under + overrun",
    ),
    (
        "the hourly sums are the sums of the records",
        "SELECT h.organization_id, h.cost, r.cost FROM (SELECT organization_id, CAST(SUM(cost_nanos) AS BIGINT) AS cost \
         FROM usage_hourly GROUP BY organization_id) h JOIN (SELECT organization_id, CAST(SUM(cost_nanos) AS BIGINT) \
         AS cost FROM usage_records GROUP BY organization_id) r ON r.organization_id = h.organization_id \
         WHERE h.cost <> r.cost",
    ),
    (
        "leases of a period are charged no more than the records of its organization in it",
        "SELECT p.budget_id, CAST(SUM(l.used) AS BIGINT), u.cost FROM budget_periods p \
         JOIN leases l ON l.budget_id = p.budget_id AND l.starts = p.starts \
         JOIN (SELECT q.budget_id, q.starts, CAST(COALESCE(SUM(r.cost_nanos), 0) AS BIGINT) AS cost FROM \
         budget_periods q LEFT JOIN usage_records r ON r.organization_id = q.organization_id AND r.at >= q.starts \
         AND r.at < q.ends WHERE q.kind LIKE '%usd' GROUP BY q.budget_id, q.starts) u \
         ON u.budget_id = p.budget_id AND u.starts = p.starts GROUP BY p.budget_id, p.starts, u.cost \
         HAVING CAST(SUM(l.used) AS BIGINT) > u.cost",
    ),
];

/// Checks the invariants, all in one state of the database. Nothing is what should be answered.
pub async fn verify(store: &Store) -> Result<Vec<Disagreement>, StoreError> {
    let mut tx = store.begin_read().await?;
    let mut found = Vec::new();
    for (rule, sql) in RULES {
        for row in tx.fetch(sql, vec![]).await? {
            let place = row.bytes(0)?.iter().map(|byte| format!("{byte:02x}")).collect();
            found.push(Disagreement { rule, place, sides: (row.int(1)?, row.int(2)?) });
        }
    }
    tx.commit_plain().await?;
    Ok(found)
}
