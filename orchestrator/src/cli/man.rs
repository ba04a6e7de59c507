//! The `man` command.

use std::io;

use clap::CommandFactory;
use clap_mangen::Man;
use domain::{Diagnostic, ExitStatus};
use service_cli::command::print_exact;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  orchestrator man | man -l -
  orchestrator man run > ~/.local/share/man/man1/orchestrator-run.1")]
pub(super) struct Args {
    /// The command to print the page of [default: the program itself]
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

pub(super) fn print(args: &Args) -> Result<ExitStatus, Diagnostic> {
    let mut program = super::Cli::command();
    program.build();
    let command = match &args.command {
        None => program,
        Some(name) => program
            .get_subcommands()
            .find(|command| {
                command.get_name() == name || command.get_all_aliases().any(|alias| alias == name)
            })
            .cloned()
            .ok_or_else(|| {
                Diagnostic::usage(
                    format!("unknown command `{name}`"),
                    "orchestrator --help   # lists the commands",
                )
            })?,
    };
    let mut page = Vec::new();
    render(command, &mut page)
        .map_err(|source| Diagnostic::failed("cannot write the page", &source))?;
    print_exact(&String::from_utf8_lossy(&page))?;
    Ok(ExitStatus::Done)
}

fn render(command: clap::Command, page: &mut Vec<u8>) -> io::Result<()> {
    // The page of `orchestrator run` is `orchestrator-run`.
    let title = command
        .get_display_name()
        .unwrap_or(command.get_name())
        .to_owned();
    Man::new(command).title(title).render(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_its_own_title() {
        let mut program = super::super::Cli::command();
        program.build();
        for command in program.get_subcommands() {
            let mut page = Vec::new();
            render(command.clone(), &mut page).unwrap();
            let page = String::from_utf8(page).unwrap();
            let title = format!(".TH orchestrator-{} 1", command.get_name());
            assert!(
                page.contains(&title),
                "{title}: {}",
                &page[..page.len().min(200)]
            );
            assert!(
                page.contains(".SH EXTRA") || page.contains(".SH OPTIONS"),
                "{title}"
            );
        }
    }
}
