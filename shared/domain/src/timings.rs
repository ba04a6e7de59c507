//! How long the phases of a command take, for `--timings`.
//!
//! A phase is measured where it happens, in any crate. The sums are those of the process: a program runs one command.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;

/// A part of the work of a command. Phases do not overlap within one service; those of several services do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Reading and parsing the files of the services.
    Parse,
    /// Logging in: network, TLS and password exchange.
    Login,
    /// The first queries of a session: the settings of the engine, and whether its tables exist.
    Session,
    /// Creating databases, and the tables of the engine in them.
    Create,
    /// Acquiring the advisory lock.
    Lock,
    /// Reading history, journal and progress.
    History,
    /// Beginning a transaction under the settings of a file.
    Begin,
    /// The SQL of the files.
    Execute,
    /// Writing history, journal and progress.
    Record,
    /// Committing, and resetting the session.
    Commit,
    /// Printing events.
    Report,
}

const PHASES: usize = 11;

impl Phase {
    /// All phases, in the order of a run.
    pub const ALL: [Self; PHASES] = [
        Self::Parse,
        Self::Login,
        Self::Session,
        Self::Create,
        Self::Lock,
        Self::History,
        Self::Begin,
        Self::Execute,
        Self::Record,
        Self::Commit,
        Self::Report,
    ];

    /// Measures until the result is dropped.
    #[must_use = "it measures until it is dropped"]
    pub fn begin(self) -> MeasuredPhase {
        MeasuredPhase {
            phase: self,
            began: Instant::now(),
        }
    }

    /// What happens in it, in a few words.
    pub fn label(self) -> &'static str {
        match self {
            Self::Parse => "parse files",
            Self::Login => "log in",
            Self::Session => "prepare session",
            Self::Create => "create database",
            Self::Lock => "lock",
            Self::History => "read history",
            Self::Begin => "begin",
            Self::Execute => "execute",
            Self::Record => "record",
            Self::Commit => "commit",
            Self::Report => "report",
        }
    }
}

/// A phase that is being measured.
#[derive(Debug)]
pub struct MeasuredPhase {
    phase: Phase,
    began: Instant,
}

impl Drop for MeasuredPhase {
    fn drop(&mut self) {
        SUMS[self.phase as usize].add(self.began.elapsed());
    }
}

/// What was measured of one phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PhaseTime {
    pub phase: Phase,
    /// How often it happened.
    pub count: u64,
    /// The sum of all its durations, in microseconds. Several services work at a time, so it may exceed the duration of the run.
    pub total_us: u64,
    /// The longest one, in microseconds.
    pub longest_us: u64,
}

/// The phases of a command that happened, and its whole duration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Timings {
    /// From the start of the command, in microseconds.
    pub elapsed_us: u64,
    /// The phases, in the order of a run.
    pub phases: Vec<PhaseTime>,
}

/// Asks for timings. `began` is when the command started.
pub fn request_timings(began: Instant) {
    // A second request is the same one.
    let _ = REQUESTED.set(began);
}

/// The timings so far, if they were requested.
pub fn timings() -> Option<Timings> {
    let began = REQUESTED.get()?;
    let measured = Phase::ALL.map(|phase| SUMS[phase as usize].read(phase));
    Some(Timings {
        elapsed_us: micros(began.elapsed()),
        phases: measured.into_iter().filter(|it| it.count > 0).collect(),
    })
}

static REQUESTED: OnceLock<Instant> = OnceLock::new();
static SUMS: [Sum; PHASES] = [const { Sum::none() }; PHASES];

struct Sum {
    count: AtomicU64,
    total: AtomicU64,
    longest: AtomicU64,
}

impl Sum {
    const fn none() -> Self {
        Self {
            count: AtomicU64::new(0),
            total: AtomicU64::new(0),
            longest: AtomicU64::new(0),
        }
    }

    fn add(&self, duration: Duration) {
        let micros = micros(duration);
        self.count.fetch_add(1, Ordering::Relaxed);
        self.total.fetch_add(micros, Ordering::Relaxed);
        self.longest.fetch_max(micros, Ordering::Relaxed);
    }

    fn read(&self, phase: Phase) -> PhaseTime {
        PhaseTime {
            phase,
            count: self.count.load(Ordering::Relaxed),
            total_us: self.total.load(Ordering::Relaxed),
            longest_us: self.longest.load(Ordering::Relaxed),
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_has_its_own_sum() {
        for (index, phase) in Phase::ALL.into_iter().enumerate() {
            assert_eq!(phase as usize, index, "{phase:?}");
        }
    }

    #[test]
    fn phases_that_did_not_happen_are_omitted() {
        assert_eq!(timings(), None, "not requested");
        request_timings(Instant::now());
        drop(Phase::Lock.begin());
        drop(Phase::Lock.begin());
        let phases = timings().expect("timings").phases;
        let lock = phases.iter().map(|it| (it.phase, it.count));
        assert_eq!(lock.collect::<Vec<_>>(), [(Phase::Lock, 2)]);
    }
}
