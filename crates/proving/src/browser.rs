//! A browser without a script: it keeps cookies, follows the ways it is shown, and sends forms from the page it is on.

use crate::client::{Answer, send};
use crate::clock::SeededEntropy;
use crate::system::{System, offline};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use louver_control::Control;
use louver_control::actions::sign_in_links;
use louver_control::context::Context;
use louver_domain::id::{OrganizationId, UserId};
use louver_domain::sign_in_links::TERMINAL_SECONDS;
use louver_domain::time::Clock;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The password that people of tests choose.
pub const PASSWORD: &str = "a few words in a row";

/// A browser.
#[derive(Clone, Debug)]
pub struct Browser {
    address: SocketAddr,
    /// What it keeps.
    pub cookies: BTreeMap<String, String>,
    /// What it says of where a form comes from, instead of the truth.
    pub site: Option<&'static str>,
}

impl Browser {
    /// A new one.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, cookies: BTreeMap::new(), site: None }
    }

    /// One whose person came by a link and has chosen a password.
    pub async fn of(system: &System, user: Option<&str>) -> Self {
        let mut browser = Self::new(system.address);
        let link = link(system, user).await;
        let first = user.is_none().then_some(("email", "first@example.com"));
        let answer = browser.post(&link, first.as_slice()).await;
        assert_eq!(answer.header("location"), Some("/console/account/password"), "{}", answer.text());
        let chosen = [("password", PASSWORD), ("again", PASSWORD)];
        let answer = browser.post("/console/account/password", &chosen).await;
        assert_eq!(answer.header("location"), Some("/console"), "{}", answer.text());
        browser
    }

    /// Asks for a page.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, None).await
    }

    /// Sends a form.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.ask("POST", path, Some(body)).await
    }

    async fn ask(&mut self, method: &str, path: &str, form: Option<String>) -> Answer {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request =
            Request::builder().method(method).uri(path).header("host", self.address.to_string());
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        if form.is_some() {
            request = request.header("content-type", "application/x-www-form-urlencoded");
            request = match self.site {
                Some(site) => request.header("sec-fetch-site", site),
                None => request.header("origin", format!("http://{}", self.address)),
            };
        }
        let request = request.body(Full::new(Bytes::from(form.unwrap_or_default()))).unwrap();
        let answer = send(self.address, request).await;
        for cookie in answer.headers.get_all("set-cookie") {
            let (pair, _) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }
}

/// A link that signs that person in, or makes the first one.
pub async fn link(system: &System, user: Option<&str>) -> String {
    // Another source of chance each time, or two links would be one.
    static LINKS: AtomicU64 = AtomicU64::new(1_000);
    let entropy = SeededEntropy::new(LINKS.fetch_add(1, Ordering::Relaxed));
    let control = Control { entropy: Arc::new(entropy), ..offline(&system.store, &system.clock) };
    let organization = louver_store::organizations::list(&system.store).await.unwrap()[0].id;
    let context = Context::system(OrganizationId::from_bytes(organization.bytes()), system.clock.now());
    let user = user.map(|id| UserId::parse(id).unwrap());
    let made = sign_in_links::make(&control, &context, user, TERMINAL_SECONDS).await.unwrap();
    format!("/console/link/{}", made.token.expose())
}
