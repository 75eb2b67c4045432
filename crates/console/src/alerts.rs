//! Alerts: what was raised, newest first, and whether it was delivered.

use crate::answer::Answer;
use crate::budgets::must;
use crate::failure::capital;
use crate::fields::{Asked, address};
use crate::figures::{distance, moment};
use crate::frame::{Here, Visit};
use crate::kit::table::{Column, pager, table};
use crate::kit::{Card, Head, Tone, badge, empty, tabs};
use crate::overview::tone_of;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use louver_control::Control;
use louver_control::actions::alerts::{self, Delivered};
use louver_control::error::ControlError;
use louver_domain::access::Action;
use louver_domain::alerts::Message;
use louver_domain::deliveries::DeliveryState;
use louver_domain::id::AlertId;
use louver_domain::time::Timestamp;
use maud::{Markup, html};
use std::sync::Arc;

const HOME: &str = "/console/alerts";
const A_PAGE: usize = 50;

pub(crate) fn pages() -> Router<Arc<Control>> {
    Router::new().route(HOME, get(show))
}

/// The parts of this place.
pub(crate) fn parts(visit: &Visit, here: &str) -> Markup {
    let mut ways = Vec::new();
    if visit.may(Action::ReadAlerts) {
        ways.push(("Alerts", HOME.to_owned()));
    }
    if visit.may(Action::ReadAlertChannels) {
        ways.push(("Channels", "/console/alerts/channels".to_owned()));
    }
    tabs("Alerts", &ways, here)
}

async fn show(State(control): State<Arc<Control>>, visit: Visit, asked: Asked) -> Answer {
    must(&visit, Action::ReadAlerts)?;
    let after = match asked.text("after") {
        "" => None,
        text => Some(AlertId::parse(text).ok_or(ControlError::NotFound)?),
    };
    let most = u32::try_from(A_PAGE).unwrap_or(u32::MAX).saturating_add(1);
    let mut all = alerts::list(&control, &visit.context, after, most).await?;
    let more = all.len() > A_PAGE;
    all.truncate(A_PAGE);
    let next = all.last().filter(|_| more).map(|one| address(HOME, &[("after", &one.alert.id.to_string())]));
    let meta = vec![html! { "Each threshold once for a budget and its period, newest first" }];
    let body = html! {
        (Head { title: "Alerts", meta, ..Head::default() }.draw())
        (parts(&visit, "Alerts"))
        (card(&all, visit.context.now, after.is_some(), next.as_deref()))
    };
    Ok(visit.page(Here::Alerts, &[("Alerts", HOME)], &body))
}

fn card(all: &[Delivered], now: Timestamp, later: bool, next: Option<&str>) -> Markup {
    let columns =
        [Column::text("What"), Column::text("Kind"), Column::text("Raised"), Column::text("Delivered to")];
    let rows: Vec<Vec<Markup>> = all.iter().map(|one| row(one, now)).collect();
    let flush = html! {
        @if rows.is_empty() {
            (empty("No alerts", "When a budget crosses a threshold or a key needs a look, it stands here and goes to every channel.", None))
        } @else { (table("Alerts, newest first", &columns, &rows)) }
    };
    let count = match rows.len() {
        1 => "1 alert on this page".to_owned(),
        many => format!("{many} alerts on this page"),
    };
    Card {
        id: "raised",
        title: "Raised",
        flush: Some(flush),
        foot: Some(pager(&count, later.then_some(HOME), next)),
        ..Card::default()
    }
    .draw()
}

fn row(one: &Delivered, now: Timestamp) -> Vec<Markup> {
    let Delivered { alert, deliveries } = one;
    let message = Message::of(alert);
    let (tone, word) = tone_of(alert.kind);
    vec![
        html! { (capital(&message.subject)) span.sub { (message.text) } },
        html! { (badge(tone, word)) },
        html! { span.nowrap { (distance(alert.raised_at, now)) } },
        html! {
            @if alert.superseded { span.quiet { "Not sent: a higher threshold was crossed at once" } }
            @else if deliveries.is_empty() { span.quiet { "No channel" } }
            @for delivery in deliveries {
                @let (tone, word) = state(delivery.state);
                p {
                    (delivery.name) " " (badge(tone, word))
                    @if let (DeliveryState::Pending | DeliveryState::Failed, Some(error)) = (delivery.state, &delivery.last_error) {
                        span.sub { (capital(error)) " " (delivery.attempts) " attempts." }
                    }
                    @if let Some(at) = delivery.next_at { span.sub { "Next attempt " (moment(at)) } }
                    @if let Some(at) = delivery.delivered_at { span.sub { (moment(at)) } }
                }
            }
        },
    ]
}

const fn state(state: DeliveryState) -> (Tone, &'static str) {
    match state {
        DeliveryState::Pending => (Tone::Warn, "Pending"),
        DeliveryState::Delivered => (Tone::Good, "Delivered"),
        DeliveryState::Failed => (Tone::Bad, "Given up"),
    }
}
