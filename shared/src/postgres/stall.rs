//! Connections on which no answer will come any more, though nobody closed them.
//!
//! A firewall that forgot a connection, a network that swallows packets: the client waits, and keeps its locks while it does. A
//! server that takes long over a statement looks the same from here; a second connection tells the two apart. Responsible
//! for noticing, and for giving the connection up; not for what became of its work. Floor 2.

use std::time::Duration;

use tokio::task::AbortHandle;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::{ConnectOptions, Connection, connect};
use crate::config::DatabaseAddress;

/// After how many looks in a row that found no server the connection is given up.
const MOST_UNANSWERED: u32 = 3;

/// What it takes to look at a session from outside, and to give its connection up.
#[derive(Clone, Debug)]
pub struct Pulse {
    pub(super) address: DatabaseAddress,
    pub(super) pid: i32,
    /// When its server started: of several hosts of an address, another one may answer.
    pub(super) server_start: String,
    /// When its server process was started: another one may get its number.
    pub(super) backend_start: String,
    pub(super) driver: AbortHandle,
}

/// When a server started, as text that no setting of a session changes.
pub(super) const SERVER_START: &str = "pg_catalog.to_char(pg_catalog.pg_postmaster_start_time() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US')";

/// The same of a row of `pg_stat_activity`.
pub(super) const BACKEND_START: &str =
    "pg_catalog.to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US')";

/// When the server process of this session was started.
pub(super) fn own_start() -> String {
    format!(
        "(SELECT {BACKEND_START} FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()))"
    )
}

impl Pulse {
    /// Whether the server was not restarted between the two sessions.
    pub fn is_of_same_server_run(&self, other: &Self) -> bool {
        self.server_start == other.server_start
    }

    /// The server process.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Closes the connection on this side.
    pub(super) fn give_up(&self) {
        self.driver.abort();
    }

    /// That of a connection without a session.
    pub(super) async fn of(
        connection: &Connection,
        address: &DatabaseAddress,
    ) -> Result<Self, tokio_postgres::Error> {
        let asked = format!(
            "SELECT pg_catalog.pg_backend_pid(), {SERVER_START}, COALESCE({}, '')",
            own_start()
        );
        let row = connection.client.query_typed(&asked, &[]).await?;
        let (pid, server_start, backend_start) = row
            .first()
            .map(|row| (row.get(0), row.get(1), row.get(2)))
            .unwrap_or_default();
        Ok(Self {
            address: address.clone(),
            pid,
            server_start,
            backend_start,
            driver: connection.task.abort_handle(),
        })
    }
}

/// What a look from outside found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// The server is at work on what it was asked, or has just been.
    AtWork,
    /// It has answered long ago and waits for us, or the server process is gone.
    Over,
    /// No server answers.
    Unreachable,
    /// It could not be found out.
    Unknown,
}

/// Awaits `work` on a session. After `patience` it is looked after from outside, again and again; once it is sure that no
/// answer will come, the connection is closed on this side, so that `work` ends with an error. `work` is never dropped.
pub(super) async fn watch<T>(
    pulse: &Pulse,
    options: &ConnectOptions,
    patience: Duration,
    work: impl Future<Output = T>,
) -> T {
    if patience.is_zero() {
        return work.await;
    }
    beside(work, give_up_when_stalled(pulse, options, patience)).await
}

/// Polls `work` to its end, and `companion` for as long as that takes.
async fn beside<T>(work: impl Future<Output = T>, companion: impl Future<Output = ()>) -> T {
    tokio::pin!(work, companion);
    let mut accompanied = true;
    loop {
        tokio::select! {
            biased;
            result = &mut work => return result,
            () = &mut companion, if accompanied => accompanied = false,
        }
    }
}

async fn give_up_when_stalled(pulse: &Pulse, options: &ConnectOptions, patience: Duration) {
    let options = ConnectOptions {
        retry_for: Duration::ZERO,
        ..options.clone()
    };
    let mut unanswered = 0;
    tokio::time::sleep(patience).await;
    loop {
        match look(pulse, &options, patience).await {
            Look::Over => break,
            Look::Unreachable => unanswered += 1,
            Look::AtWork | Look::Unknown => unanswered = 0,
        }
        if unanswered >= MOST_UNANSWERED {
            break;
        }
        tokio::time::sleep(patience / 2).await;
    }
    tracing::warn!(
        database = %pulse.address,
        pid = pulse.pid,
        "{}: the connection is given up",
        if unanswered == 0 {
            "the server's answer does not arrive"
        } else {
            "the server does not answer, on new connections neither"
        }
    );
    pulse.give_up();
}

async fn look(pulse: &Pulse, options: &ConnectOptions, patience: Duration) -> Look {
    let asked = async {
        match connect(&pulse.address, options).await {
            Ok(connection) => found(&connection.client, pulse, patience)
                .await
                .unwrap_or(Look::Unreachable),
            Err(error) if error.is_unreachable() => Look::Unreachable,
            Err(error) => {
                tracing::debug!(%error, "the server cannot be asked about a silent connection");
                Look::Unknown
            }
        }
    };
    // The new connection may fall silent as well.
    let limit = options.connect_timeout.max(patience);
    tokio::time::timeout(limit, asked)
        .await
        .unwrap_or(Look::Unreachable)
}

async fn found(
    client: &Client,
    pulse: &Pulse,
    patience: Duration,
) -> Result<Look, tokio_postgres::Error> {
    let seconds = patience.as_secs_f64();
    let rows = client
        .query_typed(
            &format!(
                "SELECT {SERVER_START} = $3, a.pid IS NOT NULL, a.state LIKE 'idle%', \
                   a.state_change < pg_catalog.clock_timestamp() - $2 * interval '1 second' \
                 FROM (SELECT) AS one LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = $1 AND {BACKEND_START} = $4"
            ),
            &[
                (&pulse.pid, Type::INT4),
                (&seconds, Type::FLOAT8),
                (&pulse.server_start, Type::TEXT),
                (&pulse.backend_start, Type::TEXT),
            ],
        )
        .await?;
    let Some(row) = rows.first() else {
        return Ok(Look::Unknown);
    };
    let (same_server, is_there): (bool, bool) = (row.get(0), row.get(1));
    let (idle, long_ago): (Option<bool>, Option<bool>) = (row.get(2), row.get(3));
    Ok(match (idle, long_ago) {
        // It was started again meanwhile, and knows nothing of us; of several hosts another one may have answered.
        _ if !same_server && pulse.address.endpoints().len() == 1 => Look::Over,
        _ if !same_server => Look::Unknown,
        _ if !is_there => Look::Over,
        (Some(true), Some(true)) => Look::Over,
        (Some(_), _) => Look::AtWork,
        // `track_activities` is off, or the role may not see it.
        (None, _) => Look::Unknown,
    })
}
