//! Settles batch jobs when they are over, whether or not anybody asks for them: what was charged ahead comes back but for
//! what the lines used.
//!
//! A job is charged at its bound when it is made. Each node looks through the jobs that are not settled; the store's
//! claims keep two nodes from the same one, and one adjustment with the job's own id, posted in one transaction, keeps
//! it from being settled twice whoever dies in between.

mod bill;
mod files;
mod known;
mod orphans;

use crate::asker::{Answer, Asker, Silence};
use crate::pipeline::Gateway;
use crate::rounds::{self, Rounds};
use crate::upstream::Pool;
use bill::{Bill, Used};
use louver_domain::endpoints::EndpointKind;
use louver_domain::id::AdjustmentId;
use louver_domain::objects::{ObjectKind, ObjectState};
use louver_domain::time::Timestamp;
use louver_store::StoreError;
use louver_store::ledger::adjustments::{self, Adjustment, Difference, Reason};
use louver_store::objects::{self, Object};
use louver_store::usage::charged::{self, Charged};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use files::own_files;
pub(crate) use known::{Billed, Known, Worst};

const MICROS_PER_SECOND: i64 = 1_000_000;
/// For how long a job is this node's, if it dies over it.
const CLAIM_MICROS: i64 = 30 * MICROS_PER_SECOND;
/// How often a job is claimed anew while it is looked at.
const RENEWAL: Duration = Duration::from_secs(10);
/// Jobs of one round.
const AT_ONCE: usize = 100;
/// After an upstream that gives no answer.
const LATER_MICROS: i64 = 60 * MICROS_PER_SECOND;
/// How long files and jobs that upstream itself named may be missing there before that is believed.
const PATIENCE_MICROS: i64 = 60 * 60 * MICROS_PER_SECOND;

/// The task that settles batch jobs.
pub struct Batches {
    gateway: Arc<Gateway>,
    /// Connections of its own: those of the workers belong to their threads.
    pool: Pool,
    interval: Duration,
}

/// What becomes of a job that was looked at.
enum Next {
    /// It is settled, for ever.
    Done,
    /// It is looked at again at that time.
    At(Timestamp),
}

/// Why a job cannot be looked at now.
enum Trouble {
    Store(StoreError),
    Upstream(Silence),
}

impl Trouble {
    fn tell(&self, job: &Object) {
        match self {
            Self::Store(error) => tracing::error!(%error, job = %job.id, "a batch cannot be settled now"),
            Self::Upstream(silence) => {
                tracing::warn!(job = %job.id, %silence, "upstream says nothing of a batch");
            }
        }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Silence> for Trouble {
    fn from(silence: Silence) -> Self {
        Self::Upstream(silence)
    }
}

impl Batches {
    /// Of a gateway; each job is looked at every `interval`.
    pub fn new(gateway: Arc<Gateway>, interval: Duration) -> Self {
        let pool = Pool::new(&gateway);
        Self { gateway, pool, interval }
    }

    /// Settles until `stop`.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        rounds::run(&self, self.interval, stop).await;
    }
}

impl Rounds for Batches {
    async fn round(&self) {
        let store = self.gateway.store();
        // One at a time: what this node has not come to yet, another one may take.
        for _ in 0..AT_ONCE {
            let now = self.gateway.clock().now();
            let until = plus(now, CLAIM_MICROS);
            let claimed = match objects::claim(store, ObjectKind::BatchJob, now, until, 1).await {
                Ok(claimed) => claimed,
                Err(error) => return tracing::error!(%error, "batches cannot be looked through"),
            };
            let Some(job) = claimed.first() else { return };
            let next = match self.look_for_long(job).await {
                Ok(Next::Done) => None,
                Ok(Next::At(time)) => Some(time),
                Err(trouble) => {
                    trouble.tell(job);
                    Some(plus(now, LATER_MICROS))
                }
            };
            if let Err(error) = objects::put_back(store, job.id, next).await {
                tracing::error!(%error, job = %job.id, "a batch stays claimed for a while");
            }
        }
    }
}

impl Batches {
    /// Looks at a job, and claims it anew as long as that takes.
    async fn look_for_long(&self, job: &Object) -> Result<Next, Trouble> {
        let mut look = std::pin::pin!(self.look(job));
        loop {
            tokio::select! {
                next = &mut look => return next,
                () = tokio::time::sleep(RENEWAL) => {}
            }
            let until = plus(self.gateway.clock().now(), CLAIM_MICROS);
            tokio::select! {
                next = &mut look => return next,
                renewed = objects::put_back(self.gateway.store(), job.id, Some(until)) => renewed?,
            }
        }
    }

    async fn look(&self, job: &Object) -> Result<Next, Trouble> {
        let now = self.gateway.clock().now();
        let Some(known) = Known::of(job) else {
            tracing::error!(job = %job.id, "ALARM: what is known of a batch cannot be read; it stays charged");
            return Ok(Next::At(plus(now, PATIENCE_MICROS)));
        };
        let (gateway, pool) = (&self.gateway, &self.pool);
        let organization = job.owner.organization_id;
        let asker = Asker { gateway, pool, organization, credential: job.credential_id };
        match (job.state, job.upstream_id.as_deref()) {
            (ObjectState::Live | ObjectState::Deleted, Some(id)) => self.follow(&asker, job, known, id).await,
            _ => self.find(&asker, job, known).await,
        }
    }

    /// Looks at a job that upstream has.
    async fn follow(
        &self,
        asker: &Asker<'_>,
        job: &Object,
        mut known: Known,
        id: &str,
    ) -> Result<Next, Trouble> {
        let now = self.gateway.clock().now();
        match asker.json(format!("/v1/batch/jobs/{id}")).await? {
            Answer::There(said) => {
                known.see(job, &said);
            }
            Answer::Absent => {
                let hours = i64::try_from(known.timeout_hours).unwrap_or(i64::MAX);
                let end = plus(job.created_at, hours.saturating_mul(60 * 60 * MICROS_PER_SECOND));
                if now < plus(end, PATIENCE_MICROS) {
                    return Ok(Next::At(plus(now, LATER_MICROS)));
                }
                tracing::error!(job = %job.id, "ALARM: upstream has lost a batch; it stays charged at its bound");
                return Ok(Next::Done);
            }
        }
        if known.is_over() {
            known.ended_at.get_or_insert(now.micros());
        }
        let store = self.gateway.store();
        files::own(asker, job, &known).await?;
        objects::describe(store, job, &known.written(), now).await?;
        if !known.is_over() {
            return Ok(Next::At(plus(now, micros(self.interval))));
        }
        let Some(used) = self.bill(asker, &known).await? else {
            return Ok(Next::At(plus(now, LATER_MICROS)));
        };
        self.settle(job, &known, used).await
    }

    /// Reads the output of a job that is over, a line at a time. `None`: a file that it names is not there yet.
    async fn bill(&self, asker: &Asker<'_>, known: &Known) -> Result<Option<Vec<Used>>, Trouble> {
        let now = self.gateway.clock().now().micros();
        let waited = now.saturating_sub(known.ended_at.unwrap_or(now)) >= PATIENCE_MICROS;
        let mut bill = Bill::new(known);
        let mut gone = 0_u64;
        if let Some(id) = known.file("output_file")
            && let Answer::Absent = asker.lines(id, |line| bill.output(line)).await?
        {
            if !waited {
                return Ok(None);
            }
            tracing::error!(
                file = id,
                "ALARM: the output of a batch is not there; its lines are billed at their worst"
            );
            gone = known.lines;
        }
        // A line that failed may still say what it used.
        if let Some(id) = known.file("error_file")
            && let Answer::Absent = asker.lines(id, |line| bill.error(line)).await?
        {
            if !waited {
                return Ok(None);
            }
            tracing::error!(
                file = id,
                "ALARM: the errors of a batch are not there; its lines are billed at their worst"
            );
            gone = known.lines;
        }
        let untold = bill.untold();
        if untold > 0 {
            tracing::warn!(lines = untold, "lines of a batch do not say what they used");
        }
        let counted = known.shown.get("succeeded_requests").and_then(Value::as_u64);
        let succeeded = match (counted, known.status()) {
            (Some(counted), _) => counted.max(gone),
            (None, "SUCCESS") => known.lines,
            (None, _) => gone,
        };
        Ok(Some(bill.finish(succeeded)))
    }

    /// Posts the difference between what was charged ahead and what was used.
    async fn settle(&self, job: &Object, known: &Known, used: Vec<Used>) -> Result<Next, Trouble> {
        let now = self.gateway.clock().now();
        let store = self.gateway.store();
        let Some(charged) = charged::find(store, known.request_id).await? else {
            // The writer, or the node that takes its journal over, will write it.
            return Ok(Next::At(plus(now, micros(self.interval))));
        };
        let adjustments = adjustments(job, known, &charged, used, now);
        let total = adjustments.iter().map(|one| one.difference.nanos).fold(0, i64::saturating_add);
        if total > 0 && known.needs_price {
            tracing::error!(job = %job.id, nanos = total, "ALARM: a batch used more than its bound");
        }
        let posted = match adjustments.is_empty() {
            true => Ok(true),
            false => adjustments::post_together(store, &adjustments).await,
        };
        match posted {
            Ok(posted) => {
                tracing::info!(job = %job.id, nanos = total, posted, "a batch is settled");
                Ok(Next::Done)
            }
            Err(StoreError::Conflict) => {
                tracing::error!(job = %job.id, "ALARM: a batch would give back more than was charged in its hour");
                Ok(Next::At(plus(now, PATIENCE_MICROS)))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// One adjustment for each model whose sums change; none where all was as charged.
fn adjustments(
    job: &Object,
    known: &Known,
    charged: &Charged,
    used: Vec<Used>,
    now: Timestamp,
) -> Vec<Adjustment> {
    let mut of_models: Vec<(&str, Difference)> = vec![(&charged.model, less(charged))];
    for (billed, used) in known.models.iter().zip(used) {
        match of_models.iter_mut().find(|(model, _)| *model == billed.model) {
            Some((_, difference)) => add(difference, &used),
            None => {
                let mut difference = Difference::default();
                add(&mut difference, &used);
                of_models.push((&billed.model, difference));
            }
        }
    }
    let changed = of_models.into_iter().filter(|(_, difference)| *difference != Difference::default());
    let first = u128::from_be_bytes(job.id.bytes());
    changed
        .zip(0_u128..)
        .map(|((model, difference), place)| Adjustment {
            id: AdjustmentId::from_bytes(first.wrapping_add(place).to_be_bytes()),
            of_request: Some(known.request_id),
            at: charged.at,
            posted_at: now,
            organization_id: job.owner.organization_id,
            workspace_id: job.owner.workspace_id,
            key_id: job.owner.key_id,
            user_id: job.owner.user_id,
            role: charged.role.clone(),
            endpoint: EndpointKind::parse(&charged.endpoint).unwrap_or(known.endpoint),
            model: model.to_owned(),
            difference,
            reason: Reason::Batch,
            note: format!("Batch {}: {}", job.upstream_id.as_deref().unwrap_or("never made"), known.status()),
        })
        .collect()
}

/// Everything that was charged, taken away.
fn less(charged: &Charged) -> Difference {
    let minus = |count: u64| i64::try_from(count).unwrap_or(i64::MAX).saturating_neg();
    let (tokens, units) = (&charged.tokens, &charged.units);
    Difference {
        input: minus(tokens.input),
        cached: minus(tokens.cached),
        output: minus(tokens.output),
        pages: minus(units.pages),
        annotated_pages: minus(units.annotated_pages),
        audio_seconds: minus(units.audio_seconds),
        characters: minus(units.characters),
        tool_calls: minus(units.tool_calls),
        nanos: charged.cost.nanos().saturating_neg(),
    }
}

fn add(difference: &mut Difference, used: &Used) {
    let plus =
        |sum: &mut i64, count: u64| *sum = sum.saturating_add(i64::try_from(count).unwrap_or(i64::MAX));
    plus(&mut difference.input, used.tokens.input);
    plus(&mut difference.cached, used.tokens.cached);
    plus(&mut difference.output, used.tokens.output);
    plus(&mut difference.pages, used.units.pages);
    plus(&mut difference.annotated_pages, used.units.annotated_pages);
    plus(&mut difference.audio_seconds, used.units.audio_seconds);
    plus(&mut difference.characters, used.units.characters);
    plus(&mut difference.tool_calls, used.units.tool_calls);
    difference.nanos = difference.nanos.saturating_add(used.nanos);
}

fn plus(time: Timestamp, micros: i64) -> Timestamp {
    Timestamp::from_micros(time.micros().saturating_add(micros))
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
