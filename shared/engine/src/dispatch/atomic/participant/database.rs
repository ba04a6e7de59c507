//! One database of a release: its locked session, its open transaction, and the files that run in it.
//!
//! Owns the transaction until it ends. `prepare`, `decide`, `commit` and `roll_back` end it; `release` and `settle` decide when.
//! Its futures are never dropped half way, because a dropped future would leave a transaction open.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::Error;

use super::scope::{Due, Ran, Scope};
use crate::inspect::{ServiceError, Target};
use crate::runner::{FailedWithin, OpenTransaction, StepContext, execute_within};
use domain::History;
use domain::{Anchor, EventKind, HeldLock, ServiceName, millis, with_causes};
use pg_session::{
    Gid, LockedSession, Session, SessionHandle, SessionSettings, prepare_transaction, read_locks,
};
use store::read_anchor;

/// The longest time to wait for a lost server process to finish its statement.
pub(super) const ORPHAN_TIMEOUT: Duration = Duration::from_secs(15);

/// One database of the release.
pub(in crate::dispatch::atomic) struct Participant {
    /// Its position among the databases, from 1.
    pub(in crate::dispatch::atomic) number: usize,
    /// Its services with steps, in plan order.
    pub(in crate::dispatch::atomic) services: Vec<ServiceName>,
    pub(in crate::dispatch::atomic) ran: Vec<Ran>,
    pub(super) locked: LockedSession,
    pub(super) transaction: OpenTransaction,
    pub(super) targets: BTreeMap<ServiceName, (Arc<Target>, History)>,
    pub(super) scope: Scope,
    /// The identifier, while a transaction may be prepared under it.
    pub(super) gid: Option<Gid>,
    pub(super) prepared_at: Option<Instant>,
    pub(super) locks: Vec<HeldLock>,
}

impl Participant {
    pub(in crate::dispatch::atomic) fn new(
        number: usize,
        locked: LockedSession,
        targets: BTreeMap<ServiceName, (Arc<Target>, History)>,
        services: Vec<ServiceName>,
        scope: Scope,
    ) -> Self {
        Self {
            number,
            services,
            ran: Vec::new(),
            locked,
            transaction: OpenTransaction::default(),
            targets,
            scope,
            gid: None,
            prepared_at: None,
            locks: Vec::new(),
        }
    }

    pub(in crate::dispatch::atomic) fn session_mut(&mut self) -> &mut Session {
        self.locked.session_mut()
    }

    pub(in crate::dispatch::atomic) fn handle(&self) -> SessionHandle {
        self.locked.session().handle()
    }

    /// The address, for messages.
    pub(in crate::dispatch::atomic) fn place(&self) -> String {
        self.locked.session().address().to_string()
    }

    /// Whether a transaction is open or may be prepared, or executed files are not accounted for yet.
    pub(in crate::dispatch::atomic) fn is_at_work(&self) -> bool {
        self.gid.is_some() || self.transaction.began.is_some() || !self.ran.is_empty()
    }

    /// Whether a transaction may be prepared.
    pub(in crate::dispatch::atomic) fn may_be_prepared(&self) -> bool {
        self.gid.is_some()
    }

    /// The target of its first service. Any of them would do: they share the database.
    pub(super) fn target(&self) -> Option<&Arc<Target>> {
        let first = self.services.first()?;
        self.targets.get(first).map(|(target, _)| target)
    }

    fn history_tables(&self) -> Vec<String> {
        let tables = self.targets.values();
        tables
            .map(|(target, _)| target.history_table.clone())
            .collect()
    }

    /// Runs a step in the open transaction.
    pub(in crate::dispatch::atomic) async fn execute(
        &mut self,
        due: Due,
    ) -> Result<(), FailedWithin> {
        let dues: Vec<&Due> = self.ran.iter().map(|ran| &ran.due).chain([&due]).collect();
        let reports: Vec<_> = dues.iter().map(|due| self.scope.reporter(due)).collect();
        let files: Vec<StepContext<'_>> = dues
            .iter()
            .zip(&reports)
            .filter_map(|(due, report)| self.scope.context(&self.targets, due, report))
            .collect();
        let tables = self.history_tables();
        let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
        let executed =
            execute_within(&mut self.locked, &mut self.transaction, &files, &tables).await;
        drop(files);
        match executed {
            Ok(Some(executed)) => {
                self.ran.push(Ran { due, executed });
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(failed) => {
                self.one_has_failed(&due, &failed);
                Err(failed)
            }
        }
    }

    /// Reports the other executed files as rolled back. The failed one, perhaps during its rerun, is reported already.
    fn one_has_failed(&mut self, due: &Due, failed: &FailedWithin) {
        let is_it = |due: &Due| due.service == failed.service && due.version == failed.version;
        self.ran.retain(|ran| !is_it(&ran.due));
        if !is_it(due) {
            let because = format!("{} did not get through", failed.service);
            self.report_rolled_back(due, &because);
        }
    }

    pub(super) fn report_rolled_back(&self, due: &Due, because: &str) {
        let target = self.targets.get(&due.service);
        let migration = target.and_then(|(target, _)| target.service.migration(due.version));
        if let Some(migration) = migration {
            let kind = EventKind::MigrationRolledBack {
                name: migration.name.clone(),
                because: because.to_owned(),
            };
            self.scope.say(&due.service, Some(due.version), kind);
        }
    }

    /// Sends a query, so that the server does not end the idle session. `false`: the connection is lost.
    pub(in crate::dispatch::atomic) async fn keep_alive(&self) -> bool {
        let keepalive = self.locked.session().client().batch_execute("");
        keepalive.await.is_ok()
    }

    pub(super) fn query_error(&self, error: Error) -> ServiceError {
        ServiceError::query(self.locked.session().address(), error)
    }

    /// Rolls the transaction back if it is open and not prepared: the decision must neither be part of it nor commit it.
    pub(in crate::dispatch::atomic) async fn leave_transaction(&mut self) {
        if self.gid.is_some() || self.transaction.began.take().is_none() {
            return;
        }
        let session = self.locked.session();
        let undoing = session.client().batch_execute("ROLLBACK");
        if let Err(error) = undoing.await {
            tracing::debug!(error = %with_causes(&error), "the connection was lost during ROLLBACK");
        }
    }

    /// Ends the open transaction: prepares it under this identifier, or commits it. Reads the locks that it holds first. The first
    /// value is true if the command that ends it was sent.
    pub(super) async fn end(&mut self, gid: Option<&Gid>) -> (bool, Result<(), Error>) {
        let settings = SessionSettings {
            lock_timeout: self.scope.engine.lock_timeout,
            statement_timeout: Duration::ZERO,
        };
        let (locked, relations) = (&mut self.locked, &self.transaction.relations);
        let mut locks = Vec::new();
        let mut sent = false;
        let ending = async {
            locked.session_mut().prepare_within(&settings).await?;
            let client = locked.session().client();
            locks = read_locks(client, relations).await?;
            sent = true;
            match gid {
                Some(gid) => prepare_transaction(client, gid).await,
                None => client.batch_execute("COMMIT").await,
            }
        };
        let ended = ending.await;
        self.locks = locks;
        (sent, ended)
    }

    /// Releases the lock, and returns the last journal entries.
    pub(in crate::dispatch::atomic) async fn release(self) -> Vec<Anchor> {
        let mut anchors = Vec::new();
        let session = self.locked.session();
        for service in &self.services {
            let reading = read_anchor(session, service);
            match reading.await {
                Ok(anchor) => anchors.extend(anchor),
                Err(error) => {
                    tracing::debug!(%service, error = %with_causes(&error), "the end of the journal could not be read");
                }
            }
        }
        drop(self.locked.release().await);
        anchors
    }

    pub(super) fn report_for_each(&self, kind: impl Fn() -> EventKind) {
        for service in &self.services {
            self.scope.say(service, None, kind());
        }
    }
}

pub(super) fn since(then: Instant) -> u64 {
    millis(then.elapsed())
}
