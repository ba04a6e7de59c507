//! Chooses the backup of each database.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::{
    Diagnostic, ExitStatus, Refusal, RefusalKind, ServiceName, commented, rerun, suggest,
    with_causes,
};
use engine::inspect::Target;
use pg_address::DatabaseAddress;
use service_cli::command::Selected;
use service_layout::files::{self, FileError};

use crate::{MANIFEST, Manifest, ManifestError, ServiceBackup};

/// The lock file, locked by every process that reads, writes or removes the backup.
const LOCK: &str = "lock";

/// The source of backups.
#[derive(Clone, Debug)]
pub enum Source {
    /// The newest backup of each service in a directory.
    Latest(PathBuf),
    /// A manifest or its directory.
    Manifest(PathBuf),
}

/// A service and its backup.
#[derive(Clone, Debug)]
pub struct Member {
    /// The service and its database.
    pub target: Arc<Target>,
    /// The service's entry in the manifest.
    pub backup: ServiceBackup,
}

/// One database to restore.
#[derive(Clone, Debug)]
pub struct Restoration {
    /// The services in it; the first represents all of them.
    pub members: Vec<Member>,
    pub manifest: Arc<Manifest>,
    /// The directory of the backup.
    pub folder: PathBuf,
    /// A shared lock that prevents removal of the backup while it is read.
    #[expect(dead_code, reason = "held for its Drop")]
    lock: Option<Arc<File>>,
}

impl Restoration {
    /// The service that represents all services of the database.
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

    /// The point in time that the database returns to.
    pub fn moment(&self) -> time::OffsetDateTime {
        self.manifest.moment(self.dump())
    }

    /// The backup as an argument of `--from`.
    pub fn manifest_path(&self) -> PathBuf {
        self.folder.join(MANIFEST)
    }
}

/// The databases to restore, and services without a backup that `all` selected.
pub type Chosen = (Vec<Restoration>, Vec<ServiceName>);

/// A manifest and its directory.
type Found = (Arc<Manifest>, PathBuf);

/// Chooses the backup of each service. Reads only manifests.
///
/// # Errors
/// When there is no readable backup, or when it would also restore a service that was not selected.
pub fn choose(
    source: &Source,
    selected: &Selected,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
) -> Result<Chosen, Diagnostic> {
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
        // Services that share a database can only be restored to the same point in time.
        if restoration.manifest.backup != manifest.backup {
            return Err(Diagnostic::usage(
                format!(
                    "{name} and {} share {}, but their newest backups differ",
                    restoration.service(),
                    target.address
                ),
                rerun("with one manifest: --from DIR"),
            ));
        }
        restoration.members.push(member);
    }
    if restorations.is_empty() {
        return Err(none_at_all(source));
    }
    Ok((restorations.into_values().collect(), without))
}

/// Locks a backup for reading, if it has a lock file.
fn lock(folder: &Path) -> Result<Option<File>, Diagnostic> {
    let path = folder.join(LOCK);
    let failed = |why: String| {
        Diagnostic::usage(
            why,
            rerun("first repair the file, or specify another backup"),
        )
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
            next: rerun("when that has finished, or with another backup"),
        }
        .into()),
        // Not every file system supports locks; the checksums still detect a damaged backup.
        Err(TryLockError::Error(error)) => {
            tracing::debug!(error = %with_causes(&error), folder = %folder.display(), "cannot lock the backup");
            Ok(None)
        }
    }
}

/// The manifests below a directory. An unreadable one is an error, because it may be the newest.
fn below(folder: &Path) -> Result<Vec<Found>, Diagnostic> {
    let unlooked = |error: &FileError| {
        Diagnostic::usage(
            error.to_string(),
            rerun("first repair or remove it, or specify a manifest with --from"),
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

/// The error for an unusable manifest.
fn unreadable(error: &ManifestError) -> Diagnostic {
    match error {
        ManifestError::Io { source, .. } => Diagnostic::usage(
            format!("{error}: {source}"),
            rerun("with --from and a manifest, its directory, or `latest`"),
        ),
        ManifestError::Malformed { source, .. } => refused(format!("{error}: {source}")),
        ManifestError::OtherForm { .. } => Diagnostic::new(
            ExitStatus::Refused,
            error.to_string(),
            rerun("with the version of the orchestrator that wrote it, or a newer one"),
        ),
    }
}

fn refused(message: String) -> Diagnostic {
    Refusal {
        kind: RefusalKind::Backup,
        service: None,
        message,
        next: rerun("with another backup: --from DIR"),
    }
    .into()
}

fn none_of(name: &ServiceName, source: &Source) -> Diagnostic {
    match source {
        Source::Latest(folder) => Diagnostic::usage(
            format!("no backup of {name} in {}", folder.display()),
            commented(
                suggest(["backup", name.as_str()]),
                "creates one; or specify a manifest with --from, or another directory with --backup-folder",
            ),
        ),
        Source::Manifest(path) => Diagnostic::usage(
            format!("{}: the backup does not include {name}", path.display()),
            rerun("with the services in the backup, or with another manifest"),
        ),
    }
}

fn none_at_all(source: &Source) -> Diagnostic {
    let (place, next) = match source {
        Source::Latest(folder) => (
            format!("no backup of any service in {}", folder.display()),
            commented(
                suggest(["backup", "all"]),
                "creates one; or specify a manifest with --from, or another directory with --backup-folder",
            ),
        ),
        Source::Manifest(path) => (
            format!(
                "{}: the backup does not include any of the services",
                path.display()
            ),
            rerun("with another manifest"),
        ),
    };
    Diagnostic::usage(place, next)
}
