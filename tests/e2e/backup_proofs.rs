//! `--verify restore`: a dump is restored into a scratch database like its own, and is the same there.

use tests::{Program, Server};

use crate::backup::{backups, entry, only_backup, shop};

#[test]
fn what_is_restored_is_compared_and_dropped_again() {
    let (server, services) = (Server::start(), shop());
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["all"], 0);
    server.query(
        "db_two",
        "CREATE ROLE reader; GRANT SELECT ON b TO reader; CREATE VIEW v AS SELECT text FROM b; \
         CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM b; CREATE TYPE mood AS ENUM ('sad', 'ok'); \
         CREATE TABLE p (id int, mood mood) PARTITION BY RANGE (id); \
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); INSERT INTO p VALUES (1, 'ok'), (2, 'sad'); \
         SELECT lo_from_bytea(0, 'large')",
    );
    for format in ["custom", "directory"] {
        let arguments = [
            "backup",
            "all",
            "--verify",
            "restore",
            "--backup-format",
            format,
        ];
        orchestrator.expect(&arguments, 0);
    }
    assert_eq!(server.databases(), ["db_one", "db_two"]);
    let found = backups(&orchestrator);
    assert_eq!(found.len(), 2);
    let manifest = crate::backup::manifest(&found[1]);
    let rows = &entry(&manifest, "two")["rows"];
    assert_eq!(rows["public.b"], 1000, "{rows}");
    assert_eq!(rows["public.p1"], 2, "{rows}");
}

#[test]
fn a_database_with_an_icu_locale_is_restored_into_one_like_it() {
    let (server, services) = (Server::start(), shop());
    let major: i32 = server
        .value(
            "postgres",
            "SELECT current_setting('server_version_num')::int / 10000",
        )
        .parse()
        .expect("a number");
    if major < 15 {
        // Before that a database has no locale provider.
        return;
    }
    server.query(
        "postgres",
        "CREATE DATABASE db_one TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de-u-co-phonebk' LOCALE 'C'",
    );
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["run", "one"], 0);
    orchestrator.expect(&["backup", "one", "--verify", "restore"], 0);
    let (_, manifest) = only_backup(&orchestrator);
    let properties = &entry(&manifest, "one")["properties"];
    assert_eq!(properties["locale_provider"], "i");
    let locale = properties["locale"].as_str().expect("a locale");
    assert!(locale.starts_with("de"), "{locale}");
}

#[test]
fn on_another_server_the_roles_are_made_there() {
    let (server, elsewhere, services) = (Server::start(), Server::start(), shop());
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["all"], 0);
    server.query(
        "db_two",
        "CREATE ROLE keeper; ALTER TABLE b OWNER TO keeper; CREATE ROLE \"Reader\"; GRANT SELECT ON b TO \"Reader\"",
    );
    let url = elsewhere.url("postgres");
    orchestrator.expect(
        &[
            "backup",
            "two",
            "--verify",
            "restore",
            "--scratch-server",
            &url,
        ],
        0,
    );
    assert!(elsewhere.databases().is_empty());
    let roles =
        "SELECT count(*) FROM pg_roles WHERE rolname IN ('keeper', 'Reader') AND NOT rolcanlogin";
    assert_eq!(elsewhere.value("postgres", roles), "2");
    only_backup(&orchestrator);
}
