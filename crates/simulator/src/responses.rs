//! Answers the responses endpoints: a text or a call of a tool, whole or as a stream, and the counter of input.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::{
    completion::{self, Choice},
    lenient::{Fields, Problem},
    prompt,
    reply::{Reply, event},
    request::{self, Ask, MOST, finished, hash_value},
    route::Endpoint,
    token,
    usage::{Reported, Usage, Usages},
    work::{Work, valid},
};

/// Answers a request.
pub(crate) fn reply(body: &Map<String, Value>, work: &Work<'_>) -> Result<Reply, Reply> {
    let ask = valid(read(body))?;
    let context = work.context(&ask.model, Endpoint::Responses, ask.prompt.saturating_add(ask.audio))?;
    let Some(choice) = completion::choices(&ask, work, context).pop() else { return Err(empty()) };
    let billed = completion::billed(&ask, work, choice.tokens);
    let usages = Usages::of(billed, work.plan);
    let answer = Answer::new(&ask, choice, body, work);
    if body.get("background").and_then(crate::lenient::boolean) == Some(true) {
        // It goes on by itself: what it comes to is billed, and not told here.
        let queued = answer.object("queued", false);
        return Ok(Reply::json(StatusCode::OK, &queued).bill(billed));
    }
    if ask.stream {
        let events = answer.events(&usages, work.plan.directions.chunks);
        return Ok(Reply::events(events).bill(billed.unsaid()));
    }
    let whole = answer.object(answer.status(), true);
    Ok(Reply::reporting(&whole, "usage", &usages.map(usage)).bill(billed).cost(billed.total))
}

/// Counts a request's input; billed is nothing.
pub(crate) fn count(body: &Map<String, Value>, work: &Work<'_>) -> Result<Reply, Reply> {
    let ask = valid(read(body))?;
    work.model(&ask.model, Endpoint::Responses)?;
    let answer = json!({"object": "response.input_tokens", "input_tokens": ask.prompt});
    Ok(Reply::json(StatusCode::OK, &answer))
}

/// Of one choice there is one; so this is never said.
fn empty() -> Reply {
    crate::refusal::status(500, None)
}

fn read(body: &Map<String, Value>) -> Result<Ask, Vec<Problem>> {
    // Unlike elsewhere further fields are no matter here.
    let known: Vec<&str> = body.keys().map(String::as_str).collect();
    let mut fields = Fields::of(body, &["body"], &known);
    let model = fields.string("model").unwrap_or_default().to_owned();
    let input = fields.required("input").unwrap_or(&Value::Null);
    if !input.is_string() && !input.is_array() && body.contains_key("input") {
        fields.complain("input", "string_type", "Input should be a valid string", input.clone());
    }
    let tools = fields.get("tools").unwrap_or(&Value::Null);
    if tools.as_array().into_iter().flatten().any(|tool| tool.get("type") != Some(&json!("function"))) {
        fields.complain("tools", "literal_error", "Input should be 'function'", tools.clone());
    }
    let _ = (fields.flag("store"), fields.flag("background"));
    let messages = messages(fields.get("instructions"), input);
    let mut ask = request::ask(&mut fields, hash_value(hash_value(14, &messages), tools));
    let amounts = prompt::amounts(&messages, tools, ask.cache.as_mut());
    let shape = shape(&fields, tools);
    let max_tokens = fields.count("max_output_tokens", 0, MOST);
    finished(fields, Ask { model, max_tokens, shape, prompt: amounts.tokens, audio: amounts.audio, ..ask })
}

/// Instructions and input as messages: of each item its content, or all of it.
fn messages(instructions: Option<&Value>, input: &Value) -> Value {
    let message = |role: &Value, content: &Value| json!({"role": role, "content": content});
    let item = |item: &Value| match item.get("content") {
        Some(content) => message(item.get("role").unwrap_or(&Value::Null), content),
        None => message(&Value::Null, &json!([item])),
    };
    let system = instructions.map(|text| message(&json!("system"), text));
    let input = match input {
        Value::Array(items) => items.iter().map(item).collect(),
        text => vec![message(&json!("user"), text)],
    };
    system.into_iter().chain(input).collect()
}

/// The form of the answer: the request's fields in the way of a chat.
fn shape(fields: &Fields<'_>, tools: &Value) -> request::Shape {
    let functions: Value = tools
        .as_array()
        .into_iter()
        .flatten()
        .map(|tool| json!({"type": "function", "function": tool}))
        .collect();
    let mut chat = Map::new();
    if let Some(choice) = fields.get("tool_choice") {
        let named = choice.get("name").map(|name| json!({"function": {"name": name}}));
        chat.insert("tool_choice".to_owned(), named.unwrap_or_else(|| choice.clone()));
    }
    if let Some(format) = fields.get("text").and_then(|text| text.get("format")) {
        let format = json!({"type": format.get("type"), "json_schema": format});
        chat.insert("response_format".to_owned(), format);
    }
    request::shape(&Fields::of(&chat, &[], &["tool_choice", "response_format"]), &functions)
}

/// Usage as this endpoint tells it.
fn usage(usage: Usage) -> Value {
    json!({"input_tokens": usage.prompt_tokens,
        "input_tokens_details":
            {"cached_tokens": usage.prompt_tokens_details.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens, "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.total_tokens})
}

/// A generated answer.
struct Answer<'a> {
    id: String,
    item: String,
    created: i64,
    model: &'a str,
    choice: Choice,
    asked: &'a Map<String, Value>,
}

impl<'a> Answer<'a> {
    fn new(ask: &'a Ask, choice: Choice, body: &'a Map<String, Value>, work: &Work<'_>) -> Self {
        let mut random = work.random(&[ask.hash, work.call, 1]);
        Self {
            id: format!("resp_{}", random.id()),
            item: random.id(),
            created: work.now(),
            model: &ask.model,
            choice,
            asked: body,
        }
    }

    fn cut(&self) -> bool {
        self.choice.finish == "length"
    }

    fn status(&self) -> &'static str {
        if self.cut() { "incomplete" } else { "completed" }
    }

    /// The whole object, without usage.
    fn object(&self, status: &str, done: bool) -> Map<String, Value> {
        let output = if done { vec![self.output()] } else { Vec::new() };
        let why = (done && self.cut()).then(|| json!({"reason": "max_output_tokens"}));
        let fields = [
            ("id", json!(self.id)),
            ("object", json!("response")),
            ("created_at", json!(self.created)),
            ("status", json!(status)),
            ("model", json!(self.model)),
            ("output", json!(output)),
            ("incomplete_details", json!(why)),
            ("error", Value::Null),
        ];
        let given = ["tools", "tool_choice", "parallel_tool_calls", "store", "background", "metadata"];
        let defaults = [json!([]), json!("auto"), json!(true), json!(false), json!(false), json!({})];
        let echoed = given.into_iter().zip(defaults).map(|(name, default)| {
            (name, self.asked.get(name).filter(|value| !value.is_null()).cloned().unwrap_or(default))
        });
        fields.into_iter().chain(echoed).map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The one item of output.
    fn output(&self) -> Value {
        match &self.choice.tool {
            Some(tool) => {
                json!({"type": "function_call", "id": format!("fc_{}", self.item), "status": "completed",
                "call_id": tool.id, "name": tool.name, "arguments": tool.arguments})
            }
            None => json!({"type": "message", "id": format!("msg_{}", self.item), "status": self.status(),
                "role": "assistant",
                "content": [{"type": "output_text", "text": self.choice.text, "annotations": []}]}),
        }
    }

    /// All events, each with the tokens in it.
    fn events(&self, usages: &Usages, chunks: Option<u64>) -> Vec<(Bytes, u64)> {
        let mut events: Vec<(&str, Value, u64)> = Vec::new();
        for name in ["response.created", "response.in_progress"] {
            events.push((name, json!({"response": self.object("in_progress", false)}), 0));
        }
        let output = self.output();
        let place = json!({"output_index": 0, "item_id": output.get("id")});
        events.push(("response.output_item.added", json!({"output_index": 0, "item": output}), 0));
        let (delta, done, said, all) = match &self.choice.tool {
            Some(tool) => (
                "response.function_call_arguments.delta",
                "response.function_call_arguments.done",
                vec![(tool.arguments.as_str(), self.choice.tokens)],
                json!({"arguments": tool.arguments, "name": tool.name}),
            ),
            None => (
                "response.output_text.delta",
                "response.output_text.done",
                token::chunks(&self.choice.text, chunks.unwrap_or(u64::MAX)),
                json!({"content_index": 0, "text": self.choice.text, "logprobs": []}),
            ),
        };
        let with = |more: Value| joined(&place, &more);
        let bit = |text: &str| with(json!({"content_index": 0, "delta": text, "logprobs": []}));
        let spoken = self.choice.tool.is_none();
        let part = |text: &str| {
            with(
                json!({"content_index": 0, "part": {"type": "output_text", "text": text, "annotations": []}}),
            )
        };
        if spoken {
            events.push(("response.content_part.added", part(""), 0));
        }
        events.extend(said.into_iter().map(|(text, tokens)| (delta, bit(text), tokens)));
        events.push((done, with(all), 0));
        if spoken {
            events.push(("response.content_part.done", part(&self.choice.text), 0));
        }
        events.push(("response.output_item.done", json!({"output_index": 0, "item": self.output()}), 0));
        let last = if self.cut() { "response.incomplete" } else { "response.completed" };
        let body = self.object(self.status(), true);
        for reported in usages.map(usage).events() {
            let reports = &crate::usage::Reports { before: None, last: reported };
            let response = serde_json::to_value(Reported { body: &body, name: "usage", reports });
            events.push((last, json!({"response": response.unwrap_or_default()}), 0));
        }
        let numbered = |(number, (name, data, tokens)): (u64, (&str, Value, u64))| {
            (event(name, &joined(&json!({"type": name, "sequence_number": number}), &data)), tokens)
        };
        (0..).zip(events).map(numbered).collect()
    }
}

/// The fields of two objects.
fn joined(one: &Value, other: &Value) -> Value {
    let fields = [one, other].into_iter().filter_map(Value::as_object).flatten();
    Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect())
}
