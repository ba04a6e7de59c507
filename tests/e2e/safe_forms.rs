//! What a finding calls safe is safe: followed to its end on a server it runs, and the rule is silent.
//!
//! The words in capitals of a safe form are SQL, and each of them stands in what is said to follow it.

use std::collections::BTreeMap;

use serde_json::Value;
use tests::{Program, Server, Services};

/// A change that breaks a rule, and the files that follow what the finding calls safe.
struct Case {
    rule: &'static str,
    before: &'static str,
    wrong: &'static str,
    safe: &'static [&'static str],
}

const TABLES: &str = "CREATE TABLE owners (id bigint PRIMARY KEY);\n\
    CREATE TABLE t (id bigint PRIMARY KEY, a varchar(9), b bigint, c bigint);\n\
    CREATE INDEX \"IDX_t_a\" ON t (a);\nCREATE INDEX \"IDX_t_b\" ON t (b);\n\
    INSERT INTO owners VALUES (1);\nINSERT INTO t VALUES (1, 'x', 1, 1), (2, 'y', NULL, 2);\n";

const PARTS: &str = "CREATE TABLE owners (id bigint PRIMARY KEY);\nINSERT INTO owners VALUES (1);\n\
    CREATE TABLE t (id bigint NOT NULL, owner bigint, at date NOT NULL) PARTITION BY RANGE (at);\n\
    CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');\n\
    CREATE TABLE t_2 PARTITION OF t FOR VALUES FROM ('2021-01-01') TO ('2022-01-01') PARTITION BY LIST (id);\n\
    CREATE TABLE t_2_rest PARTITION OF t_2 DEFAULT;\n\
    CREATE INDEX \"IDX_t_owner\" ON t (owner);\n\
    INSERT INTO t VALUES (1, 1, '2020-05-05'), (2, 1, '2021-05-05');\n";

const CASES: &[Case] = &[
    Case {
        rule: "index-not-concurrent",
        before: TABLES,
        wrong: "CREATE INDEX \"IDX_t_c\" ON t (c);",
        safe: &["-- migration: no-transaction\nCREATE INDEX CONCURRENTLY \"IDX_t_c\" ON t (c);"],
    },
    Case {
        rule: "index-not-concurrent",
        before: PARTS,
        wrong: "CREATE INDEX \"IDX_t_at\" ON t (at);",
        safe: &[
            "CREATE INDEX \"IDX_t_at\" ON ONLY t (at);\nCREATE INDEX \"IDX_t_2_at\" ON ONLY t_2 (at);",
            "-- migration: no-transaction\nCREATE INDEX CONCURRENTLY \"IDX_t_1_at\" ON t_1 (at);\n\
             CREATE INDEX CONCURRENTLY \"IDX_t_2_rest_at\" ON t_2_rest (at);",
            "ALTER INDEX \"IDX_t_2_at\" ATTACH PARTITION \"IDX_t_2_rest_at\";\n\
             ALTER INDEX \"IDX_t_at\" ATTACH PARTITION \"IDX_t_1_at\";\nALTER INDEX \"IDX_t_at\" ATTACH PARTITION \"IDX_t_2_at\";",
        ],
    },
    Case {
        rule: "index-drop-not-concurrent",
        before: TABLES,
        wrong: "DROP INDEX IF EXISTS \"IDX_t_a\", \"IDX_t_b\";",
        safe: &[
            "-- migration: no-transaction\nDROP INDEX CONCURRENTLY IF EXISTS \"IDX_t_a\"; DROP INDEX CONCURRENTLY IF EXISTS \"IDX_t_b\";",
        ],
    },
    Case {
        rule: "index-drop-not-concurrent",
        before: PARTS,
        wrong: "DROP INDEX \"IDX_t_owner\";",
        safe: &[
            "-- migration: lock-timeout 1s\n-- migration: allow index-drop-not-concurrent \"at night\"\n\
             -- PostgreSQL refuses CONCURRENTLY.\nDROP INDEX \"IDX_t_owner\";",
        ],
    },
    Case {
        rule: "reindex-not-concurrent",
        before: PARTS,
        wrong: "-- migration: no-transaction\nREINDEX TABLE t;",
        safe: &["-- migration: no-transaction\nREINDEX TABLE CONCURRENTLY t;"],
    },
    Case {
        rule: "partition-detach",
        before: PARTS,
        wrong: "ALTER TABLE t DETACH PARTITION t_1;",
        safe: &["-- migration: no-transaction\nALTER TABLE t DETACH PARTITION t_1 CONCURRENTLY;"],
    },
    Case {
        rule: "partition-detach",
        before: PARTS,
        wrong: "ALTER TABLE t_2 DETACH PARTITION t_2_rest;",
        safe: &[
            "-- migration: lock-timeout 1s\n-- migration: allow partition-detach \"at night\"\n\
             -- PostgreSQL refuses CONCURRENTLY.\nALTER TABLE t_2 DETACH PARTITION t_2_rest;",
        ],
    },
    Case {
        rule: "unique-constraint",
        before: TABLES,
        wrong: "ALTER TABLE t ADD CONSTRAINT \"UQ_t_a\" UNIQUE (a);",
        safe: &[
            "-- migration: no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY \"UQ_t_a\" ON t (a);",
            "ALTER TABLE t ADD CONSTRAINT \"UQ_t_a\" UNIQUE USING INDEX \"UQ_t_a\";",
        ],
    },
    Case {
        rule: "unique-constraint",
        before: PARTS,
        wrong: "ALTER TABLE t ADD CONSTRAINT \"UQ_t\" UNIQUE (id, at);",
        safe: &[
            "ALTER TABLE ONLY t ADD CONSTRAINT \"UQ_t\" UNIQUE (id, at);\nALTER TABLE ONLY t_2 ADD CONSTRAINT \"UQ_t_2\" UNIQUE (id, at);",
            "-- migration: no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY \"UQ_t_1\" ON t_1 (id, at);\n\
             CREATE UNIQUE INDEX CONCURRENTLY \"UQ_t_2_rest\" ON t_2_rest (id, at);",
            "ALTER TABLE t_1 ADD CONSTRAINT \"UQ_t_1\" UNIQUE USING INDEX \"UQ_t_1\";\n\
             ALTER TABLE t_2_rest ADD CONSTRAINT \"UQ_t_2_rest\" UNIQUE USING INDEX \"UQ_t_2_rest\";\n\
             ALTER INDEX \"UQ_t_2\" ATTACH PARTITION \"UQ_t_2_rest\";\nALTER INDEX \"UQ_t\" ATTACH PARTITION \"UQ_t_1\";\n\
             ALTER INDEX \"UQ_t\" ATTACH PARTITION \"UQ_t_2\";",
        ],
    },
    Case {
        rule: "foreign-key-not-valid",
        before: TABLES,
        wrong: "ALTER TABLE t ADD CONSTRAINT \"FK_t_b\" FOREIGN KEY (b) REFERENCES owners;",
        safe: &[
            "ALTER TABLE t ADD CONSTRAINT \"FK_t_b\" FOREIGN KEY (b) REFERENCES owners NOT VALID;",
            "ALTER TABLE t VALIDATE CONSTRAINT \"FK_t_b\";",
        ],
    },
    Case {
        rule: "foreign-key-not-valid",
        before: PARTS,
        wrong: "ALTER TABLE t ADD CONSTRAINT \"FK_t_owner\" FOREIGN KEY (owner) REFERENCES owners;",
        safe: &[
            "ALTER TABLE t_1 ADD CONSTRAINT \"FK_t_1_owner\" FOREIGN KEY (owner) REFERENCES owners NOT VALID;\n\
             ALTER TABLE t_2_rest ADD CONSTRAINT \"FK_t_2_rest_owner\" FOREIGN KEY (owner) REFERENCES owners NOT VALID;",
            "ALTER TABLE t_1 VALIDATE CONSTRAINT \"FK_t_1_owner\";\nALTER TABLE t_2_rest VALIDATE CONSTRAINT \"FK_t_2_rest_owner\";",
            "ALTER TABLE t ADD CONSTRAINT \"FK_t_owner\" FOREIGN KEY (owner) REFERENCES owners;",
        ],
    },
    Case {
        rule: "foreign-key-unindexed",
        before: TABLES,
        wrong: "ALTER TABLE t ADD CONSTRAINT \"FK_t_c\" FOREIGN KEY (c) REFERENCES owners NOT VALID;",
        safe: &[
            "ALTER TABLE t ADD CONSTRAINT \"FK_t_c\" FOREIGN KEY (c) REFERENCES owners NOT VALID;",
            "-- migration: no-transaction\nCREATE INDEX CONCURRENTLY \"IDX_t_c\" ON t (c);",
        ],
    },
    Case {
        rule: "constraint-not-valid",
        before: TABLES,
        wrong: "ALTER TABLE t ADD CONSTRAINT c CHECK (id > 0);",
        safe: &[
            "ALTER TABLE t ADD CONSTRAINT c CHECK (id > 0) NOT VALID;",
            "ALTER TABLE t VALIDATE CONSTRAINT c;",
        ],
    },
    Case {
        rule: "constraint-not-valid",
        before: PARTS,
        wrong: "ALTER TABLE t ADD COLUMN n int CHECK (n > 0);",
        safe: &[
            "ALTER TABLE t ADD COLUMN n int;\nALTER TABLE t ADD CONSTRAINT t_n_check CHECK (n > 0) NOT VALID;",
            "ALTER TABLE t VALIDATE CONSTRAINT t_n_check;",
        ],
    },
    Case {
        rule: "domain-constraint",
        before: "CREATE DOMAIN d AS int;\nCREATE TABLE t (id bigint PRIMARY KEY, v d);\nINSERT INTO t VALUES (1, 1);",
        wrong: "ALTER DOMAIN d ADD CONSTRAINT d_positive CHECK (VALUE > 0);",
        safe: &[
            "ALTER DOMAIN d ADD CONSTRAINT d_positive CHECK (VALUE > 0) NOT VALID;",
            "ALTER DOMAIN d VALIDATE CONSTRAINT d_positive;",
        ],
    },
    Case {
        rule: "not-null-steps",
        before: PARTS,
        wrong: "ALTER TABLE t ALTER owner SET NOT NULL;",
        safe: &[
            "ALTER TABLE t ADD CONSTRAINT t_owner_is_set CHECK (owner IS NOT NULL) NOT VALID;",
            "ALTER TABLE t VALIDATE CONSTRAINT t_owner_is_set;",
            "ALTER TABLE t ALTER owner SET NOT NULL;\nALTER TABLE t DROP CONSTRAINT t_owner_is_set;",
        ],
    },
    Case {
        rule: "not-null-steps",
        before: TABLES,
        wrong: "ALTER TABLE t ADD COLUMN n int NOT NULL;",
        safe: &["ALTER TABLE t ADD COLUMN n int NOT NULL DEFAULT 0;"],
    },
    Case {
        rule: "volatile-default",
        before: TABLES,
        wrong: "ALTER TABLE t ADD COLUMN token uuid DEFAULT gen_random_uuid();",
        safe: &[
            "ALTER TABLE t ADD COLUMN token uuid;\nALTER TABLE t ALTER token SET DEFAULT gen_random_uuid();",
            "-- migration: no-transaction\nUPDATE t SET token = gen_random_uuid() WHERE id > 0 AND id <= 100000;",
        ],
    },
    Case {
        rule: "table-rename",
        before: TABLES,
        wrong: "ALTER TABLE t RENAME TO things;",
        safe: &["ALTER TABLE t RENAME TO things;\nCREATE VIEW t AS SELECT * FROM things;"],
    },
    Case {
        rule: "drop-column",
        before: TABLES,
        wrong: "ALTER TABLE t DROP COLUMN c;",
        safe: &[
            "-- migration: allow drop-column \"no release uses it\"\nALTER TABLE t DROP COLUMN c;",
        ],
    },
    Case {
        rule: "drop-table",
        before: TABLES,
        wrong: "DROP TABLE owners;",
        safe: &["-- migration: allow drop-table \"no release uses it\"\nDROP TABLE owners;"],
    },
    Case {
        rule: "drop-schema",
        before: "CREATE SCHEMA old;\nCREATE TABLE old.t (id bigint);",
        wrong: "DROP SCHEMA old CASCADE;",
        safe: &[
            "-- migration: allow drop-table \"no release uses it\"\nDROP TABLE old.t;\nDROP SCHEMA old;",
        ],
    },
    Case {
        rule: "truncate-cascade",
        before: "CREATE TABLE o (id bigint PRIMARY KEY);\nCREATE TABLE t (id bigint PRIMARY KEY, o bigint REFERENCES o);",
        wrong: "TRUNCATE o CASCADE;",
        safe: &["TRUNCATE o, t;"],
    },
    Case {
        rule: "vacuum-full",
        before: TABLES,
        wrong: "-- migration: no-transaction\nVACUUM FULL t;",
        safe: &["-- migration: no-transaction\nVACUUM t;"],
    },
    Case {
        rule: "column-type-change",
        before: TABLES,
        wrong: "ALTER TABLE t ALTER b TYPE numeric;",
        safe: &[
            "ALTER TABLE t ADD COLUMN b_new numeric;\n\
             CREATE FUNCTION t_b() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.b_new := NEW.b; RETURN NEW; END $$;\n\
             CREATE TRIGGER t_b BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION t_b();",
            "-- migration: no-transaction\nUPDATE t SET b_new = b WHERE id > 0 AND id <= 100000;",
            "-- migration: allow drop-column \"no release uses it\"\nDROP TRIGGER t_b ON t;\nDROP INDEX \"IDX_t_b\";\nALTER TABLE t DROP COLUMN b;",
        ],
    },
    Case {
        rule: "enum-value-used",
        before: "CREATE TYPE e AS ENUM ('a');\nCREATE TABLE t (id bigint PRIMARY KEY, v e);",
        wrong: "ALTER TYPE e ADD VALUE 'b';\nALTER TABLE t ALTER v SET DEFAULT 'b';",
        safe: &[
            "ALTER TYPE e ADD VALUE 'b';",
            "ALTER TABLE t ALTER v SET DEFAULT 'b';",
        ],
    },
    Case {
        rule: "mixed-schema-and-data",
        before: TABLES,
        wrong: "ALTER TABLE t ADD COLUMN n int;\nUPDATE t SET n = 1 WHERE b IS NULL;",
        safe: &[
            "ALTER TABLE t ADD COLUMN n int;",
            "UPDATE t SET n = 1 WHERE b IS NULL;",
        ],
    },
    Case {
        rule: "unbatched-data-change",
        before: TABLES,
        wrong: "UPDATE t SET c = 5 WHERE b IS NULL;",
        safe: &[
            "-- migration: no-transaction\nUPDATE t SET c = 5 WHERE b IS NULL AND id > 0 AND id <= 100000;\n\
             UPDATE t SET c = 5 WHERE b IS NULL AND id > 100000 AND id <= 200000;",
        ],
    },
    Case {
        rule: "data-change-without-where",
        before: TABLES,
        wrong: "UPDATE t SET c = 5;",
        safe: &["UPDATE t SET c = 5 WHERE id = 1;"],
    },
];

fn name(index: usize) -> String {
    format!("case{index:02}")
}

fn write(services: &Services, index: usize, before: &str, files: &[&str]) {
    let service = services.service(&name(index), &[]);
    service.reversible(100, "before", before, "SELECT 1;\n");
    for (number, text) in (200..).step_by(100).zip(files) {
        service.reversible(number, "change", &format!("{text}\n"), "SELECT 1;\n");
    }
}

/// The findings of each case that nothing allows.
fn checked(program: &Program) -> BTreeMap<String, Vec<Value>> {
    let outcome = program.run(&["check", "--no-rehearsal", "--output", "json"]);
    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for finding in outcome.json()["findings"].as_array().expect("a list") {
        if finding["allowed"].is_null() {
            let service = finding["service"].as_str().expect("a name").to_owned();
            found.entry(service).or_default().push(finding.clone());
        }
    }
    found
}

fn is_sql(word: &str) -> bool {
    word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase())
}

/// The SQL of a safe form: the first of its alternatives, in order.
fn fragments(safe_form: &str) -> Vec<String> {
    let first = safe_form.split("; or ").next().unwrap_or_default();
    let mut fragments = vec![String::new()];
    for word in first.split_whitespace() {
        if word.starts_with('(') {
            fragments.push(String::new());
        }
        let core = word.trim_matches(|c: char| !c.is_ascii_alphabetic());
        match (is_sql(core), fragments.last_mut()) {
            (true, Some(last)) => {
                last.push_str(if last.is_empty() { "" } else { " " });
                last.push_str(core);
            }
            _ => fragments.push(String::new()),
        }
        if word.ends_with([';', ',', ')']) {
            fragments.push(String::new());
        }
    }
    fragments.retain(|it| !it.is_empty());
    fragments
}

#[test]
fn a_safe_form_followed_to_its_end_runs_and_silences_its_rule() {
    let server = Server::start();
    let (wrong, safe) = (Services::new(), Services::new());
    for (index, case) in CASES.iter().enumerate() {
        write(&wrong, index, case.before, &[case.wrong]);
        write(&safe, index, case.before, case.safe);
    }
    let found = checked(&Program::orchestrator(&server).services(&wrong));
    for (index, case) in CASES.iter().enumerate() {
        let findings = found.get(&name(index)).map(Vec::as_slice);
        let mut own = findings.unwrap_or_default().iter();
        let own = own.find(|finding| finding["rule"] == case.rule);
        let safe_form = own.and_then(|finding| finding["safe_form"].as_str());
        let safe_form = safe_form.unwrap_or_else(|| panic!("{}: {findings:?}", case.wrong));
        let followed = case.safe.join("\n");
        let mut rest = followed.as_str();
        for fragment in fragments(safe_form) {
            let at = rest.find(&fragment);
            let at = at.unwrap_or_else(|| panic!("{fragment} of `{safe_form}`\n{followed}"));
            rest = &rest[at + fragment.len()..];
        }
        assert!(
            !safe_form.contains("no-transaction")
                || followed.contains("-- migration: no-transaction"),
            "{safe_form}\n{followed}"
        );
    }
    let orchestrator = Program::orchestrator(&server).services(&safe);
    orchestrator.expect(&["all", "--on-failure", "continue"], 0);
    let found = checked(&orchestrator);
    for (index, case) in CASES.iter().enumerate() {
        let mut own = found.get(&name(index)).into_iter().flatten();
        let own = own.find(|finding| finding["rule"] == case.rule);
        assert_eq!(own, None, "{:?}", case.safe);
    }
    // What was attached piece by piece is whole.
    let invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid";
    for (index, _) in CASES.iter().enumerate() {
        assert_eq!(server.value(&format!("db_{}", name(index)), invalid), "0");
    }
}
