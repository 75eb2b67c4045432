//! `/v1/admin/analytics`: the series that have no meaning here are empty; tokens by workspace are real.

use super::paging::{free, nullable, whole};
use super::{Answer, Shared};
use crate::Control;
use crate::actions::usage::{self, Asked};
use crate::context::Context;
use crate::error::{ControlError, Fault, Step};
use crate::intake::params::Params;
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::calendar::Window;
use louver_domain::id::WorkspaceId;
use louver_domain::time::Timestamp;
use louver_mistral::admin::analytics::{
    VibeConsumedTokensStat, VibeOrganizationStatsOUT, VibeWorkByAgentStatsOUT, VibeWorkByTimeStatsOUT,
    VibeWorkByUserStatsOUT, VibeWorkspaceStatsOUT,
};
use louver_mistral::admin::values::Date;
use louver_store::usage::{Group, GroupBy, Sums};

const GRANULARITIES: [&str; 4] = ["hour", "day", "week", "month"];
/// The characters of a date in an RFC 3339 time.
const DATE: usize = 10;

pub(crate) fn routes() -> Routes {
    let see = Action::ReadUsage;
    Routes::new()
        .get("/v1/admin/analytics/vibe/work/usage/by_user_stats", see, by_user)
        .get("/v1/admin/analytics/vibe/work/usage/by_agent_stats", see, by_agent)
        .get("/v1/admin/analytics/vibe/work/usage/by_time_stats", see, by_time)
        .get("/v1/admin/analytics/vibe/code/usage/by_workspace", see, by_workspace)
        .get("/v1/admin/analytics/vibe/code/usage/by_organization", see, by_organization)
}

/// The window that is asked about, in seconds since 1970; one that ends before it begins is empty.
#[derive(Clone, Copy)]
struct Span {
    start: i64,
    end: i64,
}

impl Span {
    fn read(params: &mut Params) -> Result<Self, ControlError> {
        let mut required = |name| whole(params, name)?.ok_or_else(|| missing(name));
        Ok(Self { start: required("start_time")?, end: required("end_time")? })
    }
}

fn missing(name: &str) -> ControlError {
    let loc = vec![Step::Name("query".into()), Step::Name(name.to_owned())];
    ControlError::Invalid(Fault { loc, message: "is required".into(), kind: "missing" })
}

async fn by_user(mut params: Params) -> Answer {
    let span = Span::read(&mut params)?;
    params.done()?;
    Ok(reply::ok(&VibeWorkByUserStatsOUT::empty(span.start, span.end)))
}

async fn by_agent(mut params: Params) -> Answer {
    let span = Span::read(&mut params)?;
    params.done()?;
    Ok(reply::ok(&VibeWorkByAgentStatsOUT::empty(span.start, span.end)))
}

async fn by_time(mut params: Params) -> Answer {
    let span = Span::read(&mut params)?;
    let granularity = nullable(&mut params, "granularity")?;
    params.done()?;
    if granularity.is_some_and(|text| !GRANULARITIES.contains(&text.as_str())) {
        return Err(ControlError::parameter("granularity", "expected hour, day, week or month"));
    }
    Ok(reply::ok(&VibeWorkByTimeStatsOUT::empty(span.start, span.end)))
}

async fn by_organization(mut params: Params) -> Answer {
    let span = Span::read(&mut params)?;
    params.done()?;
    Ok(reply::ok(&VibeOrganizationStatsOUT::empty(span.start, span.end)))
}

async fn by_workspace(State(control): Shared, context: Context, mut params: Params) -> Answer {
    let span = Span::read(&mut params)?;
    let workspace = free(&mut params, "workspace_id")?;
    params.done()?;
    let tokens = match workspace.as_deref().map(WorkspaceId::parse) {
        // What is no id is the id of nothing.
        Some(None) => vec![],
        Some(Some(id)) => consumed(&control, &context, span, Some(id)).await?,
        None => consumed(&control, &context, span, None).await?,
    };
    Ok(reply::ok(&VibeWorkspaceStatsOUT::with_tokens(span.start, span.end, tokens)))
}

async fn consumed(
    control: &Control,
    context: &Context,
    span: Span,
    workspace: Option<WorkspaceId>,
) -> Result<Vec<VibeConsumedTokensStat>, ControlError> {
    let at = |seconds| Timestamp::from_micros(0).plus_seconds(seconds);
    let by = GroupBy { granularity: Some(Window::Day), model: true, ..GroupBy::default() };
    let asked = Asked { from: at(span.start), to: at(span.end), workspace, by };
    let sums = usage::sums(control, context, asked).await?;
    Ok(sums.iter().filter_map(|(group, sums)| stat(group, sums)).collect())
}

fn stat(group: &Group, sums: &Sums) -> Option<VibeConsumedTokensStat> {
    Some(VibeConsumedTokensStat {
        day: Date::parse(group.period?.rfc3339().get(..DATE)?)?,
        model: group.model.clone()?,
        cached_tokens: sums.tokens.cached,
        input_tokens: sums.tokens.input,
        output_tokens: sums.tokens.output,
    })
}
