//! Every `sslmode` is accepted or refused, with TLS or without, as in psql, except for plaintext after a failed
//! handshake.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    missing_docs,
    reason = "a test that cannot continue fails"
)]

use std::time::Duration;

use crate::support::{Server, try_connect};
use pg_session::Connections;

const MODES: [&str; 6] = [
    "disable",
    "allow",
    "prefer",
    "require",
    "verify-ca",
    "verify-full",
];

/// The outcome of a connection: `Some(true)` over TLS, `Some(false)` in plaintext, `None` not at all.
type Outcome = Option<bool>;

const QUESTION: &str = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

fn by_psql(server: &Server, address: &str) -> Outcome {
    let output = server
        .psql()
        .args(["-d", address, "-c", QUESTION])
        .output()
        .expect("psql runs");
    let said = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| said.trim() == "t")
}

async fn by_us(address: &str) -> Outcome {
    let connection = try_connect(address).await.ok()?;
    let row = connection
        .client
        .query_one(QUESTION, &[])
        .await
        .expect("answers");
    // With TLS or without, a server is not mistaken for a pooler.
    let connections = Connections::new(crate::support::options(Duration::ZERO), 1);
    let session = connections
        .session(&crate::support::address(address), "history")
        .await
        .expect("a second connection");
    assert!(session.is_direct(), "{address}");
    Some(row.get(0))
}

/// Compares all `addresses`; returns the count of each outcome, so that a test can check that all occurred.
async fn compare(server: &Server, addresses: Vec<String>) -> [usize; 3] {
    let (mut counts, mut differences) = ([0; 3], Vec::new());
    for address in addresses {
        let (mut wanted, got) = (by_psql(server, &address), by_us(&address).await);
        // After a failed handshake libpq falls back to plaintext, and we never do.
        if address.contains("sslmode=prefer") && address.contains("other.crt") {
            wanted = None;
        }
        match wanted {
            Some(true) => counts[0] += 1,
            Some(false) => counts[1] += 1,
            None => counts[2] += 1,
        }
        if wanted != got {
            differences.push(format!("{address}: psql {wanted:?}, we {got:?}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    counts
}

#[tokio::test]
async fn with_tls_on_the_server() {
    let server = Server::start(
        "hostssl all only_tls 127.0.0.1/32 scram-sha-256\nhostnossl all only_plain 127.0.0.1/32 scram-sha-256\n\
         host all either 127.0.0.1/32 scram-sha-256\nhost all trusted 127.0.0.1/32 trust\n",
        "ssl = on",
    );
    for role in ["only_tls", "only_plain", "either", "trusted"] {
        server.execute(&format!("CREATE ROLE {role} LOGIN PASSWORD 'right'"));
    }
    let roots = [
        String::new(),
        format!("sslrootcert={}", server.file("ca.crt")),
        format!("sslrootcert={}", server.file("other.crt")),
        format!("sslrootcert={}", server.file("missing.crt")),
    ];
    let mut addresses = Vec::new();
    let port = server.port;
    for mode in MODES {
        for role in ["only_tls", "only_plain", "either"] {
            for root in &roots {
                // The certificate is for the name, not for the address.
                for host in ["localhost", "127.0.0.1", "hostaddr"] {
                    let host = match host {
                        "hostaddr" => "hostaddr=127.0.0.1".to_owned(),
                        "localhost" => "host=localhost hostaddr=127.0.0.1".to_owned(),
                        host => format!("host={host}"),
                    };
                    addresses.push(format!(
                        "{host} port={port} user={role} password=right dbname=postgres sslmode={mode} {root}"
                    ));
                }
            }
        }
        addresses.push(format!(
            "host=localhost port={port} user=either password=wrong dbname=postgres sslmode={mode}"
        ));
        addresses.push(format!(
            "host=localhost port={port} user=either dbname=postgres sslmode={mode}"
        ));
        let socket = server.folder.display();
        addresses.push(format!(
            "host={socket} port={port} user=either dbname=postgres sslmode={mode}"
        ));
        for binding in ["disable", "prefer", "require"] {
            for role in ["either", "trusted"] {
                addresses.push(format!(
                    "host=localhost port={port} user={role} password=right dbname=postgres sslmode={mode} channel_binding={binding} {}",
                    roots[1]
                ));
            }
        }
    }
    for version in ["TLSv1.2", "TLSv1.3"] {
        addresses.push(format!(
            "host=localhost port={port} user=either password=right dbname=postgres sslmode=require \
             ssl_min_protocol_version={version} ssl_max_protocol_version={version}"
        ));
    }
    let counts = compare(&server, addresses).await;
    assert!(counts.iter().all(|count| *count > 10), "{counts:?}");
}

#[tokio::test]
async fn without_tls_on_the_server() {
    let server = Server::start("host all either 127.0.0.1/32 scram-sha-256\n", "ssl = off");
    server.execute("CREATE ROLE either LOGIN PASSWORD 'right'");
    let mut addresses = Vec::new();
    for mode in MODES {
        for password in ["right", "wrong"] {
            addresses.push(format!(
                "host=localhost port={} user=either password={password} dbname=postgres sslmode={mode} sslrootcert={}",
                server.port,
                server.file("ca.crt")
            ));
        }
    }
    let counts = compare(&server, addresses).await;
    assert_eq!(counts, [0, 3, 9]);
}

#[tokio::test]
async fn a_self_signed_certificate_may_be_its_own_root() {
    let server = Server::start(
        "hostssl all either 127.0.0.1/32 scram-sha-256\n",
        "ssl = on\nssl_cert_file = 'self.crt'\nssl_key_file = 'self.key'",
    );
    server.execute("CREATE ROLE either LOGIN PASSWORD 'right'");
    let mut addresses = Vec::new();
    for mode in ["require", "verify-ca", "verify-full"] {
        for (host, root) in [
            ("localhost", "self.crt"),
            ("127.0.0.1", "self.crt"),
            ("localhost", "ca.crt"),
        ] {
            addresses.push(format!(
                "host={host} port={} user=either password=right dbname=postgres sslmode={mode} sslrootcert={}",
                server.port,
                server.file(root)
            ));
        }
    }
    assert_eq!(compare(&server, addresses).await, [5, 0, 4]);
}

#[tokio::test]
async fn a_client_certificate_is_sent() {
    let server = Server::start(
        "hostssl all certified 127.0.0.1/32 cert\n",
        "ssl = on\nssl_ca_file = 'ca.crt'",
    );
    server.execute("CREATE ROLE certified LOGIN");
    let base = format!(
        "host=localhost port={} user=certified dbname=postgres sslmode=require",
        server.port
    );
    let (certificate, key) = (server.file("client.crt"), server.file("client.key"));
    let addresses = vec![
        format!("{base} sslcert={certificate} sslkey={key}"),
        format!("{base} sslcert={certificate} sslkey={key} ssl_max_protocol_version=TLSv1.2"),
        format!(
            "{base} sslcert={certificate} sslkey={}",
            server.file("missing.key")
        ),
        format!("{base} sslcert={} sslkey={key}", server.file("missing.crt")),
        // Readable by others.
        format!(
            "{base} sslcert={certificate} sslkey={}",
            server.file("ca.crt")
        ),
        base,
    ];
    assert_eq!(compare(&server, addresses).await, [2, 0, 4]);
}

#[tokio::test]
async fn a_revoked_certificate_is_refused() {
    let server = Server::start(
        "hostssl all either 127.0.0.1/32 scram-sha-256\n",
        "ssl = on",
    );
    server.execute("CREATE ROLE either LOGIN PASSWORD 'right'");
    let mut addresses = Vec::new();
    for mode in ["require", "verify-ca", "verify-full"] {
        for list in ["none.crl", "server.crl"] {
            addresses.push(format!(
                "host=localhost port={} user=either password=right dbname=postgres sslmode={mode} sslrootcert={} sslcrl={}",
                server.port,
                server.file("ca.crt"),
                server.file(list)
            ));
        }
    }
    assert_eq!(compare(&server, addresses).await, [3, 0, 3]);
}

/// Any certificate and any host is accepted if nothing is verified; otherwise `prefer` would end in plaintext.
#[tokio::test]
async fn a_certificate_that_cannot_be_verified_is_no_reason_for_plaintext() {
    let server = Server::start(
        "host all either 127.0.0.1/32 scram-sha-256\nhost all either ::1/128 scram-sha-256\n",
        "ssl = on",
    );
    server.execute("CREATE ROLE either LOGIN PASSWORD 'right'");
    for kind in ["p521", "rsapss", "v1"] {
        server.serve_certificate(kind);
        let mut addresses = Vec::new();
        for mode in ["prefer", "require"] {
            for host in ["localhost", "db-1_x", "d\u{e9}.test", "127.1"] {
                for versions in ["", "ssl_max_protocol_version=TLSv1.2"] {
                    // With TLS 1.2 rustls accepts no unnamed scheme, and no curve that it does not implement.
                    if kind != "v1" && !versions.is_empty() {
                        continue;
                    }
                    addresses.push(format!(
                        "host={host} hostaddr=127.0.0.1 port={} user=either password=right dbname=postgres sslmode={mode} {versions}",
                        server.port
                    ));
                }
            }
        }
        let count = addresses.len();
        assert_eq!(compare(&server, addresses).await, [count, 0, 0], "{kind}");

        let base = format!(
            "host=localhost port={} user=either password=right dbname=postgres",
            server.port
        );
        // A login cannot be bound to a certificate whose key was not proven.
        let bound = format!("{base} sslmode=require channel_binding=require");
        assert!(try_connect(&bound).await.is_err(), "{kind}");
        // If verification is required, it fails: a readable error, and no plaintext.
        let root = server.file(&format!("{kind}.crt"));
        for mode in ["prefer", "verify-ca", "verify-full"] {
            let checked = format!("{base} sslmode={mode} sslrootcert={root}");
            let error = match try_connect(&checked).await {
                // Its own root is accepted as it is where rustls can read it.
                Ok(_) => continue,
                Err(error) => domain::with_causes(&error),
            };
            assert!(
                !error.contains("Other(") && !error.contains("Unsupported"),
                "{error}"
            );
            assert!(by_us(&checked).await.is_none_or(|tls| tls), "{checked}");
        }
    }
}
