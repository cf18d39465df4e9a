//! A worker, from its start to its end.

use std::future::{Future, poll_fn};
use std::os::fd::{AsFd, OwnedFd};
use std::pin::pin;
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::{LocalSet, spawn_local};

use super::handler::ServerStream;
use super::listen;
use super::message::{Counts, Kit, Order, Report, WorkerLink};
use crate::planted::planted;
use crate::sys::signals::Listening;
use crate::sys::{Source, signal};
use crate::wait::{Ready, Suspend, Waiter, never, suspended};

/// Without descriptors or memory nothing can be accepted; some are given back soon.
const SHORTAGE: Duration = Duration::from_millis(20);

/// Who goes on connecting does not keep a worker from its end.
const LONGEST_BACKLOG: usize = 65_535;

/// What this process knows of itself, if it is a worker.
static ME: OnceLock<Me> = OnceLock::new();

#[derive(Default)]
struct Me {
    served: AtomicU64,
    open: AtomicU32,
    /// Closed since the last report.
    closed: AtomicU32,
    /// So many requests it serves; 0: any number.
    serves: AtomicU64,
    is_leaving: AtomicBool,
    /// Whether leaving was this worker's own idea, and is to be told.
    is_to_be_told: AtomicBool,
    /// There is something to report.
    news: Notify,
    /// A connection is closed.
    freed: Notify,
    left: Notify,
}

tokio::task_local! {
    /// The first request of a connection was counted when the connection was.
    static COUNTED: std::cell::Cell<bool>;
}

impl Me {
    fn count(&self) {
        let served = self.served.fetch_add(1, Ordering::Relaxed) + 1;
        let serves = self.serves.load(Ordering::Relaxed);
        if serves > 0 && served >= serves {
            self.leave(true);
        }
    }

    fn leave(&self, tell: bool) {
        if !self.is_leaving.swap(true, Ordering::AcqRel) {
            self.is_to_be_told.store(tell, Ordering::Release);
            self.left.notify_waiters();
            self.news.notify_one();
        }
    }

    fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::Acquire)
    }

    async fn left(&self) {
        loop {
            // Listed before the look, so that nothing is missed between the two.
            let mut left = pin!(self.left.notified());
            left.as_mut().enable();
            if self.is_leaving() {
                return;
            }
            left.await;
        }
    }

    fn counts(&self) -> Counts {
        Counts { served: self.served.load(Ordering::Relaxed), open: self.open.load(Ordering::Relaxed) }
    }
}

pub(super) fn note_request() {
    let Some(me) = ME.get() else { return };
    let is_first = COUNTED.try_with(|counted| !counted.replace(true)).unwrap_or(false);
    if !is_first {
        me.count();
    }
}

pub(super) fn is_leaving() -> bool {
    ME.get().is_some_and(Me::is_leaving)
}

pub(super) async fn leaving() {
    match ME.get() {
        Some(me) => me.left().await,
        None => std::future::pending().await,
    }
}

/// What a worker runs.
pub(super) async fn attend<S: ServerStream, R: Future + 'static>(kit: Kit, call: impl Fn(S) -> R + 'static) {
    signal::ignore_interrupt();
    signal::ignore_hangup();
    let me = ME.get_or_init(Me::default);
    me.serves.store(kit.serves, Ordering::Relaxed);
    let served = LocalSet::new().run_until(serve(me, kit, Rc::new(call))).await;
    if let Err(error) = served {
        panic!("a worker of a server cannot do its work: {error}");
    }
}

async fn serve<S: ServerStream, R: Future + 'static>(
    me: &'static Me,
    kit: Kit,
    call: Rc<impl Fn(S) -> R + 'static>,
) -> Result<(), Box<dyn std::error::Error>> {
    let signals = Listening::begin()?;
    let bell = Source::new(signals.bell()?);
    let (mut signals, link) = (signals, Rc::new(kit.link));
    let listener = kit.listener.map(|listener| listener.into_inner());
    spawn_local(async move {
        let asked = || (signals.take().ends > 0).then_some(());
        never(suspended(Suspend::new().on_fd(&bell, Ready::Read, asked)).await);
        me.leave(true);
    });
    let waiting = listener.as_ref().map(|listener| listener.as_fd().try_clone_to_owned()).transpose()?;
    let orders = spawn_local(take_orders::<S, R>(me, link.clone(), call.clone(), waiting));
    link.coro_send(&Report::Ready).await?;
    let reports = spawn_local(report(me, link.clone(), listener.is_none()));
    if let Some(listener) = listener {
        accept(me, listener, kit.max_connections, &call).await?;
    }
    orders.await?;
    while me.open.load(Ordering::Acquire) > 0 {
        me.freed.notified().await;
    }
    reports.abort();
    Ok(())
}

/// Accepts until it is time to leave.
async fn accept<S: ServerStream, R: Future + 'static>(
    me: &'static Me,
    listener: OwnedFd,
    max_connections: u32,
    call: &Rc<impl Fn(S) -> R + 'static>,
) -> std::io::Result<()> {
    let listener = S::listener(listener)?;
    loop {
        if me.is_leaving() {
            return Ok(());
        }
        if me.open.load(Ordering::Acquire) >= max_connections {
            let _ = first(me.left(), me.freed.notified()).await;
            continue;
        }
        match first(me.left(), S::accept(&listener)).await {
            Err(()) => return Ok(()),
            Ok(Ok(stream)) => begin(me, stream, call),
            Ok(Err(error)) if is_of_the_connection(&error) => {}
            Ok(Err(_)) => tokio::time::sleep(SHORTAGE).await,
        }
    }
}

/// The peer has gone before it was accepted.
fn is_of_the_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

/// Does what the master says, until it says to leave or is gone.
async fn take_orders<S: ServerStream, R: Future + 'static>(
    me: &'static Me,
    link: Rc<WorkerLink>,
    call: Rc<impl Fn(S) -> R + 'static>,
    waiting: Option<OwnedFd>,
) {
    loop {
        match link.coro_recv().await {
            Ok(Order::Ping) => {
                if link.coro_send(&Report::Alive(me.counts())).await.is_err() {
                    return me.leave(false);
                }
            }
            Ok(Order::Take(socket)) => {
                // Before it is begun: the master closes its copy at that, and else would keep a short connection open.
                if link.coro_send(&Report::Taken).await.is_err() {
                    return me.leave(false);
                }
                if let Ok(stream) = S::of_descriptor(socket.into_inner()) {
                    begin(me, stream, &call);
                }
            }
            Ok(Order::Leave { is_last }) => {
                // Nobody else is there for those that have connected already.
                let connected = || listen::accept(waiting.as_ref()?).ok();
                let connected = std::iter::from_fn(connected).take(if is_last { LONGEST_BACKLOG } else { 0 });
                for stream in connected.filter_map(|socket| S::of_descriptor(socket).ok()) {
                    begin(me, stream, &call);
                }
                return me.leave(false);
            }
            Err(error) if error.is_no_descriptors() => tokio::time::sleep(SHORTAGE).await,
            // The master is dead, and this process about to be.
            Err(_) => return me.leave(false),
        }
    }
}

/// Tells the master what changes by itself.
async fn report(me: &'static Me, link: Rc<WorkerLink>, is_handed: bool) {
    loop {
        let closed = me.closed.swap(0, Ordering::AcqRel);
        let is_told = closed == 0 || !is_handed || link.coro_send(&Report::Closed(closed)).await.is_ok();
        if me.is_to_be_told.swap(false, Ordering::AcqRel) {
            let _ = link.coro_send(&Report::Leaving(me.counts())).await;
        }
        if !is_told {
            return;
        }
        me.news.notified().await;
    }
}

/// Hands a connection to the handler.
fn begin<S: ServerStream, R: Future + 'static>(
    me: &'static Me,
    stream: S,
    call: &Rc<impl Fn(S) -> R + 'static>,
) {
    me.open.fetch_add(1, Ordering::AcqRel);
    let open = Open(me);
    let call = call.clone();
    spawn_local(COUNTED.scope(std::cell::Cell::new(false), async move {
        let _open = open;
        call(stream).await;
    }));
    me.count();
}

/// A connection that is served. A handler that panics leaves it, too.
struct Open(&'static Me);

impl Drop for Open {
    fn drop(&mut self) {
        planted!("a-closed-connection-counts-on", self.0.open.fetch_sub(1, Ordering::AcqRel), 0);
        self.0.closed.fetch_add(1, Ordering::AcqRel);
        self.0.news.notify_one();
        self.0.freed.notify_one();
    }
}

/// `Err` if the first of the two is ready.
async fn first<B>(a: impl Future<Output = ()>, b: impl Future<Output = B>) -> Result<B, ()> {
    let (mut a, mut b) = (pin!(a), pin!(b));
    poll_fn(|cx| {
        if a.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(()));
        }
        b.as_mut().poll(cx).map(Ok)
    })
    .await
}
