//! Reads DO blocks: their statements may change the schema; unknown dynamic SQL may change anything.

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::plpgsql::Plpgsql;
use squawk_syntax::syntax_error::SyntaxError;
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::statement::Reader;
use crate::change::{Change, Unknown};
use crate::dynamic::{Executed, executed};
use crate::mentions::Mentions;
use crate::names::span;

/// The maximum nesting of blocks within EXECUTE within blocks: each level is read again by those around it.
const WITHIN: usize = 8;

impl Reader<'_> {
    pub(super) fn block(&mut self, it: &ast::Do) {
        let whole = (self.spot)(it.syntax());
        if self.within >= WITHIN || pg_sql::too_deep(&quoted_text(it.syntax()), true).is_some() {
            self.act(whole, Change::TooDeep);
            return;
        }
        let Some(body) = it.plpgsql() else {
            self.act(whole, Change::Unknown(Unknown::Anything));
            return;
        };
        if !errors(&body).is_empty() {
            let text = Mentions::new(body.text());
            self.act(whole, Change::Unknown(Unknown::Named(text)));
            return;
        }
        let root = body.syntax();
        // Within a block or a text, offsets do not refer to the file.
        let fixed = (self.within > 0).then(|| whole.clone());
        let spot = |node: &SyntaxNode| {
            if let Some(fixed) = &fixed {
                return fixed.clone();
            }
            let range = span(node);
            let inner = node.text_range();
            // Offsets in the body refer to its decoded text.
            let from = usize::from(body.source_range(inner).start())
                + (range.start - usize::from(inner.start()));
            from..from + range.len()
        };
        let mut reader = Reader::new(self.by, &self.schema, &spot);
        reader.temporary = self.temporary.clone();
        reader.within = self.within + 1;
        let catches = catches_duplicates(&root);
        for node in root.descendants() {
            let dynamic = ast::PlpgsqlDynExecuteStmt::can_cast(node.kind());
            let statement = ast::Stmt::cast(node.clone()).filter(|_| is_statement_of_block(&node));
            if !dynamic && statement.is_none() {
                continue;
            }
            reader.in_loop = is_in_loop(&node);
            reader.perhaps = is_in_branch(&node);
            reader.guarded = catches || queries_the_catalog(&node);
            match statement {
                Some(statement) => reader.statement(&statement),
                None => reader.dynamic(&node),
            }
        }
        self.acts.extend(reader.acts);
    }

    /// EXECUTE: text that is in the file is read like a statement; any other text may change anything.
    fn dynamic(&mut self, node: &SyntaxNode) {
        let whole = (self.spot)(node);
        let known = ast::PlpgsqlDynExecuteStmt::cast(node.clone())
            .and_then(|execute| executed(&execute))
            .filter(|executed| executed.guessed.is_empty());
        let Some(Executed { text, .. }) = known else {
            self.act(whole, Change::Unknown(Unknown::Anything));
            return;
        };
        if self.within >= WITHIN || pg_sql::too_deep(&text, false).is_some() {
            self.act(whole, Change::TooDeep);
            return;
        }
        let parsed = squawk_syntax::SourceFile::parse(&text);
        let spot = |_: &SyntaxNode| whole.clone();
        let mut reader = Reader::new(self.by, &self.schema, &spot);
        reader.perhaps = self.perhaps;
        reader.guarded = self.guarded;
        reader.in_loop = self.in_loop;
        reader.within = self.within + 1;
        reader.temporary = self.temporary.clone();
        for statement in parsed.tree().stmts() {
            reader.statement(&statement);
        }
        self.acts.extend(reader.acts);
    }
}

/// The syntax errors of a body. The parser does not support INTO; such a statement writes to variables and does not change the schema.
pub(crate) fn errors(body: &Plpgsql) -> Vec<SyntaxError> {
    let is_into = |error: &SyntaxError| {
        let at = body.body_position(error.range().start());
        let rest = at.and_then(|at| body.text().get(usize::from(at)..));
        let statement = rest.unwrap_or_default();
        let word = statement.split(|c: char| !c.is_alphanumeric()).next();
        let reads = [
            "select", "insert", "update", "delete", "merge", "with", "values", "table",
        ];
        error.message().starts_with("expected a statement")
            && word.is_some_and(|word| reads.iter().any(|it| word.eq_ignore_ascii_case(it)))
    };
    let mut errors = body.errors();
    errors.retain(|error| !is_into(error));
    errors
}

/// The longest quoted text: for DO, its raw body.
pub(crate) fn quoted_text(node: &SyntaxNode) -> String {
    let tokens = node.descendants_with_tokens();
    let longest = tokens
        .filter_map(|element| element.into_token())
        .max_by_key(|token| token.text().len());
    let text = longest.map_or_else(String::new, |token| token.text().to_owned());
    match text.strip_prefix('$').and_then(|rest| rest.split_once('$')) {
        Some((tag, body)) => body
            .strip_suffix(&format!("${tag}$"))
            .unwrap_or(body)
            .to_owned(),
        None => text
            .trim_start_matches(|c: char| c != '\'')
            .trim_matches('\'')
            .replace("''", "'"),
    }
}

/// Whether an exception handler ignores an object that already exists.
fn catches_duplicates(root: &SyntaxNode) -> bool {
    root.descendants()
        .filter_map(ast::PlpgsqlCondition::cast)
        .any(|condition| {
            let text = condition.syntax().text().to_string().to_ascii_lowercase();
            [
                "duplicate_object",
                "duplicate_table",
                "others",
                "42710",
                "42p07",
            ]
            .iter()
            .any(|known| text.contains(known))
        })
}

/// Whether the condition of a surrounding IF queries the catalog.
fn queries_the_catalog(node: &SyntaxNode) -> bool {
    node.ancestors()
        .filter_map(ast::PlpgsqlIfStmt::cast)
        .filter_map(|branch| branch.cond())
        .any(|condition| {
            let text = condition.syntax().text().to_string().to_ascii_lowercase();
            ["pg_", "to_reg", "information_schema", "exists"]
                .iter()
                .any(|known| text.contains(known))
        })
}

/// Whether a statement is conditional. A condition on the catalog does not count: the statement runs where it has not run yet.
fn is_in_branch(node: &SyntaxNode) -> bool {
    let in_if = node
        .ancestors()
        .any(|above| above.kind() == SyntaxKind::PLPGSQL_IF_STMT);
    let elsewhere = node.ancestors().any(|above| {
        matches!(
            above.kind(),
            SyntaxKind::PLPGSQL_CASE_STMT | SyntaxKind::PLPGSQL_EXCEPTION_HANDLER
        )
    });
    in_if && !queries_the_catalog(node) || elsewhere || is_in_loop(node)
}

fn is_in_loop(node: &SyntaxNode) -> bool {
    node.ancestors().any(|ancestor| {
        matches!(
            ancestor.kind(),
            SyntaxKind::PLPGSQL_LOOP_STMT
                | SyntaxKind::PLPGSQL_WHILE_STMT
                | SyntaxKind::PLPGSQL_FOR_I_STMT
                | SyntaxKind::PLPGSQL_FOR_DYN_STMT
                | SyntaxKind::PLPGSQL_FOR_QUERY_STMT
                | SyntaxKind::PLPGSQL_FOR_EACH_STMT
                | SyntaxKind::PLPGSQL_FOR_CURSOR_STMT
        )
    })
}

/// Whether a node is not a part of another statement or of an expression.
pub(crate) fn is_statement_of_block(node: &SyntaxNode) -> bool {
    !node.ancestors().skip(1).any(|ancestor| {
        ast::Stmt::can_cast(ancestor.kind()) || ast::PlpgsqlExpr::can_cast(ancestor.kind())
    })
}
