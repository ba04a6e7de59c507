//! The `generate` command.

use domain::{Diagnostic, ExitStatus, suggest};
use service_cli::command::{Context, one_service, print_document, select};

use crate::generate::{GenerateError, Skeleton};

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  orchestrator generate policy AddPolicyTemplates
  orchestrator generate policy AddPolicyTemplates --dry-run
  orchestrator generate control IndexTestResults --no-transaction")]
pub(super) struct Args {
    /// The service of the migration
    #[arg(value_name = "SERVICE")]
    service: String,
    /// The name of the migration, as in AddPolicyTemplates
    #[arg(value_name = "NAME")]
    name: String,
    /// Begin the files with `-- migration: no-transaction`, for CREATE INDEX CONCURRENTLY and the like
    #[arg(long)]
    no_transaction: bool,
    /// Show the files without writing them
    #[arg(long)]
    dry_run: bool,
}

#[derive(serde::Serialize)]
struct Document {
    schema: u32,
    written: bool,
    migration: String,
    revert: String,
}

pub(super) fn generate(context: &Context, args: &Args) -> Result<ExitStatus, Diagnostic> {
    let selected = select(&context.fleet, std::slice::from_ref(&args.service), false)?;
    let Some(service) = selected.only().and_then(|name| context.fleet.service(name)) else {
        return Err(Diagnostic::usage(
            "generate requires exactly one service",
            one_service(),
        ));
    };
    let folder = context.services_folder().join(service.name.as_str());
    let skeleton = Skeleton::new(
        &folder,
        service,
        &args.name,
        args.no_transaction,
        time::OffsetDateTime::now_utc(),
    )
    .map_err(as_command_error)?;
    if !args.dry_run {
        skeleton.write().map_err(as_command_error)?;
    }
    let (migration, revert) = (&skeleton.migration, &skeleton.revert);
    if !context.is_human() {
        print_document(&Document {
            schema: 1,
            written: !args.dry_run,
            migration: migration.path.display().to_string(),
            revert: revert.path.display().to_string(),
        })?;
    } else if args.dry_run {
        super::print(&format!(
            "would write {}\n{}would write {}\n{}",
            migration.path.display(),
            indented(&migration.text),
            revert.path.display(),
            indented(&revert.text)
        ))?;
    } else {
        super::print(&format!(
            "wrote {}\nwrote {}\n",
            migration.path.display(),
            revert.path.display()
        ))?;
    }
    Ok(ExitStatus::Done)
}

fn indented(text: &str) -> String {
    text.lines()
        .map(|line| format!("    {line}").trim_end().to_owned() + "\n")
        .collect()
}

fn as_command_error(error: GenerateError) -> Diagnostic {
    match error {
        GenerateError::Write { path, source } => {
            Diagnostic::failed(format!("cannot write {}", path.display()), &source)
        }
        other => Diagnostic::usage(other.to_string(), suggest(["generate", "--help"])),
    }
}
