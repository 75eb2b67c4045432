//! Files that are read, and files that are refused before anything is asked of Louver.

use super::*;
use serde_json::json;

fn reading(text: &str) -> Result<Reading, Vec<String>> {
    let environment: Environment = [("HOOK".to_owned(), "T0/secret".to_owned())].into();
    read(&file::read(text).unwrap(), Path::new("/etc/louver"), &environment)
}

#[test]
fn things_are_in_the_form_that_louver_shows() {
    let text = "
organization: {name: Acme, limits: {monthly_budget_usd: 1000.50}}
members: [{email: Ann@Example.org, roles: [organization_admin, member, member]}]
workspaces:
  - name: dev
    description: ''
    limits: {requests_per_minute: 60, allowed_models: null}
    members: [{email: ANN@example.org}]
keys:
  - {name: k, workspace: dev, owner: Ann@example.org, secret_file: keys/k, expires_at: '2027-01-01T00:00:00+01:00',
     allowed_cidrs: [192.0.2.7], limits: {hourly_budget_usd: 0.25}}
alert_channels:
  - {name: ops, kind: slack, url: 'https://Hooks.Example.com/${HOOK}'}
  - {name: mail, kind: email, to: [Ops@example.org], enabled: false}
";
    let read = reading(text).unwrap_or_else(|errors| panic!("{errors:?}"));
    let shown = |id: &Id| serde_json::to_value(&read.wanted.items[id]).unwrap();
    assert_eq!(shown(&Id::organization()), json!({"name": "Acme", "monthly_budget_usd": 1000.5}));
    assert_eq!(shown(&Id::member("ann@example.org")), json!({"roles": ["member", "organization_admin"]}));
    assert_eq!(
        shown(&Id::workspace("dev")),
        json!({"description": null, "requests_per_minute": 60, "allowed_models": null})
    );
    assert_eq!(shown(&Id::within(Noun::WorkspaceMember, "dev", "ann@example.org")), json!({}));
    assert_eq!(
        shown(&Id::within(Noun::Key, "dev", "k")),
        json!({
            "owner": "ann@example.org",
            "expires_at": "2026-12-31T23:00:00Z",
            "allowed_cidrs": ["192.0.2.7/32"],
            "hourly_budget_usd": 0.25,
        })
    );
    let ops = Id::of(Noun::AlertChannel, "ops");
    assert_eq!(shown(&ops), json!({"kind": "slack", "host": "hooks.example.com"}));
    let url = read.hidden[&ops].url.as_ref().unwrap();
    assert_eq!(url.expose(), "https://Hooks.Example.com/T0/secret");
    let mail = Id::of(Noun::AlertChannel, "mail");
    assert_eq!(shown(&mail), json!({"kind": "email", "to": ["ops@example.org"], "enabled": false}));
    let file = read.hidden[&Id::within(Noun::Key, "dev", "k")].secret_file.as_ref().unwrap();
    assert_eq!(file, Path::new("/etc/louver/keys/k"));
}

#[test]
fn every_fault_is_told_at_once() {
    let text = "
roles: [{name: auditor, level: organization, permissions: []}]
members: [{email: ann@x.org}, {email: ANN@x.org}, {email: '', roles: []}]
groups: [{name: g, parents: [h], members: [bob@x.org, carl]}, {name: h, parents: [g]}]
workspaces:
  - {name: dev, members: [{email: ann@x.org, roles: [auditor, dev], model_role: writer}]}
model_roles: []
service_accounts: [{name: bot, workspace: prod}]
keys:
  - {name: k, workspace: dev, owner: ann@x.org, service_account: bot, secret_file: same}
  - {name: l, workspace: dev, secret_file: same, role: analyst}
  - {name: m, workspace: dev, secret_file: ''}
alert_channels:
  - {name: a, kind: slack, url: 'https://x/${NONE}'}
  - {name: b, kind: email, url: 'https://x'}
  - {name: c, kind: webhook, url: x, secret: whsec_x}
";
    let Err(mut errors) = reading(text) else { panic!("it was taken") };
    errors.sort();
    assert_eq!(
        errors,
        [
            "alert channel a: the environment has no NONE",
            "alert channel b: url belongs to webhooks and Slack",
            "alert channel c: url is not an address such as https://example.com/path",
            "group g: is nested in itself",
            "group h: is nested in itself",
            "group member bob@x.org in g: there is no member bob@x.org in the file",
            "group member carl in g: is not a mail address",
            "group member carl in g: there is no member carl in the file",
            "key k in dev: has one owner: a person or a service account",
            "key k in dev: there is no service account bot in dev in the file",
            "key l in dev: another secret goes to /etc/louver/same already",
            "key m in dev: secret_file must name a file",
            "member : roles must name one, or be left out",
            "member ann@x.org: stands in the file twice",
            "member: email must be 1 to 255 characters that can be seen",
            "service account bot in prod: there is no workspace prod in the file",
            "workspace member ann@x.org in dev: there is no model role writer in the file",
            "workspace member ann@x.org in dev: there is no workspace role auditor in the file",
        ]
    );
}

#[test]
fn destinations_and_policies_are_in_the_form_that_louver_shows() {
    let text = "
organization: {rotation: {period_days: 90, destinations: [w, v]}}
workspaces: [{name: dev, rotation: {}}]
secret_destinations:
  - {name: v, kind: vault, settings: {address: 'https://v', location: 'l/{id}'}, credentials: {token: '${HOOK}'}}
  - {name: w, kind: webhook, workspace: dev, settings: {url: 'https://x.org'}, secret_file: w}
  - {name: f, kind: file, enabled: false}
";
    let read = reading(text).unwrap_or_else(|errors| panic!("{errors:?}"));
    let shown = |id: &Id| serde_json::to_value(&read.wanted.items[id]).unwrap();
    let of = |name: &str| Id::of(Noun::SecretDestination, name);
    let policy = json!({"period_days": 90, "destinations": ["v", "w"]});
    assert_eq!(shown(&Id::organization()), json!({"rotation": policy}));
    assert_eq!(shown(&Id::workspace("dev")), json!({"rotation": null}));
    let settings = json!({
        "address": "https://v", "mount": "secret", "location": "l/{id}", "field": "api_key", "approle_mount": "approle",
    });
    let vault = json!({"kind": "vault", "settings": settings, "credentials": ["token"], "workspace": null});
    assert_eq!(shown(&of("v")), vault);
    assert_eq!(shown(&of("f")), json!({"kind": "file", "enabled": false, "workspace": null}));
    assert_eq!(shown(&of("w"))["workspace"], "dev");
    assert_eq!(read.hidden[&of("v")].credentials["token"].expose(), "T0/secret");
    let equipped: Vec<&str> = read.wanted.equipped.iter().map(|id| id.name.as_str()).collect();
    assert_eq!(equipped, ["v", "w"], "a file needs settings to be made");
}

#[test]
fn faults_of_destinations_and_policies_are_told() {
    let text = "
organization: {rotation: {window_start: '02:00', destinations: [nowhere]}}
secret_destinations:
  - {name: a, kind: vault, settings: {address: 'https://v', place: x}}
  - {name: b, kind: vault, settings: {address: 'https://v', location: 'l/{id}'}, credentials: {token: '${NONE}'}}
  - {name: c, kind: aws, credentials: {token: x}}
  - {name: d, kind: file, secret_file: s}
  - {name: e, kind: webhook, credentials: {secret: whsec_x}, secret_file: s}
  - {name: f, kind: file, workspace: gone, settings: {location: '/x/{odd}'}}
workspaces: []
";
    let Err(errors) = reading(text) else { panic!("it was taken") };
    let made = "secret_file is for the secret that Louver makes for a webhook without credentials";
    for said in [
        "organization: window_start and window_end of rotation go together",
        "organization: there is no secret destination nowhere in the file",
        "secret destination b: credentials: token the environment has no NONE",
        "secret destination c: credentials: must be access_key_id and secret_access_key, with or without session_token",
        &format!("secret destination d: {made}"),
        &format!("secret destination e: {made}"),
    ] {
        assert!(errors.iter().any(|error| error == said), "{said}: {errors:#?}");
    }
    for begun in ["secret destination a: settings: unknown field `place`", "secret destination f: settings: "]
    {
        assert!(errors.iter().any(|error| error.starts_with(begun)), "{begun}: {errors:#?}");
    }
}

#[test]
fn limits_of_a_file_fit_together() {
    let text = "
organization: {limits: {monthly_budget_usd: 100, requests_per_minute: 50}}
members: [{email: ann@x.org, limits: {hourly_budget_usd: 0.5}}]
workspaces: [{name: dev, limits: {monthly_budget_usd: 100.01, tokens_per_minute: 7}}]
keys:
  - {name: k, workspace: dev, owner: ann@x.org, rate_limit_rpm: 51, tokens_per_minute: 7, limits: {hourly_budget_usd: 0.6}}
";
    let Err(errors) = reading(text) else { panic!("it was taken") };
    assert_eq!(
        errors,
        [
            "workspace dev: monthly_budget_usd stands above the same limit of organization",
            "key k in dev: rate_limit_rpm stands above the same limit of organization",
            "key k in dev: hourly_budget_usd stands above the same limit of member ann@x.org",
        ]
    );
}

#[test]
fn the_lists_of_a_file_are_what_may_be_pruned() {
    let read = reading("workspaces: [{name: dev, members: []}, {name: ml}]\nkeys: []\n");
    let wanted = read.unwrap_or_else(|errors| panic!("{errors:?}")).wanted;
    let covered = |id: Id| wanted.covers(&id);
    assert!(covered(Id::workspace("old")));
    assert!(covered(Id::within(Noun::WorkspaceMember, "dev", "ann")));
    assert!(!covered(Id::within(Noun::WorkspaceMember, "ml", "ann")));
    assert!(!covered(Id::within(Noun::WorkspaceGroup, "dev", "g")));
    assert!(covered(Id::within(Noun::Key, "ml", "k")));
    assert!(!covered(Id::member("ann")));
}

#[test]
fn the_file_of_the_documentation_is_a_file() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/config-as-code.md");
    let page = std::fs::read_to_string(page).unwrap();
    let text = page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let environment = ["OPS_HOOK", "SLACK_URL", "VAULT_ROLE_ID", "VAULT_SECRET_ID"]
        .map(|name| (name.to_owned(), "https://x.org".to_owned()));
    let read = read(&file::read(text).unwrap(), Path::new(""), &environment.into());
    let wanted = read.unwrap_or_else(|errors| panic!("{errors:?}")).wanted;
    let nouns: BTreeSet<Noun> = wanted.items.keys().map(|id| id.noun).collect();
    assert_eq!(nouns.into_iter().collect::<Vec<_>>(), Noun::ALL, "it shows everything");
}
