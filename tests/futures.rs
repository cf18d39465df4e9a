//! The future of every `coro_` method goes to another thread: held by the compiler, so nothing of this is run.
//! `tests/surface.rs` says which is missing here.
#![cfg(feature = "tokio")]

use aioprocessing::*;
use tokio::net::TcpStream;

fn send(_: impl Future + Send) {}

#[allow(dead_code, reason = "it compiles, or does not")]
fn queues(
    queue: &AioQueue<u8>,
    joinable: &AioJoinableQueue<u8>,
    leases: &AioLeaseQueue<u8>,
    simple: &AioSimpleQueue<u8>,
) {
    send(queue.coro_put(1));
    send(queue.coro_get());
    send(queue.coro_put_many([1]));
    send(queue.coro_get_many(1));
    send(joinable.coro_put(1));
    send(joinable.coro_get());
    send(joinable.coro_join());
    send(leases.coro_put(1));
    send(leases.coro_get());
    send(leases.coro_join());
    send(simple.coro_put(1));
    send(simple.coro_get());
}

#[allow(dead_code, reason = "it compiles, or does not")]
fn locks_and_events(
    (lock, rlock, rw): (&AioLock, &AioRLock, &AioRwLock),
    (mutex, array, value): (&AioMutex<u8>, &AioArray<u8>, &AioValue<u8>),
    (semaphore, bounded): (&AioSemaphore, &AioBoundedSemaphore),
    (event, barrier, condition, once): (&AioEvent, &AioBarrier, &AioCondition, &AioOnce<u8>),
    guards: (AioConditionGuard, AioLockGuard),
) {
    send(lock.coro_acquire());
    send(rlock.coro_acquire());
    send(rw.coro_read());
    send(rw.coro_write());
    send(mutex.coro_lock());
    send(array.coro_lock());
    send(array.coro_set(0, 1));
    send(value.coro_with_lock(|value| *value));
    send(semaphore.coro_acquire());
    send(semaphore.coro_acquire_many(2));
    send(bounded.coro_acquire());
    send(bounded.coro_acquire_many(2));
    send(event.coro_wait());
    send(barrier.coro_wait());
    send(condition.coro_lock());
    send(condition.coro_wait(guards.0));
    send(condition.coro_wait_for(guards.1, || true));
    send(once.coro_get_or_init(async || 1));
}

#[allow(dead_code, reason = "it compiles, or does not")]
fn pipes(
    both: &AioConnection<u8, u8>,
    sender: &AioSender<u8>,
    receiver: &AioReceiver<u8>,
    listener: &AioListener<u8, u8>,
) {
    send(both.coro_send(&1));
    send(both.coro_send_bytes(&[]));
    send(both.coro_recv());
    send(both.coro_recv_bytes());
    send(both.coro_recv_bytes_into(&mut []));
    send(both.coro_poll());
    send(sender.coro_send(&1));
    send(sender.coro_send_bytes(&[]));
    send(receiver.coro_recv());
    send(receiver.coro_recv_bytes());
    send(receiver.coro_recv_bytes_into(&mut []));
    send(receiver.coro_poll());
    send(listener.coro_accept());
    send(AioClient::coro_connect::<u8, u8>("unix:/a", AuthKey::none()));
    send(AioClient::builder().coro_connect::<u8, u8>("unix:/a", AuthKey::none()));
    send(coro_wait_any(&[both, receiver]));
}

fn one(x: u8) -> u8 {
    x
}

#[allow(dead_code, reason = "it compiles, or does not")]
fn processes(
    (child, process): (&AioProcess<u8>, &Process),
    (pool, executor, task): (&AioPool, &ProcessPoolExecutor, &AioTask<u8>),
    (results, done): (&mut Imap<'_, u8>, &mut AsCompleted<u8>),
    supervisor: &Supervisor<u8>,
) {
    send(child.coro_join());
    send(process.coro_wait());
    send(pool.coro_apply(one, (1,)));
    send(pool.coro_map(one, [1]));
    send(pool.coro_starmap(one, [(1,)]));
    send(pool.coro_join());
    send(pool.coro_imap(one, [1]).coro_next());
    send(pool.coro_imap_unordered(one, [1]).coro_next());
    send(executor.coro_shutdown(true, false));
    send(run_in_process(one, (1,)));
    send(task.coro_result());
    send(results.coro_next());
    send(done.coro_next());
    send(coro_wait_tasks::<u8>(&[], When::All));
    send(supervisor.coro_run());
}

async fn serve(_: TcpStream) {}
async fn serve_with(_: TcpStream, _: u8) {}

#[allow(dead_code, reason = "it compiles, or does not")]
fn programs_and_servers(
    (results, events): (&mut ProgramResults<'_>, &mut ProgramEvents<'_>),
    stream: &mut ProgramStream<'_>,
    (builder, server, other): (PreforkBuilder, Prefork, Prefork),
) {
    send(results.coro_next());
    send(events.coro_next());
    send(stream.coro_next());
    send(builder.coro_serve(serve));
    send(server.coro_serve(serve));
    send(other.coro_serve_with(serve_with, 1));
    send(Prefork::coro_leaving());
}

#[allow(dead_code, reason = "it compiles, or does not")]
fn managers(
    (manager, rlock): (&AioManager, &AioManagedRLock),
    (array, value): (&AioManagedArray<u8>, &AioManagedValue<u8>),
    (dict, list): (&AioDict<u8, u8>, &AioList<u8>),
) {
    send(AioManager::coro_connect("unix:/a", AuthKey::none()));
    send(manager.coro_register("a", &1_u8));
    send(manager.coro_replace("a", &1_u8));
    send(manager.coro_get::<u8>("a"));
    send(manager.coro_unregister("a"));
    send(manager.coro_names());
    send(manager.coro_shutdown());
    send(rlock.coro_acquire());
    send(rlock.coro_try_acquire());
    send(array.coro_update(0, |item| item));
    send(value.coro_update(|value| value));
    send(dict.coro_update(&1, |value| value));
    send(list.coro_update(0, |item| item));
    send(list.coro_update_all(|_| ()));
}
