//! Checks of the findings in a block of SQL, for the tests of the rules, and cases that concern several rules.

use std::collections::BTreeSet;

use super::pages::{findings, fixture};

/// The findings in a block, as `slug file:line`.
pub(crate) fn found(block: &str) -> BTreeSet<String> {
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

pub(crate) const TABLE: &str = "-- migration V1
CREATE TABLE t (id bigint PRIMARY KEY, a varchar(50), b numeric(8, 2), c timestamptz(3), \"M\" \"Mood\");
CREATE INDEX idx_t_a ON t (a);
";

pub(crate) fn silent(cases: &[&str]) {
    for case in cases {
        let block = format!("{TABLE}{case}");
        let found = found(&block);
        assert!(found.is_empty(), "{block}\n{found:#?}");
    }
}

pub(crate) fn found_each(slug_at: &str, cases: &[&str]) {
    for case in cases {
        let block = format!("{TABLE}{case}");
        let found: Vec<String> = found(&block).into_iter().collect();
        assert_eq!(found, [slug_at], "{block}");
    }
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
    // Without a word, there is no finding; `yes`: CONCURRENTLY is suggested.
    let cases = r#"
        index-not-concurrent | CREATE INDEX "IDX_a" ON p (id); | no
        index-not-concurrent | CREATE INDEX "IDX_a" ON public.p_2 (id); | no
        index-not-concurrent | DO $$ BEGIN EXECUTE 'CREATE INDEX "IDX_a" ON p (id)'; END $$; | no
        index-not-concurrent | -- migration: allow table-rename "x" NEWLINE ALTER TABLE p RENAME TO r; CREATE INDEX "IDX_a" ON r (id); | no
        index-not-concurrent | CREATE INDEX "IDX_a" ON p_1 (id); | yes
        index-not-concurrent | CREATE INDEX "IDX_a" ON p_2_x (id); | yes
        index-not-concurrent | CREATE INDEX "IDX_a" ON o (id); | yes
        index-not-concurrent | CREATE INDEX "IDX_a" ON ONLY o (id); | yes
        index-not-concurrent | CREATE INDEX "IDX_a" ON ONLY p (id); CREATE INDEX "IDX_b" ON ONLY p_2 (id); | 
        index-drop-not-concurrent | DROP INDEX "IDX_p_q"; | no
        index-drop-not-concurrent | ALTER INDEX "IDX_p_q" RENAME TO "IDX_z"; DROP INDEX "IDX_z"; | no
        index-drop-not-concurrent | DROP INDEX "IDX_o_q"; | yes
        unique-constraint | ALTER TABLE p ADD CONSTRAINT "UQ_p" UNIQUE (id, at); | no
        unique-constraint | ALTER TABLE ONLY p ADD CONSTRAINT "UQ_p" UNIQUE (id, at); | 
        partition-detach | ALTER TABLE p DETACH PARTITION p_1; | yes
        partition-detach | ALTER TABLE p_2 DETACH PARTITION p_2_x; | no
        partition-detach | ALTER TABLE p_2 DETACH PARTITION p_2_x CONCURRENTLY; | 
    "#;
    for case in cases.lines().filter(|line| !line.trim().is_empty()) {
        let [rule, sql, advised] = case.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
            panic!("{case}");
        };
        let sql = &sql.replace("NEWLINE", "\n");
        let safe_forms = safe_forms(rule, sql);
        // Advice about partitions is not the statement with CONCURRENTLY.
        let is_advised = |it: &String| {
            it.contains("CONCURRENTLY")
                && !it.contains("refuses")
                && !it.contains(" on each partition")
        };
        let words = safe_forms
            .iter()
            .map(|it| if is_advised(it) { "yes" } else { "no" });
        let found: Vec<&str> = words.collect();
        assert_eq!(found.join(" "), advised, "{sql}\n{safe_forms:#?}");
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
