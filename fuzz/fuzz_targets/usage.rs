//! The usage that is found in an answer is the same however its bytes are cut, and no count of it is absurd.
#![no_main]

use libfuzzer_sys::fuzz_target;
use louver_mistral::usage::{Found, UsageFinder};

/// More than any call can have.
const ABSURD: u64 = 1_000_000_000;

fuzz_target!(|input: &[u8]| {
    let Some(([streamed, cut], answer)) = input.split_first_chunk() else { return };
    let finder = || if streamed % 2 == 0 { UsageFinder::for_stream() } else { UsageFinder::for_answer() };
    let fed = |pieces: &mut dyn Iterator<Item = &[u8]>| -> Found {
        let mut finder = finder();
        pieces.for_each(|piece| finder.feed(piece));
        finder.finish()
    };
    let whole = fed(&mut std::iter::once(answer));
    assert_eq!(fed(&mut answer.chunks(1)), whole, "byte by byte");
    assert_eq!(fed(&mut answer.chunks(usize::from(*cut).max(1))), whole, "in pieces");
    let (first, second) = answer.split_at(usize::from(*cut).min(answer.len()));
    assert_eq!(fed(&mut [first, second].into_iter()), whole, "in two");
    if let Some(Ok(usage)) = whole.usage {
        assert!(usage.cached_tokens <= usage.input_tokens);
        assert!(usage.input_tokens.max(usage.output_tokens) <= ABSURD);
    }
    assert!(whole.text_bytes <= answer.len() as u64);
});
