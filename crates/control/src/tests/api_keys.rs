//! API keys in Mistral's shapes.

use super::{House, house};
use louver_domain::roles::{MEMBER, WORKSPACE_CONTRIBUTOR};
use serde_json::{Value, json};

const PATH: &str = "/v1/admin/api-keys";

async fn listed(house: &House, query: &str) -> Vec<String> {
    let answer = house.get(&format!("{PATH}?{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    let keys = answer.json()["keys"].as_array().unwrap().clone();
    keys.iter().map(|key| key["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_key_is_made_listed_and_deleted() {
    let house = house().await;
    let ann = house.somebody("ann@example.com", &[MEMBER], &[(house.workspace, WORKSPACE_CONTRIBUTOR)]).await;
    let body = |name: Value, day: Value| {
        json!({"name": name, "expiration": day, "workspace_uuid": house.workspace, "user_id": ann.id})
            .to_string()
    };
    let made = house.make(PATH, &body(json!("Équipe 50%_a"), json!("2026-12-01"))).await;
    let secret = made["key"].as_str().unwrap().to_owned();
    let end = &secret[secret.len() - 4..];
    let id = made["key_id"].as_str().unwrap().to_owned();
    assert_eq!(
        made,
        json!({
            "key_id": id, "key": secret, "name": "Équipe 50%_a", "hidden_key": format!("lvr_...{end}"),
            "created_at": "2026-11-21T02:31:58Z", "expiration_date": "2026-12-01",
            "actions": {"rotate": {"status": "unavailable", "reason": "unsupported_scope"}, "delete": {"status": "available"}},
        })
    );
    let stored = house.get(&format!("/v1/api-keys/{id}")).await.json();
    assert_eq!(stored["expires_at"], "2026-12-02T00:00:00Z", "through the whole day");
    assert_eq!(stored["owner_user_id"], json!(ann.id));
    let list = house.get(PATH).await.json();
    let key = &list["keys"][0];
    assert_eq!(
        (&key["key"], &key["last_used"], &key["product"]),
        (&json!(null), &json!(null), &json!("API"))
    );
    assert_eq!((&key["created_by"], &key["can_delete"]), (&json!("first"), &json!(true)), "{key}");
    assert_eq!(key["workspace_id"], json!(house.workspace));
    assert!(key["workspace_name"].is_string());

    house.pass_seconds(1);
    let unnamed = house.make(PATH, &body(json!(null), json!(null))).await;
    assert_eq!(
        (&unnamed["name"], &unnamed["expiration_date"]),
        (&json!("API key of 2026-11-21"), &json!(null))
    );
    house.pass_seconds(1);
    let last = house.make(PATH, &body(json!("last"), json!("9999-12-31"))).await;
    assert!(last["expiration_date"].is_string());
    house.pass_seconds(1);
    assert_eq!(
        house.make(PATH, &body(json!("today"), json!("2026-11-21"))).await["expiration_date"],
        "2026-11-21"
    );
    for (query, names) in [
        ("name=equipe", vec!["Équipe 50%_a"]),
        ("name=50%25_A", vec!["Équipe 50%_a"]),
        ("name=5%25", vec![]),
        ("name=_", vec!["Équipe 50%_a"]),
        ("name=null&limit=2", vec!["Équipe 50%_a", "API key of 2026-11-21"]),
        ("limit=1&offset=2", vec!["last"]),
        ("limit=1000000000000000000000000000&offset=-4&name=LAST", vec!["last"]),
        ("limit=0", vec![]),
        ("limit=-7", vec![]),
        ("offset=99999999999999999999999999", vec![]),
        ("offset=99999999999999999999999999&name=last", vec![]),
    ] {
        assert_eq!(listed(&house, query).await, names, "{query}");
    }
    assert_eq!(listed(&house, &format!("name={}", end.to_lowercase())).await, ["Équipe 50%_a"]);
    assert_eq!(listed(&house, &format!("name={}", end.to_uppercase())).await, ["Équipe 50%_a"]);
    assert_eq!(listed(&house, &format!("name={}", &end[..3])).await, Vec::<String>::new());

    let gone = house.call("DELETE", &format!("{PATH}/{id}"), "").await;
    assert_eq!((gone.status.as_u16(), gone.json()["detail"].is_string()), (200, true));
    assert_eq!(house.call("DELETE", &format!("{PATH}/{id}"), "").await.status, 404);
    assert_eq!(listed(&house, "name=equipe").await, Vec::<String>::new());
    assert_eq!(listed(&house, &format!("name={end}")).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_does_not_fit_is_told_apart_from_what_is_not_there() {
    let house = house().await;
    let ann = house.somebody("ann@example.com", &[MEMBER], &[(house.workspace, WORKSPACE_CONTRIBUTOR)]).await;
    let unknown = "11111111-1111-4111-8111-111111111111";
    let good = json!({"name": "a", "workspace_uuid": house.workspace, "user_id": ann.id});
    for (field, value, status) in [
        ("workspace_uuid", json!(unknown), 404),
        ("user_id", json!(unknown), 404),
        ("workspace_uuid", json!("x"), 422),
        ("expiration", json!("2026-11-20"), 409),
        ("expiration", json!("0001-01-01"), 409),
        ("expiration", json!("2026-02-30"), 422),
        ("name", json!(""), 422),
        ("name", json!("x".repeat(256)), 422),
        ("scope", json!("x"), 422),
    ] {
        let mut body = good.clone();
        body[field] = value.clone();
        let answer = house.call("POST", PATH, &body.to_string()).await;
        assert_eq!(answer.status, status, "{field} {value}: {}", answer.text);
    }
    for id in [unknown, "x"] {
        assert_eq!(house.call("DELETE", &format!("{PATH}/{id}"), "").await.status, 404);
    }
    let policy = format!("/v1/gateway/workspaces/{}/limits", house.workspace);
    assert_eq!(house.call("PATCH", &policy, r#"{"max_key_lifetime_days":10}"#).await.status, 200);
    let clamped = house.make(PATH, &good.to_string()).await;
    assert_eq!(clamped["expiration_date"], "2026-12-01");
    let neighbour = house.neighbour().await;
    let theirs = house.call_as(&neighbour, "POST", PATH, &good.to_string()).await;
    assert_eq!(theirs.status, 404);
    let list = house.call_as(&neighbour, "GET", PATH, "").await.json();
    assert_eq!(list, json!({"keys": []}));
    let id = clamped["key_id"].as_str().unwrap();
    assert_eq!(house.call_as(&neighbour, "DELETE", &format!("{PATH}/{id}"), "").await.status, 404);
}
