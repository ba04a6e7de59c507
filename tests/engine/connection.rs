//! An open connection: notices, cancelling, errors as data, and the same address for psql.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    missing_docs,
    reason = "a test that cannot continue fails"
)]

use domain::ServerError;
use std::time::{Duration, Instant};

use crate::support::{Server, address, try_connect};
use pg_session::is_connection_lost;

fn server() -> Server {
    let server = Server::start(
        "hostssl all app 127.0.0.1/32 scram-sha-256\nhost all postgres 127.0.0.1/32 trust\n",
        "ssl = on",
    );
    server.execute("CREATE ROLE app LOGIN PASSWORD 'right word'");
    server
}

#[tokio::test]
async fn notices_cancelling_and_lost_connections() {
    let server = server();
    let text = format!(
        "host=localhost port={} user=app password='right word' dbname=postgres sslmode=verify-full sslrootcert={}",
        server.port,
        server.file("ca.crt")
    );
    let mut connection = try_connect(&text).await.expect("connects");
    let name = connection
        .client
        .query_one("SHOW application_name", &[])
        .await
        .expect("answers");
    assert_eq!(name.get::<_, String>(0), "connect test");

    let notice = "DO $$ BEGIN RAISE NOTICE 'one'; RAISE WARNING 'two'; END $$";
    connection.client.batch_execute(notice).await.expect("runs");
    let mut said = Vec::new();
    while let Ok(notice) = connection.notices.try_recv() {
        said.push(ServerError::from(&notice));
    }
    let said: Vec<_> = said
        .iter()
        .map(|notice| (notice.severity.as_str(), notice.message.as_str()))
        .collect();
    assert_eq!(said, [("NOTICE", "one"), ("WARNING", "two")]);

    let started = Instant::now();
    let cancel = connection.cancel.clone();
    let cancelling = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        cancel.cancel().await
    };
    let (sleeping, cancelled) = tokio::join!(
        connection.client.batch_execute("SELECT pg_sleep(60)"),
        cancelling
    );
    cancelled.expect("reaches the server");
    let error = sleeping.expect_err("cancelled");
    assert_eq!(
        ServerError::from_error(&error)
            .expect("the server said so")
            .sqlstate,
        "57014"
    );
    assert!(!is_connection_lost(&error) && started.elapsed() < Duration::from_secs(30));

    let error = connection
        .client
        .batch_execute("SELECT 1;\nSELECT nothing")
        .await
        .expect_err("no such column");
    let said = ServerError::from_error(&error).expect("the server said so");
    assert_eq!(
        (
            said.sqlstate.as_str(),
            said.severity.as_str(),
            said.position
        ),
        ("42703", "ERROR", Some(18))
    );
    assert_eq!(
        said.to_string(),
        "ERROR: column \"nothing\" does not exist (SQLSTATE 42703)"
    );

    server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'connect test'");
    let ended = connection
        .task
        .await
        .expect("the driver does not panic")
        .expect_err("the server ended it");
    assert!(is_connection_lost(&ended), "{ended:?}");
    let error = connection
        .client
        .batch_execute("SELECT 1")
        .await
        .expect_err("no connection");
    assert!(
        is_connection_lost(&error) && ServerError::from_error(&error).is_none(),
        "{error:?}"
    );
}

#[tokio::test]
async fn dropping_the_client_ends_the_connection() {
    let server = server();
    let connection = try_connect(&format!(
        "host=localhost port={} user=postgres dbname=postgres",
        server.port
    ))
    .await;
    let connection = connection.expect("connects");
    drop(connection.client);
    connection
        .task
        .await
        .expect("the driver does not panic")
        .expect("ends well");
}

#[tokio::test]
async fn psql_reaches_the_same_place_with_the_variables_of_the_address() {
    let server = server();
    server.execute("CREATE DATABASE second");
    let address = address(&format!(
        "postgres://app:right%20word@localhost:{}/postgres?sslmode=verify-full&sslrootcert={}&options=-c%20work_mem%3D7MB",
        server.port,
        server.file("ca.crt")
    ))
    .with_database("second");
    let output = server
        .psql()
        .envs(address.libpq_environment(Duration::from_secs(10)))
        .args(["-c", "SELECT current_user, current_database(), ssl, current_setting('work_mem') FROM pg_stat_ssl WHERE pid = pg_backend_pid()"])
        .output()
        .expect("psql runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        "app|second|t|7MB"
    );
}
