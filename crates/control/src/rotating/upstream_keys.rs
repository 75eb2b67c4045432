//! The keys of an upstream server, by its own admin API: listed, made, deleted, and tried with a call.

use super::UpstreamServer;
use super::steps::Halt;
use super::trial::{Verdict, only};
use crate::Control;
use crate::exchange::{Answer, Question, Reach, ask};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Method, StatusCode};
use louver_domain::secret::Secret;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// For one call.
const CALL: Duration = Duration::from_secs(10);
/// The largest answer: a page of keys.
const LARGEST: usize = 1 << 20;
/// Keys of one page; upstream's own bound.
const PAGE: usize = 100;
/// So many pages are read.
const MOST_PAGES: usize = 100;
const PATH: &str = "/v1/admin/api-keys";

/// A key as upstream lists it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Listed {
    #[serde(rename = "key_id")]
    pub(super) id: Uuid,
    hidden_key: String,
    name: Option<String>,
    workspace_id: Option<Uuid>,
    created_by: Option<String>,
    /// The day of its last use.
    pub(super) last_used: Option<String>,
    can_delete: Option<bool>,
}

#[derive(Deserialize)]
struct Page {
    keys: Vec<Listed>,
}

#[derive(Deserialize)]
struct Made {
    key_id: Uuid,
    key: String,
}

impl Listed {
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name)
    }

    /// Whether it may be this key, by the characters of it that are shown.
    fn may_be(&self, key: &str) -> bool {
        let hides = |c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-';
        let (Some((start, _)), Some((_, end))) =
            (self.hidden_key.split_once(hides), self.hidden_key.rsplit_once(hides))
        else {
            return false;
        };
        !end.is_empty() && key.starts_with(start) && key.ends_with(end)
    }

    /// The workspace and the user that a key like it is made for.
    pub(super) fn home(&self, user: Option<&str>) -> Result<(Uuid, Uuid), Halt> {
        let workspace = self.workspace_id.ok_or_else(|| {
            Halt::later("the present key is in no workspace there: put one by hand into this credential")
        })?;
        let maker = user.or(self.created_by.as_deref()).and_then(|id| Uuid::parse_str(id).ok());
        let maker = maker.ok_or_else(|| {
            Halt::later(
                "upstream does not say whose the present key is: set admin_user_id of this credential",
            )
        })?;
        Ok((workspace, maker))
    }
}

/// The one key of the list that a credential has, which the rotation may delete in the end.
pub(super) fn present<'a>(all: &'a [Listed], key: &Secret<String>, ours: &str) -> Result<&'a Listed, Halt> {
    let found: Vec<&Listed> =
        all.iter().filter(|one| !one.is_named(ours) && one.may_be(key.expose())).collect();
    match found.as_slice() {
        [one] if one.can_delete == Some(false) => {
            Err(Halt::later("the admin key may not delete the present key there: store one that may"))
        }
        [one] => Ok(*one),
        [] => Err(Halt::later(
            "upstream lists no key like the one of this credential: is the admin key of the same organization?",
        )),
        several => Err(Halt::later(format!(
            "{} keys there look like the one of this credential: delete the ones that nobody uses, or put a key that was \
             made by hand into this credential",
            several.len()
        ))),
    }
}

/// An upstream server, for one step of a rotation.
#[derive(Clone, Copy)]
pub(super) struct Provider<'a> {
    pub(super) control: &'a Control,
    pub(super) server: &'a UpstreamServer,
}

impl Provider<'_> {
    async fn ask(
        &self,
        (method, path): (Method, &str),
        headers: Vec<(HeaderName, HeaderValue)>,
        (body, largest): (Vec<u8>, Option<usize>),
    ) -> Result<Answer, Halt> {
        let url = format!("{}{path}", self.server.url.trim_end_matches('/'));
        let allowed = only(&url).ok_or_else(|| Halt::later("the address of upstream is none"))?;
        let reach = Reach { allowed: &allowed, tls: &self.control.outbound.tls, time: CALL };
        let question = Question { method, url: &url, headers, body: Secret::new(body), largest };
        ask(&reach, question).await.map_err(|_| Halt::later("upstream did not answer"))
    }

    async fn ask_admin(
        &self,
        (method, path): (Method, &str),
        admin: &Secret<String>,
        body: Option<Value>,
    ) -> Result<Answer, Halt> {
        // Mistral's guides name the one header, and its API's description the other.
        let mut headers = vec![
            (AUTHORIZATION, sensitive(format!("Bearer {}", admin.expose()))?),
            (HeaderName::from_static("x-api-key"), sensitive(admin.expose().clone())?),
        ];
        if body.is_some() {
            headers.push((CONTENT_TYPE, HeaderValue::from_static("application/json")));
        }
        let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
        let answer = self.ask((method, path), headers, (body, Some(LARGEST))).await?;
        match answer.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Halt::later(format!(
                "upstream refuses the admin key of this credential ({}): store one that it takes",
                answer.status.as_u16()
            ))),
            _ => Ok(answer),
        }
    }

    /// Lists the models with a key, as any client would.
    pub(super) async fn tries(&self, key: &Secret<String>) -> Result<Verdict, Halt> {
        let headers = vec![(AUTHORIZATION, sensitive(format!("Bearer {}", key.expose()))?)];
        let answer = self.ask((Method::GET, "/v1/models"), headers, (Vec::new(), None)).await?;
        match answer.status {
            StatusCode::OK => Ok(Verdict::Accepted),
            StatusCode::UNAUTHORIZED => Ok(Verdict::Refused),
            other => Err(Halt::later(format!(
                "upstream answered the call that tries a key with {}",
                other.as_u16()
            ))),
        }
    }

    /// All keys.
    pub(super) async fn list(&self, admin: &Secret<String>) -> Result<Vec<Listed>, Halt> {
        let mut all: Vec<Listed> = Vec::new();
        for page in 0..MOST_PAGES {
            let path = format!("{PATH}?limit={PAGE}&offset={}", page.saturating_mul(PAGE));
            let answer = self.ask_admin((Method::GET, &path), admin, None).await?;
            let Page { keys } = read(&answer, "the list of its keys")?;
            let more = keys.len() >= PAGE;
            // Where a key went while we read, the next page begins one too late, and where one came, one too early.
            all.extend(
                keys.into_iter().filter(|key| all.iter().all(|known| known.id != key.id)).collect::<Vec<_>>(),
            );
            if !more {
                return Ok(all);
            }
        }
        Err(Halt::later("upstream has more keys than are read"))
    }

    /// Makes a key.
    pub(super) async fn create(
        &self,
        admin: &Secret<String>,
        name: &str,
        (workspace, user): (Uuid, Uuid),
    ) -> Result<(Uuid, Secret<String>), Halt> {
        let body = json!({"name": name, "workspace_uuid": workspace, "user_id": user});
        let answer = self.ask_admin((Method::POST, PATH), admin, Some(body)).await?;
        let Made { key_id, key } = read(&answer, "the making of a key")?;
        let key = Secret::new(key);
        let sound = (8..=512).contains(&key.expose().len())
            && key.expose().bytes().all(|byte| byte.is_ascii_graphic());
        if sound { Ok((key_id, key)) } else { Err(Halt::later("upstream made a key that is none")) }
    }

    /// Deletes a key; one that is gone is fine.
    pub(super) async fn delete(&self, admin: &Secret<String>, id: Uuid) -> Result<(), Halt> {
        let answer = self.ask_admin((Method::DELETE, &format!("{PATH}/{id}")), admin, None).await?;
        match answer.status {
            status if status.is_success() || status == StatusCode::NOT_FOUND => Ok(()),
            status => {
                Err(Halt::later(format!("upstream answered the deleting of a key with {}", status.as_u16())))
            }
        }
    }
}

fn sensitive(text: String) -> Result<HeaderValue, Halt> {
    let mut value =
        HeaderValue::try_from(text).map_err(|_| Halt::later("the key does not fit into a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// What was answered; what went wrong in it is not told, since it may hold a key.
fn read<T: for<'de> Deserialize<'de>>(answer: &Answer, what: &str) -> Result<T, Halt> {
    if !answer.status.is_success() {
        return Err(Halt::later(format!("upstream answered {what} with {}", answer.status.as_u16())));
    }
    let body = serde_json::from_slice(answer.body.expose());
    body.map_err(|_| Halt::later(format!("upstream answered {what} with something else")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(hidden: &str) -> Listed {
        serde_json::from_value(
            json!({"key_id": Uuid::from_bytes([1; 16]), "hidden_key": hidden, "unknown": 1}),
        )
        .unwrap()
    }

    #[test]
    fn a_key_is_known_by_what_is_shown_of_it() {
        let key = "HQSxfB7IaJRKNHRv0e5OAYJNO1h2Ug6Y";
        for (hidden, may_be) in [
            ("HQSx...Ug6Y", true),
            ("HQSx…Ug6Y", true),
            ("********Ug6Y", true),
            ("HQSy...Ug6Y", false),
            ("HQSx...Ug6Z", false),
            ("HQSx...", false),
            ("", false),
            (key, false),
        ] {
            assert_eq!(listed(hidden).may_be(key), may_be, "{hidden}");
        }
    }

    #[test]
    fn one_key_of_the_list_must_be_the_present_one() {
        let key = Secret::new("HQSxfB7IaJRKNHRv0e5OAYJNO1h2Ug6Y".to_owned());
        let (own, other) = (listed("HQSx...Ug6Y"), listed("HQSx...Ug6Z"));
        assert!(present(&[other.clone(), own.clone()], &key, "ours").is_ok());
        assert!(present(&[other], &key, "ours").is_err());
        assert!(present(&[own.clone(), own.clone()], &key, "ours").is_err());
        assert!(present(&[Listed { name: Some("ours".into()), ..own.clone() }], &key, "ours").is_err());
        assert!(present(&[Listed { can_delete: Some(false), ..own.clone() }], &key, "ours").is_err());
        assert!(own.home(None).is_err(), "in no workspace");
        let own = Listed { workspace_id: Some(Uuid::from_bytes([2; 16])), ..own };
        assert!(own.home(None).is_err() && own.home(Some("x")).is_err());
        assert!(own.home(Some("00000000-0000-4000-8000-000000000000")).is_ok());
    }
}
