//! The first page: what is spent, how budgets stand, and what needs a look. Most of it comes anew by itself.

mod parts;

pub(crate) use parts::tone_of;

use crate::answer::{Answer, page};
use crate::courses::Course;
use crate::fields::Asked;
use crate::frame::{Here, Visit};
use crate::kit::{Head, link, main_link};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::StatusCode;
use louver_control::Control;
use louver_control::actions::alerts::{self, Delivered};
use louver_control::actions::budgets::{Standing, scopes};
use louver_control::actions::key_hygiene;
use louver_control::actions::usage::parts::{self as usage, By, Part, Seen, Sums};
use louver_control::error::ControlError;
use louver_domain::access::Action;
use louver_domain::calendar::{Period, Window, Zone};
use louver_domain::time::Timestamp;
use maud::{Markup, html};
use std::sync::Arc;

const DAY: i64 = 86_400;

pub(crate) fn pages() -> Router<Arc<Control>> {
    Router::new().route(crate::HOME, get(show))
}

/// The time that the chart shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Span {
    Hours,
    Week,
    Month,
}

impl Span {
    fn read(text: &str) -> Self {
        match text {
            "24h" => Self::Hours,
            "7d" => Self::Week,
            _ => Self::Month,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Hours => "24h",
            Self::Week => "7d",
            Self::Month => "month",
        }
    }
}

/// What the live part shows.
struct Picture {
    now: Timestamp,
    span: Span,
    zone: Zone,
    zone_name: String,
    day: Period,
    month: Period,
    seen: Option<Seen>,
    rows: Vec<(Timestamp, Part, Sums)>,
    standings: Vec<Standing>,
    alerts: Option<Vec<Delivered>>,
}

impl Picture {
    async fn read(control: &Control, visit: &Visit, span: Span) -> Result<Self, ControlError> {
        let context = &visit.context;
        let now = context.now;
        let (zone, zone_name) = usage::zone(control, context).await?;
        let (day, month) = (Window::Day.period(&zone, now), Window::Month.period(&zone, now));
        // Yesterday and the last week may lie in the month before.
        let week = Window::Day.period(&zone, now.plus_seconds(DAY.saturating_mul(-6))).starts;
        let asked = usage::Asked {
            from: month.starts.min(week),
            to: now.plus_seconds(1),
            workspace: None,
            user: None,
            key: None,
            model: None,
        };
        let seen = usage::seen(context).ok();
        let rows = match seen {
            Some(_) => usage::hours_by(control, context, &asked, By::Model, None).await?,
            None => Vec::new(),
        };
        let alerts = match visit.may(Action::ReadAlerts) {
            true => Some(alerts::list(control, context, None, 5).await?),
            false => None,
        };
        let standings = scopes::of_workspaces(control, context).await?;
        Ok(Self { now, span, zone, zone_name, day, month, seen, rows, standings, alerts })
    }

    /// The sum of what was used from a moment on.
    fn since(&self, from: Timestamp) -> Sums {
        self.between(from, self.now.plus_seconds(1))
    }

    fn between(&self, from: Timestamp, to: Timestamp) -> Sums {
        let rows = self.rows.iter().filter(|(hour, _, _)| *hour >= from && *hour < to);
        rows.fold(Sums::default(), |sum, (_, _, one)| sum.plus(one))
    }

    fn course(&self, step: Window, from: Timestamp) -> Course {
        Course { step, zone: self.zone.clone(), from, to: self.now.plus_seconds(1) }
    }

    fn line(&self, step: Window, from: Timestamp, of: impl Fn(&Sums) -> i64) -> Vec<i64> {
        let rows = self.rows.iter().filter(|(hour, _, _)| *hour >= from);
        self.course(step, from).line(rows.map(|(hour, _, sums)| (*hour, sums)), of)
    }

    fn is_own(&self) -> bool {
        matches!(self.seen, Some(Seen::Own(_)))
    }
}

async fn show(State(control): State<Arc<Control>>, visit: Visit, asked: Asked) -> Answer {
    let span = Span::read(asked.text("span"));
    let picture = Picture::read(&control, &visit, span).await?;
    let live = html! {
        div.stack id="live-overview" data-refresh={ "/console?part=live&span=" (span.word()) } data-every="15" {
            (parts::live(&picture, &visit))
        }
    };
    if asked.text("part") == "live" {
        return Ok(page(StatusCode::OK, live));
    }
    let unused = match visit.may(Action::ReadApiKeys) {
        true => key_hygiene::unused(&control, &visit.context, 5).await?,
        false => Vec::new(),
    };
    let body = html! {
        (head(&visit, &picture))
        div.stack {
            (live)
            @if visit.may(Action::ReadApiKeys) { (parts::attention(&unused, picture.now)) }
        }
    };
    Ok(visit.live_page(Here::Overview, &[("Overview", "")], &body))
}

fn head(visit: &Visit, picture: &Picture) -> Markup {
    let mut acts = Vec::new();
    if visit.may(Action::ReadUsage) {
        acts.push(link("/console/usage", None, "Usage & billing"));
    }
    if visit.may(Action::CreateApiKey) {
        acts.push(main_link("/console/keys/new", Some(crate::kit::icons::Icon::Plus), "Create key"));
    }
    let whose = match &picture.seen {
        Some(Seen::All) => visit.around.organization.clone(),
        Some(Seen::Of(held)) => {
            let names = visit.around.workspaces.iter().filter(|one| held.contains(&one.id));
            names.map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ")
        }
        Some(Seen::Own(_)) => "Your own use".to_owned(),
        None => String::new(),
    };
    let meta = vec![html! { (whose) }, html! { "Days begin at midnight, " (picture.zone_name) }];
    Head { title: "Overview", meta, acts, ..Head::default() }.draw()
}
