//! Changes of type that leave every row as it is. Floor 3.
//!
//! PostgreSQL neither writes nor reads the table when a limit is lengthened or taken away, and between `varchar` and `text` (`ATColumnChangeRequiresRewrite`;
//! the length coercions of `varchar` and `numeric` have support functions that say so).

use squawk_syntax::ast::{self, AstNode};

/// The type that `ALTER COLUMN … TYPE` gives a column; `None` where an expression makes its values, or another collation.
pub(super) fn new_type(column: &ast::AlterColumn) -> Option<String> {
    let Some(ast::AlterColumnOption::SetType(change)) = column.option() else {
        return None;
    };
    let is_plain = change.using_expr().is_none() && change.collate().is_none();
    is_plain.then(|| change.ty().map(|ty| ty.syntax().text().to_string()))?
}

/// Whether every value of one type is one of the other as it stands.
pub(super) fn is_wider(old: &str, new: &str) -> bool {
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
        _ => false,
    }
}

#[derive(Clone, Copy)]
enum Type {
    Text,
    Varchar(Option<u32>),
    Numeric(Option<(u32, u32)>),
}

impl Type {
    fn read(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
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
}

#[cfg(test)]
mod tests {
    use super::is_wider;

    #[test]
    fn only_limits_that_are_lengthened_or_taken_away_cost_nothing() {
        for (old, new) in [
            ("varchar(50)", "varchar(80)"),
            ("varchar(50)", "VARCHAR ( 50 )"),
            ("character varying(50)", "text"),
            ("varchar", "text"),
            ("text", "character  varying"),
            ("numeric(8,2)", "numeric(12, 2)"),
            ("decimal(8)", "numeric"),
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
            ("varchar(50)[]", "text[]"),
            ("text", "citext"),
        ] {
            assert!(!is_wider(old, new), "{old} to {new}");
        }
    }
}
