//! Reading `-- migration: …` lines from the leading comments of a file.

use std::time::Duration;

use crate::domain::{Allow, Directives};
use crate::sql::leading_comment_lines;

/// Which of the two files of a migration is read: some directives belong in one only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileKind {
    Migration,
    Revert,
}

/// Reads the directives of one file.
pub(super) fn parse(path: &str, sql: &str, kind: FileKind) -> Result<Directives, DirectiveError> {
    let mut directives = Directives::default();
    for (line, comment) in leading_comment_lines(sql) {
        let Some(directive) = comment.strip_prefix("migration:") else {
            continue;
        };
        apply(&mut directives, directive.trim(), kind).map_err(|problem| DirectiveError {
            path: path.to_owned(),
            line,
            problem,
        })?;
    }
    Ok(directives)
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
                return Err(format!("`requires {requirement}` stands here twice"));
            }
            directives.requires.push(requirement);
            Ok(())
        }
        "no-transaction" if !argument.is_empty() => {
            Err(format!("`no-transaction` takes nothing after it, not `{argument}`"))
        }
        "no-transaction" => {
            directives.no_transaction = true;
            Ok(())
        }
        "irreversible" => once(word, &mut directives.irreversible, quoted(word, argument)?),
        "lock-timeout" => {
            let limit = duration(word, argument)?;
            // PostgreSQL takes 0 for no limit at all.
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
                .ok_or("`allow` wants a rule and a reason: allow <rule> \"why\"")?;
            directives.allow.push(Allow {
                rule: rule.to_owned(),
                reason: quoted(word, reason.trim())?,
            });
            Ok(())
        }
        "batch" => Err(
            "`batch` is not run by this version: write the slices as statements of a no-transaction file".to_owned(),
        ),
        "" => Err("a directive is missing after `migration:`".to_owned()),
        _ => Err(format!(
            "`{word}` is no directive (there are: requires, no-transaction, irreversible, lock-timeout, \
             statement-timeout, allow)"
        )),
    }
}

fn once<T>(word: &str, place: &mut Option<T>, value: T) -> Result<(), String> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("`{word}` stands here twice")),
    }
}

fn quoted(word: &str, argument: &str) -> Result<String, String> {
    argument
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .map(str::trim)
        .filter(|reason| !reason.is_empty())
        .map(str::to_owned)
        .ok_or_else(|| format!("`{word}` wants a reason in double quotes: \"why\""))
}

fn duration(word: &str, argument: &str) -> Result<Duration, String> {
    // PostgreSQL holds its time-outs as int4 milliseconds.
    let is_held = |duration: &Duration| {
        duration.subsec_nanos().is_multiple_of(1_000_000)
            && i32::try_from(duration.as_millis()).is_ok()
    };
    humantime::parse_duration(argument)
        .ok()
        .filter(is_held)
        .ok_or_else(|| format!(
            "`{word}` wants a duration of whole milliseconds and at most 24 days, as in 500ms, 2s or 10min, not `{argument}`"
        ))
}

/// What is wrong with a directive, and where.
#[derive(Debug, thiserror::Error)]
#[error("{path}:{line}: {problem}")]
pub struct DirectiveError {
    /// The file.
    pub path: String,
    /// The line, 1-based.
    pub line: u32,
    /// What is wrong.
    pub problem: String,
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
             SELECT 1;\n-- migration: nonsense after the first statement\n",
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
            ("notransaction", "`notransaction` is no directive"),
            ("", "a directive is missing"),
            ("no-transaction please", "takes nothing after it"),
            ("requires auth", "not of the form service@version"),
            ("requires auth@x", "is not a version"),
            ("irreversible because", "a reason in double quotes"),
            ("irreversible \"\"", "a reason in double quotes"),
            ("lock-timeout soon", "wants a duration"),
            ("lock-timeout 60days", "wants a duration"),
            ("lock-timeout 0s", "at least 1ms"),
            ("lock-timeout 999us", "whole milliseconds"),
            ("statement-timeout 1500us", "whole milliseconds"),
            ("allow rule", "a rule and a reason"),
            (
                "batch table=users key=id size=5000",
                "is not run by this version",
            ),
        ] {
            let error = parse(
                "a.sql",
                &format!("\n-- migration: {line}\nSELECT 1;"),
                FileKind::Migration,
            )
            .unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with("a.sql:2: "), "{text}");
            assert!(text.contains(problem), "{text}");
        }
        let twice = "-- migration: lock-timeout 1s\n-- migration: lock-timeout 2s\n";
        assert!(
            parse("a.sql", twice, FileKind::Migration)
                .unwrap_err()
                .to_string()
                .contains("twice")
        );
        let misplaced = "-- migration: requires auth@1\n";
        assert!(
            parse("a.sql", misplaced, FileKind::Revert)
                .unwrap_err()
                .to_string()
                .contains("belongs in the migration")
        );
    }
}
