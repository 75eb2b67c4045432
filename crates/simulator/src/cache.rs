//! Prompts that were seen under a `prompt_cache_key`: how much of the next one comes from the cache.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
};

use serde_json::Value;

use crate::{prose::hash, request::hash_value, token};

/// Tokens are cached in blocks of so many.
const BLOCK: u64 = 64;
/// When there are more keys than this, all prompts are forgotten.
const KEYS: usize = 10_000;

/// The prompts that came before: of each key the states of all trails at the ends of their blocks.
#[derive(Default)]
pub(crate) struct Prompts(Mutex<HashMap<u64, HashSet<u64>>>);

/// A prompt under its key: one number a block, which stands for all that was said up to there.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    key: String,
    state: u64,
    tokens: u64,
    blocks: Vec<u64>,
}

impl Prompts {
    /// How many tokens of a prompt are in the cache of this credential and model; the prompt is put there.
    pub(crate) fn cached(&self, bearer: &str, model: &str, trail: &Trail) -> u64 {
        let key = [bearer, model, &trail.key].iter().fold(7, |state, part| hash(state, part.as_bytes()));
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= KEYS && !all.contains_key(&key) {
            all.clear();
        }
        let seen = all.entry(key).or_default();
        let known = trail.blocks.iter().take_while(|block| seen.contains(block)).count() as u64;
        seen.extend(&trail.blocks);
        known.saturating_mul(BLOCK)
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Trail {
    pub(crate) fn new(key: &str) -> Self {
        Self { key: key.to_owned(), ..Self::default() }
    }

    /// Goes on with a text.
    pub(crate) fn text(&mut self, text: &str) {
        for piece in token::pieces(text) {
            self.step(hash(self.state, piece.as_bytes()));
        }
    }

    /// Goes on with anything else that has so many tokens.
    pub(crate) fn value(&mut self, value: &Value, tokens: u64) {
        for _ in 0..tokens {
            self.step(hash_value(self.state, value));
        }
    }

    /// Goes on with something that has no tokens.
    pub(crate) fn mark(&mut self, value: &Value) {
        self.state = hash_value(self.state, value);
    }

    fn step(&mut self, state: u64) {
        self.state = state;
        self.tokens = self.tokens.saturating_add(1);
        if self.tokens.is_multiple_of(BLOCK) {
            self.blocks.push(state);
        }
    }
}
