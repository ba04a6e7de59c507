//! The settings that servers run with.
//!
//! Responsible for: the configuration file of the local server, the options of throw-away ones, and
//! quoting. Not for: where files lie.

use std::path::Path;

/// The superuser of every server made here.
pub const SUPERUSER: &str = "postgres";

/// The maximum length of a socket path: macOS accepts 103 bytes, Linux 107.
const LONGEST_SOCKET_PATH: usize = 99;

/// The local server's configuration file. It is beside the data folder and may be edited by the user.
pub(super) const LOCAL_CONFIGURATION: &str = "\
# Settings of the local PostgreSQL server, written once and yours to edit:
# 'orchestrator local stop', then 'start', applies them.
# Port, addresses and socket folder are given at each start.

include 'data/postgresql.conf'

max_connections = 200               # eleven services at once, and their tests
max_prepared_transactions = 64
max_locks_per_transaction = 256     # migrations and pg_dump touch whole schemas in one transaction
shared_buffers = 128MB
password_encryption = 'scram-sha-256'
log_line_prefix = '%m [%p] %q%u@%d '
";

/// Settings that make throw-away servers faster. What was committed survives a crash of the server
/// (tests do that), not one of the machine.
pub(super) const THROWAWAY: [(&str, &str); 10] = [
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("max_connections", "200"),
    ("max_prepared_transactions", "64"),
    ("shared_buffers", "32MB"),
    ("jit", "off"),
    // Below the data folder, so that a killed server leaves nothing elsewhere.
    ("dynamic_shared_memory_type", "mmap"),
    ("max_wal_size", "256MB"),
    ("log_line_prefix", "%m [%p] %q%u@%d "),
    ("listen_addresses", "127.0.0.1"),
];

/// The folder for the socket, in the format of `unix_socket_directories`: empty if a socket's path would not fit.
pub(super) fn socket_directories(folder: &Path) -> String {
    if !socket_fits(folder) {
        return String::new();
    }
    // A comma-separated list, quoted like SQL identifiers.
    format!("\"{}\"", folder.display().to_string().replace('"', "\"\""))
}

/// Whether the server can open a socket in this folder. Its name is `.s.PGSQL.` and the port.
pub(super) fn socket_fits(folder: &Path) -> bool {
    let name = "/.s.PGSQL.65535";
    folder
        .to_str()
        .is_some_and(|text| text.len() + name.len() <= LONGEST_SOCKET_PATH)
}

/// The address of a database for everything that reads PostgreSQL URLs.
pub(super) fn url(password: &str, port: u16, database: &str) -> String {
    format!(
        "postgresql://{SUPERUSER}:{password}@127.0.0.1:{port}/{}",
        percent_encoded(database)
    )
}

/// Options for `pg_ctl -o`, which passes them to a shell.
pub(super) fn shell_options(settings: &[(&str, &str)]) -> String {
    let quoted = settings.iter().map(|(name, value)| {
        let setting = format!("{name}={value}");
        format!("-c '{}'", setting.replace('\'', "'\\''"))
    });
    quoted.collect::<Vec<_>>().join(" ")
}

fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_names_cannot_break_out_of_a_url() {
        assert_eq!(
            url("pw", 15_432, "soc_auth"),
            "postgresql://postgres:pw@127.0.0.1:15432/soc_auth"
        );
        assert_eq!(
            url("pw", 1, "a/b?c é"),
            "postgresql://postgres:pw@127.0.0.1:1/a%2Fb%3Fc%20%C3%A9"
        );
    }

    #[test]
    fn settings_cannot_break_out_of_the_shell() {
        assert_eq!(
            shell_options(&[("port", "1"), ("a", "it's $HOME")]),
            r#"-c 'port=1' -c 'a=it'\''s $HOME'"#
        );
    }

    #[test]
    fn a_socket_whose_path_is_too_long_is_left_out() {
        assert_eq!(socket_directories(Path::new("/a,b\"c")), "\"/a,b\"\"c\"");
        assert_eq!(
            socket_directories(Path::new(&format!("/{}", "x".repeat(90)))),
            ""
        );
    }
}
