//! Whether the engine can run a file: finds statements that would break its guarantees.

use super::classify::classify;
use super::reading::{ReadingSetting, changes_reading};
use super::split::split;
use super::statement::StatementKind;

/// A file that the engine refuses to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unrunnable {
    /// The place in the text, in bytes.
    pub offset: usize,
    /// What is wrong, and how to fix it.
    pub problem: String,
}

/// The statements that cannot run in a transaction, with their offsets in bytes; none in a `no_transaction` file.
///
/// # Errors
/// When the text cannot be split, or the engine refuses a statement.
pub fn runnable(
    text: &str,
    no_transaction: bool,
) -> Result<Vec<(usize, &'static str)>, Unrunnable> {
    let statements = split(text).map_err(|error| Unrunnable {
        offset: error.offset,
        problem: error.problem.to_string(),
    })?;
    let mut outside = Vec::new();
    for statement in &statements {
        let kind = classify(statement);
        let problem = refused(&kind, no_transaction)
            .or_else(|| changes_reading(statement).map(reading_problem));
        if let Some(problem) = problem {
            return Err(Unrunnable {
                offset: statement.offset,
                problem: problem.to_owned(),
            });
        }
        if !no_transaction && let Some(what) = runs_outside_transactions(&kind) {
            outside.push((statement.offset, what));
        }
    }
    Ok(outside)
}

fn refused(kind: &StatementKind, no_transaction: bool) -> Option<&'static str> {
    match kind {
        StatementKind::Begin | StatementKind::Commit { .. } | StatementKind::Rollback { .. }
            if !no_transaction =>
        {
            Some(
                "the engine runs this file and its history row in one transaction: remove the statement, or add \
             `-- migration: no-transaction`",
            )
        }
        StatementKind::PrepareTransaction | StatementKind::CommitPrepared => {
            Some("a prepared transaction would outlive the migration: remove the statement")
        }
        StatementKind::CopyFromStdin => Some(
            "COPY … FROM STDIN requires a client that sends the rows: write them as INSERT … VALUES",
        ),
        StatementKind::CopyToStdout => Some(
            "COPY … TO STDOUT sends rows to a client that does not read them: remove the statement, or export with psql",
        ),
        StatementKind::MetaCommand => {
            Some("psql's backslash commands are not SQL: remove the line, or replace it by SQL")
        }
        StatementKind::OutsideTransaction("DISCARD ALL") => Some(
            "DISCARD ALL would release the advisory lock of the run: remove it (each file starts with clean session settings)",
        ),
        _ => None,
    }
}

fn reading_problem(setting: ReadingSetting) -> &'static str {
    match setting {
        ReadingSetting::StandardConformingStrings => {
            "changing standard_conforming_strings changes the meaning of backslashes in the rest of the file, which can hide \
             a COMMIT: remove the statement, and write such strings as E'…'"
        }
        ReadingSetting::ClientEncoding => {
            "changing client_encoding changes the meaning of the rest of the file: remove the statement; files are UTF-8"
        }
    }
}

fn runs_outside_transactions(kind: &StatementKind) -> Option<&'static str> {
    match kind {
        StatementKind::CreateIndexConcurrently { .. } => Some("CREATE INDEX CONCURRENTLY"),
        StatementKind::DropIndexConcurrently { .. } => Some("DROP INDEX CONCURRENTLY"),
        StatementKind::ReindexConcurrently { .. } => Some("REINDEX CONCURRENTLY"),
        StatementKind::DetachPartitionConcurrently {
            finalize: false, ..
        } => Some("DETACH PARTITION CONCURRENTLY"),
        StatementKind::OutsideTransaction(what) => Some(what),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_break_the_guarantees_are_refused_with_their_place() {
        for (text, no_transaction, offset) in [
            ("SELECT 1; COMMIT", false, Some(10)),
            ("BEGIN; COMMIT", true, None),
            ("PREPARE TRANSACTION 'a'", true, Some(0)),
            ("COPY t FROM STDIN;\n1\n\\.\n", false, Some(0)),
            ("DISCARD ALL", true, Some(0)),
            ("SET standard_conforming_strings = off", false, Some(0)),
            ("SELECT 'open", false, Some(7)),
            ("SELECT 1", false, None),
        ] {
            let refused = runnable(text, no_transaction).err();
            assert_eq!(refused.map(|it| it.offset), offset, "{text}");
        }
    }

    #[test]
    fn statements_outside_transactions_require_the_directive() {
        let text = "SELECT 1; CREATE INDEX CONCURRENTLY i ON t (a); VACUUM t";
        let outside = [(10, "CREATE INDEX CONCURRENTLY"), (48, "VACUUM")];
        assert_eq!(runnable(text, false).unwrap(), outside);
        assert_eq!(runnable(text, true).unwrap(), []);
    }
}
