//! Detects connections on which no response will arrive although they are still open.
//!
//! If a firewall drops a connection or a network loses packets, the client waits and keeps its locks. A server that executes a
//! long statement looks the same from here; a second connection distinguishes the two. Responsible for detecting this, and for
//! closing the connection; not for the outcome of its work.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio_postgres::types::{ToSql, Type};

use super::backoff::within;
use super::blocked::{MOMENT, name_blockers};
use super::own_session::Login;
use super::{Client, ConnectOptions, Connection, connect, reachability, shutdown_timeouts};
use domain::with_causes;
use pg_address::DatabaseAddress;

/// After how many consecutive failed checks the connection is given up.
const MOST_UNANSWERED: u32 = 2;

/// The pause after a check that reached no server.
const UNANSWERED_PAUSE: Duration = Duration::from_secs(1);

/// What a second connection needs to check a session, and to give its connection up.
#[derive(Clone, Debug)]
pub struct SessionHandle {
    pub(super) address: DatabaseAddress,
    pub(super) pid: i32,
    /// When its server started: with several hosts in an address, another one may respond.
    pub(super) server_start: String,
    /// When its server process started: another one may reuse its pid.
    pub(super) backend_start: String,
    pub(super) driver: AbortHandle,
    /// How many callers report the holders of its locks themselves.
    pub(super) named_elsewhere: Arc<AtomicUsize>,
}

/// While it exists, the caller reports the holders of the locks that a session waits for.
#[derive(Debug)]
pub struct NamedElsewhere(Arc<AtomicUsize>);

impl Drop for NamedElsewhere {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What is needed to check the requests of one connection for stalls.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    pub(super) handle: SessionHandle,
    /// For the checking connections: they wait for nothing.
    pub(super) options: ConnectOptions,
}

/// The start time of a server, as text that does not depend on session settings.
pub(super) const SERVER_START: &str = "pg_catalog.to_char(pg_catalog.pg_postmaster_start_time() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US')";

/// The start time of the process in a row of `pg_stat_activity`.
pub(super) const BACKEND_START: &str =
    "pg_catalog.to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US')";

/// The start time of this session's server process.
pub(super) fn own_start() -> String {
    format!(
        "(SELECT {BACKEND_START} FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()))"
    )
}

impl SessionHandle {
    /// Whether both sessions belong to the same start of the same server.
    pub fn is_of_same_server_run(&self, other: &Self) -> bool {
        self.server_start == other.server_start
    }

    /// The caller reports the holders of the locks that the session waits for while it keeps the returned guard.
    pub fn name_elsewhere(&self) -> NamedElsewhere {
        self.named_elsewhere.fetch_add(1, Ordering::Relaxed);
        NamedElsewhere(Arc::clone(&self.named_elsewhere))
    }

    /// The server process.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Closes the connection on this side.
    pub(super) fn give_up(&self) {
        self.driver.abort();
    }

    /// The handle of a connection without queries so far.
    pub(super) fn unknown(address: &DatabaseAddress, driver: AbortHandle) -> Self {
        Self {
            address: address.clone(),
            pid: 0,
            server_start: String::new(),
            backend_start: String::new(),
            driver,
            named_elsewhere: Arc::default(),
        }
    }
}

/// Starts the stall checks of a connection, whose server process is known from its login.
pub(super) fn begin(connection: &mut Connection, options: &ConnectOptions) {
    connection.handle.pid = connection.login.pid;
    let Login {
        server_start,
        backend_start,
        ..
    } = &connection.login;
    connection.handle.server_start.clone_from(server_start);
    connection.handle.backend_start.clone_from(backend_start);
    connection.client.watch_with(Watch {
        handle: connection.handle.clone(),
        options: ConnectOptions {
            retry_for: Duration::ZERO,
            ..options.clone()
        },
    });
}

/// The result of a check from a second connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StallCheck {
    /// The server is executing the request, or has just finished.
    AtWork,
    /// The server finished long ago and waits for the client, or the server process is gone.
    Over,
    /// No server answers.
    Unreachable,
    /// The state could not be determined.
    Unknown,
}

/// Awaits one request. After a moment it is checked from a second connection: who holds the lock that it waits for, and whether a
/// response will arrive. `work` is never dropped.
pub(super) async fn check_after<T>(watch: &Watch, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    if let Ok(done) = within(MOMENT, work.as_mut()).await {
        return done;
    }
    // Boxed: it is large, and almost no request reaches it.
    let is_named = watch.handle.named_elsewhere.load(Ordering::Relaxed) > 0;
    let looking = Box::pin(async {
        tokio::select! {
            () = name_blockers(watch), if !is_named => {}
            () = give_up_when_stalled(&watch.handle, &watch.options) => {}
        }
    });
    tokio::select! {
        biased;
        result = &mut work => return result,
        () = looking => {}
    }
    // The connection is closed on this side, so the work ends now.
    work.await
}

async fn give_up_when_stalled(handle: &SessionHandle, options: &ConnectOptions) {
    let patience = options.patience;
    if patience.is_zero() {
        return std::future::pending().await;
    }
    let options = ConnectOptions {
        retry_for: Duration::ZERO,
        ..options.clone()
    };
    let mut unanswered = 0;
    shutdown_timeouts::pause(patience).await;
    loop {
        match look(handle, &options, shutdown_timeouts::shortened(patience)).await {
            StallCheck::Over => break,
            StallCheck::Unreachable => unanswered += 1,
            StallCheck::AtWork | StallCheck::Unknown => unanswered = 0,
        }
        if unanswered >= MOST_UNANSWERED {
            reachability::fell_silent(&handle.address);
            break;
        }
        let pause = patience / 2;
        shutdown_timeouts::pause(match unanswered {
            0 => pause,
            _ => pause.min(UNANSWERED_PAUSE),
        })
        .await;
    }
    tracing::warn!(
        database = %handle.address,
        pid = handle.pid,
        "{}: giving up the connection",
        if unanswered == 0 {
            "the response of the server does not arrive"
        } else {
            "the server does not respond, not even on new connections"
        }
    );
    handle.give_up();
}

async fn look(handle: &SessionHandle, options: &ConnectOptions, patience: Duration) -> StallCheck {
    let asked = async {
        match connect(&handle.address, options).await {
            Ok(connection) => found(&connection.client, handle, patience)
                .await
                .unwrap_or(StallCheck::Unreachable),
            Err(error) if error.is_unreachable() => StallCheck::Unreachable,
            Err(error) => {
                tracing::debug!(error = %with_causes(&error), "the server cannot be asked about a silent connection");
                StallCheck::Unknown
            }
        }
    };
    // The new connection may stall as well.
    within(reachability::limit_of_check(&handle.address), asked)
        .await
        .unwrap_or(StallCheck::Unreachable)
}

async fn found(
    client: &Client,
    handle: &SessionHandle,
    patience: Duration,
) -> Result<StallCheck, tokio_postgres::Error> {
    let seconds = patience.as_secs_f64();
    let rows = client
        .query_typed(
            &format!(
                "SELECT {SERVER_START} = $3, a.pid IS NOT NULL, a.state LIKE 'idle%', \
                   a.state_change < pg_catalog.clock_timestamp() - $2 * interval '1 second' \
                 FROM (SELECT) AS one LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = $1 AND {BACKEND_START} = $4"
            ),
            &[
                (&handle.pid, Type::INT4),
                (&seconds, Type::FLOAT8),
                (&handle.server_start, Type::TEXT),
                (&handle.backend_start, Type::TEXT),
            ],
        )
        .await?;
    let Some(row) = rows.first() else {
        return Ok(StallCheck::Unknown);
    };
    let (same_server, is_there): (bool, bool) = (row.get(0), row.get(1));
    let (idle, long_ago): (Option<bool>, Option<bool>) = (row.get(2), row.get(3));
    Ok(match (idle, long_ago) {
        // It was restarted meanwhile and does not know our session; with several hosts, another one may have responded.
        _ if !same_server && handle.address.endpoints().len() == 1 => StallCheck::Over,
        _ if !same_server => StallCheck::Unknown,
        _ if !is_there => StallCheck::Over,
        (Some(true), Some(true)) => StallCheck::Over,
        (Some(_), _) => StallCheck::AtWork,
        // `track_activities` is off, or the role may not see it.
        (None, _) => StallCheck::Unknown,
    })
}

/// The observed state of the sessions of a client program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerActivity {
    /// The server is executing a statement of one of them.
    AtWork,
    /// None exist, or the server waits for their client.
    Idle,
    /// No server answers.
    Unreachable,
    /// The state could not be determined.
    Unknown,
}

/// Checks the sessions with this `application_name` on a connection that waits for nothing.
pub(super) async fn sight(
    address: &DatabaseAddress,
    options: &ConnectOptions,
    application: &str,
) -> ServerActivity {
    let options = ConnectOptions {
        retry_for: Duration::ZERO,
        ..options.clone()
    };
    let asked = async {
        let connection = match connect(address, &options).await {
            Ok(connection) => connection,
            Err(error) if error.is_unreachable() => return ServerActivity::Unreachable,
            Err(_) => return ServerActivity::Unknown,
        };
        let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&application, Type::TEXT)];
        let rows = connection.client.query_typed(
            "SELECT COALESCE(pg_catalog.bool_or(state = 'active' AND wait_event_type IS DISTINCT FROM 'Client'), false), \
               COALESCE(pg_catalog.bool_or(state IS NULL), false) \
             FROM pg_catalog.pg_stat_activity WHERE application_name = $1",
            &parameters,
        );
        match rows.await {
            Ok(rows) => match rows.first().map(|row| (row.get(0), row.get(1))) {
                Some((true, _)) => ServerActivity::AtWork,
                Some((false, false)) => ServerActivity::Idle,
                _ => ServerActivity::Unknown,
            },
            Err(_) => ServerActivity::Unreachable,
        }
    };
    within(reachability::limit_of_check(address), asked)
        .await
        .unwrap_or(ServerActivity::Unreachable)
}
