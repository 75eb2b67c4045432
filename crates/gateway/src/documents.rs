//! Makes good what was charged ahead for documents of libraries, once upstream says what reading them took.
//!
//! A document is read after it was uploaded, whether or not anybody asks for it again. Each node looks through those
//! that are not settled; the store's claims keep two nodes from the same one, and one adjustment with the id of the
//! request that was charged keeps it from being settled twice, whoever dies in between.

mod known;
mod reading;

use crate::asker::{Answer, Asker};
use crate::pipeline::Gateway;
use crate::rounds::{self, Rounds};
use crate::upstream::Pool;
use louver_domain::endpoints::EndpointKind;
use louver_domain::id::AdjustmentId;
use louver_domain::objects::{ObjectKind, ObjectState};
use louver_domain::prices::{Price, Terms};
use louver_domain::time::Timestamp;
use louver_domain::usage::{Tokens, Units};
use louver_store::ledger::adjustments::{self, Adjustment, Difference, Reason};
use louver_store::objects::{self, Object};
use louver_store::usage::charged::{self, Charged};
use louver_store::{Store, StoreError};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use known::{Due, Known, Told, told};
pub(crate) use reading::{Reading, may_be_read};

const MICROS_PER_SECOND: i64 = 1_000_000;
/// For how long a document is this node's.
const CLAIM_MICROS: i64 = 5 * 60 * MICROS_PER_SECOND;
/// Documents of one round.
const AT_ONCE: u64 = 100;
/// A document that is still read is looked at again after a fourth of the time that it took so far, within these.
const SOON_MICROS: i64 = 5 * MICROS_PER_SECOND;
const LATE_MICROS: i64 = 60 * 60 * MICROS_PER_SECOND;

/// The task that settles documents.
pub struct Documents {
    gateway: Arc<Gateway>,
    /// Connections of its own: those of the workers belong to their threads.
    pool: Pool,
    interval: Duration,
}

impl Documents {
    /// Of a gateway; what is due is looked for every `interval`.
    pub fn new(gateway: Arc<Gateway>, interval: Duration) -> Self {
        let pool = Pool::new(&gateway);
        Self { gateway, pool, interval }
    }

    /// Settles until `stop`.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        rounds::run(&self, self.interval, stop).await;
    }
}

impl Rounds for Documents {
    async fn round(&self) {
        let now = self.gateway.clock().now();
        let store = self.gateway.store();
        let until = plus(now, CLAIM_MICROS);
        let claimed = match objects::claim(store, ObjectKind::Document, now, until, AT_ONCE).await {
            Ok(claimed) => claimed,
            Err(error) => return tracing::error!(%error, "documents cannot be looked through"),
        };
        for document in claimed {
            let next = self.look(&document, now).await.unwrap_or_else(|error| {
                tracing::error!(%error, document = %document.id, "a document cannot be settled now");
                Some(plus(now, SOON_MICROS))
            });
            if let Err(error) = self.put_back(&document, next, now).await {
                tracing::error!(%error, document = %document.id, "a document stays claimed for a while");
            }
        }
    }
}

impl Documents {
    /// Settles what is due, if upstream is done. Answers when to look again. What it said at once was charged at once, if
    /// nobody died in between; then there is no difference.
    async fn look(&self, document: &Object, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let age = now.micros().saturating_sub(document.changed_at.micros());
        let later = plus(now, age.checked_div(4).unwrap_or(0).clamp(SOON_MICROS, LATE_MICROS));
        if document.state == ObjectState::Intended {
            return Ok(Some(later));
        }
        let known = Known::of(document);
        let Some(id) = document.upstream_id.as_deref().filter(|_| !known.due.is_empty()) else {
            return Ok(None);
        };
        if told(&known.shown).is_some() && known.due.iter().all(|due| due.before.is_none()) {
            let shown = known.shown.clone();
            let settled = settle(self.gateway.store(), document, known, &shown, now).await?;
            return Ok((!settled).then_some(later));
        }
        let target = format!("/v1/libraries/{}/documents/{id}", document.parent);
        let (gateway, pool, organization) = (&self.gateway, &self.pool, document.owner.organization_id);
        let asker = Asker { gateway, pool, organization, credential: document.credential_id };
        match asker.json(target).await {
            Ok(Answer::There(shown)) => {
                let settled = settle(self.gateway.store(), document, known, &shown, now).await?;
                Ok((!settled).then_some(later))
            }
            // It was deleted when what it took was known, or is charged as it was read before.
            Ok(Answer::Absent) if told(&known.shown).is_some() => {
                let shown = known.shown.clone();
                let settled = settle(self.gateway.store(), document, known, &shown, now).await?;
                Ok((!settled).then_some(later))
            }
            Ok(Answer::Absent) => {
                tracing::warn!(document = %document.id, "a document is gone before it was settled; it stays charged");
                Ok(None)
            }
            Err(error) => {
                tracing::warn!(%error, document = %document.id, "upstream says nothing of a document");
                Ok(Some(later))
            }
        }
    }

    /// Nothing is due any more only of what was looked at: a document that was changed or deleted meanwhile is looked at
    /// again.
    async fn put_back(
        &self,
        document: &Object,
        next: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let store = self.gateway.store();
        if next.is_none() && objects::finish(store, document).await? {
            return Ok(());
        }
        objects::put_back(store, document.id, Some(next.unwrap_or(now))).await
    }
}

/// Posts what reading a document took less than was charged, where upstream is done with it. Answers whether nothing is
/// due any more.
pub(crate) async fn settle(
    store: &Store,
    document: &Object,
    mut known: Known,
    shown: &Value,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(told) = told(shown) else { return Ok(false) };
    let mut open = Vec::new();
    for due in std::mem::take(&mut known.due) {
        let charged = match due.is_over(shown, now) {
            true => charged::find(store, due.request_id).await?,
            false => None,
        };
        // The writer, or the node that takes its journal over, will write what is not written yet.
        let Some(charged) = charged else {
            open.push(due);
            continue;
        };
        if let Some(adjustment) = adjustment(document, &due, &charged, told, now) {
            match adjustments::post(store, &adjustment).await {
                Ok(_) => {}
                Err(StoreError::Conflict) => {
                    tracing::error!(document = %document.id, "ALARM: a document would give back more than was charged");
                    open.push(due);
                }
                Err(error) => return Err(error),
            }
        }
    }
    let done = open.is_empty();
    known.due = open;
    known.see(shown);
    // Whoever has changed it meanwhile finds it not settled; nothing is posted twice.
    Ok(objects::describe(store, document, &known.written(), now).await? && done)
}

/// What reading took, less what was charged; `None` where that is nothing, or nothing was charged.
fn adjustment(
    document: &Object,
    due: &Due,
    charged: &Charged,
    told: Told,
    now: Timestamp,
) -> Option<Adjustment> {
    let Charged { tokens: before, units, cost, .. } = charged;
    if *before == Tokens::default() && *units == Units::default() {
        return None;
    }
    let tokens = Tokens { input: told.tokens, cached: 0, output: 0 };
    let read = Units { pages: told.pages, audio_seconds: due.audio_seconds, ..Units::default() };
    let nanos =
        due.price.as_ref().map_or(0, |price: &Price| price.cost(tokens, &read, Terms::default()).nanos());
    let less = |now: u64, before: u64| {
        let wide = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        wide(now).saturating_sub(wide(before))
    };
    let difference = Difference {
        input: less(tokens.input, before.input),
        pages: less(read.pages, units.pages),
        audio_seconds: less(read.audio_seconds, units.audio_seconds),
        nanos: nanos.saturating_sub(cost.nanos()),
        ..Difference::default()
    };
    if difference.nanos > 0 {
        tracing::error!(document = %document.id, nanos = difference.nanos, "ALARM: a document took more than its bound");
    }
    (difference != Difference::default()).then(|| Adjustment {
        id: AdjustmentId::from_bytes(due.request_id.bytes()),
        of_request: Some(due.request_id),
        at: charged.at,
        posted_at: now,
        organization_id: document.owner.organization_id,
        workspace_id: document.owner.workspace_id,
        key_id: due.key_id,
        user_id: due.user_id,
        role: charged.role.clone(),
        endpoint: EndpointKind::Libraries,
        model: charged.model.clone(),
        difference,
        reason: Reason::Library,
        note: format!("Document {}", document.upstream_id.as_deref().unwrap_or_default()),
    })
}

fn plus(time: Timestamp, micros: i64) -> Timestamp {
    Timestamp::from_micros(time.micros().saturating_add(micros))
}
