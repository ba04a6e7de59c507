//! What happens during a run, as data: the only thing that reporters see.
//!
//! Serialised, an event is one line of `--output json`; `docs/json.md` describes every field.

use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Anchor, ColumnOrder, CompensationStop, Decision, Direction, ExitStatus, Gate, HeldLock,
    Refusal, Rehearsed, SchemaDifference, ServiceName, StopCause, Totals, Verdict, Version,
};

/// The version of the events' schema, which `docs/json.md` describes. It grows when a field changes its meaning or goes.
pub const EVENT_SCHEMA: u32 = 1;

/// One event of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// The run, the same in every database's journal.
    pub run_id: Uuid,
    /// Counts from 1 within the run, without gaps.
    pub seq: u64,
    /// When it was recorded.
    #[serde(with = "time::serde::rfc3339")]
    pub time: OffsetDateTime,
    /// The service it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// The migration it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// First event: what is about to be done.
    RunStarted {
        /// The version of the events' schema: [`EVENT_SCHEMA`].
        schema: u32,
        /// `run`, `revert`, `adopt`, `backup`, `restore` or `rehearse`.
        command: &'static str,
        /// The services with steps, in the order of the plan.
        services: Vec<ServiceName>,
        /// Services that were asked for and have nothing to do.
        unchanged: Vec<ServiceName>,
        /// The number of steps.
        steps: usize,
        /// The version of this program.
        program_version: &'static str,
        /// Whether what it has applied is undone when something fails.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        undoes_on_failure: bool,
    },
    /// A database did not exist and was created.
    DatabaseCreated {
        /// Its name.
        database: String,
    },
    /// A service waits for migrations in databases that this run does not migrate.
    GateWaiting {
        /// What is not met yet.
        gate: Gate,
    },
    /// What a service waited for is there.
    GateMet {
        /// What was waited for.
        gate: Gate,
        /// How long it took, in milliseconds.
        waited_ms: u64,
    },
    /// Another run holds the database's advisory lock; or, with a version, another session is at work on the indexes of a
    /// table on which a statement has left something.
    LockWaiting {
        /// Who holds it, where the server says.
        holder: Option<Holder>,
    },
    /// A dump of a service's database is begun, under its lock.
    BackupStarted {
        /// The database.
        database: String,
        /// Its size, in bytes.
        database_bytes: u64,
    },
    /// A dump goes on; told once a second at most.
    BackupProgress {
        /// Written so far, in bytes: compressed.
        bytes: u64,
        /// The size of the database, in bytes.
        of_bytes: u64,
        /// The table at hand, as `pg_dump` names it.
        #[serde(skip_serializing_if = "Option::is_none")]
        table: Option<String>,
        /// Tables begun.
        tables: usize,
        /// Tables in all.
        of_tables: usize,
    },
    /// A dump waits for a lock that somebody else holds.
    BackupBlocked {
        /// How long it has waited, in milliseconds.
        waited_ms: u64,
        /// Who stands in the way; told again when that changes.
        blockers: Vec<Blocker>,
    },
    /// A dump is written and verified.
    BackupFinished {
        /// Where it lies.
        path: String,
        /// Its size, in bytes.
        bytes: u64,
        /// How long it took, in milliseconds.
        duration_ms: u64,
    },
    /// A database, or (without a service) any, is not dumped.
    BackupSkipped {
        /// Why not.
        because: String,
    },
    /// A backup is whole: its manifest is written.
    BackupTaken {
        /// The manifest.
        manifest: String,
        /// The services whose databases it holds.
        services: Vec<ServiceName>,
        /// The size of all dumps, in bytes.
        bytes: u64,
        /// How long it took, in milliseconds.
        duration_ms: u64,
    },
    /// An older backup was removed, as enough newer ones are there.
    BackupRemoved {
        /// Its folder.
        path: String,
    },
    /// A service holds its lock and begins its steps.
    ServiceStarted {
        /// How many steps it has in this run.
        steps: usize,
    },
    /// A step was let go.
    MigrationStarted {
        /// Its name.
        name: String,
        /// Apply or undo.
        direction: Direction,
        /// Its place among the service's steps in this run, from 1.
        step: usize,
        /// Statements to run one by one (no-transaction files only).
        #[serde(skip_serializing_if = "Option::is_none")]
        statements: Option<usize>,
        /// Statements done by an earlier, interrupted attempt.
        #[serde(skip_serializing_if = "Option::is_none")]
        resumed_after: Option<usize>,
    },
    /// A statement of a no-transaction file is done and recorded.
    StatementFinished {
        /// Its number, from 1.
        statement: usize,
        /// Of how many.
        statements: usize,
        /// How long it took, in milliseconds.
        duration_ms: u64,
        /// What an earlier attempt had left of it, and what became of that, where there was something.
        #[serde(skip_serializing_if = "Option::is_none")]
        recovered: Option<String>,
    },
    /// A statement waits for a lock that somebody else holds.
    MigrationBlocked {
        /// How long it has waited, in milliseconds.
        waited_ms: u64,
        /// Who stands in the way; told again when that changes.
        blockers: Vec<Blocker>,
    },
    /// The wait is over: the statement has its lock.
    MigrationUnblocked {
        /// How long it had waited, in milliseconds.
        waited_ms: u64,
    },
    /// Locks were not to be had; everything was rolled back and will be tried again.
    MigrationRetrying {
        /// The attempt that failed, from 1.
        attempt: u32,
        /// The most attempts that are made.
        attempts: u32,
        /// The pause before the next, in milliseconds.
        pause_ms: u64,
        /// PostgreSQL's error code.
        sqlstate: String,
        /// PostgreSQL's words.
        message: String,
        /// Who stood in the way when it was looked at.
        blockers: Vec<Blocker>,
    },
    /// The connection was lost during a step: what was committed is being looked up.
    ConnectionLost {
        /// How it was lost.
        message: String,
    },
    /// A migration is applied and committed.
    MigrationApplied {
        /// Its name.
        name: String,
        /// How long it took, in milliseconds.
        duration_ms: u64,
    },
    /// A migration is undone and committed.
    MigrationReverted {
        /// Its name.
        name: String,
        /// How long it took, in milliseconds.
        duration_ms: u64,
    },
    /// Another run did this step in the meantime.
    MigrationUnchanged {
        /// Its name.
        name: String,
    },
    /// A migration of an atomic release has run in its database's open transaction; nothing is committed yet.
    MigrationExecuted {
        /// Its name.
        name: String,
        /// How long it took, in milliseconds.
        duration_ms: u64,
    },
    /// A migration that had been executed was rolled back with its release.
    MigrationRolledBack {
        /// Its name.
        name: String,
        /// Because of whom or what.
        because: String,
    },
    /// A service's part of an atomic release is prepared: it survives a crash, and holds its locks until the decision.
    ServicePrepared {
        /// The identifier of the prepared transaction.
        gid: String,
        /// How long the transaction had been open, in milliseconds.
        open_ms: u64,
    },
    /// What becomes of an atomic release is recorded: from here on it is only carried out.
    ReleaseDecided {
        /// The same for every database.
        decision: Decision,
        /// The service in whose database the decision stands.
        coordinator: ServiceName,
    },
    /// A service's part of an atomic release is committed, and its locks are given back.
    ServiceCommitted {
        /// From prepared to committed, in milliseconds: during this time nothing could have ended it but the decision.
        held_ms: u64,
        /// From its first statement to its commit, in milliseconds.
        open_ms: u64,
        /// The locks on relations that others knew before, held until then.
        locks: Vec<HeldLock>,
    },
    /// An atomic release is committed in all its databases.
    ReleaseCommitted {
        /// The databases.
        databases: usize,
        /// From the first commit that was sent to the last that was answered, in milliseconds: readers of several databases may have seen
        /// some of them at the old and some at the new version.
        window_ms: u64,
    },
    /// What an earlier, interrupted atomic release had left prepared was finished as decided, or rolled back.
    ReleaseResolved(Box<Resolved>),
    /// The live schema is that of this version: it and all older ones count as applied.
    AdoptionProven(Box<Proof>),
    /// The live schema is that of no version that could be adopted; this one is the nearest.
    DriftFound(Box<Drift>),
    /// A migration was taken over: it counts as applied, and nothing of it was run.
    MigrationAdopted {
        /// Its name.
        name: String,
        /// The legacy rows that it stands for; none where its schema alone proves it.
        stands_for: Vec<String>,
    },
    /// What an adoption wrote was taken back.
    AdoptionUndone {
        /// Migrations that count as applied no longer.
        migrations: usize,
    },
    /// A step failed.
    MigrationFailed(Box<Failure>),
    /// What a run has applied is about to be undone.
    CompensationStarted {
        /// The run: this one, or an earlier one whose compensation was interrupted.
        of_run: Uuid,
        /// What failed in it.
        because: String,
        /// How many migrations are undone.
        steps: usize,
    },
    /// All that the run had applied is undone.
    CompensationFinished {
        /// The run.
        of_run: Uuid,
        /// How many migrations were undone.
        reverted: usize,
    },
    /// What a run has applied stays, though undoing it had begun.
    CompensationGivenUp {
        /// The run.
        of_run: Uuid,
        /// The migrations that are not undone any more.
        versions: Vec<Version>,
    },
    /// The compensation stopped before its end.
    CompensationStopped(Box<CompensationStop>),
    /// A server message (`RAISE NOTICE`, a warning) during a step.
    ServerNotice {
        /// `NOTICE`, `WARNING`, …
        severity: String,
        /// The text.
        message: String,
    },
    /// Something other than a step stopped a service: a refusal, a server that cannot be reached.
    ServiceFailed {
        /// What is wrong, and where.
        message: String,
        /// What to do next.
        next: Option<String>,
        /// The refusal, where it is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        refusal: Option<Box<Refusal>>,
        /// The exit code that it leads to.
        exit_code: ExitStatus,
    },
    /// The rest of a service's steps is not started.
    ServiceSkipped {
        /// Because of whom or what.
        because: String,
        /// How many steps are not started.
        steps: usize,
    },
    /// A service is through, one way or another.
    ServiceFinished {
        /// How it ended.
        outcome: ServiceOutcome,
        /// Migrations applied.
        applied: usize,
        /// Migrations undone.
        reverted: usize,
        /// From its first lock to its last, in milliseconds.
        duration_ms: u64,
    },
    /// A backup is whole and fits the server: what restoring it means.
    RestorePlanned(Box<PlannedRestore>),
    /// Something to know about a restore, which does not hinder it.
    RestoreWarning {
        /// What.
        message: String,
    },
    /// A new database is being filled beside the old one.
    RestoreStarted {
        /// The database that is restored.
        database: String,
        /// The name of the new one until it takes the other's place.
        into: String,
    },
    /// The new database is complete, and is what the manifest says.
    RestoreVerified {
        /// Its name for now.
        into: String,
        /// Migrations that are applied in it.
        applied: usize,
        /// How long it took to fill and verify, in milliseconds.
        duration_ms: u64,
    },
    /// The new database has taken the old one's name.
    DatabaseSwapped {
        /// The name.
        database: String,
        /// What the old one is called now; `None` where there was none.
        kept_as: Option<String>,
        /// For how long nobody could connect, in milliseconds.
        window_ms: u64,
        /// Sessions that were ended.
        ended: usize,
    },
    /// Several databases have been swapped: what the fleet was mixed for.
    DatabasesSwapped {
        /// How many.
        databases: usize,
        /// From the beginning of the first swap to the end of the last, in milliseconds.
        window_ms: u64,
    },
    /// A migration was rehearsed on a scratch database.
    MigrationRehearsed(Box<Rehearsed>),
    /// A former database that is still there.
    OldDatabaseKept {
        /// Its name.
        database: String,
        /// Its size, in bytes.
        bytes: u64,
    },
    /// A former database was dropped.
    OldDatabaseDropped {
        /// Its name.
        database: String,
        /// How large it was, in bytes.
        bytes: u64,
    },
    /// The user asked to stop.
    CancelRequested {
        /// 1: finish the step at hand. 2: cancel it on the server.
        times: u32,
        /// How the user asked.
        cause: StopCause,
        /// In how many milliseconds it is cancelled on the server unasked.
        #[serde(skip_serializing_if = "Option::is_none")]
        cancels_in_ms: Option<u64>,
    },
    /// Last event.
    RunFinished {
        /// One word.
        verdict: Verdict,
        /// The exit code.
        exit_code: ExitStatus,
        /// The counts.
        #[serde(flatten)]
        totals: Totals,
        /// What to do next, when not everything is done.
        next: Vec<String>,
        /// The ends of the journals that were written.
        anchors: Vec<Anchor>,
        /// The manifest of the backup that was taken before the first step.
        #[serde(skip_serializing_if = "Option::is_none")]
        backup: Option<String>,
    },
}

/// What became of an atomic release that had been interrupted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resolved {
    /// The run that had begun it.
    pub release: Uuid,
    /// The service in whose database its decision stands.
    pub coordinator: ServiceName,
    /// What was decided, then or now.
    pub decision: Decision,
    /// The services in whose databases something was still prepared, and is not any more.
    pub finished: Vec<ServiceName>,
    /// The services whose databases could not be reached: their next run finishes it there.
    pub left: Vec<ServiceName>,
}

/// What restoring a backup means.
#[derive(Clone, Debug, Serialize)]
pub struct PlannedRestore {
    /// The database that is restored.
    pub database: String,
    /// Whether there is one of that name, which is kept.
    pub exists: bool,
    /// The backup.
    pub backup: String,
    /// Its manifest.
    pub manifest: String,
    /// The moment that the database goes back to.
    #[serde(with = "time::serde::rfc3339")]
    pub taken_at: OffsetDateTime,
    /// How long ago that was, in seconds: what was written since is not in it.
    pub age_s: i64,
    /// The size of the database then, in bytes.
    pub bytes: u64,
    /// Migrations applied then.
    pub applied: usize,
    /// The newest of them.
    pub head: Option<Version>,
    /// Migrations that were applied since: pending again afterwards.
    pub loses: Vec<Version>,
}

/// What a takeover rests on.
#[derive(Clone, Debug, Serialize)]
pub struct Proof {
    /// The name of the newest migration that is adopted.
    pub name: String,
    /// Migrations that are adopted.
    pub adopted: usize,
    /// Newer migrations, which stay pending.
    pub pending: usize,
    /// The legacy rows, in their order; none with a baseline.
    pub legacy_rows: Vec<String>,
    /// Differences that were accepted beforehand.
    pub accepted: Vec<SchemaDifference>,
    /// Tables whose columns stand in another order.
    pub column_order: Vec<ColumnOrder>,
    /// The version of the live server, as in `15.18`.
    pub server_version: String,
    /// The version of the server on which the migrations were replayed.
    pub scratch_server_version: String,
}

/// How a live schema differs from a version's.
#[derive(Clone, Debug, Serialize)]
pub struct Drift {
    /// The name of the version's migration.
    pub name: String,
    /// The objects that differ.
    pub differences: Vec<SchemaDifference>,
    /// Tables whose columns stand in another order: no drift, but worth knowing.
    pub column_order: Vec<ColumnOrder>,
    /// The version of the live server, as in `15.18`.
    pub server_version: String,
    /// The version of the server on which the migrations were replayed.
    pub scratch_server_version: String,
}

/// How a service came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceOutcome {
    /// All its steps are done.
    Done,
    /// It had none.
    Unchanged,
    /// Something is held against its migrations (`rehearse`).
    Findings,
    /// One of its steps failed.
    Failed,
    /// It was refused.
    Refused,
    /// Its database or its lock could not be had.
    Unavailable,
    /// What it had done was rolled back with its atomic release.
    RolledBack,
    /// It was not started, or not finished, because of another.
    Skipped,
    /// It was not started, or not finished, because the user cancelled.
    Cancelled,
    /// All that this run had applied to it is undone, because of another.
    Reverted,
}

/// Who holds the advisory lock of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// The server process.
    pub pid: i32,
    /// The database user.
    pub user: String,
    /// `application_name`.
    pub application: String,
    /// The client's address; `None` on a socket.
    pub client: Option<String>,
    /// How long its session has been there, in seconds.
    pub connected_s: i64,
    /// `active`, `idle`, …
    pub state: String,
}

/// Who holds a lock that somebody waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blocker {
    /// The server process; 0 for a prepared transaction, which has none.
    pub pid: i32,
    /// The database user.
    pub user: String,
    /// `application_name`.
    pub application: String,
    /// `active`, `idle in transaction`, …
    pub state: String,
    /// The age of its transaction, in seconds.
    pub transaction_age_s: i64,
    /// Its current or last statement, shortened.
    pub query: String,
    /// The identifier of a prepared transaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prepared: Option<String>,
    /// The processes that it waits for itself; they are named as well.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<i32>,
}

/// A step that failed, with everything needed to mend it.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// The migration's name.
    pub name: String,
    /// Apply or undo.
    pub direction: Direction,
    /// PostgreSQL's error code; `None` when the connection was lost.
    pub sqlstate: Option<String>,
    /// PostgreSQL's words.
    pub message: String,
    /// PostgreSQL's DETAIL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// PostgreSQL's HINT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// PostgreSQL's CONTEXT: where inside a function it happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The file.
    pub file: String,
    /// The line, 1-based; `None` when the failure is not that of one statement.
    pub line: Option<u32>,
    /// The column, 1-based, in characters.
    pub column: Option<u32>,
    /// The text of that line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_line: Option<String>,
    /// Statements that stay done (no-transaction files only).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statements_done: Option<usize>,
    /// Statements in the file (no-transaction files only).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statements: Option<usize>,
    /// Who stood in the way of a lock that was not to be had.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blockers: Vec<Blocker>,
    /// Whether nothing of this file is left in the database.
    pub rolled_back: bool,
    /// Whether the connection was lost, and what was committed could not be looked up.
    pub outcome_unknown: bool,
    /// What is half-done in the database, and what the next run does about it (no-transaction files only).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
    /// How long the attempt took, in milliseconds.
    pub duration_ms: u64,
    /// What to do next.
    pub next: String,
    /// The exit code that it leads to.
    pub exit_code: ExitStatus,
}
