//! Verifies the files of a backup against its manifest. Does not connect to a database.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use domain::{Refusal, RefusalKind, rerun};
use service_layout::files;
use sha2::{Digest, Sha256};

use super::choice::Restoration;
use super::name::hexadecimal;
use crate::{DumpFile, DumpFormat, ServiceBackup};

/// The size of the read buffer.
const SLICE: usize = 1 << 20;

/// Refuses a backup with a file that is missing, has another size, or was changed. Blocks while it reads all files.
pub fn files(restoration: &Restoration) -> Result<(), Refusal> {
    let dump = restoration.dump();
    if dump.files.is_empty() {
        let manifest = restoration.manifest_path();
        let message = format!("{}: the manifest lists no files", manifest.display());
        return Err(refusal(restoration, message));
    }
    let refused = |message| refusal(restoration, message);
    is_covered(&restoration.folder, dump).map_err(refused)?;
    for file in &dump.files {
        check(&restoration.folder, file).map_err(refused)?;
    }
    Ok(())
}

/// Checks that every file that `pg_restore` would read has a checksum in the manifest and is below the manifest's directory.
fn is_covered(folder: &Path, dump: &ServiceBackup) -> Result<(), String> {
    let outside = |path: &str| format!("{path} is outside of the manifest's directory");
    let paths = dump.files.iter().map(|file| file.path.as_str());
    if let Some(path) = paths.chain([dump.path.as_str()]).find(|it| is_outside(it)) {
        return Err(outside(path));
    }
    let parts = |path: &Path| -> PathBuf {
        let parts = path.components();
        parts
            .filter(|part| matches!(part, Component::Normal(_)))
            .collect()
    };
    let listed: BTreeSet<PathBuf> = dump
        .files
        .iter()
        .map(|file| parts(Path::new(&file.path)))
        .collect();
    let path = parts(Path::new(&dump.path));
    let unlisted = |path: &Path| format!("{} is not listed in the manifest", path.display());
    let needed = match dump.format {
        DumpFormat::Custom => path.clone(),
        DumpFormat::Directory => path.join("toc.dat"),
    };
    if !listed.contains(&needed) {
        return Err(unlisted(&needed));
    }
    if dump.format == DumpFormat::Directory {
        let place = folder.join(&path);
        let failed = |error: std::io::Error| format!("{}: {error}", place.display());
        for entry in std::fs::read_dir(&place).map_err(failed)? {
            let entry = path.join(entry.map_err(failed)?.file_name());
            if !listed.contains(&entry) {
                return Err(unlisted(&entry));
            }
        }
    }
    // Symbolic links are resolved, because any component of a path can lead elsewhere.
    let real = |path: &Path| {
        let place = folder.join(path);
        std::fs::canonicalize(&place).map_err(|error| format!("{}: {error}", place.display()))
    };
    let root = real(Path::new(""))?;
    for path in listed.iter().chain([&path]) {
        if !real(path)?.starts_with(&root) {
            return Err(outside(&path.display().to_string()));
        }
    }
    Ok(())
}

/// The refusal of a damaged backup.
pub(super) fn refusal(restoration: &Restoration, message: String) -> Refusal {
    Refusal {
        kind: RefusalKind::Backup,
        service: Some(restoration.service().clone()),
        message: format!("the backup is damaged: {message}; nothing was changed"),
        next: rerun("with another backup: --from DIR"),
    }
}

fn check(folder: &Path, expected: &DumpFile) -> Result<(), String> {
    let path = folder.join(&expected.path);
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    if !files::is_file(&path).map_err(|error| error.to_string())? {
        return Err(format!("{} does not exist", path.display()));
    }
    let mut file = File::open(&path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    if bytes != expected.bytes {
        return Err(format!(
            "{} has {bytes} bytes instead of {}",
            path.display(),
            expected.bytes
        ));
    }
    let mut hash = Sha256::new();
    let mut slice = vec![0; SLICE];
    loop {
        let read = file.read(&mut slice).map_err(failed)?;
        if read == 0 {
            break;
        }
        hash.update(&slice[..read]);
    }
    if hexadecimal(&hash.finalize(), 64) != expected.sha256 {
        return Err(format!(
            "{} was changed: its SHA-256 differs from the manifest",
            path.display()
        ));
    }
    Ok(())
}

fn is_outside(path: &str) -> bool {
    let path = Path::new(path);
    !path
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: u64, sha256: &str) -> DumpFile {
        DumpFile {
            path: "a.dump".to_owned(),
            bytes,
            sha256: sha256.to_owned(),
        }
    }

    #[test]
    fn a_file_is_the_one_that_was_written_or_it_is_said_what_differs() {
        const OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let folder = tempfile::tempdir().expect("a folder");
        let check = |bytes, sha256| check(folder.path(), &file(bytes, sha256));
        assert!(check(3, OF_ABC).is_err_and(|why| why.ends_with("does not exist")));
        std::fs::write(folder.path().join("a.dump"), "abc").expect("a file");
        assert_eq!(check(3, OF_ABC), Ok(()));
        assert!(check(4, OF_ABC).is_err_and(|why| why.contains("has 3 bytes instead of 4")));
        std::fs::write(folder.path().join("a.dump"), "abd").expect("a file");
        assert!(check(3, OF_ABC).is_err_and(|why| why.contains("SHA-256")));
    }

    #[test]
    fn a_manifest_names_no_file_elsewhere() {
        for outside in ["/etc/passwd", "../x", "a/../../x"] {
            assert!(is_outside(outside), "{outside}");
        }
        assert!(!is_outside("policy.dump"));
        assert!(!is_outside("policy/toc.dat"));
    }
}
