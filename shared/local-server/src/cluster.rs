//! Creates data folders.
//!
//! Responsible for: `initdb`, so that a data folder exists completely or not at all, and the version that
//! created it. Not for: servers that run on it.

use std::fs;
use std::path::Path;
use std::process::Output;

use super::account::Account;
use super::binaries::Binaries;
use super::error::LocalServerError;
use super::files;
use super::postmaster;
use super::settings::SUPERUSER;

/// The purpose of a data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Kept for months, open to every program on the machine that knows the password.
    Lasting,
    /// Deleted within minutes, connected to thousands of times.
    Throwaway,
}

impl Purpose {
    fn options(self) -> &'static [&'static str] {
        match self {
            Self::Lasting => &["--auth=scram-sha-256", "--data-checksums"],
            // SCRAM makes each connection cost milliseconds on both sides; with a random password of 128
            // bits MD5 is just as safe. Small WAL segments make copies small.
            Self::Throwaway => &["--auth=md5", "--no-sync", "--wal-segsize=4"],
        }
    }
}

/// Creates `folder/name`, which must not exist, as the data folder of a new cluster.
pub(super) fn create(
    binaries: &Binaries,
    account: &Account,
    folder: &Path,
    name: &str,
    password: &str,
    purpose: Purpose,
) -> Result<(), LocalServerError> {
    remove_unfinished(folder, name);
    let unfinished = folder.join(format!("{name}.creating-{}", files::random_hex::<8>()?));
    files::create_folder(&unfinished, 0o700)
        .and_then(|()| account.own(&unfinished))
        .map_err(LocalServerError::file("create", &unfinished))?;

    let password_name = format!("{name}.creating-{}.password", files::random_hex::<8>()?);
    let password_file = folder.join(&password_name);
    files::write(folder, &password_name, password, 0o600)?;
    let made = account
        .own(&password_file)
        .map_err(LocalServerError::file(
            "change the owner of",
            &password_file,
        ))
        .and_then(|()| run_initdb(binaries, account, &unfinished, &password_file, purpose));
    let _ = fs::remove_file(&password_file);
    let moved = made.and_then(|()| {
        let data_dir = folder.join(name);
        fs::rename(&unfinished, &data_dir).map_err(LocalServerError::file("create", &data_dir))
    });
    if moved.is_err() {
        let _ = fs::remove_dir_all(&unfinished);
    }
    moved
}

fn run_initdb(
    binaries: &Binaries,
    account: &Account,
    data_dir: &Path,
    password_file: &Path,
    purpose: Purpose,
) -> Result<(), LocalServerError> {
    let program = binaries.needed("initdb");
    let run = |locale: &str| -> Result<Output, LocalServerError> {
        account
            .command(&program)
            .arg("--pgdata")
            .arg(data_dir)
            .arg("--pwfile")
            .arg(password_file)
            .args([
                "--username",
                SUPERUSER,
                "--encoding",
                "UTF8",
                "--locale",
                locale,
            ])
            .args(purpose.options())
            .output()
            .map_err(|source| LocalServerError::Program {
                program: program.clone(),
                user: account.name(),
                source,
            })
    };
    let mut output = run("C.UTF-8")?;
    // Older macOS and some slim systems lack it. Both locales sort by bytes, but C folds only ASCII letters.
    if !output.status.success() && String::from_utf8_lossy(&output.stderr).contains("locale") {
        output = run("C")?;
    }
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(LocalServerError::Initdb {
        data_dir: data_dir.to_owned(),
        message: postmaster::decisive_lines(&said),
    })
}

/// The major version that created a data folder.
pub(super) fn major_of(data_dir: &Path) -> Result<u32, LocalServerError> {
    let text = files::read(&data_dir.join("PG_VERSION"))?;
    // Before 10 the major version was "9.6": reading it as 9 is enough to find it incompatible.
    text.as_deref()
        .and_then(|text| text.trim().split('.').next()?.parse().ok())
        .ok_or_else(|| LocalServerError::NotADataFolder {
            data_dir: data_dir.to_owned(),
        })
}

/// Refuses binaries that cannot serve a data folder.
pub(super) fn check_major(data_dir: &Path, binaries: &Binaries) -> Result<(), LocalServerError> {
    let data = major_of(data_dir)?;
    if data == binaries.version().major() {
        return Ok(());
    }
    Err(LocalServerError::OtherMajor {
        data_dir: data_dir.to_owned(),
        data,
        folder: binaries.folder().to_owned(),
        binaries: binaries.version().major(),
    })
}

/// Removes leftovers of killed processes. The caller holds the lock, so none of them is active.
pub(super) fn remove_unfinished(folder: &Path, name: &str) {
    let prefix = format!("{name}.creating-");
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(&prefix))
        {
            // A failure wastes only disk space.
            let _ = files::remove(&entry.path());
        }
    }
}
