//! Brings everyone up, measures them in turn, round by round, and shows the table.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::closed_loop;
use crate::contestant::{Contestant, Kind, Place};
use crate::metric::Metric;
use crate::options::Options;
use crate::prompts::Prompt;
use crate::stretch::Outcome;
use crate::{Fault, answers, notes, open_loop, procfs, table, upstream};

/// Clients at saturation.
const CLIENTS: u32 = 64;
/// Clients that read streams in bursts.
const BURST_CLIENTS: u32 = 16;
/// Clients that read paced streams.
const PACED_CLIENTS: u32 = 8;

/// One column: a contestant, or why it is not there, and its values by round.
pub struct Column {
    /// Which one.
    pub kind: Kind,
    /// The contestant, or the reason it does not take part.
    pub state: Result<Contestant, String>,
    /// Values by metric, one for each round; for the start, one for each start.
    pub values: BTreeMap<Metric, Vec<f64>>,
}

/// One stretch of load that all go through in turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Small,
    Large,
    Rate,
    LowRate,
    Burst,
    Paced,
}

/// The whole run.
pub async fn run(options: &Options) -> Result<(), Fault> {
    std::fs::create_dir_all(&options.cache)?;
    let address = upstream::serve_beside()?;
    let place = Place { options, upstream: address };
    let mut columns = Vec::new();
    for kind in options.kinds.iter().copied() {
        eprintln!("bringing up {}", kind.name());
        columns.push(Column::bring_up(kind, &place).await);
    }
    let before = notes::Before::now(&columns, address).await;
    for round in 0..options.rounds {
        eprintln!("round {} of {}", round.saturating_add(1), options.rounds);
        go_round(options, &mut columns, round).await;
    }
    let mut lines = vec![table::render(options, &columns)];
    lines.extend(notes::all(options, &columns, address, before).await);
    let text = lines.join("\n");
    std::fs::write(options.cache.join("last.md"), format!("{text}\n"))?;
    std::fs::write(options.cache.join("last.json"), format!("{:#}\n", table::raw(&columns)))?;
    println!("{text}");
    Ok(())
}

impl Column {
    async fn bring_up(kind: Kind, place: &Place<'_>) -> Self {
        let state = Contestant::bring_up(kind, place).await.map_err(|fault| fault.to_string());
        let mut column = Self { kind, state, values: BTreeMap::new() };
        match &column.state {
            Ok(Contestant { process: Some(_), start_ms, idle_mib, .. }) => {
                column.values.insert(Metric::Start, start_ms.clone());
                column.values.insert(Metric::Idle, idle_mib.iter().copied().collect());
            }
            Ok(_) => (),
            Err(reason) => eprintln!("{} does not take part: {reason}", kind.name()),
        }
        column
    }

    fn push(&mut self, metric: Metric, value: Option<f64>) {
        // A value that is missing keeps its place, so that rounds stay side by side.
        self.values.entry(metric).or_default().push(value.unwrap_or(f64::NAN));
    }

    async fn measure(&mut self, options: &Options, phase: Phase) {
        let Ok(contestant) = &self.state else { return };
        match load(contestant, options, phase).await {
            Ok(outcome) => {
                let resident =
                    contestant.process.as_ref().map(|process| procfs::resident_mib(process.group()));
                self.keep(phase, &outcome);
                if matches!(phase, Phase::Small | Phase::Burst) {
                    self.push(Metric::Loaded, resident);
                }
            }
            Err(fault) => {
                contestant.subject.note_wrong(format!("{phase:?} load: {fault}"));
                self.keep(phase, &Outcome::default());
            }
        }
    }

    fn keep(&mut self, phase: Phase, outcome: &Outcome) {
        let per_second = |count: f64| Some(count / outcome.seconds);
        let cpu_us = |count: f64| Some(outcome.cpu_ns? as f64 / 1e3 / count);
        let at = |quantile: f64| outcome.latencies.quantile_us(quantile);
        let answers = outcome.answers as f64;
        let all_answers = outcome.all_answers as f64;
        // A stream's events are its chunks and the [DONE].
        let chunks_in = |events: u64| events as f64 * answers::CHUNKS as f64 / (answers::CHUNKS as f64 + 1.0);
        let (chunks, all_chunks) = (chunks_in(outcome.events), chunks_in(outcome.all_events));
        let values = match phase {
            Phase::Small => {
                vec![
                    (Metric::PerSecond, per_second(answers)),
                    (Metric::CpuSmall, cpu_us(all_answers)),
                    (Metric::PutOff, outcome.put_off),
                ]
            }
            Phase::Large => {
                vec![(Metric::PerSecondLarge, per_second(answers)), (Metric::CpuLarge, cpu_us(all_answers))]
            }
            Phase::Rate => vec![
                (Metric::CpuRate, cpu_us(all_answers)),
                (Metric::P50, at(0.5)),
                (Metric::P99, at(0.99)),
                (Metric::P999, at(0.999)),
            ],
            Phase::LowRate => {
                vec![(Metric::LowP50, at(0.5)), (Metric::LowP99, at(0.99)), (Metric::LowP999, at(0.999))]
            }
            Phase::Burst => {
                vec![(Metric::Chunks, per_second(chunks)), (Metric::CpuBurst, cpu_us(all_chunks))]
            }
            Phase::Paced => vec![
                (Metric::CpuPaced, cpu_us(all_chunks)),
                (Metric::PacedFirst, outcome.first_pieces.quantile_us(0.5)),
                (Metric::PacedEnd, at(0.5)),
            ],
        };
        for (metric, value) in values {
            self.push(metric, value);
        }
    }
}

/// One round: each phase, and within it each contestant; who begins changes from round to round.
async fn go_round(options: &Options, columns: &mut [Column], round: u32) {
    let slow_present = columns.iter().any(|column| column.kind.slow() && column.state.is_ok());
    for phase in [Phase::Small, Phase::Large, Phase::Rate, Phase::LowRate, Phase::Burst, Phase::Paced] {
        if phase == Phase::LowRate && !slow_present {
            continue;
        }
        let first = round as usize % columns.len().max(1);
        let (front, back) = columns.split_at_mut(first);
        for column in back.iter_mut().chain(front) {
            if phase == Phase::Rate && column.kind.slow() {
                continue;
            }
            column.measure(options, phase).await;
        }
    }
}

async fn load(contestant: &Contestant, options: &Options, phase: Phase) -> Result<Outcome, Fault> {
    let seconds = options.seconds;
    let at_once = Duration::ZERO;
    match phase {
        Phase::Small => closed_loop::run(contestant, Prompt::Small, CLIENTS, at_once, seconds).await,
        Phase::Large => closed_loop::run(contestant, Prompt::Large, CLIENTS, at_once, seconds).await,
        Phase::Rate => open_loop::run(contestant, Prompt::Small, options.rate, seconds).await,
        Phase::LowRate => open_loop::run(contestant, Prompt::Small, options.low_rate, seconds).await,
        Phase::Burst => closed_loop::run(contestant, Prompt::Burst, BURST_CLIENTS, at_once, seconds).await,
        Phase::Paced => {
            let stagger = upstream::PACE * answers::CHUNKS as u32;
            closed_loop::run(contestant, Prompt::Paced, PACED_CLIENTS, stagger, seconds).await
        }
    }
}
