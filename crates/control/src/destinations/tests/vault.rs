//! Vault: what it is sent, two writers at the same time, and tokens of a role that are good no more.

use super::*;
use serde_json::json;

/// A KV engine with one secret.
#[derive(Default)]
struct Kv {
    data: Value,
    version: u64,
    /// How often it is changed by somebody else just before a write.
    others: u64,
    /// The token that is good now; they are good for so many requests.
    token: u64,
    uses: u64,
}

impl Kv {
    fn answer(&mut self, asked: &Asked) -> Says {
        if asked.line == "POST /v1/auth/approle/login" {
            assert_eq!(asked.json(), json!({"role_id": "role", "secret_id": "canary-secret-id"}));
            self.token += 1;
            self.uses = 0;
            return (200, json!({"auth": {"client_token": format!("token-{}", self.token)}}));
        }
        self.uses += 1;
        let wanted = format!("token-{}", self.token);
        if asked.header("x-vault-token") != wanted || (self.token > 0 && self.uses > 1) {
            return (403, json!({"errors": ["permission denied"]}));
        }
        match asked.line.as_str() {
            "GET /v1/kv/data/louver/team/key_01" if self.version == 0 => (404, json!({"errors": []})),
            "GET /v1/kv/data/louver/team/key_01" => {
                (200, json!({"data": {"data": self.data, "metadata": {"version": self.version}}}))
            }
            "POST /v1/kv/data/louver/team/key_01" => {
                if self.others > 0 {
                    self.others -= 1;
                    self.version += 1;
                    self.data["theirs"] = self.version.into();
                }
                let body = asked.json();
                if body["options"]["cas"] != self.version {
                    return (400, json!({"errors": ["check-and-set parameter did not match"]}));
                }
                self.version += 1;
                self.data = body["data"].clone();
                (200, json!({"data": {"version": self.version}}))
            }
            other => panic!("{other}"),
        }
    }
}

async fn served(kv: Kv) -> (Fake, Arc<Mutex<Kv>>) {
    let kv = Arc::new(Mutex::new(kv));
    let inner = Arc::clone(&kv);
    (Fake::start(move |asked| inner.lock().unwrap().answer(asked)).await, kv)
}

fn settings(fake: &Fake) -> Value {
    json!({"kind": "vault", "address": fake.url, "mount": "kv", "location": "louver/{workspace}/{id}",
        "namespace": "teams/a"})
}

const ROLE: [(&str, &str); 2] = [("role_id", "role"), ("secret_id", "canary-secret-id")];

#[tokio::test]
async fn a_secret_is_written_once_beside_what_is_there() {
    let (_folder, control) = control().await;
    let kv = Kv { data: json!({"user": "svc", "api_key": "old"}), version: 4, ..Kv::default() };
    let (fake, kv) = served(kv).await;
    let to = destination(&control, settings(&fake), &[("token", "token-0")]);
    assert_eq!(get(&control, &to).await, Ok(Some("old".into())));
    assert_eq!(put(&control, &to).await, Ok(Some("5".into())));
    assert_eq!(put(&control, &to).await, Ok(Some("5".into())), "written already");
    assert_eq!(get(&control, &to).await, Ok(Some(SECRET.into())));
    let data = kv.lock().unwrap().data.clone();
    let wanted =
        json!({"user": "svc", "api_key": SECRET, "louver_key_id": "key_01", "louver_rotation_id": "rot_01"});
    assert_eq!(data, wanted);
    assert!(fake.asked().iter().all(|asked| asked.header("x-vault-namespace") == "teams/a"));
}

#[tokio::test]
async fn nothing_there_is_no_secret_and_the_first_write_makes_it() {
    let (_folder, control) = control().await;
    let (fake, _) = served(Kv::default()).await;
    let to = destination(&control, settings(&fake), &[("token", "token-0")]);
    assert_eq!(get(&control, &to).await, Ok(None));
    assert_eq!(put(&control, &to).await, Ok(Some("1".into())));
}

#[tokio::test]
async fn others_who_write_at_the_same_time_lose_nothing() {
    let (_folder, control) = control().await;
    let (fake, kv) = served(Kv { data: json!({}), version: 1, others: 2, ..Kv::default() }).await;
    let to = destination(&control, settings(&fake), &[("token", "token-0")]);
    assert_eq!(put(&control, &to).await, Ok(Some("4".into())));
    assert_eq!(kv.lock().unwrap().data["theirs"], 3);
    let (fake, _) = served(Kv { data: json!({}), version: 1, others: 99, ..Kv::default() }).await;
    let to = destination(&control, settings(&fake), &[("token", "token-0")]);
    assert_eq!(put(&control, &to).await, Err(DestinationError::Contended));
}

#[tokio::test]
async fn a_role_logs_in_again_when_its_token_is_used_up() {
    let (_folder, control) = control().await;
    let (fake, kv) = served(Kv { data: json!({"api_key": "old"}), version: 1, ..Kv::default() }).await;
    let to = destination(&control, settings(&fake), &ROLE);
    assert_eq!(put(&control, &to).await, Ok(Some("2".into())));
    let logins = fake.lines().iter().filter(|line| line.contains("/login")).count();
    assert_eq!((logins, kv.lock().unwrap().token), (2, 2));
    // A token that was given is not made again.
    let to = destination(&control, settings(&fake), &[("token", "canary-token")]);
    let refused = put(&control, &to).await.unwrap_err();
    assert_eq!((&refused, refused.is_retryable()), (&DestinationError::Answered(403), false));
    assert!(!refused.sentence().contains("canary") && !refused.sentence().contains("denied"));
}

#[tokio::test]
async fn a_write_that_is_refused_for_another_reason_is_not_tried_for_ever() {
    let (_folder, control) = control().await;
    let fake = Fake::start(|asked| match asked.line.starts_with("GET") {
        true => (404, json!({"errors": []})),
        false => (400, json!({"errors": ["no"]})),
    })
    .await;
    let to = destination(&control, settings(&fake), &[("token", "token-0")]);
    assert_eq!(put(&control, &to).await, Err(DestinationError::Answered(400)));
    assert_eq!(fake.lines().len(), 3);
    let fake = Fake::start(|_| (200, json!({"data": []}))).await;
    let to = destination(&control, settings(&fake), &[("token", "token-0")]);
    assert_eq!(put(&control, &to).await, Err(DestinationError::Garbled));
}
