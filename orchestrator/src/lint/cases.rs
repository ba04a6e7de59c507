//! True and false cases of the rules on load, and of what is dropped: what their pages have no room for.

use std::collections::BTreeSet;

use super::pages::{findings, fixture};

/// The rules that find something in a block, with the places: `slug file:line`.
fn found(block: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for finding in findings(&fixture(block)) {
        if finding.allowed.is_some() {
            continue;
        }
        let line = finding.place.map_or(0, |place| place.line);
        let mut parts = finding.file.rsplit('/');
        let name = parts.next().unwrap_or_default();
        let version = name.split_once("__").map_or(name, |(version, _)| version);
        let folder = match parts.next() {
            Some("reverts") => "revert ",
            _ => "",
        };
        found.insert(format!("{} {folder}{version}:{line}", finding.rule));
    }
    found
}

const TABLE: &str = "-- migration V1
CREATE TABLE t (id bigint PRIMARY KEY, a varchar(50), b numeric(8, 2), c timestamptz(3), \"M\" \"Mood\");
CREATE INDEX idx_t_a ON t (a);
";

fn silent(cases: &[&str]) {
    for case in cases {
        let block = format!("{TABLE}{case}");
        let found = found(&block);
        assert!(found.is_empty(), "{block}\n{found:#?}");
    }
}

fn found_each(slug_at: &str, cases: &[&str]) {
    for case in cases {
        let block = format!("{TABLE}{case}");
        let found: Vec<String> = found(&block).into_iter().collect();
        assert_eq!(found, [slug_at], "{block}");
    }
}

#[test]
fn what_never_was_is_not_dropped() {
    silent(&[
        "-- migration V2\nDROP TABLE IF EXISTS never;",
        "-- migration V2\n-- It drops never.\nDROP TABLE IF EXISTS never, nor_this CASCADE;",
        "-- migration V2\nDROP INDEX IF EXISTS idx_never;",
        "-- migration V2\nDROP TYPE IF EXISTS never; DROP VIEW IF EXISTS never; DROP SEQUENCE IF EXISTS never;",
        "-- migration V2\nDROP FUNCTION IF EXISTS never(int); DROP MATERIALIZED VIEW IF EXISTS never;",
        "-- migration V2\nDROP SCHEMA IF EXISTS never CASCADE;",
        "-- migration V2\nDROP TABLE IF EXISTS \"Never\";\n-- migration V3\nDROP TABLE IF EXISTS \"Never\";",
        "-- migration V2\nALTER TABLE t DROP COLUMN IF EXISTS never;",
        "-- migration V2\nALTER TABLE IF EXISTS never DROP COLUMN x, ALTER COLUMN y TYPE int;",
        "-- migration V2\nDROP TYPE IF EXISTS never;\nCREATE TYPE never AS (a int);\n-- revert V2\nDROP TYPE IF EXISTS never;",
        "-- migration V2\n-- migration: allow drop-table \"not used\"\nDROP TABLE t;\n-- migration V3\nDROP TABLE IF EXISTS t; DROP INDEX IF EXISTS idx_t_a;",
        "-- migration V2\nSELECT 1;\n-- revert V2\nDROP TABLE IF EXISTS never; DROP INDEX IF EXISTS idx_never;",
    ]);
    found_each(
        "drop-table V2:1",
        &[
            "-- migration V2\nDROP TABLE IF EXISTS t;",
            "-- migration V2\nDROP TABLE IF EXISTS never, t;",
            "-- migration V2\nDROP TABLE never;",
        ],
    );
    found_each(
        "index-drop-not-concurrent V2:1",
        &[
            "-- migration V2\nDROP INDEX IF EXISTS idx_t_a;",
            "-- migration V2\nDROP INDEX IF EXISTS t_a_idx;",
        ],
    );
    found_each(
        "drop-column V2:1",
        &["-- migration V2\nALTER TABLE t DROP COLUMN IF EXISTS b;"],
    );
    found_each(
        "drop-table V3:1",
        &[
            "-- migration V2\nCREATE TABLE u (id bigint);\n-- migration V3\nDROP TABLE IF EXISTS u;",
            "-- migration V2\n-- migration: allow table-rename \"x\"\nALTER TABLE t RENAME TO u;\n-- migration V3\nDROP TABLE IF EXISTS u;",
        ],
    );
    // Who knows what a text made that cannot be read.
    assert!(
        found(&format!(
            "{TABLE}-- migration V2\nDO $$ BEGIN EXECUTE current_setting('x'); END $$;\n-- migration V3\nDROP TABLE IF EXISTS never;"
        ))
        .contains("drop-table V3:1")
    );
}

#[test]
fn a_schema_that_is_dropped_without_cascade_is_empty() {
    silent(&[
        "-- migration V2\nCREATE SCHEMA s;\n-- revert V2\nDROP SCHEMA s;",
        "-- migration V2\nSELECT 1;\n-- revert V2\nDROP SCHEMA IF EXISTS s RESTRICT;",
    ]);
    assert!(
        found(&format!(
            "{TABLE}-- migration V2\nCREATE SCHEMA s;\n-- migration V3\nDROP SCHEMA s CASCADE;"
        ))
        .contains("drop-schema V3:1")
    );
}

#[test]
fn a_type_that_is_only_widened_costs_nothing() {
    silent(&[
        "-- migration V2\nALTER TABLE t ALTER a TYPE varchar(60);\nALTER TABLE t ALTER a TYPE text;",
        "-- migration V2\nALTER TABLE t ALTER b TYPE numeric(9, 2), ALTER c TYPE timestamptz;",
        "-- migration V2\nALTER TABLE t ALTER \"M\" TYPE \"Mood\" USING \"M\"::\"Mood\";",
        "-- migration V2\n-- migration: allow column-rename \"x\"\nALTER TABLE t RENAME a TO z;\n-- migration V3\nALTER TABLE t ALTER z TYPE text;",
        // In a revert what counts is what the migration left.
        "-- migration V2\n-- migration: allow column-type-change \"few rows\"\nALTER TABLE t ALTER a TYPE varchar(10);\n-- revert V2\nALTER TABLE t ALTER a TYPE varchar(50);",
    ]);
    found_each(
        "column-type-change V2:2",
        &[
            "-- migration V2\nALTER TABLE t ALTER a TYPE varchar(60);\nALTER TABLE t ALTER a TYPE varchar(50);",
            "-- migration V2\nALTER TABLE t ALTER b TYPE numeric;\nALTER TABLE t ALTER b TYPE numeric(8, 2);",
        ],
    );
    found_each(
        "column-type-change V2:1",
        &[
            "-- migration V2\nALTER TABLE t ALTER a TYPE varchar(10);\n-- revert V2\nALTER TABLE t ALTER a TYPE varchar(50);",
        ],
    );
    found_each(
        "column-type-change revert V2:1",
        &[
            "-- migration V2\nALTER TABLE t ALTER a TYPE text;\n-- revert V2\nALTER TABLE t ALTER a TYPE varchar(50);",
        ],
    );
}

#[test]
fn what_is_dropped_later_matters_to_no_one() {
    silent(&[
        "-- migration V2\nCREATE TABLE u (id serial PRIMARY KEY, at timestamp);\nCREATE INDEX odd ON u (at);\n-- migration V3\n-- migration: allow drop-table \"not used\"\nDROP TABLE u;",
        "-- migration V2\nALTER TABLE t ADD COLUMN x timestamp;\n-- migration V3\n-- migration: allow drop-column \"not used\"\nALTER TABLE t DROP COLUMN x;",
    ]);
    found_each(
        "int-key V2:1",
        &[
            "-- migration V2\nCREATE TABLE u (id serial PRIMARY KEY);",
            // The name is another table's later.
            "-- migration V2\nCREATE TABLE u (id serial PRIMARY KEY);\n-- migration V3\n-- migration: allow table-rename \"not used\"\nALTER TABLE u RENAME TO w;\nCREATE TABLE u (id bigint);\n-- migration V4\n-- migration: allow drop-table \"not used\"\nDROP TABLE u;",
        ],
    );
}

#[test]
fn blocks_and_the_text_of_execute_are_held_to_the_rules() {
    found_each(
        "column-type-change V2:2",
        &[
            "-- migration V2\nDO $$ BEGIN\n  ALTER TABLE t ALTER b TYPE bigint; END $$;",
            "-- migration V2\nDO $$ BEGIN IF true THEN\n  ALTER TABLE t ALTER b TYPE bigint; END IF; END $$;",
            "-- migration V2\nDO $$ BEGIN FOR i IN 1..3 LOOP\n  ALTER TABLE t ALTER b TYPE bigint; END LOOP; END $$;",
            "-- migration V2\nDO $$ BEGIN EXECUTE\n 'ALTER TABLE t ALTER b TYPE bigint'; END $$;",
            "-- migration V2\nDO 'BEGIN EXECUTE\n ''ALTER TABLE t ALTER b TYPE bigint''; END';",
            "-- migration V2\nDO $$ BEGIN EXECUTE\n format('ALTER TABLE %I ALTER %1$I TYPE bigint', 't'); END $$;",
            "-- migration V2\nDO $$ DECLARE n text; BEGIN EXECUTE\n format('ALTER TABLE %I ALTER b TYPE bigint', n); END $$;",
            "-- migration V2\nDO $$ DECLARE n text; BEGIN EXECUTE\n 'ALTER TABLE ' || quote_ident(n) || ' ALTER b TYPE bigint'; END $$;",
            "-- migration V2\nDO $$ BEGIN EXECUTE\n $x$DO 'BEGIN ALTER TABLE t ALTER b TYPE bigint; END'$x$; END $$;",
        ],
    );
    found_each(
        "drop-table V2:3",
        &[
            "-- migration V2\nSELECT 1; DO $$ -- é\nBEGIN\nDROP TABLE t; END $$; SELECT 2;",
            "-- migration V2\nDO $$ DECLARE n text; BEGIN\n EXECUTE\n format('DROP TABLE IF EXISTS %I', n); END $$;",
        ],
    );
    found_each(
        "not-understood V2:1",
        &[
            "-- migration V2\nDO $$ DECLARE n text; BEGIN EXECUTE n; END $$;",
            "-- migration V2\nDO $$ DECLARE n text; BEGIN EXECUTE 'ALTER TABLE t ' || n; END $$;",
            "-- migration V2\nDO LANGUAGE plperl 'spi_exec_query(1)';",
        ],
    );
    silent(&[
        "-- migration V2\nDO $$ DECLARE n text; BEGIN SELECT 1 INTO n; PERFORM 1; RAISE NOTICE '%', n; END $$;",
        "-- migration V2\nDO $$ DECLARE n bigint; BEGIN SELECT count(*) INTO n FROM t; IF n > 0 THEN RAISE EXCEPTION '%', n USING HINT = 'x'; END IF; END $$;",
        "-- migration V2\nDO $$ BEGIN CREATE TABLE u (id bigint); ALTER TABLE u ALTER id TYPE int; DROP TABLE u; END $$;",
        "-- migration V2\nDO $$ BEGIN ALTER TABLE t ALTER a TYPE text; EXECUTE 'ALTER TABLE t ADD x int'; END $$;",
        // A rename in a block is followed.
        "-- migration V2\n-- migration: allow table-rename \"x\"\nDO $$ BEGIN ALTER TABLE t RENAME TO u; END $$;\n-- migration V3\nDROP TABLE IF EXISTS t; ALTER TABLE u ALTER a TYPE text;",
        "-- migration V2\n-- migration: allow column-rename \"x\"\nDO $$ BEGIN EXECUTE format('ALTER TABLE %I RENAME COLUMN %I TO %I', 't', 'a', 'z'); END $$;\n-- migration V3\nALTER TABLE t ALTER z TYPE text;",
    ]);
}

#[test]
fn what_squawk_does_not_look_at_is_found() {
    found_each(
        "constraint-not-valid V2:1",
        &[
            "-- migration V2\nALTER TABLE t ADD COLUMN x int CHECK (x > 0);",
            "-- migration V2\nALTER TABLE t ADD COLUMN x int DEFAULT 1 CONSTRAINT c CHECK (x > 0);",
        ],
    );
    found_each(
        "unique-constraint V2:1",
        &["-- migration V2\nALTER TABLE t ADD COLUMN x int UNIQUE;"],
    );
    found_each(
        "storage-change V2:1",
        &[
            "-- migration V2\nALTER TABLE t SET UNLOGGED;\n-- revert V2\nSELECT 1;",
            "-- migration V2\nALTER TABLE t SET TABLESPACE fast;",
            "-- migration V2\nALTER TABLE t SET ACCESS METHOD heap2;",
        ],
    );
    found_each(
        "storage-change revert V2:1",
        &["-- migration V2\nSELECT 1;\n-- revert V2\nALTER TABLE t SET LOGGED;"],
    );
    silent(&[
        "-- migration V2\nALTER TABLE t SET LOGGED;",
        "-- migration V2\nCREATE TABLE u (id bigint);\nALTER TABLE u SET UNLOGGED, ADD COLUMN x int CHECK (x > 0);",
    ]);
}
