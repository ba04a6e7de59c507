//! A refusal that comes before the first step, told as events: programs wait for `run_finished` then, too.

use super::{CommandError, Context};
use crate::dispatch::Recorder;
use crate::domain::{EVENT_SCHEMA, EventKind, ExitStatus, Totals, Verdict};
use crate::postgres::RunIdentity;

/// Ends a run that was refused as a whole: with an error for people, with events for programs.
pub(super) fn refuse_run(
    context: &Context,
    command: &'static str,
    error: CommandError,
) -> Result<ExitStatus, CommandError> {
    let CommandError::Refused(refusal) = error else {
        return Err(error);
    };
    if context.is_for_people() {
        return Err(CommandError::Refused(refusal));
    }
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
    });
    recorder.run(EventKind::RunFinished {
        verdict: Verdict::Refused,
        exit_code: ExitStatus::Refused,
        totals: Totals::default(),
        next: vec![format!("{}: {}", refusal.message, refusal.next)],
        anchors: Vec::new(),
    });
    Ok(ExitStatus::Refused)
}
