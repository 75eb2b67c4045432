//! The bounds of pages, and searches for what a pattern would take for more than text.

use super::{House, house};
use serde_json::{Value, json};

const KEYS: &str = "/v1/admin/api-keys";
const USERS: &str = "/v1/admin/users";
const WORKSPACES: &str = "/v1/admin/workspaces";
const GROUPS: &str = "/v1/admin/user-groups";

#[tokio::test]
async fn a_page_is_never_longer_than_the_longest_and_says_how_long_it_may_be() {
    let house = house().await;
    for path in [USERS, WORKSPACES, GROUPS] {
        for size in ["0", "-1", "-1000000000000000000000", "", "1e3", "1.0", "%2B1"] {
            let answer = house.get(&format!("{path}?page_size={size}")).await;
            assert_eq!(answer.status, 422, "{path} {size}: {}", answer.text);
        }
    }
    for size in ["1000", "1001", "1000000000", "99999999999999999999999999"] {
        for path in [USERS, WORKSPACES] {
            let answer = house.get(&format!("{path}?page_size={size}")).await;
            assert_eq!((answer.status.as_u16(), &answer.json()["page_size"]), (200, &json!(1000)), "{path}");
        }
        // Here Mistral's document names a largest size.
        assert_eq!(house.get(&format!("{GROUPS}?page_size={size}")).await.status, 422, "{size}");
    }
}

/// Makes a thing of that name in each list that can be searched.
async fn add(house: &House, name: &str) {
    house.make("/v1/api-keys", &json!({"name": name}).to_string()).await;
    house.make(GROUPS, &json!({"name": name}).to_string()).await;
    let admin = house.person(&format!("{name}@example.org"), &["member"]).await;
    let place = json!({"name": name, "description": "", "icon": "", "admin_user_id": admin, "add_all_org_members": false});
    house.make(WORKSPACES, &place.to_string()).await;
}

/// The names or addresses that a search finds.
async fn found(house: &House, path: &str, word: &str, list: &str, field: &str) -> Vec<String> {
    let page = house.get(&format!("{path}={word}")).await.json();
    let text = |item: &Value| item[field].as_str().unwrap().trim_end_matches("@example.org").to_owned();
    page[list].as_array().unwrap().iter().map(text).collect()
}

#[tokio::test]
async fn what_is_searched_for_is_text_in_every_list() {
    let house = house().await;
    for name in ["a%b", "a_b", "axb"] {
        add(&house, name).await;
    }
    for (word, wanted) in [
        ("%25", vec!["a%b"]),
        ("A%25", vec!["a%b"]),
        ("%25%25", vec![]),
        ("_", vec!["a_b"]),
        ("a_b", vec!["a_b"]),
        ("%5C", vec![]),
        ("%5C%25", vec![]),
        ("%5C_", vec![]),
        ("'", vec![]),
        ("a*", vec![]),
    ] {
        for (path, list, field) in [
            (format!("{KEYS}?name"), "keys", "name"),
            (format!("{USERS}?email"), "members", "email"),
            (format!("{WORKSPACES}?search"), "items", "name"),
            (format!("{GROUPS}?search"), "items", "name"),
        ] {
            assert_eq!(found(&house, &path, word, list, field).await, wanted, "{path}={word}");
        }
    }
}
