//! Buttons that do one thing: a form with nothing in it, which asks first where the thing cannot be undone.

use crate::confirm::Question;
use maud::{Markup, html};

/// A button that does something at once.
pub(crate) fn button(action: &str, label: &str) -> Markup {
    html! { form method="post" action=(action) { button.btn { (label) } } }
}

/// One that asks before.
pub(crate) fn asking(question: &Question<'_>, label: &str, to: &str) -> Markup {
    drawn(question, "btn tiny danger", label, to)
}

/// The same in the size of the head of a page.
pub(crate) fn large(question: &Question<'_>, label: &str) -> Markup {
    drawn(question, "btn danger", label, "")
}

fn drawn(question: &Question<'_>, class: &str, label: &str, to: &str) -> Markup {
    html! {
        form method="post" action=(question.action) data-confirm=(question.text) data-confirm-title=(question.title)
            data-confirm-yes=(question.yes) {
            button class=(class) { (label) @if !to.is_empty() { span.sr { " " (to) } } }
        }
    }
}
