//! Reads the corpus in `tests/corpus`: schemas and changes to them.
//!
//! A file of changes is a list of SQL cases, each below its title:
//! ```sql
//! -- case: a dropped column          the title
//! -- names: public.users.email       parts of the names of all objects that differ (comma-separated)
//! -- same                            instead of names: nothing differs
//! -- order: public.users             the physical order of this table's columns differs
//! -- invalid: public.users_email     an invalid index, which pg_dump omits
//! -- extra: extension version        the snapshot includes it although pg_dump does not: documented cases only
//! -- needs: 15                       the oldest major version (`..17`: the newest), or `icu`, or `extension citext`
//! ALTER TABLE …;
//! -- then                            the following SQL is sent separately, because it cannot run in a transaction
//! -- fails                           … and must fail
//! ```

use std::fs;
use std::path::{Path, PathBuf};

/// What a schema or a change requires of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    AtLeast(u32),
    AtMost(u32),
    Icu,
    Extension(String),
}

/// A schema.
pub struct Schema {
    pub sql: String,
    pub needs: Vec<Need>,
    pub cases: Vec<Case>,
}

/// A change to a schema and its expected differences.
#[derive(Debug, Default)]
pub struct Case {
    pub title: String,
    pub needs: Vec<Need>,
    /// Parts of the names of the objects that differ; empty if nothing differs.
    pub names: Vec<String>,
    pub same: bool,
    /// Tables whose columns have a different order.
    pub order: Vec<String>,
    /// Invalid indexes, which pg_dump omits and the comparison reports separately.
    pub invalid: Vec<String>,
    /// A difference that the snapshot includes and pg_dump does not.
    pub extra: Option<String>,
    pub steps: Vec<Step>,
}

/// SQL that is sent in one message.
#[derive(Debug, Default)]
pub struct Step {
    pub sql: String,
    pub fails: bool,
}

/// The names of all schemas.
pub fn schemas() -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder().join("mutations"))
        .expect("the mutations")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            path.file_stem()
                .and_then(|stem| stem.to_str())
                .expect("a name")
                .to_owned()
        })
        .collect();
    names.sort();
    names
}

/// Reads a schema with its changes.
pub fn schema(name: &str) -> Schema {
    let sql = text(&format!("{name}.sql"));
    let needs = sql
        .lines()
        .filter_map(|line| line.strip_prefix("-- needs: "))
        .map(need)
        .collect();
    Schema {
        sql,
        needs,
        cases: cases(&text(&format!("mutations/{name}.sql"))),
    }
}

/// Reads a file of the corpus.
pub fn text(file: &str) -> String {
    let path = folder().join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("-- case: ") {
            cases.push(Case {
                title: title.to_owned(),
                steps: vec![Step::default()],
                ..Case::default()
            });
            continue;
        }
        let Some(case) = cases.last_mut() else {
            continue;
        };
        let list = |values: &str| values.split(", ").map(str::to_owned).collect::<Vec<_>>();
        let (key, value) = line.split_once(": ").unwrap_or((line, ""));
        match key {
            "-- names" => case.names.extend(list(value)),
            "-- order" => case.order.extend(list(value)),
            "-- invalid" => case.invalid.extend(list(value)),
            "-- extra" => case.extra = Some(value.to_owned()),
            "-- needs" => case.needs.push(need(value)),
            "-- same" => case.same = true,
            "-- then" => case.steps.push(Step::default()),
            "-- fails" => last_step(case).fails = true,
            _ => {
                let sql = &mut last_step(case).sql;
                sql.push_str(line);
                sql.push('\n');
            }
        }
    }
    for case in &cases {
        assert_ne!(
            case.same,
            !(case.names.is_empty() && case.order.is_empty() && case.invalid.is_empty()),
            "{}: either `same`, or names",
            case.title
        );
    }
    cases
}

fn last_step(case: &mut Case) -> &mut Step {
    case.steps.last_mut().expect("a case has a step")
}

fn need(text: &str) -> Need {
    if let Some(extension) = text.strip_prefix("extension ") {
        Need::Extension(extension.to_owned())
    } else if let Some(newest) = text.strip_prefix("..") {
        Need::AtMost(newest.parse().expect("a major version"))
    } else if text == "icu" {
        Need::Icu
    } else {
        Need::AtLeast(text.parse().expect("a major version"))
    }
}
