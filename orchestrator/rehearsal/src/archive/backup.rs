//! Reads a backup, rows included.

use domain::{AppliedMigration, Checksum, Diagnostic, History, Version};
use service_cli::command::Context;

use super::{Archive, Dump, FIX_CAUSE, failed, interrupted};
use backup::restore::{Restoration, check_files, find_pg_restore};
use scratch::ScratchError;

impl Archive {
    /// Opens the backup of a database after checking that it is complete.
    ///
    /// # Errors
    /// A refusal when the backup is damaged; also when no `pg_restore` can read it.
    pub async fn of_backup(
        context: &Context,
        restoration: Restoration,
    ) -> Result<Self, ScratchError> {
        let folder = context.globals.pg_bin.clone();
        let examined = tokio::task::spawn_blocking(move || {
            check_files(&restoration)?;
            let found = find_pg_restore(&restoration, folder.as_deref());
            let pg_restore = found.map_err(Diagnostic::from)?;
            Ok::<_, ScratchError>((restoration, pg_restore))
        });
        let (restoration, pg_restore) = examined.await.map_err(|error| interrupted(&error))??;
        let dump = restoration.dump();
        Ok(Self {
            what: format!("the backup {}", restoration.manifest_path().display()),
            server_version: dump.server_version.clone(),
            pg_restore,
            dumps: vec![Dump::At(restoration.folder.join(&dump.path))],
            roles: Vec::new(),
            backup: Some(restoration),
        })
    }

    /// The rows of a history table in the backup.
    ///
    /// # Errors
    /// When the backup cannot be read.
    pub(crate) async fn history(&self, history_table: &str) -> Result<History, ScratchError> {
        let Some(Dump::At(path)) = self.dumps.first() else {
            return Ok(History::default());
        };
        let (schema, table) = match history_table.split_once('.') {
            Some((schema, table)) => (Some(schema), table),
            None => (None, history_table),
        };
        let mut command = tokio::process::Command::from(self.pg_restore.on_files());
        command
            .args(["--data-only", "--file=-"])
            .arg(format!("--table={table}"))
            .args(schema.map(|schema| format!("--schema={schema}")))
            .arg(path)
            .kill_on_drop(true);
        let output = command.output().await.map_err(|error| {
            failed(
                format!("cannot run {}: {error}", self.pg_restore),
                FIX_CAUSE,
            )
        })?;
        if !output.status.success() {
            let output = String::from_utf8_lossy(&output.stderr).replace('\n', " ");
            let message = format!("cannot read {}: {}", self.what, output.trim());
            return Err(failed(message, "with another backup: --from FOLDER"));
        }
        Ok(History {
            applied: rows(&String::from_utf8_lossy(&output.stdout)),
            ..History::default()
        })
    }
}

/// The rows of `COPY public.refinery_schema_history (version, name, applied_on, checksum) FROM stdin;`.
fn rows(text: &str) -> Vec<AppliedMigration> {
    let mut columns: Option<Vec<&str>> = None;
    let mut rows = Vec::new();
    for line in text.lines() {
        match &columns {
            None => columns = copied_columns(line),
            Some(_) if line == "\\." => columns = None,
            Some(columns) => rows.extend(row(columns, line)),
        }
    }
    rows.sort_by_key(|row: &AppliedMigration| row.version);
    rows
}

fn copied_columns(line: &str) -> Option<Vec<&str>> {
    let (_, rest) = line.strip_prefix("COPY ")?.split_once(" (")?;
    let (columns, _) = rest.split_once(") FROM stdin;")?;
    Some(columns.split(", ").map(|it| it.trim_matches('"')).collect())
}

/// Values are not unescaped: neither we nor refinery write one that `COPY` escapes.
fn row(columns: &[&str], line: &str) -> Option<AppliedMigration> {
    let values: Vec<&str> = line.split('\t').collect();
    let value = |name: &str| {
        let at = columns.iter().position(|column| *column == name)?;
        values.get(at).copied()
    };
    Some(AppliedMigration {
        version: Version::new(value("version")?.parse().ok()?),
        name: value("name")?.to_owned(),
        checksum: value("checksum").and_then(Checksum::parse),
        applied_on: value("applied_on").unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::rows;

    #[test]
    fn the_rows_of_a_history_are_read_from_what_pg_restore_prints() {
        let text = "SET x = 1;\n\n\
            COPY public.refinery_schema_history (version, name, applied_on, checksum) FROM stdin;\n\
            1753260000000\tadd_metadata\t2026-11-23T03:00:00Z\t17527241949439312425\n\
            1753250000000\tinitial\t2026-11-23T02:00:00Z\t\\N\n\
            \\.\n\n\n-- PostgreSQL database dump complete\n";
        let found: Vec<_> = rows(text)
            .into_iter()
            .map(|row| (row.version.number(), row.name, row.checksum.is_some()))
            .collect();
        assert_eq!(
            found,
            [
                (1_753_250_000_000, "initial".to_owned(), false),
                (1_753_260_000_000, "add_metadata".to_owned(), true)
            ]
        );
        assert_eq!(rows("-- nothing\n"), []);
        assert_eq!(rows("COPY a.b (version) FROM stdin;\nx\n"), []);
    }
}
