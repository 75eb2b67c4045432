//! Tables and lists of fields for people: aligned by the width that characters take on a terminal.

use crate::client::plain;
use unicode_width::UnicodeWidthStr;

/// How a cell looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Look {
    /// As it is.
    #[default]
    Plain,
    /// Less important.
    Faint,
    /// Titles and names.
    Strong,
    /// All is well.
    Good,
    /// Somebody should look.
    Warn,
    /// Something is wrong.
    Bad,
}

impl Look {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Faint => "2",
            Self::Strong => "1",
            Self::Good => "32",
            Self::Warn => "33",
            Self::Bad => "31",
        }
    }

    /// The text, coloured where colours are wanted.
    pub(super) fn paint(self, text: &str, colour: bool) -> String {
        match self.code() {
            code if colour && !code.is_empty() && !text.is_empty() => {
                format!("\u{1b}[{code}m{text}\u{1b}[0m")
            }
            _ => text.to_owned(),
        }
    }
}

/// One cell. Its text cannot steer the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    text: String,
    look: Look,
    number: bool,
}

impl Cell {
    /// A cell with that text.
    pub(super) fn new(text: impl AsRef<str>) -> Self {
        Self { text: plain(text.as_ref()), look: Look::Plain, number: false }
    }

    /// Nothing to say.
    pub(super) fn none() -> Self {
        Self::new("-").look(Look::Faint)
    }

    /// The same in another look.
    pub(super) fn look(mut self, look: Look) -> Self {
        self.look = look;
        self
    }

    /// The same as a number, which stands at the right.
    pub(super) fn number(mut self) -> Self {
        self.number = true;
        self
    }

    /// What it says.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// The lines of a table.
pub(super) fn render(titles: &[&str], rows: &[Vec<Cell>], colour: bool) -> String {
    let widths: Vec<usize> = titles
        .iter()
        .enumerate()
        .map(|(at, title)| {
            let cells = rows.iter().filter_map(|row| row.get(at));
            cells.map(|cell| cell.text.width()).chain([title.width()]).max().unwrap_or(0)
        })
        .collect();
    let numeric: Vec<bool> = (0..titles.len())
        .map(|at| rows.iter().filter_map(|row| row.get(at)).any(|cell| cell.number))
        .collect();
    let head: Vec<Cell> = titles.iter().map(|title| Cell::new(title).look(Look::Strong)).collect();
    let mut text = String::new();
    for row in std::iter::once(&head).chain(rows) {
        let cells = row.iter().zip(&widths).zip(&numeric);
        let cells = cells.map(|((cell, width), number)| {
            let blank = " ".repeat(width.saturating_sub(cell.text.width()));
            let painted = cell.look.paint(&cell.text, colour);
            if *number { format!("{blank}{painted}") } else { format!("{painted}{blank}") }
        });
        let line: Vec<String> = cells.collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// The lines of one thing: a label and its value on each.
pub(super) fn fields(rows: &[(&str, Cell)], colour: bool) -> String {
    let width = rows.iter().map(|(label, _)| label.width()).max().unwrap_or(0);
    let line = |(label, cell): &(&str, Cell)| {
        let blank = " ".repeat(width.saturating_sub(label.width()));
        let label = Look::Faint.paint(&format!("{label}:"), colour);
        format!("{label}{blank}  {}\n", cell.look.paint(&cell.text, colour))
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other_whatever_their_letters_take() {
        let rows = [
            vec![Cell::new("日本"), Cell::new("5").number(), Cell::new("on").look(Look::Good)],
            vec![Cell::new("café"), Cell::new("1,200").number(), Cell::none()],
        ];
        assert_eq!(
            render(&["NAME", "CALLS", "STATE"], &rows, false),
            "NAME  CALLS  STATE\n日本      5  on\ncafé  1,200  -\n"
        );
        let coloured = render(&["NAME", "CALLS", "STATE"], &rows, true);
        assert!(coloured.contains("\u{1b}[32mon\u{1b}[0m") && coloured.starts_with("\u{1b}[1mNAME"));
        assert_eq!(render(&["NAME"], &[], false), "NAME\n");
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        let text = render(&["NAME"], &[vec![Cell::new("a\u{1b}[2Jb\nc")]], false);
        assert_eq!(text, "NAME\na\u{fffd}[2Jb\u{fffd}c\n");
    }

    #[test]
    fn fields_are_aligned_after_their_labels() {
        let text = fields(&[("Name", Cell::new("x")), ("Workspace", Cell::none())], false);
        assert_eq!(text, "Name:       x\nWorkspace:  -\n");
    }
}
