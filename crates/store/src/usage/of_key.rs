//! The hourly sums of one key. Each hour is looked up by itself: what others used in it is never read.

use super::{Sums, read_sums};
use crate::db::Store;
use crate::dialect::Made;
use crate::error::StoreError;
use louver_domain::calendar::Window;
use louver_domain::id::{KeyId, OrganizationId, WorkspaceId};
use louver_domain::time::Timestamp;

const HOUR: i64 = 3_600;
/// More hours than a month has.
const MOST_HOURS: usize = 800;

/// What a key used of a model in an hour, in the order of hours; whole hours, of at most a month.
pub async fn of_key(
    store: &Store,
    (organization, workspace, key): (OrganizationId, WorkspaceId, KeyId),
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<(Timestamp, String, Sums)>, StoreError> {
    let first = from.floor(Window::Hour);
    let next = |hour: &Timestamp| Some(hour.plus_seconds(HOUR));
    let hours = std::iter::successors(Some(first), next).take_while(|hour| *hour < to).take(MOST_HOURS);
    let mut made = Made::new(
        store.dialect(),
        "SELECT hour, workspace_id, key_id, user_id, role, endpoint, model, requests, input_tokens, cached_tokens, \
         output_tokens, cost_nanos, estimated, would_refuse, pages, annotated_pages, audio_seconds, characters, \
         tool_calls FROM usage_hourly WHERE organization_id = ",
    );
    made.is("", organization.bytes());
    made.is(" AND workspace_id = ", workspace.bytes());
    made.is(" AND key_id = ", key.bytes());
    made.is(" AND hour IN (", first.micros());
    for hour in hours.skip(1) {
        made.is(", ", hour.micros());
    }
    made.put(") ORDER BY hour, model");
    let rows = store.fetch_made(made.sql, made.values).await?;
    rows.iter().map(|row| Ok((Timestamp::from_micros(row.int(0)?), row.text(6)?, read_sums(row)?))).collect()
}
