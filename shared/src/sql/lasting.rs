//! What a statement that PostgreSQL refuses in a transaction leaves behind, so that its outcome can be looked up.
//!
//! Responsible for: the objects that such statements make and remove, and which of them may simply be run twice.
//! Not for: the `CONCURRENTLY` statements, which `classify` knows.
//! Floor 0: pure.

use super::cursor::Cursor;
use super::statement::Statement;

/// The objects that are made and removed outside of transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasting {
    /// A database.
    Database,
    /// A tablespace.
    Tablespace,
    /// A subscription of the current database.
    Subscription,
}

/// What a statement does to such an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastingChange {
    /// The kind of object.
    pub object: Lasting,
    /// Its name.
    pub name: String,
    /// Whether it is there afterwards.
    pub creates: bool,
}

/// The object that a statement makes or removes for good, if it is one of those.
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

/// Whether running the statement a second time, after it ran to its end or not, does no more than running it once.
///
/// Of a procedure that commits by itself nobody can say that, nor of a block of code.
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
    use crate::sql::Statement;

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
    fn what_is_made_and_removed() {
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
    fn what_may_run_twice() {
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
