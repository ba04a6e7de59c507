//! Classifies statements.
//!
//! Reads the head of a statement like PostgreSQL's grammar (14 to 18). A malformed statement is `Other`: the server reports
//! the error.

use super::cursor::Cursor;
use super::lexer::TokenKind;
use super::statement::{ReindexTarget, Statement, StatementKind};

/// Classifies a statement.
pub fn classify(statement: &Statement<'_>) -> StatementKind {
    let text = statement.text;
    if text.contains('\\') && Cursor::new(text).any(|token| token.kind == TokenKind::Backslash) {
        return StatementKind::MetaCommand;
    }
    let mut cursor = Cursor::new(text);
    let Some(first) = cursor.accept_if(|token| token.kind == TokenKind::Word) else {
        return StatementKind::Other;
    };
    match first.text.to_ascii_lowercase().as_str() {
        "begin" => StatementKind::Begin,
        "start" if cursor.accept("transaction") => StatementKind::Begin,
        "commit" | "end" => commit(cursor),
        "rollback" | "abort" => rollback(cursor),
        "savepoint" | "release" => StatementKind::Savepoint,
        "prepare" => prepare(cursor),
        "set" => StatementKind::Set {
            local: cursor.accept_any(&["local", "transaction", "constraints"]),
        },
        "reset" => StatementKind::Set { local: false },
        "copy" => copy(cursor),
        "vacuum" => StatementKind::OutsideTransaction("VACUUM"),
        "discard" if cursor.accept("all") => StatementKind::OutsideTransaction("DISCARD ALL"),
        "cluster" => cluster(cursor),
        "create" => create(cursor).unwrap_or(StatementKind::Other),
        "drop" => drop(cursor).unwrap_or(StatementKind::Other),
        "alter" => alter(cursor).unwrap_or(StatementKind::Other),
        "reindex" => reindex(cursor).unwrap_or(StatementKind::Other),
        _ => StatementKind::Other,
    }
}

fn commit(mut cursor: Cursor<'_>) -> StatementKind {
    if cursor.accept("prepared") {
        return StatementKind::CommitPrepared;
    }
    cursor.accept_any(&["work", "transaction"]);
    StatementKind::Commit {
        chain: cursor.accept_all(&["and", "chain"]),
    }
}

fn rollback(mut cursor: Cursor<'_>) -> StatementKind {
    if cursor.accept("prepared") {
        return StatementKind::CommitPrepared;
    }
    cursor.accept_any(&["work", "transaction"]);
    if cursor.accept("to") {
        return StatementKind::RollbackToSavepoint;
    }
    StatementKind::Rollback {
        chain: cursor.accept_all(&["and", "chain"]),
    }
}

/// `PREPARE transaction AS …` prepares a statement with that name.
fn prepare(mut cursor: Cursor<'_>) -> StatementKind {
    if cursor.accept("transaction") && cursor.string().is_some() {
        StatementKind::PrepareTransaction
    } else {
        StatementKind::Other
    }
}

fn copy(mut cursor: Cursor<'_>) -> StatementKind {
    loop {
        cursor.skip_parentheses();
        let from = cursor.accept("from");
        if from || cursor.accept("to") {
            // The grammar accepts either word for the client side.
            return match (cursor.accept_any(&["stdin", "stdout"]), from) {
                (true, true) => StatementKind::CopyFromStdin,
                (true, false) => StatementKind::CopyToStdout,
                (false, _) => StatementKind::Other,
            };
        }
        if cursor.next().is_none() {
            return StatementKind::Other;
        }
    }
}

fn cluster(mut cursor: Cursor<'_>) -> StatementKind {
    cursor.skip_parentheses();
    cursor.accept("verbose");
    match cursor.next() {
        None => StatementKind::OutsideTransaction("CLUSTER"),
        Some(_) => StatementKind::Other,
    }
}

fn create(mut cursor: Cursor<'_>) -> Option<StatementKind> {
    if cursor.accept("database") {
        return Some(StatementKind::OutsideTransaction("CREATE DATABASE"));
    }
    if cursor.accept("tablespace") {
        return Some(StatementKind::OutsideTransaction("CREATE TABLESPACE"));
    }
    if cursor.accept("subscription") {
        // Only the creation of the remote slot cannot be rolled back.
        let local = is_switched_off(&cursor, "connect") || is_switched_off(&cursor, "create_slot");
        return (!local).then_some(StatementKind::OutsideTransaction("CREATE SUBSCRIPTION"));
    }
    let unique = cursor.accept("unique");
    if !cursor.accept_all(&["index", "concurrently"]) {
        return None;
    }
    let if_not_exists = cursor.accept_all(&["if", "not", "exists"]);
    let mut index = None;
    if !cursor.accept("on") {
        index = Some(cursor.name()?);
        if !cursor.accept("on") {
            return None;
        }
    }
    let table = cursor.relation()?;
    if let Some(index) = &mut index {
        index.schema.clone_from(&table.schema);
    }
    Some(StatementKind::CreateIndexConcurrently {
        index,
        table,
        if_not_exists,
        unique,
        definition: cursor.rest().to_owned(),
    })
}

/// Whether a later option list contains `option = false`.
fn is_switched_off(cursor: &Cursor<'_>, option: &str) -> bool {
    let mut cursor = cursor.clone();
    while let Some(token) = cursor.next() {
        if token.is_word(option) && cursor.accept_if(|token| token.text == "=").is_some() {
            return is_false(&mut cursor);
        }
    }
    false
}

fn is_false(cursor: &mut Cursor<'_>) -> bool {
    let word = cursor.string().or_else(|| cursor.identifier());
    match word {
        Some(word) => word.eq_ignore_ascii_case("false") || word.eq_ignore_ascii_case("off"),
        None => cursor.accept_if(|token| token.text == "0").is_some(),
    }
}

fn drop(mut cursor: Cursor<'_>) -> Option<StatementKind> {
    for (keyword, words) in [
        ("database", "DROP DATABASE"),
        ("tablespace", "DROP TABLESPACE"),
        ("subscription", "DROP SUBSCRIPTION"),
    ] {
        if cursor.accept(keyword) {
            return Some(StatementKind::OutsideTransaction(words));
        }
    }
    if !cursor.accept_all(&["index", "concurrently"]) {
        return None;
    }
    let if_exists = cursor.accept_all(&["if", "exists"]);
    let mut indexes = vec![cursor.name()?];
    while cursor.accept_mark(b',') {
        indexes.push(cursor.name()?);
    }
    Some(StatementKind::DropIndexConcurrently { indexes, if_exists })
}

fn alter(mut cursor: Cursor<'_>) -> Option<StatementKind> {
    if cursor.accept("system") {
        return Some(StatementKind::OutsideTransaction("ALTER SYSTEM"));
    }
    if cursor.accept("database") {
        cursor.identifier()?;
        return cursor.accept_all(&["set", "tablespace"]).then_some(
            StatementKind::OutsideTransaction("ALTER DATABASE SET TABLESPACE"),
        );
    }
    if cursor.accept("subscription") {
        return alter_subscription(cursor);
    }
    if cursor.accept("type") {
        let type_name = cursor.name()?;
        if !cursor.accept_all(&["add", "value"]) {
            return None;
        }
        return Some(StatementKind::AddEnumValue {
            type_name,
            if_not_exists: cursor.accept_all(&["if", "not", "exists"]),
            label: cursor.string()?,
        });
    }
    if !cursor.accept("table") {
        return None;
    }
    cursor.accept_all(&["if", "exists"]);
    let table = cursor.relation()?;
    if !cursor.accept_all(&["detach", "partition"]) {
        return None;
    }
    let partition = cursor.name()?;
    let finalize = cursor.accept("finalize");
    (finalize || cursor.accept("concurrently")).then_some(
        StatementKind::DetachPartitionConcurrently {
            table,
            partition,
            finalize,
        },
    )
}

fn alter_subscription(mut cursor: Cursor<'_>) -> Option<StatementKind> {
    cursor.identifier()?;
    if cursor.accept("refresh") {
        return Some(StatementKind::OutsideTransaction(
            "ALTER SUBSCRIPTION REFRESH",
        ));
    }
    let publication = cursor.accept_any(&["set", "add", "drop"]) && cursor.accept("publication");
    (publication && !is_switched_off(&cursor, "refresh")).then_some(
        StatementKind::OutsideTransaction("ALTER SUBSCRIPTION PUBLICATION"),
    )
}

fn reindex(mut cursor: Cursor<'_>) -> Option<StatementKind> {
    let mut concurrently = false;
    if cursor.accept_mark(b'(') {
        while !cursor.accept_mark(b')') {
            if cursor.accept("concurrently") {
                concurrently = !is_false(&mut cursor.clone());
            } else {
                cursor.next()?;
            }
        }
    }
    let object = cursor.identifier()?;
    concurrently |= cursor.accept("concurrently");
    let outside = |words| Some(StatementKind::OutsideTransaction(words));
    let target = match (object.as_str(), concurrently) {
        ("index", true) => ReindexTarget::Index(cursor.name()?),
        ("table", true) => ReindexTarget::Table(cursor.name()?),
        ("schema", true) => ReindexTarget::Schema(cursor.identifier()?),
        ("database", true) => ReindexTarget::Database,
        ("schema", false) => return outside("REINDEX SCHEMA"),
        ("database", false) => return outside("REINDEX DATABASE"),
        ("system", _) => return outside("REINDEX SYSTEM"),
        _ => return None,
    };
    Some(StatementKind::ReindexConcurrently { target })
}

#[cfg(test)]
mod tests {
    use super::super::name::Name;
    use super::*;
    use StatementKind::{
        AddEnumValue, Begin, Commit, CommitPrepared, CopyFromStdin, CopyToStdout,
        CreateIndexConcurrently, DetachPartitionConcurrently, DropIndexConcurrently, MetaCommand,
        Other, OutsideTransaction, PrepareTransaction, ReindexConcurrently, Rollback,
        RollbackToSavepoint, Savepoint, Set,
    };

    fn kind(text: &str) -> StatementKind {
        classify(&Statement { text, offset: 0 })
    }

    fn name(name: &str) -> Name {
        let (schema, name) = match name.split_once('.') {
            Some((schema, name)) => (Some(schema.to_owned()), name),
            None => (None, name),
        };
        Name {
            schema,
            name: name.to_owned(),
        }
    }

    #[test]
    fn transaction_control() {
        let cases = [
            ("begin", Begin),
            ("BEGIN WORK", Begin),
            (
                "Begin Transaction Isolation Level Serializable, Read Only",
                Begin,
            ),
            ("START /* x */ TRANSACTION READ ONLY", Begin),
            ("start replication", Other),
            ("commit", Commit { chain: false }),
            ("COMMIT WORK AND CHAIN", Commit { chain: true }),
            ("commit and no chain", Commit { chain: false }),
            ("end", Commit { chain: false }),
            ("END TRANSACTION AND -- x\n CHAIN", Commit { chain: true }),
            ("rollback", Rollback { chain: false }),
            ("abort work and chain", Rollback { chain: true }),
            ("ROLLBACK TO a", RollbackToSavepoint),
            ("rollback transaction to savepoint a", RollbackToSavepoint),
            ("savepoint a", Savepoint),
            ("release savepoint a", Savepoint),
            ("prepare transaction 'x'", PrepareTransaction),
            ("prepare transaction as select 1", Other),
            ("prepare x as select 1", Other),
            ("commit prepared 'x'", CommitPrepared),
            ("rollback prepared 'x'", CommitPrepared),
            ("\"begin\"", Other),
            ("beginning", Other),
            ("(begin)", Other),
            ("", Other),
        ];
        for (sql, expected) in cases {
            assert_eq!(kind(sql), expected, "{sql}");
        }
    }

    #[test]
    fn settings() {
        let cases = [
            ("set search_path to a", false),
            ("SET SESSION search_path = a", false),
            ("set role a", false),
            ("set session authorization a", false),
            (
                "set session characteristics as transaction read only",
                false,
            ),
            ("reset all", false),
            ("reset session authorization", false),
            ("set local lock_timeout = '1s'", true),
            ("set transaction isolation level serializable", true),
            ("set constraints all deferred", true),
        ];
        for (sql, local) in cases {
            assert_eq!(kind(sql), Set { local }, "{sql}");
        }
        assert_eq!(kind("update t set local = 1"), Other);
    }

    #[test]
    fn concurrent_index_statements() {
        let build = |unique, index: Option<&str>, table, definition: &str, if_not_exists| {
            CreateIndexConcurrently {
                index: index.map(name),
                table: name(table),
                if_not_exists,
                unique,
                definition: definition.to_owned(),
            }
        };
        let create = |index, table, definition| build(false, index, table, definition, false);
        let drop = |indexes: &[&str], if_exists| DropIndexConcurrently {
            indexes: indexes.iter().copied().map(name).collect(),
            if_exists,
        };
        let reindex = |target| ReindexConcurrently { target };
        let cases = [
            (
                "create index concurrently I on T (a)",
                create(Some("i"), "t", "(a)"),
            ),
            (
                "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS \"I x\" ON ONLY s.\"T\" USING gin (a)",
                build(true, Some("s.I x"), "s.T", "USING gin (a)", true),
            ),
            (
                "create index concurrently on only (db.s.t) (a)",
                create(None, "s.t", "(a)"),
            ),
            (
                "create index concurrently U&\"\\0041\" on t(a)",
                create(Some("A"), "t", "(a)"),
            ),
            (
                "create index concurrently U&\"!0041\" uescape '!' on t(a)",
                create(Some("A"), "t", "(a)"),
            ),
            ("create index i on t (a)", Other),
            ("create index concurrently", Other),
            ("create index \"concurrently\" on t (a)", Other),
            ("drop index concurrently i", drop(&["i"], false)),
            (
                "drop index concurrently if exists s.i, j cascade",
                drop(&["s.i", "j"], true),
            ),
            ("drop index i", Other),
            (
                "reindex index concurrently s.i",
                reindex(ReindexTarget::Index(name("s.i"))),
            ),
            (
                "reindex (concurrently) table t",
                reindex(ReindexTarget::Table(name("t"))),
            ),
            (
                "reindex (verbose, concurrently on, tablespace x) schema \"S\"",
                reindex(ReindexTarget::Schema("S".to_owned())),
            ),
            (
                "reindex database concurrently",
                reindex(ReindexTarget::Database),
            ),
            ("reindex (concurrently false) table t", Other),
            ("reindex (concurrently 'off', verbose) table t", Other),
            ("reindex table t", Other),
            ("reindex (verbose", Other),
        ];
        for (sql, expected) in cases {
            assert_eq!(kind(sql), expected, "{sql}");
        }
    }

    #[test]
    fn partitions_and_enum_values() {
        let detach = |table, partition, finalize| DetachPartitionConcurrently {
            table: name(table),
            partition: name(partition),
            finalize,
        };
        let add = |type_name, label: &str, if_not_exists| AddEnumValue {
            type_name: name(type_name),
            if_not_exists,
            label: label.to_owned(),
        };
        let cases = [
            (
                "alter table t detach partition s.p concurrently",
                detach("t", "s.p", false),
            ),
            (
                "ALTER TABLE IF EXISTS ONLY s.t * DETACH PARTITION p FINALIZE",
                Other,
            ),
            (
                "ALTER TABLE IF EXISTS s.t * DETACH PARTITION p FINALIZE",
                detach("s.t", "p", true),
            ),
            ("alter table t detach partition p", Other),
            (
                "alter type s.\"E\" add value if not exists 'it''s' after 'x'",
                add("s.E", "it's", true),
            ),
            ("alter type e add value E'a\\tb'", add("e", "a\tb", false)),
            (
                "alter type e add value U&'d!0061' uescape '!'",
                add("e", "da", false),
            ),
            ("alter type e add value $$a$$", add("e", "a", false)),
            ("alter type e rename value 'a' to 'b'", Other),
            ("alter type e add attribute value int", Other),
        ];
        for (sql, expected) in cases {
            assert_eq!(kind(sql), expected, "{sql}");
        }
    }

    #[test]
    fn statements_that_run_outside_a_transaction() {
        let outside = [
            ("vacuum (full) t", "VACUUM"),
            ("discard all", "DISCARD ALL"),
            ("cluster", "CLUSTER"),
            ("cluster (verbose)", "CLUSTER"),
            ("cluster verbose", "CLUSTER"),
            ("create database d", "CREATE DATABASE"),
            ("drop database if exists d", "DROP DATABASE"),
            ("create tablespace s location '/x'", "CREATE TABLESPACE"),
            ("drop tablespace s", "DROP TABLESPACE"),
            ("alter system set a = 1", "ALTER SYSTEM"),
            (
                "alter database d set tablespace s",
                "ALTER DATABASE SET TABLESPACE",
            ),
            (
                "create subscription s connection '' publication p",
                "CREATE SUBSCRIPTION",
            ),
            ("drop subscription s", "DROP SUBSCRIPTION"),
            (
                "alter subscription s refresh publication",
                "ALTER SUBSCRIPTION REFRESH",
            ),
            (
                "alter subscription s add publication p",
                "ALTER SUBSCRIPTION PUBLICATION",
            ),
            ("reindex database", "REINDEX DATABASE"),
            ("reindex (verbose) system d", "REINDEX SYSTEM"),
            ("reindex schema s", "REINDEX SCHEMA"),
        ];
        for (sql, words) in outside {
            assert_eq!(kind(sql), OutsideTransaction(words), "{sql}");
        }
        for sql in [
            "analyze t",
            "discard temp",
            "cluster t using i",
            "cluster verbose t",
            "alter database d set a = 1",
            "create subscription s connection '' publication p with (connect = false)",
            "create subscription s connection '' publication p with (create_slot=off, x=1)",
            "alter subscription s set publication p with (refresh = 'false')",
            "alter subscription s set (slot_name = none)",
            "create table vacuum (a int)",
        ] {
            assert_eq!(kind(sql), Other, "{sql}");
        }
    }

    #[test]
    fn statements_only_for_psql() {
        let cases = [
            ("copy t from stdin", CopyFromStdin),
            (
                "COPY s.t (a, b) FROM STDIN WITH (FORMAT csv)",
                CopyFromStdin,
            ),
            ("copy binary t from stdin", CopyFromStdin),
            ("copy t from 'stdin'", Other),
            ("copy t to stdout", CopyToStdout),
            ("COPY s.t (a) TO STDIN BINARY", CopyToStdout),
            ("copy (select a from stdin) to stdout", CopyToStdout),
            ("copy t to 'stdout'", Other),
            ("copy t (a) to program 'x'", Other),
            ("copy t from program 'x'", Other),
            ("\\connect x", MetaCommand),
            ("select 1 \\gexec", MetaCommand),
            (r"select E'\n', '\', $$\$$", Other),
        ];
        for (sql, expected) in cases {
            assert_eq!(kind(sql), expected, "{sql}");
        }
    }
}
