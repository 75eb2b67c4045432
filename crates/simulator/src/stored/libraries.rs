//! Libraries: made, changed, shared and deleted; what is in them is documents.

mod documents;
mod shares;

pub(crate) use documents::document;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{Ask, absent, found, moment::rfc3339, nowhere, shelf::Shelf, world::World, wrong};
use crate::reply::Reply;
use documents::Document;

/// A stored library.
pub(crate) struct Library {
    object: Map<String, Value>,
    documents: Shelf<Document>,
    shares: Vec<Map<String, Value>>,
}

impl Library {
    /// The library as it is shown.
    pub(crate) fn object(&self) -> Map<String, Value> {
        let mut object = self.object.clone();
        let size: u64 = self.documents.iter().map(Document::size).sum();
        object.insert("nb_documents".to_owned(), json!(self.documents.iter().count()));
        object.insert("total_size".to_owned(), json!(size));
        let shared = |kind: &'static str| {
            self.shares.iter().filter(move |share| share.get("share_with_type") == Some(&json!(kind)))
        };
        object.insert("explicit_user_members_count".to_owned(), json!(shared("User").count()));
        object.insert("explicit_workspace_members_count".to_owned(), json!(shared("Workspace").count()));
        let role = shared("Org").next().and_then(|share| share.get("role")).cloned();
        object.insert("org_sharing_role".to_owned(), role.into());
        object
    }

    /// The documents as they are shown.
    pub(crate) fn documents(&self) -> impl Iterator<Item = &Map<String, Value>> {
        self.documents.iter().map(Document::object)
    }
}

fn library<'a>(world: &'a mut World, id: &str) -> Result<&'a mut Library, Reply> {
    world.libraries.get_mut(id).ok_or_else(|| absent("Library"))
}

pub(crate) fn answer(world: &mut World, ask: &Ask<'_>) -> Result<Reply, Reply> {
    match (ask.method, ask.path.as_slice()) {
        ("POST", []) => create(world, ask),
        ("GET", []) => list(world, ask),
        ("GET", [id]) => found(&Value::Object(library(world, id)?.object())),
        ("PUT" | "PATCH", [id]) => {
            let library = library(world, id)?;
            for name in ["name", "description"] {
                if let Some(value) = ask.object()?.get(name).filter(|value| value.is_string()) {
                    library.object.insert(name.to_owned(), value.clone());
                }
            }
            library.object.insert("updated_at".to_owned(), json!(rfc3339(ask.now)));
            found(&Value::Object(library.object()))
        }
        ("DELETE", [id]) => {
            let library = world.libraries.remove(id).ok_or_else(|| absent("Library"))?;
            found(&Value::Object(library.object()))
        }
        (_, [id, "share"]) => shares::answer(world, ask, id),
        (_, [id, "documents", rest @ ..]) => documents::answer(world, ask, id, rest),
        _ => nowhere(),
    }
}

/// By `page` with a count of all, or by `page_token`.
fn list(world: &World, ask: &Ask<'_>) -> Result<Reply, Reply> {
    let all: Vec<_> = world.libraries.iter().rev().map(Library::object).collect();
    if ask.query.get("page").is_some() {
        let pagination = ask.query.pagination(all.len(), 100);
        return found(&json!({"data": ask.query.page(all, 100), "pagination": pagination}));
    }
    let (data, next) = ask.query.cursor(all, 100);
    found(&json!({"data": data, "next_page_token": next}))
}

fn create(world: &mut World, ask: &Ask<'_>) -> Result<Reply, Reply> {
    let body = ask.object()?;
    let Some(name) = body.get("name").filter(|name| name.is_string()) else {
        return Err(wrong("name", "missing", "Field required", Value::Object(body.clone())));
    };
    let id = world.uuid();
    let now = rfc3339(ask.now);
    let mut object = Map::new();
    for (field, value) in [
        ("id", json!(id)),
        ("name", name.clone()),
        ("description", body.get("description").cloned().unwrap_or_default()),
        ("created_at", json!(now)),
        ("updated_at", json!(now)),
        ("owner_type", json!("User")),
        ("chunk_size", body.get("chunk_size").cloned().unwrap_or_default()),
        ("emoji", Value::Null),
        ("generated_name", Value::Null),
        ("generated_description", Value::Null),
    ] {
        object.insert(field.to_owned(), value);
    }
    let library = Library { object: world.owned(object), documents: Shelf::default(), shares: Vec::new() };
    let object = library.object();
    world.libraries.put(&id, library);
    Ok(Reply::json(StatusCode::CREATED, &object))
}
