//! Model roles: which models, how many tokens a call and how many a day, by what a person does.

use crate::endpoints::EndpointKind;
use crate::limits::ServiceTier;
use crate::models::MATCH_ALL;

/// A model role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelRole {
    /// Its name, unique in the organization.
    pub name: String,
    /// Entries of its allow-list.
    pub allowed_models: Vec<String>,
    /// Endpoints that may be called; `None` is all.
    pub allowed_endpoints: Option<Vec<EndpointKind>>,
    /// Types of tools that the provider runs which may be offered; `None` is what stands above.
    pub allowed_tools: Option<Vec<String>>,
    /// Service tiers that may be asked for beside the standard one; `None` is what stands above.
    pub allowed_service_tiers: Option<Vec<ServiceTier>>,
    /// Hours that a signed URL may live at most; `None` is what stands above.
    pub max_signed_url_hours: Option<u32>,
    /// Estimated input and allowed output of one call, in tokens; `None` is no limit.
    pub max_tokens_per_request: Option<u64>,
    /// Tokens a day for each person who has it; `None` is no limit.
    pub daily_token_budget: Option<u64>,
    /// Whether Louver brought it along; such a role can be edited and restored, not deleted.
    pub builtin: bool,
}

/// The four roles that every organization starts with, from the least to the most.
pub fn builtin() -> Vec<ModelRole> {
    let role = |name: &str, models: &[&str], per_request, daily| ModelRole {
        name: name.to_owned(),
        allowed_models: models.iter().map(|m| (*m).to_owned()).collect(),
        allowed_endpoints: None,
        allowed_tools: None,
        allowed_service_tiers: None,
        max_signed_url_hours: None,
        max_tokens_per_request: Some(per_request),
        daily_token_budget: daily,
        builtin: true,
    };
    let (small, large) = ("mistral-small-latest", "mistral-large-latest");
    let (code, embed) = ("codestral-latest", "mistral-embed");
    vec![
        role("analyst", &[small, embed], 500, Some(100_000)),
        role("developer", &[small, code, embed], 2_000, Some(500_000)),
        role("senior", &[small, large, code, embed], 4_000, Some(1_000_000)),
        role("admin", &[MATCH_ALL], 8_000, None),
    ]
}
