//! Organizations to call in: workspaces, people, keys, and budgets on each level.

use crate::caller::Account;
use crate::installation::{Admin, Installation};
use crate::oracle::Member;
use louver_domain::money::Money;
use serde_json::{Value, json};
use std::sync::Arc;

/// Which organization.
#[derive(Clone, Debug)]
pub enum Scene {
    /// One workspace with this budget a month, and so many keys without budgets of their own.
    Workspace {
        /// A month.
        budget: Money,
        /// Keys in it.
        keys: usize,
    },
    /// Budgets on every level that there is, measured so that calls of this cost in all would use up some of them.
    Chain {
        /// About what all calls would cost.
        scale: Money,
    },
}

/// A scene that is set.
pub struct Set {
    /// The keys to call with.
    pub accounts: Arc<[Account]>,
    /// What their calls count for, in the same order.
    pub members: Vec<Member>,
    /// Limits that may be lowered and raised again while calls are made.
    pub dials: Vec<Dial>,
}

/// A limit that may be turned.
pub struct Dial {
    /// Where it is set.
    path: String,
    /// The limits as they stand.
    full: Value,
    /// A tenth less of each.
    lower: Value,
}

impl Dial {
    fn new(path: &str, limits: &[(&str, Money)]) -> Self {
        let of = |tenths: i64| {
            let part = |(name, full): &(&str, Money)| {
                ((*name).to_owned(), json!(Money::from_nanos(full.nanos() / 10 * tenths)))
            };
            Value::Object(limits.iter().map(part).collect())
        };
        let organization = path.ends_with("/organization");
        let wrapped = |limits: Value| if organization { json!({"limits": limits}) } else { limits };
        Self { path: path.to_owned(), full: wrapped(of(10)), lower: wrapped(of(9)) }
    }

    async fn set(&self, admin: &Admin) {
        admin.deed("PATCH", &self.path, self.full.clone()).await;
    }

    /// Lowers it, and raises it again.
    pub async fn turn(&self, admin: &Admin) {
        admin.deed("PATCH", &self.path, self.lower.clone()).await;
        self.set(admin).await;
    }
}

impl Scene {
    /// Sets it up over the admin API.
    pub async fn set(&self, installation: &Installation, admin: &Admin) -> Set {
        let mut cast = Cast { admin, accounts: Vec::new(), members: Vec::new(), dials: Vec::new() };
        let home = installation.workspace.as_str();
        match self {
            Self::Workspace { budget, keys } => {
                admin.credential(home, "upstream-home").await;
                cast.dial(&workspace_limits(home), &[("monthly_budget_usd", *budget)]).await;
                for _ in 0..*keys {
                    cast.key(home, "upstream-home", None, json!({})).await;
                }
            }
            Self::Chain { scale } => chain(&mut cast, home, *scale).await,
        }
        Set { accounts: cast.accounts.into(), members: cast.members, dials: cast.dials }
    }
}

/// Keys as they are made.
struct Cast<'a> {
    admin: &'a Admin,
    accounts: Vec<Account>,
    members: Vec<Member>,
    dials: Vec<Dial>,
}

impl Cast<'_> {
    async fn dial(&mut self, path: &str, limits: &[(&str, Money)]) {
        let dial = Dial::new(path, limits);
        dial.set(self.admin).await;
        self.dials.push(dial);
    }

    async fn key(&mut self, workspace: &str, credential: &str, user: Option<&str>, fields: Value) {
        let name = format!("k{}", self.accounts.len());
        let mut body = json!({"workspace_id": workspace});
        if let Some(user) = user {
            body["owner_user_id"] = json!(user);
        }
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let (secret, key) = self.admin.key(&name, body).await;
        self.accounts.push(Account { name: name.clone(), secret });
        let (workspace, user) = (workspace.to_owned(), user.map(str::to_owned));
        self.members.push(Member { name, key, workspace, user, credential: credential.to_owned() });
    }
}

fn workspace_limits(workspace: &str) -> String {
    format!("/v1/gateway/workspaces/{workspace}/limits")
}

/// Part of an amount.
const fn part(scale: Money, per_cent: i64) -> Money {
    Money::from_nanos(scale.nanos() / 100 * per_cent)
}

/// Two workspaces, a person with a budget, and a person with a role that has a budget of tokens a day.
async fn chain(cast: &mut Cast<'_>, home: &str, scale: Money) {
    let admin = cast.admin;
    admin.credential(home, "upstream-home").await;
    let person = admin.user("person@example.com").await;
    let away = admin.workspace("away", &person, "upstream-away").await;
    let other = admin.user("other@example.com").await;
    // A token costs about 500 nano-dollars in these calls.
    let tokens = scale.nanos() / 500;
    let role = json!({"name": "proven", "allowed_models": ["*"], "max_tokens_per_request": 3000,
        "daily_token_budget": tokens / 10});
    admin.deed("POST", "/v1/gateway/roles", role).await;
    let body = json!({"role": "proven"});
    let path = format!("/v1/gateway/workspaces/{away}/members/{other}/model-role");
    admin.deed("PUT", &path, body).await;
    let path = format!("/v1/gateway/workspaces/{home}/members/{person}/model-role");
    admin.deed("PUT", &path, json!({"role": null})).await;
    let limits = [("monthly_budget_usd", part(scale, 80)), ("daily_budget_usd", part(scale, 75))];
    cast.dial("/v1/gateway/organization", &limits).await;
    admin.deed("PATCH", &workspace_limits(&away), json!({"tokens_per_month": tokens / 2})).await;
    cast.dial(&workspace_limits(home), &[("monthly_budget_usd", part(scale, 35))]).await;
    cast.dial(&workspace_limits(&away), &[("monthly_budget_usd", part(scale, 70))]).await;
    let path = format!("/v1/gateway/users/{person}/limits");
    cast.dial(&path, &[("monthly_budget_usd", part(scale, 10))]).await;
    cast.key(home, "upstream-home", None, json!({})).await;
    cast.key(home, "upstream-home", None, json!({"monthly_budget_usd": part(scale, 5)})).await;
    cast.key(&away, "upstream-away", None, json!({})).await;
    cast.key(&away, "upstream-away", Some(&person), json!({})).await;
    cast.key(home, "upstream-home", Some(&person), json!({})).await;
    cast.key(&away, "upstream-away", Some(&other), json!({})).await;
}
