//! Compares two snapshots and describes what a revert or a second up got wrong.

use std::collections::BTreeSet;

use catalog::{AttributeDifference, Comparison, Difference, Kind, ObjectId, Snapshot};
use domain::{ColumnOrder, SchemaDifference, Script};

use super::layout::differ_in_layout_only;
use lint::rules::{Draft, Rule};

/// How many objects a message names; the rest is counted.
const NAMED: usize = 3;
/// The longest value that a message shows, in characters.
const SHORT: usize = 48;

/// The comparison of a schema with the required one.
pub(super) struct Verdict {
    comparison: Comparison,
    side: Side,
}

/// The step after which the schemas are compared.
enum Side {
    /// After the revert, with the state before the migration. Holds the names of the objects between the two.
    Reverted(BTreeSet<String>),
    /// After the second up, with the state after the first.
    Again,
}

impl Verdict {
    /// Compares the schema after the revert with the one before the migration; `between` is the one after the migration.
    pub(super) fn of_revert(before: &Snapshot, between: &Snapshot, after: &Snapshot) -> Self {
        let comparison = compare(before, after);
        let existed = comparison.differences.iter().filter(|it| {
            let id = ObjectId {
                kind: it.kind,
                name: it.object.clone(),
            };
            between.object(&id).is_some()
        });
        Self {
            side: Side::Reverted(existed.map(name).collect()),
            comparison,
        }
    }

    /// Compares the schema after the second up with the one after the first.
    pub(super) fn of_second_up(first: &Snapshot, second: &Snapshot) -> Self {
        Self {
            comparison: compare(first, second),
            side: Side::Again,
        }
    }

    /// Whether the schema is the required one; the order of columns is ignored.
    pub(super) fn is_same(&self) -> bool {
        self.comparison.is_same()
    }

    /// Whether the schema is the required one, including the order of columns.
    pub(super) fn is_identical(&self) -> bool {
        self.is_same() && self.comparison.column_order.is_empty()
    }

    /// Tables whose columns are in a different order.
    pub(super) fn column_order(&self) -> Vec<ColumnOrder> {
        let orders = self.comparison.column_order.iter();
        orders
            .map(|order| ColumnOrder {
                table: order.table.clone(),
                expected: order.expected.clone(),
                found: order.found.clone(),
            })
            .collect()
    }

    /// Notes that are not findings.
    pub(super) fn notes(&self) -> Vec<String> {
        let who = match &self.side {
            Side::Reverted(_) => "the revert",
            Side::Again => "the second up",
        };
        let indexes = self.comparison.invalid_indexes.iter();
        indexes
            .map(|index| format!("{who} leaves index {} INVALID", bare(index)))
            .collect()
    }

    /// The findings against the file. Extensions that remain have a rule of their own, since allowing them must not allow
    /// anything else.
    pub(super) fn drafts<'s>(
        &self,
        rule: &'static Rule,
        extensions: &'static Rule,
        script: &'s Script,
    ) -> impl Iterator<Item = Draft<'s>> {
        let is_left_extension =
            |it: &Difference| it.kind == Kind::Extension && it.expected.is_none();
        let differences = self.comparison.differences.iter().cloned();
        let (left, rest): (Vec<_>, Vec<_>) = differences.partition(is_left_extension);
        [(rule, rest), (extensions, left)]
            .into_iter()
            .filter(|(_, differences)| !differences.is_empty())
            .map(move |(rule, differences)| self.draft(rule, &differences, script))
    }

    fn draft<'s>(
        &self,
        rule: &'static Rule,
        differences: &[Difference],
        script: &'s Script,
    ) -> Draft<'s> {
        let mut message = match &self.side {
            Side::Reverted(existed) => reverted(differences, existed),
            Side::Again => again(differences),
        };
        if differences.len() > NAMED {
            message.push_str(&format!("; and {} more", differences.len() - NAMED));
        }
        let mut draft = Draft::new(rule, script, message);
        draft.differences = differences.iter().map(difference).collect();
        draft
    }
}

/// Compares two schemas, and ignores functions that differ only in whitespace.
fn compare(expected: &Snapshot, found: &Snapshot) -> Comparison {
    let mut comparison = catalog::compare(expected, found);
    comparison.differences.retain(|it| {
        let is_layout = |fact: &AttributeDifference| match (&fact.expected, &fact.found) {
            (Some(expected), Some(found)) => differ_in_layout_only(expected, found),
            _ => false,
        };
        let is_same = is_changed(it)
            && matches!(it.kind, Kind::Function | Kind::Procedure)
            && !it.attributes.is_empty()
            && it.attributes.iter().all(is_layout);
        !is_same
    });
    comparison
}

/// `the revert leaves enum type a and table b; it drops index c, which existed before; …` The objects between the migration and
/// its revert show which of the two dropped or created one.
fn reverted(differences: &[Difference], existed: &BTreeSet<String>) -> String {
    let named = &differences[..differences.len().min(NAMED)];
    let of = |pick: &dyn Fn(&Difference) -> bool, before: &str, after: &str| {
        let names: Vec<String> = named.iter().filter(|it| pick(it)).map(name).collect();
        (!names.is_empty()).then(|| format!("{before} {}{after}", listed(&names)))
    };
    let is_left = |it: &Difference| it.expected.is_none();
    let is_lost = |it: &Difference| it.found.is_none();
    let existed = |it: &Difference| existed.contains(&name(it));
    let mut phrases: Vec<String> = [
        of(&|it| is_left(it) && existed(it), "leaves", ""),
        of(
            &|it| is_left(it) && !existed(it),
            "creates",
            ", which did not exist before",
        ),
        of(
            &|it| is_lost(it) && existed(it),
            "drops",
            ", which existed before",
        ),
        of(&|it| is_lost(it) && !existed(it), "does not restore", ""),
    ]
    .into_iter()
    .flatten()
    .collect();
    let changed = named.iter().filter(|it| is_changed(it));
    phrases.extend(changed.map(|it| format!("leaves {} {}", name(it), otherwise(it, "before"))));
    format!("the revert {}", phrases.join("; it "))
}

fn again(differences: &[Difference]) -> String {
    let named = &differences[..differences.len().min(NAMED)];
    let mut phrases = Vec::new();
    let more: Vec<String> = with(named, |it| it.expected.is_none());
    if !more.is_empty() {
        phrases.push(format!("unexpected {}", listed(&more)));
    }
    let fewer: Vec<String> = with(named, |it| it.found.is_none());
    if !fewer.is_empty() {
        phrases.push(format!("missing {}", listed(&fewer)));
    }
    let changed = named.iter().filter(|it| is_changed(it));
    let when = "after the first up";
    phrases.extend(changed.map(|it| format!("{} is {}", name(it), otherwise(it, when))));
    format!(
        "the second up produces a different schema: {}",
        phrases.join("; ")
    )
}

fn with(named: &[Difference], pick: impl Fn(&Difference) -> bool) -> Vec<String> {
    named.iter().filter(|it| pick(it)).map(name).collect()
}

fn is_changed(difference: &Difference) -> bool {
    difference.expected.is_some() && difference.found.is_some()
}

fn name(difference: &Difference) -> String {
    format!("{} {}", difference.kind, bare(&difference.object))
}

/// A name without the schema `public`.
fn bare(object: &str) -> &str {
    object.strip_prefix("public.").unwrap_or(object)
}

fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// `nullable: NOT NULL before`, `with type text: integer before`.
fn otherwise(difference: &Difference, when: &str) -> String {
    let facts: Vec<String> = difference
        .attributes
        .iter()
        .map(|fact| one_fact(difference.kind, fact, when))
        .collect();
    facts.join(", ")
}

fn one_fact(kind: Kind, fact: &AttributeDifference, when: &str) -> String {
    if fact.name == "nullable" && matches!(kind, Kind::Column | Kind::Domain) {
        return if fact.found.as_deref() == Some("no") {
            format!("NOT NULL: nullable {when}")
        } else {
            format!("nullable: NOT NULL {when}")
        };
    }
    let (expected, found) = (fact.expected.as_deref(), fact.found.as_deref());
    let is_short = |text: &str| text.chars().count() <= SHORT && !text.contains('\n');
    let what = &fact.name;
    match (expected, found) {
        (Some(expected), None) if is_short(expected) => {
            format!("without its {what}: {expected} {when}")
        }
        (Some(_), None) => format!("without its {what}"),
        (None, Some(found)) if is_short(found) => format!("with {what} {found}: none {when}"),
        (None, _) => format!("with a {what}: none {when}"),
        (Some(expected), Some(found)) if is_short(expected) && is_short(found) => {
            format!("with {what} {found}: {expected} {when}")
        }
        (Some(_), Some(_)) => format!("with a different {what} than {when}"),
    }
}

fn difference(difference: &Difference) -> SchemaDifference {
    SchemaDifference {
        kind: difference.kind.to_string(),
        object: difference.object.clone(),
        expected: difference.expected.clone(),
        found: difference.found.clone(),
        facts: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(kind: Kind, object: &str, expected: Option<&str>, found: Option<&str>) -> Difference {
        Difference {
            kind,
            object: object.to_owned(),
            expected: expected.map(str::to_owned),
            found: found.map(str::to_owned),
            attributes: Vec::new(),
            facts: Vec::new(),
        }
    }

    fn changed(object: &str, facts: &[(&str, Option<&str>, Option<&str>)]) -> Difference {
        Difference {
            attributes: facts
                .iter()
                .map(|(name, expected, found)| AttributeDifference {
                    name: (*name).to_owned(),
                    expected: expected.map(str::to_owned),
                    found: found.map(str::to_owned),
                })
                .collect(),
            ..one(Kind::Column, object, Some("x"), Some("y"))
        }
    }

    #[test]
    fn messages_name_the_objects_and_their_changes() {
        let left = one(Kind::Enum, "public.user_status", None, Some("x"));
        let other = one(Kind::Table, "soc.\"T\"", None, Some("x"));
        let lost = one(Kind::Index, "public.\"IDX_x\"", Some("x"), None);
        let existed = [&left, &other, &lost].into_iter().map(name).collect();
        let did_not = BTreeSet::new();
        let sentences = [
            reverted(std::slice::from_ref(&left), &existed),
            reverted(&[left.clone(), other.clone()], &existed),
            reverted(&[left.clone(), lost.clone()], &existed),
            reverted(&[left.clone(), lost.clone()], &did_not),
            again(&[left, lost]),
        ];
        insta::assert_snapshot!(sentences.join("\n"), @r#"
        the revert leaves enum type user_status
        the revert leaves enum type user_status and table soc."T"
        the revert leaves enum type user_status; it drops index "IDX_x", which existed before
        the revert creates enum type user_status, which did not exist before; it does not restore index "IDX_x"
        the second up produces a different schema: unexpected enum type user_status; missing index "IDX_x"
        "#);
    }

    #[test]
    fn messages_name_the_changed_facts() {
        let long = "x".repeat(80);
        let sentences = [
            changed(
                "public.policies.metadata",
                &[("nullable", Some("no"), Some("yes"))],
            ),
            changed("public.t.c", &[("nullable", Some("yes"), Some("no"))]),
            changed(
                "public.t.c",
                &[
                    ("type", Some("integer"), Some("text")),
                    ("default", Some("7"), None),
                ],
            ),
            changed("public.t.c", &[("default", None, Some("7"))]),
            changed("public.t.c", &[("comment", Some(&long), None)]),
            changed("public.t.c", &[("comment", Some("a"), Some(&long))]),
        ]
        .map(|it| reverted(&[it], &BTreeSet::new()));
        insta::assert_snapshot!(sentences.join("\n"), @r"
        the revert leaves column policies.metadata nullable: NOT NULL before
        the revert leaves column t.c NOT NULL: nullable before
        the revert leaves column t.c with type text: integer before, without its default: 7 before
        the revert leaves column t.c with default 7: none before
        the revert leaves column t.c without its comment
        the revert leaves column t.c with a different comment than before
        ");
    }
}
