//! What `louver audit verify` found, for people and for scripts.

use louver_control::auditing::files::Checked;
use louver_domain::audit::chain::Finding;
use louver_domain::id::OrganizationId;
use louver_store::audit::verify::Verdict;
use serde_json::{Value, json};

/// Faults of one organization that are printed singly: who changes one row may spoil all after it.
const MOST: usize = 100;

/// The findings so far.
#[derive(Default)]
pub(super) struct Report {
    chains: Vec<Chain>,
    unreadable: Vec<String>,
}

struct Chain {
    organization: Option<OrganizationId>,
    begins_after: u64,
    records: u64,
    checkpoint: Option<u64>,
    findings: Vec<Finding>,
}

impl Report {
    pub(super) fn chain(&mut self, verdict: Verdict) {
        self.chains.push(Chain {
            organization: Some(verdict.organization_id),
            begins_after: verdict.begins_after,
            records: verdict.walked.records,
            checkpoint: verdict.checkpoint.map(|checkpoint| checkpoint.place),
            findings: verdict.walked.findings,
        });
    }

    pub(super) fn file(&mut self, checked: Checked) {
        self.chains.push(Chain {
            organization: checked.organization,
            begins_after: 0,
            records: checked.records,
            checkpoint: None,
            findings: checked.findings,
        });
    }

    /// A line of a file that cannot be read.
    pub(super) fn unreadable(&mut self, message: String) {
        self.unreadable.push(message);
    }

    pub(super) fn findings(&self) -> usize {
        self.unreadable.len().saturating_add(self.chains.iter().map(|chain| chain.findings.len()).sum())
    }

    pub(super) fn print(&self, as_json: bool) {
        if as_json {
            return println!("{}", self.json());
        }
        for message in &self.unreadable {
            println!("unreadable  {message}");
        }
        for chain in &self.chains {
            chain.print();
        }
    }

    fn json(&self) -> Value {
        let chains: Vec<Value> = self.chains.iter().map(Chain::json).collect();
        json!({
            "object": "audit.verification",
            "ok": self.findings() == 0,
            "organizations": chains,
            "unreadable": self.unreadable,
        })
    }
}

impl Chain {
    fn name(&self) -> String {
        self.organization.map_or_else(|| String::from("unknown"), |id| id.to_string())
    }

    fn print(&self) {
        for Finding { fault, place, id, message } in self.findings.iter().take(MOST) {
            let id = id.as_deref().map(|id| format!(" id {id}")).unwrap_or_default();
            println!("{}  organization {} place {place}{id}: {message}", fault.as_str(), self.name());
        }
        if let Some(more) = self.findings.len().checked_sub(MOST).filter(|more| *more > 0) {
            println!("and {more} more of organization {}", self.name());
        }
        if self.findings.is_empty() {
            let cut = if self.begins_after > 0 {
                format!(" after place {}", self.begins_after)
            } else {
                String::new()
            };
            println!(
                "ok  organization {}: {} records{cut}, each as it was written",
                self.name(),
                self.records
            );
        }
    }

    fn json(&self) -> Value {
        let findings = self.findings.iter().take(MOST).map(|finding| {
            json!({
                "fault": finding.fault.as_str(),
                "place": finding.place,
                "id": finding.id,
                "message": finding.message,
            })
        });
        json!({
            "organization_id": self.organization,
            "begins_after": self.begins_after,
            "records": self.records,
            "newest_checkpoint": self.checkpoint,
            "findings": findings.collect::<Vec<_>>(),
            "findings_count": self.findings.len(),
        })
    }
}
