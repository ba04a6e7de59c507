//! Counts the signals that stop a run (Ctrl-C and its relatives).
//!
//! Responsible for the meaning of a signal, not for the reaction to it.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use domain::{StopCause, with_causes};
use engine::dispatch::Stops;
use pg_session::shorten_timeouts;

/// Counts SIGINT, SIGTERM and SIGHUP from now on.
pub fn watch_signals() -> watch::Receiver<u32> {
    watch_stops(Duration::ZERO).times
}

/// Counts stop signals from now on: 1 finishes the current step, 2 cancels it on the server.
///
/// Service managers send SIGTERM once, and SIGKILL some seconds later: after `grace`, SIGTERM counts as two. SIGHUP, which is
/// sent when a terminal is closed, counts as one however often it arrives, because the kernel and the shell both send it. A SIGHUP
/// that is ignored (`nohup`) stays ignored.
pub fn watch_stops(grace: Duration) -> Stops {
    let (times, asked) = watch::channel(0);
    let (cause, causes) = watch::channel(None);
    let counter = Arc::new(Counter { times, cause });
    for (kind, cause) in [
        (SignalKind::interrupt(), StopCause::Interrupt),
        (SignalKind::terminate(), StopCause::Terminate),
        (SignalKind::hangup(), StopCause::Hangup),
    ] {
        if cause == StopCause::Hangup && is_ignored(kind) {
            continue;
        }
        match signal(kind) {
            Ok(stream) => {
                tokio::spawn(count(stream, cause, grace, Arc::clone(&counter)));
            }
            Err(error) => {
                tracing::warn!(error = %with_causes(&error), "cannot handle a signal: it will end the program immediately")
            }
        }
    }
    Stops {
        times: asked,
        cause: causes,
        grace,
    }
}

struct Counter {
    times: watch::Sender<u32>,
    cause: watch::Sender<Option<StopCause>>,
}

impl Counter {
    /// Sends the cause before the count, so that a receiver of the count finds the cause.
    fn count(&self, cause: StopCause, new: impl Fn(u32) -> u32) {
        self.times.send_if_modified(|times| {
            let before = std::mem::replace(times, new(*times));
            if *times > 1 {
                shorten_timeouts();
            }
            if *times != before {
                self.cause.send_replace(Some(cause));
            }
            *times != before
        });
    }
}

async fn count(mut signals: Signal, cause: StopCause, grace: Duration, counter: Arc<Counter>) {
    let mut is_timed = false;
    while signals.recv().await.is_some() {
        if cause == StopCause::Hangup {
            counter.count(cause, |times| times.max(1));
            continue;
        }
        counter.count(cause, |times| times.saturating_add(1));
        if cause == StopCause::Terminate && !grace.is_zero() && !is_timed {
            is_timed = true;
            let counter = Arc::clone(&counter);
            tokio::spawn(async move {
                tokio::time::sleep(grace).await;
                counter.count(StopCause::GraceOver, |times| times.max(2));
            });
        }
    }
}

/// Whether the parent process made this program ignore a signal. False where `/proc` is not available.
fn is_ignored(kind: SignalKind) -> bool {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else {
        return false;
    };
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & (1 << (kind.as_raw_value() - 1)) != 0)
}
