//! `/v1/gateway/secret-destinations`: where secrets of keys are written to; credentials go in and never come out.

use super::{Answer, Shared};
use crate::actions::secret_destinations as actions;
use crate::context::Context;
use crate::destinations::{Outcome, Probed, Step};
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::intake::values::present;
use crate::intake::{Body, Named, Object};
use crate::openapi::about::PAGE;
use crate::openapi::destinations::{Credentials, Settings};
use crate::openapi::shapes::{self, Deleted};
use crate::page::{Asked, Page};
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::id::{SecretDestinationId, WorkspaceId};
use louver_domain::secret::Secret;
use louver_domain::secret_destinations::DestinationKind;
use louver_domain::time::Timestamp;
use louver_store::secret_destinations::SecretDestination;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const ALL: &str = "/v1/gateway/secret-destinations";
const ONE: &str = "/v1/gateway/secret-destinations/{id}";

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get(ALL, Action::ReadSecretDestinations, list)
        .named("list_secret_destinations", "Destinations of secrets")
        .query(PAGE)
        .answers::<Page<Shown>>()
        .post(ALL, Action::CreateSecretDestination, create)
        .named("create_secret_destination", "Make a destination of secrets")
        .saying(
            "A webhook without credentials gets a signing secret; it stands in this answer and in no other. Files and \
             commands can be made by those only who may do so in the whole organization.",
        )
        .takes::<DestinationIn>()
        .answers::<ShownOnce<'_>>()
        .refuses(&[409])
        .get(ONE, Action::ReadSecretDestinations, one)
        .named("get_secret_destination", "One destination of secrets")
        .answers::<Shown>()
        .edited()
        .patch(ONE, Action::UpdateSecretDestination, update)
        .named("update_secret_destination", "Change a destination of secrets")
        .saying(
            "Settings and credentials are each replaced as a whole. Settings that would send the credentials elsewhere \
             are refused unless the credentials come with them.",
        )
        .takes::<PatchIn>()
        .answers::<Shown>()
        .edited()
        .refuses(&[409])
        .delete(ONE, Action::DeleteSecretDestination, delete)
        .named("delete_secret_destination", "Delete a destination of secrets")
        .saying("What was written there stays there.")
        .answers::<Deleted>()
        .post("/v1/gateway/secret-destinations/{id}/test", Action::TestSecretDestination, test)
        .named("test_secret_destination", "Try a destination of secrets out")
        .saying(
            "Writes a probe beside the real location, reads it back and takes it away, where the kind can, and answers \
             what came of each step.",
        )
        .answers::<Tested>()
        .tagged("gateway.secret-destinations")
}

/// A destination of secrets without its credentials.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SecretDestination")]
pub(crate) struct Shown {
    #[schemars(with = "shapes::Id")]
    id: SecretDestinationId,
    #[schemars(extend("const" = "secret_destination"))]
    object: &'static str,
    name: String,
    #[schemars(with = "Option<shapes::Id>")]
    workspace_id: Option<WorkspaceId>,
    #[schemars(with = "shapes::KindOfDestination")]
    kind: DestinationKind,
    #[schemars(with = "Settings")]
    settings: Value,
    /// The names of its credentials.
    credentials: Vec<String>,
    enabled: bool,
    #[schemars(with = "shapes::Time")]
    created_at: Timestamp,
}

impl Shown {
    pub(crate) fn of(destination: &SecretDestination) -> Result<Self, ControlError> {
        let mut settings = serde_json::to_value(&destination.settings)?;
        if let Some(members) = settings.as_object_mut() {
            members.remove("kind");
        }
        Ok(Self {
            id: destination.id,
            object: "secret_destination",
            name: destination.name.clone(),
            workspace_id: destination.workspace_id,
            kind: destination.settings.kind(),
            settings,
            credentials: destination.credential_names.clone(),
            enabled: destination.enabled,
            created_at: destination.created_at,
        })
    }
}

/// A destination just made: the one answer that holds a webhook's signing secret, when Louver made it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SecretDestinationMade")]
struct ShownOnce<'a> {
    #[serde(flatten)]
    shown: Shown,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
}

/// What came of trying a destination out.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SecretDestinationTest")]
struct Tested {
    #[schemars(with = "shapes::Id")]
    id: SecretDestinationId,
    #[schemars(extend("const" = "secret_destination.test"))]
    object: &'static str,
    /// Whether the probe was written, and read back where the kind can be read.
    works: bool,
    /// Where the probe was written.
    location: Option<String>,
    steps: Vec<ShownStep>,
}

/// One step of trying a destination out.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SecretDestinationTestStep")]
struct ShownStep {
    #[schemars(extend("enum" = ["write", "read", "remove"]))]
    step: &'static str,
    #[schemars(extend("enum" = ["done", "failed", "skipped"]))]
    outcome: &'static str,
    /// Why, where it is not done.
    reason: Option<String>,
    /// Whether a failure may go away by itself.
    retryable: Option<bool>,
}

impl Tested {
    fn of(id: SecretDestinationId, probed: Probed) -> Self {
        let works = probed.works();
        let steps = probed.steps.into_iter().map(ShownStep::of).collect();
        Self { id, object: "secret_destination.test", works, location: probed.location, steps }
    }
}

impl ShownStep {
    fn of(step: Step) -> Self {
        let (outcome, reason, retryable) = match step.outcome {
            Outcome::Done => ("done", None, None),
            Outcome::Failed(error) => ("failed", Some(error.sentence()), Some(error.is_retryable())),
            Outcome::Skipped(reason) => ("skipped", Some(reason.to_owned()), None),
        };
        Self { step: step.name, outcome, reason, retryable }
    }
}

/// A secret on its way in.
struct SecretIn(Secret<String>);

impl<'de> Deserialize<'de> for SecretIn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

type CredentialsIn = BTreeMap<String, SecretIn>;

fn opened(credentials: CredentialsIn) -> BTreeMap<String, Secret<String>> {
    credentials.into_iter().map(|(name, secret)| (name, secret.0)).collect()
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewSecretDestination")]
#[schemars(extend("examples" = [{
    "name": "team vault",
    "kind": "vault",
    "settings": {"address": "https://vault.example.com", "location": "louver/{workspace}/{id}"},
    "credentials": {"role_id": "…", "secret_id": "…"},
}]))]
#[serde(deny_unknown_fields)]
struct DestinationIn {
    /// A name for people, new in the organization.
    name: String,
    /// The one workspace whose keys it takes; without it, any of the organization.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "shapes::Id")]
    workspace_id: Option<WorkspaceId>,
    #[schemars(with = "shapes::KindOfDestination")]
    kind: DestinationKind,
    /// What its kind must be told.
    #[schemars(with = "Settings")]
    settings: Value,
    /// Secrets by name, as its kind takes them.
    #[serde(default)]
    #[schemars(with = "Credentials")]
    credentials: CredentialsIn,
    /// Whether secrets are written there.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "bool")]
    enabled: Option<bool>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "SecretDestinationPatch")]
#[serde(deny_unknown_fields, default)]
struct PatchIn {
    #[serde(deserialize_with = "present")]
    #[schemars(with = "String")]
    name: Option<String>,
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Settings")]
    settings: Option<Value>,
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Credentials")]
    credentials: Option<CredentialsIn>,
    #[serde(deserialize_with = "present")]
    #[schemars(with = "bool")]
    enabled: Option<bool>,
}

fn read_id(text: &str) -> Result<SecretDestinationId, ControlError> {
    SecretDestinationId::parse(text).ok_or(ControlError::NotFound)
}

async fn list(State(control): Shared, context: Context, mut params: Params) -> Answer {
    let asked = Asked::read(&mut params)?;
    params.done()?;
    let all = actions::list(&control, &context).await?;
    let shown: Vec<Shown> = all.iter().map(Shown::of).collect::<Result<_, _>>()?;
    let page = Page::cut(shown, &asked, |shown, after| SecretDestinationId::parse(after) == Some(shown.id))?;
    Ok(reply::ok(&page))
}

async fn one(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    let destination = actions::get(&control, &context, read_id(&id)?).await?;
    reply::tagged(&control, &Shown::of(&destination)?)
}

async fn create(
    State(control): Shared,
    context: Context,
    Body(Object(read)): Body<Object<DestinationIn>>,
) -> Answer {
    let new = actions::NewDestination {
        name: read.name,
        workspace_id: read.workspace_id,
        kind: read.kind,
        settings: read.settings,
        credentials: opened(read.credentials),
        enabled: read.enabled.unwrap_or(true),
    };
    let made = actions::create(&control, &context, new).await?;
    let secret = made.secret.as_ref().map(|secret| secret.expose().as_str());
    Ok(reply::ok(&ShownOnce { shown: Shown::of(&made.destination)?, secret }))
}

async fn update(
    State(control): Shared,
    context: Context,
    Named(id): Named<String>,
    Body(Object(read)): Body<Object<PatchIn>>,
) -> Answer {
    let patch = actions::DestinationPatch {
        name: read.name,
        settings: read.settings,
        credentials: read.credentials.map(opened),
        enabled: read.enabled,
    };
    let destination = actions::update(&control, &context, read_id(&id)?, patch).await?;
    reply::tagged(&control, &Shown::of(&destination)?)
}

async fn delete(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    let id = read_id(&id)?;
    actions::delete(&control, &context, id).await?;
    Ok(reply::ok(&json!({"id": id, "object": "secret_destination.deleted", "deleted": true})))
}

async fn test(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    let id = read_id(&id)?;
    let probed = actions::test(&control, &context, id).await?;
    Ok(reply::ok(&Tested::of(id, probed)))
}
