//! Cancellation: nothing new starts, and running statements are cancelled on request.

use super::Dispatcher;
use domain::{StopCause, millis, with_causes};

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
        let stops = self.operation.stops();
        let is_terminated = *stops.cause.borrow() == Some(StopCause::Terminate);
        let is_timed = times == 1 && is_terminated && !stops.grace.is_zero();
        let cancels_in_ms = is_timed.then(|| millis(stops.grace));
        self.operation.cancel_requested(times, cancels_in_ms);
        if times > 1 {
            self.cancel_between_steps();
        }
    }

    /// Cancels what services do on the server before and after their steps. A step cancels its own statements, because a cancel
    /// request that arrives late would hit the statement that records the outcome.
    fn cancel_between_steps(&mut self) {
        for (service, lane) in &self.lanes {
            let Some(cancel) = &lane.cancel else {
                continue;
            };
            if self.board.is_running(service) {
                continue;
            }
            let cancelling = cancel();
            self.spawned.spawn(async move {
                if let Err(error) = cancelling.await {
                    tracing::warn!(error = %with_causes(&error), "cannot cancel a statement");
                }
            });
        }
    }
}
