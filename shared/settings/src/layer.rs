//! One source of settings: a file, the environment or the command line.
//!
//! Parses a configuration file strictly, and holds the engine's settings as text. `configuration` decides precedence,
//! and `engine` lists the settings and interprets their values.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ::config::{Config, File, FileFormat, Value, ValueKind};
use serde::Deserialize;
use service_layout::files;

use super::{ConfigError, EngineSettings, Origin, Setting};

/// The sections of a file with their keys; `services` contains a section with these keys for each service.
fn sections() -> [(&'static str, Vec<&'static str>); 6] {
    [
        ("server", vec!["url", "max_connections"]),
        (
            "engine",
            EngineSettings::ALL.iter().map(|it| it.key).collect(),
        ),
        ("backup", vec!["folder"]),
        ("check", vec!["postgres", "rules"]),
        ("production", vec!["require_tls"]),
        (
            "services",
            vec!["url", "database", "history_table", "legacy_table"],
        ),
    ]
}

/// The engine's settings of one source, as text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct EngineLayer(BTreeMap<String, String>);

impl EngineLayer {
    pub(super) fn from_variables(variables: &BTreeMap<String, String>) -> Self {
        let mut layer = Self::default();
        for Setting { key, .. } in EngineSettings::ALL {
            let value = variables.get(&engine_variable(key));
            layer.set(key, value.filter(|value| !value.is_empty()).cloned());
        }
        layer
    }

    /// Sets the value of a key, if there is one.
    pub fn set(&mut self, key: &str, value: Option<String>) {
        self.0.extend(value.map(|value| (key.to_owned(), value)));
    }

    /// The value of a key.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// The settings as flags with their values.
    pub fn flags(&self) -> impl Iterator<Item = (String, &str)> {
        let all = EngineSettings::ALL.iter();
        all.filter_map(|it| Some((flag_of(it.key), self.value(it.key)?)))
    }
}

/// The command-line flag of a setting.
pub(super) fn flag_of(key: &str) -> String {
    format!("--{}", key.replace('_', "-"))
}

/// The environment variable of an engine or server setting.
pub(super) fn engine_variable(key: &str) -> String {
    format!("ORCHESTRATOR_{}", key.to_ascii_uppercase())
}

/// One configuration file.
#[derive(Debug, Clone, Default)]
pub(super) struct FileLayer {
    pub(super) file: PathBuf,
    pub(super) settings: FileSettings,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct FileSettings {
    pub(super) server: ServerSection,
    pub(super) engine: EngineLayer,
    pub(super) backup: BackupSection,
    pub(super) check: CheckSection,
    pub(super) production: ProductionSection,
    pub(super) services: BTreeMap<String, ServiceSection>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct BackupSection {
    pub(super) folder: Option<PathBuf>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CheckSection {
    pub(super) postgres: Option<String>,
    pub(super) rules: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ProductionSection {
    pub(super) require_tls: Option<bool>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct ServerSection {
    pub(super) url: Option<String>,
    pub(super) max_connections: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct ServiceSection {
    pub(super) url: Option<String>,
    pub(super) database: Option<String>,
    pub(super) history_table: Option<String>,
    pub(super) legacy_table: Option<String>,
}

// A URL may contain a password, which `Debug` must not print.
impl std::fmt::Debug for ServerSection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerSection")
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ServiceSection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceSection")
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

impl FileLayer {
    /// Reads a file; `Ok(None)` if it does not exist.
    pub(super) fn read(file: &Path) -> Result<Option<Self>, ConfigError> {
        match files::read_optional_text(file) {
            Ok(Some(text)) => Self::parse(file, &text).map(Some),
            Ok(None) => Ok(None),
            Err(error) => Err(ConfigError::unreadable(error)),
        }
    }

    pub(super) fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        let invalid = |error: ::config::ConfigError| ConfigError::Invalid {
            file: file.to_owned(),
            problem: wrong_type(error),
        };
        if let Err(error) = toml::from_str::<toml::Table>(text) {
            return Err(ConfigError::Invalid {
                file: file.to_owned(),
                problem: syntax(text, &error),
            });
        }
        let config = Config::builder()
            .add_source(File::from_str(text, FileFormat::Toml))
            .build()
            .map_err(invalid)?;
        check_keys(file, &config.clone().try_deserialize().map_err(invalid)?)?;
        Ok(Self {
            file: file.to_owned(),
            settings: config.try_deserialize().map_err(invalid)?,
        })
    }

    pub(super) fn origin(&self, key: impl Into<String>) -> Origin {
        Origin::File {
            file: self.file.clone(),
            key: key.into(),
        }
    }

    pub(super) fn service(&self, service: &str) -> Option<&ServiceSection> {
        self.settings.services.get(service)
    }
}

/// The position of a syntax error and the reason, without the file's text, which may contain a password.
fn syntax(text: &str, error: &toml::de::Error) -> String {
    let before = text
        .get(..error.span().map_or(0, |span| span.start))
        .unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    let written = text.lines().nth(line - 1).unwrap_or_default();
    let repeats = written
        .split(|c: char| !c.is_alphanumeric())
        .any(|word| word.len() > 3 && error.message().contains(word));
    let why = if repeats {
        "invalid TOML"
    } else {
        error.message()
    };
    format!("line {line}, column {column}: {}", why.replace('\n', ", "))
}

/// Which value has the wrong type, without the value, which may be a password.
fn wrong_type(error: ::config::ConfigError) -> String {
    match error {
        ::config::ConfigError::At {
            error,
            key: Some(key),
            ..
        } => format!("`{key}`: {}", wrong_type(*error)),
        ::config::ConfigError::At { error, .. } => wrong_type(*error),
        ::config::ConfigError::Type {
            expected,
            key: Some(key),
            ..
        } => format!("`{key}` is not {expected}"),
        ::config::ConfigError::Type { expected, .. } => {
            format!("a value is not {expected}")
        }
        _ => "a value has the wrong type".to_owned(),
    }
}

/// serde could reject unknown keys too, but would report only the last part of the key.
fn check_keys(file: &Path, top: &BTreeMap<String, Value>) -> Result<(), ConfigError> {
    let unknown = |key: String, known: &[&str]| {
        Err(ConfigError::UnknownKey {
            file: file.to_owned(),
            key,
            known: known.join(", "),
        })
    };
    let sections = sections();
    for (section, value) in top {
        let Some((_, keys)) = sections.iter().find(|(name, _)| name == section) else {
            return unknown(section.clone(), &sections.map(|(name, _)| name));
        };
        let ValueKind::Table(table) = &value.kind else {
            continue;
        };
        for (key, value) in table {
            let path = format!("{section}.{key}");
            match &value.kind {
                ValueKind::Table(inner) if section == "services" => {
                    if let Some(key) = inner.keys().find(|key| !keys.contains(&key.as_str())) {
                        return unknown(format!("{path}.{key}"), keys);
                    }
                }
                _ if section == "services" => {
                    return unknown(
                        path,
                        &["one section per service, such as [services.policy]"],
                    );
                }
                _ if !keys.contains(&key.as_str()) => return unknown(path, keys),
                _ => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<FileLayer, ConfigError> {
        FileLayer::parse(Path::new("config/default.toml"), text)
    }

    #[test]
    fn every_known_key_is_read() {
        let layer = parse(
            r#"
            [server]
            url = "postgres://h"
            max_connections = 4
            [engine]
            lock_timeout = "2s"
            statement_timeout = 0
            [services.My-Service]
            database = "d"
            "#,
        )
        .expect("valid");
        assert_eq!(layer.settings.server.max_connections.as_deref(), Some("4"));
        assert_eq!(layer.settings.engine.value("lock_timeout"), Some("2s"));
        assert_eq!(layer.settings.engine.value("statement_timeout"), Some("0"));
        assert_eq!(
            layer
                .service("My-Service")
                .and_then(|service| service.database.as_deref()),
            Some("d")
        );
    }

    #[test]
    fn an_unknown_key_is_named_with_its_section() {
        for (text, expected) in [
            ("[sever]\nurl='x'", "sever"),
            ("[server]\nulr='x'", "server.ulr"),
            ("[engine]\nlock_timeuot='2s'", "engine.lock_timeuot"),
            ("[services.policy]\nurls='x'", "services.policy.urls"),
            ("[services]\npolicy='x'", "services.policy"),
            ("[check]\nrule='x'", "check.rule"),
        ] {
            match parse(text) {
                Err(ConfigError::UnknownKey { key, .. }) => assert_eq!(key, expected),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn broken_toml_and_wrong_types_name_the_file() {
        for text in [
            "[server",
            "server = 1",
            "[server]\nurl = ['x']",
            "[check]\nrules = 'off'",
            "[check.rules]\ndrop-column = { a = 1 }",
        ] {
            let error = parse(text).expect_err("invalid");
            assert!(
                matches!(error, ConfigError::Invalid { .. }),
                "{text}: {error:?}"
            );
            assert!(error.to_string().contains("config/default.toml"));
        }
    }

    #[test]
    fn no_error_repeats_a_password() {
        for text in [
            "[server]\nurl = \"postgres://u:S3CRET@h",
            "[server]\nurl = postgres://u:S3CRET@h",
            "[server]\nurl = 'a' S3CRET",
            "[server]\nurl = 'S3CRET'\nurl = 'S3CRET'",
            "[server]\nurl = ['S3CRET']",
            "[server]\nurl = { S3CRET = 1 }",
            "server = 'postgres://u:S3CRET@h'",
            "[server]\nurl = \"\\S3CRET\"",
            "[server]\nS3CRET",
            "[services.a]\nurl = 1979-S3CRET",
        ] {
            let error = parse(text).expect_err("invalid");
            let shown = domain::with_causes(&error);
            assert!(!format!("{shown}{error:?}").contains("S3CRET"), "{shown}");
            assert!(shown.contains("line ") || shown.contains('`'), "{shown}");
        }
    }

    #[test]
    fn debug_shows_no_url() {
        let layer = parse(
            "[server]\nurl='postgres://u:secret@h'\n[services.a]\nurl='postgres://u:secret@h'",
        );
        assert!(!format!("{:?}", layer.expect("valid")).contains("secret"));
    }
}
