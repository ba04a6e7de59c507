//! The arguments of `generate`.

use std::path::PathBuf;

use scratch::ScratchServerChoice;

use crate::pattern;

#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  orchestrator generate policy AddPolicyTemplates --dry-run
  orchestrator generate policy AddPolicyTemplates
  orchestrator generate auth RenameMail --rename public.users.mail=email
  orchestrator generate auth DropMail --allow drop-column:public.users.mail
  orchestrator generate policy RequireOwner --pattern not-null --table policies --column ownerId
  orchestrator generate control IndexTestResults --empty --no-transaction
  orchestrator generate billing InitialSchema --from-url postgres://reader@db.example.com/soc_billing

Edit services/<service>/schema.sql first. The command runs the service's migrations on one scratch database, loads schema.sql on
another, and computes the statements from the first to the second, and back. It then proves them: the migration leads to
schema.sql, the revert leads back, and generating again yields nothing. Without the proof no file is written, and the exit code is
4. With --from-url or --from-dump, schema.sql is written too, and the migration must lead to the schema of that source. The source is
only read. pg_dump is found beside the server's binaries, or with --pg-bin.")]
pub(in crate::cli) struct Args {
    /// The service of the migration
    #[arg(value_name = "SERVICE")]
    pub(super) service: String,
    /// The name of the migration, as in AddPolicyTemplates
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    /// Write files that contain only a comment
    #[arg(long, conflicts_with_all = ["rename", "no_rename", "allow", "is_unsafe", "draft", "scratch_server", "pattern"])]
    pub(super) empty: bool,
    /// Begin the empty files with `-- migration: no-transaction`, for CREATE INDEX CONCURRENTLY and the like
    #[arg(long, requires = "empty")]
    pub(super) no_transaction: bool,
    /// Show the files without writing them
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Rename an object, such as public.users.mail=email, public.users=accounts, or public.status.open=opened
    #[arg(long, value_name = "OLD=NEW")]
    pub(super) rename: Vec<String>,
    /// Drop and create what looks like a rename
    #[arg(long)]
    pub(super) no_rename: bool,
    /// Allow a loss of data, such as drop-column:SCHEMA.TABLE.COLUMN or drop-table:SCHEMA.TABLE
    #[arg(long, value_name = "RULE:OBJECT")]
    pub(super) allow: Vec<String>,
    /// Write one file, whose statements may block traffic on large tables for long
    #[arg(long = "unsafe")]
    pub(super) is_unsafe: bool,
    /// Write the files even if they are not proven, with the remaining differences as comments; the exit code is still 4
    #[arg(long)]
    pub(super) draft: bool,
    /// Where to create the scratch databases: local (the project's server), same (the service's server), or a URL
    #[arg(long, value_name = "SERVER")]
    pub(super) scratch_server: Option<ScratchServerChoice>,
    /// Take the schema of the database at this URL, for a service without migrations, and write schema.sql too
    #[arg(long, value_name = "URL", conflicts_with_all = ["from_dump", "empty", "rename", "no_rename", "allow", "pattern"])]
    pub(super) from_url: Option<String>,
    /// Take the schema of a dump of pg_dump, for a service without migrations, and write schema.sql too
    #[arg(long, value_name = "FILE", conflicts_with_all = ["empty", "rename", "no_rename", "allow", "pattern"])]
    pub(super) from_dump: Option<PathBuf>,
    #[command(flatten)]
    pub(super) fill: pattern::Arguments,
}
