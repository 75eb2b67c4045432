//! The bodies of requests about libraries, documents and fine-tuned models, as they are read.

use super::Endpoint;
use super::requests::maybe;
use crate::libraries::{Field, Holds, fields};
use serde_json::{Map, Value, json};

/// Each body's name, and the first endpoint that reads it.
const BODIES: [(&str, Endpoint); 4] = [
    ("LibraryCreationRequest", Endpoint::CreateLibrary),
    ("LibraryUpdateRequest", Endpoint::UpdateLibrary),
    ("DocumentUpdateRequest", Endpoint::UpdateDocument),
    ("FineTunedModelUpdateRequest", Endpoint::UpdateFineTunedModel),
];

/// The name of an endpoint's body. Changes may come by two methods, with the same body.
pub(super) fn name(endpoint: Endpoint) -> Option<&'static str> {
    let endpoint = match endpoint {
        Endpoint::PatchLibrary => Endpoint::UpdateLibrary,
        Endpoint::PatchDocument => Endpoint::UpdateDocument,
        other => other,
    };
    BODIES.iter().find(|(_, of)| *of == endpoint).map(|(name, _)| *name)
}

pub(super) fn schemas() -> Vec<(String, Value)> {
    BODIES
        .iter()
        .map(|(name, endpoint)| ((*name).to_owned(), body(fields(*endpoint).unwrap_or_default())))
        .collect()
}

fn body(fields: &[Field]) -> Value {
    let properties: Map<String, Value> =
        fields.iter().map(|field| (field.name.to_owned(), shown(*field))).collect();
    let required: Vec<&str> = fields.iter().filter(|field| field.needed).map(|field| field.name).collect();
    json!({"type": "object", "required": required, "properties": properties, "additionalProperties": false})
}

fn shown(field: Field) -> Value {
    match (field.holds, field.needed) {
        (Holds::Text(most), true) => {
            json!({"type": "string", "minLength": 1, "maxLength": most, "description": "Handed on."})
        }
        (Holds::Text(_), false) => maybe("string", "Handed on."),
        (Holds::Count, _) => {
            json!({"type": ["integer", "null"], "minimum": 1, "description": "Handed on."})
        }
        (Holds::Attributes, _) => maybe("object", "Texts, numbers and truths by name, or lists of such."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::libraries::read;
    use crate::request::RequestError;

    #[test]
    fn what_is_told_of_is_what_is_read() {
        for ((name, schema), (_, endpoint)) in schemas().into_iter().zip(BODIES) {
            let kinds = |body: &Value| match read(endpoint, body.to_string().as_bytes()) {
                Ok(_) => vec![],
                Err(RequestError::Shape(details)) => details.iter().map(|one| one.kind).collect(),
                Err(other) => panic!("{name}: {other}"),
            };
            let mut body: Map<String, Value> = schema["properties"]
                .as_object()
                .unwrap()
                .keys()
                .map(|field| (field.clone(), Value::Null))
                .collect();
            for field in schema["required"].as_array().unwrap() {
                body.insert(field.as_str().unwrap().to_owned(), json!("x"));
            }
            assert_eq!(kinds(&body.into()), Vec::<&str>::new(), "{name}");
            assert_eq!(kinds(&json!({})).len(), schema["required"].as_array().unwrap().len(), "{name}");
            assert!(kinds(&json!({"zzz": 1})).contains(&"extra_forbidden"), "{name}");
        }
    }
}
