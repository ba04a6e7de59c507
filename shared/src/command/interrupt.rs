//! Ctrl-C and its relatives, counted.
//!
//! Responsible for what a signal means, not for what is done about it. Floor 4.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::dispatch::Stops;
use crate::domain::{StopCause, with_causes};
use crate::postgres::hurry;

/// Counts SIGINT, SIGTERM and SIGHUP from now on.
pub fn watch_signals() -> watch::Receiver<u32> {
    watch_stops(Duration::ZERO).times
}

/// Counts SIGINT and SIGTERM from now on: 1 finishes the step at hand, 2 cancels it on the server.
///
/// Whoever sends SIGTERM sends it once, and SIGKILL some seconds later: after `grace` it counts for two. SIGHUP, which comes when a
/// terminal goes away, counts for one however often it comes: the kernel and the shell both send it. Where it is ignored
/// (`nohup`), it stays so.
pub(super) fn watch_stops(grace: Duration) -> Stops {
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
                tracing::warn!(error = %with_causes(&error), "a signal cannot be caught: it ends the program at once")
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
    /// The cause is there before the number that tells of it.
    fn count(&self, cause: StopCause, new: impl Fn(u32) -> u32) {
        self.times.send_if_modified(|times| {
            let before = std::mem::replace(times, new(*times));
            if *times > 1 {
                hurry();
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

/// Whether whoever started this program had it ignore a signal. Not known everywhere: then it is not.
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
