//! The mark of a call that tries a secret: only who knows the pepper makes it, so that Louver's own tries, and nobody else's,
//! are no use of a key.

use crate::audit::chain::unhex;
use crate::keys::{Fingerprint, Pepper, same_fingerprint};
use crate::time::Timestamp;

/// The header that carries it.
pub const HEADER: &str = "louver-trial";

/// How far the clocks of two nodes may be apart. A mark is good for no longer.
pub const LONGEST_SECONDS: i64 = 300;

fn tag(pepper: &Pepper, secret: &str, micros: i64) -> Fingerprint {
    // No secret begins like this: the tag is the fingerprint of no key.
    pepper.fingerprint(&format!("trial {micros} {secret}"))
}

/// The mark of a call with that secret, made at `at`.
pub fn mark(pepper: &Pepper, secret: &str, at: Timestamp) -> String {
    let micros = at.micros();
    let tag: String = tag(pepper, secret, micros).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{micros}.{tag}")
}

/// When a mark was made, if it is one for that secret and of about now. Who lets it pass must do so once.
pub fn read(pepper: &Pepper, secret: &str, text: &str, now: Timestamp) -> Option<Timestamp> {
    let (micros, given) = text.split_once('.')?;
    let at = Timestamp::from_micros(micros.parse().ok()?);
    let apart = now.seconds().abs_diff(at.seconds());
    let is_of_now = i64::try_from(apart).is_ok_and(|apart| apart <= LONGEST_SECONDS);
    let same = same_fingerprint(&unhex::<32>(given)?, &tag(pepper, secret, at.micros()));
    (is_of_now && same).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &str = "lvr_abcdefABCDEF_secret";

    #[test]
    fn a_mark_is_good_for_its_secret_its_time_and_its_cluster() {
        let (ours, theirs) = (Pepper::new(&[1; 32]), Pepper::new(&[2; 32]));
        let at = Timestamp::from_micros(1_700_000_000_123_456);
        let made = mark(&ours, SECRET, at);
        assert_eq!(read(&ours, SECRET, &made, at), Some(at));
        for apart in [-LONGEST_SECONDS, LONGEST_SECONDS] {
            assert_eq!(read(&ours, SECRET, &made, at.plus_seconds(apart)), Some(at));
            assert_eq!(read(&ours, SECRET, &made, at.plus_seconds(apart + apart.signum())), None);
        }
        assert_eq!(read(&theirs, SECRET, &made, at), None);
        assert_eq!(read(&ours, "lvr_abcdefABCDEF_another", &made, at), None);
        // Another time with the same tag, and no tag.
        let (micros, tag) = made.split_once('.').unwrap();
        for bad in
            [format!("1700000000123457.{tag}"), format!("{micros}."), micros.to_owned(), tag.to_owned()]
        {
            assert_eq!(read(&ours, SECRET, &bad, at), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_a_mark(text in "(-?[0-9]{0,20})?\\.?[0-9a-f]{0,66}") {
            prop_assert_eq!(read(&Pepper::new(&[1; 32]), SECRET, &text, Timestamp::from_micros(0)), None);
        }
    }
}
