//! The `history --believe` command.

use domain::{Diagnostic, ExitStatus, ServiceName};
use engine::reconcile::Disagreement;
use report::clean;
use schemars::JsonSchema;
use serde::Serialize;
use service_cli::command::{Context, confirm, one_service, print_document, select, watch_signals};

use health::journal::{Believed, believe};

#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct Document<'a> {
    service: &'a ServiceName,
    recorded: &'a [Disagreement],
}

/// Makes history and journal agree in the database of one service: which one is right has to be decided per database.
pub(super) async fn believe_one(
    context: &Context,
    services: &[String],
    believed: Believed,
    yes: bool,
) -> Result<ExitStatus, Diagnostic> {
    let selected = select(&context.fleet, services, false)?;
    let Some(name) = selected.only().filter(|_| services.len() == 1) else {
        return Err(Diagnostic::usage(
            "--believe requires exactly one service",
            one_service(),
        ));
    };
    let targets = context.targets([name], &selected, false).await?;
    let Some(target) = targets.get(name) else {
        return Err(Diagnostic::usage(
            format!("unknown service {name}"),
            one_service(),
        ));
    };
    let side = match believed {
        Believed::History => "the journal to match the history",
        Believed::Journal => "the history to match the journal",
    };
    confirm(context, yes, &format!("change {side}")).await?;
    let recorded = believe(context, target, believed, &mut watch_signals()).await?;
    if context.is_human() {
        let mut text = String::new();
        for disagreement in &recorded {
            text.push_str(&format!(
                "resolved {name}: {}\n",
                clean(&disagreement.sentence())
            ));
        }
        if recorded.is_empty() {
            text.push_str(&format!(
                "{name}: history and journal agree; nothing was changed\n"
            ));
        }
        crate::cli::print(&text)?;
    } else {
        print_document(&Document {
            service: name,
            recorded: &recorded,
        })?;
    }
    Ok(ExitStatus::Done)
}
