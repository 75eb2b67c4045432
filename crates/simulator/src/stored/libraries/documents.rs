//! Documents of a library: uploaded, read, changed and deleted; what is worked out of them comes from the seed.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    super::moment::{DAY, rfc3339},
    super::signed,
    super::world::Processed,
    Ask, World, absent, found, library, nowhere, wrong,
};
use crate::{
    prose::Random,
    reply::Reply,
    stored::{Spool, refused},
};

/// How long a signed URL is good for, in seconds.
const SIGNED: i64 = 3600;

/// A stored document.
pub(crate) struct Document {
    object: Map<String, Value>,
    /// Whether it is read; until then nobody sees what that took.
    read: bool,
    bytes: Arc<Spool>,
    text: Arc<Spool>,
}

impl Document {
    /// The document as it is shown now.
    pub(crate) fn object(&self) -> Map<String, Value> {
        let mut object = self.object.clone();
        if !self.read {
            for name in ["number_of_pages", "summary", "last_processed_at", "tokens_processing_main_content"]
            {
                object.insert(name.to_owned(), Value::Null);
            }
            for (name, value) in [
                ("processing_status", json!("Running")),
                ("process_status", json!("in_progress")),
                ("tokens_processing_summary", Value::Null),
                ("tokens_processing_total", json!(0)),
            ] {
                object.insert(name.to_owned(), value);
            }
        }
        object
    }

    /// It is read now.
    pub(crate) const fn read(&mut self) {
        self.read = true;
    }

    pub(crate) fn bytes(&self) -> Arc<Spool> {
        Arc::clone(&self.bytes)
    }

    pub(crate) fn text(&self) -> Arc<Spool> {
        Arc::clone(&self.text)
    }

    pub(crate) fn kind(&self) -> &str {
        self.object.get("mime_type").and_then(Value::as_str).unwrap_or("application/octet-stream")
    }

    pub(crate) fn size(&self) -> u64 {
        self.bytes.length()
    }
}

/// A document of any library of the organization.
pub(crate) fn document<'a>(world: &'a World, id: &str) -> Option<&'a Document> {
    world.libraries.iter().find_map(|library| library.documents.get(id))
}

pub(crate) fn answer(world: &mut World, ask: &Ask<'_>, of: &str, path: &[&str]) -> Result<Reply, Reply> {
    match (ask.method, path) {
        ("POST", []) => return upload(world, ask, of),
        ("GET", []) => return list(world, ask, of),
        _ => {}
    }
    let library = library(world, of)?;
    let Some((id, rest)) = path.split_first() else { return nowhere() };
    let document = library.documents.get_mut(id).ok_or_else(|| absent("Document"))?;
    match (ask.method, rest) {
        ("GET", []) => found(&json!(document.object())),
        ("PUT" | "PATCH", []) => {
            for name in ["name", "attributes", "expires_at"] {
                if let Some(value) = ask.object()?.get(name) {
                    document.object.insert(name.to_owned(), value.clone());
                }
            }
            found(&json!(document.object()))
        }
        ("DELETE", []) => {
            library.documents.remove(id);
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        ("GET", ["text_content"]) => {
            let text = document.text.all().unwrap_or_default();
            found(&json!({"text": String::from_utf8_lossy(&text)}))
        }
        ("GET", ["status"]) => {
            let object = document.object();
            let status = |name: &str| object.get(name).cloned().unwrap_or_default();
            let (old, new) = (status("processing_status"), status("process_status"));
            found(&json!({"document_id": id, "processing_status": old, "process_status": new}))
        }
        ("GET", ["signed-url"]) => found(&json!(signed::url(ask, "documents", id, SIGNED))),
        ("GET", ["extracted-text-signed-url"]) => found(&json!(signed::url(ask, "texts", id, SIGNED))),
        ("POST", ["reprocess"]) => {
            document.object.insert("last_processed_at".to_owned(), json!(rfc3339(ask.now)));
            document.read = !ask.hold_documents;
            let count = |name: &str| document.object.get(name).and_then(Value::as_u64).unwrap_or(0);
            let (pages, tokens) = (count("number_of_pages"), count("tokens_processing_total"));
            world.processed.push(Processed { day: ask.now.div_euclid(DAY), pages, tokens });
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        _ => nowhere(),
    }
}

fn list(world: &mut World, ask: &Ask<'_>, of: &str) -> Result<Reply, Reply> {
    let search = ask.query.get("search").unwrap_or_default();
    let name = |object: &Map<String, Value>| {
        object.get("name").and_then(Value::as_str).unwrap_or_default().contains(search)
    };
    let all: Vec<_> = library(world, of)?.documents().filter(|object| name(object)).collect();
    let pagination = ask.query.pagination(all.len(), 100);
    found(&json!({"pagination": pagination, "data": ask.query.page(all, 100)}))
}

fn upload(world: &mut World, ask: &Ask<'_>, of: &str) -> Result<Reply, Reply> {
    library(world, of)?;
    let Some(file) = ask.upload.and_then(|upload| upload.file.as_ref()) else {
        return Err(wrong("file", "missing", "Field required", Value::Null));
    };
    let id = world.uuid();
    let mut random = Random::of(&[ask.seed, file.spool.hash(), 10]);
    let pages = random.between(1, 12);
    let (main, summary) = (random.between(200, 900).saturating_mul(pages), random.between(50, 200));
    let text = random.prose(pages.saturating_mul(40));
    let about = random.prose(20);
    let unwritten = |_| refused(StatusCode::INTERNAL_SERVER_ERROR, "the text cannot be put away");
    let text = Arc::new(Spool::of(text.as_bytes()).map_err(unwritten)?);
    let now = rfc3339(ask.now);
    let extension = file.name.rsplit_once('.').map(|(_, extension)| extension);
    let mut object = Map::new();
    for (name, value) in [
        ("id", json!(id)),
        ("library_id", json!(of)),
        ("hash", json!(format!("{:016x}", file.spool.hash()))),
        ("mime_type", json!(file.kind)),
        ("extension", json!(extension)),
        ("size", json!(file.spool.length())),
        ("name", json!(file.name)),
        ("summary", json!(about)),
        ("created_at", json!(now)),
        ("last_processed_at", json!(now)),
        ("number_of_pages", json!(pages)),
        ("processing_status", json!("Completed")),
        ("process_status", json!("done")),
        ("uploaded_by_id", json!(world.owners().1)),
        ("uploaded_by_type", json!("User")),
        ("tokens_processing_main_content", json!(main)),
        ("tokens_processing_summary", json!(summary)),
        ("tokens_processing_total", json!(main.saturating_add(summary))),
        ("url", Value::Null),
        ("attributes", Value::Null),
    ] {
        object.insert(name.to_owned(), value);
    }
    let object = world.owned(object);
    let document = Document { object, read: !ask.hold_documents, bytes: Arc::clone(&file.spool), text };
    let object = document.object();
    let tokens = main.saturating_add(summary);
    world.processed.push(Processed { day: ask.now.div_euclid(DAY), pages, tokens });
    library(world, of)?.documents.put(&id, document);
    Ok(Reply::json(StatusCode::CREATED, &object))
}
