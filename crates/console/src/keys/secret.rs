//! The page that shows the secret of a key, once, with lines that use it.

use super::{KEYS, place, words};
use crate::figures::moment;
use crate::frame::{Here, Visit};
use crate::kit::icons::{Icon, icon};
use crate::kit::{Card, Head, Tone, facts, lines, note};
use axum::response::Response;
use louver_control::Control;
use louver_domain::keys::ApiKey;
use louver_domain::secret::Secret;
use louver_domain::time::Timestamp;
use maud::{Markup, html};

/// The model of the lines, where the key's own list names none.
const USUAL_MODEL: &str = "mistral-small-latest";

/// The page; `old_until` is the end of the secret before it.
pub(super) fn page(
    control: &Control,
    visit: &Visit,
    key: &ApiKey,
    secret: &Secret<String>,
    old_until: Option<Timestamp>,
) -> Response {
    let now = visit.context.now;
    let body = html! {
        (Head { title: &key.name, badge: Some(words::status(key, now)), meta: vec![words::home(visit, key, None)], ..Head::default() }.draw())
        div role="status" { (note(Tone::Good, &said(old_until, now), None)) }
        section.secret aria-labelledby="secret-h" {
            h2.sr #secret-h { "Your new key" }
            div.value {
                output #secret { (secret.expose()) }
                button.btn.main type="button" hidden data-copy="#secret" { (icon(Icon::Copy)) span data-label { "Copy key" } }
            }
            p { "Only this page shows it. When you leave it, nobody can read the key again: Louver knows it by a fingerprint." }
            (snippets(control.outbound.public_url(), model_of(key), secret.expose()))
        }
        (Card { id: "may", title: "What it may do", body: Some(facts(&summary(key))), ..Card::default() }.draw())
        div.acts {
            a.btn.main href=(place(key)) { "I have copied it" }
            @if old_until.is_none() { a.btn href="/console/keys/new" { "Create another" } }
        }
    };
    visit.secret_page(Here::Keys, &[KEYS, (&key.name, "")], &body)
}

fn said(old_until: Option<Timestamp>, now: Timestamp) -> Markup {
    html! {
        @match old_until {
            None => p { b { "The key is made." } " Copy it now and put it where your program reads its secrets." },
            Some(end) if end <= now => p { b { "The key has a new secret." } " The old one is refused from now on." },
            Some(end) => p { b { "The key has a new secret." } " The old one works until " (moment(end)) "." },
        }
    }
}

fn summary(key: &ApiKey) -> [(&'static str, Markup); 3] {
    let limits = &key.limits;
    [
        ("Models", words::models(limits.allowed_models.as_deref())),
        ("Budget", words::budget(limits.monthly_budget_usd)),
        ("Expires", html! { @match key.expires_at { Some(at) => (moment(at)), None => "never" } }),
    ]
}

/// A model that the key may use, by a name that can be called.
fn model_of(key: &ApiKey) -> &str {
    let entries = key.limits.allowed_models.iter().flatten();
    entries.map(String::as_str).find(|entry| !entry.contains('*')).unwrap_or(USUAL_MODEL)
}

/// Lines for a terminal, Python and JavaScript. The key stands in the first only: programs read it from their environment.
fn snippets(base: &str, model: &str, secret: &str) -> Markup {
    let base = base.trim_end_matches('/');
    html! {
        div.snips {
            details name="snip" open { summary { "curl" } (lines("snip-curl", &curl(base, model, secret))) }
            details name="snip" { summary { "Python, mistralai" } (lines("snip-py", &python(base, model))) }
            details name="snip" { summary { "JavaScript, @mistralai/mistralai" } (lines("snip-js", &javascript(base, model))) }
        }
    }
}

fn curl(base: &str, model: &str, secret: &str) -> String {
    format!(
        "export MISTRAL_API_KEY=\"{secret}\"\n\n\
         curl {base}/v1/chat/completions \\\n  -H \"Authorization: Bearer $MISTRAL_API_KEY\" \\\n  \
         -H \"Content-Type: application/json\" \\\n  \
         -d '{{\"model\": \"{model}\", \"messages\": [{{\"role\": \"user\", \"content\": \"Hello\"}}]}}'"
    )
}

fn python(base: &str, model: &str) -> String {
    format!(
        "import os\nfrom mistralai.client import Mistral\n\n\
         client = Mistral(api_key=os.environ[\"MISTRAL_API_KEY\"], server_url=\"{base}\")\n\
         answer = client.chat.complete(\n    model=\"{model}\",\n    \
         messages=[{{\"role\": \"user\", \"content\": \"Hello\"}}],\n)\n\
         print(answer.choices[0].message.content)"
    )
}

fn javascript(base: &str, model: &str) -> String {
    format!(
        "import {{ Mistral }} from \"@mistralai/mistralai\";\n\n\
         const client = new Mistral({{ apiKey: process.env.MISTRAL_API_KEY, serverURL: \"{base}\" }});\n\
         const answer = await client.chat.complete({{\n  model: \"{model}\",\n  \
         messages: [{{ role: \"user\", content: \"Hello\" }}],\n}});\n\
         console.log(answer.choices[0].message.content);"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_name_this_installation_and_not_the_key() {
        for text in [
            curl("https://l.example", "m", "lvr_x"),
            python("https://l.example", "m"),
            javascript("https://l.example", "m"),
        ] {
            assert!(text.contains("https://l.example") && text.contains("\"m\""), "{text}");
            assert!(text.contains("MISTRAL_API_KEY"), "{text}");
        }
        let body = curl("https://l.example", "m", "lvr_x");
        let body = body.split("-d '").nth(1).unwrap().trim_end_matches('\'');
        assert!(body.starts_with("{\"model\": \"m\"") && body.ends_with("}]}"), "{body}");
    }
}
