//! Fills and verifies the new database, up to the point where only its name differs.

use pg_sql::quote_identifier;
use std::time::Duration;

use domain::{Anchor, Checksum, Direction, Version};
use engine::dispatch::Events;
use engine::inspect::ServiceError;
use pg_session::{Connection, SessionSettings};
use service_cli::command::Context;
use store::{Attempt, AttemptOutcome, RunIdentity, read_anchor, record_restored};
use time::OffsetDateTime;
use tokio::time::Instant;

use super::RestoreOptions;
use super::enter::Entered;
use super::error::RestoreError;
use super::event::RestoreEvent;
use super::reporter::warn;
use super::verify::{self, Verified};
use super::{name, program, properties, surroundings};
use client_program::ClientWatch;

/// How often to check that our locks are still held.
const PAUSE: Duration = Duration::from_secs(10);

/// A database that is ready to be swapped.
pub(super) struct Prepared {
    /// Its oid, which identifies it regardless of its name.
    pub oid: u32,
    /// The new name of the old database.
    pub kept: String,
    /// The number of applied migrations of all its services.
    pub applied: usize,
    /// The ends of its journal.
    pub anchors: Vec<Anchor>,
}

/// Fills and verifies the new database of one restoration.
pub(super) async fn prepare(
    context: &Context,
    entered: &Entered,
    identity: &RunIdentity,
    options: &RestoreOptions,
    events: &Events,
) -> Result<Prepared, RestoreError> {
    tokio::select! {
        prepared = fill(context, entered, identity, options, events) => prepared,
        () = until_lost(&entered.keeper) => Err(RestoreError::LockLost {
            database: entered.restoration.address().database().to_owned(),
        }),
    }
}

/// Pings the connection that holds the lock; returns when it is lost.
async fn until_lost(keeper: &Connection) {
    loop {
        tokio::time::sleep(PAUSE).await;
        // The ping waits behind a statement in progress, so a slow response is not an error.
        if keeper.client.is_closed() || keeper.client.batch_execute("").await.is_err() {
            return;
        }
    }
}

async fn fill(
    context: &Context,
    entered: &Entered,
    identity: &RunIdentity,
    options: &RestoreOptions,
    events: &Events,
) -> Result<Prepared, RestoreError> {
    let started = Instant::now();
    let (restoration, into) = (&entered.restoration, &entered.restoring);
    let client = &entered.keeper.client;
    let address = restoration.address();
    let failed = |error| RestoreError::from(ServiceError::query(address, error));
    drop_leftovers(entered).await.map_err(failed)?;
    events.service(
        restoration.service(),
        RestoreEvent::RestoreStarted {
            database: address.database().to_owned(),
            into: into.clone(),
        },
    );
    let server = &entered.examined.server;
    let tablespaces = properties::tablespaces(client).await.map_err(failed)?;
    if !tablespaces.contains(&entered.properties.tablespace) {
        let message = format!(
            "tablespace {} does not exist: using the default tablespace",
            entered.properties.tablespace
        );
        warn(events, restoration.service(), message);
    }
    let create = properties::create(into, &entered.properties, server.major(), &tablespaces);
    client.batch_execute(&create).await.map_err(failed)?;
    let oid = surroundings::database(client, into)
        .await
        .map_err(failed)?
        .map(|database| database.oid)
        .ok_or_else(|| RestoreError::LockLost {
            database: address.database().to_owned(),
        })?;
    let restored = address.with_database(into.as_str());
    let examined = &entered.examined;
    program::fill(
        &examined.program,
        restoration,
        &ClientWatch::new(context.connections(), &restored, "restore"),
        server.major(),
        options,
    )
    .await?;
    let kept = free_name(entered).await.map_err(failed)?;
    let mut applied = 0;
    let mut anchors = Vec::new();
    for (at, member) in restoration.members.iter().enumerate() {
        let mut verified = verify::history(context, member, &restored, events).await?;
        applied += verified.history.applied.len();
        let settings = SessionSettings {
            lock_timeout: context.configuration.engine().lock_timeout,
            statement_timeout: Duration::ZERO,
        };
        let failed = |error| RestoreError::from(ServiceError::query(&restored, error));
        verified.session.prepare(&settings).await.map_err(failed)?;
        if at == 0 {
            verify::objects(
                verified.session.client(),
                restoration,
                &examined.contents,
                &restored,
            )
            .await?;
            // A dump contains no statistics, and without them the first queries get poor plans.
            verified
                .session
                .client()
                .batch_execute("ANALYZE")
                .await
                .map_err(failed)?;
        }
        let duration = started.elapsed();
        record(
            entered,
            at,
            &mut verified,
            identity,
            &kept,
            duration,
            options,
        )
        .await
        .map_err(failed)?;
        let service = &member.target.service.name;
        let anchor = read_anchor(&verified.session, service)
            .await
            .map_err(failed)?;
        anchors.extend(anchor.map(|anchor| Anchor {
            database: address.database().to_owned(),
            ..anchor
        }));
    }
    // Applied last: a setting of the database could make filling it fail.
    properties::apply(client, into, &entered.properties)
        .await
        .map_err(failed)?;
    events.service(
        restoration.service(),
        RestoreEvent::RestoreVerified {
            into: into.clone(),
            applied,
            duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        },
    );
    Ok(Prepared {
        oid,
        kept,
        applied,
        anchors,
    })
}

/// Drops the databases of killed restores. Safe because we hold the lock of the restore, so no other restore is alive.
async fn drop_leftovers(entered: &Entered) -> Result<(), tokio_postgres::Error> {
    let client = &entered.keeper.client;
    let base = name::base(entered.restoration.address().database());
    for database in surroundings::names(client).await? {
        if name::base_of_restoring(&database) == Some(&base) {
            tracing::info!(%database, "dropping the leftover of a killed restore");
            let statement = drop_statement(&database);
            client.batch_execute(&statement).await?;
        }
    }
    Ok(())
}

/// The statement that drops a database being filled.
pub(super) fn drop_statement(database: &str) -> String {
    format!(
        "DROP DATABASE IF EXISTS {} WITH (FORCE)",
        quote_identifier(database)
    )
}

/// An unused name for the kept database.
async fn free_name(entered: &Entered) -> Result<String, tokio_postgres::Error> {
    let taken = surroundings::names(&entered.keeper.client).await?;
    let mut at = OffsetDateTime::now_utc();
    loop {
        let kept = name::kept(entered.restoration.address().database(), at);
        if !taken.contains(&kept) {
            return Ok(kept);
        }
        at += time::Duration::SECOND;
    }
}

/// Records the restore in the new database's journal before the swap, so that nothing remains to be done afterwards. Skipped for a
/// database without a journal.
async fn record(
    entered: &Entered,
    at: usize,
    verified: &mut Verified,
    identity: &RunIdentity,
    kept: &str,
    duration: Duration,
    options: &RestoreOptions,
) -> Result<(), tokio_postgres::Error> {
    let member = &entered.restoration.members[at];
    let head = verified
        .history
        .applied
        .iter()
        .max_by_key(|row| row.version);
    if head.is_none() && !verified.session.has_journal() {
        return Ok(());
    }
    let message = message(entered, kept, options);
    let attempt = Attempt {
        run: identity,
        service: &member.target.service.name,
        version: head.map_or(Version::new(0), |row| row.version),
        name: head.map_or("", |row| row.name.as_str()),
        direction: Direction::Up,
        checksum: head
            .and_then(|row| row.checksum)
            .unwrap_or(Checksum::new(0)),
        outcome: AttemptOutcome::Restored,
        duration,
        attempts: 1,
        statements: None,
        sqlstate: None,
        message: Some(&message),
    };
    record_restored(
        &mut verified.session,
        &member.backup.history_table,
        &attempt,
    )
    .await
}

fn message(entered: &Entered, kept: &str, options: &RestoreOptions) -> String {
    let manifest = &entered.restoration.manifest;
    let dump = entered.restoration.dump();
    let mut message = format!(
        "from backup {} of {} UTC ({} on {})",
        manifest.backup,
        at(entered.restoration.moment()),
        dump.database,
        dump.server
    );
    if entered.examined.live.is_none() {
        message.push_str("; there was no database of this name");
        return message;
    }
    if options.drop_old {
        message.push_str("; the database before was dropped");
    } else {
        message.push_str(&format!("; the database before is kept as {kept}"));
    }
    match &entered.journal_end {
        Some(Anchor {
            id,
            hash: Some(hash),
            ..
        }) => {
            message.push_str(&format!(", whose journal ends with row {id}, {hash}"));
        }
        Some(Anchor { id, .. }) => message.push_str(&format!(", whose journal ends with row {id}")),
        None => {}
    }
    message
}

/// A time for human output.
pub(super) fn at(time: OffsetDateTime) -> String {
    let form = time::macros::format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    time.to_offset(time::UtcOffset::UTC)
        .format(&form)
        .unwrap_or_default()
}
