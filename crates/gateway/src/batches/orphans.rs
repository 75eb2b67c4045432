//! Jobs that were intended and of which nobody knows whether upstream made them: found by the mark in their metadata.

use super::known::{Known, mark};
use super::{Batches, LATER_MICROS, MICROS_PER_SECOND, Next, Trouble, micros, plus};
use crate::asker::{Answer, Asker, Silence};
use louver_domain::time::Timestamp;
use louver_mistral::endpoints::is_path_id;
use louver_store::objects::{self, Object};
use serde_json::Value;

/// How long the making of a job may take before it is looked for, and how long upstream may take to list it.
const GRACE_MICROS: i64 = 15 * 60 * MICROS_PER_SECOND;
/// Clocks differ: upstream may say that a job is a little older than it is here.
const SKEW_MICROS: i64 = 24 * 60 * 60 * MICROS_PER_SECOND;
const PAGE: u64 = 100;
/// Pages of a list at most: upstream that lists for ever is not believed.
const PAGES: u64 = 10_000;

impl Batches {
    /// Looks for a job that may be there. Found, it is adopted; not found, everything comes back.
    pub(super) async fn find(
        &self,
        asker: &Asker<'_>,
        job: &Object,
        mut known: Known,
    ) -> Result<Next, Trouble> {
        let now = self.gateway.clock().now();
        let due = plus(job.created_at, GRACE_MICROS);
        if now < due {
            return Ok(Next::At(due));
        }
        let store = self.gateway.store();
        if let Some(said) = search(asker, job).await? {
            let id = said.get("id").and_then(Value::as_str).filter(|id| is_path_id(id));
            let Some(id) = id.map(str::to_owned) else { return Ok(Next::At(plus(now, LATER_MICROS))) };
            known.see(job, &said);
            let adopted = objects::confirm(store, job.id, &id, &known.written(), now).await?;
            tracing::warn!(job = %job.id, adopted, "a batch was found upstream whose making nobody saw to its end");
            return Ok(Next::At(plus(now, micros(self.interval))));
        }
        // Nothing ran. The row goes when what was charged is given back, and not before.
        match self.settle(job, &known, Vec::new()).await? {
            Next::Done => {
                objects::withdraw(store, job.id).await?;
                Ok(Next::Done)
            }
            later @ Next::At(_) => Ok(later),
        }
    }
}

/// The job of upstream with the mark of this one.
async fn search(asker: &Asker<'_>, job: &Object) -> Result<Option<Value>, Trouble> {
    let wanted = job.id.to_string();
    let since = Timestamp::from_micros(job.created_at.micros().saturating_sub(SKEW_MICROS));
    for page in 0..PAGES {
        let target = format!("/v1/batch/jobs?page={page}&page_size={PAGE}&created_after={}", escaped(since));
        // A list that is not there says nothing of the job.
        let Answer::There(list) = asker.json(target).await? else {
            return Err(Trouble::Upstream(Silence::Unusable));
        };
        let jobs = list.get("data").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if let Some(found) = jobs.iter().find(|said| mark(said) == Some(wanted.as_str())) {
            return Ok(Some(found.clone()));
        }
        if jobs.is_empty() {
            return Ok(None);
        }
    }
    Ok(None)
}

fn escaped(time: Timestamp) -> String {
    time.rfc3339().replace(':', "%3A").replace('+', "%2B")
}
