//! What the provider keeps, over the admin API: seen, adopted, released.

use super::house;
use serde_json::{Value, json};

const PATH: &str = "/v1/gateway/objects";

#[tokio::test]
async fn a_file_is_adopted_by_one_workspace_at_a_time() {
    let house = house().await;
    let body = |id: &str| json!({"kind": "file", "upstream_id": id, "workspace_id": house.workspace, "name": "a.pdf"});
    let made = house.make(PATH, &body("file-1").to_string()).await;
    assert_eq!(
        (&made["state"], &made["kind"], &made["key_id"]),
        (&json!("live"), &json!("file"), &json!(null))
    );
    assert_eq!(house.audit().await[0].action, "object.adopt");
    assert_eq!(house.call("POST", PATH, &body("file-1").to_string()).await.status, 409);
    house.clock.0.fetch_add(1_000_000, std::sync::atomic::Ordering::Relaxed);
    house.make(PATH, &body("file-2").to_string()).await;
    let ids = |list: &Value| -> Vec<String> {
        list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["upstream_id"].as_str().unwrap().to_owned())
            .collect()
    };
    let list = house.get(PATH).await.json();
    assert_eq!(ids(&list), ["file-2", "file-1"], "newest first");
    let page = house.get(&format!("{PATH}?limit=1")).await.json();
    assert_eq!((ids(&page), &page["has_more"]), (vec!["file-2".to_owned()], &json!(true)));
    let after = page["data"][0]["id"].as_str().unwrap();
    assert_eq!(ids(&house.get(&format!("{PATH}?after={after}")).await.json()), ["file-1"]);
    for (query, count) in [("kind=file", 2), ("kind=agent", 0), ("state=live", 2), ("state=deleted", 0)] {
        assert_eq!(
            house.get(&format!("{PATH}?{query}")).await.json()["data"].as_array().unwrap().len(),
            count
        );
    }
    let path = format!("{PATH}/{}", made["id"].as_str().unwrap());
    assert_eq!(house.call("DELETE", &path, "").await.json()["deleted"], true);
    assert_eq!(house.audit().await[0].action, "object.release");
    assert_eq!(house.call("DELETE", &path, "").await.status, 409);
    assert_eq!(ids(&house.get(&format!("{PATH}?state=deleted")).await.json()), ["file-1"]);
    let again = house.make(PATH, &body("file-1").to_string()).await;
    assert_eq!((&again["id"], &again["state"]), (&made["id"], &json!("live")));
}

#[tokio::test]
async fn what_must_be_known_of_an_object_is_not_guessed() {
    let house = house().await;
    for (change, param) in [
        (json!({"kind": "agent"}), "kind"),
        (json!({"kind": "conversation"}), "kind"),
        (json!({"kind": "batch_job"}), "kind"),
        (json!({"kind": "library"}), "kind"),
        (json!({"kind": "document"}), "kind"),
        (json!({"kind": "thing"}), "kind"),
        (json!({"upstream_id": "../agents"}), "upstream_id"),
        (json!({"upstream_id": ".."}), "upstream_id"),
        (json!({"upstream_id": ""}), "upstream_id"),
        (json!({"workspace_id": "0190a0a0-0000-7000-8000-000000000000"}), "workspace_id"),
        (json!({"credential_id": "0190a0a0-0000-7000-8000-000000000000"}), "credential_id"),
        (json!({"colour": "red"}), "colour"),
    ] {
        let mut body = json!({"kind": "file", "upstream_id": "file-1", "workspace_id": house.workspace});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let answer = house.call("POST", PATH, &body.to_string()).await;
        assert_eq!(answer.refused(), (422, param.into()), "{change}: {}", answer.text);
    }
    assert_eq!(house.get(PATH).await.json()["data"], json!([]));
}
