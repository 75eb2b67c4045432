//! Fields of forms: each with its label, a hint, and what was wrong with it.

use super::icons::{Icon, icon};
use crate::failure::capital;
use crate::fields::Fields;
use louver_control::error::ControlError;
use maud::{Markup, html};

/// What was wrong with a form that came back: the field, and a sentence.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(Vec<(String, String)>);

impl Faults {
    /// None.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    /// From a refusal that the person can mend in the form; any other is given back.
    pub(crate) fn of(error: ControlError) -> Result<Self, ControlError> {
        match error {
            ControlError::Invalid(fault) | ControlError::Concealed(fault) => {
                Ok(Self(vec![(fault.param(), fault.message)]))
            }
            error @ (ControlError::Conflict(_) | ControlError::NotHere(_) | ControlError::LastAdmin) => {
                Ok(Self(vec![(String::new(), error.public_message())]))
            }
            other => Err(other),
        }
    }

    /// Whether nothing was wrong.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same where the action keeps the fields in an object of that name.
    pub(crate) fn inside(self, object: &str) -> Self {
        let bare = |name: String| {
            name.strip_prefix(object)
                .and_then(|rest| rest.strip_prefix('.'))
                .map_or(name.clone(), str::to_owned)
        };
        Self(self.0.into_iter().map(|(name, sentence)| (bare(name), sentence)).collect())
    }

    /// What is wrong with a field.
    pub(crate) fn at(&self, field: &str) -> Option<&str> {
        let of_field =
            |name: &str| name == field || name.strip_prefix(field).is_some_and(|rest| rest.starts_with('.'));
        self.0.iter().find(|(name, _)| of_field(name)).map(|(_, sentence)| sentence.as_str())
    }

    /// All of them above the form, each with the way to its field.
    pub(crate) fn summary(&self) -> Markup {
        html! {
            @if !self.0.is_empty() {
                div.note.bad role="alert" aria-labelledby="faults" {
                    (icon(Icon::Warn))
                    div {
                        h2 #faults { "This stands in the way" }
                        ul {
                            @for (name, sentence) in &self.0 {
                                li {
                                    @if name.is_empty() { (capital(sentence)) }
                                    @else { a href={"#" (name)} { (label_of(name)) ": " (sentence) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A field's name as words.
fn label_of(name: &str) -> String {
    let words = name.replace(['_', '.'], " ");
    let text = capital(&words);
    text.trim_end_matches('.').to_owned()
}

/// One sentence that stands in the way.
pub(crate) fn summary(sentence: &str) -> Markup {
    html! { div.note.bad role="alert" { (icon(Icon::Warn)) div { p { (sentence) } } } }
}

/// A field with one line of text, or whatever else `input` is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Field<'a> {
    /// Its name, which is its id too.
    pub(crate) name: &'a str,
    /// What it is called.
    pub(crate) label: &'a str,
    /// What helps to fill it in.
    pub(crate) hint: Option<&'a str>,
    /// What it holds.
    pub(crate) value: &'a str,
    /// The type of the input; empty is `text`.
    pub(crate) kind: &'a str,
    /// What stands before it, such as `$`.
    pub(crate) before: Option<&'a str>,
    /// The unit that stands after it.
    pub(crate) unit: Option<&'a str>,
    /// Whether it must be filled in.
    pub(crate) required: bool,
    /// What browsers fill in.
    pub(crate) autocomplete: Option<&'a str>,
    /// Which keys a telephone shows.
    pub(crate) inputmode: Option<&'a str>,
    /// What is wrong with it.
    pub(crate) fault: Option<&'a str>,
    /// What it may hold, among others.
    pub(crate) proposals: &'a [String],
}

impl<'a> Field<'a> {
    /// A field of that name and label.
    pub(crate) fn new(name: &'a str, label: &'a str) -> Self {
        Self { name, label, ..Self::default() }
    }

    /// With a hint.
    pub(crate) fn hint(self, hint: &'a str) -> Self {
        Self { hint: Some(hint), ..self }
    }

    /// With what a form sent for it, and what was wrong with that.
    pub(crate) fn filled(self, fields: &'a Fields, faults: &'a Faults) -> Self {
        Self { value: fields.text(self.name), fault: faults.at(self.name), ..self }
    }

    /// Of another type than text.
    pub(crate) fn kind(self, kind: &'a str) -> Self {
        Self { kind, ..self }
    }

    /// With a unit after it, and digits on a telephone.
    pub(crate) fn unit(self, unit: &'a str) -> Self {
        Self { unit: Some(unit), inputmode: Some("numeric"), ..self }
    }

    /// An amount of dollars.
    pub(crate) fn dollars(self) -> Self {
        Self { before: Some("$"), inputmode: Some("decimal"), ..self }
    }

    /// That must be filled in.
    pub(crate) fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// That browsers know how to fill in.
    pub(crate) fn autocomplete(self, what: &'a str) -> Self {
        Self { autocomplete: Some(what), ..self }
    }

    /// Draws it.
    pub(crate) fn draw(&self) -> Markup {
        let kind = if self.kind.is_empty() { "text" } else { self.kind };
        let input = html! {
            input id=(self.name) name=(self.name) type=(kind) value=(self.value) required[self.required]
                autocomplete=[self.autocomplete] inputmode=[self.inputmode] list=[self.list_id()]
                aria-describedby=[self.described_by()] aria-invalid=[self.fault.map(|_| "true")];
            @if let Some(id) = self.list_id() {
                datalist id=(id) { @for text in self.proposals { option value=(text) {} } }
            }
        };
        let boxed = html! {
            @if self.before.is_some() || self.unit.is_some() {
                div.unit {
                    @if let Some(before) = self.before { span aria-hidden="true" { (before) } }
                    (input)
                    @if let Some(unit) = self.unit { span aria-hidden="true" { (unit) } }
                }
            } @else { (input) }
        };
        self.around(&boxed)
    }

    /// Several lines of text.
    pub(crate) fn lines(&self, rows: u8) -> Markup {
        self.around(&html! {
            textarea id=(self.name) name=(self.name) rows=(rows) required[self.required]
                aria-describedby=[self.described_by()] aria-invalid=[self.fault.map(|_| "true")] { (self.value) }
        })
    }

    /// One of several choices: the value sent, and what it is called.
    pub(crate) fn choice(&self, choices: &[(String, String)]) -> Markup {
        self.around(&html! {
            select id=(self.name) name=(self.name) required[self.required]
                aria-describedby=[self.described_by()] aria-invalid=[self.fault.map(|_| "true")] {
                @for (value, text) in choices {
                    option value=(value) selected[value == self.value] { (text) }
                }
            }
        })
    }

    fn list_id(&self) -> Option<String> {
        (!self.proposals.is_empty()).then(|| format!("{}-list", self.name))
    }

    fn described_by(&self) -> Option<String> {
        let hint = self.hint.map(|_| format!("{}-hint", self.name));
        let fault = self.fault.map(|_| format!("{}-error", self.name));
        let ids: Vec<String> = hint.into_iter().chain(fault).collect();
        (!ids.is_empty()).then(|| ids.join(" "))
    }

    fn around(&self, control: &Markup) -> Markup {
        html! {
            div.field {
                label for=(self.name) {
                    (self.label)
                    @if !self.required && self.kind != "search" { " " span.opt { "optional" } }
                }
                (control)
                @if let Some(hint) = self.hint { p.hint id={ (self.name) "-hint" } { (hint) } }
                @if let Some(fault) = self.fault {
                    p.error id={ (self.name) "-error" } { (icon(Icon::Warn)) (capital(fault)) }
                }
            }
        }
    }
}

/// A field for a password.
pub(crate) fn password(name: &str, label: &str, autocomplete: &str) -> Markup {
    Field::new(name, label).kind("password").required().autocomplete(autocomplete).draw()
}

/// A field for a code of the second factor.
pub(crate) fn code(name: &str) -> Markup {
    let hint = "The six digits that your device shows now, or one of the codes that you kept.";
    let field = Field::new(name, "Code").hint(hint).required().autocomplete("one-time-code");
    Field { inputmode: Some("text"), ..field }.draw()
}

/// A box to be ticked, or one of several to choose from (`kind` is `checkbox` or `radio`).
pub(crate) fn tick(kind: &str, name: &str, value: &str, on: bool, text: &str, hint: Option<&str>) -> Markup {
    html! {
        label.check {
            input type=(kind) name=(name) value=(value) checked[on];
            span {
                (text)
                @if let Some(hint) = hint { span.hint { (hint) } }
            }
        }
    }
}

/// A part of a long form: what it is about on one side, its fields on the other.
pub(crate) fn section(title: &str, hint: &str, fields: &Markup) -> Markup {
    html! {
        section.section {
            div { h2 { (title) } p.hint { (hint) } }
            div.stack { (fields) }
        }
    }
}
