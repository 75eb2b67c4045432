//! Usage over time as charts show it: by hours or days, in as many series as have a colour.

use crate::kit::chart::MOST_SERIES;
use louver_control::actions::usage::parts::{Part, Sums};
use louver_domain::calendar::{Window, Zone};
use louver_domain::time::Timestamp;
use std::collections::{BTreeMap, HashMap};

const HALF_A_DAY: i64 = 43_200;

/// What a chart is made of.
pub(crate) struct Course {
    /// What the columns are: hours or days.
    pub(crate) step: Window,
    /// Where its days begin.
    pub(crate) zone: Zone,
    /// From then on.
    pub(crate) from: Timestamp,
    /// Until before then.
    pub(crate) to: Timestamp,
}

/// A column of a chart: its name in full and below the chart, and the value of each series.
pub(crate) type Column = (String, String, Vec<i64>);

impl Course {
    /// The turns of hours or days, by their beginnings.
    pub(crate) fn turns(&self) -> Vec<Timestamp> {
        const MOST: usize = 1_000;
        let mut turns = Vec::new();
        let mut at = self.from;
        while at < self.to && turns.len() < MOST {
            let period = self.step.period(&self.zone, at);
            turns.push(period.starts);
            at = period.ends;
        }
        turns
    }

    /// The turn that an hour belongs to.
    pub(crate) fn turn(&self, hour: Timestamp) -> Timestamp {
        self.step.period(&self.zone, hour).starts
    }

    /// What a turn is called, in full and in short.
    pub(crate) fn name(&self, turn: Timestamp) -> (String, String) {
        match self.step {
            Window::Hour => {
                let text = turn.rfc3339();
                let (day, hour) = (text.get(..10).unwrap_or_default(), text.get(11..16).unwrap_or_default());
                (format!("{day} {hour} UTC"), hour.to_owned())
            }
            Window::Day | Window::Month => {
                // The middle of the day lies in the same day of UTC, whatever the zone.
                let text = turn.plus_seconds(HALF_A_DAY).rfc3339();
                let short = text.get(8..10).unwrap_or_default().trim_start_matches('0');
                (text.get(..10).unwrap_or_default().to_owned(), short.to_owned())
            }
        }
    }

    /// One number each turn, out of the sums of hours.
    pub(crate) fn line<'a>(
        &self,
        hours: impl Iterator<Item = (Timestamp, &'a Sums)>,
        of: impl Fn(&Sums) -> i64,
    ) -> Vec<i64> {
        let mut by_turn: HashMap<Timestamp, i64> = HashMap::new();
        for (hour, sums) in hours {
            let value = by_turn.entry(self.turn(hour)).or_default();
            *value = value.saturating_add(of(sums));
        }
        self.turns().iter().map(|turn| by_turn.get(turn).copied().unwrap_or(0)).collect()
    }

    /// The columns of the spend of `parts`, and of all others together where `whole` has more.
    pub(crate) fn columns(
        &self,
        parts: &[Part],
        rows: &[(Timestamp, Part, Sums)],
        whole: Option<&[i64]>,
    ) -> Vec<Column> {
        let turns = self.turns();
        let mut values: HashMap<(Timestamp, usize), i64> = HashMap::new();
        for (hour, part, sums) in rows {
            if let Some(place) = parts.iter().position(|one| one == part) {
                let value = values.entry((self.turn(*hour), place)).or_default();
                *value = value.saturating_add(sums.cost.nanos());
            }
        }
        let column = |(at, turn): (usize, &Timestamp)| {
            let of = |place| values.get(&(*turn, place)).copied().unwrap_or(0);
            let mut series: Vec<i64> = (0..parts.len()).map(of).collect();
            if let Some(whole) = whole {
                let named = series.iter().fold(0_i64, |sum, value| sum.saturating_add(*value));
                series.push(whole.get(at).copied().unwrap_or(0).saturating_sub(named).max(0));
            }
            let (full, short) = self.name(*turn);
            (full, short, series)
        };
        turns.iter().enumerate().map(column).collect()
    }
}

/// The parts that cost most, and whether there are others.
pub(crate) fn dearest(rows: &[(Timestamp, Part, Sums)]) -> (Vec<Part>, bool) {
    let mut cost: BTreeMap<&Part, i64> = BTreeMap::new();
    for (_, part, sums) in rows {
        let sum = cost.entry(part).or_default();
        *sum = sum.saturating_add(sums.cost.nanos());
    }
    let mut all: Vec<(&Part, i64)> = cost.into_iter().collect();
    all.sort_by_key(|(_, cost)| std::cmp::Reverse(*cost));
    let more = all.len() > MOST_SERIES;
    (all.into_iter().take(MOST_SERIES).map(|(part, _)| part.clone()).collect(), more)
}

/// What a part is called. What is gone is told by its id.
pub(crate) fn called(part: &Part, names: &HashMap<Part, String>) -> String {
    if let Some(name) = names.get(part) {
        return name.clone();
    }
    match part {
        Part::Workspace(id) => id.to_string(),
        Part::Key(id) => id.prefixed(),
        Part::User(Some(id)) => id.to_string(),
        Part::User(None) => "Nobody’s keys".to_owned(),
        Part::Model(name) => name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use louver_domain::money::Money;

    #[test]
    fn days_are_those_of_the_zone_and_the_rest_is_one_series() {
        let at = |text| Timestamp::parse(text).unwrap();
        let course = Course {
            step: Window::Day,
            zone: Zone::parse("Europe/Paris").unwrap(),
            from: at("2026-10-31T23:00:00Z"),
            to: at("2026-11-02T08:00:00Z"),
        };
        let sums = |nanos| Sums { cost: Money::from_nanos(nanos), ..Sums::default() };
        let part = |name: &str| Part::Model(name.to_owned());
        let rows = [
            (at("2026-10-31T23:00:00Z"), part("a"), sums(3)),
            (at("2026-11-01T22:00:00Z"), part("b"), sums(2)),
            (at("2026-11-01T23:00:00Z"), part("a"), sums(7)),
        ];
        let columns = course.columns(&[part("a")], &rows, Some(&[5, 7]));
        let column =
            |day: &str, short: &str, values: [i64; 2]| (day.to_owned(), short.to_owned(), values.to_vec());
        assert_eq!(columns, [column("2026-11-01", "1", [3, 2]), column("2026-11-02", "2", [7, 0])]);
        assert_eq!(dearest(&rows), (vec![part("a"), part("b")], false));
    }
}
