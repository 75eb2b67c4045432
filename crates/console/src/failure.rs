//! The one funnel of the console: every error, and the page that it becomes.

use crate::answer::page;
use crate::kit::alone;
use crate::kit::icons::{Icon, icon};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use louver_control::context::RequestContext;
use louver_control::error::ControlError;
use maud::html;
use std::sync::Arc;

/// An error on its way to a page. The door looks for it in the answer.
#[derive(Clone, Debug)]
pub(crate) struct Failure(pub(crate) Arc<ControlError>);

impl<E: Into<ControlError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(Arc::new(error.into()))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        if self.0.status().is_server_error() {
            tracing::error!(error = %self.0, "a page of the console failed");
        }
        let mut response = sentence(self.0.status(), title(&self.0), &capital(&self.0.public_message()));
        response.extensions_mut().insert(self);
        response
    }
}

fn title(error: &ControlError) -> &'static str {
    match error.status() {
        StatusCode::NOT_FOUND => "There is no such page",
        StatusCode::FORBIDDEN => "You may not do this",
        StatusCode::TOO_MANY_REQUESTS => "Too many attempts",
        StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => "This does not fit what is there",
        StatusCode::UNAUTHORIZED => "You are not signed in",
        status if status.is_server_error() => "Something went wrong",
        _ => "This could not be done",
    }
}

/// A page of one sentence.
pub(crate) fn sentence(status: StatusCode, title: &str, text: &str) -> Response {
    let body = html! {
        section.card {
            div.body {
                h1 { (title) }
                p { (text) }
                p { a.btn href="/console" { (icon(Icon::Overview)) "To the overview" } }
            }
        }
    };
    page(status, alone::page(title, false, &body, None))
}

/// For what is no page.
pub(crate) async fn no_page(request: Request) -> Response {
    let id = request.extensions().get::<RequestContext>().map(|context| context.request_id.to_string());
    tracing::debug!(request_id = id, "no such page");
    Failure(Arc::new(ControlError::NotFound)).into_response()
}

/// A sentence with a capital at its start and a full stop at its end.
pub(crate) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().map(char::to_uppercase).into_iter().flatten().collect();
    let stop = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{stop}", letters.as_str())
}
