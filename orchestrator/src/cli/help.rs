//! The help of the program, with its commands grouped by task.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, CommandFactory, FromArgMatches};

use super::Cli;

/// The groups, each with its first command: the commands are declared in this order.
const GROUPS: [(&str, &str); 5] = [
    ("Migrate", "all"),
    ("Author", "generate"),
    ("Prove", "check"),
    ("Recover", "doctor"),
    ("Operate", "adopt"),
];

/// Parses the command line.
pub(super) fn parse() -> Result<Cli, clap::Error> {
    let matches = command().try_get_matches()?;
    Cli::from_arg_matches(&matches)
}

/// The command line with grouped help. Clap lists subcommands under a single heading, so they are hidden from its list and
/// written into the template instead.
pub(super) fn command() -> clap::Command {
    let command = Cli::command();
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{}{{all-args}}{{after-help}}",
        groups(&command)
    );
    // Options on one line each, for `--help` as for `-h`.
    let help = Arg::new("help")
        .short('h')
        .long("help")
        .help("Print help")
        .help_heading(None)
        .action(ArgAction::HelpShort)
        // Clap disables the flag of the subcommands together with that of the program.
        .global(true);
    command
        .mut_subcommands(|subcommand| subcommand.hide(true))
        .help_template(template)
        .override_usage("orchestrator [OPTIONS] <COMMAND>")
        .disable_help_flag(true)
        .arg(help)
}

fn groups(command: &clap::Command) -> String {
    let styles = command.get_styles();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let width = command
        .get_subcommands()
        .map(|subcommand| subcommand.get_name().len())
        .max()
        .unwrap_or_default();
    let mut text = String::new();
    for subcommand in command.get_subcommands() {
        let name = subcommand.get_name();
        if let Some((group, _)) = GROUPS.iter().find(|(_, first)| *first == name) {
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}{header}{group}:{header:#}");
        }
        let about = subcommand.get_about().cloned().unwrap_or_default();
        let _ = writeln!(text, "  {literal}{name:width$}{literal:#}  {about}");
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;

    use super::*;

    #[test]
    fn every_command_prints_its_help() {
        let help = |arguments: &[&str]| {
            let error = command().try_get_matches_from(arguments).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::DisplayHelp, "{arguments:?}");
            assert!(error.to_string().contains(&arguments[..2].join(" ")));
        };
        for subcommand in Cli::command().get_subcommands() {
            help(&["orchestrator", subcommand.get_name(), "--help"]);
            help(&["orchestrator", subcommand.get_name(), "-h"]);
        }
        help(&["orchestrator", "local", "start", "--help"]);
    }

    #[test]
    fn help_shows_the_groups() {
        let help = command().term_width(80).render_help();
        insta::assert_snapshot!(help.to_string());
    }
}
