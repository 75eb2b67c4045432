//! The audit log of the caller's organization: read in pages, its newest checkpoint, and taken out as a whole.

use super::Deed;
use crate::Control;
use crate::auditing::{checkpoint_now, lines};
use crate::context::Context;
use crate::error::ControlError;
use axum::body::Body;
use bytes::Bytes;
use hyper::body::Frame;
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
use std::collections::BTreeSet;
use std::pin::Pin;
use std::task::{Context as Task, Poll};
use tokio::sync::mpsc;
use uuid::Uuid;

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

/// How well the log is kept.
pub struct Keeping {
    /// The newest checkpoint; none before the first one.
    pub newest: Option<Signed>,
    /// Whether its signature is right.
    pub accepted: bool,
    /// Since when checkpoints reach no place outside of the database, and why.
    pub failing: Option<(Timestamp, String)>,
    /// Days that the log goes back; none is for ever.
    pub retention_days: Option<u32>,
}

/// How well the log is kept: what was signed last, where everything up to it was examined before.
pub async fn keeping(control: &Control, context: &Context) -> Result<Keeping, ControlError> {
    decide(&context.actor, Action::ReadAuditLog, context.organization_id())?;
    let newest = checkpoints::newest(&control.store, context.organization_id()).await?;
    let key = control.master.audit_key()?.public();
    Ok(Keeping {
        accepted: newest.is_some_and(|newest| key.accepts(Word::Checkpoint, &newest)),
        newest,
        failing: control.audit.failing(),
        retention_days: control.audit.retention_days(),
    })
}

/// What came of an examination.
pub struct Examined {
    /// The place up to which everything was examined before, and signed.
    pub after: u64,
    /// The place of the last event.
    pub until: u64,
    /// Whether everything in between follows from what was signed.
    pub whole: bool,
}

/// Examines what came since the newest checkpoint, and signs it where it is as it was written.
pub async fn examine(control: &Control, context: &Context) -> Result<Examined, ControlError> {
    let organization = context.organization_id();
    decide(&context.actor, Action::ReadAuditLog, organization)?;
    let before = checkpoints::newest(&control.store, organization).await?;
    let (head, signed) = checkpoint_now(control, organization).await?;
    let after = before.map_or(0, |signed| signed.checkpoint.place);
    Ok(Examined { after, until: head.place, whole: signed.is_some() })
}

/// An id as it stands in the log, also where it was asked for with its prefix.
pub fn plain_id(id: &str) -> String {
    let digits = id.rsplit_once('_').map_or(id, |(_, digits)| digits);
    Uuid::try_parse(digits).map_or_else(|_| id.to_owned(), |uuid| uuid.to_string())
}

/// The names of all events, each once.
pub fn events() -> Vec<&'static str> {
    let all: BTreeSet<&str> = Action::ALL.iter().map(|action| action.event()).collect();
    all.into_iter().collect()
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
    /// All of them as a body that is made while it is sent. `shape` makes of each piece what is sent. A body that breaks off
    /// is not the whole.
    pub fn into_body(mut self, mut shape: impl FnMut(&str) -> String + Send + 'static) -> Body {
        let (lines, stream) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                let piece = match self.next().await {
                    Ok(None) => return,
                    Ok(Some(text)) => Ok(Bytes::from(shape(&text))),
                    // The answer breaks off, so that nobody takes it for the whole.
                    Err(error) => Err(std::io::Error::other(error.to_string())),
                };
                let failed = piece.is_err();
                if lines.send(piece).await.is_err() || failed {
                    return;
                }
            }
        });
        Body::new(Pieces(stream))
    }

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

/// A body that is made while it is sent.
struct Pieces(mpsc::Receiver<Result<Bytes, std::io::Error>>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(task).map(|piece| piece.map(|bytes| bytes.map(Frame::data)))
    }
}
