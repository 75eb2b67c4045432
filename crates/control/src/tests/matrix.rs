//! Who may do what, as a file that people review: every permission and every route against every built-in role.

use crate::operations;
use crate::routes::{Access, Operation};
use louver_domain::access::Action;
use louver_domain::roles::{BUILTIN, Builtin};
use std::fmt::Write as _;
use std::path::Path;

const INTRODUCTION: &str = "\
# Who may do what

Made from the code (`MATRIX=write cargo test -p louver-control matrix`); a test fails when it is not true any more, so a
change of rights is seen in review. Roles add up. Roles of the organization hold in all its workspaces, roles of a
workspace in that one. `own`: on what is the person's own, as long as they belong to its workspace. An admin key that is
nobody's own holds everything. What no cell allows is refused.
";

#[test]
fn the_matrix_in_the_documents_is_true() {
    let fresh = written();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/access-matrix.md");
    if std::env::var("MATRIX").is_ok_and(|value| value == "write") {
        std::fs::write(&file, &fresh).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    for (number, (fresh, kept)) in fresh.lines().zip(kept.lines()).enumerate() {
        assert_eq!(fresh, kept, "docs/access-matrix.md, line {}", number + 1);
    }
    assert_eq!(fresh.len(), kept.len(), "docs/access-matrix.md");
}

#[test]
fn no_route_is_there_twice() {
    let mut rows: Vec<String> = operations().iter().map(|o| format!("{} {}", o.method, o.path)).collect();
    let all = rows.len();
    rows.sort();
    rows.dedup();
    assert_eq!(rows.len(), all);
}

fn written() -> String {
    let mut text = String::from(INTRODUCTION);
    heading(&mut text, "Permissions", "permission");
    for action in Action::ALL.iter().copied().filter(|action| action.can_be_held()) {
        let name = format!("`{}`", action.as_str());
        row(&mut text, &[name], |role| cell(action, role));
    }
    heading(&mut text, "Routes", "method | path | permission");
    let mut operations = operations();
    operations.sort_by_key(|operation| (operation.path, operation.method.to_string()));
    for operation in operations {
        let named = [operation.method.to_string(), format!("`{}`", operation.path), asked(&operation)];
        row(&mut text, &named, |role| match operation.access {
            Access::Admin(action) => cell(action, role),
            Access::AnyAdmin | Access::ApiKey | Access::Link | Access::Open => "",
        });
    }
    text
}

fn heading(text: &mut String, title: &str, columns: &str) {
    let names: Vec<&str> = BUILTIN.iter().map(|role| role.name).collect();
    let marks = columns.split('|').map(|_| "---").chain(names.iter().map(|_| ":-:"));
    let marks: Vec<&str> = marks.collect();
    writeln!(text, "\n## {title}\n\n| {columns} | {} |\n| {} |", names.join(" | "), marks.join(" | "))
        .unwrap();
}

fn row<'a>(text: &mut String, named: &[String], cell: impl Fn(&Builtin) -> &'a str) {
    let cells: Vec<&str> = BUILTIN.iter().map(&cell).collect();
    writeln!(text, "| {} | {} |", named.join(" | "), cells.join(" | ")).unwrap();
}

fn asked(operation: &Operation) -> String {
    match operation.access {
        Access::Admin(action) => format!("`{}`", action.as_str()),
        Access::AnyAdmin => "an admin key".to_owned(),
        Access::ApiKey => "an API key".to_owned(),
        Access::Link => "the link's secret".to_owned(),
        Access::Open => "nothing".to_owned(),
    }
}

fn cell(action: Action, role: &Builtin) -> &'static str {
    if role.actions().contains(action) {
        "✓"
    } else if action.holders().own() {
        "own"
    } else {
        ""
    }
}
