//! Finds the database of a service.
//!
//! Implements the precedence of the sources. `address` interprets an address.
//!
//! By descending precedence: the command line; `DATABASE_URL` for the one selected service; `<SERVICE>_DATABASE_URL`;
//! `ORCHESTRATOR_SERVER_URL`; `DB_HOST` and its companions; `PG*`; the environment's file; the default file. In a file,
//! the section of the service overrides `[server]`. If `DATABASE_URL` is for another service (gates), its server has a
//! lower precedence than any source that names this service.

use super::layer::FileLayer;
use super::{ConfigError, Configuration, Location, Origin, Selection};
use pg_address::DatabaseAddress;
use pg_address::Parameters;

/// The libpq variables that specify the server or the user.
const LIBPQ_PLACES: [&str; 5] = ["PGHOST", "PGHOSTADDR", "PGPORT", "PGUSER", "PGSERVICE"];

/// The variables of the previous tool: variable, key, default.
const LEGACY: [(&str, &str, &str); 4] = [
    ("DB_HOST", "host", "localhost"),
    ("DB_PORT", "port", "5432"),
    ("DB_USERNAME", "user", "postgres"),
    ("DB_PASSWORD", "password", ""),
];

/// The variable with the address of one service, such as `POLICY_DATABASE_URL`.
fn service_variable(service: &str) -> String {
    format!(
        "{}_DATABASE_URL",
        service.to_ascii_uppercase().replace('-', "_")
    )
}

/// Whether an address determines the database.
#[derive(Clone, Copy)]
enum Names {
    /// The address is for this service: its database overrides the default.
    Database,
    /// The address is for all services: each service uses its own database.
    ServerOnly,
}

impl Configuration {
    /// Locates the database of `service`; `default_database` is its name in the service's definition.
    ///
    /// # Errors
    /// [`ConfigError::DatabaseUrlForMany`], [`ConfigError::NotConfigured`] in production, and invalid addresses.
    pub fn locate(
        &self,
        service: &str,
        default_database: &str,
        selection: Selection<'_>,
    ) -> Result<Location, ConfigError> {
        let overrides = &self.overrides;
        let flag = overrides
            .database_url
            .as_deref()
            .map(|url| (url, Origin::Flag("--database-url".to_owned())));
        let plain = self
            .variable("DATABASE_URL")
            .map(|url| (url, Origin::variable("DATABASE_URL")));
        let is_own = match (selection, flag.as_ref().or(plain.as_ref())) {
            (Selection::Many, Some((_, origin))) => {
                return Err(ConfigError::DatabaseUrlForMany {
                    origin: origin.clone(),
                });
            }
            (Selection::One(selected), _) => selected == service,
            (Selection::Many, None) => false,
        };
        let database = self.database_name(service, default_database);
        let read =
            |(url, origin): (&str, Origin), names| self.configured(url, origin, names, database);

        if let Some(found) = flag.clone().filter(|_| is_own) {
            return read(found, Names::Database);
        }
        if let Some(url) = overrides.server_url.as_deref() {
            return read(
                (url, Origin::Flag("--server-url".to_owned())),
                Names::ServerOnly,
            );
        }
        if let Some(found) = plain.clone().filter(|_| is_own) {
            return read(found, Names::Database);
        }
        let name = service_variable(service);
        if let Some(url) = self.variable(&name) {
            return read((url, Origin::variable(name)), Names::Database);
        }
        if let Some(url) = self.variable("ORCHESTRATOR_SERVER_URL") {
            return read(
                (url, Origin::variable("ORCHESTRATOR_SERVER_URL")),
                Names::ServerOnly,
            );
        }
        if let Some((url, origin)) = flag.or(plain) {
            for (index, file) in self.files.iter().enumerate() {
                if let Some(location) = self.section_address(service, index, file, database)? {
                    return Ok(location);
                }
            }
            return read(
                (url, Origin::SameServer(Box::new(origin))),
                Names::ServerOnly,
            );
        }
        if let Some(location) = self.legacy_address(database)? {
            return Ok(location);
        }
        let set: Vec<String> = LIBPQ_PLACES
            .iter()
            .filter(|name| self.variable(name).is_some())
            .map(ToString::to_string)
            .collect();
        if !set.is_empty() {
            return self.resolve(
                Parameters::default(),
                Origin::Variables(set),
                Names::ServerOnly,
                database,
            );
        }
        for (index, file) in self.files.iter().enumerate() {
            if let Some(location) = self.section_address(service, index, file, database)? {
                return Ok(location);
            }
            if let Some(url) = file.settings.server.url.as_deref() {
                return read((url, file.origin("server.url")), Names::ServerOnly);
            }
        }
        if self.is_production() {
            return Err(ConfigError::NotConfigured {
                service: service.to_owned(),
                variable: name,
                environment: self.environment().unwrap_or("production").to_owned(),
            });
        }
        if !self.project.is_project {
            return Err(ConfigError::OutsideProject {
                service: service.to_owned(),
                variable: name,
                folder: self.project.folder.clone(),
            });
        }
        Ok(Location::Local {
            database: database.to_owned(),
        })
    }

    /// The name of the service's database, unless an address for this service alone overrides it.
    #[must_use]
    pub fn database_name<'a>(&'a self, service: &str, default: &'a str) -> &'a str {
        self.service_setting(service, |section| section.database.as_deref())
            .unwrap_or(default)
    }

    /// The `url` of the service's section in the file at `index`.
    fn section_address(
        &self,
        service: &str,
        index: usize,
        file: &FileLayer,
        database: &str,
    ) -> Result<Option<Location>, ConfigError> {
        let Some(section) = file.service(service) else {
            return Ok(None);
        };
        let Some(url) = section.url.as_deref() else {
            return Ok(None);
        };
        let origin = file.origin(format!("services.{service}.url"));
        let location = self.configured(url, origin.clone(), Names::Database, database)?;
        if let Some(beside) = section.database.as_deref()
            && beside != location.database()
        {
            return Err(ConfigError::TwoDatabases {
                file: file.file.clone(),
                service: service.to_owned(),
                url: location.database().to_owned(),
                database: beside.to_owned(),
            });
        }
        let stronger = self.files[..index]
            .iter()
            .filter_map(|layer| layer.service(service)?.database.as_deref())
            .next();
        match (location, stronger) {
            (Location::Configured { address, origin }, Some(database)) => {
                Ok(Some(Location::Configured {
                    address: address.with_database(database),
                    origin,
                }))
            }
            (location, _) => Ok(Some(location)),
        }
    }

    fn legacy_address(&self, database: &str) -> Result<Option<Location>, ConfigError> {
        let places = &LEGACY[..3];
        let set: Vec<String> = places
            .iter()
            .filter(|(name, ..)| self.variable(name).is_some())
            .map(|(name, ..)| (*name).to_owned())
            .collect();
        if set.is_empty() {
            return Ok(None);
        }
        let origin = Origin::Variables(set);
        let mut parameters = Parameters::default();
        for (name, key, default) in LEGACY {
            parameters
                .set(key, self.variable(name).unwrap_or(default))
                .map_err(|source| ConfigError::Address {
                    origin: origin.clone(),
                    source,
                })?;
        }
        self.resolve(parameters, origin, Names::ServerOnly, database)
            .map(Some)
    }

    /// The server of `--scratch-server`; its database is ignored.
    ///
    /// # Errors
    /// [`ConfigError::Address`] if it is not a valid address.
    pub fn scratch_server(&self, url: &str) -> Result<DatabaseAddress, ConfigError> {
        self.address_of_flag("--scratch-server", url, "postgres")
    }

    /// The address in a flag; `database` applies if it names none.
    ///
    /// # Errors
    /// [`ConfigError::Address`] if it is not a valid address.
    pub fn address_of_flag(
        &self,
        flag: &str,
        url: &str,
        database: &str,
    ) -> Result<DatabaseAddress, ConfigError> {
        let origin = Origin::Flag(flag.to_owned());
        let parameters = Parameters::parse(url).map_err(|source| ConfigError::Address {
            origin: origin.clone(),
            source,
        })?;
        let address = DatabaseAddress::resolve(parameters, Some(database), &self.variables)
            .map_err(|source| ConfigError::Address {
                origin: origin.clone(),
                source,
            })?;
        self.guarded(address, &origin)
    }

    /// The address with the TLS mode that production requires.
    fn guarded(
        &self,
        address: DatabaseAddress,
        origin: &Origin,
    ) -> Result<DatabaseAddress, ConfigError> {
        if !self.requires_tls(&address) {
            return Ok(address);
        }
        let server = address.to_string();
        address
            .with_required_tls()
            .ok_or_else(|| ConfigError::PlaintextInProduction {
                origin: origin.clone(),
                server,
            })
    }

    fn configured(
        &self,
        url: &str,
        origin: Origin,
        names: Names,
        database: &str,
    ) -> Result<Location, ConfigError> {
        match Parameters::parse(url) {
            Ok(parameters) => self.resolve(parameters, origin, names, database),
            Err(source) => Err(ConfigError::Address { origin, source }),
        }
    }

    fn resolve(
        &self,
        parameters: Parameters,
        origin: Origin,
        names: Names,
        database: &str,
    ) -> Result<Location, ConfigError> {
        let address = DatabaseAddress::resolve(parameters, Some(database), &self.variables)
            .map_err(|source| ConfigError::Address {
                origin: origin.clone(),
                source,
            })?;
        let address = self.guarded(address, &origin)?;
        let address = match names {
            Names::Database => address,
            Names::ServerOnly => address.with_database(database),
        };
        Ok(Location::Configured { address, origin })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;
    use crate::{Overrides, ProjectRoot};

    /// A configuration without files on disk: `files` are given as text, by descending precedence.
    fn configuration(
        overrides: &Overrides,
        pairs: &[(&str, &str)],
        files: &[&str],
    ) -> Configuration {
        let mut variables: BTreeMap<String, String> = BTreeMap::new();
        variables.extend(
            pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
        );
        let mut configuration =
            Configuration::load(overrides, &variables, &project("/nowhere", true)).expect("loads");
        configuration.files = files
            .iter()
            .enumerate()
            .map(|(index, text)| {
                FileLayer::parse(Path::new(&format!("{index}.toml")), text).expect("valid")
            })
            .collect();
        configuration
    }

    fn project(folder: &str, is_project: bool) -> ProjectRoot {
        ProjectRoot {
            folder: folder.into(),
            is_project,
        }
    }

    /// "address from origin" of the service `policy`, whose database is `soc_policies`.
    #[track_caller]
    fn located(selection: Selection<'_>, pairs: &[(&str, &str)], files: &[&str]) -> String {
        show(configuration(&Overrides::default(), pairs, files).locate(
            "policy",
            "soc_policies",
            selection,
        ))
    }

    #[track_caller]
    fn show(outcome: Result<Location, ConfigError>) -> String {
        match outcome {
            Ok(Location::Configured { address, origin }) => format!("{address} from {origin}"),
            Ok(Location::Local { database }) => format!("local {database}"),
            Err(error) => panic!("{error:?}"),
        }
    }

    const OWN: Selection<'_> = Selection::One("policy");
    const GATE: Selection<'_> = Selection::One("control");

    #[test]
    fn each_source_overrides_the_weaker_ones() {
        let files = [
            "[server]\nurl='postgres://u@file0'",
            "[services.policy]\nurl='postgres://u@file1/x'",
        ];
        let mut pairs = Vec::new();
        assert_eq!(
            located(OWN, &pairs, &files[1..]),
            "u@file1:5432/x from `services.policy.url` in 0.toml"
        );
        assert_eq!(
            located(OWN, &pairs, &files),
            "u@file0:5432/soc_policies from `server.url` in 0.toml"
        );
        pairs.extend([("PGHOST", "pg"), ("PGUSER", "u")]);
        assert_eq!(
            located(OWN, &pairs, &files),
            "u@pg:5432/soc_policies from PGHOST, PGUSER"
        );
        pairs.push(("DB_HOST", "legacy"));
        assert_eq!(
            located(OWN, &pairs, &files),
            "postgres@legacy:5432/soc_policies from DB_HOST"
        );
        pairs.push(("ORCHESTRATOR_SERVER_URL", "postgres://u@server/ignored"));
        assert_eq!(
            located(OWN, &pairs, &files),
            "u@server:5432/soc_policies from ORCHESTRATOR_SERVER_URL"
        );
        pairs.push(("POLICY_DATABASE_URL", "postgres://u@own/y"));
        assert_eq!(
            located(OWN, &pairs, &files),
            "u@own:5432/y from POLICY_DATABASE_URL"
        );
        pairs.push(("DATABASE_URL", "postgres://u@one/z"));
        assert_eq!(
            located(OWN, &pairs, &files),
            "u@one:5432/z from DATABASE_URL"
        );
        let mut overrides = Overrides {
            server_url: Some("postgres://u@flag/no".to_owned()),
            ..Overrides::default()
        };
        let by_flag =
            configuration(&overrides, &pairs, &files).locate("policy", "soc_policies", OWN);
        assert_eq!(show(by_flag), "u@flag:5432/soc_policies from --server-url");
        overrides.database_url = Some("postgres://u@flag/yes".to_owned());
        let by_flag =
            configuration(&overrides, &pairs, &files).locate("policy", "soc_policies", OWN);
        assert_eq!(show(by_flag), "u@flag:5432/yes from --database-url");
    }

    #[test]
    fn database_url_is_refused_for_several_services() {
        let pairs = [
            ("DATABASE_URL", "postgres://h/d"),
            ("POLICY_DATABASE_URL", "postgres://h/e"),
        ];
        let outcome = configuration(&Overrides::default(), &pairs, &[]).locate(
            "policy",
            "soc_policies",
            Selection::Many,
        );
        assert!(matches!(
            outcome,
            Err(ConfigError::DatabaseUrlForMany { .. })
        ));
        let outcome = configuration(&Overrides::default(), &[("DATABASE_URL", "")], &[]);
        assert!(
            outcome
                .locate("policy", "soc_policies", Selection::Many)
                .is_ok(),
            "empty counts as unset"
        );
    }

    #[test]
    fn gates_use_the_same_server_unless_configured_otherwise() {
        let mut pairs = vec![
            ("DATABASE_URL", "postgres://u:p@one:7/soc_controls"),
            ("PGHOST", "pg"),
        ];
        let same = "u@one:7/soc_policies from DATABASE_URL (same server)";
        assert_eq!(
            located(GATE, &pairs, &["[server]\nurl='postgres://u@file'"]),
            same
        );
        let section = ["[services.policy]\nurl='postgres://u@file/x'"];
        assert_eq!(
            located(GATE, &pairs, &section),
            "u@file:5432/x from `services.policy.url` in 0.toml"
        );
        pairs.push(("POLICY_DATABASE_URL", "postgres://u@own"));
        assert_eq!(
            located(GATE, &pairs, &section),
            "u@own:5432/soc_policies from POLICY_DATABASE_URL"
        );
    }

    #[test]
    fn a_url_without_a_database_uses_the_services_database() {
        assert_eq!(
            located(
                OWN,
                &[("DATABASE_URL", "postgres://u@h")],
                &["[services.policy]\ndatabase='other'"]
            ),
            "u@h:5432/other from DATABASE_URL"
        );
    }

    #[test]
    fn a_hyphen_becomes_an_underscore() {
        let configuration = configuration(
            &Overrides::default(),
            &[("MY_SVC_DATABASE_URL", "postgres://u@h")],
            &[],
        );
        assert_eq!(
            show(configuration.locate("my-svc", "d", Selection::Many)),
            "u@h:5432/d from MY_SVC_DATABASE_URL"
        );
    }

    #[test]
    fn legacy_variables_have_their_defaults() {
        assert_eq!(
            located(Selection::Many, &[("DB_PORT", "5433")], &[]),
            "postgres@localhost:5433/soc_policies from DB_PORT"
        );
        let pairs = [("DB_USERNAME", "app"), ("DB_PASSWORD", "secret")];
        let configuration = configuration(&Overrides::default(), &pairs, &[]);
        let location = configuration
            .locate("policy", "soc_policies", OWN)
            .expect("located");
        let address = location.address().expect("configured");
        assert_eq!(
            address
                .password(&address.endpoints()[0])
                .map(|password| password.expose()),
            Some("secret")
        );
        assert_eq!(
            located(OWN, &[("DB_PASSWORD", "alone")], &[]),
            "local soc_policies"
        );
    }

    #[test]
    fn libpq_variables_complete_a_url() {
        let pairs = [
            ("POLICY_DATABASE_URL", "postgres://h/d"),
            ("PGUSER", "u"),
            ("PGPASSWORD", "p"),
            ("PGPORT", "7"),
        ];
        let location = configuration(&Overrides::default(), &pairs, &[])
            .locate("policy", "x", OWN)
            .expect("located");
        let address = location.address().expect("configured");
        assert_eq!(address.to_string(), "u@h:7/d");
        assert!(address.password(&address.endpoints()[0]).is_some());
        assert_eq!(
            located(OWN, &[("PGPASSWORD", "p"), ("PGSSLMODE", "require")], &[]),
            "local soc_policies"
        );
    }

    #[test]
    fn a_database_in_a_stronger_file_overrides_a_weaker_url() {
        let files = [
            "[services.policy]\ndatabase='strong'",
            "[services.policy]\nurl='postgres://u@h/weak'",
        ];
        assert_eq!(
            located(OWN, &[], &files),
            "u@h:5432/strong from `services.policy.url` in 1.toml"
        );
    }

    #[test]
    fn two_databases_in_one_section_are_an_error() {
        let files = ["[services.policy]\nurl='postgres://u@h/a'\ndatabase='b'"];
        let outcome =
            configuration(&Overrides::default(), &[], &files).locate("policy", "soc_policies", OWN);
        assert!(
            matches!(outcome, Err(ConfigError::TwoDatabases { url, database, .. }) if url == "a" && database == "b")
        );
    }

    #[test]
    fn with_nothing_configured_it_is_local_but_never_in_production() {
        assert_eq!(
            located(Selection::Many, &[], &["[engine]\nlock_retries=1"]),
            "local soc_policies"
        );
        let production = configuration(&Overrides::default(), &[("NODE_ENV", "production")], &[]);
        let error = production
            .locate("policy", "soc_policies", Selection::Many)
            .expect_err("refused")
            .to_string();
        assert!(
            error.contains("POLICY_DATABASE_URL") && error.contains("ORCHESTRATOR_SERVER_URL"),
            "{error}"
        );
    }

    #[test]
    fn in_production_a_remote_server_requires_tls() {
        use pg_address::SslMode;
        let mode = |environment: &str, address: &str, files: &[&str]| {
            let pairs = [
                ("APP_ENV", environment),
                ("ORCHESTRATOR_SERVER_URL", address),
            ];
            let configuration = configuration(&Overrides::default(), &pairs, files);
            let located = configuration.locate("policy", "soc_policies", Selection::Many);
            match located {
                Ok(location) => location.address().map(|address| address.tls().mode),
                Err(ConfigError::PlaintextInProduction { .. }) => None,
                Err(other) => panic!("{other:?}"),
            }
        };
        let off = ["[production]\nrequire_tls = false"];
        for (environment, address, files, expected) in [
            (
                "production",
                "host=db user=u",
                &[][..],
                Some(SslMode::Require),
            ),
            (
                "production",
                "host=db user=u sslmode=allow",
                &[],
                Some(SslMode::Require),
            ),
            (
                "production",
                "host=db user=u sslmode=verify-full",
                &[],
                Some(SslMode::VerifyFull),
            ),
            ("production", "host=db user=u sslmode=disable", &[], None),
            (
                "production",
                "host=db user=u sslmode=disable",
                &off,
                Some(SslMode::Disable),
            ),
            ("production", "host=db user=u", &off, Some(SslMode::Prefer)),
            (
                "production",
                "host=localhost user=u",
                &[],
                Some(SslMode::Prefer),
            ),
            (
                "production",
                "host=/tmp user=u sslmode=disable",
                &[],
                Some(SslMode::Disable),
            ),
            (
                "test",
                "host=db user=u sslmode=disable",
                &[],
                Some(SslMode::Disable),
            ),
        ] {
            assert_eq!(
                mode(environment, address, files),
                expected,
                "{environment} {address}"
            );
        }
    }

    #[test]
    fn outside_a_project_there_is_no_default_server() {
        let load = |pairs: &[(&str, &str)]| {
            let mut outside = configuration(&Overrides::default(), pairs, &[]);
            outside.project = project("/home/me", false);
            outside.locate("policy", "soc_policies", Selection::Many)
        };
        let error = load(&[]).expect_err("refused").to_string();
        assert!(
            error.contains("/home/me") && error.contains("ORCHESTRATOR_SERVER_URL"),
            "{error}"
        );
        assert!(load(&[("PGHOST", "h")]).is_ok());
    }

    #[test]
    fn an_invalid_address_names_its_origin_and_hides_its_password() {
        let pairs = [("POLICY_DATABASE_URL", "postgres://u:secret@h:70000/d")];
        let error = configuration(&Overrides::default(), &pairs, &[])
            .locate("policy", "d", OWN)
            .expect_err("wrong");
        let source = std::error::Error::source(&error)
            .expect("has one")
            .to_string();
        assert_eq!(
            error.to_string(),
            "invalid database address from POLICY_DATABASE_URL"
        );
        assert_eq!(source, "`port` must be a number from 1 to 65535");
    }
}
