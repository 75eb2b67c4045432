//! Makes a batch job: judged line by line, charged ahead at the worst case, written down, and only then sent.

use super::bound::Reach;
use crate::admit::kind;
use crate::batches::{Known, Worst};
use crate::credentials::InUse;
use crate::edge;
use crate::forward::judge_status;
use crate::objects::{self as frame, Deed, FileKnown, unanswered, whole};
use crate::pipeline::Gateway;
use crate::redact::redact;
use crate::references;
use crate::reply::{self, BatchRefusal, Body, Failure};
use crate::reserve::Plan;
use crate::settle::{Outcome, Ticket};
use crate::uploads::content::KeyNames;
use crate::upstream::{Payload, Pool, SendError};
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use louver_domain::admission;
use louver_domain::id::UpstreamId;
use louver_domain::objects::ObjectKind;
use louver_domain::reserve::Reach as Most;
use louver_domain::settlement::Bound;
use louver_mistral::batch::{self, BatchError, Job, Names, Summary};
use louver_mistral::endpoints::{Endpoint, is_path_id};
use louver_store::objects::{self, Object};
use serde_json::Value;
use std::sync::Arc;

/// The answer to a request for a job.
pub(in crate::objects) async fn create(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let caller = &deed.caller;
    let names = KeyNames::new(deed.gateway, caller);
    let job = batch::read_job(&deed.body, &names).map_err(refused)?;
    let rules = &caller.key.rules;
    admission::may_call(rules, deed.visitor.address, kind(job.endpoint)).map_err(Failure::Refused)?;
    let named = job.model.as_deref();
    let model =
        named.map(|name| names.pinned(name).ok_or(Failure::Refused(admission::Refusal::ModelNotAllowed)));
    let model = model.transpose()?;
    let mut made_with = None;
    let mut reach = Reach::default();
    if let Some(inline) = &job.inline {
        judge(deed, &job, inline, model.as_deref(), &mut reach, &mut made_with).await?;
    }
    for id in &job.input_files {
        let file = references::find(deed.gateway, &caller.key, ObjectKind::File, "", id).await?;
        same_credential(&mut made_with, &file)?;
        let summary = lines_of(&file).ok_or(Failure::Batch(BatchRefusal::File))?;
        judge(deed, &job, &summary, model.as_deref(), &mut reach, &mut made_with).await?;
    }
    let credential = match made_with {
        None => deed.any_credential()?,
        Some(id) => deed.exact_credential(id)?,
    };
    let making = Making::begin(deed, &job, model.as_deref(), reach, credential).await?;
    let allowance = making.ticket.taken.allowance;
    // It goes on when the client leaves: whether there is a job now must be known.
    let made = deed.pool.left().spawn(making.run(Arc::clone(deed.gateway), deed.pool.clone()));
    let (status, value) = made.await.map_err(|_| Failure::AccountingUnavailable)??;
    let mut response = reply::json(value.to_string().into_bytes(), allowance);
    *response.status_mut() = status;
    Ok(response)
}

fn refused(error: BatchError) -> Failure {
    match error {
        BatchError::Request { line: 0, error } => Failure::Request(error),
        other => Failure::Batch(BatchRefusal::Unread(other)),
    }
}

/// What was read of a file when it was uploaded, if it was uploaded for a batch.
fn lines_of(file: &Object) -> Option<Summary> {
    serde_json::from_value(FileKnown::of(file).content?).ok()
}

/// Judges all lines of a file, or of the request itself, and what they name.
async fn judge(
    deed: &Deed<'_>,
    job: &Job,
    summary: &Summary,
    model: Option<&str>,
    reach: &mut Reach,
    made_with: &mut Option<Option<UpstreamId>>,
) -> Result<(), Failure> {
    let public = deed.gateway.settings().public_host.as_deref();
    edge::not_ourselves(&summary.hosts, &deed.head.uri, &deed.head.headers, public)?;
    let classes = summary.of(job.endpoint).ok_or(Failure::Batch(BatchRefusal::Endpoint))?;
    for class in classes {
        reach.add(deed, class, model)?;
    }
    for named in &summary.named {
        let kind = ObjectKind::parse(&named.kind).ok_or(Failure::NoSuchObject)?;
        match kind {
            ObjectKind::File | ObjectKind::Library => {
                let object = references::find(deed.gateway, &deed.caller.key, kind, "", &named.id).await?;
                same_credential(made_with, &object)?;
            }
            ObjectKind::BatchJob | ObjectKind::Agent | ObjectKind::Conversation | ObjectKind::Document => {
                return Err(Failure::NoSuchObject);
            }
        }
    }
    Ok(())
}

fn same_credential(made_with: &mut Option<Option<UpstreamId>>, object: &Object) -> Result<(), Failure> {
    match made_with.replace(object.credential_id) {
        Some(other) if other != object.credential_id => Err(Failure::ObjectsApart),
        _ => Ok(()),
    }
}

/// What must be known of a job until it is settled.
fn known(deed: &Deed<'_>, job: &Job, reach: &Reach, bound: &Bound) -> Known {
    Known {
        shown: Value::Null,
        request_id: deed.visitor.request_id,
        endpoint: kind(job.endpoint),
        timeout_hours: job.timeout_hours,
        lines: reach.lines,
        models: reach.models.clone(),
        tools: reach.tools.clone(),
        annotated: reach.alike.as_ref().is_some_and(|(annotated, _)| *annotated),
        guards: reach.guards.clone(),
        needs_price: deed.caller.key.needs_price,
        plausible: bound.plausible,
        bound: Worst::of_bound(bound),
        worst: reach.worst,
        ended_at: None,
    }
}

/// The job as it is written down before upstream is asked for it. Its id is that of the request that makes it.
fn intended(deed: &Deed<'_>, known: &Known, credential_id: Option<UpstreamId>) -> Object {
    let job = deed.intended(ObjectKind::BatchJob, credential_id);
    Object { attributes: known.written(), tokens: known.lines, ..job }
}

/// A job that is paid for and not made yet.
struct Making {
    ticket: Ticket,
    object: Object,
    known: Known,
    body: Bytes,
    most_lines: u64,
}

impl Making {
    /// Takes what the job could cost at most of all budgets.
    async fn begin(
        deed: &Deed<'_>,
        job: &Job,
        model: Option<&str>,
        reach: Reach,
        credential: InUse,
    ) -> Result<Self, Failure> {
        let (gateway, key) = (deed.gateway, &deed.caller.key);
        let bound = reach.bound;
        let most = Most {
            input: bound.input,
            output: bound.output,
            choices: 1,
            units: bound.units,
            terms: bound.terms,
            // All of it: several models may have their parts in it.
            tools: bound.cost,
            price: None,
            context: bound.plausible,
            open: false,
        };
        let now_micros = gateway.clock().monotonic_micros();
        let place = gateway.usage_place().ok_or(Failure::AccountingUnavailable)?;
        let plan = Plan { key, reach: most, exact: false, ask: None };
        let (taken, bound, _) = plan.take(gateway).await?;
        let label: Arc<str> =
            reach.models.first().map_or_else(|| "".into(), |billed| billed.model.as_str().into());
        let known = known(deed, job, &reach, &bound);
        let object = intended(deed, &known, credential.credential().id);
        let ticket = Ticket {
            place: Some(place),
            ledger: Arc::clone(gateway.ledger()),
            clock: Arc::clone(gateway.clock()),
            started_micros: now_micros,
            request_id: deed.visitor.request_id,
            at: gateway.ledger().store_time(now_micros),
            key: Arc::clone(key),
            endpoint: known.endpoint,
            billing: known.endpoint.billing(),
            model_asked: job.model.clone().unwrap_or_else(|| label.to_string()),
            model: label,
            price: None,
            price_version: reach.price_version,
            estimated_input: bound.input,
            credential,
            bound,
            tools: reach.tools,
            turn: None,
            guards: reach.guards,
            taken,
            slot: None,
            sent: false,
            first_byte_micros: None,
            status: 0,
            client_left: false,
        };
        let body = Bytes::from(job.written(model, &object.id.to_string()));
        let most_lines = gateway.settings().bounds.batch_lines;
        Ok(Self { ticket, object, known, body, most_lines })
    }

    /// Journal, registry, upstream, and what came of it.
    async fn run(mut self, gateway: Arc<Gateway>, pool: Pool) -> Result<(StatusCode, Value), Failure> {
        if let Err(error) = self.ticket.write_down().await {
            tracing::error!(%error, "a batch is refused, since it cannot be written down");
            return Err(Failure::AccountingUnavailable);
        }
        let intended = objects::intend_within(gateway.store(), &self.object, self.most_lines).await;
        if !intended.map_err(Failure::store)? {
            return Err(Failure::Batch(BatchRefusal::Lines { most: self.most_lines }));
        }
        self.ticket.sent = true;
        let body = Payload::json(std::mem::take(&mut self.body));
        let path = Endpoint::CreateBatchJob.path().to_owned();
        let call = frame::call(&self.ticket.credential, (Method::POST, path, body));
        let response = match pool.send(call).await {
            Ok(response) => response,
            Err(error @ SendError::NotSent(_)) => return Err(self.never(&gateway, unanswered(error)).await),
            Err(error) => return Err(self.unknown(unanswered(error))),
        };
        let status = response.status();
        self.ticket.first_byte(status.as_u16());
        let organization = self.object.owner.organization_id;
        let credential = self.ticket.credential.credential();
        if let Err(failure) = judge_status(&gateway, organization, credential, status) {
            return Err(self.never(&gateway, failure).await);
        }
        let bytes = match whole(response.into_body()).await {
            Ok(bytes) => redact(bytes, self.ticket.credential.credential()),
            Err(failure) => return Err(self.unknown(failure)),
        };
        let said: Option<Value> = serde_json::from_slice(&bytes).ok();
        match said {
            Some(said) if status.is_success() => self.made(&gateway, status, &said).await,
            Some(said) if status.is_client_error() => {
                let shown = self.known.see(&self.object, &said);
                self.never(&gateway, Failure::UpstreamBroken).await;
                Ok((status, shown))
            }
            None if status.is_client_error() => Err(self.never(&gateway, Failure::UpstreamBroken).await),
            // Upstream may have made it all the same.
            _ => Err(self.unknown(Failure::UpstreamBroken)),
        }
    }

    /// Upstream made it: its id is known here before the client gets it.
    async fn made(
        mut self,
        gateway: &Gateway,
        status: StatusCode,
        said: &Value,
    ) -> Result<(StatusCode, Value), Failure> {
        let id = said.get("id").and_then(Value::as_str).filter(|id| is_path_id(id)).map(str::to_owned);
        let Some(id) = id else { return Err(self.unknown(Failure::UpstreamBroken)) };
        let shown = self.known.see(&self.object, said);
        self.ticket.settle(&Outcome::Accepted);
        let now = gateway.clock().now();
        let confirmed =
            objects::confirm(gateway.store(), self.object.id, &id, &self.known.written(), now).await;
        match confirmed.map_err(Failure::store)? {
            true => {
                // The poller may have put it off while it was only intended.
                objects::put_back(gateway.store(), self.object.id, Some(now))
                    .await
                    .map_err(Failure::store)?;
                Ok((status, shown))
            }
            false => Err(Failure::UpstreamBroken),
        }
    }

    /// Provably there is no job: nothing is charged, and nothing was ever there.
    async fn never(mut self, gateway: &Gateway, failure: Failure) -> Failure {
        if self.ticket.status == 0 {
            self.ticket.status = StatusCode::BAD_GATEWAY.as_u16();
        }
        self.ticket.settle(&Outcome::Unsent);
        if let Err(error) = objects::withdraw(gateway.store(), self.object.id).await {
            tracing::error!(%error, job = %self.object.id, "a batch that was refused stays intended");
        }
        failure
    }

    /// Nobody knows whether there is a job: it is charged, and the poller finds out.
    fn unknown(mut self, failure: Failure) -> Failure {
        if self.ticket.status == 0 {
            self.ticket.status = StatusCode::BAD_GATEWAY.as_u16();
        }
        tracing::warn!(job = %self.object.id, "a batch may have been made upstream; it is looked for");
        self.ticket.settle(&Outcome::Unanswered);
        failure
    }
}
