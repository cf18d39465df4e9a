//! iceoryx2: publish and subscribe in shared memory, by polling. Its blocking publisher and its subscriber spin, so on one CPU each
//! would spin away the other's time.

use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;

use super::{Measure, Peer, fork_off, here};
use crate::measure::{Setting, consume, produce};
use crate::place::Mode as Place;

const NAME: &str = "iceoryx2, polling";

pub const ICEORYX: Peer = Peer {
    name: NAME,
    check: here,
    measures: &[("throughput", throughput as Measure)],
    except: &[Place::Same],
    child: Some(publish),
};

type Service = ipc::Service;

/// The service is called after the process that measures.
fn service(node: &Node<Service>, of: u32, length: usize) -> PortFactory<Service, [u8], ()> {
    let name = format!("side_by_side/{of}");
    node.service_builder(&name.as_str().try_into().unwrap())
        .publish_subscribe::<[u8]>()
        .enable_safe_overflow(false)
        .subscriber_max_buffer_size(in_flight(length))
        .max_publishers(1)
        .max_subscribers(1)
        .open_or_create()
        .unwrap()
}

/// As much as the others have.
fn in_flight(length: usize) -> usize {
    (64 << 20) / length.max(1 << 16)
}

fn node() -> Node<Service> {
    set_log_level(LogLevel::Fatal);
    NodeBuilder::new().create::<Service>().unwrap()
}

fn publish(setting: &Setting) {
    let node = node();
    let service = service(&node, std::os::unix::process::parent_id(), setting.payload);
    let publisher: Publisher<Service, [u8], ()> = service
        .publisher_builder()
        .initial_max_slice_len(setting.payload)
        .unable_to_deliver_strategy(UnableToDeliverStrategy::Block)
        .create()
        .unwrap();
    produce(setting, |message| {
        let sample = publisher.loan_slice_uninit(message.len()).unwrap().write_from_slice(&message);
        sample.send().is_ok()
    });
}

fn throughput(setting: &Setting) -> f64 {
    let node = node();
    let service = service(&node, std::process::id(), setting.payload);
    let subscriber: Subscriber<Service, [u8], ()> = service.subscriber_builder().create().unwrap();
    // It publishes to those who are there when it begins.
    let other = fork_off(NAME, setting, std::io::stdin());
    let figure = consume(setting, || {
        loop {
            if let Some(sample) = subscriber.receive().unwrap() {
                return sample.payload().to_vec();
            }
            std::hint::spin_loop();
        }
    });
    // What a killed publisher leaves in the file system.
    drop(other);
    Node::<Service>::cleanup_dead_nodes(node.config());
    // `one` ends the process without dropping anything more.
    drop((subscriber, service, node));
    figure
}
