//! `louver explain`: whether a call would be let through, and what each rule says of it.

use super::cells::{self, text};
use super::failure::{Failure, finish};
use super::figures;
use super::lookup::{MEMBER, WORKSPACE};
use super::session::{Session, Shared};
use super::table::Cell;
use crate::config::Environment;
use clap::Args;
use serde_json::{Map, Value};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  louver explain --key prod-backend --model mistral-large-latest
  louver explain --member ada@example.com --workspace data-team --model codestral-latest --max-tokens 4000
  louver explain --key ci --model mistral-small-latest --exit-code && ./run-batch";

/// Explain whether a call would be let through, rule by rule; nothing is spent
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Explain {
    #[command(flatten)]
    shared: Shared,
    /// The key the call would be made with, by name or id
    #[arg(long, value_name = "NAME|ID", conflicts_with = "member", required_unless_present = "member")]
    key: Option<String>,
    /// The member who would make it, by mail address or id
    #[arg(long, value_name = "EMAIL|ID")]
    member: Option<String>,
    /// The workspace the key or the member is in
    #[arg(long, value_name = "NAME|ID")]
    workspace: Option<String>,
    /// The model
    #[arg(long)]
    model: String,
    /// The endpoint, such as chat.completions or embeddings
    #[arg(long)]
    endpoint: Option<String>,
    /// The call's max_tokens
    #[arg(long, value_name = "N")]
    max_tokens: Option<u64>,
    /// How many tokens go in
    #[arg(long, value_name = "N")]
    input_tokens: Option<u64>,
    /// How many answers are asked for
    #[arg(long, value_name = "N")]
    choices: Option<u64>,
    /// Types of tools that the provider runs, separated by commas
    #[arg(long, value_delimiter = ',')]
    tools: Vec<String>,
    /// The service tier
    #[arg(long)]
    service_tier: Option<String>,
    /// Pages of a document
    #[arg(long, value_name = "N")]
    pages: Option<u64>,
    /// Pages that are annotated
    #[arg(long, value_name = "N")]
    annotated_pages: Option<u64>,
    /// Seconds of audio
    #[arg(long, value_name = "N")]
    audio_seconds: Option<u64>,
    /// Characters to be spoken
    #[arg(long, value_name = "N")]
    characters: Option<u64>,
    /// The address the call comes from
    #[arg(long)]
    address: Option<String>,
    /// End with 1 when the call would be refused
    #[arg(long)]
    exit_code: bool,
}

/// Explains.
pub(super) async fn run(command: &Explain, environment: &Environment) -> ExitCode {
    match explain(command, environment).await {
        Ok(false) if command.exit_code => ExitCode::from(1),
        Ok(_) => ExitCode::SUCCESS,
        Err(failure) => finish(Err(failure)),
    }
}

async fn explain(command: &Explain, environment: &Environment) -> Result<bool, Failure> {
    let session = command.shared.session(environment)?;
    let answer = session.post("/v1/gateway/explain", &body(&session, command).await?).await?;
    let allowed = answer.get("allowed").and_then(Value::as_bool) == Some(true);
    if session.screen.json {
        session.screen.json(&answer);
    } else {
        show(&session, &answer, allowed);
    }
    Ok(allowed)
}

async fn body(session: &Session, command: &Explain) -> Result<Value, Failure> {
    let mut body = Map::from_iter([("model".to_owned(), command.model.clone().into())]);
    if let Some(key) = &command.key {
        let key = super::keys::find(session, key, command.workspace.as_deref()).await?;
        body.insert("key_id".into(), key.id.into());
    } else {
        let member = MEMBER.find_some(session, command.member.as_deref()).await?;
        body.insert("user".into(), member.map(|member| member.id).into());
        if let Some(workspace) = WORKSPACE.find_some(session, command.workspace.as_deref()).await? {
            body.insert("workspace_id".into(), workspace.id.into());
        }
    }
    if !command.tools.is_empty() {
        body.insert("tools".into(), command.tools.clone().into());
    }
    let texts = [
        ("endpoint", &command.endpoint),
        ("service_tier", &command.service_tier),
        ("address", &command.address),
    ];
    let numbers = [
        ("max_tokens", command.max_tokens),
        ("input_tokens", command.input_tokens),
        ("choices", command.choices),
        ("pages", command.pages),
        ("annotated_pages", command.annotated_pages),
        ("audio_seconds", command.audio_seconds),
        ("characters", command.characters),
    ];
    let texts = texts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?.into())));
    let numbers = numbers.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
    body.extend(texts.chain(numbers));
    Ok(Value::Object(body))
}

fn show(session: &Session, answer: &Value, allowed: bool) {
    let refusal = answer.get("refusal").unwrap_or(&Value::Null);
    let said = match allowed {
        true => "The call would be let through.".to_owned(),
        false => format!(
            "The call would be refused with {} {}: {}",
            cells::plain(refusal, "status").text(),
            ["type", "code"]
                .iter()
                .map(|name| text(refusal, name))
                .find(|some| !some.is_empty())
                .unwrap_or_default(),
            text(refusal, "message")
        ),
    };
    session.screen.say(said);
    if let Some(cost) = answer.get("bound").and_then(|bound| figures::dollars(bound.get("cost_usd")?)) {
        session.screen.say(format!("It could cost at most {cost}."));
    }
    let none = Vec::new();
    let rules = answer.get("rules").and_then(Value::as_array).unwrap_or(&none);
    session.screen.say("");
    let titles = ["RULE", "LEVEL", "OF", "SAYS", "LIMIT", "USED", "ASKED", "WHY"];
    session.screen.list(rules, "No rule was asked.", &titles, |rule| {
        let unit = if text(rule, "rule").ends_with("usd") { "usd" } else { "" };
        let amount =
            |name: &str| if unit == "usd" { cells::money(rule, name) } else { cells::plain(rule, name) };
        let list = cells::plain(rule, "list");
        let why = cells::plain(rule, "detail");
        vec![
            cells::name(rule, "rule"),
            cells::plain(rule, "level"),
            cells::plain(rule, "name"),
            says(rule),
            amount("limit"),
            amount("used"),
            amount("asked"),
            if why == Cell::none() { list } else { why },
        ]
    });
}

fn says(rule: &Value) -> Cell {
    let would = rule.get("would_refuse").and_then(Value::as_bool) == Some(true);
    match rule.get("allowed").and_then(Value::as_bool) {
        Some(true) if would => cells::state("shadow"),
        Some(true) => cells::state("allowed"),
        Some(false) => cells::state("refused"),
        None => Cell::new("not asked"),
    }
}
