//! `run --atomic --backup`: the backup, the release and the restore are about the same databases and the same moment.

use tests::{Program, Server, Services};

const NAMES: [&str; 3] = ["one", "two", "three"];

/// Three services in a chain, each with a table that has rows and a migration that is pending; the last one's is given.
fn three(server: &Server, last: &str) -> Services {
    let services = Services::new();
    let mut before: Vec<&str> = Vec::new();
    for name in NAMES {
        services.service(name, &before).migration(
            1,
            "first",
            "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a SELECT generate_series(1, 50)",
        );
        before = vec![name];
    }
    Program::orchestrator(server)
        .services(&services)
        .expect(&["all"], 0);
    for name in NAMES {
        let sql = if name == "three" {
            last
        } else {
            "ALTER TABLE a ADD COLUMN note text; DELETE FROM a WHERE id > 10"
        };
        let file = format!("{name}/migrations/V2__second.sql");
        std::fs::write(services.path().join(file), sql).expect("a migration");
    }
    services
}

/// What each database holds.
fn contents(server: &Server) -> Vec<String> {
    let rows = NAMES.map(|name| {
        let database = format!("db_{name}");
        let rows = server.query(&database, "SELECT a::text FROM a ORDER BY id");
        format!("{}{rows:?}", server.schema(&database))
    });
    rows.to_vec()
}

#[test]
fn what_was_released_goes_back_to_the_backup_before_it() {
    let server = Server::start();
    let services = three(&server, "DROP TABLE a");
    let before = contents(&server);
    let folder = tempfile::tempdir().expect("a folder");
    let backups = folder.path().to_str().expect("a path");
    let orchestrator = Program::orchestrator(&server).services(&services);
    let released = orchestrator.expect(
        &[
            "all",
            "--atomic",
            "--backup",
            "--backup-folder",
            backups,
            "--output",
            "json",
        ],
        0,
    );
    let finished = &released.events_of("run_finished")[0];
    assert_eq!(finished["applied"], 3);
    assert_eq!(released.events_of("backup_finished").len(), 3);
    let places = ["backup_taken", "release_decided"].map(|kind| {
        let event = &released.events_of(kind)[0];
        event["seq"].as_u64().expect("a number")
    });
    assert!(places[0] < places[1], "{places:?}");
    let manifest = finished["backup"].as_str().expect("the manifest's path");
    orchestrator.expect(&["restore", "all", "--from", manifest], 0);
    assert_eq!(contents(&server), before);
    let status = orchestrator
        .expect(&["status", "--output", "json"], 0)
        .json();
    for service in status["services"].as_array().expect("services") {
        assert_eq!(service["pending"], 1, "{service}");
    }
}

#[test]
fn a_release_whose_backup_fails_begins_nothing() {
    let server = Server::start();
    let services = three(&server, "DROP TABLE a");
    let before = contents(&server);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a-file");
    std::fs::write(&file, "").expect("a file");
    let refused = Program::orchestrator(&server).services(&services).expect(
        &[
            "all",
            "--atomic",
            "--backup",
            "--backup-folder",
            file.to_str().expect("a path"),
        ],
        2,
    );
    assert!(refused.stderr.contains("next:"), "{}", refused.stderr);
    assert_eq!(contents(&server), before);
    let prepared = server.query("postgres", "SELECT gid FROM pg_prepared_xacts");
    assert!(prepared.is_empty(), "{prepared:?}");
}

#[test]
fn a_release_that_fails_leaves_the_backup_and_the_databases_as_they_were() {
    let server = Server::start();
    let services = three(&server, "ALTER TABLE absent ADD COLUMN note text");
    let before = contents(&server);
    let folder = tempfile::tempdir().expect("a folder");
    let backups = folder.path().to_str().expect("a path");
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(
        &["all", "--atomic", "--backup", "--backup-folder", backups],
        1,
    );
    assert_eq!(contents(&server), before);
    orchestrator.expect(
        &[
            "restore",
            "all",
            "--from",
            "latest",
            "--backup-folder",
            backups,
            "--drop-old",
        ],
        0,
    );
    assert_eq!(contents(&server), before);
}
