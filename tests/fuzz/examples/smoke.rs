//! Runs every target on its seeds and on mutations of them, without coverage and so without a
//! nightly compiler: `smoke SECONDS`, for each target. `FUZZ_SEED=N` varies the mutations.

use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, process};

type Target = (&'static str, fn(&[u8]));

const TARGETS: &[Target] = &[
    ("decode", tidegate_fuzz::decode),
    // `connection` is not in the gate: it still reports what may be its observer's faults or ours.
    // Run it with `make fuzz TARGET=connection`; see README.md.
    #[cfg(feature = "driver")]
    ("driver", tidegate_fuzz::driver),
];

/// Longest input that mutation leads to, bytes.
const INPUT_LEN_MAX: usize = 1_024;

/// The driver catches panics of handlers; here they count all the same.
static PANICKED: AtomicBool = AtomicBool::new(false);

fn main() {
    let seconds = env::args().nth(1).and_then(|text| text.parse().ok());
    let Some(seconds) = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    else {
        eprintln!("usage: smoke SECONDS (for each target; 0 runs the seeds only)");
        process::exit(2);
    };
    let default_hook = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        PANICKED.store(true, Ordering::Relaxed);
        default_hook(info);
    }));
    let seed = env::var("FUZZ_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    for target in TARGETS {
        smoke(target, seconds, seed);
    }
}

fn smoke(target: &Target, time: Duration, seed: u64) {
    let name = target.0;
    let seeds = read_seeds(name);
    assert!(!seeds.is_empty(), "no seeds for {name}");
    for input in &seeds {
        run(target, input);
    }
    let start = Instant::now();
    let mut random = Random::new(seed);
    let mut runs = 0_u64;
    while start.elapsed() < time {
        run(target, &mutate(&mut random, &seeds));
        runs += 1;
    }
    let per_second = runs as f64 / start.elapsed().as_secs_f64().max(1e-9);
    println!("{name}: {} seeds, {runs} mutations, {per_second:.0}/s, no fault", seeds.len());
}

/// Seeds are part of the repository; a corpus is what coverage-guided runs on this machine kept.
fn read_seeds(name: &str) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
    let entries = fs::read_dir(&root).unwrap_or_else(|e| panic!("{}: {e}", root.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("it was listed").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a seed can be read")).collect()
}

fn run((name, body): &Target, input: &[u8]) {
    let caught = panic::catch_unwind(AssertUnwindSafe(|| body(input)));
    if caught.is_ok() && !PANICKED.load(Ordering::Relaxed) {
        return;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts").join(name);
    fs::create_dir_all(&folder).expect("artifacts/ can be made");
    let path = folder.join("crash-smoke");
    fs::write(&path, input).expect("the input can be kept");
    eprintln!("{name}: a fault; its input is {}", path.display());
    process::exit(1);
}

/// One to eight small changes of one seed.
fn mutate(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut input = seeds[random.below(seeds.len())].clone();
    for _ in 0..1 + random.below(8) {
        let at = random.below(input.len() + 1);
        match random.below(6) {
            0 if at < input.len() => input[at] ^= 1 << random.below(8),
            1 if at < input.len() => input[at] = random.byte(),
            2 if at < input.len() => input[at] = [0, 1, 6, 127, 128, 255][random.below(6)],
            3 if at < input.len() => {
                let len = 1 + random.below(8.min(input.len() - at));
                input.drain(at..at + len);
            }
            4 => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.below(other.len() + 1);
                let len = random.below(64.min(other.len() - from) + 1);
                input.splice(at..at, other[from..from + len].iter().copied());
            }
            _ => input.insert(at, random.byte()),
        }
    }
    input.truncate(INPUT_LEN_MAX);
    input
}

/// xorshift64.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Below `bound`, which is above zero.
    fn below(&mut self, bound: usize) -> usize {
        ((self.next() >> 32) as usize) % bound
    }

    fn byte(&mut self) -> u8 {
        (self.next() >> 32) as u8
    }
}
