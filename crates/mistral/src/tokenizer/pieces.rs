//! The pieces that a text is cut into before it is encoded: words, single digits, symbols, blanks.
//!
//! The vocabularies say it as a regular expression ([`PATTERN`]), the same in all of them. It is followed here by
//! hand: an engine that backtracks, as its look-ahead wants, can be made to run out of its limits by the text, and
//! this takes time in proportion to the text whatever it says. A test compares the two.

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// What Mistral's vocabularies cut by (`config.pattern` of every `tekken.json`): the first alternative that
/// matches wins, and each takes as much as it can.
pub const PATTERN: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
    r"|\p{N}",
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*",
    r"|\s*[\r\n]+",
    r"|\s+(?!\S)",
    r"|\s+",
);

/// Characters below this have their class in a table.
const TABLED: u32 = 0x1_0000;

/// What the pattern asks of a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// `\p{Lu}` and `\p{Lt}`.
    Upper,
    /// `\p{Ll}`.
    Lower,
    /// `\p{Lm}` and `\p{Lo}`.
    Caseless,
    /// `\p{M}`: part of words, but not a letter.
    Mark,
    /// `\p{N}`.
    Number,
    /// `\r` and `\n`.
    LineEnd,
    /// Any other `\s`.
    Blank,
    /// Everything else.
    Symbol,
}

impl Class {
    fn find(character: char) -> Self {
        use GeneralCategory as Is;
        if matches!(character, '\r' | '\n') {
            return Self::LineEnd;
        }
        if character.is_whitespace() {
            return Self::Blank;
        }
        match character.general_category() {
            Is::UppercaseLetter | Is::TitlecaseLetter => Self::Upper,
            Is::LowercaseLetter => Self::Lower,
            Is::ModifierLetter | Is::OtherLetter => Self::Caseless,
            Is::NonspacingMark | Is::SpacingMark | Is::EnclosingMark => Self::Mark,
            Is::DecimalNumber | Is::LetterNumber | Is::OtherNumber => Self::Number,
            _ => Self::Symbol,
        }
    }

    /// `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`
    const fn ends_word(self) -> bool {
        matches!(self, Self::Lower | Self::Caseless | Self::Mark)
    }

    /// `[^\r\n\p{L}\p{N}]`
    const fn leads_word(self) -> bool {
        matches!(self, Self::Blank | Self::Symbol | Self::Mark)
    }

    /// `[^\s\p{L}\p{N}]`
    const fn symbol(self) -> bool {
        matches!(self, Self::Symbol | Self::Mark)
    }
}

/// The classes of all characters.
#[derive(Debug)]
pub(super) struct Classes(Vec<Class>);

impl Classes {
    pub(super) fn new() -> Self {
        let class = |code| char::from_u32(code).map_or(Class::Symbol, Class::find);
        Self((0..TABLED).map(class).collect())
    }

    fn of(&self, character: char) -> Class {
        let index = usize::try_from(u32::from(character)).unwrap_or(usize::MAX);
        self.0.get(index).copied().unwrap_or_else(|| Class::find(character))
    }
}

/// The pieces of one text, in order and without gaps.
pub(super) struct Pieces<'a> {
    classes: &'a Classes,
    text: &'a str,
    at: usize,
}

impl<'a> Pieces<'a> {
    pub(super) const fn new(classes: &'a Classes, text: &'a str) -> Self {
        Self { classes, text, at: 0 }
    }

    /// The characters from `from` on: each with its class and where it ends.
    fn characters(&self, from: usize) -> impl Iterator<Item = (char, Class, usize)> {
        let rest = self.text.get(from..).unwrap_or_default();
        rest.char_indices().map(move |(at, character)| {
            let end = from.saturating_add(at).saturating_add(character.len_utf8());
            (character, self.classes.of(character), end)
        })
    }

    /// Where the run of such characters that starts at `from` ends; `from` when there is none.
    fn run(&self, from: usize, belongs: impl Fn(char, Class) -> bool) -> usize {
        let run = self.characters(from).take_while(|(character, class, _)| belongs(*character, *class));
        run.last().map_or(from, |(_, _, end)| end)
    }

    /// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+`: up to the end of the small letters behind
    /// the capitals, or, without any, behind the last of the capitals that is none.
    fn word(&self, from: usize) -> Option<usize> {
        let mut found = None;
        for (_, class, end) in self.characters(from) {
            match class {
                Class::Upper => {}
                Class::Caseless | Class::Mark => found = Some(end),
                Class::Lower => return Some(self.run(end, |_, class| class.ends_word())),
                Class::Number | Class::LineEnd | Class::Blank | Class::Symbol => break,
            }
        }
        found
    }

    /// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*` where there is no [`word`](Self::word), which
    /// leaves capitals only.
    fn capitals(&self, from: usize) -> Option<usize> {
        let end = self.run(from, |_, class| class == Class::Upper);
        (end > from).then_some(end)
    }

    /// ` ?[^\s\p{L}\p{N}]+[\r\n/]*`
    fn symbols(&self, from: usize) -> Option<usize> {
        let end = self.run(from, |_, class| class.symbol());
        (end > from).then(|| self.run(end, |character, _| matches!(character, '\r' | '\n' | '/')))
    }

    /// `\s*[\r\n]+|\s+(?!\S)|\s+`: up to the last end of line; or all that ends the text; or all but the last
    /// blank, which goes to what follows; or one.
    fn blanks(&self, from: usize) -> usize {
        let (mut line, mut before, mut end) = (None, from, from);
        for (_, class, next) in self.characters(from) {
            match class {
                Class::LineEnd => line = Some(next),
                Class::Blank => {}
                _ => break,
            }
            (before, end) = (end, next);
        }
        let last = end == self.text.len();
        line.unwrap_or(if last || before == from { end } else { before })
    }

    fn end(&self, first: char, class: Class, next: usize) -> usize {
        let lead = class.leads_word();
        let led = |found: Option<usize>| found.filter(|_| lead);
        let word = led(self.word(next)).or_else(|| self.word(self.at));
        if let Some(end) = word.or_else(|| led(self.capitals(next))).or_else(|| self.capitals(self.at)) {
            return end;
        }
        match class {
            Class::Blank if first == ' ' => self.symbols(next).unwrap_or_else(|| self.blanks(self.at)),
            Class::Blank | Class::LineEnd => self.blanks(self.at),
            Class::Symbol | Class::Mark => self.symbols(self.at).unwrap_or(next),
            Class::Number | Class::Upper | Class::Lower | Class::Caseless => next,
        }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let (first, class, next) = self.characters(self.at).next()?;
        let end = self.end(first, class, next);
        let piece = self.text.get(self.at..end);
        self.at = end;
        piece
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    static CLASSES: LazyLock<Classes> = LazyLock::new(Classes::new);
    static REGEX: LazyLock<fancy_regex::Regex> = LazyLock::new(|| fancy_regex::Regex::new(PATTERN).unwrap());
    static UNASSIGNED: LazyLock<fancy_regex::Regex> =
        LazyLock::new(|| fancy_regex::Regex::new(r"\p{Cn}").unwrap());

    fn cut(text: &str) -> Vec<&str> {
        Pieces::new(&CLASSES, text).collect()
    }

    fn cut_by_engine(text: &str) -> Vec<&str> {
        REGEX.find_iter(text).map(|found| found.unwrap().as_str()).collect()
    }

    /// The two have tables of different ages, so what is not assigned to the engine is left out.
    fn assigned(text: &str) -> String {
        UNASSIGNED.replace_all(text, "x").into_owned()
    }

    #[test]
    fn texts_are_cut_as_the_pattern_says() {
        for (text, pieces) in [
            ("Hello world", &["Hello", " world"][..]),
            ("camelCase HTTPServer", &["camel", "Case", " HTTPServer"]),
            ("ABC 123", &["ABC", " ", "1", "2", "3"]),
            ("a  b", &["a", " ", " b"]),
            ("if (x):\n\n    y\n", &["if", " (", "x", "):\n\n", "   ", " y", "\n"]),
            ("http://a/b", &["http", "://", "a", "/b"]),
            (" \n \n  x", &[" \n \n", " ", " x"]),
            ("end   ", &["end", "   "]),
            ("中文AB", &["中文", "AB"]),
            ("d'été\u{301}!", &["d", "'été\u{301}", "!"]),
            ("\t\u{a0}!?", &["\t", "\u{a0}", "!?"]),
        ] {
            assert_eq!(cut(text), pieces, "{text:?}");
            assert_eq!(cut_by_engine(text), pieces, "{text:?}");
        }
    }

    #[test]
    fn every_character_is_classed_as_in_the_engine() {
        let all: Vec<char> = (0..=0x0010_FFFF).filter_map(char::from_u32).collect();
        for some in all.chunks(256) {
            let text: String = some.iter().map(|character| format!("a{character}B {character} ")).collect();
            let text = assigned(&text);
            assert_eq!(cut(&text), cut_by_engine(&text), "{some:?}");
        }
    }

    #[test]
    fn a_hostile_text_takes_no_more_than_its_length() {
        // An engine that backtracks gives up on the first of these.
        for text in [
            format!("{}x", " ".repeat(1_000_000)),
            "中A".repeat(300_000),
            format!("中{}1", "A".repeat(1_000_000)),
            "\n ".repeat(500_000),
            "\u{301}A".repeat(300_000),
        ] {
            assert_eq!(cut(&text).concat(), text);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_cut_as_by_the_engine(text in "\\PC{0,60}") {
            let text = assigned(&text);
            prop_assert_eq!(cut(&text), cut_by_engine(&text));
        }

        /// Few characters of every class, so that all alternatives meet.
        #[test]
        fn dense_texts_are_cut_as_by_the_engine(text in "[aBǅʰ中\u{301}1\r\n \t\u{a0}!/'é]{0,40}") {
            prop_assert_eq!(cut(&text), cut_by_engine(&text));
        }
    }
}
