//! The operating system user that a server runs as.
//!
//! Responsible for: choosing it, running programs as it, signalling its processes. PostgreSQL refuses
//! to run as root; a caller who is root hands the server to an unprivileged user.
//! Not for: database roles.

use std::env;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::{self, Signal};
use nix::unistd::{Pid, Uid, User, geteuid};

use super::error::LocalServerError;

/// Users that run a server if the caller and the owner of the project are root, best first.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// The variables that programs inherit: the rest may contain secrets or redirect (`PGPORT`).
const KEPT_VARIABLES: [&str; 4] = ["PATH", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"];

/// The operating system user that a server and its tools run as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// The calling user.
    Caller,
    /// An unprivileged user, because the caller is root.
    Other {
        /// The user's name, for messages.
        name: String,
        /// The user's number.
        uid: u32,
        /// The user's group.
        gid: u32,
    },
}

impl Account {
    /// The account for a new server of a folder.
    ///
    /// Root hands over to the folder's owner, so that the same project works with and without `sudo`;
    /// where root owns the folder, to `postgres` or `nobody`.
    pub(super) fn for_new_server(folder: &Metadata) -> Result<Self, LocalServerError> {
        if !geteuid().is_root() {
            return Ok(Self::Caller);
        }
        if let Some(owner) = known_user(folder.uid()) {
            return Ok(owner);
        }
        UNPRIVILEGED
            .into_iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .map(Self::of_user)
            .ok_or(LocalServerError::NoUnprivilegedUser)
    }

    /// The account of a server whose data folder already exists.
    pub(super) fn for_existing_data(
        data_dir: &Path,
        data: &Metadata,
    ) -> Result<Self, LocalServerError> {
        let caller = geteuid();
        if data.uid() == caller.as_raw() {
            return Ok(Self::Caller);
        }
        if !caller.is_root() {
            return Err(LocalServerError::ForeignOwner {
                path: data_dir.to_owned(),
                owner: user_name(data.uid()),
                caller: user_name(caller.as_raw()),
            });
        }
        Ok(known_user(data.uid()).unwrap_or_else(|| Self::Other {
            name: user_name(data.uid()),
            uid: data.uid(),
            gid: data.gid(),
        }))
    }

    fn of_user(user: User) -> Self {
        Self::Other {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
        }
    }

    /// The user's name.
    pub fn name(&self) -> String {
        match self {
            Self::Caller => user_name(geteuid().as_raw()),
            Self::Other { name, .. } => name.clone(),
        }
    }

    /// The user's number, which names caches that only this user can use.
    pub(super) fn uid(&self) -> u32 {
        match self {
            Self::Caller => geteuid().as_raw(),
            Self::Other { uid, .. } => *uid,
        }
    }

    /// A command that runs as this user, without input, with few variables, and shielded from the terminal's Ctrl-C.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .current_dir("/")
            .process_group(0);
        for name in KEPT_VARIABLES {
            if let Some(value) = env::var_os(name) {
                command.env(name, value);
            }
        }
        if let Self::Other { uid, gid, .. } = self {
            // The standard library also drops root's supplementary groups when it changes the user.
            command.uid(*uid).gid(*gid);
        }
        command
    }

    /// A shell script that runs as this user, with `$1`, `$2`, … as given.
    pub(super) fn shell(&self, script: &str) -> Command {
        let mut command = self.command(Path::new("/bin/sh"));
        command.arg("-c").arg(script).arg("sh");
        command
    }

    /// Makes this user the owner of a path.
    pub(super) fn own(&self, path: &Path) -> io::Result<()> {
        match self {
            Self::Caller => Ok(()),
            Self::Other { uid, gid, .. } => std::os::unix::fs::lchown(path, Some(*uid), Some(*gid)),
        }
    }

    /// Whether this user can enter a folder. The system decides, because mode bits do not show access
    /// control lists, mount options and user namespaces.
    pub(super) fn can_enter(&self, folder: &Path) -> bool {
        match self {
            Self::Caller => true,
            Self::Other { .. } => self
                .shell("cd \"$1\"")
                .arg(folder)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success()),
        }
    }

    /// Sends a signal with the rights of this user, so that a forged process number in a file of theirs
    /// cannot make root stop another user's process.
    pub(super) fn signal(&self, pid: u32, signal: Signal) -> io::Result<()> {
        match self {
            Self::Caller => send(pid, Some(signal)),
            Self::Other { .. } => {
                let name = signal.as_str().trim_start_matches("SIG");
                let output = self
                    .shell("kill -s \"$1\" \"$2\"")
                    .arg(name)
                    .arg(pid.to_string())
                    .output()?;
                if output.status.success() {
                    return Ok(());
                }
                Err(io::Error::other(
                    String::from_utf8_lossy(&output.stderr).trim().to_owned(),
                ))
            }
        }
    }
}

/// Whether a process exists and still runs. One that ended and waits to be collected by its parent does
/// not: containers without an init process keep those forever.
pub(super) fn is_alive(pid: u32) -> bool {
    if send(pid, None).is_err_and(|error| error.raw_os_error() != Some(nix::libc::EPERM)) {
        return false;
    }
    // After the program's name in parentheses comes the state. Other systems have no such file.
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| {
            stat.rsplit_once(") ")
                .map(|(_, rest)| !rest.starts_with(['Z', 'X']))
        })
        .unwrap_or(true)
}

pub(super) fn send(pid: u32, signal: Option<Signal>) -> io::Result<()> {
    // 0 and negative numbers mean process groups, which our files never contain.
    let pid = i32::try_from(pid)
        .ok()
        .filter(|pid| *pid > 1)
        .ok_or(io::ErrorKind::InvalidInput)?;
    signal::kill(Pid::from_raw(pid), signal).map_err(io::Error::from)
}

/// Gives a path that root created to the owner of the folder it lies in.
pub(super) fn give_to_owner_of(folder: &Path, path: &Path) -> io::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let owner = fs::metadata(folder)?;
    std::os::unix::fs::lchown(path, Some(owner.uid()), Some(owner.gid()))
}

/// Whether the caller is the owner of what the metadata describe.
pub(super) fn is_own(metadata: &Metadata) -> bool {
    metadata.uid() == geteuid().as_raw()
}

/// The unprivileged user with this id, if the system knows one (`initdb` refuses to run for others).
pub(super) fn known_user(uid: u32) -> Option<Account> {
    if uid == 0 {
        return None;
    }
    User::from_uid(Uid::from_raw(uid))
        .ok()
        .flatten()
        .map(Account::of_user)
}

/// A user's name, or the number when the system knows no name.
pub(super) fn user_name(uid: u32) -> String {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    user.map_or_else(|| format!("user {uid}"), |user| user.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_impossible_ones_are_not() {
        assert!(is_alive(std::process::id()));
        assert!(!is_alive(0));
        assert!(!is_alive(u32::MAX));
        assert!(!is_alive(i32::MAX as u32));
    }

    #[test]
    fn an_ended_process_that_was_not_reaped_is_not_alive() {
        let mut child = Command::new("/bin/sh")
            .args(["-c", "exit 0"])
            .spawn()
            .unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
        while cfg!(target_os = "linux") && is_alive(child.id()) {
            assert!(
                std::time::Instant::now() < deadline,
                "a zombie counts as alive"
            );
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        child.wait().unwrap();
    }

    #[test]
    fn programs_do_not_see_the_callers_secrets() {
        let output = Account::Caller.shell("env; pwd").output().unwrap();
        let seen = String::from_utf8(output.stdout).unwrap();
        assert!(seen.contains("LC_ALL=C"), "{seen}");
        assert!(!seen.contains("CARGO_"), "{seen}");
        assert!(seen.lines().any(|line| line == "/"), "{seen}");
    }

    #[test]
    fn root_hands_over_to_an_unprivileged_user() {
        let folder = tempfile::tempdir().unwrap();
        let account = Account::for_new_server(&fs::metadata(folder.path()).unwrap()).unwrap();
        let output = account.shell("id -u; id -G").output().unwrap();
        let seen = String::from_utf8(output.stdout).unwrap();
        assert_ne!(account.uid(), 0);
        assert!(
            !seen.split_whitespace().any(|number| number == "0"),
            "still root or in its group: {seen}"
        );
    }
}
