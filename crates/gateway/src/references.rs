//! The objects that a call names: each must be the workspace's own, and the call takes the credential they were made with.

use crate::admit::Try;
use crate::authn::Caller;
use crate::credentials::{self, Choice, InUse, Missing};
use crate::intake::{Ask, Given};
use crate::pipeline::{Gateway, Visitor};
use crate::reply::Failure;
use crate::snapshot::KeyEntry;
use crate::turns::{self, Turn};
use louver_domain::id::{ObjectId, UpstreamId};
use louver_domain::objects::{ObjectKind, ObjectState};
use louver_mistral::endpoints::Asked;
use louver_mistral::request::{Reference, ReferenceKind};
use louver_store::objects::{self, Object, Owner, Shelf};
use std::borrow::Cow;

/// Where a call goes, and with what.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// Path and query upstream.
    pub(crate) target: Cow<'static, str>,
    /// The credential that its objects were made with; `None` where it names none.
    made_with: Option<Option<UpstreamId>>,
    /// Who speaks, where the call is to an agent or in a conversation.
    pub(crate) turn: Option<Box<Turn>>,
}

impl Resolved {
    /// The credential to take, of one of `servers`.
    pub(crate) fn credential(
        &self,
        key: &KeyEntry,
        servers: &[usize],
        attempt: &Try,
        now_micros: i64,
    ) -> Result<InUse, Failure> {
        let Some(id) = self.made_with else {
            let Try { tried, again, .. } = attempt;
            let choice = Choice { credentials: &key.credentials, servers, tried, again: *again };
            return choice.take(now_micros).map_err(|missing| Failure::missing(missing, now_micros));
        };
        let found = credentials::exactly(&key.credentials, id);
        let in_use = found.ok_or_else(|| Failure::missing(Missing::None, now_micros))?;
        if !servers.contains(&in_use.credential().server) {
            return Err(Failure::ObjectsApart);
        }
        Ok(in_use)
    }

    /// Whether what it names stands for one model at one place, so that no other can answer.
    pub(crate) const fn is_pinned(&self) -> bool {
        self.made_with.is_some() || self.turn.is_some()
    }
}

/// Finds what a call names. Most calls name nothing, and nobody is asked.
pub(crate) async fn resolve(
    gateway: &Gateway,
    caller: &Caller,
    asked: &Asked<'_>,
    ask: &Ask,
) -> Result<Resolved, Failure> {
    let Ask { request, body } = ask;
    let mut made_with = None;
    for Reference { kind, id } in &request.references {
        let kind = object_kind(*kind).ok_or(Failure::NoSuchObject)?;
        let object = find(gateway, &caller.key, kind, "", id).await?;
        if made_with.is_some_and(|other| other != object.credential_id) {
            return Err(Failure::ObjectsApart);
        }
        made_with = Some(object.credential_id);
    }
    let turn = match (&request.turn, body) {
        (Some(said), Given::Json(body)) => {
            Some(Box::new(Box::pin(turns::resolve(gateway, caller, asked, request, body, said)).await?))
        }
        (Some(_), Given::Form(_)) | (None, _) => None,
    };
    for id in turn.iter().flat_map(|turn| &turn.made_with) {
        if made_with.is_some_and(|other| other != *id) {
            return Err(Failure::ObjectsApart);
        }
        made_with = Some(*id);
    }
    let fixed = asked.endpoint.path();
    let target = if fixed.contains('{') { Cow::Owned(asked.path()) } else { Cow::Borrowed(fixed) };
    Ok(Resolved { target, made_with, turn })
}

/// An object of the key's workspace. Unknown, deleted, or another workspace's: one answer for all.
pub(crate) async fn find(
    gateway: &Gateway,
    key: &KeyEntry,
    kind: ObjectKind,
    parent: &str,
    id: &str,
) -> Result<Object, Failure> {
    let found = objects::find(gateway.store(), shelf(key, kind, parent), id).await;
    found.map_err(Failure::store)?.ok_or(Failure::NoSuchObject)
}

/// An object that is to be made for a key's workspace. It has the id of the request that makes it.
pub(crate) fn intended(
    key: &KeyEntry,
    visitor: &Visitor,
    kind: ObjectKind,
    credential_id: Option<UpstreamId>,
) -> Object {
    Object {
        id: ObjectId::from_bytes(visitor.request_id.bytes()),
        owner: Owner {
            organization_id: key.organization_id,
            workspace_id: key.workspace_id,
            key_id: key.id,
            user_id: key.user_id,
        },
        kind,
        upstream_id: None,
        parent: String::new(),
        credential_id,
        server: None,
        state: ObjectState::Intended,
        attributes: "{}".into(),
        tokens: 0,
        created_at: visitor.now,
        changed_at: visitor.now,
    }
}

/// Where the objects of a key's workspace stand.
pub(crate) const fn shelf<'a>(key: &KeyEntry, kind: ObjectKind, parent: &'a str) -> Shelf<'a> {
    Shelf { organization_id: key.organization_id, workspace_id: key.workspace_id, kind, parent }
}

pub(crate) const fn object_kind(kind: ReferenceKind) -> Option<ObjectKind> {
    match kind {
        ReferenceKind::File => Some(ObjectKind::File),
        ReferenceKind::Library => Some(ObjectKind::Library),
        ReferenceKind::Agent => Some(ObjectKind::Agent),
        ReferenceKind::Conversation => Some(ObjectKind::Conversation),
        ReferenceKind::Unowned => None,
    }
}
