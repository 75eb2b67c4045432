//! The strict reading of batches: files line by line, jobs, and lines of output.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use louver_mistral::batch::{
    BatchError, Content, LONGEST_LINE, Lines, MOST_BYTES, MOST_LINES, Names, Summary, read_job, read_output,
};
use louver_mistral::endpoints::Endpoint;
use louver_mistral::request::RequestError;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A key that may use two models.
struct Key;

impl Names for Key {
    fn pinned(&self, model: &str) -> Option<String> {
        match model {
            "small" | "small-latest" => Some("small-1".into()),
            "large" => Some("large-1".into()),
            _ => None,
        }
    }

    fn cache(&self, given: &str) -> String {
        format!("ours-{given}")
    }
}

fn chat(id: &str, model: Option<&str>) -> Value {
    let mut body = json!({"max_tokens": 5, "messages": [{"role": "user", "content": "Hello"}]});
    if let Some(model) = model {
        body["model"] = model.into();
    }
    json!({"custom_id": id, "body": body})
}

fn read_in(bytes: &[u8], size: usize) -> Result<(Summary, Vec<u8>), BatchError> {
    let mut content = Content::new(Key);
    let mut out = Vec::new();
    for piece in bytes.chunks(size.max(1)) {
        content.feed(piece, &mut out)?;
    }
    let summary = content.finish(&mut out)?;
    Ok((summary, out))
}

fn read(text: &str) -> Result<(Summary, Vec<u8>), BatchError> {
    read_in(text.as_bytes(), usize::MAX)
}

#[test]
fn models_are_pinned_and_the_rest_is_as_it_was() {
    let line = "{ \"custom_id\":\"a\\u0062\",\t\"body\" : {\"messages\":[{\"role\":\"user\",\"content\":\"é\"}], \"model\" : \"small-latest\" } }";
    let (summary, out) = read(line).unwrap();
    let pinned = "\"small-1\",\"service_tier\":\"standard_only\"";
    assert_eq!(String::from_utf8(out).unwrap(), line.replace("\"small-latest\"", pinned) + "\n");
    let chats = summary.of(Endpoint::ChatCompletions).unwrap();
    assert_eq!((summary.lines, chats.len(), chats[0].model.as_deref()), (1, 1, Some("small-1")));
    assert!(chats[0].open && chats[0].sums.input > 0);
    let plain = format!("{}\r\n", chat("a", None));
    let (summary, out) = read(&plain).unwrap();
    let wanted = plain.replace("\"body\":{", "\"body\":{\"service_tier\":\"standard_only\",");
    assert_eq!(String::from_utf8(out).unwrap(), wanted, "a line that names no model gets none");
    assert_eq!(summary.of(Endpoint::ChatCompletions).unwrap()[0].model, None);
}

#[test]
fn c9_c18_a_line_goes_upstream_as_a_call_of_its_own_would() {
    let mut line = chat("1", Some("small"));
    line["body"]["prompt_cache_key"] = "mine".into();
    line["body"]["service_tier"] = Value::Null;
    let mut dear = chat("2", None);
    dear["body"]["service_tier"] = "auto".into();
    let fill = json!({"custom_id": "3", "body": {"model": "small", "prompt": "x"}});
    let (summary, out) = read(&format!("{line}\n{dear}\n{fill}\n")).unwrap();
    let sent: Vec<Value> =
        String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (line["body"]["model"], line["body"]["prompt_cache_key"]) = ("small-1".into(), "ours-mine".into());
    line["body"]["service_tier"] = "standard_only".into();
    assert_eq!(sent, [line, dear, json!({"custom_id": "3", "body": {"model": "small-1", "prompt": "x"}})]);
    assert_eq!(summary.classes.iter().map(|class| class.priority).collect::<Vec<_>>(), [false, true, false]);
}

#[test]
fn documents_sound_guardrails_and_addresses_are_remembered() {
    let ocr = |id: &str, document: Value, rest: Value| {
        let mut body = json!({"model": "small", "document": document});
        body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        json!({"custom_id": id, "body": body})
    };
    let remote = json!({"type": "document_url", "document_url": "https://Example.com/a.pdf"});
    let file = json!({"type": "file", "file_id": "f-1"});
    let annotation = json!({"bbox_annotation_format": {"type": "json_object"}, "pages": [0, 1, 2]});
    let lines =
        [ocr("1", remote.clone(), json!({})), ocr("2", file, json!({})), ocr("3", remote, annotation)];
    let text: Vec<String> = lines.iter().map(Value::to_string).collect();
    let (summary, _) = read(&text.join("\n")).unwrap();
    let classes = summary.of(Endpoint::Ocr).unwrap();
    let told: Vec<_> =
        classes.iter().map(|it| (it.sums.lines, it.sums.pages, it.annotated, it.unseen)).collect();
    assert_eq!(told, [(2, 0, false, true), (1, 3, true, false)]);
    assert_eq!(summary.hosts, ["example.com"]);
    assert_eq!(summary.named.iter().map(|it| (&*it.kind, &*it.id)).collect::<Vec<_>>(), [("file", "f-1")]);
    let mut shown = chat("1", Some("small"));
    shown["body"]["messages"][0]["content"] =
        json!([{"type": "document_url", "document_url": "https://example.com/b.pdf"}]);
    shown["body"]["guardrails"] = json!([{"moderation_llm_v2": {"model_name": "judge"}}]);
    let (summary, _) = read(&format!("{shown}\n{}", chat("2", Some("small")))).unwrap();
    let chats = summary.of(Endpoint::ChatCompletions).unwrap();
    assert_eq!(chats.len(), 2);
    assert_eq!((chats[0].fills_context, &*chats[0].nested_models), (true, &["judge".to_owned()][..]));
    assert_eq!((chats[1].fills_context, chats[1].nested_models.len()), (false, 0));
    let many = |place: usize| {
        let mut line = shown.clone();
        line["custom_id"] = place.to_string().into();
        line["body"]["messages"][0]["content"][0]["document_url"] = format!("https://h{place}.test/").into();
        line.to_string()
    };
    let text: Vec<String> = (0..1001).map(many).collect();
    assert_eq!(read(&text.join("\n")).unwrap_err(), BatchError::TooVaried);
}

#[test]
fn lines_are_summed_by_what_makes_another_price() {
    let mut closed = chat("3", Some("small"));
    closed["body"]["n"] = json!(3);
    let text = format!("{}\n{}\n{closed}\n", chat("1", Some("small")), chat("2", Some("large")));
    let (summary, _) = read(&text).unwrap();
    let chats = summary.of(Endpoint::ChatCompletions).unwrap();
    let small = chats.iter().find(|class| class.model.as_deref() == Some("small-1")).unwrap();
    assert_eq!((small.sums.lines, small.sums.output, small.sums.choices), (2, 5 + 15, 4));
    assert_eq!((small.peaks.max_tokens, small.peaks.choices, small.open), (5, 3, false));
    assert_eq!(summary.of(Endpoint::FimCompletions), None, "no line can be one");
    let kept: Summary = serde_json::from_value(serde_json::to_value(&summary).unwrap()).unwrap();
    assert_eq!(kept, summary);
    let mixed = format!("{text}{}", json!({"custom_id": "4", "body": {"model": "small", "input": "x"}}));
    let (summary, _) = read(&mixed).unwrap();
    assert_eq!(summary.of(Endpoint::ChatCompletions), None, "one line cannot be");
    assert_eq!(summary.of(Endpoint::Embeddings), None);
}

#[test]
fn what_two_readers_could_read_in_two_ways_is_refused() {
    let good = chat("a", Some("small")).to_string();
    let line = |line: &str| read(line).unwrap_err();
    let json = |text: &str| {
        let error = line(text);
        assert!(
            matches!(error, BatchError::Request { error: RequestError::Json(_), .. }),
            "{text}: {error:?}"
        );
    };
    for text in [
        good.replace("\"model\"", "\"model\":\"large\",\"model\""),
        good.replace("\"body\"", "\"body\":{},\"body\""),
        good.replace("\"model\"", "\"\\u006dodel\":\"large\",\"model\""),
        format!("\u{feff}{good}"),
        format!("{good} {good}"),
        good.replace("5", "NaN"),
        good[..good.len() - 1].to_owned(),
    ] {
        json(&text);
    }
    let frame = |value: Value| {
        let error = line(&value.to_string());
        assert!(matches!(error, BatchError::Frame { line: 1, .. }), "{value}: {error:?}");
    };
    let mut base = chat("a", Some("small"));
    base["extra"] = json!(1);
    frame(base);
    for (field, bad) in [
        ("custom_id", json!(1)),
        ("custom_id", json!("")),
        ("custom_id", json!("x".repeat(513))),
        ("body", json!("{}")),
        ("method", json!("GET")),
        ("url", json!("/v1/models")),
        ("url", json!(1)),
    ] {
        let mut base = chat("a", Some("small"));
        base[field] = bad;
        frame(base);
    }
    frame(json!({"custom_id": "a"}));
    frame(json!([]));
    for (field, bad) in [
        ("model", Value::Null),
        ("model", json!(["small"])),
        ("max_tokens", json!("5")),
        ("stream", json!(true)),
        ("models", json!(["large"])),
        ("n", json!(1.0)),
    ] {
        let mut base = chat("a", Some("small"));
        base["body"][field] = bad;
        let error = line(&base.to_string());
        assert!(
            matches!(&error, BatchError::Request { line: 1, error: RequestError::Shape(details) } if !details.is_empty()),
            "{field}: {error:?}"
        );
    }
    for model in ["unknown", "Small", " small", "small\u{0}"] {
        assert_eq!(line(&chat("a", Some(model)).to_string()), BatchError::Model { line: 1 });
    }
}

#[test]
fn the_limits_of_a_file_hold() {
    let good = chat("a", Some("small")).to_string();
    assert_eq!(read(&format!("{good}\n{good}")).unwrap_err(), BatchError::Twice { line: 2 });
    assert_eq!(read(&format!("{good}\n\n")).unwrap_err(), BatchError::Blank { line: 2 });
    assert_eq!(read("\n").unwrap_err(), BatchError::Blank { line: 1 });
    assert_eq!(read(" \n").unwrap_err(), BatchError::Blank { line: 1 });
    assert_eq!(read("").unwrap_err(), BatchError::Empty);
    let long = chat(&"a".repeat(10), Some("small"));
    let pad = LONGEST_LINE - long.to_string().len();
    let longest = format!("{}{}", long, " ".repeat(pad));
    assert!(read(&longest).is_ok());
    assert_eq!(read(&format!("{longest} ")).unwrap_err(), BatchError::LineTooLong { line: 1 });
    let mut content = Content::new(Key);
    let mut out = Vec::new();
    let line = vec![b' '; 64 * 1024 * 1024];
    let mut refused = None;
    for _ in 0..=MOST_BYTES / (64 * 1024 * 1024) {
        refused = content.feed(&line, &mut out).err();
    }
    assert_eq!(refused, Some(BatchError::TooLarge), "and no more of it was kept than a line may have");
    assert!(out.is_empty());
    let varied = |place: usize| {
        let guardrail = json!({"moderation_llm_v1": {"model_name": format!("m{place}")}});
        let mut line = chat(&place.to_string(), Some("small"));
        line["body"]["guardrails"] = json!([guardrail]);
        line.to_string()
    };
    let text: Vec<String> = (0..600).map(varied).collect();
    assert_eq!(read(&text.join("\n")).unwrap_err(), BatchError::TooVaried);
}

#[test]
fn a_file_has_no_more_than_a_million_lines() {
    let mut content = Content::new(Key);
    let mut out = Vec::new();
    let mut refused = None;
    for id in 0..=MOST_LINES {
        let line = format!("{{\"custom_id\":\"{id}\",\"body\":{{\"model\":\"small\",\"prompt\":\"\"}}}}\n");
        out.clear();
        if let Err(error) = content.feed(line.as_bytes(), &mut out) {
            refused = Some((id, error));
            break;
        }
    }
    assert_eq!(refused, Some((MOST_LINES, BatchError::TooManyLines)));
}

#[test]
fn a_job_is_read_strictly_and_written_anew() {
    let body = json!({"endpoint": "/v1/chat/completions", "model": "small-latest", "timeout_hours": 3,
        "metadata": {"a": "b"}, "requests": [chat("1", None), chat("2", Some("small-latest"))]});
    let job = read_job(body.to_string().as_bytes(), Key).unwrap();
    assert_eq!((job.endpoint, job.timeout_hours), (Endpoint::ChatCompletions, 3));
    assert_eq!(job.inline.as_ref().unwrap().lines, 2);
    let written: Value = serde_json::from_slice(&job.written(Some("small-1"), "mark")).unwrap();
    let mut frame = written.clone();
    frame["requests"] = Value::Null;
    assert_eq!(
        frame,
        json!({"endpoint": "/v1/chat/completions", "model": "small-1", "timeout_hours": 3,
            "metadata": {"louver_intent": "mark", "a": "b"}, "requests": null})
    );
    let sent = |id: &str, model: Option<&str>| {
        let mut line = chat(id, model);
        line["body"]["service_tier"] = "standard_only".into();
        line
    };
    assert_eq!(written["requests"], json!([sent("1", None), sent("2", Some("small-1"))]));
    let by_file = json!({"endpoint": "/v1/fim/completions", "input_files": ["f-1", "f-2"], "model": null});
    let job = read_job(by_file.to_string().as_bytes(), Key).unwrap();
    let written: Value = serde_json::from_slice(&job.written(None, "mark")).unwrap();
    assert_eq!(
        written,
        json!({"endpoint": "/v1/fim/completions", "timeout_hours": 24, "input_files": ["f-1", "f-2"],
            "metadata": {"louver_intent": "mark"}})
    );
}

#[test]
fn jobs_that_say_too_much_or_too_little_are_refused() {
    let good = json!({"endpoint": "/v1/chat/completions", "model": "small", "input_files": ["f"]});
    assert!(read_job(good.to_string().as_bytes(), Key).is_ok());
    for (field, bad) in [
        ("endpoint", Value::Null),
        ("endpoint", json!("/v1/models")),
        ("endpoint", json!("/v1/conversations")),
        ("endpoint", json!("/v1/audio/transcriptions")),
        ("endpoint", json!(1)),
        ("model", json!(1)),
        ("model", json!("Small")),
        ("agent_id", json!("ag-1")),
        ("input_files", json!([])),
        ("input_files", json!("f")),
        ("input_files", json!(["f", "f"])),
        ("input_files", json!(["../f"])),
        ("requests", json!([chat("1", None)])),
        ("timeout_hours", json!(0)),
        ("timeout_hours", json!(169)),
        ("timeout_hours", json!(1.5)),
        ("timeout_hours", json!("24")),
        ("metadata", json!([])),
        ("metadata", json!({"louver_intent": "x"})),
        ("metadata", json!({"x": "y".repeat(20_000)})),
        ("output_schema", json!({})),
    ] {
        let mut body = good.clone();
        body[field] = bad.clone();
        let error = read_job(body.to_string().as_bytes(), Key).unwrap_err();
        assert!(
            matches!(&error, BatchError::Request { line: 0, error: RequestError::Shape(_) }),
            "{field} {bad}: {error:?}"
        );
    }
    let many: Vec<Value> = (0..10_001).map(|id| chat(&id.to_string(), None)).collect();
    let body = json!({"endpoint": "/v1/chat/completions", "model": "small", "requests": many});
    assert!(read_job(body.to_string().as_bytes(), Key).is_err());
}

#[test]
fn a_line_of_output_says_what_it_used() {
    let line = |body: Value, status: u64| {
        let line = json!({"id": "x", "custom_id": "1", "response": {"status_code": status, "body": body}, "error": null});
        read_output(line.to_string().as_bytes()).unwrap()
    };
    let said = line(json!({"model": "m", "usage": {"prompt_tokens": 3, "completion_tokens": 4}}), 200);
    let usage = said.usage.unwrap().unwrap();
    assert!(said.answered);
    assert_eq!((usage.input_tokens, usage.output_tokens, said.model.as_deref()), (3, 4, Some("m")));
    let pages = line(json!({"usage_info": {"pages_processed": 7}}), 200).usage.unwrap().unwrap();
    assert_eq!(pages.pages, 7);
    // Usage that an answer only talks of counts for nothing.
    let talk = json!({"choices": [{"message": {"content": "{\"usage\": {\"prompt_tokens\": 1}}", "usage": {"prompt_tokens": 1}}}]});
    assert_eq!(line(talk, 200).usage, None);
    assert!(line(json!({"usage": {"prompt_tokens": -1}}), 200).usage.unwrap().is_err());
    assert!(!line(json!("refused"), 422).answered);
    assert_eq!(read_output(b"{\"response\": "), None);
}

proptest! {
    #[test]
    fn however_a_file_is_cut_it_says_the_same(sizes in 1_usize..200, texts in prop::collection::vec(".{0,40}", 1..8), end in any::<bool>()) {
        let lines: Vec<String> = texts.iter().enumerate().map(|(id, text)| {
            let mut line = chat(&id.to_string(), Some(if id % 2 == 0 { "small" } else { "large" }));
            line["body"]["messages"][0]["content"] = text.as_str().into();
            line.to_string()
        }).collect();
        let text = lines.join("\n") + if end { "\n" } else { "" };
        let whole = read(&text).unwrap();
        prop_assert_eq!(read_in(text.as_bytes(), sizes).unwrap(), (Summary { ..whole.0.clone() }, whole.1.clone()));
        prop_assert_eq!(whole.0.lines, texts.len() as u64);
        let again = read(std::str::from_utf8(&whole.1).unwrap());
        prop_assert!(again.is_err(), "pinned names are no names of this catalogue");
    }

    #[test]
    fn lines_are_those_of_the_whole(bytes in prop::collection::vec(prop::sample::select(vec![b'a', b'\n', b'b']), 0..60), size in 1_usize..9) {
        let mut lines = Lines::new(5);
        let mut found: Vec<Option<Vec<u8>>> = Vec::new();
        for piece in bytes.chunks(size) {
            lines.feed(piece, |line| { found.push(line.map(<[u8]>::to_vec)); Ok::<(), ()>(()) }).unwrap();
        }
        lines.finish(|line| { found.push(line.map(<[u8]>::to_vec)); Ok::<(), ()>(()) }).unwrap();
        let mut wanted: Vec<Option<Vec<u8>>> = bytes.split(|byte| *byte == b'\n').map(|line| (line.len() <= 5).then(|| line.to_vec())).collect();
        if wanted.last() == Some(&Some(Vec::new())) { wanted.pop(); }
        prop_assert_eq!(found, wanted);
    }

    #[test]
    fn nothing_makes_the_readers_fail(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read_in(&bytes, 7);
        let _ = read_job(&bytes, Key);
        let _ = read_output(&bytes);
    }
}
