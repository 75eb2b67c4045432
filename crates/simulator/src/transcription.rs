//! Answers requests to write down audio, whole or as a stream; billed in seconds.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::{
    audio,
    billed::Billed,
    lenient::Fields,
    prose::hash,
    refusal,
    reply::{Reply, event},
    request::finished,
    route::Endpoint,
    token,
    usage::{Reported, Usages},
    work::{Work, valid},
};

/// The tokens of the prompt that upstream puts before any audio.
pub(crate) const PROMPT: u64 = 4;
/// The language that is found when none is named.
pub(crate) const LANGUAGE: &str = "en";
/// Tokens that are spoken in a second.
pub(crate) const PACE: u64 = 3;
/// No text has more tokens.
const LONGEST: u64 = 1 << 17;
/// Seconds of one segment.
const SEGMENT: u64 = 10;

/// Answers a form, or the body of a batch's line; fields that are not known are not looked at, as in any form.
pub(crate) fn reply(
    body: &Map<String, Value>,
    file: Option<&Bytes>,
    work: &Work<'_>,
) -> Result<Reply, Reply> {
    let known: Vec<&str> = body.keys().map(String::as_str).collect();
    let mut fields = Fields::of(body, &["body"], &known);
    let model = fields.string("model").unwrap_or_default();
    let stream = fields.flag("stream");
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let address = text("file_url").or(text("file_id"));
    if file.is_none() && address.is_none() {
        let _ = fields.required("file");
    }
    valid(finished(fields, ()))?;
    work.model(model, Endpoint::Transcriptions)?;
    if file.is_none() && text("file_url").is_some_and(|url| !url.starts_with("http")) {
        return Err(refusal::unfetchable());
    }
    let seconds =
        file.map_or_else(|| audio::seconds_at(address.unwrap_or_default()), |file| audio::seconds(file));
    let seed = file.map_or_else(|| hash(12, address.unwrap_or_default().as_bytes()), |file| hash(12, file));
    let directed = work.plan.directions.tokens;
    let tokens = directed.unwrap_or_else(|| seconds.saturating_mul(PACE)).clamp(1, LONGEST);
    let said = Said {
        model,
        language: text("language").unwrap_or(LANGUAGE),
        text: work.random(&[seed]).prose(tokens),
        segments: ["timestamp_granularities", "timestamp_granularities[]"]
            .iter()
            .any(|f| body.contains_key(*f)),
        seconds,
    };
    let billed = said.billed();
    let usages = Usages::of(billed, work.plan);
    if stream {
        let chunks = work.plan.directions.chunks;
        return Ok(Reply::events(said.events(&usages, chunks)).bill(billed.unsaid()));
    }
    Ok(Reply::reporting(&said.whole(), "usage", &usages).bill(billed).cost(billed.total))
}

/// The refusal of a request that is no form.
pub(crate) fn no_form() -> Reply {
    refusal::unprocessable_as("make sure the request is formatted as a multipart/form-data request")
}

/// What was said in some audio.
struct Said<'a> {
    model: &'a str,
    language: &'a str,
    text: String,
    segments: bool,
    seconds: u64,
}

impl Said<'_> {
    fn billed(&self) -> Billed {
        let tokens = Billed::new(PROMPT, token::count(&self.text)).with_audio(audio::tokens(self.seconds));
        Billed { audio_seconds: self.seconds, ..tokens }
    }

    fn whole(&self) -> Map<String, Value> {
        let segments = if self.segments { self.segments() } else { Vec::new() };
        Map::from_iter([
            ("model".to_owned(), json!(self.model)),
            ("text".to_owned(), json!(self.text)),
            ("language".to_owned(), json!(self.language)),
            ("segments".to_owned(), json!(segments)),
            ("finish_reason".to_owned(), Value::Null),
        ])
    }

    /// The text in parts of ten seconds.
    fn segments(&self) -> Vec<Value> {
        let parts = token::chunks(&self.text, self.seconds.div_ceil(SEGMENT));
        let starts = (0_u64..).map(|index| index.saturating_mul(SEGMENT));
        let segment = |((text, _), start): ((&str, u64), u64)| {
            let end = start.saturating_add(SEGMENT).min(self.seconds);
            json!({"type": "transcription_segment", "text": text, "start": start, "end": end})
        };
        parts.into_iter().zip(starts).map(segment).collect()
    }

    /// Language, bits of text, segments, the end; each with the tokens in it.
    fn events(&self, usages: &Usages, chunks: Option<u64>) -> Vec<(Bytes, u64)> {
        let name = "transcription.language";
        let mut events = vec![(event(name, &json!({"type": name, "audio_language": self.language})), 0)];
        let name = "transcription.text.delta";
        for (text, tokens) in token::chunks(&self.text, chunks.unwrap_or(u64::MAX)) {
            events.push((event(name, &json!({"type": name, "text": text})), tokens));
        }
        let name = "transcription.segment";
        for mut segment in if self.segments { self.segments() } else { Vec::new() } {
            if let Some(kind) = segment.get_mut("type") {
                *kind = json!(name);
            }
            events.push((event(name, &segment), 0));
        }
        let name = "transcription.done";
        let mut body = self.whole();
        body.insert("type".to_owned(), json!(name));
        for usage in usages.events() {
            let reports = &Usages { before: None, last: usage };
            events.push((event(name, &Reported { body: &body, name: "usage", reports }), 0));
        }
        events
    }
}
