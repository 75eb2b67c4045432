//! `louver apply` and `louver export`: the real program against a running node.

use louver_control::actions::admin_keys;
use louver_control::context::Context;
use louver_domain::id::UserId;
use louver_domain::keys::AdminHolder;
use louver_domain::time::Clock;
use louver_proving::program;
use louver_proving::system::{System, eventually, offline};
use louver_store::organizations;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder with a file in it, and what came of the program's last run.
struct Bench {
    system: System,
    folder: TempDir,
    environment: Vec<(&'static str, String)>,
}

/// What a run printed and how it ended.
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Run {
    fn well(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{}", self.out);
        self.out
    }

    fn badly(self) -> String {
        self.ended(1)
    }

    fn ended(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        self.err
    }
}

impl Bench {
    async fn set_up() -> Self {
        let system = System::start().await;
        let environment = vec![
            ("LOUVER_URL", format!("http://{}", system.address)),
            ("LOUVER_ADMIN_KEY", system.admin_key.clone()),
        ];
        Self { system, folder: tempfile::tempdir().unwrap(), environment }
    }

    async fn run(&self, arguments: &[&str]) -> Run {
        let mut command = program::command();
        command.args(arguments).current_dir(self.folder.path()).envs(self.environment.clone());
        let output = command.output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn apply(&self, file: &str, options: &[&str]) -> Run {
        fs::write(self.path("louver.yaml"), file).unwrap();
        self.run(&[&["apply", "-f", "louver.yaml"], options].concat()).await
    }

    async fn list(&self, path: &str) -> Vec<Value> {
        self.system.admin("GET", path, None).await.json()["data"].as_array().unwrap().clone()
    }

    fn secret(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap().trim().to_owned()
    }
}

fn names(list: &[Value]) -> Vec<&str> {
    list.iter().map(|item| item["name"].as_str().unwrap()).collect()
}

fn example() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples/three-workspaces.yaml");
    fs::read_to_string(path).unwrap()
}

#[tokio::test]
async fn the_example_is_built_once_and_its_keys_work() {
    let bench = Bench::set_up().await;
    fs::create_dir(bench.path("keys")).unwrap();
    let planned = bench.apply(&example(), &["--dry-run"]).await.well();
    assert!(planned.contains("+ workspace dev-workspace: "), "{planned}");
    assert!(planned.contains("+ key prod-backend in prod-workspace: "), "{planned}");
    assert_eq!(fs::read_dir(bench.path("keys")).unwrap().count(), 0);
    assert_eq!(bench.list("/v1/gateway/workspaces").await.len(), 1, "a dry run makes nothing");

    let done = bench.apply(&example(), &[]).await.well();
    assert!(done.starts_with(&planned) && done.ends_with("23 of 23 steps done.\n"), "{done}");
    for name in ["dev-team-key", "ml-team-key", "prod-backend", "prod-ci"] {
        let path = bench.path("keys").join(name);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!done.contains(&bench.secret(&format!("keys/{name}"))), "a secret was printed");
    }
    let workspaces = bench.list("/v1/gateway/workspaces").await;
    let ml = workspaces.iter().find(|w| w["name"] == "ml-workspace").unwrap();
    assert_eq!(ml["limits"]["monthly_budget_usd"], 500);
    assert_eq!(ml["limits"]["requests_per_minute"], 200);

    let dev = bench.secret("keys/dev-team-key");
    let backend = bench.secret("keys/prod-backend");
    assert_eq!(bench.system.chat(&dev, "mistral-small-latest").await.status, 200);
    assert_eq!(
        bench.system.chat(&dev, "mistral-large-latest").await.verdict(),
        (403, "model_not_allowed".into())
    );
    assert_eq!(bench.system.chat(&backend, "mistral-large-latest").await.status, 200);

    assert_eq!(bench.apply(&example(), &["--prune"]).await.well(), "No changes.\n");
    assert_eq!(bench.list("/v1/api-keys").await.len(), 4);
}

#[tokio::test]
async fn an_export_changes_nothing_when_it_is_applied() {
    let bench = Bench::set_up().await;
    fs::create_dir(bench.path("keys")).unwrap();
    bench.apply(&example(), &[]).await.well();
    let file = bench.run(&["export"]).await.well();
    assert_eq!(bench.apply(&file, &["--prune"]).await.well(), "No changes.\n");
    assert!(!file.contains("lvr_"), "{file}");
    let workspaces = bench.run(&["export", "--only", "workspaces"]).await.well();
    assert_eq!(bench.apply(&workspaces, &[]).await.well(), "No changes.\n");
    let json = bench.run(&["export", "--json"]).await.well();
    assert!(serde_json::from_str::<Value>(&json).is_ok());
    assert_eq!(bench.apply(&json, &[]).await.well(), "No changes.\n");
    let changed = file.replace("rate_limit_rpm: 400", "rate_limit_rpm: 399");
    assert_eq!(
        bench.apply(&changed, &[]).await.well(),
        "~ key prod-backend in prod-workspace: rate_limit_rpm 400 -> 399\n1 of 1 steps done.\n"
    );
}

const SMALL: &str = "
organization: {name: Acme, limits: {requests_per_minute: 600, timezone: Europe/Paris}}
model_roles:
  - {name: analyst, daily_token_budget: 5000}
  - {name: tester, allowed_models: [mistral-small-latest], max_tokens_per_request: 100}
workspaces:
  - {name: default, limits: {requests_per_minute: 500, max_key_lifetime_days: 30}}
service_accounts:
  - {name: bot, workspace: default, role: tester}
keys:
  - {name: a, workspace: default, rate_limit_rpm: 400, service_account: bot, secret_file: a.key, enabled: false,
     expires_at: '2030-01-01T00:00:00Z', allowed_cidrs: [127.0.0.0/8], limits: {hourly_budget_usd: 0.25}}
  - {name: b, workspace: default, role: tester, secret_file: b.key}
alert_channels:
  - {name: hook, kind: webhook, url: 'https://hooks.example.com/${HOOK}', secret_file: hook.secret}
  - {name: chat, kind: slack, url: 'https://slack.example.com/${HOOK}', enabled: false}
";

#[tokio::test]
async fn every_section_comes_to_rest_after_one_run() {
    let mut bench = Bench::set_up().await;
    let refused = bench.apply(SMALL, &[]).await.badly();
    assert!(refused.contains("alert channel chat: the environment has no HOOK"), "{refused}");
    bench.environment.push(("HOOK", "T0/hidden-part".into()));
    let done = bench.apply(SMALL, &[]).await.well();
    assert!(done.contains("~ model role analyst: daily_token_budget 100000 -> 5000\n"), "{done}");
    assert!(done.contains("+ alert channel hook: host hooks.example.com, kind webhook\n"), "{done}");
    assert!(!done.contains("hidden-part"), "{done}");
    assert!(bench.secret("hook.secret").starts_with("whsec_"));
    assert_eq!(bench.apply(SMALL, &["--prune"]).await.well(), "No changes.\n");

    let keys = bench.list("/v1/api-keys").await;
    let key = keys.iter().find(|key| key["name"] == "a").unwrap();
    assert_eq!(key["status"], "disabled");
    assert_eq!(key["limits"]["hourly_budget_usd"], 0.25);
    assert_eq!(key["expires_at"], "2026-12-21T10:00:00Z", "as long as a key may live here");

    let lower = SMALL.replace("600", "300").replace("500,", "200,").replace("400", "100");
    let plan = bench.apply(&lower, &["--json"]).await.well();
    let plan: Value = serde_json::from_str(&plan).unwrap();
    let order: Vec<&str> =
        plan["steps"].as_array().unwrap().iter().map(|s| s["noun"].as_str().unwrap()).collect();
    assert_eq!(order, ["key", "workspace", "organization"]);
    assert_eq!(plan["done"], 3);
    let change = json!({"field": "requests_per_minute", "before": 600, "after": 300});
    assert_eq!(plan["steps"][2]["changes"], json!([change]));
    let higher = bench.apply(SMALL, &[]).await.well();
    assert!(
        higher.starts_with("~ organization: requests_per_minute 300 -> 600\n~ workspace default: "),
        "{higher}"
    );
    let moved = SMALL.replace("hooks.example.com", "hooks.example.org");
    let moved = bench.apply(&moved, &[]).await.well();
    assert!(
        moved.starts_with("~ alert channel hook: host hooks.example.com -> hooks.example.org\n"),
        "{moved}"
    );
}

#[tokio::test]
async fn what_the_file_does_not_name_is_left_or_pruned() {
    let mut bench = Bench::set_up().await;
    bench.environment.push(("HOOK", "x".into()));
    bench.apply(SMALL, &[]).await.well();
    let secret = bench.secret("b.key");
    let less = "keys: []\nalert_channels: []\nmodel_roles: [{name: tester}]\n";
    let left = bench.apply(less, &[]).await.well();
    assert_eq!(
        left,
        "No changes.\nNot in the file and left alone (--prune removes them): key a in default, key b in default, \
         alert channel chat, alert channel hook\n"
    );
    assert_eq!(bench.system.chat(&secret, "mistral-small-latest").await.status, 200);
    let pruned = bench.apply(less, &["--prune"]).await.well();
    assert!(
        pruned.starts_with("- alert channel hook\n- alert channel chat\n- key b in default\n"),
        "{pruned}"
    );
    eventually(async || {
        (bench.system.chat(&secret, "mistral-small-latest").await.status == 401).then_some(())
    })
    .await;
    assert_eq!(bench.list("/v1/gateway/alert-channels").await.len(), 0);
    assert_eq!(bench.list("/v1/gateway/service-accounts").await.len(), 1, "the file has no such list");
    let roles = bench.list("/v1/gateway/roles").await;
    assert!(names(&roles).contains(&"analyst"), "built-in roles stay");
    assert_eq!(
        bench.apply("workspaces: []\n", &["--prune"]).await.well(),
        "No changes.\n",
        "the default one stays"
    );
    assert_eq!(bench.apply(less, &["--prune"]).await.well(), "No changes.\n");
}

#[tokio::test]
async fn a_run_that_failed_is_taken_up_where_it_stopped() {
    let bench = Bench::set_up().await;
    let limits = format!("/v1/gateway/workspaces/{}/limits", bench.system.workspace);
    bench.system.deed("PATCH", &limits, json!({"requests_per_minute": 10})).await;
    let file = "
keys:
  - {name: a, workspace: default, secret_file: a.key}
  - {name: b, workspace: default, rate_limit_rpm: 11, secret_file: b.key}
  - {name: c, workspace: default, secret_file: c.key}
";
    let run = bench.apply(file, &[]).await;
    assert!(run.out.contains("+ key c in default"), "the whole plan is shown: {}", run.out);
    let error = run.badly();
    assert!(error.contains("+ key b in default: rate_limit_rpm 11"), "{error}");
    assert!(
        error.contains("POST /v1/api-keys was refused with 422: rate_limit_rpm: stands above"),
        "{error}"
    );
    assert!(error.contains("1 of 3 steps were done before"), "{error}");
    assert!(bench.path("a.key").exists() && !bench.path("b.key").exists() && !bench.path("c.key").exists());
    let again = bench.apply(&file.replace("11", "9"), &[]).await.well();
    assert!(again.ends_with("2 of 2 steps done.\n") && !again.contains("key a"), "{again}");
    assert_eq!(bench.list("/v1/api-keys").await.len(), 3);

    let occupied = "keys: [{name: d, workspace: default, secret_file: d.key}, {name: a, workspace: default, secret_file: a.key}]";
    fs::write(bench.path("d.key"), "").unwrap();
    let error = bench.apply(occupied, &[]).await.badly();
    assert_eq!(error, "louver: key d in default: secret_file d.key is there already\n");
    assert_eq!(bench.list("/v1/api-keys").await.len(), 3);
    let unnamed = bench.apply("keys: [{name: e, workspace: default}]", &[]).await.badly();
    assert!(unnamed.contains("key e in default: a new key needs secret_file"), "{unnamed}");
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_told_before_anything_is_asked() {
    let mut bench = Bench::set_up().await;
    // Nobody listens there.
    bench.environment[0].1 = "http://127.0.0.1:1".into();
    for (file, said, code) in [
        (
            "keys:\n  - name: a\n    workspce: dev\n",
            "louver.yaml: line 3, column 5: unknown field `workspce`",
            1,
        ),
        ("keys: []\nkeys: []\n", "louver.yaml: line 2, column 1: duplicate mapping key: keys", 1),
        (
            "workspaces: []\nkeys: [{name: a, workspace: dev, secret_file: a}]",
            "louver.yaml: key a in dev: there is no workspace dev in the file",
            1,
        ),
        ("organization: {name: Acme}", "GET /v1/gateway/organization: no connection to 127.0.0.1:1: ", 5),
    ] {
        let error = bench.apply(file, &[]).await.ended(code);
        assert!(error.starts_with(&format!("louver: {said}")), "{error}");
    }
    bench.environment[0].1 = format!("http://{}", bench.system.address);
    let missing = bench.apply("keys: [{name: a, workspace: dev, secret_file: a}]", &[]).await.badly();
    assert_eq!(missing, "louver: key a in dev: there is no workspace dev in this organization\n");
    bench.environment[1].1 = "lva_wrong".into();
    let error = bench.apply("organization: {name: Acme}", &[]).await.ended(4);
    assert!(
        error.contains("was refused with 401: Unauthorized (is LOUVER_ADMIN_KEY an admin key"),
        "{error}"
    );
    bench.environment.pop();
    let error = bench.apply("organization: {name: Acme}", &[]).await.ended(4);
    assert!(error.starts_with("louver: LOUVER_ADMIN_KEY is not set: it holds an admin key"), "{error}");
}

#[tokio::test]
async fn several_keys_of_one_name_are_not_guessed_at() {
    let bench = Bench::set_up().await;
    bench.system.key(json!({"name": "twin"})).await;
    bench.system.key(json!({"name": "twin"})).await;
    let file = "keys: [{name: twin, workspace: default, rate_limit_rpm: 5}]";
    let error = bench.apply(file, &[]).await.badly();
    assert!(error.contains("key twin in default: there are several of that name"), "{error}");
    assert_eq!(
        bench.apply("keys: []", &["--prune"]).await.well(),
        "- key twin in default\n1 of 1 steps done.\n"
    );
    let active = bench.list("/v1/api-keys?status=active").await;
    assert!(active.is_empty(), "both are revoked: {active:?}");
}

const PEOPLE: &str = "
roles:
  - {name: key-manager, level: workspace, description: Makes keys, permissions: [workspace.read, api_key.create, api_key.read]}
  - {name: auditor, level: organization, permissions: [audit_log.read]}
model_roles:
  - {name: tester, allowed_models: [mistral-small-latest]}
members:
  - {email: ann@example.com, name: Ann Example, roles: [organization_admin]}
  - {email: bob@example.com, roles: [member, auditor], limits: {daily_budget_usd: 5}}
  - {email: cleo@example.com}
groups:
  - {name: everybody, organization_role: member, target_type: O, members: [bob@example.com, cleo@example.com]}
  - {name: engineers, description: They build, target_type: W, parents: [everybody], members: [cleo@example.com]}
workspaces:
  - name: default
  - name: team
    description: A team
    icon: T
    limits: {key_creation: members}
    members:
      - {email: ann@example.com, roles: [workspace_admin], model_role: senior}
      - {email: bob@example.com, roles: [key-manager, dev], model_role: tester}
    groups:
      - {group: engineers, roles: [dev], model_role: tester}
service_accounts:
  - {name: ci, workspace: team, role: developer, roles: [key-manager, billing]}
  - {name: bare, workspace: team}
keys:
  - {name: bobs, workspace: team, owner: bob@example.com, secret_file: bobs.key}
  - {name: cis, workspace: team, service_account: ci, role: tester, secret_file: cis.key}
alert_channels:
  - {name: hook, kind: webhook, url: 'https://hooks.example.com/a', secret_file: hook.secret}
";

/// The first of a list whose field is that.
fn with<'a>(list: &'a [Value], field: &str, value: &str) -> &'a Value {
    list.iter().find(|item| item[field] == value).unwrap_or_else(|| panic!("no {value} in {list:?}"))
}

#[tokio::test]
async fn people_groups_and_roles_come_to_rest_after_one_run() {
    let bench = Bench::set_up().await;
    let done = bench.apply(PEOPLE, &[]).await.well();
    assert!(done.contains("+ service account ci in team: role developer"), "{done}");
    assert_eq!(bench.apply(PEOPLE, &["--prune"]).await.well(), "No changes.\n");

    let people = bench.list("/v1/gateway/users").await;
    assert_eq!(with(&people, "email", "ann@example.com")["role_names"], json!(["organization_admin"]));
    let accounts = bench.list("/v1/gateway/service-accounts").await;
    assert_eq!(with(&accounts, "name", "ci")["roles"].as_array().unwrap().len(), 2);
    let team = with(&bench.list("/v1/gateway/workspaces").await, "name", "team").clone();
    assert_eq!(team["icon"], "T");
    let groups = format!("/v1/gateway/workspaces/{}/groups", team["id"].as_str().unwrap());
    let groups = bench.list(&groups).await;
    assert_eq!((&groups[0]["name"], &groups[0]["role"]), (&json!("engineers"), &json!("tester")));
    let bobs = bench.secret("bobs.key");
    assert_eq!(bench.system.chat(&bobs, "mistral-small-latest").await.status, 200);
    assert_eq!(
        bench.system.chat(&bobs, "mistral-large-latest").await.verdict(),
        (403, "model_not_allowed".into())
    );

    let exported = bench.run(&["export"]).await.well();
    assert_eq!(bench.apply(&exported, &["--prune"]).await.well(), "No changes.\n", "{exported}");
    for said in ["target_type: W", "icon: T", "parents:", "model_role: tester", "key-manager"] {
        assert!(exported.contains(said), "{said}: {exported}");
    }
}

#[tokio::test]
async fn what_changes_about_people_is_shown_and_done_and_pruned() {
    let bench = Bench::set_up().await;
    bench.apply(PEOPLE, &[]).await.well();
    let changed = PEOPLE
        .replace("roles: [member, auditor]", "roles: [billing_manager]")
        .replace("icon: T", "icon: null")
        .replace("target_type: W, parents: [everybody]", "target_type: O, parents: []")
        .replace("roles: [dev], model_role: tester", "roles: [user], model_role: null")
        .replace("role: developer, roles: [key-manager, billing]", "role: null, roles: []");
    let done = bench.apply(&changed, &[]).await.well();
    for line in [
        "~ member bob@example.com: roles [\"auditor\",\"member\"] -> [\"billing_manager\"]\n",
        "~ workspace team: icon T -> none\n",
        "~ workspace group engineers in team: model_role tester -> none, roles [\"dev\"] -> [\"user\"]\n",
        "~ service account ci in team: role developer -> none, roles [\"billing\",\"key-manager\"] -> []\n",
    ] {
        assert!(done.contains(line), "{line}{done}");
    }
    assert_eq!(bench.apply(&changed, &[]).await.well(), "No changes.\n");

    let keys_end = PEOPLE.find("service_accounts:").unwrap();
    let less = PEOPLE[..keys_end]
        .replace("      - {email: bob@example.com, roles: [key-manager, dev], model_role: tester}\n", "")
        .replace("  - {email: cleo@example.com}\n", "")
        .replace("members: [bob@example.com, cleo@example.com]", "members: [bob@example.com]")
        .replace(", members: [cleo@example.com]", ", members: []");
    let pruned = bench.apply(&format!("{less}service_accounts: []\n"), &["--prune"]).await.well();
    for line in [
        "- service account ci in team\n",
        "- service account bare in team\n",
        "- workspace member bob@example.com in team\n",
        "- group member cleo@example.com in engineers\n",
        "- member cleo@example.com\n",
    ] {
        assert!(pruned.contains(line), "{line}{pruned}");
    }
    assert_eq!(
        bench.apply(&format!("{less}service_accounts: []\n"), &["--prune"]).await.well(),
        "No changes.\n"
    );
    let keys = bench.list("/v1/api-keys").await;
    assert_eq!(with(&keys, "name", "bobs")["status"], "disabled", "the owner left");
    assert!(!names(&keys).contains(&"cis"), "the account is gone, and its key with it");
}

#[tokio::test]
async fn the_person_whose_admin_key_it_is_is_never_pruned() {
    let mut bench = Bench::set_up().await;
    bench.apply("members: [{email: ann@example.com, roles: [organization_admin]}, {email: bob@example.com, roles: [organization_admin]}]", &[]).await.well();
    let ann = with(&bench.list("/v1/gateway/users").await, "email", "ann@example.com")["id"].clone();
    let control = offline(&bench.system.store, &bench.system.clock);
    let organization = organizations::list(&bench.system.store).await.unwrap()[0].id;
    let context = Context::system(organization, bench.system.clock.now());
    let holder = AdminHolder::User(UserId::parse(ann.as_str().unwrap()).unwrap());
    let made = admin_keys::create_for(&control, &context, holder, "own", None).await.unwrap();
    bench.environment[1].1 = made.1.secret.expose().clone();
    assert_eq!(
        bench.apply("members: []", &["--prune"]).await.well(),
        "- member bob@example.com\n1 of 1 steps done.\n"
    );
    assert_eq!(bench.apply("members: []", &["--prune"]).await.well(), "No changes.\n");
}

const ROTATED: &str = "
organization: {rotation: {period_days: 90, destinations: [receiver, vault], window_start: '02:00', window_end: '04:00'}}
members: [{email: ann@example.com, roles: [organization_admin]}]
workspaces:
  - {name: default}
  - {name: team, rotation: {overlap_hours: 48, destinations: [own]}}
secret_destinations:
  - {name: vault, kind: vault, settings: {address: 'https://vault.example.com', location: 'louver/{id}'},
     credentials: {role_id: '${ROLE_ID}', secret_id: '${SECRET_ID}'}}
  - {name: receiver, kind: webhook, settings: {url: 'https://keys.example.com/louver'}, secret_file: signing}
  - {name: own, kind: aws, workspace: team, enabled: false, settings: {region: eu-west-1, location: 'l/{key}'},
     credentials: {access_key_id: AKIA, secret_access_key: '${SECRET_ID}'}}
keys:
  - {name: k, workspace: team, secret_file: k.key, rotation: {on_old_use: cut, jitter_hours: 12}}
";

#[tokio::test]
async fn destinations_and_rotation_policies_come_to_rest_and_are_exported() {
    let mut bench = Bench::set_up().await;
    let refused = bench.apply(ROTATED, &[]).await.badly();
    assert!(
        refused.contains("secret destination vault: credentials: role_id the environment has no"),
        "{refused}"
    );
    bench.environment.extend([("ROLE_ID", "the-role".into()), ("SECRET_ID", "hidden-part".into())]);
    let done = bench.apply(ROTATED, &[]).await.well();
    assert!(!done.contains("hidden-part") && !done.contains("the-role"), "{done}");
    assert!(bench.secret("signing").starts_with("whsec_"));
    let destinations = bench.list("/v1/gateway/secret-destinations").await;
    assert_eq!(names(&destinations), ["own", "receiver", "vault"]);
    assert_eq!(
        (&destinations[0]["enabled"], &destinations[2]["settings"]["mount"]),
        (&json!(false), &json!("secret"))
    );
    assert_eq!(destinations[2]["credentials"], json!(["role_id", "secret_id"]));
    let policies = bench.list("/v1/gateway/rotation-policies").await;
    let policy = |scope: &str| policies.iter().find(|policy| policy["scope"] == scope).unwrap();
    assert_eq!((policies.len(), &policy("workspace")["overlap_hours"]), (3, &json!(48)));
    assert_eq!(policy("workspace")["destinations"], json!([destinations[0]["id"]]));
    assert_eq!(
        (&policy("key")["on_old_use"], &policy("organization")["window_end"]),
        (&json!("cut"), &json!("04:00"))
    );
    assert_eq!(bench.apply(ROTATED, &["--prune"]).await.well(), "No changes.\n");
    let file = bench.run(&["export"]).await.well();
    assert!(file.contains("period_days: 90") && !file.contains("hidden-part"), "{file}");
    assert_eq!(bench.apply(&file, &["--prune"]).await.well(), "No changes.\n");
    let some = bench.run(&["export", "--only", "keys,secret_destinations"]).await.well();
    assert_eq!(bench.apply(&some, &["--prune"]).await.well(), "No changes.\n");

    // To another server the credentials go along; without them Louver sends none there.
    let moved = ROTATED.replace("vault.example.com", "vault.example.org");
    let line = bench.apply(&moved, &[]).await.well();
    assert!(
        line.starts_with("~ secret destination vault: settings ") && line.contains("example.org"),
        "{line}"
    );
    let bare = file.replace("vault.example.com", "vault.example.net");
    let refused = bench.apply(&bare, &[]).await.badly();
    assert!(refused.contains("credentials") && refused.contains("given anew"), "{refused}");
    // A policy is the whole of what its place says, and a destination that it names no more can go.
    let less = moved
        .replace(
            "destinations: [receiver, vault], window_start: '02:00', window_end: '04:00'",
            "destinations: [vault]",
        )
        .replace("rotation: {on_old_use: cut, jitter_hours: 12}", "rotation: null");
    let start = less.find("  - {name: receiver").unwrap();
    let end = less.find("  - {name: own").unwrap();
    let less = format!("{}{}", &less[..start], &less[end..]);
    let done = bench.apply(&less, &["--prune"]).await.well();
    assert!(
        done.contains("~ key k in team: rotation ") && done.contains("- secret destination receiver\n"),
        "{done}"
    );
    assert_eq!(bench.list("/v1/gateway/rotation-policies").await.len(), 2);
    assert_eq!(bench.apply(&less, &["--prune"]).await.well(), "No changes.\n");
}
