//! The question before a change in production.

use std::io::{IsTerminal, Write};

use super::{CommandError, Context, OutputChoice};
use crate::domain::{Refusal, RefusalKind};

/// Nothing outside production, or with `--yes`. In production an answer on the terminal, else a refusal.
pub fn confirm(context: &Context, yes: bool, what: &str) -> Result<(), CommandError> {
    if yes || !context.configuration.is_production() {
        return Ok(());
    }
    let question = format!("This will {what} in production. Go on? [y/N] ");
    if answer_is_yes(context, &question)? {
        return Ok(());
    }
    Err(Refusal {
        kind: RefusalKind::Unconfirmed,
        service: None,
        message: format!(
            "this would {what} in production, and nobody confirmed it; nothing was changed"
        ),
        next: "look at it with --dry-run, then run again with --yes".to_owned(),
    }
    .into())
}

/// Asks on the terminal. No where there is none to ask on.
pub fn answer_is_yes(context: &Context, question: &str) -> Result<bool, CommandError> {
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
    let mut err = std::io::stderr().lock();
    write!(err, "{question}").map_err(failed)?;
    err.flush().map_err(failed)?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(failed)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "Yes"))
}
