//! Which activities have lasted so long that a log without redrawing gets a line for them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use domain::ServiceName;

use super::activity::{self, LiveLine};
use super::tally::{Activity, Tally};

/// When an activity gets its first line.
const FIRST: Duration = Duration::from_secs(10);
/// The interval between its further lines.
const INTERVAL: Duration = Duration::from_secs(30);

/// The current activity of each service.
#[derive(Debug, Default)]
pub(super) struct Heartbeats(HashMap<ServiceName, Beat>);

#[derive(Debug)]
struct Beat {
    subject: String,
    since: Instant,
    reported: Option<Instant>,
}

impl Heartbeats {
    /// The activities that are due, and how long they have lasted. Called with every event, and regularly in between.
    pub(super) fn due(
        &mut self,
        tally: &Tally,
        now: Instant,
    ) -> Vec<(ServiceName, LiveLine, Duration)> {
        let mut due = Vec::new();
        for standing in &tally.services {
            // Between two steps, a service waits for others, whose lines appear.
            let line = match standing.activity {
                Activity::Ready => None,
                _ => activity::live_line(standing),
            };
            let Some(line) = line else {
                self.0.remove(&standing.name);
                continue;
            };
            let beat = self.0.entry(standing.name.clone()).or_insert_with(|| Beat {
                subject: line.subject.clone(),
                since: now,
                reported: None,
            });
            if beat.subject != line.subject {
                *beat = Beat {
                    subject: line.subject.clone(),
                    since: now,
                    reported: None,
                };
            }
            let is_due = match beat.reported {
                None => now - beat.since >= FIRST,
                Some(reported) => now - reported >= INTERVAL,
            };
            if is_due {
                beat.reported = Some(now);
                due.push((standing.name.clone(), line, now - beat.since));
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::Story;

    #[test]
    fn a_long_step_gets_a_line_after_ten_seconds_and_then_every_thirty() {
        let mut story = Story::new();
        story.run_started(&["auth"], &[], 2);
        story.service_started("auth", 2);
        story.started("auth", 1, "a", 1, None);
        let (mut tally, mut beats, begin) =
            (Tally::default(), Heartbeats::default(), Instant::now());
        for event in &story.events {
            tally.absorb(event);
        }
        let seconds = (0..80).filter(|second| {
            let now = begin + Duration::from_secs(*second);
            !beats.due(&tally, now).is_empty()
        });
        assert_eq!(seconds.collect::<Vec<_>>(), [10, 40, 70]);
        story.applied("auth", 1, "a", 5);
        story.started("auth", 2, "b", 2, None);
        for event in &story.events[3..] {
            tally.absorb(event);
        }
        let due = |beats: &mut Heartbeats, second| {
            let now = begin + Duration::from_secs(second);
            beats.due(&tally, now).len()
        };
        assert_eq!(due(&mut beats, 81), 0, "the next step has its own clock");
        assert_eq!(due(&mut beats, 91), 1);
    }
}
