//! Judges one change by comparing the differences of pg_dump with those of the snapshot.

use std::fmt::Write;

use catalog::{Comparison, Snapshot};

use crate::corpus;
use crate::corpus::Case;
use crate::normalize::Dump;
use crate::test_server::TestServer;

/// The differences that the snapshot includes and pg_dump does not, and the reasons.
const EXTRAS: [(&str, &str); 4] = [
    (
        "extension version",
        "pg_dump leaves the version to the server that the dump is loaded into",
    ),
    (
        "extension member owner",
        "pg_dump leaves members to the extension, and a member's owner may replace it",
    ),
    (
        "constraint trigger",
        "pg_dump recreates constraints, but a disabled one accepts invalid rows",
    ),
    (
        "large object",
        "pg_dump treats large objects as data unless they are requested",
    ),
];

/// Copies of a schema, one of which is changed.
pub struct Baseline<'a> {
    test_server: &'a TestServer,
    template: String,
    dump: Dump,
    snapshot: Snapshot,
}

/// The differences that a change causes.
pub struct Outcome {
    pub dumps_differ: bool,
    pub dump_difference: String,
    pub comparison: Comparison,
}

impl<'a> Baseline<'a> {
    /// Takes the database with the schema. No session may be connected to it.
    pub fn new(test_server: &'a TestServer, template: &str) -> Self {
        let copy = format!("{template}_expected");
        test_server.copy(template, &copy);
        let baseline = Self {
            test_server,
            template: template.to_owned(),
            dump: test_server.dump(&copy),
            snapshot: test_server.snapshot_twice(&copy),
        };
        test_server.drop(&copy);
        baseline
    }

    /// Changes a copy and compares it.
    pub fn apply(
        &self,
        change: impl FnOnce(&TestServer, &str) -> Result<(), String>,
    ) -> Result<Outcome, String> {
        let copy = format!("{}_found", self.template);
        self.test_server.copy(&self.template, &copy);
        let changed = change(self.test_server, &copy);
        let outcome = changed.map(|()| {
            let dump = self.test_server.dump(&copy);
            Outcome {
                dumps_differ: dump != self.dump,
                dump_difference: self.dump.difference(&dump),
                comparison: catalog::compare(&self.snapshot, &self.test_server.snapshot(&copy)),
            }
        });
        self.test_server.drop(&copy);
        outcome
    }
}

impl Outcome {
    /// Both results as readable text.
    pub fn describe(&self) -> String {
        let mut text = format!("    pg_dump:\n{}    compare:\n", self.dump_difference);
        for difference in &self.comparison.differences {
            let _ = writeln!(text, "      {} {}", difference.kind, difference.object);
            for (sign, definition) in [('-', &difference.expected), ('+', &difference.found)] {
                for line in definition.iter().flat_map(|definition| definition.lines()) {
                    let _ = writeln!(text, "        {sign} {line}");
                }
            }
            for attribute in &difference.attributes {
                let _ = writeln!(
                    text,
                    "        {}: {:?} -> {:?}",
                    attribute.name, attribute.expected, attribute.found
                );
            }
        }
        for order in &self.comparison.column_order {
            let _ = writeln!(text, "      column order of {}", order.table);
        }
        text
    }
}

/// Makes all changes to a schema. Panics with a list of everything that is wrong.
pub fn all_changes(name: &str, may_leave_out: fn(u32) -> usize) {
    let schema = corpus::schema(name);
    let only = std::env::var("ORACLE_ONLY").unwrap_or_default();
    let test_server = TestServer::open();
    assert_eq!(
        test_server.lacks(&schema.needs),
        None,
        "{name} cannot be loaded"
    );
    let template = format!("schema_{name}");
    test_server.create(&template);
    test_server.run(&template, &schema.sql);
    let baseline = Baseline::new(&test_server, &template);

    let mut wrong = Vec::new();
    let mut left_out = Vec::new();
    for case in schema
        .cases
        .iter()
        .filter(|case| case.title.contains(&only))
    {
        if let Some(need) = test_server.lacks(&case.needs) {
            left_out.push(format!("{}: needs {need:?}", case.title));
            continue;
        }
        match baseline.apply(|test_server, copy| test_server.run_steps(copy, &case.steps)) {
            Err(error) => wrong.push(format!("{}: the corpus is wrong: {error}\n", case.title)),
            Ok(outcome) => {
                let faults = faults(case, &outcome);
                if !faults.is_empty() {
                    let faults = faults.join("; ");
                    wrong.push(format!("{}: {faults}\n{}", case.title, outcome.describe()));
                }
            }
        }
    }
    println!("{name}: left out {}: {left_out:#?}", left_out.len());
    assert!(
        wrong.is_empty(),
        "{} of {} changes to `{name}` are judged wrongly:\n\n{}",
        wrong.len(),
        schema.cases.len(),
        wrong.join("\n")
    );
    assert!(
        !only.is_empty() || left_out.len() <= may_leave_out(test_server.major()),
        "too many changes were left out: {left_out:#?}"
    );
}

fn faults(case: &Case, outcome: &Outcome) -> Vec<String> {
    let mut faults = Vec::new();
    let differences = &outcome.comparison.differences;
    let column_order = &outcome.comparison.column_order;

    if let Some(extra) = &case.extra {
        assert!(
            EXTRAS.iter().any(|(name, _)| name == extra),
            "{extra} is not documented"
        );
        if outcome.dumps_differ {
            faults.push("the corpus is wrong: pg_dump reports it too".to_owned());
        }
    } else if outcome.dumps_differ == case.names.is_empty() {
        faults.push(format!(
            "the corpus is wrong: the dumps {}",
            if outcome.dumps_differ {
                "differ"
            } else {
                "are equal"
            }
        ));
    }

    if differences.is_empty() && (outcome.dumps_differ || case.extra.is_some()) {
        faults.push("compare reports no difference".to_owned());
    }
    if !differences.is_empty() && !outcome.dumps_differ && case.extra.is_none() {
        faults.push("compare reports a false difference".to_owned());
    }
    for name in &case.names {
        if !differences.iter().any(|difference| named(difference, name)) {
            faults.push(format!("no difference names `{name}`"));
        }
    }
    for difference in differences {
        if !case.names.iter().any(|name| named(difference, name)) {
            faults.push(format!(
                "a difference of another object: {} {}",
                difference.kind, difference.object
            ));
        }
    }
    for table in &case.order {
        if !column_order.iter().any(|order| order.table.contains(table)) {
            faults.push(format!("the column order of `{table}` is not reported"));
        }
    }
    if outcome.comparison.invalid_indexes.len() != case.invalid.len()
        || !case.invalid.iter().all(|name| {
            outcome
                .comparison
                .invalid_indexes
                .iter()
                .any(|index| index.contains(name))
        })
    {
        faults.push(format!(
            "invalid indexes are {:?}",
            outcome.comparison.invalid_indexes
        ));
    }
    if case.same && !column_order.is_empty() {
        faults.push("a column order is reported".to_owned());
    }
    faults
}

fn named(difference: &catalog::Difference, name: &str) -> bool {
    format!("{} {}", difference.kind, difference.object).contains(name)
}
