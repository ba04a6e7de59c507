//! The commands `schema dump` and `schema diff`.

use client_program::ClientProgram;
use domain::{Diagnostic, ExitStatus, SchemaDifference, Service, ServiceName, suggest};
use drift::schema_difference;
use pg_address::DatabaseAddress;
use report::units::count;
use report::{Palette, Role};
use scratch::{ScratchServerChoice, ScratchServers};
use service_cli::command::{
    Context, PerService, Selected, print_document, print_exact, select, watch_signals,
};

use super::differences::differences;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    command: SchemaCommand,
}

#[derive(clap::Subcommand, Debug)]
enum SchemaCommand {
    /// Write services/<service>/schema.sql from the service's migrations
    #[command(after_help = "\
Examples:
  orchestrator schema dump policy
  orchestrator schema dump all
  orchestrator schema dump policy --stdout

Runs the migrations on a scratch database: on the configured server if it is on this machine, else on the project's own
server, or on that of --scratch-server. pg_dump is found beside the server's binaries, or with --pg-bin.")]
    Dump(DumpArgs),
    /// Show how the schema of the migrations differs from services/<service>/schema.sql
    #[command(after_help = "\
Examples:
  orchestrator schema diff policy
  orchestrator schema diff all --output json

Runs the migrations on one scratch database, loads schema.sql on another, and compares them. An object is missing if only schema.sql
declares it, and extra if only the migrations create it. The exit code is 4 if there is a difference.")]
    Diff(DiffArgs),
}

#[derive(clap::Args, Debug)]
struct DumpArgs {
    /// Names of services, or `all`
    #[arg(required = true, value_name = "SERVICE")]
    services: Vec<String>,
    /// Print the schema instead of writing it
    #[arg(long)]
    stdout: bool,
    /// Where to create the scratch database: local (the project's server), same (the service's server), or a URL
    #[arg(long, value_name = "SERVER")]
    scratch_server: Option<ScratchServerChoice>,
}

#[derive(clap::Args, Debug)]
struct DiffArgs {
    /// Names of services, or `all`
    #[arg(required = true, value_name = "SERVICE")]
    services: Vec<String>,
    /// Where to create the scratch databases: local (the project's server), same (the service's server), or a URL
    #[arg(long, value_name = "SERVER")]
    scratch_server: Option<ScratchServerChoice>,
}

#[derive(serde::Serialize, schemars::JsonSchema)]
pub(super) struct Document {
    written: Vec<String>,
}

/// What differs in one service.
#[derive(serde::Serialize, schemars::JsonSchema)]
pub(super) struct Diff {
    name: ServiceName,
    /// Expected by schema.sql, found after the migrations.
    differences: Vec<SchemaDifference>,
}

pub(super) async fn schema(context: &Context, args: &Args) -> Result<ExitStatus, Diagnostic> {
    match &args.command {
        SchemaCommand::Dump(args) => dump(context, args).await,
        SchemaCommand::Diff(args) => diff(context, args).await,
    }
}

async fn diff(context: &Context, args: &DiffArgs) -> Result<ExitStatus, Diagnostic> {
    let selected = select(&context.fleet, &args.services, false)?;
    let mut cancelled = watch_signals();
    let mut found = Vec::new();
    for name in &selected.names {
        let Some(service) = context.fleet.service(name) else {
            continue;
        };
        let of_service = async {
            let schema = crate::schema::read(context, service)?;
            let (server, choice) =
                server(context, service, &selected, args.scratch_server.as_ref()).await?;
            let scratch_servers = ScratchServers::new(context, &choice)?;
            let comparing =
                ::generate::schema_differences(&scratch_servers, service, &server, &schema);
            let compared = scratch_servers.until_cancelled(&mut cancelled, Box::pin(comparing));
            match compared.await {
                None => Ok(None),
                Some(compared) => match compared? {
                    Ok(differences) => Ok(Some(differences)),
                    Err(message) => Err(crate::schema::invalid(context, service, &message)),
                },
            }
        };
        let compared = match of_service.await {
            Ok(None) => return Ok(ExitStatus::Cancelled),
            Ok(Some(differences)) => Ok(Diff {
                name: name.clone(),
                differences: differences.into_iter().map(schema_difference).collect(),
            }),
            Err(error) => Err(error),
        };
        found.push((name, compared));
    }
    let found = PerService(found);
    found.print(context, |name, diff| {
        diff_lines(name, diff, context.terminal.out)
    })?;
    Ok(found.status(|diff| match diff.differences.is_empty() {
        true => ExitStatus::Done,
        false => ExitStatus::Findings,
    }))
}

fn diff_lines(name: &str, diff: &Diff, palette: Palette) -> String {
    if diff.differences.is_empty() {
        let word = palette.paint(Role::Good, "same   ");
        return format!("{word}  {name}  schema.sql declares what the migrations produce\n");
    }
    format!(
        "{}  {name}  {}: expected by schema.sql, found after the migrations\n{}next: {}\n",
        palette.paint(Role::Bad, "differs"),
        count(diff.differences.len(), "difference"),
        differences(&diff.differences, palette),
        suggest(["generate", diff.name.as_str(), "Name"]),
    )
}

async fn dump(context: &Context, args: &DumpArgs) -> Result<ExitStatus, Diagnostic> {
    if args.stdout {
        super::refuse_json(&context.globals, "--stdout")?;
    }
    let selected = select(&context.fleet, &args.services, false)?;
    let mut written = Vec::new();
    let pg_dump = pg_dump(context)?;
    let mut cancelled = watch_signals();
    for name in &selected.names {
        let Some(service) = context.fleet.service(name) else {
            continue;
        };
        let (server, choice) =
            server(context, service, &selected, args.scratch_server.as_ref()).await?;
        let scratch_servers = ScratchServers::new(context, &choice)?;
        let dump = crate::schema::dump(&scratch_servers, service, &server, &pg_dump);
        let Some(text) = scratch_servers.until_cancelled(&mut cancelled, dump).await else {
            return Ok(ExitStatus::Cancelled);
        };
        let text = text?;
        if args.stdout {
            print_exact(&text)?;
            continue;
        }
        let path = crate::schema::path(&context.services_folder(), service);
        std::fs::write(&path, text).map_err(|source| {
            Diagnostic::failed(format!("cannot write {}", path.display()), &source)
        })?;
        if context.is_human() {
            super::print(&format!("wrote {}\n", path.display()))?;
        }
        written.push(path.display().to_string());
    }
    if !context.is_human() {
        print_document(&Document { written })?;
    }
    Ok(ExitStatus::Done)
}

/// The default scratch server: the configured server if it is on this machine and not production, else the project's own.
pub(super) async fn server(
    context: &Context,
    service: &Service,
    selected: &Selected,
    choice: Option<&ScratchServerChoice>,
) -> Result<(DatabaseAddress, ScratchServerChoice), Diagnostic> {
    if let Some(choice) = choice {
        return Ok((context.address(service, selected).await?, choice.clone()));
    }
    if !context.configuration.is_production() {
        let configured = context.address(service, selected).await?;
        if context.configuration.creation_allowed(&configured, false) {
            return Ok((configured, ScratchServerChoice::Same));
        }
    }
    let local = context.local_address(&service.database).await?;
    Ok((local, ScratchServerChoice::Local))
}

fn pg_dump(context: &Context) -> Result<ClientProgram, Diagnostic> {
    let folder = context.globals.pg_bin.as_deref();
    Ok(ClientProgram::find("pg_dump", folder, 0)?)
}
