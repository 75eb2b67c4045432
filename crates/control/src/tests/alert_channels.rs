//! Alert channels: what goes in, what comes out, and what never does.

use super::{House, holds, house, house_with};
use crate::delivery::Outbound;
use crate::delivery::mail::{Mailer, SmtpSettings, SmtpTls};
use crate::delivery::targets::AllowedTargets;
use http::Request;
use serde_json::{Value, json};

const PATH: &str = "/v1/gateway/alert-channels";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// An outbound whose mail server is never reached.
fn with_mail() -> Outbound {
    let settings = SmtpSettings {
        host: "localhost".into(),
        port: 1,
        tls: SmtpTls::None,
        username: None,
        password: None,
        from: "louver@example.com".into(),
    };
    let mailer = Mailer::new(&settings).unwrap();
    Outbound::new(Some(mailer), AllowedTargets::default(), Outbound::default().tls)
}

async fn refused(house: &House, body: Value) -> (u16, String) {
    house.call("POST", PATH, &body.to_string()).await.refused()
}

fn with_id(made: &Value) -> String {
    format!("{PATH}/{}", made["id"].as_str().unwrap())
}

#[tokio::test]
async fn channels_of_each_kind_are_made_listed_changed_and_removed() {
    let house = house_with(with_mail()).await;
    let webhook =
        json!({"name": "a hook", "kind": "webhook", "url": "https://example.com/hook?token=telltale"});
    let webhook = house.make(PATH, &webhook.to_string()).await;
    let secret = webhook["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_") && secret.len() == 50, "{secret}");
    assert_eq!((&webhook["host"], &webhook["to"]), (&json!("example.com"), &json!(null)));
    let slack = json!({"name": "b slack", "kind": "slack", "url": "https://hooks.slack.com/services/telltale",
        "enabled": false});
    let slack = house.make(PATH, &slack.to_string()).await;
    assert_eq!((&slack["enabled"], slack.get("secret")), (&json!(false), None));
    let mail = json!({"name": "c mail", "kind": "email", "to": ["Ann@Example.org", "bob@example.org"]});
    let mail = house.make(PATH, &mail.to_string()).await;
    assert_eq!(mail["to"], json!(["ann@example.org", "bob@example.org"]));
    let list = house.get(PATH).await.json();
    let names: Vec<&str> =
        list["data"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a hook", "b slack", "c mail"]);
    let page = house.get(&format!("{PATH}?limit=1&after={}", webhook["id"].as_str().unwrap())).await.json();
    assert_eq!((&page["data"][0]["name"], &page["has_more"]), (&json!("b slack"), &json!(true)));
    let one = house.get(&with_id(&webhook)).await;
    assert_eq!(one.json().get("secret"), None, "shown once");
    let tag = one.headers["etag"].to_str().unwrap().to_owned();
    let patch =
        json!({"name": "hook", "url": "https://example.net:443/x", "secret": SECRET, "enabled": false});
    let conditional = |tag: &str| {
        house
            .request("PATCH", &with_id(&webhook))
            .header("if-match", tag.to_owned())
            .header("authorization", format!("Bearer {}", house.admin))
    };
    let body = || axum::body::Body::from(patch.to_string());
    let request: Request<_> = conditional("\"other\"").body(body()).unwrap();
    assert_eq!(house.send(request).await.status, 412);
    let changed = house.send(conditional(&tag).body(body()).unwrap()).await.json();
    assert_eq!(
        (&changed["name"], &changed["host"], &changed["enabled"]),
        (&json!("hook"), &json!("example.net"), &json!(false))
    );
    let to = json!({"to": ["eve@example.org"]}).to_string();
    assert_eq!(house.call("PATCH", &with_id(&mail), &to).await.json()["to"], json!(["eve@example.org"]));
    for made in [&webhook, &slack, &mail] {
        assert_eq!(house.call("DELETE", &with_id(made), "").await.json()["object"], "alert_channel.deleted");
        assert_eq!(house.call("DELETE", &with_id(made), "").await.status, 404);
    }
    let events = house.audit().await;
    let count = |action: &str| events.iter().filter(|event| event.action == action).count();
    let counts = ["create", "update", "delete"].map(|deed| count(&format!("alert_channel.{deed}")));
    assert_eq!(counts, [3, 2, 3]);
    let disk = house.disk().await;
    for telltale in ["telltale", &secret, SECRET] {
        assert!(!holds(&disk, telltale), "{telltale} is stored");
    }
}

#[tokio::test]
async fn what_does_not_make_sense_is_refused_by_name_and_not_repeated() {
    let house = house_with(with_mail()).await;
    let url = "https://example.com/telltale";
    for (body, field) in [
        (json!({"kind": "slack", "url": url}), "name"),
        (json!({"name": "a\u{202e}", "kind": "slack", "url": url}), "name"),
        (json!({"name": "a", "url": url}), "kind"),
        (json!({"name": "a", "kind": "sms", "url": url}), "kind"),
        (json!({"name": "a", "kind": "webhook"}), "url"),
        (json!({"name": "a", "kind": "webhook", "url": null}), "url"),
        (json!({"name": "a", "kind": "slack", "url": "http://example.com/telltale"}), "url"),
        (json!({"name": "a", "kind": "slack", "url": "https://169.254.169.254/telltale"}), "url"),
        (json!({"name": "a", "kind": "slack", "url": "https://user:telltale@example.com/"}), "url"),
        (json!({"name": "a", "kind": "slack", "url": "file:///telltale"}), "url"),
        (json!({"name": "a", "kind": "slack", "url": url, "secret": SECRET}), "secret"),
        (json!({"name": "a", "kind": "webhook", "url": url, "secret": ""}), "secret"),
        (json!({"name": "a", "kind": "webhook", "url": url, "secret": "whsec_"}), "secret"),
        (json!({"name": "a", "kind": "webhook", "url": url, "secret": "telltale"}), "secret"),
        (json!({"name": "a", "kind": "webhook", "url": url, "to": ["a@b"]}), "to"),
        (json!({"name": "a", "kind": "email"}), "to"),
        (json!({"name": "a", "kind": "email", "to": []}), "to"),
        (json!({"name": "a", "kind": "email", "to": "a@example.org"}), "to"),
        (json!({"name": "a", "kind": "email", "to": ["a@example.org", "telltale"]}), "to"),
        (json!({"name": "a", "kind": "email", "to": ["a@example.org\r\nBcc: b@c"]}), "to"),
        (json!({"name": "a", "kind": "email", "to": ["a,b@example.org"]}), "to"),
        (json!({"name": "a", "kind": "email", "to": ["a@example.org", "A@example.org"]}), "to"),
        (json!({"name": "a", "kind": "email", "to": vec!["a@example.org"; 51]}), "to"),
        (json!({"name": "a", "kind": "email", "to": ["a@example.org"], "url": url}), "url"),
        (json!({"name": "a", "kind": "slack", "url": url, "enabled": "yes"}), "enabled"),
        (json!({"name": "a", "kind": "slack", "url": url, "headers": {}}), "headers"),
    ] {
        assert_eq!(refused(&house, body.clone()).await, (422, field.into()), "{body}");
        assert!(!house.call("POST", PATH, &body.to_string()).await.text.contains("telltale"), "{body}");
    }
    let made = house.make(PATH, &json!({"name": "a", "kind": "slack", "url": url}).to_string()).await;
    for (patch, field) in [
        (json!({"kind": "webhook"}), "kind"),
        (json!({"secret": SECRET}), "secret"),
        (json!({"to": ["a@example.org"]}), "to"),
        (json!({"url": "https://localhost:1/"}), "url"),
        (json!({"url": null}), "url"),
        (json!({"enabled": null}), "enabled"),
    ] {
        let answer = house.call("PATCH", &with_id(&made), &patch.to_string()).await;
        assert_eq!(answer.refused(), (422, field.into()), "{patch}");
    }
    let twin = json!({"name": "a", "kind": "slack", "url": url}).to_string();
    assert_eq!(house.call("POST", PATH, &twin).await.status, 409);
    assert_eq!(house.get("/v1/gateway/alerts?after=x").await.refused(), (422, "after".into()));
    assert_eq!(house.get("/v1/gateway/alerts?kind=test").await.refused(), (422, "kind".into()));
}

#[tokio::test]
async fn mail_needs_a_mail_server() {
    let house = house().await;
    let body = json!({"name": "a", "kind": "email", "to": ["a@example.org"]});
    assert_eq!(refused(&house, body).await, (422, "kind".into()));
}

#[tokio::test]
async fn neighbours_see_and_touch_nothing() {
    let house = house().await;
    let made = house
        .make(PATH, &json!({"name": "a", "kind": "slack", "url": "https://example.com/"}).to_string())
        .await;
    house.make(&format!("{}/test", with_id(&made)), "").await;
    let neighbour = house.neighbour().await;
    for (method, path, body) in [
        ("GET", with_id(&made), ""),
        ("PATCH", with_id(&made), "{\"enabled\": false}"),
        ("DELETE", with_id(&made), ""),
        ("POST", format!("{}/test", with_id(&made)), ""),
    ] {
        assert_eq!(house.call_as(&neighbour, method, &path, body).await.status, 404, "{method} {path}");
        assert_eq!(house.call_as("lva_nobody", method, &path, body).await.status, 401, "{method} {path}");
    }
    for path in [PATH, "/v1/gateway/alerts"] {
        assert_eq!(house.call_as(&neighbour, "GET", path, "").await.json()["data"], json!([]), "{path}");
        assert_eq!(house.get(path).await.json()["data"].as_array().unwrap().len(), 1, "{path}");
    }
    assert_eq!(house.get(&with_id(&made)).await.json()["enabled"], true);
}
