//! Detects poolers that reassign a session's server process to other clients.
//!
//! A pooler in transaction (or statement) mode assigns any free server process to each transaction. A session's advisory
//! lock and settings do not hold there: both stay with a process that serves another client a moment later. Responsible for
//! detection; not for the consequences.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::Error;
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

use super::backoff::within;
use super::{Client, ConnectError, Connection};
use pg_address::DatabaseAddress;

/// How long the second check may take: in session mode, a pool with one server process makes the second client wait.
const LONGEST_LOOK: Duration = Duration::from_secs(2);

/// How often the second client asks: a round-robin pool shows another process the second time.
const ROUNDS: usize = 3;

/// Whether a pooler reassigns the server process of a connection between its transactions.
///
/// A short second connection distinguishes the modes: in session mode no other client ever gets our process, and each client
/// keeps its own.
pub(super) async fn shares_its_process(
    address: &DatabaseAddress,
    first: &Connection,
    second: impl Future<Output = Result<Connection, ConnectError>>,
) -> Result<bool, ConnectError> {
    let failed = |error| ConnectError::classify(address, error);
    let look = async {
        let second = second.await?;
        let mut last = None;
        for _ in 0..ROUNDS {
            let pid = process(&second.client).await.map_err(failed)?;
            if pid == first.login.pid || last.is_some_and(|last| last != pid) {
                return Ok(true);
            }
            last = Some(pid);
        }
        Ok(false)
    };
    let shared = match within(Some(LONGEST_LOOK), look).await {
        Ok(shared) => shared?,
        // If a client has to wait for a process while ours is idle, ours keeps its process.
        Err(_) => false,
    };
    // In transaction mode, if all processes are busy, this waits as well, or comes from another process.
    let ours = within(Some(LONGEST_LOOK), process(&first.client)).await;
    let ours = ours.map_err(|error| ConnectError::unreachable(address, error))?;
    Ok(shared || ours.map_err(failed)? != first.login.pid)
}

async fn process(client: &Client) -> Result<i32, Error> {
    let rows = client
        .query_typed("SELECT pg_catalog.pg_backend_pid()", &[])
        .await?;
    Ok(rows.first().map(|row| row.get(0)).unwrap_or_default())
}

/// The server process that the login announced, for cancel requests. A pooler announces a number of its own, since it is
/// the pooler that takes the requests.
///
/// `tokio_postgres` does not expose the number: it is read from a cancel request that is not sent.
pub(super) async fn announced_process(client: &Client) -> Option<i32> {
    let mut written = Vec::new();
    client
        .cancel_token()
        .cancel_query_raw(Nowhere(&mut written), NoHandshake)
        .await
        .ok()?;
    // Length, code, process, key: four bytes each. A TLS request may precede it.
    let request = written.last_chunk::<16>()?;
    let process = request[8..12].try_into().ok()?;
    Some(i32::from_be_bytes(process))
}

/// A stream that records what is written, and accepts TLS.
struct Nowhere<'a>(&'a mut Vec<u8>);

/// A TLS connector that does nothing.
struct NoHandshake;

impl AsyncRead for Nowhere<'_> {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        buffer.put_slice(b"S");
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Nowhere<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().0.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl TlsStream for Nowhere<'_> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<'a> TlsConnect<Nowhere<'a>> for NoHandshake {
    type Stream = Nowhere<'a>;
    type Error = io::Error;
    type Future = std::future::Ready<io::Result<Nowhere<'a>>>;

    fn connect(self, stream: Nowhere<'a>) -> Self::Future {
        std::future::ready(Ok(stream))
    }
}
