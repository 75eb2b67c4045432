//! A page that stands by itself, without the way to other pages: for signing in, and for one thing at a time.

use super::icons::mark;
use crate::assets;
use maud::{DOCTYPE, Markup, html};

/// The page; `who` is named below it.
pub(crate) fn page(title: &str, wider: bool, body: &Markup, who: Option<&str>) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(title))
            body.alone {
                main #main .wider[wider] {
                    a.brand href="/console" { (mark()) "Louver" }
                    (body)
                    @if let Some(who) = who { p.below { "Signed in as " (who) } }
                }
            }
        }
    }
}

/// What every page loads.
pub(crate) fn head(title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            title { (title) " – Louver" }
            link rel="icon" href=(assets::mark()) type="image/svg+xml";
            link rel="stylesheet" href=(assets::style());
            script type="module" src=(assets::script()) {}
        }
    }
}
