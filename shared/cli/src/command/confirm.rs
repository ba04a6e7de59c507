//! The confirmation of a change in production.

use std::io::IsTerminal;

use tokio::sync::oneshot;

use super::{Context, OutputChoice, watch_signals};
use domain::{Diagnostic, Refusal, RefusalKind, called, commented};
use report::printable::write_err;

/// Confirms a change in production: with `--yes`, or with an answer on the terminal; refuses it otherwise. Does nothing
/// outside production.
pub async fn confirm(context: &Context, yes: bool, what: &str) -> Result<(), Diagnostic> {
    confirm_reviewed(context, yes, what, || Ok(String::new())).await
}

/// The same, after showing a review of the change to a human who has not confirmed it yet.
pub(super) async fn confirm_reviewed(
    context: &Context,
    yes: bool,
    what: &str,
    review: impl FnOnce() -> Result<String, Diagnostic>,
) -> Result<(), Diagnostic> {
    if !context.configuration.is_production() {
        return Ok(());
    }
    for server in context.unverified_servers() {
        tracing::warn!(
            "the certificate of {server} is not verified, so another machine could impersonate it; use sslmode=verify-full"
        );
    }
    if yes {
        return Ok(());
    }
    if context.is_human() {
        write_err(&review()?);
    }
    let question = format!("This will {what} in production. Continue? [y/N] ");
    if answer_is_yes(context, &question).await? {
        return Ok(());
    }
    Err(Refusal {
        kind: RefusalKind::Unconfirmed,
        service: None,
        message: format!(
            "this would {what} in production and requires confirmation; nothing was changed"
        ),
        next: commented(
            called().with(["--yes"]).to_string(),
            "first review it with --dry-run instead of --yes",
        ),
    }
    .into())
}

/// Asks on the terminal. The answer is no if there is no terminal.
pub async fn answer_is_yes(context: &Context, question: &str) -> Result<bool, Diagnostic> {
    let answer = answer(context, question).await?;
    Ok(matches!(answer.as_deref(), Some("y" | "Y" | "yes" | "Yes")))
}

/// Asks on the terminal. `None` if there is no terminal.
pub async fn answer(context: &Context, question: &str) -> Result<Option<String>, Diagnostic> {
    let asks = std::io::stdin().is_terminal()
        && std::io::stderr().is_terminal()
        && context.globals.output == OutputChoice::Human;
    if !asks {
        return Ok(None);
    }
    let failed = |source: std::io::Error| {
        Diagnostic::failed("cannot ask for confirmation on this terminal", &source)
    };
    let mut stops = watch_signals();
    write_err(question);
    // Reading a line cannot be cancelled, so it has a thread of its own, which the program does not wait for.
    let (sender, answer) = oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line).map(|_| line);
        // The receiver is gone if the question was cancelled in the meantime.
        let _ = sender.send(read);
    });
    tokio::select! {
        Ok(read) = answer => {
            Ok(Some(read.map_err(failed)?.trim().to_owned()))
        }
        Ok(_) = stops.wait_for(|times| *times > 0) => {
            // The next output starts on a new line.
            write_err("\n");
            Err(Diagnostic::cancelled())
        }
        else => Ok(None),
    }
}
