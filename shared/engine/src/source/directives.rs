//! Reads `-- migration: …` lines from the leading comments of a file, and refuses near misses.

use std::time::Duration;

use domain::{Allow, Directives};
use pg_sql::{Comment, comments};

const KNOWN: &str =
    "requires, no-transaction, irreversible, lock-timeout, statement-timeout, allow";

/// Which of the two files of a migration is read: some directives belong in one only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileKind {
    Migration,
    Revert,
}

/// Reads the directives of one file.
pub(super) fn parse(path: &str, sql: &str, kind: FileKind) -> Result<Directives, DirectiveError> {
    let mut directives = Directives::default();
    for comment in comments(sql) {
        for (offset, line) in lines(&comment) {
            let read = match (directive(line), comment.is_leading) {
                (Some(text), true) => apply(&mut directives, text, kind),
                (Some(text), false) => Err(format!(
                    "a directive after the beginning of the first statement has no effect: move `-- migration: {text}` to the top of the file"
                )),
                (None, _) => match near_miss(line, kind) {
                    Some(text) => Err(format!(
                        "misspelled directive: write `-- migration: {text}` on a line of its own at the top of the file, or do not begin \
                         the comment with `migration`"
                    )),
                    None => continue,
                },
            };
            read.map_err(|problem| DirectiveError::at(path, sql, offset, problem))?;
        }
    }
    Ok(directives)
}

/// The non-blank lines of a comment, and the offsets of their content.
fn lines<'a>(comment: &Comment<'a>) -> impl Iterator<Item = (usize, &'a str)> {
    let start = comment.text.as_ptr() as usize;
    let offset = comment.offset;
    comment.text.lines().map(move |line| {
        let line = line.trim();
        (offset + (line.as_ptr() as usize - start), line)
    })
}

/// The content of a line that is spelled as a directive.
fn directive(line: &str) -> Option<&str> {
    let comment = line.strip_prefix("--")?;
    let text = comment.trim_start_matches([' ', '\t']);
    (text.len() < comment.len())
        .then(|| text.strip_prefix("migration:"))?
        .map(str::trim)
}

/// The directive that a line may have been intended as: `migration` or `migrations` in any spelling with a colon, or a valid
/// directive alone or after one other word. More words before it make it prose.
fn near_miss(line: &str, kind: FileKind) -> Option<&str> {
    let ornament = |c: char| c.is_whitespace() || "-–—*/#!@+\"'[(".contains(c);
    let separator = |c: char| c.is_whitespace() || ":：=;；,.-–—>\"'`])".contains(c);
    let is_directive = |text: &str| apply(&mut Directives::default(), text, kind).is_ok();
    let line = line.trim_start_matches(ornament);
    let line = line.strip_suffix("*/").unwrap_or(line).trim_end();
    if is_directive(line) {
        return Some(line);
    }
    let end = line.find(|c: char| !c.is_alphanumeric() && c != '_');
    let (word, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start();
    let text = rest.trim_start_matches(separator).trim();
    let colon = rest.starts_with([':', '：']) && !rest.starts_with("::");
    let named = matches!(word.to_lowercase().as_str(), "migration" | "migrations");
    ((named && colon) || is_directive(text)).then_some(text)
}

fn apply(directives: &mut Directives, text: &str, kind: FileKind) -> Result<(), String> {
    let (word, argument) = match text.split_once(char::is_whitespace) {
        Some((word, argument)) => (word, argument.trim()),
        None => (text, ""),
    };
    if kind == FileKind::Revert && matches!(word, "requires" | "irreversible") {
        return Err(format!(
            "`{word}` belongs in the migration, not in its revert"
        ));
    }
    match word {
        "requires" => {
            let requirement = argument.parse()?;
            if directives.requires.contains(&requirement) {
                return Err(repeated(&format!("requires {requirement}")));
            }
            directives.requires.push(requirement);
            Ok(())
        }
        "no-transaction" if !argument.is_empty() => {
            Err(format!("`no-transaction` takes no argument, not `{argument}`"))
        }
        "no-transaction" if directives.no_transaction => Err(repeated(word)),
        "no-transaction" => {
            directives.no_transaction = true;
            Ok(())
        }
        "irreversible" => once(word, &mut directives.irreversible, quoted(word, argument)?),
        "lock-timeout" => {
            let limit = duration(word, argument)?;
            // PostgreSQL treats 0 as no limit.
            if limit.is_zero() {
                return Err(
                    "`lock-timeout` is at least 1ms: without a limit, live queries would queue behind a waiting migration"
                        .to_owned(),
                );
            }
            once(word, &mut directives.lock_timeout, limit)
        }
        "statement-timeout" => once(word, &mut directives.statement_timeout, duration(word, argument)?),
        "allow" => {
            let (rule, reason) = argument
                .split_once(char::is_whitespace)
                .ok_or("`allow` requires a rule and a reason: allow <rule> \"why\"")?;
            if directives.allow.iter().any(|allow| allow.rule == rule) {
                return Err(repeated(&format!("allow {rule}")));
            }
            directives.allow.push(Allow {
                rule: rule.to_owned(),
                reason: quoted(word, reason.trim())?,
            });
            Ok(())
        }
        "batch" => Err(
            "`batch` is not supported by this version: write the slices as statements of a no-transaction file".to_owned(),
        ),
        "" => Err("a directive is missing after `migration:`".to_owned()),
        _ => Err(format!(
            "unknown directive `{word}`; known directives: {KNOWN}"
        )),
    }
}

fn once<T>(word: &str, place: &mut Option<T>, value: T) -> Result<(), String> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(repeated(word)),
    }
}

fn repeated(directive: &str) -> String {
    format!("`{directive}` is repeated: remove one of the two lines")
}

fn quoted(word: &str, argument: &str) -> Result<String, String> {
    argument
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .map(str::trim)
        .filter(|reason| !reason.is_empty())
        .map(str::to_owned)
        .ok_or_else(|| format!("`{word}` requires a reason in double quotes: \"why\""))
}

fn duration(word: &str, argument: &str) -> Result<Duration, String> {
    // PostgreSQL stores timeouts as int4 milliseconds.
    let is_held = |duration: &Duration| {
        duration.subsec_nanos().is_multiple_of(1_000_000)
            && i32::try_from(duration.as_millis()).is_ok()
    };
    humantime::parse_duration(argument)
        .ok()
        .filter(is_held)
        .ok_or_else(|| format!(
            "`{word}` requires a duration of whole milliseconds and at most 24 days, as in 500ms, 2s or 10min, not `{argument}`"
        ))
}

/// An error in a directive, with its place.
#[derive(Debug, thiserror::Error)]
#[error("{path}:{line}:{column}: {problem}")]
pub struct DirectiveError {
    /// The file.
    pub path: String,
    /// The line, 1-based.
    pub line: u32,
    /// The column, 1-based.
    pub column: u32,
    /// What is wrong.
    pub problem: String,
}

impl DirectiveError {
    fn at(path: &str, sql: &str, offset: usize, problem: String) -> Self {
        let pg_sql::Position { line, column } = pg_sql::position_at(sql, offset);
        Self {
            path: path.to_owned(),
            line,
            column,
            problem,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{FileKind, parse};

    #[test]
    fn every_directive_is_read_from_the_leading_comments() {
        let directives = parse(
            "V1__x.sql",
            "-- What it brings.\n-- migration: requires auth@17\n-- migration: no-transaction\n\
             -- migration: irreversible \"the rows are gone\"\n-- migration: lock-timeout 2s\n\
             -- migration: statement-timeout 10min\n-- migration: allow big-lock \"the table is empty\"\n\
             SELECT 1;\n-- This migration: prose.\n",
            FileKind::Migration,
        )
        .unwrap();
        assert_eq!(directives.requires[0].to_string(), "auth@17");
        assert!(directives.no_transaction);
        assert_eq!(
            directives.irreversible.as_deref(),
            Some("the rows are gone")
        );
        assert_eq!(directives.lock_timeout, Some(Duration::from_secs(2)));
        assert_eq!(directives.statement_timeout, Some(Duration::from_secs(600)));
        assert_eq!(directives.allow[0].rule, "big-lock");
        assert_eq!(directives.allow[0].reason, "the table is empty");
    }

    #[test]
    fn a_wrong_directive_names_file_line_and_problem() {
        for (line, problem) in [
            ("notransaction", "unknown directive `notransaction`"),
            ("", "a directive is missing"),
            ("no-transaction please", "takes no argument"),
            ("requires auth", "not of the form service@version"),
            ("requires auth@x", "invalid version `x`"),
            ("irreversible because", "a reason in double quotes"),
            ("irreversible \"\"", "a reason in double quotes"),
            ("lock-timeout soon", "requires a duration"),
            ("lock-timeout 60days", "requires a duration"),
            ("lock-timeout 0s", "at least 1ms"),
            ("lock-timeout 999us", "whole milliseconds"),
            ("statement-timeout 1500us", "whole milliseconds"),
            ("allow rule", "a rule and a reason"),
            (
                "batch table=users key=id size=5000",
                "is not supported by this version",
            ),
        ] {
            let error = parse(
                "a.sql",
                &format!("\n-- migration: {line}\nSELECT 1;"),
                FileKind::Migration,
            )
            .unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with("a.sql:2:1: "), "{text}");
            assert!(text.contains(problem), "{text}");
        }
        let misplaced = "-- migration: requires auth@1\n";
        assert!(
            parse("a.sql", misplaced, FileKind::Revert)
                .unwrap_err()
                .to_string()
                .contains("belongs in the migration")
        );
    }

    fn problem(text: &str) -> Option<String> {
        parse("a.sql", text, FileKind::Migration)
            .err()
            .map(|error| error.to_string())
    }

    #[test]
    fn a_repeated_directive_is_refused() {
        for line in [
            "no-transaction",
            "irreversible \"a\"",
            "lock-timeout 1s",
            "statement-timeout 1s",
            "requires auth@1",
            "allow drop-table \"a\"",
        ] {
            let text = format!("-- migration: {line}\n-- x\n-- migration: {line}\nSELECT 1;");
            let problem = problem(&text).unwrap();
            assert!(problem.starts_with("a.sql:3:1: "), "{problem}");
            assert!(problem.contains("is repeated"), "{problem}");
        }
        for text in [
            "-- migration: requires auth@1\n-- migration: requires auth@2\n",
            "-- migration: allow drop-table \"a\"\n-- migration: allow drop-column \"a\"\n",
        ] {
            assert_eq!(problem(text), None);
        }
    }

    #[test]
    fn what_only_looks_like_a_directive_is_refused_with_its_place_and_the_right_spelling() {
        for (text, place) in [
            ("-- Migration: no-transaction", "1:1"),
            ("--migration: no-transaction", "1:1"),
            ("\n  --  MIGRATION : no-transaction", "2:3"),
            ("-- migrations: no-transaction", "1:1"),
            ("--- migration: no-transaction", "1:1"),
            ("-- -- migration: no-transaction", "1:1"),
            ("-- migration no-transaction", "1:1"),
            ("-- migration = no-transaction", "1:1"),
            ("-- migation: no-transaction", "1:1"),
            ("-- migration； no-transaction", "1:1"),
            ("-- migration; no-transaction", "1:1"),
            ("-- migration - no-transaction", "1:1"),
            ("-- mgiration: no-transaction", "1:1"),
            ("-- \"migration\": no-transaction", "1:1"),
            ("-- Directive: no-transaction", "1:1"),
            ("-- no-transaction", "1:1"),
            ("-- @migration: no-transaction", "1:1"),
            ("/* migration: no-transaction */", "1:1"),
            ("/*\n * What.\n * migration: no-transaction\n */", "3:2"),
            ("# migration: no-transaction", "1:1"),
            ("// migration: no-transaction", "1:1"),
            ("SELECT 1; -- migration: no-transaction", "1:11"),
            ("SELECT 1;\n-- migration: no-transaction", "2:1"),
            ("SELECT 1 -- migration: no-transaction\n;", "1:10"),
            ("SELECT 1;\n-- Migrations: no-transaction", "2:1"),
            ("SELECT 1;\n/* migration: no-transaction */", "2:1"),
            (";\n# migration: no-transaction", "2:1"),
        ] {
            let problem = problem(text).unwrap_or_else(|| panic!("{text}"));
            assert!(
                problem.starts_with(&format!("a.sql:{place}: ")),
                "{text}: {problem}"
            );
            assert!(
                problem.contains("`-- migration: no-transaction`"),
                "{text}: {problem}"
            );
        }
        assert!(problem("-- Migration: adds users").is_some());
    }

    #[test]
    fn prose_and_quoted_text_are_no_directives() {
        for text in [
            "-- This migration: no-transaction would not help",
            "-- see migration: x",
            "-- Migration of the users",
            "-- migration requires that auth is there",
            "-- migration 17: the users",
            "-- Migrations\n-- : x",
            "-- `migration: no-transaction` is not needed",
            "-- minimal: yes",
            "-- mind: this",
            "SELECT '\n-- migration: no-transaction\n';",
            "DO $$ BEGIN\n-- migration: no-transaction\nEND $$;",
            "SELECT \"-- migration: x\", a\n # migration::int FROM t;",
        ] {
            assert_eq!(problem(text), None, "{text}");
        }
    }
}
