//! Differences that were reviewed and accepted. The file is in [`super::accepted_file`].

use std::collections::BTreeMap;

use domain::{SchemaDifference, ServiceName, Version};

/// The accepted differences, by service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AcceptedDrift {
    services: BTreeMap<ServiceName, ServiceDrift>,
}

/// The accepted differences of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceDrift {
    /// The version from which the live schema differs.
    pub version: Version,
    /// The accepted differences.
    pub differences: Vec<SchemaDifference>,
}

impl AcceptedDrift {
    /// Sets the differences of a service; returns the previous ones.
    pub fn insert(&mut self, service: ServiceName, drift: ServiceDrift) -> Option<ServiceDrift> {
        self.services.insert(service, drift)
    }

    /// Whether no difference is accepted.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// The accepted differences of a service.
    pub fn of(&self, service: &ServiceName) -> Option<&ServiceDrift> {
        self.services.get(service)
    }

    /// The services with accepted differences.
    pub fn services(&self) -> impl Iterator<Item = &ServiceName> {
        self.services.keys()
    }

    /// The accepted differences, by service.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&ServiceName, &ServiceDrift)> {
        self.services.iter()
    }
}

impl ServiceDrift {
    /// Splits differences into accepted and other ones.
    ///
    /// For an object on both sides, facts are accepted rather than its definition: a later migration may change the rest
    /// of the object. An object with some accepted facts is in both parts, each with its facts.
    pub fn part(
        &self,
        differences: Vec<SchemaDifference>,
    ) -> (Vec<SchemaDifference>, Vec<SchemaDifference>) {
        let (mut accepted, mut rest) = (Vec::new(), Vec::new());
        for difference in differences {
            if difference.facts.is_empty() {
                let passes = self.differences.contains(&difference);
                let part = if passes { &mut accepted } else { &mut rest };
                part.push(difference);
                continue;
            }
            let known = |difference: &&SchemaDifference, known: &SchemaDifference| {
                known.kind == difference.kind && known.object == difference.object
            };
            let (passing, other): (Vec<_>, Vec<_>) =
                difference.facts.iter().cloned().partition(|fact| {
                    let mut all = self.differences.iter();
                    all.any(|one| known(&&difference, one) && one.facts.contains(fact))
                });
            for (part, facts) in [(&mut accepted, passing), (&mut rest, other)] {
                if !facts.is_empty() {
                    part.push(SchemaDifference {
                        facts,
                        ..difference.clone()
                    });
                }
            }
        }
        (accepted, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::FactDifference;

    fn grant(statement: &str) -> FactDifference {
        FactDifference {
            fact: "grant".to_owned(),
            expected: None,
            found: Some(statement.to_owned()),
        }
    }

    fn table(definition: &str, facts: &[&str]) -> SchemaDifference {
        SchemaDifference {
            kind: "table".to_owned(),
            object: "public.t".to_owned(),
            expected: Some("CREATE TABLE public.t (a integer)".to_owned()),
            found: Some(definition.to_owned()),
            facts: facts.iter().map(|statement| grant(statement)).collect(),
        }
    }

    fn extra(definition: &str) -> SchemaDifference {
        SchemaDifference {
            kind: "index".to_owned(),
            object: "public.i".to_owned(),
            expected: None,
            found: Some(definition.to_owned()),
            facts: Vec::new(),
        }
    }

    fn drift(differences: Vec<SchemaDifference>) -> ServiceDrift {
        ServiceDrift {
            version: Version::new(1),
            differences,
        }
    }

    #[test]
    fn an_accepted_fact_passes_when_the_rest_of_its_object_changes() {
        let accepted = drift(vec![table("one column", &["GRANT SELECT TO app"])]);
        let later = table("two columns", &["GRANT SELECT TO app"]);
        assert_eq!(accepted.part(vec![later.clone()]), (vec![later], vec![]));
        let more = table(
            "two columns",
            &["GRANT SELECT TO app", "GRANT UPDATE TO app"],
        );
        let (passed, rest) = accepted.part(vec![more]);
        assert_eq!(passed[0].facts, [grant("GRANT SELECT TO app")]);
        assert_eq!(rest[0].facts, [grant("GRANT UPDATE TO app")]);
    }

    #[test]
    fn an_object_on_one_side_passes_only_as_reviewed() {
        let accepted = drift(vec![extra("on a")]);
        let (passed, rest) = accepted.part(vec![extra("on a"), extra("on b")]);
        assert_eq!((passed, rest), (vec![extra("on a")], vec![extra("on b")]));
    }
}
