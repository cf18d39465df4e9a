//! `init` inside of `#[tokio::main]`: the child's function may block, and may start a runtime of its own.

mod kit;

#[cfg(not(feature = "tokio"))]
fn main() {}

#[cfg(feature = "tokio")]
#[tokio::main]
async fn main() {
    aioprocessing::init();
    if std::env::args().any(|arg| arg == "--list") {
        println!("init_inside_of_a_runtime: test");
        return;
    }
    let _watchdog = kit::Watchdog::new("init inside of a runtime");
    with::a_child_that_blocks().await;
    with::a_child_with_a_runtime().await;
    with::a_child_that_fails().await;
    with::a_child_whose_environment_others_may_read().await;
    println!("test init_inside_of_a_runtime ... ok");
}

#[cfg(feature = "tokio")]
mod with {
    use aioprocessing::{AioProcess, JoinError, Stdio, current_process};

    fn block() -> (String, Option<String>) {
        let runtime = crate::kit::runtime();
        runtime.block_on(async { tokio::time::sleep(std::time::Duration::from_millis(1)).await });
        (current_process().name().to_owned(), std::thread::current().name().map(str::to_owned))
    }

    async fn grandparent(n: u64) -> u64 {
        let child = AioProcess::spawn_async(async |n: u64| n * 2, (n,)).unwrap();
        child.coro_join().await.unwrap() + AioProcess::spawn(|n: u64| n, (n,)).unwrap().join().unwrap()
    }

    pub(super) async fn a_child_that_blocks() {
        let child = AioProcess::builder().name("blocks").spawn(block, ()).unwrap();
        let (name, thread) = child.coro_join().await.unwrap();
        assert_eq!((name.as_str(), thread.as_deref()), ("blocks", Some("blocks")));
        assert_eq!(child.exit_code(), Some(0));
    }

    pub(super) async fn a_child_with_a_runtime() {
        let child = AioProcess::spawn_async(grandparent, (7,)).unwrap();
        assert_eq!(child.coro_join().await.unwrap(), 21);
        assert_eq!(child.join().unwrap(), 21, "and the blocking form in a runtime");
    }

    /// Where threads stand beside it, nothing is taken out of the environment.
    pub(super) async fn a_child_whose_environment_others_may_read() {
        let child = AioProcess::spawn(|| std::env::var_os("AIOPROCESSING_BOOTSTRAP").is_some(), ()).unwrap();
        assert!(child.coro_join().await.unwrap());
    }

    pub(super) async fn a_child_that_fails() {
        let child: AioProcess<()> = AioProcess::spawn(|| std::process::exit(3), ()).unwrap();
        assert!(matches!(child.coro_join().await, Err(JoinError::Exited { code: 3, .. })));
        let child: AioProcess<()> =
            AioProcess::builder().stderr(Stdio::null()).spawn(|| panic!("on a thread"), ()).unwrap();
        match child.coro_join().await {
            Err(JoinError::Panicked { message, location, .. }) => {
                assert_eq!(message, "on a thread");
                assert!(location.contains(file!()), "{location}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(child.exit_code(), Some(101));
    }
}
