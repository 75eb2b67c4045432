//! Adjustments: seen, and posted where the provider's own report says something else than the ledger.

mod spread;

use super::{Deed, commit};
use crate::Control;
use crate::api::adjustments::Posted as Shown;
use crate::context::Context;
use crate::error::ControlError;
use crate::visible::visible;
use louver_domain::access::{Action, decide};
use louver_domain::calendar::Window;
use louver_domain::endpoints::EndpointKind;
use louver_domain::id::{AdjustmentId, KeyId, WorkspaceId};
use louver_domain::keys::Owner;
use louver_domain::money::Money;
use louver_domain::prices::{Price, Prices, Terms};
use louver_domain::time::Timestamp;
use louver_domain::usage::{Tokens, Units};
use louver_store::ledger::adjustments::{self as store, Adjustment, Difference, Filter, Reason};
use louver_store::usage::{self, Cell, Sums};
use louver_store::{StoreError, Tx, keys, models, workspaces};

const DAY: i64 = 86_400;
const LONGEST_REASON: usize = 500;
/// No bill of a day counts more than this of anything.
const LARGEST: u64 = 1_000_000_000_000_000;

/// What the provider's report says of one day; what is `None` is left as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reported {
    /// Tokens of input, cached ones among them.
    pub input: Option<u64>,
    /// Of those, cached.
    pub cached: Option<u64>,
    /// Tokens of output.
    pub output: Option<u64>,
    /// Pages.
    pub pages: Option<u64>,
    /// Annotated pages.
    pub annotated_pages: Option<u64>,
    /// Seconds of audio.
    pub audio_seconds: Option<u64>,
    /// Characters.
    pub characters: Option<u64>,
    /// Calls of tools.
    pub tool_calls: Option<u64>,
    /// What it cost; `None` is the difference of the units at the day's price.
    pub cost: Option<Money>,
}

/// A correction of what a workspace used of a model on a day.
#[derive(Clone, Debug)]
pub struct NewAdjustment {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The day, UTC; it must be over.
    pub day: Timestamp,
    /// The model.
    pub model: String,
    /// What the day should come to.
    pub reported: Reported,
    /// The key that it counts for, where nobody used the model that day.
    pub key_id: Option<KeyId>,
    /// The endpoint, where nobody used the model that day.
    pub endpoint: Option<EndpointKind>,
    /// A sentence for people.
    pub reason: String,
}

/// The adjustments that the caller may see, those posted last first.
pub async fn list(
    control: &Control,
    context: &Context,
    filter: Filter,
    limit: u32,
) -> Result<Vec<Adjustment>, ControlError> {
    let seen = visible(&context.actor, Action::ReadUsage, filter.workspace)?;
    let filter = Filter { workspace: seen.workspace, user: seen.owner, ..filter };
    Ok(store::list(&control.store, context.organization_id(), filter, limit).await?)
}

/// Posts what lies between the ledger and the report. Posted again, it changes nothing: the ledger is there already.
pub async fn post(
    control: &Control,
    context: &Context,
    new: NewAdjustment,
) -> Result<Vec<Adjustment>, ControlError> {
    let permit = decide(&context.actor, Action::AdjustUsage, context.organization_id())?;
    check(context, &new)?;
    let mut tx = control.begin(context).await?;
    let organization = context.organization_id();
    let workspace = workspaces::load(&mut tx, organization, new.workspace_id).await?;
    let workspace = workspace
        .ok_or_else(|| ControlError::field("workspace_id", "names no workspace of this organization"))?;
    let to = new.day.plus_seconds(DAY);
    let mut cells = usage::cells(&mut tx, organization, workspace.id, &new.model, new.day, to).await?;
    if cells.is_empty() {
        cells.push(named_cell(&mut tx, context, &new).await?);
    }
    let wanted = difference(&mut tx, &new, &cells).await?;
    let parts = spread::spread(&cells, wanted).map_err(|unit| {
        let sentence = "would take back more than was charged, or leave more cached tokens than input";
        ControlError::field(&format!("reported.{unit}"), sentence)
    })?;
    let mut posted = Vec::new();
    for (place, difference) in parts {
        let Some(cell) = cells.get(place) else { continue };
        let adjustment = adjustment(control, context, &new, cell, difference);
        let done = store::post_in(&mut tx, &permit, &adjustment).await;
        done.map_err(|error| match error {
            StoreError::Conflict => {
                ControlError::Conflict("what was charged has changed meanwhile: compare again".into())
            }
            other => other.into(),
        })?;
        posted.push(adjustment);
    }
    if posted.is_empty() {
        return Ok(posted);
    }
    let day = new.day.rfc3339();
    let name = format!("{} {}", day.get(..10).unwrap_or_default(), new.model);
    let deed = Deed::on(permit, workspace.id, &name).inside(workspace.id).to(&Shown::of(&posted))?;
    commit(control, context, tx, deed).await?;
    Ok(posted)
}

fn check(context: &Context, new: &NewAdjustment) -> Result<(), ControlError> {
    if new.day.floor(Window::Day) != new.day {
        return Err(ControlError::field("day", "must be a date such as 2026-11-21"));
    }
    if new.day.plus_seconds(DAY) > context.now {
        return Err(ControlError::field("day", "is not over yet"));
    }
    if new.reason.trim().is_empty() || new.reason.chars().count() > LONGEST_REASON {
        return Err(ControlError::field("reason", "must be 1 to 500 characters"));
    }
    let Reported {
        input,
        cached,
        output,
        pages,
        annotated_pages,
        audio_seconds,
        characters,
        tool_calls,
        cost,
    } = new.reported;
    let counts = [input, cached, output, pages, annotated_pages, audio_seconds, characters, tool_calls];
    if counts.iter().flatten().any(|count| *count > LARGEST) {
        return Err(ControlError::field("reported", "must be at most 1,000,000,000,000,000 of anything"));
    }
    if counts.iter().all(Option::is_none) && cost.is_none() {
        return Err(ControlError::field("reported", "must say what the day should come to"));
    }
    Ok(())
}

/// A row of nothing for the key that is named, where nobody used the model that day.
async fn named_cell(tx: &mut Tx, context: &Context, new: &NewAdjustment) -> Result<Cell, ControlError> {
    let (Some(id), Some(endpoint)) = (new.key_id, new.endpoint) else {
        let sentence =
            "nobody used that model in the workspace that day: name the key_id and the endpoint to charge";
        return Err(ControlError::field("key_id", sentence));
    };
    let key = keys::load(tx, context.organization_id(), id).await?;
    let key = key.filter(|key| key.workspace_id == new.workspace_id);
    let key = key.ok_or_else(|| ControlError::field("key_id", "names no key of the workspace"))?;
    Ok(Cell {
        hour: new.day,
        key: key.id,
        user: match key.owner {
            Owner::User(id) => Some(id),
            Owner::Workspace | Owner::ServiceAccount(_) => None,
        },
        role: None,
        endpoint,
        sums: Sums::default(),
    })
}

/// What lies between the rows and the report.
async fn difference(tx: &mut Tx, new: &NewAdjustment, cells: &[Cell]) -> Result<Difference, ControlError> {
    let sum = |of: fn(&Sums) -> u64| cells.iter().map(|cell| of(&cell.sums)).fold(0, u64::saturating_add);
    let to = |reported: Option<u64>, now: u64| match reported {
        Some(reported) => signed(reported).saturating_sub(signed(now)),
        None => 0,
    };
    let reported = &new.reported;
    let mut wanted = Difference {
        input: to(reported.input, sum(|sums| sums.tokens.input)),
        cached: to(reported.cached, sum(|sums| sums.tokens.cached)),
        output: to(reported.output, sum(|sums| sums.tokens.output)),
        pages: to(reported.pages, sum(|sums| sums.units.pages)),
        annotated_pages: to(reported.annotated_pages, sum(|sums| sums.units.annotated_pages)),
        audio_seconds: to(reported.audio_seconds, sum(|sums| sums.units.audio_seconds)),
        characters: to(reported.characters, sum(|sums| sums.units.characters)),
        tool_calls: to(reported.tool_calls, sum(|sums| sums.units.tool_calls)),
        nanos: 0,
    };
    let charged = cells.iter().map(|cell| cell.sums.cost.nanos()).fold(0, i64::saturating_add);
    wanted.nanos = match reported.cost {
        Some(cost) => cost.nanos().saturating_sub(charged),
        None => {
            let list = models::load(tx).await?.models.into_iter();
            let prices = list.filter(|entry| entry.model.id == new.model).flat_map(|entry| entry.prices);
            let prices = Prices::new(prices.collect());
            let price = prices.at(new.day.plus_seconds(DAY - 1)).map(|(_, price)| price);
            price.map_or(0, |price| at_price(&wanted, price)).max(charged.saturating_neg())
        }
    };
    Ok(wanted)
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// What a difference costs: what is more, without what is less, on standard terms.
fn at_price(difference: &Difference, price: &Price) -> i64 {
    let fresh = difference.input.saturating_sub(difference.cached);
    let cost = |part: fn(i64) -> u64| {
        let (fresh, cached) = (part(fresh), part(difference.cached));
        let tokens = Tokens { input: fresh.saturating_add(cached), cached, output: part(difference.output) };
        let units = Units {
            pages: part(difference.pages),
            annotated_pages: part(difference.annotated_pages),
            audio_seconds: part(difference.audio_seconds),
            characters: part(difference.characters),
            tool_calls: 0,
        };
        price.cost(tokens, &units, Terms::default()).nanos()
    };
    let more = cost(|count| u64::try_from(count).unwrap_or(0));
    let less = cost(|count| u64::try_from(count.saturating_neg()).unwrap_or(0));
    more.saturating_sub(less)
}

fn adjustment(
    control: &Control,
    context: &Context,
    new: &NewAdjustment,
    cell: &Cell,
    difference: Difference,
) -> Adjustment {
    Adjustment {
        id: AdjustmentId::new(context.now, &*control.entropy),
        of_request: None,
        at: cell.hour,
        posted_at: context.now,
        organization_id: context.organization_id(),
        workspace_id: new.workspace_id,
        key_id: cell.key,
        user_id: cell.user,
        role: cell.role.clone(),
        endpoint: cell.endpoint,
        model: new.model.clone(),
        difference,
        reason: Reason::Reconciliation,
        note: new.reason.trim().to_owned(),
    }
}
