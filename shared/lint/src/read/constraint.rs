//! Reads constraints.

use squawk_syntax::ast::{self, AstNode};

use super::statement::Reader;
use crate::change::{Constraint, ConstraintKind};
use crate::mentions::Mentions;
use crate::names::{plain, squeezed};

impl Reader<'_> {
    /// A constraint; `None` for DEFAULT and NOT NULL. `column` is the column whose definition contains it.
    pub(super) fn constraint(
        &self,
        constraint: &ast::Constraint,
        column: Option<&str>,
    ) -> Option<Constraint> {
        let own = || column.map(str::to_owned).into_iter().collect::<Vec<_>>();
        let keyed = |parameters: Option<ast::IndexParameters>| match parameters
            .and_then(|parameters| parameters.column_list())
        {
            Some(list) => list
                .column_name_refs()
                .filter_map(|column| plain(Some(column)))
                .collect(),
            None => own(),
        };
        let using = |index: Option<ast::UsingIndexName>| {
            index.map(|index| {
                let text = squeezed(index.syntax());
                let name = text.rsplit(' ').next().unwrap_or_default();
                match name.starts_with('"') {
                    true => name.trim_matches('"').to_owned(),
                    false => name.to_ascii_lowercase(),
                }
            })
        };
        let (kind, columns) = match constraint {
            ast::Constraint::PrimaryKeyConstraint(it) => (
                ConstraintKind::PrimaryKey {
                    using_index: using(it.using_index()),
                },
                keyed(it.index_parameters()),
            ),
            ast::Constraint::UniqueConstraint(it) => (
                ConstraintKind::Unique {
                    using_index: using(it.using_index()),
                },
                keyed(it.index_parameters()),
            ),
            ast::Constraint::ForeignKeyConstraint(it) => {
                let table = it.table_name_ref()?;
                (
                    ConstraintKind::ForeignKey {
                        to_range: (self.spot)(table.syntax()),
                        to: self.referred(table.path_ref())?,
                    },
                    it.from_columns()?
                        .column_name_refs()
                        .filter_map(|column| plain(Some(column)))
                        .collect(),
                )
            }
            ast::Constraint::ReferencesConstraint(it) => {
                let table = it.table()?;
                (
                    ConstraintKind::ForeignKey {
                        to_range: (self.spot)(table.syntax()),
                        to: self.referred(table.path_ref())?,
                    },
                    own(),
                )
            }
            ast::Constraint::CheckConstraint(it) => {
                let expr = it.expr()?;
                (
                    ConstraintKind::Check {
                        not_null: not_null_columns(&expr),
                        reads: Mentions::new(squeezed(expr.syntax())),
                    },
                    own(),
                )
            }
            ast::Constraint::ExcludeConstraint(_) => (ConstraintKind::Exclude, own()),
            ast::Constraint::NotNullConstraint(it) if constraint.is_not_valid() => {
                let column = plain(it.column_name_ref())?;
                (
                    ConstraintKind::Check {
                        not_null: vec![column.clone()],
                        reads: Mentions::new(column.clone()),
                    },
                    vec![column],
                )
            }
            _ => return None,
        };
        Some(Constraint {
            unnamed: constraint.constraint_name().is_none(),
            by: self.by,
            name: plain(constraint.constraint_name()),
            range: (self.spot)(constraint.syntax()),
            kind,
            columns,
            not_valid: constraint.is_not_valid(),
        })
    }
}

/// The columns for which a condition implies NOT NULL: `a IS NOT NULL`, alone or joined by AND.
fn not_null_columns(expr: &ast::Expr) -> Vec<String> {
    match expr {
        ast::Expr::ParenExpr(inner) => inner
            .expr()
            .map(|inner| not_null_columns(&inner))
            .unwrap_or_default(),
        ast::Expr::BinExpr(it) => match (it.lhs(), it.op(), it.rhs()) {
            (Some(left), Some(ast::BinOp::And(_)), Some(right)) => {
                let mut columns = not_null_columns(&left);
                columns.extend(not_null_columns(&right));
                columns
            }
            (Some(ast::Expr::NameRef(column)), Some(ast::BinOp::IsNot(_)), Some(right))
                if squeezed(right.syntax()).eq_ignore_ascii_case("null") =>
            {
                plain(Some(column)).into_iter().collect()
            }
            _ => Vec::new(),
        },
        ast::Expr::PostfixExpr(it) => {
            let text = squeezed(it.syntax()).to_ascii_lowercase();
            match it.expr() {
                Some(ast::Expr::NameRef(column))
                    if text.ends_with("notnull") || text.ends_with("is not null") =>
                {
                    plain(Some(column)).into_iter().collect()
                }
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}
