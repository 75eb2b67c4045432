//! Tables: columns with their headings, rows whose first cell names them, and the way to the next page.

use maud::{Markup, html};

/// A column.
#[derive(Clone, Debug, Default)]
pub(crate) struct Column {
    text: &'static str,
    number: bool,
}

impl Column {
    /// Of text.
    pub(crate) fn text(text: &'static str) -> Self {
        Self { text, number: false }
    }

    /// Of numbers, which stand below one another.
    pub(crate) fn number(text: &'static str) -> Self {
        Self { text, number: true }
    }
}

/// The table; the first cell of each row is its name.
pub(crate) fn table(label: &str, columns: &[Column], rows: &[Vec<Markup>]) -> Markup {
    drawn(label, None, columns, rows)
}

/// The same with rows of many lines, which begin at the top.
pub(crate) fn tall_table(label: &str, columns: &[Column], rows: &[Vec<Markup>]) -> Markup {
    drawn(label, Some("top"), columns, rows)
}

fn drawn(label: &str, class: Option<&str>, columns: &[Column], rows: &[Vec<Markup>]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(label) {
            table class=[class] {
                caption.sr { (label) }
                thead { tr { @for column in columns { (heading(column)) } } }
                tbody { @for row in rows { (line(columns, row)) } }
            }
        }
    }
}

fn heading(column: &Column) -> Markup {
    html! {
        th scope="col" .num[column.number] { (column.text) }
    }
}

fn line(columns: &[Column], row: &[Markup]) -> Markup {
    html! {
        tr {
            @for (place, cell) in row.iter().enumerate() {
                @let number = columns.get(place).is_some_and(|column| column.number);
                @if place == 0 { th scope="row" .num[number] { (cell) } } @else { td.num[number] { (cell) } }
            }
        }
    }
}

/// The way to the first and the next page, below a table.
pub(crate) fn pager(text: &str, first: Option<&str>, next: Option<&str>) -> Markup {
    html! {
        span { (text) }
        nav.acts aria-label="Pages" {
            @if let Some(first) = first { a.btn.tiny href=(first) { "First" } }
            @if let Some(next) = next { a.btn.tiny href=(next) { "Next" } }
        }
    }
}
