//! The events of a run, which are the only input of the reporters.
//!
//! Each serialized event is one line of `--output json`; `docs/json.md` describes every field.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Anchor, CompensationStop, Decision, Diagnostic, Direction, ExitStatus, Gate, HeldLock,
    ServiceName, StopCause, Timings, Totals, Verdict, Version,
};

/// The version of the event schema, which `docs/json.md` describes. It is incremented when a field is removed or changes its meaning.
pub const EVENT_SCHEMA: u32 = 1;

/// One event of a run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Event<K = EventKind> {
    /// The run ID, the same in the journal of every database.
    pub run_id: Uuid,
    /// The sequence number within the run, from 1, without gaps.
    pub seq: u64,
    /// The time when it was recorded.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub time: OffsetDateTime,
    /// The service that it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// The migration that it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// The kind, with its data.
    #[serde(flatten)]
    pub kind: K,
}

/// The kind of an event, with its data.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// The first event of a run.
    RunStarted {
        /// The version of the event schema: [`EVENT_SCHEMA`].
        schema: u32,
        /// `run`, `revert`, `adopt`, `backup`, `restore` or `rehearse`.
        command: &'static str,
        /// The services with steps, in the order of the plan.
        services: Vec<ServiceName>,
        /// Selected services without steps.
        unchanged: Vec<ServiceName>,
        steps: usize,
        program_version: &'static str,
        /// Whether the run undoes what it applied when something fails.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        undoes_on_failure: bool,
    },
    /// A database did not exist and was created.
    DatabaseCreated {
        database: String,
    },
    /// A service waits for migrations in databases that this run does not migrate.
    GateWaiting {
        /// The part of the gate that is not met yet.
        gate: Gate,
    },
    /// A gate that a service waited for is met.
    GateMet {
        gate: Gate,
        waited_ms: u64,
    },
    /// Another run holds the database's advisory lock; or, with a version, another session is working on the indexes of a
    /// table where an interrupted statement left something.
    LockWaiting {
        /// The holder, if the server reports it.
        holder: Option<Holder>,
    },
    /// A service acquired its lock and starts its steps.
    ServiceStarted {
        /// The number of its steps in this run.
        steps: usize,
    },
    MigrationStarted {
        name: String,
        /// Apply or undo.
        direction: Direction,
        /// Its number among the service's steps in this run, from 1.
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
        /// The total number of statements.
        statements: usize,
        duration_ms: u64,
        /// What an earlier attempt left behind, and how it was recovered.
        #[serde(skip_serializing_if = "Option::is_none")]
        recovered: Option<String>,
    },
    /// A statement is waiting for a lock that another session holds.
    MigrationBlocked {
        /// How long it has waited, in milliseconds.
        waited_ms: u64,
        /// The sessions that block it; reported again when they change.
        blockers: Vec<Blocker>,
    },
    /// The statement acquired its lock.
    MigrationUnblocked {
        /// How long it had waited, in milliseconds.
        waited_ms: u64,
    },
    /// A statement has been running for long; repeated every ten seconds.
    MigrationProgress(StatementProgress),
    /// A lock was not available in time. The attempt was rolled back and will be retried.
    MigrationRetrying {
        /// The attempt that failed, from 1.
        attempt: u32,
        /// The maximum number of attempts.
        attempts: u32,
        /// The pause before the next attempt, in milliseconds.
        pause_ms: u64,
        /// PostgreSQL's error code.
        sqlstate: String,
        /// PostgreSQL's message.
        message: String,
        /// The sessions that blocked it, when last checked.
        blockers: Vec<Blocker>,
    },
    /// The connection was lost during a step. The engine determines what was committed.
    ConnectionLost {
        message: String,
    },
    /// A migration was applied and committed.
    MigrationApplied {
        name: String,
        duration_ms: u64,
    },
    /// A migration was undone and committed.
    MigrationReverted {
        name: String,
        duration_ms: u64,
    },
    /// Another run has already done this step.
    MigrationUnchanged {
        name: String,
    },
    /// A migration of an atomic release ran in the open transaction of its database. Nothing is committed yet.
    MigrationExecuted {
        name: String,
        duration_ms: u64,
    },
    /// An executed migration was rolled back with its release.
    MigrationRolledBack {
        name: String,
        because: String,
    },
    /// A service's part of an atomic release is prepared. It survives a crash and holds its locks until the decision.
    ServicePrepared {
        /// The identifier of the prepared transaction.
        gid: String,
        /// How long the transaction has been open, in milliseconds.
        open_ms: u64,
    },
    /// The decision on an atomic release is recorded. From now on it is only carried out.
    ReleaseDecided {
        decision: Decision,
        /// The service whose database has the decision record.
        coordinator: ServiceName,
    },
    /// A service's part of an atomic release is committed, and its locks are released.
    ServiceCommitted {
        /// From prepared to committed, in milliseconds. During this time only the decision could end it.
        held_ms: u64,
        /// From its first statement to its commit, in milliseconds.
        open_ms: u64,
        /// The locks on relations that existed before the release, held until then.
        locks: Vec<HeldLock>,
    },
    /// An atomic release is committed in all of its databases.
    ReleaseCommitted {
        databases: usize,
        /// From the first commit that was sent to the last that was confirmed, in milliseconds. In this window, readers of several
        /// databases may have seen some at the old and some at the new version.
        window_ms: u64,
    },
    /// The prepared transactions of an earlier, interrupted atomic release were finished as decided, or rolled back.
    ReleaseResolved(Box<Resolved>),
    MigrationFailed(Box<Failure>),
    CompensationStarted {
        /// The run: this one, or an earlier one whose compensation was interrupted.
        of_run: Uuid,
        /// The failure that caused it.
        because: String,
        /// The number of migrations to undo.
        steps: usize,
    },
    /// Everything that the run applied is undone.
    CompensationFinished {
        of_run: Uuid,
        reverted: usize,
    },
    /// A compensation was given up: what the run applied and is not undone yet stays.
    CompensationGivenUp {
        of_run: Uuid,
        /// The migrations that stay applied.
        versions: Vec<Version>,
    },
    /// The compensation stopped before it was complete.
    CompensationStopped(Box<CompensationStop>),
    /// A server message (`RAISE NOTICE`, a warning) during a step.
    ServerNotice {
        /// `NOTICE`, `WARNING`, …
        severity: String,
        message: String,
    },
    /// Something other than a step stopped a service: a refusal, a server that cannot be reached.
    ServiceFailed(Box<Diagnostic>),
    /// The remaining steps of a service are not started.
    ServiceSkipped {
        because: String,
        /// The number of steps that are not started.
        steps: usize,
    },
    /// A service has ended, with any outcome.
    ServiceFinished {
        outcome: ServiceOutcome,
        applied: usize,
        /// Migrations undone.
        reverted: usize,
        /// From its first lock to its last, in milliseconds.
        duration_ms: u64,
    },
    /// The user asked to stop.
    CancelRequested {
        /// 1: finish the current step. 2: cancel it on the server.
        times: u32,
        /// The cause of the request.
        cause: StopCause,
        /// The remaining grace period before it is cancelled on the server, in milliseconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        cancels_in_ms: Option<u64>,
    },
    /// The last event of a run.
    RunFinished {
        /// The one-word result.
        verdict: Verdict,
        exit_code: ExitStatus,
        /// The counts.
        #[serde(flatten)]
        totals: Totals,
        /// What to do next, if not everything is done.
        next: Vec<String>,
        /// The anchors of the journals that were written.
        anchors: Vec<Anchor>,
        /// The manifest of the backup that was taken before the first step.
        #[serde(skip_serializing_if = "Option::is_none")]
        backup: Option<String>,
        /// How long the phases took, with `--timings`.
        #[serde(skip_serializing_if = "Option::is_none")]
        timings: Option<Timings>,
    },
    /// An event that only one command emits.
    #[serde(untagged)]
    #[schemars(skip)]
    OfCommand(Arc<dyn CommandEvent>),
}

/// The events of one command: an enum with the tag `event`, in the crate of the command.
pub trait CommandEvent: Any + fmt::Debug + Send + Sync + erased_serde::Serialize {}

erased_serde::serialize_trait_object!(CommandEvent);

impl<E: CommandEvent> From<E> for EventKind {
    fn from(event: E) -> Self {
        Self::OfCommand(Arc::new(event))
    }
}

impl EventKind {
    /// The event as one of a certain command.
    pub fn of_command<E: CommandEvent>(&self) -> Option<&E> {
        match self {
            Self::OfCommand(event) => (event.as_ref() as &dyn Any).downcast_ref(),
            _ => None,
        }
    }
}

/// The outcome of an interrupted atomic release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Resolved {
    /// The run that started it.
    pub release: Uuid,
    /// The service whose database has the decision record.
    pub coordinator: ServiceName,
    /// The decision, made by that run or now.
    pub decision: Decision,
    /// The services whose prepared transactions were finished.
    pub finished: Vec<ServiceName>,
    /// The services whose databases were unreachable; their next run finishes it there.
    pub left: Vec<ServiceName>,
}

/// The outcome of a service in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServiceOutcome {
    /// All of its steps are done.
    Done,
    /// It had no steps.
    Unchanged,
    /// Its migrations have findings (`rehearse`).
    Findings,
    /// One of its steps failed.
    Failed,
    Refused,
    /// Its database was unreachable, or its lock was not acquired in time.
    Unavailable,
    /// Its changes were rolled back with its atomic release.
    RolledBack,
    /// It was not started or not finished, because of another service.
    Skipped,
    /// It was not started or not finished, because the user cancelled.
    Cancelled,
    /// Everything that this run applied to it was undone, because of another service.
    Reverted,
}

impl From<ExitStatus> for ServiceOutcome {
    fn from(status: ExitStatus) -> Self {
        match status {
            ExitStatus::Refused => Self::Refused,
            ExitStatus::Unavailable => Self::Unavailable,
            ExitStatus::Cancelled => Self::Cancelled,
            _ => Self::Failed,
        }
    }
}

/// The session that holds the advisory lock of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Holder {
    /// The PID of the server process.
    pub pid: i32,
    pub user: String,
    /// `application_name`.
    pub application: String,
    /// The client address; `None` for a Unix socket.
    pub client: Option<String>,
    /// The age of its session, in seconds.
    pub connected_s: i64,
    /// `active`, `idle`, …
    pub state: String,
}

/// A session or prepared transaction that blocks another session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Blocker {
    /// The PID of the server process; 0 for a prepared transaction.
    pub pid: i32,
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
    /// The PIDs that it waits for itself; these are listed as well.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<i32>,
}

/// The object that an error of the server is about, as far as the server names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ErrorObject {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub constraint: Option<String>,
}

impl fmt::Display for ErrorObject {
    /// `constraint users_email_key of table public.users`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("constraint", &self.constraint),
            ("column", &self.column),
            ("type", &self.data_type),
            ("table", &self.table),
        ];
        let parts = parts
            .iter()
            .filter_map(|(kind, name)| Some((kind, name.as_ref()?)));
        for (index, (kind, name)) in parts.enumerate() {
            let of = if index == 0 { "" } else { " of " };
            match &self.schema {
                Some(schema) if matches!(*kind, "table" | "type") => {
                    write!(f, "{of}{kind} {schema}.{name}")?;
                }
                _ => write!(f, "{of}{kind} {name}")?,
            }
        }
        Ok(())
    }
}

/// How far a statement is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StatementProgress {
    /// How long the statement has been running, in milliseconds.
    pub running_ms: u64,
    /// The statement, shortened.
    pub statement: String,
    /// Its phase, as `pg_stat_progress_*` names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// What is done of this phase: blocks, rows or bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done: Option<u64>,
    /// The whole of this phase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// How long the rest of this phase takes at the same speed, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining_ms: Option<u64>,
}

impl StatementProgress {
    /// What is done of this phase, in percent.
    pub fn percent(&self) -> Option<u64> {
        let total = self.total.filter(|total| *total > 0)?;
        Some((self.done? * 100 / total).min(100))
    }
}

/// A failed step, with everything needed to fix it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Failure {
    /// The migration's name.
    pub name: String,
    /// Apply or undo.
    pub direction: Direction,
    /// PostgreSQL's error code; `None` if the connection was lost.
    pub sqlstate: Option<String>,
    /// PostgreSQL's message.
    pub message: String,
    /// PostgreSQL's DETAIL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The object that the error is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<Box<ErrorObject>>,
    /// PostgreSQL's HINT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// PostgreSQL's CONTEXT: the location inside a function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    pub file: String,
    /// The line, 1-based; `None` if the failure is not caused by a single statement.
    pub line: Option<u32>,
    /// The column, 1-based, in characters.
    pub column: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_line: Option<String>,
    /// The number of statements that stay done (no-transaction files only).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statements_done: Option<usize>,
    /// The number of statements in the file (no-transaction files only).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statements: Option<usize>,
    /// The sessions that blocked a lock that was not acquired.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blockers: Vec<Blocker>,
    /// Whether everything in this file was rolled back.
    pub rolled_back: bool,
    /// Whether the connection was lost and it could not be determined what was committed.
    pub outcome_unknown: bool,
    /// What is half-done in the database, and how the next run handles it (no-transaction files only).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
    /// How long the attempt took, in milliseconds.
    pub duration_ms: u64,
    /// What to do next.
    pub next: String,
    pub exit_code: ExitStatus,
}
