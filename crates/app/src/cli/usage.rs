//! `louver usage`: what was used and what it cost, for people and as CSV.

use super::cells::{self, text};
use super::failure::{Failure, finish};
use super::figures;
use super::session::{Session, Shared};
use super::table::{Cell, Look};
use crate::client::segment;
use crate::config::Environment;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  louver usage                                          this month, by workspace
  louver usage --by key,model --from 7d                 the last seven days, by key and model
  louver usage --from 2026-11-01 --to 2026-12-01 --granularity day --csv > november.csv";

/// Usage: requests, tokens and cost over time, by workspace, key, user, model, role or endpoint
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Usage {
    #[command(flatten)]
    shared: Shared,
    /// From then on: a time, a date, or how long ago (7d); the start of this month when it is left out
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Until before then; until now when it is left out
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// What to sum by, separated by commas
    #[arg(long, alias = "group-by", value_enum, value_delimiter = ',', default_value = "workspace")]
    by: Vec<By>,
    /// How fine the time is
    #[arg(long, value_enum, default_value = "month")]
    granularity: Granularity,
    /// Print CSV, with every column
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

/// What usage is summed by.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    Workspace,
    Key,
    User,
    Model,
    Role,
    Endpoint,
}

impl By {
    /// Its name in the API, its title, and the members that name it: the best first.
    const fn column(self) -> (&'static str, &'static str, [&'static str; 2]) {
        match self {
            Self::Workspace => ("workspace", "WORKSPACE", ["workspace_name", "workspace_id"]),
            Self::Key => ("key", "KEY", ["key_name", "key_id"]),
            Self::User => ("user", "USER", ["user_email", "user_id"]),
            Self::Model => ("model", "MODEL", ["model", "model"]),
            Self::Role => ("role", "ROLE", ["role", "role"]),
            Self::Endpoint => ("endpoint", "ENDPOINT", ["endpoint", "endpoint"]),
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Granularity {
    Hour,
    Day,
    Month,
}

impl Granularity {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// The start of a period, as short as it can be.
    fn period(self, text: &str) -> String {
        let part = match self {
            Self::Hour => text.get(..16).map(|time| time.replace('T', " ")),
            Self::Day => text.get(..10).map(str::to_owned),
            Self::Month => text.get(..7).map(str::to_owned),
        };
        part.unwrap_or_else(|| text.to_owned())
    }
}

/// Shows it.
pub(super) async fn run(command: &Usage, environment: &Environment) -> ExitCode {
    finish(act(command, environment).await)
}

async fn act(command: &Usage, environment: &Environment) -> Result<(), Failure> {
    let session = command.shared.session(environment)?;
    let path = path(command, &session)?;
    if command.csv {
        print!("{}", session.client.csv(&path).await?);
        return Ok(());
    }
    show(command, &session, &session.whole(&path).await?);
    Ok(())
}

fn path(command: &Usage, session: &Session) -> Result<String, Failure> {
    let names: Vec<&str> = command.by.iter().map(|by| by.column().0).collect();
    let mut path = format!(
        "/v1/gateway/usage?granularity={}&group_by={}",
        command.granularity.as_str(),
        names.join(",")
    );
    for (name, time) in [("from", &command.from), ("to", &command.to)] {
        if let Some(time) = time {
            let at = figures::since(time, session.now())
                .map_err(|why| Failure::usage(format!("--{name}: {why}")))?;
            path.push_str(&format!("&{name}={}", segment(&at.rfc3339())));
        }
    }
    Ok(path)
}

fn show(command: &Usage, session: &Session, rows: &[Value]) {
    let mut titles = vec![match command.granularity {
        Granularity::Hour => "HOUR (UTC)",
        Granularity::Day => "DAY (UTC)",
        Granularity::Month => "MONTH",
    }];
    titles.extend(command.by.iter().map(|by| by.column().1));
    titles.extend(["REQUESTS", "TOKENS IN", "CACHED", "TOKENS OUT", "COST"]);
    let mut all = rows.to_vec();
    if rows.len() > 1 && !session.screen.json {
        all.push(total(rows));
    }
    session.screen.list(&all, "Nothing was used in that time.", &titles, |row| {
        let is_total = row.get("total").is_some();
        let period =
            if is_total { "TOTAL".to_owned() } else { command.granularity.period(text(row, "period")) };
        let mut cells = vec![Cell::new(period)];
        cells.extend(command.by.iter().map(|by| {
            let [name, id] = by.column().2;
            let named = if text(row, name).is_empty() { id } else { name };
            if is_total { Cell::new("") } else { cells::plain(row, named) }
        }));
        cells.extend(
            ["requests", "input_tokens", "cached_input_tokens", "output_tokens"]
                .map(|name| cells::plain(row, name)),
        );
        cells.push(cells::money(row, "cost_usd"));
        match is_total {
            true => cells.into_iter().map(|cell| cell.look(Look::Strong)).collect(),
            false => cells,
        }
    });
}

/// The sums of all rows. Money adds up in nano-dollars.
fn total(rows: &[Value]) -> Value {
    let sum = |name: &str| {
        let counts = rows.iter().filter_map(|row| row.get(name).and_then(Value::as_u64));
        counts.fold(0_u64, u64::saturating_add)
    };
    let money = |row: &Value| {
        let cost = row.get("cost_usd").cloned().unwrap_or_default();
        serde_json::from_value::<louver_domain::money::Money>(cost).map_or(0, |money| money.nanos())
    };
    let nanos = rows.iter().map(money).fold(0_i64, i64::saturating_add);
    json!({
        "total": true,
        "requests": sum("requests"),
        "input_tokens": sum("input_tokens"),
        "cached_input_tokens": sum("cached_input_tokens"),
        "output_tokens": sum("output_tokens"),
        "cost_usd": serde_json::to_value(louver_domain::money::Money::from_nanos(nanos)).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_exact_and_periods_are_short() {
        let rows = [
            json!({"requests": 2, "input_tokens": 10, "cost_usd": 0.1}),
            json!({"requests": 3, "input_tokens": 5, "cost_usd": 0.2}),
        ];
        let sum = total(&rows);
        assert_eq!((&sum["requests"], &sum["input_tokens"]), (&json!(5), &json!(15)));
        assert_eq!(cells::money(&sum, "cost_usd").text(), "0.30 USD");
        for (granularity, text) in [
            (Granularity::Hour, "2026-11-21 08:00"),
            (Granularity::Day, "2026-11-21"),
            (Granularity::Month, "2026-11"),
        ] {
            assert_eq!(granularity.period("2026-11-21T08:00:00Z"), text);
        }
    }
}
