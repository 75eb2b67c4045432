//! A chain that is left alone walks without a fault; whatever is done to it is found, and found where it was done.

use super::*;
use crate::id::{EventId, OrganizationId, WorkspaceId};
use crate::time::Timestamp;
use proptest::prelude::*;

fn record(place: u64) -> AuditRecord {
    AuditRecord {
        organization_id: OrganizationId::from_bytes([1; 16]),
        place,
        id: EventId::from_bytes([u8::try_from(place % 256).unwrap(); 16]),
        at: Timestamp::from_micros(1000 + i64::try_from(place).unwrap()),
        actor_kind: "API_KEY".into(),
        identity: "admin_key".into(),
        actor_id: "a".into(),
        actor_name: "root".into(),
        event: "api_key.create".into(),
        permission: "api_key.create".into(),
        target_type: "API_KEY".into(),
        target_id: place.to_string(),
        target_name: "k".into(),
        workspace_id: place.is_multiple_of(2).then(|| WorkspaceId::from_bytes([2; 16])),
        outcome: "done".into(),
        before: None,
        after: Some("{}".into()),
        request_id: Some("r".into()),
        address: None,
    }
}

fn chain(length: u64) -> Vec<Found> {
    rewritten(Hash::START, (1..=length).map(record).collect())
}

fn rewritten(mut hash: Hash, records: Vec<AuditRecord>) -> Vec<Found> {
    let mut found = Vec::new();
    for record in records {
        hash = link(hash, &record);
        found.push(Found { place: record.place, hash: Some(hash), record: Some(record) });
    }
    found
}

fn end(chain: &[Found]) -> Option<(u64, Hash)> {
    chain.last().map(|last| (last.place, last.hash.unwrap()))
}

fn checkpoint(chain: &[Found], place: u64) -> Checkpoint {
    let at = chain.iter().find(|found| found.place == place).unwrap();
    Checkpoint {
        organization_id: OrganizationId::from_bytes([1; 16]),
        place,
        hash: at.hash.unwrap(),
        at: Timestamp::from_micros(0),
    }
}

fn walk(chain: &[Found], checkpoints: Vec<Checkpoint>, end: Option<(u64, Hash)>) -> Vec<(Fault, u64)> {
    let mut walk = Walk::from(0, Hash::START, checkpoints);
    chain.iter().for_each(|found| walk.step(found));
    walk.finish(end).findings.into_iter().map(|finding| (finding.fault, finding.place)).collect()
}

/// Each field, changed.
fn changes() -> Vec<fn(&mut AuditRecord)> {
    vec![
        |r| r.organization_id = OrganizationId::from_bytes([9; 16]),
        |r| r.id = EventId::from_bytes([255; 16]),
        |r| r.at = Timestamp::from_micros(r.at.micros() - 1),
        |r| r.actor_kind.push('x'),
        |r| r.identity.push('x'),
        |r| r.actor_id.push('x'),
        |r| r.actor_name.push('x'),
        |r| r.event.push('x'),
        |r| r.permission.push('x'),
        |r| r.target_type.push('x'),
        |r| r.target_id.push('x'),
        |r| r.target_name.push('x'),
        |r| r.workspace_id = Some(WorkspaceId::from_bytes([3; 16])),
        |r| r.outcome = "refused".into(),
        |r| r.before = Some(String::new()),
        |r| r.after = None,
        |r| r.after = Some("{\"x\":1}".into()),
        |r| r.request_id = None,
        |r| r.address = Some(String::new()),
        // What moves from one field to the next.
        |r| {
            r.event.push_str(&r.permission);
            r.permission.clear();
        },
    ]
}

#[test]
fn the_bytes_of_version_1_stay_as_they_are() {
    let expected = "df6988a3eb8ef3c011c3ef3a8c1cd3bea1228c660dbd84a34ff1c69c4be48315";
    let hash = link(Hash::START, &record(1)).to_string();
    assert_eq!(hash, expected, "logs that are out there could not be checked any more");
}

#[test]
fn a_chain_that_is_left_alone_has_no_fault() {
    let whole = chain(9);
    let checkpoints = vec![checkpoint(&whole, 9), checkpoint(&whole, 4)];
    assert_eq!(walk(&whole, checkpoints, end(&whole)), []);
    assert_eq!(walk(&[], vec![], None), []);
    let mut cut = Walk::from(4, whole[3].hash.unwrap(), vec![checkpoint(&whole, 2), checkpoint(&whole, 4)]);
    whole[4..].iter().for_each(|found| cut.step(found));
    assert_eq!(cut.finish(end(&whole)).findings, []);
}

#[test]
fn the_end_of_the_chain_is_held_against_what_is_known_of_it() {
    let whole = chain(5);
    assert_eq!(walk(&whole[..3], vec![], end(&whole)), [(Fault::CutTail, 4)]);
    assert_eq!(walk(&[], vec![], end(&whole)), [(Fault::CutTail, 1)]);
    // Who cuts the head's row back as well is found by a checkpoint.
    assert_eq!(walk(&whole[..3], vec![], end(&whole[..3])), []);
    assert_eq!(walk(&whole[..3], vec![checkpoint(&whole, 5)], end(&whole[..3])), [(Fault::CutTail, 4)]);
    assert_eq!(walk(&[], vec![checkpoint(&whole, 5)], None), [(Fault::CutTail, 1)]);
    assert_eq!(walk(&whole, vec![], end(&whole[..4])), [(Fault::Added, 5)]);
    assert_eq!(walk(&whole, vec![], None), [(Fault::WrongEnd, 5)]);
    assert_eq!(walk(&whole, vec![], Some((5, Hash::START))), [(Fault::WrongEnd, 5)]);
}

#[test]
fn a_cut_that_does_not_fit_its_checkpoint_is_found() {
    let whole = chain(5);
    let walk = Walk::from(3, Hash::START, vec![checkpoint(&whole, 3)]);
    assert_eq!(walk.finish(None).findings[0].fault, Fault::Rewritten);
}

proptest! {
    #[test]
    fn a_changed_record_is_found_at_its_place(length in 1..20_u64, at in any::<prop::sample::Index>(), which in any::<prop::sample::Index>()) {
        let mut chain = chain(length);
        let (at, all) = (at.index(chain.len()), changes());
        let place = chain[at].place;
        let before = chain[at].record.clone();
        all[which.index(all.len())](chain[at].record.as_mut().unwrap());
        prop_assert!(before != chain[at].record);
        prop_assert_eq!(walk(&chain, vec![], end(&chain)), [(Fault::Changed, place)]);
    }

    #[test]
    fn a_changed_hash_is_found(length in 2..20_u64, at in any::<prop::sample::Index>(), bit in 0..256_usize) {
        let mut chain = chain(length);
        let at = at.index(chain.len());
        let mut bytes = chain[at].hash.unwrap().bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let last = end(&chain);
        chain[at].hash = Some(Hash::from_bytes(bytes));
        let found = walk(&chain, vec![], last);
        prop_assert_eq!(found[0], (Fault::Changed, chain[at].place));
    }

    #[test]
    fn removed_records_are_found_where_they_were(length in 3..20_u64, at in any::<prop::sample::Index>(), many in 1..5_usize) {
        let whole = chain(length);
        let at = at.index(whole.len() - 1);
        let many = many.min(whole.len() - 1 - at);
        let mut chain = whole.clone();
        chain.drain(at..at + many);
        prop_assert_eq!(walk(&chain, vec![], end(&whole)), [(Fault::Missing, whole[at].place)]);
    }

    #[test]
    fn a_removed_record_is_found_also_when_the_rest_moves_up(length in 3..20_u64, at in any::<prop::sample::Index>()) {
        let whole = chain(length);
        let at = at.index(whole.len() - 1);
        let mut chain = whole.clone();
        chain.remove(at);
        for found in &mut chain[at..] {
            found.place -= 1;
            found.record.as_mut().unwrap().place -= 1;
        }
        let found = walk(&chain, vec![], end(&whole));
        prop_assert_eq!(found[0], (Fault::Changed, whole[at].place));
    }

    #[test]
    fn an_inserted_record_is_found(length in 2..20_u64, at in any::<prop::sample::Index>()) {
        let whole = chain(length);
        let at = at.index(whole.len());
        let mut chain = whole.clone();
        for found in &mut chain[at..] {
            found.place += 1;
            found.record.as_mut().unwrap().place += 1;
        }
        let previous = if at == 0 { Hash::START } else { whole[at - 1].hash.unwrap() };
        let mut forged = record(whole[at].place);
        forged.event = "role.create".into();
        chain.insert(at, rewritten(previous, vec![forged]).remove(0));
        let found = walk(&chain, vec![], end(&whole));
        prop_assert!(found.iter().any(|(_, place)| *place == whole[at].place + 1), "{:?}", found);
        // The same place twice, as only a file can have it.
        let mut twice = whole.clone();
        twice.insert(at, whole[at].clone());
        prop_assert_eq!(walk(&twice, vec![], end(&whole)), [(Fault::Misplaced, whole[at].place)]);
    }

    #[test]
    fn records_in_another_order_are_found(length in 2..20_u64, one in any::<prop::sample::Index>(), other in any::<prop::sample::Index>()) {
        let whole = chain(length);
        let (one, other) = (one.index(whole.len()), other.index(whole.len()));
        prop_assume!(one != other);
        let mut chain = whole.clone();
        chain.swap(one, other);
        let first = whole[one.min(other)].place;
        for (at, found) in chain.iter_mut().enumerate() {
            found.place = whole[at].place;
            found.record.as_mut().unwrap().place = whole[at].place;
        }
        prop_assert_eq!(walk(&chain, vec![], end(&whole))[0], (Fault::Changed, first));
    }

    #[test]
    fn a_tail_written_anew_is_found_by_a_checkpoint_only(length in 2..20_u64, at in any::<prop::sample::Index>(), sealed in any::<prop::sample::Index>()) {
        let whole = chain(length);
        let at = at.index(whole.len());
        let sealed = whole[at + sealed.index(whole.len() - at)].place;
        let mut records: Vec<AuditRecord> = whole.iter().map(|found| found.record.clone().unwrap()).collect();
        records[at].target_name = "another".into();
        let forged = rewritten(Hash::START, records);
        prop_assert_eq!(walk(&forged, vec![], end(&forged)), []);
        let before: Vec<Checkpoint> = (1..=whole[at].place - 1).map(|place| checkpoint(&whole, place)).collect();
        prop_assert_eq!(walk(&forged, before.clone(), end(&forged)), []);
        let all = [before, vec![checkpoint(&whole, sealed)]].concat();
        prop_assert_eq!(walk(&forged, all, end(&forged)), [(Fault::Rewritten, sealed)]);
    }
}
