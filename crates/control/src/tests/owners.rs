//! Owners of keys are told by mail what they alone can put right, besides the channels.

use super::invitations::{by_mail, mail_server};
use super::{House, house_with};
use crate::alerting;
use crate::delivery::deliver_due;
use crate::key_watch::{Told, look};
use louver_domain::alerts::{AlertKind, KeyAlert};
use louver_domain::id::KeyId;
use serde_json::{Value, json};

/// A person with a key of their own that expires in six days; the ids of both.
async fn owned(house: &House) -> (String, String) {
    let person = house.person("ann@example.org", &["member"]).await;
    house.place(&house.workspace.to_string(), &person).await;
    let body = json!({"name": "anns", "owner_user_id": person, "expires_at": "2026-11-27T02:31:58Z"});
    let made = house.make("/v1/api-keys", &body.to_string()).await;
    (person, made["id"].as_str().unwrap().to_owned())
}

async fn alerts(house: &House) -> Vec<Value> {
    house.get("/v1/gateway/alerts").await.json()["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn the_owner_is_mailed_once_and_again_when_the_server_was_down() {
    let (port, mails) = mail_server(1).await;
    let house = house_with(by_mail(port)).await;
    let (person, _) = owned(&house).await;
    // Somebody else's and nobody's keys are told to channels alone.
    house.make("/v1/api-keys", r#"{"name": "nobodys", "expires_at": "2026-11-27T02:31:58Z"}"#).await;
    let mut told = Told::new();
    for _ in 0..2 {
        look(&house.control, &mut told).await.unwrap();
        look(&house.control, &mut Told::new()).await.unwrap();
    }
    assert_eq!(deliver_due(&house.control).await.unwrap(), 1);
    let find = async |name: &str| alerts(&house).await.into_iter().find(|one| one["name"] == name).unwrap();
    assert_eq!(find("nobodys").await["deliveries"], json!([]));
    let tried = find("anns").await["deliveries"][0].clone();
    assert_eq!(
        (&tried["state"], &tried["last_error"]),
        (&json!("pending"), &json!("the mail server did not take it"))
    );
    assert_eq!(
        (&tried["user_id"].as_str().unwrap(), &tried["user_email"]),
        (&person.as_str(), &json!("ann@example.org"))
    );
    assert_eq!(
        (&tried["channel_id"], &tried["channel_name"], &tried["kind"]),
        (&Value::Null, &Value::Null, &json!("email"))
    );
    house.pass_seconds(6);
    assert_eq!(deliver_due(&house.control).await.unwrap(), 1);
    assert_eq!(find("anns").await["deliveries"][0]["state"], "delivered");
    let mail = mails.lock().unwrap().concat();
    for words in
        ["To: ann@example.org", "Subject: [Louver] the api key anns expires soon", "because the key is yours"]
    {
        assert!(mail.contains(words), "{words}: {mail}");
    }
    house.pass_days(1);
    assert_eq!(deliver_due(&house.control).await.unwrap(), 0, "once");
}

#[tokio::test]
async fn who_has_left_gets_none_and_without_a_mail_server_there_is_none() {
    let (port, mails) = mail_server(0).await;
    let house = house_with(by_mail(port)).await;
    let (person, _) = owned(&house).await;
    look(&house.control, &mut Told::new()).await.unwrap();
    let gone = house.call("DELETE", &format!("/v1/admin/users/{person}"), "").await;
    assert!(gone.status.is_success(), "{}", gone.text);
    deliver_due(&house.control).await.unwrap();
    let one = alerts(&house).await[0]["deliveries"][0].clone();
    assert_eq!(
        (&one["state"], &one["last_error"]),
        (&json!("failed"), &json!("the owner of the key has left"))
    );
    assert!(mails.lock().unwrap().is_empty());

    let house = super::house().await;
    owned(&house).await;
    look(&house.control, &mut Told::new()).await.unwrap();
    assert_eq!(alerts(&house).await[0]["deliveries"], json!([]), "nobody could send it");
}

#[tokio::test]
async fn of_what_the_owner_cannot_put_right_only_channels_are_told() {
    let (port, _) = mail_server(0).await;
    let house = house_with(by_mail(port)).await;
    let (_, key) = owned(&house).await;
    let now = house.control.clock.now();
    for (kind, mails) in [
        (AlertKind::RotationDue, 1),
        (AlertKind::OldSecretUsed, 1),
        (AlertKind::KeyUnused, 1),
        (AlertKind::RotationDone, 0),
        (AlertKind::RotationStuck, 0),
        (AlertKind::CanaryUsed, 0),
    ] {
        let about = KeyAlert {
            kind,
            organization_id: house.organization,
            scope: "api_key",
            id: KeyId::parse(&key).unwrap().bytes(),
            name: "anns",
            days: None,
            starts: now,
            ends: now,
        };
        alerting::raise_of_key(&house.control, about).await.unwrap();
        let raised = alerts(&house).await.into_iter().find(|one| one["kind"] == kind.as_str()).unwrap();
        assert_eq!(raised["deliveries"].as_array().unwrap().len(), mails, "{raised}");
    }
}
