//! Where the project begins.
//!
//! Responsible for: finding the folder that `config/`, `services/` and `.local/` belong to. Floor 1.

use std::path::{Path, PathBuf};

/// The nearest folder, from `current` upwards, that holds `services/`, `config/default.toml` or `.git`; else `current`.
#[must_use]
pub fn project_root(current: &Path) -> PathBuf {
    let is_root = |folder: &&Path| {
        folder.join("services").is_dir()
            || folder.join("config/default.toml").is_file()
            || folder.join(".git").exists()
    };
    current
        .ancestors()
        .find(is_root)
        .unwrap_or(current)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_nearest_marked_ancestor_wins() {
        let top = std::env::temp_dir().join(format!("project-root-{}", std::process::id()));
        let deep = top.join("inner/services/policy/src");
        fs::create_dir_all(&deep).expect("creates folders");
        fs::create_dir_all(top.join(".git")).expect("creates folders");
        let found = [
            project_root(&deep),
            project_root(&top.join("inner")),
            project_root(&top),
        ];
        fs::remove_dir_all(&top).expect("removes");
        assert_eq!(found, [top.join("inner"), top.join("inner"), top]);
    }
}
