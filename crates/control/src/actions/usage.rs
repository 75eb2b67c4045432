//! Usage of the caller's organization, summed, with the names of what it is kept apart by.

pub mod parts;

use crate::Control;
use crate::context::Context;
use crate::error::ControlError;
use crate::visible::visible;
use louver_domain::access::{Action, decide};
use louver_domain::calendar::Window;
use louver_domain::id::{KeyId, UserId, WorkspaceId};
use louver_domain::keys::ApiKey;
use louver_domain::time::Timestamp;
use louver_store::usage::{self as store, GroupBy, Whose};
pub use louver_store::usage::{Group, Sums};
use louver_store::{keys, users, workspaces};
use std::collections::{BTreeMap, HashMap};

const MOST_ROWS: usize = 100_000;
const DAY: i64 = 86_400;

/// Which usage is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// From then on; the hour it lies in counts whole.
    pub from: Timestamp,
    /// Until before then.
    pub to: Timestamp,
    /// Of one workspace.
    pub workspace: Option<WorkspaceId>,
    /// What to keep apart by.
    pub by: GroupBy,
}

/// The sums, and the names to show with them.
#[derive(Debug, Default)]
pub struct Usage {
    /// Sums by group.
    pub sums: BTreeMap<Group, Sums>,
    /// Names of workspaces.
    pub workspaces: HashMap<WorkspaceId, String>,
    /// Names of keys.
    pub keys: HashMap<KeyId, String>,
    /// Mail addresses of people.
    pub users: HashMap<UserId, String>,
}

/// Reads the usage that the caller may see.
pub async fn read(control: &Control, context: &Context, asked: Asked) -> Result<Usage, ControlError> {
    let longest = match asked.by.granularity {
        Some(Window::Hour) => 93,
        Some(Window::Day) => 1100,
        Some(Window::Month) | None => 36_600,
    };
    if asked.from >= asked.to {
        return Err(ControlError::parameter("to", "must be after from"));
    }
    if asked.from.plus_seconds(DAY.saturating_mul(longest)) < asked.to {
        let sentence = format!("must be at most {longest} days after from at this granularity");
        return Err(ControlError::parameter("to", sentence));
    }
    let organization = context.organization_id();
    let sums = sums(control, context, asked).await?;
    if sums.len() > MOST_ROWS {
        return Err(ControlError::parameter("group_by", "gives more than 100,000 rows: ask for less"));
    }
    let mut usage = Usage { sums, ..Usage::default() };
    if asked.by.workspace {
        let all = workspaces::list(&control.store, organization).await?;
        usage.workspaces = all.into_iter().map(|workspace| (workspace.id, workspace.name)).collect();
    }
    if asked.by.user {
        let all = users::list(&control.store, organization).await?;
        usage.users = all.into_iter().map(|user| (user.id, user.email)).collect();
    }
    if asked.by.key {
        usage.keys = keys::names(&control.store, organization).await?;
    }
    Ok(usage)
}

/// The sums alone, of any length of time.
pub async fn sums(
    control: &Control,
    context: &Context,
    asked: Asked,
) -> Result<BTreeMap<Group, Sums>, ControlError> {
    let seen = visible(&context.actor, Action::ReadUsage, asked.workspace)?;
    let whose = Whose { workspace: seen.workspace, user: seen.owner };
    let from = asked.from.floor(Window::Hour);
    Ok(store::sums(&control.store, context.organization_id(), from, asked.to, whose, asked.by).await?)
}

/// What a key at hand used in these hours, a month at most: by hour and model.
pub async fn of_key(
    control: &Control,
    context: &Context,
    key: &ApiKey,
    (from, to): (Timestamp, Timestamp),
) -> Result<Vec<(Timestamp, String, Sums)>, ControlError> {
    decide(&context.actor, Action::ReadUsage, super::keys::resource(key))?;
    let whose = (context.organization_id(), key.workspace_id, key.id);
    Ok(store::of_key(&control.store, whose, from, to).await?)
}
