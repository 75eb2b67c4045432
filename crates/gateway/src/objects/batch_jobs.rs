//! Batch jobs: listed from the registry, shown and cancelled upstream. What is made anew is in `create.rs`.

mod bound;
mod create;

use super::{Deed, lists};
use crate::batches::{self, Known};
use crate::reply::{Body, Failure};
use http::{Method, Response, StatusCode};
use louver_domain::objects::ObjectKind;
use louver_domain::time::Timestamp;
use louver_store::objects::{self, Object};
use serde_json::{Map, Value, json};

pub(super) use create::create;

/// What lists may be asked by.
pub(super) const PARAMETERS: &[&str] = &[
    "page",
    "page_size",
    "model",
    "agent_id",
    "metadata",
    "created_after",
    "created_by_me",
    "status",
    "order_by",
];
/// Of these, the lists.
pub(super) const LISTS: &[&str] = &["status"];

/// What a list is asked for.
struct Wanted {
    metadata: Map<String, Value>,
    created_after: Option<Timestamp>,
    mine: bool,
}

/// The jobs of the workspace, newest first unless the request wants it the other way.
pub(super) async fn list(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let (skip, size) = lists::page(deed, 100)?;
    let oldest_first = match deed.query.get("order_by") {
        None | Some("-created") => false,
        Some("created") => true,
        Some(_) => return Err(Failure::BadParameter { name: "order_by" }),
    };
    let wanted = Wanted::of(deed)?;
    let fits = |object: &Object| {
        Known::of(object).filter(|known| wanted.fits(deed, object, known)).map(|known| known.shown)
    };
    let mut fitting = lists::gather(deed, ObjectKind::BatchJob, "", usize::MAX, fits).await?;
    if oldest_first {
        fitting.reverse();
    }
    let total = fitting.len();
    let shown: Vec<Value> = fitting.into_iter().skip(skip).take(size).collect();
    Ok(deed.reply(StatusCode::OK, &json!({"object": "list", "data": shown, "total": total})))
}

impl Wanted {
    fn of(deed: &Deed<'_>) -> Result<Self, Failure> {
        let bad = |name: &'static str| Failure::BadParameter { name };
        let after = deed.query.get("created_after");
        let mine = match deed.query.get("created_by_me") {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(bad("created_by_me")),
        };
        Ok(Self {
            metadata: lists::metadata(deed)?,
            created_after: after
                .map(|text| Timestamp::parse(text).ok_or(bad("created_after")))
                .transpose()?,
            mine,
        })
    }

    fn fits(&self, deed: &Deed<'_>, object: &Object, known: &Known) -> bool {
        let (key, owner) = (&deed.caller.key, &object.owner);
        let own = owner.key_id == key.id || (owner.user_id.is_some() && owner.user_id == key.user_id);
        let is = |name: &str| {
            deed.query
                .get(name)
                .is_none_or(|wanted| known.shown.get(name).and_then(Value::as_str) == Some(wanted))
        };
        let status = known.shown.get("status").and_then(Value::as_str);
        ["model", "agent_id"].into_iter().all(is)
            && deed.query.wants("status", status)
            && (own || !self.mine)
            && self.created_after.is_none_or(|after| object.created_at > after)
            && lists::has(&known.shown, &self.metadata)
    }
}

/// One job, as upstream shows it now.
pub(super) async fn get(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let target = match deed.query.get("inline") {
        None => deed.asked.path(),
        Some(value @ ("true" | "false")) => format!("{}?inline={value}", deed.asked.path()),
        Some(_) => return Err(Failure::BadParameter { name: "inline" }),
    };
    ask(deed, Method::GET, target).await
}

/// Cancels a job. What ran until then is billed when the job is over.
pub(super) async fn cancel(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    ask(deed, Method::POST, deed.asked.path()).await
}

async fn ask(deed: &Deed<'_>, method: Method, target: String) -> Result<Response<Body>, Failure> {
    let job = deed.object(ObjectKind::BatchJob).await?;
    let mut known = Known::of(&job).ok_or(Failure::NoSuchObject)?;
    let credential = deed.credential_of(&job)?;
    let mut said = deed.ask(method, target, &credential, None).await?;
    if said.status.is_success() {
        said.value = known.see(&job, &said.value);
        batches::own_files(deed.gateway, deed.pool, &job, &known).await?;
        let written = known.written();
        let now = deed.visitor.now;
        objects::describe(deed.gateway.store(), &job, &written, now).await.map_err(Failure::store)?;
    }
    deed.pass_on(&said)
}
