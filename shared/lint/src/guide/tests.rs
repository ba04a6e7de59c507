//! Positive and negative cases of the guide rules, beyond those on their pages.

use crate::pages::found;

/// The slugs of the guide's findings in a block, in order.
fn slugs(block: &str) -> Vec<String> {
    found(block).into_keys().collect()
}

fn silent(cases: &[&str]) {
    for case in cases {
        let found = found(case);
        assert!(found.is_empty(), "{case}\n{found:#?}");
    }
}

fn found_each(slug: &str, cases: &[&str]) {
    for case in cases {
        assert_eq!(slugs(case), [slug], "{case}");
    }
}

#[test]
fn prefixes_are_compared_with_the_catalog_spelling() {
    silent(&[
        // The unquoted prefix is folded to lower case.
        "CREATE TABLE t (a bigint); CREATE INDEX IDX_t_a ON t (a); CREATE INDEX idx_t_b ON t (a DESC);",
        "CREATE TABLE t (a bigint); CREATE UNIQUE INDEX \"PK_t\" ON t (a);
         ALTER TABLE t ADD CONSTRAINT \"PK_t\" PRIMARY KEY USING INDEX \"PK_t\";",
        "CREATE TEMP TABLE w (a bigint); CREATE INDEX ON w (a);",
        "CREATE TABLE p (id bigint PRIMARY KEY);
         CREATE TABLE t (p bigint UNIQUE CONSTRAINT fk_t_p REFERENCES p);",
    ]);
    found_each(
        "index-name",
        &[
            "CREATE TABLE t (a bigint); CREATE INDEX \"UQ_t_a\" ON t (a);",
            "CREATE TABLE t (a bigint); CREATE INDEX IF NOT EXISTS t_a ON t (lower(a::text));",
            "DO $$ BEGIN EXECUTE 'CREATE INDEX t_a ON pg_temp_t (a)'; END $$;",
        ],
    );
}

#[test]
fn one_style_needs_a_habit() {
    silent(&[
        "CREATE TABLE t (id bigint, \"createdAt\" date, updated_at date);",
        "-- migration V1\nCREATE TABLE t (id bigint, created_at date, updated_at date);\n-- migration V2\nALTER TABLE t ADD COLUMN \"deletedAt\" date;",
        "-- migration V1\nCREATE TABLE t (id bigint, created_at date, updated_at date, owner_id bigint);\n-- migration V2\nALTER TABLE t ADD COLUMN version bigint;",
    ]);
    found_each(
        "naming-style",
        &[
            "-- migration V1\nCREATE TABLE t (id bigint, created_at date, updated_at date, owner_id bigint);\n-- migration V2\nCREATE TABLE u (id bigint, \"createdAt\" date);",
        ],
    );
}

#[test]
fn an_enum_type_is_followed_through_renames_and_drops() {
    silent(&[
        // Renamed away, dropped with its schema, dropped by CASCADE: the name is free.
        "-- migration V1\nCREATE TYPE s AS ENUM ('a');\n-- revert V1\nDROP TYPE s;\n-- migration V2\nALTER TYPE s RENAME TO old_s;\nCREATE TYPE s AS ENUM ('b');\n-- revert V2\nDROP TYPE s;\nALTER TYPE old_s RENAME TO s;",
        "-- migration V1\nCREATE SCHEMA app;\nCREATE TYPE app.s AS ENUM ('a');\n-- revert V1\nDROP SCHEMA app CASCADE;",
        "-- migration V1\nCREATE TYPE s AS ENUM ('a');\n-- revert V1\nDO $$ BEGIN EXECUTE format('DROP TYPE %I', 's'); END $$;",
        "-- migration V1\n-- migration: irreversible \"the type is shared\"\nCREATE TYPE s AS ENUM ('a');\n-- no revert V1",
        // The value is in a text column.
        "-- migration V1\nCREATE TYPE s AS ENUM ('a');\nCREATE TABLE t (id bigint PRIMARY KEY, name text);\n-- revert V1\nDROP TABLE t;\nDROP TYPE s;\n-- migration V2\nALTER TYPE s ADD VALUE 'b';\nINSERT INTO t VALUES (1, 'b');",
        // Created by the same transaction: usable at once.
        "CREATE TYPE s AS ENUM ('a');\nALTER TYPE s ADD VALUE 'b';\nCREATE TABLE t (s s DEFAULT 'b');\n-- revert V1\nDROP TABLE t;\nDROP TYPE s;",
        // The body of a function does not run.
        "-- migration V1\nCREATE TYPE s AS ENUM ('a');\nCREATE TABLE t (s s);\n-- revert V1\nDROP TABLE t;\nDROP TYPE s;\n-- migration V2\nALTER TYPE s ADD VALUE 'b';\nCREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM t WHERE s = 'b' $$;",
    ]);
    found_each(
        "enum-value-used",
        &[
            "-- migration V1\nCREATE TYPE s AS ENUM ('a');\nCREATE TABLE t (id bigint PRIMARY KEY, s s);\n-- revert V1\nDROP TABLE t;\nDROP TYPE s;\n-- migration V2\nALTER TYPE s ADD VALUE 'b';\nUPDATE t SET s = 'b' WHERE id = 1;",
            "-- migration V1\nCREATE TYPE s AS ENUM ('a');\nCREATE TABLE t (id bigint PRIMARY KEY, s s);\n-- revert V1\nDROP TABLE t;\nDROP TYPE s;\n-- migration V2\n-- migration: no-transaction\nBEGIN;\nALTER TYPE s ADD VALUE 'b';\nINSERT INTO t VALUES (1, 'b');\nCOMMIT;",
        ],
    );
}

#[test]
fn foreign_keys_to_unknown_tables_are_not_findings() {
    silent(&[
        "CREATE TABLE t (id bigint PRIMARY KEY, u uuid CONSTRAINT \"FK_t_u\" REFERENCES auth.users UNIQUE);",
        "DO $$ BEGIN EXECUTE format('CREATE TABLE %I (id bigint PRIMARY KEY)', 'p'); END $$;\nCREATE TABLE t (p bigint CONSTRAINT \"FK_t_p\" REFERENCES p);\nCREATE INDEX \"IDX_t_p\" ON t (p);",
        "DO $$ BEGIN IF to_regclass('p') IS NULL THEN CREATE TABLE p (id bigint PRIMARY KEY); END IF; END $$;\nCREATE TABLE t (p bigint CONSTRAINT \"FK_t_p\" REFERENCES p);\nCREATE INDEX \"IDX_t_p\" ON t (p);",
        // Emptied first, created here, or a key column.
        "-- migration V1\nCREATE TABLE p (id bigint PRIMARY KEY);\nCREATE TABLE t (p bigint);\nCREATE INDEX \"IDX_t_p\" ON t (p);\n-- migration V2\nTRUNCATE t;\nALTER TABLE t ADD CONSTRAINT \"FK_t_p\" FOREIGN KEY (p) REFERENCES p;",
        "CREATE TABLE p (id bigint PRIMARY KEY);\nCREATE TABLE t (p bigint);\nCREATE INDEX \"IDX_t_p\" ON t (p);\nALTER TABLE t ADD CONSTRAINT \"FK_t_p\" FOREIGN KEY (p) REFERENCES p;",
        "CREATE TABLE p (id bigint PRIMARY KEY);\nCREATE TABLE t (p bigint PRIMARY KEY CONSTRAINT \"FK_t_p\" REFERENCES p);",
        // A new column without a value: no row is looked up.
        "-- migration V1\nCREATE TABLE p (id bigint PRIMARY KEY);\nCREATE TABLE t (id bigint);\n-- migration V2\nALTER TABLE t ADD COLUMN p bigint CONSTRAINT \"FK_t_p\" REFERENCES p;\nCREATE INDEX \"IDX_t_p\" ON t (p);",
        // Two columns in the other order, a renamed table, a dropped key.
        "CREATE TABLE p (a bigint, b bigint, PRIMARY KEY (a, b));\nCREATE TABLE t (a bigint, b bigint, c bigint, CONSTRAINT \"FK_t_p\" FOREIGN KEY (a, b) REFERENCES p);\nCREATE INDEX \"IDX_t_b_a\" ON t (b, a, c);",
        "-- migration V1\nCREATE TABLE p (id bigint PRIMARY KEY);\nCREATE TABLE t (p bigint CONSTRAINT \"FK_t_p\" REFERENCES p);\n-- migration V2\nALTER TABLE t RENAME TO u;\nALTER TABLE u RENAME COLUMN p TO parent;\n-- migration V3\n-- migration: no-transaction\nCREATE INDEX CONCURRENTLY \"IDX_u_parent\" ON u (parent);",
        "-- migration V1\nCREATE TABLE p (id bigint PRIMARY KEY);\nCREATE TABLE t (p bigint CONSTRAINT \"FK_t_p\" REFERENCES p);\n-- migration V2\nALTER TABLE t DROP CONSTRAINT \"FK_t_p\";",
    ]);
    found_each(
        "foreign-key-unindexed",
        &[
            "CREATE TABLE p (id bigint PRIMARY KEY);\nCREATE TABLE t (p bigint CONSTRAINT \"FK_t_p\" REFERENCES p, gone date);\nCREATE INDEX \"IDX_t_p\" ON t (p) WHERE gone IS NULL;",
            "CREATE TABLE p (id bigint PRIMARY KEY);\nCREATE TABLE t (p bigint CONSTRAINT \"FK_t_p\" REFERENCES p);\nCREATE INDEX \"IDX_t_p\" ON t USING gin (p);",
            "-- migration V1\nCREATE TABLE p (id bigint PRIMARY KEY);\nCREATE TABLE t (p bigint CONSTRAINT \"FK_t_p\" REFERENCES p);\nCREATE INDEX \"IDX_t_p\" ON t (p);\n-- migration V2\n-- migration: no-transaction\nDROP INDEX CONCURRENTLY \"IDX_t_p\";",
        ],
    );
    found_each(
        "foreign-key-not-valid",
        &[
            "-- migration V1\nCREATE TABLE p (id bigint PRIMARY KEY);\nCREATE TABLE t (id bigint);\n-- migration V2\nALTER TABLE t ADD COLUMN p bigint DEFAULT 1 CONSTRAINT \"FK_t_p\" REFERENCES p;\nCREATE INDEX \"IDX_t_p\" ON t (p);",
        ],
    );
}

#[test]
fn not_null_is_proven_in_many_ways() {
    let table =
        "-- migration V1\nCREATE TABLE t (id bigint PRIMARY KEY, a bigint);\n-- migration V2\n";
    let silent_after = [
        "ALTER TABLE t ALTER COLUMN id SET NOT NULL;",
        "ALTER TABLE t ADD COLUMN b bigint GENERATED ALWAYS AS IDENTITY;",
        "ALTER TABLE t ADD COLUMN b bigserial NOT NULL;",
        "ALTER TABLE t ADD COLUMN b bigint NOT NULL GENERATED ALWAYS AS (id * 2) STORED;",
        "ALTER TABLE t ADD COLUMN IF NOT EXISTS a bigint NOT NULL;",
        "ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL AND a > 0) NOT VALID;\n-- migration V3\nALTER TABLE t VALIDATE CONSTRAINT c;\n-- migration V4\nALTER TABLE t ALTER COLUMN a SET NOT NULL;",
        "ALTER TABLE t ADD CONSTRAINT c NOT NULL a NOT VALID;\n-- migration V3\nALTER TABLE t VALIDATE CONSTRAINT c;",
        "ALTER TABLE t ALTER COLUMN a DROP NOT NULL;",
        "TRUNCATE TABLE t;\nALTER TABLE t ADD COLUMN b bigint NOT NULL;",
    ];
    for case in silent_after {
        silent(&[&format!("{table}{case}")]);
    }
    let found_after = [
        "ALTER TABLE t ADD COLUMN b bigint NOT NULL DEFAULT NULL;",
        "ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID;\n-- migration V3\nALTER TABLE t ALTER COLUMN a SET NOT NULL;",
        "ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL OR id > 5);\n-- migration V3\nALTER TABLE t ALTER a SET NOT NULL;",
        "ALTER TABLE t RENAME TO u;\n-- migration V3\nALTER TABLE ONLY public.u ALTER COLUMN a SET NOT NULL;",
    ];
    for case in found_after {
        found_each("not-null-steps", &[&format!("{table}{case}")]);
    }
}

#[test]
fn rows_are_bounded_by_a_key() {
    let table = "-- migration V1\nCREATE TABLE t (id bigint PRIMARY KEY, code text UNIQUE, a text, b bigint, UNIQUE (a, b));\n-- migration V2\n";
    for case in [
        "UPDATE t SET a = 'x' WHERE id = 5;",
        "UPDATE t SET a = 'x' WHERE t.code IN ('a', 'b') AND a IS NULL;",
        "UPDATE t SET a = 'x' WHERE a = 'y' AND b = 3;",
        "UPDATE t AS x SET a = 'x' WHERE x.id >= 1 AND x.id < 1000;",
        "DELETE FROM t WHERE ctid IN (SELECT ctid FROM t WHERE a IS NULL LIMIT 5000);",
        "DELETE FROM t WHERE id IN (SELECT id FROM t WHERE a IS NULL ORDER BY id LIMIT 5000);",
        "DO $$ BEGIN LOOP DELETE FROM t WHERE a IS NULL; EXIT WHEN NOT FOUND; END LOOP; END $$;",
        "INSERT INTO t (id, a) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET a = 'x';",
        "INSERT INTO t (id) SELECT generate_series(1, 10);",
        "INSERT INTO t (id, a) SELECT id, a FROM t WHERE id = 7;",
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ UPDATE t SET a = 'x' $$;",
        "CREATE RULE r AS ON DELETE TO t DO INSTEAD UPDATE t SET a = 'x';",
        "CREATE TEMP TABLE w AS SELECT 1 AS id;\nUPDATE w SET id = 2;\nDELETE FROM w;",
    ] {
        silent(&[&format!("{table}{case}")]);
    }
    for case in [
        "UPDATE t SET a = 'x' WHERE b = 3;",
        "UPDATE t SET a = 'x' WHERE id > 5;",
        "UPDATE t SET a = 'x' WHERE id = 5 OR a IS NULL;",
        "UPDATE t SET a = u.a FROM t AS u WHERE t.id = u.id;",
        "WITH gone AS (DELETE FROM t WHERE a IS NULL RETURNING id) SELECT count(*) FROM gone;",
    ] {
        found_each("unbatched-data-change", &[&format!("{table}{case}")]);
    }
    for case in [
        "WITH gone AS (DELETE FROM t RETURNING id) SELECT count(*) FROM gone;",
        "UPDATE ONLY public.t SET a = 'x';",
        "DO $$ BEGIN DELETE FROM t; END $$;",
    ] {
        found_each("data-change-without-where", &[&format!("{table}{case}")]);
    }
}

#[test]
fn what_a_column_is_used_by() {
    let table = "-- migration V1\nCREATE TABLE t (id bigint PRIMARY KEY, a bigint CONSTRAINT \"UQ_t_a\" UNIQUE, b bigint UNIQUE, c bigint, d bigint);\nCREATE VIEW v AS SELECT t.c, count(*) FROM t GROUP BY t.c;\nCREATE TABLE u (id bigint PRIMARY KEY, d bigint);\nCREATE VIEW w AS SELECT u.d FROM u JOIN t USING (id);\n-- migration V2\n";
    for case in [
        // An unnamed key in the column's definition is a part of the column.
        "ALTER TABLE t DROP COLUMN b;",
        // The name exists in two tables: which one the view means is unknown.
        "ALTER TABLE t DROP COLUMN d;",
        "ALTER TABLE t DROP CONSTRAINT \"UQ_t_a\", DROP COLUMN a;",
        "DROP VIEW v;\nALTER TABLE t DROP COLUMN c;",
        "ALTER TABLE t DROP COLUMN IF EXISTS z;",
        "CREATE TABLE x (id bigint);\nDROP TABLE x CASCADE;",
    ] {
        silent(&[&format!("{table}{case}")]);
    }
    for case in [
        "ALTER TABLE t DROP COLUMN a;",
        "ALTER TABLE t DROP COLUMN c;",
        "DROP VIEW v CASCADE;",
        "ALTER TABLE t DROP COLUMN id CASCADE;",
        "DROP SEQUENCE IF EXISTS s CASCADE;",
    ] {
        found_each("dropped-with-dependants", &[&format!("{table}{case}")]);
    }
}

#[test]
fn unquoted_capital_letters() {
    silent(&[
        "CREATE TABLE USERS (ID bigint PRIMARY KEY, Name text);\nSELECT Count(*) FROM Users;",
        "CREATE TABLE t (\"createdAt\" date);\nCREATE VIEW v AS SELECT \"createdAt\" AS createdOn FROM t;",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE vCount bigint; BEGIN vCount := 1; NEW.created_at := now(); RETURN NEW; END $$;",
        "CREATE TABLE t (note text DEFAULT 'createdAt');\nCOMMENT ON TABLE t IS 'createdAt';",
        // The column was created without quotes: both are createdat.
        "-- migration V1\n-- migration: allow unquoted-mixed-case \"both spellings mean one\"\nCREATE TABLE t (createdAt date);\n-- migration V2\nCREATE INDEX idx_t_created ON t (createdAt);",
    ]);
    found_each(
        "unquoted-mixed-case",
        &[
            "-- migration V1\nCREATE TABLE t (\"createdAt\" date);\n-- migration V2\nCREATE INDEX idx_t_created ON t (createdAt);",
            "CREATE TYPE noteStatus AS ENUM ('a');\n-- revert V1\nDROP TYPE noteStatus;",
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.ownerId IS NULL THEN RETURN NULL; END IF; RETURN NEW; END $$;",
        ],
    );
}

#[test]
fn invalid_sql_does_not_panic() {
    for text in [
        "CREATE TABLE",
        "ALTER TABLE t ADD",
        "DROP é CASCADE",
        "DO $$ BEGIN",
        "DROP FUNCTION f( CASCADE",
        "CREATE INDEX ON",
        "\u{feff}CREATE TABLE t (é bigint);",
        "SET search_path",
        "UPDATE SET WHERE",
        ";;;",
        "CREATE TYPE x AS ENUM (",
        "DO $$ EXECUTE 'é $$;",
        "COPY t FROM stdin;\n1\té\n\\.\n",
        "DROP TABLE a, CASCADE;",
    ] {
        found(text);
    }
}
