//! Detects statements that change how the server parses text.
//!
//! Covers `standard_conforming_strings` and `client_encoding` in every form that is visible in a statement's text. With other
//! values, the server would split the file differently. The runner checks the session after each statement for what functions set.

use super::cursor::Cursor;
use super::lexer::TokenKind;
use super::statement::Statement;

/// The maximum depth of strings in strings, as in `DO $$ … EXECUTE '…' $$`.
const DEEPEST: usize = 4;

/// A setting that affects how the server parses text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadingSetting {
    /// Whether a backslash in `'…'` is an ordinary character.
    StandardConformingStrings,
    /// The encoding that the server expects.
    ClientEncoding,
}

impl ReadingSetting {
    fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "standard_conforming_strings" => Some(Self::StandardConformingStrings),
            "client_encoding" | "names" => Some(Self::ClientEncoding),
            _ => None,
        }
    }

    /// The name of the setting.
    pub fn name(self) -> &'static str {
        match self {
            Self::StandardConformingStrings => "standard_conforming_strings",
            Self::ClientEncoding => "client_encoding",
        }
    }

    /// Whether the value is the one that files are checked with: pg_dump writes such statements.
    pub fn is_as_checked(self, value: &str) -> bool {
        let value = value.to_ascii_lowercase();
        match self {
            Self::StandardConformingStrings => {
                matches!(
                    value.as_str(),
                    "on" | "true" | "tru" | "tr" | "t" | "yes" | "ye" | "y" | "1"
                )
            }
            // The server ignores everything except letters and digits in an encoding name.
            Self::ClientEncoding => {
                let name: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
                matches!(name.as_str(), "utf8" | "unicode")
            }
        }
    }
}

/// The setting that a statement changes to a value with which the server would parse the rest of the file differently, including
/// for later sessions (`ALTER DATABASE … SET`).
pub fn changes_reading(statement: &Statement<'_>) -> Option<ReadingSetting> {
    let mut cursor = Cursor::new(statement.text);
    let sets = cursor.accept("set")
        || (cursor.accept("alter") && cursor.accept_any(&["database", "role", "user", "system"]));
    let runs_code = Cursor::new(statement.text).accept("do");
    found(statement.text, sets, runs_code, DEEPEST)
}

/// `sets`: whether `SET` in this text changes the session. `code`: whether the strings in it are executed.
fn found(text: &str, sets: bool, code: bool, depth: usize) -> Option<ReadingSetting> {
    let mut cursor = Cursor::new(text);
    loop {
        let mut ahead = cursor.clone();
        if sets && ahead.accept("set") {
            ahead.accept_any(&["local", "session"]);
            if let Some(setting) = setting(&mut ahead) {
                return Some(setting);
            }
        } else if ahead.accept("set_config")
            && ahead.accept_mark(b'(')
            && let Some(setting) = ahead.string().as_deref().and_then(ReadingSetting::named)
        {
            let value = ahead.accept_mark(b',').then(|| ahead.string()).flatten();
            if !value.is_some_and(|value| setting.is_as_checked(&value)) {
                return Some(setting);
            }
        } else if code
            && depth > 0
            && let Some(inner) = cursor.clone().string()
            && let Some(setting) = found(&inner, true, true, depth - 1)
        {
            return Some(setting);
        }
        cursor.next()?;
    }
}

/// The setting after `SET`, if it affects parsing and its new value differs from the one that files are checked with.
fn setting(cursor: &mut Cursor<'_>) -> Option<ReadingSetting> {
    let setting = ReadingSetting::named(&cursor.identifier()?)?;
    if cursor.accept_if(|token| token.text == "=").is_none() {
        cursor.accept("to");
    }
    let value = cursor.string().or_else(|| {
        let token = cursor.next()?;
        matches!(
            token.kind,
            TokenKind::Word | TokenKind::Number | TokenKind::QuotedName
        )
        .then(|| token.text.trim_matches('"').to_owned())
    });
    (!value.is_some_and(|value| setting.is_as_checked(&value))).then_some(setting)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(text: &str) -> Option<&'static str> {
        changes_reading(&Statement { text, offset: 0 }).map(ReadingSetting::name)
    }

    #[test]
    fn every_visible_form_is_detected() {
        for sql in [
            "SET standard_conforming_strings = off",
            "set session Standard_Conforming_Strings to 'false'",
            "SET LOCAL \"standard_conforming_strings\" = 0",
            "SET standard_conforming_strings TO DEFAULT",
            "ALTER DATABASE d SET standard_conforming_strings = off",
            "alter role r in database d set standard_conforming_strings to off",
            "ALTER SYSTEM SET standard_conforming_strings = 'off'",
            "SELECT set_config('standard_conforming_strings', 'off', false)",
            "SELECT pg_catalog.set_config(E'standard_conforming_strings', v, true) FROM t",
            "DO $$ BEGIN SET standard_conforming_strings = off; END $$",
            "DO $$ BEGIN PERFORM set_config('standard_conforming_strings', 'off', false); END $$",
            "DO $$ BEGIN EXECUTE 'SET standard_conforming_strings = off'; END $$",
        ] {
            assert_eq!(change(sql), Some("standard_conforming_strings"), "{sql}");
        }
        for sql in [
            "SET client_encoding = 'latin1'",
            "SET NAMES 'SJIS'",
            "set names",
        ] {
            assert_eq!(change(sql), Some("client_encoding"), "{sql}");
        }
    }

    #[test]
    fn expected_values_and_unrelated_text_are_ignored() {
        for sql in [
            "SET standard_conforming_strings = on",
            "SET standard_conforming_strings TO 'on'",
            "SET client_encoding = 'UTF8'",
            "SET NAMES 'utf-8'",
            "SELECT set_config('standard_conforming_strings', 'on', false)",
            "SET search_path = standard_conforming_strings",
            "SELECT 'SET standard_conforming_strings = off'",
            "SHOW standard_conforming_strings",
            "UPDATE t SET names = 'x'",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET standard_conforming_strings = off AS 'SELECT 1'",
            "ALTER TABLE t SET (fillfactor = 70)",
        ] {
            assert_eq!(change(sql), None, "{sql}");
        }
    }
}
