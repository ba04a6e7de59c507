//! Completes an address from the service file and the `PG*` variables.
//!
//! Fills unset parameters in libpq's order (the address, the service, the variables). The password file (`password`) and
//! the certificate files (`tls_settings`) are handled elsewhere.
//!
//! Two deliberate differences from libpq: `PGHOSTADDR` never redirects an address that specifies its host, and
//! `PGDATABASE` is ignored, because every service has its own database.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use service_layout::files;

use super::network::NEVER_EMPTY;
use super::parameters::Parameters;
use super::{AddressError, keyword};

/// The folders where distributions keep the system-wide service file, if `PGSYSCONFDIR` is unset.
const SYSTEM_FOLDER: &str = "/etc/postgresql-common";

/// Every variable that libpq reads. Remove these from a child's environment before setting
/// [`DatabaseAddress::libpq_environment`](super::DatabaseAddress::libpq_environment).
pub const LIBPQ_VARIABLES: &[&str] = &[
    "PGAPPNAME",
    "PGCHANNELBINDING",
    "PGCLIENTENCODING",
    "PGCONNECT_TIMEOUT",
    "PGDATABASE",
    "PGGSSDELEGATION",
    "PGGSSENCMODE",
    "PGGSSLIB",
    "PGHOST",
    "PGHOSTADDR",
    "PGKRBSRVNAME",
    "PGLOADBALANCEHOSTS",
    "PGMAXPROTOCOLVERSION",
    "PGMINPROTOCOLVERSION",
    "PGOPTIONS",
    "PGPASSFILE",
    "PGPASSWORD",
    "PGPORT",
    "PGREQUIREAUTH",
    "PGREQUIREPEER",
    "PGREQUIRESSL",
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGSSLCERT",
    "PGSSLCERTMODE",
    "PGSSLCOMPRESSION",
    "PGSSLCRL",
    "PGSSLCRLDIR",
    "PGSSLKEY",
    "PGSSLMAXPROTOCOLVERSION",
    "PGSSLMINPROTOCOLVERSION",
    "PGSSLMODE",
    "PGSSLNEGOTIATION",
    "PGSSLROOTCERT",
    "PGSSLSNI",
    "PGTARGETSESSIONATTRS",
    "PGUSER",
];

/// The environment variables that libpq reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct LibpqEnvironment<'a>(pub(super) &'a BTreeMap<String, String>);

impl<'a> LibpqEnvironment<'a> {
    /// The value of a variable; an empty one counts as unset.
    pub(super) fn variable(self, name: &str) -> Option<&'a str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// A file in the home folder.
    pub(super) fn home_file(self, path: &str) -> Option<PathBuf> {
        self.variable("HOME").map(|home| Path::new(home).join(path))
    }

    /// Fills the parameters that are unset.
    pub(super) fn fill(self, parameters: &mut Parameters) -> Result<(), AddressError> {
        let names_host = |parameters: &Parameters| {
            parameters
                .value("host")
                .or(parameters.value("hostaddr"))
                .is_some()
        };
        if let Some(service) = parameters
            .value("service")
            .or(self.variable("PGSERVICE"))
            .map(str::to_owned)
        {
            let hosts_given = names_host(parameters);
            for (key, value) in self.service(&service, parameters.value("servicefile"))? {
                if !(hosts_given && matches!(key, "host" | "hostaddr")) {
                    parameters.fill(key, &value);
                }
            }
        }
        let hosts_given = names_host(parameters);
        for (key, variable) in keyword::with_variables() {
            let is_empty_choice = NEVER_EMPTY.contains(&key) && self.0.contains_key(variable);
            let Some(value) = self.variable(variable).or(is_empty_choice.then_some("")) else {
                continue;
            };
            if (hosts_given && matches!(key, "host" | "hostaddr"))
                || matches!(key, "service" | "servicefile")
            {
                continue;
            }
            parameters.fill(keyword::known(key)?, value);
        }
        // The variable of old clients; weaker than PGSSLMODE.
        if self
            .variable("PGREQUIRESSL")
            .is_some_and(|value| value.starts_with('1'))
        {
            parameters.fill("sslmode", "require");
        }
        Ok(())
    }

    fn service(
        self,
        service: &str,
        file: Option<&str>,
    ) -> Result<Vec<(&'static str, String)>, AddressError> {
        let own = match file.or(self.variable("PGSERVICEFILE")) {
            Some(file) => Some(PathBuf::from(file)),
            None => self.home_file(".pg_service.conf"),
        };
        let system = Path::new(self.variable("PGSYSCONFDIR").unwrap_or(SYSTEM_FOLDER))
            .join("pg_service.conf");
        let candidates: Vec<PathBuf> = own.into_iter().chain([system]).collect();
        for file in &candidates {
            let Some(text) = files::read_optional_text(file)? else {
                continue;
            };
            if let Some(settings) = section(&text, service, file)? {
                return Ok(settings);
            }
        }
        Err(AddressError::UnknownService {
            service: service.to_owned(),
            files: candidates,
        })
    }
}

/// The settings in one section of a service file, if it exists.
fn section(
    text: &str,
    service: &str,
    file: &Path,
) -> Result<Option<Vec<(&'static str, String)>>, AddressError> {
    let mut settings: Option<Vec<(&'static str, String)>> = None;
    for (index, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            match &settings {
                Some(_) => break,
                None if name == service => settings = Some(Vec::new()),
                None => {}
            }
        } else if let Some(settings) = &mut settings {
            let Some((key, value)) = line.split_once('=') else {
                return Err(AddressError::ServiceFileLine {
                    file: file.to_owned(),
                    line: index + 1,
                });
            };
            let key = keyword::known(key)?;
            if matches!(key, "service" | "servicefile") {
                return Err(AddressError::Unsupported {
                    key,
                    because: "a service section cannot refer to another service",
                });
            }
            settings.push((key, value.to_owned()));
        }
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn filled(text: &str, pairs: &[(&str, &str)]) -> Parameters {
        let mut parameters = Parameters::parse(text).expect("parses");
        LibpqEnvironment(&variables(pairs))
            .fill(&mut parameters)
            .expect("fills");
        parameters
    }

    #[test]
    fn variables_fill_only_unset_parameters() {
        let parameters = filled(
            "postgres://u@h/d",
            &[
                ("PGUSER", "x"),
                ("PGPASSWORD", "p"),
                ("PGSSLMODE", "require"),
            ],
        );
        assert_eq!(
            parameters,
            Parameters::parse("user=u host=h dbname=d password=p sslmode=require").expect("parses")
        );
    }

    #[test]
    fn tls_variables_match_those_of_libpq() {
        for (text, pairs, expected) in [
            (
                "host=h",
                &[("PGREQUIRESSL", "1")][..],
                "host=h sslmode=require",
            ),
            ("host=h", &[("PGREQUIRESSL", "0")], "host=h"),
            (
                "host=h",
                &[("PGREQUIRESSL", "1"), ("PGSSLMODE", "disable")],
                "host=h sslmode=disable",
            ),
            (
                "host=h sslmode=allow",
                &[("PGREQUIRESSL", "1")],
                "host=h sslmode=allow",
            ),
            ("host=h", &[("PGSSLMODE", "")], "host=h sslmode=''"),
            (
                "host=h sslmode=''",
                &[("PGSSLMODE", "require")],
                "host=h sslmode=''",
            ),
        ] {
            assert_eq!(
                filled(text, pairs),
                Parameters::parse(expected).expect("parses"),
                "{text} {pairs:?}"
            );
        }
    }

    #[test]
    fn a_named_host_is_never_redirected() {
        let parameters = filled(
            "host=prod",
            &[
                ("PGHOSTADDR", "10.0.0.1"),
                ("PGHOST", "other"),
                ("PGPORT", "5433"),
            ],
        );
        assert_eq!(
            parameters,
            Parameters::parse("host=prod port=5433").expect("parses")
        );
    }

    #[test]
    fn an_empty_variable_counts_as_unset() {
        assert_eq!(
            filled("user=u", &[("PGHOST", "")]),
            Parameters::parse("user=u").expect("parses")
        );
    }

    #[test]
    fn an_unsupported_variable_is_refused() {
        let mut parameters = Parameters::default();
        let outcome =
            LibpqEnvironment(&variables(&[("PGREQUIREPEER", "postgres")])).fill(&mut parameters);
        assert!(matches!(
            outcome,
            Err(AddressError::Unsupported {
                key: "requirepeer",
                ..
            })
        ));
    }

    #[test]
    fn every_variable_of_a_keyword_is_listed() {
        for (_, variable) in keyword::with_variables() {
            assert!(LIBPQ_VARIABLES.contains(&variable), "{variable}");
        }
    }

    #[test]
    fn a_section_of_a_service_file_ends_at_the_next() {
        let text = "# services\n[a]\nhost=x\n\n[b]\nhost=y\nport=7\n[c]\nhost=z\n";
        let settings = section(text, "b", Path::new("f")).expect("parses");
        assert_eq!(
            settings,
            Some(vec![("host", "y".to_owned()), ("port", "7".to_owned())])
        );
        assert_eq!(section(text, "d", Path::new("f")).expect("parses"), None);
    }

    #[test]
    fn an_invalid_line_of_a_service_file_is_reported() {
        let outcome = section("[a]\nhost\n", "a", Path::new("f"));
        assert!(matches!(
            outcome,
            Err(AddressError::ServiceFileLine { line: 2, .. })
        ));
        let outcome = section("[a]\nhots=x\n", "a", Path::new("f"));
        assert!(matches!(outcome, Err(AddressError::UnknownKey { .. })));
    }
}
