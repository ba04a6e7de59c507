//! Makes random changes to any schema.
//!
//! `tests/corpus/random.sql` queries a database for the changes that its objects allow. Some of them are made, one at a
//! time, and judged: pg_dump and the snapshot must agree.

use std::fs;
use std::path::PathBuf;

use fastrand::Rng;

use crate::corpus;
use crate::judge::Baseline;
use crate::test_server::TestServer;

const SEED: u64 = 20_240_229;
const ROUNDS: usize = 3;

/// Makes random changes to every schema. Panics with a list of everything that is wrong.
pub fn changes() {
    let test_server = TestServer::open();
    let rounds = number("ORACLE_ROUNDS").unwrap_or(ROUNDS);
    let seed = number("ORACLE_SEED").map_or(SEED, |seed| seed as u64);
    let mut wrong = Vec::new();
    for (index, (name, fill)) in subjects().into_iter().enumerate() {
        let template = format!("random_{index}");
        test_server.create(&template);
        fill(&test_server, &template);
        let mut rng = Rng::with_seed(seed.wrapping_add(index as u64));
        let made = few_changes(&test_server, &template, &name, rounds, &mut rng, &mut wrong);
        println!("{name}: {made} changes");
        test_server.drop(&template);
    }
    assert!(
        wrong.is_empty(),
        "{} changes at random are judged wrongly (seed {seed}):\n\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

type Fill = Box<dyn Fn(&TestServer, &str)>;

fn subjects() -> Vec<(String, Fill)> {
    let Some(folder) = std::env::var_os("ORACLE_SCHEMAS") else {
        return corpus::schemas()
            .into_iter()
            .map(|name| {
                let sql = corpus::schema(&name).sql;
                let fill: Fill =
                    Box::new(move |test_server, database| test_server.run(database, &sql));
                (name, fill)
            })
            .collect();
    };
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the folder of ORACLE_SCHEMAS")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|file| {
            let name = file.display().to_string();
            let fill: Fill =
                Box::new(move |test_server, database| test_server.load(database, &file));
            (name, fill)
        })
        .collect()
}

/// Makes some changes to one schema and returns their number.
fn few_changes(
    test_server: &TestServer,
    template: &str,
    name: &str,
    rounds: usize,
    rng: &mut Rng,
    wrong: &mut Vec<String>,
) -> usize {
    let mut kinds: Vec<Vec<String>> = questions()
        .iter()
        .map(|question| test_server.rows(template, &format!("SET search_path = ''; {question}")))
        .filter(|statements| !statements.is_empty())
        .collect();
    let baseline = Baseline::new(test_server, template);
    let mut made = 0;
    // One of each kind before a second of any, because most objects are columns.
    while made < rounds && !kinds.is_empty() {
        rng.shuffle(&mut kinds);
        for statements in &mut kinds {
            if made == rounds {
                break;
            }
            let statement = statements.swap_remove(rng.usize(..statements.len()));
            // Many changes are impossible because something depends on the object.
            let Ok(outcome) =
                baseline.apply(|test_server, copy| test_server.try_run(copy, &statement))
            else {
                continue;
            };
            made += 1;
            if outcome.dumps_differ == outcome.comparison.differences.is_empty() {
                wrong.push(format!("{name}: {statement}\n{}", outcome.describe()));
            }
        }
        kinds.retain(|statements| !statements.is_empty());
    }
    made
}

/// The queries that generate statements.
fn questions() -> Vec<String> {
    corpus::text("random.sql")
        .split(";\n")
        .map(|question| question.trim().to_owned())
        .filter(|question| !question.is_empty())
        .collect()
}

fn number(variable: &str) -> Option<usize> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().expect("a number"))
}
