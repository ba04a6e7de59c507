//! Watching an attempt from outside: who it waits for, that it does not wait too long, that it ends when it is cancelled.
//!
//! The server's `lock_timeout` begins anew with every lock. A file that has one lock and waits for the next keeps
//! everybody waiting for both times; and a file may set it to nothing. So the waits of one transaction are added up
//! here, and the statement is cancelled when they reach the limit. Floor 3.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;

use super::fault::Fault;
use super::step::StepContext;
use crate::domain::{Blocker, EventKind, millis, with_causes};
use crate::postgres::{
    CancelHandle, LockWait, NamedElsewhere, Session, SessionHandle, SessionObserver,
};

/// The first look, at the latest: most migrations are through by then, and cost no second connection.
const FIRST_LOOK: Duration = Duration::from_millis(250);
/// Between two looks.
const SHORTEST_PERIOD: Duration = Duration::from_millis(20);
const LONGEST_PERIOD: Duration = Duration::from_millis(100);
/// A wait of this length is worth a word, at the latest.
const WORTH_TELLING: Duration = Duration::from_secs(1);
/// Between two looks at who stands in the way.
const ANOTHER_LOOK: Duration = Duration::from_secs(2);

/// The watch over the attempts of one step.
pub(super) struct Watch<'a> {
    context: &'a StepContext<'a>,
    observer: Arc<SessionObserver>,
    handle: SessionHandle,
    cancel: CancelHandle,
    /// Blockers are told as events from here.
    _names: NamedElsewhere,
    limit: Duration,
    /// Whether the statement at hand may wait long, because its waits block nobody.
    patient: AtomicBool,
    /// Whether the limit was reached in this attempt.
    gave_way: AtomicBool,
    blockers: Mutex<Vec<Blocker>>,
    /// A cancellation that is on its way to the server.
    strike: Mutex<Option<JoinHandle<()>>>,
}

/// What is known of the waits of one transaction.
struct Waits {
    transaction: f64,
    /// All waits that count, the one at hand included.
    in_all: Duration,
    /// Since when it waits without a break, as far as seen.
    since: Option<Instant>,
    looked: Instant,
    named: Option<Instant>,
    told: Option<Vec<(i32, Option<String>)>>,
}

impl Waits {
    fn none() -> Self {
        Self {
            transaction: 0.0,
            in_all: Duration::ZERO,
            since: None,
            looked: Instant::now(),
            named: None,
            told: None,
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
            gave_way: AtomicBool::new(false),
            blockers: Mutex::new(Vec::new()),
            strike: Mutex::new(None),
        }
    }

    /// Says whether the waits of the statement at hand block nobody.
    pub(super) fn be_patient(&self, patient: bool) {
        self.patient.store(patient, Ordering::Relaxed);
    }

    /// Who stood in the way when it was last looked at.
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
        self.gave_way.store(false, Ordering::Relaxed);
        let ended = {
            let watching = async {
                tokio::join!(self.watch_waits(), self.watch_cancellation());
            };
            // The watch ends with this block: it may hold the observer, for which a strike would wait below.
            tokio::pin!(attempt, watching);
            tokio::select! {
                biased;
                ended = &mut attempt => ended,
                () = &mut watching => attempt.await,
            }
        };
        // A signal that is still under way must not hit the next statement.
        if let Some(strike) = self.take_strike() {
            // A task of ours does not panic; that it ended is all that matters.
            let _ = strike.await;
        }
        ended.map_err(|fault| self.as_lock_timeout(fault))
    }

    /// A statement that was cancelled because of the limit failed for want of a lock, and not at a user's request.
    fn as_lock_timeout(&self, fault: Fault) -> Fault {
        let ours = self.gave_way.load(Ordering::Relaxed) && fault.is(&SqlState::QUERY_CANCELED);
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
                    "canceling statement: its transaction waited {} for locks in all",
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
        tokio::time::sleep((self.limit / 4).min(FIRST_LOOK)).await;
        let period = (self.limit / 20).clamp(SHORTEST_PERIOD, LONGEST_PERIOD);
        loop {
            // Where nothing can be seen, the server's own time-out is all there is.
            if let Some(wait) = self.observer.lock_wait(&self.handle).await {
                self.reckon(&mut waits, wait).await;
            }
            tokio::time::sleep(period).await;
        }
    }

    async fn reckon(&self, waits: &mut Waits, wait: Option<LockWait>) {
        let now = Instant::now();
        let Some(wait) = wait else {
            if waits.told.take().is_some() {
                let waited = waits.since.map_or(Duration::ZERO, |since| now - since);
                self.context.report(EventKind::MigrationUnblocked {
                    waited_ms: millis(waited),
                });
            }
            (waits.since, waits.named) = (None, None);
            waits.looked = now;
            return;
        };
        if wait.transaction != waits.transaction {
            waits.transaction = wait.transaction;
            waits.in_all = Duration::ZERO;
            waits.since = None;
        }
        let counts = wait.strong || !self.patient.load(Ordering::Relaxed);
        // Rather a moment too much, from before the wait, than too little: the limit is a promise.
        if counts {
            waits.in_all += now - waits.looked;
        }
        waits.looked = now;
        let since = *waits.since.get_or_insert(now);
        if counts && waits.in_all >= self.limit {
            self.give_way(wait.transaction);
        }
        if now - since >= (self.limit / 4).min(WORTH_TELLING)
            && waits.named.is_none_or(|named| now - named >= ANOTHER_LOOK)
        {
            waits.named = Some(now);
            self.name_blockers(waits, since).await;
        }
    }

    async fn name_blockers(&self, waits: &mut Waits, since: Instant) {
        let Some(blockers) = self.observer.blockers(self.handle.pid()).await else {
            return;
        };
        // The wait may have ended in between: who stood in the way before is better than nobody.
        if blockers.is_empty() {
            return;
        }
        let who: Vec<_> = blockers
            .iter()
            .map(|blocker| (blocker.pid, blocker.prepared.clone()))
            .collect();
        self.blockers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&blockers);
        if waits.told.as_ref() != Some(&who) {
            waits.told = Some(who);
            self.context.report(EventKind::MigrationBlocked {
                waited_ms: millis(since.elapsed()),
                blockers,
            });
        }
    }

    fn give_way(&self, transaction: f64) {
        self.gave_way.store(true, Ordering::Relaxed);
        let (observer, handle) = (Arc::clone(&self.observer), self.handle.clone());
        self.strike_with(async move {
            observer.cancel_lock_wait(&handle, transaction).await;
        });
    }

    /// Asked twice to stop, cancels whatever statement is at hand, until the attempt has ended: one that had not begun
    /// when the user asked would run to its end.
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
            self.strike_with(async move {
                if observer.cancel_statement(&handle).await.is_none()
                    && let Err(error) = cancel.cancel().await
                {
                    tracing::warn!(error = %with_causes(&error), "a statement could not be cancelled");
                }
            });
            tokio::time::sleep(LONGEST_PERIOD).await;
        }
    }

    /// Strikes in a task of its own, so that it is not dropped with the watch; one at a time.
    fn strike_with(&self, strike: impl Future<Output = ()> + Send + 'static) {
        let mut under_way = self.strike.lock().unwrap_or_else(PoisonError::into_inner);
        if under_way.as_ref().is_none_or(JoinHandle::is_finished) {
            *under_way = Some(tokio::spawn(strike));
        }
    }

    fn take_strike(&self) -> Option<JoinHandle<()>> {
        self.strike
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}
