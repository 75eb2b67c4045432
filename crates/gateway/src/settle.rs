//! Settles a call: its ticket becomes a charge on what it took and one usage record, whatever happened, and a batch
//! writer stores both.

use crate::credentials::InUse;
use crate::ledger::{Ledger, Taken};
use crate::snapshot::KeyEntry;
use crate::turns::{After, Played};
use louver_domain::endpoints::{Billing, EndpointKind};
use louver_domain::id::RequestId;
use louver_domain::money::Money;
use louver_domain::prices::{Price, Terms};
use louver_domain::settlement::{self, Bound, Charge, Metered, Why};
use louver_domain::time::{Clock, Timestamp};
use louver_domain::usage::{Tokens, Units, UsageRecord};
use louver_mistral::usage::{Found, Usage};
use louver_store::Store;
use louver_store::journal::{self, JournalError, Reserved, Settled};
use louver_store::ledger::entries::{self, Entry};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// The right to send one call upstream, and the duty to settle it. Dropped at any moment, it settles by what was seen so
/// far.
pub(crate) struct Ticket {
    /// A place in the queue of entries, taken before the call was sent: an entry is never lost for want of room.
    pub(crate) place: Option<mpsc::OwnedPermit<Written>>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) started_micros: i64,
    pub(crate) request_id: RequestId,
    /// When the call was admitted, by the store's time.
    pub(crate) at: Timestamp,
    pub(crate) key: Arc<KeyEntry>,
    pub(crate) endpoint: EndpointKind,
    /// What it is billed by.
    pub(crate) billing: Billing,
    pub(crate) model_asked: String,
    pub(crate) model: Arc<str>,
    pub(crate) price: Option<Price>,
    pub(crate) price_version: u32,
    pub(crate) estimated_input: u64,
    pub(crate) credential: InUse,
    pub(crate) bound: Bound,
    /// Prices of the tools that upstream may run, by their types.
    pub(crate) tools: Vec<(String, Money)>,
    /// Who may speak, where the call is to an agent or in a conversation.
    pub(crate) turn: Option<Box<Played>>,
    /// What the models of its guardrails cost together.
    pub(crate) guards: Option<Price>,
    /// What was taken of rates and budgets.
    pub(crate) taken: Taken,
    /// The call's slot in the journal.
    pub(crate) slot: Option<journal::Place>,
    /// Whether any byte may have reached upstream.
    pub(crate) sent: bool,
    pub(crate) first_byte_micros: Option<u64>,
    /// The status the client gets; 0 until upstream answers.
    pub(crate) status: u16,
    /// Whether the client left before the end.
    pub(crate) client_left: bool,
}

/// How a call ended, as far as was seen of it.
pub(crate) enum Outcome<'a> {
    /// The answer was read to its end.
    Whole(&'a Found),
    /// The answer broke off: so much of it was seen.
    Broken(&'a Found),
    /// No answer, but upstream may have worked.
    Unanswered,
    /// Upstream took it and works on it later.
    Accepted,
    /// Provably nothing reached upstream, or upstream refused it unread.
    Unsent,
}

/// What goes to the writer.
pub(crate) struct Written {
    entry: Entry,
    slot: journal::Place,
    /// What becomes of its conversation.
    after: Option<After>,
}

impl Ticket {
    /// Writes the call into the journal: from here on it may be sent.
    pub(crate) async fn write_down(&mut self) -> Result<(), JournalError> {
        let reserved = Reserved {
            request_id: self.request_id,
            key_id: self.key.id,
            at: self.at,
            bound: self.bound,
            price_version: self.price_version,
            endpoint: self.endpoint,
            model: &self.model,
            role: self.key.role.as_deref().unwrap_or_default(),
            would_refuse: self.taken.would_refuse,
            holds: &self.taken.holds,
        };
        let journal = self.ledger.journal();
        let slot = self.slot.insert(journal.reserve(&reserved)?);
        if journal.waits() { journal.on_disk(slot).await } else { Ok(()) }
    }

    /// Writes down how long the first byte took.
    pub(crate) fn first_byte(&mut self, status: u16) {
        self.status = status;
        self.first_byte_micros = Some(self.elapsed());
    }

    /// Settles the call.
    pub(crate) fn settle(mut self, outcome: &Outcome<'_>) {
        self.close(outcome);
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.clock.monotonic_micros().saturating_sub(self.started_micros)).unwrap_or(0)
    }

    fn close(&mut self, outcome: &Outcome<'_>) {
        let Some(place) = self.place.take() else { return };
        let Some(slot) = self.slot.take() else {
            // Never written down, so never sent.
            return self.ledger.undo(&self.key, &self.taken);
        };
        self.note_speakers(outcome);
        let mut settled = self.settled(&self.charge(&self.outcome(outcome)));
        // The journal first: what is given back in memory could be spent again, and both be charged after a crash.
        if let Err(error) = self.ledger.journal().settle(&slot, &settled) {
            tracing::error!(%error, request_id = %self.request_id, "a settlement is not in the journal");
            settled = self.settled(&self.charge(&settlement::Outcome::Unknown));
        }
        self.ledger.settle(&self.key, &self.taken, &settled.charge);
        let unsent = matches!(outcome, Outcome::Unsent);
        let growth = self.turn.as_ref().and_then(|turn| turn.growth.as_ref());
        let after = growth.map(|growth| growth.after(&settled.charge, unsent, settled.status));
        place.send(Written { entry: self.entry(&settled), slot, after });
    }

    /// Charges at the price of whoever spoke, where upstream says who that was; it was reserved at the dearest.
    fn note_speakers(&mut self, outcome: &Outcome<'_>) {
        let Some(turn) = &self.turn else { return };
        let streamed = match outcome {
            Outcome::Whole(found) | Outcome::Broken(found) => found.models.as_slice(),
            Outcome::Unanswered | Outcome::Accepted | Outcome::Unsent => &[],
        };
        for model in turn.strangers(streamed) {
            tracing::error!(request_id = %self.request_id, model, "ALARM: a model spoke that the rules do not allow");
        }
        if let Some(speaker) = turn.spoke(streamed).cloned() {
            (self.model, self.price, self.price_version) =
                (speaker.model, speaker.price, speaker.price_version);
        }
    }

    fn settled(&self, charge: &Charge) -> Settled {
        let total_micros = self.elapsed();
        Settled {
            charge: *charge,
            status: self.status,
            first_byte_micros: self.first_byte_micros.unwrap_or(total_micros),
            total_micros,
            client_left: self.client_left,
        }
    }

    fn entry(&mut self, settled: &Settled) -> Entry {
        let record = UsageRecord {
            request_id: self.request_id,
            at: self.at,
            organization_id: self.key.organization_id,
            workspace_id: self.key.workspace_id,
            key_id: self.key.id,
            user_id: self.key.user_id,
            role: self.key.role.clone(),
            endpoint: self.endpoint,
            model_asked: std::mem::take(&mut self.model_asked),
            model: Arc::clone(&self.model),
            charge: settled.charge,
            price_version: self.price_version,
            status: settled.status,
            first_byte_micros: settled.first_byte_micros,
            total_micros: settled.total_micros,
            bound: self.bound,
            client_left: settled.client_left,
            would_refuse: self.taken.would_refuse,
            recovered: false,
        };
        let epoch = self.ledger.journal().identity().epoch;
        Entry { record, epoch, holds: std::mem::take(&mut self.taken.holds) }
    }

    fn charge(&self, outcome: &settlement::Outcome) -> Charge {
        let charge = settlement::settle(&self.bound, self.price.as_ref(), *outcome);
        let told = |what| {
            tracing::error!(request_id = %self.request_id, model = %self.model, cost = %charge.cost.usd(), "ALARM: {what}");
        };
        match charge.why {
            Why::Overrun => told("upstream bills more than the bound of a call; its budgets are blocked"),
            Why::Absurd => {
                told("upstream names a usage that no call can have; the call is charged at its bound")
            }
            Why::Metered | Why::Unknown | Why::Void | Why::Ahead => {}
        }
        charge
    }

    fn outcome(&self, outcome: &Outcome<'_>) -> settlement::Outcome {
        let found = match outcome {
            Outcome::Unsent => return settlement::Outcome::Void,
            Outcome::Accepted => return settlement::Outcome::Ahead,
            Outcome::Unanswered => return self.unknown(&Found::default()),
            Outcome::Whole(found) | Outcome::Broken(found) => found,
        };
        match &found.usage {
            Some(Ok(usage)) if !found.conflicting => {
                self.metered(usage).map_or_else(|| self.unknown(found), settlement::Outcome::Metered)
            }
            // Upstream refused the call and says nothing of usage: it bills nothing.
            None if self.status >= 400 => settlement::Outcome::Void,
            _ => self.unknown(found),
        }
    }

    /// Under a budget what is not known is charged at the bound. Without one it is only history, and the best guess
    /// serves it better: the estimated input, and one token for every event and every four bytes of text seen.
    fn unknown(&self, found: &Found) -> settlement::Outcome {
        // What is billed by what was sent, or not at all, needs nobody to tell it.
        if self.is_known_ahead() {
            return settlement::Outcome::Metered(self.sent_units());
        }
        if self.key.budgeted {
            return settlement::Outcome::Unknown;
        }
        if self.billing == Billing::Pages {
            return settlement::Outcome::Guessed(self.sent_units());
        }
        let seen = found.events.max(found.text_bytes.div_ceil(4)).max(1);
        let output = if self.endpoint.generates() { seen } else { 0 };
        let tokens = Tokens { input: self.estimated_input.max(1), cached: 0, output };
        settlement::Outcome::Guessed(Metered { tokens, ..Metered::default() })
    }

    /// Whether what was sent says all that is billed.
    const fn is_known_ahead(&self) -> bool {
        matches!(self.billing, Billing::Characters | Billing::Free)
    }

    fn sent_units(&self) -> Metered {
        Metered { units: self.bound.units, terms: self.bound.terms, ..Metered::default() }
    }

    /// What upstream said, as this endpoint is billed. `None`: it called a tool that was not offered.
    fn metered(&self, usage: &Usage) -> Option<Metered> {
        let mut tools = Money::ZERO;
        let mut tool_calls = 0_u64;
        for (tool, calls) in &usage.tool_calls {
            let price = self.tools.iter().find(|(known, _)| known == tool).map(|(_, price)| *price);
            if price.is_none() && self.key.needs_price && *calls > 0 {
                return None;
            }
            let nanos =
                price.map_or(0, Money::nanos).saturating_mul(i64::try_from(*calls).unwrap_or(i64::MAX));
            tools = tools.checked_add(Money::from_nanos(nanos)).unwrap_or(Money::from_nanos(i64::MAX));
            tool_calls = tool_calls.saturating_add(*calls);
        }
        let annotated = self.bound.units.annotated_pages > 0;
        let of = |billing: Billing, count: u64| if self.billing == billing { count } else { 0 };
        let pages = of(Billing::Pages, usage.pages);
        let units = Units {
            pages: if annotated { 0 } else { pages },
            annotated_pages: if annotated { pages } else { 0 },
            audio_seconds: of(Billing::AudioSeconds, usage.audio_seconds),
            // Upstream does not count them: what was sent is what is spoken.
            characters: of(Billing::Characters, self.bound.units.characters),
            tool_calls,
        };
        let terms = Terms { priority: usage.priority, ..self.bound.terms };
        // What is billed by pages, seconds or characters has no tokens, whatever upstream counts beside them.
        let by_tokens = matches!(self.billing, Billing::Tokens | Billing::InputTokens);
        let tokens = if by_tokens { tokens(usage) } else { Tokens::default() };
        let guards = self.guards.as_ref().map(|guards| guarded(guards, tokens.input));
        let tools = guards.and_then(|guards| tools.checked_add(guards)).unwrap_or(tools);
        Some(Metered { tokens, units, terms, tools })
    }
}

impl Drop for Ticket {
    /// A ticket that nobody settled: the task was cancelled or panicked.
    fn drop(&mut self) {
        let outcome = if self.sent { Outcome::Unanswered } else { Outcome::Unsent };
        self.close(&outcome);
    }
}

/// What the models of guardrails cost that read so much input.
pub(crate) fn guarded(guards: &Price, input: u64) -> Money {
    guards.cost(Tokens { input, cached: 0, output: 0 }, &Units::default(), Terms::default())
}

fn tokens(usage: &Usage) -> Tokens {
    Tokens { input: usage.input_tokens, cached: usage.cached_tokens, output: usage.output_tokens }
}

/// Stores entries in batches, off the path of calls.
pub struct UsageWriter {
    entries: mpsc::Receiver<Written>,
    ledger: Arc<Ledger>,
    store: Store,
}

/// Entries of one batch at most.
const BATCH: usize = 4096;
/// How long entries are gathered.
const GATHER: Duration = Duration::from_millis(200);
/// How long to wait before a batch that failed is tried again.
const RETRY: Duration = Duration::from_millis(500);

impl UsageWriter {
    pub(crate) const fn new(entries: mpsc::Receiver<Written>, ledger: Arc<Ledger>, store: Store) -> Self {
        Self { entries, ledger, store }
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
                    self.entries.close();
                    continue;
                }
                received = self.entries.recv_many(&mut batch, BATCH) => received,
            };
            if received == 0 {
                return;
            }
            let full = batch.len() >= BATCH;
            self.write(&mut batch).await;
            // Many small batches cost more than few large ones; a full one shows that there is no time to gather.
            if !stopping && !full {
                tokio::select! {
                    () = tokio::time::sleep(GATHER) => {}
                    () = &mut stop => {
                        stopping = true;
                        self.entries.close();
                    }
                }
            }
        }
    }

    async fn write(&self, batch: &mut Vec<Written>) {
        let after: Vec<After> = batch.iter_mut().filter_map(|written| written.after.take()).collect();
        let (entries, slots): (Vec<Entry>, Vec<journal::Place>) =
            batch.drain(..).map(|written| (written.entry, written.slot)).unzip();
        while let Err(error) = entries::insert(&self.store, &entries).await {
            tracing::error!(%error, entries = entries.len(), "usage waits to be written");
            tokio::time::sleep(RETRY).await;
        }
        self.ledger.contact();
        self.ledger.note_stored(&entries);
        slots.iter().for_each(|slot| self.ledger.journal().stored(slot));
        for after in &after {
            after.done(&self.store).await;
        }
    }
}
