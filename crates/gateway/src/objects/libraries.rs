//! Libraries: made, listed from the registry, changed and deleted. With whom one is shared is not for clients to say.

use super::lists::{self, LARGEST_PAGE};
use super::{Deed, Making};
use crate::references::shelf;
use crate::reply::{Body, Failure};
use crate::upstream::Payload;
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use louver_domain::objects::ObjectKind;
use louver_mistral::libraries;
use louver_store::objects::{self, Object};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// What lists may be asked by.
pub(super) const PARAMETERS: &[&str] = &["page", "page_size", "page_token"];

/// Entries of a page, if the request does not say.
const PAGE: u64 = 100;

/// What is known of a library.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Known {
    /// As upstream showed it last.
    shown: Value,
}

/// Makes a library.
pub(super) async fn create(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let body = body(deed)?;
    let making = Making {
        gateway: Arc::clone(deed.gateway),
        pool: deed.pool.clone(),
        key: Arc::clone(&deed.caller.key),
        credential: deed.any_credential()?,
        kind: ObjectKind::Library,
        parent: String::new(),
        target: deed.asked.path(),
        payload: Payload::json(body),
    };
    let said = making.run(written).await?;
    deed.pass_on(&said)
}

fn written(shown: &Value) -> String {
    serde_json::to_string(&Known { shown: shown.clone() }).unwrap_or_default()
}

/// A body as it goes upstream.
pub(super) fn body(deed: &Deed<'_>) -> Result<Bytes, Failure> {
    libraries::read(deed.asked.endpoint, &deed.body).map(Bytes::from).map_err(Failure::Request)
}

/// The libraries of the workspace, newest first: by page with a count of all, or from a token on.
pub(super) async fn list(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let size = lists::number(deed, "page_size", PAGE)?.clamp(1, LARGEST_PAGE);
    let paged = deed.query.get("page").is_some();
    let page = lists::number(deed, "page", 0)?;
    let skip = if paged { page.saturating_mul(size) } else { lists::number(deed, "page_token", 0)? };
    let place = shelf(&deed.caller.key, ObjectKind::Library, "");
    let found = objects::list(deed.gateway.store(), place, skip, size).await.map_err(Failure::store)?;
    let mut shown = Vec::new();
    for library in &found.objects {
        shown.push(counted(deed, library).await?);
    }
    let answer = if paged {
        json!({"data": shown, "pagination": pagination(found.total, page, size)})
    } else {
        let next = skip.saturating_add(size);
        json!({"data": shown, "next_page_token": (next < found.total).then(|| next.to_string())})
    };
    Ok(deed.reply(StatusCode::OK, &answer))
}

/// A library as lists show it, with what is in it now.
async fn counted(deed: &Deed<'_>, library: &Object) -> Result<Value, Failure> {
    let known: Known = serde_json::from_str(&library.attributes).unwrap_or_default();
    let documents = gather(deed, library.upstream_id.as_deref().unwrap_or_default()).await?;
    let size = documents.iter().filter_map(|document| document.get("size").and_then(Value::as_u64));
    let size = size.fold(0, u64::saturating_add);
    let mut shown = known.shown;
    if let Some(members) = shown.as_object_mut() {
        members.insert("nb_documents".to_owned(), documents.len().into());
        members.insert("total_size".to_owned(), size.into());
    }
    Ok(shown)
}

/// The documents of a library as they were last seen, newest first.
pub(super) async fn gather(deed: &Deed<'_>, library: &str) -> Result<Vec<Value>, Failure> {
    let shown = |object: &Object| Some(crate::documents::Known::of(object).shown);
    lists::gather(deed, ObjectKind::Document, library, usize::MAX, shown).await
}

/// What is said beside a page; pages are counted from 0.
pub(super) fn pagination(total: u64, page: u64, size: u64) -> Value {
    let pages = total.div_ceil(size.max(1));
    json!({"total_items": total, "total_pages": pages, "current_page": page, "page_size": size,
        "has_more": page.saturating_add(1) < pages})
}

/// One library, as upstream shows it now.
pub(super) async fn get(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let library = deed.object(ObjectKind::Library).await?;
    let credential = deed.credential_of(&library)?;
    let said = deed.ask(Method::GET, deed.asked.path(), &credential, None).await?;
    deed.pass_on(&said)
}

/// Changes what a library is called.
pub(super) async fn update(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let body = body(deed)?;
    let library = deed.object(ObjectKind::Library).await?;
    let credential = deed.credential_of(&library)?;
    let said = deed.ask(deed.head.method.clone(), deed.asked.path(), &credential, Some(body)).await?;
    if said.status.is_success() {
        let store = deed.gateway.store();
        let described = objects::describe(store, &library, &written(&said.value), deed.visitor.now).await;
        // Of two changes at the same time lists show one or the other.
        described.map_err(Failure::store)?;
    }
    deed.pass_on(&said)
}

/// Deletes a library with all that is in it. One that upstream has forgotten already is deleted here too.
pub(super) async fn delete(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let library = deed.object(ObjectKind::Library).await?;
    let credential = deed.credential_of(&library)?;
    let said = deed.ask(Method::DELETE, deed.asked.path(), &credential, None).await?;
    if said.status.is_success() || said.status == StatusCode::NOT_FOUND {
        let (store, now) = (deed.gateway.store(), deed.visitor.now);
        let organization = deed.caller.key.organization_id;
        objects::delete(store, library.id, now).await.map_err(Failure::store)?;
        let within = objects::delete_within(store, organization, ObjectKind::Document, deed.asked.id(), now);
        within.await.map_err(Failure::store)?;
    }
    deed.pass_on(&said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted_from_nothing() {
        for (total, page, size, pages, more) in
            [(0, 0, 10, 0, false), (10, 0, 10, 1, false), (11, 0, 10, 2, true), (11, 1, 10, 2, false)]
        {
            let said = pagination(total, page, size);
            assert_eq!(
                (&said["total_pages"], &said["has_more"]),
                (&json!(pages), &json!(more)),
                "{total} {page}"
            );
        }
        assert_eq!(pagination(5, u64::MAX, 1)["has_more"], false);
    }
}
