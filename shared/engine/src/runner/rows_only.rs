//! Statements of a no-transaction file that only change rows: each is sent together with its record, in one message.
//!
//! The server runs the statements of a message in one transaction, so the statement and its record commit together or not at all, as
//! in any other unit. What makes the other units slow is left out where it cannot matter: a statement that only changes rows leaves
//! the session as it was, if no code in the database can change it.

use std::time::{Duration, Instant};

use super::fault::Fault;
use super::resumption::FileSession;
use super::script::run_recorded;
use super::step::StepContext;
use pg_session::{LockedSession, SessionEffects, read_session_effects};
use pg_sql::Statement;
use store::{Progress, recording};

/// How often the advisory lock of the run is checked. Only code in the database or a lost session could release it.
const LOCK_CHECK_PERIOD: Duration = Duration::from_secs(1);

/// The shortest limit of a statement under which its record cannot run into it.
const SHORTEST_LIMIT: Duration = Duration::from_secs(1);

/// Calls in the text of a statement that may change the session.
const CALLS: [&str; 3] = ["set_config", "advisory", "_to_xml"];

/// What is known about the session of a file.
#[derive(Debug, Default)]
pub(super) struct RowsOnly {
    /// Unknown after every statement that may have created functions.
    effects: Option<SessionEffects>,
    /// When the lock was last known to be held.
    lock_checked: Option<Instant>,
}

impl RowsOnly {
    /// Runs a unit and records it, if its statement only changes rows. Otherwise does nothing, and returns false.
    pub(super) async fn run(
        &mut self,
        locked: &LockedSession,
        context: &StepContext<'_>,
        file_session: &FileSession,
        progress: &Progress<'_>,
        (number, statement): (usize, &Statement<'_>),
    ) -> Result<bool, Fault> {
        let limit = context.settings().statement_timeout;
        let is_plain = context.observer.is_none()
            && context.gates.is_empty()
            && (limit.is_zero() || limit >= SHORTEST_LIMIT)
            && only_changes_rows(statement);
        if !is_plain {
            return Ok(false);
        }
        let client = locked.session().client();
        let effects = match self.effects.take() {
            Some(effects) => effects,
            None => {
                let reading = locked
                    .session()
                    .aside(async |client| read_session_effects(client).await);
                reading.await.map_err(Fault::of)?
            }
        };
        let note = match effects.possible {
            true => None,
            false => file_session.unchanged(&effects.database),
        };
        self.effects = Some(effects);
        let Some(note) = note else { return Ok(false) };
        let is_due = self
            .lock_checked
            .is_none_or(|checked| checked.elapsed() >= LOCK_CHECK_PERIOD);
        if is_due {
            if !locked.is_held().await.map_err(Fault::of)? {
                return Err(Fault::LockGone { progress: None });
            }
            self.lock_checked = Some(Instant::now());
        }
        let record = recording(progress, number, &note);
        run_recorded(client, statement, &record).await?;
        Ok(true)
    }

    /// A statement of another kind has run: it may have created functions.
    pub(super) fn forget(&mut self) {
        self.effects = None;
    }
}

/// Whether a statement changes rows and, apart from functions of the database, nothing else.
fn only_changes_rows(statement: &Statement<'_>) -> bool {
    let word = statement
        .text
        .split(|c: char| !c.is_ascii_alphabetic())
        .next();
    let changes_rows = word.is_some_and(|word| {
        ["insert", "update", "delete"]
            .iter()
            .any(|verb| word.eq_ignore_ascii_case(verb))
    });
    changes_rows && {
        let text = statement.text.to_ascii_lowercase();
        !CALLS.iter().any(|call| text.contains(call))
            && !pg_sql::mentions(&text, "pg_terminate_backend")
    }
}

#[cfg(test)]
mod tests {
    use super::only_changes_rows;
    use pg_sql::Statement;

    #[test]
    fn statements_that_only_change_rows() {
        let plain = |text| only_changes_rows(&Statement { text, offset: 0 });
        for text in [
            "INSERT INTO t VALUES (1)",
            "update t set a = 1",
            "delete\nfrom t",
        ] {
            assert!(plain(text), "{text}");
        }
        for text in [
            "INSERT INTO t SELECT set_config('role', 'x', false)",
            "UPDATE t SET a = pg_try_advisory_lock(1)",
            "SELECT f()",
            "CREATE TABLE t ()",
            "WITH x AS (INSERT INTO t VALUES (1)) SELECT 1",
            "/* x */ SET ROLE x",
            "",
        ] {
            assert!(!plain(text), "{text}");
        }
    }
}
