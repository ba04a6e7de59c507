//! Reports a refusal or a cancellation before the first step as events, because programs wait for `run_finished`.

use super::{CommandError, Context};
use crate::dispatch::Recorder;
use crate::domain::{EVENT_SCHEMA, EventKind, ExitStatus, Totals, Verdict, commented};
use crate::postgres::RunIdentity;

/// Ends a run that was refused or cancelled as a whole: with an error in human output, with events in JSON output.
pub(super) fn refuse_run(
    context: &Context,
    command: &'static str,
    error: CommandError,
) -> Result<ExitStatus, CommandError> {
    if context.is_for_people() {
        return Err(error);
    }
    let (verdict, next) = match &error {
        CommandError::Refused(refusal) => (
            Verdict::Refused,
            vec![commented(&refusal.next, &refusal.message)],
        ),
        CommandError::Cancelled => (Verdict::Cancelled, Vec::new()),
        _ => return Err(error),
    };
    let status = error.exit_status();
    let identity = RunIdentity::of_this_process();
    let mut reporter = context.reporter();
    let mut recorder = Recorder::new(reporter.as_mut(), identity.run_id);
    recorder.run(EventKind::RunStarted {
        schema: EVENT_SCHEMA,
        command,
        services: Vec::new(),
        unchanged: Vec::new(),
        steps: 0,
        program_version: identity.program_version,
        undoes_on_failure: false,
    });
    recorder.run(EventKind::RunFinished {
        verdict,
        exit_code: status,
        totals: Totals::default(),
        next,
        anchors: Vec::new(),
        backup: None,
    });
    Ok(status)
}
