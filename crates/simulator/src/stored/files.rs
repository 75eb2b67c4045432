//! Files: upload, list, content, signed URL, delete.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{Ask, Spool, absent, found, nowhere, signed, world::World, wrong};
use crate::{lenient, reply::Reply};

/// A stored file.
pub(crate) struct File {
    pub(crate) object: Map<String, Value>,
    pub(crate) spool: Arc<Spool>,
}

impl File {
    pub(crate) fn id(&self) -> &str {
        self.text("id")
    }

    fn text(&self, name: &str) -> &str {
        self.object.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn lives(&self, now: i64) -> bool {
        self.object.get("expires_at").and_then(Value::as_i64).is_none_or(|end| now < end)
    }
}

/// The file of this id, if it is there.
pub(crate) fn file<'a>(world: &'a World, id: &str, now: i64) -> Result<&'a File, Reply> {
    world.files.get(id).filter(|file| file.lives(now)).ok_or_else(|| absent("File"))
}

pub(crate) fn answer(world: &mut World, ask: &Ask<'_>) -> Result<Reply, Reply> {
    match (ask.method, ask.path.as_slice()) {
        ("POST", []) => create(world, ask),
        ("GET", []) => list(world, ask),
        ("GET", [id]) => {
            let mut object = file(world, id, ask.now)?.object.clone();
            object.insert("deleted".to_owned(), json!(false));
            found(&Value::Object(object))
        }
        ("GET", [id, "content"]) => {
            let file = file(world, id, ask.now)?;
            Ok(Reply::spooled(Arc::clone(&file.spool), "application/octet-stream"))
        }
        ("GET", [id, "url"]) => {
            let id = file(world, id, ask.now)?.id();
            let hours = ask.query.number("expiry").unwrap_or(24).clamp(1, 168);
            found(&json!({"url": signed::url(ask, "files", id, hours * 3600)}))
        }
        ("DELETE", [id]) => {
            file(world, id, ask.now)?;
            world.files.remove(id);
            found(&json!({"id": id, "object": "file", "deleted": true}))
        }
        _ => nowhere(),
    }
}

fn create(world: &mut World, ask: &Ask<'_>) -> Result<Reply, Reply> {
    let Some((upload, file)) = ask.upload.and_then(|upload| Some((upload, upload.file.as_ref()?))) else {
        return Err(wrong("file", "missing", "Field required", Value::Null));
    };
    let purpose = upload.text("purpose").unwrap_or("fine-tune");
    let sample = match purpose {
        "fine-tune" => "instruct",
        "batch" => "batch_request",
        "ocr" => "ocr_input",
        "audio" => "audio_input",
        other => {
            let msg = "Input should be 'fine-tune', 'batch', 'ocr' or 'audio'";
            return Err(wrong("purpose", "enum", msg, json!(other)));
        }
    };
    let visibility = upload.text("visibility").unwrap_or("workspace");
    if !["workspace", "user"].contains(&visibility) {
        let msg = "Input should be 'workspace' or 'user'";
        return Err(wrong("visibility", "enum", msg, json!(visibility)));
    }
    let hours = upload.fields.get("expiry").map(lenient::integer);
    let Ok(hours) = hours.map(|hours| hours.filter(|hours| *hours > 0).ok_or(())).transpose() else {
        let msg = "Input should be a valid integer";
        return Err(wrong("expiry", "int_parsing", msg, upload.fields.get("expiry").cloned().into()));
    };
    let made = Made {
        name: &file.name,
        purpose,
        sample,
        source: "upload",
        visibility,
        kind: file.kind.as_deref(),
        expires_at: hours.map(|hours| ask.now.saturating_add(hours.saturating_mul(3600))),
    };
    let object = put(world, &made, Arc::clone(&file.spool), ask.now);
    found(&Value::Object(object))
}

/// A file to be.
pub(crate) struct Made<'a> {
    pub(crate) name: &'a str,
    pub(crate) purpose: &'a str,
    pub(crate) sample: &'a str,
    pub(crate) source: &'a str,
    pub(crate) visibility: &'a str,
    pub(crate) kind: Option<&'a str>,
    pub(crate) expires_at: Option<i64>,
}

/// Puts a file into the organization.
pub(crate) fn put(world: &mut World, made: &Made<'_>, spool: Arc<Spool>, now: i64) -> Map<String, Value> {
    let id = world.uuid();
    let lines = made.name.ends_with(".jsonl") || made.purpose == "batch";
    let mut object = Map::new();
    for (name, value) in [
        ("id", json!(id)),
        ("object", json!("file")),
        ("bytes", json!(spool.length())),
        ("created_at", json!(now)),
        ("filename", json!(made.name)),
        ("purpose", json!(made.purpose)),
        ("sample_type", json!(made.sample)),
        ("num_lines", json!(lines.then(|| spool.lines()))),
        ("mimetype", json!(made.kind.unwrap_or("application/octet-stream"))),
        ("source", json!(made.source)),
        ("signature", json!(format!("{:016x}", spool.hash()))),
        ("expires_at", json!(made.expires_at)),
        ("visibility", json!(made.visibility)),
    ] {
        object.insert(name.to_owned(), value);
    }
    let object = world.owned(object);
    world.files.put(&id, File { object: object.clone(), spool });
    object
}

fn list(world: &World, ask: &Ask<'_>) -> Result<Reply, Reply> {
    let query = &ask.query;
    let search = query.get("search").unwrap_or_default();
    let wanted = |file: &&File| {
        file.lives(ask.now)
            && file.text("filename").contains(search)
            && query.wants("purpose", Some(file.text("purpose")))
            && query.wants("sample_type", Some(file.text("sample_type")))
            && query.wants("source", Some(file.text("source")))
            && query.wants("mimetypes", Some(file.text("mimetype")))
    };
    let files: Vec<&File> = world.files.iter().rev().filter(wanted).collect();
    let total = files.len();
    let data: Vec<&Map<String, Value>> =
        query.page(files, 100).into_iter().map(|file| &file.object).collect();
    Ok(Reply::json(StatusCode::OK, &json!({"data": data, "object": "list", "total": total})))
}
