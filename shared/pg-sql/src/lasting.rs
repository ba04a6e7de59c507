//! The effects of statements that PostgreSQL refuses in a transaction, so that their outcome can be checked.
//!
//! Lists the objects that they create and drop, and which statements are safe to rerun. `classify` covers the
//! `CONCURRENTLY` statements.

use super::cursor::Cursor;
use super::statement::Statement;

/// The objects that are created and dropped outside transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasting {
    /// `DATABASE`.
    Database,
    /// `TABLESPACE`.
    Tablespace,
    /// `SUBSCRIPTION` of the current database.
    Subscription,
}

/// The creation or removal of such an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastingChange {
    pub object: Lasting,
    /// The unquoted name.
    pub name: String,
    /// Whether the object exists afterwards.
    pub creates: bool,
}

/// The object that a statement creates or drops outside transactions, if any.
pub fn lasting_change(statement: &Statement<'_>) -> Option<LastingChange> {
    let mut cursor = Cursor::new(statement.text);
    let creates = cursor.accept("create");
    if !creates && !cursor.accept("drop") {
        return None;
    }
    let object = if cursor.accept("database") {
        Lasting::Database
    } else if cursor.accept("tablespace") {
        Lasting::Tablespace
    } else if cursor.accept("subscription") {
        Lasting::Subscription
    } else {
        return None;
    };
    if !creates {
        cursor.accept_all(&["if", "exists"]);
    }
    Some(LastingChange {
        object,
        name: cursor.identifier()?,
        creates,
    })
}

/// Whether running the statement twice has the same effect as running it once, even if the first run was interrupted.
///
/// This cannot be known for a procedure or a block that commits on its own.
pub fn is_repeatable(statement: &Statement<'_>) -> bool {
    let mut cursor = Cursor::new(statement.text);
    if cursor.accept("alter") {
        let mut subscription = cursor.clone();
        if subscription.accept("subscription") {
            return subscription.identifier().is_some()
                && (subscription.accept("refresh")
                    || subscription.accept_all(&["set", "publication"]));
        }
        return cursor.accept_any(&["system", "database"]);
    }
    cursor.accept_any(&[
        "vacuum", "analyze", "analyse", "cluster", "reindex", "discard", "refresh",
    ])
}

#[cfg(test)]
mod tests {
    use super::{Lasting, LastingChange, is_repeatable, lasting_change};
    use crate::Statement;

    fn of(text: &str) -> Option<(Lasting, String, bool)> {
        lasting_change(&Statement { text, offset: 0 }).map(
            |LastingChange {
                 object,
                 name,
                 creates,
             }| (object, name, creates),
        )
    }

    #[test]
    fn created_and_dropped_objects() {
        let cases = [
            ("create database D template x", Lasting::Database, "d", true),
            (
                "DROP DATABASE IF EXISTS \"D\" (FORCE)",
                Lasting::Database,
                "D",
                false,
            ),
            (
                "create tablespace s location ''",
                Lasting::Tablespace,
                "s",
                true,
            ),
            ("drop tablespace s", Lasting::Tablespace, "s", false),
            (
                "drop subscription if exists s",
                Lasting::Subscription,
                "s",
                false,
            ),
        ];
        for (sql, object, name, creates) in cases {
            assert_eq!(of(sql), Some((object, name.to_owned(), creates)), "{sql}");
        }
        for sql in [
            "create table t ()",
            "commit",
            "drop index concurrently i",
            "create database",
        ] {
            assert_eq!(of(sql), None, "{sql}");
        }
    }

    #[test]
    fn repeatable_statements() {
        let repeatable = |text| is_repeatable(&Statement { text, offset: 0 });
        for sql in [
            "vacuum (full) t",
            "CLUSTER",
            "reindex table p",
            "alter system set a = 1",
            "alter database d set tablespace s",
            "alter subscription s refresh publication",
            "alter subscription s set publication p",
        ] {
            assert!(repeatable(sql), "{sql}");
        }
        for sql in [
            "call fill()",
            "do $$ begin commit; end $$",
            "alter subscription s add publication p",
            "create database d",
            "select 1",
        ] {
            assert!(!repeatable(sql), "{sql}");
        }
    }
}
