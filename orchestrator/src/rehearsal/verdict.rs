//! From two snapshots to what is held against a revert, in words.

use std::collections::BTreeSet;

use catalog::{AttributeDifference, Comparison, Difference, Kind, ObjectId, Snapshot};
use shared::domain::{ColumnOrder, SchemaDifference, Script};

use super::layout::differ_in_layout_only;
use crate::rules::{Draft, Rule};

/// Objects that a sentence names; the rest is counted.
const NAMED: usize = 3;
/// The longest value that a sentence shows, in characters.
const SHORT: usize = 48;

/// How the schema stands against the one that it must be.
pub(super) struct Verdict {
    comparison: Comparison,
    side: Side,
}

/// Which comparison it is.
enum Side {
    /// After the revert, against before the migration. With the names of what stood between the two.
    Reverted(BTreeSet<String>),
    /// After the second up, against after the first.
    Again,
}

impl Verdict {
    /// The schema after the revert against the one before the migration; `between` is the one that the migration made.
    pub(super) fn of_revert(before: &Snapshot, between: &Snapshot, after: &Snapshot) -> Self {
        let comparison = compare(before, after);
        let stood = comparison.differences.iter().filter(|it| {
            let id = ObjectId {
                kind: it.kind,
                name: it.object.clone(),
            };
            between.object(&id).is_some()
        });
        Self {
            side: Side::Reverted(stood.map(name).collect()),
            comparison,
        }
    }

    /// The schema after the second up against the one after the first.
    pub(super) fn of_second_up(first: &Snapshot, second: &Snapshot) -> Self {
        Self {
            comparison: compare(first, second),
            side: Side::Again,
        }
    }

    /// Whether the schema is the one that it must be; the order of columns does not count.
    pub(super) fn is_same(&self) -> bool {
        self.comparison.is_same()
    }

    /// Whether it is so in the order of columns too.
    pub(super) fn is_alike(&self) -> bool {
        self.is_same() && self.comparison.column_order.is_empty()
    }

    /// Tables whose columns stand in another order.
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

    /// What is worth a note and no fault.
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

    /// What is held against the file: of extensions that are left apart from the rest, since whoever means the one does not mean
    /// the other.
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
            Side::Reverted(stood) => reverted(differences, stood),
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

/// The comparison of two schemas, without functions that are only indented otherwise: they do the same.
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

/// `the revert leaves enum type a and table b; it drops index c, which stood before; …` What stood after the migration and before
/// its revert tells who took a thing away.
fn reverted(differences: &[Difference], stood: &BTreeSet<String>) -> String {
    let named = &differences[..differences.len().min(NAMED)];
    let of = |pick: &dyn Fn(&Difference) -> bool, before: &str, after: &str| {
        let names: Vec<String> = named.iter().filter(|it| pick(it)).map(name).collect();
        (!names.is_empty()).then(|| format!("{before} {}{after}", listed(&names)))
    };
    let is_left = |it: &Difference| it.expected.is_none();
    let is_lost = |it: &Difference| it.found.is_none();
    let stood = |it: &Difference| stood.contains(&name(it));
    let mut phrases: Vec<String> = [
        of(&|it| is_left(it) && stood(it), "leaves", ""),
        of(
            &|it| is_left(it) && !stood(it),
            "makes",
            ", which did not stand before",
        ),
        of(
            &|it| is_lost(it) && stood(it),
            "drops",
            ", which stood before",
        ),
        of(&|it| is_lost(it) && !stood(it), "does not bring back", ""),
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
        phrases.push(format!("there is {} in addition", listed(&more)));
    }
    let fewer: Vec<String> = with(named, |it| it.found.is_none());
    if !fewer.is_empty() {
        let are = if fewer.len() == 1 { "is" } else { "are" };
        phrases.push(format!("{} {are} not there", listed(&fewer)));
    }
    let changed = named.iter().filter(|it| is_changed(it));
    let words = "after the first up";
    phrases.extend(changed.map(|it| format!("{} is {}", name(it), otherwise(it, words))));
    format!("up again makes another schema: {}", phrases.join("; "))
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

/// Everybody knows where `public` is.
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
        (Some(_), Some(_)) => format!("with another {what} than {when}"),
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
    fn the_objects_are_named_and_what_happened_to_them() {
        let left = one(Kind::Enum, "public.user_status", None, Some("x"));
        let other = one(Kind::Table, "soc.\"T\"", None, Some("x"));
        let lost = one(Kind::Index, "public.\"IDX_x\"", Some("x"), None);
        let stood = [&left, &other, &lost].into_iter().map(name).collect();
        let did_not = BTreeSet::new();
        let sentences = [
            reverted(std::slice::from_ref(&left), &stood),
            reverted(&[left.clone(), other.clone()], &stood),
            reverted(&[left.clone(), lost.clone()], &stood),
            reverted(&[left.clone(), lost.clone()], &did_not),
            again(&[left, lost]),
        ];
        insta::assert_snapshot!(sentences.join("\n"), @r#"
        the revert leaves enum type user_status
        the revert leaves enum type user_status and table soc."T"
        the revert leaves enum type user_status; it drops index "IDX_x", which stood before
        the revert makes enum type user_status, which did not stand before; it does not bring back index "IDX_x"
        up again makes another schema: there is enum type user_status in addition; index "IDX_x" is not there
        "#);
    }

    #[test]
    fn of_a_changed_object_the_fact_is_named() {
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
        the revert leaves column t.c with another comment than before
        ");
    }
}
