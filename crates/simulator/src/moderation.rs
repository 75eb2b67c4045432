//! Answers the moderation and classification endpoints, of texts and of chats: scores drawn from seed and text.

use serde_json::{Map, Value, json};

use crate::{
    billed::Billed,
    lenient::Fields,
    prompt,
    prose::Random,
    reply::Reply,
    request::{finished, hash_value, is_message},
    route::Endpoint,
    token,
    usage::Usages,
    work::{Work, valid},
};

/// What texts are moderated for.
const CATEGORIES: [&str; 9] = [
    "sexual",
    "hate_and_discrimination",
    "violence_and_threats",
    "dangerous_and_criminal_content",
    "selfharm",
    "health",
    "financial",
    "law",
    "pii",
];
/// The labels of the simulator's only classifier.
const LABELS: [&str; 3] = ["calm", "lively", "stormy"];
const KNOWN: &[&str] = &["model", "input", "metadata"];
const KNOWN_OF_CHATS: &[&str] = &["model", "input", "metadata", "truncate_for_context_length"];

/// Answers a request at one of the four endpoints.
pub(crate) fn reply(endpoint: Endpoint, body: &Map<String, Value>, work: &Work<'_>) -> Result<Reply, Reply> {
    let chats = matches!(endpoint, Endpoint::ChatModerations | Endpoint::ChatClassifications);
    let mut fields = Fields::of(body, &["body"], if chats { KNOWN_OF_CHATS } else { KNOWN });
    let model = fields.string("model").unwrap_or_default();
    let input = fields.required("input").unwrap_or(&Value::Null);
    let inputs = if chats { conversations(input) } else { texts(input) };
    if inputs.is_none() && body.contains_key("input") {
        let msg = if chats { "Input should be a valid list" } else { "Input should be a valid string" };
        fields.complain("input", if chats { "list_type" } else { "string_type" }, msg, input.clone());
    }
    let inputs = valid(finished(fields, inputs.unwrap_or_default()))?;
    let longest = inputs.iter().map(count).max().unwrap_or(0);
    work.context(model, endpoint, longest)?;
    let tokens = inputs.iter().map(count).sum();
    let moderates = matches!(endpoint, Endpoint::Moderations | Endpoint::ChatModerations);
    let result = |input: &Value| {
        let random = work.random(&[hash_value(9, input)]);
        if moderates { moderated(random) } else { classified(random) }
    };
    let results: Vec<Value> = inputs.iter().map(result).collect();
    let id = work.random(&[hash_value(9, input), work.call, 1]).id();
    let answer = Map::from_iter([
        ("id".to_owned(), json!(id)),
        ("model".to_owned(), json!(model)),
        ("results".to_owned(), json!(results)),
    ]);
    let billed = Billed::new(tokens, 0);
    // Here Mistral calls the details by another name, and counts inputs.
    let usages = Usages::of(billed, work.plan).map(|usage| {
        json!({"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens, "request_count": inputs.len(),
            "prompt_token_details": {"cached_tokens": 0}})
    });
    Ok(Reply::reporting(&answer, "usage", &usages).bill(billed).cost(tokens))
}

/// One text or several.
fn texts(input: &Value) -> Option<Vec<Value>> {
    match input {
        Value::String(_) => Some(vec![input.clone()]),
        Value::Array(list) => list.iter().all(Value::is_string).then(|| list.clone()),
        _ => None,
    }
}

/// One chat or several, each a list of messages or an object that has one.
fn conversations(input: &Value) -> Option<Vec<Value>> {
    let chat = |value: &Value| {
        let messages = value.get("messages").unwrap_or(value);
        let list = messages.as_array().filter(|list| list.iter().all(is_message))?;
        (!list.is_empty()).then(|| messages.clone())
    };
    if let Some(one) = chat(input) {
        return Some(vec![one]);
    }
    input.as_array()?.iter().map(chat).collect()
}

/// The tokens of a text or a chat.
fn count(input: &Value) -> u64 {
    input.as_str().map_or_else(|| prompt::amounts(input, &Value::Null, None).tokens, token::count)
}

fn moderated(mut random: Random) -> Value {
    let scores: Map<String, Value> =
        CATEGORIES.iter().map(|name| ((*name).into(), score(&mut random))).collect();
    let flags = scores.iter().map(|(name, score)| (name.clone(), json!(score.as_f64() > Some(0.9))));
    let flags: Map<String, Value> = flags.collect();
    json!({"categories": flags, "category_scores": scores})
}

fn classified(mut random: Random) -> Value {
    let scores: Map<String, Value> = LABELS.iter().map(|name| ((*name).into(), score(&mut random))).collect();
    json!({"simulated_mood": {"scores": scores}})
}

/// A score with four digits.
fn score(random: &mut Random) -> Value {
    let parts = u32::try_from(random.between(0, 10_000)).unwrap_or(0);
    json!(f64::from(parts) / 10_000.0)
}
