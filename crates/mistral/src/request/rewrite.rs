//! What leaves for the upstream: the client's own bytes with named ranges replaced.

use std::ops::Range;

use crate::endpoints::Endpoint;

use super::Request;

/// The body with each range replaced by its bytes, everything else untouched.
///
/// Edits must be sorted, apart from each other and inside the body; an empty range
/// inserts. What reaches outside is cut to the body, so this never fails.
pub fn splice(body: &[u8], edits: &[(Range<usize>, Vec<u8>)]) -> Vec<u8> {
    let added = edits.iter().map(|(_, with)| with.len()).fold(0, usize::saturating_add);
    let mut out = Vec::with_capacity(body.len().saturating_add(added));
    let mut at = 0;
    for (range, with) in edits {
        out.extend_from_slice(body.get(at..range.start).unwrap_or_default());
        out.extend_from_slice(with);
        at = range.end.max(at);
    }
    out.extend_from_slice(body.get(at..).unwrap_or_default());
    out
}

impl Request {
    /// The body for the upstream: the model is `pinned`, and `max_tokens`, when given, is what
    /// the body says, whatever it said before. `None` when the body already says so.
    ///
    /// `body` must be the bytes this request was read from. Embeddings have no `max_tokens`.
    pub fn rewrite(&self, body: &[u8], pinned: &str, max_tokens: Option<u64>) -> Option<Vec<u8>> {
        let mut edits: Vec<(Range<usize>, Vec<u8>)> = Vec::with_capacity(2);
        let literal = quoted(pinned);
        if body.get(self.model_span.clone()) != Some(literal.as_slice()) {
            edits.push((self.model_span.clone(), literal));
        }
        if let Some(tokens) = max_tokens.filter(|_| self.endpoint != Endpoint::Embeddings)
            && self.max_tokens != Some(tokens)
        {
            edits.push(match &self.max_tokens_span {
                Some(span) => (span.clone(), tokens.to_string().into_bytes()),
                None => {
                    let behind = self.model_span.end;
                    (behind..behind, format!(",\"max_tokens\":{tokens}").into_bytes())
                }
            });
        }
        edits.sort_by_key(|(range, _)| range.start);
        (!edits.is_empty()).then(|| splice(body, &edits))
    }
}

/// A JSON string literal; model names need no escapes, anything else gets them.
fn quoted(name: &str) -> Vec<u8> {
    serde_json::Value::from(name).to_string().into_bytes()
}
