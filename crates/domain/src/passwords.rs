//! Which passwords people may choose: long ones that are not obvious (after NIST SP 800-63B, which asks for no
//! particular characters).

/// The fewest characters.
pub const FEWEST: usize = 12;

/// The most characters; longer ones would only cost time.
pub const MOST: usize = 256;

/// The fewest different characters.
const FEWEST_DIFFERENT: usize = 5;

/// What is tried first by everybody.
const OBVIOUS: [&str; 12] = [
    "password",
    "passwort",
    "motdepasse",
    "qwerty",
    "qwertz",
    "azerty",
    "123456789",
    "abcdefgh",
    "letmein",
    "welcome",
    "changeme",
    "louver",
];

/// Why a password is refused; `None` for one that may be had. `email` is the address of whoever chooses it.
pub fn fault(password: &str, email: &str) -> Option<&'static str> {
    let length = password.chars().count();
    if length < FEWEST {
        return Some("must have at least 12 characters: a few words in a row are easy to remember");
    }
    if length > MOST {
        return Some("must have at most 256 characters");
    }
    let different: std::collections::BTreeSet<char> = password.chars().collect();
    if different.len() < FEWEST_DIFFERENT {
        return Some("has too few different characters");
    }
    let plain = password.to_lowercase();
    let name = email.split('@').next().unwrap_or_default().to_lowercase();
    let told = [email.to_lowercase(), name];
    let is_named = told.iter().any(|word| word.len() > 2 && rest_without(&plain, word) < FEWEST_DIFFERENT);
    let is_obvious = OBVIOUS.iter().any(|word| rest_without(&plain, word) < FEWEST_DIFFERENT);
    (is_named || is_obvious).then_some("is too easy to guess")
}

/// How many letters stay when a word is taken away wherever it stands; digits and signs after it are what everybody adds.
fn rest_without(password: &str, word: &str) -> usize {
    let found = password.contains(word);
    let rest = password.replace(word, "");
    let letters = rest.chars().filter(|c| c.is_alphabetic()).count();
    if found { letters } else { usize::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_ones_are_taken_and_obvious_ones_are_not() {
        for good in
            ["correct horse battery", "ein langer satz hilft", "Tr0ub4dor&3-again", "пароль из шести слов"]
        {
            assert_eq!(fault(good, "ada@example.com"), None, "{good}");
        }
        for bad in [
            "",
            "short",
            "elevenchars",
            "aaaaaaaaaaaaaaaa",
            "abababababababab",
            "password1234!",
            "Welcome2026!!!",
            "ada@example.com1",
            "louver-louver-1",
            &"x".repeat(300),
        ] {
            assert!(fault(bad, "ada@example.com").is_some(), "{bad}");
        }
    }
}
