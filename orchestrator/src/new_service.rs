//! The files of a new service: its folder, its crate, and the lines that name it elsewhere in the workspace.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A new service.
#[derive(Debug)]
pub struct NewService<'a> {
    /// Its name.
    pub name: &'a str,
    /// The name of its database.
    pub database: &'a str,
    /// The services that it depends on.
    pub depends_on: &'a [String],
}

/// A file to write, with all of its text.
#[derive(Debug, PartialEq, Eq)]
pub struct NewFile {
    /// Where.
    pub path: PathBuf,
    /// Its contents.
    pub text: String,
    /// Whether it exists and gets more lines.
    pub exists: bool,
}

/// Why the files cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum NewServiceError {
    /// The folder is there.
    #[error("{path} exists", path = path.display())]
    Exists {
        /// The folder of the service.
        path: PathBuf,
    },
    /// A file of the workspace does not have the lines that are expected.
    #[error("cannot add the service to {path}: it is not as in this repository", path = path.display())]
    NotAsExpected {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("cannot read or write {path}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
}

impl NewService<'_> {
    /// The files of the service in its folder, and the changed files of the workspace.
    ///
    /// # Errors
    /// When the folder exists, or a file of the workspace cannot be read or is not as expected.
    pub fn files(&self, root: &Path, services: &Path) -> Result<Vec<NewFile>, NewServiceError> {
        let folder = services.join(self.name);
        if folder.exists() {
            return Err(NewServiceError::Exists { path: folder });
        }
        let new = |path: &str, text: String| NewFile {
            path: folder.join(path),
            text,
            exists: false,
        };
        let name = self.name;
        let depends_on: Vec<String> = self
            .depends_on
            .iter()
            .map(|it| format!("\"{it}\""))
            .collect();
        let mut files = vec![
            new(
                "service.toml",
                format!(
                    "name = \"{name}\"\ndatabase = \"{}\"\ndepends_on = [{}]\n",
                    self.database,
                    depends_on.join(", ")
                ),
            ),
            new("schema.sql", String::new()),
        ];
        // Without the workspace, as with --services-dir, the orchestrator reads the folder.
        let manifest = root.join("orchestrator/Cargo.toml");
        if !manifest.exists() {
            return Ok(files);
        }
        files.extend([
            new("Cargo.toml", self.manifest()),
            new("build.rs", include_str!("../../services/auth/build.rs").to_owned()),
            new("src/lib.rs", self.library()),
            new(
                "src/main.rs",
                format!(
                    "//! Migrates the {name} service's database: `cargo run -p {name}-migrations -- --help`.\n\n\
                     use std::process::ExitCode;\n\nfn main() -> ExitCode {{\n    \
                     service_cli::service_main(&{}_migrations::SERVICE)\n}}\n",
                    self.module()
                ),
            ),
        ]);
        files.push(changed(&manifest, |text| self.in_manifest(text))?);
        let embedded = root.join("orchestrator/src/embedded.rs");
        files.push(changed(&embedded, |text| self.in_embedded(text))?);
        Ok(files)
    }

    /// The name of its crate in Rust.
    fn module(&self) -> String {
        self.name.replace('-', "_")
    }

    fn manifest(&self) -> String {
        let dependencies: String = self
            .depends_on
            .iter()
            .map(|it| format!("{it}-migrations = {{ path = \"../{it}\" }}\n"))
            .collect();
        // That of a service that depends on nothing.
        include_str!("../../services/auth/Cargo.toml")
            .replace("auth-migrations", &format!("{}-migrations", self.name))
            .replace("the auth service", &format!("the {} service", self.name))
            .replace(
                "[dependencies]\n",
                &format!("[dependencies]\n{dependencies}"),
            )
    }

    fn library(&self) -> String {
        let dependencies: Vec<String> = self
            .depends_on
            .iter()
            .map(|it| format!("&{}_migrations::SERVICE", it.replace('-', "_")))
            .collect();
        include_str!("../../services/auth/src/lib.rs")
            .replace("auth", self.name)
            .replace(
                "dependencies: &[]",
                &format!("dependencies: &[{}]", dependencies.join(", ")),
            )
    }

    /// One more dependency, in the order of the names.
    fn in_manifest(&self, text: &str) -> Option<String> {
        let line = format!(
            "{0}-migrations = {{ path = \"../services/{0}\" }}",
            self.name
        );
        let is_after = |it: &&str| it.contains("-migrations = { path = ") && **it > *line;
        let after = text.lines().find(is_after);
        match after {
            Some(after) => Some(text.replacen(after, &format!("{line}\n{after}"), 1)),
            None => {
                let last = text
                    .lines()
                    .rfind(|it| it.contains("-migrations = { path = "))?;
                Some(text.replacen(last, &format!("{last}\n{line}"), 1))
            }
        }
    }

    /// One more service at the end of the list.
    fn in_embedded(&self, text: &str) -> Option<String> {
        let (before, rest) = text.split_once("[&EmbeddedService; ")?;
        let (count, rest) = rest.split_once(']')?;
        let count: usize = count.parse().ok()?;
        let (services, after) = rest.rsplit_once("];")?;
        Some(format!(
            "{before}[&EmbeddedService; {}]{services}    &{}_migrations::SERVICE,\n];{after}",
            count.checked_add(1)?,
            self.module()
        ))
    }
}

fn changed(
    path: &Path,
    change: impl FnOnce(&str) -> Option<String>,
) -> Result<NewFile, NewServiceError> {
    let text = fs::read_to_string(path).map_err(|source| NewServiceError::File {
        path: path.to_owned(),
        source,
    })?;
    let text = change(&text).ok_or_else(|| NewServiceError::NotAsExpected {
        path: path.to_owned(),
    })?;
    Ok(NewFile {
        path: path.to_owned(),
        text,
        exists: true,
    })
}

/// Writes the files. Of the new ones, none replaces another.
///
/// # Errors
/// When a file cannot be written.
pub fn write(files: &[NewFile]) -> Result<(), NewServiceError> {
    // An empty folder counts as one without migrations, and a missing one as a mistake.
    let folders = files.iter().filter(|it| it.path.ends_with("service.toml"));
    for folder in folders.filter_map(|it| it.path.parent()) {
        for kind in ["migrations", "reverts"] {
            let path = folder.join(kind);
            fs::create_dir_all(&path).map_err(|source| NewServiceError::File { path, source })?;
        }
    }
    for file in files {
        let parent = file.path.parent().unwrap_or(&file.path);
        let written = fs::create_dir_all(parent).and_then(|()| fs::write(&file.path, &file.text));
        written.map_err(|source| NewServiceError::File {
            path: file.path.clone(),
            source,
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::NewService;

    #[test]
    fn a_service_is_wired_in_two_places_of_the_workspace() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let folder = tempfile::tempdir().expect("a folder");
        let depends_on = ["client".to_owned(), "policy".to_owned()];
        let service = NewService {
            name: "billing",
            database: "soc_billing",
            depends_on: &depends_on,
        };
        let files = service.files(&root, folder.path()).expect("files");
        let text_of = |name: &str| {
            let file = files.iter().find(|it| it.path.ends_with(name));
            file.map(|it| it.text.as_str()).unwrap_or_default()
        };
        let changed: Vec<_> = files.iter().filter(|it| it.exists).collect();
        assert_eq!(changed.len(), 2);
        let manifest = text_of("orchestrator/Cargo.toml");
        assert!(manifest.contains(
            "\nbilling-migrations = { path = \"../services/billing\" }\nclient-migrations"
        ));
        let embedded = text_of("embedded.rs");
        assert!(embedded.contains("&EmbeddedService; 12]"), "{embedded}");
        assert!(
            embedded.contains("    &billing_migrations::SERVICE,\n];"),
            "{embedded}"
        );
        let library = text_of("src/lib.rs");
        assert!(library.contains("&[&client_migrations::SERVICE, &policy_migrations::SERVICE]"));
        assert!(!library.contains("auth"), "{library}");
        assert!(
            text_of("billing/Cargo.toml").contains("policy-migrations = { path = \"../policy\" }")
        );
    }
}
