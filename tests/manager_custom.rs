//! Objects of a program's own types in managers: cases 155, 157 and 158, E15, in both faces.

mod kit;

use std::time::Duration;

use aioprocessing::{Address, AioManager, AioQueue, ManagerError, ProxyError};
use kit::Watchdog;
use kit::either::either;
use kit::sides::{Side, each, start};
use serde::{Deserialize, Serialize};

aioprocessing::test_support!();

#[derive(Default)]
struct Account {
    balance: u64,
    history: Vec<i64>,
    friend: Option<AccountProxy>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Overdrawn {
    missing: u64,
}

impl Account {
    fn with(balance: u64) -> Self {
        Self { balance, ..Self::default() }
    }
    fn add(&mut self, amount: u64) -> u64 {
        self.history.push(amount.cast_signed());
        self.balance += amount;
        self.balance
    }
    fn take(&mut self, amount: u64) -> Result<u64, Overdrawn> {
        let missing = amount.saturating_sub(self.balance);
        if missing > 0 {
            return Err(Overdrawn { missing });
        }
        self.history.push(-amount.cast_signed());
        self.balance -= amount;
        Ok(self.balance)
    }
    fn history(&self) -> Vec<i64> {
        self.history.clone()
    }
    fn crash(&mut self, text: String) {
        panic!("{text} at {}", self.balance);
    }
    fn befriend(&mut self, friend: AccountProxy) {
        self.friend = Some(friend);
    }
    fn friend(&self) -> Option<AccountProxy> {
        self.friend.clone()
    }
    fn ask_friend(&self) -> String {
        let friend = self.friend.as_ref().unwrap();
        friend.history().unwrap_err().to_string()
    }
    fn child(&self) -> Result<AccountProxy, String> {
        AccountProxy::keep(Self::with(self.balance / 2)).map_err(|error| error.to_string())
    }
    fn report(&self, to: AioQueue<u64>) {
        to.put(self.balance).unwrap();
    }
    fn ask_manager(&self, manager: AioManager) -> String {
        manager.names().unwrap_err().to_string()
    }
}

aioprocessing::manager_object! {
    /// All that an account can do.
    proxy AccountProxy for Account {
        fn add, coro_add(&self, amount: u64) -> u64;
        fn take, coro_take(&self, amount: u64) -> Result<u64, Overdrawn>;
        fn history, coro_history(&self) -> Vec<i64>;
        fn crash, coro_crash(&self, text: String);
        fn befriend, coro_befriend(&self, friend: AccountProxy);
        fn friend, coro_friend(&self) -> Option<AccountProxy>;
        fn ask_friend, coro_ask_friend(&self) -> String;
        fn child, coro_child(&self) -> Result<AccountProxy, String>;
        fn report, coro_report(&self, to: AioQueue<u64>);
        fn ask_manager, coro_ask_manager(&self, manager: AioManager) -> String;
    }
}

mod guest {
    //! Another program's idea of the same proxy, and one with fewer methods.

    pub(crate) struct Other;

    impl Other {
        fn history(&self) -> Vec<i64> {
            Vec::new()
        }
        fn close(&self) {}
    }

    aioprocessing::manager_object! {
        pub(crate) proxy AccountProxy for Other {
            fn history, coro_history(&self) -> Vec<i64>;
            fn close, coro_close(&self);
        }
    }
}

fn managers() -> [AioManager; 2] {
    let start = |address: Address| AioManager::builder().address(address).authkey(b"key").start().unwrap();
    [Address::private().unwrap(), "tcp:127.0.0.1:0".parse().unwrap()].map(start)
}

fn account(side: Side, manager: &AioManager, balance: u64) -> AccountProxy {
    let made = either!(
        side,
        AccountProxy::create(manager, Account::with, (balance,)),
        AccountProxy::coro_create(manager, Account::with, (balance,))
    );
    made.unwrap()
}

fn pay(side: Side, manager: AioManager) {
    let account: AccountProxy = manager.get("account").unwrap();
    for _ in 0..50 {
        either!(side, account.add(2), account.coro_add(2)).unwrap();
        either!(side, account.take(1), account.coro_take(1)).unwrap().unwrap();
    }
}

#[test]
fn case_157_a_type_of_ones_own() {
    each("case_157_a_type_of_ones_own", |side, place, watchdog| {
        for manager in managers() {
            watchdog.step(format!("{side:?} {place:?} {manager:?}"));
            let account = account(side, &manager, 100);
            manager.register("account", &account).unwrap();
            let others: Vec<_> = (0..3).map(|_| start!(place, pay, (side, manager))).collect();
            others.into_iter().for_each(|other| other.join());
            assert_eq!(account.add(0).unwrap(), 250);
            assert_eq!(account.history().unwrap().len(), 301);
        }
    });
}

/// Case 155: errors cross as the type that they are, panics with their message; the object stays.
#[test]
fn case_155_errors_and_panics_of_objects() {
    for &side in Side::ALL {
        for manager in managers() {
            let account = account(side, &manager, 5);
            let refused = either!(side, account.take(9), account.coro_take(9)).unwrap();
            assert_eq!(refused, Err(Overdrawn { missing: 4 }));
            let text = "out of paper".to_owned();
            let error =
                either!(side, account.crash(text.clone()), account.coro_crash(text.clone())).unwrap_err();
            assert!(
                matches!(&error, ProxyError::Panicked { message } if message == "out of paper at 5"),
                "{error}"
            );
            assert_eq!(account.add(1).unwrap(), 6);
            // What makes an object may panic, too.
            let error = AccountProxy::create(&manager, |_: u8| -> Account { panic!("no account") }, (1,))
                .unwrap_err();
            assert!(matches!(&error, ProxyError::Panicked { message } if message == "no account"), "{error}");
        }
    }
}

struct Bomb;

impl Bomb {
    fn tick(&self) -> u8 {
        1
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("it went off");
    }
}

aioprocessing::manager_object! {
    proxy BombProxy for Bomb {
        fn tick, coro_tick(&self) -> u8;
    }
}

/// The end of an object is no more the manager's end than a call of it is.
#[test]
fn case_158_an_object_that_panics_when_it_goes() {
    let _watchdog = Watchdog::new("case_158_an_object_that_panics_when_it_goes");
    for manager in managers() {
        let descriptors = || {
            manager.names().unwrap();
            std::fs::read_dir(format!("/proc/{}/fd", manager.pid().unwrap())).unwrap().count()
        };
        let before = descriptors();
        let bomb = BombProxy::create(&manager, || Bomb, ()).unwrap();
        assert_eq!(bomb.tick().unwrap(), 1);
        drop(bomb);
        kit::until("the end of the object", || descriptors() == before);
        manager.shutdown().unwrap();
    }
}

#[test]
fn case_157_a_method_that_is_not_exposed() {
    let _watchdog = Watchdog::new("case_157_a_method_that_is_not_exposed");
    for manager in managers() {
        let account = account(Side::Blocking, &manager, 1);
        manager.register("account", &account).unwrap();
        let guest: guest::AccountProxy = manager.get("account").unwrap();
        assert_eq!(guest.history().unwrap(), [0_i64; 0]);
        let error = guest.close().unwrap_err();
        assert!(matches!(&error, ProxyError::NoMethod { method } if method == "close"), "{error}");
    }
}

/// Proxies as arguments and outputs, and objects that are made by objects.
#[test]
fn objects_that_hold_each_other() {
    for &side in Side::ALL {
        let _watchdog = Watchdog::new("objects_that_hold_each_other");
        for manager in managers() {
            let (one, other) = (account(side, &manager, 10), account(side, &manager, 20));
            either!(side, one.befriend(other.clone()), one.coro_befriend(other.clone())).unwrap();
            other.add(1).unwrap();
            drop(other);
            let back = either!(side, one.friend(), one.coro_friend()).unwrap().unwrap();
            assert_eq!(back.history().unwrap(), [1]);
            // From within, that would wait for itself.
            assert_eq!(one.ask_friend().unwrap(), ProxyError::from(ManagerError::Within).to_string());
            assert_eq!(one.ask_manager(manager.clone()).unwrap(), ManagerError::Within.to_string());
            let child = either!(side, one.child(), one.coro_child()).unwrap().unwrap();
            assert_eq!(child.add(1).unwrap(), 6);
        }
    }
    let error = AccountProxy::keep(Account::default()).unwrap_err();
    assert!(matches!(error, ProxyError::Manager(ManagerError::NotInManager)), "{error}");
}

#[test]
fn handles_as_arguments() {
    let _watchdog = Watchdog::new("handles_as_arguments");
    let [here, there] = managers();
    let queue = AioQueue::unbounded().unwrap();
    account(Side::Blocking, &here, 7).report(queue.clone()).unwrap();
    assert_eq!(queue.get().unwrap(), 7);
    let error = account(Side::Blocking, &there, 7).report(queue).unwrap_err();
    assert!(matches!(error, ProxyError::Encode(_)), "{error}");
}

#[test]
fn a_call_that_takes_long() {
    let _watchdog = Watchdog::new("a_call_that_takes_long");
    for manager in managers() {
        let account = account(Side::Blocking, &manager, 7);
        let pid = manager.pid().unwrap();
        kit::signal(pid, rustix::process::Signal::STOP);
        let error = account.within(Duration::from_millis(20)).add(1).unwrap_err();
        assert!(matches!(error, ProxyError::TooSlow), "{error}");
        kit::signal(pid, rustix::process::Signal::CONT);
        // It was asked for, and has happened.
        assert_eq!(account.add(1).unwrap(), 9);
    }
}
