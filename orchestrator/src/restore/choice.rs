//! Which backup each database is restored from.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use service_layout::files::{self, FileError};
use shared::command::{CommandError, Selected};
use shared::config::DatabaseAddress;
use shared::domain::{
    ExitStatus, Refusal, RefusalKind, ServiceName, commented, rerun, suggest, with_causes,
};
use shared::inspect::Target;

use crate::backup::{MANIFEST, Manifest, ManifestError, ServiceBackup};

/// What whoever reads a backup, writes it or removes it holds a lock on.
const LOCK: &str = "lock";

/// Where backups are taken from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The newest of each service below a folder.
    Latest(PathBuf),
    /// A manifest, or its folder.
    Manifest(PathBuf),
}

/// A service and its backup.
#[derive(Clone, Debug)]
pub struct Member {
    /// The service and its database.
    pub target: Arc<Target>,
    /// What the manifest says.
    pub backup: ServiceBackup,
}

/// One database that is restored.
#[derive(Clone, Debug)]
pub struct Restoration {
    /// The services in it; the first speaks for all.
    pub members: Vec<Member>,
    /// The manifest.
    pub manifest: Arc<Manifest>,
    /// Its folder.
    pub folder: PathBuf,
    /// Keeps whoever removes old backups from removing this one while it is read.
    #[expect(dead_code, reason = "held for its Drop")]
    lock: Option<Arc<File>>,
}

impl Restoration {
    /// The service that speaks for all in the database.
    pub fn service(&self) -> &ServiceName {
        &self.members[0].target.service.name
    }

    /// The database.
    pub fn address(&self) -> &DatabaseAddress {
        &self.members[0].target.address
    }

    /// The dump.
    pub fn dump(&self) -> &ServiceBackup {
        &self.members[0].backup
    }

    /// The moment that the database goes back to.
    pub fn moment(&self) -> time::OffsetDateTime {
        self.manifest.moment(self.dump())
    }

    /// What stands in a command in the place of the backup.
    pub fn manifest_path(&self) -> PathBuf {
        self.folder.join(MANIFEST)
    }
}

/// What is restored, and services that were asked for with `all` and have no backup.
pub type Chosen = (Vec<Restoration>, Vec<ServiceName>);

/// A manifest and its folder.
type Found = (Arc<Manifest>, PathBuf);

/// Chooses the backup of each service. Reads manifests only.
///
/// # Errors
/// When there is none, when it cannot be read, or when it would take another service back that was not named.
pub fn choose(
    source: &Source,
    selected: &Selected,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
) -> Result<Chosen, CommandError> {
    let manifests = match source {
        Source::Manifest(path) => {
            let manifest = Manifest::read(path).map_err(|error| unreadable(&error))?;
            let folder = if path.is_dir() {
                path.clone()
            } else {
                path.parent().unwrap_or(Path::new("")).to_owned()
            };
            vec![(Arc::new(manifest), folder)]
        }
        Source::Latest(folder) => below(folder)?,
    };
    let mut restorations: BTreeMap<String, Restoration> = BTreeMap::new();
    let mut without = Vec::new();
    for (name, target) in targets {
        let Some((backup, (manifest, folder))) = newest(&manifests, name) else {
            if !selected.all {
                return Err(none_of(name, source));
            }
            without.push(name.clone());
            continue;
        };
        let member = Member {
            target: Arc::clone(target),
            backup,
        };
        let restoration = match restorations.entry(target.address.database_key()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Restoration {
                members: Vec::new(),
                manifest: Arc::clone(&manifest),
                lock: lock(&folder)?.map(Arc::new),
                folder,
            }),
        };
        // One database has one past.
        if restoration.manifest.backup != manifest.backup {
            return Err(CommandError::usage(
                format!(
                    "{name} shares {} with {}, and their newest backups are not the same",
                    target.address,
                    restoration.service()
                ),
                rerun("with one manifest: --from FOLDER"),
            ));
        }
        restoration.members.push(member);
    }
    if restorations.is_empty() {
        return Err(none_at_all(source));
    }
    Ok((restorations.into_values().collect(), without))
}

/// Locks a backup for reading, where it has a file for that.
fn lock(folder: &Path) -> Result<Option<File>, CommandError> {
    let path = folder.join(LOCK);
    let failed = |why: String| {
        CommandError::usage(why, rerun("first repair the file, or name another backup"))
    };
    if !files::is_file(&path).map_err(|error| failed(error.to_string()))? {
        return Ok(None);
    }
    let file = File::open(&path).map_err(|error| failed(format!("{}: {error}", path.display())))?;
    match file.try_lock_shared() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(Refusal {
            kind: RefusalKind::Backup,
            service: None,
            message: format!("{} is being written or removed", folder.display()),
            next: rerun("when that is over, or with another backup"),
        }
        .into()),
        // Not every file system can lock: the sums tell whether it is whole.
        Err(TryLockError::Error(error)) => {
            tracing::debug!(error = %with_causes(&error), folder = %folder.display(), "the backup cannot be locked");
            Ok(None)
        }
    }
}

/// The manifests below a folder. A folder without one is no backup; one that cannot be read might be the newest.
fn below(folder: &Path) -> Result<Vec<Found>, CommandError> {
    let unlooked = |error: &FileError| {
        CommandError::usage(
            error.to_string(),
            rerun("first repair or remove it, or name a manifest with --from"),
        )
    };
    let entries = match files::look(folder).and_then(|found| match found {
        Some(_) => files::entries(folder),
        None => Ok(Vec::new()),
    }) {
        Ok(entries) => entries,
        Err(error) => return Err(unlooked(&error)),
    };
    let mut found = Vec::new();
    for path in entries {
        let looked = files::look(&path).and_then(|_| files::look(&path.join(MANIFEST)));
        if looked.map_err(|error| unlooked(&error))?.is_some() {
            let manifest = Manifest::read(&path).map_err(|error| unreadable(&error))?;
            found.push((Arc::new(manifest), path));
        }
    }
    Ok(found)
}

fn newest(manifests: &[Found], name: &ServiceName) -> Option<(ServiceBackup, Found)> {
    manifests
        .iter()
        .filter_map(|found| Some((found.0.service(name)?.clone(), found.clone())))
        .max_by_key(|(dump, (manifest, _))| manifest.moment(dump))
}

/// A manifest that is there and cannot be used: what it was written for is damaged.
fn unreadable(error: &ManifestError) -> CommandError {
    match error {
        ManifestError::Io { source, .. } => CommandError::usage(
            format!("{error}: {source}"),
            rerun("with --from and a manifest, its folder, or `latest`"),
        ),
        ManifestError::Malformed { source, .. } => refused(format!("{error}: {source}")),
        ManifestError::OtherForm { .. } => CommandError::Stopped {
            message: error.to_string(),
            next: Some(rerun("with the program that wrote it, or a newer one")),
            status: ExitStatus::Refused,
        },
    }
}

fn refused(message: String) -> CommandError {
    Refusal {
        kind: RefusalKind::Backup,
        service: None,
        message,
        next: rerun("with another backup (--from FOLDER); find out what became of this one"),
    }
    .into()
}

fn none_of(name: &ServiceName, source: &Source) -> CommandError {
    match source {
        Source::Latest(folder) => CommandError::usage(
            format!("there is no backup of {name} below {}", folder.display()),
            commented(
                suggest(["backup", name.as_str()]),
                "makes one; or give a manifest with --from, or another folder with --backup-folder",
            ),
        ),
        Source::Manifest(path) => CommandError::usage(
            format!("{}: this backup has no {name}", path.display()),
            rerun("with services that it has, or another manifest"),
        ),
    }
}

fn none_at_all(source: &Source) -> CommandError {
    let (place, next) = match source {
        Source::Latest(folder) => (
            format!(
                "there is no backup of any service below {}",
                folder.display()
            ),
            commented(
                suggest(["backup", "all"]),
                "makes one; or give a manifest with --from, or another folder with --backup-folder",
            ),
        ),
        Source::Manifest(path) => (
            format!("{}: this backup has no service of these", path.display()),
            rerun("with another manifest"),
        ),
    };
    CommandError::usage(place, next)
}
