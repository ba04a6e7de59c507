//! Cancellation: nothing new starts, and running statements are cancelled on request.

use super::Dispatcher;
use crate::domain::{EventKind, ExitStatus, StopCause, millis, with_causes};

impl Dispatcher<'_, '_> {
    /// Nothing new starts, and no task continues to wait for a lock or a gate.
    pub(super) fn stop(&mut self) {
        self.board.stop();
        self.halt.send_replace(1);
    }

    pub(super) fn cancel(&mut self, times: u32) {
        if times == 0 {
            return;
        }
        self.stop();
        self.status = self.status.or_worse(ExitStatus::Cancelled);
        let cause = (*self.stops.cause.borrow()).unwrap_or(StopCause::Interrupt);
        let is_timed = times == 1 && cause == StopCause::Terminate && !self.stops.grace.is_zero();
        self.recorder.run(EventKind::CancelRequested {
            times,
            cause,
            cancels_in_ms: is_timed.then(|| millis(self.stops.grace)),
        });
        if times > 1 {
            self.cancel_between_steps();
        }
    }

    /// Cancels what services do on the server before and after their steps. A step cancels its own statements, because a cancel
    /// request that arrives late would hit the statement that records the outcome.
    fn cancel_between_steps(&mut self) {
        for (service, lane) in &self.lanes {
            let Some(handle) = lane.cancel.clone() else {
                continue;
            };
            if self.board.is_running(service) {
                continue;
            }
            self.tasks.spawn(async move {
                if let Err(error) = handle.cancel().await {
                    tracing::warn!(error = %with_causes(&error), "cannot cancel a statement");
                }
            });
        }
    }
}
