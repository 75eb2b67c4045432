//! Rotation policies read one by one and in pages, and changed only as they were read.

use super::{Answer, House, house};
use axum::body::Body;
use louver_domain::roles::{MEMBER, WORKSPACE_ADMIN};
use serde_json::{Value, json};

const POLICIES: &str = "/v1/gateway/rotation-policies";

impl House {
    async fn put_policy(&self, tag: Option<&str>, body: &Value) -> Answer {
        let mut request = self.request("PUT", POLICIES).header("x-api-key", &self.admin);
        if let Some(tag) = tag {
            request = request.header("if-match", tag);
        }
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }
}

fn tag(answer: &Answer) -> String {
    answer.headers["etag"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_policy_is_changed_only_as_it_was_read() {
    let house = house().await;
    let key = house.make("/v1/api-keys", r#"{"name": "k"}"#).await["id"].as_str().unwrap().to_owned();
    let places = [
        ("organization", format!("{POLICIES}/organization"), house.organization.to_string()),
        ("workspace", format!("{POLICIES}/workspaces/{}", house.workspace), house.workspace.to_string()),
        ("key", format!("{POLICIES}/keys/{key}"), key.clone()),
    ];
    for (scope, path, id) in places {
        let nothing = house.get(&path).await;
        assert_eq!((nothing.status.as_u16(), nothing.json()["period_days"].is_null()), (200, true), "{path}");
        let body = |days: u32| json!({"scope": scope, "scope_id": id, "period_days": days});
        let first = house.put_policy(Some(&tag(&nothing)), &body(90)).await;
        assert_eq!(
            (first.status.as_u16(), &first.json()["period_days"]),
            (200, &json!(90)),
            "{}",
            first.text
        );
        assert_eq!(
            house.put_policy(Some(&tag(&nothing)), &body(30)).await.status,
            412,
            "it says something now"
        );
        let read = house.get(&path).await;
        assert_eq!((tag(&read), read.json()), (tag(&first), first.json()));
        assert_eq!(house.put_policy(None, &body(30)).await.status, 200);
        assert_eq!(house.put_policy(Some(&tag(&read)), &body(60)).await.status, 412);
        assert_eq!(house.put_policy(Some("*"), &body(60)).await.status, 200);
    }
    for missing in [
        "keys/018f0000-0000-7000-8000-000000000001",
        "workspaces/018f0000-0000-7000-8000-000000000001",
        "keys/x",
        "teams/x",
    ] {
        assert_eq!(house.get(&format!("{POLICIES}/{missing}")).await.status, 404, "{missing}");
    }
}

#[tokio::test]
async fn policies_come_in_pages() {
    let house = house().await;
    for number in 0..5 {
        let key = house.make("/v1/api-keys", &json!({"name": format!("k{number}")}).to_string()).await;
        house.put_policy(None, &json!({"scope": "key", "scope_id": key["id"], "period_days": 9})).await;
    }
    let (mut from, mut sizes, mut seen) = (String::new(), vec![], std::collections::BTreeSet::new());
    loop {
        let page = house.get(&format!("{POLICIES}?limit=2{from}")).await.json();
        let data = page["data"].as_array().unwrap();
        sizes.push(data.len());
        seen.extend(data.iter().map(|policy| policy["scope_id"].to_string()));
        from = format!("&after={}", data.last().unwrap()["scope_id"].as_str().unwrap());
        if page["has_more"] == false {
            break;
        }
    }
    assert_eq!((sizes, seen.len()), (vec![2, 2, 1], 5));
    assert_eq!(house.get(&format!("{POLICIES}?after=nothing")).await.status, 422);
    assert_eq!(house.get(&format!("{POLICIES}?limit=0")).await.status, 422);
}

#[tokio::test]
async fn a_policy_is_seen_where_its_place_is() {
    let house = house().await;
    let (open, far) = (house.workspace("open", None).await, house.workspace("far", None).await);
    let ann = house.somebody("ann@example.com", &[MEMBER], &[(open, WORKSPACE_ADMIN)]).await;
    for (path, status) in [
        (format!("workspaces/{open}"), 200),
        (format!("workspaces/{far}"), 404),
        ("organization".to_owned(), 403),
    ] {
        let answer = house.call_as(&ann.secret, "GET", &format!("{POLICIES}/{path}"), "").await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
    }
}
