//! The second factor: codes of six digits that change every half minute (RFC 6238), and codes for the day the phone is lost.

use crate::entropy::Entropy;
use crate::keys::base62;
use crate::secret::Secret;
use crate::time::Timestamp;
use aws_lc_rs::hmac;

/// Seconds that a code is shown.
pub const STEP_SECONDS: i64 = 30;

/// Digits of a code.
pub const DIGITS: usize = 6;

/// How many codes for the day the phone is lost.
pub const RECOVERY_CODES: usize = 10;

/// Characters of each of those: 59 bits.
const RECOVERY_LENGTH: usize = 10;

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Makes the secret that the person's device and Louver share: 160 bits in base 32.
pub fn mint(entropy: &dyn Entropy) -> Secret<String> {
    let mut bytes = [0; 20];
    entropy.fill(&mut bytes);
    Secret::new(base32(Secret::new(bytes).expose()))
}

/// Makes the codes for the day the phone is lost.
pub fn mint_recovery(entropy: &dyn Entropy) -> Vec<Secret<String>> {
    let one = || {
        let mut bytes = [0; 8];
        entropy.fill(&mut bytes);
        Secret::new(base62(Secret::new(bytes).expose(), RECOVERY_LENGTH))
    };
    (0..RECOVERY_CODES).map(|_| one()).collect()
}

/// The half minute that a code belongs to, if it is one of those around `now`, later than `used`: a code works once. A
/// device's clock may be off by one step.
pub fn matching_step(secret: &Secret<String>, code: &str, now: Timestamp, used: i64) -> Option<i64> {
    let present = now.seconds().div_euclid(STEP_SECONDS);
    let steps = [present.saturating_sub(1), present, present.saturating_add(1)];
    let key = key(secret)?;
    steps.into_iter().filter(|step| *step > used).find(|step| same(&code_at(&key, *step), code))
}

/// The code at a time, as a device shows it.
pub fn code(secret: &Secret<String>, now: Timestamp) -> Option<String> {
    Some(code_at(&key(secret)?, now.seconds().div_euclid(STEP_SECONDS)))
}

/// What a device reads: the address behind the picture.
pub fn address(secret: &Secret<String>, email: &str) -> Secret<String> {
    let account: String = email.bytes().map(escaped).collect();
    let secret = secret.expose();
    Secret::new(format!(
        "otpauth://totp/Louver:{account}?secret={secret}&issuer=Louver&algorithm=SHA1&digits=6&period=30"
    ))
}

fn escaped(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    }
}

fn key(secret: &Secret<String>) -> Option<hmac::Key> {
    let bytes = Secret::new(from_base32(secret.expose())?);
    Some(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, bytes.expose()))
}

fn code_at(key: &hmac::Key, step: i64) -> String {
    let tag = hmac::sign(key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let from = usize::from(tag.last().copied().unwrap_or_default() & 0x0f);
    let mut word = [0; 4];
    for (to, byte) in word.iter_mut().zip(tag.iter().skip(from)) {
        *to = *byte;
    }
    let number = u32::from_be_bytes(word) & 0x7fff_ffff;
    format!("{:06}", number.rem_euclid(1_000_000))
}

fn same(one: &str, other: &str) -> bool {
    subtle::ConstantTimeEq::ct_eq(one.as_bytes(), other.as_bytes()).into()
}

fn base32(bytes: &[u8]) -> String {
    let bit = |at: usize| {
        let byte = bytes.get(at.div_euclid(8)).copied().unwrap_or_default();
        byte.wrapping_shr(7_u32.saturating_sub(u32::try_from(at.rem_euclid(8)).unwrap_or(7))) & 1
    };
    let letters = bytes.len().saturating_mul(8).div_ceil(5);
    let letter = |at: usize| {
        let first = at.saturating_mul(5);
        let value = (0..5).fold(0_u8, |value, next| value.wrapping_shl(1) | bit(first.saturating_add(next)));
        ALPHABET.get(usize::from(value)).copied().map_or('A', char::from)
    };
    (0..letters).map(letter).collect()
}

fn from_base32(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let (mut held, mut bits) = (0_u32, 0_u32);
    for byte in text.bytes() {
        let value = ALPHABET.iter().position(|letter| *letter == byte)?;
        held = held.wrapping_shl(5) | u32::try_from(value).ok()?;
        bits = bits.saturating_add(5);
        if bits >= 8 {
            bits = bits.saturating_sub(8);
            out.push(u8::try_from(held.wrapping_shr(bits) & 0xff).ok()?);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The secret of RFC 6238, appendix B.
    fn of_the_rfc() -> Secret<String> {
        Secret::new(base32(b"12345678901234567890"))
    }

    #[test]
    fn codes_are_those_of_the_standard() {
        for (seconds, code_then) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
        ] {
            let now = Timestamp::from_micros(0).plus_seconds(seconds);
            assert_eq!(code(&of_the_rfc(), now).as_deref(), Some(code_then), "at {seconds}");
        }
    }

    #[test]
    fn a_code_works_once_and_only_around_its_time() {
        let secret = of_the_rfc();
        let at = |seconds| Timestamp::from_micros(0).plus_seconds(seconds);
        let shown = code(&secret, at(90)).expect("a code");
        assert_eq!(matching_step(&secret, &shown, at(90), 0), Some(3));
        assert_eq!(matching_step(&secret, &shown, at(120), 0), Some(3), "a slow device");
        assert_eq!(matching_step(&secret, &shown, at(60), 0), Some(3), "a fast device");
        assert_eq!(matching_step(&secret, &shown, at(150), 0), None);
        assert_eq!(matching_step(&secret, &shown, at(90), 3), None, "it was used");
        for bad in ["", "0", "abcdef", "1234567", &format!("{shown} ")] {
            assert_eq!(matching_step(&secret, bad, at(90), 0), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn base_32_goes_there_and_back(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(from_base32(&base32(&bytes)), Some(bytes));
        }
    }

    #[test]
    fn the_address_names_the_account_without_breaking_out() {
        let shown = address(&of_the_rfc(), "a&b?c#@example.com");
        assert!(
            shown.expose().starts_with("otpauth://totp/Louver:a%26b%3Fc%23%40example.com?secret=GEZDGNBV")
        );
    }
}
