//! What a request may say, attack by attack, and what it counts.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use louver_mistral::endpoints::Endpoint::{self, ChatCompletions, Embeddings, FimCompletions};
use louver_mistral::json::JsonErrorKind;
use louver_mistral::request::{Reference, ReferenceKind, Request, RequestError, is_model_name, read};

const CHAT: &str = r#""messages":[{"role":"user","content":"Hello"}]"#;

fn chat(fields: &str) -> Result<Request, RequestError> {
    read(ChatCompletions, format!(r#"{{"model":"mistral-small-2603",{CHAT},{fields}}}"#).as_bytes())
}

fn chunk(chunk: &str) -> Result<Request, RequestError> {
    let body =
        format!(r#"{{"model":"m","messages":[{{"role":"user","content":"a"}},{{"content":[{chunk}]}}]}}"#);
    read(ChatCompletions, body.as_bytes())
}

/// Loc (joined by dots) and kind of the only finding.
fn shape(result: Result<Request, RequestError>) -> (String, &'static str) {
    match result {
        Err(RequestError::Shape(details)) if details.len() == 1 => {
            (details[0].loc.join("."), details[0].kind)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_plain_chat_is_read() {
    let body = br#"{ "model" : "mistral-small-2603", "messages":[{"role":"user","content":"H\u00e9llo\n"}],
        "stream":true, "max_tokens": 500 , "n":3 }"#;
    let request = read(ChatCompletions, body).unwrap();
    assert_eq!(request.model, "mistral-small-2603");
    assert_eq!(&body[request.model_span.clone()], br#""mistral-small-2603""#);
    assert_eq!(&body[request.max_tokens_span.clone().unwrap()], b"500");
    assert_eq!((request.stream, request.max_tokens, request.n), (true, Some(500), 3));
    assert_eq!((request.messages, request.tools, request.images), (1, 0, 0));
    assert_eq!(request.text_bytes, 18 + 4 + 7);
    assert_eq!(request.estimated_input_tokens(), 8 + 4);
    assert_eq!(request.input_token_bound(), 29 + 16);
    assert!(!request.unnameable && !request.priority_tier);
}

#[test]
fn every_documented_field_passes() {
    let body = include_bytes!("golden/chat_every_field.json");
    let request = read(ChatCompletions, body).unwrap();
    assert_eq!((request.messages, request.tools, request.images, request.n), (4, 1, 2, 2));
    assert_eq!(request.nested_models, ["mistral-moderation-2603", "mistral-moderation-2411"]);
    let fim = include_bytes!("golden/fim_every_field.json");
    assert_eq!(read(FimCompletions, fim).unwrap().messages, 1);
    let embeddings = include_bytes!("golden/embeddings_every_field.json");
    assert_eq!(read(Embeddings, embeddings).unwrap().messages, 3);
    let one = br#"{"input":"x","model":"mistral-embed"}"#;
    assert_eq!(read(Embeddings, one).unwrap().messages, 1);
}

#[test]
fn a_model_must_be_a_string_and_there() {
    for (model, kind) in [
        ("null", "string_type"),
        ("1", "string_type"),
        ("[\"a\"]", "string_type"),
        ("{\"a\":1}", "string_type"),
        ("true", "string_type"),
        ("\"\"", "string_too_short"),
    ] {
        let body = format!("{{\"model\":{model},{CHAT}}}");
        assert_eq!(shape(read(ChatCompletions, body.as_bytes())), ("body.model".to_owned(), kind), "{model}");
    }
    for (endpoint, body) in [
        (ChatCompletions, format!("{{{CHAT}}}")),
        (FimCompletions, "{\"prompt\":\"x\"}".to_owned()),
        (Embeddings, "{\"input\":\"x\"}".to_owned()),
    ] {
        assert_eq!(shape(read(endpoint, body.as_bytes())), ("body.model".to_owned(), "missing"));
    }
}

#[test]
fn a_name_no_model_can_have_is_flagged_not_normalised() {
    for name in [
        "Mistral-Medium-3-5",
        " mistral-medium-3-5",
        "mistral-medium-3-5 ",
        "mistral\u{2011}medium",
        "mistral-medium\\u0000",
        "mistral-medium\\n",
        "ｍistral",
        "mistral\u{a0}medium",
        "-a",
        ".a",
        "a/b",
        "mistral-medium%00",
        &"a".repeat(129),
    ] {
        let body = format!("{{\"model\":\"{name}\",{CHAT}}}");
        assert!(read(ChatCompletions, body.as_bytes()).unwrap().unnameable, "{name}");
    }
    let escaped = format!("{{\"model\":\"\\u006distral-small\",{CHAT}}}");
    let request = read(ChatCompletions, escaped.as_bytes()).unwrap();
    assert_eq!((request.model.as_str(), request.unnameable), ("mistral-small", false));
    assert!(is_model_name(&"a".repeat(128)) && is_model_name("ft:open-1.2_3:x") && !is_model_name(""));
}

#[test]
fn a_document_two_parsers_could_read_differently_is_refused() {
    let table = [
        (format!(r#"{{"model":"a",{CHAT},"model":"b"}}"#), JsonErrorKind::DuplicateKey),
        (format!(r#"{{"model":"a",{CHAT},"\u006dodel":"b"}}"#), JsonErrorKind::DuplicateKey),
        (
            r#"{"model":"a","messages":[{"content":"x","content":"y"}]}"#.to_owned(),
            JsonErrorKind::DuplicateKey,
        ),
        (format!("\u{feff}{{\"model\":\"a\",{CHAT}}}"), JsonErrorKind::InvalidEncoding),
        (format!(r#"{{"model":"a",{CHAT}}} {{}}"#), JsonErrorKind::InvalidJson),
        (format!(r#"{{"model":"a",{CHAT},"temperature":NaN}}"#), JsonErrorKind::InvalidJson),
        (format!(r#"{{"model":"a",{CHAT},"temperature":1e400}}"#), JsonErrorKind::InvalidJson),
        (
            format!(r#"{{"model":"a",{CHAT},"metadata":{}1{}}}"#, "[".repeat(64), "]".repeat(64)),
            JsonErrorKind::TooDeep,
        ),
        // Broken JSON behind a broken shape is broken JSON.
        (format!(r#"{{"model":1,"x":1,{CHAT},}}"#), JsonErrorKind::InvalidJson),
    ];
    for (body, kind) in table {
        match read(ChatCompletions, body.as_bytes()) {
            Err(RequestError::Json(error)) => assert_eq!(error.kind, kind, "{body}"),
            other => panic!("{body}: {other:?}"),
        }
    }
}

#[test]
fn unknown_fields_are_refused() {
    for field in [
        "models",
        "fallback_models",
        "route",
        "agent_id",
        "Model",
        "max_completion_tokens",
        "prompt",
        "input",
        "user",
        "store",
        "MAX_TOKENS",
        "model ",
    ] {
        let found = shape(chat(&format!("\"{field}\":\"x\"")));
        assert_eq!(found, (format!("body.{field}"), "extra_forbidden"));
    }
    for (endpoint, body) in [
        (FimCompletions, r#"{"model":"a","prompt":"x","messages":[]}"#),
        (FimCompletions, r#"{"model":"a","prompt":"x","n":2}"#),
        (FimCompletions, r#"{"model":"a","prompt":"x","tools":[]}"#),
        (Embeddings, r#"{"model":"a","input":"x","stream":true}"#),
        (Embeddings, r#"{"model":"a","input":"x","user":"u"}"#),
    ] {
        assert_eq!(shape(read(endpoint, body.as_bytes())).1, "extra_forbidden", "{body}");
    }
    let long = "k".repeat(5000);
    assert!(shape(chat(&format!("\"{long}\":1"))).0.len() < 200);
}

const WRONG: &[(&str, &str)] = &[
    (r#""max_tokens":"500""#, "int_type"),
    (r#""max_tokens":4.0"#, "int_type"),
    (r#""max_tokens":1e3"#, "int_type"),
    (r#""max_tokens":-1"#, "greater_than_equal"),
    (r#""max_tokens":-0"#, "greater_than_equal"),
    (r#""max_tokens":9223372036854775808"#, "less_than_equal"),
    (r#""max_tokens":99999999999999999999999"#, "less_than_equal"),
    (r#""max_tokens":true"#, "int_type"),
    (r#""max_tokens":[5]"#, "int_type"),
    (r#""max_tokens":{}"#, "int_type"),
    (r#""n":0"#, "greater_than_equal"),
    (r#""n":-1"#, "greater_than_equal"),
    (r#""n":129"#, "less_than_equal"),
    (r#""n":"8""#, "int_type"),
    (r#""n":4.0"#, "int_type"),
    (r#""random_seed":-5"#, "greater_than_equal"),
    (r#""stream":"true""#, "bool_type"),
    (r#""stream":1"#, "bool_type"),
    (r#""stream":"on""#, "bool_type"),
    (r#""temperature":"0.5""#, "float_type"),
    (r#""top_p":true"#, "float_type"),
    (r#""presence_penalty":[]"#, "float_type"),
    (r#""stop":5"#, "string_type"),
    (r#""stop":[1]"#, "string_type"),
    (r#""metadata":[]"#, "dict_type"),
    (r#""stream_options":true"#, "dict_type"),
    (r#""response_format":"json""#, "dict_type"),
    (r#""tools":{}"#, "list_type"),
    (r#""tools":[1]"#, "model_attributes_type"),
    (r#""tools":[{}]"#, "missing"),
    (r#""tools":[{"type":1,"function":{}}]"#, "string_type"),
    (r#""tools":[{"type":null,"function":{}}]"#, "string_type"),
    (r#""tools":[{"type":"function"}]"#, "missing"),
    (r#""tool_choice":1"#, "string_type"),
    (r#""parallel_tool_calls":"no""#, "bool_type"),
    (r#""safe_prompt":0"#, "bool_type"),
    (r#""prompt_mode":1"#, "string_type"),
    (r#""reasoning_effort":{}"#, "string_type"),
    (r#""prompt_cache_key":1"#, "string_type"),
    (r#""service_tier":"priority""#, "literal_error"),
    (r#""service_tier":1"#, "literal_error"),
    (r#""prediction":"x""#, "dict_type"),
    (r#""prediction":{"content":[{"type":"file"}]}"#, "string_type"),
    (r#""guardrails":{}"#, "list_type"),
    (r#""guardrails":[1]"#, "model_attributes_type"),
    (r#""guardrails":[{"moderation_llm_v3":{"model_name":"x"}}]"#, "extra_forbidden"),
    (r#""guardrails":[{"moderation_llm_v2":"x"}]"#, "model_attributes_type"),
    (r#""guardrails":[{"moderation_llm_v2":{"model_name":["x"]}}]"#, "string_type"),
];

#[test]
fn types_are_exact() {
    for (field, kind) in WRONG {
        assert_eq!(shape(chat(field)).1, *kind, "{field}");
    }
    assert_eq!(shape(chat(r#""guardrails":[{},{"x":1}]"#)).0, "body.guardrails.1.x");
    for body in ["[]", "\"x\"", "null", "1", "true"] {
        assert_eq!(
            shape(read(ChatCompletions, body.as_bytes())),
            ("body".to_owned(), "model_attributes_type")
        );
    }
}

#[test]
fn null_means_absent() {
    let request = chat(
        r#""max_tokens":null,"n":null,"stream":null,"temperature":null,"stop":null,"tools":null,"guardrails":null,
           "service_tier":null,"prediction":null,"response_format":null,"tool_choice":null,"metadata":null"#,
    )
    .unwrap();
    assert_eq!((request.max_tokens, request.n, request.stream), (None, 1, false));
    assert!(request.max_tokens_span.is_some());
    assert_eq!(chat(r#""max_tokens":0"#).unwrap().max_tokens, Some(0));
}

#[test]
fn content_is_required() {
    for (endpoint, body, loc, kind) in [
        (ChatCompletions, r#"{"model":"a"}"#, "body.messages", "missing"),
        (ChatCompletions, r#"{"model":"a","messages":[]}"#, "body.messages", "too_short"),
        (ChatCompletions, r#"{"model":"a","messages":null}"#, "body.messages", "list_type"),
        (ChatCompletions, r#"{"model":"a","messages":"hi"}"#, "body.messages", "list_type"),
        (ChatCompletions, r#"{"model":"a","messages":["hi"]}"#, "body.messages.0", "model_attributes_type"),
        (
            ChatCompletions,
            r#"{"model":"a","messages":[{"content":{"type":"file"}}]}"#,
            "body.messages.0.content",
            "string_type",
        ),
        (FimCompletions, r#"{"model":"a"}"#, "body.prompt", "missing"),
        (FimCompletions, r#"{"model":"a","prompt":["x"]}"#, "body.prompt", "string_type"),
        (FimCompletions, r#"{"model":"a","prompt":null}"#, "body.prompt", "string_type"),
        (Embeddings, r#"{"model":"a"}"#, "body.input", "missing"),
        (Embeddings, r#"{"model":"a","input":[1,2]}"#, "", ""),
        (Embeddings, r#"{"model":"a","input":["x",null]}"#, "body.input.1", "string_type"),
        (Embeddings, r#"{"model":"a","input":{}}"#, "body.input", "string_type"),
    ] {
        let result = read(endpoint, body.as_bytes());
        if loc.is_empty() {
            assert!(matches!(result, Err(RequestError::Shape(details)) if details.len() == 2));
        } else {
            assert_eq!(shape(result), (loc.to_owned(), kind), "{body}");
        }
    }
}

#[test]
fn tools_are_functions_or_known_by_name() {
    for (tool, keys) in [
        ("web_search", ""),
        ("web_search_premium", ""),
        ("code_interpreter", r#","tool_configuration":{}"#),
        (
            "web_search",
            r#","tool_configuration":{"include":["a"],"exclude":null,"requires_confirmation":[]}"#,
        ),
        ("image_generation", ""),
        ("document_library", r#","library_ids":["l1","l2"]"#),
        ("connector", r#","connector_id":"c1","authorization":{"type":"api-key","value":"x"}"#),
    ] {
        let request =
            chat(&format!(r#""tools":[{{"type":"{tool}"{keys}}},{{"type":"{tool}"{keys}}}]"#)).unwrap();
        assert_eq!((request.provider_tools.as_slice(), request.tools), ([tool.to_owned()].as_slice(), 2));
        let found: Vec<(ReferenceKind, &str)> =
            request.references.iter().map(|found| (found.kind, found.id.as_str())).collect();
        let expected = match tool {
            "document_library" => [(ReferenceKind::Library, "l1"), (ReferenceKind::Library, "l2")].repeat(2),
            "connector" => [(ReferenceKind::Unowned, "c1")].repeat(2),
            _ => vec![],
        };
        assert_eq!(found, expected, "{tool}");
    }
    for (tool, kind) in [
        (r#"{"type":"web_search","tool_configuration":[]}"#, "model_attributes_type"),
        (r#"{"type":"web_search","tool_configuration":{"model":"x"}}"#, "extra_forbidden"),
        (r#"{"type":"web_search","tool_configuration":{"include":"a"}}"#, "list_type"),
        (r#"{"type":"web_search","tool_configuration":{"include":[{"model":"x"}]}}"#, "string_type"),
        (r#"{"type":"","function":{}}"#, "union_tag_invalid"),
        (r#"{"type":"Function","function":{}}"#, "union_tag_invalid"),
        (r#"{"type":"functio\u006e ","function":{}}"#, "union_tag_invalid"),
        (r#"{"type":"hologram"}"#, "union_tag_invalid"),
        (r#"{"type":"document_library"}"#, "missing"),
        (r#"{"type":"connector"}"#, "missing"),
        (r#"{"type":"document_library","library_ids":"l1"}"#, "list_type"),
        (r#"{"type":"document_library","library_ids":[1]}"#, "string_type"),
        (r#"{"type":"web_search","connector_id":"c1"}"#, "extra_forbidden"),
        (r#"{"type":"function","function":{},"library_ids":["l1"]}"#, "extra_forbidden"),
        (r#"{"function":{},"connector_id":"c1"}"#, "extra_forbidden"),
        (r#"{"type":"function","function":[]}"#, "dict_type"),
    ] {
        assert_eq!(shape(chat(&format!(r#""tools":[{tool}]"#))).1, kind, "{tool}");
    }
    let request =
        chat(r#""tools":[{"function":{"name":"f"}},{"type":"functio\u006e","function":{}}]"#).unwrap();
    assert_eq!((request.tools, request.provider_tools.len()), (2, 0));
}

#[test]
fn schemas_count_with_their_keys() {
    let schema =
        format!(r#"{{"type":"function","function":{{"parameters":{{"{}":1}}}}}}"#, "k".repeat(10_000));
    assert!(chat(&format!(r#""tools":[{schema}]"#)).unwrap().text_bytes > 10_000);
    assert!(chat(&format!(r#""response_format":{schema}"#)).unwrap().text_bytes > 10_000);
    let body = format!(r#"{{"model":"a","messages":[{{"role":"assistant","tool_calls":[{schema}]}}]}}"#);
    assert!(read(ChatCompletions, body.as_bytes()).unwrap().text_bytes > 10_000);
}

#[test]
fn the_bound_holds_for_json_that_upstream_writes_anew() {
    // In Python's writing three tokens an element: the digit, the comma, the blank.
    let digits = vec!["1"; 500].join(",");
    let tool = chat(&format!(
        r#""tools":[{{"type":"function","function":{{"parameters":{{"enum":[{digits}]}}}}}}]"#
    ));
    assert!(tool.unwrap().input_token_bound() > 1500);
    for message in [
        format!(r#"{{"role":"assistant","tool_calls":[{{"function":{{"arguments":"[{digits}]"}}}}]}}"#),
        format!(r#"{{"role":"tool","content":" [{digits}]"}}"#),
    ] {
        let body = format!(r#"{{"model":"a","messages":[{message}]}}"#);
        assert!(read(ChatCompletions, body.as_bytes()).unwrap().input_token_bound() > 1500, "{message}");
    }
    let plain = format!(r#"{{"model":"a","messages":[{{"content":"{digits}"}}]}}"#);
    assert_eq!(read(ChatCompletions, plain.as_bytes()).unwrap().text_bytes, 1 + 999);
}

#[test]
fn prompts_of_upstream_are_in_the_bound_but_not_in_the_estimate() {
    let plain = chat(r#""safe_prompt":false,"prompt_mode":null"#).unwrap();
    assert_eq!(plain.added_tokens, 0);
    for (field, added) in [(r#""safe_prompt":true"#, 64), (r#""prompt_mode":"reasoning""#, 256)] {
        let request = chat(field).unwrap();
        assert_eq!(request.added_tokens, added, "{field}");
        assert!(request.input_token_bound() >= plain.input_token_bound() + added);
        assert!(request.estimated_input_tokens() <= plain.estimated_input_tokens() + 3);
    }
}

#[test]
fn files_are_named_and_what_has_no_bound_fills_the_context() {
    for file in [
        r#"{"type":"file","file_id":"x"}"#,
        r#"{"file_id":"x"}"#,
        r#"{"type":"text","text":"","file_id":"x"}"#,
        r#"{"file_id":"x","type":"\u0066ile"}"#,
        r#"{"type":"tool_file","tool":"image_generation","file_id":"x"}"#,
        r#"{"type":"thinking","thinking":[{"type":"file","file_id":"x"}]}"#,
    ] {
        let request = chunk(file).unwrap();
        assert_eq!(request.references, [Reference { kind: ReferenceKind::File, id: "x".into() }], "{file}");
        assert!(request.fills_context, "{file}");
    }
    let data = "A".repeat(10_000);
    for part in [
        r#"{"type":"document_url","document_url":"https://x","document_name":"a"}"#,
        r#"{"document_url":"https://x"}"#,
        &format!(r#"{{"type":"document_url","document_url":"data:application/pdf;base64,{data}"}}"#),
        &format!(r#"{{"type":"input_audio","input_audio":"{data}"}}"#),
        &format!(r#"{{"type":"input_audio","input_audio":{{"data":"{data}","format":"wav"}}}}"#),
        r#"{"type":"input_audio","input_audio":"https://x/a.mp3"}"#,
    ] {
        let request = chunk(part).unwrap();
        assert!(request.fills_context && request.text_bytes < 100 && request.images == 0, "{part}");
    }
    assert!(!chunk(r#"{"type":"text","text":"x"}"#).unwrap().fills_context);
    for (part, kind) in [
        (r#"{"type":"file"}"#, "missing"),
        (r#"{"type":"tool_file","x":1,"file_id":"x"}"#, "extra_forbidden"),
        (r#"{"type":"text","text":"x","file_url":"https://x"}"#, "extra_forbidden"),
        (r#"{"type":"text","text":{"file_id":"x"}}"#, "string_type"),
        (r#"{"type":"input_audio","input_audio":{"data":"AA","url":"https://x"}}"#, "extra_forbidden"),
        (r#"{"type":"input_audio","input_audio":"http://x/a.mp3"}"#, "url_scheme"),
        (r#"{"type":"document_url","document_url":"http://x"}"#, "url_scheme"),
        (r#"{"type":"image_url","image_url":"http://x"}"#, "url_scheme"),
        (r#"{"type":"image_url","image_url":{"url":"file:///x"}}"#, "url_scheme"),
        (r#"{"type":"image_url","image_url":{"url":"https://x","other":1}}"#, "extra_forbidden"),
        (r#"{"type":"hologram"}"#, "union_tag_invalid"),
        (r#"{"type":"resource","text":"x"}"#, "union_tag_invalid"),
        (r#"{"type":1}"#, "string_type"),
        ("\"x\"", "model_attributes_type"),
    ] {
        let (place, found) = shape_of_first(chunk(part));
        assert!(place.starts_with("body.messages.1.content.0"), "{place}");
        assert_eq!(found, kind, "{part}");
    }
    let body = r#"{"model":"m","messages":[{"content":"x","file_id":"x"}]}"#;
    assert_eq!(shape(read(ChatCompletions, body.as_bytes())).1, "extra_forbidden");
}

/// Loc (joined by dots) and kind of the first finding.
fn shape_of_first(result: Result<Request, RequestError>) -> (String, &'static str) {
    match result {
        Err(RequestError::Shape(details)) => (details[0].loc.join("."), details[0].kind),
        other => panic!("{other:?}"),
    }
}

#[test]
fn hosts_are_told() {
    let request = chunk(r#"{"image_url":"https://A.test/x"},{"document_url":"https://b.test:1"}"#).unwrap();
    assert_eq!(request.hosts, ["a.test", "b.test"]);
}

#[test]
fn images_count_as_images() {
    let data = "A".repeat(10_000);
    for image in [
        format!(r#"{{"type":"image_url","image_url":"data:image/png;base64,{data}"}}"#),
        format!(
            r#"{{"type":"image_url","image_url":{{"url":"DATA:image\/png;base64,{data}","detail":"low"}}}}"#
        ),
        format!(r#"{{"image_url":"data:,{data}"}}"#),
    ] {
        let request = chunk(&image).unwrap();
        assert_eq!(request.images, 1);
        assert!(request.text_bytes < 100 && request.input_token_bound() > 3080, "{}", request.text_bytes);
    }
    // A data URL that is not an image's is text.
    assert!(chunk(&format!(r#"{{"type":"text","text":"data:{data}"}}"#)).unwrap().text_bytes > 10_000);
    let remote = chunk(r#"{"type":"image_url","image_url":"https://example.com/a.png"}"#).unwrap();
    assert!(remote.images == 1 && remote.text_bytes > 25);
}

#[test]
fn guardrails_name_models() {
    let request = chat(
        r#""guardrails":[{"block_on_error":true,"moderation_llm_v2":{"model_name":"mistral-medium-3-5"}},{"moderation_llm_v1":{}}]"#,
    )
    .unwrap();
    assert_eq!(request.nested_models, ["mistral-medium-3-5", "mistral-moderation-2411"]);
}

#[test]
fn the_priority_tier_is_reported() {
    assert!(chat(r#""service_tier":"auto""#).unwrap().priority_tier);
    assert!(!chat(r#""service_tier":"standard_only""#).unwrap().priority_tier);
}

#[test]
fn findings_are_bounded() {
    let fields: Vec<String> = (0..1000).map(|n| format!("\"x{n}\":1")).collect();
    let Err(RequestError::Shape(details)) = chat(&fields.join(",")) else { panic!() };
    assert_eq!(details.len(), 16);
}

#[test]
fn endpoints_without_a_body_take_none() {
    for endpoint in [Endpoint::ListModels, Endpoint::GetModel] {
        assert!(matches!(read(endpoint, b"{}"), Err(RequestError::Shape(_))));
    }
}
