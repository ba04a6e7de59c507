//! TLS for connections to PostgreSQL.
//!
//! Responsible for: turning the TLS settings of an address into a rustls configuration. Not for: falling back between
//! TLS and plaintext (`attempt`).
//!
//! `sslrootcert=system` means the authorities of the operating system (rustls-native-certs), not a list compiled in
//! (webpki-roots): a company's own authority is installed there, updates arrive with the system, and `SSL_CERT_FILE`
//! works, all as with libpq.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, VerifierBuilderError, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use service_layout::files;

use super::certificate_verifier::{CertificateVerifier, Trust};
use super::tls_connector::Connector;
use pg_address::{RootCertificates, SslMode, TlsSettings, TlsVersion};

/// A mistake in the files that an address names for TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsSetupError {
    #[error(
        "sslmode={mode} requires root certificates; set sslrootcert=FILE to the certificate of the authority, or sslrootcert=system"
    )]
    NoRoots { mode: &'static str },
    #[error(
        "the operating system has no root certificates ({problem}); install the package ca-certificates, or set sslrootcert=FILE"
    )]
    NoSystemRoots {
        /// The cause.
        problem: String,
    },
    #[error("{key} {} cannot be used: {problem}", .file.display())]
    File {
        /// The parameter that names the file.
        key: &'static str,
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    #[error("cannot use the TLS settings")]
    Rustls {
        #[source]
        source: rustls::Error,
    },
}

/// The TLS connector of one connection.
#[derive(Clone)]
pub(super) struct TlsClient {
    pub(super) connector: Connector,
    reached: Arc<AtomicBool>,
}

impl TlsClient {
    pub(super) fn new(settings: &TlsSettings) -> Result<Self, TlsSetupError> {
        let provider = Arc::new(ring::default_provider());
        let reached = Arc::new(AtomicBool::new(false));
        let unproven = Arc::new(AtomicBool::new(false));
        let trust = trust(settings, &provider)?;
        let checks_name = trust.checks_name();
        let verifier = CertificateVerifier {
            trust,
            algorithms: provider.signature_verification_algorithms,
            reached: Arc::clone(&reached),
            unproven: Arc::clone(&unproven),
        };
        let mut config = client_config(settings, provider, Arc::new(verifier))?;
        config.enable_sni = settings.server_name_indication;
        // Every handshake must reach the verifier.
        config.resumption = Resumption::disabled();
        if settings.direct {
            config.alpn_protocols = vec![b"postgresql".to_vec()];
        }
        Ok(Self {
            connector: Connector::new(config, checks_name, unproven),
            reached,
        })
    }

    /// Whether a handshake reached the certificate since the last call.
    pub(super) fn take_reached(&self) -> bool {
        self.reached.swap(false, Ordering::Relaxed)
    }
}

fn client_config(
    settings: &TlsSettings,
    provider: Arc<CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
) -> Result<ClientConfig, TlsSetupError> {
    let rustls_error = |source| TlsSetupError::Rustls { source };
    let versions: Vec<_> = [
        (TlsVersion::V1_3, &rustls::version::TLS13),
        (TlsVersion::V1_2, &rustls::version::TLS12),
    ]
    .into_iter()
    .filter(|(version, _)| (settings.oldest..=settings.newest).contains(version))
    .map(|(_, version)| version)
    .collect();
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions)
        .map_err(rustls_error)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    match &settings.client {
        Some((certificate, key)) => {
            let chain = certificates("sslcert", certificate)?;
            builder
                .with_client_auth_cert(chain, private_key(key)?)
                .map_err(rustls_error)
        }
        None => Ok(builder.with_no_client_auth()),
    }
}

/// libpq checks the chain in every mode as soon as there are roots, and the name in `verify-full` only.
fn trust(settings: &TlsSettings, provider: &Arc<CryptoProvider>) -> Result<Trust, TlsSetupError> {
    let (roots, pinned) = match &settings.roots {
        Some(RootCertificates::System) => (system_roots()?, Vec::new()),
        Some(RootCertificates::File(file)) => root_file(file)?,
        None if settings.mode.demands_verification() => {
            return Err(TlsSetupError::NoRoots {
                mode: settings.mode.as_str(),
            });
        }
        None => return Ok(Trust::Anyone),
    };
    let mut builder = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider));
    if let Some(file) = &settings.revocations {
        let bytes = read("sslcrl", file)?;
        let lists: Result<Vec<CertificateRevocationListDer<'static>>, _> =
            CertificateRevocationListDer::pem_slice_iter(&bytes).collect();
        let lists = lists.map_err(|error| unusable("sslcrl", file, &error))?;
        // As OpenSSL with the flags that libpq sets, every authority of the chain needs a list.
        builder = builder.with_crls(lists);
    }
    let chain =
        builder
            .build()
            .map_err(|error| match (&settings.revocations, &settings.roots) {
                (Some(file), _) | (None, Some(RootCertificates::File(file))) => {
                    TlsSetupError::File {
                        key: if settings.revocations.is_some() {
                            "sslcrl"
                        } else {
                            "sslrootcert"
                        },
                        file: file.clone(),
                        problem: match &error {
                            VerifierBuilderError::NoRootAnchors => {
                                "it contains no CA certificate".to_owned()
                            }
                            _ => "it contains a CRL that this program cannot read".to_owned(),
                        },
                    }
                }
                (None, _) => TlsSetupError::NoSystemRoots {
                    problem: error.to_string(),
                },
            })?;
    Ok(Trust::Authority {
        chain,
        pinned,
        check_name: settings.mode == SslMode::VerifyFull,
    })
}

/// The root certificates of the operating system, read once, because that takes tens of milliseconds.
fn system_roots() -> Result<Arc<RootCertStore>, TlsSetupError> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    if let Some(roots) = ROOTS.get() {
        return Ok(Arc::clone(roots));
    }
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A system may contain old certificates that webpki cannot read; they are skipped.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let problem = found
            .errors
            .first()
            .map_or_else(|| "none found".to_owned(), ToString::to_string);
        return Err(TlsSetupError::NoSystemRoots { problem });
    }
    Ok(Arc::clone(ROOTS.get_or_init(|| Arc::new(roots))))
}

fn root_file(
    file: &Path,
) -> Result<(Arc<RootCertStore>, Vec<CertificateDer<'static>>), TlsSetupError> {
    let pinned = certificates("sslrootcert", file)?;
    let mut roots = RootCertStore::empty();
    for certificate in &pinned {
        roots
            .add(certificate.clone())
            .map_err(|_| TlsSetupError::File {
                key: "sslrootcert",
                file: file.to_owned(),
                problem: "it contains a certificate that this program cannot read; only X.509 version 3 is supported"
                    .to_owned(),
            })?;
    }
    Ok((Arc::new(roots), pinned))
}

fn certificates(
    key: &'static str,
    file: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsSetupError> {
    let bytes = read(key, file)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if found.is_empty() => Err(unusable(key, file, &pem::Error::NoItemsFound)),
        Ok(found) => Ok(found),
        Err(error) => Err(unusable(key, file, &error)),
    }
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsSetupError> {
    check_key_permissions(file)?;
    let bytes = read("sslkey", file)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| unusable("sslkey", file, &error))
}

fn read(key: &'static str, file: &Path) -> Result<Vec<u8>, TlsSetupError> {
    files::read(file).map_err(|error| TlsSetupError::File {
        key,
        file: file.to_owned(),
        problem: error.problem.to_string(),
    })
}

/// libpq's rule: no access for others, and none for the group unless root owns the file.
#[cfg(unix)]
fn check_key_permissions(file: &Path) -> Result<(), TlsSetupError> {
    use std::os::unix::fs::MetadataExt;
    let problem = match std::fs::metadata(file) {
        Ok(metadata) => {
            let forbidden = if metadata.uid() == 0 { 0o037 } else { 0o077 };
            if metadata.mode() & forbidden == 0 {
                return Ok(());
            }
            "other users can read it; run `chmod 0600` on it".to_owned()
        }
        Err(error) => error.to_string(),
    };
    Err(TlsSetupError::File {
        key: "sslkey",
        file: file.to_owned(),
        problem,
    })
}

#[cfg(not(unix))]
fn check_key_permissions(_file: &Path) -> Result<(), TlsSetupError> {
    Ok(())
}

fn unusable(key: &'static str, file: &Path, error: &pem::Error) -> TlsSetupError {
    let problem = match error {
        pem::Error::NoItemsFound if key == "sslkey" => {
            "it contains no unencrypted private key in PEM form; decrypt it with `openssl pkey`"
                .to_owned()
        }
        pem::Error::NoItemsFound => "it contains no PEM block of that type".to_owned(),
        other => other.to_string(),
    };
    TlsSetupError::File {
        key,
        file: file.to_owned(),
        problem,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
        for read in [
            root_file(&path).map(|_| ()),
            certificates("sslcert", &path).map(|_| ()),
            private_key(&path).map(|_| ()),
            read("sslcrl", &path).map(|_| ()),
        ] {
            let error = read.unwrap_err();
            assert!(
                error
                    .to_string()
                    .contains("a socket and not a regular file"),
                "{error}"
            );
        }
    }
}
