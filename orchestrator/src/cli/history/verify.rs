//! The `history --verify` and `history --anchor-out` commands.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use domain::{Anchor, Diagnostic, ExitStatus, ServiceName, commented, suggest};
use engine::inspect::{ServiceError, Target};
use futures_util::{StreamExt, stream};
use pg_session::{ConnectError, Connections};
use report::units::count;
use report::{Palette, Role, clean};
use service_cli::command::{Context, PerService, print_document, select};
use store::read_anchor;
use time::OffsetDateTime;
use time::macros::format_description;

use health::journal::{AnchorFile, Verification, refuse_existing_anchor, verify};

/// Verifies each journal independently: an unreadable journal does not hide the findings of another.
pub(super) async fn verify_journals(
    context: &Context,
    services: &[String],
    anchor: Option<&Path>,
    out: Option<&Path>,
) -> Result<ExitStatus, Diagnostic> {
    if let Some(out) = out {
        refuse_existing_anchor(out)?;
    }
    let anchors = anchor
        .map(|path| AnchorFile::read(path, &context.fleet))
        .transpose()?;
    let targets = targets(context, services).await?;
    let mut wanted: BTreeMap<&ServiceName, &Anchor> = BTreeMap::new();
    if let Some(file) = &anchors {
        for (name, target) in &targets {
            if let Some(anchor) = file.of(name, target.address.database())? {
                wanted.insert(name, anchor);
            }
        }
        if wanted.is_empty() {
            return Err(Diagnostic::usage(
                format!(
                    "{}: has no anchor of a verified service",
                    anchor.unwrap_or(Path::new("")).display()
                ),
                commented(
                    suggest(["history", "--verify"]),
                    "verifies without an anchor; or use another anchor, or the services in this one",
                ),
            ));
        }
    }
    let connections = context.connections();
    // The anchor is taken before the verification, so that rows added in between are not in it unverified.
    let taken = match out {
        Some(_) => Some(anchors_now(&connections, &targets).await?),
        None => None,
    };
    let verified = stream::iter(&targets)
        .map(|(name, target)| {
            let (connections, anchor) = (&connections, wanted.get(name).copied());
            async move {
                let verified = verify(connections, target, anchor).await;
                (name, verified.map_err(Into::into))
            }
        })
        .buffered(context.jobs().max(1))
        .collect()
        .await;
    let verified = PerService(verified);
    let status = verified.status(|found| match found.findings.is_empty() {
        true => ExitStatus::Done,
        false => ExitStatus::Findings,
    });
    if let (Some(out), Some(taken), ExitStatus::Done) = (out, taken, status) {
        taken.write(out)?;
    }
    let taken_at = anchors.as_ref().map(AnchorFile::taken_at);
    verified.print(context, |name, found| {
        lines(name, found, taken_at, context.terminal.out)
    })?;
    Ok(status)
}

/// Writes the current state of the journals.
pub(super) async fn take_anchors(
    context: &Context,
    services: &[String],
    out: &Path,
) -> Result<ExitStatus, Diagnostic> {
    refuse_existing_anchor(out)?;
    let targets = targets(context, services).await?;
    let taken = anchors_now(&context.connections(), &targets).await?;
    taken.write(out)?;
    if context.is_human() {
        let journals = count(taken.len(), "anchor");
        crate::cli::print(&format!(
            "wrote {journals} to {}: store it where no database user can change it\n",
            out.display()
        ))?;
    } else {
        print_document(&taken)?;
    }
    Ok(ExitStatus::Done)
}

async fn targets(
    context: &Context,
    services: &[String],
) -> Result<BTreeMap<ServiceName, Arc<Target>>, Diagnostic> {
    let selected = select(&context.fleet, services, false)?;
    context.targets(&selected.names, &selected, false).await
}

async fn anchors_now(
    connections: &Connections,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
) -> Result<AnchorFile, Diagnostic> {
    let mut anchors = Vec::new();
    for (name, target) in targets {
        let opened = connections
            .session(&target.address, &target.history_table)
            .await;
        let found = match opened {
            Ok(session) => read_anchor(&session, name)
                .await
                .map_err(|source| ServiceError::query(&target.address, source))?,
            Err(ConnectError::DatabaseMissing { .. }) => None,
            Err(error) => return Err(ServiceError::from(error).into()),
        };
        anchors.push(found.unwrap_or_else(|| Anchor {
            service: name.clone(),
            database: target.address.database().to_owned(),
            rows: 0,
            id: 0,
            hash: None,
        }));
    }
    Ok(AnchorFile::taken_now(anchors))
}

fn lines(
    name: &str,
    found: &Verification,
    taken_at: Option<OffsetDateTime>,
    palette: Palette,
) -> String {
    let line = |role: Role, word: &str, rest: &str| {
        let word = palette.paint(role, &format!("{word:<8}"));
        format!("{word}  {name}  {}: {rest}\n", found.database)
    };
    let anchored = match taken_at {
        Some(_) if !found.anchored => "; not in the anchor".to_owned(),
        Some(taken_at) => format!("; matches the anchor of {}", minute(taken_at)),
        None => String::new(),
    };
    let before = match found.before_chain {
        0 => String::new(),
        rows if rows == found.rows => {
            "; all older than the hash chain, which the next run begins: not verifiable yet"
                .to_owned()
        }
        rows => format!(
            "; {} older than the hash chain, unchanged since it began",
            count(rows, "row")
        ),
    };
    if found.findings.is_empty() {
        return match (found.newest_id, &found.newest_started_at) {
            (Some(id), Some(at)) => {
                let at = at.get(..19).unwrap_or(at).replace('T', " ");
                let rows = count(found.rows, "row");
                let rest = format!("{rows}, up to {id} of {at} UTC{before}{anchored}");
                line(Role::Good, "verified", &rest)
            }
            _ => line(Role::Quiet, "empty", "no journal yet"),
        };
    }
    let number = count(found.findings.len(), "finding");
    let rows = count(found.rows, "row");
    let mut text = line(Role::Bad, "changed", &format!("{number} in {rows}"));
    for finding in &found.findings {
        text.push_str(&format!("  {}\n", clean(&finding.message)));
    }
    text
}

/// A time for human output.
fn minute(time: OffsetDateTime) -> String {
    let form = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    time.format(&form).unwrap_or_default()
}
