//! Settles a call: its ticket becomes one usage record, whatever happened, and a batch writer stores the records.

use crate::credentials::InUse;
use crate::pipeline::Visitor;
use crate::snapshot::KeyEntry;
use louver_domain::endpoints::EndpointKind;
use louver_domain::money::Money;
use louver_domain::prices::Price;
use louver_domain::time::Clock;
use louver_domain::usage::{Tokens, UsageRecord};
use louver_mistral::usage::{Found, Usage};
use louver_store::{Store, usage};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// The right to send one call upstream, and the duty to leave one record. Dropped at any moment, it settles by what
/// was seen so far.
pub(crate) struct Ticket {
    /// A place in the queue of records, taken before the call was sent: a record is never lost for want of room.
    pub(crate) place: Option<mpsc::OwnedPermit<UsageRecord>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) started_micros: i64,
    pub(crate) visitor: Visitor,
    pub(crate) key: Arc<KeyEntry>,
    pub(crate) endpoint: EndpointKind,
    pub(crate) model_asked: String,
    pub(crate) model: Arc<str>,
    pub(crate) price: Option<Price>,
    pub(crate) price_version: u32,
    pub(crate) estimated_input: u64,
    pub(crate) credential: InUse,
    /// Whether any byte may have reached upstream.
    pub(crate) sent: bool,
    pub(crate) first_byte_micros: Option<u64>,
    /// The status the client gets; 0 until upstream answers.
    pub(crate) status: u16,
}

/// How a call ended, as far as its usage goes.
pub(crate) enum Outcome<'a> {
    /// The answer was read to its end.
    Whole(&'a Found),
    /// The answer broke off, or the client left: so much of it was seen.
    Broken { seen: &'a Found, client_left: bool },
    /// No answer, but upstream may have worked.
    Unanswered,
    /// Provably nothing reached upstream.
    Unsent,
}

impl Ticket {
    /// Writes down how long the first byte took.
    pub(crate) fn first_byte(&mut self, status: u16) {
        self.status = status;
        self.first_byte_micros = Some(self.elapsed());
    }

    /// Settles the call.
    pub(crate) fn settle(mut self, outcome: &Outcome<'_>) {
        self.record(outcome);
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.clock.monotonic_micros().saturating_sub(self.started_micros)).unwrap_or(0)
    }

    fn record(&mut self, outcome: &Outcome<'_>) {
        let Some(place) = self.place.take() else { return };
        let (tokens, estimated) = self.tokens(outcome);
        let total_micros = self.elapsed();
        let record = UsageRecord {
            request_id: self.visitor.request_id,
            at: self.visitor.now,
            organization_id: self.key.organization_id,
            workspace_id: self.key.workspace_id,
            key_id: self.key.id,
            user_id: self.key.user_id,
            role: self.key.role.clone(),
            endpoint: self.endpoint,
            model_asked: std::mem::take(&mut self.model_asked),
            model: Arc::clone(&self.model),
            tokens,
            cost: self.price.as_ref().map_or(Money::ZERO, |price| price.cost(tokens)),
            price_version: self.price_version,
            status: self.status,
            first_byte_micros: self.first_byte_micros.unwrap_or(total_micros),
            total_micros,
            estimated,
            client_left: matches!(outcome, Outcome::Broken { client_left: true, .. }),
        };
        place.send(record);
    }

    /// The tokens to charge, and whether they are an estimate. An answer that succeeded is never free: without a
    /// usable usage it is charged what was estimated and counted.
    fn tokens(&self, outcome: &Outcome<'_>) -> (Tokens, bool) {
        let found = match outcome {
            Outcome::Unsent => return (Tokens::default(), false),
            Outcome::Unanswered => {
                return (Tokens { input: self.estimated_input, cached: 0, output: 0 }, true);
            }
            Outcome::Whole(found) | Outcome::Broken { seen: found, .. } => found,
        };
        match &found.usage {
            Some(Ok(usage)) if !found.conflicting => (tokens(usage), false),
            // Upstream refused the call and says nothing of usage: it bills nothing.
            None if self.status >= 400 => (Tokens::default(), false),
            _ => (self.estimate(found), true),
        }
    }

    /// Estimated input, and for output at least one token for every event and every four bytes of text seen.
    fn estimate(&self, found: &Found) -> Tokens {
        let seen = found.events.max(found.text_bytes.div_ceil(4)).max(1);
        let output = if self.endpoint == EndpointKind::Embeddings { 0 } else { seen };
        Tokens { input: self.estimated_input.max(1), cached: 0, output }
    }
}

impl Drop for Ticket {
    /// A ticket that nobody settled: the task was cancelled or panicked.
    fn drop(&mut self) {
        let outcome = if self.sent { Outcome::Unanswered } else { Outcome::Unsent };
        self.record(&outcome);
    }
}

fn tokens(usage: &Usage) -> Tokens {
    Tokens { input: usage.input_tokens, cached: usage.cached_tokens, output: usage.output_tokens }
}

/// Stores records in batches, off the path of calls.
pub struct UsageWriter {
    records: mpsc::Receiver<UsageRecord>,
    store: Store,
}

/// Records of one batch at most.
const BATCH: usize = 4096;
/// How long records are gathered.
const GATHER: Duration = Duration::from_millis(200);
/// How long to wait before a batch that failed is tried again.
const RETRY: Duration = Duration::from_millis(500);

impl UsageWriter {
    pub(crate) const fn new(records: mpsc::Receiver<UsageRecord>, store: Store) -> Self {
        Self { records, store }
    }

    /// Writes until `stop`, then until every open ticket is settled and written. A batch that fails is tried again
    /// until it succeeds: when the queue is full, calls are refused.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut batch = Vec::with_capacity(BATCH);
        let mut stopping = false;
        loop {
            let received = tokio::select! {
                biased;
                () = &mut stop, if !stopping => {
                    stopping = true;
                    self.records.close();
                    continue;
                }
                received = self.records.recv_many(&mut batch, BATCH) => received,
            };
            if received == 0 {
                return;
            }
            self.write(&batch).await;
            let full = batch.len() >= BATCH;
            batch.clear();
            // Many small batches cost more than few large ones; a full one shows that there is no time to gather.
            if !stopping && !full {
                tokio::select! {
                    () = tokio::time::sleep(GATHER) => {}
                    () = &mut stop => {
                        stopping = true;
                        self.records.close();
                    }
                }
            }
        }
    }

    async fn write(&self, batch: &[UsageRecord]) {
        while let Err(error) = usage::insert(&self.store, batch).await {
            tracing::error!(%error, records = batch.len(), "usage records wait to be written");
            tokio::time::sleep(RETRY).await;
        }
    }
}
