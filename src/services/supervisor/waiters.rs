//! Commands that wait until a service is ready or stopped.

use std::mem;

use tokio::sync::oneshot;

use super::target::Mode;

/// Where the outcome of a command goes.
pub(super) type Answer = oneshot::Sender<Result<(), String>>;

/// Commands that wait, and outcomes that are not sent yet. They are sent after the report has been updated.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    /// For all instances to be ready.
    up: Vec<Answer>,
    /// For all processes to be gone.
    stopped: Vec<Answer>,
    outcomes: Vec<(Answer, Result<(), String>)>,
}

impl Waiters {
    /// Waits for all instances to be ready.
    pub(super) fn up(&mut self, answer: Answer) {
        self.up.push(answer);
    }

    /// Waits for all processes to be gone.
    pub(super) fn stopped(&mut self, answer: Answer) {
        self.stopped.push(answer);
    }

    /// The service should be in `mode`; `settled` is that mode once it is.
    pub(super) fn reached(&mut self, settled: Option<Mode>, mode: Mode) {
        match mode {
            Mode::Running => {
                self.end_stopped(&Err("the service was started again".to_owned()));
                if settled.is_some() {
                    self.end_up(&Ok(()));
                }
            }
            Mode::Idle | Mode::Stopped | Mode::Removed => {
                self.end_up(&Err("the service was stopped".to_owned()));
                if settled.is_some() {
                    self.end_stopped(&Ok(()));
                }
            }
        }
    }

    /// The service does not become ready.
    pub(super) fn failed(&mut self, message: &str) {
        self.end_up(&Err(message.to_owned()));
    }

    /// Sends the outcomes.
    pub(super) fn send(&mut self) {
        for (answer, outcome) in mem::take(&mut self.outcomes) {
            // The command may be gone.
            let _ = answer.send(outcome);
        }
    }

    fn end_up(&mut self, outcome: &Result<(), String>) {
        self.outcomes.extend(self.up.drain(..).map(|answer| (answer, outcome.clone())));
    }

    fn end_stopped(&mut self, outcome: &Result<(), String>) {
        self.outcomes.extend(self.stopped.drain(..).map(|answer| (answer, outcome.clone())));
    }
}
