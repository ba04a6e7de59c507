//! Reads names from the syntax tree, in the catalog's spelling.

use std::ops::Range;

use pg_sql::Name;
pub(super) use pg_sql::quote_identifier;
use squawk_syntax::ast::{self, AstNode, NameLike};
use squawk_syntax::{SyntaxKind, SyntaxNode};

/// The schema of an unqualified name, unless the file changes it.
pub(super) const PUBLIC: &str = "public";

/// The name of a reference.
pub(super) fn referred(path: Option<ast::PathRef>, schema: &str) -> Option<Name> {
    let path = path?;
    qualified(path.qualifier(), short(&path.segment()?.text()), schema)
}

/// The name of a new object.
pub(super) fn made(path: Option<ast::Path>, schema: &str) -> Option<Name> {
    let path = path?;
    qualified(path.qualifier(), short(&path.segment()?.text()), schema)
}

fn qualified(qualifier: Option<ast::PathRef>, name: String, schema: &str) -> Option<Name> {
    let schema = match qualifier {
        None => schema.to_owned(),
        Some(qualifier) => short(&qualifier.segment()?.text()),
    };
    (!name.is_empty()).then_some(Name {
        schema: Some(schema),
        name,
    })
}

/// The name of a column or constraint.
pub(super) fn plain<N: NameLike>(node: Option<N>) -> Option<String> {
    node.map(|node| short(&node.text()))
        .filter(|name| !name.is_empty())
}

/// PostgreSQL keeps 63 bytes of a name.
fn short(name: &str) -> String {
    name[..name.floor_char_boundary(63)].to_owned()
}

/// A name for messages: without the default schema.
pub(super) fn shown(name: &Name) -> String {
    match name.schema.as_deref() {
        Some(PUBLIC) => Name {
            schema: None,
            name: name.name.clone(),
        }
        .to_string(),
        _ => name.to_string(),
    }
}

/// The range of a node, without surrounding blanks, comments and semicolon.
pub fn span(node: &SyntaxNode) -> Range<usize> {
    let is_code = |kind: SyntaxKind| {
        !matches!(
            kind,
            SyntaxKind::WHITESPACE | SyntaxKind::COMMENT | SyntaxKind::SEMICOLON
        )
    };
    let mut first = node.first_token();
    while let Some(token) = &first
        && !is_code(token.kind())
    {
        first = token.next_token();
    }
    let mut last = node.last_token();
    while let Some(token) = &last
        && !is_code(token.kind())
    {
        last = token.prev_token();
    }
    let whole = node.text_range();
    let start = first.map_or(whole.start(), |token| token.text_range().start());
    let end = last.map_or(whole.end(), |token| token.text_range().end());
    match start <= end {
        true => usize::from(start)..usize::from(end),
        false => usize::from(whole.start())..usize::from(whole.end()),
    }
}

/// The text of a node, with each blank or comment reduced to one space.
pub(super) fn squeezed(node: &SyntaxNode) -> String {
    let mut text = String::new();
    for token in node
        .descendants_with_tokens()
        .filter_map(|element| element.into_token())
    {
        match token.kind() {
            SyntaxKind::WHITESPACE | SyntaxKind::COMMENT => {
                if !text.ends_with(' ') {
                    text.push(' ');
                }
            }
            _ => text.push_str(token.text()),
        }
    }
    text.trim().to_owned()
}

/// The name of a type in the model: in lower case unless quoted, without the quotes.
pub(super) fn type_name(ty: &SyntaxNode) -> String {
    let ty = squeezed(ty);
    match ty.contains('"') {
        true => ty.replace('"', ""),
        false => ty.to_ascii_lowercase(),
    }
}

/// The first descendant of a kind.
pub(super) fn below<N: AstNode>(node: &SyntaxNode) -> Option<N> {
    node.descendants().find_map(N::cast)
}
