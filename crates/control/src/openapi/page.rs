//! The description as a page: plain HTML made on the server, by chapter, with an example of each call.

mod example;
mod shape;

use maud::{DOCTYPE, Markup, html};
use serde_json::{Map, Value};

/// The stylesheet.
pub(super) const STYLE: &str = include_str!("page/style.css");

/// An operation of the document with its method and path.
struct Entry<'d> {
    method: &'d str,
    path: &'d str,
    told: &'d Value,
}

/// Writes the page. Everything in it is escaped.
pub(crate) fn render(document: &Value, style_path: &str) -> String {
    let entries = entries(document);
    let chapters: Vec<(&str, &str, Vec<&Entry<'_>>)> = list(document, "tags")
        .map(|tag| (text(tag, "name"), text(tag, "description")))
        .map(|(name, about)| (name, about, entries.iter().filter(|entry| entry.chapter() == name).collect()))
        .filter(|(_, _, entries): &(&str, &str, Vec<&Entry<'_>>)| !entries.is_empty())
        .collect();
    let info = document.get("info").unwrap_or(&Value::Null);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (text(info, "title")) " API" }
                link rel="stylesheet" href=(style_path);
            }
            body {
                header {
                    h1 { (text(info, "title")) " API" }
                    p { (text(info, "summary")) " Version " (text(info, "version")) ". "
                        a href="/openapi.json" { "openapi.json" } }
                    p { (prose(text(info, "description"))) }
                }
                nav aria-label="Contents" {
                    @for (name, _, entries) in &chapters {
                        details {
                            summary { (name) }
                            ul { @for entry in entries { li { (entry.link()) } } }
                        }
                    }
                    p { a href="#shapes" { "Shapes" } }
                }
                main {
                    @for (name, about, entries) in &chapters {
                        section id=(format!("chapter-{name}")) {
                            h2 { a href=(format!("#chapter-{name}")) { (name) } }
                            p { (prose(about)) }
                            @for entry in entries { (entry.article(document)) }
                        }
                    }
                    (shape::all(document))
                }
            }
        }
    };
    page.into_string()
}

fn entries(document: &Value) -> Vec<Entry<'_>> {
    let paths = members(document, "paths");
    let all = paths.flat_map(|(path, methods)| {
        methods.as_object().into_iter().flatten().map(move |(method, told)| Entry { method, path, told })
    });
    all.collect()
}

impl Entry<'_> {
    fn chapter(&self) -> &str {
        list(self.told, "tags").next().and_then(Value::as_str).unwrap_or_default()
    }

    fn anchor(&self) -> &str {
        text(self.told, "operationId")
    }

    fn method(&self) -> Markup {
        html! { span class=(format!("method {}", self.method)) { (self.method.to_uppercase()) } }
    }

    fn link(&self) -> Markup {
        html! { a href=(format!("#{}", self.anchor())) { (text(self.told, "summary")) } }
    }

    fn article(&self, document: &Value) -> Markup {
        let body = at(self.told, &["requestBody", "content", "application/json", "schema"]);
        let permission = text(self.told, "x-permission");
        html! {
            article id=(self.anchor()) {
                h3 { a href=(format!("#{}", self.anchor())) { (text(self.told, "summary")) } }
                p class="route" { (self.method()) " " code { (self.path) } }
                @if !text(self.told, "description").is_empty() { p { (prose(text(self.told, "description"))) } }
                p class="needs" { (self.needs(permission)) }
                (self.parameters())
                @if let Some(schema) = body {
                    h4 { "Body" }
                    p { (shape::name(schema)) }
                    (shape::fields(shape::resolved(document, schema)))
                }
                (self.answers())
                details { summary { "Example" } pre { code { (example::curl(document, self)) } } }
            }
        }
    }

    fn needs(&self, permission: &str) -> Markup {
        let schemes: Vec<&str> = list(self.told, "security")
            .filter_map(Value::as_object)
            .flat_map(Map::keys)
            .map(String::as_str)
            .collect();
        let credential = match schemes.first() {
            Some(scheme) if scheme.starts_with("Admin") => "Needs an admin key",
            Some(_) => "Needs an API key",
            None => "Needs no credential",
        };
        html! {
            (credential)
            @if !permission.is_empty() { " with the permission " code { (permission) } }
            "."
        }
    }

    fn parameters(&self) -> Markup {
        let parameters: Vec<&Value> = list(self.told, "parameters").collect();
        html! {
            @if !parameters.is_empty() {
                h4 { "Parameters" }
                div class="wide" { table {
                    thead { tr { th { "Name" } th { "In" } th { "Holds" } th { "Meaning" } } }
                    tbody { @for parameter in parameters { tr {
                        td { code { (text(parameter, "name")) }
                            @if parameter.get("required") == Some(&Value::Bool(true)) { (shape::required()) } }
                        td { (text(parameter, "in")) }
                        td { (shape::name(parameter.get("schema").unwrap_or(&Value::Null))) }
                        td { (prose(text(parameter, "description"))) }
                    } } }
                } }
            }
        }
    }

    fn answers(&self) -> Markup {
        html! {
            h4 { "Answers" }
            div class="wide" { table {
                thead { tr { th { "Status" } th { "Holds" } th { "Meaning" } } }
                tbody { @for (status, answer) in members(self.told, "responses") { tr {
                    td { code { (status) } }
                    td { @for (kind, content) in members(answer, "content") {
                        div { (shape::name(content.get("schema").unwrap_or(&Value::Null)))
                            @if kind != "application/json" { " as " (kind) } }
                    } }
                    td { (prose(text(answer, "description"))) }
                } } }
            } }
        }
    }
}

/// A sentence; what stands between backquotes is code.
fn prose(sentence: &str) -> Markup {
    html! {
        @for (place, part) in sentence.split('`').enumerate() {
            @if place % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// A text member, or nothing.
fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The items of a list, or none.
fn list<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// The members of an object, or none.
fn members<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = (&'v String, &'v Value)> + use<'v> {
    value.get(name).and_then(Value::as_object).into_iter().flatten()
}

/// What stands at the end of a way of names.
fn at<'v>(value: &'v Value, way: &[&str]) -> Option<&'v Value> {
    way.iter().try_fold(value, |value, name| value.get(name))
}
