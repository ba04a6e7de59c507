//! Which environment this is, and whether it exists.
//!
//! Responsible for: reading the name from the flag or the variables, and refusing one that nothing defines: a
//! misspelled `production` must never pass for development. Not for: what the files hold (`layer`). Floor 1.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{ConfigError, Origin, Overrides};

/// The environment in which nothing is assumed and every change is confirmed.
pub(super) const PRODUCTION: &str = "production";
/// Environments that need no file.
const WITHOUT_FILE: [&str; 2] = ["development", "test"];
/// The file that holds for every environment: its name cannot be one.
const DEFAULT: &str = "default";

/// The name of the environment, if one is given; it has a file, or needs none.
///
/// # Errors
/// [`ConfigError::InvalidValue`] for what cannot be a name, [`ConfigError::UnknownEnvironment`] for a name that
/// nothing defines.
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
            expected: "the exact name of an environment, such as production, without spaces",
        });
    }
    if WITHOUT_FILE.contains(&name) {
        return Ok(Some(name.to_owned()));
    }
    let folder = project_root.join("config");
    let defined = defined(&folder)?;
    let has_file = match &overrides.config_file {
        // That file replaces those of the project, so it must be about this environment.
        Some(file) => {
            name == PRODUCTION || stem(file).as_deref() == Some(name) || is_among(&defined, name)
        }
        None => match &defined {
            // Without a folder of configuration there is no file to expect, and production is production.
            None => name == PRODUCTION,
            Some(_) => is_among(&defined, name),
        },
    };
    // On a case-insensitive file system `Production` would have the file of `production`, and none of its rules.
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
        "which differs from `production` in case only".to_owned()
    } else {
        let file = folder.join(format!("{name}.toml"));
        format!(
            "an environment without a configuration file ({})",
            file.display()
        )
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

/// The flag, else the first variable that is not empty, as it is written.
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

/// The environments that have a file in the folder of configuration; none where there is no such folder. Names are
/// those in the folder, because opening a path would ignore case on some systems.
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

/// A dangling link is no absence.
fn is_absent(error: &io::Error, path: &Path) -> bool {
    error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err()
}

/// The environment that a file is about: `staging` for `staging.toml`.
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

/// The known name that was probably meant: the same in another case, its beginning, or a slip of the fingers.
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

    /// A folder with these files below `config/`.
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
    fn a_name_has_a_file_or_is_one_of_those_that_need_none() {
        let project = project(&["default.toml", "production.toml", "staging.toml", "QA.toml"]);
        let bare = tempfile::tempdir().expect("a folder");
        for (root, name, wanted) in [
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
                    Ok(found) => assert_eq!(found.as_deref(), wanted.then_some(name), "{name}"),
                    Err(ConfigError::UnknownEnvironment { .. }) => assert!(!wanted, "{name}"),
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
    fn what_cannot_be_a_name_is_refused_and_an_empty_variable_is_unset() {
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
        for (pairs, wanted) in [
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
            assert_eq!(found.as_ref().map(Option::as_deref), wanted, "{pairs:?}");
        }
    }

    #[test]
    fn a_given_file_is_for_the_environment_that_it_is_named_after() {
        let bare = tempfile::tempdir().expect("a folder");
        let read = |name, file| read(bare.path(), Some(name), &[], Some(file));
        assert!(read("staging", "/etc/soc/staging.toml").is_ok());
        assert!(read("production", "/etc/soc/soc.toml").is_ok());
        assert!(read("staging", "/etc/soc/soc.toml").is_err());
    }

    #[test]
    fn what_was_meant_is_suggested() {
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
