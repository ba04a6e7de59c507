//! An endpoint at which a server may listen.
//!
//! Pairs the lists `host`, `hostaddr` and `port`, and distinguishes sockets from TCP and local from remote hosts.
//! `postgres::connect` resolves names.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};

use super::AddressError;
use super::parameters::Parameters;

/// PostgreSQL's default port.
const DEFAULT_PORT: u16 = 5432;

/// An endpoint at which the server may listen; an address has one or more.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The name, IP address or absolute socket folder as written; empty if only `hostaddr` is given.
    host: String,
    address: Option<IpAddr>,
    port: u16,
}

/// How an endpoint is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport<'a> {
    /// The Unix socket `.s.PGSQL.<port>` in this folder.
    Socket(&'a Path),
    /// TCP to this IP address.
    Address(IpAddr),
    /// TCP to an address that this name resolves to.
    Name(&'a str),
}

impl Endpoint {
    /// An endpoint for a host name, an IP address or an absolute socket folder.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            address: None,
            port,
        }
    }

    /// The name, IP address or socket folder to look up in the certificate and the password file.
    #[must_use]
    pub fn host(&self) -> String {
        match self.address {
            Some(address) if self.host.is_empty() => address.to_string(),
            _ => self.host.clone(),
        }
    }

    /// The port, also part of a socket's file name.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether a host name (not only `hostaddr`) is given, to compare with a certificate.
    #[must_use]
    pub fn has_host(&self) -> bool {
        !self.host.is_empty()
    }

    /// How the endpoint is reached; `hostaddr` overrides `host`, as in libpq.
    #[must_use]
    pub fn transport(&self) -> Transport<'_> {
        match self.address.or_else(|| self.host.parse().ok()) {
            Some(address) => Transport::Address(address),
            None if self.host.starts_with('/') => Transport::Socket(Path::new(&self.host)),
            None => Transport::Name(&self.host),
        }
    }

    /// Whether the server is on this machine: a socket, a loopback address or `localhost`.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self.transport() {
            Transport::Socket(_) => true,
            Transport::Address(address) => address.to_canonical().is_loopback(),
            Transport::Name(name) => name.eq_ignore_ascii_case("localhost"),
        }
    }

    /// A key that is equal for all spellings of an endpoint.
    pub(super) fn key(&self) -> String {
        match self.transport() {
            Transport::Socket(folder) => format!("{}:{}", folder.display(), self.port),
            _ if self.is_local() => format!("localhost:{}", self.port),
            _ => format!("{}:{}", self.host().to_ascii_lowercase(), self.port),
        }
    }

    /// `host` as written; empty if only `hostaddr` is given.
    pub(super) fn given_host(&self) -> &str {
        &self.host
    }

    /// `hostaddr` as written.
    pub(super) fn given_address(&self) -> Option<IpAddr> {
        self.address
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host();
        if host.parse::<Ipv6Addr>().is_ok() {
            write!(f, "[{host}]:{}", self.port)
        } else {
            write!(f, "{host}:{}", self.port)
        }
    }
}

/// Pairs `host`, `hostaddr` and `port`; returns at least one endpoint.
pub(super) fn endpoints(parameters: &Parameters) -> Result<Vec<Endpoint>, AddressError> {
    let list = |key| -> Vec<&str> {
        parameters
            .value(key)
            .map(|text| text.split(',').collect())
            .unwrap_or_default()
    };
    let (hosts, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
    let count = if addresses.is_empty() {
        hosts.len().max(1)
    } else {
        addresses.len()
    };
    if !hosts.is_empty() && hosts.len() != count {
        return Err(AddressError::UnevenLists {
            key: "hostaddr",
            count,
            hosts: hosts.len(),
        });
    }
    if ports.len() > 1 && ports.len() != count {
        return Err(AddressError::UnevenLists {
            key: "port",
            count: ports.len(),
            hosts: count,
        });
    }
    let mut endpoints = Vec::with_capacity(count);
    for index in 0..count {
        let port = port(
            ports
                .get(index)
                .or(ports.first())
                .copied()
                .unwrap_or_default(),
        )?;
        let address = match addresses.get(index).copied().unwrap_or_default() {
            "" => None,
            text => Some(text.parse().map_err(|_| AddressError::InvalidValue {
                key: "hostaddr",
                expected: "an IP address; use `host` for names",
            })?),
        };
        let host = match hosts.get(index).copied().unwrap_or_default() {
            "" if address.is_none() => default_host(port),
            host if host.starts_with('@') => {
                return Err(AddressError::InvalidValue {
                    key: "host",
                    expected: "a name, an IP address or a socket folder; abstract sockets are not supported",
                });
            }
            host => host.to_owned(),
        };
        endpoints.push(Endpoint {
            host,
            address,
            port,
        });
    }
    Ok(endpoints)
}

fn port(text: &str) -> Result<u16, AddressError> {
    if text.is_empty() {
        return Ok(DEFAULT_PORT);
    }
    match text.trim().parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(AddressError::InvalidValue {
            key: "port",
            expected: "a number from 1 to 65535",
        }),
    }
}

/// The folder or host that libpq uses if no host is given. Distributions compile in `/var/run/postgresql`, PostgreSQL itself
/// `/tmp`: the folder with a socket for the port wins.
fn default_host(port: u16) -> String {
    if cfg!(not(unix)) {
        return "localhost".to_owned();
    }
    let folders = ["/var/run/postgresql", "/tmp"].map(PathBuf::from);
    let found = folders
        .iter()
        .find(|folder| folder.join(format!(".s.PGSQL.{port}")).exists())
        .or_else(|| folders.iter().find(|folder| folder.is_dir()))
        .unwrap_or(&folders[1]);
    found.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<Endpoint>, AddressError> {
        endpoints(&Parameters::parse(text)?)
    }

    fn shown(text: &str) -> Vec<String> {
        of(text)
            .expect("valid")
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn one_port_applies_to_all_hosts_and_the_default_is_5432() {
        assert_eq!(shown("host=a,b port=7"), ["a:7", "b:7"]);
        assert_eq!(
            shown("postgres://a:1,b,[::1]/d"),
            ["a:1", "b:5432", "[::1]:5432"]
        );
    }

    #[test]
    fn list_lengths_must_match() {
        assert!(matches!(
            of("host=a,b port=1,2,3"),
            Err(AddressError::UnevenLists { key: "port", .. })
        ));
        assert!(matches!(
            of("host=a,b hostaddr=::1"),
            Err(AddressError::UnevenLists {
                key: "hostaddr",
                ..
            })
        ));
    }

    #[test]
    fn ports_and_addresses_are_checked() {
        for text in [
            "host=a port=0",
            "host=a port=65536",
            "host=a port=x",
            "hostaddr=name",
            "host=@abstract",
        ] {
            assert!(
                matches!(of(text), Err(AddressError::InvalidValue { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn sockets_loopback_addresses_and_localhost_are_local() {
        for (text, local) in [
            ("host=localhost", true),
            ("host=LOCALHOST", true),
            ("host=127.0.0.2", true),
            ("host=::1", true),
            ("host=::ffff:127.0.0.1", true),
            ("host=/tmp", true),
            ("host=10.0.0.1", false),
            ("host=localhost.example.com", false),
            ("host=localhost hostaddr=10.0.0.1", false),
            ("host=db.example.com hostaddr=127.0.0.1", true),
        ] {
            assert_eq!(of(text).expect("valid")[0].is_local(), local, "{text}");
        }
    }

    #[test]
    fn the_key_is_the_same_for_every_spelling() {
        let key = |text: &str| of(text).expect("valid")[0].key();
        assert_eq!(key("host=localhost"), key("host=127.0.0.1"));
        assert_eq!(
            key("host=DB.example.com"),
            key("host=db.example.com port=5432")
        );
        assert_ne!(key("host=a"), key("host=a port=5433"));
    }
}
