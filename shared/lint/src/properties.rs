//! Linting any file does not panic, and every place is within the file.

use proptest::prelude::*;

use super::pages::{findings, fixture};

/// Pieces of statements, in random order.
const PIECES: &str = "CREATE TABLE|ALTER TABLE|DROP TABLE|CREATE INDEX|CREATE TYPE|AS ENUM|DO $$|$$;|BEGIN|END|\
    IF NOT EXISTS|THEN|END IF;|EXECUTE|UPDATE|SET|DELETE FROM|WHERE|INSERT INTO|SELECT|FROM|LIMIT 5|\
    t|\"Ü t\"|public.u|(|)|,|;|a bigint|NOT NULL|REFERENCES u|ADD COLUMN|ADD CONSTRAINT c|\
    FOREIGN KEY (a)|NOT VALID|VALIDATE CONSTRAINT c|CASCADE|DROP FUNCTION f|'é'|E'\\x'|createdAt|\
    NEW.updatedAt|CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS|ON t|RENAME TO u|\
    ADD VALUE 'é'|SET search_path TO app, public;|CHECK (a IS NOT NULL)|-- x\n|/* é */|TRUNCATE|\
    CALL f(1);|WITH w AS (|CREATE TEMP TABLE w|\u{feff}|= 1 AND|CREATE VIEW v AS SELECT * FROM t;";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn linting_never_panics(pieces in prop::collection::vec(prop::sample::select(PIECES.split('|').collect::<Vec<_>>()), 1..40)) {
        let text = pieces.join(" ");
        for finding in findings(&fixture(&text)) {
            if let Some(place) = finding.place {
                let lines = text.lines().count().max(1) + 1;
                prop_assert!(place.line as usize <= lines, "{finding:?}\n{text}");
                prop_assert!((place.line, place.column) <= (place.end_line, place.end_column), "{finding:?}\n{text}");
            }
        }
    }
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
        findings(&fixture(text));
    }
}
