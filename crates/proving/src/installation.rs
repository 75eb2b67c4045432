//! An installation of the real program: a database, settings, a simulator in this process, and an admin.

use crate::client::{request, send};
use crate::database;
use crate::program::{self, Program};
use louver::example;
use louver_simulator::{Config, Simulator};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// On which database.
#[derive(Clone, Debug, Default)]
pub enum Database {
    /// A file of its own.
    #[default]
    Sqlite,
    /// This one, which must be empty.
    Postgres(String),
}

/// An installation that nothing runs of yet. Dropped, its files are gone.
pub struct Installation {
    /// The upstream, with its own books; it outlives every process of the program.
    pub simulator: Simulator,
    /// The first admin key.
    pub admin_key: String,
    /// The id of the organization.
    pub organization: String,
    /// The id of the default workspace.
    pub workspace: String,
    program: PathBuf,
    environment: Mutex<Vec<(String, String)>>,
    folder: TempDir,
    _stop_simulator: oneshot::Sender<()>,
}

/// Upstream is quick here, so that a second is long; the rest of the settings are at their defaults.
const SETTINGS: &str = "credential_rest_seconds = 0\nbatch_poll_seconds = 1\n\
                        [timeouts]\nfirst_byte = 1\nidle = 1\nclient_left = 1\nconnect = 5\ndrain = 5\n";

impl Installation {
    /// Makes one with the program's own commands.
    pub async fn new(database: &Database) -> Self {
        Self::of(&program::file(), database, &[]).await
    }

    /// The same of a given program, with variables of the environment beside the usual ones.
    pub async fn of(program: &Path, database: &Database, environment: &[(&str, &str)]) -> Self {
        let made = Self::prepare(program, database, environment).await;
        let said = program::succeed(made.command("init").args(["--name", "Proving"])).await;
        made.founded(&said)
    }

    /// The same on a disk of so many bytes, which only the processes of this program see, and which is gone with them.
    /// Answers the program, running.
    pub async fn on_small_disk(bytes: u64) -> (Self, Program) {
        let made = Self::prepare(&program::file(), &Database::Sqlite, &[]).await;
        let mut command = small_disk(&made.data(), bytes);
        command.arg(&made.program).arg(made.settings());
        command.env_clear().envs(made.variables()).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let program = Program::start(program::piped(&mut command)).await.unwrap();
        let said = program.printed.text();
        (made.founded(&said), program)
    }

    async fn prepare(program: &Path, database: &Database, environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let config =
            Config { record: false, books: true, ..example::simulated(1).expect("the catalogue is sound") };
        let simulator = Simulator::new(config);
        let (upstream, stop_simulator) = listen(&simulator).await;
        let url = match database {
            Database::Sqlite => database::sqlite(&data),
            Database::Postgres(url) => url.clone(),
        };
        std::fs::write(folder.path().join("louver.toml"), SETTINGS).unwrap();
        let mut variables: Vec<(String, String)> = [
            ("LOUVER_LISTEN", "127.0.0.1:0".to_owned()),
            ("LOUVER_DATABASE_URL", url),
            ("LOUVER_UPSTREAM_URL", format!("http://{upstream}")),
            ("LOUVER_UPSTREAM_KEY", "upstream-of-the-settings".to_owned()),
            ("LOUVER_MASTER_KEY_FILE", data.join("master.key").display().to_string()),
            ("LOUVER_JOURNAL_DIR", data.join("journal-0").display().to_string()),
            ("LOUVER_WORKER_THREADS", "2".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        variables.extend(environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Self {
            simulator,
            admin_key: String::new(),
            organization: String::new(),
            workspace: String::new(),
            program: program.to_owned(),
            environment: Mutex::new(variables),
            folder,
            _stop_simulator: stop_simulator,
        }
    }

    /// With what `init` printed.
    fn founded(self, said: &str) -> Self {
        let after = |text: &str| {
            let word = said.split_once(text).and_then(|(_, rest)| rest.split_whitespace().next());
            word.unwrap_or_else(|| panic!("{text:?} in {said}")).to_owned()
        };
        let (organization, workspace) = (after("is there: "), after("default workspace: "));
        Self { admin_key: after("shown only now:"), organization, workspace, ..self }
    }

    /// Where its database, master key and journals are.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn settings(&self) -> PathBuf {
        self.folder.path().join("louver.toml")
    }

    fn variables(&self) -> Vec<(String, String)> {
        self.environment.lock().unwrap().clone()
    }

    /// Sets a variable of the environment for the processes to come.
    pub fn set(&self, name: &str, value: &str) {
        let mut environment = self.environment.lock().unwrap();
        environment.retain(|(known, _)| known != name);
        environment.push((name.to_owned(), value.to_owned()));
    }

    /// A command of the program on this installation.
    pub fn command(&self, name: &str) -> tokio::process::Command {
        let mut command = program::of(&self.program);
        command.arg(name).arg("--config").arg(self.settings()).envs(self.variables());
        command
    }

    /// The folder of a node's journal.
    pub fn journal(&self, node: usize) -> PathBuf {
        self.data().join(format!("journal-{node}"))
    }

    /// Starts `louver serve` as the node of that number.
    pub async fn start(&self, node: usize) -> Result<Program, String> {
        Program::start(&mut self.serve(node)).await
    }

    /// The same, and kills it after a while, ready or not.
    pub async fn start_and_kill(&self, node: usize, after: Duration) {
        Program::start_and_kill(&mut self.serve(node), after).await;
    }

    fn serve(&self, node: usize) -> tokio::process::Command {
        let mut command = self.command("serve");
        command.env("LOUVER_JOURNAL_DIR", self.journal(node));
        command
    }

    /// Removes what the journal of a node holds, and who the node is.
    pub fn lose_journal(&self, node: usize) {
        std::fs::remove_dir_all(self.journal(node)).unwrap();
    }

    /// The admin's side of a running process.
    pub fn admin(&self, program: &Program) -> Admin {
        Admin { address: program.address, key: self.admin_key.clone() }
    }
}

async fn listen(simulator: &Simulator) -> (SocketAddr, oneshot::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let simulator = simulator.clone();
    tokio::spawn(async move { simulator.serve(listener, async { drop(stopped.await) }).await });
    (address, stop)
}

/// A shell that puts a file system in memory at a folder, for itself and its children alone, and there runs `init` and
/// `serve`. It needs no rights but those that user namespaces give.
fn small_disk(folder: &Path, bytes: u64) -> tokio::process::Command {
    let script = format!(
        "mount -t tmpfs -o mode=0700,size={bytes} tmpfs \"$1\" && \"$2\" init --config \"$3\" && exec \"$2\" serve --config \"$3\""
    );
    let mut command = tokio::process::Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script, "sh"]).arg(folder);
    command
}

/// An admin of one process.
#[derive(Clone)]
pub struct Admin {
    address: SocketAddr,
    key: String,
}

impl Admin {
    /// A deed that must succeed; answers the JSON.
    pub async fn deed(&self, method: &str, path: &str, body: Value) -> Value {
        let body = body.to_string();
        let answer = send(self.address, request(method, path, &self.key, Some(body.as_bytes()))).await;
        assert!(answer.status.is_success(), "{method} {path}: {} {}", answer.status, answer.text());
        answer.json()
    }

    /// A question that must be answered.
    pub async fn ask(&self, path: &str) -> Value {
        let answer = send(self.address, request("GET", path, &self.key, None)).await;
        assert!(answer.status.is_success(), "GET {path}: {} {}", answer.status, answer.text());
        answer.json()
    }

    /// Makes a workspace with its first member and an upstream credential of its own; answers its id.
    pub async fn workspace(&self, name: &str, member: &str, credential: &str) -> String {
        let body = json!({"name": name, "admin_user_id": member});
        let made = self.deed("POST", "/v1/admin/workspaces", body).await;
        let id = made["uuid"].as_str().unwrap_or_else(|| panic!("no id in {made}")).to_owned();
        self.credential(&id, credential).await;
        id
    }

    /// Gives a workspace an upstream credential of its own.
    pub async fn credential(&self, workspace: &str, credential: &str) {
        let body = json!({"name": credential, "key": credential, "workspace_id": workspace});
        self.deed("POST", "/v1/gateway/upstreams", body).await;
    }

    /// Makes a person with a mail address; answers the id.
    pub async fn user(&self, email: &str) -> String {
        let body = json!([{"email": email, "first_name": "A", "last_name": "B"}]);
        let made = self.deed("POST", "/v1/admin/users", body).await;
        made["email_to_user_id"][email].as_str().unwrap_or_else(|| panic!("no id in {made}")).to_owned()
    }

    /// Makes a key; answers its secret and its id. The fields go into the body beside the name.
    pub async fn key(&self, name: &str, fields: Value) -> (String, String) {
        let mut body = json!({"name": name});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let made = self.deed("POST", "/v1/api-keys", body).await;
        (made["key"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned())
    }
}
