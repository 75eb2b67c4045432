//! Answers embeddings requests with unit vectors drawn from seed and text.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::StatusCode;

use crate::{
    billed::Billed,
    prose::{Random, hash},
    refusal,
    reply::Reply,
    request::Embed,
    route::Endpoint,
    token,
    usage::Usages,
    wire::{self, Vector},
    work::Work,
};

/// How many inputs are taken at once; the simulator's own limit, Mistral's is not published.
pub(crate) const INPUTS: usize = 2048;

/// Answers an embeddings request.
pub(crate) fn reply(ask: &Embed, work: &Work<'_>) -> Result<Reply, Reply> {
    if ask.inputs.len() > INPUTS {
        return Err(refusal::too_many());
    }
    let longest = ask.inputs.iter().map(|text| token::count(text)).max().unwrap_or(0);
    work.context(&ask.model, Endpoint::Embeddings, longest)?;
    let tokens = ask.inputs.iter().map(|text| token::count(text)).sum();
    let billed = Billed { priority: ask.priority == Some(true), ..Billed::new(tokens, 0) };
    let embed = |(index, text): (usize, &String)| {
        let vector = vector(work.config.seed, text, ask.dimensions);
        let embedding = if ask.base64 { Vector::Base64(base64(&vector)) } else { Vector::Float(vector) };
        wire::Embedding { object: "embedding", embedding, index }
    };
    let body = wire::Embeddings {
        id: &work.random(&[tokens, work.call, 2]).id(),
        object: "list",
        data: ask.inputs.iter().enumerate().map(embed).collect(),
        model: &ask.model,
        usages: Usages::of(billed, work.plan).tier(ask.priority),
    };
    Ok(Reply::json(StatusCode::OK, &body).bill(billed).cost(tokens))
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
    STANDARD.encode(vector.iter().flat_map(|part| part.to_le_bytes()).collect::<Vec<u8>>())
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
