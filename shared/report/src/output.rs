//! Writes standard output and standard error on separate threads.
//!
//! A reader that stops reading (`| less`, Ctrl-S, a full pipe) blocks the writer. A run holds locks and must react to signals, so it
//! only queues its output; the program waits for the reader once, at the end.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How long a program waits at its end for a reader of events that does not read.
const PATIENCE: Duration = Duration::from_secs(30);

/// The pause before retrying to write to a full non-blocking stream.
const PAUSE: Duration = Duration::from_millis(10);

/// The size of an atomic write to a pipe on Linux (`PIPE_BUF`; POSIX guarantees less).
const PIECE: usize = 4096;

static STREAMS: LazyLock<Streams> = LazyLock::new(Streams::open);

/// A writer for one of the two streams. Flushing or dropping it queues what was written, without blocking.
#[derive(Debug)]
pub struct Stream {
    which: Which,
    text: Vec<u8>,
}

/// Standard output.
pub fn stdout() -> Stream {
    Stream::new(Which::Out)
}

/// Standard error.
pub fn stderr() -> Stream {
    Stream::new(Which::Err)
}

/// Prints the result of a command on standard output. The program does not end before the result is read, unless it receives a signal.
pub fn print_result(text: &str) {
    STREAMS.out.is_awaited.store(true, Ordering::Relaxed);
    STREAMS.queue(Which::Out, text.as_bytes().to_vec());
}

/// Waits until all output is written: without a limit for a result, and for events as long as the reader keeps reading. A signal
/// ends the wait.
///
/// # Errors
/// If a result could not be written for another reason than a closed pipe.
pub async fn deliver() -> io::Result<()> {
    let signals = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ];
    let [interrupt, terminate, hangup] = signals.map(|kind| async move {
        match signal(kind) {
            Ok(mut stream) => drop(stream.recv().await),
            Err(_) => std::future::pending().await,
        }
    });
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
        () = hangup => {}
        () = STREAMS.deliver() => {}
    }
    let failure = STREAMS.out.failure.lock();
    let failure = failure.unwrap_or_else(PoisonError::into_inner).take();
    match failure {
        Some(error) if STREAMS.out.is_awaited.load(Ordering::Relaxed) => Err(error),
        _ => Ok(()),
    }
}

impl Stream {
    const fn new(which: Which) -> Self {
        Self {
            which,
            text: Vec::new(),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.text.is_empty() {
            STREAMS.queue(self.which, std::mem::take(&mut self.text));
        }
        Ok(())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Queueing cannot fail.
        let _ = self.flush();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Out,
    Err,
}

/// Text that is written contiguously.
type Chunk = (Which, Vec<u8>);

/// Both targets and their queues. If both are the same terminal, pipe or file, they share one queue, so that lines keep their order.
struct Streams {
    out: Arc<Target>,
    err: Arc<Target>,
    out_queue: Arc<Queue>,
    err_queue: Arc<Queue>,
}

impl Streams {
    fn open() -> Self {
        let out = Arc::new(Target::new(duplicate(io::stdout())));
        let err = Arc::new(Target::new(duplicate(io::stderr())));
        let start = || Arc::new(Queue::start(&out, &err));
        let out_queue = start();
        let err_queue = if is_same(&out, &err) {
            Arc::clone(&out_queue)
        } else {
            start()
        };
        Self {
            out,
            err,
            out_queue,
            err_queue,
        }
    }

    fn queue(&self, which: Which, text: Vec<u8>) {
        let queue = match which {
            Which::Out => &self.out_queue,
            Which::Err => &self.err_queue,
        };
        let length = length(&text);
        queue.queued.fetch_add(length, Ordering::Relaxed);
        // If the thread could not be started, the text is written here.
        if let Err(mpsc::SendError((which, text))) = queue.chunks.send((which, text)) {
            write(&self.out, &self.err, which, &text, &queue.written);
        }
    }

    async fn deliver(&self) {
        let is_awaited = self.out.is_awaited.load(Ordering::Relaxed);
        if !self
            .out_queue
            .drain((!is_awaited).then_some(PATIENCE))
            .await
        {
            tracing::warn!(
                "standard output was not read for {}; the remaining output is lost",
                humantime::format_duration(PATIENCE)
            );
        }
        self.err_queue.drain(Some(PATIENCE)).await;
    }
}

fn duplicate(stream: impl AsFd) -> Option<File> {
    stream.as_fd().try_clone_to_owned().ok().map(File::from)
}

fn is_same(out: &Target, err: &Target) -> bool {
    let identity = |target: &Target| {
        let metadata = target.file.as_ref()?.metadata().ok()?;
        Some((metadata.dev(), metadata.ino(), metadata.rdev()))
    };
    identity(out).is_some_and(|it| identity(err) == Some(it))
}

fn length(text: &[u8]) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

/// The file behind a stream.
struct Target {
    file: Option<File>,
    /// After the first failure nothing more is written, so that a reader never gets text with a gap.
    is_closed: AtomicBool,
    /// The error of that failure, unless the reader closed the pipe.
    failure: Mutex<Option<io::Error>>,
    /// Whether the result of a command was printed here.
    is_awaited: AtomicBool,
}

impl Target {
    const fn new(file: Option<File>) -> Self {
        Self {
            file,
            is_closed: AtomicBool::new(false),
            failure: Mutex::new(None),
            is_awaited: AtomicBool::new(false),
        }
    }

    fn write(&self, mut piece: &[u8]) {
        let Some(mut file) = self.file.as_ref() else {
            return;
        };
        while !piece.is_empty() && !self.is_closed.load(Ordering::Relaxed) {
            let failure = match file.write(piece) {
                Ok(0) => io::ErrorKind::WriteZero.into(),
                Ok(written) => {
                    piece = piece.get(written..).unwrap_or_default();
                    continue;
                }
                Err(error) => error,
            };
            match failure.kind() {
                io::ErrorKind::Interrupted => {}
                // Another program that shares the stream made it non-blocking.
                io::ErrorKind::WouldBlock => std::thread::sleep(PAUSE),
                kind => {
                    self.is_closed.store(true, Ordering::Relaxed);
                    if kind != io::ErrorKind::BrokenPipe {
                        let mut kept = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
                        *kept = Some(failure);
                    }
                }
            }
        }
    }
}

/// Text that is waiting to be written.
struct Queue {
    chunks: Sender<Chunk>,
    /// The total number of queued bytes.
    queued: AtomicU64,
    /// The total number of bytes that were written or discarded.
    written: watch::Sender<u64>,
}

impl Queue {
    fn start(out: &Arc<Target>, err: &Arc<Target>) -> Self {
        let (chunks, waiting) = mpsc::channel();
        let written = watch::Sender::new(0);
        let (out, err, count) = (Arc::clone(out), Arc::clone(err), written.clone());
        // If the thread cannot be started, the channel has no receiver and `queue` writes directly.
        drop(
            std::thread::Builder::new()
                .name("output".to_owned())
                .spawn(move || write_all(&waiting, &out, &err, &count)),
        );
        Self {
            chunks,
            queued: AtomicU64::new(0),
            written,
        }
    }

    /// Waits until everything is written; false if nothing is written for `patience`.
    async fn drain(&self, patience: Option<Duration>) -> bool {
        let mut written = self.written.subscribe();
        while *written.borrow_and_update() < self.queued.load(Ordering::Relaxed) {
            let more = written.changed();
            let is_over = match patience {
                Some(patience) => !matches!(tokio::time::timeout(patience, more).await, Ok(Ok(()))),
                None => more.await.is_err(),
            };
            if is_over {
                return false;
            }
        }
        true
    }
}

/// The thread of a queue.
fn write_all(waiting: &Receiver<Chunk>, out: &Target, err: &Target, count: &watch::Sender<u64>) {
    let mut next = waiting.recv().ok();
    while let Some((which, mut text)) = next {
        // Text that was queued in the meantime is added in whole chunks, so that a reader never sees half a line.
        next = loop {
            match waiting.try_recv() {
                Ok((its, more)) if its == which && text.len() + more.len() <= PIECE => {
                    text.extend(more);
                }
                Ok(other) => break Some(other),
                Err(_) => break None,
            }
        };
        write(out, err, which, &text, count);
        next = next.or_else(|| waiting.recv().ok());
    }
}

fn write(out: &Target, err: &Target, which: Which, text: &[u8], count: &watch::Sender<u64>) {
    let target = match which {
        Which::Out => out,
        Which::Err => err,
    };
    for piece in text.chunks(PIECE) {
        target.write(piece);
        count.send_modify(|written| *written = written.saturating_add(length(piece)));
    }
}
