//! The arguments of a pattern, as SQL: each is checked, and quoted where PostgreSQL requires it.

use pg_sql::{quote_identifier, quote_literal};

use super::PatternError;

/// PostgreSQL truncates longer names.
const LONGEST: usize = 63;

/// A table or a type, with its schema if one is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    schema: Option<String>,
    pub(super) bare: String,
}

impl Name {
    pub(super) fn parse(option: &'static str, text: &str) -> Result<Self, PatternError> {
        let (schema, bare) = match text.split_once('.') {
            Some((schema, bare)) => (Some(identifier(option, schema)?), bare),
            None => (None, text),
        };
        Ok(Self {
            schema,
            bare: identifier(option, bare)?,
        })
    }

    /// Another object of the same schema.
    pub(super) fn beside(&self, bare: &str) -> Self {
        Self {
            schema: self.schema.clone(),
            bare: truncated(bare),
        }
    }

    pub(super) fn sql(&self) -> String {
        match &self.schema {
            Some(schema) => format!(
                "{}.{}",
                quote_identifier(schema),
                quote_identifier(&self.bare)
            ),
            None => quote_identifier(&self.bare),
        }
    }
}

/// A name with a prefix of the guide, such as `IDX_policies_ownerId`.
pub(super) fn prefixed(prefix: &str, table: &Name, columns: &[String]) -> String {
    truncated(&format!("{prefix}_{}_{}", table.bare, columns.join("_")))
}

/// Identifiers are ASCII, so that every byte is a character.
fn truncated(name: &str) -> String {
    name.chars().take(LONGEST).collect()
}

pub(super) fn identifier(option: &'static str, text: &str) -> Result<String, PatternError> {
    let is_valid = text.len() <= LONGEST
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match is_valid {
        true => Ok(text.to_owned()),
        false => Err(invalid(
            option,
            text,
            "a name of letters, digits and _, at most 63 long",
        )),
    }
}

/// `policies`, or `policies(id)`: a table and its key.
pub(super) fn reference(option: &'static str, text: &str) -> Result<(Name, String), PatternError> {
    match text.split_once('(') {
        None => Ok((Name::parse(option, text)?, "id".to_owned())),
        Some((table, column)) => match column.strip_suffix(')') {
            Some(column) => Ok((Name::parse(option, table)?, identifier(option, column)?)),
            None => Err(invalid(
                option,
                text,
                "a table and its key, as in policies(id)",
            )),
        },
    }
}

/// Words that are part of the name of a type of more than one word.
const WORDS: [&str; 6] = ["varying", "precision", "with", "without", "time", "zone"];

/// A type: a name, possibly with its schema, followed by words, a modifier and brackets, as in `numeric(10,2)[]`.
pub(super) fn data_type(option: &'static str, text: &str) -> Result<String, PatternError> {
    let expected = "a type, as in varchar(255), timestamptz or public.status";
    let wrong = || invalid(option, text, expected);
    let text_end = text.find(['(', '[', ' ']).unwrap_or(text.len());
    let (name, mut rest) = text.split_at(text_end);
    let is_shouted = !name.chars().any(|c| c.is_ascii_lowercase());
    let name = match name.contains('.') {
        true => Name::parse(option, name).map_err(|_| wrong())?.sql(),
        false => {
            let name = identifier(option, name).map_err(|_| wrong())?;
            // VARCHAR is varchar, but policyStatus is "policyStatus". A keyword is a built-in type.
            match is_shouted || name.chars().all(|c| !c.is_ascii_uppercase()) {
                true => name.to_ascii_lowercase(),
                false => quote_identifier(&name),
            }
        }
    };
    let mut sql = name;
    let mut has_modifier = false;
    loop {
        rest = rest.trim_start_matches(' ');
        if rest.is_empty() {
            return Ok(sql);
        }
        if let Some(inner) = rest.strip_prefix('(') {
            let (numbers, after) = inner.split_once(')').ok_or_else(wrong)?;
            let numbers: Vec<&str> = numbers.split(',').map(str::trim).collect();
            let are_numbers = numbers.len() <= 2 && numbers.iter().all(|it| is_number(it));
            if has_modifier || !are_numbers {
                return Err(wrong());
            }
            sql.push_str(&format!("({})", numbers.join(", ")));
            (rest, has_modifier) = (after, true);
        } else if let Some(after) = rest.strip_prefix("[]") {
            sql.push_str("[]");
            rest = after;
        } else {
            let end = rest.find(['(', '[', ' ']).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            let word = word.to_ascii_lowercase();
            if !WORDS.contains(&word.as_str()) {
                return Err(wrong());
            }
            sql.push_str(&format!(" {word}"));
            rest = after;
        }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() <= 6 && text.chars().all(|c| c.is_ascii_digit())
}

/// The condition of a partial index: `COLUMN = VALUE`, `COLUMN IS NULL` or `COLUMN IS NOT NULL`.
pub(super) fn condition(option: &'static str, text: &str) -> Result<String, PatternError> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let upper: Vec<String> = words.iter().map(|it| it.to_ascii_uppercase()).collect();
    let upper: Vec<&str> = upper.iter().skip(1).map(String::as_str).collect();
    let column = words.first().copied().unwrap_or_default();
    let column = identifier(option, column.split('=').next().unwrap_or_default());
    match (column, upper.as_slice(), text.split_once('=')) {
        (Ok(column), ["IS", "NULL"] | ["IS", "NOT", "NULL"], _) => {
            Ok(format!("{} {}", quote_identifier(&column), upper.join(" ")))
        }
        (Ok(column), _, Some((left, value))) if left.trim() == column => {
            let value = value.trim();
            let bare = value
                .strip_prefix('\'')
                .and_then(|it| it.strip_suffix('\''));
            let value = quote_literal(bare.unwrap_or(value));
            Ok(format!("{} = {value}", quote_identifier(&column)))
        }
        _ => Err(invalid(
            option,
            text,
            "COLUMN = VALUE, COLUMN IS NULL or COLUMN IS NOT NULL",
        )),
    }
}

/// The labels of an enum. The revert names them in a block between `$$`.
pub(super) fn labels(option: &'static str, labels: &[String]) -> Result<Vec<String>, PatternError> {
    let is_label = |it: &str| {
        !it.is_empty()
            && it.len() <= LONGEST
            && !it.contains(char::is_control)
            && !it.contains("$$")
    };
    match labels.iter().find(|it| !is_label(it)) {
        Some(label) => Err(invalid(
            option,
            label,
            "a label of 1 to 63 bytes, without control characters and $$",
        )),
        None => Ok(labels.iter().map(|it| quote_literal(it)).collect()),
    }
}

pub(super) fn invalid(option: &'static str, text: &str, expected: &'static str) -> PatternError {
    PatternError::Invalid {
        option,
        text: text.chars().take(100).collect(),
        expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_parsed_and_anything_after_them_is_refused() {
        for (text, expected) in [
            ("text", Some("text")),
            ("VARCHAR(255)", Some("varchar(255)")),
            ("numeric(10,2)[]", Some("numeric(10, 2)[]")),
            ("double precision", Some("double precision")),
            (
                "timestamp(3) with time zone",
                Some("timestamp(3) with time zone"),
            ),
            ("policyStatus", Some("\"policyStatus\"")),
            ("audit.Status[]", Some("audit.\"Status\"[]")),
            ("text NOT NULL", None),
            ("text; DROP TABLE a", None),
            ("text DEFAULT now()", None),
            ("varchar(255", None),
            ("varchar(a)", None),
            ("int(1)(2)", None),
            ("", None),
            ("a.b.c", None),
            ("text--", None),
        ] {
            assert_eq!(
                data_type("--type", text).ok().as_deref(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn conditions_quote_the_column_and_the_value() {
        for (text, expected) in [
            ("archivedAt is null", Some("\"archivedAt\" IS NULL")),
            ("a IS NOT NULL", Some("a IS NOT NULL")),
            ("status = 'active'", Some("status = 'active'")),
            ("status=it's", Some("status = 'it''s'")),
            (
                "a = 1); DROP TABLE b; --",
                Some("a = '1); DROP TABLE b; --'"),
            ),
            ("a > 1", None),
            ("lower(a) = 'x'", None),
            ("a IS NULL OR true", None),
            ("", None),
        ] {
            assert_eq!(
                condition("--where", text).ok().as_deref(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn names_are_letters_and_digits() {
        for (text, expected) in [
            ("policies", Some("policies")),
            ("userRoles", Some("\"userRoles\"")),
            ("audit.order", Some("audit.\"order\"")),
            ("", None),
            ("a b", None),
            ("a\";DROP", None),
            ("1a", None),
            (".a", None),
            ("naïve", None),
        ] {
            let name = Name::parse("--table", text).ok().map(|it| it.sql());
            assert_eq!(name.as_deref(), expected, "{text}");
        }
        assert!(identifier("--table", &"a".repeat(64)).is_err());
        assert_eq!(
            reference("", "policies(uuid)")
                .ok()
                .map(|it| it.1)
                .as_deref(),
            Some("uuid")
        );
        assert!(reference("", "policies(uuid").is_err());
    }
}
