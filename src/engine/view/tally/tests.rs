//! The tally against a naive model that keeps everything, and its rules one by one.

use proptest::prelude::*;

use super::*;

const WINDOW_MS: u64 = 100;

/// Bounds small enough that a few commands reach them.
fn tight() -> TallyLimits {
    TallyLimits { window_ms: WINDOW_MS, windows_max: 3, entries_max: 4, keys_max: 2 }
}

fn roomy() -> TallyLimits {
    TallyLimits { window_ms: WINDOW_MS, ..TallyLimits::default() }
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn top(n: u64) -> TopN {
    TopN::new(n).unwrap()
}

fn at(at_ms: u64, command: TallyCommand) -> Stamped<TallyCommand> {
    Stamped { at_ms, command }
}

fn react(at_ms: u64, text: &str, count: u64) -> Stamped<TallyCommand> {
    at(at_ms, TallyCommand::React { key: key(text), count })
}

fn close(at_ms: u64) -> Stamped<TallyCommand> {
    at(at_ms, TallyCommand::CloseWindow)
}

fn fold(limits: TallyLimits, commands: &[Stamped<TallyCommand>]) -> Tally {
    let mut tally = Tally::new(limits);
    for command in commands {
        tally.apply(command);
    }
    tally
}

fn items(tally: &Tally, cursor: u64, n: u64) -> TallyItem {
    match tally.read(cursor, top(n)) {
        Answer::Items { items, next } => {
            assert_eq!(next, items.last);
            items
        }
        Answer::Snapshot { .. } => panic!("expected items, got a snapshot"),
        Answer::CaughtUp => panic!("expected items, got nothing"),
    }
}

fn named(counts: &Counts) -> Vec<(&str, u64)> {
    counts.top.iter().map(|(key, count)| (key.as_str(), *count)).collect()
}

/// One window as the model keeps it: every command that counted in it.
#[derive(Clone, Debug)]
struct Past {
    number: u64,
    counted: Vec<(Key, u64)>,
    shed: u64,
}

/// What a tally should be: everything is kept, every answer is computed from the beginning.
#[derive(Clone, Debug)]
struct Model {
    limits: TallyLimits,
    /// Keys with a place of their own, in the order of their first count.
    keys: Vec<Key>,
    since_ms: Option<u64>,
    open: Option<Past>,
    closed: Vec<Past>,
    /// How many of `closed` are beyond retention.
    evicted: usize,
}

impl Model {
    fn new(limits: TallyLimits) -> Self {
        let (keys, closed) = (Vec::new(), Vec::new());
        Self { limits, keys, since_ms: None, open: None, closed, evicted: 0 }
    }

    fn apply(&mut self, stamped: &Stamped<TallyCommand>) {
        let newest = self.closed.last().map_or(0, |past| past.number);
        let number = (stamped.at_ms / self.limits.window_ms + 1).max(newest + 1);
        let mut open = self.open.take();
        let fresh = Past { number, counted: Vec::new(), shed: 0 };
        match stamped.command {
            TallyCommand::React { count: 0, .. } | TallyCommand::Shed { count: 0 } => {}
            TallyCommand::React { key, count } => {
                self.since_ms.get_or_insert(stamped.at_ms);
                if !self.keys.contains(&key) && self.keys.len() < self.limits.keys_max {
                    self.keys.push(key);
                }
                open.get_or_insert(fresh).counted.push((key, count));
            }
            TallyCommand::Shed { count } => {
                self.since_ms.get_or_insert(stamped.at_ms);
                open.get_or_insert(fresh).shed += count;
            }
            TallyCommand::CloseWindow => {
                let ended = |past: &Past| past.number * self.limits.window_ms <= stamped.at_ms;
                if let Some(past) = open.take_if(|past| ended(past)) {
                    self.closed.push(past);
                    self.evict();
                }
            }
        }
        self.open = open;
    }

    fn evict(&mut self) {
        let entries = |past: &Past| {
            self.keys.iter().filter(|key| past.counted.iter().any(|(k, _)| k == *key)).count()
        };
        while self.evicted + 1 < self.closed.len() {
            let kept = &self.closed[self.evicted..];
            let held: usize = kept.iter().map(entries).sum();
            if kept.len() <= self.limits.windows_max && held <= self.limits.entries_max {
                break;
            }
            self.evicted += 1;
        }
    }

    fn counts(&self, windows: &[Past], n: u64) -> Counts {
        let counted = || windows.iter().flat_map(|past| &past.counted);
        let total = counted().map(|(_, count)| count).sum();
        let of = |key: &Key| counted().filter(|(k, _)| k == key).map(|(_, count)| count).sum();
        let mut ranked: Vec<(Key, u64)> = self.keys.iter().map(|key| (*key, of(key))).collect();
        ranked.retain(|(_, count)| *count > 0);
        ranked.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        ranked.truncate(usize::try_from(n).unwrap());
        let named: u64 = ranked.iter().map(|(_, count)| count).sum();
        Counts { top: ranked, other: total - named, total }
    }

    fn read(&self, cursor: u64, n: u64) -> Answer<TallyItem, u64> {
        let missed: Vec<&Past> = self.closed.iter().filter(|past| past.number > cursor).collect();
        let Some(newest) = missed.last() else { return Answer::CaughtUp };
        let lost = &self.closed[..self.evicted];
        let gap = lost.last().filter(|past| past.number > cursor).map(|past| past.number);
        // A reader who missed everything is told everything: the totals are the sum.
        let gap = gap.filter(|_| missed.len() < self.closed.len());
        let start = match gap {
            Some(_) => self.evicted,
            None => self.closed.len() - missed.len(),
        };
        let covered = &self.closed[start..];
        let shed = |windows: &[Past]| windows.iter().map(|past| past.shed).sum();
        let item = TallyItem {
            first: covered[0].number,
            last: newest.number,
            windows: u64::try_from(covered.len()).unwrap(),
            start_ms: (covered[0].number - 1) * self.limits.window_ms,
            end_ms: newest.number * self.limits.window_ms,
            counts: self.counts(covered, n),
            shed: shed(covered),
            totals: self.counts(&self.closed, n),
            totals_shed: shed(&self.closed),
            totals_since_ms: self.since_ms.unwrap(),
            gap: gap.map(|to| Gap { from: cursor + 1, to }),
        };
        match gap {
            None => Answer::Items { items: item, next: newest.number },
            Some(_) => Answer::Snapshot { state: item, next: newest.number },
        }
    }
}

/// Compare every answer that the two could give.
fn compare(tally: &Tally, model: &Model, tops: &[u64]) {
    let newest = tally.newest();
    for cursor in (0..=newest + 1).chain([u64::MAX]) {
        for n in tops {
            let answer = tally.read(cursor, top(*n));
            assert_eq!(answer, model.read(cursor, *n), "cursor {cursor}, top {n}");
            let canonical = tally.canonical(cursor);
            assert!(canonical <= cursor);
            assert_eq!(tally.read(canonical, top(*n)), answer, "cursor {cursor} as {canonical}");
        }
    }
}

#[test]
fn every_short_history_answers_as_the_model() {
    // Each step is a command and whether half a window passes before it.
    let commands: Vec<TallyCommand> = ["a", "b", "c"]
        .map(|text| TallyCommand::React { key: key(text), count: 1 })
        .into_iter()
        .chain([TallyCommand::Shed { count: 1 }, TallyCommand::CloseWindow])
        .collect();
    let steps: Vec<(u64, TallyCommand)> = [0, WINDOW_MS]
        .into_iter()
        .flat_map(|wait| commands.iter().map(move |c| (wait, *c)))
        .collect();
    let limits = TallyLimits { windows_max: 1, ..tight() };
    let mut open = vec![(0, 0, Tally::new(limits), Model::new(limits))];
    while let Some((depth, now_ms, tally, model)) = open.pop() {
        compare(&tally, &model, &[1, 2]);
        if depth == 5 {
            continue;
        }
        for (wait_ms, command) in &steps {
            let now_ms = now_ms + wait_ms;
            let (mut tally, mut model) = (tally.clone(), model.clone());
            tally.apply(&at(now_ms, *command));
            model.apply(&at(now_ms, *command));
            open.push((depth + 1, now_ms, tally, model));
        }
    }
}

fn commands() -> impl Strategy<Value = Vec<Stamped<TallyCommand>>> {
    let command = prop_oneof![
        6 => ("[a-e]", 0..4_u64)
            .prop_map(|(text, count)| TallyCommand::React { key: key(&text), count }),
        1 => (0..3_u64).prop_map(|count| TallyCommand::Shed { count }),
        4 => Just(TallyCommand::CloseWindow),
    ];
    prop::collection::vec((0..2 * WINDOW_MS, command), 0..60).prop_map(|steps| {
        let mut now_ms = 0;
        let stamp = |(wait_ms, command)| {
            now_ms += wait_ms;
            at(now_ms, command)
        };
        steps.into_iter().map(stamp).collect()
    })
}

fn limits() -> impl Strategy<Value = TallyLimits> {
    (1..5_usize, 1..9_usize, 1..5_usize).prop_map(|(windows_max, entries_max, keys_max)| {
        TallyLimits { window_ms: WINDOW_MS, windows_max, entries_max, keys_max }
    })
}

proptest! {
    #[test]
    fn any_history_answers_as_the_model(limits in limits(), commands in commands()) {
        let mut tally = Tally::new(limits);
        let mut model = Model::new(limits);
        for command in &commands {
            tally.apply(command);
            model.apply(command);
        }
        compare(&tally, &model, &[1, 3, 100]);
    }

    #[test]
    fn a_replay_folds_to_the_same_state(limits in limits(), commands in commands()) {
        let mut ran = Tally::new(limits);
        for command in &commands {
            ran.apply(command);
            // Reading is not a command: it leaves no trace.
            let _ = ran.read(0, TopN::default());
        }
        prop_assert_eq!(&fold(limits, &commands), &ran);
    }

    #[test]
    fn any_stamps_do_no_harm(stamps in prop::collection::vec((any::<u64>(), 0..3_u8), 0..20)) {
        let mut tally = Tally::new(tight());
        let (mut sent, mut last) = (0_u64, 0);
        for (at_ms, which) in stamps {
            match which {
                0 => tally.apply(&close(at_ms)),
                _ => {
                    sent += 1;
                    tally.apply(&react(at_ms, "a", 1));
                }
            }
            prop_assert!(tally.newest() >= last);
            last = tally.newest();
        }
        tally.apply(&close(u64::MAX));
        if let Answer::Items { items, .. } = tally.read(0, TopN::default()) {
            prop_assert_eq!(items.totals.total, sent);
        }
    }

    /// However a reader paces its reads, what it takes adds up to what was counted.
    #[test]
    fn hot_1_a_readers_items_add_up(
        commands in commands(),
        reads in prop::collection::vec(any::<bool>(), 60),
    ) {
        let (mut tally, mut cursor, mut sum) = (Tally::new(roomy()), 0, Counts::default());
        let mut read = |tally: &Tally| {
            if let Answer::Items { items, next } = tally.read(cursor, top(100)) {
                assert!(items.first > cursor);
                cursor = next;
                sum.total += items.counts.total;
                for (key, count) in items.counts.top {
                    match sum.top.iter_mut().find(|(k, _)| *k == key) {
                        Some((_, into)) => *into += count,
                        None => sum.top.push((key, count)),
                    }
                }
                sum.top.sort();
                let mut totals = items.totals;
                totals.top.sort();
                assert_eq!(&totals, &sum);
            }
        };
        for (command, reads) in commands.iter().zip(reads) {
            tally.apply(command);
            if reads {
                read(&tally);
            }
        }
        read(&tally);
    }
}

/// More keys than an answer can name, overtaking each other: the leaders are always the right ones.
#[test]
fn the_leaders_of_many_keys_are_those_of_the_model() {
    let (mut tally, mut model) = (Tally::new(roomy()), Model::new(roomy()));
    let mut seed = 7_u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    for window in 0..60 {
        for _ in 0..40 {
            // At first many small counts, then a few that carry late keys to the front.
            let (key, count) = (random(300), 1 + random(3) + window / 20 * random(9));
            let command = react(window * WINDOW_MS, &format!("key {key}"), count);
            tally.apply(&command);
            model.apply(&command);
        }
        let closing = close((window + 1) * WINDOW_MS);
        tally.apply(&closing);
        model.apply(&closing);
        for (cursor, n) in [(0, 100), (window, 100), (window / 2, 7)] {
            assert_eq!(tally.read(cursor, top(n)), model.read(cursor, n));
        }
    }
    assert!(tally.ledger.len() > 200);
}

#[test]
fn a_window_closes_only_once_it_has_ended() {
    let mut tally = fold(roomy(), &[react(250, "a", 1), close(299)]);
    assert_eq!(tally.open_until_ms(), Some(300));
    assert_eq!(tally.read(0, TopN::default()), Answer::CaughtUp);
    tally.apply(&close(300));
    tally.apply(&close(300));
    assert_eq!((tally.open_until_ms(), tally.newest(), tally.windows_closed()), (None, 3, 1));
    let item = items(&tally, 0, 10);
    assert_eq!((item.first, item.last, item.start_ms, item.end_ms), (3, 3, 200, 300));
}

#[test]
fn windows_in_which_nothing_happens_are_skipped() {
    let tally =
        fold(roomy(), &[close(50), react(150, "a", 1), close(200), close(300), close(5_000)]);
    assert_eq!((tally.newest(), tally.windows_closed()), (2, 1));
    let tally = fold(roomy(), &[react(0, "a", 0), close(100)]);
    assert_eq!((tally.open_until_ms(), tally.newest()), (None, 0));
}

#[test]
fn a_reaction_stamped_before_the_newest_window_gets_a_window_of_its_own() {
    let commands = [react(150, "a", 1), close(200), react(120, "a", 1), close(300)];
    let tally = fold(roomy(), &commands);
    assert_eq!((tally.newest(), items(&tally, 2, 10).counts.total), (3, 1));
}

#[test]
fn hot_5_a_slow_reader_gets_one_item_that_covers_what_it_missed() {
    let mut tally = Tally::new(roomy());
    for window in 0..100 {
        tally.apply(&react(window * WINDOW_MS, if window % 3 == 0 { "a" } else { "b" }, window));
        tally.apply(&close((window + 1) * WINDOW_MS));
    }
    let item = items(&tally, 50, 10);
    assert_eq!((item.first, item.last, item.windows), (51, 100, 50));
    assert_eq!(item.counts.total, (50..100).sum::<u64>());
    assert_eq!(tally.read(item.last, TopN::default()), Answer::CaughtUp);
}

#[test]
fn equal_counts_rank_by_the_key_first_seen() {
    let mut commands: Vec<_> = ["c", "a", "b"].map(|text| react(0, text, 2)).to_vec();
    commands.push(close(100));
    commands.extend(["b", "a", "c"].map(|text| react(100, text, 2)));
    commands.push(close(200));
    let item = items(&fold(roomy(), &commands), 1, 2);
    assert_eq!(named(&item.counts), [("c", 2), ("a", 2)]);
    assert_eq!(named(&item.totals), [("c", 4), ("a", 4)]);
    assert_eq!((item.counts.other, item.totals.other), (2, 4));
}

#[test]
fn hot_6_keys_beyond_the_limit_count_in_other_and_items_stay_small() {
    let mut tally = Tally::new(roomy());
    for number in 0..10_000_u64 {
        tally.apply(&react(0, &format!("key {number}"), 1 + number % 7));
    }
    tally.apply(&close(100));
    let item = items(&tally, 0, 10);
    let sent: u64 = (0..10_000).map(|number| 1 + number % 7).sum();
    assert_eq!((item.counts.top.len(), item.totals.top.len()), (10, 10));
    assert_eq!((item.counts.total, item.totals.total), (sent, sent));
    let named: u64 = item.counts.top.iter().map(|(_, count)| count).sum();
    assert_eq!(item.counts.other, sent - named);
    // All that a key beyond the limit leaves is its count.
    assert_eq!(tally.ledger.len(), roomy().keys_max);
}

#[test]
fn hot_3_a_window_reports_what_was_shed() {
    let shed = |at_ms, count| at(at_ms, TallyCommand::Shed { count });
    let tally =
        fold(roomy(), &[react(0, "a", 3), shed(10, 4), close(100), shed(100, 5), close(200)]);
    let item = items(&tally, 1, 10);
    assert_eq!((item.counts.total, item.shed), (0, 5));
    assert_eq!((item.totals.total, item.totals_shed), (3, 9));
}

#[test]
fn a_cursor_out_of_retention_gets_a_snapshot_that_names_the_gap() {
    let mut tally = Tally::new(tight());
    for window in 0..6 {
        tally.apply(&react(window * WINDOW_MS, "a", 1));
        tally.apply(&close((window + 1) * WINDOW_MS));
    }
    let Answer::Snapshot { state, next } = tally.read(1, TopN::default()) else {
        panic!("expected a snapshot");
    };
    assert_eq!((state.gap, next), (Some(Gap { from: 2, to: 3 }), 6));
    assert_eq!((state.first, state.windows, state.counts.total), (4, 3, 3));
    assert_eq!(state.totals.total, 6);
    assert_eq!(items(&tally, 3, 10).counts.total, 3);
    // Who has seen nothing misses nothing: the sum of all windows is the totals.
    let all = items(&tally, 0, 10);
    assert_eq!((all.first, all.windows, all.counts.total, all.gap), (1, 6, 6, None));
}

#[test]
fn sums_saturate() {
    let commands = [react(0, "a", u64::MAX), react(0, "a", 1), react(0, "b", 1), close(100)];
    let tally = fold(roomy(), &commands);
    let item = items(&tally, 0, 10);
    assert_eq!((item.counts.total, item.counts.top[0].1), (u64::MAX, u64::MAX));
    assert_eq!(item.counts.other, 0);
}

#[test]
fn every_bound_is_checked() {
    let good = TallyLimits::default();
    assert_eq!(good.check(), Ok(()));
    for (name, bad) in [
        ("window_ms", TallyLimits { window_ms: 99, ..good }),
        ("window_ms", TallyLimits { window_ms: 10_001, ..good }),
        ("windows_max", TallyLimits { windows_max: 0, ..good }),
        ("entries_max", TallyLimits { entries_max: 0, ..good }),
        ("keys_max", TallyLimits { keys_max: 65_537, ..good }),
    ] {
        assert_eq!(bad.check().unwrap_err().name, name);
    }
    assert_eq!([0, 1, 100, 101, u64::MAX].map(TopN::new).map(|n| n.map(TopN::get)), {
        [None, Some(1), Some(100), None, None]
    });
}
