//! The safe form of one statement.
//!
//! Responsible for the parts of a statement: those that stay in the file, those that move to later files, and what undoes each. Not for
//! files, nor for the proof. Pure.

use pg_sql::{Name, quote_identifier};
use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SyntaxNode, SyntaxToken};

use crate::undo::Undo;
use lint::{Change, Constraint, ConstraintKind, Model, Step};

/// The files into which a migration is split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Statements that are quick as they are.
    Stays,
    /// Indexes that are built and dropped CONCURRENTLY, without a transaction.
    Indexes,
    /// Validates constraints on existing rows.
    Validate,
    /// Statements that are quick after the earlier stages.
    Finish,
}

impl Stage {
    /// The suffix of the file name.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Stays => "rest",
            Self::Indexes => "indexes",
            Self::Validate => "validate",
            Self::Finish => "finish",
        }
    }
}

/// A statement in a later file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Later {
    /// Its file.
    pub stage: Stage,
    /// The statement.
    pub sql: String,
    /// The statements that undo it, in order; `None` if unknown.
    pub undo: Option<Vec<String>>,
}

/// The safe form of a statement, or of one action of an `ALTER TABLE`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// The replacement; empty if everything moves to later files.
    pub stays: Vec<String>,
    /// The statements of later files.
    pub later: Vec<Later>,
    /// What the revert no longer has to undo.
    pub undo: Vec<Undo>,
}

/// Why a statement has no safe form.
pub type NoForm = &'static str;

/// The context of a statement.
pub struct StatementContext<'a> {
    /// The schema after the statement.
    pub after: &'a Model,
    /// Whether the statement is about a partitioned table.
    pub partitioned: bool,
    /// The statements of the file.
    pub file: Text<'a>,
    /// Those of its revert.
    pub revert: Option<Text<'a>>,
}

/// The statements of a file with its text.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    /// The text.
    pub text: &'a str,
    /// Its statements.
    pub steps: &'a [Step],
}

/// The safe form of a statement.
pub fn safe_form(step: &Step, context: &StatementContext<'_>) -> Result<Form, NoForm> {
    let statement = ast::Stmt::cast(step.node.clone());
    let on_partitions = "the table is partitioned: CONCURRENTLY is not available, and the files do not name its partitions";
    match statement {
        Some(ast::Stmt::CreateIndex(_) | ast::Stmt::DropIndex(_)) if context.partitioned => {
            Err(on_partitions)
        }
        Some(ast::Stmt::CreateIndex(it)) => create_index(step, &it, context.file.text),
        Some(ast::Stmt::DropIndex(it)) => drop_index(step, &it, context),
        Some(ast::Stmt::AlterTable(it)) => alter_table(step, &it, context),
        Some(ast::Stmt::Do(_)) => Err("it is in a DO block, whose code is not rewritten"),
        _ => Err("no safe form is known"),
    }
}

/// Whether a statement is about a partitioned table.
pub fn is_partitioned(before: &Model, step: &Step) -> bool {
    step.acts.iter().any(|act| match &act.change {
        Change::MakesIndex(index) => before.is_partitioned(&index.table) == Some(true),
        Change::DropsIndexes { indexes, .. } => indexes
            .iter()
            .any(|index| before.is_partitioned_index(index)),
        Change::AddsConstraint { table, .. } => before.is_partitioned(table) == Some(true),
        _ => false,
    })
}

fn create_index(step: &Step, it: &ast::CreateIndex, text: &str) -> Result<Form, NoForm> {
    let Some(Change::MakesIndex(index)) = step.acts.first().map(|act| &act.change) else {
        return Err("no safe form is known");
    };
    let Some(name) = &index.name else {
        return Err("the index has no explicit name");
    };
    let table = it.table_relation_name().map(|table| source(table.syntax()));
    let sql = concurrently(text, step, it.index_token())?;
    Ok(Form {
        later: vec![Later {
            stage: Stage::Indexes,
            sql,
            undo: Some(vec![drop_concurrently(name, table.as_deref())]),
        }],
        undo: vec![Undo::DropsIndex(name.clone())],
        ..Form::default()
    })
}

fn drop_index(
    step: &Step,
    it: &ast::DropIndex,
    context: &StatementContext<'_>,
) -> Result<Form, NoForm> {
    let Some(Change::DropsIndexes { indexes, cascade }) = step.acts.first().map(|act| &act.change)
    else {
        return Err("no safe form is known");
    };
    if *cascade {
        return Err("CONCURRENTLY does not support CASCADE");
    }
    let if_exists = if it.if_exists().is_some() {
        "IF EXISTS "
    } else {
        ""
    };
    let mut form = Form::default();
    for (index, written) in indexes.iter().zip(it.index_refs()) {
        let undo = match context.revert {
            None => None,
            Some(revert) => Some(vec![
                recreated(index, revert).ok_or("the revert does not recreate the index")?,
            ]),
        };
        form.later.push(Later {
            stage: Stage::Indexes,
            sql: format!(
                "DROP INDEX CONCURRENTLY {if_exists}{}",
                source(written.syntax())
            ),
            undo,
        });
        form.undo.push(Undo::MakesIndex(index.clone()));
    }
    Ok(form)
}

/// The statement of a revert that recreates an index, with CONCURRENTLY.
fn recreated(index: &Name, revert: Text<'_>) -> Option<String> {
    revert.steps.iter().find_map(|step| {
        let Some(Change::MakesIndex(made)) = step.acts.first().map(|act| &act.change) else {
            return None;
        };
        if made.name.as_ref() != Some(index) {
            return None;
        }
        if made.concurrently {
            return Some(revert.text.get(step.range.clone())?.to_owned());
        }
        match ast::Stmt::cast(step.node.clone()) {
            Some(ast::Stmt::CreateIndex(it)) => {
                concurrently(revert.text, step, it.index_token()).ok()
            }
            _ => None,
        }
    })
}

/// Inserts CONCURRENTLY after INDEX.
fn concurrently(text: &str, step: &Step, word: Option<SyntaxToken>) -> Result<String, NoForm> {
    let unknown = "no safe form is known";
    let end = usize::from(word.ok_or(unknown)?.text_range().end());
    let (before, after) = (
        text.get(step.range.start..end).ok_or(unknown)?,
        text.get(end..step.range.end).ok_or(unknown)?,
    );
    Ok(format!("{before} CONCURRENTLY{after}"))
}

fn drop_concurrently(index: &Name, table: Option<&str>) -> String {
    let is_qualified = table.is_some_and(|table| table.contains('.'));
    let name = Name {
        schema: index.schema.clone().filter(|_| is_qualified),
        name: index.name.clone(),
    };
    format!("DROP INDEX CONCURRENTLY {name}")
}

fn alter_table(
    step: &Step,
    it: &ast::AlterTable,
    context: &StatementContext<'_>,
) -> Result<Form, NoForm> {
    let unknown = "no safe form is known";
    let table = it.table_relation_name().ok_or(unknown)?;
    let if_exists = if it.if_exists().is_some() {
        "IF EXISTS "
    } else {
        ""
    };
    let written = source(table.syntax());
    let table = AlteredTable {
        prefix: format!("ALTER TABLE {if_exists}{written}"),
        written,
    };
    let mut form = Form::default();
    let mut kept = Vec::new();
    let mut why = unknown;
    for action in it.actions() {
        let own = source(action.syntax());
        match of_action(step, &action, &own, &table, context) {
            Ok(of_action) => {
                kept.extend(of_action.stays);
                form.later.extend(of_action.later);
                form.undo.extend(of_action.undo);
            }
            Err(reason) => {
                why = reason.unwrap_or(why);
                kept.push(own);
            }
        }
    }
    if form.later.is_empty() {
        return Err(why);
    }
    if !kept.is_empty() {
        form.stays = vec![format!("{} {}", table.prefix, kept.join(",\n    "))];
    }
    Ok(form)
}

struct AlteredTable {
    /// `ALTER TABLE controls`.
    prefix: String,
    written: String,
}

impl AlteredTable {
    fn statement(&self, action: &str) -> String {
        format!("{} {action}", self.prefix)
    }
}

/// The form of one action; an empty error means that the action needs none.
fn of_action(
    step: &Step,
    action: &ast::AlterTableAction,
    own: &str,
    table: &AlteredTable,
    context: &StatementContext<'_>,
) -> Result<Form, Option<NoForm>> {
    let range = lint::span(action.syntax());
    let change = step.acts.iter().find(|act| act.range == range);
    match (action, change.map(|act| &act.change)) {
        (
            ast::AlterTableAction::AddConstraint(_),
            Some(Change::AddsConstraint {
                table: of,
                constraint,
            }),
        ) => adds_constraint(of, constraint, own, table, context).map_err(Some),
        (
            _,
            Some(Change::SetsNotNull {
                table: of,
                column,
                not_null: true,
            }),
        ) => Ok(sets_not_null(of, column, table)),
        (_, Some(Change::Validates { name, .. })) => {
            let undo = added(name, context.file).map(|added| unvalidated(table, name, &added));
            Ok(Form {
                later: vec![Later {
                    stage: Stage::Validate,
                    sql: table.statement(own),
                    undo,
                }],
                ..Form::default()
            })
        }
        (ast::AlterTableAction::AddColumn(_), _) if step.acts.len() > 1 => Err(Some(
            "add the column first, then its constraint with ADD CONSTRAINT",
        )),
        _ => Err(None),
    }
}

fn adds_constraint(
    of: &Name,
    constraint: &Constraint,
    own: &str,
    table: &AlteredTable,
    context: &StatementContext<'_>,
) -> Result<Form, NoForm> {
    let known = context
        .after
        .table(of)
        .and_then(|known| {
            let same = |it: &&Constraint| it.range == constraint.range;
            known.constraints.iter().find(same)
        })
        .and_then(|known| known.name.clone());
    // The server derives the name of a check from its expression.
    let is_check = matches!(constraint.kind, ConstraintKind::Check { .. });
    let name = constraint
        .name
        .clone()
        .or(known.filter(|_| !is_check))
        .ok_or("the constraint has no explicit name")?;
    let body = body(own, constraint)?;
    match &constraint.kind {
        ConstraintKind::ForeignKey { .. }
        | ConstraintKind::Unique { .. }
        | ConstraintKind::PrimaryKey { .. }
            if context.partitioned =>
        {
            Err(
                "the table is partitioned: each partition needs the key first, and the files do not name the partitions",
            )
        }
        ConstraintKind::ForeignKey { .. } | ConstraintKind::Check { .. }
            if !constraint.not_valid =>
        {
            let added = format!(
                "ADD CONSTRAINT {} {body} NOT VALID",
                quote_identifier(&name)
            );
            Ok(Form {
                later: vec![Later {
                    stage: Stage::Validate,
                    sql: table
                        .statement(&format!("VALIDATE CONSTRAINT {}", quote_identifier(&name))),
                    undo: Some(unvalidated(table, &name, &added)),
                }],
                stays: vec![added],
                undo: Vec::new(),
            })
        }
        ConstraintKind::Unique { using_index: None }
        | ConstraintKind::PrimaryKey { using_index: None } => {
            key(of, constraint, &name, body, table, context)
        }
        ConstraintKind::Exclude => Err("an exclusion constraint cannot use an existing index"),
        _ => Err("no safe form is known"),
    }
}

/// A key that uses an index built before it.
fn key(
    of: &Name,
    constraint: &Constraint,
    name: &str,
    body: &str,
    table: &AlteredTable,
    context: &StatementContext<'_>,
) -> Result<Form, NoForm> {
    let words = match constraint.kind {
        ConstraintKind::PrimaryKey { .. } => "PRIMARY KEY",
        _ => "UNIQUE",
    };
    let may_be_null = constraint.columns.iter().any(|column| {
        let known = context.after.table(of);
        !known.is_some_and(|known| known.column(column).is_some_and(|column| column.not_null))
    });
    let is_primary = words == "PRIMARY KEY";
    if is_primary && may_be_null {
        return Err("columns of the key are nullable: SET NOT NULL first, in a separate migration");
    }
    let definition = KeyDefinition::read(body[words.len()..].trim())
        .ok_or("only a key of plain columns can use an existing index")?;
    let index = Name {
        schema: of.schema.clone(),
        name: name.to_owned(),
    };
    let name = quote_identifier(name);
    let build = format!(
        "CREATE UNIQUE INDEX CONCURRENTLY {name} ON {} {}",
        table.written.trim_start_matches("ONLY "),
        definition.index
    );
    Ok(Form {
        later: vec![
            Later {
                stage: Stage::Indexes,
                sql: build.clone(),
                undo: Some(vec![drop_concurrently(&index, Some(&table.written))]),
            },
            Later {
                stage: Stage::Finish,
                sql: table.statement(&format!(
                    "ADD CONSTRAINT {name} {words} USING INDEX {name}{}",
                    definition.deferrable
                )),
                undo: Some(vec![
                    table.statement(&format!("DROP CONSTRAINT {name}")),
                    build,
                ]),
            },
        ],
        undo: vec![Undo::DropsConstraint {
            table: of.clone(),
            name: index.name,
        }],
        ..Form::default()
    })
}

/// The parts of a key after its kind.
struct KeyDefinition {
    /// The columns and options of its index.
    index: String,
    /// When it is checked, with a space before it.
    deferrable: String,
}

impl KeyDefinition {
    /// `NULLS NOT DISTINCT (a, b) INCLUDE (c) DEFERRABLE`, where only the columns are required.
    fn read(text: &str) -> Option<Self> {
        let nulls = "NULLS NOT DISTINCT";
        let (nulls, rest) = match text.strip_prefix(nulls) {
            Some(rest) => (format!(" {nulls}"), rest.trim_start()),
            None => (String::new(), text),
        };
        let (columns, rest) = list(rest)?;
        let (include, rest) = match rest.strip_prefix("INCLUDE") {
            Some(rest) => {
                let (included, rest) = list(rest.trim_start())?;
                (format!(" INCLUDE {included}"), rest)
            }
            None => (String::new(), rest),
        };
        let deferrable = match rest {
            "" => String::new(),
            _ if rest.starts_with("DEFERRABLE") => format!(" {rest}"),
            _ => return None,
        };
        Some(Self {
            index: format!("{columns}{include}{nulls}"),
            deferrable,
        })
    }
}

/// A list of plain columns in parentheses, and the text after it.
fn list(text: &str) -> Option<(&str, &str)> {
    let end = text.find(')')? + 1;
    let (list, rest) = text.split_at(end);
    (list.starts_with('(') && list.matches('(').count() == 1).then_some((list, rest.trim_start()))
}

fn sets_not_null(of: &Name, column: &str, table: &AlteredTable) -> Form {
    let mut check = format!("{}_{column}_is_set", of.name);
    check.truncate(check.floor_char_boundary(63));
    let (check, name) = (quote_identifier(&check), quote_identifier(column));
    let added = format!("ADD CONSTRAINT {check} CHECK ({name} IS NOT NULL) NOT VALID");
    let validate = table.statement(&format!("VALIDATE CONSTRAINT {check}"));
    let dropped = format!("DROP CONSTRAINT {check}");
    Form {
        later: vec![
            Later {
                stage: Stage::Validate,
                sql: validate.clone(),
                undo: Some(vec![table.statement(&dropped), table.statement(&added)]),
            },
            Later {
                stage: Stage::Finish,
                sql: table.statement(&format!("ALTER COLUMN {name} SET NOT NULL")),
                undo: Some(vec![
                    table.statement(&format!("ALTER COLUMN {name} DROP NOT NULL")),
                ]),
            },
            Later {
                stage: Stage::Finish,
                sql: table.statement(&dropped),
                undo: Some(vec![table.statement(&added), validate]),
            },
        ],
        stays: vec![added],
        undo: vec![Undo::DropsNotNull {
            table: of.clone(),
            column: column.to_owned(),
            instead: dropped,
        }],
    }
}

/// Undoes the validation: replaces a valid constraint by one that applies to new rows only.
fn unvalidated(table: &AlteredTable, name: &str, added: &str) -> Vec<String> {
    vec![
        table.statement(&format!("DROP CONSTRAINT {}", quote_identifier(name))),
        table.statement(added),
    ]
}

/// The action in the same file that adds a constraint NOT VALID.
fn added(name: &str, file: Text<'_>) -> Option<String> {
    file.steps
        .iter()
        .flat_map(|step| &step.acts)
        .find_map(|act| match &act.change {
            Change::AddsConstraint { constraint, .. }
                if constraint.not_valid && constraint.name.as_deref() == Some(name) =>
            {
                Some(file.text.get(act.range.clone())?.to_owned())
            }
            _ => None,
        })
}

/// The definition of a constraint, without `ADD` and its name.
fn body<'o>(own: &'o str, constraint: &Constraint) -> Result<&'o str, NoForm> {
    let word = match constraint.kind {
        ConstraintKind::PrimaryKey { .. } => "primary",
        ConstraintKind::Unique { .. } => "unique",
        ConstraintKind::ForeignKey { .. } => "foreign",
        ConstraintKind::Check { .. } => "check",
        ConstraintKind::Exclude => "exclude",
    };
    let lower = own.to_ascii_lowercase();
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '"';
    lower
        .match_indices(word)
        .find(|(at, _)| {
            !lower[..*at].ends_with(is_part) && !lower[at + word.len()..].starts_with(is_part)
        })
        .map(|(at, _)| &own[at..])
        .ok_or("no safe form is known")
}

/// The source text of a node.
fn source(node: &SyntaxNode) -> String {
    node.text().to_string().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::KeyDefinition;

    #[test]
    fn the_options_of_a_key_belong_to_its_index_or_to_the_constraint() {
        let read = |text| KeyDefinition::read(text).map(|it| (it.index, it.deferrable));
        let some = |index: &str, rest: &str| Some((index.to_owned(), rest.to_owned()));
        assert_eq!(read("(a, b)"), some("(a, b)", ""));
        assert_eq!(
            read("NULLS NOT DISTINCT (a) INCLUDE (b) DEFERRABLE INITIALLY DEFERRED"),
            some(
                "(a) INCLUDE (b) NULLS NOT DISTINCT",
                " DEFERRABLE INITIALLY DEFERRED"
            )
        );
        assert_eq!(read("(a, b WITHOUT OVERLAPS) WITH (fillfactor='70')"), None);
    }
}
