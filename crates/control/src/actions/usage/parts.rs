//! Usage as pages show it: the total, its parts, and its course over time, summed by the database and bounded.

use crate::Control;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, Resource, decide};
use louver_domain::calendar::Zone;
use louver_domain::id::{KeyId, UserId, WorkspaceId};
use louver_domain::time::Timestamp;
use louver_store::usage::parts as store;
use louver_store::{keys, organizations, users};
use std::collections::HashMap;

pub use louver_store::usage::Sums;
pub use louver_store::usage::parts::{By, Part};

/// The most rows of hours and parts that one answer is made of.
const MOST_HOURS: u64 = 500_000;

/// Which usage is asked for; `None` does not narrow.
#[derive(Clone, Debug)]
pub struct Asked {
    /// From then on.
    pub from: Timestamp,
    /// Until before then.
    pub to: Timestamp,
    /// Of one workspace.
    pub workspace: Option<WorkspaceId>,
    /// Of one person.
    pub user: Option<UserId>,
    /// Of one key.
    pub key: Option<KeyId>,
    /// Of one model.
    pub model: Option<String>,
}

/// Whose usage the caller sees when they name no workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The organization's.
    All,
    /// That of some workspaces.
    Of(Vec<WorkspaceId>),
    /// Their own.
    Own(UserId),
}

/// Whose usage the caller sees.
pub fn seen(context: &Context) -> Result<Seen, ControlError> {
    let actor = &context.actor;
    match (actor.workspaces_with(Action::ReadUsage), actor.user_id()) {
        (None, _) => Ok(Seen::All),
        (Some(held), _) if !held.is_empty() => Ok(Seen::Of(held)),
        (Some(_), Some(me)) if Action::ReadUsage.holders().own() => Ok(Seen::Own(me)),
        (Some(_), _) => Err(ControlError::lacking(Action::ReadUsage)),
    }
}

/// Where the organization's days begin, and what that is called.
pub async fn zone(control: &Control, context: &Context) -> Result<(Zone, String), ControlError> {
    let found = organizations::get(&control.store, context.organization_id()).await?;
    let limits = found.ok_or(ControlError::NotFound)?.limits;
    let name = limits.zone().and(limits.timezone.clone()).unwrap_or_else(|| "UTC".to_owned());
    Ok((limits.zone().unwrap_or_default(), name))
}

fn narrow(context: &Context, asked: &Asked) -> Result<store::Narrow, ControlError> {
    let mut narrow = store::Narrow {
        organization: context.organization_id(),
        from: asked.from,
        to: asked.to,
        workspaces: asked.workspace.map(|id| vec![id]),
        user: asked.user,
        key: asked.key,
        model: asked.model.clone(),
    };
    match seen(context)? {
        Seen::All => {}
        Seen::Of(held) => match asked.workspace {
            None => narrow.workspaces = Some(held),
            Some(id) if held.contains(&id) => {}
            Some(id) => own_in(context, id, &mut narrow)?,
        },
        Seen::Own(me) => narrow.user = Some(me),
    }
    Ok(narrow)
}

/// Somebody who may not read a workspace's usage reads what is their own there.
fn own_in(context: &Context, workspace: WorkspaceId, narrow: &mut store::Narrow) -> Result<(), ControlError> {
    let me = context.actor.user_id();
    let resource = Resource::workspace(context.organization_id(), workspace).owned_by(me);
    decide(&context.actor, Action::ReadUsage, resource)?;
    narrow.user = me;
    Ok(())
}

/// All of it in one sum.
pub async fn total(control: &Control, context: &Context, asked: &Asked) -> Result<Sums, ControlError> {
    Ok(store::total(&control.store, &narrow(context, asked)?).await?)
}

/// The parts that cost most, at most `limit`.
pub async fn dearest(
    control: &Control,
    context: &Context,
    asked: &Asked,
    by: By,
    limit: u32,
) -> Result<Vec<(Part, Sums)>, ControlError> {
    let narrow = narrow(context, asked)?;
    Ok(store::dearest(&control.store, &narrow, by, None, u64::from(limit)).await?)
}

/// The sums of each hour in which there were calls.
pub async fn hours(
    control: &Control,
    context: &Context,
    asked: &Asked,
) -> Result<Vec<(Timestamp, Sums)>, ControlError> {
    Ok(store::hours(&control.store, &narrow(context, asked)?).await?)
}

/// The sums of each hour and part, of `only` these parts where they are named.
pub async fn hours_by(
    control: &Control,
    context: &Context,
    asked: &Asked,
    by: By,
    only: Option<&[Part]>,
) -> Result<Vec<(Timestamp, Part, Sums)>, ControlError> {
    let narrow = narrow(context, asked)?;
    let most = MOST_HOURS.saturating_add(1);
    let rows = store::hours_by(&control.store, &narrow, by, only, most).await?;
    if u64::try_from(rows.len()).unwrap_or(u64::MAX) > MOST_HOURS {
        return Err(ControlError::parameter("by", "gives too many rows: name a workspace, a key or a model"));
    }
    Ok(rows)
}

/// The names of these parts. Those that are gone have none.
pub async fn names(
    control: &Control,
    context: &Context,
    parts: &[Part],
) -> Result<HashMap<Part, String>, ControlError> {
    const AT_ONCE: usize = 1000;
    let organization = context.organization_id();
    let mut names = HashMap::new();
    for some in parts.chunks(AT_ONCE) {
        let (mut of_keys, mut of_users) = (Vec::new(), Vec::new());
        for part in some {
            match part {
                Part::Key(id) => of_keys.push(*id),
                Part::User(Some(id)) => of_users.push(*id),
                Part::Workspace(_) | Part::User(None) | Part::Model(_) => {}
            }
        }
        let found = keys::names_of(&control.store, organization, &of_keys).await?;
        names.extend(found.into_iter().map(|(id, name)| (Part::Key(id), name)));
        let found = users::emails_of(&control.store, organization, &of_users).await?;
        names.extend(found.into_iter().map(|(id, email)| (Part::User(Some(id)), email)));
    }
    if parts.iter().any(|part| matches!(part, Part::Workspace(_))) {
        let all = louver_store::workspaces::list(&control.store, organization).await?;
        names.extend(all.into_iter().map(|one| (Part::Workspace(one.id), one.name)));
    }
    Ok(names)
}
