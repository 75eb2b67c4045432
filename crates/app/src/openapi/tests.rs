//! The document against the routes, both ways, and against itself.

use super::*;
use louver_mistral::endpoints::{Route, route};
use std::collections::{BTreeMap, BTreeSet};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

fn whole() -> Value {
    document(&louver_control::operations(), Access::Open)
}

/// Every operation with the line that names it.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let mut all = vec![];
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            assert!(METHODS.contains(&method.as_str()), "{method} {path}");
            all.push((format!("{} {path}", method.to_uppercase()), operation));
        }
    }
    all
}

/// Every value in the document with the name it stands under.
fn walk<'v>(value: &'v Value, name: &'v str, see: &mut impl FnMut(&'v str, &'v Value)) {
    see(name, value);
    match value {
        Value::Object(members) => members.iter().for_each(|(name, inner)| walk(inner, name, see)),
        Value::Array(items) => items.iter().for_each(|inner| walk(inner, name, see)),
        _ => {}
    }
}

#[test]
fn the_document_tells_of_all_routes_and_of_nothing_else() {
    let document = whole();
    let told: BTreeSet<String> = operations(&document).into_iter().map(|(line, _)| line).collect();
    let admin = louver_control::operations();
    let mut routed: BTreeSet<String> = admin.iter().map(|o| format!("{} {}", o.method, o.path)).collect();
    routed.extend(Endpoint::ALL.iter().map(|e| format!("{} {}", e.method(), e.path())));
    routed.extend(
        ["/healthz", "/readyz", "/openapi.json", "/docs", "/docs/{stylesheet}"].map(|p| format!("GET {p}")),
    );
    assert_eq!(told, routed);
}

#[test]
fn endpoints_are_told_of_as_they_are_routed() {
    for endpoint in Endpoint::ALL.iter().copied() {
        let path = endpoint.path().replace(['{', '}'], "");
        let found = route(endpoint.method(), &path);
        assert!(matches!(found, Route::Asked(found) if found.endpoint == endpoint), "{path}");
    }
}

/// Fails for a route without words beside it, or, in Mistral's shapes, without a row in the table of words.
#[test]
fn every_operation_is_told_of_in_full() {
    let document = whole();
    let chapters: Vec<&str> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    assert_eq!(chapters.iter().collect::<BTreeSet<_>>().len(), chapters.len(), "a chapter twice");
    let mut ids = BTreeMap::new();
    let mut used = BTreeSet::new();
    for (line, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(!id.is_empty(), "{line} has no id: say `.named(…)` beside the route");
        assert_eq!(ids.insert(id.to_owned(), line.clone()), None, "the id {id} of {line} is another's");
        assert_ne!(operation["summary"], "", "{line}");
        let tag = operation["tags"][0].as_str().unwrap();
        assert!(chapters.contains(&tag), "{line}: no chapter {tag:?}");
        used.insert(tag);
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{line} answers nothing");
        for (status, response) in responses {
            assert_ne!(response["description"], "", "{line} {status}");
            let refuses = status.starts_with('4') || status.starts_with('5');
            assert!(!refuses || response["content"].is_object(), "{line} {status}");
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert_ne!(parameter["description"], "", "{line}: {}", parameter["name"]);
        }
    }
    assert_eq!(used.len(), chapters.len(), "an empty chapter: {chapters:?} but {used:?}");
}

#[test]
fn references_lead_somewhere_and_nothing_is_left_over() {
    let document = whole();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mut wanted = BTreeSet::new();
    walk(&document, "", &mut |name, value| {
        if name == "$ref" {
            let found = value.as_str().unwrap().strip_prefix("#/components/schemas/").unwrap();
            assert!(schemas.contains_key(found), "{found}");
            wanted.insert(found);
        }
    });
    let known: BTreeSet<&str> = schemas.keys().map(String::as_str).collect();
    assert_eq!(known.difference(&wanted).collect::<Vec<_>>(), Vec::<&&str>::new());
    // Two types of one name would be told apart by a number, or by nothing but small and large letters.
    let mut plain = BTreeSet::new();
    for name in known {
        assert!(!name.ends_with(|c: char| c.is_ascii_digit()), "{name}");
        assert!(plain.insert(name.to_lowercase()), "{name}");
    }
}

#[test]
fn bodies_refuse_unknown_fields() {
    let document = whole();
    for (line, operation) in operations(&document) {
        let mut schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        while let Some(name) = schema["$ref"].as_str() {
            schema = &document["components"]["schemas"][name.rsplit('/').next().unwrap()];
        }
        assert!(
            schema.is_null() || schema["type"] == "array" || schema["additionalProperties"] == false,
            "{line}"
        );
    }
}

#[test]
fn a_description_for_admins_says_so() {
    let document = document(&[], Access::Admin);
    assert_eq!(document["paths"]["/docs"]["get"]["security"][0], json!({"AdminKey": []}));
    assert_eq!(document["paths"]["/healthz"]["get"]["security"], json!([]));
}
