//! The `new-service` command.

use std::collections::BTreeSet;

use domain::{Diagnostic, ExitStatus, ServiceName, called, commented, rerun, suggest};
use service_cli::command::{Context, print_document};

use crate::new_service::{NewService, NewServiceError, write};

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  orchestrator new-service billing --database soc_billing --depends-on client,policy --dry-run
  orchestrator new-service billing --database soc_billing --depends-on client,policy

Makes services/<name>/ with service.toml, an empty schema.sql, and the crate, and adds the crate to orchestrator/Cargo.toml and
orchestrator/src/embedded.rs. Outside the workspace it makes only the folder, for --services-dir.")]
pub(super) struct Args {
    /// The name of the service: lowercase letters, digits and hyphens
    #[arg(value_name = "NAME")]
    name: String,
    /// The name of its database
    #[arg(long, value_name = "DATABASE")]
    database: String,
    /// The services that it depends on, separated by commas
    #[arg(long, value_name = "SERVICE", value_delimiter = ',')]
    depends_on: Vec<String>,
    /// Show the files without writing them
    #[arg(long)]
    dry_run: bool,
}

#[derive(serde::Serialize, schemars::JsonSchema)]
pub(super) struct Document {
    written: bool,
    files: Vec<String>,
}

pub(super) fn new_service(context: &Context, args: &Args) -> Result<ExitStatus, Diagnostic> {
    let usage = |message: String| Diagnostic::usage(message, suggest(["new-service", "--help"]));
    let is_name = |text: &str, hyphen: char| {
        text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.len() <= 63
            && text
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == hyphen)
    };
    let shown = |text: &str| text.chars().take(100).collect::<String>();
    if !is_name(&args.name, '-') || args.name.parse::<ServiceName>().is_err() {
        return Err(usage(format!(
            "invalid service name `{}`",
            shown(&args.name)
        )));
    }
    if !is_name(&args.database, '_') {
        return Err(usage(format!(
            "invalid database name `{}`: use lowercase letters, digits and _",
            shown(&args.database)
        )));
    }
    let mut seen = BTreeSet::new();
    for dependency in &args.depends_on {
        let known = context
            .fleet
            .services()
            .any(|it| it.name.as_str() == dependency);
        if !known {
            return Err(usage(format!(
                "unknown service `{}` in --depends-on",
                shown(dependency)
            )));
        }
        if !seen.insert(dependency) {
            return Err(usage(format!("--depends-on contains `{dependency}` twice")));
        }
    }
    let taken = context
        .fleet
        .services()
        .find(|it| it.database == args.database);
    if let Some(taken) = taken {
        return Err(usage(format!(
            "the database {} belongs to the service {}",
            args.database, taken.name
        )));
    }
    let service = NewService {
        name: &args.name,
        database: &args.database,
        depends_on: &args.depends_on,
    };
    let files = service
        .files(&context.project_root, &context.services_folder())
        .map_err(as_command_error)?;
    if !args.dry_run {
        write(&files).map_err(as_command_error)?;
    }
    let paths: Vec<String> = files
        .iter()
        .map(|it| it.path.display().to_string())
        .collect();
    if !context.is_human() {
        print_document(&Document {
            written: !args.dry_run,
            files: paths,
        })?;
        return Ok(ExitStatus::Done);
    }
    let text: String = files
        .iter()
        .zip(&paths)
        .map(|(file, path)| match (args.dry_run, file.exists) {
            (true, true) => format!("would change {path}\n"),
            (true, false) => format!("would write {path}\n"),
            (false, true) => format!("changed {path}\n"),
            (false, false) => format!("wrote {path}\n"),
        })
        .collect();
    let next = match args.dry_run {
        true => called().without_flag("--dry-run").to_string(),
        false => {
            let mut next = vec!["generate", args.name.as_str(), "InitialSchema"];
            // The service is not in this binary yet.
            if context.globals.services_dir.is_none() {
                next.extend(["--services-dir", "services"]);
            }
            commented(suggest(next), "first describe the schema in its schema.sql")
        }
    };
    super::print(&format!("{text}next: {next}\n"))?;
    Ok(ExitStatus::Done)
}

fn as_command_error(error: NewServiceError) -> Diagnostic {
    match error {
        NewServiceError::File { path, source } => {
            Diagnostic::failed(format!("cannot read or write {}", path.display()), &source)
        }
        other => Diagnostic::new(
            ExitStatus::Refused,
            other.to_string(),
            rerun("after correcting that"),
        ),
    }
}
