//! Creating a missing database, and dropping a scratch one.

use std::time::Duration;

use tokio_postgres::error::SqlState;

use super::connection::no_answer;
use super::history::quote_identifier;
use super::stall::{self, Pulse};
use super::{ConnectError, ConnectOptions, Connection, attempt, connect};
use crate::config::DatabaseAddress;

/// Databases to connect to while the wanted one does not exist.
const MAINTENANCE: [&str; 2] = ["postgres", "template1"];

/// Connects to the server of an address, whatever database that names.
pub(super) async fn connect_to_maintenance(
    address: &DatabaseAddress,
    options: &ConnectOptions,
) -> Result<Connection, ConnectError> {
    match connect(&address.with_database(MAINTENANCE[0]), options).await {
        Err(ConnectError::DatabaseMissing { .. }) => {
            connect(&address.with_database(MAINTENANCE[1]), options).await
        }
        connected => connected,
    }
}

/// Creates the address's database from `template0`, so that nothing left in `template1` gets in.
///
/// Gives whether it was created here; "already exists" from a race is success.
pub(super) async fn create_database(
    address: &DatabaseAddress,
    options: &ConnectOptions,
    patience: Duration,
) -> Result<bool, ConnectError> {
    let connection = connect_to_maintenance(address, options).await?;
    let looking = Pulse::of(&connection, address);
    // What tells a silent connection is not known yet: a limit has to do.
    let pulse = match attempt::limit(address, options) {
        Some(limit) => tokio::time::timeout(limit, looking)
            .await
            .map_err(|_| ConnectError::unreachable(address, no_answer(limit)))?,
        None => looking.await,
    }
    .map_err(|error| ConnectError::classify(address, error))?;
    let statement = format!(
        "CREATE DATABASE {} TEMPLATE template0",
        quote_identifier(address.database())
    );
    let creating = connection.client.batch_execute(&statement);
    let created = stall::watch(&pulse, options, patience, creating).await;
    match created {
        Ok(()) => Ok(true),
        // 42P04; two at once can also collide in the catalog's unique index (23505).
        Err(error)
            if error.code() == Some(&SqlState::DUPLICATE_DATABASE)
                || error.code() == Some(&SqlState::UNIQUE_VIOLATION) =>
        {
            Ok(false)
        }
        Err(error) => Err(ConnectError::classify(address, error)),
    }
}

/// Drops the address's database, ending the sessions in it.
pub(super) async fn drop_database(
    address: &DatabaseAddress,
    options: &ConnectOptions,
) -> Result<(), ConnectError> {
    let connection = connect_to_maintenance(address, options).await?;
    connection
        .client
        .batch_execute(&format!(
            "DROP DATABASE IF EXISTS {} WITH (FORCE)",
            quote_identifier(address.database())
        ))
        .await
        .map_err(|error| ConnectError::classify(address, error))
}
