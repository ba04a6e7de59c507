//! Reads one statement: dispatches on its kind, and reads the simple kinds.

use std::collections::BTreeSet;
use std::ops::Range;

use domain::Version;
use pg_sql::Name;
use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use crate::change::{Act, Change, Index, Unknown};
use crate::mentions::Mentions;
use crate::names::{below, made, plain, referred, squeezed};

/// Maps a node to its range in the file: the body of a block has separate offsets.
pub(super) type Spot<'a> = dyn Fn(&SyntaxNode) -> Range<usize> + 'a;

/// Reads statements and collects their changes.
pub(super) struct Reader<'a> {
    /// The migration.
    pub(super) by: Version,
    pub(super) schema: String,
    pub(super) spot: &'a Spot<'a>,
    /// Whether the current statement is conditional.
    pub(super) perhaps: bool,
    /// Whether the surrounding block continues if an object already exists.
    pub(super) guarded: bool,
    /// Whether the current statement is in a loop.
    pub(super) in_loop: bool,
    pub(super) acts: Vec<Act>,
    /// Temporary tables that the file has created.
    pub(super) temporary: BTreeSet<String>,
    search_path: Option<String>,
    /// The nesting depth of blocks and EXECUTE texts.
    pub(super) within: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(by: Version, schema: &str, spot: &'a Spot<'a>) -> Self {
        Self {
            by,
            schema: schema.to_owned(),
            spot,
            perhaps: false,
            guarded: false,
            in_loop: false,
            acts: Vec::new(),
            temporary: BTreeSet::new(),
            search_path: None,
            within: 0,
        }
    }

    /// The schema of unqualified names from now on, if the statement sets it.
    pub(super) fn search_path(&self) -> Option<&str> {
        self.search_path.as_deref()
    }

    pub(super) fn act(&mut self, range: Range<usize>, change: Change) {
        self.acts.push(Act {
            change,
            range,
            perhaps: self.perhaps,
            guarded: self.guarded,
        });
    }

    pub(super) fn made(&self, path: Option<ast::Path>) -> Option<Name> {
        made(path, &self.schema)
    }

    /// Temporary tables hide those of any schema.
    pub(super) fn referred(&self, path: Option<ast::PathRef>) -> Option<Name> {
        let plain = path.as_ref()?.qualifier().is_none();
        let mut name = referred(path, &self.schema)?;
        if plain && self.temporary.contains(&name.name) {
            name.schema = Some("pg_temp".to_owned());
        }
        Some(name)
    }

    pub(super) fn statement(&mut self, statement: &ast::Stmt) {
        let node = statement.syntax();
        self.rows(node);
        // The parser recovered from an error and the name is incomplete: the statement changes an unknown object.
        if self.structure(statement).is_none() {
            let text = Mentions::new(node.text().to_string());
            self.act((self.spot)(node), Change::Unknown(Unknown::Named(text)));
        }
    }

    fn structure(&mut self, statement: &ast::Stmt) -> Option<()> {
        let node = statement.syntax();
        let range = (self.spot)(node);
        let cascade = has_cascade(node);
        match statement {
            ast::Stmt::CreateTable(it) => self.create_table(it)?,
            ast::Stmt::CreateTableAs(it) => {
                let table = self.table_name(it.table_name(), it.persistence())?;
                self.makes_unlisted(range, table);
            }
            ast::Stmt::SelectInto(it) => {
                let into = it.into_clause()?;
                let table = self.table_name(into.table_name(), into.persistence())?;
                self.makes_unlisted(range, table);
            }
            ast::Stmt::CreateForeignTable(it) => {
                let table = self.made(it.table_name()?.path())?;
                self.makes_unlisted(range.clone(), table.clone());
                if let Some(of) = it.partition_of() {
                    let partition = self.partition(of.table_name_ref(), it.partition_type())?;
                    self.act(range, Change::AttachesPartition { table, partition });
                }
            }
            ast::Stmt::AlterTable(it) => self.alter_table(it)?,
            ast::Stmt::DropTable(it) => {
                let tables: Option<_> = it
                    .table_name_refs()
                    .map(|table| self.referred(table.path_ref()))
                    .collect();
                let change = Change::DropsTables {
                    tables: tables?,
                    cascade,
                };
                self.act(range, change);
            }
            ast::Stmt::CreateIndex(it) => self.create_index(it)?,
            ast::Stmt::DropIndex(it) => {
                let indexes: Option<_> = it
                    .index_refs()
                    .map(|index| self.referred(index.path_ref()))
                    .collect();
                let change = Change::DropsIndexes {
                    indexes: indexes?,
                    cascade,
                };
                self.act(range, change);
            }
            ast::Stmt::AlterIndex(it) => {
                if let Some(ast::AlterIndexAction::IndexRenameTo(to)) = it.action() {
                    let index = self.referred(it.index_ref()?.path_ref())?;
                    let mut to = self.made(to.index()?.path())?;
                    to.schema.clone_from(&index.schema);
                    self.act(range, Change::RenamesIndex { index, to });
                }
            }
            ast::Stmt::CreateType(it) => {
                if let Some(ast::CreateTypeKind::EnumType(kind)) = it.kind() {
                    let name = self.made(it.type_name()?.path())?;
                    let labels = kind
                        .variant_list()?
                        .variants()
                        .filter_map(|variant| variant.literal()?.string_value())
                        .collect();
                    self.act(range, Change::MakesEnum { name, labels });
                }
            }
            ast::Stmt::AlterType(it) => {
                let name = self.referred(it.type_name_ref()?.path_ref())?;
                match it.action() {
                    Some(ast::AlterTypeAction::AddValue(value)) => {
                        let label = value.literal()?.string_value()?;
                        self.act(range, Change::AddsEnumValue { name, label });
                    }
                    Some(ast::AlterTypeAction::TypeRenameTo(to)) => {
                        let mut to = self.made(to.type_name()?.path())?;
                        to.schema.clone_from(&name.schema);
                        self.act(range, Change::RenamesType { name, to });
                    }
                    _ => {}
                }
            }
            ast::Stmt::DropType(it) => {
                let types: Option<_> = it
                    .type_name_refs()
                    .map(|name| self.referred(name.path_ref()))
                    .collect();
                let change = Change::DropsTypes {
                    types: types?,
                    cascade,
                };
                self.act(range, change);
            }
            ast::Stmt::CreateView(it) => {
                let name = self.made(it.view()?.path())?;
                let reads = Mentions::new(squeezed(it.query()?.syntax()));
                self.act(range, Change::MakesView { name, reads });
            }
            ast::Stmt::CreateMaterializedView(it) => {
                let name = self.made(it.view()?.path())?;
                let reads = Mentions::new(squeezed(it.query()?.syntax()));
                self.act(range, Change::MakesView { name, reads });
            }
            ast::Stmt::DropView(it) => self.drop_views(range, it.view_refs(), cascade)?,
            ast::Stmt::DropMaterializedView(it) => {
                self.drop_views(range, it.view_refs(), cascade)?;
            }
            ast::Stmt::CreateTrigger(it) => {
                let table = self.referred(it.on_relation()?.relation_name_ref()?.path_ref())?;
                let mut reads = String::new();
                if let Some(events) = it.trigger_event_list() {
                    reads.push_str(&squeezed(events.syntax()));
                }
                if let Some(condition) = it.when_condition() {
                    reads.push(' ');
                    reads.push_str(&squeezed(condition.syntax()));
                }
                let change = Change::MakesTrigger {
                    table,
                    name: plain(it.trigger())?,
                    reads: Mentions::new(reads),
                };
                self.act(range, change);
            }
            ast::Stmt::DropTrigger(it) => {
                let table = self.referred(it.on_relation()?.relation_name_ref()?.path_ref())?;
                let name = it.trigger_ref()?.syntax().text().to_string();
                let name = name.trim().trim_matches('"').to_owned();
                self.act(range, Change::DropsTrigger { table, name });
            }
            ast::Stmt::CreateSchema(it) => {
                if let Some(ast::CreateSchemaTarget::NamedSchema(named)) = it.create_schema_target()
                {
                    let name = plain(named.schema())?;
                    self.act(range, Change::MakesSchema { name });
                }
            }
            ast::Stmt::DropSchema(it) => {
                let names = it
                    .schema_refs()
                    .filter_map(|schema| plain(Some(schema)))
                    .collect();
                self.act(range, Change::DropsSchemas { names, cascade });
            }
            ast::Stmt::Truncate(it) => {
                let tables: Option<_> = it
                    .table_list()?
                    .table_relation_names()
                    .map(|table| self.referred(table.table_name_ref()?.path_ref()))
                    .collect();
                self.act(range, Change::Truncates { tables: tables? });
            }
            ast::Stmt::Set(it) => self.set(range, it),
            ast::Stmt::Do(it) => self.block(it),
            // A procedure usually writes rows; if it changes the schema, then objects that its arguments name.
            ast::Stmt::Call(_) | ast::Stmt::Execute(_) => {
                let text = Mentions::new(squeezed(node));
                self.act(range, Change::Unknown(Unknown::Named(text)));
            }
            _ if cascade && is_drop(node) => {
                let text = squeezed(node);
                let end = text.to_ascii_lowercase().rfind("cascade");
                let what = text.get("drop".len()..end.unwrap_or(text.len()));
                let what = what.unwrap_or_default().trim().to_owned();
                self.act(range, Change::DropsOtherCascade { what });
            }
            _ => {}
        }
        Some(())
    }

    pub(super) fn table_name(
        &mut self,
        name: Option<ast::TableName>,
        persistence: Option<ast::Persistence>,
    ) -> Option<Name> {
        let mut table = self.made(name?.path())?;
        if matches!(persistence, Some(ast::Persistence::Temp(_))) {
            table.schema = Some("pg_temp".to_owned());
            self.temporary.insert(table.name.clone());
        }
        Some(table)
    }

    fn makes_unlisted(&mut self, range: Range<usize>, table: Name) {
        let change = Change::MakesTable {
            table,
            columns: Vec::new(),
            constraints: Vec::new(),
            has_more: true,
            partitioned: false,
            partition: None,
        };
        self.act(range, change);
    }

    fn create_index(&mut self, it: &ast::CreateIndex) -> Option<()> {
        let table = self.referred(it.table_relation_name()?.table_name_ref()?.path_ref())?;
        let name = match it.index() {
            None => None,
            Some(index) => Some(Name {
                schema: table.schema.clone(),
                name: self.made(index.path())?.name,
            }),
        };
        let columns = it
            .partition_item_list()?
            .partition_items()
            .map(|item| match item.expr() {
                Some(ast::Expr::NameRef(column)) => plain(Some(column)),
                _ => None,
            })
            .collect();
        let method = it
            .using_method()
            .map(|using| squeezed(using.syntax()).to_ascii_lowercase());
        let index = Index {
            name,
            table,
            columns,
            unique: it.unique_token().is_some(),
            only_where: it
                .where_clause()
                .map(|only| Mentions::new(squeezed(only.syntax()))),
            finds_equal: method
                .is_none_or(|using| using.ends_with("btree") || using.ends_with("hash")),
            concurrently: it.concurrently_token().is_some(),
        };
        self.act((self.spot)(it.syntax()), Change::MakesIndex(index));
        Some(())
    }

    fn drop_views(
        &mut self,
        range: Range<usize>,
        views: ast::AstChildren<ast::ViewRef>,
        cascade: bool,
    ) -> Option<()> {
        let views: Option<_> = views.map(|view| self.referred(view.path_ref())).collect();
        let change = Change::DropsViews {
            views: views?,
            cascade,
        };
        self.act(range, change);
        Some(())
    }

    /// `SET search_path` determines the schema of unqualified names.
    fn set(&mut self, range: Range<usize>, it: &ast::Set) {
        let text = squeezed(it.syntax()).to_ascii_lowercase();
        let Some((_, path)) = text.split_once("search_path") else {
            return;
        };
        let first = path
            .trim_start_matches([' ', '='])
            .trim_start_matches("to ")
            .split(',')
            .next()
            .unwrap_or_default()
            .trim_matches([' ', '"', '\'', ';']);
        if !first.is_empty() && first != "default" && first != "$user" {
            self.search_path = Some(first.to_owned());
        }
        if path.contains(',') {
            self.act(range, Change::Unknown(Unknown::Named(Mentions::new(""))));
        }
    }
}

fn has_cascade(node: &SyntaxNode) -> bool {
    node.children()
        .any(|child| ast::Cascade::can_cast(child.kind()))
        || below::<ast::Cascade>(node).is_some()
}

fn is_drop(node: &SyntaxNode) -> bool {
    node.first_token()
        .is_some_and(|token| token.kind() == SyntaxKind::DROP_KW)
}
