//! Column types that are hard to change later.

use std::ops::Range;

use squawk_linter::Rule as Squawk;
use squawk_syntax::SyntaxNode;
use squawk_syntax::ast::{self, AstNode, NameLike};

use super::{OnceDropped, rule};
use crate::load::{Adopted, Advice, Case, Scope, around, used};

rule! {
    CHAR_TYPE = Warning "char-type": "Use text or varchar instead of char(n), which pads with blanks." {
        once_dropped: OnceDropped::Moot,
        adopted: &[Adopted::new(
            &[Squawk::BanCharField], Scope::New,
            "char(n) pads with blanks, which some comparisons ignore and others do not",
            "text, or varchar(n) for a length limit",
        )],
    };
    TIMESTAMP_WITHOUT_ZONE = Warning "timestamp-without-zone": "Use timestamptz instead of timestamp, which does not store the time zone." {
        once_dropped: OnceDropped::Moot,
        adopted: &[Adopted::new(
            &[Squawk::PreferTimestampTz], Scope::New,
            "timestamp does not store the time zone: sessions in different zones interpret the same value differently",
            "timestamptz",
        )],
    };
    INT_KEY = Warning "int-key": "Use bigint for auto-incrementing keys; integer ends at 2147483647." {
        once_dropped: OnceDropped::Moot,
        adopted: &[Adopted::new(
            &[Squawk::PreferBigintOverInt, Squawk::PreferBigintOverSmallint], Scope::New,
            "the key can run out of values, and widening it rewrites the table",
            "bigint",
        ).decided_by(key)],
    };
}

/// squawk does not distinguish keys from other columns: is the column auto-incrementing, or the only key column of its table?
fn key(case: &Case<'_, '_, '_>, advice: Advice) -> Option<Advice> {
    let statement = case.at.statement.syntax();
    let column = around(statement, case.violation)
        .find(|node| ast::Column::can_cast(node.kind()) || ast::AddColumn::can_cast(node.kind()))?;
    let is_inline = column.descendants().any(|node| {
        ast::PrimaryKeyConstraint::can_cast(node.kind())
            || ast::GeneratedIdentity::can_cast(node.kind())
    });
    let mut types = column.descendants().filter_map(ast::PathRef::cast);
    let counts_up = types
        .find_map(|path| used(&path))
        .is_some_and(|ty| ty.name.contains("serial"));
    let name = column
        .descendants()
        .find_map(ast::ColumnName::cast)
        .map(|name| name.text());
    let start = usize::from(case.violation.text_range.start());
    let mut keys = case.at.keys.get_or_init(|| listed_keys(statement)).iter();
    let is_listed = keys.any(|(range, key)| !range.contains(&start) && Some(key) == name.as_ref());
    (is_inline || counts_up || is_listed).then_some(advice)
}

/// The single-column primary keys of a statement, with their ranges.
fn listed_keys(statement: &SyntaxNode) -> Vec<(Range<usize>, String)> {
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
