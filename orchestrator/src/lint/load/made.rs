//! What a file makes, and what stood before it: nobody uses yet what this very migration made. Floor 3.

use shared::sql::Name;
use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{Parse, SourceFile, SyntaxNode};

use super::names::{first_made, first_used, is_same, subjects};

/// What a statement makes.
#[derive(Debug)]
enum Thing {
    /// A table, a view, a foreign table.
    Relation(Name),
    /// An index, with its table.
    Index(Name, Name),
    /// A column, with its table.
    Column(String, Name),
    /// A type, a function, a sequence, a domain.
    Other(Name),
    /// Another name for something other than a table.
    OtherName(Name),
    /// Another name for a table that stood before.
    TableName(Name),
}

/// What the statements of a file make, each with the number of its statement.
#[derive(Debug, Default)]
pub(super) struct Made {
    things: Vec<(usize, Thing)>,
    /// Tables that are dropped, or get another name.
    gone: Vec<(usize, Name)>,
}

impl Made {
    /// By a file. `CREATE TABLE IF NOT EXISTS` makes only what does not stand.
    pub(super) fn by(syntax: &Parse<SourceFile>, standing: &Standing) -> Self {
        let mut made = Self::default();
        for (at, statement) in syntax.tree().stmts().enumerate() {
            made.note(at, &statement, standing);
        }
        made
    }

    fn note(&mut self, at: usize, statement: &ast::Stmt, standing: &Standing) {
        let node = statement.syntax();
        match statement {
            ast::Stmt::CreateTable(_)
            | ast::Stmt::CreateTableAs(_)
            | ast::Stmt::CreateForeignTable(_)
            | ast::Stmt::CreateMaterializedView(_)
            | ast::Stmt::CreateView(_) => {
                let guarded = node
                    .children()
                    .any(|child| ast::IfNotExists::can_cast(child.kind()));
                if let Some(name) = first_made(node)
                    && !(guarded && standing.has(&name))
                {
                    self.things.push((at, Thing::Relation(name)));
                }
            }
            ast::Stmt::SelectInto(select) => {
                let into = select.into_clause();
                if let Some(name) = into.and_then(|into| first_made(into.syntax())) {
                    self.things.push((at, Thing::Relation(name)));
                }
            }
            ast::Stmt::CreateIndex(index) => {
                if let Some(name) = index.index().and_then(|index| first_made(index.syntax()))
                    && let Some(table) = first_used(node)
                {
                    self.things.push((at, Thing::Index(name, table)));
                }
            }
            ast::Stmt::AlterTable(table) => self.note_alter_table(at, table),
            ast::Stmt::DropTable(_) => {
                self.gone
                    .extend(subjects(node).into_iter().map(|name| (at, name)));
            }
            _ => self.note_other(at, node),
        }
    }

    fn note_alter_table(&mut self, at: usize, statement: &ast::AlterTable) {
        let Some(table) = first_used(statement.syntax()) else {
            return;
        };
        for action in statement.actions() {
            match action {
                ast::AlterTableAction::AddColumn(column) => {
                    if let Some(name) = column.column_name() {
                        self.things
                            .push((at, Thing::Column(name.text(), table.clone())));
                    }
                }
                ast::AlterTableAction::TableRenameTo(rename) => {
                    if let Some(name) = first_made(rename.syntax()) {
                        let thing = if self.has_relation(&table, at) {
                            Thing::Relation(name)
                        } else {
                            Thing::TableName(name)
                        };
                        self.things.push((at, thing));
                        self.gone.push((at, table.clone()));
                    }
                }
                _ => {}
            }
        }
    }

    fn note_other(&mut self, at: usize, node: &SyntaxNode) {
        let first = node
            .first_token()
            .map(|token| token.text().to_ascii_lowercase());
        let thing = match first.as_deref() {
            Some("create") => first_made(node).map(Thing::Other),
            Some("alter") => first_made(node).map(Thing::OtherName),
            _ => None,
        };
        self.things.extend(thing.map(|thing| (at, thing)));
    }

    /// Whether a statement before that one made the relation.
    pub(super) fn has_relation(&self, name: &Name, before: usize) -> bool {
        self.things.iter().any(|(at, thing)| {
            *at < before && matches!(thing, Thing::Relation(made) if is_same(made, name))
        })
    }

    /// Whether the file made the table, or gave it that name.
    pub(super) fn has_table_name(&self, name: &Name) -> bool {
        self.things.iter().any(|(_, thing)| {
            matches!(thing, Thing::Relation(made) | Thing::TableName(made) if is_same(made, name))
        })
    }

    /// The table of an index that the file made.
    pub(super) fn table_of_index(&self, index: &Name) -> Option<&Name> {
        self.things.iter().find_map(|(_, thing)| match thing {
            Thing::Index(made, table) if is_same(made, index) => Some(table),
            _ => None,
        })
    }

    /// Whether the file added the column.
    pub(super) fn has_column(&self, table: &Name, column: &str) -> bool {
        self.things.iter().any(|(_, thing)| {
            matches!(thing, Thing::Column(made, of) if made == column && is_same(of, table))
        })
    }

    /// Whether the file makes something of that name, a table or anything else, anywhere.
    pub(super) fn has_any(&self, name: &Name) -> bool {
        self.things.iter().any(|(_, thing)| {
            matches!(
                thing,
                Thing::Relation(made) | Thing::Other(made) | Thing::OtherName(made) if is_same(made, name)
            )
        })
    }
}

/// The relations that stand before a migration, as far as the texts of those before it tell.
#[derive(Debug, Default)]
pub struct Standing {
    relations: Vec<Name>,
    migrations: usize,
}

impl Standing {
    /// Whether no migration came before: the tables are nobody's yet.
    pub(super) fn is_nothing(&self) -> bool {
        self.migrations == 0
    }

    fn has(&self, name: &Name) -> bool {
        self.relations
            .iter()
            .any(|relation| is_same(relation, name))
    }

    /// Goes past a migration.
    pub(super) fn pass(&mut self, made: Made) {
        self.migrations += 1;
        let Made { things, gone } = made;
        let is_gone = |name: &Name, since: usize| {
            gone.iter()
                .any(|(at, gone)| *at >= since && is_same(gone, name))
        };
        self.relations.retain(|relation| !is_gone(relation, 0));
        for (at, thing) in things {
            match thing {
                Thing::Relation(name) | Thing::TableName(name) if !is_gone(&name, at) => {
                    self.relations.push(name);
                }
                _ => {}
            }
        }
    }
}
