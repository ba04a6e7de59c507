//! Folders and templates of throw-away servers.
//!
//! Responsible for: the cache with prepared data, a folder for each server, and removing the servers of
//! processes that were killed. Not for: running a server (`throwaway`).

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::sys::statvfs::statvfs;

use super::account::Account;
use super::binaries::Binaries;
use super::cluster::{self, Purpose};
use super::error::LocalServerError;
use super::files;
use super::home::{self, Home};
use super::lock::FileLock;
use super::postmaster::{self, State};

/// Linux's file system in memory.
const MEMORY: &str = "/dev/shm";
const MEMORY_NEEDED: u64 = 1 << 30;
const CLUSTERS: &str = "clusters";
/// Part of a template's name: change it when the content of a template changes.
const TEMPLATE_FORMAT: &str = "1";
const LOCK_LIMIT: Duration = Duration::from_secs(180);
/// Half of it for a clean stop, the other half after SIGKILL.
const DESTROY_LIMIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(4);

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A folder for one server, with everything it needs to start.
pub(super) struct Place {
    /// The user that the server runs as.
    pub(super) account: Account,
    /// An empty folder of its own.
    pub(super) folder: PathBuf,
    /// Locked by the system as long as this process lives: a process that finds it unlocked may clean up.
    pub(super) owner: FileLock,
    /// The data folder to copy.
    pub(super) template: PathBuf,
    /// The superuser's password in it.
    pub(super) password: String,
    /// Orphaned servers.
    pub(super) abandoned: Vec<Abandoned>,
}

impl Place {
    /// Creates a place in a cache folder, in memory if requested and available.
    pub(super) fn take(
        binaries: &Binaries,
        cache: &Path,
        in_memory: bool,
    ) -> Result<Self, LocalServerError> {
        home::prepare(cache)?;
        let cache = fs::canonicalize(cache).map_err(LocalServerError::file("read", cache))?;
        let _lock = FileLock::acquire(&cache.join("lock"), LOCK_LIMIT)?;
        let metadata = fs::metadata(&cache).map_err(LocalServerError::file("read", &cache))?;
        let account = Account::for_new_server(&metadata)?;
        let home = Home::choose(&cache, &account, &home::PASSING)?;
        let (template, password) = template(binaries, &account, home.folder())?;

        let memory = if in_memory && has_memory() {
            home::claim_below(Path::new(MEMORY), &cache)?
        } else {
            None
        };
        let bases = std::iter::once(home.folder()).chain(memory.as_deref());
        // Collected before ours exists, and destroyed after the lock is released, because that may take a while.
        let abandoned = bases
            .flat_map(|base| Abandoned::find(&base.join(CLUSTERS), &account))
            .collect();
        let clusters = memory.as_deref().unwrap_or(home.folder()).join(CLUSTERS);
        files::ensure_folder(&clusters, 0o711)?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!(
            "{}-{number}-{}",
            std::process::id(),
            files::random_hex::<2>()?
        );
        let folder = clusters.join(name);
        files::create_folder(&folder, 0o711).map_err(LocalServerError::file("create", &folder))?;
        let owner = FileLock::acquire(&folder.join("owner"), LOCK_LIMIT)?;
        Ok(Self {
            account,
            folder,
            owner,
            template,
            password,
            abandoned,
        })
    }
}

/// Whether there is a file system in memory with room for several servers (that of a container often has
/// 64 MB).
fn has_memory() -> bool {
    statvfs(MEMORY).is_ok_and(|room| {
        // These fields have 32 bits on some systems.
        #[allow(clippy::useless_conversion)]
        let blocks = u64::from(room.blocks_available());
        blocks.saturating_mul(room.fragment_size()) >= MEMORY_NEEDED
    })
}

/// The prepared data folder of these binaries and this user, and its password; created if missing.
fn template(
    binaries: &Binaries,
    account: &Account,
    folder: &Path,
) -> Result<(PathBuf, String), LocalServerError> {
    let name = format!(
        "template-{}-{}-{TEMPLATE_FORMAT}",
        binaries.version().full(),
        account.uid()
    );
    let (data_dir, password_name) = (folder.join(&name), format!("{name}.password"));
    if let Some(password) = files::read(&folder.join(&password_name))?
        && files::is_folder(&data_dir)?
    {
        return Ok((data_dir, password.trim().to_owned()));
    }
    files::remove(&data_dir)?;
    let password = files::random_hex::<16>()?;
    files::write(folder, &password_name, &format!("{password}\n"), 0o600)?;
    cluster::create(
        binaries,
        account,
        folder,
        &name,
        &password,
        Purpose::Throwaway,
    )?;
    Ok((data_dir, password))
}

/// A server whose owner exited without stopping it.
pub(super) struct Abandoned {
    folder: PathBuf,
    account: Account,
    /// Prevents concurrent removal.
    _owner: FileLock,
}

impl Abandoned {
    fn find(clusters: &Path, account: &Account) -> Vec<Self> {
        let entries = fs::read_dir(clusters).into_iter().flatten().flatten();
        entries
            .filter_map(|entry| {
                let folder = entry.path();
                let owner = FileLock::try_acquire(&folder.join("owner"))?;
                Some(Self {
                    folder,
                    account: account.clone(),
                    _owner: owner,
                })
            })
            .collect()
    }

    /// Best effort: the next process finds what remains.
    pub(super) fn destroy(&self) {
        let (data_dir, log) = (self.folder.join("data"), self.folder.join("server.log"));
        let started = Instant::now();
        let mut sent = None;
        while let Ok(State::Ready(file) | State::Busy(Some(file))) =
            postmaster::state(&data_dir, &log)
        {
            let signal = if started.elapsed() < DESTROY_LIMIT / 2 {
                Signal::SIGQUIT
            } else {
                Signal::SIGKILL
            };
            if sent != Some(signal) {
                let _ = self.account.signal(file.pid, signal);
                sent = Some(signal);
            }
            if started.elapsed() >= DESTROY_LIMIT {
                return;
            }
            thread::sleep(POLL);
        }
        remove_folder(&self.folder);
    }
}

/// Removes a server's folder, while the last of its processes may still write there.
pub(super) fn remove_folder(folder: &Path) {
    for _ in 0..10 {
        if files::remove(folder).is_ok() {
            return;
        }
        thread::sleep(POLL);
    }
}
