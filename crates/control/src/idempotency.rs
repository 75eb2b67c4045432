//! A POST with an `Idempotency-Key` is carried out once, and its answer is given again to whoever got it.
//!
//! This stands behind authentication and the gate, around the handler. The work goes on when the client leaves: its answer
//! is what the client comes back for.

mod answers;

use crate::actor::actor_of;
use crate::context::{Context, Credential};
use crate::error::ControlError;
use crate::{Control, intake};
use aws_lc_rs::digest::{SHA256, digest};
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, header::HeaderName};
use louver_domain::access::{Actor, Identity};
use louver_domain::id::{RequestId, UserId};
use louver_domain::secret::Secret;
use louver_store::idempotency::{self as store, Claim, Earlier, Kept, Run, State};
use louver_store::seal::Place;
use louver_store::{Tx, admin_keys, grants};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// The header that names a request, so that it is carried out once.
pub const HEADER: &str = "Idempotency-Key";
const LONGEST_KEY: usize = 255;

/// Marks an answer that was given before.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// No request takes longer; one that does is broken off.
const LONGEST_RUN: Duration = Duration::from_secs(120);

const TOO_MANY: &str = "1,000 requests of yours with an idempotency key are running or in doubt, and there is no room for \
                        more: look at the lists for what came of them; those in doubt are forgotten a day after they began";

/// Why a request that came before is neither carried out nor answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Repeated {
    /// The first one still runs.
    #[error("the first request with this idempotency key is still running: repeat it in a moment")]
    Running,
    /// Whoever ran it is gone, and it may or may not have been carried out.
    #[error(
        "what came of the first request with this idempotency key is not known: look at the lists before you send it \
         with another key"
    )]
    Unknown,
    /// It was carried out, and the answer is lost.
    #[error(
        "the first request with this idempotency key has changed something, but its answer is not there: look at the lists"
    )]
    Lost,
    /// It was carried out, and the answer was too large.
    #[error(
        "the first request with this idempotency key was carried out, but its answer is larger than 1 MiB and was not \
         kept: look at the lists"
    )]
    TooLarge,
    /// It was answered to somebody who could do other things than they can now.
    #[error(
        "the first request with this idempotency key was carried out, but what you may do has changed since, and its \
         answer is not given again: look at the lists"
    )]
    OtherRights,
}

impl Repeated {
    /// The `type` of the refusal.
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::Running => "request_in_progress",
            Self::Unknown => "outcome_unknown",
            Self::Lost | Self::TooLarge | Self::OtherRights => "answer_not_kept",
        }
    }
}

/// A handler that works once for each idempotency key; without one it is the handler itself.
#[derive(Clone)]
pub struct Once<H>(pub H);

impl<H, T> Handler<T, Arc<Control>> for Once<H>
where
    H: Handler<T, Arc<Control>>,
    T: 'static,
{
    type Future = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(self, request: Request, control: Arc<Control>) -> Self::Future {
        if !request.headers().contains_key(HEADER) {
            return Box::pin(self.0.call(request, control));
        }
        Box::pin(async move {
            let shared = Arc::clone(&control);
            let work = move |request| self.0.call(request, shared);
            heed(control, request, work).await.unwrap_or_else(IntoResponse::into_response)
        })
    }
}

/// One request as asked.
struct Asked {
    run: Run,
    hash: [u8; 32],
    actor: Actor,
    credential: Credential,
    request: Request,
}

async fn heed<F>(
    control: Arc<Control>,
    request: Request,
    work: impl FnOnce(Request) -> F + Send + 'static,
) -> Result<Response, ControlError>
where
    F: Future<Output = Response> + Send,
{
    let key = read_key(request.headers())?.to_owned();
    let (parts, body) = request.into_parts();
    let head = parts.clone();
    let body = intake::collect(Request::from_parts(parts, body)).await?;
    let asked = Asked::new(&control, &key, head, body)?;
    // From here on nobody's leaving ends it: neither the client's nor a listener's that has waited long enough.
    let task = tokio::spawn(async move { once(&control, asked, work).await });
    task.await.map_err(|error| ControlError::Internal(format!("a request did not finish: {error}")))?
}

/// The header's value: there once, and of characters that nobody changes on the way.
fn read_key(headers: &HeaderMap) -> Result<&str, ControlError> {
    let refuse = |sentence| Err(ControlError::header(HEADER, sentence));
    let mut values = headers.get_all(HEADER).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return refuse("stands there twice") };
    let visible = value.as_bytes().iter().all(u8::is_ascii_graphic);
    match value.to_str() {
        Ok(key) if visible && (1..=LONGEST_KEY).contains(&key.len()) => Ok(key),
        Ok(_) | Err(_) => refuse("must be 1 to 255 visible ASCII characters"),
    }
}

impl Asked {
    fn new(control: &Control, key: &str, mut head: Parts, body: Bytes) -> Result<Self, ControlError> {
        let actor = head.extensions.get::<Actor>().cloned().ok_or(ControlError::Unauthorized)?;
        let credential = head.extensions.get::<Credential>().copied().ok_or(ControlError::Unauthorized)?;
        let run = Run {
            organization_id: actor.organization_id(),
            holder: holder(&actor)?,
            key_hash: control.pepper.fingerprint(&format!("idempotency key\n{key}")),
            id: RequestId::new(control.clock.now(), &*control.entropy),
        };
        let hash = hash(control, &head, &body);
        head.extensions.insert(run);
        let request = Request::from_parts(head, Body::from(body));
        Ok(Self { run, hash, actor, credential, request })
    }
}

/// Whom the admin key stands for. All keys of a person share what the person asked; a key of nobody's own is by itself.
fn holder(actor: &Actor) -> Result<[u8; 16], ControlError> {
    match &actor.identity {
        Identity::AdminKey { id, .. } => Ok(id.bytes()),
        Identity::Person { id, .. } => Ok(id.bytes()),
        Identity::ServiceAccount { id, .. } => Ok(id.bytes()),
        Identity::System => Err(ControlError::Unauthorized),
    }
}

/// What is asked, hashed with a secret: a body may hold what is easy to guess.
pub(crate) fn hash(control: &Control, head: &Parts, body: &Bytes) -> [u8; 32] {
    let body: String = digest(&SHA256, body).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let target = head.uri.path_and_query().map_or("", |target| target.as_str());
    control.pepper.fingerprint(&format!("idempotent request\n{}\n{target}\n{body}", head.method))
}

/// What somebody may do, hashed.
fn hash_rights(control: &Control, actor: &Actor) -> [u8; 32] {
    control.pepper.fingerprint(&format!("rights\n{:?}", actor.rights()))
}

async fn once<F>(
    control: &Control,
    asked: Asked,
    work: impl FnOnce(Request) -> F,
) -> Result<Response, ControlError>
where
    F: Future<Output = Response>,
{
    let run = asked.run;
    match store::claim(&control.store, &run, asked.hash).await? {
        Claim::Ours => {}
        Claim::Earlier(earlier) => return again(control, &asked, earlier),
        Claim::Full => return Err(ControlError::TooMany(TOO_MANY.into())),
    }
    let Ok(response) = tokio::time::timeout(LONGEST_RUN, work(asked.request)).await else {
        return Err(ControlError::Unavailable("a request took too long and was broken off".into()));
    };
    if !response.status().is_success() {
        if let Err(error) = store::let_go(&control.store, &run).await {
            tracing::warn!(%error, "an idempotency key could not be let go");
        }
        return Ok(response);
    }
    let (written, response) = answers::write(response).await?;
    if let Err(error) = keep(control, &run, asked.credential, written).await {
        // The deed is done, and its answer goes out; a repetition will be told that it is lost.
        tracing::error!(%error, "an answer could not be kept for repetitions");
    }
    Ok(response)
}

/// Writes an answer down, with what its receiver may do now: the deed itself may have changed that.
async fn keep(
    control: &Control,
    run: &Run,
    credential: Credential,
    written: Option<Secret<String>>,
) -> Result<(), ControlError> {
    let rights_hash = hash_rights(control, &holder_now(control, run, credential).await?);
    let place = Place::answer(run.id, run.organization_id);
    let seal = |written| control.master.seal(&place, &written, &*control.entropy);
    let sealed = written.map(seal).transpose()?;
    let kept = sealed.map(|sealed_answer| Kept { rights_hash, sealed_answer });
    Ok(store::answered(&control.store, run, kept).await?)
}

/// Whom the request was by, with what they may do now.
async fn holder_now(control: &Control, run: &Run, credential: Credential) -> Result<Actor, ControlError> {
    match credential {
        Credential::AdminKey { key, .. } => {
            let key = admin_keys::get(&control.store, key).await?.ok_or(ControlError::Unauthorized)?;
            actor_of(control, &key).await
        }
        Credential::Session { .. } => {
            let id = UserId::from_bytes(run.holder);
            let found = grants::rights_of(&control.store, run.organization_id, id).await?;
            let (user, rights) = found.ok_or(ControlError::Unauthorized)?;
            Ok(Actor::new(Identity::Person { id, email: user.email }, run.organization_id, rights))
        }
    }
}

/// The answer that was given before, or why it is not given.
fn again(control: &Control, asked: &Asked, earlier: Earlier) -> Result<Response, ControlError> {
    if earlier.request_hash != asked.hash {
        let sentence = "was used for another request: take a new key for each request";
        return Err(ControlError::header(HEADER, sentence));
    }
    let longest = i64::try_from(LONGEST_RUN.as_secs()).unwrap_or(i64::MAX);
    let running = earlier.age_seconds <= longest;
    let why = match earlier.state {
        State::Running | State::Changed if running => Repeated::Running,
        State::Running => Repeated::Unknown,
        State::Changed | State::Lost => Repeated::Lost,
        State::Unkept => Repeated::TooLarge,
        State::Answered => match (earlier.sealed_answer, earlier.rights_hash) {
            (Some(sealed), Some(rights)) if rights == hash_rights(control, &asked.actor) => {
                let place = Place::answer(earlier.run_id, asked.run.organization_id);
                return answers::read(&control.master.open(&place, &sealed)?);
            }
            (Some(_), Some(_)) => Repeated::OtherRights,
            (_, None) | (None, _) => Repeated::Lost,
        },
    };
    Err(ControlError::Repeated(why))
}

/// Inside a deed's transaction: when it commits, so does that the request has changed something.
pub(crate) async fn mark(context: &Context, tx: &mut Tx) -> Result<(), ControlError> {
    let Some(run) = &context.run else { return Ok(()) };
    match store::mark_changed(tx, run).await? {
        true => Ok(()),
        false => Err(ControlError::Repeated(Repeated::Unknown)),
    }
}
