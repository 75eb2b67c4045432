//! The whole program's help: its commands in groups, so that a newcomer finds the way; completions and man pages of it.

use super::failure::{CODES, Failure};
use clap::{Args, Command};
use clap_complete::Shell;
use std::path::{Path, PathBuf};

/// Commands in the groups in which people look for them.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Run it", &["dev", "serve", "init", "simulator", "doctor"]),
    (
        "The organization (over the admin API)",
        &[
            "whoami",
            "organization",
            "workspaces",
            "members",
            "groups",
            "service-accounts",
            "roles",
            "explain",
            "upstreams",
            "apply",
            "export",
        ],
    ),
    ("Keys", &["keys", "rotation"]),
    ("Money", &["limits", "budgets", "usage", "alerts", "prices", "reconcile"]),
    (
        "On the machine of the data, or of nothing",
        &["admin-key", "console-link", "audit", "migrate", "completions", "man"],
    ),
];

const FIRST: &str = "\
First steps:
  louver dev                                          everything on this machine, with a simulated Mistral
  export LOUVER_URL=http://127.0.0.1:8080 LOUVER_ADMIN_KEY=…       what `louver dev` and `louver init` print
  louver whoami
  louver members create ada@example.com --first-name Ada
  louver workspaces create data-team --admin ada@example.com
  louver keys create my-app --workspace data-team --monthly-budget-usd 20

Commands that speak to a running Louver find it by --url or LOUVER_URL, and its admin key in LOUVER_ADMIN_KEY. All of
them take --json. `louver COMMAND --help` says the rest.";

const TEMPLATE: &str = "\
{about}

{usage-heading} {usage}

{before-help}Options:
{options}{after-help}";

/// The tree of commands, with its help.
pub(super) fn complete(tree: Command) -> Command {
    let groups = groups(&tree);
    let tree = tree
        .before_help(groups.trim_end().to_owned())
        .after_help(format!("{FIRST}\n\n{CODES}"))
        .help_template(TEMPLATE);
    tree.disable_help_subcommand(true)
}

fn groups(tree: &Command) -> String {
    let mut text = String::new();
    for (title, names) in GROUPS {
        text.push_str(&format!("{title}:\n"));
        for name in names {
            let about = tree.find_subcommand(name).and_then(Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            text.push_str(&format!("  {name:<18}{about}\n"));
        }
        text.push('\n');
    }
    text
}

/// Write completions for a shell
#[derive(Args)]
#[command(after_help = "\
Examples:
  source <(louver completions bash)
  louver completions zsh > ~/.zfunc/_louver
  louver completions fish > ~/.config/fish/completions/louver.fish")]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

/// Write the man pages
#[derive(Args)]
pub(super) struct Man {
    /// Write a page for each command into this folder, in place of the main page to stdout
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// Writes completions to stdout.
pub(super) fn completions(command: &Completions, mut tree: Command) {
    clap_complete::generate(command.shell, &mut tree, "louver", &mut std::io::stdout());
}

/// Writes the man pages.
pub(super) fn man(command: &Man, tree: Command) -> Result<(), Failure> {
    let Some(folder) = &command.dir else {
        let page = clap_mangen::Man::new(tree).render(&mut std::io::stdout());
        return page.map_err(|error| Failure::failed(error.to_string()));
    };
    pages(folder, tree).map_err(|error| Failure::failed(format!("{}: {error}", folder.display())))
}

fn pages(folder: &Path, tree: Command) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(tree, folder)
}

#[cfg(test)]
mod tests;
