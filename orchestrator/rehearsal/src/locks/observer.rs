//! Observes a migration from within its transaction.
//!
//! Its queries read only catalogs, under our settings, and leave the transaction unchanged. It sends none before a file's
//! `SET TRANSACTION`, which PostgreSQL allows only before the first query.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use domain::{Direction, Script, Version, with_causes};
use engine::runner::{Moment, ObservedStep, StepObserver};
use futures_util::future::BoxFuture;
use pg_address::DatabaseAddress;
use pg_session::Connections;
use pg_sql::StatementKind;

use super::ObservedLocks;
use super::concurrent_sessions::ConcurrentSessions;
use super::relations::{counts_scans, read_holds, read_standing};

/// Observes what migrations lock, rewrite and read on their way up.
pub struct LockObserver {
    seen: Mutex<BTreeMap<Version, Observation>>,
    concurrent_sessions: ConcurrentSessions,
}

/// The observations of one migration so far.
#[derive(Default)]
struct Observation {
    observed: ObservedLocks,
    /// Whether the counters from before the first statement of this transaction are known.
    counted: bool,
    /// The offset of the last statement: the next one follows it.
    passed: Option<usize>,
    /// When the last sample ended.
    sampled_at: Option<Instant>,
    /// The statements of the file, by offset: whether a query may be sent before each. Known from the first moment on.
    statements: Option<Vec<(usize, bool)>>,
}

impl Observation {
    /// Whether a query may be sent before the next statement: `SET TRANSACTION` must come before any query.
    fn may_query(&mut self, script: &Script) -> bool {
        let statements = self.statements.get_or_insert_with(|| queryable(script));
        let next = match self.passed {
            Some(passed) => statements.partition_point(|(offset, _)| *offset <= passed),
            None => 0,
        };
        statements.get(next).is_none_or(|(_, may)| *may)
    }
}

impl LockObserver {
    /// Creates an observer of migrations of the database at an address.
    pub fn new(connections: Arc<Connections>, address: DatabaseAddress) -> Arc<Self> {
        Arc::new(Self {
            seen: Mutex::default(),
            concurrent_sessions: ConcurrentSessions::new(connections, address),
        })
    }

    /// Removes and returns the observations of a migration.
    pub fn take(&self, version: Version) -> ObservedLocks {
        self.seen()
            .remove(&version)
            .map(|observation| observation.observed)
            .unwrap_or_default()
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<Version, Observation>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update<T>(&self, version: Version, change: impl FnOnce(&mut Observation) -> T) -> T {
        change(self.seen().entry(version).or_default())
    }

    async fn sample(
        &self,
        observed: ObservedStep<'_>,
        moment: Moment,
    ) -> Result<(), tokio_postgres::Error> {
        let version = observed.migration.version;
        let script = &observed.migration.script;
        match moment {
            Moment::Begun => {
                let may_query = self.update(version, |observation| {
                    observation.counted = false;
                    observation.sampled_at = None;
                    if !script.directives.no_transaction {
                        observation.passed = None;
                    }
                    observation.may_query(script)
                });
                if may_query {
                    self.begin(observed).await?;
                }
            }
            Moment::Done { offset, took } => {
                let (counted, may_query) = self.update(version, |observation| {
                    observation.passed = Some(offset);
                    let counted = observation.counted;
                    (counted, !counted && observation.may_query(script))
                });
                if counted {
                    let holds = observed.session.aside_within(read_holds).await?;
                    self.update(version, |observation| {
                        observation.observed.statement(offset, took, &holds);
                    });
                } else if may_query {
                    self.begin(observed).await?;
                }
                self.update(version, |observation| {
                    observation.sampled_at = Some(Instant::now())
                });
            }
            Moment::BeforeCommit => self.update(version, |observation| {
                if let Some(sampled_at) = observation.sampled_at {
                    observation.observed.end(sampled_at.elapsed());
                }
            }),
        }
        Ok(())
    }

    /// Reads the existing relations and the counters.
    async fn begin(&self, observed: ObservedStep<'_>) -> Result<(), tokio_postgres::Error> {
        let query = observed.session.aside_within(async |client| {
            tokio::try_join!(read_standing(client), counts_scans(client))
        });
        let (standing, counting) = query.await?;
        self.update(observed.migration.version, |observation| {
            observation.observed.begin(standing);
            observation.counted = true;
            let note = "full scans were not observed: track_counts is off on this server";
            if !counting && !observation.observed.notes.iter().any(|known| known == note) {
                observation.observed.notes.push(note.to_owned());
            }
        });
        Ok(())
    }

    async fn sample_from_outside(
        &self,
        observed: ObservedStep<'_>,
        offset: usize,
        running: BoxFuture<'_, ()>,
    ) {
        let version = observed.migration.version;
        self.update(version, |observation| observation.passed = Some(offset));
        let watched = self
            .concurrent_sessions
            .watch(observed.session.pid(), running)
            .await;
        self.update(version, |observation| match watched {
            Ok(watched) => {
                observation.observed.begin(watched.before);
                observation
                    .observed
                    .outside(offset, watched.took, &watched.modes, &watched.after);
            }
            Err(error) => {
                let line = pg_sql::position_at(&observed.migration.script.text, offset).line;
                observation.observed.notes.push(format!(
                    "the locks of the statement in line {line} were not observed: {}",
                    with_causes(&error)
                ));
            }
        });
    }
}

/// The statements of a file, by offset: whether a query may be sent before each. `BEGIN` and `COMMIT` are omitted.
fn queryable(script: &Script) -> Vec<(usize, bool)> {
    let statements = pg_sql::split(&script.text).unwrap_or_default();
    let kinds = statements
        .iter()
        .map(|it| (it.offset, pg_sql::classify(it)));
    kinds
        .filter(|(_, kind)| !matches!(kind, StatementKind::Begin | StatementKind::Commit { .. }))
        .map(|(offset, kind)| (offset, !matches!(kind, StatementKind::Set { local: true })))
        .collect()
}

impl StepObserver for LockObserver {
    fn look<'a>(
        &'a self,
        observed: ObservedStep<'a>,
        moment: Moment,
    ) -> BoxFuture<'a, Result<(), tokio_postgres::Error>> {
        match observed.direction {
            Direction::Up => Box::pin(self.sample(observed, moment)),
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
            Direction::Up => Box::pin(self.sample_from_outside(observed, offset, running)),
            Direction::Down => running,
        }
    }
}
