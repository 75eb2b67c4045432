//! Starts Louver, sets its limits on all four levels and asks it for the usage it recorded.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::contestant::{Place, Target};
use crate::process::Process;
use crate::{Fault, api};

/// Requests per minute on every level: checked on every call, never reached.
const NEVER_REACHED: u64 = 100_000_000;
const START_PATIENCE: Duration = Duration::from_secs(30);
/// How often and how long apart the usage is asked for, while records are still being written.
const USAGE_TRIES: u32 = 20;
const USAGE_PAUSE: Duration = Duration::from_millis(500);

/// A data directory that is set up, and the key made in it.
pub struct Prepared {
    data: PathBuf,
    secret: String,
}

/// The way to the admin API of a running Louver.
pub struct Admin {
    address: SocketAddr,
    headers: String,
}

impl Admin {
    async fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value, Fault> {
        api::call(method, self.address, path, &self.headers, Some(body)).await
    }

    /// How many calls Louver says it recorded, asked until it is `expected` or patience ends.
    pub async fn recorded(&self, expected: u64) -> Result<u64, Fault> {
        let mut last = Err("never asked".into());
        for _ in 0..USAGE_TRIES {
            let usage = api::call("GET", self.address, "/v1/gateway/usage", &self.headers, None).await?;
            last = requests_in(&usage).ok_or_else(|| format!("no count of requests in {usage:.200}").into());
            if matches!(last, Ok(found) if found == expected) {
                break;
            }
            sleep(USAGE_PAUSE).await;
        }
        last
    }
}

/// Makes a fresh data directory with a key and limits, then ends that Louver again.
pub async fn prepare(place: &Place<'_>) -> Result<Prepared, Fault> {
    let data = place.options.cache.join("louver-data");
    if data.exists() {
        fs::remove_dir_all(&data)?;
    }
    fs::create_dir_all(&data)?;
    let (_process, ready, admin) = start(place, &data)?;
    let secret = configure(&ready, &admin).await?;
    Ok(Prepared { data, secret })
}

/// Starts it on the data that is there.
pub fn launch(place: &Place<'_>, prepared: &Prepared) -> Result<(Process, Target, Admin), Fault> {
    let (process, _, admin) = start(place, &prepared.data)?;
    let target = Target::with_key(admin.address, &prepared.secret);
    Ok((process, target, admin))
}

fn start(place: &Place<'_>, data: &PathBuf) -> Result<(Process, Value, Admin), Fault> {
    let mut command = Command::new(place.options.program("louver")?);
    command.args(["dev", "--listen", "127.0.0.1:0", "--json", "--data-dir"]).arg(data);
    command.env("LOUVER_UPSTREAM_URL", format!("http://{}", place.upstream));
    let log = place.options.cache.join("louver.log");
    let (process, line) = Process::start_and_read("louver", &mut command, &log, START_PATIENCE)?;
    let ready: Value = serde_json::from_str(&line).map_err(|_| format!("no JSON on stdout: {line:.200}"))?;
    let url = text(&ready, "/api_url")?;
    let address = url.trim_start_matches("http://").trim_end_matches('/').parse()?;
    let headers = format!("authorization: Bearer {}\r\n", text(&ready, "/admin_key")?);
    Ok((process, ready, Admin { address, headers }))
}

/// Sets limits for the organization, the workspace and the user, and makes a key with one of its own.
async fn configure(ready: &Value, admin: &Admin) -> Result<String, Fault> {
    let limits = json!({"requests_per_minute": NEVER_REACHED});
    let workspace =
        text(ready, "/workspaces/default/uuid").or_else(|_| text(ready, "/workspaces/ml-workspace/uuid"))?;
    let user = ready.get("users").and_then(Value::as_object).and_then(|users| users.values().next());
    let user = user.and_then(Value::as_str).ok_or("no user in Louver's line")?;
    admin.call("PATCH", "/v1/gateway/organization", &json!({"limits": limits})).await?;
    admin.call("PATCH", &format!("/v1/gateway/workspaces/{workspace}/limits"), &limits).await?;
    admin.call("PATCH", &format!("/v1/gateway/users/{user}/limits"), &limits).await?;
    let member = format!("/v1/gateway/workspaces/{workspace}/members/{user}/model-role");
    admin.call("PUT", &member, &json!({"role": null})).await?;
    let key = json!({"name": "bench", "workspace_id": workspace, "rate_limit_rpm": NEVER_REACHED,
        "owner_user_id": user});
    let made = admin.call("POST", "/v1/api-keys", &key).await?;
    Ok(text(&made, "/key")?.to_owned())
}

fn text<'a>(value: &'a Value, pointer: &str) -> Result<&'a str, Fault> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.ok_or_else(|| format!("Louver's answer has no text at {pointer}").into())
}

/// The count of requests in a usage answer: one in the totals, else the sum over the entries of `data`.
fn requests_in(usage: &Value) -> Option<u64> {
    let names = ["requests", "request_count", "requests_count", "calls", "count"];
    let count = |value: &Value| names.iter().find_map(|name| value.get(name)?.as_u64());
    let totals = ["total", "totals", "summary"].iter().find_map(|name| count(usage.get(name)?));
    let entries = || {
        let counts: Vec<u64> = usage.get("data")?.as_array()?.iter().filter_map(count).collect();
        if counts.is_empty() { None } else { Some(counts.iter().sum()) }
    };
    totals.or_else(entries).or_else(|| count(usage))
}
