//! One server on which a command makes scratch databases.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use shared::config::DatabaseAddress;
use shared::domain::with_causes;
use shared::postgres::{ConnectError, Connection, Connections};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::{ScratchError, name};

/// One server on which a command makes scratch databases.
pub struct ScratchServer {
    address: DatabaseAddress,
    connections: Arc<Connections>,
    /// Holds the advisory lock that says that the databases belong to a living command.
    keeper: Connection,
    owner: Uuid,
    made: AtomicUsize,
    standing: Mutex<BTreeSet<String>>,
}

impl ScratchServer {
    /// Connects, and drops what dead commands left behind.
    pub async fn open(
        connections: Arc<Connections>,
        address: DatabaseAddress,
    ) -> Result<Self, ScratchError> {
        let keeper = connections
            .keep(&address)
            .await
            .map_err(ScratchError::Connect)?;
        let owner = Uuid::now_v7();
        let server = Self {
            connections,
            keeper,
            owner,
            made: AtomicUsize::new(0),
            standing: Mutex::default(),
            address,
        };
        // Before the first database: nobody shall find one whose lock is free.
        server.try_lock(owner).await?;
        server.drop_leftovers().await?;
        Ok(server)
    }

    /// Makes an empty scratch database. It stands until [`Self::drop_database`] or [`Self::drop_all`].
    pub async fn create_database(&self) -> Result<DatabaseAddress, ScratchError> {
        let number = self.made.fetch_add(1, Ordering::Relaxed) + 1;
        let address = self
            .address
            .with_database(name::database(self.owner, number));
        self.standing().insert(address.database().to_owned());
        match self.connections.create_database(&address).await {
            Ok(_) => {
                self.settle(&address).await;
                Ok(address)
            }
            Err(error) => {
                self.standing().remove(address.database());
                Err(ScratchError::creating(&self.address.server_key(), error))
            }
        }
    }

    /// Makes a copy of a scratch database that nobody is connected to any more; the server waits some seconds for those who are about
    /// to go.
    pub async fn copy_database(
        &self,
        original: &DatabaseAddress,
    ) -> Result<DatabaseAddress, ScratchError> {
        let number = self.made.fetch_add(1, Ordering::Relaxed) + 1;
        let address = self
            .address
            .with_database(name::database(self.owner, number));
        self.standing().insert(address.database().to_owned());
        let statement = format!(
            "CREATE DATABASE {} TEMPLATE {}",
            catalog::quote(address.database()),
            catalog::quote(original.database())
        );
        match self.keeper.client.batch_execute(&statement).await {
            Ok(()) => {
                self.settle(&address).await;
                Ok(address)
            }
            Err(error) => {
                self.standing().remove(address.database());
                Err(ScratchError::query(&self.address.server_key(), &error))
            }
        }
    }

    /// Nobody else may connect: what others make in it would be found by the migrations. And what a crash would take away nobody
    /// needs: no commit waits for the disk.
    async fn settle(&self, address: &DatabaseAddress) {
        let database = catalog::quote(address.database());
        for statement in [
            format!("REVOKE CONNECT, TEMPORARY ON DATABASE {database} FROM PUBLIC"),
            format!("ALTER DATABASE {database} SET synchronous_commit = off"),
        ] {
            if let Err(error) = self.keeper.client.batch_execute(&statement).await {
                tracing::warn!(error = %with_causes(&error), "the scratch database is not as it should be");
            }
        }
    }

    /// Makes an empty scratch database with further options of `CREATE DATABASE`: an encoding, a locale.
    pub async fn create_database_with(
        &self,
        options: &str,
    ) -> Result<DatabaseAddress, ScratchError> {
        let number = self.made.fetch_add(1, Ordering::Relaxed) + 1;
        let address = self
            .address
            .with_database(name::database(self.owner, number));
        self.standing().insert(address.database().to_owned());
        let statement = format!(
            "CREATE DATABASE {} TEMPLATE template0 {options}",
            catalog::quote(address.database())
        );
        match self.keeper.client.batch_execute(&statement).await {
            Ok(()) => {
                self.settle(&address).await;
                Ok(address)
            }
            Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                self.standing().remove(address.database());
                Err(ScratchError::Connect(ConnectError::creating(
                    &address, error,
                )))
            }
            Err(error) => {
                self.standing().remove(address.database());
                Err(ScratchError::query(&self.address.server_key(), &error))
            }
        }
    }

    /// Drops a scratch database, whoever is connected to it. A failure is told and stops nothing: the next command tries
    /// again.
    pub async fn drop_database(&self, database: &DatabaseAddress) {
        match self.connections.drop_database(database).await {
            Ok(()) => {
                self.standing().remove(database.database());
            }
            Err(error) => tracing::warn!(
                database = database.database(),
                error = with_causes(&error),
                "a scratch database was not dropped; the next command that needs one tries again"
            ),
        }
    }

    /// Drops every scratch database that still stands: after an error or a cancellation.
    pub async fn drop_all(&self) {
        let standing: Vec<String> = self.standing().iter().cloned().collect();
        for database in standing {
            self.drop_database(&self.address.with_database(database))
                .await;
        }
    }

    /// The version of the server, as in `15.18`.
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

    /// Makes roles that are not there, without login and without rights. They stay.
    pub async fn provide_roles(&self, roles: &[String]) {
        for role in roles {
            super::roles::make(self, role).await;
        }
    }

    /// Statements for the server as a whole.
    pub(super) fn keeper(&self) -> &shared::postgres::Client {
        &self.keeper.client
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
        let key = name::lock_key(owner);
        let rows = self
            .query(
                "SELECT pg_catalog.pg_try_advisory_lock($1)",
                &[(&key, Type::INT8)],
            )
            .await?;
        Ok(rows.first().is_some_and(|row| row.get(0)))
    }

    async fn unlock(&self, owner: Uuid) -> Result<(), ScratchError> {
        let key = name::lock_key(owner);
        self.query(
            "SELECT pg_catalog.pg_advisory_unlock($1)",
            &[(&key, Type::INT8)],
        )
        .await
        .map(drop)
    }

    async fn query(
        &self,
        sql: &str,
        parameters: &[(&(dyn tokio_postgres::types::ToSql + Sync), Type)],
    ) -> Result<Vec<tokio_postgres::Row>, ScratchError> {
        self.keeper
            .client
            .query_typed(sql, parameters)
            .await
            .map_err(|error| ScratchError::query(&self.address.server_key(), &error))
    }

    fn standing(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
