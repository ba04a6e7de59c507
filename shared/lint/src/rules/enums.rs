//! Enum types: creation without a guard, and values that are used too early.

use pg_sql::Name;
use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::{Draft, rule};
use crate::change::{Change, Step};
use crate::context::{LintContext, Now};
use crate::model::Model;
use crate::names::{shown, span};

rule! {
    UNGUARDED_ENUM = Error "unguarded-enum": "Guard the creation of an enum type that may already exist." {
        statement: Some(unguarded),
    };
    ENUM_VALUE_USED = Error "enum-value-used": "Use a new enum value only after the transaction that adds it has committed." {
        file: Some(value_used),
    };
}

/// Detects the creation of an enum type without a guard if the type may already exist.
fn unguarded<'a>(context: &LintContext<'a>, now: &Now, step: &Step) -> Vec<Draft<'a>> {
    let mut drafts = Vec::new();
    for act in &step.acts {
        let Change::MakesEnum { name, .. } = &act.change else {
            continue;
        };
        if act.guarded || act.perhaps {
            continue;
        }
        let (message, safe_form) = if now.model.enum_type(name).is_some() {
            let statement = &context.file.script.text[step.range.clone()];
            let statement = statement.split_whitespace().collect::<Vec<_>>().join(" ");
            (
                format!(
                    "the type {} already exists: an earlier statement creates it",
                    shown(name)
                ),
                format!(
                    "DO $$ BEGIN {statement}; EXCEPTION WHEN duplicate_object THEN NULL; END $$;"
                ),
            )
        } else if is_left_by_revert(context, name) {
            (
                format!(
                    "the revert does not drop the type {}, so the migration fails when it is applied again",
                    shown(name)
                ),
                format!("add to the revert: DROP TYPE {};", shown(name)),
            )
        } else {
            continue;
        };
        drafts.push(
            Draft::new(&UNGUARDED_ENUM, context.file.script, message)
                .at(act.range.clone())
                .safe_form(safe_form),
        );
    }
    drafts
}

/// Whether the revert does not drop a type that the migration creates.
fn is_left_by_revert(context: &LintContext<'_>, name: &Name) -> bool {
    let Some(revert) = context.revert else {
        return false;
    };
    let mut model = context.before.clone();
    model.apply_all(context.steps);
    let exists = |model: &Model| model.enum_type(name).is_some_and(|known| known.certain);
    if exists(context.before) || !exists(&model) || revert.is_empty() {
        return false;
    }
    model.apply_all(revert);
    exists(&model)
}

/// Detects the use of a value from ALTER TYPE … ADD VALUE before the commit, which the server refuses (55P04).
fn value_used<'a>(context: &LintContext<'a>) -> Vec<Draft<'a>> {
    let mut drafts = Vec::new();
    let mut added: Vec<(usize, &Name, &str)> = Vec::new();
    let mut made: Vec<(usize, &Name)> = Vec::new();
    let mut now = Now::new(context.before);
    for step in context.steps {
        let in_reach = |transaction: usize, name: &Name| {
            transaction == step.transaction && !made.contains(&(transaction, name))
        };
        for (_, name, label) in added
            .iter()
            .filter(|(transaction, name, _)| in_reach(*transaction, name))
        {
            let Some(literal) = literal(&step.node, label) else {
                continue;
            };
            if !concerns(step, &now, name) {
                continue;
            }
            drafts.push(
                Draft::new(
                    &ENUM_VALUE_USED,
                    context.file.script,
                    format!(
                        "'{label}' is new in {} and cannot be used before the transaction that adds it commits",
                        shown(name)
                    ),
                )
                .at(span(&literal))
                .safe_form("use it in a later migration"),
            );
        }
        for act in &step.acts {
            match &act.change {
                Change::AddsEnumValue { name, label } if !act.perhaps => {
                    added.push((step.transaction, name, label));
                }
                Change::MakesEnum { name, .. } => made.push((step.transaction, name)),
                _ => {}
            }
        }
        now.apply(step);
    }
    drafts
}

/// A literal with this value that is evaluated when the statement runs.
fn literal(node: &SyntaxNode, label: &str) -> Option<SyntaxNode> {
    if matches!(
        node.kind(),
        SyntaxKind::ALTER_TYPE
            | SyntaxKind::COMMENT_ON
            | SyntaxKind::CREATE_FUNCTION
            | SyntaxKind::CREATE_PROCEDURE
            | SyntaxKind::DO
    ) {
        return None;
    }
    node.descendants()
        .filter_map(ast::Literal::cast)
        .find(|literal| literal.string_value().as_deref() == Some(label))
        .map(|literal| literal.syntax().clone())
}

/// Whether a statement involves the type: it names the type, or a table with a column of it.
fn concerns(step: &Step, now: &Now, name: &Name) -> bool {
    let text = crate::mentions::Mentions::new(step.node.text().to_string());
    text.names(&name.name)
        || now.model.tables().any(|(table, known)| {
            known.columns.iter().any(|column| {
                let ty = column.ty.trim_end_matches("[]");
                ty.rsplit('.').next() == Some(name.name.as_str())
            }) && text.names(&table.name)
        })
}

#[cfg(test)]
mod tests {
    use crate::pages::{found_each, silent};

    #[test]
    fn an_enum_type_is_followed_through_renames_and_drops() {
        silent(&[
            // Renamed away, dropped with its schema, dropped by CASCADE: the name is free.
            "-- migration V1\nCREATE TYPE s AS ENUM ('a');\n-- revert V1\nDROP TYPE s;\n-- migration V2\nALTER TYPE s RENAME TO old_s;\nCREATE TYPE s AS ENUM ('b');\n-- revert V2\nDROP TYPE s;\nALTER TYPE old_s RENAME TO s;",
            "-- migration V1\nCREATE SCHEMA app;\nCREATE TYPE app.s AS ENUM ('a');\n-- revert V1\nDROP SCHEMA app CASCADE;",
            "-- migration V1\nCREATE TYPE s AS ENUM ('a');\n-- revert V1\nDO $$ BEGIN EXECUTE format('DROP TYPE %I', 's'); END $$;",
            "-- migration V1\n-- migration: irreversible \"the type is shared\"\nCREATE TYPE s AS ENUM ('a');\n-- no revert V1",
            // The value is in a text column.
            "-- migration V1\nCREATE TYPE s AS ENUM ('a');\nCREATE TABLE t (id bigint PRIMARY KEY, name text);\n-- revert V1\nDROP TABLE t;\nDROP TYPE s;\n-- migration V2\nALTER TYPE s ADD VALUE 'b';\nINSERT INTO t VALUES (1, 'b');",
            // Created by the same transaction: usable at once.
            "CREATE TYPE s AS ENUM ('a');\nALTER TYPE s ADD VALUE 'b';\nCREATE TABLE t (s s DEFAULT 'b');\n-- revert V1\nDROP TABLE t;\nDROP TYPE s;",
            // The body of a function does not run.
            "-- migration V1\nCREATE TYPE s AS ENUM ('a');\nCREATE TABLE t (s s);\n-- revert V1\nDROP TABLE t;\nDROP TYPE s;\n-- migration V2\nALTER TYPE s ADD VALUE 'b';\nCREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM t WHERE s = 'b' $$;",
        ]);
        found_each(
            "enum-value-used",
            &[
                "-- migration V1\nCREATE TYPE s AS ENUM ('a');\nCREATE TABLE t (id bigint PRIMARY KEY, s s);\n-- revert V1\nDROP TABLE t;\nDROP TYPE s;\n-- migration V2\nALTER TYPE s ADD VALUE 'b';\nUPDATE t SET s = 'b' WHERE id = 1;",
                "-- migration V1\nCREATE TYPE s AS ENUM ('a');\nCREATE TABLE t (id bigint PRIMARY KEY, s s);\n-- revert V1\nDROP TABLE t;\nDROP TYPE s;\n-- migration V2\n-- migration: no-transaction\nBEGIN;\nALTER TYPE s ADD VALUE 'b';\nINSERT INTO t VALUES (1, 'b');\nCOMMIT;",
            ],
        );
    }
}
