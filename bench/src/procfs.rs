//! Reads what a process group has used, from `/proc`.

use std::fs;

/// Length of one tick of `/proc/PID/stat`: 100 to the second on every Linux a benchmark runs on.
const TICK_NS: u64 = 10_000_000;

/// Processor time of a process group so far, told by two clocks of the kernel.
#[derive(Clone, Copy, Default)]
pub struct Cpu {
    /// Exact, of the threads that are alive.
    scheduled_ns: u64,
    /// In ticks, threads and children that have ended included.
    ticked_ns: u64,
}

impl Cpu {
    /// Nanoseconds used since `earlier`: the exact clock, unless threads that ended took their time with them.
    pub fn since(self, earlier: Self) -> u64 {
        let ticked = self.ticked_ns.saturating_sub(earlier.ticked_ns);
        match self.scheduled_ns.checked_sub(earlier.scheduled_ns) {
            Some(scheduled) if scheduled.saturating_add(10 * TICK_NS) >= ticked => scheduled,
            _ => ticked,
        }
    }
}

/// Processor time, user and system, of all processes and threads of the group.
pub fn cpu(group: u32) -> Cpu {
    members(group).into_iter().fold(Cpu::default(), |sum, (pid, ticks)| Cpu {
        scheduled_ns: sum.scheduled_ns.saturating_add(scheduled_ns(pid)),
        ticked_ns: sum.ticked_ns.saturating_add(ticks.saturating_mul(TICK_NS)),
    })
}

/// Resident memory of all processes of the group, MiB; pages they share count in each.
pub fn resident_mib(group: u32) -> f64 {
    members(group).into_iter().map(|(pid, _)| resident_kib(pid)).sum::<f64>() / 1024.0
}

/// Processor time of the whole machine so far and the part the host gave to others, ticks.
pub fn machine() -> (u64, u64) {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let first = text.lines().next().unwrap_or_default();
    let ticks: Vec<u64> =
        first.split_whitespace().skip(1).take(8).filter_map(|word| word.parse().ok()).collect();
    (ticks.iter().sum(), ticks.get(7).copied().unwrap_or(0))
}

/// The processes of the group and the ticks each has used, ended children included.
fn members(group: u32) -> Vec<(u32, u64)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| ticks_in_group(pid, group).map(|ticks| (pid, ticks))).collect()
}

fn ticks_in_group(pid: u32, group: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name stands in parentheses and may hold anything; the fields count from behind it.
    let (_, after_name) = text.rsplit_once(')')?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    if fields.get(2)?.parse::<u32>().ok()? != group {
        return None;
    }
    Some(fields.iter().skip(11).take(4).filter_map(|word| word.parse::<u64>().ok()).sum())
}

fn scheduled_ns(pid: u32) -> u64 {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return 0 };
    let texts = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("schedstat")).ok());
    texts.filter_map(|text| text.split_whitespace().next()?.parse::<u64>().ok()).sum()
}

fn resident_kib(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0.0)
}
