//! Kubernetes: a Secret that is made, changed in one field, and changed by others at the same time.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

/// One namespace with one Secret.
#[derive(Default)]
struct Cluster {
    secret: Option<Value>,
    version: u64,
    others: u64,
}

impl Cluster {
    fn answer(&mut self, asked: &Asked) -> Says {
        if asked.header("authorization") != "Bearer canary-token" {
            return (401, json!({"kind": "Status"}));
        }
        let one = "/api/v1/namespaces/apps/secrets/louver-key-01";
        let (method, path) = asked.line.split_once(' ').unwrap();
        match (method, path) {
            ("GET", path) if path == one => {
                self.secret.clone().map_or((404, json!({})), |found| (200, found))
            }
            ("POST", "/api/v1/namespaces/apps/secrets") => {
                let mut new = asked.json();
                assert_eq!((&new["kind"], &new["type"]), (&json!("Secret"), &json!("Opaque")));
                assert_eq!(new["metadata"]["name"], "louver-key-01");
                if self.others > 0 {
                    self.others -= 1;
                    self.secret =
                        Some(json!({"metadata": {"resourceVersion": "100"}, "data": {"theirs": "eA=="}}));
                    self.version = 100;
                    return (409, json!({"reason": "AlreadyExists"}));
                }
                self.version += 1;
                new["metadata"]["resourceVersion"] = self.version.to_string().into();
                self.secret = Some(new.clone());
                (201, new)
            }
            ("PATCH", path) if path == one => {
                assert_eq!(asked.header("content-type"), "application/merge-patch+json");
                if self.others > 0 {
                    self.others -= 1;
                    self.version += 1;
                }
                let (patch, mut found) = (asked.json(), self.secret.clone().unwrap());
                found["metadata"]["resourceVersion"] = self.version.to_string().into();
                self.secret = Some(found.clone());
                if patch["metadata"]["resourceVersion"] != found["metadata"]["resourceVersion"] {
                    return (409, json!({"reason": "Conflict"}));
                }
                self.version += 1;
                found["metadata"]["resourceVersion"] = self.version.to_string().into();
                for (field, value) in patch["data"].as_object().unwrap() {
                    found["data"][field] = value.clone();
                }
                self.secret = Some(found.clone());
                (200, found)
            }
            ("DELETE", path) if path == one => {
                self.secret = None;
                (200, json!({}))
            }
            other => panic!("{other:?}"),
        }
    }
}

async fn served(cluster: Cluster) -> (Fake, Arc<Mutex<Cluster>>) {
    let cluster = Arc::new(Mutex::new(cluster));
    let inner = Arc::clone(&cluster);
    (Fake::start(move |asked| inner.lock().unwrap().answer(asked)).await, cluster)
}

fn settings(fake: &Fake) -> Value {
    json!({"kind": "kubernetes", "address": fake.url, "namespace": "apps", "location": "louver-{id}"})
}

#[tokio::test]
async fn a_secret_is_made_then_changed_in_its_field_alone() {
    let (_folder, control) = control().await;
    let (fake, cluster) = served(Cluster::default()).await;
    let to = destination(&control, settings(&fake), &[("token", "canary-token")]);
    assert_eq!(get(&control, &to).await, Ok(None));
    assert_eq!(put(&control, &to).await, Ok(Some("1".into())));
    assert_eq!(get(&control, &to).await, Ok(Some(SECRET.into())));
    assert_eq!(put(&control, &to).await, Ok(Some("1".into())), "written already");
    cluster.lock().unwrap().secret.as_mut().unwrap()["data"] =
        json!({"api_key": STANDARD.encode("old"), "theirs": "eA=="});
    assert_eq!(put(&control, &to).await, Ok(Some("2".into())));
    let data = cluster.lock().unwrap().secret.as_ref().unwrap()["data"].clone();
    assert_eq!(data, json!({"api_key": STANDARD.encode(SECRET), "theirs": "eA=="}));
    remove_at(&control, &to, "louver-key-01").await.unwrap();
    assert_eq!(get(&control, &to).await, Ok(None));
}

#[tokio::test]
async fn conflicts_are_looked_at_again() {
    let (_folder, control) = control().await;
    let old = json!({"metadata": {"resourceVersion": "7"}, "data": {"api_key": "b2xk"}});
    let (fake, _) = served(Cluster { secret: Some(old.clone()), version: 7, others: 2 }).await;
    let to = destination(&control, settings(&fake), &[("token", "canary-token")]);
    assert_eq!(put(&control, &to).await, Ok(Some("10".into())));
    // Somebody else makes it at the same time.
    let (fake, cluster) = served(Cluster { others: 1, ..Cluster::default() }).await;
    let to = destination(&control, settings(&fake), &[("token", "canary-token")]);
    assert_eq!(put(&control, &to).await, Ok(Some("101".into())));
    assert_eq!(cluster.lock().unwrap().secret.as_ref().unwrap()["data"]["theirs"], "eA==");
    let (fake, _) = served(Cluster { secret: Some(old), version: 7, others: 99 }).await;
    let to = destination(&control, settings(&fake), &[("token", "canary-token")]);
    assert_eq!(put(&control, &to).await, Err(DestinationError::Contended));
}

#[tokio::test]
async fn whoever_is_not_known_is_told_so() {
    let (_folder, control) = control().await;
    let (fake, _) = served(Cluster::default()).await;
    let to = destination(&control, settings(&fake), &[("token", "canary-other")]);
    assert_eq!(put(&control, &to).await, Err(DestinationError::Answered(401)));
    // Certificates that are given are believed alone: this server has none at all.
    let mut settings = settings(&fake);
    settings["address"] = fake.url.replace("http://", "https://").into();
    settings["ca_certificate"] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".into();
    let to = destination(&control, settings, &[("token", "canary-token")]);
    assert!(matches!(put(&control, &to).await, Err(DestinationError::Refused(_))));
}
