//! A session: one connection and what is known about its database.
//!
//! How files run in it is in `file`.

mod file;

use std::time::Duration;

use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::types::{ToSql, Type};

use super::backoff::within;
use super::bookkeeping::split_name;
use super::bookkeeping::{Bookkeeping, Unusable, searched};
use super::connect::connect_and_ask;
use super::connections::Permit;
use super::own_statements::OwnStatements;
use super::stall::SessionHandle;
use super::{Client, ConnectError, ConnectOptions, Connection, ordinary};
use domain::Phase;
use pg_address::DatabaseAddress;
use pg_sql::quote_identifier;

pub use file::{IDLE_TIMEOUTS, Left, OWN_BEGIN, SessionSettings};

/// How long history and journal wait for a lock if no file's limit applies.
const BOOKKEEPING_LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// One connection to one service's database.
pub struct Session {
    pub(super) connection: Connection,
    address: DatabaseAddress,
    facts: Facts,
    permit: Option<Permit>,
    condition: Condition,
    statements: OwnStatements,
    settings: SessionSettings,
    /// Whether the server supports `client_connection_check_interval`: on some platforms it refuses any value but 0.
    checks_client: bool,
}

/// What files have left in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    /// No file has run in it.
    Fresh,
    /// A file has run in it.
    Used,
    /// A file has run in it, and everything of it is gone, except possibly advisory locks.
    Reset { keeps_locks: bool },
}

/// What is queried once, right after connecting.
#[derive(Clone, Debug)]
struct Facts {
    role: String,
    bookkeeping: Bookkeeping,
    /// The schema where the history would be created.
    expected_schema: String,
    /// Whether that schema exists.
    has_expected_schema: bool,
    read_only: bool,
    /// Whether the journal's rows are chained: the key of an older journal has another name.
    journal_chained: bool,
    /// Whether something of an atomic release is prepared in this database.
    in_doubt: bool,
    default_privileges: bool,
}

impl Session {
    /// Connects and queries the state of the database. Writes nothing. `history_table` is `name` or `schema.name`.
    pub(super) async fn open(
        address: &DatabaseAddress,
        options: &ConnectOptions,
        history_table: &str,
        permit: Option<Permit>,
    ) -> Result<Self, ConnectError> {
        let question = ordinary::question(history_table);
        let mut connection = connect_and_ask(address, options, &question).await?;
        let answers = std::mem::take(&mut connection.answers);
        let _measured = Phase::Session.begin();
        // A server that accepts the login and then stays silent must not hang us.
        let looking = Facts::judge(&connection, &answers, address, history_table);
        let facts = within(super::attempt::limit(address, options), looking)
            .await
            .map_err(|error| ConnectError::unreachable(address, error))?;
        let facts = facts.map_err(|error| ConnectError::classify(address, error))?;
        let session = Self {
            connection,
            address: address.clone(),
            facts,
            permit,
            condition: Condition::Fresh,
            statements: OwnStatements::default(),
            settings: SessionSettings {
                lock_timeout: BOOKKEEPING_LOCK_TIMEOUT,
                statement_timeout: Duration::ZERO,
            },
            checks_client: true,
        };
        session.refuse_unusable()?;
        Ok(session)
    }

    /// The client, for statements.
    pub fn client(&self) -> &Client {
        &self.connection.client
    }

    /// The address of the connection.
    pub fn address(&self) -> &DatabaseAddress {
        &self.address
    }

    /// The server process of this session.
    pub fn pid(&self) -> i32 {
        self.connection.login.pid
    }

    /// What a second connection needs to check this session.
    pub fn handle(&self) -> SessionHandle {
        self.connection.handle.clone()
    }

    /// Whether the connection is direct, with no pooler that takes part in the protocol.
    pub fn is_direct(&self) -> bool {
        self.connection.login.direct
    }

    /// Returns the permit of the connection. For a lost one: determining the outcome of its work needs another connection, which
    /// would never be free if lost sessions held all permits. For one held during a whole run: it would prevent others from
    /// starting.
    pub fn release_permit(&mut self) {
        self.permit = None;
    }

    /// Whether the server is read-only (a standby, or `default_transaction_read_only`).
    pub fn is_read_only(&self) -> bool {
        self.facts.read_only
    }

    /// A handle that cancels the current statement, from any task.
    pub fn cancel_handle(&self) -> super::CancelHandle {
        self.connection.cancel.clone()
    }

    /// The role that runs our statements.
    pub fn user(&self) -> &str {
        match self.facts.role.as_str() {
            "none" => self.address.user(),
            role => role,
        }
    }

    /// The schema in which the history table is, or would be created.
    pub fn history_schema(&self) -> &str {
        let found = self.facts.bookkeeping.history_schema.as_deref();
        found.unwrap_or(&self.facts.expected_schema)
    }

    /// The missing schema of the history, and the SQL that creates it.
    pub fn missing_schema(&self) -> Option<(&str, String)> {
        let schema = self.facts.expected_schema.as_str();
        (!self.has_history() && !self.facts.has_expected_schema).then(|| {
            let (name, user) = (quote_identifier(schema), quote_identifier(self.user()));
            (schema, format!("CREATE SCHEMA {name} AUTHORIZATION {user}"))
        })
    }

    /// Whether schema `orchestrator` exists.
    pub fn has_own_schema(&self) -> bool {
        self.facts.bookkeeping.has_schema
    }

    /// Whether the history table exists.
    pub fn has_history(&self) -> bool {
        self.facts.bookkeeping.history_schema.is_some()
    }

    /// Whether `orchestrator.progress` exists.
    pub fn has_progress(&self) -> bool {
        self.has_table("progress")
    }

    /// Whether `orchestrator.compensation` exists.
    pub fn has_compensation(&self) -> bool {
        self.has_table("compensation")
    }

    fn has_table(&self, name: &str) -> bool {
        self.facts.bookkeeping.tables.contains(name)
    }

    fn mark_table(&mut self, name: &str) {
        self.facts.bookkeeping.tables.insert(name.to_owned());
    }

    /// Whether all optional tables are known to exist; otherwise they may have been created since the last check.
    pub fn knows_all_tables(&self) -> bool {
        self.is_installed(true) && self.has_compensation()
    }

    /// Records that the compensation table exists.
    pub fn mark_compensation_installed(&mut self) {
        self.mark_table("compensation");
    }

    /// Whether `orchestrator.journal` exists.
    pub fn has_journal(&self) -> bool {
        self.has_table("journal")
    }

    /// Whether a journal exists whose rows are not chained yet.
    pub fn has_unchained_journal(&self) -> bool {
        self.has_journal() && !self.facts.journal_chained
    }

    /// Whether a transaction of an atomic release was prepared in this database at the last check.
    pub fn is_in_doubt(&self) -> bool {
        self.facts.in_doubt
    }

    /// Whether default privileges may grant others access to new objects in this database.
    pub fn has_default_privileges(&self) -> bool {
        self.facts.default_privileges
    }

    /// The quoted, qualified name of the history table.
    pub fn qualified_history(&self, history_table: &str) -> String {
        let (_, table) = split_name(history_table);
        let table = quote_identifier(table);
        format!("{}.{table}", quote_identifier(self.history_schema()))
    }

    /// Whether the tables that a kind of file needs exist: history and journal, and progress for one that runs
    /// statement by statement.
    pub fn is_installed(&self, with_progress: bool) -> bool {
        self.has_history()
            && self.has_journal()
            && self.facts.journal_chained
            && (!with_progress || self.has_progress())
    }

    /// Records that those tables have just been created.
    pub fn mark_installed(&mut self, with_progress: bool) {
        self.facts.bookkeeping.history_schema = Some(self.history_schema().to_owned());
        self.mark_table("journal");
        self.facts.bookkeeping.has_schema = true;
        self.facts.journal_chained = true;
        if with_progress {
            self.mark_table("progress");
        }
    }

    /// Checks again: another run may have created the history table meanwhile.
    pub async fn refresh(&mut self, history_table: &str) -> Result<(), tokio_postgres::Error> {
        let question = ordinary::question(history_table);
        let answers = self.client().simple_query(&question).await?;
        self.facts = Facts::judge(&self.connection, &answers, &self.address, history_table).await?;
        Ok(())
    }

    /// Refuses tables with our names that are not ours, or may not be read, as of the last check.
    pub fn refuse_unusable(&self) -> Result<(), ConnectError> {
        self.refuse(self.facts.bookkeeping.unusable.as_ref())
    }

    /// The same, and tables that may not be written: a session that runs a file must be able to record it.
    pub fn refuse_unwritable(&self) -> Result<(), ConnectError> {
        self.refuse_unusable()?;
        self.refuse(self.facts.bookkeeping.unwritable.as_ref())
    }

    fn refuse(&self, unusable: Option<&Unusable>) -> Result<(), ConnectError> {
        match unusable {
            None => Ok(()),
            Some(unusable) => Err(ConnectError::Bookkeeping {
                address: self.address.to_string(),
                message: unusable.message.clone(),
                next: unusable.next.clone(),
            }),
        }
    }

    /// Server messages received since the last call.
    pub fn take_notices(&mut self) -> Vec<tokio_postgres::error::DbError> {
        std::iter::from_fn(|| self.connection.notices.try_recv().ok()).collect()
    }
}

impl Facts {
    /// Judges the answers to [`ordinary::question`], and queries what else is needed where our tables are missing or unusual.
    async fn judge(
        connection: &Connection,
        answers: &[SimpleQueryMessage],
        address: &DatabaseAddress,
        history_table: &str,
    ) -> Result<Self, tokio_postgres::Error> {
        let (client, login) = (&connection.client, &connection.login);
        let (schema, table) = split_name(history_table);
        let expected = schema.or(login.schemas.first().map(String::as_str));
        let expected = expected.unwrap_or("public").to_owned();
        let seen = ordinary::judge(answers, &searched(login, history_table), history_table);
        let mut facts = Self {
            role: seen.role,
            expected_schema: expected,
            has_expected_schema: true,
            read_only: seen.read_only,
            journal_chained: seen.journal_chained,
            in_doubt: seen.in_doubt,
            // Not known: the tables that are still created later are protected in any case.
            default_privileges: true,
            bookkeeping: Bookkeeping::default(),
        };
        if let Some(found) = seen.complete {
            facts.bookkeeping = found;
            return Ok(facts);
        }
        // Names are resolved by functions rather than by joins over the catalog, which cost a new session ten times as much.
        let question = "SELECT EXISTS (SELECT FROM pg_catalog.pg_default_acl), \
               pg_catalog.to_regnamespace(pg_catalog.quote_ident($1)) IS NOT NULL, \
               EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.typname = $2 AND t.typrelid = 0 \
                 AND (t.typarray <> 0 OR t.typtype <> 'b'))";
        let parameters: [(&(dyn ToSql + Sync), Type); 2] =
            [(&facts.expected_schema, Type::TEXT), (&table, Type::TEXT)];
        let rows = client.query_typed(question, &parameters).await?;
        let row = &rows[0];
        facts.default_privileges = row.get(0);
        facts.has_expected_schema = row.get(1);
        if !seen.is_empty || row.get(2) {
            let reading = Bookkeeping::read(client, login, address.database(), history_table);
            facts.bookkeeping = reading.await?;
        }
        Ok(facts)
    }
}
