//! Google: an assertion that verifies, and versions that are added and read.

use super::*;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

/// A project with one secret.
#[derive(Default)]
struct Project {
    there: bool,
    versions: Vec<String>,
}

impl Project {
    fn answer(&mut self, asked: &Asked) -> Says {
        let secrets = "/v1/projects/acme/secrets";
        let (method, path) = asked.line.split_once(' ').unwrap();
        if asked.header("authorization") != "Bearer canary-token" {
            return (401, json!({}));
        }
        match (method, path.strip_prefix(secrets).unwrap()) {
            ("GET", "/louver-key_01/versions/latest:access") => match self.versions.last() {
                Some(data) => {
                    let name = format!("projects/1/secrets/louver-key_01/versions/{}", self.versions.len());
                    (200, json!({"name": name, "payload": {"data": data}}))
                }
                None => (404, json!({})),
            },
            ("POST", "?secretId=louver-key_01") => {
                assert_eq!(asked.json()["replication"], json!({"automatic": {}}));
                self.there = true;
                (200, json!({}))
            }
            ("POST", "/louver-key_01:addVersion") if self.there => {
                self.versions.push(asked.json()["payload"]["data"].as_str().unwrap().to_owned());
                (200, json!({"name": format!("projects/1/secrets/x/versions/{}", self.versions.len())}))
            }
            ("POST", "/louver-key_01:addVersion") => (404, json!({})),
            ("DELETE", "/louver-key_01") => {
                *self = Self::default();
                (200, json!({}))
            }
            other => panic!("{other:?}"),
        }
    }
}

async fn served() -> (Fake, Arc<Mutex<Project>>) {
    let project = Arc::new(Mutex::new(Project::default()));
    let inner = Arc::clone(&project);
    (Fake::start(move |asked| inner.lock().unwrap().answer(asked)).await, project)
}

fn settings(fake: &Fake, tokens: &Fake) -> Value {
    json!({"kind": "google", "project": "acme", "location": "louver-{id}", "endpoint": fake.url,
        "token_endpoint": format!("{}/token", tokens.url)})
}

#[tokio::test]
async fn versions_are_added_once() {
    let (_folder, control) = control().await;
    let (fake, project) = served().await;
    let to = destination(&control, settings(&fake, &fake), &[("token", "canary-token")]);
    assert_eq!(get(&control, &to).await, Ok(None));
    assert_eq!(put(&control, &to).await, Ok(Some("1".into())));
    assert_eq!(put(&control, &to).await, Ok(Some("1".into())));
    assert_eq!(get(&control, &to).await, Ok(Some(SECRET.into())));
    project.lock().unwrap().versions.push(STANDARD.encode("theirs"));
    assert_eq!(put(&control, &to).await, Ok(Some("3".into())));
    remove_at(&control, &to, "louver-key_01").await.unwrap();
    assert_eq!(get(&control, &to).await, Ok(None));
}

#[tokio::test]
async fn a_service_account_says_who_it_is_and_signs_that() {
    let (_folder, control) = control().await;
    let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let public = key.public_key().as_ref().to_vec();
    let der = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&key).unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der.as_ref())
    );
    let account = json!({"type": "service_account", "client_email": "louver@acme.example.com", "private_key_id": "k1",
        "private_key": pem, "token_uri": "https://evil.example.com"});
    let tokens = Fake::start(move |asked| {
        assert_eq!(asked.line, "POST /token");
        let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
        let assertion = asked.body.strip_prefix(grant).unwrap();
        let (signed, signature) = assertion.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &public);
        key.verify(signed.as_bytes(), &signature).unwrap();
        let parts: Vec<Value> = signed
            .split('.')
            .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
            .collect();
        assert_eq!(parts[0], json!({"alg": "RS256", "typ": "JWT", "kid": "k1"}));
        assert_eq!(parts[1]["iss"], "louver@acme.example.com");
        assert!(parts[1]["aud"].as_str().unwrap().ends_with("/token"));
        assert_eq!(parts[1]["exp"].as_i64().unwrap() - parts[1]["iat"].as_i64().unwrap(), 600);
        (200, json!({"access_token": "canary-token", "expires_in": 3599}))
    })
    .await;
    let (fake, _) = served().await;
    let to = destination(&control, settings(&fake, &tokens), &[("service_account", &account.to_string())]);
    assert_eq!(put(&control, &to).await, Ok(Some("1".into())));
    assert_eq!(tokens.lines().len(), 1);
    let refusing = Fake::start(|_| (400, json!({"error": "invalid_grant"}))).await;
    let to = destination(&control, settings(&fake, &refusing), &[("service_account", &account.to_string())]);
    assert_eq!(put(&control, &to).await, Err(DestinationError::Answered(403)));
    assert!(!is_service_account("{}") && is_service_account(&account.to_string()));
}
