//! The hazards of a plan: what `check --no-rehearsal` finds in the files that would run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use lint::rules::{Rulebook, is_textual};
use lint::{allows, lint};
use time::OffsetDateTime;

use super::Context;
use domain::{Diagnostic, Direction, Finding, Migration, ServiceName, Step, Version};
use engine::inspect::Target;

/// The findings in the files of some steps, without those that a directive allows.
pub struct Hazards {
    by_file: BTreeMap<String, Vec<Finding>>,
}

impl Hazards {
    /// Checks the files of some steps. Each is checked against all files of its service, and all migrations to be applied count
    /// as new. Takes time, so call it only where the hazards are shown.
    pub fn of<'s>(
        context: &Context,
        steps: impl IntoIterator<Item = &'s Step>,
    ) -> Result<Self, Diagnostic> {
        let rulebook = Rulebook::of(&context.configuration)?;
        let now = OffsetDateTime::now_utc();
        let mut planned: BTreeMap<&ServiceName, BTreeSet<(Version, bool)>> = BTreeMap::new();
        for step in steps {
            let versions = planned.entry(&step.service).or_default();
            versions.insert((step.version, step.direction == Direction::Up));
        }
        let mut by_file: BTreeMap<String, Vec<Finding>> = BTreeMap::new();
        for (name, versions) in planned {
            let Some(service) = context.service(name) else {
                continue;
            };
            let is_new = |version| versions.contains(&(version, true));
            let is_planned = |version| is_new(version) || versions.contains(&(version, false));
            let mut found = lint(service, &rulebook, now, is_new, is_planned);
            let is_checked = |version, rule: &_| is_planned(version) && is_textual(rule);
            found.extend(allows(service, &rulebook, &found, is_checked));
            for finding in found.into_iter().filter(|it| it.allowed.is_none()) {
                by_file
                    .entry(finding.file.clone())
                    .or_default()
                    .push(finding);
            }
        }
        for findings in by_file.values_mut() {
            findings.sort_by(|one, other| (one.place, &one.rule).cmp(&(other.place, &other.rule)));
        }
        Ok(Self { by_file })
    }

    /// The findings in the file of a step, in their order in the file.
    pub fn of_file(&self, migration: &Migration, direction: Direction) -> &[Finding] {
        let found = self.by_file.get(&migration.script(direction).path);
        found.map_or(&[], Vec::as_slice)
    }
}

/// `error drop-column, line 3: running programs may use the column`.
pub(super) fn line(finding: &Finding) -> String {
    let place = finding.place;
    let place = place.map_or_else(String::new, |place| format!(", line {}", place.line));
    let (severity, rule) = (finding.severity, &finding.rule);
    format!("{severity} {rule}{place}: {}", finding.message)
}

/// What a change would run, for its confirmation: databases, files, and hazards.
pub(super) fn review(
    context: &Context,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
    steps: &[&Step],
) -> Result<String, Diagnostic> {
    let hazards = Hazards::of(context, steps.iter().copied())?;
    let mut text = String::new();
    let mut last = None;
    for step in steps {
        let Some(target) = targets.get(&step.service) else {
            continue;
        };
        let Some(migration) = target.service.migration(step.version) else {
            continue;
        };
        if last.replace(&step.service) != Some(&step.service) {
            let _ = writeln!(text, "{} on {}:", step.service, target.address);
        }
        let _ = writeln!(text, "  {}", migration.script(step.direction).path);
        for finding in hazards.of_file(migration, step.direction) {
            let _ = writeln!(text, "    {}", line(finding));
        }
    }
    Ok(text)
}
