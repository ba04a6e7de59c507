//! Simulates the schedule on random plans, and compares its makespan with a lower bound.
//!
//! No schedule is shorter than the longest path, or than all work divided by the jobs. What is *proven* for a board that leaves no job
//! idle while a step is ready (Graham 1969): at most `work / jobs + (1 - 1 / jobs) * longest path`, less than twice the lower bound.
//! How close it comes in practice is *measured*, on plans from a fixed seed. The lower bound itself cannot always be reached.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use domain::{Direction, Plan, ServiceName, Step, Version};

use super::Board;

fn name(service: usize) -> ServiceName {
    format!("s{service:02}").parse().unwrap()
}

/// 1 ms to half a minute; each order of magnitude is equally likely.
fn duration(random: &mut fastrand::Rng) -> u64 {
    10_f64.powf(random.f64() * 4.5) as u64
}

/// Services with a chain of steps each. Some wait for the end of an earlier service, and some steps require a step of one.
fn plan(random: &mut fastrand::Rng) -> Plan {
    let services = random.usize(2..=20);
    let mut chains: Vec<Vec<usize>> = Vec::new();
    let mut steps: Vec<Step> = Vec::new();
    for service in 0..services {
        let first = steps.len();
        let length = random.usize(1..=8);
        for place in 0..length {
            steps.push(Step {
                service: name(service),
                version: Version::new(i64::try_from(place).unwrap()),
                name: "x".to_owned(),
                direction: Direction::Up,
                wave: 0,
                requires: Vec::new(),
                after: (place > 0).then(|| first + place - 1).into_iter().collect(),
                gates: Vec::new(),
                expected_ms: Some(duration(random)),
                remaining_ms: 0,
            });
        }
        let chain: Vec<usize> = (first..first + length).collect();
        for earlier in &chains {
            if random.usize(..services) == 0 {
                let (step, after) = match random.bool() {
                    true => (first, earlier[earlier.len() - 1]),
                    false => (
                        chain[random.usize(..chain.len())],
                        earlier[random.usize(..earlier.len())],
                    ),
                };
                steps[step].after.push(after);
            }
        }
        chains.push(chain);
    }
    let plan = Plan {
        steps,
        gates: Vec::new(),
    };
    plan.ranked()
}

/// The time at which the last step ends, if each takes as long as in `actual`.
fn makespan(plan: Plan, actual: &[u64], jobs: usize) -> u64 {
    let mut board = Board::new(plan.clone(), &databases(&plan), jobs);
    let mut running: BinaryHeap<Reverse<(u64, usize)>> = BinaryHeap::new();
    let mut now = 0;
    loop {
        for service in board.startable() {
            board.activate(&service);
            let step = board.next_step(&service).unwrap();
            running.push(Reverse((now + actual[step], step)));
        }
        let Some(Reverse((ended, step))) = running.pop() else {
            break;
        };
        now = ended;
        board.done(step);
        let service = &plan.steps[step].service;
        let next = match board.makes_way(service) {
            true => None,
            false => board.next_step(service),
        };
        match next {
            Some(next) => running.push(Reverse((now + actual[next], next))),
            None => board.deactivate(service),
        }
    }
    assert!(board.is_all_done());
    now
}

fn databases(plan: &Plan) -> BTreeMap<ServiceName, String> {
    let services = plan.services().into_iter();
    services.map(|it| (it.clone(), it.to_string())).collect()
}

/// Makespans relative to the lower bound, ascending. `known` is what the journal knows of the durations.
fn ratios(plans: usize, known: impl Fn(u64, &mut fastrand::Rng) -> Option<u64>) -> Vec<f64> {
    let mut random = fastrand::Rng::with_seed(20_261_130);
    let mut ratios: Vec<f64> = (0..plans)
        .map(|_| {
            let mut plan = plan(&mut random);
            let jobs = [1, 2, 3, 4, 8, 16][random.usize(..6)];
            let actual: Vec<u64> = plan
                .steps
                .iter()
                .map(|it| it.expected_ms.unwrap())
                .collect();
            let work: u64 = actual.iter().sum();
            let path = plan.steps.iter().map(|it| it.remaining_ms).max().unwrap();
            for step in &mut plan.steps {
                step.expected_ms = step.expected_ms.and_then(|it| known(it, &mut random));
            }
            let made = makespan(plan.ranked(), &actual, jobs) as f64;
            let (work, path, jobs) = (work as f64, path as f64, jobs as f64);
            let proven = work / jobs + (1.0 - 1.0 / jobs) * path;
            assert!(made <= proven + 1.0, "{made} of {proven}");
            made / path.max(work / jobs)
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios
}

/// The share of plans within five percent of the lower bound.
fn within_five_percent(ratios: &[f64]) -> f64 {
    ratios.partition_point(|&it| it <= 1.05) as f64 / ratios.len() as f64
}

#[test]
fn with_durations_from_the_journal_the_makespan_is_near_the_lower_bound() {
    let ratios = ratios(2000, |actual, _| Some(actual));
    let (median, worst) = (ratios[1000], ratios[1999]);
    let near = within_five_percent(&ratios);
    println!("median {median:.3}, worst {worst:.3}, within 5 %: {near:.3}");
    assert!(median <= 1.001, "{median}");
    assert!(near >= 0.98, "{near}");
    assert!(worst <= 1.25, "{worst}");
}

#[test]
fn durations_that_are_wrong_by_half_cost_little() {
    let ratios = ratios(300, |actual, random| {
        Some((actual as f64 * (0.5 + random.f64())) as u64)
    });
    let near = within_five_percent(&ratios);
    println!("worst {:.3}, within 5 %: {near:.3}", ratios[299]);
    assert!(near >= 0.95, "{near}");
}

#[test]
fn durations_help() {
    let (informed, blind) = (
        ratios(300, |actual, _| Some(actual)),
        ratios(300, |_, _| None),
    );
    let (informed, blind) = (within_five_percent(&informed), within_five_percent(&blind));
    println!("within 5 %: {informed:.3} with durations, {blind:.3} without");
    assert!(informed >= blind + 0.1, "{informed} {blind}");
}
