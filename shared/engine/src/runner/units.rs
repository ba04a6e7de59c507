//! A no-transaction file as units: the steps that are recorded one by one.

use crate::planning::ScriptError;
use domain::Script;
use pg_sql::{Statement, StatementKind};

/// One recorded step of a no-transaction file.
#[derive(Debug)]
pub(super) struct Unit<'a> {
    pub(super) form: Form<'a>,
}

impl Unit<'_> {
    /// Its offset in the file, in bytes.
    pub(super) fn offset(&self) -> usize {
        match &self.form {
            Form::Setting(statement) | Form::Inside(statement) | Form::Outside(statement, _) => {
                statement.offset
            }
            Form::Block(block) => block.body.first().unwrap_or(&block.begin).offset,
        }
    }
}

#[derive(Debug)]
pub(super) enum Form<'a> {
    /// `SET`, `RESET`: changes only the session, so it has no transaction of its own.
    Setting(Statement<'a>),
    /// Runs in a transaction, which commits together with its progress row.
    Inside(Statement<'a>),
    /// Cannot run in a transaction: records the intent, runs the statement, then checks the catalog after an interruption.
    Outside(Statement<'a>, StatementKind),
    /// An explicit `BEGIN … COMMIT`.
    Block(Block<'a>),
}

/// An explicit transaction in the file.
#[derive(Debug)]
pub(super) struct Block<'a> {
    /// The statement that begins it. After `COMMIT AND CHAIN`, the one that began the chain.
    pub(super) begin: Statement<'a>,
    pub(super) body: Vec<Statement<'a>>,
    pub(super) end: BlockEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BlockEnd {
    Commit,
    Rollback,
}

/// Splits a file into units.
pub(super) fn units(script: &Script) -> Result<Vec<Unit<'_>>, ScriptError> {
    let statements = pg_sql::split(&script.text)
        .map_err(|error| ScriptError::at(script, error.offset, error.problem.to_string()))?;
    let mut units = Vec::new();
    let mut open: Option<(Statement<'_>, Vec<Statement<'_>>)> = None;
    for statement in statements {
        let kind = pg_sql::classify(&statement);
        match (&mut open, kind) {
            (None, StatementKind::Begin) => open = Some((statement, Vec::new())),
            (None, StatementKind::Commit { .. } | StatementKind::Rollback { .. }) => {
                return Err(ScriptError::at(
                    script,
                    statement.offset,
                    "no transaction is open here: write BEGIN before the statements that belong together",
                ));
            }
            (None, StatementKind::Set { local: false }) => units.push(Unit {
                form: Form::Setting(statement),
            }),
            (None, kind) if runs_outside(&kind) => units.push(Unit {
                form: Form::Outside(statement, kind),
            }),
            (None, _) => units.push(Unit {
                form: Form::Inside(statement),
            }),
            (Some(_), StatementKind::Begin) => {
                return Err(ScriptError::at(
                    script,
                    statement.offset,
                    "a transaction is already open: write COMMIT before this BEGIN",
                ));
            }
            (Some(_), StatementKind::Commit { chain }) => {
                close(&mut units, &mut open, BlockEnd::Commit, chain);
            }
            (Some(_), StatementKind::Rollback { chain }) => {
                close(&mut units, &mut open, BlockEnd::Rollback, chain);
            }
            (Some((_, body)), _) => body.push(statement),
        }
    }
    match open {
        Some((begin, _)) => Err(ScriptError::at(
            script,
            begin.offset,
            "this transaction is never ended: write COMMIT after its last statement",
        )),
        None => Ok(units),
    }
}

fn close<'a>(
    units: &mut Vec<Unit<'a>>,
    open: &mut Option<(Statement<'a>, Vec<Statement<'a>>)>,
    end: BlockEnd,
    chain: bool,
) {
    if let Some((begin, body)) = open.take() {
        if chain {
            *open = Some((begin, Vec::new()));
        }
        units.push(Unit {
            form: Form::Block(Block { begin, body, end }),
        });
    }
}

fn runs_outside(kind: &StatementKind) -> bool {
    matches!(
        kind,
        StatementKind::CreateIndexConcurrently { .. }
            | StatementKind::DropIndexConcurrently { .. }
            | StatementKind::ReindexConcurrently { .. }
            | StatementKind::DetachPartitionConcurrently {
                finalize: false,
                ..
            }
            | StatementKind::OutsideTransaction(_)
    )
}

#[cfg(test)]
mod tests {
    use super::{BlockEnd, Form, units};
    use domain::{Directives, Script};

    fn script(text: &str) -> Script {
        Script {
            path: "x.sql".to_owned(),
            text: text.into(),
            directives: Directives::default(),
        }
    }

    fn forms(text: &str) -> Vec<String> {
        let script = script(text);
        units(&script)
            .unwrap()
            .iter()
            .map(|unit| match &unit.form {
                Form::Setting(statement) => format!("set {}", statement.text),
                Form::Inside(statement) => format!("in {}", statement.text),
                Form::Outside(statement, _) => format!("out {}", statement.text),
                Form::Block(block) => format!("block {} {:?}", block.body.len(), block.end),
            })
            .collect()
    }

    #[test]
    fn settings_transactions_and_other_statements_are_distinguished() {
        assert_eq!(
            forms(
                "SET lock_timeout = '1s'; CREATE INDEX CONCURRENTLY i ON t (a); SELECT 1;\
                 BEGIN; SELECT 2; SET LOCAL x.y = 1; COMMIT; VACUUM t"
            ),
            [
                "set SET lock_timeout = '1s'",
                "out CREATE INDEX CONCURRENTLY i ON t (a)",
                "in SELECT 1",
                "block 2 Commit",
                "out VACUUM t"
            ]
        );
    }

    #[test]
    fn a_chained_commit_ends_one_unit_and_begins_the_next() {
        let script = script(
            "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1; COMMIT AND CHAIN; SELECT 2; ROLLBACK",
        );
        let units = units(&script).unwrap();
        let blocks: Vec<_> = units
            .iter()
            .map(|unit| match &unit.form {
                Form::Block(block) => (block.begin.text, block.body[0].text, block.end),
                other => panic!("{other:?}"),
            })
            .collect();
        let begin = "BEGIN ISOLATION LEVEL SERIALIZABLE";
        assert_eq!(
            blocks,
            [
                (begin, "SELECT 1", BlockEnd::Commit),
                (begin, "SELECT 2", BlockEnd::Rollback)
            ]
        );
    }

    #[test]
    fn unbalanced_transactions_are_refused_with_their_position() {
        for (text, place) in [
            ("SELECT 1;\nCOMMIT", "x.sql:2:1: no transaction is open"),
            ("BEGIN;\nBEGIN", "x.sql:2:1: a transaction is already open"),
            (
                "\n BEGIN; SELECT 1",
                "x.sql:2:2: this transaction is never ended",
            ),
        ] {
            let error = units(&script(text)).unwrap_err().to_string();
            assert!(error.starts_with(place), "{error}");
        }
    }
}
