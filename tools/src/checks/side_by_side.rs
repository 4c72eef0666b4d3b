//! Jobs that run side by side, and are heard one after the other.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Does all jobs, at most so many at a time, and returns what came of them, in their order. In the same order `show` gets what they
/// say: of the first that has not ended at once, of the others when it is their turn.
pub(super) fn run<J: Sync, T: Send>(
    jobs: &[J],
    most: NonZero<usize>,
    show: impl FnMut(&[u8]) + Send,
    work: impl Fn(&J, &mut dyn FnMut(&[u8])) -> T + Sync,
) -> Vec<T> {
    let said = Mutex::new(Said { show, turn: 0, kept: jobs.iter().map(|_| Kept::default()).collect() });
    let with_said = |act: &dyn Fn(&mut Said<_>)| act(&mut said.lock().unwrap_or_else(PoisonError::into_inner));
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Relaxed);
            let Some(job) = jobs.get(index) else { return done };
            let result = work(job, &mut |bytes| with_said(&|said| said.hear(index, bytes)));
            with_said(&|said| said.end(index));
            done.push((index, result));
        }
    };
    let mut done: Vec<(usize, T)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..most.get().min(jobs.len())).map(|_| scope.spawn(worker)).collect();
        // A job that panics must not be missing from the results.
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// What the jobs have said.
struct Said<S> {
    show: S,
    /// The first job that has not ended.
    turn: usize,
    kept: Vec<Kept>,
}

/// What a job has said before its turn.
#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    ended: bool,
}

impl<S: FnMut(&[u8])> Said<S> {
    fn hear(&mut self, index: usize, bytes: &[u8]) {
        if index == self.turn {
            (self.show)(bytes);
        } else if let Some(kept) = self.kept.get_mut(index) {
            kept.bytes.extend(bytes);
        }
    }

    fn end(&mut self, index: usize) {
        if let Some(kept) = self.kept.get_mut(index) {
            kept.ended = true;
        }
        while self.kept.get(self.turn).is_some_and(|kept| kept.ended) {
            self.turn += 1;
            if let Some(next) = self.kept.get_mut(self.turn) {
                (self.show)(&std::mem::take(&mut next.bytes));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    const TWO: NonZero<usize> = NonZero::new(2).unwrap();

    #[test]
    fn what_jobs_say_is_in_their_order_whichever_ends_first() {
        let mut shown = Vec::new();
        let later_has_ended = Barrier::new(2);
        let show = |bytes: &[u8]| shown.extend_from_slice(bytes);
        let results = run(&["first ", "second ", "third "], TWO, show, |job, show| {
            show(job.as_bytes());
            match *job {
                "first " => drop(later_has_ended.wait()),
                "second " => {}
                // The second has ended when the same worker has come here.
                _ => drop(later_has_ended.wait()),
            }
            show(job.as_bytes());
            job.len()
        });
        assert_eq!(results, [6, 7, 6]);
        assert_eq!(String::from_utf8_lossy(&shown), "first first second second third third ");
    }

    #[test]
    fn the_first_is_heard_while_it_runs() {
        let shown = Mutex::new(Vec::new());
        let show = |bytes: &[u8]| shown.lock().unwrap().extend_from_slice(bytes);
        run(&[()], TWO, show, |(), show| {
            show(b"now");
            assert_eq!(*shown.lock().unwrap(), b"now");
        });
    }

    #[test]
    fn no_more_run_at_a_time_than_may() {
        let running = AtomicUsize::new(0);
        let results = run(
            &[(); 20],
            TWO,
            |_| {},
            |(), _| {
                let before = running.fetch_add(1, Relaxed);
                thread::yield_now();
                running.fetch_sub(1, Relaxed);
                before
            },
        );
        assert!(results.len() == 20 && results.iter().all(|before| *before < 2), "{results:?}");
    }

    #[test]
    fn no_jobs_have_no_results() {
        assert!(run(&[(); 0], TWO, |_| {}, |(), _| ()).is_empty());
    }
}
