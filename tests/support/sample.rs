//! Which points, and which random choices, a test takes.
//!
//! `cargo test` and `.ci/run` take the same ones in each run: the choices of a fixed seed, and points that cover all pairs of a
//! fault and a kind of request. `just test-all` takes a new seed and all points.
//!
//! - `TESTS_SEED=7` takes the choices of another seed. A failure prints it.
//! - `TESTS_FAULTS=all` takes all points, and a name from a failure takes one.
//! - `TESTS_PART=2/8` takes the second of eight parts of all points.
//! - `TESTS_ROUNDS=20` makes so many rounds of random fleets, and of everything else as many as a thorough run does.

use std::collections::BTreeMap;

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

/// What each run of the suite takes, or what a thorough run takes: one that asks for rounds or for all points.
pub fn by_depth<T>(usual: T, thorough: T) -> T {
    let is_thorough = number("TESTS_ROUNDS").is_some()
        || std::env::var("TESTS_FAULTS").is_ok_and(|it| it == "all");
    if is_thorough { thorough } else { usual }
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

/// At random, up to `count` items of each kind.
pub fn some_of_each<T, K: Ord>(
    mut items: Vec<T>,
    count: usize,
    random: &mut fastrand::Rng,
    kind: impl Fn(&T) -> K,
) -> Vec<T> {
    random.shuffle(&mut items);
    let mut taken: BTreeMap<K, usize> = BTreeMap::new();
    items.retain(|item| {
        let times = taken.entry(kind(item)).or_default();
        *times += 1;
        *times <= count
    });
    items
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
        let sample = |count| {
            let random = &mut fastrand::Rng::with_seed(1);
            let kind = |item: &&str| item.chars().next();
            let mut sample = some_of_each(items.clone(), count, random, kind);
            sample.sort_unstable();
            sample
        };
        let kinds: String = sample(1).iter().map(|item| &item[..1]).collect();
        assert_eq!(kinds, "abc");
        let kinds: String = sample(2).iter().map(|item| &item[..1]).collect();
        assert_eq!(kinds, "aabcc");
        assert_eq!(sample(9).len(), items.len());
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
