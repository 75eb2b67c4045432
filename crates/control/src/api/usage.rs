//! `/v1/gateway/usage`: sums of calls, tokens and cost, as JSON or CSV.

use super::{Answer, Shared};
use crate::actions::usage::{self as actions, Asked, Usage};
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::openapi::about::{Kind, Parameter};
use crate::openapi::shapes::UsageRow;
use crate::page::Page;
use crate::reply;
use crate::routes::Routes;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use louver_domain::access::Action;
use louver_domain::calendar::Window;
use louver_domain::id::WorkspaceId;
use louver_domain::time::Timestamp;
use louver_store::usage::{Group, GroupBy, Sums};
use serde::{Serialize, Serializer};
use serde_json::Value;

const CSV: &str = "text/csv";

const SPAN: &[Parameter] = &[
    Parameter::new("from", Kind::Moment, "From then on; absent is the begin of this month in UTC."),
    Parameter::new("to", Kind::Moment, "Until before then; absent is now."),
    Parameter::new(
        "granularity",
        Kind::OneOf(&["hour", "day", "month"]),
        "One row a period; absent is `day`.",
    ),
    Parameter::new("group_by", Kind::Commas(&GROUPS), "Also one row for each of these."),
];
/// What is billed beside tokens.
const UNITS: [&str; 5] = ["pages", "annotated_pages", "audio_seconds", "characters", "tool_calls"];
const GROUPS: [&str; 6] = ["workspace", "key", "user", "model", "role", "endpoint"];

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/gateway/usage", Action::ReadUsage, read)
        .named("read_usage", "Sums of calls, tokens and cost")
        .saying("With `Accept: text/csv` the same as a table. A row has the columns that `group_by` names.")
        .query(SPAN)
        .answers::<Page<UsageRow>>()
        .csv()
        .tagged("gateway.usage")
}

async fn read(State(control): Shared, context: Context, headers: HeaderMap, params: Params) -> Answer {
    let asked = read_asked(&context, params)?;
    let usage = actions::read(&control, &context, asked).await?;
    let rows: Result<Vec<Row>, ControlError> =
        usage.sums.iter().map(|(group, sums)| Row::of(group, sums, &usage, asked.by)).collect();
    let wants_csv = headers.get_all(ACCEPT).iter().any(|v| v.to_str().is_ok_and(|text| text.contains(CSV)));
    if wants_csv { Ok(csv(asked.by, &rows?)) } else { Ok(reply::ok(&Page::whole(rows?))) }
}

fn read_asked(context: &Context, mut params: Params) -> Result<Asked, ControlError> {
    let wanted = "an RFC 3339 time or a date";
    let from = params.parsed("from", wanted, Timestamp::parse)?;
    let to = params.parsed("to", wanted, Timestamp::parse)?;
    let granularity = params.parsed("granularity", "hour, day or month", |text| match text {
        "hour" => Some(Window::Hour),
        "day" => Some(Window::Day),
        "month" => Some(Window::Month),
        _ => None,
    })?;
    let by =
        params.parsed("group_by", "a list of workspace, key, user, model, role, endpoint", read_groups)?;
    let workspace =
        params.parsed("workspace_id", "a UUID or ws_ and 32 hexadecimal digits", WorkspaceId::parse)?;
    params.done()?;
    let by = GroupBy { granularity: Some(granularity.unwrap_or(Window::Day)), ..by.unwrap_or_default() };
    let now = context.now;
    Ok(Asked {
        from: from.unwrap_or_else(|| now.floor(Window::Month)),
        to: to.unwrap_or(now.plus_seconds(1)),
        workspace,
        by,
    })
}

fn read_groups(text: &str) -> Option<GroupBy> {
    let mut by = GroupBy::default();
    for name in text.split(',') {
        let flag = match name {
            "workspace" => &mut by.workspace,
            "key" => &mut by.key,
            "user" => &mut by.user,
            "model" => &mut by.model,
            "role" => &mut by.role,
            "endpoint" => &mut by.endpoint,
            _ => return None,
        };
        *flag = true;
    }
    Some(by)
}

/// One line of the answer: named cells in their order.
struct Row(Vec<(&'static str, Value)>);

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

fn columns(by: GroupBy) -> Vec<&'static str> {
    let groups = [
        (by.granularity.is_some(), &["period"][..]),
        (by.workspace, &["workspace_id", "workspace_name"]),
        (by.key, &["key_id", "key_name"]),
        (by.user, &["user_id", "user_email"]),
        (by.model, &["model"]),
        (by.role, &["role"]),
        (by.endpoint, &["endpoint"]),
        (
            true,
            &["requests", "input_tokens", "cached_input_tokens", "output_tokens", "total_tokens", "cost_usd"],
        ),
        (true, &["estimated_requests", "would_refuse_requests"]),
        (true, &UNITS),
    ];
    groups.iter().filter(|(wanted, _)| *wanted).flat_map(|(_, names)| names.iter().copied()).collect()
}

impl Row {
    fn of(group: &Group, sums: &Sums, usage: &Usage, by: GroupBy) -> Result<Self, ControlError> {
        let cell =
            |name: &'static str| Ok((name, serde_json::to_value(Self::cell(name, group, sums, usage)?)?));
        columns(by).into_iter().map(cell).collect::<Result<_, ControlError>>().map(Self)
    }

    fn cell(name: &str, group: &Group, sums: &Sums, usage: &Usage) -> Result<Value, ControlError> {
        let tokens = sums.tokens;
        Ok(match name {
            "period" => group.period.map(Timestamp::rfc3339).into(),
            "workspace_id" => group.workspace.map(|id| id.to_string()).into(),
            "workspace_name" => group.workspace.and_then(|id| usage.workspaces.get(&id).cloned()).into(),
            "key_id" => group.key.map(|id| id.prefixed()).into(),
            "key_name" => group.key.and_then(|id| usage.keys.get(&id).cloned()).into(),
            "user_id" => group.user.map(|id| id.to_string()).into(),
            "user_email" => group.user.and_then(|id| usage.users.get(&id).cloned()).into(),
            "model" => group.model.clone().into(),
            "role" => group.role.clone().into(),
            "endpoint" => group.endpoint.clone().into(),
            "requests" => sums.requests.into(),
            "input_tokens" => tokens.input.into(),
            "cached_input_tokens" => tokens.cached.into(),
            "output_tokens" => tokens.output.into(),
            "total_tokens" => tokens.input.saturating_add(tokens.output).into(),
            "cost_usd" => serde_json::to_value(sums.cost)?,
            "estimated_requests" => sums.estimated.into(),
            "would_refuse_requests" => sums.would_refuse.into(),
            "pages" => sums.units.pages.into(),
            "annotated_pages" => sums.units.annotated_pages.into(),
            "audio_seconds" => sums.units.audio_seconds.into(),
            "characters" => sums.units.characters.into(),
            "tool_calls" => sums.units.tool_calls.into(),
            other => return Err(ControlError::Internal(format!("no column {other}"))),
        })
    }
}

fn csv(by: GroupBy, rows: &[Row]) -> Response {
    let mut text = columns(by).join(",");
    text.push_str("\r\n");
    for row in rows {
        let cells: Vec<String> = row.0.iter().map(|(_, value)| csv_cell(value)).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    response
}

/// A cell that no spreadsheet takes for a formula, quoted where it must be (RFC 4180).
fn csv_cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{text}"),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_are_no_formulas() {
        for (cell, written) in [
            ("plain", "plain"),
            ("=1+1", "'=1+1"),
            ("@x", "'@x"),
            ("-2", "'-2"),
            ("a,b", "\"a,b\""),
            ("+\"q\"", "\"'+\"\"q\"\"\""),
        ] {
            assert_eq!(csv_cell(&Value::from(cell)), written);
        }
        assert_eq!(csv_cell(&Value::Null), "");
        assert_eq!(csv_cell(&Value::from(1.5)), "1.5");
    }
}
