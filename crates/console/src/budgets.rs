//! Budgets: how each stands, of the organization, its workspaces, people and keys, and what to do where one waits for it.

use crate::answer::{Answer, go};
use crate::confirm::Question;
use crate::fields::{Asked, Fields, address};
use crate::figures::{distance, far};
use crate::frame::{Here, Visit};
use crate::kit::meter::{Meter, amount_of};
use crate::kit::table::{Column, pager, table};
use crate::kit::{Card, Head, Tone, badge, empty, link, note, tabs};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use louver_control::Control;
use louver_control::actions::budgets::{self, Fence, Standing, scopes};
use louver_control::error::ControlError;
use louver_domain::access::Action;
use louver_domain::budgets::Unit;
use louver_domain::calendar::{Period, Window};
use louver_domain::id::{BudgetId, KeyId, UserId};
use louver_domain::limits::Level;
use louver_domain::time::Timestamp;
use maud::{Markup, html};
use std::sync::Arc;

const HOME: &str = "/console/limits";
const A_PAGE: u32 = 50;

pub(crate) fn pages() -> Router<Arc<Control>> {
    Router::new()
        .route(HOME, get(show))
        .route("/console/limits/release", post(release))
        .route("/console/limits/budgets/{id}/unblock", post(unblock))
}

/// Refuses whoever may do this nowhere, before anything is read.
pub(crate) fn must(visit: &Visit, action: Action) -> Result<(), ControlError> {
    if visit.may(action) {
        return Ok(());
    }
    Err(ControlError::Lacking(action))
}

/// What is used of a budget, in per cent of it.
pub(crate) fn share(standing: &Standing) -> f64 {
    crate::kit::meter::share(standing.spent, standing.budget.limit)
}

/// Whether nothing is left.
pub(crate) fn is_used_up(standing: &Standing) -> bool {
    standing.spent >= standing.budget.limit || (standing.refused && standing.reserved == 0)
}

/// Where the owner of a budget is shown, and the window of it.
pub(crate) fn whose(standing: &Standing) -> (Option<String>, &'static str) {
    let scope = &standing.budget.scope;
    let id = scope.shown_id();
    let href = match scope.level {
        Level::Organization => None,
        Level::Workspace => Some(format!("/console/workspaces/{id}")),
        Level::User => Some(format!("/console/members/{id}")),
        Level::Key => Some(format!("/console/keys/{id}")),
        Level::ModelRole => Some("/console/roles".to_owned()),
    };
    let window = match standing.budget.kind.window() {
        Window::Hour => "hourly",
        Window::Day => "daily",
        Window::Month => "monthly",
    };
    (href, window)
}

/// What a period will have used at its end if it goes on like this; none where nothing was used.
pub(crate) fn forecast(spent: i64, period: Period, now: Timestamp) -> Option<i64> {
    let whole = i128::from(period.ends.micros()).saturating_sub(i128::from(period.starts.micros()));
    let passed = i128::from(now.micros()).saturating_sub(i128::from(period.starts.micros()));
    // The first hundredth of a period says nothing of the rest.
    if spent <= 0 || passed.saturating_mul(100) < whole {
        return None;
    }
    let cast = i128::from(spent).saturating_mul(whole).checked_div(passed)?;
    Some(i64::try_from(cast).unwrap_or(i64::MAX))
}

/// A budget as a bar with what there is to say of it.
pub(crate) fn gauge(standing: &Standing, now: Timestamp) -> Markup {
    let tokens = standing.budget.kind.unit() == Unit::Tokens;
    let amount = |value| amount_of(value, tokens);
    let forecast = forecast(standing.spent, standing.period, now);
    let (href, window) = whose(standing);
    let label = format!("{}, {window}", standing.name);
    html! {
        div.budget {
            p.line {
                span.with {
                    @if let Some(href) = href { a.title href=(href) title=(standing.name) { (standing.name) } }
                    @else { b { (standing.name) } }
                    span.quiet.small { (window) }
                    @if !standing.budget.enforced { (badge(Tone::Shadow, "Shadow")) }
                    @if standing.blocked { (badge(Tone::Bad, "Blocked")) }
                }
                span.sum { b { (amount(standing.spent)) } " " span.quiet { "of " (amount(standing.budget.limit)) } }
            }
            (Meter {
                label: &label, used: standing.spent, held: standing.reserved, limit: standing.budget.limit, forecast,
                thresholds: &standing.thresholds, tokens, slim: false,
            }.draw())
            p.line.small.quiet {
                span {
                    (amount(standing.remaining())) " left"
                    @if standing.reserved > 0 { " · " (amount(standing.reserved)) " held" }
                }
                span {
                    @if let Some(cast) = forecast { "≈ " (amount(cast)) " at the end · " }
                    "resets " (far(standing.period.ends, now))
                }
            }
        }
    }
}

/// Whose budgets a page shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Workspaces,
    People,
    Keys,
}

impl Of {
    fn read(text: &str) -> Self {
        match text {
            "members" => Self::People,
            "keys" => Self::Keys,
            _ => Self::Workspaces,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Workspaces => "",
            Self::People => "members",
            Self::Keys => "keys",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Workspaces => "Organization and workspaces",
            Self::People => "Members",
            Self::Keys => "Keys",
        }
    }
}

async fn show(State(control): State<Arc<Control>>, visit: Visit, asked: Asked) -> Answer {
    must(&visit, Action::ReadBudgets)?;
    let of = Of::read(asked.text("of"));
    let after = asked.text("after");
    let (standings, next) = match of {
        Of::Workspaces => {
            let all = scopes::of_workspaces(&control, &visit.context).await?;
            page_of(all, after)?
        }
        Of::People => {
            let after = parsed(after, UserId::parse)?;
            let page = scopes::of_people(&control, &visit.context, after, A_PAGE).await?;
            (page.standings, page.next.map(|id| id.to_string()))
        }
        Of::Keys => {
            let after = parsed(after, KeyId::parse)?;
            let page = scopes::of_keys(&control, &visit.context, after, A_PAGE).await?;
            (page.standings, page.next.map(|id| id.to_string()))
        }
    };
    let body = html! {
        (head(&visit))
        (parts(of))
        div.stack {
            @if standings.iter().any(|one| one.stranded > 0) && visit.may(Action::ReleaseStranded) { (stranded()) }
            (card(&visit, of, &standings, after, next.as_deref()))
        }
    };
    Ok(visit.page(Here::Limits, &[("Budgets & limits", HOME)], &body))
}

fn parsed<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, ControlError> {
    if text.is_empty() { Ok(None) } else { parse(text).map(Some).ok_or(ControlError::NotFound) }
}

/// The budgets after that one, and whether there are more.
fn page_of(all: Vec<Standing>, after: &str) -> Result<(Vec<Standing>, Option<String>), ControlError> {
    let after = parsed(after, BudgetId::parse)?;
    let most = usize::try_from(A_PAGE).unwrap_or(usize::MAX);
    let from = match after {
        None => 0,
        Some(id) => {
            let place = all.iter().position(|one| one.budget.id == id).ok_or(ControlError::NotFound)?;
            place.saturating_add(1)
        }
    };
    let more = all.len() > from.saturating_add(most);
    let page: Vec<Standing> = all.into_iter().skip(from).take(most).collect();
    let next = page.last().filter(|_| more).map(|one| one.budget.id.to_string());
    Ok((page, next))
}

fn head(visit: &Visit) -> Markup {
    let mut acts = Vec::new();
    if visit.may(Action::Simulate) {
        acts.push(link("/console/limits/simulate", None, "Simulate"));
    }
    if visit.may(Action::UpdateOrganization) {
        acts.push(link("/console/limits/edit", None, "Organization’s limits"));
    }
    let meta = vec![html! { "Every budget, and how it stands in the period that runs" }];
    Head { title: "Budgets & limits", meta, acts, ..Head::default() }.draw()
}

fn parts(here: Of) -> Markup {
    let all = [Of::Workspaces, Of::People, Of::Keys];
    let ways: Vec<(&str, String)> =
        all.iter().map(|of| (of.title(), address(HOME, &[("of", of.word())]))).collect();
    tabs("Whose budgets", &ways, here.title())
}

fn card(visit: &Visit, of: Of, standings: &[Standing], after: &str, next: Option<&str>) -> Markup {
    let first = (!after.is_empty()).then(|| address(HOME, &[("of", of.word())]));
    let next = next.map(|next| address(HOME, &[("of", of.word()), ("after", next)]));
    let flush = html! {
        @if standings.is_empty() {
            (empty("No budgets here", "Set one in the limits of the organization, a workspace, a member or a key.", None))
        } @else { (rows(visit, of, standings)) }
    };
    let count = match standings.len() {
        1 => "1 budget on this page".to_owned(),
        many => format!("{many} budgets on this page"),
    };
    Card {
        id: "standings",
        title: of.title(),
        flush: Some(flush),
        foot: Some(pager(&count, first.as_deref(), next.as_deref())),
        ..Card::default()
    }
    .draw()
}

fn rows(visit: &Visit, of: Of, standings: &[Standing]) -> Markup {
    let columns = [
        Column::text("Whose"),
        Column::text("Used"),
        Column::number("Held"),
        Column::number("Left"),
        Column::text("Resets"),
        Column::text("Alerts at"),
        Column::text("State"),
        Column::text("Actions"),
    ];
    let label = format!("Budgets of {}", of.title().to_lowercase());
    let all: Vec<Vec<Markup>> = standings.iter().map(|one| row(visit, one)).collect();
    table(&label, &columns, &all)
}

fn row(visit: &Visit, standing: &Standing) -> Vec<Markup> {
    let tokens = standing.budget.kind.unit() == Unit::Tokens;
    let amount = |value| amount_of(value, tokens);
    let (href, window) = whose(standing);
    let label = format!("{}, {window}", standing.name);
    let thresholds: Vec<String> = standing.thresholds.iter().map(|one| format!("{one} %")).collect();
    vec![
        html! {
            @if let Some(href) = href { a.title href=(href) title=(standing.name) { (standing.name) } }
            @else { b { (standing.name) } }
            span.sub { (window) }
        },
        html! {
            span.nowrap { (amount(standing.spent)) " " span.quiet { "of " (amount(standing.budget.limit)) } }
            (Meter { label: &label, used: standing.spent, held: standing.reserved, limit: standing.budget.limit, tokens, slim: true, ..Meter::default() }.draw())
        },
        html! { (amount(standing.reserved)) },
        html! { (amount(standing.remaining())) @if standing.stranded > 0 { span.sub { (amount(standing.stranded)) " stranded" } } },
        distance(standing.period.ends, visit.context.now),
        html! { span.nowrap { (thresholds.join(", ")) } },
        state(standing),
        acts(visit, standing),
    ]
}

fn state(standing: &Standing) -> Markup {
    html! {
        @if standing.blocked { (badge(Tone::Bad, "Blocked")) }
        @else if !standing.budget.enforced { (badge(Tone::Shadow, "Shadow")) }
        @else if is_used_up(standing) { (badge(Tone::Bad, "Used up")) }
        @else if share(standing) >= 80.0 { (badge(Tone::Warn, "Nearly used up")) }
        @else { (badge(Tone::Good, "Enforcing")) }
    }
}

fn acts(visit: &Visit, standing: &Standing) -> Markup {
    let scope = &standing.budget.scope;
    let edit = match scope.level {
        Level::Organization if visit.may(Action::UpdateOrganization) => {
            Some("/console/limits/edit".to_owned())
        }
        Level::Workspace if visit.may(Action::UpdateWorkspaceLimits) => {
            Some(format!("/console/workspaces/{}/limits", scope.shown_id()))
        }
        Level::Organization | Level::Workspace | Level::User | Level::ModelRole | Level::Key => None,
    };
    html! {
        div.acts {
            @if standing.blocked && visit.may(Action::UnblockBudget) {
                form method="post" action={ "/console/limits/budgets/" (standing.budget.id) "/unblock" }
                    data-confirm=(UNBLOCK) data-confirm-title="Unblock this budget?" data-confirm-yes="Unblock" {
                    button.btn.tiny { "Unblock" span.sr { " the budget of " (standing.name) } }
                }
            }
            @if let Some(edit) = edit { a.btn.tiny href=(edit) { "Change" span.sr { " the limits of " (standing.name) } } }
        }
    }
}

const UNBLOCK: &str = "A bill came out above its bound, and the budget was blocked until somebody has looked. Unblock it \
     when you know why: calls are let through again.";

async fn unblock(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let id = BudgetId::parse(&id).ok_or(ControlError::NotFound)?;
    must(&visit, Action::UnblockBudget)?;
    let action = format!("/console/limits/budgets/{id}/unblock");
    let question = Question {
        action: &action,
        title: "Unblock this budget?",
        text: UNBLOCK,
        yes: "Unblock",
        back: HOME,
    };
    if let Some(asks) = question.unless_answered(&fields) {
        return Ok(asks);
    }
    budgets::unblock(&control, &visit.context, id).await?;
    Ok(go("/console/limits?done=unblocked"))
}

const FENCES: [(&str, Fence, &str); 3] = [
    ("process_ended", Fence::ProcessEnded, "The process has ended, and upstream’s figures were compared"),
    ("credential_rotated", Fence::CredentialRotated, "The upstream credential that it held is revoked"),
    ("machine_destroyed", Fence::MachineDestroyed, "The machine is gone for good"),
];

/// What a node that is gone took with it comes back only when somebody says why nothing can be billed on it any more.
fn stranded() -> Markup {
    note(
        Tone::Warn,
        &html! {
            p { b { "Some money is stranded." } " A node is gone that had it in hand. It comes back when nothing can be billed on it any more." }
            form.filters method="post" action="/console/limits/release" {
                label for="fence" { "Why that is so" }
                select #fence name="fence" { @for (value, _, text) in FENCES { option value=(value) { (text) } } }
                button.btn.tiny { "Release all of it" }
            }
        },
        None,
    )
}

async fn release(State(control): State<Arc<Control>>, visit: Visit, fields: Fields) -> Answer {
    must(&visit, Action::ReleaseStranded)?;
    let word = fields.text("fence");
    let (_, fence, why) = FENCES
        .into_iter()
        .find(|(value, _, _)| *value == word)
        .ok_or_else(|| ControlError::field("fence", "must say why nothing can be billed on it any more"))?;
    if let Some(asks) = release_question(why, &fields) {
        return Ok(asks);
    }
    budgets::release(&control, &visit.context, None, fence).await?;
    Ok(go("/console/limits?done=released"))
}

fn release_question(why: &str, fields: &Fields) -> Option<Response> {
    let text = format!("{why}. If that is not so, budgets may be passed by what is still billed.");
    let question = Question {
        action: "/console/limits/release",
        title: "Release what is stranded?",
        text: &text,
        yes: "Release",
        back: HOME,
    };
    question.unless_answered(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forecast_is_the_pace_so_far_to_the_end() {
        let at = |seconds| Timestamp::from_micros(0).plus_seconds(seconds);
        let period = Period { starts: at(0), ends: at(1_000) };
        for (spent, now, cast) in
            [(10, 500, Some(20)), (10, 1_000, Some(10)), (10, 5, None), (0, 500, None), (7, 10, Some(700))]
        {
            assert_eq!(forecast(spent, period, at(now)), cast);
        }
        assert_eq!(forecast(i64::MAX, period, at(100)), Some(i64::MAX));
    }
}
