//! Decides which observations are a hazard for live traffic. Pure.
//!
//! A strong lock alone is not a hazard: `ADD COLUMN` takes the strongest lock for a millisecond. It is a hazard together
//! with work that grows with the table, in the same statement or in a later one of the same transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::Script;
use pg_sql::Statement;

use super::observed::{BlockingLock, BlockingLocks, ObservedStatement, truncates};
use super::{LockMode, ObservedLocks};
use lint::rules::{Draft, slugs};

/// The load of a migration on the applications that use a relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burden {
    /// The strongest lock that blocks applications.
    pub mode: LockMode,
    /// The number of statements that process all rows of a table while such a lock is held.
    pub works: usize,
}

/// The kind of a statement, as far as its locks matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    /// A statement on rows: the planner decides how many rows it scans.
    Rows,
    /// A code block, which may do anything.
    Code,
    /// A schema change: its scans grow with the table.
    Schema,
}

impl About {
    fn of(text: &str) -> Self {
        let word: String = text
            .chars()
            .take_while(char::is_ascii_alphabetic)
            .collect::<String>()
            .to_ascii_lowercase();
        match word.as_str() {
            "insert" | "update" | "delete" | "merge" | "with" | "copy" => Self::Rows,
            "do" | "call" | "select" | "execute" | "values" | "explain" | "table" => Self::Code,
            _ => Self::Schema,
        }
    }
}

/// The order in which a code block locks tables and changes rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// Rows are changed under the lock, as far as the text shows: a called function may do anything.
    LocksFirst,
    /// All rows are changed before the lock. `reads`: whether the locking statement reads all rows again.
    LocksLast { reads: bool },
}

impl Order {
    fn of(text: &str) -> Self {
        let words: Vec<String> = text
            .split(|character: char| !(character.is_alphanumeric() || character == '_'))
            .filter(|word| !word.is_empty())
            .map(str::to_ascii_uppercase)
            .collect();
        // `FOR UPDATE`, `ON DELETE CASCADE` and trigger events change no rows.
        let is_event = |word: &String| {
            matches!(
                word.as_str(),
                "FOR" | "ON" | "BEFORE" | "AFTER" | "OF" | "OR"
            )
        };
        let changes = |at: &usize| {
            let is_change = matches!(
                words[*at].as_str(),
                "UPDATE" | "DELETE" | "INSERT" | "MERGE"
            );
            is_change
                && !at
                    .checked_sub(1)
                    .is_some_and(|before| is_event(&words[before]))
        };
        let locks = |word: &String| {
            matches!(
                word.as_str(),
                "ALTER" | "CREATE" | "DROP" | "LOCK" | "REINDEX" | "CLUSTER"
            )
        };
        let reads = |word: &String| {
            let words =
                "NULL CHECK REFERENCES VALIDATE INDEX UNIQUE PRIMARY EXCLUDE REINDEX ATTACH";
            words.split(' ').any(|known| known == word)
        };
        let last_change = (0..words.len()).rfind(changes);
        match (last_change, words.iter().position(locks)) {
            (Some(change), Some(lock)) if change < lock => Self::LocksLast {
                reads: words[lock..].iter().any(reads),
            },
            _ => Self::LocksFirst,
        }
    }
}

impl ObservedLocks {
    /// The findings against the migration.
    pub fn drafts<'s>(&self, script: &'s Script) -> Vec<Draft<'s>> {
        let texts = pg_sql::split(&script.text).unwrap_or_default();
        let mut drafts = Vec::new();
        let mut reported = BTreeSet::new();
        let mut blocking = BlockingLocks::default();
        for (index, seen) in self.statements.iter().enumerate() {
            blocking.advance(self, index);
            let Some(statement) = statement_at(&texts, seen.offset) else {
                continue;
            };
            if truncates(script, seen.offset) {
                continue;
            }
            let locks = blocking.all();
            let (taken, before): (Vec<_>, Vec<_>) = locks
                .iter()
                .copied()
                .partition(|lock| lock.taken_by == index);
            let about = About::of(statement.text);
            let draft = if !seen.rewritten.is_empty() {
                Some(self.rewrites(script, seen, &locks))
            } else if locks.is_empty() {
                None
            } else if reads_all(about, seen) && (about == About::Schema || !taken.is_empty()) {
                Some(self.scans(script, index, seen, &locks))
            } else if !before.is_empty()
                && changes_rows(about, statement, seen)
                && reported.insert(seen.transaction)
            {
                Some(self.changes(script, seen, &before))
            } else if about == About::Code && changes_rows(about, statement, seen) {
                // One code block does both; only its text shows in which order.
                match Order::of(statement.text) {
                    Order::LocksFirst => Some(self.changes(script, seen, &taken)),
                    Order::LocksLast { reads: true } => {
                        Some(self.scans(script, index, seen, &locks))
                    }
                    Order::LocksLast { reads: false } => None,
                }
            } else {
                None
            };
            let range = statement.offset..statement.offset + statement.text.len();
            drafts.extend(draft.map(|draft| draft.at(range)));
        }
        drafts
    }

    /// The load on each existing relation, by name.
    pub fn burdens(&self, script: &Script) -> BTreeMap<String, Burden> {
        let texts = pg_sql::split(&script.text).unwrap_or_default();
        let mut burdens: BTreeMap<String, Burden> = BTreeMap::new();
        let mut blocking = BlockingLocks::default();
        for (index, seen) in self.statements.iter().enumerate() {
            blocking.advance(self, index);
            let statement = statement_at(&texts, seen.offset);
            let about = statement.map_or(About::Schema, |text| About::of(text.text));
            let works = !truncates(script, seen.offset)
                && (!seen.rewritten.is_empty() || reads_all(about, seen));
            for lock in blocking.all() {
                let burden = burdens.entry(lock.relation.clone()).or_insert(Burden {
                    mode: lock.mode,
                    works: 0,
                });
                burden.mode = burden.mode.max(lock.mode);
                burden.works += usize::from(works);
            }
        }
        burdens
    }

    /// Whether the statement at an offset took a lock that blocks applications.
    pub fn blocks_at(&self, offset: usize) -> bool {
        self.statements.iter().any(|seen| {
            let mut taken = seen.took_locks.iter();
            seen.offset == offset
                && taken.any(|(number, mode)| {
                    self.relation(*number)
                        .is_some_and(|relation| mode.blocks(relation.kind).is_some())
                })
        })
    }

    fn rewrites<'s>(
        &self,
        script: &'s Script,
        seen: &ObservedStatement,
        locks: &[&BlockingLock],
    ) -> Draft<'s> {
        let names = self.names(&seen.rewritten);
        let (blocks, took) = (blocking(locks), time(seen.took));
        Draft::new(
            &slugs::REWRITES_TABLE,
            script,
            format!("rewrites {names} and {blocks} for {took}"),
        )
    }

    fn scans<'s>(
        &self,
        script: &'s Script,
        index: usize,
        seen: &ObservedStatement,
        locks: &[&BlockingLock],
    ) -> Draft<'s> {
        let read: BTreeSet<u32> = seen.scanned.union(&seen.index_scanned).copied().collect();
        let earlier = locks.iter().find(|lock| lock.taken_by != index);
        let since = earlier.map_or_else(String::new, |lock| {
            format!(" (locked since line {})", self.line(script, lock))
        });
        Draft::new(
            &slugs::SCANS_UNDER_LOCK,
            script,
            format!(
                "reads all rows of {} and {} for {}{since}",
                self.names(&read),
                blocking(locks),
                time(seen.took),
            ),
        )
    }

    fn changes<'s>(
        &self,
        script: &'s Script,
        seen: &ObservedStatement,
        locks: &[&BlockingLock],
    ) -> Draft<'s> {
        let first = locks.iter().min_by_key(|lock| lock.taken_by);
        let (line, held) = first.map_or((1, Duration::ZERO), |lock| {
            (self.line(script, lock), self.held(lock.taken_by))
        });
        let tables: BTreeSet<u32> = match seen.changed.is_empty() {
            true => seen.scanned.union(&seen.index_scanned).copied().collect(),
            false => seen.changed.clone(),
        };
        Draft::new(
            &slugs::LOCK_HELD_OVER_DATA_CHANGE,
            script,
            format!(
                "changes rows of {} while the migration {} from line {line} to the commit, for {}",
                self.names(&tables),
                blocking(locks),
                time(held),
            ),
        )
    }

    fn line(&self, script: &Script, lock: &BlockingLock) -> u32 {
        let statement = self.statements.get(lock.taken_by);
        statement.map_or(1, |statement| {
            pg_sql::position_at(&script.text, statement.offset).line
        })
    }

    fn names(&self, tables: &BTreeSet<u32>) -> String {
        let names = tables
            .iter()
            .filter_map(|table| self.relation(*table))
            .map(|relation| name(&relation.name));
        listed(names.collect())
    }
}

/// The statement at an offset; statements are in the order of the file.
fn statement_at<'t>(texts: &'t [Statement<'t>], offset: usize) -> Option<&'t Statement<'t>> {
    let index = texts.binary_search_by_key(&offset, |text| text.offset);
    texts.get(index.ok()?)
}

/// Whether the number of rows that a statement reads grows with the table.
fn reads_all(about: About, seen: &ObservedStatement) -> bool {
    match about {
        About::Schema => !seen.scanned.is_empty() || !seen.index_scanned.is_empty(),
        // A query in the block may read single rows by key.
        About::Code => !seen.scanned.is_subset(&seen.changed),
        About::Rows => false,
    }
}

/// Whether the number of rows that a statement changes grows with a table: an `INSERT` of values does not.
fn changes_rows(about: About, statement: &Statement<'_>, seen: &ObservedStatement) -> bool {
    let reads = !seen.scanned.is_empty() || !seen.index_scanned.is_empty();
    match about {
        About::Rows => {
            let text = statement.text.to_ascii_lowercase();
            reads && (!text.starts_with("insert") || text.contains("select"))
        }
        About::Code => reads && !seen.changed.is_empty(),
        About::Schema => false,
    }
}

/// `blocks reads and writes to controls (AccessExclusiveLock)`, strongest first, grouped by mode.
fn blocking(locks: &[&BlockingLock]) -> String {
    let mut locks = locks.to_vec();
    locks.sort_by(|one, other| (other.mode, &one.relation).cmp(&(one.mode, &other.relation)));
    let mut groups: Vec<String> = Vec::new();
    for group in locks.chunk_by(|one, other| one.mode == other.mode && one.blocks == other.blocks) {
        let names = group.iter().map(|lock| name(&lock.relation)).collect();
        if let Some(lock) = group.first() {
            let (blocks, mode) = (lock.blocks.words_before(), lock.mode);
            groups.push(format!("{blocks} {} ({mode})", listed(names)));
        }
    }
    listed(groups)
}

/// A name without the schema `public`.
fn name(qualified: &str) -> String {
    qualified
        .strip_prefix("public.")
        .unwrap_or(qualified)
        .to_owned()
}

fn listed(mut names: Vec<String>) -> String {
    match names.pop() {
        None => String::new(),
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} and {last}", names.join(", ")),
    }
}

fn time(took: Duration) -> String {
    format!("{} ms", took.as_micros().div_ceil(1_000).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_determines_the_kind_of_a_statement() {
        for (text, about) in [
            ("UPDATE a SET b = 1", About::Rows),
            ("with x as (select 1) delete from a", About::Rows),
            ("DO $$ begin end $$", About::Code),
            ("SELECT f()", About::Code),
            ("ALTER TABLE a ADD b int", About::Schema),
            ("CREATE TABLE a AS SELECT 1", About::Schema),
        ] {
            assert_eq!(About::of(text), about, "{text}");
        }
    }

    #[test]
    fn the_text_of_a_block_shows_the_order() {
        let last = |reads| Order::LocksLast { reads };
        for (text, order) in [
            (
                "DO $$ BEGIN ALTER TABLE a ADD b int; UPDATE a SET b = 1; END $$",
                Order::LocksFirst,
            ),
            (
                "DO $$ BEGIN UPDATE a SET b = 1; ALTER TABLE a ALTER b SET NOT NULL; END $$",
                last(true),
            ),
            (
                "DO $$ BEGIN UPDATE a SET b = 1; EXECUTE 'ALTER TABLE a ADD c int'; END $$",
                last(false),
            ),
            (
                "DO $$ BEGIN LOCK a; PERFORM 1 FROM a FOR UPDATE; DELETE FROM a; END $$",
                Order::LocksFirst,
            ),
            (
                "DO $$ BEGIN DELETE FROM b; ALTER TABLE a ADD c int REFERENCES b ON DELETE CASCADE; END $$",
                last(true),
            ),
            ("SELECT f()", Order::LocksFirst),
        ] {
            assert_eq!(Order::of(text), order, "{text}");
        }
    }

    #[test]
    fn names_are_joined_with_commas_and_and() {
        let names = |list: &[&str]| listed(list.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(names(&["a"]), "a");
        assert_eq!(names(&["a", "b", "c"]), "a, b and c");
        assert_eq!(name("public.controls"), "controls");
        assert_eq!(name("audit.log"), "audit.log");
    }
}
