//! The live line of a running service.

use domain::Direction;

use super::inline;
use super::style::Role;
use super::tally::{Activity, Running, ServiceTally};

/// A live line: `verb`, then (after the drawn time) `text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveLine {
    /// The verb of the activity.
    pub verb: &'static str,
    /// The color of the verb.
    pub role: Role,
    /// The rest of the line.
    pub text: String,
    /// The subject that the clock of the line measures. A retry and the next statement of one migration keep the same clock.
    pub subject: String,
}

impl LiveLine {
    /// The line of an activity that is part of a command; a new subject resets its clock.
    pub fn new(verb: &'static str, text: String, subject: impl ToString) -> Self {
        Self {
            verb,
            role: Role::Accent,
            text,
            subject: subject.to_string(),
        }
    }
}

/// The live line of a service; `None` if it is idle.
pub(super) fn live_line(standing: &ServiceTally) -> Option<LiveLine> {
    match &standing.activity {
        Activity::Idle => None,
        Activity::AtGate(gate) => Some(LiveLine {
            verb: "waiting",
            role: Role::Warning,
            text: format!("for {}", inline::gate(gate)),
            subject: "gate".to_owned(),
        }),
        Activity::ForLock(holder) => Some(LiveLine {
            verb: "waiting",
            role: Role::Warning,
            text: format!("for the lock held by {}", inline::holder(holder.as_ref())),
            subject: "lock".to_owned(),
        }),
        Activity::OfCommand(line) => Some(line.clone()),
        Activity::Ready => {
            let (step, steps) = standing.progress();
            Some(LiveLine {
                verb: "ready",
                role: Role::Quiet,
                text: match steps.max(step) {
                    0 => String::new(),
                    steps => format!("{step}/{steps}"),
                },
                subject: format!("ready {step}"),
            })
        }
        Activity::Running(running) => Some(step(standing, running)),
    }
}

fn step(standing: &ServiceTally, running: &Running) -> LiveLine {
    let subject = inline::migration(&running.migration);
    let mut text = format!(
        "{}/{}  {subject}",
        running.step,
        standing.progress().1.max(running.step),
    );
    // The line above describes the blockers; it was written when the wait started.
    if let Some(who) = inline::identities(&running.blockers) {
        if let Some((attempt, attempts, _)) = &running.retry {
            let next = (attempt + 1).min(*attempts);
            text.push_str(&format!("  attempt {next} of {attempts}"));
        }
        text.push_str(&format!("  waiting for {who}"));
        return LiveLine {
            verb: "blocked",
            role: Role::Warning,
            text,
            subject,
        };
    }
    if let Some((attempt, attempts, blockers)) = &running.retry {
        text.push_str(&format!("  attempt {attempt} of {attempts} failed"));
        if let Some(who) = inline::identities(blockers) {
            text.push_str(&format!(": lock held by {who}"));
        }
        return LiveLine {
            verb: "retrying",
            role: Role::Warning,
            text,
            subject,
        };
    }
    if let Some((done, all)) = running.statements {
        text.push_str(&format!("  statement {} of {all}", (done + 1).min(all)));
    }
    if let Some(progress) = &running.progress {
        text.push_str(&format!("  {}", inline::progress(progress)));
    }
    LiveLine {
        verb: match running.direction {
            Direction::Up => "applying",
            Direction::Down => "reverting",
        },
        role: Role::Accent,
        text,
        subject,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::Story;
    use crate::tally::Tally;

    /// The live line of `policy` after the events.
    fn line(story: &Story) -> String {
        let mut tally = Tally::default();
        for event in &story.events {
            tally.absorb(event);
        }
        let words = tally
            .service(&"policy".parse().unwrap())
            .and_then(live_line);
        words.map_or_else(String::new, |words| {
            format!("{} | {}", words.verb, words.text)
        })
    }

    #[test]
    fn a_step_shows_its_place_and_its_statement() {
        let mut story = Story::new();
        story.service_started("policy", 3);
        assert_eq!(line(&story), "ready | 0/3");
        story.started("policy", 1, "initial_schema", 1, None);
        assert_eq!(line(&story), "applying | 1/3  1 initial_schema");
        story.applied("policy", 1, "initial_schema", 5);
        assert_eq!(line(&story), "ready | 1/3");
        story.started("policy", 2, "add_index", 2, Some((4, 1)));
        assert_eq!(
            line(&story),
            "applying | 2/3  2 add_index  statement 2 of 4"
        );
        story.statement("policy", 2, 4, 4, 10);
        assert_eq!(
            line(&story),
            "applying | 2/3  2 add_index  statement 4 of 4"
        );
    }

    #[test]
    fn waiting_names_whom_it_waits_for() {
        let mut story = Story::new();
        story.lock_waiting("policy", Some(4711), 3);
        assert_eq!(
            line(&story),
            "waiting | for the lock held by pid 4711 (soc, orchestrator, from 10.0.0.3, connected for 3 s, idle)"
        );
        story.service_started("policy", 1);
        story.started("policy", 1, "add_column", 1, None);
        story.blocked("policy", 1, 500, &[991, 992]);
        assert_eq!(
            line(&story),
            "blocked | 1/1  1 add_column  waiting for pid 991 and pid 992"
        );
        story.unblocked("policy", 1, 900);
        assert_eq!(line(&story), "applying | 1/1  1 add_column");
        story.retrying("policy", 1, 2, &[991]);
        assert_eq!(
            line(&story),
            "retrying | 1/1  1 add_column  attempt 2 of 10 failed: lock held by pid 991"
        );
    }

    #[test]
    fn a_service_that_is_through_has_no_line() {
        let mut story = Story::new();
        story.service_started("policy", 1);
        story.finished("policy", domain::ServiceOutcome::Done, 1, 0, 20);
        assert_eq!(line(&story), "");
    }
}
