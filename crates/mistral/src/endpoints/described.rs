//! The inference API for the description of the API: the operation of each endpoint, and the shapes it refers to.

mod agents;
mod answers;
mod batch;
mod forms;
mod libraries;
mod requests;

use super::{Class, Endpoint};
use serde_json::{Map, Value, json};

/// The chapters, in their order.
pub const CHAPTERS: &[(&str, &str)] = &[
    ("chat", "Chats with a model."),
    ("fim", "Code between two pieces of code."),
    ("embeddings", "Vectors of texts."),
    ("classifiers", "Texts and chats that are judged."),
    ("ocr", "Documents that are read."),
    ("audio", "Sound, written down and spoken."),
    ("responses", "Responses, of which upstream keeps nothing."),
    ("models", "The models that the key may use."),
    ("files", "Files of the workspace, which are kept upstream."),
    ("batch", "Many requests in one job, at the price of a batch."),
    ("agents", "Agents of the workspace, with their versions."),
    ("conversations", "Conversations of the workspace, with a model or an agent."),
    ("libraries", "Libraries of the workspace, and the documents in them."),
];

/// Refusals of requests that only read.
const READING: [u16; 7] = [400, 401, 402, 403, 405, 429, 503];
/// Refusals of calls.
const CALLING: [u16; 14] = [400, 401, 402, 403, 404, 405, 408, 413, 415, 422, 429, 502, 503, 504];

/// The operation of an endpoint.
pub fn operation(endpoint: Endpoint) -> Value {
    let row = endpoint.row();
    let mut operation = json!({
        "operationId": row.operation,
        "tags": [row.chapter],
        "summary": row.summary,
        "description": description(endpoint),
        "security": [{"ApiKey": []}],
        "x-endpoint": endpoint.name(),
        "responses": responses(endpoint),
    });
    let body = |kind: &'static str| move |name| json!({"required": true, "content": {kind: {"schema": shared(name)}}});
    let form = forms::name(endpoint).map(body("multipart/form-data"));
    let named = requests::name(endpoint).or_else(|| libraries::name(endpoint));
    let body = named.map(body("application/json")).or(form);
    let parameters = path_parameters(row.path);
    if let Some(members) = operation.as_object_mut() {
        members.extend(body.map(|body| ("requestBody".to_owned(), body)));
        if !parameters.is_empty() {
            members.insert("parameters".to_owned(), parameters.into());
        }
    }
    operation
}

/// The shapes that the operations refer to.
pub fn schemas() -> Map<String, Value> {
    let bodies = requests::schemas().into_iter().chain(libraries::schemas());
    bodies.chain(forms::schemas()).chain(answers::schemas()).collect()
}

/// What is to be said beside the summary.
const fn description(endpoint: Endpoint) -> &'static str {
    match (endpoint.row().class, endpoint) {
        (_, Endpoint::ListModels) => "One entry for each name of a model.",
        (_, Endpoint::GetModel) => "A model that this key may not use is not there.",
        (Class::Models | Class::Object, _) => {
            "Only what belongs to the workspace of the key is there; the rest does not exist."
        }
        (Class::Call, _) => {
            "The call is judged by all rules first, and what it may cost at most is set aside. With `stream`, where there \
             is one, the answer comes as events."
        }
        (Class::Upload, _) => "The form is read to its end and judged before anything goes upstream.",
        (Class::Socket, _) => {
            "A WebSocket; what goes through is metered as it goes, and ends where a limit is reached."
        }
    }
}

fn path_parameters(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    let parameter = |name: &str| {
        json!({
            "name": name,
            "in": "path",
            "required": true,
            "description": if name == "model_id" { "The model's id, or another name of it." } else { "Its id." },
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"},
        })
    };
    names.map(parameter).collect()
}

fn shared(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn responses(endpoint: Endpoint) -> Map<String, Value> {
    let refusals: Vec<u16> = match endpoint.row().class {
        Class::Models if endpoint == Endpoint::ListModels => READING.to_vec(),
        Class::Models => READING.into_iter().chain([404]).collect(),
        Class::Call | Class::Object | Class::Upload | Class::Socket => CALLING.to_vec(),
    };
    let refused = refusals.into_iter().map(|status| (status.to_string(), refusal(status)));
    let mut content = json!({"application/json": {"schema": shared(answers::name(endpoint))}});
    if let (
        Endpoint::ChatCompletions
        | Endpoint::FimCompletions
        | Endpoint::Responses
        | Endpoint::Speech
        | Endpoint::Transcriptions,
        Some(kinds),
    ) = (endpoint, content.as_object_mut())
    {
        kinds.insert("text/event-stream".into(), json!({"schema": {"type": "string"}}));
    }
    let done = json!({"description": "Done.", "content": content});
    refused.chain([("200".to_owned(), done)]).collect()
}

fn refusal(status: u16) -> Value {
    let name = if status == 401 { "Unauthorized" } else { "CallRefusal" };
    json!({
        "description": meaning(status),
        "content": {"application/json": {"schema": shared(name)}},
    })
}

const fn meaning(status: u16) -> &'static str {
    match status {
        400 => "The request is not one unambiguous request in JSON.",
        401 => "No key that is accepted, or a second credential.",
        402 => {
            "The organization's billing is not active; or a budget is spent, where that is set to be a 402."
        }
        403 => "The key, its workspace or a role does not allow the call.",
        404 => "There is no such model for this key, or no such file.",
        405 => "The path answers to another method.",
        408 => "The body came too slowly.",
        413 => "The body is too large.",
        415 => "The body is not plain JSON.",
        422 => "The body is JSON of another shape.",
        429 => "A rate is exceeded or a budget is spent; `type` and `limit` say which.",
        502 => "Upstream gave no usable answer.",
        503 => "The call cannot be accounted for now; nothing was sent.",
        504 => "Upstream did not answer in time.",
        _ => "Refused.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{BatchError, Names, read_job};
    use crate::request::{self, RequestError};
    use serde_json::to_value;

    /// A key without models.
    struct Nobody;

    impl Names for Nobody {
        fn pinned(&self, _: &str) -> Option<String> {
            None
        }

        fn cache(&self, given: &str) -> String {
            given.to_owned()
        }
    }

    fn read(endpoint: Endpoint, body: &[u8]) -> Result<(), RequestError> {
        if endpoint != Endpoint::CreateBatchJob {
            return request::read(endpoint, body).map(drop);
        }
        match read_job(body, Nobody) {
            Ok(_) => Ok(()),
            Err(BatchError::Request { error: RequestError::Shape(mut details), .. }) => {
                // A job needs files or requests, which no list of required fields can say.
                details.retain(|detail| detail.msg != "Give either input_files or requests");
                Err(RequestError::Shape(details))
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// The names of the fields that a body is refused for.
    fn unknown(endpoint: Endpoint, body: &Value) -> Vec<String> {
        match read(endpoint, body.to_string().as_bytes()) {
            Err(RequestError::Shape(details)) => {
                details.iter().filter(|d| d.kind == "extra_forbidden").map(|d| d.loc[1].clone()).collect()
            }
            _ => vec![],
        }
    }

    #[test]
    fn fields_that_are_told_of_are_read_and_required_ones_are_asked_for() {
        let all = schemas();
        for endpoint in Endpoint::ALL.iter().copied() {
            let Some(name) = requests::name(endpoint) else { continue };
            let fields = all[name]["properties"].as_object().unwrap();
            let body: Map<String, Value> = fields.keys().map(|field| (field.clone(), Value::Null)).collect();
            assert_eq!(unknown(endpoint, &body.into()), Vec::<String>::new(), "{name}");
            assert_eq!(unknown(endpoint, &json!({"zzz": 1})), ["zzz"]);
            // A conversation needs a model or an agent, which no list of required fields can say.
            let least = if endpoint == Endpoint::StartConversation { r#"{"agent_id":"a"}"# } else { "{}" };
            let details = match read(endpoint, least.as_bytes()) {
                Ok(_) => vec![],
                Err(RequestError::Shape(details)) => details,
                Err(error) => panic!("{name}: {error}"),
            };
            let mut missing: Vec<&str> = details.iter().map(|d| d.loc[1].as_str()).collect();
            let mut required: Vec<&str> =
                all[name]["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            missing.sort_unstable();
            required.sort_unstable();
            assert_eq!(missing, required, "{name}");
        }
    }

    #[test]
    fn answers_of_our_own_have_the_fields_that_are_told_of() {
        let all = schemas();
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let card = crate::models::ModelCard {
            internal: Some(true),
            billing_model_name: Some("x".into()),
            ..crate::models::ModelCard::base("x")
        };
        let card = to_value(card).unwrap();
        assert_eq!(keys(&card), keys(&all["ModelCard"]["properties"]));
        assert_eq!(
            keys(&card["capabilities"]),
            keys(&all["ModelCard"]["properties"]["capabilities"]["properties"])
        );
        let limit = crate::error::LimitInfo {
            scope: "key",
            id: "x".into(),
            window: "day",
            limit: crate::error::Amount::Count(1),
            used: crate::error::Amount::Count(1),
            remaining: crate::error::Amount::Count(0),
            resets_at: None,
        };
        let mut body = crate::error::ErrorBody::new(429, "budget_exhausted", "x", "x");
        (body.limit, body.detail, body.line, body.column) = (Some(limit), Some(vec![]), Some(1), Some(1));
        let body = to_value(body).unwrap();
        let told = &all["CallRefusal"]["properties"];
        assert_eq!(keys(&body), keys(told));
        assert_eq!(keys(&body["limit"]), keys(&told["limit"]["properties"]));
    }
}
