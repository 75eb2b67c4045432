//! Webhooks: one message for one secret, signed so that its receiver can tell.

use super::*;
use louver_domain::alert_channels::SigningSecret;
use serde_json::json;

const SIGNER: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[tokio::test]
async fn the_message_is_signed_and_keeps_its_id() {
    let (_folder, control) = control().await;
    let fake = Fake::start(|_| (204, json!(null))).await;
    let settings = json!({"kind": "webhook", "url": format!("{}/keys?x=1", fake.url)});
    let to = destination(&control, settings, &[("secret", SIGNER)]);
    assert_eq!(put(&control, &to).await, Ok(None));
    assert_eq!(put(&control, &to).await, Ok(None));
    let old = Secret::new("the one before".to_owned());
    write(&control, &to, &parcel(&old)).await.ok().unwrap();
    let asked = fake.asked();
    assert!(asked.iter().all(|asked| asked.line == "POST /keys?x=1"));
    let ids: Vec<&str> = asked.iter().map(|asked| asked.header("webhook-id")).collect();
    assert!(ids[0] == ids[1] && ids[1] != ids[2], "{ids:?}");
    let time = asked[0].header("webhook-timestamp").parse().unwrap();
    assert_eq!(time, Noon.now().seconds());
    let signature = SigningSecret::parse(SIGNER).unwrap().sign(ids[0], time, asked[0].body.as_bytes());
    assert_eq!(asked[0].header("webhook-signature"), signature);
    let told = asked[0].json();
    assert_eq!(told["type"], "api_key.secret");
    let wanted = json!({"key_id": "key_01", "name": "prod", "workspace": "team", "rotation_id": "rot_01",
        "secret": SECRET, "created_at": "2026-11-21T12:00:00Z"});
    assert_eq!(told["data"], wanted);
    assert_eq!(get(&control, &to).await, Ok(None), "it cannot be read");
}

#[tokio::test]
async fn a_receiver_that_says_no_is_believed() {
    let (_folder, control) = control().await;
    for (status, again) in [(500, true), (404, false), (302, false)] {
        let fake = Fake::start(move |_| (status, json!(null))).await;
        let to = destination(&control, json!({"kind": "webhook", "url": fake.url}), &[("secret", SIGNER)]);
        let refused = put(&control, &to).await.unwrap_err();
        assert_eq!((&refused, refused.is_retryable()), (&DestinationError::Answered(status), again));
    }
}
