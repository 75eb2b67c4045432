//! Answers requests to speak a text, whole or as a stream; billed in characters.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::{
    billed::Billed,
    lenient::Fields,
    prose::hash,
    reply::{Reply, event},
    request::finished,
    route::Endpoint,
    token,
    usage::{Reported, Usages},
    work::{Work, valid},
};

/// The model of a request that names none.
pub(crate) const DEFAULT: &str = "voxtral-mini-tts-2603";
/// Bytes of sound for a character.
const BYTES: u64 = 64;
/// No sound has more bytes.
const LONGEST: u64 = 1 << 22;
/// Characters in one event of a stream.
const EVENT: u64 = 16;

/// Answers a request; further fields are no matter here.
pub(crate) fn reply(body: &Map<String, Value>, work: &Work<'_>) -> Result<Reply, Reply> {
    let known: Vec<&str> = body.keys().map(String::as_str).collect();
    let mut fields = Fields::of(body, &["body"], &known);
    let model = fields.get("model").map_or(Some(DEFAULT), |_| fields.string("model")).unwrap_or_default();
    let input = fields.string("input").unwrap_or_default();
    let stream = fields.flag("stream");
    valid(finished(fields, ()))?;
    work.model(model, Endpoint::Speech)?;
    let characters = input.chars().count() as u64;
    let billed = Billed { characters, ..Billed::default() };
    let mut random = work.random(&[hash(13, input.as_bytes())]);
    let words = characters.saturating_mul(BYTES).min(LONGEST) / 8;
    let sound: Vec<u8> = (0..words).flat_map(|_| random.next().to_le_bytes()).collect();
    if !stream {
        let answer = json!({"audio_data": STANDARD.encode(&sound)});
        return Ok(Reply::json(StatusCode::OK, &answer).bill(billed));
    }
    let chunks = work.plan.directions.chunks.unwrap_or_else(|| characters.div_ceil(EVENT)).max(1);
    // The prompt's tokens are told, not billed.
    let usages = Usages::of(Billed::new(token::count(input), 0), work.plan);
    Ok(Reply::events(events(&sound, chunks, &usages)).bill(billed))
}

/// The sound in so many parts, and the end.
fn events(sound: &[u8], chunks: u64, usages: &Usages) -> Vec<(Bytes, u64)> {
    let name = "speech.audio.delta";
    let size = usize::try_from((sound.len() as u64).div_ceil(chunks)).unwrap_or(usize::MAX).max(1);
    let delta = |part: &[u8]| event(name, &json!({"type": name, "audio_data": STANDARD.encode(part)}));
    let mut events: Vec<(Bytes, u64)> = sound.chunks(size).map(|part| (delta(part), 0)).collect();
    let name = "speech.audio.done";
    let body = Map::from_iter([("type".to_owned(), json!(name))]);
    for usage in usages.events() {
        let reports = &Usages { before: None, last: usage };
        events.push((event(name, &Reported { body: &body, name: "usage", reports }), 0));
    }
    events
}
