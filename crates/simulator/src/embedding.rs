//! Answers embeddings requests with unit vectors drawn from seed and text.

use http::{HeaderName, StatusCode};

use crate::{
    fault::Plan,
    prose::{Random, hash},
    reply::Reply,
    request::Embed,
    token,
    wire::{self, Usages, Vector},
};

/// The digits of base 64.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// How many inputs are taken at once; the simulator's own limit, Mistral's is not published.
pub(crate) const INPUTS: usize = 2048;

/// The tokens of the longest input.
pub(crate) fn longest(ask: &Embed) -> u64 {
    ask.inputs.iter().map(|text| token::count(text)).max().unwrap_or(0)
}

/// Answers a request whose inputs fit in the model's context.
pub(crate) fn reply(ask: &Embed, plan: &Plan, seed: u64, call: u64) -> Reply {
    let tokens = ask.inputs.iter().map(|text| token::count(text)).sum();
    let embed = |(index, text): (usize, &String)| {
        let vector = vector(seed, text, ask.dimensions);
        let embedding = if ask.base64 { Vector::Base64(base64(&vector)) } else { Vector::Float(vector) };
        wire::Embedding { object: "embedding", embedding, index }
    };
    let body = wire::Embeddings {
        id: &Random::of(&[seed, tokens, call, 2]).id(),
        object: "list",
        data: ask.inputs.iter().enumerate().map(embed).collect(),
        model: &ask.model,
        usages: Usages::of(tokens, 0, plan),
    };
    Reply::json(StatusCode::OK, &body)
        .billed(tokens, 0)
        .with(HeaderName::from_static("x-ratelimit-tokens-query-cost"), &tokens.to_string())
}

/// A vector of length one.
fn vector(seed: u64, text: &str, dimensions: u64) -> Vec<f32> {
    let mut random = Random::of(&[seed, hash(3, text.as_bytes())]);
    let mut vector: Vec<f32> =
        (0..dimensions).map(|_| ((random.next() >> 40) as f32) / 8_388_608.0 - 1.0).collect();
    let length = vector.iter().map(|part| part * part).sum::<f32>().sqrt();
    for part in &mut vector {
        *part /= if length > 0.0 { length } else { 1.0 };
    }
    vector
}

/// The vector's little-endian bytes in base 64.
fn base64(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|part| part.to_le_bytes()).collect();
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (at, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let digit = usize::try_from(bits >> shift & 63).ok().and_then(|digit| DIGITS.get(digit));
            text.push(digit.filter(|_| at <= three.len()).map_or('=', |digit| char::from(*digit)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_64_is_padded() {
        assert_eq!(base64(&[1.0]), "AACAPw==");
        assert_eq!(base64(&[1.0, -2.0, 0.5]), "AACAPwAAAMAAAAA/");
    }
}
