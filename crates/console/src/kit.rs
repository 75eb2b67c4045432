//! The parts that pages are made of, in the vocabulary of the style sheet.

pub(crate) mod alone;
pub(crate) mod chart;
pub(crate) mod deed;
pub(crate) mod filter;
pub(crate) mod form;
pub(crate) mod icons;
pub(crate) mod meter;
pub(crate) mod picker;
pub(crate) mod shown_once;
pub(crate) mod table;

use icons::{Icon, icon};
use maud::{Markup, html};

/// How something stands, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing to say about it.
    Plain,
    /// As it should be.
    Good,
    /// To be looked at.
    Warn,
    /// To be mended.
    Bad,
    /// Only watched, not enforced.
    Shadow,
    /// Worth knowing.
    Info,
    /// No more.
    Off,
}

impl Tone {
    const fn class(self) -> &'static str {
        match self {
            Self::Plain => "bare",
            Self::Good => "ok",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Shadow => "shadow",
            Self::Info => "info",
            Self::Off => "off",
        }
    }
}

/// One or two words on how something stands.
pub(crate) fn badge(tone: Tone, text: &str) -> Markup {
    html! { span class={ "badge " (tone.class()) } { (text) } }
}

/// Something that programs read: an id, a model, a code.
pub(crate) fn chip(text: &str) -> Markup {
    html! { code.chip { (text) } }
}

/// Several of those.
pub(crate) fn chips(texts: &[String]) -> Markup {
    html! { span.chips { @for text in texts { (chip(text)) } } }
}

/// The picture of a workspace or person: an emoji, or the first letters of a name.
pub(crate) fn tile(text: &str, kind: &str) -> Markup {
    html! { span class={ "tile " (kind) } aria-hidden="true" { (text) } }
}

/// The picture of a workspace.
pub(crate) fn workspace_tile(name: &str, shown: Option<&str>) -> Markup {
    tile(shown.filter(|shown| !shown.is_empty()).unwrap_or(&initials(name)), "")
}

/// The first letters of up to two words.
pub(crate) fn initials(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.take(2).filter_map(|word| word.chars().next()).flat_map(char::to_uppercase).collect()
}

/// The head of a page: what it is, what there is to say of it in short, and what can be done.
#[derive(Default)]
pub(crate) struct Head<'a> {
    /// The picture, where there is one.
    pub(crate) tile: Option<Markup>,
    /// What it is.
    pub(crate) title: &'a str,
    /// How it stands.
    pub(crate) badge: Option<Markup>,
    /// What there is to say in short.
    pub(crate) meta: Vec<Markup>,
    /// What can be done; the main thing last.
    pub(crate) acts: Vec<Markup>,
}

impl Head<'_> {
    /// Draws it.
    pub(crate) fn draw(&self) -> Markup {
        html! {
            header.head {
                @if let Some(tile) = &self.tile { (tile) }
                div.text {
                    h1 { (self.title) @if let Some(badge) = &self.badge { " " (badge) } }
                    @if !self.meta.is_empty() { p.meta { @for one in &self.meta { span { (one) } } } }
                }
                @if !self.acts.is_empty() { div.acts { @for act in &self.acts { (act) } } }
            }
        }
    }
}

/// A way somewhere that looks like a button.
pub(crate) fn link(href: &str, picture: Option<Icon>, text: &str) -> Markup {
    html! { a.btn href=(href) { @if let Some(picture) = picture { (icon(picture)) } (text) } }
}

/// The same, for the main thing on a page.
pub(crate) fn main_link(href: &str, picture: Option<Icon>, text: &str) -> Markup {
    html! { a.btn.main href=(href) { @if let Some(picture) = picture { (icon(picture)) } (text) } }
}

/// The same, small.
pub(crate) fn tiny_link(href: &str, text: &str) -> Markup {
    html! { a.btn.tiny href=(href) { (text) } }
}

/// A box with a heading. `flush` reaches its edges, as tables do; `body` does not.
#[derive(Default)]
pub(crate) struct Card<'a> {
    /// Its id, unique on the page.
    pub(crate) id: &'a str,
    /// Its heading.
    pub(crate) title: &'a str,
    /// A word beside the heading.
    pub(crate) sub: Option<Markup>,
    /// What stands at the other side of the heading.
    pub(crate) side: Option<Markup>,
    /// What reaches its edges.
    pub(crate) flush: Option<Markup>,
    /// What does not.
    pub(crate) body: Option<Markup>,
    /// What stands below.
    pub(crate) foot: Option<Markup>,
}

impl Card<'_> {
    /// Draws it.
    pub(crate) fn draw(&self) -> Markup {
        html! {
            section.card {
                header {
                    h2 id=(self.id) { (self.title) }
                    @if let Some(sub) = &self.sub { p { (sub) } }
                    @if let Some(side) = &self.side { (side) }
                }
                @if let Some(flush) = &self.flush { (flush) }
                @if let Some(body) = &self.body { div.body { (body) } }
                @if let Some(foot) = &self.foot { footer { (foot) } }
            }
        }
    }
}

/// A word to the reader above what it is about.
pub(crate) fn note(tone: Tone, text: &Markup, acts: Option<&Markup>) -> Markup {
    let class = match tone {
        Tone::Good | Tone::Warn | Tone::Bad => tone.class(),
        Tone::Plain | Tone::Shadow | Tone::Info | Tone::Off => "",
    };
    let picture = match tone {
        Tone::Good => Icon::Check,
        Tone::Warn | Tone::Bad => Icon::Warn,
        Tone::Plain | Tone::Shadow | Tone::Info | Tone::Off => Icon::Info,
    };
    html! {
        div class={ "note " (class) } {
            (icon(picture))
            div { (text) }
            @if let Some(acts) = acts { div.acts { (acts) } }
        }
    }
}

/// What is said where a list is empty, and what to do next.
pub(crate) fn empty(title: &str, text: &str, act: Option<&Markup>) -> Markup {
    html! {
        div.empty {
            svg.slats viewBox="0 0 56 40" aria-hidden="true" {
                rect.lit y="0" width="56" height="3" rx="1.5" {}
                rect y="11" width="56" height="5" rx="2" {}
                rect y="22" width="56" height="7" rx="2" {}
                rect y="33" width="56" height="7" rx="2" {}
            }
            h2 { (title) }
            p { (text) }
            @if let Some(act) = act { (act) }
        }
    }
}

/// Names and what they are, one below the other.
pub(crate) fn facts(pairs: &[(&str, Markup)]) -> Markup {
    html! { dl.facts { @for (name, value) in pairs { dt { (name) } dd { (value) } } } }
}

/// A figure that a page is about.
pub(crate) struct Stat {
    /// What it is of.
    pub(crate) label: &'static str,
    /// The figure.
    pub(crate) figure: Markup,
    /// What there is to say of it.
    pub(crate) word: Markup,
    /// Its course.
    pub(crate) course: Option<Markup>,
}

/// Several of those side by side.
pub(crate) fn stats(all: &[Stat]) -> Markup {
    html! {
        dl.stats {
            @for stat in all {
                div {
                    dt { (stat.label) }
                    dd.big { (stat.figure) }
                    dd { (stat.word) }
                    @if let Some(course) = &stat.course { dd."spark-cell" { (course) } }
                }
            }
        }
    }
}

/// The parts of one thing: where each is, and which this is.
pub(crate) fn tabs(label: &str, parts: &[(&str, String)], here: &str) -> Markup {
    html! {
        nav.tabs aria-label=(label) {
            @for (text, href) in parts {
                a href=(href) aria-current=[(*text == here).then_some("page")] { (text) }
            }
        }
    }
}

/// A button that copies what stands in the element `of`. Without a script there is none, and the text can be marked.
pub(crate) fn copy(of: &str, label: &str) -> Markup {
    html! {
        button.btn.tiny type="button" hidden data-copy={ "#" (of) } { (icon(Icon::Copy)) span data-label { (label) } }
    }
}

/// Lines for a terminal or a program, with a button that copies them.
pub(crate) fn lines(id: &str, text: &str) -> Markup {
    html! {
        div.code {
            pre tabindex="0" role="region" aria-label={ "Code, " (id) } { code id=(id) { (text) } }
            (copy(id, "Copy"))
        }
    }
}
