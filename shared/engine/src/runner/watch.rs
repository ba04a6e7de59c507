//! Watches an attempt from another connection: which sessions block it, that it does not wait too long, and that it ends when cancelled.
//!
//! The server's `lock_timeout` starts over with every lock. A file that holds one lock and waits for the next blocks others for the
//! sum of both waits; and a file may disable the timeout. So the waits of one transaction are added up here, and the statement is
//! cancelled when they reach the limit.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;

use super::fault::Fault;
use super::step::StepContext;
use domain::{Blocker, EventKind, StatementProgress, millis, with_causes};
use pg_session::{CancelHandle, LockWait, NamedElsewhere, Session, SessionHandle, SessionObserver};

/// The longest time before the first query: most migrations finish earlier, and need no second connection.
const FIRST_QUERY: Duration = Duration::from_millis(250);
/// The limits of the interval between two queries.
const SHORTEST_PERIOD: Duration = Duration::from_millis(20);
const LONGEST_PERIOD: Duration = Duration::from_millis(100);
/// The longest wait that is not reported.
const REPORT_AFTER: Duration = Duration::from_secs(1);
/// The interval between two queries for blockers.
const BLOCKER_PERIOD: Duration = Duration::from_secs(2);

/// The interval between two reports on a long statement, and the time before the first.
const PROGRESS_PERIOD: Duration = Duration::from_secs(10);

/// How long the rest takes if it goes on as in the time `elapsed`, in which `done` was done.
fn remaining(elapsed: Duration, done: i64, rest: i64) -> Option<Duration> {
    let (done, rest) = (u32::try_from(done).ok()?, u32::try_from(rest).ok()?);
    (done > 0).then(|| elapsed.mul_f64(f64::from(rest) / f64::from(done)))
}

/// Watches the attempts of one step.
pub(super) struct Watch<'a> {
    context: &'a StepContext<'a>,
    observer: Arc<SessionObserver>,
    handle: SessionHandle,
    cancel: CancelHandle,
    /// Receives the events about blockers.
    _names: NamedElsewhere,
    limit: Duration,
    /// Whether the current statement may wait long, because its waits block no other session.
    patient: AtomicBool,
    /// Whether the limit was reached in this attempt.
    limit_reached: AtomicBool,
    blockers: Mutex<Vec<Blocker>>,
    /// A cancel request that is on its way to the server.
    cancel_request: Mutex<Option<JoinHandle<()>>>,
}

/// The waits of one transaction.
struct Waits {
    transaction: f64,
    /// The sum of all waits that count, the current one included.
    in_all: Duration,
    /// The start of the current uninterrupted wait, as far as observed.
    since: Option<Instant>,
    queried: Instant,
    named: Option<Instant>,
    reported: Option<Vec<(i32, Option<String>)>>,
}

impl Waits {
    fn none() -> Self {
        Self {
            transaction: 0.0,
            in_all: Duration::ZERO,
            since: None,
            queried: Instant::now(),
            named: None,
            reported: None,
        }
    }
}

impl<'a> Watch<'a> {
    pub(super) fn new(context: &'a StepContext<'a>, session: &Session, limit: Duration) -> Self {
        Self {
            context,
            observer: context.connections.observer(session.address()),
            handle: session.handle(),
            _names: session.handle().name_elsewhere(),
            cancel: session.cancel_handle(),
            limit,
            patient: AtomicBool::new(false),
            limit_reached: AtomicBool::new(false),
            blockers: Mutex::new(Vec::new()),
            cancel_request: Mutex::new(None),
        }
    }

    /// Sets whether the current statement blocks no other session while it waits.
    pub(super) fn set_patient(&self, patient: bool) {
        self.patient.store(patient, Ordering::Relaxed);
    }

    /// The blockers found by the last query.
    pub(super) fn blockers(&self) -> Vec<Blocker> {
        self.blockers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Watches `attempt` until it ends. The attempt is never dropped half way.
    pub(super) async fn over<T>(
        &self,
        attempt: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        self.limit_reached.store(false, Ordering::Relaxed);
        let ended = {
            let watching = async {
                tokio::join!(
                    self.watch_waits(),
                    self.watch_cancellation(),
                    self.watch_progress()
                );
            };
            // `watching` must be dropped at the end of this block: it may hold the observer, which a cancel request below would wait for.
            tokio::pin!(attempt, watching);
            tokio::select! {
                // A finished attempt counts first. The watch has no end of its own; its arm keeps the attempt from being dropped.
                biased;
                ended = &mut attempt => ended,
                () = &mut watching => attempt.await,
            }
        };
        // A cancel request that is still on its way must not hit the next statement.
        if let Some(cancel_request) = self.take_cancel_request() {
            // Our tasks do not panic; all that matters is that this one has ended.
            let _ = cancel_request.await;
        }
        ended.map_err(|fault| self.as_lock_timeout(fault))
    }

    /// Turns the cancellation at the limit into a lock timeout: the statement did not get a lock, and the user did not cancel it.
    fn as_lock_timeout(&self, fault: Fault) -> Fault {
        let ours =
            self.limit_reached.load(Ordering::Relaxed) && fault.is(&SqlState::QUERY_CANCELED);
        match fault {
            Fault::Server {
                mut error,
                offset,
                progress,
                once,
            } if ours && !self.context.is_cancelled_now() => {
                SqlState::LOCK_NOT_AVAILABLE
                    .code()
                    .clone_into(&mut error.sqlstate);
                error.message = format!(
                    "canceling statement: its transaction waited {} for locks in total",
                    humantime::format_duration(self.limit)
                );
                Fault::Server {
                    error,
                    offset,
                    progress,
                    once,
                }
            }
            other => other,
        }
    }

    async fn watch_waits(&self) {
        let mut waits = Waits::none();
        tokio::time::sleep((self.limit / 4).min(FIRST_QUERY)).await;
        let period = (self.limit / 20).clamp(SHORTEST_PERIOD, LONGEST_PERIOD);
        loop {
            // If the wait cannot be observed, only the server's own lock_timeout applies.
            if let Some(wait) = self.observer.lock_wait(&self.handle).await {
                self.count_wait(&mut waits, wait).await;
            }
            tokio::time::sleep(period).await;
        }
    }

    async fn count_wait(&self, waits: &mut Waits, wait: Option<LockWait>) {
        let now = Instant::now();
        let Some(wait) = wait else {
            if waits.reported.take().is_some() {
                let waited = waits.since.map_or(Duration::ZERO, |since| now - since);
                self.context.report(EventKind::MigrationUnblocked {
                    waited_ms: millis(waited),
                });
            }
            (waits.since, waits.named) = (None, None);
            waits.queried = now;
            return;
        };
        if wait.transaction != waits.transaction {
            waits.transaction = wait.transaction;
            waits.in_all = Duration::ZERO;
            waits.since = None;
        }
        let counts = wait.strong || !self.patient.load(Ordering::Relaxed);
        // Rather count a moment before the wait than too little: the limit is a promise.
        if counts {
            waits.in_all += now - waits.queried;
        }
        waits.queried = now;
        let since = *waits.since.get_or_insert(now);
        if counts && waits.in_all >= self.limit {
            self.cancel_at_limit(wait.transaction);
        }
        if now - since >= (self.limit / 4).min(REPORT_AFTER)
            && waits
                .named
                .is_none_or(|named| now - named >= BLOCKER_PERIOD)
        {
            waits.named = Some(now);
            self.name_blockers(waits, since).await;
        }
    }

    async fn name_blockers(&self, waits: &mut Waits, since: Instant) {
        let Some(blockers) = self.observer.blockers(self.handle.pid()).await else {
            return;
        };
        // The wait may have ended in between: then keep the blockers found before.
        if blockers.is_empty() {
            return;
        }
        let identities: Vec<_> = blockers
            .iter()
            .map(|blocker| (blocker.pid, blocker.prepared.clone()))
            .collect();
        self.blockers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&blockers);
        if waits.reported.as_ref() != Some(&identities) {
            waits.reported = Some(identities);
            self.context.report(EventKind::MigrationBlocked {
                waited_ms: millis(since.elapsed()),
                blockers,
            });
        }
    }

    /// Reports how far a statement is that runs for long.
    async fn watch_progress(&self) {
        // The phase, and when it was first seen with what was done by then.
        let mut phase: Option<(String, Instant, i64)> = None;
        loop {
            tokio::time::sleep(PROGRESS_PERIOD).await;
            let Some(Some(progress)) = self.observer.progress(self.handle.pid()).await else {
                continue;
            };
            // One that began just now is not the reason why the step takes long.
            if progress.running < PROGRESS_PERIOD / 2 {
                continue;
            }
            let measured = progress.phase.filter(|(_, _, total)| *total > 0);
            let remaining = measured.as_ref().and_then(|(name, done, total)| {
                let known = phase.take().filter(|(known, ..)| known == name);
                let (_, since, before) =
                    phase.insert(known.unwrap_or_else(|| (name.clone(), Instant::now(), *done)));
                remaining(since.elapsed(), *done - *before, *total - *done)
            });
            let number = |number: i64| u64::try_from(number).ok();
            let (name, done, total) = match measured {
                Some((name, done, total)) => (Some(name), number(done), number(total)),
                None => (None, None, None),
            };
            self.context
                .report(EventKind::MigrationProgress(StatementProgress {
                    running_ms: millis(progress.running),
                    statement: progress.statement,
                    phase: name,
                    done,
                    total,
                    remaining_ms: remaining.map(millis),
                }));
        }
    }

    fn cancel_at_limit(&self, transaction: f64) {
        self.limit_reached.store(true, Ordering::Relaxed);
        let (observer, handle) = (Arc::clone(&self.observer), self.handle.clone());
        self.spawn_cancel(async move {
            observer.cancel_lock_wait(&handle, transaction).await;
        });
    }

    /// After a second cancellation, cancels whatever statement is running, until the attempt has ended: a single request would miss a
    /// statement that starts after it.
    async fn watch_cancellation(&self) {
        let mut cancelled = self.context.cancelled.clone();
        if cancelled.wait_for(|times| *times > 1).await.is_err() {
            return;
        }
        loop {
            let (observer, handle, cancel) = (
                Arc::clone(&self.observer),
                self.handle.clone(),
                self.cancel.clone(),
            );
            self.spawn_cancel(async move {
                if observer.cancel_statement(&handle).await.is_none()
                    && let Err(error) = cancel.cancel().await
                {
                    tracing::warn!(error = %with_causes(&error), "cannot cancel a statement");
                }
            });
            tokio::time::sleep(LONGEST_PERIOD).await;
        }
    }

    /// Sends a cancel request in a separate task, so that it is not dropped with the watch; one at a time.
    fn spawn_cancel(&self, cancel_request: impl Future<Output = ()> + Send + 'static) {
        let mut under_way = self
            .cancel_request
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if under_way.as_ref().is_none_or(JoinHandle::is_finished) {
            *under_way = Some(tokio::spawn(cancel_request));
        }
    }

    fn take_cancel_request(&self) -> Option<JoinHandle<()>> {
        self.cancel_request
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}
