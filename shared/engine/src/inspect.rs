//! Inspects a service's database: whether it exists, and its history. Writes nothing.

use pg_sql::quote_identifier;
use std::sync::Arc;

use tokio_postgres::error::SqlState;

use domain::History;
use domain::{
    Diagnostic, ExitStatus, Refusal, ServerError, Service, called, commented, rerun, with_causes,
};
use pg_address::DatabaseAddress;
use pg_session::{
    ADVISORY_LOCK_FUNCTIONS, ConnectError, Connections, LockError, Session, ask_administrator,
    ask_for_right, is_connection_lost, recent_blockers,
};
use store::{
    hidden_legacy_table, missing_rights, read_adoption, read_history, read_legacy_versions,
};

/// What to do about a lost connection.
const RERUN_WHEN_REACHABLE: &str = "once the server is reachable";

/// One service and its database.
#[derive(Clone, Debug)]
pub struct Target {
    /// The service to migrate.
    pub service: Arc<Service>,
    pub address: DatabaseAddress,
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

/// Why a service cannot be inspected or migrated, other than a failed step.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The connection failed.
    #[error(transparent)]
    Connect(ConnectError),
    /// The connection was lost.
    #[error(transparent)]
    Lost(Diagnostic),
    /// The user cancelled.
    #[error("cancelled")]
    Cancelled,
    /// Continuing would not be safe.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Any other error.
    #[error(transparent)]
    Diagnosed(#[from] Diagnostic),
}

impl From<ConnectError> for ServiceError {
    fn from(error: ConnectError) -> Self {
        match error.diagnostic().refusal {
            Some(refusal) => Self::Refused(*refusal),
            None => Self::Connect(error),
        }
    }
}

impl From<ServiceError> for Diagnostic {
    fn from(error: ServiceError) -> Self {
        error.diagnostic()
    }
}

impl ServiceError {
    /// The diagnostic.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            Self::Connect(error) => error.diagnostic(),
            Self::Lost(diagnostic) | Self::Diagnosed(diagnostic) => diagnostic.clone(),
            Self::Cancelled => Diagnostic::of(ExitStatus::Cancelled, self, None),
            Self::Refused(refusal) => refusal.clone().into(),
        }
    }

    /// The exit code.
    pub fn exit_code(&self) -> ExitStatus {
        self.diagnostic().exit_code
    }

    /// The error of a statement of the engine.
    pub fn query(address: &DatabaseAddress, source: tokio_postgres::Error) -> Self {
        let is_lost = is_connection_lost(&source);
        let server_error = ServerError::from_error(&source);
        let message = match &server_error {
            Some(error) => error.to_string(),
            None if is_lost => format!("the connection was lost ({source})"),
            // The response could not be decoded: for example, a value is not UTF-8.
            None => with_causes(&source),
        };
        let (message, exit_code, next) = match server_error.as_ref().map(ServerError::code) {
            // `lock_timeout`, NOWAIT, or a deadlock.
            Some(SqlState::LOCK_NOT_AVAILABLE | SqlState::T_R_DEADLOCK_DETECTED) => {
                locked(recent_blockers(address))
            }
            Some(SqlState::INSUFFICIENT_PRIVILEGE) => {
                let next = ask_for_right(address.user());
                (message, ExitStatus::Refused, Some(next))
            }
            Some(SqlState::READ_ONLY_SQL_TRANSACTION) => {
                let next = rerun("with the address of the primary, as a role with write access");
                (message, ExitStatus::Refused, Some(next))
            }
            _ if is_lost => {
                let next = rerun(RERUN_WHEN_REACHABLE);
                (message, ExitStatus::Unavailable, Some(next))
            }
            // Statements of the engine have no timeout: another session cancels them.
            Some(SqlState::QUERY_CANCELED) => {
                let next = rerun("after finding out what cancels its statements");
                (message, ExitStatus::Unavailable, Some(next))
            }
            // Out of memory, disk or connections.
            Some(code) if code.code().starts_with("53") => {
                let next = rerun("after freeing resources on the server");
                (message, ExitStatus::Unavailable, Some(next))
            }
            _ => (message, ExitStatus::Failed, None),
        };
        let diagnostic = Diagnostic {
            server_error: server_error.map(Box::new),
            next,
            ..Diagnostic::bare(exit_code, format!("{address}: {message}"))
        };
        match is_lost {
            true => Self::Lost(diagnostic),
            false => Self::Diagnosed(diagnostic),
        }
    }

    /// The error of a lock that was not acquired in time, with its holder if known.
    pub fn locked(address: &DatabaseAddress, held: Option<String>) -> Self {
        let (message, exit_code, next) = locked(held);
        Self::Diagnosed(Diagnostic {
            next,
            ..Diagnostic::bare(exit_code, format!("{address}: {message}"))
        })
    }

    /// The error of a client program that stopped receiving responses from the server.
    pub fn silent(address: &DatabaseAddress, program: &str) -> Self {
        Self::Lost(Diagnostic::new(
            ExitStatus::Unavailable,
            format!("{address}: {program} was terminated: no response from the server"),
            rerun(RERUN_WHEN_REACHABLE),
        ))
    }

    /// The error of a database that does not exist, and is not created for this reason.
    pub fn missing(address: &DatabaseAddress, why: &str) -> Self {
        let call = called().to_string();
        let next = if call.contains("--create-databases") {
            commented(
                call,
                format!("after an administrator has created {address}"),
            )
        } else {
            commented(
                called().with(["--create-databases"]).to_string(),
                "creates it; in production, an administrator must create it",
            )
        };
        let message =
            format!("{address}: the database does not exist, and it is not created {why}");
        Diagnostic::new(ExitStatus::Refused, message, next).into()
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
            Self::Diagnosed(diagnostic) if !grants.is_empty() => Self::Diagnosed(Diagnostic {
                exit_code: ExitStatus::Refused,
                ..diagnostic.with_next(ask_administrator(&grants))
            }),
            error => error,
        }
    }

    /// Adds the SQL that grants a missing privilege.
    #[must_use]
    pub fn given_by(self, grant: impl FnOnce() -> String) -> Self {
        match self {
            Self::Diagnosed(error) if error.code() == Some(SqlState::INSUFFICIENT_PRIVILEGE) => {
                error.with_next(ask_administrator(&grant())).into()
            }
            error => error,
        }
    }

    /// The error of an advisory lock that was not acquired.
    pub fn lock(target: &Target, source: LockError) -> Self {
        let address = &target.address;
        match source {
            LockError::Lost(source) => Self::query(address, source).given_by(|| {
                let user = quote_identifier(address.user());
                format!("GRANT EXECUTE ON FUNCTION {ADVISORY_LOCK_FUNCTIONS} TO {user}")
            }),
            LockError::Cancelled => Self::Cancelled,
            LockError::TimedOut { .. } => Diagnostic::new(
                ExitStatus::Unavailable,
                format!("{address}: {source}"),
                rerun("when the other run has ended"),
            )
            .into(),
        }
    }

    /// Whether the server was reached and returned an error.
    pub fn is_of_the_server(&self) -> bool {
        matches!(self, Self::Diagnosed(diagnostic) if diagnostic.server_error.is_some())
    }

    /// Whether the connection was lost, as opposed to a server error or a refusal.
    pub fn is_connection_lost(&self) -> bool {
        matches!(self, Self::Lost(_))
    }

    /// The error of reading a bookkeeping table, which another program may have changed.
    fn unreadable(address: &DatabaseAddress, what: &str, source: tokio_postgres::Error) -> Self {
        match Self::query(address, source) {
            Self::Diagnosed(diagnostic) => diagnostic
                .within(format!("{address}: cannot read {what}"))
                .into(),
            error => error,
        }
    }
}

/// The message, the exit code and the next command of a lock that was not acquired in time.
fn locked(held: Option<String>) -> (String, ExitStatus, Option<String>) {
    let message = match held {
        Some(holder) => format!("cannot acquire a lock: held by {holder}"),
        None => "cannot acquire a lock in time".to_owned(),
    };
    let next = rerun("when that session has ended");
    (message, ExitStatus::Unavailable, Some(next))
}
