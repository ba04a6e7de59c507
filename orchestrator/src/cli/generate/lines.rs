//! What `generate` prints, and its JSON document.

use std::fmt::Write as _;

use ::generate::{Remaining, rendered};
use domain::{Diagnostic, Direction, ExitStatus, SchemaDifference, Service, called, suggest};
use drift::schema_difference;
use service_cli::command::{Context, print_document};

use super::args::Args;
use crate::cli::differences::differences;
use crate::skeleton::{Skeleton, SkeletonFile};

#[derive(serde::Serialize, schemars::JsonSchema)]
pub(in crate::cli) struct Document {
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
pub(super) struct Hazard {
    pub(super) rule: String,
    /// The file and the line, or the object.
    pub(super) place: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
}

/// What the user should know about the files.
#[derive(Default)]
pub(super) struct Notes {
    /// Why they have their plain form although a safe one is known.
    pub(super) not_safe: Option<String>,
    pub(super) hazards: Vec<Hazard>,
    /// The `schema.sql` to write.
    pub(super) schema: Option<SkeletonFile>,
}

/// What the proof found.
#[derive(serde::Serialize, schemars::JsonSchema)]
struct Difference {
    direction: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    objects: Vec<SchemaDifference>,
}

/// Writes or shows the files.
pub(super) fn finish(
    context: &Context,
    args: &Args,
    skeletons: &[Skeleton],
    remaining: Vec<Remaining>,
    notes: Notes,
) -> Result<ExitStatus, Diagnostic> {
    if !args.dry_run {
        Skeleton::write(skeletons, notes.schema.as_ref())?;
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
    crate::cli::print(&text)?;
    Ok(status)
}

/// Reports that `schema.sql` and the migrations agree.
pub(super) fn nothing_to_do(
    context: &Context,
    service: &Service,
) -> Result<ExitStatus, Diagnostic> {
    if context.is_human() {
        crate::cli::print(&format!(
            "{}: nothing to do; schema.sql declares what the migrations produce\n",
            service.name
        ))?;
    } else {
        print_document(&Document {
            written: false,
            proven: true,
            schema_file: None,
            files: Vec::new(),
            hazards: Vec::new(),
            remaining: Vec::new(),
        })?;
    }
    Ok(ExitStatus::Done)
}

pub(super) fn not_proven(
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
    crate::cli::print(&text)?;
    Ok(ExitStatus::Findings)
}

/// The remaining differences as comments.
pub(super) fn draft_notes(remaining: &[Remaining]) -> String {
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
