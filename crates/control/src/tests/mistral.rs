//! Workspaces in Mistral's own shapes.

use super::house;
use serde_json::json;

#[tokio::test]
async fn workspaces_in_mistrals_shapes() {
    let house = house().await;
    let body = r#"[{"email":"ann@example.org","first_name":"Ann","last_name":"Lee"}]"#;
    let made = house.make("/v1/admin/users", body).await;
    let ann = made["email_to_user_id"]["ann@example.org"].as_str().unwrap().to_owned();

    let body = json!({"name": "ml", "description": "d", "admin_user_id": ann, "add_all_org_members": true})
        .to_string();
    let workspace = house.make("/v1/admin/workspaces", &body).await;
    assert_eq!(
        (&workspace["name"], &workspace["raw_role"], &workspace["is_default"]),
        (&json!("ml"), &json!("A"), &json!(false))
    );
    let list = house.get("/v1/admin/workspaces?page_size=1&page=2").await.json();
    assert_eq!(
        (&list["total"], &list["object"], &list["items"][0]["name"]),
        (&json!(2), &json!("list"), &json!("ml"))
    );
    assert_eq!(house.get("/v1/admin/workspaces?search=M").await.json()["total"], 1);
    let foreign = json!({"name": "x", "admin_user_id": house.workspace}).to_string();
    let refused = house.call("POST", "/v1/admin/workspaces", &foreign).await;
    assert_eq!(
        (refused.status.as_u16(), refused.json()["detail"][0]["loc"][1].clone()),
        (422, json!("admin_user_id"))
    );
    assert_eq!(house.get("/v1/admin/workspaces").await.json()["total"], 2, "nothing was made");
    for bad in ["page=0", "page_size=0", "is_archived=2"] {
        assert_eq!(house.get(&format!("/v1/admin/workspaces?{bad}")).await.status, 422, "{bad}");
    }
}
