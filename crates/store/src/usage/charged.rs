//! What one call was charged, as its record has it.

use crate::db::Store;
use crate::error::StoreError;
use louver_domain::id::RequestId;
use louver_domain::money::Money;
use louver_domain::time::Timestamp;
use louver_domain::usage::{Tokens, Units};

/// What a call was charged, as its record has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charged {
    /// When it was admitted.
    pub at: Timestamp,
    /// The model role that it was judged by, if any.
    pub role: Option<String>,
    /// The endpoint, by its name.
    pub endpoint: String,
    /// The model that it was charged to.
    pub model: String,
    /// Tokens.
    pub tokens: Tokens,
    /// What else.
    pub units: Units,
    /// The cost.
    pub cost: Money,
}

/// What a call was charged; `None` while it is not written down.
pub async fn find(store: &Store, request: RequestId) -> Result<Option<Charged>, StoreError> {
    let sql = "SELECT at, role, endpoint, model, input_tokens, cached_tokens, output_tokens, cost_nanos, pages, \
               annotated_pages, audio_seconds, characters, tool_calls FROM usage_records WHERE request_id = $1";
    let rows = store.fetch(sql, vec![request.bytes().into()]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(Charged {
        at: Timestamp::from_micros(row.int(0)?),
        role: row.opt_text(1)?,
        endpoint: row.text(2)?,
        model: row.text(3)?,
        tokens: Tokens { input: row.count(4)?, cached: row.count(5)?, output: row.count(6)? },
        cost: Money::from_nanos(row.int(7)?),
        units: Units {
            pages: row.count(8)?,
            annotated_pages: row.count(9)?,
            audio_seconds: row.count(10)?,
            characters: row.count(11)?,
            tool_calls: row.count(12)?,
        },
    }))
}
