//! The upstream's own usage report, made from the simulator's books: sums by model, unit and day of one month.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    Ask, found,
    moment::{DAY, civil, first_day, rfc3339},
    refused, wrong,
};
use crate::{billed::Billed, books::Account, reply::Reply, simulator::Inner};

/// What the leaves of the report are told apart by, besides their workspace.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// The section of the report.
    section: &'static str,
    model: String,
    /// What is counted.
    group: &'static str,
    day: i64,
    workspace: String,
    priority: bool,
    batch: bool,
}

type Sums = BTreeMap<Place, u64>;

/// `GET /v1/admin/usage?month=&year=&workspace_id=`. Each section holds `models: {model: {group: [leaf]}}`, a leaf
/// a day: `{timestamp, workspace_id, billing_metric, billing_group, api_zone, service_tier, batch, value}`. Tokens
/// of the input stand apart as `input` and `cached`, those of the output as `output`.
pub(crate) fn answer(inner: &Inner, ask: &Ask<'_>, given: Option<&str>) -> Result<Reply, Reply> {
    inner.must_be_admin(ask.bearer, given)?;
    if ask.method != "GET" {
        return Err(refused(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"));
    }
    let (year, month, _) = civil(ask.now.div_euclid(DAY));
    let (year, month) = (asked(ask, "year", year, 1970..=9999)?, asked(ask, "month", month, 1..=12)?);
    let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    let (from, to) = (first_day(year, month), first_day(next.0, next.1));
    let mut sums = Sums::new();
    for ((account, day), totals) in inner.books.days() {
        if (from..to).contains(&day) {
            add(inner, &mut sums, &account, day, totals.billed);
        }
    }
    libraries(inner, &mut sums, from..to);
    if let Some(wanted) = ask.query.get("workspace_id") {
        sums.retain(|place, _| place.workspace == wanted);
    }
    let section = |name: &str| section(&sums, name);
    let previous = if month == 1 { (year - 1, 12) } else { (year, month - 1) };
    found(&json!({
        "completion": section("completion"),
        "chat": section("chat"),
        "ocr": section("ocr"),
        "connectors": section("connectors"),
        "libraries_api": {"pages": section("library_pages"), "tokens": section("library_tokens"),
            "audio_seconds": section("library_audio")},
        "fine_tuning": {"training": {}, "storage": {}},
        "audio": section("audio"),
        "audio_characters": section("audio_characters"),
        "vibe_usage": 0,
        "vibe_code": {"completion": section("vibe"), "ocr": section("vibe"), "connectors": section("vibe"),
            "audio": section("vibe"), "audio_characters": section("vibe")},
        "date": rfc3339(ask.now),
        "previous_month": format!("{:04}-{:02}", previous.0, previous.1),
        "next_month": format!("{:04}-{:02}", next.0, next.1),
        "start_date": rfc3339(from.saturating_mul(DAY)),
        "end_date": rfc3339(to.saturating_mul(DAY)),
        "currency": "USD",
        "currency_symbol": "$",
        "prices": [],
    }))
}

/// A number of the query, which comes as a text such as `5` or `05`.
fn asked(
    ask: &Ask<'_>,
    name: &str,
    default: i64,
    within: std::ops::RangeInclusive<i64>,
) -> Result<i64, Reply> {
    let Some(given) = ask.query.get(name) else { return Ok(default) };
    let number = ask.query.number(name).filter(|number| within.contains(number));
    number.ok_or_else(|| wrong(name, "value_error", "Input is not a month or year", json!(given)))
}

fn add(inner: &Inner, sums: &mut Sums, account: &Account, day: i64, billed: Billed) {
    let workspace =
        inner.world(account.bearer.as_deref().unwrap_or_default(), |world| world.workspace().to_owned());
    let named = account.model.clone().unwrap_or_default();
    let known = inner.config.models.iter().find(|model| model.names().any(|name| name == named));
    let model = known.map_or(named, |model| model.id.clone());
    let mut put = |section, model: &str, group, amount: u64| {
        let (priority, batch) = (account.priority, account.batch);
        let place = Place {
            section,
            model: model.to_owned(),
            group,
            day,
            workspace: workspace.clone(),
            priority,
            batch,
        };
        if amount > 0 {
            let sum = sums.entry(place).or_default();
            *sum = sum.saturating_add(amount);
        }
    };
    // A transcription tells tokens, too, but is billed by its seconds.
    if billed.audio_seconds == 0 {
        put("completion", &model, "input", billed.input().saturating_sub(billed.cached));
        put("completion", &model, "cached", billed.cached);
        put("completion", &model, "output", billed.completion);
    }
    put("ocr", &model, "pages", billed.pages);
    put("ocr", &model, "annotated_pages", billed.annotated_pages);
    put("audio", &model, "seconds", billed.audio_seconds);
    put("audio_characters", &model, "characters", billed.characters);
    for (tool, calls) in billed.tool_calls.iter() {
        put("connectors", tool, "calls", calls);
    }
}

/// What was read of documents that were uploaded to libraries.
fn libraries(inner: &Inner, sums: &mut Sums, days: std::ops::Range<i64>) {
    for world in inner.stored.worlds().values() {
        for processed in world.processed.iter().filter(|processed| days.contains(&processed.day)) {
            let parts =
                [("library_pages", "pages", processed.pages), ("library_tokens", "tokens", processed.tokens)];
            for (section, group, amount) in parts {
                let place = Place {
                    section,
                    model: "libraries".to_owned(),
                    group,
                    day: processed.day,
                    workspace: world.workspace().to_owned(),
                    priority: false,
                    batch: false,
                };
                let sum = sums.entry(place).or_default();
                *sum = sum.saturating_add(amount);
            }
        }
    }
}

fn section(sums: &Sums, section: &str) -> Value {
    let mut models: Map<String, Value> = Map::new();
    for (place, amount) in sums.iter().filter(|(place, _)| place.section == section) {
        let groups = models.entry(place.model.clone()).or_insert_with(|| json!({}));
        let Some(groups) = groups.as_object_mut() else { continue };
        let leaves = groups.entry(place.group).or_insert_with(|| json!([]));
        let Some(leaves) = leaves.as_array_mut() else { continue };
        leaves.push(json!({
            "timestamp": rfc3339(place.day.saturating_mul(DAY)),
            "workspace_id": place.workspace,
            "billing_metric": place.model,
            "billing_group": place.group,
            "api_zone": "global",
            "service_tier": if place.priority { "priority" } else { "standard" },
            "batch": place.batch,
            "value": amount,
        }));
    }
    json!({ "models": models })
}
