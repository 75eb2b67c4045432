//! Holds the tree to its laws: edges between crates, shapes of files, licences and sources of dependencies, the map.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "tests fail loudly, and their tables are long"
)]

use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which of our crates each may depend on. A tenth crate needs a page in docs/decisions.
const EDGES: [(&str, &[&str]); 10] = [
    ("louver-domain", &[]),
    ("louver-mistral", &[]),
    ("louver-store", &["louver-domain"]),
    ("louver-gateway", &["louver-domain", "louver-mistral", "louver-store"]),
    ("louver-control", &["louver-domain", "louver-mistral", "louver-store"]),
    ("louver-console", &["louver-control", "louver-domain"]),
    ("louver-simulator", &[]),
    (
        "louver",
        &[
            "louver-domain",
            "louver-mistral",
            "louver-store",
            "louver-gateway",
            "louver-control",
            "louver-console",
            "louver-simulator",
        ],
    ),
    (
        "louver-proving",
        &[
            "louver",
            "louver-domain",
            "louver-mistral",
            "louver-store",
            "louver-gateway",
            "louver-control",
            "louver-simulator",
        ],
    ),
    ("louver-bench", &[]),
];

/// Who alone may name a dependency.
const WRAPPERS: [(&str, &[&str]); 4] = [
    ("sqlx", &["louver-store"]),
    ("axum", &["louver-control", "louver-console", "louver"]),
    ("clap", &["louver", "louver-bench"]),
    ("lettre", &["louver-control"]),
];

/// Dependencies that must not come in.
const BANNED: [&str; 6] = ["openssl", "openssl-sys", "native-tls", "ring", "chrono", "reqwest"];

const LICENCES: [&str; 11] = [
    "Apache-2.0",
    "MIT",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Unicode-3.0",
    "Zlib",
    "CDLA-Permissive-2.0",
    "BSL-1.0",
    "Unlicense",
    "0BSD",
];

const MAX_LINES: usize = 500;
const MAX_TEST_LINES: usize = 800;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn cargo(arguments: &[&str]) -> String {
    let command = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--locked", "--offline"])
        .current_dir(root())
        .output();
    let output = command.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn metadata() -> Value {
    serde_json::from_str(&cargo(&["metadata", "--format-version", "1", "--no-deps"])).unwrap()
}

fn sources() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                walk(&path, found);
            } else if name.ends_with(".rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join("crates"), &mut found);
    walk(&root().join("bench"), &mut found);
    walk(&root().join("fuzz"), &mut found);
    found.sort();
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned()
}

#[test]
fn crates_depend_only_downwards() {
    let metadata = metadata();
    let ours: BTreeMap<&str, &[&str]> = EDGES.into_iter().collect();
    let members: Vec<&Value> =
        metadata["packages"].as_array().unwrap().iter().filter(|p| p["source"].is_null()).collect();
    assert_eq!(members.len(), EDGES.len(), "a new crate needs a law and a page in docs/decisions");
    for package in members {
        let name = package["name"].as_str().unwrap();
        let allowed = ours[name];
        for dependency in package["dependencies"].as_array().unwrap() {
            let dependency_name = dependency["name"].as_str().unwrap();
            // Tests may bring a crate in from above; the law is about what ships.
            let ships = dependency["kind"].is_null();
            if ours.contains_key(dependency_name) && ships {
                assert!(allowed.contains(&dependency_name), "{name} must not depend on {dependency_name}");
            }
            for (wrapped, wrappers) in WRAPPERS {
                assert!(
                    dependency_name != wrapped || !ships || wrappers.contains(&name),
                    "{name} must not name {wrapped}"
                );
            }
        }
    }
}

#[test]
fn dependencies_come_from_the_registry_under_known_licences() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for source in lock.lines().filter_map(|line| line.strip_prefix("source = ")) {
        assert!(source.starts_with("\"registry+"), "a dependency comes from {source}");
    }
    // The lock file also names what is never built; the tree is what ships.
    let tree = ["tree", "--workspace", "--edges", "normal,build", "--prefix", "none", "--format", "{p}|{l}"];
    for line in cargo(&tree).lines().filter(|line| !line.is_empty()) {
        let (package, licence) = line.trim_end_matches(" (*)").split_once('|').unwrap();
        let name = package.split(' ').next().unwrap();
        assert!(!BANNED.contains(&name), "{name} is banned");
        let licence = licence.replace('/', " OR ").replace(['(', ')'], " ");
        // Of alternatives one must be known; of licences that hold together, all.
        let known = |term: &str| LICENCES.contains(&term.split(" WITH ").next().unwrap_or_default().trim());
        let fine = licence.split(" OR ").any(|choice| choice.split(" AND ").all(known));
        assert!(fine, "{name} is licensed {licence:?}");
    }
}

#[test]
fn files_say_their_job_and_keep_their_size() {
    for path in sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = relative(&path);
        assert!(text.starts_with("//! "), "{name} does not open with its job");
        let stem = path.file_stem().unwrap().to_str().unwrap();
        assert!(
            !["mod", "common", "utils", "util", "types", "helpers", "misc"].contains(&stem),
            "{name} is a drawer"
        );
        let limit = if name.contains("/tests/") { MAX_TEST_LINES } else { MAX_LINES };
        assert!(text.lines().count() <= limit, "{name} has more than {limit} lines");
    }
}

#[test]
fn no_test_sleeps_or_is_switched_off() {
    // Put together here, so that this file does not find itself.
    let ignore = ["#[", "ignore"].concat();
    let sleep = ["thread::", "sleep"].concat();
    // A benchmark waits for its moments; a test never does.
    for path in sources().into_iter().filter(|path| !relative(path).starts_with("bench/")) {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&ignore), "{} switches a test off", relative(&path));
        assert!(!text.contains(&sleep), "{} sleeps", relative(&path));
        if relative(&path).contains("/tests/") {
            assert!(!text.contains(&["time::", "sleep("].concat()), "{} sleeps in a test", relative(&path));
        }
    }
}

/// The clock and randomness of the machine are read in one file.
#[test]
fn only_the_clock_file_reads_the_clock() {
    for path in sources() {
        let name = relative(&path);
        if name == "crates/app/src/clock.rs" || name.starts_with("bench/") || name.contains("/tests/") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for ambient in
            [["SystemTime::", "now"].concat(), ["std::time::", "Instant"].concat(), ["getrandom::"].concat()]
        {
            assert!(!text.contains(&ambient), "{name} reads {ambient}");
        }
    }
}

/// The rows of `docs/ways-around.md`, by chapter: how many there are.
const WAYS: [(char, usize); 6] = [('A', 14), ('B', 18), ('C', 19), ('D', 12), ('E', 9), ('F', 9)];

/// Each known way around has its row, and each row tests that exist.
#[test]
fn every_way_around_has_its_tests() {
    let code: String = sources().iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let table = std::fs::read_to_string(root().join("docs/ways-around.md")).unwrap();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| Row") && !line.starts_with("| -"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    let named: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    let all: Vec<String> = WAYS
        .iter()
        .flat_map(|(chapter, count)| (1..=*count).map(move |row| format!("{chapter}{row}")))
        .collect();
    assert_eq!(named, all);
    for row in rows {
        let tests: Vec<&str> = row.last().unwrap().split(", ").map(|test| test.trim_matches('`')).collect();
        for test in tests {
            assert!(code.contains(&format!("fn {test}(")), "{}: there is no test {test}", row[0]);
        }
    }
}

/// `docs/MAP.md` is made from the first line of each file. `MAP=write cargo test --test tidy` writes it anew.
#[test]
fn the_map_is_fresh() {
    let mut map = String::from(
        "# The map\n\nMade from the first line of each source file; `just map` writes it anew.\n",
    );
    let mut folder = String::new();
    for path in sources() {
        let name = relative(&path);
        let (parent, file) = name.rsplit_once('/').unwrap();
        if parent != folder {
            parent.clone_into(&mut folder);
            write!(map, "\n## {parent}\n\n").unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let job: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("//! ")).collect();
        let sentence = job.join(" ");
        let end = sentence.find(". ").map_or(sentence.len(), |at| at + 1);
        writeln!(map, "- `{file}`: {}", &sentence[..end]).unwrap();
    }
    let path = root().join("docs/MAP.md");
    if std::env::var("MAP").as_deref() == Ok("write") {
        std::fs::write(&path, &map).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == map,
        "docs/MAP.md is stale: run `just map`"
    );
}
