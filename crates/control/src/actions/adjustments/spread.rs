//! Spreads a correction of one day over the hours, keys and endpoints that it was charged to, so that none goes below nothing.

use louver_store::ledger::adjustments::Difference;
use louver_store::usage::Cell;
use std::cmp::Reverse;
use std::collections::HashMap;

/// What a unit is called, how much of it a row has, and where it stands in a difference.
struct Unit {
    name: &'static str,
    of: fn(&Cell) -> u64,
    slot: fn(&mut Difference) -> &mut i64,
}

/// What is taken and given by itself; cached tokens are part of the input, and looked after below.
const UNITS: [Unit; 8] = [
    Unit { name: "output_tokens", of: |cell| cell.sums.tokens.output, slot: |d| &mut d.output },
    Unit { name: "pages", of: |cell| cell.sums.units.pages, slot: |d| &mut d.pages },
    Unit {
        name: "annotated_pages",
        of: |cell| cell.sums.units.annotated_pages,
        slot: |d| &mut d.annotated_pages,
    },
    Unit { name: "audio_seconds", of: |cell| cell.sums.units.audio_seconds, slot: |d| &mut d.audio_seconds },
    Unit { name: "characters", of: |cell| cell.sums.units.characters, slot: |d| &mut d.characters },
    Unit { name: "tool_calls", of: |cell| cell.sums.units.tool_calls, slot: |d| &mut d.tool_calls },
    Unit { name: "cost_usd", of: |cell| cell.sums.cost.nanos().unsigned_abs(), slot: |d| &mut d.nanos },
    Unit { name: "input_tokens", of: |cell| cell.sums.tokens.input, slot: |d| &mut d.input },
];

/// A difference for each row that changes, in the order of `cells`. What is added counts for the key that spent the most
/// that day, in its dearest hour; what is taken back is taken there first, and then from the others, the dearest first.
/// `Err` names what there is not enough of.
pub(super) fn spread(
    cells: &[Cell],
    mut wanted: Difference,
) -> Result<Vec<(usize, Difference)>, &'static str> {
    let order = order(cells);
    let mut parts: Vec<Difference> = cells.iter().map(|_| Difference::default()).collect();
    let by = signed(wanted.cached);
    let (cached, input) = (|cell: &Cell| cell.sums.tokens.cached, |cell: &Cell| cell.sums.tokens.input);
    if wanted.cached < 0 {
        take(cells, &order, &mut parts, by.1, |cell, _| cached(cell), |d| &mut d.cached)
            .ok_or("cached_input_tokens")?;
    }
    for unit in &UNITS {
        let (more, amount) = signed(*(unit.slot)(&mut wanted));
        let taken = if more {
            give(cells, &order, &mut parts, amount, unit)
        } else {
            // Of the input only what was not in the cache, after what of that is taken back.
            let left = |cell: &Cell, part: &Difference| match unit.name {
                "input_tokens" => input(cell).saturating_sub(cached(cell).saturating_add_signed(part.cached)),
                _ => (unit.of)(cell),
            };
            take(cells, &order, &mut parts, amount, left, unit.slot)
        };
        taken.ok_or(unit.name)?;
    }
    if wanted.cached > 0 {
        let room = |cell: &Cell, part: &Difference| {
            input(cell).saturating_add_signed(part.input).saturating_sub(cached(cell))
        };
        put(cells, &order, &mut parts, by.1, room).ok_or("cached_input_tokens")?;
    }
    let changed = |(_, part): &(usize, Difference)| *part != Difference::default();
    Ok(parts.into_iter().enumerate().filter(changed).collect())
}

/// Whether it is more, and how much.
const fn signed(number: i64) -> (bool, u64) {
    (number >= 0, number.unsigned_abs())
}

/// The rows of the key that spent the most first, and of each key the dearest first.
fn order(cells: &[Cell]) -> Vec<usize> {
    let mut spent: HashMap<_, i64> = HashMap::new();
    for cell in cells {
        let sum = spent.entry(cell.key).or_default();
        *sum = sum.saturating_add(cell.sums.cost.nanos());
    }
    let mut order: Vec<(usize, &Cell)> = cells.iter().enumerate().collect();
    order.sort_by_key(|(place, cell)| {
        let of_key = spent.get(&cell.key).copied().unwrap_or(0);
        (Reverse(of_key), cell.key, Reverse(cell.sums.cost.nanos()), *place)
    });
    order.into_iter().map(|(place, _)| place).collect()
}

/// Takes so much, row by row; `None` when there is not enough.
fn take(
    cells: &[Cell],
    order: &[usize],
    parts: &mut [Difference],
    amount: u64,
    left: impl Fn(&Cell, &Difference) -> u64,
    slot: fn(&mut Difference) -> &mut i64,
) -> Option<()> {
    let mut rest = amount;
    for place in order {
        let (cell, part) = (cells.get(*place)?, parts.get_mut(*place)?);
        let here = left(cell, part).min(rest);
        let number = slot(part);
        *number = number.saturating_sub_unsigned(here);
        rest = rest.saturating_sub(here);
    }
    (rest == 0).then_some(())
}

/// Adds so much to the first row that has some of it, or else to the first.
fn give(cells: &[Cell], order: &[usize], parts: &mut [Difference], amount: u64, unit: &Unit) -> Option<()> {
    if amount == 0 {
        return Some(());
    }
    let has = |place: &&usize| cells.get(**place).is_some_and(|cell| (unit.of)(cell) > 0);
    let place = order.iter().find(has).or_else(|| order.first())?;
    let number = (unit.slot)(parts.get_mut(*place)?);
    *number = number.saturating_add_unsigned(amount);
    Some(())
}

/// Adds so much of cached tokens where there is room for it among the input.
fn put(
    cells: &[Cell],
    order: &[usize],
    parts: &mut [Difference],
    amount: u64,
    room: impl Fn(&Cell, &Difference) -> u64,
) -> Option<()> {
    let mut rest = amount;
    for place in order {
        let (cell, part) = (cells.get(*place)?, parts.get_mut(*place)?);
        let here = room(cell, part).min(rest);
        part.cached = part.cached.saturating_add_unsigned(here);
        rest = rest.saturating_sub(here);
    }
    (rest == 0).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use louver_domain::endpoints::EndpointKind;
    use louver_domain::id::KeyId;
    use louver_domain::money::Money;
    use louver_domain::time::Timestamp;
    use louver_domain::usage::Tokens;
    use louver_store::usage::Sums;

    fn cell(key: u8, hour: i64, tokens: (u64, u64, u64), nanos: i64) -> Cell {
        let tokens = Tokens { input: tokens.0, cached: tokens.1, output: tokens.2 };
        Cell {
            hour: Timestamp::from_micros(hour * 3_600_000_000),
            key: KeyId::from_bytes([key; 16]),
            user: None,
            role: None,
            endpoint: EndpointKind::Chat,
            sums: Sums { requests: 1, tokens, cost: Money::from_nanos(nanos), ..Sums::default() },
        }
    }

    fn rows() -> Vec<Cell> {
        vec![
            cell(1, 0, (10, 0, 5), 100),
            cell(2, 0, (100, 40, 50), 900),
            cell(2, 1, (20, 5, 10), 300),
            cell(1, 1, (30, 0, 0), 200),
        ]
    }

    /// The rows with the parts laid over them; none may be below nothing, and no more cached than input.
    fn laid(parts: &[(usize, Difference)]) -> Vec<(u64, u64, u64, i64)> {
        let mut rows = rows();
        for (place, part) in parts {
            let sums = &mut rows[*place].sums;
            sums.tokens.input = sums.tokens.input.checked_add_signed(part.input).unwrap();
            sums.tokens.cached = sums.tokens.cached.checked_add_signed(part.cached).unwrap();
            sums.tokens.output = sums.tokens.output.checked_add_signed(part.output).unwrap();
            sums.cost = Money::from_nanos(sums.cost.nanos() + part.nanos);
            assert!(sums.tokens.cached <= sums.tokens.input && sums.cost.nanos() >= 0, "{sums:?}");
        }
        rows.iter()
            .map(|r| (r.sums.tokens.input, r.sums.tokens.cached, r.sums.tokens.output, r.sums.cost.nanos()))
            .collect()
    }

    #[test]
    fn what_is_added_counts_for_the_dearest_hour_of_the_largest_spender() {
        let more = Difference { input: 7, cached: 3, output: 1, nanos: 50, ..Difference::default() };
        assert_eq!(spread(&rows(), more).unwrap(), [(1, more)]);
        let pages = Difference { pages: 2, ..Difference::default() };
        assert_eq!(spread(&rows(), pages).unwrap(), [(1, pages)]);
        assert_eq!(spread(&[], pages), Err("pages"), "nobody to charge it to");
        assert_eq!(spread(&rows(), Difference::default()), Ok(vec![]));
    }

    #[test]
    fn what_is_taken_back_is_taken_from_as_many_rows_as_it_needs() {
        let less =
            Difference { input: -90, cached: -41, output: -60, nanos: -1_250, ..Difference::default() };
        let parts = spread(&rows(), less).unwrap();
        assert_eq!(laid(&parts), [(10, 0, 5, 100), (10, 0, 0, 0), (20, 4, 0, 0), (30, 0, 0, 150)]);
        let all =
            Difference { input: -160, cached: -45, output: -65, nanos: -1_500, ..Difference::default() };
        assert!(laid(&spread(&rows(), all).unwrap()).iter().all(|row| *row == (0, 0, 0, 0)));
        for (one, name) in [
            (Difference { input: -161, cached: -45, ..Difference::default() }, "input_tokens"),
            (Difference { input: -160, ..Difference::default() }, "input_tokens"),
            (Difference { cached: -46, ..Difference::default() }, "cached_input_tokens"),
            (Difference { cached: 116, ..Difference::default() }, "cached_input_tokens"),
            (Difference { nanos: -1_501, ..Difference::default() }, "cost_usd"),
        ] {
            assert_eq!(spread(&rows(), one), Err(name), "never more than was charged");
        }
        let moved = Difference { cached: 70, ..Difference::default() };
        assert_eq!(laid(&spread(&rows(), moved).unwrap())[1].1, 100, "the cached stay among the input");
    }
}
