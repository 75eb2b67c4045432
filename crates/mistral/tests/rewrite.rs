//! The body that leaves is the body that came, but for the named ranges.
#![allow(clippy::unwrap_used)]

use louver_mistral::endpoints::Endpoint::{
    self, ChatCompletions, Classifications, CountResponseTokens, Embeddings, FimCompletions, Moderations,
    Responses, Speech,
};
use louver_mistral::request::{read, splice};
use proptest::prelude::*;
use serde_json::Value;

const TAIL: &str = r#" "messages" : [{"content":"\u00e9 \"model\""}] }"#;

const TIER: &str = r#","service_tier":"standard_only""#;

fn rewritten(head: &str, pinned: &str, max_tokens: Option<u64>) -> Option<String> {
    let body = format!("{{{head}{TIER},{TAIL}");
    let request = read(ChatCompletions, body.as_bytes()).unwrap();
    let out = request.rewrite(body.as_bytes(), pinned, max_tokens)?;
    let behind = format!("{TIER},{TAIL}");
    Some(String::from_utf8(out).unwrap().strip_suffix(&behind).unwrap().to_owned())
}

#[test]
fn only_what_must_change_changes() {
    for (head, pinned, max_tokens, want) in [
        (r#""model":"a""#, "a", None, None),
        (r#""model":"a""#, "b-1", None, Some(r#"{"model":"b-1""#)),
        (r#" "model" : "\u0061" "#, "a", None, Some(r#"{ "model" : "a" "#)),
        (r#""model":"a""#, "a", Some(7), Some(r#"{"model":"a","max_tokens":7"#)),
        (r#""model": "a" "#, "b", Some(7), Some(r#"{"model": "b","max_tokens":7 "#)),
        (r#""max_tokens": null ,"model":"a""#, "b", Some(7), Some(r#"{"max_tokens": 7 ,"model":"b""#)),
        (r#""model":"a","max_tokens":null"#, "a", None, None),
        (r#""model":"a","max_tokens":7"#, "a", Some(7), None),
        (r#""model":"a","max_tokens":900"#, "b", Some(7), Some(r#"{"model":"b","max_tokens":7"#)),
        (r#""model":"a""#, "q\"\n", None, Some(r#"{"model":"q\"\n""#)),
    ] {
        assert_eq!(rewritten(head, pinned, max_tokens).as_deref(), want, "{head}");
    }
}

/// What a body becomes; the same as it was when it is left alone.
fn whole(endpoint: Endpoint, body: &str, max_tokens: Option<u64>) -> String {
    let mut request = read(endpoint, body.as_bytes()).unwrap();
    request.rename_cache_key(|key| format!("<{key}>"));
    let out = request.rewrite(body.as_bytes(), "a", max_tokens);
    out.map_or_else(|| body.to_owned(), |out| String::from_utf8(out).unwrap())
}

#[test]
fn each_endpoint_has_its_own_name_for_the_length_and_some_have_none() {
    let body = r#"{"model":"a","input":"x"}"#;
    for endpoint in [Embeddings, Moderations, Classifications, Speech, CountResponseTokens] {
        assert_eq!(whole(endpoint, body, Some(5)), body);
    }
    assert_eq!(whole(Responses, body, Some(5)), r#"{"model":"a","max_output_tokens":5,"input":"x"}"#);
    let null = r#"{"model":"a","input":"x","max_output_tokens":null}"#;
    assert_eq!(whole(Responses, null, Some(5)), r#"{"model":"a","input":"x","max_output_tokens":5}"#);
}

#[test]
fn who_does_not_ask_for_priority_says_so() {
    let said = |tier: &str| {
        let body = format!(r#"{{"model":"a"{tier},"messages":[{{"content":"x"}}]}}"#);
        whole(ChatCompletions, &body, None)
    };
    for tier in ["", r#","service_tier":null"#, r#","service_tier":"standard\u005fonly""#, TIER] {
        assert_eq!(said(tier), said(TIER), "{tier}");
    }
    assert!(said("").contains(TIER));
    let auto = r#","service_tier":"\u0061uto""#;
    assert!(said(auto).contains(auto), "left as it was");
    let fim = r#"{"model":"a","prompt":"x"}"#;
    assert_eq!(whole(FimCompletions, fim, None), fim, "which knows no tiers");
}

#[test]
fn names_of_caches_are_renamed_or_left_out() {
    let body = r#"{"model":"a","prompt":"x","prompt_cache_key":"k\u0022"}"#;
    assert_eq!(whole(FimCompletions, body, None), r#"{"model":"a","prompt":"x","prompt_cache_key":"<k\">"}"#);
    let left = read(FimCompletions, body.as_bytes()).unwrap().rewrite(body.as_bytes(), "a", None).unwrap();
    assert_eq!(left, br#"{"model":"a","prompt":"x","prompt_cache_key":null}"#);
}

#[test]
fn splice_never_fails() {
    assert_eq!(splice(b"abc", &[]), b"abc");
    assert_eq!(splice(b"abc", &[(1..2, b"xy".to_vec()), (3..3, b"!".to_vec())]), b"axyc!");
    assert_eq!(splice(b"abc", &[(2..9, b"z".to_vec())]), b"abz");
}

fn fields() -> impl Strategy<Value = Vec<String>> {
    let text =
        any::<String>().prop_map(|text| format!("\"messages\":[{{\"content\":{}}}]", Value::from(text)));
    let model = prop_oneof![Just("\"model\" : \"a-1\""), Just("\"\\u006dodel\":\"\\u0061-1\"")]
        .prop_map(str::to_owned);
    let tokens = prop_oneof![
        Just(None),
        Just(Some("\"max_tokens\": null ".to_owned())),
        any::<u32>().prop_map(|tokens| Some(format!("\"max_tokens\":{tokens}"))),
    ];
    let other = any::<String>().prop_map(|text| format!("\"metadata\":{{\"model\":{}}}", Value::from(text)));
    (text, model, tokens, other)
        .prop_map(|(text, model, tokens, other)| {
            let tier = Some("\"service_tier\":\"standard_only\"".to_owned());
            [Some(text), Some(model), tokens, Some(other), tier].into_iter().flatten().collect()
        })
        .prop_flat_map(|fields: Vec<String>| Just(fields).prop_shuffle())
}

proptest! {
    #[test]
    fn a_rewrite_changes_the_named_ranges_only(fields in fields(), pinned in "[a-z][a-z0-9-]{0,20}", limit in proptest::option::of(any::<u32>())) {
        let body = format!("{{ {} }}\n", fields.join(" ,\n"));
        let request = read(ChatCompletions, body.as_bytes()).unwrap();
        let limit = limit.map(u64::from);
        let out = request.rewrite(body.as_bytes(), &pinned, limit).unwrap_or_else(|| body.clone().into_bytes());
        // Meaning: the same document with two fields set.
        let mut want: Value = serde_json::from_str(&body).unwrap();
        want["model"] = Value::from(pinned.clone());
        if let Some(limit) = limit {
            want["max_tokens"] = Value::from(limit);
        }
        prop_assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), want);
        // Bytes: taking the changed literals out of both leaves the same.
        let back = read(ChatCompletions, &out).unwrap();
        prop_assert_eq!(&back.model, &pinned);
        let blank = |bytes: &[u8], request: &louver_mistral::request::Request, drop_key: bool| {
            let mut edits = vec![(request.model_span.clone(), Vec::new())];
            edits.extend(request.max_tokens_span.clone().map(|span| {
                let key = if drop_key { span.start - b",\"max_tokens\":".len()..span.end } else { span };
                (key, Vec::new())
            }));
            edits.sort_by_key(|(range, _)| range.start);
            splice(bytes, &edits)
        };
        let injected = request.max_tokens_span.is_none() && back.max_tokens_span.is_some();
        prop_assert_eq!(blank(body.as_bytes(), &request, false), blank(&out, &back, injected));
    }
}

#[test]
fn models_of_guardrails_are_pinned_where_they_are_named() {
    let body = r#"{"model":"a","guardrails":[{"moderation_llm_v1":{"model_name":"judge"}},
        {"moderation_llm_v2":{}},{"moderation_llm_v2":{"model_name" : "m\u006fd"}}],"messages":[{"role":"user","content":"x"}]}"#;
    let mut request = read(ChatCompletions, body.as_bytes()).unwrap();
    assert_eq!(request.nested_models, ["judge", "mistral-moderation-2603", "mod"]);
    request.pin_guards(|name| (name != "nobody").then(|| format!("{name}-1")));
    let out = String::from_utf8(request.rewrite(body.as_bytes(), "a", None).unwrap()).unwrap();
    let wanted = body.replace(r#""judge""#, r#""judge-1""#).replace(r#""m\u006fd""#, r#""mod-1""#);
    assert_eq!(out.replace(TIER, ""), wanted);
}
