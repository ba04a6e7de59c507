//! What has the name of one of our tables counts only where it is an ordinary table of somebody whom we trust.

use tests::{Program, Server, Services};

const CALLED: &str = "PLANTED CODE WAS CALLED";

/// A function of somebody else, which shows in the server's log.
const EVIL: &str = "CREATE ROLE mallory LOGIN; CREATE SCHEMA zzz AUTHORIZATION mallory; GRANT CREATE ON SCHEMA public TO mallory;
    SET ROLE mallory;
    CREATE FUNCTION zzz.evil() RETURNS int LANGUAGE plpgsql AS $$BEGIN RAISE LOG 'PLANTED CODE WAS CALLED'; RETURN 1; END$$;
    CREATE FUNCTION zzz.fire() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM zzz.evil(); RETURN NEW; END$$;";

const COLUMNS: &str =
    "(version int8 PRIMARY KEY, name varchar(255), applied_on varchar(255), checksum varchar(255))";

fn services() -> Services {
    let services = Services::new();
    services
        .service("shop", &[])
        .reversible(1, "one", "CREATE TABLE one (id int)", "DROP TABLE one")
        .reversible(2, "two", "CREATE TABLE two (id int)", "DROP TABLE two");
    services
}

fn on(server: &Server, services: &Services, database: &str) -> Program {
    Program::named("orchestrator")
        .services(services)
        .env("SHOP_DATABASE_URL", &server.url(database))
        .scratch_beside()
}

#[test]
fn what_is_planted_is_refused_and_named() {
    let server = Server::with(&[("log_min_messages", "log")]);
    let services = services();
    let table = format!("CREATE TABLE public.refinery_schema_history {COLUMNS}");
    server.create_database("empty");
    server.query("empty", EVIL);
    server.query("postgres", "CREATE DATABASE used TEMPLATE empty");
    on(&server, &services, "used").expect(&["run", "shop", "--to", "1"], 0);
    let history = "public.refinery_schema_history";
    let cases: Vec<(&str, &str, String)> = vec![
        ("empty", history, "SET ROLE mallory; CREATE VIEW public.refinery_schema_history AS SELECT zzz.evil()::int8 AS version, 'x' AS name, 'x' AS applied_on, '1' AS checksum".into()),
        ("empty", history, format!("SET ROLE mallory; {table}")),
        ("empty", history, "SET ROLE mallory; CREATE DOMAIN public.refinery_schema_history AS int CHECK (zzz.evil() > 0)".into()),
        ("empty", history, "SET ROLE mallory; CREATE TYPE public.refinery_schema_history AS (version int8)".into()),
        ("empty", "orchestrator.journal", "CREATE SCHEMA orchestrator; CREATE TYPE orchestrator.journal AS ENUM ('a')".into()),
        ("empty", "zzz.refinery_schema_history", format!("SET ROLE mallory; CREATE TABLE zzz.refinery_schema_history {COLUMNS}; INSERT INTO zzz.refinery_schema_history VALUES (1), (2)")),
        ("empty", "orchestrator.journal", "CREATE SCHEMA orchestrator; GRANT ALL ON SCHEMA orchestrator TO mallory; SET ROLE mallory; CREATE VIEW orchestrator.journal AS SELECT zzz.evil() AS id".into()),
        ("empty", "schema orchestrator", "CREATE SCHEMA orchestrator AUTHORIZATION mallory".into()),
        ("empty", "orchestrator.releases", "CREATE SCHEMA orchestrator; GRANT ALL ON SCHEMA orchestrator TO mallory; SET ROLE mallory; CREATE TABLE orchestrator.releases (run_id uuid)".into()),
        ("used", "orchestrator.progress", "GRANT ALL ON SCHEMA orchestrator TO mallory; SET ROLE mallory; CREATE TABLE orchestrator.progress (service text)".into()),
        ("used", history, "GRANT TRIGGER ON refinery_schema_history TO mallory; SET ROLE mallory; CREATE TRIGGER evil AFTER INSERT OR DELETE ON public.refinery_schema_history FOR EACH ROW EXECUTE FUNCTION zzz.fire()".into()),
        ("used", "orchestrator.journal", "CREATE TRIGGER evil BEFORE INSERT ON orchestrator.journal FOR EACH ROW EXECUTE FUNCTION zzz.fire()".into()),
        ("used", "orchestrator.journal", "CREATE RULE evil AS ON INSERT TO orchestrator.journal DO ALSO SELECT zzz.evil()".into()),
        ("used", history, "ALTER TABLE refinery_schema_history ENABLE ROW LEVEL SECURITY".into()),
        ("used", history, "CREATE TABLE zzz.child () INHERITS (public.refinery_schema_history)".into()),
        ("used", history, "ALTER TABLE refinery_schema_history ADD who int DEFAULT zzz.evil()".into()),
        ("used", history, "ALTER TABLE refinery_schema_history ADD who text DEFAULT pg_catalog.query_to_xml('SELECT zzz.evil()', true, true, '')::text".into()),
        ("used", "orchestrator.journal", "ALTER TABLE orchestrator.journal ADD CHECK (zzz.evil() > 0) NOT VALID".into()),
        ("used", history, "CREATE INDEX ON refinery_schema_history (lower(name))".into()),
        ("used", "orchestrator.journal", "ALTER TABLE orchestrator.journal OWNER TO mallory".into()),
    ];
    for (number, (template, object, sql)) in cases.iter().enumerate() {
        let database = format!("db_{number}");
        server.copy_database(template, &database);
        server.query(&database, sql);
        let before = server.cluster().log().expect("the log").len();
        let orchestrator = on(&server, &services, &database);
        let all: &[&[&str]] = &[
            &["status"],
            &["plan"],
            &["run", "shop"],
            &["run", "shop", "--atomic"],
            &["revert", "shop"],
            &["history"],
            &["history", "--verify"],
            &["doctor"],
            &["drift"],
            &["adopt", "shop"],
            &["backup", "shop"],
        ];
        for command in if number % 7 == 0 { all } else { &all[..3] } {
            let outcome = orchestrator.run(command);
            let said = outcome.stdout + &outcome.stderr;
            assert_eq!(outcome.code, 3, "{sql}: {command:?}: {said}");
            assert!(said.contains(object), "{sql}: {command:?}: {said}");
        }
        let log = server.cluster().log().expect("the log");
        assert!(!log[before..].contains(CALLED), "{sql}");
    }
}

#[test]
fn our_tables_are_found_and_only_we_can_write_them() {
    let server = Server::start();
    let services = services();
    server.query(
        "postgres",
        "CREATE ROLE app; CREATE ROLE deploy LOGIN PASSWORD 'x' IN ROLE app; CREATE ROLE other LOGIN PASSWORD 'x'; CREATE ROLE reader",
    );
    server.query("postgres", "CREATE DATABASE db_shop OWNER app");
    server.query(
        "db_shop",
        "GRANT CREATE ON SCHEMA public TO app; ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT ALL ON TABLES TO PUBLIC; \
         ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT ALL ON SCHEMAS TO other; ALTER ROLE deploy SET role = app",
    );
    let deploy = server.url_as("deploy", "x", "db_shop");
    let as_deploy = Program::named("orchestrator")
        .services(&services)
        .env("SHOP_DATABASE_URL", &deploy);
    as_deploy.expect(&["run", "shop", "--to", "1"], 0);
    for (table, right, expected) in [
        ("public.refinery_schema_history", "INSERT", "f"),
        ("public.refinery_schema_history", "TRUNCATE", "f"),
        ("public.refinery_schema_history", "SELECT", "t"),
        ("orchestrator.journal", "TRIGGER", "f"),
        ("orchestrator.journal", "UPDATE", "f"),
    ] {
        let asked = format!("SELECT has_table_privilege('reader', '{table}', '{right}')");
        assert_eq!(server.value("db_shop", &asked), expected, "{table} {right}");
    }
    let creates = "SELECT has_schema_privilege('other', 'orchestrator', 'CREATE')";
    assert_eq!(server.value("db_shop", creates), "f");
    // The tables are those of the owner of the database, and of a role that this one is a member of.
    server.query("db_shop", "ALTER ROLE deploy RESET role");
    as_deploy.expect(&["status"], 0);
    on(&server, &services, "db_shop").expect(&["run", "shop"], 0);
    // A migration has changed where names are looked up: the history is found all the same.
    server.query(
        "db_shop",
        "CREATE SCHEMA soc; ALTER DATABASE db_shop SET search_path = soc",
    );
    on(&server, &services, "db_shop").expect(&["status", "--exit-code"], 0);
}
