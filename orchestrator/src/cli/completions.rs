//! The `completions` command.

use clap::CommandFactory;
use clap_complete::Shell;
use domain::{Diagnostic, ExitStatus};
use service_cli::command::print_exact;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  orchestrator completions bash > ~/.local/share/bash-completion/completions/orchestrator
  orchestrator completions zsh  > ~/.zfunc/_orchestrator")]
pub(super) struct Args {
    /// The shell to print the script for
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn print(args: &Args) -> Result<ExitStatus, Diagnostic> {
    let mut script = Vec::new();
    clap_complete::generate(
        args.shell,
        &mut super::Cli::command(),
        "orchestrator",
        &mut script,
    );
    print_exact(&String::from_utf8_lossy(&script))?;
    Ok(ExitStatus::Done)
}
