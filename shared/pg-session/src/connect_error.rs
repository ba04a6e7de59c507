//! Why a connection could not be opened: the causes, each with its exit code and the next step.

use pg_sql::quote_identifier;
use std::error::Error;
use std::io;

use tokio_postgres::error::SqlState;

use super::OLDEST_SUPPORTED;
use super::tls::TlsSetupError;
use super::tls_failure::TlsFailure;
use domain::{Diagnostic, ExitStatus, Refusal, RefusalKind, ServerError, in_sql, rerun};
use pg_address::DatabaseAddress;

/// Why a transaction-mode pooler is refused.
const POOLED: &str = "connected through a transaction-mode pooler, which reassigns the server process between transactions: \
    session locks and settings do not hold; nothing was changed";

/// What to do about a transaction-mode pooler.
const POOLER_NEXT: &str = "with the address of the server itself, or of a session-mode pooler";

type Source = Box<dyn Error + Send + Sync>;

/// Why a connection could not be opened. No message holds a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    #[error("cannot reach {address}")]
    Unreachable {
        address: String,
        /// The error of the network.
        #[source]
        source: Source,
    },
    /// The server, the database or the user has no free connection (53300).
    #[error("{address} has no free connection after {attempts} attempts")]
    TooManyConnections {
        address: String,
        attempts: u32,
        #[source]
        source: Box<ServerError>,
    },
    /// The server starts up, shuts down or recovers (57P03).
    #[error("{address} still does not accept connections after {attempts} attempts")]
    NotReady {
        address: String,
        attempts: u32,
        #[source]
        source: Box<ServerError>,
    },
    /// The database does not exist (3D000).
    #[error("database \"{database}\" does not exist at {address}")]
    DatabaseMissing {
        address: String,
        database: String,
        #[source]
        source: Box<ServerError>,
    },
    /// The server rejected the user (28P01, 28000), or the login failed on our side.
    #[error("{address} refused the login")]
    Authentication {
        address: String,
        /// What to do next.
        advice: &'static str,
        /// The error of the server, or of this program.
        #[source]
        source: Source,
    },
    #[error("cannot establish a TLS connection to {address}")]
    Tls {
        address: String,
        /// What to do next.
        advice: &'static str,
        /// What went wrong.
        #[source]
        source: Source,
    },
    #[error("cannot use the connection settings of {address}")]
    Configuration {
        address: String,
        /// What is wrong with them.
        #[source]
        source: Source,
    },
    /// The server is up but does not match `target_session_attrs`.
    #[error("{address} does not match target_session_attrs={wanted}")]
    WrongServer {
        address: String,
        /// The required kind.
        wanted: &'static str,
    },
    #[error(
        "{address} runs PostgreSQL {major}, which is not supported; supported versions: {OLDEST_SUPPORTED} and newer"
    )]
    TooOld {
        address: String,
        /// Its major version.
        major: u32,
    },
    #[error("{address}: {}", POOLED)]
    Pooled { address: String },
    /// A privilege is missing (42501).
    #[error("{address}: the role lacks a privilege")]
    Right {
        address: String,
        /// The role, quoted.
        user: String,
        /// What to do next.
        next: String,
        #[source]
        source: Box<ServerError>,
    },
    /// An object with the name of one of our tables is not ours, or may not be read.
    #[error("{address}: {message}")]
    Bookkeeping {
        address: String,
        /// What it is, and why it cannot be used.
        message: String,
        /// What to do next.
        next: String,
    },
    /// Anything else.
    #[error("cannot connect to {address}")]
    Other {
        address: String,
        database: String,
        /// The error of the server, or of this program.
        #[source]
        source: Source,
    },
}

impl ConnectError {
    /// The error of the server, if it sent one.
    #[must_use]
    pub fn server_error(&self) -> Option<&ServerError> {
        match self {
            Self::TooManyConnections { source, .. }
            | Self::NotReady { source, .. }
            | Self::DatabaseMissing { source, .. }
            | Self::Right { source, .. } => Some(source),
            Self::Unreachable { source, .. }
            | Self::Authentication { source, .. }
            | Self::Tls { source, .. }
            | Self::Configuration { source, .. }
            | Self::Other { source, .. } => source.downcast_ref(),
            Self::WrongServer { .. }
            | Self::TooOld { .. }
            | Self::Pooled { .. }
            | Self::Bookkeeping { .. } => None,
        }
    }

    /// The SQLSTATE, if the server gave one.
    #[must_use]
    pub fn code(&self) -> Option<SqlState> {
        self.server_error().map(ServerError::code)
    }

    /// Whether retrying soon may help (53300, 57P03).
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::TooManyConnections { .. } | Self::NotReady { .. }
        )
    }

    /// Whether no server answered.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// The diagnostic: a wrong setting, a refusal, or a transient condition.
    pub fn diagnostic(&self) -> Diagnostic {
        use ExitStatus::{Refused, Unavailable, Usage};
        let (exit_code, next) = match self {
            Self::Unreachable { .. } => (
                Unavailable,
                rerun(
                    "first check host and port, and that the server is running and accepts connections from this machine",
                ),
            ),
            Self::TooManyConnections { .. } => (
                Unavailable,
                rerun("first end other sessions there, or raise the limit that the server names"),
            ),
            Self::NotReady { .. } => (Unavailable, rerun("when the server is up")),
            Self::DatabaseMissing { database, .. } => (
                Usage,
                in_sql(
                    format!("CREATE DATABASE {}", quote_identifier(database)),
                    "as an administrator, unless its name is wrong",
                ),
            ),
            Self::Authentication { advice, .. } | Self::Tls { advice, .. } => {
                (Usage, rerun(format!("first {advice}")))
            }
            Self::Configuration { .. } => (
                Usage,
                rerun("first correct the address, or the files that it names"),
            ),
            Self::WrongServer { .. } => (
                Unavailable,
                rerun("first add the right host to the address, or change target_session_attrs"),
            ),
            Self::TooOld { .. } => (Usage, rerun("after an upgrade of the server")),
            Self::Right { next, .. } => (Refused, next.clone()),
            Self::Pooled { .. } => return self.refusal(RefusalKind::Pooler, rerun(POOLER_NEXT)),
            Self::Bookkeeping { next, .. } => {
                return self.refusal(RefusalKind::Bookkeeping, next.clone());
            }
            Self::Other {
                source, database, ..
            } => other(source.downcast_ref(), database),
        };
        Diagnostic::of(exit_code, self, Some(next))
    }

    fn refusal(&self, kind: RefusalKind, next: String) -> Diagnostic {
        let message = self.to_string();
        let refusal = Refusal {
            kind,
            service: None,
            message,
            next,
        };
        refusal.into()
    }

    /// Classifies the error of a statement that creates a database.
    #[must_use]
    pub fn creating(address: &DatabaseAddress, error: tokio_postgres::Error) -> Self {
        Self::classify(address, error).given_by(|user| format!("ALTER ROLE {user} CREATEDB"))
    }

    /// If a privilege is missing, sets the SQL that grants it to a role, whose name is quoted.
    pub(super) fn given_by(mut self, sql: impl FnOnce(&str) -> String) -> Self {
        if let Self::Right { next, user, .. } = &mut self {
            *next = ask_administrator(&sql(user));
        }
        self
    }

    /// Whether another host of the same address may succeed.
    pub(super) fn concerns_one_host(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::NotReady { .. } | Self::WrongServer { .. }
        )
    }

    pub(super) fn with_attempts(mut self, count: u32) -> Self {
        if let Self::TooManyConnections { attempts, .. } | Self::NotReady { attempts, .. } =
            &mut self
        {
            *attempts = count;
        }
        self
    }

    pub(super) fn unreachable(address: &DatabaseAddress, error: io::Error) -> Self {
        Self::Unreachable {
            address: address.to_string(),
            source: Box::new(error),
        }
    }

    pub(super) fn configuration(address: &DatabaseAddress, error: TlsSetupError) -> Self {
        Self::Configuration {
            address: address.to_string(),
            source: Box::new(error),
        }
    }

    pub(super) fn classify(address: &DatabaseAddress, error: tokio_postgres::Error) -> Self {
        let name = address.to_string();
        if let Some(said) = ServerError::from_error(&error) {
            let source = Box::new(said);
            return match source.code() {
                SqlState::TOO_MANY_CONNECTIONS => Self::TooManyConnections {
                    address: name,
                    attempts: 1,
                    source,
                },
                SqlState::CANNOT_CONNECT_NOW => Self::NotReady {
                    address: name,
                    attempts: 1,
                    source,
                },
                SqlState::UNDEFINED_DATABASE => Self::DatabaseMissing {
                    address: name,
                    database: address.database().to_owned(),
                    source,
                },
                SqlState::INSUFFICIENT_PRIVILEGE => {
                    let user = quote_identifier(address.user());
                    let database = quote_identifier(address.database());
                    Self::Right {
                        address: name,
                        next: match source.severity.as_str() {
                            "FATAL" => ask_administrator(&format!(
                                "GRANT CONNECT ON DATABASE {database} TO {user}"
                            )),
                            _ => ask_for_right(address.user()),
                        },
                        user,
                        source,
                    }
                }
                code if code.code().starts_with("28") => {
                    let advice = match code {
                        SqlState::INVALID_PASSWORD => {
                            "check user and password, and whether the password has expired (VALID UNTIL)"
                        }
                        _ => "check the user, sslmode, and pg_hba.conf on the server",
                    };
                    Self::Authentication {
                        address: name,
                        advice,
                        source,
                    }
                }
                _ => Self::Other {
                    address: name,
                    database: address.database().to_owned(),
                    source,
                },
            };
        }
        // tokio-postgres keeps the kind of its errors private: their text is the only indication. A test for each kind
        // fails when the text changes.
        let kind = error.to_string();
        let connection_gone = error.is_closed();
        let source = error.into_source().unwrap_or_else(|| kind.clone().into());
        match kind.as_str() {
            // A network failure during the handshake is not a TLS error.
            _ if tls_failure(source.as_ref()).is_some_and(|failure| failure.is_network) => {
                Self::Unreachable {
                    address: name,
                    source,
                }
            }
            kind if kind == "error performing TLS handshake"
                || tls_failure(source.as_ref()).is_some() =>
            {
                Self::Tls {
                    address: name,
                    advice: tls_advice(address, source.as_ref()),
                    source,
                }
            }
            "invalid configuration" if source.to_string() == "password missing" => {
                Self::Authentication {
                    address: name,
                    advice: "set a password in the address, in PGPASSWORD or in ~/.pgpass",
                    source,
                }
            }
            "authentication error" => Self::Authentication {
                address: name,
                advice: "check the password, channel_binding, and the methods in pg_hba.conf on the server",
                source,
            },
            "error connecting to server"
            | "error communicating with the server"
            | "timeout waiting for server" => Self::Unreachable {
                address: name,
                source,
            },
            _ if connection_gone => Self::Unreachable {
                address: name,
                source,
            },
            _ => Self::Other {
                address: name,
                database: address.database().to_owned(),
                source,
            },
        }
    }
}

/// The next step if a privilege is missing that this SQL grants.
pub fn ask_administrator(sql: &str) -> String {
    in_sql(sql, "as an administrator")
}

/// The next step if only the message of the server names the privilege.
pub fn ask_for_right(user: &str) -> String {
    rerun(format!(
        "first have an administrator grant role {} the privilege that the server names",
        quote_identifier(user)
    ))
}

/// Whether waiting may help with an error of the server, and the next step.
fn other(said: Option<&ServerError>, database: &str) -> (ExitStatus, String) {
    let correct = || {
        let next = rerun("first correct the address, or what the server names");
        (ExitStatus::Usage, next)
    };
    match said.map(ServerError::code) {
        // A pooler uses this code for every error: only this text, which is the same in all versions of pgbouncer, is permanent.
        Some(SqlState::PROTOCOL_VIOLATION)
            if said.is_some_and(|it| it.message.starts_with("unsupported startup parameter")) =>
        {
            correct()
        }
        // The database accepts no connections (ALLOW_CONNECTIONS false).
        Some(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE) => {
            let database = quote_identifier(database);
            let sql = format!("ALTER DATABASE {database} ALLOW_CONNECTIONS true");
            (ExitStatus::Refused, ask_administrator(&sql))
        }
        Some(code)
            if ["0A", "22", "26", "3D", "3F", "42"]
                .iter()
                .any(|class| code.code().starts_with(class)) =>
        {
            correct()
        }
        _ => (ExitStatus::Unavailable, rerun("first check the server log")),
    }
}

fn tls_advice(address: &DatabaseAddress, source: &(dyn Error + 'static)) -> &'static str {
    match tls_failure(source) {
        Some(failure) => failure.advice,
        None if address.tls().required_in_production => {
            "enable TLS on the server (ssl = on), or set `require_tls = false` under [production] if the network is trusted"
        }
        None => {
            "enable TLS on the server (ssl = on), or use sslmode=prefer if the network is trusted"
        }
    }
}

/// The TLS failure that caused an error, in the handshake or after it.
fn tls_failure<'a>(source: &'a (dyn Error + 'static)) -> Option<&'a TlsFailure> {
    source.downcast_ref().or_else(|| {
        let inner = source.downcast_ref::<io::Error>()?.get_ref()?;
        inner.downcast_ref()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_full_or_starting_server_is_worth_waiting_for() {
        let address = DatabaseAddress::local("localhost", 1, "u", "d");
        assert!(!ConnectError::unreachable(&address, io::Error::other("x")).is_transient());
    }
}
