//! What the user has to decide, and should know: possible renames, losses of data, and hazards.

use ::generate::{File, Likely, Loss};
use domain::{Diagnostic, ExitStatus, Service, called};
use lint::lint;
use lint::rules::Rulebook;
use service_cli::command::{Context, answer};

use super::args::Args;
use super::lines::Hazard;

pub(super) fn ambiguous(likely: &[Likely]) -> Diagnostic {
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
pub(super) async fn decided(
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
pub(super) fn hazards(
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

pub(super) fn refuse_losses(losses: &[Loss], allowed: &[String]) -> Result<(), Diagnostic> {
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
