//! What is measured, under which name and how it is written.

use crate::options::Options;

/// One line of the table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Metric {
    /// Answers per second with every client busy.
    PerSecond,
    /// Processor time of the proxy for each of them.
    CpuSmall,
    /// The same at the fixed rate.
    CpuRate,
    /// Seconds of work left when the last answer of a saturated stretch was given.
    PutOff,
    /// Answers per second to large prompts.
    PerSecondLarge,
    /// Processor time for each of those.
    CpuLarge,
    /// Latency at the fixed rate, median.
    P50,
    /// One in a hundred is slower.
    P99,
    /// One in a thousand is slower.
    P999,
    /// The same three at the low rate.
    LowP50,
    /// See `LowP50`.
    LowP99,
    /// See `LowP50`.
    LowP999,
    /// Chunks per second of streams that come in bursts.
    Chunks,
    /// Processor time for each of those chunks.
    CpuBurst,
    /// Processor time for each chunk of paced streams.
    CpuPaced,
    /// Time from the call to the first chunk of a paced stream, median.
    PacedFirst,
    /// Time from the call to the end of a paced stream, median.
    PacedEnd,
    /// Resident memory before any load.
    Idle,
    /// The most resident memory seen after load.
    Loaded,
    /// Time from the start of the process to the first answer.
    Start,
}

impl Metric {
    /// All, in the order of the table.
    pub const ALL: [Self; 20] = [
        Self::PerSecond,
        Self::CpuSmall,
        Self::PutOff,
        Self::CpuRate,
        Self::PerSecondLarge,
        Self::CpuLarge,
        Self::P50,
        Self::P99,
        Self::P999,
        Self::LowP50,
        Self::LowP99,
        Self::LowP999,
        Self::Chunks,
        Self::CpuBurst,
        Self::CpuPaced,
        Self::PacedFirst,
        Self::PacedEnd,
        Self::Idle,
        Self::Loaded,
        Self::Start,
    ];

    /// What the line is called.
    pub fn title(self, options: &Options) -> String {
        let (rate, low) = (options.rate, options.low_rate);
        match self {
            Self::PerSecond => "requests/s, saturated".to_owned(),
            Self::CpuSmall => "CPU µs/request, saturated".to_owned(),
            Self::PutOff => "s of work put off after saturation".to_owned(),
            Self::CpuRate => format!("CPU µs/request at {rate}/s"),
            Self::PerSecondLarge => "requests/s, 17 kB prompt".to_owned(),
            Self::CpuLarge => "CPU µs/request, 17 kB prompt".to_owned(),
            Self::P50 => format!("added p50 µs at {rate}/s"),
            Self::P99 => format!("added p99 µs at {rate}/s"),
            Self::P999 => format!("added p99.9 µs at {rate}/s"),
            Self::LowP50 => format!("added p50 µs at {low}/s"),
            Self::LowP99 => format!("added p99 µs at {low}/s"),
            Self::LowP999 => format!("added p99.9 µs at {low}/s"),
            Self::Chunks => "chunks/s in bursts, saturated".to_owned(),
            Self::CpuBurst => "CPU µs/chunk in bursts".to_owned(),
            Self::CpuPaced => "CPU µs/chunk paced".to_owned(),
            Self::PacedFirst => "added p50 µs to first chunk, paced".to_owned(),
            Self::PacedEnd => "added p50 µs to last chunk, paced".to_owned(),
            Self::Idle => "RSS MiB idle".to_owned(),
            Self::Loaded => "RSS MiB loaded".to_owned(),
            Self::Start => "ms from start to first answer".to_owned(),
        }
    }

    /// Whether the table shows what a contestant adds to the direct way.
    pub fn added(self) -> bool {
        matches!(
            self,
            Self::P50
                | Self::P99
                | Self::P999
                | Self::LowP50
                | Self::LowP99
                | Self::LowP999
                | Self::PacedFirst
                | Self::PacedEnd
        )
    }
}
