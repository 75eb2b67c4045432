//! The machine: nodes, a network that loses, repeats and delays, the store, admins and the passing of time.

use crate::mutants::Mutant;
use crate::node::{Held, Node, Verdict};
use crate::reference::Reference;
use crate::store::{BUDGETS, CHAINS, Entry, Message, Reply, Store};
use louver_domain::settlement;
use louver_domain::settlement::{Outcome, Why};
use louver_domain::usage::Tokens;
use proptest::prelude::*;

pub const NODES: usize = 3;

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Answered,
    /// It arrives twice, and is answered.
    Twice,
    /// It arrives; the answer is lost.
    Unanswered,
    Lost,
    /// It arrives when the sender has long gone on.
    Late,
    /// It arrives; the answer is on its way while other things happen.
    Slow,
}

/// How a call ends.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// Billed so many tokens less than the bound, or more: as upstream said.
    Metered(i64),
    /// Billed so many less than the bound, and upstream did not say.
    Unknown(i64),
    /// As unknown, and upstream said what cannot be.
    Absurd(i64),
    Void,
}

#[derive(Clone, Debug)]
pub enum Op {
    Call {
        node: usize,
        chain: usize,
        bound: i64,
        fate: Fate,
    },
    Settle {
        node: usize,
        pick: usize,
        end: End,
    },
    Write {
        node: usize,
        fate: Fate,
    },
    Tend {
        node: usize,
        idle: bool,
        fates: (Fate, Fate),
    },
    /// An answer that was slow arrives.
    Answer {
        node: usize,
    },
    /// A message that was late arrives.
    Arrive {
        pick: usize,
    },
    Stop {
        node: usize,
    },
    /// The process dies, and the next one finds its journal; without the power, only some of it.
    Crash {
        node: usize,
        power: bool,
        found: u64,
        bills: i64,
    },
    Release,
    Unblock,
    Limit {
        budget: usize,
        limit: Option<(i64, bool)>,
    },
    Learn {
        node: usize,
    },
    Wait {
        node: usize,
    },
    /// The period turns. Nodes notice, or their clocks are behind.
    Turn {
        noticed: bool,
    },
    /// A node's clock is ahead of the store's.
    Early {
        node: usize,
    },
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Answered),
        1 => Just(Fate::Twice),
        1 => Just(Fate::Unanswered),
        1 => Just(Fate::Lost),
        1 => Just(Fate::Late),
        2 => Just(Fate::Slow),
    ]
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        6 => (0_i64..20).prop_map(End::Metered),
        1 => (-30_i64..0).prop_map(End::Metered),
        2 => (0_i64..5).prop_map(End::Unknown),
        1 => (0_i64..5).prop_map(End::Absurd),
        1 => Just(End::Void),
    ]
}

pub fn op() -> impl Strategy<Value = Op> {
    let node = 0..NODES;
    let limit = prop_oneof![
        1 => Just(None),
        1 => Just(Some((300, true))),
        4 => (0_i64..500).prop_map(|limit| Some((limit, true))),
        1 => (0_i64..300).prop_map(|limit| Some((limit, false))),
    ];
    prop_oneof![
        30 => (node.clone(), 0..CHAINS.len(), 1_i64..40, fate())
            .prop_map(|(node, chain, bound, fate)| Op::Call { node, chain, bound, fate }),
        20 => (node.clone(), any::<usize>(), end()).prop_map(|(node, pick, end)| Op::Settle { node, pick, end }),
        8 => (node.clone(), fate()).prop_map(|(node, fate)| Op::Write { node, fate }),
        8 => (node.clone(), any::<bool>(), (fate(), fate()))
            .prop_map(|(node, idle, fates)| Op::Tend { node, idle, fates }),
        8 => node.clone().prop_map(|node| Op::Answer { node }),
        6 => any::<usize>().prop_map(|pick| Op::Arrive { pick }),
        1 => node.clone().prop_map(|node| Op::Stop { node }),
        2 => (node.clone(), any::<bool>(), any::<u64>(), 0_i64..10)
            .prop_map(|(node, power, found, bills)| Op::Crash { node, power, found, bills }),
        1 => Just(Op::Release),
        3 => Just(Op::Unblock),
        3 => (0..BUDGETS, limit).prop_map(|(budget, limit)| Op::Limit { budget, limit }),
        4 => node.clone().prop_map(|node| Op::Learn { node }),
        6 => node.clone().prop_map(|node| Op::Wait { node }),
        1 => any::<bool>().prop_map(|noticed| Op::Turn { noticed }),
        1 => node.prop_map(|node| Op::Early { node }),
    ]
}

pub struct World {
    pub store: Store,
    pub nodes: Vec<Node>,
    network: Vec<(usize, Message)>,
    pub reference: Reference,
    requests: u32,
    mutant: Option<Mutant>,
}

impl World {
    pub fn new(mutant: Option<Mutant>) -> Self {
        let mut nodes: Vec<Node> = (0..NODES).map(|no| Node::new(no, 0, mutant)).collect();
        let store = Store::new(mutant);
        nodes.iter_mut().for_each(|node| node.learn(&store.limits));
        Self { reference: Reference::new(&store), store, nodes, network: Vec::new(), requests: 0, mutant }
    }

    /// Does one thing and checks all invariants.
    pub fn step(&mut self, op: &Op) {
        match *op {
            Op::Call { node, chain, bound, fate } => self.call(node, chain, bound, fate),
            Op::Settle { node, pick, end } => self.settle(node, pick, end),
            Op::Write { node, fate } => self.write(node, fate),
            Op::Tend { node, idle, fates } => self.tend(node, idle, fates),
            Op::Answer { node } => self.nodes[node].answer(),
            Op::Arrive { pick } => self.arrive(pick),
            Op::Stop { node } => self.stop(node),
            Op::Crash { node, power, found, bills } => self.crash(node, power, found, bills),
            Op::Release => {
                let released = self.store.release();
                self.reference.forgive(&self.store, &released);
            }
            Op::Unblock => self.store.unblock(),
            Op::Limit { budget, limit } => {
                self.store.set_limit(budget, limit);
                self.reference.changed(budget);
            }
            Op::Learn { node } => {
                self.nodes[node].learn(&self.store.limits);
                self.reference.learned(node);
            }
            Op::Wait { node } => {
                self.nodes[node].wait();
                self.reference.waited(node);
            }
            Op::Turn { noticed } => {
                self.store.period += 1;
                self.reference.late_clocks |= !noticed;
                let over = self.store.period - 1;
                self.nodes.iter_mut().filter(|_| noticed).for_each(|node| node.know_over(over));
            }
            Op::Early { node } => self.nodes[node].notice(self.store.period),
        }
        self.reference.check(&self.store, &self.nodes);
    }

    fn deliver(&mut self, message: &Message) -> Vec<Reply> {
        let before = self.store.clone();
        let replies = self.store.deliver(message);
        self.reference.check_message(&before, message, &self.store);
        replies
    }

    /// Sends a message; answers what the store said when the node hears of it. `Slow` counts as answered.
    fn send(&mut self, node: usize, message: &Message, fate: Fate) -> Option<Vec<Reply>> {
        match fate {
            Fate::Answered | Fate::Slow => Some(self.deliver(message)),
            Fate::Twice => {
                let replies = self.deliver(message);
                let once = self.store.clone();
                self.deliver(message);
                assert!(self.store == once, "I10: {message:?} changed something when it came again");
                Some(replies)
            }
            Fate::Unanswered => {
                self.deliver(message);
                None
            }
            Fate::Lost => None,
            Fate::Late => {
                self.network.push((node, message.clone()));
                None
            }
        }
    }

    fn call(&mut self, node: usize, chain: usize, bound: i64, fate: Fate) {
        let request = self.requests;
        self.requests += 1;
        let period = self.store.period;
        for _ in 0..2 {
            let before = self.nodes[node].clone();
            match self.nodes[node].take(chain, bound, request, period) {
                Verdict::Taken => {
                    let call = self.nodes[node].calls.last().cloned().unwrap();
                    return self.reference.admitted(node, &call, &self.store);
                }
                verdict => {
                    let same = before.books.iter().zip(&self.nodes[node].books);
                    let same = same.map(|(a, b)| (a.current.as_ref(), b.current.as_ref()));
                    let reserved = |held: Option<&Held>| held.map(|held| held.slice);
                    let same = same.into_iter().all(|(a, b)| reserved(a) == reserved(b));
                    assert!(same, "I9: refused, and something was reserved");
                    let Verdict::Short(short) = verdict else { return };
                    if self.nodes[node].pending.is_some() {
                        return;
                    }
                    self.ask(node, &short, bound, fate);
                }
            }
        }
    }

    fn ask(&mut self, node: usize, budgets: &[usize], need: i64, fate: Fate) {
        let (returns, asks) = self.nodes[node].ask(budgets, need);
        if self.send(node, &returns, if fate == Fate::Late { fate } else { Fate::Answered }).is_none() {
            self.nodes[node].pending = None;
            return;
        }
        match self.send(node, &asks, fate) {
            Some(replies) => {
                self.nodes[node].pending.as_mut().unwrap().replies = replies;
                if fate != Fate::Slow {
                    self.nodes[node].answer();
                }
            }
            None => self.nodes[node].pending = None,
        }
    }

    fn settle(&mut self, node: usize, pick: usize, end: End) {
        let calls = self.nodes[node].calls.len();
        if calls == 0 {
            return;
        }
        let index = pick % calls;
        let bound = self.nodes[node].calls[index].bound;
        let metered = |tokens: i64| {
            let tokens = Tokens { input: u64::try_from(tokens).unwrap(), cached: 0, output: 0 };
            Outcome::Metered(settlement::Metered { tokens, ..settlement::Metered::default() })
        };
        let (outcome, bill) = match end {
            End::Metered(less) => (metered((bound - less).max(0)), (bound - less).max(0)),
            End::Unknown(less) => (Outcome::Unknown, (bound - less).max(0)),
            End::Absurd(less) => (metered(20_000), (bound - less).max(0)),
            End::Void => (Outcome::Void, 0),
        };
        let entry = self.nodes[node].settle(index, outcome);
        match entry.why {
            Why::Unknown | Why::Absurd | Why::Ahead => {
                assert_eq!(entry.charge, bound, "I7: not known, so at the bound")
            }
            Why::Void => assert_eq!((entry.charge, bill), (0, 0), "I7"),
            Why::Metered => assert!(entry.charge == bill && bill <= bound, "I8: no overrun within the bound"),
            Why::Overrun => assert!(entry.charge == bill && bill > bound, "I8: an overrun is charged whole"),
        }
        self.reference.settled(node, &entry, bill);
    }

    fn write(&mut self, node: usize, fate: Fate) {
        let entries = self.nodes[node].queue.clone();
        if !entries.is_empty() && self.send(node, &Message::Insert(entries.clone()), fate).is_some() {
            self.nodes[node].note_stored(&entries);
        }
    }

    fn tend(&mut self, node: usize, idle: bool, fates: (Fate, Fate)) {
        if self.nodes[node].pending.is_some() {
            return;
        }
        let (returns, ended) = self.nodes[node].tend(idle);
        let returned = self.send(node, &returns, fates.0).is_some();
        if !returned || self.send(node, &Message::Close(ended.clone()), fates.1).is_none() {
            self.nodes[node].unclosed = ended;
        }
    }

    fn arrive(&mut self, pick: usize) {
        if !self.network.is_empty() {
            let index = pick % self.network.len();
            let (_, message) = self.network.remove(index);
            self.deliver(&message);
        }
    }

    /// A process ends in order: every call settles, everything is written and given back.
    pub fn stop(&mut self, node: usize) {
        self.nodes[node].pending = None;
        while !self.nodes[node].calls.is_empty() {
            self.settle(node, 0, End::Metered(1));
        }
        self.write(node, Fate::Answered);
        self.nodes[node].retire_all();
        self.tend(node, false, (Fate::Answered, Fate::Answered));
        self.reference.check_ended(&self.store, &self.nodes[node]);
        self.start(node, &[], true);
    }

    fn crash(&mut self, node: usize, power: bool, found: u64, bills: i64) {
        let journal = self.nodes[node].journal();
        for call in self.nodes[node].calls.clone() {
            self.reference.died(&call, (call.bound - bills).max(0));
        }
        let kept = |(index, _): &(usize, &Entry)| !power || found >> (index % 64) & 1 == 1;
        let entries: Vec<Entry> = journal.iter().enumerate().filter(kept).map(|(_, e)| e.clone()).collect();
        if power {
            self.network.retain(|(from, _)| *from != node);
        }
        self.reference.buried(node);
        self.start(node, &entries, !power);
    }

    fn start(&mut self, node: usize, entries: &[Entry], believed: bool) {
        let epoch = self.nodes[node].epoch + 1;
        self.nodes[node] = Node::new(node, epoch, self.mutant);
        self.nodes[node].learn(&self.store.limits);
        self.reference.learned(node);
        self.store.recover(node, epoch, entries, believed);
        let once = self.store.clone();
        self.store.recover(node, epoch, entries, believed);
        assert!(self.store == once, "I10: a recovery that is done again changed something");
    }
}
