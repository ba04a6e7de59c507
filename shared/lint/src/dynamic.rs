//! The SQL that EXECUTE runs, as far as it is in the file: literals, `||` and `format()`.
//!
//! Values that only the server knows are replaced by placeholder names, so that the rest can be parsed.

use std::collections::BTreeSet;

use rowan::TextSize;
use squawk_syntax::ast::{self, AstNode};

use super::names::{quote_identifier, squeezed};

/// The SQL that an EXECUTE runs.
#[derive(Debug, Default)]
pub(super) struct Executed {
    pub(super) text: String,
    /// The offset of each byte in the text around the EXECUTE.
    pub(super) origins: Vec<usize>,
    /// Placeholder names for values that only the server knows.
    pub(super) guessed: BTreeSet<String>,
}

/// The SQL of an EXECUTE; `None` if no part of it is in the file.
pub(super) fn executed(execute: &ast::PlpgsqlDynExecuteStmt) -> Option<Executed> {
    let query = execute.query()?.target_list()?.targets().next()?.expr()?;
    let mut executed = Executed::default();
    executed.add(&query)?;
    let shown = !executed.text.trim_start().starts_with('"');
    (shown && !executed.text.trim().is_empty()).then_some(executed)
}

impl Executed {
    fn push(&mut self, text: &str, origin: usize) {
        self.text.push_str(text);
        self.origins.extend(std::iter::repeat_n(origin, text.len()));
    }

    /// A placeholder name for a value that only the server knows.
    fn guess(&mut self, expr: &ast::Expr, origin: usize) {
        let text = squeezed(expr.syntax()).replace('"', "");
        let name: String = text.chars().take(40).collect();
        self.push(&quote_identifier(&name), origin);
        self.guessed.insert(name);
    }

    fn add(&mut self, expr: &ast::Expr) -> Option<()> {
        let start = usize::from(expr.syntax().text_range().start());
        match expr {
            ast::Expr::Literal(literal) if literal.string_value().is_some() => {
                let decoded = literal.decoded_value()?;
                for (at, char) in decoded.text().char_indices() {
                    let origin = decoded.source_pos(TextSize::new(u32::try_from(at).ok()?));
                    for byte in 0..char.len_utf8() {
                        self.origins.push(usize::from(origin) + byte);
                    }
                    self.text.push(char);
                }
            }
            ast::Expr::ParenExpr(inner) => self.add(&inner.expr()?)?,
            ast::Expr::CastExpr(cast) if literal(cast.expr()).is_some() => {
                self.add(&cast.expr()?)?;
            }
            ast::Expr::BinExpr(both) if is_concatenation(both) => {
                self.add(&both.lhs()?)?;
                self.add(&both.rhs()?)?;
            }
            ast::Expr::CallExpr(call) => match (function(call).as_str(), arguments(call)?) {
                ("format", arguments) => self.format(&arguments)?,
                ("quote_ident", arguments) => match literal(arguments.first().cloned()) {
                    Some(name) => self.push(&quote_identifier(&name), start),
                    None => self.guess(arguments.first()?, start),
                },
                ("quote_literal" | "quote_nullable", arguments) => {
                    let value = literal(arguments.first().cloned()).unwrap_or_default();
                    self.push(&format!("'{}'", value.replace('\'', "''")), start);
                }
                _ => self.guess(expr, start),
            },
            _ => self.guess(expr, start),
        }
        Some(())
    }

    /// Evaluates `format()` with `%I`, `%L` and `%s`, numbered or not, without widths.
    fn format(&mut self, arguments: &[ast::Expr]) -> Option<()> {
        let mut template = Self::default();
        template.add(arguments.first()?)?;
        self.guessed.extend(std::mem::take(&mut template.guessed));
        let origin = |at: usize| template.origins.get(at).copied().unwrap_or_default();
        let (mut rest, mut next) = (template.text.as_str(), 1);
        while let Some(at) = rest.find('%') {
            let here = template.text.len() - rest.len();
            self.text.push_str(&rest[..at]);
            self.origins.extend((here..here + at).map(origin));
            let place = origin(here + at);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('%') {
                self.push("%", place);
                rest = after;
                continue;
            }
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            if digits > 0 {
                next = rest[..digits].parse().ok()?;
                rest = rest[digits..].strip_prefix('$')?;
            }
            let argument = arguments.get(next)?;
            next += 1;
            let value = literal(Some(argument.clone()));
            let kind = rest.chars().next()?;
            rest = &rest[kind.len_utf8()..];
            match (kind, value) {
                ('I', Some(name)) => self.push(&quote_identifier(&name), place),
                ('s', Some(text)) => self.push(&text, place),
                ('L', value) => {
                    let value = value.unwrap_or_default().replace('\'', "''");
                    self.push(&format!("'{value}'"), place);
                }
                ('I' | 's', None) => self.guess(argument, place),
                _ => return None,
            }
        }
        let here = template.text.len() - rest.len();
        self.text.push_str(rest);
        self.origins.extend((here..template.text.len()).map(origin));
        Some(())
    }
}

/// The value of a string literal, which may have a cast.
fn literal(expr: Option<ast::Expr>) -> Option<String> {
    match expr? {
        ast::Expr::Literal(literal) => literal.string_value(),
        ast::Expr::ParenExpr(inner) => literal(inner.expr()),
        ast::Expr::CastExpr(cast) => literal(cast.expr()),
        _ => None,
    }
}

fn is_concatenation(both: &ast::BinExpr) -> bool {
    matches!(both.op(), Some(ast::BinOp::CustomOp(op)) if squeezed(op.syntax()) == "||")
}

/// The function of a call, in lower case, without `pg_catalog`.
fn function(call: &ast::CallExpr) -> String {
    match call.expr() {
        Some(ast::Expr::NameRef(name)) => name.text().to_lowercase(),
        Some(other) => {
            let text = squeezed(other.syntax()).to_lowercase();
            text.strip_prefix("pg_catalog.").unwrap_or(&text).to_owned()
        }
        None => String::new(),
    }
}

fn arguments(call: &ast::CallExpr) -> Option<Vec<ast::Expr>> {
    let list = call.arg_list()?;
    list.args().map(|argument| argument.expr()).collect()
}
