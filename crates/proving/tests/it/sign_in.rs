//! Signing in to the console over HTTP: links, passwords, second factors, sessions and their ends, other sites, guessing.

use louver_domain::one_time_codes;
use louver_domain::secret::Secret;
use louver_domain::time::Clock;
use louver_proving::browser::{Browser, PASSWORD, link};
use louver_proving::client::{request, send};
use louver_proving::system::{Setup, System};
use serde_json::json;

const EMAIL: &str = "first@example.com";

async fn on(postgres: bool) -> System {
    System::with(Setup { postgres, ..Setup::default() }).await
}

async fn sign_in(system: &System, password: &str) -> (Browser, louver_proving::client::Answer) {
    let mut browser = Browser::new(system.address);
    let answer = browser.post("/console/sign-in", &[("email", EMAIL), ("password", password)]).await;
    (browser, answer)
}

/// Whether the browser is let in.
async fn is_in(browser: &mut Browser) -> bool {
    browser.get("/console").await.status == 200
}

async fn the_first_person_comes_by_a_link(postgres: bool) {
    let system = on(postgres).await;
    let link = link(&system, None).await;
    let mut browser = Browser::new(system.address);
    assert_eq!(browser.get("/console").await.header("location"), Some("/console/sign-in"));
    assert!(browser.get(&link).await.text().contains("Welcome to Louver"));
    let answer = browser.post(&link, &[("email", "not an address")]).await;
    assert_eq!(answer.status, 422);
    let answer = browser.post(&link, &[("email", "First@Example.com"), ("first_name", "Ada")]).await;
    assert_eq!(answer.header("location"), Some("/console/account/password"));
    assert_eq!(
        browser.get("/console").await.header("location"),
        Some("/console/account/password"),
        "first a password"
    );
    let short = browser.post("/console/account/password", &[("password", "short"), ("again", "short")]).await;
    assert!(short.status == 422 && short.text().contains("at least 12 characters"));
    let other = [("password", PASSWORD), ("again", "something else here")];
    assert_eq!(browser.post("/console/account/password", &other).await.status, 422);
    let same = [("password", PASSWORD), ("again", PASSWORD)];
    assert_eq!(browser.post("/console/account/password", &same).await.header("location"), Some("/console"));
    assert!(is_in(&mut browser).await);
    // The link is used up, and whoever it made is an admin of the organization.
    assert_eq!(Browser::new(system.address).get(&link).await.status, 404);
    assert_eq!(Browser::new(system.address).post(&link, &[("email", "b@example.com")]).await.status, 404);
    let people = system.admin("GET", "/v1/gateway/users", None).await.json();
    let first =
        people["data"].as_array().unwrap().iter().find(|user| user["email"] == EMAIL).unwrap().clone();
    assert_eq!(first["role_names"], json!(["organization_admin"]), "{first}");
    let log = system.admin("GET", "/v1/gateway/audit?limit=100", None).await.text();
    assert!(log.contains("user.log_in") && log.contains("user.password.update"), "{log}");
    assert!(!log.contains(PASSWORD) && !log.contains(&browser.cookies["louver"]));
}

#[tokio::test]
async fn the_first_person_comes_by_a_link_sqlite() {
    the_first_person_comes_by_a_link(false).await;
}

#[tokio::test]
async fn the_first_person_comes_by_a_link_postgres() {
    the_first_person_comes_by_a_link(true).await;
}

#[tokio::test]
async fn a_link_ends_after_a_quarter_of_an_hour_and_when_there_is_a_newer_one() {
    let system = on(false).await;
    let old = link(&system, None).await;
    let new = link(&system, None).await;
    assert_eq!(Browser::new(system.address).get(&old).await.status, 404);
    system.clock.advance(15 * 60 - 1);
    assert_eq!(Browser::new(system.address).get(&new).await.status, 200);
    system.clock.advance(1);
    assert_eq!(Browser::new(system.address).post(&new, &[("email", EMAIL)]).await.status, 404);
}

#[tokio::test]
async fn a_link_takes_the_old_password_and_the_other_sessions_away() {
    let system = on(false).await;
    let mut before = Browser::of(&system, None).await;
    let people = system.admin("GET", "/v1/gateway/users", None).await.json();
    let first =
        people["data"].as_array().unwrap().iter().find(|user| user["email"] == EMAIL).unwrap().clone();
    let link = link(&system, first["id"].as_str()).await;
    let mut browser = Browser::new(system.address);
    let answer = browser.post(&link, &[]).await;
    assert_eq!(answer.header("location"), Some("/console/account/password"));
    assert!(!is_in(&mut before).await, "whoever had the old session is out");
    assert_eq!(sign_in(&system, PASSWORD).await.1.status, 422, "and so is whoever knew the old password");
    assert_eq!(browser.get("/console").await.header("location"), Some("/console/account/password"));
}

#[tokio::test]
async fn what_strangers_send_is_small() {
    let system = on(false).await;
    let mut stranger = Browser::new(system.address);
    let many: Vec<(&str, &str)> = vec![("a", "b"); 33];
    assert_eq!(stranger.post("/console/sign-in", &many).await.status, 413);
    let long = "x".repeat(9_000);
    assert_eq!(stranger.post("/console/sign-in", &[("email", &long)]).await.status, 413);
}

#[tokio::test]
async fn a_session_ends_by_itself_and_by_a_word() {
    let system = on(false).await;
    let mut first = Browser::of(&system, None).await;
    let (mut second, _) = sign_in(&system, PASSWORD).await;
    assert!(is_in(&mut second).await);
    // Half an hour without use; the first one is used in between, and lives until it is twelve hours old.
    for _ in 0..3 {
        system.clock.advance(20 * 60);
        assert!(is_in(&mut first).await);
    }
    assert!(!is_in(&mut second).await);
    for _ in 0..32 {
        system.clock.advance(20 * 60);
        assert!(is_in(&mut first).await);
    }
    system.clock.advance(20 * 60);
    assert!(!is_in(&mut first).await, "twelve hours are over");
    let (mut third, _) = sign_in(&system, PASSWORD).await;
    let (mut fourth, _) = sign_in(&system, PASSWORD).await;
    assert_eq!(third.post("/console/account/sessions/end", &[]).await.status, 303);
    assert!(is_in(&mut third).await && !is_in(&mut fourth).await);
    let before = third.clone();
    assert_eq!(third.post("/console/sign-out", &[]).await.header("location"), Some("/console/sign-in"));
    assert!(!is_in(&mut before.clone()).await, "what the browser kept is worth nothing any more");
}

#[tokio::test]
async fn other_sites_make_nobody_do_anything() {
    let system = on(false).await;
    let mut browser = Browser::of(&system, None).await;
    for site in ["cross-site", "same-site", "none"] {
        browser.site = Some(site);
        assert_eq!(browser.post("/console/account/sessions/end", &[]).await.status, 403, "{site}");
        assert_eq!(browser.post("/console/sign-out", &[]).await.status, 403, "{site}");
        let mut stranger = Browser::new(system.address);
        stranger.site = Some(site);
        let fields = [("email", EMAIL), ("password", PASSWORD)];
        assert_eq!(
            stranger.post("/console/sign-in", &fields).await.status,
            403,
            "signing in as somebody else"
        );
    }
    browser.site = Some("same-origin");
    assert_eq!(browser.post("/console/account/sessions/end", &[]).await.status, 303);
    // The admin API takes the session from a page of ours, as JSON, and from nothing else.
    let cookie = format!("louver={}", browser.cookies["louver"]);
    let ask = async |headers: &[(&str, &str)]| {
        let mut asked = request("POST", "/v1/api-keys", "", Some(b"{}"));
        asked.headers_mut().clear();
        asked.headers_mut().insert("cookie", cookie.parse().unwrap());
        asked.headers_mut().insert("host", system.address.to_string().parse().unwrap());
        for (name, value) in headers {
            asked.headers_mut().insert(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        send(system.address, asked).await.status.as_u16()
    };
    let json = ("content-type", "application/json");
    assert_ne!(ask(&[json, ("sec-fetch-site", "same-origin")]).await, 403);
    assert_eq!(ask(&[json, ("sec-fetch-site", "cross-site")]).await, 403);
    assert_eq!(ask(&[json]).await, 403);
    assert_eq!(ask(&[("content-type", "text/plain"), ("sec-fetch-site", "same-origin")]).await, 403);
}

#[tokio::test]
async fn guessing_is_counted_and_a_right_password_waits_too() {
    let system = on(false).await;
    Browser::of(&system, None).await;
    for _ in 0..10 {
        let (_, answer) = sign_in(&system, "not this one either").await;
        assert!(answer.status == 422 && answer.text().contains("does not fit"));
    }
    for password in ["not this one either", PASSWORD] {
        let (_, answer) = sign_in(&system, password).await;
        assert!(answer.status == 429 && answer.text().contains("try again in"), "{}", answer.text());
    }
    // An address that nobody has is answered in the same way.
    let mut stranger = Browser::new(system.address);
    for attempt in 0..11 {
        let fields = [("email", "nobody@example.com"), ("password", "whatever it may be")];
        let status = stranger.post("/console/sign-in", &fields).await.status;
        assert_eq!(status, if attempt < 10 { 422 } else { 429 });
    }
    system.clock.advance(15 * 60);
    let (mut browser, answer) = sign_in(&system, PASSWORD).await;
    assert!(answer.status == 303 && is_in(&mut browser).await);
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_each_code_works_once() {
    let system = on(false).await;
    let mut browser = Browser::of(&system, None).await;
    assert_eq!(browser.post("/console/account/second-factor/begin", &[]).await.status, 303);
    let page = browser.get("/console/account/second-factor").await.text();
    let (_, rest) = page.split_once("id=\"secret\">").unwrap();
    let secret = Secret::new(rest.split_once('<').unwrap().0.to_owned());
    let code = || one_time_codes::code(&secret, system.clock.now()).unwrap();
    assert_eq!(browser.post("/console/account/second-factor", &[("code", "000000")]).await.status, 422);
    let page = browser.post("/console/account/second-factor", &[("code", &code())]).await.text();
    let (_, rest) = page.split_once("id=\"codes\">").unwrap();
    let recovery: Vec<String> = rest.split_once('<').unwrap().0.lines().map(str::to_owned).collect();
    assert_eq!(recovery.len(), 10);

    let (mut other, answer) = sign_in(&system, PASSWORD).await;
    assert_eq!(answer.header("location"), Some("/console/code"));
    assert_eq!(other.get("/console").await.header("location"), Some("/console/code"), "not in yet");
    assert_eq!(other.post("/console/code", &[("code", &code())]).await.status, 422, "this one was used");
    system.clock.advance(30);
    let waiting = other.clone();
    assert_eq!(other.post("/console/code", &[("code", &code())]).await.header("location"), Some("/console"));
    assert!(is_in(&mut other).await);
    assert!(!is_in(&mut waiting.clone()).await, "the session that waited is no session");

    let (mut lost, _) = sign_in(&system, PASSWORD).await;
    let one = [("code", recovery[3].as_str())];
    assert_eq!(lost.post("/console/code", &one).await.status, 303);
    let (mut again, _) = sign_in(&system, PASSWORD).await;
    assert_eq!(again.post("/console/code", &one).await.status, 422, "each works once");
}

#[tokio::test]
async fn what_is_sensitive_asks_for_the_password_again() {
    let system = on(false).await;
    let mut browser = Browser::of(&system, None).await;
    system.clock.advance(5 * 60);
    let chosen = [("password", "another row of words"), ("again", "another row of words")];
    let asked = browser.post("/console/account/password", &chosen).await;
    assert!(asked.status == 403 && asked.text().contains("Is it still you?"), "{}", asked.text());
    let with = |password: &'static str| {
        let mut fields = chosen.to_vec();
        fields.push(("confirm_password", password));
        fields
    };
    let wrong = browser.post("/console/account/password", &with("not this one either")).await;
    assert!(wrong.status == 422 && wrong.text().contains("not right"));
    let right = browser.post("/console/account/password", &with(PASSWORD)).await;
    assert_eq!(right.header("location"), Some("/console/account?done=password"), "{}", right.text());
    assert_eq!(sign_in(&system, PASSWORD).await.1.status, 422);
    assert_eq!(sign_in(&system, "another row of words").await.1.status, 303);
}

#[tokio::test]
async fn whoever_is_removed_is_out_at_once_and_comes_back_with_nothing() {
    let system = on(false).await;
    Browser::of(&system, None).await;
    let made = system
        .deed(
            "POST",
            "/v1/admin/users",
            json!([{"email": "b@example.com", "first_name": "B", "last_name": "B"}]),
        )
        .await;
    let id = made.to_string();
    let people = system.admin("GET", "/v1/gateway/users", None).await.json();
    let person = people["data"].as_array().unwrap().iter().find(|user| user["email"] == "b@example.com");
    let id = person.unwrap_or_else(|| panic!("{id}"))["id"].as_str().unwrap().to_owned();
    let mut browser = Browser::of(&system, Some(&id)).await;
    assert!(is_in(&mut browser).await);
    let answer = system.admin("DELETE", &format!("/v1/admin/users/{id}"), None).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(!is_in(&mut browser).await);
    let fields = [("email", "b@example.com"), ("password", PASSWORD)];
    assert_eq!(Browser::new(system.address).post("/console/sign-in", &fields).await.status, 422);
}

#[tokio::test]
async fn pages_load_nothing_from_elsewhere_and_are_kept_by_nobody() {
    let system = on(false).await;
    let mut browser = Browser::of(&system, None).await;
    for path in ["/console", "/console/account", "/console/nothing"] {
        let answer = browser.get(path).await;
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        let text = answer.text();
        assert!(!text.contains(" style=") && !text.contains("<script>") && !text.contains("//cdn"), "{path}");
    }
    let page = browser.get("/console").await.text();
    let (_, rest) = page.split_once("stylesheet\" href=\"").unwrap();
    let style = browser.get(rest.split_once('"').unwrap().0).await;
    assert_eq!(style.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(browser.get("/console/assets/console-000000000000.css").await.status, 404);
}
