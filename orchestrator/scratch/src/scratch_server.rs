//! One server on which a command makes scratch databases.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use domain::with_causes;
use futures_util::future::join_all;
use pg_address::DatabaseAddress;
use pg_session::{
    ConnectError, Connection, Connections, advisory_unlock, copy_strategy, try_advisory_lock,
};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::{ScratchError, name};

/// One server on which a command makes scratch databases.
pub struct ScratchServer {
    address: DatabaseAddress,
    connections: Arc<Connections>,
    /// Creates and drops databases. Holds the advisory lock that marks the databases as owned by a running command.
    admin: Connection,
    /// Of `CREATE DATABASE`.
    copy_strategy: &'static str,
    owner: Uuid,
    created: AtomicUsize,
    databases: Mutex<BTreeSet<String>>,
    /// Those of them that are no longer needed.
    discarded: Mutex<Vec<DatabaseAddress>>,
}

/// The number of databases that are dropped together before the command ends.
const DROPPED_AT_ONCE: usize = 8;

impl ScratchServer {
    /// Connects, and drops the databases of dead commands.
    pub async fn open(
        connections: Arc<Connections>,
        address: DatabaseAddress,
    ) -> Result<Self, ScratchError> {
        let admin = connections
            .keep(&address)
            .await
            .map_err(|error| ScratchError::connect(&error))?;
        let owner = Uuid::now_v7();
        let server = Self {
            connections,
            copy_strategy: copy_strategy(&admin).await,
            admin,
            owner,
            created: AtomicUsize::new(0),
            databases: Mutex::default(),
            discarded: Mutex::default(),
            address,
        };
        // Before the first database is created: otherwise another command could find it with a free lock and drop it.
        server.try_lock(owner).await?;
        server.drop_leftovers().await?;
        Ok(server)
    }

    /// Creates an empty scratch database. It exists until [`Self::drop_database`] or [`Self::drop_all`].
    pub async fn create_database(&self) -> Result<DatabaseAddress, ScratchError> {
        let address = self.new_address();
        let created = self.connections.create_database(&address).await;
        let created =
            created.map_err(|error| ScratchError::creating(&self.address.server_key(), &error));
        self.configured(address, created.map(drop)).await
    }

    /// The address of the next database. From now on the database is dropped at the end.
    fn new_address(&self) -> DatabaseAddress {
        let number = self.created.fetch_add(1, Ordering::Relaxed) + 1;
        let name = name::database(self.owner, number);
        self.databases().insert(name.clone());
        self.address.with_database(name)
    }

    /// Configures a database, if it was created.
    async fn configured(
        &self,
        address: DatabaseAddress,
        created: Result<(), ScratchError>,
    ) -> Result<DatabaseAddress, ScratchError> {
        match created {
            Ok(()) => self.configure(&address).await,
            Err(error) => {
                self.databases().remove(address.database());
                return Err(error);
            }
        }
        Ok(address)
    }

    /// Copies a scratch database without connections. PostgreSQL waits about 5 seconds for sessions that are still
    /// disconnecting.
    pub async fn copy_database(
        &self,
        original: &DatabaseAddress,
    ) -> Result<DatabaseAddress, ScratchError> {
        let address = self.new_address();
        let statement = format!(
            "CREATE DATABASE {} TEMPLATE {}{}",
            pg_sql::quote_identifier(address.database()),
            pg_sql::quote_identifier(original.database()),
            self.copy_strategy
        );
        let created = self.admin.client.batch_execute(&statement).await;
        let created =
            created.map_err(|error| ScratchError::query(&self.address.server_key(), &error));
        self.configured(address, created).await
    }

    /// Keeps other roles out, since migrations would find the objects that they create. Turns off `synchronous_commit`:
    /// the contents need not survive a crash.
    async fn configure(&self, address: &DatabaseAddress) {
        let database = pg_sql::quote_identifier(address.database());
        for statement in [
            format!("REVOKE CONNECT, TEMPORARY ON DATABASE {database} FROM PUBLIC"),
            format!("ALTER DATABASE {database} SET synchronous_commit = off"),
        ] {
            if let Err(error) = self.admin.client.batch_execute(&statement).await {
                tracing::warn!(error = %with_causes(&error), "cannot configure the scratch database");
            }
        }
    }

    /// Creates an empty scratch database with further options of `CREATE DATABASE`, such as an encoding or a locale.
    pub async fn create_database_with(
        &self,
        options: &str,
    ) -> Result<DatabaseAddress, ScratchError> {
        let address = self.new_address();
        let statement = format!(
            "CREATE DATABASE {} TEMPLATE template0{} {options}",
            pg_sql::quote_identifier(address.database()),
            self.copy_strategy
        );
        let created = self.admin.client.batch_execute(&statement).await;
        let created = created.map_err(|error| match error.code() {
            Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                ScratchError::connect(&ConnectError::creating(&address, error))
            }
            _ => ScratchError::query(&self.address.server_key(), &error),
        });
        self.configured(address, created).await
    }

    /// Drops a scratch database soon, together with others: each `DROP DATABASE` waits for a checkpoint, which writes what all other
    /// databases have changed.
    pub async fn discard_database(&self, database: &DatabaseAddress) {
        let together = {
            let mut discarded = self.discarded();
            discarded.push(database.clone());
            match discarded.len() >= DROPPED_AT_ONCE {
                true => std::mem::take(&mut *discarded),
                false => Vec::new(),
            }
        };
        join_all(together.iter().map(|it| self.drop_database(it))).await;
    }

    /// Drops a scratch database and terminates its sessions. A failure is only logged: the next command
    /// retries.
    pub async fn drop_database(&self, database: &DatabaseAddress) {
        match self.connections.drop_database(database).await {
            Ok(()) => {
                self.databases().remove(database.database());
            }
            Err(error) => tracing::warn!(
                database = database.database(),
                error = with_causes(&error),
                "cannot drop a scratch database; the next command that uses scratch databases retries"
            ),
        }
    }

    /// Drops every remaining scratch database, after an error or a cancellation.
    pub async fn drop_all(&self) {
        self.discarded().clear();
        let databases: Vec<DatabaseAddress> = self
            .databases()
            .iter()
            .map(|database| self.address.with_database(database.clone()))
            .collect();
        join_all(databases.iter().map(|it| self.drop_database(it))).await;
    }

    /// The version of the server, such as `15.18`.
    pub async fn version(&self) -> Result<String, ScratchError> {
        let rows = self
            .query("SELECT pg_catalog.current_setting('server_version')", &[])
            .await?;
        Ok(rows.first().map(|row| row.get(0)).unwrap_or_default())
    }

    /// The major version of the server.
    pub async fn major(&self) -> Result<i32, ScratchError> {
        let version = self.version().await?;
        let digits = version.find(|c: char| !c.is_ascii_digit());
        Ok(version[..digits.unwrap_or(version.len())]
            .parse()
            .unwrap_or_default())
    }

    /// Creates missing roles, without login or privileges. They are not dropped.
    pub async fn provide_roles(&self, roles: &[String]) {
        for role in roles {
            super::roles::create(self, role).await;
        }
    }

    /// The connection for statements about the whole server.
    pub(super) fn admin(&self) -> &pg_session::Client {
        &self.admin.client
    }

    async fn drop_leftovers(&self) -> Result<(), ScratchError> {
        let rows = self
            .query(
                "SELECT datname::text FROM pg_catalog.pg_database WHERE NOT datistemplate ORDER BY 1",
                &[],
            )
            .await?;
        for row in rows {
            let database: String = row.get(0);
            let Some(owner) = name::owner(&database).filter(|owner| *owner != self.owner) else {
                continue;
            };
            if self.try_lock(owner).await? {
                tracing::info!(database, "dropping the scratch database of a dead command");
                self.drop_database(&self.address.with_database(database))
                    .await;
                self.unlock(owner).await?;
            }
        }
        Ok(())
    }

    async fn try_lock(&self, owner: Uuid) -> Result<bool, ScratchError> {
        let locked = try_advisory_lock(&self.admin.client, name::lock_key(owner)).await;
        locked.map_err(|error| self.failed(&error))
    }

    async fn unlock(&self, owner: Uuid) -> Result<(), ScratchError> {
        let unlocked = advisory_unlock(&self.admin.client, name::lock_key(owner)).await;
        unlocked.map(drop).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &tokio_postgres::Error) -> ScratchError {
        ScratchError::query(&self.address.server_key(), error)
    }

    async fn query(
        &self,
        sql: &str,
        parameters: &[(&(dyn tokio_postgres::types::ToSql + Sync), Type)],
    ) -> Result<Vec<tokio_postgres::Row>, ScratchError> {
        self.admin
            .client
            .query_typed(sql, parameters)
            .await
            .map_err(|error| self.failed(&error))
    }

    fn discarded(&self) -> std::sync::MutexGuard<'_, Vec<DatabaseAddress>> {
        self.discarded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn databases(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.databases
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
