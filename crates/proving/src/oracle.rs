//! Holds Louver's books against the simulator's own, and says what does not agree.

use crate::caller::Tally;
use crate::workload::PriceList;
use louver_domain::prices::Terms;
use louver_domain::usage::{Tokens, Units};
use louver_simulator::{Account, Billed, Totals};
use serde_json::Value;
use std::collections::BTreeMap;

/// A key, and everything its calls count for.
#[derive(Clone, Debug, Default)]
pub struct Member {
    /// Its name in the simulator's books.
    pub name: String,
    /// Its id, as budgets show it.
    pub key: String,
    /// Its workspace.
    pub workspace: String,
    /// The person it belongs to.
    pub user: Option<String>,
    /// The credential that its calls must go upstream with.
    pub credential: String,
}

/// Tokens, and what they cost in nano-dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bill {
    /// In nano-dollars.
    pub nanos: i128,
    /// Input and output together.
    pub tokens: i128,
}

impl Bill {
    fn of(billed: Billed, model: &str, prices: &PriceList) -> Self {
        if billed.total == 0 {
            return Self::default();
        }
        let tokens = Tokens { input: billed.prompt, cached: 0, output: billed.completion };
        let cost = prices.price(model).cost(tokens, &Units::default(), Terms::default());
        Self { nanos: cost.nanos().into(), tokens: billed.total.into() }
    }

    fn add(&mut self, other: Self) {
        self.nanos += other.nanos;
        self.tokens += other.tokens;
    }

    /// In the unit of a budget.
    pub fn in_unit(&self, unit: &str) -> i128 {
        if unit == "usd" { self.nanos } else { self.tokens }
    }
}

/// A budget as `GET /v1/gateway/budgets` shows it, in nano-dollars or tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its id.
    pub id: String,
    /// Where it stands: `organization`, `workspace`, `model_role`, `user` or `key`.
    pub scope: String,
    /// Of whom.
    pub scope_id: String,
    /// Its window.
    pub window: String,
    /// `usd` or `tokens`.
    pub unit: String,
    /// The limit.
    pub limit: i128,
    /// Used for good.
    pub spent: i128,
    /// Held by calls in flight.
    pub reserved: i128,
    /// In the hands of nodes and free.
    pub leased: i128,
    /// In leases that will not come back by themselves.
    pub stranded: i128,
    /// When its period ends.
    pub resets_at: String,
    /// `ok`, or what is the matter.
    pub state: String,
}

impl Standing {
    /// Reads the list.
    ///
    /// # Panics
    /// When it has another shape.
    pub fn read(list: &Value) -> Vec<Self> {
        let rows = list["data"].as_array().unwrap_or_else(|| panic!("no list: {list}"));
        rows.iter().map(Self::one).collect()
    }

    fn one(row: &Value) -> Self {
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let unit = text("unit");
        let amount = |name: &str| amount(&row[name], &unit).unwrap_or_else(|| panic!("no {name} in {row}"));
        Self {
            limit: amount("limit"),
            spent: amount("spent"),
            reserved: amount("reserved"),
            leased: amount("leased"),
            stranded: amount("stranded"),
            id: text("id"),
            scope: text("scope"),
            scope_id: text("scope_id"),
            window: text("window"),
            resets_at: text("resets_at"),
            state: text("state"),
            unit,
        }
    }

    /// Whether the calls of a key count here.
    pub fn covers(&self, member: &Member) -> bool {
        let id = self.scope_id.as_str();
        match self.scope.as_str() {
            "organization" => true,
            "workspace" => same(id, &member.workspace),
            "key" => same(id, &member.key),
            _ => member.user.as_deref().is_some_and(|user| same(id, user)) || same(id, &member.key),
        }
    }

    /// An amount in its unit, for people.
    pub fn show(&self, amount: i128) -> String {
        if self.unit == "usd" { format!("{:.6}", as_f64(amount) / 1e9) } else { amount.to_string() }
    }

    fn name(&self) -> String {
        let id: String = self.scope_id.chars().rev().take(4).collect::<Vec<_>>().into_iter().rev().collect();
        format!("{} …{id} {} {}", self.scope, self.window, self.unit)
    }
}

/// An amount of a unit as JSON: dollars become nano-dollars.
pub fn amount(value: &Value, unit: &str) -> Option<i128> {
    if unit == "usd" {
        #[expect(clippy::cast_possible_truncation, reason = "amounts of a test are small")]
        Some((value.as_f64()? * 1e9).round() as i128)
    } else {
        value.as_i64().map(i128::from)
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn as_f64(amount: i128) -> f64 {
    amount as f64
}

/// Ids are shown with hyphens, or with a prefix and without.
fn same(one: &str, other: &str) -> bool {
    let plain = |id: &str| id.rsplit('_').next().unwrap_or_default().replace('-', "");
    plain(one) == plain(other)
}

/// What the usage of a key sums up to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    /// Records.
    pub requests: u64,
    /// Their cost and tokens.
    pub bill: Bill,
}

/// Reads `GET /v1/gateway/usage?group_by=key`; by key.
pub fn read_usage(list: &Value) -> Vec<(String, Used)> {
    let rows = list["data"].as_array().unwrap_or_else(|| panic!("no list: {list}"));
    let used = |row: &Value| Used {
        requests: row["requests"].as_u64().unwrap(),
        bill: Bill {
            nanos: amount(&row["cost_usd"], "usd").unwrap(),
            tokens: amount(&row["total_tokens"], "tokens").unwrap(),
        },
    };
    rows.iter().map(|row| (row["key_id"].as_str().unwrap_or_default().to_owned(), used(row))).collect()
}

/// The books of both sides, at a moment when nothing is in flight.
pub struct Books<'a> {
    /// The simulator's.
    pub simulator: &'a BTreeMap<Account, Totals>,
    /// Louver's budgets.
    pub standings: &'a [Standing],
    /// Louver's usage, by key.
    pub usage: &'a [(String, Used)],
    /// What the clients got.
    pub tally: &'a Tally,
}

/// What is known from outside about who calls, and what that costs.
pub struct Oracle<'a> {
    /// The keys, in the order of the accounts.
    pub members: &'a [Member],
    /// The prices.
    pub prices: &'a PriceList,
    /// Whether a journal was lost: then the last records are missing, and what they charged is stranded.
    pub lost: bool,
    /// Whether limits were lowered by a tenth for moments: calls may have been refused by the lower ones.
    pub turned: bool,
}

impl Oracle<'_> {
    /// What upstream would bill for the calls that a budget covers.
    pub fn billed(&self, simulator: &BTreeMap<Account, Totals>, standing: &Standing) -> Bill {
        let covered = |account: &Account| {
            let name = account.name.as_deref().unwrap_or_default();
            self.members.iter().any(|member| member.name == name && standing.covers(member))
        };
        self.sum(simulator, covered)
    }

    /// What upstream would bill for all calls.
    pub fn total(&self, simulator: &BTreeMap<Account, Totals>) -> Bill {
        self.sum(simulator, |_| true)
    }

    fn sum(&self, simulator: &BTreeMap<Account, Totals>, wanted: impl Fn(&Account) -> bool) -> Bill {
        let mut bill = Bill::default();
        for (account, totals) in simulator.iter().filter(|(account, _)| wanted(account)) {
            let model = account.model.as_deref().unwrap_or_default();
            bill.add(Bill::of(totals.worked, model, self.prices));
        }
        bill
    }

    /// All that does not agree; nothing, when all is well.
    pub fn judge(&self, books: &Books<'_>) -> Vec<String> {
        let mut wrong = books.tally.wrong.clone();
        for standing in books.standings {
            self.judge_budget(books, standing, &mut wrong);
        }
        self.judge_usage(books, &mut wrong);
        self.judge_refusals(books, &mut wrong);
        self.judge_accounts(books, &mut wrong);
        wrong
    }

    fn judge_budget(&self, books: &Books<'_>, standing: &Standing, wrong: &mut Vec<String>) {
        let billed = self.billed(books.simulator, standing).in_unit(&standing.unit);
        let show = |amount| standing.show(amount);
        let name = standing.name();
        if billed > standing.limit {
            let (billed, limit) = (show(billed), show(standing.limit));
            wrong.push(format!("{name}: upstream billed {billed}, more than the limit {limit}"));
        }
        let kept = if self.lost { standing.leased + standing.stranded } else { 0 };
        if standing.spent + kept < billed {
            let (billed, spent) = (show(billed), show(standing.spent + kept));
            wrong.push(format!("{name}: {spent} spent, less than the {billed} that upstream billed"));
        }
        if standing.spent > standing.limit {
            let (spent, limit) = (show(standing.spent), show(standing.limit));
            wrong.push(format!("{name}: {spent} spent, more than the limit {limit}"));
        }
        let recorded = self.recorded(books, standing);
        if standing.spent != recorded && !self.lost {
            let (spent, recorded) = (show(standing.spent), show(recorded));
            wrong.push(format!("{name}: {spent} spent, and the records sum up to {recorded}"));
        }
        if standing.reserved != 0 {
            let reserved = show(standing.reserved);
            wrong.push(format!("{name}: {reserved} reserved, and nothing is in flight"));
        }
    }

    /// What Louver's own records sum up to for a budget.
    fn recorded(&self, books: &Books<'_>, standing: &Standing) -> i128 {
        let covered = self.members.iter().filter(|member| standing.covers(member));
        let used = |member: &Member| {
            let of_key = books.usage.iter().filter(|(key, _)| same(key, &member.key));
            of_key.map(|(_, used)| used.bill.in_unit(&standing.unit)).sum::<i128>()
        };
        covered.map(used).sum()
    }

    fn judge_usage(&self, books: &Books<'_>, wrong: &mut Vec<String>) {
        for (number, member) in self.members.iter().enumerate() {
            let used = books.usage.iter().find(|(key, _)| same(key, &member.key)).map(|(_, used)| *used);
            let used = used.unwrap_or_default();
            let count = |of: &BTreeMap<usize, u64>| of.get(&number).copied().unwrap_or(0);
            let (answered, made) = (count(&books.tally.successes), count(&books.tally.made));
            let admitted = made - count(&books.tally.refused);
            let name = &member.name;
            if used.requests < answered && !self.lost {
                wrong.push(format!("{name}: {answered} calls succeeded, {} left a record", used.requests));
            }
            if used.requests > admitted {
                wrong.push(format!("{name}: {} records of at most {admitted} calls", used.requests));
            }
            let billed = self.sum(books.simulator, |account| account.name.as_ref() == Some(name));
            if used.bill.nanos < billed.nanos && !self.lost {
                let (recorded, billed) = (used.bill.nanos, billed.nanos);
                wrong.push(format!("{name}: records say {recorded} nano-dollars, upstream billed {billed}"));
            }
        }
    }

    /// A budget is called spent only where what is spent and the call's bound are more than the limit.
    fn judge_refusals(&self, books: &Books<'_>, wrong: &mut Vec<String>) {
        let mut told = 0;
        for refused in &books.tally.exhausted {
            let member = &self.members[refused.account];
            let cost = self
                .prices
                .price(refused.model)
                .cost(refused.most, &Units::default(), Terms::default())
                .nanos();
            let tokens = refused.most.input + refused.most.output;
            let most = Bill { nanos: cost.into(), tokens: tokens.into() };
            let mut chain = books.standings.iter().filter(|standing| standing.covers(member));
            let limit = |s: &Standing| if self.turned { s.limit / 10 * 9 } else { s.limit };
            if !chain.any(|s| s.spent + most.in_unit(&s.unit) > limit(s)) && told < 5 {
                told += 1;
                wrong.push(format!(
                    "{}: refused as spent, and a call of at most {} nano-dollars and {} tokens would fit: {}",
                    member.name, most.nanos, most.tokens, refused.body
                ));
            }
        }
    }

    /// Every call went upstream with the credential of its workspace.
    fn judge_accounts(&self, books: &Books<'_>, wrong: &mut Vec<String>) {
        for (account, totals) in books.simulator {
            // A call that was cut off in the middle names nobody, and nothing is billed for it.
            if account.name.is_none() && totals.worked.total == 0 {
                continue;
            }
            let member = self.members.iter().find(|member| Some(&member.name) == account.name.as_ref());
            let own = member.is_some_and(|m| account.bearer.as_ref() == Some(&m.credential));
            if !own {
                wrong.push(format!("a call of {:?} went upstream with another's credential", account.name));
            }
        }
    }

    /// The budgets side by side, one line each.
    pub fn table(&self, books: &Books<'_>) -> String {
        let mut text = format!(
            "{:<34} {:>12} {:>12} {:>12} {:>7} {:>10} {:>10} {:>10}  {}\n",
            "budget", "limit", "spent", "billed", "ratio", "reserved", "leased", "stranded", "state"
        );
        for standing in books.standings {
            let billed = self.billed(books.simulator, standing).in_unit(&standing.unit);
            let ratio = as_f64(billed) / as_f64(standing.limit.max(1));
            let [limit, spent, billed, reserved, leased, stranded] = [
                standing.limit,
                standing.spent,
                billed,
                standing.reserved,
                standing.leased,
                standing.stranded,
            ]
            .map(|amount| standing.show(amount));
            text += &format!(
                "{:<34} {limit:>12} {spent:>12} {billed:>12} {ratio:>7.4} {reserved:>10} {leased:>10} \
                 {stranded:>10}  {}\n",
                standing.name(),
                standing.state
            );
        }
        text
    }
}
