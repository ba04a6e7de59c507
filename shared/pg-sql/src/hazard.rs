//! Detects what a statement may destroy or block, based on its text.
//!
//! Reports the most severe hazard of each statement, for plans and confirmations. Does not replace linting, and does not
//! read the code in `DO` blocks and functions.

use std::collections::BTreeMap;
use std::fmt;

use super::cursor::Cursor;
use super::lexer::{Token, TokenKind};
use super::name::Name;
use super::statement::Statement;

/// A reason to review a statement before it runs, most severe first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Hazard {
    /// `DROP DATABASE`.
    DropsDatabase,
    /// `DROP SCHEMA`.
    DropsSchema,
    /// `DROP OWNED`.
    DropsOwned,
    /// `DROP TABLE`.
    DropsTable,
    /// `ALTER TABLE … DROP COLUMN`, `ALTER TYPE … DROP ATTRIBUTE`.
    DropsColumn,
    /// `TRUNCATE`.
    Truncates,
    /// `DELETE` without `WHERE`.
    DeletesWithoutWhere,
    /// `UPDATE` without `WHERE`.
    UpdatesWithoutWhere,
    /// Any other `DROP … CASCADE`.
    Cascades,
    /// `ALTER TABLE … ALTER COLUMN … TYPE`.
    ChangesColumnType,
    /// `VACUUM FULL`, `CLUSTER`, and changes to the storage of a table.
    RewritesTable,
    /// `ALTER TABLE … SET NOT NULL`.
    SetsNotNull,
    /// `ADD FOREIGN KEY` or `ADD CHECK` without `NOT VALID`.
    ValidatesConstraint,
    /// `CREATE INDEX` without `CONCURRENTLY`, or a key that builds its index.
    BlockingIndex,
    /// `DROP INDEX` without `CONCURRENTLY`.
    BlockingIndexDrop,
    /// `REINDEX` without `CONCURRENTLY`.
    BlockingReindex,
    /// `REFRESH MATERIALIZED VIEW` without `CONCURRENTLY`.
    BlockingRefresh,
    /// `RENAME` of a table or column.
    Renames,
}

impl Hazard {
    /// A stable name for JSON and configuration.
    pub fn slug(self) -> &'static str {
        self.describe().0
    }

    /// A human-readable sentence.
    pub fn sentence(self) -> &'static str {
        self.describe().1
    }

    /// Whether it deletes rows or columns that only a backup can restore.
    pub fn loses_data(self) -> bool {
        self <= Self::Cascades
    }

    fn describe(self) -> (&'static str, &'static str) {
        match self {
            Self::DropsDatabase => ("drops-database", "Deletes a database and everything in it."),
            Self::DropsSchema => (
                "drops-schema",
                "Deletes a schema; with CASCADE also its tables.",
            ),
            Self::DropsOwned => ("drops-owned", "Deletes every object that a role owns."),
            Self::DropsTable => ("drops-table", "Deletes a table and its rows."),
            Self::DropsColumn => ("drops-column", "Deletes a column and its values."),
            Self::Truncates => ("truncates", "Deletes all rows of a table."),
            Self::DeletesWithoutWhere => (
                "deletes-without-where",
                "Deletes all rows: there is no WHERE clause.",
            ),
            Self::UpdatesWithoutWhere => (
                "updates-without-where",
                "Updates all rows in one transaction: there is no WHERE clause.",
            ),
            Self::Cascades => (
                "cascades",
                "Drops everything that depends on the dropped object.",
            ),
            Self::ChangesColumnType => (
                "changes-column-type",
                "May rewrite the table, blocking reads and writes.",
            ),
            Self::RewritesTable => (
                "rewrites-table",
                "Rewrites the table, blocking reads and writes.",
            ),
            Self::SetsNotNull => (
                "sets-not-null",
                "Scans the table, blocking reads and writes, unless a valid CHECK proves the condition.",
            ),
            Self::ValidatesConstraint => {
                ("validates-constraint", "Checks all rows, blocking writes.")
            }
            Self::BlockingIndex => ("blocking-index", "Builds an index, blocking writes."),
            Self::BlockingIndexDrop => (
                "blocking-index-drop",
                "Waits for all readers of the table and blocks new ones.",
            ),
            Self::BlockingReindex => ("blocking-reindex", "Rebuilds an index, blocking writes."),
            Self::BlockingRefresh => ("blocking-refresh", "Refreshes a view, blocking reads."),
            Self::Renames => ("renames", "Breaks code that still uses the old name."),
        }
    }
}

impl fmt::Display for Hazard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

/// The most severe hazard of a statement, considered alone.
pub fn hazards(statement: &Statement<'_>) -> Option<Hazard> {
    inspect(statement).map(|(hazard, _)| hazard)
}

/// The hazards of a file's statements, each with the index of its statement. A change to a table that the same file created
/// earlier is not a hazard: the table is empty and unused. (`IF NOT EXISTS` may not create the table.)
pub fn file_hazards(statements: &[Statement<'_>]) -> Vec<(usize, Hazard)> {
    let mut created: BTreeMap<String, Vec<Name>> = BTreeMap::new();
    let is_new = |created: &BTreeMap<String, Vec<Name>>, table: &Name| {
        let alike = created.get(&table.name).into_iter().flatten();
        alike.into_iter().any(|new| is_same(new, table))
    };
    let mut found = Vec::new();
    for (index, statement) in statements.iter().enumerate() {
        if let Some(table) = created_table(statement) {
            created.entry(table.name.clone()).or_default().push(table);
        } else if let Some((hazard, table)) = inspect(statement)
            && !table.is_some_and(|table| is_new(&created, &table))
        {
            found.push((index, hazard));
        }
    }
    found
}

/// A name without a schema may be in any schema.
fn is_same(one: &Name, other: &Name) -> bool {
    one.name == other.name
        && (one.schema == other.schema || one.schema.is_none() || other.schema.is_none())
}

fn created_table(statement: &Statement<'_>) -> Option<Name> {
    let mut cursor = Cursor::new(statement.text);
    if !cursor.accept("create") {
        return None;
    }
    cursor.accept_any(&["global", "local"]);
    cursor.accept_any(&["temp", "temporary", "unlogged"]);
    (cursor.accept("table") || cursor.accept_all(&["materialized", "view"]))
        .then(|| cursor.name())
        .flatten()
        .filter(|_| !cursor.accept_all(&["not", "exists"]))
}

/// A hazard, and its table if there is exactly one and it is named.
type Found = Option<(Hazard, Option<Name>)>;

fn inspect(statement: &Statement<'_>) -> Found {
    let mut cursor = Cursor::new(statement.text);
    let first = cursor.accept_if(|token| token.kind == TokenKind::Word)?;
    match first.text.to_ascii_lowercase().as_str() {
        "drop" => drop(cursor),
        "alter" => alter(cursor),
        "create" => create(cursor),
        "truncate" => {
            cursor.accept("table");
            let table = cursor.relation();
            let only_one = !cursor.accept_mark(b',');
            Some((Hazard::Truncates, table.filter(|_| only_one)))
        }
        "delete" | "update" | "with" => without_where(Cursor::new(statement.text)),
        "vacuum" => vacuum(cursor),
        "cluster" => Some((Hazard::RewritesTable, None)),
        "reindex" => (!cursor.any(|token| token.is_word("concurrently")))
            .then_some((Hazard::BlockingReindex, None)),
        "refresh" => {
            let blocks = cursor.accept_all(&["materialized", "view"])
                && !cursor.accept("concurrently")
                && !cursor.clone().any(|token| token.is_word("no"));
            blocks.then(|| (Hazard::BlockingRefresh, cursor.name()))
        }
        _ => None,
    }
}

fn drop(mut cursor: Cursor<'_>) -> Found {
    for (keyword, hazard) in [
        ("database", Hazard::DropsDatabase),
        ("schema", Hazard::DropsSchema),
        ("owned", Hazard::DropsOwned),
    ] {
        if cursor.accept(keyword) {
            return Some((hazard, None));
        }
    }
    if cursor.accept("table") {
        cursor.accept_all(&["if", "exists"]);
        let table = cursor.name();
        let only_one = !cursor.accept_mark(b',');
        return Some((Hazard::DropsTable, table.filter(|_| only_one)));
    }
    let blocks = cursor.accept("index") && !cursor.accept("concurrently");
    match cursor.last() {
        Some(last) if last.is_word("cascade") => Some((Hazard::Cascades, None)),
        _ => blocks.then_some((Hazard::BlockingIndexDrop, None)),
    }
}

fn create(mut cursor: Cursor<'_>) -> Found {
    cursor.accept("unique");
    if !cursor.accept("index") || cursor.accept("concurrently") {
        return None;
    }
    cursor.accept_all(&["if", "not", "exists"]);
    if !cursor.accept("on") {
        cursor.name()?;
        cursor.accept("on");
    }
    Some((Hazard::BlockingIndex, cursor.relation()))
}

fn vacuum(mut cursor: Cursor<'_>) -> Found {
    let full = match cursor.accept_mark(b'(') {
        true => cursor
            .take_while(|token| !token.is_punctuation(b')'))
            .any(|token| token.is_word("full")),
        false => cursor.accept("full"),
    };
    full.then_some((Hazard::RewritesTable, None))
}

/// `ALTER` of a table, type or view; commas separate the actions.
fn alter(mut cursor: Cursor<'_>) -> Found {
    let is_type = cursor.accept("type");
    cursor.accept_any(&["foreign", "materialized"]);
    if !is_type && !cursor.accept_any(&["table", "view"]) {
        return None;
    }
    cursor.accept_all(&["if", "exists"]);
    let table = cursor.relation()?;
    let rest: Vec<Token<'_>> = cursor.clone().collect();
    let mut depth = 0_usize;
    let actions = rest.split(|token| {
        if token.is_punctuation(b'(') {
            depth += 1;
        } else if token.is_punctuation(b')') {
            depth = depth.saturating_sub(1);
        }
        depth == 0 && token.is_punctuation(b',')
    });
    let hazard = actions.filter_map(action).min()?;
    Some((hazard, Some(table)))
}

fn action(tokens: &[Token<'_>]) -> Option<Hazard> {
    let word = |at: usize, keyword| tokens.get(at).is_some_and(|token| token.is_word(keyword));
    let has = |keywords: &[&str]| {
        tokens.windows(keywords.len()).any(|window| {
            let mut pairs = window.iter().zip(keywords);
            pairs.all(|(token, keyword)| token.is_word(keyword))
        })
    };
    if word(0, "drop") {
        let cascades = tokens.last().is_some_and(|token| token.is_word("cascade"));
        return match word(1, "constraint") {
            true => cascades.then_some(Hazard::Cascades),
            false => Some(Hazard::DropsColumn),
        };
    }
    if word(0, "alter") && !word(1, "constraint") {
        let after_name = if word(1, "column") || word(1, "attribute") {
            3
        } else {
            2
        };
        return match () {
            () if word(after_name, "type") || word(after_name + 2, "type") => {
                Some(Hazard::ChangesColumnType)
            }
            () if word(after_name, "set") && word(after_name + 1, "not") => {
                Some(Hazard::SetsNotNull)
            }
            () => None,
        };
    }
    if word(0, "rename") {
        let harmless = word(1, "constraint") || word(1, "value");
        return (!harmless).then_some(Hazard::Renames);
    }
    if word(0, "set") {
        let moves = ["logged", "unlogged", "tablespace", "access"];
        return moves
            .iter()
            .any(|keyword| word(1, keyword))
            .then_some(Hazard::RewritesTable);
    }
    let kind = if word(1, "constraint") { 3 } else { 1 };
    if !word(0, "add") || has(&["not", "valid"]) || has(&["using", "index"]) {
        None
    } else if word(kind, "foreign") || word(kind, "check") {
        Some(Hazard::ValidatesConstraint)
    } else if word(kind, "not") {
        Some(Hazard::SetsNotNull)
    } else if word(kind, "primary") || word(kind, "unique") || word(kind, "exclude") {
        Some(Hazard::BlockingIndex)
    } else {
        None
    }
}

/// Finds a `DELETE` or `UPDATE`, alone or in a `WITH`, without a `WHERE` at the same parenthesis depth.
fn without_where(mut cursor: Cursor<'_>) -> Found {
    let mut open: Vec<Option<(Hazard, Option<Name>)>> = vec![None];
    let mut worst: Found = None;
    // `FOR UPDATE`, `DO UPDATE` and `THEN DELETE` are not statements: a statement begins the text or follows a parenthesis.
    let mut may_begin = true;
    while let Some(token) = cursor.next() {
        let begins = may_begin;
        may_begin = false;
        if token.is_punctuation(b'(') {
            open.push(None);
            may_begin = true;
        } else if token.is_punctuation(b')') {
            keep_most_severe(&mut worst, open.pop().flatten());
            may_begin = true;
        } else if token.is_word("where") {
            if let Some(current) = open.last_mut() {
                *current = None;
            }
        } else if begins && let Some(current) = open.last_mut() {
            if token.is_word("delete") && cursor.accept("from") {
                *current = Some((Hazard::DeletesWithoutWhere, cursor.relation()));
            } else if token.is_word("update") {
                *current = Some((Hazard::UpdatesWithoutWhere, cursor.relation()));
            }
        }
    }
    for left in open {
        keep_most_severe(&mut worst, left);
    }
    worst
}

fn keep_most_severe(worst: &mut Found, next: Found) {
    if let Some((hazard, _)) = &next
        && worst.as_ref().is_none_or(|(known, _)| hazard < known)
    {
        *worst = next;
    }
}

#[cfg(test)]
mod tests {
    use super::super::split::split;
    use super::*;

    #[test]
    fn the_most_severe_hazard_of_a_statement_is_reported() {
        use Hazard::*;
        let cases = [
            ("drop database d", Some(DropsDatabase)),
            ("drop schema if exists s cascade", Some(DropsSchema)),
            ("drop owned by r", Some(DropsOwned)),
            ("drop table if exists a, b cascade", Some(DropsTable)),
            ("drop type e", None),
            ("drop type e cascade", Some(Cascades)),
            ("drop index i", Some(BlockingIndexDrop)),
            ("drop index i cascade", Some(Cascades)),
            ("drop index concurrently i", None),
            ("alter table t drop c", Some(DropsColumn)),
            (
                "alter table only s.t add a int, drop column if exists c",
                Some(DropsColumn),
            ),
            ("alter table t drop constraint c", None),
            ("alter table t drop constraint c cascade", Some(Cascades)),
            ("alter table t alter c drop not null", None),
            (
                "alter table t alter column c drop default, alter d set default 1",
                None,
            ),
            ("alter table t alter c type bigint", Some(ChangesColumnType)),
            (
                "alter table t alter column c set data type bigint using c::bigint",
                Some(ChangesColumnType),
            ),
            ("alter table t alter column type set default 1", None),
            (
                "alter table t alter c set not null, add check (a > 0)",
                Some(SetsNotNull),
            ),
            (
                "alter table t add constraint x check (a in (1, 2))",
                Some(ValidatesConstraint),
            ),
            (
                "alter table t add constraint x check (a > 0) not valid",
                None,
            ),
            (
                "alter table t add foreign key (a) references u",
                Some(ValidatesConstraint),
            ),
            (
                "alter table t add constraint x not null c",
                Some(SetsNotNull),
            ),
            (
                "alter table t add constraint x unique (a)",
                Some(BlockingIndex),
            ),
            (
                "alter table t add constraint x primary key using index i",
                None,
            ),
            ("alter table t add column c int not null default 0", None),
            ("alter table t rename to u", Some(Renames)),
            ("alter table t rename column a to b", Some(Renames)),
            ("alter table t rename constraint a to b", None),
            ("alter table t set logged", Some(RewritesTable)),
            ("alter table t set (fillfactor = 70)", None),
            ("alter type e add value 'drop'", None),
            ("alter type e rename value 'a' to 'b'", None),
            ("alter type c drop attribute a", Some(DropsColumn)),
            ("alter function f() owner to r", None),
            ("truncate t", Some(Truncates)),
            ("delete from t", Some(DeletesWithoutWhere)),
            ("delete from t using u where t.a = u.a", None),
            (
                "delete from t using (select 1 where true) u",
                Some(DeletesWithoutWhere),
            ),
            ("update t set a = 1", Some(UpdatesWithoutWhere)),
            (
                "update t set a = (select 1 where true)",
                Some(UpdatesWithoutWhere),
            ),
            ("update t set a = 1 where b", None),
            (
                "with x as (delete from t returning *) select * from x where a",
                Some(DeletesWithoutWhere),
            ),
            (
                "with x as (delete from t where a) update u set b = 1",
                Some(UpdatesWithoutWhere),
            ),
            ("with x as (select 1 for update) select * from x", None),
            (
                "insert into t values (1) on conflict (a) do update set a = 2",
                None,
            ),
            ("create unique index on t (a)", Some(BlockingIndex)),
            ("create index concurrently i on t (a)", None),
            ("reindex table t", Some(BlockingReindex)),
            ("reindex table concurrently t", None),
            ("refresh materialized view v", Some(BlockingRefresh)),
            ("refresh materialized view v with no data", None),
            ("refresh materialized view concurrently v", None),
            ("vacuum full t", Some(RewritesTable)),
            ("vacuum (analyze, full) t", Some(RewritesTable)),
            ("vacuum t", None),
            ("select 'drop table t'", None),
        ];
        for (text, expected) in cases {
            assert_eq!(hazards(&Statement { text, offset: 0 }), expected, "{text}");
        }
    }

    #[test]
    fn changes_to_a_table_created_in_the_same_file_are_not_hazards() {
        let sql = "create table s.t (a int); create index on t (a); create index on u (a);
            create table if not exists v (a int); create index on v (a);
            create temp table w as select 1; update w set a = 1; truncate w, u; drop table w;";
        let statements = split(sql).unwrap();
        assert_eq!(
            file_hazards(&statements),
            [
                (2, Hazard::BlockingIndex),
                (4, Hazard::BlockingIndex),
                (7, Hazard::Truncates)
            ]
        );
    }

    #[test]
    fn data_loss_is_more_severe_than_blocking() {
        assert!(Hazard::UpdatesWithoutWhere.loses_data());
        assert!(!Hazard::BlockingIndex.loses_data());
        assert_eq!(Hazard::DropsTable.to_string(), "drops-table");
    }
}
