//! Swaps the names of the old and the new database.
//!
//! Both are renamed in one message, hence in one transaction: whatever process dies meanwhile, one complete database has the name.
//! `ALTER DATABASE … RENAME` locks the database against new sessions *before* it waits, up to five seconds, for existing ones. A
//! session that begins meanwhile waits, and then fails with "has just been dropped or renamed". So no flag is required that a kill
//! would leave behind. Source: PostgreSQL, `RenameDatabase` and `InitPostgres`; tested on 14, 15 and 18.

use pg_sql::quote_identifier;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::{Diagnostic, ExitStatus, commented, in_sql, millis, suggest, with_causes};
use engine::dispatch::Events;
use engine::inspect::{ServiceError, inspect};
use pg_session::Client;
use pg_session::{Connection, LockedSession, is_connection_lost};
use service_cli::command::Context;
use tokio::time::Instant;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};

use super::RestoreOptions;
use super::enter::Entered;
use super::error::RestoreError;
use super::event::RestoreEvent;
use super::examine::in_use;
use super::prepare::Prepared;
use super::surroundings;

/// How long to wait for concurrent changes of the same database (settings, privileges).
const LOCK_TIMEOUT: &str = "5s";

const PAUSE: Duration = Duration::from_millis(25);

/// How long to wait for sessions that are about to end.
const BRIEF: Duration = Duration::from_secs(2);

/// How long to query a lost server for the outcome of the swap.
const ASKED_FOR: Duration = Duration::from_secs(15);

/// The times of a swap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// From this time on new connections may have been blocked.
    pub(super) from: Instant,
    /// Since this time the new database has the name.
    pub(super) to: Instant,
}

/// Swaps one database. After an error the old one keeps its name.
pub(super) async fn swap(
    context: &Context,
    entered: &mut Entered,
    prepared: &Prepared,
    options: &RestoreOptions,
    events: &Events,
) -> Result<Window, RestoreError> {
    let address = entered.restoration.address().clone();
    let database = address.database().to_owned();
    let locked = match entered.held.take() {
        Some(held) => Some(held_still(held.take().await?.0, &database).await?),
        None => None,
    };
    let own: Vec<i32> = locked.iter().map(|locked| locked.session().pid()).collect();
    unused(entered, &own, options).await?;
    let watcher = context
        .connections()
        .keep(&address)
        .await
        .map_err(ServiceError::from)?;
    let from = Instant::now();
    let statement = statement(entered, prepared);
    let renaming = entered.keeper.client.batch_execute(&statement);
    let ended = AtomicUsize::new(0);
    let watching = watch(&watcher.client, entered, locked, options, &ended);
    tokio::pin!(renaming);
    let renamed = tokio::select! {
        renamed = &mut renaming => renamed,
        watched = watching => {
            if let Err(error) = watched {
                tracing::warn!(%database, error = %with_causes(&error), "cannot end further sessions");
            }
            renaming.await
        }
    };
    if let Err(error) = renamed {
        judge(context, entered, prepared, &watcher, &own, options, error).await?;
    }
    let window = Window {
        from,
        to: Instant::now(),
    };
    events.service(
        entered.restoration.service(),
        RestoreEvent::DatabaseSwapped {
            database,
            kept_as: entered.examined.live.map(|_| prepared.kept.clone()),
            window_ms: millis(window.to - window.from),
            ended: ended.into_inner(),
        },
    );
    look(context, entered, prepared)
        .await
        .map_err(|error| after_swap(&error, entered, prepared))?;
    Ok(window)
}

/// The error of a check after the swap. The restore must not be repeated: that would lose what is written since.
fn after_swap(error: &RestoreError, entered: &Entered, prepared: &Prepared) -> RestoreError {
    let database = entered.restoration.address().database();
    let mut comment = format!("shows the state of {database}");
    if entered.examined.live.is_some() {
        comment.push_str(&format!("; the previous database is {}", prepared.kept));
    }
    let service = entered.restoration.service().as_str();
    let cause = error.diagnostic().within(format!(
        "{database} is restored, but the check after the swap failed"
    ));
    RestoreError::AfterSwap(cause.with_next(commented(suggest(["status", service]), comment)))
}

async fn held_still(locked: LockedSession, database: &str) -> Result<LockedSession, RestoreError> {
    if locked.is_held().await.unwrap_or(false) {
        Ok(locked)
    } else {
        Err(RestoreError::LockLost {
            database: database.to_owned(),
        })
    }
}

/// Refuses if the database is in use, after a short wait for sessions that are about to end.
async fn unused(
    entered: &Entered,
    own: &[i32],
    options: &RestoreOptions,
) -> Result<(), RestoreError> {
    let address = entered.restoration.address();
    let deadline = Instant::now() + BRIEF;
    loop {
        let found = in_use(&entered.keeper.client, &entered.restoration, own, options)
            .await
            .map_err(|error| ServiceError::query(address, error))?;
        match found {
            Some(refusal) if Instant::now() >= deadline => return Err(refusal.into()),
            Some(_) => tokio::time::sleep(PAUSE).await,
            None => return Ok(()),
        }
    }
}

/// One message, hence one transaction. synchronous_commit ensures that it is on disk, regardless of our role's default.
fn statement(entered: &Entered, prepared: &Prepared) -> String {
    let name = quote_identifier(entered.restoration.address().database());
    let new = quote_identifier(&entered.restoring);
    let settings = format!(
        "SELECT pg_catalog.set_config('lock_timeout', '{LOCK_TIMEOUT}', true), \
           pg_catalog.set_config('synchronous_commit', 'on', true)"
    );
    let away = match entered.examined.live {
        Some(_) => format!(
            "ALTER DATABASE {name} RENAME TO {}; ",
            quote_identifier(&prepared.kept)
        ),
        None => String::new(),
    };
    format!("{settings}; {away}ALTER DATABASE {new} RENAME TO {name}")
}

/// Releases the lock of a run as soon as new sessions are blocked, and ends existing sessions with --terminate.
async fn watch(
    client: &Client,
    entered: &Entered,
    mut locked: Option<LockedSession>,
    options: &RestoreOptions,
    ended: &AtomicUsize,
) -> Result<(), Error> {
    let database = entered.restoration.address().database();
    let mut asked = BTreeSet::new();
    // Our own session may still be ending when the others are ended.
    let own = locked.as_ref().map(|locked| locked.session().pid());
    loop {
        let closed = match entered.examined.live {
            Some(live) => is_closed(client, live.oid).await?,
            None => true,
        };
        if closed {
            // Ended by the server: an answer on the session itself may never arrive, and until then it blocks the rename.
            if let Some(locked) = locked.take() {
                end(client, locked.session().pid()).await?;
            }
            if options.terminate {
                let others = terminate(client, database).await?;
                asked.extend(others.into_iter().filter(|pid| Some(*pid) != own));
                ended.store(asked.len(), Ordering::Relaxed);
            }
        }
        // Monitoring may connect to every database; nothing else has a reason to use this one.
        terminate(client, &entered.restoring).await?;
        // New sessions are blocked at this point.
        if closed && !options.terminate {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether the database is locked against new sessions.
async fn is_closed(client: &Client, oid: u32) -> Result<bool, Error> {
    let rows = client
        .query_typed(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype = 'object' AND granted \
               AND classid = 'pg_catalog.pg_database'::regclass AND objid = $1 AND mode = 'AccessExclusiveLock') \
               OR NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE datid = $1)",
            &[(&oid, Type::OID)],
        )
        .await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

/// Ends the sessions in a database. Those that our role cannot end are reported when the rename fails.
async fn terminate(client: &Client, database: &str) -> Result<Vec<i32>, Error> {
    let mut ended = Vec::new();
    for user in surroundings::users(client, database, &[]).await? {
        match end(client, user.pid).await {
            Ok(()) => ended.push(user.pid),
            Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                tracing::debug!(pid = user.pid, "insufficient privilege to end this session");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(ended)
}

async fn end(client: &Client, pid: i32) -> Result<(), Error> {
    let statement = "SELECT pg_catalog.pg_terminate_backend($1)";
    let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&pid, Type::INT4)];
    client.query_typed(statement, &parameters).await?;
    Ok(())
}

/// The outcome of a swap whose statement failed: no change, unless the connection was lost.
async fn judge(
    context: &Context,
    entered: &Entered,
    prepared: &Prepared,
    watcher: &Connection,
    own: &[i32],
    options: &RestoreOptions,
    error: Error,
) -> Result<(), RestoreError> {
    let address = entered.restoration.address();
    let database = address.database();
    if is_connection_lost(&error) {
        return lost(context, entered, prepared, &error).await;
    }
    if error.code() == Some(&SqlState::OBJECT_IN_USE) {
        let refused = RestoreOptions {
            terminate: false,
            ..options.clone()
        };
        let users = in_use(&watcher.client, &entered.restoration, own, &refused).await;
        if let Ok(Some(mut refusal)) = users {
            if options.terminate && !entered.examined.server.signals {
                refusal.next = in_sql(
                    format!(
                        "GRANT pg_signal_backend TO {}",
                        quote_identifier(&entered.examined.server.role)
                    ),
                    format!(
                        "as an administrator; or restore as a superuser, or stop what connects to {database}"
                    ),
                );
            }
            return Err(refusal.into());
        }
    }
    if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
        let (name, user) = (
            quote_identifier(database),
            quote_identifier(&entered.examined.server.role),
        );
        let error = ServiceError::query(address, error).given_by(|| {
            format!("ALTER DATABASE {name} OWNER TO {user}; ALTER ROLE {user} CREATEDB")
        });
        return Err(error.into());
    }
    // The sessions that were in the way have ended since, or another program created or dropped a database.
    let passes = [
        SqlState::OBJECT_IN_USE,
        SqlState::DUPLICATE_DATABASE,
        SqlState::UNDEFINED_DATABASE,
    ]
    .iter()
    .any(|code| error.code() == Some(code));
    let mut cause = ServiceError::query(address, error).diagnostic();
    if passes {
        cause.exit_code = ExitStatus::Unavailable;
    }
    Err(RestoreError::NotRenamed {
        database: database.to_owned(),
        cause,
    })
}

/// After a lost connection the name of the new database shows the outcome, once the backend of the swap has ended.
async fn lost(
    context: &Context,
    entered: &Entered,
    prepared: &Prepared,
    error: &Error,
) -> Result<(), RestoreError> {
    let address = entered.restoration.address();
    let mut message = with_causes(error);
    let deadline = Instant::now() + ASKED_FOR;
    while Instant::now() < deadline {
        tokio::time::sleep(PAUSE * 20).await;
        let asked = async {
            let connection = context
                .connections()
                .keep(address)
                .await
                .map_err(ServiceError::from)?;
            // While the backend is alive, it may still commit.
            if let Some(live) = entered.examined.live
                && is_closed(&connection.client, live.oid)
                    .await
                    .unwrap_or(true)
                && !surroundings::users(&connection.client, address.database(), &[])
                    .await
                    .unwrap_or_default()
                    .is_empty()
            {
                return Ok(None);
            }
            surroundings::name_of(&connection.client, prepared.oid)
                .await
                .map_err(|error| ServiceError::query(address, error))
        };
        match asked.await {
            Ok(Some(name)) if name == address.database() => return Ok(()),
            Ok(Some(_)) => {
                return Err(RestoreError::NotRenamed {
                    database: address.database().to_owned(),
                    cause: Diagnostic::bare(
                        ExitStatus::Unavailable,
                        "the connection was lost during the swap, and it was rolled back",
                    ),
                });
            }
            Ok(None) => {}
            Err(error) => message = error.diagnostic().to_string(),
        }
    }
    Err(RestoreError::Unknown {
        database: address.database().to_owned(),
        message,
    })
}

/// Checks the swapped database with a normal connection.
async fn look(
    context: &Context,
    entered: &Entered,
    prepared: &Prepared,
) -> Result<(), RestoreError> {
    let mut applied = 0;
    for member in &entered.restoration.members {
        let inspection = inspect(&context.connections(), &member.target).await?;
        applied += inspection.history.applied.len();
    }
    let configured =
        |member: &super::choice::Member| member.backup.history_table == member.target.history_table;
    if applied != prepared.applied && entered.restoration.members.iter().all(configured) {
        return Err(RestoreError::NotTheSame {
            what: format!(
                "it has {applied} migrations instead of {}",
                prepared.applied
            ),
        });
    }
    Ok(())
}
