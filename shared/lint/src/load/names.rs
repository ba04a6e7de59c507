//! The names that a statement uses and creates.

use pg_sql::Name;
use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SyntaxKind, SyntaxNode};

/// The name of a reference.
pub(crate) fn used(path: &ast::PathRef) -> Option<Name> {
    let qualifier = path.qualifier().and_then(|it| it.segment());
    Some(Name {
        schema: qualifier.map(|segment| segment.text()),
        name: path.segment()?.text(),
    })
}

/// The name of a new object.
pub(super) fn made(path: &ast::Path) -> Option<Name> {
    let qualifier = path.qualifier().and_then(|it| it.segment());
    Some(Name {
        schema: qualifier.map(|segment| segment.text()),
        name: path.segment()?.text(),
    })
}

/// The first new name in a part of the syntax tree.
pub(crate) fn first_made(node: &SyntaxNode) -> Option<Name> {
    made(&node.descendants().find_map(ast::Path::cast)?)
}

/// The first reference in a part of the syntax tree.
pub(super) fn first_used(node: &SyntaxNode) -> Option<Name> {
    used(&node.descendants().find_map(ast::PathRef::cast)?)
}

/// Whether two names may mean the same object; a name without a schema matches any schema.
pub(crate) fn is_same(one: &Name, other: &Name) -> bool {
    one.name == other.name
        && (one.schema == other.schema || one.schema.is_none() || other.schema.is_none())
}

/// The subjects of a statement: the table of `ALTER TABLE` and `CREATE INDEX`, every object that `DROP`, `TRUNCATE` and `VACUUM` list.
pub(super) fn subjects(statement: &SyntaxNode) -> Vec<Name> {
    match statement.kind() {
        SyntaxKind::TRUNCATE | SyntaxKind::VACUUM => statement
            .children()
            .flat_map(|child| child.children())
            .filter_map(|child| first_used(&child))
            .collect(),
        kind if lists_its_subjects(kind) => statement
            .children()
            .flat_map(|child| match child.kind() {
                SyntaxKind::FUNCTION_SIG_LIST
                | SyntaxKind::PROCEDURE_SIG_LIST
                | SyntaxKind::ROUTINE_SIG_LIST => child.children().collect(),
                _ => vec![child],
            })
            .filter_map(|child| first_used(&child))
            .collect(),
        _ => first_used(statement).into_iter().collect(),
    }
}

fn lists_its_subjects(kind: SyntaxKind) -> bool {
    matches!(
        kind,
        SyntaxKind::DROP_TABLE
            | SyntaxKind::DROP_FOREIGN_TABLE
            | SyntaxKind::DROP_INDEX
            | SyntaxKind::DROP_VIEW
            | SyntaxKind::DROP_MATERIALIZED_VIEW
            | SyntaxKind::DROP_TYPE
            | SyntaxKind::DROP_DOMAIN
            | SyntaxKind::DROP_SEQUENCE
            | SyntaxKind::DROP_FUNCTION
            | SyntaxKind::DROP_PROCEDURE
            | SyntaxKind::DROP_ROUTINE
            | SyntaxKind::DROP_AGGREGATE
    )
}

#[cfg(test)]
mod tests {
    use squawk_syntax::SourceFile;
    use squawk_syntax::ast::AstNode;

    use super::subjects;

    #[test]
    fn a_statement_is_about_what_it_names_folded_and_unquoted() {
        for (sql, wanted) in [
            (
                "ALTER TABLE ONLY Public.\"Users\" ADD COLUMN a int",
                "public.\"Users\"",
            ),
            ("CREATE INDEX i ON users (name)", "users"),
            ("DROP TABLE IF EXISTS a, b.c CASCADE", "a b.c"),
            ("DROP INDEX CONCURRENTLY i", "i"),
            ("DROP FUNCTION f(int, my_type), g()", "f g"),
            ("TRUNCATE TABLE a, ONLY b", "a b"),
            ("VACUUM FULL a, b", "a b"),
            ("REINDEX INDEX i", "i"),
        ] {
            let parsed = SourceFile::parse(sql);
            let statement = parsed.tree().syntax().first_child().expect("a statement");
            let found: Vec<String> = subjects(&statement)
                .iter()
                .map(ToString::to_string)
                .collect();
            assert_eq!(found.join(" "), wanted, "{sql}");
        }
    }
}
