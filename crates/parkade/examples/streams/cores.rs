//! What the cores have done, as the system counts it.

use serde_json::{Value, json};

/// Hundredths of a second, for each core: user, nice, system, idle, waiting, irq, softirq, stolen.
pub(crate) struct Cores(Vec<[u64; 8]>);

impl Cores {
    pub(crate) fn read() -> Cores {
        let stat = std::fs::read_to_string("/proc/stat").unwrap();
        let cores =
            stat.lines().filter(|line| line.starts_with("cpu") && !line.starts_with("cpu "));
        let fields = |line: &str| {
            let mut fields = line.split_whitespace().skip(1).map(|field| field.parse().unwrap());
            [(); 8].map(|()| fields.next().unwrap())
        };
        Cores(cores.map(fields).collect())
    }

    /// Seconds of each core's times since an earlier reading.
    pub(crate) fn since(&self, before: &Cores) -> Value {
        let seconds = |now: &[u64; 8], before: &[u64; 8]| {
            let mut times = [0.0; 8];
            for (time, (now, before)) in times.iter_mut().zip(now.iter().zip(before)) {
                *time = now.saturating_sub(*before) as f64 / 100.0;
            }
            let [user, nice, system, idle, waiting, irq, softirq, stolen] = times;
            json!({
                "user": user + nice, "system": system, "softirq": irq + softirq, "idle": idle + waiting,
                "stolen": stolen,
            })
        };
        self.0.iter().zip(&before.0).map(|(now, before)| seconds(now, before)).collect()
    }
}
