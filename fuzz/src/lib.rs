//! Shared code of the fuzz targets: files on disk, because users reach most parsers through files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The folder of this process, in `TMPDIR`. A fuzzer is killed rather than stopped, so nothing removes it.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("fuzz-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder below TMPDIR");
        folder
    })
}

/// Writes a file and creates its parent folders.
pub fn write(path: &Path, content: impl AsRef<[u8]>) {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).expect("a folder");
    }
    fs::write(path, content).expect("a file");
}

/// Removes and recreates a folder.
pub fn empty(folder: &Path) {
    if folder.exists() {
        fs::remove_dir_all(folder).expect("a folder of ours");
    }
    fs::create_dir_all(folder).expect("a folder");
}

/// An error and its causes, as the programs print them.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        words = format!("{words}: {error}");
        source = error.source();
    }
    words
}
