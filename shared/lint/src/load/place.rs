//! The part of a statement that a violation is about.

use rowan::{NodeOrToken, TextRange};
use squawk_linter::Violation;
use squawk_syntax::SyntaxNode;
use squawk_syntax::ast::{self, AstNode};

/// The action of `ALTER TABLE` that a violation is about.
pub(crate) fn action(
    violation: &Violation,
    statement: &ast::Stmt,
) -> Option<ast::AlterTableAction> {
    let ast::Stmt::AlterTable(table) = statement else {
        return None;
    };
    around(table.syntax(), violation).find_map(ast::AlterTableAction::cast)
}

/// The nodes of a statement around a violation, the innermost first.
pub(crate) fn around(
    statement: &SyntaxNode,
    violation: &Violation,
) -> impl Iterator<Item = SyntaxNode> {
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
