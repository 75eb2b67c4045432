//! A bar for work on many things: on stderr, and only where a person looks at it.

use std::io::{IsTerminal, Write, stderr};

const WIDTH: usize = 24;
/// What is shown of a name.
const NAME: usize = 32;

/// How far the work is.
pub(super) struct Progress {
    label: &'static str,
    total: usize,
    done: usize,
    shown: bool,
}

impl Progress {
    /// Nothing is done yet of `total`.
    pub(super) fn new(label: &'static str, total: usize) -> Self {
        Self { label, total, done: 0, shown: total > 1 && stderr().is_terminal() }
    }

    /// The next one is worked on.
    pub(super) fn at(&self, name: &str) {
        self.draw(&format!("\r\u{1b}[K{}", line(self.label, self.done, self.total, name)));
    }

    /// One more is done.
    pub(super) fn step(&mut self) {
        self.done = self.done.saturating_add(1);
    }

    /// Writes a line above the bar.
    pub(super) fn note(&self, text: &str) {
        self.clear();
        eprintln!("{}", crate::client::plain(text));
    }

    /// Takes the bar away, so that a line can be written in its place.
    pub(super) fn clear(&self) {
        self.draw("\r\u{1b}[K");
    }

    fn draw(&self, text: &str) {
        if self.shown {
            // A bar that cannot be drawn is no reason to stop.
            let _ = write!(stderr(), "{text}").and_then(|()| stderr().flush());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

fn line(label: &str, done: usize, total: usize, name: &str) -> String {
    let filled = WIDTH.saturating_mul(done).checked_div(total).unwrap_or(0).min(WIDTH);
    let bar = format!("{}{}", "#".repeat(filled), ".".repeat(WIDTH.saturating_sub(filled)));
    let name: String = crate::client::plain(name).chars().take(NAME).collect();
    format!("{label} [{bar}] {done}/{total} {name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_says_how_far_the_work_is() {
        assert_eq!(line("Rotating", 0, 4, "a"), "Rotating [........................] 0/4 a");
        assert_eq!(line("Rotating", 1, 4, "a"), "Rotating [######..................] 1/4 a");
        assert_eq!(line("Rotating", 4, 4, ""), "Rotating [########################] 4/4 ");
        assert_eq!(
            line("Rotating", 0, 0, "\u{1b}[2J"),
            "Rotating [........................] 0/0 \u{fffd}[2J"
        );
    }
}
