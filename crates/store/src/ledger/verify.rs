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

/// Where an organization's hourly sums and records differ; also when one side has nothing at all.
macro_rules! hours_and_records {
    ($hours:literal, $records:literal, $adjustments:literal) => {
        concat!(
            "SELECT organization_id, CAST(SUM(h) AS BIGINT), CAST(SUM(r) AS BIGINT) FROM (SELECT organization_id, ",
            $hours,
            " AS h, 0 AS r FROM usage_hourly UNION ALL SELECT organization_id, 0, ",
            $records,
            " FROM usage_records UNION ALL SELECT organization_id, 0, ",
            $adjustments,
            " FROM adjustments) AS b GROUP BY organization_id HAVING SUM(h) <> SUM(r)"
        )
    };
}

/// Where the leases of a period are charged more than all calls of the organization used in it.
macro_rules! leases_and_records {
    ($amount:literal, $kinds:literal) => {
        concat!(
            "SELECT p.budget_id, CAST(SUM(l.used) AS BIGINT), u.used FROM budget_periods p ",
            "JOIN leases l ON l.budget_id = p.budget_id AND l.starts = p.starts ",
            "JOIN (SELECT q.budget_id, q.starts, CAST(COALESCE(SUM(",
            $amount,
            "), 0) AS BIGINT) AS used FROM budget_periods q LEFT JOIN usage_records r ",
            "ON r.organization_id = q.organization_id AND r.at >= q.starts AND r.at < q.ends WHERE q.kind LIKE '",
            $kinds,
            "' GROUP BY q.budget_id, q.starts) u ON u.budget_id = p.budget_id AND u.starts = p.starts ",
            "GROUP BY p.budget_id, p.starts, u.used HAVING CAST(SUM(l.used) AS BIGINT) > u.used"
        )
    };
}

/// Each query answers where its rule does not hold: an id, and the two sides.
const RULES: [(&str, &str); 9] = [
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
        "every lease is of an account",
        "SELECT l.id, l.amount, CAST(0 AS BIGINT) FROM leases l \
         LEFT JOIN budget_periods p ON p.budget_id = l.budget_id AND p.starts = l.starts WHERE p.budget_id IS NULL",
    ),
    (
        "no more is given out than the limit of the last grant, but for overruns and what was carried",
        "SELECT budget_id, allocated, granted_under + overrun FROM budget_periods \
         WHERE granted_under > 0 AND carried <= granted_under AND allocated > granted_under + overrun",
    ),
    (
        "the hourly sums of cost are those of the records",
        hours_and_records!("cost_nanos", "cost_nanos", "cost_nanos"),
    ),
    (
        "the hourly sums of tokens are those of the records",
        hours_and_records!(
            "input_tokens + output_tokens",
            "input_tokens + output_tokens",
            "input_tokens + output_tokens"
        ),
    ),
    ("the hourly sums of calls are those of the records", hours_and_records!("requests", "1", "0")),
    (
        "leases of a period are charged no more dollars than the records of its organization in it",
        leases_and_records!("r.cost_nanos", "%usd"),
    ),
    (
        "leases of a period are charged no more tokens than the records of its organization in it",
        leases_and_records!("r.input_tokens + r.output_tokens", "%token%"),
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
