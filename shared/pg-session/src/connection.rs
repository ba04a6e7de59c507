//! One open connection.
//!
//! Responsible for: driving the socket, collecting notices, sending cancel requests. Not for:
//! opening it (`connect`), its settings (`session`).

use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_postgres::error::DbError;
use tokio_postgres::{AsyncMessage, CancelToken, NoTls, SimpleQueryMessage};

use super::Client;
use super::backoff::within;
use super::own_session::{Login, major};
use super::stall::SessionHandle;
use super::tls::TlsClient;
use pg_address::DatabaseAddress;

/// One open connection to a database.
///
/// The connection ends when `client` is dropped; awaiting `task` then returns how it ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct Connection {
    /// Sends statements.
    pub client: Client,
    /// Notices of the server (`RAISE NOTICE`), in order; may be ignored.
    pub notices: mpsc::UnboundedReceiver<DbError>,
    /// Cancels the current statement, from any task.
    pub cancel: CancelHandle,
    /// Drives the socket; its error is why the connection was lost.
    pub task: JoinHandle<Result<(), tokio_postgres::Error>>,
    pub(super) login: Login,
    /// The answers to the question of [`connect_and_ask`](super::connect::connect_and_ask).
    pub(super) answers: Vec<SimpleQueryMessage>,
    /// What a second connection needs to check this one.
    pub(super) handle: SessionHandle,
}

/// Cancels the current statement of one connection.
#[derive(Clone)]
pub struct CancelHandle {
    token: CancelToken,
    tls: Option<TlsClient>,
    limit: Option<Duration>,
}

impl std::fmt::Debug for CancelHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CancelHandle").finish_non_exhaustive()
    }
}

/// The cancel request did not reach the server.
#[derive(Debug, thiserror::Error)]
#[error("the cancel request did not reach the server; the statement may still run there")]
pub struct CancelError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl CancelHandle {
    /// Asks the server to cancel the current statement; that statement then fails with SQLSTATE 57014.
    ///
    /// The server does not respond to the request, and nothing happens if no statement is running.
    ///
    /// # Errors
    /// [`CancelError`] when the server cannot be reached.
    pub async fn cancel(&self) -> Result<(), CancelError> {
        let request = async {
            match &self.tls {
                Some(tls) => self.token.cancel_query(tls.connector.clone()).await,
                None => self.token.cancel_query(NoTls).await,
            }
        };
        let outcome = within(self.limit, request)
            .await
            .map_err(|error| CancelError(Box::new(error)))?;
        outcome.map_err(|error| CancelError(Box::new(error)))
    }
}

impl Connection {
    pub(super) fn start<S, T>(
        address: &DatabaseAddress,
        client: tokio_postgres::Client,
        driver: tokio_postgres::Connection<S, T>,
        tls: Option<TlsClient>,
        limit: Option<Duration>,
    ) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, notices) = mpsc::unbounded_channel();
        let cancel = CancelHandle {
            token: client.cancel_token(),
            tls,
            limit,
        };
        let login = Login {
            major: driver.parameter("server_version").map_or(0, major),
            ..Login::default()
        };
        let task = tokio::spawn(drive(driver, sender));
        Self {
            login,
            answers: Vec::new(),
            handle: SessionHandle::unknown(address, task.abort_handle()),
            client: Client::from(client),
            notices,
            cancel,
            task,
        }
    }
}

async fn drive<S, T>(
    mut driver: tokio_postgres::Connection<S, T>,
    notices: mpsc::UnboundedSender<DbError>,
) -> Result<(), tokio_postgres::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(message) =
        std::future::poll_fn(|context| Pin::new(&mut driver).get_mut().poll_message(context)).await
    {
        if let AsyncMessage::Notice(notice) = message? {
            // The receiver was dropped: the notice is not needed.
            let _ = notices.send(notice);
        }
    }
    Ok(())
}
