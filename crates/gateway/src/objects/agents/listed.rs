//! Lists of agents: by numbered pages, or each page from where the one before ended.

use super::{Deed, Known, lists};
use crate::reply::{Body, Failure};
use http::{Response, StatusCode};
use louver_domain::id::ObjectId;
use louver_domain::objects::ObjectKind;
use louver_store::objects::Object;
use serde_json::{Map, Value, json};

/// What lists may be asked by.
pub(in crate::objects) const PARAMETERS: &[&str] =
    &["page", "page_size", "deployment_chat", "sources", "name", "search", "id", "metadata"];
/// What pages that follow one another may be asked by.
pub(in crate::objects) const FOLLOWING: &[&str] =
    &["page_token", "page_size", "deployment_chat", "sources", "name", "search", "id", "metadata"];
/// Of these, what may be asked by several at once.
pub(in crate::objects) const LISTS: &[&str] = &["sources"];

/// Agents of one page, if the request does not say.
pub(super) const PAGE: u64 = 20;

/// The agents of the workspace, newest first.
pub(in crate::objects) async fn list(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let (skip, size) = lists::page(deed, PAGE)?;
    let agents = gather(deed, skip.saturating_add(size), None).await?;
    let shown = agents.into_iter().skip(skip).take(size).map(|(_, agent)| agent);
    Ok(deed.reply(StatusCode::OK, &shown.collect()))
}

/// The agents that follow a page, newest first, and the token for those that follow them.
pub(in crate::objects) async fn follow(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let size = lists::size(deed, PAGE)?.max(1);
    let read = |token| ObjectId::parse(token).ok_or(Failure::BadParameter { name: "page_token" });
    let after = deed.query.get("page_token").map(read).transpose()?;
    let agents = gather(deed, size.saturating_add(1), after).await?;
    let last = agents.get(size.saturating_sub(1)).filter(|_| agents.len() > size);
    let next = last.map(|(id, _)| id.to_string());
    let shown: Vec<Value> = agents.into_iter().take(size).map(|(_, agent)| agent).collect();
    Ok(deed.reply(StatusCode::OK, &json!({"object": "list", "data": shown, "next_page_token": next})))
}

/// At least the first `most` agents that are asked for and older than `after`, as far as there are so many.
async fn gather(
    deed: &Deed<'_>,
    most: usize,
    after: Option<ObjectId>,
) -> Result<Vec<(ObjectId, Value)>, Failure> {
    let metadata = lists::metadata(deed)?;
    let fitting = |object: &Object| {
        let known = Known::of(object);
        let agent = known.shown(known.current);
        let older = after.is_none_or(|after| object.id < after);
        (older && fits(deed, &agent, &metadata)).then_some((object.id, agent))
    };
    lists::gather(deed, ObjectKind::Agent, "", most, fitting).await
}

/// Whether an agent is one of those that were asked for.
fn fits(deed: &Deed<'_>, agent: &Value, metadata: &Map<String, Value>) -> bool {
    let text = |name: &str| agent.get(name).and_then(Value::as_str).unwrap_or_default();
    let is = |name: &str| deed.query.wants(name, Some(text(name)));
    let published = match agent.get("deployment_chat") {
        Some(Value::Bool(true)) => "true",
        _ => "false",
    };
    let part = deed.query.get("search").unwrap_or_default();
    is("id")
        && is("name")
        && deed.query.wants("sources", Some(text("source")))
        && deed.query.wants("deployment_chat", Some(published))
        && (text("name").contains(part) || text("id").contains(part))
        && lists::has(agent, metadata)
}
