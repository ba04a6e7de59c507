//! Splits a migration into files.
//!
//! Responsible for what stays in the file, what moves to separate files after it, and the reverts of each. Not for the
//! safe form of a statement (`forms`), nor for writing files (`files`). Pure.

use std::collections::BTreeSet;

use domain::{Direction, Migration, Service, Version};
use pg_sql::StatementKind;

use super::slices::Slices;
use lint::{LintedFile, Model, Now, Step, steps};
use safe_form::{
    Edited, Form, Later, Stage, StatementContext, Text, Undo, edit, is_partitioned, safe_form,
};

/// The result of splitting a migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rewrite {
    /// The possible splits, each with its files; the file that keeps the name is first.
    pub(super) ways: Vec<Vec<Part>>,
    /// The statements that have no safe form, and why.
    pub(super) left: Vec<Left>,
}

/// A migration of a rewrite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) version: Version,
    pub(super) name: String,
    pub(super) up: String,
    pub(super) revert: Option<String>,
}

/// A statement that remains a hazard.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Left {
    /// The line in the file.
    pub line: u32,
    pub why: String,
}

/// Why a migration cannot be rewritten at all.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoRewrite {
    #[error(
        "no room for {wanted} versions before {next}: rename that migration to a later version"
    )]
    NoRoom { wanted: usize, next: Version },
    #[error("{path} is nested too deeply to be analyzed")]
    TooDeep { path: String },
    #[error("line {line} changes a setting that would not apply in other files")]
    Sets { line: u32 },
}

/// Rewrites a migration. `hazards` are the offsets of the statements to rewrite, in bytes.
pub(super) fn rewrite(
    service: &Service,
    migration: &Migration,
    hazards: &BTreeSet<usize>,
) -> Result<Rewrite, NoRewrite> {
    let Some(up) = LintedFile::read(migration, Direction::Up) else {
        return Ok(Rewrite::nothing(Vec::new()));
    };
    let down = LintedFile::read(migration, Direction::Down);
    let deep = [Some(&up), down.as_ref()].into_iter().flatten();
    if let Some(file) = deep.into_iter().find(|file| file.too_deep.is_some()) {
        let path = file.script.path.clone();
        return Err(NoRewrite::TooDeep { path });
    }
    let (up_steps, down_steps) = (steps(&up), down.as_ref().map(steps).unwrap_or_default());
    let text = |file: &LintedFile<'_>| file.script.text.to_string();
    let (up_text, down_text) = (text(&up), down.as_ref().map(text));
    let context = Around {
        service,
        migration,
        up: Text {
            text: &up_text,
            steps: &up_steps,
        },
        down: down_text.as_deref().map(|text| Text {
            text,
            steps: &down_steps,
        }),
    };
    context.rewrite(hazards)
}

impl Rewrite {
    fn nothing(left: Vec<Left>) -> Self {
        Self {
            ways: Vec::new(),
            left,
        }
    }
}

struct Around<'a> {
    service: &'a Service,
    migration: &'a Migration,
    up: Text<'a>,
    down: Option<Text<'a>>,
}

impl Around<'_> {
    fn rewrite(&self, hazards: &BTreeSet<usize>) -> Result<Rewrite, NoRewrite> {
        let mut left = Vec::new();
        let mut forms: Vec<Option<Form>> = Vec::new();
        let mut now = Now::new(&self.before());
        for step in self.up.steps {
            let partitioned = is_partitioned(&now.model, step);
            now.apply(step);
            if !hazards.contains(&step.range.start) {
                forms.push(None);
                continue;
            }
            let context = StatementContext {
                after: &now.model,
                partitioned,
                file: self.up,
                revert: self.down,
            };
            match safe_form(step, &context) {
                Ok(form) => forms.push(Some(form)),
                Err(why) => {
                    left.push(Left {
                        line: self.line(step),
                        why: why.to_owned(),
                    });
                    forms.push(None);
                }
            }
        }
        if forms.iter().all(Option::is_none) {
            return Ok(Rewrite::nothing(left));
        }
        let ways = match self.migration.script.directives.no_transaction {
            true => vec![vec![self.in_place(&forms)]],
            false => self.split(&forms)?,
        };
        Ok(Rewrite { ways, left })
    }

    /// The schema before the migration.
    fn before(&self) -> Model {
        let mut model = Model::default();
        for earlier in &self.service.migrations {
            if earlier.version < self.migration.version
                && let Some(file) = LintedFile::read(earlier, Direction::Up)
            {
                model.apply_all(&steps(&file));
            }
        }
        model
    }

    fn line(&self, step: &Step) -> u32 {
        pg_sql::position_at(self.up.text, step.range.start).line
    }

    /// Without a transaction each lock is released after its statement, so everything can stay in one file.
    fn in_place(&self, forms: &[Option<Form>]) -> Part {
        let slices = Slices::of(self.up.text, self.up.steps);
        let mut up = slices.header.to_owned();
        for (slice, form) in slices.statements.iter().zip(forms) {
            match form {
                None => up.push_str(&slice.with(slice.sql)),
                Some(form) => {
                    let mut stages: Vec<&Later> = form.later.iter().collect();
                    stages.sort_by_key(|later| later.stage);
                    let later = stages.into_iter().map(|later| &later.sql);
                    let all: Vec<&str> =
                        form.stays.iter().chain(later).map(String::as_str).collect();
                    up.push_str(&slice.with(&all.join(";\n")));
                }
            }
        }
        up.push_str(slices.rest);
        Part {
            version: self.migration.version,
            name: self.migration.name.clone(),
            up,
            revert: self.down.map(|down| down.text.to_owned()),
        }
    }

    fn split(&self, forms: &[Option<Form>]) -> Result<Vec<Vec<Part>>, NoRewrite> {
        let setting = self.up.steps.iter().find(|step| {
            let text = &self.up.text[step.range.clone()];
            let kind = pg_sql::classify(&pg_sql::Statement { text, offset: 0 });
            matches!(kind, StatementKind::Set { .. })
        });
        if let Some(step) = setting {
            return Err(NoRewrite::Sets {
                line: self.line(step),
            });
        }
        let slices = Slices::of(self.up.text, self.up.steps);
        let mut pieces = Pieces::default();
        for (slice, form) in slices.statements.iter().zip(forms) {
            let Some(form) = form else {
                join(&mut pieces.stays, &slice.with(slice.sql));
                continue;
            };
            let mut comments = slice.comments();
            if let Some(sql) = form.stays.first() {
                join(&mut pieces.stays, &slice.with(sql));
                comments.clear();
            }
            for one in &form.later {
                pieces
                    .later
                    .push((one.clone(), std::mem::take(&mut comments)));
            }
            pieces.undone.extend(form.undo.iter().cloned());
        }
        let stays = !pieces.stays.trim().is_empty();
        let indexes = pieces
            .later
            .iter()
            .any(|(one, _)| one.stage == Stage::Indexes);
        let mut ways = vec![self.way(&slices, &pieces, &[Stage::Stays, Stage::Indexes])];
        if stays && indexes {
            // The remaining statements may use the index, or drop its table or columns.
            ways.push(self.way(&slices, &pieces, &[Stage::Indexes, Stage::Stays]));
        }
        for way in &ways {
            self.fits(way)?;
        }
        Ok(ways)
    }

    /// The files of one split. `first` are the stages whose order may vary.
    fn way(&self, slices: &Slices<'_>, pieces: &Pieces, first: &[Stage]) -> Vec<Part> {
        let reverted = self.reverted(&pieces.undone);
        let mut parts: Vec<Part> = Vec::new();
        for stage in first
            .iter()
            .copied()
            .chain([Stage::Validate, Stage::Finish])
        {
            let mut own: Vec<&(Later, String)> = pieces
                .later
                .iter()
                .filter(|(one, _)| one.stage == stage)
                .collect();
            // Each statement commits separately: the new index must exist before the old one is dropped.
            own.sort_by_key(|(one, _)| one.sql.starts_with("DROP INDEX "));
            let heir = parts.is_empty().then_some(Heir {
                header: slices.header,
                reverted: reverted.as_ref(),
            });
            if stage == Stage::Stays {
                if !pieces.stays.trim().is_empty() {
                    parts.push(self.staying(slices, pieces, heir.as_ref(), parts.len()));
                }
            } else if !own.is_empty() {
                let is_last = pieces.stays.trim().is_empty();
                parts.push(self.part(stage, &own, heir.as_ref(), is_last, parts.len()));
            }
        }
        parts
    }

    /// The file of the statements that stay.
    fn staying(
        &self,
        slices: &Slices<'_>,
        pieces: &Pieces,
        heir: Option<&Heir<'_>>,
        place: usize,
    ) -> Part {
        let (version, name) = self.named(Stage::Stays, heir, place);
        let file = format!("V{version}__{name}.sql");
        let reverted = self.reverted(&pieces.undone);
        let header = match heir {
            Some(heir) => heir.header.to_owned(),
            None => self.header(Stage::Stays, reverted.is_some()),
        };
        Part {
            version,
            name,
            up: joined(&[&header, &pieces.stays, slices.rest]),
            revert: reverted.map(|(head, rest)| match heir {
                Some(_) => joined(&[&head, &rest]),
                None => joined(&[&format!("-- Undoes migrations/{file}.\n\n"), &rest]),
            }),
        }
    }

    fn named(&self, stage: Stage, heir: Option<&Heir<'_>>, place: usize) -> (Version, String) {
        let place = i64::try_from(place).unwrap_or(i64::MAX);
        let version = self.migration.version.number().saturating_add(place);
        let name = match heir {
            Some(_) => self.migration.name.clone(),
            None => format!("{}_{}", self.migration.name, stage.suffix()),
        };
        (Version::new(version), name)
    }

    /// The file of a stage. An heir keeps the migration's name and the header comments of its files.
    fn part(
        &self,
        stage: Stage,
        own: &[&(Later, String)],
        heir: Option<&Heir<'_>>,
        is_last: bool,
        place: usize,
    ) -> Part {
        let (version, name) = self.named(stage, heir, place);
        let undo: Option<Vec<Vec<String>>> =
            own.iter().rev().map(|(one, _)| one.undo.clone()).collect();
        let undo = undo.map(|undo| undo.concat());
        let is_apart = stage == Stage::Indexes;
        let mut up = no_transaction(is_apart).to_owned();
        match heir {
            Some(heir) if heir.header.is_empty() => up.push('\n'),
            Some(heir) => up.push_str(heir.header),
            None => up.push_str(&self.header(stage, undo.is_some())),
        }
        let statements: Vec<String> = own
            .iter()
            .map(|(one, comments)| format!("{comments}{};\n", one.sql))
            .collect();
        up.push_str(&statements.join(if is_apart { "\n" } else { "" }));
        let kept = heir.map(|heir| heir.reverted);
        let revert = match (undo, kept) {
            (None, _) | (_, Some(None)) => None,
            (Some(undo), kept) => {
                // A statement that builds an index or scans a table must not run while locks of another statement are held.
                let apart = undo.iter().any(|sql| {
                    sql.contains(" CONCURRENTLY ") || sql.contains(" VALIDATE CONSTRAINT ")
                });
                let undo = undo.join(";\n");
                let directive = no_transaction(apart);
                Some(match kept.flatten() {
                    // The remaining statements have a separate file, with the rest of the revert.
                    Some((head, rest)) => {
                        let rest = if is_last { rest.as_str() } else { "" };
                        let directive = match head.contains("no-transaction") {
                            true => "",
                            false => directive,
                        };
                        let gap = if head.is_empty() { "\n" } else { "" };
                        joined(&[&format!("{directive}{head}{gap}{undo};\n"), rest])
                    }
                    None => format!(
                        "{directive}-- Undoes migrations/V{version}__{name}.sql.\n\n{undo};\n"
                    ),
                })
            }
        };
        Part {
            version,
            name,
            up: joined(&[&up]),
            revert: revert.map(|text| joined(&[&text])),
        }
    }

    /// The header of a new file.
    fn header(&self, stage: Stage, is_reversible: bool) -> String {
        let original = format!("V{}__{}.sql", self.migration.version, self.migration.name);
        let mut header = self.limits();
        if !is_reversible && let Some(why) = &self.migration.script.directives.irreversible {
            header.push_str(&format!("-- migration: irreversible \"{why}\"\n"));
        }
        header.push_str(&match stage {
            Stage::Stays => format!("-- Continues {original} after its indexes.\n\n"),
            Stage::Indexes => {
                format!("-- The indexes of {original}, built without blocking writes.\n\n")
            }
            Stage::Validate => format!(
                "-- Validates the constraints of {original} on existing rows, without blocking reads and writes.\n\n"
            ),
            Stage::Finish => {
                format!("-- Completes {original} without scanning tables.\n\n")
            }
        });
        header
    }

    /// The timeout directives, which also apply to the later files.
    fn limits(&self) -> String {
        pg_sql::leading_comment_lines(self.up.text)
            .filter(|(_, comment)| {
                comment
                    .strip_prefix("migration:")
                    .is_some_and(|directive| directive.trim_start().contains("-timeout "))
            })
            .map(|(_, comment)| format!("-- {comment}\n"))
            .collect()
    }

    /// The rest of the revert, its header and statements; `None` without a revert.
    fn reverted(&self, undone: &[Undo]) -> Option<(String, String)> {
        let down = self.down?;
        let slices = Slices::of(down.text, down.steps);
        let mut rest = String::new();
        for (slice, step) in slices.statements.iter().zip(down.steps) {
            match edit(step, down.text, undone) {
                Edited::Untouched => join(&mut rest, &slice.with(slice.sql)),
                Edited::Becomes(sql) => join(&mut rest, &slice.with(&sql)),
                Edited::Gone => {}
            }
        }
        rest.push_str(slices.rest);
        Some((slices.header.to_owned(), rest))
    }

    /// Whether the new versions are before the next migration's.
    fn fits(&self, parts: &[Part]) -> Result<(), NoRewrite> {
        let next = self
            .service
            .migrations
            .iter()
            .map(|migration| migration.version)
            .find(|version| *version > self.migration.version);
        match (next, parts.last()) {
            (Some(next), Some(last)) if last.version >= next => Err(NoRewrite::NoRoom {
                wanted: parts.len() - 1,
                next,
            }),
            _ => Ok(()),
        }
    }
}

/// The parts of a migration.
#[derive(Default)]
struct Pieces {
    /// The statements that stay in its file.
    stays: String,
    /// The statements of later files, each with its comments.
    later: Vec<(Later, String)>,
    /// What its revert no longer has to undo.
    undone: Vec<Undo>,
}

/// What the file that keeps the migration's name inherits.
struct Heir<'a> {
    header: &'a str,
    /// Header and rest of its revert; `None` without a revert.
    reverted: Option<&'a (String, String)>,
}

fn no_transaction(is_apart: bool) -> &'static str {
    match is_apart {
        true => "-- migration: no-transaction\n",
        false => "",
    }
}

/// Appends a piece of a file. If a statement before it was removed, blank lines are merged into one; everything else stays as written.
fn join(text: &mut String, piece: &str) {
    let is_open = text.is_empty() || text.ends_with("\n\n");
    text.push_str(match is_open {
        true => piece.trim_start_matches('\n'),
        false => piece,
    });
}

/// The pieces of a file, with one newline at the end.
fn joined(pieces: &[&str]) -> String {
    let mut text = String::new();
    for piece in pieces {
        join(&mut text, piece);
    }
    text.truncate(text.trim_end_matches('\n').len());
    text.push('\n');
    text
}
