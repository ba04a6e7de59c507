//! Splits a plan into files that block no traffic for long.
//!
//! Responsible for which statements get their safe form, and in which file each part runs. Not for the forms themselves
//! (`safe_form`), nor for the proof (`run`), which decides. Pure.

use std::collections::BTreeSet;

use domain::{Direction, Migration, Version};
use engine::source::migration_of;
use lint::{Change, ConstraintKind, LintedFile, Now, Step, steps};
use pg_sql::{Name, quote_identifier as quote};
use safe_form::{Stage, StatementContext, Text, is_partitioned, safe_form};

use crate::file::Side;
use crate::model::Model;
use crate::plan::Statement;

/// The files of a plan, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// Statements that are quick as they are, in one transaction.
    First,
    /// Indexes that are built and dropped CONCURRENTLY, and the validation of constraints.
    Online,
    /// What requires them, and is quick then, in one transaction.
    Finish,
    /// Validates the constraints that the one before adds.
    Last,
}

impl Place {
    const fn of(stage: Stage) -> Self {
        match stage {
            Stage::Stays => Self::First,
            Stage::Indexes | Stage::Validate => Self::Online,
            Stage::Finish => Self::Finish,
        }
    }
}

/// A statement and the file that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Placed {
    place: Place,
    statement: Statement,
    /// Its place in the plan.
    index: usize,
    /// Whether it is about an index, which may have to exist first: that of a partitioned table consists of those of the partitions.
    follows_indexes: bool,
    /// What it drops or creates: the two statements that replace an object are in the same file.
    object: Option<Object>,
}

/// How to place the statements of a plan.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choice {
    /// What follows the name of an index that replaces one of the same name, until then.
    pub(crate) suffix: &'static str,
    /// The statements that require what a later file creates, by their place in the plan.
    pub(crate) late: BTreeSet<usize>,
}

/// The files of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    placed: Vec<Placed>,
    /// Whether a statement has a safe form.
    pub(crate) has_forms: bool,
}

impl Layout {
    /// Places the statements of a plan that starts from `old`.
    pub(crate) fn of(old: &Model, plan: &[Statement], choice: &Choice) -> Self {
        Self::read(old, plan, choice).unwrap_or_else(|| Self {
            placed: (plan.iter().enumerate())
                .map(|(index, it)| Placed {
                    index,
                    place: Place::First,
                    statement: it.clone(),
                    follows_indexes: false,
                    object: None,
                })
                .collect(),
            has_forms: false,
        })
    }

    /// `None` if the text of a statement is not understood.
    fn read(old: &Model, plan: &[Statement], choice: &Choice) -> Option<Self> {
        let before = tables(old)?;
        let mut text = String::new();
        let mut starts = Vec::new();
        for statement in plan {
            starts.push(text.len());
            text.push_str(&statement.sql);
            text.push('\n');
        }
        let migration = parsed(text)?;
        let text = &*migration.script.text;
        let file =
            LintedFile::read(&migration, Direction::Up).filter(|it| it.too_deep.is_none())?;
        let steps = steps(&file);
        let replaced = replaced(&steps);
        let mut now = Now::new(&before);
        let mut placed = Vec::new();
        let mut has_forms = false;
        for (index, step) in steps.iter().enumerate() {
            let from = starts.partition_point(|start| *start <= step.range.start);
            let source = plan.get(from.checked_sub(1)?)?;
            let sql = text.get(step.range.clone())?;
            // A table of an earlier file may have rows by then.
            let is_late = choice.late.contains(&index);
            let existed = is_late || tables_of(step, &now).all(|it| now.existed(&it));
            let is_only = sql.contains(" ON ONLY ") || sql.starts_with("ALTER TABLE ONLY ");
            let partitioned = is_partitioned(&now.model, step);
            now.apply(step);
            let context = StatementContext {
                after: &now.model,
                partitioned,
                file: Text {
                    text,
                    steps: &steps,
                },
                revert: None,
            };
            let form = match existed && !(is_only && partitioned) {
                true => safe_form(step, &context).ok(),
                false => None,
            };
            let object = Object::of(step);
            let renamed = object.as_ref().filter(|it| replaced.contains(it));
            let follows_indexes = (is_only && partitioned)
                || [
                    "COMMENT ON INDEX ",
                    "COMMENT ON CONSTRAINT ",
                    "ALTER INDEX ",
                ]
                .iter()
                .any(|it| sql.starts_with(it))
                || sql.contains(" REPLICA IDENTITY USING INDEX ")
                || sql.contains(" CLUSTER ON ");
            let mut place = |stage, sql: String| {
                placed.push(Placed {
                    place: Place::of(stage),
                    statement: Statement {
                        sql: format!("{sql};"),
                        ..source.clone()
                    },
                    index,
                    follows_indexes,
                    object: object.clone(),
                });
            };
            let Some(form) = form else {
                place(Stage::Stays, sql.to_owned());
                continue;
            };
            has_forms = true;
            for sql in form.stays {
                place(Stage::Stays, sql);
            }
            for later in form.later {
                match renamed.and_then(|it| it.under_another_name(&later.sql, choice.suffix)) {
                    None => place(later.stage, later.sql),
                    Some((sql, rename)) => {
                        place(later.stage, sql);
                        if let Some(rename) = rename {
                            place(Stage::Indexes, rename);
                        }
                    }
                }
            }
        }
        let mut layout = Self { placed, has_forms };
        layout.keep_guarantees(&before);
        layout.defer(&choice.late);
        layout.sort();
        Some(layout)
    }

    /// A key is dropped only when the one that replaces it exists, and what belongs to an index follows the index.
    fn keep_guarantees(&mut self, before: &lint::Model) {
        let late: BTreeSet<Object> = (self.placed.iter())
            .filter(|it| it.place == Place::Finish)
            .filter_map(|it| it.object.clone())
            .collect();
        let builds_indexes =
            (self.placed.iter()).any(|it| it.place == Place::Online && is_apart(&it.statement));
        for placed in (self.placed.iter_mut()).filter(|it| it.place == Place::First) {
            let sql = &placed.statement.sql;
            let drops_key = sql.contains(" DROP CONSTRAINT ")
                && placed.object.as_ref().is_some_and(|object| {
                    late.contains(object)
                        || object.is_key(before)
                            && late.iter().any(|it| it.table() == object.table())
                });
            if drops_key || (placed.follows_indexes && builds_indexes) {
                placed.place = Place::Finish;
            }
        }
    }

    /// Outside a transaction each statement commits by itself: new indexes come first, and take over the names of dropped ones last.
    fn sort(&mut self) {
        self.placed.sort_by_key(|it| {
            let sql = &it.statement.sql;
            let order = match it.place {
                Place::Online if sql.contains(" VALIDATE CONSTRAINT ") => 1,
                Place::Online if sql.starts_with("DROP INDEX ") => 2,
                Place::Online if sql.starts_with("ALTER INDEX ") => 3,
                _ => 0,
            };
            (it.place, order)
        });
    }

    /// Moves statements of the first file behind the indexes: those that need them, and those that drop what these replace.
    fn defer(&mut self, late: &BTreeSet<usize>) {
        let objects: BTreeSet<Object> = (self.placed.iter())
            .filter(|it| late.contains(&it.index))
            .filter_map(|it| it.object.clone())
            .collect();
        for placed in &mut self.placed {
            let is_late = late.contains(&placed.index)
                || (placed.object.as_ref()).is_some_and(|it| objects.contains(it));
            placed.place = match placed.place {
                Place::First if is_late => Place::Finish,
                Place::Online if is_late && !is_apart(&placed.statement) => Place::Last,
                other => other,
            };
        }
    }

    /// Outside a transaction, a constraint is replaced in one statement.
    fn join_replacements(&mut self) {
        let mut index = 0;
        while let Some(dropped) = self.placed.get(index) {
            let other = (self.placed.iter().enumerate().skip(index + 1))
                .filter(|(_, it)| it.object.is_some() && it.object == dropped.object)
                .find_map(|(other, it)| {
                    Some((other, joined(&dropped.statement.sql, &it.statement.sql)?))
                });
            match other {
                None => index += 1,
                Some((other, sql)) => {
                    if let Some(added) = self.placed.get_mut(other) {
                        added.statement.sql = sql;
                    }
                    self.placed.remove(index);
                }
            }
        }
    }

    /// The statements of each file.
    pub(crate) fn files(&self) -> Vec<(Place, Vec<Statement>)> {
        (self.placed)
            .chunk_by(|one, other| one.place == other.place)
            .filter_map(|file| {
                let statements = file.iter().map(|it| it.statement.clone()).collect();
                Some((file.first()?.place, statements))
            })
            .collect()
    }

    /// The statements of the first file, each with its place in the plan.
    pub(crate) fn first(&self) -> Vec<(usize, &str)> {
        (self.placed.iter())
            .filter(|it| it.place == Place::First)
            .map(|it| (it.index, it.statement.sql.as_str()))
            .collect()
    }

    /// The statements of a revert in one file, outside a transaction if one of them requires that.
    pub(crate) fn in_one_file(old: &Model, plan: &[Statement]) -> Side {
        // The schema before the revert may contain the other name.
        let mut layout = {
            let choice = Choice {
                suffix: "__former",
                late: BTreeSet::new(),
            };
            Self::of(old, plan, &choice)
        };
        // What is dropped and created again must not be missing in between.
        let must_be_atomic = plan.iter().any(|it| {
            let mut words = it
                .sql
                .split_whitespace()
                .skip_while(|it| ["CREATE", "DROP", "OR", "REPLACE", "MATERIALIZED"].contains(it));
            let kinds = ["VIEW", "FUNCTION", "PROCEDURE", "TRIGGER", "POLICY", "RULE"];
            words.next().is_some_and(|word| kinds.contains(&word))
        });
        if !layout.has_forms || must_be_atomic {
            return Side::plain(plan.to_vec());
        }
        layout.join_replacements();
        Side {
            is_apart: true,
            statements: layout.placed.into_iter().map(|it| it.statement).collect(),
        }
    }
}

/// The statements that drop and add a constraint as one.
fn joined(drop: &str, add: &str) -> Option<String> {
    let (table, drop) = drop.strip_suffix(';')?.split_once(" DROP CONSTRAINT ")?;
    let (other, add) = add.split_once("ADD CONSTRAINT ")?;
    let bare = |it: &str| it.trim().replacen(" ONLY ", " ", 1);
    (bare(table) == bare(other))
        .then(|| format!("{table}\n    DROP CONSTRAINT {drop},\n    ADD CONSTRAINT {add}"))
}

/// Whether a statement must run outside a transaction.
pub(crate) fn is_apart(statement: &Statement) -> bool {
    statement.sql.contains(" INDEX CONCURRENTLY ")
}

/// The tables of a schema, as the linter reads them.
fn tables(model: &Model) -> Option<lint::Model> {
    let creates: Vec<&str> = model.entries.iter().map(|it| it.create.as_str()).collect();
    let migration = parsed(creates.join("\n"))?;
    let file = LintedFile::read(&migration, Direction::Up).filter(|it| it.too_deep.is_none())?;
    let mut tables = lint::Model::default();
    tables.apply_all(&steps(&file));
    Some(tables)
}

fn parsed(text: String) -> Option<Migration> {
    migration_of(Version::new(1), "plan", ("plan.sql".to_owned(), text), None).ok()
}

/// The existing tables that a statement blocks.
fn tables_of(step: &Step, now: &Now) -> impl Iterator<Item = Name> {
    let tables: Vec<Name> = (step.acts.iter())
        .flat_map(|act| match &act.change {
            Change::MakesIndex(index) => vec![index.table.clone()],
            Change::DropsIndexes { indexes, .. } => (indexes.iter())
                .filter_map(|it| now.model.index(it))
                .map(|it| it.table.clone())
                .collect(),
            Change::AddsConstraint { table, .. }
            | Change::DropsConstraint { table, .. }
            | Change::SetsNotNull { table, .. }
            | Change::Validates { table, .. } => vec![table.clone()],
            _ => Vec::new(),
        })
        .collect();
    tables.into_iter()
}

/// What a statement drops or creates.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Object {
    /// A constraint of a table.
    Constraint(Name, String),
    /// An index.
    Index(Name),
}

impl Object {
    fn of(step: &Step) -> Option<Self> {
        step.acts.iter().find_map(|act| match &act.change {
            Change::AddsConstraint { table, constraint } => {
                Some(Self::Constraint(table.clone(), constraint.name.clone()?))
            }
            Change::DropsConstraint { table, name, .. } => {
                Some(Self::Constraint(table.clone(), name.clone()))
            }
            Change::MakesIndex(index) => Some(Self::Index(index.name.clone()?)),
            Change::DropsIndexes { indexes, .. } => indexes.first().cloned().map(Self::Index),
            _ => None,
        })
    }

    fn table(&self) -> Option<&Name> {
        match self {
            Self::Constraint(table, _) => Some(table),
            Self::Index(_) => None,
        }
    }

    fn is_key(&self, before: &lint::Model) -> bool {
        let Self::Constraint(table, name) = self else {
            return false;
        };
        before.table(table).is_some_and(|table| {
            table.constraints.iter().any(|it| {
                let is_unique = matches!(
                    it.kind,
                    ConstraintKind::PrimaryKey { .. } | ConstraintKind::Unique { .. }
                );
                it.name.as_ref() == Some(name) && is_unique
            })
        })
    }

    /// Builds its index under another name while the one that it replaces exists, and the statement that renames it afterwards. A
    /// constraint renames its index by itself.
    fn under_another_name(&self, sql: &str, suffix: &str) -> Option<(String, Option<String>)> {
        let (schema, bare) = match self {
            Self::Constraint(_, name) => (None, name),
            Self::Index(name) => (name.schema.clone(), &name.name),
        };
        let (name, other) = (quote(bare), with_suffix(bare, suffix));
        let quoted = quote(&other);
        if let Some((start, rest)) = sql.split_once(&format!(" USING INDEX {name}"))
            && (rest.is_empty() || rest.starts_with(' '))
        {
            return Some((format!("{start} USING INDEX {quoted}{rest}"), None));
        }
        let (start, rest) = sql.split_once(&format!(" INDEX CONCURRENTLY {name} ON "))?;
        let rename = matches!(self, Self::Index(_)).then(|| {
            let renamed = Name {
                schema,
                name: other,
            };
            format!("ALTER INDEX {renamed} RENAME TO {name}")
        });
        let sql = format!("{start} INDEX CONCURRENTLY {quoted} ON {rest}");
        Some((sql, rename))
    }
}

/// A name with a suffix, within the limit of the server. Every index has the prefix that `check` requires.
fn with_suffix(name: &str, suffix: &str) -> String {
    let prefix = if name.starts_with("IDX_") { "" } else { "IDX_" };
    let most = 63 - (prefix.len() + suffix.len()).min(63);
    format!(
        "{prefix}{}{suffix}",
        &name[..name.floor_char_boundary(most)]
    )
}

/// The objects that are dropped, and created again under the same name.
fn replaced(steps: &[Step]) -> BTreeSet<Object> {
    let objects = |wanted: fn(&Change) -> bool| -> BTreeSet<Object> {
        (steps.iter())
            .filter(|step| step.acts.iter().any(|act| wanted(&act.change)))
            .filter_map(Object::of)
            .collect()
    };
    let dropped = objects(|it| {
        matches!(
            it,
            Change::DropsConstraint { .. } | Change::DropsIndexes { .. }
        )
    });
    let made = objects(|it| matches!(it, Change::AddsConstraint { .. } | Change::MakesIndex(_)));
    dropped.intersection(&made).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Entry;
    use crate::facts::Facts;

    fn layout(old: &[&str], plan: &[&str], late: &[usize]) -> Layout {
        let entries = old.iter().map(|it| Entry {
            create: format!("{it};"),
            ..Entry::default()
        });
        let old = Model::new(entries.collect(), Facts::default());
        let plan: Vec<Statement> = plan
            .iter()
            .map(|it| Statement {
                sql: format!("{it};"),
                about: String::new(),
                adds_value: false,
            })
            .collect();
        let choice = Choice {
            suffix: "__new",
            late: late.iter().copied().collect(),
        };
        Layout::of(&old, &plan, &choice)
    }

    fn shown(layout: &Layout) -> Vec<String> {
        (layout.placed.iter())
            .map(|it| format!("{:?} {}", it.place, it.statement.sql))
            .collect()
    }

    const TABLES: [&str; 3] = [
        "CREATE TABLE public.t (a integer, b integer)",
        "ALTER TABLE ONLY public.t ADD CONSTRAINT k UNIQUE (a)",
        "CREATE INDEX i ON public.t USING btree (a)",
    ];

    #[test]
    fn an_index_is_replaced_only_when_the_new_one_exists() {
        let layout = layout(
            &TABLES,
            &[
                "DROP INDEX public.i",
                "ALTER TABLE ONLY public.t DROP CONSTRAINT k",
                "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT k UNIQUE (a, b)",
                "CREATE INDEX i ON public.t USING btree (b)",
            ],
            &[],
        );
        assert_eq!(
            shown(&layout),
            [
                "Online CREATE UNIQUE INDEX CONCURRENTLY \"IDX_k__new\" ON public.t (a, b);",
                "Online CREATE INDEX CONCURRENTLY \"IDX_i__new\" ON public.t USING btree (b);",
                "Online DROP INDEX CONCURRENTLY public.i;",
                "Online ALTER INDEX public.\"IDX_i__new\" RENAME TO i;",
                "Finish ALTER TABLE ONLY public.t DROP CONSTRAINT k;",
                "Finish ALTER TABLE ONLY public.t ADD CONSTRAINT k UNIQUE USING INDEX \"IDX_k__new\";",
            ]
        );
    }

    #[test]
    fn what_the_plan_creates_keeps_its_plain_form() {
        let layout = layout(
            &TABLES,
            &[
                "CREATE TABLE public.u (a integer)",
                "CREATE INDEX u_a ON public.u USING btree (a)",
                "ALTER TABLE ONLY public.u ADD CONSTRAINT u_k UNIQUE (a)",
            ],
            &[],
        );
        assert!(!layout.has_forms);
        assert!((layout.placed.iter()).all(|it| it.place == Place::First));
    }

    #[test]
    fn a_deferred_constraint_is_validated_after_it_is_added() {
        let layout = layout(
            &TABLES,
            &[
                "CREATE TABLE public.u (b integer)",
                "ALTER TABLE ONLY public.t ADD CONSTRAINT k2 UNIQUE (b)",
                "ALTER TABLE ONLY public.u ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES public.t(b)",
            ],
            &[2],
        );
        let places: Vec<Place> = layout.files().into_iter().map(|it| it.0).collect();
        assert_eq!(
            places,
            [Place::First, Place::Online, Place::Finish, Place::Last]
        );
    }

    #[test]
    fn a_constraint_is_replaced_in_one_statement() {
        let drop = "ALTER TABLE public.t DROP CONSTRAINT c;";
        let add = "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT c CHECK (a > 0);";
        assert_eq!(
            joined(drop, add).as_deref(),
            Some(
                "ALTER TABLE public.t\n    DROP CONSTRAINT c,\n    ADD CONSTRAINT c CHECK (a > 0);"
            )
        );
    }
}
