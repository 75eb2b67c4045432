//! What goes to stdout: a table for people, or the API's own JSON for scripts, and never a mixture.

use super::table::{self, Cell};
use crate::config::Environment;
use clap::{Args, ValueEnum};
use louver_domain::time::Timestamp;
use serde_json::Value;
use std::io::{IsTerminal, stdout};

/// When there are colours; by itself on a terminal, unless NO_COLOR is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Colour {
    #[default]
    Auto,
    Always,
    Never,
}

/// How a command answers.
#[derive(Args)]
pub(super) struct Style {
    /// Print the API's own JSON and nothing else: one object, or one array of all of a list
    #[arg(long, global = true, help_heading = super::session::HEADING)]
    json: bool,
    /// When to use colours; auto is on a terminal, unless NO_COLOR is set
    #[arg(
        long, global = true, value_enum, value_name = "WHEN", default_value_t,
        help_heading = super::session::HEADING
    )]
    color: Colour,
}

impl Style {
    /// What is known of the terminal.
    pub(super) fn screen(&self, environment: &Environment, now: Timestamp) -> Screen {
        let terminal = stdout().is_terminal();
        let colour = colours(self.color, terminal, environment);
        Screen { json: self.json, colour, terminal, now }
    }
}

fn colours(wanted: Colour, terminal: bool, environment: &Environment) -> bool {
    let set = |name: &str| environment.get(name).map(String::as_str).unwrap_or_default();
    match wanted {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => terminal && set("NO_COLOR").is_empty() && set("TERM") != "dumb",
    }
}

/// Where a command shows what it found.
#[derive(Clone, Copy)]
pub(super) struct Screen {
    /// Whether JSON is wanted.
    pub(super) json: bool,
    /// Whether there are colours.
    pub(super) colour: bool,
    terminal: bool,
    /// The moment that times are told from.
    pub(super) now: Timestamp,
}

impl Screen {
    /// A list: a table with a row for each, or one JSON array.
    pub(super) fn list(
        &self,
        items: &[Value],
        nothing: &str,
        titles: &[&str],
        row: impl Fn(&Value) -> Vec<Cell>,
    ) {
        if self.json {
            return self.json(&Value::Array(items.to_vec()));
        }
        if items.is_empty() {
            eprintln!("{nothing}");
            return;
        }
        let rows: Vec<Vec<Cell>> = items.iter().map(row).collect();
        print!("{}", table::render(titles, &rows, self.colour));
    }

    /// One thing: its fields, or its JSON.
    pub(super) fn one(&self, value: &Value, rows: impl FnOnce() -> Vec<(&'static str, Cell)>) {
        if self.json {
            return self.json(value);
        }
        print!("{}", table::fields(&rows(), self.colour));
    }

    /// What was done: a sentence, or the API's answer.
    pub(super) fn done(&self, answer: &Value, sentence: impl AsRef<str>) {
        if self.json {
            return self.json(answer);
        }
        println!("{}", crate::client::plain(sentence.as_ref()));
    }

    /// A line for people alone.
    pub(super) fn say(&self, sentence: impl AsRef<str>) {
        if !self.json {
            println!("{}", crate::client::plain(sentence.as_ref()));
        }
    }

    /// JSON: on several lines for eyes, on one for programs. What the API answered with nothing is not printed.
    pub(super) fn json(&self, value: &Value) {
        if value.is_null() {
            return;
        }
        match self.terminal {
            true => println!("{value:#}"),
            false => println!("{value}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_can_be_switched_off_in_every_usual_way() {
        let of = |name: &str, value: &str| Environment::from([(name.to_owned(), value.to_owned())]);
        for (wanted, terminal, environment, coloured) in [
            (Colour::Auto, true, Environment::new(), true),
            (Colour::Auto, false, Environment::new(), false),
            (Colour::Auto, true, of("NO_COLOR", "1"), false),
            (Colour::Auto, true, of("NO_COLOR", ""), true),
            (Colour::Auto, true, of("TERM", "dumb"), false),
            (Colour::Always, false, of("NO_COLOR", "1"), true),
            (Colour::Never, true, Environment::new(), false),
        ] {
            assert_eq!(colours(wanted, terminal, &environment), coloured, "{wanted:?} {environment:?}");
        }
    }
}
