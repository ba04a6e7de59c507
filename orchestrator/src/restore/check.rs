//! Whether a backup on disk is what its manifest says. Touches no database.

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path};

use sha2::{Digest, Sha256};
use shared::domain::{Refusal, RefusalKind};

use super::choice::Restoration;
use super::name::hexadecimal;
use crate::backup::DumpFile;

/// How much of a file is read at a time.
const SLICE: usize = 1 << 20;

/// Refuses a backup of which a file is missing, shorter or longer, or not the one that was written. Blocks for as long as reading
/// it takes.
pub(crate) fn files(restoration: &Restoration) -> Result<(), Refusal> {
    let dump = restoration.dump();
    if dump.files.is_empty() {
        let manifest = restoration.manifest_path();
        let message = format!("{}: the manifest names no file", manifest.display());
        return Err(refusal(restoration, message));
    }
    for file in &dump.files {
        check(&restoration.folder, file).map_err(|message| refusal(restoration, message))?;
    }
    if is_outside(&dump.path) {
        let message = format!("{} is not below the manifest's folder", dump.path);
        return Err(refusal(restoration, message));
    }
    Ok(())
}

/// A refusal of a backup that is not whole.
pub(super) fn refusal(restoration: &Restoration, message: String) -> Refusal {
    Refusal {
        kind: RefusalKind::Backup,
        service: Some(restoration.service().clone()),
        message: format!("the backup is damaged: {message}; nothing was changed"),
        next: "restore another backup with --from, and find out what became of this one".to_owned(),
    }
}

fn check(folder: &Path, expected: &DumpFile) -> Result<(), String> {
    if is_outside(&expected.path) {
        return Err(format!(
            "{} is not below the manifest's folder",
            expected.path
        ));
    }
    let path = folder.join(&expected.path);
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut file = File::open(&path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    if bytes != expected.bytes {
        return Err(format!(
            "{} has {bytes} bytes, and had {} when it was written",
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
            "{} is not the file that was written (its SHA-256 differs)",
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
        assert!(check(3, OF_ABC).is_err_and(|why| why.contains("No such file")));
        std::fs::write(folder.path().join("a.dump"), "abc").expect("a file");
        assert_eq!(check(3, OF_ABC), Ok(()));
        assert!(check(4, OF_ABC).is_err_and(|why| why.contains("has 3 bytes, and had 4")));
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
