//! A role without a right: each command is refused with the SQL that gives it, and works once that was run.

use tests::{Outcome, Program, Server, Services};

/// A role that may do nothing but log in, and two services, of which one requires the other.
struct Limited {
    server: Server,
    services: Services,
}

impl Limited {
    fn new() -> Self {
        let services = Services::new();
        services
            .service("shop", &[])
            .reversible(1, "one", "CREATE TABLE one (id int)", "DROP TABLE one")
            .reversible(
                2,
                "two",
                "-- migration: no-transaction\nCREATE TABLE two (id int);\nCREATE INDEX CONCURRENTLY two_id ON two (id);",
                "DROP TABLE two",
            );
        services.service("till", &[]).reversible(
            1,
            "one",
            "-- migration: requires shop@1\nCREATE TABLE one (id int)",
            "DROP TABLE one",
        );
        let server = Server::start();
        server.query("postgres", "CREATE ROLE limited LOGIN PASSWORD 'x'");
        for database in ["db_shop", "db_till"] {
            server.create_database(database);
            server.query(database, "REVOKE ALL ON SCHEMA public FROM PUBLIC");
        }
        Self { server, services }
    }

    fn admin(&self) -> Program {
        Program::orchestrator(&self.server)
            .services(&self.services)
            .scratch_beside()
    }

    fn limited(&self) -> Program {
        let url = self.server.url_as("limited", "x", "postgres");
        Program::named("orchestrator")
            .env("ORCHESTRATOR_SERVER_URL", &url)
            .services(&self.services)
            .scratch_beside()
    }

    /// Runs the SQL that a refusal names. `false`: it names none.
    fn give(&self, database: &str, outcome: &Outcome) -> bool {
        let said = format!("{}\n{}", outcome.stdout, outcome.stderr);
        let sql = said.lines().find_map(|line| {
            let (sql, _) = line.split_once(";   -- as an administrator")?;
            sql.split_once("next: ")
        });
        let Some((_, sql)) = sql else {
            return false;
        };
        // As a message of an administrator, statement by statement: CREATE DATABASE and its like allow no other.
        for statement in sql.split("; ") {
            self.server.query(database, statement);
        }
        true
    }

    /// Expects refusals until all rights were given, then `code`.
    #[track_caller]
    fn until_given(&self, database: &str, arguments: &[&str], code: i32) {
        let mut given = 0;
        loop {
            let outcome = self.limited().run(arguments);
            let said = format!("{}\n{}", outcome.stdout, outcome.stderr);
            assert!(!said.contains("db error"), "{arguments:?}: {said}");
            if outcome.code != 3 && given > 0 {
                assert_eq!(outcome.code, code, "{arguments:?}: {said}");
                return;
            }
            assert_eq!(outcome.code, 3, "{arguments:?}: {said}");
            assert!(self.give(database, &outcome), "{arguments:?}: {said}");
            given += 1;
            assert!(given < 4, "{arguments:?}: {said}");
        }
    }

    /// Takes all that was given.
    fn take_back(&self) {
        for database in ["db_shop", "db_till"] {
            self.server.query(database, "DROP OWNED BY limited");
        }
    }
}

#[test]
fn tables_of_ours_that_may_not_be_read() {
    let limited = Limited::new();
    limited.admin().expect(&["run", "shop"], 0);
    for (arguments, code) in [
        (&["status", "shop"][..], 0),
        (&["plan", "shop"], 0),
        (&["run", "shop"], 0),
        (&["history", "shop"], 0),
        (&["history", "shop", "--verify"], 0),
        (&["doctor", "shop"], 0),
        (&["adopt", "shop"], 0),
    ] {
        limited.take_back();
        limited.until_given("db_shop", arguments, code);
    }
    // Each of them alone: what is not seen is not taken for absent.
    for table in [
        "refinery_schema_history",
        "orchestrator.journal",
        "orchestrator.progress",
    ] {
        let revoke = format!("REVOKE SELECT ON {table} FROM limited");
        limited.server.query("db_shop", &revoke);
        limited.until_given("db_shop", &["status", "shop"], 0);
    }
    // The rights on all columns are enough.
    limited.server.query(
        "db_shop",
        "REVOKE SELECT ON refinery_schema_history FROM limited; \
         GRANT SELECT (version, name, applied_on, checksum) ON refinery_schema_history TO limited",
    );
    limited.limited().expect(&["status", "shop"], 0);
    // The other service's history, for a gate.
    limited.take_back();
    limited.server.query(
        "db_till",
        "GRANT CREATE ON DATABASE db_till TO limited; GRANT ALL ON SCHEMA public TO limited",
    );
    limited.until_given("db_shop", &["run", "till"], 0);
}

#[test]
fn tables_of_ours_that_may_not_be_written() {
    let limited = Limited::new();
    limited.admin().expect(&["run", "shop", "--to", "1"], 0);
    let read = "GRANT USAGE ON SCHEMA orchestrator TO limited; GRANT ALL ON SCHEMA public TO limited; \
        GRANT SELECT ON ALL TABLES IN SCHEMA orchestrator, public TO limited";
    limited.server.query("db_shop", read);
    // Nothing of the file has run, and it is no fault of the file.
    let refused = limited
        .limited()
        .expect(&["run", "shop", "--output", "json"], 3);
    assert!(refused.events_of("migration_failed").is_empty());
    assert_eq!(limited.server.applied("db_shop"), [1]);
    limited.until_given("db_shop", &["run", "shop"], 0);
    limited.server.query(
        "db_shop",
        "REVOKE DELETE ON refinery_schema_history FROM limited",
    );
    limited.until_given("db_shop", &["revert", "shop"], 0);
    assert_eq!(limited.server.applied("db_shop"), [1]);
}

#[test]
fn our_tables_are_made_where_an_administrator_made_the_schema() {
    let limited = Limited::new();
    limited.server.query(
        "postgres",
        "REVOKE CREATE ON DATABASE db_shop, db_till FROM PUBLIC",
    );
    limited
        .server
        .query("db_shop", "GRANT ALL ON SCHEMA public TO limited");
    // The schema must be made by somebody else.
    limited.until_given("db_shop", &["run", "shop"], 0);
    limited.limited().expect(&["revert", "shop", "--all"], 0);
    // It is there, and may not be used.
    limited.server.query(
        "db_till",
        "CREATE SCHEMA orchestrator; GRANT ALL ON SCHEMA public TO limited",
    );
    limited.limited().expect(&["run", "shop", "--to", "1"], 0);
    limited.until_given("db_till", &["run", "till", "--atomic"], 0);
    limited.limited().expect(&["revert", "till"], 0);
    // Schema `public` is gone.
    limited.server.create_database("db_bare");
    limited.server.query("db_bare", "DROP SCHEMA public");
    limited
        .services
        .service("bare", &[])
        .migration(1, "one", "CREATE TABLE one (id int)");
    limited.limited().expect(&["status", "bare"], 0);
    let refused = limited
        .limited()
        .expect(&["run", "bare", "--output", "json"], 3);
    let failed = &refused.events_of("service_failed")[0];
    assert_eq!(failed["sqlstate"], "42501", "{failed}");
    let missing = limited.limited().expect(&["run", "bare"], 3);
    assert!(limited.give("db_bare", &missing), "{missing:?}");
    limited.limited().expect(&["run", "bare"], 0);
}

#[test]
fn what_an_administrator_does_on_the_server() {
    let limited = Limited::new();
    limited.admin().expect(&["run", "shop"], 0);
    limited.server.query(
        "db_shop",
        "GRANT USAGE ON SCHEMA orchestrator, public TO limited; \
         GRANT SELECT ON ALL TABLES IN SCHEMA orchestrator, public TO limited",
    );
    // Scratch databases; then the grants above are drift.
    limited.until_given("postgres", &["drift", "shop"], 4);
    limited
        .server
        .query("postgres", "ALTER ROLE limited NOCREATEDB");
    limited.until_given("postgres", &["rehearse", "shop", "--every"], 0);
    limited
        .server
        .query("postgres", "ALTER ROLE limited NOCREATEDB");
    // A restore makes a database, and swaps the names.
    limited.take_back();
    for sql in [
        "ALTER DATABASE db_till OWNER TO limited",
        "GRANT pg_read_all_data TO limited",
    ] {
        limited.server.query("postgres", sql);
    }
    // Before PostgreSQL 15 the owner of the database does not own the schema.
    limited
        .server
        .query("db_till", "GRANT USAGE, CREATE ON SCHEMA public TO limited");
    limited
        .services
        .service("till", &[])
        .migration(1, "one", "CREATE TABLE one (id int)");
    limited.limited().expect(&["run", "till"], 0);
    let program = limited.limited();
    program.expect(&["backup", "till", "--backup-folder", "backups"], 0);
    let folder = program.folder().join("backups");
    let folder = folder.to_str().expect("a path");
    limited
        .server
        .query("postgres", "ALTER DATABASE db_till OWNER TO postgres");
    let restore = [
        "restore",
        "till",
        "--from",
        "latest",
        "--backup-folder",
        folder,
    ];
    limited.until_given("postgres", &restore, 0);
}
