//! What squawk points at, looked at more closely than it does. Floor 3.

use squawk_linter::{Rule as Squawk, Violation};
use squawk_syntax::ast::{self, AstNode, NameLike};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::adopted::{Adopted, adopted};
use super::defaults::is_same_for_all_rows;
use super::names::used;

/// The action of `ALTER TABLE` at which squawk points.
pub(super) fn action(
    violation: &Violation,
    statement: &ast::Stmt,
) -> Option<ast::AlterTableAction> {
    let ast::Stmt::AlterTable(table) = statement else {
        return None;
    };
    table
        .actions()
        .find(|action| holds(action.syntax(), violation))
}

fn holds(node: &SyntaxNode, violation: &Violation) -> bool {
    let (range, start) = (node.text_range(), violation.text_range.start());
    range.start() <= start && start < range.end()
}

/// A default that differs from row to row, an identity, a stored generated column; `None` for what costs nothing.
pub(super) fn default(
    violation: &Violation,
    as_default: Adopted,
    statement: &SyntaxNode,
) -> Option<Adopted> {
    let node = statement.descendants().find(|node| {
        let kind = node.kind();
        let is_meant =
            ast::DefaultConstraint::can_cast(kind) || ast::GeneratedConstraint::can_cast(kind);
        is_meant && holds(node, violation)
    })?;
    if let Some(default) = ast::DefaultConstraint::cast(node.clone()) {
        let same = default
            .expr()
            .is_some_and(|expression| is_same_for_all_rows(&expression));
        return (!same).then_some(as_default);
    }
    let has = |wanted: fn(SyntaxKind) -> bool| node.descendants().any(|node| wanted(node.kind()));
    if has(ast::GeneratedIdentity::can_cast) {
        return Some(as_default.saying(
            "an identity has another value for each row: nobody can read or write {} while it is written anew",
        ));
    }
    if has(ast::Virtual::can_cast) {
        return None;
    }
    adopted(Squawk::BanAlterGeneratedExpression)
}

/// The new name or schema of a table, or of something else that programs name; `None` for what they do not.
pub(super) fn renaming(
    violation: &Violation,
    as_object: Adopted,
    statement: &SyntaxNode,
) -> Option<Adopted> {
    let is_table = matches!(
        statement.kind(),
        SyntaxKind::ALTER_TABLE | SyntaxKind::ALTER_FOREIGN_TABLE
    );
    let table = adopted(Squawk::RenamingTable)?;
    if is_table && violation.code == Squawk::BanSetSchema {
        return Some(table.without_safe_form().saying(
            "programs that run look for {} in its old schema, and fail from this moment on",
        ));
    }
    if statement.kind() == SyntaxKind::ALTER_FOREIGN_TABLE {
        return Some(table);
    }
    is_used_by_programs(statement).then_some(as_object)
}

/// Whether programs name what is renamed or moved: not a constraint, an index, a trigger, a policy, a role.
fn is_used_by_programs(statement: &SyntaxNode) -> bool {
    statement.children().any(|action| {
        matches!(
            action.kind(),
            SyntaxKind::VIEW_RENAME_TO
                | SyntaxKind::FUNCTION_RENAME_TO
                | SyntaxKind::AGGREGATE_RENAME_TO
                | SyntaxKind::PROCEDURE_RENAME_TO
                | SyntaxKind::ROUTINE_RENAME_TO
                | SyntaxKind::TYPE_RENAME_TO
                | SyntaxKind::DOMAIN_RENAME_TO
                | SyntaxKind::SEQUENCE_RENAME_TO
                | SyntaxKind::SCHEMA_RENAME_TO
                | SyntaxKind::DATABASE_RENAME_TO
                | SyntaxKind::RENAME_VALUE
                | SyntaxKind::SET_SCHEMA
        )
    })
}

pub(super) fn dropped_columns(statement: &SyntaxNode) -> Vec<String> {
    let drops = statement.descendants().filter_map(ast::DropColumn::cast);
    drops
        .filter_map(|drop| drop.column_name_ref())
        .map(|name| name.text())
        .collect()
}

/// Whether a column counts up, or is the key of its table alone.
pub(super) fn is_key(statement: &SyntaxNode, violation: &Violation) -> bool {
    let column = statement
        .descendants()
        .filter(|node| ast::Column::can_cast(node.kind()) || ast::AddColumn::can_cast(node.kind()))
        .find(|node| holds(node, violation));
    let Some(column) = column else {
        return false;
    };
    let is_inline = column.descendants().any(|node| {
        ast::PrimaryKeyConstraint::can_cast(node.kind())
            || ast::GeneratedIdentity::can_cast(node.kind())
    });
    let type_text = column
        .descendants()
        .filter_map(ast::PathRef::cast)
        .find_map(|path| used(&path))
        .map(|name| name.name);
    let counts_up = type_text.is_some_and(|name| name.contains("serial"));
    let name = column
        .descendants()
        .find_map(ast::ColumnName::cast)
        .map(|name| name.text());
    let is_listed = statement
        .descendants()
        .filter_map(ast::PrimaryKeyConstraint::cast)
        .filter(|key| !holds(key.syntax(), violation))
        .any(|key| {
            let columns: Vec<String> = key
                .syntax()
                .descendants()
                .filter_map(ast::ColumnNameRef::cast)
                .map(|column| column.text())
                .collect();
            columns.len() == 1 && columns.first() == name.as_ref()
        });
    is_inline || counts_up || is_listed
}
