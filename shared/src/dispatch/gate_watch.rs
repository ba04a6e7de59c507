//! Tasks that wait for gates, one per gate.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, watch};

use super::lane::Message;
use crate::domain::Gate;
use crate::gates;
use crate::inspect::Target;
use crate::postgres::Connections;

/// Waits for one gate and reports the outcome.
pub(super) async fn watch(
    index: usize,
    gate: Gate,
    target: Arc<Target>,
    connections: Arc<Connections>,
    deadline: Instant,
    cancelled: watch::Receiver<u32>,
    messages: mpsc::UnboundedSender<Message>,
) {
    let end = gates::wait(&connections, &target, &gate, deadline, cancelled).await;
    // The dispatcher waits for every gate, so it still receives.
    let _ = messages.send(Message::GateEnded { index, end });
}
