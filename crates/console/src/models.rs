//! The catalogue of models with what they cost, and the names that upstream lists otherwise.

use crate::answer::{Answer, go};
use crate::fields::{Asked, Fields};
use crate::figures::{date, moment, number};
use crate::frame::{Here, Visit};
use crate::kit::filter::{choice, filters, search};
use crate::kit::table::{Column, table, tall_table};
use crate::kit::{Card, Head, Tone, badge, chip, empty, link};
use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use louver_control::Control;
use louver_control::actions::model_sightings;
use louver_control::actions::models::{self as actions, PriceList, PricedModel};
use louver_domain::access::Action;
use louver_domain::endpoints::EndpointKind;
use louver_domain::model_sightings::{Finding, Sighting, SightingState};
use louver_domain::models::{Model, ModelStatus};
use louver_domain::money::Money;
use louver_domain::prices::{Price, Prices, ToolPrice};
use louver_domain::time::Timestamp;
use maud::{Markup, html};
use std::sync::Arc;

const ALL: (&str, &str) = ("Models & prices", "/console/models");

pub(crate) fn pages() -> Router<Arc<Control>> {
    Router::new().route("/console/models", get(show)).route("/console/models/dismiss", post(dismiss))
}

async fn show(State(control): State<Arc<Control>>, visit: Visit, asked: Asked) -> Answer {
    let list = actions::read(&control, &visit.context).await?;
    let sightings = model_sightings::read(&control, &visit.context).await?;
    let (open, looked): (Vec<&Sighting>, Vec<&Sighting>) = sightings
        .iter()
        .filter(|one| one.finding != Finding::Known)
        .partition(|one| one.state == SightingState::Quarantined);
    let models: Vec<&PricedModel> = list.models.iter().filter(|entry| fits(entry, &asked)).collect();
    let meta =
        vec![html! { (models.len()) " of " (list.models.len()) " models" }, html! { "Prices in dollars" }];
    let body = html! {
        (Head { title: "Models & prices", meta, ..Head::default() }.draw())
        div.stack {
            @if !open.is_empty() { (sighting_card(&visit, "seen", "Seen upstream, and not as in the catalogue", &open)) }
            (sieve(&list, &asked))
            (catalogue(&models, visit.context.now))
            (tools(&list, visit.context.now))
            @if !looked.is_empty() { (sighting_card(&visit, "looked-at", "Looked at", &looked)) }
        }
    };
    Ok(visit.page(Here::Models, &[ALL], &body))
}

fn fits(entry: &PricedModel, asked: &Asked) -> bool {
    let model = &entry.model;
    let text = asked.text("q").to_lowercase();
    let mut names = [&model.id, &model.name, &model.family].into_iter().chain(&model.aliases);
    let named = text.is_empty() || names.any(|name| name.to_lowercase().contains(&text));
    let endpoint = asked.text("endpoint");
    let serves = endpoint.is_empty() || model.endpoints.iter().any(|one| one.as_str() == endpoint);
    let status = match asked.text("status") {
        "" => model.status != ModelStatus::Retired,
        "all" => true,
        text => model.status.as_str() == text,
    };
    named && serves && status
}

fn sieve(list: &PriceList, asked: &Asked) -> Markup {
    let served = |kind: &&EndpointKind| list.models.iter().any(|entry| entry.model.serves(**kind));
    let endpoints = EndpointKind::ALL
        .iter()
        .filter(served)
        .map(|kind| (kind.as_str().to_owned(), kind.as_str().to_owned()));
    let endpoints: Vec<_> =
        std::iter::once((String::new(), "Any endpoint".to_owned())).chain(endpoints).collect();
    let statuses = [
        ("", "Served"),
        ("active", "Active"),
        ("deprecated", "Deprecated"),
        ("retired", "Retired"),
        ("all", "All"),
    ];
    let statuses = statuses.map(|(value, text)| (value.to_owned(), text.to_owned()));
    filters(
        "Filter models",
        &html! {
            (search("q", "Name, alias or family", asked.text("q")))
            (choice("endpoint", "Endpoint", &endpoints, asked.text("endpoint")))
            (choice("status", "Status", &statuses, asked.text("status")))
        },
    )
}

fn catalogue(models: &[&PricedModel], now: Timestamp) -> Markup {
    let columns = [
        Column::text("Model"),
        Column::text("Endpoints"),
        Column::number("Context, tokens"),
        Column::number("Input, 1M tokens"),
        Column::number("Output, 1M tokens"),
        Column::text("Other prices"),
    ];
    let rows: Vec<Vec<Markup>> = models.iter().map(|entry| row(entry, now)).collect();
    html! {
        section.card {
            @if rows.is_empty() { (empty("No model fits", "Ask for less, or look at all of them.", Some(&link("/console/models?status=all", None, "Show all models")))) }
            @else { (tall_table("Models of the catalogue", &columns, &rows)) }
        }
    }
}

fn row(entry: &PricedModel, now: Timestamp) -> Vec<Markup> {
    let model = &entry.model;
    let prices = Prices::new(entry.prices.clone());
    let price = prices.at(now).map(|(_, price)| price);
    let missing = Price::missing(price, &model.endpoints);
    let endpoints: Vec<String> = model.endpoints.iter().map(|kind| kind.as_str().to_owned()).collect();
    vec![
        html! {
            span.mono.nowrap { (model.id) }
            span.sub { (model.name) }
            @for alias in &model.aliases { span.sub.mono.nowrap { (alias) } }
            @if model.status != ModelStatus::Active || !missing.is_empty() { (status(model, &missing)) }
        },
        few(&endpoints),
        html! { (number(model.context)) },
        money(price.and_then(|price| price.input_usd_per_mtok)),
        money(price.and_then(|price| price.output_usd_per_mtok)),
        html! {
            (others(price))
            @if let Some(next) = prices.all().iter().find(|price| price.effective_from > now) {
                span.sub { "another price from " (date(next.effective_from)) }
            }
        },
    ]
}

/// The first of them, and how many more, with all of them on demand.
fn few(names: &[String]) -> Markup {
    let rest: Vec<&String> = names.iter().skip(1).collect();
    html! {
        span.chips { @for name in names.iter().take(1) { (chip(name)) } }
        @if !rest.is_empty() {
            details.fold { summary { "+" (rest.len()) " more" } span.chips { @for name in rest { (chip(name)) } } }
        }
        @if names.is_empty() { "–" }
    }
}

fn money(amount: Option<Money>) -> Markup {
    html! { @match amount { Some(amount) => { "$" (amount.usd()) } None => "–" } }
}

fn others(price: Option<&Price>) -> Markup {
    let Some(price) = price else { return html! { "–" } };
    let all = [
        (price.cached_input_usd_per_mtok, "1M cached input"),
        (price.usd_per_1000_pages, "1,000 pages"),
        (price.usd_per_1000_annotated_pages, "1,000 annotated pages"),
        (price.usd_per_audio_minute, "minute of audio"),
        (price.usd_per_mchar, "1M characters"),
        (price.usd_per_month_kept, "month kept"),
    ];
    let told: Vec<(Money, &str)> = all.into_iter().filter_map(|(amount, of)| Some((amount?, of))).collect();
    html! {
        @if told.is_empty() { "–" }
        @for (amount, of) in &told { span.sub.nowrap { "$" (amount.usd()) " / " (of) } }
    }
}

fn status(model: &Model, missing: &[&str]) -> Markup {
    html! {
        @match model.status {
            ModelStatus::Active => (badge(Tone::Good, "Active")),
            ModelStatus::Deprecated => (badge(Tone::Warn, "Deprecated")),
            ModelStatus::Retired => (badge(Tone::Off, "Retired")),
        }
        @if let Some(end) = model.deprecation { span.sub { "ends " (date(end)) @if let Some(next) = &model.replacement { ", then " (next) } } }
        @if !missing.is_empty() && model.status != ModelStatus::Retired {
            " " (badge(Tone::Bad, "No price"))
            span.sub { "missing: " (missing.join(", ")) "; refused under a budget in dollars" }
        }
    }
}

fn tools(list: &PriceList, now: Timestamp) -> Markup {
    if list.tools.is_empty() {
        return html! {};
    }
    let row = |tool: &actions::PricedTool| {
        let price = ToolPrice::at(&tool.prices, now).map(|price| price.usd_per_call);
        vec![html! { span.mono { (tool.tool) } }, money(price)]
    };
    let rows: Vec<Vec<Markup>> = list.tools.iter().map(row).collect();
    Card {
        id: "tools",
        title: "Tools that the provider runs",
        flush: Some(table("Prices of tools", &[Column::text("Tool"), Column::number("One call")], &rows)),
        ..Card::default()
    }
    .draw()
}

fn sighting_card(visit: &Visit, id: &str, title: &str, all: &[&Sighting]) -> Markup {
    let columns = [
        Column::text("Name"),
        Column::text("What was found"),
        Column::text("Upstream"),
        Column::text("First seen"),
        Column::text("Last seen"),
        Column::text("Actions"),
    ];
    let may = visit.may(Action::DismissModelSighting);
    let rows: Vec<Vec<Markup>> = all.iter().map(|one| sighting_row(one, may)).collect();
    Card { id, title, flush: Some(table(title, &columns, &rows)), ..Card::default() }.draw()
}

fn sighting_row(sighting: &Sighting, may: bool) -> Vec<Markup> {
    let same = sighting.same_as.as_deref().unwrap_or("another model");
    let found = match sighting.finding {
        Finding::Known => html! { "as in the catalogue" },
        Finding::New => {
            html! { (badge(Tone::Info, "New")) span.sub { "not in the catalogue: calls of it are refused" } }
        }
        Finding::Moved => {
            html! { (badge(Tone::Bad, "Moved")) span.sub { "stands for " (same) " upstream: calls by this name are refused until you have looked" } }
        }
        Finding::Gone => html! { (badge(Tone::Warn, "Gone")) span.sub { "upstream lists it no more" } },
    };
    let open = sighting.state == SightingState::Quarantined;
    vec![
        html! { span.mono { (sighting.name) } @if let Some(bill) = &sighting.billing_name { span.sub { "on the bill: " (bill) } } },
        found,
        html! { @if sighting.server.is_empty() { "the first one" } @else { (sighting.server) } },
        moment(sighting.first_seen),
        moment(sighting.last_seen),
        html! {
            @if may && open {
                form method="post" action="/console/models/dismiss" {
                    input type="hidden" name="name" value=(sighting.name);
                    button.btn.tiny { "Dismiss" span.sr { " " (sighting.name) } }
                }
            }
        },
    ]
}

async fn dismiss(State(control): State<Arc<Control>>, visit: Visit, fields: Fields) -> Answer {
    model_sightings::dismiss(&control, &visit.context, fields.text("name")).await?;
    Ok(go("/console/models?done=dismissed"))
}
