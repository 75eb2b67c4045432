//! What the doctor says of a Louver that runs: whether it answers, knows the admin key, and reaches its upstreams.

use super::Report;
use crate::cli::cells::text;
use crate::cli::remote::Remote;
use crate::client::{Client, ClientError};
use crate::config::Environment;
use http::Method;
use louver_domain::secret::Secret;
use louver_domain::time::Timestamp;
use serde_json::Value;

/// Clocks that differ by more make reports, periods and deadlines wrong.
const MOST_SECONDS: i64 = 5;

/// Looks at the server that was named. `key` is the public key of this machine's master key, where there is one.
pub(super) async fn check(
    remote: &Remote,
    environment: &Environment,
    key: Option<&str>,
    now: Timestamp,
    report: &mut Report,
) {
    let url = remote.address(environment);
    let admin_key = environment.get("LOUVER_ADMIN_KEY").map(|key| key.trim()).filter(|key| !key.is_empty());
    // Whether it answers can be asked without a key.
    let client = Client::new(url, &Secret::new(admin_key.unwrap_or("none").to_owned()));
    let client = match client {
        Ok(client) => client,
        Err(why) => return report.problem("server", why),
    };
    match client.health("/healthz").await {
        Err(error) => {
            return report.problem(
                "server",
                format!("{error}; is `louver serve` running there? (--url or LOUVER_URL)"),
            );
        }
        Ok(time) => check_clock(time, now, report),
    }
    match client.health("/readyz").await {
        Ok(_) => report.ok("server", format!("{url} answers and is ready")),
        Err(error) => report.problem("server", format!("{url} answers, but takes no calls: {error}")),
    }
    match admin_key {
        None => report.problem(
            "admin key",
            "LOUVER_ADMIN_KEY is not set: `louver admin-key create` makes one, on the machine of the data",
        ),
        Some(_) => check_as_admin(&client, key, report).await,
    }
}

fn check_clock(there: Option<Timestamp>, now: Timestamp, report: &mut Report) {
    let Some(there) = there else {
        return report.problem("clock", "the server does not say what time it is");
    };
    let ahead = there.seconds().saturating_sub(now.seconds());
    match ahead.saturating_abs() > MOST_SECONDS {
        true => report.problem(
            "clock",
            format!("the server's clock is {ahead} s ahead of this machine's: let NTP set both"),
        ),
        false => report.ok("clock", "the server's is this machine's"),
    }
}

async fn check_as_admin(client: &Client, key: Option<&str>, report: &mut Report) {
    match client.ask(Method::GET, "/v1/gateway/me", None).await {
        Ok(me) => {
            report.ok(
                "admin key",
                format!("it is {} in {}", text(&me, "name"), text(&me, "organization_name")),
            );
        }
        Err(error) => {
            let cure = "`louver admin-key create` makes one, on the machine of the data";
            return report.problem("admin key", format!("{error}; {cure}"));
        }
    }
    check_master_key(client, key, report).await;
    check_upstreams(client, report).await;
}

/// A part that this admin key may not look at is said so, and no problem.
fn unseen(check: &'static str, error: &ClientError, report: &mut Report) {
    match error {
        ClientError::Refused(refusal) if matches!(refusal.status, 403 | 404) => {
            report.ok(check, format!("not looked at: {error}"));
        }
        ClientError::Refused(_) | ClientError::Unreachable(_) | ClientError::Unreadable(_) => {
            report.problem(check, error.to_string());
        }
    }
}

/// The server signs with a key that comes from its master key: another one here means another master key.
async fn check_master_key(client: &Client, own: Option<&str>, report: &mut Report) {
    let Some(own) = own else { return };
    match client.ask(Method::GET, "/v1/gateway/audit/checkpoint", None).await {
        Ok(checkpoint) if text(&checkpoint, "public_key") == own => {
            report.ok("server's master key", "it is this machine's");
        }
        Ok(_) => report.problem(
            "server's master key",
            "the server's audit log is signed by another master key than this machine's: give all nodes the same file",
        ),
        Err(error) => unseen("server's master key", &error, report),
    }
}

async fn check_upstreams(client: &Client, report: &mut Report) {
    let all = match client.list("/v1/gateway/upstreams", "id").await {
        Ok(all) => all,
        Err(error) => return unseen("upstreams", &error, report),
    };
    let enabled = |one: &&Value| one.get("enabled").and_then(Value::as_bool) == Some(true);
    let used: Vec<&Value> = all.iter().filter(enabled).collect();
    let bad = used.iter().filter(|one| matches!(text(one, "state"), "open" | "resting"));
    let problems = bad.map(|one| {
        let (name, until) = (text(one, "name"), text(one, "resting_until"));
        format!("{name} rests until {until}, since calls with it failed: look at its key and at the provider")
    });
    let problems: Vec<String> = problems.collect();
    let good = match (all.len(), used.len()) {
        (0, _) => "none is stored; the settings' is used".to_owned(),
        (_, 0) => {
            return report
                .problem("upstreams", "all are disabled: `louver upstreams enable` switches one on");
        }
        (_, used) => format!("{used} in use"),
    };
    report.all("upstreams", problems, good);
}
