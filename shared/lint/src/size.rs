//! Linting takes time in proportion to the size of a file, however long or deep it is.

use std::time::{Duration, Instant};

use super::pages::{findings, fixture};

/// The time to lint a file: the shorter of two, to exclude disturbances.
fn took(block: &str) -> Duration {
    let fixture = fixture(block);
    let once = |_| {
        let started = Instant::now();
        findings(&fixture);
        started.elapsed()
    };
    (0..2).map(once).min().unwrap_or_default()
}

/// The line with this number.
type Line = fn(usize) -> String;

#[test]
fn a_long_file_takes_time_in_proportion() {
    let lines = |n: usize, line: Line| (0..n).map(line).collect::<String>();
    let shapes: [(&str, Line); 6] = [
        ("UPDATE", |i| {
            format!("UPDATE t SET a = {i} WHERE id = {i};\n")
        }),
        ("CREATE INDEX", |i| format!("CREATE INDEX i{i} ON t (a);\n")),
        ("DROP INDEX", |i| format!("DROP INDEX i{i};\n")),
        ("CREATE TABLE", |i| {
            format!("CREATE TABLE t{i} (id int PRIMARY KEY, user_id int);\n")
        }),
        ("ADD CHECK", |i| {
            format!("ALTER TABLE t ADD CONSTRAINT c{i} CHECK (a > {i});\n")
        }),
        ("no-transaction", |i| format!("VACUUM t{i};\n")),
    ];
    for (name, line) in shapes {
        let file = |n| {
            format!(
                "CREATE TABLE t (id int, a int);\n-- migration V2\n{}",
                lines(n, line)
            )
        };
        let (short, long) = (took(&file(200)), took(&file(1_600)));
        assert!(
            long < short * 30,
            "{name}: {short:?}, eight times as long {long:?}"
        );
    }
    let table = |n| {
        let columns = lines(n, |i| format!("c{i} integer NOT NULL DEFAULT 0, "));
        format!("CREATE TABLE t ({columns} z int);\n")
    };
    let (short, long) = (took(&table(150)), took(&table(1_200)));
    assert!(
        long < short * 30,
        "columns: {short:?}, eight times as many {long:?}"
    );
}

#[test]
fn too_deep_nesting_is_a_finding_not_a_crash() {
    let deep = |n: usize| format!("SELECT {}1{};\n", "(".repeat(n), ")".repeat(n));
    for block in [
        deep(20_000),
        format!(
            "DO $$ BEGIN PERFORM {} END $$;\n",
            deep(20_000).trim_start_matches("SELECT ")
        ),
        format!(
            "DO $$ BEGIN EXECUTE '{}'; END $$;\n",
            deep(20_000).replace(';', "")
        ),
        format!("SELECT 1;\n-- revert V1\n{}", deep(20_000)),
    ] {
        let found = findings(&fixture(&block));
        let rules: Vec<&str> = found.iter().map(|it| it.rule.as_str()).collect();
        assert_eq!(rules, ["too-deep"], "{}", &block[..40]);
        assert!(found[0].place.is_some());
    }
}
