//! Schemas of the settings and credentials of destinations: mirrors of `domain/secret_destinations/settings.rs`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// What a destination must be told, in the shape of its kind.
#[derive(JsonSchema)]
#[schemars(rename = "SecretDestinationSettings", untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) enum Settings {
    Vault(Vault),
    Aws(Aws),
    Kubernetes(Kubernetes),
    File(File),
    Webhook(Webhook),
    Command(Command),
    Google(Google),
    Azure(Azure),
}

/// `vault`: the KV engine, version 2, of HashiCorp Vault or OpenBao.
#[derive(JsonSchema)]
#[schemars(rename = "VaultSettings", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Vault {
    /// Scheme, host and port.
    address: String,
    /// Where the KV engine is mounted; `secret` if left out.
    mount: Option<String>,
    /// The path of the secret, with `{workspace}`, `{key}` (names) and `{id}`.
    location: String,
    /// The field of the secret that holds the key; `api_key` if left out.
    field: Option<String>,
    /// The namespace, where the server has them.
    namespace: Option<String>,
    /// Where AppRole is mounted; `approle` if left out.
    approle_mount: Option<String>,
    /// The certificates that are believed, in PEM, in place of the system's.
    ca_certificate: Option<String>,
}

/// `aws`: AWS Secrets Manager.
#[derive(JsonSchema)]
#[schemars(rename = "AwsSettings", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Aws {
    /// The region.
    region: String,
    /// The name of the secret, with `{workspace}`, `{key}` (names) and `{id}`.
    location: String,
    /// The member of a JSON object that holds the key; without it the key is the whole secret.
    field: Option<String>,
    /// Another address than the region's public one.
    endpoint: Option<String>,
}

/// `kubernetes`: a Secret.
#[derive(JsonSchema)]
#[schemars(rename = "KubernetesSettings", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Kubernetes {
    /// Scheme, host and port of the API server.
    address: String,
    /// The certificates that are believed, in PEM, in place of the system's.
    ca_certificate: Option<String>,
    /// The namespace.
    namespace: String,
    /// The name of the Secret, with `{workspace}`, `{key}` (names) and `{id}`.
    location: String,
    /// The field of its data that holds the key; `api_key` if left out.
    field: Option<String>,
}

/// `file`: a file on the node.
#[derive(JsonSchema)]
#[schemars(rename = "FileSettings", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct File {
    /// Its path, in a folder that the node's settings allow, with `{workspace}`, `{key}` (names) and `{id}`.
    location: String,
}

/// `webhook`: a signed POST.
#[derive(JsonSchema)]
#[schemars(rename = "WebhookSettings", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Webhook {
    /// Where it is posted to.
    url: String,
}

/// `command`: a command that the node's settings name.
#[derive(JsonSchema)]
#[schemars(rename = "CommandSettings", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Command {
    /// Its name in the node's settings.
    command: String,
    /// What it is told of where the secret belongs.
    location: Option<String>,
}

/// `google`: Google Secret Manager.
#[derive(JsonSchema)]
#[schemars(rename = "GoogleSettings", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Google {
    /// The project's id.
    project: String,
    /// The id of the secret, with `{workspace}`, `{key}` (names) and `{id}`.
    location: String,
    /// Another address than the public one.
    endpoint: Option<String>,
    /// Another address for tokens than the public one.
    token_endpoint: Option<String>,
}

/// `azure`: Azure Key Vault.
#[derive(JsonSchema)]
#[schemars(rename = "AzureSettings", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Azure {
    /// The address of the vault.
    address: String,
    /// The tenant's id.
    tenant_id: String,
    /// The application's id.
    client_id: String,
    /// The name of the secret, with `{workspace}`, `{key}` (names) and `{id}`.
    location: String,
    /// Another address for tokens than the public one.
    token_endpoint: Option<String>,
}

/// Secrets by name: they go in and never come out.
pub(crate) struct Credentials;

impl JsonSchema for Credentials {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "SecretDestinationCredentials".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "additionalProperties": {"type": "string", "format": "password"},
            "writeOnly": true,
        })
    }
}
