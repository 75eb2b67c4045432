//! A policy of 90 days over a simulated year, into an OpenBao and into moto's AWS Secrets Manager, while clients that read
//! their keys from there call without a failure.

use http::Uri;
use louver::config::Config;
use louver_control::delivery::targets::AllowedTargets;
use louver_domain::rotations::KNOWN_SECONDS;
use louver_proving::client::{request, send};
use louver_proving::system::{Setup, System, eventually};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const DAY: i64 = 86_400;

/// What `scripts/test` says of the servers that it starts. A missing one is a failure, not a reason to skip.
fn said(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is of an OpenBao and a moto that tests write secrets to: run scripts/test, which starts both")
    })
}

fn address(url: &str) -> SocketAddr {
    let uri: Uri = url.parse().unwrap();
    uri.authority().unwrap().as_str().parse().unwrap()
}

fn with_servers(config: &mut Config) {
    let entries = ["TEST_OPENBAO_URL", "TEST_MOTO_URL"].map(|name| address(&said(name)).to_string());
    config.destinations.allowed = AllowedTargets::parse(&entries).unwrap();
}

/// A place on one of the servers where a secret lies, as its reader sees it.
#[derive(Clone)]
enum Place {
    OpenBao(String),
    Aws(String),
}

impl Place {
    /// Asks the server itself. What it answers must be there.
    async fn ask(&self, deed: &str, body: Value) -> Value {
        let answer = match self {
            Self::OpenBao(_) => {
                let token = said("TEST_OPENBAO_TOKEN");
                let (method, path) = deed.split_once(' ').unwrap();
                let body = (!body.is_null()).then(|| body.to_string());
                let mut asked =
                    request(method, &format!("/v1/secret/{path}"), "", body.as_deref().map(str::as_bytes));
                asked.headers_mut().insert("x-vault-token", token.parse().unwrap());
                send(address(&said("TEST_OPENBAO_URL")), asked).await
            }
            Self::Aws(_) => {
                let mut asked = request("POST", "/", "", Some(body.to_string().as_bytes()));
                // moto tells by the scope which service and region are meant; nothing is signed.
                let scope = "AWS4-HMAC-SHA256 Credential=AKIDREADER/20261121/eu-west-1/secretsmanager/aws4_request, \
                             SignedHeaders=host, Signature=0";
                let headers = asked.headers_mut();
                headers.insert("authorization", scope.parse().unwrap());
                headers.insert("content-type", "application/x-amz-json-1.1".parse().unwrap());
                headers.insert("x-amz-target", format!("secretsmanager.{deed}").parse().unwrap());
                send(address(&said("TEST_MOTO_URL")), asked).await
            }
        };
        assert!(answer.status.is_success(), "{deed}: {} {}", answer.status, answer.text());
        answer.json()
    }

    async fn put(&self, secret: &str) {
        match self {
            Self::OpenBao(path) => {
                self.ask(
                    &format!("POST data/{path}"),
                    json!({"data": {"api_key": secret, "theirs": "stays"}}),
                )
                .await
            }
            Self::Aws(name) => self.ask("CreateSecret", json!({"Name": name, "SecretString": secret})).await,
        };
    }

    /// What whoever calls with the key reads.
    async fn read(&self) -> String {
        match self {
            Self::OpenBao(path) => {
                let found = self.ask(&format!("GET data/{path}"), Value::Null).await;
                found["data"]["data"]["api_key"].as_str().unwrap().to_owned()
            }
            Self::Aws(_) => self.stage("AWSCURRENT").await,
        }
    }

    async fn stage(&self, stage: &str) -> String {
        let Self::Aws(name) = self else { panic!("only AWS has stages") };
        let found = self.ask("GetSecretValue", json!({"SecretId": name, "VersionStage": stage})).await;
        found["SecretString"].as_str().unwrap().to_owned()
    }

    fn destination(&self, location: &str) -> Value {
        match self {
            Self::OpenBao(_) => json!({"name": "OpenBao", "kind": "vault",
                "settings": {"address": said("TEST_OPENBAO_URL"), "location": location},
                "credentials": {"token": said("TEST_OPENBAO_TOKEN")}}),
            Self::Aws(_) => json!({"name": "AWS", "kind": "aws",
                "settings": {"region": "eu-west-1", "endpoint": said("TEST_MOTO_URL"), "location": location},
                "credentials": {"access_key_id": "AKIDWRITER", "secret_access_key": "canary"}}),
        }
    }
}

/// A key, the place of its secret, and every secret that it had, the newest last.
struct Kept {
    id: String,
    place: Place,
    secrets: Vec<String>,
    calls: Arc<[AtomicU64; 2]>,
}

/// Two keys whose secrets lie on the two servers, and a policy that rotates both every 90 days.
struct Scene {
    system: System,
    keys: Vec<Kept>,
}

impl Scene {
    async fn new(postgres: bool) -> Self {
        let system = System::with(Setup { postgres, change: Some(with_servers), ..Setup::default() }).await;
        let policy = json!({"scope": "organization", "period_days": 90, "overlap_hours": 24});
        system.deed("PUT", "/v1/gateway/rotation-policies", policy).await;
        let mut scene = Self { system, keys: vec![] };
        for kind in [Place::OpenBao, Place::Aws] {
            scene.keep(kind).await;
        }
        scene
    }

    async fn keep(&mut self, kind: fn(String) -> Place) {
        let system = &self.system;
        let (secret, id) = system.key(json!({"name": format!("key-{}", self.keys.len())})).await;
        // Other tests write to the same servers, and their keys have the same ids.
        let folder = system.config.journal_dir.as_ref().unwrap().parent().unwrap().file_name().unwrap();
        let prefix = format!("louver/{}", folder.to_str().unwrap().trim_start_matches('.'));
        let place = kind(format!("{prefix}/{id}"));
        place.put(&secret).await;
        let body = place.destination(&format!("{prefix}/{{id}}"));
        let made = system.deed("POST", "/v1/gateway/secret-destinations", body).await;
        let policy = json!({"scope": "key", "scope_id": id, "destinations": [made["id"]]});
        system.deed("PUT", "/v1/gateway/rotation-policies", policy).await;
        self.keys.push(Kept { id, place, secrets: vec![secret], calls: Arc::default() });
    }

    async fn status(&self, key: &str) -> u16 {
        self.system.get(key, "/v1/models").await.status.as_u16()
    }

    /// Waits until the newest rotation of each key is as wished, for the program by itself.
    async fn all(&self, wished: impl Fn(&Value) -> bool) {
        for key in &self.keys {
            let path = format!("/v1/gateway/rotations?limit=1&key_id={}", key.id);
            eventually(async || {
                let newest = self.system.admin("GET", &path, None).await.json()["data"][0].clone();
                wished(&newest).then_some(())
            })
            .await;
        }
    }

    async fn reach(&self, state: &str) {
        self.all(|one| one["state"] == state).await;
    }

    /// Waits until each client has read and called from the beginning once more.
    async fn everybody_calls(&self) {
        for key in &self.keys {
            let before = key.calls[0].load(Ordering::SeqCst);
            // The first of them may have read before.
            eventually(async || (key.calls[0].load(Ordering::SeqCst) >= before + 2).then_some(())).await;
        }
    }

    /// Waits until the node knows whatever was made until now.
    async fn node_knows(&self) {
        let (younger, id) = self.system.key(json!({"name": "younger"})).await;
        eventually(async || (self.status(&younger).await == 200).then_some(())).await;
        let gone = self.system.admin("DELETE", &format!("/v1/api-keys/{id}"), None).await;
        assert_eq!(gone.status, 200);
    }

    /// One rotation of both keys, from the day when it is due to its end.
    async fn rotate(&mut self) {
        let clock = Arc::clone(&self.system.clock);
        self.reach("writing").await;
        self.node_knows().await;
        clock.advance(KNOWN_SECONDS);
        self.reach("propagating").await;
        self.everybody_calls().await;
        for key in &mut self.keys {
            key.secrets.push(key.place.read().await);
        }
        for key in &self.keys {
            let [.., old, new] = &key.secrets[..] else { panic!("two secrets") };
            assert_ne!(old, new);
            assert_eq!((self.status(old).await, self.status(new).await), (200, 200));
        }
        clock.advance(60);
        self.reach("overlapping").await;
        clock.advance(DAY - 3_600);
        self.all(|one| one["next_at"] == one["old_key_expires_at"]).await;
        // From that look on the end is known; the node learns of it long before.
        self.node_knows().await;
        clock.advance(3_599);
        for key in &self.keys {
            assert_eq!(self.status(&key.secrets[key.secrets.len() - 2]).await, 200, "the last second");
        }
        clock.advance(1);
        for key in &self.keys {
            assert_eq!(self.status(&key.secrets[key.secrets.len() - 2]).await, 401, "never after");
        }
        self.reach("done").await;
    }
}

/// A client that reads its key from the server before each call. What it counts are calls, and those that failed.
async fn client(place: Place, address: SocketAddr, stop: Arc<AtomicBool>, counts: Arc<[AtomicU64; 2]>) {
    while !stop.load(Ordering::SeqCst) {
        let key = place.read().await;
        let answer = send(address, request("GET", "/v1/models", &key, None)).await;
        counts[1].fetch_add(u64::from(answer.status != 200), Ordering::SeqCst);
        counts[0].fetch_add(1, Ordering::SeqCst);
    }
}

async fn a_year(postgres: bool) {
    let mut scene = Scene::new(postgres).await;
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = scene
        .keys
        .iter()
        .map(|key| client(key.place.clone(), scene.system.address, Arc::clone(&stop), Arc::clone(&key.calls)))
        .map(tokio::spawn)
        .collect();
    let rotations = 365 / 90;
    for round in 0..rotations {
        // The day on which it was rotated last has passed already.
        scene.system.clock.advance(if round == 0 { 90 * DAY } else { 89 * DAY });
        scene.rotate().await;
    }
    scene.everybody_calls().await;
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    for key in &scene.keys {
        let [made, failed] = [&key.calls[0], &key.calls[1]].map(|count| count.load(Ordering::SeqCst));
        assert!(made > 2 * rotations && failed == 0, "{failed} of {made} calls failed");
        let (newest, old) = key.secrets.split_last().unwrap();
        assert_eq!(key.place.read().await, *newest);
        for (age, secret) in old.iter().enumerate() {
            assert_eq!(scene.status(secret).await, 401, "the secret number {age}");
        }
        assert_eq!(scene.status(newest).await, 200);
        assert_eq!(u64::try_from(old.len()).unwrap(), rotations);
        holds_what_it_should(key).await;
        let shown = scene.system.admin("GET", &format!("/v1/api-keys/{}", key.id), None).await.json();
        assert_eq!(shown["status"], "active", "the key is the same: {shown}");
        let secrets = scene.system.admin("GET", &format!("/v1/gateway/keys/{}/secrets", key.id), None).await;
        assert_eq!(secrets.json()["data"].as_array().unwrap().len(), 1);
    }
}

/// The versions and stages of the server, by its own word.
async fn holds_what_it_should(key: &Kept) {
    let [.., previous, _] = &key.secrets[..] else { panic!("two secrets") };
    match &key.place {
        Place::OpenBao(path) => {
            let found = key.place.ask(&format!("GET data/{path}"), Value::Null).await;
            let (data, about) = (&found["data"]["data"], &found["data"]["metadata"]);
            assert_eq!(about["version"], key.secrets.len(), "one version for each secret: {about}");
            assert_eq!(data["theirs"], "stays", "the field of others");
            let before = format!("GET data/{path}?version={}", key.secrets.len() - 1);
            let before = key.place.ask(&before, Value::Null).await;
            assert_eq!(before["data"]["data"]["api_key"], previous.as_str());
        }
        Place::Aws(name) => {
            assert_eq!(key.place.stage("AWSPREVIOUS").await, *previous);
            let about = key.place.ask("DescribeSecret", json!({"SecretId": name})).await;
            let stages = about["VersionIdsToStages"].as_object().unwrap();
            let mut held: Vec<String> =
                stages.values().map(Value::to_string).filter(|all| all != "[]").collect();
            held.sort_unstable();
            // What is pending is the current one: so AWS's own rotations leave it, too.
            let right = [r#"["AWSPENDING","AWSCURRENT"]"#, r#"["AWSPREVIOUS"]"#];
            assert_eq!(held, right, "each stage once: {about}");
        }
    }
}

#[tokio::test]
async fn over_a_year_clients_that_read_from_openbao_and_aws_call_without_a_failure() {
    a_year(false).await;
}

#[tokio::test]
async fn so_they_do_on_a_server() {
    a_year(true).await;
}
