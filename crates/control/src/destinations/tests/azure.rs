//! Azure: a token for an application, and a secret that is set once.

use super::*;
use serde_json::json;

async fn served() -> (Fake, Arc<Mutex<Vec<String>>>) {
    let values: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&values);
    let fake = Fake::start(move |asked| {
        let mut values = kept.lock().unwrap();
        let id = |version: usize| format!("https://v.example.com/secrets/louver-key-01/v{version}");
        match asked.line.as_str() {
            "POST /tenant-1/oauth2/v2.0/token" => {
                let form = "grant_type=client_credentials&client_id=app-1&client_secret=canary%26secret%3D~\
                            &scope=https%3A%2F%2Fvault.azure.net%2F.default";
                assert_eq!(asked.body, form);
                assert_eq!(asked.header("content-type"), "application/x-www-form-urlencoded");
                (200, json!({"access_token": "canary-token"}))
            }
            _ if asked.header("authorization") != "Bearer canary-token" => (401, json!({})),
            "GET /secrets/louver-key-01?api-version=7.4" => match values.last() {
                Some(value) => (200, json!({"value": value, "id": id(values.len())})),
                None => (404, json!({"error": {"code": "SecretNotFound"}})),
            },
            "PUT /secrets/louver-key-01?api-version=7.4" => {
                let body = asked.json();
                assert_eq!(body["tags"], json!({"louver_key_id": "key_01", "louver_rotation_id": "rot_01"}));
                values.push(body["value"].as_str().unwrap().to_owned());
                (200, json!({"value": body["value"], "id": id(values.len())}))
            }
            other => panic!("{other}"),
        }
    })
    .await;
    (fake, values)
}

fn settings(fake: &Fake) -> Value {
    json!({"kind": "azure", "address": fake.url, "tenant_id": "tenant-1", "client_id": "app-1",
        "location": "louver-{id}", "token_endpoint": fake.url})
}

#[tokio::test]
async fn a_secret_is_set_once_and_read() {
    let (_folder, control) = control().await;
    let (fake, values) = served().await;
    let to = destination(&control, settings(&fake), &[("client_secret", "canary&secret=~")]);
    assert_eq!(get(&control, &to).await, Ok(None));
    assert_eq!(put(&control, &to).await, Ok(Some("v1".into())));
    assert_eq!(put(&control, &to).await, Ok(Some("v1".into())));
    values.lock().unwrap().push("theirs".into());
    assert_eq!(put(&control, &to).await, Ok(Some("v3".into())));
    assert_eq!(get(&control, &to).await, Ok(Some(SECRET.into())));
    assert_eq!(
        remove_at(&control, &to, "louver-key-01").await,
        Ok(false),
        "its name would be taken for weeks"
    );
}

#[tokio::test]
async fn what_was_deleted_there_is_said() {
    let (_folder, control) = control().await;
    let fake = Fake::start(|asked| match asked.line.split(' ').next().unwrap() {
        "POST" => (200, json!({"access_token": "canary-token"})),
        "GET" => (404, json!({})),
        _ => (409, json!({"error": {"code": "Conflict"}})),
    })
    .await;
    let to = destination(&control, settings(&fake), &[("client_secret", "x")]);
    assert!(put(&control, &to).await.unwrap_err().sentence().contains("purged"));
    let fake = Fake::start(|_| (400, json!({"error": "invalid_client"}))).await;
    let to = destination(&control, settings(&fake), &[("client_secret", "x")]);
    assert_eq!(put(&control, &to).await, Err(DestinationError::Answered(403)));
}
