//! The connection parameters of libpq, and what becomes of each.
//!
//! Responsible for: knowing every key, so that a misspelt one is an error and an unsupported one is said to be
//! unsupported. Not for: the meaning of the values. Floor 1.
//! Source: PostgreSQL documentation, "Parameter Key Words" (34.1.2), up to version 18.

use super::AddressError;

/// What this program does with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Support {
    /// Read and honoured.
    Honoured,
    /// Accepted without effect, because it cannot change what this program does.
    Harmless,
    /// Refused, because ignoring it would break what it promises.
    Refused(&'static str),
}

use Support::{Harmless, Honoured, Refused};

/// Keys with what becomes of them and the variable that libpq reads for each.
const KEYWORDS: &[(&str, Support, Option<&str>)] = &[
    ("host", Honoured, Some("PGHOST")),
    ("hostaddr", Honoured, Some("PGHOSTADDR")),
    ("port", Honoured, Some("PGPORT")),
    ("user", Honoured, Some("PGUSER")),
    ("password", Honoured, Some("PGPASSWORD")),
    ("dbname", Honoured, None),
    ("passfile", Honoured, Some("PGPASSFILE")),
    ("service", Honoured, Some("PGSERVICE")),
    ("servicefile", Honoured, Some("PGSERVICEFILE")),
    ("options", Honoured, Some("PGOPTIONS")),
    ("application_name", Honoured, Some("PGAPPNAME")),
    ("fallback_application_name", Harmless, None),
    ("connect_timeout", Honoured, Some("PGCONNECT_TIMEOUT")),
    ("tcp_user_timeout", Honoured, None),
    ("keepalives", Honoured, None),
    ("keepalives_idle", Honoured, None),
    ("keepalives_interval", Honoured, None),
    ("keepalives_count", Honoured, None),
    (
        "target_session_attrs",
        Honoured,
        Some("PGTARGETSESSIONATTRS"),
    ),
    ("load_balance_hosts", Honoured, Some("PGLOADBALANCEHOSTS")),
    ("client_encoding", Honoured, None),
    ("sslmode", Honoured, Some("PGSSLMODE")),
    ("sslnegotiation", Honoured, Some("PGSSLNEGOTIATION")),
    ("sslrootcert", Honoured, Some("PGSSLROOTCERT")),
    ("sslcrl", Honoured, Some("PGSSLCRL")),
    ("sslcert", Honoured, Some("PGSSLCERT")),
    ("sslkey", Honoured, Some("PGSSLKEY")),
    ("sslcertmode", Honoured, Some("PGSSLCERTMODE")),
    ("sslsni", Honoured, Some("PGSSLSNI")),
    (
        "ssl_min_protocol_version",
        Honoured,
        Some("PGSSLMINPROTOCOLVERSION"),
    ),
    (
        "ssl_max_protocol_version",
        Honoured,
        Some("PGSSLMAXPROTOCOLVERSION"),
    ),
    ("channel_binding", Honoured, Some("PGCHANNELBINDING")),
    ("gssencmode", Honoured, Some("PGGSSENCMODE")),
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
        Refused("give one file with `sslcrl`"),
        Some("PGSSLCRLDIR"),
    ),
    (
        "requirepeer",
        Refused("use TLS with sslmode=verify-full to know the server"),
        Some("PGREQUIREPEER"),
    ),
    (
        "require_auth",
        Refused("use channel_binding=require to be sure that the server knows the password"),
        Some("PGREQUIREAUTH"),
    ),
    (
        "sslkeylogfile",
        Refused("the keys of a session are never written to a file"),
        None,
    ),
    (
        "scram_client_key",
        Refused("give the password instead"),
        None,
    ),
    (
        "scram_server_key",
        Refused("give the password instead"),
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
        Refused("migrations need an ordinary connection"),
        None,
    ),
];

/// The key in its one spelling, if libpq knows it and this program honours or safely ignores it.
///
/// # Errors
/// [`AddressError::UnknownKey`] and [`AddressError::Unsupported`].
pub(super) fn known(key: &str) -> Result<&'static str, AddressError> {
    match KEYWORDS.iter().find(|(name, _, _)| *name == key) {
        Some((name, Honoured | Harmless, _)) => Ok(name),
        Some((name, Refused(because), _)) => Err(AddressError::Unsupported { key: name, because }),
        None => Err(AddressError::UnknownKey { meant: like(key) }),
    }
}

/// The key that another is a misspelling of.
fn like(written: &str) -> Option<&'static str> {
    KEYWORDS
        .iter()
        .map(|(key, _, _)| (edits(written, key), *key))
        .min()
        .and_then(|(edits, key)| (edits <= 2).then_some(key))
}

/// How many characters must be inserted, removed or replaced to get from one word to another (Levenshtein).
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

/// The keys that libpq reads from variables too, with their variables.
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
                "{key} stands twice"
            );
        }
    }

    #[test]
    fn a_misspelt_key_and_a_refused_key_are_different_errors() {
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
