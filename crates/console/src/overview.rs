//! The first page: what the organization spends, and what needs a look.

use crate::answer::Answer;
use crate::frame::{Here, Visit};
use crate::kit::Head;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use louver_control::Control;
use maud::html;
use std::sync::Arc;

pub(crate) fn pages() -> Router<Arc<Control>> {
    Router::new().route(crate::HOME, get(show))
}

async fn show(State(_control): State<Arc<Control>>, visit: Visit) -> Answer {
    let body = html! { (Head { title: "Overview", ..Head::default() }.draw()) };
    Ok(visit.page(Here::Overview, &[("Overview", "")], &body))
}
