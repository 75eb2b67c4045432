//! A body that is accepted, with the pinned model and a bound put in, is accepted again, names that model and that
//! bound, and says nothing else anew.
#![no_main]

use libfuzzer_sys::fuzz_target;
use louver_mistral::endpoints::Endpoint;
use louver_mistral::request::{self, NamedGuard, Request};
use serde_json::Value;

const PINNED: &str = "mistral-small-2603";
const BOUND: u64 = 77;

fuzz_target!(|input: &[u8]| {
    let Some((choice, body)) = input.split_first() else { return };
    let endpoint = Endpoint::ALL[usize::from(*choice) % Endpoint::ALL.len()];
    let Ok(read) = request::read(endpoint, body) else { return };
    // Agents and conversations need no model, and are written anew in another way.
    if read.turn.is_some() {
        return;
    }
    assert!(!read.model.is_empty() && (1..=128).contains(&read.n));
    assert!(read.estimated_input_tokens() <= read.input_token_bound().saturating_add(1));
    for bound in [None, Some(BOUND)] {
        let sent = read.rewrite(body, PINNED, bound);
        let sent = sent.as_deref().unwrap_or(body);
        let again = request::read(endpoint, sent).expect("what goes upstream is sound");
        same_but_for_what_was_put_in(&read, &again, bound);
        assert_eq!(wanted(body, endpoint, bound), serde_json::from_slice::<Value>(sent).unwrap());
        assert_eq!(again.rewrite(sent, PINNED, bound), None, "what says it already is left as it is");
    }
});

fn same_but_for_what_was_put_in(read: &Request, again: &Request, bound: Option<u64>) {
    let bounded = bound.filter(|_| length(read.endpoint).is_some());
    let expected = Request {
        model: PINNED.to_owned(),
        unnameable: false,
        max_tokens: bounded.or(read.max_tokens),
        // Nobody renamed it, so it is left out.
        cache_key: None,
        // A tier is put in, a name of a cache is taken out.
        text_bytes: again.text_bytes,
        // Where they stand may have moved.
        model_span: again.model_span.clone(),
        max_tokens_span: again.max_tokens_span.clone(),
        tier_span: again.tier_span.clone(),
        named_guards: moved(&read.named_guards, &again.named_guards),
        ..read.clone()
    };
    assert_eq!(*again, expected);
}

/// The same names, where they stand now.
fn moved(read: &[NamedGuard], again: &[NamedGuard]) -> Vec<NamedGuard> {
    let there =
        |(guard, now): (&NamedGuard, &NamedGuard)| NamedGuard { span: now.span.clone(), ..guard.clone() };
    read.iter().zip(again).map(there).collect()
}

/// What an endpoint calls the most tokens of an answer.
fn length(endpoint: Endpoint) -> Option<&'static str> {
    match endpoint {
        Endpoint::ChatCompletions | Endpoint::FimCompletions | Endpoint::AgentsCompletions => {
            Some("max_tokens")
        }
        Endpoint::Responses => Some("max_output_tokens"),
        _ => None,
    }
}

/// The same edit in a tree.
fn wanted(body: &[u8], endpoint: Endpoint, bound: Option<u64>) -> Value {
    let mut tree: Value = serde_json::from_slice(body).expect("what is accepted is JSON");
    tree["model"] = PINNED.into();
    if let Some((name, bound)) = length(endpoint).zip(bound) {
        tree[name] = bound.into();
    }
    if endpoint == Endpoint::ChatCompletions && tree["service_tier"] != "auto" {
        tree["service_tier"] = "standard_only".into();
    }
    if let Some(key) = tree.get_mut("prompt_cache_key") {
        *key = Value::Null;
    }
    tree
}
