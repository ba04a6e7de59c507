//! Refines the violations that squawk reports.

use std::ops::Range;

use rowan::{NodeOrToken, TextRange};
use squawk_linter::{Rule as Squawk, Violation};
use squawk_syntax::ast::{self, AstNode, NameLike};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::adopted::{Adopted, adopted};
use super::defaults::is_same_for_all_rows;
use super::names::used;

/// The action of `ALTER TABLE` that a violation is about.
pub(super) fn action(
    violation: &Violation,
    statement: &ast::Stmt,
) -> Option<ast::AlterTableAction> {
    let ast::Stmt::AlterTable(table) = statement else {
        return None;
    };
    around(table.syntax(), violation).find_map(ast::AlterTableAction::cast)
}

/// The nodes of a statement around a violation, the innermost first.
fn around(statement: &SyntaxNode, violation: &Violation) -> impl Iterator<Item = SyntaxNode> {
    let whole = statement.text_range();
    let place = TextRange::at(violation.text_range.start(), 1.into());
    // By bisection: finding a token child by child is linear, and a table may have thousands of columns.
    let element = whole
        .contains_range(place)
        .then(|| statement.covering_element(place));
    let node = element.and_then(|element| match element {
        NodeOrToken::Node(node) => Some(node),
        NodeOrToken::Token(token) => token.parent(),
    });
    let ancestors = node.into_iter().flat_map(|node| node.ancestors());
    ancestors.take_while(move |node| whole.contains_range(node.text_range()))
}

/// A volatile default, an identity or a stored generated column; `None` for a column that causes no rewrite.
pub(super) fn default(
    violation: &Violation,
    as_default: Adopted,
    statement: &SyntaxNode,
) -> Option<Adopted> {
    let node = around(statement, violation).find(|node| {
        let kind = node.kind();
        ast::DefaultConstraint::can_cast(kind) || ast::GeneratedConstraint::can_cast(kind)
    })?;
    if let Some(default) = ast::DefaultConstraint::cast(node.clone()) {
        let same = default
            .expr()
            .is_some_and(|expression| is_same_for_all_rows(&expression));
        return (!same).then_some(as_default);
    }
    let has = |wanted: fn(SyntaxKind) -> bool| node.descendants().any(|node| wanted(node.kind()));
    if has(ast::GeneratedIdentity::can_cast) {
        return Some(as_default.with_message(
            "an identity column has a different value for each row: {} is inaccessible while it is rewritten",
        ));
    }
    if has(ast::Virtual::can_cast) {
        return None;
    }
    adopted(Squawk::BanAlterGeneratedExpression)
}

/// The rule for a rename or a move to another schema; `None` for objects that programs do not refer to.
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
        return Some(
            table
                .without_safe_form()
                .with_message("running programs look for {} in its old schema and fail"),
        );
    }
    if statement.kind() == SyntaxKind::ALTER_FOREIGN_TABLE {
        return Some(table);
    }
    is_used_by_programs(statement).then_some(as_object)
}

/// Whether programs refer to the object: not to a constraint, index, trigger, policy or role.
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

/// Whether a column is auto-incrementing or the only key column of its table.
pub(super) fn is_key(
    statement: &SyntaxNode,
    violation: &Violation,
    keys: &[(Range<usize>, String)],
) -> bool {
    let column = around(statement, violation)
        .find(|node| ast::Column::can_cast(node.kind()) || ast::AddColumn::can_cast(node.kind()));
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
    let start = usize::from(violation.text_range.start());
    let is_listed = keys
        .iter()
        .any(|(range, key)| !range.contains(&start) && Some(key) == name.as_ref());
    is_inline || counts_up || is_listed
}

/// The single-column primary keys of a statement, with their ranges.
pub(super) fn listed_keys(statement: &SyntaxNode) -> Vec<(Range<usize>, String)> {
    let keys = statement
        .descendants()
        .filter_map(ast::PrimaryKeyConstraint::cast);
    keys.filter_map(|key| {
        let mut columns = key
            .syntax()
            .descendants()
            .filter_map(ast::ColumnNameRef::cast);
        let only = columns.next().filter(|_| columns.next().is_none())?;
        Some((key.syntax().text_range().into(), only.text()))
    })
    .collect()
}
