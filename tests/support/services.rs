//! Services on disk, laid out as the design has it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use tempfile::TempDir;

/// The platform's services and their databases, in the order of the orchestrator.
pub static SERVICES: LazyLock<Vec<(&'static str, &'static str)>> = LazyLock::new(|| {
    let all = orchestrator::embedded::SERVICES.iter();
    all.map(|service| {
        let lines = &mut service.definition.lines();
        let database = lines.find_map(|line| line.strip_prefix("database = \"")?.strip_suffix('"'));
        (
            service.folder,
            database.expect("service.toml names a database"),
        )
    })
    .collect()
});

/// A folder of services that ends with its test.
pub struct Services {
    folder: TempDir,
}

impl Services {
    /// An empty folder.
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A service that was moved to a folder below.
    pub fn at(&self, path: &str) -> ServiceFolder {
        ServiceFolder {
            folder: self.path().join(path),
        }
    }

    /// Adds a service; its database is `db_<name>`.
    pub fn service(&self, name: &str, depends_on: &[&str]) -> ServiceFolder {
        self.service_with(name, depends_on, &format!("database = \"db_{name}\"\n"))
    }

    /// Adds a service with further lines of `service.toml`.
    pub fn service_with(&self, name: &str, depends_on: &[&str], lines: &str) -> ServiceFolder {
        let folder = self.path().join(name);
        fs::create_dir_all(folder.join("migrations")).expect("a folder");
        let toml = format!("name = \"{name}\"\ndepends_on = {depends_on:?}\n{lines}");
        fs::write(folder.join("service.toml"), toml).expect("service.toml");
        ServiceFolder { folder }
    }
}

impl Default for Services {
    fn default() -> Self {
        Self::new()
    }
}

/// One service on disk.
pub struct ServiceFolder {
    folder: PathBuf,
}

impl ServiceFolder {
    /// Adds a migration without a revert.
    pub fn migration(&self, version: i64, name: &str, sql: &str) -> &Self {
        self.write("migrations", version, name, sql)
    }

    /// Adds a migration and its revert.
    pub fn reversible(&self, version: i64, name: &str, sql: &str, revert: &str) -> &Self {
        self.write("migrations", version, name, sql)
            .write("reverts", version, name, revert)
    }

    /// Adds or replaces any file of the service, as in `migrations/V1__x.sql`.
    pub fn file(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.folder.join(path);
        let parent = path.parent().expect("a file below the service");
        fs::create_dir_all(parent).expect("a folder");
        fs::write(path, content).expect("a file");
        self
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    fn write(&self, kind: &str, version: i64, name: &str, sql: &str) -> &Self {
        let folder = self.folder.join(kind);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join(format!("V{version}__{name}.sql")), sql).expect("a file");
        self
    }
}
