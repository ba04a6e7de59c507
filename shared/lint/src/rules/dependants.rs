//! Objects that depend on a dropped column, and CASCADE.

use pg_sql::Name;

use super::{Draft, rule};
use crate::change::{Change, ConstraintKind, Step};
use crate::context::{LintContext, Now};
use crate::names::{quote_identifier, shown};

rule! {
    DROPPED_WITH_DEPENDANTS = Error "dropped-with-dependants": "Drop dependent objects by name before the object that they depend on." {
        statement: Some(with_dependants),
    };
}

/// Detects the drop of a column with dependent objects, and CASCADE.
fn with_dependants<'a>(context: &LintContext<'a>, now: &Now, step: &Step) -> Vec<Draft<'a>> {
    let mut drafts = Vec::new();
    for act in &step.acts {
        let draft = |message: String, safe: String| {
            Draft::new(&DROPPED_WITH_DEPENDANTS, context.file.script, message)
                .at(act.range.clone())
                .safe_form(safe)
        };
        if let Change::DropsColumn { table, column, .. } = &act.change
            && now.existed(table)
            && !act.perhaps
        {
            let dependants = dependants(now, step, table, column);
            if !dependants.is_empty() {
                drafts.push(draft(
                    format!(
                        "{} of {} is used by {}",
                        quote_identifier(column),
                        shown(table),
                        dependants.join(", ")
                    ),
                    "drop the objects that use the column first, by name".to_owned(),
                ));
                continue;
            }
        }
        let place = (context.number, act.range.start);
        let is_there = |name: &Name| now.existed(name) && !context.never_existed(name, place);
        if let Some(what) = cascading(now, &act.change, is_there) {
            drafts.push(draft(
                format!("CASCADE drops every object that depends on {what}, without naming it"),
                "drop the dependent objects by name, then this one without CASCADE".to_owned(),
            ));
        }
    }
    drafts
}

/// The object that is dropped with CASCADE, if it existed before.
fn cascading(now: &Now, change: &Change, is_there: impl Fn(&Name) -> bool) -> Option<String> {
    let listed = |names: &[Name]| names.iter().find(|name| is_there(name)).map(shown);
    let relations = |names: &[Name]| {
        let mut there = names.iter().filter(|name| is_there(name));
        there.find(|name| !now.model.lacks(name)).map(shown)
    };
    match change {
        Change::DropsTables {
            tables,
            cascade: true,
        } => relations(tables),
        Change::DropsColumn {
            table,
            column,
            cascade: true,
        }
        | Change::DropsConstraint {
            table,
            name: column,
            cascade: true,
        } if is_there(table) && !now.model.lacks(table) => {
            Some(format!("{} of {}", quote_identifier(column), shown(table)))
        }
        Change::DropsIndexes {
            indexes,
            cascade: true,
        } => relations(indexes),
        Change::DropsTypes {
            types,
            cascade: true,
        } => listed(types),
        Change::DropsViews {
            views,
            cascade: true,
        } => relations(views),
        Change::DropsSchemas {
            names,
            cascade: true,
        } => {
            let mut names = names.iter().map(|name| Name {
                schema: None,
                name: name.clone(),
            });
            names
                .find(is_there)
                .map(|name| quote_identifier(&name.name))
        }
        Change::DropsOtherCascade { what } => Some(what.clone()),
        _ => None,
    }
}

/// The objects that use a column, as far as the text shows, without those that the same statement drops.
fn dependants(now: &Now, step: &Step, table: &Name, column: &str) -> Vec<String> {
    let Some(known) = now.model.table(table) else {
        return Vec::new();
    };
    if now.is_uncertain(&table.name) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for index in now.model.indexes(table) {
        let in_condition = index
            .only_where
            .as_ref()
            .is_some_and(|only| only.names(column));
        if (index.columns.iter().flatten().any(|name| name == column) || in_condition)
            && known.certain
        {
            let name = index
                .name
                .as_ref()
                .map_or_else(String::new, |name| quote_identifier(&name.name));
            found.push(format!("the index {name}"));
        }
    }
    let dropped_here = |name: &Option<String>| {
        step.acts.iter().any(|act| {
            matches!(&act.change, Change::DropsConstraint { name: dropped, .. } if Some(dropped) == name.as_ref())
        })
    };
    let gone_here = |name: &str| {
        step.acts
            .iter()
            .any(|act| matches!(&act.change, Change::DropsColumn { column, .. } if column == name))
    };
    for constraint in &known.constraints {
        let uses = constraint.columns.iter().any(|name| name == column);
        // An unnamed key in the column's definition is a part of the column.
        let own = constraint.unnamed && constraint.columns.len() == 1;
        if !uses || own || dropped_here(&constraint.name) || !known.certain {
            continue;
        }
        let what = match constraint.kind {
            ConstraintKind::PrimaryKey { .. } => "the primary key",
            ConstraintKind::Unique { .. } => "the unique key",
            ConstraintKind::ForeignKey { .. } => "the foreign key",
            // A check on the column is dropped with it, which is harmless.
            ConstraintKind::Check { .. } | ConstraintKind::Exclude => continue,
        };
        let name = constraint.name.as_deref().unwrap_or_default();
        found.push(format!("{what} {}", quote_identifier(name)));
    }
    for other in &known.columns {
        if other.name != column
            && !gone_here(&other.name)
            && other
                .generated
                .as_ref()
                .is_some_and(|reads| reads.names(column))
        {
            found.push(format!(
                "the generated column {}",
                quote_identifier(&other.name)
            ));
        }
    }
    for (name, reads) in &known.triggers {
        if reads.names(column) {
            found.push(format!("the trigger {}", quote_identifier(name)));
        }
    }
    for (name, view) in now.model.views() {
        if view.certain && view.reads.names(&table.name) && reads_column(now, table, column, view) {
            found.push(format!("the view {}", shown(name)));
        }
    }
    found
}

/// Whether a view certainly reads the column of this table, not a column of the same name in another.
fn reads_column(now: &Now, table: &Name, column: &str, view: &crate::model::View) -> bool {
    if !view.reads.names(column) {
        return false;
    }
    !now.model.tables().any(|(other, known)| {
        other != table && known.column(column).is_some() && view.reads.names(&other.name)
    })
}

#[cfg(test)]
mod tests {
    use crate::pages::{found_each, silent};

    #[test]
    fn what_a_column_is_used_by() {
        let table = "-- migration V1\nCREATE TABLE t (id bigint PRIMARY KEY, a bigint CONSTRAINT \"UQ_t_a\" UNIQUE, b bigint UNIQUE, c bigint, d bigint);\nCREATE VIEW v AS SELECT t.c, count(*) FROM t GROUP BY t.c;\nCREATE TABLE u (id bigint PRIMARY KEY, d bigint);\nCREATE VIEW w AS SELECT u.d FROM u JOIN t USING (id);\n-- migration V2\n";
        for case in [
            // An unnamed key in the column's definition is a part of the column.
            "ALTER TABLE t DROP COLUMN b;",
            // The name exists in two tables: which one the view means is unknown.
            "ALTER TABLE t DROP COLUMN d;",
            "ALTER TABLE t DROP CONSTRAINT \"UQ_t_a\", DROP COLUMN a;",
            "DROP VIEW v;\nALTER TABLE t DROP COLUMN c;",
            "ALTER TABLE t DROP COLUMN IF EXISTS z;",
            "CREATE TABLE x (id bigint);\nDROP TABLE x CASCADE;",
        ] {
            silent(&[&format!("{table}{case}")]);
        }
        for case in [
            "ALTER TABLE t DROP COLUMN a;",
            "ALTER TABLE t DROP COLUMN c;",
            "DROP VIEW v CASCADE;",
            "ALTER TABLE t DROP COLUMN id CASCADE;",
            "DROP SEQUENCE IF EXISTS s CASCADE;",
        ] {
            found_each("dropped-with-dependants", &[&format!("{table}{case}")]);
        }
    }
}
