//! Workspaces: made, named, limited within their organization's limits, and archived for good.

pub mod figures;

use super::{Deed, commit, commit_all, limits, members, names};
use crate::Control;
use crate::actions::limits::LimitsPatch;
use crate::api::workspaces::Shown;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, Resource, decide};
use louver_domain::budgets::Scope;
use louver_domain::id::{UserId, WorkspaceId};
use louver_domain::limits::{Level, Limits};
use louver_domain::workspaces::Workspace;
use louver_store::{Tx, ledger, members as people, organizations, workspaces as store};

pub use store::Filter;

const TAKEN: &str = "a workspace of that name exists already";

/// How many workspaces an organization may have that are not archived, where the settings name no other number.
pub const DEFAULT_MAX_ACTIVE: u64 = 500;

/// A workspace to be made.
#[derive(Clone, Debug, Default)]
pub struct NewWorkspace {
    /// Its name, new in the organization.
    pub name: String,
    /// A description for people.
    pub description: Option<String>,
    /// One or two characters, such as an emoji.
    pub icon: Option<String>,
    /// Its limits.
    pub limits: Limits,
    /// The person who administers it from the start.
    pub admin: Option<UserId>,
    /// Whether everybody else of the organization is a member from the start.
    pub everybody: bool,
}

/// A partial change; what is empty takes the old text away.
#[derive(Clone, Debug, Default)]
pub struct WorkspacePatch {
    /// A new name.
    pub name: Option<String>,
    /// Another description.
    pub description: Option<String>,
    /// Another icon.
    pub icon: Option<String>,
}

/// The workspaces that the caller sees, by name.
pub async fn list(control: &Control, context: &Context) -> Result<Vec<Workspace>, ControlError> {
    let mut all = store::list(&control.store, context.organization_id()).await?;
    if let Some(seen) = context.actor.workspaces_with(Action::ReadWorkspace) {
        all.retain(|workspace| seen.contains(&workspace.id));
    }
    Ok(all)
}

/// One page of the workspaces that the caller sees, each with how many people belong to it, and how many workspaces
/// there are on all pages.
pub async fn page(
    control: &Control,
    context: &Context,
    filter: Filter,
) -> Result<(Vec<(Workspace, u64)>, u64), ControlError> {
    let among = context.actor.workspaces_with(Action::ReadWorkspace);
    let filter = Filter { among, ..filter };
    let (page, total) = store::page(&control.store, context.organization_id(), &filter).await?;
    let ids: Vec<WorkspaceId> = page.iter().map(|workspace| workspace.id).collect();
    let counts = people::count(&control.store, &ids).await?;
    let counted = page.into_iter().map(|workspace| {
        let count = counts.get(&workspace.id).copied().unwrap_or_default();
        (workspace, count)
    });
    Ok((counted.collect(), total))
}

/// How many people belong to a workspace.
pub async fn count_members(control: &Control, id: WorkspaceId) -> Result<u64, ControlError> {
    Ok(people::count(&control.store, &[id]).await?.get(&id).copied().unwrap_or_default())
}

/// One workspace.
pub async fn get(control: &Control, context: &Context, id: WorkspaceId) -> Result<Workspace, ControlError> {
    let found = store::get(&control.store, context.organization_id(), id).await?;
    let workspace = found.ok_or(ControlError::NotFound)?;
    decide(&context.actor, Action::ReadWorkspace, resource(&workspace))?;
    Ok(workspace)
}

/// A workspace as what is acted on.
pub(crate) const fn resource(workspace: &Workspace) -> Resource {
    Resource::workspace(workspace.organization_id, workspace.id)
}

/// A workspace that can still be changed: an archived one is as good as gone.
pub(crate) async fn load_active(
    tx: &mut Tx,
    context: &Context,
    id: WorkspaceId,
) -> Result<Workspace, ControlError> {
    let found = store::load(tx, context.organization_id(), id).await?;
    found.filter(|workspace| workspace.archived_at.is_none()).ok_or(ControlError::NotFound)
}

/// Makes a workspace.
pub async fn create(
    control: &Control,
    context: &Context,
    new: NewWorkspace,
) -> Result<Workspace, ControlError> {
    let permit = decide(&context.actor, Action::CreateWorkspace, context.organization_id())?;
    let new = NewWorkspace { name: names::read("name", &new.name)?, ..new };
    names::check_description(new.description.as_deref())?;
    names::check_icon(new.icon.as_deref())?;
    let mut tx = control.begin(context).await?;
    let parent =
        organizations::load(&mut tx, context.organization_id()).await?.ok_or(ControlError::NotFound)?;
    limits::check(&mut tx, &new.limits, &[("organization", &parent.limits)], limits::nested).await?;
    if store::count_active(&mut tx, parent.id).await? >= control.max_active_workspaces {
        let most = control.max_active_workspaces;
        let sentence = format!("there are {most} active workspaces, which is the most: archive one first");
        return Err(ControlError::Conflict(sentence));
    }
    let workspace = Workspace {
        id: WorkspaceId::new(context.now, &*control.entropy),
        organization_id: parent.id,
        name: new.name,
        description: new.description,
        icon: new.icon,
        is_default: false,
        limits: new.limits,
        created_at: context.now,
        archived_at: None,
    };
    must_be_new(&mut tx, &workspace).await?;
    store::insert(&mut tx, &permit, &workspace).await.map_err(taken)?;
    let deed = Deed::on(permit, workspace.id, &workspace.name).inside(workspace.id);
    let mut deeds = vec![deed.to(&Shown::of(&workspace))?];
    deeds.extend(members::found(&mut tx, context, &workspace, new.admin, new.everybody).await?);
    commit_all(control, context, tx, deeds).await?;
    Ok(workspace)
}

fn taken(error: louver_store::StoreError) -> ControlError {
    ControlError::or_taken(error, TAKEN)
}

async fn must_be_new(tx: &mut Tx, workspace: &Workspace) -> Result<(), ControlError> {
    let all = store::load_names(tx, workspace.organization_id).await?;
    let others = all.iter().filter(|(id, _)| *id != workspace.id).map(|(_, name)| name.as_str());
    names::must_be_new(&workspace.name, others, TAKEN)
}

/// Changes a workspace's name, description or icon.
pub async fn update(
    control: &Control,
    context: &Context,
    id: WorkspaceId,
    patch: WorkspacePatch,
) -> Result<Workspace, ControlError> {
    let mut tx = control.begin(context).await?;
    let mut workspace = load_active(&mut tx, context, id).await?;
    let permit = decide(&context.actor, Action::UpdateWorkspace, resource(&workspace))?;
    let before = Shown::of(&workspace);
    if let Some(name) = patch.name {
        let name = names::read("name", &name)?;
        workspace.name = name;
        must_be_new(&mut tx, &workspace).await?;
    }
    if let Some(text) = patch.description {
        names::check_description(Some(&text))?;
        workspace.description = Some(text).filter(|text| !text.is_empty());
    }
    if let Some(icon) = patch.icon {
        names::check_icon(Some(&icon))?;
        workspace.icon = Some(icon).filter(|icon| !icon.is_empty());
    }
    store::save(&mut tx, &permit, &workspace).await.map_err(taken)?;
    let deed = Deed::on(permit, workspace.id, &workspace.name).inside(workspace.id);
    commit(control, context, tx, deed.from(&before)?.to(&Shown::of(&workspace))?).await?;
    Ok(workspace)
}

/// Archives a workspace for good: from then on its keys are refused.
pub async fn archive(control: &Control, context: &Context, id: WorkspaceId) -> Result<(), ControlError> {
    let mut tx = control.begin(context).await?;
    let mut workspace = load_active(&mut tx, context, id).await?;
    let permit = decide(&context.actor, Action::ArchiveWorkspace, resource(&workspace))?;
    if workspace.is_default {
        return Err(ControlError::Conflict("the default workspace cannot be archived".into()));
    }
    let before = Shown::of(&workspace);
    workspace.archived_at = Some(context.now);
    store::save(&mut tx, &permit, &workspace).await?;
    let deed = Deed::on(permit, workspace.id, &workspace.name).inside(workspace.id);
    commit(control, context, tx, deed.from(&before)?.to(&Shown::of(&workspace))?).await
}

/// Changes a workspace's limits; none may stand above the organization's.
pub async fn update_limits(
    control: &Control,
    context: &Context,
    id: WorkspaceId,
    patch: LimitsPatch,
) -> Result<Workspace, ControlError> {
    let mut tx = control.begin(context).await?;
    let mut workspace = load_active(&mut tx, context, id).await?;
    let permit = decide(&context.actor, Action::UpdateWorkspaceLimits, resource(&workspace))?;
    context.must_match(control, &workspace.limits)?;
    let before = Shown::of(&workspace);
    let parent =
        organizations::load(&mut tx, workspace.organization_id).await?.ok_or(ControlError::NotFound)?;
    let touched = patch.clone().apply(Limits::default());
    limits::check(&mut tx, &touched, &[("organization", &parent.limits)], limits::bare).await?;
    let limits_before = workspace.limits.clone();
    workspace.limits = patch.apply(workspace.limits);
    store::save(&mut tx, &permit, &workspace).await?;
    let scope = Scope::of(Level::Workspace, workspace.id.bytes());
    ledger::reopen(&mut tx, &scope, &limits_before, &workspace.limits).await?;
    let deed = Deed::on(permit, workspace.id, &workspace.name).inside(workspace.id);
    let place = limits::Place::Workspace(workspace.id, &workspace.name);
    let mut deeds = limits::told_apart(context, place, &limits_before, &workspace.limits)?;
    deeds.push(deed.from(&before)?.to(&Shown::of(&workspace))?);
    commit_all(control, context, tx, deeds).await?;
    Ok(workspace)
}
