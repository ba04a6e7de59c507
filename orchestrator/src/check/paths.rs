//! Files as they are called from the root of the repository, where other programs look for them.

use std::path::{Path, PathBuf};

/// From the names of files in findings to those in the repository.
#[derive(Clone, Debug)]
pub struct Paths {
    root: PathBuf,
    from: PathBuf,
}

impl Paths {
    /// Files are named from the folder `from`; the repository is the nearest one upwards, else that folder itself.
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

    /// The name of a file from the root of the repository, with `/`; one that lies elsewhere keeps its name.
    pub fn relative(&self, file: &str) -> String {
        let path = self.from.join(file);
        // A file that is gone has a folder still.
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
