//! The audit log of the caller's organization: read in pages, its newest checkpoint, and taken out as a whole.

use super::Deed;
use crate::Control;
use crate::auditing::{checkpoint_now, lines};
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, decide};
use louver_domain::audit::AuditRecord;
use louver_domain::audit::chain::Hash;
use louver_domain::audit::checkpoint::{PublicKey, Signed, Word};
use louver_domain::id::{EventId, OrganizationId};
use louver_domain::time::Timestamp;
use louver_store::Store;
use louver_store::audit::query;
pub use louver_store::audit::query::{Filter, Page};
use louver_store::audit::{checkpoints, cuts, write};
use serde_json::json;

/// Records of one query of an export.
const PAGE: u32 = 500;

/// One page of the log.
pub async fn list(
    control: &Control,
    context: &Context,
    filter: &Filter,
    page: Page,
) -> Result<Vec<(AuditRecord, Hash)>, ControlError> {
    decide(&context.actor, Action::ReadAuditLog, context.organization_id())?;
    Ok(query::page(&control.store, context.organization_id(), filter, page).await?)
}

/// Where a record stands in the order of time.
pub async fn find(
    control: &Control,
    context: &Context,
    id: EventId,
) -> Result<Option<(Timestamp, u64)>, ControlError> {
    decide(&context.actor, Action::ReadAuditLog, context.organization_id())?;
    Ok(query::find(&control.store, context.organization_id(), id).await?)
}

/// The newest signed checkpoint, and the key to check it with.
pub async fn checkpoint(control: &Control, context: &Context) -> Result<(Signed, PublicKey), ControlError> {
    decide(&context.actor, Action::ReadAuditLog, context.organization_id())?;
    let newest = checkpoints::newest(&control.store, context.organization_id()).await?;
    Ok((newest.ok_or(ControlError::NotFound)?, control.master.audit_key()?.public()))
}

/// Begins to take the log out, which leaves an event in it: the last one that is taken out.
pub async fn export(control: &Control, context: &Context, filter: Filter) -> Result<Export, ControlError> {
    let organization = context.organization_id();
    let permit = decide(&context.actor, Action::ExportAuditLog, organization)?;
    control.audit.admits_changes(context.now)?;
    let shown = json!({
        "event": filter.events,
        "actor_id": filter.actor_id,
        "target_id": filter.target_id,
        "workspace_id": filter.workspace_id,
        "outcome": filter.outcome,
        "from": filter.from,
        "to": filter.to,
    });
    let event = Deed::on(permit, organization, "audit log").to(&shown)?.event(control, context);
    write(&control.store, &[event]).await?;
    let (head, signed) = checkpoint_now(control, organization).await?;
    let key = control.master.audit_key()?.public();
    let cut = cuts::newest(&control.store, organization).await?;
    let begins_after = cut.map_or(0, |cut| cut.checkpoint.place);
    let until = signed.map_or(head.place, |signed| signed.checkpoint.place);
    let first =
        cut.filter(|_| filter.is_open()).map(|cut| lines::checkpoint(Word::Cut, &cut, &key).to_string());
    let last = signed.map(|signed| lines::checkpoint(Word::Checkpoint, &signed, &key).to_string());
    Ok(Export { store: control.store.clone(), organization, filter, place: begins_after, until, first, last })
}

/// An export under way: some lines at a time, so that a log of any length takes little memory.
pub struct Export {
    store: Store,
    organization: OrganizationId,
    filter: Filter,
    place: u64,
    until: u64,
    first: Option<String>,
    last: Option<String>,
}

impl Export {
    /// The next lines, each with its end; none when there are no more.
    pub async fn next(&mut self) -> Result<Option<String>, ControlError> {
        if let Some(line) = self.first.take() {
            return Ok(Some(line + "\n"));
        }
        while self.place < self.until {
            let range = (self.place, self.until);
            let (records, place) =
                query::along(&self.store, self.organization, &self.filter, range, PAGE).await?;
            self.place = place;
            let mut text = String::new();
            for record in &records {
                text.push_str(&lines::event(record)?);
                text.push('\n');
            }
            if !text.is_empty() {
                return Ok(Some(text));
            }
        }
        Ok(self.last.take().map(|line| line + "\n"))
    }
}
