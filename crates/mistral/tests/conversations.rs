//! What is read of requests to agents and in conversations, and what is pinned in them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use louver_mistral::endpoints::Endpoint;
use louver_mistral::request::{
    AgentVersion, HandoffExecution, Pins, ReferenceKind, Request, RequestError, read,
};
use serde_json::{Value, json};

const START: Endpoint = Endpoint::StartConversation;

fn sound(endpoint: Endpoint, body: &Value) -> Request {
    read(endpoint, body.to_string().as_bytes()).unwrap_or_else(|error| panic!("{body}: {error:?}"))
}

/// Where the findings are, as paths below the body.
fn wrong(endpoint: Endpoint, body: &Value) -> Vec<String> {
    match read(endpoint, body.to_string().as_bytes()) {
        Err(RequestError::Shape(details)) => {
            details.iter().map(|detail| detail.loc.join(".").replacen("body.", "", 1)).collect()
        }
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn a_start_names_a_model_or_an_agent_and_all_that_it_sets_off() {
    let body = json!({"agent_id": "ag_1", "agent_version": "prod", "inputs": [
        {"role": "user", "content": "abc"},
        {"type": "message.output", "role": "assistant", "content": "de", "model": "m-1", "agent_id": "ag_2"}],
        "tools": [{"type": "function", "function": {"name": "f"}}, {"type": "web_search"}, {"type": "web_search"},
            {"type": "document_library", "library_ids": ["l-1"]}, {"type": "connector", "connector_id": "c-1"}],
        "completion_args": {"max_tokens": 7, "temperature": 0.1, "stop": ["x"]}, "store": false, "stream": true,
        "handoff_execution": "server", "guardrails": [{"moderation_llm_v2": {"model_name": "mod"}}]});
    let request = sound(START, &body);
    let turn = request.turn.as_deref().unwrap();
    assert_eq!(turn.agent_id.as_deref(), Some("ag_1"));
    assert_eq!(turn.agent_version, Some(AgentVersion::Alias("prod".into())));
    assert_eq!(turn.handoff_execution, Some(HandoffExecution::Server));
    assert!(turn.unstored && turn.args_given && turn.tools_given && request.stream);
    assert_eq!((request.max_tokens, request.messages, request.tools), (Some(7), 2, 5));
    assert_eq!(request.provider_tools, ["web_search", "document_library", "connector"]);
    assert_eq!(
        (&*request.nested_models, &*request.mentioned_models),
        (&["mod".to_owned()][..], &["m-1".to_owned()][..])
    );
    let named: Vec<_> = request.references.iter().map(|r| (r.kind, r.id.as_str())).collect();
    let wanted =
        [(ReferenceKind::Agent, "ag_2"), (ReferenceKind::Library, "l-1"), (ReferenceKind::Unowned, "c-1")];
    assert_eq!(named, wanted);
    assert!(request.input_token_bound() > 100, "tools count as they are written");
}

#[test]
fn versions_are_numbers_or_names() {
    let version = |version: Value| {
        let body = json!({"agent_id": "a", "agent_version": version, "inputs": "x"});
        sound(START, &body).turn.unwrap().agent_version
    };
    assert_eq!(version(json!(3)), Some(AgentVersion::Number(3)));
    assert_eq!(version(json!("3")), Some(AgentVersion::Number(3)));
    assert_eq!(version(json!("v3")), Some(AgentVersion::Alias("v3".into())));
    assert_eq!(version(Value::Null), None);
}

#[test]
fn findings_say_where_they_are() {
    let start = |more: Value| {
        let mut body = json!({"model": "m", "inputs": "x"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        wrong(START, &body)
    };
    for (more, place) in [
        (json!({"completion_args": {"max_tokens": "1"}}), "completion_args.max_tokens"),
        (json!({"completion_args": {"n": 2}}), "completion_args.n"),
        (json!({"completion_args": 1}), "completion_args"),
        (json!({"inputs": [{"type": "agent.handoff"}]}), "inputs.0.type"),
        (json!({"inputs": ["x", {"next_agent_id": "a"}]}), "inputs.0"),
        (json!({"inputs": [{"content": [{"type": "odd"}]}]}), "inputs.0.content.0"),
        (json!({"inputs": [{"content": 1}]}), "inputs.0.content"),
        (json!({"tools": [{"type": "function"}]}), "tools.0.function"),
        (json!({"tools": [{"type": "web_search", "x": 1}]}), "tools.0.x"),
        (json!({"agent_id": "a"}), "model"),
        (json!({"agent_version": 1}), "model"),
        (json!({"agent_version": 1.5}), "agent_version"),
        (json!({"handoff_execution": "x"}), "handoff_execution"),
        (json!({"from_entry_id": "x"}), "from_entry_id"),
    ] {
        assert_eq!(start(more.clone())[0], place, "{more}");
    }
    assert_eq!(wrong(Endpoint::RestartConversation, &json!({})), ["from_entry_id"]);
    assert_eq!(wrong(Endpoint::CreateAgent, &json!({})), ["model", "name"]);
    assert_eq!(wrong(Endpoint::CreateAgent, &json!({"model": null, "name": "x"})), ["model"]);
    assert_eq!(wrong(Endpoint::UpdateAgent, &json!({"deployment_chat": true})), ["deployment_chat"]);
    assert_eq!(wrong(Endpoint::UpdateAgent, &json!([])), [""; 1].map(|_| "body"));
    assert_eq!(wrong(Endpoint::AgentsCompletions, &json!({"model": "m"})), ["model", "agent_id", "messages"]);
    sound(Endpoint::AppendConversation, &json!({}));
    sound(Endpoint::UpdateAgent, &json!({"model": null, "name": null, "deployment_chat": false}));
}

#[test]
fn what_is_pinned_stands_once_and_the_rest_is_untouched() {
    let args = json!({"temperature": 0.5});
    let all = Pins {
        model: "pinned",
        agent_version: Some(4),
        client_handoffs: true,
        max_tokens: Some(9),
        args: args.as_object(),
    };
    let rewritten = |endpoint: Endpoint, body: &Value, pins: &Pins<'_>| -> Value {
        let text = body.to_string();
        let out =
            sound(endpoint, body).rewrite_turn(text.as_bytes(), pins).unwrap_or_else(|| text.into_bytes());
        louver_mistral::json::check(&out).unwrap();
        serde_json::from_slice(&out).unwrap()
    };
    let on = Endpoint::AppendConversation;
    let pinned = json!({"agent_version": 4, "handoff_execution": "client",
        "completion_args": {"temperature": 0.5, "max_tokens": 9}});
    assert_eq!(rewritten(on, &json!({}), &all), pinned);
    let own = rewritten(on, &json!({"completion_args": {"top_p": 1}, "handoff_execution": null}), &all);
    assert_eq!(own["completion_args"], json!({"top_p": 1, "max_tokens": 9}));
    assert_eq!(own["handoff_execution"], "client");
    for given in [json!({"max_tokens": null}), json!({"max_tokens": 50}), json!({})] {
        let own = rewritten(on, &json!({"completion_args": given}), &all);
        assert_eq!(own["completion_args"], json!({"max_tokens": 9}), "{given}");
    }
    let start = json!({"model": "alias", "inputs": "x", "completion_args": null});
    let started = rewritten(START, &start, &Pins { agent_version: None, ..all.clone() });
    assert_eq!((&started["model"], &started["inputs"]), (&json!("pinned"), &json!("x")));
    assert_eq!(started["completion_args"]["max_tokens"], 9);
    let agent = json!({"agent_id": "a", "agent_version": "prod", "inputs": "x"});
    assert_eq!(rewritten(START, &agent, &all)["agent_version"], 4);
    let chat = json!({"agent_id": "a", "messages": [{"role": "user", "content": "x"}]});
    let only = Pins { max_tokens: Some(9), ..Pins::default() };
    assert_eq!(rewritten(Endpoint::AgentsCompletions, &chat, &only)["max_tokens"], 9);
    let none = Pins { model: "m", ..Pins::default() };
    let body = json!({"model": "m", "inputs": "x"});
    assert_eq!(sound(START, &body).rewrite_turn(body.to_string().as_bytes(), &none), None);
}
