//! One login attempt at one endpoint.
//!
//! Responsible for: TLS or plaintext in libpq's order, and the socket settings. Not for: choosing the endpoint or
//! retrying (`connect`).

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::config::{ChannelBinding as Binding, SslMode as Tls, SslNegotiation};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, NoTls};

use super::backoff::within;
use super::connection::Connection;
use super::tls::TlsClient;
use super::{ConnectError, ConnectOptions, reachability};
use domain::Phase;
use pg_address::DatabaseAddress;
use pg_address::{ChannelBinding, Endpoint, SslMode};

/// An endpoint with its name resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Socket(PathBuf),
    Address(IpAddr),
}

/// Logs in at one endpoint, with the second choice of `sslmode` allow and prefer if the first one fails.
pub(super) async fn log_in(
    address: &DatabaseAddress,
    endpoint: &Endpoint,
    place: &Place,
    tls: Option<&TlsClient>,
    options: &ConnectOptions,
) -> Result<Connection, ConnectError> {
    let _measured = Phase::Login.begin();
    let direct = address.tls().direct;
    let mut config = config(address, endpoint, place, options);
    let mode = match place {
        // libpq never asks for TLS on a socket, whatever the mode.
        Place::Socket(_) => SslMode::Disable,
        Place::Address(_) => address.tls().mode,
    };
    let (first, second) = match mode {
        SslMode::Disable => (Tls::Disable, None),
        SslMode::Allow => (Tls::Disable, Some(Tls::Require)),
        SslMode::Prefer => (Tls::Prefer, Some(Tls::Disable)),
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => (Tls::Require, None),
    };
    if direct {
        config.ssl_negotiation(SslNegotiation::Direct);
    }
    config.ssl_mode(first);
    let failure = match open(address, &config, tls, options).await {
        Ok(connection) => return Ok(connection),
        Err(failure) => failure,
    };
    let Some(second) = second else {
        return Err(failure);
    };
    let spoke_tls = tls.is_some_and(TlsClient::take_reached);
    let other_way_may_do = match &failure {
        // Unlike libpq, never fall back after a failed handshake: an attacker who disturbs it would receive the password
        // in plaintext. Fall back only if the server itself refused: after a fault that the client found (the server
        // does not know the password, no channel binding), libpq does not try the weaker mode either. If TLS was not
        // in use, plaintext is what failed.
        ConnectError::Authentication { .. } => {
            failure.code().is_some() && (first == Tls::Disable || spoke_tls)
        }
        _ => false,
    };
    if !other_way_may_do {
        return Err(failure);
    }
    config.ssl_mode(second);
    let second_failure = match open(address, &config, tls, options).await {
        Ok(connection) => return Ok(connection),
        Err(failure) => failure,
    };
    Err(more_telling(failure, second_failure))
}

/// Chooses which of two failures to report: a wrong password rather than "no pg_hba.conf entry" for the other way.
fn more_telling(first: ConnectError, second: ConnectError) -> ConnectError {
    let password = |error: &ConnectError| error.code() == Some(SqlState::INVALID_PASSWORD);
    match (&first, &second) {
        _ if password(&first) => first,
        _ if password(&second) => second,
        // Allow: without TLS the server refused, and TLS is not possible.
        (ConnectError::Authentication { .. }, ConnectError::Tls { .. }) => first,
        _ => second,
    }
}

async fn open(
    address: &DatabaseAddress,
    config: &Config,
    tls: Option<&TlsClient>,
    options: &ConnectOptions,
) -> Result<Connection, ConnectError> {
    let limit = limit(address, options);
    let opening = async {
        match tls {
            Some(tls) => {
                let (client, driver) = config.connect(tls.connector.clone()).await?;
                Ok(Connection::start(
                    address,
                    client,
                    driver,
                    Some(tls.clone()),
                    limit,
                ))
            }
            None => {
                let (client, driver) = config.connect(NoTls).await?;
                Ok(Connection::start(address, client, driver, None, limit))
            }
        }
    };
    // tokio-postgres limits only the opening of the socket; a server that accepts and then stays silent must not hang us.
    let outcome = within(limit, opening)
        .await
        .map_err(|error| ConnectError::unreachable(address, error))?;
    outcome.map_err(|error| ConnectError::classify(address, error))
}

/// The time limit of one attempt; `None` means no limit.
pub(super) fn limit(address: &DatabaseAddress, options: &ConnectOptions) -> Option<Duration> {
    Some(
        address
            .network()
            .connect_timeout
            .unwrap_or(options.connect_timeout),
    )
    .filter(|limit| !limit.is_zero())
    .map(|limit| reachability::connect_limit(address, limit))
}

fn config(
    address: &DatabaseAddress,
    endpoint: &Endpoint,
    place: &Place,
    options: &ConnectOptions,
) -> Config {
    let network = address.network();
    let mut config = Config::new();
    match place {
        Place::Socket(folder) => {
            config.host_path(folder);
        }
        Place::Address(ip) => {
            config.host(endpoint.host()).hostaddr(*ip);
        }
    }
    config
        .port(endpoint.port())
        .user(address.user())
        .dbname(address.database())
        .application_name(&options.application_name)
        .channel_binding(match address.tls().channel_binding {
            ChannelBinding::Disable => Binding::Disable,
            ChannelBinding::Prefer => Binding::Prefer,
            ChannelBinding::Require => Binding::Require,
        })
        .keepalives(!network.keepalives_off)
        .keepalives_idle(network.keepalives_idle)
        .keepalives_interval(network.keepalives_interval)
        .keepalives_retries(network.keepalives_count);
    if let Some(password) = address.password(endpoint) {
        config.password(password.expose());
    }
    if let Some(text) = &network.options {
        config.options(text);
    }
    if let Some(time) = network.tcp_user_timeout {
        config.tcp_user_timeout(time);
    }
    if let Some(limit) = limit(address, options) {
        config.connect_timeout(limit);
    }
    config
}
