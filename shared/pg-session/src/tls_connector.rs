//! TLS between tokio-postgres and rustls.
//!
//! Responsible for: hosts that are not DNS names, channel binding only if the server proved its key, and readable
//! errors. Not for: the requirements for a certificate (`certificate_verifier`), settings (`tls`).

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls_failure::TlsFailure;

/// Replaces a host name that is not compared with a certificate and that TLS cannot express. An address is never sent as
/// the server name.
const NO_NAME: &str = "0.0.0.0";

/// Makes TLS connections.
#[derive(Clone)]
pub(super) struct Connector {
    inner: MakeRustlsConnect,
    checks_name: bool,
    unproven: Arc<AtomicBool>,
}

impl Connector {
    /// `unproven` is set by the verifier when a handshake is accepted without a proof that the server has the
    /// certificate's key.
    pub(super) fn new(config: ClientConfig, checks_name: bool, unproven: Arc<AtomicBool>) -> Self {
        Self {
            inner: MakeRustlsConnect::new(config),
            checks_name,
            unproven,
        }
    }
}

impl<S> MakeTlsConnect<S> for Connector
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Stream<<MakeRustlsConnect as MakeTlsConnect<S>>::Stream>;
    type TlsConnect = Connect<<MakeRustlsConnect as MakeTlsConnect<S>>::TlsConnect>;
    type Error = TlsFailure;

    fn make_tls_connect(&mut self, host: &str) -> Result<Self::TlsConnect, TlsFailure> {
        let name = match ServerName::try_from(host) {
            Ok(_) => host,
            Err(_) if self.checks_name => return Err(TlsFailure::host(host)),
            Err(_) => NO_NAME,
        };
        self.unproven.store(false, Ordering::Relaxed);
        let inner = MakeTlsConnect::<S>::make_tls_connect(&mut self.inner, name)
            .map_err(|error| TlsFailure::from_io(io::Error::other(error)))?;
        Ok(Connect {
            inner,
            unproven: Arc::clone(&self.unproven),
        })
    }
}

/// A pending handshake.
pub(super) struct Connect<C> {
    inner: C,
    unproven: Arc<AtomicBool>,
}

impl<S, C> TlsConnect<S> for Connect<C>
where
    C: TlsConnect<S, Error = io::Error>,
    C::Future: Send + 'static,
{
    type Stream = Stream<C::Stream>;
    type Error = TlsFailure;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Stream, TlsFailure>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        let Self { inner, unproven } = self;
        let shaking_hands = inner.connect(stream);
        Box::pin(async move {
            let inner = shaking_hands.await.map_err(TlsFailure::from_io)?;
            Ok(Stream {
                inner,
                is_proven: !unproven.load(Ordering::Relaxed),
            })
        })
    }
}

/// A connection over TLS.
pub(super) struct Stream<T> {
    inner: T,
    is_proven: bool,
}

impl<T: TlsStream + Unpin> TlsStream for Stream<T> {
    fn channel_binding(&self) -> ChannelBinding {
        // If the login were bound to a certificate whose key the server did not prove to own, anyone who has seen that
        // certificate could relay the login.
        if self.is_proven {
            self.inner.channel_binding()
        } else {
            ChannelBinding::none()
        }
    }
}

/// The server may send an alert after the handshake, for example about the client certificate.
fn in_words<T>(outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
    outcome.map_err(|error| {
        if TlsFailure::is_of_tls(&error) {
            io::Error::new(error.kind(), TlsFailure::from_io(error))
        } else {
            error
        }
    })
}

impl<T: AsyncRead + Unpin> AsyncRead for Stream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        in_words(Pin::new(&mut self.inner).poll_read(context, buffer))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Stream<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        in_words(Pin::new(&mut self.inner).poll_write(context, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        in_words(Pin::new(&mut self.inner).poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        in_words(Pin::new(&mut self.inner).poll_shutdown(context))
    }
}
