//! The question before a change in production.

use std::io::IsTerminal;

use tokio::sync::oneshot;

use super::{CommandError, Context, OutputChoice, watch_signals};
use crate::domain::{Refusal, RefusalKind, called, commented};
use crate::report::printable::write_err;

/// Nothing outside production, or with `--yes`. In production an answer on the terminal, else a refusal.
pub async fn confirm(context: &Context, yes: bool, what: &str) -> Result<(), CommandError> {
    if !context.configuration.is_production() {
        return Ok(());
    }
    for server in context.unverified_servers() {
        tracing::warn!(
            "the certificate of {server} is not verified, so another machine may answer in its place; use sslmode=verify-full"
        );
    }
    if yes {
        return Ok(());
    }
    let question = format!("This will {what} in production. Go on? [y/N] ");
    if answer_is_yes(context, &question).await? {
        return Ok(());
    }
    Err(Refusal {
        kind: RefusalKind::Unconfirmed,
        service: None,
        message: format!(
            "this would {what} in production, and nobody confirmed it; nothing was changed"
        ),
        next: commented(
            called().with(["--yes"]).to_string(),
            "after a look with --dry-run in place of --yes",
        ),
    }
    .into())
}

/// Asks on the terminal. No where there is none to ask on.
pub async fn answer_is_yes(context: &Context, question: &str) -> Result<bool, CommandError> {
    let asks = std::io::stdin().is_terminal()
        && std::io::stderr().is_terminal()
        && context.globals.output == OutputChoice::Human;
    if !asks {
        return Ok(false);
    }
    let failed = |source| CommandError::Io {
        what: "the question cannot be asked on this terminal".to_owned(),
        source,
    };
    let mut stops = watch_signals();
    write_err(question);
    // A thread of its own: nothing can end the wait for a line, and the program does not wait for the thread.
    let (sender, answer) = oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line).map(|_| line);
        // The question may have been cancelled meanwhile.
        let _ = sender.send(read);
    });
    tokio::select! {
        Ok(read) = answer => {
            let line = read.map_err(failed)?;
            Ok(matches!(line.trim(), "y" | "Y" | "yes" | "Yes"))
        }
        Ok(_) = stops.wait_for(|times| *times > 0) => {
            // What comes next begins on a line of its own.
            write_err("\n");
            Err(CommandError::Cancelled)
        }
        else => Ok(false),
    }
}
