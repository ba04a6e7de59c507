//! The file of accepted drift: written by the program, reviewed and committed by people, and read back to the letter.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};
use shared::command::CommandError;
use shared::domain::{SchemaDifference, ServiceName, Version};

/// The version of the file's form.
const SCHEMA: u32 = 1;

const HEAD: &str = "\
# Differences between live schemas and what the migrations produce.
# Each one below lets exactly itself pass: `orchestrator adopt SERVICE --accept-drift FILE`, and `drift` in the same way.
# Review every one, delete those that must not pass, and commit the file.
# expected: what the migrations make; found: what the database has. One of them alone is an object that only one side has.
";

/// The differences that were accepted, by service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AcceptedDrift {
    services: BTreeMap<ServiceName, ServiceDrift>,
}

/// What is accepted of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceDrift {
    /// The version from which the live schema differs like this.
    pub version: Version,
    /// The differences.
    pub differences: Vec<SchemaDifference>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    schema: u32,
    #[serde(default, rename = "service", skip_serializing_if = "Vec::is_empty")]
    services: Vec<Section>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    name: ServiceName,
    version: i64,
    #[serde(default, rename = "difference")]
    differences: Vec<SchemaDifference>,
}

impl AcceptedDrift {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read or has another form.
    pub fn read(path: &Path) -> Result<Self, CommandError> {
        let text = std::fs::read_to_string(path).map_err(|source| {
            CommandError::usage(
                format!("{} cannot be read: {source}", path.display()),
                "write one with --write-drift FILE, and review it",
            )
        })?;
        let broken = |what: String| {
            CommandError::usage(
                format!("{}: {what}", path.display()),
                "take back the edit, or write the file anew with --write-drift",
            )
        };
        let document: Document = toml::from_str(&text).map_err(|error| {
            let line = error
                .span()
                .map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            broken(format!("line {line}: {}", error.message()))
        })?;
        if document.schema != SCHEMA {
            return Err(broken(format!(
                "schema {} is not one that this program reads ({SCHEMA})",
                document.schema
            )));
        }
        let mut services = BTreeMap::new();
        for section in document.services {
            let drift = ServiceDrift {
                version: Version::new(section.version),
                differences: section.differences,
            };
            if services.insert(section.name.clone(), drift).is_some() {
                return Err(broken(format!("{} stands there twice", section.name)));
            }
        }
        Ok(Self { services })
    }

    /// Adds what a service differs in.
    pub fn insert(&mut self, service: ServiceName, drift: ServiceDrift) {
        self.services.insert(service, drift);
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// What is accepted of a service.
    pub fn of(&self, service: &ServiceName) -> Option<&ServiceDrift> {
        self.services.get(service)
    }

    /// The services that it speaks of.
    pub fn services(&self) -> impl Iterator<Item = &ServiceName> {
        self.services.keys()
    }

    /// Writes a new file.
    ///
    /// # Errors
    /// When there is one already: it may have been reviewed.
    pub fn write(&self, path: &Path) -> Result<(), CommandError> {
        let document = Document {
            schema: SCHEMA,
            services: self
                .services
                .iter()
                .map(|(name, drift)| Section {
                    name: name.clone(),
                    version: drift.version.number(),
                    differences: drift.differences.clone(),
                })
                .collect(),
        };
        let failed = |source| CommandError::Io {
            what: format!("{} cannot be written", path.display()),
            source,
        };
        let text = toml::to_string_pretty(&document)
            .map_err(|error| failed(std::io::Error::other(error)))?;
        refuse_existing(path)?;
        let mut file = std::fs::File::create_new(path).map_err(failed)?;
        file.write_all(format!("{HEAD}\n{text}").as_bytes())
            .map_err(failed)
    }
}

/// Refuses to write over a file: it may have been reviewed.
///
/// # Errors
/// When there is one.
pub fn refuse_existing(path: &Path) -> Result<(), CommandError> {
    if path.exists() {
        return Err(CommandError::usage(
            format!(
                "{} exists, and may have been reviewed: it is not written over",
                path.display()
            ),
            "name another file, or delete this one",
        ));
    }
    Ok(())
}

impl ServiceDrift {
    /// Parts differences into those that are accepted and those that are not.
    pub fn part(
        &self,
        differences: Vec<SchemaDifference>,
    ) -> (Vec<SchemaDifference>, Vec<SchemaDifference>) {
        differences
            .into_iter()
            .partition(|difference| self.differences.contains(difference))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(object: &str, found: Option<&str>) -> SchemaDifference {
        SchemaDifference {
            kind: "index".to_owned(),
            object: object.to_owned(),
            expected: Some("CREATE INDEX \"a\" …\n  two lines '''".to_owned()),
            found: found.map(str::to_owned),
        }
    }

    fn accepted() -> AcceptedDrift {
        let mut accepted = AcceptedDrift::default();
        accepted.insert(
            "auth".parse().unwrap(),
            ServiceDrift {
                version: Version::new(1_707_500_000_000),
                differences: vec![
                    difference("public.a", None),
                    difference("public.b", Some("")),
                ],
            },
        );
        accepted
    }

    #[test]
    fn what_is_written_is_read_back_to_the_letter() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("drift.toml");
        accepted().write(&path).unwrap();
        assert_eq!(AcceptedDrift::read(&path).unwrap(), accepted());
        let again = accepted().write(&path).unwrap_err();
        assert!(again.to_string().contains("not written over"), "{again}");
    }

    #[test]
    fn a_broken_file_is_refused_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        for (text, words) in [
            ("schema = 2\n", "schema 2"),
            ("schema = 1\nservices = 3\n", "line 2"),
            ("schema = 1\n[[service]]\nname = 'auth'\n", "version"),
            (
                "schema = 1\n[[service]]\nname = 'a'\nversion = 1\n[[service]]\nname = 'a'\nversion = 1\n",
                "twice",
            ),
        ] {
            let path = folder.path().join("drift.toml");
            std::fs::write(&path, text).unwrap();
            let error = AcceptedDrift::read(&path).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn only_what_is_the_same_to_the_letter_passes() {
        let drift = accepted().of(&"auth".parse().unwrap()).cloned().unwrap();
        let (passed, rest) = drift.part(vec![
            difference("public.a", None),
            difference("public.a", Some("another")),
            difference("public.c", None),
        ]);
        assert_eq!(passed, [difference("public.a", None)]);
        assert_eq!(rest.len(), 2);
    }
}
