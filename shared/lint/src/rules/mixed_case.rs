//! Unquoted names with capital letters, which PostgreSQL silently folds to lower case.

use std::ops::Range;

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::{Draft, OnceDropped, rule};
use crate::change::Step;
use crate::context::{LintContext, Now};
use crate::model::Model;
use crate::names::span;

rule! {
    UNQUOTED_MIXED_CASE = Error "unquoted-mixed-case": "Quote names with capital letters." {
        statement: Some(unquoted),
        once_dropped: OnceDropped::Moot,
    };
}

/// Detects names that are folded to another name.
fn unquoted<'a>(context: &LintContext<'a>, now: &Now, step: &Step) -> Vec<Draft<'a>> {
    let may_be = step
        .node
        .text()
        .to_string()
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .any(is_mixed);
    if !may_be {
        return Vec::new();
    }
    let mut model = now.model.clone();
    model.apply_all(std::slice::from_ref(step));
    let mut found = Found::default();
    found.definitions(&step.node, &span);
    found.references(&step.node, &model, &span);
    found.bodies(&step.node, &model);
    found
        .spots
        .into_iter()
        .map(|(word, range)| {
            Draft::new(
                &UNQUOTED_MIXED_CASE,
                context.file.script,
                format!(
                    "{word} is folded to {} without quotes",
                    word.to_ascii_lowercase()
                ),
            )
            .at(range)
            .safe_form(format!(
                "write \"{word}\", or use lower case if that is intended"
            ))
        })
        .collect()
}

#[derive(Default)]
struct Found {
    spots: Vec<(String, Range<usize>)>,
}

impl Found {
    fn add(&mut self, word: &str, range: Range<usize>) {
        if !self.spots.iter().any(|(known, _)| known == word) {
            self.spots.push((word.to_owned(), range));
        }
    }

    /// New tables, columns, types, indexes and constraints.
    fn definitions(&mut self, node: &SyntaxNode, spot: &dyn Fn(&SyntaxNode) -> Range<usize>) {
        for node in node.descendants() {
            let is_made = matches!(
                node.kind(),
                SyntaxKind::COLUMN_NAME
                    | SyntaxKind::TABLE_NAME
                    | SyntaxKind::TYPE_NAME
                    | SyntaxKind::INDEX
                    | SyntaxKind::CONSTRAINT_NAME
            ) && !node.ancestors().any(|above| is_query(&above));
            if !is_made {
                continue;
            }
            for word in words(&node) {
                self.add(&word, spot(&node));
            }
        }
    }

    /// Columns and tables that exist in this spelling, but only quoted.
    fn references(
        &mut self,
        node: &SyntaxNode,
        model: &Model,
        spot: &dyn Fn(&SyntaxNode) -> Range<usize>,
    ) {
        for node in node.descendants() {
            if !matches!(
                node.kind(),
                SyntaxKind::NAME_REF | SyntaxKind::COLUMN_NAME_REF | SyntaxKind::PATH_SEGMENT_REF
            ) {
                continue;
            }
            for word in words(&node) {
                if is_only_quoted(model, &word) {
                    self.add(&word, spot(&node));
                }
            }
        }
    }

    /// `NEW.updatedAt` in the body of a function: a trigger that fails on every row.
    fn bodies(&mut self, node: &SyntaxNode, model: &Model) {
        let body = match node.kind() {
            SyntaxKind::CREATE_FUNCTION => {
                ast::CreateFunction::cast(node.clone()).and_then(|it| it.plpgsql())
            }
            SyntaxKind::CREATE_PROCEDURE => {
                ast::CreateProcedure::cast(node.clone()).and_then(|it| it.plpgsql())
            }
            SyntaxKind::DO => ast::Do::cast(node.clone()).and_then(|it| it.plpgsql()),
            _ => None,
        };
        let Some(body) = body else { return };
        let mut before: [String; 2] = Default::default();
        let root = body.syntax();
        for token in root
            .descendants_with_tokens()
            .filter_map(|element| element.into_token())
        {
            if matches!(token.kind(), SyntaxKind::WHITESPACE | SyntaxKind::COMMENT) {
                continue;
            }
            let word = token.text();
            let of_row = before[1] == "."
                && ["new", "old"].contains(&before[0].to_ascii_lowercase().as_str());
            if is_mixed(word)
                && (of_row && !is_folded_known(model, word) || is_only_quoted(model, word))
            {
                let range = body.source_range(token.text_range());
                self.add(word, usize::from(range.start())..usize::from(range.end()));
            }
            before = [std::mem::take(&mut before[1]), word.to_owned()];
        }
    }
}

fn is_query(node: &SyntaxNode) -> bool {
    matches!(
        node.kind(),
        SyntaxKind::SELECT | SyntaxKind::CREATE_FUNCTION | SyntaxKind::CREATE_PROCEDURE
    )
}

/// The unquoted words of a node that have a small letter before a capital one.
fn words(node: &SyntaxNode) -> Vec<String> {
    node.children_with_tokens()
        .filter_map(|element| element.into_token())
        .chain(
            node.descendants()
                .filter(|below| {
                    matches!(
                        below.kind(),
                        SyntaxKind::PATH_SEGMENT | SyntaxKind::PATH_SEGMENT_REF
                    )
                })
                .flat_map(|below| {
                    below
                        .children_with_tokens()
                        .filter_map(|element| element.into_token())
                        .collect::<Vec<_>>()
                }),
        )
        .map(|token| token.text().to_owned())
        .filter(|word| is_mixed(word))
        .collect()
}

fn is_mixed(word: &str) -> bool {
    word.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$')
        && word.as_bytes().windows(2).any(|pair| {
            (pair[0].is_ascii_lowercase() || pair[0].is_ascii_digit())
                && pair[1].is_ascii_uppercase()
        })
}

fn has_name(model: &Model, name: &str) -> bool {
    model
        .tables()
        .any(|(table, known)| table.name == name || known.column(name).is_some())
}

fn is_folded_known(model: &Model, word: &str) -> bool {
    has_name(model, &word.to_ascii_lowercase())
}

fn is_only_quoted(model: &Model, word: &str) -> bool {
    is_mixed(word) && has_name(model, word) && !is_folded_known(model, word)
}

#[cfg(test)]
mod tests {
    use crate::pages::{found_each, silent};

    #[test]
    fn unquoted_capital_letters() {
        silent(&[
            "CREATE TABLE USERS (ID bigint PRIMARY KEY, Name text);\nSELECT Count(*) FROM Users;",
            "CREATE TABLE t (\"createdAt\" date);\nCREATE VIEW v AS SELECT \"createdAt\" AS createdOn FROM t;",
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE vCount bigint; BEGIN vCount := 1; NEW.created_at := now(); RETURN NEW; END $$;",
            "CREATE TABLE t (note text DEFAULT 'createdAt');\nCOMMENT ON TABLE t IS 'createdAt';",
            // The column was created without quotes: both are createdat.
            "-- migration V1\n-- migration: allow unquoted-mixed-case \"both spellings mean one\"\nCREATE TABLE t (createdAt date);\n-- migration V2\nCREATE INDEX idx_t_created ON t (createdAt);",
        ]);
        found_each(
            "unquoted-mixed-case",
            &[
                "-- migration V1\nCREATE TABLE t (\"createdAt\" date);\n-- migration V2\nCREATE INDEX idx_t_created ON t (createdAt);",
                "CREATE TYPE noteStatus AS ENUM ('a');\n-- revert V1\nDROP TYPE noteStatus;",
                "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.ownerId IS NULL THEN RETURN NULL; END IF; RETURN NEW; END $$;",
            ],
        );
    }
}
