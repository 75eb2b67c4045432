//! Batch jobs: listed from the registry, shown and cancelled upstream. What is made anew is in `create.rs`.

mod bound;
mod create;

use super::Deed;
use crate::batches::{self, Known};
use crate::references::shelf;
use crate::reply::{Body, Failure};
use http::{Method, Response, StatusCode};
use louver_domain::objects::ObjectKind;
use louver_domain::time::Timestamp;
use louver_store::objects::{self, Object};
use serde_json::{Value, json};

pub(super) use create::create;

/// What lists may be asked by.
pub(super) const PARAMETERS: &[&str] =
    &["page", "page_size", "model", "agent_id", "metadata", "created_after", "created_by_me", "status"];

/// Jobs of one query, while a filtered list is gathered.
const CHUNK: u64 = 500;
const LARGEST_PAGE: u64 = 1000;

/// What a list is asked for.
struct Wanted {
    metadata: Option<serde_json::Map<String, Value>>,
    created_after: Option<Timestamp>,
    mine: bool,
}

/// The jobs of the workspace, newest first.
pub(super) async fn list(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let number = |name: &'static str, default: u64| match deed.query.get(name) {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| Failure::BadParameter { name }),
    };
    let (page, size) = (number("page", 0)?, number("page_size", 100)?.min(LARGEST_PAGE));
    let skip = page.saturating_mul(size);
    let wanted = Wanted::of(deed)?;
    let mut shown: Vec<Value> = Vec::new();
    let (mut seen, mut total) = (0_u64, 0_u64);
    loop {
        let place = shelf(&deed.caller.key, ObjectKind::BatchJob, "");
        let found = objects::list(deed.gateway.store(), place, seen, CHUNK).await.map_err(Failure::store)?;
        for object in &found.objects {
            let Some(known) = Known::of(object).filter(|known| wanted.fits(deed, object, known)) else {
                continue;
            };
            if total >= skip && total < skip.saturating_add(size) {
                shown.push(known.shown);
            }
            total = total.saturating_add(1);
        }
        seen = seen.saturating_add(CHUNK);
        if seen >= found.total {
            break;
        }
    }
    Ok(deed.reply(StatusCode::OK, &json!({"object": "list", "data": shown, "total": total})))
}

impl Wanted {
    fn of(deed: &Deed<'_>) -> Result<Self, Failure> {
        let bad = |name: &'static str| Failure::BadParameter { name };
        let metadata = deed.query.get("metadata").map(|text| match serde_json::from_str(text) {
            Ok(Value::Object(members)) => Ok(members),
            _ => Err(bad("metadata")),
        });
        let after = deed.query.get("created_after");
        let mine = match deed.query.get("created_by_me") {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(bad("created_by_me")),
        };
        Ok(Self {
            metadata: metadata.transpose()?,
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
        let marked = |(name, value): (&String, &Value)| {
            known.shown.get("metadata").and_then(|members| members.get(name)) == Some(value)
        };
        ["model", "agent_id", "status"].into_iter().all(is)
            && (own || !self.mine)
            && self.created_after.is_none_or(|after| object.created_at > after)
            && self.metadata.as_ref().is_none_or(|metadata| metadata.iter().all(marked))
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
