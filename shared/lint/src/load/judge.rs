//! Applies the rules about syntax to the statements of a file, and turns the violations that squawk reports into findings.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;
use std::ops::Range;

use domain::Direction;
use pg_sql::Name;
use rowan::TextRange;
use squawk_linter::{Rule as Squawk, Violation};
use squawk_syntax::SyntaxNode;
use squawk_syntax::ast::{self, AstNode, NameLike};

use super::adopted::{Adopted, Case, Scope};
use super::made::{ExistingRelations, Made};
use super::names::subjects;
use super::place::action;
use crate::names::{below, plain, span};
use crate::rules::{Draft, Rule, all_rules, runnable_drafts};
use crate::squawk::violations;
use crate::{Act, LintContext, LintedFile, Model};

/// The findings of a migration and its revert. `existing` holds the objects from before the migration and is advanced past it.
pub fn findings<'a>(
    context: &LintContext<'a>,
    down: Option<&LintedFile<'a>>,
    existing: &mut ExistingRelations,
    postgres: u16,
) -> Vec<Draft<'a>> {
    let up = context.file;
    let made = Made::by(&up.unfolded, existing);
    let first = existing.is_nothing();
    let mut drafts = runnable_drafts(up);
    drafts.extend(Judge::new(context, up, &made, None, first).drafts(postgres));
    if let Some(down) = down {
        let again = Made::by(&down.unfolded, existing);
        drafts.extend(runnable_drafts(down));
        drafts.extend(Judge::new(context, down, &again, Some(&made), first).drafts(postgres));
    }
    existing.pass(made);
    drafts
}

/// A statement and its number in the file.
#[derive(Clone)]
pub(crate) struct At {
    number: usize,
    pub(crate) statement: ast::Stmt,
    pub(crate) subjects: Vec<Name>,
    /// The single-column keys.
    pub(crate) keys: OnceCell<Vec<(Range<usize>, String)>>,
}

impl At {
    /// The first subject, as text.
    pub(crate) fn subject(&self) -> String {
        self.subjects
            .first()
            .map(Name::to_string)
            .unwrap_or_default()
    }

    /// The actions of `ALTER TABLE`.
    pub(crate) fn actions(&self) -> impl Iterator<Item = ast::AlterTableAction> {
        let actions = match &self.statement {
            ast::Stmt::AlterTable(table) => Some(table.actions()),
            _ => None,
        };
        actions.into_iter().flatten()
    }
}

/// The statements of a file, with what is known about their subjects.
pub(crate) struct Judge<'s, 'a> {
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
        let adopted: Vec<(&'static Rule, &'static Adopted)> = all_rules()
            .flat_map(|rule| rule.adopted.iter().map(move |adopted| (rule, adopted)))
            .collect();
        let mut codes: Vec<Squawk> = Vec::new();
        for code in adopted.iter().flat_map(|(_, adopted)| adopted.codes) {
            if !codes.contains(code) {
                codes.push(*code);
            }
        }
        let in_transaction = !self.file.script.directives.no_transaction;
        let unfolded = &self.file.unfolded;
        let found = violations(
            &unfolded.text,
            &unfolded.syntax,
            &codes,
            postgres,
            in_transaction,
        );
        let mut drafts: Vec<Draft<'a>> = Vec::new();
        let mut reported = BTreeSet::new();
        for violation in found {
            let own = adopted
                .iter()
                .filter(|(_, it)| it.codes.contains(&violation.code));
            let found = own.filter_map(|(rule, adopted)| self.draft(&violation, rule, adopted));
            // Two squawk rules may map to one of ours at the same place.
            drafts.extend(found.filter(|new| {
                let range = new.range.as_ref().map(|range| (range.start, range.end));
                reported.insert((new.rule.slug, range))
            }));
        }
        let syntax_rules: Vec<_> = all_rules().filter_map(|rule| rule.syntax).collect();
        for at in self
            .statements
            .iter()
            .filter(|at| self.applies(Scope::Existing, at))
        {
            drafts.extend(syntax_rules.iter().flat_map(|rule| rule(self, at)));
        }
        for draft in &mut drafts {
            let original = |range: &Range<usize>| unfolded.original(range);
            draft.range = draft.range.as_ref().map(original);
        }
        drafts
    }

    fn draft(
        &self,
        violation: &Violation,
        rule: &'static Rule,
        adopted: &Adopted,
    ) -> Option<Draft<'a>> {
        let start = violation.text_range.start();
        let before = |at: &At| at.statement.syntax().text_range().end() < start;
        let at = self.statements.get(self.statements.partition_point(before));
        let is_here = |at: &&At| at.statement.syntax().text_range().start() <= start;
        let at = at.filter(is_here)?;
        if !self.applies(adopted.scope, at) || self.is_absent(violation, at) {
            return None;
        }
        let case = Case {
            judge: self,
            violation,
            at,
        };
        let advice = (adopted.decide)(&case, adopted.advice())?;
        let subject = at
            .subjects
            .first()
            .map_or_else(|| "the table".to_owned(), Name::to_string);
        let message = advice.message.replace("{}", &subject);
        let draft = Draft::new(rule, self.file.script, message).at(self.place(violation, at));
        let safe_form = match advice.safe_form.is_empty() {
            true => self.concurrently(violation, at),
            false => Some(advice.safe_form.into_owned()),
        };
        Some(match safe_form {
            Some(form) => draft.safe_form(form),
            None => draft,
        })
    }

    /// A finding about a part of a statement.
    pub(crate) fn draft_at(
        &self,
        rule: &'static Rule,
        node: &SyntaxNode,
        message: impl Into<String>,
        safe_form: &str,
    ) -> Draft<'a> {
        Draft::new(rule, self.file.script, message)
            .at(span(node))
            .safe_form(safe_form)
    }

    /// The text of the file, with blocks replaced by their SQL.
    pub(crate) fn text(&self) -> &str {
        &self.file.unfolded.text
    }

    /// What the migration of a revert creates; `None` for a migration.
    pub(crate) fn undone(&self) -> Option<&Made> {
        self.undone
    }

    /// The later statements of the file.
    pub(crate) fn after(&self, at: &At) -> impl Iterator<Item = &ast::Stmt> {
        self.statements
            .iter()
            .skip(at.number + 1)
            .map(|at| &at.statement)
    }

    /// Whether the subject of a statement is a partitioned table, as far as it is known.
    pub(crate) fn is_partitioned(&self, violation: &Violation, at: &At) -> Option<bool> {
        let table = at.subjects.first()?;
        self.with_model(violation, |model| model.is_partitioned(table))
    }

    /// Whether an object of this name may have existed before a part of a migration, or before a revert.
    pub(crate) fn may_have_existed(&self, node: &SyntaxNode, name: &Name) -> bool {
        let place = (self.context.number, self.original(node.text_range()).start);
        self.file.direction == Direction::Down || !self.context.never_existed(name, place)
    }

    fn applies(&self, scope: Scope, at: &At) -> bool {
        match scope {
            Scope::Any => true,
            Scope::New => self.file.direction == Direction::Up,
            Scope::Existing => !self.first && !self.is_all_new(at),
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
    pub(crate) fn with_model<T>(&self, violation: &Violation, ask: impl FnOnce(&Model) -> T) -> T {
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

    /// Whether the file adds a check of this name.
    pub(crate) fn adds_check(&self, name: &str) -> bool {
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

    /// The range without the semicolon and trailing blanks; for a type change the whole action.
    fn place(&self, violation: &Violation, at: &At) -> Range<usize> {
        let range = match violation.code {
            Squawk::ChangingColumnType => action(violation, &at.statement)
                .map_or(violation.text_range, |action| action.syntax().text_range()),
            _ => violation.text_range,
        };
        self.trimmed(range.into())
    }

    /// The range without a semicolon and blanks at its end.
    pub(crate) fn trimmed(&self, range: Range<usize>) -> Range<usize> {
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
