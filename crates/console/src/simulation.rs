//! Limits tried on the past: what a draft would have refused of the calls of the last days. Nothing is changed.

use crate::answer::Answer;
use crate::budgets::must;
use crate::fields::Fields;
use crate::figures::{dollars, moment, number};
use crate::frame::{Here, Visit};
use crate::kit::form::{Faults, Field};
use crate::kit::table::{Column, table};
use crate::kit::{Card, Head, Stat, Tone, badge, empty, note, stats};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use louver_control::Control;
use louver_control::actions::limits::LimitsPatch;
use louver_control::actions::simulation::{self, Asked, Bounds, Simulated};
use louver_control::error::{ControlError, Fault};
use louver_domain::access::Action;
use louver_domain::money::Money;
use louver_domain::simulation::{Finding, Rule, Scope};
use maud::{Markup, html};
use std::collections::BTreeMap;
use std::sync::Arc;

const HOME: &str = "/console/limits/simulate";
const ORGANIZATION: &str = "organization";
/// Rules that one page tells of.
const MOST_RULES: usize = 100;

pub(crate) fn pages() -> Router<Arc<Control>> {
    Router::new().route(HOME, get(ask).post(run))
}

async fn ask(visit: Visit) -> Answer {
    must(&visit, Action::Simulate)?;
    Ok(drawn(&visit, StatusCode::OK, &Fields::default(), &Faults::none(), None))
}

/// A simulation reads much and changes nothing; it is sent by POST so that no link starts one.
async fn run(State(control): State<Arc<Control>>, visit: Visit, fields: Fields) -> Answer {
    must(&visit, Action::Simulate)?;
    let simulated = match read(&fields) {
        Ok(asked) => simulation::run(&control, &visit.context, asked, Bounds::default()).await,
        Err(error) => Err(error),
    };
    match simulated {
        Ok(simulated) => Ok(drawn(&visit, StatusCode::OK, &fields, &Faults::none(), Some(&simulated))),
        Err(error) => {
            let faults = Faults::of(of_the_form(error))?;
            Ok(drawn(&visit, StatusCode::UNPROCESSABLE_ENTITY, &fields, &faults, None))
        }
    }
}

/// The action names a field by its whole path; the form has one scope at a time.
fn of_the_form(error: ControlError) -> ControlError {
    match error {
        ControlError::Invalid(fault) => {
            let path = fault.param();
            let name = path.rsplit('.').next().unwrap_or_default().to_owned();
            let Fault { message, .. } = fault;
            ControlError::field(&name, message)
        }
        other => other,
    }
}

fn read(fields: &Fields) -> Result<Asked, ControlError> {
    let days = fields.number("days")?.map(|days| u32::try_from(days).unwrap_or(u32::MAX));
    let patch = LimitsPatch {
        requests_per_minute: fields.number("requests_per_minute")?.map(Some),
        tokens_per_minute: fields.number("tokens_per_minute")?.map(Some),
        hourly_budget_usd: dollars_of(fields, "hourly_budget_usd")?,
        daily_budget_usd: dollars_of(fields, "daily_budget_usd")?,
        monthly_budget_usd: dollars_of(fields, "monthly_budget_usd")?,
        allowed_models: models(fields).map(Some),
        ..LimitsPatch::default()
    };
    let mut asked = Asked { days, ..Asked::default() };
    match fields.text("scope") {
        "" | ORGANIZATION => asked.organization = Some(patch),
        id => asked.workspaces = BTreeMap::from([(id.to_owned(), patch)]),
    }
    Ok(asked)
}

fn dollars_of(fields: &Fields, name: &str) -> Result<Option<Option<Money>>, ControlError> {
    Ok(fields.dollars(name)?.map(Some))
}

fn models(fields: &Fields) -> Option<Vec<String>> {
    let all = fields.raw("allowed_models").split([',', '\n', '\r', ' ']);
    let all: Vec<String> = all.map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect();
    (!all.is_empty()).then_some(all)
}

fn drawn(
    visit: &Visit,
    status: StatusCode,
    fields: &Fields,
    faults: &Faults,
    simulated: Option<&Simulated>,
) -> Response {
    let meta = vec![
        html! { "What a draft of limits would have refused. Nothing is changed, and nothing is spent." },
    ];
    let body = html! {
        (Head { title: "Simulate limits", meta, ..Head::default() }.draw())
        div.stack {
            @if let Some(simulated) = simulated { (outcome(visit, simulated)) }
            (form(visit, fields, faults))
        }
    };
    let way = [("Budgets & limits", "/console/limits"), ("Simulate", "")];
    visit.page_with(status, Here::Limits, &way, &body)
}

fn form(visit: &Visit, fields: &Fields, faults: &Faults) -> Markup {
    let mut scopes = vec![(ORGANIZATION.to_owned(), format!("{} (organization)", visit.around.organization))];
    let open = visit.around.workspaces.iter().filter(|one| one.archived_at.is_none());
    scopes.extend(open.map(|one| (one.id.to_string(), one.name.clone())));
    let given = fields.text("days");
    let days = Field::new("days", "Days of the past").hint("1 to 93.").unit("days").required();
    let days = Field { value: if given.is_empty() { "30" } else { given }, fault: faults.at("days"), ..days };
    let money = |name, label| Field::new(name, label).dollars().filled(fields, faults).draw();
    let count = |name, label, unit| Field::new(name, label).unit(unit).filled(fields, faults).draw();
    html! {
        section.card {
            form.form.body method="post" action=(HOME) {
                (faults.summary())
                div.pair {
                    (Field::new("scope", "Limits of").required().filled(fields, faults).choice(&scopes))
                    (days.draw())
                }
                p.hint { "What is empty stays as it is set now." }
                div.pair {
                    (money("monthly_budget_usd", "Dollars a month"))
                    (money("daily_budget_usd", "Dollars a day"))
                }
                div.pair {
                    (money("hourly_budget_usd", "Dollars an hour"))
                    (count("requests_per_minute", "Calls a minute", "calls"))
                }
                (count("tokens_per_minute", "Tokens a minute", "tokens"))
                (Field::new("allowed_models", "Allowed models").hint("Ids, aliases, families or globs such as ministral-*, one a line.").filled(fields, faults).lines(3))
                div.acts { button.btn.main { "Simulate" } a.btn.plain href="/console/limits" { "Back" } }
            }
        }
    }
}

fn outcome(visit: &Visit, simulated: &Simulated) -> Markup {
    let outcome = &simulated.outcome;
    let (all, refused) = (&outcome.all, &outcome.refused);
    let mut rules: Vec<(&Rule, &Finding)> = outcome.rules.iter().collect();
    rules.sort_by_key(|(_, finding)| std::cmp::Reverse(finding.total.calls));
    html! {
        @if !simulated.complete {
            (note(Tone::Warn, &html! { p { "Not all of the time was looked at: there are too many calls. The figures end at " (moment(simulated.to)) "." } }, None))
        }
        (stats(&[
            Stat { label: "Calls looked at", figure: html! { (number(all.calls)) }, word: html! { "since " (moment(simulated.from)) }, course: None },
            Stat { label: "Would be refused", figure: html! { (number(refused.calls)) }, word: html! { (dollars(refused.cost.nanos())) " of " (dollars(all.cost.nanos())) }, course: None },
        ]))
        (Card {
            id: "rules", title: "What would refuse them", flush: Some(html! {
                @if rules.is_empty() { (empty("Nothing would be refused", "All calls of that time fit under the draft.", None)) }
                @else { (rule_table(visit, simulated, &rules)) }
            }),
            foot: (rules.len() > MOST_RULES).then(|| html! { span { "The " (MOST_RULES) " with the most calls." } }),
            ..Card::default()
        }.draw())
    }
}

fn rule_table(visit: &Visit, simulated: &Simulated, rules: &[(&Rule, &Finding)]) -> Markup {
    let columns = [
        Column::text("Whose limit"),
        Column::text("Limit"),
        Column::number("Calls"),
        Column::number("Spend"),
        Column::text("First"),
        Column::text("Mode"),
    ];
    let row = |(rule, finding): &(&Rule, &Finding)| {
        vec![
            html! { (whose(visit, simulated, &rule.scope)) },
            html! { (rule.limit.replace('_', " ")) },
            html! { (number(finding.total.calls)) },
            html! { (dollars(finding.total.cost.nanos())) },
            html! { span.nowrap { (moment(finding.first.at)) } span.sub { (finding.first.model) } },
            html! { @if finding.enforced { (badge(Tone::Good, "Enforce")) } @else { (badge(Tone::Shadow, "Shadow")) } },
        ]
    };
    let rows: Vec<Vec<Markup>> = rules.iter().take(MOST_RULES).map(row).collect();
    table("Rules that would refuse calls", &columns, &rows)
}

fn whose(visit: &Visit, simulated: &Simulated, scope: &Scope) -> String {
    let names = &simulated.names;
    let found = match scope {
        Scope::Organization => Some(visit.around.organization.clone()),
        Scope::Workspace(id) => names.workspaces.get(id).cloned(),
        Scope::ModelRole(role) => Some(format!("role {role}")),
        Scope::User(id) => names.users.get(id).cloned(),
        Scope::Key(id) => names.keys.get(id).cloned(),
    };
    found.unwrap_or_else(|| "removed".to_owned())
}
