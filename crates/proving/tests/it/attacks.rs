//! The known ways around a model gateway that touch these endpoints: each gets the rule's answer, and upstream sees
//! nothing.

use louver_proving::client::{raw, request, send};
use louver_proving::system::{System, chat};
use serde_json::json;

const PATH: &str = "/v1/chat/completions";

/// A system and a key that may use the small model and the embedding model only.
async fn guarded() -> (System, String) {
    let system = System::start().await;
    let (key, _) = system.key(json!({"allowed_models": ["mistral-small-latest", "mistral-embed"]})).await;
    (system, key)
}

/// Sends each body and compares the verdict; upstream must have seen none of them.
async fn refused(cases: &[(&str, &str, u16, &str)]) {
    let (system, key) = guarded().await;
    for (what, body, status, kind) in cases {
        let answer = send(system.address, request("POST", PATH, &key, Some(body.as_bytes()))).await;
        assert_eq!(answer.verdict(), (*status, (*kind).to_owned()), "{what}: {}", answer.text());
    }
    assert_eq!(system.simulator.calls(), 0, "upstream saw something");
    assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 200, "and the honest call passes");
}

#[tokio::test]
async fn a1_duplicate_keys_at_any_depth() {
    let m = r#""messages":[{"role":"user","content":"x"}]"#;
    refused(&[
        (
            "plain",
            &format!(r#"{{"model":"mistral-small-2603",{m},"model":"mistral-large-2512"}}"#),
            400,
            "duplicate_key",
        ),
        (
            "escaped",
            &format!(r#"{{"model":"mistral-small-2603",{m},"\u006dodel":"mistral-large-2512"}}"#),
            400,
            "duplicate_key",
        ),
        (
            "nested",
            r#"{"model":"mistral-small-2603","messages":[{"role":"user","content":"x","content":"y"}]}"#,
            400,
            "duplicate_key",
        ),
        (
            "in metadata",
            &format!(r#"{{"model":"mistral-small-2603",{m},"metadata":{{"a":{{"b":1,"b":2}}}}}}"#),
            400,
            "duplicate_key",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a2_to_a4_a10_names_that_only_look_alike() {
    let (system, key) = guarded().await;
    for name in [
        "Mistral-Small-latest",
        " mistral-small-latest",
        "mistral-small-latest ",
        "mistral\u{2011}small-latest",
        "mistral-small-latest\u{0}",
        "mistral-small-latest\n",
        "ｍistral-small-latest",
        "mistral-large-latest",
        "mistral-large-2512",
        "mistral-medium",
        "mistral-medium-latest",
        "mistral-medium-3.5",
        "zai-glm-5-2",
        "unknown",
        "ft:mistral-small-2603:abc",
        "mistral-small",
        "*",
        "mistral-*",
    ] {
        let answer = system.chat(&key, name).await;
        assert_eq!(answer.verdict(), (403, "model_not_allowed".into()), "{name:?}");
        let known = system.chat(&key, "mistral-large-latest").await.json();
        let mut body = answer.json();
        body["request_id"] = known["request_id"].clone();
        assert_eq!(body, known, "unknown and forbidden answer alike");
    }
    assert_eq!(system.simulator.calls(), 0);
}

#[tokio::test]
async fn a5_no_model_is_no_default_model() {
    let m = r#""messages":[{"role":"user","content":"x"}]"#;
    refused(&[
        ("absent", &format!("{{{m}}}"), 422, "invalid_request"),
        ("null", &format!(r#"{{"model":null,{m}}}"#), 422, "invalid_request"),
        ("empty", &format!(r#"{{"model":"",{m}}}"#), 422, "invalid_request"),
        ("list", &format!(r#"{{"model":["mistral-small-2603"],{m}}}"#), 422, "invalid_request"),
        ("object", &format!(r#"{{"model":{{"a":1}},{m}}}"#), 422, "invalid_request"),
    ])
    .await;
    let (system, key) = guarded().await;
    let answer = system.post(&key, "/v1/fim/completions", &json!({"prompt": "x"})).await;
    assert_eq!(answer.verdict(), (422, "invalid_request".into()));
    assert_eq!(system.simulator.calls(), 0);
}

#[tokio::test]
async fn a6_a7_d6_e2_the_query_and_headers_choose_nothing() {
    let (system, key) = guarded().await;
    let body = chat("mistral-small-latest").to_string();
    for query in ["model=mistral-large-latest", "_method=DELETE", "a", ""] {
        let call = request("POST", &format!("{PATH}?{query}"), &key, Some(body.as_bytes()));
        assert_eq!(send(system.address, call).await.verdict(), (400, "invalid_request".into()), "{query:?}");
    }
    for query in [format!("api_key={key}"), format!("key={key}"), format!("access_token={key}")] {
        for path in ["/v1/models", PATH, "/v1/api-keys"] {
            let call = request("GET", &format!("{path}?{query}"), &key, None);
            let answer = send(system.address, call).await;
            assert_eq!(answer.status, 400, "{path}");
            assert!(!answer.text().contains(&key), "no echo");
        }
    }
    assert_eq!(system.simulator.calls(), 0);
    let mut call = request("POST", PATH, &key, Some(body.as_bytes()));
    for (name, value) in [
        ("x-model", "mistral-large-latest"),
        ("x-http-method-override", "DELETE"),
        ("x-original-url", "/v1/files"),
        ("x-forwarded-host", "evil"),
    ] {
        call.headers_mut().insert(name, value.parse().unwrap());
    }
    assert_eq!(send(system.address, call).await.status, 200);
    let seen = &system.simulator.ledger()[0];
    assert_eq!((seen.model.as_deref(), seen.target.as_str()), (Some("mistral-small-2603"), PATH));
}

#[tokio::test]
async fn a8_a9_models_elsewhere_in_the_body() {
    let base = r#""model":"mistral-small-2603","messages":[{"role":"user","content":"x"}]"#;
    let guardrail = |model: &str| {
        format!(r#"{{{base},"guardrails":[{{"moderation_llm_v2":{{"model_name":"{model}"}}}}]}}"#)
    };
    refused(&[
        ("guardrail", &guardrail("mistral-large-2512"), 403, "model_not_allowed"),
        ("guardrail, unknown", &guardrail("nope"), 403, "model_not_allowed"),
        ("models", &format!(r#"{{{base},"models":["mistral-large-2512"]}}"#), 422, "invalid_request"),
        ("fallback_models", &format!(r#"{{{base},"fallback_models":["x"]}}"#), 422, "invalid_request"),
        ("route", &format!(r#"{{{base},"route":"x"}}"#), 422, "invalid_request"),
    ])
    .await;
}

#[tokio::test]
async fn a12_d3_only_plain_json_in_utf8() {
    let (system, key) = guarded().await;
    let body = chat("mistral-small-latest").to_string();
    let with = async |name: &'static str, value: &str, body: &[u8]| {
        let mut call = request("POST", PATH, &key, Some(body));
        call.headers_mut().insert(name, value.parse().unwrap());
        send(system.address, call).await.verdict()
    };
    for media in [
        "text/plain",
        "application/vnd.api+json",
        "application/json; charset=utf-16",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ] {
        assert_eq!(
            with("content-type", media, body.as_bytes()).await,
            (415, "unsupported_media_type".into()),
            "{media}"
        );
    }
    for encoding in ["gzip", "br", "identity, gzip", "zstd", "deflate"] {
        assert_eq!(with("content-encoding", encoding, body.as_bytes()).await.0, 415, "{encoding}");
    }
    let utf16: Vec<u8> = body.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let deep = format!(r#"{{"model":"mistral-small-2603","messages":{}{}}}"#, "[".repeat(65), "]".repeat(65));
    for (what, bytes, kind) in [
        ("UTF-16", utf16, "invalid_encoding"),
        ("BOM", [b"\xef\xbb\xbf".as_slice(), body.as_bytes()].concat(), "invalid_encoding"),
        ("two values", [body.as_bytes(), b"{}".as_slice()].concat(), "invalid_json"),
        ("empty", vec![], "invalid_json"),
        ("NaN", body.replace("\"Hello\"", "NaN").into_bytes(), "invalid_json"),
        ("65 deep", deep.into_bytes(), "too_deep"),
    ] {
        assert_eq!(with("accept", "*/*", &bytes).await, (400, kind.to_owned()), "{what}");
    }
    assert_eq!(system.simulator.calls(), 0);
}

#[tokio::test]
async fn a13_a_forbidden_model_is_not_there() {
    let (system, key) = guarded().await;
    let unknown = system.get(&key, "/v1/models/nope").await;
    let forbidden = system.get(&key, "/v1/models/mistral-large-latest").await;
    assert_eq!((unknown.status.as_u16(), forbidden.status.as_u16()), (404, 404));
    let strip = |answer: &louver_proving::client::Answer| {
        let mut body = answer.json();
        body["request_id"].take();
        body
    };
    assert_eq!(strip(&unknown), strip(&forbidden));
    let named = system.get(&key, "/v1/models?model=mistral-small-latest&provider=mistralai").await.json();
    assert_eq!(
        (named["data"].as_array().unwrap().len(), &named["data"][0]["id"]),
        (1, &json!("mistral-small-latest"))
    );
    for nothing in ["model=mistral-large-latest", "model=nope", "provider=nobody"] {
        let list = system.get(&key, &format!("/v1/models?{nothing}")).await.json();
        assert_eq!(list, json!({"object": "list", "data": []}), "{nothing}");
    }
    let twice = system.get(&key, "/v1/models?model=a&model=b").await;
    assert_eq!(twice.verdict(), (400, "invalid_request".into()));
    let list = system.get(&key, "/v1/models").await.text();
    assert!(!list.contains("large"), "{list}");
    for model in ["mistral-small-latest", "mistral-large-latest", "nope"] {
        let path = format!("/v1/models/{model}");
        let delete = send(system.address, request("DELETE", &path, &key, None)).await;
        assert_eq!(strip(&delete), strip(&unknown), "{model}");
    }
    assert_eq!(system.simulator.calls(), 0);
}

#[tokio::test]
async fn c3_types_are_not_coerced_and_closed_tools_stay_closed() {
    let base = r#""model":"mistral-small-2603","messages":[{"role":"user","content":"x"}]"#;
    let mut cases = Vec::new();
    for field in [
        r#""max_tokens":"500""#,
        r#""max_tokens":4.0"#,
        r#""max_tokens":-1"#,
        r#""n":"8""#,
        r#""n":0"#,
        r#""stream":"true""#,
        r#""stream":1"#,
        r#""max_tokens":1e3"#,
    ] {
        cases.push((field, format!("{{{base},{field}}}"), 422, "invalid_request"));
    }
    cases.push((
        "web search",
        format!(r#"{{{base},"tools":[{{"type":"web_search_premium"}}]}}"#),
        403,
        "tool_not_allowed",
    ));
    cases.push(("file", r#"{"model":"mistral-small-2603","messages":[{"role":"user","content":[{"type":"file","file_id":"x"}]}]}"#.to_owned(), 404, "not_found"));
    cases.push(("priority", format!(r#"{{{base},"service_tier":"auto"}}"#), 403, "service_tier_not_allowed"));
    let cases: Vec<_> =
        cases.iter().map(|(what, body, status, kind)| (*what, body.as_str(), *status, *kind)).collect();
    refused(&cases).await;
}

/// Writes a raw request and answers the status of the first answer.
async fn status(system: &System, text: &str) -> u16 {
    let answer = raw(system.address, text.as_bytes()).await;
    answer.split(' ').nth(1).unwrap_or_else(|| panic!("no answer to {text:?}: {answer:?}")).parse().unwrap()
}

#[tokio::test]
async fn d1_d2_framing_that_two_readers_could_read_differently() {
    let (system, key) = guarded().await;
    let body = chat("mistral-small-latest").to_string();
    let length = body.len();
    let auth = format!("Authorization: Bearer {key}\r\nContent-Type: application/json\r\nConnection: close");
    let head = format!("POST {PATH} HTTP/1.1\r\nHost: a\r\n{auth}\r\n");
    for (what, text) in [
        ("CL and TE", format!("{head}Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n{body}")),
        ("TE and CL", format!("{head}Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n\r\n{body}")),
        ("two CL", format!("{head}Content-Length: {length}\r\nContent-Length: {length}\r\n\r\n{body}")),
        ("signed CL", format!("{head}Content-Length: +{length}\r\n\r\n{body}")),
        ("xchunked", format!("{head}Transfer-Encoding: xchunked\r\n\r\n{body}")),
        ("chunked, identity", format!("{head}Transfer-Encoding: chunked, identity\r\n\r\n{body}")),
        ("obs-fold", format!("{head}X-A: b\r\n c\r\nContent-Length: {length}\r\n\r\n{body}")),
        ("bare LF", format!("{head}X-A: b\nContent-Length: {length}\r\n\r\n{body}")),
        ("bare CR", format!("{head}X-A: b\rc\r\nContent-Length: {length}\r\n\r\n{body}")),
        ("NUL", format!("{head}X-A: b\0c\r\nContent-Length: {length}\r\n\r\n{body}")),
        ("space before colon", format!("{head}Content-Length : {length}\r\n\r\n{body}")),
        (
            "chunk size overflow",
            format!("{head}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{body}"),
        ),
        ("no host", format!("POST {PATH} HTTP/1.1\r\n{auth}\r\nContent-Length: {length}\r\n\r\n{body}")),
        ("two hosts", format!("{head}Host: b\r\nContent-Length: {length}\r\n\r\n{body}")),
        (
            "foreign absolute form",
            format!(
                "POST http://evil{PATH} HTTP/1.1\r\nHost: a\r\n{auth}\r\nContent-Length: {length}\r\n\r\n{body}"
            ),
        ),
    ] {
        assert_eq!(status(&system, &text).await, 400, "{what}");
    }
    assert_eq!(system.simulator.calls(), 0);
    let trailers = format!(
        "{head}Transfer-Encoding: chunked\r\nTrailer: x-api-key\r\n\r\n{length:x}\r\n{body}\r\n0\r\nx-api-key: k\r\n\r\n"
    );
    assert_eq!(status(&system, &trailers).await, 200, "trailers are dropped");
    assert!(system.simulator.ledger()[0].header("x-api-key").is_none());
    let pinned = body.replace("mistral-small-latest", "mistral-small-2603");
    let pinned = (pinned.len() + r#","service_tier":"standard_only""#.len()).to_string();
    assert_eq!(system.simulator.ledger()[0].header("content-length"), Some(pinned.as_str()), "framed anew");
}

#[tokio::test]
async fn d1_after_a_chunked_request_the_connection_is_closed() {
    let (system, key) = guarded().await;
    let body = chat("mistral-small-latest").to_string();
    let length = body.len();
    let call = format!(
        "POST {PATH} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"
    );
    let smuggled = format!("{call}GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n\r\n");
    let answer = raw(system.address, smuggled.as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
}

#[tokio::test]
async fn b8_b9_b10_b12_what_is_not_named_is_not_there() {
    let (system, key) = guarded().await;
    let body = chat("mistral-small-latest").to_string();
    for path in [
        "/v1/client/sessions",
        "/v1/audio/sessions",
        "/v1/audio/agents",
        "/v1/audio/voices",
        "/v1/audio/speech/realtime",
        "/v1/rag/search",
        "/v1/connectors",
        "/v1/fine_tuning/jobs",
        "/v1/observability/judges",
        "/v1/observability/campaigns",
        "/v1/workflows/execute",
        "/v1/prompts",
        "/v1/skills",
        "/v1/completions",
        "/v1/messages",
        "/v1/images/generations",
        "/v2/chat/completions",
        "/v1/chat/completions/batch",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let sent = (method == "POST").then_some(body.as_bytes());
            let answer = send(system.address, request(method, path, &key, sent)).await;
            assert_eq!(
                (answer.status.as_u16(), answer.text().as_str()),
                (404, r#"{"message":"no Route matched with those values"}"#),
                "{method} {path}"
            );
        }
    }
    assert_eq!(system.simulator.calls(), 0);
}

#[tokio::test]
async fn d4_paths_are_matched_as_they_stand() {
    let (system, key) = guarded().await;
    let body = chat("mistral-small-latest").to_string();
    for path in [
        "//v1/chat/completions",
        "/v1//chat/completions",
        "/v1/./chat/completions",
        "/v1/x/../chat/completions",
        "/v1/%63hat/completions",
        "/v1/chat%2fcompletions",
        "/v1/chat/completions/",
        "/v1/chat/completions;x=1",
        "/V1/chat/completions",
        "/v1/chat/completions%00",
        "/v1/%2e%2e/v1/chat/completions",
        "/v1/models/../api-keys",
        "/v1/models/%2e%2e",
        "/",
    ] {
        let answer = send(system.address, request("POST", path, &key, Some(body.as_bytes()))).await;
        assert_eq!(
            (answer.status.as_u16(), answer.text().as_str()),
            (404, r#"{"message":"no Route matched with those values"}"#),
            "{path}"
        );
    }
    for line in [
        "POST \\v1\\chat\\completions HTTP/1.1".to_owned(),
        "POST /v1/chat/completions\u{0} HTTP/1.1".to_owned(),
    ] {
        let text = format!(
            "{line}\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer {key}\r\nContent-Length: 0\r\n\r\n"
        );
        assert!([400, 404].contains(&status(&system, &text).await), "{line:?}");
    }
    assert_eq!(system.simulator.calls(), 0);
}

#[tokio::test]
async fn d5_d6_d8_methods_and_upgrades() {
    let (system, key) = guarded().await;
    for method in ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "post", "TRACE"] {
        let answer = send(system.address, request(method, PATH, &key, None)).await;
        assert_eq!(answer.status, 405, "{method}");
        assert!(answer.header("allow").is_some(), "{method}");
    }
    let connect = format!(
        "CONNECT api.mistral.ai:443 HTTP/1.1\r\nHost: api.mistral.ai:443\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(status(&system, &connect).await, 405);
    let get_with_body = format!(
        "GET /v1/models HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer {key}\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    assert_eq!(status(&system, &get_with_body).await, 400);
    let upgrade = format!(
        "GET /v1/models HTTP/1.1\r\nHost: a\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\nAuthorization: Bearer {key}\r\n\r\n"
    );
    assert_eq!(status(&system, &upgrade).await, 200, "an upgrade is not taken up");
    assert_eq!(system.simulator.calls(), 0);
}

#[tokio::test]
async fn d9_the_body_of_a_stranger_is_never_read() {
    let (system, _) = guarded().await;
    let text = format!(
        "POST {PATH} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer nobody\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n"
    );
    let answer = raw(system.address, text.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "no 100 Continue for a stranger: {answer}");
}

#[tokio::test]
async fn e1_e3_exactly_one_credential_of_the_right_kind() {
    let (system, key) = guarded().await;
    let (other, _) = system.key(json!({})).await;
    let cases: Vec<(&str, Vec<(&str, String)>)> = vec![
        ("both", vec![("authorization", format!("Bearer {key}")), ("x-api-key", key.clone())]),
        (
            "two",
            vec![("authorization", format!("Bearer {key}")), ("authorization", format!("Bearer {other}"))],
        ),
        ("x-api-key alone", vec![("x-api-key", key.clone())]),
        ("basic", vec![("authorization", format!("Basic {key}"))]),
        ("two spaces", vec![("authorization", format!("Bearer  {key}"))]),
        ("twice", vec![("authorization", format!("Bearer Bearer {key}"))]),
        ("none", vec![]),
        ("an admin key", vec![("authorization", format!("Bearer {}", system.admin_key))]),
    ];
    for (what, headers) in cases {
        let mut call = request("POST", PATH, "x", Some(chat("mistral-small-latest").to_string().as_bytes()));
        call.headers_mut().remove("authorization");
        for (name, value) in headers {
            call.headers_mut()
                .append(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        let answer = send(system.address, call).await;
        assert_eq!(
            (answer.status.as_u16(), answer.text().as_str()),
            (401, r#"{"detail":"Unauthorized"}"#),
            "{what}"
        );
    }
    assert_eq!(system.simulator.calls(), 0);
    let admin = send(system.address, request("GET", "/v1/api-keys", &key, None)).await;
    assert_eq!(
        (admin.status.as_u16(), admin.text().as_str()),
        (401, r#"{"detail":"Unauthorized"}"#),
        "an API key on the admin side"
    );
    let mut call = request("POST", PATH, "x", Some(chat("mistral-small-latest").to_string().as_bytes()));
    call.headers_mut().insert("authorization", format!("bEaReR {key}").parse().unwrap());
    assert_eq!(send(system.address, call).await.status, 200, "the scheme's case does not matter");
}
