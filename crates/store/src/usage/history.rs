//! The usage records of an organization, read in pages in the order of their time.

use crate::db::{Row, Store, Value};
use crate::error::StoreError;
use louver_domain::id::{KeyId, OrganizationId, RequestId, UserId, WorkspaceId};
use louver_domain::money::Money;
use louver_domain::simulation::PastCall;
use louver_domain::time::Timestamp;
use louver_domain::usage::Tokens;
use std::collections::BTreeMap;

/// Records of one query.
const PAGE: i64 = 2000;

/// How long before its admission a request may have got its id: its body was still coming in.
const SLACK_SECONDS: i64 = 3600;

/// A reader of past calls.
///
/// There is no index by time and none is needed: ids begin with the millisecond in which their request came in, so
/// that the records of a time stand together. A record whose admission is later than what was read so far is held back
/// until all before it are out.
#[derive(Debug)]
pub struct History {
    organization: OrganizationId,
    from: Timestamp,
    to: Timestamp,
    /// The id of the last record that was read.
    after: [u8; 16],
    held: BTreeMap<(Timestamp, RequestId), PastCall>,
    done: bool,
}

impl History {
    /// Of the calls that were admitted in `[from, to)`.
    pub fn new(organization: OrganizationId, from: Timestamp, to: Timestamp) -> Self {
        let after = first_id(from.plus_seconds(SLACK_SECONDS.saturating_neg()));
        Self { organization, from, to, after, held: BTreeMap::new(), done: false }
    }

    /// The next calls, in the order of time; none when there are no more.
    pub async fn next(&mut self, store: &Store) -> Result<Vec<PastCall>, StoreError> {
        while !self.done {
            let rows = self.read(store).await?;
            self.done = i64::try_from(rows.len()).unwrap_or(i64::MAX) < PAGE;
            for row in &rows {
                let call = read(row)?;
                self.after = call.request_id.bytes();
                self.held.insert((call.at, call.request_id), call);
            }
            let ready = self.take_ready();
            if !ready.is_empty() {
                return Ok(ready);
            }
        }
        Ok(std::mem::take(&mut self.held).into_values().collect())
    }

    /// What nothing can come before any more: no later record is older than the last id.
    fn take_ready(&mut self) -> Vec<PastCall> {
        let later = self.held.split_off(&(time_of(self.after), RequestId::from_bytes([0; 16])));
        std::mem::replace(&mut self.held, later).into_values().collect()
    }

    async fn read(&self, store: &Store) -> Result<Vec<Row>, StoreError> {
        let end = first_id(Timestamp::from_micros(self.to.micros().saturating_add(1000)));
        let values: Vec<Value> = vec![
            self.after.into(),
            end.into(),
            self.organization.bytes().into(),
            self.from.micros().into(),
            self.to.micros().into(),
            PAGE.into(),
        ];
        let sql = "SELECT request_id, at, workspace_id, key_id, user_id, role, model, input_tokens, cached_tokens, \
                   output_tokens, cost_nanos, total_micros FROM usage_records WHERE request_id > $1 \
                   AND request_id < $2 AND organization_id = $3 AND at >= $4 AND at < $5 \
                   ORDER BY request_id LIMIT $6";
        store.fetch(sql, values).await
    }
}

/// The id before all that are made in the millisecond of `at`.
fn first_id(at: Timestamp) -> [u8; 16] {
    let millis = u64::try_from(at.micros().div_euclid(1000)).unwrap_or(0);
    let mut id = [0; 16];
    // The first 48 bits of a UUID of version 7 are milliseconds (RFC 9562, 5.7).
    id.iter_mut().zip(millis.to_be_bytes().iter().skip(2)).for_each(|(to, from)| *to = *from);
    id
}

/// The start of the millisecond that an id was made in.
fn time_of(id: [u8; 16]) -> Timestamp {
    let millis = id.iter().take(6).fold(0_i64, |millis, byte| (millis << 8) | i64::from(*byte));
    Timestamp::from_micros(millis.saturating_mul(1000))
}

fn read(row: &Row) -> Result<PastCall, StoreError> {
    Ok(PastCall {
        request_id: RequestId::from_bytes(row.id(0)?),
        at: Timestamp::from_micros(row.int(1)?),
        workspace_id: WorkspaceId::from_bytes(row.id(2)?),
        key_id: KeyId::from_bytes(row.id(3)?),
        user_id: row.opt_id(4)?.map(UserId::from_bytes),
        role: row.opt_text(5)?.map(Into::into),
        model: row.text(6)?.into(),
        tokens: Tokens { input: row.count(7)?, cached: row.count(8)?, output: row.count(9)? },
        cost: Money::from_nanos(row.int(10)?),
        total_micros: row.count(11)?,
    })
}
