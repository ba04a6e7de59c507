//! Proves that a rewrite reaches the same schema as the migration, with weaker or shorter locks.
//!
//! Responsible for running both on separate scratch databases, the new files up, down and up, and for comparing. Not for the
//! rewrite itself (`rewrite`).

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::{Comparison, Snapshot, compare};
use domain::{Direction, Migration, Service};
use engine::inspect::ServiceError;
use engine::runner::StepObserver;
use pg_address::DatabaseAddress;

use drift::without_bookkeeping;
use rehearsal::{Burden, LockObserver, ObservedLocks};
use safe_form::Guarantees;
use scratch::{Replay, ScratchError, ScratchServers};

/// A scratch database on which a service's migrations run.
pub(super) struct ProofDatabase<'a> {
    replay: Replay<'a>,
    history_table: String,
    observer: Arc<LockObserver>,
}

/// Why a rewrite is not proven.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotProven {
    #[error("{name} does not run: {trouble}")]
    DoesNotRun { name: String, trouble: String },
    #[error("the resulting schema would differ: {object}")]
    OtherSchema { object: String },
    #[error("{file} does not undo its migration: {object}")]
    OtherRevert { file: String, object: String },
    #[error("{file} would have no revert, or one without a statement")]
    NoRevert { file: String },
    #[error("{file} produces a different schema after its revert: {object}")]
    OtherAgain { file: String, object: String },
    #[error(
        "after {file} a guarantee that the single transaction keeps would be missing: {guarantee}; the migration stays in one file"
    )]
    Gap { file: String, guarantee: String },
    #[error(
        "the lock on {relation} would not be weaker or shorter: {before} before, {after} after"
    )]
    NotWeaker {
        relation: String,
        before: String,
        after: String,
    },
    #[error("no lock would be weaker or shorter")]
    NoGain,
}

impl<'a> ProofDatabase<'a> {
    /// An empty database for the migrations of a service.
    pub(super) async fn prepare(
        scratch_servers: &ScratchServers<'a>,
        service: &Service,
        address: &DatabaseAddress,
        history_table: &str,
    ) -> Result<Self, ScratchError> {
        let migrations: Vec<&Migration> = service.migrations.iter().collect();
        let replay = Box::pin(Replay::prepare(
            scratch_servers,
            service,
            address,
            &[],
            &migrations,
        ))
        .await?;
        let observer = LockObserver::new(replay.connections(), replay.database().clone());
        Ok(Self {
            replay,
            history_table: history_table.to_owned(),
            observer,
        })
    }

    /// Applies migrations without observing locks.
    pub(super) async fn apply(
        &self,
        service: &Service,
        migrations: &[&Migration],
    ) -> Result<(), ScratchError> {
        if migrations.is_empty() {
            return Ok(());
        }
        let applied = self.replay.apply(service, &self.history_table, migrations);
        Box::pin(applied).await.map(drop)
    }

    /// Rehearses one migration and returns the locks of its way up.
    pub(super) async fn take(
        &self,
        service: &Service,
        migration: &Migration,
        direction: Direction,
    ) -> Result<ObservedLocks, ScratchError> {
        let observer: Arc<dyn StepObserver> = self.observer.clone();
        let (table, one) = (&self.history_table, [migration]);
        let taken = self
            .replay
            .take(service, table, &one, direction, Some(&observer));
        // Boxed, because the future of a run is large and would enlarge those around it.
        Box::pin(taken).await?;
        Ok(self.observer.take(migration.version))
    }

    /// The current schema.
    pub(super) async fn schema(&self) -> Result<Snapshot, ScratchError> {
        let connection = self
            .replay
            .connections()
            .open_beside(self.replay.database())
            .await
            .map_err(|error| ScratchError::connect(&error))?;
        let client = &connection.client;
        let snapshot = Box::pin(client.lend(async |client| catalog::read(client).await))
            .await
            .map_err(|source| ServiceError::query(self.replay.database(), source))?;
        Ok(without_bookkeeping(snapshot, &[&self.history_table]))
    }

    /// Drops the database.
    pub(super) async fn clear(self) {
        self.replay.finish().await;
    }
}

/// The effects of the migration before the rewrite.
pub(super) struct Before {
    pub(super) burdens: BTreeMap<String, Burden>,
    pub(super) schema: Snapshot,
    /// Whether it has a revert.
    pub(super) is_reversible: bool,
}

/// A weaker or shorter lock on a relation.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Gain {
    pub relation: String,
    /// The lock that the old file takes.
    pub before: String,
    /// The lock that the new files take.
    pub after: String,
}

/// Proves new migrations on a database to which all earlier ones were applied.
pub(super) async fn prove(
    proof_database: &ProofDatabase<'_>,
    service: &Service,
    parts: &[&Migration],
    before: &Before,
) -> Result<Result<Vec<Gain>, NotProven>, ScratchError> {
    let mut burdens: BTreeMap<String, Burden> = BTreeMap::new();
    let mut schema = proof_database.schema().await?;
    let first_guarantees = Guarantees::of(&schema);
    let last_guarantees = Guarantees::of(&before.schema);
    for (index, part) in parts.iter().enumerate() {
        let observed = match ran(
            proof_database.take(service, part, Direction::Up).await,
            part,
        )? {
            Ok(observed) => observed,
            Err(trouble) => return Ok(Err(trouble)),
        };
        for (relation, burden) in observed.burdens(&part.script) {
            let known = burdens
                .entry(relation)
                .or_insert(Burden { works: 0, ..burden });
            known.mode = known.mode.max(burden.mode);
            known.works += burden.works;
        }
        let up = proof_database.schema().await?;
        let missing = Guarantees::of(&up).missing(&first_guarantees, &last_guarantees);
        if let (Some(guarantee), true) = (missing, index + 1 < parts.len()) {
            let file = part.script.path.clone();
            return Ok(Err(NotProven::Gap { file, guarantee }));
        }
        if let Some(revert) = &part.revert {
            if let Err(trouble) = ran(
                proof_database.take(service, part, Direction::Down).await,
                part,
            )? {
                return Ok(Err(trouble));
            }
            if let Some(object) = first(&compare(&schema, &proof_database.schema().await?)) {
                let file = revert.path.clone();
                return Ok(Err(NotProven::OtherRevert { file, object }));
            }
            if let Err(trouble) = ran(
                proof_database.take(service, part, Direction::Up).await,
                part,
            )? {
                return Ok(Err(trouble));
            }
            let file = part.script.path.clone();
            let again = proof_database.schema().await?;
            if let Some(object) = first(&compare(&up, &again)) {
                return Ok(Err(NotProven::OtherAgain { file, object }));
            }
            schema = again;
        } else if before.is_reversible {
            let file = part.script.path.clone();
            return Ok(Err(NotProven::NoRevert { file }));
        } else {
            schema = up;
        }
    }
    if let Some(object) = first(&compare(&before.schema, &schema)) {
        return Ok(Err(NotProven::OtherSchema { object }));
    }
    Ok(gains(&before.burdens, &burdens))
}

/// A file that does not run is a result; any other failure is an error.
fn ran(
    taken: Result<ObservedLocks, ScratchError>,
    part: &Migration,
) -> Result<Result<ObservedLocks, NotProven>, ScratchError> {
    match taken {
        Ok(observed) => Ok(Ok(observed)),
        Err(ScratchError::Replay { trouble, .. }) => Ok(Err(NotProven::DoesNotRun {
            name: part.name.clone(),
            trouble,
        })),
        Err(error) => Err(error),
    }
}

fn first(comparison: &Comparison) -> Option<String> {
    comparison.differences.first().map(|difference| {
        let kind = difference.kind.words();
        format!("{kind} {}", difference.object)
    })
}

/// Compares the locks of the new files with those of the old one, per relation.
fn gains(
    before: &BTreeMap<String, Burden>,
    after: &BTreeMap<String, Burden>,
) -> Result<Vec<Gain>, NotProven> {
    let mut gains = Vec::new();
    for (relation, old) in before {
        let new = after.get(relation);
        let (was, is) = (describe(Some(old)), describe(new));
        if new.is_some_and(|new| new.works > old.works || (new.mode > old.mode && new.works > 0)) {
            return Err(NotProven::NotWeaker {
                relation: relation.clone(),
                before: was,
                after: is,
            });
        }
        if new.is_none_or(|new| new.works < old.works || new.mode < old.mode) {
            gains.push(Gain {
                relation: relation.clone(),
                before: was,
                after: is,
            });
        }
    }
    match gains.is_empty() {
        true => Err(NotProven::NoGain),
        false => Ok(gains),
    }
}

fn describe(burden: Option<&Burden>) -> String {
    match burden {
        None => "no blocking lock".to_owned(),
        Some(Burden { mode, works: 0 }) => format!("{mode} briefly"),
        Some(Burden { mode, .. }) => format!("{mode} during a full scan"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rehearsal::LockMode;

    fn burdens(list: &[(&str, LockMode, usize)]) -> BTreeMap<String, Burden> {
        list.iter()
            .map(|(name, mode, works)| {
                let burden = Burden {
                    mode: *mode,
                    works: *works,
                };
                ((*name).to_owned(), burden)
            })
            .collect()
    }

    #[test]
    fn one_lock_must_be_weaker_or_shorter_and_none_worse() {
        use LockMode::{AccessExclusive, Share};
        let old = burdens(&[("a", Share, 1), ("b", AccessExclusive, 0)]);
        let unchanged = gains(&old, &old);
        assert_eq!(unchanged, Err(NotProven::NoGain));
        let better = gains(&old, &burdens(&[("b", AccessExclusive, 0)])).unwrap();
        assert_eq!(better.len(), 1);
        assert_eq!(better[0].relation, "a");
        let worse = gains(&old, &burdens(&[("b", AccessExclusive, 1)]));
        assert!(
            matches!(worse, Err(NotProven::NotWeaker { .. })),
            "{worse:?}"
        );
        let stronger_but_short = gains(&old, &burdens(&[("a", AccessExclusive, 0)]));
        assert_eq!(stronger_but_short.unwrap().len(), 2);
    }
}
