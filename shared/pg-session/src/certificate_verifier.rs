//! Checking a server's certificate as libpq does.
//!
//! Responsible for: the three degrees of trust (any certificate, one by a known authority, one for this host). Not for:
//! choosing the degree, reading files (`tls`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

/// The requirements for a certificate.
#[derive(Debug)]
pub(super) enum Trust {
    /// Any certificate is accepted: TLS protects only against passive eavesdropping.
    Anyone,
    /// A known authority must have signed it.
    Authority {
        /// Checks chain, dates and revocation.
        chain: Arc<WebPkiServerVerifier>,
        /// The certificates of the root file themselves.
        pinned: Vec<CertificateDer<'static>>,
        /// Whether it must match the host, too.
        check_name: bool,
    },
}

impl Trust {
    /// Whether the certificate is compared with the name of the host.
    pub(super) fn checks_name(&self) -> bool {
        matches!(
            self,
            Self::Authority {
                check_name: true,
                ..
            }
        )
    }
}

/// What rustls cannot verify and OpenSSL accepts, last: a server with several certificates takes one that can be verified.
const BEYOND_RUSTLS: [SignatureScheme; 8] = [
    SignatureScheme::ECDSA_NISTP521_SHA512,
    SignatureScheme::ED448,
    // rsa_pss_pss_sha256, 384 and 512: certificates with a key for RSA-PSS alone.
    SignatureScheme::Unknown(0x0809),
    SignatureScheme::Unknown(0x080a),
    SignatureScheme::Unknown(0x080b),
    // ecdsa_brainpoolP256r1tls13_sha256 and its larger ones.
    SignatureScheme::Unknown(0x081a),
    SignatureScheme::Unknown(0x081b),
    SignatureScheme::Unknown(0x081c),
];

/// Applies a [`Trust`], and records that a handshake reached the certificate.
#[derive(Debug)]
pub(super) struct CertificateVerifier {
    pub(super) trust: Trust,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    /// Set once TLS is in use: tokio-postgres does not report whether a failed login used TLS.
    pub(super) reached: Arc<AtomicBool>,
    /// Set when the server did not prove that it has the certificate's key.
    pub(super) unproven: Arc<AtomicBool>,
}

impl CertificateVerifier {
    /// If any certificate is accepted, so is one that cannot be read or verified: refusing it would drive users
    /// to plaintext. A wrong signature is never accepted.
    fn judge(
        &self,
        outcome: Result<HandshakeSignatureValid, Error>,
    ) -> Result<HandshakeSignatureValid, Error> {
        match (&self.trust, outcome) {
            (_, Err(error @ Error::InvalidCertificate(CertificateError::BadSignature))) => {
                Err(error)
            }
            (Trust::Anyone, Err(_)) => {
                self.unproven.store(true, Ordering::Relaxed);
                Ok(HandshakeSignatureValid::assertion())
            }
            (_, outcome) => outcome,
        }
    }
}

impl ServerCertVerifier for CertificateVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.reached.store(true, Ordering::Relaxed);
        let Trust::Authority {
            chain,
            pinned,
            check_name,
        } = &self.trust
        else {
            return Ok(ServerCertVerified::assertion());
        };
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // rustls checks the name last: the chain is valid.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !check_name => Ok(ServerCertVerified::assertion()),
            // A self-signed certificate that is its own root: webpki rejects it because it is marked as an
            // authority, OpenSSL accepts it. Dates are checked before that.
            Err(Error::InvalidCertificate(
                CertificateError::Other(_) | CertificateError::UnknownIssuer,
            )) if pinned.iter().any(|root| root == end_entity) => {
                if *check_name {
                    verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                }
                Ok(ServerCertVerified::assertion())
            }
            outcome => outcome,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge(verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.algorithms,
        ))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge(verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.algorithms,
        ))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.algorithms.supported_schemes();
        if matches!(self.trust, Trust::Anyone) {
            schemes.extend(BEYOND_RUSTLS);
        }
        schemes
    }
}
