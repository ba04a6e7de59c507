//! Locks a database against other restores and against runs until it is swapped.

use std::time::Duration;

use domain::History;
use domain::{Anchor, EventKind, Holder, with_causes};
use engine::dispatch::{Events, LockedDatabase};
use engine::inspect::{ServiceError, Target};
use pg_session::{Connection, LockedSession, try_advisory_lock};
use service_cli::command::Context;
use store::read_anchor;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::choice::Restoration;
use super::error::RestoreError;
use super::examine::Examined;
use super::name;
use crate::DatabaseProperties;

const PAUSE: Duration = Duration::from_millis(100);

/// A locked database.
pub(super) struct Entered {
    pub restoration: Restoration,
    pub examined: Examined,
    /// The connection that creates, renames and drops databases. Holds the lock of the restore.
    pub keeper: Connection,
    /// The lock of a run, if the database exists.
    pub held: Option<LockedDatabase>,
    /// The new database that is filled.
    pub restoring: String,
    /// The properties of the new database.
    pub properties: DatabaseProperties,
    /// The end of the old database's journal.
    pub journal_end: Option<Anchor>,
}

/// Acquires both locks of a database: that of a restore and that of a run.
pub(super) async fn enter(
    context: &Context,
    restoration: Restoration,
    examined: Examined,
    restore: Uuid,
    cancelled: &mut watch::Receiver<u32>,
    events: &Events,
) -> Result<Entered, (Restoration, RestoreError)> {
    let obtained = obtain(context, &restoration, &examined, cancelled, events).await;
    match obtained {
        Ok(obtained) => Ok(Entered {
            restoring: name::restoring(restoration.address().database(), restore),
            restoration,
            examined,
            keeper: obtained.keeper,
            held: obtained.held,
            properties: obtained.properties,
            journal_end: obtained.journal_end,
        }),
        Err(error) => Err((restoration, error)),
    }
}

struct Obtained {
    keeper: Connection,
    held: Option<LockedDatabase>,
    properties: DatabaseProperties,
    journal_end: Option<Anchor>,
}

async fn obtain(
    context: &Context,
    restoration: &Restoration,
    examined: &Examined,
    cancelled: &mut watch::Receiver<u32>,
    events: &Events,
) -> Result<Obtained, RestoreError> {
    let address = restoration.address();
    let failed = |error| RestoreError::from(ServiceError::query(address, error));
    let connections = context.connections();
    let wait = context.configuration.engine().advisory_lock_wait;
    let keeper = connections
        .keep(address)
        .await
        .map_err(ServiceError::from)?;
    lock_restore(&keeper, restoration, wait, cancelled, events).await?;
    if examined.live.is_none() {
        return Ok(Obtained {
            keeper,
            held: None,
            properties: restoration.dump().properties.clone(),
            journal_end: None,
        });
    }
    let target = &restoration.members[0].target;
    let locked = lock_run(context, target, wait, cancelled, |holder| {
        events.service(&target.service.name, EventKind::LockWaiting { holder });
    })
    .await?;
    let client = locked.session().client();
    let properties = DatabaseProperties::read(client, examined.server.major())
        .await
        .map_err(failed)?;
    let journal_end = read_anchor(locked.session(), &target.service.name)
        .await
        .unwrap_or_else(|error| {
            tracing::warn!(%address, error = %with_causes(&error), "cannot read the end of the old journal");
            None
        });
    Ok(Obtained {
        keeper,
        held: Some(LockedDatabase::keep(locked, History::default())),
        properties,
        journal_end,
    })
}

/// Acquires the lock of a restore. Retries, because the server may take a moment to end the session of a killed restore.
async fn lock_restore(
    keeper: &Connection,
    restoration: &Restoration,
    wait: Duration,
    cancelled: &watch::Receiver<u32>,
    events: &Events,
) -> Result<(), RestoreError> {
    let address = restoration.address();
    let key = name::lock_key(&name::base(address.database()));
    let failed = |error| RestoreError::from(ServiceError::query(address, error));
    let deadline = Instant::now() + wait;
    let mut named = None;
    loop {
        let locked = try_advisory_lock(&keeper.client, key).await;
        if locked.map_err(failed)? {
            return Ok(());
        }
        let holder = holder(keeper, key).await.map_err(failed)?;
        if Instant::now() >= deadline {
            return Err(RestoreError::AtWork {
                database: address.database().to_owned(),
                who: holder.map_or_else(String::new, |holder| {
                    format!(
                        " (pid {}, user {}, {})",
                        holder.pid, holder.user, holder.application
                    )
                }),
            });
        }
        if *cancelled.borrow() > 0 {
            return Err(RestoreError::Cancelled);
        }
        let pid = holder.as_ref().map(|holder| holder.pid);
        if named != Some(pid) {
            events.service(restoration.service(), EventKind::LockWaiting { holder });
            named = Some(pid);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn holder(keeper: &Connection, key: i64) -> Result<Option<Holder>, tokio_postgres::Error> {
    let rows = keeper
        .client
        .query_typed(
            "SELECT a.pid, COALESCE(a.usename::text, ''), COALESCE(a.application_name, ''), \
               pg_catalog.host(a.client_addr), \
               COALESCE(extract(epoch FROM pg_catalog.clock_timestamp() - a.backend_start), 0)::int8, \
               COALESCE(a.state, '') \
             FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
             WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
               AND l.classid::int8 = ($1 >> 32) & 4294967295 AND l.objid::int8 = ($1 & 4294967295)",
            &[(&key, Type::INT8)],
        )
        .await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    Ok(Some(Holder {
        pid: row.try_get(0)?,
        user: row.try_get(1)?,
        application: row.try_get(2)?,
        client: row.try_get(3)?,
        connected_s: row.try_get(4)?,
        state: row.try_get(5)?,
    }))
}

async fn lock_run(
    context: &Context,
    target: &Target,
    wait: Duration,
    cancelled: &mut watch::Receiver<u32>,
    waiting: impl FnMut(Option<Holder>) + Send,
) -> Result<LockedSession, RestoreError> {
    let connections = context.connections();
    let mut session = connections
        .session(&target.address, &target.history_table)
        .await
        .map_err(ServiceError::from)?;
    // Held until the end, while other sessions are needed.
    session.release_permit();
    LockedSession::acquire(session, wait, cancelled, waiting)
        .await
        .map_err(|source| ServiceError::lock(target, source).into())
}
