//! Turns drafts into findings: the severity in this environment, and whether the migration allows the rule.

use std::collections::BTreeMap;
use std::ops::Range;

use domain::{Finding, Migration, Place, SchemaDifference, Script, Service, Severity};
use pg_sql::Lines;
use settings::{ConfigError, Configuration, Origin};

use super::{Rule, nearest, rule_named, slugs};

/// The severity that the configuration gives a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfiguredSeverity {
    /// The rule is not checked.
    Off,
    /// Reported.
    Warning,
    /// Reported, with exit code 4.
    Error,
}

/// The oldest supported PostgreSQL: the default version to check files for.
const POSTGRES: u16 = 14;

/// The severities of the rules in one environment.
#[derive(Clone, Debug)]
pub struct Rulebook {
    /// The configured severities, by slug.
    pub severities: BTreeMap<String, ConfiguredSeverity>,
    /// The oldest PostgreSQL that files are checked for.
    pub postgres: u16,
}

impl Default for Rulebook {
    fn default() -> Self {
        Self {
            severities: BTreeMap::new(),
            postgres: POSTGRES,
        }
    }
}

/// A violation that a rule detected, before severity and `allow` directives apply.
pub struct Draft<'a> {
    pub rule: &'static Rule,
    /// The file.
    pub script: &'a Script,
    /// The place, in bytes of the file's text; `None` for the whole file.
    pub range: Option<Range<usize>>,
    /// What is wrong, in one sentence.
    pub message: String,
    pub safe_form: Option<String>,
    /// The objects that differ.
    pub differences: Vec<SchemaDifference>,
}

impl<'a> Draft<'a> {
    /// A violation of a rule somewhere in a file.
    pub fn new(rule: &'static Rule, script: &'a Script, message: impl Into<String>) -> Self {
        Self {
            rule,
            script,
            range: None,
            message: message.into(),
            safe_form: None,
            differences: Vec::new(),
        }
    }

    /// Sets the place in the file, in bytes.
    #[must_use]
    pub fn at(mut self, range: Range<usize>) -> Self {
        self.range = Some(range);
        self
    }

    /// Adds a safe form.
    #[must_use]
    pub fn safe_form(mut self, sql: impl Into<String>) -> Self {
        self.safe_form = Some(sql.into());
        self
    }
}

impl Rulebook {
    /// Reads the severities from the configuration.
    ///
    /// # Errors
    /// When it names an unknown rule or severity.
    pub fn of(configuration: &Configuration) -> Result<Self, ConfigError> {
        let mut severities = BTreeMap::new();
        for (slug, (value, origin)) in configuration.check_rules() {
            let Some(rule) = rule_named(slug) else {
                return Err(unknown(slug, &origin));
            };
            let known = match value {
                "error" => ConfiguredSeverity::Error,
                "off" if !is_fixed(rule) => ConfiguredSeverity::Off,
                "warning" if !is_fixed(rule) => ConfiguredSeverity::Warning,
                _ if is_fixed(rule) => {
                    return Err(ConfigError::InvalidValue {
                        origin,
                        value: value.to_owned(),
                        expected: "error: the engine always refuses such a file",
                    });
                }
                _ => {
                    return Err(ConfigError::InvalidValue {
                        origin,
                        value: value.to_owned(),
                        expected: "off, warning or error",
                    });
                }
            };
            severities.insert(slug.to_owned(), known);
        }
        Ok(Self {
            severities,
            postgres: configuration.check_postgres()?.unwrap_or(POSTGRES),
        })
    }

    /// The severity of a rule; `None` when the rule is off.
    pub fn severity(&self, rule: &Rule) -> Option<Severity> {
        if is_fixed(rule) {
            return Some(rule.severity);
        }
        match self.severities.get(rule.slug) {
            None => Some(rule.severity),
            Some(ConfiguredSeverity::Off) => None,
            Some(ConfiguredSeverity::Warning) => Some(Severity::Warning),
            Some(ConfiguredSeverity::Error) => Some(Severity::Error),
        }
    }

    /// The finding; `None` when the rule is off. An `allow` directive may be in the migration or in its revert, which no checksum
    /// covers: a migration that is already applied can still get a reason.
    pub fn finding(
        &self,
        service: &Service,
        migration: &Migration,
        draft: Draft<'_>,
    ) -> Option<Finding> {
        self.findings(service, migration, vec![draft]).pop()
    }

    /// The findings of many drafts.
    pub fn findings(
        &self,
        service: &Service,
        migration: &Migration,
        drafts: Vec<Draft<'_>>,
    ) -> Vec<Finding> {
        let scripts = [Some(&migration.script), migration.revert.as_ref()];
        let known: Vec<_> = scripts
            .into_iter()
            .flatten()
            .map(|script| (&script.path, Lines::of(&script.text)))
            .collect();
        let finding = |draft: Draft<'_>| {
            let severity = self.severity(draft.rule)?;
            let mut allows = scripts.iter().flatten().flat_map(|it| &it.directives.allow);
            let allowed = allows
                .find(|allow| allow.rule == draft.rule.slug && !is_fixed(draft.rule))
                .map(|allow| allow.reason.clone());
            let lines = known.iter().find(|(path, _)| **path == draft.script.path);
            let place = draft.range.zip(lines);
            Some(Finding {
                rule: draft.rule.slug.to_owned(),
                severity,
                service: service.name.clone(),
                version: Some(migration.version),
                file: draft.script.path.clone(),
                place: place.map(|(range, (_, lines))| self::place(lines, &range)),
                message: draft.message,
                safe_form: draft.safe_form,
                differences: draft.differences,
                allowed,
            })
        };
        drafts.into_iter().filter_map(finding).collect()
    }
}

/// Whether neither a directive nor the configuration can silence the rule, because the engine refuses the file anyway.
fn is_fixed(rule: &Rule) -> bool {
    rule == &slugs::ENGINE_REFUSES
}

fn unknown(slug: &str, origin: &Origin) -> ConfigError {
    let (file, key) = match origin {
        Origin::File { file, key } => (file.clone(), key.clone()),
        other => (other.to_string().into(), slug.to_owned()),
    };
    let known = match nearest(slug) {
        Some(rule) => format!("the rules in docs/rules (did you mean {}?)", rule.slug),
        None => "the rules in docs/rules".to_owned(),
    };
    ConfigError::UnknownKey { file, key, known }
}

fn place(lines: &Lines<'_>, range: &Range<usize>) -> Place {
    let (from, to) = (lines.position_at(range.start), lines.position_at(range.end));
    Place {
        line: from.line,
        column: from.column,
        end_line: to.line,
        end_column: to.column,
    }
}
