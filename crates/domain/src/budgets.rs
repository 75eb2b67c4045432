//! Budgets: how much money or how many tokens a scope may use in a calendar window.
//!
//! A budget is no row of its own. It follows from the limits of its scope, and so does its id: the same scope, window
//! and unit are the same budget on every node and after every restart.

use crate::calendar::{Window, Zone};
use crate::id::BudgetId;
use crate::limits::{Level, Limits};
use crate::model_roles::ModelRole;
use aws_lc_rs::digest::{SHA256, digest};
use std::sync::Arc;

/// What a budget counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// Nano-dollars.
    Usd,
    /// Tokens, input and output together.
    Tokens,
}

impl Unit {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Usd => "usd",
            Self::Tokens => "tokens",
        }
    }
}

/// The kinds of budgets: each is one limit that can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BudgetKind {
    /// Dollars in an hour: the spending guard.
    HourlyUsd,
    /// Dollars in a day.
    DailyUsd,
    /// Dollars in a calendar month.
    MonthlyUsd,
    /// Tokens in a calendar month.
    MonthlyTokens,
    /// Tokens in a day, which a model role gives to each who has it.
    DailyTokens,
}

impl BudgetKind {
    /// All of them, from the shortest window.
    pub const ALL: [Self; 5] =
        [Self::HourlyUsd, Self::DailyUsd, Self::MonthlyUsd, Self::MonthlyTokens, Self::DailyTokens];

    /// The window that it is spent in.
    pub const fn window(self) -> Window {
        match self {
            Self::HourlyUsd => Window::Hour,
            Self::DailyUsd | Self::DailyTokens => Window::Day,
            Self::MonthlyUsd | Self::MonthlyTokens => Window::Month,
        }
    }

    /// What it counts.
    pub const fn unit(self) -> Unit {
        match self {
            Self::HourlyUsd | Self::DailyUsd | Self::MonthlyUsd => Unit::Usd,
            Self::MonthlyTokens | Self::DailyTokens => Unit::Tokens,
        }
    }

    /// The limit that sets it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HourlyUsd => "hourly_budget_usd",
            Self::DailyUsd => "daily_budget_usd",
            Self::MonthlyUsd => "monthly_budget_usd",
            Self::MonthlyTokens => "tokens_per_month",
            Self::DailyTokens => "daily_token_budget",
        }
    }

    /// From its name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Whose calls are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// Where on the chain it stands.
    pub level: Level,
    /// The organization, workspace, person or key; for a model role the person, service account or key that has it.
    pub id: [u8; 16],
    /// The model role, for the level of that name.
    pub role: Option<Arc<str>>,
}

impl Scope {
    /// A scope that is not of a model role.
    pub const fn of(level: Level, id: [u8; 16]) -> Self {
        Self { level, id, role: None }
    }

    /// Its id as shown: a UUID.
    pub fn shown_id(&self) -> String {
        uuid::Uuid::from_bytes(self.id).hyphenated().to_string()
    }

    /// The id of the budget of that kind.
    pub fn budget_id(&self, kind: BudgetKind) -> BudgetId {
        let role = self.role.as_deref().unwrap_or_default();
        let name =
            [self.level.as_str().as_bytes(), &self.id, kind.as_str().as_bytes(), role.as_bytes()].join(&0);
        let hash = digest(&SHA256, &name);
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
        BudgetId::from_bytes(uuid::Builder::from_custom_bytes(bytes).into_uuid().into_bytes())
    }
}

/// A budget as it stands in the rules.
#[derive(Clone, Debug)]
pub struct Budget {
    /// Its id.
    pub id: BudgetId,
    /// Whose calls it counts.
    pub scope: Scope,
    /// Its window and unit.
    pub kind: BudgetKind,
    /// The most that may be used in one period, in nano-dollars or tokens.
    pub limit: i64,
    /// Whether it refuses; else it only counts.
    pub enforced: bool,
    /// Where its days and months begin.
    pub zone: Zone,
}

impl Budget {
    /// The budgets that limits set at a scope.
    pub fn of_limits(scope: &Scope, limits: &Limits, zone: &Zone) -> Vec<Self> {
        let one = |kind| Some(Self::new(scope, kind, limits.budget(kind)?, limits.enforced(), zone));
        BudgetKind::ALL.into_iter().filter_map(one).collect()
    }

    /// The daily tokens that a model role gives to `holder`: a person, a service account, or a key.
    pub fn of_role(role: &ModelRole, holder: [u8; 16], zone: &Zone) -> Option<Self> {
        let limit = i64::try_from(role.daily_token_budget?).unwrap_or(i64::MAX);
        let scope = Scope { level: Level::ModelRole, id: holder, role: Some(role.name.as_str().into()) };
        Some(Self::new(&scope, BudgetKind::DailyTokens, limit, true, zone))
    }

    fn new(scope: &Scope, kind: BudgetKind, limit: i64, enforced: bool, zone: &Zone) -> Self {
        Self { id: scope.budget_id(kind), scope: scope.clone(), kind, limit, enforced, zone: zone.clone() }
    }
}

impl Limits {
    /// The time zone that they name; `None` where it is to be that of the level above.
    pub fn zone(&self) -> Option<Zone> {
        self.timezone.as_deref().and_then(Zone::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_follows_from_what_the_budget_is() {
        let scope =
            |role: Option<&str>| Scope { level: Level::User, id: [7; 16], role: role.map(Into::into) };
        let id = scope(None).budget_id(BudgetKind::DailyUsd);
        assert_eq!(id, scope(None).budget_id(BudgetKind::DailyUsd));
        assert_ne!(id, scope(None).budget_id(BudgetKind::HourlyUsd));
        assert_ne!(id, scope(Some("analyst")).budget_id(BudgetKind::DailyUsd));
        assert_ne!(id, Scope::of(Level::Key, [7; 16]).budget_id(BudgetKind::DailyUsd));
        assert!(BudgetKind::ALL.iter().all(|kind| BudgetKind::parse(kind.as_str()) == Some(*kind)));
    }
}
