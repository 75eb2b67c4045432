//! The parts of the page of usage: its filters, figures, chart and table.

use super::{APARTS, Apart, HOME, MOST_ROWS, Picture, Question};
use crate::courses::{Course, called};
use crate::figures::{dollars, number};
use crate::frame::Visit;
use crate::kit::chart::{Bars, swatch};
use crate::kit::meter::share;
use crate::kit::{Card, Stat, Tone, empty, note, stats};
use louver_control::actions::usage::parts::{By, Part, Sums};
use louver_domain::calendar::Window;
use maud::{Markup, html};

pub(super) fn filters(visit: &Visit, question: &Question) -> Markup {
    let asked = &question.asked;
    let workspace = asked.workspace;
    html! {
        form.filters method="get" action=(HOME) data-auto aria-label="Filter usage" {
            input type="hidden" name="by" value=(question.word());
            @if question.step == Window::Hour { input type="hidden" name="step" value="hour"; }
            @if let Some(key) = asked.key { input type="hidden" name="key" value=(key); }
            @if let Some(user) = asked.user { input type="hidden" name="user" value=(user); }
            @if let Some(model) = &asked.model { input type="hidden" name="model" value=(model); }
            select name="month" aria-label="Month" {
                @for month in &question.months { option value=(month) selected[*month == question.month] { (month) } }
            }
            select name="workspace" aria-label="Workspace" {
                option value="" { "All workspaces" }
                @for one in &visit.around.workspaces {
                    option value=(one.id) selected[workspace == Some(one.id)] { (one.name) }
                }
            }
            button.btn { "Apply" }
            nav.seg aria-label="Group by" {
                @for (word, text, apart) in APARTS {
                    a href=(question.with(HOME, "by", word)) aria-current=[(apart == question.apart).then_some("true")] { (text) }
                }
            }
            nav.seg aria-label="Chart by" {
                a href=(question.with(HOME, "step", "")) aria-current=[(question.step != Window::Hour).then_some("true")] { "Daily" }
                a href=(question.with(HOME, "step", "hour")) aria-current=[(question.step == Window::Hour).then_some("true")] { "Hourly" }
            }
        }
    }
}

/// What narrows the page beside the filters, each with a way to take it away.
pub(super) fn narrowed(question: &Question, picture: &Picture) -> Markup {
    let asked = &question.asked;
    let mut all: Vec<(&str, &str, String)> = Vec::new();
    if let Some(key) = asked.key {
        all.push(("key", "Key", called(&Part::Key(key), &picture.names)));
    }
    if let Some(user) = asked.user {
        all.push(("user", "User", called(&Part::User(Some(user)), &picture.names)));
    }
    if let Some(model) = &asked.model {
        all.push(("model", "Model", model.clone()));
    }
    html! {
        @for (name, text, value) in &all {
            (note(
                Tone::Info,
                &html! { p { "Only " (text.to_lowercase()) " " b { (value) } "." } },
                Some(&html! { a.btn.tiny href=(question.with(HOME, name, "")) { "Show all" span.sr { " of every " (text.to_lowercase()) } } }),
            ))
        }
    }
}

pub(super) fn figures(question: &Question, picture: &Picture) -> Markup {
    let Picture { total, before, .. } = picture;
    let tokens = total.tokens;
    let cached = share(signed(tokens.cached), signed(tokens.input.max(1)));
    let average = tokens.output.checked_div(total.requests).unwrap_or(0);
    let passed = question.asked.to < question.period.ends;
    stats(&[
        Stat {
            label: "Spend",
            figure: html! { (dollars(total.cost.nanos())) },
            word: html! { (dollars(before.cost.nanos())) " the month before" @if passed { " by this time" } },
            course: None,
        },
        Stat {
            label: "Calls",
            figure: html! { (number(total.requests)) },
            word: html! { (number(total.would_refuse)) " that limits in the shadow would refuse" },
            course: None,
        },
        Stat {
            label: "Tokens in",
            figure: html! { (number(tokens.input)) },
            word: html! { (format!("{cached:.0}")) " % from the cache" },
            course: None,
        },
        Stat {
            label: "Tokens out",
            figure: html! { (number(tokens.output)) },
            word: html! { (number(average)) " a call on average" },
            course: None,
        },
    ])
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn chart(question: &Question, picture: &Picture) -> Markup {
    let course = question.course();
    let hours = picture.hours.iter().filter(|(hour, _)| *hour >= course.from);
    let whole = course.line(hours.map(|(hour, sums)| (*hour, sums)), |sums| sums.cost.nanos());
    let named = picture.rows.iter().fold(0_i64, |sum, (_, _, one)| sum.saturating_add(one.cost.nanos()));
    let more = whole.iter().fold(0_i64, |sum, one| sum.saturating_add(*one)) > named;
    let columns = course.columns(&picture.series, &picture.rows, more.then_some(whole.as_slice()));
    let mut series: Vec<String> = picture.series.iter().map(|part| called(part, &picture.names)).collect();
    if more {
        series.push("Others".to_owned());
    }
    let by = match question.apart {
        Apart::Part(_) => question.title().to_lowercase(),
        Apart::Time => "model".to_owned(),
    };
    let title = format!("Spend by {by}");
    let body = html! {
        @if picture.total.requests == 0 {
            (empty("No calls in this time", "Choose another month, or take a filter away.", None))
        } @else {
            (Bars { id: "usage", title: &title, series: &series, columns: &columns }.draw())
        }
    };
    let sub = match course.step {
        Window::Hour => "the last two days by hour, UTC".to_owned(),
        Window::Day | Window::Month => format!("by day, {}", question.zone_name),
    };
    Card { id: "course", title: &title, sub: Some(html! { (sub) }), body: Some(body), ..Card::default() }
        .draw()
}

/// A line of the table.
struct Line {
    name: Markup,
    sums: Sums,
}

pub(super) fn table_of(question: &Question, picture: &Picture) -> Markup {
    let lines = match question.apart {
        Apart::Part(by) => parts_of(question, picture, by),
        Apart::Time => turns_of(question, picture),
    };
    let shown = lines.iter().fold(Sums::default(), |sum, line| sum.plus(&line.sums));
    let title = match question.apart {
        Apart::Part(_) => format!("{}s", question.title()),
        Apart::Time if question.step == Window::Hour => "Hours".to_owned(),
        Apart::Time => "Days".to_owned(),
    };
    let cut = matches!(question.apart, Apart::Part(_)) && shown.requests < picture.total.requests;
    let flush = html! {
        @if lines.is_empty() { (empty("No calls in this time", "There is nothing to sum.", None)) }
        @else { (drawn(question, &title, &lines, &picture.total)) }
    };
    let foot =
        cut.then(|| html! { span { "The " (MOST_ROWS) " that cost most. The file has all of them." } });
    Card { id: "parts", title: &title, flush: Some(flush), foot, ..Card::default() }.draw()
}

fn parts_of(question: &Question, picture: &Picture, by: By) -> Vec<Line> {
    let filter = match by {
        By::Workspace => "workspace",
        By::Key => "key",
        By::User => "user",
        By::Model => "model",
    };
    let line = |(place, (part, sums)): (usize, &(Part, Sums))| {
        let text = called(part, &picture.names);
        let value = match part {
            Part::Workspace(id) => id.to_string(),
            Part::Key(id) => id.to_string(),
            Part::User(id) => id.map(|id| id.to_string()).unwrap_or_default(),
            Part::Model(name) => name.clone(),
        };
        let name = html! {
            span.with {
                @if place < picture.series.len() { span.sw { (swatch(place)) } }
                @if value.is_empty() { b { (text) } }
                @else { a.title href=(question.with(HOME, filter, &value)) title=(text) { (text) } }
            }
        };
        Line { name, sums: *sums }
    };
    picture.parts.iter().enumerate().map(line).collect()
}

fn turns_of(question: &Question, picture: &Picture) -> Vec<Line> {
    let course = Course { from: question.period.starts, ..question.course() };
    let mut lines: Vec<Line> = Vec::new();
    let mut last = None;
    for (hour, sums) in &picture.hours {
        let turn = course.turn(*hour);
        match lines.last_mut() {
            Some(line) if last == Some(turn) => line.sums = line.sums.plus(sums),
            _ => {
                let (name, _) = course.name(turn);
                lines.push(Line { name: html! { (name) }, sums: *sums });
            }
        }
        last = Some(turn);
    }
    lines.reverse();
    lines
}

fn drawn(question: &Question, title: &str, lines: &[Line], total: &Sums) -> Markup {
    let label = format!("{title} in {}", question.month);
    html! {
        div.scroll tabindex="0" role="region" aria-label=(label) {
            table {
                caption.sr { (label) }
                thead { tr {
                    th scope="col" { (question.title()) }
                    @for head in ["Calls", "Tokens in", "Tokens out"] { th.num scope="col" { (head) } }
                    th scope="col" { "Other units" }
                    th.num scope="col" aria-sort=[(question.apart != Apart::Time).then_some("descending")] { "Spend" }
                    th.num scope="col" { "Share" }
                } }
                tbody { @for line in lines { tr { th scope="row" { (line.name) } (cells(&line.sums, total)) } } }
                tfoot { tr { th scope="row" { "Total" } (cells(total, total)) } }
            }
        }
    }
}

fn cells(sums: &Sums, total: &Sums) -> Markup {
    let part = if total.cost.nanos() > 0 { share(sums.cost.nanos(), total.cost.nanos()) } else { 0.0 };
    html! {
        td.num { (number(sums.requests)) }
        td.num { (number(sums.tokens.input)) }
        td.num { (number(sums.tokens.output)) }
        td { (others(sums)) }
        td.num { (dollars(sums.cost.nanos())) }
        td.num { (format!("{part:.0}")) " %" }
    }
}

/// What is billed beside tokens.
fn others(sums: &Sums) -> Markup {
    let units = sums.units;
    let all = [
        (units.pages, "pages"),
        (units.annotated_pages, "annotated pages"),
        (units.audio_seconds, "s of audio"),
        (units.characters, "characters"),
        (units.tool_calls, "tool calls"),
    ];
    let used: Vec<String> = all
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{} {unit}", number(*count)))
        .collect();
    html! { @if used.is_empty() { span.quiet { "–" } } @else { (used.join(", ")) } }
}
