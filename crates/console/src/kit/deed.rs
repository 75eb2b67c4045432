//! Buttons that do one thing: a form with nothing in it, which asks first where the thing cannot be undone.

use crate::confirm::Question;
use maud::{Markup, html};

/// A small button that does something at once. `to` names for screen readers what it is done to.
pub(crate) fn button(action: &str, label: &str, to: &str) -> Markup {
    html! {
        form method="post" action=(action) {
            button.btn.tiny { (label) @if !to.is_empty() { span.sr { " " (to) } } }
        }
    }
}

/// One that asks before.
pub(crate) fn asking(question: &Question<'_>, label: &str, to: &str) -> Markup {
    html! {
        form method="post" action=(question.action) data-confirm=(question.text) data-confirm-title=(question.title)
            data-confirm-yes=(question.yes) {
            button.btn.tiny.danger { (label) @if !to.is_empty() { span.sr { " " (to) } } }
        }
    }
}
