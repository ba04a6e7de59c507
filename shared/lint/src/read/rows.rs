//! Reads the rows that a statement writes, including those in CTEs.

use pg_sql::Name;
use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::statement::Reader;
use crate::change::{Change, Compared, Comparison, RowChange, RowKind};
use crate::names::{below, plain, squeezed};

impl Reader<'_> {
    /// Reads the rows that a statement writes when it runs, not those that a function or rule writes later.
    pub(super) fn rows(&mut self, node: &SyntaxNode) {
        if matches!(
            node.kind(),
            SyntaxKind::CREATE_FUNCTION
                | SyntaxKind::CREATE_PROCEDURE
                | SyntaxKind::CREATE_RULE
                | SyntaxKind::CREATE_VIEW
                | SyntaxKind::DO
                | SyntaxKind::EXPLAIN
        ) {
            return;
        }
        for node in node.descendants() {
            if let Some(change) = self.row_change(&node) {
                self.act((self.spot)(&node), Change::WritesRows(change));
            }
        }
    }

    fn row_change(&self, node: &SyntaxNode) -> Option<RowChange> {
        let (table, kind, filter) = if let Some(it) = ast::Update::cast(node.clone()) {
            let table = it.relation_name()?.relation_name_ref()?.path_ref();
            (
                table,
                RowKind::Update,
                filter(it.where_clause_or_current_of()),
            )
        } else if let Some(it) = ast::Delete::cast(node.clone()) {
            let table = it.relation_name()?.relation_name_ref()?.path_ref();
            (
                table,
                RowKind::Delete,
                filter(it.where_clause_or_current_of()),
            )
        } else if let Some(it) = ast::Insert::cast(node.clone()) {
            let from = match it.insert_source() {
                Some(ast::InsertSource::SelectVariant(query)) => self.sources(query.syntax()),
                _ => Vec::new(),
            };
            let bound = it
                .insert_source()
                .and_then(|source| below::<ast::WhereClause>(source.syntax())?.expr());
            let limited = it
                .insert_source()
                .is_some_and(|source| below::<ast::LimitClause>(source.syntax()).is_some());
            let mut filter = bound.map(|expr| conjuncts(&expr));
            if limited {
                filter.get_or_insert_default().push(Compared {
                    column: String::new(),
                    comparison: Comparison::Slice,
                });
            }
            let table = it.relation_name_ref()?.path_ref();
            (table, RowKind::Insert { from }, filter)
        } else if let Some(it) = ast::Merge::cast(node.clone()) {
            let table = it.table_relation_name()?.table_name_ref()?.path_ref();
            (table, RowKind::Merge, None)
        } else {
            return None;
        };
        Some(RowChange {
            table: self.referred(table)?,
            kind,
            filter,
            in_loop: self.in_loop,
        })
    }

    /// The tables that a query reads.
    fn sources(&self, query: &SyntaxNode) -> Vec<Name> {
        query
            .descendants()
            .filter_map(ast::RelationNameRef::cast)
            .filter_map(|table| self.referred(table.path_ref()))
            .collect()
    }
}

fn filter(clause: Option<ast::WhereClauseOrCurrentOf>) -> Option<Vec<Compared>> {
    match clause? {
        ast::WhereClauseOrCurrentOf::WhereClause(clause) => Some(
            clause
                .expr()
                .map(|expr| conjuncts(&expr))
                .unwrap_or_default(),
        ),
        ast::WhereClauseOrCurrentOf::WhereCurrentOf(_) => Some(vec![Compared {
            column: String::new(),
            comparison: Comparison::Slice,
        }]),
    }
}

/// The comparisons of a condition that are joined by AND.
fn conjuncts(expr: &ast::Expr) -> Vec<Compared> {
    if let ast::Expr::ParenExpr(inner) = expr
        && let Some(inner) = inner.expr()
    {
        return conjuncts(&inner);
    }
    if let ast::Expr::BinExpr(it) = expr
        && let (Some(left), Some(ast::BinOp::And(_)), Some(right)) = (it.lhs(), it.op(), it.rhs())
    {
        let mut both = conjuncts(&left);
        both.extend(conjuncts(&right));
        return both;
    }
    compared(expr).into_iter().collect()
}

fn compared(expr: &ast::Expr) -> Option<Compared> {
    match expr {
        ast::Expr::BetweenExpr(it) => Some(Compared {
            column: column(&it.target()?)?,
            comparison: match squeezed(it.syntax()).to_ascii_lowercase().contains(" not ") {
                true => Comparison::Other,
                false => Comparison::Between,
            },
        }),
        ast::Expr::BinExpr(it) => {
            let (left, right) = (it.lhs()?, it.rhs()?);
            let limited = below::<ast::LimitClause>(right.syntax()).is_some();
            let column = column(&left)?;
            let comparison = match it.op()? {
                ast::BinOp::In(_) | ast::BinOp::Eq(_) if limited || column == "ctid" => {
                    Comparison::Slice
                }
                ast::BinOp::In(_) | ast::BinOp::Eq(_) if is_value(&right) => Comparison::Values,
                ast::BinOp::RAngle(_) | ast::BinOp::Gteq(_) => Comparison::AtLeast,
                ast::BinOp::LAngle(_) | ast::BinOp::Lteq(_) => Comparison::AtMost,
                _ => Comparison::Other,
            };
            Some(Compared { column, comparison })
        }
        _ => None,
    }
}

/// Whether an expression is neither a query nor a column.
fn is_value(expr: &ast::Expr) -> bool {
    below::<ast::Select>(expr.syntax()).is_none() && below::<ast::NameRef>(expr.syntax()).is_none()
}

fn column(expr: &ast::Expr) -> Option<String> {
    match expr {
        ast::Expr::NameRef(name) => plain(Some(name.clone())),
        ast::Expr::FieldExpr(field) => field
            .syntax()
            .descendants()
            .filter_map(ast::NameRef::cast)
            .last()
            .and_then(|name| plain(Some(name))),
        ast::Expr::CastExpr(cast) => column(&cast.expr()?),
        _ => None,
    }
}
