//! Creates missing databases and drops scratch databases.

use pg_sql::quote_identifier;
use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::error::SqlState;

use super::{ConnectError, ConnectOptions, Connection, connect, shutdown_timeouts};
use domain::{Phase, with_causes};
use pg_address::DatabaseAddress;

/// How long a database that is being dropped may still be used by ending sessions.
const BUSY_FOR: Duration = Duration::from_secs(10);

/// Between two attempts to drop it.
const BUSY_PAUSE: Duration = Duration::from_millis(250);

/// Databases to connect to while the target database does not exist.
const MAINTENANCE: [&str; 2] = ["postgres", "template1"];

/// Connects to the server of an address, regardless of its database.
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

/// Creates the address's database from `template0`, so that nothing from `template1` is copied.
///
/// Returns whether it was created here; "already exists" after a race counts as success.
pub(super) async fn create_database(
    address: &DatabaseAddress,
    options: &ConnectOptions,
) -> Result<bool, ConnectError> {
    let connection = connect_to_maintenance(address, options).await?;
    let statement = format!(
        "CREATE DATABASE {} TEMPLATE template0{}",
        quote_identifier(address.database()),
        copy_strategy(&connection).await,
    );
    let measured = Phase::Create.begin();
    let created = connection.client.batch_execute(&statement).await;
    drop(measured);
    match created {
        Ok(()) => {
            if connection.login.major < 15 {
                // One connection at a time: the number of connections is limited.
                drop(connection);
                close_public(address, options).await;
            }
            Ok(true)
        }
        // 42P04; two at once can also collide in the catalog's unique index (23505).
        Err(error)
            if error.code() == Some(&SqlState::DUPLICATE_DATABASE)
                || error.code() == Some(&SqlState::UNIQUE_VIOLATION) =>
        {
            Ok(false)
        }
        Err(error) => Err(ConnectError::creating(address, error)),
    }
}

/// The option that makes `CREATE DATABASE` copy the template's files on a server that does not flush to the disk. This takes a
/// quarter of the time of the default, which writes each page to the WAL. With `fsync`, its two checkpoints and
/// hundreds of flushes would take longer and slow down other sessions.
pub async fn copy_strategy(connection: &Connection) -> &'static str {
    if connection.login.major < 15 {
        return "";
    }
    let query = "SELECT pg_catalog.current_setting('fsync')";
    match connection.client.simple_query(query).await {
        Ok(messages)
            if messages.iter().any(|message| {
                matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some("off"))
            }) =>
        {
            " STRATEGY file_copy"
        }
        // The default works on every server.
        _ => "",
    }
}

/// Before PostgreSQL 15, every role may create objects in schema `public`, including functions and operators
/// that migrations would find there.
async fn close_public(address: &DatabaseAddress, options: &ConnectOptions) {
    let closing = async {
        let connection = connect(address, options).await?;
        connection
            .client
            .batch_execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
            .await
            .map_err(|error| ConnectError::classify(address, error))
    };
    if let Err(error) = closing.await {
        tracing::warn!(%address, error = %with_causes(&error), "cannot revoke CREATE on schema public from PUBLIC: every role can create objects in it");
    }
}

/// Drops the address's database, ending the sessions in it.
pub(super) async fn drop_database(
    address: &DatabaseAddress,
    options: &ConnectOptions,
) -> Result<(), ConnectError> {
    let connection = connect_to_maintenance(address, options).await?;
    let statement = format!(
        "DROP DATABASE IF EXISTS {} WITH (FORCE)",
        quote_identifier(address.database())
    );
    let deadline = Instant::now() + BUSY_FOR;
    loop {
        match connection.client.batch_execute(&statement).await {
            // 42501: an autovacuum worker uses it, which only a superuser may terminate; it ends by itself.
            // 55006: a session has not ended yet.
            Err(error)
                if (error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE)
                    || error.code() == Some(&SqlState::OBJECT_IN_USE))
                    && !shutdown_timeouts::are_shortened()
                    && Instant::now() < deadline =>
            {
                shutdown_timeouts::pause(BUSY_PAUSE).await;
            }
            dropped => {
                return dropped.map_err(|error| {
                    ConnectError::classify(address, error).given_by(|user| {
                        let database = quote_identifier(address.database());
                        format!("ALTER DATABASE {database} OWNER TO {user}")
                    })
                });
            }
        }
    }
}
