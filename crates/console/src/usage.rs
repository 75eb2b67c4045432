//! Usage and billing: a month of calls, tokens and cost, by what it is made of, as a chart, a table and a file.

mod csv;
mod tables;

use crate::answer::{Answer, file};
use crate::courses::Course;
use crate::fields::{Asked, address};
use crate::frame::{Here, Visit};
use crate::kit::{Head, link};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use louver_control::Control;
use louver_control::actions::usage::parts::{self, By, Part, Seen, Sums};
use louver_control::error::ControlError;
use louver_domain::calendar::{Period, Window, Zone};
use louver_domain::id::{KeyId, UserId, WorkspaceId};
use louver_domain::time::Timestamp;
use maud::html;
use std::collections::HashMap;
use std::sync::Arc;

const HOME: &str = "/console/usage";
const DAY: i64 = 86_400;
/// Rows of the table; the file has all.
const MOST_ROWS: u32 = 100;
/// Months that can be chosen.
const MONTHS: usize = 13;

pub(crate) fn pages() -> Router<Arc<Control>> {
    Router::new().route(HOME, get(show)).route("/console/usage.csv", get(download))
}

/// What usage is kept apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Apart {
    Part(By),
    Time,
}

const APARTS: [(&str, &str, Apart); 5] = [
    ("model", "Model", Apart::Part(By::Model)),
    ("workspace", "Workspace", Apart::Part(By::Workspace)),
    ("key", "Key", Apart::Part(By::Key)),
    ("user", "User", Apart::Part(By::User)),
    ("day", "Day", Apart::Time),
];

/// What a reader asks for by the address.
struct Question {
    /// As it stands in the address; empty is the month that runs.
    month: String,
    period: Period,
    zone: Zone,
    zone_name: String,
    months: Vec<String>,
    apart: Apart,
    step: Window,
    asked: parts::Asked,
}

impl Question {
    async fn read(control: &Control, visit: &Visit, query: &Asked) -> Result<Self, ControlError> {
        let now = visit.context.now;
        let (zone, zone_name) = parts::zone(control, &visit.context).await?;
        let months = months(&zone, now);
        let month = query.given("month").or_else(|| months.first().map(|(name, _)| name.clone()));
        let found = months.iter().find(|(name, _)| Some(name) == month.as_ref());
        let (month, period) = found.cloned().ok_or(ControlError::NotFound)?;
        let apart = match query.text("by") {
            "" => Apart::Part(By::Model),
            word => APARTS.iter().find(|one| one.0 == word).ok_or(ControlError::NotFound)?.2,
        };
        let id = |name: &str| query.given(name);
        let workspace = id("workspace").map(|text| WorkspaceId::parse(&text).ok_or(ControlError::NotFound));
        let key = id("key").map(|text| KeyId::parse(&text).ok_or(ControlError::NotFound));
        let user = id("user").map(|text| UserId::parse(&text).ok_or(ControlError::NotFound));
        let asked = parts::Asked {
            from: period.starts,
            to: period.ends.min(now.plus_seconds(1)),
            workspace: workspace.transpose()?,
            user: user.transpose()?,
            key: key.transpose()?,
            model: query.given("model"),
        };
        let step = if query.text("step") == "hour" { Window::Hour } else { Window::Day };
        let months = months.into_iter().map(|(name, _)| name).collect();
        Ok(Self { month, period, zone, zone_name, months, apart, step, asked })
    }

    fn word(&self) -> &'static str {
        APARTS.iter().find(|one| one.2 == self.apart).map_or("", |one| one.0)
    }

    fn title(&self) -> &'static str {
        APARTS.iter().find(|one| one.2 == self.apart).map_or("", |one| one.1)
    }

    /// What time the chart shows: all of the month by day, or its last two days by hour.
    fn course(&self) -> Course {
        let from = match self.step {
            Window::Hour => self.asked.to.plus_seconds(DAY.saturating_mul(-2)).max(self.period.starts),
            Window::Day | Window::Month => self.period.starts,
        };
        let from = self.step.period(&self.zone, from).starts;
        Course { step: self.step, zone: self.zone.clone(), from, to: self.asked.to }
    }

    /// The address of the same question but for one pair.
    fn with(&self, path: &str, name: &str, value: &str) -> String {
        let text = |id: Option<String>| id.unwrap_or_default();
        let (workspace, key, user) = (
            text(self.asked.workspace.map(|id| id.to_string())),
            text(self.asked.key.map(|id| id.to_string())),
            text(self.asked.user.map(|id| id.to_string())),
        );
        let step = if self.step == Window::Hour { "hour" } else { "" };
        let mut pairs = vec![
            ("month", self.month.as_str()),
            ("by", self.word()),
            ("step", step),
            ("workspace", &workspace),
            ("key", &key),
            ("user", &user),
            ("model", self.asked.model.as_deref().unwrap_or_default()),
        ];
        pairs.retain(|(other, _)| *other != name);
        pairs.push((name, value));
        address(path, &pairs)
    }
}

/// The last months of a zone, the one that runs first, by names such as `2026-11`.
fn months(zone: &Zone, now: Timestamp) -> Vec<(String, Period)> {
    let mut all = Vec::with_capacity(MONTHS);
    let mut period = Window::Month.period(zone, now);
    while all.len() < MONTHS {
        // The second day is in the same month of UTC, whatever the zone.
        let name = period.starts.plus_seconds(DAY).rfc3339().get(..7).unwrap_or_default().to_owned();
        all.push((name, period));
        period = Window::Month.period(zone, period.starts.plus_seconds(-1));
    }
    all
}

/// What the page shows.
struct Picture {
    total: Sums,
    before: Sums,
    hours: Vec<(Timestamp, Sums)>,
    /// The parts that cost most; none where usage is kept apart by time.
    parts: Vec<(Part, Sums)>,
    series: Vec<Part>,
    rows: Vec<(Timestamp, Part, Sums)>,
    names: HashMap<Part, String>,
}

impl Picture {
    async fn read(control: &Control, visit: &Visit, question: &Question) -> Result<Self, ControlError> {
        let (context, asked) = (&visit.context, &question.asked);
        let hours = parts::hours(control, context, asked).await?;
        let total = hours.iter().fold(Sums::default(), |sum, (_, one)| sum.plus(one));
        let (by, limit) = match question.apart {
            Apart::Part(by) => (by, MOST_ROWS),
            Apart::Time => (By::Model, 6),
        };
        let dearest = parts::dearest(control, context, asked, by, limit).await?;
        let series: Vec<Part> =
            dearest.iter().take(crate::kit::chart::MOST_SERIES).map(|(part, _)| part.clone()).collect();
        let shown = parts::Asked { from: question.course().from, ..asked.clone() };
        let rows = parts::hours_by(control, context, &shown, by, Some(&series)).await?;
        let mut named: Vec<Part> = dearest.iter().map(|(part, _)| part.clone()).collect();
        named.extend(asked.key.map(Part::Key));
        named.extend(asked.user.map(|id| Part::User(Some(id))));
        let names = parts::names(control, context, &named).await?;
        let before = parts::total(control, context, &month_before(question)).await?;
        let parts = if question.apart == Apart::Time { Vec::new() } else { dearest };
        Ok(Self { total, before, hours, parts, series, rows, names })
    }
}

/// The same time of the month before.
fn month_before(question: &Question) -> parts::Asked {
    let end = question.period.starts;
    let from = Window::Month.period(&question.zone, end.plus_seconds(-1)).starts;
    let passed = question.asked.to.seconds().saturating_sub(question.period.starts.seconds());
    let to = from.plus_seconds(passed).min(end);
    parts::Asked { from, to, ..question.asked.clone() }
}

async fn show(State(control): State<Arc<Control>>, visit: Visit, query: Asked) -> Answer {
    let seen = parts::seen(&visit.context)?;
    let question = Question::read(&control, &visit, &query).await?;
    let picture = Picture::read(&control, &visit, &question).await?;
    let whose = if matches!(seen, Seen::Own(_)) { "Your own use" } else { "All that you may see" };
    let meta = vec![html! { (question.month) ", " (question.zone_name) }, html! { (whose) }];
    let csv = question.with("/console/usage.csv", "", "");
    let body = html! {
        (Head { title: "Usage & billing", meta, acts: vec![link(&csv, Some(crate::kit::icons::Icon::Down), "Download CSV")], ..Head::default() }.draw())
        (tables::filters(&visit, &question))
        (tables::narrowed(&question, &picture))
        div.stack {
            (tables::figures(&question, &picture))
            (tables::chart(&question, &picture))
            (tables::table_of(&question, &picture))
        }
    };
    Ok(visit.page(Here::Usage, &[("Usage & billing", HOME)], &body))
}

async fn download(State(control): State<Arc<Control>>, visit: Visit, query: Asked) -> Answer {
    parts::seen(&visit.context)?;
    let question = Question::read(&control, &visit, &query).await?;
    let text = csv::written(&control, &visit, &question).await?;
    Ok(file("attachment; filename=\"usage.csv\"", "text/csv; charset=utf-8", text))
}
