//! A program that is watched while it runs.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::suggestions::check;
use crate::{Outcome, Program, wait_until};

/// A program under way; ends with its test.
pub struct Running {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    stdout: Option<JoinHandle<()>>,
    stderr: Option<JoinHandle<String>>,
    called_with: Vec<String>,
}

impl Program {
    /// Starts it with events on standard output, to be watched.
    pub fn watch(&self, arguments: &[&str]) -> Running {
        let mut arguments = arguments.to_vec();
        arguments.extend(["--output", "json"]);
        Running::new(self.start(&arguments), self.called_with(&arguments))
    }
}

impl Running {
    fn new(mut child: Child, called_with: Vec<String>) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let stdout = child.stdout.take().expect("piped");
        let mut stderr = child.stderr.take().expect("piped");
        let sink = Arc::clone(&lines);
        Self {
            child,
            called_with,
            lines,
            stdout: Some(std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    sink.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(line);
                }
            })),
            stderr: Some(std::thread::spawn(move || {
                let mut text = String::new();
                // What is no UTF-8 ends the text: the test then shows it as far as it came.
                let _ = stderr.read_to_string(&mut text);
                text
            })),
        }
    }

    /// The events so far.
    pub fn events(&self) -> Vec<Value> {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Waits for the first event that fits.
    #[track_caller]
    pub fn wait_for(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let mut found = None;
        wait_until(what, || {
            found = self.events().into_iter().find(&fits);
            found.is_some()
        });
        found.unwrap_or_default()
    }

    /// Waits for the first event of a kind.
    #[track_caller]
    pub fn wait_for_event(&self, kind: &str) -> Value {
        self.wait_for(kind, |event| event["event"] == kind)
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        // A process that has ended takes no signal, which is for the test's expectations to notice.
        let _ = kill(pid, signal);
    }

    /// Whether it has ended by now.
    pub fn has_ended(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("the program's state")
            .is_some()
    }

    /// Waits for its end.
    pub fn end(mut self) -> Outcome {
        let status = self.child.wait().expect("the program ends");
        self.outcome(status)
    }

    /// Waits for its end, but no longer than `longest`.
    #[track_caller]
    pub fn end_within(mut self, longest: Duration) -> Outcome {
        let deadline = Instant::now() + longest;
        loop {
            if let Some(status) = self.child.try_wait().expect("the program ends") {
                return self.outcome(status);
            }
            assert!(
                Instant::now() < deadline,
                "still running after {longest:?}: {:#?}",
                self.events()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn outcome(&mut self, status: ExitStatus) -> Outcome {
        if let Some(thread) = self.stdout.take() {
            thread.join().expect("standard output is read");
        }
        let stderr = self.stderr.take().map(JoinHandle::join);
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stdout = lines.join("\n");
        if !stdout.is_empty() {
            stdout.push('\n');
        }
        let outcome = Outcome {
            code: status.code().unwrap_or(-1),
            stdout,
            stderr: stderr
                .map(|text| text.expect("standard error is read"))
                .unwrap_or_default(),
        };
        check(&outcome, &self.called_with);
        outcome
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that fails leaves nothing behind; one that succeeded has waited for the end already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
