//! Positive and negative cases of the rules about load and drops, beyond those on their pages.

use std::collections::BTreeSet;

use super::pages::{findings, fixture};

/// The findings in a block, as `slug file:line`.
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
fn if_exists_of_what_never_existed_is_not_a_finding() {
    silent(&[
        "-- migration V2\nDROP TABLE IF EXISTS never;",
        "-- migration V2\n-- It drops never.\nDROP TABLE IF EXISTS never, nor_this CASCADE;",
        "-- migration V2\nDROP INDEX IF EXISTS idx_never;",
        "-- migration V2\nDROP TYPE IF EXISTS never; DROP VIEW IF EXISTS never; DROP SEQUENCE IF EXISTS never;",
        "-- migration V2\nDROP FUNCTION IF EXISTS never(int); DROP MATERIALIZED VIEW IF EXISTS never;",
        "-- migration V2\nDROP SCHEMA IF EXISTS never CASCADE;",
        "-- migration V2\nDROP EXTENSION IF EXISTS hstore, \"uuid-ossp\";",
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
    // A text that cannot be read may have created anything.
    assert!(
        found(&format!(
            "{TABLE}-- migration V2\nDO $$ BEGIN EXECUTE current_setting('x'); END $$;\n-- migration V3\nDROP TABLE IF EXISTS never;"
        ))
        .contains("drop-table V3:1")
    );
}

/// A partitioned table with an ordinary partition, one that is partitioned itself, and an ordinary table that became a partition.
const PARTS: &str = "-- migration V1
CREATE TABLE p (id bigint, at date, q bigint) PARTITION BY RANGE (at);
CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE p_2 PARTITION OF p FOR VALUES FROM ('2021-01-01') TO ('2022-01-01') PARTITION BY LIST (id);
CREATE TABLE p_2_x PARTITION OF p_2 DEFAULT;
CREATE TABLE o (id bigint, at date, q bigint);
CREATE INDEX \"IDX_p_q\" ON p (q);
CREATE INDEX \"IDX_o_q\" ON o (q);
-- migration V2
ALTER TABLE p ATTACH PARTITION o FOR VALUES FROM ('2022-01-01') TO ('2023-01-01');
";

/// The safe forms of the findings of one rule in the third migration.
fn safe_forms(rule: &str, sql: &str) -> Vec<String> {
    let found = findings(&fixture(&format!("{PARTS}-- migration V3\n{sql}")));
    let own = found.into_iter().filter(|it| it.rule == rule);
    own.map(|it| it.safe_form.unwrap_or_default()).collect()
}

#[test]
fn concurrently_is_not_suggested_where_postgresql_refuses_it() {
    let cases: &[(&str, &str, &[bool])] = &[
        (
            "index-not-concurrent",
            "CREATE INDEX \"IDX_a\" ON p (id);",
            &[false],
        ),
        (
            "index-not-concurrent",
            "CREATE INDEX \"IDX_a\" ON public.p_2 (id);",
            &[false],
        ),
        (
            "index-not-concurrent",
            "DO $$ BEGIN EXECUTE 'CREATE INDEX \"IDX_a\" ON p (id)'; END $$;",
            &[false],
        ),
        (
            "index-not-concurrent",
            "-- migration: allow table-rename \"x\"\nALTER TABLE p RENAME TO r; CREATE INDEX \"IDX_a\" ON r (id);",
            &[false],
        ),
        (
            "index-not-concurrent",
            "CREATE INDEX \"IDX_a\" ON p_1 (id);",
            &[true],
        ),
        (
            "index-not-concurrent",
            "CREATE INDEX \"IDX_a\" ON p_2_x (id);",
            &[true],
        ),
        (
            "index-not-concurrent",
            "CREATE INDEX \"IDX_a\" ON o (id);",
            &[true],
        ),
        (
            "index-not-concurrent",
            "CREATE INDEX \"IDX_a\" ON ONLY o (id);",
            &[true],
        ),
        (
            "index-not-concurrent",
            "CREATE INDEX \"IDX_a\" ON ONLY p (id); CREATE INDEX \"IDX_b\" ON ONLY p_2 (id);",
            &[],
        ),
        (
            "index-drop-not-concurrent",
            "DROP INDEX \"IDX_p_q\";",
            &[false],
        ),
        (
            "index-drop-not-concurrent",
            "ALTER INDEX \"IDX_p_q\" RENAME TO \"IDX_z\"; DROP INDEX \"IDX_z\";",
            &[false],
        ),
        (
            "index-drop-not-concurrent",
            "DROP INDEX \"IDX_o_q\";",
            &[true],
        ),
        (
            "unique-constraint",
            "ALTER TABLE p ADD CONSTRAINT \"UQ_p\" UNIQUE (id, at);",
            &[false],
        ),
        (
            "unique-constraint",
            "ALTER TABLE ONLY p ADD CONSTRAINT \"UQ_p\" UNIQUE (id, at);",
            &[],
        ),
        (
            "partition-detach",
            "ALTER TABLE p DETACH PARTITION p_1;",
            &[true],
        ),
        (
            "partition-detach",
            "ALTER TABLE p_2 DETACH PARTITION p_2_x;",
            &[false],
        ),
        (
            "partition-detach",
            "ALTER TABLE p_2 DETACH PARTITION p_2_x CONCURRENTLY;",
            &[],
        ),
    ];
    for (rule, sql, advised) in cases {
        let safe_forms = safe_forms(rule, sql);
        // Advice about partitions is not the statement with CONCURRENTLY.
        let is_advised = |it: &String| {
            it.contains("CONCURRENTLY")
                && !it.contains("refuses")
                && !it.contains(" on each partition")
        };
        let found: Vec<bool> = safe_forms.iter().map(is_advised).collect();
        assert_eq!(found, *advised, "{sql}\n{safe_forms:#?}");
    }
    assert_eq!(
        safe_forms(
            "index-drop-not-concurrent",
            "DROP INDEX \"IDX_o_q\", \"IDX_gone\";"
        ),
        [
            "DROP INDEX CONCURRENTLY \"IDX_o_q\"; DROP INDEX CONCURRENTLY \"IDX_gone\"   -- in a separate migration with `-- migration: no-transaction`"
        ]
    );
}

#[test]
fn a_table_that_leaves_a_view_under_its_old_name_breaks_no_program() {
    silent(&["-- migration V2\nALTER TABLE t RENAME TO u;\nCREATE VIEW t AS SELECT * FROM u;"]);
    found_each(
        "table-rename V2:1",
        &[
            "-- migration V2\nALTER TABLE t RENAME TO u;\nCREATE TABLE t (id bigint);",
            "-- migration V2\nALTER TABLE t RENAME TO u;\nCREATE VIEW w AS SELECT * FROM u;",
        ],
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
        "-- migration V2\nALTER TABLE t ALTER a TYPE varchar(60) USING (a::varchar(60));\nALTER TABLE t ALTER a TYPE text USING CAST(a AS text);",
        "-- migration V2\nALTER TABLE t ALTER a TYPE text USING a;",
        "-- migration V2\nALTER TABLE t ALTER b TYPE numeric(9, 2), ALTER c TYPE timestamptz;",
        "-- migration V2\nALTER TABLE t ALTER \"M\" TYPE \"Mood\" USING \"M\"::\"Mood\";",
        "-- migration V2\n-- migration: allow column-rename \"x\"\nALTER TABLE t RENAME a TO z;\n-- migration V3\nALTER TABLE t ALTER z TYPE text;",
        // A revert starts from the schema that the migration leaves.
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
fn tables_that_are_dropped_later_have_no_findings() {
    silent(&[
        "-- migration V2\nCREATE TABLE u (id serial PRIMARY KEY, at timestamp);\nCREATE INDEX odd ON u (at);\n-- migration V3\n-- migration: allow drop-table \"not used\"\nDROP TABLE u;",
        "-- migration V2\nALTER TABLE t ADD COLUMN x timestamp;\n-- migration V3\n-- migration: allow drop-column \"not used\"\nALTER TABLE t DROP COLUMN x;",
    ]);
    // A migration that may be applied already does not matter. The lock of a new one is real if the table existed before.
    let rest = "CREATE INDEX \"IDX_t_b\" ON t (b);\n-- migration V4\n-- migration: allow drop-table \"not used\"\nDROP TABLE t;";
    silent(&[&format!("-- migration V3\n{rest}")]);
    let merged = TABLE.replace("-- migration V1", "-- merged V1");
    let found_after = |block: &str| -> Vec<String> {
        let found = found(&format!("{merged}{block}"));
        found.into_iter().collect()
    };
    let nothing: [&str; 0] = [];
    assert_eq!(found_after(&format!("-- merged V3\n{rest}")), nothing);
    assert_eq!(
        found_after(
            "-- migration V3\nCREATE TABLE u (id bigint, c char(3));\n-- migration V4\nCREATE INDEX \"IDX_u_id\" ON u (id);\n\
             -- migration V5\n-- migration: allow drop-table \"not used\"\nDROP TABLE u;"
        ),
        nothing
    );
    assert_eq!(
        found_after(&format!("-- migration V3\n{rest}")),
        ["index-not-concurrent V3:1"]
    );
    found_each(
        "int-key V2:1",
        &[
            "-- migration V2\nCREATE TABLE u (id serial PRIMARY KEY);",
            // Later the name belongs to another table.
            "-- migration V2\nCREATE TABLE u (id serial PRIMARY KEY);\n-- migration V3\n-- migration: allow table-rename \"not used\"\nALTER TABLE u RENAME TO w;\nCREATE TABLE u (id bigint);\n-- migration V4\n-- migration: allow drop-table \"not used\"\nDROP TABLE u;",
        ],
    );
}

#[test]
fn rules_apply_to_blocks_and_the_text_of_execute() {
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
        // INTO writes to variables and does not change the schema.
        "-- migration V2\nDO $$ DECLARE n bigint; m text; BEGIN SELECT count(*) INTO n FROM t; SELECT INTO STRICT m a FROM t; ALTER TABLE t ADD x int; END $$;",
        "-- migration V2\nDO $$ DECLARE r record; BEGIN INSERT INTO t (id) VALUES (1) RETURNING id INTO r; WITH w AS (SELECT 1) SELECT * FROM w INTO r; CREATE TABLE n (id bigint); END $$;\n-- migration V3\nDROP TABLE IF EXISTS never;",
        "-- migration V2\nDO $$ BEGIN CREATE TABLE u (id bigint); ALTER TABLE u ALTER id TYPE int; DROP TABLE u; END $$;",
        "-- migration V2\nDO $$ BEGIN ALTER TABLE t ALTER a TYPE text; EXECUTE 'ALTER TABLE t ADD x int'; END $$;",
        // A rename in a block is tracked.
        "-- migration V2\n-- migration: allow table-rename \"x\"\nDO $$ BEGIN ALTER TABLE t RENAME TO u; END $$;\n-- migration V3\nDROP TABLE IF EXISTS t; ALTER TABLE u ALTER a TYPE text;",
        "-- migration V2\n-- migration: allow column-rename \"x\"\nDO $$ BEGIN EXECUTE format('ALTER TABLE %I RENAME COLUMN %I TO %I', 't', 'a', 'z'); END $$;\n-- migration V3\nALTER TABLE t ALTER z TYPE text;",
    ]);
}

#[test]
fn hazards_that_squawk_misses_are_found() {
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
        "volatile-default V2:1",
        &["-- migration V2\nALTER TABLE t ADD COLUMN x bigint GENERATED BY DEFAULT AS IDENTITY;"],
    );
    found_each(
        "stored-generated-column V2:1",
        &["-- migration V2\nALTER TABLE t ADD COLUMN x int GENERATED ALWAYS AS (1) STORED;"],
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
