//! Who asks, from where, when, and under which condition: what every action is given.

use crate::Control;
use crate::error::ControlError;
use crate::reply;
use axum::extract::FromRequestParts;
use http::header::IF_MATCH;
use http::request::Parts;
use louver_domain::access::{Action, Actor};
use louver_domain::id::{AdminKeyId, OrganizationId, RequestId, SessionId};
use louver_domain::keys::PublicId;
use louver_domain::sessions::is_confirmed;
use louver_domain::time::Timestamp;
use louver_store::idempotency::Run;
use serde::Serialize;
use std::net::IpAddr;
use std::sync::Arc;

/// What the program knows of a request before anything is read; it puts one on each request as an extension.
#[derive(Clone, Copy, Debug)]
pub struct RequestContext {
    /// The request's id, also in the answer's `x-request-id`.
    pub request_id: RequestId,
    /// The client's address, after trusted proxies.
    pub address: IpAddr,
}

/// What a request showed who it is by.
#[derive(Clone, Copy, Debug)]
pub enum Credential {
    /// An admin key.
    AdminKey {
        /// The key.
        key: AdminKeyId,
        /// Which of its secrets.
        secret: PublicId,
    },
    /// A session in the console.
    Session {
        /// The session.
        id: SessionId,
        /// When the person last showed in it that it is them.
        confirmed_at: Timestamp,
    },
}

/// What an action is given besides its input.
#[derive(Clone, Debug)]
pub struct Context {
    /// Who acts.
    pub actor: Actor,
    /// The request behind it; none when the program acts by itself.
    pub origin: Option<RequestContext>,
    /// When.
    pub now: Timestamp,
    /// What the request showed; none when the program acts by itself.
    pub credential: Option<Credential>,
    /// The value of `If-Match`: change only what still looks like that.
    pub if_match: Option<String>,
    /// The run that the request's idempotency key belongs to, where it came with one.
    pub run: Option<Run>,
}

impl Context {
    /// Refuses whoever may do this nowhere: what a page asks before it reads what belongs to no workspace.
    pub fn admit(&self, action: Action) -> Result<(), ControlError> {
        if self.actor.may_somewhere(action) { Ok(()) } else { Err(ControlError::lacking(action)) }
    }

    /// For the program itself, on the machine that holds the data.
    pub fn system(organization_id: OrganizationId, now: Timestamp) -> Self {
        let actor = Actor::system(organization_id);
        Self { actor, origin: None, now, credential: None, if_match: None, run: None }
    }

    /// The organization that bounds everything.
    pub const fn organization_id(&self) -> OrganizationId {
        self.actor.organization_id()
    }

    /// Refuses what is sensitive in a session whose person has not shown lately that it is them.
    pub(crate) fn must_be_confirmed(
        &self,
        actions: impl Iterator<Item = Action>,
    ) -> Result<(), ControlError> {
        let Some(Credential::Session { confirmed_at, .. }) = self.credential else { return Ok(()) };
        let sensitive = actions.filter(|action| action.is_sensitive()).count() > 0;
        let refused = sensitive && !is_confirmed(confirmed_at, self.now);
        if refused { Err(ControlError::Unconfirmed) } else { Ok(()) }
    }

    /// Refuses when `If-Match` names another state than `shown`.
    pub(crate) fn must_match<T: Serialize>(&self, control: &Control, shown: &T) -> Result<(), ControlError> {
        let Some(wanted) = &self.if_match else { return Ok(()) };
        let now = reply::etag(control, shown)?;
        let matches = wanted.split(',').map(str::trim).any(|tag| tag == "*" || tag == now);
        matches.then_some(()).ok_or(ControlError::PreconditionFailed)
    }
}

impl FromRequestParts<Arc<Control>> for Context {
    type Rejection = ControlError;

    async fn from_request_parts(parts: &mut Parts, control: &Arc<Control>) -> Result<Self, ControlError> {
        let actor = parts.extensions.get::<Actor>().cloned().ok_or(ControlError::Unauthorized)?;
        let tags: Result<Vec<&str>, _> = parts.headers.get_all(IF_MATCH).iter().map(|v| v.to_str()).collect();
        // What cannot be read matches nothing.
        let if_match = tags.map_or_else(|_| String::from("?"), |tags| tags.join(","));
        Ok(Self {
            actor,
            origin: parts.extensions.get::<RequestContext>().copied(),
            now: control.clock.now(),
            credential: parts.extensions.get::<Credential>().copied(),
            if_match: parts.headers.contains_key(IF_MATCH).then_some(if_match),
            run: parts.extensions.get::<Run>().copied(),
        })
    }
}
