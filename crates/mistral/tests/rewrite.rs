//! The body that leaves is the body that came, but for the named ranges.
#![allow(clippy::unwrap_used)]

use louver_mistral::endpoints::Endpoint::{ChatCompletions, Embeddings};
use louver_mistral::request::{read, splice};
use proptest::prelude::*;
use serde_json::Value;

const TAIL: &str = r#" "messages" : [{"content":"\u00e9 \"model\""}] }"#;

fn rewritten(head: &str, pinned: &str, max_tokens: Option<u64>) -> Option<String> {
    let body = format!("{{{head},{TAIL}");
    let request = read(ChatCompletions, body.as_bytes()).unwrap();
    let out = request.rewrite(body.as_bytes(), pinned, max_tokens)?;
    Some(String::from_utf8(out).unwrap().strip_suffix(TAIL).unwrap().to_owned())
}

#[test]
fn only_what_must_change_changes() {
    for (head, pinned, max_tokens, want) in [
        (r#""model":"a""#, "a", None, None),
        (r#""model":"a""#, "b-1", None, Some(r#"{"model":"b-1","#)),
        (r#" "model" : "\u0061" "#, "a", None, Some(r#"{ "model" : "a" ,"#)),
        (r#""model":"a""#, "a", Some(7), Some(r#"{"model":"a","max_tokens":7,"#)),
        (r#""model": "a" "#, "b", Some(7), Some(r#"{"model": "b","max_tokens":7 ,"#)),
        (r#""max_tokens": null ,"model":"a""#, "b", Some(7), Some(r#"{"max_tokens": 7 ,"model":"b","#)),
        (r#""model":"a","max_tokens":null"#, "a", None, None),
        (r#""model":"a","max_tokens":7"#, "a", Some(7), None),
        (r#""model":"a","max_tokens":900"#, "b", Some(7), Some(r#"{"model":"b","max_tokens":7,"#)),
        (r#""model":"a""#, "q\"\n", None, Some(r#"{"model":"q\"\n","#)),
    ] {
        assert_eq!(rewritten(head, pinned, max_tokens).as_deref(), want, "{head}");
    }
}

#[test]
fn embeddings_get_no_max_tokens() {
    let body = br#"{"model":"a","input":"x"}"#;
    assert_eq!(read(Embeddings, body).unwrap().rewrite(body, "a", Some(5)), None);
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
            [Some(text), Some(model), tokens, Some(other)].into_iter().flatten().collect()
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
