//! What goes wrong is said with what to do next, ends with its own code, and leaves stdout to what went well.

use super::Shell;
use louver_control::actions::admin_keys;
use louver_control::context::Context;
use louver_domain::id::UserId;
use louver_domain::keys::AdminHolder;
use louver_domain::time::Clock;
use louver_proving::program;
use louver_proving::system::offline;
use louver_store::organizations;
use serde_json::json;

#[tokio::test]
async fn each_end_has_its_code_and_names_the_next_command() {
    let mut shell = Shell::start().await;
    shell.system.key(json!({"name": "prod-backend"})).await;
    shell.system.key(json!({"name": "twin"})).await;
    shell.system.key(json!({"name": "twin"})).await;
    for (arguments, code, said) in [
        (&["keys", "show", "prod-backen"][..], 3, "Did you mean \"prod-backend\"?"),
        (&["keys", "show", "nothing-like-it"], 3, "`louver keys list` shows all of them."),
        (&["keys", "show", "twin"], 3, "2 keys are called \"twin\": give the id of one"),
        (&["keys", "list", "--workspace", "nowhere"], 3, "`louver workspaces list` shows all of them."),
        (&["keys", "show", "00000000-0000-0000-0000-000000000000"], 3, "was refused with 404"),
        (&["keys", "create"], 2, "louver keys create NAME"),
        (&["keys", "create", "x", "--rpm", "many"], 2, "a whole number, or none"),
        (&["keys", "create", "x", "--models", "no-such-model"], 1, "allowed_models"),
        (&["keys", "create", "x", "--owner", "nobody@example.com"], 3, "`louver members list`"),
        (&["keys", "revok", "twin"], 2, "revoke"),
        (&["keys", "show", "lvr_thisisasecretthatsomebodytyped"], 2, "report-leak -"),
        (
            &["limits", "set", "--requests-per-minute", "5"],
            2,
            "--organization, --workspace, --member or --key",
        ),
        (&["limits", "set", "--organization"], 2, "--requests-per-minute 60"),
        (&["budgets", "show", "nobody"], 3, "`louver budgets list`"),
        (&["roles", "custom", "show", "nobody"], 3, "`louver roles custom list`"),
        (&["explain", "--model", "m"], 2, "--key"),
        (&["alerts", "channels", "create", "ops", "--kind", "webhook"], 2, "--url is the address of Louver"),
        (&["alerts", "channels", "create", "ops", "--kind", "email"], 2, "--to"),
        (
            &["members", "add", "zoe@example.net", "--workspace", "default"],
            3,
            "`louver members create zoe@example.net`",
        ),
        (&["workspaces", "show", "new-team"], 3, "`louver workspaces create new-team`"),
        (&["rotation", "destinations", "create", "d", "--kind", "safe"], 2, "kubernetes"),
        (&["rotation", "destinations", "create", "d", "--kind", "vault"], 2, "lists what each kind is told"),
        (&["audit", "verify"], 1, "--data-dir names the folder of `louver dev`"),
    ] {
        let told = shell.run(arguments).await.badly(code);
        assert!(told.contains(said), "{arguments:?}: {told}");
        assert!(!told.contains("thisisasecret"), "{told}");
    }
    let told = shell.fed(&["keys", "create", "--json-body", "-"], "{\"name\": }").await.badly(2);
    assert!(told.contains("no JSON at line 1, column 10"), "{told}");

    shell.with("LOUVER_ADMIN_KEY", "lva_wrong");
    let told = shell.run(&["keys", "list"]).await.badly(4);
    assert!(told.contains("401") && told.contains("louver admin-key create"), "{told}");
    shell.with("LOUVER_ADMIN_KEY", "");
    let told = shell.run(&["keys", "list"]).await.badly(4);
    assert!(
        told.contains("LOUVER_ADMIN_KEY is not set") && told.contains("louver admin-key create"),
        "{told}"
    );
    shell.with("LOUVER_ADMIN_KEY", "lva_any");
    let told = shell.run(&["keys", "list", "--url", "http://127.0.0.1:1"]).await.badly(5);
    assert!(told.contains("Is `louver serve` or `louver dev` running there?"), "{told}");
    let told = shell.run(&["keys", "list", "--url", "nonsense"]).await.badly(2);
    assert!(told.contains("must begin with http://") || told.contains("is not an address"), "{told}");
}

#[tokio::test]
async fn who_may_not_learns_what_is_missing() {
    let mut shell = Shell::start().await;
    shell.run(&["members", "create", "ada@example.com"]).await.well();
    let ada = shell.run(&["members", "show", "ada@example.com", "--json"]).await.json();
    let control = offline(&shell.system.store, &shell.system.clock);
    let organization = organizations::list(&shell.system.store).await.unwrap().remove(0).id;
    let context = Context::system(organization, shell.system.clock.now());
    let holder = AdminHolder::User(UserId::parse(ada["id"].as_str().unwrap()).unwrap());
    let (_, minted) = admin_keys::create_for(&control, &context, holder, "ada's", None).await.unwrap();
    shell.with("LOUVER_ADMIN_KEY", minted.secret.expose());
    // Another process made the key: the server sees it soon.
    let me = louver_proving::system::eventually(async || {
        let run = shell.run(&["whoami"]).await;
        (run.code == Some(0)).then_some(run.out)
    });
    assert!(me.await.contains("May:           organization: read"));
    let told = shell.run(&["upstreams", "list"]).await.badly(4);
    assert!(told.contains("upstream.read") && told.contains("`louver whoami`"), "{told}");
    let told = shell.run(&["roles", "create", "x", "--models", "*"]).await.badly(4);
    assert!(told.contains("403"), "{told}");
}

#[tokio::test]
async fn help_completions_and_man_pages_need_no_server() {
    let run = async |arguments: &[&str]| {
        let output = program::command().args(arguments).output().await.unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, help, _) = run(&["--help"]).await;
    assert!(code == Some(0) && help.contains("First steps:") && help.contains("Keys:"), "{help}");
    for shell in ["bash", "zsh", "fish"] {
        let (code, script, _) = run(&["completions", shell]).await;
        assert!(code == Some(0) && script.contains("workspaces"), "{shell}");
    }
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    let (code, _, _) = run(&["man", "--dir", pages.to_str().unwrap()]).await;
    assert!(code == Some(0) && pages.join("louver-keys-create.1").is_file());
    let (code, page, _) = run(&["man"]).await;
    assert!(code == Some(0) && page.starts_with(".ie") && page.contains("Exit codes"), "{page}");
    let (code, out, told) = run(&["keys"]).await;
    assert!(code == Some(2) && out.is_empty() && told.contains("Usage: louver keys"), "{told}");
}
