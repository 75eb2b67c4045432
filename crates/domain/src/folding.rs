//! How texts are stored and compared: composed, names without regard to case, searches also without accents.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The text in small letters without accents. What holds what a person looks for folds to what holds what it folds to.
pub fn folded(text: &str) -> String {
    text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect()
}

/// The text as it is stored: one way to write what looks the same.
pub fn composed(text: &str) -> String {
    text.nfc().collect()
}

/// What two names share that differ in case or composition only. Accents count.
pub fn caseless(name: &str) -> String {
    // Large letters first, so that ß and ẞ, and the two small sigmas, are as one.
    composed(name).to_uppercase().to_lowercase().nfc().collect()
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

    #[test]
    fn names_differ_by_accents_and_not_by_case_or_composition() {
        assert_eq!(composed("e\u{301}"), "é");
        for (one, other) in [("E\u{301}quipe", "éQUIPE"), ("Straße", "STRASSE"), ("ΟΔΟΣ", "οδος")] {
            assert_eq!(caseless(one), caseless(other), "{one}");
        }
        assert_ne!(caseless("été"), caseless("ete"));
    }
}
