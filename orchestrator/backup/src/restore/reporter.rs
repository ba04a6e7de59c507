//! Reports the outcome of a restored database for all of its services.

use domain::{EventKind, ServiceName, ServiceOutcome};
use engine::dispatch::{Events, Operation};

use super::choice::Restoration;
use super::error::RestoreError;
use super::event::RestoreEvent;

/// Sends a warning.
pub(super) fn warn(events: &Events, service: &ServiceName, message: String) {
    events.service(service, RestoreEvent::RestoreWarning { message });
}

/// Reports the end of a database.
pub(super) fn finish(
    operation: &mut Operation<'_>,
    restoration: &Restoration,
    outcome: ServiceOutcome,
) {
    for member in &restoration.members {
        operation.service_finished(&member.target.service.name, outcome);
    }
}

/// Reports a failed database.
pub(super) fn fail(operation: &mut Operation<'_>, restoration: &Restoration, error: &RestoreError) {
    let is_swapped = matches!(error, RestoreError::AfterSwap(_));
    if error.diagnostic().is_cancelled() && !is_swapped {
        return cancel(operation, restoration);
    }
    operation.totals.restored += usize::from(is_swapped);
    operation.totals.failed += 1;
    let outcome = operation.service_failed(restoration.service(), error.diagnostic());
    finish(operation, restoration, outcome);
}

/// Reports a database that is skipped because of another.
pub(super) fn skip(operation: &mut Operation<'_>, restoration: &Restoration, because: &str) {
    operation.totals.skipped += 1;
    for member in &restoration.members {
        let because = because.to_owned();
        let skipped = EventKind::ServiceSkipped { because, steps: 1 };
        operation.service(&member.target.service.name, skipped);
    }
    finish(operation, restoration, ServiceOutcome::Skipped);
}

/// Reports a database that is unchanged because the user cancelled.
pub(super) fn cancel(operation: &mut Operation<'_>, restoration: &Restoration) {
    operation.cancelled();
    finish(operation, restoration, ServiceOutcome::Cancelled);
}
