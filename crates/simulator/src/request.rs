//! What the bodies of the inference endpoints ask for.

use serde_json::{Map, Value};

use crate::{
    builtin::Builtin,
    cache::Trail,
    fault,
    lenient::{Fields, Problem, boolean},
    prompt,
    prose::hash,
    sample,
    token::count,
};

/// The model of a fill-in-the-middle request that names none.
pub(crate) const FIM_DEFAULT: &str = "codestral-2404";

const CHAT: &[&str] = &[
    "model",
    "messages",
    "temperature",
    "top_p",
    "max_tokens",
    "stream",
    "stop",
    "random_seed",
    "metadata",
    "response_format",
    "tools",
    "tool_choice",
    "presence_penalty",
    "frequency_penalty",
    "n",
    "prediction",
    "parallel_tool_calls",
    "prompt_mode",
    "reasoning_effort",
    "guardrails",
    "safe_prompt",
    "service_tier",
    "prompt_cache_key",
    "min_tokens",
    "repetition_penalty",
    "top_k",
    "logprobs",
    "top_logprobs",
    "prompt_logprobs",
    "top_prompt_logprobs",
];
const FIM: &[&str] = &[
    "model",
    "prompt",
    "suffix",
    "temperature",
    "top_p",
    "max_tokens",
    "min_tokens",
    "stream",
    "stop",
    "random_seed",
    "metadata",
    "service_tier",
    "prompt_cache_key",
];
const EMBEDDINGS: &[&str] =
    &["model", "input", "metadata", "output_dimension", "output_dtype", "encoding_format", "service_tier"];

/// No count in a request may be greater.
pub(crate) const MOST: i64 = 1 << 31;
/// No request may ask for more choices.
const CHOICES: i64 = 128;
/// No vector has more dimensions.
const DIMENSIONS: i64 = 4096;

/// What form the answer has.
#[derive(Debug, PartialEq)]
pub(crate) enum Shape {
    Text,
    /// JSON, fitting the schema if there is one.
    Json(Option<Value>),
    /// A call of a tool, its arguments as JSON text.
    Tool {
        name: String,
        arguments: String,
    },
}

/// A chat or fill-in-the-middle request.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) model: String,
    pub(crate) stream: bool,
    pub(crate) max_tokens: Option<u64>,
    pub(crate) min_tokens: u64,
    pub(crate) choices: u64,
    pub(crate) stop: Vec<String>,
    pub(crate) shape: Shape,
    /// The tokens of the prompt.
    pub(crate) prompt: u64,
    /// The tokens of its audio, beside the others.
    pub(crate) audio: u64,
    /// The tools that the service runs itself.
    pub(crate) builtin: Builtin,
    /// The prompt as the cache knows it, if it is to be cached.
    pub(crate) cache: Option<Trail>,
    /// Whether the priority tier answers, if the request says anything about tiers.
    pub(crate) priority: Option<bool>,
    /// Stands for the prompt where the answer is drawn from it.
    pub(crate) hash: u64,
}

/// An embeddings request.
#[derive(Debug)]
pub(crate) struct Embed {
    pub(crate) model: String,
    pub(crate) inputs: Vec<String>,
    pub(crate) dimensions: u64,
    pub(crate) base64: bool,
    pub(crate) priority: Option<bool>,
}

/// Reads a chat request.
pub(crate) fn chat(body: &Map<String, Value>) -> Result<Ask, Vec<Problem>> {
    let mut fields = Fields::of(body, &["body"], CHAT);
    let model = fields.string("model").unwrap_or_default().to_owned();
    let messages = fields.required("messages").unwrap_or(&Value::Null);
    match messages.as_array() {
        Some(list) if list.iter().all(is_message) => {}
        Some(_) => {
            fields.complain("messages", "union_tag_invalid", "Input has no known role", messages.clone())
        }
        None if body.contains_key("messages") => {
            fields.complain("messages", "list_type", "Input should be a valid list", messages.clone());
        }
        None => {}
    }
    let tools = fields.get("tools").unwrap_or(&Value::Null);
    let shape = shape(&fields, tools);
    let mut ask = ask(&mut fields, hash_value(hash_value(1, messages), tools));
    let amounts = prompt::amounts(messages, tools, ask.cache.as_mut());
    let choices = fields.count("n", 1, CHOICES).unwrap_or(1);
    let (prompt, audio, builtin) = (amounts.tokens, amounts.audio, Builtin::among(tools));
    finished(fields, Ask { model, shape, choices, prompt, audio, builtin, ..ask })
}

/// Reads a fill-in-the-middle request.
pub(crate) fn fim(body: &Map<String, Value>) -> Result<Ask, Vec<Problem>> {
    let mut fields = Fields::of(body, &["body"], FIM);
    let named = body.contains_key("model").then(|| fields.string("model")).flatten();
    let model = named.unwrap_or(FIM_DEFAULT).to_owned();
    let prompt = fields.string("prompt").unwrap_or_default();
    let suffix = fields.get("suffix").and_then(Value::as_str).unwrap_or_default();
    let hash = hash(hash(2, prompt.as_bytes()), suffix.as_bytes());
    let mut ask = ask(&mut fields, hash);
    if let Some(trail) = &mut ask.cache {
        trail.text(prompt);
        trail.mark(&Value::Null);
        trail.text(suffix);
    }
    finished(fields, Ask { model, prompt: count(prompt) + count(suffix), ..ask })
}

/// Reads an embeddings request.
pub(crate) fn embeddings(body: &Map<String, Value>) -> Result<Embed, Vec<Problem>> {
    let mut fields = Fields::of(body, &["body", "EmbeddingRequest"], EMBEDDINGS);
    let model = fields.string("model").unwrap_or_default().to_owned();
    let input = fields.required("input").unwrap_or(&Value::Null);
    let inputs = match input {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(list) => list.iter().map(|text| text.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    if inputs.is_none() && body.contains_key("input") {
        fields.complain("input", "string_type", "Input should be a valid string", input.clone());
    }
    for (name, spoken) in [("encoding_format", &["float", "base64"][..]), ("output_dtype", &["float"])] {
        let given = fields.get(name).cloned().unwrap_or(Value::Null);
        if !given.is_null() && !given.as_str().is_some_and(|given| spoken.contains(&given)) {
            fields.complain(name, "enum", "Input is not a format the simulator speaks", given);
        }
    }
    let dimensions = fields.count("output_dimension", 1, DIMENSIONS).unwrap_or(1024);
    let base64 = fields.get("encoding_format").is_some_and(|format| format == "base64");
    let priority = tier(&mut fields);
    finished(fields, Embed { model, inputs: inputs.unwrap_or_default(), dimensions, base64, priority })
}

/// What chat and fill-in-the-middle have in common.
pub(crate) fn ask(fields: &mut Fields<'_>, hash: u64) -> Ask {
    let stop = match fields.get("stop") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    Ask {
        model: String::new(),
        stream: fields.flag("stream"),
        max_tokens: fields.count("max_tokens", 0, MOST),
        min_tokens: fields.count("min_tokens", 0, MOST).unwrap_or(0),
        choices: 1,
        stop,
        shape: Shape::Text,
        prompt: 0,
        audio: 0,
        builtin: Builtin::default(),
        cache: fields.get("prompt_cache_key").and_then(Value::as_str).map(Trail::new),
        priority: tier(fields),
        hash: hash_value(hash, fields.get("random_seed").unwrap_or(&Value::Null)),
    }
}

/// What the request says about tiers: nothing, or whether the priority tier answers.
fn tier(fields: &mut Fields<'_>) -> Option<bool> {
    let given = fields.get("service_tier")?;
    if !["auto", "standard_only"].iter().any(|known| given == known) {
        fields.complain("service_tier", "enum", "Input should be 'auto' or 'standard_only'", given.clone());
    }
    Some(priority(fields.all()))
}

/// Whether the priority tier answers a body: if that leaves it open, and `metadata.simulator.priority` is not false.
pub(crate) fn priority(body: &Map<String, Value>) -> bool {
    let given = || boolean(fault::steering(body)?.get("priority")?);
    body.get("service_tier").is_some_and(|tier| tier == "auto") && given().unwrap_or(true)
}

/// The models of the guardrails of a body.
pub(crate) fn guardrails(body: &Map<String, Value>) -> Vec<String> {
    let known =
        [("moderation_llm_v1", "mistral-moderation-2411"), ("moderation_llm_v2", "mistral-moderation-2603")];
    let listed = body.get("guardrails").and_then(Value::as_array).into_iter().flatten();
    let named = listed.flat_map(|guardrail| {
        known.into_iter().filter_map(|(kind, default)| {
            let settings = guardrail.get(kind).filter(|settings| !settings.is_null())?;
            Some(settings.get("model_name").and_then(Value::as_str).unwrap_or(default).to_owned())
        })
    });
    named.collect()
}

pub(crate) fn finished<T>(fields: Fields<'_>, read: T) -> Result<T, Vec<Problem>> {
    if fields.problems.is_empty() { Ok(read) } else { Err(fields.problems) }
}

pub(crate) fn is_message(message: &Value) -> bool {
    let role = message.get("role").and_then(Value::as_str);
    role.is_some_and(|role| ["system", "user", "assistant", "tool", "developer"].contains(&role))
}

pub(crate) fn shape(fields: &Fields<'_>, tools: &Value) -> Shape {
    let functions = || tools.as_array().into_iter().flatten().filter_map(|tool| tool.get("function"));
    let tool = match fields.get("tool_choice") {
        Some(Value::String(choice)) if choice == "any" || choice == "required" => functions().next(),
        Some(choice) => {
            let wanted = choice.get("function").and_then(|function| function.get("name"));
            functions().find(|function| wanted.is_some() && function.get("name") == wanted)
        }
        None => None,
    };
    if let Some((function, name)) = tool.and_then(|tool| Some((tool, tool.get("name")?.as_str()?))) {
        let arguments = function.get("parameters").map_or(Value::Object(Map::new()), sample::fitting);
        return Shape::Tool { name: name.to_owned(), arguments: sample::ascii(&arguments) };
    }
    let Some(format) = fields.get("response_format") else { return Shape::Text };
    match format.get("type").and_then(Value::as_str) {
        Some("json_object") => Shape::Json(None),
        Some("json_schema") => {
            Shape::Json(format.get("json_schema").and_then(|named| named.get("schema")).cloned())
        }
        _ => Shape::Text,
    }
}

/// A hash of all that a value says.
pub(crate) fn hash_value(state: u64, value: &Value) -> u64 {
    match value {
        Value::String(text) => hash(state, text.as_bytes()),
        Value::Array(items) => items.iter().fold(hash(state, b"["), hash_value),
        Value::Object(fields) => {
            fields.iter().fold(state, |state, (key, value)| hash_value(hash(state, key.as_bytes()), value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => hash(state, value.to_string().as_bytes()),
    }
}
