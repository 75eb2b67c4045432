//! Takes medians over the rounds and writes the one table.

use serde_json::{Map, Value, json};

use crate::contestant::Kind;
use crate::metric::Metric;
use crate::options::Options;
use crate::rounds::Column;

const NOTHING: &str = "—";
/// Longest reason that stands in a cell; the notes tell it in full.
const REASON: usize = 48;

/// The median; `None` of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get(sorted.len().saturating_sub(1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

/// What a column shows for a metric: a median, the most memory, or the median of what it adds to the direct way.
pub fn shown(columns: &[Column], column: &Column, metric: Metric) -> Option<f64> {
    let values = column.values.get(&metric)?;
    if metric == Metric::Loaded {
        return values.iter().copied().filter(|value| value.is_finite()).reduce(f64::max);
    }
    if !metric.added() || column.kind == Kind::Direct {
        return median(values);
    }
    let direct = columns.iter().find(|other| other.kind == Kind::Direct)?.values.get(&metric)?;
    let added: Vec<f64> = values.iter().zip(direct).map(|(value, base)| value - base).collect();
    median(&added)
}

/// The table, in Markdown.
pub fn render(options: &Options, columns: &[Column]) -> String {
    let compared: Vec<&Column> = columns
        .iter()
        .filter(|c| !matches!(c.kind, Kind::Direct | Kind::NginxKey) && c.state.is_ok())
        .collect();
    let base = columns.iter().find(|column| column.kind == Kind::NginxKey && column.state.is_ok());
    let mut rows = vec![header(columns, base.map(|_| compared.as_slice()))];
    let state = |column: &Column| match &column.state {
        Ok(_) => "ok".to_owned(),
        Err(reason) => reason.replace(['|', '\n'], " ").chars().take(REASON).collect(),
    };
    rows.push(std::iter::once("state".to_owned()).chain(columns.iter().map(state)).collect());
    for metric in Metric::ALL {
        let values: Vec<Option<f64>> = columns.iter().map(|column| shown(columns, column, metric)).collect();
        if values.iter().all(Option::is_none) {
            continue;
        }
        let mut row = vec![metric.title(options)];
        row.extend(columns.iter().zip(&values).map(|(column, value)| cell(column.kind, metric, *value)));
        if let Some(base) = base {
            let against = shown(columns, base, metric);
            let against = against.filter(|_| metric != Metric::PutOff);
            row.extend(compared.iter().map(|column| ratio(shown(columns, column, metric), against)));
        }
        rows.push(row);
    }
    rows.push(checked(columns));
    aligned(&rows)
}

fn header(columns: &[Column], compared: Option<&[&Column]>) -> Vec<String> {
    let mut row = vec!["median of rounds".to_owned()];
    row.extend(columns.iter().map(|column| column.kind.name().to_owned()));
    row.extend(compared.unwrap_or_default().iter().map(|c| format!("{} ÷ nginx-key", c.kind.name())));
    row
}

fn checked(columns: &[Column]) -> Vec<String> {
    let mut row = vec!["answers of 200 (wrong answers)".to_owned()];
    row.extend(columns.iter().map(|column| match &column.state {
        Ok(contestant) => {
            format!("{} ({})", contestant.subject.calls.get(), contestant.subject.wrong.get())
        }
        Err(_) => NOTHING.to_owned(),
    }));
    row
}

fn cell(kind: Kind, metric: Metric, value: Option<f64>) -> String {
    match value {
        None => NOTHING.to_owned(),
        // The direct way adds nothing; its own latency stands there, marked.
        Some(value) if metric.added() && kind == Kind::Direct => format!("({})", number(value)),
        Some(value) if metric.added() => format!("{}{}", if value >= 0.0 { "+" } else { "" }, number(value)),
        Some(value) => number(value),
    }
}

fn ratio(value: Option<f64>, base: Option<f64>) -> String {
    match (value, base) {
        (Some(value), Some(base)) if value > 0.0 && base > 0.0 => format!("{}×", number(value / base)),
        _ => NOTHING.to_owned(),
    }
}

fn number(value: f64) -> String {
    let digits = match value.abs() {
        tiny if tiny > 0.0 && tiny < 0.1 => 4,
        small if small < 10.0 => 2,
        middle if middle < 1000.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$}")
}

fn aligned(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let text = |row: &[String], at: usize| row.get(at).cloned().unwrap_or_default();
    let widths: Vec<usize> = (0..count)
        .map(|at| rows.iter().map(|row| text(row, at).chars().count()).max().unwrap_or(0))
        .collect();
    let line = |row: &[String]| {
        let cells = widths.iter().enumerate().map(|(at, width)| {
            let text = text(row, at);
            if at == 0 { format!(" {text:<width$} ") } else { format!(" {text:>width$} ") }
        });
        format!("|{}|", cells.collect::<Vec<_>>().join("|"))
    };
    let rule = widths.iter().enumerate().map(|(at, width)| {
        let dashes = "-".repeat(width.saturating_add(1));
        if at == 0 { format!(":{dashes}") } else { format!("{dashes}:") }
    });
    let mut lines: Vec<String> = rows.iter().map(|row| line(row)).collect();
    lines.insert(1.min(lines.len()), format!("|{}|", rule.collect::<Vec<_>>().join("|")));
    lines.join("\n")
}

/// Every value of every round, not subtracted from anything.
pub fn raw(columns: &[Column]) -> Value {
    let of = |column: &Column| {
        let values = column.values.iter().map(|(metric, values)| (format!("{metric:?}"), json!(values)));
        (column.kind.name().to_owned(), Value::Object(values.collect()))
    };
    Value::Object(columns.iter().map(of).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::{median, number};

    #[test]
    fn medians_ignore_what_is_missing() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, f64::NAN, 1.0]), Some(2.0));
        assert_eq!(median(&[3.0, 1.0, 9.0]), Some(3.0));
    }

    #[test]
    fn numbers_keep_about_three_digits() {
        let written = [number(0.0032), number(0.123), number(12.34), number(54_321.9)];
        assert_eq!(written, ["0.0032", "0.12", "12.3", "54322"]);
    }
}
