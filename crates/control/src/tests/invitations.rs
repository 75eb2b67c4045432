//! Invitations: sent, sent anew, taken back, and taken up once by their link.

use super::{Answer, House, holds, house, house_with};
use crate::delivery::mail::{Mailer, SmtpSettings, SmtpTls};
use crate::delivery::targets::AllowedTargets;
use crate::delivery::{Outbound, deliver_due};
use axum::body::Body;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

const INVITE: &str = "/v1/admin/users-invite";
const LIST: &str = "/v1/gateway/invitations";
const ACCEPT: &str = "/v1/gateway/invitations/accept";

async fn invite(house: &House, email: &str) -> Value {
    house.make(INVITE, &json!({"email": email}).to_string()).await
}

/// The secret part of the link that is listed first.
async fn token(house: &House) -> String {
    let listed = house.get(LIST).await.json();
    let link = listed["data"][0]["link"].as_str().unwrap_or_else(|| panic!("{listed}"));
    link.strip_prefix("http://127.0.0.1:8080/invitations/").unwrap().to_owned()
}

/// Without any key.
async fn open(house: &House, method: &str, path: &str, form: bool, body: &str) -> Answer {
    let kind = if form { "application/x-www-form-urlencoded" } else { "application/json" };
    let request = house.request(method, path).header("content-type", kind);
    house.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

async fn accept(house: &House, token: &str) -> Answer {
    open(house, "POST", ACCEPT, false, &json!({"token": token, "first_name": "Ann"}).to_string()).await
}

#[tokio::test]
async fn an_invitation_is_listed_until_it_is_taken_up() {
    let house = house().await;
    house.person("bob@example.org", &["member"]).await;
    let emails = "ann@example.org, nonsense\nBob@example.org,,ANN@example.org\r\n a b@c";
    let body = json!({"email": emails, "role_names": ["billing_manager"], "workspace_uuids": [house.workspace.to_string()],
        "email_language": "fr", "subscription_types": ["CHAT"], "subscription_seat_automatic_granting": true});
    let sent = house.make(INVITE, &body.to_string()).await;
    assert_eq!(
        sent,
        json!({"invalid_emails": ["nonsense", "a b@c"], "already_members": ["Bob@example.org"], "invited_members_count": 1})
    );
    let listed = house.get(INVITE).await.json();
    assert_eq!((&listed[0]["email"], listed.as_array().unwrap().len()), (&json!("ann@example.org"), 1));
    let own = house.get(LIST).await.json()["data"][0].clone();
    assert_eq!(
        (&own["mail"], &own["role_names"], &own["expired"], &own["workspaces"]),
        (
            &json!("not_set_up"),
            &json!(["billing_manager"]),
            &json!(false),
            &json!([house.workspace.to_string()])
        )
    );
    let token = token(&house).await;
    assert!(token.len() == 43 && !holds(&house.disk().await, &token), "only sealed on disk");

    let answer = accept(&house, &token).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let (id, name) = (answer.json()["user_id"].clone(), answer.json()["organization_name"].clone());
    assert_eq!(name, "Example");
    let shown = house.get(&format!("/v1/admin/users/{}", id.as_str().unwrap())).await.json();
    assert_eq!(
        (&shown["name"], &shown["email"], &shown["workspaces"][0]["name"]),
        (&json!("Ann"), &json!("ann@example.org"), &json!("default"))
    );
    assert_eq!(house.get(INVITE).await.json(), json!([]));
    let log = house.audit().await;
    let (actions, actors): (Vec<&str>, Vec<&str>) =
        log[..3].iter().map(|event| (event.action.as_str(), event.actor_name.as_str())).unzip();
    assert_eq!(actions, ["organization.invite.accepted", "workspace.member.add", "user.organization.join"]);
    assert_eq!(actors, ["ann@example.org"; 3]);
    let again = accept(&house, &token).await;
    assert_eq!((again.status.as_u16(), again.json()["message"].clone()), (404, json!("not found")));
    assert!(!house.audit().await.iter().any(|event| format!("{event:?}").contains(&token)));
}

#[tokio::test]
async fn a_link_that_is_not_good_is_not_there() {
    let house = house().await;
    invite(&house, "ann@example.org").await;
    let first = token(&house).await;
    house.pass_seconds(60);
    assert_eq!(invite(&house, "ANN@example.org").await["invited_members_count"], 1);
    assert_eq!(house.audit().await[0].action, "organization.invite.resend");
    let second = token(&house).await;
    assert_ne!(first, second);
    let wrong = second.chars().rev().collect::<String>();
    for bad in [first.as_str(), wrong.as_str(), "", "x", &"a".repeat(5000)] {
        assert_eq!(accept(&house, bad).await.status, 404);
    }
    house.pass_days(7);
    assert_eq!(accept(&house, &second).await.status, 404, "expired");
    let listed = house.get(LIST).await.json()["data"][0].clone();
    assert_eq!((&listed["expired"], &listed["link"]), (&json!(true), &Value::Null));
    assert_eq!(house.get("/v1/admin/users").await.json()["invites"][0]["expired"], true);

    invite(&house, "ann@example.org").await;
    let third = token(&house).await;
    let id = house.get(INVITE).await.json()[0]["invite_uuid"].as_str().unwrap().to_owned();
    let theirs = house.neighbour().await;
    let path = format!("{INVITE}/{id}");
    assert_eq!(house.call_as(&theirs, "DELETE", &path, "").await.status, 404);
    assert_eq!(
        house.call("DELETE", &path, "").await.json()["message"],
        "Organization invitation deleted successfully"
    );
    assert_eq!(house.call("DELETE", &path, "").await.status, 404);
    assert_eq!(accept(&house, &third).await.status, 404, "taken back");
    assert_eq!(house.get("/v1/admin/users").await.json()["total"], 0);

    invite(&house, "ann@example.org").await;
    let fourth = token(&house).await;
    house.person("ann@example.org", &["member"]).await;
    assert_eq!(accept(&house, &fourth).await.status, 404, "a member already");
    assert_eq!(house.get(INVITE).await.json(), json!([]));
}

#[tokio::test]
async fn bodies_are_judged_as_the_document_says() {
    let house = house().await;
    let unknown = house.organization.to_string();
    for (body, wanted) in [
        (json!({"email": ""}), 200),
        (json!({"email": "\u{0}"}), 200),
        (json!({"email": "x".repeat(300)}), 200),
        (json!({"email": "a@b", "roles": null, "workspace_uuids": []}), 200),
        (json!({"email": "a@b", "roles": ["A"], "role_names": ["member"]}), 422),
        (json!({"email": "a@b", "workspace_uuids": [unknown]}), 404),
        (json!({"email": "a@b", "workspace_uuids": ["x"]}), 422),
        (json!({"email": null}), 422),
        (json!({}), 422),
        (json!({"email": "a@b", "x": 1}), 422),
    ] {
        let answer = house.call("POST", INVITE, &body.to_string()).await;
        assert_eq!(answer.status, wanted, "{body}: {}", answer.text);
    }
    assert_eq!(house.call("DELETE", &format!("{INVITE}/x"), "").await.status, 404);
}

#[tokio::test]
async fn nobody_invites_to_what_he_does_not_hold_or_reads_such_a_link() {
    let house = house().await;
    let permissions = ["organization.invite.send", "organization.invite.resend", "organization.invite.read"];
    let role = json!({"name": "hosts", "level": "organization", "permissions": permissions}).to_string();
    house.make("/v1/gateway/custom-roles", &role).await;
    let host = house.person("host@example.org", &["hosts", "member"]).await;
    let hosts = house.key_of(&host).await;
    house.make(INVITE, r#"{"email":"boss@example.org","role":"A"}"#).await;
    let listed = house.call_as(&hosts, "GET", LIST, "").await.json();
    assert_eq!(listed["data"][0]["link"], Value::Null, "an admin's link is for admins");
    for (body, wanted) in [
        (json!({"email": "a@example.org", "role": "A"}), 403),
        (json!({"email": "boss@example.org", "role": "M"}), 403),
        (json!({"email": "a@example.org", "workspace_uuids": [house.workspace.to_string()]}), 404),
        (json!({"email": "a@example.org"}), 200),
    ] {
        let answer = house.call_as(&hosts, "POST", INVITE, &body.to_string()).await;
        assert_eq!(answer.status, wanted, "{body}: {}", answer.text);
    }
    let listed = house.call_as(&hosts, "GET", LIST, "").await.json();
    assert!(listed["data"][0]["link"].is_string());
    assert_eq!(house.call_as(&hosts, "GET", &format!("{LIST}?limit=0"), "").await.status, 422);
}

#[tokio::test]
async fn the_page_changes_nothing_until_it_is_posted() {
    let house = house().await;
    house.call("PATCH", "/v1/gateway/organization", r#"{"name":"<b>R&D</b>"}"#).await;
    invite(&house, "ann@example.org").await;
    let token = token(&house).await;
    let path = format!("/invitations/{token}");
    for shown in [&path, "/invitations/wrong"] {
        let page = open(&house, "GET", shown, false, "").await;
        assert_eq!(page.status, 200, "whether a link is good is not told");
        assert!(
            page.text.contains("<form method=\"post\">")
                && !page.text.contains(&token)
                && !page.text.contains("<script")
        );
        for (name, value) in [
            ("content-security-policy", "default-src 'none'"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("content-type", "text/html"),
        ] {
            assert!(page.headers[name].to_str().unwrap().starts_with(value), "{name}");
        }
    }
    assert_eq!(house.get("/v1/admin/users").await.json()["members"], json!([]));
    let fault = open(&house, "POST", &path, true, "first_name=a%00b").await;
    assert_eq!(fault.status, 422);
    assert!(fault.text.contains("first name") && fault.text.contains("<form"), "{}", fault.text);
    assert_eq!(open(&house, "POST", &path, false, "{}").await.status, 422);
    assert_eq!(open(&house, "POST", "/invitations/wrong", true, "first_name=A").await.status, 404);
    let nameless = open(&house, "POST", &path, true, "first_name=&last_name=L").await;
    assert_eq!(
        (nameless.status.as_u16(), nameless.text.contains("<form")),
        (422, true),
        "the link is still good"
    );
    assert_eq!(open(&house, "DELETE", &path, false, "").await.status, 405);

    let done = open(&house, "POST", &path, true, "first_name=+Ann+&last_name=L%C3%A9e&more=1").await;
    assert_eq!(done.status, 200, "{}", done.text);
    let organization =
        house.get("/v1/gateway/organization").await.json()["name"].as_str().unwrap().to_owned();
    assert_eq!(
        done.text.contains("&lt;b&gt;R&amp;D&lt;/b&gt;"),
        organization.contains("<b>"),
        "{}",
        done.text
    );
    assert!(!done.text.contains("<b>"));
    let member = house.get("/v1/admin/users").await.json()["members"][0].clone();
    assert_eq!(member["name"], "Ann Lée");
    assert_eq!(open(&house, "POST", &path, true, "first_name=A").await.status, 404, "it works once");
}

/// A mail server that takes mails, and the mails; it refuses the first `refusals`.
pub(super) async fn mail_server(refusals: usize) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, mails) = (listener.local_addr().unwrap().port(), Arc::new(Mutex::new(vec![])));
    let taken = Arc::clone(&mails);
    tokio::spawn(async move {
        let mut left = refusals;
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            stream.write_all(b"220 here\r\n").await.unwrap();
            let (mut line, mut mail, mut within) = (String::new(), String::new(), false);
            while stream.read_line(&mut line).await.unwrap_or(0) > 0 {
                let said = std::mem::take(&mut line);
                let answer = match (within, said.trim_end()) {
                    (true, ".") => {
                        within = false;
                        taken.lock().unwrap().push(std::mem::take(&mut mail));
                        "250 taken\r\n"
                    }
                    (true, _) => {
                        mail.push_str(&said);
                        continue;
                    }
                    (false, "DATA") if left > 0 => {
                        left -= 1;
                        "451 later\r\n"
                    }
                    (false, "DATA") => {
                        within = true;
                        "354 go on\r\n"
                    }
                    (false, _) => "250 ok\r\n",
                };
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    break;
                }
            }
        }
    });
    (port, mails)
}

pub(super) fn by_mail(port: u16) -> Outbound {
    let mailer = Mailer::new(&SmtpSettings {
        host: "127.0.0.1".into(),
        port,
        tls: SmtpTls::None,
        username: None,
        password: None,
        from: "Louver <louver@example.com>".into(),
    });
    let outbound = Outbound::new(Some(mailer.unwrap()), AllowedTargets::default(), Outbound::default().tls);
    outbound.reached_at("https://louver.example.com".into());
    outbound
}

#[tokio::test]
async fn a_mail_carries_the_link_and_a_failure_is_seen_and_tried_again() {
    let (port, mails) = mail_server(1).await;
    let house = house_with(by_mail(port)).await;
    invite(&house, "ann@example.org").await;
    let listed = || async { house.get(LIST).await.json()["data"][0].clone() };
    let before = listed().await;
    assert_eq!((&before["mail"], &before["link"]), (&json!("pending"), &Value::Null));
    assert_eq!(deliver_due(&house.control).await.unwrap(), 1);
    let failed = listed().await;
    assert_eq!(
        (&failed["mail"], &failed["mail_error"]),
        (&json!("pending"), &json!("the mail server did not take it"))
    );
    let link = failed["link"].as_str().unwrap().to_owned();
    assert_eq!(deliver_due(&house.control).await.unwrap(), 0, "not at once");
    house.pass_seconds(6);
    assert_eq!(deliver_due(&house.control).await.unwrap(), 1);
    let sent = listed().await;
    assert_eq!(
        (&sent["mail"], &sent["link"], &sent["mail_error"]),
        (&json!("sent"), &Value::Null, &Value::Null)
    );
    let mail = mails.lock().unwrap().concat().replace("=\r\n", "").replace("=3D", "=");
    assert!(mail.contains("To: ann@example.org") && mail.contains("join Example"), "{mail}");
    assert!(link.starts_with("https://louver.example.com/invitations/") && mail.contains(&link), "{mail}");
    house.pass_days(1);
    assert_eq!(deliver_due(&house.control).await.unwrap(), 0, "once");
    let token = link.rsplit('/').next().unwrap();
    assert_eq!(accept(&house, token).await.status, 200);
}

#[tokio::test]
async fn a_mail_that_nobody_takes_is_given_up_and_the_link_is_shown() {
    let (port, mails) = mail_server(usize::MAX).await;
    let house = house_with(by_mail(port)).await;
    invite(&house, "ann@example.org").await;
    for _ in 0..40 {
        deliver_due(&house.control).await.unwrap();
        house.pass_seconds(4_000);
    }
    let listed = house.get(LIST).await.json()["data"][0].clone();
    assert_eq!(listed["mail"], "failed");
    assert!(listed["link"].is_string() && mails.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_invitation_gives_no_more_than_its_sender_could_give_now() {
    let house = house().await;
    house.person("root@example.org", &["organization_admin"]).await;
    let ann = house.person("ann@example.org", &["organization_admin"]).await;
    let key = house.key_of(&ann).await;
    let send = async |email: &str| {
        let body = json!({"email": email, "role_names": ["organization_admin"]}).to_string();
        assert_eq!(house.call_as(&key, "POST", INVITE, &body).await.status, 200);
        token(&house).await
    };
    let path = format!("/v1/admin/users/{ann}");
    let to = |name: &str| json!({"role_names": [name]}).to_string();
    let first = send("new@example.org").await;
    assert_eq!(house.call("PATCH", &path, &to("member")).await.status, 200);
    assert_eq!(accept(&house, &first).await.status, 404, "ann could not send it now");
    assert_eq!(house.call("PATCH", &path, &to("organization_admin")).await.status, 200);
    assert_eq!(accept(&house, &first).await.status, 200);
    let second = send("other@example.org").await;
    assert_eq!(house.call("DELETE", &path, "").await.status, 200);
    assert_eq!(house.get(INVITE).await.json(), json!([]), "taken back with her");
    assert!(house.audit().await.iter().any(|event| event.action == "organization.invite.revoked"));
    assert_eq!(accept(&house, &second).await.status, 404);
}

#[tokio::test]
async fn only_who_could_give_its_workspaces_sends_an_invitation_anew() {
    let house = house().await;
    let body = json!({"name": "inviters", "level": "organization",
        "permissions": ["organization.invite.send", "organization.invite.resend"]});
    house.make("/v1/gateway/custom-roles", &body.to_string()).await;
    let ann = house.person("ann@example.org", &["member", "inviters"]).await;
    let key = house.key_of(&ann).await;
    let into = json!({"email": "new@example.org", "workspace_uuids": [house.workspace.to_string()]});
    house.make(INVITE, &into.to_string()).await;
    let before = token(&house).await;
    let again = house.call_as(&key, "POST", INVITE, r#"{"email":"new@example.org"}"#).await;
    assert!(matches!(again.status.as_u16(), 403 | 404), "{} {}", again.status, again.text);
    assert_eq!(token(&house).await, before);
    assert_eq!(house.call_as(&key, "POST", INVITE, r#"{"email":"free@example.org"}"#).await.status, 200);
}
