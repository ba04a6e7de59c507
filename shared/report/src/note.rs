//! Which events get a line during a run, and its text.
//!
//! A pure function of an event and the state of its service; failures, announcement and summary are elsewhere.

use domain::{Blocker, Decision, EventKind, ServiceOutcome, Version};

use super::inline;
use super::style::Role;
use super::tally::{Activity, Migration, ServiceTally};
use super::text::{clean, one_line};
use super::units::{count, duration};

/// A statement that took at least this long, in milliseconds, gets a line.
const SLOW_STATEMENT: u64 = 1_000;
/// The maximum width of a foreign sentence.
const SENTENCE: usize = 200;

/// A line before it is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub verb: &'static str,
    /// The color of the verb.
    pub role: Role,
    /// How long it took.
    pub milliseconds: Option<u64>,
    /// The rest of the line.
    pub text: String,
    /// For a line about waiting: identifies the wait. The same wait is not reported twice.
    pub waits_for: Option<String>,
    /// Lines below it, each with its line end, as they are printed.
    pub below: String,
}

/// The level of detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Detail {
    /// Notices and statements too.
    pub verbose: bool,
    /// One line for a finished service instead of one for each migration.
    pub by_service: bool,
    /// A final table follows, which shows the skipped services and the reasons.
    pub tabled: bool,
}

impl Note {
    /// A line with a verb.
    pub fn new(verb: &'static str, role: Role, text: String) -> Self {
        Self {
            verb,
            role,
            milliseconds: None,
            text,
            waits_for: None,
            below: String::new(),
        }
    }

    /// Adds how long it took.
    #[must_use]
    pub fn lasting(mut self, milliseconds: u64) -> Self {
        self.milliseconds = Some(milliseconds);
        self
    }

    /// Adds lines below it.
    #[must_use]
    pub fn above(mut self, lines: String) -> Self {
        self.below = lines;
        self
    }

    /// Marks a line about waiting: the same wait is not reported again.
    #[must_use]
    pub fn waiting_for(mut self, subject: String) -> Self {
        self.waits_for = Some(format!("{} {subject}", self.verb));
        self
    }
}

/// The note for an event; `None` if it gets no line, or one elsewhere.
pub(super) fn note(
    kind: &EventKind,
    version: Option<Version>,
    standing: Option<&ServiceTally>,
    detail: Detail,
) -> Option<Note> {
    before_the_steps(kind, detail)
        .or_else(|| within_a_step(kind, version, standing, detail))
        .or_else(|| after_a_step(kind, version, standing, detail))
        .or_else(|| of_a_release(kind, version, detail))
}

fn before_the_steps(kind: &EventKind, detail: Detail) -> Option<Note> {
    match kind {
        EventKind::DatabaseCreated { database } => {
            let text = format!("database {}", clean(database));
            Some(Note::new("created", Role::Good, text))
        }
        EventKind::GateWaiting { gate } => {
            let gate = inline::gate(gate);
            let note = Note::new("waiting", Role::Warning, format!("for {gate}"));
            Some(note.waiting_for(gate))
        }
        EventKind::GateMet { gate, waited_ms } => {
            let text = format!("{} is applied", inline::gate(gate));
            Some(Note::new("released", Role::Good, text).lasting(*waited_ms))
        }
        EventKind::LockWaiting { holder } => {
            let text = format!("for the lock held by {}", inline::holder(holder.as_ref()));
            // Ages and states change constantly; the wait is the same as long as the same process holds the lock.
            let subject = holder
                .as_ref()
                .map_or_else(String::new, |holder| holder.pid.to_string());
            Some(Note::new("waiting", Role::Warning, text).waiting_for(subject))
        }
        EventKind::ServiceStarted { steps } if detail.verbose => {
            let text = format!("lock acquired, {} to run", count(*steps, "migration"));
            Some(Note::new("started", Role::Quiet, text))
        }
        _ => None,
    }
}

fn within_a_step(
    kind: &EventKind,
    version: Option<Version>,
    standing: Option<&ServiceTally>,
    detail: Detail,
) -> Option<Note> {
    match kind {
        EventKind::MigrationStarted {
            name,
            statements,
            resumed_after,
            ..
        } => {
            let name = named(version, name);
            match (resumed_after, statements) {
                (Some(done), Some(all)) if *done > 0 => {
                    let text = format!("{name} after statement {done} of {all}");
                    Some(Note::new("resumed", Role::Accent, text))
                }
                _ if detail.verbose => Some(Note::new("started", Role::Quiet, name)),
                _ => None,
            }
        }
        EventKind::StatementFinished {
            statement,
            statements,
            duration_ms,
            recovered,
        } => {
            let own = running(version, standing);
            let text = format!("{own} statement {statement} of {statements}");
            match recovered {
                Some(why) => {
                    let text = format!("{text}: {}", one_line(why, SENTENCE));
                    Some(Note::new("recovered", Role::Accent, text))
                }
                None if detail.verbose || *duration_ms >= SLOW_STATEMENT => {
                    Some(Note::new("executed", Role::Quiet, text).lasting(*duration_ms))
                }
                None => None,
            }
        }
        EventKind::MigrationBlocked {
            waited_ms,
            blockers,
        } => {
            let own = running(version, standing);
            let text = format!("{own} is waiting for {}", inline::blockers(blockers));
            let subject = format!("{own} {:?}", identities(blockers));
            let note = Note::new("blocked", Role::Warning, text).waiting_for(subject);
            Some(note.lasting(*waited_ms))
        }
        EventKind::MigrationUnblocked { waited_ms } => {
            let text = format!("{} acquired the lock", running(version, standing));
            Some(Note::new("unblocked", Role::Good, text).lasting(*waited_ms))
        }
        EventKind::MigrationRetrying {
            attempt,
            attempts,
            pause_ms,
            sqlstate,
            message,
            blockers,
        } => {
            let own = running(version, standing);
            // The blockers were described during the wait.
            let why = match inline::identities(blockers) {
                None => format!("{} ({sqlstate})", one_line(message, SENTENCE)),
                Some(who) => format!("lock held by {who}"),
            };
            let pause = duration(*pause_ms);
            let text =
                format!("{own} attempt {attempt} of {attempts} failed, next in {pause}: {why}");
            let subject = format!("{own} {sqlstate} {:?}", identities(blockers));
            Some(Note::new("retrying", Role::Warning, text).waiting_for(subject))
        }
        EventKind::ConnectionLost { message } => {
            let own = running(version, standing);
            let why = one_line(message, SENTENCE);
            let text = format!("{own} {why}; checking what was committed");
            Some(Note::new("lost", Role::Warning, text))
        }
        EventKind::ServerNotice { severity, message } => {
            let text = one_line(message, 2 * SENTENCE);
            // PostgreSQL's warnings are rare and important; notices are not.
            if severity == "WARNING" {
                Some(Note::new("warning", Role::Warning, text))
            } else if detail.verbose {
                Some(Note::new("notice", Role::Quiet, text))
            } else {
                None
            }
        }
        _ => None,
    }
}

fn after_a_step(
    kind: &EventKind,
    version: Option<Version>,
    standing: Option<&ServiceTally>,
    detail: Detail,
) -> Option<Note> {
    match kind {
        // If a migration was executed before, the line of its service shows that it is committed.
        EventKind::MigrationApplied { .. } if standing.is_some_and(|it| it.executed > 0) => None,
        EventKind::MigrationApplied { name, duration_ms } if !detail.by_service => {
            let note = Note::new("applied", Role::Good, named(version, name));
            Some(note.lasting(*duration_ms))
        }
        // Each revert of a compensation gets a line.
        EventKind::MigrationReverted { name, duration_ms }
            if !detail.by_service || standing.is_some_and(|it| it.undo_steps.is_some()) =>
        {
            let note = Note::new("reverted", Role::Good, named(version, name));
            Some(note.lasting(*duration_ms))
        }
        EventKind::MigrationUnchanged { name } if !detail.by_service => {
            let text = format!("{} (done by another run)", named(version, name));
            Some(Note::new("unchanged", Role::Quiet, text))
        }
        EventKind::CompensationGivenUp { of_run, versions } => {
            let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
            let text = format!("{} of run {of_run}", versions.join(", "));
            Some(Note::new("kept", Role::Good, text))
        }
        EventKind::ServiceSkipped { because, steps } if detail.verbose || !detail.tabled => {
            let steps = count(*steps, "migration");
            let text = format!("{steps} not started: {}", one_line(because, SENTENCE));
            Some(Note::new("skipped", Role::Warning, text))
        }
        EventKind::ServiceFinished {
            outcome: ServiceOutcome::Done,
            duration_ms,
            ..
        } if detail.by_service => {
            let text = collapsed(standing?)?;
            Some(Note::new("done", Role::Good, text).lasting(*duration_ms))
        }
        _ => None,
    }
}

/// The lines of an atomic release.
fn of_a_release(kind: &EventKind, version: Option<Version>, detail: Detail) -> Option<Note> {
    match kind {
        EventKind::MigrationExecuted { name, duration_ms } if !detail.by_service => {
            let note = Note::new("executed", Role::Accent, named(version, name));
            Some(note.lasting(*duration_ms))
        }
        EventKind::MigrationRolledBack { name, because } if detail.verbose || !detail.tabled => {
            let text = format!("{}: {}", named(version, name), one_line(because, SENTENCE));
            Some(Note::new("undone", Role::Warning, text))
        }
        EventKind::ServicePrepared { gid, open_ms } if detail.verbose => {
            let note = Note::new("prepared", Role::Quiet, clean(gid));
            Some(note.lasting(*open_ms))
        }
        EventKind::ReleaseDecided {
            decision,
            coordinator,
        } => {
            let (role, what) = match decision {
                Decision::Commit => (Role::Good, "commit everywhere"),
                Decision::Rollback => (Role::Warning, "roll back everywhere"),
            };
            let text = format!("{what} (recorded in the database of {coordinator})");
            Some(Note::new("decided", role, text))
        }
        EventKind::ServiceCommitted {
            held_ms,
            open_ms,
            locks,
        } => {
            let open = duration(*open_ms);
            let text = format!(
                "{}; its transaction was open for {open}",
                inline::locks(locks)
            );
            Some(Note::new("committed", Role::Good, text).lasting(*held_ms))
        }
        EventKind::ReleaseCommitted {
            databases,
            window_ms,
        } => {
            let databases = count(*databases, "database");
            let text = format!("{databases}, from the first commit to the last");
            Some(Note::new("released", Role::Good, text).lasting(*window_ms))
        }
        EventKind::ReleaseResolved(resolved) => Some(Note::new(
            "resolved",
            Role::Warning,
            inline::resolved(resolved),
        )),
        _ => None,
    }
}

/// What a service did, in one line; `None` if it did nothing.
fn collapsed(standing: &ServiceTally) -> Option<String> {
    let newest = inline::migration(standing.newest.as_ref()?);
    Some(match standing.done() {
        1 => newest,
        done if standing.reverted > 0 => format!("{}, down to {newest}", count(done, "migration")),
        done => format!("{}, up to {newest}", count(done, "migration")),
    })
}

fn named(version: Option<Version>, name: &str) -> String {
    inline::migration(&Migration {
        version,
        name: name.to_owned(),
    })
}

/// The current step, for events that do not carry its name.
fn running(version: Option<Version>, standing: Option<&ServiceTally>) -> String {
    match standing.map(|standing| &standing.activity) {
        Some(Activity::Running(running)) => inline::migration(&running.migration),
        _ => version.map_or_else(|| "step".to_owned(), |version| version.to_string()),
    }
}

fn identities(blockers: &[Blocker]) -> Vec<(i32, Option<&str>)> {
    let mut identities: Vec<_> = blockers
        .iter()
        .map(|blocker| (blocker.pid, blocker.prepared.as_deref()))
        .collect();
    identities.sort_unstable();
    identities
}
