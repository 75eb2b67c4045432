//! The hourly sums added up by the database itself: by hour, by what they are made of, or both. Few rows come back,
//! however many keys there are.

use super::Sums;
use crate::db::{Row, Store};
use crate::dialect::Made;
use crate::error::StoreError;
use louver_domain::id::{KeyId, OrganizationId, UserId, WorkspaceId};
use louver_domain::money::Money;
use louver_domain::time::Timestamp;
use louver_domain::usage::{Tokens, Units};

/// Whose usage, and of which time: from `from` until before `to`. What is `None` does not narrow.
#[derive(Clone, Debug)]
pub struct Narrow {
    /// The organization.
    pub organization: OrganizationId,
    /// From then on.
    pub from: Timestamp,
    /// Until before then.
    pub to: Timestamp,
    /// Of these workspaces.
    pub workspaces: Option<Vec<WorkspaceId>>,
    /// Of one person.
    pub user: Option<UserId>,
    /// Of one key.
    pub key: Option<KeyId>,
    /// Of one model.
    pub model: Option<String>,
}

/// What usage is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// Workspaces.
    Workspace,
    /// Keys.
    Key,
    /// People.
    User,
    /// Models.
    Model,
}

/// One part of the whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// A workspace.
    Workspace(WorkspaceId),
    /// A key.
    Key(KeyId),
    /// A person; none where keys belong to nobody.
    User(Option<UserId>),
    /// A model.
    Model(String),
}

impl By {
    const fn column(self) -> &'static str {
        match self {
            Self::Workspace => "workspace_id",
            Self::Key => "key_id",
            Self::User => "user_id",
            Self::Model => "model",
        }
    }

    fn read(self, row: &Row, at: usize) -> Result<Part, StoreError> {
        Ok(match self {
            Self::Workspace => Part::Workspace(WorkspaceId::from_bytes(row.id(at)?)),
            Self::Key => Part::Key(KeyId::from_bytes(row.id(at)?)),
            Self::User => {
                let id = row.id(at)?;
                Part::User((id != [0; 16]).then(|| UserId::from_bytes(id)))
            }
            Self::Model => Part::Model(row.text(at)?),
        })
    }
}

const SUMS: &str = "CAST(COALESCE(SUM(requests), 0) AS BIGINT), CAST(COALESCE(SUM(input_tokens), 0) AS BIGINT), \
     CAST(COALESCE(SUM(cached_tokens), 0) AS BIGINT), CAST(COALESCE(SUM(output_tokens), 0) AS BIGINT), \
     CAST(COALESCE(SUM(cost_nanos), 0) AS BIGINT), CAST(COALESCE(SUM(estimated), 0) AS BIGINT), \
     CAST(COALESCE(SUM(would_refuse), 0) AS BIGINT), CAST(COALESCE(SUM(pages), 0) AS BIGINT), \
     CAST(COALESCE(SUM(annotated_pages), 0) AS BIGINT), CAST(COALESCE(SUM(audio_seconds), 0) AS BIGINT), \
     CAST(COALESCE(SUM(characters), 0) AS BIGINT), CAST(COALESCE(SUM(tool_calls), 0) AS BIGINT) FROM usage_hourly \
     WHERE hour >= ";

/// All of it.
pub async fn total(store: &Store, narrow: &Narrow) -> Result<Sums, StoreError> {
    let made = narrowed(Made::new(store.dialect(), "SELECT "), narrow);
    let rows = store.fetch_made(made.sql, made.values).await?;
    rows.first().map_or_else(|| Ok(Sums::default()), |row| sums(row, 0))
}

/// The parts that cost most, at most `limit`, of `only` these where they are named; those that cost the same in the order of their ids or names.
pub async fn dearest(
    store: &Store,
    narrow: &Narrow,
    by: By,
    only: Option<&[Part]>,
    limit: u64,
) -> Result<Vec<(Part, Sums)>, StoreError> {
    if only.is_some_and(<[Part]>::is_empty) {
        return Ok(Vec::new());
    }
    let mut made = Made::new(store.dialect(), "SELECT ");
    made.put(by.column());
    made.put(", ");
    let mut made = narrowed(made, narrow);
    only_these(&mut made, by, only);
    made.put(" GROUP BY ");
    made.put(by.column());
    made.put(" ORDER BY SUM(cost_nanos) DESC, ");
    made.put(by.column());
    made.is(" LIMIT ", limit);
    let rows = store.fetch_made(made.sql, made.values).await?;
    rows.iter().map(|row| Ok((by.read(row, 0)?, sums(row, 1)?))).collect()
}

/// The sums of each hour in which there were calls, in their order.
pub async fn hours(store: &Store, narrow: &Narrow) -> Result<Vec<(Timestamp, Sums)>, StoreError> {
    let mut made = narrowed(Made::new(store.dialect(), "SELECT hour, "), narrow);
    made.put(" GROUP BY hour ORDER BY hour");
    let rows = store.fetch_made(made.sql, made.values).await?;
    rows.iter().map(|row| Ok((Timestamp::from_micros(row.int(0)?), sums(row, 1)?))).collect()
}

/// The sums of each hour and part, in the order of hours; of `only` these parts where they are named. At most `limit`.
pub async fn hours_by(
    store: &Store,
    narrow: &Narrow,
    by: By,
    only: Option<&[Part]>,
    limit: u64,
) -> Result<Vec<(Timestamp, Part, Sums)>, StoreError> {
    if only.is_some_and(<[Part]>::is_empty) {
        return Ok(Vec::new());
    }
    let mut made = Made::new(store.dialect(), "SELECT hour, ");
    made.put(by.column());
    made.put(", ");
    let mut made = narrowed(made, narrow);
    only_these(&mut made, by, only);
    made.put(" GROUP BY hour, ");
    made.put(by.column());
    made.put(" ORDER BY hour, ");
    made.put(by.column());
    made.is(" LIMIT ", limit);
    let rows = store.fetch_made(made.sql, made.values).await?;
    let one = |row: &Row| Ok((Timestamp::from_micros(row.int(0)?), by.read(row, 1)?, sums(row, 2)?));
    rows.iter().map(one).collect()
}

fn only_these(made: &mut Made, by: By, only: Option<&[Part]>) {
    let Some((first, rest)) = only.and_then(<[Part]>::split_first) else { return };
    made.put(" AND ");
    made.put(by.column());
    put(made, " IN (", first);
    rest.iter().for_each(|part| put(made, ", ", part));
    made.put(")");
}

fn put(made: &mut Made, text: &'static str, part: &Part) {
    match part {
        Part::Workspace(id) => made.is(text, id.bytes()),
        Part::Key(id) => made.is(text, id.bytes()),
        Part::User(id) => made.is(text, id.map(|id| id.bytes()).unwrap_or_default()),
        Part::Model(name) => made.is(text, name.as_str()),
    }
}

fn narrowed(mut made: Made, narrow: &Narrow) -> Made {
    made.is(SUMS, narrow.from.micros());
    made.is(" AND hour < ", narrow.to.micros());
    made.is(" AND organization_id = ", narrow.organization.bytes());
    if let Some(workspaces) = &narrow.workspaces {
        // Of no workspace is nothing.
        made.is(" AND workspace_id IN (", workspaces.first().map(|id| id.bytes()).unwrap_or_default());
        workspaces.iter().skip(1).for_each(|id| made.is(", ", id.bytes()));
        made.put(")");
    }
    if let Some(user) = narrow.user {
        made.is(" AND user_id = ", user.bytes());
    }
    if let Some(key) = narrow.key {
        made.is(" AND key_id = ", key.bytes());
    }
    if let Some(model) = &narrow.model {
        made.is(" AND model = ", model.as_str());
    }
    made
}

fn sums(row: &Row, at: usize) -> Result<Sums, StoreError> {
    let count = |place: usize| row.count(at.saturating_add(place));
    Ok(Sums {
        requests: count(0)?,
        tokens: Tokens { input: count(1)?, cached: count(2)?, output: count(3)? },
        cost: Money::from_nanos(row.int(at.saturating_add(4))?),
        estimated: count(5)?,
        would_refuse: count(6)?,
        units: Units {
            pages: count(7)?,
            annotated_pages: count(8)?,
            audio_seconds: count(9)?,
            characters: count(10)?,
            tool_calls: count(11)?,
        },
    })
}
