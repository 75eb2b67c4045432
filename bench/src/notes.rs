//! What stands under the table: how it was measured, who is missing, and whether the books agree.

use std::net::SocketAddr;

use serde_json::Value;

use crate::contestant::Kind;
use crate::metric::Metric;
use crate::options::Options;
use crate::rounds::Column;
use crate::table::median;
use crate::{api, procfs, upstream};

/// How things stood when the rounds began.
pub struct Before {
    machine: (u64, u64),
    /// Calls the upstream answered, and answers the clients got.
    calls: Result<(u64, u64), String>,
}

impl Before {
    /// Reads the clocks and the books.
    pub async fn now(columns: &[Column], upstream: SocketAddr) -> Self {
        Self { machine: procfs::machine(), calls: calls(columns, upstream).await }
    }
}

/// All notes, as lines.
pub async fn all(options: &Options, columns: &[Column], upstream: SocketAddr, before: Before) -> Vec<String> {
    let mut notes = vec![String::new(), measured(options), noise(columns, before.machine)];
    for column in columns {
        match &column.state {
            Err(reason) => notes.push(format!("- {}: {}", column.kind.name(), reason.replace('\n', " "))),
            Ok(contestant) => {
                let first = contestant.subject.first_wrong.borrow();
                notes.extend(
                    first.iter().map(|what| format!("- {}: first fault: {what}", column.kind.name())),
                );
            }
        }
    }
    notes.push(upstream_book(columns, upstream, before.calls).await);
    notes.extend(louver_book(columns).await);
    notes
}

fn measured(options: &Options) -> String {
    format!(
        "- {} rounds of {:?}; an «added» line is the row minus direct in the same round, direct's own in \
         parentheses; ÷ is the value over nginx-key's.",
        options.rounds, options.seconds
    )
}

fn noise(columns: &[Column], before: (u64, u64)) -> String {
    let now = procfs::machine();
    let share = |part: u64, all: u64| 100.0 * part as f64 / all.max(1) as f64;
    let stolen = share(now.1.saturating_sub(before.1), now.0.saturating_sub(before.0));
    let spread = |kind: Kind, metric: Metric| {
        let values = columns.iter().find(|column| column.kind == kind)?.values.get(&metric)?;
        let (low, high) =
            (values.iter().copied().reduce(f64::min)?, values.iter().copied().reduce(f64::max)?);
        Some(format!("{:.0} %", 100.0 * (high - low) / median(values)?))
    };
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "—".to_owned());
    format!(
        "- Noise: the host took {stolen:.1} % of processor time; spread over the rounds of direct's requests/s \
         {}, of nginx-key's CPU per request {}.",
        or_none(spread(Kind::Direct, Metric::PerSecond)),
        or_none(spread(Kind::NginxKey, Metric::CpuSmall)),
    )
}

async fn calls(columns: &[Column], upstream: SocketAddr) -> Result<(u64, u64), String> {
    let present = columns.iter().filter_map(|column| column.state.as_ref().ok());
    let got = present.map(|contestant| contestant.subject.calls.get()).sum();
    let count = api::call("GET", upstream, upstream::COUNT_PATH, "", None).await;
    let count = count.map_err(|fault| fault.to_string())?;
    let seen = count.get("calls").and_then(Value::as_u64).ok_or("no count")?;
    Ok((seen, got))
}

async fn upstream_book(
    columns: &[Column],
    upstream: SocketAddr,
    before: Result<(u64, u64), String>,
) -> String {
    let (before, after) = match (before, calls(columns, upstream).await) {
        (Ok(before), Ok(after)) => (before, after),
        (Err(fault), _) | (_, Err(fault)) => {
            return format!("- The upstream's count could not be read: {fault}.");
        }
    };
    let (seen, got) = (after.0.saturating_sub(before.0), after.1.saturating_sub(before.1));
    let verdict = if seen == got { "equal" } else { "NOT EQUAL" };
    format!(
        "- In the rounds the upstream answered {seen} calls and the clients got {got} answers of 200: {verdict}."
    )
}

async fn louver_book(columns: &[Column]) -> Option<String> {
    let column = columns.iter().find(|column| column.kind == Kind::Louver)?;
    let contestant = column.state.as_ref().ok()?;
    let calls = contestant.subject.calls.get();
    Some(match contestant.admin.as_ref()?.recorded(calls).await {
        Ok(found) if found == calls => format!("- Louver recorded {found} calls of {calls}: equal."),
        Ok(found) => format!("- Louver recorded {found} calls of {calls}: NOT EQUAL."),
        Err(fault) => format!("- Louver's usage could not be checked against {calls} calls: {fault}."),
    })
}
