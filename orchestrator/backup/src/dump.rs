//! Runs one `pg_dump`.
//!
//! Sets its arguments, reports its progress and the sessions that block it, and ends it when the future is dropped. Does not verify
//! the dump.

use std::fs::File;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::Blocker;
use engine::inspect::ServiceError;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use pg_session::{Backoff, SessionObserver};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr};

use super::event::BackupEvent;
use super::folder::written;
use super::{BackupError, DumpFormat};
use client_program::ClientWatch;
use client_program::{ClientProgram, without_right};

/// The interval of progress reports.
const PAUSE: Duration = Duration::from_secs(1);
/// How much longer `pg_dump` itself waits for a lock. We give up first, because only we can name the blockers.
const BEYOND: Duration = Duration::from_secs(5);
/// How long to retry on a server without a free connection, and the pauses between attempts.
const RETRY_FOR: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// The grace period of `pg_dump` after SIGTERM.
const FAREWELL: Duration = Duration::from_secs(2);
/// The maximum length of an error message of `pg_dump`, in bytes.
const WORDS: usize = 600;

/// The database to dump, and the options.
pub(super) struct DumpOrder<'a> {
    pub(super) program: &'a ClientProgram,
    /// The address, and the `application_name` by which blocked sessions are found.
    pub(super) watch: ClientWatch,
    pub(super) snapshot: &'a str,
    pub(super) format: DumpFormat,
    /// The number of concurrent sessions in the directory format.
    pub(super) jobs: u16,
    pub(super) path: &'a Path,
    /// The lock of the directory, which `pg_dump` inherits.
    pub(super) lock: File,
    /// The longest wait for a lock.
    pub(super) patience: Duration,
    pub(super) observer: Arc<SessionObserver>,
    /// The size of the database.
    pub(super) of_bytes: u64,
    pub(super) of_tables: usize,
}

/// Dumps a database. Retries for a while if the server has no free connection.
pub(super) async fn dump(
    order: DumpOrder<'_>,
    emit: &(dyn Fn(BackupEvent) + Send + Sync),
) -> Result<(), BackupError> {
    let deadline = Instant::now() + RETRY_FOR;
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        let failed = match dump_once(&order, emit).await {
            Err(error) if error.is_of_full_server() && Instant::now() < deadline => error,
            ended => return ended,
        };
        tracing::debug!(%failed, "restarting pg_dump");
        // Some of several jobs may have been connected already and have written files.
        remove(order.path).map_err(|source| BackupError::Folder {
            path: order.path.to_owned(),
            source,
        })?;
        tokio::time::sleep(backoff.next_pause()).await;
    }
}

async fn dump_once(
    order: &DumpOrder<'_>,
    emit: &(dyn Fn(BackupEvent) + Send + Sync),
) -> Result<(), BackupError> {
    let (child, stderr) = start(order)?;
    let leader = child.0.id();
    let dumping = follow(order, child, stderr, emit);
    match order.watch.over(leader, dumping).await {
        Some(ended) => ended,
        None => Err(ServiceError::silent(order.watch.address(), "pg_dump").into()),
    }
}

/// Reports the progress of a `pg_dump` until it ends.
async fn follow(
    order: &DumpOrder<'_>,
    mut child: Running,
    stderr: ChildStderr,
    emit: &(dyn Fn(BackupEvent) + Send + Sync),
) -> Result<(), BackupError> {
    let mut stderr = BufReader::new(stderr);
    let mut progress = Progress::new(order);
    let mut said = ProgramMessages::default();
    let mut line = Vec::new();
    let mut ticks = tokio::time::interval(PAUSE);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        tokio::select! {
            biased;
            read = stderr.read_until(b'\n', &mut line) => {
                // Names can be in the database's encoding, so the output is not always UTF-8.
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                match read {
                    Ok(bytes) if bytes > 0 => {
                        progress.push_line(&text);
                        said.push_line(&text);
                    }
                    _ => break,
                }
                line.clear();
            }
            _ = ticks.tick() => progress.look(emit).await?,
        }
    }
    let ended = child.0.wait().await.map_err(|source| BackupError::NotRun {
        program: order.program.to_string(),
        source,
    })?;
    if ended.success() {
        return Ok(());
    }
    let (address, said) = (order.watch.address(), said.or_how_it_ended(ended));
    Err(BackupError::Dump {
        database: address.database().to_owned(),
        folder: order.path.to_owned(),
        forbidden: without_right(&said, address),
        said,
    })
}

fn start(order: &DumpOrder<'_>) -> Result<(Running, ChildStderr), BackupError> {
    let failed = |source| BackupError::NotRun {
        program: order.program.to_string(),
        source,
    };
    let lock = order.lock.try_clone().map_err(failed)?;
    let limit = (order.patience + BEYOND).as_millis();
    let mut command = order.program.against(&order.watch);
    command
        .arg(match order.format {
            DumpFormat::Custom => "--format=custom",
            DumpFormat::Directory => "--format=directory",
        })
        .args(["--no-password", "--verbose"])
        .arg(format!("--snapshot={}", order.snapshot))
        .arg(format!("--lock-wait-timeout={limit}"))
        .arg(format!(
            "--dbname={}",
            order.watch.address().libpq_connection_string()
        ))
        .arg("--file")
        .arg(order.path);
    if order.format == DumpFormat::Directory {
        command.arg(format!("--jobs={}", order.jobs));
    }
    // The lock of the directory is its standard input, so the lock is held for as long as it writes there. If this process is
    // killed, the next line of --verbose output fails with EPIPE and ends pg_dump as well.
    let mut child = command
        .stdin(Stdio::from(lock))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(false)
        .spawn()
        .map_err(failed)?;
    let stderr = child.stderr.take();
    let child = Running(child);
    match stderr {
        Some(stderr) => Ok((child, stderr)),
        None => Err(failed(std::io::Error::other("cannot read its output"))),
    }
}

/// Removes the files of a failed `pg_dump`.
fn remove(path: &Path) -> std::io::Result<()> {
    let removed = match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// A `pg_dump` and its workers. On drop they are terminated, which cancels their statements on the server, and awaited, so that
/// they no longer write files.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let Some(leader) = self.0.id().and_then(|id| i32::try_from(id).ok()) else {
            return;
        };
        let group = Pid::from_raw(leader);
        let _ = killpg(group, Signal::SIGTERM);
        let deadline = Instant::now() + FAREWELL;
        while matches!(self.0.try_wait(), Ok(None)) {
            if Instant::now() >= deadline {
                let _ = killpg(group, Signal::SIGKILL);
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The progress of a dump.
struct Progress<'a> {
    order: &'a DumpOrder<'a>,
    table: Option<String>,
    tables: usize,
    reported: Option<(u64, usize)>,
    blocked_since: Option<Instant>,
    blockers: Vec<Blocker>,
}

impl<'a> Progress<'a> {
    fn new(order: &'a DumpOrder<'a>) -> Self {
        Self {
            order,
            table: None,
            tables: 0,
            reported: None,
            blocked_since: None,
            blockers: Vec::new(),
        }
    }

    /// Parses lines such as `pg_dump: dumping contents of table "public.policies"`.
    fn push_line(&mut self, line: &str) {
        if let Some((_, table)) = line.split_once("dumping contents of table ") {
            self.table = Some(table.trim_matches('"').to_owned());
            self.tables += 1;
        }
    }

    /// Reports progress and blockers; a wait that exceeds the limit is an error.
    async fn look(
        &mut self,
        emit: &(dyn Fn(BackupEvent) + Send + Sync),
    ) -> Result<(), BackupError> {
        let bytes = written(self.order.path);
        if self.reported != Some((bytes, self.tables)) {
            self.reported = Some((bytes, self.tables));
            emit(BackupEvent::BackupProgress {
                bytes,
                of_bytes: self.order.of_bytes,
                table: self.table.clone(),
                tables: self.tables,
                of_tables: self.order.of_tables,
            });
        }
        let application = self.order.watch.application();
        let Some(blockers) = self
            .order
            .observer
            .blockers_of_application(application)
            .await
        else {
            return Ok(());
        };
        if blockers.is_empty() {
            self.blocked_since = None;
            self.blockers.clear();
            return Ok(());
        }
        let waited = self
            .blocked_since
            .get_or_insert_with(Instant::now)
            .elapsed();
        if waited >= self.order.patience {
            return Err(BackupError::Blocked {
                database: self.order.watch.address().database().to_owned(),
                waited: self.order.patience,
                who: blockers,
            });
        }
        let pids = |blockers: &[Blocker]| blockers.iter().map(|it| it.pid).collect::<Vec<_>>();
        if pids(&blockers) != pids(&self.blockers) {
            self.blockers.clone_from(&blockers);
            emit(BackupEvent::BackupBlocked {
                waited_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX),
                blockers,
            });
        }
        Ok(())
    }
}

/// The error messages in the output of a client program.
#[derive(Default)]
pub(super) struct ProgramMessages {
    complaints: Vec<String>,
    last: String,
}

impl ProgramMessages {
    pub(super) fn push_line(&mut self, line: &str) {
        let message = line
            .split_once(": ")
            .filter(|(program, _)| program.starts_with("pg_"))
            .map(|(_, message)| message);
        match message {
            Some(message) => {
                if let Some(complaint) = message.strip_prefix("error: ") {
                    self.complaints.push(complaint.to_owned());
                } else if let Some(detail) = message.strip_prefix("detail: ")
                    && !self.complaints.is_empty()
                {
                    self.complaints.push(detail.to_owned());
                }
            }
            // The server's DETAIL and HINT are on separate lines.
            None if !self.complaints.is_empty() => self.complaints.push(line.to_owned()),
            None => {}
        }
        line.clone_into(&mut self.last);
    }

    /// The error messages in one line; without any, the exit status and the last line of output.
    pub(super) fn or_how_it_ended(self, ended: ExitStatus) -> String {
        let text = if self.complaints.is_empty() {
            let last = self.last.trim();
            let last = if last.is_empty() {
                String::new()
            } else {
                format!("; its last line: {last}")
            };
            format!("it ended with {ended}{last}")
        } else {
            self.complaints.join("; ")
        };
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        match text.char_indices().nth(WORDS) {
            Some((at, _)) => format!("{}…", &text[..at]),
            None => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn words(lines: &[&str], status: i32) -> String {
        let mut words = ProgramMessages::default();
        lines.iter().for_each(|line| words.push_line(line));
        words.or_how_it_ended(ExitStatus::from_raw(status))
    }

    #[test]
    fn only_error_messages_are_reported() {
        let lines = [
            "pg_dump: reading extensions",
            "pg_dump: error: query failed: ERROR:  permission denied for table a",
            "pg_dump: detail: Query was: LOCK TABLE public.a IN ACCESS SHARE MODE",
        ];
        assert_eq!(
            words(&lines, 256),
            "query failed: ERROR: permission denied for table a; Query was: LOCK TABLE public.a IN ACCESS SHARE MODE"
        );
    }

    #[test]
    fn a_killed_program_reports_its_last_line() {
        assert_eq!(
            words(&["pg_dump: dumping contents of table \"public.a\""], 9),
            "it ended with signal: 9 (SIGKILL); its last line: pg_dump: dumping contents of table \"public.a\""
        );
        assert_eq!(words(&[], 256), "it ended with exit status: 1");
    }
}
