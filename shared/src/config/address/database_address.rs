//! The address of one database, ready to connect to.
//!
//! Responsible for: one value with all that a connection needs, and showing it without its password. Not for: reading
//! text (`parameters`, `url`), connecting (`postgres::connect`). Floor 1.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::ambient::Surroundings;
use super::endpoint::{self, Endpoint, Transport};
use super::network::NetworkSettings;
use super::parameters::Parameters;
use super::password::{Password, PasswordFile};
use super::tls_settings::TlsSettings;
use super::{AddressError, RootCertificates};

/// The address of one database.
///
/// `Display` gives `postgres@localhost:5432/soc_auth`; neither it nor `Debug` ever shows a password.
#[derive(Debug, Clone)]
pub struct DatabaseAddress {
    database: String,
    /// Shared, because a run holds many addresses of one server.
    server: Arc<Server>,
}

/// All of an address but the database.
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
    /// Reads a URL or a `key=value` string; `variables` fill what it leaves open, as libpq does.
    ///
    /// Without a database in the text, the database is called like the user, as in libpq.
    ///
    /// # Errors
    /// [`AddressError`] says what is wrong with the text, the variables or the files that they name.
    pub fn parse(text: &str, variables: &BTreeMap<String, String>) -> Result<Self, AddressError> {
        Self::resolve(Parameters::parse(text)?, None, variables)
    }

    /// An address of a server that trusts its local users, such as a throw-away one: no password, no TLS.
    ///
    /// `host` is a name, an IP address or the absolute folder of a socket.
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

    /// Looks at the values; `default_database` is the database of an address that names none.
    pub(crate) fn resolve(
        mut parameters: Parameters,
        default_database: Option<&str>,
        variables: &BTreeMap<String, String>,
    ) -> Result<Self, AddressError> {
        let surroundings = Surroundings(variables);
        surroundings.fill(&mut parameters)?;
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
                None => surroundings.home_file(".pgpass"),
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
            tls: TlsSettings::read(&parameters, surroundings, &mut warnings)?,
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

    /// The same with TLS demanded, where the address leaves that open. None where it forbids TLS.
    #[must_use]
    pub(crate) fn with_required_tls(mut self) -> Option<Self> {
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

    /// Where the server may listen; never empty.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.server.endpoints
    }

    /// What the address says about TLS.
    #[must_use]
    pub fn tls(&self) -> &TlsSettings {
        &self.server.tls
    }

    /// Timeouts, keepalives and session options.
    #[must_use]
    pub fn network(&self) -> &NetworkSettings {
        &self.server.network
    }

    /// What a person should know about the address, such as a password file that is ignored; one line each.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.server.warnings
    }

    /// The password for one endpoint: the given one, else the one of the password file.
    #[must_use]
    pub fn password(&self, endpoint: &Endpoint) -> Option<&Password> {
        if self.server.password.is_some() {
            return self.server.password.as_ref();
        }
        // libpq calls its own default socket folder "localhost" here.
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

    /// The same text for every address of the same server, to bound the connections to it.
    #[must_use]
    pub fn server_key(&self) -> String {
        let keys: Vec<String> = self.server.endpoints.iter().map(Endpoint::key).collect();
        keys.join(",")
    }

    /// The same text for every address of the same database, to keep two services on it apart.
    #[must_use]
    pub fn database_key(&self) -> String {
        format!("{}/{}", self.server_key(), self.database)
    }

    /// The connection string that goes with [`Self::libpq_environment`]: the database, and what there are no variables for.
    #[must_use]
    pub fn libpq_connection_string(&self) -> String {
        let database = self.database.replace('\\', "\\\\").replace('\'', "\\'");
        format!(
            "dbname='{database}' {}",
            self.server.network.libpq_parameters()
        )
    }

    /// The variables that make psql and pg_dump connect to this address, password included; `connect_timeout` is for an address
    /// without one.
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
        // Not the address in the place of a name: a certificate would be compared with it.
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
            // Else libpq takes the default files; before version 16 it does not know the mode, and an absent file is none.
            None => {
                set("PGSSLCERTMODE", "disable".to_owned());
                set("PGSSLCERT", NO_FILE.to_owned());
            }
        }
        // We speak no GSSAPI.
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
        // In whole seconds, and zero is without limit.
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

/// A file that is never there.
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
    fn no_output_shows_the_password() {
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
    fn sockets_and_several_hosts_are_shown_too() {
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
        assert_eq!(address.tls().mode, super::super::SslMode::Require);
        assert_eq!(
            address.server_key(),
            parse("postgres://x@H:7/c").server_key()
        );
        assert_eq!(address.database_key(), "h:7/b");
    }

    #[test]
    fn without_a_user_it_is_the_one_of_the_operating_system() {
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
    fn programs_of_postgresql_get_no_host_name_where_only_an_address_is_given() {
        let variables =
            parse("hostaddr=::1 user=u dbname=d").libpq_environment(Duration::from_secs(10));
        let names: Vec<&str> = variables.iter().map(|(name, _)| name.as_str()).collect();
        assert!(names.contains(&"PGHOSTADDR"), "{names:?}");
        assert!(!names.contains(&"PGHOST"), "{names:?}");
    }

    #[test]
    fn programs_of_postgresql_notice_a_dead_server_as_we_do() {
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
    fn programs_of_postgresql_get_the_same_address() {
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
                name == "PGDATABASE" || super::super::LIBPQ_VARIABLES.contains(&name.as_str()),
                "{name}"
            );
        }
    }
}
