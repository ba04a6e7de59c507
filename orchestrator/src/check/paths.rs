//! Paths relative to the root of the repository, as other programs expect them.

use std::path::{Path, PathBuf};

/// Maps the paths in findings to paths in the repository.
#[derive(Clone, Debug)]
pub struct Paths {
    root: PathBuf,
    from: PathBuf,
}

impl Paths {
    /// Paths in findings are relative to `from`. The repository is the nearest one above `folder`; without one, `from` is the root.
    pub fn new(from: &Path, folder: &Path) -> Self {
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let repository = folder.ancestors().find(|above| above.join(".git").exists());
        let root = match repository {
            Some(root) => root.to_owned(),
            None => from.canonicalize().unwrap_or_else(|_| from.to_owned()),
        };
        Self {
            root,
            from: from.to_owned(),
        }
    }

    /// The path relative to the root of the repository, with `/`; a path outside the repository is returned absolute.
    pub fn relative(&self, file: &str) -> String {
        let path = self.from.join(file);
        // The folder of a removed file can still be resolved.
        let found = path.canonicalize().ok().or_else(|| {
            let folder = path.parent()?.canonicalize().ok()?;
            Some(folder.join(path.file_name()?))
        });
        let path = found.unwrap_or(path);
        let below = path.strip_prefix(&self.root).unwrap_or(&path);
        let parts: Vec<_> = below
            .components()
            .map(|part| part.as_os_str().to_string_lossy())
            .collect();
        match below.is_absolute() {
            true => below.display().to_string(),
            false => parts.join("/"),
        }
    }
}
