//! An answer of upstream is the same however its bytes are cut: status, body, where it ends and what stands behind it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use louver_gateway::fuzzing::read_answer;

fuzz_target!(|input: &[u8]| {
    let Some((cut, bytes)) = input.split_first() else { return };
    let whole = read_answer(&[bytes]);
    let singly: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(read_answer(&singly), whole, "byte by byte");
    let pieces: Vec<&[u8]> = bytes.chunks(usize::from(*cut).max(1)).collect();
    assert_eq!(read_answer(&pieces), whole, "in pieces");
    if let Some(answer) = whole {
        assert!(answer.body.len() + answer.rest.len() <= bytes.len(), "more came out than went in");
    }
});
