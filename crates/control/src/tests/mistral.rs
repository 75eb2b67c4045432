//! People in Mistral's own shapes.

use super::house;
use serde_json::json;

#[tokio::test]
async fn people_in_mistrals_shapes() {
    let house = house().await;
    let body = r#"[{"email":"Ann@example.org","first_name":"Ann","last_name":"Lee"},{"email":"nonsense","first_name":"","last_name":""}]"#;
    let made = house.make("/v1/admin/users", body).await;
    assert_eq!(made["invalid_emails"], json!(["nonsense"]));
    let ann = made["email_to_user_id"]["ann@example.org"].as_str().unwrap().to_owned();
    let again = house.call("POST", "/v1/admin/users", body).await;
    assert_eq!((again.status.as_u16(), again.json()["detail"].is_string()), (409, true));
    let admin = r#"[{"email":"b@example.org","first_name":"","last_name":"","role":"A"}]"#;
    let refused = house.call("POST", "/v1/admin/users", admin).await;
    assert_eq!(
        (refused.status.as_u16(), refused.json()["detail"][0]["loc"].clone()),
        (422, json!(["body", 0, "role"]))
    );
    let people = house.get("/v1/admin/users?email=ANN").await.json();
    assert_eq!(
        (&people["total"], &people["page"], &people["page_size"], &people["invites"]),
        (&json!(1), &json!(1), &json!(25), &json!([]))
    );
    assert_eq!(
        (&people["members"][0]["uuid"], &people["members"][0]["name"]),
        (&json!(ann), &json!("Ann Lee"))
    );
}
