//! Verifies a dump: reads its table of contents and, with `--verify restore`, restores and compares it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;

use catalog::{Kind, Snapshot, compare};
use domain::ExitStatus;
use engine::inspect::ServiceError;
use pg_address::DatabaseAddress;
use pg_session::Connections;
use report::units::count;
use store::DEFAULT_HISTORY_TABLE;

use super::dump::ProgramMessages;
use super::facts::{Facts, count_rows};
use super::{BackupError, DumpFormat};
use client_program::ClientWatch;
use client_program::{ClientProgram, exit_status_of};
use drift::is_of_its_creation;
use scratch::{ScratchError, ScratchServer};

/// How a dump is verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Verification {
    /// The table of contents is readable and includes the rows of every table.
    #[default]
    List,
    /// A test restore into a scratch database has the same schema and row counts.
    Restore,
}

/// A dump to verify.
pub(super) struct Dumped<'a> {
    pub(super) database: &'a str,
    pub(super) path: &'a Path,
    pub(super) format: DumpFormat,
    pub(super) jobs: u16,
    pub(super) facts: &'a Facts,
    pub(super) program: &'a ClientProgram,
}

/// The expected state: the database at the time of its dump.
pub(super) struct Original {
    pub(super) schema: Snapshot,
    pub(super) rows: BTreeMap<String, u64>,
}

impl Dumped<'_> {
    fn unsound(&self, why: impl Into<String>) -> BackupError {
        BackupError::Unsound {
            database: self.database.to_owned(),
            path: self.path.to_owned(),
            why: why.into(),
        }
    }

    /// Reads the table of contents and checks that it includes the rows of every table.
    pub(super) async fn list(&self) -> Result<(), BackupError> {
        let mut command = tokio::process::Command::from(self.program.on_files());
        command.arg("--list").arg(self.path);
        let output = self.run(&mut command).await?;
        let (mut entries, mut with_rows) = (None, BTreeSet::new());
        for line in String::from_utf8_lossy(&output).lines() {
            if let Some(number) = line.strip_prefix(";     TOC Entries: ") {
                entries = number.trim().parse::<usize>().ok();
            } else if let Some(oid) = oid_with_rows(line) {
                with_rows.insert(oid);
            }
        }
        if entries.unwrap_or(0) == 0 {
            return Err(self.unsound("its table of contents is empty"));
        }
        let absent: Vec<&str> = self
            .facts
            .tables
            .iter()
            .filter(|(oid, _)| !with_rows.contains(oid))
            .map(|(_, table)| table.as_str())
            .collect();
        match absent.as_slice() {
            [] => Ok(()),
            [first, ..] => {
                let tables = count(absent.len(), "table");
                Err(self.unsound(format!("it lacks the rows of {tables}, {first} first")))
            }
        }
    }

    /// Restores the dump and compares the result.
    pub(super) async fn restore(
        &self,
        server: &ScratchServer,
        connections: &Arc<Connections>,
        original: &Original,
        is_elsewhere: bool,
    ) -> Result<(), BackupError> {
        let failed = |source| BackupError::Scratch {
            database: self.database.to_owned(),
            source,
        };
        if is_elsewhere {
            server.provide_roles(&self.facts.roles).await;
        }
        let major = server.major().await.map_err(failed)?;
        let options = self.facts.properties.creation_options(major);
        let scratch = server
            .create_database_with(&options)
            .await
            .map_err(failed)?;
        let restored = async {
            let watch = ClientWatch::new(Arc::clone(connections), &scratch, "verification");
            self.fill(&watch, major).await?;
            self.compare(&scratch, connections, original).await
        }
        .await;
        server.drop_database(&scratch).await;
        restored
    }

    async fn fill(&self, watch: &ClientWatch, major: i32) -> Result<(), BackupError> {
        let mut command = self.program.against(watch);
        // A subscription would prevent dropping the database, and contains no data.
        command
            .args(["--no-password", "--no-subscriptions"])
            .arg(format!(
                "--dbname={}",
                watch.address().libpq_connection_string()
            ));
        // A newer pg_restore sets parameters that an older server does not know; these errors must not end it.
        if self.program.major == major {
            command.arg("--exit-on-error");
        }
        if self.format == DumpFormat::Directory {
            command.arg(format!("--jobs={}", self.jobs));
        }
        let output = watch.output(command.arg(self.path)).await;
        let output = output.map_err(|source| self.not_run(source))?;
        let output = output.ok_or_else(|| ServiceError::silent(watch.address(), "pg_restore"))?;
        self.succeeded(output).map(drop)
    }

    async fn compare(
        &self,
        scratch: &DatabaseAddress,
        connections: &Connections,
        original: &Original,
    ) -> Result<(), BackupError> {
        let query = |error| BackupError::Service(ServiceError::query(scratch, error));
        let session = connections
            .session(scratch, DEFAULT_HISTORY_TABLE)
            .await
            .map_err(ServiceError::from)?;
        let client = session.client();
        let restored = client
            .lend(async |client| catalog::read(client).await)
            .await
            .map_err(query)?;
        let without = |schema: Snapshot| schema.without(|it| it.kind == Kind::Subscription);
        let mut found = compare(&without(original.schema.clone()), &without(restored)).differences;
        found.retain(|it| !is_of_its_creation(it, &original.schema));
        if let Some(first) = found.first() {
            let number = count(found.len(), "object");
            return Err(self.unsound(format!(
                "after a test restore it differs in {number}: {:?} {} first",
                first.kind, first.object
            )));
        }
        let rows = count_rows(client, &self.facts.tables)
            .await
            .map_err(query)?;
        for (table, expected) in &original.rows {
            let found = rows.get(table).copied().unwrap_or_default();
            if found != *expected {
                return Err(self.unsound(format!(
                    "after a test restore {table} has {found} rows instead of {expected}"
                )));
            }
        }
        Ok(())
    }

    async fn run(&self, command: &mut tokio::process::Command) -> Result<Vec<u8>, BackupError> {
        let output = command
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|source| self.not_run(source))?;
        self.succeeded(output)
    }

    fn not_run(&self, source: std::io::Error) -> BackupError {
        BackupError::NotRun {
            program: self.program.to_string(),
            source,
        }
    }

    /// The output of a successful program.
    fn succeeded(&self, output: Output) -> Result<Vec<u8>, BackupError> {
        let stderr = String::from_utf8_lossy(&output.stderr);
        if output.status.success() || has_only_harmless_errors(&stderr) {
            return Ok(output.stdout);
        }
        let mut words = ProgramMessages::default();
        stderr.lines().for_each(|line| words.push_line(line));
        let said = words.or_how_it_ended(output.status);
        // Only an error of the dump itself is a fact about the dump.
        if exit_status_of(&said) != ExitStatus::Failed {
            return Err(BackupError::Restore {
                database: self.database.to_owned(),
                said,
            });
        }
        Err(self.unsound(format!("pg_restore failed: {said}")))
    }
}

/// Whether all errors are about parameters that an older server does not know, such as `SET transaction_timeout = 0`.
fn has_only_harmless_errors(stderr: &str) -> bool {
    let mut errors = stderr
        .lines()
        .filter(|line| line.starts_with("pg_restore: error: "))
        .peekable();
    errors.peek().is_some()
        && errors.all(|line| line.contains("unrecognized configuration parameter"))
}

/// The oid of the table in an entry such as `3345; 0 16385 TABLE DATA public policies soc`.
fn oid_with_rows(line: &str) -> Option<u32> {
    let (_, entry) = line.split_once("; ")?;
    let (_, entry) = entry.split_once(' ')?;
    let (oid, kind) = entry.split_once(' ')?;
    kind.starts_with("TABLE DATA ").then(|| oid.parse().ok())?
}

impl From<(&str, ScratchError)> for BackupError {
    fn from((database, source): (&str, ScratchError)) -> Self {
        Self::Scratch {
            database: database.to_owned(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_a_server_does_not_know_are_no_failure() {
        let unknown = "pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter \"transaction_timeout\"\n\
                       Command was: SET transaction_timeout = 0;\npg_restore: warning: errors ignored on restore: 1\n";
        assert!(has_only_harmless_errors(unknown));
        let failed = "pg_restore: error: could not uncompress data: (null)\n";
        assert!(!has_only_harmless_errors(&format!("{unknown}{failed}")));
        assert!(!has_only_harmless_errors(failed));
        assert!(!has_only_harmless_errors(""));
    }

    #[test]
    fn the_entries_with_rows_name_their_tables() {
        assert_eq!(
            oid_with_rows("3345; 0 16385 TABLE DATA public a b c postgres"),
            Some(16_385)
        );
        assert_eq!(
            oid_with_rows("215; 1259 16385 TABLE public a postgres"),
            None
        );
        assert_eq!(oid_with_rows(";     TOC Entries: 12"), None);
        assert_eq!(oid_with_rows(""), None);
    }
}
