//! A database for one test: a file of its own, or a database of its own on the PostgreSQL that the tests run with.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

/// The URL of a fresh SQLite file in `folder`.
pub fn sqlite(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("louver.db").display())
}

/// The URL of a fresh PostgreSQL database.
///
/// # Panics
/// When there is no PostgreSQL: that is a failure, not a reason to skip. `scripts/test` starts one.
pub fn postgres() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let base =
        std::env::var("TEST_POSTGRES_URL").expect("TEST_POSTGRES_URL names a PostgreSQL: run scripts/test");
    let name = format!("louver_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let output =
        Command::new("psql").args([&base, "-q", "-c", &format!("CREATE DATABASE {name}")]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    base.replacen("/postgres?", &format!("/{name}?"), 1)
}
