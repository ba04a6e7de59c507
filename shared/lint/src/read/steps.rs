//! Reads the statements of a file, each with its transaction and changes.

use std::collections::BTreeSet;

use pg_sql::{Statement, StatementKind};
use squawk_syntax::ast::{self, AstNode};

use super::statement::Reader;
use crate::change::{Change, Step, Unknown};
use crate::file::LintedFile;
use crate::names::{PUBLIC, span};

/// Reads the statements of a file. Text that cannot be parsed may change anything.
pub fn steps(file: &LintedFile<'_>) -> Vec<Step> {
    let with_separation_note = file.script.directives.no_transaction;
    let mut transaction = 0;
    let mut in_block = false;
    let mut schema = PUBLIC.to_owned();
    let mut temporary = BTreeSet::new();
    let mut steps = Vec::new();
    for statement in file.syntax.tree().stmts() {
        if matches!(statement, ast::Stmt::EmptyStmt(_)) {
            continue;
        }
        let node = statement.syntax().clone();
        let range = span(&node);
        let text = &file.script.text[range.clone()];
        match pg_sql::classify(&Statement { text, offset: 0 }) {
            StatementKind::Begin => in_block = true,
            StatementKind::Commit { .. } | StatementKind::Rollback { .. } => in_block = false,
            _ => {}
        }
        if with_separation_note && !in_block {
            transaction += 1;
        }
        let mut reader = Reader::new(file.migration.version, &schema, &span);
        reader.temporary = temporary;
        match has_errors(&node) {
            true => reader.act(range.clone(), Change::Unknown(Unknown::Anything)),
            false => reader.statement(&statement),
        }
        if let Some(first) = reader.search_path() {
            schema = first.to_owned();
        }
        temporary = reader.temporary;
        steps.push(Step {
            range,
            transaction,
            node,
            acts: reader.acts,
        });
    }
    steps
}

fn has_errors(node: &squawk_syntax::SyntaxNode) -> bool {
    node.descendants()
        .any(|node| node.kind() == squawk_syntax::SyntaxKind::ERROR)
}
