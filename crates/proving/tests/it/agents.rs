//! Agents: owned, versioned and judged at every use by what the rules say then.

use crate::fixtures::permit;
use louver_domain::access::{Action, Actor};
use louver_domain::audit::{AuditEvent, Outcome};
use louver_domain::endpoints::EndpointKind;
use louver_domain::id::{EventId, WorkspaceId};
use louver_domain::money::Money;
use louver_domain::prices::ToolPrice;
use louver_domain::time::Timestamp;
use louver_domain::workspaces::Workspace;
use louver_proving::client::{Answer, request, send};
use louver_proving::system::{System, eventually};
use louver_store::models::PricedTool;
use louver_store::{models, organizations, workspaces};
use serde_json::{Value, json};

pub(crate) const SMALL: &str = "mistral-small-2603";
pub(crate) const LARGE: &str = "mistral-large-2512";

/// Two workspaces under one credential, where agents and conversations may be had.
pub(crate) struct Place {
    pub(crate) system: System,
    /// A key of the default workspace.
    pub(crate) ours: String,
    /// A key of the other workspace.
    pub(crate) theirs: String,
    pub(crate) other_workspace: String,
}

impl Place {
    pub(crate) async fn new() -> Self {
        let system = System::start().await;
        let other = WorkspaceId::from_bytes([77; 16]);
        open_up(&system, other).await;
        let ours = system.key(json!({"name": "ours"})).await.0;
        let theirs = system.key(json!({"name": "theirs", "workspace_id": other.to_string()})).await.0;
        Self { system, ours, theirs, other_workspace: other.to_string() }
    }

    /// With a budget in dollars on our workspace.
    pub(crate) async fn budgeted() -> Self {
        let place = Self::new().await;
        place.limit(json!({"monthly_budget_usd": 1000})).await;
        place
    }

    pub(crate) async fn limit(&self, limits: Value) {
        let path = format!("/v1/gateway/workspaces/{}/limits", self.system.workspace);
        self.system.deed("PATCH", &path, limits).await;
    }

    pub(crate) async fn call(&self, method: &str, key: &str, path: &str, body: Option<Value>) -> Answer {
        let body = body.map(|body| body.to_string().into_bytes());
        send(self.system.address, request(method, path, key, body.as_deref())).await
    }

    pub(crate) async fn ours(&self, method: &str, path: &str, body: Value) -> Answer {
        self.call(method, &self.ours, path, (!body.is_null()).then_some(body)).await
    }

    pub(crate) async fn theirs(&self, method: &str, path: &str, body: Value) -> Answer {
        self.call(method, &self.theirs, path, (!body.is_null()).then_some(body)).await
    }

    /// An agent of ours; answers its id.
    pub(crate) async fn agent(&self, more: Value) -> String {
        let mut body = json!({"model": "mistral-small-latest", "name": "one"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let made = self.ours("POST", "/v1/agents", body).await;
        assert_eq!(made.status, 200, "{}", made.text());
        made.json()["id"].as_str().unwrap().to_owned()
    }

    /// What was sent upstream since the last time, as `METHOD target`.
    pub(crate) fn sent(&self) -> Vec<String> {
        let sent = self.system.simulator.ledger();
        let sent = sent.iter().map(|entry| format!("{} {}", entry.method, entry.target)).collect();
        self.system.simulator.clear();
        sent
    }

    pub(crate) fn bodies(&self) -> Vec<Value> {
        let ledger = self.system.simulator.ledger();
        ledger.iter().map(|entry| serde_json::from_slice(&entry.body).unwrap_or_default()).collect()
    }

    /// Asks for something that is refused: nothing is sent, and no budget moves.
    pub(crate) async fn refused(&self, method: &str, path: &str, body: Value, verdict: (u16, &str)) {
        let before = self.spent().await;
        self.system.simulator.clear();
        let answer = self.ours(method, path, body.clone()).await;
        assert_eq!(
            answer.verdict(),
            (verdict.0, verdict.1.into()),
            "{method} {path} {body} {}",
            answer.text()
        );
        assert_eq!(self.sent(), Vec::<String>::new(), "{method} {path} {body}");
        assert_eq!(self.spent().await, before);
    }

    /// In nano-dollars what the first budget has spent, once nothing is in flight.
    pub(crate) async fn spent(&self) -> i64 {
        let system = &self.system;
        eventually(async || {
            let budgets = system.get(&system.admin_key, "/v1/gateway/budgets").await.json();
            let Some(budget) = budgets["data"].get(0) else { return Some(0) };
            let nanos = (budget["spent"].as_f64().unwrap() * 1e9).round() as i64;
            (budget["reserved"] == 0).then_some(nanos)
        })
        .await
    }
}

/// Lets the models of chats speak as agents and in conversations, and web searches be offered; makes a second workspace.
async fn open_up(system: &System, other: WorkspaceId) {
    let mut organization = organizations::list(&system.store).await.unwrap().remove(0);
    let permit = permit(organization.id, Action::UpdateOrganization);
    let at = Timestamp::parse("2026-11-21T09:00:00Z").unwrap();
    let mut tx = system.store.begin().await.unwrap();
    let mut list = models::load(&mut tx).await.unwrap();
    for priced in &mut list.models {
        for kind in [EndpointKind::AgentsCompletions, EndpointKind::Conversations] {
            if priced.model.serves(EndpointKind::Chat) && !priced.model.serves(kind) {
                priced.model.endpoints.push(kind);
            }
        }
    }
    list.tools.retain(|tool| tool.tool != "web_search" && tool.tool != "code_interpreter");
    let prices = vec![ToolPrice { effective_from: Timestamp::from_micros(0), usd_per_call: usd("0.03") }];
    list.tools.push(PricedTool { tool: "web_search".into(), prices });
    models::replace(&mut tx, &permit, &list).await.unwrap();
    organization.limits.allowed_tools = Some(vec!["web_search".into(), "code_interpreter".into()]);
    organizations::save(&mut tx, &permit, &organization).await.unwrap();
    let workspace = Workspace {
        id: other,
        organization_id: organization.id,
        name: "other".into(),
        is_default: false,
        ..workspaces::list(&system.store, organization.id).await.unwrap().remove(0)
    };
    workspaces::insert(&mut tx, &permit, &workspace).await.unwrap();
    let event = AuditEvent {
        id: EventId::from_bytes([5; 16]),
        at,
        actor: Actor::system(organization.id),
        permit,
        outcome: Outcome::Done,
        workspace_id: None,
        target_id: "t".into(),
        target_name: "n".into(),
        before: None,
        after: None,
        request_id: None,
        address: None,
    };
    tx.commit(&event).await.unwrap();
}

fn usd(text: &str) -> Money {
    Money::parse_usd(text).unwrap()
}

const COMPLETIONS: &str = "/v1/agents/completions";

pub(crate) fn ask(agent: &str) -> Value {
    json!({"agent_id": agent, "max_tokens": 40, "messages": [{"role": "user", "content": "Hello"}]})
}

#[tokio::test]
async fn agents_live_with_versions_and_aliases_and_the_model_is_pinned() {
    let place = Place::new().await;
    let id = place.agent(json!({"instructions": "Be brief.", "metadata": {"a": 1}})).await;
    assert_eq!(place.bodies()[0]["model"], SMALL, "the id goes upstream, not the alias");
    let path = format!("/v1/agents/{id}");
    let shown = place.ours("GET", &path, Value::Null).await.json();
    assert_eq!((&shown["id"], &shown["model"]), (&json!(id), &json!(SMALL)));
    let changed = place.ours("PATCH", &path, json!({"model": "mistral-large-latest", "name": null})).await;
    assert_eq!((changed.status.as_u16(), &changed.json()["version"]), (200, &json!(1)), "{}", changed.text());
    let list = place.ours("GET", "/v1/agents?page_size=5", Value::Null).await.json();
    assert_eq!(
        (list.as_array().unwrap().len(), &list[0]["model"], &list[0]["version"]),
        (1, &json!(LARGE), &json!(1))
    );
    let versions = place.ours("GET", &format!("{path}/versions"), Value::Null).await.json();
    assert_eq!((&versions[0]["version"], &versions[1]["model"]), (&json!(1), &json!(SMALL)));
    let named = place.ours("PUT", &format!("{path}/aliases?alias=old&version=0"), Value::Null).await;
    assert_eq!((named.status.as_u16(), &named.json()["version"]), (200, &json!(0)), "{}", named.text());
    assert_eq!(place.ours("GET", &format!("{path}/versions/old"), Value::Null).await.json()["model"], SMALL);
    let aliases = place.ours("GET", &format!("{path}/aliases"), Value::Null).await.json();
    assert_eq!((&aliases[0]["alias"], &aliases[0]["version"]), (&json!("old"), &json!(0)));
    let back = place.ours("PATCH", &format!("{path}/version?version=old"), Value::Null).await;
    assert_eq!(back.json()["version"], 0, "{}", back.text());
    assert!(place.sent().contains(&format!("PATCH {path}/version?version=0")), "the number goes upstream");
    assert_eq!(place.ours("DELETE", &format!("{path}/aliases?alias=old"), Value::Null).await.status, 204);
    let answered = place.ours("POST", COMPLETIONS, ask(&id)).await;
    assert_eq!(
        (answered.status.as_u16(), &answered.json()["model"]),
        (200, &json!(SMALL)),
        "{}",
        answered.text()
    );
    assert_eq!(place.ours("DELETE", &path, Value::Null).await.status, 204);
    place.sent();
    for (method, path) in
        [("GET", path.clone()), ("DELETE", path.clone()), ("GET", format!("{path}/versions"))]
    {
        assert_eq!(place.ours(method, &path, Value::Null).await.verdict(), (404, "not_found".into()));
    }
    assert_eq!(place.sent(), Vec::<String>::new());
    assert_eq!(place.ours("GET", "/v1/agents", Value::Null).await.json(), json!([]));
}

/// The metadata that Mistral's Python client sends for none.
pub(crate) const NONE: &str = "%22~%3F~unset~%3F~sentinel~%3F~%22";

#[tokio::test]
async fn agents_are_listed_by_what_is_asked_and_page_after_page() {
    let place = Place::new().await;
    let mut ids = Vec::new();
    for (name, team) in [("red fox", "ml"), ("red deer", "ml"), ("blue fox", "dev")] {
        ids.push(place.agent(json!({"name": name, "metadata": {"team": team, "n": 1}})).await);
        place.system.clock.advance(1);
    }
    place.sent();
    let list = async |query: &str| {
        let answer = place.ours("GET", &format!("/v1/agents?{query}"), Value::Null).await;
        assert_eq!(answer.status, 200, "{query} {}", answer.text());
        let list = answer.json();
        let places = list
            .as_array()
            .unwrap()
            .iter()
            .map(|agent| ids.iter().position(|id| agent["id"] == json!(id)).unwrap());
        places.collect::<Vec<usize>>()
    };
    let none = format!("page=0&page_size=20&metadata={NONE}");
    assert_eq!(list(&none).await, [2, 1, 0]);
    assert_eq!(list("metadata=%7B%22team%22%3A%22ml%22%7D&deployment_chat=false").await, [1, 0]);
    assert!(list("metadata=%7B%22team%22%3A%22ml%22%2C%22n%22%3A2%7D").await.is_empty());
    assert_eq!(list("search=fox&sources=playground&sources=api").await, [2, 0]);
    assert!(list("sources=playground").await.is_empty());
    assert!(list("deployment_chat=true").await.is_empty());
    assert_eq!(list(&format!("search={}", ids[1])).await, [1]);
    for odd in ["metadata=team", "metadata=%5B%5D", "metadata=%22x%22", "page=x"] {
        let answer = place.ours("GET", &format!("/v1/agents?{odd}"), Value::Null).await;
        assert_eq!(answer.verdict(), (422, "invalid_request".into()), "{odd}");
    }
    let page = async |query: &str| {
        let answer = place.ours("GET", &format!("/v1/agents/pages?{query}"), Value::Null).await;
        assert_eq!(answer.status, 200, "{query} {}", answer.text());
        answer.json()
    };
    let first = page(&format!("page_size=2&metadata={NONE}")).await;
    let token = first["next_page_token"].as_str().unwrap();
    assert_eq!((&first["data"][0]["id"], &first["data"][1]["id"]), (&json!(ids[2]), &json!(ids[1])));
    place.agent(json!({"name": "newer"})).await;
    let second = page(&format!("page_size=2&page_token={token}")).await;
    assert_eq!((&second["data"][0]["id"], &second["next_page_token"]), (&json!(ids[0]), &Value::Null));
    let answer = place.ours("GET", "/v1/agents/pages?page_token=1", Value::Null).await;
    assert_eq!(answer.verdict(), (422, "invalid_request".into()));
    let theirs = place.theirs("GET", &format!("/v1/agents/pages?page_token={token}"), Value::Null).await;
    assert_eq!(theirs.json(), json!({"object": "list", "data": [], "next_page_token": null}));
    assert_eq!(place.sent(), ["POST /v1/agents"], "lists come from here");
}

#[tokio::test]
async fn b1_the_model_of_an_agent_is_judged_when_it_is_made_changed_and_used() {
    let place = Place::budgeted().await;
    let id = place.agent(json!({})).await;
    place.limit(json!({"allowed_models": ["mistral-small-latest"]})).await;
    let path = format!("/v1/agents/{id}");
    let dear = json!({"model": "mistral-large-latest", "name": "dear"});
    for model in ["mistral-large-latest", LARGE, "nope", "Mistral-Small-latest", "mistral-embed"] {
        let body = json!({"model": model, "name": "dear"});
        place.refused("POST", "/v1/agents", body, (403, "model_not_allowed")).await;
        place.refused("PATCH", &path, json!({"model": model}), (403, "model_not_allowed")).await;
    }
    place.refused("POST", "/v1/agents", json!({"name": "x"}), (422, "invalid_request")).await;
    for model in [Value::Null, json!(""), json!([LARGE]), json!({"a": 1})] {
        place
            .refused("POST", "/v1/agents", json!({"model": model, "name": "x"}), (422, "invalid_request"))
            .await;
    }
    // One that was made when its model was allowed, is not called when it no longer is.
    place.limit(json!({"allowed_models": null})).await;
    let made = place.ours("POST", "/v1/agents", dear).await.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(place.ours("POST", COMPLETIONS, ask(&made)).await.status, 200);
    place.limit(json!({"allowed_models": ["mistral-small-latest"]})).await;
    place.refused("POST", COMPLETIONS, ask(&made), (403, "model_not_allowed")).await;
    let start = json!({"agent_id": made, "inputs": "Hello"});
    place.refused("POST", "/v1/conversations", start, (403, "model_not_allowed")).await;
    assert_eq!(place.ours("POST", COMPLETIONS, ask(&id)).await.status, 200);
}

#[tokio::test]
async fn b1_an_agent_of_another_workspace_is_like_an_unknown_one() {
    let place = Place::new().await;
    let id = place.agent(json!({})).await;
    let path = format!("/v1/agents/{id}");
    let unknown = place.theirs("GET", "/v1/agents/ag_nobody", Value::Null).await;
    place.sent();
    let paths = [
        ("GET", path.clone(), Value::Null),
        ("PATCH", path.clone(), json!({"name": "mine"})),
        ("DELETE", path.clone(), Value::Null),
        ("PATCH", format!("{path}/version?version=0"), Value::Null),
        ("GET", format!("{path}/versions"), Value::Null),
        ("GET", format!("{path}/versions/0"), Value::Null),
        ("PUT", format!("{path}/aliases?alias=a&version=0"), Value::Null),
        ("GET", format!("{path}/aliases"), Value::Null),
        ("DELETE", format!("{path}/aliases?alias=a"), Value::Null),
        ("POST", COMPLETIONS.to_owned(), ask(&id)),
        ("POST", "/v1/conversations".to_owned(), json!({"agent_id": id, "inputs": "x"})),
        ("POST", "/v1/agents".to_owned(), json!({"model": SMALL, "name": "x", "handoffs": [id]})),
    ];
    for (method, path, body) in paths {
        let answer = place.theirs(method, &path, body).await;
        assert_eq!(answer.verdict(), (404, "not_found".into()), "{method} {path}");
        assert_eq!(answer.json()["message"], unknown.json()["message"], "{method} {path}");
    }
    assert_eq!(place.sent(), Vec::<String>::new());
    assert_eq!(place.theirs("GET", "/v1/agents", Value::Null).await.json(), json!([]), "b14");
    assert_eq!(place.system.simulator.agents().len(), 1);
}

#[tokio::test]
async fn b2_versions_and_aliases_are_resolved_here_and_judged_one_by_one() {
    let place = Place::budgeted().await;
    let id = place.agent(json!({"model": LARGE})).await;
    let path = format!("/v1/agents/{id}");
    assert_eq!(place.ours("PATCH", &path, json!({"model": SMALL})).await.status, 200);
    let named = place.ours("PUT", &format!("{path}/aliases?alias=dear&version=0"), Value::Null).await;
    assert_eq!(named.status, 200);
    place.limit(json!({"allowed_models": [SMALL]})).await;
    let start = |version: Value| json!({"agent_id": id, "agent_version": version, "inputs": "no tools"});
    for version in [json!(0), json!("0"), json!("dear")] {
        place.refused("POST", "/v1/conversations", start(version), (403, "model_not_allowed")).await;
    }
    for version in [json!(7), json!("nobody"), json!("7")] {
        place.refused("POST", "/v1/conversations", start(version), (404, "not_found")).await;
    }
    for version in [json!(-1), json!(1.0), json!(true), json!([1])] {
        place.refused("POST", "/v1/conversations", start(version), (422, "invalid_request")).await;
    }
    place
        .refused("PATCH", &format!("{path}/version?version=0"), Value::Null, (403, "model_not_allowed"))
        .await;
    place
        .refused("PATCH", &format!("{path}/version?version=dear"), Value::Null, (403, "model_not_allowed"))
        .await;
    place.refused("PATCH", &format!("{path}/version?version=9"), Value::Null, (404, "not_found")).await;
    place.refused("GET", &format!("{path}/versions/9"), Value::Null, (404, "not_found")).await;
    place.refused("GET", &format!("{path}?agent_version=9"), Value::Null, (404, "not_found")).await;
    let digits = format!("{path}/aliases?alias=7&version=0");
    place.refused("PUT", &digits, Value::Null, (422, "invalid_request")).await;
    let answer = place.ours("POST", "/v1/conversations", start(Value::Null)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(place.bodies().last().unwrap()["agent_version"], 1, "the version is pinned");
}

#[tokio::test]
async fn b3_everybody_who_may_come_to_speak_must_be_allowed() {
    let place = Place::budgeted().await;
    let dear = place.agent(json!({"model": LARGE, "name": "dear"})).await;
    let middle = place.agent(json!({"name": "middle", "handoffs": [dear]})).await;
    let first = place.agent(json!({"name": "first", "handoffs": [middle]})).await;
    // A ring ends the walk as well.
    let ring = json!({"handoffs": [first]});
    assert_eq!(place.ours("PATCH", &format!("/v1/agents/{dear}"), ring).await.status, 200);
    let start = json!({"agent_id": first, "inputs": "no tools", "completion_args": {"max_tokens": 30}});
    let answer = place.ours("POST", "/v1/conversations", start.clone()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sent = place.bodies().last().unwrap().clone();
    assert_eq!(sent["handoff_execution"], "client", "under a budget nobody else speaks within one call");
    assert!(
        answer.json()["outputs"].as_array().unwrap().iter().any(|entry| entry["type"] == "agent.handoff")
    );
    let mut server = start.clone();
    server["handoff_execution"] = json!("server");
    place.refused("POST", "/v1/conversations", server, (403, "unbounded_cost")).await;
    place.limit(json!({"allowed_models": [SMALL]})).await;
    place.refused("POST", "/v1/conversations", start, (403, "model_not_allowed")).await;
    place.refused("POST", COMPLETIONS, ask(&first), (403, "model_not_allowed")).await;
}

#[tokio::test]
async fn b3_handoffs_are_priced_at_the_dearest_and_charged_at_whoever_spoke() {
    let place = Place::budgeted().await;
    let dear = place.agent(json!({"model": LARGE, "name": "dear"})).await;
    let first = place.agent(json!({"name": "first", "handoffs": [dear]})).await;
    let start = json!({"agent_id": first, "inputs": "no tools", "completion_args": {"max_tokens": 30}});
    assert_eq!(place.ours("POST", "/v1/conversations", start).await.status, 200);
    let turns = place.system.simulator.turns();
    assert_eq!((turns.len(), turns[0].model.as_str()), (1, SMALL));
    let billed = turns[0].billed;
    assert_eq!(place.spent().await, (billed.input() * 150 + billed.completion * 600) as i64);
}

#[tokio::test]
async fn b3_chains_that_are_too_long_are_not_called() {
    let place = Place::new().await;
    let mut last = place.agent(json!({"name": "end"})).await;
    for _ in 0..18 {
        last = place.agent(json!({"handoffs": [last]})).await;
    }
    place.refused("POST", COMPLETIONS, ask(&last), (403, "unbounded_cost")).await;
}

#[tokio::test]
async fn b11_tools_of_an_agent_are_allowed_priced_and_charged_by_the_call() {
    let place = Place::budgeted().await;
    for (tools, verdict) in [
        (json!([{"type": "web_search_premium"}]), (403, "tool_not_allowed")),
        (json!([{"type": "new_tool"}]), (422, "invalid_request")),
        (
            json!([{"type": "connector", "connector_id": "c", "authorization": {"a": 1}}]),
            (403, "tool_not_allowed"),
        ),
        (json!([{"type": "connector", "connector_id": "c"}]), (403, "tool_not_allowed")),
        (json!([{"type": "web_search", "library_ids": ["x"]}]), (422, "invalid_request")),
        (json!([{"type": "function"}]), (422, "invalid_request")),
        (json!([{"type": 7}]), (422, "invalid_request")),
        (json!("web_search"), (422, "invalid_request")),
    ] {
        let body = json!({"model": SMALL, "name": "x", "tools": tools});
        place.refused("POST", "/v1/agents", body, verdict).await;
        let body = json!({"model": SMALL, "inputs": "x", "tools": tools});
        let foreign = verdict.1 == "tool_not_allowed" && tools[0]["type"] == "connector";
        let verdict = if foreign { (404, "not_found") } else { verdict };
        place.refused("POST", "/v1/conversations", body, verdict).await;
    }
    let tools = json!([{"type": "web_search"}]);
    let id = place.agent(json!({"tools": tools})).await;
    let start = json!({"agent_id": id, "inputs": "Search", "completion_args": {"max_tokens": 30}});
    let answer = place.ours("POST", "/v1/conversations", start.clone()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let billed = place.system.simulator.turns()[0].billed;
    let calls = billed.tool_calls.of("web_search");
    assert!(calls > 0 && billed.connector > 0);
    let cost = billed.input() * 150 + billed.completion * 600 + calls * 30_000_000;
    assert_eq!(place.spent().await, cost as i64, "{}", answer.text());
    // A tool that is allowed and has no price cannot be bounded.
    let unpriced = place.agent(json!({"tools": [{"type": "code_interpreter"}]})).await;
    let start = json!({"agent_id": unpriced, "inputs": "x"});
    place.refused("POST", "/v1/conversations", start, (403, "unbounded_cost")).await;
    // What was allowed when the agent was made is not, once it is forbidden.
    let path = format!("/v1/gateway/workspaces/{}/limits", place.system.workspace);
    if place.system.admin("PATCH", &path, Some(json!({"allowed_tools": []}))).await.status.is_success() {
        let start = json!({"agent_id": id, "inputs": "Search"});
        place.refused("POST", "/v1/conversations", start, (403, "tool_not_allowed")).await;
    }
}

#[tokio::test]
async fn b17_agents_are_not_published_and_unknown_fields_are_refused() {
    let place = Place::new().await;
    let with = |more: Value| {
        let mut body = json!({"model": SMALL, "name": "x"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for more in [
        json!({"deployment_chat": true}),
        json!({"deployment_chat": "false"}),
        json!({"visibility": "shared"}),
        json!({"fallback_models": [LARGE]}),
        json!({"completion_args": {"max_tokens": "5"}}),
        json!({"completion_args": {"model": LARGE}}),
        json!({"completion_args": []}),
        json!({"handoffs": "x"}),
        json!({"handoffs": [1]}),
        json!({"guardrails": [{"moderation_llm_v3": {}}]}),
        json!({"name": null}),
    ] {
        place.refused("POST", "/v1/agents", with(more), (422, "invalid_request")).await;
    }
    let guarded = json!({"guardrails": [{"moderation_llm_v2": {"model_name": LARGE}}]});
    place.limit(json!({"allowed_models": [SMALL]})).await;
    place.refused("POST", "/v1/agents", with(guarded), (403, "model_not_allowed")).await;
    let id = place.agent(json!({"deployment_chat": false})).await;
    place
        .refused(
            "PATCH",
            &format!("/v1/agents/{id}"),
            json!({"deployment_chat": true}),
            (422, "invalid_request"),
        )
        .await;
    let doubled = r#"{"model":"mistral-small-2603","model":"mistral-large-2512","name":"x"}"#;
    let call = request("POST", "/v1/agents", &place.ours, Some(doubled.as_bytes()));
    place.sent();
    assert_eq!(send(place.system.address, call).await.verdict(), (400, "duplicate_key".into()));
    assert_eq!(place.sent(), Vec::<String>::new());
}

#[tokio::test]
async fn b18_an_agent_whose_making_failed_halfway_belongs_to_nobody() {
    let place = Place::new().await;
    // Upstream makes it, and its answer never comes.
    place.system.simulator.script(louver_simulator::Fault::ResetAfter { after: 0 });
    let answer = place.ours("POST", "/v1/agents", json!({"model": SMALL, "name": "lost"})).await;
    assert!(answer.status.is_server_error(), "{}", answer.text());
    let lost = place.system.simulator.agents();
    if let Some(lost) = lost.first() {
        let path = format!("/v1/agents/{}", lost.id);
        assert_eq!(place.ours("GET", &path, Value::Null).await.verdict(), (404, "not_found".into()));
        assert_eq!(place.ours("POST", COMPLETIONS, ask(&lost.id)).await.verdict(), (404, "not_found".into()));
    }
    assert_eq!(place.ours("GET", "/v1/agents", Value::Null).await.json(), json!([]));
}

#[tokio::test]
async fn an_agent_is_always_called_with_the_credential_that_it_was_made_with() {
    let place = Place::new().await;
    let ours = place.agent(json!({})).await;
    let own = json!({"name": "own", "key": "own-upstream-secret", "workspace_id": place.other_workspace});
    place.system.deed("POST", "/v1/gateway/upstreams", own).await;
    let made = place.theirs("POST", "/v1/agents", json!({"model": SMALL, "name": "x"})).await.json();
    let theirs = made["id"].as_str().unwrap().to_owned();
    let bearer = || place.system.simulator.ledger().last().unwrap().bearer.clone().unwrap();
    assert_eq!(bearer(), "own-upstream-secret");
    assert_eq!(place.theirs("POST", COMPLETIONS, ask(&theirs)).await.status, 200);
    assert_eq!(bearer(), "own-upstream-secret");
    assert_eq!(place.ours("POST", COMPLETIONS, ask(&ours)).await.status, 200);
    assert_eq!(bearer(), louver_proving::system::UPSTREAM_KEY);
    for (key, foreign) in [(&place.ours, &theirs), (&place.theirs, &ours)] {
        let answer = place.call("POST", key, COMPLETIONS, Some(ask(foreign))).await;
        assert_eq!(answer.verdict(), (404, "not_found".into()));
    }
}

#[tokio::test]
async fn c9_c18_an_agent_is_asked_on_the_standard_tier_and_under_the_workspaces_own_cache() {
    let place = Place::new().await;
    let id = place.agent(json!({})).await;
    for tier in [Value::Null, json!("standard_only")] {
        let mut body = ask(&id);
        body["prompt_cache_key"] = json!("shared");
        if !tier.is_null() {
            body["service_tier"] = tier;
        }
        assert_eq!(place.ours("POST", COMPLETIONS, body).await.status, 200);
        let sent = place.bodies().pop().unwrap();
        assert_eq!(sent["service_tier"], "standard_only", "{sent}");
        let cache = sent["prompt_cache_key"].as_str().unwrap();
        assert!(cache.len() == 64 && cache != "shared", "{sent}");
    }
}

#[tokio::test]
async fn b3_what_others_may_lead_to_cannot_be_released() {
    let place = Place::new().await;
    place.agent(json!({})).await;
    let all = place.system.get(&place.system.admin_key, "/v1/gateway/objects?kind=agent").await.json();
    let path = format!("/v1/gateway/objects/{}", all["data"][0]["id"].as_str().unwrap());
    let answer = place.system.admin("DELETE", &path, None).await;
    assert_eq!(answer.status, 409, "{}", answer.text());
}

#[tokio::test]
async fn completions_by_agents_cost_what_the_simulator_bills_whole_and_streamed() {
    let place = Place::budgeted().await;
    let id = place
        .agent(json!({"instructions": "Be brief, be kind.", "completion_args": {"max_tokens": 25}}))
        .await;
    let mut cost = 0;
    for stream in [false, true] {
        place.system.simulator.clear();
        let mut body = json!({"agent_id": id, "messages": [{"role": "user", "content": "Hello"}]});
        body["stream"] = json!(stream);
        let answer = place.ours("POST", COMPLETIONS, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(place.bodies()[0]["max_tokens"], 25, "what the agent has is what is set");
        let billed = place.system.simulator.ledger()[0].billed;
        cost += (billed.input() * 150 + billed.completion * 600) as i64;
        assert_eq!(place.spent().await, cost);
    }
    for body in [
        json!({"messages": [{"role": "user", "content": "x"}]}),
        json!({"agent_id": id}),
        json!({"agent_id": id, "model": SMALL, "messages": [{"role": "user", "content": "x"}]}),
        json!({"agent_id": null, "messages": [{"role": "user", "content": "x"}]}),
    ] {
        place.refused("POST", COMPLETIONS, body, (422, "invalid_request")).await;
    }
}
