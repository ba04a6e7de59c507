//! The configuration of one run.
//!
//! Collects the sources and provides the simple settings. `locate` finds the databases.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use service_layout::files;

use super::engine::Source;
use super::environment::{PRODUCTION, environment};
use super::layer::{FileLayer, ServiceSection, engine_variable, flag_of};
use super::{ConfigError, EngineLayer, EngineSettings, Origin, ProjectRoot};
use pg_address::DatabaseAddress;

/// The default number of connections to one server.
const MAX_CONNECTIONS: NonZeroUsize = NonZeroUsize::new(16).expect("not zero");

/// The oldest supported PostgreSQL version.
const OLDEST_POSTGRES: u16 = 14;

/// The settings from the command line, which take precedence over all others.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Overrides {
    /// `--config`: read this file instead of the two in `config/`.
    pub config_file: Option<PathBuf>,
    /// `--environment`.
    pub environment: Option<String>,
    /// `--database-url`: the database of the one selected service.
    pub database_url: Option<String>,
    /// `--server-url`: the server of all services.
    pub server_url: Option<String>,
    /// `--max-connections`.
    pub max_connections: Option<String>,
    /// `--lock-timeout` and so on.
    pub engine: EngineLayer,
}

/// The configuration of one run, from all sources.
#[derive(Clone)]
pub struct Configuration {
    environment: Option<String>,
    pub(super) project: ProjectRoot,
    engine: EngineSettings,
    max_connections: NonZeroUsize,
    pub(super) overrides: Overrides,
    pub(super) variables: BTreeMap<String, String>,
    /// The configuration files that exist, by descending precedence.
    pub(super) files: Vec<FileLayer>,
}

impl Configuration {
    /// Collects the sources: `overrides`, then `variables`, then the files of the project.
    ///
    /// # Errors
    /// [`ConfigError`] names the file and key, the variable or the flag that is wrong.
    pub fn load(
        overrides: &Overrides,
        variables: &BTreeMap<String, String>,
        project: &ProjectRoot,
    ) -> Result<Self, ConfigError> {
        let environment = environment(overrides, variables, &project.folder)?;
        let files = files(overrides, environment.as_deref(), &project.folder)?;
        let from_variables = EngineLayer::from_variables(variables);
        let from_files: Vec<_> = files
            .iter()
            .map(|layer| {
                (&layer.settings.engine, move |key: &str| {
                    layer.origin(format!("engine.{key}"))
                })
            })
            .collect();
        let mut sources: Vec<Source<'_>> = vec![
            (&overrides.engine, &|key| flag(key)),
            (&from_variables, &|key| {
                Origin::variable(engine_variable(key))
            }),
        ];
        sources.extend(
            from_files
                .iter()
                .map(|(layer, origin)| (*layer, origin as &dyn Fn(&str) -> Origin)),
        );
        let engine = EngineSettings::resolve(&sources)?;
        let max_connections = max_connections(overrides, variables, &files)?;
        Ok(Self {
            environment,
            project: project.clone(),
            engine,
            max_connections,
            overrides: overrides.clone(),
            variables: variables.clone(),
            files,
        })
    }

    /// The name of the environment, if specified.
    #[must_use]
    pub fn environment(&self) -> Option<&str> {
        self.environment.as_deref()
    }

    /// Whether the environment is `production`, in exactly this spelling.
    #[must_use]
    pub fn is_production(&self) -> bool {
        self.environment() == Some(PRODUCTION)
    }

    /// Whether there is a project, in which a local server may be started.
    #[must_use]
    pub fn is_in_project(&self) -> bool {
        self.project.is_project
    }

    /// The engine's settings.
    #[must_use]
    pub fn engine(&self) -> &EngineSettings {
        &self.engine
    }

    /// The maximum number of open connections to one server.
    #[must_use]
    pub fn max_connections(&self) -> NonZeroUsize {
        self.max_connections
    }

    /// The backup folder, if a variable or a file sets it; a relative path starts at the project root.
    #[must_use]
    pub fn backup_folder(&self) -> Option<&Path> {
        self.variable("ORCHESTRATOR_BACKUP_FOLDER")
            .map(Path::new)
            .or_else(|| {
                self.files
                    .iter()
                    .find_map(|layer| layer.settings.backup.folder.as_deref())
            })
    }

    /// The oldest PostgreSQL version that migrations must support, if a file sets it.
    ///
    /// # Errors
    /// If the value is not a supported major version.
    pub fn check_postgres(&self) -> Result<Option<u16>, ConfigError> {
        let given = self.files.iter().find_map(|layer| {
            let value = layer.settings.check.postgres.as_deref()?;
            Some((value, layer.origin("check.postgres")))
        });
        given
            .map(|(value, origin)| {
                let major = value.trim().parse().ok();
                major
                    .filter(|major| *major >= OLDEST_POSTGRES)
                    .ok_or_else(|| ConfigError::InvalidValue {
                        origin,
                        value: value.to_owned(),
                        expected: "a major version of PostgreSQL from 14",
                    })
            })
            .transpose()
    }

    /// The severities of `check` rules by rule name, as set in files; the file with the higher precedence wins.
    #[must_use]
    pub fn check_rules(&self) -> BTreeMap<&str, (&str, Origin)> {
        let mut rules = BTreeMap::new();
        for layer in &self.files {
            for (rule, gravity) in &layer.settings.check.rules {
                rules.entry(rule.as_str()).or_insert_with(|| {
                    (
                        gravity.as_str(),
                        layer.origin(format!("check.rules.{rule}")),
                    )
                });
            }
        }
        rules
    }

    /// The history table of a service, if a file overrides it.
    #[must_use]
    pub fn history_table(&self, service: &str) -> Option<&str> {
        self.service_setting(service, |section| section.history_table.as_deref())
    }

    /// The table with the history of the service's previous tool, if a file sets it.
    #[must_use]
    pub fn legacy_table(&self, service: &str) -> Option<&str> {
        self.service_setting(service, |section| section.legacy_table.as_deref())
    }

    /// The services that the files configure, each with its file, to detect unknown names.
    pub fn mentioned_services(&self) -> impl Iterator<Item = (&str, &Path)> {
        let mut seen = BTreeSet::new();
        self.files
            .iter()
            .flat_map(|layer| {
                layer
                    .settings
                    .services
                    .keys()
                    .map(|name| (name.as_str(), layer.file.as_path()))
            })
            .filter(move |(name, _)| seen.insert(*name))
    }

    /// Whether a missing database may be created: outside production, and on a local server or if requested.
    #[must_use]
    pub fn creation_allowed(&self, address: &DatabaseAddress, create_databases: bool) -> bool {
        !self.is_production() && (address.is_local() || create_databases)
    }

    /// Whether the connection requires TLS: in production, for a server on another machine, unless a file disables it.
    pub(super) fn requires_tls(&self, address: &DatabaseAddress) -> bool {
        let required = self
            .files
            .iter()
            .find_map(|layer| layer.settings.production.require_tls);
        self.is_production() && !address.is_local() && required.unwrap_or(true)
    }

    pub(super) fn service_setting<'a>(
        &'a self,
        service: &str,
        setting: impl Fn(&'a ServiceSection) -> Option<&'a str>,
    ) -> Option<&'a str> {
        self.files
            .iter()
            .filter_map(|layer| layer.service(service))
            .find_map(setting)
    }

    /// An environment variable; an empty one counts as unset.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        variable(&self.variables, name)
    }
}

fn variable<'a>(variables: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    variables
        .get(name)
        .map(String::as_str)
        .filter(|value| !value.trim().is_empty())
}

fn flag(key: &str) -> Origin {
    Origin::Flag(flag_of(key))
}

fn files(
    overrides: &Overrides,
    environment: Option<&str>,
    project_root: &Path,
) -> Result<Vec<FileLayer>, ConfigError> {
    if let Some(file) = &overrides.config_file {
        return match FileLayer::read(file)? {
            Some(layer) => Ok(vec![layer]),
            None => Err(ConfigError::Missing { file: file.clone() }),
        };
    }
    let mut names: Vec<&str> = environment.into_iter().chain(["default"]).collect();
    names.dedup();
    let mut layers = Vec::new();
    for name in names {
        let file = project_root.join("config").join(format!("{name}.toml"));
        // Check before reading: an error would quote the file that a link points to.
        if files::is_file(&file).map_err(ConfigError::unreadable)? {
            files::check_within(&file, project_root).map_err(ConfigError::unreadable)?;
            layers.extend(FileLayer::read(&file)?);
        }
    }
    Ok(layers)
}

fn max_connections(
    overrides: &Overrides,
    variables: &BTreeMap<String, String>,
    files: &[FileLayer],
) -> Result<NonZeroUsize, ConfigError> {
    let name = engine_variable("max_connections");
    let given = overrides
        .max_connections
        .as_deref()
        .map(|value| (value, flag("max_connections")))
        .or_else(|| variable(variables, &name).map(|value| (value, Origin::variable(name))))
        .or_else(|| {
            files.iter().find_map(|layer| {
                let value = layer.settings.server.max_connections.as_deref()?;
                Some((value, layer.origin("server.max_connections")))
            })
        });
    match given {
        Some((value, origin)) => value.trim().parse().map_err(|_| ConfigError::InvalidValue {
            origin,
            value: value.to_owned(),
            expected: "a whole number from 1",
        }),
        None => Ok(MAX_CONNECTIONS),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    /// A project folder with configuration files, removed on drop.
    struct Project(PathBuf);

    impl Project {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let root =
                std::env::temp_dir().join(format!("configuration-{name}-{}", std::process::id()));
            fs::create_dir_all(root.join("config")).expect("creates folders");
            for (file, text) in files {
                fs::write(root.join("config").join(file), text).expect("writes");
            }
            Self(root)
        }

        fn load(
            &self,
            overrides: &Overrides,
            pairs: &[(&str, &str)],
        ) -> Result<Configuration, ConfigError> {
            let variables = pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect();
            Configuration::load(overrides, &variables, &ProjectRoot::find(&self.0))
        }
    }

    impl Drop for Project {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn defaults_apply_without_any_source() {
        let project = Project::new("defaults", &[]);
        let configuration = project.load(&Overrides::default(), &[]).expect("loads");
        assert_eq!(configuration.engine(), &EngineSettings::default());
        assert_eq!(configuration.max_connections().get(), 16);
        assert_eq!(configuration.environment(), None);
        assert!(!configuration.is_production());
    }

    #[test]
    fn the_repositorys_file_contains_the_defaults_and_no_server() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        assert!(root.join("config/default.toml").is_file());
        let configuration = Configuration::load(
            &Overrides::default(),
            &BTreeMap::new(),
            &ProjectRoot::find(&root),
        )
        .expect("loads");
        assert_eq!(configuration.engine(), &EngineSettings::default());
        assert_eq!(configuration.max_connections(), MAX_CONNECTIONS);
        assert_eq!(configuration.mentioned_services().count(), 0);
        let location = configuration
            .locate("policy", "soc_policies", crate::Selection::Many)
            .expect("a location");
        assert!(location.address().is_none());
    }

    #[test]
    fn sources_take_precedence_in_order() {
        let project = Project::new(
            "order",
            &[
                (
                    "default.toml",
                    "[engine]\nlock_timeout='1s'\nlock_retries=1\nconnect_timeout='1s'\nstatement_timeout='1s'\n[server]\nmax_connections=1",
                ),
                (
                    "staging.toml",
                    "[engine]\nlock_timeout='2s'\nlock_retries=2\nconnect_timeout='2s'\n[server]\nmax_connections=2",
                ),
            ],
        );
        let mut overrides = Overrides {
            environment: Some("staging".to_owned()),
            ..Overrides::default()
        };
        overrides.engine.set("lock_timeout", Some("4s".to_owned()));
        let variables = [
            ("ORCHESTRATOR_LOCK_TIMEOUT", "3s"),
            ("ORCHESTRATOR_LOCK_RETRIES", "3"),
            ("ORCHESTRATOR_MAX_CONNECTIONS", "3"),
            ("APP_ENV", "production"),
        ];
        let configuration = project.load(&overrides, &variables).expect("loads");
        let engine = configuration.engine();
        assert_eq!(engine.lock_timeout, Duration::from_secs(4), "command line");
        assert_eq!(
            (engine.lock_retries, configuration.max_connections().get()),
            (3, 3),
            "environment"
        );
        assert_eq!(
            engine.connect_timeout,
            Duration::from_secs(2),
            "environment file"
        );
        assert_eq!(
            engine.statement_timeout,
            Duration::from_secs(1),
            "default file"
        );
    }

    #[test]
    fn app_env_overrides_node_env() {
        let project = Project::new("environment", &[("production.toml", "")]);
        let load =
            |pairs: &[(&str, &str)]| project.load(&Overrides::default(), pairs).expect("loads");
        let both = load(&[("NODE_ENV", "production"), ("APP_ENV", "test")]);
        assert_eq!(
            (both.environment(), both.is_production()),
            (Some("test"), false)
        );
        assert!(load(&[("NODE_ENV", "production"), ("APP_ENV", "")]).is_production());
        assert!(!load(&[("NODE_ENV", "development")]).is_production());
    }

    #[test]
    fn a_given_file_replaces_both_and_must_exist() {
        let project = Project::new(
            "given",
            &[
                (
                    "default.toml",
                    "[engine]\nlock_timeout='1s'\nlock_retries=1",
                ),
                ("own.toml", "[engine]\nlock_retries=7"),
            ],
        );
        let given = |name: &str| Overrides {
            config_file: Some(project.0.join("config").join(name)),
            ..Overrides::default()
        };
        let configuration = project.load(&given("own.toml"), &[]).expect("loads");
        assert_eq!(
            configuration.engine(),
            &EngineSettings {
                lock_retries: 7,
                ..EngineSettings::default()
            }
        );
        assert!(matches!(
            project.load(&given("none.toml"), &[]).err(),
            Some(ConfigError::Missing { .. })
        ));
    }

    #[test]
    fn errors_name_their_origin() {
        let project = Project::new(
            "mistakes",
            &[("default.toml", "[server]\nmax_connections=0")],
        );
        let error = project
            .load(&Overrides::default(), &[])
            .err()
            .expect("wrong")
            .to_string();
        assert!(
            error.contains("`server.max_connections` in ")
                && error.contains("default.toml is \"0\""),
            "{error}"
        );
        let variables = [
            ("ORCHESTRATOR_MAX_CONNECTIONS", "1"),
            ("ORCHESTRATOR_LOCK_TIMEOUT", "2"),
        ];
        let error = project
            .load(&Overrides::default(), &variables)
            .err()
            .expect("wrong")
            .to_string();
        assert!(
            error.starts_with("ORCHESTRATOR_LOCK_TIMEOUT is \"2\""),
            "{error}"
        );
    }

    #[test]
    fn service_settings_come_from_the_file_with_the_highest_precedence() {
        let project = Project::new(
            "services",
            &[
                (
                    "default.toml",
                    "[services.policy]\nhistory_table='a'\nlegacy_table='old'\n[services.auth]\ndatabase='x'",
                ),
                ("test.toml", "[services.policy]\nhistory_table='b'"),
            ],
        );
        let configuration = project
            .load(&Overrides::default(), &[("APP_ENV", "test")])
            .expect("loads");
        assert_eq!(configuration.history_table("policy"), Some("b"));
        assert_eq!(configuration.legacy_table("policy"), Some("old"));
        assert_eq!(configuration.history_table("auth"), None);
        let names: Vec<&str> = configuration
            .mentioned_services()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["policy", "auth"]);
    }

    #[test]
    fn databases_are_created_locally_or_on_request_but_never_in_production() {
        let project = Project::new("creation", &[("staging.toml", ""), ("production.toml", "")]);
        let address = |host: &str| DatabaseAddress::local(host, 5432, "u", "d");
        let elsewhere = project
            .load(&Overrides::default(), &[("APP_ENV", "staging")])
            .expect("loads");
        assert!(elsewhere.creation_allowed(&address("localhost"), false));
        assert!(!elsewhere.creation_allowed(&address("db.example.com"), false));
        assert!(elsewhere.creation_allowed(&address("db.example.com"), true));
        let production = project
            .load(&Overrides::default(), &[("APP_ENV", "production")])
            .expect("loads");
        assert!(!production.creation_allowed(&address("localhost"), true));
    }
}
