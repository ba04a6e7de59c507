//! `generate` on pairs of schemas that are hard to get right: the migration and its revert are written, every value of a column that
//! both sides have is kept, and sequences go on after the highest value. Or nothing is written, and the exit code says why.
//!
//! Each run takes one pair of each kind; `TESTS_FAULTS=all` takes all of them, and a name takes one.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Map, Value};
use tests::{Points, Program, Server, Services};

/// A pair from `fixtures/generate`. A line `-- case: NAME` begins it, and `-- to:` divides it.
struct Pair {
    kind: String,
    name: String,
    /// What the migrations make, with rows.
    old: String,
    /// What `schema.sql` declares.
    new: String,
    /// Lines such as `-- exit: 4`:
    /// - `options`: further options;
    /// - `since`: the first version of PostgreSQL that has all of it;
    /// - `exit`: the exit code, if it is not 0;
    /// - `files`: 0 if there is nothing to do;
    /// - `values`: that a value has another form on the other side.
    settings: BTreeMap<String, String>,
}

fn pairs() -> Vec<Pair> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/generate");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the pairs")
        .map(|it| it.expect("a file").path())
        .collect();
    files.sort();
    let mut pairs = Vec::new();
    for file in files {
        let text = format!("\n{}", fs::read_to_string(&file).expect("pairs"));
        for part in text.split("\n-- case: ").skip(1) {
            let (name, body) = part.split_once('\n').expect("a name");
            let setting = |line: &str| -> Option<(String, String)> {
                let (name, value) = line.strip_prefix("-- ")?.split_once(": ")?;
                Some((name.to_owned(), value.to_owned()))
            };
            let settings = body.lines().filter_map(setting).collect();
            let (old, new) = body.split_once("\n-- to:\n").expect("the other side");
            pairs.push(Pair {
                kind: file.display().to_string(),
                name: name.to_owned(),
                old: old.to_owned(),
                new: new.to_owned(),
                settings,
            });
        }
    }
    pairs
}

/// The rows of each table as JSON.
const ROWS: &str = "
SELECT c.oid::regclass::text, array_to_string(xpath('//rows/text()', query_to_xml(
    format('SELECT coalesce(jsonb_agg(to_jsonb(r)), ''[]'') AS rows FROM ONLY %s r', c.oid::regclass), false, true, '')), '')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'orchestrator')
  AND c.relname <> 'refinery_schema_history'";

/// Columns whose sequence would repeat a value.
const BEHIND: &str = "
SELECT it FROM (
  SELECT c.oid::regclass || '.' || a.attname AS it, array_to_string(xpath('//behind/text()', query_to_xml(format(
      'SELECT (SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM %s) < coalesce(max(%I), 0) AS behind FROM %s',
      pg_get_serial_sequence(c.oid::regclass::text, a.attname), a.attname, c.oid::regclass), false, true, '')), '') AS behind
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'orchestrator')
    AND a.attnum > 0 AND NOT a.attisdropped AND pg_get_serial_sequence(c.oid::regclass::text, a.attname) IS NOT NULL) s
WHERE behind = 'true'";

type Rows = BTreeMap<String, Vec<Map<String, Value>>>;

fn rows(server: &Server, database: &str) -> Rows {
    let rows = server.query(database, ROWS);
    rows.into_iter()
        .map(|row| {
            let rows = serde_json::from_str(&row[1]).expect("rows as JSON");
            (row[0].clone(), rows)
        })
        .collect()
}

/// The tables that both have, but with other values in the columns that both have.
fn changed(one: &Rows, other: &Rows) -> Vec<String> {
    let values = |rows: &[Map<String, Value>], columns: &[&String]| -> Vec<String> {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        let mut rows: Vec<String> = rows
            .iter()
            .map(|row| {
                let row = columns.iter().filter_map(|it| row.get(*it));
                row.map(text).collect::<Vec<_>>().join(", ")
            })
            .collect();
        rows.sort();
        rows
    };
    one.iter()
        .filter_map(|(table, rows)| {
            let others = other.get(table)?;
            let columns: Vec<&String> = match (rows.first(), others.first()) {
                (Some(row), Some(other)) => {
                    row.keys().filter(|it| other.contains_key(*it)).collect()
                }
                _ => Vec::new(),
            };
            let (before, after) = (values(rows, &columns), values(others, &columns));
            (before != after).then(|| format!("{table}: {before:?} became {after:?}"))
        })
        .collect()
}

/// What is wrong with a pair.
fn faults(server: &Server, services: &Services, index: usize, pair: &Pair) -> Vec<String> {
    let orchestrator = Program::orchestrator(server).services(services);
    let service = format!("s{index}");
    let database = format!("db_{service}");
    let folder = services.service(&service, &[]);
    folder.migration(1, "old", &pair.old);
    folder.file("schema.sql", &pair.new);
    let setting = |name: &str| pair.settings.get(name).map(String::as_str);
    let expected: i32 = setting("exit").map_or(0, |it| it.parse().expect("a code"));
    let mut options = vec!["generate", &service, "Next"];
    options.extend(setting("options").unwrap_or_default().split_whitespace());
    let outcome = orchestrator.run(&options);
    let mut faults = Vec::new();
    if outcome.code != expected {
        return vec![format!(
            "{}\n{}{}",
            outcome.code, outcome.stdout, outcome.stderr
        )];
    }
    let count = || fs::read_dir(folder.path().join("migrations")).map_or(0, Iterator::count);
    let written = count() - 1;
    if (expected != 0 || setting("files") == Some("0")) != (written == 0) {
        faults.push(format!("{written} files"));
    }
    if written == 0 {
        return faults;
    }
    let mut run = |arguments: &[&str]| {
        let outcome = orchestrator.run(arguments);
        if outcome.code != 0 {
            faults.push(format!(
                "{arguments:?}: {}{}",
                outcome.stdout, outcome.stderr
            ));
        }
    };
    run(&["generate", &service, "Again"]);
    server.query("postgres", &format!("CREATE DATABASE {database}"));
    run(&["run", &service, "--to", "1"]);
    let before = rows(server, &database);
    run(&["run", &service]);
    let after = rows(server, &database);
    let mut behind = server.query(&database, BEHIND);
    run(&["revert", &service, "--to", "1"]);
    let back = rows(server, &database);
    behind.extend(server.query(&database, BEHIND));
    if count() != written + 1 {
        faults.push("generates again".to_owned());
    }
    if setting("values").is_none() {
        faults.extend(changed(&before, &after));
        // What a loss took does not come back.
        if !setting("options").unwrap_or_default().contains("--allow") {
            faults.extend(changed(&before, &back));
        }
    }
    faults.extend(behind.into_iter().map(|it| format!("{it:?} is behind")));
    faults
}

#[test]
fn a_hard_pair_is_generated_with_its_rows_or_refused() {
    let server = Server::start();
    let services = Services::new();
    let version: i32 = server
        .value("postgres", "SHOW server_version_num")
        .parse()
        .expect("a version");
    let mut pairs = pairs();
    pairs.retain(|it| {
        let since = it.settings.get("since").map(|it| it.parse::<i32>());
        since.is_none_or(|it| it.expect("a version") <= version / 10_000)
    });
    match Points::wanted() {
        Points::All => pairs = tests::part(pairs),
        Points::Named(name) => pairs.retain(|it| it.name == name),
        Points::Sample => {
            pairs = tests::some_of_each(pairs, 1, &mut tests::random(), |it| it.kind.clone());
        }
    }
    let next = AtomicUsize::new(0);
    let failures: Vec<String> = std::thread::scope(|scope| {
        let work = || {
            let mut failures = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(pair) = pairs.get(index) else {
                    return failures;
                };
                let faults = faults(&server, &services, index, pair);
                if !faults.is_empty() {
                    failures.push(format!("## {}\n{}", pair.name, faults.join("\n")));
                }
            }
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .flat_map(|it| it.join().expect("no panic"))
            .collect()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
