//! The reporter for a terminal: a live line for each active service, below the finished lines.
//!
//! Responsible for the bars only; the text comes from `human_lines`.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use domain::{Event, EventKind, ServiceName};

use super::activity;
use super::command_lines::CommandLines;
use super::human_lines::{HumanLines, Line, TIME, VERB};
use super::plain::write_line;
use super::printable::printable;
use super::reporter::Verbosity;
use super::style::Terminal;
use super::units::elapsed;
use domain::Reporter;

/// How often the times on the screen are updated.
const TICK: Duration = Duration::from_millis(100);

/// Redraws the lines of the active services; finished lines scroll up above them.
#[derive(Debug)]
pub struct LiveProgress<Out: Write, Err: Write> {
    lines: HumanLines,
    screen: MultiProgress,
    services: BTreeMap<ServiceName, Bar>,
    whole: Option<ProgressBar>,
    out: Out,
    err: Err,
}

/// The live line of one service.
#[derive(Debug)]
struct Bar {
    bar: ProgressBar,
    /// The subject that the clock of the line measures; a new subject resets the clock.
    subject: String,
}

impl<Out: Write, Err: Write> LiveProgress<Out, Err> {
    /// Draws on `target`; finished lines go to `out`, failures to `err`. All three are the same terminal.
    pub fn new(
        verbosity: Verbosity,
        terminal: Terminal,
        target: ProgressDrawTarget,
        out: Out,
        err: Err,
        own: Option<Box<dyn CommandLines>>,
    ) -> Self {
        Self {
            lines: HumanLines::new(verbosity, terminal, true).with_own(own),
            screen: MultiProgress::with_draw_target(target),
            services: BTreeMap::new(),
            whole: None,
            out,
            err,
        }
    }

    fn draw(&mut self, event: &Event) {
        match (&event.kind, &event.service) {
            (EventKind::RunStarted { services, .. }, _) => {
                self.start_whole();
                // Some commands begin with all of their services at once.
                for name in services {
                    self.draw_service(name);
                }
            }
            (EventKind::RunFinished { .. }, _) => self.clear(),
            (EventKind::CompensationStarted { .. }, _) => {
                if let Some(bar) = &self.whole {
                    let steps = self.lines.tally().steps;
                    bar.set_length(u64::try_from(steps).unwrap_or(u64::MAX));
                }
            }
            (_, Some(name)) => {
                self.draw_service(name);
                if let Some(bar) = &self.whole {
                    let tally = self.lines.tally();
                    bar.set_position(u64::try_from(tally.done()).unwrap_or(u64::MAX));
                }
            }
            _ => {}
        }
    }

    /// The bar of the whole run, if it has more than one service.
    fn start_whole(&mut self) {
        let tally = self.lines.tally();
        if tally.services.len() < 2 || tally.steps == 0 {
            return;
        }
        let bar = self.screen.add(ProgressBar::new(
            u64::try_from(tally.steps).unwrap_or(u64::MAX),
        ));
        bar.set_style(self.whole_style());
        bar.set_prefix(" ".repeat(VERB));
        bar.enable_steady_tick(TICK);
        self.whole = Some(bar);
    }

    fn draw_service(&mut self, name: &ServiceName) {
        let live_line = self
            .lines
            .tally()
            .service(name)
            .and_then(activity::live_line);
        let Some(live_line) = live_line else {
            if let Some(gone) = self.services.remove(name) {
                gone.bar.finish_and_clear();
                self.screen.remove(&gone.bar);
            }
            return;
        };
        if !self.services.contains_key(name) {
            let bar = self.new_bar();
            self.services.insert(
                name.clone(),
                Bar {
                    bar,
                    subject: String::new(),
                },
            );
        }
        let names = self.lines.name_width();
        let palette = self.lines.terminal().err;
        if let Some(line) = self.services.get_mut(name) {
            if line.subject != live_line.subject {
                line.bar.reset_elapsed();
                line.subject = live_line.subject;
            }
            let verb = format!("{:<VERB$}", live_line.verb);
            line.bar.set_prefix(palette.paint(live_line.role, &verb));
            let text = format!("{:<names$}  {}", name.as_str(), live_line.text);
            line.bar.set_message(printable(&text, palette));
        }
    }

    fn new_bar(&self) -> ProgressBar {
        let bar = ProgressBar::new_spinner().with_style(style("{prefix} {time}  {wide_msg}"));
        let bar = match &self.whole {
            Some(whole) => self.screen.insert_before(whole, bar),
            None => self.screen.add(bar),
        };
        bar.enable_steady_tick(TICK);
        bar
    }

    fn whole_style(&self) -> ProgressStyle {
        let template = if self.lines.terminal().err.is_on() {
            "{prefix} {time}  {bar:24.green/black.bright} {pos}/{len}"
        } else {
            "{prefix} {time}  {bar:24} {pos}/{len}"
        };
        style(template).progress_chars("━╸─")
    }

    fn clear(&mut self) {
        for (_, line) in std::mem::take(&mut self.services) {
            line.bar.finish_and_clear();
        }
        if let Some(bar) = self.whole.take() {
            bar.finish_and_clear();
        }
        // If the screen cannot be cleared, the error cannot be shown either.
        let _ = self.screen.clear();
    }
}

impl<Out: Write + Send, Err: Write + Send> Reporter for LiveProgress<Out, Err> {
    fn report(&mut self, event: &Event) {
        let lines = self.lines.report(event);
        self.draw(event);
        if lines.is_empty() {
            return;
        }
        let terminal = self.lines.terminal();
        let Self {
            screen, out, err, ..
        } = self;
        screen.suspend(|| {
            for line in &lines {
                // On a moving screen a failure must be conspicuous.
                if matches!(line, Line::Err(_)) {
                    write_line(&Line::Err(String::new()), terminal, out, err);
                }
                write_line(line, terminal, out, err);
            }
        });
    }
}

impl<Out: Write, Err: Write> Drop for LiveProgress<Out, Err> {
    /// Removes the bars if a run ends without its last event.
    fn drop(&mut self) {
        self.clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key(
            "time",
            |state: &ProgressState, line: &mut dyn std::fmt::Write| {
                // If formatting fails, the line is drawn without its time.
                let _ = write!(line, "{:>TIME$}", elapsed(state.elapsed()));
            },
        )
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use indicatif::TermLike;

    use super::*;
    use crate::samples::{Story, failure, totals};
    use domain::{ExitStatus, ServiceOutcome};

    /// A terminal that remembers everything that was ever drawn.
    #[derive(Clone, Debug, Default)]
    struct Recorder(Arc<Mutex<String>>);

    impl Recorder {
        fn push(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }

        fn drawn(&self) -> String {
            self.0.lock().unwrap().clone()
        }
    }

    impl TermLike for Recorder {
        fn width(&self) -> u16 {
            100
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.push(&format!("{text}\n"))
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.push(text)
        }
        fn clear_line(&self) -> io::Result<()> {
            self.push("<clear>")
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The drawn output, and the content of stdout and stderr.
    fn replay(story: &Story) -> (String, String, String) {
        let recorder = Recorder::default();
        let target = ProgressDrawTarget::term_like(Box::new(recorder.clone()));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut live = LiveProgress::new(
            Verbosity::Normal,
            Terminal::default(),
            target,
            &mut out,
            &mut err,
            None,
        );
        for event in &story.events {
            live.report(event);
            // Longer than the pause between two drawings.
            std::thread::sleep(Duration::from_millis(60));
        }
        drop(live);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (recorder.drawn(), text(out), text(err))
    }

    fn two_services() -> Story {
        let mut story = Story::new();
        story.run_started(&["auth", "policy"], &[], 3);
        story.service_started("auth", 2);
        story.started("auth", 1, "initial_schema", 1, None);
        story.service_started("policy", 1);
        story.started("policy", 7, "add_templates", 1, None);
        story.applied("auth", 1, "initial_schema", 10);
        story.started("auth", 2, "add_index", 2, None);
        story.applied("auth", 2, "add_index", 20);
        story.finished("auth", ServiceOutcome::Done, 2, 0, 40);
        story
    }

    #[test]
    fn services_at_work_are_drawn_and_collapse_when_they_are_through() {
        let mut story = two_services();
        story.applied("policy", 7, "add_templates", 20);
        story.finished("policy", ServiceOutcome::Done, 1, 0, 80);
        story.run_finished(ExitStatus::Done, totals(3, 0, 0, 0, 90), &[]);
        let (drawn, out, err) = replay(&story);
        assert!(drawn.contains("auth    1/2  1 initial_schema"), "{drawn}");
        assert!(drawn.contains("policy  1/1  7 add_templates"), "{drawn}");
        assert!(drawn.contains("2/3"), "{drawn}");
        assert_eq!(err, "");
        insta::assert_snapshot!(out, @r"
        Applying 3 migrations to 2 services.
        done           0.04 s  auth    2 migrations, up to 2 add_index
        done           0.08 s  policy  7 add_templates

        service  applied  duration  state
        auth           2    0.04 s  done
        policy         1    0.08 s  done

        2 services, 3 migrations applied in 0.09 s
        ");
    }

    #[test]
    fn a_failure_goes_to_stderr_and_leaves_the_other_lines_alone() {
        let mut story = two_services();
        story.failed("policy", 7, failure());
        let (_, out, err) = replay(&story);
        assert!(err.trim_start().starts_with("error[42703]: "), "{err}");
        assert!(!out.contains("42703"), "{out}");
    }
}
