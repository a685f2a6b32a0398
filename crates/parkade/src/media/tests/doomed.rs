//! A process that is killed in the middle of it: the very test that starts it, once more.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// Set for the process that is to be killed.
const DOOMED: &str = "PARKADE_TEST_DOOMED";
/// What it says when it forwards.
const FORWARDING: &str = "forwarding";

/// Whether this is the process that is to be killed.
pub(in crate::media) fn is_doomed() -> bool {
    std::env::var_os(DOOMED).is_some()
}

/// What that process does when all is set up: it says so, and waits for its end.
pub(in crate::media) fn wait_for_the_end() -> ! {
    println!("\n{FORWARDING}");
    loop {
        std::thread::park();
    }
}

/// The process that is to be killed.
pub(in crate::media) struct Doomed(Child);

impl Doomed {
    /// Starts the test that this thread is in once more, in the networks that the thread is in; it
    /// forwards already.
    pub(in crate::media) fn start() -> Doomed {
        let name = std::thread::current().name().unwrap().to_owned();
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &name, "--nocapture"])
            .env(DOOMED, "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line == FORWARDING));
        Doomed(process)
    }

    /// Kills it.
    pub(in crate::media) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}
