//! Items, slices and frames go through a pipe.

use flatmk_abi::Words;
use flatmk_pipe::Error;
use flatmk_runtime::object::Endpoint;
use flatmk_runtime::pipe::{ConsumerEnd, ProducerEnd};
use flatmk_runtime::testing::Test;
use flatmk_runtime::tests;

use crate::stage::{AREA, END, MANY_PAGES, NOTIFICATIONS, Part, with_daemon};

pub(crate) const TESTS: &[Test] = tests![items_go_from_one_program_to_another];

pub(crate) const PARTS: &[Part] = &[send_items, receive_items];

/// A number for each index.
fn item(index: u64) -> u64 {
    index.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn send_items(count: u64) -> Words {
    let mut producer = ProducerEnd(Endpoint(END)).open::<u64>(AREA, NOTIFICATIONS).expect("a new end");
    for index in 0..count {
        producer.push_waiting(item(index)).expect("the consumer is there");
    }
    let (sleeps, rings) = producer.kernel_events();
    ProducerEnd::close(producer).expect("the daemon is there");
    [count, sleeps.into(), rings.into(), 0]
}

fn receive_items(count: u64) -> Words {
    let mut consumer = ConsumerEnd(Endpoint(END)).open::<u64>(AREA, NOTIFICATIONS).expect("a new end");
    for index in 0..count {
        assert_eq!(consumer.pop_waiting(), Ok(item(index)));
    }
    assert_eq!(consumer.pop_waiting(), Err(Error::Closed));
    let (sleeps, rings) = consumer.kernel_events();
    ConsumerEnd::close(consumer).expect("the daemon is there");
    [count, sleeps.into(), rings.into(), 0]
}

fn items_go_from_one_program_to_another() {
    with_daemon(MANY_PAGES, |daemon| {
        let children = daemon.start_pair(1, [send_items, receive_items], 10_000);
        for child in children {
            let result = child.join();
            flatmk_runtime::println!("{result:?}");
            assert!(matches!(result, Ok([10_000, ..])));
        }
        assert_eq!(daemon.used_pages(), 0, "both ends are closed");
        children.into_iter().for_each(|child| child.end());
    });
}
