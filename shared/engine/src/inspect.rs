//! Inspects a service's database: whether it exists, and its history. Writes nothing.

use std::sync::Arc;

use tokio_postgres::error::SqlState;

use domain::History;
use domain::{
    Diagnostic, ExitStatus, Refusal, RefusalKind, Service, called, commented, rerun, with_causes,
};
use pg_address::DatabaseAddress;
use pg_session::{
    ADVISORY_LOCK_FUNCTIONS, ConnectError, Connections, LockError, Session, ask_administrator,
    ask_for_right, quote_identifier,
};
use store::{
    hidden_legacy_table, missing_rights, read_adoption, read_history, read_legacy_versions,
};

/// What to do about a transaction-mode pooler.
const POOLER_NEXT: &str = "with the address of the server itself, or of a session-mode pooler";

/// What to do about a lost connection.
const RERUN_WHEN_REACHABLE: &str = "once the server is reachable";

/// One service and its database.
#[derive(Clone, Debug)]
pub struct Target {
    /// The service to migrate.
    pub service: Arc<Service>,
    /// The address of its database.
    pub address: DatabaseAddress,
    /// The name of its history table.
    pub history_table: String,
    /// The previous tool's history table, if it does not have the default name.
    pub legacy_table: Option<String>,
    /// Whether a missing database may be created.
    pub may_create: bool,
}

/// The result of inspecting a database.
pub struct Inspection {
    /// Whether the database exists.
    pub exists: bool,
    /// The history of the service's migrations.
    pub history: History,
    /// Whether it has a prepared transaction of an atomic release.
    pub in_doubt: bool,
    /// The session that was used, to be reused by the caller.
    pub session: Option<Session>,
}

/// Inspects a target's database. A missing database has an empty history. Retries once after a lost connection, which is safe
/// because nothing is written.
pub async fn inspect(
    connections: &Connections,
    target: &Target,
) -> Result<Inspection, ServiceError> {
    match inspect_once(connections, target).await {
        Err(error) if error.is_connection_lost() => inspect_once(connections, target).await,
        inspected => inspected,
    }
}

async fn inspect_once(
    connections: &Connections,
    target: &Target,
) -> Result<Inspection, ServiceError> {
    let session = match connections
        .session(&target.address, &target.history_table)
        .await
    {
        Ok(session) => session,
        Err(ConnectError::DatabaseMissing { .. }) => {
            return Ok(Inspection {
                exists: false,
                history: History::default(),
                in_doubt: false,
                session: None,
            });
        }
        Err(error) => return Err(error.into()),
    };
    let history = read(&session, target).await?;
    Ok(Inspection {
        exists: true,
        history,
        in_doubt: session.is_in_doubt(),
        session: Some(session),
    })
}

async fn read(session: &Session, target: &Target) -> Result<History, ServiceError> {
    let service = &target.service.name;
    let failed =
        |what: &'static str| move |source| ServiceError::unreadable(&target.address, what, source);
    let mut history = read_history(session, service, &target.history_table)
        .await
        .map_err(failed("the history"))?;
    if history.applied.is_empty() && history.interrupted.is_empty() {
        let adoption = read_adoption(session, service)
            .await
            .map_err(failed("the journal"))?;
        let legacy = target.legacy_table.as_deref();
        history.legacy = match read_legacy_versions(session, legacy).await {
            Ok(versions) => versions,
            Err(error) => {
                let error = failed("the previous tool's history")(error);
                let hidden = hidden_legacy_table(session, legacy).await;
                return Err(match hidden.ok().flatten() {
                    Some(grant) => error.given_by(|| grant),
                    None => error,
                });
            }
        };
        // A migration that was adopted and then reverted is ours: the previous tool's row no longer counts. It counts again after
        // the adoption is undone.
        history.legacy.retain(|version| {
            !adoption.adopted.contains(version) && !adoption.touched.contains(version)
        });
    }
    Ok(history)
}

/// Whether a statement failed because of a lock: `lock_timeout`, NOWAIT, or a deadlock.
fn is_lock_timeout(error: &tokio_postgres::Error) -> bool {
    matches!(error.code().map(SqlState::code), Some("55P03" | "40P01"))
}

/// Why a service cannot be inspected or migrated, other than a failed step.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The connection failed.
    #[error(transparent)]
    Connect(ConnectError),
    /// The advisory lock was not acquired.
    #[error("{address}: {source}")]
    Lock {
        /// The address of the database.
        address: String,
        /// The cause.
        source: Box<LockError>,
    },
    /// A statement of the engine failed.
    #[error("{address}: {message}")]
    Query {
        /// The address of the database.
        address: String,
        /// The server's error.
        message: String,
        /// Whether the connection was lost, as opposed to an error of the statement.
        lost: bool,
    },
    /// A statement of the engine did not acquire a lock in time.
    #[error("{address}: {message}")]
    Locked {
        /// The address of the database.
        address: String,
        /// The message, with the holder of the lock if known.
        message: String,
    },
    /// A privilege or the schema for the bookkeeping tables is missing, or the database is read-only.
    #[error("{address}: {message}")]
    Right {
        /// The address of the database.
        address: String,
        /// The server's error.
        message: String,
        /// How to grant the privilege.
        next: String,
    },
    /// The user cancelled during the connection attempt.
    #[error("cancelled while connecting")]
    Cancelled,
    /// Continuing would not be safe.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// An error that another one caused, or of another part of the program.
    #[error(transparent)]
    Diagnosed(#[from] Diagnostic),
    /// The database does not exist, and may not be created.
    #[error("{address}: the database does not exist, and it is not created {why}")]
    MayNotCreate {
        /// The address of the database.
        address: String,
        /// Why it is not created.
        why: &'static str,
    },
}

impl From<ConnectError> for ServiceError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Pooled { .. } => Self::Refused(Refusal {
                kind: RefusalKind::Pooler,
                service: None,
                message: error.to_string(),
                next: rerun(POOLER_NEXT),
            }),
            ConnectError::Bookkeeping { ref next, .. } => Self::Refused(Refusal {
                kind: RefusalKind::Bookkeeping,
                service: None,
                next: next.clone(),
                message: error.to_string(),
            }),
            error => Self::Connect(error),
        }
    }
}

impl ServiceError {
    /// The error of a statement of the engine.
    pub fn query(address: &DatabaseAddress, source: tokio_postgres::Error) -> Self {
        if is_lock_timeout(&source) {
            let held = pg_session::recent_blockers(address);
            return Self::locked(address, held);
        }
        let lost = pg_session::is_connection_lost(&source);
        let server_error = pg_session::ServerError::from_error(&source);
        let message = match &server_error {
            Some(error) => error.to_string(),
            None if lost => format!("the connection was lost ({source})"),
            // The response could not be decoded: for example, a value is not UTF-8.
            None => with_causes(&source),
        };
        let address_text = address.to_string();
        match server_error.map(|it| it.sqlstate).as_deref() {
            Some("42501") => Self::Right {
                address: address_text,
                message,
                next: ask_for_right(address.user()),
            },
            Some("25006") => Self::Right {
                address: address_text,
                message,
                next: rerun("with the address of the primary, as a role with write access"),
            },
            // Out of memory, disk or connections, or cancelled by another session: statements of the engine have no timeout.
            Some(code) if !lost && (code.starts_with("53") || code == "57014") => {
                let next = match code {
                    "57014" => "after finding out what cancels its statements",
                    _ => "after freeing resources on the server",
                };
                Diagnostic::new(
                    ExitStatus::Unavailable,
                    format!("{address}: {message}"),
                    rerun(next),
                )
                .into()
            }
            _ => Self::Query {
                address: address_text,
                message,
                lost,
            },
        }
    }

    /// The error of a lock that was not acquired in time, with its holder if known.
    pub fn locked(address: &DatabaseAddress, held: Option<String>) -> Self {
        Self::Locked {
            address: address.to_string(),
            message: match held {
                Some(holder) => format!("cannot acquire a lock: held by {holder}"),
                None => "cannot acquire a lock in time".to_owned(),
            },
        }
    }

    /// The error of a client program that stopped receiving responses from the server.
    pub fn silent(address: &DatabaseAddress, program: &str) -> Self {
        Self::Query {
            address: address.to_string(),
            message: format!("{program} was terminated: no response from the server"),
            lost: true,
        }
    }

    /// The error of creating the bookkeeping tables, with the missing privileges and how to grant them.
    pub async fn installing(
        session: &Session,
        address: &DatabaseAddress,
        source: tokio_postgres::Error,
    ) -> Self {
        let is_right = [
            SqlState::INSUFFICIENT_PRIVILEGE,
            SqlState::INVALID_SCHEMA_NAME,
        ]
        .iter()
        .any(|code| source.code() == Some(code));
        let grants = match is_right {
            true => missing_rights(session).await.unwrap_or_default(),
            false => String::new(),
        };
        match Self::query(address, source) {
            Self::Query {
                address,
                message,
                lost: false,
            }
            | Self::Right {
                address, message, ..
            } if !grants.is_empty() => Self::Right {
                address,
                message,
                next: ask_administrator(&grants),
            },
            error => error,
        }
    }

    /// Adds the SQL that grants a missing privilege.
    #[must_use]
    pub fn given_by(self, grant: impl FnOnce() -> String) -> Self {
        match self {
            Self::Right {
                address, message, ..
            } => Self::Right {
                address,
                message,
                next: ask_administrator(&grant()),
            },
            error => error,
        }
    }

    /// The error of an advisory lock that was not acquired.
    pub fn lock(target: &Target, source: LockError) -> Self {
        match source {
            LockError::Lost(source) if !pg_session::is_connection_lost(&source) => {
                let user = quote_identifier(target.address.user());
                Self::query(&target.address, source).given_by(|| {
                    format!("GRANT EXECUTE ON FUNCTION {ADVISORY_LOCK_FUNCTIONS} TO {user}")
                })
            }
            source => Self::Lock {
                address: target.address.to_string(),
                source: Box::new(source),
            },
        }
    }

    /// Whether the server was reached and returned an error.
    pub fn is_of_the_server(&self) -> bool {
        matches!(
            self,
            Self::Query { lost: false, .. } | Self::Locked { .. } | Self::Right { .. }
        )
    }

    /// Whether the connection was lost, as opposed to a server error or a refusal.
    pub fn is_connection_lost(&self) -> bool {
        match self {
            Self::Lock { source, .. } => matches!(**source, LockError::Lost(_)),
            Self::Query { lost, .. } => *lost,
            Self::Connect(_)
            | Self::Locked { .. }
            | Self::Cancelled
            | Self::Refused(_)
            | Self::Diagnosed(_)
            | Self::Right { .. }
            | Self::MayNotCreate { .. } => false,
        }
    }

    /// The error of reading a bookkeeping table, which another program may have changed.
    fn unreadable(address: &DatabaseAddress, what: &str, source: tokio_postgres::Error) -> Self {
        match Self::query(address, source) {
            Self::Right {
                address,
                message,
                next,
            } => Self::Right {
                address,
                message: format!("cannot read {what}: {message}"),
                next,
            },
            Self::Query {
                address,
                message,
                lost: false,
            } => Self::Query {
                address,
                message: format!("cannot read {what}: {message}"),
                lost: false,
            },
            Self::Locked { address, message } => Self::Locked {
                address,
                message: format!("cannot read {what}: {message}"),
            },
            error => error,
        }
    }

    /// The exit code for this error.
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Connect(error) => error.exit_status(),
            Self::Cancelled => ExitStatus::Cancelled,
            Self::Lock { source, .. } if matches!(**source, LockError::Cancelled) => {
                ExitStatus::Cancelled
            }
            Self::Lock { .. } | Self::Locked { .. } => ExitStatus::Unavailable,
            Self::Query { lost: true, .. } => ExitStatus::Unavailable,
            Self::Query { lost: false, .. } => ExitStatus::Failed,
            Self::Refused(_) | Self::Right { .. } | Self::MayNotCreate { .. } => {
                ExitStatus::Refused
            }
            Self::Diagnosed(diagnostic) => diagnostic.exit_code,
        }
    }

    /// What to do next, if the message does not already imply it.
    pub fn next(&self) -> Option<String> {
        match self {
            Self::Refused(refusal) => Some(refusal.next.clone()),
            Self::Right { next, .. } => Some(next.clone()),
            Self::Diagnosed(diagnostic) => diagnostic.next.clone(),
            Self::Lock { source, .. } if matches!(**source, LockError::TimedOut { .. }) => {
                Some(rerun("when the other run has ended"))
            }
            Self::Lock { source, .. } if matches!(**source, LockError::Lost(_)) => {
                Some(rerun(RERUN_WHEN_REACHABLE))
            }
            Self::Query { lost: true, .. } => Some(rerun(RERUN_WHEN_REACHABLE)),
            Self::Locked { .. } => Some(rerun("when that session has ended")),
            Self::Connect(error) => error.next(),
            Self::MayNotCreate { address, .. } => Some(match called().to_string() {
                call if call.contains("--create-databases") => commented(
                    call,
                    format!("after an administrator has created {address}"),
                ),
                _ => commented(
                    called().with(["--create-databases"]).to_string(),
                    "creates it; in production, an administrator must create it",
                ),
            }),
            _ => None,
        }
    }

    /// The error with its causes, in one line.
    pub fn chain(&self) -> String {
        with_causes(self)
    }

    /// The diagnostic, for an error that this one causes.
    pub fn diagnostic(&self) -> Diagnostic {
        Diagnostic {
            message: self.chain(),
            next: self.next(),
            refusal: match self {
                Self::Refused(refusal) => Some(Box::new(refusal.clone())),
                _ => None,
            },
            exit_code: self.exit_status(),
        }
    }
}
