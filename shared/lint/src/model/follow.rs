//! Tracks what statements create, alter, rename and drop.

use pg_sql::Name;

use super::{Enum, Model, Table, View};
use crate::change::{Act, Change, Column, Constraint, ConstraintKind, Index, Step, Unknown};

impl Model {
    /// Advances past statements.
    pub fn apply_all(&mut self, steps: &[Step]) {
        for act in steps.iter().flat_map(|step| &step.acts) {
            self.apply(act);
        }
    }

    /// Advances past one change.
    pub fn apply(&mut self, act: &Act) {
        let perhaps = act.perhaps;
        match &act.change {
            Change::MakesTable {
                table,
                columns,
                constraints,
                has_more,
                partitioned,
                partition,
            } => {
                let is_new = !self.tables.contains(table);
                self.make_table(table, columns, constraints, perhaps, *has_more);
                if is_new && let Some(made) = self.tables.get_mut(table) {
                    made.partitioned = *partitioned;
                    made.partition.clone_from(partition);
                }
            }
            Change::AttachesPartition { table, partition } => self.alter(table, perhaps, |table| {
                table.partition = Some(partition.clone());
            }),
            Change::DetachesPartition { table } => self.alter(table, perhaps, |table| {
                table.partition = None;
            }),
            Change::DropsTables { tables, cascade } => {
                for table in tables {
                    self.drop_table(table, *cascade, perhaps);
                }
            }
            Change::RenamesTable { table, to } => self.rename_table(table, to, perhaps),
            Change::AddsColumn { table, column } => self.alter(table, perhaps, |table| {
                if table.column(&column.name).is_none() {
                    table.columns.push(column.clone());
                }
            }),
            Change::DropsColumn { table, column, .. } => self.drop_column(table, column, perhaps),
            Change::RenamesColumn { table, column, to } => {
                self.rename_column(table, column, to, perhaps);
            }
            Change::SetsNotNull {
                table,
                column,
                not_null,
            } => self.alter(table, perhaps, |table| {
                if let Some(column) = table.column_mut(column) {
                    column.not_null = *not_null;
                }
            }),
            Change::ChangesType {
                table, column, ty, ..
            } => self.alter(table, perhaps, |table| {
                if let Some(column) = table.column_mut(column) {
                    column.ty.clone_from(ty);
                }
            }),
            Change::AddsConstraint { table, constraint } => {
                self.add_constraint(table, constraint, perhaps);
            }
            Change::DropsConstraint { table, name, .. } => self.alter(table, perhaps, |table| {
                table
                    .constraints
                    .retain(|constraint| constraint.name.as_ref() != Some(name));
            }),
            Change::RenamesConstraint { table, name, to } => self.alter(table, perhaps, |table| {
                for constraint in &mut table.constraints {
                    if constraint.name.as_ref() == Some(name) {
                        constraint.name = Some(to.clone());
                    }
                }
            }),
            Change::Validates { table, name } => self.alter(table, perhaps, |table| {
                for constraint in &mut table.constraints {
                    if constraint.name.as_ref() == Some(name) {
                        constraint.not_valid = false;
                    }
                }
            }),
            Change::MakesIndex(index) => self.indexes.add(index.clone()),
            Change::DropsIndexes { indexes, .. } => {
                for name in indexes {
                    self.indexes.remove(name);
                }
            }
            Change::RenamesIndex { index, to } => self.rename_index(index, to),
            Change::MakesEnum { name, labels } => match self.enums.get_mut(name) {
                Some(known) => known.certain |= !perhaps,
                None => {
                    let made = Enum {
                        labels: labels.clone(),
                        certain: !perhaps,
                    };
                    self.enums.insert(name.clone(), made);
                }
            },
            Change::AddsEnumValue { name, label } => {
                if let Some(known) = self.enums.get_mut(name) {
                    known.labels.push(label.clone());
                }
            }
            Change::DropsTypes { types, cascade } => {
                for name in types {
                    match (self.enums.get_mut(name), perhaps) {
                        (Some(known), true) => known.certain = false,
                        _ => {
                            self.enums.remove(name);
                        }
                    }
                }
                if *cascade {
                    self.drop_columns_of(types);
                    self.doubt_views();
                }
            }
            Change::RenamesType { name, to } => {
                if let Some(known) = self.enums.remove(name) {
                    self.enums.insert(to.clone(), known);
                }
            }
            Change::MakesView { name, reads } => {
                let view = View {
                    reads: reads.clone(),
                    certain: !perhaps,
                };
                self.view_schemas.insert(name.schema.clone());
                self.views.insert(name.clone(), view);
            }
            Change::DropsViews { views, cascade } => {
                for name in views {
                    self.views.remove(name);
                }
                if *cascade {
                    self.doubt_views();
                }
            }
            Change::MakesTrigger { table, name, reads } => self.alter(table, perhaps, |table| {
                table.triggers.retain(|(known, _)| known != name);
                table.triggers.push((name.clone(), reads.clone()));
            }),
            Change::DropsTrigger { table, name } => self.alter(table, false, |table| {
                table.triggers.retain(|(known, _)| known != name);
            }),
            Change::MakesSchema { name } => {
                self.schemas.insert(name.clone());
            }
            Change::DropsSchemas { names, .. } => self.drop_schemas(names),
            Change::DropsOtherCascade { what } => {
                let kind = what.split_whitespace().next().unwrap_or_default();
                // Dropping a function or sequence drops triggers and defaults, but no column.
                match ["extension", "domain", "owned"].contains(&kind.to_ascii_lowercase().as_str())
                {
                    true => self.doubt_all(),
                    false => self.doubt_views(),
                }
            }
            Change::Unknown(unknown) => self.doubt(unknown),
            Change::TooDeep => self.doubt(&Unknown::Anything),
            Change::AltersTable { .. } | Change::Truncates { .. } | Change::WritesRows(_) => {}
        }
    }

    fn alter(&mut self, table: &Name, perhaps: bool, change: impl FnOnce(&mut Table)) {
        if let Some(known) = self.tables.get_mut(table) {
            change(known);
            known.certain &= !perhaps;
        }
    }

    fn make_table(
        &mut self,
        table: &Name,
        columns: &[Column],
        constraints: &[Constraint],
        perhaps: bool,
        has_more: bool,
    ) {
        // IF NOT EXISTS on an existing table changes nothing.
        if let Some(known) = self.tables.get_mut(table) {
            known.certain &= !perhaps;
            return;
        }
        if let Some(schema) = &table.schema {
            self.schemas.insert(schema.clone());
        }
        let made = Table {
            columns: columns.to_vec(),
            constraints: Vec::new(),
            triggers: Vec::new(),
            certain: !perhaps && !has_more,
            partitioned: false,
            partition: None,
        };
        self.tables.insert(table.clone(), made);
        for constraint in constraints {
            self.add_constraint(table, constraint, false);
        }
    }

    fn drop_table(&mut self, table: &Name, cascade: bool, perhaps: bool) {
        if perhaps {
            self.alter(table, true, |_| ());
            return;
        }
        // Its partitions are dropped with it.
        let partitions: Vec<Name> = match self.tables.get(table) {
            Some(known) if known.partitioned => {
                let partitions = self.partitions(table);
                partitions.map(|(name, _)| name.clone()).collect()
            }
            _ => Vec::new(),
        };
        for partition in &partitions {
            self.drop_table(partition, cascade, false);
        }
        self.tables.remove(table);
        self.indexes.remove_of(table);
        if cascade {
            let refers = |constraint: &Constraint| matches!(&constraint.kind, ConstraintKind::ForeignKey { to, .. } if to == table);
            self.tables.update(
                |_, other| other.constraints.iter().any(refers),
                |other| other.constraints.retain(|constraint| !refers(constraint)),
            );
            self.views
                .remove_where(|_, view| view.reads.names(&table.name));
        }
    }

    fn rename_table(&mut self, table: &Name, to: &Name, perhaps: bool) {
        let Some(mut known) = self.tables.remove(table) else {
            return;
        };
        known.certain &= !perhaps;
        self.tables.insert(to.clone(), known);
        self.indexes.retain_of(table, |index| {
            index.table = to.clone();
            if let Some(name) = &mut index.name {
                name.schema.clone_from(&to.schema);
            }
            true
        });
        let refers = |constraint: &Constraint| matches!(&constraint.kind, ConstraintKind::ForeignKey { to, .. } if to == table);
        self.tables.update(
            |_, other| {
                let partition = other.partition.as_ref();
                partition.is_some_and(|partition| partition.of == *table)
                    || other.constraints.iter().any(refers)
            },
            |other| {
                if let Some(partition) = &mut other.partition
                    && partition.of == *table
                {
                    partition.of = to.clone();
                }
                for constraint in &mut other.constraints {
                    if let ConstraintKind::ForeignKey { to: target, .. } = &mut constraint.kind
                        && target == table
                    {
                        *target = to.clone();
                    }
                }
            },
        );
    }

    fn drop_column(&mut self, table: &Name, column: &str, perhaps: bool) {
        self.alter(table, perhaps, |table| {
            table.columns.retain(|known| known.name != column);
            table
                .constraints
                .retain(|constraint| !constraint.columns.iter().any(|name| name == column));
        });
        let has = |index: &Index| index.columns.iter().flatten().any(|name| name == column);
        self.indexes.retain_of(table, |index| !has(index));
    }

    fn drop_columns_of(&mut self, types: &[Name]) {
        let mut gone = Vec::new();
        for (name, table) in self.tables.iter() {
            for column in &table.columns {
                let ty = column.ty.trim_end_matches("[]");
                let ty = ty.rsplit('.').next().unwrap_or_default();
                if types.iter().any(|dropped| dropped.name == ty) {
                    gone.push((name.clone(), column.name.clone()));
                }
            }
        }
        for (table, column) in gone {
            self.drop_column(&table, &column, false);
        }
    }

    fn rename_column(&mut self, table: &Name, column: &str, to: &str, perhaps: bool) {
        let rename = |name: &mut String| {
            if name == column {
                to.clone_into(name);
            }
        };
        self.alter(table, perhaps, |table| {
            for known in &mut table.columns {
                rename(&mut known.name);
            }
            for constraint in &mut table.constraints {
                constraint.columns.iter_mut().for_each(rename);
            }
        });
        self.indexes.retain_of(table, |index| {
            index.columns.iter_mut().flatten().for_each(rename);
            true
        });
    }

    fn rename_index(&mut self, index: &Name, to: &Name) {
        if let Some(mut known) = self.indexes.remove(index) {
            known.name = Some(to.clone());
            self.indexes.add(known);
        }
        // The index of a key has the name of the key.
        let is_it = |constraint: &Constraint| constraint.name.as_deref() == Some(&index.name);
        self.tables.update(
            |_, table| table.constraints.iter().any(is_it),
            |table| {
                for constraint in &mut table.constraints {
                    if is_it(constraint) {
                        constraint.name = Some(to.name.clone());
                    }
                }
            },
        );
    }

    fn add_constraint(&mut self, table: &Name, constraint: &Constraint, perhaps: bool) {
        let mut constraint = constraint.clone();
        if let ConstraintKind::PrimaryKey {
            using_index: Some(index),
        }
        | ConstraintKind::Unique {
            using_index: Some(index),
        } = &constraint.kind
        {
            let taken = Name {
                schema: table.schema.clone(),
                name: index.clone(),
            };
            if let Some(index) = self.index(&taken) {
                constraint.columns = index.columns.iter().flatten().cloned().collect();
            }
            constraint.name.get_or_insert_with(|| index.clone());
            self.indexes.remove(&taken);
        }
        let given = given_name(&table.name, &constraint);
        constraint.name.get_or_insert(given);
        self.alter(table, perhaps, |table| {
            if matches!(constraint.kind, ConstraintKind::PrimaryKey { .. }) {
                for name in &constraint.columns {
                    if let Some(column) = table.column_mut(name) {
                        column.not_null = true;
                    }
                }
            }
            if !table
                .constraints
                .iter()
                .any(|known| known.name == constraint.name)
            {
                table.constraints.push(constraint);
            }
        });
    }

    fn drop_schemas(&mut self, names: &[String]) {
        let gone = |name: &Name| {
            name.schema
                .as_ref()
                .is_some_and(|schema| names.contains(schema))
        };
        self.tables.remove_where(|name, _| gone(name));
        self.indexes.remove_where(gone);
        self.enums.remove_where(|name, _| gone(name));
        self.views.remove_where(|name, _| gone(name));
    }

    fn doubt(&mut self, unknown: &Unknown) {
        match unknown {
            Unknown::Anything => {
                self.doubt_all();
                self.blurred = true;
            }
            Unknown::Named(text) => {
                self.doubt_if(|name| text.names(&name.name));
                self.blurred = true;
            }
        }
    }

    fn doubt_all(&mut self) {
        self.doubt_if(|_| true);
    }

    fn doubt_if(&mut self, is_doubtful: impl Fn(&Name) -> bool) {
        self.tables.update(
            |name, table| table.certain && is_doubtful(name),
            |table| table.certain = false,
        );
        self.enums.update(
            |name, known| known.certain && is_doubtful(name),
            |known| known.certain = false,
        );
        self.doubt_views_if(is_doubtful);
    }

    fn doubt_views(&mut self) {
        self.doubt_views_if(|_| true);
    }

    fn doubt_views_if(&mut self, is_doubtful: impl Fn(&Name) -> bool) {
        self.views.update(
            |name, view| view.certain && is_doubtful(name),
            |view| view.certain = false,
        );
    }
}

/// The name that the server chooses for an unnamed constraint (`ChooseConstraintName`), if it is not taken.
fn given_name(table: &str, constraint: &Constraint) -> String {
    let (columns, end) = match constraint.kind {
        ConstraintKind::PrimaryKey { .. } => (String::new(), "pkey"),
        ConstraintKind::Unique { .. } => (constraint.columns.join("_"), "key"),
        ConstraintKind::ForeignKey { .. } => (constraint.columns.join("_"), "fkey"),
        ConstraintKind::Check { .. } => (
            constraint.columns.first().cloned().unwrap_or_default(),
            "check",
        ),
        ConstraintKind::Exclude => (constraint.columns.join("_"), "excl"),
    };
    match columns.is_empty() {
        true => format!("{table}_{end}"),
        false => format!("{table}_{columns}_{end}"),
    }
}
