//! Documents of a library: listed from the registry, shown, changed, read anew, signed and deleted.

use super::lists::{self, LARGEST_PAGE};
use super::{Deed, libraries};
use crate::documents::{Due, Known, Reading, may_be_read, settle, told};
use crate::references;
use crate::reply::{Body, Failure};
use http::{Method, Response, StatusCode};
use louver_domain::admission::Refusal;
use louver_domain::objects::ObjectKind;
use louver_domain::usage::Units;
use louver_store::objects::{self, Object};
use serde_json::{Value, json};
use std::cmp::Ordering;

/// What lists may be asked by.
pub(super) const PARAMETERS: &[&str] = &["page", "page_size", "search", "sort_by", "sort_order"];

/// What lists may be sorted by.
const SORTS: [&str; 6] = ["created_at", "name", "size", "extension", "last_processed_at", "number_of_pages"];
/// How often a change is tried when others change the same document.
const TRIES: usize = 16;

/// The document that the path names: it and its library must be the workspace's own.
async fn document(deed: &Deed<'_>) -> Result<Object, Failure> {
    deed.object(ObjectKind::Library).await?;
    again(deed).await
}

async fn again(deed: &Deed<'_>) -> Result<Object, Failure> {
    let (library, id) = (deed.asked.id(), deed.asked.second_id());
    references::find(deed.gateway, &deed.caller.key, ObjectKind::Document, library, id).await
}

/// The documents of a library, newest first if nothing else is asked for.
pub(super) async fn list(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    deed.object(ObjectKind::Library).await?;
    let size = lists::number(deed, "page_size", 100)?.clamp(1, LARGEST_PAGE);
    let page = lists::number(deed, "page", 0)?;
    let mut all = libraries::gather(deed, deed.asked.id()).await?;
    if let Some(part) = deed.query.get("search") {
        let named =
            |shown: &Value| shown.get("name").and_then(Value::as_str).is_some_and(|name| name.contains(part));
        all.retain(named);
    }
    sort(&mut all, deed.query.get("sort_by"), deed.query.get("sort_order"))?;
    let total = u64::try_from(all.len()).unwrap_or(u64::MAX);
    let skip = usize::try_from(page.saturating_mul(size)).unwrap_or(usize::MAX);
    let data: Vec<Value> =
        all.into_iter().skip(skip).take(usize::try_from(size).unwrap_or(usize::MAX)).collect();
    let answer = json!({"pagination": libraries::pagination(total, page, size), "data": data});
    Ok(deed.reply(StatusCode::OK, &answer))
}

/// Sorts what stands newest first.
fn sort(all: &mut [Value], by: Option<&str>, order: Option<&str>) -> Result<(), Failure> {
    let by = by.unwrap_or("created_at");
    let ascending = match order {
        None | Some("desc") => false,
        Some("asc") => true,
        Some(_) => return Err(Failure::BadParameter { name: "sort_order" }),
    };
    if !SORTS.contains(&by) {
        return Err(Failure::BadParameter { name: "sort_by" });
    }
    if by != "created_at" {
        all.sort_by(|a, b| compare(b.get(by), a.get(by)));
    }
    if ascending {
        all.reverse();
    }
    Ok(())
}

fn compare(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    let number = |value: Option<&Value>| value.and_then(Value::as_u64).unwrap_or(0);
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    number(a).cmp(&number(b)).then_with(|| text(a).cmp(&text(b)))
}

/// A document, its text or its status, as upstream shows them now.
pub(super) async fn get(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let document = document(deed).await?;
    let credential = deed.credential_of(&document)?;
    let said = deed.ask(Method::GET, deed.asked.path(), &credential, None).await?;
    deed.pass_on(&said)
}

/// Changes what a document is called.
pub(super) async fn update(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let body = libraries::body(deed)?;
    let document = document(deed).await?;
    let credential = deed.credential_of(&document)?;
    let said = deed.ask(deed.head.method.clone(), deed.asked.path(), &credential, Some(body)).await?;
    if said.status.is_success() {
        amend(deed, document, |known| known.see(&said.value)).await?;
    }
    deed.pass_on(&said)
}

/// A URL that gives a document or its text without a key, where the rules allow such at all. How long it is good for is
/// upstream's to say: an hour.
pub(super) async fn sign(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    if deed.caller.key.rules.signed_url_hours == 0 {
        return Err(Failure::Refused(Refusal::SignedUrlNotAllowed));
    }
    let document = document(deed).await?;
    let credential = deed.credential_of(&document)?;
    let said = deed.ask(Method::GET, deed.asked.path(), &credential, None).await?;
    tracing::info!(document = %document.id, "a signed URL was made");
    deed.pass_on(&said)
}

/// Has a document read anew, which costs what reading costs. What is due is written down before upstream is asked: it
/// is made good whoever dies, or leaves, in between.
pub(super) async fn reprocess(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    may_be_read(&deed.caller, &Units::default(), deed.visitor.now)?;
    let document = document(deed).await?;
    let known = Known::of(&document);
    let credential = deed.credential_of(&document)?;
    // When it was read last, as upstream says now: what is known here may be older than that.
    let target = format!("/v1/libraries/{}/documents/{}", deed.asked.id(), deed.asked.second_id());
    let shown = deed.ask(Method::GET, target, &credential, None).await?;
    if !shown.status.is_success() {
        return deed.pass_on(&shown);
    }
    let of_ticket = deed.credential_of(&document)?;
    let mut reading = Reading::reserve(deed.gateway, &deed.visitor, &deed.caller, &known, of_ticket).await?;
    let before = shown.value.get("last_processed_at").and_then(Value::as_str).map(str::to_owned);
    let due = reading.due(Some(before.unwrap_or_default()));
    let (id, request) = (document.id, due.request_id);
    amend(deed, document, |known| known.due.push(Due::clone(&due))).await?;
    objects::put_back(deed.gateway.store(), id, Some(deed.visitor.now)).await.map_err(Failure::store)?;
    reading.begin();
    let said = deed.ask(Method::POST, deed.asked.path(), &credential, None).await;
    if Reading::never_was(&said) {
        let document = again(deed).await?;
        amend(deed, document, |known| known.due.retain(|due| due.request_id != request)).await?;
    }
    reading.accepted(&said);
    deed.pass_on(&said?)
}

/// Deletes a document. What is due for it is settled first, as far as upstream says what it took; one that upstream has
/// forgotten already is deleted here too.
pub(super) async fn delete(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let document = document(deed).await?;
    let credential = deed.credential_of(&document)?;
    let known = Known::of(&document);
    let (store, now) = (deed.gateway.store(), deed.visitor.now);
    if !known.due.is_empty() && told(&known.shown).is_none() {
        let shown = deed.ask(Method::GET, deed.asked.path(), &credential, None).await?;
        settle(store, &document, known, &shown.value, now).await.map_err(Failure::store)?;
    }
    let said = deed.ask(Method::DELETE, deed.asked.path(), &credential, None).await?;
    if said.status.is_success() || said.status == StatusCode::NOT_FOUND {
        objects::delete(store, document.id, now).await.map_err(Failure::store)?;
    }
    deed.pass_on(&said)
}

/// Changes what is known of a document, however many others do so at the same time.
async fn amend(deed: &Deed<'_>, document: Object, change: impl Fn(&mut Known)) -> Result<(), Failure> {
    let mut document = document;
    for _ in 0..TRIES {
        let mut known = Known::of(&document);
        change(&mut known);
        let store = deed.gateway.store();
        let described = objects::describe(store, &document, &known.written(), deed.visitor.now).await;
        if described.map_err(Failure::store)? {
            return Ok(());
        }
        document = again(deed).await?;
    }
    Err(Failure::AccountingUnavailable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_as_asked() {
        let one = |name: &str, size: u64| json!({"name": name, "size": size});
        let sorted = |by, order| {
            let mut all = vec![one("b", 3), one("c", 1), one("a", 2)];
            sort(&mut all, by, order)
                .map(|()| all.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect::<String>())
        };
        assert_eq!(sorted(None, None).ok().as_deref(), Some("bca"));
        assert_eq!(sorted(Some("created_at"), Some("asc")).ok().as_deref(), Some("acb"));
        assert_eq!(sorted(Some("name"), None).ok().as_deref(), Some("cba"));
        assert_eq!(sorted(Some("size"), Some("asc")).ok().as_deref(), Some("cab"));
        assert!(sorted(Some("owner_id"), None).is_err() && sorted(None, Some("up")).is_err());
    }
}
