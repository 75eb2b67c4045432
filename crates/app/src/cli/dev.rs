//! `louver dev`: the whole product on one machine.

use super::console_link;
use crate::config::{self, Config, Environment, UpstreamKey};
use crate::example::{self, Handout};
use crate::serve::{self, Node, Parts};
use crate::{clock, master_key, telemetry};
use clap::Args;
use louver_control::Control;
use louver_control::actions::admin_keys;
use louver_control::context::Context;
use serde_json::json;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Run the whole product on this machine.
#[derive(Args)]
pub(super) struct Dev {
    /// Address and port to listen on; port 0 picks a free one
    #[arg(long)]
    listen: Option<String>,
    /// Where the database, the master key and the example's keys are kept
    #[arg(long, default_value = "louver-data")]
    data_dir: PathBuf,
    /// Print one line of JSON when ready, for scripts
    #[arg(long)]
    json: bool,
}

/// The file in the data directory that keeps what `dev` prints, since secrets are not in the database.
const HANDOUT: &str = "dev.json";

/// The settings of a data directory: SQLite and the master key in it, whatever the environment says of another place; the
/// rest from the environment.
pub(super) fn config(
    folder: &Path,
    listen: Option<&str>,
    environment: &Environment,
) -> Result<Config, Vec<String>> {
    let mut environment = environment.clone();
    let mut set = |name: &str, value: String| environment.insert(name.to_owned(), value);
    set("LOUVER_DATABASE_URL", format!("sqlite:{}", folder.join("louver.db").display()));
    set("LOUVER_MASTER_KEY_FILE", folder.join("master.key").display().to_string());
    environment.remove("LOUVER_JOURNAL_DIR");
    environment.entry("LOUVER_LOG".to_owned()).or_insert("warn".into());
    if let Some(listen) = listen {
        environment.insert("LOUVER_LISTEN".into(), listen.to_owned());
    }
    config::load(None, &environment)
}

/// Runs until SIGTERM or Ctrl-C.
pub(super) async fn run(command: Dev, environment: &Environment) -> Result<(), Vec<String>> {
    let one = |error: String| vec![error];
    make_folder(&command.data_dir).map_err(one)?;
    let mut config = config(&command.data_dir, command.listen.as_deref(), environment)?;
    telemetry::start(&config.log).map_err(one)?;
    master_key::read_or_create(&config.master_key_file, &clock::SystemEntropy::new()).map_err(one)?;
    let (stop_simulator, stopped) = oneshot::channel::<()>();
    let simulated = !environment.contains_key("LOUVER_UPSTREAM_URL");
    if simulated {
        config.upstream_url = start_simulator(stopped).await.map_err(one)?;
        config.upstream_key = None;
    }
    // The simulator and a test upstream take any key.
    config.upstream_key.get_or_insert_with(|| UpstreamKey::new("louver-dev".into()));
    let parts = super::parts(&config).await?;
    let handout = handout(&command.data_dir, &parts).await.map_err(one)?;
    let link = console_link(&parts).await.map_err(one)?;
    let node = serve::start(&config, parts).await.map_err(one)?;
    if command.json {
        println!("{}", shown(&node, &handout, &link));
    } else {
        explain(&node, &handout, &link, if simulated { None } else { Some(&config.upstream_url) });
    }
    let failed = tokio::select! {
        () = super::asked_to_stop() => false,
        () = node.failed() => true,
    };
    node.stop().await;
    drop(stop_simulator);
    if failed { Err(one("the journal failed; nothing more was sent".into())) } else { Ok(()) }
}

fn make_folder(folder: &Path) -> Result<(), String> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| format!("the data directory {}: {error}", folder.display()))
}

/// Starts the simulator on a free port and answers its address.
async fn start_simulator(stopped: oneshot::Receiver<()>) -> Result<String, String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|e| e.to_string())?;
    let address = listener.local_addr().map_err(|e| e.to_string())?;
    let simulator = example::simulator(1, false, example::SimulatorKeys::default())?;
    tokio::spawn(async move { simulator.serve(listener, async { drop(stopped.await) }).await });
    Ok(format!("http://{address}"))
}

/// The keys of the example: made with it on an empty directory, else read back. Where the file is gone, an admin key
/// is made anew; the other keys are gone with it.
async fn handout(folder: &Path, parts: &Parts) -> Result<Handout, String> {
    let path = folder.join(HANDOUT);
    if let Ok(text) = fs::read_to_string(&path) {
        return serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()));
    }
    let control = super::offline(parts.clone());
    let organizations = louver_store::organizations::list(&parts.store).await.map_err(|e| e.to_string())?;
    let handout = match organizations.first() {
        None => example::found(&control).await.map_err(|e| e.to_string())?,
        Some(organization) => with_new_admin_key(&control, organization.id).await?,
    };
    let text = serde_json::to_string_pretty(&handout).map_err(|e| e.to_string())?;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(handout)
}

async fn with_new_admin_key(
    control: &Control,
    organization: louver_domain::id::OrganizationId,
) -> Result<Handout, String> {
    let context = Context::system(organization, control.clock.now());
    let (_, minted) = admin_keys::create(control, &context, "dev", None).await.map_err(|e| e.to_string())?;
    Ok(Handout { admin_key: minted.secret.expose().clone(), workspaces: [].into(), users: [].into() })
}

/// A link that signs the example's admin in.
async fn console_link(parts: &Parts) -> Result<String, String> {
    let organizations = louver_store::organizations::list(&parts.store).await.map_err(|e| e.to_string())?;
    let organization = organizations.first().ok_or("there is no organization")?;
    console_link::first(&super::offline(parts.clone()), organization.id).await
}

fn admin_url(node: &Node) -> String {
    format!("http://{}", node.admin_address.unwrap_or(node.address))
}

fn api_url(node: &Node) -> String {
    format!("http://{}", node.address)
}

/// The line for scripts.
fn shown(node: &Node, handout: &Handout, link: &str) -> serde_json::Value {
    let url = admin_url(node);
    json!({
        "api_url": api_url(node),
        "console_url": format!("{url}{}", louver_console::HOME),
        "console_login_url": console_link::address(&url, link),
        "admin_key": handout.admin_key,
        "workspaces": handout.workspaces,
        "users": handout.users,
    })
}

fn explain(node: &Node, handout: &Handout, link: &str, upstream: Option<&str>) {
    let url = api_url(node);
    println!("Louver listens on {url}");
    match upstream {
        None => println!(
            "Upstream is a simulator: its answers come from no model. LOUVER_UPSTREAM_URL names a real one."
        ),
        Some(upstream) => println!("Upstream is {upstream}"),
    }
    println!("\nThe console, once, within 15 minutes:\n  {}", console_link::address(&admin_url(node), link));
    println!("\nAdmin key (for /v1/api-keys and /v1/gateway):\n  {}", handout.admin_key);
    for (name, workspace) in &handout.workspaces {
        println!("\nWorkspace {name}  {}", workspace.uuid);
        for (key, secret) in &workspace.keys {
            println!("  {key}  {secret}");
        }
    }
    let key = handout.workspaces.get("dev-workspace").and_then(|w| w.keys.values().next());
    if let Some(key) = key {
        println!(
            "\nTry it:\n  curl {url}/v1/chat/completions -H 'Authorization: Bearer {key}' \\\n    -H 'Content-Type: \
             application/json' \\\n    -d '{{\"model\": \"mistral-small-latest\", \"messages\": [{{\"role\": \"user\", \
             \"content\": \"Hello\"}}]}}'"
        );
    }
    println!("\nCtrl-C stops it.");
}
