//! The locks observed during one migration, statement by statement. Pure.
//!
//! Combines single samples: which statement took which lock, and how long it was held. `observer` takes the
//! samples.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::Script;

use super::LockMode;
use super::mode::Blocks;
use super::relations::{Counts, Hold, ReconciledMigration, Relation};
use crate::event::SeenLock;

/// The locks observed during one migration.
#[derive(Clone, Debug, Default)]
pub struct ObservedLocks {
    /// The relations that existed before its first statement.
    standing: Option<ReconciledMigration>,
    /// The statements, in order.
    pub(super) statements: Vec<ObservedStatement>,
    /// What could not be observed, and why.
    pub notes: Vec<String>,
    transactions: Vec<Transaction>,
}

/// One transaction, or one statement outside a transaction.
#[derive(Clone, Debug, Default)]
struct Transaction {
    committed: bool,
    /// The time from the end of the last statement to the commit.
    tail: Duration,
    /// The current files of relations.
    files: BTreeMap<u32, u32>,
    modes: BTreeMap<u32, LockMode>,
    counts: BTreeMap<u32, Counts>,
}

/// What one statement did to existing relations.
#[derive(Clone, Debug)]
pub(super) struct ObservedStatement {
    pub(super) offset: usize,
    pub(super) took: Duration,
    /// The index of its transaction.
    pub(super) transaction: usize,
    /// Locks that were not held before, or only in a weaker mode, by table.
    pub(super) took_locks: BTreeMap<u32, LockMode>,
    /// Tables that have a new file.
    pub(super) rewritten: BTreeSet<u32>,
    /// Tables with a full scan.
    pub(super) scanned: BTreeSet<u32>,
    /// Tables with an index scan.
    pub(super) index_scanned: BTreeSet<u32>,
    /// Tables whose rows were changed.
    pub(super) changed: BTreeSet<u32>,
}

impl ObservedStatement {
    fn new(offset: usize, took: Duration, transaction: usize) -> Self {
        Self {
            offset,
            took,
            transaction,
            took_locks: BTreeMap::new(),
            rewritten: BTreeSet::new(),
            scanned: BTreeSet::new(),
            index_scanned: BTreeSet::new(),
            changed: BTreeSet::new(),
        }
    }
}

/// A lock that blocks applications.
#[derive(Clone, Debug)]
pub(super) struct BlockingLock {
    pub(super) relation: String,
    pub(super) mode: LockMode,
    pub(super) blocks: Blocks,
    /// The index of the statement that took it.
    pub(super) taken_by: usize,
}

/// The locks that block applications while a statement runs: those that it takes, and those that its transaction took before.
#[derive(Debug, Default)]
pub(super) struct BlockingLocks {
    transaction: usize,
    locks: BTreeMap<u32, BlockingLock>,
}

impl BlockingLocks {
    /// Advances to the statement at this index: the one after that of the last call.
    pub(super) fn advance(&mut self, observed: &ObservedLocks, index: usize) {
        let Some(statement) = observed.statements.get(index) else {
            return;
        };
        if statement.transaction != self.transaction {
            self.transaction = statement.transaction;
            self.locks.clear();
        }
        for (number, mode) in &statement.took_locks {
            let Some(relation) = observed.relation(*number) else {
                continue;
            };
            if let Some(blocks) = mode.blocks(relation.kind) {
                let lock = BlockingLock {
                    relation: relation.name.clone(),
                    mode: *mode,
                    blocks,
                    taken_by: index,
                };
                self.locks.insert(*number, lock);
            }
        }
    }

    /// The locks, sorted by relation.
    pub(super) fn all(&self) -> Vec<&BlockingLock> {
        self.locks.values().collect()
    }
}

impl ObservedLocks {
    /// A transaction begins; `standing` are the existing relations.
    pub(super) fn begin(&mut self, standing: ReconciledMigration) {
        if self.transactions.last().is_some_and(|last| !last.committed) {
            // The engine retries a transaction that was rolled back.
            self.transactions.pop();
            let transactions = self.transactions.len();
            self.statements
                .retain(|statement| statement.transaction < transactions);
        }
        let mut transaction = Transaction::default();
        for (number, relation) in &standing {
            transaction.files.insert(*number, relation.file);
            transaction.counts.insert(*number, relation.counts);
        }
        self.transactions.push(transaction);
        self.standing.get_or_insert(standing);
    }

    /// A statement is done; `holds` are the locks of its transaction.
    pub(super) fn statement(&mut self, offset: usize, took: Duration, holds: &[Hold]) {
        let index = self.transactions.len().saturating_sub(1);
        let (Some(transaction), Some(standing)) = (self.transactions.last_mut(), &self.standing)
        else {
            return;
        };
        let mut seen = ObservedStatement::new(offset, took, index);
        for hold in holds {
            let before = transaction
                .counts
                .insert(hold.relation, hold.counts)
                .unwrap_or_default();
            let Some(relation) = standing.get(&hold.relation) else {
                continue;
            };
            let table = relation.table;
            // Planning a query locks each index of a table, so a lock on an index blocks readers of the table.
            if !relation.is_index() || hold.mode == LockMode::AccessExclusive {
                let known = transaction.modes.get(&table);
                if known.is_none_or(|known| *known < hold.mode) {
                    transaction.modes.insert(table, hold.mode);
                    seen.took_locks.insert(table, hold.mode);
                }
            }
            if hold.counts.scans > before.scans {
                match relation.is_index() {
                    true => seen.index_scanned.insert(table),
                    false => seen.scanned.insert(table),
                };
            }
            if hold.counts.rows > before.rows {
                seen.changed.insert(table);
            }
            if let Some(file) = hold.file
                && transaction.files.insert(hold.relation, file) != Some(file)
            {
                if relation.is_index() {
                    seen.scanned.insert(table);
                } else if relation.has_rows() {
                    seen.rewritten.insert(table);
                }
            }
        }
        self.statements.push(seen);
    }

    /// The transaction is about to end.
    pub(super) fn end(&mut self, tail: Duration) {
        if let Some(transaction) = self.transactions.last_mut() {
            transaction.tail = tail;
            transaction.committed = true;
        }
    }

    /// A statement outside a transaction is done. `after` are the relations after it.
    pub(super) fn outside(
        &mut self,
        offset: usize,
        took: Duration,
        modes: &BTreeMap<u32, LockMode>,
        after: &ReconciledMigration,
    ) {
        let holds: Vec<Hold> = modes
            .iter()
            .map(|(relation, mode)| Hold {
                relation: *relation,
                mode: *mode,
                file: after.get(relation).map(|relation| relation.file),
                counts: Counts::default(),
            })
            .collect();
        self.statement(offset, took, &holds);
        self.end(Duration::ZERO);
        // A file may change under a lock that was too short to be observed.
        let before = self.transactions.last().map(|last| last.files.clone());
        let Some(statement) = self.statements.last_mut() else {
            return;
        };
        for (number, relation) in after {
            let was = before.as_ref().and_then(|files| files.get(number));
            let stood = self
                .standing
                .as_ref()
                .is_some_and(|standing| standing.contains_key(number));
            if stood && was.is_some_and(|was| *was != relation.file) {
                if relation.is_index() {
                    statement.scanned.insert(relation.table);
                } else if relation.has_rows() {
                    statement.rewritten.insert(relation.table);
                }
                statement
                    .took_locks
                    .insert(relation.table, LockMode::AccessExclusive);
            }
        }
    }

    /// A relation that existed before the migration.
    pub(super) fn relation(&self, number: u32) -> Option<&Relation> {
        self.standing.as_ref()?.get(&number)
    }

    /// How long the locks of a statement were held: from its start to the commit, without the time for sampling.
    pub(super) fn held(&self, taken_by: usize) -> Duration {
        let Some(taker) = self.statements.get(taken_by) else {
            return Duration::ZERO;
        };
        let statements = self.statements[taken_by..]
            .iter()
            .filter(|statement| statement.transaction == taker.transaction)
            .map(|statement| statement.took)
            .sum::<Duration>();
        let tail = self.transactions.get(taker.transaction);
        statements + tail.map_or(Duration::ZERO, |transaction| transaction.tail)
    }

    /// The strongest lock on each existing relation, sorted by relation.
    pub fn locks(&self, script: &Script) -> Vec<SeenLock> {
        let mut strongest: BTreeMap<u32, (LockMode, usize)> = BTreeMap::new();
        for (index, statement) in self.statements.iter().enumerate() {
            for (number, mode) in &statement.took_locks {
                let known = strongest.get(number);
                if known.is_none_or(|(known, _)| known < mode) {
                    strongest.insert(*number, (*mode, index));
                }
            }
        }
        // `TRUNCATE` creates a new, empty file: rebuilding its indexes takes no time.
        let (emptying, others): (Vec<_>, Vec<_>) = self
            .statements
            .iter()
            .partition(|statement| truncates(script, statement.offset));
        let mut locks: Vec<SeenLock> = strongest
            .iter()
            .filter_map(|(number, (mode, index))| {
                let relation = self.relation(*number)?;
                let statement = self.statements.get(*index)?;
                Some(SeenLock {
                    relation: relation.name.clone(),
                    mode: mode.as_str().to_owned(),
                    line: pg_sql::position_at(&script.text, statement.offset).line,
                    held_us: u64::try_from(self.held(*index).as_micros()).unwrap_or(u64::MAX),
                    blocks: mode
                        .blocks(relation.kind)
                        .map(|blocks| blocks.words().to_owned()),
                    rewritten: others.iter().any(|it| it.rewritten.contains(number)),
                    emptied: emptying.iter().any(|it| it.rewritten.contains(number)),
                    scanned: others.iter().any(|it| it.scanned.contains(number)),
                })
            })
            .collect();
        locks.sort_by(|one, other| one.relation.cmp(&other.relation));
        locks
    }
}

/// Whether the statement at an offset is a `TRUNCATE`: its new file is empty.
pub(super) fn truncates(script: &Script, offset: usize) -> bool {
    let word = script.text.get(offset..offset + "truncate".len());
    word.is_some_and(|word| word.eq_ignore_ascii_case("truncate"))
}
