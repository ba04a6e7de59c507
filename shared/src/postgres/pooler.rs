//! Poolers: does the one in between hand a session's server process to others?
//!
//! A pooler in transaction (or statement) mode gives each transaction whatever server process is free. A session's advisory
//! lock is void there, and so are its settings: both stay with a process that serves somebody else a moment later. Responsible for
//! finding that out; not for what follows from it. Floor 2.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::Error;
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

use super::connection::no_answer;
use super::{Client, ConnectError, Connection};
use crate::config::DatabaseAddress;

/// How long a second look may take: in session mode, a pool with one server process lets the second client wait.
const LONGEST_LOOK: Duration = Duration::from_secs(2);

/// How often the second client asks: a pool that hands out its processes in turn shows another one the second time.
const ROUNDS: usize = 3;

/// Whether the server process of a connection that a pooler has made is given to others between its transactions.
///
/// A second connection for a moment tells the modes apart: in session mode nobody else ever gets our process, and a client keeps its
/// own.
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
    let shared = match tokio::time::timeout(LONGEST_LOOK, look).await {
        Ok(shared) => shared?,
        // A client that has to wait for a process, while ours does nothing, waits because ours keeps its own.
        Err(_) => false,
    };
    // In transaction mode, with all processes at work for others, this waits as well, or comes from another one.
    let ours = tokio::time::timeout(LONGEST_LOOK, process(&first.client)).await;
    let ours = ours.map_err(|_| ConnectError::unreachable(address, no_answer(LONGEST_LOOK)))?;
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
/// `tokio_postgres` keeps the number to itself: it is read off a cancel request that goes nowhere.
pub(super) async fn announced_process(client: &Client) -> Option<i32> {
    let mut written = Vec::new();
    client
        .cancel_token()
        .cancel_query_raw(Nowhere(&mut written), NoHandshake)
        .await
        .ok()?;
    // Length, code, process, key: four bytes each. A request for TLS may stand before.
    let request = written.last_chunk::<16>()?;
    let process = request[8..12].try_into().ok()?;
    Some(i32::from_be_bytes(process))
}

/// A stream that keeps what is written, and says yes to TLS.
struct Nowhere<'a>(&'a mut Vec<u8>);

/// TLS without any.
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
