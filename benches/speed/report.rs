//! Medians, ranges and ratios.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// One round of one server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) cpu: f64,
    pub(crate) peak_bytes: u64,
    pub(crate) elapsed: Duration,
    pub(crate) operations: u64,
}

/// Every round, by workload and server.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rounds: BTreeMap<&'static str, BTreeMap<&'static str, Vec<Sample>>>,
}

/// Least, median and greatest.
struct Spread(f64, f64, f64);

impl Report {
    pub(crate) fn add(&mut self, workload: &'static str, server: &'static str, sample: Sample) {
        self.rounds.entry(workload).or_default().entry(server).or_default().push(sample);
    }

    pub(crate) fn to_json(&self) -> String {
        let workloads = self.rounds.iter().map(|(workload, servers)| {
            let servers: serde_json::Map<_, _> = servers
                .iter()
                .map(|(server, samples)| {
                    let rounds: Vec<_> = samples.iter().copied().map(Sample::into_json).collect();
                    ((*server).to_owned(), rounds.into())
                })
                .collect();
            ((*workload).to_owned(), servers.into())
        });
        let all = serde_json::Value::Object(workloads.collect());
        format!("{all:#}\n")
    }
}

impl Sample {
    /// Server CPU for one operation, nanoseconds.
    fn cpu_ns(&self) -> f64 {
        self.cpu * 1e9 / self.operations as f64
    }

    fn per_second(&self) -> f64 {
        self.operations as f64 / self.elapsed.as_secs_f64()
    }

    fn peak_mib(&self) -> f64 {
        self.peak_bytes as f64 / f64::from(1 << 20)
    }

    fn into_json(self) -> serde_json::Value {
        serde_json::json!({
            "server_cpu_ns_per_operation": self.cpu_ns(),
            "peak_mib_above_idle": self.peak_mib(),
            "operations_per_second": self.per_second(),
        })
    }
}

impl Spread {
    fn of(samples: &[Sample], figure: impl Fn(&Sample) -> f64) -> Self {
        Self::new(samples.iter().map(figure).collect())
    }

    fn new(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        let last = figures.len() - 1;
        Self(figures[0], figures[last / 2], figures[last])
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.1 < 10.0 { 2 } else { 0 };
        let text = format!("{:.digits$} ({:.digits$} to {:.digits$})", self.1, self.0, self.2);
        f.pad(&text)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "median (range) over alternating rounds; one round of each server after another"
        )?;
        for (workload, servers) in &self.rounds {
            let ours = &servers["tidegate"];
            writeln!(f, "\n{workload}, {} operations", ours[0].operations)?;
            writeln!(
                f,
                "{:<16} {:>26} {:>26} {:>34} {:>24}",
                "server",
                "CPU ns per operation",
                "peak MiB above idle",
                "operations per second",
                "CPU / ours"
            )?;
            for (server, samples) in servers {
                let ratios = samples.iter().zip(ours).map(|(it, ours)| it.cpu_ns() / ours.cpu_ns());
                writeln!(
                    f,
                    "{:<16} {:>26} {:>26} {:>34} {:>24}",
                    server,
                    Spread::of(samples, Sample::cpu_ns),
                    Spread::of(samples, Sample::peak_mib),
                    Spread::of(samples, Sample::per_second),
                    Spread::new(ratios.collect()),
                )?;
            }
        }
        Ok(())
    }
}
