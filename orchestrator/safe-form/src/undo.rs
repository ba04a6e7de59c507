//! Edits the revert of a migration when other files undo a part of it.
//!
//! Responsible for removing single actions. What is not found there is undone by something else, such as the drop of the
//! whole table; the proof decides. Pure.

use pg_sql::Name;
use squawk_syntax::ast::{self, AstNode};

use lint::{Change, Step, span};

/// An action that a revert no longer needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undo {
    /// Drop an index.
    DropsIndex(Name),
    /// Recreate an index.
    MakesIndex(Name),
    DropsConstraint {
        table: Name,
        /// The constraint.
        name: String,
    },
    /// Drop NOT NULL of a column, which is replaced by another action.
    DropsNotNull {
        table: Name,
        column: String,
        /// An action of `ALTER TABLE`.
        instead: String,
    },
}

/// The edit of one statement of a revert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edited {
    /// It stays unchanged.
    Untouched,
    /// It is replaced by another statement.
    Becomes(String),
    /// It is removed.
    Gone,
}

/// Edits a statement.
pub fn edit(step: &Step, text: &str, undone: &[Undo]) -> Edited {
    match ast::Stmt::cast(step.node.clone()) {
        Some(ast::Stmt::DropIndex(it)) => drop_index(step, &it, undone),
        Some(ast::Stmt::CreateIndex(_)) => {
            let made = step.acts.iter().any(|act| match &act.change {
                Change::MakesIndex(index) => undone.iter().any(|undo| match undo {
                    Undo::MakesIndex(name) => index.name.as_ref() == Some(name),
                    _ => false,
                }),
                _ => false,
            });
            if made {
                Edited::Gone
            } else {
                Edited::Untouched
            }
        }
        Some(ast::Stmt::AlterTable(it)) => alter_table(step, &it, text, undone),
        _ => Edited::Untouched,
    }
}

fn drop_index(step: &Step, it: &ast::DropIndex, undone: &[Undo]) -> Edited {
    let Some(Change::DropsIndexes { indexes, .. }) = step.acts.first().map(|act| &act.change)
    else {
        return Edited::Untouched;
    };
    let left: Vec<String> = indexes
        .iter()
        .zip(it.index_refs())
        .filter(|(index, _)| !undone.contains(&Undo::DropsIndex((*index).clone())))
        .map(|(_, written)| written.syntax().text().to_string().trim().to_owned())
        .collect();
    if left.is_empty() {
        Edited::Gone
    } else if left.len() == indexes.len() {
        Edited::Untouched
    } else {
        let if_exists = if it.if_exists().is_some() {
            "IF EXISTS "
        } else {
            ""
        };
        Edited::Becomes(format!("DROP INDEX {if_exists}{}", left.join(", ")))
    }
}

fn alter_table(step: &Step, it: &ast::AlterTable, text: &str, undone: &[Undo]) -> Edited {
    let mut kept = Vec::new();
    let mut touched = false;
    let mut first = None;
    for action in it.actions() {
        let range = span(action.syntax());
        first.get_or_insert(range.start);
        let change = step.acts.iter().find(|act| act.range == range);
        let own = text.get(range).unwrap_or_default().to_owned();
        match change.and_then(|act| replaced(&act.change, undone)) {
            None => kept.push(own),
            Some(instead) => {
                touched = true;
                kept.extend(instead);
            }
        }
    }
    let prefix = first.and_then(|first| text.get(step.range.start..first));
    match prefix {
        _ if !touched => Edited::Untouched,
        _ if kept.is_empty() => Edited::Gone,
        Some(prefix) => Edited::Becomes(format!("{prefix}{}", kept.join(",\n    "))),
        None => Edited::Untouched,
    }
}

/// The replacement of an action, if any; `None` if the action stays.
fn replaced(change: &Change, undone: &[Undo]) -> Option<Option<String>> {
    undone.iter().find_map(|undo| match (change, undo) {
        (
            Change::DropsConstraint { table, name, .. },
            Undo::DropsConstraint {
                table: of,
                name: gone,
            },
        ) if table == of && name == gone => Some(None),
        (
            Change::SetsNotNull {
                table,
                column,
                not_null: false,
            },
            Undo::DropsNotNull {
                table: of,
                column: gone,
                instead,
            },
        ) if table == of && column == gone => Some(Some(instead.clone())),
        _ => None,
    })
}
