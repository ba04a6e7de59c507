//! The files of new migrations and their reverts.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use domain::{Diagnostic, Service, Version, suggest};
use service_layout::files::{self, FileError};
use time::OffsetDateTime;

use crate::pattern::PatternFile;

/// A new migration and its revert, not yet written.
#[derive(Debug)]
pub struct Skeleton {
    pub migration: SkeletonFile,
    pub revert: SkeletonFile,
}

/// A file to create.
#[derive(Debug)]
pub struct SkeletonFile {
    pub path: PathBuf,
    /// The initial contents.
    pub text: String,
}

/// Why no migration was generated.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    #[error("invalid migration name `{name}`: use letters, digits and _, as in AddPolicyTemplates")]
    Name {
        /// The name as given.
        name: String,
    },
    #[error("the name {name} is taken: {path}")]
    Taken {
        /// The name in file names.
        name: String,
        /// The migration that has it.
        path: String,
    },
    #[error(
        "no version is available after the newest, {}: rename that migration to a version in milliseconds since 1970",
        i64::MAX
    )]
    LastVersion,
    #[error("{path}: folder does not exist; run this in the project, or specify --services-dir", path = path.display())]
    Folder {
        /// The missing folder.
        path: PathBuf,
    },
    /// The service's folder cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    #[error("cannot write {path}", path = path.display())]
    Write {
        /// The file's path.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
}

impl From<GenerateError> for Diagnostic {
    fn from(error: GenerateError) -> Self {
        match error {
            GenerateError::Write { path, source } => {
                Self::failed(format!("cannot write {}", path.display()), &source)
            }
            other => Self::usage(other.to_string(), suggest(["generate", "--help"])),
        }
    }
}

impl Skeleton {
    /// The version and the name of a new migration. The version is the current time, or one more than the service's newest version
    /// if that is later.
    pub fn named(
        folder: &Path,
        service: &Service,
        name: &str,
        now: OffsetDateTime,
    ) -> Result<(Version, String), GenerateError> {
        let name = snake_case(name).ok_or_else(|| GenerateError::Name {
            name: name.to_owned(),
        })?;
        let other = service.migrations.iter().find(|it| it.name == name);
        if let Some(other) = other {
            return Err(GenerateError::Taken {
                name,
                path: other.script.path.clone(),
            });
        }
        if !files::is_folder(&folder.join("migrations"))? {
            return Err(GenerateError::Folder {
                path: folder.join("migrations"),
            });
        }
        let version = version_after(service.newest(), now).ok_or(GenerateError::LastVersion)?;
        Ok((version, name))
    }

    /// The two files of a migration, whose names are the same.
    pub fn new(folder: &Path, file: &str, migration: String, revert: String) -> Self {
        let file = |kind, text| SkeletonFile {
            path: folder.join(kind).join(file),
            text,
        };
        Self {
            migration: file("migrations", migration),
            revert: file("reverts", revert),
        }
    }

    /// An empty migration and its revert.
    pub fn empty(folder: &Path, (version, name): &(Version, String), no_transaction: bool) -> Self {
        let directive = if no_transaction {
            "-- migration: no-transaction\n"
        } else {
            ""
        };
        let file = format!("V{version}__{name}.sql");
        let migration = format!(
            "{directive}-- What this migration changes, and why.\n--\n-- The engine runs this file {}.\n\
             -- Reverted by reverts/{file}.\n\n",
            if no_transaction {
                "statement by statement; after an interruption, it resumes after the last completed one"
            } else {
                "in one transaction"
            }
        );
        let revert =
            format!("{directive}-- Reverts migrations/{file}: undo the last statement first.\n\n");
        Self::new(folder, &file, migration, revert)
    }

    /// The files of a pattern. All but the last have a suffix, so that the names differ.
    pub fn filled(
        folder: &Path,
        (first, name): &(Version, String),
        files: &[PatternFile],
    ) -> Result<Vec<Self>, GenerateError> {
        let versions = (first.number()..=i64::MAX).map(Version::new);
        let skeletons: Vec<Self> = files
            .iter()
            .zip(versions)
            .map(|(file, version)| {
                let path = format!("V{version}__{name}{}.sql", file.suffix);
                let directive = match file.no_transaction {
                    true => "-- migration: no-transaction\n",
                    false => "",
                };
                let text = |about: &str, sql: &str| format!("{directive}-- {about}\n\n{sql}");
                let revert = format!("Reverts migrations/{path}.");
                Self::new(
                    folder,
                    &path,
                    text(&file.about, &file.up),
                    text(&revert, &file.down),
                )
            })
            .collect();
        match skeletons.len() == files.len() {
            true => Ok(skeletons),
            false => Err(GenerateError::LastVersion),
        }
    }

    /// Writes all files or none. Never overwrites a file, except a `schema.sql`, in one step.
    pub fn write(skeletons: &[Self], schema: Option<&SkeletonFile>) -> Result<(), GenerateError> {
        let mut written: Vec<&SkeletonFile> = Vec::new();
        for file in skeletons.iter().flat_map(|it| [&it.migration, &it.revert]) {
            let folder = file.path.parent().unwrap_or(&file.path);
            let created = fs::create_dir_all(folder)
                .map_err(|source| GenerateError::Write {
                    path: folder.to_owned(),
                    source,
                })
                .and_then(|()| create(file));
            if let Err(error) = created {
                // Do not leave a migration without its revert. If the removal fails too, the error still names the path.
                for file in written {
                    let _ = fs::remove_file(&file.path);
                }
                return Err(error);
            }
            written.push(file);
        }
        let Some(schema) = schema else {
            return Ok(());
        };
        let partial = schema.path.with_extension("sql.new");
        let replaced = fs::write(&partial, &schema.text)
            .and_then(|()| fs::rename(&partial, &schema.path))
            .map_err(|source| GenerateError::Write {
                path: schema.path.clone(),
                source,
            });
        if replaced.is_err() {
            let _ = fs::remove_file(&partial);
            for file in written {
                let _ = fs::remove_file(&file.path);
            }
        }
        replaced
    }
}

fn create(file: &SkeletonFile) -> Result<(), GenerateError> {
    let failed = |source| GenerateError::Write {
        path: file.path.clone(),
        source,
    };
    let mut opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&file.path)
        .map_err(failed)?;
    opened.write_all(file.text.as_bytes()).map_err(failed)
}

fn version_after(newest: Option<Version>, now: OffsetDateTime) -> Option<Version> {
    let millis = i64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX);
    let least = newest.map_or(Some(0), |newest| newest.number().checked_add(1))?;
    Some(Version::new(millis.max(least)))
}

/// Converts `AddPolicyTemplates` and `add-policy-templates` to `add_policy_templates`.
fn snake_case(name: &str) -> Option<String> {
    let mut snake = String::new();
    let mut last = '_';
    let mut characters = name.chars().peekable();
    while let Some(c) = characters.next() {
        if c == '-' || c == '_' || c == ' ' {
            if last != '_' {
                snake.push('_');
            }
            last = '_';
            continue;
        }
        if !c.is_ascii_alphanumeric() {
            return None;
        }
        let begins_word = c.is_ascii_uppercase()
            && (last.is_ascii_lowercase()
                || last.is_ascii_digit()
                || (last.is_ascii_uppercase()
                    && characters.peek().is_some_and(char::is_ascii_lowercase)));
        if begins_word {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
        last = c;
    }
    let snake = snake.trim_matches('_').to_owned();
    (!snake.is_empty() && snake.len() <= 200).then_some(snake)
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::{snake_case, version_after};
    use domain::Version;

    #[test]
    fn class_names_become_file_names() {
        for (given, expected) in [
            ("AddPolicyTemplates", Some("add_policy_templates")),
            ("add_policy_templates", Some("add_policy_templates")),
            ("add-policy templates", Some("add_policy_templates")),
            ("AddAPIKeys", Some("add_api_keys")),
            ("AddOAuth2Tokens", Some("add_o_auth2_tokens")),
            ("drop_V1", Some("drop_v1")),
            ("../../etc", None),
            ("naïve", None),
            ("__", None),
            ("", None),
        ] {
            assert_eq!(snake_case(given).as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn the_version_is_the_current_time_but_after_the_newest() {
        let now = OffsetDateTime::from_unix_timestamp(1_000).unwrap();
        assert_eq!(version_after(None, now), Some(Version::new(1_000_000)));
        assert_eq!(
            version_after(Some(Version::new(5)), now),
            Some(Version::new(1_000_000))
        );
        assert_eq!(version_after(Some(Version::new(i64::MAX)), now), None);
        assert_eq!(
            version_after(Some(Version::new(1_000_000)), now),
            Some(Version::new(1_000_001))
        );
    }
}
