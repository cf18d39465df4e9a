//! A victim under `ptrace(2)`: recorded instruction by instruction once, and then stopped at any one of them.
//!
//! A victim calls [`begin`] and [`end`] around one operation. A recording steps from the one to the other and notes
//! every instruction. To stop a later victim at the k-th of them, its address gets a breakpoint, and is passed as often
//! as it was before: the victim runs at full speed until there, and a point costs the same wherever it lies.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use aioprocessing::{AioEvent, AioProcess};

/// No operation under test lasts for so many instructions; what lies behind is not recorded.
const LONGEST_RECORDING: usize = 60_000;
/// A victim that sleeps for so long, with all that it waits for done, is one that hangs.
const STUCK: Duration = Duration::from_secs(3);

/// In the victim, before [`begin`]: what a process does only once, on its first wake-up, is done.
pub(crate) fn warm() {
    AioEvent::new().unwrap().set();
}

/// In the victim: from here on the tracer may stop it anywhere.
#[inline(never)]
pub(crate) fn begin() {
    // SAFETY: no memory is involved.
    let traced = unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) };
    assert_eq!(traced, 0, "PTRACE_TRACEME: {}", std::io::Error::last_os_error());
    // SAFETY: a breakpoint, which the tracer takes.
    unsafe { std::arch::asm!("int3") };
}

/// In the victim: the operation is over.
#[inline(always)]
pub(crate) fn end() {
    // SAFETY: as above.
    unsafe { std::arch::asm!("int3") };
}

/// Switches off the randomisation of addresses for all children of the calling thread, so that instructions can be
/// recognised, and puts them and the thread on one CPU, where a switch between them costs the least.
pub(crate) fn prepare(cpu: usize) {
    // SAFETY: changes only how addresses of later images are chosen.
    unsafe { libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong) };
    set_affinity(Some(cpu));
}

/// Puts the calling thread on one CPU, or on all of them.
pub(crate) fn set_affinity(cpu: Option<usize>) {
    // SAFETY: a set of CPUs is plain bits, for which zero is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    let all = 0..std::thread::available_parallelism().map_or(1, usize::from).max(64);
    for each in all.filter(|each| cpu.is_none_or(|cpu| cpu == *each)) {
        // SAFETY: the number is below the 1,024 that a set holds.
        unsafe { libc::CPU_SET(each, &mut set) };
    }
    // SAFETY: the set is valid for the call.
    unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) };
}

/// The state letter of a thread or process, of `/proc/…/stat`.
pub(crate) fn state_of(path: &str) -> u8 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.rfind(") ").and_then(|at| text.as_bytes().get(at + 2).copied()).unwrap_or(b'X')
}

/// One instruction of a recorded operation, about to be executed; or the call to the kernel that it sleeps in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Point {
    pub(crate) pc: u64,
    /// How often this address was passed before.
    pub(crate) nth: u32,
    pub(crate) asleep: bool,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    There,
    /// It finished the operation without coming by.
    End,
    /// It sleeps, and nothing wakes it.
    Stuck,
}

/// The length of a `rep movs` or `rep stos`.
fn repeats(text: u64) -> Option<u64> {
    let [first, second, third, ..] = text.to_le_bytes();
    let is_string = |byte| matches!(byte, 0xA4 | 0xA5 | 0xAA | 0xAB);
    match (first, second, third) {
        (0xF3, string, _) if is_string(string) => Some(2),
        (0xF3, 0x48, string) if is_string(string) => Some(3),
        _ => None,
    }
}

enum Waited {
    Stopped,
    Asleep,
}

/// What is done about a victim that sleeps for the n-th time.
pub(crate) enum Stimulus {
    /// Nothing: it sleeps until its nap is over.
    Nap,
    /// What it waits for has been done.
    Done,
    /// It should not be asleep any more.
    Nothing,
}

pub(crate) struct Victim {
    /// `None`: it is somebody else's child, a pool's.
    child: Option<AioProcess<()>>,
    pid: i32,
    is_gone: bool,
    sleeps: usize,
}

impl Victim {
    /// Waits until the child has come to its [`begin`]. To be called by the thread that spawned it.
    pub(crate) fn at_begin(child: AioProcess<()>) -> Self {
        let pid = i32::try_from(child.pid()).unwrap();
        Self { pid, child: Some(child), is_gone: false, sleeps: 0 }.begun()
    }

    /// The same for a child that the calling thread spawned by way of a pool, which reaps it.
    pub(crate) fn in_pool(pid: u32) -> Self {
        Self { pid: i32::try_from(pid).unwrap(), child: None, is_gone: false, sleeps: 0 }.begun()
    }

    fn begun(self) -> Self {
        let victim = self;
        let status = victim.wait(0).unwrap();
        assert!(libc::WIFSTOPPED(status), "a victim ended before its operation: {:?}", victim.outcome());
        assert_eq!(libc::WSTOPSIG(status), libc::SIGTRAP, "a victim was stopped by a signal");
        victim
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid.cast_unsigned()
    }

    fn outcome(&self) -> Option<Result<(), aioprocessing::JoinError>> {
        self.child.as_ref().map(AioProcess::join)
    }

    fn wait(&self, flags: i32) -> Option<i32> {
        let mut status = 0;
        // SAFETY: the status is valid for writes.
        match unsafe { libc::waitpid(self.pid, &raw mut status, libc::__WALL | flags) } {
            0 => None,
            pid if pid == self.pid => Some(status),
            _ if self.child.is_none() && self.is_gone => None,
            _ => panic!("waitpid: {}", std::io::Error::last_os_error()),
        }
    }

    fn ask(&self, request: libc::c_uint, address: u64, data: u64) -> i64 {
        // SAFETY: only requests that take plain numbers are made here.
        unsafe { libc::ptrace(request, self.pid, address, data) }
    }

    fn pc(&self) -> u64 {
        let at = std::mem::offset_of!(libc::user_regs_struct, rip) as u64;
        self.ask(libc::PTRACE_PEEKUSER, at, 0).cast_unsigned()
    }

    fn set_pc(&self, pc: u64) {
        let at = std::mem::offset_of!(libc::user_regs_struct, rip) as u64;
        self.ask(libc::PTRACE_POKEUSER, at, pc);
    }

    fn text(&self, address: u64) -> u64 {
        self.ask(libc::PTRACE_PEEKTEXT, address, 0).cast_unsigned()
    }

    fn step(&self) {
        assert_eq!(self.ask(libc::PTRACE_SINGLESTEP, 0, 0), 0, "PTRACE_SINGLESTEP");
    }

    /// Waits until the victim stops or sleeps.
    fn stopped_or_asleep(&mut self) -> Waited {
        let stat = format!("/proc/{}/stat", self.pid);
        let mut looks = 0_u32;
        loop {
            if let Some(status) = self.wait(libc::WNOHANG) {
                assert!(libc::WIFSTOPPED(status), "a victim ended by itself: {:?}", self.outcome());
                return Waited::Stopped;
            }
            looks += 1;
            if looks.is_multiple_of(8) && state_of(&stat) == b'S' {
                return Waited::Asleep;
            }
            std::thread::yield_now();
        }
    }

    /// Waits until the victim stops, and does what is to be done whenever it sleeps. `false`: nothing wakes it.
    fn stopped(&mut self, stimulus: &mut dyn FnMut(usize) -> Stimulus) -> bool {
        loop {
            match self.stopped_or_asleep() {
                Waited::Stopped => return true,
                Waited::Asleep => {
                    let asked = Instant::now();
                    let patience = match stimulus(self.sleeps) {
                        Stimulus::Nap | Stimulus::Done => Duration::from_millis(20),
                        Stimulus::Nothing => STUCK,
                    };
                    self.sleeps += 1;
                    let stat = format!("/proc/{}/stat", self.pid);
                    while state_of(&stat) == b'S' {
                        if asked.elapsed() > patience {
                            if patience == STUCK {
                                return false;
                            }
                            break;
                        }
                        std::thread::sleep(Duration::from_micros(50));
                    }
                }
            }
        }
    }

    /// Steps to the end of the operation and notes every instruction.
    pub(crate) fn record(&mut self, stimulus: &mut dyn FnMut(usize) -> Stimulus) -> (Vec<Point>, Reached) {
        let mut points = Vec::new();
        let mut passed: HashMap<u64, u32> = HashMap::new();
        while points.len() < LONGEST_RECORDING {
            let pc = self.pc();
            let text = self.text(pc);
            if text & 0xFF == 0xCC {
                return (points, Reached::End);
            }
            let nth = passed.entry(pc).or_default();
            points.push(Point { pc, nth: *nth, asleep: false });
            let sleeping = Point { pc, nth: *nth, asleep: true };
            *nth += 1;
            self.step();
            // Only a call to the kernel can sleep; `syscall` is 0F 05.
            if text & 0xFFFF == 0x050F {
                let mut noted = false;
                let woke = self.stopped(&mut |sleep| {
                    if !std::mem::replace(&mut noted, true) {
                        points.push(sleeping);
                    }
                    stimulus(sleep)
                });
                if !woke {
                    return (points, Reached::Stuck);
                }
            } else {
                let status = self.wait(0).unwrap();
                assert!(libc::WIFSTOPPED(status), "a victim ended in the middle of its operation");
            }
            // A string instruction is a loop of its own: three turns tell all.
            if let (Some(length), 3..) = (repeats(text), passed[&pc])
                && self.pc() == pc
            {
                self.pass(pc, pc + length);
            }
        }
        // The rest is not of interest; it runs to its end, so that the outcome can be judged.
        self.ask(libc::PTRACE_CONT, 0, 0);
        let woke = self.stopped(stimulus);
        (points, if woke { Reached::End } else { Reached::Stuck })
    }

    /// Runs on from `pc` to `next`, in the same straight line.
    fn pass(&self, pc: u64, next: u64) {
        let text = self.text(next);
        self.ask(libc::PTRACE_POKETEXT, next, text & !0xFF | 0xCC);
        self.ask(libc::PTRACE_CONT, 0, 0);
        let status = self.wait(0).unwrap();
        assert!(libc::WIFSTOPPED(status), "a victim ended in a copy at {pc:#x}");
        self.ask(libc::PTRACE_POKETEXT, next, text);
        self.set_pc(next);
    }

    /// Runs to a point of a recording.
    pub(crate) fn run_to(&mut self, point: Point, stimulus: &mut dyn FnMut(usize) -> Stimulus) -> Reached {
        let mut passed = 0;
        let mut at = self.pc();
        loop {
            if at == point.pc {
                if passed == point.nth {
                    break;
                }
                passed += 1;
                self.step();
                if !self.stopped(stimulus) {
                    return Reached::Stuck;
                }
            }
            let text = self.text(point.pc);
            self.ask(libc::PTRACE_POKETEXT, point.pc, text & !0xFF | 0xCC);
            self.ask(libc::PTRACE_CONT, 0, 0);
            let woke = self.stopped(stimulus);
            if !woke {
                return Reached::Stuck;
            }
            self.ask(libc::PTRACE_POKETEXT, point.pc, text);
            at = self.pc() - 1;
            if at != point.pc {
                // The breakpoint of `end`.
                return Reached::End;
            }
            self.set_pc(at);
        }
        if point.asleep {
            self.step();
            // It may not sleep this time; then it has just come back from the kernel.
            let _ = self.stopped_or_asleep();
        }
        Reached::There
    }

    /// SIGKILL, at this instruction.
    pub(crate) fn kill(&mut self) {
        if !std::mem::replace(&mut self.is_gone, true) {
            // SAFETY: the victim has not been reaped, so the number is its own.
            unsafe { libc::kill(self.pid, libc::SIGKILL) };
        }
    }

    /// SIGSTOP, at this instruction.
    pub(crate) fn stop(&mut self) {
        // A victim that sleeps is not in the tracer's hands; the signal stops it there.
        if self.ask(libc::PTRACE_DETACH, 0, libc::SIGSTOP as u64) != 0 {
            // SAFETY: the victim has not been reaped, so the number is its own.
            unsafe { libc::kill(self.pid, libc::SIGSTOP) };
        }
        while !matches!(state_of(&format!("/proc/{}/stat", self.pid)), b'T' | b't') {
            std::thread::yield_now();
        }
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.kill();
        while self.wait(0).is_some_and(|status| libc::WIFSTOPPED(status)) {}
    }
}
