//! Fine-tuned models: the one workspace whose own they are manages them, and pays each month that they are kept.

use louver_domain::time::Clock;
use louver_proving::client::{Answer, request, send};
use louver_proving::system::{Setup, System, eventually};
use louver_simulator::Tuned;
use louver_store::ledger::{storage, verify};
use serde_json::{Value, json};

const OURS: &str = "ft:mistral-small:ours";
const THEIRS: &str = "ft:mistral-small:theirs";
const BASE: &str = "mistral-small-2603";
const SECONDS_OF_31_DAYS: i64 = 31 * 24 * 60 * 60;

struct Place {
    system: System,
    ours: String,
    theirs: String,
}

impl Place {
    async fn new(price: Value) -> Self {
        Self::on(false, price).await
    }

    async fn on(postgres: bool, price: Value) -> Self {
        let tuned = |config: &mut louver_simulator::Config| {
            for id in [OURS, THEIRS] {
                config.tuned.push(Tuned { id: id.into(), root: BASE.into(), bearer: None });
            }
        };
        let system = System::with(Setup { upstream: Some(tuned), postgres, ..Setup::default() }).await;
        let people = json!([{"email": "ann@example.com", "first_name": "ann", "last_name": ""}]);
        let ann = system.deed("POST", "/v1/admin/users", people).await;
        let team = json!({"name": "team", "admin_user_id": ann["email_to_user_id"]["ann@example.com"]});
        let team =
            system.deed("POST", "/v1/admin/workspaces", team).await["uuid"].as_str().unwrap().to_owned();
        let theirs = system.key(json!({"workspace_id": team})).await.0;
        let ours = system.key(json!({})).await.0;
        let models = system.get(&system.admin_key, "/v1/gateway/models").await.json();
        let mut list: Vec<Value> = models["data"].as_array().or(models["models"].as_array()).unwrap().clone();
        for entry in &mut list {
            entry.as_object_mut().unwrap().retain(|name, _| !matches!(name.as_str(), "object" | "unpriced"));
        }
        for (id, owner) in [(OURS, &system.workspace), (THEIRS, &team)] {
            list.push(
                json!({"id": id, "aliases": [id.replace("ft:", "own-")], "family": "tuned", "name": id,
                "context": 1000, "endpoints": ["chat.completions"], "status": "active", "workspace_id": owner,
                "prices": [price]}),
            );
        }
        system.deed("PUT", "/v1/gateway/models", json!({"models": list})).await;
        Self { system, ours, theirs }
    }

    async fn call(&self, key: &str, method: &str, path: &str, body: Value) -> Answer {
        let body = (!body.is_null()).then(|| body.to_string().into_bytes());
        send(self.system.address, request(method, path, key, body.as_deref())).await
    }

    fn sent(&self) -> Vec<String> {
        let sent = self.system.simulator.ledger();
        let sent = sent.iter().map(|entry| format!("{} {}", entry.method, entry.target)).collect();
        self.system.simulator.clear();
        sent
    }

    async fn spent(&self) -> i64 {
        eventually(async || {
            let budgets = self.system.get(&self.system.admin_key, "/v1/gateway/budgets").await.json();
            let budget = &budgets["data"][0];
            let nanos = (budget["spent"].as_f64()? * 1e9).round() as i64;
            (budget["reserved"] == 0).then_some(nanos)
        })
        .await
    }
}

fn tokens() -> Value {
    json!({"effective_from": "2026-01-01T00:00:00Z", "input_usd_per_mtok": 1, "output_usd_per_mtok": 1})
}

#[tokio::test]
async fn a_fine_tuned_model_is_shown_renamed_archived_and_deleted_by_its_workspace() {
    for postgres in [false, true] {
        managed(Place::on(postgres, tokens()).await).await;
    }
}

async fn managed(place: Place) {
    let path = format!("/v1/models/{OURS}");
    let card = place.call(&place.ours, "GET", &path, Value::Null).await;
    assert_eq!(
        (card.status.as_u16(), &card.json()["type"], &card.json()["root"]),
        (200, &json!("fine-tuned"), &json!(BASE)),
        "{}",
        card.text()
    );
    let managed = format!("/v1/fine_tuning/models/{OURS}");
    let renamed = place.call(&place.ours, "PATCH", &managed, json!({"description": "ours"})).await;
    assert_eq!(renamed.json()["description"], "ours", "{}", renamed.text());
    assert_eq!(renamed.json()["workspace_id"], json!(place.system.workspace), "f4");
    let archive = format!("{managed}/archive");
    assert_eq!(place.call(&place.ours, "POST", &archive, Value::Null).await.json()["archived"], true);
    assert_eq!(place.call(&place.ours, "DELETE", &archive, Value::Null).await.json()["archived"], false);
    assert_eq!(place.system.chat(&place.ours, OURS).await.status, 200);
    place.sent();
    // By another of its names: what goes upstream is the id.
    let alias = format!("/v1/models/{}", OURS.replace("ft:", "own-"));
    let deleted = place.call(&place.ours, "DELETE", &alias, Value::Null).await;
    assert_eq!(deleted.json(), json!({"id": OURS, "object": "model", "deleted": true}), "{}", deleted.text());
    assert_eq!(place.sent(), [format!("DELETE /v1/models/{OURS}")]);
    let chat = place.system.chat(&place.ours, OURS).await;
    assert_eq!(chat.verdict(), (403, "model_not_allowed".into()), "from the answer on: {}", chat.text());
    assert_eq!(place.call(&place.ours, "GET", &path, Value::Null).await.status, 404);
    assert_eq!(place.call(&place.ours, "DELETE", &path, Value::Null).await.status, 404);
    assert!(!place.system.get(&place.ours, "/v1/models").await.text().contains(OURS));
    assert_eq!(place.sent(), Vec::<String>::new());
    let audit =
        place.system.get(&place.system.admin_key, &format!("/v1/gateway/audit?target_id={OURS}")).await;
    let events = audit.json()["data"].as_array().unwrap().clone();
    assert_eq!(events.len(), 1, "{}", audit.text());
    let shown = place.system.get(&place.system.admin_key, &format!("/v1/gateway/models/{OURS}")).await.json();
    assert_eq!(shown["status"], "retired");
}

#[tokio::test]
async fn a13_a10_nobody_touches_a_model_that_is_not_his_own() {
    let place = Place::new(tokens()).await;
    let own = place.call(&place.theirs, "GET", &format!("/v1/models/{THEIRS}"), Value::Null).await;
    assert_eq!(own.status, 200, "{}", own.text());
    place.sent();
    let unknown = place.call(&place.theirs, "DELETE", "/v1/models/nobody", Value::Null).await;
    for (key, id) in
        [(&place.theirs, OURS), (&place.ours, THEIRS), (&place.ours, BASE), (&place.ours, "nobody")]
    {
        let managed = format!("/v1/fine_tuning/models/{id}");
        for (method, path, body) in [
            ("DELETE", format!("/v1/models/{id}"), Value::Null),
            ("PATCH", managed.clone(), json!({"name": "mine"})),
            ("POST", format!("{managed}/archive"), Value::Null),
            ("DELETE", format!("{managed}/archive"), Value::Null),
        ] {
            let answer = place.call(key, method, &path, body).await;
            assert_eq!(answer.verdict(), (404, "not_found".into()), "{method} {path}: {}", answer.text());
            assert_eq!(answer.json()["message"], unknown.json()["message"], "{method} {path}");
        }
        if id != BASE {
            assert_eq!(place.call(key, "GET", &format!("/v1/models/{id}"), Value::Null).await.status, 404);
            assert_eq!(place.system.chat(key, id).await.verdict(), (403, "model_not_allowed".into()));
        }
    }
    for body in [json!({"name": 7}), json!({"archived": true}), json!([])] {
        let path = format!("/v1/fine_tuning/models/{OURS}");
        let answer = place.call(&place.ours, "PATCH", &path, body.clone()).await;
        assert_eq!(answer.verdict(), (422, "invalid_request".into()), "{body}");
    }
    let (elsewhere, _) = place.system.key(json!({"allowed_endpoints": ["chat.completions", "models"]})).await;
    let refused = place.call(&elsewhere, "DELETE", &format!("/v1/models/{OURS}"), Value::Null).await;
    assert_eq!(refused.status, 403, "{}", refused.text());
    assert_eq!(place.sent(), Vec::<String>::new());
    assert_eq!(place.system.simulator.tuned_models().len(), 2);
}

#[tokio::test]
async fn a_kept_model_costs_each_month_once_whoever_counts() {
    for postgres in [false, true] {
        let mut price = tokens();
        price["usd_per_month_kept"] = json!(2);
        kept(Place::on(postgres, price).await).await;
    }
}

async fn kept(place: Place) {
    let limits = format!("/v1/gateway/workspaces/{}/limits", place.system.workspace);
    place.system.deed("PATCH", &limits, json!({"monthly_budget_usd": 100})).await;
    let of_ours = async |months: usize| {
        let path = "/v1/gateway/adjustments?limit=100";
        let all = place.system.get(&place.system.admin_key, path).await.json();
        let of = |id: &str| {
            let data = all["data"].as_array().unwrap();
            data.iter().filter(|one| one["model"] == id && one["reason"] == "storage").count()
        };
        ((of(OURS), of(THEIRS)) == (months, months)).then_some(())
    };
    eventually(async || of_ours(1).await).await;
    let second = place.system.second_node().await;
    assert_eq!(storage::charge(&place.system.store, place.system.clock.now()).await.unwrap(), 0);
    assert_eq!(place.system.chat(&place.ours, BASE).await.status, 200);
    let chat = place.system.simulator.ledger().pop().unwrap().billed;
    let of_chat = (chat.input() * 150 + chat.completion * 600) as i64;
    assert_eq!(place.spent().await, 2_000_000_000 + of_chat, "the budget of the workspace knows");
    place.system.clock.advance(SECONDS_OF_31_DAYS);
    eventually(async || of_ours(2).await).await;
    // One that is gone is not kept.
    let gone = place.call(&place.ours, "DELETE", &format!("/v1/models/{OURS}"), Value::Null).await;
    assert_eq!(gone.status, 200, "{}", gone.text());
    place.system.clock.advance(SECONDS_OF_31_DAYS);
    eventually(async || {
        let all = place.system.get(&place.system.admin_key, "/v1/gateway/adjustments?limit=100").await.json();
        (all["data"].as_array().unwrap().len() == 5).then_some(())
    })
    .await;
    assert_eq!(verify::verify(&place.system.store).await.unwrap(), []);
    second.stop().await;
}
