//! The example organization of `louver dev`, and the simulator that stands in for Mistral.

use crate::clock::SystemClock;
use louver_control::Control;
use louver_control::actions::{keys, members, service_accounts, setup, users, workspaces};
use louver_control::context::Context;
use louver_control::error::ControlError;
use louver_domain::endpoints::EndpointKind;
use louver_domain::id::{RoleId, WorkspaceId};
use louver_domain::limits::Limits;
use louver_domain::money::Money;
use louver_domain::roles::{
    OBSERVABILITY_VIEWER, ORGANIZATION_ADMIN, WORKSPACE_ADMIN, WORKSPACE_CONTRIBUTOR,
};
use louver_domain::time::Clock;
use louver_domain::users::User;
use louver_simulator::{Config, Endpoint, Model, Simulator, Tuned};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// A model that was fine-tuned to classify, which the simulator has; the catalogue does not until somebody writes it in.
pub const CLASSIFIER: &str = "ft:classifier:ministral-3b-2512:example";
/// The model that the simulator's other fine-tuned models are made of.
const TUNED: &str = "mistral-small-2603";
/// How many these are; their ids end in their numbers.
const HOW_MANY_TUNED: usize = 4;

/// Which keys a simulator knows; without any it takes all, and has no admin API.
#[derive(Default)]
pub struct SimulatorKeys {
    /// The key of the admin API.
    pub admin: Option<String>,
    /// The API keys that are there from the beginning.
    pub api: Vec<String>,
}

/// A simulator that knows the models of the built-in catalogue, and some that were fine-tuned. `record` keeps a ledger
/// of what it was asked.
pub fn simulator(seed: u64, record: bool, keys: SimulatorKeys) -> Result<Simulator, String> {
    let SimulatorKeys { admin: admin_key, api: api_keys } = keys;
    let mut config = Config { record, admin_key, api_keys, ..simulated(seed)? };
    let serves = [Endpoint::Classifications, Endpoint::ChatClassifications];
    config.models.push(Model::new(CLASSIFIER, 32_768, &serves));
    let id = |number: usize| format!("ft:{TUNED}:example-{number}");
    config.tuned = (1..=HOW_MANY_TUNED)
        .map(|number| Tuned { id: id(number), root: TUNED.into(), bearer: None })
        .collect();
    // Long enough to see a batch wait, and to cancel it.
    config.batch_delay = Duration::from_secs(1);
    Ok(Simulator::new(config))
}

/// The settings of such a simulator.
pub fn simulated(seed: u64) -> Result<Config, String> {
    let entries = louver_store::models::builtin().map_err(|e| e.to_string())?;
    let models = entries.models.into_iter().map(|entry| {
        let endpoints: Vec<Endpoint> = entry.model.endpoints.iter().filter_map(|e| endpoint(*e)).collect();
        let model = Model::new(entry.model.id, entry.model.context, &endpoints);
        entry.model.aliases.into_iter().fold(model, Model::alias)
    });
    let clock = SystemClock::new();
    Ok(Config::new(seed, models.collect(), move || clock.now().seconds()))
}

/// Where the simulator serves a model that is called there; what it keeps runs on the models of chats.
const fn endpoint(kind: EndpointKind) -> Option<Endpoint> {
    Some(match kind {
        EndpointKind::Chat => Endpoint::Chat,
        EndpointKind::Fim => Endpoint::Fim,
        EndpointKind::Embeddings => Endpoint::Embeddings,
        EndpointKind::Moderations => Endpoint::Moderations,
        EndpointKind::ChatModerations => Endpoint::ChatModerations,
        EndpointKind::Classifications => Endpoint::Classifications,
        EndpointKind::ChatClassifications => Endpoint::ChatClassifications,
        EndpointKind::Ocr => Endpoint::Ocr,
        EndpointKind::Transcriptions => Endpoint::Transcriptions,
        EndpointKind::RealtimeTranscriptions => Endpoint::Realtime,
        EndpointKind::Speech => Endpoint::Speech,
        EndpointKind::Responses => Endpoint::Responses,
        EndpointKind::Models
        | EndpointKind::AgentsCompletions
        | EndpointKind::Conversations
        | EndpointKind::Agents
        | EndpointKind::Files
        | EndpointKind::BatchJobs
        | EndpointKind::Libraries
        | EndpointKind::FineTunedModels => return None,
    })
}

/// How to use an example organization: what `louver dev` prints and keeps in its data directory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Handout {
    /// The first admin key.
    pub admin_key: String,
    /// The workspaces, by name, with the secrets of their keys.
    pub workspaces: BTreeMap<String, WorkspaceHandout>,
    /// The ids of the people, by mail address.
    pub users: BTreeMap<String, String>,
}

/// One workspace of the handout.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct WorkspaceHandout {
    /// Its id.
    pub uuid: String,
    /// The secrets of its keys, by name.
    pub keys: BTreeMap<String, String>,
}

/// A workspace with one key, as the example has three of.
struct Team {
    name: &'static str,
    description: &'static str,
    models: Option<&'static [&'static str]>,
    requests_per_minute: u64,
    monthly_usd: &'static str,
    key: &'static str,
    key_models: Option<&'static [&'static str]>,
    service: Option<&'static str>,
}

const TEAMS: [Team; 3] = [
    Team {
        name: "dev-workspace",
        description: "All developers",
        models: Some(&["mistral-small", "codestral"]),
        requests_per_minute: 60,
        monthly_usd: "50",
        key: "dev-team-key",
        key_models: None,
        service: None,
    },
    Team {
        name: "ml-workspace",
        description: "ML engineers",
        models: None,
        requests_per_minute: 200,
        monthly_usd: "500",
        key: "ml-team-key",
        key_models: None,
        service: None,
    },
    Team {
        name: "prod-workspace",
        description: "CI/CD only",
        models: None,
        requests_per_minute: 500,
        monthly_usd: "2000",
        key: "prod-backend",
        key_models: Some(&["mistral-small-latest", "mistral-large-latest", "mistral-embed"]),
        service: Some("backend"),
    },
];

/// The people of the example: one for each built-in model role, with their role in the workspaces. `admin` administers
/// the whole organization besides.
const PEOPLE: [(&str, RoleId); 4] = [
    ("analyst", OBSERVABILITY_VIEWER),
    ("developer", WORKSPACE_CONTRIBUTOR),
    ("senior", WORKSPACE_CONTRIBUTOR),
    ("admin", WORKSPACE_ADMIN),
];

fn owned(entries: Option<&[&str]>) -> Option<Vec<String>> {
    entries.map(|entries| entries.iter().map(|entry| (*entry).to_owned()).collect())
}

/// Makes the example organization in an empty database.
pub async fn found(control: &Control) -> Result<Handout, ControlError> {
    let now = control.clock.now();
    let founded = setup::found(control, "Example", now).await?;
    let context = Context::system(founded.organization_id, now);
    let default = WorkspaceHandout { uuid: founded.default_workspace_id.to_string(), keys: BTreeMap::new() };
    let mut handed = BTreeMap::from([("default".to_owned(), default)]);
    let mut rooms = Vec::new();
    for team in &TEAMS {
        let (id, handout) = add_team(control, &context, team).await?;
        rooms.push(id);
        handed.insert(team.name.to_owned(), handout);
    }
    let people = add_people(control, &context, &rooms).await?;
    Ok(Handout {
        admin_key: founded.admin_key.secret.expose().clone(),
        workspaces: handed,
        users: people.into_iter().map(|user| (user.email, user.id.to_string())).collect(),
    })
}

/// Makes the people, and places them in the workspaces.
async fn add_people(
    control: &Control,
    context: &Context,
    rooms: &[WorkspaceId],
) -> Result<Vec<User>, ControlError> {
    let people = PEOPLE.iter().map(|(name, role)| users::NewUser {
        email: format!("{name}@example.com"),
        roles: if *role == WORKSPACE_ADMIN { vec![ORGANIZATION_ADMIN] } else { vec![] },
        memberships: rooms.iter().map(|id| (*id, Some((*name).to_owned()))).collect(),
        ..users::NewUser::default()
    });
    let people = users::create(control, context, people.collect()).await?;
    for room in rooms {
        let placed = people.iter().zip(PEOPLE).map(|(user, (_, role))| (user.id, Some(vec![role])));
        members::add_or_update(control, context, *room, placed.collect()).await?;
    }
    Ok(people)
}

async fn add_team(
    control: &Control,
    context: &Context,
    team: &Team,
) -> Result<(WorkspaceId, WorkspaceHandout), ControlError> {
    let limits = Limits {
        allowed_models: owned(team.models),
        requests_per_minute: Some(team.requests_per_minute),
        monthly_budget_usd: Money::parse_usd(team.monthly_usd),
        alert_thresholds: Some(vec![50, 80, 95]),
        ..Limits::default()
    };
    let new = workspaces::NewWorkspace {
        name: team.name.to_owned(),
        description: Some(team.description.to_owned()),
        limits,
        ..workspaces::NewWorkspace::default()
    };
    let workspace = workspaces::create(control, context, new).await?;
    let service_account_id = match team.service {
        None => None,
        Some(name) => {
            let new = service_accounts::NewServiceAccount {
                name: name.to_owned(),
                workspace_id: workspace.id,
                role: None,
                roles: vec![],
            };
            Some(service_accounts::create(control, context, new).await?.id)
        }
    };
    let new = keys::NewKey {
        name: team.key.to_owned(),
        workspace_id: Some(workspace.id),
        allowed_models: owned(team.key_models),
        service_account_id,
        ..keys::NewKey::default()
    };
    let created = keys::create(control, context, new).await?;
    let keys = BTreeMap::from([(team.key.to_owned(), created.secret.expose().clone())]);
    Ok((workspace.id, WorkspaceHandout { uuid: workspace.id.to_string(), keys }))
}
