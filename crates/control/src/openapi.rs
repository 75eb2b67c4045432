//! The description of the API (OpenAPI 3.1), made from the table of routes and the types they read and answer.

pub mod about;
pub(crate) mod destinations;
pub(crate) mod mistral;
pub(crate) mod page;
mod refusals;
pub(crate) mod shapes;
mod site;

pub use site::{Access, Site};

use crate::routes::{Access as Needs, Operation};
use about::{About, Kind};
use http::Method;
use schemars::Schema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::transform::{Transform, transform_subschemas};
use serde_json::{Map, Value, json};

/// How bodies come: mostly so, and out of a page's form like that.
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// The paths in Mistral's own shapes.
const MISTRAL: [&str; 2] = ["/v1/admin/", "/v1/users/me"];

/// The chapters of the admin side, in their order.
const CHAPTERS: [(&str, &str); 21] = [
    ("api-keys", "API keys, the short way."),
    ("gateway.organization", "The organization."),
    ("gateway.workspaces", "Workspaces, and who belongs to them."),
    ("gateway.users", "People."),
    ("gateway.invitations", "Invitations, and the links by which people accept them."),
    (
        "gateway.custom-roles",
        "Roles of the organization's own, and the permissions that they are composed of.",
    ),
    ("gateway.service-accounts", "Accounts of machines."),
    ("gateway.limits", "Limits of workspaces, people and keys."),
    ("gateway.keys", "The health of keys: who uses them, and what is found about them."),
    ("gateway.rotations", "Secrets of keys, and how they are replaced."),
    ("gateway.model-roles", "Which models people may use, and how much of them."),
    ("gateway.policy", "What the rules say to a call, and what other rules would have said."),
    ("gateway.budgets", "Budgets and how they stand."),
    ("gateway.usage", "What was used."),
    ("gateway.audit", "The audit log with all that it holds."),
    ("gateway.alerts", "What was raised."),
    ("gateway.alert-channels", "Where alerts are sent."),
    ("gateway.secret-destinations", "Where secrets of keys are written to."),
    ("gateway.models", "The models and what they cost."),
    ("gateway.upstreams", "Credentials for upstream."),
    ("gateway.objects", "What upstream keeps, and whose it is."),
];

/// Shapes whose fields mean the same as those of another, which says what.
const ALIKE: [(&str, &str); 10] = [
    ("LimitsPatch", "Limits"),
    ("ApiKeyPatch", "NewApiKey"),
    ("ApiKey", "NewApiKey"),
    ("ApiKeyMade", "NewApiKey"),
    ("ModelRole", "NewModelRole"),
    ("NewModel", "Model"),
    ("NewPrice", "Price"),
    ("UpstreamPatch", "NewUpstream"),
    ("AlertChannelPatch", "NewAlertChannel"),
    ("SecretDestinationPatch", "NewSecretDestination"),
];

/// A description in the making. Each side of the program adds the operations that it answers.
#[derive(Default)]
pub struct Document {
    chapters: Vec<Value>,
    paths: Map<String, Value>,
    schemas: Map<String, Value>,
}

impl Document {
    /// Empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what the admin side answers.
    pub fn describe(&mut self, operations: &[Operation]) {
        for (name, description) in CHAPTERS.into_iter().chain(mistral::CHAPTERS) {
            self.chapter(name, description);
        }
        let mut writer = Writer::new();
        for operation in operations {
            let value = writer.operation(operation, &told(operation));
            self.add(operation.method.as_str(), operation.path, value);
        }
        self.share(writer.schemas());
        self.share(refusals::schemas());
    }

    /// Adds a chapter after those that are there.
    pub fn chapter(&mut self, name: &str, description: &str) {
        self.chapters.push(json!({"name": name, "description": description}));
    }

    /// Adds an operation that somebody else answers.
    pub fn add(&mut self, method: &str, path: &str, operation: Value) {
        let methods = self.paths.entry(path).or_insert_with(|| json!({}));
        if let Some(methods) = methods.as_object_mut() {
            methods.insert(method.to_ascii_lowercase(), operation);
        }
    }

    /// Adds schemas that operations refer to by `#/components/schemas/…`.
    pub fn share(&mut self, schemas: Map<String, Value>) {
        self.schemas.extend(schemas);
    }

    /// The whole document.
    pub fn finish(self, version: &str) -> Value {
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Louver",
                "version": version,
                "summary": "Access control for the models of an organization.",
                "description": "Calls to models need an API key; everything else needs an admin key and the \
                                permission that stands at the operation as `x-permission`.",
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": "/", "description": "Where this document came from."}],
            "tags": self.chapters,
            "paths": self.paths,
            "components": {"schemas": self.schemas, "securitySchemes": security_schemes()},
        })
    }
}

/// What is told of a route: beside the route itself, or in the table of those in Mistral's shapes.
pub(crate) fn told(operation: &Operation) -> About {
    match operation.about.id {
        "" => mistral::about(&operation.method, operation.path).unwrap_or_default(),
        _ => operation.about.clone(),
    }
}

fn security_schemes() -> Value {
    json!({
        "AdminKey": {
            "type": "http",
            "scheme": "bearer",
            "description": "An admin key. Keys for calls to models are refused.",
        },
        "AdminKeyHeader": {
            "type": "apiKey",
            "in": "header",
            "name": "x-api-key",
            "description": "The same admin key in a header of its own.",
        },
        "ApiKey": {
            "type": "http",
            "scheme": "bearer",
            "description": "A key for calls to models. Admin keys are refused.",
        },
        "ApiKeyHeader": {
            "type": "apiKey",
            "in": "header",
            "name": "x-api-key",
            "description": "The same API key in a header of its own; not for calls to models.",
        },
    })
}

/// Writes operations, and keeps the schemas they share.
struct Writer {
    requests: SchemaGenerator,
    answers: SchemaGenerator,
}

impl Writer {
    fn new() -> Self {
        let mut settings = SchemaSettings::draft2020_12();
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
        Self {
            requests: settings.clone().for_deserialize().into_generator(),
            answers: settings.for_serialize().into_generator(),
        }
    }

    fn schemas(mut self) -> Map<String, Value> {
        let mut schemas = self.requests.take_definitions(true);
        for (name, schema) in self.answers.take_definitions(true) {
            schemas.entry(name).or_insert(schema);
        }
        for (shape, like) in ALIKE {
            lend(&mut schemas, shape, like);
        }
        for schema in schemas.values_mut() {
            if let Ok(schema) = schema.try_into() {
                tidy(schema);
            }
        }
        schemas
    }

    fn operation(&mut self, operation: &Operation, about: &About) -> Value {
        let mut value = json!({
            "operationId": about.id,
            "tags": [about.tag],
            "summary": about.summary,
            "security": security(operation.access),
        });
        let mut put = |name: &str, part: Value| {
            if let Some(members) = value.as_object_mut() {
                members.insert(name.to_owned(), part);
            }
        };
        if !about.description.is_empty() {
            put("description", about.description.into());
        }
        if let Needs::Admin(action) = operation.access {
            put("x-permission", action.as_str().into());
        }
        let parameters = parameters(operation, about);
        if !parameters.is_empty() {
            put("parameters", parameters.into());
        }
        if let Some(body) = about.body {
            let schema = tidied(body(&mut self.requests));
            let kind = if about.form { FORM } else { JSON };
            put("requestBody", json!({"required": true, "content": {kind: {"schema": schema}}}));
        }
        put("responses", self.responses(operation, about).into());
        value
    }

    fn responses(&mut self, operation: &Operation, about: &About) -> Map<String, Value> {
        let mut responses = refusals::of(operation, about);
        for (status, schema) in &about.answers {
            let mut response = json!({"description": refusals::meaning(*status)});
            if let (Some(schema), Some(members)) = (schema, response.as_object_mut()) {
                let schema = tidied(schema(&mut self.answers));
                let mut content = json!({"application/json": {"schema": schema}});
                if about.csv
                    && let Some(kinds) = content.as_object_mut()
                {
                    kinds.insert("text/csv".into(), json!({"schema": {"type": "string"}}));
                }
                members.insert("content".into(), content);
            }
            if about.edited
                && let Some(members) = response.as_object_mut()
            {
                let tag = "The tag of this state, for `If-Match`.";
                let header = json!({"ETag": {"description": tag, "schema": {"type": "string"}}});
                members.insert("headers".into(), header);
            }
            responses.insert(status.to_string(), response);
        }
        for (status, kind) in &about.texts_out {
            let content = json!({*kind: {"schema": {"type": "string"}}});
            let response = json!({"description": refusals::meaning(*status), "content": content});
            responses.insert(status.to_string(), response);
        }
        responses
    }
}

fn security(access: Needs) -> Value {
    match access {
        Needs::Admin(_) | Needs::AnyAdmin => json!([{"AdminKey": []}, {"AdminKeyHeader": []}]),
        Needs::ApiKey => json!([{"ApiKeyHeader": []}, {"ApiKey": []}]),
        Needs::Link | Needs::Open => json!([]),
    }
}

/// Whether a path is answered in Mistral's own shapes.
fn is_mistrals(path: &str) -> bool {
    MISTRAL.iter().any(|start| path.starts_with(start))
}

/// The names in braces in a path.
pub(crate) fn names_in(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn parameters(operation: &Operation, about: &About) -> Vec<Value> {
    let of_path = names_in(operation.path).map(|name| path_parameter(operation.path, name, about));
    let of_query = about.query.iter().map(|parameter| {
        json!({
            "name": parameter.name,
            "in": "query",
            "required": parameter.required,
            "description": parameter.description,
            "schema": parameter.schema(),
        })
    });
    let mut parameters: Vec<Value> = of_path.chain(of_query).collect();
    if about.edited && operation.method != Method::GET {
        parameters.push(json!({
            "name": "If-Match",
            "in": "header",
            "required": false,
            "description": "Change it only when its `ETag` is still this one.",
            "schema": {"type": "string"},
        }));
    }
    if operation.is_once() {
        parameters.push(idempotency_key());
    }
    parameters
}

fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key",
        "in": "header",
        "required": false,
        "description": "A text of the client's own, new for each request that it means to make. The request is then carried \
                        out once: repeated within ten minutes of its answer it gets the same answer again, with \
                        `idempotency-replayed: true`. The same key with another request is refused.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    })
}

fn path_parameter(path: &str, name: &str, about: &About) -> Value {
    let text = about.texts.iter().find(|(parameter, _)| *parameter == name);
    let (kind, description) = match text {
        Some((_, description)) => (Kind::Text, *description),
        None if is_mistrals(path) => (Kind::Uuid, meaning_of(name)),
        None => (Kind::Id, meaning_of(name)),
    };
    json!({"name": name, "in": "path", "required": true, "description": description, "schema": kind.schema()})
}

fn meaning_of(parameter: &str) -> &'static str {
    match parameter {
        "workspace" | "workspace_uuid" => "The workspace's id.",
        "user" | "user_id" => "The person's id.",
        "account" => "The service account's id.",
        "role" => "The role's id.",
        "group" | "group_uuid" => "The group's id.",
        "invite_uuid" => "The invitation's id.",
        "key_id" => "The key's id.",
        "run_id" => "The run's id.",
        _ => "Its id.",
    }
}

/// Gives fields without a description that of the field of the same name in a shape that is alike.
fn lend(schemas: &mut Map<String, Value>, shape: &str, like: &str) {
    let Some(lender) = schemas.get(like).and_then(|schema| schema.get("properties")).cloned() else { return };
    let fields = schemas.get_mut(shape).and_then(|schema| schema.get_mut("properties"));
    for (name, field) in fields.and_then(Value::as_object_mut).into_iter().flatten() {
        let description = lender.get(name).and_then(|field| field.get("description"));
        if let (Some(description), Some(field)) = (description, field.as_object_mut()) {
            field.entry("description").or_insert_with(|| description.clone());
        }
    }
}

fn tidied(mut schema: Schema) -> Schema {
    tidy(&mut schema);
    schema
}

/// Takes out what says nothing: `null` as the default of a field that may be absent, and sizes of Rust's integers.
fn tidy(schema: &mut Schema) {
    struct Tidy;
    impl Transform for Tidy {
        fn transform(&mut self, schema: &mut Schema) {
            let sized = |format: &Value| {
                format.as_str().is_some_and(|text| text.starts_with("uint") || text.starts_with("int"))
            };
            if schema.get("format").is_some_and(sized) {
                schema.remove("format");
            }
            if schema.get("default").is_some_and(Value::is_null) {
                schema.remove("default");
            }
            transform_subschemas(self, schema);
        }
    }
    Tidy.transform(schema);
}
