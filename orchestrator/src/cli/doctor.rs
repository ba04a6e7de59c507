//! The `doctor` command.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::{Diagnostic, ExitStatus, ServiceName, suggest};
use engine::inspect::Target;
use report::units::count;
use report::{Palette, Role, clean};
use schemars::JsonSchema;
use serde::Serialize;
use service_cli::command::{
    Context, Unreachable, answer_is_yes, print_document, select, unreachable_lines, watch_signals,
};
use tokio::sync::watch;

use health::doctor::{Examination, Finding, Remedy, Repaired, Severity, examine, repair};

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  orchestrator doctor
  orchestrator doctor policy --idle-after 1min
  orchestrator doctor --fix                     make safe repairs, ask before the others
  orchestrator doctor --fix --yes

Detects migration files that were edited, removed or added out of order; read-only databases; sessions that are idle in a
transaction, and the sessions that they block; invalid indexes; NOT VALID constraints; interrupted steps and compensations;
prepared transactions; holders of the advisory lock; disagreement of history and journal; pending detaches of partitions;
abandoned scratch databases; an outdated pg_dump; and connections through a transaction-mode pooler. Without --fix nothing is
written. The exit code is 4 when findings remain.")]
pub(super) struct Args {
    /// Names of services [default: all]
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// Make safe repairs, and ask before others
    #[arg(long)]
    fix: bool,
    /// Make all repairs without asking
    #[arg(long, requires = "fix")]
    yes: bool,
    /// Report sessions that are idle for longer than this
    #[arg(long, value_name = "DURATION", default_value = "5min", value_parser = humantime::parse_duration)]
    idle_after: Duration,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Document<'a> {
    findings: &'a [Finding],
    fixed: &'a [Finding],
    unreachable: &'a [Unreachable],
}

pub(super) async fn doctor(context: &Context, args: &Args) -> Result<ExitStatus, Diagnostic> {
    let selected = select(&context.fleet, &super::or_all(&args.services), false)?;
    let targets = context.targets(&selected.names, &selected, false).await?;
    let mut examination = examine(context, &targets, args.idle_after).await?;
    let (mut fixed, mut failed) = (Vec::new(), ExitStatus::Done);
    let mut is_cancelled = false;
    if args.fix {
        let mut cancelled = watch_signals();
        (fixed, failed) = fix(context, &targets, &examination, args.yes, &mut cancelled).await?;
        is_cancelled = *cancelled.borrow() > 0;
        if !fixed.is_empty() && !is_cancelled {
            tokio::select! {
                biased;
                examined = examine(context, &targets, args.idle_after) => examination = examined?,
                Ok(_) = cancelled.wait_for(|times| *times > 0) => is_cancelled = true,
            }
        }
        if is_cancelled {
            let what = |finding: &Finding| (finding.place.clone(), finding.what.clone());
            let is_left =
                |finding: &Finding| !fixed.iter().any(|fixed| what(fixed) == what(finding));
            examination.findings.retain(is_left);
        }
    }
    if context.is_human() {
        super::print(&human(&examination, &fixed, context.terminal.out))?;
    } else {
        print_document(&Document {
            findings: &examination.findings,
            fixed: &fixed,
            unreachable: &examination.unreachable,
        })?;
    }
    Ok(if is_cancelled {
        ExitStatus::Cancelled
    } else {
        status(&examination, failed)
    })
}

/// What a failed repair leaves is a finding, unless the repair can succeed later.
fn status(examination: &Examination, failed: ExitStatus) -> ExitStatus {
    let found = if examination.counted() > 0 && failed == ExitStatus::Unavailable {
        failed
    } else if examination.counted() > 0 {
        ExitStatus::Findings
    } else {
        ExitStatus::Done
    };
    let unreachable = examination.unreachable.iter();
    unreachable.fold(found, |worst, one| worst.or_worse(one.error.0.exit_code))
}

/// Makes the repairs that are possible, asking where required, until `cancelled`. Returns the repaired findings, and the exit code of
/// the repairs that failed.
async fn fix(
    context: &Context,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
    examination: &Examination,
    yes: bool,
    cancelled: &mut watch::Receiver<u32>,
) -> Result<(Vec<Finding>, ExitStatus), Diagnostic> {
    let (mut fixed, mut failed) = (Vec::new(), ExitStatus::Done);
    for finding in &examination.findings {
        if *cancelled.borrow() > 0 {
            break;
        }
        let Some(remedy) = &finding.remedy else {
            continue;
        };
        let target = match &finding.service {
            Some(name) => targets.get(name),
            None => targets
                .values()
                .find(|target| target.address.server_key() == finding.place),
        };
        let Some(target) = target else { continue };
        if !consent(context, finding, remedy, yes).await? {
            continue;
        }
        match repair(context, target, remedy, cancelled).await {
            Repaired::Done => fixed.push(finding.clone()),
            Repaired::Failed(cause) => {
                tracing::warn!(database = finding.place, "not repaired: {cause}");
                failed = failed.or_worse(cause.exit_code);
            }
        }
    }
    Ok((fixed, failed))
}

async fn consent(
    context: &Context,
    finding: &Finding,
    remedy: &Remedy,
    yes: bool,
) -> Result<bool, Diagnostic> {
    let asks = remedy.asks || context.configuration.is_production();
    if !asks || yes {
        return Ok(true);
    }
    let question = format!(
        "{}: {}\n  {}\nProceed? [y/N] ",
        finding.place,
        clean(&finding.what),
        clean(&finding.next)
    );
    answer_is_yes(context, &question).await
}

fn human(examination: &Examination, fixed: &[Finding], palette: Palette) -> String {
    let mut text = String::new();
    let subject = |finding: &Finding| match &finding.service {
        Some(name) => format!("{name} ({})", finding.place),
        None => finding.place.clone(),
    };
    for finding in fixed {
        let word = palette.paint(Role::Good, "fixed  ");
        text.push_str(&format!(
            "{word}  {}: {}\n",
            subject(finding),
            clean(&finding.what)
        ));
        text.push_str(&format!("  ran: {}\n", clean(&finding.next)));
    }
    for finding in &examination.findings {
        let role = match finding.severity {
            Severity::Error => Role::Bad,
            Severity::Warning => Role::Warning,
            Severity::Note => Role::Quiet,
        };
        let word = palette.paint(role, &format!("{:<7}", finding.severity.as_str()));
        text.push_str(&format!(
            "{word}  {}: {}\n",
            subject(finding),
            clean(&finding.what)
        ));
        text.push_str(&format!("  next: {}\n", clean(&finding.next)));
    }
    text.push_str(&unreachable_lines(&examination.unreachable, palette));
    text.push_str(&summary(examination, fixed));
    text
}

fn summary(examination: &Examination, fixed: &[Finding]) -> String {
    let databases = count(examination.examined, "database");
    let left = match examination.counted() {
        0 if examination.unreachable.is_empty() => ": no findings".to_owned(),
        0 => String::new(),
        number => format!(": {}", count(number, "finding")),
    };
    let mut text = format!("{databases} checked{left}");
    if !fixed.is_empty() {
        text.push_str(&format!(", {} fixed", fixed.len()));
    }
    let can_fix = |asks| {
        let findings = examination.findings.iter();
        findings
            .filter_map(|finding| finding.remedy.as_ref())
            .any(|remedy| remedy.asks == asks)
    };
    if can_fix(true) {
        text.push_str(&format!(
            "\nnext: {}   # asks first; or --fix --yes",
            suggest(["doctor", "--fix"])
        ));
    } else if can_fix(false) {
        text.push_str(&format!("\nnext: {}", suggest(["doctor", "--fix"])));
    }
    if !examination.unreachable.is_empty() {
        text.push_str(&format!(
            "\n{} could not be checked",
            count(examination.unreachable.len(), "database")
        ));
    }
    text.push('\n');
    text
}
