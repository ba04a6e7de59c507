//! Reports a refusal or a cancellation before the first step as events, because programs wait for `run_finished`.

use tokio::sync::watch;

use super::{CommandError, Context};
use domain::{ExitStatus, commented};
use engine::dispatch::{Operation, Start, Stops};

/// Ends a run that was refused or cancelled as a whole: with an error in human output, with events in JSON output.
pub(super) fn refuse_run(
    context: &Context,
    command: &'static str,
    error: CommandError,
) -> Result<ExitStatus, CommandError> {
    if context.is_human() {
        return Err(error);
    }
    let next = match &error {
        CommandError::Refused(refusal) => Some(commented(&refusal.next, &refusal.message)),
        CommandError::Cancelled => None,
        _ => return Err(error),
    };
    let mut reporter = context.reporter();
    let stops = Stops::counted(watch::channel(0).1);
    let start = Start::of(command, Vec::new());
    let mut operation = Operation::begin(reporter.as_mut(), stops, start);
    operation.worsen(error.exit_status());
    operation.next.extend(next);
    Ok(operation.end(0))
}
