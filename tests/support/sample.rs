//! Which points, and which random choices, a test takes.
//!
//! `cargo test` and `.ci/run` take the same ones in each run: the choices of a fixed seed, and points that cover all pairs of a
//! fault and a kind of request. `just test-all` takes a new seed and all points.
//!
//! - `TESTS_SEED=7` takes the choices of another seed. A failure prints it.
//! - `TESTS_FAULTS=all` takes all points, and a name from a failure takes one.
//! - `TESTS_PART=2/8` takes the second of eight parts of all points.
//! - `TESTS_ROUNDS=20` makes more rounds of random fleets.

use std::collections::BTreeSet;

use crate::Request;

/// Nothing is special about it.
const SEED: u64 = 14;

/// The seed of the random choices. The output of a test that fails contains it.
pub fn seed() -> u64 {
    let seed = number("TESTS_SEED").unwrap_or(SEED);
    eprintln!("TESTS_SEED={seed}");
    seed
}

/// The random choices.
pub fn random() -> fastrand::Rng {
    fastrand::Rng::with_seed(seed())
}

/// The number of rounds, of which a suite makes so many by itself. Each has the next seed.
pub fn rounds(usual: u64) -> u64 {
    number("TESTS_ROUNDS").unwrap_or(usual)
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// The selection of points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Points {
    /// The sample of the suite.
    Sample,
    /// All, or a part of them.
    All,
    /// Those with a name.
    Named(String),
}

impl Points {
    /// The selection that the environment asks for.
    pub fn wanted() -> Self {
        match std::env::var("TESTS_FAULTS").unwrap_or_default().as_str() {
            "" => Self::Sample,
            "all" => Self::All,
            name => Self::Named(name.to_owned()),
        }
    }
}

/// The part of all points that the environment asks for.
pub fn part<T>(all: Vec<T>) -> Vec<T> {
    let Some(part) = std::env::var("TESTS_PART")
        .ok()
        .filter(|part| !part.is_empty())
    else {
        return all;
    };
    let (number, parts) = part
        .split_once('/')
        .and_then(|(number, parts)| Some((number.parse::<usize>().ok()?, parts.parse().ok()?)))
        .filter(|(number, parts)| (1..=*parts).contains(number))
        .unwrap_or_else(|| panic!("TESTS_PART={part} is no part such as 2/8"));
    all.into_iter().skip(number - 1).step_by(parts).collect()
}

/// A sample: every `step`-th item from `first` on, and in addition one of each kind that is not among them.
pub fn covering<T, K: Ord>(
    items: Vec<T>,
    first: usize,
    step: usize,
    kind: impl Fn(&T) -> K,
) -> Vec<T> {
    let is_taken =
        |index: usize| index >= first % step && (index - first % step).is_multiple_of(step);
    let indexed = items.iter().enumerate();
    let taken = indexed.filter(|(index, _)| is_taken(*index));
    let mut covered: BTreeSet<K> = taken.map(|(_, item)| kind(item)).collect();
    let mut sample = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        if is_taken(index) || covered.insert(kind(&item)) {
            sample.push(item);
        }
    }
    sample
}

/// What a request is for: a fault at one has other effects than at one of another kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RequestKind {
    /// A connection is opened.
    Startup,
    /// The session is set up or cleaned.
    Settings,
    /// An advisory lock is acquired or released, or looked at.
    Lock,
    /// A release is prepared or decided.
    TwoPhase,
    /// Our tables are written.
    Record,
    /// A transaction begins.
    Begin,
    /// A transaction ends.
    End,
    /// Something is created, changed or dropped.
    Change,
    /// Something is read.
    Read,
}

impl Request {
    /// What the request is for.
    pub fn kind(&self) -> RequestKind {
        RequestKind::of(self.place.request, &self.sql)
    }
}

impl RequestKind {
    /// What a request of a connection is for.
    pub fn of(request: usize, sql: &str) -> Self {
        let contains = |words: &[&str]| words.iter().any(|word| sql.contains(word));
        let begins = |words: &[&str]| words.iter().any(|word| sql.trim_start().starts_with(word));
        if request == 0 {
            Self::Startup
        } else if contains(&["PREPARE TRANSACTION", "PREPARED", "orchestrator.releases"]) {
            Self::TwoPhase
        } else if contains(&["advisory"]) {
            Self::Lock
        } else if contains(&["INSERT INTO", "UPDATE ", "DELETE FROM"])
            && contains(&["orchestrator.", "schema_history"])
        {
            Self::Record
        } else if contains(&["COMMIT", "ROLLBACK"]) {
            Self::End
        } else if begins(&["BEGIN", "START TRANSACTION"]) {
            Self::Begin
        } else if contains(&[
            "CREATE ",
            "ALTER ",
            "DROP ",
            "INSERT INTO",
            "UPDATE ",
            "DELETE FROM",
        ]) {
            Self::Change
        } else if begins(&["SET ", "RESET ", "DISCARD "]) || contains(&["set_config("]) {
            Self::Settings
        } else {
            Self::Read
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_every_kind() {
        let items = vec!["a1", "a2", "b1", "a3", "c1", "a4", "c2"];
        let kind = |item: &&str| item.chars().next();
        let sample = |first, step| covering(items.clone(), first, step, kind);
        assert_eq!(sample(0, 3), ["a1", "b1", "a3", "c2"]);
        assert_eq!(sample(7, 7), ["a1", "b1", "c1"]);
        assert_eq!(sample(1, 1), items);
        assert_eq!(covering(Vec::<&str>::new(), 5, 2, kind), Vec::<&str>::new());
    }

    #[test]
    fn requests_have_kinds() {
        let kinds = [
            "SET lock_timeout = 1",
            "SELECT pg_try_advisory_lock($1)",
            "PREPARE TRANSACTION 'x'",
            "INSERT INTO orchestrator.journal VALUES (1)",
            "BEGIN",
            "COMMIT",
            "CREATE TABLE t (id int)",
            "SELECT 1",
        ]
        .map(|sql| RequestKind::of(3, sql));
        assert_eq!(
            kinds,
            [
                RequestKind::Settings,
                RequestKind::Lock,
                RequestKind::TwoPhase,
                RequestKind::Record,
                RequestKind::Begin,
                RequestKind::End,
                RequestKind::Change,
                RequestKind::Read,
            ]
        );
        assert_eq!(RequestKind::of(0, "startup"), RequestKind::Startup);
    }
}
