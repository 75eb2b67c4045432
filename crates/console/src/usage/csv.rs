//! Usage as a file for spreadsheets: a row for each turn of the time and each part, no cell of which is a formula.

use super::{Apart, Question};
use crate::courses::{Course, called};
use crate::frame::Visit;
use louver_control::Control;
use louver_control::actions::usage::parts::{self, Part, Sums};
use louver_control::error::ControlError;
use louver_domain::time::Timestamp;
use std::collections::BTreeMap;

const HEAD: &str = "requests,input_tokens,cached_input_tokens,output_tokens,pages,annotated_pages,audio_seconds,\
     characters,tool_calls,cost_usd\r\n";

pub(super) async fn written(
    control: &Control,
    visit: &Visit,
    question: &Question,
) -> Result<String, ControlError> {
    let course = Course { from: question.period.starts, ..question.course() };
    let mut sums: BTreeMap<(Timestamp, Option<Part>), Sums> = BTreeMap::new();
    let mut add = |hour, part, one: &Sums| {
        let sum = sums.entry((course.turn(hour), part)).or_default();
        *sum = sum.plus(one);
    };
    match question.apart {
        Apart::Time => {
            let rows = parts::hours(control, &visit.context, &question.asked).await?;
            rows.iter().for_each(|(hour, one)| add(*hour, None, one));
        }
        Apart::Part(by) => {
            let rows = parts::hours_by(control, &visit.context, &question.asked, by, None).await?;
            rows.into_iter().for_each(|(hour, part, one)| add(hour, Some(part), &one));
        }
    }
    let mut named: Vec<Part> = sums.keys().filter_map(|(_, part)| part.clone()).collect();
    named.sort();
    named.dedup();
    let names = parts::names(control, &visit.context, &named).await?;
    let mut text = String::from("period,");
    if question.apart != Apart::Time {
        text.push_str(&format!("{0}_id,{0}_name,", question.word()));
    }
    text.push_str(HEAD);
    for ((turn, part), one) in &sums {
        let mut row = vec![turn.rfc3339()];
        if let Some(part) = part {
            row.extend([cell(&id_of(part)), cell(&called(part, &names))]);
        }
        row.extend(figures(one));
        text.push_str(&row.join(","));
        text.push_str("\r\n");
    }
    Ok(text)
}

fn id_of(part: &Part) -> String {
    match part {
        Part::Workspace(id) => id.to_string(),
        Part::Key(id) => id.prefixed(),
        Part::User(id) => id.map(|id| id.to_string()).unwrap_or_default(),
        Part::Model(name) => name.clone(),
    }
}

fn figures(sums: &Sums) -> Vec<String> {
    let (tokens, units) = (sums.tokens, sums.units);
    let counts = [
        sums.requests,
        tokens.input,
        tokens.cached,
        tokens.output,
        units.pages,
        units.annotated_pages,
        units.audio_seconds,
        units.characters,
        units.tool_calls,
    ];
    counts.iter().map(u64::to_string).chain([sums.cost.usd()]).collect()
}

/// A cell that no spreadsheet takes for a formula, quoted where it must be (RFC 4180).
fn cell(text: &str) -> String {
    let safe =
        if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() };
    if safe.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", safe.replace('"', "\"\"")) } else { safe }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (text, written) in [
            ("plain", "plain"),
            ("=1+1", "'=1+1"),
            ("@x", "'@x"),
            ("-2", "'-2"),
            ("\tx", "'\tx"),
            ("a,b", "\"a,b\""),
            ("+\"q\"", "\"'+\"\"q\"\"\""),
        ] {
            assert_eq!(cell(text), written);
        }
    }
}
