//! The process itself, by the names that dashboards know.

use std::fs;
use std::time::{Duration, SystemTime};

/// What the system says of this process.
#[derive(Debug, Default)]
pub(super) struct Process {
    /// Processor time, in seconds.
    pub(super) cpu: f64,
    /// Memory that is really there, in bytes.
    pub(super) resident: u64,
    /// Open files and sockets.
    pub(super) descriptors: u64,
    /// When it began, in seconds since 1970.
    pub(super) began: f64,
}

impl Process {
    /// As it is now. What the system does not say is 0.
    pub(super) fn now() -> Process {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // The name, in brackets, may hold anything; the numbers stand behind it (proc(5)).
        let after = stat.rsplit_once(')').map(|(_, after)| after).unwrap_or_default();
        let fields: Vec<u64> =
            after.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
        let field = |number: usize| fields.get(number - 3).copied().unwrap_or(0);
        let tick = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok().flatten();
        let tick = tick.unwrap_or(100) as f64;
        let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
        let files = fs::read_dir("/proc/self/fd").map(Iterator::count).unwrap_or(0);
        Process {
            cpu: (field(14) + field(15)) as f64 / tick,
            resident: field(24) * page.unwrap_or(4_096) as u64,
            // One of them is the folder itself.
            descriptors: files.saturating_sub(1) as u64,
            began: began(field(22) as f64 / tick),
        }
    }
}

/// The time of day at which the process began, `after` seconds after the machine.
fn began(after: f64) -> f64 {
    let uptime = fs::read_to_string("/proc/uptime").unwrap_or_default();
    let up = uptime.split(' ').next().and_then(|up| up.parse::<f64>().ok()).unwrap_or(0.0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    now.as_secs_f64() - up + after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_says_how_much_this_process_takes() {
        let process = Process::now();
        assert!(process.resident > 1 << 20, "{process:?}");
        assert!(process.descriptors >= 3, "{process:?}");
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let age = now.as_secs_f64() - process.began;
        assert!((-1.0..600.0).contains(&age), "{age}");
    }
}
