//! The admin API driven through its router, on a database of its own, with a clock moved by hand.

mod adjustments;
mod alert_channels;
mod api_keys;
mod audit;
mod billing;
mod custom_roles;
mod deliveries;
mod edges;
mod events;
mod explain;
mod groups;
mod idempotency;
mod invitations;
mod key_hygiene;
mod keys;
mod keys_around;
mod lately;
mod matrix;
mod me;
mod members;
mod objects;
mod old_secrets;
mod openapi;
mod own_keys;
mod owners;
mod pages;
mod people;
mod permissions;
mod resources;
mod rights;
mod rotation_policies;
mod rotations;
mod secret_destinations;
mod simulation;
mod upstream_rotations;
mod usage;
mod users;
mod workspaces;

use crate::actions::{admin_keys, commit_all, setup};
use crate::context::{Context, RequestContext};
use crate::delivery::Outbound;
use crate::delivery::targets::AllowedTargets;
use crate::destinations::Bounds;
use crate::{Control, router};
use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use louver_domain::entropy::Entropy;
use louver_domain::id::{OrganizationId, RequestId, UserId, WorkspaceId};
use louver_domain::keys::AdminHolder;
use louver_domain::secret::Secret;
use louver_domain::time::{Clock, Timestamp};
use louver_store::Store;
use louver_store::audit::{StoredEvent, newest};
use louver_store::seal::MasterKey;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use tokio::sync::watch;
use tower::ServiceExt;

struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
    fn monotonic_micros(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// splitmix64 from a fixed seed: the same ids and secrets in each run. With a step of 0 it stands still.
struct Seeded(AtomicU64, AtomicU64);

impl Entropy for Seeded {
    fn fill(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            let state = self.0.fetch_add(self.1.load(Ordering::Relaxed), Ordering::Relaxed);
            let mut z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            let bytes = (z ^ (z >> 31)).to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}

/// An answer as a client sees it.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    /// The status and the field that a 422 names.
    fn refused(&self) -> (u16, String) {
        (self.status.as_u16(), self.json()["param"].as_str().unwrap_or_default().to_owned())
    }
}

/// A founded organization behind its admin API.
struct House {
    dir: tempfile::TempDir,
    control: Arc<Control>,
    app: Router,
    clock: Arc<Hands>,
    entropy: Arc<Seeded>,
    admin: String,
    organization: OrganizationId,
    workspace: WorkspaceId,
    applied: watch::Sender<i64>,
}

async fn house() -> House {
    house_with(Outbound::default()).await
}

/// Destinations on this machine, in the house's own folder, and two commands.
fn bounds(dir: &tempfile::TempDir) -> Bounds {
    let command =
        |name: &str, words: &[&str]| (name.to_owned(), words.iter().map(|w| (*w).to_owned()).collect());
    let (folder, told) = (dir.path().join("keys"), dir.path().join("told"));
    std::fs::create_dir(&folder).unwrap();
    // Keeps what it is told, and what it is given.
    let keep = "env | sort > \"$0\"; cat >> \"$0\"";
    Bounds {
        allowed: AllowedTargets::parse(&["127.0.0.0/8".into()]).unwrap(),
        folders: vec![folder],
        commands: [
            command("keep", &["/bin/sh", "-c", keep, told.to_str().unwrap()]),
            command("fail", &["/bin/sh", "-c", "exit 3"]),
        ]
        .into(),
    }
}

async fn house_with(outbound: Outbound) -> House {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(Hands(AtomicI64::new(Timestamp::parse("2026-11-21T02:31:58.5Z").unwrap().micros())));
    let store = Store::open(
        &format!("sqlite:{}/louver.db", dir.path().display()),
        Arc::clone(&clock) as Arc<dyn Clock>,
    )
    .await
    .unwrap();
    store.migrate().await.unwrap();
    let master = MasterKey::new(Secret::new([7; 32])).unwrap();
    let (applied, seen) = watch::channel(i64::MAX);
    let entropy = Arc::new(Seeded(AtomicU64::new(42), AtomicU64::new(0x9E37_79B9_7F4A_7C15)));
    let control = Arc::new(Control {
        store,
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        entropy: Arc::clone(&entropy) as Arc<dyn Entropy>,
        pepper: Arc::new(master.pepper()),
        master: Arc::new(master),
        applied: seen,
        in_hand: None,
        upstreams: None,
        outbound: Arc::new(outbound),
        max_active_workspaces: 500,
        servers: vec!["vllm".into()],
        max_tool_calls: crate::DEFAULT_TOOL_CALLS,
        audit: Arc::default(),
        last_used: crate::last_used::LastUsed::default(),
        rotating: crate::rotating::Rotating::default(),
        destinations: bounds(&dir),
        retention: crate::retention::Retention::default(),
        passwords: Default::default(),
        cookie: Default::default(),
    });
    let founded = setup::found(&control, "Example", clock.now()).await.unwrap();
    House {
        dir,
        app: router(Arc::clone(&control)),
        control,
        clock,
        entropy,
        admin: founded.admin_key.secret.expose().clone(),
        organization: founded.organization_id,
        workspace: founded.default_workspace_id,
        applied,
    }
}

impl House {
    fn pass_seconds(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }

    fn pass_days(&self, days: i64) {
        self.clock.0.fetch_add(days * 86_400_000_000, Ordering::Relaxed);
    }

    fn request(&self, method: &str, path: &str) -> http::request::Builder {
        let context = RequestContext {
            request_id: RequestId::new(self.clock.now(), &*self.control.entropy),
            address: "192.0.2.7".parse().unwrap(),
        };
        Request::builder().method(method).uri(path).extension(context)
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    async fn call_as(&self, admin: &str, method: &str, path: &str, body: &str) -> Answer {
        let request = self.request(method, path).header("authorization", format!("Bearer {admin}"));
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    async fn call(&self, method: &str, path: &str, body: &str) -> Answer {
        self.call_as(&self.admin, method, path, body).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, "").await
    }

    /// A POST that must work.
    async fn make(&self, path: &str, body: &str) -> Value {
        let answer = self.call("POST", path, body).await;
        assert_eq!(answer.status, 200, "{path} {body}: {}", answer.text);
        answer.json()
    }

    /// What was done, newest first; what was refused has tests of its own.
    async fn audit(&self) -> Vec<StoredEvent> {
        let mut events = newest(&self.control.store, self.organization, 1000).await.unwrap();
        events.retain(|event| event.action != "admin.refused");
        events
    }

    async fn count_keys(&self) -> usize {
        self.get("/v1/api-keys?limit=1000").await.json()["data"].as_array().unwrap().len()
    }

    fn system(&self) -> Context {
        Context::system(self.organization, self.clock.now())
    }

    /// A second organization in the same database, with an admin key.
    async fn neighbour(&self) -> String {
        let now = self.clock.now();
        let context = Context::system(OrganizationId::new(now, &*self.control.entropy), now);
        let mut tx = self.control.store.begin().await.unwrap();
        let made = setup::add_organization(&self.control, &context, &mut tx, "Neighbour").await.unwrap();
        commit_all(&self.control, &context, tx, made.1).await.unwrap();
        let (_, minted) = admin_keys::create(&self.control, &context, "theirs", None).await.unwrap();
        minted.secret.expose().clone()
    }

    /// A person with those roles in the organization, by name; their id.
    async fn person(&self, email: &str, roles: &[&str]) -> String {
        let new = serde_json::json!([
            {"email": email, "first_name": "A", "last_name": "B", "role_names": roles}
        ]);
        let made = self.make("/v1/admin/users", &new.to_string()).await;
        made["email_to_user_id"][email].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
    }

    /// An admin key that carries a person's rights.
    async fn key_of(&self, person: &str) -> String {
        let holder = AdminHolder::User(UserId::parse(person).unwrap());
        let made = admin_keys::create_for(&self.control, &self.system(), holder, "own", None).await;
        made.unwrap().1.secret.expose().clone()
    }

    /// Makes a person a member of a workspace.
    async fn place(&self, workspace: &str, person: &str) {
        let path = format!("/v1/gateway/workspaces/{workspace}/members/{person}/model-role");
        let answer = self.call("PUT", &path, r#"{"role":null}"#).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    /// Everything that is on disk.
    async fn disk(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.dir.path()).unwrap();
        let files = files.map(|file| file.unwrap().path()).filter(|path| path.is_file());
        files.flat_map(|file| std::fs::read(file).unwrap()).collect()
    }
}

fn holds(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}
