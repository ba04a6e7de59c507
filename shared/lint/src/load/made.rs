//! The objects that a file creates, and those that existed before: new objects are not in use yet.

use std::collections::HashMap;

use pg_sql::Name;
use squawk_syntax::SyntaxNode;
use squawk_syntax::ast::{self, AstNode};

use crate::unfold::Unfolded;

use super::names::{first_made, first_used, is_same, subjects};

/// An object that a statement creates.
#[derive(Debug)]
enum Thing {
    /// A table, view or foreign table.
    Relation(Name),
    /// An index, with its table.
    Index(Name, Name),
    /// A column, with its table.
    Column(String, Name),
    /// A type, function, sequence or domain.
    Other(Name),
    /// A new name of an object other than a table.
    OtherName(Name),
    /// A new name of a table that existed before.
    TableName(Name),
}

/// The objects that the statements of a file create, each with the number of its statement.
#[derive(Debug, Default)]
pub(crate) struct Made {
    things: Vec<(usize, Thing)>,
    /// The indexes into `things`, by name.
    by_name: HashMap<String, Vec<usize>>,
    /// Tables that are dropped or renamed, by their names.
    gone: HashMap<String, Vec<(usize, Name)>>,
}

impl Thing {
    fn name(&self) -> &str {
        match self {
            Self::Column(name, _) => name,
            Self::Relation(name)
            | Self::Index(name, _)
            | Self::Other(name)
            | Self::OtherName(name)
            | Self::TableName(name) => &name.name,
        }
    }
}

impl Made {
    /// The objects that a file creates. `CREATE TABLE IF NOT EXISTS` counts only for tables that do not exist yet.
    pub(super) fn by(file: &Unfolded, existing: &ExistingRelations) -> Self {
        let mut made = Self::default();
        for (at, statement) in file.syntax.tree().stmts().enumerate() {
            let start = usize::from(statement.syntax().text_range().start());
            made.note(at, &statement, file.is_within(start), existing);
        }
        made
    }

    /// A statement `within` a block may not be executed.
    fn note(
        &mut self,
        at: usize,
        statement: &ast::Stmt,
        within: bool,
        existing: &ExistingRelations,
    ) {
        let node = statement.syntax();
        match statement {
            ast::Stmt::CreateTable(_)
            | ast::Stmt::CreateTableAs(_)
            | ast::Stmt::CreateForeignTable(_)
            | ast::Stmt::CreateMaterializedView(_)
            | ast::Stmt::CreateView(_) => {
                let guarded = within
                    || node
                        .children()
                        .any(|child| ast::IfNotExists::can_cast(child.kind()));
                if let Some(name) = first_made(node)
                    && !(guarded && existing.has(&name))
                {
                    self.makes(at, Thing::Relation(name));
                }
            }
            ast::Stmt::SelectInto(select) => {
                let into = select.into_clause();
                if let Some(name) = into.and_then(|into| first_made(into.syntax())) {
                    self.makes(at, Thing::Relation(name));
                }
            }
            ast::Stmt::CreateIndex(index) => {
                if let Some(name) = index.index().and_then(|index| first_made(index.syntax()))
                    && let Some(table) = first_used(node)
                {
                    self.makes(at, Thing::Index(name, table));
                }
            }
            ast::Stmt::AlterTable(table) => self.note_alter_table(at, table),
            ast::Stmt::DropTable(_) => {
                for name in subjects(node) {
                    self.goes(at, name);
                }
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
                        self.makes(at, Thing::Column(name.text(), table.clone()));
                    }
                }
                ast::AlterTableAction::TableRenameTo(rename) => {
                    if let Some(name) = first_made(rename.syntax()) {
                        let thing = if self.has_relation(&table, at) {
                            Thing::Relation(name)
                        } else {
                            Thing::TableName(name)
                        };
                        self.makes(at, thing);
                        self.goes(at, table.clone());
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
        if let Some(thing) = thing {
            self.makes(at, thing);
        }
    }

    fn makes(&mut self, at: usize, thing: Thing) {
        let places = self.by_name.entry(thing.name().to_owned()).or_default();
        places.push(self.things.len());
        self.things.push((at, thing));
    }

    fn goes(&mut self, at: usize, name: Name) {
        let gone = self.gone.entry(name.name.clone()).or_default();
        gone.push((at, name));
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &(usize, Thing)> {
        let places = self.by_name.get(name).into_iter().flatten();
        places.filter_map(|place| self.things.get(*place))
    }

    /// Whether an earlier statement created the relation.
    pub(crate) fn has_relation(&self, name: &Name, before: usize) -> bool {
        self.named(&name.name).any(|(at, thing)| {
            *at < before && matches!(thing, Thing::Relation(made) if is_same(made, name))
        })
    }

    /// Whether the file created the table, or renamed it to this name.
    pub(crate) fn has_table_name(&self, name: &Name) -> bool {
        self.named(&name.name).any(|(_, thing)| {
            matches!(thing, Thing::Relation(made) | Thing::TableName(made) if is_same(made, name))
        })
    }

    /// The table of an index that the file created.
    pub(super) fn table_of_index(&self, index: &Name) -> Option<&Name> {
        self.named(&index.name).find_map(|(_, thing)| match thing {
            Thing::Index(made, table) if is_same(made, index) => Some(table),
            _ => None,
        })
    }

    /// Whether the file added the column.
    pub(crate) fn has_column(&self, table: &Name, column: &str) -> bool {
        self.named(column).any(|(_, thing)| {
            matches!(thing, Thing::Column(made, of) if made == column && is_same(of, table))
        })
    }

    /// Whether the file creates any object of this name.
    pub(crate) fn has_any(&self, name: &Name) -> bool {
        self.named(&name.name).any(|(_, thing)| {
            matches!(
                thing,
                Thing::Relation(made) | Thing::Other(made) | Thing::OtherName(made) if is_same(made, name)
            )
        })
    }
}

/// The relations that exist before a migration, according to the texts of the earlier ones.
#[derive(Debug, Default)]
pub struct ExistingRelations {
    relations: HashMap<String, Vec<Name>>,
    migrations: usize,
}

impl ExistingRelations {
    /// Whether there is no earlier migration, so that no table is in use.
    pub(super) fn is_nothing(&self) -> bool {
        self.migrations == 0
    }

    fn has(&self, name: &Name) -> bool {
        let alike = self.relations.get(&name.name).into_iter().flatten();
        alike.into_iter().any(|relation| is_same(relation, name))
    }

    /// Advances past a migration that is not checked.
    pub(crate) fn take(&mut self, file: &Unfolded) {
        self.pass(Made::by(file, self));
    }

    /// Advances past a migration.
    pub(super) fn pass(&mut self, made: Made) {
        self.migrations += 1;
        let Made { things, gone, .. } = made;
        let is_gone = |name: &Name, since: usize| {
            let alike = gone.get(&name.name).into_iter().flatten();
            alike
                .into_iter()
                .any(|(at, gone)| *at >= since && is_same(gone, name))
        };
        for name in gone.keys() {
            if let Some(alike) = self.relations.get_mut(name) {
                alike.retain(|relation| !is_gone(relation, 0));
            }
        }
        for (at, thing) in things {
            match thing {
                Thing::Relation(name) | Thing::TableName(name) if !is_gone(&name, at) => {
                    let alike = self.relations.entry(name.name.clone()).or_default();
                    alike.push(name);
                }
                _ => {}
            }
        }
    }
}
