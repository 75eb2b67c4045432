//! The page that asks before what cannot be undone. Where a script runs, it has asked already, and the form says so.

use crate::answer::page;
use crate::fields::Fields;
use crate::kit::alone;
use axum::response::Response;
use http::StatusCode;
use maud::html;

/// The field by which a form says that the person was asked.
const CONFIRMED: &str = "confirmed";

/// What is to be confirmed.
pub(crate) struct Question<'a> {
    /// Where the form goes.
    pub(crate) action: &'a str,
    /// What is asked.
    pub(crate) title: &'a str,
    /// What will be.
    pub(crate) text: &'a str,
    /// What is done.
    pub(crate) yes: &'a str,
    /// Where whoever says no goes.
    pub(crate) back: &'a str,
}

impl Question<'_> {
    /// The page that asks; none where the person has said yes.
    pub(crate) fn unless_answered(&self, fields: &Fields) -> Option<Response> {
        if fields.text(CONFIRMED) == "yes" {
            return None;
        }
        let body = html! {
            section.card {
                form.body.stack.tight method="post" action=(self.action) {
                    div { h1 { (self.title) } p.soft { (self.text) } }
                    @for (name, value) in fields.of_page() { input type="hidden" name=(name) value=(value); }
                    input type="hidden" name=(CONFIRMED) value="yes";
                    div.acts {
                        button.btn.danger.main { (self.yes) }
                        a.btn href=(self.back) { "Cancel" }
                    }
                }
            }
        };
        Some(page(StatusCode::OK, alone::page(self.title, false, &body, None)))
    }
}
