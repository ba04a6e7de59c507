//! Determines the environment and checks that it exists.
//!
//! Reads the name from the flag or the variables and refuses an undefined one: a misspelled `production` must never
//! pass for development.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{ConfigError, Origin, Overrides};

/// The environment with no implicit defaults, in which every change must be confirmed.
pub(super) const PRODUCTION: &str = "production";
/// Environments that do not need a file.
const WITHOUT_FILE: [&str; 2] = ["development", "test"];
/// The file for all environments: not a valid environment name.
const DEFAULT: &str = "default";

/// The name of the environment, if specified. It must have a file unless it does not need one.
///
/// # Errors
/// [`ConfigError::InvalidValue`] for an invalid name, [`ConfigError::UnknownEnvironment`] for an undefined one.
pub(super) fn environment(
    overrides: &Overrides,
    variables: &BTreeMap<String, String>,
    project_root: &Path,
) -> Result<Option<String>, ConfigError> {
    let Some((name, origin)) = given(overrides, variables) else {
        return Ok(None);
    };
    // The name becomes part of a path.
    let plain = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if name.is_empty() || name.starts_with('.') || !plain || name == DEFAULT {
        return Err(ConfigError::InvalidValue {
            origin,
            value: name.to_owned(),
            expected: "an environment name, such as production, without spaces",
        });
    }
    if WITHOUT_FILE.contains(&name) {
        return Ok(Some(name.to_owned()));
    }
    let folder = project_root.join("config");
    let defined = defined(&folder)?;
    let has_file = match &overrides.config_file {
        // This file replaces those of the project, so it must belong to this environment.
        Some(file) => {
            name == PRODUCTION || stem(file).as_deref() == Some(name) || is_among(&defined, name)
        }
        None => match &defined {
            // Without a configuration folder, no file is expected, and `production` is always valid.
            None => name == PRODUCTION,
            Some(_) => is_among(&defined, name),
        },
    };
    // On a case-insensitive file system, `Production` would use the file of `production` but none of its rules.
    let is_misspelled = |name: &str| name != PRODUCTION && name.eq_ignore_ascii_case(PRODUCTION);
    if has_file && !is_misspelled(name) {
        return Ok(Some(name.to_owned()));
    }
    let mut known: Vec<String> = defined.unwrap_or_default();
    known.extend(WITHOUT_FILE.map(str::to_owned));
    known.push(PRODUCTION.to_owned());
    known.retain(|known| known != name && !is_misspelled(known));
    known.sort();
    known.dedup();
    let problem = if has_file {
        "which differs from `production` only in case".to_owned()
    } else {
        let file = folder.join(format!("{name}.toml"));
        format!("which has no configuration file ({})", file.display())
    };
    let meant = suggestion(name, &known)
        .map(|known| format!("; did you mean `{known}`?"))
        .unwrap_or_default();
    Err(ConfigError::UnknownEnvironment {
        origin,
        name: name.to_owned(),
        problem: problem + &meant,
        known: known.join(", "),
    })
}

/// The flag, or else the first non-empty variable, verbatim.
fn given<'a>(
    overrides: &'a Overrides,
    variables: &'a BTreeMap<String, String>,
) -> Option<(&'a str, Origin)> {
    if let Some(name) = overrides.environment.as_deref() {
        return Some((name, Origin::Flag("--environment".to_owned())));
    }
    ["APP_ENV", "NODE_ENV"].into_iter().find_map(|variable| {
        let name = variables.get(variable).filter(|name| !name.is_empty())?;
        Some((name.as_str(), Origin::variable(variable)))
    })
}

/// The environments with a file in the configuration folder; `None` if the folder does not exist. Lists the folder, because
/// opening a path ignores case on some systems.
fn defined(folder: &Path) -> Result<Option<Vec<String>>, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable {
        file: folder.to_owned(),
        source,
    };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error, folder) => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let file = PathBuf::from(entry.map_err(unreadable)?.file_name());
        names.extend(stem(&file).filter(|name| name != DEFAULT && !name.starts_with('.')));
    }
    Ok(Some(names))
}

/// A dangling link does not count as absent.
fn is_absent(error: &io::Error, path: &Path) -> bool {
    error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err()
}

/// The environment that a file configures: `staging` for `staging.toml`.
fn stem(file: &Path) -> Option<String> {
    file.file_name()?
        .to_str()?
        .strip_suffix(".toml")
        .map(str::to_owned)
}

fn is_among(names: &Option<Vec<String>>, name: &str) -> bool {
    names
        .iter()
        .flatten()
        .any(|defined| defined.as_str() == name)
}

/// The known name that was probably meant: a different case, a prefix, or a typo.
fn suggestion<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let lower = name.to_ascii_lowercase();
    let is_meant = |candidate: &&String| {
        lower == candidate.to_ascii_lowercase()
            || (lower.len() >= 3 && candidate.starts_with(&lower))
            || (lower.len() > 3 && strsim::damerau_levenshtein(&lower, candidate) <= 2)
    };
    if matches!(lower.as_str(), "live" | "prd" | "prod") {
        return Some(PRODUCTION);
    }
    if name == PRODUCTION {
        return None;
    }
    known.iter().find(is_meant).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A project folder with these files in `config/`.
    fn project(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("config")).expect("a folder");
        for file in files {
            fs::write(folder.path().join("config").join(file), "").expect("a file");
        }
        folder
    }

    fn read(
        root: &Path,
        flag: Option<&str>,
        pairs: &[(&str, &str)],
        config_file: Option<&str>,
    ) -> Result<Option<String>, ConfigError> {
        let overrides = Overrides {
            environment: flag.map(str::to_owned),
            config_file: config_file.map(PathBuf::from),
            ..Overrides::default()
        };
        let variables = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        environment(&overrides, &variables, root)
    }

    #[test]
    fn a_name_must_have_a_file_unless_it_does_not_need_one() {
        let project = project(&["default.toml", "production.toml", "staging.toml", "QA.toml"]);
        let bare = tempfile::tempdir().expect("a folder");
        for (root, name, expected) in [
            (&project, "production", true),
            (&project, "staging", true),
            (&project, "QA", true),
            (&project, "development", true),
            (&project, "test", true),
            (&project, "prod", false),
            (&project, "live", false),
            (&project, "nope", false),
            (&project, "qa", false),
            (&project, "Staging", false),
            (&project, "Test", false),
            (&bare, "production", true),
            (&bare, "test", true),
            (&bare, "Production", false),
            (&bare, "staging", false),
        ] {
            let by_flag = read(root.path(), Some(name), &[], None);
            let by_variable = read(root.path(), None, &[("NODE_ENV", name)], None);
            for found in [by_flag, by_variable] {
                match found {
                    Ok(found) => assert_eq!(found.as_deref(), expected.then_some(name), "{name}"),
                    Err(ConfigError::UnknownEnvironment { .. }) => assert!(!expected, "{name}"),
                    Err(other) => panic!("{name}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn production_in_another_case_is_refused_even_with_a_file() {
        let project = project(&["Production.toml", "PROD.toml"]);
        for name in ["Production", "PRODUCTION"] {
            let error = read(project.path(), Some(name), &[], None).expect_err("refused");
            assert!(
                error.to_string().contains("did you mean `production`"),
                "{error}"
            );
        }
    }

    #[test]
    fn invalid_names_are_refused_and_empty_variables_are_unset() {
        let project = project(&["default.toml", "production.toml"]);
        for name in [
            "",
            " ",
            "production ",
            "../x",
            "a/b",
            ".hidden",
            "default",
            "a\nb",
        ] {
            let found = read(project.path(), Some(name), &[], None);
            assert!(
                matches!(found, Err(ConfigError::InvalidValue { .. })),
                "{name:?}: {found:?}"
            );
        }
        for (pairs, expected) in [
            (&[("APP_ENV", "")][..], Some(None)),
            (
                &[("APP_ENV", ""), ("NODE_ENV", "production")],
                Some(Some("production")),
            ),
            (
                &[("APP_ENV", "test"), ("NODE_ENV", "nope")],
                Some(Some("test")),
            ),
            (&[("APP_ENV", " ")], None),
            (&[("APP_ENV", "production\n")], None),
        ] {
            let found = read(project.path(), None, pairs, None).ok();
            assert_eq!(found.as_ref().map(Option::as_deref), expected, "{pairs:?}");
        }
    }

    #[test]
    fn a_given_file_belongs_to_the_environment_in_its_name() {
        let bare = tempfile::tempdir().expect("a folder");
        let read = |name, file| read(bare.path(), Some(name), &[], Some(file));
        assert!(read("staging", "/etc/soc/staging.toml").is_ok());
        assert!(read("production", "/etc/soc/soc.toml").is_ok());
        assert!(read("staging", "/etc/soc/soc.toml").is_err());
    }

    #[test]
    fn similar_names_are_suggested() {
        let known = ["development", "production", "staging", "test"].map(str::to_owned);
        for (name, meant) in [
            ("prod", Some("production")),
            ("live", Some("production")),
            ("prodution", Some("production")),
            ("dev", Some("development")),
            ("STAGING", Some("staging")),
            ("nope", None),
        ] {
            assert_eq!(suggestion(name, &known), meant, "{name}");
        }
    }
}
