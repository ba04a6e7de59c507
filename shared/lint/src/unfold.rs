//! Replaces DO blocks in a file by their SQL and that of their EXECUTE, for rules that check statements.
//!
//! Responsible for finding that SQL, as far as it is in the text, and for mapping offsets back to the file. What
//! cannot be read is listed, never omitted.

use std::collections::BTreeSet;
use std::ops::Range;

use rowan::{TextRange, TextSize};

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{Parse, SourceFile};

use super::dynamic::{Executed, executed};
use super::mentions::Mentions;
use super::names::span;
use super::read::{errors, is_statement_of_block, quoted_text};

/// The maximum nesting of blocks within EXECUTE within blocks.
const WITHIN: usize = 8;

/// The statements of a file, including those of its blocks.
#[derive(Debug)]
pub struct Unfolded {
    pub text: String,
    /// The syntax tree.
    pub syntax: Parse<SourceFile>,
    /// Placeholder names for values that only the server knows.
    pub guessed: BTreeSet<String>,
    /// The parts that cannot be read, in bytes of the file, with the reason.
    pub unread: Vec<(Range<usize>, String)>,
    marks: Vec<Mark>,
    /// The parts that come from blocks, in bytes of the text.
    within: Vec<Range<usize>>,
}

/// A range of the text and its range in the file.
#[derive(Debug)]
struct Mark {
    at: usize,
    original: usize,
    length: usize,
}

/// Maps an offset in a text to the file.
type Origin<'a> = &'a dyn Fn(usize) -> usize;

impl Unfolded {
    /// Unfolds a file.
    pub(super) fn of(text: &str, syntax: &Parse<SourceFile>) -> Self {
        let mut all = Self {
            text: String::new(),
            syntax: syntax.clone(),
            guessed: BTreeSet::new(),
            unread: Vec::new(),
            marks: Vec::new(),
            within: Vec::new(),
        };
        let mut copied = 0;
        for statement in syntax.tree().stmts() {
            if let ast::Stmt::Do(block) = &statement {
                let range = span(block.syntax());
                all.push(&text[copied..range.start], &|at| copied + at);
                copied = range.end;
                all.block(block, &|at| at, 0);
            }
        }
        all.push(&text[copied..], &|at| copied + at);
        if copied > 0 {
            all.syntax = SourceFile::parse(&all.text);
        }
        all
    }

    /// Maps a range of the text to the file.
    pub(super) fn original(&self, range: &Range<usize>) -> Range<usize> {
        let place = |mark: usize, at: usize| {
            let mark = self.marks.get(mark.saturating_sub(1));
            mark.map_or(at, |mark| {
                mark.original + at.saturating_sub(mark.at).min(mark.length)
            })
        };
        let start = self.marks.partition_point(|mark| mark.at <= range.start);
        let end = self.marks.partition_point(|mark| mark.at < range.end);
        let start = place(start, range.start);
        start..place(end, range.end).max(start)
    }

    /// Whether a range comes from a block.
    pub(super) fn is_within(&self, at: usize) -> bool {
        let next = self.within.partition_point(|range| range.end <= at);
        self.within.get(next).is_some_and(|range| range.start <= at)
    }

    fn push(&mut self, text: &str, origin: Origin<'_>) {
        for (at, char) in text.char_indices() {
            let (here, original) = (self.text.len(), origin(at));
            match self.marks.last_mut() {
                Some(mark)
                    if mark.original + (here - mark.at) == original
                        && mark.length == here - mark.at =>
                {
                    mark.length += char.len_utf8();
                }
                _ => self.marks.push(Mark {
                    at: here,
                    original,
                    length: char.len_utf8(),
                }),
            }
            self.text.push(char);
        }
    }

    /// Adds a statement of a block, with its semicolon.
    fn push_statement(&mut self, text: &str, origin: Origin<'_>) {
        let start = self.text.len();
        self.push(text, origin);
        let end = self.text.len();
        self.within.push(start..end);
        self.marks.push(Mark {
            at: end,
            original: origin(text.len()),
            length: 0,
        });
        self.text.push_str(";\n");
    }

    fn block(&mut self, block: &ast::Do, origin: Origin<'_>, depth: usize) {
        let range = span(block.syntax());
        let whole = origin(range.start)..origin(range.end);
        // A block that is too deep is reported by another rule.
        if depth >= WITHIN || pg_sql::too_deep(&quoted_text(block.syntax()), true).is_some() {
            return;
        }
        let Some(body) = block.plpgsql() else {
            self.unread
                .push((whole, "a block in a language other than plpgsql".to_owned()));
            return;
        };
        let inner = |at: usize| {
            let at = TextSize::new(u32::try_from(at).unwrap_or(u32::MAX));
            origin(usize::from(body.source_range(TextRange::empty(at)).start()))
        };
        let errors = errors(&body);
        if let Some(error) = errors.first().filter(|_| may_change_schema(body.text())) {
            let range = error.range();
            let start = origin(usize::from(range.start()));
            let end = origin(usize::from(range.end())).max(start);
            self.unread.push((start..end, error.message().to_owned()));
        }
        for node in body.syntax().descendants() {
            if let Some(execute) = ast::PlpgsqlDynExecuteStmt::cast(node.clone()) {
                self.execute(&execute, &inner, depth);
            } else if ast::Stmt::can_cast(node.kind()) && is_statement_of_block(&node) {
                let range = span(&node);
                let text = body.text().get(range.clone()).unwrap_or_default();
                self.statement(text, &|at| inner(range.start + at), depth);
            }
        }
    }

    /// Adds a statement that PL/pgSQL runs unchanged. Forms that SQL does not have (`RETURNING … INTO`) do not change the schema.
    fn statement(&mut self, text: &str, origin: Origin<'_>, depth: usize) {
        let parsed = SourceFile::parse(text);
        if parsed.errors().is_empty() {
            self.statements(&parsed, text, origin, depth);
        }
    }

    fn execute(&mut self, execute: &ast::PlpgsqlDynExecuteStmt, origin: Origin<'_>, depth: usize) {
        let range = span(execute.syntax());
        let whole = origin(range.start)..origin(range.end);
        let Some(Executed {
            text,
            origins,
            guessed,
        }) = executed(execute)
        else {
            self.unread
                .push((whole, "EXECUTE of text that is not in the file".to_owned()));
            return;
        };
        if pg_sql::too_deep(&text, false).is_some() {
            return;
        }
        let parsed = SourceFile::parse(&text);
        if !parsed.errors().is_empty() {
            self.unread.push((
                whole,
                "EXECUTE of text that is only partly in the file".to_owned(),
            ));
            return;
        }
        self.guessed.extend(guessed);
        let last = origins.last().copied().unwrap_or(range.start);
        let inner = |at: usize| origin(origins.get(at).copied().unwrap_or(last));
        self.statements(&parsed, &text, &inner, depth + 1);
    }

    fn statements(
        &mut self,
        parsed: &Parse<SourceFile>,
        text: &str,
        origin: Origin<'_>,
        depth: usize,
    ) {
        for statement in parsed.tree().stmts() {
            match &statement {
                ast::Stmt::Do(block) => self.block(block, origin, depth + 1),
                // In a block, INTO names variables.
                ast::Stmt::EmptyStmt(_) | ast::Stmt::Select(_) | ast::Stmt::SelectInto(_) => {}
                _ => {
                    let range = span(statement.syntax());
                    let text = text.get(range.clone()).unwrap_or_default();
                    self.push_statement(text, &|at| origin(range.start + at));
                }
            }
        }
    }
}

/// Whether a block that cannot be parsed may contain a schema change.
fn may_change_schema(body: &str) -> bool {
    let body = Mentions::new(body);
    let words = [
        "alter", "create", "drop", "truncate", "reindex", "cluster", "refresh", "execute",
    ];
    words.iter().any(|word| body.names(word))
}
