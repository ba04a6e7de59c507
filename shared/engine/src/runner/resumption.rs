//! The session state that a no-transaction file has set up: recorded with each statement, restored when the file is resumed.
//!
//! Records the state, restores it in another session, and refuses if it cannot be restored. `postgres::session_state` reads the state
//! from the server.

use domain::{commented, suggest};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::step::StepContext;
use pg_session::{Client, SessionState};
use pg_sql::Statement;

/// The session of a file that runs statement by statement.
#[derive(Debug)]
pub(super) struct FileSession {
    /// The state before the file's first statement.
    fresh: SessionState,
    /// The names in the file that may be custom settings.
    custom: BTreeSet<String>,
    /// The state that the file has set up, as last recorded.
    made: Mutex<SessionState>,
}

/// What is recorded of the session with a completed statement.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    session: SessionState,
    /// The state before the statement, if some settings may end with its transaction: the server shows the difference only after the
    /// commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unless_local: Option<SessionState>,
}

/// What to record in the transaction of a statement, and whether to check again after its commit.
pub(super) struct Recorded {
    pub(super) note: String,
    pub(super) is_certain: bool,
    session: SessionState,
}

impl FileSession {
    /// Reads the state of a fresh session, and restores the state of an interrupted attempt. `note` is what was recorded with its last
    /// statement; `rest` is the part of the file that remains to be run, from `offset` on.
    pub(super) async fn begin(
        client: &Client,
        context: &StepContext<'_>,
        note: Option<&str>,
        resumes: bool,
        offset: usize,
    ) -> Result<Self, Fault> {
        let text = &context.script().text;
        let custom = pg_sql::dotted_names(text);
        let fresh = SessionState::read(client, &custom, false)
            .await
            .map_err(Fault::of)?;
        let mut made = SessionState::default();
        if resumes {
            made = known(context, note).map_err(|fault| fault.pointing_at(offset))?;
            let rest = text.get(offset..).unwrap_or_default();
            if let Some(name) = made
                .objects
                .iter()
                .find(|name| pg_sql::mentions(rest, name))
            {
                return Err(lost(context, name).pointing_at(offset));
            }
            made.objects.clear();
            restore(client, context, &made, offset).await?;
        }
        Ok(Self {
            fresh,
            custom,
            made: Mutex::new(made),
        })
    }

    /// Restores the settings after a reset of the same session. Everything else that the file has created still exists.
    pub(super) async fn restore_settings(
        &self,
        client: &Client,
        context: &StepContext<'_>,
        offset: usize,
    ) -> Result<(), Fault> {
        let made = self.made().clone();
        restore(client, context, &made, offset).await
    }

    /// What to record of the session at the end of a transaction that ran these statements. `within` is true if it is still open.
    pub(super) async fn recorded(
        &self,
        client: &Client,
        statements: &[Statement<'_>],
        within: bool,
    ) -> Result<Recorded, Fault> {
        let now = SessionState::read(client, &self.custom, within)
            .await
            .map_err(Fault::of)?
            .since(&self.fresh);
        let before = self.made().clone();
        let (session, is_certain) = if statements.is_empty() {
            (now, true)
        } else {
            match reported_apart(&before, &now, statements) {
                // `ON COMMIT DROP` takes effect only afterwards.
                Some(session) if session.objects == before.objects => (session, true),
                Some(session) => (session, false),
                None => (now, false),
            }
        };
        let note = Note {
            unless_local: (!is_certain).then_some(before),
            session,
        };
        Ok(Recorded {
            note: serde_json::to_string(&note).unwrap_or_default(),
            is_certain,
            session: note.session,
        })
    }

    /// What to record after a statement that left the session as it was; `None` if the record itself must not run under the settings of
    /// the file.
    pub(super) fn unchanged(&self, database: &str) -> Option<String> {
        let session = self.made().clone();
        let hinders = ["role", "session_authorization", "statement_timeout"];
        if hinders
            .iter()
            .any(|name| session.settings.contains_key(*name))
        {
            return None;
        }
        let note = Note {
            session,
            unless_local: None,
        };
        let mut note = serde_json::to_value(&note).ok()?;
        note["database"] = database.into();
        Some(note.to_string())
    }

    /// Adopts what was recorded, once it is committed.
    pub(super) fn keep(&self, recorded: Recorded) {
        *self.made() = recorded.session;
    }

    fn made(&self) -> MutexGuard<'_, SessionState> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The state of the session after the commit, if the text of the statements shows which settings end with it.
fn reported_apart(
    before: &SessionState,
    now: &SessionState,
    statements: &[Statement<'_>],
) -> Option<SessionState> {
    // By name: whether it is set for the session, and whether for the transaction.
    let mut shown: BTreeMap<String, (bool, bool)> = BTreeMap::new();
    for (name, local) in statements.iter().filter_map(pg_sql::changed_setting) {
        let entry = shown.entry(name).or_default();
        if local {
            entry.1 = true;
        } else {
            entry.0 = true;
        }
    }
    if shown.values().any(|(session, local)| *session && *local) {
        return None;
    }
    let mut after_commit = now.clone();
    let names: BTreeSet<&String> = before.settings.keys().chain(now.settings.keys()).collect();
    for name in names {
        if before.settings.get(name) == now.settings.get(name) {
            continue;
        }
        match (shown.get(&name.to_lowercase()), before.settings.get(name)) {
            (Some((true, _)), _) => {}
            (Some((false, _)), Some(value)) => {
                after_commit.settings.insert(name.clone(), value.clone());
            }
            (Some((false, _)), None) => {
                after_commit.settings.remove(name);
            }
            (None, _) => return None,
        }
    }
    Some(after_commit)
}

/// The recorded state of the session, if known.
fn known(context: &StepContext<'_>, note: Option<&str>) -> Result<SessionState, Fault> {
    let note: Option<Note> = note.and_then(|note| serde_json::from_str(note).ok());
    match note {
        Some(note)
            if note
                .unless_local
                .as_ref()
                .is_none_or(|before| before.settings == note.session.settings) =>
        {
            Ok(note.session)
        }
        _ => Err(Fault::refused(
            "the session settings that the file had made before it was interrupted are unknown"
                .to_owned(),
            undo(context),
        )),
    }
}

async fn restore(
    client: &Client,
    context: &StepContext<'_>,
    made: &SessionState,
    offset: usize,
) -> Result<(), Fault> {
    made.restore(client).await.map_err(|(name, error)| {
        let value = made.settings.get(&name).cloned().flatten();
        not_restored(context, &name, value.as_deref(), error).pointing_at(offset)
    })
}

fn undo(context: &StepContext<'_>) -> String {
    commented(
        suggest(["revert", context.service.name.as_str()]),
        format!(
            "undoes the applied part of the file; then: {}",
            context.rerun_command
        ),
    )
}

fn lost(context: &StepContext<'_>, name: &str) -> Fault {
    Fault::refused(
        format!(
            "the rest of the file uses {name}, a temporary object, prepared statement or cursor that ended with the interrupted session"
        ),
        undo(context),
    )
}

fn not_restored(
    context: &StepContext<'_>,
    name: &str,
    value: Option<&str>,
    error: tokio_postgres::Error,
) -> Fault {
    match Fault::of(error) {
        Fault::Server { error, .. } => {
            let setting = match value {
                Some(value) => format!("{name} = {value}"),
                None => format!("the default of {name}"),
            };
            Fault::refused(
                format!(
                    "the interrupted session had {setting}, which cannot be restored: {}",
                    error.message
                ),
                undo(context),
            )
        }
        lost => lost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(settings: &[(&str, &str)]) -> SessionState {
        SessionState {
            settings: settings
                .iter()
                .map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned())))
                .collect(),
            ..SessionState::default()
        }
    }

    fn after(
        before: &[(&str, &str)],
        now: &[(&str, &str)],
        texts: &[&str],
    ) -> Option<SessionState> {
        let statements: Vec<Statement<'_>> = texts
            .iter()
            .map(|text| Statement { text, offset: 0 })
            .collect();
        reported_apart(&state(before), &state(now), &statements)
    }

    #[test]
    fn the_text_shows_which_settings_outlive_a_transaction() {
        let (a, b) = (&[("search_path", "a")][..], &[("search_path", "b")][..]);
        assert_eq!(after(a, b, &["SET search_path = b"]), Some(state(b)));
        assert_eq!(after(a, b, &["SET LOCAL search_path = b"]), Some(state(a)));
        assert_eq!(
            after(&[], b, &["SET LOCAL search_path = b"]),
            Some(state(&[]))
        );
        assert_eq!(after(a, a, &["SELECT 1"]), Some(state(a)));
        let both = ["SET search_path = b", "SET LOCAL search_path = a"];
        assert_eq!(after(a, a, &both), None);
        assert_eq!(
            after(a, b, &["SELECT set_config('search_path', 'b', false)"]),
            None
        );
    }
}
