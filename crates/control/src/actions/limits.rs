//! Changes of limits: what may be set, and never above the parent's.

pub(crate) mod permissions;

use super::{Deed, models, set};
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::values::{given, given_dollars};
use crate::openapi::shapes;
use louver_domain::access::{Action, Resource, decide};
use louver_domain::calendar::Zone;
use louver_domain::endpoints::EndpointKind;
use louver_domain::id::{OrganizationId, WorkspaceId};
use louver_domain::limits::{KeyCreation, Limits, Mode, Region, ServiceTier};
use louver_domain::models::Catalogue;
use louver_domain::money::Money;
use louver_store::Tx;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// The largest count that is taken for a limit.
const LARGEST_COUNT: i128 = 1_000_000_000_000;
const LONGEST_LIFETIME_DAYS: u32 = 36_500;
const MOST_THRESHOLDS: usize = 20;

/// A partial change: what is absent stays, what is `null` is taken away.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("examples" = [{"requests_per_minute": 200, "monthly_budget_usd": 500}]))]
#[expect(missing_docs, reason = "the fields are those of `Limits`")]
pub struct LimitsPatch {
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<Vec<String>>")]
    pub allowed_models: Option<Option<Vec<String>>>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<u64>")]
    pub requests_per_second: Option<Option<u64>>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<u64>")]
    pub requests_per_minute: Option<Option<u64>>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<u64>")]
    pub tokens_per_minute: Option<Option<u64>>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<u64>")]
    pub tokens_per_month: Option<Option<u64>>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<u64>")]
    pub max_concurrent_requests: Option<Option<u64>>,
    #[serde(deserialize_with = "given_dollars")]
    #[schemars(with = "Option<shapes::Dollars>")]
    pub hourly_budget_usd: Option<Option<Money>>,
    #[serde(deserialize_with = "given_dollars")]
    #[schemars(with = "Option<shapes::Dollars>")]
    pub daily_budget_usd: Option<Option<Money>>,
    #[serde(deserialize_with = "given_dollars")]
    #[schemars(with = "Option<shapes::Dollars>")]
    pub monthly_budget_usd: Option<Option<Money>>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<Vec<shapes::Endpoint>>")]
    pub allowed_endpoints: Option<Option<Vec<EndpointKind>>>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<Vec<shapes::Tool>>")]
    pub allowed_tools: Option<Option<Vec<String>>>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<Vec<shapes::Tier>>")]
    pub allowed_service_tiers: Option<Option<Vec<ServiceTier>>>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<u32>")]
    pub max_signed_url_hours: Option<Option<u32>>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<shapes::RegionOfCalls>")]
    pub region: Option<Option<Region>>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<Vec<String>>")]
    pub fallback_models: Option<Option<Vec<String>>>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<Vec<u8>>")]
    pub alert_thresholds: Option<Option<Vec<u8>>>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<u32>")]
    pub max_key_lifetime_days: Option<Option<u32>>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<u32>")]
    pub max_key_idle_days: Option<Option<u32>>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<shapes::CreationOfKeys>")]
    pub key_creation: Option<Option<KeyCreation>>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<shapes::LimitMode>")]
    pub mode: Option<Option<Mode>>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    pub timezone: Option<Option<String>>,
}

impl LimitsPatch {
    /// `limits` with the change.
    pub fn apply(self, mut limits: Limits) -> Limits {
        set(&mut limits.allowed_models, self.allowed_models);
        set(&mut limits.requests_per_second, self.requests_per_second);
        set(&mut limits.requests_per_minute, self.requests_per_minute);
        set(&mut limits.tokens_per_minute, self.tokens_per_minute);
        set(&mut limits.tokens_per_month, self.tokens_per_month);
        set(&mut limits.max_concurrent_requests, self.max_concurrent_requests);
        set(&mut limits.hourly_budget_usd, self.hourly_budget_usd);
        set(&mut limits.daily_budget_usd, self.daily_budget_usd);
        set(&mut limits.monthly_budget_usd, self.monthly_budget_usd);
        set(&mut limits.allowed_endpoints, self.allowed_endpoints);
        set(&mut limits.allowed_tools, self.allowed_tools);
        set(&mut limits.allowed_service_tiers, self.allowed_service_tiers);
        set(&mut limits.max_signed_url_hours, self.max_signed_url_hours);
        set(&mut limits.region, self.region);
        set(&mut limits.fallback_models, self.fallback_models);
        set(&mut limits.alert_thresholds, self.alert_thresholds);
        set(&mut limits.max_key_lifetime_days, self.max_key_lifetime_days);
        set(&mut limits.max_key_idle_days, self.max_key_idle_days);
        set(&mut limits.key_creation, self.key_creation);
        set(&mut limits.mode, self.mode);
        set(&mut limits.timezone, self.timezone);
        limits
    }
}

/// Whose limits change, by id and name.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    /// The organization's.
    Organization(OrganizationId, &'a str),
    /// A workspace's.
    Workspace(WorkspaceId, &'a str),
}

impl Place<'_> {
    fn deed(self, context: &Context, action: Action) -> Result<Deed, ControlError> {
        Ok(match self {
            Self::Organization(id, name) => Deed::on(decide(&context.actor, action, id)?, id, name),
            Self::Workspace(id, name) => {
                let resource = Resource::workspace(context.organization_id(), id);
                Deed::on(decide(&context.actor, action, resource)?, id, name).inside(id)
            }
        })
    }
}

/// The deeds that stand in the audit log beside a change of limits: a month's budget, rates and the life of keys have
/// events of their own there, and permissions too.
pub(crate) fn told_apart(
    context: &Context,
    place: Place<'_>,
    before: &Limits,
    after: &Limits,
) -> Result<Vec<Deed>, ControlError> {
    let monthly = match place {
        Place::Organization(..) => Action::UpdateMonthlyLimit,
        Place::Workspace(..) => Action::UpdateWorkspaceMonthlyLimit,
    };
    let budget = |limits: &Limits| json!({"monthly_budget_usd": limits.monthly_budget_usd});
    let rates = |limits: &Limits| {
        json!({
            "requests_per_second": limits.requests_per_second,
            "requests_per_minute": limits.requests_per_minute,
            "tokens_per_minute": limits.tokens_per_minute,
            "tokens_per_month": limits.tokens_per_month,
            "max_concurrent_requests": limits.max_concurrent_requests,
        })
    };
    let life = |limits: &Limits| {
        let mut life = json!({"max_key_lifetime_days": limits.max_key_lifetime_days});
        if let (Some(days), Some(life)) = (limits.max_key_idle_days, life.as_object_mut()) {
            life.insert("max_key_idle_days".into(), days.into());
        }
        life
    };
    let parts = [
        (monthly, budget(before), budget(after)),
        (Action::UpdateRateLimits, rates(before), rates(after)),
        (Action::UpdateApiKeyPolicy, life(before), life(after)),
    ];
    let changed = parts.into_iter().filter(|(_, before, after)| before != after);
    changed.map(|(action, before, after)| place.deed(context, action)?.from(&before)?.to(&after)).collect()
}

/// How the body that is judged calls a limit.
pub(crate) type Naming = fn(&str) -> String;

/// The body is the limits.
pub(crate) fn bare(name: &str) -> String {
    name.to_owned()
}

/// The limits stand under `limits`.
pub(crate) fn nested(name: &str) -> String {
    format!("limits.{name}")
}

/// Checks limits that are being set: each by itself, the models against the catalogue, the numbers against those of
/// the parents. Limits that were set before are not judged again, since a parent may have been lowered since.
pub(crate) async fn check(
    tx: &mut Tx,
    touched: &Limits,
    parents: &[(&str, &Limits)],
    naming: Naming,
) -> Result<(), ControlError> {
    check_values(touched, &naming)?;
    if let Some(entries) = &touched.allowed_models {
        models::check_entries(tx, entries, &naming("allowed_models")).await?;
    }
    if let Some(names) = &touched.fallback_models {
        let catalogue = models::catalogue(tx).await?;
        permissions::check_fallbacks(&catalogue, names, &naming("fallback_models"))?;
    }
    check_parents(touched, parents, &naming)
}

/// The same against a catalogue at hand.
pub(crate) fn check_in(
    catalogue: &Catalogue,
    touched: &Limits,
    parents: &[(&str, &Limits)],
    naming: &dyn Fn(&str) -> String,
) -> Result<(), ControlError> {
    check_values(touched, naming)?;
    if let Some(entries) = &touched.allowed_models {
        models::check_entries_in(catalogue, entries, &naming("allowed_models"))?;
    }
    if let Some(names) = &touched.fallback_models {
        permissions::check_fallbacks(catalogue, names, &naming("fallback_models"))?;
    }
    check_parents(touched, parents, naming)
}

fn check_parents(
    touched: &Limits,
    parents: &[(&str, &Limits)],
    naming: &dyn Fn(&str) -> String,
) -> Result<(), ControlError> {
    for (parent, limits) in parents {
        if let Some(name) = touched.above(limits) {
            return Err(ControlError::field(
                &naming(name),
                format!("stands above the same limit of the {parent}"),
            ));
        }
        permissions::check_below(touched, parent, limits, naming)?;
    }
    Ok(())
}

fn check_values(limits: &Limits, naming: &dyn Fn(&str) -> String) -> Result<(), ControlError> {
    let refuse = |name: &str, sentence: &str| Err(ControlError::field(&naming(name), sentence));
    for (name, value) in limits.numbers() {
        // Money is bounded by its type.
        if !name.ends_with("_usd") && value.is_some_and(|count| count > LARGEST_COUNT) {
            return refuse(name, "must be at most 1,000,000,000,000");
        }
    }
    if let Some(thresholds) = &limits.alert_thresholds {
        let in_range = thresholds.iter().all(|percent| (1..=100).contains(percent));
        if !in_range || !thresholds.is_sorted_by(|a, b| a < b) || thresholds.len() > MOST_THRESHOLDS {
            return refuse("alert_thresholds", "must be per cents from 1 to 100 in ascending order");
        }
    }
    if limits.max_key_lifetime_days.is_some_and(|days| !(1..=LONGEST_LIFETIME_DAYS).contains(&days)) {
        return refuse("max_key_lifetime_days", "must be from 1 to 36,500");
    }
    if limits.max_key_idle_days.is_some_and(|days| !(1..=LONGEST_LIFETIME_DAYS).contains(&days)) {
        return refuse("max_key_idle_days", "must be from 1 to 36,500");
    }
    if limits.timezone.as_deref().is_some_and(|zone| Zone::parse(zone).is_none()) {
        return refuse("timezone", "must be a name of the IANA database such as UTC or Europe/Paris");
    }
    permissions::check_values(limits, naming)
}
