//! Files in a session: its settings, its limits, and isolation of files from each other and from our statements.
//!
//! A session runs under our settings (`own_session`) except from [`Session::enter_file`] to [`Session::leave_file`].

use std::time::Duration;

use domain::Phase;
use pg_sql::quote_identifier;
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::{Condition, Session};
use crate::Client;
use crate::advisory_lock::release_all_others;
use crate::own_session::{Scope, pin, unpin};
use crate::own_statements::Parameter;

/// Idle timeouts in milliseconds after which the server ends a session that runs files: a stopped or disconnected program
/// would keep its locks, and live traffic would queue behind them. They are shorter than the default wait for the advisory
/// lock; within a transaction shorter still, because it may hold locks that block live traffic.
pub const IDLE_TIMEOUTS: &str =
    "SET idle_in_transaction_session_timeout = 15000; SET idle_session_timeout = 45000";

/// Begins one of our transactions while a file's settings may be in effect.
pub const OWN_BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// The savepoint of [`Session::aside_within`].
const ASIDE: &str = "orchestrator_aside";

/// The deferrable constraints, and those that are initially deferred, as lists for `SET CONSTRAINTS`, which affects all
/// constraints of a name and fails for those that are not deferrable.
const DEFERRABLE: &str = "SELECT pg_catalog.string_agg(name, ', '), pg_catalog.string_agg(name, ', ') FILTER (WHERE deferred) \
    FROM (SELECT pg_catalog.format('%I.%I', n.nspname, c.conname) AS name, \
        pg_catalog.bool_and(c.condeferred) AS deferred \
      FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace \
      WHERE n.nspname !~ '^pg_' AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') \
      GROUP BY n.nspname, c.conname HAVING pg_catalog.bool_or(c.condeferrable)) AS constraints";

/// Resets what a file may have set: role and settings.
const RESET: &str = "SET SESSION AUTHORIZATION DEFAULT; RESET ROLE; RESET ALL; ";

/// Discards what a file may have created in its session, except advisory locks and prepared statements.
const DISCARD: &str = "CLOSE ALL; UNLISTEN *; DISCARD SEQUENCES; DISCARD TEMP; ";

/// Discards prepared statements, ours too.
const DEALLOCATE: &str = "DEALLOCATE ALL; ";

/// The part of it that is allowed in a transaction that is to be prepared.
const DISCARD_WITHIN: &str = "CLOSE ALL; DEALLOCATE ALL; DISCARD SEQUENCES; ";

/// The settings under which a file runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// The lock timeout of a statement, after which the engine rolls back and retries.
    pub lock_timeout: Duration,
    /// The statement timeout; zero means no limit.
    pub statement_timeout: Duration,
}

/// What a file has left in its session, as of the end of its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Whether it holds advisory locks that are not ours; `None` if that was not queried.
    pub advisory_locks: Option<bool>,
    /// Whether it has prepared statements.
    pub statements: bool,
}

impl Session {
    /// Makes the session as good as new and sets the limits of the next file: settings, role, cursors, prepared
    /// statements, temporary objects and sequence states of the last file are gone; advisory locks stay.
    ///
    /// `DISCARD ALL` would be shorter, but it drops the advisory lock.
    pub async fn prepare(
        &mut self,
        settings: &SessionSettings,
    ) -> Result<(), tokio_postgres::Error> {
        self.settings = *settings;
        let discard = self.discard();
        match self.reset(&discard, settings.statement_timeout).await {
            Err(error) if self.refuses_client_check(&error) => {
                self.reset(&discard, settings.statement_timeout).await?;
            }
            set => set?,
        }
        self.condition = Condition::Used;
        Ok(())
    }

    /// The same as [`Self::prepare`] and [`Self::enter_file`], with the begin of the file's transaction, in one round trip. `kept` is a
    /// statement of ours that stays prepared; without one, none does. Returns the answers to `question`, asked under the settings of the
    /// file.
    pub async fn begin_file(
        &mut self,
        settings: &SessionSettings,
        kept: Option<(&str, &[Type])>,
        question: &str,
    ) -> Result<Vec<SimpleQueryMessage>, tokio_postgres::Error> {
        let _measured = Phase::Begin.begin();
        self.settings = *settings;
        let discard = match self.condition {
            Condition::Reset { .. } => None,
            Condition::Fresh | Condition::Used => Some(self.discard()),
        };
        self.condition = Condition::Used;
        let begun = self
            .reset_and_begin(discard.as_deref(), kept, question)
            .await;
        match begun {
            Err(error) if self.refuses_client_check(&error) => {
                self.client().batch_execute("ROLLBACK").await?;
                self.reset_and_begin(discard.as_deref(), kept, question)
                    .await
            }
            begun => begun,
        }
    }

    async fn reset_and_begin(
        &self,
        discard: Option<&str>,
        kept: Option<(&str, &[Type])>,
        question: &str,
    ) -> Result<Vec<SimpleQueryMessage>, tokio_postgres::Error> {
        // The limits of the file are set last: they count from then on.
        let begin = format!(
            "BEGIN; {}SET lock_timeout = {}; SET statement_timeout = {}; {question}",
            unpin(),
            self.settings.lock_timeout.as_millis(),
            self.settings.statement_timeout.as_millis()
        );
        tokio::try_join!(
            biased;
            async {
                match discard {
                    Some(discard) => self.reset(discard, Duration::ZERO).await,
                    None => Ok(()),
                }
            },
            async {
                match kept {
                    Some((sql, types)) => self.statements.keep(self.client(), sql, types).await,
                    None => {
                        self.statements.forget();
                        Ok(())
                    }
                }
            },
            self.client().simple_query(&begin),
        )
        .map(|((), (), answers)| answers)
    }

    /// Commits the transaction of a file, and discards what the file left in its session, in one round trip. Its settings were reset before
    /// ([`Self::leave_file_in_transaction`]).
    pub async fn commit_file(&mut self, left: Left) -> Result<(), tokio_postgres::Error> {
        let _measured = Phase::Commit.begin();
        let mut discard = if left.statements {
            self.discard()
        } else {
            DISCARD.to_owned()
        };
        if left.advisory_locks.is_none() {
            discard.push_str(&release_all_others());
        }
        let (committed, discarded) = tokio::join!(
            biased;
            self.client().batch_execute("COMMIT"),
            self.client().batch_execute(&discard),
        );
        committed?;
        if discarded.is_ok() {
            self.condition = Condition::Reset {
                keeps_locks: left.advisory_locks == Some(true),
            };
        }
        Ok(())
    }

    /// Whether a file may hold advisory locks in this session.
    pub(crate) fn may_keep_locks(&self) -> bool {
        match self.condition {
            Condition::Reset { keeps_locks } => keeps_locks,
            Condition::Fresh | Condition::Used => true,
        }
    }

    /// Runs one of our statements: the prepared one, if there is one.
    pub async fn own_query(
        &self,
        sql: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<tokio_postgres::Row>, tokio_postgres::Error> {
        self.statements.query(self.client(), sql, parameters).await
    }

    /// Whether a statement of ours failed since the last call because a file had deallocated it. The next attempt does without.
    pub fn were_statements_deallocated(&self) -> bool {
        self.statements.were_deallocated()
    }

    /// What discards everything that files have left, our own prepared statements too.
    fn discard(&self) -> String {
        match self.condition {
            Condition::Fresh => String::new(),
            Condition::Used | Condition::Reset { .. } => {
                self.statements.forget();
                format!("{DISCARD}{DEALLOCATE}")
            }
        }
    }

    /// Whether the server refused [`Self::checks_client`], which is not used again then.
    fn refuses_client_check(&mut self, error: &tokio_postgres::Error) -> bool {
        let is_code = error.code() == Some(&SqlState::INVALID_PARAMETER_VALUE);
        is_code && std::mem::replace(&mut self.checks_client, false)
    }

    /// The same before another attempt at a file that resumes: what it created in its session, temporary objects and prepared
    /// statements, stays.
    pub async fn prepare_again(
        &mut self,
        settings: &SessionSettings,
    ) -> Result<(), tokio_postgres::Error> {
        self.settings = *settings;
        self.reset("", settings.statement_timeout).await
    }

    /// The same between two files of one transaction that is to be prepared: temporary objects or notifications would prevent that,
    /// so there are none to discard.
    pub async fn prepare_within(
        &mut self,
        settings: &SessionSettings,
    ) -> Result<(), tokio_postgres::Error> {
        self.settings = *settings;
        self.condition = Condition::Used;
        self.statements.forget();
        self.reset(DISCARD_WITHIN, settings.statement_timeout).await
    }

    async fn reset(
        &self,
        discard: &str,
        statement_timeout: Duration,
    ) -> Result<(), tokio_postgres::Error> {
        let own = self.own(statement_timeout);
        self.unlimited("SET", &format!("{RESET}{discard}{own}"))
            .await
    }

    /// Sends our statements while a file's limits may be in effect. A statement timeout counts from the start of its message: a limit of
    /// one millisecond could expire before it is lifted if both were in the same message.
    async fn unlimited(&self, set: &str, sql: &str) -> Result<(), tokio_postgres::Error> {
        let lift = format!("{set} statement_timeout = 0");
        // One round trip: the client pipelines futures that are polled together.
        tokio::try_join!(
            biased;
            self.client().batch_execute(&lift),
            self.client().batch_execute(sql),
        )
        .map(drop)
    }

    /// Sets our settings and the limits of the current file. Preceded by [`RESET`], it does not depend on earlier settings.
    fn own(&self, statement_timeout: Duration) -> String {
        // The server notices a client that was killed while a statement runs.
        let check_client = if self.checks_client {
            "; SET client_connection_check_interval = 2000"
        } else {
            ""
        };
        format!(
            "{}SET lock_timeout = {}; SET statement_timeout = {}; {IDLE_TIMEOUTS}{check_client}",
            pin(self.connection.login.major, Scope::FileSession),
            self.settings.lock_timeout.as_millis(),
            statement_timeout.as_millis(),
        )
    }

    /// Makes the server end this session if we become silent: the holder of the advisory lock must not keep it forever.
    pub async fn guard(&self) -> Result<(), tokio_postgres::Error> {
        self.client().batch_execute(IDLE_TIMEOUTS).await
    }

    /// Until [`Self::leave_file`], the settings of the database are in effect, as in a session of psql. Meanwhile, our queries must
    /// go through [`Self::aside`] and [`Self::aside_within`].
    pub async fn enter_file(&self) -> Result<(), tokio_postgres::Error> {
        self.client().batch_execute(&unpin()).await
    }

    /// Restores our role and settings, whatever a file changed. In a transaction, this is undone if it is rolled
    /// back. The wait for a lock stays limited, since the transaction may hold others.
    pub async fn leave_file(&self) -> Result<(), tokio_postgres::Error> {
        self.reset("", Duration::ZERO).await
    }

    /// The same at the end of the file's transaction: deferred constraints are checked first, under the settings of the file, rather than in
    /// COMMIT, where the server names no statement. Returns the answers to `question`, asked before.
    pub async fn leave_file_in_transaction(
        &self,
        question: &str,
    ) -> Result<Vec<SimpleQueryMessage>, tokio_postgres::Error> {
        // Lifts the statement timeout in the message before that of our statements, as `unlimited`.
        let last = format!("{question}; SET CONSTRAINTS ALL IMMEDIATE; SET statement_timeout = 0");
        let reset = format!("{RESET}{}", self.own(Duration::ZERO));
        tokio::try_join!(
            biased;
            self.client().simple_query(&last),
            self.client().batch_execute(&reset),
        )
        .map(|(answers, ())| answers)
    }

    /// The same in a transaction that continues with another file. `SET CONSTRAINTS ALL` would also affect that file and what it
    /// creates, so the existing constraints are checked by name, and then deferred again if they are initially deferred.
    pub async fn leave_file_within(&self) -> Result<(), tokio_postgres::Error> {
        let rows = self
            .aside_within(async |client| client.query_typed(DEFERRABLE, &[]).await)
            .await?;
        let names = |index| {
            let row = rows.first();
            row.and_then(|row| row.get::<_, Option<String>>(index))
        };
        let mut constraints = String::new();
        if let Some(all) = names(0) {
            constraints.push_str(&format!("SET CONSTRAINTS {all} IMMEDIATE; "));
        }
        if let Some(deferred) = names(1) {
            constraints.push_str(&format!("SET CONSTRAINTS {deferred} DEFERRED; "));
        }
        tokio::try_join!(
            biased;
            self.client().batch_execute(&constraints),
            self.leave_file(),
        )
        .map(drop)
    }

    /// Runs our query while a file is in effect, outside of any transaction: in one of its own.
    pub async fn aside<T>(
        &self,
        work: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, tokio_postgres::Error> {
        let client = self.client();
        let own = self.own_to_the_end();
        tokio::try_join!(
            biased;
            client.batch_execute(OWN_BEGIN),
            self.unlimited("SET LOCAL", &own),
        )?;
        let worked = work(client).await;
        let ended = client
            .batch_execute(if worked.is_ok() { "COMMIT" } else { "ROLLBACK" })
            .await;
        let worked = worked?;
        ended?;
        Ok(worked)
    }

    /// The same within a transaction of the file, whose state is preserved.
    pub async fn aside_within<T>(
        &self,
        work: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, tokio_postgres::Error> {
        let client = self.client();
        let savepoint = format!("SAVEPOINT {ASIDE}");
        let own = self.own_to_the_end();
        tokio::try_join!(
            biased;
            client.batch_execute(&savepoint),
            self.unlimited("SET LOCAL", &own),
        )?;
        let worked = work(client).await;
        let ended = client
            .batch_execute(&format!(
                "ROLLBACK TO SAVEPOINT {ASIDE}; RELEASE SAVEPOINT {ASIDE}"
            ))
            .await;
        let worked = worked?;
        ended?;
        Ok(worked)
    }

    /// Sets `lock_timeout` for one statement and returns its previous value.
    pub async fn exchange_lock_timeout(
        &self,
        value: &str,
    ) -> Result<String, tokio_postgres::Error> {
        let rows = self
            .client()
            .query_typed(
                "SELECT pg_catalog.current_setting('lock_timeout'), pg_catalog.set_config('lock_timeout', $1, false)",
                &[(&value, Type::TEXT)],
            )
            .await?;
        Ok(rows.first().map(|row| row.get(0)).unwrap_or_default())
    }

    /// Inside a transaction of a file that continues afterwards: checks deferred constraints, then sets our role and settings until the
    /// end of the transaction, so that history, journal and progress can be written. The wait for a lock stays limited, since the
    /// transaction may hold others.
    pub async fn become_bookkeeper(&self) -> Result<(), tokio_postgres::Error> {
        let own = self.own_to_the_end();
        tokio::try_join!(
            biased;
            self.client().batch_execute("SET CONSTRAINTS ALL IMMEDIATE"),
            self.unlimited("SET LOCAL", &own),
        )
        .map(drop)
    }

    /// The SQL that sets our role and settings until the end of the transaction.
    fn own_to_the_end(&self) -> String {
        let role = match self.facts.role.as_str() {
            "none" => "NONE".to_owned(),
            role => quote_identifier(role),
        };
        format!(
            "SET LOCAL SESSION AUTHORIZATION DEFAULT; SET LOCAL ROLE {role}; {}SET LOCAL lock_timeout = {}",
            pin(self.connection.login.major, Scope::Transaction),
            self.settings.lock_timeout.as_millis()
        )
    }
}
