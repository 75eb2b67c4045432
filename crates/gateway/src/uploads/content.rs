//! What must be known of a file before it goes upstream: of a batch's, each line is read and written anew.

use crate::authn::Caller;
use crate::pipeline::Gateway;
use crate::reply::{BatchRefusal, Failure};
use crate::spool::{Spool, Writer};
use crate::uploads::unkept;
use bytes::BytesMut;
use louver_domain::keys::Pepper;
use louver_mistral::batch::{BatchError, Content, Names, Summary};
use serde_json::Value;
use std::io;
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// The purpose of files whose lines are requests.
const BATCH: &str = "batch";

/// A file that may go upstream.
pub(crate) struct Checked {
    /// What goes there.
    pub(crate) spool: Spool,
    /// What is to be remembered of it, beside its size and its hash.
    pub(crate) content: Option<Value>,
}

/// What the names in the lines of a key's batch stand for.
pub(crate) struct KeyNames {
    caller: Caller,
    pepper: Arc<Pepper>,
}

impl KeyNames {
    pub(crate) fn new(gateway: &Gateway, caller: &Caller) -> Self {
        let caller = caller.clone();
        Self { caller, pepper: Arc::clone(gateway.pepper()) }
    }
}

impl Names for KeyNames {
    /// Of a model that the key may use.
    fn pinned(&self, model: &str) -> Option<String> {
        let (index, model) = self.caller.snapshot.catalogue.find(model)?;
        self.caller.key.rules.models.contains(index).then(|| model.id.clone())
    }

    fn cache(&self, given: &str) -> String {
        self.pepper.name_of(self.caller.key.workspace_id, given)
    }
}

/// Looks into a file that is uploaded for a purpose. `judge` refuses what the lines of a batch may not say.
pub(crate) async fn check(
    gateway: &Gateway,
    caller: &Caller,
    spool: Spool,
    purpose: Option<&str>,
    judge: impl FnOnce(&Summary) -> Result<(), Failure>,
) -> Result<Checked, Failure> {
    if purpose != Some(BATCH) {
        return Ok(Checked { spool, content: None });
    }
    let content = Content::new(KeyNames::new(gateway, caller));
    let mut lines = LinesRead { spool, at: 0, buffer: BytesMut::new(), written: Vec::new(), content };
    let mut writer = Writer::new(gateway.spools());
    loop {
        let step = spawn_blocking(move || lines.step()).await.map_err(io::Error::other);
        let step = step.and_then(|step| step).map_err(|error| {
            tracing::error!(%error, "a file that was set aside cannot be read");
            Failure::NoRoom
        })?;
        match step.map_err(|error| Failure::Batch(BatchRefusal::Unread(error)))? {
            Step::Lines(read) => {
                lines = *read;
                writer.write(&lines.written).await.map_err(unkept)?;
            }
            Step::End(summary, written) => {
                writer.write(&written).await.map_err(unkept)?;
                judge(&summary)?;
                let content = serde_json::to_value(&summary).ok();
                return Ok(Checked { spool: writer.finish().await.map_err(unkept)?, content });
            }
        }
    }
}

/// A file as far as its lines are read: a piece of it is in memory at a time.
struct LinesRead {
    spool: Spool,
    at: u64,
    /// Where that piece lies.
    buffer: BytesMut,
    /// What goes upstream for the lines that ended in it.
    written: Vec<u8>,
    content: Content<KeyNames>,
}

/// What came of a piece.
enum Step {
    /// Lines, and there may be more.
    Lines(Box<LinesRead>),
    /// The end of the file, and what goes upstream for a last line without an end of its own.
    End(Summary, Vec<u8>),
}

impl LinesRead {
    /// Reads the next piece. It blocks.
    fn step(mut self) -> io::Result<Result<Step, BatchError>> {
        let piece = self.spool.piece(self.at, &mut self.buffer)?;
        self.written.clear();
        if piece.is_empty() {
            let Self { content, mut written, .. } = self;
            return Ok(content.finish(&mut written).map(|summary| Step::End(summary, written)));
        }
        self.at = self.at.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        let read = self.content.feed(&piece, &mut self.written);
        Ok(read.map(|()| Step::Lines(Box::new(self))))
    }
}
