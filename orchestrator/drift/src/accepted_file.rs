//! The file of accepted drift: written by the program, then reviewed and committed by engineers.
//!
//! Facts are grouped: one entry for what differs in the same group in several objects, such as the grants to one role.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use domain::{Diagnostic, FactDifference, SchemaDifference, ServiceName, Version, rerun};
use serde::{Deserialize, Serialize};
use service_layout::files;

use super::{AcceptedDrift, ServiceDrift};

/// The version of the file format. Version 1 accepted whole definitions.
const SCHEMA: u32 = 2;

/// The name of a fact that is one privilege of one role.
const GRANT: &str = "grant";

const HEAD: &str = "\
# Differences between live schemas and what the migrations produce.
# `orchestrator adopt SERVICE --accept-drift FILE` and `orchestrator drift --accept-drift FILE` accept exactly these.
# Review each entry, delete what must not be accepted, and commit the file.
# expected: what the migrations produce; found: what the database has.
# service.fact: a fact that differs, and the objects that differ in it. service.object: an object that only one side has.
";

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
    #[serde(default, rename = "fact", skip_serializing_if = "Vec::is_empty")]
    facts: Vec<Fact>,
    #[serde(default, rename = "object", skip_serializing_if = "Vec::is_empty")]
    objects: Vec<Whole>,
}

/// A fact that differs in the same group in several objects of a kind.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fact {
    kind: String,
    fact: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    found: Option<String>,
    objects: Vec<String>,
}

/// An object that only one side has.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    kind: String,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    found: Option<String>,
}

impl AcceptedDrift {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read or is invalid.
    pub fn read(path: &Path) -> Result<Self, Diagnostic> {
        let text = files::read_text(path).map_err(|error| {
            Diagnostic::usage(
                error.to_string(),
                rerun("with a reviewed file that was written by --write-drift FILE"),
            )
        })?;
        let broken = |what: String| {
            Diagnostic::usage(
                format!("{}: {what}", path.display()),
                rerun(
                    "first undo the edit, or write and review another file with --write-drift FILE",
                ),
            )
        };
        let located = |error: toml::de::Error| {
            let line = error
                .span()
                .map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            broken(format!("line {line}: {}", error.message()))
        };
        // The schema version is checked first: a file of another version has other fields.
        #[derive(Deserialize)]
        struct Header {
            schema: u32,
        }
        let header: Header = toml::from_str(&text).map_err(located)?;
        if header.schema != SCHEMA {
            return Err(broken(format!(
                "schema {} is not supported; this version reads schema {SCHEMA}, which accepts facts rather than definitions",
                header.schema
            )));
        }
        let document: Document = toml::from_str(&text).map_err(located)?;
        let mut all = Self::default();
        for section in document.services {
            let name = section.name.clone();
            let drift = section.into_drift().map_err(broken)?;
            if all.insert(name.clone(), drift).is_some() {
                return Err(broken(format!("{name} has two sections")));
            }
        }
        Ok(all)
    }

    /// Writes a new file.
    ///
    /// # Errors
    /// When the file exists: it may have been reviewed.
    pub fn write(&self, path: &Path) -> Result<(), Diagnostic> {
        let document = Document {
            schema: SCHEMA,
            services: self
                .iter()
                .map(|(name, drift)| Section::of(name, drift))
                .collect(),
        };
        let failed = |source: std::io::Error| {
            Diagnostic::failed(format!("cannot write {}", path.display()), &source)
        };
        let text = toml::to_string_pretty(&document)
            .map_err(|error| failed(std::io::Error::other(error)))?;
        refuse_existing(path)?;
        let mut file = std::fs::File::create_new(path).map_err(failed)?;
        file.write_all(format!("{HEAD}\n{text}").as_bytes())
            .map_err(failed)
    }
}

/// Refuses to overwrite a file: it may have been reviewed.
///
/// # Errors
/// When the file exists.
pub fn refuse_existing(path: &Path) -> Result<(), Diagnostic> {
    if files::look(path).map_or(true, |found| found.is_some()) {
        return Err(Diagnostic::usage(
            format!(
                "{} already exists; it is not overwritten, because it may have been reviewed",
                path.display()
            ),
            rerun("with another file, or after deleting this one"),
        ));
    }
    Ok(())
}

impl Section {
    fn of(name: &ServiceName, drift: &ServiceDrift) -> Self {
        let mut section = Self {
            name: name.clone(),
            version: drift.version.number(),
            facts: Vec::new(),
            objects: Vec::new(),
        };
        type Group = (String, String, Option<String>, Option<String>);
        let mut groups: BTreeMap<Group, Vec<String>> = BTreeMap::new();
        for difference in &drift.differences {
            if difference.facts.is_empty() {
                section.objects.push(Whole {
                    kind: difference.kind.clone(),
                    name: difference.object.clone(),
                    expected: difference.expected.clone(),
                    found: difference.found.clone(),
                });
            }
            for fact in joined(&difference.facts) {
                let group = (
                    difference.kind.clone(),
                    fact.fact,
                    fact.expected,
                    fact.found,
                );
                let objects = groups.entry(group).or_default();
                objects.push(difference.object.clone());
            }
        }
        section.facts = groups
            .into_iter()
            .map(|((kind, fact, expected, found), objects)| Fact {
                kind,
                fact,
                expected,
                found,
                objects,
            })
            .collect();
        section
    }

    fn into_drift(self) -> Result<ServiceDrift, String> {
        let mut differences: BTreeMap<(String, String), SchemaDifference> = BTreeMap::new();
        for fact in self.facts {
            if fact.expected.is_none() && fact.found.is_none() {
                return Err(format!(
                    "the fact {} of {}s has neither `expected` nor `found`",
                    fact.fact, fact.kind
                ));
            }
            let facts = split(FactDifference {
                fact: fact.fact,
                expected: fact.expected,
                found: fact.found,
            });
            for object in fact.objects {
                differences
                    .entry((fact.kind.clone(), object.clone()))
                    .or_insert_with(|| SchemaDifference {
                        kind: fact.kind.clone(),
                        object,
                        expected: None,
                        found: None,
                        facts: Vec::new(),
                    })
                    .facts
                    .extend(facts.iter().cloned());
            }
        }
        let mut differences: Vec<SchemaDifference> = differences.into_values().collect();
        for whole in self.objects {
            if whole.expected.is_some() == whole.found.is_some() {
                return Err(format!(
                    "the {} {} requires either `expected` or `found`",
                    whole.kind, whole.name
                ));
            }
            differences.push(SchemaDifference {
                kind: whole.kind,
                object: whole.name,
                expected: whole.expected,
                found: whole.found,
                facts: Vec::new(),
            });
        }
        Ok(ServiceDrift {
            version: Version::new(self.version),
            differences,
        })
    }
}

/// Joins the privileges of each role in the facts of one object into one statement.
fn joined(facts: &[FactDifference]) -> Vec<FactDifference> {
    let mut joined: Vec<FactDifference> = Vec::new();
    let mut privileges: BTreeMap<(bool, &str, &str), Vec<&str>> = BTreeMap::new();
    for fact in facts {
        let statement = fact.expected.as_deref().or(fact.found.as_deref());
        match statement.filter(|_| fact.fact == GRANT).and_then(in_three) {
            Some((verb, privilege, whom)) => privileges
                .entry((fact.found.is_some(), verb, whom))
                .or_default()
                .push(privilege),
            None => joined.push(fact.clone()),
        }
    }
    for ((is_found, verb, whom), list) in privileges {
        let statement = Some(format!("{verb} {}{whom}", list.join(", ")));
        let (expected, found) = if is_found {
            (None, statement)
        } else {
            (statement, None)
        };
        joined.push(FactDifference {
            fact: GRANT.to_owned(),
            expected,
            found,
        });
    }
    joined
}

/// Splits one fact; the reverse of [`joined`].
fn split(fact: FactDifference) -> Vec<FactDifference> {
    let statement = fact.expected.as_deref().or(fact.found.as_deref());
    let Some((verb, privileges, whom)) =
        statement.filter(|_| fact.fact == GRANT).and_then(in_three)
    else {
        return vec![fact];
    };
    let one = |privilege: &str| Some(format!("{verb} {privilege}{whom}"));
    privileges
        .split(", ")
        .map(|privilege| FactDifference {
            fact: fact.fact.clone(),
            expected: fact.expected.as_ref().and_then(|_| one(privilege)),
            found: fact.found.as_ref().and_then(|_| one(privilege)),
        })
        .collect()
}

/// `GRANT`, `SELECT, INSERT` and ` TO app` of `GRANT SELECT, INSERT TO app`.
fn in_three(statement: &str) -> Option<(&str, &str, &str)> {
    let (verb, rest) = statement.split_once(' ')?;
    let preposition = if verb == "GRANT" { " TO " } else { " FROM " };
    // No privilege contains the word; a role may.
    let at = rest.find(preposition)?;
    Some((verb, &rest[..at], &rest[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(fact: &str, expected: Option<&str>, found: Option<&str>) -> FactDifference {
        FactDifference {
            fact: fact.to_owned(),
            expected: expected.map(str::to_owned),
            found: found.map(str::to_owned),
        }
    }

    fn changed(kind: &str, object: &str, facts: Vec<FactDifference>) -> SchemaDifference {
        SchemaDifference {
            kind: kind.to_owned(),
            object: object.to_owned(),
            expected: None,
            found: None,
            facts,
        }
    }

    fn accepted() -> AcceptedDrift {
        let select = |table: &str| {
            let facts = vec![
                fact("grant", None, Some("GRANT INSERT TO \"a TO b\"")),
                fact("grant", None, Some("GRANT SELECT TO \"a TO b\"")),
            ];
            changed("table", table, facts)
        };
        let mut differences = vec![changed(
            "function",
            "public.f()",
            vec![
                fact("body", Some("one\n  two '''\n"), Some("")),
                fact("grant", Some("REVOKE EXECUTE FROM PUBLIC"), None),
            ],
        )];
        differences.extend((0..88).map(|number| select(&format!("public.t{number:02}"))));
        differences.push(SchemaDifference {
            found: Some("CREATE INDEX i\n-- valid: yes".to_owned()),
            ..changed("index", "public.i", Vec::new())
        });
        let version = Version::new(1_707_500_000_000);
        let mut accepted = AcceptedDrift::default();
        accepted.insert(
            "auth".parse().unwrap(),
            ServiceDrift {
                version,
                differences,
            },
        );
        accepted
    }

    #[test]
    fn what_is_written_is_read_back_to_the_letter_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("drift.toml");
        accepted().write(&path).unwrap();
        assert_eq!(AcceptedDrift::read(&path).unwrap(), accepted());
        assert!(accepted().write(&path).is_err());
    }

    #[test]
    fn the_grants_to_one_role_are_one_entry() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("drift.toml");
        accepted().write(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches("GRANT INSERT, SELECT TO").count(), 1, "{text}");
        assert!(text.lines().count() < 88 + 50, "{text}");
    }

    #[test]
    fn a_broken_file_is_refused_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let section = "schema = 2\n[[service]]\nname = 'a'\nversion = 1\n";
        for (text, words) in [
            (
                "schema = 1\n[[service]]\nname = 'a'\nold = 1\n".to_owned(),
                "schema 1",
            ),
            ("schema = 2\nservices = 3\n".to_owned(), "line 2"),
            (
                "schema = 2\n[[service]]\nname = 'auth'\n".to_owned(),
                "version",
            ),
            (
                format!("{section}[[service]]\nname = 'a'\nversion = 1\n"),
                "two sections",
            ),
            (
                format!(
                    "{section}[[service.fact]]\nkind = 'table'\nfact = 'owner'\nobjects = []\n"
                ),
                "neither",
            ),
            (
                format!("{section}[[service.object]]\nkind = 'table'\nname = 'public.t'\n"),
                "requires either",
            ),
        ] {
            let path = folder.path().join("drift.toml");
            std::fs::write(&path, text).unwrap();
            let error = AcceptedDrift::read(&path).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
