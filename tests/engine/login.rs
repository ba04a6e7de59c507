//! Each reason why a server is unusable is distinguished, in one line with the address and without a password.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    missing_docs,
    reason = "a test that cannot continue fails"
)]

use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};
use tokio_postgres::error::SqlState;

use crate::support::{Server, address, free_port, options, try_connect};
use domain::ExitStatus;
use pg_session::{ConnectError, connect};

async fn failure(text: &str) -> ConnectError {
    let error = try_connect(text)
        .await
        .err()
        .unwrap_or_else(|| panic!("{text} connects"));
    let message = error.to_string();
    assert!(
        !message.contains('\n') && !message.contains("hidden"),
        "{message}"
    );
    error
}

#[tokio::test]
async fn refusals_of_the_server_are_distinguished() {
    let server = Server::start(
        "host all app 127.0.0.1/32 scram-sha-256\nhost all limited 127.0.0.1/32 trust\n",
        "ssl = on",
    );
    server.execute("CREATE ROLE app LOGIN PASSWORD 'right'");
    let base = format!("host=localhost port={} user=app", server.port);

    let error = failure(&format!("{base} dbname=postgres password=hidden")).await;
    assert!(
        matches!(error, ConnectError::Authentication { .. }),
        "{error:?}"
    );
    assert_eq!(error.code(), Some(SqlState::from_code("28P01")));
    assert!(
        error
            .to_string()
            .starts_with(&format!("app@localhost:{}/postgres", server.port)),
        "{error}"
    );

    let error = failure(&format!("{base} dbname=postgres")).await;
    assert!(
        matches!(error, ConnectError::Authentication { .. }),
        "{error:?}"
    );
    assert!(
        error
            .diagnostic()
            .next
            .is_some_and(|next| next.contains("PGPASSWORD")),
        "{error:?}"
    );

    let error = failure(&format!(
        "host=localhost port={} user=stranger dbname=postgres",
        server.port
    ))
    .await;
    assert!(
        matches!(error, ConnectError::Authentication { .. }),
        "{error:?}"
    );
    assert_eq!(error.code(), Some(SqlState::from_code("28000")));

    let error = failure(&format!("{base} dbname=nowhere password=right")).await;
    assert!(
        matches!(&error, ConnectError::DatabaseMissing { database, .. } if database == "nowhere"),
        "{error:?}"
    );
    assert_eq!(error.code(), Some(SqlState::from_code("3D000")));

    let error = failure(&format!(
        "{base} dbname=postgres password=right sslmode=verify-full"
    ))
    .await;
    assert!(
        matches!(error, ConnectError::Configuration { .. }),
        "{error:?}"
    );
    assert!(
        error
            .source()
            .expect("has one")
            .to_string()
            .contains("sslrootcert")
    );

    let other = server.file("other.crt");
    let error = failure(&format!(
        "{base} dbname=postgres sslmode=verify-full sslrootcert={other}"
    ))
    .await;
    assert!(matches!(error, ConnectError::Tls { .. }), "{error:?}");
    assert!(
        error
            .diagnostic()
            .next
            .is_some_and(|next| next.contains("sslrootcert")),
        "{error:?}"
    );

    let root = server.file("ca.crt");
    let elsewhere = format!(
        "host=127.0.0.1 port={} user=app dbname=postgres",
        server.port
    );
    let error = failure(&format!(
        "{elsewhere} sslmode=verify-full sslrootcert={root}"
    ))
    .await;
    assert!(
        error
            .diagnostic()
            .next
            .is_some_and(|next| next.contains("sslmode=verify-ca")),
        "{error:?}"
    );

    let error = failure(&format!(
        "{base} dbname=postgres password=right sslmode=disable channel_binding=require"
    ))
    .await;
    assert!(
        matches!(error, ConnectError::Authentication { .. }),
        "{error:?}"
    );

    let error = failure(&format!(
        "{base} dbname=postgres password=right target_session_attrs=standby"
    ))
    .await;
    assert!(
        matches!(
            error,
            ConnectError::WrongServer {
                wanted: "standby",
                ..
            }
        ),
        "{error:?}"
    );
    for kind in ["any", "read-write", "primary"] {
        let text = format!("{base} dbname=postgres password=right target_session_attrs={kind}");
        assert!(try_connect(&text).await.is_ok(), "{kind}");
    }
}

#[tokio::test]
async fn only_what_may_pass_by_itself_is_worth_waiting_for() {
    use ExitStatus::{Refused, Unavailable, Usage};
    let server = Server::start(
        "host all banned 127.0.0.1/32 reject\nhost all app,expired 127.0.0.1/32 scram-sha-256\nhost all guest,sleeper 127.0.0.1/32 trust\n",
        "ssl = on",
    );
    for sql in [
        "CREATE ROLE app LOGIN PASSWORD 'right'",
        "CREATE ROLE expired LOGIN PASSWORD 'right' VALID UNTIL '2001-01-01'",
        "CREATE ROLE banned LOGIN",
        "CREATE ROLE guest LOGIN",
        "CREATE ROLE sleeper NOLOGIN",
        "CREATE DATABASE closed",
        "REVOKE CONNECT ON DATABASE closed FROM PUBLIC",
        "CREATE DATABASE frozen ALLOW_CONNECTIONS false",
    ] {
        server.execute(sql);
    }
    let verified = |root: &str| format!("sslmode=verify-full sslrootcert={}", server.file(root));
    let old = server_of_version("13.23");
    for (user, rest, wanted) in [
        ("sleeper", String::new(), Usage),
        ("banned", String::new(), Usage),
        ("expired", "password=right".to_owned(), Usage),
        ("app", "password=hidden".to_owned(), Usage),
        ("nobody", String::new(), Usage),
        ("guest", "dbname=nowhere".to_owned(), Usage),
        ("guest", "options='-c nope=1'".to_owned(), Usage),
        ("guest", "options='-c work_mem=x'".to_owned(), Usage),
        ("guest", verified("other.crt"), Usage),
        (
            "guest",
            format!("{} host=127.0.0.1", verified("ca.crt")),
            Usage,
        ),
        (
            "guest",
            format!("host=127.0.0.1 port={old} sslmode=disable"),
            Usage,
        ),
        ("guest", "dbname=closed".to_owned(), Refused),
        ("guest", "dbname=frozen".to_owned(), Refused),
        (
            "guest",
            "target_session_attrs=standby".to_owned(),
            Unavailable,
        ),
        ("guest", "host=/nowhere".to_owned(), Unavailable),
        ("guest", "host=name.invalid".to_owned(), Unavailable),
        ("guest", format!("port={}", free_port()), Unavailable),
    ] {
        // What is given last counts.
        let text = format!(
            "host=localhost port={} user={user} dbname=postgres {rest}",
            server.port
        );
        let error = failure(&text).await;
        assert_eq!(error.diagnostic().exit_code, wanted, "{text}: {error:?}");
        assert!(
            error
                .diagnostic()
                .next
                .is_some_and(|next| !next.contains('\n')),
            "{text}"
        );
    }
}

/// The port of a server that accepts every login, and reports this version.
fn server_of_version(version: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = listener.local_addr().expect("has an address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 512]);
            let message = |kind: u8, body: &[u8]| {
                let length = u32::try_from(body.len() + 4).expect("short").to_be_bytes();
                [&[kind], length.as_slice(), body].concat()
            };
            let setting = format!("server_version\0{version}\0");
            let greeting = [
                message(b'R', &[0; 4]),
                message(b'S', setting.as_bytes()),
                message(b'K', &[0; 8]),
                message(b'Z', b"I"),
            ];
            let _ = stream.write_all(&greeting.concat());
            // Until the peer closes the connection.
            let _ = stream.read(&mut [0; 512]);
        }
    });
    port
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let closed = free_port();
    let error = failure(&format!("host=localhost port={closed} user=u dbname=d")).await;
    assert!(
        matches!(error, ConnectError::Unreachable { .. }),
        "{error:?}"
    );
    assert_eq!(error.code(), None);
    let error = failure("host=name.invalid user=u dbname=d").await;
    assert!(
        matches!(error, ConnectError::Unreachable { .. }),
        "{error:?}"
    );
    let error = failure("host=/nowhere user=u dbname=d").await;
    assert!(
        matches!(error, ConnectError::Unreachable { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_server_that_keeps_silent_does_not_hang_us() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = listener.local_addr().expect("has an address").port();
    let started = Instant::now();
    for mode in ["disable", "require"] {
        let error = failure(&format!(
            "host=127.0.0.1 port={port} user=u dbname=d sslmode={mode} connect_timeout=2"
        ))
        .await;
        assert!(
            matches!(error, ConnectError::Unreachable { .. }),
            "{error:?}"
        );
        assert_eq!(
            error.source().expect("has one").to_string(),
            "no answer within 2s"
        );
    }
    assert!(started.elapsed() < Duration::from_secs(6));
}

#[tokio::test]
async fn something_else_on_the_port_is_no_tls_server() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = listener.local_addr().expect("has an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let _ = stream.read(&mut [0; 64]);
            let _ = stream.write_all(b"SHTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let error = failure(&format!(
        "host=127.0.0.1 port={port} user=u dbname=d sslmode=require"
    ))
    .await;
    assert!(matches!(error, ConnectError::Tls { .. }), "{error:?}");
}

#[tokio::test]
async fn a_full_server_is_waited_for() {
    let server = Server::start("host all limited 127.0.0.1/32 trust\n", "");
    server.execute("CREATE ROLE limited LOGIN CONNECTION LIMIT 1");
    let text = format!(
        "host=localhost port={} user=limited dbname=postgres",
        server.port
    );
    let first = try_connect(&text).await.expect("connects");

    let error = failure(&text).await;
    assert!(
        matches!(error, ConnectError::TooManyConnections { attempts: 1, .. }),
        "{error:?}"
    );
    assert_eq!(error.code(), Some(SqlState::from_code("53300")));

    let error = connect(&address(&text), &options(Duration::from_millis(400)))
        .await
        .expect_err("still full");
    assert!(
        matches!(
            error,
            ConnectError::TooManyConnections { attempts: 3.., .. }
        ),
        "{error:?}"
    );

    let freeing = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(first);
    };
    let target = address(&text);
    let options = options(Duration::from_secs(20));
    let (second, ()) = tokio::join!(connect(&target, &options), freeing);
    second.expect("connects once there is room");
}

#[tokio::test]
async fn a_starting_server_is_waited_for_and_the_next_host_is_tried() {
    let server = Server::start("host all all 127.0.0.1/32 trust\n", "");
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let starting = listener.local_addr().expect("has an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let _ = stream.read(&mut [0; 256]);
            let fields = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0";
            let length = u32::try_from(fields.len() + 4)
                .expect("short")
                .to_be_bytes();
            let _ = stream.write_all(&[b"E", length.as_slice(), fields].concat());
        }
    });
    let login = "user=postgres dbname=postgres sslmode=disable";
    let alone = address(&format!("host=127.0.0.1 port={starting} {login}"));
    let error = connect(&alone, &options(Duration::from_millis(400)))
        .await
        .expect_err("never up");
    assert!(
        matches!(error, ConnectError::NotReady { attempts: 3.., .. }),
        "{error:?}"
    );

    let closed = free_port();
    let hosts = format!(
        "host=localhost,127.0.0.1,localhost port={closed},{starting},{} {login}",
        server.port
    );
    try_connect(&hosts).await.expect("the third host connects");

    let hosts = format!("host=127.0.0.1,localhost port={starting},{closed} {login}");
    let error = failure(&hosts).await;
    assert!(
        matches!(error, ConnectError::NotReady { .. }),
        "one that may come up is more telling: {error:?}"
    );
}

#[tokio::test]
async fn the_password_file_is_used_as_psql_uses_it() {
    let server = Server::start("host all app 127.0.0.1/32 scram-sha-256\n", "");
    server.execute("CREATE ROLE app LOGIN PASSWORD 'pa:ss\\word'");
    let file = server.folder.join("passwords");
    let right = format!("localhost:{}:postgres:app:pa\\:ss\\\\word\n", server.port);
    let text = format!(
        "host=localhost port={} user=app dbname=postgres passfile={}",
        server.port,
        file.display()
    );
    let cases = [
        (right.clone(), 0o600, true),
        (right.clone(), 0o644, false),
        (
            format!("# none\n\nother:*:*:*:no\n*:*:*:app:pa\\:ss\\\\word\n{right}"),
            0o600,
            true,
        ),
        (format!("*:*:*:*:wrong\n{right}"), 0o600, false),
        (
            format!("*:5:*:*:wrong\n*:*:template1:*:wrong\n{right}"),
            0o600,
            true,
        ),
    ];
    for (content, mode, wanted) in cases {
        fs::write(&file, &content).expect("writes");
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("sets the mode");
        let psql = server
            .psql()
            .args(["-d", &text, "-c", "SELECT 1"])
            .output()
            .expect("psql runs");
        assert_eq!(psql.status.success(), wanted, "psql: {content}");
        assert_eq!(try_connect(&text).await.is_ok(), wanted, "we: {content}");
        assert_eq!(address(&text).warnings().len(), usize::from(mode != 0o600));
    }
}
