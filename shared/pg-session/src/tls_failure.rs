//! Readable reasons for TLS failures.
//!
//! Responsible for: one sentence and one advice for each fault that rustls finds; rustls itself shows the names of its
//! types. Not for: the address and the exit code (`connect_error`).

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

/// Why TLS failed.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct TlsFailure {
    reason: String,
    /// What to do next.
    pub(super) advice: &'static str,
    /// Whether the network failed, and not TLS.
    pub(super) is_network: bool,
}

impl TlsFailure {
    /// A host that no certificate can be compared with.
    pub(super) fn host(host: &str) -> Self {
        Self {
            reason: format!(
                "\"{host}\" is not a DNS name or an IP address that a certificate can contain"
            ),
            advice: "connect by a name that its certificate contains, or use sslmode=verify-ca",
            is_network: false,
        }
    }

    /// Whether rustls raised the error.
    pub(super) fn is_of_tls(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<Error>())
    }

    pub(super) fn from_io(error: io::Error) -> Self {
        let inner = error.get_ref();
        match inner.and_then(|inner| inner.downcast_ref::<Error>()) {
            Some(error) => Self::from_rustls(error),
            None => Self {
                reason: match error.kind() {
                    io::ErrorKind::UnexpectedEof => {
                        "the connection was closed during the TLS handshake".to_owned()
                    }
                    _ => error.to_string(),
                },
                advice: "check that a PostgreSQL server with TLS listens there",
                is_network: true,
            },
        }
    }

    fn from_rustls(error: &Error) -> Self {
        let (reason, advice) = match error {
            Error::InvalidCertificate(problem) => return Self::certificate(problem),
            Error::AlertReceived(alert) => return Self::alert(*alert),
            Error::PeerIncompatible(_) => (
                "the server and this program have no common TLS version, cipher suite or certificate type",
                "check the TLS versions on both sides, and the key of the server's certificate",
            ),
            Error::InappropriateMessage { .. }
            | Error::InappropriateHandshakeMessage { .. }
            | Error::InvalidMessage(_) => (
                "the peer does not speak TLS",
                "check that a PostgreSQL server with TLS listens there",
            ),
            Error::PeerMisbehaved(_) => (
                "the server violates the TLS protocol",
                "check the TLS versions, and any proxy between this machine and the server",
            ),
            Error::NoCertificatesPresented => (
                "the server sent no certificate",
                "check ssl_cert_file on the server",
            ),
            Error::InconsistentKeys(_) => (
                "the private key does not belong to the client certificate",
                "check sslcert and sslkey",
            ),
            _ => (
                "the TLS connection failed",
                "check sslmode, and that a PostgreSQL server with TLS listens there",
            ),
        };
        Self {
            reason: reason.to_owned(),
            advice,
            is_network: false,
        }
    }

    fn certificate(problem: &CertificateError) -> Self {
        let (reason, advice) = match problem {
            CertificateError::UnknownIssuer => (
                "the server's certificate is not signed by a trusted authority",
                "set sslrootcert=FILE to the certificate of the authority that signed it",
            ),
            CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => (
                "the server's certificate has no subject alternative name",
                "issue a certificate that has one, or use sslmode=verify-ca",
            ),
            CertificateError::NotValidForNameContext {
                expected,
                presented,
            } => {
                return Self {
                    reason: format!(
                        "the server's certificate is for {}, not for {}",
                        presented.join(", "),
                        expected.to_str()
                    ),
                    advice: "connect by a name that its certificate contains, or use sslmode=verify-ca",
                    is_network: false,
                };
            }
            CertificateError::NotValidForName => (
                "the server's certificate is for another name",
                "connect by a name that its certificate contains, or use sslmode=verify-ca",
            ),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
                "the server's certificate has expired",
                "renew its certificate",
            ),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => (
                "the server's certificate is not valid yet",
                "check the clocks of both machines",
            ),
            CertificateError::Revoked => (
                "the server's certificate is revoked",
                "issue a new certificate",
            ),
            CertificateError::UnknownRevocationStatus => (
                "the revocation status of the server's certificate is unknown",
                "add the CRL of the authority that signed it to sslcrl",
            ),
            CertificateError::ExpiredRevocationList
            | CertificateError::ExpiredRevocationListContext { .. } => (
                "the CRL in sslcrl has expired",
                "fetch a new CRL from the authority",
            ),
            CertificateError::BadSignature => (
                "the signature of the server or of its certificate is invalid",
                "check any proxy between this machine and the server, and the server's certificate",
            ),
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => (
                "the server's certificate is not issued for server authentication",
                "issue a certificate with the extended key usage serverAuth",
            ),
            CertificateError::BadEncoding => (
                "the server's certificate cannot be read",
                "issue an X.509 version 3 certificate",
            ),
            // Keys and signatures that ring does not support, X.509 version 1, and anything else that is not understood.
            _ => (
                "the server's certificate has a type that this program cannot verify",
                "issue an X.509 version 3 certificate with an RSA, P-256, P-384 or Ed25519 key, signed without RSA-PSS parameters",
            ),
        };
        Self {
            reason: reason.to_owned(),
            advice,
            is_network: false,
        }
    }

    fn alert(alert: AlertDescription) -> Self {
        use AlertDescription as Alert;
        let (reason, advice) = match alert {
            Alert::CertificateRequired => (
                "the server requires a client certificate",
                "set sslcert and sslkey",
            ),
            Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA => (
                "the server does not accept the client certificate",
                "check sslcert, and ssl_ca_file on the server",
            ),
            Alert::HandshakeFailure | Alert::ProtocolVersion | Alert::InsufficientSecurity => (
                "the server and this program have no common TLS version, cipher suite or certificate type",
                "check the client certificate (sslcert, sslkey), and the TLS versions on both sides",
            ),
            Alert::UnrecognisedName => (
                "the server has no certificate for this host name",
                "connect by another name, or use sslsni=0",
            ),
            _ => {
                return Self {
                    reason: format!(
                        "the server ended the TLS connection with alert {}",
                        u8::from(alert)
                    ),
                    advice: "check the server log",
                    is_network: false,
                };
            }
        };
        Self {
            reason: reason.to_owned(),
            advice,
            is_network: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(error: Error) -> TlsFailure {
        TlsFailure::from_io(io::Error::new(io::ErrorKind::InvalidData, error))
    }

    #[test]
    fn each_fault_of_a_certificate_has_its_advice() {
        for (problem, words) in [
            (CertificateError::UnknownIssuer, "sslrootcert"),
            (CertificateError::Expired, "renew"),
            (CertificateError::NotValidForName, "verify-ca"),
        ] {
            assert!(failure(problem.into()).advice.contains(words), "{words}");
        }
    }

    #[test]
    fn no_message_shows_the_names_of_types() {
        for error in [
            Error::AlertReceived(AlertDescription::HandshakeFailure),
            Error::AlertReceived(AlertDescription::InternalError),
            Error::PeerIncompatible(rustls::PeerIncompatible::NoCipherSuitesInCommon),
            Error::InvalidCertificate(CertificateError::BadEncoding),
            Error::InvalidCertificate(CertificateError::UnhandledCriticalExtension),
        ] {
            let said = failure(error).to_string();
            let has_type = said
                .split_whitespace()
                .any(|word| word.chars().skip(1).any(|c| c.is_ascii_uppercase()) && word != "TLS");
            assert!(!has_type, "{said}");
        }
    }
}
