//! Turns messages of a rehearsal into events and an exit status.

use domain::{EventKind, ExitStatus, ServiceName, ServiceOutcome, Version, rerun};
use engine::dispatch::Operation;
use tokio::sync::mpsc;

use super::event::Rehearsed;
use super::service::Rehearsal;
use scratch::ScratchError;

/// A message about a service during its rehearsal.
pub(super) enum Message {
    /// The rehearsal started, with this number of migrations.
    Started(usize),
    /// A migration is rehearsed.
    Rehearsed(Version, Rehearsed),
    /// The rehearsal of the service ended; migrations may be left out.
    Finished(Rehearsal),
    /// The service could not be rehearsed.
    Failed(ScratchError),
}

/// Sends messages with the service that they are about.
pub(super) type MessageSender = mpsc::UnboundedSender<(ServiceName, Message)>;

/// Reports a message.
pub(super) fn receive(operation: &mut Operation<'_>, service: &ServiceName, message: Message) {
    match message {
        Message::Started(steps) => {
            operation.service_begins(service);
            operation.service(service, EventKind::ServiceStarted { steps });
        }
        Message::Rehearsed(version, one) => rehearsed(operation, service, version, one),
        Message::Finished(rehearsal) => finished(operation, service, &rehearsal),
        Message::Failed(error) => fail(operation, service, &error),
    }
}

fn rehearsed(
    operation: &mut Operation<'_>,
    service: &ServiceName,
    version: Version,
    rehearsed: Rehearsed,
) {
    let counting = rehearsed.findings.iter().filter(|it| it.counts()).count();
    operation.totals.rehearsed += 1;
    operation.totals.findings += counting;
    if counting > 0 {
        operation.worsen(ExitStatus::Findings);
    }
    operation.migration(service, version, rehearsed);
}

fn finished(operation: &mut Operation<'_>, service: &ServiceName, rehearsal: &Rehearsal) {
    if !rehearsal.left_out.is_empty() {
        let last = rehearsal.migrations.last();
        let because = last.map_or_else(String::new, |(version, rehearsed)| {
            format!("{version} {} does not run", rehearsed.name)
        });
        let steps = rehearsal.left_out.len();
        // Even if a directive allows the failure: a migration that was not rehearsed is never a success.
        operation.worsen(ExitStatus::Findings);
        operation.totals.skipped += steps;
        let skipped = EventKind::ServiceSkipped { because, steps };
        operation.service(service, skipped);
    }
    let mut findings = rehearsal.migrations.iter().flat_map(|(_, it)| &it.findings);
    let outcome = if findings.any(|it| it.counts()) {
        ServiceOutcome::Findings
    } else if !rehearsal.left_out.is_empty() {
        ServiceOutcome::Failed
    } else {
        ServiceOutcome::Done
    };
    operation.service_finished(service, outcome);
}

/// Reports a service that could not be rehearsed.
pub(super) fn fail(operation: &mut Operation<'_>, service: &ServiceName, error: &ScratchError) {
    let outcome = operation.service_failed(service, error.diagnostic());
    operation.service_finished(service, outcome);
}

/// Reports the end of the rehearsal.
pub(super) fn end(mut operation: Operation<'_>) -> ExitStatus {
    let totals = operation.totals;
    if totals.findings > 0 {
        operation.next.push(
            rerun("first fix the files, or allow what is intended with a reason: -- migration: allow RULE \"why\""),
        );
    } else if totals.skipped > 0 {
        operation.next.push(rerun(
            "first fix the migrations that do not run: later ones were not rehearsed",
        ));
    }
    operation.end(totals.rehearsed)
}
