//! Errors of replaying migrations on scratch databases.

use domain::{Diagnostic, ExitStatus, Failure, Refusal, called, rerun};
use engine::inspect::ServiceError;
use pg_session::{ConnectError, is_connection_lost};
use tokio_postgres::error::SqlState;

/// The exit code of a failed statement that creates or drops a database.
fn exit_status_of(error: &tokio_postgres::Error) -> ExitStatus {
    let passes = error.code().is_some_and(|code| {
        let is_out_of_resources = code.code().starts_with("53");
        let is_in_use = [&SqlState::LOCK_NOT_AVAILABLE, &SqlState::OBJECT_IN_USE].contains(&code);
        is_in_use || is_out_of_resources
    });
    if is_connection_lost(error) || passes {
        ExitStatus::Unavailable
    } else {
        ExitStatus::Failed
    }
}

/// Why migrations could not be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    #[error("cannot replay the migrations of {service} on an empty database: {trouble}")]
    Replay {
        /// The service whose migrations were replayed.
        service: String,
        /// File, line, and PostgreSQL's message.
        trouble: String,
        /// The failed step, if a step failed.
        failure: Option<Box<Failure>>,
        /// The exit code of the replay.
        status: ExitStatus,
    },
    /// Any other error.
    #[error(transparent)]
    Diagnosed(#[from] Diagnostic),
}

impl ScratchError {
    /// The scratch server cannot be reached.
    pub fn connect(error: &ConnectError) -> Self {
        let cause = error.diagnostic();
        let next = match (error, &cause.next) {
            // The suggested SQL already ends in a comment.
            (ConnectError::Right { .. }, Some(sql)) => {
                format!("{sql}; or choose another server with --scratch-server")
            }
            _ => another_server(),
        };
        let diagnostic = cause.within("cannot use the scratch server");
        diagnostic.with_next(next).into()
    }

    /// An error on the connection that creates and drops scratch databases.
    pub(super) fn query(server: &str, error: &tokio_postgres::Error) -> Self {
        let cause = Diagnostic::of(exit_status_of(error), error, None);
        Self::not_created(server, cause)
    }

    /// An error of creating a database.
    pub(super) fn creating(server: &str, error: &ConnectError) -> Self {
        match error {
            ConnectError::Right { .. } => Self::connect(error),
            error => Self::not_created(server, error.diagnostic()),
        }
    }

    fn not_created(server: &str, cause: Diagnostic) -> Self {
        let what = format!("cannot create a scratch database on {server}");
        cause.within(what).with_next(another_server()).into()
    }

    /// A migration would change the server outside its database.
    pub(super) fn cluster_wide(path: &str, line: u32, statement: &str) -> Self {
        let message = format!(
            "{path}:{line}: {statement} affects the whole server, and replaying it would change the live server"
        );
        let next = called()
            .without_option("--scratch-server")
            .with(["--scratch-server", "local"]);
        Diagnostic::new(ExitStatus::Refused, message, next.to_string()).into()
    }

    /// The diagnostic.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            Self::Diagnosed(diagnostic) => diagnostic.clone(),
            Self::Replay { status, .. } => Diagnostic::of(
                *status,
                self,
                Some(rerun(
                    "first add what is missing there (an extension, a role), or choose a server like the live one with --scratch-server",
                )),
            ),
        }
    }

    /// The step that failed because of its file, not because of a server, a connection or a lock.
    pub fn failure_of_file(&self) -> Option<&Failure> {
        /// The server shuts down, is out of resources, or has a system error.
        const NOT_OF_THE_FILE: [&str; 4] = ["57P", "53", "58", "XX"];
        match self {
            Self::Replay {
                failure: Some(failure),
                ..
            } => Some(failure.as_ref()).filter(|failure| {
                failure.exit_code == ExitStatus::Failed
                    && failure.sqlstate.as_ref().is_some_and(|code| {
                        !NOT_OF_THE_FILE.iter().any(|class| code.starts_with(class))
                    })
            }),
            _ => None,
        }
    }

    /// Whether a retry may get the connections that this attempt did not, after this attempt closes its own.
    pub fn requires_connections(&self) -> bool {
        matches!(self, Self::Diagnosed(error) if matches!(error.code(), Some(SqlState::TOO_MANY_CONNECTIONS | SqlState::CANNOT_CONNECT_NOW)))
    }
}

fn another_server() -> String {
    rerun("with another --scratch-server: local, same, or a URL whose role may create databases")
}

impl From<ServiceError> for ScratchError {
    fn from(error: ServiceError) -> Self {
        Self::Diagnosed(error.into())
    }
}

impl From<ScratchError> for Diagnostic {
    fn from(error: ScratchError) -> Self {
        error.diagnostic()
    }
}

impl From<Refusal> for ScratchError {
    fn from(refusal: Refusal) -> Self {
        Self::Diagnosed(refusal.into())
    }
}
