//! Reads CREATE TABLE and ALTER TABLE.

use pg_sql::Name;
use squawk_syntax::ast::{self, AstNode};

use super::statement::Reader;
use crate::change::{Change, Column, Constraint, ConstraintKind, Partition};
use crate::mentions::Mentions;
use crate::names::{plain, squeezed, type_name};

impl Reader<'_> {
    pub(super) fn create_table(&mut self, it: &ast::CreateTable) -> Option<()> {
        let table = self.table_name(it.table_name(), it.persistence())?;
        let mut columns = Vec::new();
        let mut constraints = Vec::new();
        let mut has_more =
            it.inherits().is_some() || it.partition_of().is_some() || it.of_type().is_some();
        for argument in it.table_arg_list().into_iter().flat_map(|list| list.args()) {
            match argument {
                ast::TableArg::Column(column) => {
                    let parts = column.clauses().filter_map(|clause| match clause {
                        ast::ColumnClause::ColumnConstraint(constraint) => {
                            ast::Constraint::cast(constraint.syntax().clone())
                        }
                        _ => None,
                    });
                    let (column, keys) = self.column(column.name(), column.ty(), parts)?;
                    columns.push(column);
                    constraints.extend(keys);
                }
                ast::TableArg::LikeClause(_) => has_more = true,
                ast::TableArg::TableConstraint(constraint) => {
                    let constraint = ast::Constraint::cast(constraint.syntax().clone())?;
                    self.not_null_constraint(&constraint, &mut columns);
                    constraints.extend(self.constraint(&constraint, None));
                }
            }
        }
        for constraint in &constraints {
            if matches!(constraint.kind, ConstraintKind::PrimaryKey { .. }) {
                for column in &mut columns {
                    column.not_null |= constraint.columns.contains(&column.name);
                }
            }
        }
        let partition = it.partition_of();
        let partition =
            partition.and_then(|of| self.partition(of.table_name_ref(), it.partition_type()));
        let change = Change::MakesTable {
            table,
            columns,
            constraints,
            has_more,
            partitioned: it.partition_by().is_some(),
            partition,
        };
        let range = (self.spot)(it.syntax());
        self.act(range, change);
        Some(())
    }

    pub(super) fn partition(
        &self,
        of: Option<ast::TableNameRef>,
        bounds: Option<ast::PartitionType>,
    ) -> Option<Partition> {
        Some(Partition {
            of: self.referred(of?.path_ref())?,
            default: matches!(bounds, Some(ast::PartitionType::PartitionDefault(_))),
        })
    }

    fn not_null_constraint(&self, constraint: &ast::Constraint, columns: &mut [Column]) {
        if let ast::Constraint::NotNullConstraint(not_null) = constraint
            && let Some(name) = plain(not_null.column_name_ref())
        {
            for column in columns.iter_mut().filter(|column| column.name == name) {
                column.not_null = true;
            }
        }
    }

    /// Reads a column with the constraints of its definition.
    fn column(
        &self,
        name: Option<ast::ColumnName>,
        ty: Option<ast::Type>,
        parts: impl Iterator<Item = ast::Constraint>,
    ) -> Option<(Column, Vec<Constraint>)> {
        let range = (self.spot)(name.as_ref()?.syntax());
        let name = plain(name)?;
        let ty = ty.map(|ty| type_name(ty.syntax())).unwrap_or_default();
        let mut column = Column {
            name: name.clone(),
            range,
            has_default: ty.ends_with("serial"),
            not_null: ty.ends_with("serial"),
            ty,
            generated: None,
        };
        let mut keys = Vec::new();
        for part in parts {
            match &part {
                ast::Constraint::NotNullConstraint(_) => column.not_null = true,
                ast::Constraint::DefaultConstraint(default) => {
                    let is_null = default
                        .expr()
                        .is_some_and(|expr| squeezed(expr.syntax()).eq_ignore_ascii_case("null"));
                    column.has_default |= !is_null;
                }
                ast::Constraint::GeneratedConstraint(generated) => {
                    column.has_default = true;
                    match generated.generated_as() {
                        Some(ast::GeneratedAs::GeneratedStored(stored)) => {
                            column.generated = Some(Mentions::new(squeezed(stored.syntax())));
                        }
                        _ => column.not_null = true,
                    }
                }
                _ => {}
            }
            if let Some(key) = self.constraint(&part, Some(&name)) {
                column.not_null |= matches!(key.kind, ConstraintKind::PrimaryKey { .. });
                keys.push(key);
            }
        }
        Some((column, keys))
    }

    pub(super) fn alter_table(&mut self, it: &ast::AlterTable) -> Option<()> {
        if it.all_in_tablespace().is_some() {
            return Some(());
        }
        let table = self.referred(it.table_relation_name()?.table_name_ref()?.path_ref())?;
        for action in it.actions() {
            self.alter_table_action(&table, &action)?;
        }
        Some(())
    }

    fn alter_table_action(&mut self, table: &Name, action: &ast::AlterTableAction) -> Option<()> {
        let range = (self.spot)(action.syntax());
        let owned = table.clone();
        let change = match action {
            ast::AlterTableAction::AddColumn(it) => {
                let (column, keys) = self.column(it.column_name(), it.ty(), it.constraints())?;
                let change = Change::AddsColumn {
                    table: owned.clone(),
                    column,
                };
                self.act(range.clone(), change);
                for constraint in keys {
                    let change = Change::AddsConstraint {
                        table: owned.clone(),
                        constraint,
                    };
                    self.act(range.clone(), change);
                }
                return Some(());
            }
            ast::AlterTableAction::DropColumn(it) => Change::DropsColumn {
                table: owned,
                column: plain(it.column_name_ref())?,
                cascade: matches!(it.drop_behavior(), Some(ast::DropBehavior::Cascade(_))),
            },
            ast::AlterTableAction::RenameColumn(it) => Change::RenamesColumn {
                table: owned,
                column: plain(it.column_name_ref())?,
                to: plain(it.column_name())?,
            },
            ast::AlterTableAction::AlterColumn(it) => {
                let column = plain(it.column_name_ref())?;
                match it.option()? {
                    ast::AlterColumnOption::SetNotNull(_) => Change::SetsNotNull {
                        table: owned,
                        column,
                        not_null: true,
                    },
                    ast::AlterColumnOption::DropNotNull(_) => Change::SetsNotNull {
                        table: owned,
                        column,
                        not_null: false,
                    },
                    ast::AlterColumnOption::SetType(set) => Change::ChangesType {
                        table: owned,
                        column,
                        ty: type_name(set.ty()?.syntax()),
                        converts: set.using_expr().is_some(),
                    },
                    _ => Change::AltersTable { table: owned },
                }
            }
            ast::AlterTableAction::AddConstraint(it) => {
                let constraint = it.constraint()?;
                if let ast::Constraint::NotNullConstraint(not_null) = &constraint
                    && !constraint.is_not_valid()
                {
                    Change::SetsNotNull {
                        table: owned,
                        column: plain(not_null.column_name_ref())?,
                        not_null: true,
                    }
                } else if let Some(constraint) = self.constraint(&constraint, None) {
                    Change::AddsConstraint {
                        table: owned,
                        constraint,
                    }
                } else {
                    Change::AltersTable { table: owned }
                }
            }
            ast::AlterTableAction::DropConstraint(it) => Change::DropsConstraint {
                table: owned,
                name: self.constraint_name(it.constraint_name_ref())?,
                cascade: matches!(it.drop_behavior(), Some(ast::DropBehavior::Cascade(_))),
            },
            ast::AlterTableAction::RenameConstraint(it) => Change::RenamesConstraint {
                table: owned,
                name: self.constraint_name(it.constraint_name_ref())?,
                to: plain(it.constraint_name())?,
            },
            ast::AlterTableAction::ValidateConstraint(it) => Change::Validates {
                table: owned,
                name: self.constraint_name(it.constraint_name_ref())?,
            },
            ast::AlterTableAction::TableRenameTo(it) => {
                let mut to = self.made(it.table_name()?.path())?;
                to.schema.clone_from(&table.schema);
                Change::RenamesTable { table: owned, to }
            }
            ast::AlterTableAction::SetSchema(it) => Change::RenamesTable {
                to: Name {
                    schema: plain(it.schema_ref()),
                    name: table.name.clone(),
                },
                table: owned,
            },
            ast::AlterTableAction::AttachPartition(it) => {
                self.act(range.clone(), Change::AltersTable { table: owned });
                let partition = Partition {
                    of: table.clone(),
                    default: matches!(
                        it.partition_type(),
                        Some(ast::PartitionType::PartitionDefault(_))
                    ),
                };
                Change::AttachesPartition {
                    table: self.referred(it.table_name_ref()?.path_ref())?,
                    partition,
                }
            }
            ast::AlterTableAction::DetachPartition(it) => {
                self.act(range.clone(), Change::AltersTable { table: owned });
                Change::DetachesPartition {
                    table: self.referred(it.table_name_ref()?.path_ref())?,
                }
            }
            _ => Change::AltersTable { table: owned },
        };
        self.act(range, change);
        Some(())
    }

    fn constraint_name(&self, name: Option<ast::ConstraintNameRef>) -> Option<String> {
        Some(self.referred(name?.path_ref())?.name)
    }
}
