//! A cursor over the tokens of one statement.
//!
//! Accepts keywords, names, literals and parentheses one after another. A lexing error ends the statement here, because
//! `split` has already reported it.

use super::lexer::{Lexer, Token, TokenKind};
use super::literal;
use super::name::{Name, fold, truncate};

#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    lexer: Lexer<'a>,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            lexer: Lexer::new(text),
        }
    }

    pub(super) fn accept(&mut self, keyword: &str) -> bool {
        self.accept_if(|token| token.is_word(keyword)).is_some()
    }

    /// Accepts all of the keywords or none.
    pub(super) fn accept_all(&mut self, keywords: &[&str]) -> bool {
        let mut ahead = self.clone();
        let found = keywords.iter().all(|keyword| ahead.accept(keyword));
        if found {
            *self = ahead;
        }
        found
    }

    pub(super) fn accept_any(&mut self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.accept(keyword))
    }

    pub(super) fn accept_mark(&mut self, mark: u8) -> bool {
        self.accept_if(|token| token.is_punctuation(mark)).is_some()
    }

    pub(super) fn accept_if(&mut self, matches: impl Fn(&Token<'a>) -> bool) -> Option<Token<'a>> {
        let mut ahead = self.clone();
        let token = ahead.next().filter(matches)?;
        *self = ahead;
        Some(token)
    }

    /// Skips a parenthesized list, if one begins here.
    pub(super) fn skip_parentheses(&mut self) {
        if !self.accept_mark(b'(') {
            return;
        }
        let mut depth = 1_usize;
        while depth > 0
            && let Some(token) = self.next()
        {
            if token.is_punctuation(b'(') {
                depth += 1;
            } else if token.is_punctuation(b')') {
                depth -= 1;
            }
        }
    }

    /// An identifier, unquoted and folded.
    pub(super) fn identifier(&mut self) -> Option<String> {
        let token = self.accept_if(|token| {
            matches!(
                token.kind,
                TokenKind::Word | TokenKind::QuotedName | TokenKind::UnicodeName
            )
        })?;
        match token.kind {
            TokenKind::Word => Some(fold(token.text)),
            _ => self.value(&token).map(truncate),
        }
    }

    /// `name`, `schema.name` or `database.schema.name`.
    pub(super) fn name(&mut self) -> Option<Name> {
        let mut name = Name {
            schema: None,
            name: self.identifier()?,
        };
        while self.accept_mark(b'.') {
            name = Name {
                schema: Some(name.name),
                name: self.identifier()?,
            };
        }
        Some(name)
    }

    /// A table in the forms of `ALTER TABLE` and `CREATE INDEX`: `ONLY t`, `ONLY (t)`, `t *`.
    pub(super) fn relation(&mut self) -> Option<Name> {
        let only = self.accept("only");
        let parenthesis = only && self.accept_mark(b'(');
        let name = self.name()?;
        if parenthesis {
            self.accept_mark(b')');
        } else if !only {
            self.accept_if(|token| token.text == "*");
        }
        Some(name)
    }

    /// The remaining text, verbatim.
    pub(super) fn rest(&self) -> &'a str {
        self.lexer.rest().trim_start()
    }

    /// A string literal of any kind.
    pub(super) fn string(&mut self) -> Option<String> {
        let token = self.accept_if(|token| {
            matches!(
                token.kind,
                TokenKind::Text
                    | TokenKind::EscapeText
                    | TokenKind::UnicodeText
                    | TokenKind::DollarText
            )
        })?;
        self.value(&token)
    }

    fn value(&mut self, token: &Token<'a>) -> Option<String> {
        let unicode = matches!(token.kind, TokenKind::UnicodeName | TokenKind::UnicodeText);
        let escape = if unicode && self.accept("uescape") {
            self.string()?.chars().next()?
        } else {
            '\\'
        };
        literal::value(token, escape)
    }
}

impl<'a> Iterator for Cursor<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.lexer.next_token().ok().flatten()
    }
}
