//! The connection parameters of libpq and how each is handled.
//!
//! Lists every key, so that a misspelled key is an error and an unsupported one is reported as such.
//! Source: PostgreSQL documentation, "Parameter Key Words" (34.1.2), up to version 18.

use super::AddressError;

/// How this program handles a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Support {
    /// Supported.
    Honored,
    /// Accepted without effect, because it cannot affect this program.
    Harmless,
    /// Refused, because ignoring it would violate what it guarantees.
    Refused(&'static str),
}

use Support::{Harmless, Honored, Refused};

/// The keys, how each is handled, and the variable that libpq reads for it.
const KEYWORDS: &[(&str, Support, Option<&str>)] = &[
    ("host", Honored, Some("PGHOST")),
    ("hostaddr", Honored, Some("PGHOSTADDR")),
    ("port", Honored, Some("PGPORT")),
    ("user", Honored, Some("PGUSER")),
    ("password", Honored, Some("PGPASSWORD")),
    ("dbname", Honored, None),
    ("passfile", Honored, Some("PGPASSFILE")),
    ("service", Honored, Some("PGSERVICE")),
    ("servicefile", Honored, Some("PGSERVICEFILE")),
    ("options", Honored, Some("PGOPTIONS")),
    ("application_name", Honored, Some("PGAPPNAME")),
    ("fallback_application_name", Harmless, None),
    ("connect_timeout", Honored, Some("PGCONNECT_TIMEOUT")),
    ("tcp_user_timeout", Honored, None),
    ("keepalives", Honored, None),
    ("keepalives_idle", Honored, None),
    ("keepalives_interval", Honored, None),
    ("keepalives_count", Honored, None),
    (
        "target_session_attrs",
        Honored,
        Some("PGTARGETSESSIONATTRS"),
    ),
    ("load_balance_hosts", Honored, Some("PGLOADBALANCEHOSTS")),
    ("client_encoding", Honored, None),
    ("sslmode", Honored, Some("PGSSLMODE")),
    ("sslnegotiation", Honored, Some("PGSSLNEGOTIATION")),
    ("sslrootcert", Honored, Some("PGSSLROOTCERT")),
    ("sslcrl", Honored, Some("PGSSLCRL")),
    ("sslcert", Honored, Some("PGSSLCERT")),
    ("sslkey", Honored, Some("PGSSLKEY")),
    ("sslcertmode", Honored, Some("PGSSLCERTMODE")),
    ("sslsni", Honored, Some("PGSSLSNI")),
    (
        "ssl_min_protocol_version",
        Honored,
        Some("PGSSLMINPROTOCOLVERSION"),
    ),
    (
        "ssl_max_protocol_version",
        Honored,
        Some("PGSSLMAXPROTOCOLVERSION"),
    ),
    ("channel_binding", Honored, Some("PGCHANNELBINDING")),
    ("gssencmode", Honored, Some("PGGSSENCMODE")),
    ("sslcompression", Harmless, None),
    ("krbsrvname", Harmless, None),
    ("gsslib", Harmless, None),
    ("gssdelegation", Harmless, None),
    ("min_protocol_version", Harmless, None),
    ("max_protocol_version", Harmless, None),
    (
        "sslpassword",
        Refused(
            "encrypted keys cannot be read; decrypt the key with `openssl pkey` and protect the file with mode 0600",
        ),
        None,
    ),
    (
        "sslcrldir",
        Refused("specify one file with `sslcrl`"),
        Some("PGSSLCRLDIR"),
    ),
    (
        "requirepeer",
        Refused("use sslmode=verify-full to verify the server"),
        Some("PGREQUIREPEER"),
    ),
    (
        "require_auth",
        Refused("use channel_binding=require to verify that the server knows the password"),
        Some("PGREQUIREAUTH"),
    ),
    (
        "sslkeylogfile",
        Refused("session keys are never written to a file"),
        None,
    ),
    (
        "scram_client_key",
        Refused("specify the password instead"),
        None,
    ),
    (
        "scram_server_key",
        Refused("specify the password instead"),
        None,
    ),
    (
        "oauth_issuer",
        Refused("log in with a password or a certificate"),
        None,
    ),
    (
        "oauth_client_id",
        Refused("log in with a password or a certificate"),
        None,
    ),
    (
        "oauth_client_secret",
        Refused("log in with a password or a certificate"),
        None,
    ),
    (
        "oauth_scope",
        Refused("log in with a password or a certificate"),
        None,
    ),
    (
        "replication",
        Refused("migrations require an ordinary connection"),
        None,
    ),
];

/// The canonical key, if libpq knows it and this program supports or safely ignores it.
///
/// # Errors
/// [`AddressError::UnknownKey`] and [`AddressError::Unsupported`].
pub(super) fn known(key: &str) -> Result<&'static str, AddressError> {
    match KEYWORDS.iter().find(|(name, _, _)| *name == key) {
        Some((name, Honored | Harmless, _)) => Ok(name),
        Some((name, Refused(because), _)) => Err(AddressError::Unsupported { key: name, because }),
        None => Err(AddressError::UnknownKey { meant: like(key) }),
    }
}

/// The known key that a misspelled one resembles.
fn like(written: &str) -> Option<&'static str> {
    KEYWORDS
        .iter()
        .map(|(key, _, _)| (edits(written, key), *key))
        .min()
        .and_then(|(edits, key)| (edits <= 2).then_some(key))
}

/// The number of insertions, removals and replacements between two words (Levenshtein distance).
fn edits(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, left) in from.bytes().enumerate() {
        let mut before = index;
        row[0] = index + 1;
        for (column, right) in to.bytes().enumerate() {
            let replaced = before + usize::from(left != right);
            before = row[column + 1];
            row[column + 1] = replaced.min(before + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

/// The keys that libpq also reads from variables, with those variables.
pub(super) fn with_variables() -> impl Iterator<Item = (&'static str, &'static str)> {
    KEYWORDS
        .iter()
        .filter_map(|(key, _, variable)| variable.map(|variable| (*key, variable)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_unique() {
        for (index, (key, _, _)) in KEYWORDS.iter().enumerate() {
            assert!(
                !KEYWORDS[..index].iter().any(|(other, _, _)| other == key),
                "{key} is listed twice"
            );
        }
    }

    #[test]
    fn a_misspelled_key_and_a_refused_key_are_different_errors() {
        assert!(
            matches!(known("sslmodus"), Err(AddressError::UnknownKey { meant }) if meant == Some("sslmode"))
        );
        assert!(matches!(
            known("requirepeer"),
            Err(AddressError::Unsupported {
                key: "requirepeer",
                ..
            })
        ));
        assert_eq!(known("krbsrvname").ok(), Some("krbsrvname"));
    }
}
