//! Names of indexes and foreign keys, and the naming style.

use pg_sql::Name;

use super::{Draft, OnceDropped, rule};
use crate::change::{Act, Change, Column, Constraint, ConstraintKind, Index, Step};
use crate::context::{LintContext, Now};
use crate::model::{Model, Table};
use crate::names::{quote_identifier, shown};

rule! {
    INDEX_NAME = Error "index-name": "Name indexes explicitly, with the prefix IDX_." {
        statement: Some(index),
        once_dropped: OnceDropped::Moot,
    };
    FOREIGN_KEY_NAME = Error "foreign-key-name": "Name foreign keys explicitly, with the prefix FK_." {
        statement: Some(foreign_key),
        once_dropped: OnceDropped::Moot,
    };
    NAMING_STYLE = Warning "naming-style": "Follow the naming style of the table's other columns: camelCase or snake_case." {
        statement: Some(style),
        once_dropped: OnceDropped::Moot,
    };
}

/// Detects indexes without an explicit name that starts with IDX_; a unique index may be named like its key. The index of a partition
/// has the name that the server chose with that of the partitioned table.
fn index<'a>(context: &LintContext<'a>, now: &Now, step: &Step) -> Vec<Draft<'a>> {
    let mut drafts = Vec::new();
    for act in &step.acts {
        let Change::MakesIndex(index) = &act.change else {
            continue;
        };
        let is_of_partition =
            (now.model.table(&index.table)).is_some_and(|it| it.partition.is_some());
        if index.table.schema.as_deref() == Some("pg_temp") || is_of_partition {
            continue;
        }
        let message = match &index.name {
            None => format!(
                "the index on {} has no explicit name, so the server chooses one",
                shown(&index.table)
            ),
            Some(name) if is_named_well(index, &name.name) => continue,
            Some(name) => format!(
                "the name of the index {} does not start with IDX_",
                quote_identifier(&name.name)
            ),
        };
        drafts.push(
            Draft::new(&INDEX_NAME, context.file.script, message)
                .at(act.range.clone())
                .safe_form(format!("name it {}", index_name(index))),
        );
    }
    drafts
}

fn is_named_well(index: &Index, name: &str) -> bool {
    let begins = |with| starts_with(name, with);
    begins("IDX_") || index.unique && (begins("UQ_") || begins("PK_"))
}

/// In the catalog, the unquoted prefix is in lower case.
fn starts_with(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn index_name(index: &Index) -> String {
    let columns: Vec<_> = index.columns.iter().flatten().map(String::as_str).collect();
    let columns = match columns.is_empty() {
        true => "expression".to_owned(),
        false => columns.join("_"),
    };
    quote_identifier(&format!("IDX_{}_{columns}", index.table.name))
}

/// Detects foreign keys without an explicit name that starts with FK_.
fn foreign_key<'a>(context: &LintContext<'a>, _now: &Now, step: &Step) -> Vec<Draft<'a>> {
    let mut drafts = Vec::new();
    for act in &step.acts {
        for (table, constraint) in constraints(act) {
            if !matches!(constraint.kind, ConstraintKind::ForeignKey { .. })
                || table.schema.as_deref() == Some("pg_temp")
            {
                continue;
            }
            let columns = constraint.columns.join("_");
            let message = match &constraint.name {
                Some(name) if starts_with(name, "FK_") => continue,
                Some(name) => format!(
                    "the name of the foreign key {} does not start with FK_",
                    quote_identifier(name)
                ),
                None => format!(
                    "the foreign key of {}.{} has no explicit name, so the server chooses one",
                    shown(table),
                    quote_identifier(&columns)
                ),
            };
            let name = quote_identifier(&format!("FK_{}_{columns}", table.name));
            drafts.push(
                Draft::new(&FOREIGN_KEY_NAME, context.file.script, message)
                    .at(constraint.range.clone())
                    .safe_form(format!("CONSTRAINT {name}")),
            );
        }
    }
    drafts
}

/// The constraints that a change adds, each with its table.
pub(super) fn constraints(act: &Act) -> impl Iterator<Item = (&Name, &Constraint)> {
    let (table, constraints) = match &act.change {
        Change::MakesTable {
            table, constraints, ..
        } => (Some(table), constraints.as_slice()),
        Change::AddsConstraint { table, constraint } => {
            (Some(table), std::slice::from_ref(constraint))
        }
        _ => (None, [].as_slice()),
    };
    table.into_iter().flat_map(move |table| {
        constraints
            .iter()
            .map(move |constraint| (table, constraint))
    })
}

/// The style of a name of several words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Camel,
    Snake,
}

impl Style {
    fn of(name: &str) -> Option<Self> {
        let inner = name.trim_matches('_');
        let camel = inner
            .as_bytes()
            .windows(2)
            .any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
        match (camel, inner.contains('_')) {
            (true, false) => Some(Self::Camel),
            (false, true) if !inner.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                Some(Self::Snake)
            }
            _ => None,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Camel => "camelCase",
            Self::Snake => "snake_case",
        }
    }
}

/// The maximum number of columns, and of tables, that determine the style.
const HABIT: usize = 500;

/// The style of a table's columns, or else of all tables, if there are hardly any exceptions.
fn habit(model: &Model, table: Option<&Table>) -> Option<(Style, bool)> {
    let own = table.and_then(|table| clear(table.columns.iter().take(HABIT)));
    own.map(|style| (style, true)).or_else(|| {
        // In a file that creates thousands of tables the first ones show the style.
        let tables = model.tables().take(HABIT).map(|(_, table)| table);
        let columns = tables.flat_map(|table| &table.columns).take(HABIT);
        clear(columns).map(|style| (style, false))
    })
}

/// At least four of five columns, and at least three.
fn clear<'c>(columns: impl Iterator<Item = &'c Column>) -> Option<Style> {
    let styles: Vec<_> = columns
        .filter_map(|column| Style::of(&column.name))
        .collect();
    let camel = styles
        .iter()
        .filter(|style| **style == Style::Camel)
        .count();
    let snake = styles.len() - camel;
    if camel >= 3 && camel >= 4 * snake {
        Some(Style::Camel)
    } else if snake >= 3 && snake >= 4 * camel {
        Some(Style::Snake)
    } else {
        None
    }
}

/// Detects new columns that do not follow the style of the others.
fn style<'a>(context: &LintContext<'a>, now: &Now, step: &Step) -> Vec<Draft<'a>> {
    let mut drafts = Vec::new();
    for act in &step.acts {
        let (table, columns) = match &act.change {
            Change::AddsColumn { table, column } => (table, std::slice::from_ref(column)),
            Change::MakesTable { table, columns, .. } => (table, columns.as_slice()),
            _ => continue,
        };
        let Some((style, own)) = habit(&now.model, now.model.table(table)) else {
            continue;
        };
        let odd = columns
            .iter()
            .find(|column| Style::of(&column.name).is_some_and(|other| other != style));
        if let Some(column) = odd {
            let others = match own {
                true => format!("the other columns of {}", shown(table)),
                false => "the columns of the other tables".to_owned(),
            };
            drafts.push(
                Draft::new(
                    &NAMING_STYLE,
                    context.file.script,
                    format!(
                        "{} is not {}, unlike {others}",
                        quote_identifier(&column.name),
                        style.as_str()
                    ),
                )
                .at(column.range.clone())
                .safe_form(quote_identifier(&in_style(&column.name, style))),
            );
        }
    }
    drafts
}

fn in_style(name: &str, style: Style) -> String {
    let mut out = String::new();
    let mut upper = false;
    for c in name.chars() {
        match style {
            Style::Snake if c.is_ascii_uppercase() => {
                out.push('_');
                out.push(c.to_ascii_lowercase());
            }
            Style::Camel if c == '_' => upper = true,
            _ if upper => {
                out.push(c.to_ascii_uppercase());
                upper = false;
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Style, in_style};
    use crate::pages::{found_each, silent};

    #[test]
    fn styles_of_names() {
        let cases = [
            ("createdAt", Some(Style::Camel)),
            ("created_at", Some(Style::Snake)),
            ("created", None),
            ("_id", None),
            ("IDX_a", None),
            ("user_Id", None),
        ];
        for (name, style) in cases {
            assert_eq!(Style::of(name), style, "{name}");
        }
        assert_eq!(in_style("createdAt", Style::Snake), "created_at");
        assert_eq!(in_style("created_at", Style::Camel), "createdAt");
    }

    #[test]
    fn prefixes_are_compared_with_the_catalog_spelling() {
        silent(&[
            // The unquoted prefix is folded to lower case.
            "CREATE TABLE t (a bigint); CREATE INDEX IDX_t_a ON t (a); CREATE INDEX idx_t_b ON t (a DESC);",
            "CREATE TABLE t (a bigint); CREATE UNIQUE INDEX \"PK_t\" ON t (a);
             ALTER TABLE t ADD CONSTRAINT \"PK_t\" PRIMARY KEY USING INDEX \"PK_t\";",
            "CREATE TEMP TABLE w (a bigint); CREATE INDEX ON w (a);",
            "CREATE TABLE p (id bigint PRIMARY KEY);
             CREATE TABLE t (p bigint UNIQUE CONSTRAINT fk_t_p REFERENCES p);",
        ]);
        found_each(
            "index-name",
            &[
                "CREATE TABLE t (a bigint); CREATE INDEX \"UQ_t_a\" ON t (a);",
                "CREATE TABLE t (a bigint); CREATE INDEX IF NOT EXISTS t_a ON t (lower(a::text));",
                "DO $$ BEGIN EXECUTE 'CREATE INDEX t_a ON pg_temp_t (a)'; END $$;",
            ],
        );
    }

    #[test]
    fn one_style_needs_a_habit() {
        silent(&[
            "CREATE TABLE t (id bigint, \"createdAt\" date, updated_at date);",
            "-- migration V1\nCREATE TABLE t (id bigint, created_at date, updated_at date);\n-- migration V2\nALTER TABLE t ADD COLUMN \"deletedAt\" date;",
            "-- migration V1\nCREATE TABLE t (id bigint, created_at date, updated_at date, owner_id bigint);\n-- migration V2\nALTER TABLE t ADD COLUMN version bigint;",
        ]);
        found_each(
            "naming-style",
            &[
                "-- migration V1\nCREATE TABLE t (id bigint, created_at date, updated_at date, owner_id bigint);\n-- migration V2\nCREATE TABLE u (id bigint, \"createdAt\" date);",
            ],
        );
    }
}
