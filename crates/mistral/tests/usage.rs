//! Usage is found wherever the answer is cut, and lies in it are not believed.
#![allow(clippy::indexing_slicing)]

use louver_mistral::usage::{BadUsage, Found, Usage, UsageFinder};
use proptest::prelude::*;

const STREAM: &[u8] = include_bytes!("golden/stream.sse");
const ANSWER: &[u8] = include_bytes!("golden/answer.json");

fn watch<'c>(mut finder: UsageFinder, chunks: impl IntoIterator<Item = &'c [u8]>) -> Found {
    for chunk in chunks {
        finder.feed(chunk);
    }
    finder.finish()
}

fn stream(bytes: &[u8]) -> Found {
    watch(UsageFinder::for_stream(), [bytes])
}

fn answer(text: &str) -> Found {
    watch(UsageFinder::for_answer(), [text.as_bytes()])
}

fn usage(input: u64, cached: u64, output: u64, total: u64, priority: bool) -> Usage {
    let (input_tokens, cached_tokens, output_tokens) = (input, cached, output);
    Usage { input_tokens, cached_tokens, output_tokens, total_tokens: total, priority, ..Usage::default() }
}

#[test]
fn usage_objects_are_read() {
    for (object, want) in [
        (r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}"#, usage(10, 0, 5, 15, false)),
        (r#"{"prompt_tokens":10,"total_tokens":10,"completion_tokens":null}"#, usage(10, 0, 0, 10, false)),
        (r#"{"prompt_tokens":10,"completion_tokens":5}"#, usage(10, 0, 5, 15, false)),
        (r#"{"prompt_tokens":6,"completion_tokens":2,"total_tokens":383}"#, usage(381, 0, 2, 383, false)),
        (r#"{"prompt_tokens":6,"completion_tokens":2,"total_tokens":0}"#, usage(6, 0, 2, 0, false)),
        (
            r#"{"prompt_tokens":100,"completion_tokens":1,"total_tokens":101,"prompt_tokens_details":{"cached_tokens":64},
            "prompt_token_details":{"cached_tokens":32},"num_cached_tokens":16}"#,
            usage(100, 64, 1, 101, false),
        ),
        (
            r#"{"prompt_tokens":100,"prompt_tokens_details":{"cached_tokens":null},"prompt_token_details":{"cached_tokens":32},
            "num_cached_tokens":16}"#,
            usage(100, 32, 0, 100, false),
        ),
        (
            r#"{"prompt_tokens":100,"prompt_tokens_details":null,"num_cached_tokens":16}"#,
            usage(100, 16, 0, 100, false),
        ),
        (r#"{"prompt_tokens":100,"num_cached_tokens":500}"#, usage(100, 100, 0, 100, false)),
        (r#"{"prompt_tokens":1,"service_tier":"priority"}"#, usage(1, 0, 0, 1, true)),
        (r#"{"prompt_tokens":1,"service_tier":"standard","x":[{}]}"#, usage(1, 0, 0, 1, false)),
    ] {
        assert_eq!(Usage::parse(object.as_bytes()), Ok(want), "{object}");
    }
}

#[test]
fn lies_are_not_believed() {
    for object in [
        r#"{"prompt_tokens":-1}"#,
        r#"{"prompt_tokens":1.0}"#,
        r#"{"prompt_tokens":"1"}"#,
        r#"{"prompt_tokens":null}"#,
        "{}",
        "[]",
        "[1,2,3,null,null,null,null]",
        r#"{"completion_tokens":5}"#,
        r#"{"prompt_tokens":1,"prompt_tokens":2}"#,
        r#"{"prompt_tokens":1,"completion_tokens":-5}"#,
        r#"{"prompt_tokens":1,"num_cached_tokens":-5}"#,
        r#"{"prompt_tokens":1,"prompt_tokens_details":{"cached_tokens":-1}}"#,
        r#"{"prompt_tokens":1e3}"#,
        r#"{"prompt_tokens":1,"total_tokens":true}"#,
        r#"{"prompt_tokens":99999999999999999999999}"#,
        r#"{"prompt_tokens":1"#,
    ] {
        assert_eq!(Usage::parse(object.as_bytes()), Err(BadUsage::Malformed), "{object}");
    }
    for object in [
        r#"{"prompt_tokens":1000000001}"#,
        r#"{"prompt_tokens":1,"total_tokens":18446744073709551615}"#,
        r#"{"prompt_tokens":1,"completion_tokens":2000000000}"#,
    ] {
        assert_eq!(Usage::parse(object.as_bytes()), Err(BadUsage::OutOfRange), "{object}");
    }
}

#[test]
fn golden_answers_are_understood() {
    let found = stream(STREAM);
    assert_eq!(found.usage, Some(Ok(usage(128, 64, 11, 139, false))));
    assert!(!found.conflicting && found.done);
    assert_eq!(found.events, 5);
    let said = "Say \"usage\": {\"prompt_tokens\": 1} éé".len() + "hm\n".len() + "{\"content\": \"x\"}".len();
    assert_eq!(found.text_bytes, said as u64);
    let found = watch(UsageFinder::for_answer(), [ANSWER]);
    assert_eq!(found, Found { usage: Some(Ok(usage(381, 0, 2, 383, true))), ..Found::default() });
}

#[test]
fn cuts_do_not_matter() {
    for (bytes, new) in
        [(STREAM, UsageFinder::for_stream as fn() -> UsageFinder), (ANSWER, UsageFinder::for_answer)]
    {
        let whole = watch(new(), [bytes]);
        assert_eq!(watch(new(), bytes.chunks(1)), whole);
        assert_eq!(watch(new(), bytes.chunks(2)), whole);
        for cut in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            assert_eq!(watch(new(), [head, tail]), whole, "{cut}");
            assert_eq!(watch(new(), [head, &[], tail]), whole, "{cut}");
        }
    }
}

#[test]
fn broken_streams_are_counted() {
    let full = stream(STREAM);
    for cut in 0..STREAM.len() {
        let found = stream(&STREAM[..cut]);
        assert!(found.events <= full.events && !found.conflicting, "{cut}");
        // A string cut short is counted as written, with its escapes.
        assert!(found.text_bytes <= full.text_bytes + 20, "{cut}");
        assert!(found.usage.is_none() || found.usage == full.usage, "{cut}");
    }
    let found = stream(b"data: {\"choices\":[{\"delta\":{\"content\":\"Hello wor");
    assert_eq!((found.events, found.text_bytes, found.done, found.usage), (1, 9, false, None));
}

#[test]
fn which_hits_count() {
    let one = r#"{"prompt_tokens":1}"#;
    let two = r#"{"prompt_tokens":2}"#;
    assert_eq!(answer(&format!(r#"{{"usage":{one}}}"#)).usage, Some(Ok(usage(1, 0, 0, 1, false))));
    assert_eq!(answer(&format!("{{\"usage\"\n : \t{one}}}")).usage, Some(Ok(usage(1, 0, 0, 1, false))));
    for none in [
        r#"{"usage":null}"#,
        r#"{"usage":5}"#,
        r#"{"usage":"x"}"#,
        r#"["usage",{"prompt_tokens":1}]"#,
        r#"{"a":"\"usage\":{\"prompt_tokens\":1}"}"#,
        r#"{"a\"usage":{"prompt_tokens":1}}"#,
        r#"{"usage":{"prompt_tokens":1"#,
        r#"{"Usage":{"prompt_tokens":1}}"#,
        r#"{"usages":{"prompt_tokens":1}}"#,
        "",
    ] {
        assert_eq!(answer(none), Found::default(), "{none}");
    }
    let twice = answer(&format!(r#"{{"usage":{one},"b":{{"usage":{one}}},"usage":null}}"#));
    assert_eq!((twice.usage, twice.conflicting), (Some(Ok(usage(1, 0, 0, 1, false))), false));
    let other = answer(&format!(r#"{{"usage":{one},"b":{{"usage":{two}}}}}"#));
    assert_eq!((other.usage, other.conflicting), (Some(Ok(usage(2, 0, 0, 2, false))), true));
    let bad = answer(&format!(r#"{{"usage":{one},"b":{{"usage":{{}}}}}}"#));
    assert_eq!((bad.usage, bad.conflicting), (Some(Err(BadUsage::Malformed)), true));
    assert_eq!(
        answer(&format!(r#"["usage","usage",{{"usage":{one}}}]"#)).usage,
        Some(Ok(usage(1, 0, 0, 1, false)))
    );
}

#[test]
fn nothing_grows_without_end() {
    let long = format!(r#"{{"usage":{{"prompt_tokens":1,"x":"{}"}}}}"#, "a".repeat(70_000));
    assert_eq!(answer(&long).usage, Some(Err(BadUsage::TooLong)));
    assert_eq!(
        watch(UsageFinder::for_answer(), long.as_bytes().chunks(1000)).usage,
        Some(Err(BadUsage::TooLong))
    );
    let line = format!("data: {{\"content\":\"{}\"}}\n\ndata: [DONE]\n\n", "a".repeat(3_000_000));
    for size in [10_000, line.len()] {
        let found = watch(UsageFinder::for_stream(), line.as_bytes().chunks(size));
        assert_eq!((found.usage, found.events, found.done), (Some(Err(BadUsage::TooLong)), 1, true));
        assert!(found.text_bytes > 3_000_000);
    }
}

#[test]
fn what_was_seen_is_known_in_flight() {
    let mut finder = UsageFinder::for_stream();
    finder.feed(b"data: {\"text\":\"abc\"}\r\n\r\ndata:{\"text\":\"de\"}\n\ndata: {\"te");
    assert_eq!((finder.so_far().text_bytes, finder.so_far().events), (5, 2));
}

proptest! {
    #[test]
    fn random_cuts_do_not_matter(cuts in proptest::collection::vec(0..STREAM.len(), 0..12)) {
        for (bytes, new) in [(STREAM, UsageFinder::for_stream as fn() -> UsageFinder), (ANSWER, UsageFinder::for_answer)] {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % bytes.len()).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|ends| &bytes[ends[0]..ends[1]]);
            prop_assert_eq!(watch(new(), pieces), watch(new(), [bytes]));
        }
    }

    #[test]
    fn hostile_text_forges_nothing(text in any::<String>(), tricky in "[\\\\\"{}:,a-c]{0,12}usage[\\\\\"{}:, 0-9]{0,12}", size in 1..40_usize) {
        let said = serde_json::Value::from(format!("{text}{tricky}\"usage\":{{\"prompt_tokens\":7}}"));
        let body = format!(r#"{{"choices":[{{"message":{{"content":{said}}}}}],"usage":{{"prompt_tokens":3}}}}"#);
        let found = watch(UsageFinder::for_answer(), body.as_bytes().chunks(size));
        prop_assert_eq!((found.usage, found.conflicting), (Some(Ok(usage(3, 0, 0, 3, false))), false));
        let event = format!("data: {body}\n\n");
        let found = watch(UsageFinder::for_stream(), event.as_bytes().chunks(size));
        prop_assert_eq!((found.usage, found.conflicting), (Some(Ok(usage(3, 0, 0, 3, false))), false));
        prop_assert_eq!(found.text_bytes, said.as_str().map_or(0, str::len) as u64);
    }
}

#[test]
fn pages_are_found_however_the_answer_is_cut() {
    let answer =
        br#"{"pages":[{"markdown":"\"usage_info\":{\"pages_processed\":9}"}],"usage_x":{},"usage_info":
        {"pages_processed":3,"doc_size_bytes":null}}"#;
    for cut in 0..answer.len() {
        let mut finder = UsageFinder::for_answer();
        finder.feed(&answer[..cut]);
        finder.feed(&answer[cut..]);
        let found = finder.finish();
        assert_eq!(found.usage.unwrap().unwrap().pages, 3, "{cut}");
        assert!(!found.conflicting);
    }
}

#[test]
fn what_a_response_repeats_is_no_usage() {
    let lie = r#"{"usage":{"input_tokens":0,"output_tokens":0}}"#;
    let own = r#""usage":{"input_tokens":7,"output_tokens":3,"total_tokens":10,"input_tokens_details":{"cached_tokens":2}}"#;
    let whole =
        format!(r#"{{"metadata":{lie},"tools":[{lie}],"text":"usage","x":"\"usage",{own},"more":{lie}}}"#);
    let event = format!("data: {{\"type\":\"response.completed\",\"response\":{whole}}}\n\n");
    for (stream, text) in [(false, &whole), (true, &event)] {
        for cut in 0..text.len() {
            let mut finder = UsageFinder::for_response(stream);
            finder.feed(&text.as_bytes()[..cut]);
            finder.feed(&text.as_bytes()[cut..]);
            let found = finder.finish();
            let usage = found.usage.unwrap().unwrap();
            assert_eq!((usage.input_tokens, usage.cached_tokens, usage.output_tokens), (7, 2, 3), "{cut}");
            assert!(!found.conflicting);
        }
    }
}

#[test]
fn what_no_reader_understands_is_counted_once() {
    // The fuzz target `usage` found that the rest of a line was counted anew at each key in it.
    let line = format!("data: {}", r#"{"content":"\0"}"#.repeat(20));
    let found = stream(line.as_bytes());
    assert!(found.text_bytes > 200 && found.text_bytes <= line.len() as u64, "{}", found.text_bytes);
}

#[test]
fn a_key_that_begins_where_another_ends_is_found_wherever_the_answer_is_cut() {
    // The fuzz target `usage` found it: the same quote ended one key and began the next.
    let text = br#"{"a":"\"usage"usage":{"prompt_tokens":3}}"#;
    let whole = watch(UsageFinder::for_answer(), [text.as_slice()]);
    assert_eq!(whole.usage, Some(Ok(usage(3, 0, 0, 3, false))));
    assert_eq!(watch(UsageFinder::for_answer(), text.chunks(1)), whole);
}
