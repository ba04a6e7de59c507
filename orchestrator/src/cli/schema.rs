//! The `schema dump` command.

use domain::{Diagnostic, ExitStatus, Service};
use pg_address::DatabaseAddress;
use service_cli::command::{Context, Selected, print_document, print_exact, select, watch_signals};

use client_program::ClientProgram;
use scratch::{ScratchServerChoice, ScratchServers};

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

#[derive(serde::Serialize, schemars::JsonSchema)]
pub(super) struct Document {
    written: Vec<String>,
}

pub(super) async fn schema(context: &Context, args: &Args) -> Result<ExitStatus, Diagnostic> {
    let SchemaCommand::Dump(args) = &args.command;
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
