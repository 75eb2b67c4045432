//! Fine-tuned models are listed, used, renamed, archived and deleted, each by its organization.

use super::*;
use crate::Tuned;

const ID: &str = "ft:mistral-small:xyz";

fn tuned(bearer: Option<&str>, separate: bool) -> Config {
    let bearer = bearer.map(str::to_owned);
    let tuned = vec![Tuned { id: ID.to_owned(), root: "mistral-small-2603".to_owned(), bearer }];
    Config { tuned, separate, ..config(1) }
}

#[tokio::test]
async fn a_fine_tuned_model_is_managed() {
    let served = serve(tuned(None, false)).await;
    let list = served.get("/v1/models").await.json();
    let card = list["data"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&card["id"], &card["type"], &card["root"]),
        (&json!(ID), &json!("fine-tuned"), &json!("mistral-small-2603"))
    );
    assert_eq!(served.get(&format!("/v1/models/{ID}")).await.json(), card);
    assert_eq!(served.chat(&ask(json!({"model": ID}))).await.json()["model"], ID);
    let path = format!("/v1/fine_tuning/models/{ID}");
    assert_eq!(
        served.call("PATCH", &path, &json!({"description": "ours"})).await.json()["description"],
        "ours"
    );
    let archived = served.post(&format!("{path}/archive"), &json!({})).await.json();
    assert_eq!(archived, json!({"id": ID, "object": "model", "archived": true}));
    assert_eq!(served.chat(&ask(json!({"model": ID}))).await.status, 400);
    assert_eq!(served.call("DELETE", &format!("{path}/archive"), &json!({})).await.json()["archived"], false);
    assert_eq!(served.chat(&ask(json!({"model": ID}))).await.status, 200);
    assert_eq!(served.simulator.tuned_models()[0].object["description"], "ours");
    let gone = served.call("DELETE", &format!("/v1/models/{ID}"), &json!({})).await.json();
    assert_eq!(gone, json!({"id": ID, "object": "model", "deleted": true}));
    assert_eq!(served.chat(&ask(json!({"model": ID}))).await.status, 400);
    assert_eq!(served.get(&format!("/v1/models/{ID}")).await.status, 404);
    assert_eq!(served.call("DELETE", "/v1/models/mistral-embed", &json!({})).await.status, 404);
}

#[tokio::test]
async fn a_fine_tuned_model_is_its_organizations_own() {
    let served = serve(tuned(Some("sk-other"), true)).await;
    let body = ask(json!({"model": ID}));
    assert_eq!(served.chat(&body).await.status, 400);
    assert_eq!(served.get(&format!("/v1/models/{ID}")).await.status, 404);
    assert_eq!(served.call_as("sk-other", "POST", "/v1/chat/completions", &body).await.status, 200);
}
