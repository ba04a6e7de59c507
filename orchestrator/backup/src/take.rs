//! Takes a backup of databases whose lock is held.
//!
//! The order is: dump and verify each database, write the manifest, remove old backups. The manifest is written only if everything
//! before succeeded. The locks are acquired by `dispatch`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::ServiceName;
use engine::dispatch::{DatabaseUnderLock, Events, Stopped, Stops};
use engine::inspect::ServiceError;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use pg_session::{Connections, Session, export_snapshot};
use time::OffsetDateTime;
use uuid::Uuid;

use super::dump::{DumpOrder, dump};
use super::event::BackupEvent;
use super::facts::{Facts, count_rows};
use super::folder::{BackupFolder, seal};
use super::retention::{remove_leftovers, retain};
use super::test_restore_servers::TestRestoreServers;
use super::verify::{Dumped, Original, Verification};
use super::{BackupError, DumpFile, DumpFormat, Head, Manifest, SCHEMA, ServiceBackup};
use client_program::ClientProgram;
use client_program::ClientWatch;

/// The options of a backup.
pub struct Backup {
    /// The directory of all backups.
    pub root: PathBuf,
    pub format: DumpFormat,
    /// The number of sessions per dump in the directory format.
    pub dump_jobs: u16,
    /// The number of backups to keep per service.
    pub keep: Option<usize>,
    /// How dumps are verified.
    pub verification: Verification,
    pub test_restore_servers: TestRestoreServers,
    /// The directory of the client programs, if given.
    pub pg_bin: Option<PathBuf>,
    /// How long a dump waits for a table lock.
    pub patience: Duration,
    /// The number of concurrent dumps.
    pub jobs: usize,
    /// The source of connections.
    pub connections: Arc<Connections>,
}

/// A database and its services (at least one).
struct Database {
    first: DatabaseUnderLock,
    others: Vec<DatabaseUnderLock>,
}

impl Database {
    fn services(&self) -> impl Iterator<Item = &DatabaseUnderLock> {
        std::iter::once(&self.first).chain(&self.others)
    }

    fn service(&self) -> &ServiceName {
        &self.first.target.service.name
    }

    fn name(&self) -> &str {
        self.first.target.address.database()
    }
}

/// A verified dump.
struct Dump {
    path: String,
    files: Vec<DumpFile>,
    facts: Facts,
    pg_dump_version: String,
    rows: Option<BTreeMap<String, u64>>,
    duration_ms: u64,
}

impl Backup {
    /// Dumps locked databases and writes the manifest. Returns its path, or `None` if there is nothing to dump.
    pub(super) async fn of(
        &self,
        run_id: Uuid,
        databases: Vec<DatabaseUnderLock>,
        events: &Events,
        stops: &Stops,
    ) -> Result<Option<PathBuf>, Stopped> {
        let databases = by_database(databases);
        let Some(service) = databases.first().map(|it| it.service().clone()) else {
            return Ok(None);
        };
        let started = Instant::now();
        let started_at = OffsetDateTime::now_utc();
        let mut folder = self
            .prepare(started_at, run_id)
            .map_err(|error| (service.clone(), error.into()))?;
        // Boxed, because the compiler otherwise cannot prove that the futures are Send.
        let dumps: Vec<BoxFuture<'_, Result<Vec<ServiceBackup>, Stopped>>> = databases
            .iter()
            .map(|database| {
                let folder = &folder;
                async move {
                    let dump = self.dump(database, run_id, folder, events).await;
                    dump.map_err(|error| (database.service().clone(), error.into()))
                }
                .boxed()
            })
            .collect();
        let dumps = stream::iter(dumps)
            .buffer_unordered(self.jobs.max(1))
            .try_collect::<Vec<_>>();
        let taken = stops.unless_asked(dumps).await;
        self.test_restore_servers.clear().await;
        let services = match taken {
            Some(taken) => taken?,
            None => return Err((service, ServiceError::Cancelled)),
        };
        let mut services: Vec<ServiceBackup> = services.into_iter().flatten().collect();
        services.sort_by(|a, b| a.service.cmp(&b.service));
        let bytes = distinct_bytes(&services);
        let names = services.iter().map(|it| it.service.clone()).collect();
        let manifest = Manifest {
            schema: SCHEMA,
            backup: folder.name(),
            run_id: Some(run_id.to_string()),
            started_at,
            finished_at: OffsetDateTime::now_utc(),
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
            services,
        };
        let path = folder
            .finish(&manifest)
            .map_err(|error| (service, error.into()))?;
        events.run(BackupEvent::BackupTaken {
            manifest: path.display().to_string(),
            services: names,
            bytes,
            duration_ms: millis(started),
        });
        self.retain(folder.path(), events).await;
        Ok(Some(path))
    }

    fn prepare(
        &self,
        started_at: OffsetDateTime,
        run_id: Uuid,
    ) -> Result<BackupFolder, BackupError> {
        remove_leftovers(&self.root);
        BackupFolder::create(&self.root, started_at, run_id)
    }

    async fn retain(&self, newest: &Path, events: &Events) {
        let Some(keep) = self.keep else { return };
        let (root, newest) = (self.root.clone(), newest.to_owned());
        let retained = tokio::task::spawn_blocking(move || retain(&root, keep, &newest)).await;
        for path in retained.unwrap_or_default() {
            let path = path.display().to_string();
            events.run(BackupEvent::BackupRemoved { path });
        }
    }

    /// Dumps one database and returns the manifest entries of its services.
    async fn dump(
        &self,
        database: &Database,
        run_id: Uuid,
        folder: &BackupFolder,
        events: &Events,
    ) -> Result<Vec<ServiceBackup>, BackupError> {
        let emit_event = |event| events.service(database.service(), event);
        let dump = self.write(database, run_id, folder, &emit_event).await?;
        emit_event(BackupEvent::BackupFinished {
            path: folder.path().join(&dump.path).display().to_string(),
            bytes: dump.files.iter().map(|file| file.bytes).sum(),
            duration_ms: dump.duration_ms,
        });
        Ok(self.entries(database, &dump))
    }

    async fn write(
        &self,
        database: &Database,
        run_id: Uuid,
        folder: &BackupFolder,
        emit_event: &(dyn Fn(BackupEvent) + Send + Sync),
    ) -> Result<Dump, BackupError> {
        let started = Instant::now();
        let target = &database.first.target;
        let query = |error| BackupError::Service(ServiceError::query(&target.address, error));
        let session = self
            .connections
            .session(&target.address, &target.history_table)
            .await
            .map_err(ServiceError::from)?;
        let client = session.client();
        let schema = match self.verification {
            Verification::Restore => Some(
                client
                    .lend(async |client| catalog::read(client).await)
                    .await
                    .map_err(query)?,
            ),
            Verification::List => None,
        };
        let (snapshot, facts) = self.look(&session).await.map_err(query)?;
        emit_event(BackupEvent::BackupStarted {
            database: database.name().to_owned(),
            database_bytes: facts.bytes,
        });
        let (pg_dump, pg_restore) = self.programs(facts.major).await?;
        let name = match self.format {
            DumpFormat::Custom => format!("{}.dump", database.service()),
            DumpFormat::Directory => database.service().to_string(),
        };
        let path = folder.path().join(&name);
        let dumping = dump(
            DumpOrder {
                program: &pg_dump,
                watch: ClientWatch::new(
                    Arc::clone(&self.connections),
                    &target.address,
                    &format!("backup {}", run_id.simple()),
                ),
                snapshot: &snapshot,
                format: self.format,
                jobs: self.dump_jobs,
                path: &path,
                lock: folder.lock().map_err(|source| BackupError::Folder {
                    path: folder.path().to_owned(),
                    source,
                })?,
                patience: self.patience,
                observer: self.connections.observer(&target.address),
                of_bytes: facts.bytes,
                of_tables: facts.tables.len(),
            },
            emit_event,
        );
        let counting = async {
            match schema.is_some() {
                true => count_rows(client, &facts.tables).await.map_err(query),
                false => Ok(BTreeMap::new()),
            }
        };
        let ((), rows) = tokio::try_join!(dumping, counting)?;
        drop(session);
        let files = self.seal(folder.path(), &name).await?;
        let dumped = Dumped {
            database: database.name(),
            path: &path,
            format: self.format,
            jobs: self.dump_jobs,
            facts: &facts,
            program: &pg_restore,
        };
        dumped.list().await?;
        let mut counted = None;
        if let Some(schema) = schema {
            let original = Original { schema, rows };
            self.prove(database, &dumped, &original).await?;
            counted = Some(original.rows);
        }
        Ok(Dump {
            path: name,
            files,
            facts,
            pg_dump_version: pg_dump.version,
            rows: counted,
            duration_ms: millis(started),
        })
    }

    /// Exports a snapshot and reads the facts in it. Limited by a lock timeout: only the dump itself reports what it waits for.
    async fn look(&self, session: &Session) -> Result<(String, Facts), tokio_postgres::Error> {
        let looking = async {
            let snapshot = export_snapshot(session).await?;
            let limit = self.patience.as_millis();
            session
                .client()
                .batch_execute(&format!("SET LOCAL lock_timeout = {limit}"))
                .await?;
            let facts = Facts::read(session.client()).await?;
            Ok((snapshot, facts))
        };
        looking.await
    }

    /// Makes a test restore of a dump and compares it.
    async fn prove(
        &self,
        database: &Database,
        dumped: &Dumped<'_>,
        original: &Original,
    ) -> Result<(), BackupError> {
        let live = &database.first.target.address;
        let servers = &self.test_restore_servers;
        let server = servers
            .server(&self.connections, live)
            .await
            .map_err(|error| (database.name(), error))?;
        let is_elsewhere = servers.is_elsewhere();
        dumped
            .restore(&server, &self.connections, original, is_elsewhere)
            .await
    }

    async fn programs(&self, major: i32) -> Result<(ClientProgram, ClientProgram), BackupError> {
        let pg_bin = self.pg_bin.clone();
        let found = tokio::task::spawn_blocking(move || {
            let pg_dump = ClientProgram::find("pg_dump", pg_bin.as_deref(), major)?;
            // An older pg_restore cannot read the dump of a newer pg_dump.
            let pg_restore = ClientProgram::find("pg_restore", pg_bin.as_deref(), pg_dump.major)?;
            Ok((pg_dump, pg_restore))
        });
        found.await.unwrap_or_else(|error| {
            Err(BackupError::NotRun {
                program: "pg_dump".to_owned(),
                source: std::io::Error::other(error),
            })
        })
    }

    async fn seal(&self, folder: &Path, dump: &str) -> Result<Vec<DumpFile>, BackupError> {
        let (path, name) = (folder.to_owned(), dump.to_owned());
        tokio::task::spawn_blocking(move || seal(&path, &name))
            .await
            .unwrap_or_else(|error| Err(std::io::Error::other(error)))
            .map_err(|source| BackupError::Folder {
                path: folder.join(dump),
                source,
            })
    }

    fn entries(&self, database: &Database, dump: &Dump) -> Vec<ServiceBackup> {
        let entry = |databases: &DatabaseUnderLock| {
            let newest = databases
                .history
                .applied
                .iter()
                .max_by_key(|row| row.version);
            ServiceBackup {
                service: databases.target.service.name.clone(),
                database: database.name().to_owned(),
                server: databases.target.address.server_key(),
                server_version: dump.facts.server_version.clone(),
                pg_dump_version: dump.pg_dump_version.clone(),
                format: self.format,
                path: dump.path.clone(),
                files: dump.files.clone(),
                taken_at: dump.facts.taken_at,
                duration_ms: dump.duration_ms,
                database_bytes: dump.facts.bytes,
                history_table: databases.target.history_table.clone(),
                head: newest.map(|row| Head {
                    version: row.version,
                    name: row.name.clone(),
                }),
                applied: databases.history.applied.len(),
                properties: dump.facts.properties.clone(),
                rows: dump.rows.clone(),
            }
        };
        database.services().map(entry).collect()
    }
}

/// Groups services by database: those that share one share its dump.
fn by_database(locked: Vec<DatabaseUnderLock>) -> Vec<Database> {
    let mut databases: BTreeMap<String, Database> = BTreeMap::new();
    for one in locked {
        let key = one.target.address.database_key();
        match databases.get_mut(&key) {
            Some(database) => database.others.push(one),
            None => {
                let others = Vec::new();
                databases.insert(key, Database { first: one, others });
            }
        }
    }
    databases.into_values().collect()
}

/// The total size of the dumps, each counted once.
fn distinct_bytes(services: &[ServiceBackup]) -> u64 {
    let files: BTreeMap<&str, u64> = services
        .iter()
        .flat_map(|service| &service.files)
        .map(|file| (file.path.as_str(), file.bytes))
        .collect();
    files.into_values().sum()
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
