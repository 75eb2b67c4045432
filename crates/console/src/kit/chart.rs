//! Charts drawn on the server: bars by day in as many colours as there are series, and a line that shows a course.

use crate::figures::dollars;
use maud::{Markup, html};

/// As many series have a colour of their own; the others are one more, the last.
pub(crate) const MOST_SERIES: usize = 5;

const HEIGHT: f64 = 200.0;
const LINES: u8 = 4;

/// Bars over time.
pub(crate) struct Bars<'a> {
    /// Part of the ids within; one page may have several.
    pub(crate) id: &'a str,
    /// What it shows.
    pub(crate) title: &'a str,
    /// What each colour is.
    pub(crate) series: &'a [String],
    /// One column each: what it is called in full and below the chart, and the value of each series.
    pub(crate) columns: &'a [(String, String, Vec<i64>)],
}

impl Bars<'_> {
    /// Draws them, with the same as a table below.
    pub(crate) fn draw(&self) -> Markup {
        let top = round_above(self.columns.iter().map(|(_, _, values)| sum(values)).max().unwrap_or(0));
        let slot = 100.0 / count(self.columns.len().max(1));
        let every = self.columns.len().div_ceil(8).max(1);
        html! {
            figure.stack.tight {
                div.chart {
                    ul.y aria-hidden="true" { @for mark in 0..=LINES { li { (dollars(part(top, LINES.saturating_sub(mark)))) } } }
                    svg role="img" aria-labelledby={ (self.id) "-t" } {
                        title id={ (self.id) "-t" } { (self.title) }
                        @for mark in 0..=LINES {
                            @let y = one_digit(HEIGHT / f64::from(LINES) * f64::from(mark));
                            line.base[mark == LINES].grid[mark != LINES] x1="0" x2="100%" y1=(y) y2=(y) {}
                        }
                        @for (place, column) in self.columns.iter().enumerate() {
                            (self.bar(column, count(place) * slot, slot, top, place.is_multiple_of(every)))
                        }
                    }
                }
                figcaption { (self.key()) }
                details.fold { summary { "Show as a table" } (self.as_table()) }
            }
        }
    }

    fn bar(
        &self,
        column: &(String, String, Vec<i64>),
        left: f64,
        slot: f64,
        top: i64,
        named: bool,
    ) -> Markup {
        let (label, short, values) = column;
        let width = slot * 0.68;
        let x = left + (slot - width) / 2.0;
        let mut below = 0_i64;
        let parts: Vec<(usize, f64, f64)> = values
            .iter()
            .enumerate()
            .map(|(place, value)| {
                let (from, to) = (height(below, top), height(below.saturating_add(*value), top));
                below = below.saturating_add(*value);
                (place.saturating_add(1), to, from - to)
            })
            .collect();
        html! {
            g.b {
                title { (label) ": " (dollars(sum(values))) }
                rect.hit x=(place(left)) y="0" width=(place(slot)) height="200" {}
                @for (colour, y, height) in parts.into_iter().filter(|(_, _, height)| *height > 0.4) {
                    rect class={ "c" (colour) } x=(place(x)) y=(one_digit(y)) width=(place(width))
                        height=(one_digit((height - 1.0).max(0.5))) rx="1" {}
                }
                @if named { text x=(place(left + slot / 2.0)) y="220" { (short) } }
            }
        }
    }

    fn key(&self) -> Markup {
        html! {
            ul.key {
                @for (at, name) in self.series.iter().enumerate() {
                    li {
                        (swatch(at))
                        (name) " "
                        b { (dollars(self.columns.iter().filter_map(|(_, _, values)| values.get(at)).sum())) }
                    }
                }
            }
        }
    }

    fn as_table(&self) -> Markup {
        let rows: Vec<Vec<Markup>> = self
            .columns
            .iter()
            .map(|(label, _, values)| {
                let cells = values.iter().map(|value| html! { (dollars(*value)) });
                std::iter::once(html! { (label) })
                    .chain(cells)
                    .chain([html! { (dollars(sum(values))) }])
                    .collect()
            })
            .collect();
        html! {
            div.scroll tabindex="0" role="region" aria-label=(self.title) {
                table {
                    caption.sr { (self.title) }
                    thead { tr {
                        th scope="col" { "When" }
                        @for name in self.series { th.num scope="col" { (name) } }
                        th.num scope="col" { "Total" }
                    } }
                    tbody {
                        @for row in &rows {
                            tr {
                                @for (place, cell) in row.iter().enumerate() {
                                    @if place == 0 { th scope="row" { (cell) } } @else { td.num { (cell) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The colour of a series.
pub(crate) fn swatch(at: usize) -> Markup {
    html! {
        svg viewBox="0 0 10 10" aria-hidden="true" {
            rect class={ "c" (at.saturating_add(1)) } width="10" height="10" rx="2.5" {}
        }
    }
}

/// A course over time, without figures: those stand beside it.
pub(crate) fn spark(label: &str, points: &[i64], kind: &str) -> Markup {
    let top = points.iter().copied().max().unwrap_or(0).max(1);
    let step = 120.0 / count(points.len().saturating_sub(1).max(1));
    let at = |(place, value): (usize, &i64)| {
        let y = 30.0 - height_of(*value, top) * 28.0;
        format!("{} {}", one_digit(count(place) * step), one_digit(y))
    };
    let line = points.iter().enumerate().map(at).collect::<Vec<_>>().join("L");
    html! {
        @if points.len() > 1 {
            span class={ "spark " (kind) } {
                svg viewBox="0 0 120 32" preserveAspectRatio="none" role="img" aria-label=(label) {
                    path.a d={ "M0 32L" (line) "L120 32z" } {}
                    path.l d={ "M" (line) } {}
                }
            }
        }
    }
}

fn sum(values: &[i64]) -> i64 {
    values.iter().fold(0, |sum, value| sum.saturating_add(*value))
}

#[expect(clippy::cast_precision_loss, reason = "a picture is as exact as its pixels")]
fn height_of(value: i64, top: i64) -> f64 {
    value as f64 / top.max(1) as f64
}

fn height(value: i64, top: i64) -> f64 {
    HEIGHT - height_of(value, top) * HEIGHT
}

#[expect(clippy::cast_precision_loss, reason = "a chart has few columns")]
const fn count(number: usize) -> f64 {
    number as f64
}

fn part(top: i64, of: u8) -> i64 {
    top.saturating_mul(i64::from(of)).checked_div(i64::from(LINES)).unwrap_or(0)
}

fn one_digit(number: f64) -> String {
    format!("{number:.1}")
}

fn place(number: f64) -> String {
    format!("{number:.2}%")
}

/// The next round amount: 1, 2 or 4 and zeros, so that a quarter of it is round as well.
fn round_above(amount: i64) -> i64 {
    const LEAST: i64 = 4_000;
    let mut power = LEAST / 4;
    while power < i64::MAX / 100 {
        for step in [4, 8, 20] {
            let round = power.saturating_mul(step);
            if round >= amount {
                return round;
            }
        }
        power = power.saturating_mul(10);
    }
    amount
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_is_round_and_no_less_than_what_is_shown() {
        for (amount, top) in
            [(0, 4_000), (4_000, 4_000), (4_001, 8_000), (8_001, 20_000), (20_001, 40_000), (1, 4_000)]
        {
            assert_eq!(round_above(amount), top);
        }
    }

    #[test]
    fn bars_say_in_words_what_they_show() {
        let series = ["a".to_owned(), "b".to_owned()];
        let columns = [("1 Nov".to_owned(), "1".to_owned(), vec![1_000_000_000, 500_000_000])];
        let text = Bars { id: "x", title: "Spend", series: &series, columns: &columns }.draw().into_string();
        assert!(text.contains("1 Nov: $1.50"), "{text}");
        assert!(!text.contains("style="), "no inline style passes the policy");
    }
}
