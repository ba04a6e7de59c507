//! Ctrl-C and its relatives, counted.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Counts SIGINT and SIGTERM from now on: 1 finishes the step at hand, 2 cancels it on the server.
pub fn watch_signals() -> watch::Receiver<u32> {
    let (sender, receiver) = watch::channel(0);
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let sender = sender.clone();
        match signal(kind) {
            Ok(mut stream) => {
                tokio::spawn(async move {
                    while stream.recv().await.is_some() {
                        sender.send_modify(|times| *times += 1);
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a signal cannot be caught: it ends the program at once")
            }
        }
    }
    receiver
}
