//! Long histories give what psql gives, and go back to nothing; what does not fit its history is refused.

use std::fmt::Write;

use serde_json::Value;
use tests::{Program, Server, ServiceFolder, Services};

const FILES: i64 = 100;

/// One migration of every kind in turn, and what undoes it.
fn files(n: i64) -> (String, String) {
    let before = n - n % 10;
    match n % 10 {
        0 => (
            format!(
                "-- Orders; with a ';' in a comment.\n/* nested /* comment; */ still */\n\
                 CREATE TYPE state_{n} AS ENUM ('new; or not', 'it''s');\n\
                 CREATE TABLE orders_{n} (\n  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,\n  \
                 state state_{n} NOT NULL DEFAULT 'new; or not',\n  note text DEFAULT E'a\\';b',\n  \
                 created_at timestamptz NOT NULL DEFAULT now()\n);\n\
                 COMMENT ON TABLE orders_{n} IS 'a; b -- c';\n"
            ),
            format!("DROP TABLE orders_{n};\nDROP TYPE state_{n};\n"),
        ),
        1 => (
            format!(
                "CREATE FUNCTION total_{n}(first int, second int) RETURNS int LANGUAGE sql\nBEGIN ATOMIC\n  \
                 SELECT first + second;\n  SELECT CASE WHEN first > 0 THEN second ELSE 0 END;\nEND;\n\
                 CREATE FUNCTION touch_{n}() RETURNS trigger LANGUAGE plpgsql AS $body$\nBEGIN\n  \
                 -- $$ is not the end;\n  NEW.note := $$x;y$$;\n  RETURN NEW;\nEND;\n$body$;\n\
                 CREATE TRIGGER touch BEFORE UPDATE ON orders_{before}\n  FOR EACH ROW EXECUTE FUNCTION touch_{n}();\n"
            ),
            format!(
                "DROP TRIGGER touch ON orders_{before};\nDROP FUNCTION touch_{n}();\nDROP FUNCTION total_{n}(int, int);\n"
            ),
        ),
        2 => (
            format!(
                "INSERT INTO orders_{before} (state, note)\nSELECT 'it''s', 'row; ' || i FROM generate_series(1, 20) i;\n\
                 UPDATE orders_{before} SET created_at = '2020-01-01' WHERE id > 10;\n"
            ),
            format!("DELETE FROM orders_{before};\n"),
        ),
        3 => (
            format!("CREATE VIEW view_{n} AS SELECT id, note FROM orders_{before} WHERE note <> ';';"),
            format!("DROP VIEW view_{n}"),
        ),
        4 => (
            format!(
                "CREATE TABLE parts_{n} (day date NOT NULL, amount numeric(12, 2)) PARTITION BY RANGE (day);\n\
                 CREATE TABLE parts_{n}_2020 PARTITION OF parts_{n} FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');\n\
                 CREATE TABLE parts_{n}_rest PARTITION OF parts_{n} DEFAULT;\n\
                 CREATE INDEX ON parts_{n} (day);\nINSERT INTO parts_{n} VALUES ('2020-05-05', 1), ('2022-02-02', 2);\n"
            ),
            format!("DROP TABLE parts_{n};\n"),
        ),
        5 => (
            // As an editor on Windows leaves it.
            format!(
                "\u{feff}ALTER TABLE orders_{before}\r\n  ADD COLUMN price numeric CHECK (price > 0);\r\n\
                 CREATE FUNCTION crlf_{n}() RETURNS text LANGUAGE sql AS $$\r\n  SELECT 'a\r\nb';\r\n$$;\r\n"
            ),
            format!(
                "\u{feff}DROP FUNCTION crlf_{n}();\r\nALTER TABLE orders_{before} DROP COLUMN price;\r\n"
            ),
        ),
        6 => ("-- Only a comment; nothing else.\n".to_owned(), "/* nothing; */ SELECT".to_owned()),
        7 => (String::new(), "SELECT 1".to_owned()),
        8 => (
            format!(
                "DO $$\nDECLARE\n  i int;\nBEGIN\n  FOR i IN 1..3 LOOP\n    EXECUTE format('CREATE TABLE loop_{n}_%s (id int);', i);\n  END LOOP;\nEND;\n$$;\n\
                 CREATE RULE nothing AS ON DELETE TO loop_{n}_1 DO INSTEAD (SELECT 1; SELECT 2);\n"
            ),
            format!("DROP TABLE loop_{n}_1, loop_{n}_2, loop_{n}_3"),
        ),
        _ => (
            format!(
                "CREATE SCHEMA side_{n};\nSET search_path = side_{n}, public;\n\
                 CREATE TABLE \"Odd \"\"Name\"\";\" (\"a;b\" int REFERENCES public.loop_{before}8_2 (id));\n"
            )
            .replace(&format!("loop_{before}8_2 (id)"), &format!("orders_{before} (id)")),
            format!("DROP SCHEMA side_{n} CASCADE;\n"),
        ),
    }
}

/// What a database looks like that holds nothing.
fn empty(server: &Server) -> String {
    server.create_database("untouched");
    server.contents("untouched")
}

#[test]
fn three_hundred_files_give_what_psql_gives_and_go_back_to_nothing() {
    let server = Server::start();
    let services = Services::new();
    let names = ["one", "two", "three"];
    for name in names {
        let service = services.service(name, &[]);
        for n in 0..FILES {
            let (up, down) = files(n);
            service.reversible(1_700_000_000_000 + n, "step", &up, &down);
        }
    }
    let orchestrator = Program::orchestrator(&server).services(&services);
    orchestrator.expect(&["all"], 0);

    std::thread::scope(|scope| {
        for name in names {
            let (server, services) = (&server, &services);
            scope.spawn(move || {
                server.create_database(format!("psql_{name}"));
                for n in 0..FILES {
                    let file = format!("{name}/migrations/V{}__step.sql", 1_700_000_000_000 + n);
                    server.psql_file(&format!("psql_{name}"), &services.path().join(file), true);
                }
            });
        }
    });
    let now = "created_at";
    for name in names {
        // The moment of creation is the one thing that may differ.
        for database in [format!("db_{name}"), format!("psql_{name}")] {
            let tables: String = (0..FILES).step_by(10).fold(String::new(), |mut sql, n| {
                let _ = write!(sql, "ALTER TABLE orders_{n} DISABLE TRIGGER ALL; UPDATE orders_{n} SET {now} = '2020-01-01'; ALTER TABLE orders_{n} ENABLE TRIGGER ALL;");
                sql
            });
            server.query(&database, &tables);
        }
        assert_eq!(
            server.contents(&format!("db_{name}")),
            server.contents(&format!("psql_{name}"))
        );
        assert_eq!(server.applied(&format!("db_{name}")).len(), 100);
    }

    orchestrator.expect(&["revert", "all", "--all"], 0);
    let empty = empty(&server);
    for name in names {
        assert_eq!(server.contents(&format!("db_{name}")), empty);
    }
}

/// The states in `status`, by version.
fn states(orchestrator: &Program) -> Vec<(i64, String)> {
    let status = orchestrator
        .expect(&["status", "--output", "json"], 0)
        .json();
    status["services"][0]["migrations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|migration| {
            (
                migration["version"].as_i64().unwrap(),
                migration["state"].as_str().unwrap_or_default().to_owned(),
            )
        })
        .collect()
}

/// A service with versions 1 and 3 applied.
fn applied(server: &Server) -> (Services, ServiceFolder, Program) {
    let services = Services::new();
    let service = services.service("shop", &[]);
    service
        .reversible(1, "one", "CREATE TABLE one (id int)", "DROP TABLE one")
        .reversible(
            3,
            "three",
            "CREATE TABLE three (id int)",
            "DROP TABLE three",
        );
    let orchestrator = Program::orchestrator(server).services(&services);
    orchestrator.expect(&["all"], 0);
    (services, service, orchestrator)
}

/// Expects that `all` refuses with these words, says what to do next, and changes nothing.
#[track_caller]
fn assert_refused(server: &Server, orchestrator: &Program, words: &[&str]) {
    let before = server.contents("db_shop");
    let outcome = orchestrator.expect(&["all", "--output", "json"], 3);
    let failed = outcome.events_of("service_failed");
    let [failed] = failed.as_slice() else {
        panic!("{}", outcome.stdout);
    };
    let message = failed["message"].as_str().unwrap_or_default();
    for word in words {
        assert!(message.contains(word), "{word}: {failed}");
    }
    assert!(
        failed["next"].as_str().is_some_and(|next| !next.is_empty()),
        "{failed}"
    );
    assert_eq!(
        outcome.events().pop().unwrap_or(Value::Null)["verdict"],
        "refused"
    );
    assert_eq!(server.contents("db_shop"), before);
}

fn state(version: i64, state: &str) -> (i64, String) {
    (version, state.to_owned())
}

#[test]
fn an_edited_migration_is_divergent_and_refused() {
    let server = Server::start();
    let (_services, service, orchestrator) = applied(&server);
    service
        .migration(1, "one", "CREATE TABLE one (id bigint)")
        .migration(4, "four", "CREATE TABLE four (id int)");
    assert_eq!(
        states(&orchestrator),
        [
            state(1, "divergent"),
            state(3, "applied"),
            state(4, "pending")
        ]
    );
    assert_refused(&server, &orchestrator, &["V1__one.sql"]);
    orchestrator.expect(&["revert", "shop", "--all"], 3);
    assert_eq!(server.applied("db_shop"), [1, 3]);
}

#[test]
fn a_missing_migration_is_refused() {
    let server = Server::start();
    let (_services, service, orchestrator) = applied(&server);
    for kind in ["migrations", "reverts"] {
        std::fs::remove_file(service.path().join(kind).join("V3__three.sql")).unwrap();
    }
    service.migration(4, "four", "CREATE TABLE four (id int)");
    assert_eq!(
        states(&orchestrator),
        [
            state(1, "applied"),
            state(3, "missing"),
            state(4, "pending")
        ]
    );
    assert_refused(&server, &orchestrator, &["3"]);
}

#[test]
fn an_out_of_order_migration_is_refused() {
    let server = Server::start();
    let (_services, service, orchestrator) = applied(&server);
    service.migration(2, "two", "CREATE TABLE two (id int)");
    assert_eq!(
        states(&orchestrator),
        [
            state(1, "applied"),
            state(2, "out_of_order"),
            state(3, "applied")
        ]
    );
    assert_refused(&server, &orchestrator, &["V2__two.sql"]);
}
