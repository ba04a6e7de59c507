//! Opening a connection.
//!
//! Responsible for: trying the hosts of an address, and waiting for a server that is full or starting. Every connection
//! is opened here, and has our settings (`own_session`). Not for: one login (`attempt`).

use std::io;
use std::time::{Duration, Instant};

use tokio_postgres::SimpleQueryMessage;

use super::attempt::{self, Place};
use super::backoff::{Backoff, within};
use super::connection::Connection;
use super::tls::TlsClient;
use super::{
    ConnectError, ConnectOptions as Options, own_session, reachability, shutdown_timeouts, stall,
};
use pg_address::DatabaseAddress;
use pg_address::{Endpoint, SessionTarget, SslMode, Transport};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How to open a connection.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// The name of the session in `pg_stat_activity`; an `application_name` of the address is for psql only, because
    /// other runs recognize ours by this name.
    pub application_name: String,
    /// The limit for each attempt, login included; zero means no limit. A limit in the address takes precedence.
    pub connect_timeout: Duration,
    /// How long to retry while the server has no free connection or starts up; zero means one attempt.
    pub retry_for: Duration,
    /// After how long without a response a connection is checked from a second one; zero means never.
    pub patience: Duration,
}

/// Opens a connection to the first host of the address that lets us in.
///
/// # Errors
/// [`ConnectError`] distinguishes the causes. Only "too many connections" (53300) and "cannot connect now" (57P03) are
/// retried.
pub async fn connect(
    address: &DatabaseAddress,
    options: &Options,
) -> Result<Connection, ConnectError> {
    connect_and_ask(address, options, "").await
}

/// The same, and sends `question` with the first message: statements that run under our settings. Their answers, in one list, are
/// [`Connection::answers`].
pub(super) async fn connect_and_ask(
    address: &DatabaseAddress,
    options: &Options,
    question: &str,
) -> Result<Connection, ConnectError> {
    let over_tcp = address
        .endpoints()
        .iter()
        .any(|endpoint| !matches!(endpoint.transport(), Transport::Socket(_)));
    let tls = if over_tcp && address.tls().mode != SslMode::Disable {
        Some(
            TlsClient::new(address.tls())
                .map_err(|error| ConnectError::configuration(address, error))?,
        )
    } else {
        None
    };
    let started = Instant::now();
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    let mut attempts = 1;
    loop {
        let begun = Instant::now();
        let failure = match connect_once(address, tls.as_ref(), options, question).await {
            Ok(mut connection) => {
                stall::begin(&mut connection, options);
                reachability::reached(address, begun.elapsed());
                return Ok(connection);
            }
            Err(failure) => failure.with_attempts(attempts),
        };
        if failure.is_unreachable() {
            reachability::fell_silent(address);
        }
        let left = options.retry_for.saturating_sub(started.elapsed());
        if !failure.is_transient() || left.is_zero() || shutdown_timeouts::are_shortened() {
            return Err(failure);
        }
        tokio::time::sleep(backoff.next_pause().min(left)).await;
        attempts += 1;
    }
}

/// Tries every host, and every IP address of a name, until one lets us in or refuses for a reason of its own.
async fn connect_once(
    address: &DatabaseAddress,
    tls: Option<&TlsClient>,
    options: &Options,
    question: &str,
) -> Result<Connection, ConnectError> {
    let mut endpoints: Vec<&Endpoint> = address.endpoints().iter().collect();
    if address.network().shuffle_hosts {
        fastrand::shuffle(&mut endpoints);
    }
    let mut failure: Option<ConnectError> = None;
    for endpoint in endpoints {
        let places = match places(address, endpoint, options).await {
            Ok(places) => places,
            Err(error) => {
                failure = Some(worth_telling(failure, error));
                continue;
            }
        };
        for place in &places {
            // Boxed: a login is a large future, and there are two of them.
            let log_in = || Box::pin(attempt::log_in(address, endpoint, place, tls, options));
            let outcome = Box::pin(async {
                let connection = log_in().await?;
                let second = log_in();
                let connection =
                    own_session::begin(address, connection, options, second, question).await?;
                right_server(address, connection, options).await
            });
            let outcome = outcome.await;
            match outcome {
                Ok(connection) => return Ok(connection),
                Err(error) if error.concerns_one_host() => {
                    failure = Some(worth_telling(failure, error))
                }
                Err(error) => return Err(error),
            }
        }
    }
    Err(failure.unwrap_or_else(|| {
        ConnectError::unreachable(address, io::Error::other("the address has no host"))
    }))
}

/// Chooses which failure of several hosts to report: a transient one rather than a permanent one.
fn worth_telling(earlier: Option<ConnectError>, later: ConnectError) -> ConnectError {
    match earlier {
        Some(earlier) if earlier.is_transient() && !later.is_transient() => earlier,
        _ => later,
    }
}

async fn places(
    address: &DatabaseAddress,
    endpoint: &Endpoint,
    options: &Options,
) -> Result<Vec<Place>, ConnectError> {
    let name = match endpoint.transport() {
        Transport::Socket(folder) => return Ok(vec![Place::Socket(folder.to_owned())]),
        Transport::Address(ip) => return Ok(vec![Place::Address(ip)]),
        Transport::Name(name) => name,
    };
    let looking = tokio::net::lookup_host((name, endpoint.port()));
    let found = within(attempt::limit(address, options), looking).await;
    let mut places: Vec<Place> = found
        .flatten()
        .map_err(|error| ConnectError::unreachable(address, error))?
        .map(|found| Place::Address(found.ip()))
        .collect();
    places.dedup();
    if address.network().shuffle_hosts {
        fastrand::shuffle(&mut places);
    }
    Ok(places)
}

/// Checks the connection against `target_session_attrs`.
async fn right_server(
    address: &DatabaseAddress,
    connection: Connection,
    options: &Options,
) -> Result<Connection, ConnectError> {
    let wanted = address.network().session_target;
    let (question, answer) = match wanted {
        SessionTarget::Any => return Ok(connection),
        SessionTarget::ReadWrite => ("SHOW transaction_read_only", "off"),
        SessionTarget::ReadOnly => ("SHOW transaction_read_only", "on"),
        SessionTarget::Primary => ("SELECT pg_catalog.pg_is_in_recovery()", "f"),
        SessionTarget::Standby => ("SELECT pg_catalog.pg_is_in_recovery()", "t"),
    };
    let asking = connection.client.simple_query(question);
    let answers = within(attempt::limit(address, options), asking)
        .await
        .map_err(|error| ConnectError::unreachable(address, error))?;
    let answers = answers.map_err(|error| ConnectError::classify(address, error))?;
    let fits = answers.iter().any(
        |message| matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some(answer)),
    );
    if fits {
        Ok(connection)
    } else {
        Err(ConnectError::WrongServer {
            address: address.to_string(),
            wanted: wanted.as_str(),
        })
    }
}
