//! A text is a key of one kind at most and has its one form; a key that was made reads back, and with any one
//! character changed it does not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use louver_domain::entropy::Entropy;
use louver_domain::keys::{KEY_LENGTH, KeyKind, looks_like_key, mint, read_public_id};

const KINDS: [KeyKind; 2] = [KeyKind::Api, KeyKind::Admin];

/// Randomness that the fuzzer chooses.
struct Chosen<'a>(&'a [u8]);

impl Entropy for Chosen<'_> {
    fn fill(&self, out: &mut [u8]) {
        out.iter_mut().zip(self.0.iter().cycle()).for_each(|(to, from)| *to = *from);
    }
}

fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    let read = KINDS.map(|kind| read_public_id(kind, &text));
    assert!(read.iter().flatten().count() <= 1, "a key of two kinds");
    if let Some(id) = read.iter().flatten().next() {
        assert!(text.len() == KEY_LENGTH && looks_like_key(&text));
        assert_eq!(text.get(4..16), Some(id.as_str()));
    }
    if let Some(([kind, at, change], chosen)) = input.split_first_chunk() {
        minted(KINDS[usize::from(*kind) % 2], usize::from(*at) % KEY_LENGTH, *change, chosen);
    }
});

fn minted(kind: KeyKind, at: usize, change: u8, chosen: &[u8]) {
    let made = mint(kind, &Chosen(chosen));
    let key = made.secret.expose();
    assert_eq!(read_public_id(kind, key), Some(made.public_id));
    assert!(looks_like_key(&format!("?api_key={key}&x")));
    let mut typo = key.clone().into_bytes();
    typo[at] = change;
    if let Ok(typo) = String::from_utf8(typo)
        && typo != *key
    {
        assert!(
            KINDS.iter().all(|kind| read_public_id(*kind, &typo).is_none()),
            "a typing error goes unseen"
        );
    }
}
