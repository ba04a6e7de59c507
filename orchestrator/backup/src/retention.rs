//! Removes old backups, and the leftovers of killed ones. Blocks.
//!
//! The newest backups of each database are kept. An older one is removed only after a newer, kept one was read again and found
//! intact: the last good backup is never removed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use service_layout::files;

use super::folder::{claim, digest, folders};
use super::{MANIFEST, Manifest, ServiceBackup};
use domain::with_causes;

/// A database with its server: one directory can contain the backups of several environments.
type Database = (String, String, String);

/// A backup whose files exist with the right sizes.
struct Kept {
    path: PathBuf,
    manifest: Manifest,
}

/// Removes the leftovers of killed backups below `root`.
pub(super) fn remove_leftovers(root: &Path) {
    for folder in readable_folders(root) {
        // An unreadable entry may be a backup.
        if matches!(files::look(&folder.join(MANIFEST)), Ok(None))
            && let Some(_claimed) = claim(&folder)
        {
            tracing::info!(path = %folder.display(), "removing the leftovers of a killed backup");
            remove(&folder);
        }
    }
}

/// Keeps the newest `keep` backups of each database below `root`. `newest` was just taken and verified. Returns the removed
/// directories.
pub(super) fn retain(root: &Path, keep: usize, newest: &Path) -> Vec<PathBuf> {
    let kept = backups(root);
    let mut places: BTreeMap<Database, usize> = BTreeMap::new();
    let mut needed: BTreeSet<&Path> = BTreeSet::new();
    for backup in &kept {
        for service in &backup.manifest.services {
            let place = places.entry(database(service)).or_default();
            *place += 1;
            if *place <= keep {
                needed.insert(&backup.path);
            }
        }
    }
    let mut whole = Whole::default();
    let mut removed = Vec::new();
    for backup in kept.iter().filter(|it| !needed.contains(it.path.as_path())) {
        let is_replaced = backup.manifest.services.iter().all(|service| {
            kept.iter()
                .filter(|other| needed.contains(other.path.as_path()))
                .any(|other| {
                    let same = other
                        .manifest
                        .services
                        .iter()
                        .find(|it| database(it) == database(service));
                    same.is_some_and(|it| other.path == newest || whole.is(&other.path, it))
                })
        });
        if !is_replaced {
            tracing::warn!(
                path = %backup.path.display(),
                "keeping the backup: it has the last intact dump of a database"
            );
        } else if let Some(_claimed) = claim(&backup.path)
            && remove(&backup.path)
        {
            removed.push(backup.path.clone());
        }
    }
    removed
}

/// The backups below `root` whose files exist, newest first.
fn backups(root: &Path) -> Vec<Kept> {
    let mut found: Vec<Kept> = readable_folders(root)
        .into_iter()
        .filter_map(|path| {
            if matches!(files::look(&path.join(MANIFEST)), Ok(None)) {
                return None;
            }
            let manifest = match Manifest::read(&path) {
                Ok(manifest) => manifest,
                Err(error) => {
                    tracing::warn!(error = %with_causes(&error), "ignoring an unreadable backup; it is not removed");
                    return None;
                }
            };
            let is_there = manifest
                .services
                .iter()
                .flat_map(|it| &it.files)
                .all(|file| {
                    fs::metadata(path.join(&file.path)).is_ok_and(|about| about.len() == file.bytes)
                });
            is_there.then_some(Kept { path, manifest })
        })
        .collect();
    found.sort_by(|a, b| {
        let key = |it: &Kept| (it.manifest.newest_moment(), it.path.clone());
        key(b).cmp(&key(a))
    });
    found
}

/// The directories below `root`. Empty if one is unreadable: it may be the newest backup, so nothing is removed.
fn readable_folders(root: &Path) -> Vec<PathBuf> {
    folders(root).unwrap_or_else(|error| {
        tracing::warn!(%error, "no old backup is removed: cannot read the backup directory");
        Vec::new()
    })
}

fn database(service: &ServiceBackup) -> Database {
    (
        service.service.to_string(),
        service.server.clone(),
        service.database.clone(),
    )
}

/// The dumps that were read again, with the result.
#[derive(Default)]
struct Whole(BTreeMap<PathBuf, bool>);

impl Whole {
    fn is(&mut self, folder: &Path, service: &ServiceBackup) -> bool {
        *self.0.entry(folder.join(&service.path)).or_insert_with(|| {
            service.files.iter().all(|file| {
                digest(&folder.join(&file.path)).is_ok_and(|(_, sha256)| sha256 == file.sha256)
            })
        })
    }
}

/// Removes the manifest first, so that an interruption does not leave a damaged backup.
fn remove(folder: &Path) -> bool {
    let manifest = folder.join(MANIFEST);
    let removed = match fs::remove_file(&manifest) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => fs::remove_dir_all(folder),
    };
    match removed {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(error = %with_causes(&error), path = %folder.display(), "cannot remove an old backup");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DatabaseProperties, DumpFile, DumpFormat, SCHEMA};
    use super::*;
    use time::{Duration, OffsetDateTime};

    /// Writes a backup of some services, taken at the given hour.
    fn backup(root: &Path, hour: i64, services: &[&str]) -> PathBuf {
        let path = root.join(format!("{hour:04}"));
        fs::create_dir(&path).unwrap();
        fs::write(path.join("lock"), "").unwrap();
        let services = services.iter().map(|name| {
            let dump = format!("{name}.dump");
            fs::write(path.join(&dump), "abc").unwrap();
            let (bytes, sha256) = digest(&path.join(&dump)).unwrap();
            ServiceBackup {
                service: name.parse().unwrap(),
                database: format!("db_{name}"),
                server: "localhost:5432".to_owned(),
                server_version: "15.18".to_owned(),
                pg_dump_version: "15.18".to_owned(),
                format: DumpFormat::Custom,
                path: dump.clone(),
                files: vec![DumpFile {
                    path: dump,
                    bytes,
                    sha256,
                }],
                taken_at: None,
                duration_ms: 1,
                database_bytes: 1,
                history_table: "refinery_schema_history".to_owned(),
                head: None,
                applied: 0,
                properties: DatabaseProperties::default(),
                rows: None,
            }
        });
        let at = OffsetDateTime::UNIX_EPOCH + Duration::hours(hour);
        let manifest = Manifest {
            schema: SCHEMA,
            backup: format!("{hour:04}"),
            run_id: None,
            started_at: at,
            finished_at: at,
            program_version: "0.1.0".to_owned(),
            services: services.collect(),
        };
        manifest.write(&path).unwrap();
        path
    }

    fn left(root: &Path) -> Vec<String> {
        let mut left: Vec<String> = fs::read_dir(root)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        left.sort();
        left
    }

    #[test]
    fn the_newest_of_each_service_stay() {
        let root = tempfile::tempdir().unwrap();
        backup(root.path(), 1, &["auth", "policy"]);
        backup(root.path(), 2, &["auth"]);
        backup(root.path(), 3, &["auth"]);
        let newest = backup(root.path(), 4, &["auth"]);
        let removed = retain(root.path(), 2, &newest);
        assert_eq!(removed.len(), 1);
        assert_eq!(left(root.path()), ["0001", "0003", "0004"]);
    }

    #[test]
    fn a_backup_without_its_files_counts_for_nothing() {
        let root = tempfile::tempdir().unwrap();
        backup(root.path(), 1, &["auth"]);
        let cut = backup(root.path(), 2, &["auth"]);
        fs::write(cut.join("auth.dump"), "a").unwrap();
        let newest = backup(root.path(), 3, &["auth"]);
        assert!(retain(root.path(), 2, &newest).is_empty());
        assert_eq!(left(root.path()), ["0001", "0002", "0003"]);
    }

    #[test]
    fn the_last_good_one_stays_where_newer_ones_are_corrupted() {
        let root = tempfile::tempdir().unwrap();
        backup(root.path(), 1, &["auth", "policy"]);
        for hour in [2, 3] {
            let corrupted = backup(root.path(), hour, &["policy"]);
            fs::write(corrupted.join("policy.dump"), "xyz").unwrap();
        }
        let newest = backup(root.path(), 4, &["auth"]);
        assert!(retain(root.path(), 1, &newest).len() <= 1);
        assert!(
            left(root.path()).contains(&"0001".to_owned()),
            "{:?}",
            left(root.path())
        );
    }

    #[test]
    fn a_backup_that_is_being_read_stays() {
        let root = tempfile::tempdir().unwrap();
        let old = backup(root.path(), 1, &["auth"]);
        let newest = backup(root.path(), 2, &["auth"]);
        let reader = fs::File::open(old.join("lock")).unwrap();
        reader.lock_shared().unwrap();
        assert!(retain(root.path(), 1, &newest).is_empty());
        drop(reader);
        assert_eq!(retain(root.path(), 1, &newest), [old]);
    }

    #[test]
    fn nothing_is_removed_if_an_entry_is_unreadable() {
        let root = tempfile::tempdir().unwrap();
        backup(root.path(), 1, &["auth"]);
        let newest = backup(root.path(), 2, &["auth"]);
        let link = root.path().join("0003");
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        assert!(retain(root.path(), 1, &newest).is_empty());
        fs::remove_file(link).unwrap();
        assert_eq!(retain(root.path(), 1, &newest).len(), 1);
    }

    #[test]
    fn leftovers_are_removed_once_no_session_uses_them() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("half");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("auth.dump"), "half").unwrap();
        fs::create_dir(root.path().join("unrelated")).unwrap();
        let worker = fs::File::create(folder.join("lock")).unwrap();
        worker.lock().unwrap();
        remove_leftovers(root.path());
        assert_eq!(left(root.path()), ["half", "unrelated"]);
        drop(worker);
        remove_leftovers(root.path());
        assert_eq!(left(root.path()), ["unrelated"]);
    }
}
