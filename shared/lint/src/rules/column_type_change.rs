//! The type of a column changes.
//!
//! PostgreSQL neither rewrites nor scans the table when a limit is raised or removed, and between `varchar` and `text` (`ATColumnChangeRequiresRewrite`;
//! the length coercions of `varchar`, `varbit`, `numeric` and the time types have support functions for this).

use squawk_linter::Rule as Squawk;
use squawk_syntax::ast::{self, AstNode, NameLike};

use super::{OnceDropped, rule};
use crate::load::{Adopted, Advice, Case, Scope, action};
use crate::names::type_name;

rule! {
    COLUMN_TYPE_CHANGE = Error "column-type-change": "Change a column's type with a second column, not with ALTER COLUMN TYPE." {
        once_dropped: OnceDropped::MootIfApplied,
        adopted: &[Adopted::new(
            &[Squawk::ChangingColumnType], Scope::Existing,
            "{} is inaccessible while it is rewritten, and running programs may not handle the new type",
            "add a second column, fill it in batches and sync it with a trigger; drop the old column when no program uses it",
        ).decided_by(decide)],
    };
}

fn decide(case: &Case<'_, '_, '_>, advice: Advice) -> Option<Advice> {
    let widens = || {
        let Some(ast::AlterTableAction::AlterColumn(column)) =
            action(case.violation, &case.at.statement)
        else {
            return None;
        };
        let name = column.column_name_ref()?.text();
        let table = case.at.subjects.first()?;
        let old = case.judge.with_model(case.violation, |model| {
            Some(model.find(table)?.column(&name)?.ty.clone())
        });
        Some(is_wider(&old?, &new_type(&column)?))
    };
    (widens() != Some(true)).then_some(advice)
}

/// The new type of `ALTER COLUMN … TYPE`; `None` if an expression converts the values or the collation changes.
fn new_type(column: &ast::AlterColumn) -> Option<String> {
    let Some(ast::AlterColumnOption::SetType(change)) = column.option() else {
        return None;
    };
    let ty = type_name(change.ty()?.syntax());
    // `USING name::type` is the default conversion.
    let is_plain = change.using_expr().is_none_or(|using| {
        let mut expr = using.expr();
        while let Some(ast::Expr::ParenExpr(inner)) = expr {
            expr = inner.expr();
        }
        let text = expr.map_or_else(String::new, |expr| expr.syntax().text().to_string());
        let (text, name) = (text.trim(), column.column_name_ref());
        let call = text
            .get(..4)
            .filter(|word| word.eq_ignore_ascii_case("cast"));
        let call = call.and_then(|_| {
            let inner = text[4..].trim().strip_prefix('(')?.strip_suffix(')')?;
            let at = inner.to_ascii_lowercase().rfind(" as ")?;
            Some((&inner[..at], &inner[at + 4..]))
        });
        let cast = call.or(text.split_once("::")).or(Some((text, ty.as_str())));
        cast.zip(name).is_some_and(|((value, to), name)| {
            value.trim().trim_matches('"') == name.text()
                && normalized(&to.replace('"', "")) == normalized(&ty.replace('"', ""))
        })
    });
    (is_plain && change.collate().is_none()).then_some(ty)
}

/// Whether every value of one type is a value of the other without conversion.
fn is_wider(old: &str, new: &str) -> bool {
    if normalized(old) == normalized(new) {
        return true;
    }
    let (Some(old), Some(new)) = (Type::read(old), Type::read(new)) else {
        return false;
    };
    match (old, new) {
        (Type::Varchar(_) | Type::Text, Type::Varchar(None) | Type::Text) => true,
        (Type::Varchar(Some(old)), Type::Varchar(Some(new))) => new >= old,
        (Type::Numeric(_), Type::Numeric(None)) => true,
        (Type::Numeric(Some((old, scale))), Type::Numeric(Some((new, new_scale)))) => {
            new >= old && new_scale == scale
        }
        (Type::Limited(old, limit), Type::Limited(new, new_limit)) => {
            let is_wide = |new: u32| limit.is_some_and(|limit| new >= limit);
            old == new && new_limit.is_none_or(is_wide)
        }
        _ => false,
    }
}

/// Normalizes the spelling of a type: case (unless quoted), blanks and synonyms.
fn normalized(ty: &str) -> String {
    let ty = match ty.contains('"') {
        true => ty.trim().to_owned(),
        false => ty.to_ascii_lowercase(),
    };
    let spaced = ty
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace(',', " , ")
        .replace('[', " [");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut text = words.join(" ");
    for (name, same) in [
        ("pg_catalog.", ""),
        ("character varying", "varchar"),
        ("double precision", "float8"),
        ("timestamp with time zone", "timestamptz"),
        ("timestamp without time zone", "timestamp"),
        ("time without time zone", "time"),
        ("time with time zone", "timetz"),
    ] {
        text = text.replace(name, same);
    }
    let (first, rest) = text.split_once(' ').unwrap_or((&text, ""));
    let first = match first {
        "int" | "int4" => "integer",
        "int8" => "bigint",
        "int2" => "smallint",
        "bool" => "boolean",
        "decimal" => "numeric",
        "character" => "char",
        // Without a length, `bpchar` has no limit, unlike `char`.
        "bpchar" if rest.starts_with('(') => "char",
        "float4" => "real",
        other => other,
    };
    format!("{first} {rest}").trim_end().to_owned()
}

#[derive(Clone, Copy)]
enum Type {
    Text,
    Varchar(Option<u32>),
    Numeric(Option<(u32, u32)>),
    /// Bit strings and time types: a name with a length or precision.
    Limited(&'static str, Option<u32>),
}

impl Type {
    fn read(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        if let Some(limited) = Self::limited(&normalized(&text)) {
            return Some(limited);
        }
        let (name, limits) = match text.split_once('(') {
            Some((name, rest)) => {
                let limits = rest
                    .strip_suffix(')')?
                    .split(',')
                    .map(|it| it.trim().parse());
                (name, limits.collect::<Result<Vec<u32>, _>>().ok()?)
            }
            None => (text.as_str(), Vec::new()),
        };
        let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
        match (name.as_str(), limits.as_slice()) {
            ("text", []) => Some(Self::Text),
            ("varchar" | "character varying", []) => Some(Self::Varchar(None)),
            ("varchar" | "character varying", [limit]) => Some(Self::Varchar(Some(*limit))),
            ("numeric" | "decimal", []) => Some(Self::Numeric(None)),
            ("numeric" | "decimal", [precision]) => Some(Self::Numeric(Some((*precision, 0)))),
            ("numeric" | "decimal", [precision, scale]) => {
                Some(Self::Numeric(Some((*precision, *scale))))
            }
            _ => None,
        }
    }

    fn limited(normalized: &str) -> Option<Self> {
        let zoned = normalized.strip_suffix(" with time zone");
        let normalized = zoned
            .or(normalized.strip_suffix(" without time zone"))
            .unwrap_or(normalized);
        let (name, limit) = match normalized.split_once(" ( ") {
            Some((name, rest)) => (name, Some(rest.strip_suffix(" )")?.parse().ok()?)),
            None => (normalized, None),
        };
        let name = match (name, zoned) {
            ("timestamptz", None) | ("timestamp", Some(_)) => "timestamptz",
            ("timetz", None) | ("time", Some(_)) => "timetz",
            ("timestamp", None) => "timestamp",
            ("time", None) => "time",
            ("interval", None) => "interval",
            ("varbit" | "bit varying", None) => "varbit",
            _ => return None,
        };
        Some(Self::Limited(name, limit))
    }
}

#[cfg(test)]
mod tests {
    use crate::cases::{found_each, silent};

    use super::is_wider;

    #[test]
    fn only_raised_or_removed_limits_need_no_rewrite() {
        for (old, new) in [
            ("varchar(50)", "varchar(80)"),
            ("varchar(50)", "VARCHAR ( 50 )"),
            ("character varying(50)", "text"),
            ("varchar", "text"),
            ("text", "character  varying"),
            ("numeric(8,2)", "numeric(12, 2)"),
            ("integer", "INT"),
            ("jsonb", "jsonb"),
            ("timestamp with time zone", "timestamptz"),
            ("char(3)", "character( 3 )"),
            ("bpchar(3)", "character(3)"),
            ("decimal(8,2)", "numeric (8, 2)"),
            ("text[]", "text []"),
            ("\"Mood\"", "\"Mood\""),
            ("decimal(8)", "numeric"),
            ("timestamp(3)", "timestamp(6)"),
            ("timestamp(3) with time zone", "timestamptz"),
            ("interval(0)", "interval"),
            ("bit varying(8)", "varbit(9)"),
        ] {
            assert!(is_wider(old, new), "{old} to {new}");
        }
        for (old, new) in [
            ("varchar(50)", "varchar(40)"),
            ("text", "varchar(50)"),
            ("varchar", "varchar(50)"),
            ("numeric(8,2)", "numeric(12,3)"),
            ("numeric", "numeric(12,2)"),
            ("integer", "bigint"),
            ("char(3)", "text"),
            ("bpchar", "char"),
            ("varchar(50)[]", "text[]"),
            ("text", "citext"),
            ("\"Mood\"", "\"mood\""),
            ("timestamp", "timestamptz"),
            ("timestamp", "timestamp(3)"),
            ("timestamp(3)", "timestamptz(3)"),
            ("time(3)", "timestamp(3)"),
            ("varbit(8)", "varbit(7)"),
        ] {
            assert!(!is_wider(old, new), "{old} to {new}");
        }
    }

    #[test]
    fn a_type_that_is_only_widened_costs_nothing() {
        silent(&[
            "-- migration V2\nALTER TABLE t ALTER a TYPE varchar(60);\nALTER TABLE t ALTER a TYPE text;",
            "-- migration V2\nALTER TABLE t ALTER a TYPE varchar(60) USING (a::varchar(60));\nALTER TABLE t ALTER a TYPE text USING CAST(a AS text);",
            "-- migration V2\nALTER TABLE t ALTER a TYPE text USING a;",
            "-- migration V2\nALTER TABLE t ALTER b TYPE numeric(9, 2), ALTER c TYPE timestamptz;",
            "-- migration V2\nALTER TABLE t ALTER \"M\" TYPE \"Mood\" USING \"M\"::\"Mood\";",
            "-- migration V2\n-- migration: allow column-rename \"x\"\nALTER TABLE t RENAME a TO z;\n-- migration V3\nALTER TABLE t ALTER z TYPE text;",
            // A revert starts from the schema that the migration leaves.
            "-- migration V2\n-- migration: allow column-type-change \"few rows\"\nALTER TABLE t ALTER a TYPE varchar(10);\n-- revert V2\nALTER TABLE t ALTER a TYPE varchar(50);",
        ]);
        found_each(
            "column-type-change V2:2",
            &[
                "-- migration V2\nALTER TABLE t ALTER a TYPE varchar(60);\nALTER TABLE t ALTER a TYPE varchar(50);",
                "-- migration V2\nALTER TABLE t ALTER b TYPE numeric;\nALTER TABLE t ALTER b TYPE numeric(8, 2);",
            ],
        );
        found_each(
            "column-type-change V2:1",
            &[
                "-- migration V2\nALTER TABLE t ALTER a TYPE varchar(10);\n-- revert V2\nALTER TABLE t ALTER a TYPE varchar(50);",
            ],
        );
        found_each(
            "column-type-change revert V2:1",
            &[
                "-- migration V2\nALTER TABLE t ALTER a TYPE text;\n-- revert V2\nALTER TABLE t ALTER a TYPE varchar(50);",
            ],
        );
    }
}
