//! A list of boxes to choose from, with a field above that narrows it where a script runs.

use super::icons::{Icon, icon};
use crate::failure::capital;
use maud::{Markup, html};

/// One that can be chosen.
pub(crate) struct Choice {
    /// What is sent.
    pub(crate) value: String,
    /// What there is to say of it in short.
    pub(crate) word: String,
}

/// Several of them, under one name.
pub(crate) struct Picker<'a> {
    /// The name of each field, and the id of all together.
    pub(crate) name: &'a str,
    /// What they are called.
    pub(crate) label: &'a str,
    /// What helps to choose.
    pub(crate) hint: &'a str,
    /// What can be chosen.
    pub(crate) choices: &'a [Choice],
    /// What is chosen.
    pub(crate) chosen: &'a [String],
    /// What is wrong.
    pub(crate) fault: Option<&'a str>,
}

impl Picker<'_> {
    /// Draws it.
    pub(crate) fn draw(&self) -> Markup {
        let hint = format!("{}-hint", self.name);
        html! {
            fieldset id=(self.name) aria-describedby=(hint) {
                legend { (self.label) " " span.opt { "optional" } }
                p.hint id=(hint) { (self.hint) }
                div.picker data-picker {
                    input type="search" aria-label={ "Find in " (self.label) } placeholder="Find" hidden data-js autocomplete="off";
                    ul aria-label=(self.label) tabindex="0" { @for choice in self.choices { li { (self.row(choice)) } } }
                    p role="status" { span data-count { (self.chosen.len()) " selected" } }
                }
                @if let Some(fault) = self.fault { p.error { (icon(Icon::Warn)) (capital(fault)) } }
            }
        }
    }

    fn row(&self, choice: &Choice) -> Markup {
        html! {
            label.check {
                input type="checkbox" name=(self.name) value=(choice.value) checked[self.chosen.contains(&choice.value)];
                span { (choice.value) }
                @if !choice.word.is_empty() { span { (choice.word) } }
            }
        }
    }
}
