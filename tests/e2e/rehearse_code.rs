//! Functions and triggers that cannot work are told, once, at what first breaks them; what refuses on purpose is no fault.

use pg_session::Client;
use rehearsal::code::{Broken, BrokenCode, Examined, Examiner};
use row_generator::Filler;
use tests::{Program, SERVICES, Server};
use tokio_postgres::NoTls;

struct Ground {
    server: Server,
    runtime: tokio::runtime::Runtime,
    client: Client,
    examiner: Examiner,
    database: String,
}

impl Ground {
    fn new(sql: &str) -> Self {
        let server = Server::start();
        server.query("postgres", sql);
        Self::of(server, "postgres")
    }

    fn of(server: Server, database: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let client = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&server.url(database), NoTls)
                .await
                .expect("a connection");
            tokio::spawn(connection);
            Client::from(client)
        });
        Self {
            server,
            runtime,
            client,
            examiner: Examiner::default(),
            database: database.to_owned(),
        }
    }

    fn run(&self, sql: &str) {
        self.server.query(&self.database, sql);
    }

    /// Empties the database.
    fn start_over(&mut self, sql: &str) {
        self.run(&format!(
            "DROP SCHEMA public CASCADE; CREATE SCHEMA public; {sql}"
        ));
        self.examiner = Examiner::default();
    }

    fn examined(&mut self) -> Examined {
        self.runtime
            .block_on(self.examiner.examine(&self.client))
            .unwrap_or_else(|error| panic!("{error:?}"))
    }

    fn broken(&mut self) -> Vec<BrokenCode> {
        let examined = self.examined();
        assert_eq!(examined.notes, Vec::<String>::new());
        examined.broken
    }

    #[track_caller]
    fn reported(&mut self, expected: &[&str]) {
        let reported: Vec<String> = self.broken().iter().map(ToString::to_string).collect();
        assert_eq!(reported, expected);
    }
}

const BROKEN_UPDATE: &str = "CREATE TABLE policies (id serial PRIMARY KEY, name text, \"updatedAt\" timestamptz);
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.updatedAt = now(); RETURN NEW; END$$;
    CREATE TRIGGER touch_policies BEFORE UPDATE ON policies FOR EACH ROW EXECUTE FUNCTION touch();";

#[test]
fn a_broken_trigger_is_reported_once_and_not_after_it_was_fixed() {
    let mut ground = Ground::new(BROKEN_UPDATE);
    ground.reported(&[
        "every UPDATE of policies fails: trigger touch_policies: record \"new\" has no field \"updatedat\" (42703)",
    ]);
    ground.reported(&[]);
    ground.run("CREATE TABLE more (id integer)");
    ground.reported(&[]);
    ground.run("CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.\"updatedAt\" = now(); RETURN NEW; END$$");
    ground.reported(&[]);
    ground.run("ALTER TABLE policies RENAME \"updatedAt\" TO updated_at");
    ground.reported(&[
        "every UPDATE of policies fails: trigger touch_policies: record \"new\" has no field \"updatedAt\" (42703)",
    ]);
    ground.run("CREATE TABLE notes (id integer, \"updatedAt\" date); CREATE TRIGGER t BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION touch()");
    ground.reported(&[]);
    ground.run("CREATE TABLE bare (id integer); CREATE TRIGGER t BEFORE UPDATE ON bare FOR EACH ROW EXECUTE FUNCTION touch()");
    ground.reported(&[
        "every UPDATE of bare fails: trigger t: record \"new\" has no field \"updatedAt\" (42703)",
    ]);
}

/// Triggers that cannot work, by what they do: the body of the function, when the trigger fires, and what is told.
const BROKEN: &[(&str, &str, &str)] = &[
    (
        "INSERT INTO audit (nothing) VALUES (1); RETURN NEW",
        "AFTER INSERT",
        "every INSERT into t fails: trigger g: column \"nothing\" of relation \"audit\" does not exist (42703)",
    ),
    (
        "INSERT INTO nowhere VALUES (1); RETURN NEW",
        "AFTER DELETE",
        "every DELETE of t fails: trigger g: relation \"nowhere\" does not exist (42P01)",
    ),
    (
        "PERFORM no_function(NEW.id); RETURN NEW",
        "BEFORE INSERT",
        "every INSERT into t fails: trigger g: function no_function(integer) does not exist (42883)",
    ),
    (
        "DECLARE r record; BEGIN NEW.id = r.id; END; RETURN NEW",
        "BEFORE INSERT",
        "every INSERT into t fails: trigger g: record \"r\" is not assigned yet (55000)",
    ),
    (
        "PERFORM 1",
        "BEFORE UPDATE",
        "every UPDATE of t fails: trigger g: control reached end of trigger procedure without RETURN (2F005)",
    ),
    (
        "UPDATE t SET v = v || 'x' WHERE id = NEW.id; RETURN NULL",
        "AFTER UPDATE",
        "every UPDATE of t fails: trigger g: stack depth limit exceeded (54001)",
    ),
    (
        "IF NEW.m = 'angry' THEN RETURN NULL; END IF; RETURN NEW",
        "BEFORE INSERT",
        "every INSERT into t fails: trigger g: invalid input value for enum mood: \"angry\" (22P02)",
    ),
    (
        "IF NEW.v IS DISTINCT FROM OLD.v THEN NEW.w = 1; END IF; RETURN NEW",
        "BEFORE UPDATE",
        "an UPDATE that changes a row of t fails: trigger g: record \"new\" has no field \"w\" (42703)",
    ),
    (
        "RETURN no_such_variable",
        "BEFORE DELETE",
        "every DELETE of t fails: trigger g: column \"no_such_variable\" does not exist (42703)",
    ),
    (
        "PERFORM current_setting('app.tenant'); NEW.nothing = 1; RETURN NEW",
        "BEFORE INSERT",
        "every INSERT into t fails: trigger g: record \"new\" has no field \"nothing\" (42703)",
    ),
    (
        "PERFORM current_setting('work_memory'); RETURN NEW",
        "BEFORE INSERT",
        "every INSERT into t fails: trigger g: unrecognized configuration parameter \"work_memory\" (42704)",
    ),
    (
        "PERFORM set_config('a.b', NEW.v, true) FROM missing.t; RETURN NEW",
        "AFTER INSERT",
        "every INSERT into t fails: trigger g: relation \"missing.t\" does not exist (42P01)",
    ),
];

/// Triggers that work, or refuse on purpose.
const SOUND: &[(&str, &str)] = &[
    (
        "RAISE EXCEPTION 'rows are never changed'",
        "BEFORE INSERT OR UPDATE OR DELETE",
    ),
    (
        "INSERT INTO audit (id) VALUES (NULL); RETURN NEW",
        "AFTER INSERT",
    ),
    ("RETURN NULL", "BEFORE INSERT OR UPDATE"),
    (
        "NEW.v = upper(NEW.v); RETURN NEW",
        "BEFORE INSERT OR UPDATE",
    ),
    (
        "IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; NEW.id = NEW.id; RETURN NEW",
        "BEFORE INSERT OR UPDATE OR DELETE",
    ),
    (
        "IF NEW.m = 'sad' THEN RAISE 'not today'; END IF; RETURN NEW",
        "BEFORE UPDATE",
    ),
    ("PERFORM NEW.v::integer; RETURN NEW", "BEFORE UPDATE"),
    ("UPDATE other SET v = 'x'; RETURN NEW", "AFTER UPDATE"),
    (
        "NEW.v = current_setting('app.tenant')::uuid::text || current_setting('app.user'); RETURN NEW",
        "BEFORE INSERT OR UPDATE",
    ),
    (
        "PERFORM NEW.v::json, NEW.v::xml; RETURN NEW",
        "BEFORE INSERT",
    ),
    ("PERFORM NEW.v::inet; RETURN NEW", "BEFORE INSERT"),
    (
        "PERFORM currval('t_id_seq'), lastval(); RETURN NEW",
        "BEFORE UPDATE",
    ),
];

/// Triggers that fail because of what a row holds.
const VALUES: &[(&str, &str)] = &[
    ("PERFORM NEW.v::tsquery; RETURN NEW", "BEFORE INSERT"),
    ("PERFORM NEW.v::jsonpath; RETURN NEW", "BEFORE UPDATE"),
    ("PERFORM NEW.v::regclass; RETURN NEW", "BEFORE INSERT"),
    ("PERFORM NEW.v::regtype; RETURN NEW", "BEFORE INSERT"),
    ("EXECUTE NEW.v; RETURN NEW", "BEFORE INSERT"),
    (
        "EXECUTE format('INSERT INTO %I VALUES (1)', 'log_' || NEW.v); RETURN NEW",
        "AFTER INSERT",
    ),
];

fn with_trigger(body: &str, on: &str) -> String {
    format!(
        "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TABLE t (id serial PRIMARY KEY, v text, m mood NOT NULL);
         CREATE TABLE child (t integer NOT NULL REFERENCES t); CREATE TABLE audit (id integer NOT NULL); CREATE TABLE other (v text);
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body}; END$$;
         CREATE TRIGGER g {on} ON t FOR EACH ROW EXECUTE FUNCTION f();"
    )
}

#[test]
fn every_kind_of_broken_code_is_reported() {
    let mut ground = Ground::new("SELECT 1");
    for (body, on, reported) in BROKEN {
        ground.start_over(&with_trigger(body, on));
        ground.reported(&[reported]);
    }
}

#[test]
fn code_that_works_or_refuses_on_purpose_is_not_reported() {
    let mut ground = Ground::new("SELECT 1");
    for (body, on) in SOUND {
        ground.start_over(&with_trigger(body, on));
        ground.reported(&[]);
    }
    for (body, on) in VALUES {
        ground.start_over(&with_trigger(body, on));
        let examined = ground.examined();
        assert_eq!(examined.broken, [], "{body}");
        assert_eq!(examined.notes.len(), 1, "{body}: {:?}", examined.notes);
    }
}

#[test]
fn rows_that_stand_there_are_tried_and_stay() {
    let mut ground = Ground::new(&format!(
        "{BROKEN_UPDATE} INSERT INTO policies (name) SELECT 'p' || g FROM generate_series(1, 100) AS g"
    ));
    let before = ground.server.everything("postgres");
    assert_eq!(ground.broken().len(), 1);
    assert_eq!(ground.server.everything("postgres"), before);
}

#[test]
fn nothing_stays_of_the_rows_that_are_made_for_it() {
    let mut ground = Ground::new(BROKEN_UPDATE);
    let before = ground.server.everything("postgres");
    assert_eq!(ground.broken().len(), 1);
    assert_eq!(ground.server.everything("postgres"), before);
}

#[test]
fn triggers_with_conditions_on_partitions_and_put_off_are_tried() {
    let mut ground = Ground::new(
        "CREATE TABLE parted (id integer, v text) PARTITION BY LIST (id); CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1, 2, 3, 4);
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.x = 1; RETURN NEW; END$$;
         CREATE TRIGGER g AFTER UPDATE ON parted FOR EACH ROW EXECUTE FUNCTION f();
         CREATE TABLE late (id integer, state text CHECK (state IN ('new', 'done')));
         CREATE CONSTRAINT TRIGGER l AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f();
         CREATE TRIGGER w BEFORE UPDATE ON late FOR EACH ROW WHEN (NEW.state = 'done') EXECUTE FUNCTION f();
         CREATE TABLE emptied (id integer); CREATE TRIGGER e BEFORE TRUNCATE ON emptied EXECUTE FUNCTION f();
         CREATE TABLE off (id integer); CREATE TRIGGER o BEFORE UPDATE ON off FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE off DISABLE TRIGGER o",
    );
    let reported: Vec<String> = ground
        .broken()
        .iter()
        .map(|broken| {
            broken
                .to_string()
                .split(": ")
                .take(2)
                .collect::<Vec<_>>()
                .join(": ")
        })
        .collect();
    assert_eq!(
        reported,
        [
            "every TRUNCATE of emptied fails: trigger e",
            "every INSERT into late fails: trigger l",
            "every UPDATE of late fails: trigger w",
            "every UPDATE of parted fails: trigger g",
        ]
    );
}

#[test]
fn functions_that_refer_to_dropped_objects_are_reported() {
    let mut ground = Ground::new(
        "CREATE TABLE users (id integer, name text);
         CREATE FUNCTION user_name(integer) RETURNS text LANGUAGE sql AS 'SELECT name FROM users WHERE id = $1';
         CREATE FUNCTION elsewhere() RETURNS bigint LANGUAGE sql SET search_path = hidden AS 'SELECT count(*) FROM things';
         CREATE SCHEMA hidden; CREATE TABLE hidden.things (id integer);
         CREATE FUNCTION fine() RETURNS integer LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'"
            .replace("CREATE FUNCTION elsewhere", "SET check_function_bodies = off; CREATE FUNCTION elsewhere")
            .as_str(),
    );
    ground.reported(&[]);
    ground.run("ALTER TABLE users RENAME TO people");
    ground.reported(&[
        "function user_name(integer) cannot run: relation \"users\" does not exist (42P01)",
    ]);
    ground.reported(&[]);
    ground.run("SET check_function_bodies = off; CREATE FUNCTION broken() RETURNS integer LANGUAGE plpgsql AS 'BEGIN RETRUN 1; END'");
    let broken = ground.broken();
    assert_eq!(broken.len(), 1, "{broken:?}");
    assert_eq!(broken[0].what, Broken::Function("broken()".to_owned()));
}

/// The platform as the guide left it, and as it is.
#[test]
fn the_update_trigger_of_the_guide_is_found_in_every_service_and_fixed() {
    let server = Server::start();
    let orchestrator = Program::orchestrator(&server);
    orchestrator.expect(&["all"], 0);
    let mut legacy = 0;
    let mut tables = 0;
    let mut server = server;
    for (_, database) in SERVICES.iter().copied() {
        let mut ground = Ground::of(server, database);
        ground.runtime.block_on(async {
            let filled = Filler::default().fill(&ground.client).await.expect("rows");
            assert_eq!(filled.unfilled, [], "{database}");
        });
        assert_eq!(ground.broken(), [], "{database}");
        // As the legacy migrations have it.
        let is_folded =
            "EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'updatedAt')";
        let triggers: usize = ground
            .server
            .value(database, &format!("SELECT count(*) FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid \
                 WHERE NOT tgisinternal AND tgfoid = to_regproc('update_updated_at_column') AND {is_folded}"))
            .parse()
            .expect("a number");
        tables += triggers;
        if triggers > 0 {
            ground.run(
                "CREATE OR REPLACE FUNCTION update_updated_at_column() RETURNS trigger LANGUAGE plpgsql AS \
                 $$BEGIN NEW.updatedAt = now(); RETURN NEW; END$$",
            );
            let broken = ground.broken();
            assert_eq!(broken.len(), triggers, "{database}: {broken:?}");
            legacy += broken.len();
        }
        server = ground.server;
    }
    assert_eq!(legacy, tables);
    assert!(legacy >= 38, "{legacy}");
}
