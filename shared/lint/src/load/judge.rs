//! Turns the violations that squawk reports into findings.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;
use std::ops::Range;

use domain::Direction;
use pg_sql::Name;
use rowan::TextRange;
use squawk_linter::{Rule as Squawk, Violation};
use squawk_syntax::SyntaxNode;
use squawk_syntax::ast::{self, AstNode, NameLike};

use super::adopted::{ALL, Adopted, Concern, TYPES, adopted};
use super::defaults::is_serial;
use super::made::{ExistingRelations, Made};
use super::names::{first_made, is_same, subjects};
use super::refine::{action, default, dropped_columns, is_key, listed_keys, renaming};
use super::types::{is_wider, new_type};
use super::understood;
use crate::names::{below, plain, span};
use crate::partitions;
use crate::rules::{Draft, Rule, slugs};
use crate::squawk::violations;
use crate::{Act, LintContext, LintedFile, Model};

/// The findings of a migration and its revert. `standing` holds the objects from before the migration and is advanced past it.
pub fn findings<'a>(
    context: &LintContext<'a>,
    down: Option<&LintedFile<'a>>,
    existing: &mut ExistingRelations,
    postgres: u16,
) -> Vec<Draft<'a>> {
    let up = context.file;
    let made = Made::by(&up.unfolded, existing);
    let first = existing.is_nothing();
    let mut drafts = understood::drafts(up);
    drafts.extend(Judge::new(context, up, &made, None, first).drafts(postgres));
    if let Some(down) = down {
        let again = Made::by(&down.unfolded, existing);
        drafts.extend(understood::drafts(down));
        drafts.extend(Judge::new(context, down, &again, Some(&made), first).drafts(postgres));
    }
    existing.pass(made);
    drafts
}

/// A statement and its number in the file.
#[derive(Clone)]
struct At {
    number: usize,
    statement: ast::Stmt,
    subjects: Vec<Name>,
    /// The single-column keys.
    keys: OnceCell<Vec<(Range<usize>, String)>>,
}

/// How a finding changes if the table is partitioned.
enum OnPartitions {
    /// It is not partitioned, or it makes no difference.
    Not,
    /// The statement is about the partitioned table alone, which has no rows.
    Quick,
    /// The safe form is another one.
    By(String),
}

struct Judge<'s, 'a> {
    context: &'s LintContext<'a>,
    file: &'s LintedFile<'a>,
    made: &'s Made,
    /// For a revert: what its migration creates.
    undone: Option<&'s Made>,
    /// Whether this is the first migration, so that no object is in use.
    first: bool,
    /// The schema before the statement of the last query, and the number of changes applied to reach it.
    model: RefCell<Option<(Model, usize)>>,
    statements: Vec<At>,
    /// The changes of the file, in order.
    acts: Vec<&'s Act>,
    /// The names of the checks that the file adds.
    checks: OnceCell<BTreeSet<String>>,
}

impl<'s, 'a> Judge<'s, 'a> {
    fn new(
        context: &'s LintContext<'a>,
        file: &'s LintedFile<'a>,
        made: &'s Made,
        undone: Option<&'s Made>,
        first: bool,
    ) -> Self {
        let statements = file.unfolded.syntax.tree().stmts().enumerate();
        let steps = match file.direction {
            Direction::Up => Some(context.steps),
            Direction::Down => context.revert,
        };
        Self {
            context,
            file,
            made,
            undone,
            first,
            model: RefCell::new(None),
            acts: steps
                .unwrap_or_default()
                .iter()
                .flat_map(|step| &step.acts)
                .collect(),
            checks: OnceCell::new(),
            statements: statements
                .map(|(number, statement)| At {
                    number,
                    subjects: subjects(statement.syntax()),
                    keys: OnceCell::new(),
                    statement,
                })
                .collect(),
        }
    }

    fn drafts(&self, postgres: u16) -> Vec<Draft<'a>> {
        if self.file.too_deep.is_some() {
            return Vec::new();
        }
        let script = self.file.script;
        let rules: Vec<Squawk> = ALL.into_iter().chain(TYPES).collect();
        let in_transaction = !script.directives.no_transaction;
        let found = violations(
            &self.file.unfolded.text,
            &self.file.unfolded.syntax,
            &rules,
            postgres,
            in_transaction,
        );
        let mut drafts: Vec<Draft<'a>> = Vec::new();
        let mut reported = BTreeSet::new();
        for violation in found {
            let draft = self.draft(&violation);
            // Two squawk rules may map to one of ours at the same place.
            drafts.extend(draft.filter(|new| {
                let range = new.range.as_ref().map(|range| (range.start, range.end));
                reported.insert((new.rule.slug, range))
            }));
        }
        drafts.extend(self.serial_columns());
        drafts.extend(self.missed_by_squawk());
        for draft in &mut drafts {
            let original = |range: &Range<usize>| self.file.unfolded.original(range);
            draft.range = draft.range.as_ref().map(original);
        }
        drafts
    }

    fn draft(&self, violation: &Violation) -> Option<Draft<'a>> {
        let adopted = adopted(violation.code)?;
        let start = violation.text_range.start();
        let before = |at: &At| at.statement.syntax().text_range().end() < start;
        let at = self.statements.get(self.statements.partition_point(before));
        let is_here = |at: &&At| at.statement.syntax().text_range().start() <= start;
        let at = at.filter(is_here)?;
        if !self.applies(adopted.concern, adopted.rule, at) {
            return None;
        }
        if self.is_absent(violation, at) {
            return None;
        }
        let adopted = self.refined(violation, adopted, at)?;
        let subject = at
            .subjects
            .first()
            .map_or_else(|| "the table".to_owned(), Name::to_string);
        let message = adopted.message.replace("{}", &subject);
        let draft =
            Draft::new(adopted.rule, self.file.script, message).at(self.place(violation, at));
        let safe_form = match (self.on_partitions(violation, adopted.rule, at), adopted) {
            (OnPartitions::Quick, _) => return None,
            (OnPartitions::By(form), _) => Some(form),
            (OnPartitions::Not, Adopted { safe_form: "", .. }) => self.concurrently(violation, at),
            (OnPartitions::Not, adopted) => Some(adopted.safe_form.to_owned()),
        };
        Some(match safe_form {
            Some(form) => draft.safe_form(form),
            None => draft,
        })
    }

    /// How a finding changes if the table is partitioned.
    fn on_partitions(&self, violation: &Violation, rule: &Rule, at: &At) -> OnPartitions {
        let Some(subject) = at.subjects.first() else {
            return OnPartitions::Not;
        };
        let is_partitioned = || self.with_model(violation, |model| model.is_partitioned(subject));
        let is_only = |table: Option<ast::TableRelationName>| {
            table.is_some_and(|table| table.only_token().is_some())
        };
        match &at.statement {
            ast::Stmt::CreateIndex(it) if *rule == slugs::INDEX_NOT_CONCURRENT => {
                let only = is_only(it.table_relation_name());
                match (is_partitioned(), only) {
                    // On the partitioned table alone there are no rows to read.
                    (Some(true) | None, true) => OnPartitions::Quick,
                    (Some(true), false) => OnPartitions::By(self.index_on_partitions(it)),
                    _ => OnPartitions::Not,
                }
            }
            ast::Stmt::AlterTable(it) if *rule == slugs::UNIQUE_CONSTRAINT => {
                match (is_partitioned(), is_only(it.table_relation_name())) {
                    (Some(true), true) => OnPartitions::Quick,
                    (Some(true), false) => OnPartitions::By(partitions::KEY.to_owned()),
                    _ => OnPartitions::Not,
                }
            }
            ast::Stmt::DropIndex(_) if *rule == slugs::INDEX_DROP_NOT_CONCURRENT => {
                let is_one =
                    |index| self.with_model(violation, |it| it.is_partitioned_index(index));
                match at.subjects.iter().any(is_one) {
                    true => OnPartitions::By(partitions::DROP_INDEX.to_owned()),
                    false => OnPartitions::Not,
                }
            }
            ast::Stmt::AlterTable(_) if *rule == slugs::PARTITION_DETACH => {
                match self.with_model(violation, |model| model.has_default_partition(subject)) {
                    true => OnPartitions::By(partitions::DETACH.to_owned()),
                    false => OnPartitions::Not,
                }
            }
            _ => OnPartitions::Not,
        }
    }

    fn index_on_partitions(&self, it: &ast::CreateIndex) -> String {
        let text = &self.file.unfolded.text;
        let range = self.trimmed(span(it.syntax()));
        let table = it.table_relation_name();
        let place = table.map_or(range.end, |table| span(table.syntax()).start);
        let before = text.get(range.start..place).unwrap_or_default();
        let after = text.get(place..range.end).unwrap_or_default();
        let sql = format!("{before}ONLY {after}");
        let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
        let name = it.index().map(|index| index.syntax().text().to_string());
        partitions::index(
            &sql,
            it.unique_token().is_some(),
            name.as_deref().map(str::trim),
        )
    }

    fn applies(&self, concern: Concern, rule: &Rule, at: &At) -> bool {
        match concern {
            Concern::Always => true,
            Concern::Shape => self.file.direction == Direction::Up,
            Concern::Load => !self.first && !self.is_all_new(at),
            Concern::Programs => {
                !self.first && !self.is_all_new(at) && !self.is_undone_creation(rule, at)
            }
        }
    }

    /// Whether this migration created everything that the statement is about, so that it is not in use yet.
    fn is_all_new(&self, at: &At) -> bool {
        !at.subjects.is_empty() && at.subjects.iter().all(|name| self.is_new(name, at))
    }

    fn is_new(&self, name: &Name, at: &At) -> bool {
        let files = [Some(self.made), self.undone];
        let is_new_table = |table: &Name| {
            self.made.has_relation(table, at.number)
                || self
                    .undone
                    .is_some_and(|undone| undone.has_relation(table, usize::MAX))
        };
        if matches!(
            at.statement,
            ast::Stmt::DropIndex(_) | ast::Stmt::Reindex(_)
        ) {
            let table = files
                .into_iter()
                .flatten()
                .find_map(|made| made.table_of_index(name));
            return table.is_some_and(is_new_table) || is_new_table(name);
        }
        let is_relation = matches!(
            at.statement,
            ast::Stmt::AlterTable(_)
                | ast::Stmt::CreateIndex(_)
                | ast::Stmt::DropTable(_)
                | ast::Stmt::Truncate(_)
                | ast::Stmt::Vacuum(_)
                | ast::Stmt::Cluster(_)
        );
        is_new_table(name)
            || (!is_relation && files.into_iter().flatten().any(|made| made.has_any(name)))
    }

    /// Whether a revert only undoes what its migration did.
    fn is_undone_creation(&self, rule: &Rule, at: &At) -> bool {
        let Some(undone) = self.undone else {
            return false;
        };
        if *rule == slugs::DROP_TABLE {
            return at.subjects.iter().all(|table| undone.has_table_name(table));
        }
        if *rule == slugs::DROP_COLUMN {
            let columns = dropped_columns(at.statement.syntax());
            return at.subjects.first().is_some_and(|table| {
                columns
                    .iter()
                    .all(|column| undone.has_column(table, column))
            });
        }
        // The finding on the rename is reported for the migration, not for the revert.
        [
            &slugs::COLUMN_RENAME,
            &slugs::TABLE_RENAME,
            &slugs::OBJECT_RENAME,
        ]
        .contains(&rule)
    }

    /// Selects our rule where one squawk rule maps to several; `None` if the violation is a false positive.
    fn refined(&self, violation: &Violation, adopted: Adopted, at: &At) -> Option<Adopted> {
        let node = at.statement.syntax();
        match violation.code {
            Squawk::ConstraintMissingNotValid => self.constraint(violation, adopted, at),
            Squawk::AddingFieldWithDefault => default(violation, adopted, node),
            Squawk::ChangingColumnType => (!self.only_widens(violation, at)).then_some(adopted),
            // Without CASCADE only an empty schema can be dropped.
            Squawk::BanDropSchema => below::<ast::Cascade>(node).is_some().then_some(adopted),
            Squawk::BanAlterDomainWithAddConstraint => {
                let mut nodes = node.descendants();
                (!nodes.any(|node| ast::NotValid::can_cast(node.kind()))).then_some(adopted)
            }
            // For a new column `AddingFieldWithDefault` reports it: not every generated column is stored.
            Squawk::BanAlterGeneratedExpression => {
                let action = action(violation, &at.statement)?;
                (!matches!(action, ast::AlterTableAction::AddColumn(_))).then_some(adopted)
            }
            Squawk::RenamingTable => (!self.leaves_view(at)).then_some(adopted),
            Squawk::RenamingObject | Squawk::BanSetSchema => renaming(violation, adopted, node),
            Squawk::PreferBigintOverInt | Squawk::PreferBigintOverSmallint => {
                let keys = at.keys.get_or_init(|| listed_keys(node));
                is_key(node, violation, keys).then_some(adopted)
            }
            _ => Some(adopted),
        }
    }

    /// Whether the same file creates a view with the table's old name, so that programs continue to work.
    fn leaves_view(&self, at: &At) -> bool {
        let after = self.statements.iter().skip(at.number + 1);
        let mut views = after.filter_map(|later| match &later.statement {
            ast::Stmt::CreateView(view) => first_made(view.syntax()),
            _ => None,
        });
        let old = at.subjects.first();
        old.is_some_and(|old| views.any(|view| is_same(&view, old)))
    }

    /// The guide's rules cover foreign keys and NOT NULL; squawk's other rules cover unique and primary keys.
    fn constraint(&self, violation: &Violation, adopted: Adopted, at: &At) -> Option<Adopted> {
        match action(violation, &at.statement)? {
            ast::AlterTableAction::AddConstraint(added) => match added.constraint()? {
                ast::Constraint::CheckConstraint(_) => Some(adopted),
                ast::Constraint::ExcludeConstraint(_) => Some(adopted.without_safe_form().with_message(
                    "{} is inaccessible while the index of the exclusion constraint is built; there is no other way to add one",
                )),
                _ => None,
            },
            ast::AlterTableAction::ValidateConstraint(validated) => {
                let name = validated.constraint_name_ref()?.path_ref()?.segment()?;
                self.adds_check(&name.text()).then_some(adopted.with_message(
                    "{} is inaccessible while all of its rows are checked: the transaction that added the \
                     constraint still holds its lock",
                ))
            }
            _ => None,
        }
    }

    /// Whether a type change leaves every row unchanged, if the old type is known.
    fn only_widens(&self, violation: &Violation, at: &At) -> bool {
        let Some(ast::AlterTableAction::AlterColumn(column)) = action(violation, &at.statement)
        else {
            return false;
        };
        let old = at.subjects.first().and_then(|table| {
            let name = column.column_name_ref()?.text();
            self.with_model(violation, |model| {
                Some(model.find(table)?.column(&name)?.ty.clone())
            })
        });
        let new = new_type(&column);
        old.zip(new).is_some_and(|(old, new)| is_wider(&old, &new))
    }

    /// Whether IF EXISTS is about an object that cannot exist, so that nothing happens.
    fn is_absent(&self, violation: &Violation, at: &At) -> bool {
        let node = at.statement.syntax();
        let applies = |node: &SyntaxNode| {
            let mut children = node.children();
            children.any(|child| ast::IfExists::can_cast(child.kind()))
        };
        if let Some(ast::AlterTableAction::DropColumn(drop)) = action(violation, &at.statement)
            && applies(drop.syntax())
            && let Some((table, name)) = at.subjects.first().zip(drop.column_name_ref())
        {
            return self.with_model(violation, |model| {
                let table = model.find(table);
                table.is_some_and(|it| it.certain && it.column(&name.text()).is_none())
            });
        }
        let names = match &at.statement {
            ast::Stmt::DropSchema(drop) => {
                let schemas = drop.schema_refs().filter_map(|schema| plain(Some(schema)));
                schemas.map(|name| Name { schema: None, name }).collect()
            }
            ast::Stmt::DropExtension(drop) => {
                let names = drop
                    .extension_refs()
                    .map(|it| it.syntax().text().to_string());
                let names = names.map(|name| name.trim().trim_matches('"').to_owned());
                names.map(|name| Name { schema: None, name }).collect()
            }
            _ => at.subjects.clone(),
        };
        let is_relation = matches!(
            at.statement,
            ast::Stmt::AlterTable(_)
                | ast::Stmt::DropTable(_)
                | ast::Stmt::DropView(_)
                | ast::Stmt::DropMaterializedView(_)
                | ast::Stmt::DropIndex(_)
        );
        // Objects that the migration created exist before its revert.
        let start = match self.file.direction {
            Direction::Up => self.original(node.text_range()).start,
            Direction::Down => usize::MAX,
        };
        let is_absent = |name: &Name| {
            let never = || {
                self.context
                    .never_existed(name, (self.context.number, start))
            };
            let lacks = || is_relation && self.with_model(violation, |model| model.lacks(name));
            !self.file.unfolded.guessed.contains(&name.name) && (never() || lacks())
        };
        applies(node) && !names.is_empty() && names.iter().all(is_absent)
    }

    fn original(&self, range: TextRange) -> Range<usize> {
        self.file.unfolded.original(&range.into())
    }

    /// Queries the schema at the place of a violation. Violations come in the order of the file, so the model only moves forward.
    fn with_model<T>(&self, violation: &Violation, ask: impl FnOnce(&Model) -> T) -> T {
        let mut state = self.model.borrow_mut();
        let (model, done) = state.get_or_insert_with(|| {
            let mut model = self.context.before.clone();
            if self.file.direction == Direction::Down {
                model.apply_all(self.context.steps);
            }
            (model, 0)
        });
        let place = self.original(violation.text_range).start;
        while let Some(act) = self.acts.get(*done).filter(|act| act.range.end <= place) {
            model.apply(act);
            *done += 1;
        }
        ask(model)
    }

    fn adds_check(&self, name: &str) -> bool {
        let checks = self.checks.get_or_init(|| {
            let nodes = self
                .statements
                .iter()
                .flat_map(|at| at.statement.syntax().descendants());
            nodes
                .filter_map(ast::CheckConstraint::cast)
                .filter_map(|check| check.constraint_name_clause()?.constraint_name())
                .map(|name| name.text())
                .collect()
        });
        checks.contains(name)
    }

    /// A `serial` column has a volatile default, its sequence, which squawk does not see.
    fn serial_columns(&self) -> Vec<Draft<'a>> {
        let mut drafts = Vec::new();
        for at in &self.statements {
            let ast::Stmt::AlterTable(table) = &at.statement else {
                continue;
            };
            let Some(adopted) = adopted(Squawk::AddingFieldWithDefault) else {
                continue;
            };
            for action in table.actions() {
                let ast::AlterTableAction::AddColumn(column) = action else {
                    continue;
                };
                if is_serial(&column) && self.applies(Concern::Load, adopted.rule, at) {
                    let subject = at.subjects.first().map(Name::to_string).unwrap_or_default();
                    let message = format!(
                        "a serial column has a different default for each row: {subject} is inaccessible while it is rewritten"
                    );
                    let range = column.syntax().text_range();
                    drafts.push(
                        Draft::new(adopted.rule, self.file.script, message)
                            .at(range.start().into()..range.end().into())
                            .safe_form(adopted.safe_form),
                    );
                }
            }
        }
        drafts
    }

    /// Hazards that squawk does not check: a check on a new column, and a table that moves to other storage.
    fn missed_by_squawk(&self) -> Vec<Draft<'a>> {
        let mut drafts = Vec::new();
        for at in &self.statements {
            let ast::Stmt::AlterTable(table) = &at.statement else {
                drafts.extend(self.missed_statement(at));
                continue;
            };
            if !self.applies(Concern::Load, &slugs::STORAGE_CHANGE, at) {
                continue;
            }
            let subject = at.subjects.first().map(Name::to_string).unwrap_or_default();
            let draft = |rule: &'static Rule, node: &SyntaxNode, message: String, safe: &str| {
                Draft::new(rule, self.file.script, message)
                    .at(span(node))
                    .safe_form(safe)
            };
            for action in table.actions() {
                let node = action.syntax();
                let what = match &action {
                    ast::AlterTableAction::AddColumn(column) => {
                        let checks = column.constraints();
                        let checks =
                            checks.filter(|it| matches!(it, ast::Constraint::CheckConstraint(_)));
                        drafts.extend(checks.map(|check| draft(
                            &slugs::CONSTRAINT_NOT_VALID,
                            check.syntax(),
                            format!("{subject} is inaccessible while all of its rows are checked, even if the column has no default"),
                            "ADD COLUMN without the check, then ADD CONSTRAINT … CHECK … NOT VALID, and VALIDATE CONSTRAINT in a later migration",
                        )));
                        continue;
                    }
                    // SET LOGGED does nothing if the table was never unlogged.
                    ast::AlterTableAction::SetLogged(_) => {
                        let unlogged = Name {
                            schema: None,
                            name: "unlogged".to_owned(),
                        };
                        let place = (self.context.number, self.original(node.text_range()).start);
                        if self.file.direction == Direction::Up
                            && self.context.never_existed(&unlogged, place)
                        {
                            continue;
                        }
                        "is written to a new file and to the WAL"
                    }
                    ast::AlterTableAction::SetUnlogged(_) => {
                        "is written to a new file, and from then on a crash empties it"
                    }
                    ast::AlterTableAction::SetAccessMethod(_) => "is written to a new file",
                    ast::AlterTableAction::SetTablespace(_) => "is copied",
                    _ => continue,
                };
                drafts.push(draft(
                    &slugs::STORAGE_CHANGE,
                    node,
                    format!("{subject} is inaccessible while it {what}"),
                    "create a second table, fill it in batches and sync it with a trigger, then swap the names",
                ));
            }
        }
        drafts
    }

    /// Statements other than `ALTER TABLE` that squawk does not check.
    fn missed_statement(&self, at: &At) -> Option<Draft<'a>> {
        let (rule, message, safe_form) = match &at.statement {
            ast::Stmt::Truncate(it) if below::<ast::Cascade>(it.syntax()).is_none() => (
                &slugs::TRUNCATE,
                "every row of {} is deleted",
                "give the reason: -- migration: allow truncate \"…\"",
            ),
            ast::Stmt::Refresh(it)
                if it.concurrently_token().is_none()
                    && below::<ast::WithNoData>(it.syntax()).is_none() =>
            {
                (
                    &slugs::REFRESH_NOT_CONCURRENT,
                    "reads of {} are blocked while it is refreshed",
                    "REFRESH MATERIALIZED VIEW CONCURRENTLY, which requires a unique index on the view",
                )
            }
            ast::Stmt::DropOwned(_) => (
                &slugs::DROP_SCHEMA,
                "everything that the role owns is lost, even if it is in use",
                "drop each object by name",
            ),
            _ => return None,
        };
        let applies = self.applies(Concern::Load, rule, at);
        applies.then(|| {
            let subject = at.subjects.first().map(Name::to_string).unwrap_or_default();
            Draft::new(rule, self.file.script, message.replace("{}", &subject))
                .at(span(at.statement.syntax()))
                .safe_form(safe_form)
        })
    }

    /// The range without the semicolon and trailing blanks; for a type change the whole action.
    fn place(&self, violation: &Violation, at: &At) -> Range<usize> {
        let range = match violation.code {
            Squawk::ChangingColumnType => action(violation, &at.statement)
                .map_or(violation.text_range, |action| action.syntax().text_range()),
            _ => violation.text_range,
        };
        self.trimmed(range.into())
    }

    fn trimmed(&self, range: Range<usize>) -> Range<usize> {
        let text = self.file.unfolded.text.get(range.clone());
        let text = text.unwrap_or_default();
        let kept = text
            .trim_end_matches(|c: char| c == ';' || c.is_whitespace())
            .len();
        range.start..range.start + kept
    }

    /// The statement with CONCURRENTLY inserted, at the place that squawk's fix gives.
    fn concurrently(&self, violation: &Violation, at: &At) -> Option<String> {
        let edit = violation.fix.as_ref()?.edits.first()?;
        let word = edit
            .text
            .as_deref()
            .filter(|text| text.trim() == "concurrently")?;
        let mut range = self.trimmed(violation.text_range.into());
        let text = &self.file.unfolded.text;
        // An action of `ALTER TABLE` is not a complete statement.
        let lead = match &at.statement {
            ast::Stmt::AlterTable(it) => {
                let table = span(it.table_relation_name()?.syntax());
                format!("ALTER TABLE {} ", text.get(table)?)
            }
            ast::Stmt::DropIndex(it) => {
                // DROP INDEX CONCURRENTLY accepts one index, without CASCADE.
                if below::<ast::Cascade>(it.syntax()).is_some() {
                    return None;
                }
                let if_exists = if it.if_exists().is_some() {
                    "IF EXISTS "
                } else {
                    ""
                };
                let indexes = it
                    .index_refs()
                    .map(|index| index.syntax().text().to_string());
                let drops = indexes
                    .map(|index| format!("DROP INDEX CONCURRENTLY {if_exists}{}", index.trim()));
                return Some(self.with_separation_note(&drops.collect::<Vec<_>>().join("; ")));
            }
            statement => {
                range = self.trimmed(span(statement.syntax()));
                String::new()
            }
        };
        let middle = usize::from(edit.text_range.start());
        let before = text.get(range.start..middle)?;
        let after = text.get(middle..range.end)?;
        let sql = format!("{lead}{before}{}{after}", word.to_ascii_uppercase());
        let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(self.with_separation_note(&sql))
    }

    /// Notes that the statement needs a no-transaction migration.
    fn with_separation_note(&self, sql: &str) -> String {
        match self.file.script.directives.no_transaction {
            true => sql.to_owned(),
            false => {
                format!("{sql}   -- in a separate migration with `-- migration: no-transaction`")
            }
        }
    }
}
