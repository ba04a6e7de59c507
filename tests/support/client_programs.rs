//! A folder with client programs of which some behave badly.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use tempfile::TempDir;

use crate::Server;

/// A folder for `--pg-bin`, which ends with its test.
pub struct ClientPrograms {
    folder: TempDir,
}

impl ClientPrograms {
    /// `pg_dump` and `pg_restore` as they are.
    pub fn of(server: &Server) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["pg_dump", "pg_restore"] {
            symlink(server.program(name), folder.path().join(name)).expect("a link");
        }
        Self { folder }
    }

    /// With a shell script in the place of one. `$REAL` is the program itself; asked for its version, that answers.
    #[must_use]
    pub fn script(self, name: &str, script: &str) -> Self {
        let path = self.folder.path().join(name);
        let real = fs::read_link(&path).expect("the program");
        let text = format!(
            "#!/bin/sh\nREAL={}\nHERE={}\n[ \"$1\" = --version ] && exec \"$REAL\" --version\n{script}\n",
            real.display(),
            self.folder.path().display()
        );
        self.replace(name, &text)
    }

    /// With another file in the place of one.
    #[must_use]
    pub fn replace(self, name: &str, text: &str) -> Self {
        let path = self.folder.path().join(name);
        fs::remove_file(&path).expect("the program");
        fs::write(&path, text).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a script");
        self
    }

    /// Without one.
    #[must_use]
    pub fn without(self, name: &str) -> Self {
        fs::remove_file(self.folder.path().join(name)).expect("the program");
        self
    }

    /// Where it is; scripts know it as `$HERE`.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The same for an argument.
    pub fn argument(&self) -> &str {
        self.folder.path().to_str().expect("a path")
    }
}
