//! The `generate` command.

mod args;
mod decisions;
mod lines;

use ::generate::{Generated, Remaining, Request};
use domain::{Diagnostic, Direction, ExitStatus, Service, Version, rerun, suggest};
use pg_address::DatabaseAddress;
use scratch::ScratchServers;
use service_cli::command::{Context, Selected, answer_is_yes, one_service, select, watch_signals};

use crate::from_source::{Imported, Source};
use crate::pattern;
use crate::skeleton::{Skeleton, SkeletonFile};
pub(super) use args::Args;
use decisions::{ambiguous, decided, hazards, refuse_losses};
pub(super) use lines::Document;
use lines::{Notes, draft_notes, finish, not_proven, nothing_to_do};

pub(super) async fn generate(context: &Context, args: &Args) -> Result<ExitStatus, Diagnostic> {
    let selected = select(&context.fleet, std::slice::from_ref(&args.service), false)?;
    let Some(service) = selected.only().and_then(|name| context.fleet.service(name)) else {
        return Err(Diagnostic::usage(
            "generate requires exactly one service",
            one_service(),
        ));
    };
    if let Some(outdated) = context.outdated_files().first() {
        return Err(Diagnostic::new(
            ExitStatus::Refused,
            format!("{outdated} differs from what is compiled into this program"),
            rerun("first rebuild the program: cargo build -p orchestrator"),
        ));
    }
    let folder = context.services_folder().join(service.name.as_str());
    let now = time::OffsetDateTime::now_utc();
    // The name is checked before anything is computed.
    let named = Skeleton::named(&folder, service, &args.name, now)?;
    if args.empty {
        let empty = Skeleton::empty(&folder, &named, args.no_transaction);
        return finish(context, args, &[empty], Vec::new(), Notes::default());
    }
    if let Some(chosen) = args.fill.pattern {
        let files = pattern::files(chosen, &args.fill).map_err(|error| {
            Diagnostic::usage(error.to_string(), suggest(["generate", "--help"]))
        })?;
        let filled = Skeleton::filled(&folder, &named, &files)?;
        return finish(context, args, &filled, Vec::new(), Notes::default());
    }
    let source = source(context, args, service)?;
    let computing = compute(context, args, service, &selected, &named, source.as_ref());
    let Some((generated, imported)) = computing.await? else {
        return Ok(ExitStatus::Cancelled);
    };
    let (files, mut remaining, mut hints) = match generated {
        Generated::Nothing => {
            return nothing_to_do(context, service);
        }
        Generated::Invalid(message) => {
            return Err(crate::schema::invalid(context, service, &message));
        }
        Generated::UnknownRename(text) => {
            return Err(Diagnostic::usage(
                format!(
                    "cannot rename {text}: no object of the migrations has this name, or the new one is taken"
                ),
                suggest(["generate", "--help"]),
            ));
        }
        Generated::Ambiguous(likely) => {
            return match decided(context, args, &likely).await? {
                Some(args) => Box::pin(generate(context, &args)).await,
                None => Err(ambiguous(&likely)),
            };
        }
        Generated::Files {
            files,
            losses,
            remaining,
            not_safe,
        } => {
            if let Err(refusal) = refuse_losses(&losses, &args.allow) {
                let question = format!("{refusal}. Continue? [y/N] ");
                if !answer_is_yes(context, &question).await? {
                    return Err(refusal);
                }
            }
            let hazards = hazards(context, service, &files, &losses)?;
            let notes = Notes {
                not_safe,
                hazards,
                schema: None,
            };
            (files, remaining, notes)
        }
    };
    if let Some(imported) = imported {
        hints.schema = Some(SkeletonFile {
            path: crate::schema::path(&context.services_folder(), service),
            text: imported.schema,
        });
        if !imported.differences.is_empty() {
            remaining.push(Remaining::Differs {
                direction: Direction::Up,
                differences: imported.differences,
            });
        }
    }
    if !remaining.is_empty() && !args.draft {
        return not_proven(context, service, &remaining);
    }
    let notes = draft_notes(&remaining);
    let skeletons: Vec<Skeleton> = files
        .iter()
        .map(|file| {
            let noted =
                |text: &str, header: &str| text.replacen(header, &format!("{notes}{header}"), 1);
            let up = noted(&file.up, "-- Generated from ");
            let down = noted(&file.down, "-- Reverts ");
            Skeleton::new(&folder, &file.file_name(), up, down)
        })
        .collect();
    finish(context, args, &skeletons, remaining, hints)
}

/// The source of `--from-url` or `--from-dump`, for a service without migrations.
fn source(context: &Context, args: &Args, service: &Service) -> Result<Option<Source>, Diagnostic> {
    let source = match (&args.from_url, &args.from_dump) {
        (Some(url), _) => {
            let configuration = &context.configuration;
            Source::Database(configuration.address_of_flag("--from-url", url, &service.database)?)
        }
        (None, Some(path)) => Source::Dump(path.clone()),
        (None, None) => return Ok(None),
    };
    match service.migrations.is_empty() {
        true => Ok(Some(source)),
        false => Err(Diagnostic::new(
            ExitStatus::Refused,
            format!(
                "{} has migrations; only a first migration can be taken from a database or a dump",
                service.name
            ),
            suggest(["drift", service.name.as_str()]),
        )),
    }
}

/// Reads the source, unless the service has another `schema.sql`.
async fn import(
    context: &Context,
    scratch_servers: &ScratchServers<'_>,
    service: &Service,
    server: &DatabaseAddress,
    source: &Source,
) -> Result<Imported, Diagnostic> {
    let imported = Box::pin(source.read(context, scratch_servers, service, server)).await?;
    let path = crate::schema::path(&context.services_folder(), service);
    let existing = match path.exists() {
        true => crate::schema::read(context, service)?,
        false => String::new(),
    };
    if existing.trim().is_empty() || existing == imported.schema {
        return Ok(imported);
    }
    Err(Diagnostic::new(
        ExitStatus::Refused,
        format!("{} differs from the schema of {source}", path.display()),
        rerun("first remove that file, if the source is right"),
    ))
}

async fn compute(
    context: &Context,
    args: &Args,
    service: &Service,
    selected: &Selected,
    (version, name): &(Version, String),
    source: Option<&Source>,
) -> Result<Option<(Generated, Option<Imported>)>, Diagnostic> {
    let mut schema = match source {
        Some(_) => String::new(),
        None => crate::schema::read(context, service)?,
    };
    let (server, choice) =
        super::schema::server(context, service, selected, args.scratch_server.as_ref()).await?;
    let scratch_servers = ScratchServers::new(context, &choice)?;
    let work = Box::pin(async {
        let mut imported = None;
        if let Some(source) = source {
            let read = import(context, &scratch_servers, service, &server, source).await?;
            schema.clone_from(&read.schema);
            imported = Some(read);
        }
        let request = Request {
            service,
            server: &server,
            pg_bin: context.globals.pg_bin.clone(),
            schema: &schema,
            renames: &args.rename,
            no_rename: args.no_rename,
            is_unsafe: args.is_unsafe,
            version: *version,
            name,
        };
        let generated = Box::pin(::generate::generate(&scratch_servers, &request)).await?;
        Ok::<_, Diagnostic>((generated, imported))
    });
    let mut cancelled = watch_signals();
    let generated = scratch_servers.until_cancelled(&mut cancelled, work).await;
    generated.transpose()
}
