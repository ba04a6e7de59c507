//! The TLS settings of an address.
//!
//! Covers `sslmode` and its companions, with libpq's default files in `~/.postgresql`. `postgres::tls` reads certificates
//! and performs TLS.

use std::path::{Path, PathBuf};

use service_layout::files;

use super::AddressError;
use super::ambient::LibpqEnvironment;
use super::network::one_of;
use super::parameters::Parameters;

/// The TLS mode (`sslmode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SslMode {
    /// Never use TLS.
    Disable,
    /// Use TLS only if the server requires it.
    Allow,
    /// Use TLS if the server supports it.
    Prefer,
    /// Require TLS; verify the certificate only if there are root certificates.
    Require,
    /// Require TLS and a certificate signed by a trusted authority.
    VerifyCa,
    /// Like `VerifyCa`; the certificate must also match the host name.
    VerifyFull,
}

impl SslMode {
    const ALL: [Self; 6] = [
        Self::Disable,
        Self::Allow,
        Self::Prefer,
        Self::Require,
        Self::VerifyCa,
        Self::VerifyFull,
    ];

    /// The value of `sslmode`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }

    /// Whether the mode requires a verified certificate.
    #[must_use]
    pub fn demands_verification(self) -> bool {
        self >= Self::VerifyCa
    }
}

/// Whether the login must be bound to the TLS session (`channel_binding`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChannelBinding {
    /// Never.
    Disable,
    /// If the server supports it.
    #[default]
    Prefer,
    /// Always; a server that does not support it is refused.
    Require,
}

impl ChannelBinding {
    const ALL: [Self; 3] = [Self::Disable, Self::Prefer, Self::Require];

    /// The value of `channel_binding`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
        }
    }
}

/// The trusted root certificates (`sslrootcert`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootCertificates {
    /// The authorities that the operating system trusts.
    System,
    /// The PEM certificates in this file.
    File(PathBuf),
}

/// A TLS version; older ones are not supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2.
    V1_2,
    /// TLS 1.3.
    V1_3,
}

impl TlsVersion {
    const ALL: [Self; 2] = [Self::V1_2, Self::V1_3];

    /// The value of `ssl_min_protocol_version` and `ssl_max_protocol_version`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1_2 => "TLSv1.2",
            Self::V1_3 => "TLSv1.3",
        }
    }
}

/// The TLS settings of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    pub mode: SslMode,
    /// Whether TLS starts immediately (`sslnegotiation=direct`, servers from version 17).
    pub direct: bool,
    /// The trusted root certificates; `None` trusts every certificate, and is an error if the mode verifies.
    pub roots: Option<RootCertificates>,
    /// A list of revoked certificates (`sslcrl`).
    pub revocations: Option<PathBuf>,
    /// The client's certificate and private key.
    pub client: Option<(PathBuf, PathBuf)>,
    /// The oldest accepted version.
    pub oldest: TlsVersion,
    /// The newest accepted version.
    pub newest: TlsVersion,
    /// Whether the host name is sent in plain text (`sslsni`).
    pub server_name_indication: bool,
    /// Whether the login must be bound to the TLS session.
    pub channel_binding: ChannelBinding,
    /// Whether the rules of production, not the address, require TLS.
    pub required_in_production: bool,
}

impl TlsSettings {
    /// Whether the server's certificate is verified: otherwise another server could answer.
    #[must_use]
    pub fn verifies(&self) -> bool {
        self.mode.demands_verification() || (self.mode == SslMode::Require && self.roots.is_some())
    }

    /// Requires TLS, unless the address sets the mode. Returns false if it disables TLS.
    pub(super) fn require(&mut self) -> bool {
        if matches!(self.mode, SslMode::Allow | SslMode::Prefer) {
            self.mode = SslMode::Require;
            self.required_in_production = true;
        }
        self.mode != SslMode::Disable
    }

    /// Settings without TLS.
    pub(super) fn disabled() -> Self {
        Self {
            mode: SslMode::Disable,
            direct: false,
            roots: None,
            revocations: None,
            client: None,
            oldest: TlsVersion::V1_2,
            newest: TlsVersion::V1_3,
            server_name_indication: true,
            channel_binding: ChannelBinding::default(),
            required_in_production: false,
        }
    }

    /// Reads the settings; adds a warning for surprising values that libpq allows.
    pub(super) fn read(
        parameters: &Parameters,
        environment: LibpqEnvironment<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<Self, AddressError> {
        let system = parameters.value("sslrootcert") == Some("system");
        let default_mode = if system {
            SslMode::VerifyFull
        } else {
            SslMode::Prefer
        };
        let mode = one_of(
            parameters,
            "sslmode",
            &SslMode::ALL.map(|mode| (mode.as_str(), mode)),
        )?;
        let mode = mode.unwrap_or(default_mode);
        // As in libpq: anyone can get a certificate that the system trusts, so the host name must be verified too.
        if system && mode != SslMode::VerifyFull {
            return Err(AddressError::InvalidValue {
                key: "sslmode",
                expected: "verify-full (or absent) with sslrootcert=system",
            });
        }
        let direct = one_of(
            parameters,
            "sslnegotiation",
            &[("postgres", false), ("direct", true)],
        )?;
        let direct = direct.unwrap_or_default();
        if direct && mode < SslMode::Require {
            return Err(AddressError::InvalidValue {
                key: "sslmode",
                expected: "require, verify-ca or verify-full with sslnegotiation=direct",
            });
        }
        let version = |key| {
            one_of(
                parameters,
                key,
                &TlsVersion::ALL.map(|version| (version.as_str(), version)),
            )
        };
        let oldest = match parameters.value("ssl_min_protocol_version") {
            // Older versions are never negotiated, so these lower bounds always hold.
            Some("TLSv1" | "TLSv1.1") | None => TlsVersion::V1_2,
            Some(_) => version("ssl_min_protocol_version")?.unwrap_or(TlsVersion::V1_2),
        };
        let newest = version("ssl_max_protocol_version")?.unwrap_or(TlsVersion::V1_3);
        if oldest > newest {
            return Err(AddressError::InvalidValue {
                key: "ssl_max_protocol_version",
                expected: "at least ssl_min_protocol_version",
            });
        }
        let bindings = ChannelBinding::ALL.map(|binding| (binding.as_str(), binding));
        let uses_certificate = one_of(
            parameters,
            "sslcertmode",
            &[("disable", false), ("allow", true)],
        )?;
        let sends_name = one_of(parameters, "sslsni", &[("0", false), ("1", true)])?;
        let channel_binding = one_of(parameters, "channel_binding", &bindings)?.unwrap_or_default();
        let mut settings = Self {
            mode,
            direct,
            oldest,
            newest,
            server_name_indication: sends_name.unwrap_or(true),
            channel_binding,
            ..Self::disabled()
        };
        if mode != SslMode::Disable {
            settings.roots = roots(parameters, environment, mode, warnings)?;
            settings.revocations = match parameters.value("sslcrl") {
                Some(file) => Some(PathBuf::from(file)),
                None => existing(environment.home_file(".postgresql/root.crl"))?,
            };
            if uses_certificate.unwrap_or(true) {
                settings.client = client(parameters, environment, warnings)?;
            }
        }
        Ok(settings)
    }
}

/// The file, if it exists. A file that cannot be checked is an error: without it, nothing would be verified.
fn existing(file: Option<PathBuf>) -> Result<Option<PathBuf>, AddressError> {
    match file {
        Some(file) if files::is_file(&file)? => Ok(Some(file)),
        _ => Ok(None),
    }
}

/// libpq verifies certificates in every mode if the file exists; without it, only the strict modes do.
fn roots(
    parameters: &Parameters,
    environment: LibpqEnvironment<'_>,
    mode: SslMode,
    warnings: &mut Vec<String>,
) -> Result<Option<RootCertificates>, AddressError> {
    Ok(match parameters.value("sslrootcert") {
        Some("system") => Some(RootCertificates::System),
        Some(file) if files::is_file(Path::new(file))? || mode.demands_verification() => {
            Some(RootCertificates::File(PathBuf::from(file)))
        }
        Some(file) => {
            warnings.push(format!(
                "the server's certificate is not verified: sslrootcert {file} does not exist; use sslmode=verify-full to require verification"
            ));
            None
        }
        None => {
            existing(environment.home_file(".postgresql/root.crt"))?.map(RootCertificates::File)
        }
    })
}

fn client(
    parameters: &Parameters,
    environment: LibpqEnvironment<'_>,
    warnings: &mut Vec<String>,
) -> Result<Option<(PathBuf, PathBuf)>, AddressError> {
    let given = parameters.value("sslcert").map(PathBuf::from);
    let usual = || environment.home_file(".postgresql/postgresql.crt");
    let Some(certificate) = existing(given.clone().or_else(usual))? else {
        if let Some(file) = given {
            warnings.push(format!(
                "no client certificate is sent: sslcert {} does not exist",
                file.display()
            ));
        }
        return Ok(None);
    };
    let key = match parameters.value("sslkey") {
        Some(file) => Some(PathBuf::from(file)),
        None => environment.home_file(".postgresql/postgresql.key"),
    };
    Ok(key.map(|key| (certificate, key)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(text: &str) -> Result<(TlsSettings, Vec<String>), AddressError> {
        let mut warnings = Vec::new();
        let none = BTreeMap::new();
        let settings = TlsSettings::read(
            &Parameters::parse(text)?,
            LibpqEnvironment(&none),
            &mut warnings,
        )?;
        Ok((settings, warnings))
    }

    #[test]
    fn prefer_is_the_default_and_system_roots_require_verify_full() {
        assert_eq!(read("host=h").expect("valid").0.mode, SslMode::Prefer);
        let system = read("host=h sslrootcert=system").expect("valid").0;
        assert_eq!(
            (system.mode, system.roots),
            (SslMode::VerifyFull, Some(RootCertificates::System))
        );
        assert!(matches!(
            read("sslrootcert=system sslmode=require"),
            Err(AddressError::InvalidValue { key: "sslmode", .. })
        ));
    }

    #[test]
    fn a_missing_root_file_is_kept_only_when_the_mode_verifies() {
        let (settings, warnings) =
            read("sslmode=require sslrootcert=/nowhere/ca.pem").expect("valid");
        assert_eq!((settings.roots, warnings.len()), (None, 1));
        let (settings, warnings) =
            read("sslmode=verify-ca sslrootcert=/nowhere/ca.pem").expect("valid");
        assert_eq!(
            settings.roots,
            Some(RootCertificates::File("/nowhere/ca.pem".into()))
        );
        assert!(warnings.is_empty());
    }

    #[test]
    fn direct_negotiation_requires_a_strict_mode() {
        assert!(read("sslnegotiation=direct").is_err());
        assert!(
            read("sslnegotiation=direct sslmode=require")
                .expect("valid")
                .0
                .direct
        );
    }

    #[test]
    fn version_bounds_are_checked() {
        let settings = read("ssl_min_protocol_version=TLSv1 ssl_max_protocol_version=TLSv1.2")
            .expect("valid")
            .0;
        assert_eq!(
            (settings.oldest, settings.newest),
            (TlsVersion::V1_2, TlsVersion::V1_2)
        );
        assert!(read("ssl_max_protocol_version=TLSv1.1").is_err());
        assert!(read("ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2").is_err());
    }

    #[test]
    fn misspelled_values_are_refused() {
        for text in [
            "sslmode=verify_full",
            "channel_binding=yes",
            "sslsni=no",
            "sslcertmode=require",
            "sslmode=",
            "sslmode=''",
            "channel_binding=",
        ] {
            assert!(
                matches!(read(text), Err(AddressError::InvalidValue { .. })),
                "{text}"
            );
        }
    }
}
