//! One database of a release: its locked session, its open transaction, and the files that ran in it.
//!
//! Responsible for what is sent to this database. Not for when (`release`, `settle`). Its futures are never dropped half way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_postgres::error::SqlState;

use super::finish::{LONGEST_OUTAGE, PAUSE, finish_elsewhere, open};
use crate::config::EngineSettings;
use crate::domain::{
    Anchor, Decision, Direction, EventKind, ExitStatus, HeldLock, ServiceName, Version, millis,
};
use crate::inspect::{ServiceError, Target};
use crate::postgres::{
    Connections, Gid, LockedSession, Pulse, RunIdentity, Session, SessionSettings, decide,
    end_orphan, finish_prepared, finish_release, is_connection_lost, is_prepared,
    prepare_transaction, read_anchor, read_locks, run_succeeded,
};
use crate::reconcile::History;
use crate::runner::{
    Executed, FailedWithin, OpenTransaction, StepContext, execute_within, record_rolled_back,
};

/// How long a lost server process may be at work on a statement of ours.
const LONGEST_FAREWELL: Duration = Duration::from_secs(15);

/// What happened, for the recorder.
pub(super) type Happened = (ServiceName, Option<Version>, EventKind);

/// A step that is due.
#[derive(Clone, Debug)]
pub(super) struct Due {
    pub(super) service: ServiceName,
    pub(super) version: Version,
    /// Its place among the service's steps, from 1.
    pub(super) place: usize,
}

/// A file that ran in the open transaction.
#[derive(Clone, Debug)]
pub(super) struct Ran {
    pub(super) due: Due,
    pub(super) executed: Executed,
}

/// What all databases of a release share.
#[derive(Clone)]
pub(super) struct Scope {
    pub(super) run: Arc<RunIdentity>,
    pub(super) connections: Arc<Connections>,
    pub(super) engine: EngineSettings,
    pub(super) run_again: Arc<str>,
    pub(super) happened: mpsc::UnboundedSender<Happened>,
    /// 2 as soon as the release cannot be committed any more: statements under way are cancelled.
    pub(super) halted: watch::Receiver<u32>,
    /// Because of whom or what.
    pub(super) because: watch::Receiver<Option<String>>,
    /// Until when a server that cannot be reached is waited for: the same for all of them.
    pub(super) outage: Arc<Outage>,
}

/// The time that servers which cannot be reached are given, from the first loss on.
#[derive(Debug, Default)]
pub(super) struct Outage(Mutex<Option<Instant>>);

impl Outage {
    fn until(&self) -> Instant {
        let mut until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *until.get_or_insert_with(|| Instant::now() + LONGEST_OUTAGE)
    }

    /// Gives them the whole time again: what is decided is worth another.
    pub(super) fn begin_again(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// What became of an attempt to decide.
pub(super) enum Decided {
    /// This stands now, whoever decided it.
    As(Decision),
    /// Nothing was decided.
    Not(ServiceError),
    /// It is not known whether something was.
    Unknown(ServiceError),
}

/// A database of the release.
pub(super) struct Participant {
    /// Its place among them, from 1.
    pub(super) number: usize,
    /// Its services with steps, in the order of the plan.
    pub(super) services: Vec<ServiceName>,
    pub(super) ran: Vec<Ran>,
    locked: LockedSession,
    transaction: OpenTransaction,
    targets: BTreeMap<ServiceName, (Arc<Target>, History)>,
    scope: Scope,
    /// The identifier, from the moment when something may be prepared.
    gid: Option<Gid>,
    prepared_at: Option<Instant>,
    locks: Vec<HeldLock>,
}

impl Participant {
    pub(super) fn new(
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

    pub(super) fn session_mut(&mut self) -> &mut Session {
        self.locked.session_mut()
    }

    pub(super) fn pulse(&self) -> Pulse {
        self.locked.session().pulse()
    }

    /// Where it is, for people.
    pub(super) fn place(&self) -> String {
        self.locked.session().address().to_string()
    }

    /// Whether a transaction of it is open, or may be prepared, or files that ran in it are to be accounted for.
    pub(super) fn is_at_work(&self) -> bool {
        self.gid.is_some() || self.transaction.began.is_some() || !self.ran.is_empty()
    }

    /// Whether something of it may be prepared.
    pub(super) fn may_be_prepared(&self) -> bool {
        self.gid.is_some()
    }

    /// The target of its first service: of several, any would do.
    fn target(&self) -> Option<&Arc<Target>> {
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
    pub(super) async fn execute(&mut self, due: Due) -> Result<(), FailedWithin> {
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

    /// The one that failed, perhaps when it was run again, is told of already. Of the others each is rolled back.
    fn one_has_failed(&mut self, due: &Due, failed: &FailedWithin) {
        let is_it = |due: &Due| due.service == failed.service && due.version == failed.version;
        self.ran.retain(|ran| !is_it(&ran.due));
        if !is_it(due) {
            let because = format!("{} did not get through", failed.service);
            self.say_rolled_back(due, &because);
        }
    }

    fn say_rolled_back(&self, due: &Due, because: &str) {
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

    /// A word to the server, which ends a session that keeps silent. `false`: the connection is lost.
    pub(super) async fn speak(&self) -> bool {
        let speaking = self.locked.session().client().batch_execute("");
        self.scope
            .connections
            .watch(&self.pulse(), speaking)
            .await
            .is_ok()
    }

    /// Prepares the transaction. After an error nothing of it is prepared, or [`Self::roll_back`] sees to it.
    pub(super) async fn prepare(&mut self, gid: Gid) -> Result<(), ServiceError> {
        let pulse = self.pulse();
        let settings = SessionSettings {
            lock_timeout: self.scope.engine.lock_timeout,
            statement_timeout: Duration::ZERO,
        };
        let (locked, relations) = (&mut self.locked, &self.transaction.relations);
        let mut locks = Vec::new();
        let mut sent = false;
        let preparing = async {
            locked.session_mut().prepare_within(&settings).await?;
            let client = locked.session().client();
            locks = read_locks(client, relations).await?;
            sent = true;
            prepare_transaction(client, &gid).await
        };
        let prepared = self.scope.connections.watch(&pulse, preparing).await;
        self.locks = locks;
        if sent {
            self.gid = Some(gid.clone());
        }
        match prepared {
            Ok(()) => {}
            Err(error) if sent && is_connection_lost(&error) => {
                let lost = self.query_error(error);
                if !self.was_prepared(&gid, &pulse).await? {
                    return Err(lost);
                }
            }
            Err(error) => {
                // The server has rolled it back, or does so with the connection.
                self.gid = None;
                return Err(self.not_prepared(error));
            }
        }
        self.prepared_at = Some(Instant::now());
        let open_ms = self.transaction.began.map_or(0, since);
        self.say_to_all(|| EventKind::ServicePrepared {
            gid: gid.to_string(),
            open_ms,
        });
        Ok(())
    }

    /// Looks up on another connection whether a transaction came to be prepared, once the lost server process is gone.
    async fn was_prepared(&self, gid: &Gid, lost: &Pulse) -> Result<bool, ServiceError> {
        let Some(target) = self.target() else {
            return Ok(false);
        };
        let session = open(&self.scope.connections, target, self.scope.until())
            .await
            .map_err(|(error, _)| error)?;
        let looking = async {
            end_orphan(session.client(), lost, LONGEST_FAREWELL, true).await?;
            is_prepared(session.client(), gid).await
        };
        self.scope
            .connections
            .watch(&session.pulse(), looking)
            .await
            .map_err(|error| self.query_error(error))
    }

    fn not_prepared(&self, error: tokio_postgres::Error) -> ServiceError {
        // Temporary objects, exported snapshots, LISTEN and NOTIFY, where a function hides them.
        let unsupported = error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED);
        let error = self.query_error(error);
        if !unsupported {
            return error;
        }
        ServiceError::Release {
            message: error.chain(),
            next: "run without --atomic (--on-failure revert undoes what was applied), or take that out of the files"
                .to_owned(),
            exit_code: ExitStatus::Failed,
        }
    }

    fn query_error(&self, error: tokio_postgres::Error) -> ServiceError {
        ServiceError::query(self.locked.session().address(), error)
    }

    /// Ends the transaction where it is open and not prepared: what is decided must not be part of it, nor commit it.
    pub(super) async fn leave_transaction(&mut self) {
        if self.gid.is_some() || self.transaction.began.take().is_none() {
            return;
        }
        let session = self.locked.session();
        let undoing = session.client().batch_execute("ROLLBACK");
        let connections = &self.scope.connections;
        if let Err(error) = connections.watch(&session.pulse(), undoing).await {
            tracing::debug!(%error, "the connection was lost during ROLLBACK");
        }
    }

    /// Decides, as the coordinator. Its own transaction is prepared, or over.
    pub(super) async fn decide(&mut self, decision: Decision) -> Decided {
        self.leave_transaction().await;
        let session = self.locked.session();
        let mut error = match self.decide_on(session, decision).await {
            Ok(decided) => return self.decided(decided),
            Err(error) if !is_connection_lost(&error) => {
                return Decided::Not(self.query_error(error));
            }
            Err(error) => self.query_error(error),
        };
        let Some(target) = self.target() else {
            return Decided::Unknown(error);
        };
        // Whatever became of the first try: one that comes late finds that it is decided.
        let until = self.scope.until();
        while Instant::now() < until {
            match open(&self.scope.connections, target, until).await {
                Ok(session) => match self.decide_on(&session, decision).await {
                    Ok(decided) => return self.decided(decided),
                    Err(again) => error = self.query_error(again),
                },
                Err((again, passes)) => {
                    error = again;
                    if !passes {
                        break;
                    }
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        Decided::Unknown(unknown(&error))
    }

    async fn decide_on(
        &self,
        session: &Session,
        decision: Decision,
    ) -> Result<Option<Decision>, tokio_postgres::Error> {
        let run = &self.scope.run;
        let deciding = decide(session.client(), run.run_id, decision, &run.client_host);
        let connections = &self.scope.connections;
        connections.watch(&session.pulse(), deciding).await
    }

    fn decided(&self, decided: Option<Decision>) -> Decided {
        match decided {
            Some(decision) => Decided::As(decision),
            None => Decided::Not(ServiceError::Release {
                message: format!(
                    "{}: the row of this release in orchestrator.releases is gone",
                    self.place()
                ),
                next: "leave that table alone, and run again".to_owned(),
                exit_code: ExitStatus::Failed,
            }),
        }
    }

    /// Notes that the release came to nothing. Only for those who read the table: without it nothing was decided, which is the same.
    pub(super) async fn note_rollback(&mut self) {
        self.leave_transaction().await;
        let session = self.locked.session();
        if session.client().is_closed() {
            return;
        }
        if let Err(error) = self.decide_on(session, Decision::Rollback).await {
            tracing::debug!(%error, "the rollback of the release could not be noted");
        }
    }

    /// Notes that nothing of the release is prepared any more. Only for those who read the table.
    pub(super) async fn note_end(&self) {
        let session = self.locked.session();
        let noting = finish_release(session.client(), self.scope.run.run_id);
        let noted = self.scope.connections.watch(&session.pulse(), noting).await;
        if let Err(error) = noted {
            tracing::debug!(%error, "the end of the release could not be noted");
        }
    }

    /// Commits what is prepared, as it was decided, and says so.
    pub(super) async fn commit(&mut self) -> Result<(), ServiceError> {
        let (Some(gid), Some(target)) = (self.gid.clone(), self.target().cloned()) else {
            return Ok(());
        };
        let session = self.locked.session();
        let finishing = finish_prepared(session.client(), &gid, Decision::Commit);
        let connections = &self.scope.connections;
        let finished = connections.watch(&session.pulse(), finishing).await;
        if finished.is_err() {
            // On another connection; where that does not come about either, its error says why.
            let until = self.scope.until();
            finish_elsewhere(connections, &target, &gid, Decision::Commit, until).await?;
        }
        self.gid = None;
        self.say_committed();
        Ok(())
    }

    /// Commits without two phases, where there is only this one database.
    pub(super) async fn commit_alone(&mut self) -> Result<(), ServiceError> {
        let pulse = self.pulse();
        let settings = SessionSettings {
            lock_timeout: self.scope.engine.lock_timeout,
            statement_timeout: Duration::ZERO,
        };
        let (locked, relations) = (&mut self.locked, &self.transaction.relations);
        let mut locks = Vec::new();
        let mut sent = false;
        let committing = async {
            locked.session_mut().prepare_within(&settings).await?;
            let client = locked.session().client();
            locks = read_locks(client, relations).await?;
            sent = true;
            client.batch_execute("COMMIT").await
        };
        let committed = self.scope.connections.watch(&pulse, committing).await;
        self.locks = locks;
        self.prepared_at = Some(Instant::now());
        match committed {
            Ok(()) => {}
            Err(error) if sent && is_connection_lost(&error) => {
                let lost = self.query_error(error);
                match self.was_committed(&pulse, &lost).await {
                    Ok(true) => {}
                    Ok(false) => return Err(lost),
                    Err(unknown) => {
                        // Nothing can be said of its files, and nothing is written of them.
                        self.ran.clear();
                        self.transaction.began = None;
                        return Err(unknown);
                    }
                }
            }
            Err(error) => return Err(self.query_error(error)),
        }
        self.say_committed();
        Ok(())
    }

    /// Looks up on another connection whether the transaction was committed.
    async fn was_committed(&self, lost: &Pulse, why: &ServiceError) -> Result<bool, ServiceError> {
        let (Some(target), Some(last)) = (self.target(), self.ran.last()) else {
            return Ok(false);
        };
        let run_id = self.scope.run.run_id;
        let until = self.scope.until();
        loop {
            let passes = match open(&self.scope.connections, target, until).await {
                Ok(session) => {
                    let looking = async {
                        end_orphan(session.client(), lost, LONGEST_FAREWELL, true).await?;
                        let (service, version) = (&last.due.service, last.due.version);
                        run_succeeded(session.client(), run_id, service, version, Direction::Up)
                            .await
                    };
                    let pulse = session.pulse();
                    if let Ok(found) = self.scope.connections.watch(&pulse, looking).await {
                        return Ok(found);
                    }
                    true
                }
                Err((_, passes)) => passes,
            };
            if !passes || Instant::now() >= until {
                return Err(unknown(why));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn say_committed(&mut self) {
        let open_ms = self.transaction.began.take().map_or(0, since);
        let held_ms = self.prepared_at.take().map_or(0, since);
        for ran in &self.ran {
            let Some((target, _)) = self.targets.get(&ran.due.service) else {
                continue;
            };
            if let Some(migration) = target.service.migration(ran.due.version) {
                self.scope.say(
                    &ran.due.service,
                    Some(ran.due.version),
                    EventKind::MigrationApplied {
                        name: migration.name.clone(),
                        duration_ms: millis(ran.executed.duration),
                    },
                );
            }
        }
        let locks = std::mem::take(&mut self.locks);
        self.say_to_all(|| EventKind::ServiceCommitted {
            held_ms,
            open_ms,
            locks: locks.clone(),
        });
    }

    /// Rolls back, prepared or not, records that in the journal and says so. An error: something may still be prepared.
    pub(super) async fn roll_back(&mut self, because: &str) -> Result<(), ServiceError> {
        let finished = self.undo().await;
        self.transaction.began = None;
        let ran = std::mem::take(&mut self.ran);
        self.record(&ran, because).await;
        for ran in &ran {
            self.say_rolled_back(&ran.due, because);
        }
        finished
    }

    async fn undo(&mut self) -> Result<(), ServiceError> {
        self.leave_transaction().await;
        let Some(gid) = &self.gid else {
            return Ok(());
        };
        let connections = &self.scope.connections;
        let session = self.locked.session();
        let finishing = finish_prepared(session.client(), gid, Decision::Rollback);
        let finished = connections.watch(&session.pulse(), finishing).await;
        if finished.is_err()
            && let Some(target) = self.target()
        {
            let until = self.scope.until();
            finish_elsewhere(connections, target, gid, Decision::Rollback, until).await?;
        }
        self.gid = None;
        Ok(())
    }

    /// The journal rows of files that had run.
    async fn record(&self, ran: &[Ran], because: &str) {
        if ran.is_empty() {
            return;
        }
        let own = self.locked.session();
        let elsewhere = match (own.client().is_closed(), self.target()) {
            (true, Some(target)) => {
                let until = self.scope.until();
                open(&self.scope.connections, target, until).await.ok()
            }
            _ => None,
        };
        let session = elsewhere.as_ref().unwrap_or(own);
        for ran in ran {
            let report = self.scope.reporter(&ran.due);
            let Some(context) = self.scope.context(&self.targets, &ran.due, &report) else {
                continue;
            };
            let writing = record_rolled_back(session, &context, ran.executed, because);
            let written = self
                .scope
                .connections
                .watch(&session.pulse(), writing)
                .await;
            if let Err(error) = written {
                tracing::warn!(service = %ran.due.service, %error, "the rollback could not be written to the journal");
            }
        }
    }

    /// Gives the lock back; gives the ends of its journals.
    pub(super) async fn release(self) -> Vec<(ServiceName, Anchor)> {
        let mut anchors = Vec::new();
        let session = self.locked.session();
        for service in &self.services {
            let reading = read_anchor(session, service);
            match self
                .scope
                .connections
                .watch(&session.pulse(), reading)
                .await
            {
                Ok(anchor) => anchors.extend(anchor.map(|anchor| (service.clone(), anchor))),
                Err(error) => {
                    tracing::debug!(%service, %error, "the end of the journal could not be read");
                }
            }
        }
        drop(self.locked.release().await);
        anchors
    }

    fn say_to_all(&self, kind: impl Fn() -> EventKind) {
        for service in &self.services {
            self.scope.say(service, None, kind());
        }
    }
}

impl Scope {
    fn until(&self) -> Instant {
        self.outage.until()
    }

    pub(super) fn say(&self, service: &ServiceName, version: Option<Version>, kind: EventKind) {
        // The release listens until every task has ended.
        let _ = self.happened.send((service.clone(), version, kind));
    }

    /// Tells of one step. One that is cancelled because another failed did not fail itself.
    fn reporter(&self, due: &Due) -> Box<dyn Fn(EventKind) + Send + Sync> {
        let (scope, due) = (self.clone(), due.clone());
        Box::new(move |kind| {
            let because = scope.because.borrow().clone();
            let kind = match (kind, because) {
                (EventKind::MigrationFailed(failure), Some(because))
                    if failure.exit_code == ExitStatus::Cancelled =>
                {
                    EventKind::MigrationRolledBack {
                        name: failure.name,
                        because,
                    }
                }
                (kind, _) => kind,
            };
            scope.say(&due.service, Some(due.version), kind);
        })
    }

    fn context<'a>(
        &'a self,
        targets: &'a BTreeMap<ServiceName, (Arc<Target>, History)>,
        due: &Due,
        report: &'a (dyn Fn(EventKind) + Send + Sync),
    ) -> Option<StepContext<'a>> {
        let (target, history) = targets.get(&due.service)?;
        Some(StepContext {
            run: &self.run,
            service: &target.service,
            migration: target.service.migration(due.version)?,
            direction: Direction::Up,
            step: due.place,
            history_table: &target.history_table,
            engine: &self.engine,
            connections: &self.connections,
            resumed_after: None,
            has_progress: history
                .interrupted
                .iter()
                .any(|interruption| interruption.version == due.version),
            cancelled: self.halted.clone(),
            report,
            run_again: &self.run_again,
            because: None,
            in_release: true,
        })
    }
}

/// Nobody knows what was committed.
fn unknown(error: &ServiceError) -> ServiceError {
    ServiceError::Release {
        message: format!(
            "{}; whether the release is committed is not known",
            error.chain()
        ),
        next: "run again, or orchestrator doctor --fix, when the server is back: that finds out, and finishes it"
            .to_owned(),
        exit_code: ExitStatus::Unavailable,
    }
}

fn since(then: Instant) -> u64 {
    millis(then.elapsed())
}
