//! The verdict on one change: what pg_dump sees, what the snapshot sees.

use std::fmt::Write;

use catalog::{Comparison, Snapshot};

use crate::corpus::{self, Case};
use crate::laboratory::Laboratory;
use crate::normalise::Dump;

/// What the snapshot sees and pg_dump does not, and why that is right.
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
        "pg_dump makes constraints anew, while a disabled one lets wrong rows in",
    ),
    (
        "large object",
        "pg_dump takes large objects for data, unless asked for them",
    ),
];

/// A schema's copies, one of them to be changed.
pub struct Bench<'a> {
    laboratory: &'a Laboratory,
    template: String,
    dump: Dump,
    snapshot: Snapshot,
}

/// What there is to see of a change.
pub struct Sight {
    pub dumps_differ: bool,
    pub dump_difference: String,
    pub comparison: Comparison,
}

impl<'a> Bench<'a> {
    /// For the schema of a database, to which nobody is connected.
    pub fn new(laboratory: &'a Laboratory, template: &str) -> Self {
        let copy = format!("{template}_expected");
        laboratory.copy(template, &copy);
        let bench = Self {
            laboratory,
            template: template.to_owned(),
            dump: laboratory.dump(&copy),
            snapshot: laboratory.snapshot(&copy),
        };
        laboratory.drop(&copy);
        bench
    }

    /// Changes a copy and looks at it.
    pub fn look(
        &self,
        change: impl FnOnce(&Laboratory, &str) -> Result<(), String>,
    ) -> Result<Sight, String> {
        let copy = format!("{}_found", self.template);
        self.laboratory.copy(&self.template, &copy);
        let changed = change(self.laboratory, &copy);
        let sight = changed.map(|()| {
            let dump = self.laboratory.dump(&copy);
            Sight {
                dumps_differ: dump != self.dump,
                dump_difference: self.dump.difference(&dump),
                comparison: catalog::compare(&self.snapshot, &self.laboratory.snapshot(&copy)),
            }
        });
        self.laboratory.drop(&copy);
        sight
    }
}

impl Sight {
    /// Both sides, for people.
    pub fn describe(&self) -> String {
        let mut text = format!(
            "    pg_dump says:\n{}    compare says:\n",
            self.dump_difference
        );
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

/// Makes all changes to a schema. Panics with all that is wrong.
pub fn all_changes(name: &str, may_leave_out: fn(u32) -> usize) {
    let schema = corpus::schema(name);
    let only = std::env::var("ORACLE_ONLY").unwrap_or_default();
    let laboratory = Laboratory::open();
    assert_eq!(
        laboratory.lacks(&schema.needs),
        None,
        "{name} cannot be loaded"
    );
    let template = format!("schema_{name}");
    laboratory.create(&template);
    laboratory.run(&template, &schema.sql);
    let bench = Bench::new(&laboratory, &template);

    let mut wrong = Vec::new();
    let mut left_out = Vec::new();
    for case in schema
        .cases
        .iter()
        .filter(|case| case.title.contains(&only))
    {
        if let Some(need) = laboratory.lacks(&case.needs) {
            left_out.push(format!("{}: needs {need:?}", case.title));
            continue;
        }
        match bench.look(|laboratory, copy| laboratory.run_steps(copy, &case.steps)) {
            Err(error) => wrong.push(format!("{}: the corpus is wrong: {error}\n", case.title)),
            Ok(sight) => {
                let faults = faults(case, &sight);
                if !faults.is_empty() {
                    let faults = faults.join("; ");
                    wrong.push(format!("{}: {faults}\n{}", case.title, sight.describe()));
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
        !only.is_empty() || left_out.len() <= may_leave_out(laboratory.major()),
        "too many changes were left out: {left_out:#?}"
    );
}

fn faults(case: &Case, sight: &Sight) -> Vec<String> {
    let mut faults = Vec::new();
    let differences = &sight.comparison.differences;
    let column_order = &sight.comparison.column_order;

    if let Some(extra) = &case.extra {
        assert!(
            EXTRAS.iter().any(|(name, _)| name == extra),
            "{extra} is not documented"
        );
        if sight.dumps_differ {
            faults.push("the corpus is wrong: pg_dump sees it".to_owned());
        }
    } else if sight.dumps_differ == case.names.is_empty() {
        faults.push(format!(
            "the corpus is wrong: the dumps {}",
            if sight.dumps_differ {
                "differ"
            } else {
                "are equal"
            }
        ));
    }

    if differences.is_empty() && (sight.dumps_differ || case.extra.is_some()) {
        faults.push("compare sees no difference".to_owned());
    }
    if !differences.is_empty() && !sight.dumps_differ && case.extra.is_none() {
        faults.push("compare sees a difference that is none".to_owned());
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
    if sight.comparison.invalid_indexes.len() != case.invalid.len()
        || !case.invalid.iter().all(|name| {
            sight
                .comparison
                .invalid_indexes
                .iter()
                .any(|index| index.contains(name))
        })
    {
        faults.push(format!(
            "invalid indexes are {:?}",
            sight.comparison.invalid_indexes
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
