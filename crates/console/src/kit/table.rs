//! Tables: columns with their headings, rows whose first cell names them, and the way to the next page.

use maud::{Markup, html};

/// A column.
#[derive(Clone, Debug, Default)]
pub(crate) struct Column {
    text: &'static str,
    number: bool,
    sorted: Option<&'static str>,
    href: Option<String>,
}

impl Column {
    /// Of text.
    pub(crate) fn text(text: &'static str) -> Self {
        Self { text, ..Self::default() }
    }

    /// Of numbers, which stand below one another.
    pub(crate) fn number(text: &'static str) -> Self {
        Self { text, number: true, ..Self::default() }
    }

    /// Sorted by: `ascending` or `descending`.
    pub(crate) fn sorted(self, direction: &'static str) -> Self {
        Self { sorted: Some(direction), ..self }
    }

    /// Whose heading leads to the table sorted by it.
    pub(crate) fn href(self, href: String) -> Self {
        Self { href: Some(href), ..self }
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
        th scope="col" .num[column.number] aria-sort=[column.sorted] {
            @match &column.href {
                Some(href) => a href=(href) { (column.text) },
                None => (column.text),
            }
        }
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
