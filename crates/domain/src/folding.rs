//! How a search compares texts: without regard to case and accents.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The text in small letters without accents. What holds what a person looks for folds to what holds what it folds to.
pub fn folded(text: &str) -> String {
    text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_accents_do_not_count() {
        for (text, plain) in
            [("Équipe ÉTÉ", "equipe ete"), ("ＡＢ", "ab"), ("50%_a\\", "50%_a\\"), ("Łódź", "łodz")]
        {
            assert_eq!(folded(text), plain);
        }
        assert_eq!(folded("e\u{301}"), folded("é"));
    }
}
