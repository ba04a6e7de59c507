//! How long steps are expected to take: as long as last time, according to the journals. The longest path of a plan starts first.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::join_all;

use super::Gathered;
use domain::{Direction, ServiceName, Step, Version, with_causes};
use pg_session::Session;
use store::durations;

/// Sets the expected durations of steps that ran in their database before. No query is made for the others.
pub(super) async fn expect_durations(gathered: &Gathered, steps: &mut [Step]) {
    let mut known: BTreeMap<ServiceName, Direction> = BTreeMap::new();
    for step in steps.iter() {
        let history = gathered.histories.get(&step.service);
        let journal = history.and_then(|history| history.journal.as_ref());
        if journal.is_some_and(|journal| journal.contains_key(&step.version)) {
            known.insert(step.service.clone(), step.direction);
        }
    }
    let asked = known.into_iter().filter_map(|(service, direction)| {
        let session = gathered.sessions.get(&service)?;
        Some(async move {
            let read = last_durations(session, &service, direction).await;
            (service, read)
        })
    });
    let read: BTreeMap<_, _> = join_all(asked).await.into_iter().collect();
    for step in steps {
        let millis = read.get(&step.service).and_then(|it| it.get(&step.version));
        step.expected_ms = millis.and_then(|&millis| u64::try_from(millis).ok());
    }
}

/// A revert that never ran is expected to take as long as its migration.
async fn last_durations(
    session: &Session,
    service: &ServiceName,
    direction: Direction,
) -> HashMap<Version, i64> {
    let directions: &[Direction] = match direction {
        Direction::Up => &[Direction::Up],
        Direction::Down => &[Direction::Up, Direction::Down],
    };
    let mut known = HashMap::new();
    for direction in directions {
        match durations(session, service, *direction).await {
            Ok(durations) => known.extend(durations),
            Err(error) => {
                let error = with_causes(&error);
                tracing::debug!(%service, %error, "cannot read the durations of earlier runs");
            }
        }
    }
    known
}
