//! The `generate` command.

use std::fmt::Write as _;
use std::path::PathBuf;

use ::generate::{File, Generated, Likely, Loss, Remaining, Request, rendered};
use domain::{
    Diagnostic, Direction, ExitStatus, SchemaDifference, Service, Version, called, rerun, suggest,
};
use drift::schema_difference;
use lint::lint;
use lint::rules::Rulebook;
use pg_address::DatabaseAddress;
use scratch::{ScratchServerChoice, ScratchServers};
use service_cli::command::{
    Context, Selected, answer, answer_is_yes, one_service, print_document, select, watch_signals,
};

use super::differences::differences;
use crate::from_source::{Imported, Source};
use crate::pattern;
use crate::skeleton::{GenerateError, Skeleton, SkeletonFile};

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
pub(super) struct Args {
    /// The service of the migration
    #[arg(value_name = "SERVICE")]
    service: String,
    /// The name of the migration, as in AddPolicyTemplates
    #[arg(value_name = "NAME")]
    name: String,
    /// Write files that contain only a comment
    #[arg(long, conflicts_with_all = ["rename", "no_rename", "allow", "is_unsafe", "draft", "scratch_server", "pattern"])]
    empty: bool,
    /// Begin the empty files with `-- migration: no-transaction`, for CREATE INDEX CONCURRENTLY and the like
    #[arg(long, requires = "empty")]
    no_transaction: bool,
    /// Show the files without writing them
    #[arg(long)]
    dry_run: bool,
    /// Rename an object, such as public.users.mail=email, public.users=accounts, or public.status.open=opened
    #[arg(long, value_name = "OLD=NEW")]
    rename: Vec<String>,
    /// Drop and create what looks like a rename
    #[arg(long)]
    no_rename: bool,
    /// Allow a loss of data, such as drop-column:SCHEMA.TABLE.COLUMN or drop-table:SCHEMA.TABLE
    #[arg(long, value_name = "RULE:OBJECT")]
    allow: Vec<String>,
    /// Write one file, whose statements may block traffic on large tables for long
    #[arg(long = "unsafe")]
    is_unsafe: bool,
    /// Write the files even if they are not proven, with the remaining differences as comments; the exit code is still 4
    #[arg(long)]
    draft: bool,
    /// Where to create the scratch databases: local (the project's server), same (the service's server), or a URL
    #[arg(long, value_name = "SERVER")]
    scratch_server: Option<ScratchServerChoice>,
    /// Take the schema of the database at this URL, for a service without migrations, and write schema.sql too
    #[arg(long, value_name = "URL", conflicts_with_all = ["from_dump", "empty", "rename", "no_rename", "allow", "pattern"])]
    from_url: Option<String>,
    /// Take the schema of a dump of pg_dump, for a service without migrations, and write schema.sql too
    #[arg(long, value_name = "FILE", conflicts_with_all = ["empty", "rename", "no_rename", "allow", "pattern"])]
    from_dump: Option<PathBuf>,
    #[command(flatten)]
    fill: pattern::Arguments,
}

#[derive(serde::Serialize, schemars::JsonSchema)]
pub(super) struct Document {
    written: bool,
    proven: bool,
    /// The schema.sql of --from-url or --from-dump.
    #[serde(skip_serializing_if = "Option::is_none")]
    schema_file: Option<String>,
    files: Vec<Files>,
    hazards: Vec<Hazard>,
    remaining: Vec<Difference>,
}

#[derive(serde::Serialize, schemars::JsonSchema)]
struct Files {
    migration: String,
    revert: String,
}

/// What `check` finds in the files.
#[derive(serde::Serialize, schemars::JsonSchema)]
struct Hazard {
    rule: String,
    /// The file and the line, or the object.
    place: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// What the user should know about the files.
#[derive(Default)]
struct Notes {
    /// Why they have their plain form although a safe one is known.
    not_safe: Option<String>,
    hazards: Vec<Hazard>,
    /// The `schema.sql` to write.
    schema: Option<SkeletonFile>,
}

/// What the proof found.
#[derive(serde::Serialize, schemars::JsonSchema)]
struct Difference {
    direction: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    objects: Vec<SchemaDifference>,
}

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
    let named = Skeleton::named(&folder, service, &args.name, now).map_err(as_command_error)?;
    if args.empty {
        let empty = Skeleton::empty(&folder, &named, args.no_transaction);
        return finish(context, args, &[empty], Vec::new(), Notes::default());
    }
    if let Some(chosen) = args.fill.pattern {
        let files = pattern::files(chosen, &args.fill).map_err(|error| {
            Diagnostic::usage(error.to_string(), suggest(["generate", "--help"]))
        })?;
        let filled = Skeleton::filled(&folder, &named, &files).map_err(as_command_error)?;
        return finish(context, args, &filled, Vec::new(), Notes::default());
    }
    let source = source(context, args, service)?;
    let computing = compute(context, args, service, &selected, &named, source.as_ref());
    let Some((generated, imported)) = computing.await? else {
        return Ok(ExitStatus::Cancelled);
    };
    let (files, mut remaining, mut hints) = match generated {
        Generated::Nothing => {
            if !context.is_human() {
                print_document(&Document {
                    written: false,
                    proven: true,
                    schema_file: None,
                    files: Vec::new(),
                    hazards: Vec::new(),
                    remaining: Vec::new(),
                })?;
            } else {
                super::print(&format!(
                    "{}: nothing to do; schema.sql declares what the migrations produce\n",
                    service.name
                ))?;
            }
            return Ok(ExitStatus::Done);
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

/// Writes or shows the files.
fn finish(
    context: &Context,
    args: &Args,
    skeletons: &[Skeleton],
    remaining: Vec<Remaining>,
    notes: Notes,
) -> Result<ExitStatus, Diagnostic> {
    if !args.dry_run {
        Skeleton::write(skeletons, notes.schema.as_ref()).map_err(as_command_error)?;
    }
    let status = match remaining.is_empty() {
        true => ExitStatus::Done,
        false => ExitStatus::Findings,
    };
    if !context.is_human() {
        print_document(&Document {
            written: !args.dry_run,
            proven: !args.empty && args.fill.pattern.is_none() && remaining.is_empty(),
            schema_file: (notes.schema.as_ref()).map(|it| it.path.display().to_string()),
            files: skeletons
                .iter()
                .map(|it| Files {
                    migration: it.migration.path.display().to_string(),
                    revert: it.revert.path.display().to_string(),
                })
                .collect(),
            hazards: notes.hazards,
            remaining: remaining.into_iter().map(as_difference).collect(),
        })?;
        return Ok(status);
    }
    let mut text = String::new();
    let of_skeletons = skeletons.iter().flat_map(|it| [&it.migration, &it.revert]);
    for file in notes.schema.iter().chain(of_skeletons) {
        let verb = if args.dry_run { "would write" } else { "wrote" };
        let _ = writeln!(text, "{verb} {}", file.path.display());
        if args.dry_run {
            text.push_str(&indented(&file.text));
        }
    }
    for hazard in &notes.hazards {
        let (rule, place) = (hazard.rule.as_str(), report::clean(&hazard.place));
        let _ = writeln!(text, "hazard {rule}  {place}");
        if let Some(message) = &hazard.message {
            let _ = writeln!(text, "  {}", report::clean(message));
        }
    }
    if let Some(why) = notes.not_safe {
        let why = report::clean(&why).to_string();
        let _ = writeln!(
            text,
            "one plain file, because the safe form is not proven: {why}"
        );
    }
    if args.fill.pattern.is_some() {
        let next = match args.dry_run {
            true => called().without_flag("--dry-run").to_string(),
            false => suggest(["schema", "dump", args.service.as_str()]),
        };
        let _ = writeln!(text, "next: {next}");
    } else if !args.empty {
        text.push_str(match remaining.is_empty() {
            true => "proven: the migration leads to schema.sql, and the revert leads back\n",
            false => "not proven: see the comments in the files\n",
        });
        let next = match args.dry_run {
            true => called().without_flag("--dry-run").to_string(),
            false => suggest(["check", args.service.as_str()]),
        };
        let _ = writeln!(text, "next: {next}");
    }
    super::print(&text)?;
    Ok(status)
}

fn ambiguous(likely: &[Likely]) -> Diagnostic {
    let list: Vec<String> = likely
        .iter()
        .map(|it| format!("{} = {}", it.old, it.new))
        .collect();
    let renames = likely
        .iter()
        .flat_map(|it| ["--rename".to_owned(), format!("{}={}", it.old, it.new)]);
    Diagnostic::new(
        ExitStatus::Refused,
        format!(
            "cannot decide whether these are renames: {}; to drop and add instead: {}",
            list.join(", "),
            called().with(["--no-rename"])
        ),
        called().with(renames).to_string(),
    )
}

/// The arguments with what the user answers on the terminal about possible renames; `None` without a terminal, and to stop.
async fn decided(
    context: &Context,
    args: &Args,
    likely: &[Likely],
) -> Result<Option<Args>, Diagnostic> {
    let mut args = args.clone();
    let mut renamed: Vec<&Likely> = Vec::new();
    for one in likely {
        if renamed
            .iter()
            .any(|it| it.old == one.old || it.new == one.new)
        {
            continue;
        }
        let question = format!(
            "{} is gone, and {} is new. [r]ename it, [d]rop it and create the other, or [S]top? ",
            one.old, one.new
        );
        let answer = answer(context, &question).await?;
        match answer.as_deref().map(str::to_lowercase).as_deref() {
            Some("r" | "rename") => {
                args.rename.push(format!("{}={}", one.old, one.new));
                renamed.push(one);
            }
            Some("d" | "drop") => args.no_rename = true,
            _ => return Ok(None),
        }
    }
    Ok(Some(args))
}

/// The findings of `check` in the text of the files, and what failed on generated rows.
fn hazards(
    context: &Context,
    service: &Service,
    files: &[File],
    losses: &[Loss],
) -> Result<Vec<Hazard>, Diagnostic> {
    let rulebook = Rulebook::of(&context.configuration)?;
    let mut after = service.clone();
    // A file that the engine refuses is not proven, which is reported.
    let migrations = files.iter().filter_map(|it| it.migration().ok());
    after.migrations.extend(migrations);
    let is_new = |version| files.iter().any(|it| it.version == version);
    let now = time::OffsetDateTime::now_utc();
    let findings = lint(&after, &rulebook, now, is_new, is_new);
    let found = (findings.into_iter())
        .filter(|it| it.allowed.is_none())
        .map(|it| Hazard {
            place: match it.place {
                Some(place) => format!("{}:{}", it.file, place.line),
                None => it.file,
            },
            rule: it.rule,
            message: Some(it.message),
        });
    let on_rows = (losses.iter())
        .filter(|it| !it.rule.starts_with("drop-"))
        .map(|it| Hazard {
            rule: it.rule.to_owned(),
            place: it.object.clone(),
            message: Some(on_rows_message(it.rule).to_owned()),
        });
    Ok(found.chain(on_rows).collect())
}

/// What a proof on generated rows shows.
fn on_rows_message(rule: &str) -> &'static str {
    match rule {
        "needs-empty-table" => "the migration fails if the table has rows",
        "loses-data" => "the migration changes values that its revert does not restore",
        _ => "the migration fails on some rows that the table may have, and then changes nothing",
    }
}

fn refuse_losses(losses: &[Loss], allowed: &[String]) -> Result<(), Diagnostic> {
    let missing: Vec<&Loss> = (losses.iter())
        // It runs completely or not at all, depending on the rows.
        .filter(|it| it.rule != "fails-on-rows")
        .filter(|it| !allowed.contains(&format!("{}:{}", it.rule, it.object)))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let named = |it: &&Loss| format!("{}:{}", it.rule, it.object);
    let names: Vec<String> = missing.iter().map(named).collect();
    let options = (names.iter()).flat_map(|it| ["--allow".to_owned(), it.clone()]);
    let what = match missing.iter().all(|it| it.rule == "needs-empty-table") {
        true => {
            "the migration fails if the table has rows: give the column a default in schema.sql, or make it nullable and fill it"
        }
        false => "the migration would lose data",
    };
    Err(Diagnostic::new(
        ExitStatus::Refused,
        format!("{what}: {}", names.join(", ")),
        called().with(options).to_string(),
    ))
}

fn not_proven(
    context: &Context,
    service: &Service,
    remaining: &[Remaining],
) -> Result<ExitStatus, Diagnostic> {
    if !context.is_human() {
        print_document(&Document {
            written: false,
            proven: false,
            schema_file: None,
            files: Vec::new(),
            hazards: Vec::new(),
            remaining: remaining.iter().cloned().map(as_difference).collect(),
        })?;
        return Ok(ExitStatus::Findings);
    }
    let mut text = format!(
        "{}: cannot generate a proven migration; no file was written\n",
        service.name
    );
    for one in remaining.iter().cloned().map(as_difference) {
        let what = match one.direction {
            "up" => "the migration",
            _ => "the revert",
        };
        match one.message {
            Some(message) => {
                let _ = writeln!(text, "  {what}: {}", report::clean(&message));
            }
            None => {
                let _ = writeln!(text, "  after {what}, the schema differs:");
            }
        }
        text.push_str(&differences(&one.objects, context.terminal.out));
    }
    let _ = writeln!(text, "next: {}", called().with(["--draft"]));
    super::print(&text)?;
    Ok(ExitStatus::Findings)
}

/// The remaining differences as comments.
fn draft_notes(remaining: &[Remaining]) -> String {
    let mut text = String::new();
    for one in remaining.iter().cloned().map(as_difference) {
        let _ = writeln!(text, "-- NOT PROVEN ({}).", one.direction);
        let objects = one
            .objects
            .iter()
            .map(|it| format!("differs: {} {}", it.kind, it.object));
        for line in one
            .message
            .iter()
            .flat_map(|it| it.lines())
            .map(str::to_owned)
            .chain(objects)
        {
            let _ = writeln!(text, "--   {}", report::clean(&line));
        }
    }
    text
}

fn as_difference(remaining: Remaining) -> Difference {
    let name = |direction| match direction {
        Direction::Up => "up",
        Direction::Down => "down",
    };
    match remaining {
        Remaining::Fails { direction, message } => Difference {
            direction: name(direction),
            message: Some(message),
            objects: Vec::new(),
        },
        Remaining::Differs {
            direction,
            differences,
        } => Difference {
            direction: name(direction),
            message: None,
            objects: differences.into_iter().map(schema_difference).collect(),
        },
        Remaining::Again(statements) => Difference {
            direction: "up",
            message: Some(format!(
                "generating again would yield: {}",
                rendered(&statements).trim()
            )),
            objects: Vec::new(),
        },
    }
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
