//! The location of a server's files.
//!
//! Responsible for: the layout, and the choice of another folder if the server's user cannot enter
//! the project's. Not for: the content of the files.
//!
//! A home belongs to the caller; only the data and socket folders in it belong to the server's user, so
//! that root never writes into a folder that another user controls. If the home is elsewhere, a
//! file `location` in the project's folder names it, and a file `belongs-to` in it names the project.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::account::{self, Account};
use super::error::LocalServerError;
use super::files;
use super::port;

const LOCATION: &str = "location";
const BELONGS_TO: &str = "belongs-to";
/// Marks a project's folder as created here. Other programs use the name `.local` too: a desktop keeps programs and settings in
/// `~/.local`.
const MARKER: &str = "made-by-orchestrator";
const MARKER_TEXT: &str = "\
This folder was made for the project's local PostgreSQL. `orchestrator local reset` deletes the databases in it.
";
const DATA: &str = "data";

/// Folders for homes that survive a restart of the machine, best first. `/var/lib` comes before `/var/tmp`
/// because old files are deleted from the latter, which would ruin a data folder.
pub(super) const LASTING: [&str; 2] = ["/var/lib", "/var/tmp"];
/// Folders for homes that may vanish.
pub(super) const PASSING: [&str; 2] = ["/var/tmp", "/tmp"];

/// The folder with all files of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Home {
    folder: PathBuf,
}

impl Home {
    /// Finds the existing home of a project's folder: inside it, or where its `location` points.
    pub(super) fn find(folder: &Path) -> Result<Option<Self>, LocalServerError> {
        match Self::claimed(folder)? {
            Some(home) if files::is_folder(&home.data_dir())? => Ok(Some(home)),
            _ => Ok(None),
        }
    }

    /// Like [`find`](Self::find), but also a home whose data were never created. `None` if `location` points to
    /// nothing, or to the home of another project.
    pub(super) fn claimed(folder: &Path) -> Result<Option<Self>, LocalServerError> {
        check_ours(folder)?;
        let Some(text) = files::read(&folder.join(LOCATION))? else {
            return Ok(Some(Self {
                folder: folder.to_owned(),
            }));
        };
        match pointed_to(&text) {
            Some(elsewhere) if belongs(&elsewhere, folder)? => Ok(Some(Self { folder: elsewhere })),
            _ => Ok(None),
        }
    }

    /// Chooses a home for a new server of this account: the folder itself or, if the account cannot enter
    /// it, a separate one below the first usable of `bases`.
    pub(super) fn choose(
        folder: &Path,
        account: &Account,
        bases: &[&str],
    ) -> Result<Self, LocalServerError> {
        if let Some(elsewhere) = files::read(&folder.join(LOCATION))?
            .as_deref()
            .and_then(pointed_to)
            && belongs(&elsewhere, folder)?
        {
            return Ok(Self { folder: elsewhere });
        }
        if account.can_enter(folder) {
            return Ok(Self {
                folder: folder.to_owned(),
            });
        }
        let tried: Vec<PathBuf> = bases
            .iter()
            .map(|base| Path::new(base).join(name_for(folder)))
            .collect();
        for candidate in &tried {
            if claim(candidate, folder)? && account.can_enter(candidate) {
                let text = format!(
                    "# User '{}' runs the PostgreSQL server of this folder and cannot enter it. The data are in:\n{}\n",
                    account.name(),
                    candidate.display()
                );
                files::write(folder, LOCATION, &text, 0o644)?;
                return Ok(Self {
                    folder: candidate.clone(),
                });
            }
        }
        Err(LocalServerError::NoReachableFolder {
            user: account.name(),
            tried,
        })
    }

    /// Records a move of the project, so that a later copy of it can be distinguished from the original.
    pub(super) fn confirm(&self, folder: &Path) -> Result<(), LocalServerError> {
        if self.folder == folder || owner_of(&self.folder)?.as_deref() == Some(folder) {
            return Ok(());
        }
        write_owner(&self.folder, folder)
    }

    /// The user that runs the server of this home.
    pub(super) fn account(&self) -> Result<Account, LocalServerError> {
        let data_dir = self.data_dir();
        let metadata =
            fs::metadata(&data_dir).map_err(LocalServerError::file("read", &data_dir))?;
        Account::for_existing_data(&data_dir, &metadata)
    }

    /// The folder of the home.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// PostgreSQL's data folder.
    pub(super) fn data_dir(&self) -> PathBuf {
        self.folder.join(DATA)
    }

    /// The folder of the server's socket.
    pub(super) fn socket_dir(&self) -> PathBuf {
        self.folder.join("socket")
    }

    /// The server's log.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    /// The server's configuration file.
    pub(super) fn configuration(&self) -> PathBuf {
        self.folder.join("server.conf")
    }

    /// The superuser's password.
    pub(super) fn password(&self) -> PathBuf {
        self.folder.join("password")
    }

    /// The port of the last start.
    pub(super) fn port(&self) -> PathBuf {
        self.folder.join("port")
    }

    /// Removes everything of the server; the lock and `.gitignore` of the project's folder stay.
    pub(super) fn remove(&self, folder: &Path) -> Result<(), LocalServerError> {
        if self.folder == folder {
            return remove_files(folder);
        }
        files::remove(&self.folder)?;
        remove_files(folder)
    }
}

/// Removes a server's files from a folder that may contain other files. The data are removed first: without
/// them the rest is harmless.
pub(super) fn remove_files(folder: &Path) -> Result<(), LocalServerError> {
    let names =
        files::optional(fs::read_dir(folder)).map_err(LocalServerError::file("read", folder))?;
    for entry in names.into_iter().flatten().flatten() {
        if entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with("data.creating-"))
        {
            files::remove(&entry.path())?;
        }
    }
    for name in [
        DATA,
        "socket",
        "server.log",
        "server.log.old",
        "server.conf",
        "port",
        "password",
        LOCATION,
    ] {
        files::remove(&folder.join(name))?;
    }
    Ok(())
}

/// Creates the project's folder for the server, ignored by git and marked as ours.
pub(super) fn prepare_project(folder: &Path) -> Result<(), LocalServerError> {
    if fs::symlink_metadata(folder).is_ok() {
        return check_ours(folder);
    }
    let (Some(parent), Some(name)) = (folder.parent(), folder.file_name()) else {
        return Err(LocalServerError::NotOurs {
            folder: folder.to_owned(),
        });
    };
    // Renamed into place together with its mark: another process must not find it without the mark.
    let unfinished = parent.join(format!(
        "{}.creating-{}",
        name.to_string_lossy(),
        files::random_hex::<8>()?
    ));
    let created = prepare(&unfinished)
        .and_then(|()| files::write(&unfinished, MARKER, MARKER_TEXT, 0o644))
        .and_then(|()| {
            match fs::rename(&unfinished, folder) {
                // Another process was faster, or a folder of that name was created.
                Err(_) if fs::symlink_metadata(folder).is_ok() => check_ours(folder),
                renamed => renamed.map_err(LocalServerError::file("create", folder)),
            }
        });
    if unfinished.exists() {
        let _ = fs::remove_dir_all(&unfinished);
    }
    created
}

/// Refuses a project's folder that was not created here. A missing one is accepted.
pub(super) fn check_ours(folder: &Path) -> Result<(), LocalServerError> {
    check_owner(folder)?;
    let is_marked = files::read(&folder.join(MARKER));
    match is_marked {
        Ok(Some(_)) => Ok(()),
        Ok(None) if fs::symlink_metadata(folder).is_err() => Ok(()),
        Ok(None) => Err(LocalServerError::NotOurs {
            folder: folder.to_owned(),
        }),
        Err(_) if !folder.is_dir() => Err(LocalServerError::NotOurs {
            folder: folder.to_owned(),
        }),
        Err(error) => Err(error),
    }
}

/// Creates a folder for servers, ignored by git.
pub(super) fn prepare(folder: &Path) -> Result<(), LocalServerError> {
    if !files::is_folder(folder)? {
        // A server that runs as another user must be able to reach its data.
        files::ensure_folder(folder, if geteuid().is_root() { 0o711 } else { 0o700 })?;
        give_to_project(folder).map_err(LocalServerError::file("change the owner of", folder))?;
    }
    check_owner(folder)?;
    if !files::is_file(&folder.join(".gitignore"))? {
        files::write(folder, ".gitignore", "*\n", 0o644)?;
    }
    Ok(())
}

/// A folder that root creates in a user's project is given to that user.
fn give_to_project(folder: &Path) -> io::Result<()> {
    let Some(project) = folder.parent().filter(|_| geteuid().is_root()) else {
        return Ok(());
    };
    let metadata = fs::metadata(project)?;
    match account::known_user(std::os::unix::fs::MetadataExt::uid(&metadata)) {
        Some(owner) => owner.own(folder),
        None => Ok(()),
    }
}

/// Refuses the folder of another user before a confusing "permission denied".
fn check_owner(folder: &Path) -> Result<(), LocalServerError> {
    let found =
        files::optional(fs::metadata(folder)).map_err(LocalServerError::file("read", folder))?;
    match found {
        Some(metadata) if !geteuid().is_root() && !account::is_own(&metadata) => {
            Err(LocalServerError::ForeignOwner {
                path: folder.to_owned(),
                owner: account::user_name(std::os::unix::fs::MetadataExt::uid(&metadata)),
                caller: account::user_name(geteuid().as_raw()),
            })
        }
        _ => Ok(()),
    }
}

/// A folder for `folder` directly below `base`, if that is possible.
pub(super) fn claim_below(base: &Path, folder: &Path) -> Result<Option<PathBuf>, LocalServerError> {
    let candidate = base.join(name_for(folder));
    Ok(claim(&candidate, folder)?.then_some(candidate))
}

/// Creates a home elsewhere, or reuses the one that this folder already has there (its `location` was lost).
/// In a world-writable folder another user may have prepared that name: such a folder is not used.
fn claim(candidate: &Path, folder: &Path) -> Result<bool, LocalServerError> {
    match files::create_folder(candidate, 0o711) {
        Ok(()) => write_owner(candidate, folder).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(
            is_own_folder(candidate) && owner_of(candidate)?.is_none_or(|owner| owner == folder)
        )
        .and_then(|ours| {
            if ours {
                write_owner(candidate, folder).map(|()| true)
            } else {
                Ok(false)
            }
        }),
        // Missing or not writable: try the next one.
        Err(_) => Ok(false),
    }
}

/// Whether the home elsewhere belongs to this folder: it names this folder, or the folder it names has moved here. A copy of
/// a project must not use, and one day remove, the data of the original.
fn belongs(elsewhere: &Path, folder: &Path) -> Result<bool, LocalServerError> {
    if !is_own_folder(elsewhere) {
        return Ok(false);
    }
    let Some(owner) = owner_of(elsewhere)? else {
        return Ok(false);
    };
    if owner == folder {
        return Ok(true);
    }
    let others = files::read(&owner.join(LOCATION)).unwrap_or_default();
    Ok(others.as_deref().and_then(pointed_to).as_deref() != Some(elsewhere))
}

fn is_own_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir() && account::is_own(&metadata))
}

fn owner_of(elsewhere: &Path) -> Result<Option<PathBuf>, LocalServerError> {
    Ok(files::read(&elsewhere.join(BELONGS_TO))?
        .map(|text| PathBuf::from(text.trim_end_matches('\n'))))
}

fn write_owner(elsewhere: &Path, folder: &Path) -> Result<(), LocalServerError> {
    files::write(
        elsewhere,
        BELONGS_TO,
        &format!("{}\n", folder.display()),
        0o644,
    )
}

/// The folder named by a `location`: its last line.
fn pointed_to(text: &str) -> Option<PathBuf> {
    let line = text
        .lines()
        .rfind(|line| !line.is_empty() && !line.starts_with('#'))?;
    Some(PathBuf::from(line)).filter(|path| path.is_absolute())
}

/// A name that shows which project it belongs to, and differs between projects with the same name.
fn name_for(folder: &Path) -> String {
    let project = folder
        .parent()
        .and_then(Path::file_name)
        .unwrap_or_default()
        .to_string_lossy();
    let plain: String = project
        .chars()
        .filter(|char| char.is_ascii_alphanumeric())
        .take(24)
        .collect();
    format!("{plain}-postgres-{:016x}", port::stable_hash(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_the_last_line_and_absolute() {
        assert_eq!(
            pointed_to("# why\n/var/lib/x y\n"),
            Some(PathBuf::from("/var/lib/x y"))
        );
        assert_eq!(pointed_to("# only\n"), None);
        assert_eq!(pointed_to("relative\n"), None);
    }

    #[test]
    fn names_tell_projects_of_one_name_apart() {
        let one = name_for(Path::new("/one/project/.local"));
        assert!(one.starts_with("project-postgres-"), "{one}");
        assert_ne!(one, name_for(Path::new("/other/project/.local")));
    }

    #[test]
    fn a_moved_project_keeps_its_home_and_a_copy_does_not() {
        let parent = tempfile::tempdir().unwrap();
        let (elsewhere, original) = (
            parent.path().join("elsewhere"),
            parent.path().join("original"),
        );
        fs::create_dir_all(elsewhere.join(DATA)).unwrap();
        prepare_project(&original).unwrap();
        let location = format!("# why\n{}\n", elsewhere.display());
        fs::write(original.join(LOCATION), &location).unwrap();
        write_owner(&elsewhere, &original).unwrap();
        let home = Home::find(&original).unwrap().expect("the original's home");

        let copy = parent.path().join("copy");
        prepare_project(&copy).unwrap();
        fs::write(copy.join(LOCATION), &location).unwrap();
        assert_eq!(
            Home::find(&copy).unwrap(),
            None,
            "a copy took the original's data"
        );

        let moved = parent.path().join("moved");
        fs::rename(&original, &moved).unwrap();
        assert_eq!(Home::find(&moved).unwrap(), Some(home.clone()));
        home.confirm(&moved).unwrap();
        assert_eq!(Home::find(&moved).unwrap(), Some(home));
        assert_eq!(
            Home::find(&copy).unwrap(),
            None,
            "a copy took the data of the moved original"
        );
    }

    #[test]
    fn a_folder_that_was_not_made_here_is_refused_and_left_as_it_is() {
        let parent = tempfile::tempdir().unwrap();
        let is_refused = |outcome: Result<(), LocalServerError>| {
            assert!(
                matches!(outcome, Err(LocalServerError::NotOurs { .. })),
                "{outcome:?}"
            );
        };
        let (empty, file, link) = (
            parent.path().join("empty"),
            parent.path().join("file"),
            parent.path().join("link"),
        );
        fs::create_dir(&empty).unwrap();
        fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        for foreign in [&empty, &file, &link] {
            is_refused(prepare_project(foreign));
            is_refused(Home::find(foreign).map(drop));
        }
        assert_eq!(fs::read_dir(&empty).unwrap().count(), 0);
        let ours = parent.path().join("ours");
        assert_eq!(Home::find(&ours).unwrap(), None);
        prepare_project(&ours).unwrap();
        prepare_project(&ours).unwrap();
        check_ours(&ours).unwrap();
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 4);
    }

    #[test]
    fn a_foreign_prepared_transaction_is_not_used() {
        let parent = tempfile::tempdir().unwrap();
        let (link, target) = (parent.path().join("link"), parent.path().join("target"));
        fs::create_dir(&target).unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(!claim(&link, Path::new("/project/.local")).unwrap());
        let other = parent.path().join("other");
        assert!(claim(&other, Path::new("/project/.local")).unwrap());
        assert!(claim(&other, Path::new("/project/.local")).unwrap());
        assert!(!claim(&other, Path::new("/another/.local")).unwrap());
    }
}
