//! Filling the new database beside the old one, up to the point where only its name is wrong.

use std::time::Duration;

use catalog::quote;
use shared::command::Context;
use shared::domain::{Anchor, Checksum, Direction, EventKind, Version};
use shared::inspect::ServiceError;
use shared::postgres::{
    Attempt, AttemptOutcome, Connection, RunIdentity, SessionSettings, read_anchor, record_restored,
};
use time::OffsetDateTime;
use tokio::time::Instant;

use super::RestoreOptions;
use super::enter::Entered;
use super::error::RestoreError;
use super::reporter::Say;
use super::verify::{self, Verified};
use super::{name, program, properties, surroundings};
use crate::client_watch::ClientWatch;

/// How often the server is asked whether our locks are still held.
const PAUSE: Duration = Duration::from_secs(10);

/// A database that is ready to be swapped.
pub(super) struct Prepared {
    /// Its oid, by which it is known whatever its name.
    pub oid: u32,
    /// What the old one will be called.
    pub kept: String,
    /// How many migrations are applied in it, all its services together.
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
    say: &Say,
) -> Result<Prepared, RestoreError> {
    tokio::select! {
        prepared = fill(context, entered, identity, options, say) => prepared,
        () = until_lost(&entered.keeper) => Err(RestoreError::LockLost {
            database: entered.restoration.address().database().to_owned(),
        }),
    }
}

/// Speaks now and then on the connection that holds the lock; ends when it is lost.
async fn until_lost(keeper: &Connection) {
    loop {
        tokio::time::sleep(PAUSE).await;
        // Behind a statement that takes long, the answer takes as long.
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
    say: &Say,
) -> Result<Prepared, RestoreError> {
    let started = Instant::now();
    let (restoration, into) = (&entered.restoration, &entered.restoring);
    let client = &entered.keeper.client;
    let address = restoration.address();
    let failed = |error| RestoreError::from(ServiceError::query(address, error));
    drop_leftovers(entered).await.map_err(failed)?;
    say.service(
        restoration.service(),
        EventKind::RestoreStarted {
            database: address.database().to_owned(),
            into: into.clone(),
        },
    );
    let server = &entered.examined.server;
    let tablespaces = properties::tablespaces(client).await.map_err(failed)?;
    if !tablespaces.contains(&entered.properties.tablespace) {
        let message = format!(
            "there is no tablespace {} any more: the default one is used",
            entered.properties.tablespace
        );
        say.warn(restoration.service(), message);
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
        let mut verified = verify::history(context, member, &restored, say).await?;
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
            // A dump holds no statistics, and without them the first queries are planned blindly.
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
    // Last: a setting of the database may stand in the way of filling it.
    properties::apply(client, into, &entered.properties)
        .await
        .map_err(failed)?;
    say.service(
        restoration.service(),
        EventKind::RestoreVerified {
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

/// Databases of restores that are dead: whoever holds the lock knows that they belong to nobody.
async fn drop_leftovers(entered: &Entered) -> Result<(), tokio_postgres::Error> {
    let client = &entered.keeper.client;
    let base = name::base(entered.restoration.address().database());
    for database in surroundings::names(client).await? {
        if name::base_of_restoring(&database) == Some(&base) {
            tracing::info!(%database, "dropping what a killed restore has left");
            let statement = drop_statement(&database);
            client.batch_execute(&statement).await?;
        }
    }
    Ok(())
}

/// Drops a database that is being filled, or has been.
pub(super) fn drop_statement(database: &str) -> String {
    format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quote(database))
}

/// A dated name that no database has.
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

/// Writes into the new database's journal what it is, before anybody can see it: nothing is left to be done after the swap. A
/// database of which no run has ever written anything stays so.
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

/// A time as people read it.
pub(super) fn at(time: OffsetDateTime) -> String {
    let form = time::macros::format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    time.to_offset(time::UtcOffset::UTC)
        .format(&form)
        .unwrap_or_default()
}
