//! Reports a refusal or a cancellation before the first step as events, because programs wait for `run_finished`.

use tokio::sync::watch;

use super::Context;
use domain::{Diagnostic, ExitStatus, commented};
use engine::dispatch::{Operation, Start, Stops};

/// Ends a run that was refused or cancelled as a whole: with an error in human output, with events in JSON output.
pub(super) fn refuse_run(
    context: &Context,
    command: &'static str,
    error: Diagnostic,
) -> Result<ExitStatus, Diagnostic> {
    if context.is_human() {
        return Err(error);
    }
    let next = match &error.refusal {
        Some(refusal) => Some(commented(&refusal.next, &refusal.message)),
        None if error.is_cancelled() => None,
        None => return Err(error),
    };
    let mut reporter = context.reporter();
    let stops = Stops::counted(watch::channel(0).1);
    let start = Start::of(command, Vec::new());
    let mut operation = Operation::begin(reporter.as_mut(), stops, start);
    operation.worsen(error.exit_code);
    operation.next.extend(next);
    Ok(operation.end(0))
}
