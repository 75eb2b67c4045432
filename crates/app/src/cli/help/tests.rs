//! The help says everything: each command stands in a group, and each command and flag has its sentence.

mod routes;

use super::*;

fn tree() -> Command {
    let mut tree = crate::cli::tree();
    tree.build();
    tree
}

#[test]
fn each_command_stands_in_one_group() {
    let tree = tree();
    let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    let mut all: Vec<&str> = tree.get_subcommands().map(Command::get_name).collect();
    grouped.sort_unstable();
    all.sort_unstable();
    assert_eq!(grouped, all);
    let help = tree.clone().render_help().to_string();
    for (title, names) in GROUPS {
        assert!(help.contains(title), "{help}");
        for name in names {
            assert!(help.contains(&format!("\n  {name} ")), "{name} is not in: {help}");
        }
    }
    assert!(help.contains("LOUVER_ADMIN_KEY") && help.contains("Exit codes:"), "{help}");
}

#[test]
fn each_command_and_each_argument_has_its_sentence() {
    fn walk(command: &Command, way: &str, silent: &mut Vec<String>) {
        let way = format!("{way} {}", command.get_name());
        if command.get_about().is_none_or(|about| about.to_string().trim().is_empty()) {
            silent.push(way.clone());
        }
        for argument in command.get_arguments().filter(|argument| argument.get_help().is_none()) {
            silent.push(format!("{way}: {}", argument.get_id()));
        }
        for inner in command.get_subcommands() {
            walk(inner, &way, silent);
        }
    }
    let mut silent = Vec::new();
    walk(&tree(), "", &mut silent);
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn completions_and_man_pages_come_from_the_same_tree() {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut crate::cli::tree(), "louver", &mut text);
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("report-leak") && text.contains("unused-days"), "{shell}");
    }
    let folder = tempfile::tempdir().unwrap();
    pages(folder.path(), crate::cli::tree()).unwrap();
    let page = std::fs::read_to_string(folder.path().join("louver-keys-rotate.1")).unwrap();
    assert!(page.contains("older\\-than"), "{page}");
    assert!(folder.path().join("louver.1").is_file());
}
