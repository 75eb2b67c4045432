//! The oracle finds each way in which books can be wrong, and nothing in books that are right.

use louver_domain::usage::Tokens;
use louver_proving::caller::{Refused, Tally};
use louver_proving::oracle::{Books, Member, Oracle, Standing, Used, read_usage};
use louver_proving::workload::PriceList;
use louver_simulator::{Account, Billed, Totals};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Books of both sides that agree: one key, 10 calls, 1,000 tokens in and 2,000 out at 0.15 and 0.6 dollars a million.
struct Case {
    simulator: BTreeMap<Account, Totals>,
    budgets: Value,
    usage: Value,
    tally: Tally,
    lost: bool,
}

const KEY: &str = "key_0000000000000000000000000000000a";
const WORKSPACE: &str = "00000000-0000-0000-0000-00000000000b";

impl Case {
    fn sound() -> Self {
        let account = Account {
            bearer: Some("credential".into()),
            name: Some("k0".into()),
            model: Some("mistral-small-2603".into()),
            ..Account::default()
        };
        let worked = Billed::new(1000, 2000);
        let budget = |scope: &str, id: &str, unit: &str, limit: Value, spent: Value| {
            json!({"id": "b", "name": "n", "scope": scope, "scope_id": id, "window": "month", "unit": unit,
                "limit": limit, "spent": spent, "reserved": 0, "leased": 0, "stranded": 0, "remaining": 0,
                "resets_at": "2026-12-01T00:00:00Z", "state": "open"})
        };
        let mut tally = Tally { attempts: 11, ..Tally::default() };
        tally.made.insert(0, 11);
        tally.refused.insert(0, 1);
        tally.successes.insert(0, 10);
        let most = Tokens { input: 100, cached: 0, output: 100 };
        tally.exhausted.push(Refused {
            account: 0,
            most,
            model: "mistral-small-latest",
            body: json!({"type": "budget_exhausted"}),
        });
        Self {
            simulator: BTreeMap::from([(account, Totals { calls: 10, billed: worked, worked })]),
            budgets: json!({"data": [
                budget("workspace", WORKSPACE, "usd", json!(0.0014), json!(0.001_35)),
                budget("key", KEY, "tokens", json!(4000), json!(3000)),
                budget("key", "key_0000000000000000000000000000000c", "usd", json!(0.001), json!(0)),
            ]}),
            usage: json!({"data": [{"key_id": KEY, "requests": 10, "cost_usd": 0.00135, "total_tokens": 3000}]}),
            tally,
            lost: false,
        }
    }

    fn budget(&mut self, number: usize, field: &str, value: Value) {
        self.budgets["data"][number][field] = value;
    }

    fn judge(&self) -> Vec<String> {
        let member = Member {
            name: "k0".into(),
            key: KEY.into(),
            workspace: WORKSPACE.into(),
            user: None,
            credential: "credential".into(),
        };
        let prices = PriceList::builtin();
        let oracle = Oracle { members: &[member], prices: &prices, lost: self.lost, turned: false };
        let (standings, usage): (Vec<Standing>, Vec<(String, Used)>) =
            (Standing::read(&self.budgets), read_usage(&self.usage));
        oracle.judge(&Books {
            simulator: &self.simulator,
            standings: &standings,
            usage: &usage,
            tally: &self.tally,
        })
    }
}

#[test]
fn sound_books_are_sound() {
    assert_eq!(Case::sound().judge(), Vec::<String>::new());
}

#[test]
fn each_wrong_is_found() {
    type Change = fn(&mut Case);
    let wrongs: [(&str, Change); 13] = [
        ("0.001360 spent, and the records sum up to 0.001350", |c| c.budget(0, "spent", json!(0.001_36))),
        ("more than the limit", |c| c.budget(0, "limit", json!(0.001_34))),
        ("less than the 0.001350", |c| c.budget(0, "spent", json!(0.001_349_999))),
        ("less than the 3000", |c| c.budget(1, "spent", json!(2999))),
        ("0.001450 spent, more than the limit", |c| c.budget(0, "spent", json!(0.001_45))),
        ("reserved, and nothing is in flight", |c| c.budget(2, "reserved", json!(0.000_000_001))),
        ("9 left a record", |c| c.usage["data"][0]["requests"] = json!(9)),
        ("11 records of at most 10 calls", |c| c.usage["data"][0]["requests"] = json!(11)),
        ("records say 1349000", |c| c.usage["data"][0]["cost_usd"] = json!(0.001_349)),
        ("refused as spent", |c| c.budget(0, "limit", json!(0.002))),
        ("another's credential", |c| {
            let (account, totals) = c.simulator.pop_first().unwrap();
            c.simulator.insert(Account { bearer: Some("another".into()), ..account }, totals);
        }),
        ("another's credential", |c| {
            let totals = *c.simulator.values().next().unwrap();
            c.simulator.insert(Account { name: Some("nobody".into()), ..Account::default() }, totals);
        }),
        ("as found", |c| c.tally.wrong.push("as found".into())),
    ];
    for (expected, change) in wrongs {
        let mut case = Case::sound();
        change(&mut case);
        let wrong = case.judge();
        assert!(wrong.iter().any(|wrong| wrong.contains(expected)), "{expected}: {wrong:#?}");
    }
}

#[test]
fn a_lost_journal_excuses_lost_records_and_strands_what_they_charged() {
    let mut case = Case { lost: true, ..Case::sound() };
    case.usage["data"][0]["requests"] = json!(5);
    case.usage["data"][0]["cost_usd"] = json!(0.0005);
    assert_eq!(case.judge(), Vec::<String>::new());
    case.budget(0, "spent", json!(0.001));
    case.budget(0, "stranded", json!(0.000_35));
    case.tally.exhausted.clear();
    assert_eq!(case.judge(), Vec::<String>::new());
    case.budget(0, "stranded", json!(0.000_349));
    assert_eq!(case.judge().len(), 1);
}
