//! `/v1/gateway/keys/audit` and its kin: what is found about keys, exemptions, and reports of secrets that leaked.

use super::{Answer, Shared};
use crate::actions::key_hygiene::{self as actions, Audited, Leaked, NewExemption, Question};
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::intake::values::SecretIn;
use crate::intake::{Body, Named, Object};
use crate::openapi::about::{Kind, PAGE, Parameter};
use crate::openapi::shapes::{self, Deleted};
use crate::page::Asked;
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::id::{KeyId, WorkspaceId};
use louver_domain::key_hygiene::{Exemption, Finding, UNUSED_DAYS};
use louver_domain::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

const LONGEST_UNUSED_DAYS: u32 = 36_500;
const MICROS_PER_DAY: i64 = 86_400_000_000;
const QUESTION: &[Parameter] = &[
    Parameter::new("workspace_id", Kind::Id, "Only of this workspace."),
    Parameter::new(
        "unused_days",
        Kind::Count(0, LONGEST_UNUSED_DAYS),
        "A key counts as unused after so many days; 30.",
    ),
    Parameter::new(
        "finding",
        Kind::SomeOf(|| Finding::ALL.map(Finding::as_str).to_vec()),
        "Only keys of which this is found; it may stand there several times, and any of them does.",
    ),
];

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/gateway/keys/audit", Action::ReadApiKeys, audit)
        .named("audit_keys", "API keys, with who used each last and what is found about it")
        .saying(
            "Without `finding` all keys that are not revoked are there. Keys that never were used count as such at once. One \
             answer looks at no more than 5,000 keys: with `finding`, a page may be short or empty and yet have more after it.",
        )
        .query(PAGE)
        .query(QUESTION)
        .answers::<ShownPage>()
        .post("/v1/gateway/keys/report-leak", Action::ReportLeakedKey, report_leak)
        .named("report_leaked_key", "Refuse a key from now on whose secret was found where it should not be")
        .saying(
            "For scanners: keys look like `lv[ra]_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}`. An API key is disabled, an admin key \
             revoked, also by an old secret that still works; people are told.",
        )
        .takes::<Report>()
        .answers::<ShownLeaked>()
        .refuses(&[404])
        .put("/v1/gateway/keys/{id}/unused-exemption", Action::ExemptApiKey, exempt)
        .named("exempt_unused_key", "Let a key stay for a while although nobody uses it")
        .takes::<NewExemption>()
        .answers::<ShownExemption>()
        .delete("/v1/gateway/keys/{id}/unused-exemption", Action::ExemptApiKey, lift)
        .named("lift_unused_key_exemption", "Take the exemption of a key away")
        .answers::<Deleted>()
        .tagged("gateway.keys")
}

/// A key as an audit sees it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AuditedKey")]
struct ShownAudited {
    #[serde(flatten)]
    shown: super::keys::Shown,
    /// When its current secret was made.
    #[schemars(with = "shapes::Time")]
    secret_created_at: Timestamp,
    /// From which address it was used at `last_used_at`; `null` where that was with a secret that is no more.
    last_used_from: Option<String>,
    /// By which client, as it calls itself.
    last_used_client: Option<String>,
    age_days: i64,
    #[schemars(with = "Vec<shapes::Finding>")]
    findings: Vec<Finding>,
    /// Why it stays although nobody uses it.
    unused_exemption: Option<ShownExemption>,
}

impl ShownAudited {
    fn of(audited: Audited, now: Timestamp) -> Self {
        let Audited { key, secret, findings, exemption } = audited;
        let created_at = secret.as_ref().map_or(key.created_at, |secret| secret.created_at);
        // Who used it and when must be of one use: a secret that has ended takes its own with it.
        let used = secret.and_then(|secret| secret.used).filter(|used| Some(used.at) == key.last_used_at);
        let (from, client) = used.map_or((None, None), |used| (used.address, used.client));
        let age = now.micros().saturating_sub(key.created_at.micros());
        Self {
            shown: super::keys::Shown::of(&key, now),
            secret_created_at: created_at,
            last_used_from: from,
            last_used_client: client,
            age_days: age.div_euclid(MICROS_PER_DAY),
            findings,
            unused_exemption: exemption.map(|exemption| ShownExemption::of(key.id, &exemption)),
        }
    }
}

/// A page of an audit.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditedKeyPage")]
struct ShownPage {
    #[schemars(extend("const" = "list"))]
    object: &'static str,
    data: Vec<ShownAudited>,
    has_more: bool,
    /// What `after` of the next page is: the last key that was looked at, which need not be on this one.
    #[schemars(with = "Option<shapes::Id>")]
    next_after: Option<String>,
}

/// An exemption as shown.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UnusedExemption")]
pub(crate) struct ShownExemption {
    key_id: String,
    reason: String,
    #[schemars(with = "shapes::Time")]
    until: Timestamp,
    /// Who said so, by name.
    granted_by: String,
}

impl ShownExemption {
    pub(crate) fn of(key: KeyId, exemption: &Exemption) -> Self {
        Self {
            key_id: key.prefixed(),
            reason: exemption.reason.clone(),
            until: exemption.until,
            granted_by: exemption.by.clone(),
        }
    }
}

/// A secret that was found.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "LeakReport")]
#[serde(deny_unknown_fields)]
struct Report {
    /// The whole key.
    #[schemars(with = "shapes::Hidden")]
    key: SecretIn,
}

/// A key whose secret was reported.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LeakedKey")]
struct ShownLeaked {
    #[schemars(extend("const" = "key.leaked"))]
    object: &'static str,
    id: String,
    #[schemars(extend("enum" = ["api_key", "admin_key"]))]
    kind: &'static str,
    name: String,
    #[schemars(extend("enum" = ["disabled", "revoked", "expired"]))]
    status: &'static str,
}

async fn audit(State(control): Shared, context: Context, mut params: Params) -> Answer {
    let asked = Asked::read(&mut params)?;
    let not_an_id = || ControlError::parameter("after", "expected the id of a key");
    let after = asked.after.map(|text| KeyId::parse(&text).ok_or_else(not_an_id)).transpose()?;
    let none = || ControlError::parameter("finding", "names no finding");
    let findings = params.take_all("finding").into_iter();
    let findings = findings.map(|text| Finding::parse(&text).ok_or_else(none));
    let question = Question {
        findings: findings.collect::<Result<_, _>>()?,
        workspace: params.parsed(
            "workspace_id",
            "a UUID or ws_ and 32 hexadecimal digits",
            WorkspaceId::parse,
        )?,
        unused_days: params.number("unused_days", 0..=LONGEST_UNUSED_DAYS)?.unwrap_or(UNUSED_DAYS),
        after,
        status: None,
        search: None,
    };
    params.done()?;
    let page = actions::audit(&control, &context, &question, asked.limit).await?;
    let data = page.audited.into_iter().map(|audited| ShownAudited::of(audited, context.now)).collect();
    let next_after = page.next.map(|id| id.prefixed());
    Ok(reply::ok(&ShownPage { object: "list", data, has_more: next_after.is_some(), next_after }))
}

async fn report_leak(
    State(control): Shared,
    context: Context,
    Body(Object(report)): Body<Object<Report>>,
) -> Answer {
    let Leaked { id, kind, name, status } = actions::report_leak(&control, &context, &report.key.0).await?;
    Ok(reply::ok(&ShownLeaked { object: "key.leaked", id, kind, name, status }))
}

fn read_id(text: &str) -> Result<KeyId, ControlError> {
    KeyId::parse(text).ok_or(ControlError::NotFound)
}

async fn exempt(
    State(control): Shared,
    context: Context,
    Named(id): Named<String>,
    Body(Object(new)): Body<Object<NewExemption>>,
) -> Answer {
    let id = read_id(&id)?;
    let exemption = actions::exempt(&control, &context, id, new).await?;
    Ok(reply::ok(&ShownExemption::of(id, &exemption)))
}

async fn lift(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    let id = read_id(&id)?;
    actions::lift(&control, &context, id).await?;
    Ok(reply::ok(&json!({"id": id.prefixed(), "object": "unused_exemption.deleted", "deleted": true})))
}
