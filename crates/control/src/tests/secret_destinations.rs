//! Destinations of secrets: what goes in, what comes out, what never does, and who may have which.

use super::{House, holds, house};
use louver_domain::roles::{MEMBER, WORKSPACE_ADMIN};
use serde_json::{Value, json};
use std::fs;

const PATH: &str = "/v1/gateway/secret-destinations";
const SIGNER: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn with_id(made: &Value) -> String {
    format!("{PATH}/{}", made["id"].as_str().unwrap())
}

fn vault() -> Value {
    json!({"name": "a vault", "kind": "vault", "credentials": {"token": "telltale-token"},
        "settings": {"address": "https://vault.example.com", "location": "louver/{workspace}/{id}"}})
}

/// `body` with one member changed, by its path.
fn with(mut body: Value, path: &str, value: Value) -> Value {
    let (start, name) = path.rsplit_once('/').unwrap();
    body.pointer_mut(start).unwrap().as_object_mut().unwrap().insert(name.into(), value);
    body
}

fn file(house: &House, path: &str) -> Value {
    let location = house.dir.path().join("keys").join(path);
    json!({"name": "a file", "kind": "file", "settings": {"location": location.to_str().unwrap()}})
}

fn command(name: &str) -> Value {
    json!({"name": name, "kind": "command", "settings": {"command": name, "location": "at/{id}"}})
}

#[tokio::test]
async fn destinations_of_each_kind_are_made_listed_changed_and_removed() {
    let house = house().await;
    let aws = json!({"name": "b", "kind": "aws", "settings": {"region": "eu-west-1", "location": "x/{id}"},
        "credentials": {"access_key_id": "telltale-id", "secret_access_key": "telltale-secret"}});
    let kubernetes = json!({"name": "c", "kind": "kubernetes", "credentials": {"token": "telltale-k8s"},
        "settings": {"address": "https://10.0.0.1", "namespace": "apps", "location": "louver-{id}"}});
    let kubernetes = with(kubernetes, "/settings/address", json!("http://127.0.0.1:6443"));
    let webhook = json!({"name": "d", "kind": "webhook", "settings": {"url": "https://example.com/x?y=1"}});
    let google = json!({"name": "e", "kind": "google", "credentials": {"token": "telltale-google"},
        "settings": {"project": "acme", "location": "louver-{id}", "token_endpoint": "https://tokens.example.com/token"}});
    let azure = json!({"name": "f", "kind": "azure", "credentials": {"client_secret": "telltale-azure"},
        "settings": {"address": "https://acme.vault.azure.net", "tenant_id": "t-1", "client_id": "c-1",
            "location": "louver-{id}"}});
    let all =
        [vault(), aws, kubernetes, webhook, google, azure, file(&house, "{workspace}/{id}"), command("keep")];
    let mut made = vec![];
    for new in &all {
        let one = house.make(PATH, &new.to_string()).await;
        assert_eq!((&one["kind"], &one["object"]), (&new["kind"], &json!("secret_destination")));
        for (name, value) in new["settings"].as_object().unwrap() {
            assert_eq!(&one["settings"][name], value, "{name}");
        }
        let names: Vec<&str> =
            one["credentials"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
        let given =
            new["credentials"].as_object().map(|given| given.keys().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(names, given.unwrap_or(if new["kind"] == "webhook" { vec!["secret"] } else { vec![] }));
        made.push(one);
    }
    assert_eq!(made[0]["settings"]["field"], "api_key", "what was left out is shown as it holds");
    let secret = made[3]["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_"));
    assert_eq!(house.get(&with_id(&made[3])).await.json().get("secret"), None, "shown once");
    assert_eq!(house.get(PATH).await.json()["data"].as_array().unwrap().len(), all.len());
    let patch = json!({"name": "z", "enabled": false, "credentials": {"secret": SIGNER}});
    let changed = house.call("PATCH", &with_id(&made[3]), &patch.to_string()).await.json();
    assert_eq!((&changed["name"], &changed["enabled"]), (&json!("z"), &json!(false)));
    let event = house.audit().await.remove(0);
    assert!(event.after.unwrap().contains(r#""replaced":["credentials"]"#));
    for one in &made {
        assert_eq!(
            house.call("DELETE", &with_id(one), "").await.json()["object"],
            "secret_destination.deleted"
        );
        assert_eq!(house.get(&with_id(one)).await.status, 404);
    }
    let disk = house.disk().await;
    for telltale in ["telltale", &secret, SIGNER] {
        assert!(!holds(&disk, telltale), "{telltale} is stored");
    }
}

#[tokio::test]
async fn what_does_not_make_sense_is_refused_by_name_and_not_repeated() {
    let house = house().await;
    let etc = json!({"name": "x", "kind": "file", "settings": {"location": "/etc/telltale"}});
    let aws = json!({"name": "b", "kind": "aws", "settings": {"region": "eu", "location": "{id}"},
        "credentials": {"access_key_id": "a", "secret_access_key": "b"}});
    let webhook = json!({"name": "d", "kind": "webhook", "settings": {"url": "https://example.com/x"}});
    for (body, param) in [
        (with(vault(), "/kind", json!("ftp")), "kind"),
        (with(vault(), "/name", json!("")), "name"),
        (with(vault(), "/settings", json!([])), "settings"),
        (with(vault(), "/settings", json!(null)), "settings"),
        (with(vault(), "/settings", json!({"address": "https://vault.example.com"})), "settings.location"),
        (with(vault(), "/settings/telltale", json!(1)), "settings.telltale"),
        (with(vault(), "/settings/kind", json!("aws")), "settings.kind"),
        (with(vault(), "/settings/mount", json!(5)), "settings.mount"),
        (with(vault(), "/settings/mount", json!("../sys")), "settings.mount"),
        (with(vault(), "/settings/location", json!("../telltale")), "settings.location"),
        (with(vault(), "/settings/location", json!("a/{secret}")), "settings.location"),
        (with(vault(), "/settings/location", json!("a\u{0}")), "settings.location"),
        (with(vault(), "/settings/address", json!("http://vault.example.com/telltale")), "settings.address"),
        (with(vault(), "/settings/address", json!("https://169.254.169.254")), "settings.address"),
        (with(vault(), "/settings/address", json!("https://10.0.0.1:8200")), "settings.address"),
        (
            with(vault(), "/settings/address", json!("https://u:telltale@vault.example.com")),
            "settings.address",
        ),
        (with(vault(), "/settings/ca_certificate", json!("telltale")), "settings.ca_certificate"),
        (with(vault(), "/credentials", json!({})), "credentials"),
        (with(vault(), "/credentials", json!({"role_id": "telltale"})), "credentials"),
        (with(vault(), "/credentials", json!({"token": "telltale", "x": "y"})), "credentials"),
        (
            with(vault(), "/credentials", json!({"token": "telltale\r\nx-vault-token: y"})),
            "credentials.token",
        ),
        (with(vault(), "/credentials", json!({"token": ""})), "credentials.token"),
        (with(vault(), "/credentials", json!({"token": 5})), "credentials.token"),
        (with(vault(), "/enabled", json!(null)), "enabled"),
        (with(aws, "/settings/region", json!("x.evil.example.com/")), "settings.region"),
        (with(vault(), "/settings/address", json!("https://vault.example.com/telltale")), "settings.address"),
        (
            with(vault(), "/settings/address", json!("https://vault.example.com?telltale=1")),
            "settings.address",
        ),
        (with(webhook, "/credentials", json!({"secret": "telltale"})), "credentials.secret"),
        (etc, "settings.location"),
        (file(&house, "../telltale"), "settings.location"),
        (command("telltale"), "settings.command"),
        (with(command("keep"), "/credentials", json!({"token": "telltale"})), "credentials"),
    ] {
        let answer = house.call("POST", PATH, &body.to_string()).await;
        assert_eq!(answer.refused(), (422, param.into()), "{body}: {}", answer.text);
        let repeated = answer.text.replace("settings.telltale", "").replace(r#""telltale"]"#, "");
        assert!(!repeated.contains("telltale"), "{}", answer.text);
    }
    house.make(PATH, &vault().to_string()).await;
    assert_eq!(house.call("POST", PATH, &vault().to_string()).await.status, 409, "a name twice");
}

#[tokio::test]
async fn credentials_go_nowhere_but_where_they_were_given_for() {
    let house = house().await;
    let made = house.make(PATH, &vault().to_string()).await;
    let settings =
        |name: &str, value: Value| with(vault(), &format!("/settings/{name}"), value)["settings"].clone();
    for elsewhere in [
        settings("address", json!("https://evil.example.com")),
        settings("address", json!("http://127.0.0.1:1")),
        settings("approle_mount", json!("other")),
    ] {
        let patch = json!({"settings": elsewhere});
        let answer = house.call("PATCH", &with_id(&made), &patch.to_string()).await;
        assert_eq!(answer.refused(), (422, "credentials".into()), "{patch}");
        let with_new = json!({"settings": elsewhere, "credentials": {"token": "another"}});
        assert_eq!(house.call("PATCH", &with_id(&made), &with_new.to_string()).await.status, 200);
        let back = json!({"settings": vault()["settings"], "credentials": {"token": "telltale-token"}});
        assert_eq!(house.call("PATCH", &with_id(&made), &back.to_string()).await.status, 200);
    }
    // What lies at the same server needs no new credentials.
    for there in [settings("field", json!("key")), settings("location", json!("other/{id}"))] {
        let patch = json!({"settings": there});
        assert_eq!(house.call("PATCH", &with_id(&made), &patch.to_string()).await.status, 200);
    }
    // A test takes no address from whoever presses the button.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let nobody =
        json!({"settings": settings("address", json!("http://127.0.0.1:1")), "credentials": {"token": "t"}});
    assert_eq!(house.call("PATCH", &with_id(&made), &nobody.to_string()).await.status, 200);
    let asked = settings("address", json!(format!("http://{}", listener.local_addr().unwrap())));
    let asked = json!({"settings": asked}).to_string();
    let answer = house.call("POST", &format!("{}/test", with_id(&made)), &asked).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["works"]), (200, &json!(false)));
    assert_eq!(listener.accept().err().unwrap().kind(), std::io::ErrorKind::WouldBlock);
}

fn outcomes(tested: &Value) -> Vec<&str> {
    tested["steps"].as_array().unwrap().iter().map(|step| step["outcome"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_test_writes_beside_the_real_place_and_leaves_nothing() {
    let house = house().await;
    let made = house
        .make(PATH, &with(file(&house, "{workspace}/{key}"), "/enabled", json!(false)).to_string())
        .await;
    let tested = house.make(&format!("{}/test", with_id(&made)), "").await;
    assert_eq!(
        (&tested["works"], outcomes(&tested)),
        (&json!(true), vec!["done", "done", "done"]),
        "{tested}"
    );
    let folder = house.dir.path().join("keys");
    let place = folder.join("probe/probe-louver-probe");
    assert_eq!(tested["location"], place.to_str().unwrap());
    assert_eq!(fs::read_dir(folder.join("probe")).unwrap().count(), 0);
    assert_eq!(house.audit().await[0].action, "secret_destination.test");
    let nobody = with(vault(), "/settings/address", json!("http://127.0.0.1:1"));
    let nobody = house.make(PATH, &nobody.to_string()).await;
    let tested = house.make(&format!("{}/test", with_id(&nobody)), "").await;
    assert_eq!((&tested["works"], outcomes(&tested)), (&json!(false), vec!["failed", "skipped", "skipped"]));
    assert_eq!(tested["steps"][0]["retryable"], true);
}

#[tokio::test]
async fn a_command_gets_the_secret_on_its_stdin_alone() {
    let house = house().await;
    let made = house.make(PATH, &command("keep").to_string()).await;
    let tested = house.make(&format!("{}/test", with_id(&made)), "").await;
    assert_eq!(
        (&tested["works"], outcomes(&tested)),
        (&json!(true), vec!["done", "skipped", "skipped"]),
        "{tested}"
    );
    let told = fs::read_to_string(house.dir.path().join("told")).unwrap();
    let (environment, secret) = told.rsplit_once('\n').unwrap();
    assert!(secret.starts_with("louver-probe-") && !environment.contains("louver-probe-0"), "{told}");
    assert!(!environment.contains(secret));
    for line in ["LOUVER_KEY_NAME=probe", "LOUVER_WORKSPACE=probe"] {
        assert!(environment.lines().any(|had| had == line), "{line} in {environment}");
    }
    let names: Vec<&str> = environment.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    let ours =
        |name: &&str| name.starts_with("LOUVER_") || ["PATH", "PWD", "_", "SHLVL", "OLDPWD"].contains(name);
    assert!(names.iter().all(ours), "{names:?}");
    let made = house.make(PATH, &command("fail").to_string()).await;
    let tested = house.make(&format!("{}/test", with_id(&made)), "").await;
    assert_eq!(tested["steps"][0]["reason"], "the command ended with code 3");
}

#[tokio::test]
async fn who_administers_a_workspace_has_its_destinations_but_not_the_machine() {
    let house = house().await;
    let (here, there) = (house.workspace("here", None).await, house.workspace("there", None).await);
    let ann = house.somebody("ann@example.com", &[MEMBER], &[(here, WORKSPACE_ADMIN)]).await;
    let of = |body: Value, id: Value| with(json!({"b": body}), "/b/workspace_id", id)["b"].clone();
    let post = async |body: Value| house.call_as(&ann.secret, "POST", PATH, &body.to_string()).await;
    let own = post(of(vault(), json!(here))).await;
    assert_eq!(own.status, 200, "{}", own.text);
    assert_eq!(post(vault()).await.status, 403, "the whole organization's");
    assert_eq!(post(of(vault(), json!(there))).await.refused(), (422, "workspace_id".into()));
    for local in [file(&house, "{id}"), command("keep")] {
        assert_eq!(post(of(local.clone(), json!(here))).await.status, 403, "{local}");
        // Made by somebody who may, it can be seen there, and not used to write.
        let made = house.make(PATH, &of(local, json!(here)).to_string()).await;
        assert_eq!(house.call_as(&ann.secret, "GET", &with_id(&made), "").await.status, 200);
        for (method, path) in [("POST", "/test"), ("DELETE", ""), ("PATCH", "")] {
            let path = format!("{}{path}", with_id(&made));
            assert_eq!(house.call_as(&ann.secret, method, &path, "{}").await.status, 403, "{method} {path}");
        }
    }
    let foreign = house.make(PATH, &of(with(vault(), "/name", json!("b")), json!(there)).to_string()).await;
    let shared = house.make(PATH, &with(vault(), "/name", json!("c")).to_string()).await;
    assert_eq!(house.call_as(&ann.secret, "GET", &with_id(&foreign), "").await.status, 404);
    assert_eq!(
        house.call_as(&ann.secret, "POST", &format!("{}/test", with_id(&foreign)), "").await.status,
        404
    );
    assert_eq!(house.call_as(&ann.secret, "DELETE", &with_id(&shared), "").await.status, 403);
    let listed = house.call_as(&ann.secret, "GET", PATH, "").await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 3, "{listed}");
}
