//! Finds the project root: the folder that `config/`, `services/` and `.local/` belong to.

use std::fs;
use std::path::{Path, PathBuf};

use service_layout::files::{self, FileProblem, Found};

/// The folder that relative paths of a command start at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectRoot {
    /// The folder's path.
    pub folder: PathBuf,
    /// Whether it is a project (has `services/` or `config/`). Elsewhere, nothing may be started or created implicitly.
    pub is_project: bool,
}

impl ProjectRoot {
    /// The nearest folder, from `current` upward, that contains `services/`, `config/` or `.git`; otherwise `current`.
    #[must_use]
    pub fn find(current: &Path) -> Self {
        let folder = current
            .ancestors()
            .find(|folder| is_project(folder) || has(&folder.join(".git")))
            .unwrap_or(current);
        Self {
            folder: folder.to_owned(),
            is_project: is_project(folder),
        }
    }

    /// The project of the current folder, or else that of a given services folder.
    #[must_use]
    pub fn of(current: &Path, services: Option<&Path>) -> Self {
        let found = Self::find(current);
        match services
            .and_then(|services| std::path::absolute(services).ok()?.parent().map(Self::find))
        {
            Some(other) if !found.is_project && other.is_project => other,
            _ => found,
        }
    }
}

fn is_project(folder: &Path) -> bool {
    has_folder(&folder.join("services")) || is_configuration(&folder.join("config"))
}

/// Whether something with this name exists.
fn has(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Whether a folder with this name exists, or a link that should point to one: an unreadable folder causes an error when
/// its files are read, and must not select a different project.
fn has_folder(path: &Path) -> bool {
    match files::look(path) {
        Ok(found) => found == Some(Found::Folder),
        Err(error) => matches!(error.problem, FileProblem::DanglingLink),
    }
}

/// A `config/` folder of source code, as some applications have, does not count.
fn is_configuration(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else {
        return has_folder(folder);
    };
    let mut is_empty = true;
    for entry in entries.flatten() {
        is_empty = false;
        if Path::new(&entry.file_name())
            .extension()
            .is_some_and(|end| end == "toml")
        {
            return true;
        }
    }
    is_empty
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_marked_ancestor_is_the_root() {
        let top = tempfile::tempdir().expect("a folder");
        let top = top.path();
        let deep = top.join("inner/services/policy/src");
        for folder in [
            &deep.join("config"),
            &top.join(".git"),
            &top.join("ops/config"),
        ] {
            fs::create_dir_all(folder).expect("creates folders");
        }
        fs::write(deep.join("config/mod.rs"), "").expect("a file");
        let found = [
            deep,
            top.join("inner"),
            top.join("ops/config"),
            top.to_owned(),
        ]
        .map(|folder| ProjectRoot::find(&folder));
        let root = |folder: &str, is_project| ProjectRoot {
            folder: top.join(folder),
            is_project,
        };
        let top_root = ProjectRoot {
            folder: top.to_owned(),
            is_project: false,
        };
        assert_eq!(
            found,
            [
                root("inner", true),
                root("inner", true),
                root("ops", true),
                top_root
            ]
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_dangling_link_marks_the_project_too() {
        let top = tempfile::tempdir().expect("a folder");
        let inner = top.path().join("inner");
        for folder in [&inner, &top.path().join("services")] {
            fs::create_dir_all(folder).expect("creates folders");
        }
        std::os::unix::fs::symlink("nowhere", inner.join("services")).expect("a link");
        assert_eq!(
            ProjectRoot::find(&inner),
            ProjectRoot {
                folder: inner,
                is_project: true
            }
        );
    }

    #[test]
    fn a_services_folder_determines_the_project_if_there_is_no_other() {
        let top = tempfile::tempdir().expect("a folder");
        let (one, two, bare) = (
            top.path().join("one/services"),
            top.path().join("two/services"),
            top.path().join("bare"),
        );
        for folder in [&one, &two, &bare] {
            fs::create_dir_all(folder).expect("creates folders");
        }
        let root =
            |current: &Path, services: &Path| ProjectRoot::of(current, Some(services)).folder;
        assert_eq!(root(&bare, &one), top.path().join("one"));
        assert_eq!(root(&two, &one), top.path().join("two"));
        assert!(!ProjectRoot::of(&bare, Some(&bare)).is_project);
    }
}
