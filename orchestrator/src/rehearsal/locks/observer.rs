//! Looking at a migration from within its transaction.
//!
//! Responsible for when what is asked. What it asks reads catalogs only, under our settings, and leaves the transaction as it was: a file
//! that says `SET TRANSACTION` first still can, since nothing is asked before. Floor 4.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures_util::future::BoxFuture;
use shared::config::DatabaseAddress;
use shared::domain::{Direction, Script, Version, with_causes};
use shared::postgres::Connections;
use shared::runner::{Moment, ObservedStep, StepObserver};
use shared::sql::{self, StatementKind};

use super::ObservedLocks;
use super::concurrent_sessions::ConcurrentSessions;
use super::relations::{counts_scans, read_holds, read_standing};

/// Sees what migrations lock, rewrite and read on their way up.
pub struct LockObserver {
    seen: Mutex<BTreeMap<Version, InSight>>,
    concurrent_sessions: ConcurrentSessions,
}

/// What is known of one migration so far.
#[derive(Default)]
struct InSight {
    observed: ObservedLocks,
    /// Whether the counters of this transaction are known from before its first statement.
    counted: bool,
    /// Behind which place in the file the next statement is to be found.
    passed: Option<usize>,
    /// When the last look ended.
    looked: Option<Instant>,
}

impl LockObserver {
    /// Of migrations of the database at an address.
    pub fn new(connections: Arc<Connections>, address: DatabaseAddress) -> Arc<Self> {
        Arc::new(Self {
            seen: Mutex::default(),
            concurrent_sessions: ConcurrentSessions::new(connections, address),
        })
    }

    /// What was seen of a migration since this was asked last.
    pub fn take(&self, version: Version) -> ObservedLocks {
        self.seen()
            .remove(&version)
            .map(|sight| sight.observed)
            .unwrap_or_default()
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<Version, InSight>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sight<T>(&self, version: Version, change: impl FnOnce(&mut InSight) -> T) -> T {
        change(self.seen().entry(version).or_default())
    }

    async fn look_now(
        &self,
        observed: ObservedStep<'_>,
        moment: Moment,
    ) -> Result<(), tokio_postgres::Error> {
        let version = observed.migration.version;
        let script = &observed.migration.script;
        match moment {
            Moment::Begun => {
                let passed = self.sight(version, |sight| {
                    sight.counted = false;
                    sight.looked = None;
                    if !script.directives.no_transaction {
                        sight.passed = None;
                    }
                    sight.passed
                });
                if may_ask_before_next(script, passed) {
                    self.begin(observed).await?;
                }
            }
            Moment::Done { offset, took } => {
                let counted = self.sight(version, |sight| {
                    sight.passed = Some(offset);
                    sight.counted
                });
                if counted {
                    let holds = observed.session.aside_within(read_holds).await?;
                    self.sight(version, |sight| {
                        sight.observed.statement(offset, took, &holds);
                    });
                } else if may_ask_before_next(script, Some(offset)) {
                    self.begin(observed).await?;
                }
                self.sight(version, |sight| sight.looked = Some(Instant::now()));
            }
            Moment::BeforeCommit => self.sight(version, |sight| {
                if let Some(looked) = sight.looked {
                    sight.observed.end(looked.elapsed());
                }
            }),
        }
        Ok(())
    }

    /// Reads what stands and what was counted before.
    async fn begin(&self, observed: ObservedStep<'_>) -> Result<(), tokio_postgres::Error> {
        let asking = observed.session.aside_within(async |client| {
            tokio::try_join!(read_standing(client), counts_scans(client))
        });
        let (standing, counting) = asking.await?;
        self.sight(observed.migration.version, |sight| {
            sight.observed.begin(standing);
            sight.counted = true;
            let note = "full scans were not seen: track_counts is off on this server";
            if !counting && !sight.observed.notes.iter().any(|known| known == note) {
                sight.observed.notes.push(note.to_owned());
            }
        });
        Ok(())
    }

    async fn look_on_now(
        &self,
        observed: ObservedStep<'_>,
        offset: usize,
        running: BoxFuture<'_, ()>,
    ) {
        let version = observed.migration.version;
        self.sight(version, |sight| sight.passed = Some(offset));
        let watched = self
            .concurrent_sessions
            .watch(observed.session.pid(), running)
            .await;
        self.sight(version, |sight| match watched {
            Ok(watched) => {
                sight.observed.begin(watched.before);
                sight
                    .observed
                    .outside(offset, watched.took, &watched.modes, &watched.after);
            }
            Err(error) => {
                let line = sql::position_at(&observed.migration.script.text, offset).line;
                sight.observed.notes.push(format!(
                    "the locks of the statement in line {line} were not seen: {}",
                    with_causes(&error)
                ));
            }
        });
    }
}

/// Whether anything may be asked before the statement behind a place: nothing may come before `SET TRANSACTION`.
fn may_ask_before_next(script: &Script, passed: Option<usize>) -> bool {
    let statements = sql::split(&script.text).unwrap_or_default();
    let next = statements
        .iter()
        .filter(|statement| passed.is_none_or(|passed| statement.offset > passed))
        .map(sql::classify)
        .find(|kind| !matches!(kind, StatementKind::Begin | StatementKind::Commit { .. }));
    !matches!(next, Some(StatementKind::Set { local: true }))
}

impl StepObserver for LockObserver {
    fn look<'a>(
        &'a self,
        observed: ObservedStep<'a>,
        moment: Moment,
    ) -> BoxFuture<'a, Result<(), tokio_postgres::Error>> {
        match observed.direction {
            Direction::Up => Box::pin(self.look_now(observed, moment)),
            Direction::Down => Box::pin(std::future::ready(Ok(()))),
        }
    }

    fn look_on<'a>(
        &'a self,
        observed: ObservedStep<'a>,
        offset: usize,
        running: BoxFuture<'a, ()>,
    ) -> BoxFuture<'a, ()> {
        match observed.direction {
            Direction::Up => Box::pin(self.look_on_now(observed, offset, running)),
            Direction::Down => running,
        }
    }
}
