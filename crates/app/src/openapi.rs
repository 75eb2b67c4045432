//! The description of everything that the program answers: both planes and its own few addresses.

use louver_control::openapi::{Access, Document, Site};
use louver_control::routes::Operation;
use louver_mistral::endpoints::{Endpoint, described};
use serde_json::{Value, json};

/// The addresses that tell whether the program is well.
pub const HEALTH: [&str; 2] = ["/healthz", "/readyz"];

/// The site of the description, made once at the start.
pub fn site(access: Access) -> Result<Site, String> {
    let document = document(&louver_control::operations(), access);
    Site::new(&document, access).map_err(|error| format!("the description of the API: {error}"))
}

/// The whole document.
fn document(operations: &[Operation], access: Access) -> Value {
    let mut document = Document::new();
    for (name, description) in described::CHAPTERS.iter().copied() {
        document.chapter(name, description);
    }
    for endpoint in Endpoint::ALL.iter().copied() {
        document.add(endpoint.method(), endpoint.path(), described::operation(endpoint));
    }
    document.share(described::schemas());
    document.describe(operations);
    document.chapter("program", "The program itself.");
    for (path, operation) in own(access) {
        document.add("GET", path, operation);
    }
    document.finish(env!("CARGO_PKG_VERSION"))
}

/// What the program answers by itself.
fn own(access: Access) -> [(&'static str, Value); 5] {
    let health = json!({"application/json": {"schema": {
        "type": "object",
        "required": ["status"],
        "properties": {"status": {"const": "ok"}},
    }}});
    let text = |kind: &str| json!({kind: {"schema": {"type": "string"}}});
    let [healthz, readyz] = HEALTH;
    let mut style = reading("get_docs_style", "The stylesheet of that page", &text("text/css"), access);
    if let Some(members) = style.as_object_mut() {
        let name = json!({
            "name": "stylesheet",
            "in": "path",
            "required": true,
            "description": "Its name, which the page tells.",
            "schema": {"type": "string"},
        });
        members.insert("parameters".into(), json!([name]));
    }
    [
        (healthz, operation("get_health", "Whether the program runs", &health)),
        (readyz, operation("get_readiness", "Whether the program takes calls", &health)),
        (
            "/openapi.json",
            reading(
                "get_openapi",
                "This description",
                &json!({"application/json": {"schema": {"type": "object"}}}),
                access,
            ),
        ),
        ("/docs", reading("get_docs", "This description as a page", &text("text/html"), access)),
        ("/docs/{stylesheet}", style),
    ]
}

fn operation(id: &str, summary: &str, content: &Value) -> Value {
    json!({
        "operationId": id,
        "tags": ["program"],
        "summary": summary,
        "security": [],
        "responses": {"200": {"description": "Done.", "content": content}},
    })
}

/// Of the description, which may be for admins alone, and which caches may keep.
fn reading(id: &str, summary: &str, content: &Value, access: Access) -> Value {
    let mut value = operation(id, summary, content);
    let refused = |description: &str, name: &str| {
        let schema = json!({"$ref": format!("#/components/schemas/{name}")});
        json!({"description": description, "content": {"application/json": {"schema": schema}}})
    };
    if let Some(responses) = value.get_mut("responses").and_then(Value::as_object_mut) {
        responses.insert("304".into(), json!({"description": "It is still what `If-None-Match` names."}));
        responses.insert("400".into(), refused("The address holds a key.", "Refusal"));
        if access == Access::Admin {
            responses.insert("401".into(), refused("No credential that is accepted.", "Detail"));
        }
    }
    if let (Access::Admin, Some(members)) = (access, value.as_object_mut()) {
        members.insert("security".into(), json!([{"AdminKey": []}, {"AdminKeyHeader": []}]));
    }
    value
}

#[cfg(test)]
mod tests;
