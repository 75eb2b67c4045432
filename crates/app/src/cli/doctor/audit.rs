//! What the doctor says of the audit log: whether it is what was written, signed lately, and handed out.

use super::Report;
use louver_control::auditing::Settings;
use louver_control::auditing::sinks::Sink;
use louver_domain::audit::checkpoint::Checkpoint;
use louver_domain::time::Timestamp;
use louver_store::audit::checkpoints::heads;
use louver_store::audit::verify::{Verdict, verify};
use louver_store::seal::MasterKey;
use louver_store::{Store, StoreError};
use std::fs::OpenOptions;
use std::net::ToSocketAddrs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

/// Faults that are told singly.
const MOST: usize = 5;
/// A node signs every minute: what lies unsigned so long is signed by nobody.
const LONG_SECONDS: i64 = 600;

/// Walks the whole log.
pub(super) async fn check_log(
    store: &Store,
    master: Option<&MasterKey>,
    now: Timestamp,
    report: &mut Report,
) -> Result<(), StoreError> {
    let Some(master) = master else { return Ok(()) };
    let key = match master.audit_key() {
        Ok(key) => key.public(),
        Err(error) => {
            report.problem("audit log", error.to_string());
            return Ok(());
        }
    };
    let heads = heads(store).await?;
    let verdicts = verify(store, &key, &[]).await?;
    let faults = |verdict: &Verdict| {
        let id = verdict.organization_id;
        let one =
            |f: &louver_domain::audit::chain::Finding| format!("place {} of {id}: {}", f.place, f.message);
        verdict.walked.findings.iter().map(one).collect::<Vec<_>>()
    };
    let mut problems: Vec<String> = verdicts.iter().flat_map(faults).collect();
    if let Some(more) = problems.len().checked_sub(MOST).filter(|more| *more > 0) {
        problems.truncate(MOST);
        problems.push(format!("and {more} more: run `louver audit verify`"));
    }
    let records: u64 = verdicts.iter().map(|verdict| verdict.walked.records).sum();
    report.all("audit log", problems, format!("{records} records, each as it was written"));
    let newest =
        |id| verdicts.iter().find(|verdict| verdict.organization_id == id).and_then(|v| v.checkpoint);
    let behind =
        heads.iter().filter(|head| newest(head.organization_id).is_none_or(|c| c.place < head.place));
    let unsigned: Vec<String> = behind
        .filter(|head| newest(head.organization_id).is_some_and(|c| c.at.plus_seconds(LONG_SECONDS) < now))
        .map(|head| {
            format!("{} has records that lie unsigned: start a node, which signs them", head.organization_id)
        })
        .collect();
    let good =
        verdicts.iter().filter_map(|verdict| verdict.checkpoint).max_by_key(|checkpoint| checkpoint.at);
    report.all("audit checkpoints", unsigned, newest_words(good, now));
    Ok(())
}

fn newest_words(newest: Option<Checkpoint>, now: Timestamp) -> String {
    match newest {
        None => String::from("none yet: the first is made when a node starts"),
        Some(checkpoint) => {
            let age = now.seconds().saturating_sub(checkpoint.at.seconds()).max(0);
            format!("the newest is {age} seconds old, at place {}", checkpoint.place)
        }
    }
}

/// Looks whether the sinks can be reached, and writes nothing into them.
pub(super) fn check_sinks(settings: &Settings, report: &mut Report) {
    if settings.sinks.is_empty() {
        return report.ok("audit sinks", "none is set up: checkpoints are kept in the database only");
    }
    let problems =
        settings.sinks.iter().filter_map(|sink| reach(sink).err().map(|error| format!("{sink}: {error}")));
    report.all("audit sinks", problems.collect(), "they can be reached");
}

fn reach(sink: &Sink) -> Result<(), String> {
    let shown = |error: std::io::Error| error.to_string();
    match sink {
        Sink::File(path) if path.exists() => {
            OpenOptions::new().append(true).open(path).map(drop).map_err(shown)
        }
        Sink::File(path) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            match folder.unwrap_or(Path::new(".")).is_dir() {
                true => Ok(()),
                false => Err("its folder is not there".into()),
            }
        }
        Sink::Unix(path) => UnixDatagram::unbound().and_then(|socket| socket.connect(path)).map_err(shown),
        Sink::Udp(address) => match address.to_socket_addrs().map_err(shown)?.next() {
            Some(_) => Ok(()),
            None => Err("the name leads nowhere".into()),
        },
    }
}
