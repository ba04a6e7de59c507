//! The `local` command: the project's own PostgreSQL.

use domain::{Diagnostic, ExitStatus, Refusal, RefusalKind, suggest};
use local_server::{LocalServer, LocalServerError, Status};
use report::clean;
use service_cli::command::{Context, print_document_exact, print_exact};

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  orchestrator local status      show its address
  orchestrator local psql        connect with psql
  orchestrator local stop
  orchestrator local reset       stop it and remove all its databases")]
pub(super) struct Args {
    #[command(subcommand)]
    command: LocalCommand,
}

#[derive(clap::Subcommand, Debug)]
enum LocalCommand {
    /// Start the server (other commands start it when they need it)
    Start,
    /// Stop the server
    Stop,
    /// Show the state and the address of the server
    Status,
    /// Stop the server and remove all its databases
    Reset,
    /// Open psql on the server
    Psql(PsqlArgs),
}

#[derive(clap::Args, Debug)]
struct PsqlArgs {
    /// The database to connect to
    #[arg(default_value = "postgres")]
    database: String,
    /// Arguments of psql
    #[arg(last = true)]
    args: Vec<String>,
}

#[derive(serde::Serialize, schemars::JsonSchema)]
pub(super) struct Document {
    state: &'static str,
    port: Option<u16>,
    data: Option<String>,
    url: Option<String>,
}

pub(super) async fn local(context: &Context, args: &Args) -> Result<ExitStatus, Diagnostic> {
    match &args.command {
        LocalCommand::Start => {
            context.local_server().await?;
            show(context).await
        }
        LocalCommand::Status => show(context).await,
        LocalCommand::Stop => {
            let stopped = on_server(context, |server| server.stop()).await?;
            let text = if stopped {
                format!(
                    "stopped; its databases are kept: {}\n",
                    suggest(["local", "start"])
                )
            } else {
                "not running\n".to_owned()
            };
            report(context, &text).await
        }
        LocalCommand::Reset => {
            refuse_in_production(context)?;
            on_server(context, |server| server.reset()).await?;
            report(context, "stopped, and removed all its databases\n").await
        }
        LocalCommand::Psql(args) => {
            super::refuse_json(&context.globals, "psql")?;
            let address = context.local_address(&args.database).await?;
            super::psql::exec(context, &address, &args.args).await
        }
    }
}

/// Deletes databases without confirmation, but never when the environment is production.
fn refuse_in_production(context: &Context) -> Result<(), Diagnostic> {
    if !context.configuration.is_production() {
        return Ok(());
    }
    Err(Refusal {
        kind: RefusalKind::Unconfirmed,
        service: None,
        message:
            "`local reset` deletes databases and is not allowed in production; nothing was changed"
                .to_owned(),
        next: suggest(["local", "status"]),
    }
    .into())
}

async fn on_server<T: Send + 'static>(
    context: &Context,
    work: impl FnOnce(&LocalServer) -> Result<T, LocalServerError> + Send + 'static,
) -> Result<T, Diagnostic> {
    let server = context.local_place()?;
    let done = tokio::task::spawn_blocking(move || work(&server))
        .await
        .map_err(|error| Diagnostic::failed("the local server was not changed", &error))?;
    Ok(done?)
}

async fn report(context: &Context, text: &str) -> Result<ExitStatus, Diagnostic> {
    if context.is_human() {
        super::print(text)?;
        Ok(ExitStatus::Done)
    } else {
        show(context).await
    }
}

async fn show(context: &Context) -> Result<ExitStatus, Diagnostic> {
    let status = on_server(context, |server| server.status()).await?;
    let (state, port, data, url) = match &status {
        Status::NotCreated => ("not created", None, None, None),
        Status::Stopped { data_dir, port, .. } => ("stopped", *port, Some(data_dir.clone()), None),
        Status::Starting { data_dir, .. } => ("starting", None, Some(data_dir.clone()), None),
        Status::Running(running) => (
            "running",
            Some(running.port()),
            Some(running.data_dir().to_owned()),
            Some(running.url("postgres")),
        ),
    };
    let data = data.map(|folder| folder.display().to_string());
    if !context.is_human() {
        print_document_exact(&Document {
            state,
            port,
            data,
            url,
        })?;
        return Ok(ExitStatus::Done);
    }
    let mut text = format!("local PostgreSQL: {state}\n");
    if let Status::Running(running) = &status {
        text.push_str(&format!(
            "  version  {}\n  listens  127.0.0.1:{}\n  log      {}\n",
            running.major(),
            running.port(),
            running.log().display()
        ));
    }
    for (word, value) in [("data", data), ("connect", url)] {
        if let Some(value) = value {
            text.push_str(&format!("  {word:<7}  {value}\n"));
        }
    }
    let other = match status {
        Status::Running(_) => "stop",
        _ => "start",
    };
    text.push_str(&format!("  {other:<7}  {}\n", suggest(["local", other])));
    // Not redacted: the URL of the project's own server includes its password on purpose.
    print_exact(&clean(&text))?;
    Ok(ExitStatus::Done)
}
