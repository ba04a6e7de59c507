//! The flags of backups, the same for `backup` and `run --backup`.

use domain::{Diagnostic, called};
use std::path::PathBuf;

use service_cli::command::Context;

use backup::{Backup, DumpFormat, TestRestoreServers, Verification};
use scratch::ScratchServerChoice;

/// The default folder of backups, relative to the project.
const FOLDER: &str = "backups";
/// The default number of sessions per dump in the directory format.
const DUMP_JOBS: u16 = 4;

/// The flags of a backup.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Backup options")]
pub(crate) struct BackupArgs {
    /// The directory that holds all backups [default: backups] [also: ORCHESTRATOR_BACKUP_FOLDER]
    #[arg(long, value_name = "DIR")]
    pub backup_folder: Option<PathBuf>,
    /// Dump each database to one file, or to a directory with several jobs [default: custom]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub backup_format: Option<DumpFormat>,
    /// Number of jobs per dump, with --backup-format directory [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub dump_jobs: Option<u16>,
    /// Keep the newest N backups of each service and remove older ones
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub keep: Option<u16>,
    /// Verify each dump: read its table of contents, or restore and compare it [default: list]
    #[arg(long, value_enum, value_name = "HOW")]
    pub verify: Option<Verification>,
    /// Where --verify restore creates scratch databases: same (the live server), local (the project's server), or a URL
    /// [default: same]
    #[arg(
        long,
        value_name = "SERVER",
        env = "ORCHESTRATOR_SCRATCH_SERVER",
        hide_env_values = true
    )]
    pub scratch_server: Option<ScratchServerChoice>,
}

impl BackupArgs {
    /// The first given flag that has no effect without a backup.
    pub(crate) fn first_given(&self) -> Option<&'static str> {
        [
            ("--backup-folder", self.backup_folder.is_some()),
            ("--backup-format", self.backup_format.is_some()),
            ("--dump-jobs", self.dump_jobs.is_some()),
            ("--keep", self.keep.is_some()),
            ("--verify", self.verify.is_some()),
        ]
        .into_iter()
        .find_map(|(flag, given)| given.then_some(flag))
    }

    /// The backup options that these flags specify.
    pub(crate) async fn backup(&self, context: &Context) -> Result<Backup, Diagnostic> {
        let format = self.backup_format.unwrap_or_default();
        if self.dump_jobs.is_some() && format != DumpFormat::Directory {
            return Err(Diagnostic::usage(
                "--dump-jobs requires --backup-format directory: only one job can write the custom format",
                called()
                    .without_option("--backup-format")
                    .with(["--backup-format", "directory"])
                    .to_string(),
            ));
        }
        let engine = context.configuration.engine();
        let verification = self.verify.unwrap_or_default();
        let test_restore_servers = match verification {
            Verification::List => TestRestoreServers::beside(),
            Verification::Restore => self.test_restore_servers(context).await?,
        };
        Ok(Backup {
            root: backup_folder(context, self.backup_folder.as_ref()),
            format,
            dump_jobs: self.dump_jobs.unwrap_or(DUMP_JOBS),
            keep: self.keep.map(usize::from),
            verification,
            test_restore_servers,
            pg_bin: context.globals.pg_bin.clone(),
            // The same time that a step spends on a lock, retries included.
            patience: engine.lock_timeout * engine.lock_retries.saturating_add(1),
            jobs: context.jobs(),
            connections: context.connections(),
        })
    }

    async fn test_restore_servers(
        &self,
        context: &Context,
    ) -> Result<TestRestoreServers, Diagnostic> {
        Ok(match &self.scratch_server {
            None | Some(ScratchServerChoice::Same) => TestRestoreServers::beside(),
            Some(ScratchServerChoice::Local) => {
                TestRestoreServers::at(context.local_address("postgres").await?)
            }
            Some(ScratchServerChoice::At(url)) => {
                TestRestoreServers::at(context.configuration.scratch_server(url)?)
            }
        })
    }
}

/// The folder of backups: from the flag, else the configuration, else the project.
pub(crate) fn backup_folder(context: &Context, given: Option<&PathBuf>) -> PathBuf {
    match given {
        Some(folder) => folder.clone(),
        None => {
            let configured = context.configuration.backup_folder();
            let named = configured.map_or_else(|| PathBuf::from(FOLDER), PathBuf::from);
            context.project_root.join(named)
        }
    }
}
