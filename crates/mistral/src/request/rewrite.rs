//! What leaves for the upstream: the client's own bytes with named ranges replaced.

use std::ops::Range;

use crate::endpoints::Endpoint;

use super::{NamedGuard, Request};

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
    /// Models of guardrails are pinned, too. Who does not ask for the priority tier says so upstream, whose default may change. A name of a cache goes
    /// upstream as it was renamed. `body` must be the bytes this request was read from.
    pub fn rewrite(&self, body: &[u8], pinned: &str, max_tokens: Option<u64>) -> Option<Vec<u8>> {
        let model = Some((self.model_span.clone(), quoted(pinned)));
        let edits = [model, self.length(max_tokens), self.tier(), self.named_cache()];
        let edits = edits.into_iter().flatten().chain(self.pinned_guards());
        let differs = |(range, with): &Edit| body.get(range.clone()) != Some(with.as_slice());
        let mut edits: Vec<Edit> = edits.filter(differs).collect();
        edits.sort_by_key(|(range, _)| range.start);
        (!edits.is_empty()).then(|| splice(body, &edits))
    }

    fn length(&self, max_tokens: Option<u64>) -> Option<Edit> {
        let name = length_field(self.endpoint)?;
        let tokens = max_tokens.filter(|tokens| self.max_tokens != Some(*tokens))?;
        Some(match &self.max_tokens_span {
            Some(span) => (span.clone(), tokens.to_string().into_bytes()),
            None => self.member(name, &tokens.to_string()),
        })
    }

    fn tier(&self) -> Option<Edit> {
        const STANDARD: &str = "\"standard_only\"";
        if self.priority_tier || self.endpoint != Endpoint::ChatCompletions {
            return None;
        }
        let span = self.tier_span.clone();
        Some(span.map_or_else(|| self.member("service_tier", STANDARD), |span| (span, STANDARD.into())))
    }

    pub(super) fn pinned_guards(&self) -> impl Iterator<Item = Edit> + '_ {
        let pinned = |guard: &NamedGuard| Some((guard.span.clone(), quoted(guard.sent.as_deref()?)));
        self.named_guards.iter().filter_map(pinned)
    }

    pub(super) fn named_cache(&self) -> Option<Edit> {
        let key = self.cache_key.as_ref()?;
        let with = key.sent.as_deref().map_or_else(|| b"null".to_vec(), quoted);
        Some((key.span.clone(), with))
    }

    /// One more member, behind the model.
    fn member(&self, name: &str, value: &str) -> Edit {
        let behind = self.model_span.end;
        (behind..behind, format!(",\"{name}\":{value}").into_bytes())
    }
}

/// Bytes to be put in the place of others.
pub(super) type Edit = (Range<usize>, Vec<u8>);

/// What an endpoint calls the most tokens of an answer.
const fn length_field(endpoint: Endpoint) -> Option<&'static str> {
    match endpoint {
        Endpoint::ChatCompletions | Endpoint::FimCompletions | Endpoint::AgentsCompletions => {
            Some("max_tokens")
        }
        Endpoint::Responses => Some("max_output_tokens"),
        _ => None,
    }
}

/// A JSON string literal; model names need no escapes, anything else gets them.
fn quoted(name: &str) -> Vec<u8> {
    serde_json::Value::from(name).to_string().into_bytes()
}
