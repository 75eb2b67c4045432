//! Whatever stands in a file of the journal: reading it never panics and never finds an amount below zero; and damage
//! to one byte either changes nothing, or the journal is not believed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use louver_domain::money::Money;
use louver_store::journal::{Found, FoundCall};

/// The shape of the file, as `store/journal/record.rs` has it: a change there must fail here.
const SLOT: usize = 512;
const RESERVED: usize = 384;
const HEADER_MAGIC: &[u8; 4] = b"LVH1";
const RESERVED_MAGIC: &[u8; 4] = b"LVR1";
const SETTLED_MAGIC: &[u8; 4] = b"LVS1";
/// In the header: behind magic, checksum, two times the generation, the node and the process.
const BOOT: std::ops::Range<usize> = 48..64;
const MOST_SLOTS: usize = 6;

fuzz_target!(|input: &[u8]| {
    let Some(([written, high, low, change], content)) = input.split_first_chunk() else { return };
    let arbitrary = Found::of(&[content], [0; 16]);
    arbitrary.calls.iter().for_each(nothing_below_zero);
    let mut file = content.get(..content.len().min(MOST_SLOTS * SLOT)).unwrap_or_default().to_vec();
    file.resize(file.len().next_multiple_of(SLOT).max(2 * SLOT), 0);
    repair(&mut file, *written);
    let boot = file[BOOT].try_into().unwrap();
    let found = Found::of(&[&file], boot);
    found.calls.iter().for_each(nothing_below_zero);
    assert_eq!(found.processes.len(), 1, "a header that is sound is read");
    let at = usize::from(u16::from_be_bytes([*high, *low])) % file.len();
    file[at] ^= change;
    let damaged = Found::of(&[&file], boot);
    damaged.calls.iter().for_each(nothing_below_zero);
    if damaged.processes.values().all(|believed| *believed) && !damaged.processes.is_empty() {
        assert!(damaged.calls.len() == found.calls.len(), "a call is lost, and the journal is believed");
        assert!(
            damaged.calls.iter().zip(&found.calls).all(same),
            "a call is another, and the journal is believed"
        );
    }
});

fn nothing_below_zero(call: &FoundCall) {
    assert!(call.reserved.bound.cost >= Money::ZERO);
    assert!(call.settled.is_none_or(|settled| settled.charge.cost >= Money::ZERO));
}

fn same((a, b): (&FoundCall, &FoundCall)) -> bool {
    (a.epoch, &a.reserved, a.settled) == (b.epoch, &b.reserved, b.settled)
}

/// Makes the parts sound that the bits of `written` name, the header always: magic, generation and checksum.
fn repair(file: &mut [u8], written: u8) {
    let generation: [u8; 8] = file[8..16].try_into().unwrap();
    for (number, slot) in file.chunks_exact_mut(SLOT).enumerate() {
        if number == 0 {
            seal(slot, HEADER_MAGIC, generation);
            continue;
        }
        let (first, second) = slot.split_at_mut(RESERVED);
        for (part, magic, bit) in
            [(first, RESERVED_MAGIC, 2 * number - 2), (second, SETTLED_MAGIC, 2 * number - 1)]
        {
            if (written >> (bit % 8)) & 1 == 1 {
                seal(part, magic, generation);
            }
        }
    }
}

fn seal(part: &mut [u8], magic: &[u8; 4], generation: [u8; 8]) {
    part[..4].copy_from_slice(magic);
    part[8..16].copy_from_slice(&generation);
    let checksum = crc32fast::hash(&part[8..]);
    part[4..8].copy_from_slice(&checksum.to_le_bytes());
}
