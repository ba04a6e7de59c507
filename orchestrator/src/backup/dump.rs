//! One `pg_dump`: started, watched, and ended with whoever wants it.
//!
//! Responsible for its arguments, what it tells on the way, whom it waits for, and that it does not outlive the wish for it.
//! Not for what becomes of the dump.

use std::fs::File;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use shared::domain::{Blocker, EventKind};
use shared::inspect::ServiceError;
use shared::postgres::SessionObserver;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr};

use super::folder::written;
use super::{BackupError, DumpFormat};
use crate::client_program::{ClientProgram, without_right};
use crate::client_watch::ClientWatch;

/// The pause between two looks at how far it is.
const PAUSE: Duration = Duration::from_secs(1);
/// How much longer than this program `pg_dump` itself waits for a lock: it cannot say for whom.
const BEYOND: Duration = Duration::from_secs(5);
/// How long a server without a free connection is asked again, and the pauses in between.
const RETRY_FOR: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// How long `pg_dump` is given to end when it is told to.
const FAREWELL: Duration = Duration::from_secs(2);
/// The most words of `pg_dump` that are passed on, in characters.
const WORDS: usize = 600;

/// What is dumped, and how.
pub(super) struct DumpOrder<'a> {
    pub(super) program: &'a ClientProgram,
    /// Where it connects to, and the name of its sessions, by which they are found among those that wait.
    pub(super) watch: ClientWatch,
    pub(super) snapshot: &'a str,
    pub(super) format: DumpFormat,
    /// Sessions at a time, in the directory format.
    pub(super) jobs: u16,
    pub(super) path: &'a Path,
    /// The lock of the folder, which it inherits.
    pub(super) lock: File,
    /// How long it may wait for a lock.
    pub(super) patience: Duration,
    pub(super) observer: Arc<SessionObserver>,
    /// The size of the database.
    pub(super) of_bytes: u64,
    pub(super) of_tables: usize,
}

/// Dumps a database. A server without a free connection is asked again for a while.
pub(super) async fn dump(
    order: DumpOrder<'_>,
    say: &(dyn Fn(EventKind) + Send + Sync),
) -> Result<(), BackupError> {
    let deadline = Instant::now() + RETRY_FOR;
    let mut pause = FIRST_PAUSE;
    loop {
        let failed = match dump_once(&order, say).await {
            Err(error) if error.is_of_full_server() && Instant::now() < deadline => error,
            ended => return ended,
        };
        tracing::debug!(%failed, "pg_dump is started again");
        // Of several jobs some may have been connected, and have written.
        remove(order.path).map_err(|source| BackupError::Folder {
            path: order.path.to_owned(),
            source,
        })?;
        tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn dump_once(
    order: &DumpOrder<'_>,
    say: &(dyn Fn(EventKind) + Send + Sync),
) -> Result<(), BackupError> {
    let (child, stderr) = start(order)?;
    let leader = child.0.id();
    let dumping = follow(order, child, stderr, say);
    match order.watch.over(leader, dumping).await {
        Some(ended) => ended,
        None => Err(ServiceError::silent(order.watch.address(), "pg_dump").into()),
    }
}

/// Tells what a `pg_dump` does until it ends.
async fn follow(
    order: &DumpOrder<'_>,
    mut child: Running,
    stderr: ChildStderr,
    say: &(dyn Fn(EventKind) + Send + Sync),
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
                // Names may be in the database's encoding.
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                match read {
                    Ok(bytes) if bytes > 0 => {
                        progress.hear(&text);
                        said.hear(&text);
                    }
                    _ => break,
                }
                line.clear();
            }
            _ = ticks.tick() => progress.look(say).await?,
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
    // It reads nothing, and so holds the lock of the folder for as long as it writes there. What it tells all the time
    // nobody hears any more once this program is killed, and that ends it, too.
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
        None => Err(failed(std::io::Error::other("its words cannot be read"))),
    }
}

/// What a `pg_dump` that failed has left.
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

/// A `pg_dump` and its workers: dropped, they are told to end, which cancels what they do on the server, and waited for, so
/// that nothing is written any more.
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

/// How far a dump is.
struct Progress<'a> {
    order: &'a DumpOrder<'a>,
    table: Option<String>,
    tables: usize,
    told: Option<(u64, usize)>,
    blocked_since: Option<Instant>,
    blockers: Vec<Blocker>,
}

impl<'a> Progress<'a> {
    fn new(order: &'a DumpOrder<'a>) -> Self {
        Self {
            order,
            table: None,
            tables: 0,
            told: None,
            blocked_since: None,
            blockers: Vec::new(),
        }
    }

    /// `pg_dump: dumping contents of table "public.policies"`
    fn hear(&mut self, line: &str) {
        if let Some((_, table)) = line.split_once("dumping contents of table ") {
            self.table = Some(table.trim_matches('"').to_owned());
            self.tables += 1;
        }
    }

    /// Tells how far it is, and whom it waits for; after too long a wait that is an error.
    async fn look(&mut self, say: &(dyn Fn(EventKind) + Send + Sync)) -> Result<(), BackupError> {
        let bytes = written(self.order.path);
        if self.told != Some((bytes, self.tables)) {
            self.told = Some((bytes, self.tables));
            say(EventKind::BackupProgress {
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
            say(EventKind::BackupBlocked {
                waited_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX),
                blockers,
            });
        }
        Ok(())
    }
}

/// What a client program complains of, among all that it tells.
#[derive(Default)]
pub(super) struct ProgramMessages {
    complaints: Vec<String>,
    last: String,
}

impl ProgramMessages {
    pub(super) fn hear(&mut self, line: &str) {
        let told = line
            .split_once(": ")
            .filter(|(program, _)| program.starts_with("pg_"))
            .map(|(_, told)| told);
        match told {
            Some(told) => {
                if let Some(complaint) = told.strip_prefix("error: ") {
                    self.complaints.push(complaint.to_owned());
                } else if let Some(detail) = told.strip_prefix("detail: ")
                    && !self.complaints.is_empty()
                {
                    self.complaints.push(detail.to_owned());
                }
            }
            // The server's DETAIL and HINT stand on lines of their own.
            None if !self.complaints.is_empty() => self.complaints.push(line.to_owned()),
            None => {}
        }
        line.clone_into(&mut self.last);
    }

    /// The complaints in one line; without any, how it ended and its last word.
    pub(super) fn or_how_it_ended(self, ended: ExitStatus) -> String {
        let text = if self.complaints.is_empty() {
            let last = self.last.trim();
            let last = if last.is_empty() {
                String::new()
            } else {
                format!("; its last word: {last}")
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
        lines.iter().for_each(|line| words.hear(line));
        words.or_how_it_ended(ExitStatus::from_raw(status))
    }

    #[test]
    fn complaints_are_told_and_the_rest_is_not() {
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
    fn one_that_was_killed_says_where_it_was() {
        assert_eq!(
            words(&["pg_dump: dumping contents of table \"public.a\""], 9),
            "it ended with signal: 9 (SIGKILL); its last word: pg_dump: dumping contents of table \"public.a\""
        );
        assert_eq!(words(&[], 256), "it ended with exit status: 1");
    }
}
