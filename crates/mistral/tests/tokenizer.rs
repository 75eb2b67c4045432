//! Input tokens by a vocabulary of a few merges: what is counted, and that it stays within the bound by bytes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use louver_mistral::endpoints::Endpoint::{self, ChatCompletions, Embeddings, FimCompletions};
use louver_mistral::request::read;
use louver_mistral::tokenizer::{PATTERN, Tokenizer, TokenizerError};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// Tokens beyond the bytes, by rank.
const MERGES: [&str; 18] = [
    "he", "ll", "lo", "hell", "hello", " h", " hello", "in", "st", "\":", "{\"", "\"}", "aa", "aaaa", "é",
    "  ", "\\\"", "<unk>",
];

fn entry(rank: usize, bytes: &[u8]) -> Value {
    json!({"rank": rank, "token_bytes": STANDARD.encode(bytes), "token_str": null})
}

/// A file in the format of `tekken.json`; the last of its entries is beyond the size it names.
fn file() -> Value {
    let bytes = (0..=u8::MAX).map(|byte| vec![byte]);
    let tokens = bytes.chain(MERGES.iter().map(|merge| merge.as_bytes().to_vec()));
    let mut vocab: Vec<Value> = tokens.enumerate().map(|(rank, bytes)| entry(rank, &bytes)).collect();
    let size = vocab.len();
    vocab.push(entry(size, b"helloworld"));
    json!({
        "config": {"pattern": PATTERN, "num_vocab_tokens": size + 1, "default_vocab_size": size + 10,
                   "default_num_special_tokens": 10, "version": "v3"},
        "vocab": vocab,
        "special_tokens": [{"rank": 0, "token_str": "[INST]", "is_control": true}],
    })
}

fn open(file: &Value) -> Result<Tokenizer, TokenizerError> {
    Tokenizer::from_tekken(&serde_json::to_vec(file).unwrap())
}

static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(|| open(&file()).unwrap());

fn count_at(endpoint: Endpoint, body: &Value) -> Option<u64> {
    let body = body.to_string();
    TOKENIZER.count(&read(endpoint, body.as_bytes()).unwrap(), body.as_bytes())
}

/// Tokens of a chat beyond the 16 of its message.
fn message(message: &Value) -> u64 {
    count_at(ChatCompletions, &json!({"model": "mistral-small-2603", "messages": [message]})).unwrap() - 16
}

#[test]
fn a_text_is_cut_and_merged_by_rank() {
    for (text, tokens) in [
        ("", 0),
        ("hello", 1),
        ("hello hello", 2),
        ("Hello", 4),      // H e ll o: nothing leads from H to the merges, "ello" is no token.
        ("helloworld", 6), // hello w o r l d: beyond the size of the vocabulary there are no tokens.
        ("aaaaaaa", 3),    // aaaa aa a
        ("12", 2),
        ("é", 1),
        ("e\u{301}", 3),
        ("中", 3),
        ("[INST]", 6), // Not the special token, and of capitals there is no merge.
        ("<unk>", 5),  // Two pieces, "<unk" and ">", so the token in the vocabulary is never made.
    ] {
        assert_eq!(TOKENIZER.tokens(text), tokens, "{text}");
    }
}

#[test]
fn every_text_of_a_chat_counts_and_nothing_else() {
    assert_eq!(message(&json!({"role": "user", "content": "hello hello"})), 2);
    assert_eq!(message(&json!({"role": "user", "content": null, "name": "hello"})), 1);
    // Four tokens for the seam of each chunk.
    let chunks = json!([{"type": "text", "text": "hello"}, {"type": "text", "text": "he"}]);
    assert_eq!(message(&json!({"role": "user", "content": chunks})), 2 + 2 * 4);
    let thought =
        json!([{"type": "thinking", "thinking": [{"type": "text", "text": "hello"}], "closed": true}]);
    assert_eq!(message(&json!({"role": "assistant", "content": thought})), 1 + 2 * 4);
    let image = json!([{"type": "image_url", "image_url": "https://example.com/a-long-name.png"}]);
    assert_eq!(message(&json!({"role": "user", "content": image})), 4 + 3080);

    let body = json!({"model": "mistral-small-2603", "messages": [{"role": "user", "content": "hello"}]});
    for (field, value, more) in [
        ("metadata", json!({"a": "hello"}), 0),
        ("stop", json!(["hello"]), 0),
        ("prompt_cache_key", json!("hello"), 0),
        ("reasoning_effort", json!("hello"), 1),
        ("safe_prompt", json!(true), 64),
        ("safe_prompt", json!(false), 0),
        ("prompt_mode", json!("hello"), 256 + 1),
        ("response_format", json!({"a": "h"}), 7), // {" a ": ␠ " h "}
    ] {
        let mut body = body.clone();
        body[field] = value;
        assert_eq!(count_at(ChatCompletions, &body), Some(16 + 1 + more), "{field}");
    }
}

#[test]
fn json_is_counted_as_upstream_writes_it() {
    // `{"a": [1, 2]}`: {" a ": ␠ [ 1 , ␠ 2 ] }, of which "]}" is one piece without a merge.
    let tool = json!({"type": "function", "function": {"name": "f", "parameters": {"a": [1, 2]}}});
    let written = r#"[{"function": {"name": "f", "parameters": {"a": [1, 2]}}, "type": "function"}]"#;
    let expected = TOKENIZER.tokens(written);
    let body = json!({"model": "m", "messages": [{"content": "hello"}], "tools": [tool]});
    let tight = body.to_string();
    let wide = serde_json::to_string_pretty(&body).unwrap();
    for body in [tight, wide] {
        let request = read(ChatCompletions, body.as_bytes()).unwrap();
        assert_eq!(TOKENIZER.count(&request, body.as_bytes()), Some(16 + 1 + 16 + expected));
    }
    // The arguments of a call are JSON in a string, and written as what they hold.
    let call = |arguments: Value| json!({"role": "assistant", "tool_calls": [{"function": {"arguments": arguments}}]});
    let unfolded = TOKENIZER.tokens(r#"[{"function": {"arguments": {"a": 1}}}]"#);
    assert_eq!(message(&call(json!("{\"a\":1}"))), unfolded);
    assert_eq!(message(&call(json!({"a": 1}))), unfolded);
    let broken = TOKENIZER.tokens(r#"[{"function": {"arguments": "{\"a\""}}]"#);
    assert_eq!(message(&call(json!("{\"a\""))), broken);
    // Python writes this number with all its zeros.
    assert!(message(&call(json!("[1e15]"))) > 18);
}

#[test]
fn the_result_of_a_tool_counts_by_its_dearest_way() {
    let result = |role: &str, content: &str| message(&json!({"role": role, "content": content}));
    assert_eq!(result("user", "a\nb"), 3);
    assert_eq!(result("tool", "a\nb"), TOKENIZER.tokens("\"a\\nb\""));
    assert_eq!(result("user", "[1,2]"), 5);
    assert_eq!(result("tool", "[1,2]"), 7, "the quotes");
    assert_eq!(result("tool", "[1,2,3,4]"), TOKENIZER.tokens("[1, 2, 3, 4]"));
}

#[test]
fn a_prompt_to_fill_in_counts_on_both_sides_and_embeddings_do_not_count() {
    let fim = json!({"model": "codestral-2508", "prompt": "hello", "suffix": "he", "stop": "hello"});
    assert_eq!(count_at(FimCompletions, &fim), Some(16 + 2));
    assert_eq!(count_at(Embeddings, &json!({"model": "mistral-embed", "input": "hello"})), None);
}

/// A count that left something out would be below what is billed.
#[test]
fn c2_only_where_all_of_the_input_is_in_the_request_it_is_counted() {
    let text = "x".repeat(20_000);
    let chunk = |chunk: Value| json!({"model": "m", "messages": [{"role": "user", "content": [chunk]}]});
    let mut searching = chunk(json!({"type": "text", "text": text}));
    assert!(count_at(Endpoint::ChatCompletions, &searching).is_some());
    searching["tools"] = json!([{"type": "web_search"}]);
    for (endpoint, body) in [
        (Endpoint::ChatCompletions, searching),
        (
            Endpoint::ChatCompletions,
            chunk(json!({"type": "document_url", "document_url": "https://a.test/b.pdf"})),
        ),
        (Endpoint::Responses, json!({"model": "m", "input": text, "instructions": text})),
        (Endpoint::Moderations, json!({"model": "m", "input": [text]})),
        (Endpoint::StartConversation, json!({"model": "m", "inputs": text, "instructions": text})),
        (
            Endpoint::AgentsCompletions,
            json!({"agent_id": "a", "messages": [{"role": "user", "content": text}]}),
        ),
    ] {
        assert_eq!(count_at(endpoint, &body), None, "{endpoint:?}");
    }
}

#[test]
fn what_is_too_long_or_not_the_request_is_not_counted() {
    let long = json!({"model": "m", "messages": [{"content": "a".repeat(256 << 10)}]});
    assert_eq!(count_at(ChatCompletions, &long), None);
    let body = br#"{"model":"m","messages":[{"content":"hello"}]}"#;
    let request = read(ChatCompletions, body).unwrap();
    assert_eq!(TOKENIZER.count(&request, b"[]"), None);
    assert_eq!(TOKENIZER.count(&request, &body[..20]), None);
}

#[test]
fn a_file_that_is_no_vocabulary_is_refused() {
    let changed = |change: fn(&mut Value)| {
        let mut file = file();
        change(&mut file);
        open(&file)
    };
    assert!(matches!(Tokenizer::from_tekken(b"{"), Err(TokenizerError::Json(_))));
    assert!(matches!(changed(|file| file["vocab"] = json!(1)), Err(TokenizerError::Json(_))));
    assert!(matches!(changed(|file| file["config"]["pattern"] = json!(".")), Err(TokenizerError::Pattern)));
    let short = changed(|file| file["config"]["default_vocab_size"] = json!(100_000));
    assert!(matches!(short, Err(TokenizerError::Size { named: 99_990, listed: 275 })));
    let none = changed(|file| file["config"]["default_vocab_size"] = json!(0));
    assert!(matches!(none, Err(TokenizerError::Size { named: 0, .. })));
    for change in [
        |file: &mut Value| file["vocab"][3]["rank"] = json!(4),
        |file: &mut Value| file["vocab"][3]["token_bytes"] = json!("!!"),
        |file: &mut Value| file["vocab"][3]["token_bytes"] = json!(""),
    ] {
        assert!(matches!(changed(change), Err(TokenizerError::Entry(3))));
    }
    let twice = changed(|file| file["vocab"][260] = entry(260, b"he"));
    assert!(matches!(twice, Err(TokenizerError::Entry(260))));
    let byteless = changed(|file| file["vocab"][7] = entry(7, b"hex"));
    assert!(matches!(byteless, Err(TokenizerError::Byte(7))));
}

/// Merges by looking at all neighbours each time.
fn naive(text: &str, pieces: &[&str]) -> u64 {
    assert_eq!(pieces.concat(), text);
    let rank = |bytes: &[u8]| MERGES.iter().position(|merge| merge.as_bytes() == bytes);
    let mut tokens = 0;
    for piece in pieces {
        let mut parts: Vec<Vec<u8>> = piece.bytes().map(|byte| vec![byte]).collect();
        while rank(piece.as_bytes()).is_none() {
            let pairs = parts.windows(2).enumerate();
            let Some((_, at)) = pairs.filter_map(|(at, pair)| Some((rank(&pair.concat())?, at))).min() else {
                break;
            };
            let right = parts.remove(at + 1);
            parts[at].extend(right);
        }
        tokens += if rank(piece.as_bytes()).is_some() { 1 } else { parts.len() as u64 };
    }
    tokens
}

proptest! {
    #[test]
    fn merges_are_those_of_the_plain_algorithm(word in "[helo]{0,30}", other in "[instaé]{0,200}") {
        prop_assume!(!word.is_empty() && !other.is_empty());
        let text = format!("{word} {other}");
        let expected = naive(&text, &[&word, &format!(" {other}")]);
        prop_assert_eq!(TOKENIZER.tokens(&text), expected);
    }

    #[test]
    fn a_text_has_at_most_a_token_a_byte(text in any::<String>()) {
        prop_assert!(TOKENIZER.tokens(&text) <= text.len() as u64);
    }

    /// Whatever a chat says, the count stays within the bound, and is not below what its texts are by themselves.
    #[test]
    fn the_count_is_within_the_bound(
        texts in prop::collection::vec(("system|user|assistant|tool", any::<String>()), 1..5),
        chunks in prop::collection::vec(any::<String>(), 0..4),
        arguments in "\\PC{0,40}|\\{\"a\":[0-9,]{1,9}\\}",
        schema in "[a-z\"\\\\é]{0,20}",
    ) {
        let mut messages: Vec<Value> =
            texts.iter().map(|(role, text)| json!({"role": role, "content": text})).collect();
        let parts: Vec<Value> = chunks.iter().map(|text| json!({"type": "text", "text": text})).collect();
        messages.push(json!({"role": "user", "content": parts}));
        let function = json!({"name": "f", "arguments": arguments});
        messages.push(json!({"role": "assistant", "tool_calls": [{"id": "x", "function": function}]}));
        let tool = json!({"type": "function", "function": {"name": "f", "parameters": {schema: 1}}});
        let body = json!({"model": "m", "messages": messages, "tools": [tool]}).to_string();
        let request = read(ChatCompletions, body.as_bytes()).unwrap();
        let count = TOKENIZER.count(&request, body.as_bytes()).unwrap();
        let texts = texts.iter().map(|(_, text)| text).chain(&chunks);
        let least: u64 = texts.map(|text| TOKENIZER.tokens(text)).sum();
        prop_assert!(count <= request.input_token_bound());
        prop_assert!(count >= least + 16 * (request.messages + request.tools));
    }

    #[test]
    fn any_text_alone_is_within_the_bound(text in any::<String>(), suffix in any::<String>()) {
        let body = json!({"model": "m", "prompt": text, "suffix": suffix}).to_string();
        let request = read(FimCompletions, body.as_bytes()).unwrap();
        let count = TOKENIZER.count(&request, body.as_bytes()).unwrap();
        prop_assert!(count <= request.input_token_bound());
        prop_assert_eq!(count, 16 + TOKENIZER.tokens(&text) + TOKENIZER.tokens(&suffix));
    }
}
