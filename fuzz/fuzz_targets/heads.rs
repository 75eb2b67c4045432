//! The verdict over the raw bytes of a connection is the same however they are cut, and a head that passes says in one
//! way only where its request ends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use louver_gateway::fuzzing::heads_pass;

fuzz_target!(|input: &[u8]| {
    let Some((cut, bytes)) = input.split_first() else { return };
    let whole = heads_pass(&[bytes]);
    let singly: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(heads_pass(&singly), whole, "byte by byte");
    let pieces: Vec<&[u8]> = bytes.chunks(usize::from(*cut).max(1)).collect();
    assert_eq!(heads_pass(&pieces), whole, "in pieces");
    let end = bytes.windows(4).position(|end| end == b"\r\n\r\n");
    // What begins as HTTP/2 is for its parser, and no parser of HTTP/1 takes it.
    if let Some(end) = end.filter(|_| whole && !bytes.starts_with(b"PRI * HTTP/2.0\r\n")) {
        clear(&bytes[..end]);
    }
});

/// The first head, read by a second reader.
fn clear(head: &[u8]) {
    assert!(!head.contains(&0), "a zero");
    let lines: Vec<&[u8]> = head.split(|byte| *byte == b'\n').collect();
    let (last, before) = lines.split_last().unwrap();
    assert!(before.iter().all(|line| line.ends_with(b"\r")), "a line ends in a bare LF");
    let bare = |line: &&[u8]| line.strip_suffix(b"\r").unwrap_or(line).contains(&b'\r');
    assert!(!lines.iter().any(|line| bare(line)) && !last.ends_with(b"\r"), "a bare CR");
    let named = |name: &[u8]| {
        let lines = lines.iter().skip(1);
        lines.filter(|line| line.len() > name.len() && line[..name.len()].eq_ignore_ascii_case(name)).count()
    };
    assert!(named(b"content-length:") + named(b"transfer-encoding:") <= 1, "two ways to say how long it is");
}
