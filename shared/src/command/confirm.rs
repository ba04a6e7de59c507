//! The question before a change in production.

use std::io::{IsTerminal, Write};

use super::{CommandError, Context, OutputChoice};
use crate::domain::{Refusal, RefusalKind};

/// Nothing outside production, or with `--yes`. In production an answer on the terminal, else a refusal.
pub fn confirm(context: &Context, yes: bool, what: &str) -> Result<(), CommandError> {
    if yes || !context.configuration.is_production() {
        return Ok(());
    }
    let asks = std::io::stdin().is_terminal()
        && std::io::stderr().is_terminal()
        && context.globals.output == OutputChoice::Human;
    if asks && answer_is_yes(what)? {
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

fn answer_is_yes(what: &str) -> Result<bool, CommandError> {
    let failed = |source| CommandError::Io {
        what: "the question cannot be asked on this terminal".to_owned(),
        source,
    };
    let mut err = std::io::stderr().lock();
    write!(err, "This will {what} in production. Go on? [y/N] ").map_err(failed)?;
    err.flush().map_err(failed)?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(failed)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "Yes"))
}
