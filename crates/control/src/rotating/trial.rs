//! Tries a secret with a real call to this Louver, as any client would make it.

use super::steps::Halt;
use crate::Control;
use crate::delivery::targets::AllowedTargets;
use crate::exchange::{Question, Reach, ask};
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use louver_domain::keys::KeyKind;
use louver_domain::secret::Secret;
use louver_domain::trials;
use std::time::Duration;

/// For one call.
const CALL: Duration = Duration::from_secs(10);

/// What Louver made of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It knows who calls, whatever that one may do.
    Accepted,
    /// It does not.
    Refused,
}

/// Lists the models with an API key, or asks who one is with an admin key.
pub(super) async fn call(control: &Control, kind: KeyKind, secret: &Secret<String>) -> Result<Verdict, Halt> {
    let reached = control.rotating.reached();
    let reached = reached.ok_or_else(|| Halt::later("this process has no gateway to try the secret with"))?;
    let url = match kind {
        KeyKind::Api => format!("{}/v1/models", reached.calls),
        KeyKind::Admin => format!("{}/v1/gateway/me", reached.admin),
    };
    let allowed = only(&url).ok_or_else(|| Halt::later("rotation_verify_url is no address"))?;
    let reach = Reach { allowed: &allowed, tls: &control.outbound.tls, time: CALL };
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", secret.expose()))
        .map_err(|_| Halt::later("the secret does not fit into a header"))?;
    bearer.set_sensitive(true);
    // It is no use of the key; only who knows the pepper can say so.
    let mark = trials::mark(&control.pepper, secret.expose(), control.clock.now());
    let mut mark =
        HeaderValue::from_str(&mark).map_err(|_| Halt::later("the mark does not fit into a header"))?;
    mark.set_sensitive(true);
    let question = Question {
        method: Method::GET,
        url: &url,
        headers: vec![(AUTHORIZATION, bearer), (HeaderName::from_static(trials::HEADER), mark)],
        body: Secret::new(Vec::new()),
        largest: None,
    };
    let answer = ask(&reach, question).await;
    let answer =
        answer.map_err(|_| Halt::later("the gateway did not answer the call that tries the secret"))?;
    match answer.status {
        StatusCode::UNAUTHORIZED => Ok(Verdict::Refused),
        // A key that may not list models, or not from here, is accepted all the same.
        status if status.is_success() || matches!(status.as_u16(), 402 | 403 | 429) => Ok(Verdict::Accepted),
        status => {
            Err(Halt::later(format!("the call that tries the secret was answered with {}", status.as_u16())))
        }
    }
}

/// The one target that the address names.
pub(super) fn only(url: &str) -> Option<AllowedTargets> {
    let uri: Uri = url.parse().ok()?;
    let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    let entry = format!("{}:{}", uri.host()?, uri.port_u16().unwrap_or(usual));
    AllowedTargets::parse(&[entry]).ok()
}
