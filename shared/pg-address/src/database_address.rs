//! A database address, ready to connect to.
//!
//! One value with everything that a connection needs, which prints without its password. `parameters` and `url` parse
//! text, and `postgres::connect` connects.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::ambient::LibpqEnvironment;
use super::endpoint::{self, Endpoint, Transport};
use super::network::NetworkSettings;
use super::parameters::Parameters;
use super::password::{Password, PasswordFile};
use super::tls_settings::TlsSettings;
use super::{AddressError, RootCertificates};

/// The address of a database.
///
/// `Display` prints `postgres@localhost:5432/soc_auth`; neither it nor `Debug` prints a password.
#[derive(Debug, Clone)]
pub struct DatabaseAddress {
    database: String,
    /// Shared, because a run holds many addresses of the same server.
    server: Arc<Server>,
}

/// The parts of an address other than the database.
#[derive(Clone, Debug)]
struct Server {
    endpoints: Vec<Endpoint>,
    user: String,
    password: Option<Password>,
    password_file: Option<PasswordFile>,
    tls: TlsSettings,
    network: NetworkSettings,
    warnings: Vec<String>,
}

impl DatabaseAddress {
    /// Parses a URL or a `key=value` string; `variables` complete it, as in libpq.
    ///
    /// Without a database in the text, the database is named after the user, as in libpq.
    ///
    /// # Errors
    /// [`AddressError`] if the text, the variables or the files that they name are invalid.
    pub fn parse(text: &str, variables: &BTreeMap<String, String>) -> Result<Self, AddressError> {
        Self::resolve(Parameters::parse(text)?, None, variables)
    }

    /// An address of a server that trusts local users, such as a scratch server: no password, no TLS.
    ///
    /// `host` is a name, an IP address or the absolute path of a socket folder.
    #[must_use]
    pub fn local(host: &str, port: u16, user: &str, database: &str) -> Self {
        Self {
            database: database.to_owned(),
            server: Arc::new(Server {
                endpoints: vec![Endpoint::new(host, port)],
                user: user.to_owned(),
                password: None,
                password_file: None,
                tls: TlsSettings::disabled(),
                network: NetworkSettings::default(),
                warnings: Vec::new(),
            }),
        }
    }

    /// Validates the values; `default_database` applies if the address names no database.
    pub fn resolve(
        mut parameters: Parameters,
        default_database: Option<&str>,
        variables: &BTreeMap<String, String>,
    ) -> Result<Self, AddressError> {
        let environment = LibpqEnvironment(variables);
        environment.fill(&mut parameters)?;
        let mut warnings = Vec::new();
        let user = match parameters.value("user") {
            Some(user) => user.to_owned(),
            None => whoami::username().map_err(|_| AddressError::NoUser)?,
        };
        let password = parameters.value("password").map(Password::new);
        let mut password_file = None;
        if password.is_none() {
            let path = match parameters.value("passfile") {
                Some(path) => Some(PathBuf::from(path)),
                None => environment.home_file(".pgpass"),
            };
            if let Some(path) = &path {
                password_file = PasswordFile::read(path, &mut warnings)?;
            }
        }
        let database = parameters
            .value("dbname")
            .or(default_database)
            .unwrap_or(&user)
            .to_owned();
        let server = Server {
            endpoints: endpoint::endpoints(&parameters)?,
            tls: TlsSettings::read(&parameters, environment, &mut warnings)?,
            network: NetworkSettings::read(&parameters)?,
            user,
            password,
            password_file,
            warnings,
        };
        Ok(Self {
            database,
            server: Arc::new(server),
        })
    }

    /// The same server, user and settings with another database.
    #[must_use]
    pub fn with_database(&self, database: impl Into<String>) -> Self {
        Self {
            database: database.into(),
            server: Arc::clone(&self.server),
        }
    }

    /// The same address with TLS required, unless the address sets the mode. `None` if it disables TLS.
    #[must_use]
    pub fn with_required_tls(mut self) -> Option<Self> {
        Arc::make_mut(&mut self.server)
            .tls
            .require()
            .then_some(self)
    }

    /// The name of the database.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The user to log in as.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.server.user
    }

    /// The endpoints of the server; never empty.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.server.endpoints
    }

    /// The TLS settings.
    #[must_use]
    pub fn tls(&self) -> &TlsSettings {
        &self.server.tls
    }

    /// Timeouts, keepalives and session options.
    #[must_use]
    pub fn network(&self) -> &NetworkSettings {
        &self.server.network
    }

    /// Warnings about the address, such as an ignored password file; one line each.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.server.warnings
    }

    /// The password for an endpoint: the given one, or else the one from the password file.
    #[must_use]
    pub fn password(&self, endpoint: &Endpoint) -> Option<&Password> {
        if self.server.password.is_some() {
            return self.server.password.as_ref();
        }
        // libpq uses "localhost" for its default socket folder here.
        let host = match endpoint.transport() {
            Transport::Socket(folder)
                if ["/var/run/postgresql", "/tmp"]
                    .iter()
                    .any(|default| folder.as_os_str() == *default) =>
            {
                "localhost".to_owned()
            }
            _ => endpoint.host(),
        };
        self.server.password_file.as_ref()?.password(
            &host,
            endpoint.port(),
            &self.database,
            &self.server.user,
        )
    }

    /// Whether the server is on this machine: every endpoint is a socket, a loopback address or `localhost`.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.server.endpoints.iter().all(Endpoint::is_local)
    }

    /// A key that is equal for all addresses of one server, to limit the connections to it.
    #[must_use]
    pub fn server_key(&self) -> String {
        let keys: Vec<String> = self.server.endpoints.iter().map(Endpoint::key).collect();
        keys.join(",")
    }

    /// A key that is equal for all addresses of one database, to keep two services from sharing it.
    #[must_use]
    pub fn database_key(&self) -> String {
        format!("{}/{}", self.server_key(), self.database)
    }

    /// The connection string to use with [`Self::libpq_environment`]: the database, and parameters without a variable.
    #[must_use]
    pub fn libpq_connection_string(&self) -> String {
        let database = self.database.replace('\\', "\\\\").replace('\'', "\\'");
        format!(
            "dbname='{database}' {}",
            self.server.network.libpq_parameters()
        )
    }

    /// The variables that make psql and pg_dump connect to this address, including the password; `connect_timeout` applies if
    /// the address sets none.
    ///
    /// Remove [`LIBPQ_VARIABLES`](super::LIBPQ_VARIABLES) from the child's environment first.
    #[must_use]
    pub fn libpq_environment(&self, connect_timeout: Duration) -> Vec<(String, String)> {
        let list = |of: &dyn Fn(&Endpoint) -> String| -> String {
            let items: Vec<String> = self.server.endpoints.iter().map(of).collect();
            items.join(",")
        };
        let mut variables = Vec::new();
        let mut set = |name: &str, value: String| {
            if !value.is_empty() {
                variables.push((name.to_owned(), value));
            }
        };
        let path = |path: &Path| path.display().to_string();
        // Do not pass an address as the host name: the certificate would be compared with it.
        if self.server.endpoints.iter().any(Endpoint::has_host) {
            set("PGHOST", list(&|endpoint| endpoint.given_host().to_owned()));
        }
        if self
            .server
            .endpoints
            .iter()
            .any(|endpoint| endpoint.given_address().is_some())
        {
            set(
                "PGHOSTADDR",
                list(&|endpoint| {
                    endpoint
                        .given_address()
                        .map(|a| a.to_string())
                        .unwrap_or_default()
                }),
            );
        }
        set("PGPORT", list(&|endpoint| endpoint.port().to_string()));
        set("PGUSER", self.server.user.clone());
        set("PGDATABASE", self.database.clone());
        let mut passwords: Vec<_> = self
            .server
            .endpoints
            .iter()
            .map(|endpoint| self.password(endpoint))
            .collect();
        passwords.dedup();
        match (passwords.as_slice(), &self.server.password_file) {
            ([Some(password)], _) => set("PGPASSWORD", password.expose().to_owned()),
            (_, Some(file)) => set("PGPASSFILE", path(file.path())),
            (_, None) => {}
        }
        set("PGSSLMODE", self.server.tls.mode.as_str().to_owned());
        if self.server.tls.direct {
            set("PGSSLNEGOTIATION", "direct".to_owned());
        }
        match &self.server.tls.roots {
            Some(RootCertificates::System) => set("PGSSLROOTCERT", "system".to_owned()),
            Some(RootCertificates::File(file)) => set("PGSSLROOTCERT", path(file)),
            None => {}
        }
        set(
            "PGSSLCRL",
            self.server
                .tls
                .revocations
                .as_deref()
                .map(path)
                .unwrap_or_default(),
        );
        match &self.server.tls.client {
            Some((certificate, key)) => {
                set("PGSSLCERT", path(certificate));
                set("PGSSLKEY", path(key));
            }
            // Otherwise libpq uses the default files. Before version 16 it does not know the mode, and a missing file counts as none.
            None => {
                set("PGSSLCERTMODE", "disable".to_owned());
                set("PGSSLCERT", NO_FILE.to_owned());
            }
        }
        // GSSAPI is not supported.
        set("PGGSSENCMODE", "disable".to_owned());
        set(
            "PGSSLMINPROTOCOLVERSION",
            self.server.tls.oldest.as_str().to_owned(),
        );
        set(
            "PGSSLMAXPROTOCOLVERSION",
            self.server.tls.newest.as_str().to_owned(),
        );
        if !self.server.tls.server_name_indication {
            set("PGSSLSNI", "0".to_owned());
        }
        set(
            "PGCHANNELBINDING",
            self.server.tls.channel_binding.as_str().to_owned(),
        );
        set(
            "PGTARGETSESSIONATTRS",
            self.server.network.session_target.as_str().to_owned(),
        );
        if self.server.network.shuffle_hosts {
            set("PGLOADBALANCEHOSTS", "random".to_owned());
        }
        let limit = self.server.network.connect_timeout;
        let limit = limit.unwrap_or(connect_timeout);
        // libpq takes whole seconds, and zero disables the timeout.
        set(
            "PGCONNECT_TIMEOUT",
            limit.as_millis().div_ceil(1000).to_string(),
        );
        set(
            "PGOPTIONS",
            self.server.network.options.clone().unwrap_or_default(),
        );
        set(
            "PGAPPNAME",
            self.server
                .network
                .application_name
                .clone()
                .unwrap_or_default(),
        );
        variables
    }
}

/// A file that never exists.
const NO_FILE: &str = "/nonexistent/postgresql.crt";

impl fmt::Display for DatabaseAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@", self.server.user)?;
        for (index, endpoint) in self.server.endpoints.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{endpoint}")?;
        }
        write!(f, "/{}", self.database)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> DatabaseAddress {
        DatabaseAddress::parse(text, &BTreeMap::new()).expect("valid")
    }

    #[test]
    fn no_output_contains_the_password() {
        let address = parse("postgres://postgres:secret@localhost/soc_auth");
        assert_eq!(address.to_string(), "postgres@localhost:5432/soc_auth");
        assert!(!format!("{address:?}").contains("secret"));
        assert_eq!(
            address
                .password(&address.endpoints()[0])
                .map(Password::expose),
            Some("secret")
        );
    }

    #[test]
    fn sockets_and_multiple_hosts_are_printed() {
        assert_eq!(
            parse("postgres:///d?host=/tmp&user=u").to_string(),
            "u@/tmp:5432/d"
        );
        assert_eq!(
            parse("postgres://u@a,[::1]:7/d").to_string(),
            "u@a:5432,[::1]:7/d"
        );
        assert_eq!(
            parse("hostaddr=10.0.0.1 user=u dbname=d").to_string(),
            "u@10.0.0.1:5432/d"
        );
    }

    #[test]
    fn only_the_database_changes() {
        let address = parse("postgres://u:p@h:7/a?sslmode=require").with_database("b");
        assert_eq!(address.to_string(), "u@h:7/b");
        assert_eq!(address.tls().mode, crate::SslMode::Require);
        assert_eq!(
            address.server_key(),
            parse("postgres://x@H:7/c").server_key()
        );
        assert_eq!(address.database_key(), "h:7/b");
    }

    #[test]
    fn the_default_user_is_that_of_the_operating_system() {
        let address = parse("host=h");
        assert_eq!(address.user(), whoami::username().expect("has a name"));
        assert_eq!(address.database(), address.user());
    }

    #[test]
    fn an_address_is_local_only_if_every_host_is() {
        assert!(parse("postgres://localhost,127.0.0.1/d").is_local());
        assert!(!parse("postgres://localhost,db.example.com/d").is_local());
    }

    #[test]
    fn client_programs_get_no_host_name_if_only_an_address_is_given() {
        let variables =
            parse("hostaddr=::1 user=u dbname=d").libpq_environment(Duration::from_secs(10));
        let names: Vec<&str> = variables.iter().map(|(name, _)| name.as_str()).collect();
        assert!(names.contains(&"PGHOSTADDR"), "{names:?}");
        assert!(!names.contains(&"PGHOST"), "{names:?}");
    }

    #[test]
    fn client_programs_get_the_same_keepalives() {
        let string = |text: &str| parse(text).libpq_connection_string();
        assert_eq!(
            string("host=h user=u dbname='a=\\'b\\\\'"),
            "dbname='a=\\'b\\\\' keepalives_idle=60 keepalives_interval=10 keepalives_count=6 tcp_user_timeout=120000"
        );
        assert_eq!(
            string("postgres://u@h/d?keepalives_idle=5&keepalives_count=2&tcp_user_timeout=0"),
            "dbname='d' keepalives_idle=5 keepalives_interval=10 keepalives_count=2"
        );
        assert_eq!(
            string("postgres://u@h/d?keepalives=0"),
            "dbname='d' keepalives=0"
        );
    }

    #[test]
    fn client_programs_get_the_same_address() {
        let variables = parse(
            "postgres://u:p@h,h2:7/d?sslmode=verify-ca&sslrootcert=/ca.pem&connect_timeout=5",
        )
        .libpq_environment(Duration::from_secs(10));
        for (name, value) in [
            ("PGHOST", "h,h2"),
            ("PGPORT", "5432,7"),
            ("PGUSER", "u"),
            ("PGDATABASE", "d"),
            ("PGPASSWORD", "p"),
            ("PGSSLMODE", "verify-ca"),
            ("PGSSLROOTCERT", "/ca.pem"),
            ("PGCONNECT_TIMEOUT", "5"),
            ("PGSSLCERTMODE", "disable"),
            ("PGGSSENCMODE", "disable"),
        ] {
            assert!(
                variables.contains(&(name.to_owned(), value.to_owned())),
                "{name} in {variables:?}"
            );
        }
        for (name, _) in &variables {
            assert!(
                name == "PGDATABASE" || crate::LIBPQ_VARIABLES.contains(&name.as_str()),
                "{name}"
            );
        }
    }
}
