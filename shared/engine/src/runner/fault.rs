//! What can go wrong with a step, and the failure that is reported for it.

use tokio_postgres::error::SqlState;

use super::outcome_check::Outcome;
use domain::{
    Direction, ExitStatus, Failure, Script, ServerError, called, commented, mask_secrets,
};
use pg_session::is_connection_lost;

/// A failed attempt, before the decision whether to retry.
#[derive(Debug)]
pub(super) enum Fault {
    /// The server reported an error. `offset` is the byte in the file that it points at.
    Server {
        error: Box<ServerError>,
        offset: Option<usize>,
        progress: Option<(usize, usize)>,
        /// The statement may have committed a part of its work, so it is not retried.
        once: bool,
    },
    /// The connection was lost. After `COMMIT` was sent, the outcome has to be looked up.
    Lost {
        source: tokio_postgres::Error,
        /// The byte in the file at which the running statement begins.
        offset: Option<usize>,
        committing: bool,
        progress: Option<(usize, usize)>,
    },
    /// The file released the advisory lock, or another client shares the session.
    LockGone { progress: Option<(usize, usize)> },
    /// The user cancelled between two statements or two attempts.
    Cancelled { progress: Option<(usize, usize)> },
    /// A check of the database found that the step must not continue.
    Halted {
        message: String,
        next: String,
        exit_code: ExitStatus,
        offset: Option<usize>,
        progress: Option<(usize, usize)>,
    },
    /// The file cannot be run as it is.
    Script(crate::planning::ScriptError),
}

impl Fault {
    /// Classifies a client error.
    pub(super) fn of(error: tokio_postgres::Error) -> Self {
        Self::at(error, None)
    }

    pub(super) fn at(error: tokio_postgres::Error, offset: Option<usize>) -> Self {
        match ServerError::from_error(&error) {
            Some(server) if !is_connection_lost(&error) => Self::Server {
                error: Box::new(server),
                offset,
                progress: None,
                once: false,
            },
            _ => Self::Lost {
                source: error,
                offset,
                committing: false,
                progress: None,
            },
        }
    }

    /// Continuing would do harm; `next` is what to do instead.
    pub(super) fn refused(message: String, next: String) -> Self {
        Self::Halted {
            message,
            next,
            exit_code: ExitStatus::Refused,
            offset: None,
            progress: None,
        }
    }

    /// Adds the statement for which the database was checked.
    pub(super) fn pointing_at(self, place: usize) -> Self {
        match self {
            Self::Halted {
                message,
                next,
                exit_code,
                progress,
                ..
            } => Self::Halted {
                message,
                next,
                exit_code,
                offset: Some(place),
                progress,
            },
            other => other,
        }
    }

    pub(super) fn while_committing(error: tokio_postgres::Error) -> Self {
        match Self::of(error) {
            Self::Lost {
                source, progress, ..
            } => Self::Lost {
                source,
                offset: None,
                committing: true,
                progress,
            },
            other => other,
        }
    }

    /// Adds the progress of a no-transaction file.
    pub(super) fn after(self, done: usize, total: usize) -> Self {
        let reached = Some((done, total));
        match self {
            Self::Server {
                error,
                offset,
                once,
                ..
            } => Self::Server {
                error,
                offset,
                progress: reached,
                once,
            },
            Self::Lost {
                source,
                offset,
                committing,
                ..
            } => Self::Lost {
                source,
                offset,
                committing,
                progress: reached,
            },
            Self::LockGone { .. } => Self::LockGone { progress: reached },
            Self::Halted {
                message,
                next,
                exit_code,
                offset,
                ..
            } => Self::Halted {
                message,
                next,
                exit_code,
                offset,
                progress: reached,
            },
            Self::Cancelled { .. } => Self::Cancelled { progress: reached },
            Self::Script(error) => Self::Script(error),
        }
    }

    /// Whether the server answered with this code.
    pub(super) fn is(&self, state: &SqlState) -> bool {
        matches!(self, Self::Server { error, .. } if error.code() == *state)
    }

    /// Marks the statement as one that must not be retried automatically.
    pub(super) fn only_once(self) -> Self {
        match self {
            Self::Server {
                error,
                offset,
                progress,
                ..
            } => Self::Server {
                error,
                offset,
                progress,
                once: true,
            },
            other => other,
        }
    }

    /// Whether the step is retried.
    pub(super) fn is_retryable(&self) -> bool {
        self.is_passing() && !matches!(self, Self::Server { once: true, .. })
    }

    /// Whether the error is transient: a lock timeout, a deadlock, a serialization failure, or a journal row that another run wrote at
    /// the same moment.
    fn is_passing(&self) -> bool {
        [
            SqlState::LOCK_NOT_AVAILABLE,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::T_R_SERIALIZATION_FAILURE,
        ]
        .iter()
        .any(|state| self.is(state))
            || matches!(self, Self::Server { error, .. } if error.is_place_taken())
    }

    /// Whether the connection was lost before COMMIT was sent.
    pub(super) fn is_before_commit(&self) -> bool {
        matches!(
            self,
            Self::Lost {
                committing: false,
                ..
            }
        )
    }

    pub(super) fn progress(&self) -> Option<(usize, usize)> {
        match self {
            Self::Server { progress, .. }
            | Self::Lost { progress, .. }
            | Self::Halted { progress, .. }
            | Self::LockGone { progress }
            | Self::Cancelled { progress } => *progress,
            Self::Script(_) => None,
        }
    }
}

/// What a failure needs besides the fault.
pub(super) struct FailureBuilder<'a> {
    pub(super) script: &'a Script,
    pub(super) name: &'a str,
    pub(super) direction: Direction,
    pub(super) duration_ms: u64,
    pub(super) attempts: u32,
    pub(super) cancelled: bool,
    pub(super) rerun_command: String,
    /// The outcome of the step, if the connection was lost.
    pub(super) outcome: Option<&'a Outcome>,
    /// What is left of a no-transaction file.
    pub(super) remains: Option<Remains>,
    /// Whether it is part of an atomic release.
    pub(super) in_release: bool,
    /// Whether the file terminates its own session, as far as that is known.
    pub(super) ended_itself: bool,
    /// Whether a statement timeout may be in force.
    pub(super) may_time_out: bool,
}

/// What is left of a no-transaction file that did not finish.
pub(super) struct Remains {
    /// Whether any of it is recorded: the file is then interrupted, and must not be edited.
    pub(super) recorded: bool,
    /// What is half-done, as text.
    pub(super) left: Vec<String>,
}

impl FailureBuilder<'_> {
    /// Turns a fault into the failure that is reported.
    pub(super) fn failure(&self, fault: &Fault) -> Failure {
        let progress = fault.progress();
        let mut failure = Failure {
            name: self.name.to_owned(),
            direction: self.direction,
            sqlstate: None,
            message: String::new(),
            detail: None,
            object: None,
            hint: None,
            context: None,
            file: self.script.path.clone(),
            line: None,
            column: None,
            source_line: None,
            statements_done: progress.map(|(done, _)| done),
            statements: progress.map(|(_, total)| total),
            blockers: Vec::new(),
            rolled_back: match &self.remains {
                Some(remains) => !remains.recorded,
                None => progress.is_none_or(|(done, _)| done == 0),
            },
            left: match &self.remains {
                Some(remains) => remains.left.clone(),
                None => Vec::new(),
            },
            outcome_unknown: false,
            duration_ms: self.duration_ms,
            next: String::new(),
            exit_code: ExitStatus::Failed,
        };
        match fault {
            Fault::Server { error, offset, .. } => {
                failure.sqlstate = Some(error.sqlstate.clone());
                failure.message.clone_from(&error.message);
                failure.detail.clone_from(&error.detail);
                failure.object = error.object().map(Box::new);
                failure.hint.clone_from(&error.hint);
                failure.context.clone_from(&error.where_);
                self.point(&mut failure, *offset);
                self.advise(&mut failure, fault);
            }
            Fault::Lost { source, offset, .. } => {
                failure.message = loss(source);
                failure.sqlstate = ServerError::from_error(source).map(|said| said.sqlstate);
                self.point(&mut failure, *offset);
                if self.ended_itself {
                    failure.message = format!(
                        "{}: the file, or a function that it calls, terminates its own session",
                        failure.message
                    );
                    failure.next = self.after(format!(
                        "first remove the call to pg_terminate_backend from {}, or exclude pg_backend_pid() from it",
                        self.script.path
                    ));
                } else {
                    failure.exit_code = ExitStatus::Unavailable;
                    failure.next = self.after("once the server is reachable");
                }
                self.add_outcome(&mut failure);
            }
            Fault::LockGone { .. } => {
                "the advisory lock was lost while the file ran".clone_into(&mut failure.message);
                failure.exit_code = ExitStatus::Failed;
                failure.next = self.after(format!(
                    "first remove pg_advisory_unlock_all() from {}; if you connect through a transaction-mode pooler, connect to PostgreSQL directly",
                    self.script.path
                ));
            }
            Fault::Halted {
                message,
                next,
                exit_code,
                offset,
                ..
            } => {
                failure.message.clone_from(message);
                failure.next.clone_from(next);
                failure.exit_code = *exit_code;
                self.point(&mut failure, *offset);
            }
            Fault::Cancelled { .. } => {
                "cancelled".clone_into(&mut failure.message);
                failure.exit_code = ExitStatus::Cancelled;
                failure.next = self.after("continues from there");
            }
            Fault::Script(error) => {
                failure.message.clone_from(&error.problem);
                failure.line = Some(error.line);
                failure.column = Some(error.column);
                failure.source_line = line_of(&self.script.text, error.line);
                failure.exit_code = ExitStatus::Usage;
                failure.next = self.after(format!("fix {} first", self.script.path));
            }
        }
        failure
    }

    /// The command that continues, with a comment on what to do first.
    fn after(&self, comment: impl std::fmt::Display) -> String {
        commented(&*self.rerun_command, comment)
    }

    fn add_outcome(&self, failure: &mut Failure) {
        match self.outcome {
            Some(Outcome::NotDone {
                recorded: Some((done, begun)),
            }) => {
                failure.statements_done = Some(*done);
                failure.rolled_back = *done == 0 && !begun;
            }
            Some(Outcome::Unknown(why)) => {
                failure.rolled_back = false;
                failure.outcome_unknown = true;
                failure.message = format!(
                    "{}; it is unknown what was committed: {why}",
                    failure.message
                );
                failure.next = self.after("check what was committed first");
            }
            Some(Outcome::Done | Outcome::NotDone { recorded: None }) | None => {}
        }
    }

    fn point(&self, failure: &mut Failure, offset: Option<usize>) {
        if let Some(offset) = offset {
            let position = pg_sql::position_at(&self.script.text, offset);
            failure.line = Some(position.line);
            failure.column = Some(position.column);
            failure.source_line = line_of(&self.script.text, position.line);
        }
    }

    fn advise(&self, failure: &mut Failure, fault: &Fault) {
        if self.cancelled && fault.is(&SqlState::QUERY_CANCELED) {
            failure.exit_code = ExitStatus::Cancelled;
            failure.next = self.after("continues from there");
        } else if fault.is(&SqlState::QUERY_CANCELED) && !self.may_time_out {
            failure.message = format!("{} (by another session)", failure.message);
            failure.next = self.after(
                "the file is not at fault: first find out which session cancels its statements",
            );
        } else if fault.is(&SqlState::QUERY_CANCELED) {
            failure.next = self.after(format!(
                "first raise statement-timeout in {}, or find out which session cancels its statements",
                self.script.path
            ));
        } else if fault.is_passing() {
            failure.exit_code = ExitStatus::Unavailable;
            failure.message = format!("{} (tried {} times)", failure.message, self.attempts);
            failure.next = self.after("end the session that holds the lock, or wait for it");
        } else if self.in_release
            && (fault.is(&SqlState::UNSAFE_NEW_ENUM_VALUE_USAGE)
                || fault.is(&SqlState::ACTIVE_SQL_TRANSACTION)
                || fault.is(&SqlState::INVALID_TRANSACTION_TERMINATION))
        {
            // Also if an earlier file added the value, which works without --atomic.
            let why = if fault.is(&SqlState::UNSAFE_NEW_ENUM_VALUE_USAGE) {
                "a new enum value cannot be used before it is committed"
            } else {
                "it cannot run in a transaction with other files"
            };
            failure.next = commented(
                called().without_flag("--atomic").to_string(),
                format!(
                    "{why}, so it cannot be part of an atomic release; --on-failure revert undoes what was applied"
                ),
            );
        } else if !self.script.directives.no_transaction
            && (fault.is(&SqlState::ACTIVE_SQL_TRANSACTION)
                || fault.is(&SqlState::INVALID_TRANSACTION_TERMINATION))
        {
            failure.next = self.after(format!(
                "first add the line `-- migration: no-transaction` to the top of {}",
                self.script.path
            ));
        } else if fault.is(&SqlState::UNSAFE_NEW_ENUM_VALUE_USAGE) {
            failure.next = self.after(format!(
                "first move the statements that use the new value to a separate migration after {}",
                self.script.path
            ));
        } else if fault.is(&SqlState::INSUFFICIENT_PRIVILEGE) {
            failure.next = self.after("grant the privilege first, or connect as another role");
        } else if failure.statements_done.is_some_and(|done| done > 0) {
            failure.next = self.after(format!(
                "fix the data first (to change the file, revert it); continues after statement {}",
                failure.statements_done.unwrap_or_default()
            ));
        } else if !failure.rolled_back {
            failure.next = self.after("fix the data first (to change the file, revert it)");
        } else {
            failure.next = self.after(format!("fix {} first", self.script.path));
        }
    }
}

/// The line, with secrets masked: the literal of a secret may begin on an earlier line.
fn line_of(text: &str, line: u32) -> Option<String> {
    let index = usize::try_from(line).ok()?.checked_sub(1)?;
    mask_secrets(text)
        .lines()
        .nth(index)
        .map(|line| line.trim_end().to_owned())
}

/// The cause of a lost connection, as text.
pub(super) fn loss(source: &tokio_postgres::Error) -> String {
    match ServerError::from_error(source) {
        Some(server) => format!("the server ended the connection: {}", server.message),
        None => format!("the connection to the server was lost{}", cause(source)),
    }
}

fn cause(error: &tokio_postgres::Error) -> String {
    let mut text = String::new();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!(": {error}");
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Directives;

    fn server(code: &str) -> Fault {
        Fault::Server {
            error: Box::new(ServerError {
                sqlstate: code.to_owned(),
                message: "no".to_owned(),
                ..ServerError::default()
            }),
            offset: Some(7),
            progress: None,
            once: false,
        }
    }

    fn script() -> Script {
        Script {
            path: "f.sql".to_owned(),
            text: "SELECT 1;\nSELECT 2".into(),
            directives: Directives::default(),
        }
    }

    fn builder(script: &Script) -> FailureBuilder<'_> {
        FailureBuilder {
            script,
            name: "x",
            direction: Direction::Up,
            duration_ms: 1,
            attempts: 3,
            cancelled: false,
            rerun_command: "run x".to_owned(),
            outcome: None,
            remains: None,
            in_release: false,
            ended_itself: false,
            may_time_out: true,
        }
    }

    #[test]
    fn each_error_of_the_server_has_its_retry_exit_code_and_remedy() {
        use ExitStatus::{Failed, Unavailable};
        for (code, is_retryable, exit_code, remedy) in [
            (
                "55P03",
                true,
                Unavailable,
                "end the session that holds the lock",
            ),
            (
                "40P01",
                true,
                Unavailable,
                "end the session that holds the lock",
            ),
            (
                "40001",
                true,
                Unavailable,
                "end the session that holds the lock",
            ),
            (
                "57014",
                false,
                Failed,
                "first raise statement-timeout in f.sql",
            ),
            ("42501", false, Failed, "grant the privilege first"),
            ("25001", false, Failed, "`-- migration: no-transaction`"),
            ("2D000", false, Failed, "`-- migration: no-transaction`"),
            (
                "55P04",
                false,
                Failed,
                "to a separate migration after f.sql",
            ),
            ("42601", false, Failed, "fix f.sql first"),
            ("23505", false, Failed, "fix f.sql first"),
        ] {
            let (fault, script) = (server(code), script());
            let failure = builder(&script).failure(&fault);
            assert_eq!(fault.is_retryable(), is_retryable, "{code}");
            assert_eq!(failure.exit_code, exit_code, "{code}");
            assert_eq!(failure.sqlstate.as_deref(), Some(code));
            assert_eq!((failure.line, failure.column), (Some(1), Some(8)));
            assert!(failure.next.starts_with("run x   # "), "{}", failure.next);
            assert!(failure.next.contains(remedy), "{code}: {}", failure.next);
        }
    }

    #[test]
    fn a_journal_row_of_another_run_is_retried_and_a_statement_that_may_have_committed_is_not() {
        let taken = Fault::Server {
            error: Box::new(ServerError {
                sqlstate: "23505".to_owned(),
                schema: Some("orchestrator".to_owned()),
                constraint: Some("journal_chain".to_owned()),
                ..ServerError::default()
            }),
            offset: None,
            progress: None,
            once: false,
        };
        assert!(taken.is_retryable());
        assert!(!server("55P03").only_once().is_retryable());
    }

    #[test]
    fn a_cancelled_statement_is_distinguished_by_the_session_that_cancelled_it() {
        let script = script();
        let of_the_user = FailureBuilder {
            cancelled: true,
            ..builder(&script)
        };
        let failure = of_the_user.failure(&server("57014"));
        assert_eq!(failure.exit_code, ExitStatus::Cancelled);
        let of_another_session = FailureBuilder {
            may_time_out: false,
            ..builder(&script)
        };
        let failure = of_another_session.failure(&server("57014"));
        assert_eq!(failure.exit_code, ExitStatus::Failed);
        assert!(failure.next.contains("which session cancels"));
    }

    #[test]
    fn in_a_release_the_way_out_is_a_run_without_atomic() {
        let script = script();
        let in_release = FailureBuilder {
            in_release: true,
            ..builder(&script)
        };
        for code in ["55P04", "25001", "2D000"] {
            let failure = in_release.failure(&server(code));
            assert!(failure.next.contains("cannot be part of an atomic release"));
        }
    }

    #[test]
    fn a_file_that_is_half_done_is_not_to_be_edited() {
        let script = script();
        let failure = builder(&script).failure(&server("23505").after(2, 5));
        assert!(!failure.rolled_back);
        assert_eq!(
            (failure.statements_done, failure.statements),
            (Some(2), Some(5))
        );
        assert!(failure.next.contains("continues after statement 2"));
        let failure = builder(&script).failure(&server("23505").after(0, 5));
        assert!(failure.rolled_back);
        assert!(failure.next.contains("fix f.sql first"));
    }

    #[test]
    fn other_faults_have_their_exit_codes() {
        let script = script();
        for (fault, exit_code) in [
            (Fault::Cancelled { progress: None }, ExitStatus::Cancelled),
            (Fault::LockGone { progress: None }, ExitStatus::Failed),
            (
                Fault::refused("no".to_owned(), "do".to_owned()),
                ExitStatus::Refused,
            ),
        ] {
            assert!(!fault.is_retryable());
            let failure = builder(&script).failure(&fault);
            assert_eq!(failure.exit_code, exit_code, "{fault:?}");
            assert!(!failure.next.is_empty());
        }
    }
}
