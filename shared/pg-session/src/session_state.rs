//! The session state that a file creates, so that a resumed file finds it again.
//!
//! Responsible for: reading the settings that statements and functions changed (role included), temporary objects, prepared
//! statements and cursors from the server, and restoring the settings. Not for what is recorded when (`runner::resumption`).

use pg_sql::quote_identifier;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, SimpleQueryMessage};

use super::Client;
use super::session::OWN_BEGIN;

/// The settings that are restored last: the role, since it may lack the privilege to set the others, and then the limit that could abort
/// the others.
const LAST: [&str; 3] = ["session_authorization", "role", STATEMENT_TIMEOUT];

const STATEMENT_TIMEOUT: &str = "statement_timeout";

/// The savepoint after which the limit of the file is lifted.
const SAVEPOINT: &str = "orchestrator_state";

/// It runs under the settings of the file, so nothing may be resolved by `search_path`: operators are qualified, too.
/// `transaction_…` belong to a transaction and not to the session.
const READ: &str = "SELECT 'setting', s.name, s.setting FROM pg_catalog.pg_settings s \
      WHERE s.source OPERATOR(pg_catalog.=) 'session' AND s.name OPERATOR(pg_catalog.<>) \
        ALL ('{transaction_isolation,transaction_read_only,transaction_deferrable}'::pg_catalog.text[]) \
    UNION ALL SELECT 'setting', c.name, pg_catalog.current_setting(c.name, true) \
      FROM pg_catalog.unnest(pg_catalog.array_cat($1, '{role,session_authorization}'::pg_catalog.text[])) AS c(name) \
      WHERE pg_catalog.current_setting(c.name, true) IS NOT NULL \
    UNION ALL SELECT 'object', r.relname::pg_catalog.text, NULL FROM pg_catalog.pg_class r \
      WHERE r.relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema() \
        AND r.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,S,f}'::pg_catalog.\"char\"[]) \
    UNION ALL SELECT 'object', p.proname::pg_catalog.text, NULL FROM pg_catalog.pg_proc p \
      WHERE p.pronamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema() \
    UNION ALL SELECT 'object', e.name, NULL FROM pg_catalog.pg_prepared_statements e WHERE e.from_sql \
    UNION ALL SELECT 'object', k.name, NULL FROM pg_catalog.pg_cursors k WHERE k.is_holdable";

/// What distinguishes a session from a fresh one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionState {
    /// The settings with their values. Relative to a fresh session: those that differ, `None` if one was reset.
    pub settings: BTreeMap<String, Option<String>>,
    /// The names of temporary objects, prepared statements and cursors, which end with the session.
    pub objects: BTreeSet<String>,
}

impl SessionState {
    /// Reads it from the server. `custom` are names of custom settings, which the server does not list; `within` is whether a
    /// transaction of the file is open; its state is preserved.
    ///
    /// The file's own `statement_timeout` could abort this query, so it is saved and lifted first.
    pub async fn read(
        client: &Client,
        custom: &BTreeSet<String>,
        within: bool,
    ) -> Result<Self, Error> {
        let custom: Vec<&str> = custom.iter().map(String::as_str).collect();
        let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&custom, Type::TEXT_ARRAY)];
        let (begin, end) = if within {
            (
                format!("SAVEPOINT {SAVEPOINT}"),
                format!("ROLLBACK TO SAVEPOINT {SAVEPOINT}; RELEASE {SAVEPOINT}"),
            )
        } else {
            (OWN_BEGIN.to_owned(), "ROLLBACK".to_owned())
        };
        // One round trip: the client pipelines futures that are polled together. One message each: the time of a statement counts
        // from the start of its message.
        let (_, limit, _, rows, _) = tokio::try_join!(
            biased;
            client.batch_execute(&begin),
            client.simple_query("SHOW statement_timeout"),
            client.batch_execute("SET LOCAL statement_timeout = 0"),
            client.query_typed(READ, &parameters),
            client.batch_execute(&end),
        )?;
        let mut state = Self::default();
        for row in &rows {
            let (kind, name): (&str, String) = (row.try_get(0)?, row.try_get(1)?);
            if kind == "setting" {
                state.settings.insert(name, row.try_get(2)?);
            } else {
                state.objects.insert(name);
            }
        }
        let limit = limit.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        if let Some(limit) = limit {
            let limit = Some(limit.to_owned());
            state.settings.insert(STATEMENT_TIMEOUT.to_owned(), limit);
        }
        Ok(state)
    }

    /// The part of this state that a fresh session lacks.
    pub fn since(mut self, fresh: &Self) -> Self {
        let is_default = |name: &str| fresh.settings.contains_key(name) && !LAST.contains(&name);
        let reset: Vec<String> = fresh
            .settings
            .keys()
            .filter(|name| is_default(name) && !self.settings.contains_key(*name))
            .cloned()
            .collect();
        self.settings
            .retain(|name, value| fresh.settings.get(name) != Some(value));
        self.settings
            .extend(reset.into_iter().map(|name| (name, None)));
        self
    }

    /// Restores the settings in a fresh session. Returns the one that the server refused, with its error.
    pub async fn restore(&self, client: &Client) -> Result<(), (String, Error)> {
        let order = |name: &str| LAST.iter().position(|last| *last == name);
        let mut settings: Vec<_> = self.settings.iter().collect();
        settings.sort_by_key(|(name, _)| order(name));
        for (name, value) in settings {
            let made = match value {
                Some(value) => client
                    .query_typed(
                        "SELECT pg_catalog.set_config($1, $2, false)",
                        &[(name, Type::TEXT), (value, Type::TEXT)],
                    )
                    .await
                    .map(drop),
                None => {
                    let quoted: Vec<String> = name.split('.').map(quote_identifier).collect();
                    client
                        .batch_execute(&format!("RESET {}", quoted.join(".")))
                        .await
                }
            };
            made.map_err(|error| (name.clone(), error))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::SessionState;

    fn state(settings: &[(&str, &str)], objects: &[&str]) -> SessionState {
        SessionState {
            settings: settings
                .iter()
                .map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned())))
                .collect(),
            objects: objects.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn a_state_is_what_a_fresh_session_does_not_have() {
        let fresh = state(&[("lock_timeout", "2000"), ("role", "none")], &[]);
        let now = state(&[("role", "app"), ("search_path", "a")], &["work"]);
        let since = now.since(&fresh);
        let mut expected = state(&[("role", "app"), ("search_path", "a")], &["work"]);
        expected.settings.insert("lock_timeout".to_owned(), None);
        assert_eq!(since, expected);
        assert_eq!(fresh.clone().since(&fresh), SessionState::default());
    }
}
