//! People, roles, groups, service accounts, upstreams, alerts: each noun's main path.

use super::{Shell, columns};
use serde_json::json;

#[tokio::test]
async fn an_organization_is_managed_from_the_terminal() {
    let shell = Shell::start().await;
    shell.workspace("data").await;
    let me = shell.run(&["whoami"]).await.well();
    assert!(me.contains("Organization:  Test\n"), "{me}");

    shell.run(&["members", "invite", "eve@example.com", "--workspace", "data"]).await.well();
    let open = shell.run(&["members", "invitations", "--json"]).await.json();
    assert_eq!(open[0]["email"], "eve@example.com");
    shell.run(&["members", "uninvite", "eve@example.com", "--yes"]).await.well();
    assert_eq!(shell.run(&["members", "invitations", "--json"]).await.json(), json!([]));

    shell.run(&["members", "create", "bob@example.com"]).await.well();
    let added = shell.fed(&["members", "add", "-", "--workspace", "data"], "bob@example.com\n").await.well();
    assert_eq!(added, "1 of 1 are new members of data.\n");
    shell.run(&["members", "role", "bob@example.com", "workspace_admin", "--workspace", "data"]).await.well();
    shell.run(&["members", "model-role", "bob@example.com", "senior", "--workspace", "data"]).await.well();
    let members = shell.run(&["members", "list", "--workspace", "data"]).await.well();
    let bob = members.lines().find(|line| line.starts_with("bob@example.com")).unwrap();
    assert_eq!(columns(bob)[2..4], ["workspace_admin", "senior"], "{members}");
    shell.run(&["members", "role", "Bob@Example.com", "billing_manager"]).await.well();
    let bob = shell.run(&["members", "show", "bob@example.com", "--json"]).await.json();
    assert_eq!(bob["role_names"], json!(["billing_manager"]));
    shell.run(&["members", "remove", "bob@example.com", "--workspace", "data", "--yes"]).await.well();
    let told =
        shell.run(&["members", "remove", "bob@example.com", "--workspace", "data", "--yes"]).await.badly(3);
    assert!(told.contains("louver members list --workspace data"), "{told}");
    assert!(shell.run(&["members", "remove", "bob@example.com"]).await.badly(2).contains("--yes"));
    shell.run(&["members", "remove", "bob@example.com", "--yes"]).await.well();

    shell.run(&["workspaces", "update", "data", "--description", "For data"]).await.well();
    let shown = shell.run(&["workspaces", "show", "data"]).await.well();
    assert!(shown.contains("Description:  For data\n"), "{shown}");
    assert!(shell.run(&["workspaces", "create", "more"]).await.badly(2).contains("--admin"));
    assert!(shell.run(&["workspaces", "archive", "data"]).await.badly(2).contains("--yes"));
    shell.run(&["workspaces", "archive", "data", "--yes"]).await.well();
    let left = shell.run(&["workspaces", "list", "--json"]).await.json();
    assert_eq!(left.as_array().unwrap().len(), 1);
    let all = shell.run(&["workspaces", "list", "--archived", "--json"]).await.json();
    assert_eq!(all.as_array().unwrap().len(), 2);
    let renamed = shell.run(&["organization", "update", "--name", "Acme", "--json"]).await.json();
    assert_eq!(renamed["name"], "Acme");
}

#[tokio::test]
async fn roles_groups_and_service_accounts_are_made_changed_and_deleted() {
    let shell = Shell::start().await;
    shell.workspace("data").await;
    shell.run(&["roles", "create", "tester", "--models", "mistral-small-latest"]).await.well();
    let role =
        shell.run(&["roles", "update", "tester", "--max-tokens-per-request", "100", "--json"]).await.json();
    assert_eq!(role["max_tokens_per_request"], 100);
    shell.run(&["roles", "update", "analyst", "--daily-token-budget", "5"]).await.well();
    let restored = shell.run(&["roles", "restore", "analyst", "--json"]).await.json();
    assert_eq!(restored["daily_token_budget"], 100_000);
    assert!(shell.run(&["roles", "delete", "tester"]).await.badly(2).contains("--yes"));
    shell.run(&["roles", "delete", "tester", "--yes"]).await.well();
    let told = shell.run(&["roles", "show", "tester"]).await.badly(3);
    assert!(told.contains("`louver roles list`"), "{told}");
    let custom = [
        "roles",
        "custom",
        "create",
        "auditor",
        "--level",
        "organization",
        "--permissions",
        "audit_log.read",
    ];
    shell.run(&custom).await.well();
    shell.run(&["members", "role", "ada@example.com", "auditor", "member"]).await.well();
    let ada = shell.run(&["members", "show", "ada@example.com", "--json"]).await.json();
    assert!(ada["role_names"].to_string().contains("auditor"), "{ada}");
    let role =
        shell.run(&["roles", "custom", "update", "auditor", "--permissions", "usage.read", "--json"]).await;
    assert_eq!(role.json()["permissions"], json!(["usage.read"]));
    let available = shell.run(&["roles", "available"]).await.well();
    assert!(available.contains("auditor") && available.contains("workspace_admin"), "{available}");
    assert!(shell.run(&["roles", "permissions"]).await.well().contains("audit_log.read"));

    shell.run(&["groups", "create", "staff"]).await.well();
    shell.run(&["groups", "create", "team", "--description", "A team", "--parent", "staff"]).await.well();
    shell.run(&["groups", "add", "team", "ada@example.com"]).await.well();
    shell.run(&["groups", "workspace", "team", "--workspace", "data"]).await.well();
    shell
        .run(&["groups", "workspace", "team", "--workspace", "data", "--role", "workspace_admin"])
        .await
        .well();
    shell.run(&["groups", "model-role", "team", "senior", "--workspace", "data"]).await.well();
    shell.run(&["groups", "role", "team", "member"]).await.well();
    let shown = shell.run(&["groups", "show", "team"]).await.well();
    for line in [
        "Organization role:  member\n",
        "Members:            ada@example.com\n",
        "Workspaces:         data\n",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    assert!(shell.run(&["groups", "show", "staff"]).await.well().contains("Groups in it:       team\n"));
    shell.run(&["groups", "nest", "staff", "none"]).await.well();
    shell.run(&["groups", "leave", "team", "--workspace", "data", "--yes"]).await.well();
    shell.run(&["groups", "remove", "team", "ada@example.com", "--yes"]).await.well();
    shell.run(&["groups", "delete", "team", "--yes"]).await.well();
    let left = shell.run(&["groups", "list", "--json"]).await.json();
    assert_eq!((left.as_array().unwrap().len(), &left[0]["name"]), (1, &json!("staff")));

    shell
        .run(&["service-accounts", "create", "ci", "--workspace", "data", "--model-role", "developer"])
        .await
        .well();
    let made = ["keys", "create", "ci-key", "--workspace", "data", "--service-account", "ci", "--json"];
    assert!(shell.run(&made).await.json()["service_account_id"].is_string());
    assert!(
        shell.run(&["keys", "show", "ci-key"]).await.well().contains("Owner:        service account ci\n")
    );
    shell.run(&["service-accounts", "update", "ci", "--name", "robot"]).await.well();
    let listed = shell.run(&["service-accounts", "list", "--workspace", "data"]).await.well();
    assert!(listed.contains("robot"), "{listed}");
    shell.run(&["service-accounts", "delete", "robot", "--yes"]).await.well();
}

#[tokio::test]
async fn secrets_of_upstreams_and_channels_come_from_stdin_or_a_file_only() {
    let shell = Shell::start().await;
    let key = "upstream-secret-key-1234";
    shell.fed(&["upstreams", "create", "main", "--key-file", "-"], &format!("{key}\n")).await.well();
    let listed = shell.run(&["upstreams", "list"]).await.well();
    assert!(listed.contains("main") && listed.contains("enabled") && !listed.contains(key), "{listed}");
    shell.run(&["upstreams", "disable", "main"]).await.well();
    shell.run(&["upstreams", "enable", "main"]).await.well();
    std::fs::write(shell.path().join("key"), "upstream-secret-key-5678").unwrap();
    let changed = ["upstreams", "update", "main", "--name", "first", "--key-file", "key", "--json"];
    assert_eq!(shell.run(&changed).await.json()["name"], "first");
    let told = shell.run(&["upstreams", "create", "other", "--key-file", "-"]).await.badly(2);
    assert!(told.contains("- holds no secret"), "{told}");
    assert!(shell.run(&["upstreams", "delete", "first"]).await.badly(2).contains("--yes"));
    shell.run(&["upstreams", "delete", "first", "--yes"]).await.well();

    let url = "https://hooks.example.com/services/T0/B0/secret";
    let create = ["alerts", "channels", "create", "ops", "--kind", "webhook", "--url-file", "-"];
    let made = shell.fed(&create, url).await.well();
    assert!(made.contains("shown only now"), "{made}");
    let listed = shell.run(&["alerts", "channels", "list"]).await.well();
    assert!(listed.contains("hooks.example.com") && !listed.contains("secret"), "{listed}");
    shell.run(&["alerts", "channels", "disable", "ops"]).await.well();
    let shown = shell.run(&["alerts", "channels", "show", "ops", "--json"]).await.json();
    assert_eq!(shown["enabled"], false);
    shell.run(&["alerts", "channels", "enable", "ops"]).await.well();
    shell.run(&["alerts", "channels", "test", "ops"]).await.well();
    let alerts = shell.run(&["alerts", "list"]).await.well();
    assert!(alerts.contains("ops: "), "{alerts}");
    shell.run(&["alerts", "channels", "delete", "ops", "--yes"]).await.well();
    assert_eq!(shell.run(&["alerts", "channels", "list", "--json"]).await.json(), json!([]));
}
