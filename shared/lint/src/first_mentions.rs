//! The first occurrence of each word in a service's migrations: an object that no earlier text names was not created earlier.

use std::collections::HashMap;

use squawk_syntax::ast::AstNode;
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::change::{Change, Step, Unknown};
use super::file::LintedFile;

/// A place in the migrations of a service: the number of the migration, and bytes of its file.
pub type Place = (usize, usize);

/// The suffixes of names that the server chooses for indexes and sequences.
const GIVEN: [&str; 5] = ["_idx", "_key", "_pkey", "_excl", "_seq"];

/// The words of a service's migrations, each with the place of its first occurrence.
#[derive(Debug, Default)]
pub struct FirstMentions {
    first: HashMap<String, Place>,
    /// The place after which objects may exist that no text names.
    opaque: Option<Place>,
}

impl FirstMentions {
    /// Reads the next migration, without comments and DROP statements.
    pub fn take(&mut self, number: usize, file: &LintedFile<'_>, steps: &[Step]) {
        for statement in file.unfolded.syntax.tree().stmts() {
            if !is_drop(statement.syntax()) {
                self.take_statement(number, file, statement.syntax());
            }
        }
        let opaque = steps.iter().flat_map(|step| &step.acts).find(|act| {
            matches!(
                act.change,
                Change::Unknown(Unknown::Anything) | Change::TooDeep
            )
        });
        let unread = file.unfolded.unread.first().map(|(range, _)| range.start);
        let opaque = opaque.map(|act| act.range.start);
        let opaque = file.too_deep.or(opaque).or(unread);
        self.opaque = self.opaque.or(opaque.map(|at| (number, at)));
    }

    fn take_statement(&mut self, number: usize, file: &LintedFile<'_>, statement: &SyntaxNode) {
        let tokens = statement.descendants_with_tokens();
        for token in tokens.filter_map(|element| element.into_token()) {
            if matches!(
                token.kind(),
                SyntaxKind::WHITESPACE | SyntaxKind::COMMENT | SyntaxKind::SEMICOLON
            ) {
                continue;
            }
            let start = file.unfolded.original(&token.text_range().into()).start;
            for word in words(token.text()) {
                let place = (number, start);
                self.first.entry(word.to_lowercase()).or_insert(place);
            }
        }
    }

    /// Whether nothing before a place can have created an object of this name.
    pub fn never(&self, name: &str, before: Place) -> bool {
        if self.opaque.is_some_and(|opaque| opaque < before) {
            return false;
        }
        let is_named = |word: &str| {
            let first = self.first.get(&word.to_lowercase());
            first.is_some_and(|first| *first < before)
        };
        let is_given =
            is_given(name) && name.match_indices('_').any(|(at, _)| is_named(&name[..at]));
        !is_given && !words(name).all(is_named)
    }
}

/// Whether a name has a suffix of names that the server chooses.
pub(super) fn is_given(name: &str) -> bool {
    GIVEN.iter().any(|ending| name.ends_with(ending))
}

fn is_drop(node: &SyntaxNode) -> bool {
    node.first_token()
        .is_some_and(|token| token.kind() == SyntaxKind::DROP_KW)
}

/// The words of a text; letters, digits, `_` and `$` are parts of words.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$')
        .filter(|word| !word.is_empty())
}
