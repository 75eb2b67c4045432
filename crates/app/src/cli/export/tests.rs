//! An export is a file of which nothing needs to be done.

use super::*;
use crate::cli::apply::plan::Found;
use crate::cli::apply::{file, plan, wanted};
use serde_json::{Value, json};
use std::path::Path;

fn present() -> Present {
    let found = |value: Value| Found {
        fields: value.as_object().cloned().unwrap_or_default().into_iter().collect(),
        ..Found::default()
    };
    let items = [
        (
            Id::organization(),
            json!({
                "name": "no: yes", "billing_active": true, "monthly_budget_usd": 0.02,
                "rotation": {"period_days": 90, "destinations": ["v"], "window_start": "02:00", "window_end": "04:00"},
            }),
        ),
        (
            Id::of(Noun::Role, "keys"),
            json!({"level": "workspace", "permissions": ["api_key.create"], "description": null}),
        ),
        (Id::of(Noun::ModelRole, "analyst"), json!({"allowed_models": ["*"], "daily_token_budget": null})),
        (Id::member("ann@x.org"), json!({"name": "Ann", "roles": ["member"], "tokens_per_month": 5})),
        (Id::workspace("default"), json!({"description": null, "mode": null})),
        (
            Id::workspace("dev"),
            json!({"description": "All\ndevelopers", "mode": "shadow", "alert_thresholds": [50]}),
        ),
        (Id::of(Noun::Group, "g"), json!({"description": "d", "organization_role": null, "parents": []})),
        (Id::of(Noun::Group, "h"), json!({"parents": ["g"], "organization_role": "member"})),
        (Id::within(Noun::GroupMember, "g", "ann@x.org"), json!({})),
        (
            Id::within(Noun::WorkspaceMember, "dev", "ann@x.org"),
            json!({"roles": ["keys"], "model_role": "analyst"}),
        ),
        (Id::within(Noun::WorkspaceGroup, "dev", "g"), json!({"roles": ["dev"], "model_role": null})),
        (Id::within(Noun::ServiceAccount, "dev", "bot"), json!({"role": "analyst", "roles": []})),
        (
            Id::of(Noun::SecretDestination, "v"),
            json!({
                "kind": "vault", "workspace": null, "enabled": true, "credentials": ["token"],
                "settings": {"address": "https://vault.example.com", "mount": "secret", "location": "louver/{id}",
                    "field": "api_key", "approle_mount": "approle"},
            }),
        ),
        (
            Id::of(Noun::SecretDestination, "w"),
            json!({
                "kind": "webhook", "workspace": "dev", "enabled": false, "credentials": ["secret"],
                "settings": {"url": "https://x.org/a"},
            }),
        ),
        (
            Id::within(Noun::Key, "dev", "k"),
            json!({
                "rotation": {"on_old_use": "cut"},
                "service_account": "bot", "owner": null, "enabled": false, "rate_limit_rpm": 5,
                "hourly_budget_usd": 1, "expires_at": "2027-01-01T00:00:00Z", "allowed_cidrs": ["::1/128"],
                "allowed_endpoints": ["chat.completions"],
            }),
        ),
        (
            Id::of(Noun::AlertChannel, "ops"),
            json!({"kind": "slack", "host": "x.org", "to": null, "enabled": true}),
        ),
    ];
    Present { items: items.into_iter().map(|(id, value)| (id, found(value))).collect() }
}

#[test]
fn nothing_needs_to_be_done_of_an_export() {
    let text = write(&present(), &BTreeSet::new(), &Section::ALL).yaml();
    let file = file::read(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let reading =
        wanted::read(&file, Path::new(""), &Environment::new()).unwrap_or_else(|e| panic!("{e:?}\n{text}"));
    assert_eq!(reading.wanted.items.keys().collect::<Vec<_>>(), present().items.keys().collect::<Vec<_>>());
    let plan = plan::plan(&reading.wanted, &present(), true).unwrap();
    assert_eq!(plan, plan::Plan::default(), "{text}");
    let json = write(&present(), &BTreeSet::new(), &Section::ALL).json();
    assert!(file::read(&json).is_ok(), "JSON is YAML too");
}

#[test]
fn a_section_reads_well() {
    let text =
        write(&present(), &[Noun::WorkspaceGroup].into(), &[Section::Workspaces, Section::Keys]).yaml();
    assert_eq!(
        text,
        "workspaces:
  - name: default
    members: []
  - name: dev
    description: \"All\\ndevelopers\"
    limits:
      alert_thresholds: [50]
      mode: shadow
    members:
      - email: ann@x.org
        model_role: analyst
        roles: [keys]
keys:
  - name: k
    workspace: dev
    allowed_cidrs: [\"::1/128\"]
    allowed_endpoints: [chat.completions]
    enabled: false
    expires_at: \"2027-01-01T00:00:00Z\"
    rate_limit_rpm: 5
    rotation:
      on_old_use: cut
    service_account: bot
    limits:
      hourly_budget_usd: 1
"
    );
}
