//! The lines of JSON that the audit log is handed out in: records, checkpoints and cuts, written and read.

use louver_domain::audit::AuditRecord;
use louver_domain::audit::chain::Hash;
use louver_domain::audit::checkpoint::{Checkpoint, PublicKey, Signature, Signed, Word};
use louver_domain::id::{EventId, OrganizationId, WorkspaceId};
use louver_domain::time::Timestamp;
use louver_store::audit::query::Exported;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const CHECKPOINT: &str = "audit.checkpoint";
const CUT: &str = "audit.cut";
const EVENT: &str = "audit.event";

/// A checkpoint or a cut.
pub fn checkpoint(word: Word, signed: &Signed, key: &PublicKey) -> Value {
    let said = &signed.checkpoint;
    let object = match word {
        Word::Checkpoint => CHECKPOINT,
        Word::Cut => CUT,
    };
    json!({
        "object": object,
        "organization_id": said.organization_id,
        "place": said.place,
        "hash": said.hash.to_string(),
        "at": said.at.rfc3339_exact(),
        "signature": signed.signature.to_string(),
        "public_key": key.to_string(),
    })
}

/// A record with its hash and the one before. What it was like before and after stands as text: the hash is over the very
/// letters.
#[derive(Debug, Serialize, Deserialize)]
struct EventLine {
    object: String,
    organization_id: OrganizationId,
    place: u64,
    id: EventId,
    at: String,
    actor_type: String,
    actor_identity: String,
    actor_id: String,
    actor_name: String,
    event: String,
    permission: String,
    target_type: String,
    target_id: String,
    target_name: String,
    workspace_id: Option<WorkspaceId>,
    outcome: String,
    before: Option<String>,
    after: Option<String>,
    request_id: Option<String>,
    address: Option<String>,
    previous_hash: Option<String>,
    hash: String,
}

/// A record.
pub fn event(exported: &Exported) -> Result<String, serde_json::Error> {
    let Exported { record, previous, hash } = exported.clone();
    serde_json::to_string(&EventLine {
        object: EVENT.to_owned(),
        organization_id: record.organization_id,
        place: record.place,
        id: record.id,
        at: record.at.rfc3339_exact(),
        actor_type: record.actor_kind,
        actor_identity: record.identity,
        actor_id: record.actor_id,
        actor_name: record.actor_name,
        event: record.event,
        permission: record.permission,
        target_type: record.target_type,
        target_id: record.target_id,
        target_name: record.target_name,
        workspace_id: record.workspace_id,
        outcome: record.outcome,
        before: record.before,
        after: record.after,
        request_id: record.request_id,
        address: record.address,
        previous_hash: previous.map(|hash| hash.to_string()),
        hash: hash.to_string(),
    })
}

/// A line as it was read.
#[derive(Clone, Debug)]
pub enum Line {
    /// A record.
    Event(Box<Exported>),
    /// A checkpoint or a cut.
    Said(Word, Signed),
}

/// Reads a line; none when it is no such line.
pub fn read(text: &str) -> Option<Line> {
    let value: Value = serde_json::from_str(text).ok()?;
    match value.get("object")?.as_str()? {
        EVENT => serde_json::from_value(value).ok().and_then(read_event),
        CHECKPOINT => read_signed(&value).map(|signed| Line::Said(Word::Checkpoint, signed)),
        CUT => read_signed(&value).map(|signed| Line::Said(Word::Cut, signed)),
        _ => None,
    }
}

fn read_signed(value: &Value) -> Option<Signed> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let checkpoint = Checkpoint {
        organization_id: OrganizationId::parse(text("organization_id")?)?,
        place: value.get("place")?.as_u64()?,
        hash: Hash::parse(text("hash")?)?,
        at: Timestamp::parse(text("at")?)?,
    };
    Some(Signed { checkpoint, signature: Signature::parse(text("signature")?)? })
}

fn read_event(line: EventLine) -> Option<Line> {
    let record = AuditRecord {
        organization_id: line.organization_id,
        place: line.place,
        id: line.id,
        at: Timestamp::parse(&line.at)?,
        actor_kind: line.actor_type,
        identity: line.actor_identity,
        actor_id: line.actor_id,
        actor_name: line.actor_name,
        event: line.event,
        permission: line.permission,
        target_type: line.target_type,
        target_id: line.target_id,
        target_name: line.target_name,
        workspace_id: line.workspace_id,
        outcome: line.outcome,
        before: line.before,
        after: line.after,
        request_id: line.request_id,
        address: line.address,
    };
    let previous = match &line.previous_hash {
        Some(text) => Some(Hash::parse(text)?),
        None => None,
    };
    Some(Line::Event(Box::new(Exported { record, previous, hash: Hash::parse(&line.hash)? })))
}
