//! Reading a `tekken.json`: the file format of Mistral's byte-level vocabularies.

use std::borrow::Cow;
use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::pieces::PATTERN;

/// Why a file is not a vocabulary to count with.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// Not the JSON of a `tekken.json`.
    #[error("not a tekken.json: {0}")]
    Json(#[from] serde_json::Error),
    /// It cuts texts in another way than every Mistral vocabulary so far.
    #[error("the vocabulary cuts texts by a pattern that is not known here")]
    Pattern,
    /// The sizes it names do not fit its list.
    #[error("the vocabulary names {named} tokens and lists {listed}")]
    Size {
        /// Tokens that the settings of the file ask for.
        named: usize,
        /// Tokens in its list.
        listed: usize,
    },
    /// An entry is not the bytes of the token of that rank, or stands there twice.
    #[error("entry {0} of the vocabulary is not the token of that rank")]
    Entry(usize),
    /// Without a token for every byte there are texts that cannot be encoded.
    #[error("the vocabulary has no token for the byte {0}")]
    Byte(u8),
}

#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow)]
    config: Config<'a>,
    vocab: Vec<Entry<'a>>,
}

#[derive(Deserialize)]
struct Config<'a> {
    #[serde(borrow)]
    pattern: Cow<'a, str>,
    default_vocab_size: usize,
    default_num_special_tokens: usize,
}

#[derive(Deserialize)]
struct Entry<'a> {
    rank: usize,
    #[serde(borrow)]
    token_bytes: Cow<'a, str>,
}

/// The tokens by their bytes; the lower the rank, the sooner two parts become that token.
pub(super) struct Vocabulary {
    ranks: HashMap<Box<[u8]>, u32>,
    longest: usize,
}

impl std::fmt::Debug for Vocabulary {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Vocabulary({} tokens)", self.ranks.len())
    }
}

impl Vocabulary {
    pub(super) fn rank(&self, bytes: &[u8]) -> Option<u32> {
        if bytes.len() > self.longest { None } else { self.ranks.get(bytes).copied() }
    }
}

/// Reads the vocabulary. The list is longer than what the models use: as in `mistral_common`, the first
/// `default_vocab_size` - `default_num_special_tokens` entries count.
pub(super) fn read(bytes: &[u8]) -> Result<Vocabulary, TokenizerError> {
    let file: File<'_> = serde_json::from_slice(bytes)?;
    if file.config.pattern != PATTERN {
        return Err(TokenizerError::Pattern);
    }
    let size = file.config.default_vocab_size.saturating_sub(file.config.default_num_special_tokens);
    if size > file.vocab.len() || size < 256 {
        return Err(TokenizerError::Size { named: size, listed: file.vocab.len() });
    }
    let mut vocabulary = Vocabulary { ranks: HashMap::with_capacity(size), longest: 0 };
    for (place, entry) in file.vocab.iter().take(size).enumerate() {
        let token = STANDARD.decode(entry.token_bytes.as_bytes()).unwrap_or_default();
        let rank = u32::try_from(place).map_err(|_| TokenizerError::Entry(place))?;
        vocabulary.longest = vocabulary.longest.max(token.len());
        let sound = entry.rank == place && !token.is_empty();
        if !sound || vocabulary.ranks.insert(token.into(), rank).is_some() {
            return Err(TokenizerError::Entry(place));
        }
    }
    match (0..=u8::MAX).find(|byte| vocabulary.rank(&[*byte]).is_none()) {
        Some(byte) => Err(TokenizerError::Byte(byte)),
        None => Ok(vocabulary),
    }
}
