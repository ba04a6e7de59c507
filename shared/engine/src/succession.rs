//! Decides whether a step may be done now, from the history that was read under the lock. This is the only place that does.
//!
//! A plan is made before the lock is acquired. While a run waits for the lock, another run may apply or revert what the plan depends
//! on. The plan is then stale, and executing it would leave a history that is not a prefix of the versions. Pure.

use std::collections::BTreeSet;

use crate::reconcile::reconcile;
use domain::History;
use domain::{Direction, Refusal, RefusalKind, Service, Version, rerun, suggest};

/// The state of one service's database, kept current while steps are done under one lock.
#[derive(Clone, Debug)]
pub struct Succession<'a> {
    service: &'a Service,
    applied: BTreeSet<Version>,
    /// Versions of the source that are not applied, including half-done ones.
    pending: BTreeSet<Version>,
    /// Versions whose application was interrupted.
    half_done: BTreeSet<Version>,
    /// The reason why nothing may be applied.
    inconsistent: Option<Refusal>,
    /// The reason why nothing may be applied or reverted.
    contradiction: Option<Refusal>,
    may_have_gaps: bool,
}

/// Whether a step is still to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// The step may be done now.
    Now,
    /// Another run has done the step since it was planned.
    Done,
}

impl<'a> Succession<'a> {
    /// From the history that was read under the lock.
    pub fn of(service: &'a Service, history: &History) -> Self {
        let applied: BTreeSet<Version> = history.applied.iter().map(|row| row.version).collect();
        let half_done = history
            .interrupted
            .iter()
            .filter(|interruption| interruption.direction == Direction::Up)
            .map(|interruption| interruption.version)
            .collect();
        let versions = service.migrations.iter().map(|it| it.version);
        let reconciliation = reconcile(service, history);
        Self {
            service,
            pending: versions.filter(|it| !applied.contains(it)).collect(),
            applied,
            half_done,
            inconsistent: reconciliation.to_apply(None).err(),
            contradiction: reconciliation.refuse_contradiction().err(),
            may_have_gaps: false,
        }
    }

    /// Allows gaps: for a scratch database, where a history is replayed as it is.
    #[must_use]
    pub fn with_gaps(mut self) -> Self {
        self.may_have_gaps = true;
        self
    }

    /// Whether a step may be done now. To apply one, every older version of the source must be applied; to revert one, no newer
    /// version may be applied.
    ///
    /// # Errors
    /// A refusal if the plan is stale or the history has become inconsistent.
    pub fn due(&self, version: Version, direction: Direction) -> Result<Due, Refusal> {
        match direction {
            Direction::Up => {
                if let Some(refusal) = &self.inconsistent {
                    return Err(refusal.clone());
                }
                if self.applied.contains(&version) {
                    return Ok(Due::Done);
                }
                match self.pending.first() {
                    Some(older) if *older < version && !self.may_have_gaps => {
                        Err(self.stale(format!(
                            "{version} cannot be applied: the older {older} was reverted after this run was planned"
                        )))
                    }
                    _ => Ok(Due::Now),
                }
            }
            Direction::Down => {
                if let Some(refusal) = &self.contradiction {
                    return Err(refusal.clone());
                }
                if !self.applied.contains(&version) && !self.half_done.contains(&version) {
                    return Ok(Due::Done);
                }
                match self.applied.last().max(self.half_done.last()) {
                    Some(newer) if *newer > version => Err(self.stale(format!(
                        "{version} cannot be reverted: the newer {newer} was applied after this revert was planned"
                    ))),
                    _ => Ok(Due::Now),
                }
            }
        }
    }

    /// Records that a step is done.
    pub fn took(&mut self, version: Version, direction: Direction) {
        self.half_done.remove(&version);
        match direction {
            Direction::Up => {
                self.pending.remove(&version);
                self.applied.insert(version);
            }
            Direction::Down => {
                self.applied.remove(&version);
                self.pending.insert(version);
            }
        }
    }

    fn stale(&self, message: String) -> Refusal {
        let name = &self.service.name;
        Refusal {
            kind: RefusalKind::StalePlan,
            service: Some(name.clone()),
            message: format!("stale plan: {message}"),
            next: rerun(format!(
                "first check what is applied now: {}",
                suggest(["status", name.as_str()])
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Due, Succession};
    use domain::{AppliedMigration, History};
    use domain::{
        Checksum, Direction, Directives, Migration, RefusalKind, Script, Service, Version,
    };

    const NEWEST: i64 = 5;

    fn service() -> Service {
        let script = || Script {
            path: "a/migrations/V1__x.sql".to_owned(),
            text: "SELECT 1".into(),
            directives: Directives::default(),
        };
        Service {
            name: "a".parse().unwrap(),
            database: "a".to_owned(),
            depends_on: Vec::new(),
            history_table: None,
            legacy_table: None,
            description: None,
            owner: None,
            path: "a/service.toml".to_owned(),
            migrations: (1..=NEWEST)
                .map(|version| Migration {
                    version: Version::new(version),
                    name: "x".to_owned(),
                    checksum: Checksum::new(1),
                    script: script(),
                    revert: Some(script()),
                })
                .collect(),
        }
    }

    fn history(applied: &[i64]) -> History {
        History {
            applied: applied
                .iter()
                .map(|version| AppliedMigration {
                    version: Version::new(*version),
                    name: "x".to_owned(),
                    checksum: Some(Checksum::new(1)),
                    applied_on: String::new(),
                })
                .collect(),
            ..History::default()
        }
    }

    fn due(applied: &[i64], version: i64, direction: Direction) -> Result<Due, RefusalKind> {
        Succession::of(&service(), &history(applied))
            .due(Version::new(version), direction)
            .map_err(|refusal| refusal.kind)
    }

    #[test]
    fn a_step_is_due_only_where_the_history_stays_a_prefix() {
        use Direction::{Down, Up};
        assert_eq!(due(&[1, 2], 3, Up), Ok(Due::Now));
        assert_eq!(due(&[1, 2], 2, Up), Ok(Due::Done));
        assert_eq!(due(&[1], 3, Up), Err(RefusalKind::StalePlan));
        assert_eq!(due(&[], 2, Up), Err(RefusalKind::StalePlan));
        assert_eq!(due(&[1, 3], 2, Up), Err(RefusalKind::OutOfOrder));
        assert_eq!(due(&[1, 2], 2, Down), Ok(Due::Now));
        assert_eq!(due(&[1], 2, Down), Ok(Due::Done));
        assert_eq!(due(&[1, 2, 3], 2, Down), Err(RefusalKind::StalePlan));
        // Versions that are not in the source count too.
        assert_eq!(due(&[1, 2, 9], 2, Down), Err(RefusalKind::StalePlan));
    }

    /// Commands plan without the lock, in any state, and execute parts of their plans in any order.
    #[test]
    fn whatever_the_interleaving_the_history_is_a_prefix() {
        let service = service();
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..2_000 {
            let mut applied: Vec<i64> = Vec::new();
            let mut plans: Vec<(Direction, Vec<i64>)> = Vec::new();
            for _ in 0..20 {
                let newest = applied.last().copied().unwrap_or_default();
                let plan = if random.bool() {
                    (
                        Direction::Up,
                        (newest + 1..=random.i64(newest..=NEWEST)).collect(),
                    )
                } else {
                    (
                        Direction::Down,
                        (random.i64(0..=newest) + 1..=newest).rev().collect(),
                    )
                };
                plans.push(plan);
                let chosen = random.usize(..plans.len());
                let (direction, steps) = &mut plans[chosen];
                let read = history(&applied);
                let mut succession = Succession::of(&service, &read);
                let stretch = random.usize(0..=steps.len());
                for version in steps.drain(..stretch).map(Version::new) {
                    match succession.due(version, *direction) {
                        Ok(Due::Done) => {}
                        Ok(Due::Now) => {
                            succession.took(version, *direction);
                            match direction {
                                Direction::Up => applied.push(version.number()),
                                Direction::Down => applied.retain(|it| *it != version.number()),
                            }
                        }
                        Err(_) => break,
                    }
                    let newest = i64::try_from(applied.len()).unwrap();
                    assert_eq!(applied, (1..=newest).collect::<Vec<_>>());
                }
            }
        }
    }
}
