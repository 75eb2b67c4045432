//! Who is calling with the cookie of a session, and that no other site made the browser call.

use crate::Control;
use crate::context::Credential;
use crate::error::ControlError;
use http::header::{CONTENT_TYPE, COOKIE, HOST, HeaderName, HeaderValue, ORIGIN, SET_COOKIE};
use http::{HeaderMap, Method, Uri};
use louver_domain::access::{Actor, Identity};
use louver_domain::secret::Secret;
use louver_domain::sessions::Session;
use louver_domain::tokens::{self, Purpose};
use louver_store::{grants, sessions};

/// A use of a session is written down at most so often.
const NOTED_SECONDS: i64 = 60;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The cookie's name over TLS: browsers take it from this very host only, and never without TLS.
const SECURE: &str = "__Host-louver";

/// The name without TLS, which only an installation on one machine has.
const PLAIN: &str = "louver";

/// The cookie of sessions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cookie {
    /// Whether people reach Louver by TLS only.
    pub secure: bool,
}

impl Cookie {
    const fn name(self) -> &'static str {
        if self.secure { SECURE } else { PLAIN }
    }

    /// What hands a session's token to the browser.
    pub fn set(self, token: &Secret<String>) -> Option<(HeaderName, HeaderValue)> {
        self.header(token.expose(), "")
    }

    /// What takes it away again.
    pub fn clear(self) -> Option<(HeaderName, HeaderValue)> {
        self.header("", "; Max-Age=0")
    }

    fn header(self, value: &str, more: &str) -> Option<(HeaderName, HeaderValue)> {
        let secure = if self.secure { "; Secure" } else { "" };
        let text = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{more}", self.name());
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some((SET_COOKIE, value))
    }

    /// The one token that the headers hold; none where there are two.
    pub fn read(self, headers: &HeaderMap) -> Option<&str> {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut found = pairs.filter(|(name, _)| *name == self.name()).map(|(_, token)| token);
        found.next().filter(|_| found.next().is_none())
    }
}

/// A session that lives, with whom it is of.
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// The person, with what they may do now.
    pub actor: Actor,
}

impl SignedIn {
    /// What the session stands for in a request.
    pub const fn credential(&self) -> Credential {
        Credential::Session { id: self.session.id, confirmed_at: self.session.confirmed_at }
    }
}

/// The session of a request's cookie, if it lives and its person is still there. One that waits for a code is answered
/// too: the caller must look.
pub async fn find(control: &Control, headers: &HeaderMap) -> Result<Option<SignedIn>, ControlError> {
    let print = control.cookie.read(headers);
    let print = print.and_then(|token| tokens::fingerprint(&control.pepper, Purpose::Session, token));
    let Some(print) = print else { return Ok(None) };
    let now = control.clock.now();
    let found = sessions::find_by_token(&control.store, &print).await?;
    let Some(session) = found.filter(|session| session.is_alive(now)) else { return Ok(None) };
    let rights = grants::rights_of(&control.store, session.organization_id, session.user_id).await?;
    let Some((user, rights)) = rights else { return Ok(None) };
    if session.seen_at.plus_seconds(NOTED_SECONDS) <= now {
        sessions::seen(&control.store, session.id, now).await?;
    }
    let identity = Identity::Person { id: user.id, email: user.email };
    let actor = Actor::new(identity, session.organization_id, rights);
    Ok(Some(SignedIn { session, actor }))
}

/// The session of a request to the admin API: one that needs no code any more, from a page of Louver's own.
pub(crate) async fn of_api(
    control: &Control,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Option<SignedIn>, ControlError> {
    let found = find(control, headers).await?.filter(|found| !found.session.needs_code);
    if found.is_some() && !method.is_safe() {
        must_be_own_page(headers)?;
        // Forms of other sites can send every type but this.
        let json =
            headers.get(CONTENT_TYPE).is_none_or(|kind| kind.as_bytes().starts_with(b"application/json"));
        if !json {
            return Err(ControlError::ForeignOrigin);
        }
    }
    Ok(found)
}

/// Refuses what no page of this very site has sent. Browsers say where a request comes from in a header that pages cannot
/// set; older ones name the origin; what says neither is refused.
pub fn must_be_own_page(headers: &HeaderMap) -> Result<(), ControlError> {
    let own = match headers.get(FETCH_SITE) {
        Some(site) => site.as_bytes() == b"same-origin",
        None => is_own_origin(headers),
    };
    if own { Ok(()) } else { Err(ControlError::ForeignOrigin) }
}

fn is_own_origin(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let origin = text(ORIGIN).and_then(|origin| origin.parse::<Uri>().ok());
    let host =
        origin.as_ref().and_then(Uri::authority).map(|authority| authority.as_str().to_ascii_lowercase());
    host.is_some() && host == text(HOST).map(str::to_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let each = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(each).collect()
    }

    #[test]
    fn one_cookie_is_read_and_two_are_not() {
        let (secure, plain) = (Cookie { secure: true }, Cookie { secure: false });
        let one = headers(&[("cookie", "a=b; __Host-louver=token; c")]);
        assert_eq!(secure.read(&one), Some("token"));
        assert_eq!(plain.read(&one), None, "another installation's name");
        let two = headers(&[("cookie", "louver=one"), ("cookie", "louver=two")]);
        assert_eq!(plain.read(&two), None);
        assert_eq!(plain.read(&headers(&[])), None);
    }

    #[test]
    fn a_cookie_stays_with_its_host_and_out_of_scripts() {
        let secret = Secret::new(String::from("token"));
        let (_, set) = Cookie { secure: true }.set(&secret).unwrap();
        assert_eq!(set.to_str().unwrap(), "__Host-louver=token; Path=/; HttpOnly; SameSite=Lax; Secure");
        assert!(set.is_sensitive());
    }

    #[test]
    fn only_pages_of_the_same_site_may_send() {
        for (pairs, own) in [
            (vec![("sec-fetch-site", "same-origin")], true),
            (vec![("sec-fetch-site", "same-site")], false),
            (vec![("sec-fetch-site", "cross-site")], false),
            (vec![("sec-fetch-site", "none")], false),
            (vec![("sec-fetch-site", "cross-site"), ("origin", "http://a:1"), ("host", "a:1")], false),
            (vec![("origin", "http://a.example:1"), ("host", "A.example:1")], true),
            (vec![("origin", "http://a.example:1"), ("host", "a.example:2")], false),
            (vec![("origin", "http://evil.example"), ("host", "a.example")], false),
            (vec![("origin", "null"), ("host", "a.example")], false),
            (vec![("host", "a.example")], false),
            (vec![], false),
        ] {
            assert_eq!(must_be_own_page(&headers(&pairs)).is_ok(), own, "{pairs:?}");
        }
    }
}
