//! Rows are made for whatever a table asks of them, and what a migration and its revert do to rows is what is told.

use std::collections::{BTreeMap, BTreeSet};

use pg_session::Client;
use row_generator::{Digests, Filled, Filler, Loss, RowsError, digest, losses};
use tests::{Program, Server, Services};
use tokio_postgres::{NoTls, SimpleQueryMessage};

/// A database, and a session in it.
struct Ground {
    _server: Server,
    runtime: tokio::runtime::Runtime,
    client: Client,
    filler: Filler,
}

impl Ground {
    fn new(sql: &str) -> Self {
        let server = Server::start();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let client = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&server.url("postgres"), NoTls)
                .await
                .expect("a connection");
            tokio::spawn(connection);
            Client::from(client)
        });
        let ground = Self {
            _server: server,
            runtime,
            client,
            filler: Filler::default(),
        };
        ground.run(sql);
        ground
    }

    /// Empties the database.
    fn start_over(&mut self, sql: &str) {
        self.run(&format!(
            "DROP SCHEMA public CASCADE; CREATE SCHEMA public; {sql}"
        ));
        self.filler = Filler::default();
    }

    fn fill(&mut self) -> Filled {
        self.runtime
            .block_on(self.filler.fill(&self.client))
            .unwrap_or_else(|error| panic!("{error:?}"))
    }

    fn digest(&self, earlier: Option<&Digests>) -> Digests {
        let read: Result<Digests, RowsError> = self.runtime.block_on(digest(&self.client, earlier));
        read.unwrap_or_else(|error| panic!("{error:?}"))
    }

    fn query(&self, sql: &str) -> Vec<Vec<String>> {
        let messages = self
            .runtime
            .block_on(self.client.simple_query(sql))
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let mut rows = Vec::new();
        for message in messages {
            match message {
                SimpleQueryMessage::RowDescription(_) => rows.clear(),
                SimpleQueryMessage::Row(row) => rows.push(
                    (0..row.len())
                        .map(|place| row.get(place).unwrap_or("NULL").to_owned())
                        .collect(),
                ),
                _ => {}
            }
        }
        rows
    }

    fn run(&self, sql: &str) {
        self.query(sql);
    }

    fn value(&self, sql: &str) -> String {
        self.query(sql)[0][0].clone()
    }

    /// The values of every column of every table, in the order of the keys.
    fn truth(&self) -> BTreeMap<(String, String), Vec<String>> {
        let columns = self.query(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'",
        );
        let column = |pair: Vec<String>| {
            let (table, name) = (pair[0].clone(), pair[1].clone());
            let sql = format!("SELECT \"{name}\" FROM \"{table}\" ORDER BY key");
            let values = self.query(&sql).into_iter().map(|row| row[0].clone());
            ((table, name), values.collect())
        };
        columns.into_iter().map(column).collect()
    }

    /// What is told of a migration and its revert, with rows in every table.
    fn reported(&mut self, up: &str, down: &str) -> Vec<Loss> {
        let filled = self.fill();
        assert_eq!(filled.unfilled, []);
        let before = self.digest(None);
        self.run(up);
        let after_up = self.digest(Some(&before));
        self.run(down);
        let after_down = self.digest(Some(&before));
        losses(&before, &after_up, &after_down)
    }

    /// Every foreign key has its parents.
    fn foreign_keys_hold(&self) {
        let keys = self.query(
            "SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f' AND conparentid = 0",
        );
        for key in keys {
            // Made anew, the server looks at every row.
            self.run(&format!(
                "ALTER TABLE {0} DROP CONSTRAINT \"{1}\"; ALTER TABLE {0} ADD CONSTRAINT \"{1}\" {2}",
                key[0], key[1], key[2]
            ));
        }
    }
}

/// Every type that a column can have, and that needs no extension.
const TYPES: &[&str] = &[
    "smallint",
    "integer",
    "bigint",
    "numeric",
    "numeric(4,2)",
    "numeric(3,0)",
    "numeric(2,2)",
    "numeric(12,6)",
    "real",
    "double precision",
    "money",
    "text",
    "varchar",
    "varchar(1)",
    "varchar(3)",
    "varchar(255)",
    "char(1)",
    "char(10)",
    "\"char\"",
    "name",
    "bytea",
    "boolean",
    "date",
    "timestamp",
    "timestamp(0)",
    "timestamptz",
    "timestamptz(3)",
    "time",
    "time(2)",
    "timetz",
    "interval",
    "interval(2)",
    "interval year to month",
    "interval day",
    "interval hour to second",
    "uuid",
    "json",
    "jsonb",
    "jsonpath",
    "xml",
    "inet",
    "cidr",
    "macaddr",
    "macaddr8",
    "bit",
    "bit(5)",
    "varbit",
    "varbit(7)",
    "tsvector",
    "tsquery",
    "point",
    "line",
    "lseg",
    "box",
    "path",
    "polygon",
    "circle",
    "pg_lsn",
    "pg_snapshot",
    "txid_snapshot",
    "oid",
    "xid",
    "xid8",
    "cid",
    "tid",
    "oidvector",
    "int2vector",
    "regclass",
    "regtype",
    "regproc",
    "regprocedure",
    "regoper",
    "regoperator",
    "regconfig",
    "regdictionary",
    "regnamespace",
    "regrole",
    "regcollation",
    "aclitem",
    "refcursor",
    "int4range",
    "int8range",
    "numrange",
    "tsrange",
    "tstzrange",
    "daterange",
    "int4multirange",
    "nummultirange",
    "tstzmultirange",
    "integer[]",
    "text[]",
    "varchar(3)[]",
    "numeric(4,2)[]",
    "uuid[]",
    "timestamptz[]",
    "jsonb[]",
    "box[]",
    "boolean[]",
    "integer[][]",
    "inet[]",
    "mood",
    "mood[]",
    "pair",
    "pair[]",
    "nested",
    "positive",
    "positive[]",
    "code",
    "narrow_code",
    "short_code",
    "money_range",
    "floatrange",
    "floatmultirange",
    "required_name",
];

const OWN_TYPES: &str = "CREATE TYPE mood AS ENUM ('sad', 'it''s \"fine\"', 'a,b', 'happy');
    CREATE TYPE pair AS (a integer, b text);
    CREATE DOMAIN positive AS numeric(8,2) CHECK (VALUE > 0);
    CREATE DOMAIN code AS text CHECK (VALUE ~ '^[A-Z]{3}-[0-9]{2}$');
    CREATE DOMAIN narrow_code AS code CHECK (VALUE LIKE 'B%');
    CREATE DOMAIN short_code AS varchar(2) DEFAULT 'xx' CHECK (length(VALUE) = 2);
    CREATE DOMAIN required_name AS text NOT NULL CHECK (VALUE <> '');
    CREATE TYPE nested AS (p pair, m mood, n positive, l integer[]);
    CREATE TYPE floatrange AS RANGE (subtype = float8, multirange_type_name = floatmultirange);
    CREATE DOMAIN money_range AS numrange CHECK (NOT isempty(VALUE));";

#[test]
fn every_type_gets_values() {
    let mut sql = OWN_TYPES.to_owned();
    for (number, name) in TYPES.iter().enumerate() {
        sql.push_str(&format!(
            "CREATE TABLE t{number} (optional {name}, required {name} NOT NULL);"
        ));
    }
    let mut ground = Ground::new(&sql);
    let filled = ground.fill();
    assert_eq!(filled.unfilled, []);
    for (number, name) in TYPES.iter().enumerate() {
        let counts = ground.query(&format!(
            "SELECT count(*), count(optional), count(DISTINCT required::text) FROM t{number}"
        ));
        let counts: Vec<u32> = counts[0]
            .iter()
            .map(|n| n.parse().expect("a number"))
            .collect();
        assert!(counts[0] >= 3, "{name}: {counts:?}");
        // One row is NULL where it may be.
        let null = if *name == "required_name" { 0 } else { 1 };
        assert_eq!(counts[1], counts[0] - null, "{name}: {counts:?}");
        assert!(
            counts[2] >= 2 || name.starts_with("reg") || *name == "aclitem",
            "{name}: {counts:?}"
        );
    }
    assert_eq!(
        ground.fill(),
        Filled::default(),
        "there is nothing to do again"
    );
}

/// Tables that ask something of their rows, each with how many rows it gets at least.
const DEMANDING: &[(&str, &str, u32)] = &[
    ("listed", "CREATE TABLE listed (key serial PRIMARY KEY, status varchar(20) NOT NULL CHECK (status IN ('open', 'it''s done', 'c', 'd', 'e')))", 5),
    ("compared", "CREATE TABLE compared (key serial PRIMARY KEY, score integer NOT NULL CHECK (score >= 40 AND score <= 42))", 3),
    ("negative", "CREATE TABLE negative (key serial PRIMARY KEY, n numeric(5,2) NOT NULL CHECK (n < '-100.5'::numeric))", 3),
    ("odd", "CREATE TABLE odd (key serial PRIMARY KEY, n integer NOT NULL CHECK (n % 7 = 3))", 3),
    ("matching", "CREATE TABLE matching (key serial PRIMARY KEY, code text NOT NULL UNIQUE CHECK (code ~ '^[A-Z]{2}-[0-9]{4}(-x)?$'))", 3),
    ("digits", "CREATE TABLE digits (key serial PRIMARY KEY, code char(10) NOT NULL CHECK (code ~ '^\\d{10}$'))", 3),
    ("mail", "CREATE TABLE mail (key serial PRIMARY KEY, address text NOT NULL CHECK (address ~* '^[A-Za-z0-9._%-]+@[A-Za-z0-9.-]+[.][A-Za-z]+$'))", 3),
    ("like_it", "CREATE TABLE like_it (key serial PRIMARY KEY, path text NOT NULL CHECK (path LIKE '/srv/%.log'))", 3),
    ("long_enough", "CREATE TABLE long_enough (key serial PRIMARY KEY, hash varchar(64) NOT NULL CHECK (char_length(hash) = 64))", 3),
    ("lower_case", "CREATE TABLE lower_case (key serial PRIMARY KEY, slug varchar(30) NOT NULL CHECK (slug = lower(slug) AND slug <> ''))", 3),
    ("between_dates", "CREATE TABLE between_dates (key serial PRIMARY KEY, starts date NOT NULL, ends date NOT NULL, CHECK (ends > starts), CHECK (ends - starts <= 2))", 3),
    ("future", "CREATE TABLE future (key serial PRIMARY KEY, expires timestamptz NOT NULL CHECK (expires > '2090-01-01'))", 3),
    ("one_of_two", "CREATE TABLE one_of_two (key serial PRIMARY KEY, a integer, b integer, CHECK ((a IS NULL) <> (b IS NULL)))", 3),
    ("at_least_one", "CREATE TABLE at_least_one (key serial PRIMARY KEY, a text, b text, CHECK (num_nonnulls(a, b) >= 1))", 3),
    ("implied", "CREATE TABLE implied (key serial PRIMARY KEY, state text NOT NULL CHECK (state IN ('new', 'paid')), paid_on date, CHECK (state <> 'paid' OR paid_on IS NOT NULL))", 3),
    ("document", "CREATE TABLE document (key serial PRIMARY KEY, body jsonb NOT NULL CHECK (jsonb_typeof(body) = 'object' AND body ? 'kind' AND jsonb_typeof(body -> 'kind') = 'string'))", 3),
    ("listing", "CREATE TABLE listing (key serial PRIMARY KEY, body jsonb NOT NULL CHECK (jsonb_typeof(body) = 'array'))", 3),
    ("tags", "CREATE TABLE tags (key serial PRIMARY KEY, tags text[] NOT NULL CHECK (cardinality(tags) BETWEEN 3 AND 4))", 3),
    ("subset", "CREATE TABLE subset (key serial PRIMARY KEY, roles text[] NOT NULL CHECK (roles <@ ARRAY['admin', 'auditor'] AND cardinality(roles) > 0))", 3),
    ("whole_row", "CREATE TABLE whole_row (key serial PRIMARY KEY, a integer NOT NULL, CHECK (whole_row IS NOT NULL))", 1),
    ("called", "CREATE FUNCTION even(integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 % 2 = 0'; CREATE TABLE called (key serial PRIMARY KEY, n integer NOT NULL CHECK (even(n)))", 3),
    ("generated", "CREATE TABLE generated (key integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a integer NOT NULL, b integer GENERATED ALWAYS AS (a * 2) STORED)", 3),
    ("by_default", "CREATE TABLE by_default (key bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())", 3),
    ("only_flags", "CREATE TABLE only_flags (key boolean, other boolean NOT NULL, PRIMARY KEY (key, other))", 3),
    ("single_flag", "CREATE TABLE single_flag (key boolean PRIMARY KEY DEFAULT true CHECK (key))", 1),
    ("pairs", "CREATE TABLE pairs (key text, kind text CHECK (kind IN ('a', 'b')), UNIQUE (key, kind))", 3),
    ("nobody_twice", "CREATE TABLE nobody_twice (key int4range NOT NULL, EXCLUDE USING gist (key WITH &&))", 3),
    ("partial", "CREATE TABLE partial (key serial PRIMARY KEY, name text NOT NULL, deleted boolean NOT NULL); CREATE UNIQUE INDEX ON partial (lower(name)) WHERE NOT deleted", 3),
    ("no_columns", "CREATE TABLE no_columns ()", 3),
    ("quoted \"table\"", "CREATE TABLE \"quoted \"\"table\"\"\" (\"the \"\"key\"\"\" serial PRIMARY KEY, \"VALUE\" text CHECK (\"VALUE\" IN ('x', 'y')), \"order\" integer CHECK (\"order\" > 10))", 3),
    ("by_range", "CREATE TABLE by_range (key integer, at date NOT NULL, PRIMARY KEY (key, at)) PARTITION BY RANGE (at);
        CREATE TABLE by_range_1 PARTITION OF by_range FOR VALUES FROM ('2031-03-01') TO ('2031-04-01');
        CREATE TABLE by_range_2 PARTITION OF by_range FOR VALUES FROM ('2031-04-01') TO ('2031-05-01')", 3),
    ("by_list", "CREATE TABLE by_list (key serial, region text NOT NULL) PARTITION BY LIST (region);
        CREATE TABLE by_list_1 PARTITION OF by_list FOR VALUES IN ('eu', 'us') PARTITION BY HASH (key);
        CREATE TABLE by_list_1_1 PARTITION OF by_list_1 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
        CREATE TABLE by_list_1_2 PARTITION OF by_list_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1)", 3),
    ("by_default_list", "CREATE TABLE by_default_list (key text) PARTITION BY LIST (key); CREATE TABLE by_default_list_1 PARTITION OF by_default_list DEFAULT", 3),
    ("heir", "CREATE TABLE ancestor (key integer NOT NULL); CREATE TABLE heir (more text) INHERITS (ancestor)", 3),
    ("put_off", "CREATE TYPE put_off_feels AS ENUM ('sad', 'fine');
        CREATE TABLE put_off (place integer NOT NULL CHECK (place IN (1, 2)), feels put_off_feels NOT NULL, slot int4range NOT NULL CHECK (slot <@ '[0,100)'),
            CONSTRAINT put_off_place UNIQUE (place, feels) DEFERRABLE INITIALLY DEFERRED, CONSTRAINT put_off_slot EXCLUDE USING gist (slot WITH &&) DEFERRABLE)", 1),
    ("put_off_parts", "CREATE TABLE put_off_parts (key integer CHECK (key IN (1, 2)), kind boolean NOT NULL,
            CONSTRAINT put_off_part UNIQUE (key, kind) DEFERRABLE INITIALLY DEFERRED) PARTITION BY LIST (key);
        CREATE TABLE put_off_parts_1 PARTITION OF put_off_parts FOR VALUES IN (1); CREATE TABLE put_off_parts_2 PARTITION OF put_off_parts FOR VALUES IN (2)", 1),
    ("own", "CREATE TABLE own (id uuid PRIMARY KEY, parent uuid NOT NULL REFERENCES own)", 3),
    ("own_number", "CREATE TABLE own_number (id serial PRIMARY KEY, parent integer NOT NULL REFERENCES own_number)", 3),
    ("tree", "CREATE TABLE tree (id serial PRIMARY KEY, parent integer REFERENCES tree, CHECK (parent <> id))", 3),
    ("hen", "CREATE TABLE hen (id serial PRIMARY KEY, name text NOT NULL);
        CREATE TABLE egg (id serial PRIMARY KEY, hen integer NOT NULL REFERENCES hen);
        ALTER TABLE hen ADD egg integer NOT NULL REFERENCES egg DEFERRABLE INITIALLY DEFERRED", 2),
    ("grandchild", "CREATE TABLE parent (a integer, b text, PRIMARY KEY (a, b), UNIQUE (b, a));
        CREATE TABLE child (key serial PRIMARY KEY, b text NOT NULL, a integer NOT NULL, FOREIGN KEY (a, b) REFERENCES parent, UNIQUE (a, b));
        CREATE TABLE grandchild (a integer NOT NULL, b text NOT NULL, FOREIGN KEY (a, b) REFERENCES child (a, b), FOREIGN KEY (a, b) REFERENCES parent)", 3),
    ("one_to_one", "CREATE TABLE person (id uuid PRIMARY KEY); CREATE TABLE one_to_one (person uuid PRIMARY KEY REFERENCES person, note text)", 3),
    ("guarded", "CREATE TABLE guarded (key serial PRIMARY KEY, v text); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY; ALTER TABLE guarded FORCE ROW LEVEL SECURITY;
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'never'; END$$; CREATE TRIGGER refuse BEFORE INSERT ON guarded FOR EACH ROW EXECUTE FUNCTION refuse()", 3),
];

#[test]
fn rows_fulfil_what_their_tables_ask() {
    let sql: Vec<&str> = DEMANDING.iter().map(|(_, sql, _)| *sql).collect();
    let mut ground = Ground::new(&sql.join(";\n"));
    let filled = ground.fill();
    assert_eq!(filled.unfilled, []);
    for (table, _, least) in DEMANDING {
        let table = table.replace('"', "\"\"");
        let rows = ground.value(&format!("SELECT count(*) FROM \"{table}\""));
        assert!(
            rows.parse::<u32>().expect("a number") >= *least,
            "{table}: {rows}"
        );
    }
    let statuses = ground.value("SELECT count(DISTINCT status) FROM listed");
    assert_eq!(statuses, "5", "each value that may be stands there");
    ground.foreign_keys_hold();
    assert_eq!(ground.fill(), Filled::default());
    // What is checked at the end of a transaction is fulfilled, too: the constraints can be made again.
    for (table, constraint, definition) in [
        ("put_off", "put_off_place", "UNIQUE (place, feels)"),
        (
            "put_off",
            "put_off_slot",
            "EXCLUDE USING gist (slot WITH &&)",
        ),
        ("put_off_parts", "put_off_part", "UNIQUE (key, kind)"),
    ] {
        ground.run(&format!(
            "ALTER TABLE {table} DROP CONSTRAINT {constraint}; ALTER TABLE {table} ADD CONSTRAINT {constraint} {definition}"
        ));
    }
}

#[test]
fn numbers_that_a_sequence_gives_are_left_to_it() {
    let mut ground = Ground::new("CREATE TABLE t (key serial PRIMARY KEY, v text)");
    ground.fill();
    ground.run("INSERT INTO t (v) VALUES ('the application goes on')");
    assert_eq!(ground.value("SELECT max(key) FROM t"), "4");
}

#[test]
fn what_cannot_be_filled_is_said_with_the_reason() {
    let mut ground = Ground::new(
        "CREATE TABLE never (n integer NOT NULL, CONSTRAINT never_true CHECK (n > 5 AND n < 5));
         CREATE TABLE child_of_never (n integer NOT NULL);
         ALTER TABLE never ADD UNIQUE (n); ALTER TABLE child_of_never ADD FOREIGN KEY (n) REFERENCES never (n);
         CREATE TABLE no_partitions (n integer) PARTITION BY LIST (n);
         CREATE TABLE fine (n integer)",
    );
    let filled = ground.fill();
    let said: Vec<String> = filled
        .unfilled
        .iter()
        .map(|one| format!("{}: {}", one.table, one.why))
        .collect();
    assert_eq!(
        said,
        [
            "child_of_never: the referenced table has no matching row",
            "never: constraint never_true: new row for relation \"never\" violates check constraint \"never_true\"",
            "no_partitions: it has no partitions",
        ]
    );
    assert_eq!(ground.value("SELECT count(*) FROM fine"), "3");
    assert_eq!(ground.fill().unfilled, filled.unfilled, "and again");
    ground.run("ALTER TABLE never DROP CONSTRAINT never_true");
    assert_eq!(
        ground.fill().tables,
        ["public.never", "public.child_of_never"]
    );
}

#[test]
fn tables_with_rows_of_others_and_of_ours_are_left_alone() {
    let mut ground = Ground::new(
        "CREATE TABLE used (id integer PRIMARY KEY, note text); INSERT INTO used VALUES (7, 'seven'), (9, NULL);
         CREATE TABLE child (id integer NOT NULL REFERENCES used);
         CREATE TABLE some_history (version int8, name text, applied_on text, checksum text);
         CREATE SCHEMA orchestrator; CREATE TABLE orchestrator.journal (n integer); CREATE TEMP TABLE gone (n integer);
         CREATE VIEW v AS SELECT * FROM used; CREATE MATERIALIZED VIEW m AS SELECT * FROM used",
    );
    assert_eq!(ground.fill().tables, ["public.child"]);
    assert_eq!(ground.value("SELECT count(*) FROM used"), "2");
    assert_eq!(
        ground.value("SELECT string_agg(DISTINCT id::text, ',') FROM child"),
        "7,9"
    );
}

/// A migration and its revert.
struct Case {
    name: &'static str,
    /// Further tables beside `t` and `other`.
    before: &'static str,
    up: &'static str,
    down: &'static str,
    /// What is told; nothing where nothing is lost.
    reported: &'static [&'static str],
}

const GROUND: &str = "CREATE TYPE mood AS ENUM ('sad', 'fine', 'happy');
    CREATE TABLE t (key serial PRIMARY KEY, name text NOT NULL, note text, amount numeric(10,2) NOT NULL, n integer NOT NULL, at timestamptz NOT NULL,
        feels mood NOT NULL, doc jsonb, long varchar(100), flag boolean, days date, \"updatedAt\" timestamptz NOT NULL DEFAULT now());
    CREATE TABLE other (key uuid PRIMARY KEY, v text);";

const CASES: &[Case] = &[
    Case {
        name: "a column dropped and added",
        before: "",
        up: "ALTER TABLE t DROP note",
        down: "ALTER TABLE t ADD note text",
        reported: &["t.note: the migration drops it, and its revert brings back an empty column"],
    },
    Case {
        name: "a required column dropped, and added with a default",
        before: "",
        up: "ALTER TABLE t DROP amount",
        down: "ALTER TABLE t ADD amount numeric(10,2) NOT NULL DEFAULT 0",
        reported: &["t.amount: the migration drops it, and its revert brings back other values"],
    },
    Case {
        name: "a table dropped and created",
        before: "",
        up: "DROP TABLE other",
        down: "CREATE TABLE other (key uuid PRIMARY KEY, v text)",
        reported: &["other: the migration drops it, and its revert brings back an empty table"],
    },
    Case {
        name: "truncated by the migration",
        before: "",
        up: "TRUNCATE other",
        down: "SELECT 1",
        reported: &[
            "other: the migration deletes all 3 rows, and its revert does not bring them back",
        ],
    },
    Case {
        name: "deleted by the revert",
        before: "",
        up: "ALTER TABLE t ADD extra text",
        down: "DELETE FROM t WHERE key > 1; ALTER TABLE t DROP extra",
        reported: &["the revert deletes 3 of 4 rows of t"],
    },
    Case {
        name: "truncated by the revert",
        before: "",
        up: "ALTER TABLE t ADD extra text",
        down: "TRUNCATE t; ALTER TABLE t DROP extra",
        reported: &["the revert deletes all 4 rows of t"],
    },
    Case {
        name: "emptied by the revert",
        before: "",
        up: "CREATE INDEX i ON t (note)",
        down: "DROP INDEX i; UPDATE t SET note = NULL",
        reported: &["the revert loses t.note in 3 of 4 rows"],
    },
    Case {
        name: "changed by the revert",
        before: "",
        up: "CREATE INDEX i ON t (n)",
        down: "DROP INDEX i; UPDATE t SET n = n + 1 WHERE key = 2",
        reported: &["the revert changes t.n in 1 of 4 rows"],
    },
    Case {
        name: "a narrowed text",
        before: "",
        up: "ALTER TABLE t ALTER long TYPE varchar(20) USING left(long, 20)",
        down: "ALTER TABLE t ALTER long TYPE varchar(100)",
        reported: &[
            "t.long: the migration changes it in 1 of 4 rows, and its revert does not bring the old values back",
        ],
    },
    Case {
        name: "a rounded number",
        before: "",
        up: "ALTER TABLE t ALTER amount TYPE integer",
        down: "ALTER TABLE t ALTER amount TYPE numeric(10,2)",
        reported: &[
            "t.amount: the migration changes it, and its revert does not bring the old values back",
        ],
    },
    Case {
        name: "a time cut to a day",
        before: "",
        up: "ALTER TABLE t ALTER at TYPE date",
        down: "ALTER TABLE t ALTER at TYPE timestamptz",
        reported: &[
            "t.at: the migration changes it, and its revert does not bring the old values back",
        ],
    },
    Case {
        name: "parts of seconds",
        before: "",
        up: "ALTER TABLE t ALTER at TYPE timestamptz(0)",
        down: "ALTER TABLE t ALTER at TYPE timestamptz",
        reported: &[
            "t.at: the migration changes it, and its revert does not bring the old values back",
        ],
    },
    Case {
        name: "merged columns",
        before: "",
        up: "ALTER TABLE t ADD full_name text; UPDATE t SET full_name = name || ' ' || COALESCE(note, ''); ALTER TABLE t DROP name, DROP note",
        down: "ALTER TABLE t ADD name text NOT NULL DEFAULT '', ADD note text; UPDATE t SET name = full_name; ALTER TABLE t DROP full_name",
        reported: &[
            "t.name: the migration drops it, and its revert brings back other values",
            "t.note: the migration drops it, and its revert brings back an empty column",
        ],
    },
    Case {
        name: "two labels made one",
        before: "",
        up: "CREATE TYPE feeling AS ENUM ('bad', 'good'); ALTER TABLE t ALTER feels TYPE feeling USING (CASE feels WHEN 'sad' THEN 'bad' ELSE 'good' END)::feeling",
        down: "ALTER TABLE t ALTER feels TYPE mood USING (CASE feels WHEN 'bad' THEN 'sad' ELSE 'fine' END)::mood; DROP TYPE feeling",
        reported: &[
            "t.feels: the migration changes it in 1 of 4 rows, and its revert does not bring the old values back",
        ],
    },
    Case {
        name: "NULL filled in",
        before: "",
        up: "UPDATE t SET flag = false WHERE flag IS NULL; ALTER TABLE t ALTER flag SET NOT NULL",
        down: "ALTER TABLE t ALTER flag DROP NOT NULL",
        reported: &[],
    },
    Case {
        name: "NULL filled in, without a key",
        before: "CREATE TABLE loose (key integer, v text); INSERT INTO loose VALUES (1, NULL), (2, 'b')",
        up: "UPDATE loose SET v = 'a' WHERE v IS NULL",
        down: "SELECT 1",
        reported: &[],
    },
    Case {
        name: "NULL filled in, and a value changed",
        before: "CREATE TABLE loose (key integer, v text); INSERT INTO loose VALUES (1, NULL), (2, 'b'), (3, 'c')",
        up: "UPDATE loose SET v = 'a' WHERE v IS NULL OR v = 'b'",
        down: "SELECT 1",
        reported: &[
            "loose.v: the migration changes it in 1 of 3 rows, and its revert does not bring the old values back",
        ],
    },
    Case {
        name: "a value where there was none, by the revert",
        before: "",
        up: "SELECT 1",
        down: "UPDATE t SET flag = false WHERE flag IS NULL",
        reported: &["the revert changes t.flag in 1 of 4 rows"],
    },
    Case {
        name: "an empty text made NULL",
        before: "INSERT INTO t (name, note, amount, n, at, feels) VALUES ('x', '', 1, 1, now(), 'sad'), ('y', NULL, 1, 1, now(), 'sad')",
        up: "UPDATE t SET note = NULL WHERE note = ''",
        down: "SELECT 1",
        reported: &[
            "t.note: the migration changes it in 1 of 2 rows, and its revert does not bring the old values back",
        ],
    },
    Case {
        name: "a date of update",
        before: "",
        up: "ALTER TABLE t ADD z text; UPDATE t SET z = 'x', \"updatedAt\" = now()",
        down: "ALTER TABLE t DROP z",
        reported: &[
            "t.\"updatedAt\": the migration changes it, and its revert does not bring the old values back",
        ],
    },
    Case {
        name: "letters made small",
        before: "",
        up: "UPDATE t SET name = lower(name)",
        down: "SELECT 1",
        reported: &[
            "t.name: the migration changes it, and its revert does not bring the old values back",
        ],
    },
    Case {
        name: "moved to another table and not back",
        before: "",
        up: "CREATE TABLE archive AS SELECT * FROM other; DELETE FROM other",
        down: "DROP TABLE archive",
        reported: &[
            "other: the migration deletes all 3 rows, and its revert does not bring them back",
        ],
    },
    Case {
        name: "moved, and some back",
        before: "",
        up: "CREATE TABLE archive AS SELECT * FROM other; DROP TABLE other",
        down: "CREATE TABLE other (key uuid PRIMARY KEY, v text); INSERT INTO other SELECT * FROM archive WHERE v IS NOT NULL; DROP TABLE archive",
        reported: &[
            "other: the migration drops it, and its revert brings back all but 1 of 3 rows",
        ],
    },
    Case {
        name: "other keys",
        before: "",
        up: "ALTER TABLE other DROP key, ADD key uuid PRIMARY KEY DEFAULT gen_random_uuid()",
        down: "SELECT 1",
        reported: &["other.key: the migration drops it, and its revert brings back other values"],
    },
    Case {
        name: "values swapped",
        before: "CREATE TABLE loose (key integer, v text); INSERT INTO loose VALUES (1, 'a'), (2, 'b')",
        up: "UPDATE loose SET v = CASE v WHEN 'a' THEN 'b' ELSE 'a' END",
        down: "SELECT 1",
        reported: &["loose: after the revert, values are in different rows than before"],
    },
    Case {
        name: "without a key",
        before: "CREATE TABLE loose (key integer, v text); INSERT INTO loose VALUES (1, 'a'), (2, 'b'), (2, 'b')",
        up: "SELECT 1",
        down: "UPDATE loose SET v = 'c' WHERE v = 'b'",
        reported: &["the revert changes loose.v in 2 of 3 rows"],
    },
    Case {
        name: "without a key, one of two that are the same",
        before: "CREATE TABLE loose (key integer, v text); INSERT INTO loose VALUES (1, 'a'), (2, 'b'), (2, 'b')",
        up: "DELETE FROM loose WHERE ctid = '(0,2)'",
        down: "SELECT 1",
        reported: &[
            "loose: the migration deletes 1 of 3 rows, and its revert does not bring them back",
        ],
    },
    Case {
        name: "of many rows one",
        before: "CREATE TABLE many AS SELECT g AS key, 'value ' || g AS v FROM generate_series(1, 5000) AS g; ALTER TABLE many ADD PRIMARY KEY (key)",
        up: "SELECT 1",
        down: "UPDATE many SET v = 'x' WHERE key = 4711",
        reported: &["the revert changes many.v"],
    },
    Case {
        name: "of many rows some gone",
        before: "CREATE TABLE many AS SELECT g AS key, 'value ' || g AS v FROM generate_series(1, 5000) AS g",
        up: "DELETE FROM many WHERE key > 4000",
        down: "SELECT 1",
        reported: &[
            "many: the migration deletes 1000 of 5000 rows, and its revert does not bring them back",
        ],
    },
    Case {
        name: "of many rows two swapped",
        before: "CREATE TABLE many AS SELECT g AS key, 'value ' || g AS v FROM generate_series(1, 5000) AS g; ALTER TABLE many ADD PRIMARY KEY (key)",
        up: "UPDATE many SET v = CASE key WHEN 1 THEN 'value 2' ELSE 'value 1' END WHERE key < 3",
        down: "SELECT 1",
        reported: &[
            "many.v: the migration changes it, and its revert does not bring the old values back",
        ],
    },
    Case {
        name: "in partitions",
        before: "CREATE TABLE parted (key integer, v text) PARTITION BY LIST (key); CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1, 2, 3); INSERT INTO parted VALUES (1, 'a'), (2, 'b')",
        up: "ALTER TABLE parted DETACH PARTITION parted_1; DROP TABLE parted_1",
        down: "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1, 2, 3)",
        reported: &[
            "parted: the migration deletes all 2 rows, and its revert does not bring them back",
        ],
    },
    // Nothing is lost.
    Case {
        name: "a column added",
        before: "",
        up: "ALTER TABLE t ADD extra text DEFAULT 'x'",
        down: "ALTER TABLE t DROP extra",
        reported: &[],
    },
    Case {
        name: "a column renamed",
        before: "",
        up: "ALTER TABLE t RENAME note TO remark",
        down: "ALTER TABLE t RENAME remark TO note",
        reported: &[],
    },
    Case {
        name: "a table renamed",
        before: "",
        up: "ALTER TABLE t RENAME TO things",
        down: "ALTER TABLE things RENAME TO t",
        reported: &[],
    },
    Case {
        name: "a wider text",
        before: "",
        up: "ALTER TABLE t ALTER long TYPE text",
        down: "ALTER TABLE t ALTER long TYPE varchar(100)",
        reported: &[],
    },
    Case {
        name: "a wider number",
        before: "",
        up: "ALTER TABLE t ALTER n TYPE bigint",
        down: "ALTER TABLE t ALTER n TYPE integer",
        reported: &[],
    },
    Case {
        name: "a number as text",
        before: "",
        up: "ALTER TABLE t ALTER amount TYPE text",
        down: "ALTER TABLE t ALTER amount TYPE numeric(10,2) USING amount::numeric",
        reported: &[],
    },
    Case {
        name: "a time without its zone",
        before: "",
        up: "ALTER TABLE t ALTER at TYPE timestamp USING at AT TIME ZONE 'UTC'",
        down: "ALTER TABLE t ALTER at TYPE timestamptz USING at AT TIME ZONE 'UTC'",
        reported: &[],
    },
    Case {
        name: "labels renamed",
        before: "",
        up: "ALTER TYPE mood RENAME VALUE 'sad' TO 'unhappy'",
        down: "ALTER TYPE mood RENAME VALUE 'unhappy' TO 'sad'",
        reported: &[],
    },
    Case {
        name: "an enum as text",
        before: "",
        up: "ALTER TABLE t ALTER feels TYPE text",
        down: "ALTER TABLE t ALTER feels TYPE mood USING feels::mood",
        reported: &[],
    },
    Case {
        name: "a document as text",
        before: "",
        up: "ALTER TABLE t ALTER doc TYPE text",
        down: "ALTER TABLE t ALTER doc TYPE jsonb USING doc::jsonb",
        reported: &[],
    },
    Case {
        name: "a column split into a table and back",
        before: "",
        up: "CREATE TABLE notes AS SELECT key, note FROM t; ALTER TABLE t DROP note",
        down: "ALTER TABLE t ADD note text; UPDATE t SET note = n.note FROM notes AS n WHERE n.key = t.key; DROP TABLE notes",
        reported: &[],
    },
    Case {
        name: "a table moved and back",
        before: "",
        up: "CREATE TABLE kept AS SELECT * FROM other; DROP TABLE other",
        down: "CREATE TABLE other (key uuid PRIMARY KEY, v text); INSERT INTO other SELECT * FROM kept; DROP TABLE kept",
        reported: &[],
    },
    Case {
        name: "counted up and down",
        before: "",
        up: "UPDATE t SET n = n + 1",
        down: "UPDATE t SET n = n - 1",
        reported: &[],
    },
    Case {
        name: "a generated column",
        before: "CREATE TABLE g (key integer PRIMARY KEY, twice integer GENERATED ALWAYS AS (key * 2) STORED); INSERT INTO g VALUES (1)",
        up: "ALTER TABLE g DROP twice; ALTER TABLE g ADD twice integer GENERATED ALWAYS AS (key * 3) STORED",
        down: "ALTER TABLE g DROP twice; ALTER TABLE g ADD twice integer GENERATED ALWAYS AS (key * 2) STORED",
        reported: &[],
    },
    Case {
        name: "rows put elsewhere on the disk",
        before: "",
        up: "UPDATE t SET n = n; DELETE FROM other; INSERT INTO other SELECT * FROM other",
        down: "SELECT 1",
        reported: &[
            "other: the migration deletes all 3 rows, and its revert does not bring them back",
        ],
    },
    Case {
        name: "another order of rows",
        before: "CREATE TABLE loose (key integer, v text); INSERT INTO loose VALUES (1, 'a'), (2, 'b')",
        up: "UPDATE loose SET v = v WHERE key = 1",
        down: "SELECT 1",
        reported: &[],
    },
    Case {
        name: "of many rows none",
        before: "CREATE TABLE many AS SELECT g AS key, 'value ' || g AS v FROM generate_series(1, 5000) AS g; ALTER TABLE many ADD PRIMARY KEY (key)",
        up: "ALTER TABLE many ALTER key TYPE bigint",
        down: "ALTER TABLE many ALTER key TYPE integer",
        reported: &[],
    },
    Case {
        name: "NULL filled in of many rows",
        before: "CREATE TABLE many AS SELECT g AS key, NULL::text AS v FROM generate_series(1, 5000) AS g; ALTER TABLE many ADD PRIMARY KEY (key)",
        up: "UPDATE many SET v = 'filled'",
        down: "SELECT 1",
        reported: &[],
    },
    Case {
        name: "NULL filled in of many rows, in some",
        before: "CREATE TABLE many AS SELECT g AS key, CASE WHEN g % 3 > 0 THEN 'value ' || g END AS v FROM generate_series(1, 5000) AS g; ALTER TABLE many ADD PRIMARY KEY (key)",
        up: "UPDATE many SET v = 'filled' WHERE v IS NULL AND key > 7",
        down: "SELECT 1",
        reported: &[],
    },
    Case {
        name: "of many rows values where there were none, and one where there was one",
        before: "CREATE TABLE many AS SELECT g AS key, CASE WHEN g % 3 > 0 THEN 'value ' || g END AS v FROM generate_series(1, 5000) AS g; ALTER TABLE many ADD PRIMARY KEY (key)",
        up: "UPDATE many SET v = 'filled' WHERE v IS NULL OR key = 4",
        down: "SELECT 1",
        reported: &[
            "many.v: the migration changes it, and its revert does not bring the old values back",
        ],
    },
    Case {
        name: "of many rows one emptied and another one filled",
        before: "CREATE TABLE many AS SELECT g AS key, CASE WHEN g % 3 > 0 THEN 'value ' || g END AS v FROM generate_series(1, 5000) AS g; ALTER TABLE many ADD PRIMARY KEY (key)",
        up: "UPDATE many SET v = CASE key WHEN 3 THEN 'filled' WHEN 6 THEN 'filled' END WHERE key IN (3, 4, 6)",
        down: "SELECT 1",
        reported: &[
            "many.v: the migration changes it, and its revert does not bring the old values back",
        ],
    },
    Case {
        name: "rows added",
        before: "",
        up: "INSERT INTO other VALUES ('00000000-0000-4000-8000-00000000aaaa', 'seed')",
        down: "SELECT 1",
        reported: &["other: the migration adds 1 row, and its revert leaves them"],
    },
    Case {
        name: "rows added and taken away",
        before: "",
        up: "INSERT INTO other VALUES ('00000000-0000-4000-8000-00000000aaaa', 'seed')",
        down: "DELETE FROM other WHERE v = 'seed'",
        reported: &[],
    },
];

#[test]
fn exactly_what_is_lost_is_reported() {
    let mut losing = 0;
    let mut ground = Ground::new("SELECT 1");
    for Case {
        name,
        before,
        up,
        down,
        reported,
    } in CASES
    {
        ground.start_over(&format!("{GROUND}{before}"));
        ground.fill();
        let truth = ground.truth();
        let losses = ground.reported(up, down);
        let words: Vec<String> = losses.iter().map(ToString::to_string).collect();
        assert_eq!(words, *reported, "{name}");
        // What the rows themselves say: whatever is called lost is, and nothing else.
        let after = ground.truth();
        let added_only = !losses.is_empty() && losses.iter().all(|loss| !loss.loses());
        let is_kept = |was: &String, now: &String| {
            was == now || was == "NULL" && name.starts_with("NULL filled in")
        };
        let same = truth
            .iter()
            .filter(|(column, _)| after.contains_key(*column))
            .all(|(column, values)| {
                after[column].len() == values.len()
                    && (column.1 == "twice"
                        || values
                            .iter()
                            .zip(&after[column])
                            .all(|(was, now)| is_kept(was, now)))
            });
        assert_eq!(same, losses.is_empty(), "{name}: {truth:?} {after:?}");
        if !losses.is_empty() && !added_only {
            losing += 1;
        }
    }
    assert!(losing >= 25, "{losing}");
}

#[test]
fn names_are_printed_as_in_sql() {
    let mut ground = Ground::new(
        "CREATE SCHEMA \"My schema\"; CREATE TABLE \"My schema\".\"Order\" (key serial PRIMARY KEY, \"Total\" integer)",
    );
    let losses = ground.reported(
        "SELECT 1",
        "UPDATE \"My schema\".\"Order\" SET \"Total\" = NULL",
    );
    assert_eq!(
        losses[0].to_string(),
        "the revert loses \"My schema\".\"Order\".\"Total\" in 2 of 3 rows"
    );
    let names: BTreeSet<&str> = losses.iter().map(|loss| loss.table.as_str()).collect();
    assert_eq!(names.len(), 1);
}

#[test]
fn a_rehearsal_tells_what_becomes_of_rows_and_code() {
    let server = Server::start();
    let services = Services::new();
    services
        .service("one", &[])
        .reversible(
            1,
            "table",
            "CREATE TABLE t (id serial PRIMARY KEY, name text NOT NULL, note text);\n",
            "DROP TABLE t;\n",
        )
        .reversible(
            2,
            "required",
            "ALTER TABLE t ADD owner uuid NOT NULL;\n",
            "ALTER TABLE t DROP owner;\n",
        )
        .reversible(
            3,
            "numbers",
            "ALTER TABLE t ALTER note TYPE integer USING note::integer;\n",
            "ALTER TABLE t ALTER note TYPE text;\n",
        )
        .reversible(
            4,
            "no_name",
            "ALTER TABLE t DROP name;\n",
            "ALTER TABLE t ADD name text NOT NULL;\n",
        )
        .reversible(
            5,
            "no_note",
            "ALTER TABLE t DROP note;\n",
            "ALTER TABLE t ADD note integer;\n",
        )
        .reversible(
            6,
            "seed",
            "INSERT INTO t (id, owner) VALUES (99, '00000000-0000-0000-0000-000000000000');\n",
            "SELECT 1;\n",
        )
        .reversible(
            7,
            "trigger",
            "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.at = now(); RETURN NEW; END';\n\
             CREATE TRIGGER touch BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch();\n",
            "DROP TRIGGER touch ON t;\nDROP FUNCTION touch;\n",
        )
        .reversible(
            8,
            "checked",
            "ALTER TABLE t ADD CONSTRAINT late CHECK (owner <> '00000000-0000-4000-8000-000000000001') NOT VALID;\n",
            "ALTER TABLE t DROP CONSTRAINT late;\n",
        )
        .reversible(
            9,
            "validated",
            "ALTER TABLE t VALIDATE CONSTRAINT late;\n",
            "ALTER TABLE t DROP CONSTRAINT late;\nALTER TABLE t ADD CONSTRAINT late CHECK (owner <> '00000000-0000-4000-8000-000000000001') NOT VALID;\n",
        );
    let outcome = Program::orchestrator(&server)
        .scratch_beside()
        .services(&services)
        .expect(&["rehearse", "--output", "json"], 4);
    let reported: Vec<String> = outcome
        .events_of("migration_rehearsed")
        .iter()
        .flat_map(|event| {
            let version = event["version"].clone();
            let findings = event["findings"].as_array().expect("a list").clone();
            findings.into_iter().map(move |finding| {
                let text = |field: &str| finding[field].as_str().expect("text").to_owned();
                format!(
                    "{version} {} {}: {}",
                    text("severity"),
                    text("rule"),
                    text("message")
                )
            })
        })
        // What it locks is another topic, and takes another time each time.
        .filter(|reported| !reported.contains(" blocks "))
        .collect();
    assert_eq!(
        reported,
        [
            "2 error needs-empty-table: on tables with rows, the migration does not run: column \"owner\" of relation \"t\" contains null values [23502]",
            "3 warning fails-on-rows: on generated rows, the migration does not run: invalid input syntax for type integer: \"Text 1\" [22P02]",
            "4 error revert-fails: on tables with rows, the revert does not run: column \"name\" of relation \"t\" contains null values [23502]",
            "5 error loses-data: t.note: the migration drops it, and its revert brings back an empty column",
            "6 warning leaves-rows: t: the migration adds 1 row, and its revert leaves them",
            "6 error second-up-fails: after its revert, the migration does not run: duplicate key value violates unique constraint \"t_pkey\" (Key (id)=(99) already exists.) [23505]",
            "7 error broken-trigger: every UPDATE of t fails: trigger touch: record \"new\" has no field \"at\" (42703)",
        ]
    );
    assert_eq!(server.databases(), Vec::<String>::new());
}

#[test]
fn a_right_revert_is_not_accused_and_one_that_wipes_is() {
    let server = Server::start();
    let services = Services::new();
    let function = |body: &str| {
        format!(
            "CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE plpgsql AS $$\n{body}\n$$;\n"
        )
    };
    let one = "BEGIN\n  RETURN a + 1;\nEND";
    let two = "BEGIN\n  RETURN a + 2;\nEND";
    let again = "begin".to_uppercase() + " RETURN a\n\t+ 1; END";
    services
        .service("one", &[])
        .reversible(
            1,
            "table",
            &format!(
                "CREATE TABLE t (id int PRIMARY KEY, kind int NOT NULL CHECK (kind IN (1, 2)), note text, \
                    CONSTRAINT kinds UNIQUE (kind) DEFERRABLE INITIALLY DEFERRED);\n{}",
                function(one)
            ),
            "DROP TABLE t;\nDROP FUNCTION f;\n",
        )
        .reversible(
            2,
            "not_put_off",
            "ALTER TABLE t DROP CONSTRAINT kinds;\nALTER TABLE t ADD CONSTRAINT kinds UNIQUE (kind);\n",
            "ALTER TABLE t DROP CONSTRAINT kinds;\nALTER TABLE t ADD CONSTRAINT kinds UNIQUE (kind) DEFERRABLE INITIALLY DEFERRED;\n",
        )
        .reversible(3, "columns", "ALTER TABLE t ADD a text, ADD b int, ADD c date;\n", "ALTER TABLE t DROP a, DROP b, DROP c;\n")
        .reversible(4, "filled", "UPDATE t SET a = 'none' WHERE a IS NULL;\n", "SELECT 1;\n")
        .reversible(5, "guarded", "UPDATE t SET b = 7 WHERE b IS NULL;\n", "UPDATE t SET b = NULL WHERE b = 7;\n")
        .reversible(6, "wiped", "UPDATE t SET c = '2026-01-01' WHERE c IS NULL;\n", "UPDATE t SET c = NULL;\n")
        .reversible(7, "indented", &function(two), &function(&again))
        .reversible(8, "large_object", "SELECT lo_create(0);\n", "SELECT 1;\n")
        .reversible(
            9,
            "generated",
            "ALTER TABLE t ADD g text GENERATED ALWAYS AS (lower(note)) STORED NOT NULL;\n",
            "ALTER TABLE t DROP g;\n",
        );
    let outcome = Program::orchestrator(&server)
        .scratch_beside()
        .services(&services)
        .expect(&["rehearse", "--output", "json"], 4);
    let mut reported = Vec::new();
    for event in outcome.events_of("migration_rehearsed") {
        for finding in event["findings"].as_array().expect("a list") {
            let text = |field: &str| finding[field].as_str().expect("text").to_owned();
            reported.push(format!(
                "{} {} {}",
                event["version"],
                text("severity"),
                text("rule")
            ));
        }
    }
    reported
        .retain(|reported| !reported.ends_with("-lock") && !reported.ends_with("rewrites-table"));
    assert_eq!(
        reported,
        [
            "6 error loses-data",
            "8 error revert-leaves-schema",
            "8 error second-up-differs",
            "9 warning fails-on-rows",
        ]
    );
}
