//! The audit of keys in pages that never look at all of them, and secrets that leaked.

use super::{House, house};
use louver_domain::access::{Action, Actor, decide};
use louver_domain::id::KeyId;
use louver_domain::keys::{ApiKey, PublicId};
use louver_store::keys;
use serde_json::{Value, json};

const AUDIT: &str = "/v1/gateway/keys/audit";
const REPORT: &str = "/v1/gateway/keys/report-leak";

/// Makes that many keys that expire, as rows.
async fn many(house: &House, many: u32) {
    let made = house.make("/v1/api-keys", r#"{"name": "first", "expires_at": "2030-01-01T00:00:00Z"}"#).await;
    let id = KeyId::parse(made["id"].as_str().unwrap()).unwrap();
    let first = keys::get(&house.control.store, house.organization, id).await.unwrap().unwrap();
    let permit =
        decide(&Actor::system(house.organization), Action::CreateApiKey, house.organization).unwrap();
    let mut tx = house.control.store.begin().await.unwrap();
    for number in 1..many {
        let key = ApiKey {
            id: KeyId::new(house.control.clock.now(), &*house.control.entropy),
            public_id: PublicId::parse(&format!("k{number:011}")).unwrap(),
            name: format!("key-{number}"),
            ..first.clone()
        };
        keys::insert(&mut tx, &permit, &key).await.unwrap();
    }
    crate::actions::commit_all(
        &house.control,
        &house.system(),
        tx,
        vec![crate::actions::Deed::on(permit, id, "first")],
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn an_audit_looks_at_so_many_keys_at_a_time_and_says_where_it_goes_on() {
    let house = house().await;
    many(&house, 10_100).await;
    house.make("/v1/api-keys", r#"{"name": "endless"}"#).await;
    let mut from = String::new();
    let (mut pages, mut found) = (0, Vec::new());
    loop {
        let page = house.get(&format!("{AUDIT}?finding=no_expiry{from}")).await.json();
        pages += 1;
        found.extend(page["data"].as_array().unwrap().iter().map(|key| key["name"].clone()));
        assert_eq!(page["has_more"], !page["next_after"].is_null());
        let Some(next) = page["next_after"].as_str() else { break };
        from = format!("&after={next}");
    }
    assert_eq!(
        (pages, found),
        (3, vec![json!("endless")]),
        "two pages of 5,000 with nothing on them, and the rest"
    );
    // Where much is found, pages are full, and neither lose a key nor show one twice.
    let mut from = String::new();
    let mut seen = std::collections::BTreeSet::new();
    let mut shown = 0;
    loop {
        let page = house.get(&format!("{AUDIT}?limit=999{from}")).await.json();
        let ids: Vec<String> = page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| key["id"].as_str().unwrap().to_owned())
            .collect();
        shown += ids.len();
        assert_eq!(
            page["next_after"].as_str(),
            ids.last().map(String::as_str).filter(|_| page["has_more"] == true)
        );
        seen.extend(ids);
        let Some(next) = page["next_after"].as_str() else { break };
        from = format!("&after={next}");
    }
    assert_eq!((seen.len(), shown), (10_101, 10_101));
}

async fn leaked(house: &House) -> (String, String) {
    let made = house.make("/v1/api-keys", r#"{"name": "spilt"}"#).await;
    let (id, secret) = (made["id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned());
    house.make(REPORT, &json!({"key": secret}).to_string()).await;
    (format!("/v1/api-keys/{id}"), secret)
}

#[tokio::test]
async fn a_key_whose_secret_leaked_is_enabled_only_with_a_new_one() {
    let house = house().await;
    let (path, secret) = leaked(&house).await;
    let enable = async || house.call("POST", &format!("{path}/enable"), "").await;
    let refused = enable().await;
    assert_eq!(refused.status, 409);
    let id = path.rsplit('/').next().unwrap();
    for said in ["leaked", &format!("POST {path}/rotate"), &format!("louver keys rotate {id} --overlap 0s")] {
        assert!(refused.text.replace('\\', "").contains(said), "{said}: {}", refused.text);
    }
    // With an overlap the old secret would work again.
    house.make(&format!("{path}/rotate"), r#"{"overlap": "2h"}"#).await;
    assert_eq!(enable().await.status, 409);
    let new = house.make(&format!("{path}/rotate"), r#"{"overlap": "0s"}"#).await;
    let shown: Value = house.make(&format!("{path}/enable"), "").await;
    assert_eq!(shown["status"], "active");
    assert_eq!((house.me(&secret).await, house.me(new["key"].as_str().unwrap()).await), (401, 200));
    // Off and on again as ever.
    house.make(&format!("{path}/disable"), "").await;
    house.make(&format!("{path}/enable"), "").await;
}

#[tokio::test]
async fn an_old_secret_that_leaked_is_gone_and_the_key_may_be_enabled() {
    let house = house().await;
    let made = house.make("/v1/api-keys", r#"{"name": "spilt"}"#).await;
    let path = format!("/v1/api-keys/{}", made["id"].as_str().unwrap());
    let new = house.make(&format!("{path}/rotate"), "").await;
    house.make(REPORT, &json!({"key": made["key"]}).to_string()).await;
    house.make(&format!("{path}/enable"), "").await;
    assert_eq!(house.me(made["key"].as_str().unwrap()).await, 401);
    assert_eq!(house.me(new["key"].as_str().unwrap()).await, 200);
}
