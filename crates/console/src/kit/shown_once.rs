//! A secret that is shown once, with a button that copies it.

use super::icons::{Icon, icon};
use maud::{Markup, html};

/// The secret, what it is, and what there is to say of it.
pub(crate) fn shown_once(title: &str, secret: &str, text: &str) -> Markup {
    html! {
        section.secret aria-labelledby="secret-title" {
            h2.sr #secret-title { (title) }
            div.value {
                output #secret { (secret) }
                button.btn.main type="button" hidden data-copy="#secret" { (icon(Icon::Copy)) span data-label { "Copy" } }
            }
            p { (text) }
        }
    }
}
