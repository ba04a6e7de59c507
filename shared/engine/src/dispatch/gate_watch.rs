//! Tasks that wait for gates, one per gate.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, watch};

use super::lane::Message;
use crate::gates;
use crate::gates::GateEnd;
use crate::inspect::Target;
use domain::Gate;
use pg_session::Connections;

/// Waits for one gate.
pub(super) struct GateWatch {
    pub(super) index: usize,
    pub(super) gate: Gate,
    pub(super) target: Arc<Target>,
    pub(super) connections: Arc<Connections>,
    pub(super) deadline: Instant,
    pub(super) cancelled: watch::Receiver<u32>,
    pub(super) messages: mpsc::UnboundedSender<Message>,
}

impl GateWatch {
    /// Waits for the gate, and reports the outcome.
    pub(super) async fn run(self) {
        let (connections, cancelled) = (&self.connections, self.cancelled.clone());
        let waiting = gates::wait(
            connections,
            &self.target,
            &self.gate,
            self.deadline,
            cancelled,
        );
        let end = waiting.await;
        self.end(end);
    }

    /// Reports the outcome.
    pub(super) fn end(self, end: GateEnd) {
        let index = self.index;
        // The dispatcher waits for every gate, so it still receives.
        let _ = self.messages.send(Message::GateEnded { index, end });
    }
}
