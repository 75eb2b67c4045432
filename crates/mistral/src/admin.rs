//! Mistral's Admin API on the wire: what `/v1/admin/*` and `/v1/users/me*` read and answer.
//!
//! Types bear the names of Mistral's own document. Requests refuse unknown fields, values of another type, and
//! `null` where the document has none; a field that is absent has the document's default. Answers always send
//! every field they have, `null` where there is no value.
//!
//! Schemas of bodies that come in are made with [`request_schemas`], of those that go out with
//! [`response_schemas`]: only so are the lists of required fields the document's own.
//!
//! A struct of a request is read from an object only when the caller asks for one, since serde also takes a list
//! of its values; structs inside it are read from objects only.
//!
//! The lists page in several ways, so the parameters are facts too: the constants below.

pub mod analytics;
pub mod api_keys;
pub mod audit_logs;
pub mod invites;
pub mod limits;
pub mod me;
pub mod roles;
pub mod scim;
pub mod usage;
pub mod user_groups;
pub mod users;
pub mod values;
mod words;
pub mod workspaces;

#[cfg(test)]
mod tests;

use schemars::generate::{SchemaGenerator, SchemaSettings};

/// `page` where it is not given: users, workspaces, user groups, their members and workspaces.
pub const FIRST_PAGE: u64 = 1;
/// `page_size` where it is not given, in the same lists; both are above zero.
pub const PAGE_SIZE: u64 = 25;
/// The largest `page_size` of user groups and of a group's workspaces; the other lists name none.
pub const MAX_GROUP_PAGE_SIZE: u64 = 100;
/// `limit` of API keys where it is not given; `offset` is then 0. The document names no bounds.
pub const API_KEYS_LIMIT: u64 = 100;
/// `limit` of audit logs where it is not given. The document names no bounds.
pub const AUDIT_LOGS_LIMIT: u64 = 20;
/// `limit` of `/v1/users/me/*` where it is not given, and its most; its least is 1, and `offset` is then 0.
pub const ME_LIMIT: u64 = 100;

/// Makes schemas of bodies that come in, to stand in an OpenAPI 3.1 document.
pub fn request_schemas() -> SchemaGenerator {
    settings().for_deserialize().into_generator()
}

/// Makes schemas of bodies that go out, to stand in an OpenAPI 3.1 document beside those that come in: what is in
/// both is the same.
pub fn response_schemas() -> SchemaGenerator {
    settings().for_serialize().into_generator()
}

fn settings() -> SchemaSettings {
    SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    })
}
