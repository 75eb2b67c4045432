//! Answers chat and fill-in-the-middle requests: text, JSON or a tool call, whole or as a stream.

use http::StatusCode;

use crate::{
    billed::Billed,
    fault::Directions,
    prose::Random,
    reply::Reply,
    request::{Ask, Shape},
    route::Endpoint,
    sample, stream, token,
    usage::Usages,
    wire,
    work::Work,
};

/// An answer has at least so many tokens, if nothing else is asked for.
const SHORT: u64 = 12;
/// And at most so many.
const LONG: u64 = 60;
/// No answer has more tokens than this in all its choices, whatever is asked for.
const LONGEST: u64 = 1 << 17;

/// A generated answer.
pub(crate) struct Generated<'a> {
    pub(crate) id: String,
    pub(crate) created: i64,
    pub(crate) model: &'a str,
    pub(crate) choices: Vec<Choice>,
    pub(crate) usages: Usages,
}

/// One of the alternatives of an answer.
pub(crate) struct Choice {
    pub(crate) text: String,
    pub(crate) tool: Option<Tool>,
    pub(crate) finish: &'static str,
    pub(crate) tokens: u64,
}

/// A call of a tool.
pub(crate) struct Tool {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) arguments: String,
}

impl Tool {
    pub(crate) fn wire(&self) -> wire::ToolCall<'_> {
        let function = wire::Function { name: &self.name, arguments: &self.arguments };
        wire::ToolCall { id: &self.id, function, index: 0 }
    }
}

/// Answers a request at this endpoint. The call's number makes the id unique; the text does not depend on it.
pub(crate) fn reply(ask: &Ask, endpoint: Endpoint, work: &Work<'_>) -> Result<Reply, Reply> {
    let context = work.context(&ask.model, endpoint, ask.prompt.saturating_add(ask.audio))?;
    let choices = choices(ask, work, context);
    let billed = billed(ask, work, choices.iter().map(|choice| choice.tokens).sum());
    let usages = Usages::of(billed, work.plan).tier(ask.priority);
    let id = work.random(&[ask.hash, work.call, 1]).id();
    let answer = Generated { id, created: work.now(), model: &ask.model, choices, usages };
    if ask.stream {
        let events = stream::events(&answer, work.plan.directions.chunks);
        return Ok(Reply::events(events).bill(billed.unsaid()));
    }
    Ok(Reply::json(StatusCode::OK, &whole(&answer)).bill(billed).cost(billed.total))
}

/// The alternatives of an answer.
pub(crate) fn choices(ask: &Ask, work: &Work<'_>, context: u64) -> Vec<Choice> {
    let room = context.saturating_sub(ask.prompt);
    let limit = ask.max_tokens.unwrap_or(u64::MAX).min(room).min(LONGEST / ask.choices.max(1));
    let choice = |index| choose(ask, work.plan.directions, &mut work.random(&[ask.hash, index]), limit);
    (0..ask.choices).map(choice).collect()
}

/// What is billed for an answer with so many tokens.
pub(crate) fn billed(ask: &Ask, work: &Work<'_>, completion: u64) -> Billed {
    let (calls, tokens) = ask.builtin.run(work, ask.hash);
    let billed = Billed::new(ask.prompt, completion).with_audio(ask.audio).with_tools(calls, tokens);
    let remembered =
        ask.cache.as_ref().map_or(0, |cache| work.prompts.cached(work.bearer, &ask.model, cache));
    let cached = remembered.max(work.plan.directions.cached_tokens).min(ask.prompt) / 64 * 64;
    Billed { cached, priority: ask.priority == Some(true), ..billed }
}

fn choose(ask: &Ask, directions: Directions, random: &mut Random, limit: u64) -> Choice {
    let drawn = random.between(SHORT, LONG).max(directions.chunks.unwrap_or(0));
    let natural = directions.tokens.unwrap_or(drawn).max(ask.min_tokens).min(LONGEST);
    let text = match &ask.shape {
        Shape::Tool { name, arguments } => {
            let tokens = token::count(name) + token::count(arguments);
            if tokens <= limit {
                let tool = Tool { id: random.tool_id(), name: name.clone(), arguments: arguments.clone() };
                return Choice { text: String::new(), tool: Some(tool), finish: "tool_calls", tokens };
            }
            random.prose(tokens)
        }
        Shape::Json(schema) => match schema {
            Some(schema) => sample::ascii(&sample::fitting(schema)),
            None => format!(r#"{{"simulated": true, "text": "{}"}}"#, random.prose(natural)),
        },
        // Prose of fewer tokens is the beginning of the same prose of more, so one too many tells that it is cut.
        Shape::Text => random.prose(natural.min(limit.saturating_add(1))),
    };
    cut(&text, &ask.stop, limit)
}

/// Cuts a text at the first stop sequence or at the limit, whichever comes first.
fn cut(text: &str, stop: &[String], limit: u64) -> Choice {
    let found = stop.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| text.find(stop.as_str())).min();
    let text = found.and_then(|end| text.get(..end)).unwrap_or(text).trim_ascii_end();
    let kept = token::cut(text, limit);
    let finish = if kept.len() < text.len() { "length" } else { "stop" };
    Choice { text: kept.to_owned(), tool: None, finish, tokens: token::count(kept) }
}

fn whole<'a>(answer: &'a Generated<'a>) -> wire::Completion<'a> {
    let choice = |(index, choice): (u64, &'a Choice)| {
        let tool_calls = choice.tool.as_ref().map(|tool| vec![tool.wire()]);
        let message = wire::Message { role: "assistant", tool_calls, content: &choice.text };
        wire::Choice { index, message, finish_reason: choice.finish }
    };
    wire::Completion {
        id: &answer.id,
        object: "chat.completion",
        created: answer.created,
        model: answer.model,
        usages: answer.usages,
        choices: (0..).zip(&answer.choices).map(choice).collect(),
    }
}
