//! The line of filters above a list: a form by GET that a script sends by itself.

use maud::{Markup, html};

/// The form around them.
pub(crate) fn filters(label: &str, fields: &Markup) -> Markup {
    html! {
        form.filters method="get" data-auto role="search" aria-label=(label) {
            (fields)
            button.btn { "Apply" }
        }
    }
}

/// A field to search by.
pub(crate) fn search(name: &str, label: &str, value: &str) -> Markup {
    html! {
        span.search {
            input id=(name) type="search" name=(name) aria-label=(label) placeholder=(label) value=(value) autocomplete="off";
        }
    }
}

/// One of several choices: the value sent, and what it is called.
pub(crate) fn choice(name: &str, label: &str, choices: &[(String, String)], chosen: &str) -> Markup {
    html! {
        select id=(name) name=(name) aria-label=(label) {
            @for (value, text) in choices { option value=(value) selected[value == chosen] { (text) } }
        }
    }
}

/// A day.
pub(crate) fn day(name: &str, label: &str, value: &str) -> Markup {
    html! { input.date id=(name) type="date" name=(name) aria-label=(label) value=(value); }
}
