//! Rotation policies: what is said about the rotation of keys, on organization, workspace and key.

use crate::answer::{Answer, go};
use crate::fields::{Asked, Fields, address};
use crate::frame::{Here, Visit};
use crate::kit::form::{Faults, Field, tick};
use crate::kit::icons::Icon;
use crate::kit::table::{Column, table};
use crate::kit::{Head, empty, main_link, tiny_link};
use crate::rotations::{ALL as ROTATIONS, parts};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::StatusCode;
use louver_control::Control;
use louver_control::actions::rotation_policies::{self as actions, PolicyIn, SetPolicy};
use louver_control::actions::secret_destinations;
use louver_control::error::ControlError;
use louver_domain::access::Action;
use louver_domain::id::{KeyId, SecretDestinationId, WorkspaceId};
use louver_domain::rotation_policies::{Policy, PolicyScope, time_of_day};
use louver_domain::rotations::OnOldUse;
use maud::{Markup, html};
use std::sync::Arc;

const ALL: (&str, &str) = ("Policies", "/console/rotations/policies");
const EDIT: &str = "/console/rotations/policies/edit";

pub(crate) fn pages() -> Router<Arc<Control>> {
    Router::new().route("/console/rotations/policies", get(list)).route(EDIT, get(ask).post(set))
}

async fn list(State(control): State<Arc<Control>>, visit: Visit) -> Answer {
    visit.context.admit(Action::ReadRotations)?;
    let all = actions::list(&control, &visit.context).await?;
    let may = visit.may(Action::UpdateRotationPolicy);
    let add = may.then(|| main_link(EDIT, Some(Icon::Plus), "Set a policy"));
    let columns = [
        Column::text("Where"),
        Column::text("Every"),
        Column::text("Overlap"),
        Column::text("Destinations"),
        Column::text("Begins"),
        Column::text("Old secret still used"),
        Column::text("Actions"),
    ];
    let rows: Vec<Vec<Markup>> = all.iter().map(|one| row(&visit, one, may)).collect();
    let meta = vec![html! { "Of each field holds what the nearest says: key, workspace, organization" }];
    let body = html! {
        (Head { title: "Rotation policies", meta, acts: add.iter().cloned().collect(), ..Head::default() }.draw())
        (parts(&visit, "Policies"))
        section.card {
            @if rows.is_empty() { (empty("No policy yet", "Where a policy says a period and destinations, keys are rotated by themselves.", add.as_ref())) }
            @else { (table("Rotation policies", &columns, &rows)) }
        }
    };
    Ok(visit.page(Here::Rotations, &[ROTATIONS, ALL], &body))
}

fn row(visit: &Visit, set: &SetPolicy, may: bool) -> Vec<Markup> {
    let policy = &set.policy;
    let edit = address(EDIT, &[("scope", set.scope.kind()), ("scope_id", &set.scope.shown_id())]);
    let said = |text: Option<String>| html! { (text.as_deref().unwrap_or("–")) };
    vec![
        place(visit, set.scope),
        said(policy.period_days.map(|days| format!("{days} days"))),
        said(policy.overlap_hours.map(|hours| format!("{hours} hours"))),
        said(policy.destinations.as_ref().map(|all| match all.len() {
            0 => "none".to_owned(),
            1 => "1 destination".to_owned(),
            many => format!("{many} destinations"),
        })),
        said(
            policy
                .window
                .map(|window| format!("{} to {}", time_of_day(window.start), time_of_day(window.end))),
        ),
        said(policy.on_old_use.map(|what| old_use(what).to_owned())),
        html! { @if may { (tiny_link(&edit, "Change")) } },
    ]
}

const fn old_use(what: OnOldUse) -> &'static str {
    match what {
        OnOldUse::Hold => "its end moves on",
        OnOldUse::Cut => "it ends all the same",
    }
}

fn place(visit: &Visit, scope: PolicyScope) -> Markup {
    match scope {
        PolicyScope::Organization(_) => html! { "the organization" },
        PolicyScope::Workspace(id) => {
            let known = visit.around.workspaces.iter().find(|one| one.id == id);
            html! { a href={ "/console/workspaces/" (id) } { (known.map_or_else(|| id.to_string(), |one| one.name.clone())) } }
        }
        PolicyScope::Key(id) => html! { "key " a.mono href={ "/console/keys/" (id) } { (id) } },
    }
}

async fn ask(State(control): State<Arc<Control>>, visit: Visit, asked: Asked) -> Answer {
    visit.context.admit(Action::UpdateRotationPolicy)?;
    let all = actions::list(&control, &visit.context).await?;
    let stored = all.iter().find(|one| {
        one.scope.kind() == asked.text("scope") && one.scope.shown_id() == asked.text("scope_id")
    });
    let policy = stored.map(|one| one.policy.clone()).unwrap_or_default();
    form_page(&control, &visit, &asked, &Shown::of(&policy), &Faults::none()).await
}

/// A policy as texts in a form.
#[derive(Default)]
struct Shown {
    numbers: [String; 5],
    destinations: Vec<String>,
    on_old_use: String,
    window: [String; 2],
}

/// The numbers of a policy: field, what it is called, unit, and what helps.
const NUMBERS: [(&str, &str, &str, &str); 5] = [
    ("period_days", "Every", "days", "1 to 3,650; empty: nothing is said here"),
    ("overlap_hours", "Both secrets work", "hours", "Up to 720"),
    (
        "propagation_seconds",
        "Readers are given",
        "seconds",
        "Until everybody can have read what was written; up to 86,400",
    ),
    ("jitter_hours", "Begins early by up to", "hours", "Each key at its own time; up to 720"),
    ("remind_days", "People are told before", "days", "Up to 365"),
];

impl Shown {
    fn of(policy: &Policy) -> Self {
        let text = |number: Option<u32>| number.map_or_else(String::new, |number| number.to_string());
        let time = |minutes: Option<u32>| minutes.map_or_else(String::new, time_of_day);
        Self {
            numbers: [
                policy.period_days,
                policy.overlap_hours,
                policy.propagation_seconds,
                policy.jitter_hours,
                policy.remind_days,
            ]
            .map(text),
            destinations: policy.destinations.iter().flatten().map(ToString::to_string).collect(),
            on_old_use: policy.on_old_use.map(OnOldUse::as_str).unwrap_or_default().to_owned(),
            window: [time(policy.window.map(|one| one.start)), time(policy.window.map(|one| one.end))],
        }
    }

    fn sent(fields: &Fields) -> Self {
        let text = |name: &str| fields.text(name).to_owned();
        Self {
            numbers: NUMBERS.map(|(name, ..)| text(name)),
            destinations: fields.list("destinations"),
            on_old_use: text("on_old_use"),
            window: ["window_start", "window_end"].map(text),
        }
    }
}

async fn form_page(
    control: &Control,
    visit: &Visit,
    fields: &Fields,
    shown: &Shown,
    faults: &Faults,
) -> Answer {
    let destinations = if visit.may(Action::ReadSecretDestinations) {
        secret_destinations::list(control, &visit.context).await?
    } else {
        vec![]
    };
    let time = |name, label, value| {
        Field { value, fault: faults.at(name), ..Field::new(name, label).kind("time") }.draw()
    };
    let uses = [
        ("", "Nothing is said here"),
        ("hold", "Its end moves on, and people are told"),
        ("cut", "It ends all the same"),
    ];
    let uses = uses.map(|(value, text)| (value.to_owned(), text.to_owned()));
    let body = html! {
        (Head { title: "Set a rotation policy", ..Head::default() }.draw())
        (faults.summary())
        section.card {
            form.form.body method="post" action=(EDIT) {
                p { "An empty field says nothing, and then the next scope further out does. With nothing said at all the policy is removed." }
                (scope_fields(visit, fields, faults))
                div.pair {
                    @for ((name, label, unit, hint), value) in NUMBERS.iter().zip(&shown.numbers) {
                        (Field { value, fault: faults.at(name), ..Field::new(name, label).unit(unit).hint(hint) }.draw())
                    }
                }
                fieldset #destinations {
                    legend { "Destinations" }
                    p.hint { "None ticked: nothing is said here" }
                    div.choice {
                        @for one in &destinations {
                            (tick("checkbox", "destinations", &one.id.to_string(), shown.destinations.contains(&one.id.to_string()), &one.name, None))
                        }
                    }
                    @if destinations.is_empty() { p { "There is none yet." } }
                    @if let Some(fault) = faults.at("destinations") { p.error { (fault) } }
                }
                div.pair {
                    (time("window_start", "Rotations begin from", &shown.window[0]))
                    (time("window_end", "and before", &shown.window[1]))
                    (Field { value: &shown.on_old_use, fault: faults.at("on_old_use"), ..Field::new("on_old_use", "When the old secret is still used at its end") }.choice(&uses))
                }
                div.acts { button.btn.main { "Set it" } a.btn.plain href=(ALL.1) { "Cancel" } }
            }
        }
    };
    let status = if faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(visit.page_with(status, Here::Rotations, &[ROTATIONS, ALL, ("Set", "")], &body))
}

/// Where it is set. A workspace is chosen; a key is named by its id.
fn scope_fields(visit: &Visit, fields: &Fields, faults: &Faults) -> Markup {
    let id = fields.text("scope_id");
    let of_key = fields.text("scope") == "key";
    let chosen = match fields.text("scope") {
        "" if fields.text("workspace").is_empty() => "organization".to_owned(),
        "workspace" => id.to_owned(),
        "organization" => "organization".to_owned(),
        _ => fields.text("workspace").to_owned(),
    };
    let organization = ("organization".to_owned(), "All of the organization".to_owned());
    let workspaces = visit.around.workspaces.iter().map(|one| (one.id.to_string(), one.name.clone()));
    let places: Vec<_> = std::iter::once(organization).chain(workspaces).collect();
    let key = if of_key { id } else { fields.text("key") };
    html! {
        div.pair {
            (Field { value: &chosen, fault: faults.at("scope_id"), ..Field::new("workspace", "Keys of").required() }.choice(&places))
            (Field { value: key, fault: faults.at("key"), ..Field::new("key", "Or of one key").hint("Its id") }.draw())
        }
    }
}

async fn set(State(control): State<Arc<Control>>, visit: Visit, fields: Fields) -> Answer {
    match store(&control, &visit, &fields).await {
        Ok(()) => Ok(go("/console/rotations/policies?done=saved")),
        Err(error) => form_page(&control, &visit, &fields, &Shown::sent(&fields), &Faults::of(error)?).await,
    }
}

async fn store(control: &Control, visit: &Visit, fields: &Fields) -> Result<(), ControlError> {
    let (scope, scope_id) = match (fields.text("key"), fields.text("workspace")) {
        ("", "organization") => ("organization", None),
        ("", workspace) => ("workspace", WorkspaceId::parse(workspace).map(|id| id.to_string())),
        (key, _) => {
            let id = KeyId::parse(key).ok_or_else(|| ControlError::field("key", "is not the id of a key"))?;
            ("key", Some(id.to_string()))
        }
    };
    let number = |name: &'static str| -> Result<Option<u32>, ControlError> {
        let wrong = |_| ControlError::field(name, "is too large");
        fields.number(name)?.map(|number| u32::try_from(number).map_err(wrong)).transpose()
    };
    let chosen: Option<Vec<SecretDestinationId>> =
        fields.list("destinations").iter().map(|id| SecretDestinationId::parse(id)).collect();
    let wrong = || ControlError::field("destinations", "names a destination that is not there");
    let policy = PolicyIn {
        scope: scope.to_owned(),
        scope_id,
        period_days: number("period_days")?,
        overlap_hours: number("overlap_hours")?,
        destinations: Some(chosen.ok_or_else(wrong)?).filter(|all| !all.is_empty()),
        propagation_seconds: number("propagation_seconds")?,
        on_old_use: fields.given("on_old_use"),
        window_start: fields.given("window_start"),
        window_end: fields.given("window_end"),
        jitter_hours: number("jitter_hours")?,
        remind_days: number("remind_days")?,
    };
    let scope = policy.scope(&visit.context)?;
    actions::set(control, &visit.context, scope, policy.policy()?).await?;
    Ok(())
}
