//! Libraries and their documents: whose they are, what reading them costs, and that nobody else ever sees them.

use http_body_util::BodyExt;
use louver_domain::endpoints::EndpointKind;
use louver_domain::id::WorkspaceId;
use louver_domain::models::{Model, ModelStatus};
use louver_domain::money::Money;
use louver_domain::objects::ObjectKind;
use louver_domain::prices::Price;
use louver_domain::time::Timestamp;
use louver_proving::client::{Answer, open, raw, request, send};
use louver_proving::form::{BOUNDARY, Form, wav};
use louver_proving::system::{Setup, System, UPSTREAM_KEY, eventually};
use louver_simulator::{Fault, Model as Served};
use louver_store::ledger::verify;
use louver_store::models::PricedModel;
use louver_store::objects::{self, Shelf};
use louver_store::organizations;
use serde_json::{Value, json};
use std::time::Duration;

const PATH: &str = "/v1/libraries";
/// A dollar for a million tokens, three for a thousand pages, six thousandths for a minute.
const TOKEN: i64 = 1_000;
const PAGE: i64 = 3_000_000;
const SECOND: i64 = 100_000;
/// What is set aside for a document: a thousand pages, a million tokens.
const WORST: i64 = 1_000 * PAGE + 1_000_000 * TOKEN;

/// Two workspaces under one credential.
struct Place {
    system: System,
    ours: String,
    theirs: String,
}

fn tariff(sound: bool) -> (Served, PricedModel) {
    let usd = |text| Money::parse_usd(text);
    let model = Model {
        id: "mistral-libraries".into(),
        aliases: vec![],
        family: "mistral-libraries".into(),
        name: "Documents of libraries".into(),
        context: 1,
        endpoints: vec![EndpointKind::Libraries],
        capabilities: vec![],
        status: ModelStatus::Active,
        deprecation: None,
        replacement: None,
        upstream: None,
        workspace_id: None,
    };
    let price = Price {
        input_usd_per_mtok: usd("1"),
        usd_per_1000_pages: usd("3"),
        usd_per_audio_minute: usd("0.006").filter(|_| sound),
        ..Price::none(Timestamp::from_micros(0))
    };
    (Served::new("mistral-libraries", 1, &[]), PricedModel { model, prices: vec![price] })
}

impl Place {
    async fn with(setup: Setup) -> Self {
        let quick = |config: &mut louver::config::Config| config.document_poll = Duration::from_millis(20);
        let system = System::with(Setup { change: Some(quick), ..setup }).await;
        let people = json!([{"email": "ann@example.com", "first_name": "ann", "last_name": ""}]);
        let ann = system.deed("POST", "/v1/admin/users", people).await;
        let ann = ann["email_to_user_id"]["ann@example.com"].clone();
        let team = json!({"name": "team", "admin_user_id": ann});
        let team = system.deed("POST", "/v1/admin/workspaces", team).await;
        let theirs = system.key(json!({"workspace_id": team["uuid"]})).await.0;
        let ours = system.key(json!({})).await.0;
        Self { system, ours, theirs }
    }

    async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    /// With prices, and a budget of so many dollars on our workspace.
    async fn budgeted(dollars: u64) -> Self {
        let place = Self::with(Setup { models: vec![tariff(false)], ..Setup::default() }).await;
        place.limit(json!({"monthly_budget_usd": dollars})).await;
        place
    }

    async fn limit(&self, limits: Value) {
        let path = format!("/v1/gateway/workspaces/{}/limits", self.system.workspace);
        self.system.deed("PATCH", &path, limits).await;
    }

    async fn call(&self, key: &str, method: &str, path: &str, body: Value) -> Answer {
        let body = (!body.is_null()).then(|| body.to_string().into_bytes());
        send(self.system.address, request(method, path, key, body.as_deref())).await
    }

    async fn ours(&self, method: &str, path: &str, body: Value) -> Answer {
        self.call(&self.ours, method, path, body).await
    }

    async fn theirs(&self, method: &str, path: &str, body: Value) -> Answer {
        self.call(&self.theirs, method, path, body).await
    }

    /// A library of that key's workspace; answers its path.
    async fn library(&self, key: &str) -> String {
        let made = self.call(key, "POST", PATH, json!({"name": "papers"})).await;
        assert_eq!(made.status, 201, "{}", made.text());
        format!("{PATH}/{}", made.json()["id"].as_str().unwrap())
    }

    async fn upload(&self, key: &str, library: &str, form: Form) -> Answer {
        send(self.system.address, form.request(&format!("{library}/documents"), key)).await
    }

    /// A document of ours; answers its path.
    async fn document(&self, library: &str, content: &[u8]) -> String {
        let made = self.upload(&self.ours, library, Form::default().file("a.pdf", content)).await;
        assert_eq!(made.status, 201, "{}", made.text());
        format!("{library}/documents/{}", made.json()["id"].as_str().unwrap())
    }

    /// In nano-dollars what the budget has spent, once nothing is in flight.
    async fn spent(&self) -> i64 {
        eventually(async || {
            let budgets = self.system.get(&self.system.admin_key, "/v1/gateway/budgets").await.json();
            let budget = &budgets["data"][0];
            let nanos = (budget["spent"].as_f64().unwrap_or(0.0) * 1e9).round() as i64;
            (budget.is_null() || budget["reserved"] == 0).then_some(nanos)
        })
        .await
    }

    /// What the simulator's books come to.
    fn billed(&self) -> i64 {
        let (pages, tokens) = self.system.simulator.documents_billed();
        pages as i64 * PAGE + tokens as i64 * TOKEN
    }

    /// Upstream has read everything, and the node looks.
    async fn settles_at(&self, nanos: i64) {
        self.system.simulator.read_documents();
        eventually(async || {
            self.system.clock.advance(20);
            (self.spent().await == nanos).then_some(())
        })
        .await;
        assert_eq!(verify::verify(&self.system.store).await.unwrap(), []);
    }

    fn sent(&self) -> Vec<String> {
        let sent = self.system.simulator.ledger();
        let sent = sent.iter().map(|entry| format!("{} {}", entry.method, entry.target)).collect();
        self.system.simulator.clear();
        sent
    }
}

fn pdf() -> Form {
    Form::default().file("a.pdf", b"%PDF-1.4 some pages")
}

#[tokio::test]
async fn a_library_lives_with_its_documents_and_shows_nothing_of_upstreams_people() {
    for postgres in [false, true] {
        lives(Place::with(Setup { postgres, ..Setup::default() }).await).await;
    }
}

async fn lives(place: Place) {
    let made =
        place.ours("POST", PATH, json!({"name": "papers", "description": null, "chunk_size": 512})).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let library = made.json();
    assert_eq!(
        (&library["owner_id"], &library["workspace_id"]),
        (&Value::Null, &json!(place.system.workspace))
    );
    let path = format!("{PATH}/{}", library["id"].as_str().unwrap());
    let first = place.document(&path, b"one").await;
    place.system.clock.advance(1);
    let second = place.document(&path, b"second").await;
    let list = place.ours("GET", PATH, Value::Null).await.json();
    assert_eq!(
        (&list["data"][0]["nb_documents"], &list["data"][0]["total_size"], &list["next_page_token"]),
        (&json!(2), &json!(9), &Value::Null)
    );
    let paged = place.ours("GET", &format!("{PATH}?page=0&page_size=1"), Value::Null).await.json();
    assert_eq!((&paged["pagination"]["total_items"], &paged["data"][0]["id"]), (&json!(1), &library["id"]));
    let renamed =
        place.ours("PUT", &second, json!({"name": "b.txt", "attributes": {"owner_id": "mine"}})).await;
    assert_eq!(renamed.json()["attributes"], json!({"owner_id": "mine"}), "{}", renamed.text());
    let listed = |query: &'static str| {
        let path = format!("{path}/documents{query}");
        let place = &place;
        async move {
            let list = place.ours("GET", &path, Value::Null).await.json();
            let names =
                list["data"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned());
            (names.collect::<Vec<_>>().join(" "), list["pagination"]["total_items"].as_u64().unwrap())
        }
    };
    assert_eq!(listed("").await, ("b.txt a.pdf".to_owned(), 2));
    assert_eq!(listed("?sort_by=size&sort_order=asc&page_size=1").await, ("a.pdf".to_owned(), 2));
    assert_eq!(listed("?search=b.").await, ("b.txt".to_owned(), 1));
    for (tail, name) in [("", "name"), ("/status", "processing_status"), ("/text_content", "text")] {
        let got = place.ours("GET", &format!("{first}{tail}"), Value::Null).await;
        assert!(got.status == 200 && !got.json()[name].is_null(), "{tail}: {}", got.text());
        assert!(got.json()["uploaded_by_id"].is_null());
    }
    let changed = place.ours("PUT", &path, json!({"description": "all"})).await;
    assert_eq!((changed.status.as_u16(), &changed.json()["description"]), (200, &json!("all")));
    assert_eq!(place.ours("GET", PATH, Value::Null).await.json()["data"][0]["description"], "all");
    assert_eq!(place.ours("DELETE", &first, Value::Null).await.status, 204);
    assert_eq!(place.ours("GET", &first, Value::Null).await.verdict(), (404, "not_found".into()));
    assert_eq!(listed("").await.1, 1);
    assert_eq!(place.ours("DELETE", &path, Value::Null).await.status, 200);
    place.sent();
    for gone in [&path, &second, &format!("{path}/documents")] {
        assert_eq!(place.ours("GET", gone, Value::Null).await.verdict(), (404, "not_found".into()));
    }
    assert_eq!(place.sent(), Vec::<String>::new());
    assert_eq!(place.ours("GET", PATH, Value::Null).await.json()["data"], json!([]));
}

/// Every way to a library and its document, with a key that does not own them: as if they never were.
async fn closed(place: &Place, key: &str, library: &str, document: &str) {
    let unknown =
        place.call(key, "GET", &format!("{PATH}/nobody"), Value::Null).await.json()["message"].clone();
    place.sent();
    let id = library.rsplit('/').next().unwrap();
    let own = place.library(key).await;
    let of_own = format!("{own}/documents/{}", document.rsplit('/').next().unwrap());
    place.sent();
    let mut paths = vec![
        ("GET", library.to_owned(), Value::Null),
        ("PUT", library.to_owned(), json!({"name": "mine"})),
        ("DELETE", library.to_owned(), Value::Null),
        ("GET", format!("{library}/documents"), Value::Null),
    ];
    for document in [document, &of_own] {
        for (method, tail) in [
            ("GET", ""),
            ("GET", "/text_content"),
            ("GET", "/status"),
            ("POST", "/reprocess"),
            ("DELETE", ""),
        ] {
            paths.push((method, format!("{document}{tail}"), Value::Null));
        }
        paths.push(("PUT", document.to_owned(), json!({"name": "mine"})));
    }
    let tools = json!([{"type": "document_library", "library_ids": [id]}]);
    let messages = json!([{"role": "user", "content": "x"}]);
    let model = "mistral-small-latest";
    for (path, body) in [
        ("/v1/chat/completions", json!({"model": model, "messages": messages, "tools": tools})),
        ("/v1/conversations", json!({"model": model, "inputs": "x", "tools": tools})),
        ("/v1/agents", json!({"model": model, "name": "x", "tools": tools})),
    ] {
        paths.push(("POST", path.to_owned(), body));
    }
    for (method, path, body) in paths {
        let answer = place.call(key, method, &path, body).await;
        assert_eq!(answer.verdict(), (404, "not_found".into()), "{method} {path}: {}", answer.text());
        assert_eq!(answer.json()["message"], unknown, "{method} {path}");
    }
    let uploaded = place.upload(key, library, pdf()).await;
    assert_eq!((uploaded.verdict(), &uploaded.json()["message"]), ((404, "not_found".into()), &unknown));
    let listed = place.call(key, "GET", PATH, Value::Null).await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1, "only the own one: {listed}");
    assert_eq!(place.sent(), Vec::<String>::new());
}

#[tokio::test]
async fn b11_b14_b15_e8_what_another_workspace_keeps_is_not_there_either_way() {
    let place = Place::new().await;
    let limits = json!({"limits": {"allowed_tools": ["document_library"]}});
    place.system.deed("PATCH", "/v1/gateway/organization", limits).await;
    let library = place.library(&place.ours).await;
    let document = place.document(&library, b"one").await;
    closed(&place, &place.theirs, &library, &document).await;
    let made = place.library(&place.theirs).await;
    let put = place.upload(&place.theirs, &made, pdf()).await.json();
    let of = format!("{made}/documents/{}", put["id"].as_str().unwrap());
    let after = Place { ours: place.theirs.clone(), theirs: place.ours.clone(), ..place };
    let own = after.call(&after.theirs, "DELETE", &library, Value::Null).await;
    assert_eq!(own.status, 200, "{}", own.text());
    closed(&after, &after.theirs, &made, &of).await;
    assert_eq!(after.ours("GET", &of, Value::Null).await.status, 200, "it is still there");
    let ledger = after.system.simulator.ledger();
    assert!(ledger.iter().all(|call| call.bearer.as_deref() == Some(UPSTREAM_KEY)));
}

#[tokio::test]
async fn b11_an_own_library_may_be_searched_by_those_who_may_use_the_tool() {
    let place = Place::new().await;
    let limits = json!({"limits": {"allowed_tools": ["document_library"]}});
    place.system.deed("PATCH", "/v1/gateway/organization", limits).await;
    let library = place.library(&place.ours).await;
    let tools = json!([{"type": "document_library", "library_ids": [library.rsplit('/').next().unwrap()]}]);
    let messages = json!([{"role": "user", "content": "x"}]);
    let body = json!({"model": "mistral-small-latest", "messages": messages, "tools": tools});
    let answer = place.ours("POST", "/v1/chat/completions", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn b17_nothing_is_shared_with_anybody_upstream() {
    let place = Place::new().await;
    let library = place.library(&place.ours).await;
    place.sent();
    let with = json!({"level": "Editor", "share_with_uuid": "u", "share_with_type": "Org"});
    for method in ["GET", "PUT", "POST", "DELETE", "PATCH"] {
        let answer = place.ours(method, &format!("{library}/share"), with.clone()).await;
        assert_eq!(answer.status, 404, "{method}: {}", answer.text());
    }
    for (path, method, body) in [
        (PATH, "POST", json!({"name": "a", "visibility": "organization"})),
        (PATH, "POST", json!({"name": "a", "org_id": "o"})),
        (PATH, "POST", json!({"description": "a"})),
        (&library, "PUT", json!({"deployment_chat": true})),
        (&library, "PUT", json!({"owner_type": "Workspace"})),
        (&library, "PUT", json!([])),
    ] {
        let answer = place.ours(method, path, body.clone()).await;
        assert_eq!(answer.verdict(), (422, "invalid_request".into()), "{body}: {}", answer.text());
    }
    for (path, status) in [
        (format!("{PATH}?workspace_id=x"), 400),
        (format!("{PATH}?page=x"), 422),
        (format!("{library}/documents?filters_attributes=x"), 400),
        (format!("{library}/documents?sort_by=owner_id"), 422),
        (format!("{library}/documents?page=0&page=1"), 400),
    ] {
        let answer = place.ours("GET", &path, Value::Null).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
    }
    assert_eq!(place.sent(), Vec::<String>::new());
}

#[tokio::test]
async fn b16_addresses_without_a_key_are_refused_unless_they_are_allowed() {
    let place = Place::new().await;
    let library = place.library(&place.ours).await;
    let document = place.document(&library, b"one").await;
    place.sent();
    for tail in ["signed-url", "extracted-text-signed-url"] {
        let path = format!("{document}/{tail}");
        let refused = place.ours("GET", &path, Value::Null).await;
        assert_eq!(refused.verdict(), (403, "signed_url_not_allowed".into()), "{}", refused.text());
    }
    assert_eq!(place.sent(), Vec::<String>::new());
    let limits = json!({"limits": {"max_signed_url_hours": 1}});
    place.system.deed("PATCH", "/v1/gateway/organization", limits).await;
    for tail in ["signed-url", "extracted-text-signed-url"] {
        let path = format!("{document}/{tail}");
        let signed = place.ours("GET", &path, Value::Null).await;
        assert!(signed.status == 200 && signed.json().is_string(), "{}", signed.text());
        assert_eq!(place.theirs("GET", &path, Value::Null).await.status, 404);
    }
}

#[tokio::test]
async fn a11_forms_that_are_odd_are_not_sent_and_cost_nothing() {
    let place = Place::budgeted(100).await;
    let library = place.library(&place.ours).await;
    place.sent();
    for (what, form, status) in [
        ("two files", pdf().file("b.pdf", b"x"), 422),
        ("no file", Form::default(), 422),
        ("a field", pdf().field("library_id", "x"), 422),
        ("a file as text", Form::default().field("file", "x"), 422),
    ] {
        let answer = place.upload(&place.ours, &library, form).await;
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
    }
    let json = place.ours("POST", &format!("{library}/documents"), json!({"file": "x"})).await;
    assert_eq!(json.status, 415, "{}", json.text());
    assert_eq!((place.sent(), place.spent().await), (Vec::new(), 0));
}

#[tokio::test]
async fn c15_a_document_costs_what_upstream_says_that_it_took() {
    let place = Place::budgeted(100).await;
    let library = place.library(&place.ours).await;
    for content in [b"one".as_slice(), b"second", b"the third"] {
        place.document(&library, content).await;
    }
    assert!(place.billed() > 0);
    assert_eq!(place.spent().await, place.billed());
    let usage = "/v1/gateway/usage?group_by=endpoint,model&from=2026-11-21T00:00:00Z&to=2026-11-22T00:00:00Z";
    let usage = eventually(async || {
        let usage = place.system.get(&place.system.admin_key, usage).await.json();
        (usage["data"][0]["requests"] == 3).then_some(usage)
    })
    .await;
    let (pages, tokens) = place.system.simulator.documents_billed();
    let row = &usage["data"][0];
    assert_eq!(
        (&row["endpoint"], &row["model"], &row["pages"], &row["input_tokens"]),
        (&json!("libraries"), &json!("mistral-libraries"), &json!(pages), &json!(tokens)),
        "{usage}"
    );
    assert_eq!(verify::verify(&place.system.store).await.unwrap(), []);
    let models = place.system.get(&place.ours, "/v1/models").await;
    assert!(!models.text().contains("mistral-libraries"), "what only has a price is no model");
    assert_eq!(place.system.get(&place.ours, "/v1/models/mistral-libraries").await.status, 404);
}

#[tokio::test]
async fn c15_what_is_read_later_is_charged_at_its_worst_and_made_good() {
    read_later(false).await;
}

#[tokio::test]
async fn what_was_changed_and_deleted_in_one_microsecond_is_not_what_was_read() {
    for postgres in [false, true] {
        let place = Place::with(Setup { postgres, ..Setup::default() }).await;
        let library = place.library(&place.ours).await;
        let document = place.document(&library, b"one").await;
        let id = |path: &str| path.rsplit_once('/').unwrap().1.to_owned();
        let store = &place.system.store;
        let shelf = Shelf {
            organization_id: organizations::list(store).await.unwrap()[0].id,
            workspace_id: WorkspaceId::parse(&place.system.workspace).unwrap(),
            kind: ObjectKind::Document,
            parent: &id(&library),
        };
        let read = objects::find(store, shelf, &id(&document)).await.unwrap().unwrap();
        assert!(objects::describe(store, &read, "{}", read.changed_at).await.unwrap());
        assert!(objects::delete(store, read.id, read.changed_at).await.unwrap());
        assert!(!objects::finish(store, &read).await.unwrap(), "else it would not be looked at again");
        assert!(!objects::describe(store, &read, "{}", read.changed_at).await.unwrap());
    }
}

async fn read_later(postgres: bool) {
    let hold = |config: &mut louver_simulator::Config| config.hold_documents = true;
    let models = vec![tariff(false)];
    let place = Place::with(Setup { models, upstream: Some(hold), postgres, ..Setup::default() }).await;
    place.limit(json!({"monthly_budget_usd": 100})).await;
    let library = place.library(&place.ours).await;
    let document = place.document(&library, b"one").await;
    assert_eq!(place.spent().await, WORST);
    let half = place.billed();
    place.settles_at(half).await;
    // Lists show what is known, which is written down right after the money.
    eventually(async || {
        let list = place.ours("GET", &format!("{library}/documents"), Value::Null).await.json();
        (list["data"][0]["process_status"] == "done").then_some(())
    })
    .await;
    // Read anew, it costs anew; nobody need ask for it.
    let anew = place.ours("POST", &format!("{document}/reprocess"), Value::Null).await;
    assert_eq!(anew.status, 204, "{}", anew.text());
    assert_eq!(place.spent().await, half + WORST);
    assert_eq!(place.billed(), 2 * half);
    place.settles_at(2 * half).await;
    let adjustments = place.system.get(&place.system.admin_key, "/v1/gateway/adjustments").await.json();
    let reasons: Vec<&str> =
        adjustments["data"].as_array().unwrap().iter().map(|one| one["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["library", "library"]);
    // What is deleted once it is read is settled by what was known then.
    let other = place.document(&library, b"another").await;
    place.system.simulator.read_documents();
    assert_eq!(place.ours("DELETE", &other, Value::Null).await.status, 204);
    place.settles_at(place.billed()).await;
    // And one that is deleted unread stays charged: nobody says what it took.
    let before = place.billed();
    let unread = place.document(&library, b"unread").await;
    assert_eq!(place.ours("DELETE", &unread, Value::Null).await.status, 204);
    place.settles_at(before + WORST).await;
}

#[tokio::test]
async fn c15_settlement_on_postgres() {
    read_later(true).await;
}

#[tokio::test]
async fn c1_c7_what_the_budget_cannot_pay_at_its_worst_is_not_sent_and_refusals_are_free() {
    let place = Place::budgeted(5).await;
    let library = place.library(&place.ours).await;
    for (fault, status) in
        [(Fault::Status { status: 422, retry_after: None, body: None }, 422), (Fault::EchoCredential, 502)]
    {
        place.system.simulator.script(fault);
        let answer = place.upload(&place.ours, &library, pdf()).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(!answer.text().contains(UPSTREAM_KEY));
        assert_eq!(place.spent().await, 0);
    }
    // It may have been read all the same.
    place.system.simulator.script(Fault::Status { status: 500, retry_after: None, body: None });
    assert_eq!(place.upload(&place.ours, &library, pdf()).await.status, 500);
    assert_eq!(place.spent().await, WORST);
    place.sent();
    let refused = place.upload(&place.ours, &library, pdf()).await;
    assert_eq!(refused.verdict(), (429, "budget_exhausted".into()), "{}", refused.text());
    assert_eq!((place.sent(), place.spent().await), (Vec::new(), WORST));
    let list = place.ours("GET", &format!("{library}/documents"), Value::Null).await.json();
    assert_eq!(list["data"], json!([]), "b18: what was not confirmed is seen by nobody");
}

#[tokio::test]
async fn c1_a_large_document_is_taken_to_hold_what_its_size_can() {
    let bytes = vec![b'a'; 5_000_000];
    let worst = 1_221 * PAGE + 5_000_000 * TOKEN;
    let dollars = |nanos: i64| u64::try_from(nanos).unwrap() / 1_000_000_000;
    let form = || Form::default().file("a.txt", &bytes);
    for (budget, status) in [(dollars(worst), 429), (dollars(worst) + 1, 201)] {
        assert!(dollars(WORST) < budget, "a small one could be paid");
        let place = Place::budgeted(budget).await;
        let library = place.library(&place.ours).await;
        place.sent();
        let answer = place.upload(&place.ours, &library, form()).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(place.sent().is_empty(), status == 429);
    }
}

#[tokio::test]
async fn c5_who_hangs_up_owns_and_pays_what_was_made() {
    let place = Place::budgeted(100).await;
    let library = place.library(&place.ours).await;
    place.system.simulator.script(Fault::Delay { ms: 300 });
    let call = pdf().request(&format!("{library}/documents"), &place.ours);
    let before = place.system.simulator.calls();
    let address = place.system.address;
    let task = tokio::spawn(async move { open(address, call).await.into_body().collect().await.is_ok() });
    eventually(async || (place.system.simulator.calls() > before).then_some(())).await;
    task.abort();
    eventually(async || {
        let list = place.ours("GET", &format!("{library}/documents"), Value::Null).await.json();
        (list["data"].as_array().unwrap().len() == 1).then_some(())
    })
    .await;
    eventually(async || (place.spent().await == place.billed()).then_some(())).await;
}

#[tokio::test]
async fn c15_without_a_price_nothing_is_read_under_a_budget_not_even_the_body() {
    let place = Place::new().await;
    let library = place.library(&place.ours).await;
    let document = place.document(&library, b"without a budget").await;
    place.limit(json!({"monthly_budget_usd": 100})).await;
    place.sent();
    let head = format!(
        "POST {library}/documents HTTP/1.1\r\nhost: louver.test\r\nauthorization: Bearer {}\r\ncontent-type: \
         multipart/form-data; boundary={BOUNDARY}\r\ncontent-length: 100000000\r\nconnection: close\r\n\r\n",
        place.ours
    );
    let answer = raw(place.system.address, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("unbounded_cost"), "{answer}");
    let anew = place.ours("POST", &format!("{document}/reprocess"), Value::Null).await;
    assert_eq!(anew.verdict(), (403, "unbounded_cost".into()), "{}", anew.text());
    assert_eq!((place.sent(), place.spent().await), (Vec::new(), 0));
}

#[tokio::test]
async fn c15_sound_is_charged_by_the_second_and_needs_a_price() {
    let place = Place::budgeted(100).await;
    let library = place.library(&place.ours).await;
    place.sent();
    for form in [Form::default().file("a.wav", &wav(61)), Form::default().file("a.pdf", &wav(61))] {
        let refused = place.upload(&place.ours, &library, form).await;
        assert_eq!(refused.verdict(), (403, "unbounded_cost".into()), "{}", refused.text());
    }
    assert_eq!(place.sent(), Vec::<String>::new());
    let place = Place::with(Setup { models: vec![tariff(true)], ..Setup::default() }).await;
    place.limit(json!({"monthly_budget_usd": 100})).await;
    let library = place.library(&place.ours).await;
    let made = place.upload(&place.ours, &library, Form::default().file("a.wav", &wav(61))).await;
    assert_eq!(made.status, 201, "{}", made.text());
    // Its header counts as sound.
    assert_eq!(place.spent().await, place.billed() + 62 * SECOND);
}

#[tokio::test]
async fn the_endpoint_is_a_permission() {
    let place = Place::new().await;
    let (elsewhere, _) = place.system.key(json!({"allowed_endpoints": ["chat.completions"]})).await;
    for (method, path) in [("GET", PATH), ("POST", PATH), ("GET", "/v1/libraries/x/documents")] {
        let answer = place.call(&elsewhere, method, path, Value::Null).await;
        assert_eq!(answer.status, 403, "{}", answer.text());
    }
    assert_eq!(place.sent(), Vec::<String>::new());
}
