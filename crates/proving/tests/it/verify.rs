//! The check of the books can fail: each rule is broken by hand, and the check names it.

use crate::fixtures::{Fixture, record};
use louver_domain::budgets::{Budget, BudgetKind, Scope};
use louver_domain::calendar::Zone;
use louver_domain::id::{LeaseId, NodeId};
use louver_domain::ledger::Wish;
use louver_domain::limits::Level;
use louver_proving::clock::ManualClock;
use louver_proving::database;
use louver_proving::system::{Setup, System, chat};
use louver_store::Store;
use louver_store::ledger::entries::{self, Entry, Hold, Holds};
use louver_store::ledger::verify::{Disagreement, verify};
use louver_store::ledger::{self, Ask, Holder, standings};
use serde_json::json;
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};
use std::sync::Arc;

const MODEL: &str = "mistral-small-latest";

/// Runs a statement that no code of Louver would.
pub(crate) async fn break_by_hand(url: &str, sql: &'static str) {
    let touched = if url.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(url).await.unwrap();
        let done = connection.execute(sql).await.unwrap().rows_affected();
        connection.close().await.unwrap();
        done
    } else {
        let mut connection = PgConnection::connect(url).await.unwrap();
        let done = connection.execute(sql).await.unwrap().rows_affected();
        connection.close().await.unwrap();
        done
    };
    assert!(touched > 0, "{sql} touches nothing");
}

/// A system with budgets in dollars and tokens on which calls were made, at its end.
async fn used(postgres: bool) -> System {
    let mut system = System::with(Setup { postgres, ..Setup::default() }).await;
    let path = format!("/v1/gateway/workspaces/{}/limits", system.workspace);
    system.deed("PATCH", &path, json!({"monthly_budget_usd": 10, "tokens_per_month": 1_000_000})).await;
    let (key, _) = system.key(json!({})).await;
    for _ in 0..3 {
        assert_eq!(system.chat(&key, MODEL).await.status, 200);
    }
    system.stop().await;
    assert_eq!(verify(&system.store).await.unwrap(), []);
    system
}

#[tokio::test]
async fn each_rule_is_seen_when_it_is_broken() {
    const GIVEN_OUT: &str = "what is given out";
    const BEYOND: &str = "not used beyond its amount";
    const LIMIT: &str = "limit of the last grant";
    const COST: &str = "hourly sums of cost";
    const TOKENS: &str = "hourly sums of tokens";
    const CALLS: &str = "hourly sums of calls";
    const DOLLARS_CHARGED: &str = "charged no more dollars";
    const TOKENS_CHARGED: &str = "charged no more tokens";
    let cases: [(&'static str, &[&str]); 13] = [
        (
            "UPDATE budget_periods SET allocated = allocated + 1 WHERE kind = 'monthly_budget_usd'",
            &[GIVEN_OUT],
        ),
        ("UPDATE budget_periods SET carried = carried + 1", &[GIVEN_OUT]),
        ("DELETE FROM leases", &[GIVEN_OUT]),
        ("UPDATE leases SET amount = used - 1", &[BEYOND]),
        ("UPDATE budget_periods SET granted_under = 1", &[LIMIT]),
        ("DELETE FROM budget_periods", &["every lease is of an account"]),
        ("UPDATE usage_hourly SET cost_nanos = cost_nanos + 1", &[COST]),
        ("UPDATE usage_hourly SET output_tokens = output_tokens + 1", &[TOKENS]),
        ("UPDATE usage_hourly SET requests = requests + 1", &[CALLS]),
        ("DELETE FROM usage_hourly", &[COST, TOKENS, CALLS]),
        ("DELETE FROM usage_records", &[COST, TOKENS, CALLS, DOLLARS_CHARGED, TOKENS_CHARGED]),
        ("UPDATE usage_records SET cost_nanos = cost_nanos - 1", &[COST, DOLLARS_CHARGED]),
        ("UPDATE usage_records SET input_tokens = input_tokens - 1", &[TOKENS, TOKENS_CHARGED]),
    ];
    for postgres in [false, true] {
        for (sql, rules) in cases {
            let system = used(postgres).await;
            break_by_hand(&system.database_url, sql).await;
            let found = verify(&system.store).await.unwrap();
            for rule in rules {
                assert!(found.iter().any(|found| found.rule.contains(rule)), "{sql}: {rule} in {found:?}");
            }
            for Disagreement { rule, place, sides } in &found {
                assert!(rules.iter().any(|wanted| rule.contains(wanted)), "{sql}: {rule} is not broken");
                assert!(place.len() == 32 && sides.0 != sides.1, "{sql}: {found:?}");
            }
        }
    }
}

#[tokio::test]
async fn both_sides_of_a_disagreement_are_told() {
    let system = used(false).await;
    let at = louver_domain::time::Clock::now(&*system.clock);
    let before = standings::running(&system.store, at).await.unwrap();
    break_by_hand(&system.database_url, "UPDATE budget_periods SET allocated = allocated + 7").await;
    let found = verify(&system.store).await.unwrap();
    assert_eq!(found.len(), before.len());
    for standing in before {
        let id: String = standing.budget.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let found = found.iter().find(|found| found.place == id).unwrap();
        assert_eq!(found.sides, (standing.allocated + 7, standing.allocated));
    }
}

/// What is right is not called wrong: a limit in the shadow gives out without end, and one that was away for a while
/// counts what was used meanwhile.
#[tokio::test]
async fn limits_in_the_shadow_and_limits_set_anew_are_no_disagreement() {
    for postgres in [false, true] {
        let mut system = System::with(Setup { postgres, ..Setup::default() }).await;
        let path = format!("/v1/gateway/workspaces/{}/limits", system.workspace);
        let limit = async |system: &System, limits| system.deed("PATCH", &path, limits).await;
        let (key, _) = system.key(json!({})).await;
        let mut body = chat(MODEL);
        body["max_tokens"] = json!(10);
        let call = async |system: &System| system.post(&key, "/v1/chat/completions", &body).await.status;
        let agree = async |system: &System| assert_eq!(verify(&system.store).await.unwrap(), []);
        limit(&system, json!({"tokens_per_month": 50, "mode": "shadow"})).await;
        for _ in 0..5 {
            assert_eq!(call(&system).await, 200);
            agree(&system).await;
        }
        limit(&system, json!({"tokens_per_month": 1000, "mode": "enforce"})).await;
        while call(&system).await == 200 {
            agree(&system).await;
        }
        limit(&system, json!({"tokens_per_month": null})).await;
        for _ in 0..10 {
            assert_eq!(call(&system).await, 200);
        }
        system.restart().await;
        agree(&system).await;
        limit(&system, json!({"tokens_per_month": 1000})).await;
        assert_eq!(call(&system).await, 429, "more is used than the limit allows");
        agree(&system).await;
        system.stop().await;
        agree(&system).await;
    }
}

/// On a server a lease grows in one transaction while calls are charged on it in another: both must count.
#[tokio::test]
async fn a_charge_that_is_written_while_its_lease_changes_is_not_lost() {
    for postgres in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let url = if postgres { database::postgres() } else { database::sqlite(folder.path()) };
        let clock = Arc::new(ManualClock::at("2026-11-21T02:31:58Z"));
        let store = Store::open(&url, clock.clone()).await.unwrap().by_clock(clock.clone());
        store.migrate().await.unwrap();
        let f = Fixture::write(&store).await;
        let scope = Scope::of(Level::Organization, f.organization.id.bytes());
        let budget = Budget::of_limits(&scope, &f.organization.limits, &Zone::default()).remove(0);
        let holder = Holder { node: NodeId::from_bytes([1; 16]), epoch: 7 };
        let mut ask = Ask {
            organization_id: f.organization.id,
            budget: Arc::new(budget),
            held: None,
            fresh: LeaseId::of(7, 1),
            sequence: 1,
            wish: Wish { least: 1, all: 1, nodes: 1 },
            left: 0,
            charged: 0,
            overrun: false,
        };
        let mut amount = 0;
        for number in 0..100 {
            let hold = Hold { lease: 1, kind: BudgetKind::MonthlyUsd };
            let entry =
                Entry { record: record(&f, number, f.at), epoch: 7, holds: Holds::from_slice(&[hold]) };
            let entries = [entry];
            let asks = [ask.clone()];
            let reply = if number == 0 {
                let replies = ledger::grow(&store, holder, &asks).await.unwrap();
                entries::insert(&store, &entries).await.unwrap();
                replies[0]
            } else {
                let both =
                    tokio::join!(ledger::grow(&store, holder, &asks), entries::insert(&store, &entries));
                both.1.unwrap();
                both.0.unwrap()[0]
            };
            assert!(reply.lease.amount > amount, "{reply:?}");
            amount = reply.lease.amount;
            ask.held = Some((reply.lease_id, reply.period));
            ask.sequence += 1;
        }
        let standings = standings::running(&store, f.at).await.unwrap();
        assert_eq!(standings[0].spent, 100 * 1500, "postgres: {postgres}");
        assert_eq!(verify(&store).await.unwrap(), []);
    }
}
