//! Which backups are removed: those of which no service needs any, and the leftovers of killed ones. Blocks.
//!
//! Of each database the newest backups stay, and one goes only where a newer one that stays was read again and is whole: the
//! last good one is never removed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use service_layout::files;

use super::folder::{claim, digest, folders};
use super::{MANIFEST, Manifest, ServiceBackup};
use shared::domain::with_causes;

/// A database, wherever it is: one folder may hold the backups of several environments.
type Database = (String, String, String);

/// A backup that is complete, as far as sizes tell.
struct Kept {
    path: PathBuf,
    manifest: Manifest,
}

/// Removes what killed backups left below `root`.
pub(super) fn remove_leftovers(root: &Path) {
    for folder in looked_at(root) {
        // What cannot be looked at may be a backup.
        if matches!(files::look(&folder.join(MANIFEST)), Ok(None))
            && let Some(_claimed) = claim(&folder)
        {
            tracing::info!(path = %folder.display(), "removing what a killed backup left");
            remove(&folder);
        }
    }
}

/// Keeps the newest `keep` backups of each database below `root`. `newest` was just taken, and verified. Gives what was
/// removed.
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
                "the backup stays: no newer one of a database in it is whole"
            );
        } else if let Some(_claimed) = claim(&backup.path)
            && remove(&backup.path)
        {
            removed.push(backup.path.clone());
        }
    }
    removed
}

/// The backups below `root` whose files are there, the newest first.
fn backups(root: &Path) -> Vec<Kept> {
    let mut found: Vec<Kept> = looked_at(root)
        .into_iter()
        .filter_map(|path| {
            if matches!(files::look(&path.join(MANIFEST)), Ok(None)) {
                return None;
            }
            let manifest = match Manifest::read(&path) {
                Ok(manifest) => manifest,
                Err(error) => {
                    tracing::warn!(error = %with_causes(&error), "the backup stays, and counts for nothing");
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

/// The folders below `root`; none where one of them cannot be looked at: it may be the newest backup, so nothing is removed.
fn looked_at(root: &Path) -> Vec<PathBuf> {
    folders(root).unwrap_or_else(|error| {
        tracing::warn!(%error, "no old backup is removed: the folder of the backups cannot be examined");
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

/// Dumps that were read again.
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

/// The manifest goes first: what is left of a folder when this is interrupted is no backup.
fn remove(folder: &Path) -> bool {
    let manifest = folder.join(MANIFEST);
    let removed = match fs::remove_file(&manifest) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => fs::remove_dir_all(folder),
    };
    match removed {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(error = %with_causes(&error), path = %folder.display(), "an old backup was not removed");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DatabaseProperties, DumpFile, DumpFormat, SCHEMA};
    use super::*;
    use time::{Duration, OffsetDateTime};

    /// A backup of some services that was taken at an hour, as it lies on the disk.
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
    fn a_backup_that_somebody_reads_stays() {
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
    fn nothing_is_removed_where_something_cannot_be_looked_at() {
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
    fn leftovers_go_once_nobody_works_on_them() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("half");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("auth.dump"), "half").unwrap();
        fs::create_dir(root.path().join("of-somebody-else")).unwrap();
        let worker = fs::File::create(folder.join("lock")).unwrap();
        worker.lock().unwrap();
        remove_leftovers(root.path());
        assert_eq!(left(root.path()), ["half", "of-somebody-else"]);
        drop(worker);
        remove_leftovers(root.path());
        assert_eq!(left(root.path()), ["of-somebody-else"]);
    }
}
